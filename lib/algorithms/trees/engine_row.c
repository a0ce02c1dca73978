/* SPDX-License-Identifier: MIT
 *
 * trees/engine_row.c: one row through all trees of a part.
 *
 * With AVX2 and at most 32 columns the codes of the row are two registers: a shuffle
 * fetches the codes that 32 nodes ask for, a comparison decides them, and the way through
 * the upper levels is read from the 64 decisions of the tree in one register. What lies
 * below, and everything otherwise, is walked for eight trees at a time.
 */
#include "algorithms/trees/engine_parts.h"
#include <string.h>

#ifdef MLI_X86
#include <immintrin.h>
#endif

#define LANES 8

static uint16_t walk_set(const mli_code_tree *t, const int8_t *codes)
{
    const mli_step *p = t->node;
    while (p->inner) {
        uint8_t code = (uint8_t)codes[p->offset];
        int left = t->sets[32 * (p - t->node) + (code >> 3)] >> (code & 7) & 1;
        p += p->step + !left;
    }
    return (uint16_t)(p - t->node);
}

/* LANES walks at once, each through a tree of its own. */
static inline __attribute__((always_inline)) void walk_lanes(const mli_step **start,
                                                             const int8_t *codes)
{
    const mli_step *p[LANES];
    uint32_t inner;
#pragma GCC unroll 8
    for (int i = 0; i < LANES; i++) p[i] = start[i];
    do {
#pragma GCC unroll 8
        for (int i = 0; i < LANES; i++)
            p[i] += p[i]->step + (codes[p[i]->offset] > p[i]->cut);
        inner = 0;
#pragma GCC unroll 8
        for (int i = 0; i < LANES; i++) {
            p[i] += p[i]->step + (codes[p[i]->offset] > p[i]->cut);
            inner |= p[i]->inner;
        }
    } while (inner);
#pragma GCC unroll 8
    for (int i = 0; i < LANES; i++) start[i] = p[i];
}

/* Leaves of a tree are read by node, whether it walks or not. */
static double leaf_value(const mli_engine *g, int64_t tree, int64_t node)
{
    return g->e.value[g->e.start[tree] + node];
}

static void row_plain(const mli_engine *g, int64_t begin, int64_t end,
                      const int8_t *codes, double *score)
{
    int64_t k = g->e.n_scores;
    for (int64_t t = begin; t < end; t += LANES) {
        const mli_step *p[LANES];
        int64_t n = end - t < LANES ? end - t : LANES;
        for (int64_t i = 0; i < LANES; i++) {
            const mli_code_tree *tree = &g->tree[t + (i < n ? i : 0)];
            p[i] = tree->node + (tree->sets ? walk_set(tree, codes) : 0);
        }
        walk_lanes(p, codes);
        for (int64_t i = 0; i < n; i++)
            score[(t + i) % k] += leaf_value(g, t + i, p[i] - g->tree[t + i].node);
    }
}

#ifdef MLI_X86
typedef struct row_codes {
    __m256i low, high; /* columns 0 .. 15 and 16 .. 31, twice each */
} row_codes;

static inline MLI_AVX2 uint32_t decide(const row_codes *r, const uint8_t *column,
                                       const int8_t *cut)
{
    __m256i c = _mm256_load_si256((const __m256i *)(const void *)column);
    __m256i x = _mm256_load_si256((const __m256i *)(const void *)cut);
    __m256i code =
        _mm256_blendv_epi8(_mm256_shuffle_epi8(r->low, c),
                           _mm256_shuffle_epi8(r->high, c), _mm256_slli_epi16(c, 3));
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(code, x));
}

static inline MLI_AVX2 uint32_t exit_of(const mli_code_tree *t, const row_codes *r)
{
    uint64_t right = decide(r, t->column, t->cut);
    uint64_t at = 1;
    if (t->levels > 5) {
        right |= (uint64_t)decide(r, t->column + 32, t->cut + 32) << 32;
#pragma GCC unroll 6
        for (int i = 0; i < 6; i++) at = 2 * at + ((right >> at) & 1);
        return (uint32_t)at - 64;
    }
    for (int i = 0; i < t->levels; i++) at = 2 * at + ((right >> at) & 1);
    return (uint32_t)at - (1u << t->levels);
}

/* Numbers only, at most 32 columns. */
static MLI_AVX2 void row_avx2(const mli_engine *g, int64_t begin, int64_t end,
                              const int8_t *compact, const int8_t *codes, double *score)
{
    const __m128i *c = (const __m128i *)(const void *)compact;
    row_codes r = {_mm256_broadcastsi128_si256(_mm_loadu_si128(c)),
                   _mm256_broadcastsi128_si256(_mm_loadu_si128(c + 1))};
    int64_t k = g->e.n_scores;
    for (int64_t t = begin; t < end; t += LANES) {
        int64_t n = end - t < LANES ? end - t : LANES, walks = 0;
        uint32_t exit[LANES];
        for (int64_t i = 0; i < n; i++) {
            exit[i] = exit_of(&g->tree[t + i], &r);
            walks |= g->tree[t + i].walks;
        }
        if (walks) {
            const mli_step *p[LANES];
            for (int64_t i = 0; i < LANES; i++) {
                int64_t j = i < n ? i : 0;
                p[i] = g->tree[t + j].node + g->tree[t + j].exit[exit[j]];
            }
            walk_lanes(p, codes);
            for (int64_t i = 0; i < n; i++)
                score[(t + i) % k] += leaf_value(g, t + i, p[i] - g->tree[t + i].node);
        } else {
            for (int64_t i = 0; i < n; i++)
                score[(t + i) % k] += g->tree[t + i].value[exit[i]];
        }
    }
}
#endif

static int all_in_registers(const mli_engine *g, const mli_part *p)
{
    for (int64_t t = p->first; t < p->first + p->n_trees; t++)
        if (!g->tree[t].column) return 0;
    return 1;
}

void mli_engine_row(const mli_engine *g, const mli_part *p, const int8_t *codes,
                    double *score)
{
    int64_t end = p->first + p->n_trees;
#ifdef MLI_X86
    if (g->avx2 && p->n_columns <= 32 && all_in_registers(g, p)) {
        int8_t compact[32] = {0};
        for (int32_t c = 0; c < p->n_columns; c++) compact[c] = codes[c * MLI_TILE];
        row_avx2(g, p->first, end, compact, codes, score);
        return;
    }
#endif
    row_plain(g, p->first, end, codes, score);
}
