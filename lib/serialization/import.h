/* SPDX-License-Identifier: MIT
 *
 * serialization/import.h: models of other systems become libml models.
 *
 * A reader of a format (import_xgboost.c, ...) fills in an mli_import: features, scores,
 * link, trees with nodes in any order, sets of categories. mli_import_finish makes the
 * model of it: nodes are put in the order of trees/ensemble.h, trees in that of the
 * scores, categories that no split tells apart share a bin.
 */
#ifndef MLI_SERIALIZATION_IMPORT_H
#define MLI_SERIALIZATION_IMPORT_H

#include "algorithms/model.h"
#include "algorithms/trees/ensemble.h"

/* What a file is, by its first bytes and the text in it. */
enum {
    MLI_FOREIGN_NONE,
    MLI_FOREIGN_JSON,     /* XGBoost or CatBoost */
    MLI_FOREIGN_UBJSON,   /* XGBoost */
    MLI_FOREIGN_BINARY,   /* XGBoost before JSON */
    MLI_FOREIGN_LIGHTGBM, /* text */
    MLI_FOREIGN_ONNX,
    MLI_FOREIGN_CATBOOST, /* its binary format */
    /* Known, but not read. */
    MLI_FOREIGN_PICKLE,
    MLI_FOREIGN_PMML
};
int32_t mli_import_sniff(const void *data, size_t size);
/* `target`: the name that the model has for its target. */
ml_status mli_import_read(ml_context *ctx, const void *data, size_t size, int32_t format,
                          const char *target, ml_model **out, ml_error *err);

typedef struct mli_import_feature {
    char *name;
    int64_t n_levels; /* names of categories, in the order of the codes; 0: plain codes */
    char **levels;
    int32_t *hash; /* [n_levels] for crosses; NULL: they do not use it as a category */
    int hashed;    /* of mli_feature */
} mli_import_feature;

/* A table of trees/crosses.h. */
typedef struct mli_import_element {
    int32_t feature;
    uint8_t kind;
    double at; /* MLI_CROSS_EQUAL: a code */
} mli_import_element;

typedef struct mli_import_cross {
    int64_t n_elements, n_columns, n_keys;
    mli_import_element *elements;
    uint64_t *keys; /* ascending */
    float *values;  /* [n_keys + 1][n_columns] */
} mli_import_cross;

/* A node as a reader has it; the root is node 0. */
typedef struct mli_import_node {
    int64_t left, right; /* -1: a leaf */
    int32_t feature;
    int32_t set;      /* of mli_import_set, -1: by threshold */
    int missing_left; /* numbers only: sets have it themselves */
    double threshold; /* <= goes left */
    double value, cover, gain;
    /* Leaves of models with terms (im->terms.on): a linear function. */
    int64_t term, n_terms; /* in im->terms, in any order of the leaves */
    double constant;
} mli_import_node;

typedef struct mli_import_set {
    int32_t feature;
    int in_left; /* the members go left, else right */
    int missing_left;
    int64_t begin, n; /* in codes */
} mli_import_set;

/* Linear terms of leaves; `node` is parallel to the nodes of the trees. */
typedef struct mli_import_terms {
    int on;
    int64_t n, capacity, coef_capacity, n_nodes, node_capacity;
    int32_t *feature;
    double *coef;
    struct {
        int64_t first, n;
        double constant;
    } * node;
} mli_import_terms;

