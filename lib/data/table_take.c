/* SPDX-License-Identifier: MIT
 *
 * data/table_take.c: tables made of parts of a table: columns and ranges of rows share
 * its memory, rows by index are copied: into a file, too, when the table lives in one.
 */
#include "core/parallel.h"
#include "data/keys.h"

#include <inttypes.h>
#include <string.h>

/* Rows per task: a multiple of 64, so that tasks write different words of bitmaps. */
#define GRAIN 32768

#define NAMES_SHOWN 8

ml_status mli_table_unknown(const ml_table *t, const char *name, const char *whose,
                            const char *what, ml_error *err)
{
    const char *near = NULL;
    const char **names = mli_alloc(t->ctx, (size_t)t->n_columns * sizeof *names);
    mli_fail(err, ML_E_NAME, "%s has no column \"%s\"", whose, name);
    if (what) mli_error_at(err, ML_E_NAME, "params.%s", what);
    if (!names) return ML_E_NAME;
    for (int64_t i = 0; i < t->n_columns; i++) names[i] = t->columns[i].name;
    near = mli_nearest(name, names, t->n_columns);
    mli_free(t->ctx, names);
    if (near) return mli_error_hint(err, ML_E_NAME, "did you mean \"%s\"?", near);
    mli_str s;
    mli_str_init(&s, NULL);
    for (int64_t i = 0; i < t->n_columns && i < NAMES_SHOWN; i++)
        mli_str_printf(&s, "%s\"%s\"", i ? ", " : "", t->columns[i].name);
    if (t->n_columns > NAMES_SHOWN)
        mli_str_printf(&s, " and %" PRId64 " more", t->n_columns - NAMES_SHOWN);
    if (s.size) mli_error_hint(err, ML_E_NAME, "the columns are %s", s.data);
    mli_str_free(&s);
    return ML_E_NAME;
}

ml_status ml_table_select(const ml_table *table, const char *const *names, int64_t count,
                          ml_table **out, ml_error *error)
{
    ml_table *t = NULL;
    if (!table) return mli_null(error, "table");
    if (!out) return mli_null(error, "out");
    if (count < 0 || (count > 0 && !names)) return mli_null(error, "names");
    ml_status status = mli_table_alloc(table->ctx, table->rows, count, &t, error);
    if (status) return status;
    for (int64_t i = 0; i < count && !status; i++) {
        int64_t at = ml_table_find(table, names[i]);
        if (at < 0) {
            status = names[i]
                         ? mli_table_unknown(table, names[i], "the table", NULL, error)
                         : mli_null(error, "names");
        } else {
            status = mli_column_share(t->ctx, &table->columns[at], &t->columns[i], error);
        }
    }
    t->spill = mli_spill_ref(table->spill);
    if (!status) status = mli_table_seal(t, error);
    if (status) {
        ml_table_free(t);
        return status;
    }
    *out = t;
    return ML_OK;
}

/* ---- ranges ---- */

static void narrow(mli_column *c, int64_t begin, int64_t end)
{
    c->null_count = mli_column_missing(c, begin, end);
    c->rows = end - begin;
    c->offset += begin;
    if (c->null_count == 0) c->validity = NULL;
    if (c->type == ML_TYPE_TEXT) {
        c->offsets += begin;
    } else if (c->data) {
        c->data =
            (const char *)c->data + begin * c->stride * (int64_t)mli_type_size(c->type);
    }
}

ml_status ml_table_slice(const ml_table *table, int64_t begin, int64_t end,
                         ml_table **out, ml_error *error)
{
    ml_table *t = NULL;
    if (!table) return mli_null(error, "table");
    if (!out) return mli_null(error, "out");
    if (begin < 0 || end < begin || end > table->rows) {
        return mli_fail(error, ML_E_RANGE,
                        "what was asked for is no range of the %" PRId64
                        " rows of the table",
                        table->rows);
    }
    ml_status status =
        mli_table_alloc(table->ctx, end - begin, table->n_columns, &t, error);
    if (status) return status;
    for (int64_t i = 0; i < t->n_columns && !status; i++) {
        status = mli_column_share(t->ctx, &table->columns[i], &t->columns[i], error);
        if (!status) narrow(&t->columns[i], begin, end);
    }
    t->spill = mli_spill_ref(table->spill);
    if (!status) status = mli_table_seal(t, error);
    if (status) {
        ml_table_free(t);
        return status;
    }
    *out = t;
    return ML_OK;
}

/* ---- rows by index ---- */

typedef struct {
    const mli_column *from;
    const int64_t *rows;
    int64_t count;
    void *data;       /* elements or bytes of text, or bits */
    uint8_t *bits;    /* validity, or NULL */
    int64_t *offsets; /* [count + 1] of text */
    int holes;        /* rows below 0 are missing values */
} taking;

