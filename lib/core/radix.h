/* SPDX-License-Identifier: MIT
 *
 * core/radix.h: sorting doubles, or their places, by their bits.
 */
#ifndef MLI_CORE_RADIX_H
#define MLI_CORE_RADIX_H

#include <stdint.h>

/* Sorts n values without NaN ascending; `scratch` has room for n. */
void mli_radix_sort_f64(double *values, double *scratch, int64_t n);

/* The places of up to 2^32 - 1 values in ascending order, equal ones as they stand, those
 * of NaN left out: the lower 32 bits of *found words, in `word` or `scratch`, which have
 * room for n each. */
const uint64_t *mli_radix_order_f64(const double *values, int64_t n, uint64_t *word,
                                    uint64_t *scratch, int64_t *found);

#endif
