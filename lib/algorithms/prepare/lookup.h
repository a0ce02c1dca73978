/* SPDX-License-Identifier: MIT
 *
 * prepare/lookup.h: encoders that give each level of a category a few numbers: a table
 * look-up. Missing values have a row of the table of their own, behind the levels.
 *
 * Tensors: values f64 [entries]: for each picked feature (levels + 1) rows of its width;
 * start i64 [features + 1]: where the rows of each feature begin.
 */
#ifndef MLI_PREPARE_LOOKUP_H
#define MLI_PREPARE_LOOKUP_H

#include "algorithms/prepare/prepare.h"

#define MLI_LOOKUP_VALUES f64[0]
#define MLI_LOOKUP_START  i64[0]

/* For mli_transformer: takes categories only. */
ml_status mli_lookup_load(mli_prepared *t, ml_error *err);
int64_t mli_lookup_width(const mli_prepared *t, int64_t feature);
void mli_lookup_map(const mli_prepared *t, int64_t feature, const double *in,
                    int64_t stride, int64_t n, double *out, int64_t out_stride);

/* Adds both tensors. width(arg, feature) columns per picked feature; fill(arg, feature,
 * table) writes its rows (zeros before). */
typedef struct mli_lookup_maker {
    int64_t (*width)(void *arg, int64_t feature);
    ml_status (*fill)(void *arg, int64_t feature, double *table, ml_error *err);
    void *arg;
} mli_lookup_maker;
ml_status mli_lookup_add(mli_fit *job, const mli_lookup_maker *maker, ml_error *err);

extern const mli_attribute mli_lookup_attributes[];

#endif
