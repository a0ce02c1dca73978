/* SPDX-License-Identifier: MIT
 *
 * linear/least_squares.c: five methods.
 *
 * - Up to some ten million multiply-adds: normal equations in double-double (normal.c).
 * - Beyond: normal equations in double, on standardised columns, then corrected with
 *   residuals of the rows until the corrections vanish. When Cholesky finds a relative
 *   pivot below 1e-6 the columns are too nearly dependent for that, and the first method
 *   is used whatever it costs.
 * - More columns than rows without a penalty: the solution of least norm in standardised
 *   columns, by LAPACK's complete orthogonal factorisation.
 * - Many more columns than rows with a penalty: the dual system, of the size of the rows.
 * - With a penalty and sparse columns, where a hundred passes cost less than the matrix
 * of either system: conjugate gradients.
 */
#include "algorithms/linear/least_squares.h"
#include "algorithms/linear/conjugate.h"
#include "core/parallel.h"
#include "tensor/blas.h"
#include "tensor/cholesky.h"

#include <math.h>
#include <string.h>

#define EXACT_COST                                                                       \
    3e7 /* multiply-adds in double-double that cost no time to speak of                  \
         */
#define LEAST_PIVOT 1e-6
#define CORRECTIONS 4
#define DUAL_GRAIN  12  /* rows of the dual matrix per task */
#define PASSES      100 /* of conjugate gradients, about */
#define TOO_MANY                                                                         \
    5000 /* columns or rows of a matrix instead when they do not converge                \
          */

/* ---- target ---- */

ml_status mli_target_new(const mli_rows *rows, const mli_design *design, mli_target *out,
                         ml_error *err)
{
    const double *y = design->y, *w = rows->weight;
    double mean = 0, weight = 0, most = 0;
    int exponent = 0;
    for (int64_t i = 0; rows->q > rows->p && i < rows->n; i++) {
        double wi = w ? w[i] : 1.0;
        if (!(wi > 0)) continue;
        weight += wi;
        mean += (y[i] - mean) * (wi / weight);
    }
    out->shift = isfinite(mean) ? mean : 0.0;
    for (int64_t i = 0; i < rows->n; i++)
        if (fabs(y[i] - out->shift) > most) most = fabs(y[i] - out->shift);
    if (most > 0 && isfinite(most)) frexp(most, &exponent);
    exponent = exponent > 1020 ? 1020 : exponent < -1020 ? -1020 : exponent;
    out->power = ldexp(1.0, -exponent);
    out->y = mli_alloc_vec(rows->ctx, rows->n, sizeof *out->y);
    if (!out->y) return mli_nomem(err);
    rows->k->standardize(out->shift, out->power, y, out->y, rows->n);
    return ML_OK;
}

/* Coefficients of standardised columns and the scaled target to those of the data. */
static ml_status report(const mli_rows *rows, const mli_target *t, double *b,
                        double value, mli_ls *out, ml_error *err)
{
    for (int64_t j = 0; j < rows->q; j++) b[j] /= t->power;
    mli_rows_coef(rows, b, out->coef, &out->intercept);
    if (rows->q > rows->p) out->intercept += t->shift;
    out->rss = value / (t->power * t->power);
    int bad = !isfinite(out->intercept);
    for (int64_t c = 0; c < out->n_columns; c++) bad |= !isfinite(out->coef[c]);
    if (!bad) return ML_OK;
    mli_fail(err, ML_E_NUMERIC, "the coefficients are too large for double precision");
    return mli_error_hint(err, ML_E_NUMERIC,
                          "bring features and target to scales nearer to 1");
}

/* ---- normal equations in double ---- */

typedef struct {
    const mli_rows *rows;
    const double *y;
} residuals;

/* u: weighted residuals; h: weights; value: weighted squares. */
static double eval_residuals(const mli_pass *pass, int64_t begin, int64_t n, double *z,
                             double *u, double *h, double *scratch)
{
    const residuals *a = pass->arg;
    const mli_rows *r = a->rows;
    const double *w = r->weight ? r->weight + begin : NULL;
    (void)scratch;
    for (int64_t i = 0; i < n; i++) z[i] = a->y[begin + i] - z[i];
    for (int64_t i = 0; i < n; i++) u[i] = w ? w[i] * z[i] : z[i];
    for (int64_t i = 0; pass->n_grams && i < n; i++) h[i] = w ? w[i] : 1.0;
    return r->k->dot(u, z, n);
}

