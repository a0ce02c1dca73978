/* SPDX-License-Identifier: MIT
 *
 * trees/engine_cuts.c: which codes the trees of an engine need.
 *
 * Trees are taken in order; each adds its thresholds to sorted lists, one per feature,
 * until a list or the number of columns is full: there the next part begins. A tree that
 * does not fit into a part of its own does not fit codes at all.
 */
#include "algorithms/trees/engine_parts.h"
#include <math.h>
#include <string.h>

/* The lists of the part being filled. */
typedef struct cut_list {
    int32_t feature, n, capacity;
    int low, high, category;
    double *cut;
} cut_list;

typedef struct collector {
    mli_engine *g;
    int32_t *index; /* [features] list of a feature, -1: none */
    cut_list *list;
    int32_t n, capacity, columns;
} collector;

static void clear(collector *c)
{
    for (int32_t i = 0; i < c->n; i++) {
        c->index[c->list[i].feature] = -1;
        c->list[i].n = c->list[i].low = c->list[i].high = c->list[i].category = 0;
    }
    c->n = c->columns = 0;
}

static cut_list *list_of(collector *c, int32_t feature)
{
    if (c->index[feature] >= 0) return &c->list[c->index[feature]];
    if (c->n == c->capacity) {
        int32_t capacity = c->capacity ? 2 * c->capacity : 16;
        size_t size = (size_t)capacity * sizeof *c->list;
        cut_list *grown =
            c->list ? mli_realloc(c->g->ctx, c->list, size) : mli_alloc(c->g->ctx, size);
        if (!grown) return NULL;
        memset(grown + c->capacity, 0, (size_t)(capacity - c->capacity) * sizeof *grown);
        c->list = grown;
        c->capacity = capacity;
    }
    cut_list *l = &c->list[c->n];
    l->feature = feature;
    c->index[feature] = c->n++;
    return l;
}

