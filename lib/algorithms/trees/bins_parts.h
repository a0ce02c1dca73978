/* SPDX-License-Identifier: MIT
 *
 * trees/bins_parts.h: between bins*.c.
 */
#ifndef MLI_TREES_BINS_PARTS_H
#define MLI_TREES_BINS_PARTS_H

#include "algorithms/trees/bins.h"

/* Cuts a categorical feature by ordered target statistics. ML_E_MEMORY, without an error
 * object: workers call it. */
ml_status mli_bin_order_cut(const mli_bin_order *o, int64_t feature, int32_t max_bin,
                            int64_t min_data, mli_bin_feature *f);

/* A design that stands row by row in memory; first is NULL for others. */
typedef struct mli_bin_rows {
    const char *first;
    int64_t step, size; /* bytes of a row and of a value */
} mli_bin_rows;
mli_bin_rows mli_bin_by_row(const mli_design *d);
/* Fetches some features of the rows begin..end-1 into the cache; to be called a while
 * before they are read. */
static inline void mli_bin_fetch(const mli_bin_rows *r, int64_t feature, int64_t n,
                                 int64_t begin, int64_t end)
{
    if (!r->first) return;
    const char *at = r->first + begin * r->step + feature * r->size;
    for (int64_t i = begin; i < end; i++, at += r->step)
        for (int64_t b = 0; b < n * r->size; b += 64) __builtin_prefetch(at + b);
}

/* Writing columns of the matrix, block by block of rows (bins_apply.c). */
#define MLI_APPLY_ROWS 512 /* most rows of a block */
typedef struct mli_applying {
    const mli_binner *binner;
    const mli_design *design;
    uint8_t *out;
    int64_t stride; /* bytes from a row of a column to the next */
    mli_run *run;
    mli_bin_rows rows;
    int64_t block;   /* rows per task, MLI_APPLY_ROWS at most */
    double *scratch; /* [slots * MLI_APPLY_ROWS] */
    uint8_t
        *resting; /* [n_columns] a row where all sparse features are 0; NULL: none is */
} mli_applying;
/* All but `out`, for the rows of a matrix; mli_applying_free ends it in any case. */
ml_status mli_applying_make(mli_applying *a, const mli_binner *b, const mli_design *d,
                            mli_run *run, ml_error *err);
void mli_applying_free(mli_applying *a);
/* Rows begin..end-1 of all columns, from `out` on. x: a slot's scratch. */
void mli_apply_rows(const mli_applying *a, int64_t begin, int64_t end, double *x,
                    uint8_t *out);
/* The same of column c; where its features are sparse, out holds `resting` already. */
void mli_apply_column(const mli_applying *a, int32_t c, int64_t begin, int64_t end,
                      double *x, uint8_t *out);
/* A sparse feature of which 0 is what the column says without it? */
int mli_apply_rests(const mli_applying *a, int32_t feature, mli_sparse *s);

/* Finds features that exclude each other and lets them share columns: their bundled,
 * follows, next, usual, offset, column_bins. apart: [n_features] 1: not these; or NULL.
 */
ml_status mli_bin_bundle(mli_binner *b, const mli_design *d, const uint8_t *apart,
                         ml_error *err);

#endif
