/* SPDX-License-Identifier: MIT
 *
 * trees/walk.h: walking rows of the matrix of bins down a tree, during training.
 */
#ifndef MLI_TREES_WALK_H
#define MLI_TREES_WALK_H

#include "algorithms/trees/bins_sparse.h"
#include "algorithms/trees/ensemble.h"

typedef struct mli_walk_node {
    int32_t left;   /* a leaf is its own left child, and all rows go there */
    int32_t column; /* of the matrix */
    int32_t leaf;   /* its number among the leaves, or -1 */
    uint8_t bin, missing, missing_left;
    const uint32_t *set; /* [8] bins of the column that go left, or NULL: by `bin` */
} mli_walk_node;

typedef struct mli_walk {
    ml_context *ctx;
    int64_t stride;
    mli_walk_node *node;
    double *value;      /* [leaves] */
    uint32_t (*own)[8]; /* [nodes] sets of bundled features */
} mli_walk;

ml_status mli_walk_make(mli_walk *w, ml_context *ctx, const mli_binner *binner,
                        const mli_ensemble_builder *trees, int64_t tree, ml_error *err);
void mli_walk_free(mli_walk *w);
/* leaf[i] of rows begin..end-1. */
void mli_walk_leaves(const mli_walk *w, const mli_bin_store *bins, int32_t slot,
                     int64_t begin, int64_t end, uint16_t *leaf);
/* leaf[row[i]] of n rows, counted from `begin`. */
void mli_walk_some(const mli_walk *w, const mli_bin_store *bins, int32_t slot,
                   int64_t begin, const uint16_t *row, int64_t n, uint16_t *leaf);
/* score[i] += value of the leaf. */
void mli_walk_add(const mli_walk *w, const mli_bin_store *bins, int32_t slot,
                  int64_t begin, int64_t end, double *score);

#endif
