/* SPDX-License-Identifier: MIT
 *
 * trees/forest_divide.c: dividing the rows of a node by a cut of their keys, in order,
 * without branches, and with AVX2 eight rows at a time: a table says for each of the 256
 * patterns of sides which of the eight rows come first.
 *
 * Cost: about 2 cycles per row; 4 without AVX2.
 */
#include "algorithms/trees/forest.h"
#include "core/cpu.h"
#include <string.h>
#ifdef MLI_AVX2
#include <immintrin.h>
#endif

void mli_forest_order(uint64_t order[256])
{
    for (uint64_t bits = 0; bits < 256; bits++) {
        int at = 0;
        order[bits] = 0;
        for (int turn = 1; turn >= 0; turn--)
            for (uint64_t k = 0; k < 8; k++)
                if ((int)(bits >> k & 1) == turn) order[bits] |= k << 8 * at++;
    }
}

static void divide_plain(mli_forest_cut *c)
{
    uint16_t last = 0, next = UINT16_MAX;
    int64_t left = 0;
    for (int64_t i = 0; i < c->n; i++) {
        uint32_t row = c->row[i];
        uint16_t key = c->key[i];
        int goes = key <= c->limit;
        c->row[left] = row;
        c->spare[i - left] = row;
        left += goes;
        last = goes && key > last ? key : last;
        next = !goes && key < next ? key : next;
    }
    c->left = left;
    c->last = last;
    c->next = next;
}

#ifdef MLI_AVX2
typedef struct vectors {
    __m128i limit, last, next;
} vectors;

/* Which of eight keys, of which `valid` are there, come first, as bits. */
MLI_AVX2 static inline uint32_t sides(vectors *v, __m128i key, __m128i valid)
{
    __m128i goes = _mm_cmpeq_epi16(_mm_min_epu16(key, v->limit), key);
    goes = _mm_and_si128(goes, valid);
    v->last = _mm_max_epu16(v->last, _mm_and_si128(goes, key));
    v->next = _mm_min_epu16(
        v->next,
        _mm_or_si128(goes, _mm_or_si128(key, _mm_xor_si128(valid, _mm_set1_epi16(-1)))));
    return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(goes, _mm_setzero_si128()));
}

MLI_AVX2 static inline __m256i in_order(__m256i row, uint64_t order)
{
    __m128i at = _mm_cvtsi64_si128((int64_t)order);
    return _mm256_permutevar8x32_epi32(row, _mm256_cvtepu8_epi32(at));
}

MLI_AVX2 static inline __m256i first_lanes(int64_t n)
{
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)n), lane);
}

/* Fewer than eight rows at the end. */
MLI_AVX2 static void divide_rest(mli_forest_cut *c, vectors *v, int64_t i, int64_t left)
{
    uint16_t keys[8] = {0};
    int64_t n = c->n - i;
    memcpy(keys, c->key + i, (size_t)n * sizeof *keys);
    __m128i key = _mm_loadu_si128((const __m128i *)(const void *)keys);
    __m256i valid = first_lanes(n),
            row = _mm256_maskload_epi32((int *)(c->row + i), valid);
    __m128i near = _mm_packs_epi32(_mm256_castsi256_si128(valid),
                                   _mm256_extracti128_si256(valid, 1));
    uint32_t bits = sides(v, key, near);
    int count = __builtin_popcount(bits);
    __m256i others = in_order(row, c->order[bits ^ ((1u << n) - 1)]);
    _mm256_maskstore_epi32((int *)(c->row + left), first_lanes(count),
                           in_order(row, c->order[bits]));
    _mm256_storeu_si256((__m256i *)(void *)(c->spare + i - left), others);
    c->left = left + count;
}

MLI_AVX2 static void divide_avx2(mli_forest_cut *c)
{
    __m128i all = _mm_set1_epi16(-1);
    vectors v = {_mm_set1_epi16((int16_t)c->limit), _mm_setzero_si128(), all};
    int64_t i = 0, left = 0;
    for (; i + 8 <= c->n; i += 8) {
        __m128i key = _mm_loadu_si128((const __m128i *)(const void *)(c->key + i));
        __m256i row = _mm256_loadu_si256((const __m256i *)(const void *)(c->row + i));
        uint32_t bits = sides(&v, key, all);
        _mm256_storeu_si256((__m256i *)(void *)(c->row + left),
                            in_order(row, c->order[bits]));
        _mm256_storeu_si256((__m256i *)(void *)(c->spare + i - left),
                            in_order(row, c->order[bits ^ 255]));
        left += __builtin_popcount(bits);
    }
    c->left = left;
    if (i < c->n) divide_rest(c, &v, i, left);
    /* The least of x is the largest of ~x. */
    __m128i last = _mm_minpos_epu16(_mm_xor_si128(v.last, all));
    c->last = (uint16_t)~_mm_extract_epi16(last, 0);
    c->next = (uint16_t)_mm_extract_epi16(_mm_minpos_epu16(v.next), 0);
}
#endif

void mli_forest_divide(mli_forest_cut *c, int32_t cpu_level)
{
    (void)cpu_level;
#ifdef MLI_AVX2
    if (cpu_level >= MLI_CPU_AVX2)
        divide_avx2(c);
    else
#endif
        divide_plain(c);
    memcpy(c->row + c->left, c->spare, (size_t)(c->n - c->left) * sizeof *c->row);
}
