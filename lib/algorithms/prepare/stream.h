/* SPDX-License-Identifier: MIT
 *
 * prepare/stream.h: a column made of another past the caches ("non-temporal"), a line of
 * them at a time, while what comes next is fetched. For CPUs with AVX2.
 */
#ifndef MLI_PREPARE_STREAM_H
#define MLI_PREPARE_STREAM_H

#include "algorithms/prepare/prepare.h"
#include "core/cpu.h"

#ifdef MLI_AVX2
#include <immintrin.h>

#define MLI_STREAM_AHEAD 2048 /* bytes */

/* The body of a function marked MLI_AVX2 that returns how many are missing: four(__m256d,
 * i) of four numbers from number i on, one(double, i) of those that are left. */
#define MLI_STREAM(in, n, out, four, one)                                                \
    MLI_STREAM_OF(in, n, out, _mm256_loadu_pd, four, one)
/* The same of floats. */
#define MLI_STREAM_FLOATS(in, n, out, four, one)                                         \
    MLI_STREAM_OF(in, n, out, MLI_FOUR_FLOATS, four, one)
#define MLI_FOUR_FLOATS(in) _mm256_cvtps_pd(_mm_loadu_ps(in))

#define MLI_STREAM_OF(in, n, out, load, four, one)                                       \
    __m256i gone = _mm256_setzero_si256();                                               \
    int64_t i = 0, sums[4], missing = 0;                                                 \
    for (; i + 8 <= (n); i += 8) {                                                       \
        _mm_prefetch((const char *)((uintptr_t)((in) + i) + MLI_STREAM_AHEAD),           \
                     _MM_HINT_T0);                                                       \
        __m256d a = four(load((in) + i), i);                                             \
        __m256d b = four(load((in) + i + 4), i + 4);                                     \
        _mm256_stream_pd((out) + i, a);                                                  \
        _mm256_stream_pd((out) + i + 4, b);                                              \
        a = _mm256_cmp_pd(a, a, _CMP_UNORD_Q);                                           \
        b = _mm256_cmp_pd(b, b, _CMP_UNORD_Q);                                           \
        gone = _mm256_add_epi64(gone, _mm256_castpd_si256(a));                           \
        gone = _mm256_add_epi64(gone, _mm256_castpd_si256(b));                           \
    }                                                                                    \
    _mm256_storeu_si256((__m256i *)(void *)sums, gone);                                  \
    for (; i < (n); i++) {                                                               \
        (out)[i] = one((in)[i], i);                                                      \
        missing += (out)[i] != (out)[i];                                                 \
    }                                                                                    \
    return missing - (sums[0] + sums[1] + sums[2] + sums[3]);
#endif

#endif
