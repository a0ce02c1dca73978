/* SPDX-License-Identifier: MIT
 *
 * trees/forest_few.c: the best split of a node of up to 64 rows on one feature, for two
 * classes of whole weights, without sorting.
 *
 * The left side of the cut behind a row are the rows whose codes are not larger. Their
 * weight and the weight of those of the second class are summed by comparing all rows
 * with all, eight at a time. The quality is first rated in single precision; cuts whose
 * rating is within its error of the largest are compared exactly, ties going to the
 * smaller code. Rows with missing values are the last, and then once more the first.
 *
 * Cost: n^2 / 8 + n cycles with AVX2. The other form gives the same results.
 */
#include "algorithms/trees/forest.h"
#include "core/cpu.h"
#include <math.h>
#ifdef MLI_AVX2
#include <immintrin.h>
#endif

#define MOST MLI_FOREST_FEW
#define NEAR 0.999998f /* the error of two ratings */

typedef struct few {
    int32_t n, padded; /* padded: to 8 or a multiple of 16, with codes of the first row */
    int32_t weight, second; /* of the node; second: of the second class */
    const uint32_t *pair;   /* [n] */
    int32_t least;          /* rows of either side of a split */
    double min_weight;
    float known; /* rating of the best split so far */
    int32_t key[MOST], sum[MOST], rows[MOST];
} few;

static int is_legal(const few *f, int32_t i)
{
    double w = f->sum[i] & 0xffff;
    if (f->least > 1 && (f->rows[i] < f->least || f->n - f->rows[i] < f->least)) return 0;
    return w >= f->min_weight && f->weight - w >= f->min_weight;
}

static float rate_row(const few *f, int32_t i)
{
    int32_t w = f->sum[i] & 0xffff, s = f->sum[i] >> 16;
    int32_t d = s * f->weight - f->second * w, den = w * (f->weight - w);
    return (float)d * (float)d / (float)(den > 1 ? den : 1);
}

/* Sums, and a bit for each row behind which the best cut may be. */
static uint64_t rate_plain(few *f)
{
    float rating[MOST], top = f->known;
    uint64_t bits = 0;
    for (int32_t i = 0; i < f->padded; i++) {
        f->sum[i] = 0;
        for (int32_t j = 0; j < f->n; j++)
            if (f->key[j] <= f->key[i]) f->sum[i] += (int32_t)f->pair[j];
    }
    for (int32_t i = 0; i < f->padded; i++) {
        rating[i] = is_legal(f, i) ? rate_row(f, i) : -1;
        top = rating[i] > top ? rating[i] : top;
    }
    for (int32_t i = 0; i < f->padded; i++)
        if (rating[i] >= top * NEAR) bits |= UINT64_C(1) << i;
    return bits;
}

#ifdef MLI_AVX2
#define LOAD(p)     _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, x) _mm256_storeu_si256((__m256i *)(void *)(p), x)
#define UNLESS(x)   _mm256_andnot_si256(x, pair) /* the pair, but not of larger keys */

/* Sums of 8, 16, or 32 rows. */
MLI_AVX2 static void sum_one(few *f)
{
    __m256i a = LOAD(f->key), sa = _mm256_setzero_si256();
    for (int32_t j = 0; j < f->n; j++) {
        __m256i k = _mm256_set1_epi32(f->key[j]);
        __m256i pair = _mm256_set1_epi32((int32_t)f->pair[j]);
        sa = _mm256_add_epi32(sa, UNLESS(_mm256_cmpgt_epi32(k, a)));
    }
    STORE(f->sum, sa);
}

MLI_AVX2 static void sum_two(few *f, int32_t at)
{
    __m256i a = LOAD(f->key + at), b = LOAD(f->key + at + 8);
    __m256i sa = _mm256_setzero_si256(), sb = sa;
    for (int32_t j = 0; j < f->n; j++) {
        __m256i k = _mm256_set1_epi32(f->key[j]);
        __m256i pair = _mm256_set1_epi32((int32_t)f->pair[j]);
        sa = _mm256_add_epi32(sa, UNLESS(_mm256_cmpgt_epi32(k, a)));
        sb = _mm256_add_epi32(sb, UNLESS(_mm256_cmpgt_epi32(k, b)));
    }
    STORE(f->sum + at, sa);
    STORE(f->sum + at + 8, sb);
}

MLI_AVX2 static void sum_four(few *f, int32_t at)
{
    __m256i a = LOAD(f->key + at), b = LOAD(f->key + at + 8);
    __m256i c = LOAD(f->key + at + 16), d = LOAD(f->key + at + 24);
    __m256i sa = _mm256_setzero_si256(), sb = sa, sc = sa, sd = sa;
    for (int32_t j = 0; j < f->n; j++) {
        __m256i k = _mm256_set1_epi32(f->key[j]);
        __m256i pair = _mm256_set1_epi32((int32_t)f->pair[j]);
        sa = _mm256_add_epi32(sa, UNLESS(_mm256_cmpgt_epi32(k, a)));
        sb = _mm256_add_epi32(sb, UNLESS(_mm256_cmpgt_epi32(k, b)));
        sc = _mm256_add_epi32(sc, UNLESS(_mm256_cmpgt_epi32(k, c)));
        sd = _mm256_add_epi32(sd, UNLESS(_mm256_cmpgt_epi32(k, d)));
    }
    STORE(f->sum + at, sa);
    STORE(f->sum + at + 8, sb);
    STORE(f->sum + at + 16, sc);
    STORE(f->sum + at + 24, sd);
}

