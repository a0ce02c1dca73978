/* SPDX-License-Identifier: MIT
 *
 * tensor/tensor.h: the tensor's inside.
 */
#ifndef MLI_TENSOR_TENSOR_H
#define MLI_TENSOR_TENSOR_H

#include "core/context.h"
#include <ml/tensor.h>

#define MLI_MAX_DIMS 8

struct ml_tensor {
    mli_ref ref;
    ml_context *ctx;
    int32_t dtype, ndim;
    int64_t shape[MLI_MAX_DIMS];
    int64_t strides[MLI_MAX_DIMS]; /* in elements */
    const void *data;
    mli_buffer *buffer; /* keeps data alive; never NULL */
};

size_t mli_dtype_size(int32_t dtype);       /* 0 for an unknown type */
const char *mli_dtype_name(int32_t dtype);  /* "f64"; "unknown" */
int32_t mli_dtype_parse(const char *name);  /* 0 for an unknown name */
/* Elements of a shape, -1 on overflow or a negative size. */
int64_t mli_shape_count(int32_t ndim, const int64_t *shape);
int mli_tensor_contiguous(const ml_tensor *t); /* row-major without gaps? */

/* A row-major tensor of zeros; *data is its memory, written before it is shared. */
ml_status mli_tensor_make(ml_context *ctx, int32_t dtype, int32_t ndim,
                          const int64_t *shape, void *data /* void ** */,
                          ml_tensor **out, ml_error *err);
/* A row-major view into a buffer (a new reference to it is taken). */
ml_status mli_tensor_view(ml_context *ctx, int32_t dtype, int32_t ndim,
                          const int64_t *shape, mli_buffer *buffer, const void *data,
                          ml_tensor **out, ml_error *err);
/* `count` elements from `data` with `stride` (elements) to doubles. */
void mli_read_f64s(int32_t dtype, const void *data, int64_t stride, int64_t count,
                   double *out);
/* A one-dimensional tensor of any dtype as doubles in fresh memory (mli_free). */
ml_status mli_tensor_doubles(const ml_tensor *t, double **out, ml_error *err);

#endif
