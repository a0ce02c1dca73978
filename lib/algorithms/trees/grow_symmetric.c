/* SPDX-License-Identifier: MIT
 *
 * trees/grow_symmetric.c: symmetric (oblivious) trees: all leaves of a depth are divided
 * by the same split, the one with the best score (level_cuts.c; Prokhorenkova and others,
 * "CatBoost", 2018). Leaves in which the split leaves too little on a side add no gain,
 * but are divided as well.
 *
 * Cost per depth: half of the rows are summed, and each leaf's histogram is read once.
 */
#include "algorithms/trees/level.h"

static void find_task(void *arg, int64_t task, int32_t slot)
{
    mli_level *l = arg;
    const mli_binner *b = l->g->binner;
    mli_split *out = &l->g->found[task];
    (void)slot;
    memset(out, 0, sizeof *out);
    out->feature = -1;
    if (l->mask && !l->mask[task]) return;
    for (int32_t j = b->feature[task]; j >= 0; j = b->features[j].next)
        mli_level_find(l, j, out);
}

static int find_best(mli_level *l)
{
    mli_grower *g = l->g;
    int32_t n = g->binner->n_used;
    l->mask = mli_grow_mask(g, &g->nodes[l->ids[0]], 0);
    if (!l->mask) l->mask = mli_grow_summed(g);
    mli_parallel(g->ctx, n, find_task, l);
    memset(&l->best, 0, sizeof l->best);
    l->best.feature = -1;
    for (int32_t c = 0; c < n; c++) {
        const mli_split *s = &g->found[c];
        if (s->feature < 0) continue;
        if (g->rule->min_gain > 0 && !(s->gain > g->rule->min_gain)) continue;
        if (l->best.feature < 0 || s->score > l->best.score) l->best = *s;
    }
    return l->best.feature >= 0;
}

/* The common split as that of one leaf. */
static void adopt(const mli_level *l, int32_t i)
{
    mli_grower *g = l->g;
    const mli_bin_feature *f = &g->binner->features[l->best.feature];
    mli_grow_node *node = &g->nodes[l->ids[i]];
    uint64_t own[257];
    const uint64_t *cells = mli_level_cells(l, i, f, own);
    int32_t n_bins = f->n_bins;
    node->split = l->best;
    node->split.gain = 0;
    node->split.g_left = node->split.h_left = 0;
    if (!cells) return;
    uint64_t left = 0;
    for (int32_t k = 0; k <= n_bins; k++) {
        int goes = k <= l->best.bin;
        if (l->best.categorical) goes = (int)(l->best.bits[k >> 5] >> (k & 31)) & 1;
        if (k == n_bins) goes = l->best.missing_left;
        if (goes) left += cells[k];
    }
    node->split.g_left = mli_gh_g(left);
    node->split.h_left = mli_gh_h(left);
    double v =
        mli_split_gain(g->rule, &node->sums, node->split.g_left, node->split.h_left,
                       mli_split_rows(&node->sums, node->split.h_left), 0, 0);
    v = (v - node->sums.base) * g->rule->gain_unit;
    if (v > 0) node->split.gain = v;
}

/* Divides all leaves; the last ones need no histograms. */
static void divide_level(mli_level *l, int last)
{
    mli_grower *g = l->g;
    for (int32_t i = 0; i < l->n; i++) {
        adopt(l, i);
        const mli_grow_node *node = &g->nodes[l->ids[i]];
        int light = 2 * node->split.h_left > node->sums.h;
        l->light[2 * i + light] = 1;
        l->light[2 * i + !light] = 0;
        l->slot[i] = last || node->hist < 0 ? -1 : mli_grow_take_slot(g);
        l->left[i] = mli_grow_take_pair(g);
    }
    mli_level_divide(l, !last);
    if (mli_run_state(g->run) == ML_CANCEL) return;
    for (int32_t i = 0; i < l->n; i++) {
        const mli_grow_node *node = &g->nodes[l->ids[i]];
        mli_grow_division d = {l->ids[i], l->left[i], l->slot[i], 1 + l->light[2 * i + 1],
                               0};
        mli_grow_children(g, node, l->left[i], l->count[2 * i], 0);
        mli_grow_finish(g, &d);
    }
}

static void next_level(mli_level *l)
{
    for (int32_t i = l->n - 1; i >= 0; i--) {
        mli_grow_node *node = &l->g->nodes[l->ids[i]];
        node->kept = 1;
        l->ids[2 * i + 1] = node->left + 1;
        l->ids[2 * i] = node->left;
    }
    l->n *= 2;
}

ml_status mli_grow_levels(mli_grower *g, ml_error *err)
{
    mli_level l = {.g = g, .n = 1, .leaf = g->leaf};
    int64_t most = g->options.max_leaves, rows = g->nodes[0].sums.rows;
    ml_status status = mli_level_make(&l, rows, err);
    int64_t depth = g->options.max_depth, d = 0;
    if (g->nodes[0].hist < 0) depth = 0;
    for (; d < depth && 2 * l.n <= most && status == ML_OK; d++) {
        l.depth = (int32_t)d;
        if (!find_best(&l)) break;
        divide_level(&l, d + 1 == g->options.max_depth);
        status = mli_run_check(g->run, err);
        if (status == ML_OK) next_level(&l);
    }
    if (status == ML_OK && d == 0)
        for (int64_t i = 0; i < rows; i++) l.leaf[g->rows[0].row[i]] = 0;
    if (status == ML_OK && g->options.gather) mli_level_gather(&l);
    mli_level_free(&l);
    return status;
}
