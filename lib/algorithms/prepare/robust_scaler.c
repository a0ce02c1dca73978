/* SPDX-License-Identifier: MIT
 *
 * prepare/robust_scaler.c: subtracts the median and divides by the distance of two
 * quantiles, which outliers do not move. Tensors: center, scale (affine.h). Cost: a sort
 * of each column.
 */
#include "algorithms/prepare/affine.h"

typedef struct {
    double *center, *scale;
    const double *range;
    int centering, scaling, unit_variance;
} measuring;

static void measure(void *arg, int64_t j, double *sorted, int64_t n)
{
    const measuring *m = arg;
    if (n == 0) return;
    if (m->centering) m->center[j] = mli_quantile(sorted, n, 0.5);
    if (!m->scaling) return;
    double low = mli_quantile(sorted, n, m->range[0] / 100);
    double high = mli_quantile(sorted, n, m->range[1] / 100);
    m->scale[j] = mli_affine_span(low, high);
    if (m->unit_variance)
        m->scale[j] /= mli_normal_quantile(m->range[1] / 100) -
                       mli_normal_quantile(m->range[0] / 100);
}

static ml_status check_range(const ml_params *p, const double **range, ml_error *err)
{
    int two = mli_get_f64s(p, "quantile_range", range) == 2 && (*range)[0] < (*range)[1];
    if (two &&
        !(mli_get_bool(p, "unit_variance") && ((*range)[0] <= 0 || (*range)[1] >= 100)))
        return ML_OK;
    mli_fail(err, ML_E_RANGE, "the range needs two percentages, the lower one first%s",
             two ? ", of unit_variance between 0 and 100" : "");
    return mli_error_at(err, ML_E_RANGE, "params.quantile_range");
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    uint8_t *picked = NULL;
    mli_moments *moments = NULL;
    measuring m = {.centering = mli_get_bool(job->params, "with_centering"),
                   .scaling = mli_get_bool(job->params, "with_scaling"),
                   .unit_variance = mli_get_bool(job->params, "unit_variance")};
    ml_status status = check_range(job->params, &m.range, err);
    if (!status) status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &picked, err);
    if (status) return status;
    status =
        mli_prepare_moments(job->train, picked, MLI_NO_SQUARES, job->run, &moments, err);
    if (!status) status = mli_affine_add(job, &m.center, &m.scale, err);
    double q[3] = {0.5};
    if (!status) {
        q[1] = m.range[0] / 100;
        q[2] = m.range[1] / 100;
        status = mli_prepare_ranked(job->train, picked, q, 3, job->run, measure, &m, err);
    }
    mli_free(job->ctx, moments);
    mli_free(job->ctx, picked);
    return status;
}

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"with_centering", NULL, ML_PARAM_BOOL, 0, "true", NULL, NULL, NULL,
     "Subtract the median.", "0.1"},
    {"with_scaling", NULL, ML_PARAM_BOOL, 0, "true", NULL, NULL, NULL,
     "Divide by the distance of the quantiles.", "0.1"},
    {"quantile_range", NULL, ML_PARAM_F64S, 0, "[25, 75]", "[0, 100]", NULL,
     "with_scaling == true", "The quantiles, in percent.", "0.1"},
    {"unit_variance", NULL, ML_PARAM_BOOL, 0, "false", NULL, NULL, "with_scaling == true",
     "Scale so that normally distributed values get the variance 1.", "0.1"},
    MLI_PARAM_END};

extern const mli_algorithm mli_robust_scaler;
const mli_algorithm mli_robust_scaler = {
    .head = {MLI_PREPARE_HEAD, .name = "robust_scaler", .aliases = "robust",
             .title = "median 0, quartiles at distance 1",
             .doc =
                 "Subtracts from each column its median in training and divides by the "
                 "distance of two quantiles: outliers do not change the scale. Missing "
                 "values stay missing.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised,
             .attributes = mli_affine_attributes},
    .fit = fit,
    .plan = mli_affine_plan,
    .outputs = mli_affine_outputs,
};
