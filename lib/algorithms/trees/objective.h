/* SPDX-License-Identifier: MIT
 *
 * trees/objective.h: the losses that boosting minimises.
 */
#ifndef MLI_TREES_OBJECTIVE_H
#define MLI_TREES_OBJECTIVE_H

#include "algorithms/algorithm.h"
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
    MLI_CROSS_ENTROPY,
    MLI_RANK_NDCG,
    MLI_RANK_MAP,
    MLI_RANK_PAIRWISE,
    MLI_COX,
    MLI_AFT,
    MLI_CUSTOM,
};
#define MLI_OBJECTIVES                                                                   \
    "squared,absolute,huber,quantile,poisson,gamma,tweedie,logistic,softmax,"            \
    "cross_entropy,lambdarank,rank_map,rank_pairwise,cox,aft,custom"

/* Distributions of the logarithm of the time, for aft. */
enum { MLI_AFT_NORMAL, MLI_AFT_LOGISTIC, MLI_AFT_EXTREME };
#define MLI_AFT_DISTRIBUTIONS "normal,logistic,extreme"

typedef struct mli_objective {
    int32_t kind;
    int32_t n_scores;  /* classes for softmax, several quantiles or targets, else 1 */
    int32_t n_targets; /* 0, or with several targets their number */
    int32_t n_classes; /* of the target, 0: a number */
    double quantile, huber_delta, tweedie_power, max_step;
    const double *quantiles; /* [n_scores] of several; NULL: `quantile` */
    int64_t truncate;        /* rankings: the positions that count */
    int32_t aft;             /* MLI_AFT_ */
    double aft_scale;
    const mli_kernels *kernels;
    int32_t level;          /* of the processor */
    const mli_hooks *hooks; /* of custom */
} mli_objective;

/* The rows of a design as an objective sees them. weight may be NULL. */
typedef struct mli_targets {
    int64_t rows;
    const double *y;
    const double *ys; /* [n_targets * rows] of several targets, one after another; NULL */
    const int32_t *label;
    const double *weight;
    const double *offset; /* added to every score of the row; NULL: none */
    const double *event;  /* survival: 0 where the row is censored; NULL: all happened */
    const double *upper;  /* survival: the time lies between y and this; NULL */
    int64_t n_groups;
    const int64_t *group; /* [n_groups + 1] first rows; NULL: none */
    const int64_t *order; /* [rows] cox: rows by falling time */
} mli_targets;

/* n rows of these, from row `begin` on (not of several targets, nor of rankings). */
static inline mli_targets mli_targets_part(const mli_targets *t, int64_t begin, int64_t n)
{
    mli_targets part = *t;
    part.rows = n;
    if (part.y) part.y += begin;
    if (part.label) part.label += begin;
    if (part.weight) part.weight += begin;
    if (part.event) part.event += begin;
    if (part.upper) part.upper += begin;
    return part;
}

static inline int mli_objective_ranks(const mli_objective *o)
{
    return o->kind >= MLI_RANK_NDCG && o->kind <= MLI_RANK_PAIRWISE;
}
static inline int mli_objective_survives(const mli_objective *o)
{
    return o->kind == MLI_COX || o->kind == MLI_AFT;
}
/* Does the gradient of a row depend on other rows? */
static inline int mli_objective_whole(const mli_objective *o)
{
    return mli_objective_ranks(o) || o->kind == MLI_COX || o->kind == MLI_CUSTOM;
}

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
/* The same for all rows at once, for objectives that are `whole`. */
ml_status mli_objective_gradients_whole(ml_context *ctx, const mli_objective *o,
                                        const mli_targets *t, const double *score,
                                        float *gh, ml_error *err);
/* Are the hessians all 1 (times the weight)? */
int mli_objective_unit_hessian(const mli_objective *o);
/* Leaf values of score k come from a quantile of the residuals: which (0: they do not).
 */
double mli_objective_renews(const mli_objective *o, int32_t k);
/* Sum over rows of weight * loss, and of the weights. */
void mli_objective_loss(const mli_objective *o, const mli_targets *t, int64_t begin,
                        int64_t end, const double *score, int64_t stride, double *sum,
                        double *weight);
