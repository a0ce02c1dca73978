/* SPDX-License-Identifier: MIT
 *
 * trees/split_category.c: splits of categorical columns.
 *
 * With few levels each one is tried against the rest. Otherwise levels are sorted by
 * g / (h + cat_smooth), which is optimal for a convex loss (Fisher, "On grouping for
 * maximum homogeneity", 1958), and cuts of that order are tried from both ends, up to
 * max_cat levels. Levels with little hessian stay out of the order and go right. The
 * missing values are a level like any other. At random instead of all: one level, or one
 * length of the shorter side.
 */
#include "algorithms/trees/split.h"
#include <math.h>

typedef struct level {
    double order;
    int64_t g, h;
    double rows;
    int32_t bin;
} level;

typedef struct levels {
    const mli_split_rule *rule;
    const mli_split_leaf *leaf;
    int32_t column, feature, n_cells, used;
    level item[256];
} levels;

static void set_bit(uint32_t bits[8], int32_t i)
{
    bits[i >> 5] |= UINT32_C(1) << (i & 31);
}

/* Keeps a candidate whose left side is items begin .. begin + n - 1. */
static void keep(const levels *l, double gain, int32_t begin, int32_t n, mli_split *best)
{
    gain = (gain - l->leaf->base) * l->rule->gain_unit;
    if (!(gain > best->gain)) return;
    memset(best->bits, 0, sizeof best->bits);
    best->gain = gain;
    best->column = l->column;
    best->feature = l->feature;
    best->categorical = 1;
    best->bin = 0;
    best->g_left = best->h_left = 0;
    for (int32_t i = begin; i < begin + n; i++) {
        set_bit(best->bits, l->item[i].bin);
        best->g_left += l->item[i].g;
        best->h_left += l->item[i].h;
    }
    best->missing_left = 0;
}

static void one_against_rest(const levels *l, mli_split *best)
{
    int32_t first = 0, end = l->used;
    if (l->rule->random) {
        first = mli_split_draw(l->leaf->key, l->feature, l->used);
        end = first < end ? first + 1 : end;
    }
    for (int32_t i = first; i < end; i++) {
        const level *v = &l->item[i];
        double gain = mli_split_gain(l->rule, l->leaf, v->g, v->h, v->rows, 0, 0);
        keep(l, gain, i, 1, best);
    }
}

static void sort_levels(level *v, int32_t n)
{
    for (int32_t i = 1; i < n; i++) {
        level x = v[i];
        int32_t j = i;
        for (; j > 0 && v[j - 1].order > x.order; j--) v[j] = v[j - 1];
        v[j] = x;
    }
}

static void grouped(const levels *l, int from_end, mli_split *best)
{
    int64_t g = 0, h = 0;
    double rows = 0, group = 0;
    int64_t most = (l->used + 1) / 2;
    if (most > l->rule->max_cat) most = l->rule->max_cat;
    int32_t first = 1, random = l->rule->random;
    if (random) first += mli_split_draw(l->leaf->key, l->feature, (int32_t)most);
    for (int32_t n = 1; n <= most; n++) {
        const level *v = &l->item[from_end ? l->used - n : n - 1];
        g += v->g;
        h += v->h;
        rows += v->rows;
        group += v->rows;
        double least = (double)l->rule->cat_min_data - 0.5;
        if (group < least || (double)l->leaf->rows - rows < least) continue;
        double gain = mli_split_gain(l->rule, l->leaf, g, h, rows, 0, l->rule->cat_l2);
        if (isfinite(gain)) group = 0;
        if (n < first) continue;
        keep(l, gain, from_end ? l->used - n : 0, n, best);
        if (random) return;
    }
}

/* Values missing later, when the leaf has none, follow the heavier child. */
static void place_missing(const levels *l, const uint64_t *cells, mli_split *best)
{
    int32_t missing = l->n_cells - 1;
    if (cells[missing] == 0 && 2 * best->h_left > l->leaf->h)
        set_bit(best->bits, missing);
    best->missing_left = (int32_t)(best->bits[missing >> 5] >> (missing & 31)) & 1;
}

void mli_split_categories(const mli_split_rule *rule, const mli_binner *b, int32_t column,
                          const uint64_t *cells, const uint32_t *rows,
                          const mli_split_leaf *leaf, mli_split *best)
{
    levels l = {.rule = rule, .leaf = leaf, .column = column};
    l.feature = b->feature[column];
    l.n_cells = b->features[b->feature[column]].n_bins + 1;
    int few = l.n_cells - 1 <= rule->one_hot;
    double before = best->gain;
    for (int32_t i = 0; i < l.n_cells; i++) {
        level *v = &l.item[l.used];
        v->bin = i;
        v->g = mli_gh_g(cells[i]);
        v->h = mli_gh_h(cells[i]);
        v->rows = rows ? rows[i] : mli_split_rows(leaf, v->h);
        v->order = (double)v->g / ((double)v->h + rule->cat_smooth);
        if (v->h > 0 && (few || v->rows >= rule->cat_level_rows)) l.used++;
    }
    if (few) {
        one_against_rest(&l, best);
    } else {
        sort_levels(l.item, l.used);
        grouped(&l, 0, best);
        grouped(&l, 1, best);
    }
    if (best->gain > before) place_missing(&l, cells, best);
}
