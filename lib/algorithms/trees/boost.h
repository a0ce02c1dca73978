/* SPDX-License-Identifier: MIT
 *
 * trees/boost.h: gradient boosting: rounds of trees fitted to the gradients of a loss.
 */
#ifndef MLI_TREES_BOOST_H
#define MLI_TREES_BOOST_H

#include "algorithms/trees/boost_linear.h"
#include "algorithms/trees/ensemble.h"
#include "algorithms/trees/grow.h"
#include "algorithms/metric.h"
#include "algorithms/trees/objective.h"
#include "core/rng.h"
#include <math.h>

/* What early stopping watches. Those without a number here come from the catalog. */
enum {
    MLI_EVAL_LOSS,
    MLI_EVAL_AUC,
    MLI_EVAL_ERROR,
    MLI_EVAL_RMSE,
    MLI_EVAL_MAE,
    MLI_EVAL_NDCG,
    MLI_EVAL_MAP,
    MLI_EVAL_CONCORDANCE,
    MLI_EVAL_CUSTOM,
    MLI_EVAL_CATALOG,
};
#define MLI_EVAL_METRICS "loss,auc,error,rmse,mae,ndcg,map,concordance,custom"

enum {
    MLI_SAMPLE_UNIFORM,
    MLI_SAMPLE_STRATIFIED,
    MLI_SAMPLE_GOSS,
    MLI_SAMPLE_MVS,
    MLI_SAMPLE_BAYESIAN,
};
#define MLI_SAMPLINGS "uniform,stratified,goss,mvs,bayesian"
/* Those that look at the gradients. */
static inline int mli_sampling_late(int32_t sampling)
{
    return sampling == MLI_SAMPLE_GOSS || sampling == MLI_SAMPLE_MVS;
}

typedef struct mli_boost_options {
    mli_objective objective;
    mli_grow_options grow;
    mli_split_rule rule;      /* in real units: see mli_boost_scale */
    int64_t rounds, patience; /* patience 0: no early stopping, -1: by the rounds */
    double learning_rate, subsample;
    int by_weight;          /* trees are grown by weights instead of hessians */
    double random_strength; /* of the noise that splits are compared with */
    double min_gain_ratio;  /* least gain over that of a cut at random */
    int64_t leaf_steps;     /* 0, or those of Newton's method for a leaf's value */
    int64_t subsample_every;
    int64_t max_bin, min_data_in_bin;
    int bundle;             /* exclusive features share columns */
    int64_t ordered_levels; /* categories with more levels get ordered statistics; -1 */
    int32_t metric;         /* MLI_EVAL_ */
    const mli_metric *catalog; /* of MLI_EVAL_CATALOG */
    mli_metric_options judged; /* what it is given, as in evaluation */
    int64_t metric_at;         /* positions of ndcg and map, 0: all */
    int32_t sampling;          /* MLI_SAMPLE_ */
    double goss_top, goss_other, temperature;
    int dart;
    double drop_rate, skip_drop;
    int64_t max_drop;
    int linear; /* leaves hold linear functions */
    double linear_lambda;
    int8_t *monotone; /* [n_features] -1, 0, 1; NULL: none */
    uint64_t *groups; /* [n_features] interaction constraints: bits of the groups; NULL */
} mli_boost_options;

/* The rows of a design with what the fit adds. */
mli_targets mli_boost_targets(const mli_design *design, const double *weight);

/* Which rows take part in a tree, and with what factor. */
typedef struct mli_sample {
    uint64_t key;   /* of the hashes */
    uint64_t below; /* uniform: a row is taken when its hash is below; 0: all */
    uint64_t *cut;  /* stratified: the same per class [classes] */
    const int32_t *label;
    /* goss */
    const float *gh;
    int64_t stride;
    int32_t n_scores, goss;
    uint32_t top;  /* rows whose magnitude has at least these leading bits stay */
    uint64_t edge; /* rows of exactly these bits whose hash is below this stay */
    double factor; /* of the others that are drawn */
    /* mvs: a row is taken with the probability size / enough */
    double enough, more; /* size: the root of the squared gradients and this */
    double temperature;  /* bayesian: the power of the factors; 0: another sampling */
} mli_sample;

/* Rows to be scored while training goes on: validation rows. */
typedef struct mli_boost_watch {
    mli_bin_store bins;
    mli_targets targets;
    double *score;      /* [n_scores * rows] */
    double *parts;      /* sums of tasks */
    int64_t *own_order; /* cox */
    double *ys;         /* several targets: targets.ys */
} mli_boost_watch;

