/* SPDX-License-Identifier: MIT
 *
 * trees/grow_symmetric.c: symmetric (oblivious) trees: all leaves of a depth are divided
 * by the same split, the one with the largest sum of gains (Prokhorenkova and others,
 * "CatBoost", 2018). Leaves in which the split leaves too little on a side add no gain,
 * but are divided as well.
 *
 * Categories: the levels are ordered by gradient over hessian of all leaves together, and
 * cuts of that order are tried.
 *
 * Cost per depth: half of the rows are summed, and each leaf's histogram is read once.
 */
#include "algorithms/trees/grow.h"
#include <math.h>

/* One depth of the tree. */
typedef struct level {
    mli_grower *g;
    int32_t n;
    int32_t *ids; /* [n] its leaves */
    const uint8_t *mask;
    mli_split best;
    int32_t n_small;
    mli_grow_division *small; /* [n] leaves divided by one thread each */
} level;

/* Cuts of one column, with the gains of all leaves. */
typedef struct cuts {
    double right[256], left[256]; /* values missing go right, left */
    double heavy[256];            /* hessian left of the cut */
    int32_t order[257];           /* cells in the order of the cuts */
    int32_t n;                    /* cells that take part */
    int missing;                  /* some leaf has missing values */
    double h;
} cuts;

typedef struct level_order {
    double by;
    int32_t cell;
} level_order;

/* The cells of one feature in a leaf, NULL when it has none; own[257] is for those of
 * bundled ones. */
static const uint64_t *leaf_cells(const level *l, int32_t i, const mli_bin_feature *f,
                                  uint64_t *own)
{
    const mli_grow_node *node = &l->g->nodes[l->ids[i]];
    if (node->hist < 0) return NULL;
    const uint64_t *cells =
        mli_grow_pool(l->g, node->hist) + l->g->binner->cell[f->column];
    if (!f->bundled) return cells;
    uint64_t total = mli_gh_pack((int32_t)node->sums.g, (int32_t)node->sums.h);
    MLI_UNBUNDLE(f, cells, total, own);
    return own;
}

static void sort_levels(level_order *v, int32_t n)
{
    for (int32_t i = 1; i < n; i++) {
        level_order x = v[i];
        int32_t j = i;
        for (; j > 0 && v[j - 1].by > x.by; j--) v[j] = v[j - 1];
        v[j] = x;
    }
}

/* The levels of a category that take part, in order. */
static void order_levels(const level *l, const mli_bin_feature *f, cuts *c)
{
    level_order v[257];
    int32_t n_cells = f->n_bins + 1;
    double rows = 0, h_all = 0;
    int32_t used = 0;
    for (int32_t i = 0; i < l->n; i++) {
        rows += (double)l->g->nodes[l->ids[i]].sums.rows;
        h_all += (double)l->g->nodes[l->ids[i]].sums.h;
    }
    for (int32_t k = 0; k < n_cells; k++) {
        double g = 0, h = 0;
        for (int32_t i = 0; i < l->n; i++) {
            const uint64_t *cells = leaf_cells(l, i, f, NULL);
            if (!cells) continue;
            g += mli_gh_g(cells[k]);
            h += mli_gh_h(cells[k]);
        }
        double here = h_all > 0 ? h * rows / h_all : 0;
        if (!(h > 0) || here < l->g->rule->cat_level_rows) continue;
        v[used++] = (level_order){g / (h + l->g->rule->cat_smooth), k};
    }
    sort_levels(v, used);
    for (int32_t k = 0; k < used; k++) c->order[k] = v[k].cell;
    c->n = used;
}

/* Adds the gains of one leaf for the cuts after each cell; `gl` and `hl` start at what is
 * on the left in any case. */
static void add_gains(const level *l, const mli_split_leaf *leaf, const uint64_t *cells,
                      const cuts *c, uint64_t before, double l2, double *gain)
{
    const mli_split_rule *rule = l->g->rule;
    double least = mli_split_least(rule, leaf), l1 = rule->l1;
    double g = (double)leaf->g, h = (double)leaf->h;
    uint64_t sum = before;
    for (int32_t k = 0; k < c->n; k++) {
        sum += cells[c->order[k]];
        double gl = mli_gh_g(sum), hl = mli_gh_h(sum), hr = h - hl;
        double tl = fabs(gl) - l1, tr = fabs(g - gl) - l1;
        tl = tl > 0 ? tl : 0;
        tr = tr > 0 ? tr : 0;
        double a = hl + l2, b = hr + l2;
        double v = (tl * tl * b + tr * tr * a) / (a * b) - leaf->base;
        gain[k] += hl >= least && hr >= least ? v : 0;
    }
}

