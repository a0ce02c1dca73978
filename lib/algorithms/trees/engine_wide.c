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

#define LANES 8

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

#define SPREAD(name, type)                                                               \
    static void name(const mli_engine *g, const type *row, double *x)                    \
    {                                                                                    \
        x[0] = 0;                                                                        \
        for (int32_t j = 0; j < g->n_wide_sources; j++) {                                \
            const mli_wide_source *s = &g->wide_source[j];                               \
            double v = (double)row[s->feature];                                          \
            if (s->category) {                                                           \
                x[s->low] = bin_of(s, v);                                                \
                continue;                                                                \
            }                                                                            \
            if (s->zero_missing && fabs(v) <= (double)MLI_ZERO_MISSING) v = NAN;         \
            if (s->low >= 0) x[s->low] = v != v ? -INFINITY : v;                         \
            if (s->high >= 0) x[s->high] = v;                                            \
        }                                                                                \
    }
SPREAD(spread, double)
SPREAD(spread_f32, float)

void mli_engine_wide_spread(const mli_engine *g, const double *row, double *x,
                            int64_t step)
{
    x[0] = 0;
    for (int32_t j = 0; j < g->n_wide_sources; j++) {
        const mli_wide_source *s = &g->wide_source[j];
        double v = row[s->feature];
        if (s->category) {
            x[s->low * step] = bin_of(s, v);
            continue;
        }
        if (s->zero_missing && fabs(v) <= (double)MLI_ZERO_MISSING) v = NAN;
        if (s->low >= 0) x[s->low * step] = v != v ? -INFINITY : v;
        if (s->high >= 0) x[s->high * step] = v;
    }
}

static inline uint32_t goes_right(const mli_engine *g, const mli_wide_step *s,
                                  const double *x)
{
    if (s->column >= 0) return !(x[s->column] <= s->cut);
    uint32_t bin = (uint32_t)x[-1 - s->column];
    return ~(g->e.sets[g->e.set_words * (int64_t)s->cut + (bin >> 5)] >> (bin & 31)) & 1;
}

/* A tree for LANES rows at once: adds its leaves. */
static void add_tree(const mli_engine *g, int64_t tree, const double *x, int64_t stride,
                     int64_t n, double *out)
{
    const mli_wide_step *root = g->wide_node + g->e.start[tree], *p[LANES];
    const double *value = g->e.value + g->e.start[tree];
    uint32_t inner;
    for (int i = 0; i < LANES; i++) p[i] = root;
    do {
        inner = 0;
#pragma GCC unroll 8
        for (int i = 0; i < LANES; i++) {
            p[i] += p[i]->step + goes_right(g, p[i], x + i * stride);
            inner |= p[i]->step;
        }
    } while (inner);
    for (int64_t i = 0; i < n; i++) {
        double *to = out + i * g->e.n_scores;
        *to = mli_ensemble_sum(&g->e, *to, value[p[i] - root]);
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
        double *to = out + (tree + i) % scores;
        *to = mli_ensemble_sum(&g->e, *to, g->e.value[p[i] - g->wide_node]);
    }
}

/* Fewer rows than lanes go one by one. */
#define ROWS(name, type, spread)                                                         \
    void name(const mli_engine *g, const type *rows, int64_t n, int64_t stride,          \
              double *out, double *x)                                                    \
    {                                                                                    \
        int64_t scores = g->e.n_scores, width = g->n_wide_columns;                       \
        for (int64_t i = 0; i < n; i++)                                                  \
            memcpy(out + i * scores, g->e.base, (size_t)scores * sizeof *out);           \
        for (; n >= LANES; n -= LANES, rows += LANES * stride, out += LANES * scores) {  \
            for (int i = 0; i < LANES; i++) spread(g, rows + i * stride, x + i * width); \
            for (int64_t t = 0; t < g->e.n_trees; t++)                                   \
                add_tree(g, t, x, width, LANES, out + t % scores);                       \
        }                                                                                \
        for (; n > 0; n--, rows += stride, out += scores) {                              \
            spread(g, rows, x);                                                          \
            for (int64_t t = 0; t < g->e.n_trees; t += LANES) add_row(g, t, x, out);     \
        }                                                                                \
    }
ROWS(mli_engine_wide_rows, double, spread)
ROWS(mli_engine_wide_rows_f32, float, spread_f32)
