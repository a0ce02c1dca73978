/* SPDX-License-Identifier: MIT
 *
 * gp_learn.c: the parameters of the kernel: the maximum of the log marginal likelihood
 * plus priors, by L-BFGS with analytic gradients, from two starting points. The priors on
 * length scales grow with the number of dimensions (Hvarfner, Hellsten, Nardi, "Vanilla
 * Bayesian optimization performs great in high dimensions", ICML 2024); those on signal
 * and noise say that y is standardised and mostly not noise. An evaluation costs about
 * n^3 and n^2 d / 2.
 */
#include "tensor/cholesky.h"
#include "tuning/gp.h"
#include "tuning/lbfgs.h"

#include <math.h>
#include <string.h>

#define SQRT5      2.2360679774997896964
#define SIGNAL_SD  1.0
#define NOISE_MEAN (-11.0) /* of the logarithm */
#define NOISE_SD   3.0
#define LENGTH_SD  1.73 /* of the logarithm of a length scale */
#define NUDGE      0.1

typedef struct learning {
    mli_gp *g;
    int64_t n, d, pairs;       /* pairs: n (n - 1) / 2 */
    double *squares;           /* [d][pairs] squared distances per dimension */
    double *r2, *slope, *work; /* [pairs] */
    double *k, *inverse;       /* [n][n] */
    double *ones, *a;          /* [n] covariance^-1 1; covariance^-1 (y - mean) */
    double centre;             /* the prior mean of theta of the dimensions */
} learning;

static void fill_squares(learning *t)
{
    const mli_embedding *e = t->g->embedding;
    int64_t f = e->n_features;
    for (int64_t d = 0; d < t->d; d++) {
        double *out = t->squares + d * t->pairs;
        for (int64_t i = 1; i < t->n; i++)
            for (int64_t j = 0; j < i; j++) {
                double sum = 0;
                for (int64_t c = e->begin[d]; c < e->begin[d + 1]; c++) {
                    double diff = t->g->z[i * f + c] - t->g->z[j * f + c];
                    sum += diff * diff;
                }
                *out++ = sum;
            }
    }
}

/* Kernel values into k (rows), slopes dk/dr^2 beside them. */
static void fill_kernel(learning *t, const double *theta)
{
    const mli_kernels *kernels = t->g->k;
    double signal = exp(theta[t->d]), noise = exp(theta[t->d + 1]);
    memset(t->r2, 0, (size_t)t->pairs * sizeof *t->r2);
    for (int64_t d = 0; d < t->d; d++)
        kernels->axpy(exp(theta[d]), t->squares + d * t->pairs, t->r2, t->pairs);
    for (int64_t p = 0; p < t->pairs; p++) t->work[p] = -SQRT5 * sqrt(t->r2[p]);
    kernels->exp(t->work, t->slope, t->pairs);
    for (int64_t p = 0; p < t->pairs; p++) {
        double r = -t->work[p], e = signal * t->slope[p];
        t->r2[p] = e * (1 + r + t->r2[p] * (5.0 / 3.0));
        t->slope[p] = -(5.0 / 6.0) * (1 + r) * e;
    }
    const double *from = t->r2;
    for (int64_t i = 0; i < t->n; i++) {
        memcpy(t->k + i * t->n, from, (size_t)i * sizeof *from);
        from += i;
        t->k[i * t->n + i] = signal + noise;
    }
}

/* Turns k into its Cholesky factor's inverse; adds up the log determinant. */
static int invert(learning *t, double *log_det)
{
    int64_t n = t->n;
    const mli_kernels *kernels = t->g->k;
    if (mli_cholesky(t->g->ctx, n, t->k, n, 1e-13) < n) return 0;
    *log_det = 0;
    for (int64_t i = 0; i < n; i++) *log_det += 2 * log(t->k[i * n + i]);
    mli_cholesky_invert(t->g->ctx, n, t->k, t->work);
    memset(t->inverse, 0, (size_t)(n * n) * sizeof *t->inverse);
    for (int64_t i = 0; i < n; i++) /* += row i' row i, lower triangle */
        for (int64_t j = 0; j <= i; j++)
            kernels->axpy(t->k[i * n + j], t->k + i * n, t->inverse + j * n, j + 1);
    return 1;
}

/* The prior of theta[i], normal; returns minus its log, adds to the gradient. */
static double prior(double v, double mean, double sd, double *gradient)
{
    double z = (v - mean) / sd;
    *gradient += z / sd;
    return 0.5 * z * z;
}

/* Sets `ones` and `a`, with the most likely mean (see gp.c; at it the posterior does not
 * change with the mean, so gradients need not know). Returns (y - mean)' a. */
static double solve(learning *t)
{
    int64_t n = t->n;
    double top = 0, bottom = 0, fit = 0;
    for (int64_t i = 0; i < n; i++) {
        t->a[i] = t->g->k->dot(t->inverse + i * n, t->g->y, i);
        t->ones[i] = 0;
        for (int64_t j = 0; j < i; j++) t->ones[i] += t->inverse[i * n + j];
        for (int64_t j = i; j < n; j++) {
            t->a[i] += t->inverse[j * n + i] * t->g->y[j];
            t->ones[i] += t->inverse[j * n + i];
        }
        top += t->a[i];
        bottom += t->ones[i];
    }
    for (int64_t i = 0; i < n; i++) {
        t->a[i] -= top / bottom * t->ones[i];
        fit += t->a[i] * t->g->y[i]; /* 1' a is 0 */
    }
    return fit;
}

