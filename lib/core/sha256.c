/* SPDX-License-Identifier: MIT
 *
 * sha256.c: SHA-256 (FIPS 180-4), 64 bytes at a time, in plain C and with the SHA
 * instructions of x86-64.
 */
#include "core/sha256.h"
#include "core/cpu.h"

#include <string.h>

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
    0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
    0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
    0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2};

static inline uint32_t rotate(uint32_t v, int n)
{
    return v >> n | v << (32 - n);
}

static void blocks_scalar(uint32_t state[8], const unsigned char *p, size_t count)
{
    for (; count > 0; count--, p += 64) {
        uint32_t w[64], s[8];
        for (int i = 0; i < 16; i++) {
            const unsigned char *b = p + 4 * i;
            w[i] =
                (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        }
        for (int i = 16; i < 64; i++) {
            uint32_t a = w[i - 15], b = w[i - 2];
            w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] +
                   (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
        }
        memcpy(s, state, sizeof s);
        for (int i = 0; i < 64; i++) {
            uint32_t e = s[4], a = s[0];
            uint32_t t1 = s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                          ((e & s[5]) ^ (~e & s[6])) + K[i] + w[i];
            uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
                          ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
            memmove(s + 1, s, 7 * sizeof *s);
            s[4] += t1;
            s[0] = t1 + t2;
        }
        for (int i = 0; i < 8; i++) state[i] += s[i];
    }
}

#ifdef MLI_X86
#include <immintrin.h>

#define SHA __attribute__((target("sha,sse4.1,ssse3"))) static

static inline __m128i load(const void *p)
{
    return _mm_loadu_si128(p);
}

/* Four rounds, and the message words that are used sixteen rounds later. The instruction
 * does two rounds on the halves {c,d,g,h} and {a,b,e,f} of the state. */
SHA inline void four(__m128i h[2], __m128i *now, __m128i next, __m128i after,
                     __m128i last, const uint32_t *k)
{
    __m128i wk = _mm_add_epi32(*now, load(k));
    h[1] = _mm_sha256rnds2_epu32(h[1], h[0], wk);
    h[0] = _mm_sha256rnds2_epu32(h[0], h[1], _mm_shuffle_epi32(wk, 0x0e));
    __m128i w = _mm_sha256msg1_epu32(*now, next);
    w = _mm_add_epi32(w, _mm_alignr_epi8(last, after, 4));
    *now = _mm_sha256msg2_epu32(w, last);
}

SHA void blocks_sha(uint32_t state[8], const unsigned char *p, size_t count)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i cdab = _mm_shuffle_epi32(load(state), 0xb1);
    __m128i efgh = _mm_shuffle_epi32(load(state + 4), 0x1b);
    __m128i h[2] = {_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0)};
    for (; count > 0; count--, p += 64) {
        __m128i abef = h[0], cdgh = h[1];
        __m128i w0 = _mm_shuffle_epi8(load(p), swap);
        __m128i w1 = _mm_shuffle_epi8(load(p + 16), swap);
        __m128i w2 = _mm_shuffle_epi8(load(p + 32), swap);
        __m128i w3 = _mm_shuffle_epi8(load(p + 48), swap);
        for (const uint32_t *k = K; k < K + 64; k += 16) {
            four(h, &w0, w1, w2, w3, k);
            four(h, &w1, w2, w3, w0, k + 4);
            four(h, &w2, w3, w0, w1, k + 8);
            four(h, &w3, w0, w1, w2, k + 12);
        }
        h[0] = _mm_add_epi32(h[0], abef);
        h[1] = _mm_add_epi32(h[1], cdgh);
    }
    __m128i feba = _mm_shuffle_epi32(h[0], 0x1b), dchg = _mm_shuffle_epi32(h[1], 0xb1);
    _mm_storeu_si128((void *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}
#endif

static void blocks(mli_sha256 *h, const unsigned char *p, size_t count)
{
#ifdef MLI_X86
    if (h->fast) {
        blocks_sha(h->state, p, count);
        return;
    }
#endif
    blocks_scalar(h->state, p, count);
}

void mli_sha256_init(mli_sha256 *h)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(h->state, start, sizeof start);
    h->length = 0;
    h->fast = (mli_cpu_flags() & MLI_CPU_HAS_SHA) != 0;
}

void mli_sha256_add(mli_sha256 *h, const void *data, size_t size)
{
    const unsigned char *p = data;
    size_t used = h->length % 64;
    h->length += size;
    if (used) {
        size_t n = size < 64 - used ? size : 64 - used;
        memcpy(h->block + used, p, n);
        if (used + n < 64) return;
        blocks(h, h->block, 1);
        p += n;
        size -= n;
    }
    blocks(h, p, size / 64);
    if (size % 64) memcpy(h->block, p + size / 64 * 64, size % 64);
}

void mli_sha256_end(mli_sha256 *h, unsigned char digest[32])
{
    unsigned char tail[72] = {0x80};
    uint64_t bits = h->length * 8;
    size_t pad = (h->length % 64 < 56 ? 56 : 120) - h->length % 64;
    for (int i = 0; i < 8; i++)
        tail[pad + (size_t)i] = (unsigned char)(bits >> (56 - 8 * i));
    mli_sha256_add(h, tail, pad + 8);
    for (int i = 0; i < 32; i++) {
        digest[i] = (unsigned char)(h->state[i / 4] >> (24 - 8 * (i % 4)));
    }
}

void mli_sha256_hex(const unsigned char digest[32], char hex[65])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = 0;
}