/* Cuts below x. */
static int32_t place(const double *cut, int32_t n, double x)
{
    int32_t low = 0;
    while (n > 0) {
        int32_t half = n / 2;
        if (cut[low + half] < x) {
            low += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return low;
}

enum { ADDED, FULL, NO_MEMORY };

static int add_cut(ml_context *ctx, cut_list *l, double x)
{
    int32_t at = place(l->cut, l->n, x);
    if (at < l->n && l->cut[at] == x) return ADDED;
    if (l->n == MLI_CUTS) return FULL;
    if (l->n == l->capacity) {
        int32_t capacity = l->capacity ? 4 * l->capacity : 16;
        size_t size = (size_t)capacity * sizeof *l->cut;
        double *grown = l->cut ? mli_realloc(ctx, l->cut, size) : mli_alloc(ctx, size);
        if (!grown) return NO_MEMORY;
        l->cut = grown;
        l->capacity = capacity;
    }
    memmove(l->cut + at + 1, l->cut + at, (size_t)(l->n - at) * sizeof *l->cut);
    l->cut[at] = x;
    l->n++;
    return ADDED;
}

static int add_tree(collector *c, int64_t tree)
{
    const mli_ensemble *e = &c->g->e;
    for (int64_t i = e->start[tree]; i < e->start[tree + 1]; i++) {
        if (!e->left[i]) continue;
        cut_list *l = list_of(c, e->feature[i]);
        if (!l) return NO_MEMORY;
        int category = e->flags[i] & MLI_NODE_CATEGORICAL;
        int *column =
            category || (e->flags[i] & MLI_NODE_MISSING_LEFT) ? &l->low : &l->high;
        int mixed = category ? l->n > 0 || l->high : l->category;
        /* Numbers and categories on one feature, bins beyond a byte: no codes. */
        if (mixed || (category && e->wide_bin)) return FULL;
        if (category) l->category = 1;
        if (!*column) {
            if (c->columns == MLI_COLUMNS) return FULL;
            *column = 1;
            c->columns++;
        }
        int added = category ? ADDED : add_cut(c->g->ctx, l, e->threshold[i]);
        if (added != ADDED) return added;
    }
    return ADDED;
}

static float below(double x)
{
    float f = (float)x;
    return (double)f > x ? nextafterf(f, -INFINITY) : f;
}

static int fill_numbers(mli_engine *g, const cut_list *l, mli_source *s)
{
    int32_t padded = ((l->n + 8) / 16 + 1) * 16; /* 8 times +inf at least */
    double *cut = mli_arena_take(&g->arena, padded, sizeof *cut);
    float *cut32 = mli_arena_take(&g->arena, padded, sizeof *cut32);
    if (!cut || !cut32) return 0;
    for (int32_t i = 0; i < padded; i++) {
        cut[i] = i < l->n ? l->cut[i] : INFINITY;
        cut32[i] = i < l->n ? below(l->cut[i]) : INFINITY;
    }
    for (int32_t i = 0; i < 16; i++) {
        int32_t last = 16 * i + 15;
        s->pivot[i] = last < padded ? cut[last] : INFINITY;
        s->pivot32[i] = last < padded ? cut32[last] : INFINITY;
    }
    s->n_cuts = l->n;
    s->cut = cut;
    s->cut32 = cut32;
    return !g->avx2 || mli_source_buckets(&g->arena, s);
}

static int fill_source(mli_engine *g, const cut_list *l, mli_source *s)
{
    const mli_ensemble *e = &g->e;
    s->feature = l->feature;
    s->zero_missing = e->zero_missing && e->zero_missing[l->feature];
    if (!l->category) return fill_numbers(g, l, s);
    s->n_cuts = -1;
    s->level_bin = e->level_bin + e->level_start[l->feature];
    s->n_levels = e->level_start[l->feature + 1] - e->level_start[l->feature];
    s->level_other = s->level_missing = e->level_other[l->feature];
    if (e->level_missing) s->level_missing = e->level_missing[l->feature];
    int most = s->level_other > s->level_missing ? s->level_other : s->level_missing;
    for (int64_t i = 0; i < s->n_levels; i++)
        if (s->level_bin[i] > most) most = s->level_bin[i];
    if (most > 63) g->set_shift = 5;
    return 1;
}

/* The part that the collector holds. */
static int close_part(collector *c, mli_part *p)
{
    p->source = mli_arena_take(&c->g->arena, c->n, sizeof *p->source);
    if (!p->source) return 0;
    p->n_sources = c->n;
    for (int32_t i = 0; i < c->n; i++) {
        mli_source *s = &p->source[i];
        s->low = c->list[i].low ? p->n_columns++ : -1;
        s->high = c->list[i].high ? p->n_columns++ : -1;
        if (!fill_source(c->g, &c->list[i], s)) return 0;
    }
    if (p->n_columns > c->g->most_columns) c->g->most_columns = p->n_columns;
    if (!mli_part_absent(c->g, p)) return 0;
    clear(c);
    return 1;
}

/* Does making the codes cost less than it saves? A code costs about what four levels of a
 * wide walk do. */
static int worth_it(const mli_engine *g)
{
    int64_t sources = 0;
    for (int64_t i = 0; i < g->n_parts; i++) sources += g->part[i].n_sources;
    return sources <= 4 * g->e.n_trees + 64;
}

static int collect(collector *c)
{
    mli_engine *g = c->g;
    const mli_ensemble *e = &g->e;
    int64_t first = 0;
    for (int64_t t = 0; t <= e->n_trees; t++) {
        int state = FULL;
        if (t < e->n_trees) {
            if (e->start[t + 1] - e->start[t] > MLI_TREE_NODES) return FULL;
            state = add_tree(c, t);
        }
        if (state == NO_MEMORY) return NO_MEMORY;
        if (state == ADDED) continue;
        if (first == t) return t < e->n_trees ? FULL : ADDED; /* too large by itself */
        mli_part *p = &g->part[g->n_parts++];
        p->first = first;
        p->n_trees = t - first;
        if (!close_part(c, p)) return NO_MEMORY;
        first = t--;
        if (first == e->n_trees) break;
    }
    return worth_it(g) ? ADDED : FULL;
}

ml_status mli_engine_cuts(mli_engine *g, int *fits, ml_error *err)
{
    collector c = {.g = g};
    g->set_shift = 3;
    int64_t n = g->e.n_features;
    c.index = mli_alloc(g->ctx, (size_t)(n + 1) * sizeof *c.index);
    g->part = mli_arena_take(&g->arena, g->e.n_trees + 1, sizeof *g->part);
    int state = c.index && g->part ? ADDED : NO_MEMORY;
    for (int64_t j = 0; state == ADDED && j < n; j++) c.index[j] = -1;
    if (state == ADDED) state = collect(&c);
    for (int32_t i = 0; i < c.capacity; i++) mli_free(g->ctx, c.list[i].cut);
    mli_free(g->ctx, c.list);
    mli_free(g->ctx, c.index);
    *fits = state == ADDED;
    return state == NO_MEMORY ? mli_nomem(err) : ML_OK;
}

int32_t mli_source_cut(const mli_source *s, double threshold)
{
    return place(s->cut, s->n_cuts, threshold);
}
