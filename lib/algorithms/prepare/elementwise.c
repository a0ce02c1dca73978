/* SPDX-License-Identifier: MIT
 *
 * prepare/elementwise.c: transformers that change each number by itself: logarithms and
 * other functions, clipping to given bounds, and winsorizing, which clips to quantiles of
 * training.
 *
 * Tensors: low, high f64 [features] (clipper, winsorizer). Cost: a sort of each column
 * for winsorizer, else nothing.
 */
#include "algorithms/prepare/prepare.h"
#include "tensor/kernels.h"

#include <math.h>
#include <string.h>

static ml_status fit_nothing(mli_fit *job, ml_error *err)
{
    uint8_t *picked = NULL;
    ml_status status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &picked, err);
    mli_free(job->ctx, picked);
    return status;
}

/* ---- functions ---- */

#define FUNCTIONS "log1p,log,signed_log1p,log10,log2,sqrt,square,exp,abs,reciprocal"
enum { LOG1P, LOG, SIGNED, LOG10, LOG2, SQRT, SQUARE, EXP, ABS, RECIPROCAL };

#define BLOCK 256

/* Logarithms of a block; of numbers that have none NaN. */
static void logarithms(const mli_kernels *k, int function, const double *x, int64_t n,
                       double *y)
{
    if (function == SIGNED)
        for (int64_t i = 0; i < n; i++) y[i] = fabs(x[i]);
    if (function == LOG)
        k->log(x, y, n);
    else
        k->log1p(function == SIGNED ? y : x, y, n);
    for (int64_t i = 0; i < n; i++) {
        if (function == SIGNED) y[i] = copysign(y[i], x[i]);
        if (y[i] == -INFINITY && function != SIGNED) y[i] = NAN;
    }
}

static void apply(const mli_kernels *k, int function, const double *x, int64_t n,
                  double *y)
{
    switch (function) {
    case LOG10:
        for (int64_t i = 0; i < n; i++) y[i] = x[i] > 0 ? log10(x[i]) : NAN;
        return;
    case LOG2:
        for (int64_t i = 0; i < n; i++) y[i] = x[i] > 0 ? log2(x[i]) : NAN;
        return;
    case SQRT:
        for (int64_t i = 0; i < n; i++) y[i] = x[i] >= 0 ? sqrt(x[i]) : NAN;
        return;
    case SQUARE:
        for (int64_t i = 0; i < n; i++) y[i] = x[i] * x[i];
        return;
    case EXP:
        k->exp(x, y, n);
        return;
    case ABS:
        for (int64_t i = 0; i < n; i++) y[i] = fabs(x[i]);
        return;
    case RECIPROCAL:
        for (int64_t i = 0; i < n; i++) y[i] = x[i] != 0 ? 1 / x[i] : NAN;
        return;
    default:
        logarithms(k, function, x, n, y);
    }
}

static ml_status load_function(mli_prepared *t, ml_error *err)
{
    (void)err;
    t->option[0] = mli_get_enum(t->model->params, "function", FUNCTIONS);
    return ML_OK;
}

static void map_function(const mli_prepared *t, int64_t j, const double *in,
                         int64_t stride, int64_t n, double *out, int64_t out_stride)
{
    const mli_kernels *k = mli_kernels_of(t->plan.ctx);
    double x[BLOCK], y[BLOCK];
    (void)j;
    for (int64_t at = 0, m; at < n; at += m) {
        m = n - at < BLOCK ? n - at : BLOCK;
        const double *from = in + at;
        for (int64_t i = 0; stride != 1 && i < m; i++) x[i] = in[(at + i) * stride];
        if (stride != 1) from = x;
        apply(k, t->option[0], from, m, out_stride == 1 ? out + at : y);
        for (int64_t i = 0; out_stride != 1 && i < m; i++)
            out[(at + i) * out_stride] = y[i];
    }
}

static int64_t stream_logarithms(const mli_prepared *t, int64_t j, const double *in,
                                 int64_t n, double *out)
{
    const mli_kernels *k = mli_kernels_of(t->plan.ctx);
    (void)j;
    return (t->option[0] == LOG ? k->log_past : k->log1p_past)(in, out, n);
}

