/* SPDX-License-Identifier: MIT
 *
 * prepare/expr_code.h: the program of an expression, that expr.c makes and expr_run.c
 * runs: operations on a stack of numbers. Truth is 1 and 0, NaN is missing.
 */
#ifndef MLI_PREPARE_EXPR_CODE_H
#define MLI_PREPARE_EXPR_CODE_H

#include "algorithms/prepare/expr.h"

#define MLI_EXPR_STACK 64
#define DAY            86400e6 /* microseconds */

enum {
    PUSH,
    LOAD,
    LEVEL,
    SAME, /* is the text of the column that of the expression? */
    SOME, /* 1, or missing where the text is */
    ADD,
    SUB,
    MUL,
    DIV,
    MOD,
    POW,
    AHEAD, /* microseconds from a time to a date */
    NEG,
    EQ,
    NE,
    LT,
    LE,
    GT,
    GE,
    AND,
    OR,
    NOT,
    MISSING,
    IF,
    COALESCE,
    MIN,
    MAX,
    ABS,
    SQRT,
    EXP,
    LOG,
    LOG1P,
    LOG2,
    LOG10,
    FLOOR,
    CEIL,
    ROUND,
    SIGN
};

typedef struct mli_expr_op {
    int32_t code, arg;
    double value;
    int32_t begin, size; /* of SAME: the text, in the expression */
} op;

static inline int takes_two(int32_t code)
{
    return (code >= ADD && code <= AHEAD) || (code >= EQ && code <= OR) ||
           (code >= COALESCE && code <= MAX);
}

#endif
