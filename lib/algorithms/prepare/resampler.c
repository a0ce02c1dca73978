/* SPDX-License-Identifier: MIT
 *
 * prepare/resampler.c: steps that change the rows of training and nothing else: classes
 * balanced by repeating or leaving out rows, and rows left out that lie far from the
 * others. A prediction passes them by.
 *
 * No tensors. Cost: a pass over the classes; a sort of each column for outliers.
 */
#include "algorithms/prepare/prepare.h"
#include "core/rng.h"

#include <math.h>
#include <string.h>

/* The columns as they came. */
static const mli_transformer kind = {.takes = 0};
MLI_PREPARE_FUNCTIONS(kind)

static ml_status take(mli_fit *job, const int64_t *rows, int64_t n, mli_design **out,
                      ml_error *err)
{
    if (n == 0) {
        mli_fail(err, ML_E_DATA, "no row is left to train from");
        return mli_error_hint(err, ML_E_DATA, "make the step less strict");
    }
    return mli_design_take(job->train, rows, n, out, err);
}

/* ---- classes ---- */

static ml_status fit_balancer(mli_fit *job, ml_error *err)
{
    if (job->train->label) return ML_OK;
    mli_fail(err, ML_E_ARGUMENT, "class_balancer needs a target of classes");
    return mli_error_at(err, ML_E_ARGUMENT, "params.target");
}

/* Rows of a class in random order, once and again until there are `want`. */
static int64_t draw(int64_t *rows, int64_t n, int64_t want, mli_rng *rng, int64_t *to)
{
    int64_t made = 0;
    while (made < want && n > 0) {
        mli_rng_shuffle(rng, rows, n);
        for (int64_t i = 0; i < n && made < want; i++) to[made++] = rows[i];
    }
    return made;
}

static int64_t wanted(int over, int64_t own, int64_t most, int64_t least, double ratio)
{
    if (over) {
        int64_t n = (int64_t)llround(ratio * (double)most);
        return n > own ? n : own;
    }
    int64_t n = (int64_t)llround((double)least / ratio);
    return n < own ? n : own;
}

static ml_status balance(mli_fit *job, mli_design **out, ml_error *err)
{
    const mli_design *d = job->train;
    int64_t k = d->inputs->classes.n, most = 0, least = d->rows, total = 0, n = 0;
    int over = strcmp(mli_get_str(job->params, "method"), "over") == 0;
    double ratio = mli_get_f64(job->params, "ratio");
    ml_status status = fit_balancer(job, err);
    if (status) return status;
    int64_t *count = mli_calloc(job->ctx, (size_t)k, sizeof *count);
    int64_t *own = mli_alloc_vec(job->ctx, d->rows, sizeof *own), *rows = NULL;
    if (!count || !own) status = mli_nomem(err);
    for (int64_t i = 0; i < d->rows && !status; i++) count[d->label[i]]++;
    for (int64_t c = 0; c < k && !status; c++) {
        if (count[c] > most) most = count[c];
        if (count[c] > 0 && count[c] < least) least = count[c];
    }
    for (int64_t c = 0; c < k && !status; c++)
        total += wanted(over, count[c], most, least, ratio);
    if (!status && !(rows = mli_alloc_vec(job->ctx, total, sizeof *rows)))
        status = mli_nomem(err);
    for (int64_t c = 0; c < k && !status; c++) {
        mli_rng rng;
        int64_t m = 0;
        mli_rng_init(&rng, (uint64_t)mli_get_i64(job->params, "seed"), 0xba1a,
                     (uint64_t)c);
        for (int64_t i = 0; i < d->rows; i++)
            if (d->label[i] == c) own[m++] = i;
        n += draw(own, m, m ? wanted(over, m, most, least, ratio) : 0, &rng, rows + n);
    }
    if (!status) status = take(job, rows, n, out, err);
    mli_free(job->ctx, rows);
    mli_free(job->ctx, own);
    mli_free(job->ctx, count);
    return status;
}

static const mli_param balancer_params[] = {
    {"method", NULL, ML_PARAM_STR, 0, "over", "{over, under}", "{over, under}", NULL,
     "over: repeat rows of the rarer classes. under: leave rows of the others out.",
     "0.1"},
    {"ratio", "sampling_strategy", ML_PARAM_F64, 0, "1", "(0, 1]", NULL, NULL,
     "Rows of a rare class for one of the most frequent.", "0.1"},
    MLI_PARAM_SEED,
    MLI_PARAM_END};

extern const mli_algorithm mli_class_balancer;
const mli_algorithm mli_class_balancer = {
    .head = {.family = "prepare",
             .since = "0.1",
             .sort = MLI_SORT_ALGORITHM,
             .tasks = MLI_TASK_TRANSFORM | MLI_TASK_CLASSIFICATION,
             .kinds = mli_transform_kinds,
             .name = "class_balancer",
             .aliases = "over_sampler,random_over_sampler,resampler",
             .title = "classes of equal size",
             .doc =
                 "In a pipeline, repeats rows of rare classes or leaves rows of "
                 "frequent ones out, for training only. Probabilities of the next step "
                 "are those of the balanced classes.",
             .caps = MLI_CAN_PREPARE | MLI_CAN_WEIGHTS | MLI_CAN_RESAMPLE,
             .params = balancer_params,
             .roles = mli_roles_prepare},
    .fit = fit_balancer,
    .plan = plan,
    .outputs = outputs,
    .resample = balance,
};