/* Penalties of the standardised columns; 0 for the intercept. */
static double penalty_of(const mli_rows *r, const double *penalty, int64_t j)
{
    return penalty && j < r->p ? penalty[j] / (r->size[j] * r->size[j]) : 0.0;
}

/* Adds corrections until they vanish. value: of the residuals at the end. */
static ml_status correct(const mli_rows *r, const double *penalty, const double *l,
                         double *b, mli_pass *pass, const mli_run *run, ml_error *err)
{
    double before = INFINITY;
    for (int k = 0; k < CORRECTIONS; k++) {
        double largest = 0, size = 0;
        ml_status status = mli_pass_run(pass, run, err);
        if (status) return status;
        for (int64_t j = 0; j < r->q; j++)
            pass->product[j] -= penalty_of(r, penalty, j) * b[j];
        mli_cholesky_solve(r->ctx, r->q, l, r->q, pass->product);
        for (int64_t j = 0; j < r->q; j++) {
            if (fabs(b[j]) > size) size = fabs(b[j]);
            if (fabs(pass->product[j]) > largest) largest = fabs(pass->product[j]);
        }
        if (!(largest > 1e-16 * size) || largest > 0.5 * before) return ML_OK;
        for (int64_t j = 0; j < r->q; j++) b[j] += pass->product[j];
        before = largest;
    }
    return ML_OK;
}

/* Diagonal of the inverse of X'WX in the units of the data. The intercept's is that of
 * b0 = m - sum of b_j shift_j / size_j, with the row of ones last in the factor. */
static void variances(const mli_rows *r, const double *l, double *work, mli_ls *out)
{
    int64_t q = r->q;
    double *diagonal = work, *v = work + q;
    mli_cholesky_inverse_diagonal(r->ctx, q, l, q, v, diagonal);
    for (int64_t c = 0; c <= out->n_columns; c++) out->variance[c] = NAN;
    for (int64_t j = 0; j < r->p; j++)
        out->variance[r->column[j]] = diagonal[j] / (r->size[j] * r->size[j]);
    out->have_error = 1;
    if (q == r->p) return;
    for (int64_t j = 0; j < r->p; j++) v[j] = -r->shift[j] / r->size[j];
    v[r->p] = 1.0;
    double sum = 0;
    for (int64_t i = 0; i < q; i++) {
        v[i] = (v[i] - r->k->dot(l + i * q, v, i)) / l[i * q + i];
        sum += v[i] * v[i];
    }
    out->variance[out->n_columns] = sum;
}

/* *done is 0 when the columns are too nearly dependent. */
static ml_status solve_fast(const mli_rows *r, const mli_target *t, const double *penalty,
                            const mli_run *run, mli_ls *out, int *done, ml_error *err)
{
    int64_t q = r->q;
    residuals a = {r, t->y};
    mli_pass pass = {.rows = r,
                     .functions = 1,
                     .n_products = 1,
                     .n_grams = 1,
                     .n_columns = q,
                     .eval = eval_residuals,
                     .arg = &a};
    double *b = mli_calloc(r->ctx, (size_t)(3 * q), sizeof *b);
    pass.product = mli_calloc(r->ctx, (size_t)q, sizeof *pass.product);
    pass.gram = mli_alloc_vec(r->ctx, q * q, sizeof *pass.gram);
    ml_status status = b && pass.product && pass.gram ? ML_OK : mli_nomem(err);
    *done = 0;
    if (!status) status = mli_pass_run(&pass, run, err);
    if (status) goto out;
    for (int64_t j = 0; j < q; j++) pass.gram[j * q + j] += penalty_of(r, penalty, j);
    if (mli_cholesky(r->ctx, q, pass.gram, q, LEAST_PIVOT) < q) goto out;
    *done = 1;
    memcpy(b, pass.product, (size_t)q * sizeof *b);
    mli_cholesky_solve(r->ctx, q, pass.gram, q, b);
    pass.n_grams = 0;
    pass.b = b;
    status = correct(r, penalty, pass.gram, b, &pass, run, err);
    if (status) goto out;
    out->rank = q;
    if (!penalty) variances(r, pass.gram, b + q, out);
    status = report(r, t, b, pass.value, out, err);
out:
    mli_free(r->ctx, b);
    mli_free(r->ctx, pass.product);
    mli_free(r->ctx, pass.gram);
    return status;
}

