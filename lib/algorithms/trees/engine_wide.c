/* SPDX-License-Identifier: MIT
 *
 * trees/engine_wide.c: interleaved walks that compare doubles.
 *
 * Nodes of 16 bytes, numbered as in the model, so that making them is one pass. A row is
 * first copied into columns: one for nodes that send missing values right (NaN is below
 * no threshold), one with NaN as -inf for those that send them left, the bin for
 * categories. Column 0 is 0: leaves ask it and stay where they are.
 */
#include "algorithms/trees/engine_parts.h"
#include <math.h>
#include <string.h>

#define LANES MLI_WIDE_LANES
#define BYTES (512 << 10) /* of a block of rows, about */
#define MOST  1024

static void set_bins(const mli_ensemble *e, int64_t j, mli_wide_source *s)
{
    int64_t first = e->level_start[j];
    s->category = 1;
    s->n_levels = e->level_start[j + 1] - first;
    if (e->wide_bin) {
        s->wide_bin = e->wide_bin + first;
        s->level_other = e->wide_other[j];
        s->level_missing = e->wide_missing ? e->wide_missing[j] : s->level_other;
    } else {
        s->level_bin = e->level_bin + first;
        s->level_other = e->level_other[j];
        s->level_missing = e->level_missing ? e->level_missing[j] : s->level_other;
    }
}

/* Which columns the nodes use. */
static ml_status find_columns(mli_engine *g, int32_t *low, int32_t *high, int32_t *bin,
                              ml_error *err)
{
    const mli_ensemble *e = &g->e;
    for (int64_t i = 0; i < e->n_nodes; i++) {
        if (!e->left[i]) continue;
        int32_t *c = e->flags[i] & MLI_NODE_CATEGORICAL    ? bin
                     : e->flags[i] & MLI_NODE_MISSING_LEFT ? low
                                                           : high;
        c[e->feature[i]] = 1;
    }
    int32_t n = 0;
    for (int64_t j = 0; j < e->n_features; j++) n += (low[j] || high[j]) + bin[j];
    g->wide_source = mli_arena_take(&g->arena, n, sizeof *g->wide_source);
    if (!g->wide_source) return mli_nomem(err);
    g->n_wide_columns = 1;
    for (int64_t j = 0; j < e->n_features; j++) {
        mli_wide_source s = {.feature = (int32_t)j, .low = -1, .high = -1};
        s.zero_missing = e->zero_missing && e->zero_missing[j];
        if (low[j]) s.low = low[j] = g->n_wide_columns++;
        if (high[j]) s.high = high[j] = g->n_wide_columns++;
        if (s.low >= 0 || s.high >= 0) g->wide_source[g->n_wide_sources++] = s;
        if (!bin[j]) continue;
        s.high = -1;
        s.low = bin[j] = g->n_wide_columns++;
        set_bins(e, j, &s);
        g->wide_source[g->n_wide_sources++] = s;
    }
    return ML_OK;
}

static void fill(const mli_ensemble *e, const int32_t *low, const int32_t *high,
                 const int32_t *bin, mli_wide_step *step)
{
    for (int64_t t = 0; t < e->n_trees; t++) {
        for (int64_t i = e->start[t]; i < e->start[t + 1]; i++) {
            mli_wide_step *s = &step[i];
            int32_t j = e->feature[i];
            if (!e->left[i]) {
                s->cut = INFINITY;
                continue;
            }
            s->step = (uint32_t)(e->left[i] - (i - e->start[t]));
            s->cut = e->threshold[i];
            s->column = e->flags[i] & MLI_NODE_MISSING_LEFT ? low[j] : high[j];
            if (!(e->flags[i] & MLI_NODE_CATEGORICAL)) continue;
            s->column = -1 - bin[j];
            s->cut = (double)e->set[i];
        }
    }
}

