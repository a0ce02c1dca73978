/* SPDX-License-Identifier: MIT
 *
 * linear/proximal.c: proximal Newton for logistic regression with absolute penalties
 * (Friedman, Hastie and Tibshirani 2010; Lee, Sun and Saunders 2014) on working sets.
 *
 * Each round: the gradient of all columns; a set of columns, those in use and those whose
 * gradient comes near their penalty; the second derivatives of the set; coordinate
 * descent on the quadratic model; a step along the way there that lowers the objective.
 * With up to 512 columns the set is all of them. Several classes whose matrix would be
 * larger than WIDEST take steps one after another instead (classwise.c).
 *
 * Cost of a round, S columns in the set and m functions: two passes of 2 n q m, n S^2 / 2
 * times m (m + 1) / 2, and the descent.
 */
#include "algorithms/linear/classwise.h"
#include "algorithms/linear/descent.h"
#include "algorithms/linear/working_set.h"
#include "algorithms/linear/logistic.h"

#include <math.h>
#include <string.h>

#define WHOLE    512  /* columns */
#define SMALLEST 64   /* working set */
#define WIDEST   1500 /* columns of the set times functions */
#define HALVINGS 40

typedef struct {
    mli_logistic *l;
    mli_run *run;
    int64_t p;                     /* functions * q */
    double *g, *trial, *direction; /* [p] g: gradient of loss and squares */
    int64_t *set, n_set;
    mli_candidate *order; /* [q] */
    double *gram, *h, *c;
    double f, loss;           /* objective and loss at b */
    mli_classwise *classwise; /* NULL: not needed yet */
} proximal;

/* ---- objective ---- */

/* Loss and squares at b: value and gradient into a->g; f with the absolute part. */
static ml_status evaluate(proximal *a, const double *b, double *f, ml_error *err)
{
    mli_logistic *l = a->l;
    int64_t q = l->rows->q;
    ml_status status = mli_logistic_gradient(l, b, a->run, &a->loss, a->g, err);
    *f = a->loss;
    for (int64_t i = 0; i < a->p; i++) {
        double square = l->l2[i % q] * b[i];
        *f += square * b[i] / 2 + l->l1[i % q] * fabs(b[i]);
        a->g[i] += square;
    }
    return status;
}

/* How far coefficient i is from its optimality condition. */
static double violation(const proximal *a, int64_t i)
{
    double l1 = a->l->l1[i % a->l->rows->q], b = a->l->b[i];
    if (b != 0) return fabs(a->g[i] + copysign(l1, b));
    return fmax(fabs(a->g[i]) - l1, 0);
}

static double worst(const proximal *a)
{
    double most = 0;
    for (int64_t i = 0; i < a->p; i++) {
        double v = violation(a, i);
        if (v > most || isnan(v)) most = v;
    }
    return most;
}

/* ---- working set ---- */

static double score_of(const proximal *a, int64_t j)
{
    const mli_logistic *l = a->l;
    double score = 0;
    for (int64_t k = 0; k < l->functions; k++) {
        int64_t i = k * l->rows->q + j;
        if (l->b[i] != 0 || l->l1[j] == 0) return INFINITY;
        score = fmax(score, fabs(a->g[i]) / l->l1[j]);
    }
    return score;
}

static void choose_set(proximal *a)
{
    int64_t q = a->l->rows->q, used = 0, want = q;
    for (int64_t j = 0; j < q; j++) {
        a->order[j] = (mli_candidate){score_of(a, j), j};
        used += isinf(a->order[j].score) != 0;
    }
    if (q > WHOLE) {
        mli_candidates_sort(a->order, q);
        want = 2 * used > SMALLEST ? 2 * used : SMALLEST;
        if (want > q) want = q;
        while (want > used && a->order[want - 1].score < 0.9) want--;
    }
    for (int64_t i = 0; i < want; i++) a->set[i] = a->order[i].column;
    mli_working_set_sort(a->set, want);
    a->n_set = want;
}

