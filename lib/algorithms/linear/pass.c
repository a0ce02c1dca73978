/* SPDX-License-Identifier: MIT
 *
 * linear/pass.c: passes over the rows.
 *
 * All sums of products are done in tiles of three rows by four columns. The "rows" are
 * vectors over the rows of the data: weighted copies of the columns for cross products,
 * and the vectors u; when the cross products are over all columns, u goes into the same
 * stack, so that it costs little. Blocks are dealt to a number of tasks that depends on
 * the sizes alone, and the parts are added in order.
 */
#include "algorithms/linear/rows.h"
#include "core/parallel.h"

#include <string.h>

#define MOST_TASKS   32
#define MOST_DOUBLES (8 << 20) /* in the parts of all tasks, about */
#define CHUNK        16        /* groups of columns that stay in the cache */

static int64_t thirds(int64_t n)
{
    return (n + 2) / 3;
}
static int64_t quarters(int64_t n)
{
    return (n + 3) / 4;
}

/* A stack of vectors times a set of columns, and where its tiles are in a part. */
typedef struct {
    int64_t rows;     /* in the stack */
    int64_t triangle; /* so many first rows need their lower triangle only */
    int64_t columns;
    int64_t offset; /* of the tiles */
} region;

typedef struct {
    mli_pass *pass;
    const mli_run *run;
    int64_t blocks, per_task, tasks;
    int merged;             /* u stands in the stack of the first cross product */
    int64_t n_regions;      /* grams, and one more for u unless merged */
    int64_t part, per_slot; /* doubles */
    double *parts, *scratch, *values;
} passing;

static region region_of(const passing *a, int64_t index)
{
    const mli_pass *p = a->pass;
    int64_t c = p->columns ? p->n_columns : p->rows->q, m = p->n_products;
    region r = {0, 0, p->rows->q, 0};
    for (int64_t g = 0;; g++) {
        int is_gram = g < p->n_grams;
        r.rows = is_gram ? c + (g == 0 && a->merged ? m : 0) : m;
        r.triangle = is_gram ? c : 0;
        r.columns = is_gram ? c : p->rows->q;
        if (g == index) return r;
        r.offset += thirds(r.rows) * quarters(r.columns) * 12;
    }
}

/* Adds the products of a stack and columns to the tiles. `tail` holds the last, partial
 * group of columns, filled up with zeros. */
static void multiply(const passing *a, const region *r, const double *stack,
                     const double *columns, const double *tail, int64_t n, double *tiles)
{
    const mli_rows *rows = a->pass->rows;
    int64_t gi_n = thirds(r->rows), gj_n = quarters(r->columns), ld = rows->ld;
    for (int64_t chunk = 0; chunk < gj_n; chunk += CHUNK) {
        int64_t to = chunk + CHUNK < gj_n ? chunk + CHUNK : gj_n;
        for (int64_t gi = 0; gi < gi_n; gi++) {
            int whole = gi * 3 + 3 > r->triangle;
            for (int64_t gj = chunk; gj < to; gj++) {
                if (!whole && gj * 4 > gi * 3 + 2) break;
                const double *y = gj * 4 + 4 > r->columns ? tail : columns + gj * 4 * ld;
                rows->k->gram3x4(stack + gi * 3 * ld, y, ld, n,
                                 tiles + (gi * gj_n + gj) * 12);
            }
        }
    }
}

/* Copies the last columns % 4 columns and zeros after them. */
static void make_tail(const double *columns, int64_t count, int64_t ld, int64_t n,
                      double *tail)
{
    int64_t rest = count % 4, begin = count - rest;
    if (!rest) return;
    for (int64_t j = 0; j < 4; j++) {
        if (j < rest)
            memcpy(tail + j * ld, columns + (begin + j) * ld, (size_t)n * sizeof *tail);
        else
            memset(tail + j * ld, 0, (size_t)n * sizeof *tail);
    }
}

/* The stack of a region: columns times h, then u, then zeros to a multiple of three. */
static void make_stack(const passing *a, const region *r, const double *columns,
                       const double *h, const double *u, int64_t n, double *stack)
{
    int64_t ld = a->pass->rows->ld, at = 0;
    for (; at < r->triangle; at++)
        a->pass->rows->k->multiply(h, columns + at * ld, stack + at * ld, n);
    for (int64_t k = 0; at < r->rows; at++, k++)
        memcpy(stack + at * ld, u + k * ld, (size_t)n * sizeof *stack);
    for (; at % 3; at++) memset(stack + at * ld, 0, (size_t)n * sizeof *stack);
}

/* Where things are in the scratch memory of a slot, in doubles. */
typedef struct {
    int64_t u, h, user, packed, tail, full_tail, stack, size;
} layout;

static layout layout_of(const passing *a)
{
    const mli_pass *p = a->pass;
    int64_t ld = p->rows->ld, c = p->columns ? p->n_columns : p->rows->q;
    layout l = {0};
    l.h = l.u + p->n_products * ld;
    l.user = l.h + p->n_grams * ld;
    l.packed = l.user + (p->scratch + 7) / 8 * 8;
    l.tail = l.packed + (p->columns ? c * ld : 0);
    l.full_tail = l.tail + 4 * ld;
    l.stack = l.full_tail + 4 * ld;
    l.size = l.stack + (thirds(c + p->n_products) * 3) * ld;
    return l;
}

