/* SPDX-License-Identifier: MIT
 *
 * data/builder.c: makes a table in memory, column by column.
 */
#include "data/table.h"

#include <math.h>
#include <string.h>

struct mli_builder {
    ml_context *ctx;
    int64_t rows, count, capacity;
    mli_column *columns;
};

ml_status mli_builder_new(ml_context *ctx, int64_t rows, mli_builder **out, ml_error *err)
{
    mli_builder *b = mli_calloc(ctx, 1, sizeof *b);
    if (!b) return mli_nomem(err);
    b->ctx = mli_context_ref(ctx);
    b->rows = rows;
    *out = b;
    return ML_OK;
}

void mli_builder_free(mli_builder *b)
{
    if (!b) return;
    ml_context *ctx = b->ctx;
    for (int64_t i = 0; i < b->count; i++) mli_column_clear(ctx, &b->columns[i]);
    mli_free(ctx, b->columns);
    mli_free(ctx, b);
    ml_context_free(ctx);
}

/* A new column, already counted, so that freeing the builder clears it. */
static mli_column *add_column(mli_builder *b, const char *name, int32_t type)
{
    if (b->count == b->capacity) {
        int64_t capacity = b->capacity ? b->capacity * 2 : 8;
        mli_column *grown = mli_calloc(b->ctx, (size_t)capacity, sizeof *grown);
        if (!grown) return NULL;
        if (b->count) memcpy(grown, b->columns, (size_t)b->count * sizeof *grown);
        mli_free(b->ctx, b->columns);
        b->columns = grown;
        b->capacity = capacity;
    }
    mli_column *c = &b->columns[b->count];
    memset(c, 0, sizeof *c);
    c->name = mli_strdup(b->ctx, name);
    if (!c->name) return NULL;
    c->type = type;
    c->rows = b->rows;
    c->stride = 1;
    b->count++;
    return c;
}

/* Gives the column a buffer of its own; `slot` is its place in keep. */
static void *add_buffer(mli_builder *b, mli_column *c, int slot, int64_t count,
                        size_t item)
{
    void *data = NULL;
    c->keep[slot] = mli_buffer_new(b->ctx, (size_t)count * item, &data);
    return c->keep[slot] ? data : NULL;
}

/* Validity with all bits set. */
static uint8_t *add_validity(mli_builder *b, mli_column *c)
{
    uint8_t *bits = add_buffer(b, c, 4, (b->rows + 7) / 8, 1);
    if (!bits) return NULL;
    memset(bits, 0xff, (size_t)((b->rows + 7) / 8));
    c->validity = bits;
    return bits;
}

static void clear_bit(uint8_t *bits, int64_t i)
{
    bits[i >> 3] = (uint8_t)(bits[i >> 3] & ~(1u << (i & 7)));
}

ml_status mli_builder_f64(mli_builder *b, const char *name, const double *values,
                          ml_error *err)
{
    mli_column *c = add_column(b, name, ML_DTYPE_F64);
    double *data = c ? add_buffer(b, c, 0, b->rows, sizeof *data) : NULL;
    if (!data) return mli_nomem(err);
    if (b->rows) memcpy(data, values, (size_t)b->rows * sizeof *data);
    c->data = data;
    for (int64_t i = 0; i < b->rows; i++) c->null_count += isnan(values[i]) != 0;
    if (c->null_count == 0) return ML_OK;
    uint8_t *bits = add_validity(b, c);
    if (!bits) return mli_nomem(err);
    for (int64_t i = 0; i < b->rows; i++) {
        if (isnan(values[i])) clear_bit(bits, i);
    }
    return ML_OK;
}

ml_status mli_builder_i64(mli_builder *b, const char *name, const int64_t *values,
                          ml_error *err)
{
    mli_column *c = add_column(b, name, ML_DTYPE_I64);
    int64_t *data = c ? add_buffer(b, c, 0, b->rows, sizeof *data) : NULL;
    if (!data) return mli_nomem(err);
    if (b->rows) memcpy(data, values, (size_t)b->rows * sizeof *data);
    c->data = data;
    return ML_OK;
}

/* Copies texts one after another: offsets [count + 1] and the bytes. */
static int copy_texts(mli_builder *b, mli_column *c, const char *const *values,
                      int64_t count, int slot, const int64_t **offsets,
                      const char **bytes)
{
    int64_t *ends = add_buffer(b, c, slot, count + 1, sizeof *ends);
    if (!ends) return 0;
    for (int64_t i = 0; i < count; i++) {
        ends[i + 1] = ends[i] + (values[i] ? (int64_t)strlen(values[i]) : 0);
    }
    char *text = add_buffer(b, c, slot + 1, ends[count] + 1, 1);
    if (!text) return 0;
    for (int64_t i = 0; i < count; i++) {
        if (values[i]) memcpy(text + ends[i], values[i], (size_t)(ends[i + 1] - ends[i]));
    }
    *offsets = ends;
    *bytes = text;
    return 1;
}

ml_status mli_builder_text(mli_builder *b, const char *name, const char *const *values,
                           ml_error *err)
{
    mli_column *c = add_column(b, name, ML_TYPE_TEXT);
    const char *bytes = NULL;
    if (!c || !copy_texts(b, c, values, b->rows, 0, &c->offsets, &bytes)) {
        return mli_nomem(err);
    }
    c->data = bytes;
    for (int64_t i = 0; i < b->rows; i++) c->null_count += values[i] == NULL;
    if (c->null_count == 0) return ML_OK;
    uint8_t *bits = add_validity(b, c);
    if (!bits) return mli_nomem(err);
    for (int64_t i = 0; i < b->rows; i++) {
        if (!values[i]) clear_bit(bits, i);
    }
    return ML_OK;
}

ml_status mli_builder_category(mli_builder *b, const char *name, const int32_t *codes,
                               const char *const *levels, int64_t n_levels, ml_error *err)
{
    mli_column *c = add_column(b, name, ML_TYPE_CATEGORY);
    int32_t *data = c ? add_buffer(b, c, 0, b->rows, sizeof *data) : NULL;
    if (!data || !copy_texts(b, c, levels, n_levels, 1, &c->level_offsets, &c->levels)) {
        return mli_nomem(err);
    }
    if (b->rows) memcpy(data, codes, (size_t)b->rows * sizeof *data);
    c->data = data;
    c->n_levels = n_levels;
    for (int64_t i = 0; i < b->rows; i++) {
        c->null_count += codes[i] < 0 || codes[i] >= n_levels;
    }
    if (c->null_count == 0) return ML_OK;
    uint8_t *bits = add_validity(b, c);
    if (!bits) return mli_nomem(err);
    for (int64_t i = 0; i < b->rows; i++) {
        if (codes[i] < 0 || codes[i] >= n_levels) clear_bit(bits, i);
    }
    return ML_OK;
}

ml_status mli_builder_finish(mli_builder *b, ml_table **out, ml_error *err)
{
    ml_table *t = NULL;
    ml_status status = mli_table_alloc(b->ctx, b->rows, b->count, &t, err);
    if (!status) {
        if (b->count)
            memcpy(t->columns, b->columns, (size_t)b->count * sizeof *b->columns);
        b->count = 0;
        status = mli_table_seal(t, err);
    }
    mli_builder_free(b);
    if (status) {
        ml_table_free(t);
        return status;
    }
    *out = t;
    return ML_OK;
}
