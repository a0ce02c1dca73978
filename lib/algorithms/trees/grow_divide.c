/* SPDX-License-Identifier: MIT
 *
 * trees/grow_divide.c: dividing one leaf: its rows go to two children, the histogram of
 * the lighter child is summed on the way, that of the heavier one follows by subtraction,
 * and both are searched for their best split.
 */
#include "algorithms/trees/grow.h"
#include "core/rng.h"

/* Could a child with these sums be divided further? Its rows need not be known. */
int mli_grow_may_divide(const mli_grower *g, int64_t h, int32_t depth)
{
    double min_h = g->rule->min_h > 1 ? g->rule->min_h : 1;
    if (g->options.symmetric) return depth < g->options.max_depth;
    if (g->options.max_depth > 0 && depth >= g->options.max_depth) return 0;
    return (double)h >= 2 * min_h;
}

/* The same when its rows are known. */
static int enough_rows(const mli_grower *g, const mli_grow_node *child)
{
    return child->sums.rows >= 2 * g->rule->min_data;
}

/* The bounds of children of a monotone column. */
static void set_bounds(const mli_grower *g, const mli_grow_node *node, mli_grow_node *l,
                       mli_grow_node *r)
{
    if (!g->rule->monotone || node->split.categorical) return;
    int sign = g->rule->monotone[node->split.column];
    if (sign == 0) return;
    double wl = mli_leaf_value(g->rule, (double)l->sums.g, (double)l->sums.h);
    double wr = mli_leaf_value(g->rule, (double)r->sums.g, (double)r->sums.h);
    double low = node->sums.lower, high = node->sums.upper;
    wl = wl < low ? low : wl > high ? high : wl;
    wr = wr < low ? low : wr > high ? high : wr;
    double middle = wl / 2 + wr / 2;
    mli_grow_node *below = sign > 0 ? l : r, *above = sign > 0 ? r : l;
    below->sums.upper = middle;
    above->sums.lower = middle;
}

/* Fills in the children: sums, rows, bounds; no split yet. */
void mli_grow_children(mli_grower *g, const mli_grow_node *node, int32_t left,
                       int64_t n_left, int32_t buffer)
{
    for (int32_t k = 0; k < 2; k++) {
        mli_grow_node *child = &g->nodes[left + k];
        memset(child, 0, sizeof *child);
        child->sums = node->sums;
        child->sums.g = k ? node->sums.g - node->split.g_left : node->split.g_left;
        child->sums.h = k ? node->sums.h - node->split.h_left : node->split.h_left;
        child->sums.rows = k ? node->sums.rows - n_left : n_left;
        child->begin = node->begin + (k ? n_left : 0);
        child->path = node->path * 2 + (uint64_t)k;
        if (node->depth >= 62) child->path *= UINT64_C(6364136223846793005);
        child->sums.key = mli_mix64(node->sums.key + (uint64_t)k + 1);
        child->groups = node->groups;
        child->only = node->only;
        if (g->options.groups) {
            uint64_t groups = g->options.groups[node->split.column];
            child->groups &= groups;
            if (groups == 0) child->only = node->split.column + 1;
        }
        child->depth = node->depth + 1;
        child->buffer = buffer;
        child->hist = -1;
    }
    set_bounds(g, node, &g->nodes[left], &g->nodes[left + 1]);
    for (int32_t k = 0; k < 2; k++) {
        mli_split_leaf *sums = &g->nodes[left + k].sums;
        sums->base = 0;
        if (sums->rows > 0) mli_split_leaf_ready(g->rule, sums);
    }
}

/* The split of a node from its histogram. */
static void find(mli_grower *g, mli_grow_node *node, uint64_t *hist,
                 const uint64_t *small, int32_t slot)
{
    mli_split_job job = {.leaf = &node->sums, .hist = hist, .small = small};
    job.summed = mli_grow_summed(g);
    job.mask = mli_grow_mask(g, node, slot);
    mli_split_find(g->rule, g->binner, &job, 0, g->binner->n_used, &node->split);
}

#define ONES 1024

/* Rows per cell: sums of ones, narrowed where they stand. */
static const uint32_t *count_rows(const mli_grower *g, mli_rows rows, int64_t n,
                                  uint64_t *count)
{
    int64_t cells = g->binner->n_cells;
    if (g->plan.sparse) {
        uint32_t *narrow = (uint32_t *)(void *)count;
        memset(narrow, 0, (size_t)cells * sizeof *narrow);
        mli_bin_sparse_count(g->plan.sparse, rows.row, n, narrow);
        return narrow;
    }
    uint64_t ones[ONES];
    for (int32_t i = 0; i < ONES; i++) ones[i] = 1;
    memset(count, 0, (size_t)cells * sizeof *count);
    for (int64_t i = 0; i < n; i += ONES) {
        mli_rows some = mli_rows_from(&g->plan, rows, i);
        some.gh = ones;
        mli_hist_add(&g->plan, some, n - i < ONES ? n - i : ONES, count);
    }
    char *to = (char *)count;
    for (int64_t i = 0; i < cells; i++) {
        uint32_t narrow = (uint32_t)count[i];
        memcpy(to + (size_t)i * sizeof narrow, &narrow, sizeof narrow);
    }
    return (const uint32_t *)(const void *)count;
}

