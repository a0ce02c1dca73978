/* SPDX-License-Identifier: MIT
 *
 * trees/forest_random.c: a random cut of a node on one feature (Geurts, Ernst and
 * Wehenkel, "Extremely randomized trees", 2006).
 *
 * A cut is uniform between the least and the largest value, so values matter, not their
 * ranks. They are kept as places: floats in the order of the values, which are the values
 * themselves where these are floats. Doubles are moved and scaled first, which keeps them
 * apart down to about 1e-7 of their distance from the one next to zero. Missing values
 * are infinite, and tried on both sides.
 *
 * Only the sums left of the cut are needed. Classes of whole weights are fields of 16 or
 * 32 bits in words of 64: one addition per row and word. Numbers are added in four lanes.
 *
 * Cost: about 2 cycles per row, one of them for fetching the place.
 */
#include "algorithms/trees/forest.h"
#include "core/cpu.h"
#include <float.h>
#include <math.h>
#include <string.h>
#ifdef MLI_AVX2
#include <immintrin.h>
#endif

#define MISSING INFINITY

/* ---- places ---- */

float mli_forest_place(const mli_forest_feature *f, double x)
{
    if (isnan(x)) return MISSING;
    double p = x * f->scale - f->shift;
    return p > FLT_MAX ? FLT_MAX : p < -FLT_MAX ? -FLT_MAX : (float)p;
}

void mli_forest_places(mli_forest_feature *f, const double *x, int64_t n, float *place)
{
    double least = INFINITY, most = -INFINITY;
    int floats = 1, exponent = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i])) continue;
        floats &= (double)(float)x[i] == x[i];
        if (isinf(x[i])) continue;
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    f->scale = 1;
    f->shift = 0;
    if (!floats && least <= most) {
        frexp(fmax(fabs(least), fabs(most)), &exponent);
        f->scale = ldexp(1, exponent < -1000 ? 1000 : -exponent);
        f->shift = f->scale * (least > 0 ? least : most < 0 ? most : 0);
    }
    for (int64_t i = 0; i < n; i++) place[i] = mli_forest_place(f, x[i]);
}

/* The largest value whose place is not above t. */
static double value_of(const mli_forest_feature *f, float t)
{
    if (f->scale == 1 && f->shift == 0) return (double)t;
    double x =
        ((double)t / 2 + (double)nextafterf(t, INFINITY) / 2 + f->shift) / f->scale;
    while (mli_forest_place(f, x) > t) x = nextafter(x, -INFINITY);
    for (double next = nextafter(x, INFINITY); mli_forest_place(f, next) <= t;
         next = nextafter(x, INFINITY))
        x = next;
    return x;
}

/* ---- rows ---- */

/* The least and the largest of n places. */
static void find_range(const float *x, int64_t n, float *low, float *high)
{
    float least = x[0], most = x[0];
    for (int64_t i = 1; i < n; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    *low = least;
    *high = most;
}

/* Sums of the words of the rows up to t. */
static uint64_t add_words(const uint64_t *word, const float *x, int64_t n, float t)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum += word[i] & (0 - (uint64_t)(x[i] <= t));
    return sum;
}

