/* SPDX-License-Identifier: MIT
 *
 * compose/program.h: a program of column operators around members, as graphs of other
 * systems have them: what goes into a member, and what becomes of its predictions.
 *
 * A row has one long list of numbers: each step adds `n` behind those of the steps before
 * it, made of operands that are earlier numbers of the row, or constants of the model.
 * The last step is what the model predicts. So a program has no loops, and cannot fail.
 *
 * Tensors: "program" i32 [steps, MLI_STEP_WORDS], "constants" f64 [constants]. All
 * members are of the one part that the model lists, with its parameters; the tensors of
 * member i are named "<part><i>.<tensor>".
 */
#ifndef MLI_COMPOSE_PROGRAM_H
#define MLI_COMPOSE_PROGRAM_H

#include "algorithms/compose/compose.h"

/* Up to MLI_STEP_ELEMENTWISE number by number, of one to three operands. */
enum {
    MLI_STEP_COPY,
    MLI_STEP_NEG,
    MLI_STEP_ABS,
    MLI_STEP_SIGN,
    MLI_STEP_EXP,
    MLI_STEP_LOG,
    MLI_STEP_SQRT,
    MLI_STEP_SIGMOID,
    MLI_STEP_TANH,
    MLI_STEP_FLOOR,
    MLI_STEP_CEIL,
    MLI_STEP_TRUNC,
    MLI_STEP_NOT,
    MLI_STEP_TRUTH, /* is it another number than 0? */
    MLI_STEP_ISNAN,
    MLI_STEP_ADD, /* two operands */
    MLI_STEP_SUB,
    MLI_STEP_MUL,
    MLI_STEP_DIV,
    MLI_STEP_POW,
    MLI_STEP_MIN,
    MLI_STEP_MAX,
    MLI_STEP_EQ,
    MLI_STEP_LT,
    MLI_STEP_LE,
    MLI_STEP_AND,
    MLI_STEP_OR,
    MLI_STEP_WHERE, /* three operands: b where a, else c */
    MLI_STEP_ELEMENTWISE,
    MLI_STEP_INPUT, /* features p .. p + n - 1 */
    MLI_STEP_PICK,  /* numbers b of a; b: constants */
    MLI_STEP_FETCH, /* the same of numbers b that the row has; else p - 1, or NaN */
    MLI_STEP_MAP,   /* a's place among the constants b: what c has there; else its last */
    MLI_STEP_DOT,   /* a times the matrix b [a, n] of constants; with p: the sums of
                       |a - b| to the p, from each column */
    MLI_STEP_CUMSUM,
    MLI_STEP_TOP, /* the n first numbers of a sorted; p: descending; q: their places */
    /* Of groups: a is [n / q][p][q], and the middle goes away. */
    MLI_STEP_SUM,
    MLI_STEP_PROD,
    MLI_STEP_LEAST,
    MLI_STEP_MOST,
    MLI_STEP_ARGMIN, /* the first */
    MLI_STEP_ARGMAX,
    MLI_STEP_MEMBER, /* what member p predicts for the features a */
    /* Of the classes of which a has a number for each two: how often each has one above
     * 0, or is the second of one that is not. With p = 1 the numbers are probabilities,
     * and so are n / 2 of the result; the others are on the way. */
    MLI_STEP_PAIRS,
    MLI_STEP_COUNT
};

/* Which number of an operand belongs to number j of n. */
enum {
    MLI_SPREAD_NONE, /* j */
    MLI_SPREAD_MOD,  /* j % its size */
    MLI_SPREAD_DIV   /* j / (n / its size) */
};

typedef struct mli_operand {
    int32_t at; /* the first number; below 0: ~at is the first constant */
    int32_t n, spread;
} mli_operand;

typedef struct mli_step {
    int32_t op, round; /* round: the result is a float */
    int32_t n, p, q;
    mli_operand of[3];
} mli_step;

#define MLI_STEP_WORDS 14

/* A program of more is refused. */
#define MLI_STEP_COLUMNS_MAX  (1 << 17) /* numbers of a row */
#define MLI_STEP_TOP_MAX      (1 << 24) /* comparisons of a row to sort some of them */
#define MLI_STEP_FEATURES_MAX (1 << 22) /* of members that do not share them */

/* The number of operands of an operator. */
int mli_step_operands(int32_t op);
/* One number of those up to MLI_STEP_ELEMENTWISE. */
double mli_step_number(int32_t op, double a, double b, double c);
/* Those from MLI_STEP_SUM to MLI_STEP_ARGMAX. */
void mli_step_groups(const mli_step *s, const double *a, double *out);
/* One of MLI_STEP_PAIRS. Returns the numbers that it needs; without `out` nothing else.
 */
int64_t mli_step_pairs(const mli_step *s, const double *a, double *out);
/* Any step but a member, of n rows of `in`: from column `at` on of the `rows`. */
void mli_step_rows(const mli_step *s, const double *constants, const double *in,
                   int64_t n, int64_t stride, double *rows, int64_t columns, int64_t at);
/* The number of an operand that belongs to number j of n. */
int64_t mli_step_spread(const mli_operand *o, int64_t n, int64_t j);
ml_status mli_program_plan(const ml_model *m, const mli_param *list, mli_plan **out,
                           ml_error *err);
ml_status mli_program_check(const ml_model *m, const mli_param *list, ml_error *err);
ml_status mli_program_part(const ml_model *m, const mli_param *list, const char *name,
                           ml_model **out, ml_error *err);

#endif
