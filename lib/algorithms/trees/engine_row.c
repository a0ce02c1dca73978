/* SPDX-License-Identifier: MIT
 *
 * trees/engine_row.c: one row through all trees of a part.
 *
 * With AVX2 and at most 32 columns, or 32 features of which none is missing, the codes
 * are two registers. 32 trees go side by side through their upper levels, as 32 rows do
 * through one tree (engine_tile.c): shuffles fetch the codes that the trees ask for, a
 * comparison decides all of them, and a level is chosen by the decisions above it. What
 * lies below, and everything otherwise, is walked for eight trees at a time.
 */
#include "algorithms/trees/engine_parts.h"
#include <string.h>

#ifdef MLI_X86
#include <immintrin.h>
#endif

#define LANES  8
#define ALWAYS static inline __attribute__((always_inline))

/* LANES walks at once, each through a tree of its own. */
ALWAYS void walk_lanes(const mli_step **start, const int8_t *codes)
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
ALWAYS void walk_sets(const mli_step **start, const uint8_t *const *sets, int shift,
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
    if (g->rows) {
        for (int64_t i = 0; i < n; i++) mli_engine_add_row(g, (int64_t)value[i], score);
        return;
    }
    /* Sums in memory would wait for themselves longer than an addition takes. */
    if (k == 1 && g->float_leaves) {
        float sum = (float)*score;
        for (int64_t i = 0; i < n; i++) sum += (float)value[i];
        *score = (double)sum;
        return;
    }
    if (k == 1) {
        double sum = *score;
        for (int64_t i = 0; i < n; i++) sum = mli_ensemble_sum(&g->e, sum, value[i]);
        *score = sum;
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        score[at] = mli_ensemble_sum(&g->e, score[at], value[i]);
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

/* Of 32 trees, all ones where the row goes right at a node. */
ALWAYS MLI_AVX2 __m256i right(const int8_t *ask, const row_codes *r)
{
    const __m256i *p = (const __m256i *)(const void *)ask;
    __m256i c = _mm256_load_si256(p);
    __m256i code =
        _mm256_blendv_epi8(_mm256_shuffle_epi8(r->low, c),
                           _mm256_shuffle_epi8(r->high, c), _mm256_slli_epi16(c, 3));
    return _mm256_cmpgt_epi8(code, _mm256_load_si256(p + 1));
}

/* pick_K: of the 2^K nodes from `ask` on, the decision of the one that the decisions m[0
 * .. K - 1] lead to. */
ALWAYS MLI_AVX2 __m256i pick_1(const int8_t *ask, const row_codes *r, const __m256i *m)
{
    return _mm256_blendv_epi8(right(ask, r), right(ask + 2 * MLI_TILE, r), m[0]);
}
#define PICK(name, half, count)                                                          \
    ALWAYS MLI_AVX2 __m256i name(const int8_t *ask, const row_codes *r,                  \
                                 const __m256i *m)                                       \
    {                                                                                    \
        __m256i a = half(ask, r, m + 1);                                                 \
        __m256i b = half(ask + (count)*MLI_TILE, r, m + 1);                              \
        return _mm256_blendv_epi8(a, b, m[0]);                                           \
    }
PICK(pick_2, pick_1, 4)
PICK(pick_3, pick_2, 8)
PICK(pick_4, pick_3, 16)
PICK(pick_5, pick_4, 32)

/* A place and a decision (0 or -1) to the place below. */
ALWAYS MLI_AVX2 __m256i down(__m256i at, __m256i decision)
{
    return _mm256_sub_epi8(_mm256_add_epi8(at, at), decision);
}

/* The exits of the upper levels of 32 trees. */
static MLI_AVX2 void exits_of(const mli_code_group *g, const row_codes *r, uint8_t *exit)
{
    const int node = 2 * MLI_TILE;
    const int8_t *p = g->ask;
    __m256i m[MLI_TOP], at = _mm256_setzero_si256();
    if (g->levels > 0) at = down(at, m[0] = right(p, r));
    if (g->levels > 1) at = down(at, m[1] = pick_1(p + node, r, m));
    if (g->levels > 2) at = down(at, m[2] = pick_2(p + 3 * node, r, m));
    if (g->levels > 3) at = down(at, m[3] = pick_3(p + 7 * node, r, m));
    if (g->levels > 4) at = down(at, m[4] = pick_4(p + 15 * node, r, m));
    if (g->levels > 5) at = down(at, pick_5(p + 31 * node, r, m));
    _mm256_store_si256((__m256i *)(void *)exit, at);
}

/* LANES trees, of which n are, from their exits on. */
static void walk_down(const mli_engine *g, int64_t tree, int64_t n, const uint8_t *exit,
                      const int8_t *codes, double *value)
{
    const mli_step *p[LANES];
    for (int64_t i = 0; i < LANES; i++) {
        const mli_code_tree *t = &g->tree[tree + (i < n ? i : 0)];
        p[i] = t->node + t->exit[exit[i < n ? i : 0] >> (MLI_TOP - t->levels)];
    }
    walk_lanes(p, codes);
    for (int64_t i = 0; i < n; i++)
        value[i] = leaf_value(g, tree + i, p[i] - g->tree[tree + i].node);
}

/* Numbers only; few: the codes that the groups ask for, 32 at most. */
static MLI_AVX2 void row_avx2(const mli_engine *g, const mli_part *p, const int8_t *few,
                              const int8_t *codes, double *score)
{
    const __m128i *c = (const __m128i *)(const void *)few;
    row_codes r = {_mm256_broadcastsi128_si256(_mm_loadu_si128(c)),
                   _mm256_broadcastsi128_si256(_mm_loadu_si128(c + 1))};
    for (int64_t begin = 0; begin < p->n_trees; begin += MLI_TILE) {
        const mli_code_group *group = &p->group[begin / MLI_TILE];
        int64_t n = p->n_trees - begin, t = p->first + begin;
        _Alignas(32) uint8_t exit[MLI_TILE];
        double value[MLI_TILE];
        if (n > MLI_TILE) n = MLI_TILE;
        exits_of(group, &r, exit);
        if (group->walks) {
            for (int64_t i = 0; i < n; i += LANES)
                walk_down(g, t + i, n - i < LANES ? n - i : LANES, exit + i, codes,
                          value + i);
        } else {
            for (int64_t i = 0; i < n; i++)
                value[i] = group->value[(i << group->levels) + exit[i]];
        }
        add_values(g, t, n, value, score);
    }
}
#endif

void mli_engine_row(const mli_engine *g, const mli_part *p, const int8_t *codes,
                    int missing, double *score)
{
#ifdef MLI_X86
    int by_column = p->n_columns <= 32;
    if (g->avx2 && p->group && (by_column || !missing)) {
        row_avx2(g, p, by_column ? codes + 32 : codes, codes + 32, score);
        return;
    }
#endif
    (void)missing;
    row_plain(g, p->first, p->first + p->n_trees, codes + 32, score);
}
