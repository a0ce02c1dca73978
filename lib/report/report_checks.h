/* SPDX-License-Identifier: MIT
 *
 * report/report_checks.h: what the report says of model checks.
 */
#ifndef MLI_REPORT_CHECKS_H
#define MLI_REPORT_CHECKS_H

#include "algorithms/model.h"

/* The plot of a table that ml_model_check made, where it is one; nothing for others. */
void mli_report_check(mli_str *s, const ml_table *t);
/* A table of scores with what each metric is; *out is NULL for other tables. */
ml_status mli_report_explain(const ml_table *t, ml_table **out, ml_error *err);
/* Calibration error and worst slices of a model. */
ml_status mli_report_model_checks(mli_str *s, const ml_model *m, const ml_table *test,
                                  ml_error *err);

#endif
