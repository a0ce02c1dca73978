/* SPDX-License-Identifier: MIT
 *
 * trees/crosses_plan.c: a plan of inputs and crosses becomes one of inputs: some rows at
 * a time get their columns, and what a column contributes goes to its categories in equal
 * shares, as CatBoost does it.
 */
#include "algorithms/trees/crosses.h"

#include <string.h>

#define ROWS_MAX    256
#define BLOCK_BYTES (256 << 10)

typedef struct cross_plan {
    mli_plan plan;
    mli_plan *inner;
    mli_crosses c;
    mli_crosser *crosser;
    int fold;
    int64_t rows;         /* at a time */
    size_t outputs, last; /* places in the scratch: outputs, a row of a matrix */
    size_t elements;      /* scratch of the crosser */
    size_t nested;        /* scratch of the inner plan */
} cross_plan;

/* [inputs + columns + 1] to [inputs + 1]: the last stays the last. */
static void fold_row(const mli_crosses *c, const double *from, double *to)
{
    const double *columns = from + c->n_inputs;
    memcpy(to, from, (size_t)c->n_inputs * sizeof *to);
    for (int64_t k = 0; k < c->n_columns; k++)
        if (columns[k] != 0) mli_cross_share(c, k, columns[k], to, 1);
    to[c->n_inputs] = columns[c->n_columns];
}

/* Folds columns of a symmetric matrix, row by row, then its rows. */
static void fold_matrix(const mli_crosses *c, const double *from, double *to, double *row)
{
    int64_t width = c->n_inputs + c->n_columns + 1, narrow = c->n_inputs + 1;
    memset(to, 0, (size_t)(narrow * narrow) * sizeof *to);
    for (int64_t a = 0; a < width; a++) {
        int64_t column = a - c->n_inputs;
        fold_row(c, from + a * width, row);
        if (column < 0 || a == width - 1) {
            double *at = to + (a == width - 1 ? narrow - 1 : a) * narrow;
            for (int64_t j = 0; j < narrow; j++) at[j] += row[j];
            continue;
        }
        for (int64_t j = 0; j < narrow; j++)
            if (row[j] != 0) mli_cross_share(c, column, row[j], to + j, narrow);
    }
}

static void fold(const cross_plan *p, int64_t n, const double *from, double *out,
                 double *row)
{
    int64_t width = p->c.n_inputs + p->c.n_columns + 1, narrow = p->c.n_inputs + 1;
    int pairs = p->fold == MLI_CROSS_FOLD_PAIRS;
    int64_t step = pairs ? width * width : width, to = pairs ? narrow * narrow : narrow;
    int64_t count = n * (p->inner->n_outputs / step);
    for (int64_t i = 0; i < count; i++) {
        if (pairs)
            fold_matrix(&p->c, from + i * step, out + i * to, row);
        else
            fold_row(&p->c, from + i * step, out + i * to);
    }
}

static void run(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                double *out, void *scratch)
{
    const cross_plan *p = (const cross_plan *)plan;
    int64_t inputs = p->c.n_inputs, width = inputs + p->c.n_columns;
    char *memory = scratch;
    double *wide = scratch, *result = (void *)(memory + p->outputs);
    for (int64_t m; n > 0; n -= m, rows += m * stride, out += m * plan->n_outputs) {
        m = n < p->rows ? n : p->rows;
        for (int64_t i = 0; i < m; i++)
            memcpy(wide + i * width, rows + i * stride, (size_t)inputs * sizeof *wide);
        mli_crosser_rows(p->crosser, rows, m, stride, wide + inputs, width,
                         memory + p->elements);
        p->inner->run(p->inner, wide, m, width, p->fold ? result : out,
                      memory + p->nested);
        if (p->fold) fold(p, m, result, out, (void *)(memory + p->last));
    }
}

static void plan_free(mli_plan *plan)
{
    cross_plan *p = (cross_plan *)plan;
    mli_plan_free(p->inner);
    mli_crosser_free(p->crosser);
    mli_free(plan->ctx, p);
}

static size_t round_up(int64_t doubles)
{
    return ((size_t)doubles * sizeof(double) + 63) / 64 * 64;
}

static void choose_sizes(cross_plan *p)
{
    const mli_plan *inner = p->inner;
    int64_t width = p->c.n_inputs + p->c.n_columns;
    int64_t outputs = p->fold ? inner->n_outputs : 0;
    int64_t fit = BLOCK_BYTES / (int64_t)sizeof(double) / (width + outputs);
    int64_t most = inner->block > 0 ? inner->block : ROWS_MAX;
    p->rows = fit < 1 ? 1 : fit < most ? fit : most;
    p->outputs = round_up(p->rows * width);
    p->last = p->outputs + round_up(p->rows * outputs);
    p->elements = p->last + (p->fold ? round_up(p->c.n_inputs + 1) : 0);
    p->nested = p->elements + (mli_crosser_scratch(p->crosser) + 63) / 64 * 64;
    p->plan.scratch = p->nested + inner->scratch;
    p->plan.block = p->rows;
}

ml_status mli_cross_plan(ml_context *ctx, const mli_crosses *c, mli_plan *inner, int fold,
                         mli_plan **out, ml_error *err)
{
    cross_plan *p = mli_calloc(ctx, 1, sizeof *p);
    int64_t width = c->n_inputs + c->n_columns + 1, narrow = c->n_inputs + 1;
    if (!p) {
        mli_plan_free(inner);
        return mli_nomem(err);
    }
    p->plan.ctx = ctx;
    p->plan.free = plan_free;
    p->plan.run = run;
    p->inner = inner;
    p->fold = fold;
    p->c = *c;
    p->plan.n_features = c->n_inputs;
    p->plan.n_outputs = inner->n_outputs;
    if (fold == MLI_CROSS_FOLD) p->plan.n_outputs = inner->n_outputs / width * narrow;
    if (fold == MLI_CROSS_FOLD_PAIRS)
        p->plan.n_outputs = inner->n_outputs / (width * width) * (narrow * narrow);
    ml_status s = mli_crosser_new(ctx, c, &p->crosser, err);
    if (s) {
        plan_free(&p->plan);
        return s;
    }
    choose_sizes(p);
    *out = &p->plan;
    return ML_OK;
}
