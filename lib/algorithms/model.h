/* SPDX-License-Identifier: MIT
 *
 * algorithms/model.h: the model's inside: parameters, inputs, named tensors, summary.
 */
#ifndef MLI_ALGORITHMS_MODEL_H
#define MLI_ALGORITHMS_MODEL_H

#include "algorithms/algorithm.h"
#include <ml/model.h>

typedef struct mli_named {
    char *name;
    ml_tensor *tensor;
} mli_named;

struct ml_model {
    mli_ref ref;
    ml_context *ctx;
    const mli_algorithm *algorithm;
    ml_params *params; /* resolved, without those flagged MLI_FLAG_NO_EFFECT */
    mli_inputs *inputs;
    int64_t count, capacity;
    mli_named *tensors;   /* sorted by name */
    mli_str summary;      /* JSON object of facts from training; complete once sealed */
    _Atomic(char *) json; /* for ml_model_json; made at the first call */
    char *writer;         /* the version of libml that wrote its file; NULL: no file */
    char **labels;        /* of the classes, NUL-terminated; made when sealed */
    int sealed;
    atomic_int unchecked; /* from a file: see mli_model_check */
};

/* An empty model; takes references to inputs, a copy of params. */
ml_status mli_model_new(ml_context *ctx, const mli_algorithm *algorithm,
                        const ml_params *params, mli_inputs *inputs, ml_model **out,
                        ml_error *err);
/* Adds a tensor of zeros and gives its memory to fill in. */
ml_status mli_model_add(ml_model *m, const char *name, int32_t dtype, int32_t ndim,
                        const int64_t *shape, void *data /* void ** */, ml_error *err);
/* Adds a copy of a vector of doubles. */
ml_status mli_model_add_f64s(ml_model *m, const char *name, const double *values,
                             int64_t n, ml_error *err);
/* Adds an existing tensor (takes a new reference). */
ml_status mli_model_add_tensor(ml_model *m, const char *name, ml_tensor *tensor,
                               ml_error *err);
/* Adds a number or text to the training summary. Must be deterministic: no times. */
void mli_model_note_f64(ml_model *m, const char *key, double value);
void mli_model_note_i64(ml_model *m, const char *key, int64_t value);
void mli_model_note_str(ml_model *m, const char *key, const char *value);
/* Sorts the tensors, completes the summary; afterwards the model is immutable. */
ml_status mli_model_seal(ml_model *m, ml_error *err);

/* Makes sure that the contents of a loaded model can be used without harm (the levels of
 * its inputs, algorithm->check). Loading does so at once for small models; for large ones
 * the first use does, so that loading takes the same time whatever the size. The first
 * call checks, later ones are free. mli_plan_new and computed attributes call it. */
ml_status mli_model_check(const ml_model *m, ml_error *err);

/* The first tensor whose name is not before this one. */
int64_t mli_model_place(const ml_model *m, const char *name);
/* A stored tensor, or NULL. Borrowed. */
const ml_tensor *mli_model_find(const ml_model *m, const char *name);
/* A stored tensor of exactly this dtype and number of dimensions, contiguous; a size in
 * `shape` of -1 accepts any and receives it. ML_E_FORMAT otherwise. */
ml_status mli_model_want(const ml_model *m, const char *name, int32_t dtype, int32_t ndim,
                         int64_t *shape, const void *data /* const T ** */,
                         ml_error *err);

/* Fits: resolves, makes the designs, runs the algorithm, seals. valid may be NULL. */
ml_status mli_fit_table(ml_context *ctx, const mli_algorithm *algorithm,
                        const ml_params *params, const ml_table *train,
                        const ml_table *valid, mli_run *run, ml_model **out,
                        ml_error *err);
/* The same with functions of the caller, or a model to go on from: then the columns and
 * categories are those of that model. */