#define GATHER(type)                                                                     \
    do {                                                                                 \
        const type *in = t->from->data;                                                  \
        type *to = t->data;                                                              \
        int64_t step = t->from->stride;                                                  \
        if (!t->holes)                                                                   \
            for (int64_t i = begin; i < end; i++) to[i] = in[t->rows[i] * step];         \
        for (int64_t i = begin; t->holes && i < end; i++)                                \
            to[i] = t->rows[i] < 0 ? (type)0 : in[t->rows[i] * step];                    \
    } while (0)

static void gather_bits(uint8_t *to, const uint8_t *from, int64_t offset,
                        const int64_t *rows, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++) {
        int64_t bit = offset + rows[i];
        if (rows[i] < 0) continue;
        unsigned on = from ? (from[bit >> 3] >> (bit & 7)) & 1u : 1u;
        to[i >> 3] = (uint8_t)(to[i >> 3] | on << (i & 7));
    }
}

static void gather_text(const taking *t, int64_t begin, int64_t end)
{
    const char *bytes = t->from->data;
    const int64_t *offsets = t->from->offsets;
    for (int64_t i = begin; i < end; i++) {
        int64_t row = t->rows[i], size = row < 0 ? 0 : offsets[row + 1] - offsets[row];
        if (size > 0) {
            memcpy((char *)t->data + t->offsets[i], bytes + offsets[row], (size_t)size);
        }
    }
}

static void gather(void *arg, int64_t task, int32_t slot)
{
    const taking *t = arg;
    int64_t begin = task * GRAIN;
    int64_t end = begin + GRAIN < t->count ? begin + GRAIN : t->count;
    (void)slot;
    if (t->from->type == ML_TYPE_TEXT) {
        gather_text(t, begin, end);
    } else if (t->from->type == ML_DTYPE_BOOL) {
        gather_bits(t->data, t->from->data, t->from->offset, t->rows, begin, end);
    } else {
        switch (mli_type_size(t->from->type)) {
        case 1:
            GATHER(uint8_t);
            break;
        case 2:
            GATHER(uint16_t);
            break;
        case 4:
            GATHER(uint32_t);
            break;
        default:
            GATHER(uint64_t);
        }
    }
    if (t->bits) {
        gather_bits(t->bits, t->from->validity, t->from->offset, t->rows, begin, end);
    }
}

static void *new_buffer(ml_context *ctx, mli_spill *spill, mli_column *c, int slot,
                        int64_t count, size_t item)
{
    void *data = NULL;
    c->keep[slot] = mli_spill_buffer(ctx, spill, (size_t)count * item, &data);
    return c->keep[slot] ? data : NULL;
}

/* Shares the levels when the buffers that hold them are known, else copies them. */
static ml_status take_levels(ml_context *ctx, const mli_column *from, mli_column *to,
                             ml_error *err)
{
    if (from->n_levels == 0) return ML_OK;
    to->n_levels = from->n_levels;
    mli_buffer *offsets = mli_column_holder(from, from->level_offsets);
    mli_buffer *bytes = from->levels ? mli_column_holder(from, from->levels) : offsets;
    if (offsets && bytes) {
        to->levels = from->levels;
        to->level_offsets = from->level_offsets;
        to->keep[1] = mli_buffer_ref(offsets);
        to->keep[2] = mli_buffer_ref(bytes);
        return ML_OK;
    }
    int64_t base = from->level_offsets[0];
    int64_t size = from->level_offsets[from->n_levels] - base;
    int64_t *ends = new_buffer(ctx, NULL, to, 1, from->n_levels + 1, sizeof *ends);
    char *text = ends ? new_buffer(ctx, NULL, to, 2, size + 1, 1) : NULL;
    if (!text) return mli_nomem(err);
    if (size) memcpy(text, from->levels + base, (size_t)size);
    for (int64_t i = 0; i <= from->n_levels; i++) ends[i] = from->level_offsets[i] - base;
    to->levels = text;
    to->level_offsets = ends;
    return ML_OK;
}

/* Offsets of the texts taken, and room for their bytes. */
static ml_status take_offsets(ml_context *ctx, mli_spill *spill, taking *t,
                              mli_column *to, ml_error *err)
{
    const int64_t *in = t->from->offsets;
    int64_t *ends = new_buffer(ctx, spill, to, 1, t->count + 1, sizeof *ends);
    if (!ends) return mli_spill_error(spill, err);
    for (int64_t i = 0; i < t->count; i++) {
        int64_t row = t->rows[i], size = row < 0 ? 0 : in[row + 1] - in[row];
        if (__builtin_add_overflow(ends[i], size, &ends[i + 1])) return mli_nomem(err);
    }
    t->offsets = ends;
    to->offsets = ends;
    t->data = new_buffer(ctx, spill, to, 0, ends[t->count] + 1, 1);
    return t->data ? ML_OK : mli_spill_error(spill, err);
}

