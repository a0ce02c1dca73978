/* SPDX-License-Identifier: MIT
 *
 * trees/engine_group.c: the upper levels of 32 trees side by side, for one row.
 */
#include "algorithms/trees/engine_parts.h"
#include <string.h>

/* The upper levels of a tree as lane `lane` of a group. A tree with fewer levels repeats
 * its last nodes: on to the left, since nothing is above cut 127. */
static void fill_lane(const mli_code_tree *t, const uint8_t *of_column, int64_t lane,
                      int8_t *ask)
{
    for (int32_t i = 0; i < (1 << t->levels) - 1; i++) {
        int8_t *at = ask + (int64_t)i * 2 * MLI_TILE + lane;
        at[0] = (int8_t)of_column[t->top[i].offset / MLI_TILE];
        at[MLI_TILE] = (int8_t)((t->top[i].above & 255) - 1);
    }
}

/* Values by the exits of the group; the tree takes them over where its own are the same.
 */
static void fill_values(mli_code_tree *t, int32_t levels, double *value)
{
    int32_t shift = levels - t->levels;
    for (int32_t i = 0; i < 1 << levels; i++) value[i] = t->value[i >> shift];
    if (!shift) t->value = value;
}

static int make_group(mli_engine *g, mli_code_tree *t, int64_t n,
                      const uint8_t *of_column, mli_code_group *group)
{
    for (int64_t i = 0; i < n; i++) {
        if (t[i].levels > group->levels) group->levels = t[i].levels;
        group->walks |= t[i].walks;
    }
    int64_t nodes = (1 << group->levels) - 1;
    int8_t *ask = mli_arena_take(&g->arena, nodes * 2, MLI_TILE);
    if (!ask) return 0;
    for (int64_t i = 0; i < nodes; i++)
        memset(ask + (2 * i + 1) * MLI_TILE, INT8_MAX, MLI_TILE);
    for (int64_t i = 0; i < n; i++) fill_lane(&t[i], of_column, i, ask);
    group->ask = ask;
    if (group->walks) return 1;
    double *value = mli_arena_take(&g->arena, n << group->levels, sizeof *value);
    if (!value) return 0;
    for (int64_t i = 0; i < n; i++)
        fill_values(&t[i], group->levels, value + (i << group->levels));
    group->value = value;
    return 1;
}

int mli_part_groups(mli_engine *g, mli_part *p)
{
    uint8_t of_column[2 * MLI_TILE] = {0};
    int by_column = p->n_columns <= MLI_TILE;
    if (p->n_sources > MLI_TILE) return 1;
    for (int64_t i = 0; i < p->n_trees; i++)
        if (g->tree[p->first + i].sets) return 1;
    for (int32_t j = 0; j < p->n_sources; j++) {
        const mli_source *s = &p->source[j];
        if (s->low >= 0) of_column[s->low] = (uint8_t)(by_column ? s->low : j);
        if (s->high >= 0) of_column[s->high] = (uint8_t)(by_column ? s->high : j);
    }
    int64_t groups = (p->n_trees - 1) / MLI_TILE + 1;
    p->group = mli_arena_take(&g->arena, groups, sizeof *p->group);
    for (int64_t i = 0; p->group && i < groups; i++) {
        int64_t first = i * MLI_TILE, n = p->n_trees - first;
        if (!make_group(g, &g->tree[p->first + first], n < MLI_TILE ? n : MLI_TILE,
                        of_column, &p->group[i]))
            return 0;
    }
    return p->group != NULL;
}
