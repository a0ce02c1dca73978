/* SPDX-License-Identifier: MIT
 *
 * prepare/standard_scaler.c: subtracts the (weighted) mean of a column and divides by its
 * standard deviation of the population. A constant column is only centred.
 *
 * Tensors: center, scale (affine.h), mean and variance f64 [features]. Cost: one pass.
 */
#include "algorithms/prepare/affine.h"

#include <float.h>
#include <math.h>

/* Is the variance nothing but rounding? After scikit-learn: the bound of the error of a
 * variance of n values. */
static int is_constant(const mli_moments *m)
{
    double n = m->weight, bound = n * DBL_EPSILON * (m->square / n);
    double drift = n * m->mean * DBL_EPSILON;
    return m->square / n <= bound + drift * drift;
}

static void scale_of(const mli_moments *m, const ml_params *p, double *center,
                     double *scale)
{
    if (mli_get_bool(p, "with_mean")) *center = m->mean;
    if (!mli_get_bool(p, "with_std") || m->weight <= 0 || is_constant(m)) return;
    *scale = sqrt(m->square / m->weight);
    if (!(*scale > 0)) *scale = 1;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    int64_t n = job->train->n_features;
    uint8_t *picked = NULL;
    mli_moments *m = NULL;
    double *center, *scale, *mean, *variance;
    ml_status status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &picked, err);
    if (status) return status;
    status = mli_prepare_moments(job->train, picked, MLI_WEIGHTED, job->run, &m, err);
    if (!status) status = mli_affine_add(job, &center, &scale, err);
    if (!status)
        status = mli_model_add(job->model, "mean", ML_DTYPE_F64, 1, &n, &mean, err);
    if (!status)
        status =
            mli_model_add(job->model, "variance", ML_DTYPE_F64, 1, &n, &variance, err);
    for (int64_t j = 0; j < n && !status; j++) {
        if (!picked[j]) continue;
        mean[j] = m[j].mean;
        variance[j] = m[j].weight > 0 ? m[j].square / m[j].weight : 0;
        scale_of(&m[j], job->params, &center[j], &scale[j]);
    }
    mli_free(job->ctx, m);
    mli_free(job->ctx, picked);
    return status;
}

static const mli_param params[] = {MLI_PARAM_COLUMNS,
                                   {"with_mean", NULL, ML_PARAM_BOOL, 0, "true", NULL,
                                    NULL, NULL, "Subtract the mean.", "0.1"},
                                   {"with_std", NULL, ML_PARAM_BOOL, 0, "true", NULL,
                                    NULL, NULL, "Divide by the standard deviation.",
                                    "0.1"},
                                   MLI_PARAM_END};

static const mli_attribute attributes[] = {
    {"center", "f64", "[features]", "What is subtracted from each column."},
    {"scale", "f64", "[features]", "What each column is divided by then."},
    {"mean", "f64", "[features]", "The mean of each column in training."},
    {"variance", "f64", "[features]", "The variance of each column in training."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_standard_scaler;
const mli_algorithm mli_standard_scaler = {
    .head = {MLI_PREPARE_HEAD, .name = "standard_scaler",
             .aliases = "scaler,standardize,z_score",
             .title = "mean 0, standard deviation 1",
             .doc = "Subtracts from each column its mean in training and divides by the "
                    "standard deviation. Missing values stay missing.",
             .caps = MLI_CAN_PREPARE | MLI_CAN_WEIGHTS, .params = params,
             .roles = mli_roles_unsupervised, .attributes = attributes},
    .fit = fit,
    .plan = mli_affine_plan,
    .outputs = mli_affine_outputs,
};
