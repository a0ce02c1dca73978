/* SPDX-License-Identifier: MIT
 *
 * prepare/quantile_transformer.c: the share of training values below a value, so that a
 * column is spread evenly over [0, 1], or over a normal distribution.
 *
 * Tensors: references f64 [features, n]: quantiles of training. Cost: a sort of each
 * column; a search by halves for each value.
 */
#include "algorithms/prepare/prepare.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define LANES 8    /* values that are looked for at a time */
#define EDGE  1e-7 /* shares nearer to 0 or 1 are cut for the normal distribution */

#define QUANTILES f64[0]
#define COUNT     size[0]
#define NORMAL    option[0]
#define LOW       number[0]
#define HIGH      number[1]

typedef struct {
    double *to;
    int64_t n;
} filling;

static void fill(void *arg, int64_t j, double *sorted, int64_t rows)
{
    const filling *f = arg;
    double *q = f->to + j * f->n;
    for (int64_t k = 0; k < f->n; k++) {
        double at = f->n > 1 ? (double)k / (double)(f->n - 1) : 0;
        q[k] = rows ? mli_quantile(sorted, rows, at) : 0;
        if (k && q[k] < q[k - 1]) q[k] = q[k - 1];
    }
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    uint8_t *picked = NULL;
    mli_moments *moments = NULL;
    int64_t n = mli_get_i64(job->params, "n_quantiles");
    if (n > job->train->rows) n = job->train->rows;
    int64_t shape[2] = {job->train->n_features, n};
    filling f = {.n = n};
    ml_status status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &picked, err);
    if (status) return status;
    status =
        mli_prepare_moments(job->train, picked, MLI_NO_SQUARES, job->run, &moments, err);
    if (!status)
        status =
            mli_model_add(job->model, "references", ML_DTYPE_F64, 2, shape, &f.to, err);
    if (!status) status = mli_prepare_sorted(job->train, picked, job->run, fill, &f, err);
    mli_free(job->ctx, moments);
    mli_free(job->ctx, picked);
    return status;
}

static ml_status load(mli_prepared *t, ml_error *err)
{
    int64_t shape[2] = {t->in->n_features, -1};
    ml_status status = mli_model_want(t->model, "references", ML_DTYPE_F64, 2, shape,
                                      &t->QUANTILES, err);
    if (!status && shape[1] < 1)
        return mli_fail(err, ML_E_FORMAT, "the model has no quantiles");
    t->COUNT = shape[1];
    t->NORMAL = strcmp(mli_get_str(t->model->params, "distribution"), "normal") == 0;
    t->LOW = mli_normal_quantile(EDGE - DBL_EPSILON);
    t->HIGH = -t->LOW;
    return status;
}

/* For each of LANES values the first index at which q[k] >= x, or n: without branches,
 * and side by side, since each step of one waits for the last. NaN gives 0. */
static void search(const double *q, int64_t n, const double *x, int64_t *at)
{
    for (int l = 0; l < LANES; l++) at[l] = 0;
    for (int64_t length = n; length > 0;) {
        int64_t half = (length + 1) / 2;
        for (int l = 0; l < LANES; l++) at[l] += q[at[l] + half - 1] < x[l] ? half : 0;
        length -= half;
    }
}

/* How many quantiles from `left` on are equal to x. */
static int64_t equal(const double *q, int64_t n, int64_t left, double x)
{
    int64_t low = left, high = n;
    if (left + 1 == n || q[left + 1] != x) return 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (q[middle] <= x)
            low = middle + 1;
        else
            high = middle;
    }
    return low - left;
}

/* Between two quantiles on a line; in the middle of those that are equal. */
static double share(const double *q, int64_t n, int64_t left, double x)
{
    double last = (double)(n - 1);
    if (n < 2 || x <= q[0]) return 0;
    if (x >= q[n - 1]) return 1;
    if (q[left] == x) {
        int64_t right = left + equal(q, n, left, x);
        return ((double)left + (double)(right - 1)) / 2 / last;
    }
    double part = (x - q[left - 1]) / (q[left] - q[left - 1]);
    return ((double)(left - 1) + part) / last;
}

static double to_normal(const mli_prepared *t, double u)
{
    if (u <= EDGE) return t->LOW;
    if (u >= 1 - EDGE) return t->HIGH;
    return mli_normal_quantile(u);
}

static void map(const mli_prepared *t, int64_t j, const double *in, int64_t stride,
                int64_t n, double *out, int64_t out_stride)
{
    const double *q = t->QUANTILES + j * t->COUNT;
    double x[LANES] = {0};
    int64_t left[LANES];
    for (int64_t at = 0; at < n; at += LANES, in += LANES * stride) {
        int64_t m = n - at < LANES ? n - at : LANES;
        for (int64_t i = 0; i < m; i++) x[i] = in[i * stride];
        search(q, t->COUNT, x, left);
        for (int64_t i = 0; i < m; i++) {
            double u = isnan(x[i]) ? NAN : share(q, t->COUNT, left[i], x[i]);
            out[(at + i) * out_stride] = isnan(x[i]) || !t->NORMAL ? u : to_normal(t, u);
        }
    }
}

static const mli_transformer kind = {
    .takes = MLI_TAKES_NUMBERS, .load = load, .map = map};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"n_quantiles", NULL, ML_PARAM_I64, 0, "1000", "[2, 100000]", NULL, NULL,
     "Quantiles of training that are kept; values between them lie on a line.", "0.1"},
    {"distribution", "output_distribution", ML_PARAM_STR, 0, "uniform",
     "{uniform, normal}", "{uniform, normal}", NULL, "What the columns are spread over.",
     "0.1"},
    MLI_PARAM_END};

static const mli_attribute attributes[] = {
    {"references", "f64", "[features, quantiles]", "The quantiles of each column."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_quantile_transformer;
const mli_algorithm mli_quantile_transformer = {
    .head = {MLI_PREPARE_HEAD, .name = "quantile_transformer",
             .aliases = "quantile,rank_gauss", .title = "columns spread evenly",
             .doc =
                 "Replaces each value by the share of training values below it, or by "
                 "the quantile of the normal distribution at that share. Outliers lose "
                 "their distance. Missing values stay missing.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised,
             .attributes = attributes},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
