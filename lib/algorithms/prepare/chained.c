/* SPDX-License-Identifier: MIT
 *
 * prepare/chained.c: one column from the others by ridge regression, or by Bayesian ridge
 * regression: the penalty and the noise are those that the data make most likely. MacKay,
 * "Bayesian interpolation", Neural Computation 4 (1992), with the vague gamma priors of
 * Tipping, "Sparse Bayesian learning and the relevance vector machine", JMLR 1 (2001).
 *
 * All that the rows tell stands in the sums of products of the columns, so a regression
 * costs n^3 / 3 whatever the number of rows, and is scaled to a diagonal of 1 first.
 */
#include "algorithms/prepare/chained.h"
#include "core/parallel.h"
#include "tensor/cholesky.h"
#include "tensor/kernels.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define TILE     12   /* a multiple of the sides of gram3x4 */
#define BLOCK    512  /* rows that stay in the cache */
#define CHUNKS   8    /* tasks, with sums of their own */
#define PRIOR    1e-6 /* of both gamma distributions */
#define ATTEMPTS 40   /* at a matrix that is not positive definite */
#define ROUNDS   300
#define CLOSE    1e-3 /* change of the coefficients */

/* ---- products ---- */

int64_t mli_products_ld(int64_t n_columns)
{
    return (n_columns + TILE) / TILE * TILE; /* one more for the constant */
}

ml_status mli_products_new(ml_context *ctx, const mli_run *run, int64_t n_columns,
                           mli_products *out, ml_error *err)
{
    *out = (mli_products){ctx, run, n_columns, mli_products_ld(n_columns), NULL};
    out->g = mli_alloc_vec(ctx, out->ld * out->ld, sizeof *out->g);
    return out->g ? ML_OK : mli_nomem(err);
}

void mli_products_free(mli_products *p)
{
    mli_free(p->ctx, p->g);
    p->g = NULL;
}

typedef struct {
    const mli_kernels *k;
    const mli_run *run;
    const double *x;
    int64_t rows_ld, rows, chunk, ld;
    double *sums; /* [chunks][ld][ld] */
} summing;

static void sum_tile(const summing *s, const double *x, const double *y, int64_t n,
                     double *g)
{
    double c[12] = {0};
    s->k->gram3x4(x, y, s->rows_ld, n, c);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++) g[i * s->ld + j] += c[i * 4 + j];
}

static void sum_chunk(void *arg, int64_t task, int32_t slot)
{
    const summing *s = arg;
    int64_t begin = task * s->chunk, end = begin + s->chunk;
    double *g = s->sums + task * s->ld * s->ld;
    (void)slot;
    if (end > s->rows) end = s->rows;
    memset(g, 0, (size_t)(s->ld * s->ld) * sizeof *g);
    for (int64_t at = begin; at < end; at += BLOCK) {
        int64_t n = end - at < BLOCK ? end - at : BLOCK;
        if (mli_run_state(s->run) == ML_CANCEL) return;
        for (int64_t i = 0; i < s->ld; i += 3)
            for (int64_t j = 0; j < i + 3; j += 4)
                sum_tile(s, s->x + i * s->rows_ld + at, s->x + j * s->rows_ld + at, n,
                         g + i * s->ld + j);
    }
}

ml_status mli_products_of(mli_products *p, const double *x, int64_t rows_ld, int64_t rows,
                          ml_error *err)
{
    int64_t size = p->ld * p->ld, chunk = (rows + CHUNKS - 1) / CHUNKS;
    if (chunk < BLOCK) chunk = BLOCK;
    int64_t tasks = mli_task_count(rows, chunk);
    summing s = {mli_kernels_of(p->ctx), p->run, x, rows_ld, rows, chunk, p->ld, NULL};
    s.sums = mli_alloc_vec(p->ctx, tasks * size + 1, sizeof *s.sums);
    if (!s.sums) return mli_nomem(err);
    mli_parallel(p->ctx, tasks, sum_chunk, &s);
    memset(p->g, 0, (size_t)size * sizeof *p->g);
    for (int64_t t = 0; t < tasks; t++) s.k->axpy(1, s.sums + t * size, p->g, size);
    mli_free(p->ctx, s.sums);
    return ML_OK;
}

/* ---- regressions ---- */

ml_status mli_chained_new(ml_context *ctx, const mli_run *run, int64_t n,
                          mli_chained *out, ml_error *err)
{
    *out = (mli_chained){.ctx = ctx, .run = run, .n = n};
    out->memory = mli_alloc_vec(ctx, 2 * n * n + 5 * n, sizeof *out->memory);
    if (!out->memory) return mli_nomem(err);
    double *at = out->memory;
    out->a = at;
    out->l = (at += n * n);
    out->c = (at += n * n);
    out->scale = (at += n);
    out->inverse = (at += n);
    out->work = (at += n);
    out->old = at + n;
    return ML_OK;
}

void mli_chained_free(mli_chained *r)
{
    mli_free(r->ctx, r->memory);
    r->memory = NULL;
}

