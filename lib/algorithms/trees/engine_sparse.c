/* SPDX-License-Identifier: MIT
 *
 * trees/engine_sparse.c: rows of which only some values are stored. The codes of absent
 * values are known, so a row costs its stored values, not its features.
 */
#include "algorithms/trees/engine_parts.h"

#include <math.h>
#include <string.h>

#define FRONT 32 /* of the codes of one row: see mli_engine_code_row */

static void put_row(const mli_source *s, int32_t j, int32_t code, int missing,
                    int8_t *codes)
{
    if (j < FRONT) codes[j] = MLI_CODE(code);
    if (s->low >= 0) codes[FRONT + s->low] = MLI_CODE(code);
    if (s->high >= 0) codes[FRONT + s->high] = MLI_CODE(missing ? 255 : code);
}

int mli_part_absent(mli_engine *g, mli_part *p)
{
    int64_t n = g->e.n_features;
    p->source_of = mli_arena_take(&g->arena, n, sizeof *p->source_of);
    for (int k = 0; k < 2; k++)
        p->absent[k] = mli_arena_take(&g->arena, FRONT + p->n_columns, 1);
    if (!p->source_of || !p->absent[0] || !p->absent[1]) return 0;
    for (int64_t j = 0; j < n; j++) p->source_of[j] = -1;
    for (int32_t j = 0; j < p->n_sources; j++) {
        int missing;
        p->source_of[p->source[j].feature] = (int16_t)j;
        for (int k = 0; k < 2; k++) {
            int32_t code = mli_source_code(g, &p->source[j], k ? NAN : 0.0, &missing);
            put_row(&p->source[j], j, code, missing, p->absent[k]);
            p->absent_missing[k] |= missing;
        }
    }
    return 1;
}

int mli_engine_sparse(const mli_engine *g)
{
    return !g->wide;
}

/* ---- tiles ---- */

static void spread(const mli_part *p, const int8_t *absent, int64_t tiles, int8_t *codes)
{
    for (int64_t t = 0; t < tiles; t++)
        for (int32_t c = 0; c < p->n_columns; c++, codes += MLI_TILE)
            memset(codes, absent[FRONT + c], MLI_TILE);
}

static void code_tiles(const mli_engine *g, const mli_part *p, const mli_csr *rows,
                       int64_t begin, int64_t n, int8_t *codes)
{
    int64_t tile = (int64_t)p->n_columns * MLI_TILE;
    spread(p, p->absent[isnan(rows->absent)], (n - 1) / MLI_TILE + 1, codes);
    for (int64_t i = 0; i < n; i++) {
        int8_t *at = codes + i / MLI_TILE * tile + i % MLI_TILE;
        int64_t end = mli_csr_offset(rows, begin + i + 1);
        for (int64_t k = mli_csr_offset(rows, begin + i); k < end; k++) {
            int32_t j = p->source_of[mli_csr_column(rows, k)];
            if (j < 0) continue;
            const mli_source *s = &p->source[j];
            int missing;
            int32_t code = mli_source_code(g, s, mli_csr_value(rows, k), &missing);
            if (s->low >= 0) at[s->low * MLI_TILE] = MLI_CODE(code);
            if (s->high >= 0) at[s->high * MLI_TILE] = MLI_CODE(missing ? 255 : code);
        }
    }
}

/* ---- one row ---- */

static void score_row(const mli_engine *g, const mli_csr *rows, int64_t row, double *out,
                      int8_t *codes)
{
    int64_t begin = mli_csr_offset(rows, row), end = mli_csr_offset(rows, row + 1);
    int kind = isnan(rows->absent);
    memcpy(out, g->e.base, (size_t)g->e.n_scores * sizeof *out);
    for (int64_t i = 0; i < g->n_parts; i++) {
        const mli_part *p = &g->part[i];
        int any = p->absent_missing[kind];
        memcpy(codes, p->absent[kind], (size_t)(FRONT + p->n_columns));
        for (int64_t k = begin; k < end; k++) {
            int32_t j = p->source_of[mli_csr_column(rows, k)];
            if (j < 0) continue;
            int missing;
            int32_t code =
                mli_source_code(g, &p->source[j], mli_csr_value(rows, k), &missing);
            any |= missing;
            put_row(&p->source[j], j, code, missing, codes);
        }
        mli_engine_row(g, p, codes, any, out);
    }
}

void mli_engine_scores_sparse(const mli_engine *g, const mli_csr *rows, int64_t begin,
                              int64_t n, double *out, void *scratch)
{
    int64_t scores = g->e.n_scores, block = g->tiles * MLI_TILE;
    double *score = scratch;
    int8_t *codes = (int8_t *)(score + block * scores);
    for (; n >= g->few; begin += block, out += block * scores) {
        int64_t count = n < block ? n : block;
        int64_t tiles = (count - 1) / MLI_TILE + 1, room = tiles * MLI_TILE;
        for (int64_t i = 0; i < room * scores; i++) score[i] = g->e.base[i / room];
        for (int64_t i = 0; i < g->n_parts; i++) {
            code_tiles(g, &g->part[i], rows, begin, count, codes);
            mli_engine_part(g, &g->part[i], tiles, codes, score);
        }
        mli_engine_write(g, score, room, count, out);
        n -= count;
    }
    for (; n > 0; n--, begin++, out += scores) score_row(g, rows, begin, out, codes);
}
