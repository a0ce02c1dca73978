/* SPDX-License-Identifier: MIT
 *
 * linear/lasso.h: least squares with absolute and squared penalties.
 */
#ifndef MLI_LINEAR_LASSO_H
#define MLI_LINEAR_LASSO_H

#include "algorithms/linear/rows.h"

typedef struct mli_lasso {
    const mli_rows *rows; /* with blocks */
    const double *y;      /* [n] */
    const double *l1;     /* [q] > 0, but 0 for the intercept; of standardised columns */
    const double *l2;     /* [q] */
    double tol; /* the duality gap to reach, relative to the weighted mean of y^2 */
    int64_t max_sweeps;
    /* Results. */
    double *b; /* [q] start (a solution for a nearby penalty, or 0) and result */
    double gap;
    double squares; /* weighted sum of squared residuals */
    int64_t sweeps;
    int converged;
} mli_lasso;

/* Minimises sum of w (y - x b)^2 / (2 sum of w) + sum of l1_j |b_j| + l2_j b_j^2 / 2. */
ml_status mli_lasso_solve(mli_lasso *l, mli_run *run, ml_error *err);

#endif
