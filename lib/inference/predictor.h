/* SPDX-License-Identifier: MIT
 *
 * inference/predictor.h: the predictor's inside.
 */
#ifndef MLI_INFERENCE_PREDICTOR_H
#define MLI_INFERENCE_PREDICTOR_H

#include "algorithms/model.h"
#include <ml/predictor.h>

struct ml_predictor {
    ml_context *ctx;
    ml_model *model;    /* counted */
    mli_inputs *inputs; /* counted: the model's, or a copy with another policy */
    mli_plan *plan;
    const char *kind; /* of the descriptor */
    int fill_columns; /* feature columns that lack count as missing values */
    int training;     /* kind "transform": rows are those that the model was fitted to */
    mli_inputs *outputs; /* kind "transform": the columns it makes, counted; else NULL */
    int64_t text;        /* the first input that is text, or -1 */
    int64_t n_outputs;
    char **names;   /* [n_outputs] */
    mli_map *codes; /* [n_features] texts of small dictionaries; empty for the others */
    /* For plain rows. Each slot has the plan's scratch and, for floats that the plan does
     * not take, a block of doubles. */
    int64_t block;     /* rows per call of the plan */
    size_t slot_size;  /* bytes per slot, a multiple of 64 */
    size_t slot_block; /* where the block of doubles begins in a slot */
    int32_t slots;     /* number of slots there are */
    unsigned char *memory;
    /* For sparse rows, made by the first call: per slot a block of rows and a bit per
     * feature. */
    int64_t sparse_rows; /* rows of a block */
    size_t sparse_size, sparse_block;
    int32_t sparse_slots;
    unsigned char *sparse;
    uint64_t *marks; /* of the first slot */
};

extern const mli_descriptor mli_options_predict;

/* Can so many rows of numbers of this type be predicted? */
ml_status mli_predictor_numbers(const ml_predictor *p, int32_t dtype, int64_t count,
                                ml_error *err);
/* Names of the outputs: predictor_names.c. */
ml_status mli_predictor_name(ml_predictor *p, ml_error *err);
/* The name of a column of a table of predictions, appended to s. */
void mli_predictor_column(const ml_predictor *p, int64_t output, mli_str *s);

/* The table with a column of missing values for each feature that it lacks (a new
 * reference to the same table when it lacks none). */
ml_status mli_table_fill(const mli_inputs *inputs, const ml_table *table, ml_table **out,
                         ml_error *err);

#endif