typedef struct mli_booster mli_booster;
struct mli_booster {
    ml_context *ctx;
    mli_run *run;
    mli_boost_options options;
    const mli_design *train, *valid; /* valid: NULL when there is none */
    const double *weight, *valid_weight;
    mli_targets targets;
    mli_binner *binner;
    mli_bin_store bins;
    int8_t *monotone; /* [n_columns] or NULL */
    uint64_t *groups; /* [n_columns] or NULL */
    mli_grower grower;
    int32_t n_scores;
    double *base;        /* [n_scores] */
    double *score;       /* [n_scores * rows] */
    float *gh;           /* [2 * n_scores * rows] real gradients and hessians */
    float *gh_own;       /* the same if not inside the grower's second buffer */
    uint16_t *leaf;      /* [n_scores * rows] leaf of each row in the last round */
    double *leaf_value;  /* [n_scores * max_leaves] */
    int64_t *leaves;     /* [n_scores] their number; 0: nothing to add */
    int32_t *leaf_node;  /* [max_leaves] of the present tree: nodes of the grower */
    int64_t blocks;      /* of rows */
    double *sums;        /* [blocks * n_scores * 3]: of |g|, h and g^2 in a block */
    int64_t *taken;      /* [blocks + 1] sampled rows in the blocks before */
    int64_t *whole;      /* [blocks * 2] sums of packed g and h */
    int64_t *own_order;  /* cox: targets.order */
    double *ys;          /* several targets: targets.ys */
    int64_t start_trees; /* of the model that training goes on from */
    double rate;         /* learning rate of the present round */
    int64_t n_dropped;
    int64_t *dropped;  /* [n_dropped] first trees of the rounds that DART leaves out */
    double *renewal;   /* for leaf values by quantiles */
    mli_sample sample; /* of the present round */
    uint16_t *drawn; /* [rows] its rows, block by block, counted from the block's begin */
    float *factor;   /* [rows] and their factors */
    mli_ensemble_builder trees;
    mli_boost_watch watch;
    mli_boost_linear linear;
    double *history; /* [rounds] of the watched metric */
    int64_t n_history, best_round;
    double best_metric;
};

/* Boosts; the result is in trees, base, binner, history. */
ml_status mli_boost(mli_booster *b, ml_context *ctx, mli_run *run,
                    const mli_boost_options *options, const mli_design *train,
                    const mli_design *valid, const double *weight,
                    const double *valid_weight, ml_error *err);
void mli_booster_free(mli_booster *b);

/* Rows per task of passes over rows. */
#define MLI_BOOST_BLOCK 8192

/* Between boost*.c. */

/* Adds the last round to the scores and computes all gradients of round `round`. */
ml_status mli_boost_gradients(mli_booster *b, int64_t round, ml_error *err);
/* Puts the sampled rows of class k into the grower; n, and the sums of the packed g, h.
 */
ml_status mli_boost_root(mli_booster *b, int32_t k, int64_t round, mli_split_rule *rule,
                         int64_t *n, int64_t *g, int64_t *h, ml_error *err);
/* Several steps for the values of the last tree's leaves (boost_leaves.c): are they made,
 * and make them. */
int mli_boost_refinable(const mli_boost_options *o);
ml_status mli_boost_refine(mli_booster *b, int32_t k, ml_error *err);
/* The finished tree of the grower: appends it, and notes the rows' leaves. */
ml_status mli_boost_harvest(mli_booster *b, int32_t k, int sampled, ml_error *err);
/* Scores the validation rows with the last round's trees; the metric. */
ml_status mli_boost_watch_make(mli_booster *b, ml_error *err);
ml_status mli_boost_watch_round(mli_booster *b, double *metric, ml_error *err);
int mli_eval_maximize(const mli_boost_options *o);

/* Needs the gradients of all rows. */
ml_status mli_boost_sample(mli_booster *b, int64_t round, mli_sample *out, ml_error *err);
void mli_boost_sample_free(mli_booster *b, mli_sample *s);
/* Do rows count with factors, and are some left out? */
int mli_sample_scales(const mli_sample *s);
int mli_boost_sampled(const mli_sample *s);
/* The factor of a row, 0: not taken. */
double mli_sample_row(const mli_sample *s, int64_t row);
/* Memory for the rows drawn, if there is none yet, and the rows of a block. */
ml_status mli_boost_draw_make(mli_booster *b, ml_error *err);
void mli_boost_draw(mli_booster *b, int64_t block);
/* Adds the last round to the scores, if that is still to be done. */
void mli_boost_flush(mli_booster *b);
/* Cox: the order of the times, into t->order and *own. */
ml_status mli_boost_order(mli_booster *b, mli_targets *t, int64_t **own, ml_error *err);
/* Several targets: one after another, into t->ys and *own. */
ml_status mli_boost_several(mli_booster *b, const mli_design *d, mli_targets *t,
                            double **own, ml_error *err);
/* The scores that rows have before the first round: base, offset, and what the model that
 * training goes on from says (boost_start.c). score[n_scores * rows] */
ml_status mli_boost_start_scores(mli_booster *b, const mli_design *d, double *score,
                                 ml_error *err);
/* Takes over the trees and the base of that model; `levels` borrows its bins. */
ml_status mli_boost_start(mli_booster *b, mli_bin_levels *levels, ml_error *err);
/* DART: takes some of the trees out of the scores before a round, and puts them back with
 * less weight after it (boost_dart.c). */
ml_status mli_dart_drop(mli_booster *b, int64_t round, ml_error *err);
ml_status mli_dart_restore(mli_booster *b, ml_error *err);

#endif
