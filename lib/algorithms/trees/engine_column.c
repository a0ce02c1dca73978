/* SPDX-License-Identifier: MIT
 *
 * trees/engine_column.c: 32 values of a feature to codes: the number of its cuts below
 * each.
 *
 * With AVX2 a value is first put into one of 512 buckets, 8 or 4 values at a time, by a
 * linear function whose steps depend on the value alone. A table says how many cuts lie
 * in the buckets before; those of its own, 8 at most, are compared at once. Since
 * rounding keeps order, this is exact whatever the function. Where the cuts are spread so
 * unevenly that a bucket has more, 16 pivots are compared, then the 16 cuts between two
 * of them.
 */
#include "algorithms/trees/engine_parts.h"
#include <math.h>
#include <string.h>

#ifdef MLI_X86
#include <immintrin.h>
#endif

#define BUCKETS 512
#define WINDOW  8 /* cuts of a bucket, at most */
#define OUTSIDE 6 /* cuts below all others or above, which the function leaves out */

/* ---- making ---- */

/* Fills low, scale and first of a bucketing; 0: no memory. */
#define MAKE(name, type, cuts, field)                                                    \
    static int name(mli_arena *arena, mli_source *s)                                     \
    {                                                                                    \
        const type *cut = s->cuts;                                                       \
        int32_t n = s->n_cuts, skip = n > 4 * OUTSIDE ? OUTSIDE : 0, counts[BUCKETS];    \
        if (n <= WINDOW) return 1;                                                       \
        type low = cut[skip], wide = cut[n - 1 - skip] - low;                            \
        type scale = (BUCKETS - 1) / wide;                                               \
        if (!(wide > 0) || !isfinite(scale) || !(scale > 0)) return 1;                   \
        memset(counts, 0, sizeof counts);                                                \
        for (int32_t i = 0; i < n; i++) {                                                \
            type at = (cut[i] - low) * scale;                                            \
            int32_t b = at > 0 ? at < BUCKETS - 1 ? (int32_t)at : BUCKETS - 1 : 0;       \
            if (++counts[b] > WINDOW) return 1;                                          \
        }                                                                                \
        uint8_t *first = mli_arena_take(arena, BUCKETS, 1);                              \
        if (!first) return 0;                                                            \
        for (int32_t i = 0, sum = 0; i < BUCKETS; sum += counts[i++])                    \
            first[i] = (uint8_t)sum;                                                     \
        s->field.low = low;                                                              \
        s->field.scale = scale;                                                          \
        s->field.first = first;                                                          \
        return 1;                                                                        \
    }
MAKE(make_f64, double, cut, bucket)
MAKE(make_f32, float, cut32, bucket32)

int mli_source_buckets(mli_arena *arena, mli_source *s)
{
    return make_f64(arena, s) && make_f32(arena, s);
}

/* ---- without vectors ---- */

#define PLAIN(name, type, below)                                                         \
    static void name(const mli_source *s, const type *x, int8_t *code)                   \
    {                                                                                    \
        for (int i = 0; i < MLI_TILE; i++) code[i] = MLI_CODE(below(s, x[i]));           \
    }
PLAIN(numbers_f64, double, mli_below_f64)
PLAIN(numbers_f32, float, mli_below_f32)

/* ---- with vectors ---- */

#ifdef MLI_X86
static inline MLI_AVX2 int32_t count_f32(const float *cut, __m256 x)
{
    __m256 below = _mm256_cmp_ps(_mm256_loadu_ps(cut), x, _CMP_LT_OQ);
    return _mm_popcnt_u32((uint32_t)_mm256_movemask_ps(below));
}

static inline MLI_AVX2 int32_t count_f64(const double *cut, __m256d x)
{
    __m256d a = _mm256_cmp_pd(_mm256_loadu_pd(cut), x, _CMP_LT_OQ);
    __m256d b = _mm256_cmp_pd(_mm256_loadu_pd(cut + 4), x, _CMP_LT_OQ);
    int low = _mm256_movemask_pd(a), high = _mm256_movemask_pd(b);
    return _mm_popcnt_u32((uint32_t)(low | high << 4));
}

static inline MLI_AVX2 void buckets_f32(const mli_bucket32 *b, const float *x,
                                        int32_t *at)
{
    __m256 low = _mm256_set1_ps(b->low), scale = _mm256_set1_ps(b->scale);
    __m256 most = _mm256_set1_ps(BUCKETS - 1);
    for (int i = 0; i < MLI_TILE; i += 8) {
        __m256 v = _mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(x + i), low), scale);
        v = _mm256_min_ps(_mm256_max_ps(v, _mm256_setzero_ps()), most); /* NaN: 0 */
        _mm256_store_si256((__m256i *)(void *)(at + i), _mm256_cvttps_epi32(v));
    }
}

