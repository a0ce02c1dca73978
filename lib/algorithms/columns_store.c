/* SPDX-License-Identifier: MIT
 *
 * algorithms/columns_store.c: numbers into the columns of a table, missing ones counted.
 * Where a table is larger than the caches they go past them ("non-temporal"): the memory
 * is then not read before it is written. What comes next is fetched meanwhile, so that
 * reading and writing overlap. Cost: one pass over memory.
 */
#include "algorithms/columns_parts.h"
#include "core/cpu.h"

#include <string.h>
#ifdef MLI_AVX2
#include <immintrin.h>
#endif

#define CACHES ((size_t)16 << 20) /* bytes that they may hold of a table */

int mli_store_way(const ml_context *ctx, size_t bytes)
{
    if (bytes <= CACHES) return MLI_STORE_CACHED;
    return ctx->cpu_level >= MLI_CPU_AVX2 ? MLI_STORE_WIDE : MLI_STORE_PAST;
}

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

static int on_edge(const double *to, size_t size)
{
    return (uintptr_t)to % size == 0;
}

/* Those of an even number; the rest is for the caller. */
static int64_t store_pairs(const double *from, int64_t n, double *to, int64_t *missing)
{
    __m128i bad = _mm_setzero_si128();
    int64_t i = 0;
    if (!on_edge(to, 16)) return 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k += 2) {
            __m128d x = _mm_loadu_pd(from + i + k);
            bad = count(bad, x);
            _mm_stream_pd(to + i + k, x);
        }
    *missing += counted(bad);
    return i;
}

#ifdef MLI_AVX2
/* The same, a line of the cache at a time. */
MLI_AVX2 static int64_t store_lines(const double *from, int64_t n, const double *next,
                                    double *to, int64_t *missing)
{
    __m256i bad = _mm256_setzero_si256();
    int64_t i = 0, sums[4];
    if (!on_edge(to, 64)) return 0;
    for (; i + 8 <= n; i += 8) {
        __m256d x = _mm256_loadu_pd(from + i), y = _mm256_loadu_pd(from + i + 4);
        if (next) __builtin_prefetch(next + i);
        bad =
            _mm256_add_epi64(bad, _mm256_castpd_si256(_mm256_cmp_pd(x, x, _CMP_UNORD_Q)));
        bad =
            _mm256_add_epi64(bad, _mm256_castpd_si256(_mm256_cmp_pd(y, y, _CMP_UNORD_Q)));
        _mm256_stream_pd(to + i, x);
        _mm256_stream_pd(to + i + 4, y);
    }
    _mm256_storeu_si256((__m256i *)(void *)sums, bad);
    *missing -= sums[0] + sums[1] + sums[2] + sums[3];
    return i;
}
#endif

/* Of two rows at a time. */
static int64_t store_rows(const double *from, int64_t n, int64_t stride,
                          double *const *to, int64_t *missing)
{
    __m128i bad[4];
    int64_t i = 0;
    for (int k = 0; k < 4; k++) {
        if (!on_edge(to[k], 16)) return 0;
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

void mli_store_line(const void *from, int way, void *to)
{
    const __m128i *in = from;
    __m128i *out = to;
    if (way == MLI_STORE_CACHED)
        memcpy(to, from, 64);
    else
        for (int k = 0; k < 4; k++) _mm_stream_si128(out + k, _mm_loadu_si128(in + k));
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

void mli_store_line(const void *from, int way, void *to)
{
    (void)way;
    memcpy(to, from, 64);
}

void mli_store_done(void) {}

#endif

int64_t mli_store_piece(const double *from, int64_t n, const double *next, int way,
                        double *to)
{
    int64_t missing = 0, i = 0;
#ifdef MLI_AVX2
    if (way == MLI_STORE_WIDE) i = store_lines(from, n, next, to, &missing);
#else
    (void)next;
#endif
    if (way && i == 0) i = store_pairs(from, n, to, &missing);
    for (; i < n; i++) {
        to[i] = from[i];
        missing += to[i] != to[i];
    }
    return missing;
}

int64_t mli_store_numbers(const double *from, int64_t n, int64_t stride, int way,
                          double *to)
{
    if (stride == 1) return mli_store_piece(from, n, NULL, way, to);
    int64_t missing = 0;
    for (int64_t i = 0; i < n; i++) {
        to[i] = from[i * stride];
        missing += to[i] != to[i];
    }
    return missing;
}

void mli_store_four(const double *from, int64_t n, int64_t stride, int way,
                    double *const *to, int64_t *missing)
{
    int64_t i = way ? store_rows(from, n, stride, to, missing) : 0;
    for (from += i * stride; i < n; i++, from += stride)
        for (int k = 0; k < 4; k++) {
            to[k][i] = from[k];
            missing[k] += from[k] != from[k];
        }
}

/* ---- looking for missing values ---- */

static int any_missing(const double *x, int64_t n)
{
    int found = 0;
    for (int64_t i = 0; i < n; i++) found |= x[i] != x[i];
    return found;
}

#ifdef MLI_AVX2
MLI_AVX2 static int any_missing_avx2(const double *x, int64_t n)
{
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        __m256d bad = _mm256_setzero_pd();
        for (int k = 0; k < 32; k += 8) {
            __m256d a = _mm256_loadu_pd(x + i + k), b = _mm256_loadu_pd(x + i + k + 4);
            bad = _mm256_or_pd(bad, _mm256_cmp_pd(a, b, _CMP_UNORD_Q));
        }
        if (_mm256_movemask_pd(bad)) return 1;
    }
    return any_missing(x + i, n - i);
}
#endif

int mli_any_missing(const ml_context *ctx, const double *x, int64_t n)
{
#ifdef MLI_AVX2
    if (ctx->cpu_level >= MLI_CPU_AVX2) return any_missing_avx2(x, n);
#else
    (void)ctx;
#endif
    for (int64_t i = 0; i < n; i += 256)
        if (any_missing(x + i, n - i < 256 ? n - i : 256)) return 1;
    return 0;
}
