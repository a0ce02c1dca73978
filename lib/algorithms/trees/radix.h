/* SPDX-License-Identifier: MIT
 *
 * trees/radix.h: sorting doubles by their bits.
 */
#ifndef MLI_TREES_RADIX_H
#define MLI_TREES_RADIX_H

#include <stdint.h>

/* Sorts n values without NaN ascending; `scratch` has room for n. */
void mli_radix_sort_f64(double *values, double *scratch, int64_t n);

#endif
