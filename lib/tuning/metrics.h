/* SPDX-License-Identifier: MIT
 *
 * tuning/metrics.h: metrics over plain arrays.
 */
#ifndef MLI_TUNING_METRICS_H
#define MLI_TUNING_METRICS_H

#include "algorithms/metric.h"
#include "algorithms/model.h"

/* The metric that a task is judged by when none is named: that of the objective in
 * `params`, which may be NULL, where it has one. */
const char *mli_metric_default(const mli_inputs *inputs, const ml_params *params);
/* The usual metrics of a task and an objective, separated by commas. */
const char *mli_metric_usual(const mli_inputs *inputs, const ml_params *params);
/* ML_E_UNSUPPORTED when the metric does not suit the task. */
ml_status mli_metric_fits(const mli_metric *metric, const mli_inputs *inputs,
                          ml_error *err);
/* What a design says of the truth. */
mli_truth mli_truth_of(const mli_design *design);
/* The kind of prediction that a metric needs. */
const char *mli_metric_kind(const mli_metric *metric);
/* Turns the predicted times of a model into risks where the metric needs those: the
 * shorter a time, the higher the risk. */
void mli_metric_risks(const mli_metric *metric, const ml_model *model, double *p,
                      int64_t n);
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

/* Rows by falling probability of class k, ties in order: [n] twice the row, and 1 more
 * where the probability is that of the one before. To be freed. */
int64_t *mli_rank_rows(ml_context *ctx, const mli_truth *truth, const double *proba,
                       int64_t k);

/* The metric "metric.ID" that score_ID computes. from: what it is computed of, "value"
 * and MLI_NEEDS_; up: the largest is best. */
#define MLI_METRIC(id, other, heading, text, task, from, need, up)                       \
    extern const mli_metric mli_metric_##id;                                             \
    const mli_metric mli_metric_##id = {                                                 \
        .head = {.name = "metric." #id,                                                  \
                 .aliases = other,                                                       \
                 .title = heading,                                                       \
                 .doc = text,                                                            \
                 .family = "metric",                                                     \
                 .since = "0.1",                                                         \
                 .sort = MLI_SORT_METRIC,                                                \
                 .tasks = task,                                                          \
                 .direction = (up) ? "max" : "min",                                      \
                 .needs = from},                                                         \
        .needs = need,                                                                   \
        .maximize = up,                                                                  \
        .score = score_##id,                                                             \
    };
#define MLI_VALUE_METRIC(id, other, heading, text, up)                                   \
    MLI_METRIC(id, other, heading, text, MLI_TASK_REGRESSION, "value", MLI_NEEDS_VALUE,  \
               up)

static inline double mli_truth_weight(const mli_truth *t, int64_t row)
{
    return t->weight ? t->weight[row] : 1.0;
}

#endif