/* A split that leaves a child too few rows was chosen on an estimate: search again with
 * counted rows. */
void mli_grow_find_counted(mli_grower *g, mli_grow_node *node, int32_t slot)
{
    mli_rows rows = mli_grow_rows(g, node);
    const uint32_t *count =
        count_rows(g, rows, node->sums.rows, mli_grow_scratch(g, slot, 2));
    uint64_t *hist = mli_grow_scratch(g, slot, 1);
    if (node->hist >= 0) {
        hist = mli_grow_pool(g, node->hist);
    } else {
        mli_hist_clear(&g->plan, hist);
        mli_hist_add(&g->plan, rows, node->sums.rows, hist);
    }
    mli_split_job job = {.leaf = &node->sums, .hist = hist, .rows = count};
    job.summed = mli_grow_summed(g);
    job.mask = mli_grow_mask(g, node, slot);
    mli_split_find(g->rule, g->binner, &job, 0, g->binner->n_used, &node->split);
}

int mli_grow_too_few(const mli_grower *g, const mli_grow_node *node, int64_t n_left)
{
    int64_t least = g->rule->min_data > 1 ? g->rule->min_data : 1;
    return n_left < least || node->sums.rows - n_left < least;
}

/* The children's splits, given the histogram of the lighter one. */
static void find_children(mli_grower *g, const mli_grow_node *node, int32_t left,
                          int light, uint64_t *hist, const int *may, int32_t slot)
{
    mli_grow_node *small = &g->nodes[left + light], *large = &g->nodes[left + !light];
    if (may[!light] && node->hist >= 0) {
        find(g, large, mli_grow_pool(g, node->hist), hist, slot);
    } else if (may[!light]) {
        uint64_t *own = mli_grow_scratch(g, slot, 1);
        mli_hist_clear(&g->plan, own);
        mli_hist_add(&g->plan, mli_grow_rows(g, large), large->sums.rows, own);
        find(g, large, own, NULL, slot);
    }
    if (may[light]) find(g, small, hist, NULL, slot);
}

void mli_grow_divide(mli_grower *g, mli_grow_node *node, mli_grow_division *d,
                     int32_t slot)
{
    if (node->deferred) {
        node->deferred = 0;
        mli_grow_find_counted(g, node, slot);
        return;
    }
    const mli_split *split = &node->split;
    mli_division how;
    mli_division_set(&how, g->binner, &g->matrix, split, slot);
    int light = 2 * split->h_left > node->sums.h;
    int may[2] = {mli_grow_may_divide(g, split->h_left, node->depth + 1),
                  mli_grow_may_divide(g, node->sums.h - split->h_left, node->depth + 1)};
    uint64_t *hist =
        d->slot >= 0 ? mli_grow_pool(g, d->slot) : mli_grow_scratch(g, slot, 0);
    /* Each child has min_data rows at least: then neither has twice as many. */
    if (node->sums.rows < 3 * g->rule->min_data) may[0] = may[1] = 0;
    if (!may[0] && !may[1]) hist = NULL;
    if (hist) mli_hist_clear(&g->plan, hist);
    int32_t to = 1 - node->buffer;
    mli_places at = {0, node->sums.rows - 1};
    int64_t n_left =
        mli_divide(&how, mli_grow_rows(g, node), node->sums.rows,
                   mli_grow_room(g, to, node->begin), at, &g->plan, light, hist);
    if (mli_grow_too_few(g, node, n_left)) {
        /* A search with counted rows can find a larger gain, and whether a leaf is
         * reached in advance depends on the number of threads. */
        if (d->ahead)
            node->deferred = 1;
        else
            mli_grow_find_counted(g, node, slot);
        return;
    }
    mli_grow_children(g, node, d->left, n_left, to);
    for (int32_t k = 0; k < 2; k++) may[k] &= enough_rows(g, &g->nodes[d->left + k]);
    if (hist) find_children(g, node, d->left, light, hist, may, slot);
    d->done = 1 + light;
}

/* Hands the histograms on to the children, or back to the pool. */
void mli_grow_finish(mli_grower *g, const mli_grow_division *d)
{
    mli_grow_node *node = &g->nodes[d->id];
    if (!d->done) {
        g->spare[g->n_spare++] = d->left;
        mli_grow_release(g, d->slot);
        if (!(node->split.gain > 0)) {
            mli_grow_release(g, node->hist);
            node->hist = -1;
        }
        return;
    }
    int light = d->done - 1;
    node->left = d->left;
    mli_grow_node *small = &g->nodes[d->left + light],
                  *large = &g->nodes[d->left + !light];
    small->hist = d->slot;
    large->hist = node->hist;
    node->hist = -1;
    for (int32_t k = 0; k < 2; k++) {
        mli_grow_node *child = &g->nodes[d->left + k];
        if (child->split.gain > 0 || (g->options.symmetric && child->sums.rows > 0))
            continue;
        mli_grow_release(g, child->hist);
        child->hist = -1;
    }
}
