/* SPDX-License-Identifier: MIT
 *
 * trees/forest_few.c: the best split of a node of up to 64 rows on one feature, without
 * sorting, for up to eight classes of whole weights and for numbers.
 *
 * The left side of the cut behind a row are the rows whose codes are not larger. What
 * rows have is in one or two words: of two classes the weight and that of the second
 * class, of numbers weight and target, of more classes their weights in bytes. These are
 * summed by comparing all rows with all, eight at a time. The quality is first rated in
 * single precision; cuts whose rating is within its error of the largest are compared
 * exactly, ties going to the smaller code. Rows with missing values are the last, and
 * then once more the first.
 *
 * Cost: n^2 / 8 + n cycles with AVX2, twice that with two words. The other form gives the
 * same results.
 */
#include "algorithms/trees/forest.h"
#include "core/cpu.h"
#include <math.h>
#ifdef MLI_AVX2
#include <immintrin.h>
#endif

#define MOST MLI_FOREST_FEW
#define NEAR 0.999998f /* the error of two ratings */

enum { PAIRS, NUMBERS, CLASSES };

typedef struct few {
    const mli_forest_search *a;
    int kind;
    int32_t n, padded; /* padded: to 8 or a multiple of 16, with codes of the first row */
    int32_t weight, second; /* of the node; second: of the second class, or target */
    uint32_t classes[2];    /* weights of the node */
    const int32_t *word;    /* [n] `step` apart, and without pairs the second behind it */
    int32_t step, least;    /* least: rows of either side of a split */
    double min_weight;
    float known;                              /* rating of the best split so far */
    int32_t key[MOST], sum[MOST], more[MOST]; /* more: of second words */
    int32_t num[MOST], den[MOST];             /* of classes: ratings */
    int16_t enough[MOST]; /* of least > 1: -1 where both sides have as many rows, or 0 */
} few;

static inline uint32_t byte_of(uint32_t word, int32_t k)
{
    return word >> 8 * k & 255;
}

/* Weight of the left side of a cut. */
static int32_t weight_of(const few *f, int32_t i)
{
    if (f->kind == PAIRS) return f->sum[i] & 0xffff;
    if (f->kind == NUMBERS) return f->sum[i];
    uint32_t w = 0;
    for (int32_t k = 0; k < 4; k++)
        w += byte_of((uint32_t)f->sum[i], k) + byte_of((uint32_t)f->more[i], k);
    return (int32_t)w;
}

static int has_limits(const few *f)
{
    return f->least > 1 || f->min_weight > 0;
}

static int is_legal(const few *f, int32_t i)
{
    if (!has_limits(f)) return 1;
    double w = weight_of(f, i);
    if (f->least > 1 && !f->enough[i]) return 0;
    return w >= f->min_weight && f->weight - w >= f->min_weight;
}

/* Sums of the squares of the class weights of both sides, each times the weight of the
 * other, and the product of their weights. */
static void rate_classes(few *f, int32_t i)
{
    uint32_t left = 0, right = 0;
    int32_t w = weight_of(f, i);
    for (int32_t k = 0; k < 8; k++) {
        uint32_t l = byte_of((uint32_t)(k < 4 ? f->sum : f->more)[i], k & 3);
        uint32_t r = byte_of(f->classes[k / 4], k & 3) - l;
        left += l * l;
        right += r * r;
    }
    f->num[i] = (int32_t)left * (f->weight - w) + (int32_t)right * w;
    f->den[i] = w * (f->weight - w);
}

static float rate_row(few *f, int32_t i)
{
    int32_t w = weight_of(f, i);
    if (f->kind == NUMBERS) {
        float x = (float)w, all = (float)f->weight;
        float d = (float)f->more[i] * all - (float)f->second * x;
        float den = x * (float)(f->weight - w); /* exact for a light side */
        return d * d / (den > 1 ? den : 1);
    }
    int32_t den = w * (f->weight - w);
    if (f->kind == CLASSES) {
        rate_classes(f, i);
        return (float)f->num[i] / (float)(den > 1 ? den : 1);
    }
    if (f->a->logs) {
        double num, wide;
        mli_forest_rate_sums(f->a, w, f->sum[i] >> 16, &num, &wide);
        return (float)num;
    }
    int32_t d = (f->sum[i] >> 16) * f->weight - f->second * w;
    return (float)d * (float)d / (float)(den > 1 ? den : 1);
}

/* Sums, and a bit for each row behind which the best cut may be. */
static uint64_t rate_plain(few *f)
{
    float rating[MOST], top = f->known;
    uint64_t bits = 0;
    for (int32_t i = 0; i < f->padded; i++) {
        f->sum[i] = f->more[i] = 0;
        for (int32_t j = 0; j < f->n; j++) {
            const int32_t *word = f->word + j * f->step;
            if (f->key[j] > f->key[i]) continue;
            f->sum[i] += word[0];
            if (f->kind != PAIRS) f->more[i] += word[1];
        }
    }
    for (int32_t i = 0; i < f->padded; i++) {
        rating[i] = is_legal(f, i) ? rate_row(f, i) : -1;
        top = rating[i] > top ? rating[i] : top;
    }
    for (int32_t i = 0; i < f->padded; i++)
        if (rating[i] >= top * NEAR) bits |= UINT64_C(1) << i;
    return bits;
}

