/* SPDX-License-Identifier: MIT
 *
 * data/design.h: the one place that turns a table plus roles into what algorithms see,
 * and that checks a table against a model at prediction time.
 *
 * Policies, the same for every algorithm:
 * - Columns are matched by name. Extra columns are ignored. A missing column is an error
 *   that names it (and the nearest name there is).
 * - A feature is numeric (numbers, booleans, dates, times) or categorical (categories,
 *   and text when the algorithm does not take text as such). `categorical` lists number
 *   columns to be treated as categories. At prediction a numeric feature must be numeric
 *   (or a category/text column all of whose values read as numbers); a categorical
 *   feature accepts any type, matched by its text.
 * - A category unseen in training counts as missing ("unseen = missing", the default) or
 *   is an error ("unseen = error").
 * - Levels are sorted by text, so that codes do not depend on the order of the rows.
 * - A row whose target is missing is dropped from training (and logged); a row with weight 0
 *   stays but counts nothing; a negative or missing weight is an error.
 * - Class labels are the sorted distinct values of the target: numerically for numbers,
 *   by text otherwise. `positive` names the class that becomes index 1 of two.
 * - Infinite feature values are errors for algorithms without MLI_CAN_MISSING, which also
 *   may impute; gbdt takes them as they are.
 */
#ifndef MLI_DATA_DESIGN_H
#define MLI_DATA_DESIGN_H

#include "core/params.h"
#include "data/table.h"

#define MLI_NUMERIC 1
#define MLI_CATEGORICAL 2
#define MLI_TEXT 3

/* Sorted distinct texts: levels of a category, labels of classes. */
typedef struct mli_dictionary {
    int64_t n;
    const char *bytes;
    const int64_t *offsets; /* [n + 1] */
    mli_buffer *keep[2];
} mli_dictionary;
/* Code of a text by binary search (memcmp order, shorter first on a tie); -1 if absent. */
int64_t mli_dictionary_find(const mli_dictionary *d, const char *text, size_t size);

typedef struct mli_feature {
    char *name;
    int32_t kind; /* MLI_NUMERIC, MLI_CATEGORICAL, MLI_TEXT */
    int32_t type; /* column type in training */
    mli_dictionary levels; /* of categorical ones */
} mli_feature;

/* What a model knows of its inputs. Counted; immutable. */
typedef struct mli_inputs {
    mli_ref ref;
    ml_context *ctx;
    int64_t n_features;
    mli_feature *features;
    int32_t task;       /* one MLI_TASK_ bit */
    int32_t unseen_error; /* policy for unseen categories */
    char *target;       /* NULL when there is none */
    int32_t target_type;
    mli_dictionary classes;  /* labels as text, in class order; n = 0: no classes */
    char *weight, *group, *time; /* names of role columns, NULL when there is none */
} mli_inputs;
mli_inputs *mli_inputs_ref(mli_inputs *in);
void mli_inputs_free(mli_inputs *in);
/* Label of a class as NUL-terminated text is not stored: copy with its size. */
const char *mli_inputs_label(const mli_inputs *in, int64_t k, size_t *size);

/* How to read one feature of one table. Codes are already those of the model. */
typedef struct mli_design_column {
    const mli_column *column; /* of the table */
    int32_t kind;
    int32_t *codes; /* [rows] categorical: model codes, -1 missing or unseen; owned */
    double *values; /* [rows] numeric read from text: owned; else NULL */
} mli_design_column;

typedef struct mli_design {
    ml_context *ctx;
    ml_table *table;    /* counted; rows with a missing target already taken out */
    mli_inputs *inputs; /* counted */
    int64_t rows, n_features;
    mli_design_column *columns;
    double *y;        /* [rows] regression target, or NULL */
    int32_t *label;   /* [rows] class index, or NULL */
    double *weight;   /* [rows] or NULL for all 1 */
    int64_t n_groups;
    int64_t *group;   /* [n_groups + 1] first rows of runs of equal group, or NULL */
    int64_t *group_id; /* [rows] dense ids of the group column, or NULL */
} mli_design;

/* From a training table: finds roles, codes categories, makes the inputs. `d` is the
 * algorithm's descriptor, `params` its resolved parameters and roles. */
ml_status mli_design_train(ml_context *ctx, const mli_descriptor *d,
                           const ml_params *params, const ml_table *table,
                           mli_design **out, ml_error *err);
/* From a table and known inputs. need_target: target, weight (if present) and group are
 * read too (validation rows, evaluation); labels unseen in training are an error. */
ml_status mli_design_apply(mli_inputs *inputs, const ml_table *table, int need_target,
                           mli_design **out, ml_error *err);
/* A design of some of the rows, sharing dictionaries (for sampling and folds). */
ml_status mli_design_take(const mli_design *design, const int64_t *rows, int64_t count,
                          mli_design **out, ml_error *err);
void mli_design_free(mli_design *design);

/* Feature j of rows begin..end-1: numbers (missing NaN) or codes (missing NaN). */
void mli_design_f64(const mli_design *d, int64_t feature, int64_t begin, int64_t end,
                    double *out, int64_t stride);
void mli_design_f32(const mli_design *d, int64_t feature, int64_t begin, int64_t end,
                    float *out, int64_t stride);
/* All features of rows begin..end-1, row-major: out[(i - begin) * stride + j]. */
void mli_design_rows(const mli_design *d, int64_t begin, int64_t end, double *out,
                     int64_t stride);

/* The common role parameters: target, weight, features, ignore, categorical, positive,
 * unseen, task, group, time. For descriptors' `roles`. */
extern const mli_param mli_roles_supervised[];   /* target required */
extern const mli_param mli_roles_unsupervised[]; /* no target */

#endif
