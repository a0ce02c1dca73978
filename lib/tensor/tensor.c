/* SPDX-License-Identifier: MIT
 *
 * tensor/tensor.c: tensors: immutable arrays with strides over a counted buffer.
 */
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

static const struct {
    int32_t dtype;
    int32_t size;
    const char *name;
} dtypes[] = {
    {ML_DTYPE_BOOL, 1, "bool"}, {ML_DTYPE_I8, 1, "i8"},   {ML_DTYPE_I16, 2, "i16"},
    {ML_DTYPE_I32, 4, "i32"},   {ML_DTYPE_I64, 8, "i64"}, {ML_DTYPE_U8, 1, "u8"},
    {ML_DTYPE_U16, 2, "u16"},   {ML_DTYPE_U32, 4, "u32"}, {ML_DTYPE_U64, 8, "u64"},
    {ML_DTYPE_F32, 4, "f32"},   {ML_DTYPE_F64, 8, "f64"},
};
#define N_DTYPES ((int)(sizeof dtypes / sizeof dtypes[0]))

size_t mli_dtype_size(int32_t dtype)
{
    for (int i = 0; i < N_DTYPES; i++) {
        if (dtypes[i].dtype == dtype) return (size_t)dtypes[i].size;
    }
    return 0;
}

const char *mli_dtype_name(int32_t dtype)
{
    for (int i = 0; i < N_DTYPES; i++) {
        if (dtypes[i].dtype == dtype) return dtypes[i].name;
    }
    return "unknown";
}

int32_t mli_dtype_parse(const char *name)
{
    for (int i = 0; name && i < N_DTYPES; i++) {
        if (strcmp(dtypes[i].name, name) == 0) return dtypes[i].dtype;
    }
    return 0;
}

int64_t mli_shape_count(int32_t ndim, const int64_t *shape)
{
    int64_t count = 1;
    int zero = 0;
    for (int32_t i = 0; i < ndim; i++) {
        if (shape[i] < 0) return -1;
        if (shape[i] == 0) {
            zero = 1;
        } else if (__builtin_mul_overflow(count, shape[i], &count)) {
            return -1;
        }
    }
    return zero ? 0 : count;
}

int mli_tensor_contiguous(const ml_tensor *t)
{
    int64_t expected = 1;
    for (int32_t i = t->ndim - 1; i >= 0; i--) {
        if (t->shape[i] == 0) return 1;
    }
    for (int32_t i = t->ndim - 1; i >= 0; i--) {
        if (t->shape[i] != 1 && t->strides[i] != expected) return 0;
        expected *= t->shape[i];
    }
    return 1;
}

static void row_major(int32_t ndim, const int64_t *shape, int64_t *strides)
{
    int64_t step = 1;
    for (int32_t i = ndim - 1; i >= 0; i--) {
        strides[i] = step;
        if (shape[i] > 1) step *= shape[i];
    }
}

/* ---- checks ---- */

static ml_status check_kind(int32_t dtype, int32_t ndim, const int64_t *shape,
                            ml_error *err)
{
    if (mli_dtype_size(dtype) == 0) {
        mli_fail(err, ML_E_ARGUMENT, "%d is not an element type", (int)dtype);
        return mli_error_hint(err, ML_E_ARGUMENT, "use one of the ML_DTYPE_ constants");
    }
    if (ndim < 0 || ndim > MLI_MAX_DIMS) {
        return mli_fail(err, ML_E_ARGUMENT,
                        "a tensor has 0 to %d dimensions, %d were given", MLI_MAX_DIMS,
                        (int)ndim);
    }
    if (ndim > 0 && !shape) return mli_null(err, "shape");
    return ML_OK;
}

static ml_status check_shape(int32_t dtype, int32_t ndim, const int64_t *shape,
                             int64_t *count, ml_error *err)
{
    ml_status status = check_kind(dtype, ndim, shape, err);
    if (status) return status;
    for (int32_t i = 0; i < ndim; i++) {
        if (shape[i] < 0) {
            return mli_fail(err, ML_E_SHAPE, "dimension %d has the negative size %lld",
                            (int)i, (long long)shape[i]);
        }
    }
    *count = mli_shape_count(ndim, shape);
    if (*count < 0 || *count > INT64_MAX / (int64_t)mli_dtype_size(dtype)) {
        return mli_fail(err, ML_E_SHAPE, "the tensor is larger than the address space");
    }
    return ML_OK;
}

/* The lowest and highest element offsets that the strides reach. */
static ml_status stride_range(int32_t ndim, const int64_t *shape, const int64_t *strides,
                              size_t item, int64_t *low, int64_t *high, ml_error *err)
{
    const int64_t limit = INT64_MAX / (int64_t)item / 2;
    int overflow = 0;
    *low = *high = 0;
    for (int32_t i = 0; i < ndim; i++) {
        int64_t reach = 0;
        if (shape[i] < 2) continue;
        overflow |= __builtin_mul_overflow(shape[i] - 1, strides[i], &reach);
        int64_t *side = reach < 0 ? low : high;
        overflow |= __builtin_add_overflow(*side, reach, side);
    }
    if (overflow || *low < -limit || *high > limit) {
        return mli_fail(err, ML_E_SHAPE, "the strides reach outside the address space");
    }
    return ML_OK;
}

