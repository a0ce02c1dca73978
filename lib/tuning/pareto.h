/* SPDX-License-Identifier: MIT
 *
 * tuning/pareto.h: several objectives: fronts, crowding, hypervolume. Lower is better.
 */
#ifndef MLI_TUNING_PARETO_H
#define MLI_TUNING_PARETO_H

#include "core/memory.h"

/* Sorts the n numbers in `order`, best first: by violation (0 before more), then front,
 * then crowding distance (far apart first; one objective: its value), ties by number.
 * y[i * m + k] is objective k of number i. Returns 0 without memory. */
int mli_pareto_order(ml_context *ctx, const double *y, const double *violation, int64_t m,
                     int64_t *order, int64_t n);
/* The fronts of the n numbers: front[k] of order[k], from 0. Returns 0 without memory. */
int mli_pareto_fronts(ml_context *ctx, const double *y, const double *violation,
                      int64_t m, const int64_t *order, int64_t n, int64_t *front);
/* The volume dominated by n points below a reference point; recursive slicing, exact.
 * points[n * m] is reordered. */
double mli_hypervolume(double *points, int64_t n, int64_t m, const double *reference);

#endif
