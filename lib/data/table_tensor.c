/* SPDX-License-Identifier: MIT
 *
 * data/table_tensor.c: columns from tensors and arrays of strings, and tensors from
 * columns.
 */
#include "data/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Booleans are bytes in tensors and bits in columns. */
static ml_status pack_bools(ml_context *ctx, const uint8_t *from, int64_t stride,
                            mli_column *c, ml_error *err)
{
    uint8_t *bits = NULL;
    c->keep[0] = mli_buffer_new(ctx, (size_t)(c->rows + 7) / 8, &bits);
    if (!c->keep[0]) return mli_nomem(err);
    for (int64_t i = 0; i < c->rows; i++) {
        unsigned on = from[i * stride] != 0;
        bits[i >> 3] = (uint8_t)(bits[i >> 3] | on << (i & 7));
    }
    c->data = bits;
    return ML_OK;
}

/* Column j of a tensor of one or two dimensions. */
static ml_status column_of_tensor(ml_context *ctx, const ml_tensor *x, int64_t j,
                                  const char *name, mli_column *c, ml_error *err)
{
    int64_t at = x->ndim == 2 ? j * x->strides[1] : 0;
    const char *data =
        x->data ? (const char *)x->data + at * (int64_t)mli_dtype_size(x->dtype) : NULL;
    c->name = mli_strdup(ctx, name);
    if (!c->name) return mli_nomem(err);
    c->type = x->dtype;
    c->rows = x->shape[0];
    c->stride = 1;
    if (x->dtype == ML_DTYPE_BOOL) {
        return pack_bools(ctx, (const uint8_t *)data, x->strides[0], c, err);
    }
    if (c->rows > 1) c->stride = x->strides[0];
    c->data = data;
    c->keep[0] = mli_buffer_ref(x->buffer);
    return ML_OK;
}

ml_status ml_table_read_tensor(ml_context *context, ml_tensor *tensor,
                               const char *const *names, ml_table **out, ml_error *error)
{
    ml_table *t = NULL;
    if (!context) return mli_null(error, "context");
    if (!tensor) return mli_null(error, "tensor");
    if (!out) return mli_null(error, "out");
    if (tensor->ndim != 1 && tensor->ndim != 2) {
        mli_fail(error, ML_E_SHAPE, "the tensor has %d dimensions", (int)tensor->ndim);
        return mli_error_hint(error, ML_E_SHAPE,
                              "a table is made of one (a column) or two (rows, columns)");
    }
    int64_t m = tensor->ndim == 2 ? tensor->shape[1] : 1;
    ml_status status = mli_table_alloc(context, tensor->shape[0], m, &t, error);
    if (status) return status;
    for (int64_t j = 0; j < m && !status; j++) {
        char own[32];
        snprintf(own, sizeof own, "f%" PRId64, j);
        if (names && !names[j]) {
            status = mli_null(error, "names");
        } else {
            status = column_of_tensor(context, tensor, j, names ? names[j] : own,
                                      &t->columns[j], error);
        }
    }
    if (!status) status = mli_table_seal(t, error);
    if (status) {
        ml_table_free(t);
        return status;
    }
    *out = t;
    return ML_OK;
}

/* ---- one column more ---- */

/* A table with `c` appended, or in the place of the column of that name. Takes over what
 * the column owns, also on failure. */
static ml_status with_column(ml_context *ctx, const ml_table *table, mli_column *c,
                             ml_table **out, ml_error *err)
{
    int64_t n = table ? table->n_columns : 0;
    int64_t at = table ? ml_table_find(table, c->name) : -1;
    ml_table *t = NULL;
    if (at < 0) at = n;
    ml_status status = mli_table_alloc(ctx, c->rows, at == n ? n + 1 : n, &t, err);
    if (status) {
        mli_column_clear(ctx, c);
        return status;
    }
    t->columns[at] = *c;
    for (int64_t i = 0; i < n && !status; i++) {
        if (i != at) {
            status = mli_column_share(ctx, &table->columns[i], &t->columns[i], err);
        }
    }
    if (!status) status = mli_table_seal(t, err);
    if (status) {
        ml_table_free(t);
        return status;
    }
    *out = t;
    return ML_OK;
}

static ml_status check_rows(const ml_table *table, const char *name, int64_t rows,
                            ml_error *err)
{
    if (!table || table->rows == rows) return ML_OK;
    mli_fail(err, ML_E_SHAPE, "%" PRId64 " values for a table with %" PRId64 " rows",
             rows, table->rows);
    return mli_error_at(err, ML_E_SHAPE, "column \"%s\"", name);
}

