/* SPDX-License-Identifier: MIT
 *
 * report/report.h: the report's inside. Each section is rendered when it is added.
 */
#ifndef MLI_REPORT_REPORT_H
#define MLI_REPORT_REPORT_H

#include "report/html.h"

#include <ml/report.h>

struct ml_report {
    ml_context *ctx;
    char *title;
    mli_str navigation, body;
    int64_t sections;
};

/* Begins a section. */
void mli_report_section(ml_report *r, const char *title);
/* ML_E_MEMORY when an append has failed since. */
ml_status mli_report_state(const ml_report *r, ml_error *err);

#endif
