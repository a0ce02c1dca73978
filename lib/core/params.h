/* SPDX-License-Identifier: MIT
 *
 * core/params.h: parameter descriptors and sets of values.
 *
 * A descriptor is the single truth about a thing with parameters: an algorithm, an
 * option set, a metric. Validation, search spaces, help, bindings and reference pages
 * come from it. lib/catalog.c lists all descriptors.
 */
#ifndef MLI_CORE_PARAMS_H
#define MLI_CORE_PARAMS_H

#include "core/context.h"
#include <ml/params.h>
#include <ml/schema.h>

/* Must be given, or a list under the plural of its name where the descriptor has one. */
#define MLI_FLAG_REQUIRED  1
#define MLI_FLAG_EXPERT    2  /* left out of short help */
#define MLI_FLAG_ROLE      4  /* names columns */
#define MLI_FLAG_NULLABLE  8  /* the default is "" which means: not set */
#define MLI_FLAG_NO_EFFECT 16 /* speed or diagnostics only; not stored in the model */
/* The number of rounds; models offer the attribute "n_rounds", fewer when they stopped
 * early. */
#define MLI_FLAG_ROUNDS   32
#define MLI_FLAG_STOPPING 64 /* rounds without gain before stopping; 0: off */
/* Keeps rounds from learning noise; 0 is off. Its default acts unless early stopping
 * watches. */
#define MLI_FLAG_GUARD   1024
#define MLI_FLAG_CLASSES 256 /* for targets of classes only: refused for others */
#define MLI_FLAG_FITTED  512 /* found by the fit, for reading only */
/* STRS: names other algorithms, whose parameters the set holds as well: see mli_path. */
#define MLI_FLAG_PARTS 128

/* One parameter. Bounds are text, parsed at validation: exact for 64-bit integers. */
typedef struct mli_param {
    const char *name;    /* the term most people know */
    const char *aliases; /* "learning_rate_init,eta": comma-separated, or NULL */
    int32_t type;        /* ML_PARAM_ */
    int32_t flags;
    const char *dflt; /* default as text; NULL: none, the parameter is absent until set */
    const char *range; /* "[1, 64]", "(0, inf)", "{gini, entropy}", NULL: any */
    /* "[2, 12]", "log [1e-3, 0.3]", "{a, b}", "[10, 200] step 10"; NULL */
    const char *tune;
    /* "growth == leafwise", "kernel in {rbf, poly}"; NULL: always */
    const char *active_if;
    const char *doc; /* sentences of plain text; {param:name} refers to another */
    const char *since;
} mli_param;

typedef struct mli_kind {           /* a prediction kind */
    const char *name, *shape, *doc; /* "value", "rows", "..." */
} mli_kind;

typedef struct mli_attribute {              /* what a fitted model offers */
    const char *name, *dtype, *shape, *doc; /* "coef", "f64", "[n_columns]", "..." */
} mli_attribute;

#define MLI_SORT_ALGORITHM 1
#define MLI_SORT_OPTIONS   2
#define MLI_SORT_METRIC    3

/* Tasks, in mli_descriptor.tasks; names for the schema: "regression", ... */
#define MLI_TASK_REGRESSION     1u
#define MLI_TASK_CLASSIFICATION 2u
#define MLI_TASK_RANKING        4u
#define MLI_TASK_SURVIVAL       8u
#define MLI_TASK_TRANSFORM      16u /* makes columns of columns, no target needed */
#define MLI_TASK_CLUSTERING     32u
#define MLI_TASK_ANOMALY        64u
#define MLI_TASK_FORECAST       128u

/* Capabilities, in mli_descriptor.caps; names for the schema: "missing", "categories",
 * "weights", "text", "early_stopping", "partial_fit", "warm_start", "multi_target",
 * "resample", "time". */
#define MLI_CAN_MISSING      1u /* missing feature values are handled by the algorithm */
#define MLI_CAN_CATEGORIES   2u /* categorical columns are handled by the algorithm */
#define MLI_CAN_WEIGHTS      4u
#define MLI_CAN_TEXT         8u  /* text columns are taken as text */
#define MLI_CAN_EARLY_STOP   16u /* uses validation rows to stop */
#define MLI_CAN_PARTIAL_FIT  32u
#define MLI_CAN_WARM_START   64u
#define MLI_CAN_MULTI_TARGET 128u
#define MLI_CAN_RESAMPLE     256u /* a step that changes the rows of training only */
#define MLI_CAN_TIME         512u /* the column of the time is a feature as well */

