/* SPDX-License-Identifier: MIT
 *
 * trees/engine_tile.c: 32 rows through a tree.
 *
 * The upper levels are a perfect tree of at most 63 nodes. With AVX2 all of them are
 * decided for 32 rows by one comparison of bytes each, and the decisions of a level are
 * chosen by those of the levels above: about 4 instructions per node and 32 rows, where a
 * step of a walk costs 5 per row. Below, eight rows walk at a time, so that the loads of
 * one hide behind those of the others. Leaves lead to themselves, and the walk ends when
 * all eight have arrived.
 */
#include "algorithms/trees/engine_parts.h"
#include <string.h>

#ifdef MLI_X86
#include <immintrin.h>
#endif

#define LANES  8
#define ALWAYS static inline __attribute__((always_inline))

/* LANES rows from the nodes in slot[] on. */
ALWAYS void walk_lanes(const mli_code_tree *t, const int8_t *codes, uint16_t *slot)
{
    const mli_step *p[LANES];
    uint32_t inner;
#pragma GCC unroll 8
    for (int i = 0; i < LANES; i++) p[i] = t->node + slot[i];
    do {
#pragma GCC unroll 8
        for (int i = 0; i < LANES; i++)
            p[i] += p[i]->step + (codes[p[i]->offset + i] > p[i]->cut);
        inner = 0;
#pragma GCC unroll 8
        for (int i = 0; i < LANES; i++) {
            p[i] += p[i]->step + (codes[p[i]->offset + i] > p[i]->cut);
            inner |= p[i]->inner;
        }
    } while (inner);
#pragma GCC unroll 8
    for (int i = 0; i < LANES; i++) slot[i] = (uint16_t)(p[i] - t->node);
}

/* The same by sets of codes. */
ALWAYS void walk_sets(const mli_code_tree *t, int shift, const int8_t *codes,
                      uint16_t *slot)
{
    uint32_t inner;
    do {
        inner = 0;
#pragma GCC unroll 8
        for (int i = 0; i < LANES; i++) {
            const mli_step *p = t->node + slot[i];
            int8_t code = codes[p->offset + i];
            int right = (code > p->cut) | !mli_code_in(t->sets, shift, p->set, code);
            slot[i] = (uint16_t)(slot[i] + p->step + right);
            inner |= t->node[slot[i]].inner;
        }
    } while (inner);
}

static void tile_plain(const mli_engine *g, const mli_code_tree *t, const int8_t *codes,
                       uint16_t *slot)
{
    memset(slot, 0, MLI_TILE * sizeof *slot);
    for (int i = 0; t->levels && i < MLI_TILE; i += LANES) {
        if (t->sets)
            walk_sets(t, g->set_shift, codes + i, slot + i);
        else
            walk_lanes(t, codes + i, slot + i);
    }
}

#ifdef MLI_X86
/* All ones where a row goes left. */
ALWAYS MLI_AVX2 __m256i left(const mli_top *p, const int8_t *codes)
{
    __m256i code = _mm256_load_si256((const __m256i *)(const void *)(codes + p->offset));
    return _mm256_cmpgt_epi8(_mm256_set1_epi32(p->above), code);
}

/* pick_K: of the 2^K nodes from p on, the decision of the one that the decisions m[0 ..
 * K - 1] lead to. */
ALWAYS MLI_AVX2 __m256i pick_1(const mli_top *p, const int8_t *codes, const __m256i *m)
{
    return _mm256_blendv_epi8(left(p + 1, codes), left(p, codes), m[0]);
}
#define PICK(name, half, count)                                                          \
    ALWAYS MLI_AVX2 __m256i name(const mli_top *p, const int8_t *codes,                  \
                                 const __m256i *m)                                       \
    {                                                                                    \
        __m256i a = half(p, codes, m + 1), b = half(p + (count) / 2, codes, m + 1);      \
        return _mm256_blendv_epi8(b, a, m[0]);                                           \
    }
PICK(pick_2, pick_1, 4)
PICK(pick_3, pick_2, 8)
PICK(pick_4, pick_3, 16)
PICK(pick_5, pick_4, 32)

/* The exits of the upper levels: of decisions d = 0 (right) or -1 (left), 2 a + 1 + d is
 * the next place. */
ALWAYS MLI_AVX2 __m256i down(__m256i at, __m256i decision)
{
    return _mm256_add_epi8(_mm256_add_epi8(at, at), decision);
}

static MLI_AVX2 __m256i exits(const mli_code_tree *t, const int8_t *codes)
{
    const mli_top *p = t->top;
    __m256i m[MLI_TOP], at;
    int32_t levels = t->levels;
    if (levels == 0) return _mm256_setzero_si256();
    at = m[0] = left(p, codes);
    if (levels > 1) at = down(at, m[1] = pick_1(p + 1, codes, m));
    if (levels > 2) at = down(at, m[2] = pick_2(p + 3, codes, m));
    if (levels > 3) at = down(at, m[3] = pick_3(p + 7, codes, m));
    if (levels > 4) at = down(at, m[4] = pick_4(p + 15, codes, m));
    if (levels > 5) at = down(at, pick_5(p + 31, codes, m));
    return _mm256_add_epi8(at, _mm256_set1_epi8((int8_t)((1 << levels) - 1)));
}

