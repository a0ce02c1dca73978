/* SPDX-License-Identifier: MIT
 *
 * serialization/import_protobuf.h: reading protocol-buffer messages, field by field.
 */
#ifndef MLI_SERIALIZATION_IMPORT_PROTOBUF_H
#define MLI_SERIALIZATION_IMPORT_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

enum { MLI_PB_VARINT = 0, MLI_PB_64 = 1, MLI_PB_BYTES = 2, MLI_PB_32 = 5 };

typedef struct mli_pb {
    const unsigned char *at, *end;
    int32_t field, wire;        /* of the last field */
    uint64_t number;            /* VARINT, 64, 32: its bits */
    const unsigned char *bytes; /* BYTES */
    size_t size;
} mli_pb;

void mli_pb_open(mli_pb *p, const void *data, size_t size);
/* 1: a field; 0: the end; -1: damaged. */
int mli_pb_next(mli_pb *p);
/* One varint of a packed list; 0 at the end or when damaged. */
int mli_pb_varint(mli_pb *p, uint64_t *out);
float mli_pb_f32(uint32_t bits);
double mli_pb_f64(uint64_t bits);
uint32_t mli_pb_u32(const unsigned char *p); /* little-endian */
uint64_t mli_pb_u64(const unsigned char *p);

#endif