static int64_t stream_floats(const mli_prepared *t, int64_t j, const float *in, int64_t n,
                             double *out)
{
    double x[BLOCK];
    int64_t missing = 0;
    for (int64_t at = 0, m; at < n; at += m) {
        m = n - at < BLOCK ? n - at : BLOCK;
        mli_kernels_of(t->plan.ctx)->f32_to_f64(in + at, x, m);
        missing += stream_logarithms(t, j, x, m, out + at);
    }
    return missing;
}

static const mli_transformer function_kind = {
    .takes = MLI_TAKES_NUMBERS, .load = load_function, .map = map_function};
static const mli_transformer logarithm_kind = {.takes = MLI_TAKES_NUMBERS,
                                               .load = load_function,
                                               .map = map_function,
                                               .stream = stream_logarithms,
                                               .stream_floats = stream_floats};

static ml_status function_plan(const ml_model *m, const char *name, mli_plan **out,
                               ml_error *err)
{
    int function = mli_get_enum(m->params, "function", FUNCTIONS);
    int streams = function <= LOG && mli_kernels_of(m->ctx)->log_past;
    (void)name;
    return mli_prepare_plan(m, streams ? &logarithm_kind : &function_kind, out, err);
}

static ml_status function_outputs(const ml_model *m, mli_inputs **out, ml_error *err)
{
    return mli_prepare_outputs(m, &function_kind, out, err);
}

static const mli_param function_params[] = {
    MLI_PARAM_COLUMNS,
    {"function", "func", ML_PARAM_STR, 0, "log1p",
     "{log1p, log, log10, log2, sqrt, square, exp, abs, reciprocal, signed_log1p}", NULL,
     NULL,
     "log1p is log(1 + x); signed_log1p works on both sides of 0. Where a function has "
     "no "
     "value the result is missing.",
     "0.1"},
    MLI_PARAM_END};

extern const mli_algorithm mli_log_transformer;
const mli_algorithm mli_log_transformer = {
    .head = {MLI_PREPARE_HEAD, .name = "log_transformer",
             .aliases = "function_transformer,log1p",
             .title = "logarithms and other functions",
             .doc = "Applies a function, by default log(1 + x), to each value.",
             .caps = MLI_CAN_PREPARE, .params = function_params,
             .roles = mli_roles_unsupervised},
    .fit = fit_nothing,
    .plan = function_plan,
    .outputs = function_outputs,
};

/* ---- clipping ---- */

typedef struct {
    double *low, *high, low_share, high_share;
} clipping;

static ml_status add_bounds(mli_fit *job, clipping *c, double low, double high,
                            ml_error *err)
{
    int64_t n = job->train->n_features;
    ml_status status =
        mli_model_add(job->model, "low", ML_DTYPE_F64, 1, &n, &c->low, err);
    if (!status)
        status = mli_model_add(job->model, "high", ML_DTYPE_F64, 1, &n, &c->high, err);
    for (int64_t j = 0; j < n && !status; j++) {
        c->low[j] = low;
        c->high[j] = high;
    }
    return status;
}

static ml_status wrong_order(const char *param, ml_error *err)
{
    mli_fail(err, ML_E_RANGE, "the lower bound is above the upper one");
    return mli_error_at(err, ML_E_RANGE, "params.%s", param);
}

static ml_status fit_clipper(mli_fit *job, ml_error *err)
{
    clipping c;
    double low = mli_get_f64(job->params, "low"), high = mli_get_f64(job->params, "high");
    if (low > high) return wrong_order("low", err);
    ml_status status = fit_nothing(job, err);
    return status ? status : add_bounds(job, &c, low, high, err);
}

static void find_bounds(void *arg, int64_t j, double *sorted, int64_t n)
{
    const clipping *c = arg;
    if (n == 0) return;
    c->low[j] = mli_quantile(sorted, n, c->low_share);
    c->high[j] = mli_quantile(sorted, n, c->high_share);
}