/* Covariances of the p others, scaled, into a; with the column into c. Returns the sum of
 * squares of the column about its mean. */
static double centre(mli_chained *r, const mli_products *g, int64_t column)
{
    int64_t n = r->n, p = n - 1;
    double rows = mli_product(g, n, n), mean = mli_product(g, n, column) / rows;
    for (int64_t i = 0, at = 0; i < n; i++) {
        double sum = mli_product(g, n, i);
        if (i == column) continue;
        for (int64_t j = 0, to = 0; j <= i; j++)
            if (j != column)
                r->a[at * p + to++] =
                    mli_product(g, i, j) - sum * (mli_product(g, n, j) / rows);
        r->c[at++] = mli_product(g, i, column) - sum * mean;
    }
    for (int64_t i = 0; i < p; i++) {
        double square = r->a[i * p + i];
        r->scale[i] = square > 0 ? 1 / sqrt(square) : 1;
    }
    for (int64_t i = 0; i < p; i++) {
        for (int64_t j = 0; j <= i; j++) r->a[i * p + j] *= r->scale[i] * r->scale[j];
        r->c[i] *= r->scale[i];
    }
    double square = mli_product(g, column, column) - mli_product(g, n, column) * mean;
    return square > 0 ? square : 0;
}

/* Solves with a penalty on the coefficients, those scaled; raises the penalty until the
 * matrix is positive definite, and returns it. */
static double solve(mli_chained *r, int64_t p, double penalty, double *w)
{
    for (int attempt = 0;; attempt++) {
        memcpy(r->l, r->a, (size_t)(p * p) * sizeof *r->l);
        for (int64_t i = 0; i < p; i++)
            r->l[i * p + i] += penalty * r->scale[i] * r->scale[i];
        if (mli_cholesky(r->ctx, p, r->l, p, 4 * DBL_EPSILON) == p) break;
        double least = INFINITY; /* what is seen beside the smallest scale */
        for (int64_t i = 0; i < p; i++)
            least = fmin(least, 1e-13 / (r->scale[i] * r->scale[i]));
        penalty = penalty > least ? 10 * penalty : least;
        if (!isfinite(penalty) || attempt == ATTEMPTS ||
            mli_run_state(r->run) == ML_CANCEL) {
            memset(w, 0, (size_t)p * sizeof *w);
            return INFINITY;
        }
    }
    memcpy(w, r->c, (size_t)p * sizeof *w);
    mli_cholesky_solve(r->ctx, p, r->l, p, w);
    return penalty;
}

/* The sum of squared errors of scaled coefficients. */
static double errors_of(const mli_chained *r, int64_t p, double square, const double *w)
{
    double sum = square;
    for (int64_t i = 0; i < p; i++) {
        double row = r->a[i * p + i] * w[i];
        for (int64_t j = 0; j < i; j++) row += 2 * r->a[i * p + j] * w[j];
        sum += w[i] * (row - 2 * r->c[i]);
    }
    return sum > 0 ? sum : 0;
}

static void bayes(mli_chained *r, int64_t p, double rows, double square, double *w)
{
    double noise = 1 / (square / rows + DBL_EPSILON), penalty = 1;
    double *old = r->old;
    for (int round = 0; round < ROUNDS; round++) {
        double used = solve(r, p, penalty / noise, w), trace = 0, size = 0, change = 0;
        if (!isfinite(used) || mli_run_state(r->run) == ML_CANCEL) return;
        mli_cholesky_inverse_diagonal(r->ctx, p, r->l, p, r->work, r->inverse);
        for (int64_t i = 0; i < p; i++) {
            double coef = w[i] * r->scale[i];
            trace += r->inverse[i] * r->scale[i] * r->scale[i];
            size += coef * coef;
            change += round ? fabs(coef - old[i]) : 0;
            old[i] = coef;
        }
        double fitted = (double)p - used * trace; /* parameters that the data settle */
        double errors = errors_of(r, p, square, w);
        penalty = (fitted + 2 * PRIOR) / (size + 2 * PRIOR);
        noise = (rows - fitted + 2 * PRIOR) / (errors + 2 * PRIOR);
        if (round && change < CLOSE) break;
    }
    solve(r, p, penalty / noise, w);
}

double mli_chained_solve(mli_chained *r, const mli_products *g, int64_t column,
                         double *coef)
{
    int64_t n = r->n, p = n - 1;
    double rows = mli_product(g, n, n), square = centre(r, g, column);
    double constant = mli_product(g, n, column) / rows;
    coef[column] = 0;
    if (p == 0) return constant;
    if (r->bayes)
        bayes(r, p, rows, square, coef);
    else
        solve(r, p, r->alpha, coef);
    for (int64_t i = 0; i < p; i++) coef[i] *= r->scale[i];
    memmove(coef + column + 1, coef + column, (size_t)(p - column) * sizeof *coef);
    coef[column] = 0;
    for (int64_t i = 0; i < n; i++) constant -= coef[i] * (mli_product(g, n, i) / rows);
    return constant;
}