static int has_holes(const int64_t *rows, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (rows[i] < 0) return 1;
    return 0;
}

static ml_status take_column(ml_context *ctx, mli_spill *spill, const mli_column *from,
                             const int64_t *rows, int64_t count, int holes,
                             mli_column *to, ml_error *err);

/* A sparse column becomes a plain one: only ml_table_take keeps them. */
static ml_status take_filled(ml_context *ctx, mli_spill *spill, const mli_column *from,
                             const int64_t *rows, int64_t count, int holes,
                             mli_column *to, ml_error *err)
{
    mli_column plain = {0};
    ml_status status = mli_column_fill_in(ctx, from, &plain, err);
    if (!status) status = take_column(ctx, spill, &plain, rows, count, holes, to, err);
    mli_column_clear(ctx, &plain);
    return status;
}

static ml_status take_column(ml_context *ctx, mli_spill *spill, const mli_column *from,
                             const int64_t *rows, int64_t count, int holes,
                             mli_column *to, ml_error *err)
{
    taking t = {from, rows, count, NULL, NULL, NULL, holes};
    ml_status status = ML_OK;
    if (from->sparse.rows)
        return take_filled(ctx, spill, from, rows, count, holes, to, err);
    to->name = mli_strdup(ctx, from->name);
    if (!to->name) return mli_nomem(err);
    to->type = from->type;
    to->ordered = from->ordered;
    to->order = from->order;
    to->rows = count;
    to->stride = 1;
    if (from->type == ML_TYPE_TEXT) {
        status = take_offsets(ctx, spill, &t, to, err);
    } else {
        size_t item = mli_type_size(from->type);
        t.data = new_buffer(ctx, spill, to, 0, item ? count : (count + 7) / 8,
                            item ? item : 1);
        if (!t.data) return mli_spill_error(spill, err);
        if (from->type == ML_TYPE_CATEGORY) status = take_levels(ctx, from, to, err);
    }
    if (status) return status;
    if (holes || (from->validity && from->null_count)) {
        t.bits = new_buffer(ctx, spill, to, 4, (count + 7) / 8, 1);
        if (!t.bits) return mli_spill_error(spill, err);
    }
    mli_parallel(ctx, mli_task_count(count, GRAIN), gather, &t);
    to->data = t.data;
    to->validity = t.bits;
    if (holes || from->null_count)
        to->null_count = mli_column_count_missing(to, 0, count);
    if (to->null_count == 0) to->validity = NULL;
    return ML_OK;
}

ml_status mli_column_gather(ml_context *ctx, const mli_column *from, const int64_t *rows,
                            int64_t count, mli_column *to, ml_error *err)
{
    return take_column(ctx, NULL, from, rows, count, has_holes(rows, count), to, err);
}

/* All rows in their order? */
static int is_whole(const ml_table *from, const int64_t *rows, int64_t count)
{
    if (count != from->rows) return 0;
    for (int64_t i = 0; i < count; i++)
        if (rows[i] != i) return 0;
    return 1;
}

ml_status mli_table_gather(const ml_table *from, const uint8_t *chosen,
                           const int64_t *rows, int64_t count, ml_table *to, int64_t at,
                           ml_error *err)
{
    int whole = is_whole(from, rows, count), holes = !whole && has_holes(rows, count);
    ml_status status = ML_OK;
    for (int64_t i = 0; i < from->n_columns && !status; i++) {
        const mli_column *c = &from->columns[i];
        if (chosen && !chosen[i]) continue;
        status = whole ? mli_column_share(to->ctx, c, &to->columns[at], err)
                       : take_column(to->ctx, NULL, c, rows, count, holes,
                                     &to->columns[at], err);
        at++;
    }
    return status;
}

static void put_bit(uint8_t *bits, int64_t i, int on)
{
    bits[i >> 3] = (uint8_t)((bits[i >> 3] & ~(1u << (i & 7))) | (unsigned)on << (i & 7));
}

