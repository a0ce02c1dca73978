/* SPDX-License-Identifier: MIT
 *
 * ml/tensor.h: immutable n-dimensional arrays of numbers, up to 8 dimensions, with
 * strides. They share memory with the host through borrowed buffers and DLPack.
 */
#ifndef ML_TENSOR_H
#define ML_TENSOR_H

#include <ml/base.h>

ML_BEGIN

/** Tells the owner of borrowed memory that libml is done with it. */
typedef void (*ml_release_fn)(void *user);

/**
 * A tensor that holds a copy of the caller's numbers, in row-major order.
 *
 * @param context  the context
 * @param dtype    one of ML_DTYPE_
 * @param ndim     number of dimensions, 0 to 8
 * @param shape    [len ndim] sizes
 * @param strides  [null] [len ndim] distances in elements, NULL for row-major
 * @param data     [null] the numbers; NULL for zeros
 * @param out      [out] [own] the tensor
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_ARGUMENT, ML_E_SHAPE or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_tensor_new(ml_context *context, int32_t dtype, int32_t ndim,
                                        const int64_t *shape, const int64_t *strides,
                                        const void *data, ml_tensor **out,
                                        ml_error *error);

/**
 * A tensor that borrows the caller's memory, which must not change until `release` is
 * called. On failure `release` is not called.
 *
 * @param context  the context
 * @param dtype    one of ML_DTYPE_
 * @param ndim     number of dimensions, 0 to 8
 * @param shape    [len ndim] sizes
 * @param strides  [null] [len ndim] distances in elements, NULL for row-major
 * @param data     the first element
 * @param release  [null] called once, from any thread, when the memory is not needed
 * @param user     [null] given to release
 * @param out      [out] [own] the tensor
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_ARGUMENT, ML_E_SHAPE or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_tensor_wrap(ml_context *context, int32_t dtype, int32_t ndim,
                                         const int64_t *shape, const int64_t *strides,
                                         const void *data, ml_release_fn release,
                                         void *user, ml_tensor **out, ml_error *error);

/**
 * Takes over a DLPack tensor in host memory without copying.
 *
 * @param context    the context
 * @param managed    [move] a DLManagedTensor or DLManagedTensorVersioned; its deleter
 *                   is called when the tensor is freed; untouched on failure
 * @param versioned  1 for DLManagedTensorVersioned, 0 for DLManagedTensor
 * @param out        [out] [own] the tensor
 * @param error      [null] details of a failure
 * @returns ML_OK, ML_E_ARGUMENT, ML_E_UNSUPPORTED (device, type, version), ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_tensor_read_dlpack(ml_context *context, void *managed,
                                                int32_t versioned, ml_tensor **out,
                                                ml_error *error);

/**
 * Gives a tensor out as DLPack without copying. The receiver calls its deleter.
 *
 * @param tensor     the tensor
 * @param versioned  1 for DLManagedTensorVersioned (marked read-only), 0 for
 *                   DLManagedTensor (which must not be written to)
 * @param out        [out] the DLManagedTensorVersioned or DLManagedTensor
 * @param error      [null] details of a failure
 * @returns ML_OK or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_tensor_write_dlpack(const ml_tensor *tensor,
                                                 int32_t versioned, void **out,
                                                 ml_error *error);

/**
 * Takes one more reference.
 *
 * @param tensor  [null] the tensor
 * @returns [own] the same tensor
 * @since 0.1
 */
ML_API ml_tensor *ml_tensor_ref(ml_tensor *tensor);

/**
 * Drops the caller's reference.
 *
 * @param tensor  [null] the tensor
 * @since 0.1
 */
ML_API void ml_tensor_free(ml_tensor *tensor);

/**
 * The element type.
 *
 * @param tensor  the tensor
 * @returns one of ML_DTYPE_
 * @since 0.1
 */
ML_API int32_t ml_tensor_dtype(const ml_tensor *tensor);

/**
 * The number of dimensions.
 *
 * @param tensor  the tensor
 * @returns 0 to 8
 * @since 0.1
 */
ML_API int32_t ml_tensor_ndim(const ml_tensor *tensor);

/**
 * The sizes of the dimensions.
 *
 * @param tensor  the tensor
 * @returns [borrow tensor] [len ndim] the sizes
 * @since 0.1
 */
ML_API const int64_t *ml_tensor_shape(const ml_tensor *tensor);

/**
 * The distances between neighbours in each dimension, in elements.
 *
 * @param tensor  the tensor
 * @returns [borrow tensor] [len ndim] the strides
 * @since 0.1
 */
ML_API const int64_t *ml_tensor_strides(const ml_tensor *tensor);

/**
 * The first element.
 *
 * @param tensor  the tensor
 * @returns [borrow tensor] the memory
 * @since 0.1
 */
ML_API const void *ml_tensor_data(const ml_tensor *tensor);

/**
 * One element of a tensor of up to two dimensions, converted to double.
 *
 * @param tensor  the tensor
 * @param i       index in the first dimension
 * @param j       index in the second, 0 when there is none
 * @returns the value, NaN outside the shape
 * @since 0.1
 */
ML_API double ml_tensor_get_f64(const ml_tensor *tensor, int64_t i, int64_t j);

ML_END
#endif
