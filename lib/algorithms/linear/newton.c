/* SPDX-License-Identifier: MIT
 *
 * linear/newton.c: Newton's method for logistic regression.
 *
 * Loss and gradient are of all rows. The second derivatives cost more, and need not be
 * exact: with many rows they are taken from a sample of the blocks of rows (Byrd, Chin,
 * Neveitt, Nocedal, "On the use of stochastic Hessian information in optimization methods
 * for machine learning", 2011), and used again, with the corrections of limited-memory
 * BFGS, while each step divides the gradient by four or more. With many rows the start is
 * the solution on a smaller sample. A step that does not lower the objective enough is
 * halved, and the second derivatives are of all rows from then on. A sample is not used
 * where a column hardly varies in it: there the column is much like the intercept, and
 * steps would be far too long.
 *
 * Buffers: P = functions * q; second derivatives [P * P], row-major, then their Cholesky
 * factor. Cost: n P^2 / 2 per evaluation of all rows, P^3 / 3 per factor.
 */
#include "algorithms/linear/logistic.h"
#include "tensor/cholesky.h"

#include <math.h>
#include <string.h>

#define SAMPLE_BLOCKS 24 /* blocks of the sample that gives the start */
#define SAMPLE_FROM   (8 * SAMPLE_BLOCKS)
#define START_RARE    5   /* rows of the rarest class per column in it */
#define SECOND_ROWS   300 /* rows per coefficient for second derivatives */
#define SECOND_RARE   50  /* of them of the rarest class per column */
#define START_VARIES  10  /* rows away from a column's most usual value */
#define SECOND_VARIES 50
#define GOOD          0.25 /* the step has divided the gradient by four */
#define NEAR          0.01 /* the step promises less: the solution is near */
#define HALVINGS      30
#define PAIRS         8 /* corrections kept */

typedef struct {
    mli_logistic *l;
    mli_run *run;
    int64_t p;           /* functions * q */
    int64_t step;        /* of the blocks of rows */
    double weight;       /* of the rows looked at */
    int64_t second_step; /* of the blocks for second derivatives, */
    double second_weight;
    double *h; /* [p * p] factor */
    int has_factor;
    int64_t pairs;         /* steps since the factor was made */
    double *moves, *rises; /* [PAIRS * p] those steps, and how the gradient changed */
    double *gram, *g, *direction, *trial, *trial_g;
    double f, trial_f, loss, trial_loss; /* objective and loss at b and at trial */
} newton;

/* ---- objective ---- */

/* Of several classes with a reference: sum over all classes of the squares of symmetric
 * coefficients is sum of d^2 - (sum of d)^2 / K. Adds value and gradient. */
static double add_penalty(const newton *a, const double *b, double *g)
{
    const mli_logistic *l = a->l;
    int64_t q = l->rows->q;
    double value = 0;
    for (int64_t j = 0; j < l->rows->p; j++) {
        double sum = 0;
        if (!(l->l2[j] > 0)) continue;
        for (int64_t k = 0; l->reference && k < l->functions; k++) sum += b[k * q + j];
        sum /= (double)l->classes;
        for (int64_t k = 0; k < l->functions; k++) {
            double d = b[k * q + j] - sum;
            value += l->l2[j] * b[k * q + j] * d / 2;
            g[k * q + j] += l->l2[j] * d;
        }
    }
    return value;
}

/* Objective, loss and gradient at b. */
static ml_status evaluate(newton *a, const double *b, double *f, double *loss, double *g,
                          ml_error *err)
{
    mli_logistic *l = a->l;
    mli_logistic_at at = {.l = l, .b = b};
    mli_pass pass = mli_logistic_pass(&at, 0);
    pass.product = g;
    pass.step = a->step;
    ml_status status = mli_pass_run(&pass, a->run, err);
    if (status) return status;
    l->passes++;
    *loss = pass.value / a->weight;
    for (int64_t i = 0; i < a->p; i++) g[i] /= a->weight;
    *f = *loss + add_penalty(a, b, g);
    return ML_OK;
}

static ml_status evaluate_start(newton *a, ml_error *err)
{
    return evaluate(a, a->l->b, &a->f, &a->loss, a->g, err);
}

/* The objective where mli_logistic_start puts b: nothing has a penalty there. */
static double constant_objective(const mli_logistic *l)
{
    double sum = 0;
    if (l->rows->q == l->rows->p) return log((double)l->classes);
    for (int64_t k = 0; k < l->classes; k++)
        if (l->share[k] > 0) sum -= l->share[k] * log(l->share[k]);
    return sum;
}

