/* SPDX-License-Identifier: MIT
 *
 * compose/thresholds.h: which probability makes which class, chosen for a metric.
 */
#ifndef MLI_COMPOSE_THRESHOLDS_H
#define MLI_COMPOSE_THRESHOLDS_H

#include "algorithms/compose/compose.h"
#include "algorithms/metric.h"

/* The metric of that name; fails unless it judges predicted classes. */
ml_status mli_thresholds_metric(const char *name, const mli_metric **out, ml_error *err);
/* The class of each row: that of the largest proba / cuts, the first on a tie. */
void mli_thresholds_apply(const double *proba, int64_t n, int64_t classes,
                          const double *cuts, double *out);
/* cuts[classes], which sum to 1, with the best score of proba[truth->n * classes]; for
 * two classes cuts[1] is the probability from which on it is the second. */
ml_status mli_thresholds_tune(ml_context *ctx, const mli_metric *metric,
                              const mli_truth *truth, const double *proba, double *cuts,
                              double *score, ml_error *err);

#define MLI_THRESHOLDS "class_thresholds" /* the tensor's name */
/* Gives a plan for probabilities the thresholds of its model, if there are any. */
ml_status mli_thresholds_plan(const ml_model *m, mli_plan *plan, ml_error *err);

#endif
