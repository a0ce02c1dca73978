/* SPDX-License-Identifier: MIT
 *
 * prepare/expr.h: expressions over the columns of a row, as SQL writes them:
 *
 *     a / b + 1          arithmetic: + - * / % ^, parentheses
 *     age >= 18 and k = 'x'      comparisons, and, or, not; 'texts' for categories
 *     day >= '2024-01-31', day - '2024-01-31', t < '2024-01-31 08:30:00'   dates, times
 *     k in ('a', 'b'), x between 1 and 2, x is missing, x is not null
 *     if(c, a, b), coalesce(a, b), min(a, b), max(a, b), pow(a, b), abs, sqrt, exp, log,
 *     log1p, log2, log10, floor, ceil, round, sign
 *     "column name" or `column name` for names that are no words
 *
 * Truth is 1 and 0. A missing operand makes the result missing, but where it does not
 * matter (0 and x, 1 or x, coalesce, is missing). An expression is compiled once to a
 * program for a small stack; running it cannot fail, allocate or loop.
 */
#ifndef MLI_PREPARE_EXPR_H
#define MLI_PREPARE_EXPR_H

#include "data/design.h"

typedef struct mli_expr {
    ml_context *ctx;
    int32_t type; /* of the result: ML_DTYPE_F64, ML_TYPE_DATE or ML_TYPE_TIMESTAMP */
    int64_t n, capacity;
    struct mli_expr_op *ops;
    char *text; /* the expression, texts without their quotes' doubles */
} mli_expr;

/* ML_E_PARSE with the place in the text, ML_E_NAME for a column that is not there. */
ml_status mli_expr_new(const mli_inputs *in, const char *text, mli_expr **out,
                       ml_error *err);
void mli_expr_free(mli_expr *e);
double mli_expr_run(const mli_expr *e, const double *row);

#endif
