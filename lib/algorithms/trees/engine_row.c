/* SPDX-License-Identifier: MIT
 *
 * trees/engine_row.c: one row through all trees of a part.
 *
 * With AVX2 and at most 32 columns, or 32 features of which none is missing, the codes
 * are two registers: a shuffle fetches the codes that 32 nodes ask for, a comparison
 * decides them, and the way through the upper levels is read from the 64 decisions of the
 * tree in one register. What lies below, and everything otherwise, is walked for eight
 * trees at a time.
 */
#include "algorithms/trees/engine_parts.h"
#include <string.h>

#ifdef MLI_X86
#include <immintrin.h>
#endif

#define LANES 8

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
            p[i] += p[i]->step + (codes[p[i]->offset / MLI_TILE] > p[i]->cut);
        inner = 0;
#pragma GCC unroll 8
        for (int i = 0; i < LANES; i++) {
            p[i] += p[i]->step + (codes[p[i]->offset / MLI_TILE] > p[i]->cut);
            inner |= p[i]->inner;
        }
    } while (inner);
#pragma GCC unroll 8
    for (int i = 0; i < LANES; i++) start[i] = p[i];
}

/* The same with sets, those of lane i at sets[i]. */
static inline __attribute__((always_inline)) void walk_sets(const mli_step **start,
                                                            const uint8_t *const *sets,
                                                            int shift,
                                                            const int8_t *codes)
{
    const mli_step *p[LANES];
    uint32_t inner;
#pragma GCC unroll 8
    for (int i = 0; i < LANES; i++) p[i] = start[i];
    do {
        inner = 0;
#pragma GCC unroll 8
        for (int i = 0; i < LANES; i++) {
            int8_t code = codes[p[i]->offset / MLI_TILE];
            int in = mli_code_in(sets[i], shift, p[i]->set, code);
            p[i] += p[i]->step + ((code > p[i]->cut) | !in);
            inner |= p[i]->inner;
        }
    } while (inner);
#pragma GCC unroll 8
    for (int i = 0; i < LANES; i++) start[i] = p[i];
}

/* Adds the values of n trees from tree t on, in order. */
static inline void add_values(const mli_engine *g, int64_t t, int64_t n,
                              const double *value, double *score)
{
    int64_t k = g->e.n_scores, at = k == 1 ? 0 : t % k;
    for (int64_t i = 0; i < n; i++) {
        score[at] += value[i];
        if (++at == k) at = 0;
    }
}

/* Leaves of a tree are read by node, whether it walks or not. */
static double leaf_value(const mli_engine *g, int64_t tree, int64_t node)
{
    return g->e.value[g->e.start[tree] + node];
}

static void row_plain(const mli_engine *g, int64_t begin, int64_t end,
                      const int8_t *codes, double *score)
{
    static const uint8_t all[32] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                                    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                                    255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    for (int64_t t = begin; t < end; t += LANES) {
        const mli_step *p[LANES];
        const uint8_t *sets[LANES];
        int64_t n = end - t < LANES ? end - t : LANES, with_sets = 0;
        for (int64_t i = 0; i < LANES; i++) {
            const mli_code_tree *tree = &g->tree[t + (i < n ? i : 0)];
            p[i] = tree->node;
            sets[i] = tree->sets ? tree->sets : all;
            with_sets += tree->sets != NULL;
        }
        if (!with_sets)
            walk_lanes(p, codes);
        else if (g->set_shift == 3)
            walk_sets(p, sets, 3, codes);
        else
            walk_sets(p, sets, 5, codes);
        double value[LANES];
        for (int64_t i = 0; i < n; i++)
            value[i] = leaf_value(g, t + i, p[i] - g->tree[t + i].node);
        add_values(g, t, n, value, score);
    }
}

#ifdef MLI_X86
typedef struct row_codes {
    __m256i low, high; /* columns or sources 0 .. 15 and 16 .. 31, twice each */
} row_codes;

static inline MLI_AVX2 uint32_t decide(const row_codes *r, const uint8_t *source,
                                       const int8_t *cut)
{
    __m256i c = _mm256_load_si256((const __m256i *)(const void *)source);
    __m256i x = _mm256_load_si256((const __m256i *)(const void *)cut);
    __m256i code =
        _mm256_blendv_epi8(_mm256_shuffle_epi8(r->low, c),
                           _mm256_shuffle_epi8(r->high, c), _mm256_slli_epi16(c, 3));
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(code, x));
}

static inline MLI_AVX2 uint32_t exit_of(const mli_code_tree *t, const row_codes *r)
{
    uint64_t right = decide(r, t->source, t->cut);
    uint64_t at = 1;
    if (t->levels > 5) {
        right |= (uint64_t)decide(r, t->source + 32, t->cut + 32) << 32;
#pragma GCC unroll 6
        for (int i = 0; i < 6; i++) at = 2 * at + ((right >> at) & 1);
        return (uint32_t)at - 64;
    }
    for (int i = 0; i < t->levels; i++) at = 2 * at + ((right >> at) & 1);
    return (uint32_t)at - (1u << t->levels);
}

/* Numbers only; few: the codes that `source` of the trees means, 32 at most. */
static MLI_AVX2 void row_avx2(const mli_engine *g, int64_t begin, int64_t end,
                              const int8_t *few, const int8_t *codes, double *score)
{
    const __m128i *c = (const __m128i *)(const void *)few;
    row_codes r = {_mm256_broadcastsi128_si256(_mm_loadu_si128(c)),
                   _mm256_broadcastsi128_si256(_mm_loadu_si128(c + 1))};
    for (int64_t t = begin; t < end; t += LANES) {
        int64_t n = end - t < LANES ? end - t : LANES, walks = 0;
        uint32_t exit[LANES];
        double value[LANES];
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
                value[i] = leaf_value(g, t + i, p[i] - g->tree[t + i].node);
        } else {
            for (int64_t i = 0; i < n; i++) value[i] = g->tree[t + i].value[exit[i]];
        }
        add_values(g, t, n, value, score);
    }
}
#endif

void mli_engine_row(const mli_engine *g, const mli_part *p, const int8_t *codes,
                    int missing, double *score)
{
    int64_t end = p->first + p->n_trees;
#ifdef MLI_X86
    int by_column = p->n_columns <= 32;
    if (g->avx2 && p->in_registers && (by_column || !missing)) {
        row_avx2(g, p->first, end, by_column ? codes + 32 : codes, codes + 32, score);
        return;
    }
#endif
    (void)missing;
    row_plain(g, p->first, end, codes + 32, score);
}
