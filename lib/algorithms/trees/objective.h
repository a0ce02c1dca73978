/* SPDX-License-Identifier: MIT
 *
 * trees/objective.h: the losses that boosting minimises.
 */
#ifndef MLI_TREES_OBJECTIVE_H
#define MLI_TREES_OBJECTIVE_H

#include "core/context.h"
#include "data/design.h"
#include "tensor/kernels.h"

/* In the order of the parameter's names: MLI_OBJECTIVES. "auto" comes before. */
enum {
    MLI_SQUARED,
    MLI_ABSOLUTE,
    MLI_HUBER,
    MLI_QUANTILE,
    MLI_POISSON,
    MLI_GAMMA,
    MLI_TWEEDIE,
    MLI_LOGISTIC,
    MLI_SOFTMAX,
};
#define MLI_OBJECTIVES                                                                   \
    "squared,absolute,huber,quantile,poisson,gamma,tweedie,logistic,softmax"

typedef struct mli_objective {
    int32_t kind;
    int32_t n_scores; /* classes for softmax, else 1 */
    double quantile, huber_delta, tweedie_power, max_step;
    const mli_kernels *kernels;
} mli_objective;

/* The rows of a design as an objective sees them. weight may be NULL. */
typedef struct mli_targets {
    int64_t rows;
    const double *y;
    const int32_t *label;
    const double *weight;
} mli_targets;

/* Is every target legal? ML_E_DATA names the first that is not. */
ml_status mli_objective_check(const mli_objective *o, const mli_targets *t,
                              ml_error *err);
/* The best constant scores, base[n_scores]. */
ml_status mli_objective_base(ml_context *ctx, const mli_objective *o,
                             const mli_targets *t, double *base, ml_error *err);
/* Gradient and hessian of rows begin..end-1 for all scores: gh[2 * (k * stride + i)] and
 * the next. score[k * stride + i]. */
void mli_objective_gradients(const mli_objective *o, const mli_targets *t, int64_t begin,
                             int64_t end, const double *score, int64_t stride, float *gh);
/* Are the hessians all 1 (times the weight)? */
int mli_objective_unit_hessian(const mli_objective *o);
/* Leaf values come from a quantile of the residuals: which (0: they do not). */
double mli_objective_renews(const mli_objective *o);
/* Sum over rows of weight * loss, and of the weights. */
void mli_objective_loss(const mli_objective *o, const mli_targets *t, int64_t begin,
                        int64_t end, const double *score, int64_t stride, double *sum,
                        double *weight);
/* Scores of one row to predictions, in place: value, or the probabilities of n classes
 * (two for logistic). */
void mli_objective_value(const mli_objective *o, const double *score, double *out);

/* Weighted quantile of v[n], which has room for 2n and is sorted; weight may be NULL,
 * else it is permuted too. */
double mli_weighted_quantile(double *v, double *weight, int64_t n, double q);

#endif
