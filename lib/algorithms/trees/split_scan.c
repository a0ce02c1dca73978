/* SPDX-License-Identifier: MIT
 *
 * trees/split_scan.c: the gains of all cuts of one numeric column, four at a time with
 * AVX2. All variants do the same operations in the same order: same bits everywhere.
 *
 * With AVX2, gains are first computed in single precision, eight at a time, with a
 * relative error below ROUGH: differences are taken of whole numbers, and no term is
 * negative. Only those close enough to the largest are computed again.
 */
#include "algorithms/trees/split.h"
#include "core/cpu.h"
#include <math.h>

static double soft(double g, double l1)
{
    double t = fabs(g) - l1;
    return t > 0 ? t : 0;
}

/* One division: TL^2 / a + TR^2 / b = (TL^2 b + TR^2 a) / (a b). */
static double both_gains(const mli_scan *s, double gl, double hl)
{
    double tl = soft(gl, s->l1), tr = soft(s->g - gl, s->l1);
    double a = hl + s->l2, b = s->h - hl + s->l2;
    return (tl * tl * b + tr * tr * a) / (a * b);
}

/* A side whose value is bounded: minus twice the change of the loss. */
static double bounded_side(const mli_scan *s, double g, double h, double *value)
{
    double below = h + s->l2, w = soft(g, s->l1) / below;
    w = g > 0 ? -w : w;
    w = w < s->low ? s->low : w;
    *value = w = w > s->high ? s->high : w;
    return -((2 * g + below * w) * w + 2 * s->l1 * fabs(w));
}

static double bounded_gain(const mli_scan *s, double gl, double hl)
{
    double left, right, gain = bounded_side(s, gl, hl, &left);
    gain += bounded_side(s, s->g - gl, s->h - hl, &right);
    return s->monotone * (right - left) < 0 ? -INFINITY : gain;
}

void mli_scan_scalar(const uint64_t *prefix, int32_t first, int32_t last, mli_scan *s)
{
    s->bin = -1;
    for (int32_t i = first; i <= last; i++) {
        double g = mli_gh_g(prefix[i]), h = mli_gh_h(prefix[i]);
        double gain = s->bounded ? bounded_gain(s, g, h) : both_gains(s, g, h);
        if (gain > s->gain) {
            s->gain = gain;
            s->bin = i;
        }
    }
}

double mli_gains_scalar(const uint64_t *cells, int32_t n, const mli_scan *s,
                        int32_t least, int32_t most, double *gain)
{
    double best = -INFINITY;
    for (int32_t i = 0; i < n; i++) {
        int32_t h = mli_gh_h(cells[i]);
        gain[i] =
            h < least || h > most ? -INFINITY : both_gains(s, mli_gh_g(cells[i]), h);
        if (gain[i] > best) best = gain[i];
    }
    return best;
}

/* From cell i on, where sum is that of the cells before. */
static void prefix_from(uint64_t *cells, const uint64_t *small, int32_t i, int32_t n,
                        uint64_t sum, uint64_t *prefix)
{
    for (; i < n; i++) {
        if (small) cells[i] -= small[i];
        prefix[i] = sum += cells[i];
    }
}

void mli_prefix_scalar(uint64_t *cells, const uint64_t *small, int32_t n,
                       uint64_t *prefix)
{
    prefix_from(cells, small, 0, n, 0, prefix);
}

#ifdef MLI_X86
#include <immintrin.h>

/* Four cells at a time: only the sum of all before them waits for the four before. */
MLI_AVX2 void mli_prefix_avx2(uint64_t *cells, const uint64_t *small, int32_t n,
                              uint64_t *prefix)
{
    __m256i before = _mm256_setzero_si256();
    int32_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256i *at = (__m256i *)(void *)(cells + i), x = _mm256_loadu_si256(at);
        if (small) {
            x = _mm256_sub_epi64(
                x, _mm256_loadu_si256((const __m256i *)(const void *)(small + i)));
            _mm256_storeu_si256(at, x);
        }
        x = _mm256_add_epi64(x, _mm256_slli_si256(x, 8));
        __m256i half = _mm256_permute4x64_epi64(x, 0x55);
        x = _mm256_add_epi64(x, _mm256_blend_epi32(_mm256_setzero_si256(), half, 0xf0));
        _mm256_storeu_si256((__m256i *)(void *)(prefix + i), _mm256_add_epi64(x, before));
        before = _mm256_add_epi64(before, _mm256_permute4x64_epi64(x, 0xff));
    }
    prefix_from(cells, small, i, n, i ? prefix[i - 1] : 0, prefix);
}

