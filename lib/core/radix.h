/* SPDX-License-Identifier: MIT
 *
 * core/radix.h: sorting doubles by their bits.
 */
#ifndef MLI_CORE_RADIX_H
#define MLI_CORE_RADIX_H

#include <stdint.h>

/* Sorts n values without NaN ascending; `scratch` has room for n. */
void mli_radix_sort_f64(double *values, double *scratch, int64_t n);

#endif
