/* SPDX-License-Identifier: MIT
 *
 * linear/conjugate.h: ridge regression by conjugate gradients, for columns too many for
 * their cross products.
 */
#ifndef MLI_LINEAR_CONJUGATE_H
#define MLI_LINEAR_CONJUGATE_H

#include "algorithms/linear/rows.h"

typedef struct mli_conjugate {
    const mli_rows *rows;  /* filled */
    const double *y;       /* [n] */
    const double *penalty; /* [q] of the standardised columns, 0 for the intercept */
    /* Results. */
    double *b;      /* [q] */
    double squares; /* weighted sum of squared residuals */
    int converged;
} mli_conjugate;

/* Minimises sum of w (y - x b)^2 + sum of penalty_j b_j^2. */
ml_status mli_conjugate_solve(mli_conjugate *c, const mli_run *run, ml_error *err);

#endif
