/* SPDX-License-Identifier: MIT
 *
 * prepare/max_abs_scaler.c: divides each column by its largest absolute value, so that
 * zeros stay zeros. Tensors: center (0), scale (affine.h). Cost: one pass.
 */
#include "algorithms/prepare/affine.h"

#include <math.h>

static ml_status fit(mli_fit *job, ml_error *err)
{
    uint8_t *picked = NULL;
    mli_moments *m = NULL;
    double *center, *scale;
    ml_status status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &picked, err);
    if (status) return status;
    status = mli_prepare_moments(job->train, picked, MLI_NO_SQUARES, job->run, &m, err);
    if (!status) status = mli_affine_add(job, &center, &scale, err);
    for (int64_t j = 0; j < job->train->n_features && !status; j++) {
        if (!picked[j] || !m[j].present) continue;
        scale[j] = mli_affine_span(0, fmax(fabs(m[j].min), fabs(m[j].max)));
    }
    mli_free(job->ctx, m);
    mli_free(job->ctx, picked);
    return status;
}

static const mli_param params[] = {MLI_PARAM_COLUMNS, MLI_PARAM_END};

extern const mli_algorithm mli_max_abs_scaler;
const mli_algorithm mli_max_abs_scaler = {
    .head = {MLI_PREPARE_HEAD, .name = "max_abs_scaler",
             .aliases = "maxabs_scaler,max_abs", .title = "largest absolute value 1",
             .doc =
                 "Divides each column by its largest absolute value in training: zeros "
                 "stay zeros. Missing values stay missing.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised,
             .attributes = mli_affine_attributes},
    .fit = fit,
    .plan = mli_affine_plan,
    .outputs = mli_affine_outputs,
};