typedef struct mli_import {
    ml_context *ctx;
    ml_error *err;
    char system[64];     /* "XGBoost 3.2.0" */
    char objective[128]; /* as the file has it */
    int64_t n_features;
    mli_import_feature *features;
    int64_t n_scores, n_classes; /* 0 classes: regression, of a target for each score */
    char **labels;               /* NULL: "0", "1", ... */
    const char *target;
    const char *param; /* the value of gbdt's parameter objective */
    int32_t link;      /* MLI_LINK_NONE: the objective's */
    double link_scale;
    int base_is_score;     /* XGBoost's base_score needs no link */
    int float_sums;        /* scores are sums of floats */
    double *base;          /* [n_scores] */
    /* ONNX: what comes behind the trees is a program's; 1 least, 2 most: their results are
     * not added, and each tree has a score of its own. */
    int sums, each;
    uint8_t *zero_missing; /* [n_features] or NULL */
    mli_ensemble_builder trees;
    int32_t *score; /* [trees] which score a tree adds to */
    int64_t score_capacity;
    int64_t n_sets, set_capacity, n_codes, code_capacity;
    mli_import_set *sets;
    int32_t *codes;
    mli_import_terms terms;
    int64_t n_crosses, n_columns; /* columns of all crosses: features n_features, ... */
    mli_import_cross *crosses;
    double *linear; /* a linear model instead of trees: [n_scores, n_features] */
    double *fill;   /* of linear models: what missing values count as; NULL: 0 */
} mli_import;

/* The readers. */
struct mli_item;
ml_status mli_import_xgboost(mli_import *im, const struct mli_item *root);
int mli_import_is_xgboost_binary(const void *data, size_t size);
ml_status mli_import_xgboost_binary(mli_import *im, const void *data, size_t size);
ml_status mli_import_catboost(mli_import *im, const struct mli_item *root);
ml_status mli_import_catboost_binary(mli_import *im, const void *data, size_t size);
ml_status mli_import_lightgbm(mli_import *im, const char *text, size_t size);
/* *out: the model, where it is none of trees or linear functions alone. */
ml_status mli_import_onnx(mli_import *im, const void *data, size_t size, ml_model **out);
/* What it holds; it is empty then. */
void mli_import_free(mli_import *im);

/* Building. All report to im->err. */
ml_status mli_import_features(mli_import *im, int64_t n); /* nameless: f0, f1, ... */
ml_status mli_import_name(mli_import *im, int64_t feature, const char *name, size_t size);
ml_status mli_import_levels(mli_import *im, int64_t feature, int64_t n);
ml_status mli_import_level(mli_import *im, int64_t feature, int64_t code,
                           const char *text, size_t size);
ml_status mli_import_scores(mli_import *im, int64_t n_scores); /* with base 0 */
ml_status mli_import_labels(mli_import *im, int64_t n);
ml_status mli_import_label(mli_import *im, int64_t k, const char *text, size_t size);
/* Room for n terms more: the number of the first; -1 without memory. */
int64_t mli_import_add_terms(mli_import *im, int64_t n);
/* Adds a tree of n nodes, of which some may be out of reach. */
ml_status mli_import_tree(mli_import *im, const mli_import_node *nodes, int64_t n,
                          int64_t score);
/* A set of categories for splits on a feature; codes in any order. */
ml_status mli_import_add_set(mli_import *im, int32_t feature, int in_left,
                             int missing_left, const int32_t *codes, int64_t n,
                             int32_t *out);

ml_status mli_import_finish(mli_import *im, ml_model **out);
/* The tensors of crosses; rank[feature][code]: places of codes among the sorted levels.
 */
ml_status mli_import_write_crosses(const mli_import *im, int64_t *const *rank,
                                   ml_model *model);
/* Coefficients become trees, each one of two leaves: a linear function, and 0 where the
 * number is missing. im->terms.on is set before any tree. */
ml_status mli_import_linear_trees(mli_import *im);
/* The same of a linear model: base and linear are its intercepts and coefficients. */
ml_status mli_import_finish_linear(mli_import *im, ml_model **out);
ml_status mli_import_make_inputs(mli_import *im, int64_t **rank, mli_inputs **out);
ml_status mli_import_note(mli_import *im, ml_model *model); /* and seals */

/* x <= the result holds for the doubles that, as floats, are < t (<= t). Below -inf there
 * is nothing: the result is -inf. */
double mli_import_below_f32(float t);
double mli_import_upto_f32(float t);

#endif
