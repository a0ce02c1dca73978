/* SPDX-License-Identifier: MIT
 *
 * trees/forest_sort.c: sorting the rows of a node by a code of 16 bits: insertion for a
 * few; for some hundreds first into as many buckets, by rank, then insertion; by radix
 * otherwise.
 */
#include "algorithms/trees/forest.h"

#define FEW     16
#define BUCKETS 512

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
    uint32_t log2 = 5;
    while ((INT64_C(1) << log2) < n && log2 < 9) log2++;
    uint64_t scale = (UINT64_C(1) << (log2 + 32)) / (high - low + 1);
    for (int64_t i = 0; i < n; i++) start[(((e[i] >> 48) - low) * scale >> 32) + 1]++;
    for (int64_t b = 1; b < INT64_C(1) << log2; b++)
        start[b] = (uint16_t)(start[b] + start[b - 1]);
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
                          uint32_t high)
{
    if (n <= FEW) {
        insert(e, n);
        return e;
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