ml_status mli_fit_table_hooks(ml_context *ctx, const mli_algorithm *algorithm,
                              const ml_params *params, const ml_table *train,
                              const ml_table *valid, const mli_hooks *hooks, mli_run *run,
                              ml_model **out, ml_error *err);
/* The same from designs that exist already (folds); hooks may be NULL. */
ml_status mli_fit_design(ml_context *ctx, const mli_algorithm *algorithm,
                         const ml_params *params, const mli_design *train,
                         const mli_design *valid, const mli_hooks *hooks, mli_run *run,
                         ml_model **out, ml_error *err);
/* The same as a part of another algorithm, which names it in errors; `params` are
 * resolved and have no roles. */
ml_status mli_fit_part(ml_context *ctx, const mli_algorithm *algorithm, const char *name,
                       const ml_params *params, const mli_design *train,
                       const mli_design *valid, const mli_hooks *hooks, mli_run *run,
                       ml_model **out, ml_error *err);
/* Are fits to these rows made side by side, where there are several, a thread each? They
 * are small, and gain little by threads of their own. Not while memory is limited. */
int mli_fits_beside(const mli_design *d);
/* The same by the bytes of their values. */
int mli_small_beside(ml_context *ctx, int64_t bytes);
/* Puts a name before the message of a failure; place and hint stay. */
ml_status mli_fit_named(const char *name, ml_status status, ml_error *err);
/* A plan for a kind, "class" included. NULL kind: the first of the descriptor that the
 * model's task offers. *kind_out receives the name as the descriptor has it. */
ml_status mli_plan_new(const ml_model *m, const char *kind, const char **kind_out,
                       mli_plan **out, ml_error *err);
/* Is a kind of the descriptor offered by this model? "proba", "log_proba", "class" need
 * classes; "value", "interval" and "quantiles" need a model without; others are always.
 */
int mli_kind_offered(const ml_model *m, const mli_kind *kind);
/* All kinds that a model offers, `list` of them as JSON, in order of the descriptor;
 * "class" follows "proba" also where the descriptor does not list it. */
void mli_kinds_json(mli_str *s, const ml_model *m);
/* The model as JSON, into s. */
void mli_model_write_json(mli_str *s, const ml_model *m);
/* Predicts all rows of a design, in parallel blocks: out[rows * plan->n_outputs]. */
ml_status mli_plan_run_design(const mli_plan *plan, const mli_design *design,
                              mli_run *run, double *out, ml_error *err);

/* Calls `block` with the outputs of rows begin .. begin + n - 1, row-major, for all rows
 * of a design: on workers, each row once, blocks in any order. */
typedef void (*mli_plan_block)(void *arg, int64_t begin, int64_t n, const double *out);
ml_status mli_plan_run_blocks(const mli_plan *plan, const mli_design *design,
                              mli_run *run, mli_plan_block block, void *arg,
                              ml_error *err);

/* The columns that a transformer makes: a new reference. */
ml_status mli_model_outputs(const ml_model *m, mli_inputs **out, ml_error *err);
/* A table of the columns `outputs` that a plan makes of a design: numbers as f64, codes
 * as categories, NaN as missing. `sparse`: those that are mostly 0 are held so, see
 * data/sparse.c. */
ml_status mli_plan_run_columns(const mli_plan *plan, const mli_design *design,
                               const mli_inputs *outputs, int sparse, mli_run *run,
                               ml_table **out, ml_error *err);
/* The same from rows that exist already: rows[i * outputs->n_features + j]. */
ml_status mli_columns_of_rows(ml_context *ctx, const double *rows, int64_t n,
                              const mli_inputs *outputs, ml_table **out, ml_error *err);

struct ml_estimator {
    ml_context *ctx;
    const mli_algorithm *algorithm;
    ml_params *params; /* all, with defaults */
    ml_progress_fn progress;
    void *progress_user;
    ml_cancel *cancel;
    mli_hooks hooks; /* hooks.start is counted */
};

#endif
