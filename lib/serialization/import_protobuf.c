/* SPDX-License-Identifier: MIT
 *
 * import_protobuf.c: the wire format of protocol buffers. Groups, which are long gone,
 * count as damage.
 */
#include "serialization/import_protobuf.h"

#include <string.h>

void mli_pb_open(mli_pb *p, const void *data, size_t size)
{
    memset(p, 0, sizeof *p);
    p->at = data;
    p->end = p->at + size;
}

uint32_t mli_pb_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

uint64_t mli_pb_u64(const unsigned char *p)
{
    return mli_pb_u32(p) | (uint64_t)mli_pb_u32(p + 4) << 32;
}

float mli_pb_f32(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

double mli_pb_f64(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

int mli_pb_varint(mli_pb *p, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (p->at >= p->end) return 0;
        unsigned char c = *p->at++;
        *out |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80)) return 1;
    }
    return 0;
}

int mli_pb_next(mli_pb *p)
{
    uint64_t tag;
    if (p->at >= p->end) return 0;
    if (!mli_pb_varint(p, &tag) || tag >> 3 == 0 || tag >> 32) return -1;
    p->field = (int32_t)(tag >> 3);
    p->wire = (int32_t)(tag & 7);
    size_t left = (size_t)(p->end - p->at);
    switch (p->wire) {
    case MLI_PB_VARINT:
        return mli_pb_varint(p, &p->number) ? 1 : -1;
    case MLI_PB_64:
        if (left < 8) return -1;
        p->number = mli_pb_u64(p->at);
        p->at += 8;
        return 1;
    case MLI_PB_32:
        if (left < 4) return -1;
        p->number = mli_pb_u32(p->at);
        p->at += 4;
        return 1;
    case MLI_PB_BYTES:
        if (!mli_pb_varint(p, &p->number)) return -1;
        if (p->number > (uint64_t)(p->end - p->at)) return -1;
        p->bytes = p->at;
        p->size = (size_t)p->number;
        p->at += p->size;
        return 1;
    default:
        return -1;
    }
}
