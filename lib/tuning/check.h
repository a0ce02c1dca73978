/* SPDX-License-Identifier: MIT
 *
 * tuning/check.h: the parts of ml_model_check.
 */
#ifndef MLI_TUNING_CHECK_H
#define MLI_TUNING_CHECK_H

#include "tuning/metrics.h"

typedef struct mli_check {
    ml_context *ctx;
    const ml_model *model, *other; /* other: NULL but for comparisons */
    const ml_table *table;
    const ml_params *params; /* resolved "options.check" */
} mli_check;

extern const mli_descriptor mli_options_check;

/* The methods. Those of the first line look at what the model predicts for the rows, the
 * others fit its algorithm with its parameters anew. */
ml_status mli_check_calibration(const mli_check *x, ml_table **out, ml_error *err);
ml_status mli_check_slices(const mli_check *x, ml_table **out, ml_error *err);
ml_status mli_check_compare(const mli_check *x, ml_table **out, ml_error *err);
ml_status mli_check_folds(const mli_check *x, ml_table **out, ml_error *err);
ml_status mli_check_nested(const mli_check *x, ml_table **out, ml_error *err);
ml_status mli_check_curve(const mli_check *x, ml_table **out, ml_error *err);
ml_status mli_check_compare_folds(const mli_check *x, ml_table **out, ml_error *err);

/* ---- check_folds.c ---- */

/* Training and test rows of folds over the table. */
struct mli_folds;
ml_status mli_check_split(const mli_check *x, const ml_model *m, uint64_t seed,
                          struct mli_folds **out, ml_error *err);
/* Are the folds of the table fitted side by side? */
int mli_check_beside(const mli_check *x);
/* An estimator with what a model was fitted with. */
ml_status mli_check_estimator(const ml_model *m, ml_estimator **out, ml_error *err);
/* The metric of the options, or the usual one of the task. */
ml_status mli_check_metric(const mli_check *x, const ml_model *m, const mli_metric **out,
                           ml_error *err);
/* The score of a model on some rows of the table. */
ml_status mli_check_score(const mli_metric *metric, const ml_model *m,
                          const ml_table *table, const int64_t *rows, int64_t n,
                          double *out, ml_error *err);
/* A model of the estimator fitted to some rows, on any thread. */
ml_status mli_check_fit(const ml_estimator *e, const ml_table *table, const int64_t *rows,
                        int64_t n, ml_model **out, ml_error *err);

/* What a model predicts for the rows of a design: probabilities, or values. */
ml_status mli_check_predict(const ml_model *m, const mli_design *d, double **out,
                            ml_error *err);

#endif
