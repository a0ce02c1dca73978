/* SPDX-License-Identifier: MIT
 *
 * trees/forest_sort.c: sorting the rows of a node by a code of 16 bits. A few: the rank
 * of each is the number of smaller ones, counted by comparing all with all, eight at a
 * time. Some hundreds: first into as many buckets, by code, then by insertion. More: by
 * radix.
 */
#include "algorithms/trees/forest.h"
#include "core/cpu.h"
#include <string.h>

#define FEW     64
#define BUCKETS 512

typedef int32_t eight __attribute__((vector_size(32)));

/* Keys are different; rank[i]: how many are smaller. n is a multiple of 16. */
static inline __attribute__((always_inline)) void rank_all(const int32_t *key,
                                                           int32_t *rank, int64_t n)
{
    for (int64_t i = 0; i < n; i += 16) {
        eight a, b, x = {0}, y = {0};
        memcpy(&a, key + i, sizeof a);
        memcpy(&b, key + i + 8, sizeof b);
        for (int64_t j = 0; j < n; j++) {
            eight k = key[j] - (eight){0};
            x -= k < a;
            y -= k < b;
        }
        memcpy(rank + i, &x, sizeof x);
        memcpy(rank + i + 8, &y, sizeof y);
    }
}
static void rank_plain(const int32_t *key, int32_t *rank, int64_t n)
{
    rank_all(key, rank, n);
}
#ifdef MLI_AVX2
MLI_AVX2 static void rank_avx2(const int32_t *key, int32_t *rank, int64_t n)
{
    rank_all(key, rank, n);
}
#endif

static void sort_few(const uint64_t *e, uint64_t *out, int64_t n, uint32_t low,
                     int32_t cpu_level)
{
    int32_t key[FEW] = {0}, rank[FEW];
    int64_t whole = (n + 15) / 16 * 16;
    (void)cpu_level;
    /* Codes differ by less than 2^16 and the positions make the keys different. */
    for (int64_t i = 0; i < n; i++)
        key[i] = (int32_t)((((uint32_t)(e[i] >> 48) - low) << 7) + (uint32_t)i);
    for (int64_t i = n; i < whole; i++) key[i] = INT32_MAX;
#ifdef MLI_AVX2
    if (cpu_level >= MLI_CPU_AVX2)
        rank_avx2(key, rank, whole);
    else
#endif
        rank_plain(key, rank, whole);
    for (int64_t i = 0; i < n; i++) out[rank[i]] = e[i];
}

static void insert(uint64_t *e, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        uint64_t x = e[i], code = x >> 48;
        int64_t j = i;
        for (; j > 0 && e[j - 1] >> 48 > code; j--) e[j] = e[j - 1];
        e[j] = x;
    }
}

static void to_buckets(const uint64_t *e, uint64_t *out, int64_t n, uint32_t low,
                       uint32_t high)
{
    uint16_t start[BUCKETS + 1] = {0};
    uint64_t scale = (UINT64_C(512) << 32) / (high - low + 1);
    for (int64_t i = 0; i < n; i++) start[(((e[i] >> 48) - low) * scale >> 32) + 1]++;
    for (int64_t b = 1; b < BUCKETS; b++) start[b] = (uint16_t)(start[b] + start[b - 1]);
    for (int64_t i = 0; i < n; i++)
        out[start[((e[i] >> 48) - low) * scale >> 32]++] = e[i];
}

static void one_pass(const uint64_t *e, uint64_t *out, int64_t n, uint32_t low, int shift)
{
    uint32_t start[257] = {0};
    for (int64_t i = 0; i < n; i++)
        start[((((uint32_t)(e[i] >> 48) - low) >> shift) & 255) + 1]++;
    for (int b = 1; b < 256; b++) start[b] += start[b - 1];
    for (int64_t i = 0; i < n; i++)
        out[start[(((uint32_t)(e[i] >> 48) - low) >> shift) & 255]++] = e[i];
}

uint64_t *mli_forest_sort(uint64_t *e, uint64_t *spare, int64_t n, uint32_t low,
                          uint32_t high, int32_t cpu_level)
{
    if (n <= FEW) {
        sort_few(e, spare, n, low, cpu_level);
        return spare;
    }
    if (n <= BUCKETS) {
        to_buckets(e, spare, n, low, high);
        insert(spare, n);
        return spare;
    }
    one_pass(e, spare, n, low, 0);
    if (high - low < 256) return spare;
    one_pass(spare, e, n, low, 8);
    return e;
}
