/* SPDX-License-Identifier: MIT
 *
 * metrics_proba.c: metrics of predicted probabilities: log loss, Brier score, area under
 * the ROC curve (Hanley, McNeil, "The meaning and use of the area under a receiver
 * operating characteristic curve", 1982) and average precision (area under the
 * precision-recall curve by steps, without interpolation: Davis, Goadrich, 2006), the
 * distance of Kolmogorov and Smirnov, and the expected calibration error (Guo, Pleiss,
 * Sun, Weinberger, "On calibration of modern neural networks", 2017).
 */
#include "tuning/metrics.h"
#include "core/radix.h"

#include <float.h>
#include <math.h>

/* A class's rows in the order of its ranking, and their weight on each side. */
typedef struct ranking {
    int64_t n, k;
    const int64_t *order; /* mli_rank_rows */
    const mli_truth *truth;
    double positive, negative; /* sums */
} ranking;

int64_t *mli_rank_rows(ml_context *ctx, const mli_truth *t, const double *proba,
                       int64_t k)
{
    int64_t n = t->n, found = 0;
    double *falling = mli_alloc_vec(ctx, n, sizeof *falling);
    uint64_t *words = mli_alloc_vec(ctx, 2 * n, sizeof *words);
    int64_t *order = mli_alloc_vec(ctx, n, sizeof *order);
    if (falling && words && order && n <= UINT32_MAX) {
        for (int64_t r = 0; r < n; r++) {
            double p = proba[r * t->n_classes + k];
            falling[r] = isnan(p) ? INFINITY : -p;
        }
        const uint64_t *sorted =
            mli_radix_order_f64(falling, n, words, words + n, &found);
        for (int64_t i = 0; i < n; i++) {
            int64_t r = (int64_t)(sorted[i] & UINT32_MAX);
            int tied = i > 0 && falling[r] == falling[order[i - 1] / 2];
            order[i] = 2 * r + tied;
        }
    } else {
        mli_free(ctx, order);
        order = NULL;
    }
    mli_free(ctx, falling);
    mli_free(ctx, words);
    return order;
}

/* Weights of the rows from place *i on that have the same score; moves *i past them. */
static void next_tie(const ranking *g, int64_t *i, double *positive, double *negative)
{
    *positive = *negative = 0;
    do {
        int64_t r = g->order[*i] / 2;
        double w = mli_truth_weight(g->truth, r);
        if (g->truth->label[r] == g->k)
            *positive += w;
        else
            *negative += w;
    } while (++*i < g->n && g->order[*i] % 2);
}

/* Area under the ROC curve: ties count half. */
static double roc_area(const ranking *g)
{
    double area = 0, seen = 0, tp, fp;
    for (int64_t i = 0; i < g->n;) {
        next_tie(g, &i, &tp, &fp);
        area += fp * (seen + tp / 2);
        seen += tp;
    }
    return area / (g->positive * g->negative);
}

/* Sum of precision times the step in recall. */
static double pr_area(const ranking *g)
{
    double area = 0, hits = 0, all = 0, tp, fp;
    for (int64_t i = 0; i < g->n;) {
        next_tie(g, &i, &tp, &fp);
        hits += tp;
        all += tp + fp;
        if (all > 0) area += tp * (hits / all);
    }
    return area / g->positive;
}

/* The largest distance of the two classes' distributions of the score. */
static double largest_distance(const ranking *g)
{
    double best = 0, hits = 0, misses = 0, tp, fp;
    for (int64_t i = 0; i < g->n;) {
        next_tie(g, &i, &tp, &fp);
        hits += tp;
        misses += fp;
        best = fmax(best, fabs(hits / g->positive - misses / g->negative));
    }
    return best;
}

/* The area of class k; NaN when it does not occur or nothing else does. weights: of the
 * classes. */
static ml_status area_of_class(ml_context *ctx, const mli_truth *t, const double *p,
                               int64_t k, const double *weights,
                               double (*area)(const ranking *), double *out,
                               ml_error *err)
{
    int64_t *own = NULL;
    ranking g = {.n = t->n, .k = k, .truth = t, .positive = weights[k]};
    *out = NAN;
    for (int64_t c = 0; c < t->n_classes; c++) g.negative += c == k ? 0 : weights[c];
    if (!(g.positive > 0 && g.negative > 0)) return ML_OK;
    g.order = t->order ? t->order[k] : NULL;
    if (!g.order) g.order = own = mli_rank_rows(ctx, t, p, k);
    if (!g.order) return mli_nomem(err);
    *out = area(&g);
    mli_free(ctx, own);
    return ML_OK;
}

