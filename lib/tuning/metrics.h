/* SPDX-License-Identifier: MIT
 *
 * tuning/metrics.h: metrics over plain arrays.
 */
#ifndef MLI_TUNING_METRICS_H
#define MLI_TUNING_METRICS_H

#include "algorithms/model.h"

#define MLI_NEEDS_VALUE 1 /* predicted values */
#define MLI_NEEDS_CLASS 2 /* predicted class indices */
#define MLI_NEEDS_PROBA 3 /* probabilities, rows x classes */

/* What was true, for n rows. A bootstrap sample is a set of weights: how often each row
 * was drawn. */
typedef struct mli_truth {
    int64_t n;
    const double *y;      /* values; NULL for classes */
    const int32_t *label; /* class indices; NULL for values */
    const double *weight; /* NULL for all 1 */
    int64_t n_classes;
    /* [n_classes][n] rows by falling probability of each class, NULL where not known:
     * saves sorting anew for each sample. */
    int64_t *const *order;
} mli_truth;

/* Settings of metrics that have any: see "options.metric". */
typedef struct mli_metric_options {
    int32_t average; /* MLI_AVERAGE_ */
    double quantile; /* of pinball */
} mli_metric_options;
#define MLI_AVERAGE_AUTO     0 /* binary for two classes, else macro */
#define MLI_AVERAGE_BINARY   1
#define MLI_AVERAGE_MACRO    2
#define MLI_AVERAGE_MICRO    3
#define MLI_AVERAGE_WEIGHTED 4

typedef struct mli_metric {
    mli_descriptor head; /* name "metric.roc_auc" */
    int32_t needs;       /* MLI_NEEDS_ */
    int32_t maximize;
    /* prediction: values [n], class indices [n], or probabilities [n * n_classes]. */
    ml_status (*score)(ml_context *ctx, const mli_truth *truth, const double *prediction,
                       const mli_metric_options *options, double *out, ml_error *err);
} mli_metric;

/* By short name ("roc_auc") or alias ("auc"); fails with the nearest name. */
ml_status mli_metric_find(const char *name, const mli_metric **out, ml_error *err);
/* The metric that a task is judged by when none is named. */
const char *mli_metric_default(const mli_inputs *inputs);
/* The usual metrics of a task, separated by commas. */
const char *mli_metric_usual(const mli_inputs *inputs);
/* ML_E_UNSUPPORTED when the metric does not suit the task. */
ml_status mli_metric_fits(const mli_metric *metric, const mli_inputs *inputs,
                          ml_error *err);
/* What a design says of the truth. */
mli_truth mli_truth_of(const mli_design *design);
/* The predictions that a metric needs, in fresh memory (mli_free). */
ml_status mli_metric_predict(const mli_metric *metric, const ml_model *model,
                             const mli_design *design, mli_run *run, double **out,
                             ml_error *err);
/* Scores a model on a design with target. */
ml_status mli_metric_model(const mli_metric *metric, const ml_model *model,
                           const mli_design *design, mli_run *run, double *out,
                           ml_error *err);

/* The metrics are listed in lib/catalog.c. */
extern const mli_descriptor mli_options_metric;

/* Rows by falling probability of class k, ties in order: [n], to be freed. */
int64_t *mli_rank_rows(ml_context *ctx, const mli_truth *truth, const double *proba,
                       int64_t k);

static inline double mli_truth_weight(const mli_truth *t, int64_t row)
{
    return t->weight ? t->weight[row] : 1.0;
}

#endif
