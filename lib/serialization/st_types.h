/* SPDX-License-Identifier: MIT
 *
 * serialization/st_types.h: what reading and writing safetensors share.
 */
#ifndef MLI_SERIALIZATION_ST_TYPES_H
#define MLI_SERIALIZATION_ST_TYPES_H

#include <stddef.h>
#include <stdint.h>

/* The dtype of a name such as "F64"; 0 for one that libml lacks. */
int32_t mli_st_dtype(const char *name, size_t size);
/* Its name, and its place in the order of a file: larger ones first. */
const char *mli_st_dtype_name(int32_t dtype, int *rank);
/* Sorts in place without memory of its own; items of at most 256 bytes. An array already
 * in order costs one pass. */
void mli_st_sort(void *items, int64_t count, size_t size,
                 int (*compare)(const void *, const void *));

#endif
