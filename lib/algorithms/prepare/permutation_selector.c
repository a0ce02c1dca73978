/* SPDX-License-Identifier: MIT
 *
 * prepare/permutation_selector.c: leaves columns out that a model can do without: trees
 * are fitted to all but a fold of the rows, and a column is worth what their loss on that
 * fold grows when its values are shuffled. Breiman, "Random forests", Machine Learning 45
 * (2001); rows held out as in Fisher, Rudin and Dominici, JMLR 20 (2019).
 *
 * The loss is the squared error or the log loss, as a part of that of a constant: a
 * column of importance 0.1 explains a tenth of the target that others do not.
 *
 * The standard error is that of the mean over the rows held out, each with the mean of
 * its repeats: repeats of one fit are no witnesses of their own. Rows of weight 0 are
 * left out.
 *
 * Tensors: importance, error f64 [features], mean over folds and its standard error (NaN:
 * not looked at); kept f64 [features].
 * Cost: folds fits, and folds * repeats * columns predictions of a fold.
 */
#include "algorithms/compose/heldout.h"
#include "algorithms/prepare/select.h"
#include "core/rng.h"

#include <math.h>
#include <string.h>

#define BLOCK 256

typedef struct {
    mli_fit *job;
    const uint8_t *picked;
    int64_t folds, repeats;
    int32_t *fold;          /* [rows] */
    int64_t looked;         /* folds looked at */
    double *values, *error; /* [features][folds] and its square */
    /* of the fold that is looked at */
    int64_t n;
    const mli_plan *plan;
    const mli_design *test;
    double *rows;      /* [n][features] */
    double *base;      /* [n] losses */
    double constant;   /* loss */
    double *memory;    /* [slots] */
    int64_t *shuffled; /* [slots][n] */
    int64_t per_slot;
} worth;

/* ---- losses ---- */

static double loss_of(const mli_design *d, int64_t i, const double *out, int64_t wide)
{
    if (!d->label) return (out[0] - d->y[i]) * (out[0] - d->y[i]);
    int32_t c = d->label[i];
    double p = wide > 1 ? out[c] : c ? out[0] : 1 - out[0];
    return -log(p > 1e-9 ? p : 1e-9);
}

/* Adds the losses with column j (-1: none) taken from other rows to add[n]. */
static void measure(const worth *w, int64_t j, const int64_t *from, double *memory,
                    double *add)
{
    int64_t f = w->test->n_features, wide = w->plan->n_outputs;
    double *rows = memory, *out = rows + BLOCK * f;
    void *scratch = out + (BLOCK * wide + 7) / 8 * 8;
    for (int64_t begin = 0; begin < w->n; begin += BLOCK) {
        int64_t n = w->n - begin < BLOCK ? w->n - begin : BLOCK;
        memcpy(rows, w->rows + begin * f, (size_t)(n * f) * sizeof *rows);
        for (int64_t i = 0; j >= 0 && i < n; i++)
            rows[i * f + j] = w->rows[from[begin + i] * f + j];
        w->plan->run(w->plan, rows, n, f, out, scratch);
        for (int64_t i = 0; i < n; i++)
            add[begin + i] += loss_of(w->test, begin + i, out + i * wide, wide);
    }
}

/* The loss of the mean, or of the shares of the classes. */
static ml_status constant_loss(worth *w, ml_error *err)
{
    const mli_design *d = w->test;
    int64_t k = d->label ? d->inputs->classes.n : 1;
    double *share = mli_calloc(w->job->ctx, (size_t)k, sizeof *share), total = 0, sum = 0;
    if (!share) return mli_nomem(err);
    for (int64_t i = 0; i < w->n; i++) {
        double by = d->weight ? d->weight[i] : 1;
        share[d->label ? d->label[i] : 0] += d->label ? by : by * d->y[i];
        total += by;
    }
    for (int64_t c = 0; c < k; c++) share[c] /= total;
    for (int64_t i = 0; i < w->n; i++) {
        double by = d->weight ? d->weight[i] : 1;
        sum += by * (d->label ? -log(share[d->label[i]])
                              : (d->y[i] - share[0]) * (d->y[i] - share[0]));
    }
    w->constant = sum > 0 ? sum / total : 1;
    mli_free(w->job->ctx, share);
    return ML_OK;
}

/* The weighted mean of what the losses have grown, and the square of its error. */
static void summarize(worth *w, int64_t j, const double *grown)
{
    const double *weight = w->test->weight;
    double total = 0, mean = 0, square = 0;
    for (int64_t i = 0; i < w->n; i++) {
        total += weight ? weight[i] : 1;
        mean += (weight ? weight[i] : 1) * grown[i];
    }
    mean /= total;
    for (int64_t i = 0; i < w->n; i++) {
        double d = (weight ? weight[i] : 1) * (grown[i] - mean);
        square += d * d;
    }
    w->values[j * w->folds + w->looked] = mean / w->constant;
    w->error[j * w->folds + w->looked] =
        square / total / total / w->constant / w->constant;
}