/* ---- second derivatives ---- */

/* Their cross products at l->b. */
static ml_status second_derivatives(newton *a, ml_error *err)
{
    mli_logistic_at at = {.l = a->l, .b = a->l->b, .full = 1};
    mli_pass pass = mli_logistic_pass(&at, 1);
    pass.n_products = 0;
    pass.gram = a->gram;
    pass.step = a->second_step;
    return mli_pass_run(&pass, a->run, err);
}

/* The matrix of all functions from the cross products of pairs, plus penalties. */
static void assemble(const newton *a)
{
    const mli_logistic *l = a->l;
    int64_t q = l->rows->q, m = l->functions;
    for (int64_t k = 0, g = 0; k < m; k++)
        for (int64_t o = 0; o <= k; o++, g++) {
            const double *gram = a->gram + g * q * q;
            for (int64_t i = 0; i < q; i++)
                for (int64_t j = 0; j < (o < k ? q : i + 1); j++)
                    a->h[(k * q + i) * a->p + o * q + j] =
                        (i >= j ? gram[i * q + j] : gram[j * q + i]) / a->second_weight;
            for (int64_t j = 0; j < l->rows->p; j++) {
                double other = l->reference ? 1.0 / (double)l->classes : 0.0;
                a->h[(k * q + j) * a->p + o * q + j] += l->l2[j] * ((o == k) - other);
            }
        }
}

/* Factorises, with as much added to the diagonal as it takes: dependent columns without
 * a penalty make the matrix singular. */
static ml_status factorise(newton *a, ml_error *err)
{
    double ridge = 0;
    ml_status status = second_derivatives(a, err);
    a->pairs = 0;
    if (status) return status;
    for (int tries = 0; tries < 12; tries++) {
        assemble(a);
        for (int64_t i = 0; i < a->p; i++) {
            double *d = &a->h[i * a->p + i];
            *d += ridge * *d + (ridge > 0 ? ridge * 1e-6 : 0);
        }
        if (mli_cholesky(a->l->rows->ctx, a->p, a->h, a->p, 1e-12) == a->p) {
            a->has_factor = 1;
            return ML_OK;
        }
        ridge = ridge > 0 ? ridge * 100 : 1e-11;
    }
    return mli_fail(err, ML_E_NUMERIC,
                    "the second derivatives of the loss could not be factorised");
}

/* ---- iteration ---- */

static double dot(const double *x, const double *y, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

static void add(double c, const double *x, double *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] += c * x[i];
}

/* The direction, and its slope: the two loops of limited-memory BFGS (Nocedal 1980) with
 * the factor in the middle. */
static double find_direction(newton *a)
{
    int64_t p = a->p;
    double share[PAIRS];
    double *d = a->direction;
    for (int64_t i = 0; i < p; i++) d[i] = -a->g[i];
    for (int64_t k = a->pairs - 1; k >= 0; k--) {
        const double *s = a->moves + k * p, *y = a->rises + k * p;
        share[k] = dot(s, d, p) / dot(s, y, p);
        add(-share[k], y, d, p);
    }
    mli_cholesky_solve(a->l->rows->ctx, p, a->h, p, d);
    for (int64_t k = 0; k < a->pairs; k++) {
        const double *s = a->moves + k * p, *y = a->rises + k * p;
        add(share[k] - dot(y, d, p) / dot(s, y, p), s, d, p);
    }
    return dot(a->g, d, p);
}

/* Keeps the step from l->b to the trial; the oldest goes when there are too many. */
static void keep_pair(newton *a)
{
    int64_t p = a->p, size = p * (int64_t)sizeof(double);
    if (a->pairs == PAIRS) {
        memmove(a->moves, a->moves + p, (size_t)((PAIRS - 1) * size));
        memmove(a->rises, a->rises + p, (size_t)((PAIRS - 1) * size));
        a->pairs--;
    }
    double *s = a->moves + a->pairs * p, *y = a->rises + a->pairs * p;
    for (int64_t i = 0; i < p; i++) {
        s[i] = a->trial[i] - a->l->b[i];
        y[i] = a->trial_g[i] - a->g[i];
    }
    if (dot(s, y, p) > 1e-12 * sqrt(dot(s, s, p) * dot(y, y, p))) a->pairs++;
}

/* Goes along the direction, halving the step until the objective falls. *moved is 0 when
 * it does not (then b is as good as it gets), 1 when the whole step was taken. */
