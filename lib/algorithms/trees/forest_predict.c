/* SPDX-License-Identifier: MIT
 *
 * trees/forest_predict.c: predictions and attributes of trees and forests.
 *
 * All go through the engine of ensembles. More than two classes, several targets: leaves
 * name rows, the shares of the classes or the targets' means, which it adds up.
 */
#include "algorithms/trees/engine.h"
#include "algorithms/trees/forest.h"
#include "algorithms/trees/shapley.h"
#include <math.h>
#include <string.h>

typedef struct forest_plan {
    mli_plan plan;
    mli_ensemble e;
    const double *proba; /* [rows * classes or targets]; NULL: leaves have one number */
    mli_engine *engine;
} forest_plan;

/* Reads and checks the tensors; *proba: more than two classes, or several targets. */
static ml_status read_forest(const ml_model *m, mli_ensemble *e, const double **proba,
                             ml_error *err)
{
    int64_t targets = m->inputs->n_targets;
    int64_t shape[2] = {-1, targets ? targets : m->inputs->classes.n};
    const char *name = targets ? "leaf_values" : "leaf_proba";
    *proba = NULL;
    ml_status s = mli_ensemble_read(m, e, err);
    if (s == ML_OK && e->n_scores != 1)
        s = mli_fail(err, ML_E_FORMAT, "a forest has one score, this one has %lld",
                     (long long)e->n_scores);
    if (s == ML_OK && e->n_trees < 1)
        s = mli_fail(err, ML_E_FORMAT, "the forest has no trees");
    if (s != ML_OK || (!targets && shape[1] <= 2)) return s;
    s = mli_model_want(m, name, ML_DTYPE_F64, 2, shape, proba, err);
    for (int64_t i = 0; s == ML_OK && i < e->n_nodes; i++) {
        double v = e->value[i];
        if (!e->left[i] && !(v >= 0 && v < (double)shape[0] && v == floor(v)))
            s = mli_fail(err, ML_E_FORMAT, "node %lld has no row in %s", (long long)i,
                         name);
    }
    return s;
}

ml_status mli_forest_check(const ml_model *model, ml_error *err)
{
    mli_ensemble e;
    const double *proba;
    return read_forest(model, &e, &proba, err);
}

int64_t mli_forest_find(const mli_ensemble *e, int64_t tree, const double *row)
{
    int64_t first = e->start[tree], i = first;
    while (e->left[i])
        i = first + e->left[i] + !mli_ensemble_goes_left(e, i, row[e->feature[i]]);
    return i;
}

/* Rows to their means; shares of the second class to those of both, in place: from the
 * last row on. */
static void finish(const mli_plan *plan, int64_t n, double *out)
{
    const forest_plan *p = (const forest_plan *)plan;
    double trees = (double)p->e.n_trees;
    if (p->proba) {
        for (int64_t i = 0; i < n * plan->n_outputs; i++) out[i] /= trees;
        return;
    }
    if (plan->n_outputs != 2) return;
    for (int64_t i = n - 1; i >= 0; i--) {
        double share = out[i] < 0 ? 0 : out[i] > 1 ? 1 : out[i];
        out[2 * i + 1] = share;
        out[2 * i] = 1 - share;
    }
}

static void run_scores(const mli_plan *plan, const double *rows, int64_t n,
                       int64_t stride, double *out, void *scratch)
{
    mli_engine_scores(((const forest_plan *)plan)->engine, rows, n, stride, out, scratch);
    finish(plan, n, out);
}

static void run_scores_f32(const mli_plan *plan, const float *rows, int64_t n,
                           int64_t stride, double *out, void *scratch)
{
    mli_engine_scores_f32(((const forest_plan *)plan)->engine, rows, n, stride, out,
                          scratch);
    finish(plan, n, out);
}

static void run_scores_columns(const mli_plan *plan, const double *const *columns,
                               int64_t begin, int64_t n, double *out, void *scratch)
{
    const forest_plan *p = (const forest_plan *)plan;
    mli_engine_scores_columns(p->engine, columns, begin, n, out, scratch);
    finish(plan, n, out);
}

/* A target of one class only. */
static void run_one(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                    double *out, void *scratch)
{
    (void)plan, (void)rows, (void)stride, (void)scratch;
    for (int64_t i = 0; i < n; i++) out[i] = 1;
}

static void run_leaves(const mli_plan *plan, const double *rows, int64_t n,
                       int64_t stride, double *out, void *scratch)
{
    const forest_plan *p = (const forest_plan *)plan;
    (void)scratch;
    for (int64_t i = 0; i < n; i++)
        for (int64_t t = 0; t < p->e.n_trees; t++)
            out[i * plan->n_outputs + t] =
                (double)(mli_forest_find(&p->e, t, rows + i * stride) - p->e.start[t]);
}

static void plan_free(mli_plan *plan)
{
    mli_engine_free(((forest_plan *)plan)->engine);
    mli_free(plan->ctx, plan);
}