static int breaks_order(const mli_split_rule *rule, const mli_split_leaf *leaf,
                        int64_t gl, int64_t hl, int monotone)
{
    if (hl <= 0 || hl >= leaf->h) return 0;
    double left = mli_leaf_value(rule, (double)gl, (double)hl);
    double right = mli_leaf_value(rule, (double)(leaf->g - gl), (double)(leaf->h - hl));
    left = left < leaf->lower ? leaf->lower : left > leaf->upper ? leaf->upper : left;
    right = right < leaf->lower ? leaf->lower : right > leaf->upper ? leaf->upper : right;
    return monotone > 0 ? left > right : left < right;
}

/* The same with bounds on the values. */
static void add_bounded(const level *l, const mli_split_leaf *leaf, const uint64_t *cells,
                        const cuts *c, uint64_t before, int32_t column, double l2_more,
                        double *gain)
{
    const mli_split_rule *rule = l->g->rule;
    int monotone = rule->monotone ? rule->monotone[column] : 0;
    uint64_t sum = before;
    for (int32_t k = 0; k < c->n; k++) {
        sum += cells[c->order[k]];
        int64_t gl = mli_gh_g(sum), hl = mli_gh_h(sum);
        double rows = mli_split_rows(leaf, hl);
        double v = mli_split_gain(rule, leaf, gl, hl, rows, monotone, l2_more);
        /* A cut that breaks the order in one leaf is not allowed at all. */
        if (isfinite(v)) gain[k] += v - leaf->base;
        if (monotone && breaks_order(rule, leaf, gl, hl, monotone)) gain[k] = -INFINITY;
    }
}

static void add_leaf(const level *l, int32_t i, const mli_bin_feature *f, int categorical,
                     cuts *c)
{
    uint64_t own[257];
    int32_t n_bins = f->n_bins;
    const mli_split_rule *rule = l->g->rule;
    const mli_split_leaf *leaf = &l->g->nodes[l->ids[i]].sums;
    const uint64_t *cells = leaf_cells(l, i, f, own);
    if (!cells) return;
    uint64_t missing = categorical ? 0 : cells[n_bins], sum = 0;
    int bounded = rule->monotone || rule->max_delta > 0;
    double more = categorical ? rule->cat_l2 : 0;
    c->missing |= missing != 0;
    c->h += (double)leaf->h;
    for (int32_t k = 0; k < c->n; k++) {
        sum += cells[c->order[k]];
        c->heavy[k] += mli_gh_h(sum);
    }
    for (int side = 0; side < (categorical ? 1 : 2); side++) {
        double *gain = side ? c->left : c->right;
        uint64_t before = side ? missing : 0;
        if (bounded)
            add_bounded(l, leaf, cells, c, before, f->column, more, gain);
        else
            add_gains(l, leaf, cells, c, before, rule->l2 + more, gain);
    }
}

static void take_cut(const cuts *c, int32_t k, int categorical, int missing_left,
                     int32_t n_bins, mli_split *out)
{
    out->bin = k;
    out->missing_left = missing_left;
    out->categorical = categorical;
    if (!categorical) return;
    out->bin = 0;
    for (int32_t i = 0; i <= k; i++)
        out->bits[c->order[i] >> 5] |= UINT32_C(1) << (c->order[i] & 31);
    out->missing_left = (int)(out->bits[n_bins >> 5] >> (n_bins & 31)) & 1;
}

static void best_cut(const level *l, const cuts *c, int categorical, int32_t n_bins,
                     mli_split *out)
{
    /* What rounding alone could give is no gain. */
    double best = 0;
    int32_t last = c->missing || categorical ? c->n - 1 : c->n - 2;
    for (int32_t i = 0; i < l->n; i++)
        best += fabs(l->g->nodes[l->ids[i]].sums.base) * 1e-10;
    if (categorical && last > n_bins) last = n_bins;
    for (int32_t k = 0; k <= last; k++) {
        if (c->right[k] > best) {
            memset(out, 0, sizeof *out);
            best = c->right[k];
            take_cut(c, k, categorical, !c->missing && 2 * c->heavy[k] > c->h, n_bins,
                     out);
            out->gain = best * l->g->rule->gain_unit;
        }
        if (c->missing && k < c->n - 1 && c->left[k] > best) {
            memset(out, 0, sizeof *out);
            best = c->left[k];
            take_cut(c, k, categorical, 1, n_bins, out);
            out->gain = best * l->g->rule->gain_unit;
        }
    }
}

static void find_feature(const level *l, int32_t feature, mli_split *out)
{
    const mli_bin_feature *f = &l->g->binner->features[feature];
    int categorical = f->kind == MLI_CATEGORICAL && !f->ordered;
    mli_split found;
    cuts c;
    memset(&found, 0, sizeof found);
    memset(&c, 0, sizeof c);
    c.n = f->n_bins;
    for (int32_t k = 0; k < c.n; k++) c.order[k] = k;
    if (categorical) order_levels(l, f, &c);
    for (int32_t i = 0; i < l->n; i++) add_leaf(l, i, f, categorical, &c);
    best_cut(l, &c, categorical, f->n_bins, &found);
    found.column = f->column;
    found.feature = feature;
    if (found.gain > out->gain) *out = found;
}

