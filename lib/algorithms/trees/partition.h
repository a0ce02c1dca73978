/* SPDX-License-Identifier: MIT
 *
 * trees/partition.h: the rows of a leaf, and their division among its children.
 */
#ifndef MLI_TREES_PARTITION_H
#define MLI_TREES_PARTITION_H

#include "algorithms/trees/split.h"

/* Rows with their packed gradients, in step. */
typedef struct mli_rows {
    uint32_t *row;
    uint64_t *gh;
} mli_rows;

/* How to divide: the column and, for each of its bins, whether it goes left. */
typedef struct mli_division {
    const uint8_t *bins; /* the matrix, row by row */
    const uint8_t *bin;  /* of the first row in the column, */
    int64_t step;        /* and the bytes to that of the next row */
    uint8_t left[256];
} mli_division;

void mli_division_set(mli_division *d, const mli_binner *b, const mli_bin_matrix *m,
                      const mli_split *split, int32_t slot);

/* Divides from[0..n-1]: rows going left to the front of `to` in order, the others to its
 * back in reverse. Returns the number of rows on the left. With `hist`, adds the rows of
 * one side (left when side == 0) to it while they are in the cache. */
int64_t mli_divide(const mli_division *d, mli_rows from, int64_t n, mli_rows to,
                   const mli_hist_plan *plan, int side, uint64_t *hist);

#endif
