/* SPDX-License-Identifier: MIT
 *
 * trees/predict.c: plans for the kinds of "gbdt".
 */
#include "algorithms/trees/engine.h"
#include "algorithms/trees/gbdt.h"
#include "algorithms/trees/predict.h"
#include "algorithms/trees/shapley.h"
#include <math.h>

typedef struct gbdt_plan {
    mli_plan plan;
    mli_ensemble e;
    mli_objective objective;
    mli_engine *engine; /* NULL for leaves */
    int raw;
} gbdt_plan;

static int64_t find_leaf(const mli_ensemble *e, int64_t tree, const double *row)
{
    int64_t first = e->start[tree], i = first;
    while (e->left[i])
        i = first + e->left[i] + !mli_ensemble_goes_left(e, i, row[e->feature[i]]);
    return i;
}

/* Scores into predictions, in place: there are at least as many outputs as scores, so
 * from the last row on. */
static void finish(const gbdt_plan *p, int64_t n, double *out)
{
    int64_t scores = p->e.n_scores, outputs = p->plan.n_outputs;
    if (p->raw) return;
    for (int64_t i = n - 1; i >= 0; i--) {
        const double *score = out + i * scores;
        double row[2], *to = scores > 1 ? out + i * outputs : row;
        if (p->e.link)
            mli_ensemble_link(&p->e, score, outputs, to);
        else
            mli_objective_value(&p->objective, score, to);
        if (to == row) memcpy(out + i * outputs, row, (size_t)outputs * sizeof *row);
    }
}

static void run_scores(const mli_plan *plan, const double *rows, int64_t n,
                       int64_t stride, double *out, void *scratch)
{
    const gbdt_plan *p = (const gbdt_plan *)plan;
    mli_engine_scores(p->engine, rows, n, stride, out, scratch);
    finish(p, n, out);
}

/* Linear leaves: trees one after another for a block of rows. */
#define LINEAR_ROWS 64

static void run_linear(const mli_plan *plan, const double *rows, int64_t n,
                       int64_t stride, double *out, void *scratch)
{
    const gbdt_plan *p = (const gbdt_plan *)plan;
    const mli_ensemble *e = &p->e;
    double *score = scratch;
    for (int64_t begin = 0; begin < n; begin += LINEAR_ROWS) {
        int64_t m = n - begin < LINEAR_ROWS ? n - begin : LINEAR_ROWS;
        for (int64_t i = 0; i < m * e->n_scores; i++) score[i] = e->base[i % e->n_scores];
        for (int64_t t = 0; t < e->n_trees; t++) {
            double *to = score + t % e->n_scores;
            for (int64_t i = 0; i < m; i++) {
                const double *row = rows + (begin + i) * stride;
                to[i * e->n_scores] += mli_ensemble_leaf(e, find_leaf(e, t, row), row);
            }
        }
        for (int64_t i = 0; i < m; i++) {
            double *to = out + (begin + i) * plan->n_outputs;
            const double *from = score + i * e->n_scores;
            if (p->raw)
                memcpy(to, from, (size_t)e->n_scores * sizeof *to);
            else if (e->link)
                mli_ensemble_link(e, from, plan->n_outputs, to);
            else
                mli_objective_value(&p->objective, from, to);
        }
    }
}

static void run_scores_f32(const mli_plan *plan, const float *rows, int64_t n,
                           int64_t stride, double *out, void *scratch)
{
    const gbdt_plan *p = (const gbdt_plan *)plan;
    mli_engine_scores_f32(p->engine, rows, n, stride, out, scratch);
    finish(p, n, out);
}

static void run_scores_sparse(const mli_plan *plan, const mli_csr *rows, int64_t begin,
                              int64_t n, double *out, void *scratch)
{
    const gbdt_plan *p = (const gbdt_plan *)plan;
    mli_engine_scores_sparse(p->engine, rows, begin, n, out, scratch);
    finish(p, n, out);
}

static void run_scores_columns(const mli_plan *plan, const double *const *columns,
                               int64_t begin, int64_t n, double *out, void *scratch)
{
    const gbdt_plan *p = (const gbdt_plan *)plan;
    mli_engine_scores_columns(p->engine, columns, begin, n, out, scratch);
    finish(p, n, out);
}

/* With fewer outputs than scores (one of several quantiles) the scores of a few rows at a
 * time go to the scratch, before that of the engine. */
#define PICK_ROWS 32

static size_t pick_size(const gbdt_plan *p)
{
    return ((size_t)p->e.n_scores * PICK_ROWS * sizeof(double) + 63) / 64 * 64;
}

