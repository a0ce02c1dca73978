/* SPDX-License-Identifier: MIT
 *
 * linear/least_squares.h: least squares, plain or with squared penalties, by the method
 * that fits the sizes and the condition of the data.
 */
#ifndef MLI_LINEAR_LEAST_SQUARES_H
#define MLI_LINEAR_LEAST_SQUARES_H

#include "algorithms/linear/normal.h"

/* Minimises sum of w (y - b0 - x b)^2 + sum of penalty_j b_j^2. rows: without blocks yet;
 * penalty[p] > 0 in the units of the dense matrix, or NULL. *method is a word for the
 * summary. */
ml_status mli_least_squares(mli_rows *rows, const mli_design *design,
                            const double *penalty, const mli_run *run, mli_ls *out,
                            const char **method, ml_error *err);

/* The target, centered (with an intercept) and multiplied by a power of two so that its
 * largest value is near 1: y' = (y - shift) power. */
typedef struct mli_target {
    double *y; /* [n] */
    double shift, power;
} mli_target;
ml_status mli_target_new(const mli_rows *rows, const mli_design *design, mli_target *out,
                         ml_error *err);

#endif
