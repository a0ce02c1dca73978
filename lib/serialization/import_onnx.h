/* SPDX-License-Identifier: MIT
 *
 * serialization/import_onnx.h: the parts of an ONNX graph that models of tables need.
 */
#ifndef MLI_SERIALIZATION_IMPORT_ONNX_H
#define MLI_SERIALIZATION_IMPORT_ONNX_H

#include "core/hashmap.h"
#include "serialization/import.h"
#include "serialization/import_value.h"

typedef struct mli_onnx_text {
    const char *at; /* NUL-terminated */
    size_t size;
} mli_onnx_text;

#define MLI_ONNX_RANK 4 /* of tensors of more dimensions the first are known */

/* Numbers of whatever type are doubles: floats, ints, tensors. */
typedef struct mli_onnx_attribute {
    mli_onnx_text name;
    double number; /* f or i */
    mli_onnx_text text;
    int64_t n_numbers, n_texts;
    double *numbers;
    mli_onnx_text *texts;
    int is_double; /* a tensor of doubles */
    int32_t type;  /* of a tensor's elements */
    int32_t n_dims;
    int64_t dims[MLI_ONNX_RANK]; /* of a tensor */
} mli_onnx_attribute;

typedef struct mli_onnx_node {
    mli_onnx_text op, name; /* without a name: that of its first output */
    int64_t n_inputs, n_outputs, n_attributes;
    mli_onnx_text *inputs, *outputs;
    mli_onnx_attribute *attributes;
} mli_onnx_node;

typedef struct mli_onnx_input {
    mli_onnx_text name;
    int64_t columns; /* -1: not known */
    int32_t type;    /* of the elements: 1 float, 11 double, ... */
    int32_t rank;    /* -1: not known */
} mli_onnx_input;

typedef struct mli_onnx {
    mli_doc arena;
    ml_error *err;
    mli_onnx_text producer, producer_version;
    mli_onnx_text names; /* metadata "feature_names": a JSON list, or empty */
    int64_t n_nodes, n_inputs;
    mli_onnx_node *nodes;
    mli_onnx_input *inputs; /* of the graph, without those that have a value */
    int64_t n_values;
    mli_onnx_attribute *values; /* initialisers of numbers or texts: name and these */
    int64_t n_outputs;
    mli_onnx_text *outputs; /* of the graph */
} mli_onnx;

ml_status mli_onnx_read(ml_context *ctx, const void *data, size_t size, mli_onnx *out,
                        ml_error *err);
void mli_onnx_free(mli_onnx *g);
/* NULL when there is none. */
const mli_onnx_attribute *mli_onnx_find(const mli_onnx_node *node, const char *name);
/* The vector of an attribute, of n numbers (-1: any number of them). */
ml_status mli_onnx_numbers(const mli_onnx *g, const mli_onnx_node *node, const char *name,
                           int64_t n, const mli_onnx_attribute **out);
int mli_onnx_is(mli_onnx_text t, const char *text);
/* The initialiser of that name, NULL: none of numbers or texts. */
const mli_onnx_attribute *mli_onnx_value(const mli_onnx *g, const char *name);

/* An operator between the graph's inputs and the model, for one column. */
#define MLI_ONNX_STEPS 8
typedef struct mli_onnx_step {
    const mli_onnx_node *node;
    int op;      /* 'i' Imputer, 's' Scaler, '*', '/', '+', '-' */
    double a, b; /* what is imputed; offset and scale; the constant */
} mli_onnx_step;

/* What a column that the model looks at is made of, the last step first. */
typedef struct mli_onnx_column {
    int64_t input; /* a feature */
    int64_t n;
    mli_onnx_step step[MLI_ONNX_STEPS];
} mli_onnx_column;

/* What is known of a node before the model. */
typedef struct mli_onnx_before {
    int used;
    int64_t width;  /* columns that it makes, -1: not known */
    int64_t *start; /* Concat: [inputs + 1] first columns of its inputs */
    int64_t *from;  /* places of the inputs: [inputs] of Concat, else one, in `one` */
    int64_t one;
    const mli_onnx_attribute *a, *b; /* constants */
    int swap;                        /* the first input is the constant */
} mli_onnx_before;

typedef struct mli_onnx_columns {
    int plain;           /* the graph's one input is the model's: `at` is NULL */
    int64_t n;           /* columns that the model may look at */
    mli_onnx_column *at; /* [n] */
    int64_t n_features;
    int64_t *first;        /* [inputs] their first features, -1: of no use */
    mli_onnx_before *node; /* [nodes] */
    /* Values by name: inputs of the graph, then from n_inputs on nodes. */
    mli_map names;
    int64_t *place; /* [names] */
} mli_onnx_columns;
/* The largest feature that a model uses, and 1. */
ml_status mli_onnx_least_features(const mli_onnx *g, const mli_onnx_node *node,
                                  int64_t *out);
/* Those of the value `name`, of which the model uses the first `least`. */
ml_status mli_onnx_columns_read(ml_context *ctx, mli_onnx *g, const char *name,
                                int64_t least, mli_onnx_columns *out);
void mli_onnx_columns_free(ml_context *ctx, mli_onnx_columns *c);
ml_status mli_onnx_columns_name(mli_import *im, const mli_onnx *g,
                                const mli_onnx_columns *c);
/* A model that has been read of the columns becomes one of the features. */
ml_status mli_onnx_prepare_apply(mli_import *im, const mli_onnx *g,
                                 const mli_onnx_columns *c);

/* Features, labels and post_transform, the same for trees and linear models. */
ml_status mli_onnx_labels(mli_import *im, const mli_onnx *g, const mli_onnx_node *node);
/* The same of a list of texts, or NULL and one of whole numbers. */
ml_status mli_onnx_set_labels(mli_import *im, const mli_onnx *g,
                              const mli_onnx_attribute *texts,
                              const mli_onnx_attribute *ints);
/* Several models of trees that make one result. */
ml_status mli_onnx_several(mli_import *im, const mli_onnx *g,
                           const mli_onnx_columns *columns);
int mli_onnx_is_trees(const mli_onnx_node *n);
ml_status mli_onnx_linear(mli_import *im, const mli_onnx *g, const mli_onnx_node *node);
/* doubles: the rows are doubles, and so are their sums. */
ml_status mli_onnx_trees(mli_import *im, const mli_onnx *g, const mli_onnx_node *node,
                         int doubles);
/* Trees of which the least (1) or the largest (2) result counts. */
ml_status mli_onnx_each(mli_import *im, const mli_onnx *g, int which, int64_t n_trees);
ml_status mli_onnx_ensemble(mli_import *im, const mli_onnx *g, const mli_onnx_node *node);
/* Any graph of operators that look at one row: an `ensemble` with a program. */
ml_status mli_onnx_program(mli_import *im, mli_onnx *g, ml_model **out);
/* A split on the values of a set, which goes to `yes` for its members. */
ml_status mli_onnx_set(mli_import *im, const double *values, int64_t n, int32_t feature,
                       int tracks, const char *op, int32_t *out);

#endif
