/* SPDX-License-Identifier: MIT
 *
 * trees/logistic.h: gradients of the logistic loss in single precision.
 */
#ifndef MLI_TREES_LOGISTIC_H
#define MLI_TREES_LOGISTIC_H

#include <stdint.h>

/* gh[2 * n]: gradient and hessian at n scores with their labels, 0 or 1, to about 3e-7 of
 * their size (and of that of the score). Scores count up to 87 in either direction. The
 * hessian is at least MLI_SMALLEST_H, also where a score is no number. `level`: of the
 * processor; the bits are the same for all. */
void mli_logistic_gradients(int32_t level, const double *score, const int32_t *label,
                            int64_t n, float *gh);

#endif
