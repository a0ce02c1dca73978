/* SPDX-License-Identifier: MIT
 *
 * data/design.c: the design as an object: reading features out of it, and parts of it.
 */
#include "data/design_parts.h"
#include "tensor/kernels.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

ml_status mli_design_alloc(ml_context *ctx, const ml_table *table, mli_inputs *inputs,
                           mli_design **out, ml_error *err)
{
    mli_design *d = mli_calloc(ctx, 1, sizeof *d);
    if (!d) return mli_nomem(err);
    d->columns = mli_calloc(ctx, (size_t)inputs->n_features, sizeof *d->columns);
    if (!d->columns) {
        mli_free(ctx, d);
        return mli_nomem(err);
    }
    d->ctx = mli_context_ref(ctx);
    d->table = ml_table_ref((ml_table *)table);
    d->inputs = mli_inputs_ref(inputs);
    d->rows = table->rows;
    d->n_features = inputs->n_features;
    *out = d;
    return ML_OK;
}

void mli_design_free(mli_design *d)
{
    if (!d) return;
    ml_context *ctx = d->ctx;
    for (int64_t j = 0; j < d->n_features; j++) mli_buffer_free(d->columns[j].memory);
    mli_free(ctx, d->columns);
    mli_free(ctx, d->y);
    mli_free(ctx, d->ys);
    mli_free(ctx, d->label);
    mli_free(ctx, d->weight);
    mli_free(ctx, d->offset);
    mli_free(ctx, d->event);
    mli_free(ctx, d->upper);
    mli_free(ctx, d->group);
    mli_free(ctx, d->group_id);
    mli_free(ctx, d->ignored);
    ml_table_free(d->table);
    mli_inputs_free(d->inputs);
    mli_free(ctx, d);
    ml_context_free(ctx);
}

/* ---- reading ---- */

double mli_unseen(void)
{
    const uint64_t bits = MLI_UNSEEN_BITS;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

int mli_is_unseen(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits & MLI_UNSEEN_BITS) == MLI_UNSEEN_BITS;
}

static void text_cells_f64(const mli_text *texts, int64_t n, double *out, int64_t stride)
{
    for (int64_t i = 0; i < n; i++)
        out[i * stride] = mli_text_cell(texts[i].data ? &texts[i] : NULL);
}

/* Floats have no room for an address. */
static void text_cells_f32(const mli_text *texts, int64_t n, float *out, int64_t stride)
{
    (void)texts;
    for (int64_t i = 0; i < n; i++) out[i * stride] = NAN;
}

#define READ(mark, name, type, column_read, text_cells)                                  \
    mark void name(const mli_design *d, int64_t feature, int64_t begin, int64_t end,     \
                   type *out, int64_t stride)                                            \
    {                                                                                    \
        const mli_design_column *c = &d->columns[feature];                               \
        int64_t n = end - begin;                                                         \
        if (c->codes) {                                                                  \
            const int32_t *codes = c->codes + begin;                                     \
            for (int64_t i = 0; i < n; i++) {                                            \
                out[i * stride] = codes[i] >= 0                 ? (type)codes[i]         \
                                  : codes[i] == MLI_CODE_UNSEEN ? (type)mli_unseen()     \
                                                                : (type)NAN;             \
            }                                                                            \
        } else if (c->values) {                                                          \
            const double *values = c->values + begin;                                    \
            for (int64_t i = 0; i < n; i++) out[i * stride] = (type)values[i];           \
        } else if (c->texts) {                                                           \
            text_cells(c->texts + begin, n, out, stride);                                \
        } else {                                                                         \
            column_read(c->column, begin, end, out, stride);                             \
        }                                                                                \
    }

READ(static, read_f64, double, mli_column_f64, text_cells_f64)
READ(, mli_design_f32, float, mli_column_f32, text_cells_f32)

const float *mli_design_floats(const mli_design *d, int64_t feature, int64_t begin)
{
    const mli_design_column *c = &d->columns[feature];
    if (c->codes || c->values || c->texts || c->column->type != ML_DTYPE_F32 ||
        c->column->stride != 1 || c->column->null_count || c->column->sparse.rows)
        return NULL;
    return (const float *)c->column->data + begin;
}

