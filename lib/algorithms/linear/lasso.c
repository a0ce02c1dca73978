/* SPDX-License-Identifier: MIT
 *
 * linear/lasso.c: working sets (as in Massias, Gramfort and Salmon, "Celer", 2018): the
 * problem is solved on a subset of the columns, from cross products of these alone; a
 * pass over all rows then gives the gradient of every column and the duality gap; columns
 * whose gradient is largest join the set. With up to 512 columns the set is all of them.
 *
 * Cost: a pass of n q multiply-adds per set, n s^2 / 2 for a set of s columns, and the
 * descent on s columns.
 */
#include "algorithms/linear/lasso.h"
#include "algorithms/linear/descent.h"
#include "algorithms/linear/working_set.h"

#include <math.h>
#include <string.h>

#define WHOLE     512 /* columns */
#define SMALLEST  64  /* working set */
#define MOST_SETS 100

typedef struct {
    mli_lasso *l;
    mli_run *run;
    double *g;    /* [q] gradient: X'W(y - X b) / W */
    int64_t *set; /* [n_set]; the second half of [2 q] is scratch */
    int64_t n_set;
    mli_candidate *order; /* [q] */
    double *h;            /* [n_set * n_set] cross products of the set, with l2 */
    double *c;            /* [3 q]: linear term, coefficients and l1 of the set */
    double scale;         /* weighted mean of y^2 */
    double inner;         /* tolerance of the descent */
} lasso;

/* z: the function, then residuals. */
static double eval(const mli_pass *pass, int64_t begin, int64_t n, double *z, double *u,
                   double *h, double *scratch)
{
    (void)scratch;
    const mli_lasso *l = pass->arg;
    const mli_rows *r = l->rows;
    const double *w = r->weight ? r->weight + begin : NULL;
    for (int64_t i = 0; i < n; i++) {
        z[i] = l->y[begin + i] - z[i];
        if (pass->n_products) u[i] = w ? w[i] * z[i] : z[i];
        if (pass->n_grams) h[i] = w ? w[i] : 1.0;
    }
    return pass->n_products ? r->k->dot(u, z, n) : 0.0;
}

/* The gradient, the squares and the gap at b. */
static ml_status look(lasso *a, ml_error *err)
{
    mli_lasso *l = a->l;
    const mli_rows *r = l->rows;
    mli_pass pass = {.rows = r,
                     .functions = 1,
                     .b = l->b,
                     .n_products = 1,
                     .eval = eval,
                     .arg = l,
                     .product = a->g};
    ml_status status = mli_pass_run(&pass, a->run, err);
    if (status) return status;
    double most = 1, l1 = 0, l2 = 0, with_y = pass.value / r->total;
    for (int64_t j = 0; j < r->q; j++) {
        a->g[j] /= r->total;
        with_y += l->b[j] * a->g[j];
        l1 += l->l1[j] * fabs(l->b[j]);
        l2 += l->l2[j] * l->b[j] * l->b[j];
        if (l->l1[j] > 0)
            most = fmax(most, fabs(a->g[j] - l->l2[j] * l->b[j]) / l->l1[j]);
    }
    double s = 1 / most;
    l->squares = pass.value;
    l->gap = (1 + s * s) / 2 * (pass.value / r->total + l2) + l1 - s * with_y;
    return ML_OK;
}

/* Columns in use first, then those with the largest gradients. 1 when the set changed. */
static int choose_set(lasso *a)
{
    mli_lasso *l = a->l;
    int64_t q = l->rows->q, used = 0, before = a->n_set, want;
    for (int64_t j = 0; j < q; j++) {
        int in_use = l->b[j] != 0 || l->l1[j] == 0;
        a->order[j].column = j;
        a->order[j].score = in_use ? INFINITY : fabs(a->g[j]) / l->l1[j];
        used += in_use;
    }
    mli_candidates_sort(a->order, q);
    want = 2 * used > before ? 2 * used : before;
    if (want < SMALLEST) want = SMALLEST;
    if (want > q || q <= WHOLE) want = q;
    /* Columns beyond `used` that are far from entering stay out, unless all fit. */
    while (want > used && q > WHOLE && a->order[want - 1].score < 0.5) want--;
    int changed = want != before;
    int64_t *set = a->set + q;
    for (int64_t i = 0; i < want; i++) set[i] = a->order[i].column;
    mli_working_set_sort(set, want);
    for (int64_t i = 0; i < want && !changed; i++) changed = set[i] != a->set[i];
    memcpy(a->set, set, (size_t)want * sizeof *set);
    a->n_set = want;
    return changed;
}