/* ---- making ---- */

static ml_tensor *tensor_alloc(ml_context *ctx, int32_t dtype, int32_t ndim,
                               const int64_t *shape, const int64_t *strides)
{
    ml_tensor *t = mli_calloc(ctx, 1, sizeof *t);
    if (!t) return NULL;
    mli_ref_init(&t->ref);
    t->ctx = mli_context_ref(ctx);
    t->dtype = dtype;
    t->ndim = ndim;
    for (int32_t i = 0; i < ndim; i++) t->shape[i] = shape[i];
    if (strides) {
        for (int32_t i = 0; i < ndim; i++) t->strides[i] = strides[i];
    } else {
        row_major(ndim, shape, t->strides);
    }
    return t;
}

ml_status mli_tensor_make(ml_context *ctx, int32_t dtype, int32_t ndim,
                          const int64_t *shape, void *data, ml_tensor **out,
                          ml_error *err)
{
    int64_t count = 0;
    ml_status status = check_shape(dtype, ndim, shape, &count, err);
    if (status) return status;
    ml_tensor *t = tensor_alloc(ctx, dtype, ndim, shape, NULL);
    if (!t) return mli_nomem(err);
    void *memory = NULL;
    t->buffer = mli_buffer_new(ctx, (size_t)count * mli_dtype_size(dtype), &memory);
    if (!t->buffer) {
        ml_tensor_free(t);
        return mli_nomem(err);
    }
    t->data = memory;
    if (data) memcpy(data, &memory, sizeof memory);
    *out = t;
    return ML_OK;
}

ml_status mli_tensor_view(ml_context *ctx, int32_t dtype, int32_t ndim,
                          const int64_t *shape, mli_buffer *buffer, const void *data,
                          ml_tensor **out, ml_error *err)
{
    int64_t count = 0;
    ml_status status = check_shape(dtype, ndim, shape, &count, err);
    if (status) return status;
    ml_tensor *t = tensor_alloc(ctx, dtype, ndim, shape, NULL);
    if (!t) return mli_nomem(err);
    t->buffer = mli_buffer_ref(buffer);
    t->data = data;
    *out = t;
    return ML_OK;
}

/* Offset, in elements, of the first element of the r-th innermost row. */
static int64_t row_offset(int32_t ndim, const int64_t *shape, const int64_t *strides,
                          int64_t r)
{
    int64_t at = 0;
    for (int32_t i = ndim - 2; i >= 0; i--) {
        at += r % shape[i] * strides[i];
        r /= shape[i];
    }
    return at;
}

static void copy_items(char *to, const char *from, int64_t stride, int64_t n, size_t item)
{
    if (stride == 1) {
        memcpy(to, from, (size_t)n * item);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        memcpy(to + (size_t)i * item, from + i * stride * (int64_t)item, item);
    }
}

/* Packs strided elements in row-major order. */
static void pack(char *to, const char *from, int32_t ndim, const int64_t *shape,
                 const int64_t *strides, int64_t count, size_t item)
{
    if (count == 0) return;
    int64_t inner = ndim ? shape[ndim - 1] : 1;
    int64_t step = ndim ? strides[ndim - 1] : 1;
    for (int64_t r = 0; r < count / inner; r++) {
        int64_t at = row_offset(ndim, shape, strides, r);
        copy_items(to + (size_t)(r * inner) * item, from + at * (int64_t)item, step,
                   inner, item);
    }
}

ml_status ml_tensor_new(ml_context *context, int32_t dtype, int32_t ndim,
                        const int64_t *shape, const int64_t *strides, const void *data,
                        ml_tensor **out, ml_error *error)
{
    if (!context) return mli_null(error, "context");
    if (!out) return mli_null(error, "out");
    ml_status status = check_kind(dtype, ndim, shape, error);
    if (status) return status;
    char *memory = NULL;
    ml_tensor *t = NULL;
    status = mli_tensor_make(context, dtype, ndim, shape, &memory, &t, error);
    if (status) return status;
    int64_t low, high;
    size_t item = mli_dtype_size(dtype);
    if (data) {
        status = stride_range(ndim, shape, strides ? strides : t->strides, item, &low,
                              &high, error);
        if (status) {
            ml_tensor_free(t);
            return status;
        }
        pack(memory, data, ndim, shape, strides ? strides : t->strides,
             mli_shape_count(ndim, shape), item);
    }
    *out = t;
    return ML_OK;
}