/* Sums of the numbers of the rows up to t, in four lanes. */
static double add_doubles(const double *v, const float *x, int64_t n, float t)
{
    double lane[4] = {0, 0, 0, 0};
    for (int64_t i = 0; i < n; i++) lane[i & 3] += x[i] <= t ? v[i] : 0;
    return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

#ifdef MLI_AVX2
/* n: a multiple of eight, here and below. */
MLI_AVX2 static void range_avx2(const float *x, int64_t n, float *low, float *high)
{
    __m256 least = _mm256_loadu_ps(x), most = least;
    for (int64_t i = 8; i < n; i += 8) {
        __m256 v = _mm256_loadu_ps(x + i);
        least = _mm256_min_ps(least, v);
        most = _mm256_max_ps(most, v);
    }
    least = _mm256_min_ps(least, _mm256_permute2f128_ps(least, least, 1));
    most = _mm256_max_ps(most, _mm256_permute2f128_ps(most, most, 1));
    least = _mm256_min_ps(least, _mm256_shuffle_ps(least, least, 0x4e));
    most = _mm256_max_ps(most, _mm256_shuffle_ps(most, most, 0x4e));
    *low = _mm256_cvtss_f32(_mm256_min_ps(least, _mm256_shuffle_ps(least, least, 0xb1)));
    *high = _mm256_cvtss_f32(_mm256_max_ps(most, _mm256_shuffle_ps(most, most, 0xb1)));
}

/* All ones for each of four rows up to t. */
MLI_AVX2 static inline __m256i goes_four(const float *x, __m128 t)
{
    return _mm256_cvtepi32_epi64(_mm_castps_si128(_mm_cmple_ps(_mm_loadu_ps(x), t)));
}

MLI_AVX2 static uint64_t words_avx2(const uint64_t *word, const float *x, int64_t n,
                                    float cut)
{
    __m256i a = _mm256_setzero_si256(), b = a;
    __m128 t = _mm_set1_ps(cut);
    const __m256i *at = (const __m256i *)(const void *)word;
    for (int64_t i = 0; i < n; i += 8, at += 2) {
        a = _mm256_add_epi64(
            a, _mm256_and_si256(goes_four(x + i, t), _mm256_loadu_si256(at)));
        b = _mm256_add_epi64(
            b, _mm256_and_si256(goes_four(x + i + 4, t), _mm256_loadu_si256(at + 1)));
    }
    a = _mm256_add_epi64(a, b);
    __m128i sum =
        _mm_add_epi64(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    sum = _mm_add_epi64(sum, _mm_unpackhi_epi64(sum, sum));
    return (uint64_t)_mm_cvtsi128_si64(sum);
}

MLI_AVX2 static double doubles_avx2(const double *v, const float *x, int64_t n, float cut)
{
    __m256d sum = _mm256_setzero_pd();
    __m128 t = _mm_set1_ps(cut);
    for (int64_t i = 0; i < n; i += 4)
        sum = _mm256_add_pd(sum, _mm256_and_pd(_mm256_castsi256_pd(goes_four(x + i, t)),
                                               _mm256_loadu_pd(v + i)));
    __m128d half = _mm_add_pd(_mm256_castpd256_pd128(sum), _mm256_extractf128_pd(sum, 1));
    return _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)));
}
#endif

static int is_fast(const mli_forest_search *a)
{
#ifdef MLI_AVX2
    return a->codes->ctx->cpu_level >= MLI_CPU_AVX2;
#else
    (void)a;
    return 0;
#endif
}

/* Places of the node's rows into x, which is padded by missing ones. */
static void fetch(const mli_forest_search *a, int32_t feature, float *low, float *high)
{
    const float *place = a->place + feature * a->ld;
    const uint32_t *row = a->row;
    float *x = a->x;
    int64_t n = a->n, padded = (n + 7) / 8 * 8;
    for (int64_t i = 0; i < n; i++) x[i] = place[row[i]];
    for (int64_t i = n; i < padded; i++) x[i] = x[0];
#ifdef MLI_AVX2
    if (is_fast(a)) range_avx2(x, padded, low, high);
#endif
    if (!is_fast(a)) find_range(x, n, low, high);
    for (int64_t i = n; i < padded; i++) x[i] = MISSING;
}

/* ---- sums ---- */

static uint64_t sum_words(const mli_forest_search *a, const uint64_t *word,
                          const float *x, int64_t n, float t)
{
#ifdef MLI_AVX2
    if (is_fast(a)) return words_avx2(word, x, (n + 7) / 8 * 8, t);
#endif
    (void)a;
    return add_words(word, x, n, t);
}

static double sum_doubles(const mli_forest_search *a, const double *v, float t)
{
#ifdef MLI_AVX2
    if (is_fast(a)) return doubles_avx2(v, a->x, (a->n + 7) / 8 * 8, t);
#endif
    return add_doubles(v, a->x, a->n, t);
}

/* Class weights l of the rows up to t; returns their sum. */
static double left_classes(const mli_forest_search *a, float t, double *l)
{
    int64_t k_n = a->options->classes, fields = k_n == 2 ? 2 : 4;
    int bits = k_n == 2 ? 32 : 16;
    uint64_t mask = (UINT64_C(1) << bits) - 1;
    double sum = 0;
    memset(l, 0, (size_t)k_n * sizeof *l);
    for (int64_t begin = 0; begin < a->n; begin += a->word_rows) {
        int64_t n = a->n - begin < a->word_rows ? a->n - begin : a->word_rows;
        for (int64_t k = 0; k < k_n;) {
            const uint64_t *word = a->word + k / fields * a->word_ld + begin;
            uint64_t all = sum_words(a, word, a->x + begin, n, t);
            for (int64_t end = k + fields; k < k_n && k < end; k++, all >>= bits)
                l[k] += (double)(all & mask);
        }
    }
    for (int64_t k = 0; k < k_n; k++) sum += l[k];
    return sum;
}

