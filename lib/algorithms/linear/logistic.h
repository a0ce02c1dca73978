/* SPDX-License-Identifier: MIT
 *
 * linear/logistic.h: the logistic objective and its solvers.
 *
 * Two classes have one function z of the columns with p = 1 / (1 + e^-z); K classes have
 * softmax over one function each, or over one each but the first, whose function is then
 * 0. The objective is
 *
 *     sum of w loss / sum of w + sum over functions and columns of
 *     l1_j |b_j| + l2_j b_j^2 / 2
 *
 * in terms of the standardised columns; the intercept has no penalty. Coefficients are
 * b[function * q + column].
 */
#ifndef MLI_LINEAR_LOGISTIC_H
#define MLI_LINEAR_LOGISTIC_H

#include "algorithms/linear/rows.h"

typedef struct mli_logistic {
    const mli_rows *rows; /* with blocks and weights */
    const int32_t *label; /* [n] */
    int64_t classes;
    int reference;         /* more than two classes: the first has no function */
    int64_t functions;     /* 1; classes; or classes - 1 */
    const double *l1, *l2; /* [q] */
    const double *share;   /* [classes] of the weight */
    double tol;            /* largest component of the gradient to be reached */
    int64_t max_iter;
    /* Results. */
    double *b;       /* [functions * q], start and result */
    double loss;     /* mean, without penalties */
    double gradient; /* its largest component, penalties included */
    int64_t iterations, passes;
    int converged;
} mli_logistic;

/* What a pass is to compute at b. */
typedef struct mli_logistic_at {
    const mli_logistic *l;
    const double *b;
    int full; /* cross products of every pair of functions */
} mli_logistic_at;

/* A pass at b: value (sum of w loss) and, in pass->product, the sums of the gradient;
 * with `grams` cross products: of pairs (k, l <= k) at index k (k + 1) / 2 + l. */
mli_pass mli_logistic_pass(const mli_logistic_at *at, int grams);

/* The constant prediction into l->b. */
void mli_logistic_start(const mli_logistic *l);
/* Mean loss at b and its gradient g[functions * q], penalties not included; counts the
 * pass. */
ml_status mli_logistic_gradient(mli_logistic *l, const double *b, const mli_run *run,
                                double *loss, double *g, ml_error *err);
/* The largest component, NaN when one is not a number. */
double mli_logistic_largest(const double *v, int64_t n);

/* Newton's method with Cholesky, for squared penalties or none. Several classes must have
 * a reference; their penalty is that of the symmetric coefficients, whose sum over all
 * classes is 0. */
ml_status mli_logistic_newton(mli_logistic *l, mli_run *run, ml_error *err);
/* Limited-memory BFGS, for squared penalties or none, without a reference. */
ml_status mli_logistic_lbfgs(mli_logistic *l, mli_run *run, ml_error *err);
/* Proximal Newton with working sets, for absolute penalties, without a reference. */
ml_status mli_logistic_proximal(mli_logistic *l, mli_run *run, ml_error *err);

#endif
