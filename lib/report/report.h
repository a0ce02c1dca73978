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
    size_t kept_navigation, kept_body; /* sizes before the section that is being added */
};

/* Begins a section. */
void mli_report_section(ml_report *r, const char *title);
/* Ends it. When `st` is a failure, or an append has failed, the section is taken out. */
ml_status mli_report_end_section(ml_report *r, ml_status st, ml_error *err);

#endif
