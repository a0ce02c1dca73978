/* SPDX-License-Identifier: MIT
 *
 * linear/pass.c: passes over the rows.
 *
 * All sums of products are done in tiles of three rows by four columns. The "rows" are
 * vectors over the rows of the data: weighted copies of the columns for cross products,
 * and the vectors u; when the cross products are over all columns, u goes into the same
 * stack, so that it costs little. Blocks are dealt to a number of tasks that depends on
 * the sizes alone, and the parts are added in order.
 *
 * With sparse columns a task is given sparse blocks: it adds these columns to the
 * functions of all rows of a block, looks at the dense blocks in it, and leaves u where
 * the functions were. Then the products of u with the sparse columns are summed, column
 * by column over the blocks in order: no parts of the size of all columns. Rounds of
 * tasks bound the memory of the functions. Cross products: cross.c.
 */
#include "algorithms/linear/cross.h"
#include "core/parallel.h"

#include <string.h>

#define MOST_TASKS   32
#define MOST_DOUBLES (8 << 20) /* in the parts of all tasks, about */
#define CHUNK        16        /* groups of columns that stay in the cache */
#define GRAIN        512       /* sparse columns of a task */
#define LEAST_ROUND  16        /* tasks */

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
    int packs;       /* the cross products are of other columns than the dense blocks */
    mli_cross cross; /* then: their columns */
    int64_t tiles;   /* doubles of a part before the sums of their sparse columns */
    double *square;  /* of their dense columns */
    double *dense;   /* [functions * d] coefficients of the dense blocks; NULL: pass->b */
    /* Of sparse columns. */
    int64_t width;           /* 0: there are none to be multiplied */
    double *table, *product; /* [n * width] coefficients, and sums of products with u */
    double *constant;        /* [functions] */
    double *vectors;         /* [rows of a round * width] functions, then u */
    int64_t per_round;       /* tasks */
    int64_t first, last;     /* tasks of this round */
} passing;

static int64_t size_of(const region *r)
{
    return thirds(r->rows) * quarters(r->columns) * 12;
}

/* The cross products, of which the first may have the vectors u below them; then u. There
 * are many of them with many classes. */
static region region_of(const passing *a, int64_t index)
{
    const mli_pass *p = a->pass;
    int64_t c = a->packs ? a->cross.n_dense : p->rows->q, m = p->n_products;
    int64_t before = index < p->n_grams ? index : p->n_grams;
    region first = {c + (a->merged ? m : 0), c, c, 0}, gram = {c, c, c, 0},
           rest = {m, 0, p->rows->d, 0};
    region r = index >= p->n_grams ? rest : index == 0 ? first : gram;
    r.offset = (index - before) * size_of(&rest);
    if (before > 0) r.offset += size_of(&first) + (before - 1) * size_of(&gram);
    return r;
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
    int64_t z, u, h, user, packed, lists, tail, full_tail, stack, size;
} layout;

static layout layout_of(const passing *a)
{
    const mli_pass *p = a->pass;
    int64_t ld = p->rows->ld, c = a->packs ? a->cross.n_dense : p->rows->q;
    layout l = {0};
    l.u = l.z + p->functions * ld;
    l.h = l.u + p->n_products * ld;
    l.user = l.h + p->n_grams * ld;
    l.packed = l.user + (p->scratch + 7) / 8 * 8;
    l.lists = l.packed + (a->packs ? c * ld : 0);
    l.tail = l.lists + (a->packs ? (mli_cross_scratch(&a->cross) + 7) / 8 * 8 : 0);
    l.full_tail = l.tail + 4 * ld;
    l.stack = l.full_tail + 4 * ld;
    l.size = l.stack + (thirds(c + p->n_products) * 3) * ld;
    return l;
}

/* A dense block, and where its sparse columns are. */
typedef struct {
    int64_t begin, n; /* rows */
    const double *x;
    int64_t sparse;  /* block */
    int64_t from;    /* rows before it in that */
    double *vectors; /* of its rows; NULL: no sparse columns are multiplied */
} place;

/* The functions, z[functions][ld]. */
static void make_functions(const passing *a, const place *at, double *z)
{
    const mli_pass *p = a->pass;
    const mli_rows *r = p->rows;
    for (int64_t k = 0; k < p->functions; k++) {
        double *zk = z + k * r->ld;
        if (at->vectors && p->b)
            for (int64_t i = 0; i < at->n; i++)
                zk[i] = a->constant[k] + at->vectors[i * a->width + k];
        else
            memset(zk, 0, (size_t)at->n * sizeof *zk);
        if (p->b)
            r->k->combine(at->x, r->ld, r->d,
                          a->dense ? a->dense + k * r->d : p->b + k * r->q, zk, at->n);
    }
}

