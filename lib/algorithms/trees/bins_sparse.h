/* SPDX-License-Identifier: MIT
 *
 * trees/bins_sparse.h: the bins of rows of which most columns are at their usual bin, as
 * lists: of each row, and of each column, what differs.
 */
#ifndef MLI_TREES_BINS_SPARSE_H
#define MLI_TREES_BINS_SPARSE_H

#include "algorithms/trees/bins.h"

#define MLI_TILE 8 /* rows that are laid out together to walk down a tree */

/* Bin 0 of bundled columns (bins_bundle.c) is left out; all other columns have an entry
 * in each row. */
typedef struct mli_bin_sparse {
    const mli_binner *binner;
    int64_t rows;
    int64_t *start; /* [rows + 1] first entry of each row */
    uint32_t *cell; /* [entries] cells of a histogram, ascending in a row */
    int64_t *first; /* [n_used + 1] first entry of each column, or NULL: by row only */
    int32_t *row;   /* [entries] ascending in a column */
    uint8_t *bin;   /* [entries] */
    int32_t *column_of; /* [n_cells / 4] */
    uint8_t *tile;      /* [slots * MLI_TILE * stride] */
    uint8_t *spread;    /* [slots * rows] one column */
    int32_t *spread_of; /* [slots] which, -1: none */
} mli_bin_sparse;

/* Decides from the sample whether lists are shorter; then features of a column of their
 * own become bundles of one. To be called before the columns are laid out. */
void mli_bin_choose_sparse(mli_binner *b);
/* by_column: for growing trees; else for walking down them alone. */
ml_status mli_bin_sparse_make(const mli_binner *b, const mli_design *d, int by_column,
                              mli_run *run, mli_bin_sparse **out, ml_error *err);
void mli_bin_sparse_free(mli_bin_sparse *s);

/* hist[cell] += gh[i] for the entries of rows[0..n-1]. */
void mli_bin_sparse_add(const mli_bin_sparse *s, const uint32_t *rows, const uint64_t *gh,
                        int64_t n, uint64_t *hist);
/* count[cell]++ for the same. */
void mli_bin_sparse_count(const mli_bin_sparse *s, const uint32_t *rows, int64_t n,
                          uint32_t *count);
/* The bins of a column, one per row; valid until the next call for that slot. */
const uint8_t *mli_bin_sparse_column(mli_bin_sparse *s, int32_t column, int32_t slot);
/* A row as it would be in the matrix, at place k of the slot's tile, and away again. */
const uint8_t *mli_bin_sparse_lay(const mli_bin_sparse *s, int64_t row, int64_t k,
                                  int32_t slot);
void mli_bin_sparse_clear(const mli_bin_sparse *s, int64_t row, int64_t k, int32_t slot);

ml_status mli_bin_store_make(mli_bin_store *s, const mli_binner *b, const mli_design *d,
                             int by_column, mli_run *run, ml_error *err);
void mli_bin_store_free(ml_context *ctx, mli_bin_store *s);

#endif
