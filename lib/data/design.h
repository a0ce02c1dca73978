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
 * - Levels are sorted by text, so that codes do not depend on the order of the rows. They
 *   are the values that occur in the training rows.
 * - For algorithms that take text (MLI_CAN_TEXT) a text column is text when its values
 *   read like sentences: two words or more on average where most values differ, else
 *   four. `text` lists columns that are text in any case, `categorical` those that are
 *   not.
 * - Text with more than 1000 distinct values that repeat less than once on average
 *   identifies rows rather than describing them, and columns without any value tell
 *   nothing: both are left out (and named in the model's summary as "ignored_columns"),
 *   unless `features` or `categorical` lists them.
 * - A column that has a role (target, weight, group, time) is a feature only when
 *   `features` lists it, or of an algorithm with MLI_CAN_TIME the time; the target never is.
 * - Several targets at once (`targets`) are numbers; the first is the target wherever one
 *   is asked for. A row that lacks one of them is dropped.
 * - A row whose target is missing is dropped from training (and logged); a row with
 * weight 0 stays but counts nothing; a negative or missing weight is an error.
 * - Class labels are the sorted distinct values of the target: numerically for numbers,
 *   by text otherwise. `positive` names the class that becomes index 1 of two.
 * - The task is the one the algorithm has; with several, `task` says it, and "auto" takes
 *   classification for text, categories, booleans and numbers that are all 0 or 1, and
 *   regression for other numbers.
 * - Missing and infinite feature values are errors for algorithms without
 *   MLI_CAN_MISSING; the others see them as they are.
 */
#ifndef MLI_DATA_DESIGN_H
#define MLI_DATA_DESIGN_H

#include "core/params.h"
#include "data/table.h"

#define MLI_NUMERIC     1
#define MLI_CATEGORICAL 2
#define MLI_TEXT        3

/* Sorted distinct texts: levels of a category, labels of classes. */
typedef struct mli_dictionary {
    int64_t n;
    const char *bytes;
    const int64_t *offsets; /* [n + 1] */
    mli_buffer *keep[2];
} mli_dictionary;
/* Code of a text by binary search (memcmp order, shorter first on a tie); -1 if absent.
 */
int64_t mli_dictionary_find(const mli_dictionary *d, const char *text, size_t size);
/* Room for n texts of `size` bytes together, to be filled in through *bytes and
 * *offsets [n + 1]. */
ml_status mli_dictionary_new(ml_context *ctx, int64_t n, int64_t size,
                             mli_dictionary *out, char **bytes, int64_t **offsets,
                             ml_error *err);
void mli_dictionary_share(const mli_dictionary *from, mli_dictionary *to);
void mli_dictionary_free(mli_dictionary *d);

typedef struct mli_feature {
    char *name;
    int32_t kind;          /* MLI_NUMERIC, MLI_CATEGORICAL, MLI_TEXT */
    int32_t type;          /* column type in training */
    mli_dictionary levels; /* of categorical ones */
    int32_t sparse; /* what a transformer makes: most values may be 0; not stored */
    int32_t truth;  /* the same: all are 0 or 1, none is missing; not stored */
    int32_t hashed; /* numeric: the value is a hash of the text (mli_text_hash) */
    int32_t order;  /* of dates in training: see mli_column */
} mli_feature;

/* The value that a hashed feature has for a text: CityHash64, its lower 32 bits. Models
 * of CatBoost know categories so when their file does not hold the texts. Numbers count
 * by their text, as for categorical features. */
double mli_text_hash(const char *text, size_t size);

/* What a model knows of its inputs. Counted; immutable. */
typedef struct mli_inputs {
    mli_ref ref;
    ml_context *ctx;
    int64_t n_features;
    mli_feature *features;
    int32_t task;         /* one MLI_TASK_ bit */
    int32_t unseen_error; /* policy for unseen categories */
    char *target;         /* NULL when there is none */
    int64_t n_targets;    /* 0, or with several targets their number */
    char **targets;       /* [n_targets] the first is `target` */
    int32_t target_type;
    mli_dictionary classes;      /* labels as text, in class order; n = 0: no classes */
    char *weight, *group, *time; /* names of role columns, NULL when there is none */
    char *offset, *event, *upper;
    /* From a file, and the levels of features not yet looked at: see mli_inputs_check. */
    atomic_int unchecked;
} mli_inputs;
/* Empty inputs with room for n features, to be filled in: texts by mli_strdup. */
ml_status mli_inputs_new(ml_context *ctx, int64_t n_features, mli_inputs **out,
                         ml_error *err);
mli_inputs *mli_inputs_ref(mli_inputs *in);
void mli_inputs_free(mli_inputs *in);
/* Makes sure that the levels of all features can be used without harm: loading a model
 * does not look at them, so that its time does not depend on their number. The first call
 * checks, later ones are free. mli_design_apply and mli_plan_new call it; whoever uses
 * levels otherwise must. (Classes are checked when a model is loaded.) ML_E_FORMAT. */
ml_status mli_inputs_check(mli_inputs *in, ml_error *err);
/* The names of several targets: copies. */
ml_status mli_inputs_set_targets(mli_inputs *in, char *const *names, int64_t n,
                                 ml_error *err);
/* Task, classes and the names of role columns, for new inputs. */
ml_status mli_inputs_take_roles(mli_inputs *to, const mli_inputs *from, ml_error *err);
/* A copy for new inputs. */
ml_status mli_feature_copy(ml_context *ctx, const mli_feature *from, mli_feature *to,
                           ml_error *err);
/* Those features that are chosen[j], with the roles. */
ml_status mli_inputs_select(const mli_inputs *in, const uint8_t *chosen, mli_inputs **out,
                            ml_error *err);
/* Do the offsets rise from 0, are the texts UTF-8, and (sorted) strictly ascending? */
int mli_dictionary_valid(const mli_dictionary *d, int sorted);
/* Are all texts like numbers, and some more than a number has? See mli_like_number. */
int mli_dictionary_like_numbers(const mli_dictionary *d);
int64_t mli_inputs_text(const mli_inputs *in); /* the first text feature, or -1 */
/* Label of a class as NUL-terminated text is not stored: copy with its size. */
const char *mli_inputs_label(const mli_inputs *in, int64_t k, size_t *size);

/* A value of a text feature. In rows of numbers it stands as a not-a-number that holds
 * its address: whoever does not know of text sees a missing value, and steps that hand
 * values on hand it on. It lives as long as its design; rows from a host never hold any
 * (see ml_predictor_rows). */
typedef struct mli_text {
    const char *data;
    int64_t size;
} mli_text;
double mli_text_cell(const mli_text *text); /* NULL: missing */
const mli_text *mli_text_of(double cell);   /* NULL: missing, or no text */

/* Of a category that the model does not know. As a value it is missing, with a mark that
 * tells it from what has no category: another NaN, of which floats keep the mark. */
#define MLI_CODE_UNSEEN (-2)
#define MLI_UNSEEN_BITS 0x7ffc000000000000u
double mli_unseen(void);
int mli_is_unseen(double value);

/* How to read one feature of one table. Codes are already those of the model. */
typedef struct mli_design_column {
    const mli_column *column; /* of the table */
    int32_t kind;
    const int32_t *codes; /* [rows] categorical: model codes; below 0: -1 missing, or
                           * MLI_CODE_UNSEEN */
    const double
        *values; /* [rows] numeric that the column does not hold as such; or NULL */
    const mli_text *texts; /* [rows] text; data is NULL where it is missing */
    mli_buffer *memory;    /* of codes, values or texts; NULL when the column's own */
} mli_design_column;

typedef struct mli_design {
    ml_context *ctx;
    ml_table *table;    /* counted; rows with a missing target already taken out */
    mli_inputs *inputs; /* counted */
    int64_t rows, n_features;
    mli_design_column *columns;
    double *y;      /* [rows] regression target, or NULL */
    double *ys;     /* [rows * n_targets] of several targets, row by row, or NULL */
    int32_t *label; /* [rows] class index, or NULL */
    double *weight; /* [rows] or NULL for all 1 */
    double *offset; /* [rows] added to the scores, or NULL */
    double *event;  /* [rows] survival: 0 where the row is censored, or NULL */
    double *upper;  /* [rows] survival: upper bounds of the times, or NULL */
    int64_t n_groups;
    int64_t *group;    /* [n_groups + 1] first rows of the groups of a ranking, or NULL */
    int64_t *group_id; /* [rows] dense ids of the group column, or NULL */
    int64_t dropped;   /* rows left out because their target is missing */
    char *ignored;     /* columns left out, "a, b"; NULL: none */
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
/* A design of some of the rows, sharing dictionaries (for sampling and folds). Its table
 * holds the features only, categorical ones in the model's codes. */
ml_status mli_design_take(const mli_design *design, const int64_t *rows, int64_t count,
                          mli_design **out, ml_error *err);
void mli_design_free(mli_design *design);
/* The rows and roles of a design with the columns of a table, as `inputs` says. */
ml_status mli_design_replace(const mli_design *design, mli_inputs *inputs,
                             const ml_table *table, mli_design **out, ml_error *err);
/* A feature as a column of a table, under a name, sharing its memory. */
ml_status mli_design_show(const mli_design *d, int64_t feature, const char *name,
                          mli_column *out, ml_error *err);
/* Can the algorithm take its columns: kinds, and where it must, finite values? */
ml_status mli_design_suits(const mli_design *d, const mli_descriptor *algorithm,
                           ml_error *err);

/* Feature j of rows begin..end-1: numbers (missing NaN) or codes (missing NaN). */
void mli_design_f64(const mli_design *d, int64_t feature, int64_t begin, int64_t end,
                    double *out, int64_t stride);
/* Its values from row `begin` on, one after another, if the table holds them as doubles;
 * else NULL. */
const double *mli_design_place(const mli_design *d, int64_t feature, int64_t begin);
/* The same of floats; none of them has a bit that says it is missing. */
const float *mli_design_floats(const mli_design *d, int64_t feature, int64_t begin);
/* The same where they stand, if the table holds them so, else in memory[end - begin]. */
const double *mli_design_look(const mli_design *d, int64_t feature, int64_t begin,
                              int64_t end, double *memory);
void mli_design_f32(const mli_design *d, int64_t feature, int64_t begin, int64_t end,
                    float *out, int64_t stride);
/* Feature j where most of its values are 0 and only the others are held: 1 and *out, else
 * 0. It is numeric, and none of its values is missing. Borrowed from the design. */
int mli_design_sparse(const mli_design *d, int64_t feature, mli_sparse *out);
/* Bytes that the values of all features take, about. */
int64_t mli_design_bytes(const mli_design *d);
/* All features of rows begin..end-1, row-major: out[(i - begin) * stride + j]. */
void mli_design_rows(const mli_design *d, int64_t begin, int64_t end, double *out,
                     int64_t stride);
/* When the table already holds all features as rows of one type (ML_DTYPE_F64 or _F32),
 * the first row, with the distance of rows in elements; else NULL. */
const void *mli_design_in_place(const mli_design *d, int32_t dtype, int64_t *stride);

/* The common role parameters: target, weight, features, ignore, categorical, positive,
 * unseen, task, group, time. For descriptors' `roles`. */
extern const mli_param mli_roles_supervised[];     /* of several tasks; target required */
extern const mli_param mli_roles_several[];        /* and several targets at once */
extern const mli_param mli_roles_boosting[];       /* also rankings, survival, offsets */
extern const mli_param mli_roles_steps[];          /* the same, and no target is needed */
extern const mli_param mli_roles_regression[];     /* without task and positive */
extern const mli_param mli_roles_classification[]; /* without task */
extern const mli_param mli_roles_unsupervised[];   /* no target */

#endif
