/* SPDX-License-Identifier: MIT
 *
 * tuning/lbfgs.h: a small minimiser of smooth functions within bounds, for samplers.
 */
#ifndef MLI_TUNING_LBFGS_H
#define MLI_TUNING_LBFGS_H

#include "core/memory.h"

/* The value at x[n], and its gradient. A value that is not finite means: too far. */
typedef double (*mli_lbfgs_fn)(void *arg, const double *x, double *gradient);

typedef struct mli_lbfgs {
    int64_t n;
    const double *low, *high; /* bounds */
    int32_t steps;            /* the most */
    double tolerance;         /* stops when a step gains less, relative to the value */
    mli_lbfgs_fn fn;
    void *arg;
} mli_lbfgs;

/* Doubles of work space. */
#define MLI_LBFGS_MEMORY  6
#define MLI_LBFGS_WORK(n) ((2 * MLI_LBFGS_MEMORY + 5) * (n) + 2 * MLI_LBFGS_MEMORY)

/* Moves x to a local minimum; returns its value. */
double mli_lbfgs_run(const mli_lbfgs *problem, double *x, double *work);

#endif
