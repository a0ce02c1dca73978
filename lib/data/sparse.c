/* SPDX-License-Identifier: MIT
 *
 * data/sparse.c: columns of numbers of which most are 0, such as the terms of texts: only
 * the others are held, with their rows, 12 bytes each. The steps of pipelines make them
 * (algorithms/columns.c), and sparse rows of a host (data/arrow_map.c). Designs read and
 * take them; what leaves the library is plain.
 */
#include "core/parallel.h"
#include "data/table.h"

#include <stdlib.h>
#include <string.h>

void mli_column_make_sparse(mli_column *c, int64_t rows, mli_sparse sparse,
                            mli_buffer *keep)
{
    static const double zero = 0;
    static const int32_t none = 0;
    if (sparse.n == 0) sparse.rows = &none;
    c->type = ML_DTYPE_F64;
    c->rows = rows;
    c->data = &zero;
    c->stride = 0;
    c->sparse = sparse;
    c->keep[0] = keep;
}

/* The first entry of a row that is not before `row`. */
static int64_t entry_of(const mli_sparse *s, int64_t row)
{
    int64_t low = 0, high = s->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (s->rows[middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int64_t mli_sparse_range(const mli_sparse *s, int64_t begin, int64_t end, int64_t *first)
{
    int64_t at = *first = entry_of(s, begin);
    while (at < s->n && at - *first < 16 && s->rows[at] < end) at++;
    if (at < s->n && s->rows[at] < end) at = entry_of(s, end);
    return at;
}

ml_status mli_column_fill_in(ml_context *ctx, const mli_column *from, mli_column *to,
                             ml_error *err)
{
    double *data = NULL;
    to->name = mli_strdup(ctx, from->name);
    to->keep[0] = mli_buffer_new(ctx, (size_t)from->rows * sizeof *data, &data);
    if (!to->name || !to->keep[0]) return mli_nomem(err);
    mli_column_f64(from, 0, from->rows, data, 1);
    to->type = ML_DTYPE_F64;
    to->rows = from->rows;
    to->stride = 1;
    to->data = data;
    return ML_OK;
}

ml_status mli_table_plain(const ml_table *t, ml_table **out, ml_error *err)
{
    int64_t sparse = 0;
    for (int64_t i = 0; i < t->n_columns; i++)
        sparse += t->columns[i].sparse.rows != NULL;
    if (!sparse) {
        *out = ml_table_ref((ml_table *)t);
        return ML_OK;
    }
    ml_table *made = NULL;
    ml_status status = mli_table_alloc(t->ctx, t->rows, t->n_columns, &made, err);
    for (int64_t i = 0; i < t->n_columns && !status; i++) {
        const mli_column *from = &t->columns[i];
        status = from->sparse.rows
                     ? mli_column_fill_in(t->ctx, from, &made->columns[i], err)
                     : mli_column_share(t->ctx, from, &made->columns[i], err);
    }
    if (!status) made->spill = mli_spill_ref(t->spill);
    if (!status) status = mli_table_seal(made, err);
    if (status)
        ml_table_free(made);
    else
        *out = made;
    return status;
}

/* ---- some of the rows ---- */

/* Where each row goes: row r to target[start[r]] .. target[start[r + 1] - 1]. */
typedef struct {
    const ml_table *from;
    ml_table *to;
    int64_t n; /* sparse columns */
    int64_t *column;
    int64_t *first; /* [n + 1] of the entries of each */
    int64_t *start; /* [rows + 1] */
    int32_t *target;
    int ascending;
    int32_t *rows; /* of all entries taken */
    double *values;
    atomic_int failed;
} taking;

static void invert(taking *t, const int64_t *rows, int64_t count)
{
    int64_t n = t->from->rows;
    for (int64_t i = 0; i < count; i++) t->start[rows[i] + 1]++;
    for (int64_t r = 0; r < n; r++) t->start[r + 1] += t->start[r];
    for (int64_t i = 0; i < count; i++) t->target[t->start[rows[i]]++] = (int32_t)i;
    for (int64_t r = n; r > 0; r--) t->start[r] = t->start[r - 1];
    t->start[0] = 0;
    t->ascending = 1;
    for (int64_t i = 1; i < count; i++) t->ascending &= rows[i] >= rows[i - 1];
}

static void count_entries(void *arg, int64_t k, int32_t slot)
{
    taking *t = arg;
    const mli_column *c = &t->from->columns[t->column[k]];
    int64_t n = 0;
    (void)slot;
    for (int64_t e = 0; e < c->sparse.n; e++) {
        int64_t row = c->sparse.rows[e] - c->offset;
        if (row >= 0 && row < c->rows) n += t->start[row + 1] - t->start[row];
    }
    t->first[k + 1] = n;
}

typedef struct {
    int32_t row;
    double value;
} entry;

static int by_row(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return (x->row > y->row) - (x->row < y->row);
}

static int sort_entries(ml_context *ctx, int64_t n, int32_t *rows, double *values)
{
    entry *list = mli_alloc_vec(ctx, n, sizeof *list);
    if (!list) return 0;
    for (int64_t i = 0; i < n; i++) list[i] = (entry){rows[i], values[i]};
    qsort(list, (size_t)n, sizeof *list, by_row);
    for (int64_t i = 0; i < n; i++) {
        rows[i] = list[i].row;
        values[i] = list[i].value;
    }
    mli_free(ctx, list);
    return 1;
}

static void take_entries(void *arg, int64_t k, int32_t slot)
{
    taking *t = arg;
    const mli_column *c = &t->from->columns[t->column[k]];
    int64_t at = t->first[k];
    (void)slot;
    for (int64_t e = 0; e < c->sparse.n; e++) {
        int64_t row = c->sparse.rows[e] - c->offset;
        if (row < 0 || row >= c->rows) continue;
        for (int64_t i = t->start[row]; i < t->start[row + 1]; i++) {
            t->rows[at] = t->target[i];
            t->values[at++] = c->sparse.values[e];
        }
    }
    int64_t n = at - t->first[k];
    if (t->ascending || n < 2) return;
    if (!sort_entries(t->to->ctx, n, t->rows + t->first[k], t->values + t->first[k]))
        atomic_store(&t->failed, 1);
}

/* One buffer holds the entries of all columns. */
static ml_status take_all(taking *t, ml_error *err)
{
    ml_context *ctx = t->to->ctx;
    void *memory = NULL;
    mli_parallel(ctx, t->n, count_entries, t);
    for (int64_t k = 0; k < t->n; k++) t->first[k + 1] += t->first[k];
    size_t total = (size_t)t->first[t->n];
    mli_buffer *keep = mli_buffer_new(ctx, (total + 1) * 12, &memory);
    if (!keep) return mli_nomem(err);
    t->values = memory;
    t->rows = (int32_t *)(void *)(t->values + total);
    mli_parallel(ctx, t->n, take_entries, t);
    ml_status status = atomic_load(&t->failed) ? mli_nomem(err) : ML_OK;
    for (int64_t k = 0; k < t->n && !status; k++) {
        mli_column *c = &t->to->columns[t->column[k]];
        c->name = mli_strdup(ctx, t->from->columns[t->column[k]].name);
        if (!c->name) status = mli_nomem(err);
        mli_sparse s = {t->first[k + 1] - t->first[k], t->rows + t->first[k],
                        t->values + t->first[k]};
        if (c->name) mli_column_make_sparse(c, t->to->rows, s, mli_buffer_ref(keep));
    }
    mli_buffer_free(keep);
    return status;
}

ml_status mli_sparse_take(const ml_table *from, const int64_t *rows, int64_t count,
                          ml_table *to, ml_error *err)
{
    ml_context *ctx = to->ctx;
    taking t = {.from = from, .to = to};
    for (int64_t i = 0; i < from->n_columns; i++)
        t.n += from->columns[i].sparse.rows != NULL;
    if (!t.n) return ML_OK;
    t.column = mli_alloc_vec(ctx, t.n, sizeof *t.column);
    t.first = mli_calloc(ctx, (size_t)t.n + 1, sizeof *t.first);
    t.start = mli_calloc(ctx, (size_t)from->rows + 1, sizeof *t.start);
    t.target = mli_alloc_vec(ctx, count + 1, sizeof *t.target);
    ml_status status =
        t.column && t.first && t.start && t.target ? ML_OK : mli_nomem(err);
    if (!status) {
        int64_t at = 0;
        for (int64_t i = 0; i < from->n_columns; i++)
            if (from->columns[i].sparse.rows) t.column[at++] = i;
        invert(&t, rows, count);
        status = take_all(&t, err);
    }
    mli_free(ctx, t.column);
    mli_free(ctx, t.first);
    mli_free(ctx, t.start);
    mli_free(ctx, t.target);
    return status;
}