static inline MLI_AVX2 void buckets_f64(const mli_bucket *b, const double *x, int32_t *at)
{
    __m256d low = _mm256_set1_pd(b->low), scale = _mm256_set1_pd(b->scale);
    __m256d most = _mm256_set1_pd(BUCKETS - 1);
    for (int i = 0; i < MLI_TILE; i += 4) {
        __m256d v = _mm256_mul_pd(_mm256_sub_pd(_mm256_loadu_pd(x + i), low), scale);
        v = _mm256_min_pd(_mm256_max_pd(v, _mm256_setzero_pd()), most);
        _mm_store_si128((__m128i *)(void *)(at + i), _mm256_cvttpd_epi32(v));
    }
}

#define WIDE(name, type, spread, count, cuts, pivots, field, buckets)                    \
    static MLI_AVX2 void name(const mli_source *s, const type *x, int8_t *code)          \
    {                                                                                    \
        _Alignas(32) int32_t at[MLI_TILE];                                               \
        const uint8_t *first = s->field.first;                                           \
        const type *cut = s->cuts;                                                       \
        if (s->n_cuts <= WINDOW) {                                                       \
            for (int i = 0; i < MLI_TILE; i++)                                           \
                code[i] = MLI_CODE(count(cut, spread(x[i])));                            \
            return;                                                                      \
        }                                                                                \
        if (first) {                                                                     \
            buckets(&s->field, x, at);                                                   \
            _Pragma("GCC unroll 4") for (int i = 0; i < MLI_TILE; i++)                   \
            {                                                                            \
                int32_t n = first[at[i]];                                                \
                code[i] = MLI_CODE(n + count(cut + n, spread(x[i])));                    \
            }                                                                            \
            return;                                                                      \
        }                                                                                \
        for (int i = 0; i < MLI_TILE; i++) {                                             \
            int32_t n = 16 * (count(s->pivots, spread(x[i])) +                           \
                              count(s->pivots + WINDOW, spread(x[i])));                  \
            n += count(cut + n, spread(x[i])) + count(cut + n + WINDOW, spread(x[i]));   \
            code[i] = MLI_CODE(n);                                                       \
        }                                                                                \
    }
WIDE(wide_f64, double, _mm256_set1_pd, count_f64, cut, pivot, bucket, buckets_f64)
WIDE(wide_f32, float, _mm256_set1_ps, count_f32, cut32, pivot32, bucket32, buckets_f32)
#else
#define wide_f64 numbers_f64
#define wide_f32 numbers_f32
#endif

/* ---- the whole ---- */

#define COLUMN(name, type, plain, wide)                                                  \
    void name(const mli_engine *g, const mli_source *s, const type *x, int8_t *codes)    \
    {                                                                                    \
        int8_t *low = codes + (s->low < 0 ? s->high : s->low) * MLI_TILE;                \
        int8_t *high = codes + s->high * MLI_TILE;                                       \
        type kept[MLI_TILE];                                                             \
        if (s->n_cuts < 0) {                                                             \
            for (int i = 0; i < MLI_TILE; i++)                                           \
                low[i] = MLI_CODE(mli_source_bin(s, (double)x[i]));                      \
            return;                                                                      \
        }                                                                                \
        if (s->zero_missing) {                                                           \
            for (int i = 0; i < MLI_TILE; i++)                                           \
                kept[i] =                                                                \
                    fabs((double)x[i]) <= (double)MLI_ZERO_MISSING ? (type)NAN : x[i];   \
            x = kept;                                                                    \
        }                                                                                \
        if (g->avx2)                                                                     \
            wide(s, x, low);                                                             \
        else                                                                             \
            plain(s, x, low);                                                            \
        if (s->high < 0) return;                                                         \
        if (high != low) memcpy(high, low, MLI_TILE);                                    \
        int missing = 0;                                                                 \
        for (int i = 0; i < MLI_TILE; i++) missing |= x[i] != x[i];                      \
        for (int i = 0; missing && i < MLI_TILE; i++)                                    \
            if (x[i] != x[i]) high[i] = MLI_CODE(255);                                   \
    }
COLUMN(mli_engine_column, double, numbers_f64, wide_f64)
COLUMN(mli_engine_column_f32, float, numbers_f32, wide_f32)
