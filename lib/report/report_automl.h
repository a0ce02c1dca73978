/* SPDX-License-Identifier: MIT
 *
 * report/report_automl.h: how a model of automl was found.
 */
#ifndef MLI_REPORT_AUTOML_H
#define MLI_REPORT_AUTOML_H

#include "algorithms/model.h"
#include "core/text.h"

/* Both add nothing for models of other algorithms. */
ml_status mli_report_automl(mli_str *s, const ml_model *m, ml_error *err);
/* Importance of the features, by shuffling them in the rows of a test. */
ml_status mli_report_shuffled(mli_str *s, const ml_model *m, const ml_table *test,
                              ml_error *err);

#endif
