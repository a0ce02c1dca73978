/* SPDX-License-Identifier: MIT
 *
 * prepare/prepare.h: what transformers share. Most of them treat each column on its own:
 * they pick columns by the parameter `columns`, learn a few numbers of each, and make one
 * column or several of each; columns that are not picked pass unchanged. Such a one says
 * what is its own in an mli_transformer; picking, the plan and the description of the
 * outputs are here.
 */
#ifndef MLI_PREPARE_H
#define MLI_PREPARE_H

#include "algorithms/model.h"

/* ---- picking columns ---- */

#define MLI_TAKES_NUMBERS    (1u << MLI_NUMERIC)
#define MLI_TAKES_CATEGORIES (1u << MLI_CATEGORICAL)
#define MLI_TAKES_TEXT       (1u << MLI_TEXT)
#define MLI_TAKES_ALL        (MLI_TAKES_NUMBERS | MLI_TAKES_CATEGORIES | MLI_TAKES_TEXT)

#define MLI_PARAM_COLUMNS                                                                \
    {                                                                                    \
        "columns", "select", ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL,     \
            "The columns to work on: names, patterns with *, or kinds: number, "         \
            "category, "                                                                 \
            "text, date. The others pass unchanged. Not set: all that it can work on.",  \
            "0.1"                                                                        \
    }

/* picked[n_features]: 1 for each feature that `columns` names and that is of a kind in
 * `takes`. An item that matches nothing, and a name of another kind, are errors. */
ml_status mli_prepare_pick(const mli_inputs *in, const ml_params *params, uint32_t takes,
                           uint8_t *picked, ml_error *err);
/* The same, allocated, and n > 0 demanded for `what`. */
ml_status mli_prepare_picked(mli_fit *job, uint32_t takes, uint8_t **picked,
                             ml_error *err);

/* ---- transformers ---- */

typedef struct mli_prepared mli_prepared;

typedef struct mli_transformer {
    uint32_t takes; /* MLI_TAKES_ */
    int more;       /* it makes columns beside those of each feature: width, describe and
                       map are called for the feature number n_features as well, whose
                       input is the whole row */
    int needs_all;  /* map gets whole rows for every picked feature */
    /* Binds tensors and parameters, checking them: a file may be hostile. Nullable. */
    ml_status (*load)(mli_prepared *t, ml_error *err);
    /* Columns made of a picked feature; 0 removes it. NULL: 1. */
    int64_t (*width)(const mli_prepared *t, int64_t feature);
    /* Fills in those columns: name, kind, levels. NULL: the same name, numeric. */
    ml_status (*describe)(const mli_prepared *t, int64_t feature, mli_feature *out,
                          ml_error *err);
    /* Their values: in[i * stride], out[i * out_stride + k]. */
    void (*map)(const mli_prepared *t, int64_t feature, const double *in, int64_t stride,
                int64_t n, double *out, int64_t out_stride);
    /* The same for one column of numbers: see mli_plan.stream. Nullable. */
    int64_t (*stream)(const mli_prepared *t, int64_t feature, const double *in, int64_t n,
                      double *out);
    int64_t (*stream_floats)(const mli_prepared *t, int64_t feature, const float *in,
                             int64_t n, double *out);
    /* Does a picked feature without missing values stay as it is? NULL: no. */
    int (*same)(const mli_prepared *t, int64_t feature);
    /* Of columns with `truth`, of which at most one is 1: which one, or -1. Nullable. */
    void (*hot)(const mli_prepared *t, int64_t feature, const int32_t *codes, int64_t n,
                int32_t *which);
    /* Instead of map: whole rows at once, with the memory that load asked for in
       plan.scratch. NULL: map. */
    void (*rows)(const mli_prepared *t, const double *rows, int64_t n, int64_t stride,
                 double *out, void *scratch);
    /* One output of whole rows: see mli_plan.output. Nullable. */
    void (*output)(const mli_prepared *t, const double *const *in, int64_t n, int64_t k,
                   double *out, double *scratch);
    int64_t (*output_past)(const mli_prepared *t, const double *const *in,
                           const float *const *floats, int64_t n, int64_t k, double *out,
                           double *scratch);
    void (*release)(
        mli_prepared *t); /* frees what load has made beyond `own`; nullable */
} mli_transformer;

/* A transformer ready to run. */
struct mli_prepared {
    mli_plan plan;
    const mli_transformer *kind;
    const ml_model *model;
    const mli_inputs *in;
    uint8_t *picked; /* [n_features] */
    int64_t *first;  /* [n_features + 2] first column of each feature */
    /* What load binds, as each file names it. */
    const double *f64[4];
    const int64_t *i64[2];
    int64_t size[4];
    double number[4];
    int option[4];
    void *own[4]; /* freed with the plan */
};

ml_status mli_prepare_plan(const ml_model *m, const mli_transformer *kind, mli_plan **out,
                           ml_error *err);