static ml_status move(newton *a, double slope, int *moved, ml_error *err)
{
    mli_logistic *l = a->l;
    double t = 1, before = mli_logistic_largest(a->g, a->p);
    *moved = 0;
    for (int k = 0; k < HALVINGS; k++, t /= 2) {
        for (int64_t i = 0; i < a->p; i++) a->trial[i] = l->b[i] + t * a->direction[i];
        ml_status status =
            evaluate(a, a->trial, &a->trial_f, &a->trial_loss, a->trial_g, err);
        if (status) return status;
        double noise = 1e-14 * (1 + fabs(a->f));
        int lower = a->trial_f <= a->f + 1e-4 * t * slope;
        int level =
            a->trial_f <= a->f + noise && mli_logistic_largest(a->trial_g, a->p) < before;
        if (!lower && !level) continue;
        keep_pair(a);
        memcpy(l->b, a->trial, (size_t)a->p * sizeof *l->b);
        memcpy(a->g, a->trial_g, (size_t)a->p * sizeof *a->g);
        a->f = a->trial_f;
        a->loss = a->trial_loss;
        *moved = k == 0 ? 1 : 2;
        return ML_OK;
    }
    return ML_OK;
}

/* Second derivatives of all the rows looked at. */
static void use_all_rows(newton *a)
{
    a->second_step = a->step;
    a->second_weight = a->weight;
}

/* One step; *stuck: rounding leaves nothing to gain. */
static ml_status advance(newton *a, double before, int *stuck, ml_error *err)
{
    int fresh = !a->has_factor, moved = 0;
    ml_status status = fresh ? factorise(a, err) : ML_OK;
    if (status) return status;
    double slope = find_direction(a);
    status = move(a, slope, &moved, err);
    if (status) return status;
    if (moved == 1 && mli_logistic_largest(a->g, a->p) <= GOOD * before) return ML_OK;
    a->has_factor = 0;
    if (!fresh) return ML_OK;
    *stuck = !moved && a->second_step == a->step;
    if (moved != 1 || slope > -NEAR) use_all_rows(a);
    return ML_OK;
}

/* From l->b, evaluated, until the gradient is small. */
static ml_status iterate(newton *a, double tol, int64_t max_iter, ml_error *err)
{
    mli_logistic *l = a->l;
    int stuck = 0;
    ml_status status = ML_OK;
    a->has_factor = 0;
    l->converged = 0;
    for (int64_t k = 0; !status && !stuck; k++) {
        double before = mli_logistic_largest(a->g, a->p);
        l->gradient = before;
        l->converged = before <= tol;
        if (l->converged || k >= max_iter || !isfinite(before)) break;
        if (a->step == 1) {
            l->iterations = k;
            status = mli_run_step(a->run, "newton", k, max_iter, NAN, err);
            if (status || mli_run_state(a->run) == ML_STOP_KEEP) break;
        }
        status = advance(a, before, &stuck, err);
    }
    return status;
}

/* ---- samples ---- */

/* What stands in every so many-th block. */
typedef struct {
    const mli_rows *rows;
    int64_t step;
} sample;

/* Calls see(arg, value) for the rows of a column until it returns 0. */
static void look(const sample *s, int64_t column, int (*see)(void *arg, double value),
                 void *arg)
{
    const mli_rows *r = s->rows;
    for (int64_t b = 0; b < r->n_blocks; b += s->step) {
        const double *x = r->x + (b * r->d + column) * r->ld;
        int64_t begin = b * r->block,
                n = r->n - begin < r->block ? r->n - begin : r->block;
        for (int64_t i = 0; i < n; i++) {
            if (r->weight && !(r->weight[begin + i] > 0)) continue;
            if (!see(arg, x[i])) return;
        }
    }
}

/* The value of most rows, if there is one (Boyer, Moore 1981); how often neighbours
 * differ; then how many rows have another. */
typedef struct {
    double usual, last;
    int64_t votes, changes, others, enough;
} varying;

static int vote(void *arg, double value)
{
    varying *v = arg;
    v->changes += value != v->last;
    v->last = value;
    if (v->votes == 0) v->usual = value;
    v->votes += value == v->usual ? 1 : -1;
    return v->changes <= 2 * v->enough; /* each other value makes two changes at most */
}

static int count_others(void *arg, double value)
{
    varying *v = arg;
    v->others += value != v->usual;
    return v->others < v->enough;
}