/* u to where the functions were. */
static void keep_vectors(const passing *a, const place *at, const double *u)
{
    const mli_pass *p = a->pass;
    for (int64_t k = 0; k < a->width; k++)
        for (int64_t i = 0; i < at->n; i++)
            at->vectors[i * a->width + k] =
                k < p->n_products ? u[k * p->rows->ld + i] : 0;
}

/* The dense columns of the cross products side by side. */
static void pack(const passing *a, const place *at, double *packed)
{
    const mli_rows *r = a->pass->rows;
    for (int64_t i = 0; i < a->cross.n_dense; i++)
        memcpy(packed + i * r->ld, at->x + a->cross.dense[i] * r->ld,
               (size_t)at->n * sizeof *packed);
}

static void add_block(const passing *a, const place *at, double *part, double *value,
                      double *scratch)
{
    const mli_pass *p = a->pass;
    const mli_rows *rows = p->rows;
    int64_t ld = rows->ld, n = at->n;
    const double *x = at->x, *columns = x;
    layout l = layout_of(a);
    double *u = scratch + l.u, *h = scratch + l.h, *packed = scratch + l.packed;
    make_functions(a, at, scratch + l.z);
    *value += p->eval(p, at->begin, n, scratch + l.z, u, h, scratch + l.user);
    if (at->vectors && p->n_products) keep_vectors(a, at, u);
    make_tail(x, rows->d, ld, n, scratch + l.full_tail);
    if (a->packs) {
        columns = packed;
        pack(a, at, packed);
        make_tail(columns, a->cross.n_dense, ld, n, scratch + l.tail);
    }
    for (int64_t g = 0; a->cross.n_sparse && g < p->n_grams; g++)
        mli_cross_add(&a->cross, at->from, n, packed, h + g * ld,
                      part + a->tiles + g * a->cross.part, scratch + l.lists);
    for (int64_t g = 0; g < a->n_regions; g++) {
        region r = region_of(a, g);
        int gram = g < p->n_grams;
        const double *from = gram ? columns : x;
        make_stack(a, &r, from, h + g * ld, u, n, scratch + l.stack);
        multiply(a, &r, scratch + l.stack, from,
                 scratch + (gram && a->packs ? l.tail : l.full_tail), n, part + r.offset);
    }
}

static place dense_block(const mli_rows *r, int64_t block)
{
    place at = {.begin = block * r->block};
    at.n = r->n - at.begin < r->block ? r->n - at.begin : r->block;
    at.x = r->x + block * r->d * r->ld;
    return at;
}

/* One sparse block with the dense ones in it. */
static void sparse_block(const passing *a, int64_t block, double *part, double *value,
                         double *scratch)
{
    const mli_rows *r = a->pass->rows;
    const mli_sparse_rows *s = &r->sparse;
    int64_t begin = block * s->block, end = begin + s->block;
    double *vectors = NULL;
    if (end > r->n) end = r->n;
    if (a->width) {
        vectors = a->vectors + (begin - a->first * a->per_task * s->block) * a->width;
        memset(vectors, 0, (size_t)((end - begin) * a->width) * sizeof *vectors);
        if (a->pass->b) mli_sparse_add(r, block, a->table, a->width, vectors);
    }
    if (a->cross.n_sparse) mli_cross_open(&a->cross, block, scratch + layout_of(a).lists);
    for (int64_t row = begin; row < end; row += r->block) {
        place at = dense_block(r, row / r->block);
        at.sparse = block;
        at.from = row - begin;
        if (vectors) at.vectors = vectors + at.from * a->width;
        add_block(a, &at, part, value, scratch);
    }
}

static void pass_task(void *arg, int64_t task, int32_t slot)
{
    const passing *a = arg;
    const mli_pass *p = a->pass;
    task += a->first;
    int64_t step = p->step > 1 ? p->step : 1, end = (task + 1) * a->per_task;
    double *part = a->parts + task * a->part, *value = &a->values[task];
    double *scratch = a->scratch + slot * a->per_slot;
    for (int64_t i = task * a->per_task; i < end && i < a->blocks; i++) {
        if (a->run && mli_run_state(a->run) == ML_CANCEL) return;
        if (p->rows->sparse.n > 0) {
            sparse_block(a, i, part, value, scratch);
        } else {
            place at = dense_block(p->rows, i * step);
            add_block(a, &at, part, value, scratch);
        }
    }
}

