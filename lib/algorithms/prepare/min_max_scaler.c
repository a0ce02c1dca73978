/* SPDX-License-Identifier: MIT
 *
 * prepare/min_max_scaler.c: stretches each column so that its least and largest value of
 * training become the ends of `range`. A constant column becomes the lower end.
 *
 * Tensors: center, scale (affine.h), min and max f64 [features]. Cost: one pass.
 */
#include "algorithms/prepare/affine.h"

/* low + (x - min) * (high - low) / (max - min), as (x - center) / scale. */
static void scale_of(const mli_moments *m, double low, double high, double *center,
                     double *scale)
{
    *scale = mli_affine_span(m->min, m->max) / (high - low);
    *center = m->min - low * *scale;
}

static ml_status check_range(const ml_params *p, const double **range, ml_error *err)
{
    if (mli_get_f64s(p, "range", range) == 2 && (*range)[0] < (*range)[1]) return ML_OK;
    mli_fail(err, ML_E_RANGE, "the range needs two numbers, the lower one first");
    return mli_error_at(err, ML_E_RANGE, "params.range");
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    int64_t n = job->train->n_features;
    uint8_t *picked = NULL;
    mli_moments *m = NULL;
    double *center, *scale, *min, *max;
    const double *range;
    ml_status status = check_range(job->params, &range, err);
    if (!status) status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &picked, err);
    if (status) return status;
    status = mli_prepare_moments(job->train, picked, MLI_NO_SQUARES, job->run, &m, err);
    if (!status) status = mli_affine_add(job, &center, &scale, err);
    if (!status)
        status = mli_model_add(job->model, "min", ML_DTYPE_F64, 1, &n, &min, err);
    if (!status)
        status = mli_model_add(job->model, "max", ML_DTYPE_F64, 1, &n, &max, err);
    for (int64_t j = 0; j < n && !status; j++) {
        if (!picked[j] || !m[j].present) continue;
        min[j] = m[j].min;
        max[j] = m[j].max;
        scale_of(&m[j], range[0], range[1], &center[j], &scale[j]);
    }
    mli_free(job->ctx, m);
    mli_free(job->ctx, picked);
    return status;
}

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"range", "feature_range", ML_PARAM_F64S, 0, "[0, 1]", NULL, NULL, NULL,
     "What the least and the largest value become.", "0.1"},
    {"clip", NULL, ML_PARAM_BOOL, 0, "false", NULL, NULL, NULL,
     "Cut values outside the range of training.", "0.1"},
    MLI_PARAM_END};

static const mli_attribute attributes[] = {
    {"center", "f64", "[features]", "What is subtracted from each column."},
    {"scale", "f64", "[features]", "What each column is divided by then."},
    {"min", "f64", "[features]", "The least value of each column in training."},
    {"max", "f64", "[features]", "The largest value of each column in training."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_min_max_scaler;
const mli_algorithm mli_min_max_scaler = {
    .head = {MLI_PREPARE_HEAD, .name = "min_max_scaler",
             .aliases = "minmax_scaler,min_max", .title = "columns stretched to a range",
             .doc =
                 "Stretches each column so that its least and largest value in training "
                 "become the ends of a range. Missing values stay missing.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised,
             .attributes = attributes},
    .fit = fit,
    .plan = mli_affine_plan,
    .outputs = mli_affine_outputs,
};
