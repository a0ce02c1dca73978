/* SPDX-License-Identifier: MIT
 *
 * data/table.c: the table as an object: columns that own what they point to, the lookup
 * by name, and the accessors of the public interface.
 */
#include "data/table.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define KEEP ((int)(sizeof((mli_column *)0)->keep / sizeof(mli_buffer *)))

int mli_type_is_number(int32_t type)
{
    return mli_dtype_size(type) != 0;
}

int mli_type_is_time(int32_t type)
{
    return type == ML_TYPE_DATE || type == ML_TYPE_TIMESTAMP;
}

const char *mli_type_name(int32_t type)
{
    switch (type) {
    case ML_TYPE_TEXT:
        return "text";
    case ML_TYPE_CATEGORY:
        return "category";
    case ML_TYPE_DATE:
        return "date";
    case ML_TYPE_TIMESTAMP:
        return "timestamp";
    default:
        return mli_dtype_name(type);
    }
}

size_t mli_type_size(int32_t type)
{
    switch (type) {
    case ML_DTYPE_BOOL:
    case ML_TYPE_TEXT:
        return 0;
    case ML_TYPE_CATEGORY:
    case ML_TYPE_DATE:
        return 4;
    case ML_TYPE_TIMESTAMP:
        return 8;
    default:
        return mli_dtype_size(type);
    }
}

/* ---- columns ---- */

int64_t mli_bits_count(const uint8_t *bits, int64_t offset, int64_t count)
{
    int64_t set = 0, i = offset, end = offset + count;
    for (; i < end && (i & 7); i++) set += (bits[i >> 3] >> (i & 7)) & 1;
    for (; i + 64 <= end; i += 64) {
        uint64_t word;
        memcpy(&word, bits + (i >> 3), sizeof word);
        set += __builtin_popcountll(word);
    }
    for (; i < end; i++) set += (bits[i >> 3] >> (i & 7)) & 1;
    return set;
}

int64_t mli_column_missing(const mli_column *c, int64_t begin, int64_t end)
{
    if (c->null_count == 0) return 0;
    if (begin == 0 && end == c->rows) return c->null_count;
    return mli_column_count_missing(c, begin, end);
}

int64_t mli_column_count_missing(const mli_column *c, int64_t begin, int64_t end)
{
    if (c->type != ML_TYPE_CATEGORY) {
        if (!c->validity) return 0;
        return end - begin - mli_bits_count(c->validity, c->offset + begin, end - begin);
    }
    int64_t missing = 0;
    const int32_t *codes = c->data;
    for (int64_t i = begin; i < end; i++) {
        missing += codes[i] < 0 || codes[i] >= c->n_levels || !mli_column_valid(c, i);
    }
    return missing;
}

int64_t mli_column_absent(const mli_column *c)
{
    double block[512];
    int64_t missing = 0;
    if (c->type != ML_DTYPE_F64 && c->type != ML_DTYPE_F32) return c->null_count;
    for (int64_t begin = 0, n; begin < c->rows; begin += n) {
        n = c->rows - begin < 512 ? c->rows - begin : 512;
        mli_column_f64(c, begin, begin + n, block, 1);
        for (int64_t i = 0; i < n; i++) missing += isnan(block[i]) != 0;
    }
    return missing;
}

int mli_column_empty(const mli_column *c)
{
    return mli_column_absent(c) == c->rows;
}

ml_status mli_column_share(ml_context *ctx, const mli_column *from, mli_column *to,
                           ml_error *err)
{
    char *name = mli_strdup(ctx, from->name);
    if (!name) return mli_nomem(err);
    *to = *from;
    to->name = name;
    for (int i = 0; i < KEEP; i++) mli_buffer_ref(to->keep[i]);
    return ML_OK;
}

void mli_column_clear(ml_context *ctx, mli_column *c)
{
    mli_free(ctx, c->name);
    for (int i = 0; i < KEEP; i++) mli_buffer_free(c->keep[i]);
    memset(c, 0, sizeof *c);
}

mli_buffer *mli_column_holder(const mli_column *c, const void *address)
{
    mli_buffer *only = NULL;
    int n = 0;
    for (int i = 0; i < KEEP; i++) {
        mli_buffer *b = c->keep[i];
        if (!b) continue;
        uintptr_t at = (uintptr_t)address, base = (uintptr_t)b->data;
        if (b->size && at >= base && at < base + b->size) return b;
        only = b;
        n++;
    }
    return n == 1 ? only : NULL;
}

/* ---- tables ---- */

