/* SPDX-License-Identifier: MIT
 *
 * data/append.c: a table that grows at its end. Each column has a room for its values,
 * one for its validity, which is made when the first value is missing, one for the
 * offsets of texts, and a dictionary of categories in order of first appearance. Texts
 * and values may be in a file; dictionaries are in memory.
 */
#include "data/append.h"
#include "core/parallel.h"
#include "data/arrow.h"

#include <string.h>

typedef struct {
    char *name;
    int32_t type;
    int16_t ordered, order;
    int64_t rows, nulls;
    int64_t size;      /* TEXT: bytes in `values` */
    mli_room values;   /* as `data` of a column */
    mli_room validity; /* used once a value is missing */
    mli_room offsets;  /* TEXT */
    mli_map levels;    /* CATEGORY */
} part;

struct mli_appender {
    ml_context *ctx;
    mli_spill *spill;
    int64_t rows, n_columns;
    part *columns; /* NULL until the first table */
};

ml_status mli_appender_new(ml_context *ctx, mli_spill *spill, mli_appender **out,
                           ml_error *err)
{
    mli_appender *g = mli_calloc(ctx, 1, sizeof *g);
    if (!g) return mli_nomem(err);
    g->ctx = ctx;
    g->spill = spill;
    *out = g;
    return ML_OK;
}

void mli_appender_free(mli_appender *g)
{
    if (!g) return;
    for (int64_t i = 0; g->columns && i < g->n_columns; i++) {
        part *p = &g->columns[i];
        mli_free(g->ctx, p->name);
        mli_room_free(&p->values);
        mli_room_free(&p->validity);
        mli_room_free(&p->offsets);
        mli_map_free(&p->levels);
    }
    mli_free(g->ctx, g->columns);
    mli_free(g->ctx, g);
}

static ml_status begin(mli_appender *g, const ml_table *t, ml_error *err)
{
    g->columns = mli_calloc(g->ctx, (size_t)t->n_columns, sizeof *g->columns);
    if (!g->columns) return mli_nomem(err);
    g->n_columns = t->n_columns;
    for (int64_t i = 0; i < t->n_columns; i++) {
        const mli_column *c = &t->columns[i];
        part *p = &g->columns[i];
        mli_room_init(&p->values, g->ctx, g->spill);
        mli_room_init(&p->validity, g->ctx, g->spill);
        mli_room_init(&p->offsets, g->ctx, g->spill);
        mli_map_init(&p->levels, g->ctx);
        p->type = c->type;
        p->ordered = c->ordered;
        p->order = c->order;
        p->name = mli_strdup(g->ctx, c->name);
        if (!p->name) return mli_nomem(err);
    }
    return ML_OK;
}

/* ---- one column ---- */

/* At least doubles rooms in memory, where growing copies. */
static int reserve(mli_room *r, size_t used, size_t need)
{
    size_t more = need;
    if (r->data && need <= r->size) return 1;
    if (!r->file && r->data && more < 2 * r->size) more = 2 * r->size;
    return mli_room_grow(r, used, more);
}

static size_t bytes_of_bits(int64_t bits)
{
    return (size_t)(bits + 7) / 8;
}

static void fill_bits(uint8_t *to, int64_t begin, int64_t end)
{
    for (; begin < end && (begin & 7); begin++)
        to[begin >> 3] = (uint8_t)(to[begin >> 3] | 1u << (begin & 7));
    if (begin < end) memset(to + (begin >> 3), 0xff, bytes_of_bits(end - begin));
}

static int add_validity(part *p, const mli_column *c)
{
    if (!c->null_count && !p->nulls) return 1;
    int64_t had = p->nulls ? p->rows : 0, end = p->rows + c->rows;
    if (!reserve(&p->validity, bytes_of_bits(had), bytes_of_bits(end))) return 0;
    uint8_t *bits = p->validity.data;
    if (!p->nulls) fill_bits(bits, 0, p->rows);
    if (c->validity)
        mli_bits_copy(bits, p->rows, c->validity, c->offset, c->rows);
    else
        fill_bits(bits, p->rows, end);
    p->nulls += c->null_count;
    return 1;
}

static int add_text(part *p, const mli_column *c)
{
    int64_t first = c->offsets[0], size = c->offsets[c->rows] - first;
    size_t had = p->rows ? (size_t)(p->rows + 1) * 8 : 0;
    if (!reserve(&p->offsets, had, (size_t)(p->rows + c->rows + 1) * 8)) return 0;
    if (!reserve(&p->values, (size_t)p->size, (size_t)(p->size + size) + 1)) return 0;
    int64_t *to = (int64_t *)p->offsets.data + p->rows, shift = p->size - first;
    for (int64_t i = 0; i <= c->rows; i++) to[i] = c->offsets[i] + shift;
    if (size)
        memcpy((char *)p->values.data + p->size, (const char *)c->data + first,
               (size_t)size);
    p->size += size;
    return 1;
}

/* How many levels of the column have the same number in the dictionary, from the first
 * on: batches of a stream mostly bring the same ones, or more behind them. */
static int64_t same_levels(const part *p, const mli_column *c)
{
    const mli_map *m = &p->levels;
    int64_t n = m->count < c->n_levels ? m->count : c->n_levels;
    if (n == 0) return 0;
    int64_t base = c->level_offsets[0], size = m->offsets[n];
    if (c->level_offsets[n] - base != size) return 0;
    for (int64_t i = 0; i < n; i++)
        if (c->level_offsets[i] - base != m->offsets[i]) return 0;
    return size == 0 || memcmp(m->bytes, c->levels + base, (size_t)size) == 0 ? n : 0;
}

