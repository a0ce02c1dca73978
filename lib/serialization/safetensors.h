/* SPDX-License-Identifier: MIT
 *
 * serialization/safetensors.h: the safetensors format: 8 bytes of header length (little
 * endian), a JSON header, the bytes of the tensors without gaps. It knows nothing of
 * models.
 */
#ifndef MLI_SERIALIZATION_SAFETENSORS_H
#define MLI_SERIALIZATION_SAFETENSORS_H

#include "tensor/tensor.h"

/* The longest header, as in the reference implementation. */
#define MLI_ST_HEADER_MAX 100000000u
/* Written files have their tensor bytes at a multiple of this. */
#define MLI_ST_ALIGN 64

/* A tensor to write, or one that was read. */
typedef struct mli_st_tensor {
    const char *name;
    int32_t dtype, ndim;
    int64_t shape[MLI_MAX_DIMS];
    const int64_t *strides; /* in elements; NULL: row-major */
    const void *data;       /* read: maybe not aligned */
    size_t begin, end;      /* place in the tensor bytes */
    int used;               /* free for the reader's caller */
} mli_st_tensor;

/* An entry of __metadata__. */
typedef struct mli_st_pair {
    const char *key, *value; /* NUL-terminated */
    size_t size;             /* of the value */
} mli_st_pair;

/* A file that was read. Names, keys and values are in `text`, tensors point into the
 * bytes that were given. */
typedef struct mli_safetensors {
    ml_context *ctx;
    const unsigned char *bytes; /* of the tensors */
    size_t size;
    int64_t count, capacity;
    mli_st_tensor *tensors; /* in the order of the header */
    mli_st_tensor **sorted; /* by name */
    int64_t n_meta, meta_capacity;
    mli_st_pair *meta; /* sorted by key */
    char *text;
    size_t text_size;
} mli_safetensors;

/* Reads a header and checks everything: lengths, JSON, types, shapes, offsets (no gap, no
 * overlap), names (distinct). Every failure is ML_E_FORMAT, but for ML_E_MEMORY. On
 * failure nothing is left to free. */
ml_status mli_safetensors_read(ml_context *ctx, const void *data, size_t size,
                               mli_safetensors *out, ml_error *err);
void mli_safetensors_free(mli_safetensors *st);
mli_st_tensor *mli_safetensors_find(const mli_safetensors *st, const char *name);
/* A metadata value, or NULL. */
const mli_st_pair *mli_safetensors_meta(const mli_safetensors *st, const char *key);

/* Sorts tensors into the order of a file (size of an element falling, then name) and
 * gives them their places. 1 on success, 0 when the sum overflows. */
int mli_safetensors_place(mli_st_tensor *tensors, int64_t count);
/* The length and the header of placed tensors, padded with spaces. */
void mli_safetensors_header(mli_str *s, const mli_st_pair *meta, int64_t n_meta,
                            const mli_st_tensor *tensors, int64_t count);
/* Gives the bytes of a tensor, in row-major order, piece by piece to fn, until it fails.
 */
ml_status mli_safetensors_bytes(const mli_st_tensor *t,
                                ml_status (*fn)(void *user, const void *data, size_t size,
                                                ml_error *err),
                                void *user, ml_error *err);

#endif