/* The head shared by all descriptors. Arrays end with a NULL name. */
typedef struct mli_descriptor {
    const char *name, *aliases, *title, *doc, *family, *since;
    int32_t sort;         /* MLI_SORT_ */
    uint32_t tasks, caps; /* MLI_TASK_, MLI_CAN_: algorithms only */
    const mli_param *params;
    const mli_param *roles; /* input columns; values are column names */
    const mli_kind *kinds;
    const mli_attribute *attributes;
    const char *direction, *needs; /* metrics only */
    /* The MLI_TASK_ that the parameters imply when `task` is auto; 0: by the target.
     * Nullable. */
    uint32_t (*task_of)(const struct ml_params *params);
} mli_descriptor;

/* All descriptors of the library, sorted by name; defined in lib/catalog.c, the one
 * place that sees every folder. Ends with NULL. */
extern const mli_descriptor *const mli_catalog[];
/* Finds by name or alias; NULL when there is none. */
const mli_descriptor *mli_catalog_find(const char *name);
/* The same, failing with the nearest name of that sort. `what` is "algorithm", "metric".
 */
ml_status mli_catalog_get(const char *name, int32_t sort, const char *what,
                          const mli_descriptor **out, ml_error *err);
/* The parameter or role of that name or alias; NULL when there is none. */
const mli_param *mli_param_find(const mli_descriptor *d, const char *name);

#define MLI_BORROWED_NAME 1 /* of the descriptor, or in the texts of the set */
#define MLI_BORROWED_TEXT 2

/* A value. Scalars and lists keep their text form, made when set. */
typedef struct mli_value {
    char *name;
    int32_t type;         /* ML_PARAM_ */
    int32_t given;        /* set explicitly, not by default */
    int32_t borrowed;     /* MLI_BORROWED_: not the value's own memory */
    int32_t line, column; /* where it stood in a document; 0: in none */
    int32_t name_line, name_column;
    int32_t *places; /* line and column of each item of a list in a document; NULL */
    int64_t i64;     /* BOOL, I64 */
    double f64;      /* F64, and I64 converted */
    char *text;      /* every type, as text that set_str accepts */
    int64_t count;   /* lists */
    int64_t *i64s;
    double *f64s;
    char **strs;
} mli_value;

struct ml_params {
    ml_context *ctx;
    int64_t count, capacity;
    mli_value *values; /* in order of setting */
    char *texts;       /* of values that were read together; NULL: none */
};

const mli_value *mli_params_find(const ml_params *p, const char *name);
ml_status mli_params_remove(ml_params *p, const char *name);
/* ---- parts ----
 * A parameter flagged MLI_FLAG_PARTS lists algorithms: "imputer", or with a name of their
 * own "scale=standard_scaler". Their parameters (not their roles) stand in the same flat
 * set as "scale.with_mean", and so on for parts of parts: names with dots are paths. With
 * a range "{a}", each item is the name of one more `a`. Setting the list adds the
 * defaults of new parts and removes what belongs to those that are gone. */
#define MLI_PART_NAME 64
typedef struct mli_param_part {
    char name[MLI_PART_NAME];
    const mli_descriptor *d; /* of an algorithm */
} mli_param_part;
/* An item of a list of parts. */
ml_status mli_part_read(const mli_param *list, const char *item, mli_param_part *out,
                        ml_error *err);

/* Where a path leads: a parameter whose name is the whole path, of the descriptor `d`. */
#define MLI_PATH_SIZE 256
typedef struct mli_path {
    const mli_descriptor *d;
    const mli_param *param;
    mli_param copy;
    char name[MLI_PATH_SIZE];
} mli_path;
/* Fails with the nearest name when there is no such parameter. */
ml_status mli_path_find(const ml_params *p, const mli_descriptor *d, const char *path,
                        mli_path *out, ml_error *err);
/* Removes the values of parameters with a flag, those of parts as well. */
void mli_params_drop(ml_params *p, const mli_descriptor *d, int32_t flag);
/* The parameters of one part, as a set of their own. */
ml_status mli_params_part(const ml_params *p, const char *part, ml_params **out,
                          ml_error *err);

