/* SPDX-License-Identifier: MIT
 *
 * prepare/fill.h: what imputers share that fill the numbers of a row from its other
 * numbers: which columns, columns that say what was missing, and their description.
 *
 * Tensors: missing f64 [features], the values missing in training; mean f64 [features],
 * what a column is filled with where nothing better is known.
 */
#ifndef MLI_PREPARE_FILL_H
#define MLI_PREPARE_FILL_H

#include "algorithms/prepare/prepare.h"

#define MLI_FILL_MEAN       f64[0]
#define MLI_FILL_MISSING    f64[1]
#define MLI_FILL_INDICATORS option[0]
#define MLI_FILL_COUNT      size[0] /* picked features */
#define MLI_FILL_LIST       own[0]  /* int64_t [picked]: which */

/* The picked numbers of a design, and their tensors `missing` and `mean`, added. */
typedef struct mli_filling {
    uint8_t *picked;
    int64_t n, *list; /* picked features */
    double *mean, *missing;
} mli_filling;
ml_status mli_fill_start(mli_fit *job, mli_filling *out, ml_error *err);
void mli_fill_end(mli_fit *job, mli_filling *f);

/* Parts of an mli_transformer. Load binds what stands above. */
ml_status mli_fill_load(mli_prepared *t, ml_error *err);
int64_t mli_fill_width(const mli_prepared *t, int64_t feature);
ml_status mli_fill_describe(const mli_prepared *t, int64_t feature, mli_feature *out,
                            ml_error *err);
/* A row as it came, with indicators; values that are missing are left to the caller.
 * Returns how many of the picked are missing. */
int64_t mli_fill_row(const mli_prepared *t, const double *row, double *out);

#define MLI_PARAM_INDICATORS                                                             \
    {                                                                                    \
        "indicators", "add_indicator", ML_PARAM_BOOL, 0, "false", NULL, "{false, true}", \
            NULL,                                                                        \
            "Add a column \"... is missing\" of 0 and 1 for each column with missing "   \
            "values in training.",                                                       \
            "0.1"                                                                        \
    }

#endif
