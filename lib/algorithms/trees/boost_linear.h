/* SPDX-License-Identifier: MIT
 *
 * trees/boost_linear.h: trees whose leaves hold linear functions, in training.
 */
#ifndef MLI_TREES_BOOST_LINEAR_H
#define MLI_TREES_BOOST_LINEAR_H

#include "algorithms/trees/ensemble.h"

/* Values of numbers: that of feature j in row i is column[j][i * row_step]. */
typedef struct mli_linear_rows {
    const mli_design *design;
    const double **column; /* [features] NULL: no leaf has used it so far */
    int64_t row_step;
    uint8_t
        *own; /* [features] 0: in the table; else a copy; NULL: all are in the table */
} mli_linear_rows;

typedef struct mli_boost_linear {
    int on;
    double lambda;
    mli_linear_rows train, valid;
    uint16_t *valid_leaf; /* [rows of valid] */
    /* The tensors of the trees so far: see trees/ensemble.h. */
    int64_t n_nodes, node_capacity, constant_capacity;
    int64_t *start; /* [n_nodes + 1] */
    double *constant;
    int64_t n_terms, term_capacity, coef_capacity;
    int32_t *feature;
    double *coef;
    int64_t *leaf_at; /* [scores * max_leaves] nodes of the last round's leaves */
} mli_boost_linear;

struct mli_booster;
ml_status mli_boost_linear_make(struct mli_booster *b, ml_error *err);
void mli_boost_linear_free(struct mli_booster *b);
/* Fits the leaves of the last tree, whose leaves are those of class k, and adds it to the
 * scores of the training rows. */
ml_status mli_boost_linear_fit(struct mli_booster *b, int32_t k, ml_error *err);
/* What the leaf number `leaf` of class k in the last round adds to a row. */
double mli_boost_linear_value(const struct mli_booster *b, int32_t k, int64_t leaf,
                              const mli_linear_rows *rows, int64_t row);
ml_status mli_boost_linear_write(const struct mli_booster *b, ml_model *model,
                                 ml_error *err);

#endif
