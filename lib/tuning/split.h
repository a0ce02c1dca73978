/* SPDX-License-Identifier: MIT
 *
 * tuning/split.h: splitters: which rows train and which test, fold by fold.
 */
#ifndef MLI_TUNING_SPLIT_H
#define MLI_TUNING_SPLIT_H

#include "core/params.h"
#include "data/table.h"

extern const mli_descriptor mli_options_split;

typedef struct mli_folds {
    ml_context *ctx;
    int64_t n_folds;
    int64_t **train, **test; /* [n_folds] lists of rows, ascending */
    int64_t *n_train, *n_test;
} mli_folds;

/* Options (resolved "options.split"): method holdout, kfold, stratified, group, time;
 * fraction, folds, shuffle, seed, and the columns stratify, group, time. */
ml_status mli_folds_new(const ml_table *table, const ml_params *options, mli_folds **out,
                        ml_error *err);
void mli_folds_free(mli_folds *f);

#endif
