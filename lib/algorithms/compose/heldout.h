/* SPDX-License-Identifier: MIT
 *
 * compose/heldout.h: what a part predicts for rows that it was not fitted to: the honest
 * input of calibration, thresholds and stacking.
 */
#ifndef MLI_COMPOSE_HELDOUT_H
#define MLI_COMPOSE_HELDOUT_H

#include "algorithms/compose/compose.h"

/* The fold of each row, 0 .. n - 1: shuffled; classes evenly, groups together. */
ml_status mli_heldout_folds(const mli_design *d, int64_t n, uint64_t seed, int32_t *fold,
                            ml_error *err);
/* The rows in a fold (`inside`) or outside of it; *rows by mli_free. */
ml_status mli_heldout_rows(ml_context *ctx, const int32_t *fold, int64_t rows, int32_t k,
                           int inside, int64_t **out, int64_t *count, ml_error *err);
/* out[rows * outputs]: each row by a model fitted to the other folds. The parameters stay
 * as they are, and nothing is added to the whole's model. */
ml_status mli_heldout_predict(mli_fit *whole, const mli_param_part *part,
                              const int32_t *fold, int64_t n, int64_t outputs,
                              double from, double to, double *out, ml_error *err);
/* The same with an algorithm and resolved parameters without roles. */
ml_status mli_heldout_fit(mli_fit *whole, const mli_algorithm *algorithm,
                          const char *name, const ml_params *params, const int32_t *fold,
                          int64_t n, int64_t outputs, double from, double to, double *out,
                          ml_error *err);
/* "proba" or "value", and the number of outputs. */
const char *mli_heldout_kind(const mli_design *d, int64_t *outputs);

#endif