/* ---- more columns than rows ---- */

/* Columns times the roots of the weights, column-major n x p. */
static void copy_columns(const mli_rows *r, double *out)
{
    for (int64_t b = 0; b < r->n_blocks; b++) {
        int64_t begin = b * r->block;
        int64_t n = r->n - begin < r->block ? r->n - begin : r->block;
        for (int64_t j = 0; j < r->p; j++) {
            const double *x = r->x + (b * r->q + j) * r->ld;
            double *to = out + j * r->n + begin;
            for (int64_t i = 0; i < n; i++)
                to[i] = r->weight ? x[i] * sqrt(r->weight[begin + i]) : x[i];
        }
    }
}

static double weighted(const mli_rows *r, int64_t i, double v)
{
    return r->weight ? v * sqrt(r->weight[i]) : v;
}

static ml_status solve_wide(const mli_rows *r, const mli_target *t, mli_ls *out,
                            ml_error *err)
{
    int64_t n = r->n, p = r->p, most = n > p ? n : p, rank = 0;
    double *a = mli_alloc_vec(r->ctx, n * p + 1, sizeof *a);
    double *b = mli_calloc(r->ctx, (size_t)most + 1, sizeof *b);
    ml_status status = a && b ? ML_OK : mli_nomem(err);
    if (!status) {
        copy_columns(r, a);
        for (int64_t i = 0; i < n; i++) b[i] = weighted(r, i, t->y[i]);
        double rcond = 2.220446049250313e-16 * (double)most;
        status = mli_dgelsy(r->ctx, n, p, 1, a, n > 0 ? n : 1, b, most > 0 ? most : 1,
                            rcond, &rank, err);
    }
    if (!status) {
        out->rank = rank + (r->q > p);
        b[p] = 0; /* the columns and the target are centered: nothing is left for it */
        status = report(r, t, b, 0, out, err);
    }
    mli_free(r->ctx, a);
    mli_free(r->ctx, b);
    return status;
}

typedef struct {
    const mli_rows *rows;
    int64_t n, ld; /* ld: of x, elements between rows */
    double *x;     /* [n padded to 12][ld] rows over the roots of the penalties */
    double *k;     /* [n * n] */
} dual;

/* Rows of the matrix of all scalar products of rows. */
static void dual_task(void *arg, int64_t task, int32_t slot)
{
    const dual *d = arg;
    int64_t begin = task * DUAL_GRAIN;
    (void)slot;
    for (int64_t i = begin; i < begin + DUAL_GRAIN && i < d->n; i += 3) {
        for (int64_t j = 0; j <= i + 2 && j < d->n; j += 4) {
            double c[12] = {0};
            d->rows->k->gram3x4(d->x + i * d->ld, d->x + j * d->ld, d->ld, d->rows->p, c);
            for (int64_t e = 0; e < 12; e++) {
                int64_t row = i + e / 4, column = j + e % 4;
                if (row < d->n && column <= row) d->k[row * d->n + column] = c[e];
            }
        }
    }
}

static void dual_rows(const dual *d, const double *penalty)
{
    const mli_rows *r = d->rows;
    for (int64_t i = 0; i < r->n; i++) {
        const double *x = r->x + (i / r->block) * r->q * r->ld + i % r->block;
        for (int64_t j = 0; j < r->p; j++)
            d->x[i * d->ld + j] =
                weighted(r, i, x[j * r->ld]) / sqrt(penalty_of(r, penalty, j));
    }
}

