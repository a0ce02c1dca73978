/* SPDX-License-Identifier: MIT
 *
 * trees/engine.c: choosing the form of an engine, and running it.
 *
 * Rows are taken in blocks of tiles whose codes fit the cache. For four trees at a time,
 * all tiles of the block find their leaves and add them: the trees stay in the first
 * level of the cache, the scores are read once for four trees.
 */
#include "algorithms/trees/engine_parts.h"
#include <string.h>

#define CODE_BYTES  (64 << 10) /* of a block, about */
#define MANY_NODES  (1 << 18)  /* preparing more takes long */
#define TREES       4
#define CELL        (sizeof(double) + sizeof(uint16_t)) /* of wide rows */
#define BLOCK_BYTES (64 << 10)

/* ---- memory ---- */

struct mli_arena_block {
    struct mli_arena_block *before;
};

void *mli_arena_take(mli_arena *a, int64_t count, size_t size)
{
    if (size && (uint64_t)count > SIZE_MAX / 2 / size) return NULL;
    size_t need = ((size_t)count * size + 63) & ~(size_t)63;
    if (!need) need = 64; /* nothing is no failure */
    if (need > a->left) {
        size_t bytes = need > BLOCK_BYTES / 4 ? need : BLOCK_BYTES;
        struct mli_arena_block *b = mli_alloc_vec(a->ctx, 1, bytes + 64);
        if (!b) return NULL;
        b->before = a->last;
        a->last = b;
        if (bytes == need) {
            void *own = (char *)b + 64;
            return memset(own, 0, need);
        }
        a->at = (char *)b + 64;
        a->left = bytes;
    }
    void *out = a->at;
    a->at += need;
    a->left -= need;
    return memset(out, 0, need);
}

void mli_arena_free(mli_arena *a)
{
    while (a->last) {
        struct mli_arena_block *b = a->last;
        a->last = b->before;
        mli_free(a->ctx, b);
    }
}

/* ---- making ---- */

static void choose_sizes(mli_engine *g)
{
    size_t tile = (size_t)g->most_columns * MLI_TILE;
    g->tiles = tile ? (int64_t)(CODE_BYTES / tile) : MLI_TILES;
    if (g->tiles > MLI_TILES) g->tiles = MLI_TILES;
    if (g->tiles < 1) g->tiles = 1;
    /* 32 rows pass large trees at once in the time of some 16 one by one. */
    g->few = g->e.n_nodes > 256 * g->e.n_trees ? 2 * MLI_FEW_ROWS : MLI_FEW_ROWS;
    size_t codes = (tile * (size_t)g->tiles + 64 + 63) & ~(size_t)63;
    size_t scores = (size_t)(g->tiles * MLI_TILE * g->outs) * sizeof(double);
    g->scratch = codes + scores;
}

static ml_status make(mli_engine *g, int codes, int near, ml_error *err)
{
    int fits = 0;
    ml_status s = ML_OK;
    if (codes) s = mli_engine_cuts(g, &fits, err);
    if (s == ML_OK) s = fits ? mli_engine_trees(g, err) : mli_engine_wide(g, err);
    if (s != ML_OK) return s;
    g->wide = !fits;
    if (g->wide && near && !mli_engine_near(g)) return mli_nomem(err);
    if (g->wide)
        g->scratch =
            ((size_t)(g->n_wide_columns * g->wide_rows) * CELL + 63) & ~(size_t)63;
    else
        choose_sizes(g);
    return ML_OK;
}

/* A sum of two floats in double precision, rounded to a float, is their sum as floats:
 * then no sum has to be converted twice. */
static int floats_only(const mli_ensemble *e)
{
    int only = e->float_sums;
    for (int64_t k = 0; only && k < e->n_scores; k++)
        only = (double)(float)e->base[k] == e->base[k];
    for (int64_t i = 0; only && i < e->n_nodes; i++)
        only = e->left[i] || (double)(float)e->value[i] == e->value[i];
    return only;
}

/* rows: NULL, or what the leaves name. */
static ml_status new_engine(ml_context *ctx, const mli_ensemble *e, const double *rows,
                            int64_t width, int codes, int near, mli_engine **out,
                            ml_error *err)
{
    mli_engine *g = mli_calloc(ctx, 1, sizeof *g);
    if (!g) return mli_nomem(err);
    g->ctx = g->arena.ctx = ctx;
    g->e = *e;
    g->avx2 = ctx->cpu_level >= MLI_CPU_AVX2;
    g->float_leaves = floats_only(e);
    g->rows = rows;
    g->outs = rows ? width : e->n_scores;
    ml_status s = ML_OK;
    if (rows) g->e.base = mli_arena_take(&g->arena, width, sizeof *g->e.base);
    if (!g->e.base)
        s = mli_nomem(err);
    else
        s = make(g, codes, near, err);
    if (s != ML_OK)
        mli_engine_free(g);
    else
        *out = g;
    return s;
}