ml_status mli_engine_wide(mli_engine *g, ml_error *err)
{
    size_t n = (size_t)g->e.n_features + 1;
    int32_t *c = mli_calloc(g->ctx, 3 * n, sizeof *c);
    g->wide_node = mli_arena_take(&g->arena, g->e.n_nodes, sizeof *g->wide_node);
    if (!c || !g->wide_node) {
        mli_free(g->ctx, c);
        return mli_nomem(err);
    }
    ml_status s = find_columns(g, c, c + n, c + 2 * n, err);
    if (s == ML_OK) fill(&g->e, c, c + n, c + 2 * n, g->wide_node);
    mli_free(g->ctx, c);
    int64_t row = g->n_wide_columns * (int64_t)sizeof(double);
    g->wide_rows = BYTES / row / LANES * LANES;
    if (g->wide_rows > MOST) g->wide_rows = MOST;
    if (g->wide_rows < LANES) g->wide_rows = LANES;
    return s;
}

static inline double bin_of(const mli_wide_source *s, double x)
{
    if (x >= 0 && x < (double)s->n_levels) {
        int64_t i = (int64_t)x;
        return s->wide_bin ? s->wide_bin[i] : s->level_bin[i];
    }
    return x != x ? s->level_missing : s->level_other;
}

/* FROM: the value of feature s->feature. */
#define SPREAD(FROM)                                                                     \
    x[0] = 0;                                                                            \
    for (int32_t j = 0; j < g->n_wide_sources; j++) {                                    \
        const mli_wide_source *s = &g->wide_source[j];                                   \
        double v = (double)(FROM);                                                       \
        if (s->category) {                                                               \
            x[s->low * step] = bin_of(s, v);                                             \
            continue;                                                                    \
        }                                                                                \
        if (s->zero_missing && fabs(v) <= (double)MLI_ZERO_MISSING) v = NAN;             \
        if (s->low >= 0) x[s->low * step] = v != v ? -INFINITY : v;                      \
        if (s->high >= 0) x[s->high * step] = v;                                         \
    }

void mli_engine_wide_spread(const mli_engine *g, const double *row, double *x,
                            int64_t step)
{
    SPREAD(row[s->feature])
}

static void spread_f32(const mli_engine *g, const float *row, double *x)
{
    const int64_t step = 1;
    SPREAD(row[s->feature])
}

static void spread_columns(const mli_engine *g, const double *const *columns, int64_t at,
                           double *x)
{
    const int64_t step = 1;
    SPREAD(columns[s->feature][at])
}

static inline uint32_t goes_right(const mli_engine *g, const mli_wide_step *s,
                                  const double *x)
{
    if (s->column >= 0) return !(x[s->column] <= s->cut);
    uint32_t bin = (uint32_t)x[-1 - s->column];
    return ~(g->e.sets[g->e.set_words * (int64_t)s->cut + (bin >> 5)] >> (bin & 31)) & 1;
}

/* A tree for LANES rows at once: their leaves. */
#define ALWAYS static inline __attribute__((always_inline))
ALWAYS void walk(const mli_wide_step *root, const mli_engine *g, const double *x,
                 int64_t stride, int sets, int64_t *leaf)
{
    const mli_wide_step *p[LANES];
    uint32_t inner;
    for (int i = 0; i < LANES; i++) p[i] = root;
    do {
        inner = 0;
#pragma GCC unroll 8
        for (int i = 0; i < LANES; i++) {
            const double *row = x + i * stride;
            uint32_t right =
                sets ? goes_right(g, p[i], row) : !(row[p[i]->column] <= p[i]->cut);
            p[i] += p[i]->step + right;
            inner |= p[i]->step;
        }
    } while (inner);
    for (int i = 0; i < LANES; i++) leaf[i] = p[i] - root;
}

/* Adds the rows that the leaves of LANES rows name. */
static void add_rows(const mli_engine *g, int64_t tree, const int64_t *leaf, double *out)
{
    int64_t first = g->e.start[tree];
    for (int i = 0; i < LANES; i++, out += g->outs) {
        int64_t node = first + leaf[i];
        int64_t at = g->near_first
                         ? g->near_first[tree] + g->near_node[node].cut - MLI_NEAR_ROW
                         : (int64_t)g->e.value[node];
        mli_engine_add_row(g, at, out);
    }
}

