/* SPDX-License-Identifier: MIT
 *
 * prepare/near.h: the nearest of many rows, which stand column by column.
 */
#ifndef MLI_PREPARE_NEAR_H
#define MLI_PREPARE_NEAR_H

#include "core/context.h"

#define MLI_NEAR_BLOCK 256 /* rows to measure at a time: they stay in the cache */

/* A number of the row that neighbours are sought for, and its column in the others. */
typedef struct mli_known {
    double x;
    const double *column;
} mli_known;

typedef struct mli_neighbor {
    double distance;
    int64_t row;
} mli_neighbor;

/* Mean squares of the differences to rows begin .. end - 1, over the columns of row[n]
 * that both have; NaN: none. */
void mli_near_measure(const ml_context *ctx, const mli_known *row, int64_t n,
                      int64_t begin, int64_t end, double *out);

/* A heap of k places, the farthest in front. Places that no row took are infinitely far.
 */
void mli_near_clear(mli_neighbor *heap, int64_t k);
/* Rows begin .. begin + n - 1 that are nearer than the farthest take its place; of
 * equally near ones those that came first stay. Rows whose `needed` is missing are passed
 * by; NULL: none. */
void mli_near_keep(const double *distance, const double *needed, int64_t begin, int64_t n,
                   mli_neighbor *heap, int64_t k);

#endif
