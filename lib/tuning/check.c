/* SPDX-License-Identifier: MIT
 *
 * check.c: ml_model_check: its options and methods, and the calibration of a classifier.
 */
#include "tuning/check.h"
#include "tuning/statistics.h"

#include <ml/model.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METHODS                                                                          \
    "calibration,slices,compare,cross_validation,nested,learning_curve,compare_folds"

static const mli_param check_params[] = {
    {"method", NULL, ML_PARAM_STR, 0, "cross_validation",
     "{calibration, slices, compare, cross_validation, nested, learning_curve, "
     "compare_folds}",
     NULL, NULL,
     "calibration: predicted probabilities against observed shares. slices: values of "
     "columns for which the model does worse than for the other rows. compare: two "
     "models on the same rows, without weights. "
     "cross_validation: scores of models fitted to the other folds. nested: the same, "
     "tuned inside of each fold. learning_curve: scores by the number of training rows. "
     "compare_folds: two models' parameters, fitted to the same folds.",
     "0.1"},
    {"metric", "scoring", ML_PARAM_STR, MLI_FLAG_NULLABLE, "", NULL, NULL,
     "method in {compare, cross_validation, nested, learning_curve, compare_folds}",
     "The metric. By default the usual one of the task; compare: all that it has a test "
     "for.",
     "0.1"},
    {"folds", "cv,n_splits", ML_PARAM_I64, 0, "5", "[2, 1000]", NULL,
     "method in {cross_validation, nested, learning_curve, compare_folds}",
     "Folds: by class for classifiers, by the group or time column when there is one.",
     "0.1"},
    {"repeats", "n_repeats", ML_PARAM_I64, 0, "1", "[1, 1000]", NULL,
     "method in {cross_validation, compare_folds}",
     "How often the rows are divided anew.", "0.1"},
    {"trials", "n_trials", ML_PARAM_I64, 0, "20", "[1, 100000]", NULL, "method == nested",
     "Trials of tuning within each fold.", "0.1"},
    {"points", "train_sizes", ML_PARAM_I64, 0, "5", "[2, 100]", NULL,
     "method == learning_curve",
     "Numbers of training rows, from a tenth to all, evenly spaced.", "0.1"},
    {"bins", "n_bins", ML_PARAM_I64, 0, "10", "[2, 1000]", NULL, "method == calibration",
     "Groups of rows with like probabilities, of equal size.", "0.1"},
    {"columns", "features", ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL,
     "method == slices", "The columns to slice by. By default all inputs but text.",
     "0.1"},
    {"min_rows", "min_samples", ML_PARAM_I64, 0, "30", "[2, 9223372036854775807]", NULL,
     "method == slices", "Slices with fewer rows are passed by.", "0.1"},
    {"most", "n_slices", ML_PARAM_I64, 0, "20", "[1, 100000]", NULL, "method == slices",
     "The most slices to list, the worst first.", "0.1"},
    {"seed", "random_state,random_seed", ML_PARAM_I64, 0, "0", "[0, 9223372036854775807]",
     NULL, NULL, "Seed of the folds.", "0.1"},
    MLI_PARAM_END};

const mli_descriptor mli_options_check = {
    .name = "options.check",
    .title = "Checking models",
    .doc = "What ml_model_check finds out about a model, as a table.",
    .since = "0.1",
    .sort = MLI_SORT_OPTIONS,
    .params = check_params,
};

ml_status mli_check_predict(const ml_model *m, const mli_design *d, double **out,
                            ml_error *err)
{
    int classes = m->inputs->task == MLI_TASK_CLASSIFICATION;
    int64_t k = classes ? m->inputs->classes.n : 1;
    mli_plan *plan = NULL;
    *out = NULL;
    ml_status st = mli_plan_new(m, classes ? "proba" : "value", NULL, &plan, err);
    if (st == ML_OK && plan->n_outputs != k)
        st = mli_fail(err, ML_E_UNSUPPORTED, "the model predicts several values at once");
    if (st == ML_OK && !(*out = mli_alloc_vec(m->ctx, d->rows * k, sizeof **out)))
        st = mli_nomem(err);
    if (st == ML_OK) st = mli_plan_run_design(plan, d, NULL, *out, err);
    mli_plan_free(plan);
    if (st != ML_OK) {
        mli_free(m->ctx, *out);
        *out = NULL;
    }
    return st;
}

