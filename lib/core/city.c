/* SPDX-License-Identifier: MIT
 *
 * city.c: CityHash64. Four ways by the size of the text: up to 16 bytes, up to 32, up to
 * 64, and blocks of 64. Bytes are read as little-endian numbers, on any machine.
 */
#include "core/city.h"

#define K0 UINT64_C(0xc3a5c85c97cb3127)
#define K1 UINT64_C(0xb492b66fbe98f273)
#define K2 UINT64_C(0x9ae16a3b2f90404f)
#define K3 UINT64_C(0xc949d7c7509e6557)

typedef struct pair {
    uint64_t a, b;
} pair;

static uint64_t get32(const unsigned char *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
           (uint64_t)p[3] << 24;
}

static uint64_t get64(const unsigned char *p)
{
    return get32(p) | get32(p + 4) << 32;
}

static uint64_t turn(uint64_t v, int bits) /* 1 to 63 */
{
    return v >> bits | v << (64 - bits);
}

static uint64_t fold(uint64_t v)
{
    return v ^ v >> 47;
}

static uint64_t join(uint64_t u, uint64_t v)
{
    const uint64_t factor = UINT64_C(0x9ddfea08eb382d69);
    uint64_t a = fold((u ^ v) * factor);
    return fold((v ^ a) * factor) * factor;
}

static uint64_t upto16(const unsigned char *p, size_t n)
{
    if (n > 8) {
        uint64_t a = get64(p), b = get64(p + n - 8);
        return join(a, turn(b + n, (int)n)) ^ b;
    }
    if (n >= 4) return join(n + (get32(p) << 3), get32(p + n - 4));
    if (n == 0) return K2;
    uint64_t y = p[0] + ((uint64_t)p[n >> 1] << 8), z = n + ((uint64_t)p[n - 1] << 2);
    return fold(y * K2 ^ z * K3) * K2;
}

static uint64_t upto32(const unsigned char *p, size_t n)
{
    uint64_t a = get64(p) * K1, b = get64(p + 8);
    uint64_t c = get64(p + n - 8) * K2, d = get64(p + n - 16) * K0;
    return join(turn(a - b, 43) + turn(c, 30) + d, a + turn(b ^ K3, 20) - c + n);
}

/* Three numbers mixed into two. */
static pair mix3(uint64_t a, uint64_t second, uint64_t third, uint64_t z)
{
    uint64_t b = turn(a + z, 52), c = turn(a, 37);
    a += second;
    c += turn(a, 7);
    a += third;
    return (pair){a + z, b + turn(a, 31) + c};
}

static uint64_t upto64(const unsigned char *p, size_t n)
{
    uint64_t start = get64(p) + (n + get64(p + n - 16)) * K0;
    pair v = mix3(start, get64(p + 8), get64(p + 16), get64(p + 24));
    start = get64(p + 16) + get64(p + n - 32);
    pair w = mix3(start, get64(p + n - 24), get64(p + n - 16), get64(p + n - 8));
    uint64_t r = fold((v.a + w.b) * K2 + (w.a + v.b) * K0);
    return fold(r * K0 + v.b) * K2;
}

static pair mix32(const unsigned char *p, uint64_t a, uint64_t b)
{
    uint64_t last = get64(p + 24), before;
    a += get64(p);
    b = turn(b + a + last, 21);
    before = a;
    a += get64(p + 8) + get64(p + 16);
    b += turn(a, 44);
    return (pair){a + last, b + before};
}

static uint64_t beyond64(const unsigned char *p, size_t n)
{
    uint64_t x = get64(p), y = get64(p + n - 16) ^ K1, z = get64(p + n - 56) ^ K0;
    pair v = mix32(p + n - 64, n, y), w = mix32(p + n - 32, n * K1, K0);
    z += fold(v.b) * K1;
    x = turn(z + x, 39) * K1;
    y = turn(y, 33) * K1;
    for (size_t left = (n - 1) & ~(size_t)63; left > 0; left -= 64, p += 64) {
        uint64_t was = x;
        x = turn(was + y + v.a + get64(p + 16), 37) * K1;
        y = turn(y + v.b + get64(p + 48), 42) * K1;
        x ^= w.b;
        y ^= v.a;
        z = turn(z ^ w.a, 33);
        v = mix32(p, v.b * K1, x + w.a);
        w = mix32(p + 32, z + w.b, y);
        was = x;
        x = z;
        z = was;
    }
    return join(join(v.a, w.a) + fold(y) * K1 + z, join(v.b, w.b) + x);
}

uint64_t mli_city64(const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *)text;
    if (size <= 16) return upto16(p, size);
    if (size <= 32) return upto32(p, size);
    return size <= 64 ? upto64(p, size) : beyond64(p, size);
}