static void run_picked(const mli_plan *plan, const double *rows, int64_t n,
                       int64_t stride, double *out, void *scratch)
{
    const gbdt_plan *p = (const gbdt_plan *)plan;
    double *score = scratch;
    for (int64_t begin = 0; begin < n; begin += PICK_ROWS) {
        int64_t m = n - begin < PICK_ROWS ? n - begin : PICK_ROWS;
        mli_engine_scores(p->engine, rows + begin * stride, m, stride, score,
                          (char *)scratch + pick_size(p));
        for (int64_t i = 0; i < m; i++)
            mli_objective_value(&p->objective, score + i * p->e.n_scores,
                                out + begin + i);
    }
}

static void pick_scores(gbdt_plan *p)
{
    p->plan.scratch += pick_size(p);
    p->plan.run = run_picked;
    p->plan.run_f32 = NULL;
    p->plan.run_sparse = NULL;
    p->plan.run_columns = NULL;
}

static void run_leaves(const mli_plan *plan, const double *rows, int64_t n,
                       int64_t stride, double *out, void *scratch)
{
    const gbdt_plan *p = (const gbdt_plan *)plan;
    (void)scratch;
    for (int64_t i = 0; i < n; i++)
        for (int64_t t = 0; t < p->e.n_trees; t++)
            out[i * plan->n_outputs + t] =
                (double)(find_leaf(&p->e, t, rows + i * stride) - p->e.start[t]);
}

static void plan_free(mli_plan *plan)
{
    gbdt_plan *p = (gbdt_plan *)plan;
    mli_engine_free(p->engine);
    mli_free(plan->ctx, p);
}

static ml_status prepare(gbdt_plan *p, ml_error *err)
{
    if (p->e.linear_start) {
        p->plan.scratch = ((size_t)(p->e.n_scores * LINEAR_ROWS) * 8 + 63) / 64 * 64;
        p->plan.block = LINEAR_ROWS;
        p->plan.run = run_linear;
        return ML_OK;
    }
    ml_status s = mli_engine_new(p->plan.ctx, &p->e, &p->engine, err);
    if (s != ML_OK) return s;
    p->plan.scratch = mli_engine_scratch(p->engine);
    p->plan.block = mli_engine_block(p->engine);
    p->plan.run = run_scores;
    p->plan.run_f32 = run_scores_f32;
    p->plan.run_columns = run_scores_columns;
    if (mli_engine_sparse(p->engine)) p->plan.run_sparse = run_scores_sparse;
    return ML_OK;
}

/* "contributions" or "interactions". */
static ml_status plan_shapley(const ml_model *model, mli_ensemble *e, const char *kind,
                              mli_plan **out, ml_error *err)
{
    int pairs = strcmp(kind, "interactions") == 0;
    int32_t *player = NULL;
    if (e->crosses.n_columns == 0)
        return mli_shapley_plan(model->ctx, e, NULL, kind, out, err);
    ml_status s = mli_cross_players(model->ctx, &e->crosses, &player, err);
    e->player = player;
    if (s == ML_OK) s = mli_shapley_plan(model->ctx, e, NULL, kind, out, err);
    mli_free(model->ctx, player);
    if (s != ML_OK) return s;
    return mli_cross_plan(model->ctx, &e->crosses, *out,
                          pairs ? MLI_CROSS_FOLD_PAIRS : MLI_CROSS_FOLD, out, err);
}

ml_status mli_gbdt_plan(const ml_model *model, const char *kind, mli_plan **out,
                        ml_error *err)
{
    gbdt_plan *p = mli_calloc(model->ctx, 1, sizeof *p);
    if (!p) return mli_nomem(err);
    p->plan.ctx = model->ctx;
    p->plan.free = plan_free;
    ml_status s = mli_ensemble_read_crossed(model, &p->e, err);
    if (s == ML_OK &&
        (strcmp(kind, "contributions") == 0 || strcmp(kind, "interactions") == 0)) {
        s = plan_shapley(model, &p->e, kind, out, err);
        plan_free(&p->plan);
        return s;
    }
    int leaf = strcmp(kind, "leaf") == 0;
    if (s == ML_OK && !leaf) s = prepare(p, err);
    if (s != ML_OK) {
        plan_free(&p->plan);
        return s;
    }
    mli_gbdt_objective(model->params, model->inputs, &p->objective);
    p->raw = strcmp(kind, "score") == 0;
    p->plan.n_features = p->e.n_features;
    p->plan.n_outputs = leaf     ? p->e.n_trees
                        : p->raw ? p->e.n_scores
                                 : mli_objective_outputs(&p->objective);
    if (leaf) p->plan.run = run_leaves;
    if (p->engine && p->plan.n_outputs < p->e.n_scores) pick_scores(p);
    *out = &p->plan;
    if (p->e.crosses.n_columns == 0) return ML_OK;
    return mli_cross_plan(model->ctx, &p->e.crosses, *out, MLI_CROSS_KEEP, out, err);
}
