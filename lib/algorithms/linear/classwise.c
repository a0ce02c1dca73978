/* SPDX-License-Identifier: MIT
 *
 * linear/classwise.c: several classes with absolute penalties, one class after another
 * (Friedman, Hastie, Tibshirani, "Regularization paths for generalized linear models via
 * coordinate descent", 2010). With the functions of the other classes held, the loss is
 * that of two classes, with the offset -log(sum of e^z of the others): a proximal Newton
 * step on a working set of the class's own, which lowers the objective.
 *
 * Buffers: the functions of all rows [functions * n]. Cost of a class whose set has S
 * columns: three passes of one function, one of them with n S^2 / 2 (less where columns
 * are sparse), and the descent.
 */
#include "algorithms/linear/classwise.h"
#include "algorithms/linear/descent.h"
#include "algorithms/linear/working_set.h"

#include <math.h>
#include <string.h>

#define SMALLEST 64  /* working set */
#define NEAR     0.9 /* of the gradient at which a column leaves 0 */
#define HALVINGS 30

struct mli_classwise {
    mli_logistic *l;
    mli_run *run;
    double *z;                 /* [functions * n] */
    double *rest;              /* [n] log of the sum of e^z of the other classes */
    double *tried;             /* [n] z of the class at the last try */
    double *g, *b, *direction; /* [q] */
    mli_candidate *order;      /* [q] */
    int64_t *set, n_set;       /* [q] */
    double *gram, *vectors;    /* of the set; with room for `room` columns */
    int64_t room;
};

/* ---- passes ---- */

typedef struct {
    const mli_classwise *c;
    int64_t k;
    int anew;     /* the rest is to be computed */
    double *keep; /* where z goes; NULL: nowhere */
} looking;

/* The rest of the rows; top and sum have room for them. */
static void find_rest(const looking *at, int64_t begin, int64_t n, double *top,
                      double *sum)
{
    const mli_classwise *c = at->c;
    const mli_rows *r = c->l->rows;
    double *rest = c->rest + begin;
    for (int64_t i = 0; i < n; i++) {
        top[i] = -INFINITY;
        rest[i] = 0;
    }
    for (int64_t k = 0; k < c->l->functions; k++) {
        const double *z = c->z + k * r->n + begin;
        for (int64_t i = 0; k != at->k && i < n; i++)
            if (z[i] > top[i]) top[i] = z[i];
    }
    for (int64_t k = 0; k < c->l->functions; k++) {
        const double *z = c->z + k * r->n + begin;
        if (k == at->k) continue;
        for (int64_t i = 0; i < n; i++) sum[i] = z[i] - top[i];
        r->k->exp(sum, sum, n);
        for (int64_t i = 0; i < n; i++) rest[i] += sum[i];
    }
    r->k->log(rest, rest, n);
    for (int64_t i = 0; i < n; i++) rest[i] += top[i];
}

/* Two classes, with the offset. scratch: p, log(1 + e^z). */
static double eval(const mli_pass *pass, int64_t begin, int64_t n, double *z, double *u,
                   double *h, double *scratch)
{
    const looking *at = pass->arg;
    const mli_logistic *l = at->c->l;
    const mli_rows *r = pass->rows;
    const int32_t *label = l->label + begin;
    const double *w = r->weight ? r->weight + begin : NULL, *rest = at->c->rest + begin;
    double *p = scratch, *s = p + r->ld;
    if (at->keep) memcpy(at->keep + begin, z, (size_t)n * sizeof *z);
    if (at->anew) find_rest(at, begin, n, p, s);
    for (int64_t i = 0; i < n; i++) z[i] -= rest[i];
    r->k->logistic(z, p, s, n);
    for (int64_t i = 0; i < n; i++) {
        double wi = w ? w[i] : 1.0, y = label[i] == at->k;
        s[i] = wi * (s[i] - y * z[i]);
        if (pass->n_products) u[i] = wi * (p[i] - y);
        if (pass->n_grams) h[i] = wi * p[i] * (1 - p[i]);
    }
    return r->k->sum(s, n);
}

/* Functions as they are, into c->z. */
static double keep_all(const mli_pass *pass, int64_t begin, int64_t n, double *z,
                       double *u, double *h, double *scratch)
{
    const looking *at = pass->arg;
    const mli_rows *r = pass->rows;
    (void)u, (void)h, (void)scratch;
    for (int64_t k = 0; k < pass->functions; k++)
        memcpy(at->c->z + k * r->n + begin, z + k * r->ld, (size_t)n * sizeof *z);
    return 0;
}

