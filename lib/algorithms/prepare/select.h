/* SPDX-License-Identifier: MIT
 *
 * prepare/select.h: what the algorithms share that leave columns out. Their tensor kept
 * f64 [features] is 1 for the columns that stay.
 */
#ifndef MLI_PREPARE_SELECT_H
#define MLI_PREPARE_SELECT_H

#include "algorithms/prepare/prepare.h"

/* Hands on the columns that are kept. */
extern const mli_transformer mli_select_kept;
ml_status mli_select_plan(const ml_model *m, const char *name, mli_plan **out,
                          ml_error *err);
ml_status mli_select_outputs(const ml_model *m, mli_inputs **out, ml_error *err);

/* Raises *from to the score of the k-th best of n; k = 0, or fewer scores: as it is. */
ml_status mli_select_best(ml_context *ctx, const double *score, int64_t n, int64_t k,
                          double *from, ml_error *err);

/* Fits the trees of that name, `n_trees` of them, to a design; max_depth 0: their own. */
ml_status mli_select_fit(mli_fit *job, const char *trees, int64_t max_depth,
                         uint64_t seed, const mli_design *design, mli_run *run,
                         ml_model **out, ml_error *err);

#endif