/* Products of u with some sparse columns, over the rows of a round. */
static void product_task(void *arg, int64_t task, int32_t slot)
{
    const passing *a = arg;
    const mli_rows *r = a->pass->rows;
    int64_t n = r->sparse.n, begin = task * GRAIN;
    int64_t end = begin + GRAIN < n ? begin + GRAIN : n;
    int64_t first = a->first * a->per_task, last = a->last * a->per_task;
    (void)slot;
    for (int64_t b = first; b < last && b < a->blocks; b++) {
        if (a->run && mli_run_state(a->run) == ML_CANCEL) return;
        mli_sparse_dot(r, b, begin, end,
                       a->vectors + (b - first) * r->sparse.block * a->width, a->width,
                       a->product);
    }
}

static void run_tasks(passing *a)
{
    const mli_pass *p = a->pass;
    for (a->first = 0; a->first < a->tasks; a->first = a->last) {
        a->last = a->first + a->per_round < a->tasks ? a->first + a->per_round : a->tasks;
        mli_parallel(p->rows->ctx, a->last - a->first, pass_task, a);
        if (a->width && p->n_products)
            mli_parallel(p->rows->ctx, mli_task_count(p->rows->sparse.n, GRAIN),
                         product_task, a);
    }
}

/* Element (i, j) of a region. */
static double element(const region *r, const double *part, int64_t i, int64_t j)
{
    int64_t tile = i / 3 * quarters(r->columns) + j / 4;
    return part[r->offset + tile * 12 + i % 3 * 4 + j % 4];
}

/* Products of the sparse columns: V'u / size - shift / size times the sum of u, which is
 * the product with the ones (without these no column has a shift). */
static void collect_sparse(const passing *a)
{
    const mli_pass *p = a->pass;
    const mli_rows *r = p->rows;
    for (int64_t k = 0; k < p->n_products; k++) {
        double *out = p->product + k * r->q, sum = r->q > r->p ? out[r->p] : 0.0;
        for (int64_t i = 0; i < r->sparse.n; i++) {
            int64_t j = r->sparse.column[i];
            out[j] = (a->product[i * a->width + k] - r->shift[j] * sum) / r->size[j];
        }
    }
}

/* Products in dense blocks to their places, the last first. */
static void spread(const mli_pass *p)
{
    const mli_rows *r = p->rows;
    for (int64_t k = p->n_products - 1; k >= 0; k--)
        for (int64_t j = r->q - 1; j >= 0; j--)
            if (r->place[j] >= 0)
                p->product[k * r->q + j] = p->product[k * r->d + r->place[j]];
}

static void collect(const passing *a)
{
    mli_pass *p = a->pass;
    double *sum = a->parts;
    int64_t sparse = a->cross.n_sparse, size = a->packs ? a->cross.n : p->rows->q;
    p->value = a->values[0];
    for (int64_t t = 1; t < a->tasks; t++) {
        const double *part = a->parts + t * a->part;
        for (int64_t i = 0; i < a->part; i++) sum[i] += part[i];
        p->value += a->values[t];
    }
    for (int64_t g = 0; g < a->n_regions; g++) {
        region r = region_of(a, g);
        double *gram = g < p->n_grams ? p->gram + g * size * size : NULL;
        double *square = sparse ? a->square : gram;
        for (int64_t i = 0; i < r.triangle; i++)
            for (int64_t j = 0; j <= i; j++)
                square[i * r.triangle + j] = element(&r, sum, i, j);
        if (sparse && gram)
            mli_cross_finish(&a->cross, sum + a->tiles + g * a->cross.part, square, gram);
        for (int64_t i = r.triangle; i < r.rows; i++)
            for (int64_t j = 0; j < r.columns; j++)
                p->product[(i - r.triangle) * r.columns + j] = element(&r, sum, i, j);
    }
    if (p->n_products && p->rows->sparse.n > 0) {
        spread(p);
        collect_sparse(a);
    }
}

