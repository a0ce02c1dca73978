/* SPDX-License-Identifier: MIT
 *
 * automl_adjust.c: the probabilities of the chosen candidates, calibrated, and thresholds
 * for them, both from what they predict for rows held out.
 *
 * With "auto" a map is kept only when it lowers the log loss of rows that it was not
 * fitted to, by more than LEAST of it, and does not worsen the metric.
 */
#include "algorithms/compose/heldout.h"
#include "algorithms/compose/thresholds.h"
#include "tuning/automl.h"

#include <math.h>
#include <string.h>

#define FOLDS 5
#define LEAST 0.002

/* ---- calibration ---- */

/* Rows of one fold (`inside`) or the others, moved to the front of the arrays. */
typedef struct {
    double *proba, *weight;
    int32_t *label;
    int64_t n;
} sample;

static void gather(const mli_automl *a, const int32_t *fold, int32_t f, int inside,
                   sample *s)
{
    int64_t k = a->n_outputs;
    s->n = 0;
    for (int64_t i = 0; i < a->judged->rows; i++) {
        if ((fold[i] == f) != inside) continue;
        memcpy(s->proba + s->n * k, a->combined + i * k, (size_t)k * sizeof(double));
        s->label[s->n] = a->judged->label[i];
        s->weight[s->n++] = a->judged->weight ? a->judged->weight[i] : 1;
    }
}

static void scatter(const mli_automl *a, const int32_t *fold, int32_t f, const sample *s,
                    double *out)
{
    int64_t k = a->n_outputs, at = 0;
    for (int64_t i = 0; i < a->judged->rows; i++)
        if (fold[i] == f)
            memcpy(out + i * k, s->proba + k * at++, (size_t)k * sizeof(double));
}

/* out: each row by a map fitted to the other folds. */
static ml_status map_held_out(mli_automl *a, int32_t method, sample *s, int32_t *fold,
                              double *out, ml_error *err)
{
    ml_status status = mli_heldout_folds(a->judged, FOLDS, a->seed, fold, err);
    for (int32_t f = 0; f < FOLDS && !status; f++) {
        mli_calibration map;
        gather(a, fold, f, 0, s);
        status = mli_calibration_fit(a->ctx, method, s->proba, s->label, s->weight, s->n,
                                     a->n_outputs, &map, err);
        if (status) break;
        gather(a, fold, f, 1, s);
        mli_calibration_apply(&map, s->proba, s->n);
        scatter(a, fold, f, s, out);
        mli_calibration_free(&map);
    }
    return status;
}

static ml_status held_out_maps(mli_automl *a, int32_t method, double *out, ml_error *err)
{
    int64_t n = a->judged->rows;
    sample s = {.proba = mli_alloc_vec(a->ctx, n * a->n_outputs, sizeof(double)),
                .weight = mli_alloc_vec(a->ctx, n, sizeof(double)),
                .label = mli_alloc_vec(a->ctx, n, sizeof(int32_t))};
    int32_t *fold = mli_alloc_vec(a->ctx, n, sizeof *fold);
    ml_status status = s.proba && s.weight && s.label && fold ? ML_OK : mli_nomem(err);
    if (!status) status = map_held_out(a, method, &s, fold, out, err);
    mli_free(a->ctx, s.proba);
    mli_free(a->ctx, s.weight);
    mli_free(a->ctx, s.label);
    mli_free(a->ctx, fold);
    return status;
}

static ml_status log_loss(const mli_automl *a, const double *proba, double *out,
                          ml_error *err)
{
    static const mli_metric_options plain = {.quantile = 0.5};
    const mli_metric *m;
    ml_status status = mli_metric_find("log_loss", &m, err);
    return status ? status : m->score(a->ctx, &a->truth, proba, &plain, out, err);
}

/* Do maps do better on rows that they were not fitted to? */
static ml_status maps_help(const mli_automl *a, const double *mapped, double *room,
                           double score, int *out, ml_error *err)
{
    double before, after, now;
    ml_status status = log_loss(a, a->combined, &before, err);
    if (!status) status = log_loss(a, mapped, &after, err);
    if (!status) status = mli_automl_score(a, mapped, room, &now, err);
    if (status) return status;
    double slack = fabs(score) * 1e-3; /* ranks of several folds' maps mix a little */
    if (a->metric->maximize) slack = -slack;
    *out = after < (1 - LEAST) * before && !mli_automl_better(a, score + slack, now);
    return ML_OK;
}

static ml_status fit_map(mli_automl *a, int32_t method, int must, ml_error *err)
{
    int64_t n = a->judged->rows, k = a->n_outputs;
    int helps = 1;
    double *mapped = mli_alloc_vec(a->ctx, n * (k + 1), sizeof *mapped);
    if (!mapped) return mli_nomem(err);
    ml_status status = held_out_maps(a, method, mapped, err);
    if (!status && !must)
        status = maps_help(a, mapped, mapped + n * k, a->score, &helps, err);
    if (!status && helps)
        status = mli_calibration_fit(a->ctx, method, a->combined, a->judged->label,
                                     a->judged->weight, n, k, &a->map, err);
    if (!status && helps) {
        memcpy(a->combined, mapped, (size_t)(n * k) * sizeof *mapped);
        status = mli_automl_score(a, mapped, mapped + n * k, &a->score, err);
    }
    mli_free(a->ctx, mapped);
    return status;
}

ml_status mli_automl_calibrate(mli_automl *a, ml_error *err)
{
    const char *name = mli_get_str(a->job->params, "calibration");
    int automatic = strcmp(name, "auto") == 0;
    int32_t method =
        mli_get_enum(a->job->params, "calibration", MLI_CALIBRATE_NAMES ",auto");
    if (!a->judged->label || method == MLI_CALIBRATE_NONE) return ML_OK;
    if (automatic)
        method = a->n_outputs == 2 ? MLI_CALIBRATE_SIGMOID : MLI_CALIBRATE_TEMPERATURE;
    if (automatic && a->judged->rows < 200) return ML_OK;
    ml_status status = fit_map(a, method, !automatic, automatic ? a->failure : err);
    if (status == ML_E_MEMORY) return mli_nomem(err);
    return automatic ? ML_OK : status;
}

/* ---- thresholds ---- */

ml_status mli_automl_thresholds(mli_automl *a, ml_error *err)
{
    const mli_metric *metric = a->metric;
    const char *name = mli_get_str(a->job->params, "threshold_metric");
    double score;
    ml_status status = ML_OK;
    if (*name) status = mli_thresholds_metric(name, &metric, err);
    if (status || !a->judged->label || metric->needs != MLI_NEEDS_CLASS) return status;
    a->cuts = mli_alloc_vec(a->ctx, a->n_outputs, sizeof *a->cuts);
    if (!a->cuts) return mli_nomem(err);
    status =
        mli_thresholds_tune(a->ctx, metric, &a->truth, a->combined, a->cuts, &score, err);
    if (!status && metric == a->metric) a->score = score;
    return status;
}
