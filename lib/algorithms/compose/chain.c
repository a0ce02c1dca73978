/* SPDX-License-Identifier: MIT
 *
 * compose/chain.c: plans one after another as one plan. Rows go through in blocks that
 * stay in the cache; between two plans they lie in one of two buffers of the scratch.
 */
#include "algorithms/compose/compose.h"

#define BLOCK       256
#define MOST_BYTES  (1 << 20)
#define ALIGN(size) (((size_t)(size) + 63) & ~(size_t)63)

typedef struct {
    mli_plan plan;
    int64_t n;
    mli_plan **plans;
    mli_parts models; /* that the plans are of */
    int64_t rows;     /* at most in a buffer */
    size_t buffer;    /* bytes */
} chain;

void mli_run_blocks(const mli_plan *plan, mli_block_run *run, int64_t rows,
                    const double *in, int64_t n, int64_t stride, double *out,
                    void *scratch)
{
    for (int64_t begin = 0; begin < n; begin += rows)
        run(plan, in + begin * stride, n - begin < rows ? n - begin : rows, stride,
            out + begin * plan->n_outputs, scratch);
}

void mli_plans_free(ml_context *ctx, mli_plan **plans, int64_t n)
{
    for (int64_t i = 0; plans && i < n; i++) mli_plan_free(plans[i]);
    mli_free(ctx, plans);
}

static void run_block(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                      double *out, char *scratch)
{
    const chain *c = (const chain *)plan;
    for (int64_t i = 0; i < c->n; i++) {
        const mli_plan *p = c->plans[i];
        double *to = i == c->n - 1
                         ? out
                         : (double *)(void *)(scratch + (i & 1) * (int64_t)c->buffer);
        p->run(p, rows, n, stride, to, scratch + 2 * c->buffer);
        rows = to;
        stride = p->n_outputs;
    }
}

static void run(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                double *out, void *scratch)
{
    mli_run_blocks(plan, run_block, ((const chain *)plan)->rows, rows, n, stride, out,
                   scratch);
}

static void chain_free(mli_plan *plan)
{
    chain *c = (chain *)plan;
    mli_plans_free(plan->ctx, c->plans, c->n);
    mli_parts_free(&c->models);
    mli_free(plan->ctx, c);
}

/* Sizes of the buffers, and do the plans fit together? */
static ml_status measure(chain *c, ml_error *err)
{
    const mli_plan *last = c->plans[c->n - 1];
    int64_t wide = 1;
    size_t scratch = 0;
    for (int64_t i = 0; i < c->n; i++) {
        const mli_plan *p = c->plans[i];
        if (i && p->n_features != c->plans[i - 1]->n_outputs)
            return mli_fail(err, ML_E_FORMAT,
                            "the parts of the model do not fit together");
        if (i < c->n - 1 && p->n_outputs > wide) wide = p->n_outputs;
        if (p->scratch > scratch) scratch = p->scratch;
    }
    int64_t row = wide * (int64_t)sizeof(double);
    c->rows = last->block > 0 ? last->block : BLOCK;
    if (c->rows > MOST_BYTES / row) c->rows = MOST_BYTES / row > 0 ? MOST_BYTES / row : 1;
    c->buffer = ALIGN(c->rows * row);
    c->plan.n_features = c->plans[0]->n_features;
    c->plan.n_outputs = last->n_outputs;
    c->plan.cuts = last->cuts;
    c->plan.block = c->rows;
    c->plan.scratch = 2 * c->buffer + ALIGN(scratch);
    return ML_OK;
}

ml_status mli_chain_plan(ml_context *ctx, mli_plan **plans, int64_t n, mli_parts *models,
                         mli_plan **out, ml_error *err)
{
    chain *c = mli_calloc(ctx, 1, sizeof *c);
    if (!c) {
        mli_plans_free(ctx, plans, n);
        mli_parts_free(models);
        return mli_nomem(err);
    }
    c->plan.ctx = ctx;
    c->plan.run = run;
    c->plan.free = chain_free;
    c->plans = plans;
    c->n = n;
    c->models = *models;
    *models = (mli_parts){0};
    ml_status status = measure(c, err);
    if (status)
        chain_free(&c->plan);
    else
        *out = &c->plan;
    return status;
}
