/* SPDX-License-Identifier: MIT
 *
 * trees/level.h: one depth of a symmetric tree, between grow_symmetric.c and
 * level_cuts.c.
 */
#ifndef MLI_TREES_LEVEL_H
#define MLI_TREES_LEVEL_H

#include "algorithms/trees/grow.h"

typedef struct mli_level {
    mli_grower *g;
    int32_t n, depth;
    int32_t *ids; /* [n] its leaves */
    const uint8_t *mask;
    mli_split best;
    int32_t n_small;
    mli_grow_division *small; /* [n] leaves divided by one thread each */
} mli_level;

/* The cells of a feature in leaf i, NULL when it has none; own[257] is for those of
 * bundled ones. */
uint64_t *mli_level_cells(const mli_level *l, int32_t i, const mli_bin_feature *f,
                          uint64_t *own);
/* The best cut of the feature, if its score is above out's. */
void mli_level_find(const mli_level *l, int32_t feature, mli_split *out);

#endif