/* Numbers of single precision beside each other are widened by a vector kernel. */
void mli_design_f64(const mli_design *d, int64_t feature, int64_t begin, int64_t end,
                    double *out, int64_t stride)
{
    const float *floats = stride == 1 ? mli_design_floats(d, feature, begin) : NULL;
    if (floats)
        mli_kernels_of(d->ctx)->f32_to_f64(floats, out, end - begin);
    else
        read_f64(d, feature, begin, end, out, stride);
}

const double *mli_design_place(const mli_design *d, int64_t feature, int64_t begin)
{
    const mli_design_column *c = &d->columns[feature];
    if (c->codes || c->texts) return NULL;
    if (c->values) return c->values + begin;
    if (c->column->type != ML_DTYPE_F64 || c->column->stride != 1 ||
        c->column->null_count)
        return NULL;
    return (const double *)c->column->data + begin;
}

const double *mli_design_look(const mli_design *d, int64_t feature, int64_t begin,
                              int64_t end, double *memory)
{
    const double *place = mli_design_place(d, feature, begin);
    if (!place) mli_design_f64(d, feature, begin, end, memory, 1);
    return place ? place : memory;
}

int mli_design_sparse(const mli_design *d, int64_t feature, mli_sparse *out)
{
    const mli_design_column *c = &d->columns[feature];
    *out = (mli_sparse){0};
    if (c->codes || c->values || c->texts) return 0;
    if (!c->column->sparse.rows || c->column->offset) return 0;
    *out = c->column->sparse;
    return 1;
}

int64_t mli_design_bytes(const mli_design *d)
{
    int64_t bytes = 0;
    for (int64_t j = 0; j < d->n_features; j++) {
        mli_sparse s;
        if (mli_design_sparse(d, j, &s))
            bytes += s.n * (int64_t)(sizeof *s.rows + sizeof *s.values);
        else
            bytes += d->rows *
                     (int64_t)(d->columns[j].codes ? sizeof(int32_t) : sizeof(double));
    }
    return bytes;
}

/* Four columns side by side: rows are written through once, not once per column. */
static int four_columns(const mli_design *d, int64_t j, int64_t begin, int64_t n,
                        double *out, int64_t stride)
{
    const double *c[4];
    for (int k = 0; k < 4; k++)
        if (!(c[k] = mli_design_place(d, j + k, begin))) return 0;
    for (int64_t i = 0; i < n; i++, out += stride) {
        out[0] = c[0][i];
        out[1] = c[1][i];
        out[2] = c[2][i];
        out[3] = c[3][i];
    }
    return 1;
}

/* A sparse column into rows that are 0 already; rows not yet zero are made so first. */
static int sparse_column(const mli_design *d, int64_t j, int64_t begin, int64_t end,
                         double *out, int64_t stride, int *zero)
{
    mli_sparse s;
    int64_t at;
    if (!mli_design_sparse(d, j, &s)) return 0;
    for (int64_t i = 0; !*zero && i < end - begin; i++)
        memset(out + i * stride + j, 0, (size_t)(d->n_features - j) * sizeof *out);
    *zero = 1;
    int64_t last = mli_sparse_range(&s, begin, end, &at);
    for (; at < last; at++) out[(s.rows[at] - begin) * stride + j] = s.values[at];
    return 1;
}

void mli_design_rows(const mli_design *d, int64_t begin, int64_t end, double *out,
                     int64_t stride)
{
    int zero = 0;
    for (int64_t j = 0; j < d->n_features;) {
        if (sparse_column(d, j, begin, end, out, stride, &zero)) {
            j++;
        } else if (j + 4 <= d->n_features &&
                   four_columns(d, j, begin, end - begin, out + j, stride)) {
            j += 4;
        } else {
            mli_design_f64(d, j, begin, end, out + j, stride);
            j++;
        }
    }
}