/* The same row by row, whatever the target. */
static double left_rows(const mli_forest_search *a, float t, double *l)
{
    int64_t targets = a->options->targets, k_n = targets ? targets : a->options->classes;
    double sum = 0;
    memset(l, 0, (size_t)k_n * sizeof *l);
    for (int64_t i = 0; i < a->n; i++) {
        if (!(a->x[i] <= t)) continue;
        double w = a->counted ? (double)(uint32_t)a->payload[i] : a->w[i];
        sum += w;
        if (targets)
            mli_forest_add_targets(a, (uint64_t)i, l);
        else
            l[a->counted ? (int64_t)(a->payload[i] >> 32) : a->label[i]] += w;
    }
    return sum;
}

static int too_few(const mli_forest_search *a, float t)
{
    int64_t left = 0, least = a->options->min_leaf;
    if (least < 2) return 0;
    for (int64_t i = 0; i < a->n; i++) left += a->x[i] <= t;
    return left < least || a->n - left < least;
}

/* Is the cut behind t better than the best? */
static int rate_cut(const mli_forest_search *a, float t, mli_forest_split *s,
                    const mli_forest_split *best)
{
    double *l = a->left, w, second;
    if (a->scalar && !a->counted) {
        w = sum_doubles(a, a->w, t);
        second = sum_doubles(a, a->s, t);
    } else {
        w = a->word ? left_classes(a, t, l) : left_rows(a, t, l);
        second = l[1];
    }
    if (!(w > 0 && w < a->weight) || mli_forest_too_light(a, w) || too_few(a, t))
        return 0;
    if (a->scalar)
        mli_forest_rate_sums(a, w, second, &s->num, &s->den);
    else
        mli_forest_rate(a, l, w, &s->num, &s->den);
    return s->num * best->den > best->num * s->den;
}

/* ---- a feature ---- */

/* low <= t < high, or all the same. */
static float random_place(float low, float high, double uniform)
{
    float t = (float)((double)low + uniform * ((double)high - (double)low));
    return t < high && t > low ? t : low;
}

static int try_levels(const mli_forest_search *a, int32_t feature, const uint32_t bits[8],
                      mli_forest_split *best)
{
    mli_forest_split s = {.feature = feature, .categorical = 1, .threshold = 0};
    int64_t left = 0;
    for (int64_t i = 0; i < a->n; i++) {
        uint32_t c = (uint32_t)a->x[i], here = bits[c >> 5] >> (c & 31) & 1;
        a->x[i] = here ? 0 : 1;
        left += here;
    }
    /* Sums of weights do not tell: rounding makes that of all rows less than their own.
     */
    if (left == 0 || left == a->n || !rate_cut(a, 0, &s, best)) return 1;
    *best = s;
    memcpy(best->bits, bits, sizeof best->bits);
    return 1;
}

/* A node with missing values: they go right, and then left. */
static int try_missing(const mli_forest_search *a, int32_t feature, float low,
                       double uniform, mli_forest_split *best)
{
    const mli_forest_feature *f = &a->codes->feature[feature];
    mli_forest_split s = {.feature = feature};
    float high = low;
    if (low == MISSING) return 0;
    for (int64_t i = 0; i < a->n; i++)
        if (a->x[i] < MISSING && a->x[i] > high) high = a->x[i];
    float t = random_place(low, high, uniform);
    s.threshold = low < high ? value_of(f, t) : INFINITY;
    if (rate_cut(a, t, &s, best)) *best = s;
    if (low == high) return 1;
    s.missing_left = 1;
    for (int64_t i = 0; i < a->n; i++)
        if (a->x[i] == MISSING) a->x[i] = -MISSING;
    if (rate_cut(a, t, &s, best)) *best = s;
    return 1;
}

int mli_forest_random(const mli_forest_search *a, int32_t feature, double uniform,
                      const uint32_t bits[8], mli_forest_split *best)
{
    const mli_forest_feature *f = &a->codes->feature[feature];
    mli_forest_split s = {.feature = feature};
    float low, high;
    fetch(a, feature, &low, &high);
    if (low == high) return 0;
    if (f->kind == MLI_CATEGORICAL) return try_levels(a, feature, bits, best);
    if (high == MISSING) return try_missing(a, feature, low, uniform, best);
    float t = random_place(low, high, uniform);
    if (!rate_cut(a, t, &s, best)) return 1;
    s.threshold = value_of(f, t);
    *best = s;
    return 1;
}
