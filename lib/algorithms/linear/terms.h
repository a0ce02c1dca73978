/* SPDX-License-Identifier: MIT
 *
 * linear/terms.h: fitted linear functions of the inputs: how a model stores them, and
 * how they are evaluated for plain rows.
 *
 * Tensors (C columns of the dense matrix, K functions):
 * - "columns" i32 [C, 2]: feature, and the level that the column stands for: a code, -1
 *   for a number, -2 where the column is 1 for missing values
 * - "fill" f64 [C]: the value of the column where its feature is missing
 * - "coef" f64 [C], or [K, C]
 * - "intercept" f64 [K]
 */
#ifndef MLI_LINEAR_TERMS_H
#define MLI_LINEAR_TERMS_H

#include "algorithms/model.h"
#include "data/dense.h"
#include "tensor/kernels.h"

/* coef[k * C + c], intercept[k]; with `flat` (K = 1) coef has one dimension. */
ml_status mli_terms_store(ml_model *model, const mli_dense *dense, int64_t functions,
                          int flat, const double *coef, const double *intercept,
                          ml_error *err);

/* Compiled: numbers are multiplied by weights, category codes index into tables. */
typedef struct mli_terms {
    ml_context *ctx;
    const mli_kernels *k;
    int64_t n_features, functions;
    double *weight;   /* [functions * n_features] 0 for categories */
    double *base;     /* [functions] the intercepts */
    double *fill;     /* [n_features] what a missing value counts as; 0 for categories */
    double *missing;  /* [n_features * functions] added where a number is missing */
    int64_t n_tables; /* categorical features */
    int64_t *feature; /* [n_tables] */
    int64_t *levels;  /* [n_tables] */
    int64_t *offset;  /* [n_tables] into table */
    double *table;    /* (code + 1) * functions + k; code -1 is missing */
} mli_terms;

/* From a model, whose tensors may be hostile. `functions`: what there must be. */
ml_status mli_terms_new(const ml_model *model, int64_t functions, mli_terms **out,
                        ml_error *err);
void mli_terms_free(mli_terms *t);
/* The values of the functions for one row; scratch has 2 n_features doubles. */
void mli_terms_values(const mli_terms *t, const double *row, double *out,
                      double *scratch);
/* The same for plans: converts a float row first. */
void mli_terms_values_f32(const mli_terms *t, const float *row, double *out,
                          double *scratch);

/* Attributes that all linear models compute: "column_names", as UTF-8 bytes, names
 * separated by line feeds. ML_E_NAME for other names. */
ml_status mli_terms_attribute(const ml_model *model, const char *name, ml_tensor **out,
                              ml_error *err);
#define MLI_TERMS_ATTRIBUTES                                                             \
    {"columns", "i32", "[columns, 2]",                                                   \
     "The terms: the index of the input, and the code of the category's level; -1 for "  \
     "a number, -2 for the term that counts where the input is missing."},               \
        {"column_names", "u8", "[bytes]",                                                \
         "The names of the terms as UTF-8 text, separated by line feeds: \"age\", "      \
         "\"job = clerk\", \"age is missing\"."},                                        \
    {                                                                                    \
        "fill", "f64", "[columns]", "The value of a term where its input is missing."    \
    }

#endif
