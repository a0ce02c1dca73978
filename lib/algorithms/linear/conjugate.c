/* SPDX-License-Identifier: MIT
 *
 * linear/conjugate.c: conjugate gradients for (X'WX + P) b = X'Wy (Hestenes and Stiefel
 * 1952), with the diagonal as preconditioner: columns are standardised, so it is the
 * total weight plus the penalty. Rounding moves the residual that is carried along away
 * from the true one, so the iteration starts again from that until nothing is left to
 * gain.
 *
 * Cost: a pass of two products per iteration; six vectors of q.
 */
#include "algorithms/linear/conjugate.h"

#include <math.h>
#include <string.h>

#define STARTS     4
#define ITERATIONS 400   /* of each start */
#define SMALL      1e-12 /* residual against that at 0 */
#define TURN       1e-8  /* and against that at the start, when it is looked at anew */

typedef struct {
    mli_conjugate *c;
    const mli_run *run;
    double *inverse;  /* [q] of the diagonal */
    double *residual; /* X'W(y - Xb) - P b */
    double *direction, *product;
} state;

/* u: weighted residuals; the value: weighted squares. */
static double eval_residual(const mli_pass *pass, int64_t begin, int64_t n, double *z,
                            double *u, double *h, double *scratch)
{
    const mli_conjugate *c = pass->arg;
    const double *w = pass->rows->weight ? pass->rows->weight + begin : NULL;
    (void)h;
    (void)scratch;
    for (int64_t i = 0; i < n; i++) {
        z[i] = c->y[begin + i] - z[i];
        u[i] = w ? w[i] * z[i] : z[i];
    }
    return pass->rows->k->dot(u, z, n);
}

/* u: the weighted functions; the value: their weighted squares. */
static double eval_product(const mli_pass *pass, int64_t begin, int64_t n, double *z,
                           double *u, double *h, double *scratch)
{
    const double *w = pass->rows->weight ? pass->rows->weight + begin : NULL;
    (void)h;
    (void)scratch;
    for (int64_t i = 0; i < n; i++) u[i] = w ? w[i] * z[i] : z[i];
    return pass->rows->k->dot(u, z, n);
}

/* The length of the residual as the preconditioner sees it, squared. */
static double length(const state *s)
{
    const mli_rows *r = s->c->rows;
    return r->k->dot3(s->inverse, s->residual, s->residual, r->q);
}

static ml_status find_residual(state *s, ml_error *err)
{
    mli_conjugate *c = s->c;
    mli_pass pass = {.rows = c->rows,
                     .functions = 1,
                     .b = c->b,
                     .n_products = 1,
                     .eval = eval_residual,
                     .arg = c,
                     .product = s->residual};
    ml_status status = mli_pass_run(&pass, s->run, err);
    if (status) return status;
    c->squares = pass.value;
    for (int64_t j = 0; j < c->rows->q; j++) s->residual[j] -= c->penalty[j] * c->b[j];
    return ML_OK;
}

/* One step along the direction; *left is the length before and after. */
static ml_status step(state *s, double *left, ml_error *err)
{
    mli_conjugate *c = s->c;
    const mli_rows *r = c->rows;
    mli_pass pass = {.rows = r,
                     .functions = 1,
                     .b = s->direction,
                     .n_products = 1,
                     .eval = eval_product,
                     .arg = c,
                     .product = s->product};
    ml_status status = mli_pass_run(&pass, s->run, err);
    if (status) return status;
    double curve = pass.value + r->k->dot3(c->penalty, s->direction, s->direction, r->q);
    double t = curve > 0 ? *left / curve : 0, before = *left;
    for (int64_t j = 0; j < r->q; j++) s->product[j] += c->penalty[j] * s->direction[j];
    r->k->axpy(t, s->direction, c->b, r->q);
    r->k->axpy(-t, s->product, s->residual, r->q);
    *left = length(s);
    for (int64_t j = 0; j < r->q; j++)
        s->direction[j] =
            s->inverse[j] * s->residual[j] + *left / before * s->direction[j];
    return ML_OK;
}

static ml_status iterate(state *s, ml_error *err)
{
    mli_conjugate *c = s->c;
    const mli_rows *r = c->rows;
    double goal = 0;
    c->converged = 0;
    for (int k = 0; k <= STARTS; k++) {
        ml_status status = find_residual(s, err);
        if (status) return status;
        double left = length(s), start = left;
        if (k == 0) goal = SMALL * SMALL * left;
        c->converged = left <= goal;
        if (c->converged || k == STARTS || !isfinite(left)) break;
        r->k->multiply(s->inverse, s->residual, s->direction, r->q);
        for (int i = 0; i < ITERATIONS && left > goal && left > TURN * TURN * start;
             i++) {
            status = step(s, &left, err);
            if (status) return status;
        }
    }
    return ML_OK;
}

ml_status mli_conjugate_solve(mli_conjugate *c, const mli_run *run, ml_error *err)
{
    const mli_rows *r = c->rows;
    state s = {.c = c, .run = run};
    s.inverse = mli_alloc_vec(r->ctx, 4 * r->q, sizeof(double));
    if (!s.inverse) return mli_nomem(err);
    s.residual = s.inverse + r->q;
    s.direction = s.residual + r->q;
    s.product = s.direction + r->q;
    for (int64_t j = 0; j < r->q; j++) s.inverse[j] = 1 / (r->total + c->penalty[j]);
    memset(c->b, 0, (size_t)r->q * sizeof *c->b);
    ml_status status = iterate(&s, err);
    mli_free(r->ctx, s.inverse);
    return status;
}