/* width: of the rows of the leaves. */
static ml_status prepare(forest_plan *p, int64_t width, ml_error *err)
{
    ml_status s = p->proba ? mli_engine_new_rows(p->plan.ctx, &p->e, p->proba, width,
                                                 &p->engine, err)
                           : mli_engine_new(p->plan.ctx, &p->e, &p->engine, err);
    if (s != ML_OK) return s;
    p->plan.scratch = mli_engine_scratch(p->engine);
    p->plan.block = mli_engine_block(p->engine);
    p->plan.run = run_scores;
    p->plan.run_f32 = run_scores_f32;
    p->plan.run_columns = run_scores_columns;
    return ML_OK;
}

static ml_status explain(const ml_model *m, const char *kind, mli_plan **out,
                         ml_error *err)
{
    mli_ensemble e;
    int64_t targets = m->inputs->n_targets;
    mli_shapley_leaves leaves = {.width = targets ? targets : m->inputs->classes.n};
    ml_status s = read_forest(m, &e, &leaves.rows, err);
    if (s != ML_OK) return s;
    leaves.scale = 1 / (double)e.n_trees;
    return mli_shapley_plan(m->ctx, &e, leaves.rows ? &leaves : NULL, kind, out, err);
}

ml_status mli_forest_plan(const ml_model *model, const char *kind, mli_plan **out,
                          ml_error *err)
{
    int64_t classes = model->inputs->classes.n, targets = model->inputs->n_targets;
    if (strcmp(kind, "quantiles") == 0) return mli_forest_quantiles_plan(model, out, err);
    if (strcmp(kind, "contributions") == 0 || strcmp(kind, "interactions") == 0)
        return explain(model, kind, out, err);
    forest_plan *p = mli_calloc(model->ctx, 1, sizeof *p);
    if (!p) return mli_nomem(err);
    p->plan.ctx = model->ctx;
    p->plan.free = plan_free;
    ml_status s = read_forest(model, &p->e, &p->proba, err);
    int leaf = strcmp(kind, "leaf") == 0;
    if (s == ML_OK && !leaf && classes != 1)
        s = prepare(p, targets ? targets : classes, err);
    if (s != ML_OK) {
        plan_free(&p->plan);
        return s;
    }
    p->plan.n_features = p->e.n_features;
    p->plan.n_outputs = leaf ? p->e.n_trees : targets ? targets : classes ? classes : 1;
    if (leaf)
        p->plan.run = run_leaves;
    else if (classes == 1)
        p->plan.run = run_one;
    *out = &p->plan;
    return ML_OK;
}

/* ---- attributes ---- */

/* Mean over the trees of their features' shares of the decrease of impurity. */
static ml_status importance(const mli_ensemble *e, ml_context *ctx, ml_tensor **out,
                            ml_error *err)
{
    double *sum, all = 0;
    ml_status s = mli_tensor_make(ctx, ML_DTYPE_F64, 1, &e->n_features, &sum, out, err);
    for (int64_t t = 0; s == ML_OK && t < e->n_trees; t++) {
        double total = 0;
        for (int64_t i = e->start[t]; i < e->start[t + 1]; i++)
            if (e->left[i]) total += e->gain[i];
        for (int64_t i = e->start[t]; total > 0 && i < e->start[t + 1]; i++)
            if (e->left[i]) sum[e->feature[i]] += e->gain[i] / total;
    }
    for (int64_t j = 0; s == ML_OK && j < e->n_features; j++) all += sum[j];
    for (int64_t j = 0; s == ML_OK && all > 0 && j < e->n_features; j++) sum[j] /= all;
    return s;
}

static ml_status split_count(const mli_ensemble *e, ml_context *ctx, ml_tensor **out,
                             ml_error *err)
{
    double *sum;
    ml_status s = mli_tensor_make(ctx, ML_DTYPE_F64, 1, &e->n_features, &sum, out, err);
    for (int64_t i = 0; s == ML_OK && i < e->n_nodes; i++)
        if (e->left[i]) sum[e->feature[i]]++;
    return s;
}

ml_status mli_forest_attribute(const ml_model *m, const char *name, ml_tensor **out,
                               ml_error *err)
{
    mli_ensemble e;
    const double *proba;
    ml_status s = read_forest(m, &e, &proba, err);
    if (s != ML_OK) return s;
    if (strcmp(name, "importance") == 0) return importance(&e, m->ctx, out, err);
    if (strcmp(name, "split_count") == 0) return split_count(&e, m->ctx, out, err);
    if (strcmp(name, "n_trees") == 0) {
        double *data;
        s = mli_tensor_make(m->ctx, ML_DTYPE_F64, 0, NULL, &data, out, err);
        if (s == ML_OK) *data = (double)e.n_trees;
        return s;
    }
    mli_fail(err, ML_E_NAME, "this model of %s has no \"%s\"", m->algorithm->head.name,
             name);
    if (mli_in_list(name, "oob_score,oob_prediction"))
        return mli_error_hint(err, ML_E_NAME, "fit with oob_score and bootstrap");
    return ML_E_NAME;
}
