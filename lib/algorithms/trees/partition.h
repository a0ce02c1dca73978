/* SPDX-License-Identifier: MIT
 *
 * trees/partition.h: the rows of a leaf, and their division among its children.
 */
#ifndef MLI_TREES_PARTITION_H
#define MLI_TREES_PARTITION_H

#include "algorithms/trees/split.h"

/* How to divide: the column and, for each of its bins, whether it goes left. */
typedef struct mli_division {
    const uint8_t *bin; /* of the matrix' first row in the column, */
    int64_t step;       /* and the bytes to that of the next row */
    int32_t column;
    uint8_t left[256];
} mli_division;

void mli_division_set(mli_division *d, const mli_binner *b, const mli_bin_matrix *m,
                      const mli_split *split, int32_t slot);

/* Where the next rows go: left ones upwards from `left`, right ones downwards from
 * `right`, so that these come out reversed. */
typedef struct mli_places {
    int64_t left, right;
} mli_places;

/* Divides from[0..n-1] among places of `to`. Returns the number of rows on the left. With
 * `hist`, adds the rows of one side (left when side == 0) to it while they are in the
 * cache. If to.bins is there, the bins move with the rows. */
int64_t mli_divide(const mli_division *d, mli_rows from, int64_t n, mli_rows to,
                   mli_places at, const mli_hist_plan *plan, int side, uint64_t *hist);
/* The number alone. */
int64_t mli_count_left(const mli_division *d, mli_rows from, int64_t n,
                       const mli_hist_plan *plan);

#endif
