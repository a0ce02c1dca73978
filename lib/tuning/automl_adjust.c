/* SPDX-License-Identifier: MIT
 *
 * automl_adjust.c: the probabilities of the chosen candidates, calibrated, and thresholds
 * for them, both from what they predict for rows held out.
 *
 * With "auto" a map is kept only when it lowers the log loss of rows that it was not
 * fitted to, by more than LEAST of it, and does not worsen the metric. Thresholds are
 * kept only when they are better than the most probable class for rows that they were not
 * tuned on; that score is the one told.
 */
#include "algorithms/compose/heldout.h"
#include "algorithms/compose/thresholds.h"
#include "tuning/automl.h"

#include <math.h>
#include <string.h>

#define FOLDS 5
#define LEAST 0.002

/* ---- rows in folds ---- */

/* Rows of one fold (`inside`) or the others, moved to the front of the arrays. */
typedef struct {
    ml_context *ctx;
    double *proba, *weight;
    int32_t *label, *fold; /* fold: of all rows */
    int64_t n;
} sample;

static void sample_free(sample *s)
{
    mli_free(s->ctx, s->proba);
    mli_free(s->ctx, s->weight);
    mli_free(s->ctx, s->label);
    mli_free(s->ctx, s->fold);
}

/* Fails with ML_E_DATA when there are too few rows or groups for folds. */
static ml_status sample_new(const mli_automl *a, sample *s, ml_error *err)
{
    int64_t n = a->judged->rows;
    *s = (sample){.ctx = a->ctx,
                  .proba = mli_alloc_vec(a->ctx, n * a->n_outputs, sizeof(double)),
                  .weight = mli_alloc_vec(a->ctx, n, sizeof(double)),
                  .label = mli_alloc_vec(a->ctx, n, sizeof(int32_t)),
                  .fold = mli_alloc_vec(a->ctx, n, sizeof(int32_t))};
    if (!s->proba || !s->weight || !s->label || !s->fold) return mli_nomem(err);
    return mli_heldout_folds(a->judged, FOLDS, a->seed, s->fold, err);
}

static void gather(const mli_automl *a, sample *s, int32_t f, int inside)
{
    int64_t k = a->n_outputs;
    s->n = 0;
    for (int64_t i = 0; i < a->judged->rows; i++) {
        if ((s->fold[i] == f) != inside) continue;
        memcpy(s->proba + s->n * k, a->combined + i * k, (size_t)k * sizeof(double));
        s->label[s->n] = a->judged->label[i];
        s->weight[s->n++] = a->judged->weight ? a->judged->weight[i] : 1;
    }
}

/* ---- calibration ---- */

/* out: each row by a map fitted to the other folds. ML_E_DATA: there is no time for it.
 */
static ml_status map_held_out(const mli_automl *a, int32_t method, sample *s, double *out,
                              ml_error *err)
{
    ml_status status = ML_OK;
    int64_t k = a->n_outputs;
    double start = mli_now();
    for (int32_t f = 0; f < FOLDS && !status; f++) {
        mli_calibration map;
        int64_t at = 0;
        double one = f ? (mli_now() - start) / f : 0; /* and one of all rows */
        if ((FOLDS + 1 - f) * one > mli_automl_left(a))
            return mli_fail(err, ML_E_DATA, "there is no time to judge the calibration");
        gather(a, s, f, 0);
        status = mli_calibration_fit(a->ctx, method, s->proba, s->label, s->weight, s->n,
                                     k, &map, err);
        if (status) break;
        gather(a, s, f, 1);
        mli_calibration_apply(&map, s->proba, s->n);
        for (int64_t i = 0; i < a->judged->rows; i++)
            if (s->fold[i] == f)
                memcpy(out + i * k, s->proba + k * at++, (size_t)k * sizeof(double));
        mli_calibration_free(&map);
    }
    return status;
}

