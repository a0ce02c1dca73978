/* SPDX-License-Identifier: MIT
 *
 * trees/shapley_parts.h: the inside, for shapley.c (making), shapley_values.c and
 * shapley_pairs.c.
 */
#ifndef MLI_TREES_SHAPLEY_PARTS_H
#define MLI_TREES_SHAPLEY_PARTS_H

#include "algorithms/trees/engine_parts.h"
#include "algorithms/trees/shapley.h"

#define MLI_SHAP_LANES 4 /* rows at a time */
#define MLI_SHAP_POINTS                                                                  \
    64                    /* of the quadrature, at most; exact for 128 features a path   \
                           */
#define MLI_SHAP_BLOCK 64 /* rows that pass a tree one after another */
#define MLI_SHAP_LEAST 1e-60 /* stands for an empty share, which would divide by zero */

/* Vectors are passed to inlined functions only. */
#pragma GCC diagnostic ignored "-Wpsabi"

typedef double mli_lanes __attribute__((vector_size(32)));
typedef int64_t mli_lane_mask __attribute__((vector_size(32)));

/* An edge from a node to a child, in order of a walk through the tree that visits the
 * left child and what is below it first. */
typedef struct mli_edge {
    double z;     /* share of the cover, of all edges of the feature down to here */
    double value; /* of the leaf below, or the number of its row */
    int64_t node; /* that decides */
    int32_t feature;
    int32_t level; /* from 1 */
    int32_t same;  /* level of the nearest edge above of the same feature, 0: none */
    uint8_t leaf, right;
} mli_edge;

typedef struct mli_edges {
    const mli_edge *edge;
    int64_t n;
    int32_t points;
} mli_edges;

struct mli_shapley {
    ml_context *ctx;
    mli_engine *wide; /* columns and nodes: how rows decide */
    mli_edges *tree;
    int32_t levels, points; /* at most */
    const double *leaf;     /* rows of the leaves; NULL: they hold their value */
    int64_t n_scores;
    double scale; /* of the rows of leaves, else 1 */
    int64_t block;
    int avx2;
    double *expected; /* [scores] */
    double *t, *w;    /* [points + 1][points]: row Q has the rule of Q points */
    mli_arena arena;
    size_t scratch, sums, columns, stack; /* bytes */
};

/* Rows begin .. begin + lanes - 1 as columns: x[column][lane]; lanes beyond n repeat the
 * last row. */
void mli_shapley_columns(const mli_shapley *s, const double *rows, int64_t n,
                         int64_t stride, mli_lanes *x);

/* Trees that add to score k are first, first + step, ... */
static inline int64_t mli_shapley_first(const mli_shapley *s, int64_t k)
{
    return s->leaf ? 0 : k;
}
static inline int64_t mli_shapley_step(const mli_shapley *s)
{
    return s->leaf ? 1 : s->n_scores;
}

/* What the leaf below an edge adds to score k, before `scale`; leaf: s->leaf + k. */
static inline __attribute__((always_inline)) double
mli_edge_value(const mli_edge *e, const double *leaf, int64_t width)
{
    return leaf ? leaf[(int64_t)e->value * width] : e->value;
}

/* Which lanes go left at a node. */
static inline __attribute__((always_inline)) mli_lane_mask
mli_lanes_left(const mli_engine *g, int64_t node, const mli_lanes *x)
{
    const mli_wide_step *s = &g->wide_node[node];
    if (s->column >= 0) return (mli_lane_mask)(x[s->column] <= s->cut);
    const uint32_t *set = g->e.sets + g->e.set_words * (int64_t)s->cut;
    mli_lane_mask m = {0};
    for (int i = 0; i < MLI_SHAP_LANES; i++) {
        uint32_t bin = (uint32_t)x[-1 - s->column][i];
        m[i] = -(int64_t)(set[bin >> 5] >> (bin & 31) & 1);
    }
    return m;
}

#endif
