/* SPDX-License-Identifier: MIT
 *
 * prepare/imputer.c: fills missing values: numbers with the mean, median, most frequent
 * value or a constant; categories with the most frequent level or a text.
 *
 * Tensors: fill f64 [features], a number or, for categories, a code of the outputs (NaN:
 * nothing is filled); missing f64 [features], the values missing in training.
 * Cost: one pass; a sort of each column for median and mode.
 */
#include "algorithms/prepare/lanes.h"
#include "algorithms/prepare/stream.h"

#include <math.h>
#include <string.h>

enum { MEAN, MEDIAN, MODE, CONSTANT };

/* ---- fitting ---- */

typedef struct {
    double *fill;
    int strategy;
} filling;

static void fill_sorted(void *arg, int64_t j, double *sorted, int64_t n)
{
    const filling *f = arg;
    if (n == 0)
        f->fill[j] = 0;
    else
        f->fill[j] =
            f->strategy == MODE ? mli_mode(sorted, n) : mli_quantile(sorted, n, 0.5);
}

static ml_status fill_numbers(mli_fit *job, const uint8_t *picked, double *fill,
                              double *missing, ml_error *err)
{
    mli_moments *m = NULL;
    filling f = {fill,
                 mli_get_enum(job->params, "strategy", "mean,median,mode,constant")};
    int64_t n = job->train->n_features;
    ml_status status = mli_prepare_moments(
        job->train, picked, MLI_WEIGHTED | MLI_NO_SQUARES, job->run, &m, err);
    for (int64_t j = 0; j < n && !status; j++) {
        if (!picked[j]) continue;
        missing[j] = (double)(job->train->rows - m[j].present);
        fill[j] = f.strategy == MEAN ? m[j].mean : mli_get_f64(job->params, "fill_value");
    }
    const double half = 0.5;
    if (!status && f.strategy == MEDIAN)
        status = mli_prepare_ranked(job->train, picked, &half, 1, job->run, fill_sorted,
                                    &f, err);
    if (!status && f.strategy == MODE)
        status = mli_prepare_sorted(job->train, picked, job->run, fill_sorted, &f, err);
    mli_free(job->ctx, m);
    return status;
}

