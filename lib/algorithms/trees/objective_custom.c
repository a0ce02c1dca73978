/* SPDX-License-Identifier: MIT
 *
 * trees/objective_custom.c: objectives and metrics that are functions of the caller. They
 * see plain arrays of doubles, rows by outputs, and run on the thread of the fit.
 */
#include "algorithms/trees/objective.h"
#include <math.h>

/* What both functions are given. */
typedef struct asking {
    ml_context *ctx;
    double *labels, *scores, *out; /* out: gradients, then hessians */
    const double *y;
    int64_t rows, outputs;
} asking;

static void asking_free(asking *a)
{
    mli_free(a->ctx, a->labels);
    mli_free(a->ctx, a->scores);
    mli_free(a->ctx, a->out);
}

static ml_status ask(asking *a, ml_context *ctx, const mli_objective *o,
                     const mli_targets *t, const double *score, int gradients,
                     ml_error *err)
{
    int64_t cells = t->rows * o->n_scores;
    *a = (asking){.ctx = ctx, .y = t->y, .rows = t->rows, .outputs = o->n_scores};
    a->scores = mli_alloc_vec(ctx, cells, sizeof *a->scores);
    if (gradients) a->out = mli_alloc_vec(ctx, 2 * cells, sizeof *a->out);
    if (t->label) a->labels = mli_alloc_vec(ctx, t->rows, sizeof *a->labels);
    if (!a->scores || (gradients && !a->out) || (t->label && !a->labels))
        return mli_nomem(err);
    for (int64_t i = 0; t->label && i < t->rows; i++) a->labels[i] = t->label[i];
    if (t->label) a->y = a->labels;
    for (int64_t i = 0; i < t->rows; i++)
        for (int64_t k = 0; k < o->n_scores; k++)
            a->scores[i * o->n_scores + k] = score[k * t->rows + i];
    /* What the caller leaves out is found. */
    for (int64_t i = 0; gradients && i < 2 * cells; i++) a->out[i] = NAN;
    return ML_OK;
}

static ml_status refused(const char *what, ml_error *err)
{
    mli_fail(err, ML_E_CALLBACK, "the caller's %s failed", what);
    return mli_error_hint(err, ML_E_CALLBACK, "it must return 0");
}

static ml_status take(const asking *a, const mli_targets *t, float *gh, ml_error *err)
{
    const double *g = a->out, *h = a->out + a->rows * a->outputs;
    for (int64_t i = 0; i < a->rows; i++) {
        for (int64_t k = 0; k < a->outputs; k++) {
            int64_t at = i * a->outputs + k;
            if (!isfinite(g[at]) || !(h[at] >= 0) || isinf(h[at])) {
                mli_fail(err, ML_E_CALLBACK,
                         "the caller's objective gave the gradient %s and the hessian %s "
                         "for row %lld",
                         MLI_NUM(g[at]), MLI_NUM(h[at]), (long long)i + 1);
                return mli_error_hint(err, ML_E_CALLBACK,
                                      "both must be finite, hessians at least 0");
            }
            mli_put_gradient(gh + 2 * (k * a->rows + i), t->weight ? t->weight[i] : 1,
                             g[at], h[at]);
        }
    }
    return ML_OK;
}

ml_status mli_custom_gradients(ml_context *ctx, const mli_objective *o,
                               const mli_targets *t, const double *score, float *gh,
                               ml_error *err)
{
    asking a;
    if (!o->hooks || !o->hooks->objective) {
        mli_fail(err, ML_E_ARGUMENT, "objective custom needs a function");
        mli_error_at(err, ML_E_ARGUMENT, "params.objective");
        return mli_error_hint(err, ML_E_ARGUMENT, "see ml_estimator_set_objective");
    }
    ml_status status = ask(&a, ctx, o, t, score, 1, err);
    if (status == ML_OK &&
        o->hooks->objective(a.rows, a.outputs, a.y, t->weight, a.scores, a.out,
                            a.out + a.rows * a.outputs, o->hooks->objective_user) != 0)
        status = refused("objective", err);
    if (status == ML_OK) status = take(&a, t, gh, err);
    asking_free(&a);
    return status;
}

ml_status mli_custom_metric(ml_context *ctx, const mli_objective *o, const mli_targets *t,
                            const double *score, double *out, ml_error *err)
{
    asking a;
    ml_status status = ask(&a, ctx, o, t, score, 0, err);
    *out = NAN;
    if (status == ML_OK && o->hooks->metric(a.rows, a.outputs, a.y, t->weight, a.scores,
                                            out, o->hooks->metric_user) != 0)
        status = refused("metric", err);
    if (status == ML_OK && isnan(*out))
        status = mli_fail(err, ML_E_CALLBACK, "the caller's metric gave nan");
    asking_free(&a);
    return status;
}
