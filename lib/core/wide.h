/* SPDX-License-Identifier: MIT
 *
 * core/wide.h: 64 x 64 -> 128 bit products and bit scans, with a portable way.
 */
#ifndef MLI_CORE_WIDE_H
#define MLI_CORE_WIDE_H

#include <stdint.h>
#include <string.h>

#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 mli_u128;
#endif

/* The low half of a * b; the high half goes to *high. */
static inline uint64_t mli_mul128(uint64_t a, uint64_t b, uint64_t *high)
{
#ifdef __SIZEOF_INT128__
    mli_u128 p = (mli_u128)a * b;
    *high = (uint64_t)(p >> 64);
    return (uint64_t)p;
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t low = a0 * b0, m1 = a1 * b0 + (low >> 32), m2 = a0 * b1 + (uint32_t)m1;
    *high = a1 * b1 + (m1 >> 32) + (m2 >> 32);
    return m2 << 32 | (uint32_t)low;
#endif
}

/* Leading zero bits; v must not be 0. */
static inline int mli_clz64(uint64_t v)
{
#if defined(__GNUC__)
    return __builtin_clzll(v);
#else
    int n = 0;
    while (!(v >> 63)) {
        v <<= 1;
        n++;
    }
    return n;
#endif
}

/* Unaligned loads; the byte order is the machine's. */
static inline uint64_t mli_load64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint32_t mli_load32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

#endif