static ml_status merge_text(ml_context *ctx, mli_column *to, const mli_column *b,
                            const int64_t *rows_a, ml_error *err)
{
    int64_t n = to->rows, *ends = NULL;
    char *bytes = NULL;
    const mli_column a = *to;
    to->keep[1] = mli_buffer_new(ctx, ((size_t)n + 1) * sizeof *ends, &ends);
    to->keep[0] =
        to->keep[1]
            ? mli_buffer_new(ctx, (size_t)(a.offsets[n] + b->offsets[n]) + 1, &bytes)
            : NULL;
    for (int64_t i = 0; i < n && bytes; i++) {
        const mli_column *from = rows_a[i] < 0 ? b : &a;
        int64_t size = from->offsets[i + 1] - from->offsets[i];
        const char *text = (const char *)from->data + from->offsets[i];
        if (size) memcpy(bytes + ends[i], text, (size_t)size);
        ends[i + 1] = ends[i] + size;
    }
    mli_buffer_free(a.keep[0]);
    mli_buffer_free(a.keep[1]);
    to->data = bytes;
    to->offsets = ends;
    return bytes ? ML_OK : mli_nomem(err);
}

static void merge_fixed(mli_column *to, const mli_column *b, const int64_t *rows_a)
{
    size_t size = mli_type_size(to->type);
    char *data = (char *)(uintptr_t)to->data;
    for (int64_t i = 0; i < to->rows; i++) {
        if (rows_a[i] >= 0) continue;
        if (size)
            memcpy(data + (size_t)i * size, (const char *)b->data + (size_t)i * size,
                   size);
        else
            put_bit((uint8_t *)data, i,
                    ((const uint8_t *)b->data)[i >> 3] >> (i & 7) & 1);
    }
}

ml_status mli_column_merge(ml_context *ctx, const mli_column *a, const int64_t *rows_a,
                           const mli_column *b, const int64_t *rows_b, int64_t count,
                           mli_column *to, ml_error *err)
{
    mli_column other = {0};
    ml_status status = take_column(ctx, NULL, a, rows_a, count, 1, to, err);
    if (!status) status = take_column(ctx, NULL, b, rows_b, count, 1, &other, err);
    if (!status && to->validity)
        for (int64_t i = 0; i < count; i++)
            if (rows_a[i] < 0)
                put_bit((uint8_t *)(uintptr_t)to->validity, i,
                        mli_column_valid(&other, i));
    if (!status && to->type == ML_TYPE_TEXT)
        status = merge_text(ctx, to, &other, rows_a, err);
    else if (!status)
        merge_fixed(to, &other, rows_a);
    if (!status) to->null_count = mli_column_count_missing(to, 0, count);
    mli_column_clear(ctx, &other);
    return status;
}

ml_status mli_columns_named(const ml_table *t, const char *const *names, int64_t n,
                            const char *whose, const char *what, const mli_column **out,
                            ml_error *err)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t at = ml_table_find(t, names[i]);
        if (at < 0) return mli_table_unknown(t, names[i], whose, what, err);
        out[i] = &t->columns[at];
    }
    return ML_OK;
}

ml_status mli_names_differ(const ml_table *t, int64_t first, const char *what,
                           const char *hint, ml_error *err)
{
    for (int64_t i = first; i < t->n_columns; i++) {
        if (ml_table_find(t, t->columns[i].name) == i) continue;
        mli_fail(err, ML_E_NAME, "two columns would be called \"%s\"",
                 t->columns[i].name);
        mli_error_at(err, ML_E_NAME, "params.%s", what);
        return mli_error_hint(err, ML_E_NAME, "%s", hint);
    }
    return ML_OK;
}

ml_status ml_table_take(const ml_table *table, const int64_t *rows, int64_t count,
                        ml_table **out, ml_error *error)
{
    ml_table *t = NULL;
    if (!table) return mli_null(error, "table");
    if (!out) return mli_null(error, "out");
    if (count < 0 || (count > 0 && !rows)) return mli_null(error, "rows");
    for (int64_t i = 0; i < count; i++) {
        if (rows[i] >= 0 && rows[i] < table->rows) continue;
        mli_fail(error, ML_E_RANGE,
                 "a row is outside of the table, which has %" PRId64 " rows",
                 table->rows);
        return mli_error_at(error, ML_E_RANGE, "rows, item %" PRId64, i + 1);
    }
    ml_status status = mli_table_alloc(table->ctx, count, table->n_columns, &t, error);
    if (status) return status;
    status = mli_spill_again(table->spill, &t->spill, error);
    if (!status && count <= INT32_MAX)
        status = mli_sparse_take(table, rows, count, t, error);
    for (int64_t i = 0; i < t->n_columns && !status; i++) {
        if (t->columns[i].sparse.rows) continue;
        status = take_column(t->ctx, t->spill, &table->columns[i], rows, count, 0,
                             &t->columns[i], error);
    }
    for (int64_t i = 0; i < t->n_columns && !status; i++) {
        for (int k = 0; k < 5; k++) mli_spill_buffer_seal(t->columns[i].keep[k]);
    }
    mli_spill_seal(t->spill);
    if (!status) status = mli_table_seal(t, error);
    if (status) {
        ml_table_free(t);
        return status;
    }
    *out = t;
    return ML_OK;
}