/* b = D^-1/2 Z' (Z Z' + I)^-1 y with Z = X D^-1/2, D the penalties. */
static ml_status solve_dual(const mli_rows *r, const mli_target *t, const double *penalty,
                            mli_ls *out, ml_error *err)
{
    int64_t n = r->n, p = r->p, padded = (n + 11) / 12 * 12;
    dual d = {r, n, (p + 7) / 8 * 8, NULL, NULL};
    double *y = mli_alloc_vec(r->ctx, n, sizeof *y);
    double *b = mli_calloc(r->ctx, (size_t)d.ld + 1, sizeof *b);
    d.x = mli_calloc(r->ctx, (size_t)(padded * d.ld), sizeof *d.x);
    d.k = mli_alloc_vec(r->ctx, n * n, sizeof *d.k);
    ml_status status = y && b && d.x && d.k ? ML_OK : mli_nomem(err);
    if (status) goto out;
    dual_rows(&d, penalty);
    mli_parallel(r->ctx, mli_task_count(n, DUAL_GRAIN), dual_task, &d);
    for (int64_t i = 0; i < n; i++) {
        d.k[i * n + i] += 1.0;
        y[i] = weighted(r, i, t->y[i]);
    }
    if (mli_cholesky(r->ctx, n, d.k, n, 0) < n) {
        mli_fail(err, ML_E_NUMERIC, "the penalty is too small for these data");
        status = mli_error_hint(err, ML_E_NUMERIC, "use a larger alpha");
        goto out;
    }
    mli_cholesky_solve(r->ctx, n, d.k, n, y);
    for (int64_t i = 0; i < n; i++) r->k->axpy(y[i], d.x + i * d.ld, b, p);
    for (int64_t j = 0; j < p; j++) b[j] /= sqrt(penalty_of(r, penalty, j));
    b[p] = 0;
    out->rank = r->q;
    status = report(r, t, b, 0, out, err);
out:
    mli_free(r->ctx, y);
    mli_free(r->ctx, b);
    mli_free(r->ctx, d.x);
    mli_free(r->ctx, d.k);
    return status;
}

/* ---- sparse columns ---- */

static int prefers_passes(const mli_rows *r)
{
    double size = (double)(r->q < r->n ? r->q : r->n);
    double other = (double)(r->q < r->n ? r->n : r->q);
    return r->sparse.n > 0 &&
           PASSES * mli_rows_cost(r) < size * size * (other + size) / 4;
}

/* *done is 0 when the iteration does not converge and there is another way. */
static ml_status solve_passes(const mli_rows *r, const mli_target *t,
                              const double *penalty, const mli_run *run, mli_ls *out,
                              int *done, ml_error *err)
{
    double *b = mli_calloc(r->ctx, (size_t)(2 * r->q), sizeof *b);
    if (!b) return mli_nomem(err);
    mli_conjugate c = {.rows = r, .y = t->y, .b = b, .penalty = b + r->q};
    for (int64_t j = 0; j < r->q; j++) b[r->q + j] = penalty_of(r, penalty, j);
    ml_status status = mli_conjugate_solve(&c, run, err);
    *done = c.converged || (r->q > TOO_MANY && r->n > TOO_MANY);
    if (!status && *done && !c.converged)
        mli_run_warn(run, "linear_regression",
                     "the coefficients have not converged: use a larger alpha");
    if (!status && *done) {
        out->rank = r->q;
        status = report(r, t, b, c.squares, out, err);
    }
    mli_free(r->ctx, b);
    return status;
}

/* ---- choice ---- */

ml_status mli_least_squares(mli_rows *rows, const mli_design *design,
                            const double *penalty, const mli_run *run, mli_ls *out,
                            const char **method, ml_error *err)
{
    mli_target t = {NULL, 0, 1};
    int wide = rows->q > rows->n, done = 0;
    double cost = mli_normal_cost(rows);
    ml_status status;
    *method = "normal equations in double-double";
    if ((penalty || !wide) && cost <= EXACT_COST)
        return mli_normal_solve(rows, design, penalty, run, out, err);
    status = mli_target_new(rows, design, &t, err);
    if (!status && (penalty || !wide)) status = mli_rows_split(rows, 1, err);
    int passes = penalty && prefers_passes(rows);
    if (wide && !passes) mli_rows_join(rows);
    if (!status) status = mli_rows_fill(rows, design, run, err);
    if (!status && passes) {
        *method = "conjugate gradients";
        status = solve_passes(rows, &t, penalty, run, out, &done, err);
        if (status || done) goto out;
        if (wide) mli_rows_join(rows);
        if (wide) status = mli_rows_fill(rows, design, run, err);
    }
    if (status) goto out;
    if (wide) {
        *method = penalty ? "dual system" : "least norm by orthogonal factorisation";
        status = penalty ? solve_dual(rows, &t, penalty, out, err)
                         : solve_wide(rows, &t, out, err);
        goto out;
    }
    status = solve_fast(rows, &t, penalty, run, out, &done, err);
    if (!status && done) *method = "normal equations with corrections";
    if (!status && !done) status = mli_normal_solve(rows, design, penalty, run, out, err);
out:
    mli_free(rows->ctx, t.y);
    return status;
}
