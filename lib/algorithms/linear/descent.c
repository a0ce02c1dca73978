/* SPDX-License-Identifier: MIT
 *
 * linear/descent.c: coordinate descent with the gradient kept up to date ("covariance
 * updates", Friedman, Hastie and Tibshirani 2010): a coordinate that does not move costs
 * nothing, one that moves costs a row of H. Sweeps over all coordinates alternate with
 * sweeps over those that are not 0.
 */
#include "algorithms/linear/descent.h"
#include "tensor/cholesky.h"
#include "tensor/kernels.h"

#include <math.h>
#include <string.h>

#define MOST_EXACT 1024 /* coordinates: the equations take n^3 / 3 multiply-adds */
#define FEW        64   /* coordinates: a sweep of as many costs less than a clock */

typedef struct {
    ml_context *ctx;
    mli_run *run;
    const mli_kernels *k;
    int64_t q;
    const double *h, *l1;
    double *b, *g; /* g = c - H b */
} descent;

/* One sweep; returns the largest move. */
static double sweep(const descent *d, int only_active)
{
    double largest = 0;
    for (int64_t j = 0; j < d->q; j++) {
        double hjj = d->h[j * d->q + j], old = d->b[j];
        if ((only_active && old == 0) || !(hjj > 0)) continue;
        double z = d->g[j] + hjj * old, size = fabs(z) - d->l1[j];
        double value = size > 0 ? copysign(size, z) / hjj : 0.0;
        if (value == old) continue;
        d->b[j] = value;
        d->k->axpy(old - value, d->h + j * d->q, d->g, d->q);
        double move = fabs(value - old) * sqrt(hjj);
        if (move > largest) largest = move;
    }
    return largest;
}

/* Solves H b = c - l1 sign(b) on the coordinates that are not 0, and takes the result if
 * no sign changes. 0 only when out of memory. */
static int polish(const descent *d)
{
    int64_t n = 0, q = d->q;
    for (int64_t j = 0; j < q; j++) n += d->b[j] != 0;
    if (n == 0 || n > MOST_EXACT) return 1;
    int64_t *at = mli_alloc_vec(d->ctx, n, sizeof *at);
    double *l = mli_alloc_vec(d->ctx, n * n, sizeof *l);
    double *v = mli_alloc_vec(d->ctx, n, sizeof *v);
    int ok = at && l && v;
    n = 0;
    for (int64_t j = 0; ok && j < q; j++) {
        if (d->b[j] == 0) continue;
        v[n] = d->g[j] - copysign(d->l1[j], d->b[j]); /* what is left to be solved */
        at[n++] = j;
    }
    for (int64_t i = 0; ok && i < n; i++)
        for (int64_t j = 0; j <= i; j++) l[i * n + j] = d->h[at[i] * q + at[j]];
    if (ok && mli_cholesky(d->ctx, n, l, n, 1e-13) == n) {
        int same = 1;
        mli_cholesky_solve(d->ctx, n, l, n, v);
        for (int64_t i = 0; i < n; i++) {
            double value = d->b[at[i]] + v[i];
            same &= d->l1[at[i]] == 0 || value * d->b[at[i]] > 0;
            same &= isfinite(value) != 0;
        }
        for (int64_t i = 0; same && i < n; i++) {
            d->b[at[i]] += v[i];
            d->k->axpy(-v[i], d->h + at[i] * q, d->g, q);
        }
    }
    mli_free(d->ctx, at);
    mli_free(d->ctx, l);
    mli_free(d->ctx, v);
    return ok;
}

/* Is there time for one more sweep? */
static int may_go_on(const descent *d, int64_t done, int64_t max_sweeps)
{
    if (done >= max_sweeps) return 0;
    if (!d->run || (d->q < FEW && done % 16 != 0)) return 1;
    return mli_run_state(d->run) == ML_CONTINUE;
}

int64_t mli_descend(ml_context *ctx, mli_run *run, int64_t q, double *h, const double *c,
                    const double *l1, double tol, int64_t max_sweeps, double *b)
{
    descent d = {ctx, run, mli_kernels_of(ctx), q, h, l1, b, NULL};
    int64_t done = 0;
    d.g = mli_alloc_vec(ctx, q, sizeof *d.g);
    if (!d.g) return -1;
    for (int64_t i = 0; i < q; i++)
        for (int64_t j = 0; j < i; j++) h[j * q + i] = h[i * q + j];
    for (int64_t j = 0; j < q; j++) d.g[j] = c[j] - d.k->dot(h + j * q, b, q);
    while (may_go_on(&d, done, max_sweeps)) {
        double moved = sweep(&d, 0);
        done++;
        if (!(moved > tol)) break;
        /* Once few coordinates change, the exact solution is near. */
        if (!polish(&d)) goto failed;
        while (may_go_on(&d, done, max_sweeps) && sweep(&d, 1) > tol) done++;
        done++;
    }
    if (!polish(&d)) goto failed;
    mli_free(ctx, d.g);
    return done;
failed:
    mli_free(ctx, d.g);
    return -1;
}
