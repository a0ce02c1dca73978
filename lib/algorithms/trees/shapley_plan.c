/* SPDX-License-Identifier: MIT
 *
 * trees/shapley_plan.c: the kinds "contributions" and "interactions" of every algorithm
 * whose model is an ensemble of trees.
 */
#include "algorithms/trees/shapley.h"
#include <string.h>

typedef struct shapley_plan {
    mli_plan plan;
    mli_shapley *shapley;
} shapley_plan;

static void run_values(const mli_plan *plan, const double *rows, int64_t n,
                       int64_t stride, double *out, void *scratch)
{
    mli_shapley_values(((const shapley_plan *)plan)->shapley, rows, n, stride, out,
                       scratch);
}

static void run_pairs(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                      double *out, void *scratch)
{
    mli_shapley_pairs(((const shapley_plan *)plan)->shapley, rows, n, stride, out,
                      scratch);
}

static void plan_free(mli_plan *plan)
{
    mli_shapley_free(((shapley_plan *)plan)->shapley);
    mli_free(plan->ctx, plan);
}

ml_status mli_shapley_plan(ml_context *ctx, const mli_ensemble *e,
                           const mli_shapley_leaves *leaves, const char *kind,
                           mli_plan **out, ml_error *err)
{
    int pairs = strcmp(kind, "interactions") == 0;
    int64_t width = e->n_features + 1, scores = leaves ? leaves->width : e->n_scores;
    if (width > (pairs ? 20000 : 100000000) ||
        scores > INT32_MAX / (pairs ? width * width : width))
        return mli_fail(err, ML_E_UNSUPPORTED,
                        "%s of %lld features and %lld scores are too many", kind,
                        (long long)e->n_features, (long long)scores);
    if (e->linear_start) {
        mli_fail(err, ML_E_UNSUPPORTED, "%s of linear leaves cannot be computed", kind);
        return mli_error_hint(err, ML_E_UNSUPPORTED,
                              "explain by permutation, which needs data only");
    }
    shapley_plan *p = mli_calloc(ctx, 1, sizeof *p);
    if (!p) return mli_nomem(err);
    ml_status s = mli_shapley_new(ctx, e, leaves, pairs, &p->shapley, err);
    if (s != ML_OK) {
        mli_free(ctx, p);
        return s;
    }
    p->plan.ctx = ctx;
    p->plan.n_features = e->n_features;
    p->plan.n_outputs = scores * (pairs ? width * width : width);
    p->plan.scratch = mli_shapley_scratch(p->shapley);
    p->plan.block = mli_shapley_block(p->shapley);
    p->plan.run = pairs ? run_pairs : run_values;
    p->plan.free = plan_free;
    *out = &p->plan;
    return ML_OK;
}