ml_status mli_prepare_outputs(const ml_model *m, const mli_transformer *kind,
                              mli_inputs **out, ml_error *err);
/* The two functions of an mli_algorithm, for a static mli_transformer `kind`. */
#define MLI_PREPARE_FUNCTIONS(kind)                                                      \
    static ml_status plan(const ml_model *m, const char *name, mli_plan **out,           \
                          ml_error *err)                                                 \
    {                                                                                    \
        (void)name;                                                                      \
        return mli_prepare_plan(m, &kind, out, err);                                     \
    }                                                                                    \
    static ml_status outputs(const ml_model *m, mli_inputs **out, ml_error *err)         \
    {                                                                                    \
        return mli_prepare_outputs(m, &kind, out, err);                                  \
    }

/* A tensor of one number per feature, bound. */
ml_status mli_prepare_want(mli_prepared *t, const char *name, const double **out,
                           ml_error *err);
/* A tensor of whole numbers that rise from 0: where the part of each feature begins in
 * another one of `total` elements (-1: any; then found). [n_features + 1]. */
ml_status mli_prepare_offsets(mli_prepared *t, const char *name, int64_t total,
                              const int64_t **out, ml_error *err);
/* Names a column: copied, or printed. */
ml_status mli_prepare_name(const mli_prepared *t, mli_feature *out, ml_error *err,
                           const char *format, ...) MLI_PRINTF(4, 5);

/* Fails unless there is one target, of one of these tasks. Several targets and times that
 * may be censored are not what a mean of the target or its correlation is right for. */
#define MLI_LEARNS (MLI_TASK_REGRESSION | MLI_TASK_CLASSIFICATION)
ml_status mli_prepare_needs_target(const mli_fit *job, uint32_t tasks, ml_error *err);

extern const mli_kind mli_transform_kinds[];
/* Roles of transformers that may look at a target, and need none. */
extern const mli_param mli_roles_prepare[];

/* ---- statistics ---- */

typedef struct mli_moments {
    double weight;       /* of the values present */
    double mean, square; /* weighted mean, weighted sum of squared distances from it */
    double min, max;
    int64_t present, infinite;
} mli_moments;
/* All of it; by the design's weights; all but `square`, which costs less. */
enum { MLI_ALL = 0, MLI_WEIGHTED = 1, MLI_NO_SQUARES = 2 };
/* Of each picked feature (zeros for the others), missing values left out. Infinite values
 * are refused with their column. [n_features]. */
ml_status mli_prepare_moments(const mli_design *d, const uint8_t *picked, int what,
                              const mli_run *run, mli_moments **out, ml_error *err);

/* Calls fn with the sorted present values of each picked feature, on workers. Its memory
 * may be written. */
typedef void (*mli_sorted_fn)(void *arg, int64_t feature, double *sorted, int64_t n);
ml_status mli_prepare_sorted(const mli_design *d, const uint8_t *picked,
                             const mli_run *run, mli_sorted_fn fn, void *arg,
                             ml_error *err);
/* The same where fn looks at these quantiles alone: the other values are undefined. */
ml_status mli_prepare_ranked(const mli_design *d, const uint8_t *picked, const double *q,
                             int64_t n_q, const mli_run *run, mli_sorted_fn fn, void *arg,
                             ml_error *err);
/* The present values of a feature, zeros without a sign, in order of the rows. Returns
 * how many; v[rows]. */
int64_t mli_prepare_present(const mli_design *d, int64_t feature, double *v);
/* A quantile of sorted values, between two of them on a line; NaN of none. */
double mli_quantile(const double *sorted, int64_t n, double q);
/* The most frequent of sorted values, the least of several; NaN of none. */
double mli_mode(const double *sorted, int64_t n);
/* k of n places from low to high at equal distances, both ends exactly. */
double mli_even_place(double low, double high, int64_t k, int64_t n);
/* The quantile of the standard normal distribution, 0 < p < 1. */
double mli_normal_quantile(double p);
/* Counts of the levels of a categorical feature. counts[levels]. */
void mli_prepare_counts(const mli_design *d, int64_t feature, double *counts);

/* The head that all transformers share. */
#define MLI_PREPARE_HEAD                                                                 \
    .family = "prepare", .since = "0.1", .sort = MLI_SORT_ALGORITHM,                     \
    .tasks = MLI_TASK_TRANSFORM, .kinds = mli_transform_kinds
/* The same for those that look at a target. */
#define MLI_LEARN_HEAD                                                                   \
    .family = "prepare", .since = "0.1", .sort = MLI_SORT_ALGORITHM,                     \
    .tasks = MLI_TASK_TRANSFORM | MLI_TASK_REGRESSION | MLI_TASK_CLASSIFICATION,         \
    .kinds = mli_transform_kinds
#define MLI_CAN_PREPARE (MLI_CAN_MISSING | MLI_CAN_CATEGORIES)

#endif
