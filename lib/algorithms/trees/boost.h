/* SPDX-License-Identifier: MIT
 *
 * trees/boost.h: gradient boosting: rounds of trees fitted to the gradients of a loss.
 */
#ifndef MLI_TREES_BOOST_H
#define MLI_TREES_BOOST_H

#include "algorithms/trees/ensemble.h"
#include "algorithms/trees/grow.h"
#include "algorithms/trees/objective.h"

/* What early stopping watches, in the order of MLI_EVAL_METRICS. */
enum { MLI_EVAL_LOSS, MLI_EVAL_AUC, MLI_EVAL_ERROR, MLI_EVAL_RMSE, MLI_EVAL_MAE };
#define MLI_EVAL_METRICS "loss,auc,error,rmse,mae"

typedef struct mli_boost_options {
    mli_objective objective;
    mli_grow_options grow;
    mli_split_rule rule;      /* in real units: see mli_boost_scale */
    int64_t rounds, patience; /* patience 0: no early stopping */
    double learning_rate, subsample;
    int64_t subsample_every;
    int64_t max_bin, min_data_in_bin;
    int32_t metric; /* MLI_EVAL_ */
} mli_boost_options;

/* Rows to be scored while training goes on: validation rows. */
typedef struct mli_boost_watch {
    uint8_t *bins;
    mli_targets targets;
    double *score; /* [n_scores * rows] */
    double *parts; /* sums of tasks */
} mli_boost_watch;

typedef struct mli_booster {
    ml_context *ctx;
    mli_run *run;
    mli_boost_options options;
    const mli_design *train, *valid; /* valid: NULL when there is none */
    const double *weight, *valid_weight;
    mli_targets targets;
    mli_binner *binner;
    uint8_t *bins;
    int8_t *monotone; /* [n_columns] or NULL */
    mli_grower grower;
    int32_t n_scores;
    double *base;       /* [n_scores] */
    double *score;      /* [n_scores * rows] */
    float *gh;          /* [2 * n_scores * rows] real gradients and hessians */
    float *gh_own;      /* the same if not inside the grower's second buffer */
    uint16_t *leaf;     /* [n_scores * rows] leaf of each row in the last round */
    double *leaf_value; /* [n_scores * max_leaves] */
    int64_t *leaves;    /* [n_scores] their number; 0: nothing to add */
    int32_t *leaf_node; /* [max_leaves] of the present tree: nodes of the grower */
    int64_t blocks;     /* of rows */
    double *sums;       /* [blocks * n_scores * 2]: of |g| and h in a block */
    int64_t *taken;     /* [blocks + 1] sampled rows in the blocks before */
    int64_t *whole;     /* [blocks * 2] sums of packed g and h */
    double *renewal;    /* for leaf values by quantiles */
    mli_ensemble_builder trees;
    mli_boost_watch watch;
    double *history; /* [rounds] of the watched metric */
    int64_t n_history, best_round;
    double best_metric;
} mli_booster;

/* Boosts; the result is in trees, base, binner, history. */
ml_status mli_boost(mli_booster *b, ml_context *ctx, mli_run *run,
                    const mli_boost_options *options, const mli_design *train,
                    const mli_design *valid, const double *weight,
                    const double *valid_weight, const int8_t *monotone, ml_error *err);
void mli_booster_free(mli_booster *b);

/* Rows per task of passes over rows. */
#define MLI_BOOST_BLOCK 8192

/* Between boost*.c. */

/* Adds the last round to the scores and computes all gradients of round `round`. */
ml_status mli_boost_gradients(mli_booster *b, int64_t round, ml_error *err);
/* Puts the sampled rows of class k into the grower; n, and the sums of the packed g, h.
 */
void mli_boost_root(mli_booster *b, int64_t round, int32_t k, mli_split_rule *rule,
                    int64_t *n, int64_t *g, int64_t *h);
/* The finished tree of the grower: appends it, and notes the rows' leaves. */
ml_status mli_boost_harvest(mli_booster *b, int32_t k, int sampled, ml_error *err);
/* Scores the validation rows with the last round's trees; the metric. */
ml_status mli_boost_watch_make(mli_booster *b, ml_error *err);
ml_status mli_boost_watch_round(mli_booster *b, double *metric, ml_error *err);
int mli_eval_maximize(int32_t metric);

#endif