/* For two classes the area of class 1, else the mean of one class against the rest over
 * the classes that occur. */
static ml_status score_area(ml_context *ctx, const mli_truth *t, const double *p,
                            const char *name, double (*area)(const ranking *),
                            double *out, ml_error *err)
{
    double sum = 0, count = 0, value;
    double *weights = mli_calloc(ctx, (size_t)t->n_classes, sizeof *weights);
    ml_status st = weights ? ML_OK : mli_nomem(err);
    for (int64_t r = 0; r < t->n && weights; r++)
        weights[t->label[r]] += mli_truth_weight(t, r);
    for (int64_t k = t->n_classes == 2; k < t->n_classes && st >= 0; k++) {
        st = area_of_class(ctx, t, p, k, weights, area, &value, err);
        if (st < 0 || isnan(value)) continue;
        sum += value;
        count += 1;
    }
    mli_free(ctx, weights);
    if (st < 0) return st;
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

static ml_status score_ks(ml_context *ctx, const mli_truth *t, const double *p,
                          const mli_metric_options *o, double *out, ml_error *err)
{
    (void)o;
    return score_area(ctx, t, p, "ks", largest_distance, out, err);
}

/* By probability of the predicted class, in BINS equal parts of [0, 1]. */
static ml_status score_calibration_error(ml_context *ctx, const mli_truth *t,
                                         const double *p, const mli_metric_options *o,
                                         double *out, ml_error *err)
{
    enum { BINS = 15 };
    (void)ctx, (void)o, (void)err;
    double gap[BINS] = {0}, weights = 0, sum = 0;
    for (int64_t r = 0; r < t->n; r++) {
        const double *row = p + r * t->n_classes;
        double w = mli_truth_weight(t, r);
        int64_t best = 0;
        for (int64_t k = 1; k < t->n_classes; k++)
            if (row[k] > row[best]) best = k;
        int bin = (int)(fmin(fmax(row[best], 0), 1) * BINS);
        if (bin == BINS) bin--; /* the last bin has 1 too */
        gap[bin] += w * (row[best] - (t->label[r] == best));
        weights += w;
    }
    for (int b = 0; b < BINS; b++) sum += fabs(gap[b]);
    *out = sum / weights;
    return ML_OK;
}

static ml_status score_log_loss(ml_context *ctx, const mli_truth *t, const double *p,
                                const mli_metric_options *o, double *out, ml_error *err)
{
    (void)ctx, (void)o, (void)err;
    double sum = 0, weights = 0;
    for (int64_t r = 0; r < t->n; r++) {
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
    for (int64_t r = 0; r < t->n; r++) {
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

#define PROBA_METRIC(id, other, heading, text, up)                                       \
    MLI_METRIC(id, other, heading, text, MLI_TASK_CLASSIFICATION, "proba",               \
               MLI_NEEDS_PROBA, up)

PROBA_METRIC(brier, "brier_score_loss,brier_score,neg_brier_score", "Brier score",
             "Mean squared distance of probability and outcome: of class 1 for two "
             "classes, summed over the classes otherwise.",
             0)
PROBA_METRIC(calibration_error, "ece,expected_calibration_error",
             "expected calibration error",
             "Mean distance of the predicted class's probability from the share of rows "
             "classified right, in 15 equal bins of that probability.",
             0)
PROBA_METRIC(ks, "kolmogorov_smirnov", "Kolmogorov-Smirnov distance",
             "Largest distance of the distributions of a class's probability in its rows "
             "and in the others; for more than two classes the mean over the classes.",
             1)
PROBA_METRIC(log_loss, "logloss,cross_entropy,binary_logloss,multi_logloss,neg_log_loss",
             "log loss", "Mean of minus the logarithm of the true class's probability.",
             0)
PROBA_METRIC(
    pr_auc, "average_precision,aucpr,auprc", "area under the precision-recall curve",
    "Average precision, by steps without interpolation; for more than two classes "
    "the mean over the classes, each against the rest.",
    1)
PROBA_METRIC(
    roc_auc, "auc,roc_auc_score,auroc", "area under the ROC curve",
    "Probability that a row of the class ranks above one of the others, ties "
    "half; for more than two classes the mean over the classes, each against the "
    "rest.",
    1)
