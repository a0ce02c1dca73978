/* SPDX-License-Identifier: MIT
 *
 * linear/newton.c: Newton's method for logistic regression.
 *
 * The second derivatives cost more than everything else, so they are used again while
 * each step with them still divides the gradient by four or more. With many rows the
 * start is the solution on a sample of the blocks of rows, which leaves about one
 * evaluation of the second derivatives for all rows. A step that does not lower the
 * objective enough is halved.
 *
 * Buffers: P = functions * q; second derivatives [P * P], row-major, then their Cholesky
 * factor. Cost: n P^2 / 2 per evaluation, P^3 / 3 per factor.
 */
#include "algorithms/linear/logistic.h"
#include "tensor/cholesky.h"

#include <math.h>
#include <string.h>

#define SAMPLE_BLOCKS 24 /* blocks of the sample */
#define SAMPLE_FROM   (8 * SAMPLE_BLOCKS)
#define GOOD          0.25 /* the step has divided the gradient by four */
#define HALVINGS      30

typedef struct {
    mli_logistic *l;
    mli_run *run;
    int64_t p;     /* functions * q */
    int64_t step;  /* of the blocks of rows */
    double weight; /* of the rows looked at */
    double *h;     /* [p * p] factor */
    int has_factor;
    double *gram, *g, *direction, *trial, *trial_g;
    double f, trial_f, loss; /* objective at b and at trial; loss of the last pass */
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

/* Objective and gradient at b; with_h: second derivatives as well, into the gram buffer.
 */
static ml_status evaluate(newton *a, const double *b, int with_h, double *f, double *g,
                          ml_error *err)
{
    mli_logistic *l = a->l;
    mli_logistic_at at = {.l = l, .b = b, .full = 1};
    mli_pass pass = mli_logistic_pass(&at, with_h);
    pass.product = g;
    pass.gram = a->gram;
    pass.step = a->step;
    ml_status status = mli_pass_run(&pass, a->run, err);
    if (status) return status;
    l->passes++;
    a->loss = pass.value / a->weight;
    for (int64_t i = 0; i < a->p; i++) g[i] /= a->weight;
    *f = a->loss + add_penalty(a, b, g);
    return ML_OK;
}

/* ---- second derivatives ---- */

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
                        (i >= j ? gram[i * q + j] : gram[j * q + i]) / a->weight;
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

/* The direction, and its slope. */
static double find_direction(newton *a)
{
    double slope = 0;
    for (int64_t i = 0; i < a->p; i++) a->direction[i] = -a->g[i];
    mli_cholesky_solve(a->l->rows->ctx, a->p, a->h, a->p, a->direction);
    for (int64_t i = 0; i < a->p; i++) slope += a->g[i] * a->direction[i];
    return slope;
}

/* Goes along the direction, halving the step until the objective falls. *moved is 0 when
 * it does not (then b is as good as it gets). */
static ml_status move(newton *a, double slope, int with_h, int *moved, ml_error *err)
{
    mli_logistic *l = a->l;
    double t = 1, before = mli_logistic_largest(a->g, a->p);
    *moved = 0;
    for (int k = 0; k < HALVINGS; k++, t /= 2) {
        for (int64_t i = 0; i < a->p; i++) a->trial[i] = l->b[i] + t * a->direction[i];
        ml_status status =
            evaluate(a, a->trial, with_h && k == 0, &a->trial_f, a->trial_g, err);
        if (status) return status;
        double noise = 1e-14 * (1 + fabs(a->f));
        int lower = a->trial_f <= a->f + 1e-4 * t * slope;
        int level =
            a->trial_f <= a->f + noise && mli_logistic_largest(a->trial_g, a->p) < before;
        if (!lower && !level) continue;
        memcpy(l->b, a->trial, (size_t)a->p * sizeof *l->b);
        memcpy(a->g, a->trial_g, (size_t)a->p * sizeof *a->g);
        a->f = a->trial_f;
        /* The second derivatives are those of the first try. */
        *moved = k == 0 ? 1 : 2;
        return ML_OK;
    }
    return ML_OK;
}

/* From l->b, whose gradient is known when `known`, until the gradient is small. */
static ml_status iterate(newton *a, double tol, int64_t max_iter, ml_error *err)
{
    mli_logistic *l = a->l;
    int fresh = 1; /* the gram buffer holds the second derivatives at b */
    ml_status status = evaluate(a, l->b, 1, &a->f, a->g, err);
    a->has_factor = 0;
    l->converged = 0;
    for (int64_t k = 0; !status; k++) {
        double before = mli_logistic_largest(a->g, a->p);
        int moved = 0;
        l->gradient = before;
        l->converged = before <= tol;
        if (l->converged || k >= max_iter || !isfinite(before)) break;
        if (a->step == 1) {
            l->iterations = k;
            status = mli_run_step(a->run, "newton", k, max_iter, NAN, err);
            if (status || mli_run_state(a->run) == ML_STOP_KEEP) break;
        }
        if (!a->has_factor && !fresh) {
            status = evaluate(a, l->b, 1, &a->trial_f, a->trial_g, err);
            fresh = 1;
        }
        if (!status && !a->has_factor) status = factorise(a, err);
        if (status) break;
        double slope = find_direction(a);
        /* Far from the solution the next step will need second derivatives of its own. */
        int with_h = slope < -0.01;
        status = move(a, slope, with_h, &moved, err);
        if (status) break;
        if (!moved && fresh) break; /* rounding leaves nothing to gain */
        int good = moved && mli_logistic_largest(a->g, a->p) <= GOOD * before;
        fresh = moved == 1 && with_h;
        if (fresh || !good) a->has_factor = 0;
    }
    return status;
}

/* Rows of the sample: their weight, and whether each class has enough of them. */
static double sample_weight(const newton *a, int64_t step, int *enough)
{
    const mli_rows *r = a->l->rows;
    double weight = 0;
    int64_t rare = 0, counts[64] = {0}, classes = a->l->classes;
    *enough = classes <= 64;
    for (int64_t b = 0; *enough && b < r->n_blocks; b += step) {
        int64_t end = (b + 1) * r->block < r->n ? (b + 1) * r->block : r->n;
        for (int64_t i = b * r->block; i < end; i++) {
            double w = r->weight ? r->weight[i] : 1.0;
            weight += w;
            if (w > 0) counts[a->l->label[i]]++;
        }
    }
    rare = counts[0];
    for (int64_t k = 1; k < classes && *enough; k++)
        if (counts[k] < rare) rare = counts[k];
    *enough = *enough && rare > 5 * r->q && weight > 0;
    return weight;
}

/* Solves on a sample of the blocks; keeps the start when that is no good. */
static ml_status start_from_sample(newton *a, ml_error *err)
{
    mli_logistic *l = a->l;
    int enough = 0;
    int64_t step = l->rows->n_blocks / SAMPLE_BLOCKS;
    if (l->rows->n_blocks < SAMPLE_FROM) return ML_OK;
    double weight = sample_weight(a, step, &enough);
    if (!enough) return ML_OK;
    a->step = step;
    a->weight = weight;
    ml_status status = iterate(a, 1e-3, 8, err);
    a->step = 1;
    a->weight = l->rows->total;
    if (status == ML_E_NUMERIC) status = ML_OK;
    if (!(mli_logistic_largest(l->b, a->p) < 50)) mli_logistic_start(l);
    return status;
}

ml_status mli_logistic_newton(mli_logistic *l, mli_run *run, ml_error *err)
{
    ml_context *ctx = l->rows->ctx;
    int64_t q = l->rows->q, m = l->functions, p = m * q;
    newton a = {.l = l, .run = run, .p = p, .step = 1, .weight = l->rows->total};
    double *vectors = mli_calloc(ctx, (size_t)(4 * p), sizeof *vectors);
    a.h = mli_alloc_vec(ctx, p * p, sizeof *a.h);
    a.gram = mli_alloc_vec(ctx, m * (m + 1) / 2 * q * q, sizeof *a.gram);
    ml_status status = vectors && a.h && a.gram ? ML_OK : mli_nomem(err);
    if (status) goto out;
    a.g = vectors;
    a.direction = a.g + p;
    a.trial = a.direction + p;
    a.trial_g = a.trial + p;
    l->passes = l->iterations = 0;
    mli_logistic_start(l);
    status = start_from_sample(&a, err);
    if (!status) status = iterate(&a, l->tol, l->max_iter, err);
    l->loss = a.loss;
out:
    mli_free(ctx, vectors);
    mli_free(ctx, a.h);
    mli_free(ctx, a.gram);
    return status;
}
