/* SPDX-License-Identifier: MIT
 *
 * prepare/to_category.c: numbers that name things (shops, postcodes, users) as levels of
 * a category.
 *
 * Tensors: values f64 [all], the number of each level, in the order of the levels' texts;
 * start i64 [features + 1]: where those of each picked column begin. A column without any
 * is left as it is. Cost: a sort of each column; a look into a table for each row where
 * the numbers are whole and close together, else a search among the levels.
 */
#include "algorithms/prepare/prepare.h"
#include "core/radix.h"
#include "core/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VALUES f64[0]
#define START  i64[0]
#define KEEP   option[0]
#define SORTED own[0] /* double [all], of each column ascending */
#define CODES  own[1] /* int32_t [all], the level of each of these */
#define TABLES own[2] /* int32_t, of columns whose numbers are close together: */
#define PLACES own[3] /* place [features] */
#define SPREAD 8      /* places in a table for each level, at most, */
#define SMALL  1024   /* and so many more */

/* The table of a column: levels of low, low + 1, ... -1: none. */
typedef struct {
    double low;
    int64_t size; /* 0: there is none */
    const int32_t *code;
} place;

/* ---- fit ---- */

typedef struct {
    char text[MLI_NUM_SIZE];
    double value;
} level;

typedef struct {
    level **levels; /* [features] in the order of their texts */
    int64_t *n, least;
    ml_context *ctx;
    atomic_int nomem;
} learning;

static int by_text(const void *a, const void *b)
{
    return strcmp(((const level *)a)->text, ((const level *)b)->text);
}

static void name_level(level *l, double value)
{
    l->value = value;
    mli_format_f64(value, l->text);
}

/* The distinct values that at least so many rows have; out: NULL counts them. */
static int64_t distinct(const double *sorted, int64_t n, int64_t least, level *out)
{
    int64_t count = 0;
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && sorted[end] == sorted[i];) end++;
        if (end - i < least) continue;
        if (out) name_level(&out[count], sorted[i]);
        count++;
    }
    return count;
}

static void find_levels(void *arg, int64_t j, double *sorted, int64_t n)
{
    learning *l = arg;
    int64_t count = distinct(sorted, n, l->least, NULL);
    l->levels[j] = mli_alloc_vec(l->ctx, count, sizeof **l->levels);
    if (!l->levels[j]) {
        atomic_store(&l->nomem, 1);
        return;
    }
    l->n[j] = distinct(sorted, n, l->least, l->levels[j]);
    qsort(l->levels[j], (size_t)count, sizeof **l->levels, by_text);
}

static ml_status add(mli_fit *job, const learning *l, ml_error *err)
{
    int64_t n = job->train->n_features, n1 = n + 1, total = 0, *start;
    double *values;
    ml_status status =
        mli_model_add(job->model, "start", ML_DTYPE_I64, 1, &n1, &start, err);
    for (int64_t j = 0; j < n && !status; j++) {
        start[j] = total;
        total += l->n[j];
    }
    if (!status) start[n] = total;
    if (!status)
        status =
            mli_model_add(job->model, "values", ML_DTYPE_F64, 1, &total, &values, err);
    for (int64_t j = 0; j < n && !status; j++)
        for (int64_t k = 0; k < l->n[j]; k++)
            values[start[j] + k] = l->levels[j][k].value;
    return status;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    uint8_t *picked = NULL;
    size_t n = (size_t)job->train->n_features;
    learning l = {.ctx = job->ctx, .least = mli_get_i64(job->params, "min_count")};
    ml_status status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &picked, err);
    if (status) return status;
    atomic_init(&l.nomem, 0);
    l.levels = mli_calloc(job->ctx, n, sizeof(level *));
    l.n = mli_calloc(job->ctx, n, sizeof *l.n);
    status = l.levels && l.n
                 ? mli_prepare_sorted(job->train, picked, job->run, find_levels, &l, err)
                 : mli_nomem(err);
    if (!status && atomic_load(&l.nomem)) status = mli_nomem(err);
    if (!status) status = add(job, &l, err);
    for (size_t j = 0; l.levels && j < n; j++) mli_free(job->ctx, l.levels[j]);
    mli_free(job->ctx, l.levels);
    mli_free(job->ctx, l.n);
    mli_free(job->ctx, picked);
    return status;
}

