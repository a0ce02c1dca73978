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

/* Finds features that exclude each other and lets them share columns: their bundled,
 * follows, next, usual, offset, column_bins. apart: [n_features] 1: not these; or NULL.
 */
ml_status mli_bin_bundle(mli_binner *b, const mli_design *d, const uint8_t *apart,
                         ml_error *err);

#endif