/* Minus the log posterior at theta, and its gradient. */
static double posterior(void *arg, const double *theta, double *gradient)
{
    learning *t = arg;
    const mli_kernels *kernels = t->g->k;
    int64_t n = t->n, d = t->d;
    double log_det, diagonal = 0, off = 0;
    fill_kernel(t, theta);
    if (!invert(t, &log_det)) return INFINITY;
    double fit = solve(t);
    /* work = (inverse - a a') over the pairs: twice the derivative by the covariance. */
    double *at = t->work;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < i; j++) *at++ = t->inverse[i * n + j] - t->a[i] * t->a[j];
        diagonal += t->inverse[i * n + i] - t->a[i] * t->a[i];
    }
    off = kernels->dot(t->work, t->r2, t->pairs);
    kernels->multiply(t->work, t->slope, t->work, t->pairs);
    for (int64_t k = 0; k < d; k++)
        gradient[k] =
            exp(theta[k]) * kernels->dot(t->work, t->squares + k * t->pairs, t->pairs);
    gradient[d] = off + 0.5 * diagonal * exp(theta[d]);
    gradient[d + 1] = 0.5 * diagonal * exp(theta[d + 1]);
    double value = 0.5 * (fit + log_det);
    for (int64_t k = 0; k < d; k++)
        value += prior(theta[k], t->centre, 2 * LENGTH_SD, &gradient[k]);
    value += prior(theta[d], 0, SIGNAL_SD, &gradient[d]);
    return value + prior(theta[d + 1], NOISE_MEAN, NOISE_SD, &gradient[d + 1]);
}

static double start(learning *t, const mli_lbfgs *problem, double *theta, double shift,
                    double noise, double *work)
{
    for (int64_t k = 0; k < t->d; k++) theta[k] = t->centre + shift;
    theta[t->d] = 0;
    theta[t->d + 1] = noise;
    return mli_lbfgs_run(problem, theta, work);
}

/* The standard deviations of length scales, each alone, by the curvature of the
 * posterior: a difference of gradients. point: at theta; work: 2 (d + 2) doubles. */
static void set_spread(learning *t, double *point, double *work)
{
    double *here = work, *there = work + t->d + 2;
    int known = isfinite(posterior(t, point, here));
    for (int64_t k = 0; k < t->d; k++) {
        double least = 0.25 / (LENGTH_SD * LENGTH_SD), curve = least; /* the prior's */
        point[k] += NUDGE;
        if (known && isfinite(posterior(t, point, there)))
            curve = (there[k] - here[k]) / NUDGE;
        point[k] -= NUDGE;
        t->g->spread[k] = 1 / sqrt(curve > least ? curve : least);
    }
}

static void learn(learning *t, double *bounds, double *other, double *work)
{
    int64_t m = t->d + 2;
    for (int64_t i = 0; i < m; i++) {
        bounds[i] = i < t->d ? -12 : i == t->d ? -4 : -16;
        bounds[m + i] = i < t->d ? 9 : i == t->d ? 4 : 1;
    }
    mli_lbfgs problem = {.n = m,
                         .low = bounds,
                         .high = bounds + m,
                         .steps = 40,
                         .tolerance = 1e-4,
                         .fn = posterior,
                         .arg = t};
    double first = start(t, &problem, t->g->theta, 2, -9, work);
    double second = start(t, &problem, other, -1, -3, work);
    if (second < first || !isfinite(first))
        memcpy(t->g->theta, other, (size_t)m * sizeof *other);
    set_spread(t, t->g->theta, work);
}

ml_status mli_gp_learn(mli_gp *g, ml_error *err)
{
    int64_t n = g->n, d = g->embedding->space->n, pairs = n * (n - 1) / 2, m = d + 2;
    learning t = {.g = g, .n = n, .d = d, .pairs = pairs};
    int64_t scratch = pairs > n ? pairs : n;
    int64_t size = (d + 2) * pairs + scratch + 2 * n * n + 2 * n + 3 * m;
    double *all = mli_alloc_vec(g->ctx, size + MLI_LBFGS_WORK(m), sizeof *all);
    if (!all) return mli_nomem(err);
    t.squares = all;
    t.r2 = t.squares + d * pairs;
    t.slope = t.r2 + pairs;
    t.work = t.slope + pairs;
    t.k = t.work + scratch;
    t.inverse = t.k + n * n;
    t.ones = t.inverse + n * n;
    t.a = t.ones + n;
    /* Length scales are log-normal around sqrt(2) + log(d) / 2 - 3: shorter than theirs,
     * which found fewer of the optima of the benchmark. */
    t.centre = -2 * (1.4142135623730951 + 0.5 * log((double)(d > 0 ? d : 1)) - 3);
    fill_squares(&t);
    double *bounds = t.a + n;
    learn(&t, bounds, bounds + 2 * m, bounds + 3 * m);
    mli_free(g->ctx, all);
    return ML_OK;
}
