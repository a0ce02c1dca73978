/* SPDX-License-Identifier: MIT
 *
 * trees/engine_code.c: rows to codes: for each feature the number of its cuts below the
 * value. With AVX2 by comparing with 16 pivots, then with 16 cuts, at once.
 */
#include "algorithms/trees/engine_parts.h"
#include <math.h>
#include <string.h>

#ifdef MLI_X86
#include <immintrin.h>
#endif

static inline int none(const mli_source *s, double x)
{
    return x != x || (s->zero_missing && fabs(x) <= (double)MLI_ZERO_MISSING);
}

#ifdef MLI_X86
/* Twice the number of 16 values below x. */
static inline MLI_AVX2 int32_t count_f32(const float *v, __m256 x)
{
    __m256 a = _mm256_cmp_ps(_mm256_loadu_ps(v), x, _CMP_LT_OQ);
    __m256 b = _mm256_cmp_ps(_mm256_loadu_ps(v + 8), x, _CMP_LT_OQ);
    __m256i ab = _mm256_packs_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b));
    return _mm_popcnt_u32((uint32_t)_mm256_movemask_epi8(ab));
}

static inline MLI_AVX2 __m256i pair(const double *v, __m256d x)
{
    __m256d a = _mm256_cmp_pd(_mm256_loadu_pd(v), x, _CMP_LT_OQ);
    __m256d b = _mm256_cmp_pd(_mm256_loadu_pd(v + 4), x, _CMP_LT_OQ);
    return _mm256_packs_epi32(_mm256_castpd_si256(a), _mm256_castpd_si256(b));
}

static inline MLI_AVX2 int32_t count_f64(const double *v, __m256d x)
{
    __m256i all = _mm256_packs_epi16(pair(v, x), pair(v + 8, x));
    return _mm_popcnt_u32((uint32_t)_mm256_movemask_epi8(all));
}

#endif

/* One row. */
static inline void put_row(const mli_source *s, int32_t j, int32_t code, int missing,
                           int8_t *codes)
{
    if (j < 32) codes[j] = MLI_CODE(code);
    if (s->low >= 0) codes[32 + s->low] = MLI_CODE(code);
    if (s->high >= 0) codes[32 + s->high] = MLI_CODE(missing ? 255 : code);
}

#define ROW(name, type, below)                                                           \
    static int name(const mli_part *p, const type *row, int8_t *codes)                   \
    {                                                                                    \
        int any = 0;                                                                     \
        for (int32_t j = 0; j < p->n_sources; j++) {                                     \
            const mli_source *s = &p->source[j];                                         \
            type x = row[s->feature];                                                    \
            int missing = none(s, (double)x);                                            \
            int32_t code = s->n_cuts < 0 ? mli_source_bin(s, (double)x)                  \
                           : missing     ? 0                                             \
                                         : below(s, x);                                      \
            any |= missing;                                                              \
            put_row(s, j, code, missing, codes);                                         \
        }                                                                                \
        return any;                                                                      \
    }
ROW(row_f64, double, mli_below_f64)
ROW(row_f32, float, mli_below_f32)

#ifdef MLI_X86
#define WIDE_ROW(name, type, vector, set, count, cuts, pivots)                           \
    static MLI_AVX2 int name(const mli_part *p, const type *row, int8_t *codes)          \
    {                                                                                    \
        int any = 0;                                                                     \
        for (int32_t j = 0; j < p->n_sources; j++) {                                     \
            const mli_source *s = &p->source[j];                                         \
            type x = row[s->feature];                                                    \
            int32_t code;                                                                \
            if (s->n_cuts < 0) {                                                         \
                code = mli_source_bin(s, (double)x);                                     \
            } else {                                                                     \
                if (s->zero_missing && none(s, (double)x)) x = (type)NAN;                \
                vector v = set(x);                                                       \
                int32_t block = s->n_cuts <= 16 ? 0 : count(s->pivots, v);               \
                code = (block * 16 + count(s->cuts + block * 8, v)) >> 1;                \
            }                                                                            \
            any |= x != x;                                                               \
            put_row(s, j, code, x != x, codes);                                          \
        }                                                                                \
        return any;                                                                      \
    }
WIDE_ROW(row_f64_avx2, double, __m256d, _mm256_set1_pd, count_f64, cut, pivot)
WIDE_ROW(row_f32_avx2, float, __m256, _mm256_set1_ps, count_f32, cut32, pivot32)
#else
#define row_f64_avx2 row_f64
#define row_f32_avx2 row_f32
#endif

#ifdef MLI_X86
static MLI_AVX2 int32_t number_avx2(const mli_source *s, double x)
{
    __m256d v = _mm256_set1_pd(x);
    int32_t block = s->n_cuts <= 16 ? 0 : count_f64(s->pivot, v);
    return (block * 16 + count_f64(s->cut + block * 8, v)) >> 1;
}
#else
#define number_avx2 mli_below_f64
#endif

int32_t mli_source_code(const mli_engine *g, const mli_source *s, double x, int *missing)
{
    *missing = none(s, x);
    if (s->n_cuts < 0) return mli_source_bin(s, x);
    if (*missing) return 0;
    return g->avx2 ? number_avx2(s, x) : mli_below_f64(s, x);
}

int mli_engine_code_row(const mli_engine *g, const mli_part *p, const double *row,
                        int8_t *codes)
{
    return g->avx2 ? row_f64_avx2(p, row, codes) : row_f64(p, row, codes);
}

int mli_engine_code_row_f32(const mli_engine *g, const mli_part *p, const float *row,
                            int8_t *codes)
{
    return g->avx2 ? row_f32_avx2(p, row, codes) : row_f32(p, row, codes);
}

#define CODE(name, type, column)                                                         \
    void name(const mli_engine *g, const mli_part *p, const type *rows, int64_t n,       \
              int64_t stride, int8_t *codes)                                             \
    {                                                                                    \
        int64_t tile = (int64_t)p->n_columns * MLI_TILE;                                 \
        _Alignas(32) type x[MLI_TILE] = {0};                                             \
        for (int32_t j = 0; j < p->n_sources; j++) {                                     \
            const mli_source *s = &p->source[j];                                         \
            const type *from = rows + s->feature;                                        \
            for (int64_t begin = 0; begin < n; begin += MLI_TILE) {                      \
                int64_t count = n - begin < MLI_TILE ? n - begin : MLI_TILE;             \
                for (int64_t i = 0; i < count; i++) x[i] = from[i * stride];             \
                column(g, s, x, codes + begin / MLI_TILE * tile);                        \
                from += MLI_TILE * stride;                                               \
            }                                                                            \
        }                                                                                \
    }
CODE(mli_engine_code, double, mli_engine_column)
CODE(mli_engine_code_f32, float, mli_engine_column_f32)

void mli_engine_code_columns(const mli_engine *g, const mli_part *p,
                             const double *const *x, int64_t begin, int64_t n,
                             int8_t *codes)
{
    int64_t tile = (int64_t)p->n_columns * MLI_TILE, whole = n / MLI_TILE;
    double rest[MLI_TILE] = {0};
    for (int32_t j = 0; j < p->n_sources; j++) {
        const mli_source *s = &p->source[j];
        const double *from = x[s->feature] + begin;
        for (int64_t i = 0; i < whole; i++)
            mli_engine_column(g, s, from + i * MLI_TILE, codes + i * tile);
        if (n == whole * MLI_TILE) continue;
        memcpy(rest, from + whole * MLI_TILE, (size_t)(n % MLI_TILE) * sizeof *rest);
        mli_engine_column(g, s, rest, codes + whole * tile);
    }
}
