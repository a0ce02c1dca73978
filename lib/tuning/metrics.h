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

typedef struct mli_truth {
    int64_t n;
    const double *y;      /* values; NULL for classes */
    const int32_t *label; /* class indices; NULL for values */
    const double *weight; /* NULL for all 1 */
    int64_t n_classes;
    const int64_t *rows; /* a subset (bootstrap, fold): indices; NULL: all n */
} mli_truth;

typedef struct mli_metric {
    mli_descriptor head; /* name "metric.roc_auc" */
    int32_t needs;       /* MLI_NEEDS_ */
    int32_t maximize;
    /* prediction: values [n], class indices [n], or probabilities [n * n_classes]. */
    ml_status (*score)(ml_context *ctx, const mli_truth *truth, const double *prediction,
                       const ml_params *options, double *out, ml_error *err);
} mli_metric;

/* By short name ("roc_auc") or alias ("auc"); fails with the nearest name. */
ml_status mli_metric_find(const char *name, const mli_metric **out, ml_error *err);
/* The metric that a task is judged by when none is named. */
const char *mli_metric_default(const mli_inputs *inputs);
/* Scores a model on a design with target. */
ml_status mli_metric_model(const mli_metric *metric, const ml_model *model,
                           const mli_design *design, double *out, ml_error *err);

#endif
