/* SPDX-License-Identifier: MIT
 *
 * trees/pack.h: real gradients to whole numbers, where all rows count alike.
 */
#ifndef MLI_TREES_PACK_H
#define MLI_TREES_PACK_H

#include "algorithms/trees/histogram.h"

/* gh[2 * n]: gradient and hessian (not negative) of each row. Writes the sums of
 * |gradient|, of the hessian and of the squared gradient. `level`: of the processor; the
 * bits are the same for all. */
void mli_pack_sums(int32_t level, const float *gh, int64_t n, double sums[3]);

/* out[i]: gradient times g_scale and hessian times h_scale, rounded to the nearest;
 * h_scale 0: each hessian is 1. Returns the packed sum. */
uint64_t mli_pack_round(int32_t level, const float *gh, int64_t n, double g_scale,
                        double h_scale, uint64_t *out);

/* gh of a class, for rows without weights: from its probability p, whether the label is
 * k, and a factor of the hessian p (1 - p). */
void mli_pack_shares(int32_t level, const double *p, const int32_t *label, int32_t k,
                     double factor, int64_t n, float *gh);

#endif