/* ---- the plan ---- */

static ml_status damaged(ml_error *err)
{
    return mli_fail(err, ML_E_FORMAT, "the model's tensor \"values\" is damaged");
}

/* The values of a column ascending, with their levels. */
static ml_status sort_column(mli_prepared *t, int64_t begin, int64_t end, uint64_t *words,
                             ml_error *err)
{
    const double *values = t->VALUES + begin;
    double *sorted = (double *)t->SORTED + begin;
    int32_t *codes = (int32_t *)t->CODES + begin;
    int64_t n = end - begin, found = 0;
    const uint64_t *order = mli_radix_order_f64(values, n, words, words + n, &found);
    if (found < n) return damaged(err); /* no number */
    for (int64_t k = 0; k < n; k++) {
        codes[k] = (int32_t)(order[k] & UINT32_MAX);
        sorted[k] = values[codes[k]];
        if (k > 0 && sorted[k] == sorted[k - 1]) return damaged(err);
    }
    return ML_OK;
}

/* How large the table of sorted numbers is; 0: it would be too large, or they are not
 * whole. */
static int64_t table_size(const double *sorted, int64_t n)
{
    double span = n ? sorted[n - 1] - sorted[0] : INFINITY;
    if (!(span < (double)(SPREAD * n + SMALL))) return 0;
    for (int64_t k = 0; k < n; k++)
        if (sorted[k] != floor(sorted[k])) return 0;
    return (int64_t)span + 1;
}

static ml_status make_tables(mli_prepared *t, ml_error *err)
{
    int64_t total = 0, n = t->in->n_features;
    place *p = mli_calloc(t->plan.ctx, (size_t)n, sizeof *p);
    t->PLACES = p;
    if (!p) return mli_nomem(err);
    for (int64_t j = 0; j < n; j++) {
        const double *sorted = (const double *)t->SORTED + t->START[j];
        total += p[j].size = table_size(sorted, t->START[j + 1] - t->START[j]);
    }
    int32_t *code = mli_alloc_vec(t->plan.ctx, total, sizeof *code);
    t->TABLES = code;
    if (!code) return mli_nomem(err);
    for (int64_t j = 0; j < n; j++) {
        if (!p[j].size) continue;
        const double *sorted = (const double *)t->SORTED + t->START[j];
        p[j].low = sorted[0];
        p[j].code = code;
        for (int64_t i = 0; i < p[j].size; i++) code[i] = -1;
        for (int64_t k = 0; k < t->START[j + 1] - t->START[j]; k++)
            code[(int64_t)(sorted[k] - sorted[0])] =
                ((const int32_t *)t->CODES)[t->START[j] + k];
        code += p[j].size;
    }
    return ML_OK;
}

static ml_status load(mli_prepared *t, ml_error *err)
{
    int64_t total = -1;
    ml_context *ctx = t->plan.ctx;
    t->KEEP = mli_get_bool(t->model->params, "keep");
    ml_status status =
        mli_model_want(t->model, "values", ML_DTYPE_F64, 1, &total, &t->VALUES, err);
    if (!status) status = mli_prepare_offsets(t, "start", total, &t->START, err);
    if (status) return status;
    if (total > INT32_MAX) return damaged(err);
    uint64_t *words = mli_alloc_vec(ctx, 2 * total, sizeof *words);
    t->SORTED = mli_alloc_vec(ctx, total, sizeof(double));
    t->CODES = mli_alloc_vec(ctx, total, sizeof(int32_t));
    if (!words || !t->SORTED || !t->CODES) status = mli_nomem(err);
    for (int64_t j = 0; j < t->in->n_features && !status; j++)
        if (t->START[j] < t->START[j + 1])
            status = sort_column(t, t->START[j], t->START[j + 1], words, err);
    mli_free(ctx, words);
    return status ? status : make_tables(t, err);
}

static int has_levels(const mli_prepared *t, int64_t j)
{
    return t->START[j] < t->START[j + 1];
}

static int64_t width(const mli_prepared *t, int64_t j)
{
    return t->KEEP && has_levels(t, j) ? 2 : 1;
}