/* Checks one value against a descriptor and stores it under its proper name, converted to
 * its type. Unknown names fail with the nearest name; out-of-range values name the range.
 * The place of the error is "params.<name>". */
ml_status mli_params_put(ml_params *p, const mli_descriptor *d, const char *name,
                         const mli_value *value, ml_error *err);
/* The same for a whole set, lists of parts before what is in their parts. On failure some
 * values may have been put. */
ml_status mli_params_put_all(ml_params *p, const mli_descriptor *d,
                             const ml_params *given, ml_error *err);
/* A new set with all parameters and roles of the descriptor: the given values checked,
 * the others at their defaults. `given` may be NULL. Order: as in the descriptor. */
ml_status mli_params_resolve(ml_context *ctx, const mli_descriptor *d,
                             const ml_params *given, ml_params **out, ml_error *err);
/* The same for values that came of a resolved set: those of a part, which has no roles,
 * get none. */
ml_status mli_params_resolve_again(ml_context *ctx, const mli_descriptor *d,
                                   const ml_params *given, ml_params **out,
                                   ml_error *err);
/* What a parameter becomes where all rows are fitted with the rounds that early stopping
 * found (0: it found none), so that the model is the one that was watched. was: its
 * value, or NULL. Returns 0 when it stays. */
int mli_param_settled(const mli_param *param, const mli_value *was, int64_t rounds,
                      int64_t *value);
/* Is the parameter active, given the values (its active_if condition)? A test of a value
 * that the set lacks counts as true. Conditions: "a == b", !=, <, <=, >, >=,
 * "a in {b, c}", "a not in {b, c}", several joined by "and". */
int mli_param_active(const mli_param *param, const ml_params *values);
/* Is the text a well-formed condition over parameters of the descriptor? */
int mli_condition_valid(const mli_descriptor *d, const char *text);

/* Values of a resolved set, whose presence and type the descriptor guarantees. A value
 * that is absent or not set gives 0, NaN, "". */
int64_t mli_get_i64(const ml_params *p, const char *name);
double mli_get_f64(const ml_params *p, const char *name);
int mli_get_bool(const ml_params *p, const char *name);
const char *mli_get_str(const ml_params *p, const char *name); /* "" when not set */
/* Index of an enum's value in a comma-separated list of names. */
int mli_get_enum(const ml_params *p, const char *name, const char *names);
/* Lists; count 0 when not set. */
int64_t mli_get_f64s(const ml_params *p, const char *name, const double **out);
int64_t mli_get_i64s(const ml_params *p, const char *name, const int64_t **out);
int64_t mli_get_strs(const ml_params *p, const char *name, const char *const **out);

/* A parsed range or tuning range. */
typedef struct mli_range {
    int is_set; /* {a, b, c}: names in `set` */
    int log, open_low, open_high;
    double low, high, step; /* step 0: continuous (or 1 for integers) */
    int64_t ilow, ihigh;    /* for integers: exact and inclusive, also of open bounds */
    const char *set;        /* inside the braces; split with mli_range_item */
    int64_t count;          /* items of the set */
} mli_range;
/* 1 on success; the text must outlive the range. */
int mli_range_parse(const char *text, mli_range *out);
/* Item i of a set, copied to buffer (cut to fit). */
void mli_range_item(const mli_range *r, int64_t i, char *buffer, size_t size);
/* Params as a JSON object, in order. */
void mli_params_json(mli_str *s, const ml_params *p);
/* Reads a JSON object into a set. Names must be new to the set; on failure some values
 * may have been added. */
#define MLI_PARAMS_READ_MAX 10000 /* values in one document */
ml_status mli_params_from_json(ml_params *p, const char *text, size_t size,
                               ml_error *err);
/* The same, each value checked as by mli_params_put (used by the model file). */
ml_status mli_params_from_json_checked(ml_params *p, const mli_descriptor *d,
                                       const char *text, size_t size, ml_error *err);
/* The same, quickly, into an empty set, for a text that holds just what a model keeps:
 * every parameter and role but those without effect, in order, nothing wrong. *done is 0
 * when it is another, and the set is still empty. Fails for lack of memory only. */
ml_status mli_params_from_json_stored(ml_params *p, const mli_descriptor *d,
                                      const char *text, size_t size, int *done,
                                      ml_error *err);

#endif