ml_status mli_table_alloc(ml_context *ctx, int64_t rows, int64_t n_columns,
                          ml_table **out, ml_error *err)
{
    ml_table *t = mli_calloc(ctx, 1, sizeof *t);
    if (!t) return mli_nomem(err);
    t->columns = mli_calloc(ctx, (size_t)n_columns, sizeof *t->columns);
    if (!t->columns) {
        mli_free(ctx, t);
        return mli_nomem(err);
    }
    mli_ref_init(&t->ref);
    t->ctx = mli_context_ref(ctx);
    t->rows = rows;
    t->n_columns = n_columns;
    mli_map_init(&t->names, ctx);
    *out = t;
    return ML_OK;
}

ml_status mli_table_seal(ml_table *t, ml_error *err)
{
    for (int64_t i = 0; i < t->n_columns; i++) {
        const mli_column *c = &t->columns[i];
        if (c->rows != t->rows) {
            mli_fail(err, ML_E_SHAPE, "%" PRId64 " rows in a table of %" PRId64, c->rows,
                     t->rows);
            return mli_error_at(err, ML_E_SHAPE, "column \"%s\"", c->name);
        }
        if (mli_map_add(&t->names, c->name, strlen(c->name)) < 0) return mli_nomem(err);
    }
    return ML_OK;
}

ml_table *ml_table_ref(ml_table *table)
{
    if (table) mli_ref_up(&table->ref);
    return table;
}

void ml_table_free(ml_table *table)
{
    if (!table || !mli_ref_down(&table->ref)) return;
    ml_context *ctx = table->ctx;
    for (int64_t i = 0; i < table->n_columns; i++) {
        mli_column_clear(ctx, &table->columns[i]);
    }
    mli_map_free(&table->names);
    mli_spill_free(table->spill);
    mli_free(ctx, table->columns);
    mli_free(ctx, table);
    ml_context_free(ctx);
}

int64_t ml_table_rows(const ml_table *table)
{
    return table->rows;
}

int64_t ml_table_columns(const ml_table *table)
{
    return table->n_columns;
}

static const mli_column *column_at(const ml_table *table, int64_t column)
{
    return column >= 0 && column < table->n_columns ? &table->columns[column] : NULL;
}

const char *ml_table_column_name(const ml_table *table, int64_t column)
{
    const mli_column *c = column_at(table, column);
    return c ? c->name : NULL;
}

int32_t ml_table_column_type(const ml_table *table, int64_t column)
{
    const mli_column *c = column_at(table, column);
    return c ? c->type : 0;
}

/* With repeated names the map numbers names, not columns: the first column of a name
 * stands at its number or after it. */
int64_t ml_table_find(const ml_table *table, const char *name)
{
    if (!name) return -1;
    int64_t i = mli_map_find(&table->names, name, strlen(name));
    if (i < 0 || table->names.count == table->n_columns) return i;
    while (strcmp(table->columns[i].name, name) != 0) i++;
    return i;
}

double ml_table_get_f64(const ml_table *table, int64_t row, int64_t column)
{
    const mli_column *c = column_at(table, column);
    double value = NAN;
    if (!c || row < 0 || row >= table->rows) return NAN;
    mli_column_f64(c, row, row + 1, &value, 1);
    return value;
}

/* Copies as much as fits, without cutting a UTF-8 sequence. */
static void copy_cut(char *buffer, size_t capacity, const char *text, size_t size)
{
    if (!buffer || capacity == 0) return;
    if (size >= capacity) {
        size = capacity - 1;
        while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80) size--;
    }
    if (size) memcpy(buffer, text, size);
    buffer[size] = 0;
}

int64_t ml_table_get_str(const ml_table *table, int64_t row, int64_t column, char *buffer,
                         size_t capacity)
{
    const mli_column *c = column_at(table, column);
    size_t size = 0;
    copy_cut(buffer, capacity, "", 0);
    if (!c || row < 0 || row >= table->rows || !mli_column_valid(c, row)) return -1;
    if (c->type == ML_TYPE_TEXT || c->type == ML_TYPE_CATEGORY) {
        const char *text = mli_column_text(c, row, &size);
        if (!text) return -1;
        copy_cut(buffer, capacity, text, size);
        return (int64_t)size;
    }
    mli_str s;
    mli_str_init(&s, table->ctx);
    mli_column_print(c, row, &s);
    int64_t length = s.failed ? -1 : (int64_t)s.size;
    if (!s.failed) copy_cut(buffer, capacity, s.data, s.size);
    mli_str_free(&s);
    return length;
}