static int add_codes(part *p, const mli_column *c)
{
    if (!reserve(&p->values, (size_t)p->rows * 4, (size_t)(p->rows + c->rows) * 4))
        return 0;
    int64_t same = same_levels(p, c);
    int32_t *number = mli_alloc(p->levels.ctx, (size_t)c->n_levels * sizeof *number);
    int ok = number != NULL;
    for (int64_t i = 0; ok && i < c->n_levels; i++) {
        const int64_t *o = c->level_offsets + i;
        number[i] =
            i < same ? (int32_t)i
                     : mli_map_add(&p->levels, c->levels + o[0], (size_t)(o[1] - o[0]));
        ok = number[i] >= 0;
    }
    const int32_t *in = c->data;
    int32_t *to = (int32_t *)p->values.data + p->rows;
    for (int64_t i = 0; ok && i < c->rows; i++)
        to[i] = in[i] >= 0 && in[i] < c->n_levels ? number[in[i]] : -1;
    mli_free(p->levels.ctx, number);
    return ok;
}

static int add_numbers(part *p, const mli_column *c)
{
    size_t item = mli_type_size(p->type), had = (size_t)p->rows * item;
    if (!reserve(&p->values, had, had + (size_t)c->rows * item)) return 0;
    if (c->rows) memcpy((char *)p->values.data + had, c->data, (size_t)c->rows * item);
    return 1;
}

static int add_bools(part *p, const mli_column *c)
{
    int64_t end = p->rows + c->rows;
    if (!reserve(&p->values, bytes_of_bits(p->rows), bytes_of_bits(end))) return 0;
    if (c->rows) mli_bits_copy(p->values.data, p->rows, c->data, c->offset, c->rows);
    return 1;
}

static int add_column(part *p, const mli_column *c)
{
    int ok = p->type == ML_TYPE_TEXT       ? add_text(p, c)
             : p->type == ML_TYPE_CATEGORY ? add_codes(p, c)
             : p->type == ML_DTYPE_BOOL    ? add_bools(p, c)
                                           : add_numbers(p, c);
    if (!ok || !add_validity(p, c)) return 0;
    p->rows += c->rows;
    return 1;
}

typedef struct {
    mli_appender *g;
    const ml_table *t;
    _Atomic int failed;
} adding;

static void add_task(void *arg, int64_t task, int32_t slot)
{
    adding *a = arg;
    (void)slot;
    if (!add_column(&a->g->columns[task], &a->t->columns[task])) a->failed = 1;
}

ml_status mli_appender_add(mli_appender *g, const ml_table *t, ml_error *err)
{
    ml_status status = g->columns ? ML_OK : begin(g, t, err);
    if (status) return status;
    if (t->n_columns != g->n_columns)
        return mli_fail(err, ML_E_INTERNAL, "other columns");
    adding a = {g, t, 0};
    mli_parallel(g->ctx, g->n_columns, add_task, &a);
    if (a.failed) return mli_spill_error(g->spill, err);
    g->rows += t->rows;
    return ML_OK;
}

/* ---- the table ---- */

static int take_levels(part *p, mli_column *out)
{
    mli_map *m = &p->levels;
    size_t size = m->count ? (size_t)m->offsets[m->count] : 0;
    int64_t *offsets = NULL;
    char *bytes = NULL;
    out->keep[1] =
        mli_buffer_new(m->ctx, (size_t)(m->count + 1) * sizeof *offsets, &offsets);
    out->keep[2] = mli_buffer_new(m->ctx, size + 1, &bytes);
    if (!out->keep[1] || !out->keep[2]) return 0;
    if (m->count) memcpy(offsets, m->offsets, (size_t)(m->count + 1) * sizeof *offsets);
    if (size) memcpy(bytes, m->bytes, size);
    out->n_levels = m->count;
    out->levels = bytes;
    out->level_offsets = offsets;
    return 1;
}

static mli_buffer *take_room(mli_room *r, size_t size, const void **data)
{
    mli_buffer *b = mli_room_buffer(r, size);
    if (b) *data = b->data;
    return b;
}

static int take_column(part *p, mli_column *out)
{
    const void *at = NULL;
    size_t size = p->type == ML_TYPE_TEXT    ? (size_t)p->size
                  : p->type == ML_DTYPE_BOOL ? bytes_of_bits(p->rows)
                                             : (size_t)p->rows * mli_type_size(p->type);
    out->name = p->name;
    p->name = NULL;
    out->type = p->type;
    out->ordered = p->ordered;
    out->order = p->order;
    out->rows = p->rows;
    out->stride = 1;
    if (!(out->keep[0] = take_room(&p->values, size, &out->data))) return 0;
    if (p->type == ML_TYPE_CATEGORY && !take_levels(p, out)) return 0;
    if (p->type == ML_TYPE_TEXT) {
        out->keep[1] = take_room(&p->offsets, (size_t)(p->rows + 1) * 8, &at);
        if (!out->keep[1]) return 0;
        out->offsets = at;
    }
    out->null_count = p->nulls;
    if (!p->nulls) return 1;
    out->keep[3] = take_room(&p->validity, bytes_of_bits(p->rows), &at);
    out->validity = at;
    return out->keep[3] != NULL;
}

ml_status mli_appender_table(mli_appender *g, ml_table **out, ml_error *err)
{
    ml_table *t = NULL;
    ml_status status = mli_table_alloc(g->ctx, g->rows, g->n_columns, &t, err);
    if (status) return status;
    for (int64_t i = 0; i < g->n_columns && !status; i++)
        if (!take_column(&g->columns[i], &t->columns[i]))
            status = mli_spill_error(g->spill, err);
    if (!status) t->spill = mli_spill_ref(g->spill);
    if (!status) status = mli_table_seal(t, err);
    if (status)
        ml_table_free(t);
    else
        *out = t;
    return status;
}
