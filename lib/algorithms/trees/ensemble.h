/* SPDX-License-Identifier: MIT
 *
 * trees/ensemble.h: trees as tensors.
 *
 * Nodes of all trees lie one after another; tree t has nodes start[t] .. start[t + 1] -
 * 1, its root first. The children of a node are neighbours and come after it, `left` is
 * the index of the first within the tree, 0 marks a leaf. A row goes left when its value
 * is
 * <= threshold; a missing value (NaN) follows the flag. At a categorical node the row's
 * category is turned into a bin (0 to 255) by the feature's table, and the bit of that
 * bin decides. Tree t adds to score t % n_scores, after base_score.
 *
 *   tree_start     i64 [trees + 1]
 *   node_feature   i32 [nodes]     index of the input column, -1 for leaves
 *   node_left      i32 [nodes]
 *   node_threshold f64 [nodes]
 *   node_flags     u8  [nodes]     MLI_NODE_
 *   node_value     f64 [nodes]     added to the score in leaves
 *   node_cover     f64 [nodes]     sum of hessians in training
 *   node_gain      f64 [nodes]     of the split
 *   base_score     f64 [scores]
 * and with categorical features
 *   node_set       i32 [nodes]     row of `sets`, -1 for other nodes
 *   sets           u32 [sets, W]   bins that go left, 32 a word
 *   level_start    i64 [features + 1]
 *   level_bin      u8  [levels]    bins of the categories of each feature
 *   level_other    u8  [features]  bin of missing and unknown categories
 *
 * Training makes W = 8 and at most 256 bins. Models that come from other systems may need
 * more: then W is larger and the bins are u16. They may have besides
 *   level_missing  as level_other  bin of missing values, where it is another one
 *   zero_missing   u8  [features]  1: numbers within 1e-35 of zero count as missing
 *   link           u8  [1]         MLI_LINK_: from scores to predictions, where it is not
 *                                  the one of the objective
 *   link_scale     f64 [1]         what scores are multiplied by before the link
 *   float_sums     u8  [1]         1: the sum of a row is rounded to a float after each
 *                                  tree, as XGBoost adds
 * Leaves may be linear functions of numeric features (missing or infinite: node_value):
 *   linear_start   i64 [nodes + 1] first term of each node
 *   linear_feature i32 [terms]
 *   linear_coef    f64 [terms]
 *   linear_const   f64 [nodes]     the function's constant; without terms it does not
 *                                  count
 * A categorical node may split on a numeric input: its value, cut to a whole number, is
 * the category.
 *
 * Nodes may also split on columns that are made of the inputs: trees/crosses.h.
 */
#ifndef MLI_TREES_ENSEMBLE_H
#define MLI_TREES_ENSEMBLE_H

#include "algorithms/trees/crosses.h"

#define MLI_NODE_MISSING_LEFT 1
#define MLI_NODE_CATEGORICAL  2

/* What the tensor `link` says. With two classes and one score, the score or its image
 * belongs to the second class. */
enum {
    MLI_LINK_NONE, /* as the objective has it */
    MLI_LINK_IDENTITY,
    MLI_LINK_EXP,
    MLI_LINK_SIGMOID, /* of each score */
    MLI_LINK_SOFTMAX,
    MLI_LINK_SOFTPLUS, /* log(1 + e^s) */
    MLI_LINK_STEP,     /* s > 0 */
    MLI_LINK_SQUARE,   /* s |s| */
    MLI_LINK_COUNT
};

typedef struct mli_ensemble {
    int64_t n_trees, n_nodes, n_sets, n_scores, n_features;
    int64_t set_words; /* W */
    const int64_t *start;
    const int32_t *feature, *left, *set;
    const double *threshold, *value, *cover, *gain, *base;
    const uint8_t *flags;
    const uint32_t *sets;
    const int64_t *level_start;
    const uint8_t *level_bin, *level_other;
    /* Of imported models; NULL, 0 and 1 otherwise. */
    const uint8_t *level_missing;
    const uint16_t *wide_bin, *wide_other, *wide_missing; /* instead of level_ */
    const uint8_t *zero_missing;
    int32_t link;
    int32_t float_sums;
    double link_scale;
    /* Linear leaves; NULL: none. */
    const int64_t *linear_start;
    const int32_t *linear_feature;
    const double *linear_coef, *linear_const;
    /* Features from crosses.n_inputs on are its columns; mostly there are none. */
    mli_crosses crosses;
    /* Contributions: which feature's they count as, [n_features]; NULL: its own. */
    const int32_t *player;
} mli_ensemble;

#define MLI_ZERO_MISSING 1e-35F

/* Does a row with the value x of the node's feature go left? The meaning of a node in one
 * place: faster engines must agree. */
int mli_ensemble_goes_left(const mli_ensemble *e, int64_t node, double x);
/* The score after a leaf. */
static inline double mli_ensemble_sum(const mli_ensemble *e, double score, double leaf)
{
    return e->float_sums ? (double)(float)(score + leaf) : score + leaf;
}
/* What a leaf adds to the score of a row. */
double mli_ensemble_leaf(const mli_ensemble *e, int64_t node, const double *row);
/* Has it nothing but what training makes, and constant leaves? */
int mli_ensemble_plain(const mli_ensemble *e);
/* Scores of one row to predictions by the link, which is not MLI_LINK_NONE:
 * out[n_outputs]. */
void mli_ensemble_link(const mli_ensemble *e, const double *score, int64_t n_outputs,
                       double *out);

/* Reads and checks a model's tensors: afterwards every index is in range and every walk
 * ends. ML_E_FORMAT otherwise, ML_E_UNSUPPORTED with crosses: rows are all there is. */
ml_status mli_ensemble_read(const ml_model *model, mli_ensemble *out, ml_error *err);
/* The same with crosses, for those that make their columns. */
ml_status mli_ensemble_read_crossed(const ml_model *model, mli_ensemble *out,
                                    ml_error *err);

/* A growing ensemble. */
typedef struct mli_ensemble_node {
    int32_t feature, left, set;
    uint8_t flags;
    double threshold, value, cover, gain;
} mli_ensemble_node;

typedef struct mli_ensemble_builder {
    ml_context *ctx;
    int64_t n_trees, tree_capacity, n_nodes, node_capacity, n_sets, set_capacity;
    int64_t *start;
    mli_ensemble_node *node;
    uint32_t (*sets)[8];
} mli_ensemble_builder;

void mli_ensemble_builder_init(mli_ensemble_builder *b, ml_context *ctx);
void mli_ensemble_builder_free(mli_ensemble_builder *b);
/* Begins a tree with room for n nodes, which the caller fills in. */
ml_status mli_ensemble_builder_tree(mli_ensemble_builder *b, int64_t n,
                                    mli_ensemble_node **nodes, ml_error *err);
ml_status mli_ensemble_builder_set(mli_ensemble_builder *b, const uint32_t bits[8],
                                   int32_t *index, ml_error *err);
/* Drops the trees from n_trees on. */
void mli_ensemble_builder_cut(mli_ensemble_builder *b, int64_t n_trees);
/* Writes the tensors of trees and nodes (not base_score and levels). */
ml_status mli_ensemble_builder_write(const mli_ensemble_builder *b, ml_model *model,
                                     ml_error *err);

#endif
