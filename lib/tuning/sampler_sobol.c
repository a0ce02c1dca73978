/* SPDX-License-Identifier: MIT
 *
 * sampler_sobol.c: Sobol's sequence in Gray-code-free order (point i from the bits of i),
 * scrambled as by Owen's nested uniform scrambling. The scrambling is the hash of
 * B. Burley, "Practical hash-based Owen scrambling", JCGT 9 (2020): bits are reversed, so
 * that a hash whose bits depend on lower bits only permutes the subtrees of each digit.
 * Dimensions beyond the table get uniform numbers. O(32) a coordinate.
 */
#include "tuning/sampler.h"
#include "tuning/sobol_table.h"

static uint32_t reverse(uint32_t x)
{
    x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
    x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
    x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
    x = (x >> 8 & 0x00ff00ffu) | (x & 0x00ff00ffu) << 8;
    return x >> 16 | x << 16;
}

/* A permutation in which each bit depends on itself and lower bits. */
static uint32_t scramble_low(uint32_t x, uint32_t key)
{
    x ^= x * 0x3d20adeau;
    x += key;
    x *= (key >> 16) | 1;
    x ^= x * 0x05526c56u;
    x ^= x * 0x53a22864u;
    return x;
}

static uint32_t scramble(uint32_t x, uint32_t key)
{
    return reverse(scramble_low(reverse(x), key));
}

/* Coordinate `d` of point `index`, 32 bits after the point. */
static uint32_t sobol(uint32_t index, int64_t d)
{
    uint32_t v[32], x = 0;
    int degree = 0;
    if (d == 0) return reverse(index);
    uint32_t polynomial = mli_sobol_table[d - 1].polynomial;
    for (uint32_t p = polynomial; p > 1; p >>= 1) degree++;
    for (int i = 0; i < 32; i++) {
        if (i < degree) {
            v[i] = (uint32_t)mli_sobol_table[d - 1].m[i] << (31 - i);
            continue;
        }
        v[i] = v[i - degree] ^ (v[i - degree] >> degree);
        for (int k = 1; k < degree; k++)
            if (polynomial >> (degree - k) & 1) v[i] ^= v[i - k];
    }
    for (int i = 0; i < 32; i++)
        if (index >> i & 1) x ^= v[i];
    return x;
}

void mli_sobol_point(uint64_t seed, int64_t index, int64_t n, double *u)
{
    mli_rng rng;
    mli_rng_init(&rng, seed, 0, 0x736f626f /* "sobo" */);
    for (int64_t i = 0; i < n; i++) {
        uint32_t key = mli_rng_u32(&rng);
        if (i < MLI_SOBOL_DIMENSIONS) {
            u[i] = ((double)scramble(sobol((uint32_t)index, i), key) + 0.5) * 0x1p-32;
        } else {
            mli_rng other;
            mli_rng_init(&other, seed, (uint64_t)index, (uint64_t)i);
            u[i] = mli_rng_f64(&other);
        }
    }
}

static ml_status propose(const mli_history *h, int64_t trial, double *u, void **cache,
                         ml_error *err)
{
    (void)cache, (void)err;
    mli_sobol_point(h->seed, trial, h->space->n, u);
    return ML_OK;
}

const mli_sampler mli_sampler_sobol = {"sobol", 0, NULL, propose};
