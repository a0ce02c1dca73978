/* SPDX-License-Identifier: MIT
 *
 * data/dense.c: which columns the dense matrix of a design has, and their means and
 * scales.
 */
#include "core/parallel.h"
#include "data/dense_parts.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define SMALLEST_SCALE 1e-305 /* its inverse is still finite */

ml_status mli_dense_alloc(mli_inputs *inputs, int64_t n_columns, mli_dense **out,
                          ml_error *err)
{
    ml_context *ctx = inputs->ctx;
    size_t n = (size_t)n_columns;
    mli_dense *d = mli_calloc(ctx, 1, sizeof *d);
    if (!d) return mli_nomem(err);
    d->ctx = ctx;
    d->inputs = mli_inputs_ref(inputs);
    d->n_features = inputs->n_features;
    d->n_columns = n_columns;
    d->first = mli_calloc(ctx, (size_t)d->n_features + 1, sizeof *d->first);
    d->feature = mli_calloc(ctx, n, sizeof *d->feature);
    d->level = mli_calloc(ctx, n, sizeof *d->level);
    d->fill = mli_calloc(ctx, n, sizeof *d->fill);
    d->center = mli_calloc(ctx, n, sizeof *d->center);
    d->scale = mli_calloc(ctx, n, sizeof *d->scale);
    d->nonzero = mli_calloc(ctx, n, sizeof *d->nonzero);
    if (!d->nonzero || !d->first || !d->feature || !d->level || !d->fill || !d->center ||
        !d->scale) {
        mli_dense_free(d);
        return mli_nomem(err);
    }
    *out = d;
    return ML_OK;
}

void mli_dense_free(mli_dense *d)
{
    if (!d) return;
    mli_free(d->ctx, d->first);
    mli_free(d->ctx, d->feature);
    mli_free(d->ctx, d->level);
    mli_free(d->ctx, d->fill);
    mli_free(d->ctx, d->center);
    mli_free(d->ctx, d->scale);
    mli_free(d->ctx, d->nonzero);
    mli_inputs_free(d->inputs);
    mli_free(d->ctx, d);
}

/* ---- from training rows ---- */

/* What is known of each feature before there are columns. */
typedef struct {
    const mli_design *design;
    const mli_dense_options *options;
    const mli_run *run;
    mli_moments *moments; /* [n_features] */
    double *factor;       /* [n_features] */
    double **counts;      /* [n_features] of categories: weight per level, then missing */
    int64_t **rows;       /* [n_features] the same of rows; in the block of counts */
    atomic_int failed;    /* out of memory in a task */
} learning;

static void count_levels(void *arg, int64_t task, int32_t slot)
{
    learning *a = arg;
    const mli_design *d = a->design;
    (void)slot;
    if (d->columns[task].kind != MLI_CATEGORICAL) return;
    int64_t n = d->inputs->features[task].levels.n;
    double *counts = mli_calloc(d->ctx, 2 * (size_t)(n + 1), sizeof *counts);
    const int32_t *codes = d->columns[task].codes;
    a->counts[task] = counts;
    if (!counts) {
        atomic_store(&a->failed, 1);
        return;
    }
    int64_t *rows = a->rows[task] = (int64_t *)(void *)(counts + n + 1);
    mli_moments *m = &a->moments[task];
    for (int64_t i = 0; i < d->rows; i++) {
        double w = d->weight ? d->weight[i] : 1.0;
        if (codes[i] < 0) m->n_missing++;
        counts[codes[i] < 0 ? n : codes[i]] += w;
        rows[codes[i] < 0 ? n : codes[i]]++;
    }
}

static ml_status refuse_infinite(const learning *a, ml_error *err)
{
    const mli_design *d = a->design;
    for (int64_t j = 0; j < d->n_features; j++) {
        if (d->columns[j].kind != MLI_NUMERIC || a->moments[j].infinite < 0) continue;
        mli_fail(err, ML_E_DATA, "the value is infinite");
        mli_error_at(err, ML_E_DATA, "column \"%s\", row %" PRId64,
                     d->inputs->features[j].name, a->moments[j].infinite + 1);
        return mli_error_hint(err, ML_E_DATA,
                              "make it missing, or give the row a finite number");
    }
    return ML_OK;
}

static ml_status learn_numbers(learning *a, ml_error *err)
{
    const mli_design *d = a->design;
    ml_status status = mli_moments_of(d, NULL, a->run, a->moments, err);
    for (int64_t j = 0; j < d->n_features; j++) a->factor[j] = 1.0;
    if (!status) status = refuse_infinite(a, err);
    if (!status && mli_moments_rescale(d, a->moments, a->factor))
        status = mli_moments_of(d, a->factor, a->run, a->moments, err);
    return status;
}

