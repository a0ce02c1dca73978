/* SPDX-License-Identifier: MIT
 *
 * trees/pack.h: real gradients to whole numbers, where all rows count alike.
 */
#ifndef MLI_TREES_PACK_H
#define MLI_TREES_PACK_H

#include "algorithms/trees/histogram.h"

/* gh[2 * n]: gradient and hessian (not negative) of each row. Adds the sum of |gradient|
 * to sums[0] and of the hessian to sums[1]. `level`: of the processor; the bits are the
 * same for all. */
void mli_pack_sums(int32_t level, const float *gh, int64_t n, double sums[2]);

/* out[i]: gradient times g_scale and hessian times h_scale, rounded to the nearest.
 * Returns the packed sum. */
uint64_t mli_pack_round(int32_t level, const float *gh, int64_t n, double g_scale,
                        double h_scale, uint64_t *out);

#endif