static void count_plain(few *f)
{
    for (int32_t i = 0; i < f->padded; i++) {
        int32_t right = 0;
        for (int32_t j = 0; j < f->n; j++) right += f->key[j] > f->key[i];
        f->enough[i] = right >= f->least && f->n - right >= f->least ? -1 : 0;
    }
}

#ifdef MLI_AVX2
#define LOAD(p)     _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, x) _mm256_storeu_si256((__m256i *)(void *)(p), x)

/* Sums of one word or two of 8, 16, or 32 rows, which are that many blocks of eight. */
MLI_AVX2 static inline __attribute__((always_inline)) void
sum_blocks(few *f, int32_t at, const int blocks, const int words)
{
    __m256i key[4], sum[4], more[4];
    const int32_t *word = f->word;
    for (int b = 0; b < blocks; b++) {
        key[b] = LOAD(f->key + at + 8 * b);
        sum[b] = more[b] = _mm256_setzero_si256();
    }
    for (int32_t j = 0; j<f->n; j++, word += words> 1 ? f->step : 1) {
        __m256i own = _mm256_set1_epi32(f->key[j]), x = _mm256_set1_epi32(word[0]), y = x;
        if (words > 1) y = _mm256_set1_epi32(word[1]);
        for (int b = 0; b < blocks; b++) {
            __m256i larger = _mm256_cmpgt_epi32(own, key[b]);
            sum[b] = _mm256_add_epi32(sum[b], _mm256_andnot_si256(larger, x));
            if (words > 1)
                more[b] = _mm256_add_epi32(more[b], _mm256_andnot_si256(larger, y));
        }
    }
    for (int b = 0; b < blocks; b++) {
        STORE(f->sum + at + 8 * b, sum[b]);
        if (words > 1) STORE(f->more + at + 8 * b, more[b]);
    }
}

MLI_AVX2 static void sum_avx2(few *f)
{
    int32_t at = 0, n = f->padded;
    if (f->kind == PAIRS && n == 8) sum_blocks(f, 0, 1, 1);
    if (f->kind != PAIRS && n == 8) sum_blocks(f, 0, 1, 2);
    if (n == 8) return;
    if (f->kind != PAIRS)
        for (; n > at; at += 16) sum_blocks(f, at, 2, 2);
    for (; n - at > 16; at += 32) sum_blocks(f, at, 4, 1);
    if (n > at) sum_blocks(f, at, 2, 1);
}

/* count_plain, sixteen rows at a time: keys need 16 bits. add: 1 where some are -1. */
MLI_AVX2 static void count_avx2(few *f, int32_t add)
{
    int16_t key[MOST] = {0};
    __m256i least = _mm256_set1_epi16((int16_t)f->least), n;
    n = _mm256_set1_epi16((int16_t)f->n);
    for (int32_t i = 0; i < f->padded; i++)
        key[i] = (int16_t)(f->key[i] + add + INT16_MIN);
    for (int32_t at = 0; at < f->padded; at += 16) {
        __m256i own = LOAD(key + at), right = _mm256_setzero_si256();
        for (int32_t j = 0; j < f->n; j++) {
            __m256i other = _mm256_set1_epi16(key[j]);
            right = _mm256_sub_epi16(right, _mm256_cmpgt_epi16(other, own));
        }
        __m256i fewer = _mm256_min_epi16(right, _mm256_sub_epi16(n, right));
        STORE(f->enough + at, _mm256_cmpeq_epi16(_mm256_max_epi16(fewer, least), fewer));
    }
}

/* Of bytes x: their sums, and added to *squares the sums of their squares. */
MLI_AVX2 static __m256i add_bytes(__m256i x, __m256i *squares)
{
    __m256i low = _mm256_and_si256(x, _mm256_set1_epi16(255));
    __m256i high = _mm256_srli_epi16(x, 8), one = _mm256_set1_epi16(1);
    *squares =
        _mm256_add_epi32(*squares, _mm256_add_epi32(_mm256_madd_epi16(low, low),
                                                    _mm256_madd_epi16(high, high)));
    return _mm256_madd_epi16(_mm256_add_epi16(low, high), one);
}

