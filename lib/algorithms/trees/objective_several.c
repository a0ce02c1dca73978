/* SPDX-License-Identifier: MIT
 *
 * trees/objective_several.c: objectives of several targets at once. Every target has a
 * score and trees of its own, as if it were alone; bins and passes over rows are shared.
 * Not as if alone: goss, whose rows are taken by the gradients of all targets, and
 * ordered statistics of categories, which are not used.
 */
#include "algorithms/trees/objective.h"

mli_objective mli_objective_one(const mli_objective *o)
{
    mli_objective one = *o;
    one.n_targets = 0;
    one.n_scores = 1;
    return one;
}

ml_status mli_several_check(const mli_objective *o, const mli_targets *t, ml_error *err)
{
    ml_status status = ML_OK;
    for (int32_t k = 0; k < o->n_targets && status == ML_OK; k++) {
        mli_targets one = mli_target_of(t, k);
        status = mli_objective_check(o, &one, err);
    }
    return status;
}

ml_status mli_several_base(ml_context *ctx, const mli_objective *o, const mli_targets *t,
                           double *base, ml_error *err)
{
    mli_objective single = mli_objective_one(o);
    ml_status status = ML_OK;
    for (int32_t k = 0; k < o->n_targets && status == ML_OK; k++) {
        mli_targets one = mli_target_of(t, k);
        status = mli_objective_base(ctx, &single, &one, &base[k], err);
    }
    return status;
}

void mli_several_gradients(const mli_objective *o, const mli_targets *t, int64_t begin,
                           int64_t end, const double *score, int64_t stride, float *gh)
{
    mli_objective single = mli_objective_one(o);
    for (int64_t k = 0; k < o->n_targets; k++) {
        mli_targets one = mli_target_of(t, k);
        mli_objective_gradients(&single, &one, begin, end, score + k * stride, stride,
                                gh + 2 * k * stride);
    }
}

void mli_several_loss(const mli_objective *o, const mli_targets *t, int64_t begin,
                      int64_t end, const double *score, int64_t stride, double *sum,
                      double *weight)
{
    mli_objective single = mli_objective_one(o);
    double all = 0;
    for (int64_t k = 0; k < o->n_targets; k++) {
        mli_targets one = mli_target_of(t, k);
        mli_objective_loss(&single, &one, begin, end, score + k * stride, stride, sum,
                           weight);
        all += *sum;
    }
    *sum = all / o->n_targets;
}

void mli_several_values(const mli_objective *o, const double *score, double *out)
{
    mli_objective single = mli_objective_one(o);
    for (int32_t k = 0; k < o->n_targets; k++)
        mli_objective_value(&single, score + k, out + k);
}
