/* SPDX-License-Identifier: MIT
 *
 * report/report_study.h: plots of a study over several parameters.
 */
#ifndef MLI_REPORT_REPORT_STUDY_H
#define MLI_REPORT_REPORT_STUDY_H

#include "report/html.h"
#include "tuning/study.h"

void mli_report_parallel(mli_str *s, const ml_study *study);
ml_status mli_report_importance(mli_str *s, const ml_study *study, ml_error *err);
ml_status mli_report_contour(mli_str *s, const ml_study *study, ml_error *err);

#endif