/* ---- calibration ---- */

/* A row of the table per bin, and a last one for all rows, whose error is the mean. */
typedef struct {
    double p, hit, weight;
} ranked;

typedef struct {
    int64_t n; /* bins, without the last row */
    const char **bin;
    char (*names)[48];
    double *rows, *predicted, *observed, *low, *high, *error; /* [n + 1] */
} curve;

static int by_p(const void *a, const void *b)
{
    double x = ((const ranked *)a)->p, y = ((const ranked *)b)->p;
    return (x > y) - (x < y);
}

/* Returns the weight of its rows. */
static double add_bin(curve *c, const ranked *r, int64_t n)
{
    int64_t i = c->n++;
    double w = 0, square = 0, p = 0, hit = 0;
    for (int64_t k = 0; k < n; k++) {
        w += r[k].weight;
        square += r[k].weight * r[k].weight;
        p += r[k].weight * r[k].p;
        hit += r[k].weight * r[k].hit;
    }
    snprintf(c->names[i], sizeof *c->names, "%lld", (long long)(i + 1));
    c->rows[i] = (double)n;
    c->predicted[i] = w > 0 ? p / w : NAN;
    c->observed[i] = w > 0 ? hit / w : NAN;
    c->error[i] = fabs(c->predicted[i] - c->observed[i]);
    c->low[i] = c->high[i] = NAN;
    if (w > 0)
        mli_wilson(c->observed[i], w * w / square, 1.959963984540054, &c->low[i],
                   &c->high[i]);
    return w;
}

/* Rows of one probability stay in one bin. */
static void fill_curve(curve *c, ranked *r, int64_t n, int64_t bins)
{
    double sum = 0, weight = 0;
    qsort(r, (size_t)n, sizeof *r, by_p);
    for (int64_t k = 0, begin = 0; k < bins && begin < n; k++) {
        int64_t end = (k + 1) * n / bins;
        if (end <= begin) continue;
        while (end < n && r[end].p == r[end - 1].p) end++;
        double w = add_bin(c, r + begin, end - begin);
        if (w > 0) sum += w * c->error[c->n - 1];
        weight += w;
        begin = end;
    }
    (void)add_bin(c, r, n);
    c->n--;
    snprintf(c->names[c->n], sizeof *c->names, "all");
    c->error[c->n] = sum / weight; /* not a number without any weight */
}

static ml_status curve_table(const mli_check *x, curve *c, ml_table **out, ml_error *err)
{
    mli_builder *b = NULL;
    const struct {
        const char *name;
        const double *values;
    } columns[] = {{"rows", c->rows},         {"predicted", c->predicted},
                   {"observed", c->observed}, {"low", c->low},
                   {"high", c->high},         {"error", c->error}};
    for (int64_t i = 0; i <= c->n; i++) c->bin[i] = c->names[i];
    ml_status st = mli_builder_new(x->ctx, c->n + 1, &b, err);
    if (st != ML_OK) return st;
    st = mli_builder_text(b, "bin", c->bin, err);
    for (size_t k = 0; k < 6 && st == ML_OK; k++)
        st = mli_builder_f64(b, columns[k].name, columns[k].values, err);
    if (st == ML_OK) return mli_builder_finish(b, out, err);
    mli_builder_free(b);
    return st;
}

/* Of two classes the second; of more the class that is predicted. */
static void rank_rows(const mli_design *d, const double *proba, ranked *r)
{
    int64_t k = d->inputs->classes.n;
    for (int64_t i = 0; i < d->rows; i++) {
        int64_t best = k == 2;
        for (int64_t c = 0; k > 2 && c < k; c++)
            if (proba[i * k + c] > proba[i * k + best]) best = c;
        r[i] = (ranked){proba[i * k + best], d->label[i] == best,
                        d->weight ? d->weight[i] : 1};
    }
}