static ml_status fit_winsorizer(mli_fit *job, ml_error *err)
{
    uint8_t *picked = NULL;
    clipping c = {.low_share = mli_get_f64(job->params, "low"),
                  .high_share = mli_get_f64(job->params, "high")};
    if (c.low_share > c.high_share) return wrong_order("low", err);
    ml_status status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &picked, err);
    if (status) return status;
    status = add_bounds(job, &c, -INFINITY, INFINITY, err);
    const double q[2] = {c.low_share, c.high_share};
    if (!status)
        status =
            mli_prepare_ranked(job->train, picked, q, 2, job->run, find_bounds, &c, err);
    mli_free(job->ctx, picked);
    return status;
}

#define OUTSIDE "clip,missing"

static ml_status load_bounds(mli_prepared *t, ml_error *err)
{
    if (mli_params_find(t->model->params, "outside"))
        t->option[0] = mli_get_enum(t->model->params, "outside", OUTSIDE);
    ml_status status = mli_prepare_want(t, "low", &t->f64[0], err);
    return status ? status : mli_prepare_want(t, "high", &t->f64[1], err);
}

static void map_bounds(const mli_prepared *t, int64_t j, const double *in, int64_t stride,
                       int64_t n, double *out, int64_t out_stride)
{
    double low = t->f64[0][j], high = t->f64[1][j];
    double below = t->option[0] ? NAN : low, above = t->option[0] ? NAN : high;
    for (int64_t i = 0; i < n; i++) {
        double x = in[i * stride];
        out[i * out_stride] = x < low ? below : x > high ? above : x;
    }
}

static const mli_transformer kind = {
    .takes = MLI_TAKES_NUMBERS, .load = load_bounds, .map = map_bounds};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_attribute bound_attributes[] = {
    {"low", "f64", "[features]", "The lower bound of each column."},
    {"high", "f64", "[features]", "The upper bound of each column."},
    {NULL, NULL, NULL, NULL}};

static const mli_param clipper_params[] = {
    MLI_PARAM_COLUMNS,
    {"low", "min", ML_PARAM_F64, 0, "-inf", NULL, NULL, NULL,
     "Values below it become it.", "0.1"},
    {"high", "max", ML_PARAM_F64, 0, "inf", NULL, NULL, NULL,
     "Values above it become it.", "0.1"},
    {"outside", NULL, ML_PARAM_STR, 0, "clip", "{clip, missing}", NULL, NULL,
     "What becomes of values outside the bounds: the bound, or a missing value.", "0.1"},
    MLI_PARAM_END};

extern const mli_algorithm mli_clipper;
const mli_algorithm mli_clipper = {
    .head = {MLI_PREPARE_HEAD, .name = "clipper", .aliases = "clip",
             .title = "values cut to bounds",
             .doc = "Cuts values to given bounds, or makes those outside missing.",
             .caps = MLI_CAN_PREPARE, .params = clipper_params,
             .roles = mli_roles_unsupervised, .attributes = bound_attributes},
    .fit = fit_clipper,
    .plan = plan,
    .outputs = outputs,
};

static const mli_param winsorizer_params[] = {
    MLI_PARAM_COLUMNS,
    {"low", NULL, ML_PARAM_F64, 0, "0.01", "[0, 1]", NULL, NULL,
     "The share of training values below the lower bound.", "0.1"},
    {"high", NULL, ML_PARAM_F64, 0, "0.99", "[0, 1]", NULL, NULL,
     "The share of training values below the upper bound.", "0.1"},
    MLI_PARAM_END};

extern const mli_algorithm mli_winsorizer;
const mli_algorithm mli_winsorizer = {
    .head = {MLI_PREPARE_HEAD, .name = "winsorizer", .aliases = "winsorize",
             .title = "values cut to quantiles",
             .doc = "Cuts values to two quantiles of their column in training: outliers "
                    "stay in place and lose their weight. Missing values stay missing.",
             .caps = MLI_CAN_PREPARE, .params = winsorizer_params,
             .roles = mli_roles_unsupervised, .attributes = bound_attributes},
    .fit = fit_winsorizer,
    .plan = plan,
    .outputs = outputs,
};
