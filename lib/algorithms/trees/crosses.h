/* SPDX-License-Identifier: MIT
 *
 * trees/crosses.h: numeric columns that tables make of several inputs of a row.
 *
 * Models of CatBoost split on statistics of combinations: of "this cabin, this ticket,
 * age above 30" the mean target that training saw. A table has one key of 64 bits for
 * each combination seen; the key of a row is a hash over the elements of the table, in
 * order: of a category the hash of its text (which hashed inputs have as their value), of
 * a question the bit of the answer. A
 * column gives a number for each key of its table, and one more for combinations that are
 * not there, as are all with a category that is missing or that the model does not know.
 *
 *   cross_start       i64 [tables + 1]   elements of each table
 *   cross_feature     i32 [elements]     input of the model
 *   cross_kind        u8  [elements]     MLI_CROSS_
 *   cross_at          f64 [elements]     what the question compares with
 *   cross_key_start   i64 [tables + 1]
 *   cross_keys        u64 [keys]         ascending in each table
 *   cross_table       i32 [columns]      table of each column, not descending
 *   cross_values      f32 [values]       of each table a row of its columns for each key,
 *                                        then one for all other keys
 *   cross_level_start i64 [inputs + 1]   categories of each input
 *   cross_level_hash  i32 [levels]       hashes of their texts
 *
 * Column c is feature inputs + c for the nodes of the trees.
 */
#ifndef MLI_TREES_CROSSES_H
#define MLI_TREES_CROSSES_H

#include "algorithms/model.h"

enum {
    MLI_CROSS_CATEGORY,   /* the hash of the category */
    MLI_CROSS_EQUAL,      /* is it the category number `at`? (-1: one that no row has) */
    MLI_CROSS_ABOVE,      /* is the number > at? */
    MLI_CROSS_ABOVE_NONE, /* the same; a missing one is */
    MLI_CROSS_HASH,       /* a hashed input: its value */
    MLI_CROSS_KINDS
};

typedef struct mli_crosses {
    int64_t n_inputs, n_tables, n_columns, n_elements; /* no columns: nothing else */
    const int64_t *start, *key_start, *level_start;
    const int32_t *feature, *table, *level_hash;
    const uint8_t *kind;
    const double *at;
    const uint64_t *key;
    const float *value;
} mli_crosses;

/* Reads and checks the tensors of a model, if it has any: no columns otherwise. */
ml_status mli_crosses_read(const ml_model *m, mli_crosses *out, ml_error *err);
/* One step of the hash of a row. */
static inline uint64_t mli_cross_mix(uint64_t before, int64_t next)
{
    const uint64_t factor = UINT64_C(0x4906ba494954cb65);
    return factor * (before + factor * (uint64_t)next);
}
/* Adds something to the inputs of a column in equal shares: to[input * stride]. As in
 * CatBoost, categories get it all, those that are asked about get nothing. */
void mli_cross_share(const mli_crosses *c, int64_t column, double x, double *to,
                     int64_t stride);
/* Appends a column's name: cross 3 (cabin, age > 30.5, sex = male). */
void mli_cross_name(const mli_crosses *c, const mli_inputs *inputs, int64_t column,
                    mli_str *s);
/* player[inputs + columns]: the first feature whose shares go to the same inputs. */
ml_status mli_cross_players(ml_context *ctx, const mli_crosses *c, int32_t **out,
                            ml_error *err);

/* Prepared for looking up. The memory of the model must outlive it. */
typedef struct mli_crosser mli_crosser;
ml_status mli_crosser_new(ml_context *ctx, const mli_crosses *c, mli_crosser **out,
                          ml_error *err);
void mli_crosser_free(mli_crosser *x);            /* NULL is fine */
size_t mli_crosser_scratch(const mli_crosser *x); /* bytes that it needs */
/* The columns of n rows: out[i * stride + column]. */
void mli_crosser_rows(const mli_crosser *x, const double *rows, int64_t n,
                      int64_t row_stride, double *out, int64_t stride, void *scratch);

/* How contributions of a plan's features become those of the model's inputs. */
enum { MLI_CROSS_KEEP, MLI_CROSS_FOLD, MLI_CROSS_FOLD_PAIRS };
/* A plan of the model's inputs from one of inputs and columns, which it owns (also when
 * it fails). */
ml_status mli_cross_plan(ml_context *ctx, const mli_crosses *c, mli_plan *inner, int fold,
                         mli_plan **out, ml_error *err);

#endif