static void shuffle_column(void *arg, int64_t j, int32_t slot)
{
    worth *w = arg;
    int64_t *from = w->shuffled + slot * w->n;
    double *grown = w->memory + slot * w->per_slot, *memory = grown + (w->n + 7) / 8 * 8;
    if (!w->picked[j]) return;
    memset(grown, 0, (size_t)w->n * sizeof *grown);
    for (int64_t r = 0; r < w->repeats; r++) {
        mli_rng rng;
        if (mli_run_state(w->job->run) == ML_CANCEL) return;
        mli_rng_init(&rng, (uint64_t)mli_get_i64(w->job->params, "seed"),
                     0x9e7 + (uint64_t)j, (uint64_t)(w->looked * w->repeats + r));
        for (int64_t i = 0; i < w->n; i++) from[i] = i;
        mli_rng_shuffle(&rng, from, w->n);
        measure(w, j, from, memory, grown);
    }
    for (int64_t i = 0; i < w->n; i++)
        grown[i] = grown[i] / (double)w->repeats - w->base[i];
    summarize(w, j, grown);
}

static ml_status look_at(worth *w, const mli_design *test, const mli_plan *plan,
                         ml_error *err)
{
    int64_t f = test->n_features, slots = mli_slots(w->job->ctx);
    w->test = test;
    w->plan = plan;
    w->n = test->rows;
    w->per_slot = (w->n + 7) / 8 * 8 + BLOCK * f + (BLOCK * plan->n_outputs + 7) / 8 * 8 +
                  (int64_t)(plan->scratch + 63) / 64 * 8;
    w->rows = mli_alloc_vec(w->job->ctx, w->n * f, sizeof *w->rows);
    w->memory = mli_alloc_vec(w->job->ctx, slots * w->per_slot, sizeof *w->memory);
    w->shuffled = mli_alloc_vec(w->job->ctx, slots * w->n, sizeof *w->shuffled);
    w->base = mli_calloc(w->job->ctx, (size_t)w->n, sizeof *w->base);
    ml_status status =
        w->rows && w->memory && w->shuffled && w->base ? ML_OK : mli_nomem(err);
    if (!status) status = constant_loss(w, err);
    if (!status) {
        mli_design_rows(test, 0, w->n, w->rows, f);
        measure(w, -1, NULL, w->memory, w->base);
        mli_parallel(w->job->ctx, f, shuffle_column, w);
        status = mli_run_check(w->job->run, err);
        w->looked++;
    }
    mli_free(w->job->ctx, w->rows);
    mli_free(w->job->ctx, w->memory);
    mli_free(w->job->ctx, w->shuffled);
    mli_free(w->job->ctx, w->base);
    return status;
}

/* The rows with a weight of a fold, or of all others; NULL: there are none. */
static ml_status take(const worth *w, int64_t f, int inside, mli_design **out,
                      ml_error *err)
{
    const mli_design *d = w->job->train;
    int64_t *rows = NULL, n = 0, m = 0;
    ml_status status = mli_heldout_rows(w->job->ctx, w->fold, d->rows, (int32_t)f, inside,
                                        &rows, &n, err);
    for (int64_t i = 0; i < n; i++)
        if (!d->weight || d->weight[rows[i]] > 0) rows[m++] = rows[i];
    if (!status && m > 0) status = mli_design_take(d, rows, m, out, err);
    mli_free(w->job->ctx, rows);
    return status;
}

static ml_status fit_and_look(worth *w, int64_t f, const mli_design *train,
                              const mli_design *test, ml_error *err)
{
    const ml_params *p = w->job->params;
    uint64_t seed = (uint64_t)mli_get_i64(p, "seed") + (uint64_t)f;
    ml_model *m = NULL;
    mli_plan *plan = NULL;
    mli_run run;
    mli_run_part(&run, w->job->run, (double)f / (double)w->folds,
                 (double)(f + 1) / (double)w->folds, 1);
    ml_status status = mli_select_fit(w->job, mli_get_str(p, "estimator"), 0, seed, train,
                                      &run, &m, err);
    if (!status)
        status = mli_plan_new(m, test->label ? "proba" : "value", NULL, &plan, err);
    if (!status) status = look_at(w, test, plan, err);
    mli_plan_free(plan);
    ml_model_free(m);
    return status;
}

/* A fold without rows on one of its sides tells nothing. */
static ml_status one_fold(worth *w, int64_t f, ml_error *err)
{
    mli_design *train = NULL, *test = NULL;
    ml_status status = take(w, f, 0, &train, err);
    if (!status) status = take(w, f, 1, &test, err);
    if (!status && train && test) status = fit_and_look(w, f, train, test, err);
    mli_design_free(test);
    mli_design_free(train);
    return status;
}

/* ---- choosing ---- */

static void join_folds(const worth *w, int64_t j, double *mean, double *error)
{
    double sum = 0, square = 0;
    for (int64_t f = 0; f < w->looked; f++) {
        sum += w->values[j * w->folds + f];
        square += w->error[j * w->folds + f];
    }
    *mean = sum / (double)w->looked;
    *error = sqrt(square) / (double)w->looked;
}

