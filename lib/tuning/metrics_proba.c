/* SPDX-License-Identifier: MIT
 *
 * metrics_proba.c: metrics of predicted probabilities: log loss, Brier score, area under
 * the ROC curve (Hanley, McNeil, "The meaning and use of the area under a receiver
 * operating characteristic curve", 1982) and average precision (area under the
 * precision-recall curve by steps, without interpolation: Davis, Goadrich, 2006).
 */
#include "tuning/metrics.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* One row in the ranking of a class: its score and the weight on each side. */
typedef struct ranked {
    double score, positive, negative;
} ranked;

static int by_score_falling(const void *a, const void *b)
{
    double x = ((const ranked *)a)->score, y = ((const ranked *)b)->score;
    return (x < y) - (x > y);
}

/* Rows ranked by the probability of class k. */
static ranked *rank_rows(ml_context *ctx, const mli_truth *t, const double *p, int64_t k,
                         double *positive, double *negative)
{
    ranked *rows = mli_alloc_vec(ctx, t->n, sizeof *rows);
    if (!rows) return NULL;
    *positive = *negative = 0;
    for (int64_t i = 0; i < t->n; i++) {
        int64_t r = mli_truth_row(t, i);
        double w = mli_truth_weight(t, r);
        int hit = t->label[r] == k;
        rows[i] = (ranked){p[r * t->n_classes + k], hit ? w : 0, hit ? 0 : w};
        *positive += rows[i].positive;
        *negative += rows[i].negative;
    }
    qsort(rows, (size_t)t->n, sizeof *rows, by_score_falling);
    return rows;
}

/* Area under the ROC curve: ties count half. */
static double roc_area(const ranked *rows, int64_t n, double positive, double negative)
{
    double area = 0, seen = 0;
    for (int64_t i = 0; i < n;) {
        double tp = 0, fp = 0;
        int64_t j = i;
        for (; j < n && rows[j].score == rows[i].score; j++) {
            tp += rows[j].positive;
            fp += rows[j].negative;
        }
        area += fp * (seen + tp / 2);
        seen += tp;
        i = j;
    }
    return area / (positive * negative);
}

/* Sum of precision times the step in recall. */
static double pr_area(const ranked *rows, int64_t n, double positive, double negative)
{
    (void)negative;
    double area = 0, tp = 0, all = 0;
    for (int64_t i = 0; i < n;) {
        double step = 0;
        int64_t j = i;
        for (; j < n && rows[j].score == rows[i].score; j++) {
            step += rows[j].positive;
            all += rows[j].positive + rows[j].negative;
        }
        tp += step;
        if (all > 0) area += step * (tp / all);
        i = j;
    }
    return area / positive;
}

typedef double (*area_fn)(const ranked *rows, int64_t n, double positive,
                          double negative);

/* For two classes the area of class 1, else the mean of one class against the rest over
 * the classes that occur. */
static ml_status score_area(ml_context *ctx, const mli_truth *t, const double *p,
                            const char *name, area_fn area, double *out, ml_error *err)
{
    double sum = 0, count = 0;
    for (int64_t k = t->n_classes == 2 ? 1 : 0; k < t->n_classes; k++) {
        double positive, negative;
        ranked *rows = rank_rows(ctx, t, p, k, &positive, &negative);
        if (!rows) return mli_nomem(err);
        if (positive > 0 && negative > 0) {
            sum += area(rows, t->n, positive, negative);
            count += 1;
        }
        mli_free(ctx, rows);
    }
    if (count == 0) {
        mli_fail(err, ML_E_DATA, "%s needs rows of at least two classes", name);
        return mli_error_hint(err, ML_E_DATA, "use log_loss or accuracy, or more rows");
    }
    *out = sum / count;
    return ML_OK;
}

static ml_status score_roc_auc(ml_context *ctx, const mli_truth *t, const double *p,
                               const mli_metric_options *o, double *out, ml_error *err)
{
    (void)o;
    return score_area(ctx, t, p, "roc_auc", roc_area, out, err);
}
static ml_status score_pr_auc(ml_context *ctx, const mli_truth *t, const double *p,
                              const mli_metric_options *o, double *out, ml_error *err)
{
    (void)o;
    return score_area(ctx, t, p, "pr_auc", pr_area, out, err);
}

static ml_status score_log_loss(ml_context *ctx, const mli_truth *t, const double *p,
                                const mli_metric_options *o, double *out, ml_error *err)
{
    (void)ctx, (void)o, (void)err;
    double sum = 0, weights = 0;
    for (int64_t i = 0; i < t->n; i++) {
        int64_t r = mli_truth_row(t, i);
        double w = mli_truth_weight(t, r), q = p[r * t->n_classes + t->label[r]];
        /* A probability of 0 would make the loss infinite for one row. */
        if (q < DBL_EPSILON) q = DBL_EPSILON;
        if (q > 1 - DBL_EPSILON) q = 1 - DBL_EPSILON;
        sum -= w * log(q);
        weights += w;
    }
    *out = sum / weights;
    return ML_OK;
}

static ml_status score_brier(ml_context *ctx, const mli_truth *t, const double *p,
                             const mli_metric_options *o, double *out, ml_error *err)
{
    (void)ctx, (void)o, (void)err;
    double sum = 0, weights = 0;
    int64_t first = t->n_classes == 2 ? 1 : 0;
    for (int64_t i = 0; i < t->n; i++) {
        int64_t r = mli_truth_row(t, i);
        double w = mli_truth_weight(t, r), row = 0;
        for (int64_t k = first; k < t->n_classes; k++) {
            double d = p[r * t->n_classes + k] - (t->label[r] == k);
            row += d * d;
        }
        sum += w * row;
        weights += w;
    }
    *out = sum / weights;
    return ML_OK;
}

#define PROBA_METRIC(id, other, heading, text, best, up)                                 \
    extern const mli_metric mli_metric_##id;                                             \
    const mli_metric mli_metric_##id = {                                                 \
        .head = {.name = "metric." #id,                                                  \
                 .aliases = other,                                                       \
                 .title = heading,                                                       \
                 .doc = text,                                                            \
                 .family = "metric",                                                     \
                 .since = "0.1",                                                         \
                 .sort = MLI_SORT_METRIC,                                                \
                 .tasks = MLI_TASK_CLASSIFICATION,                                       \
                 .direction = best,                                                      \
                 .needs = "proba"},                                                      \
        .needs = MLI_NEEDS_PROBA,                                                        \
        .maximize = up,                                                                  \
        .score = score_##id,                                                             \
    };

PROBA_METRIC(brier, "brier_score_loss,brier_score,neg_brier_score", "Brier score",
             "Mean squared distance of probability and outcome: of class 1 for two "
             "classes, summed over the classes otherwise.",
             "min", 0)
PROBA_METRIC(log_loss, "logloss,cross_entropy,binary_logloss,multi_logloss,neg_log_loss",
             "log loss", "Mean of minus the logarithm of the true class's probability.",
             "min", 0)
PROBA_METRIC(
    pr_auc, "average_precision,aucpr,auprc", "area under the precision-recall curve",
    "Average precision, by steps without interpolation; for more than two classes "
    "the mean over the classes, each against the rest.",
    "max", 1)
PROBA_METRIC(
    roc_auc, "auc,roc_auc_score,auroc", "area under the ROC curve",
    "Probability that a row of the class ranks above one of the others, ties "
    "half; for more than two classes the mean over the classes, each against the "
    "rest.",
    "max", 1)
