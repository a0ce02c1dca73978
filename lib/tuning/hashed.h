/* SPDX-License-Identifier: MIT
 *
 * tuning/hashed.h: columns of hashed categories (mli_feature), which rows alone can name.
 */
#ifndef MLI_TUNING_HASHED_H
#define MLI_TUNING_HASHED_H

#include "core/context.h"

typedef struct mli_hashed_row {
    double value;
    int64_t row;
} mli_hashed_row;

/* The rows whose value is not missing, by value, those of a value in their order. *out is
 * the caller's, also when the list is empty. */
ml_status mli_hashed_rows(ml_context *ctx, const double *value, int64_t rows,
                          mli_hashed_row **out, int64_t *n, ml_error *err);

#endif