static mli_pass pass_of(const looking *at, const double *b)
{
    const mli_rows *r = at->c->l->rows;
    return (mli_pass){.rows = r,
                      .functions = 1,
                      .b = b,
                      .n_columns = r->q,
                      .eval = eval,
                      .arg = at,
                      .scratch = 2 * r->ld};
}

/* The objective of the class at b, up to a constant, and its gradient, absolute penalties
 * apart, into c->g. */
static ml_status evaluate(const looking *at, const double *b, double *f, ml_error *err)
{
    const mli_classwise *c = at->c;
    mli_logistic *l = c->l;
    mli_pass pass = pass_of(at, b);
    pass.n_products = 1;
    pass.product = c->g;
    ml_status status = mli_pass_run(&pass, c->run, err);
    if (status) return status;
    l->passes++;
    *f = pass.value / l->rows->total;
    for (int64_t j = 0; j < l->rows->q; j++) {
        double square = l->l2[j] * b[j];
        *f += square * b[j] / 2 + l->l1[j] * fabs(b[j]);
        c->g[j] = c->g[j] / l->rows->total + square;
    }
    return ML_OK;
}

/* ---- the working set ---- */

static double worst(const mli_classwise *c, const double *b)
{
    const mli_logistic *l = c->l;
    double most = 0;
    for (int64_t j = 0; j < l->rows->q; j++) {
        double v = b[j] != 0 ? fabs(c->g[j] + copysign(l->l1[j], b[j]))
                             : fmax(fabs(c->g[j]) - l->l1[j], 0);
        if (v > most || isnan(v)) most = v;
    }
    return most;
}

static void choose_set(mli_classwise *c, const double *b)
{
    const mli_logistic *l = c->l;
    int64_t used = 0, some = 0;
    for (int64_t j = 0; j < l->rows->q; j++) {
        int always = b[j] != 0 || l->l1[j] == 0;
        double score = always ? INFINITY : fabs(c->g[j]) / l->l1[j];
        if (score < NEAR) continue;
        c->order[some++] = (mli_candidate){score, j};
        used += always;
    }
    mli_candidates_sort(c->order, some);
    c->n_set = 2 * used > SMALLEST ? 2 * used : SMALLEST;
    if (c->n_set > some) c->n_set = some;
    for (int64_t i = 0; i < c->n_set; i++) c->set[i] = c->order[i].column;
    mli_working_set_sort(c->set, c->n_set);
}

/* ---- steps ---- */

static ml_status make_room(mli_classwise *c, ml_error *err)
{
    ml_context *ctx = c->l->rows->ctx;
    int64_t n = c->n_set + c->n_set / 4;
    if (c->n_set <= c->room) return ML_OK;
    mli_free(ctx, c->gram);
    mli_free(ctx, c->vectors);
    c->gram = mli_alloc_vec(ctx, n * n, sizeof *c->gram);
    c->vectors = mli_alloc_vec(ctx, 3 * n, sizeof *c->vectors);
    c->room = c->gram && c->vectors ? n : 0;
    return c->room ? ML_OK : mli_nomem(err);
}

/* Minimises the quadratic model of the class on its set; the way there into direction. */
static ml_status find_direction(mli_classwise *c, const looking *at, const double *b,
                                double tol, ml_error *err)
{
    mli_logistic *l = c->l;
    int64_t s = c->n_set;
    mli_pass pass = pass_of(at, b);
    ml_status status = make_room(c, err);
    if (status) return status;
    pass.n_grams = 1;
    pass.gram = c->gram;
    pass.n_columns = s;
    pass.columns = s < l->rows->q ? c->set : NULL;
    l->passes++;
    status = mli_pass_run(&pass, c->run, err);
    if (status) return status;
    double *to = c->vectors, *linear = to + s, *l1 = linear + s;
    for (int64_t i = 0; i < s; i++) {
        for (int64_t j = 0; j <= i; j++) c->gram[i * s + j] /= l->rows->total;
        c->gram[i * s + i] += l->l2[c->set[i]];
        for (int64_t j = 0; j < i; j++) c->gram[j * s + i] = c->gram[i * s + j];
        to[i] = b[c->set[i]];
        l1[i] = l->l1[c->set[i]];
    }
    for (int64_t i = 0; i < s; i++)
        linear[i] = l->rows->k->dot(c->gram + i * s, to, s) - c->g[c->set[i]];
    if (mli_descend(l->rows->ctx, c->run, s, c->gram, linear, l1, tol, 1000, to) < 0)
        return mli_nomem(err);
    memset(c->direction, 0, (size_t)l->rows->q * sizeof *c->direction);
    for (int64_t i = 0; i < s; i++) c->direction[c->set[i]] = to[i] - b[c->set[i]];
    return ML_OK;
}