MLI_AVX2 static __m256 rate_eight(const few *f, int32_t at)
{
    __m256i sum = LOAD(f->sum + at);
    __m256i w = _mm256_and_si256(sum, _mm256_set1_epi32(0xffff));
    __m256i weight = _mm256_set1_epi32(f->weight);
    /* pairs of (w, s) by (-second, weight) */
    __m256i d = _mm256_madd_epi16(
        sum, _mm256_set1_epi32(
                 (int32_t)((uint32_t)f->weight << 16 | ((uint32_t)-f->second & 0xffff))));
    __m256i den = _mm256_mullo_epi32(w, _mm256_sub_epi32(weight, w));
    __m256 x = _mm256_cvtepi32_ps(d);
    den = _mm256_max_epi32(den, _mm256_set1_epi32(1));
    return _mm256_div_ps(_mm256_mul_ps(x, x), _mm256_cvtepi32_ps(den));
}

MLI_AVX2 static uint64_t rate_avx2(few *f)
{
    __m256 rating[MOST / 8], top = _mm256_set1_ps(f->known);
    uint64_t bits = 0;
    int32_t at = 0;
    if (f->padded == 8) sum_one(f);
    for (; f->padded - at > 16; at += 32) sum_four(f, at);
    for (; f->padded > 8 && f->padded > at; at += 16) sum_two(f, at);
    for (int32_t i = 0; i < f->padded; i += 8) {
        rating[i / 8] = rate_eight(f, i);
        if (f->least > 1 || f->min_weight > 0) {
            float one[8];
            _mm256_storeu_ps(one, rating[i / 8]);
            for (int32_t k = 0; k < 8; k++) one[k] = is_legal(f, i + k) ? one[k] : -1;
            rating[i / 8] = _mm256_loadu_ps(one);
        }
        top = _mm256_max_ps(top, rating[i / 8]);
    }
    top = _mm256_max_ps(top, _mm256_permute2f128_ps(top, top, 1));
    top = _mm256_max_ps(top, _mm256_shuffle_ps(top, top, 0x4e));
    top = _mm256_max_ps(top, _mm256_shuffle_ps(top, top, 0xb1));
    top = _mm256_mul_ps(top, _mm256_set1_ps(NEAR));
    for (int32_t i = 0; i < f->padded; i += 8)
        bits |= (uint64_t)(uint32_t)_mm256_movemask_ps(
                    _mm256_cmp_ps(rating[i / 8], top, _CMP_GE_OQ))
                << i;
    return bits;
}
#endif

/* Takes the best of the cuts behind some rows when it is better. */
static void compare(const few *f, uint64_t bits, int32_t feature, int missing_left,
                    mli_forest_split *best)
{
    int mine = 0;
    for (; bits; bits &= bits - 1) {
        int32_t i = __builtin_ctzll(bits), w = f->sum[i] & 0xffff, s = f->sum[i] >> 16;
        if (w >= f->weight || f->key[i] < 0 || !is_legal(f, i)) continue;
        double d = (double)(s * f->weight - f->second * w);
        double den = (double)(w * (f->weight - w)), num = d * d;
        double mine_is = best->num * den, it_is = num * best->den;
        if (it_is > mine_is || (mine && it_is == mine_is && f->key[i] < best->last)) {
            best->num = num;
            best->den = den;
            best->feature = feature;
            best->last = (uint16_t)f->key[i];
            best->missing_left = missing_left;
            best->categorical = 0;
            best->threshold = NAN;
            mine = 1;
        }
    }
}

static void look(few *f, int32_t feature, int missing_left, int32_t cpu_level,
                 mli_forest_split *best)
{
    uint64_t bits;
    f->known = best->num > 0 ? (float)(best->num / best->den) : 0;
    for (int32_t i = 0; f->least > 1 && i < f->padded; i++) {
        f->rows[i] = 0;
        for (int32_t j = 0; j < f->n; j++) f->rows[i] += f->key[j] <= f->key[i];
    }
    (void)cpu_level;
#ifdef MLI_AVX2
    if (cpu_level >= MLI_CPU_AVX2)
        bits = rate_avx2(f);
    else
#endif
        bits = rate_plain(f);
    compare(f, bits, feature, missing_left, best);
}

int mli_forest_few(const mli_forest_search *a, int32_t feature, mli_forest_split *best)
{
    const uint16_t *code = a->code + feature * a->ld;
    int32_t low = MLI_CODE_MISSING, high = 0, level = a->codes->ctx->cpu_level;
    few f;
    f.n = (int32_t)a->n;
    f.padded = f.n <= 8 ? 8 : (f.n + 15) / 16 * 16;
    f.weight = (int32_t)a->weight;
    f.second = (int32_t)a->sum;
    f.pair = a->pair;
    f.least = a->options->min_leaf > MOST ? MOST : (int32_t)a->options->min_leaf;
    f.min_weight = a->min_weight;
    for (int32_t i = 0; i < f.n; i++) {
        int32_t k = f.key[i] = code[a->row[i]];
        low = k < low ? k : low;
        high = k > high ? k : high;
    }
    if (low == high) return 0;
    for (int32_t i = f.n; i < f.padded; i++) f.key[i] = f.key[0];
    look(&f, feature, 0, level, best);
    if (high < MLI_CODE_MISSING) return 1;
    for (int32_t i = 0; i < f.padded; i++)
        if (f.key[i] == MLI_CODE_MISSING) f.key[i] = -1;
    look(&f, feature, 1, level, best);
    return 1;
}