/* As many tasks as memory for their parts allows. */
static void plan(passing *a)
{
    const mli_pass *p = a->pass;
    const mli_rows *r = p->rows;
    int64_t step = p->step > 1 ? p->step : 1;
    int sparse = r->sparse.n > 0;
    a->merged = p->n_grams > 0 && !a->packs;
    a->n_regions = p->n_grams + (p->n_products > 0 && !a->merged);
    a->tiles = region_of(a, a->n_regions).offset;
    a->part = a->tiles + p->n_grams * a->cross.part;
    a->blocks = sparse ? r->sparse.n_blocks : (r->n_blocks - 1) / step + 1;
    a->tasks = a->blocks < MOST_TASKS ? a->blocks : MOST_TASKS;
    while (a->tasks > 1 && a->tasks * a->part > MOST_DOUBLES)
        a->tasks = (a->tasks + 1) / 2;
    a->per_task = mli_task_count(a->blocks, a->tasks);
    a->tasks = mli_task_count(a->blocks, a->per_task);
    a->per_slot = layout_of(a).size;
    a->per_round = a->tasks;
    if (!sparse || !(p->b || p->n_products)) return;
    a->width =
        mli_sparse_width(p->functions > p->n_products ? p->functions : p->n_products);
    while (a->per_round > LEAST_ROUND &&
           a->per_round * a->per_task * r->sparse.block * a->width > MOST_DOUBLES)
        a->per_round = (a->per_round + 1) / 2;
}

/* Memory and coefficients of sparse columns. */
static ml_status prepare_sparse(passing *a, ml_error *err)
{
    const mli_pass *p = a->pass;
    const mli_rows *r = p->rows;
    int64_t n = r->sparse.n, rows = a->per_round * a->per_task * r->sparse.block;
    if (rows > r->n) rows = r->n;
    a->table = mli_alloc_vec(r->ctx, n * a->width, sizeof *a->table);
    a->product = mli_calloc(r->ctx, (size_t)(n * a->width), sizeof *a->product);
    a->constant = mli_calloc(r->ctx, (size_t)p->functions + 1, sizeof *a->constant);
    a->vectors = mli_alloc_vec(r->ctx, rows * a->width, sizeof *a->vectors);
    a->dense = mli_alloc_vec(r->ctx, p->functions * r->d + 1, sizeof *a->dense);
    if (!a->table || !a->product || !a->constant || !a->vectors || !a->dense)
        return mli_nomem(err);
    if (!p->b) return ML_OK;
    mli_sparse_table(r, p->b, p->functions, a->width, a->table, a->constant);
    for (int64_t k = 0; k < p->functions; k++)
        for (int64_t j = 0; j < r->q; j++)
            if (r->place[j] >= 0) a->dense[k * r->d + r->place[j]] = p->b[k * r->q + j];
    return ML_OK;
}

ml_status mli_pass_run(mli_pass *pass, const mli_run *run, ml_error *err)
{
    ml_context *ctx = pass->rows->ctx;
    passing a = {.pass = pass, .run = run};
    ml_status status = ML_OK;
    a.packs = pass->n_grams > 0 && (pass->columns || pass->rows->sparse.n > 0);
    if (a.packs)
        status = mli_cross_new(pass->rows, pass->columns, pass->n_columns, &a.cross, err);
    if (status) return status;
    plan(&a);
    a.parts = mli_calloc(ctx, (size_t)(a.tasks * a.part), sizeof *a.parts);
    a.values = mli_calloc(ctx, (size_t)a.tasks, sizeof *a.values);
    a.scratch = mli_alloc_vec(ctx, mli_slots(ctx) * a.per_slot, sizeof *a.scratch);
    a.square = mli_alloc_vec(ctx, a.cross.n_dense * a.cross.n_dense, sizeof *a.square);
    if (!a.parts || !a.values || !a.scratch || !a.square) status = mli_nomem(err);
    if (!status && a.width) status = prepare_sparse(&a, err);
    if (!status) {
        run_tasks(&a);
        if (run) status = mli_run_check(run, err);
        if (!status) collect(&a);
    }
    mli_free(ctx, a.parts);
    mli_free(ctx, a.values);
    mli_free(ctx, a.scratch);
    mli_free(ctx, a.square);
    mli_cross_free(&a.cross);
    mli_free(ctx, a.table);
    mli_free(ctx, a.product);
    mli_free(ctx, a.constant);
    mli_free(ctx, a.vectors);
    mli_free(ctx, a.dense);
    return status;
}