MLI_AVX2 static inline __m256d soft4(__m256d g, __m256d l1)
{
    __m256d size = _mm256_andnot_pd(_mm256_set1_pd(-0.0), g);
    return _mm256_max_pd(_mm256_sub_pd(size, l1), _mm256_setzero_pd());
}

/* Gradient and hessian sums of four prefixes as doubles. */
MLI_AVX2 static inline void unpack4(const uint64_t *p, __m256d *g, __m256d *h)
{
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i parts =
        _mm256_permutevar8x32_epi32(v, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
    *h = _mm256_cvtepi32_pd(_mm256_castsi256_si128(parts));
    *g = _mm256_cvtepi32_pd(_mm256_extracti128_si256(parts, 1));
}

/* The best of four lanes; the lowest bin on a tie. */
MLI_AVX2 static void best_lane(__m256d gain, __m256d bin, mli_scan *s)
{
    double gains[4], bins[4];
    _mm256_storeu_pd(gains, gain);
    _mm256_storeu_pd(bins, bin);
    s->bin = -1;
    for (int k = 0; k < 4; k++) {
        if (bins[k] < 0) continue;
        int wins = gains[k] > s->gain;
        int ties = s->bin >= 0 && gains[k] == s->gain && bins[k] < s->bin;
        if (!wins && !ties) continue;
        s->gain = gains[k];
        s->bin = (int32_t)bins[k];
    }
}

/* The gains of four prefixes, or of four cells alone; with_l1: it is not 0. */
MLI_AVX2 static inline __attribute__((always_inline)) __m256d
gains4(const uint64_t *p, const mli_scan *s, int with_l1)
{
    const __m256d l1 = _mm256_set1_pd(s->l1), l2 = _mm256_set1_pd(s->l2);
    __m256d tl, hl;
    unpack4(p, &tl, &hl);
    __m256d tr = _mm256_sub_pd(_mm256_set1_pd(s->g), tl);
    if (with_l1) {
        tl = soft4(tl, l1);
        tr = soft4(tr, l1);
    }
    __m256d a = _mm256_add_pd(hl, l2);
    __m256d b = _mm256_add_pd(_mm256_sub_pd(_mm256_set1_pd(s->h), hl), l2);
    __m256d top = _mm256_add_pd(_mm256_mul_pd(_mm256_mul_pd(tl, tl), b),
                                _mm256_mul_pd(_mm256_mul_pd(tr, tr), a));
    return _mm256_div_pd(top, _mm256_mul_pd(a, b));
}

MLI_AVX2 static inline __m256d bounded4(const mli_scan *s, __m256d g, __m256d h,
                                        __m256d *value)
{
    const __m256d sign = _mm256_set1_pd(-0.0), l1 = _mm256_set1_pd(s->l1);
    __m256d below = _mm256_add_pd(h, _mm256_set1_pd(s->l2));
    __m256d w = _mm256_div_pd(soft4(g, l1), below);
    __m256d up = _mm256_cmp_pd(g, _mm256_setzero_pd(), _CMP_GT_OQ);
    w = _mm256_xor_pd(w, _mm256_and_pd(up, sign));
    w = _mm256_max_pd(_mm256_set1_pd(s->low), w);
    *value = w = _mm256_min_pd(_mm256_set1_pd(s->high), w);
    __m256d slope = _mm256_add_pd(_mm256_add_pd(g, g), _mm256_mul_pd(below, w));
    __m256d cost = _mm256_mul_pd(_mm256_set1_pd(2 * s->l1), _mm256_andnot_pd(sign, w));
    return _mm256_xor_pd(_mm256_add_pd(_mm256_mul_pd(slope, w), cost), sign);
}

/* As bounded_gain, of four prefixes. */
MLI_AVX2 static inline __m256d bounded_gains4(const uint64_t *p, const mli_scan *s)
{
    __m256d gl, hl, left, right;
    unpack4(p, &gl, &hl);
    __m256d gain = bounded4(s, gl, hl, &left);
    __m256d gr = _mm256_sub_pd(_mm256_set1_pd(s->g), gl);
    __m256d hr = _mm256_sub_pd(_mm256_set1_pd(s->h), hl);
    gain = _mm256_add_pd(gain, bounded4(s, gr, hr, &right));
    __m256d rise = _mm256_mul_pd(_mm256_set1_pd(s->monotone), _mm256_sub_pd(right, left));
    __m256d wrong = _mm256_cmp_pd(rise, _mm256_setzero_pd(), _CMP_LT_OQ);
    return _mm256_blendv_pd(gain, _mm256_set1_pd(-INFINITY), wrong);
}

/* kind: 0, with_l1 = 1, or bounded = 2. */
MLI_AVX2 static inline __attribute__((always_inline)) void
scan4(const uint64_t *prefix, int32_t first, int32_t last, int kind, mli_scan *s)
{
    const mli_scan leaf = *s;
    __m256d best = _mm256_set1_pd(s->gain), where = _mm256_set1_pd(-1);
    __m256d bin = _mm256_add_pd(_mm256_set1_pd(first), _mm256_setr_pd(0, 1, 2, 3));
    const __m256d end = _mm256_set1_pd(last);
    for (int32_t i = first; i <= last; i += 4) {
        __m256d gain = kind == 2 ? bounded_gains4(prefix + i, &leaf)
                                 : gains4(prefix + i, &leaf, kind);
        __m256d better = _mm256_and_pd(_mm256_cmp_pd(gain, best, _CMP_GT_OQ),
                                       _mm256_cmp_pd(bin, end, _CMP_LE_OQ));
        best = _mm256_blendv_pd(best, gain, better);
        where = _mm256_blendv_pd(where, bin, better);
        bin = _mm256_add_pd(bin, _mm256_set1_pd(4));
    }
    best_lane(best, where, s);
}

/* Where a cell's hessian is below least or above most. */
MLI_AVX2 static inline __m256d outside4(const uint64_t *p, int32_t least, int32_t most)
{
    __m256i h = _mm256_loadu_si256((const __m256i *)(const void *)p);
    h = _mm256_shuffle_epi32(h, _MM_SHUFFLE(2, 2, 0, 0));
    return _mm256_castsi256_pd(
        _mm256_or_si256(_mm256_cmpgt_epi32(_mm256_set1_epi32(least), h),
                        _mm256_cmpgt_epi32(h, _mm256_set1_epi32(most))));
}

MLI_AVX2 double mli_gains_avx2(const uint64_t *cells, int32_t n, const mli_scan *s,
                               int32_t least, int32_t most, double *gain)
{
    const mli_scan leaf = *s;
    const __m256d none = _mm256_set1_pd(-INFINITY);
    __m256d best = none;
    for (int32_t i = 0; i < n; i += 4) {
        __m256d x = gains4(cells + i, &leaf, 1);
        x = _mm256_blendv_pd(x, none, outside4(cells + i, least, most));
        _mm256_storeu_pd(gain + i, x);
        best = _mm256_max_pd(x, best); /* of cells past the last too: only a hint */
    }
    double lanes[4];
    _mm256_storeu_pd(lanes, best);
    return fmax(fmax(lanes[0], lanes[1]), fmax(lanes[2], lanes[3]));
}

#define ROUGH      2e-6
#define MOST_CLOSE 16

typedef struct rough_leaf {
    __m256i g, h;
    __m256 l2;
} rough_leaf;

MLI_AVX2 static inline __m256 rough8(const uint64_t *p, const rough_leaf *leaf)
{
    __m256 a = _mm256_loadu_ps((const float *)(const void *)p);
    __m256 b = _mm256_loadu_ps((const float *)(const void *)(p + 4));
    __m256i h = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
    __m256i g = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd));
    __m256 gl = _mm256_cvtepi32_ps(g);
    __m256 gr = _mm256_cvtepi32_ps(_mm256_sub_epi32(leaf->g, g));
    __m256 hl = _mm256_add_ps(_mm256_cvtepi32_ps(h), leaf->l2);
    __m256 hr = _mm256_add_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(leaf->h, h)), leaf->l2);
    __m256 top = _mm256_add_ps(_mm256_mul_ps(_mm256_mul_ps(gl, gl), hr),
                               _mm256_mul_ps(_mm256_mul_ps(gr, gr), hl));
    __m256d gain = _mm256_castps_pd(_mm256_div_ps(top, _mm256_mul_ps(hl, hr)));
    return _mm256_castpd_ps(_mm256_permute4x64_pd(gain, 0xd8));
}

