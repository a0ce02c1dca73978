/* SPDX-License-Identifier: MIT
 *
 * linear/sparse.c: columns that are mostly 0: which they are, their entries by blocks of
 * rows, and products with them.
 *
 * Within a block the entries are kept column after column, rows in 16 bits. So one array
 * serves both products: V b adds a column to the rows, V'u a column of rows to one sum.
 * The functions of a row, and the coefficients of a column, lie together: with several
 * classes an entry is read once for all of them. Blocks are as large as the vectors of
 * their rows fit the cache.
 *
 * Memory: 10 bytes an entry (2 where a column is 0 and 1), 4 for each column and block.
 */
#include "algorithms/linear/rows.h"
#include "core/parallel.h"

#include <math.h>
#include <string.h>

#define SHARE      8  /* a column is sparse when at most one row in so many is not 0 */
#define LEAST      16 /* sparse columns; fewer are not worth it */
#define CACHED     (1 << 15) /* doubles of the vectors of a block */
#define MOST_ROWS  65536     /* of a block: rows have 16 bits */
#define BLOCKS     16        /* at least, with enough rows */
#define PER_COLUMN 4         /* entries of a column and block, on average, at least */
#define CHUNK      256       /* rows looked at together */
#define ENTRY      6         /* multiply-adds that cost as much as an entry */

int64_t mli_sparse_width(int64_t functions)
{
    return functions <= 1 ? 1 : (functions + 3) / 4 * 4;
}

/* ---- choice ---- */

static int is_sparse(const mli_rows *r, int64_t j)
{
    return r->dense->nonzero[r->column[j]] <= r->n / SHARE;
}

static int has_values(const mli_rows *r, int64_t j)
{
    return r->dense->level[r->column[j]] == MLI_DENSE_NUMBER;
}

/* Rows of a block. */
static int64_t choose_block(const mli_rows *r, int64_t functions)
{
    const mli_sparse_rows *s = &r->sparse;
    int64_t rows = CACHED / mli_sparse_width(functions), entries = 1;
    for (int64_t i = 0; i < s->n; i++)
        entries += r->dense->nonzero[r->column[s->column[i]]];
    if (rows > r->n / BLOCKS) rows = r->n / BLOCKS;
    double least = (double)r->n / (double)entries * PER_COLUMN * (double)s->n;
    if ((double)rows < least) rows = least < MOST_ROWS ? (int64_t)least : MOST_ROWS;
    if (rows > MOST_ROWS - r->block) rows = MOST_ROWS - r->block;
    rows = mli_task_count(rows > 0 ? rows : 1, r->block) * r->block;
    while (rows > r->block && (double)rows * (double)s->n > UINT32_MAX)
        rows = rows / 2 / r->block * r->block;
    return rows > r->block ? rows : r->block;
}

ml_status mli_rows_split(mli_rows *r, int64_t functions, ml_error *err)
{
    mli_sparse_rows *s = &r->sparse;
    int64_t count = 0, at = 0;
    for (int64_t j = 0; j < r->p; j++) count += is_sparse(r, j);
    if (count < LEAST) return ML_OK;
    s->column = mli_alloc_vec(r->ctx, count, sizeof *s->column);
    if (!s->column) return mli_nomem(err);
    for (int valued = 1; valued >= 0; valued--) {
        for (int64_t j = 0; j < r->p; j++)
            if (is_sparse(r, j) && has_values(r, j) == valued) s->column[at++] = j;
        if (valued) s->n_values = at;
    }
    s->n = count;
    r->d = 0;
    for (int64_t j = 0; j < r->q; j++)
        if (j == r->p || !is_sparse(r, j)) r->place[j] = r->d++;
    for (int64_t i = 0; i < count; i++) r->place[s->column[i]] = -1 - i;
    s->block = choose_block(r, functions);
    s->n_blocks = mli_task_count(r->n, s->block);
    return ML_OK;
}

/* ---- entries ---- */

typedef struct {
    mli_rows *rows;
    const mli_design *design;
    const mli_run *run;
    int32_t *sparse; /* [n_columns of the dense matrix] which sparse column, or -1 */
    double per_row;  /* entries with values */
    atomic_int failed;
} filling;

/* Room for CHUNK more entries with values. */
static int make_room(ml_context *ctx, mli_sparse_block *b, int64_t n, int64_t *room)
{
    if (n + CHUNK <= *room) return 1;
    int64_t want = *room + *room / 4 + CHUNK;
    void *row = mli_realloc(ctx, b->row, (size_t)want * sizeof *b->row);
    if (row) b->row = row;
    void *value =
        row ? mli_realloc(ctx, b->value, (size_t)want * sizeof *b->value) : NULL;
    if (!value) return 0;
    b->value = value;
    *room = want;
    return 1;
}

/* The entries of a column in rows begin..end-1, after n others: how many there are then,
 * -1 when out of memory. */
