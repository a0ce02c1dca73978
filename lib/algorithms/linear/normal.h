/* SPDX-License-Identifier: MIT
 *
 * linear/normal.h: least squares by normal equations in double-double arithmetic. The
 * condition number of the columns enters squared, but with 32 digits that leaves more
 * than a QR factorisation in double does, and the rows are read only once.
 */
#ifndef MLI_LINEAR_NORMAL_H
#define MLI_LINEAR_NORMAL_H

#include "algorithms/linear/rows.h"

/* What a least squares fit gives, in terms of the dense matrix. */
typedef struct mli_ls {
    ml_context *ctx;
    int64_t n_columns;
    double *coef; /* [n_columns] */
    double intercept;
    double rss;       /* weighted sum of squared residuals */
    int64_t rank;     /* columns that are not dropped, the intercept included */
    int32_t *dropped; /* [n_columns] 1: a combination of the columns before it */
    int have_error;   /* are the next two known? */
    double
        *variance; /* [n_columns + 1] diagonal of the inverse of X'WX; intercept last */
} mli_ls;

ml_status mli_ls_alloc(ml_context *ctx, int64_t n_columns, mli_ls *out, ml_error *err);
void mli_ls_free(mli_ls *ls);

/* Minimises sum of w (y - b0 - x b)^2 + sum of penalty_j b_j^2. rows: as made by
 * mli_rows_new, without blocks. penalty[p] >= 0 belongs to the columns kept; NULL: none,
 * and then columns that depend on those before them are dropped. */
ml_status mli_normal_solve(const mli_rows *rows, const mli_design *design,
                           const double *penalty, const mli_run *run, mli_ls *out,
                           ml_error *err);
/* Multiply-adds of the above, for the choice of a method. */
double mli_normal_cost(const mli_rows *rows);

#endif
