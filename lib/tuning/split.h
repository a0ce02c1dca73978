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

/* What to split by: the same names as in "options.split". */
typedef struct mli_split {
    const char *method; /* auto, holdout, kfold, stratified, group, time */
    double fraction;    /* of a holdout */
    double first;       /* of folds by time: the share that only trains; 0: like a fold */
    int64_t folds;
    int shuffle;
    uint64_t seed;
    const char *stratify, *group, *time; /* columns; "" or NULL: none */
} mli_split;

/* From resolved "options.split". */
mli_split mli_split_of(const ml_params *options);
ml_status mli_folds_new(const ml_table *table, const mli_split *split, mli_folds **out,
                        ml_error *err);
void mli_folds_free(mli_folds *f);

#endif