/* Does each column have another value than its most usual one in that many rows? */
static int columns_vary(const sample *s, int64_t enough)
{
    for (int64_t j = 0; j < s->rows->p; j++) {
        varying v = {.usual = NAN, .last = NAN, .enough = enough};
        look(s, j, vote, &v);
        if (v.changes > 2 * enough) continue;
        look(s, j, count_others, &v);
        if (v.others < enough) return 0;
    }
    return 1;
}

/* Weight of the rows of every so many-th block; 0 when the rarest class has fewer than
 * `rare` rows there, or a column fewer than `vary` away from its most usual value. */
static double sample_weight(const newton *a, int64_t step, int64_t rare, int64_t vary)
{
    const mli_rows *r = a->l->rows;
    double weight = 0;
    int64_t counts[64] = {0}, classes = a->l->classes;
    if (classes > 64) return 0;
    for (int64_t b = 0; b < r->n_blocks; b += step) {
        int64_t end = (b + 1) * r->block < r->n ? (b + 1) * r->block : r->n;
        for (int64_t i = b * r->block; i < end; i++) {
            double w = r->weight ? r->weight[i] : 1.0;
            weight += w;
            if (w > 0) counts[a->l->label[i]]++;
        }
    }
    for (int64_t k = 0; k < classes; k++)
        if (counts[k] < rare) return 0;
    return columns_vary(&(sample){r, step}, vary) ? weight : 0;
}

/* Solves on a sample of the blocks; *used is 0 when there is none. */
static ml_status solve_sample(newton *a, int *used, ml_error *err)
{
    mli_logistic *l = a->l;
    int64_t step = l->rows->n_blocks / SAMPLE_BLOCKS;
    *used = 0;
    if (l->rows->n_blocks < SAMPLE_FROM) return ML_OK;
    double weight = sample_weight(a, step, START_RARE * l->rows->q + 1, START_VARIES);
    if (!(weight > 0)) return ML_OK;
    *used = 1;
    a->step = step;
    a->weight = weight;
    use_all_rows(a);
    ml_status status = evaluate_start(a, err);
    if (!status) status = iterate(a, 1e-3, 8, err);
    a->step = 1;
    a->weight = l->rows->total;
    return status == ML_E_NUMERIC ? ML_OK : status;
}

/* The solution of a sample where that is better than the constant prediction. */
static ml_status find_start(newton *a, ml_error *err)
{
    mli_logistic *l = a->l;
    int sampled;
    mli_logistic_start(l);
    ml_status status = solve_sample(a, &sampled, err);
    if (!status) status = evaluate_start(a, err);
    if (status || !sampled || a->f < constant_objective(l)) return status;
    mli_logistic_start(l);
    return evaluate_start(a, err);
}

/* Which blocks give second derivatives: the fewest in which all columns vary. */
static void choose_second(newton *a)
{
    const mli_rows *r = a->l->rows;
    use_all_rows(a);
    for (int64_t step = r->n / (SECOND_ROWS * a->p); step >= 2; step /= 2) {
        double weight = sample_weight(a, step, SECOND_RARE * r->q, SECOND_VARIES);
        if (!(weight > 0)) continue;
        a->second_step = step;
        a->second_weight = weight;
        return;
    }
}

ml_status mli_logistic_newton(mli_logistic *l, mli_run *run, ml_error *err)
{
    ml_context *ctx = l->rows->ctx;
    int64_t q = l->rows->q, m = l->functions, p = m * q;
    newton a = {.l = l, .run = run, .p = p, .step = 1, .weight = l->rows->total};
    double *vectors = mli_calloc(ctx, (size_t)((4 + 2 * PAIRS) * p), sizeof *vectors);
    a.h = mli_alloc_vec(ctx, p * p, sizeof *a.h);
    a.gram = mli_alloc_vec(ctx, m * (m + 1) / 2 * q * q, sizeof *a.gram);
    ml_status status = vectors && a.h && a.gram ? ML_OK : mli_nomem(err);
    if (status) goto out;
    a.g = vectors;
    a.direction = a.g + p;
    a.trial = a.direction + p;
    a.trial_g = a.trial + p;
    a.moves = a.trial_g + p;
    a.rises = a.moves + PAIRS * p;
    l->passes = l->iterations = 0;
    status = find_start(&a, err);
    choose_second(&a);
    if (!status) status = iterate(&a, l->tol, l->max_iter, err);
    l->loss = a.loss;
out:
    mli_free(ctx, vectors);
    mli_free(ctx, a.h);
    mli_free(ctx, a.gram);
    return status;
}
