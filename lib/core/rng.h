/* SPDX-License-Identifier: MIT
 *
 * core/rng.h: counter-based random numbers, Philox4x32-10 (Salmon, Moraes, Dror, Shaw,
 * "Parallel random numbers: as easy as 1, 2, 3", SC 2011). A stream is named by a seed
 * and two numbers (such as tree and node), so tasks need no shared state.
 */
#ifndef MLI_CORE_RNG_H
#define MLI_CORE_RNG_H

#include <stdint.h>

typedef struct mli_rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t out[4];
    int32_t left; /* unused words in out */
    int32_t has_normal;
    double normal; /* the second of a Box-Muller pair */
} mli_rng;

/* One block: the function beneath. */
void mli_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

void mli_rng_init(mli_rng *rng, uint64_t seed, uint64_t stream, uint64_t substream);
uint32_t mli_rng_u32(mli_rng *rng);
uint64_t mli_rng_u64(mli_rng *rng);
double mli_rng_f64(mli_rng *rng);               /* uniform in [0, 1), 53 bits */
int64_t mli_rng_below(mli_rng *rng, int64_t n); /* uniform in 0..n-1, unbiased */
double mli_rng_normal(mli_rng *rng);
void mli_rng_shuffle(mli_rng *rng, int64_t *items, int64_t n); /* Fisher-Yates */

/* Mixes the bits of a number, one to one (Stafford's variant 13 of the MurmurHash3
 * finaliser). */
static inline uint64_t mli_mix64(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

#endif