ml_status ml_table_with_tensor(const ml_table *table, const char *name, ml_tensor *values,
                               ml_table **out, ml_error *error)
{
    mli_column c = {0};
    if (!name) return mli_null(error, "name");
    if (!values) return mli_null(error, "values");
    if (!out) return mli_null(error, "out");
    if (values->ndim != 1) {
        mli_fail(error, ML_E_SHAPE, "the tensor has %d dimensions, a column has one",
                 (int)values->ndim);
        return mli_error_at(error, ML_E_SHAPE, "column \"%s\"", name);
    }
    ml_status status = check_rows(table, name, values->shape[0], error);
    if (status) return status;
    ml_context *ctx = table ? table->ctx : values->ctx;
    status = column_of_tensor(ctx, values, 0, name, &c, error);
    if (status) {
        mli_column_clear(ctx, &c);
        return status;
    }
    return with_column(ctx, table, &c, out, error);
}

ml_status ml_table_with_strs(ml_context *context, const ml_table *table, const char *name,
                             const char *const *values, int64_t count, ml_table **out,
                             ml_error *error)
{
    mli_builder *b = NULL;
    ml_table *one = NULL;
    mli_column c = {0};
    if (!context && !table) return mli_null(error, "context");
    if (!name) return mli_null(error, "name");
    if (count < 0 || (count > 0 && !values)) return mli_null(error, "values");
    if (!out) return mli_null(error, "out");
    ml_status status = check_rows(table, name, count, error);
    if (status) return status;
    ml_context *ctx = table ? table->ctx : context;
    status = mli_builder_new(ctx, count, &b, error);
    if (status) return status;
    status = mli_builder_text(b, name, values, error);
    if (status) {
        mli_builder_free(b);
        return status;
    }
    status = mli_builder_finish(b, &one, error);
    if (status) return status;
    status = mli_column_share(ctx, &one->columns[0], &c, error);
    ml_table_free(one);
    return status ? status : with_column(ctx, table, &c, out, error);
}

/* ---- back to tensors ---- */

/* The element type under a column type, 0 for text. */
static int32_t storage_dtype(int32_t type)
{
    switch (type) {
    case ML_TYPE_DATE:
    case ML_TYPE_CATEGORY:
        return ML_DTYPE_I32;
    case ML_TYPE_TIMESTAMP:
        return ML_DTYPE_I64;
    default:
        return mli_type_is_number(type) ? type : 0;
    }
}

static ml_status unpack_bools(ml_context *ctx, const mli_column *c, ml_tensor **out,
                              ml_error *err)
{
    uint8_t *bytes = NULL;
    const uint8_t *bits = c->data;
    ml_status status = mli_tensor_make(ctx, ML_DTYPE_BOOL, 1, &c->rows, &bytes, out, err);
    if (status) return status;
    for (int64_t i = 0; i < c->rows; i++) {
        int64_t bit = c->offset + i;
        bytes[i] = (bits[bit >> 3] >> (bit & 7)) & 1;
    }
    return ML_OK;
}

static ml_status with_nan(ml_context *ctx, const mli_column *c, ml_tensor **out,
                          ml_error *err)
{
    if (c->type == ML_DTYPE_F32) {
        float *values = NULL;
        ml_status status =
            mli_tensor_make(ctx, ML_DTYPE_F32, 1, &c->rows, &values, out, err);
        if (!status) mli_column_f32(c, 0, c->rows, values, 1);
        return status;
    }
    double *values = NULL;
    ml_status status = mli_tensor_make(ctx, ML_DTYPE_F64, 1, &c->rows, &values, out, err);
    if (!status) mli_column_f64(c, 0, c->rows, values, 1);
    return status;
}

static void drop_table(void *user)
{
    ml_table_free(user);
}

/* A buffer that keeps the whole table alive. */
static mli_buffer *hold_table(const ml_table *table)
{
    ml_table *held = ml_table_ref((ml_table *)table);
    mli_buffer *b = mli_buffer_wrap(table->ctx, NULL, 0, drop_table, held);
    if (!b) ml_table_free(held);
    return b;
}

ml_status ml_table_get_tensor(const ml_table *table, int64_t column, ml_tensor **out,
                              ml_error *error)
{
    if (!table) return mli_null(error, "table");
    if (!out) return mli_null(error, "out");
    if (column < 0 || column >= table->n_columns) {
        return mli_fail(error, ML_E_RANGE,
                        "there is no such column, the table has %" PRId64,
                        table->n_columns);
    }
    const mli_column *c = &table->columns[column];
    int32_t dtype = storage_dtype(c->type);
    if (!dtype) {
        mli_fail(error, ML_E_TYPE, "text has no numbers for a tensor");
        mli_error_at(error, ML_E_TYPE, "column \"%s\"", c->name);
        return mli_error_hint(error, ML_E_TYPE, "read the cells with ml_table_get_str");
    }
    if (c->null_count || c->sparse.rows) return with_nan(table->ctx, c, out, error);
    if (c->type == ML_DTYPE_BOOL) return unpack_bools(table->ctx, c, out, error);
    mli_buffer *held = mli_buffer_ref(mli_column_holder(c, c->data));
    if (!held) held = hold_table(table);
    if (!held) return mli_nomem(error);
    ml_status status =
        mli_tensor_view(table->ctx, dtype, 1, &c->rows, held, c->data, out, error);
    mli_buffer_free(held);
    if (!status) (*out)->strides[0] = c->stride;
    return status;
}
