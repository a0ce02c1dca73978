/* SPDX-License-Identifier: MIT
 *
 * serialization/import_flat.h: reading FlatBuffers: tables of numbered fields, vectors.
 *
 * Nothing in the buffer is trusted. What lies outside, or is read so often that parts
 * must be shared without end, counts as absent and sets `bad`: check it once at the end.
 */
#ifndef MLI_SERIALIZATION_IMPORT_FLAT_H
#define MLI_SERIALIZATION_IMPORT_FLAT_H

#include "serialization/import_protobuf.h"

typedef struct mli_flat {
    const unsigned char *data;
    size_t size, left; /* left: bytes that may still be read, to bound the work */
    int bad;
} mli_flat;

typedef struct mli_flat_table {
    mli_flat *f;
    size_t at, fields; /* where the table is, and the list of its fields; 0: absent */
    int64_t n;         /* fields */
} mli_flat_table;

typedef struct mli_flat_vector {
    const unsigned char *data; /* little-endian, not aligned */
    int64_t n;
} mli_flat_vector;

void mli_flat_open(mli_flat *f, const void *data, size_t size);
mli_flat_table mli_flat_root(mli_flat *f);
/* Fields of a table; absent ones have the default, are absent or empty. */
int64_t mli_flat_i32(const mli_flat_table *t, int64_t field, int64_t dflt);
int64_t mli_flat_u8(const mli_flat_table *t, int64_t field, int64_t dflt);
double mli_flat_f32(const mli_flat_table *t, int64_t field, double dflt);
double mli_flat_f64(const mli_flat_table *t, int64_t field, double dflt);
mli_flat_table mli_flat_child(const mli_flat_table *t, int64_t field);
/* Elements of `width` bytes: 1 for texts, 4 for tables. */
mli_flat_vector mli_flat_list(const mli_flat_table *t, int64_t field, size_t width);
/* Element i of a vector of tables. */
mli_flat_table mli_flat_item(mli_flat *f, mli_flat_vector v, int64_t i);

#endif
