/* SPDX-License-Identifier: MIT
 *
 * trees/split.c: the best split over the columns of a leaf.
 *
 * Numeric columns: prefix sums over the bins, then the gain of every cut; when the leaf
 * has missing values in the column, once with them on the right and once on the left.
 * Without missing values in the leaf, a value missing later follows the heavier child.
 * Bounds on leaf values (max_delta_step, monotone constraints) and exact row counts take
 * a plain loop instead of the vector one.
 */
#include "algorithms/trees/split.h"
#include "core/cpu.h"
#include <math.h>

/* What the columns of one leaf share. */
typedef struct finding {
    const mli_split_rule *rule;
    const mli_binner *binner;
    const mli_split_leaf *leaf;
    double min_h; /* least hessian of a child, the estimate of min_data included */
    int plain;    /* no bound, no exact counts: vector scan */
} finding;

static double soft(double g, double l1)
{
    double t = fabs(g) - l1;
    return t > 0 ? t : 0;
}

double mli_leaf_value(const mli_split_rule *rule, double g, double h)
{
    double t = soft(g, rule->l1), below = h + rule->l2;
    if (!(below > 0)) return 0;
    double value = t / below * (rule->h_scale / rule->g_scale);
    if (rule->max_delta > 0 && value > rule->max_delta) value = rule->max_delta;
    return g > 0 ? -value : value;
}

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

/* Gain of a side when its value is `v` (real): minus twice the change of the loss, in
 * packed units of gain. */
static double side_gain(const mli_split_rule *rule, double g, double h, double l2,
                        double v)
{
    double w = v * (rule->g_scale / rule->h_scale);
    return -(2 * g * w + (h + l2) * w * w + 2 * rule->l1 * fabs(w));
}

static double bounded_gain(const mli_split_rule *rule, const mli_split_leaf *leaf,
                           double gl, double hl, int monotone, double l2)
{
    mli_split_rule with = *rule;
    with.l2 = l2;
    double gr = (double)leaf->g - gl, hr = (double)leaf->h - hl;
    double left = clamp(mli_leaf_value(&with, gl, hl), leaf->lower, leaf->upper);
    double right = clamp(mli_leaf_value(&with, gr, hr), leaf->lower, leaf->upper);
    if ((monotone > 0 && left > right) || (monotone < 0 && left < right))
        return -INFINITY;
    return side_gain(rule, gl, hl, l2, left) + side_gain(rule, gr, hr, l2, right);
}

double mli_split_gain(const mli_split_rule *rule, const mli_split_leaf *leaf, int64_t gl,
                      int64_t hl, double rows_left, int monotone, double l2_more)
{
    double h = (double)hl, other = (double)(leaf->h - hl), min_h = rule->min_h;
    if (min_h < 1) min_h = 1;
    double rows_right = (double)leaf->rows - rows_left;
    double least = (double)rule->min_data - 0.5;
    if (h < min_h || other < min_h || rows_left < least || rows_right < least)
        return -INFINITY;
    double l2 = rule->l2 + l2_more;
    if (rule->monotone || rule->max_delta > 0)
        return bounded_gain(rule, leaf, (double)gl, h, monotone, l2);
    double tl = soft((double)gl, rule->l1), tr = soft((double)(leaf->g - gl), rule->l1);
    return tl * tl / (h + l2) + tr * tr / (other + l2);
}

/* The same for a split after bin i of a prefix, by the plain loop. */
static void scan_bounded(const finding *f, int32_t column, const uint64_t *prefix,
                         const uint32_t *rows, uint32_t rows_more, int32_t last,
                         mli_scan *s)
{
    int monotone = f->rule->monotone ? f->rule->monotone[column] : 0;
    double counted = rows_more;
    s->bin = -1;
    for (int32_t i = 0; i <= last; i++) {
        int64_t gl = mli_gh_g(prefix[i]), hl = mli_gh_h(prefix[i]);
        if (rows) counted += rows[i];
        double left = rows ? counted : mli_split_rows(f->leaf, hl);
        double gain = mli_split_gain(f->rule, f->leaf, gl, hl, left, monotone, 0);
        if (gain > s->gain) {
            s->gain = gain;
            s->bin = i;
        }
    }
}

/* How many cuts, from the first on, have a hessian below min_h on their left; of_leaf >
 * 0: at least min_h on their right. */
