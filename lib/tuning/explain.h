/* SPDX-License-Identifier: MIT
 *
 * explain.h: the parts of ml_model_explain.
 */
#ifndef MLI_TUNING_EXPLAIN_H
#define MLI_TUNING_EXPLAIN_H

#include "algorithms/model.h"

typedef struct mli_explain {
    ml_context *ctx;
    const ml_model *model;
    const ml_table *table;   /* NULL when the method needs none */
    const ml_params *params; /* resolved "options.explain" */
    int64_t *feature;        /* [n] the features asked for */
    int64_t n;
} mli_explain;

extern const mli_descriptor mli_options_explain;

/* Rows of a design with one feature replaced: row i has column[order[i]], or `value` when
 * there is no column. */
typedef struct mli_replaced {
    int64_t feature;
    const double *column;
    const int64_t *order;
    double value;
} mli_replaced;
/* Predicts all rows so: out[rows * plan->n_outputs]. */
ml_status mli_explain_predict(const mli_plan *plan, const mli_design *design,
                              const mli_replaced *with, double *out, ml_error *err);

/* The methods. */
ml_status mli_explain_importance(const mli_explain *x, ml_table **out, ml_error *err);
ml_status mli_explain_permutation(const mli_explain *x, ml_table **out, ml_error *err);
/* each: one curve per row. */
ml_status mli_explain_partial(const mli_explain *x, int each, ml_table **out,
                              ml_error *err);
ml_status mli_explain_trees(const mli_explain *x, ml_table **out, ml_error *err);

#endif
