/* SPDX-License-Identifier: MIT
 *
 * algorithms/algorithm.h: what an algorithm is. An author fills in one mli_algorithm and
 * adds one line to lib/catalog.c; saving, loading, the command, Python, Lua, the
 * reference pages and the conformance tests follow from it.
 *
 * Fit: read job->params and job->train, add named tensors to job->model, and poll
 * job->run. Everything the predictions need must be in these tensors, the parameters and
 * the inputs: there is no other state.
 */
#ifndef MLI_ALGORITHMS_ALGORITHM_H
#define MLI_ALGORITHMS_ALGORITHM_H

#include "core/parallel.h"
#include "core/params.h"
#include "core/run.h"
#include "data/design.h"
#include "data/csr.h"
#include <ml/estimator.h>

/* What the caller adds to an estimator beyond parameters; all may be NULL. */
typedef struct mli_hooks {
    ml_objective_fn objective;
    void *objective_user;
    ml_metric_fn metric;
    void *metric_user;
    int32_t maximize;      /* the metric */
    const ml_model *start; /* the model that training goes on from */
    /* Fitted first steps of pipelines, of fits on the designs of the caller. */
    struct mli_prefixes *prefixes;
} mli_hooks;

typedef struct mli_fit {
    ml_context *ctx;
    const ml_params *params; /* resolved */
    const mli_design *train;
    const mli_design *valid; /* NULL when there is none */
    mli_run *run;
    ml_model *model;        /* being built: see algorithms/model.h */
    const mli_hooks *hooks; /* never NULL */
} mli_fit;

/* A frozen way to predict one kind. Immutable after creation: many threads share it, each
 * with its own scratch. */
#define MLI_ACROSS 256 /* rows */
typedef struct mli_plan mli_plan;
struct mli_plan {
    ml_context *ctx;
    int64_t n_features, n_outputs;
    size_t scratch; /* bytes that run needs, 64-byte aligned; 0: none */
    int64_t block;  /* rows per call that suit it best; 0: any */
    /* Of probabilities: what that of each class is divided by before the largest is the
     * class, [n_outputs], memory of the model; NULL: 1. */
    const double *cuts;
    /* rows[i * stride + j]: feature j of row i (NaN missing, categories as codes);
     * out[i * n_outputs + k]. Never fails, allocates, locks.
     * Rows come from the host as they are: any value may occur anywhere, infinities as
     * well. A finite code that the dictionary lacks counts as missing. The result for a
     * row depends on that row alone, whatever n, so that one row gives what the batch
     * gives. */
    void (*run)(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                double *out, void *scratch);
    /* The same from floats; NULL: the caller converts. */
    void (*run_f32)(const mli_plan *plan, const float *rows, int64_t n, int64_t stride,
                    double *out, void *scratch);
    /* Rows begin .. begin + n - 1 of sparse ones, of which no row lists a feature twice,
     * and whose `absent` is 0 or NaN. The values are those that `run` gives for the same
     * rows in full. NULL: the caller fills rows. */
    void (*run_sparse)(const mli_plan *plan, const mli_csr *rows, int64_t begin,
                       int64_t n, double *out, void *scratch);
    /* Rows begin .. begin + n - 1 of columns: columns[j][i] is feature j of row i. The
     * values are those that `run` gives for the same rows. NULL: the caller makes rows.
     */
    void (*run_columns)(const mli_plan *plan, const double *const *columns, int64_t begin,
                        int64_t n, double *out, void *scratch);
    /* Plans whose outputs come of one feature each: outputs first[j] .. first[j + 1] - 1
     * from the values in[n] of feature j, out[i * stride + k]. The values are those that
     * `run` gives. NULL: they need whole rows. */
    const int64_t *first;
    void (*column)(const mli_plan *plan, int64_t feature, const double *in, int64_t n,
                   double *out, int64_t stride);
    /* Beside `column`, of features that make one column of numbers: the same past the
     * caches, out at a line of them. Returns how many are missing. For CPUs with AVX2
     * alone; NULL: it is done piece by piece. */
    int64_t (*stream)(const mli_plan *plan, int64_t feature, const double *in, int64_t n,
                      double *out);
    /* The same of floats; -1: not of this feature. Nullable. */
    int64_t (*stream_floats)(const mli_plan *plan, int64_t feature, const float *in,
                             int64_t n, double *out);
    /* Beside `column`: does a feature without missing values stay as it is? NULL: no. */
    int (*same)(const mli_plan *plan, int64_t feature);
    /* Beside `column`: where the outputs of a feature have `truth` and at most one is 1:
     * which of them, of codes, or -1. NULL: none are so. */
    void (*hot)(const mli_plan *plan, int64_t feature, const int32_t *codes, int64_t n,
                int32_t *which);
    /* Plans that need whole rows: output k of at most MLI_ACROSS rows, in[j][i] to
     * out[i]. The values are those that `run` gives. For a block k rises from 0, and
     * `scratch`, [4 * MLI_ACROSS], stays. NULL: there is no such way. */
    void (*output)(const mli_plan *plan, const double *const *in, int64_t n, int64_t k,
                   double *out, double *scratch);
    /* The same past the caches, while the block after it is fetched; columns that stand
     * in place as floats are in floats[j], not in[j]. Else as `stream`. */
    int64_t (*output_past)(const mli_plan *plan, const double *const *in,
                           const float *const *floats, int64_t n, int64_t k, double *out,
                           double *scratch);
    void (*free)(mli_plan *plan); /* NULL: mli_free is enough */
};
void mli_plan_free(mli_plan *plan);

