/* SPDX-License-Identifier: MIT
 *
 * data/profile.h: the parts of a profile of a table.
 */
#ifndef MLI_DATA_PROFILE_H
#define MLI_DATA_PROFILE_H

#include "core/params.h"
#include "data/table.h"

extern const mli_descriptor mli_options_profile;

/* What is to be known of each column, flags[columns]: that it tells the target almost by
 * itself; that it identifies rows. */
#define MLI_PROFILE_LEAKS      1u
#define MLI_PROFILE_IDENTIFIES 2u
ml_status mli_profile_flags(const ml_table *table, const char *target, uint32_t *flags,
                            ml_error *err);
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

/* A row per column with its sketch as text, and sketches of the same columns put together
 * (profile_sketch.c). */
ml_status mli_profile_sketch(const ml_table *table, ml_table **out, ml_error *err);
ml_status mli_profile_merge(const ml_table *table, ml_table **out, ml_error *err);
/* Equal numbers of any type have equal keys. Integers that doubles cannot hold are their
 * own key. */
uint64_t mli_number_key(const mli_column *c, int64_t row, double value);

#endif