static ml_status learn(learning *a, ml_error *err)
{
    const mli_design *d = a->design;
    size_t n = (size_t)d->n_features;
    a->moments = mli_calloc(d->ctx, n, sizeof *a->moments);
    a->factor = mli_calloc(d->ctx, n, sizeof *a->factor);
    a->counts = mli_calloc(d->ctx, n, sizeof *a->counts);
    a->rows = mli_calloc(d->ctx, n, sizeof *a->rows);
    if (!a->moments || !a->factor || !a->counts || !a->rows) return mli_nomem(err);
    ml_status status = learn_numbers(a, err);
    if (status) return status;
    mli_parallel(d->ctx, d->n_features, count_levels, a);
    if (atomic_load(&a->failed)) return mli_nomem(err);
    return a->run ? mli_run_check(a->run, err) : ML_OK;
}

static void forget(learning *a)
{
    ml_context *ctx = a->design->ctx;
    for (int64_t j = 0; a->counts && j < a->design->n_features; j++)
        mli_free(ctx, a->counts[j]);
    mli_free(ctx, a->counts);
    mli_free(ctx, a->rows);
    mli_free(ctx, a->factor);
    mli_free(ctx, a->moments);
}

static int64_t columns_of(const learning *a, int64_t j)
{
    const mli_design *d = a->design;
    int missing = a->moments[j].n_missing > 0;
    if (d->columns[j].kind == MLI_NUMERIC) return 1 + (missing && a->options->indicators);
    if (d->columns[j].kind != MLI_CATEGORICAL) return 0;
    int64_t n = d->inputs->features[j].levels.n, reference = a->options->reference != 0;
    return (n > reference ? n - reference : 0) + missing;
}

static double finite_scale(double scale)
{
    return isfinite(scale) && scale >= SMALLEST_SCALE ? scale : 0.0;
}

/* A column of 0 and 1 that is 1 for this share of the weight. */
static void set_share(mli_dense *d, int64_t column, double share)
{
    d->center[column] = share;
    d->scale[column] = finite_scale(sqrt(share * (1 - share)));
}

static void set_number(mli_dense *d, const learning *a, int64_t j)
{
    const mli_moments *m = &a->moments[j];
    int64_t c = d->first[j], present = a->design->rows - m->n_missing;
    double f = a->factor[j];
    d->level[c] = MLI_DENSE_NUMBER;
    d->fill[c] = d->center[c] = m->mean / f;
    /* Filled rows lie at the mean: they add weight and no squares. */
    d->scale[c] = m->m2 > 0 ? finite_scale(sqrt(m->m2 / d->weight) / f) : 0.0;
    d->nonzero[c] = present - m->n_zero + (d->fill[c] != 0 ? m->n_missing : 0);
    if (d->first[j + 1] - c < 2) return;
    d->level[c + 1] = MLI_DENSE_MISSING;
    d->nonzero[c + 1] = m->n_missing;
    d->fill[c + 1] = 1.0;
    set_share(d, c + 1, m->missing / d->weight);
}

static void set_levels(mli_dense *d, const learning *a, int64_t j)
{
    int64_t n = d->inputs->features[j].levels.n, reference = a->options->reference != 0;
    int64_t c = d->first[j], missing = a->moments[j].n_missing > 0;
    const double *counts = a->counts[j];
    double present = d->weight - counts[n];
    for (int64_t l = reference; l < n; l++, c++) {
        d->level[c] = (int32_t)l;
        d->nonzero[c] = a->rows[j][l];
        d->fill[c] = missing || !(present > 0) ? 0.0 : counts[l] / present;
        set_share(d, c, counts[l] / d->weight);
    }
    if (!missing) return;
    d->nonzero[c] = a->rows[j][n];
    d->level[c] = MLI_DENSE_MISSING;
    d->fill[c] = 1.0;
    set_share(d, c, counts[n] / d->weight);
}

static ml_status total_weight(const mli_design *design, double *out, ml_error *err)
{
    *out = (double)design->rows;
    if (design->weight) {
        *out = 0;
        for (int64_t i = 0; i < design->rows; i++) *out += design->weight[i];
    }
    if (*out > 0 && isfinite(*out)) return ML_OK;
    return mli_fail(err, ML_E_DATA, "%s",
                    *out > 0 ? "the sum of the weights is infinite"
                             : "there is no row with a positive weight");
}