typedef struct mli_algorithm {
    mli_descriptor head;
    ml_status (*fit)(mli_fit *job, ml_error *err);
    /* Kinds that an algorithm lists are made here, but for "class", which is derived from
     * "proba" (argmax, lowest index on a tie) for every classifier. Reading tensors: as
     * untrusted input, since a file may be hostile: check shapes and ranges. */
    ml_status (*plan)(const ml_model *model, const char *kind, mli_plan **out,
                      ml_error *err);
    /* Checks the tensors of a loaded model as far as memory safety of `plan` needs more
     * than shapes; nullable. */
    ml_status (*check)(const ml_model *model, ml_error *err);
    /* Attributes computed from the tensors (those of head.attributes that are not
     * stored): ML_E_NAME when it does not know the name. Nullable. */
    ml_status (*attribute)(const ml_model *model, const char *name, ml_tensor **out,
                           ml_error *err);
    /* Transformers: the columns that the kind "transform" makes, in the form of inputs
     * (names, kinds, levels), whose codes its plan gives. NULL: those that came in. */
    ml_status (*outputs)(const ml_model *model, mli_inputs **out, ml_error *err);
    /* Transformers: the outputs for the training rows, out[rows * outputs], where they
     * are not what the plan gives (cross-fitting); called in a pipeline after fit.
     * Nullable. */
    ml_status (*train_rows)(mli_fit *job, double *out, ml_error *err);
    /* The same as a table of the columns `outputs`, of which some may be sparse: what the
     * next step of a pipeline gets where an algorithm has it. Nullable. */
    ml_status (*train_table)(mli_fit *job, const mli_inputs *outputs, ml_table **out,
                             ml_error *err);
    /* Transformers that choose or make rows of training (classes balanced, outliers left
     * out): those that the next step is fitted to; called in a pipeline after fit. A
     * prediction passes such a step by. Goes with MLI_CAN_RESAMPLE. Nullable. */
    ml_status (*resample)(mli_fit *job, mli_design **out, ml_error *err);
    /* Models made of others: the part of that name, whose attributes are this one's under
     * "name.attribute"; ML_E_NAME when there is none. Nullable. */
    ml_status (*part)(const ml_model *model, const char *name, ml_model **out,
                      ml_error *err);
    /* Whose kinds the model offers: of a pipeline its last step. NULL: its own. */
    const struct mli_algorithm *(*offers)(const ml_model *model);
    /* Algorithms made of others: changes tasks, capabilities and roles of a copy of the
     * head to those that hold with these parameters. Nullable. */
    void (*describe)(const ml_params *params, mli_descriptor *head);
} mli_algorithm;

/* The head that holds with these parameters: it, or `copy` changed. */
const mli_descriptor *mli_algorithm_head(const mli_algorithm *algorithm,
                                         const ml_params *params, mli_descriptor *copy);

/* The parameter `seed`, the same everywhere. */
#define MLI_PARAM_SEED                                                                   \
    {                                                                                    \
        "seed", "random_state,random_seed", ML_PARAM_I64, 0, "0",                        \
            "[0, 9223372036854775807]", NULL, NULL,                                      \
            "Seed of all random choices. The same seed, data and parameters give the "   \
            "same model whatever the number of threads.",                                \
            "0.1"                                                                        \
    }
#define MLI_PARAM_END                                                                    \
    {                                                                                    \
        NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL                             \
    }

#endif