static void find_task(void *arg, int64_t task, int32_t slot)
{
    level *l = arg;
    const mli_binner *b = l->g->binner;
    mli_split *out = &l->g->found[task];
    (void)slot;
    memset(out, 0, sizeof *out);
    if (l->mask && !l->mask[task]) return;
    for (int32_t j = b->feature[task]; j >= 0; j = b->features[j].next)
        find_feature(l, j, out);
}

static int find_best(level *l)
{
    mli_grower *g = l->g;
    int32_t n = g->binner->n_used;
    l->mask = mli_grow_mask(g, &g->nodes[l->ids[0]], 0);
    if (!l->mask) l->mask = mli_grow_summed(g);
    mli_parallel(g->ctx, n, find_task, l);
    memset(&l->best, 0, sizeof l->best);
    for (int32_t c = 0; c < n; c++)
        if (g->found[c].gain > l->best.gain) l->best = g->found[c];
    return l->best.gain > g->rule->min_gain;
}

/* The common split as that of one leaf. */
static void adopt(const level *l, int32_t i)
{
    mli_grower *g = l->g;
    const mli_bin_feature *f = &g->binner->features[l->best.feature];
    mli_grow_node *node = &g->nodes[l->ids[i]];
    uint64_t own[257];
    const uint64_t *cells = leaf_cells(l, i, f, own);
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

void mli_grow_subtract(const mli_grower *g, uint64_t *hist, const uint64_t *small)
{
    for (int64_t i = 0; i < g->n_cells; i++) hist[i] -= small[i];
}

static void divide_task(void *arg, int64_t task, int32_t slot)
{
    level *l = arg;
    mli_grower *g = l->g;
    mli_grow_division *d = &l->small[task];
    mli_grow_node *node = &g->nodes[d->id];
    mli_division how;
    (void)slot;
    mli_division_set(&how, g->binner, g->bins, &node->split);
    int light = 2 * node->split.h_left > node->sums.h;
    uint64_t *hist = d->slot >= 0 ? mli_grow_pool(g, d->slot) : NULL;
    if (hist) memset(hist, 0, (size_t)g->n_cells * sizeof *hist);
    int32_t to = 1 - node->buffer;
    int64_t n_left =
        mli_divide(&how, mli_grow_rows_of(g, node->buffer, node->begin), node->sums.rows,
                   mli_grow_rows_of(g, to, node->begin), &g->plan, light, hist);
    mli_grow_children(g, node, d->left, n_left, to);
    if (hist) mli_grow_subtract(g, mli_grow_pool(g, node->hist), hist);
    d->done = 1 + light;
}

/* Divides all leaves: the large ones by all threads, one after the other. */
static void divide_level(level *l, int last)
{
    mli_grower *g = l->g;
    l->n_small = 0;
    for (int32_t i = 0; i < l->n; i++) {
        mli_grow_node *node = &g->nodes[l->ids[i]];
        adopt(l, i);
        if (node->hist >= 0 && mli_grow_large(g, node->sums.rows)) {
            mli_grow_divide_large(g, l->ids[i]);
        } else {
            int32_t slot = last || node->hist < 0 ? -1 : mli_grow_take_slot(g);
            l->small[l->n_small++] =
                (mli_grow_division){l->ids[i], mli_grow_take_pair(g), slot, 0};
        }
    }
    mli_parallel(g->ctx, l->n_small, divide_task, l);
    for (int32_t i = 0; i < l->n_small; i++) mli_grow_finish(g, &l->small[i]);
}

static void next_level(level *l)
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
    level l = {.g = g, .n = 1};
    int64_t most = g->options.max_leaves;
    l.ids = mli_calloc(g->ctx, (size_t)most + 2, sizeof *l.ids);
    l.small = mli_calloc(g->ctx, (size_t)most + 2, sizeof *l.small);
    ml_status status = l.ids && l.small ? ML_OK : mli_nomem(err);
    int64_t depth = g->options.max_depth;
    if (g->nodes[0].hist < 0) depth = 0;
    for (int64_t d = 0; d < depth && 2 * l.n <= most && status == ML_OK; d++) {
        if (!find_best(&l)) break;
        divide_level(&l, d + 1 == g->options.max_depth);
        status = mli_run_check(g->run, err);
        if (status == ML_OK) next_level(&l);
    }
    mli_free(g->ctx, l.ids);
    mli_free(g->ctx, l.small);
    return status;
}
