/* SPDX-License-Identifier: MIT
 *
 * report/report_predictions.h: plots of what a model predicts for a test table.
 */
#ifndef MLI_REPORT_PREDICTIONS_H
#define MLI_REPORT_PREDICTIONS_H

#include "algorithms/model.h"
#include "report/report.h"

ml_status mli_report_predictions(mli_str *s, const ml_model *model, const ml_table *test,
                                 ml_error *err);

#endif
