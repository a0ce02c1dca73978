/* SPDX-License-Identifier: MIT
 *
 * metrics_class.c: metrics of predicted classes, all computed from the weighted confusion
 * matrix: accuracy, balanced accuracy, precision, recall, specificity, F1, kappa (Cohen,
 * "A coefficient of agreement for nominal scales", 1960), and the correlation coefficient
 * of Matthews (for many classes: Gorodkin, "Comparing two K-category assignments by a
 * K-category correlation coefficient", 2004).
 */
#include "tuning/metrics.h"

#include <math.h>

/* counts[k * n_classes + j]: weight of rows of class k predicted as j. */
typedef struct confusion {
    ml_context *ctx;
    int64_t k;
    double *counts, *truth, *predicted; /* [k * k], [k], [k] */
    double total, right;
} confusion;

static ml_status confusion_make(confusion *c, ml_context *ctx, const mli_truth *t,
                                const double *p, ml_error *err)
{
    int64_t k = t->n_classes;
    *c = (confusion){.ctx = ctx, .k = k};
    c->counts = mli_calloc(ctx, (size_t)(k * k + 2 * k), sizeof(double));
    if (!c->counts) return mli_nomem(err);
    c->truth = c->counts + k * k;
    c->predicted = c->truth + k;
    for (int64_t r = 0; r < t->n; r++) {
        int64_t a = t->label[r];
        double w = mli_truth_weight(t, r);
        if (!(p[r] >= 0 && p[r] < (double)k)) {
            mli_fail(err, ML_E_RANGE, "a predicted class is not an index in [0, %lld)",
                     (long long)k);
            mli_free(ctx, c->counts);
            return mli_error_at(err, ML_E_RANGE, "row %lld", (long long)r + 1);
        }
        int64_t b = (int64_t)p[r];
        c->counts[a * k + b] += w;
        c->truth[a] += w;
        c->predicted[b] += w;
        c->total += w;
        if (a == b) c->right += w;
    }
    return ML_OK;
}

static void confusion_free(confusion *c)
{
    mli_free(c->ctx, c->counts);
}

/* 0 / 0 counts as 0, as is usual for precision and recall. */
static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static double recall_of(const confusion *c, int64_t k)
{
    return ratio(c->counts[k * c->k + k], c->truth[k]);
}
static double precision_of(const confusion *c, int64_t k)
{
    return ratio(c->counts[k * c->k + k], c->predicted[k]);
}
static double f1_of(const confusion *c, int64_t k)
{
    return ratio(2 * c->counts[k * c->k + k], c->truth[k] + c->predicted[k]);
}
static double specificity_of(const confusion *c, int64_t k)
{
    double others = c->total - c->truth[k];
    return ratio(others - (c->predicted[k] - c->counts[k * c->k + k]), others);
}

/* Averages a measure over classes. Macro leaves out classes that occur neither in truth
 * nor in prediction. */
static double average(const confusion *c, int32_t how,
                      double (*measure)(const confusion *, int64_t))
{
    if (how == MLI_AVERAGE_AUTO) how = c->k == 2 ? MLI_AVERAGE_BINARY : MLI_AVERAGE_MACRO;
    if (how == MLI_AVERAGE_BINARY && c->k == 2) return measure(c, 1);
    if (how == MLI_AVERAGE_MICRO) return ratio(c->right, c->total);
    double sum = 0, weights = 0;
    for (int64_t k = 0; k < c->k; k++) {
        if (c->truth[k] + c->predicted[k] <= 0) continue;
        double w = how == MLI_AVERAGE_WEIGHTED ? c->truth[k] : 1;
        sum += w * measure(c, k);
        weights += w;
    }
    return ratio(sum, weights);
}

static double value_accuracy(const confusion *c, const mli_metric_options *o)
{
    (void)o;
    return ratio(c->right, c->total);
}
static double value_balanced_accuracy(const confusion *c, const mli_metric_options *o)
{
    (void)o;
    double sum = 0, present = 0;
    for (int64_t k = 0; k < c->k; k++) {
        if (c->truth[k] <= 0) continue;
        sum += recall_of(c, k);
        present += 1;
    }
    return ratio(sum, present);
}
static double value_f1(const confusion *c, const mli_metric_options *o)
{
    return average(c, o->average, f1_of);
}
static double value_precision(const confusion *c, const mli_metric_options *o)
{
    return average(c, o->average, precision_of);
}
static double value_recall(const confusion *c, const mli_metric_options *o)
{
    return average(c, o->average, recall_of);
}
static double value_mcc(const confusion *c, const mli_metric_options *o)
{
    (void)o;
    double product = 0, truth2 = 0, predicted2 = 0, n = c->total;
    for (int64_t k = 0; k < c->k; k++) {
        product += c->truth[k] * c->predicted[k];
        truth2 += c->truth[k] * c->truth[k];
        predicted2 += c->predicted[k] * c->predicted[k];
    }
    double scale = (n * n - truth2) * (n * n - predicted2);
    return scale > 0 ? (c->right * n - product) / sqrt(scale) : 0;
}