ml_status mli_engine_new(ml_context *ctx, const mli_ensemble *e, mli_engine **out,
                         ml_error *err)
{
    return new_engine(ctx, e, NULL, 0, e->n_nodes <= MANY_NODES, 1, out, err);
}

ml_status mli_engine_new_rows(ml_context *ctx, const mli_ensemble *e, const double *rows,
                              int64_t width, mli_engine **out, ml_error *err)
{
    return new_engine(ctx, e, rows, width, e->n_nodes <= MANY_NODES, 1, out, err);
}

ml_status mli_engine_new_wide(ml_context *ctx, const mli_ensemble *e, mli_engine **out,
                              ml_error *err)
{
    return new_engine(ctx, e, NULL, 0, 0, 0, out, err);
}

void mli_engine_free(mli_engine *g)
{
    if (!g) return;
    mli_arena_free(&g->arena);
    mli_free(g->ctx, g);
}

size_t mli_engine_scratch(const mli_engine *g)
{
    return g->scratch;
}

int64_t mli_engine_block(const mli_engine *g)
{
    return g->wide ? g->wide_rows : g->tiles * MLI_TILE;
}

/* ---- running on codes ---- */

/* A tree on `tiles` <= 2 tiles of codes. */
static void tree_tiles(const mli_engine *g, const mli_code_tree *t, const int8_t *codes,
                       int64_t step, int64_t tiles, int8_t *cell, uint16_t *slot)
{
#ifdef MLI_X86
    if (t->fold) {
        mli_fold_tiles(t, codes, step, tiles, cell, slot);
        return;
    }
#endif
    (void)cell;
    for (int64_t i = 0; i < tiles; i++)
        mli_engine_tile(g, t, codes + i * step, slot + i * MLI_TILE);
}

/* Adds n <= TREES trees, `apart` from each other, whose leaves are found, to scores. */
static void add_trees(const mli_engine *g, const mli_code_tree *first, int64_t apart,
                      int64_t n, uint16_t (*slot)[2 * MLI_TILE], int64_t rows,
                      double *score)
{
    const double *a = first[0].value;
    if (n == TREES && (g->float_leaves || !g->e.float_sums)) {
        const double *b = first[apart].value, *c = first[2 * apart].value;
        const double *d = first[3 * apart].value;
        for (int64_t i = 0; g->float_leaves && i < rows; i++) {
            float sum = (float)score[i] + (float)a[slot[0][i]];
            sum += (float)b[slot[1][i]];
            sum += (float)c[slot[2][i]];
            score[i] = (double)(sum + (float)d[slot[3][i]]);
        }
        for (int64_t i = 0; !g->float_leaves && i < rows; i++) {
            double sum = score[i] + a[slot[0][i]];
            sum += b[slot[1][i]];
            sum += c[slot[2][i]];
            score[i] = sum + d[slot[3][i]];
        }
        return;
    }
    for (int64_t j = 0; j < n; j++, first += apart) {
        const double *value = first->value;
        for (int64_t i = 0; i < rows; i++)
            score[i] = mli_ensemble_sum(&g->e, score[i], value[slot[j][i]]);
    }
}

/* Tree after tree, of which only one is in the cache: rows are longer than scores. */
static void part_rows(const mli_engine *g, const mli_part *p, int64_t tiles,
                      const int8_t *codes, int8_t *cell, double *score)
{
    _Alignas(64) uint16_t slot[2 * MLI_TILE];
    int64_t tile = (int64_t)p->n_columns * MLI_TILE;
    for (int64_t t = p->first; t < p->first + p->n_trees; t++) {
        const double *value = g->tree[t].value;
        double *to = score;
        for (int64_t k = 0; k < tiles; k += 2) {
            int64_t two = tiles - k < 2 ? 1 : 2;
            tree_tiles(g, &g->tree[t], codes + k * tile, tile, two, cell, slot);
            for (int64_t i = 0; i < two * MLI_TILE; i++, to += g->outs)
                mli_engine_add_row(g, (int64_t)value[slot[i]], to);
        }
    }
}

/* A part on a block of tiles: score[(k * tiles + tile) * 32 + row]. Trees of a part begin
 * at any score, since parts may end within a round. */