static int64_t look_for_entries(const filling *f, int64_t c, int64_t begin, int64_t end,
                                int64_t n, int64_t *room, mli_sparse_block *b)
{
    const mli_dense *d = f->rows->dense;
    double x[CHUNK];
    for (int64_t at = begin; at < end; at += CHUNK) {
        int64_t to = at + CHUNK < end ? at + CHUNK : end;
        if (!make_room(d->ctx, b, n, room)) return -1;
        mli_design_f64(f->design, d->feature[c], at, to, x, 1);
        for (int64_t k = 0; k < to - at; k++) {
            double v = isnan(x[k]) ? d->fill[c] : x[k];
            b->row[n] = (uint16_t)(at + k - begin);
            b->value[n] = v;
            n += v != 0;
        }
    }
    return n;
}

/* The same of a column that the design holds so. */
static int64_t copy_entries(const filling *f, const mli_sparse *s, int64_t begin,
                            int64_t end, int64_t n, int64_t *room, mli_sparse_block *b)
{
    int64_t first, last = mli_sparse_range(s, begin, end, &first);
    for (int64_t i = first; i < last; i++) {
        if (n >= *room && !make_room(f->rows->ctx, b, n, room)) return -1;
        b->row[n] = (uint16_t)(s->rows[i] - begin);
        b->value[n] = s->values[i];
        n += s->values[i] != 0;
    }
    return n;
}

/* The entries of the columns with values, in rows begin..end-1. Returns how many there
 * are, -1 when out of memory. */
static int64_t take_values(const filling *f, int64_t begin, int64_t end,
                           mli_sparse_block *b)
{
    const mli_rows *r = f->rows;
    const mli_sparse_rows *s = &r->sparse;
    int64_t n = 0, room = (int64_t)(f->per_row * (double)(end - begin)) + CHUNK;
    b->row = mli_alloc(r->ctx, (size_t)room * sizeof *b->row);
    b->value = mli_alloc(r->ctx, (size_t)room * sizeof *b->value);
    if (!b->row || !b->value) return -1;
    for (int64_t i = 0; i < s->n_values && n >= 0; i++) {
        int64_t c = r->column[s->column[i]];
        mli_sparse held;
        b->start[i] = (uint32_t)n;
        if (mli_design_sparse(f->design, r->dense->feature[c], &held))
            n = copy_entries(f, &held, begin, end, n, &room, b);
        else
            n = look_for_entries(f, c, begin, end, n, &room, b);
        if (n > UINT32_MAX - MOST_ROWS) return -1;
    }
    if (n >= 0) b->start[s->n_values] = (uint32_t)n;
    return n;
}

/* Calls for the sparse columns of 0 and 1 that are 1 in a row: of a category its level,
 * of a number with a column for missing values that column. */
static void each_one(const filling *f, int64_t feature, int64_t begin, int64_t end,
                     void (*see)(mli_sparse_block *b, int64_t s, int64_t row),
                     mli_sparse_block *b)
{
    const mli_dense *d = f->rows->dense;
    int64_t first = d->first[feature], last = d->first[feature + 1] - 1;
    double x[CHUNK];
    if (last < first) return;
    if (f->design->columns[feature].kind == MLI_CATEGORICAL) {
        const int32_t *codes = f->design->columns[feature].codes;
        for (int64_t i = begin; i < end; i++) {
            int64_t hot = mli_dense_hot(d, feature, (double)codes[i]);
            if (hot >= 0 && f->sparse[hot] >= 0) see(b, f->sparse[hot], i - begin);
        }
    } else if (last > first && f->sparse[last] >= 0) {
        for (int64_t at = begin; at < end; at += CHUNK) {
            int64_t to = at + CHUNK < end ? at + CHUNK : end;
            mli_design_f64(f->design, feature, at, to, x, 1);
            for (int64_t k = 0; k < to - at; k++)
                if (isnan(x[k])) see(b, f->sparse[last], at + k - begin);
        }
    }
}

static void count_one(mli_sparse_block *b, int64_t s, int64_t row)
{
    (void)row;
    b->start[s + 1]++;
}

static void place_one(mli_sparse_block *b, int64_t s, int64_t row)
{
    b->row[b->start[s]++] = (uint16_t)row;
}

/* Entries of the columns without values, after `n` others. */
static int take_ones(const filling *f, int64_t begin, int64_t end, int64_t n,
                     mli_sparse_block *b)
{
    const mli_rows *r = f->rows;
    const mli_sparse_rows *s = &r->sparse;
    for (int64_t j = 0; s->n > s->n_values && j < r->dense->n_features; j++)
        each_one(f, j, begin, end, count_one, b);
    for (int64_t i = s->n_values; i < s->n; i++) b->start[i + 1] += b->start[i];
    /* Shrinking gives back what was reserved too much. */
    void *row = mli_realloc(r->ctx, b->row, (size_t)b->start[s->n] * sizeof *b->row);
    void *value = mli_realloc(r->ctx, b->value, (size_t)n * sizeof *b->value);
    if (row) b->row = row;
    if (value) b->value = value;
    if (!row || !value) return 0;
    for (int64_t j = 0; s->n > s->n_values && j < r->dense->n_features; j++)
        each_one(f, j, begin, end, place_one, b);
    for (int64_t i = s->n; i > s->n_values; i--) b->start[i] = b->start[i - 1];
    b->start[s->n_values] = (uint32_t)n;
    return 1;
}

