/* SPDX-License-Identifier: MIT
 *
 * trees/engine_tree.c: trees in terms of codes: steps for walking, the upper levels as a
 * perfect tree, sets of codes for trees with categories.
 */
#include "algorithms/trees/engine_parts.h"
#include <string.h>

typedef struct making {
    mli_engine *g;
    const mli_part *part;
    const int32_t *source; /* [features] of the part */
    int32_t *depth;        /* of the nodes of the tree at hand */
} making;

/* The deepest node; depth[node] from the root. Children come after their parents. */
static int32_t measure(const mli_ensemble *e, int64_t tree, int32_t *depth,
                       int64_t *categories)
{
    int64_t first = e->start[tree], n = e->start[tree + 1] - first;
    int32_t most = 0;
    *categories = 0;
    memset(depth, 0, (size_t)n * sizeof *depth);
    for (int64_t i = 0; i < n; i++) {
        int32_t left = e->left[first + i], d = depth[i] + 1;
        if (!left) continue;
        *categories += (e->flags[first + i] & MLI_NODE_CATEGORICAL) != 0;
        if (depth[left] < d) depth[left] = d;
        if (depth[left + 1] < d) depth[left + 1] = d;
        if (d > most) most = d;
    }
    return most;
}

/* The codes of the bins that go left. */
static void fill_set(const mli_engine *g, int64_t node, uint8_t *set)
{
    const mli_ensemble *e = &g->e;
    const uint32_t *words = e->sets + e->set_words * e->set[node];
    for (int32_t b = 0; b < 8 << g->set_shift; b++) {
        if (!(words[b >> 5] >> (b & 31) & 1)) continue;
        uint8_t code = (uint8_t)MLI_CODE(b);
        int byte = (code >> 3) & ((1 << g->set_shift) - 1);
        set[byte] = (uint8_t)(set[byte] | 1u << (code & 7));
    }
}

static void fill_steps(const making *m, int64_t tree, mli_step *step, uint8_t *sets)
{
    const mli_engine *g = m->g;
    const mli_ensemble *e = &g->e;
    int64_t first = e->start[tree], n = e->start[tree + 1] - first;
    uint16_t n_sets = 1;
    if (sets) memset(sets, 255, (size_t)1 << g->set_shift);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = first + i;
        step[i].cut = INT8_MAX;
        if (!e->left[at]) continue;
        const mli_source *s = &m->part->source[m->source[e->feature[at]]];
        int low = e->flags[at] & (MLI_NODE_CATEGORICAL | MLI_NODE_MISSING_LEFT);
        step[i].offset = (uint16_t)((low ? s->low : s->high) * MLI_TILE);
        step[i].step = (uint16_t)(e->left[at] - i);
        step[i].inner = 1;
        if (e->flags[at] & MLI_NODE_CATEGORICAL) {
            step[i].set = n_sets++;
            fill_set(g, at, sets + ((size_t)step[i].set << g->set_shift));
        } else {
            step[i].cut = MLI_CODE(mli_source_cut(s, e->threshold[at]));
        }
    }
}

/* Fills top, exit and set_top; a leaf above the last level has itself as both children.
 */
static void fill_top(const mli_code_tree *t, mli_top *top, uint16_t *exit, uint16_t *sets)
{
    uint16_t at[2 << MLI_TOP] = {0};
    int32_t n = (1 << t->levels) - 1;
    for (int32_t i = 0; i < n; i++) {
        const mli_step *node = &t->node[at[i]];
        uint16_t left = (uint16_t)(at[i] + node->step);
        at[2 * i + 1] = left;
        at[2 * i + 2] = (uint16_t)(left + node->inner);
        top[i].offset = node->offset;
        top[i].above = mli_code_repeat(node->inner ? node->cut + 1 : 0);
        if (sets) sets[i] = node->set;
    }
    for (int32_t i = 0; i <= n; i++) exit[i] = at[n + i];
}

static int make_values(const making *m, int64_t tree, mli_code_tree *t)
{
    const double *value = m->g->e.value + m->g->e.start[tree];
    int32_t n = 1 << t->levels;
    t->value = value;
    if (t->walks) return 1;
    double *exit = mli_arena_take(&m->g->arena, n, sizeof *exit);
    if (!exit) return 0;
    for (int32_t i = 0; i < n; i++) exit[i] = value[t->exit[i]];
    t->value = exit;
    return 1;
}

static int make_tree(const making *m, int64_t tree, mli_code_tree *t)
{
    mli_arena *arena = &m->g->arena;
    int64_t nodes = m->g->e.start[tree + 1] - m->g->e.start[tree];
    int64_t categories;
    int32_t deepest = measure(&m->g->e, tree, m->depth, &categories);
    t->levels = deepest < MLI_TOP ? deepest : MLI_TOP;
    t->walks = deepest > MLI_TOP;
    int32_t n = 1 << t->levels;
    mli_step *node = mli_arena_take(arena, nodes, sizeof *node);
    size_t set_bytes = (size_t)1 << m->g->set_shift;
    uint8_t *sets = NULL;
    uint16_t *set_top = NULL;
    if (categories) {
        sets = mli_arena_take(arena, categories + 1, set_bytes);
        set_top = mli_arena_take(arena, n, sizeof *set_top);
    }
    mli_top *top = mli_arena_take(arena, n, sizeof *top);
    uint16_t *exit = mli_arena_take(arena, n, sizeof *exit);
    if (!node || !top || !exit || (categories && (!sets || !set_top))) return 0;
    fill_steps(m, tree, node, sets);
    t->node = node;
    t->sets = sets;
    fill_top(t, top, exit, set_top);
    t->top = top;
    t->exit = exit;
    t->set_top = set_top;
    return make_values(m, tree, t);
}

ml_status mli_engine_trees(mli_engine *g, ml_error *err)
{
    const mli_ensemble *e = &g->e;
    int64_t most = 1;
    for (int64_t t = 0; t < e->n_trees; t++)
        if (e->start[t + 1] - e->start[t] > most) most = e->start[t + 1] - e->start[t];
    int32_t *source = mli_calloc(g->ctx, (size_t)e->n_features + 1, sizeof *source);
    int32_t *depth = mli_calloc(g->ctx, (size_t)most, sizeof *depth);
    g->tree = mli_arena_take(&g->arena, e->n_trees, sizeof *g->tree);
    int ok = source && depth && g->tree;
    for (int64_t i = 0; ok && i < g->n_parts; i++) {
        mli_part *p = &g->part[i];
        making m = {g, p, source, depth};
        for (int32_t j = 0; j < p->n_sources; j++) source[p->source[j].feature] = j;
        for (int64_t t = p->first; ok && t < p->first + p->n_trees; t++)
            ok = make_tree(&m, t, &g->tree[t]);
        ok = ok && mli_part_groups(g, p) && mli_part_folds(g, p);
    }
    mli_free(g->ctx, source);
    mli_free(g->ctx, depth);
    return ok ? ML_OK : mli_nomem(err);
}
