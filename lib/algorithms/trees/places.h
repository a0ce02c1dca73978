/* SPDX-License-Identifier: MIT
 *
 * trees/places.h: the values at a few places of the ascending order, without sorting all.
 */
#ifndef MLI_TREES_PLACES_H
#define MLI_TREES_PLACES_H

#include <stdint.h>

/* Puts the values at the places at[0] < at[1] < ... [count] of the order of n values
 * there, none larger before and none smaller behind them; `scratch` has room for n. */
void mli_find_places(double *v, int64_t n, const int64_t *at, int count, double *scratch);

#endif
