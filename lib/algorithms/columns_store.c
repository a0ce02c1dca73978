/* SPDX-License-Identifier: MIT
 *
 * algorithms/columns_store.c: numbers into the columns of a table, missing ones counted.
 * Where a table is larger than the caches they go past them ("non-temporal"): the memory
 * is then not read before it is written. Cost: one pass over memory.
 */
#include "algorithms/columns_parts.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>

/* Two numbers at a time; NaNs are counted as -1 in the halves of `missing`. */
static inline __m128i count(__m128i missing, __m128d x)
{
    return _mm_add_epi64(missing, _mm_castpd_si128(_mm_cmpunord_pd(x, x)));
}

static inline int64_t counted(__m128i missing)
{
    int64_t n[2];
    _mm_storeu_si128((__m128i *)(void *)n, missing);
    return -(n[0] + n[1]);
}

static int on_edge(const double *to)
{
    return (uintptr_t)to % 16 == 0;
}

/* Those of an even number; the rest is for the caller. */
static int64_t store_pairs(const double *from, int64_t n, double *to, int64_t *missing)
{
    __m128i bad = _mm_setzero_si128();
    int64_t i = 0;
    if (!on_edge(to)) return 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k += 2) {
            __m128d x = _mm_loadu_pd(from + i + k);
            bad = count(bad, x);
            _mm_stream_pd(to + i + k, x);
        }
    *missing += counted(bad);
    return i;
}

/* Of two rows at a time. */
static int64_t store_rows(const double *from, int64_t n, int64_t stride,
                          double *const *to, int64_t *missing)
{
    __m128i bad[4];
    int64_t i = 0;
    for (int k = 0; k < 4; k++) {
        if (!on_edge(to[k])) return 0;
        bad[k] = _mm_setzero_si128();
    }
    for (; i + 2 <= n; i += 2, from += 2 * stride)
        for (int k = 0; k < 4; k += 2) {
            __m128d a = _mm_loadu_pd(from + k), b = _mm_loadu_pd(from + stride + k);
            __m128d x = _mm_unpacklo_pd(a, b), y = _mm_unpackhi_pd(a, b);
            bad[k] = count(bad[k], x);
            bad[k + 1] = count(bad[k + 1], y);
            _mm_stream_pd(to[k] + i, x);
            _mm_stream_pd(to[k + 1] + i, y);
        }
    for (int k = 0; k < 4; k++) missing[k] += counted(bad[k]);
    return i;
}

void mli_store_done(void)
{
    _mm_sfence();
}

#else

static int64_t store_pairs(const double *from, int64_t n, double *to, int64_t *missing)
{
    (void)from, (void)n, (void)to, (void)missing;
    return 0;
}

static int64_t store_rows(const double *from, int64_t n, int64_t stride,
                          double *const *to, int64_t *missing)
{
    (void)from, (void)n, (void)stride, (void)to, (void)missing;
    return 0;
}

void mli_store_done(void) {}

#endif

int64_t mli_store_numbers(const double *from, int64_t n, int64_t stride, int past,
                          double *to)
{
    int64_t missing = 0;
    int64_t i = past && stride == 1 ? store_pairs(from, n, to, &missing) : 0;
    for (; i < n; i++) {
        to[i] = from[i * stride];
        missing += to[i] != to[i];
    }
    return missing;
}

void mli_store_four(const double *from, int64_t n, int64_t stride, int past,
                    double *const *to, int64_t *missing)
{
    int64_t i = past ? store_rows(from, n, stride, to, missing) : 0;
    for (from += i * stride; i < n; i++, from += stride)
        for (int k = 0; k < 4; k++) {
            to[k][i] = from[k];
            missing[k] += from[k] != from[k];
        }
}
