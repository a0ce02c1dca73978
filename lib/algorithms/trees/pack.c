/* SPDX-License-Identifier: MIT
 *
 * trees/pack.c: the passes over all gradients before a tree, two or four rows at a time.
 *
 * They are bound by memory: 8 bytes are read per row, and 8 written when rounding. Sums
 * are kept in eight parts, those of rows 4 k, 4 k + 1 and so on, and added up in a fixed
 * order.
 */
#include "algorithms/trees/pack.h"
#include "algorithms/trees/objective.h"
#include "core/cpu.h"
#include <math.h>

/* From row i, a multiple of 4, on. part[2 * k]: of the rows 4 j + k; the squares (also
 * those of hessians, which nobody needs) come after the sums. */
static void sums_from(const float *gh, int64_t i, int64_t n, double part[16])
{
    for (; i < n; i++) {
        double g = (double)gh[2 * i], h = (double)gh[2 * i + 1];
        double *at = part + 2 * (i & 3);
        at[0] += fabs(g);
        at[1] += h;
        at[8] += g * g;
        at[9] += h * h;
    }
}

static uint64_t round_from(const float *gh, int64_t i, int64_t n, double g_scale,
                           double h_scale, uint64_t *out)
{
    uint64_t sum = 0;
    for (; i < n; i++) {
        int32_t g = (int32_t)lrint((double)gh[2 * i] * g_scale);
        int32_t h = h_scale > 0 ? (int32_t)lrint((double)gh[2 * i + 1] * h_scale) : 1;
        sum += out[i] = mli_gh_pack(g, h);
    }
    return sum;
}

static void shares_from(const double *p, const int32_t *label, int32_t k, double factor,
                        int64_t i, int64_t n, float *gh)
{
    for (; i < n; i++)
        mli_put_gradient(gh + 2 * i, 1, p[i] - (label[i] == k),
                         p[i] * (1 - p[i]) * factor);
}

#ifdef MLI_X86
#include <immintrin.h>

MLI_AVX2 static int64_t sums_avx2(const float *gh, int64_t n, double part[16])
{
    const __m256d sign = _mm256_set1_pd(-0.0);
    __m256d a = _mm256_setzero_pd(), b = a, c = a, d = a;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256d x = _mm256_cvtps_pd(_mm_loadu_ps(gh + 2 * i));
        __m256d y = _mm256_cvtps_pd(_mm_loadu_ps(gh + 2 * i + 4));
        a = _mm256_add_pd(a, _mm256_andnot_pd(sign, x));
        b = _mm256_add_pd(b, _mm256_andnot_pd(sign, y));
        c = _mm256_add_pd(c, _mm256_mul_pd(x, x));
        d = _mm256_add_pd(d, _mm256_mul_pd(y, y));
    }
    _mm256_storeu_pd(part, a);
    _mm256_storeu_pd(part + 4, b);
    _mm256_storeu_pd(part + 8, c);
    _mm256_storeu_pd(part + 12, d);
    return i;
}

/* In memory the hessian is the lower half of a word, and comes first. */
MLI_AVX2 static uint64_t round_avx2(const float *gh, int64_t n, double g_scale,
                                    double h_scale, uint64_t *out)
{
    const __m256d scale = _mm256_setr_pd(g_scale, h_scale, g_scale, h_scale);
    const __m128i keep = _mm_set1_epi64x(h_scale > 0 ? -1 : -(INT64_C(1) << 32));
    const __m128i unit = _mm_set1_epi64x(h_scale > 0 ? 0 : 1);
    __m128i sum = _mm_setzero_si128();
    int64_t i = 0;
    for (; i + 2 <= n; i += 2) {
        __m256d x = _mm256_cvtps_pd(_mm_loadu_ps(gh + 2 * i));
        __m128i whole = _mm256_cvtpd_epi32(_mm256_mul_pd(x, scale));
        whole = _mm_shuffle_epi32(whole, _MM_SHUFFLE(2, 3, 0, 1));
        whole = _mm_or_si128(_mm_and_si128(whole, keep), unit);
        _mm_storeu_si128((__m128i *)(void *)(out + i), whole);
        sum = _mm_add_epi64(sum, whole);
    }
    uint64_t both[2];
    _mm_storeu_si128((__m128i *)(void *)both, sum);
    return both[0] + both[1] + round_from(gh, i, n, g_scale, h_scale, out);
}

MLI_AVX2 static int64_t shares_avx2(const double *p, const int32_t *label, int32_t k,
                                    double factor, int64_t n, float *gh)
{
    const __m256d one = _mm256_set1_pd(1), scale = _mm256_set1_pd(factor);
    const __m128i own = _mm_set1_epi32(k);
    const __m128 least = _mm_set1_ps(MLI_SMALLEST_H);
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m128i y = _mm_loadu_si128((const __m128i *)(const void *)(label + i));
        __m256d x = _mm256_loadu_pd(p + i);
        __m256d is = _mm256_castsi256_pd(_mm256_cvtepi32_epi64(_mm_cmpeq_epi32(y, own)));
        __m128 g = _mm256_cvtpd_ps(_mm256_sub_pd(x, _mm256_and_pd(is, one)));
        __m256d both = _mm256_mul_pd(x, _mm256_sub_pd(one, x));
        __m128 h = _mm256_cvtpd_ps(_mm256_mul_pd(both, scale));
        h = _mm_max_ps(h, least); /* least also where h is no number */
        _mm_storeu_ps(gh + 2 * i, _mm_unpacklo_ps(g, h));
        _mm_storeu_ps(gh + 2 * i + 4, _mm_unpackhi_ps(g, h));
    }
    return i;
}
#else
static int64_t shares_avx2(const double *p, const int32_t *label, int32_t k,
                           double factor, int64_t n, float *gh)
{
    (void)p, (void)label, (void)k, (void)factor, (void)n, (void)gh;
    return 0;
}

static int64_t sums_avx2(const float *gh, int64_t n, double part[16])
{
    (void)gh, (void)n, (void)part;
    return 0;
}

static uint64_t round_avx2(const float *gh, int64_t n, double g_scale, double h_scale,
                           uint64_t *out)
{
    return round_from(gh, 0, n, g_scale, h_scale, out);
}
#endif

void mli_pack_sums(int32_t level, const float *gh, int64_t n, double sums[3])
{
    double part[16] = {0};
    int64_t i = level >= MLI_CPU_AVX2 ? sums_avx2(gh, n, part) : 0;
    sums_from(gh, i, n, part);
    for (int32_t k = 0; k < 3; k++) {
        const double *p = part + (k < 2 ? k : 8);
        sums[k] = (p[0] + p[2]) + (p[4] + p[6]);
    }
}

uint64_t mli_pack_round(int32_t level, const float *gh, int64_t n, double g_scale,
                        double h_scale, uint64_t *out)
{
    if (level >= MLI_CPU_AVX2) return round_avx2(gh, n, g_scale, h_scale, out);
    return round_from(gh, 0, n, g_scale, h_scale, out);
}

void mli_pack_shares(int32_t level, const double *p, const int32_t *label, int32_t k,
                     double factor, int64_t n, float *gh)
{
    int64_t i = level >= MLI_CPU_AVX2 ? shares_avx2(p, label, k, factor, n, gh) : 0;
    shares_from(p, label, k, factor, i, n, gh);
}
