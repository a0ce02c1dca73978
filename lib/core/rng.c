/* SPDX-License-Identifier: MIT
 *
 * core/rng.c: Philox4x32-10. A stream is a key of 64 bits and the upper half of a
 * counter of 128 bits, both drawn from (seed, stream) by Philox itself; the substream is
 * added to that half, and the lower half counts the blocks of 16 bytes.
 */
#include "core/rng.h"
#include <math.h>

#define ROUNDS 10
#define PI     3.14159265358979323846

__extension__ typedef unsigned __int128 uint128;

void mli_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t a = counter[0], b = counter[1], c = counter[2], d = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t p = (uint64_t)0xD2511F53u * a, q = (uint64_t)0xCD9E8D57u * c;
        a = (uint32_t)(q >> 32) ^ b ^ k0;
        b = (uint32_t)q;
        c = (uint32_t)(p >> 32) ^ d ^ k1;
        d = (uint32_t)p;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
}

void mli_rng_init(mli_rng *rng, uint64_t seed, uint64_t stream, uint64_t substream)
{
    uint32_t from[4] = {(uint32_t)seed, (uint32_t)(seed >> 32), (uint32_t)stream,
                        (uint32_t)(stream >> 32)};
    uint32_t key[2] = {0x6C696268u, 0x6D6C2E72u}, drawn[4];
    mli_philox(from, key, drawn);
    uint64_t upper = ((uint64_t)drawn[3] << 32 | drawn[2]) + substream;
    *rng = (mli_rng){.key = {drawn[0], drawn[1]},
                     .counter = {0, 0, (uint32_t)upper, (uint32_t)(upper >> 32)}};
}

uint32_t mli_rng_u32(mli_rng *rng)
{
    if (rng->left == 0) {
        mli_philox(rng->counter, rng->key, rng->out);
        if (++rng->counter[0] == 0) rng->counter[1]++;
        rng->left = 4;
    }
    return rng->out[4 - rng->left--];
}

uint64_t mli_rng_u64(mli_rng *rng)
{
    uint64_t low = mli_rng_u32(rng);
    return (uint64_t)mli_rng_u32(rng) << 32 | low;
}

double mli_rng_f64(mli_rng *rng)
{
    return (double)(mli_rng_u64(rng) >> 11) * 0x1p-53;
}

/* Lemire, "Fast random integer generation in an interval", 2019: the high part of a
 * product, drawing again where the low part would favour some results. */
static uint32_t below32(mli_rng *rng, uint32_t n)
{
    uint64_t product = (uint64_t)mli_rng_u32(rng) * n;
    if ((uint32_t)product < n) {
        uint32_t least = -n % n;
        while ((uint32_t)product < least) product = (uint64_t)mli_rng_u32(rng) * n;
    }
    return (uint32_t)(product >> 32);
}

static uint64_t below64(mli_rng *rng, uint64_t n)
{
    uint128 product = (uint128)mli_rng_u64(rng) * n;
    if ((uint64_t)product < n) {
        uint64_t least = -n % n;
        while ((uint64_t)product < least) product = (uint128)mli_rng_u64(rng) * n;
    }
    return (uint64_t)(product >> 64);
}

int64_t mli_rng_below(mli_rng *rng, int64_t n)
{
    if (n <= 0) return 0;
    if (n <= UINT32_MAX) return below32(rng, (uint32_t)n);
    return (int64_t)below64(rng, (uint64_t)n);
}

double mli_rng_normal(mli_rng *rng)
{
    if (rng->has_normal) {
        rng->has_normal = 0;
        return rng->normal;
    }
    double u = 1 - mli_rng_f64(rng); /* in (0, 1]: its logarithm is finite */
    double angle = 2 * PI * mli_rng_f64(rng), radius = sqrt(-2 * log(u));
    rng->normal = radius * sin(angle);
    rng->has_normal = 1;
    return radius * cos(angle);
}

void mli_rng_shuffle(mli_rng *rng, int64_t *items, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = mli_rng_below(rng, i + 1), item = items[i];
        items[i] = items[j];
        items[j] = item;
    }
}