/* Those clearly above the threshold; of none, the best one. */
static ml_status choose(worth *w, double *importance, double *error, double *kept,
                        ml_error *err)
{
    const ml_params *p = w->job->params;
    int64_t n = w->job->train->n_features, best = -1, any = 0;
    double from = -INFINITY, limit = mli_get_f64(p, "threshold");
    for (int64_t j = 0; j < n; j++) {
        importance[j] = error[j] = NAN;
        if (w->picked[j]) join_folds(w, j, &importance[j], &error[j]);
        if (w->picked[j] && (best < 0 || importance[j] > importance[best])) best = j;
    }
    ml_status status =
        mli_select_best(w->job->ctx, importance, n, mli_get_i64(p, "k"), &from, err);
    for (int64_t j = 0; j < n && !status; j++) {
        kept[j] = !w->picked[j] ||
                  (importance[j] >= from && importance[j] - 2 * error[j] > limit);
        any += kept[j] > 0;
    }
    if (!any && best >= 0) kept[best] = 1;
    return status;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    int64_t n = job->train->n_features;
    uint8_t *picked = NULL;
    double *importance, *error, *kept;
    ml_status status = mli_prepare_needs_target(job, MLI_LEARNS, err);
    if (!status)
        status = mli_prepare_picked(job, MLI_TAKES_NUMBERS | MLI_TAKES_CATEGORIES,
                                    &picked, err);
    if (status) return status;
    worth w = {.job = job,
               .picked = picked,
               .folds = mli_get_i64(job->params, "folds"),
               .repeats = mli_get_i64(job->params, "repeats")};
    ml_model *m = job->model;
    status = mli_model_add(m, "importance", ML_DTYPE_F64, 1, &n, &importance, err);
    if (!status) status = mli_model_add(m, "error", ML_DTYPE_F64, 1, &n, &error, err);
    if (!status) status = mli_model_add(m, "kept", ML_DTYPE_F64, 1, &n, &kept, err);
    w.fold = mli_alloc_vec(job->ctx, job->train->rows, sizeof *w.fold);
    w.values = mli_calloc(job->ctx, 2 * (size_t)(n * w.folds), sizeof *w.values);
    w.error = w.values ? w.values + n * w.folds : NULL;
    if (!status && (!w.fold || !w.values)) status = mli_nomem(err);
    if (!status)
        status = mli_heldout_folds(
            job->train, w.folds, (uint64_t)mli_get_i64(job->params, "seed"), w.fold, err);
    for (int64_t f = 0; f < w.folds && !status; f++) status = one_fold(&w, f, err);
    if (!status && w.looked == 0)
        status =
            mli_fail(err, ML_E_DATA, "too few rows have a weight above 0 for %lld folds",
                     (long long)w.folds);
    if (!status) status = choose(&w, importance, error, kept, err);
    mli_free(job->ctx, w.fold);
    mli_free(job->ctx, w.values);
    mli_free(job->ctx, picked);
    return status;
}

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"estimator", NULL, ML_PARAM_STR, 0, "random_forest",
     "{random_forest, extra_trees, gbdt}", NULL, NULL,
     "The trees whose loss is looked at.", "0.1"},
    {"n_trees", "n_estimators", ML_PARAM_I64, 0, "100", "[1, 100000]", NULL, NULL,
     "How many trees.", "0.1"},
    {"folds", "cv", ML_PARAM_I64, 0, "3", "[2, 100]", NULL, NULL,
     "Parts of the rows, each held out once. Rows of a group stay together.", "0.1"},
    {"repeats", "n_repeats", ML_PARAM_I64, 0, "3", "[1, 1000]", NULL, NULL,
     "How often a column is shuffled in each part.", "0.1"},
    {"threshold", NULL, ML_PARAM_F64, 0, "0", "[0, 1]", NULL, NULL,
     "Columns are kept whose importance is above this by two standard errors.", "0.1"},
    {"k", "n_features_to_select", ML_PARAM_I64, 0, "0", "[0, 1000000]", NULL, NULL,
     "Keep at most the k best columns. 0: all above the threshold.", "0.1"},
    MLI_PARAM_SEED,
    MLI_PARAM_END};

static const mli_attribute attributes[] = {
    {"importance", "f64", "[features]",
     "What the loss grows without each column, as a part of that of a constant; NaN: not "
     "looked at."},
    {"error", "f64", "[features]", "The standard error of the importance."},
    {"kept", "f64", "[features]", "1 for the columns that are kept."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_permutation_selector;
const mli_algorithm mli_permutation_selector = {
    .head = {MLI_LEARN_HEAD, .name = "permutation_selector",
             .aliases = "permutation_importance_selector",
             .title = "columns that a model cannot do without",
             .doc = "Keeps the columns whose values matter to trees: the loss on rows "
                    "held out grows when they are shuffled. Of columns that say the same "
                    "each may seem dispensable.",
             .caps = MLI_CAN_PREPARE | MLI_CAN_WEIGHTS, .params = params,
             .roles = mli_roles_prepare, .attributes = attributes},
    .fit = fit,
    .plan = mli_select_plan,
    .outputs = mli_select_outputs,
};