/* The number of predictions of a row: classes, targets, or 1. */
int32_t mli_objective_outputs(const mli_objective *o);
/* Scores of one row to predictions: value, or the probabilities of n classes
 * (two for logistic). Of several quantiles the one nearest to 0.5. */
void mli_objective_value(const mli_objective *o, const double *score, double *out);

/* Weighted quantile of v[n], which has room for 2n and is permuted; weight may be NULL,
 * else it is permuted too. */
double mli_weighted_quantile(double *v, double *weight, int64_t n, double q);

/* A pair of gradient and hessian, the hessian kept above 0 where the row counts. */
#define MLI_SMALLEST_H 1e-16F /* leaf values stay finite for saturated rows */
static inline void mli_put_gradient(float *gh, double w, double g, double h)
{
    gh[0] = (float)(w * g);
    gh[1] = (float)(w * h);
    if (w > 0 && !(gh[1] >= MLI_SMALLEST_H)) gh[1] = MLI_SMALLEST_H;
}

/* With several targets (objective_several.c) each is by itself: its score has the
 * objective of one target, losses are means. */
static inline mli_targets mli_target_of(const mli_targets *t, int64_t k)
{
    mli_targets one = *t;
    if (t->ys) one.y = t->ys + k * t->rows;
    one.ys = NULL;
    return one;
}
/* The objective of one of them. */
mli_objective mli_objective_one(const mli_objective *o);
ml_status mli_several_check(const mli_objective *o, const mli_targets *t, ml_error *err);
ml_status mli_several_base(ml_context *ctx, const mli_objective *o, const mli_targets *t,
                           double *base, ml_error *err);
void mli_several_gradients(const mli_objective *o, const mli_targets *t, int64_t begin,
                           int64_t end, const double *score, int64_t stride, float *gh);
void mli_several_loss(const mli_objective *o, const mli_targets *t, int64_t begin,
                      int64_t end, const double *score, int64_t stride, double *sum,
                      double *weight);
void mli_several_values(const mli_objective *o, const double *score, double *out);

/* Parts: rankings (objective_rank.c), survival (objective_survival.c). */
ml_status mli_rank_check(const mli_targets *t, ml_error *err);
ml_status mli_rank_gradients(ml_context *ctx, const mli_objective *o,
                             const mli_targets *t, const double *score, float *gh,
                             ml_error *err);
/* Mean over the groups of NDCG or average precision at `at` positions (0: all); groups
 * without any relevant row count 1. NaN without memory. */
double mli_rank_metric(ml_context *ctx, const mli_targets *t, const double *score,
                       int map, int64_t at);
/* Asks the caller's function (objective_custom.c). */
ml_status mli_custom_gradients(ml_context *ctx, const mli_objective *o,
                               const mli_targets *t, const double *score, float *gh,
                               ml_error *err);
/* The caller's metric of scores[k * rows + i]. */
ml_status mli_custom_metric(ml_context *ctx, const mli_objective *o, const mli_targets *t,
                            const double *score, double *out, ml_error *err);
ml_status mli_survival_check(const mli_objective *o, const mli_targets *t, ml_error *err);
void mli_cox_gradients(const mli_targets *t, const double *score, float *gh);
/* Minus the mean log of the partial likelihood per event. */
double mli_cox_loss(const mli_targets *t, const double *score);
void mli_aft_gradients(const mli_objective *o, const mli_targets *t, int64_t begin,
                       int64_t end, const double *score, float *gh);
double mli_aft_row_loss(const mli_objective *o, const mli_targets *t, int64_t row,
                        double score);
/* Rows by falling time: fresh memory [rows], NULL without memory. */
int64_t *mli_survival_order(ml_context *ctx, const mli_targets *t);
/* The share of comparable pairs in which the row with the higher risk fails first
 * (Harrell), ties of the risk counted half; NaN without memory or pairs. */
double mli_concordance(ml_context *ctx, const mli_targets *t, const double *risk);

#endif