/* Where `fill_text` stands, or would stand, among the levels; *known: it is one. */
static int64_t text_code(const mli_feature *f, const ml_params *p, int *known)
{
    const char *text = mli_get_str(p, "fill_text");
    size_t n = strlen(text);
    int64_t code = mli_dictionary_find(&f->levels, text, n), low = 0, high = f->levels.n;
    *known = code >= 0;
    if (code >= 0) return code;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        const int64_t *at = f->levels.offsets + middle;
        size_t size = (size_t)(at[1] - at[0]), least = size < n ? size : n;
        int order = least ? memcmp(f->levels.bytes + at[0], text, least) : 0;
        if (order < 0 || (order == 0 && size < n))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static ml_status fill_category(mli_fit *job, int64_t j, double *fill, double *missing,
                               ml_error *err)
{
    const mli_feature *f = &job->train->inputs->features[j];
    double *counts = mli_calloc(job->ctx, (size_t)f->levels.n, sizeof *counts), seen = 0;
    int known, constant = strcmp(mli_get_str(job->params, "strategy"), "constant") == 0;
    if (!counts) return mli_nomem(err);
    mli_prepare_counts(job->train, j, counts);
    *fill = f->levels.n ? 0 : NAN;
    for (int64_t k = 0; k < f->levels.n; k++) {
        seen += counts[k];
        if (counts[k] > counts[(int64_t)*fill]) *fill = (double)k;
    }
    if (constant) *fill = (double)text_code(f, job->params, &known);
    *missing = (double)job->train->rows - seen;
    mli_free(job->ctx, counts);
    return ML_OK;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    const mli_inputs *in = job->train->inputs;
    int64_t n = in->n_features;
    uint8_t *picked = NULL;
    double *fill, *missing;
    ml_status status =
        mli_prepare_picked(job, MLI_TAKES_NUMBERS | MLI_TAKES_CATEGORIES, &picked, err);
    if (status) return status;
    status = mli_model_add(job->model, "fill", ML_DTYPE_F64, 1, &n, &fill, err);
    if (!status)
        status = mli_model_add(job->model, "missing", ML_DTYPE_F64, 1, &n, &missing, err);
    for (int64_t j = 0; j < n && !status; j++) {
        fill[j] = NAN;
        if (!picked[j] || in->features[j].kind != MLI_CATEGORICAL) continue;
        status = fill_category(job, j, &fill[j], &missing[j], err);
        picked[j] = 0; /* done: only the numbers are left */
    }
    if (!status) status = fill_numbers(job, picked, fill, missing, err);
    mli_free(job->ctx, picked);
    return status;
}

/* ---- the plan ---- */

#define FILL       f64[0]
#define MISSING    f64[1]
#define CONSTANTS  option[0] /* categories are filled with the text */
#define INDICATORS option[1]
#define FAST       option[2]
#define MOVED      own[0] /* codes from here on move up by one: [features] */

static ml_status load(mli_prepared *t, ml_error *err)
{
    const ml_params *p = t->model->params;
    int known;
    double *moved = mli_calloc(t->plan.ctx, (size_t)t->in->n_features, sizeof *moved);
    t->MOVED = moved;
    if (!moved) return mli_nomem(err);
    t->CONSTANTS = strcmp(mli_get_str(p, "strategy"), "constant") == 0;
    t->FAST = t->plan.ctx->cpu_level >= MLI_CPU_AVX2;
    t->INDICATORS = mli_get_bool(p, "indicators");
    for (int64_t j = 0; j < t->in->n_features; j++) {
        const mli_feature *f = &t->in->features[j];
        moved[j] = INFINITY;
        if (!t->CONSTANTS || !t->picked[j] || f->kind != MLI_CATEGORICAL) continue;
        double code = (double)text_code(f, p, &known);
        if (!known) moved[j] = code;
    }
    ml_status status = mli_prepare_want(t, "fill", &t->FILL, err);
    return status ? status : mli_prepare_want(t, "missing", &t->MISSING, err);
}

static int64_t width(const mli_prepared *t, int64_t j)
{
    return t->INDICATORS && t->MISSING[j] > 0 ? 2 : 1;
}

/* The levels with one more text at its place. */
static ml_status with_level(const mli_prepared *t, const mli_feature *f, mli_feature *out,
                            ml_error *err)
{
    const mli_dictionary *d = &f->levels;
    const char *text = mli_get_str(t->model->params, "fill_text");
    int known;
    int64_t place = text_code(f, t->model->params, &known), *offsets, to = 0;
    int64_t size = d->n ? d->offsets[d->n] : 0;
    char *bytes;
    if (known) {
        mli_dictionary_share(d, &out->levels);
        return ML_OK;
    }
    ml_status status =
        mli_dictionary_new(t->plan.ctx, d->n + 1, size + (int64_t)strlen(text),
                           &out->levels, &bytes, &offsets, err);
    for (int64_t k = 0; k < d->n + 1 && !status; k++) {
        int64_t from = k > place ? k - 1 : k;
        const char *piece = k == place ? text : d->bytes + d->offsets[from];
        size_t n =
            k == place ? strlen(text) : (size_t)(d->offsets[from + 1] - d->offsets[from]);
        if (n) memcpy(bytes + to, piece, n);
        to += (int64_t)n;
        offsets[k + 1] = to;
    }
    return status;
}

static ml_status describe(const mli_prepared *t, int64_t j, mli_feature *out,
                          ml_error *err)
{
    const mli_feature *f = &t->in->features[j];
    ml_status status = mli_prepare_name(t, out, err, "%s", f->name);
    out->kind = f->kind;
    out->type = f->type;
    if (!status && f->kind == MLI_CATEGORICAL && t->CONSTANTS)
        status = with_level(t, f, out, err);
    else if (!status)
        mli_dictionary_share(&f->levels, &out->levels);
    if (!status && width(t, j) == 2)
        status = mli_prepare_name(t, out + 1, err, "%s is missing", f->name);
    return status;
}

/* Four numbers at a time. */
#define FILL_BODY                                                                        \
    const mli_flags with = (mli_flags)((mli_numbers){0} + fill);                         \
    int64_t i = 0;                                                                       \
    for (; i + 4 <= n; i += 4) {                                                         \
        mli_numbers x = *(const mli_numbers *)(in + i);                                  \
        mli_flags there = x == x;                                                        \
        *(mli_numbers *)(out + i) =                                                      \
            (mli_numbers)(((mli_flags)x & there) | (with & ~there));                     \
    }                                                                                    \
    return i;

static int64_t fill_plain(const double *in, int64_t n, double fill,
                          double *out){FILL_BODY}

#ifdef MLI_AVX2
MLI_AVX2 static int64_t fill_avx2(const double *in, int64_t n, double fill, double *out)
{
    FILL_BODY
}
#else
#define fill_avx2 fill_plain
#endif

static int64_t fill_four(const mli_prepared *t, const double *in, int64_t n, double fill,
                         double *out)
{
    return (t->FAST ? fill_avx2 : fill_plain)(in, n, fill, out);
}

#ifdef MLI_AVX2
MLI_AVX2 static int64_t stream_numbers(const double *in, int64_t n, double fill,
                                       double *out)
{
    const __m256d with = _mm256_set1_pd(fill);
#define FOUR(x, i) _mm256_blendv_pd(x, with, _mm256_cmp_pd(x, x, _CMP_UNORD_Q))
#define ONE(x, i)  ((x) == (x) ? (x) : fill)
    MLI_STREAM(in, n, out, FOUR, ONE)
}

static int64_t stream_column(const mli_prepared *t, int64_t j, const double *in,
                             int64_t n, double *out)
{
    return stream_numbers(in, n, t->FILL[j], out);
}
#else
#define stream_column NULL
#endif

static int same(const mli_prepared *t, int64_t j)
{
    return t->in->features[j].kind == MLI_NUMERIC && width(t, j) == 1;
}

static void map(const mli_prepared *t, int64_t j, const double *in, int64_t stride,
                int64_t n, double *out, int64_t out_stride)
{
    const mli_feature *f = &t->in->features[j];
    double fill = t->FILL[j], moved = ((const double *)t->MOVED)[j];
    double levels = f->kind == MLI_CATEGORICAL ? (double)f->levels.n : NAN;
    int indicator = width(t, j) == 2;
    if (f->kind == MLI_NUMERIC && !indicator) {
        int64_t i = stride == 1 && out_stride == 1 ? fill_four(t, in, n, fill, out) : 0;
        for (; i < n; i++) {
            double x = in[i * stride];
            out[i * out_stride] = isnan(x) ? fill : x;
        }
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        double x = in[i * stride];
        /* A code that is no level is missing; of a number, levels is NaN. */
        int missing = isnan(x) || x < 0 ? isnan(x) || levels == levels : x >= levels;
        out[i * out_stride] = missing ? fill : x >= moved ? x + 1 : x;
        if (indicator) out[i * out_stride + 1] = missing;
    }
}

static const mli_transformer kind = {.takes = MLI_TAKES_NUMBERS | MLI_TAKES_CATEGORIES,
                                     .load = load,
                                     .width = width,
                                     .describe = describe,
                                     .map = map,
                                     .stream = stream_column,
                                     .same = same};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"strategy", NULL, ML_PARAM_STR, 0, "mean", "{mean, median, mode, constant}",
     "{mean, median, mode}", NULL,
     "What missing numbers are filled with. mode: the most frequent value. Categories "
     "get "
     "the most frequent level, or with constant a text.",
     "0.1"},
    {"fill_value", NULL, ML_PARAM_F64, 0, "0", NULL, NULL, "strategy == constant",
     "The constant for numbers.", "0.1"},
    {"fill_text", NULL, ML_PARAM_STR, 0, "missing", NULL, NULL, "strategy == constant",
     "The constant for categories.", "0.1"},
    {"indicators", "add_indicator", ML_PARAM_BOOL, 0, "false", NULL, "{false, true}",
     NULL,
     "Add a column \"... is missing\" of 0 and 1 for each column with missing values in "
     "training.",
     "0.1"},
    MLI_PARAM_END};

static const mli_attribute attributes[] = {
    {"fill", "f64", "[features]",
     "What each column is filled with: a number, or the code of a level."},
    {"missing", "f64", "[features]", "The missing values of each column in training."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_imputer;
const mli_algorithm mli_imputer = {
    .head = {MLI_PREPARE_HEAD, .name = "imputer",
             .aliases = "simple_imputer,fill_missing", .title = "missing values filled",
             .doc =
                 "Fills missing values with the mean, median or most frequent value of "
                 "their column in training, or with a constant.",
             .caps = MLI_CAN_PREPARE | MLI_CAN_WEIGHTS, .params = params,
             .roles = mli_roles_unsupervised, .attributes = attributes},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