void mli_engine_part(const mli_engine *g, const mli_part *p, int64_t tiles,
                     const int8_t *codes, double *score)
{
    int64_t scores = g->e.n_scores, end = p->first + p->n_trees;
    int64_t tile = (int64_t)p->n_columns * MLI_TILE;
    _Alignas(64) int8_t cell[MLI_FOLD_BYTES];
    _Alignas(64) uint16_t slot[TREES][2 * MLI_TILE];
    if (g->folds) mli_fold_begin(cell);
    if (g->rows) {
        part_rows(g, p, tiles, codes, cell, score);
        return;
    }
    for (int64_t round = p->first; round < end; round += TREES * scores) {
        for (int64_t t = round; t < round + scores && t < end; t++) {
            int64_t n = (end - 1 - t) / scores + 1;
            if (n > TREES) n = TREES;
            double *to = score + t % scores * tiles * MLI_TILE;
            for (int64_t i = 0; i < tiles; i += 2) {
                int64_t two = tiles - i < 2 ? 1 : 2;
                for (int64_t j = 0; j < n; j++)
                    tree_tiles(g, &g->tree[t + j * scores], codes + i * tile, tile, two,
                               cell, slot[j]);
                add_trees(g, &g->tree[t], scores, n, slot, two * MLI_TILE,
                          to + i * MLI_TILE);
            }
        }
    }
}

/* score[k][rows], or score[rows][k], to out[rows][k]. */
void mli_engine_write(const mli_engine *g, const double *score, int64_t stride, int64_t n,
                      double *out)
{
    if (g->rows) {
        memcpy(out, score, (size_t)(n * g->outs) * sizeof *out);
        return;
    }
    for (int64_t k = 0; k < g->outs; k++)
        for (int64_t i = 0; i < n; i++) out[i * g->outs + k] = score[k * stride + i];
}

#define RUN(name, type, code, code_row, row_name, run_wide)                              \
    static void row_name(const mli_engine *g, const type *row, double *out, void *codes) \
    {                                                                                    \
        memcpy(out, g->e.base, (size_t)g->outs * sizeof *out);                           \
        for (int64_t i = 0; i < g->n_parts; i++) {                                       \
            int missing = code_row(g, &g->part[i], row, codes);                          \
            mli_engine_row(g, &g->part[i], codes, missing, out);                         \
        }                                                                                \
    }                                                                                    \
                                                                                         \
    void name(const mli_engine *g, const type *rows, int64_t n, int64_t stride,          \
              double *out, void *scratch)                                                \
    {                                                                                    \
        int64_t scores = g->outs, block = g->tiles * MLI_TILE;                           \
        if (g->wide) {                                                                   \
            run_wide(g, rows, n, stride, out, scratch);                                  \
            return;                                                                      \
        }                                                                                \
        double *score = scratch;                                                         \
        int8_t *codes = (int8_t *)(score + block * scores);                              \
        for (; n >= g->few; rows += block * stride, out += block * scores) {             \
            int64_t count = n < block ? n : block;                                       \
            int64_t tiles = (count - 1) / MLI_TILE + 1, room = tiles * MLI_TILE;         \
            for (int64_t i = 0; i < room * scores; i++) score[i] = g->e.base[i / room];  \
            for (int64_t i = 0; i < g->n_parts; i++) {                                   \
                code(g, &g->part[i], rows, count, stride, codes);                        \
                mli_engine_part(g, &g->part[i], tiles, codes, score);                    \
            }                                                                            \
            mli_engine_write(g, score, room, count, out);                                \
            n -= count;                                                                  \
        }                                                                                \
        for (; n > 0; n--, rows += stride, out += scores) row_name(g, rows, out, codes); \
    }
RUN(mli_engine_scores, double, mli_engine_code, mli_engine_code_row, row_scores,
    mli_engine_wide_rows)
RUN(mli_engine_scores_f32, float, mli_engine_code_f32, mli_engine_code_row_f32,
    row_scores_f32, mli_engine_wide_rows_f32)

void mli_engine_scores_columns(const mli_engine *g, const double *const *x, int64_t begin,
                               int64_t n, double *out, void *scratch)
{
    int64_t scores = g->outs, block = g->tiles * MLI_TILE;
    double *score = scratch;
    int8_t *codes = (int8_t *)(score + block * scores);
    if (g->wide) {
        mli_engine_wide_columns(g, x, begin, n, out, scratch);
        return;
    }
    for (; n > 0; n -= block, begin += block, out += block * scores) {
        int64_t count = n < block ? n : block;
        int64_t tiles = (count - 1) / MLI_TILE + 1, room = tiles * MLI_TILE;
        for (int64_t i = 0; i < room * scores; i++) score[i] = g->e.base[i / room];
        for (int64_t i = 0; i < g->n_parts; i++) {
            mli_engine_code_columns(g, &g->part[i], x, begin, count, codes);
            mli_engine_part(g, &g->part[i], tiles, codes, score);
        }
        mli_engine_write(g, score, room, count, out);
    }
}