const void *mli_design_in_place(const mli_design *d, int32_t dtype, int64_t *stride)
{
    if (d->n_features == 0) return NULL;
    const mli_column *first = d->columns[0].column;
    size_t size = mli_type_size(dtype);
    for (int64_t j = 0; j < d->n_features; j++) {
        const mli_design_column *c = &d->columns[j];
        if (c->codes || c->values || c->column->type != dtype) return NULL;
        if (c->column->stride != first->stride || c->column->null_count) return NULL;
        if (c->column->data != (const char *)first->data + (size_t)j * size) return NULL;
    }
    if (first->stride < d->n_features) return NULL;
    *stride = first->stride;
    return first->data;
}

/* ---- some of the rows ---- */

typedef struct {
    const mli_design *from;
    mli_design *to;
    const int64_t *rows;
} taking;

/* Codes or values of one feature; `memory` is there already. */
static void take_feature(void *arg, int64_t j, int32_t slot)
{
    const taking *t = arg;
    const mli_design_column *from = &t->from->columns[j];
    mli_design_column *to = &t->to->columns[j];
    (void)slot;
    if (from->codes) {
        int32_t *codes = (int32_t *)to->codes;
        for (int64_t i = 0; i < t->to->rows; i++) codes[i] = from->codes[t->rows[i]];
    } else if (from->values) {
        double *values = (double *)to->values;
        for (int64_t i = 0; i < t->to->rows; i++) values[i] = from->values[t->rows[i]];
    }
}

/* The table column that shows codes or values. */
static ml_status shown_column(ml_context *ctx, const mli_feature *f,
                              const mli_design_column *from, int64_t rows,
                              const char *name, mli_column *c, ml_error *err)
{
    c->name = mli_strdup(ctx, name);
    if (!c->name) return mli_nomem(err);
    c->rows = rows;
    c->stride = 1;
    c->keep[0] = mli_buffer_ref(from->memory);
    if (!from->codes) {
        c->type = ML_DTYPE_F64;
        c->data = from->values;
        return ML_OK;
    }
    c->type = ML_TYPE_CATEGORY;
    c->data = from->codes;
    for (int64_t i = 0; i < rows; i++) c->null_count += from->codes[i] < 0;
    c->n_levels = f->levels.n;
    c->levels = f->levels.bytes;
    c->level_offsets = f->levels.offsets;
    c->keep[1] = mli_buffer_ref(f->levels.keep[0]);
    c->keep[2] = mli_buffer_ref(f->levels.keep[1]);
    return ML_OK;
}

ml_status mli_design_show(const mli_design *d, int64_t feature, const char *name,
                          mli_column *out, ml_error *err)
{
    const mli_design_column *c = &d->columns[feature];
    if (c->codes || c->values)
        return shown_column(d->ctx, &d->inputs->features[feature], c, d->rows, name, out,
                            err);
    mli_column named = *c->column;
    named.name = (char *)(uintptr_t)name; /* the copy gets one of its own */
    return mli_column_share(d->ctx, &named, out, err);
}

/* The features that are read from the table itself, taken. */
static ml_status take_raw(const mli_design *d, const int64_t *rows, int64_t count,
                          ml_table **out, ml_error *err)
{
    ml_table *selected = NULL;
    const char **names = mli_alloc(d->ctx, (size_t)d->n_features * sizeof *names);
    int64_t n = 0;
    if (!names) return mli_nomem(err);
    for (int64_t j = 0; j < d->n_features; j++) {
        const mli_design_column *c = &d->columns[j];
        if (!c->codes && !c->values) names[n++] = c->column->name;
    }
    ml_status status = ml_table_select(d->table, names, n, &selected, err);
    if (!status) status = ml_table_take(selected, rows, count, out, err);
    ml_table_free(selected);
    mli_free(d->ctx, names);
    return status;
}