/* Cross products of the set. */
static ml_status make_products(lasso *a, ml_error *err)
{
    const mli_lasso *l = a->l;
    const mli_rows *r = l->rows;
    int64_t n = a->n_set;
    mli_pass pass = {
        .rows = r, .functions = 1, .n_grams = 1, .n_columns = n, .eval = eval, .arg = l};
    mli_free(r->ctx, a->h);
    a->h = mli_alloc_vec(r->ctx, n * n, sizeof *a->h);
    if (!a->h) return mli_nomem(err);
    pass.gram = a->h;
    pass.columns = n < r->q ? a->set : NULL;
    ml_status status = mli_pass_run(&pass, a->run, err);
    if (status) return status;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= i; j++) a->h[i * n + j] /= r->total;
        a->h[i * n + i] += l->l2[a->set[i]];
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++) a->h[j * n + i] = a->h[i * n + j];
    return ML_OK;
}

/* Descent on the set. The linear term is the gradient at b = 0. */
static ml_status solve_set(lasso *a, ml_error *err)
{
    mli_lasso *l = a->l;
    int64_t n = a->n_set, q = l->rows->q;
    double *c = a->c, *b = c + q, *l1 = b + q;
    for (int64_t i = 0; i < n; i++) {
        b[i] = l->b[a->set[i]];
        l1[i] = l->l1[a->set[i]];
    }
    for (int64_t i = 0; i < n; i++)
        c[i] = a->g[a->set[i]] - l->l2[a->set[i]] * b[i] +
               l->rows->k->dot(a->h + i * n, b, n);
    int64_t sweeps = mli_descend(l->rows->ctx, a->run, n, a->h, c, l1, a->inner,
                                 l->max_sweeps - l->sweeps, b);
    if (sweeps < 0) return mli_nomem(err);
    l->sweeps += sweeps;
    for (int64_t i = 0; i < n; i++) l->b[a->set[i]] = b[i];
    return ML_OK;
}

static ml_status iterate(lasso *a, ml_error *err)
{
    mli_lasso *l = a->l;
    double least = 1e-15 * sqrt(a->scale);
    ml_status status = look(a, err);
    for (int k = 0; !status && k < MOST_SETS; k++) {
        l->converged = l->gap <= l->tol * a->scale;
        if (l->converged || l->sweeps >= l->max_sweeps) break;
        status = mli_run_step(a->run, "coordinate descent", k, MOST_SETS, NAN, err);
        if (status || mli_run_state(a->run) == ML_STOP_KEEP) break;
        if (choose_set(a)) {
            status = make_products(a, err);
        } else {
            if (a->inner < least) break;
            a->inner *= 0.01;
        }
        if (!status) status = solve_set(a, err);
        if (!status) status = look(a, err);
    }
    return status;
}

ml_status mli_lasso_solve(mli_lasso *l, mli_run *run, ml_error *err)
{
    const mli_rows *r = l->rows;
    ml_context *ctx = r->ctx;
    size_t q = (size_t)r->q;
    lasso a = {.l = l, .run = run};
    l->sweeps = 0;
    l->converged = 0;
    for (int64_t i = 0; i < r->n; i++)
        a.scale += (r->weight ? r->weight[i] : 1.0) * l->y[i] * l->y[i] / r->total;
    a.inner = 1e-6 * sqrt(a.scale);
    a.g = mli_calloc(ctx, q, sizeof *a.g);
    a.set = mli_calloc(ctx, 2 * q, sizeof *a.set);
    a.order = mli_calloc(ctx, q, sizeof *a.order);
    a.c = mli_calloc(ctx, 3 * q, sizeof *a.c);
    ml_status status = a.g && a.set && a.order && a.c ? iterate(&a, err) : mli_nomem(err);
    mli_free(ctx, a.g);
    mli_free(ctx, a.set);
    mli_free(ctx, a.order);
    mli_free(ctx, a.c);
    mli_free(ctx, a.h);
    return status;
}
