/* SPDX-License-Identifier: MIT
 *
 * linear/lbfgs.c: limited-memory BFGS for logistic regression (Nocedal 1980; Liu and
 * Nocedal 1989), for more coefficients than Newton's method can take.
 *
 * Columns are standardised, so the second derivatives at the constant prediction are
 * nearly diagonal: share (1 - share) + penalty. This diagonal is where the approximation
 * starts from. The line search asks for the weak Wolfe conditions, by bisection.
 *
 * Buffers: PAIRS pairs of vectors of functions * q. Cost: about one pass of 2 n q
 * multiply-adds per function and iteration.
 */
#include "algorithms/linear/logistic.h"

#include <math.h>
#include <string.h>

#define PAIRS   12
#define TRIES   40
#define DESCENT 1e-4
#define FLATTER 0.9

typedef struct {
    mli_logistic *l;
    mli_run *run;
    int64_t p, n_pairs, next;
    double *step, *change; /* [PAIRS * p] differences of b and of gradients */
    double product[PAIRS]; /* their scalar products */
    double *inverse;       /* [p] of the diagonal at the start */
    double *g, *direction, *trial, *trial_g;
    double f, trial_f, loss;
} lbfgs;

static double dot(const lbfgs *a, const double *x, const double *y)
{
    return a->l->rows->k->dot(x, y, a->p);
}

/* The objective at b, and its gradient. */
static ml_status evaluate(lbfgs *a, const double *b, double *f, double *g, ml_error *err)
{
    mli_logistic *l = a->l;
    int64_t q = l->rows->q;
    ml_status status = mli_logistic_gradient(l, b, a->run, &a->loss, g, err);
    *f = a->loss;
    for (int64_t i = 0; i < a->p; i++) {
        double add = l->l2[i % q] * b[i];
        *f += add * b[i] / 2;
        g[i] += add;
    }
    return status;
}

static void start_diagonal(const lbfgs *a)
{
    const mli_logistic *l = a->l;
    int64_t q = l->rows->q;
    for (int64_t k = 0; k < l->functions; k++) {
        double share = l->share[k + (l->functions < l->classes)];
        for (int64_t j = 0; j < q; j++)
            a->inverse[k * q + j] = 1 / (fmax(share * (1 - share), 1e-6) + l->l2[j]);
    }
}

/* The direction by the two loops over the pairs; returns its slope. */
static double find_direction(const lbfgs *a)
{
    const mli_kernels *k = a->l->rows->k;
    double alpha[PAIRS], scale = 1, *d = a->direction;
    for (int64_t i = 0; i < a->p; i++) d[i] = -a->g[i];
    for (int64_t i = 1; i <= a->n_pairs; i++) {
        int64_t at = (a->next - i + PAIRS) % PAIRS;
        alpha[at] = dot(a, a->step + at * a->p, d) / a->product[at];
        k->axpy(-alpha[at], a->change + at * a->p, d, a->p);
    }
    if (a->n_pairs) {
        int64_t at = (a->next - 1 + PAIRS) % PAIRS;
        const double *y = a->change + at * a->p;
        scale = a->product[at] / k->dot3(a->inverse, y, y, a->p);
    }
    k->multiply(a->inverse, d, d, a->p);
    k->scale(scale, d, a->p);
    for (int64_t i = a->n_pairs; i >= 1; i--) {
        int64_t at = (a->next - i + PAIRS) % PAIRS;
        double beta = dot(a, a->change + at * a->p, d) / a->product[at];
        k->axpy(alpha[at] - beta, a->step + at * a->p, d, a->p);
    }
    return dot(a, a->g, d);
}

static void keep_pair(lbfgs *a)
{
    double *s = a->step + a->next * a->p, *y = a->change + a->next * a->p;
    for (int64_t i = 0; i < a->p; i++) {
        s[i] = a->trial[i] - a->l->b[i];
        y[i] = a->trial_g[i] - a->g[i];
    }
    double product = dot(a, s, y);
    if (!(product > 1e-14 * sqrt(dot(a, s, s) * dot(a, y, y)))) return;
    a->product[a->next] = product;
    a->next = (a->next + 1) % PAIRS;
    if (a->n_pairs < PAIRS) a->n_pairs++;
}

/* Finds the step. *moved is 0 when there is none. */
static ml_status search(lbfgs *a, double slope, int *moved, ml_error *err)
{
    double low = 0, high = INFINITY, t = 1, before = mli_logistic_largest(a->g, a->p);
    *moved = 0;
    for (int k = 0; k < TRIES; k++) {
        for (int64_t i = 0; i < a->p; i++) a->trial[i] = a->l->b[i] + t * a->direction[i];
        ml_status status = evaluate(a, a->trial, &a->trial_f, a->trial_g, err);
        if (status) return status;
        int level = a->trial_f <= a->f + 1e-14 * (1 + fabs(a->f)) &&
                    mli_logistic_largest(a->trial_g, a->p) < before;
        if (!(a->trial_f <= a->f + DESCENT * t * slope) && !level) {
            high = t;
        } else if (dot(a, a->trial_g, a->direction) < FLATTER * slope && k < TRIES / 2) {
            low = t;
        } else {
            keep_pair(a);
            memcpy(a->l->b, a->trial, (size_t)a->p * sizeof(double));
            memcpy(a->g, a->trial_g, (size_t)a->p * sizeof(double));
            a->f = a->trial_f;
            *moved = 1;
            return ML_OK;
        }
        t = isfinite(high) ? (low + high) / 2 : 2 * t;
    }
    return ML_OK;
}

static ml_status iterate(lbfgs *a, ml_error *err)
{
    mli_logistic *l = a->l;
    ml_status status = evaluate(a, l->b, &a->f, a->g, err);
    l->loss = a->loss;
    for (int64_t k = 0; !status; k++) {
        int moved = 0;
        l->iterations = k;
        l->gradient = mli_logistic_largest(a->g, a->p);
        l->converged = l->gradient <= l->tol;
        if (l->converged || k >= l->max_iter || !isfinite(l->gradient)) break;
        status = mli_run_step(a->run, "lbfgs", k, l->max_iter, NAN, err);
        if (status || mli_run_state(a->run) == ML_STOP_KEEP) break;
        double slope = find_direction(a);
        if (!(slope < 0)) {
            a->n_pairs = 0;
            slope = find_direction(a);
        }
        status = search(a, slope, &moved, err);
        if (moved) l->loss = a->loss;
        if (!status && !moved) {
            if (a->n_pairs == 0) break; /* rounding leaves nothing to gain */
            a->n_pairs = 0;
        }
    }
    return status;
}

ml_status mli_logistic_lbfgs(mli_logistic *l, mli_run *run, ml_error *err)
{
    ml_context *ctx = l->rows->ctx;
    int64_t p = l->functions * l->rows->q;
    lbfgs a = {.l = l, .run = run, .p = p};
    a.step = mli_alloc_vec(ctx, PAIRS * p, sizeof(double));
    a.change = mli_alloc_vec(ctx, PAIRS * p, sizeof(double));
    a.inverse = mli_calloc(ctx, (size_t)(5 * p), sizeof(double));
    ml_status status = a.step && a.change && a.inverse ? ML_OK : mli_nomem(err);
    if (!status) {
        a.g = a.inverse + p;
        a.direction = a.g + p;
        a.trial = a.direction + p;
        a.trial_g = a.trial + p;
        l->passes = 0;
        mli_logistic_start(l);
        start_diagonal(&a);
        status = iterate(&a, err);
    }
    mli_free(ctx, a.step);
    mli_free(ctx, a.change);
    mli_free(ctx, a.inverse);
    return status;
}
