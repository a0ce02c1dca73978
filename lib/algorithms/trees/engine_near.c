/* SPDX-License-Identifier: MIT
 *
 * trees/engine_near.c: large trees of numbers with nodes of 8 bytes, so that twice as
 * much of a tree stays in the cache.
 *
 * A threshold and a value become 16 bits by the same linear function of their feature.
 * Rounding keeps order, so different bits decide as the numbers do. Where the bits of a
 * value and a threshold on its way are the same, which is rare, the row walks once more
 * through the nodes of engine_wide.c.
 */
#include "algorithms/trees/engine_parts.h"
#include <math.h>
#include <string.h>

#define LANES MLI_WIDE_LANES
#define MOST  65533.0 /* of the function; then 1 .. 65534 */

/* Where a number is missing, and goes right. */
#define MISSING 65535

static inline uint16_t near(const mli_near_column *c, double x)
{
    double at = (x - c->low) * c->scale;
    at = at > 0 ? at : 0;
    at = at < MOST ? at : MOST;
    int32_t code = 1 + (int32_t)at;
    return (uint16_t)(x == -INFINITY ? 0 : x != x ? MISSING : code);
}

/* The function of each column, from the least and the largest of its thresholds, with a
 * bit of room on both sides, for values that are beyond. */
static void find_ranges(const mli_engine *g, mli_near_column *c, double *high)
{
    for (int32_t j = 0; j < g->n_wide_columns; j++) {
        c[j].low = INFINITY;
        high[j] = -INFINITY;
    }
    for (int64_t i = 0; i < g->e.n_nodes; i++) {
        const mli_wide_step *s = &g->wide_node[i];
        if (!s->step || !isfinite(s->cut)) continue;
        if (s->cut < c[s->column].low) c[s->column].low = s->cut;
        if (s->cut > high[s->column]) high[s->column] = s->cut;
    }
    for (int32_t j = 0; j < g->n_wide_columns; j++) {
        double wide = high[j] - c[j].low, room = wide / 1024;
        if (!(wide > 0)) room = fabs(high[j]) / 1024 + 1e-100;
        double low = c[j].low - room, scale = MOST / (high[j] - low + room);
        int usable = isfinite(low) && isfinite(scale);
        c[j] = (mli_near_column){usable ? low : 0, usable ? scale : 1};
    }
}

/* The rows that the leaves of a tree name lie close to each other: then the cuts of the
 * leaves, which only have to be above the code of column 0, tell which. 0: no memory. */
static int name_rows(mli_engine *g, mli_near_step *node)
{
    const mli_ensemble *e = &g->e;
    int64_t *least = mli_arena_take(&g->arena, e->n_trees, sizeof *least);
    if (!least) return 0;
    for (int64_t t = 0; t < e->n_trees; t++) {
        double low = INFINITY, high = 0;
        for (int64_t i = e->start[t]; i < e->start[t + 1]; i++) {
            if (e->left[i]) continue;
            low = e->value[i] < low ? e->value[i] : low;
            high = e->value[i] > high ? e->value[i] : high;
        }
        if (high - low > MISSING - MLI_NEAR_ROW) return 1;
        least[t] = (int64_t)low;
    }
    for (int64_t t = 0; t < e->n_trees; t++)
        for (int64_t i = e->start[t]; i < e->start[t + 1]; i++)
            if (!e->left[i])
                node[i].cut = (uint16_t)((int64_t)e->value[i] - least[t] + MLI_NEAR_ROW);
    g->near_first = least;
    return 1;
}

int mli_engine_near(mli_engine *g)
{
    int64_t width = g->n_wide_columns;
    if (g->e.n_sets || width > UINT16_MAX) return 1;
    mli_near_column *c = mli_arena_take(&g->arena, width, sizeof *c);
    mli_near_step *node = mli_arena_take(&g->arena, g->e.n_nodes, sizeof *node);
    double *high = mli_calloc(g->ctx, (size_t)width, sizeof *high);
    if (c && node && high) {
        find_ranges(g, c, high);
        for (int64_t i = 0; i < g->e.n_nodes; i++) {
            const mli_wide_step *s = &g->wide_node[i];
            node[i].step = s->step;
            node[i].column = (uint16_t)s->column;
            node[i].cut = s->step ? near(&c[s->column], s->cut) : MISSING;
        }
        g->near_column = c;
        if (!g->rows || name_rows(g, node)) g->near_node = node;
    }
    mli_free(g->ctx, high);
    return g->near_node != NULL;
}

void mli_engine_near_codes(const mli_engine *g, const double *x, int64_t rows,
                           uint16_t *code)
{
    int64_t width = g->n_wide_columns;
    for (int64_t i = 0; i < rows; i++, x += width, code += width)
        for (int64_t j = 0; j < width; j++) code[j] = near(&g->near_column[j], x[j]);
}

int mli_engine_near_walk(const mli_engine *g, int64_t first, const uint16_t *code,
                         int64_t *leaf)
{
    const mli_near_step *root = g->near_node + first, *p[LANES];
    int64_t width = g->n_wide_columns;
    uint32_t inner, same = 0;
    for (int i = 0; i < LANES; i++) p[i] = root;
    do {
        inner = 0;
#pragma GCC unroll 8
        for (int i = 0; i < LANES; i++) {
            uint32_t x = code[i * width + p[i]->column], cut = p[i]->cut;
            same |= x == cut;
            p[i] += p[i]->step + (x > cut);
            inner |= p[i]->step;
        }
    } while (inner);
    for (int i = 0; i < LANES; i++) leaf[i] = p[i] - root;
    return !same;
}
