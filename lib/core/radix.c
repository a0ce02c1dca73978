/* SPDX-License-Identifier: MIT
 *
 * core/radix.c: least-significant-digit radix sort of doubles, 11 bits at a time, after
 * mapping the bits so that unsigned order is numeric order. Digits that all keys share
 * are skipped. Values that single precision holds, as most data do, are sorted as such:
 * half the memory and at most three passes.
 */
#include "core/radix.h"
#include <string.h>

#define DIGIT  11
#define PASSES 6
#define SMALL  64

static uint64_t key_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits ^ ((uint64_t)((int64_t)bits >> 63) | UINT64_C(0x8000000000000000));
}

static double value_of(uint64_t key)
{
    uint64_t sign = ~(uint64_t)((int64_t)key >> 63) | UINT64_C(0x8000000000000000);
    double v;
    key ^= sign;
    memcpy(&v, &key, sizeof v);
    return v;
}

static void insertion(double *v, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        double x = v[i];
        int64_t j = i;
        for (; j > 0 && v[j - 1] > x; j--) v[j] = v[j - 1];
        v[j] = x;
    }
}

static void count_digits(const uint64_t *key, int64_t n,
                         uint32_t count[PASSES][1 << DIGIT])
{
    memset(count, 0, sizeof(uint32_t) * PASSES << DIGIT);
    for (int64_t i = 0; i < n; i++)
        for (int p = 0; p < PASSES; p++)
            count[p][(key[i] >> (p * DIGIT)) & ((1 << DIGIT) - 1)]++;
}

static void counts_to_places(uint32_t count[1 << DIGIT])
{
    uint32_t sum = 0;
    for (int d = 0; d < 1 << DIGIT; d++) {
        uint32_t here = count[d];
        count[d] = sum;
        sum += here;
    }
}

static void scatter(const uint64_t *from, uint64_t *to, int64_t n, int shift,
                    uint32_t *count)
{
    counts_to_places(count);
    for (int64_t i = 0; i < n; i++)
        to[count[(from[i] >> shift) & ((1 << DIGIT) - 1)]++] = from[i];
}

/* ---- single precision ---- */

#define PASSES_F32 3

static int all_f32(const double *v, int64_t n)
{
    for (int64_t begin = 0; begin < n; begin += 512) {
        int64_t end = begin + 512 < n ? begin + 512 : n;
        int same = 1;
        for (int64_t i = begin; i < end; i++) same &= (double)(float)v[i] == v[i];
        if (!same) return 0;
    }
    return 1;
}

static inline uint32_t key_f32(double v)
{
    float narrow = (float)v;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    return bits ^ ((uint32_t)((int32_t)bits >> 31) | 0x80000000u);
}

static void keys_f32(const double *v, int64_t n, uint32_t *key)
{
    for (int64_t i = 0; i < n; i++) key[i] = key_f32(v[i]);
}

static void values_f32(const uint32_t *key, int64_t n, double *v)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = key[i] ^ (~(uint32_t)((int32_t)key[i] >> 31) | 0x80000000u);
        float narrow;
        memcpy(&narrow, &bits, sizeof narrow);
        v[i] = (double)narrow;
    }
}

static void count_digits_f32(const uint32_t *key, int64_t n,
                             uint32_t count[PASSES_F32][1 << DIGIT])
{
    memset(count, 0, sizeof(uint32_t) * PASSES_F32 << DIGIT);
    for (int64_t i = 0; i < n; i++) {
        uint32_t k = key[i];
        count[0][k & ((1 << DIGIT) - 1)]++;
        count[1][(k >> DIGIT) & ((1 << DIGIT) - 1)]++;
        count[2][k >> (2 * DIGIT)]++;
    }
}

static void scatter_f32(const uint32_t *from, uint32_t *to, int64_t n, int shift,
                        uint32_t *count)
{
    counts_to_places(count);
    for (int64_t i = 0; i < n; i++)
        to[count[(from[i] >> shift) & ((1 << DIGIT) - 1)]++] = from[i];
}

/* The keys take the first half of `scratch`, their sorted copy the second. */
static void sort_f32(double *values, double *scratch, int64_t n)
{
    uint32_t count[PASSES_F32][1 << DIGIT];
    uint32_t *from = (uint32_t *)(void *)scratch, *to = from + n;
    keys_f32(values, n, from);
    count_digits_f32(from, n, count);
    for (int p = 0; p < PASSES_F32; p++) {
        int shift = p * DIGIT;
        if (count[p][(from[0] >> shift) & ((1 << DIGIT) - 1)] == n) continue;
        scatter_f32(from, to, n, shift, count[p]);
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    values_f32(from, n, values);
}

void mli_radix_sort_f64(double *values, double *scratch, int64_t n)
{
    if (n <= SMALL) {
        insertion(values, n);
        return;
    }
    if (all_f32(values, n)) {
        sort_f32(values, scratch, n);
        return;
    }
    uint32_t count[PASSES][1 << DIGIT];
    uint64_t *from = (uint64_t *)(void *)values, *to = (uint64_t *)(void *)scratch;
    for (int64_t i = 0; i < n; i++) {
        uint64_t key = key_of(values[i]);
        memcpy(&from[i], &key, sizeof key);
    }
    count_digits(from, n, count);
    for (int p = 0; p < PASSES; p++) {
        int shift = p * DIGIT;
        if (count[p][(from[0] >> shift) & ((1 << DIGIT) - 1)] == n) continue;
        scatter(from, to, n, shift, count[p]);
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    for (int64_t i = 0; i < n; i++) {
        double v = value_of(from[i]);
        memcpy(&values[i], &v, sizeof v);
    }
}

/* ---- places ---- */

/* Sorts words by their upper 32 bits; returns where they are. */
static uint64_t *sort_words(uint64_t *from, uint64_t *to, int64_t n)
{
    uint32_t count[PASSES_F32][1 << DIGIT] = {{0}};
    for (int64_t i = 0; i < n; i++)
        for (int p = 0; p < PASSES_F32; p++)
            count[p][from[i] >> (32 + p * DIGIT) & ((1 << DIGIT) - 1)]++;
    for (int p = 0; n > 0 && p < PASSES_F32; p++) {
        int shift = 32 + p * DIGIT;
        if (count[p][from[0] >> shift & ((1 << DIGIT) - 1)] == n) continue;
        scatter(from, to, n, shift, count[p]);
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

const uint64_t *mli_radix_order_f64(const double *values, int64_t n, uint64_t *word,
                                    uint64_t *scratch, int64_t *found)
{
    int64_t kept = 0;
    int narrow = 1;
    for (int64_t i = 0; i < n; i++) {
        word[kept] = (uint64_t)i;
        narrow &= !(values[i] == values[i]) | ((double)(float)values[i] == values[i]);
        kept += values[i] == values[i];
    }
    *found = kept;
    for (int64_t i = 0; i < kept; i++) {
        double v = values[word[i]];
        word[i] |= narrow ? (uint64_t)key_f32(v) << 32 : key_of(v) << 32;
    }
    uint64_t *sorted = sort_words(word, scratch, kept);
    if (narrow) return sorted;
    for (int64_t i = 0; i < kept; i++) {
        uint64_t row = (uint32_t)sorted[i];
        sorted[i] = key_of(values[row]) >> 32 << 32 | row;
    }
    return sort_words(sorted, sorted == word ? scratch : word, kept);
}