/* ---- quadratic model ---- */

/* Cross products of the set, of all pairs of functions. */
static ml_status make_grams(proximal *a, ml_error *err)
{
    mli_logistic *l = a->l;
    ml_context *ctx = l->rows->ctx;
    int64_t s = a->n_set, v = l->functions * s;
    mli_logistic_at at = {.l = l, .b = l->b, .full = 1};
    mli_pass pass = mli_logistic_pass(&at, 1);
    mli_free(ctx, a->gram);
    mli_free(ctx, a->h);
    mli_free(ctx, a->c);
    a->gram = mli_alloc_vec(ctx, pass.n_grams * s * s, sizeof *a->gram);
    a->h = mli_alloc_vec(ctx, v * v, sizeof *a->h);
    a->c = mli_calloc(ctx, (size_t)(4 * v), sizeof *a->c);
    if (!a->gram || !a->h || !a->c) return mli_nomem(err);
    pass.n_products = 0;
    pass.gram = a->gram;
    pass.n_columns = s;
    pass.columns = s < l->rows->q ? a->set : NULL;
    l->passes++;
    return mli_pass_run(&pass, a->run, err);
}

/* Puts gram g at block (k, o) of the matrix of v columns. */
static void place(const proximal *a, int64_t g, int64_t k, int64_t o, int64_t v)
{
    const mli_logistic *l = a->l;
    int64_t s = a->n_set;
    const double *gram = a->gram + g * s * s;
    for (int64_t i = 0; i < s; i++)
        for (int64_t j = 0; j < s; j++) {
            double value = (i >= j ? gram[i * s + j] : gram[j * s + i]) / l->rows->total;
            if (k == o && i == j) value += l->l2[a->set[i]];
            a->h[(k * s + i) * v + o * s + j] = value;
            a->h[(o * s + j) * v + k * s + i] = value;
        }
}

/* Functions that differ by a constant give the same probabilities: the intercept of the
 * first one stays. */
static void hold_intercept(const proximal *a, int64_t v)
{
    int64_t q = a->l->rows->q, at = a->n_set - 1;
    if (q == a->l->rows->p || a->set[at] != q - 1) return;
    for (int64_t i = 0; i < v; i++) a->h[i * v + at] = a->h[at * v + i] = 0;
}

/* Minimises the model; the way there into direction. */
static ml_status descend(proximal *a, double tol, ml_error *err)
{
    const mli_logistic *l = a->l;
    const mli_kernels *kernels = l->rows->k;
    int64_t s = a->n_set, q = l->rows->q, v = l->functions * s;
    double *c = a->c, *b = c + v, *l1 = b + v, *g = l1 + v;
    for (int64_t i = 0; i < v; i++) {
        int64_t at = i / s * q + a->set[i % s];
        b[i] = l->b[at];
        l1[i] = l->l1[at % q];
        g[i] = a->g[at];
    }
    for (int64_t i = 0; i < v; i++) c[i] = kernels->dot(a->h + i * v, b, v) - g[i];
    if (mli_descend(l->rows->ctx, a->run, v, a->h, c, l1, tol, 1000, b) < 0)
        return mli_nomem(err);
    for (int64_t i = 0; i < v; i++) {
        int64_t at = i / s * q + a->set[i % s];
        a->direction[at] = b[i] - l->b[at];
    }
    return ML_OK;
}

static ml_status find_direction(proximal *a, ml_error *err)
{
    int64_t m = a->l->functions, s = a->n_set;
    memset(a->direction, 0, (size_t)a->p * sizeof *a->direction);
    ml_status status = make_grams(a, err);
    if (status) return status;
    for (int64_t k = 0, g = 0; k < m; k++)
        for (int64_t o = 0; o <= k; o++, g++) place(a, g, k, o, m * s);
    if (m > 1) hold_intercept(a, m * s);
    return descend(a, 1e-3 * a->l->gradient, err);
}