static ml_status log_loss(const mli_automl *a, const double *proba, double *out,
                          ml_error *err)
{
    static const mli_metric_options plain = MLI_METRIC_USUAL;
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

static ml_status fit_whole(mli_automl *a, int32_t method, ml_error *err)
{
    return mli_calibration_fit(a->ctx, method, a->combined, a->judged->label,
                               a->judged->weight, a->judged->rows, a->n_outputs, &a->map,
                               err);
}

static ml_status fit_map(mli_automl *a, int32_t method, int must, sample *s,
                         ml_error *err)
{
    int64_t n = a->judged->rows, k = a->n_outputs;
    int helps = 1;
    double *mapped = mli_alloc_vec(a->ctx, n * (k + 1), sizeof *mapped);
    if (!mapped) return mli_nomem(err);
    ml_status status = map_held_out(a, method, s, mapped, err);
    if (!status && !must)
        status = maps_help(a, mapped, mapped + n * k, a->score, &helps, err);
    if (!status && helps) status = fit_whole(a, method, err);
    if (!status && helps) {
        memcpy(a->combined, mapped, (size_t)(n * k) * sizeof *mapped);
        status = mli_automl_score(a, mapped, mapped + n * k, &a->score, err);
    }
    mli_free(a->ctx, mapped);
    return status;
}

/* A method that was asked for is fitted even when there are too few rows or groups, or
 * no time, to judge it: the score is then that of what it maps. */
static ml_status calibrate(mli_automl *a, int32_t method, int must, ml_error *err)
{
    sample s;
    ml_status status = sample_new(a, &s, err);
    if (!status) status = fit_map(a, method, must, &s, err);
    if (status == ML_E_DATA && must) status = fit_whole(a, method, err);
    sample_free(&s);
    return must && status ? mli_error_at(err, status, "params.calibration") : status;
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
    ml_status status = calibrate(a, method, !automatic, automatic ? a->failure : err);
    if (status == ML_E_MEMORY) return mli_nomem(err);
    return automatic ? ML_OK : status;
}

/* ---- thresholds ---- */

/* out: the class of each row by thresholds tuned on the other folds. */
static ml_status classes_held_out(const mli_automl *a, const mli_metric *metric,
                                  sample *s, double *cuts, double *out, ml_error *err)
{
    int64_t k = a->n_outputs;
    ml_status status = ML_OK;
    for (int32_t f = 0; f < FOLDS && !status; f++) {
        double score;
        gather(a, s, f, 0);
        const mli_truth truth = {
            .n = s->n, .label = s->label, .weight = s->weight, .n_classes = k};
        status = mli_thresholds_tune(a->ctx, metric, &truth, s->proba, cuts, &score, err);
        for (int64_t i = 0; i < a->judged->rows && !status; i++)
            if (s->fold[i] == f)
                mli_thresholds_apply(a->combined + i * k, 1, k, cuts, out + i);
    }
    return status;
}

/* The scores of the most probable class and of thresholds, for rows held out. room: of
 * the judged rows. */
static ml_status judge_thresholds(const mli_automl *a, const mli_metric *metric,
                                  double *room, double scores[2], ml_error *err)
{
    static const mli_metric_options plain = MLI_METRIC_USUAL;
    sample s;
    int64_t n = a->judged->rows, k = a->n_outputs;
    for (int64_t j = 0; j < k; j++) a->cuts[j] = 1 / (double)k;
    mli_thresholds_apply(a->combined, n, k, a->cuts, room);
    ml_status status = metric->score(a->ctx, &a->truth, room, &plain, &scores[0], err);
    if (status) return status;
    status = sample_new(a, &s, err);
    if (!status) status = classes_held_out(a, metric, &s, a->cuts, room, err);
    if (!status) status = metric->score(a->ctx, &a->truth, room, &plain, &scores[1], err);
    sample_free(&s);
    return status;
}

static ml_status tune(mli_automl *a, const mli_metric *metric, double *room, int *helps,
                      ml_error *err)
{
    double scores[2], tuned;
    ml_status status = judge_thresholds(a, metric, room, scores, err);
    if (status) return status;
    *helps = metric->maximize ? scores[1] > scores[0] : scores[1] < scores[0];
    if (!*helps) return ML_OK;
    if (metric == a->metric) a->score = scores[1];
    return mli_thresholds_tune(a->ctx, metric, &a->truth, a->combined, a->cuts, &tuned,
                               err);
}

ml_status mli_automl_thresholds(mli_automl *a, ml_error *err)
{
    const mli_metric *metric = a->metric;
    const char *name = mli_get_str(a->job->params, "threshold_metric");
    int helps = 0;
    ml_status status = ML_OK;
    if (*name) status = mli_thresholds_metric(name, &metric, err);
    if (status || !a->judged->label || metric->needs != MLI_NEEDS_CLASS) return status;
    a->cuts = mli_alloc_vec(a->ctx, a->n_outputs, sizeof *a->cuts);
    double *room = mli_alloc_vec(a->ctx, a->judged->rows, sizeof *room);
    status = a->cuts && room ? tune(a, metric, room, &helps, a->failure) : ML_E_MEMORY;
    mli_free(a->ctx, room);
    if (status == ML_E_MEMORY) return mli_nomem(err);
    if (*name && (status || !helps))
        mli_log(a->ctx, ML_LOG_WARNING, "automl", "no thresholds for %s: %s", name,
                status ? ml_error_message(a->failure)
                       : "the most probable class is as good for rows held out");
    if (status || !helps) { /* too few rows to tell: the most probable class */
        mli_free(a->ctx, a->cuts);
        a->cuts = NULL;
    }
    return ML_OK;
}
