/* SPDX-License-Identifier: MIT
 *
 * serialization/import_onnx_program.h: an ONNX graph as a program (compose/program.h).
 *
 * A value of the graph is followed with its shape. One of its axes is that of the rows,
 * -1 in `dim`; the program sees the n numbers of one row, in the order of the other axes.
 * Where an axis has been folded into that of the rows, n is more than their product.
 */
#ifndef MLI_SERIALIZATION_IMPORT_ONNX_PROGRAM_H
#define MLI_SERIALIZATION_IMPORT_ONNX_PROGRAM_H

#include "algorithms/compose/program.h"
#include "core/hashmap.h"
#include "serialization/import_onnx.h"

enum {
    MLI_VAL_NONE,    /* not known: what makes it cannot be imported */
    MLI_VAL_ROWS,    /* numbers of each row, from `at` */
    MLI_VAL_NUMBERS, /* constants: list, or `number` */
    MLI_VAL_TEXTS,   /* constant texts: list */
    MLI_VAL_CODES,   /* columns of texts: codes of the features `features`, from `at`
                        where they have been calculated, else at is below 0 */
    MLI_VAL_LABELS,  /* one of `list`: the largest of n scores from `at`; n = 1: which */
    MLI_VAL_SHAPE    /* numbers of a shape in `dim`, -1: the rows */
};

enum { MLI_ONNX_FLOAT = 1, MLI_ONNX_INT64 = 7, MLI_ONNX_BOOL = 9, MLI_ONNX_DOUBLE = 11 };

typedef struct mli_onnx_val {
    int32_t kind, type, rank, raw; /* raw: scores that are no probabilities */
    int64_t dim[MLI_ONNX_RANK];
    int64_t n;
    int32_t at;    /* of NUMBERS: where they are among the constants, 0: nowhere yet */
    double number; /* of NUMBERS without a list */
    const mli_onnx_attribute *list;
    const int32_t *features;
} mli_onnx_val;

typedef struct mli_onnx_builder {
    mli_import *im;
    mli_onnx *g;
    ml_context *ctx;
    ml_status status; /* the first failure: then nothing is done any more */
    const mli_onnx_node *node, *bad;
    const char *why; /* `bad`, the first node without an import, has none */
    int64_t n_steps, n_constants, n_members, columns;
    int64_t n_numbers;  /* of lists on the way to constants */
    int64_t n_features; /* of all members */
    int64_t step_room, constant_room, member_room;
    mli_step *steps;
    double *constants;
    ml_model **members;
    mli_map names;      /* of values */
    mli_onnx_val *vals; /* [names] */
    int64_t *first;     /* [inputs] their first features, -1: of no use */
    mli_map *levels;    /* [features] the known texts; no ctx: a number */
} mli_onnx_builder;

/* Input i of the node, NULL: none. Output i, into nowhere when it has no name. */
mli_onnx_val *mli_onnx_in(mli_onnx_builder *b, int64_t i);
void mli_onnx_put(mli_onnx_builder *b, int64_t i, mli_onnx_val v);
/* The node cannot be imported. */
mli_onnx_val mli_onnx_no(mli_onnx_builder *b, const char *why);
/* A value as rows or numbers. */
mli_onnx_val mli_onnx_number(mli_onnx_builder *b, const mli_onnx_val *v);
mli_onnx_val mli_onnx_rows(mli_onnx_builder *b, const mli_onnx_val *v);
mli_onnx_val mli_onnx_constant(double number);
mli_onnx_val mli_onnx_listed(const mli_onnx_attribute *list, double dflt);
/* Constants of the shape and type of a value. */
mli_onnx_val mli_onnx_constants(mli_onnx_builder *b, double *numbers, mli_onnx_val like);
/* Number by number, with shapes that are spread over each other; b and c may be NULL. */
mli_onnx_val mli_onnx_apply(mli_onnx_builder *b, int32_t op, const mli_onnx_val *x,
                            const mli_onnx_val *y, const mli_onnx_val *z);
mli_onnx_val mli_onnx_apply_to(mli_onnx_builder *b, int32_t op, const mli_onnx_val *x,
                               double y);