/* ---- iteration ---- */

/* Change of the objective that the model's first order promises along the direction. */
static double promise(const proximal *a)
{
    int64_t q = a->l->rows->q;
    double sum = 0;
    for (int64_t i = 0; i < a->p; i++) {
        double b = a->l->b[i], d = a->direction[i];
        sum += a->g[i] * d + a->l->l1[i % q] * (fabs(b + d) - fabs(b));
    }
    return sum;
}

/* Goes along the direction. *moved is 0 when the objective does not fall; the gradient is
 * then that of the last try. */
static ml_status move(proximal *a, int *moved, ml_error *err)
{
    double slope = promise(a), t = 1, f;
    *moved = 0;
    for (int k = 0; k < HALVINGS && slope < 0; k++, t /= 2) {
        for (int64_t i = 0; i < a->p; i++) a->trial[i] = a->l->b[i] + t * a->direction[i];
        ml_status status = evaluate(a, a->trial, &f, err);
        if (status) return status;
        double noise = slope > -1e-12 ? 1e-14 * (1 + fabs(a->f)) : 0;
        if (!(f <= a->f + 1e-4 * t * slope + noise)) continue;
        memcpy(a->l->b, a->trial, (size_t)a->p * sizeof *a->trial);
        a->f = f;
        *moved = 1;
        return ML_OK;
    }
    return ML_OK;
}

/* One class after another, where the matrix of all would be too large. */
static ml_status sweep(proximal *a, int *moved, ml_error *err)
{
    mli_logistic *l = a->l;
    ml_status status = ML_OK;
    if (!a->classwise) status = mli_classwise_new(l, a->run, &a->classwise, err);
    if (!status) status = mli_classwise_sweep(a->classwise, l->tol / 2, moved, err);
    return status ? status : evaluate(a, l->b, &a->f, err);
}

static ml_status iterate(proximal *a, ml_error *err)
{
    mli_logistic *l = a->l;
    ml_status status = evaluate(a, l->b, &a->f, err);
    for (int64_t k = 0; !status; k++) {
        int moved = 0;
        l->iterations = k;
        l->loss = a->loss;
        l->gradient = worst(a);
        l->converged = l->gradient <= l->tol;
        if (l->converged || k >= l->max_iter || !isfinite(l->gradient)) break;
        status = mli_run_step(a->run, "proximal newton", k, l->max_iter, NAN, err);
        if (status || mli_run_state(a->run) == ML_STOP_KEEP) break;
        choose_set(a);
        if (l->functions > 1 && l->functions * a->n_set > WIDEST) {
            status = sweep(a, &moved, err);
        } else {
            status = find_direction(a, err);
            if (!status) status = move(a, &moved, err);
        }
        if (!moved) break; /* rounding leaves nothing to gain */
    }
    return status;
}

ml_status mli_logistic_proximal(mli_logistic *l, mli_run *run, ml_error *err)
{
    ml_context *ctx = l->rows->ctx;
    int64_t q = l->rows->q, p = l->functions * q;
    proximal a = {.l = l, .run = run, .p = p};
    a.g = mli_calloc(ctx, (size_t)(3 * p), sizeof *a.g);
    a.set = mli_calloc(ctx, (size_t)q, sizeof *a.set);
    a.order = mli_calloc(ctx, (size_t)q, sizeof *a.order);
    ml_status status = a.g && a.set && a.order ? ML_OK : mli_nomem(err);
    if (!status) {
        a.trial = a.g + p;
        a.direction = a.trial + p;
        l->passes = 0;
        mli_logistic_start(l);
        status = iterate(&a, err);
    }
    mli_free(ctx, a.g);
    mli_free(ctx, a.set);
    mli_free(ctx, a.order);
    mli_free(ctx, a.gram);
    mli_free(ctx, a.h);
    mli_free(ctx, a.c);
    mli_classwise_free(a.classwise);
    return status;
}
