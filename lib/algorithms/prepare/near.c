/* SPDX-License-Identifier: MIT
 *
 * prepare/near.c: distances to many rows, several at a time, and the nearest in a heap.
 */
#include "algorithms/prepare/near.h"
#include "algorithms/prepare/lanes.h"
#include "core/cpu.h"

#include <math.h>

#define LANES 16

/* ---- distances ---- */

/* Mean squares of the differences to LANES donors from `at` on, over the columns that
 * both have: none gives NaN. A missing value compares unequal to itself. */
#define MEASURE_BODY                                                                     \
    mli_numbers sum[LANES / 4] = {{0}};                                                  \
    mli_flags count[LANES / 4] = {{0}};                                                  \
    for (int64_t k = 0; k < n; k++) {                                                    \
        const mli_numbers *column = (const mli_numbers *)(row[k].column + at);           \
        for (int i = 0; i < LANES / 4; i++) {                                            \
            mli_numbers d = column[i] - row[k].x, square = d * d;                        \
            mli_flags there = square == square;                                          \
            sum[i] += (mli_numbers)((mli_flags)square & there);                          \
            count[i] -= there;                                                           \
        }                                                                                \
    }                                                                                    \
    for (int i = 0; i < LANES; i++)                                                      \
        out[i] = sum[i / 4][i % 4] / (double)count[i / 4][i % 4];

static void measure_one(const mli_known *row, int64_t n, int64_t at, double *out)
{
    double sum = 0, count = 0;
    for (int64_t k = 0; k < n; k++) {
        double d = row[k].column[at] - row[k].x, square = d * d;
        if (isnan(square)) continue;
        sum += square;
        count += 1;
    }
    *out = sum / count;
}

static void measure_plain(const mli_known *row, int64_t n, int64_t at,
                          double *out){MEASURE_BODY}

#ifdef MLI_AVX2
MLI_AVX2
    static void measure_avx2(const mli_known *row, int64_t n, int64_t at, double *out)
{
    MEASURE_BODY
}
#endif

void mli_near_measure(const ml_context *ctx, const mli_known *row, int64_t n,
                      int64_t begin, int64_t end, double *out)
{
    int64_t at = begin;
    for (; at + LANES <= end; at += LANES) {
#ifdef MLI_AVX2
        if (ctx->cpu_level >= MLI_CPU_AVX2) {
            measure_avx2(row, n, at, out + at - begin);
            continue;
        }
#endif
        measure_plain(row, n, at, out + at - begin);
    }
    for (; at < end; at++) measure_one(row, n, at, out + at - begin);
    (void)ctx;
}

/* ---- the nearest ---- */

void mli_near_clear(mli_neighbor *heap, int64_t k)
{
    for (int64_t i = 0; i < k; i++) heap[i] = (mli_neighbor){INFINITY, -1};
}

/* The new one takes the place of the first. */
static void sift(mli_neighbor *heap, int64_t n, mli_neighbor x)
{
    int64_t at = 0, child;
    while ((child = 2 * at + 1) < n) {
        if (child + 1 < n && heap[child + 1].distance > heap[child].distance) child++;
        if (!(heap[child].distance > x.distance)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = x;
}

void mli_near_keep(const double *distance, const double *needed, int64_t begin, int64_t n,
                   mli_neighbor *heap, int64_t k)
{
    for (int64_t i = 0; i < n; i++)
        if (distance[i] < heap[0].distance && !(needed && isnan(needed[begin + i])))
            sift(heap, k, (mli_neighbor){distance[i], begin + i});
}