/* ---- outliers ---- */

typedef struct {
    double *low, *high, factor;
    int by_deviation;
} fences;

static void find_fences(void *arg, int64_t j, double *sorted, int64_t n)
{
    const fences *f = arg;
    if (n == 0) return;
    if (f->by_deviation) {
        double sum = 0, square = 0;
        for (int64_t i = 0; i < n; i++) sum += sorted[i];
        for (int64_t i = 0; i < n; i++)
            square += (sorted[i] - sum / (double)n) * (sorted[i] - sum / (double)n);
        double reach = f->factor * sqrt(square / (double)n);
        f->low[j] = sum / (double)n - reach;
        f->high[j] = sum / (double)n + reach;
        return;
    }
    double a = mli_quantile(sorted, n, 0.25), b = mli_quantile(sorted, n, 0.75);
    if (!(b > a)) return; /* most values are the same: nothing says how far is far */
    f->low[j] = a - f->factor * (b - a);
    f->high[j] = b + f->factor * (b - a);
}

static ml_status fit_outliers(mli_fit *job, ml_error *err)
{
    int64_t n = job->train->n_features;
    uint8_t *picked = NULL;
    fences f = {.factor = mli_get_f64(job->params, "factor"),
                .by_deviation =
                    strcmp(mli_get_str(job->params, "method"), "deviation") == 0};
    ml_status status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &picked, err);
    if (!status)
        status = mli_model_add(job->model, "low", ML_DTYPE_F64, 1, &n, &f.low, err);
    if (!status)
        status = mli_model_add(job->model, "high", ML_DTYPE_F64, 1, &n, &f.high, err);
    for (int64_t j = 0; j < n && !status; j++) {
        f.low[j] = -INFINITY;
        f.high[j] = INFINITY;
    }
    if (!status)
        status = mli_prepare_sorted(job->train, picked, job->run, find_fences, &f, err);
    mli_free(job->ctx, picked);
    return status;
}

static ml_status leave_out(mli_fit *job, mli_design **out, ml_error *err)
{
    const mli_design *d = job->train;
    int64_t f = d->n_features, n = 0;
    const double *low = NULL, *high = NULL;
    ml_status status = mli_model_want(job->model, "low", ML_DTYPE_F64, 1, &f, &low, err);
    if (!status)
        status = mli_model_want(job->model, "high", ML_DTYPE_F64, 1, &f, &high, err);
    if (status) return status;
    uint8_t *far = mli_calloc(job->ctx, (size_t)d->rows, 1);
    double *x = mli_alloc_vec(job->ctx, d->rows, sizeof *x);
    int64_t *rows = mli_alloc_vec(job->ctx, d->rows, sizeof *rows);
    if (!far || !x || !rows) status = mli_nomem(err);
    for (int64_t j = 0; j < f && !status; j++) {
        if (isinf(low[j]) && isinf(high[j])) continue;
        mli_design_f64(d, j, 0, d->rows, x, 1);
        for (int64_t i = 0; i < d->rows; i++) far[i] |= x[i] < low[j] || x[i] > high[j];
    }
    for (int64_t i = 0; i < d->rows && !status; i++)
        if (!far[i]) rows[n++] = i;
    if (!status && n > 0 && 2 * n < d->rows)
        mli_run_warn(job->run, "outlier_filter",
                     "%lld of %lld rows are outliers and left out: raise factor, or name "
                     "columns",
                     (long long)(d->rows - n), (long long)d->rows);
    if (!status) status = take(job, rows, n, out, err);
    mli_free(job->ctx, rows);
    mli_free(job->ctx, x);
    mli_free(job->ctx, far);
    return status;
}

static const mli_param outlier_params[] = {
    MLI_PARAM_COLUMNS,
    {"method", NULL, ML_PARAM_STR, 0, "quartiles", "{quartiles, deviation}", NULL, NULL,
     "How far is far: from the quartiles, in their distance (a column whose quartiles "
     "are equal has no outliers); or from the mean, in standard deviations.",
     "0.1"},
    {"factor", "threshold", ML_PARAM_F64, 0, "3", "(0, inf)", "[1.5, 6]", NULL,
     "How many of these.", "0.1"},
    MLI_PARAM_END};

static const mli_attribute outlier_attributes[] = {
    {"low", "f64", "[features]", "The least value that a kept row has."},
    {"high", "f64", "[features]", "The largest value that a kept row has."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_outlier_filter;
const mli_algorithm mli_outlier_filter = {
    .head = {MLI_PREPARE_HEAD, .name = "outlier_filter", .aliases = "remove_outliers",
             .title = "rows without outliers",
             .doc =
                 "In a pipeline, leaves rows out of training that have a value far from "
                 "the others of its column. Predictions are made for all rows.",
             .caps = MLI_CAN_PREPARE | MLI_CAN_RESAMPLE, .params = outlier_params,
             .roles = mli_roles_unsupervised, .attributes = outlier_attributes},
    .fit = fit_outliers,
    .plan = plan,
    .outputs = outputs,
    .resample = leave_out,
};