static int32_t count_below(const uint64_t *prefix, int32_t n, double min_h,
                           double of_leaf)
{
    int32_t low = 0;
    while (low < n) {
        int32_t middle = low + (n - low) / 2;
        double h = mli_gh_h(prefix[middle]);
        if (of_leaf > 0 ? of_leaf - h >= min_h : h < min_h)
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

static void scan(const finding *f, int32_t column, const uint64_t *prefix,
                 const uint32_t *rows, uint32_t rows_more, int32_t last, mli_scan *s)
{
    if (!f->plain) {
        scan_bounded(f, column, prefix, rows, rows_more, last, s);
        return;
    }
    /* The hessian left of a cut never falls: cuts that leave too little lie at the ends.
     */
    int32_t first = count_below(prefix, last + 1, f->min_h, 0);
    last = count_below(prefix, last + 1, f->min_h, s->h) - 1;
    if (first > last)
        s->bin = -1;
    else if (f->rule->cpu_level >= MLI_CPU_AVX2)
        mli_scan_avx2(prefix, first, last, s);
    else
        mli_scan_scalar(prefix, first, last, s);
}

static void keep(const finding *f, int32_t feature, const uint64_t *prefix,
                 const mli_scan *s, int missing_left, mli_split *best)
{
    double gain = (s->gain - f->leaf->base) * f->rule->gain_unit;
    if (s->bin < 0 || !(gain > best->gain)) return;
    best->gain = gain;
    best->column = f->binner->features[feature].column;
    best->feature = feature;
    best->bin = s->bin;
    best->categorical = 0;
    best->g_left = mli_gh_g(prefix[s->bin]);
    best->h_left = mli_gh_h(prefix[s->bin]);
    best->missing_left = missing_left;
}

/* small: is taken off the cells first, or NULL. */
static void split_numeric(const finding *f, int32_t feature, uint64_t *cells,
                          const uint64_t *small, const uint32_t *rows, mli_split *best)
{
    int32_t n = f->binner->features[feature].n_bins;
    int32_t column = f->binner->features[feature].column;
    uint64_t prefix[256 + 4];
    if (f->rule->cpu_level >= MLI_CPU_AVX2)
        mli_prefix_avx2(cells, small, n, prefix);
    else
        mli_prefix_scalar(cells, small, n, prefix);
    uint64_t missing = small ? cells[n] -= small[n] : cells[n];
    for (int32_t i = n; i < n + 4; i++) prefix[i] = n ? prefix[n - 1] : 0;
    /* best->gain is real; what a candidate must beat is in packed units. */
    mli_scan s = {.g = (double)f->leaf->g,
                  .h = (double)f->leaf->h,
                  .l1 = f->rule->l1,
                  .l2 = f->rule->l2,
                  .min_h = f->min_h};
    s.gain = best->gain / f->rule->gain_unit + f->leaf->base;
    uint32_t rows_missing = rows ? rows[n] : 0;
    int any_missing = missing != 0 || rows_missing != 0;
    scan(f, column, prefix, rows, 0, any_missing ? n - 1 : n - 2, &s);
    int heavy_left = s.bin >= 0 && 2.0 * mli_gh_h(prefix[s.bin]) > s.h;
    keep(f, feature, prefix, &s, heavy_left && !any_missing, best);
    if (!any_missing) return;
    for (int32_t i = 0; i < n + 4; i++) prefix[i] += missing;
    scan(f, column, prefix, rows, rows_missing, n - 2, &s);
    keep(f, feature, prefix, &s, 1, best);
}

static void subtract(uint64_t *cells, const uint64_t *small, int32_t n)
{
    for (int32_t i = 0; i < n; i++) cells[i] -= small[i];
}

void mli_split_leaf_ready(const mli_split_rule *rule, mli_split_leaf *leaf)
{
    double g = (double)leaf->g, h = (double)leaf->h;
    if (rule->monotone || rule->max_delta > 0) {
        double v = clamp(mli_leaf_value(rule, g, h), leaf->lower, leaf->upper);
        leaf->base = side_gain(rule, g, h, rule->l2, v);
        return;
    }
    double t = soft(g, rule->l1);
    leaf->base = h + rule->l2 > 0 ? t * t / (h + rule->l2) : 0;
}

double mli_split_least(const mli_split_rule *rule, const mli_split_leaf *leaf)
{
    double least = rule->min_h > 1 ? rule->min_h : 1;
    double share = ((double)rule->min_data - 0.5) * (double)leaf->h / (double)leaf->rows;
    return share > least ? share : least;
}

/* The features of a bundle, each from its part of the column's cells. */
static void split_bundle(const finding *f, int32_t column, const uint64_t *cells,
                         const uint32_t *rows, mli_split *best)
{
    const mli_binner *b = f->binner;
    uint64_t own[257], total = mli_gh_pack((int32_t)f->leaf->g, (int32_t)f->leaf->h);
    uint32_t counts[257];
    for (int32_t j = b->feature[column]; j >= 0; j = b->features[j].next) {
        const mli_bin_feature *feature = &b->features[j];
        MLI_UNBUNDLE(feature, cells, total, own);
        if (rows) MLI_UNBUNDLE(feature, rows, (uint32_t)f->leaf->rows, counts);
        split_numeric(f, j, own, NULL, rows ? counts : NULL, best);
    }
}

void mli_split_find(const mli_split_rule *rule, const mli_binner *b,
                    const mli_split_job *job, int32_t first, int32_t last, mli_split *out)
{
    const mli_split_leaf *leaf = job->leaf;
    finding f = {.rule = rule, .binner = b, .leaf = leaf};
    f.plain = !job->rows && !rule->monotone && !(rule->max_delta > 0);
    f.min_h = mli_split_least(rule, leaf);
    memset(out, 0, sizeof *out);
    /* What rounding alone could give is no gain. */
    out->gain = fabs(leaf->base) * rule->gain_unit * 1e-10;
    if (rule->min_gain > out->gain) out->gain = rule->min_gain;
    out->column = -1;
    for (int32_t c = first; c < last; c++) {
        const mli_bin_feature *feature = &b->features[b->feature[c]];
        uint64_t *cells = job->hist + b->cell[c];
        if (job->summed && !job->summed[c]) continue;
        const uint64_t *small = job->small ? job->small + b->cell[c] : NULL;
        int masked = job->mask && !job->mask[c];
        int category = feature->kind == MLI_CATEGORICAL && !feature->ordered;
        int plain = !masked && !category && !feature->bundled;
        if (small && !plain) subtract(cells, small, b->bins[c] + 1);
        if (masked) continue;
        const uint32_t *counts = job->rows ? job->rows + b->cell[c] : NULL;
        if (category)
            mli_split_categories(rule, b, c, cells, counts, leaf, out);
        else if (feature->bundled)
            split_bundle(&f, c, cells, counts, out);
        else
            split_numeric(&f, b->feature[c], cells, small, counts, out);
    }
    if (out->column < 0) out->gain = 0;
}