ml_status ml_tensor_wrap(ml_context *context, int32_t dtype, int32_t ndim,
                         const int64_t *shape, const int64_t *strides, const void *data,
                         ml_release_fn release, void *user, ml_tensor **out,
                         ml_error *error)
{
    int64_t count = 0, low = 0, high = 0;
    if (!context) return mli_null(error, "context");
    if (!out) return mli_null(error, "out");
    ml_status status = check_shape(dtype, ndim, shape, &count, error);
    if (status) return status;
    if (count > 0 && !data) return mli_null(error, "data");
    size_t item = mli_dtype_size(dtype);
    if (strides && count > 0) {
        status = stride_range(ndim, shape, strides, item, &low, &high, error);
        if (status) return status;
    } else {
        high = count - 1;
    }
    ml_tensor *t = tensor_alloc(context, dtype, ndim, shape, strides);
    if (!t) return mli_nomem(error);
    t->data = data;
    const char *start = data ? (const char *)data + low * (int64_t)item : NULL;
    size_t size = count > 0 ? (size_t)(high - low + 1) * item : 0;
    t->buffer = mli_buffer_wrap(context, start, size, release, user);
    if (!t->buffer) {
        ml_tensor_free(t);
        return mli_nomem(error);
    }
    *out = t;
    return ML_OK;
}

ml_tensor *ml_tensor_ref(ml_tensor *tensor)
{
    if (tensor) mli_ref_up(&tensor->ref);
    return tensor;
}

void ml_tensor_free(ml_tensor *tensor)
{
    if (!tensor || !mli_ref_down(&tensor->ref)) return;
    ml_context *ctx = tensor->ctx;
    mli_buffer_free(tensor->buffer);
    mli_free(ctx, tensor);
    ml_context_free(ctx);
}

/* ---- reading ---- */

int32_t ml_tensor_dtype(const ml_tensor *tensor)
{
    return tensor->dtype;
}

int32_t ml_tensor_ndim(const ml_tensor *tensor)
{
    return tensor->ndim;
}

const int64_t *ml_tensor_shape(const ml_tensor *tensor)
{
    return tensor->shape;
}

const int64_t *ml_tensor_strides(const ml_tensor *tensor)
{
    return tensor->strides;
}

const void *ml_tensor_data(const ml_tensor *tensor)
{
    return tensor->data;
}

double ml_tensor_get_f64(const ml_tensor *tensor, int64_t i, int64_t j)
{
    int64_t index[2] = {i, j}, at = 0;
    if (tensor->ndim > 2) return NAN;
    for (int32_t d = 0; d < 2; d++) {
        int64_t size = d < tensor->ndim ? tensor->shape[d] : 1;
        if (index[d] < 0 || index[d] >= size) return NAN;
        if (d < tensor->ndim) at += index[d] * tensor->strides[d];
    }
    double value = NAN;
    const char *from =
        (const char *)tensor->data + at * (int64_t)mli_dtype_size(tensor->dtype);
    mli_read_f64s(tensor->dtype, from, 1, 1, &value);
    return value;
}

#define READ(type)                                                                       \
    do {                                                                                 \
        const type *in = data;                                                           \
        if (stride == 1) {                                                               \
            for (int64_t i = 0; i < count; i++) out[i] = (double)in[i];                  \
        } else {                                                                         \
            for (int64_t i = 0; i < count; i++) out[i] = (double)in[i * stride];         \
        }                                                                                \
    } while (0)

void mli_read_f64s(int32_t dtype, const void *data, int64_t stride, int64_t count,
                   double *out)
{
    switch (dtype) {
    case ML_DTYPE_BOOL:
    case ML_DTYPE_U8:
        READ(uint8_t);
        break;
    case ML_DTYPE_I8:
        READ(int8_t);
        break;
    case ML_DTYPE_I16:
        READ(int16_t);
        break;
    case ML_DTYPE_I32:
        READ(int32_t);
        break;
    case ML_DTYPE_I64:
        READ(int64_t);
        break;
    case ML_DTYPE_U16:
        READ(uint16_t);
        break;
    case ML_DTYPE_U32:
        READ(uint32_t);
        break;
    case ML_DTYPE_U64:
        READ(uint64_t);
        break;
    case ML_DTYPE_F32:
        READ(float);
        break;
    case ML_DTYPE_F64:
        READ(double);
        break;
    default:
        for (int64_t i = 0; i < count; i++) out[i] = NAN;
    }
}

ml_status mli_tensor_doubles(const ml_tensor *t, double **out, ml_error *err)
{
    int64_t count = mli_shape_count(t->ndim, t->shape);
    double *values = mli_alloc_vec(t->ctx, count, sizeof *values);
    if (!values) return mli_nomem(err);
    int64_t inner = t->ndim ? t->shape[t->ndim - 1] : 1;
    int64_t step = t->ndim ? t->strides[t->ndim - 1] : 1;
    int64_t item = (int64_t)mli_dtype_size(t->dtype);
    for (int64_t r = 0; count > 0 && r < count / inner; r++) {
        int64_t at = row_offset(t->ndim, t->shape, t->strides, r);
        mli_read_f64s(t->dtype, (const char *)t->data + at * item, step, inner,
                      values + r * inner);
    }
    *out = values;
    return ML_OK;
}
