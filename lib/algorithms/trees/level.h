/* SPDX-License-Identifier: MIT
 *
 * trees/level.h: one depth of a symmetric tree, between grow_symmetric.c and
 * level_cuts.c.
 */
#ifndef MLI_TREES_LEVEL_H
#define MLI_TREES_LEVEL_H

#include "algorithms/trees/grow.h"

/* Rows of a block, whose lists stay in the cache. */
#define MLI_LEVEL_ROWS 32768

/* The rows of a block that are summed, leaf by leaf. */
typedef struct mli_level_lists {
    uint32_t *order;  /* [MLI_LEVEL_ROWS + 8] their places in the block */
    mli_rows rows;    /* [MLI_LEVEL_ROWS] */
    uint32_t *counts; /* [4 * leaves] */
    uint32_t *start;  /* [2 leaves + 1] where a leaf's list begins; or rows of children */
} mli_level_lists;

typedef struct mli_level {
    mli_grower *g;
    int32_t n, depth;
    int32_t *ids; /* [n] its leaves */
    const uint8_t *mask;
    mli_split best;
    /* The division of the depth (level_rows.c). Of each leaf the lighter child is summed.
     */
    uint16_t *leaf;         /* [rows] place of each row's leaf in ids */
    int64_t rows;           /* of the tree */
    uint8_t *light;         /* [2 n] is the child the lighter one? */
    int32_t *slot;          /* [n] of the pool for its histogram, -1: none */
    int32_t *left;          /* [n] nodes for the children */
    int64_t *count;         /* [2 n] rows of the children */
    mli_level_lists *lists; /* [slots] */
    uint64_t first[256];    /* of eight rows those whose bits are set, a byte each */
} mli_level;

/* The cells of a feature in leaf i, NULL when it has none; own[257] is for those of
 * bundled ones. */
uint64_t *mli_level_cells(const mli_level *l, int32_t i, const mli_bin_feature *f,
                          uint64_t *own);
/* The best cut of the feature, if its score is above out's. */
void mli_level_find(const mli_level *l, int32_t feature, mli_split *out);

/* Memory for the divisions of a tree. */
ml_status mli_level_make(mli_level *l, int64_t rows, ml_error *err);
void mli_level_free(mli_level *l);
/* Puts the rows of all leaves one down the best split and counts them; with sum, also
 * sums lighter children into the histograms of the slots, and takes them off those of the
 * leaves they come from. */
void mli_level_divide(mli_level *l, int sum);
/* The rows of every leaf side by side in the second buffer, and begins of the leaves. */
void mli_level_gather(mli_level *l);

#endif