/* Rough gains of the cuts from first on; the largest. */
MLI_AVX2 static float rough_gains(const uint64_t *prefix, int32_t first, int32_t last,
                                  const mli_scan *s, float *gain)
{
    const rough_leaf leaf = {_mm256_set1_epi32((int32_t)s->g),
                             _mm256_set1_epi32((int32_t)s->h),
                             _mm256_set1_ps((float)s->l2)};
    const __m256 none = _mm256_set1_ps(-INFINITY);
    __m256 best = none;
    int32_t i = first;
    for (; i + 7 <= last; i += 8) {
        __m256 x = rough8(prefix + i, &leaf);
        _mm256_storeu_ps(gain + i - first, x);
        best = _mm256_max_ps(best, x);
    }
    __m256i there = _mm256_cmpgt_epi32(_mm256_set1_epi32(last + 1 - i),
                                       _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    __m256 x = i <= last ? rough8(prefix + i, &leaf) : none;
    x = _mm256_blendv_ps(none, x, _mm256_castsi256_ps(there));
    _mm256_storeu_ps(gain + i - first, x);
    best = _mm256_max_ps(best, x);
    __m128 four =
        _mm_max_ps(_mm256_castps256_ps128(best), _mm256_extractf128_ps(best, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

/* The scan by rough gains; 0: too many are close to the largest. */
MLI_AVX2 static int scan_rough(const uint64_t *prefix, int32_t first, int32_t last,
                               mli_scan *s)
{
    float gain[256 + 16];
    double most = (double)rough_gains(prefix, first, last, s, gain), beat = s->gain;
    if (!(most < 1e37)) return 0;
    s->bin = -1;
    if (!(most * (1 + ROUGH) > beat)) return 1;
    double close = most * (1 - 2 * ROUGH);
    if (close < beat * (1 - ROUGH)) close = beat * (1 - ROUGH);
    const __m256 need = _mm256_set1_ps((float)(close * (1 - ROUGH)));
    uint64_t before = prefix[first] + 1;
    int tried = 0;
    for (int32_t i = first; i <= last; i += 8) {
        __m256 x = _mm256_loadu_ps(gain + i - first);
        uint32_t bits = (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(x, need, _CMP_GE_OQ));
        for (; bits; bits &= bits - 1) {
            int32_t k = i + __builtin_ctz(bits);
            if (prefix[k] == before) continue; /* an empty bin: the same cut */
            before = prefix[k];
            double here = both_gains(s, mli_gh_g(before), mli_gh_h(before));
            if (here > s->gain) {
                s->gain = here;
                s->bin = k;
            }
            if (++tried <= MOST_CLOSE) continue;
            s->gain = beat;
            return 0;
        }
    }
    return 1;
}

MLI_AVX2 void mli_scan_avx2(const uint64_t *prefix, int32_t first, int32_t last,
                            mli_scan *s)
{
    if (!s->bounded && s->l1 == 0 && s->l2 < 0x1p40 && last - first >= 16 &&
        scan_rough(prefix, first, last, s))
        return;
    if (s->bounded)
        scan4(prefix, first, last, 2, s);
    else if (s->l1 > 0)
        scan4(prefix, first, last, 1, s);
    else
        scan4(prefix, first, last, 0, s);
}
#else
void mli_prefix_avx2(uint64_t *cells, const uint64_t *small, int32_t n, uint64_t *prefix)
{
    mli_prefix_scalar(cells, small, n, prefix);
}

void mli_scan_avx2(const uint64_t *prefix, int32_t first, int32_t last, mli_scan *s)
{
    mli_scan_scalar(prefix, first, last, s);
}

double mli_gains_avx2(const uint64_t *cells, int32_t n, const mli_scan *s, int32_t least,
                      int32_t most, double *gain)
{
    return mli_gains_scalar(cells, n, s, least, most, gain);
}
#endif