/* Room for codes and values. */
static ml_status take_memory(const mli_design *from, mli_design *to, ml_error *err)
{
    for (int64_t j = 0; j < from->n_features; j++) {
        const mli_design_column *c = &from->columns[j];
        void *data = NULL;
        size_t size = c->codes ? sizeof *c->codes : sizeof *c->values;
        to->columns[j].kind = c->kind;
        if (!c->codes && !c->values) continue;
        to->columns[j].memory = mli_buffer_new(to->ctx, (size_t)to->rows * size, &data);
        if (!to->columns[j].memory) return mli_nomem(err);
        if (c->codes) {
            to->columns[j].codes = data;
        } else {
            to->columns[j].values = data;
        }
    }
    return ML_OK;
}

/* Replaces the table of `to`, which is that of `from`, by one of the rows taken. */
static ml_status take_columns(const mli_design *from, mli_design *to, const int64_t *rows,
                              ml_error *err)
{
    ml_table *raw = NULL, *table = NULL;
    int64_t at = 0;
    ml_status status = take_raw(from, rows, to->rows, &raw, err);
    if (!status) status = take_memory(from, to, err);
    if (!status) {
        taking t = {from, to, rows};
        mli_parallel(to->ctx, to->n_features, take_feature, &t);
        status = mli_table_alloc(to->ctx, to->rows, to->n_features, &table, err);
    }
    for (int64_t j = 0; j < to->n_features && !status; j++) {
        mli_design_column *c = &to->columns[j];
        c->column = &table->columns[j];
        if (c->codes || c->values) {
            const mli_feature *f = &to->inputs->features[j];
            status =
                shown_column(to->ctx, f, c, to->rows, f->name, &table->columns[j], err);
        } else {
            status =
                mli_column_share(to->ctx, &raw->columns[at++], &table->columns[j], err);
        }
    }
    for (int64_t j = 0; j < to->n_features && !status; j++)
        if (to->columns[j].kind == MLI_TEXT) status = mli_design_bind_text(to, j, err);
    if (!status) status = mli_table_seal(table, err);
    if (!status) {
        ml_table_free(to->table);
        to->table = table;
        table = NULL;
    }
    ml_table_free(table);
    ml_table_free(raw);
    return status;
}

#define TAKE(member)                                                                     \
    do {                                                                                 \
        if (!from->member) break;                                                        \
        to->member = mli_calloc(to->ctx, (size_t)to->rows, sizeof *to->member);          \
        if (!to->member) return mli_nomem(err);                                          \
        for (int64_t i = 0; i < to->rows; i++) to->member[i] = from->member[rows[i]];    \
    } while (0)

static ml_status take_roles(const mli_design *from, mli_design *to, const int64_t *rows,
                            ml_error *err)
{
    TAKE(y);
    TAKE(label);
    TAKE(weight);
    TAKE(offset);
    TAKE(event);
    TAKE(upper);
    TAKE(group_id);
    int64_t width = from->ys ? from->inputs->n_targets : 0;
    if (width) to->ys = mli_alloc_vec(to->ctx, to->rows * width, sizeof *to->ys);
    if (width && !to->ys) return mli_nomem(err);
    for (int64_t i = 0; width && i < to->rows; i++)
        memcpy(to->ys + i * width, from->ys + rows[i] * width,
               (size_t)width * sizeof *to->ys);
    if (from->ignored) {
        to->ignored = mli_strdup(to->ctx, from->ignored);
        if (!to->ignored) return mli_nomem(err);
    }
    return to->group_id ? mli_group_number(to, from->n_groups, err) : ML_OK;
}

ml_status mli_design_take(const mli_design *design, const int64_t *rows, int64_t count,
                          mli_design **out, ml_error *err)
{
    mli_design *d = NULL;
    for (int64_t i = 0; i < count; i++) {
        if (rows[i] >= 0 && rows[i] < design->rows) continue;
        return mli_fail(err, ML_E_RANGE,
                        "row %" PRId64 " is not among the %" PRId64 " rows", rows[i],
                        design->rows);
    }
    ml_status status =
        mli_design_alloc(design->ctx, design->table, design->inputs, &d, err);
    if (status) return status;
    d->rows = count;
    status = take_columns(design, d, rows, err);
    if (!status) status = take_roles(design, d, rows, err);
    if (status) {
        mli_design_free(d);
        return status;
    }
    *out = d;
    return ML_OK;
}