/* Adds its leaves to the scores of `groups` times LANES rows. */
static void add_tree(const mli_engine *g, int64_t tree, const double *x,
                     const uint16_t *code, int64_t groups, double *out)
{
    int64_t first = g->e.start[tree], leaf[LANES];
    const mli_wide_step *root = g->wide_node + first;
    const double *value = g->e.value + first;
    int64_t width = g->n_wide_columns, scores = g->e.n_scores;
    for (int64_t k = 0; k < groups; k++, x += LANES * width, code += LANES * width) {
        if (g->e.n_sets)
            walk(root, g, x, width, 1, leaf);
        else if (!g->near_node || !mli_engine_near_walk(g, first, code, leaf))
            walk(root, g, x, width, 0, leaf);
        if (g->rows) {
            add_rows(g, tree, leaf, out + k * LANES * g->outs);
            continue;
        }
        for (int i = 0; i < LANES; i++, out += scores)
            *out = mli_ensemble_sum(&g->e, *out, value[leaf[i]]);
    }
}

/* LANES trees for one row. */
static void add_row(const mli_engine *g, int64_t tree, const double *x, double *out)
{
    const mli_wide_step *p[LANES];
    int64_t n = g->e.n_trees - tree, scores = g->e.n_scores;
    uint32_t inner;
    if (n > LANES) n = LANES;
    for (int i = 0; i < LANES; i++)
        p[i] = g->wide_node + g->e.start[tree + (i < n ? i : 0)];
    do {
        inner = 0;
#pragma GCC unroll 8
        for (int i = 0; i < LANES; i++) {
            p[i] += p[i]->step + goes_right(g, p[i], x);
            inner |= p[i]->step;
        }
    } while (inner);
    for (int64_t i = 0; i < n; i++) {
        if (g->rows) {
            mli_engine_add_row(g, (int64_t)g->e.value[p[i] - g->wide_node], out);
            continue;
        }
        double *to = out + (tree + i) % scores;
        *to = mli_ensemble_sum(&g->e, *to, g->e.value[p[i] - g->wide_node]);
    }
}

/* Blocks of rows pass one tree after another, so that a large tree is fetched once per
 * block. What is left over, fewer rows than lanes, goes one by one. SPREAD: row i to x.
 */
#define BLOCKS(SPREAD)                                                                   \
    int64_t scores = g->outs, width = g->n_wide_columns, each = g->rows ? 1 : scores;    \
    uint16_t *code = (uint16_t *)(x + g->wide_rows * width);                             \
    for (int64_t i = 0; i < n; i++)                                                      \
        memcpy(out + i * scores, g->e.base, (size_t)scores * sizeof *out);               \
    for (int64_t begin = 0, count; n - begin >= LANES; begin += count) {                 \
        count = n - begin < g->wide_rows ? (n - begin) / LANES * LANES : g->wide_rows;   \
        for (int64_t i = begin; i < begin + count; i++) SPREAD(x + (i - begin) * width); \
        if (g->near_node) mli_engine_near_codes(g, x, count, code);                      \
        for (int64_t t = 0; t < g->e.n_trees; t++)                                       \
            add_tree(g, t, x, code, count / LANES, out + begin * scores + t % each);     \
    }                                                                                    \
    for (int64_t i = n / LANES * LANES; i < n; i++) {                                    \
        SPREAD(x);                                                                       \
        for (int64_t t = 0; t < g->e.n_trees; t += LANES)                                \
            add_row(g, t, x, out + i * scores);                                          \
    }

void mli_engine_wide_rows(const mli_engine *g, const double *rows, int64_t n,
                          int64_t stride, double *out, double *x)
{
#define ROW(to) mli_engine_wide_spread(g, rows + i * stride, to, 1)
    BLOCKS(ROW)
#undef ROW
}

void mli_engine_wide_rows_f32(const mli_engine *g, const float *rows, int64_t n,
                              int64_t stride, double *out, double *x)
{
#define ROW(to) spread_f32(g, rows + i * stride, to)
    BLOCKS(ROW)
#undef ROW
}

void mli_engine_wide_columns(const mli_engine *g, const double *const *columns,
                             int64_t first, int64_t n, double *out, double *x)
{
#define ROW(to) spread_columns(g, columns, first + i, to)
    BLOCKS(ROW)
#undef ROW
}