static double value_f1_macro(const confusion *c, const mli_metric_options *o)
{
    (void)o;
    return average(c, MLI_AVERAGE_MACRO, f1_of);
}
static double value_f1_weighted(const confusion *c, const mli_metric_options *o)
{
    (void)o;
    return average(c, MLI_AVERAGE_WEIGHTED, f1_of);
}
static double value_precision_macro(const confusion *c, const mli_metric_options *o)
{
    (void)o;
    return average(c, MLI_AVERAGE_MACRO, precision_of);
}
static double value_recall_macro(const confusion *c, const mli_metric_options *o)
{
    (void)o;
    return average(c, MLI_AVERAGE_MACRO, recall_of);
}
static double value_specificity(const confusion *c, const mli_metric_options *o)
{
    if (o->average == MLI_AVERAGE_MICRO) /* a right row is right for each other class */
        return ratio(c->total * (double)(c->k - 2) + c->right,
                     c->total * (double)(c->k - 1));
    return average(c, o->average, specificity_of);
}
static double value_kappa(const confusion *c, const mli_metric_options *o)
{
    (void)o;
    double chance = 0, n = c->total;
    for (int64_t k = 0; k < c->k; k++) chance += c->truth[k] * c->predicted[k];
    return n * n > chance ? (c->right * n - chance) / (n * n - chance) : 0;
}

#define CLASS_METRIC(id, other, heading, text)                                           \
    static ml_status score_##id(ml_context *ctx, const mli_truth *t, const double *p,    \
                                const mli_metric_options *o, double *out, ml_error *err) \
    {                                                                                    \
        confusion c;                                                                     \
        ml_status st = confusion_make(&c, ctx, t, p, err);                               \
        if (st < 0) return st;                                                           \
        *out = value_##id(&c, o);                                                        \
        confusion_free(&c);                                                              \
        return ML_OK;                                                                    \
    }                                                                                    \
    MLI_METRIC(id, other, heading, text, MLI_TASK_CLASSIFICATION, "class",               \
               MLI_NEEDS_CLASS, 1)

CLASS_METRIC(accuracy, "acc,accuracy_score", "accuracy",
             "Share of rows classified right.")
CLASS_METRIC(balanced_accuracy, "balanced_accuracy_score", "balanced accuracy",
             "Mean over the classes of the share of their rows classified right.")
CLASS_METRIC(
    f1, "f1_score", "F1",
    "Harmonic mean of precision and recall: of class 1 for two classes, the mean "
    "over the classes otherwise (see the option average).")
CLASS_METRIC(f1_macro, "F1macro", "F1, mean over the classes",
             "F1 of each class against the rest, their plain mean.")
CLASS_METRIC(f1_weighted, NULL, "F1, mean weighted by class size",
             "F1 of each class against the rest, their mean weighted by class size.")
CLASS_METRIC(kappa, "cohen_kappa,cohen_kappa_score", "Cohen's kappa",
             "Agreement of true and predicted class beyond that of chance, at most 1.")
CLASS_METRIC(
    mcc, "matthews_corrcoef,matthews", "Matthews correlation coefficient",
    "Correlation of true and predicted class, -1 to 1; 0 when either is constant.")
CLASS_METRIC(precision, "precision_score", "precision",
             "Share of rows predicted as a class that belong to it.")
CLASS_METRIC(precision_macro, "PrecisionMacro", "precision, mean over the classes",
             "Precision of each class, their plain mean.")
CLASS_METRIC(recall, "recall_score,sensitivity,tpr", "recall",
             "Share of a class's rows that are predicted as it.")
CLASS_METRIC(recall_macro, "RecallMacro", "recall, mean over the classes",
             "Recall of each class, their plain mean.")
CLASS_METRIC(specificity, "tnr,true_negative_rate", "specificity",
             "Share of the rows of other classes that are not predicted as the class.")