static ml_status calibration_of(const mli_check *x, const mli_design *d,
                                const double *proba, ml_table **out, ml_error *err)
{
    int64_t bins = mli_get_i64(x->params, "bins"), room = bins + 1;
    curve c = {0};
    double *work = mli_alloc_vec(x->ctx, 6 * room, sizeof *work);
    ranked *r = mli_alloc_vec(x->ctx, d->rows, sizeof *r);
    c.names = mli_calloc(x->ctx, (size_t)room, sizeof *c.names);
    c.bin = mli_calloc(x->ctx, (size_t)room, sizeof *c.bin);
    ml_status st = work && r && c.names && c.bin ? ML_OK : mli_nomem(err);
    if (st == ML_OK) {
        double **to[] = {&c.rows, &c.predicted, &c.observed, &c.low, &c.high, &c.error};
        for (int k = 0; k < 6; k++) *to[k] = work + k * room;
        rank_rows(d, proba, r);
        fill_curve(&c, r, d->rows, bins);
        st = curve_table(x, &c, out, err);
    }
    mli_free(x->ctx, work);
    mli_free(x->ctx, r);
    mli_free(x->ctx, c.names);
    mli_free(x->ctx, c.bin);
    return st;
}

ml_status mli_check_calibration(const mli_check *x, ml_table **out, ml_error *err)
{
    mli_design *d = NULL;
    double *proba = NULL;
    if (x->model->inputs->task != MLI_TASK_CLASSIFICATION)
        return mli_fail(err, ML_E_UNSUPPORTED, "the model does not predict classes");
    ml_status st = mli_design_apply(x->model->inputs, x->table, 1, &d, err);
    if (st == ML_OK && d->rows == 0)
        st = mli_fail(err, ML_E_DATA, "there are no rows with a target");
    if (st == ML_OK) st = mli_check_predict(x->model, d, &proba, err);
    if (st == ML_OK) st = calibration_of(x, d, proba, out, err);
    mli_free(x->ctx, proba);
    mli_design_free(d);
    return st;
}

/* ---- the whole ---- */

static ml_status check_other(const mli_check *x, int method, ml_error *err)
{
    int needs = method == 2 || method == 6;
    if (!needs || x->other) return ML_OK;
    mli_fail(err, ML_E_ARGUMENT, "method=%s needs two models",
             mli_get_str(x->params, "method"));
    return mli_error_at(err, ML_E_ARGUMENT, "other");
}

static ml_status check_task(const mli_check *x, ml_error *err)
{
    const mli_inputs *in = x->model->inputs;
    if (in->target &&
        (in->task == MLI_TASK_CLASSIFICATION || in->task == MLI_TASK_REGRESSION ||
         in->task == MLI_TASK_RANKING || in->task == MLI_TASK_SURVIVAL))
        return ML_OK;
    return mli_fail(err, ML_E_UNSUPPORTED, "the model has no target to be checked by");
}

ml_status ml_model_check(const ml_model *model, const ml_model *other,
                         const ml_table *table, const ml_params *options, ml_table **out,
                         ml_error *error)
{
    static ml_status (*const methods[])(const mli_check *, ml_table **, ml_error *) = {
        mli_check_calibration, mli_check_slices, mli_check_compare,      mli_check_folds,
        mli_check_nested,      mli_check_curve,  mli_check_compare_folds};
    if (!model) return mli_null(error, "model");
    if (!table) return mli_null(error, "table");
    if (!out) return mli_null(error, "out");
    ml_params *p = NULL;
    ml_status st = mli_params_resolve(model->ctx, &mli_options_check, options, &p, error);
    if (st != ML_OK) return st;
    const mli_check x = {model->ctx, model, other, table, p};
    int method = mli_get_enum(p, "method", METHODS);
    st = check_task(&x, error);
    if (st == ML_OK) st = check_other(&x, method, error);
    if (st == ML_OK) st = methods[method](&x, out, error);
    ml_params_free(p);
    return st;
}