ml_status mli_dense_new(const mli_design *design, const mli_dense_options *options,
                        const mli_run *run, mli_dense **out, ml_error *err)
{
    learning a = {.design = design, .options = options, .run = run};
    mli_dense *d = NULL;
    int64_t n = 0, at = 0;
    double weight = 0;
    ml_status status = total_weight(design, &weight, err);
    if (!status) status = learn(&a, err);
    if (status) goto out;
    for (int64_t j = 0; j < design->n_features; j++) n += columns_of(&a, j);
    status = mli_dense_alloc(design->inputs, n, &d, err);
    if (status) goto out;
    d->weight = weight;
    for (int64_t j = 0; j < d->n_features; j++) {
        int64_t count = columns_of(&a, j);
        for (int64_t c = at; c < at + count; c++) d->feature[c] = (int32_t)j;
        d->first[j] = at;
        d->first[j + 1] = at += count;
        if (design->columns[j].kind == MLI_NUMERIC) set_number(d, &a, j);
        if (design->columns[j].kind == MLI_CATEGORICAL) set_levels(d, &a, j);
    }
    *out = d;
out:
    forget(&a);
    return status;
}

/* ---- from a model ---- */

static ml_status damaged(ml_error *err)
{
    return mli_fail(err, ML_E_FORMAT,
                    "the model's columns do not fit its inputs: the file is damaged");
}

/* Features rise; levels rise within one, and a column for missing values is last. */
static int fits(const mli_inputs *inputs, int64_t n, const int32_t *columns)
{
    int32_t before = -1, level = 0;
    for (int64_t c = 0; c < n; c++) {
        int32_t f = columns[2 * c], l = columns[2 * c + 1];
        if (f < before || f < 0 || f >= inputs->n_features) return 0;
        int first = f > before, number = inputs->features[f].kind == MLI_NUMERIC;
        if (!first && level == MLI_DENSE_MISSING) return 0;
        if (number && l != (first ? MLI_DENSE_NUMBER : MLI_DENSE_MISSING)) return 0;
        if (!number && inputs->features[f].kind != MLI_CATEGORICAL) return 0;
        if (!number && l != MLI_DENSE_MISSING &&
            (l < 0 || l >= inputs->features[f].levels.n || (!first && l != level + 1) ||
             (first && l > 1)))
            return 0;
        before = f;
        level = l;
    }
    return 1;
}

/* Each feature has all the columns that one of the options would give it. */
static int complete(const mli_dense *d)
{
    for (int64_t j = 0; j < d->n_features; j++) {
        const mli_feature *f = &d->inputs->features[j];
        int64_t count = d->first[j + 1] - d->first[j];
        if (f->kind == MLI_NUMERIC && count == 0) return 0;
        if (f->kind != MLI_CATEGORICAL || count == 0) continue;
        int64_t last = d->first[j + 1] - 1;
        if (d->level[last] == MLI_DENSE_MISSING && count > 1) last--;
        if (d->level[last] >= 0 && d->level[last] != f->levels.n - 1) return 0;
    }
    return 1;
}

ml_status mli_dense_load(mli_inputs *inputs, int64_t n_columns, const int32_t *columns,
                         const double *fill, const double *center, const double *scale,
                         mli_dense **out, ml_error *err)
{
    mli_dense *d = NULL;
    if (!fits(inputs, n_columns, columns)) return damaged(err);
    ml_status status = mli_dense_alloc(inputs, n_columns, &d, err);
    if (status) return status;
    int64_t f = 0;
    for (int64_t c = 0; c < n_columns; c++) {
        d->feature[c] = columns[2 * c];
        d->level[c] = columns[2 * c + 1];
        while (f <= d->feature[c]) d->first[f++] = c;
        d->fill[c] = fill[c];
        d->center[c] = center ? center[c] : 0.0;
        d->scale[c] = scale ? scale[c] : 1.0;
    }
    while (f <= d->n_features) d->first[f++] = n_columns;
    if (!complete(d)) {
        mli_dense_free(d);
        return damaged(err);
    }
    *out = d;
    return ML_OK;
}

int64_t mli_dense_hot(const mli_dense *d, int64_t feature, double code)
{
    int64_t begin = d->first[feature], end = d->first[feature + 1];
    int64_t n = d->inputs->features[feature].levels.n;
    if (begin == end) return -1;
    if (!(code >= 0 && code < (double)n))
        return d->level[end - 1] == MLI_DENSE_MISSING ? end - 1 : -2;
    int64_t at = begin + (int64_t)code - (d->level[begin] > 0 ? d->level[begin] : 0);
    return at >= begin && at < end && d->level[at] >= 0 ? at : -1;
}

void mli_dense_name(const mli_dense *d, int64_t column, mli_str *s)
{
    const mli_feature *f = &d->inputs->features[d->feature[column]];
    int32_t level = d->level[column];
    mli_str_add(s, f->name);
    if (level == MLI_DENSE_MISSING) mli_str_add(s, " is missing");
    if (level < 0) return;
    int64_t begin = f->levels.offsets[level];
    mli_str_add(s, " = ");
    mli_str_add_n(s, f->levels.bytes + begin,
                  (size_t)(f->levels.offsets[level + 1] - begin));
}