/* Goes along the direction from the objective f until it falls. */
static ml_status move(mli_classwise *c, int64_t k, double f, int *moved, ml_error *err)
{
    mli_logistic *l = c->l;
    int64_t q = l->rows->q, n = l->rows->n;
    looking at = {.c = c, .k = k, .keep = c->tried};
    double *b = l->b + k * q, slope = 0, t = 1, tried;
    for (int64_t j = 0; j < q; j++)
        slope += c->g[j] * c->direction[j] +
                 l->l1[j] * (fabs(b[j] + c->direction[j]) - fabs(b[j]));
    for (int i = 0; i < HALVINGS && slope < 0; i++, t /= 2) {
        for (int64_t j = 0; j < q; j++) c->b[j] = b[j] + t * c->direction[j];
        ml_status status = evaluate(&at, c->b, &tried, err);
        if (status) return status;
        double noise = slope > -1e-12 ? 1e-14 * (1 + fabs(f)) : 0;
        if (!(tried <= f + 1e-4 * t * slope + noise)) continue;
        memcpy(b, c->b, (size_t)q * sizeof *b);
        memcpy(c->z + k * n, c->tried, (size_t)n * sizeof *c->z);
        *moved = 1;
        return ML_OK;
    }
    return ML_OK;
}

static ml_status step(mli_classwise *c, int64_t k, double small, int *moved,
                      ml_error *err)
{
    const double *b = c->l->b + k * c->l->rows->q;
    looking at = {.c = c, .k = k, .anew = 1};
    double f;
    ml_status status = evaluate(&at, b, &f, err);
    if (status) return status;
    double most = worst(c, b);
    if (most <= small) return ML_OK;
    choose_set(c, b);
    at.anew = 0;
    status = find_direction(c, &at, b, 1e-2 * most, err);
    return status ? status : move(c, k, f, moved, err);
}

ml_status mli_classwise_sweep(mli_classwise *c, double small, int *moved, ml_error *err)
{
    mli_logistic *l = c->l;
    looking at = {.c = c};
    mli_pass pass = pass_of(&at, l->b);
    pass.functions = l->functions;
    pass.eval = keep_all;
    ml_status status = mli_pass_run(&pass, c->run, err);
    l->passes++;
    *moved = 0;
    for (int64_t k = 0; k < l->functions && !status; k++)
        status = step(c, k, small, moved, err);
    return status;
}

/* ---- making ---- */

ml_status mli_classwise_new(mli_logistic *l, mli_run *run, mli_classwise **out,
                            ml_error *err)
{
    ml_context *ctx = l->rows->ctx;
    int64_t n = l->rows->n, q = l->rows->q;
    mli_classwise *c = mli_calloc(ctx, 1, sizeof *c);
    if (!c) return mli_nomem(err);
    c->l = l;
    c->run = run;
    c->z = mli_alloc_vec(ctx, (l->functions + 2) * n, sizeof *c->z);
    c->g = mli_alloc_vec(ctx, 3 * q, sizeof *c->g);
    c->order = mli_alloc_vec(ctx, q, sizeof *c->order);
    c->set = mli_alloc_vec(ctx, q, sizeof *c->set);
    if (!c->z || !c->g || !c->order || !c->set) {
        mli_classwise_free(c);
        return mli_nomem(err);
    }
    c->rest = c->z + l->functions * n;
    c->tried = c->rest + n;
    c->b = c->g + q;
    c->direction = c->b + q;
    *out = c;
    return ML_OK;
}

void mli_classwise_free(mli_classwise *c)
{
    if (!c) return;
    ml_context *ctx = c->l->rows->ctx;
    mli_free(ctx, c->z);
    mli_free(ctx, c->g);
    mli_free(ctx, c->order);
    mli_free(ctx, c->set);
    mli_free(ctx, c->gram);
    mli_free(ctx, c->vectors);
    mli_free(ctx, c);
}