MLI_AVX2 static __m256 rate_eight_classes(few *f, int32_t at)
{
    __m256i left = _mm256_setzero_si256(), right = left;
    __m256i x = LOAD(f->sum + at), y = LOAD(f->more + at);
    __m256i w = add_bytes(x, &left);
    w = _mm256_add_epi32(w, add_bytes(y, &left));
    x = _mm256_sub_epi32(_mm256_set1_epi32((int32_t)f->classes[0]), x);
    y = _mm256_sub_epi32(_mm256_set1_epi32((int32_t)f->classes[1]), y);
    __m256i other = add_bytes(x, &right);
    other = _mm256_add_epi32(other, add_bytes(y, &right));
    __m256i num =
        _mm256_add_epi32(_mm256_mullo_epi32(left, other), _mm256_mullo_epi32(right, w));
    __m256i den = _mm256_mullo_epi32(w, other);
    STORE(f->num + at, num);
    STORE(f->den + at, den);
    den = _mm256_max_epi32(den, _mm256_set1_epi32(1));
    return _mm256_div_ps(_mm256_cvtepi32_ps(num), _mm256_cvtepi32_ps(den));
}

MLI_AVX2 static __m256 rate_eight_numbers(const few *f, int32_t at)
{
    __m256i left = LOAD(f->sum + at);
    __m256i right = _mm256_sub_epi32(_mm256_set1_epi32(f->weight), left);
    __m256 w = _mm256_cvtepi32_ps(left);
    __m256 y = _mm256_cvtepi32_ps(LOAD(f->more + at));
    __m256 all = _mm256_set1_ps((float)f->weight);
    __m256 d = _mm256_sub_ps(_mm256_mul_ps(y, all),
                             _mm256_mul_ps(_mm256_set1_ps((float)f->second), w));
    __m256 den = _mm256_mul_ps(w, _mm256_cvtepi32_ps(right));
    return _mm256_div_ps(_mm256_mul_ps(d, d), _mm256_max_ps(den, _mm256_set1_ps(1)));
}

MLI_AVX2 static __m256 rate_each(few *f, int32_t at)
{
    float rating[8];
    for (int32_t i = 0; i < 8; i++) rating[i] = rate_row(f, at + i);
    return _mm256_loadu_ps(rating);
}

MLI_AVX2 static __m256 rate_eight(few *f, int32_t at)
{
    if (f->kind == NUMBERS) return rate_eight_numbers(f, at);
    if (f->kind == CLASSES) return rate_eight_classes(f, at);
    if (f->a->logs) return rate_each(f, at);
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
    sum_avx2(f);
    for (int32_t i = 0; i < f->padded; i += 8) {
        rating[i / 8] = rate_eight(f, i);
        if (f->least > 1) {
            const void *from = f->enough + i;
            __m256i enough = _mm256_cvtepi16_epi32(_mm_loadu_si128(from));
            rating[i / 8] = _mm256_blendv_ps(_mm256_set1_ps(-1), rating[i / 8],
                                             _mm256_castsi256_ps(enough));
        }
        if (f->min_weight > 0) {
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
        int32_t i = __builtin_ctzll(bits);
        double num, den;
        if (f->key[i] < 0 || !is_legal(f, i)) continue;
        if (f->kind == CLASSES) {
            num = f->num[i];
            den = f->den[i];
        } else {
            mli_forest_rate_sums(f->a, weight_of(f, i),
                                 f->kind == PAIRS ? f->sum[i] >> 16 : f->more[i], &num,
                                 &den);
        }
        if (!(den > 0)) continue;
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
    uint64_t bits = 0;
    f->known = best->num > 0 ? (float)(best->num / best->den) : 0;
    int fast = 0;
    (void)cpu_level;
#ifdef MLI_AVX2
    fast = cpu_level >= MLI_CPU_AVX2;
    if (fast && f->least > 1) count_avx2(f, missing_left);
    if (fast) bits = rate_avx2(f);
#endif
    if (!fast && f->least > 1) count_plain(f);
    if (!fast) bits = rate_plain(f);
    compare(f, bits, feature, missing_left, best);
}

int mli_forest_few(const mli_forest_search *a, int32_t feature, mli_forest_split *best)
{
    const uint16_t *code = a->code + feature * a->ld;
    int32_t low = MLI_CODE_MISSING, high = 0, level = a->codes->ctx->cpu_level;
    few f;
    f.a = a;
    f.kind = a->lane ? NUMBERS : a->few ? CLASSES : PAIRS;
    f.n = (int32_t)a->n;
    f.padded = f.n <= 8 ? 8 : (f.n + 15) / 16 * 16;
    f.weight = (int32_t)a->weight;
    f.second = (int32_t)a->sum;
    f.word =
        a->lane ? a->lane : (const int32_t *)(const void *)(a->few ? a->few : a->pair);
    f.step = a->lane ? 4 : a->few ? 2 : 1;
    f.classes[0] = f.classes[1] = 0;
    for (int32_t i = 0; a->few && i < f.n; i++)
        for (int32_t k = 0; k < 2; k++) f.classes[k] += a->few[2 * i + k];
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
