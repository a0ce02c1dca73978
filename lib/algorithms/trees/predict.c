/* SPDX-License-Identifier: MIT
 *
 * trees/predict.c: plans for the kinds of "gbdt".
 */
#include "algorithms/trees/gbdt.h"
#include "algorithms/trees/predict.h"
#include <math.h>

typedef struct gbdt_plan {
    mli_plan plan;
    mli_ensemble e;
    mli_objective objective;
    int raw;
} gbdt_plan;

static int64_t find_leaf(const mli_ensemble *e, int64_t tree, const double *row)
{
    int64_t first = e->start[tree], i = first;
    while (e->left[i])
        i = first + e->left[i] + !mli_ensemble_goes_left(e, i, row[e->feature[i]]);
    return i;
}

static void run_scores(const mli_plan *plan, const double *rows, int64_t n,
                       int64_t stride, double *out, void *scratch)
{
    const gbdt_plan *p = (const gbdt_plan *)plan;
    const mli_ensemble *e = &p->e;
    double *score = scratch;
    for (int64_t i = 0; i < n; i++) {
        memcpy(score, e->base, (size_t)e->n_scores * sizeof *score);
        for (int64_t t = 0; t < e->n_trees; t++)
            score[t % e->n_scores] += e->value[find_leaf(e, t, rows + i * stride)];
        if (p->raw)
            memcpy(out + i * e->n_scores, score, (size_t)e->n_scores * sizeof *score);
        else if (e->link)
            mli_ensemble_link(e, score, plan->n_outputs, out + i * plan->n_outputs);
        else
            mli_objective_value(&p->objective, score, out + i * plan->n_outputs);
    }
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

ml_status mli_gbdt_plan(const ml_model *model, const char *kind, mli_plan **out,
                        ml_error *err)
{
    gbdt_plan *p = mli_calloc(model->ctx, 1, sizeof *p);
    if (!p) return mli_nomem(err);
    ml_status s = mli_ensemble_read(model, &p->e, err);
    if (s != ML_OK) {
        mli_free(model->ctx, p);
        return s;
    }
    mli_gbdt_objective(model->params, model->inputs, &p->objective);
    int leaf = strcmp(kind, "leaf") == 0;
    p->raw = strcmp(kind, "score") == 0;
    p->plan.ctx = model->ctx;
    p->plan.n_features = p->e.n_features;
    p->plan.n_outputs = leaf                       ? p->e.n_trees
                        : p->raw                   ? p->e.n_scores
                        : model->inputs->classes.n ? model->inputs->classes.n
                                                   : 1;
    p->plan.scratch = (size_t)p->e.n_scores * sizeof(double);
    p->plan.run = leaf ? run_leaves : run_scores;
    *out = &p->plan;
    return ML_OK;
}
