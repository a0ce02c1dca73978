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

/* Finds features that exclude each other and lets them share columns: their bundled,
 * follows, next, usual, offset, column_bins. apart: [n_features] 1: not these; or NULL.
 */
ml_status mli_bin_bundle(mli_binner *b, const mli_design *d, const uint8_t *apart,
                         ml_error *err);

#endif
