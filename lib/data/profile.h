/* SPDX-License-Identifier: MIT
 *
 * data/profile.h: the parts of a profile of a table.
 */
#ifndef MLI_DATA_PROFILE_H
#define MLI_DATA_PROFILE_H

#include "core/params.h"
#include "data/table.h"

extern const mli_descriptor mli_options_profile;

/* How well each column alone predicts the target, [columns], NaN for the target itself
 * and where it is not defined. *classes: whether the target counts as classes. */
ml_status mli_profile_power(const ml_table *table, int64_t target, double *power,
                            int *classes, ml_error *err);
/* Pairs of columns by falling strength, at most `top`; see "options.profile". */
ml_status mli_profile_correlations(const ml_table *table, int64_t top, ml_table **out,
                                   ml_error *err);
/* Rows that are equal to an earlier row. */
ml_status mli_profile_duplicates(const ml_table *table, int64_t *count, ml_error *err);
/* One row: rows, columns, duplicate_rows, missing_percent. */
ml_status mli_profile_summary(const ml_table *table, ml_table **out, ml_error *err);

#endif
