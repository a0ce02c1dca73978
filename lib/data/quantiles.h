/* SPDX-License-Identifier: MIT
 *
 * data/quantiles.h: a sketch of the distribution of a stream of numbers, in bounded
 * memory; two of them merge into that of both streams.
 *
 * Karnin, Lang, Liberty, "Optimal Quantile Approximation in Streams" (2016): items of
 * level h stand for 2^h values. A level that is full is sorted and every second item,
 * from a random one of the first two on, goes up. The rank of a value is off by 0.5 % of
 * the number of values with a probability of 1 % (measured; see
 * tests/data/test_sketch.c); nothing is lost while all values fit. Which item is drawn
 * depends on how many were drawn before, so that the same stream gives the same sketch.
 */
#ifndef MLI_DATA_QUANTILES_H
#define MLI_DATA_QUANTILES_H

#include "core/memory.h"

#define MLI_QUANTILES_K      512 /* items of the highest level */
#define MLI_QUANTILES_LEVELS 56  /* 2^56 values and more are beyond any stream */

typedef struct mli_quantiles {
    ml_context *ctx;
    int64_t count;   /* values */
    uint64_t draws;  /* of the levels that were halved */
    int64_t n_items; /* of all levels */
    int n_levels;
    double *level[MLI_QUANTILES_LEVELS];
    int64_t size[MLI_QUANTILES_LEVELS], room[MLI_QUANTILES_LEVELS];
} mli_quantiles;

void mli_quantiles_init(mli_quantiles *q, ml_context *ctx);
void mli_quantiles_free(mli_quantiles *q);
/* No NaN. 0 when out of memory; the sketch can only be freed then. */
int mli_quantiles_add(mli_quantiles *q, const double *values, int64_t n);
int mli_quantiles_merge(mli_quantiles *q, const mli_quantiles *other);
/* Appends items to a level as they are, of a sketch that is read back. */
int mli_quantiles_restore(mli_quantiles *q, int level, const double *items, int64_t n);
/* The values at shares p[n] of the ranks, in [0, 1], interpolated between the two
 * nearest; NaN of no values. 0 when out of memory. */
int mli_quantiles_at(const mli_quantiles *q, const double *p, int n, double *out);

#endif