static void fill_task(void *arg, int64_t task, int32_t slot)
{
    filling *f = arg;
    mli_rows *r = f->rows;
    mli_sparse_rows *s = &r->sparse;
    mli_sparse_block *b = &s->blocks[task];
    int64_t begin = task * s->block;
    int64_t end = begin + s->block < r->n ? begin + s->block : r->n;
    (void)slot;
    if (f->run && mli_run_state(f->run) == ML_CANCEL) return;
    b->start = mli_calloc(r->ctx, (size_t)s->n + 1, sizeof *b->start);
    int64_t n = b->start ? take_values(f, begin, end, b) : -1;
    if (n < 0 || !take_ones(f, begin, end, n, b)) atomic_store(&f->failed, 1);
}

ml_status mli_sparse_fill(mli_rows *r, const mli_design *design, const mli_run *run,
                          ml_error *err)
{
    mli_sparse_rows *s = &r->sparse;
    filling f = {.rows = r, .design = design, .run = run};
    int64_t columns = r->dense->n_columns;
    s->blocks = mli_calloc(r->ctx, (size_t)s->n_blocks, sizeof *s->blocks);
    f.sparse = mli_alloc_vec(r->ctx, columns, sizeof *f.sparse);
    if (!s->blocks || !f.sparse) {
        mli_free(r->ctx, f.sparse);
        return mli_nomem(err);
    }
    for (int64_t c = 0; c < columns; c++) f.sparse[c] = -1;
    for (int64_t i = 0; i < s->n; i++) {
        int64_t c = r->column[s->column[i]];
        f.sparse[c] = (int32_t)i;
        if (i < s->n_values) f.per_row += (double)r->dense->nonzero[c] / (double)r->n;
    }
    mli_parallel(r->ctx, s->n_blocks, fill_task, &f);
    mli_free(r->ctx, f.sparse);
    return atomic_load(&f.failed) ? mli_nomem(err) : ML_OK;
}

void mli_sparse_free(mli_rows *r)
{
    mli_sparse_rows *s = &r->sparse;
    for (int64_t i = 0; s->blocks && i < s->n_blocks; i++) {
        mli_free(r->ctx, s->blocks[i].start);
        mli_free(r->ctx, s->blocks[i].row);
        mli_free(r->ctx, s->blocks[i].value);
    }
    mli_free(r->ctx, s->blocks);
    mli_free(r->ctx, s->column);
    *s = (mli_sparse_rows){0};
}

double mli_rows_cost(const mli_rows *r)
{
    double cost = (double)r->n * (double)r->d;
    for (int64_t i = 0; i < r->sparse.n; i++)
        cost += ENTRY * (double)r->dense->nonzero[r->column[r->sparse.column[i]]];
    return cost;
}

/* ---- products ---- */

void mli_sparse_table(const mli_rows *r, const double *b, int64_t functions,
                      int64_t width, double *table, double *constant)
{
    const mli_sparse_rows *s = &r->sparse;
    for (int64_t k = 0; k < width; k++) {
        double sum = 0;
        for (int64_t i = 0; i < s->n; i++) {
            int64_t j = s->column[i];
            double v = k < functions ? b[k * r->q + j] / r->size[j] : 0.0;
            table[i * width + k] = v;
            sum -= v * r->shift[j];
        }
        if (k < functions) constant[k] = sum;
    }
}

void mli_sparse_add(const mli_rows *r, int64_t block, const double *table, int64_t width,
                    double *z)
{
    const mli_sparse_rows *s = &r->sparse;
    const mli_sparse_block *b = &s->blocks[block];
    int64_t v = s->n_values;
    r->k->entries_add(b->start, v, b->row, b->value, table, width, z);
    r->k->entries_add(b->start + v, s->n - v, b->row, NULL, table + v * width, width, z);
}

void mli_sparse_dot(const mli_rows *r, int64_t block, int64_t begin, int64_t end,
                    const double *u, int64_t width, double *g)
{
    const mli_sparse_rows *s = &r->sparse;
    const mli_sparse_block *b = &s->blocks[block];
    int64_t v = s->n_values < begin ? begin : s->n_values < end ? s->n_values : end;
    r->k->entries_dot(b->start + begin, v - begin, b->row, b->value, u, width,
                      g + begin * width);
    r->k->entries_dot(b->start + v, end - v, b->row, NULL, u, width, g + v * width);
}