static void add_block(const passing *a, int64_t block, double *part, double *value,
                      double *scratch)
{
    const mli_pass *p = a->pass;
    const mli_rows *rows = p->rows;
    int64_t begin = block * rows->block, ld = rows->ld;
    int64_t n = rows->n - begin < rows->block ? rows->n - begin : rows->block;
    const double *x = rows->x + block * rows->q * ld, *columns = x;
    layout l = layout_of(a);
    double *u = scratch + l.u, *h = scratch + l.h, *packed = scratch + l.packed;
    *value += p->eval(p, begin, n, x, u, h, scratch + l.user);
    make_tail(x, rows->q, ld, n, scratch + l.full_tail);
    if (p->columns && p->n_grams) {
        columns = packed;
        for (int64_t j = 0; j < p->n_columns; j++)
            memcpy(packed + j * ld, x + p->columns[j] * ld, (size_t)n * sizeof *x);
        make_tail(columns, p->n_columns, ld, n, scratch + l.tail);
    }
    for (int64_t g = 0; g < a->n_regions; g++) {
        region r = region_of(a, g);
        const double *from = g < p->n_grams ? columns : x;
        make_stack(a, &r, from, h + g * ld, u, n, scratch + l.stack);
        multiply(a, &r, scratch + l.stack, from,
                 scratch + (from == x ? l.full_tail : l.tail), n, part + r.offset);
    }
}

static void pass_task(void *arg, int64_t task, int32_t slot)
{
    const passing *a = arg;
    const mli_pass *p = a->pass;
    int64_t step = p->step > 1 ? p->step : 1, end = (task + 1) * a->per_task;
    for (int64_t i = task * a->per_task; i < end && i < a->blocks; i++) {
        if (a->run && mli_run_state(a->run) == ML_CANCEL) return;
        add_block(a, i * step, a->parts + task * a->part, &a->values[task],
                  a->scratch + slot * a->per_slot);
    }
}

/* Element (i, j) of a region. */
static double element(const region *r, const double *part, int64_t i, int64_t j)
{
    int64_t tile = i / 3 * quarters(r->columns) + j / 4;
    return part[r->offset + tile * 12 + i % 3 * 4 + j % 4];
}

static void collect(const passing *a)
{
    mli_pass *p = a->pass;
    double *sum = a->parts;
    p->value = a->values[0];
    for (int64_t t = 1; t < a->tasks; t++) {
        const double *part = a->parts + t * a->part;
        for (int64_t i = 0; i < a->part; i++) sum[i] += part[i];
        p->value += a->values[t];
    }
    for (int64_t g = 0; g < a->n_regions; g++) {
        region r = region_of(a, g);
        double *gram = r.triangle ? p->gram + g * r.triangle * r.triangle : NULL;
        for (int64_t i = 0; i < r.triangle; i++)
            for (int64_t j = 0; j <= i; j++)
                gram[i * r.triangle + j] = element(&r, sum, i, j);
        for (int64_t i = r.triangle; i < r.rows; i++)
            for (int64_t j = 0; j < r.columns; j++)
                p->product[(i - r.triangle) * r.columns + j] = element(&r, sum, i, j);
    }
}

/* As many tasks as memory for their parts allows. */
static void plan(passing *a)
{
    const mli_pass *p = a->pass;
    int64_t step = p->step > 1 ? p->step : 1;
    a->merged = p->n_grams > 0 && !p->columns;
    a->n_regions = p->n_grams + (p->n_products > 0 && !a->merged);
    a->part = region_of(a, a->n_regions).offset;
    a->blocks = (p->rows->n_blocks - 1) / step + 1;
    a->tasks = a->blocks < MOST_TASKS ? a->blocks : MOST_TASKS;
    while (a->tasks > 1 && a->tasks * a->part > MOST_DOUBLES)
        a->tasks = (a->tasks + 1) / 2;
    a->per_task = mli_task_count(a->blocks, a->tasks);
    a->tasks = mli_task_count(a->blocks, a->per_task);
    a->per_slot = layout_of(a).size;
}

ml_status mli_pass_run(mli_pass *pass, const mli_run *run, ml_error *err)
{
    ml_context *ctx = pass->rows->ctx;
    passing a = {.pass = pass, .run = run};
    ml_status status = ML_OK;
    plan(&a);
    a.parts = mli_calloc(ctx, (size_t)(a.tasks * a.part), sizeof *a.parts);
    a.values = mli_calloc(ctx, (size_t)a.tasks, sizeof *a.values);
    a.scratch = mli_alloc_vec(ctx, mli_slots(ctx) * a.per_slot, sizeof *a.scratch);
    if (!a.parts || !a.values || !a.scratch) {
        status = mli_nomem(err);
    } else {
        mli_parallel(ctx, a.tasks, pass_task, &a);
        if (run) status = mli_run_check(run, err);
        if (!status) collect(&a);
    }
    mli_free(ctx, a.parts);
    mli_free(ctx, a.values);
    mli_free(ctx, a.scratch);
    return status;
}
