/* SPDX-License-Identifier: MIT
 *
 * algorithms/metric.h: what a metric is. They are listed in the catalog, so that
 * algorithms can watch any of them while they train; tuning/metrics.h has the rest.
 */
#ifndef MLI_ALGORITHMS_METRIC_H
#define MLI_ALGORITHMS_METRIC_H

#include "core/params.h"

#define MLI_NEEDS_VALUE 1 /* predicted values */
#define MLI_NEEDS_CLASS 2 /* predicted class indices */
#define MLI_NEEDS_PROBA 3 /* probabilities, rows x classes */
#define MLI_NEEDS_RISK  4 /* predicted values, larger where the event is sooner */
#define MLI_NEEDS_COUNT 5

/* What was true, for n rows. A bootstrap sample is a set of weights: how often each row
 * was drawn. */
typedef struct mli_truth {
    int64_t n;
    const double *y;  /* values; NULL for classes */
    const double *ys; /* [n * n_targets] of several targets, or NULL */
    int64_t n_targets;
    const int32_t *label; /* class indices; NULL for values */
    const double *weight; /* NULL for all 1 */
    int64_t n_classes;
    int64_t n_groups;     /* of rankings */
    const int64_t *group; /* [n_groups + 1] first rows; NULL: all rows are one group */
    const double *event;  /* of survival: 0 where the row is censored; NULL */
    /* [n_classes][n] rows by falling probability of each class, NULL where not known:
     * saves sorting anew for each sample. */
    int64_t *const *order;
} mli_truth;

/* Settings of metrics that have any: see "options.metric". */
typedef struct mli_metric_options {
    int32_t average; /* MLI_AVERAGE_ */
    double quantile; /* of pinball */
    double power;    /* of tweedie_deviance */
} mli_metric_options;
#define MLI_AVERAGE_AUTO     0 /* binary for two classes, else macro */
#define MLI_AVERAGE_BINARY   1
#define MLI_AVERAGE_MACRO    2
#define MLI_AVERAGE_MICRO    3
#define MLI_AVERAGE_WEIGHTED 4

/* Those of "options.metric". */
#define MLI_METRIC_USUAL                                                                 \
    {                                                                                    \
        MLI_AVERAGE_AUTO, 0.5, 1.5                                                       \
    }

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
/* The objective of a model, or of the only one of its parts that has any; "": none. In
 * prefix[MLI_PATH_SIZE] comes what its path has before "objective"; may be NULL, as may
 * `params`. */
const char *mli_metric_objective(const ml_params *params, char *prefix);
/* What a model is judged with: the quantile and the power that it is fitted for. `params`
 * may be NULL. */
mli_metric_options mli_metric_options_of(const ml_params *params);
/* What a metric says; of several targets the mean of what it says of each. */
ml_status mli_metric_score(const mli_metric *metric, ml_context *ctx,
                           const mli_truth *truth, const double *prediction,
                           const mli_metric_options *options, double *out, ml_error *err);

#endif
