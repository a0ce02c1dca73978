/* SPDX-License-Identifier: MIT
 *
 * trees/engine_fold.c: trees of up to 256 leaves, of any depth, for 32 rows at once.
 *
 * From the leaves up, each node takes what its left or right child has, a comparison and
 * a blend of bytes: the number of the leaf below it that each row reaches. That is at
 * most 10 instructions per node and 32 rows whatever the depth, where a step of a walk
 * costs 5 per row, and no load waits for another. Two tiles at a time share half of them.
 */
#include "algorithms/trees/engine_parts.h"
#include <string.h>

#ifdef MLI_X86
#include <immintrin.h>
#endif

#define ALWAYS static inline __attribute__((always_inline))

/* A node of a perfect tree costs four fifths of one here. */
static int worth(const mli_code_tree *t, int64_t inner)
{
    if (t->sets || !inner || inner >= MLI_FOLD_LEAVES) return 0;
    return t->walks || inner * 5 < (4 << t->levels);
}

/* Children come after their parents: from the last node on, all are met before. A result
 * takes the place of one that it is made from. Pairs of leaves come first. */
static int32_t fill(const mli_code_tree *t, int64_t nodes, const double *value,
                    uint16_t *cell, mli_fold *fold, double *leaf)
{
    int32_t pairs = 0, leaves;
    for (int64_t i = nodes - 1; i >= 0; i--) {
        const mli_step *node = &t->node[i];
        int64_t left = i + node->step;
        cell[i] = UINT16_MAX;
        if (!node->inner || t->node[left].inner || t->node[left + 1].inner) continue;
        fold->above = mli_code_repeat(node->cut + 1);
        fold->offset = node->offset;
        leaf[2 * pairs] = value[left];
        leaf[2 * pairs + 1] = value[left + 1];
        cell[i] = (uint16_t)(MLI_FOLD_LEAVES + pairs++);
        cell[left] = cell[left + 1] = 0;
        fold++;
    }
    leaves = 2 * pairs;
    for (int64_t i = nodes - 1; i >= 0; i--) {
        const mli_step *node = &t->node[i];
        int64_t left = i + node->step;
        if (cell[i] != UINT16_MAX) continue;
        if (!node->inner) {
            cell[i] = (uint16_t)leaves;
            leaf[leaves++] = value[i];
            continue;
        }
        fold->above = mli_code_repeat(node->cut + 1);
        fold->offset = node->offset;
        fold->left = cell[left];
        fold->right = cell[left + 1];
        fold->to = cell[left + !t->node[left].inner];
        cell[i] = fold->to;
        fold++;
    }
    return pairs;
}

int mli_part_folds(mli_engine *g, const mli_part *p)
{
    uint16_t cell[2 * MLI_FOLD_LEAVES];
    for (int64_t i = p->first; g->avx2 && i < p->first + p->n_trees; i++) {
        mli_code_tree *t = &g->tree[i];
        int64_t first = g->e.start[i], nodes = g->e.start[i + 1] - first;
        int64_t inner = nodes / 2;
        if (!worth(t, inner)) continue;
        mli_fold *fold = mli_arena_take(&g->arena, inner, sizeof *fold);
        double *leaf = mli_arena_take(&g->arena, inner + 1, sizeof *leaf);
        if (!fold || !leaf) return 0;
        t->fold_pairs = fill(t, nodes, g->e.value + first, cell, fold, leaf);
        t->fold = fold;
        t->n_fold = (int32_t)inner;
        t->value = leaf;
        g->folds = 1;
    }
    return 1;
}

void mli_fold_begin(int8_t *cell)
{
    for (int i = 0; i < MLI_FOLD_LEAVES; i++)
        memset(cell + i * 2 * MLI_TILE, i, 2 * MLI_TILE);
}

#ifdef MLI_X86
ALWAYS MLI_AVX2 __m256i left_of(const mli_fold *p, const int8_t *codes)
{
    __m256i code = _mm256_load_si256((const __m256i *)(const void *)(codes + p->offset));
    return _mm256_cmpgt_epi8(_mm256_set1_epi32(p->above), code);
}

/* tiles: 1 or 2, whose codes are `step` apart. */
ALWAYS MLI_AVX2 void fold_tiles(const mli_code_tree *t, const int8_t *codes, int64_t step,
                                const int tiles, int8_t *cells, uint16_t *slot)
{
    __m256i(*cell)[2] = (void *)cells, at[2], number = _mm256_set1_epi8(1);
    __m256i(*pair)[2] = cell + MLI_FOLD_LEAVES;
    const mli_fold *p = t->fold, *end = p + t->fold_pairs;
    at[0] = at[1] = number;
    for (; p < end; p++, pair++) {
        for (int i = 0; i < tiles; i++)
            (*pair)[i] = at[i] = _mm256_add_epi8(number, left_of(p, codes + i * step));
        number = _mm256_add_epi8(number, _mm256_set1_epi8(2));
    }
    for (end = t->fold + t->n_fold; p < end; p++) {
        for (int i = 0; i < tiles; i++) {
            __m256i left = left_of(p, codes + i * step);
            at[i] = _mm256_blendv_epi8(cell[p->right][i], cell[p->left][i], left);
            cell[p->to][i] = at[i];
        }
    }
    __m256i *to = (__m256i *)(void *)slot;
    for (int i = 0; i < tiles; i++, to += 2) {
        _mm256_store_si256(to, _mm256_cvtepu8_epi16(_mm256_castsi256_si128(at[i])));
        _mm256_store_si256(to + 1,
                           _mm256_cvtepu8_epi16(_mm256_extracti128_si256(at[i], 1)));
    }
}

MLI_AVX2 void mli_fold_tiles(const mli_code_tree *t, const int8_t *codes, int64_t step,
                             int64_t tiles, int8_t *cell, uint16_t *slot)
{
    if (tiles == 2)
        fold_tiles(t, codes, step, 2, cell, slot);
    else
        fold_tiles(t, codes, step, 1, cell, slot);
}
#endif