/* A formula of the values x, y, z and the numbers a, b, ... (import_onnx_formula.c). */
mli_onnx_val mli_onnx_formula(mli_onnx_builder *b, const char *formula,
                              const mli_onnx_val *const v[3], const double *numbers,
                              int64_t axis);
mli_onnx_val mli_onnx_of(mli_onnx_builder *b, const char *formula, const mli_onnx_val *x,
                         int64_t axis); /* of x alone */
mli_onnx_val mli_onnx_post(mli_onnx_builder *b, const char *post, const mli_onnx_val *x);
/* Sum, ... over an axis, which stays as 1 or goes. */
mli_onnx_val mli_onnx_reduce(mli_onnx_builder *b, int32_t op, const mli_onnx_val *x,
                             int64_t axis, int keep);
mli_onnx_val mli_onnx_softmax(mli_onnx_builder *b, const mli_onnx_val *x, int64_t axis);
/* The rows of a model or transformer: [rows, columns], of which all are known. */
mli_onnx_val mli_onnx_table(mli_onnx_builder *b);
/* x times the matrix, [columns, n] or turned round: [n, columns]. With a power: the sums
 * of the differences of x and each of its columns to it. */
mli_onnx_val mli_onnx_dot(mli_onnx_builder *b, mli_onnx_val *x, const double *matrix,
                          int64_t n, int turned, double factor, int32_t power);
/* Output 0: the label of the largest score; of a single one: which of two it is. */
void mli_onnx_put_labels(mli_onnx_builder *b, const mli_onnx_val *scores);
/* Two classes beside each other: 1 - s, or -s, and s. */
mli_onnx_val mli_onnx_pair(mli_onnx_builder *b, const mli_onnx_val *s, int negative);
/* One step as it is: where its numbers are. */
int32_t mli_onnx_emit(mli_onnx_builder *b, mli_step step);
mli_operand mli_onnx_operand(mli_onnx_builder *b, mli_onnx_val *v);
void mli_onnx_copy(mli_onnx_builder *b, mli_onnx_val *v); /* behind all others */
/* Room for n numbers, as long as there are not too many; NULL: b->status says why. */
double *mli_onnx_list_of(mli_onnx_builder *b, int64_t n);
int32_t *mli_onnx_numbers_of(mli_onnx_builder *b, int64_t n);
int32_t mli_onnx_add_constants(mli_onnx_builder *b, const double *v, int64_t n);
mli_onnx_val mli_onnx_made(int32_t at, int64_t n, int32_t type); /* [rows, n] */
/* Numbers `which` of each row, n of them. */
int32_t mli_onnx_pick(mli_onnx_builder *b, const mli_onnx_val *x, const double *which,
                      int64_t n);
/* Where the code of column j of texts is; the code of a text there. */
int32_t mli_onnx_code_at(mli_onnx_builder *b, const mli_onnx_val *x, int64_t j);
double mli_onnx_code_of(mli_onnx_builder *b, const mli_onnx_val *x, int64_t j,
                        mli_onnx_text text);
int64_t mli_onnx_axis_of_rows(const mli_onnx_val *v);
/* The axis counted from 0; -1: there is none of that number. */
int64_t mli_onnx_axis(const mli_onnx_val *v, double axis);
/* Numbers of a row before and behind an axis; 0: they are not apart. */
int mli_onnx_around(const mli_onnx_val *v, int64_t axis, int64_t *outer, int64_t *inner);
double mli_onnx_number_of(const mli_onnx_builder *b, const char *name, double dflt);
/* The numbers of attribute `name`, or of constant input i; NULL: neither is there. */
const mli_onnx_attribute *mli_onnx_list(mli_onnx_builder *b, const char *name, int64_t i);

/* What an operator makes of the node's inputs; 0: not known. */
int mli_onnx_operator(mli_onnx_builder *b);       /* import_onnx_operators.c */
int mli_onnx_operator_shape(mli_onnx_builder *b); /* import_onnx_shapes.c */
int mli_onnx_operator_model(mli_onnx_builder *b); /* import_onnx_models.c */
int mli_onnx_operator_svm(mli_onnx_builder *b);   /* import_onnx_svm.c */
int mli_onnx_operator_formula(mli_onnx_builder *b);

#endif