/* Whether the codes go left at node i of the upper levels. */
static MLI_AVX2 __m256i set_left(const mli_engine *g, const mli_code_tree *t, int32_t i,
                                 const int8_t *codes)
{
    if (!t->set_top[i]) return left(t->top + i, codes);
    const uint8_t *set = t->sets + ((size_t)t->set_top[i] << g->set_shift);
    __m256i low, high;
    if (g->set_shift == 3) {
        long long all;
        memcpy(&all, set, sizeof all);
        low = high = _mm256_set1_epi64x(all);
    } else {
        const __m128i *half = (const __m128i *)(const void *)set;
        low = _mm256_broadcastsi128_si256(_mm_load_si128(half));
        high = _mm256_broadcastsi128_si256(_mm_load_si128(half + 1));
    }
    const __m256i bits = _mm256_set1_epi64x((long long)0x8040201008040201u);
    const int8_t *at = codes + t->top[i].offset;
    __m256i code = _mm256_load_si256((const __m256i *)(const void *)at);
    __m256i byte = _mm256_and_si256(_mm256_srli_epi16(code, 3), _mm256_set1_epi8(31));
    __m256i bit = _mm256_shuffle_epi8(bits, _mm256_and_si256(code, _mm256_set1_epi8(7)));
    __m256i half = _mm256_slli_epi16(byte, 3); /* bit 4 to bit 7 */
    __m256i in = _mm256_blendv_epi8(_mm256_shuffle_epi8(low, byte),
                                    _mm256_shuffle_epi8(high, byte), half);
    return _mm256_cmpeq_epi8(_mm256_and_si256(in, bit), bit);
}

/* Trees with categories: the decisions of a level are folded in memory. */
static MLI_AVX2 __m256i set_exits(const mli_engine *g, const mli_code_tree *t,
                                  const int8_t *codes)
{
    __m256i m[MLI_TOP], d[1 << (MLI_TOP - 1)], at = _mm256_setzero_si256();
    for (int32_t level = 0; level < t->levels; level++) {
        int32_t n = 1 << level;
        for (int32_t i = 0; i < n; i++) d[i] = set_left(g, t, n - 1 + i, codes);
        for (int32_t k = 0; k < level; k++) {
            n /= 2;
            for (int32_t i = 0; i < n; i++)
                d[i] = _mm256_blendv_epi8(d[i + n], d[i], m[k]);
        }
        m[level] = d[0];
        at = down(at, d[0]);
    }
    return _mm256_add_epi8(at, _mm256_set1_epi8((int8_t)((1 << t->levels) - 1)));
}

static MLI_AVX2 void tile_avx2(const mli_engine *g, const mli_code_tree *t,
                               const int8_t *codes, uint16_t *slot)
{
    __m256i at = t->sets ? set_exits(g, t, codes) : exits(t, codes);
    __m256i *to = (__m256i *)(void *)slot;
    _mm256_store_si256(to, _mm256_cvtepu8_epi16(_mm256_castsi256_si128(at)));
    _mm256_store_si256(to + 1, _mm256_cvtepu8_epi16(_mm256_extracti128_si256(at, 1)));
    if (!t->walks) return;
    for (int i = 0; i < MLI_TILE; i++) slot[i] = t->exit[slot[i]];
    for (int i = 0; i < MLI_TILE; i += LANES) {
        if (t->sets)
            walk_sets(t, g->set_shift, codes + i, slot + i);
        else
            walk_lanes(t, codes + i, slot + i);
    }
}
#endif

/* Without AVX2 the walk gives nodes: of trees that do not walk, the exit is meant. */
static void nodes_to_exits(const mli_engine *g, const mli_code_tree *t,
                           const int8_t *codes, uint16_t *slot)
{
    for (int i = 0; i < MLI_TILE; i++) {
        int32_t at = 0;
        for (int32_t k = 0; k < t->levels; k++) {
            const mli_top *p = &t->top[at];
            int8_t code = codes[p->offset + i];
            int left = (int8_t)(p->above & 255) > code;
            if (t->sets && t->set_top[at])
                left = mli_code_in(t->sets, g->set_shift, t->set_top[at], code);
            at = 2 * at + 1 + !left;
        }
        slot[i] = (uint16_t)(at - ((1 << t->levels) - 1));
    }
}

void mli_engine_tile(const mli_engine *g, const mli_code_tree *t, const int8_t *codes,
                     uint16_t *slot)
{
#ifdef MLI_X86
    if (g->avx2) {
        tile_avx2(g, t, codes, slot);
        return;
    }
#endif
    (void)g;
    if (t->walks)
        tile_plain(g, t, codes, slot);
    else
        nodes_to_exits(g, t, codes, slot);
}