/* The texts of the levels, which ascend unless the file is damaged. */
static ml_status fill_levels(const mli_prepared *t, int64_t j, mli_dictionary *out,
                             ml_error *err)
{
    const double *values = t->VALUES + t->START[j];
    int64_t n = t->START[j + 1] - t->START[j], size = 0, *offsets;
    char *bytes;
    level l;
    for (int64_t k = 0; k < n; k++) {
        name_level(&l, values[k]);
        size += (int64_t)strlen(l.text);
    }
    ml_status status =
        mli_dictionary_new(t->plan.ctx, n, size, out, &bytes, &offsets, err);
    if (status) return status;
    for (int64_t k = 0; k < n; k++) {
        name_level(&l, values[k]);
        size_t length = strlen(l.text);
        memcpy(bytes + offsets[k], l.text, length);
        offsets[k + 1] = offsets[k] + (int64_t)length;
    }
    return mli_dictionary_valid(out, 1) ? ML_OK : damaged(err);
}

static ml_status describe(const mli_prepared *t, int64_t j, mli_feature *out,
                          ml_error *err)
{
    const mli_feature *f = &t->in->features[j];
    ml_status status = mli_prepare_name(t, out, err, "%s", f->name);
    out->kind = MLI_NUMERIC;
    out->type = f->type;
    if (status || !has_levels(t, j)) return status;
    if (t->KEEP) {
        out++;
        status = mli_prepare_name(t, out, err, "%s as category", f->name);
    }
    out->kind = MLI_CATEGORICAL;
    out->type = ML_TYPE_CATEGORY;
    return status ? status : fill_levels(t, j, &out->levels, err);
}

/* The level of a number. */
static double code_of(const double *sorted, const int32_t *codes, int64_t n, double x)
{
    int64_t low = 0;
    if (isnan(x)) return NAN;
    for (int64_t size = n; size > 1; size -= size / 2)
        if (sorted[low + size / 2] <= x) low += size / 2;
    return sorted[low] == x ? (double)codes[low] : mli_unseen();
}

static double code_in(const place *p, double x)
{
    double at = x - p->low;
    if (isnan(x)) return NAN;
    if (!(at >= 0 && at < (double)p->size)) return mli_unseen();
    int64_t k = (int64_t)at;
    int is_level = p->low + (double)k == x && p->code[k] >= 0;
    return is_level ? (double)p->code[k] : mli_unseen();
}

static void map(const mli_prepared *t, int64_t j, const double *in, int64_t stride,
                int64_t n, double *out, int64_t out_stride)
{
    const double *sorted = (const double *)t->SORTED + t->START[j];
    const int32_t *codes = (const int32_t *)t->CODES + t->START[j];
    const place *p = (const place *)t->PLACES + j;
    int64_t levels = t->START[j + 1] - t->START[j], last = width(t, j) - 1;
    for (int64_t i = 0; i < n; i++) {
        double x = in[i * stride], *to = out + i * out_stride;
        to[0] = x;
        if (levels)
            to[last] = p->size ? code_in(p, x) : code_of(sorted, codes, levels, x);
    }
}

static const mli_transformer kind = {.takes = MLI_TAKES_NUMBERS,
                                     .load = load,
                                     .width = width,
                                     .describe = describe,
                                     .map = map};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"keep", NULL, ML_PARAM_BOOL, 0, "false", NULL, "{false, true}", NULL,
     "Keep the numbers too, with the category as a column of its own beside them.",
     "0.1"},
    {"min_count", "min_frequency", ML_PARAM_I64, 0, "1", "[1, 1000000000]", "[1, 20]",
     NULL, "Numbers in fewer training rows are no levels: they count as unseen.", "0.1"},
    MLI_PARAM_END};

static const mli_attribute attributes[] = {
    {"values", "f64", "[levels]",
     "The number of each level, in the order of their texts."},
    {"start", "i64", "[features + 1]", "Where the levels of each column begin."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_to_category;
const mli_algorithm mli_to_category = {
    .head = {MLI_PREPARE_HEAD, .name = "to_category", .aliases = "as_category,as_factor",
             .title = "numbers as categories",
             .doc = "Makes a category of numbers that name things, such as shops, users "
                    "or postcodes: each number is a level. Missing values and numbers "
                    "that training did not have are missing.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised,
             .attributes = attributes},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
