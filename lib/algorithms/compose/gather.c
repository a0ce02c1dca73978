/* SPDX-License-Identifier: MIT
 *
 * compose/gather.c: a plan that hands some of the features on.
 */
#include "algorithms/compose/compose.h"

typedef struct {
    mli_plan plan;
    int64_t *from; /* [outputs] */
} gather;

static void run(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                double *out, void *scratch)
{
    const gather *g = (const gather *)plan;
    (void)scratch;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < plan->n_outputs; k++)
            *out++ = rows[i * stride + g->from[k]];
}

static void gather_free(mli_plan *plan)
{
    mli_free(plan->ctx, ((gather *)plan)->from);
    mli_free(plan->ctx, plan);
}

ml_status mli_gather_plan(ml_context *ctx, int64_t n_features, const uint8_t *chosen,
                          mli_plan **out, ml_error *err)
{
    gather *g = mli_calloc(ctx, 1, sizeof *g);
    if (!g) return mli_nomem(err);
    g->plan =
        (mli_plan){.ctx = ctx, .n_features = n_features, .run = run, .free = gather_free};
    g->from = mli_calloc(ctx, (size_t)n_features, sizeof *g->from);
    if (!g->from) {
        gather_free(&g->plan);
        return mli_nomem(err);
    }
    for (int64_t j = 0; j < n_features; j++)
        if (chosen[j]) g->from[g->plan.n_outputs++] = j;
    *out = &g->plan;
    return ML_OK;
}
