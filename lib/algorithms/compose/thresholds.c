/* SPDX-License-Identifier: MIT
 *
 * compose/thresholds.c: the search for thresholds.
 *
 * Two classes: thresholds between neighbouring probabilities are tried, at most CUTS of
 * them, and of a stretch of equally good ones the middle is taken. More classes: one
 * class after the other gets the factor that is best while the others stay, until nothing
 * improves (coordinate ascent).
 * Cost: at most CUTS scores for two classes, PASSES * classes * STEPS for more.
 */
#include "algorithms/compose/thresholds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CUTS   256
#define PASSES 3
#define STEPS  17

ml_status mli_thresholds_metric(const char *name, const mli_metric **out, ml_error *err)
{
    ml_status status = mli_metric_find(name, out, err);
    if (status || (*out)->needs == MLI_NEEDS_CLASS) return status;
    mli_fail(err, ML_E_ARGUMENT, "%s does not judge predicted classes", name);
    return mli_error_hint(err, ML_E_ARGUMENT,
                          "name one that does: f1, balanced_accuracy, accuracy, mcc");
}

void mli_thresholds_apply(const double *proba, int64_t n, int64_t classes,
                          const double *cuts, double *out)
{
    for (int64_t i = 0; i < n; i++) {
        const double *p = proba + i * classes;
        int64_t best = 0;
        for (int64_t k = 1; k < classes; k++)
            if (p[k] / cuts[k] > p[best] / cuts[best]) best = k;
        out[i] = (double)best;
    }
}

typedef struct {
    ml_context *ctx;
    const mli_metric *metric;
    const mli_truth *truth;
    const double *proba;
    double *room; /* [rows] */
} tuning;

static const mli_metric_options plain = MLI_METRIC_USUAL;

static int better(const tuning *t, double x, double y)
{
    if (isnan(x) || isnan(y)) return isnan(y) && !isnan(x);
    return t->metric->maximize ? x > y : x < y;
}

static ml_status score(const tuning *t, const double *cuts, double *out, ml_error *err)
{
    mli_thresholds_apply(t->proba, t->truth->n, t->truth->n_classes, cuts, t->room);
    return t->metric->score(t->ctx, t->truth, t->room, &plain, out, err);
}

/* ---- two classes ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Middles between neighbouring probabilities of the second class, thinned. */
static int64_t candidates(const tuning *t, double *sorted, double out[CUTS])
{
    int64_t rows = t->truth->n, n = 0, distinct = 1;
    for (int64_t i = 0; i < rows; i++) sorted[i] = t->proba[2 * i + 1];
    qsort(sorted, (size_t)rows, sizeof *sorted, ascending);
    for (int64_t i = 1; i < rows; i++)
        if (sorted[i] != sorted[distinct - 1]) sorted[distinct++] = sorted[i];
    int64_t gaps = distinct - 1, most = gaps < CUTS ? gaps : CUTS;
    for (int64_t i = 0; i < most; i++) {
        int64_t g = gaps <= CUTS ? i : (2 * i + 1) * gaps / (2 * CUTS);
        double cut = sorted[g] + (sorted[g + 1] - sorted[g]) / 2;
        if (cut > 1e-9 && cut < 1 - 1e-9) out[n++] = cut;
    }
    return n;
}

static ml_status tune_two(tuning *t, double *cuts, double *best, ml_error *err)
{
    double tried[CUTS], scores[CUTS];
    int64_t n = candidates(t, t->room, tried), first = -1, last = -1;
    for (int64_t i = 0; i < n; i++) {
        double pair[2] = {1 - tried[i], tried[i]};
        ml_status status = score(t, pair, &scores[i], err);
        if (status) return status;
        if (!better(t, scores[i], *best)) continue;
        *best = scores[i];
        first = i;
    }
    for (last = first; first >= 0 && last + 1 < n && scores[last + 1] == *best;) last++;
    if (first >= 0) cuts[1] = tried[first + (last - first) / 2];
    cuts[0] = 1 - cuts[1];
    return ML_OK;
}

/* ---- more classes ---- */

/* The best factor of one class while the others stay. */
static ml_status tune_class(tuning *t, int64_t k, double *cuts, double *best,
                            ml_error *err)
{
    double was = cuts[k], kept = was, now;
    for (int step = 0; step < STEPS; step++) {
        cuts[k] = was * exp2((step - STEPS / 2) / 4.0);
        ml_status status = score(t, cuts, &now, err);
        if (status) return status;
        if (!better(t, now, *best)) continue;
        *best = now;
        kept = cuts[k];
    }
    cuts[k] = kept;
    return ML_OK;
}

static ml_status tune_many(tuning *t, double *cuts, double *best, ml_error *err)
{
    int64_t classes = t->truth->n_classes;
    for (int pass = 0; pass < PASSES; pass++) {
        double before = *best, sum = 0;
        for (int64_t k = 0; k < classes; k++) {
            ml_status status = tune_class(t, k, cuts, best, err);
            if (status) return status;
        }
        for (int64_t k = 0; k < classes; k++) sum += cuts[k];
        for (int64_t k = 0; k < classes; k++) cuts[k] /= sum;
        if (!better(t, *best, before)) break;
    }
    return ML_OK;
}

ml_status mli_thresholds_tune(ml_context *ctx, const mli_metric *metric,
                              const mli_truth *truth, const double *proba, double *cuts,
                              double *out, ml_error *err)
{
    tuning t = {.ctx = ctx, .metric = metric, .truth = truth, .proba = proba};
    int64_t classes = truth->n_classes;
    for (int64_t k = 0; k < classes; k++) cuts[k] = 1 / (double)classes;
    t.room = mli_alloc_vec(ctx, truth->n, sizeof *t.room);
    if (!t.room) return mli_nomem(err);
    ml_status status = score(&t, cuts, out, err);
    if (!status)
        status =
            classes == 2 ? tune_two(&t, cuts, out, err) : tune_many(&t, cuts, out, err);
    mli_free(ctx, t.room);
    return status;
}

/* ---- the model ---- */

ml_status mli_thresholds_plan(const ml_model *m, mli_plan *plan, ml_error *err)
{
    const double *cuts = NULL;
    int64_t n = plan->n_outputs;
    if (!mli_model_find(m, MLI_THRESHOLDS)) return ML_OK;
    ml_status status = mli_model_want(m, MLI_THRESHOLDS, ML_DTYPE_F64, 1, &n, &cuts, err);
    for (int64_t k = 0; k < n && !status; k++)
        if (!(cuts[k] > 0 && cuts[k] <= 1))
            status = mli_fail(err, ML_E_FORMAT, "a threshold is not in (0, 1]");
    if (!status) plan->cuts = cuts;
    return status;
}
