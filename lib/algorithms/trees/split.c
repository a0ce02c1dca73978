/* SPDX-License-Identifier: MIT
 *
 * trees/split.c: the best split over the columns of a leaf.
 *
 * Numeric columns: prefix sums over the bins, then the gain of every cut; when the leaf
 * has missing values in the column, once with them on the right and once on the left.
 * Without missing values in the leaf, a value missing later follows the heavier child.
 * The sums left of a cut never fall, so cuts that leave a side too little lie at the
 * ends. Of those between one may be drawn at random instead (`random`; Geurts and others,
 * "Extremely randomized trees", 2006): the same for missing values on both sides but for
 * their ends.
 *
 * Features are compared by their best gains, or by the roots of these with noise. A gain
 * is about the square of a difference, whose standard error is that of a gradient in
 * units of the root: noise of this size picks at random among the features that the rows
 * cannot tell apart, and vanishes beside the gains of many rows.
 */
#include "algorithms/trees/split.h"
#include "core/rng.h"
#include "core/cpu.h"
#include <math.h>

/* What the columns of one leaf share. */
typedef struct finding {
    const mli_split_rule *rule;
    const mli_binner *binner;
    const mli_split_leaf *leaf;
    double min_h; /* least hessian of a child; without counts for min_data as well */
    int32_t least, most; /* hessians left of a cut that leave either child min_h */
    int bounded;         /* leaf values are */
    double least_gain;   /* real */
    mli_split *one;      /* room for the best of a column */
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

/* How many of n prefixes have a hessian below `least`, and below `most`: two searches
 * side by side, neither of which waits for the other. */
static void count_below(const uint64_t *prefix, int32_t n, int32_t least, int32_t most,
                        int32_t *below, int32_t *fitting)
{
    const uint64_t *p = prefix, *q = prefix;
    *below = *fitting = 0;
    if (n <= 0) return;
    while (n > 1) {
        int32_t half = n / 2;
        p += mli_gh_h(p[half - 1]) < least ? half : 0;
        q += mli_gh_h(q[half - 1]) < most ? half : 0;
        n -= half;
    }
    *below = (int32_t)(p - prefix) + (mli_gh_h(*p) < least);
    *fitting = (int32_t)(q - prefix) + (mli_gh_h(*q) < most);
}

/* Cuts first .. end - 1 less those that leave a child fewer than min_data of the rows
 * counted. */
static void narrow(const finding *f, const uint32_t *rows, uint32_t rows_more,
                   int32_t *first, int32_t *end)
{
    int64_t counted = rows_more, least = f->rule->min_data;
    for (int32_t i = 0; i < *end; i++) {
        counted += rows[i];
        if (counted < least && i >= *first) *first = i + 1;
        if (f->leaf->rows - counted < least) *end = i;
    }
}

/* Prefix i of those in fours (NULL: of all bins). */
static int32_t bin_at(const uint8_t *group, int32_t i)
{
    return group ? 4 * group[i / 4] + i % 4 : i;
}

/* One of the cuts first .. end - 1 at random. Bins between two prefixes count as well, so
 * that the draw does not depend on which were touched. */
static void scan_one(const finding *f, int32_t feature, const uint64_t *prefix,
                     int32_t first, int32_t end, const uint8_t *group, mli_scan *s)
{
    int32_t at = first, bin = bin_at(group, first);
    bin += mli_split_draw(f->leaf->key, feature, bin_at(group, end) - bin);
    if (!group) at = bin;
    while (group && bin_at(group, at + 1) <= bin) at++;
    mli_scan_scalar(prefix, at, at, s);
    s->left = prefix[at];
    if (s->bin >= 0) s->bin = bin;
}

static void scan(const finding *f, int32_t feature, const uint64_t *prefix,
                 const uint32_t *rows, uint32_t rows_more, int32_t last,
                 const uint8_t *group, mli_scan *s)
{
    int32_t first, end;
    count_below(prefix, last + 1, f->least, f->most + 1, &first, &end);
    if (rows) narrow(f, rows, rows_more, &first, &end);
    s->bin = -1;
    if (first >= end) return;
    if (f->rule->random) {
        scan_one(f, feature, prefix, first, end, group, s);
        return;
    }
    if (f->rule->cpu_level >= MLI_CPU_AVX2)
        mli_scan_avx2(prefix, first, end - 1, s);
    else
        mli_scan_scalar(prefix, first, end - 1, s);
    if (s->bin < 0) return;
    s->left = prefix[s->bin];
    s->bin = bin_at(group, s->bin);
}

static void keep(const finding *f, int32_t feature, const mli_scan *s, int missing_left,
                 mli_split *best)
{
    double gain = (s->gain - f->leaf->base) * f->rule->gain_unit;
    if (s->bin < 0 || !(gain > best->gain)) return;
    best->gain = gain;
    best->column = f->binner->features[feature].column;
    best->feature = feature;
    best->bin = s->bin;
    best->categorical = 0;
    best->g_left = mli_gh_g(s->left);
    best->h_left = mli_gh_h(s->left);
    best->missing_left = missing_left;
}

/* best->gain is real; what a candidate must beat is in packed units. */
static mli_scan start_scan(const finding *f, int32_t column, const mli_split *best)
{
    mli_scan s = {.g = (double)f->leaf->g,
                  .h = (double)f->leaf->h,
                  .l1 = f->rule->l1,
                  .l2 = f->rule->l2,
                  .gain = best->gain / f->rule->gain_unit + f->leaf->base,
                  .bin = -1};
    if (!f->bounded) return s;
    double low = f->leaf->lower, high = f->leaf->upper, most = f->rule->max_delta;
    double unit = f->rule->g_scale / f->rule->h_scale;
    s.bounded = 1;
    s.low = unit * (most > 0 ? clamp(-most, low, high) : low);
    s.high = unit * (most > 0 ? clamp(most, low, high) : high);
    s.monotone = f->rule->monotone ? f->rule->monotone[column] : 0;
    return s;
}

/* small: is taken off the cells first, or NULL. */
static void split_numeric(const finding *f, int32_t feature, uint64_t *cells,
                          const uint64_t *small, const uint32_t *rows, mli_split *best)
{
    int32_t n = f->binner->features[feature].n_bins;
    int32_t column = f->binner->features[feature].column;
    uint64_t prefix[256 + MLI_SCAN_PAST];
    if (f->rule->cpu_level >= MLI_CPU_AVX2)
        mli_prefix_avx2(cells, small, n, prefix);
    else
        mli_prefix_scalar(cells, small, n, prefix);
    uint64_t missing = small ? cells[n] -= small[n] : cells[n];
    for (int32_t i = n; i < n + MLI_SCAN_PAST; i++) prefix[i] = n ? prefix[n - 1] : 0;
    mli_scan s = start_scan(f, column, best);
    uint32_t rows_missing = rows ? rows[n] : 0;
    int any_missing = missing != 0 || rows_missing != 0;
    scan(f, feature, prefix, rows, 0, any_missing ? n - 1 : n - 2, NULL, &s);
    keep(f, feature, &s, !any_missing && 2.0 * mli_gh_h(s.left) > s.h, best);
    if (!any_missing) return;
    for (int32_t i = 0; i < n + MLI_SCAN_PAST; i++) prefix[i] += missing;
    scan(f, feature, prefix, rows, rows_missing, n - 2, NULL, &s);
    keep(f, feature, &s, 1, best);
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

/* The range of hessians left of a cut. Both are whole numbers of 32 bits; what a side has
 * to have at least is any number where all hessians are tiny. */
static void set_range(finding *f)
{
    double h = (double)f->leaf->h, least = ceil(f->min_h), most = floor(h - f->min_h);
    if (!(f->min_h <= h)) most = -1;
    while (most >= 0 && h - most < f->min_h) most--;
    while (most >= 0 && h - (most + 1) >= f->min_h) most++;
    f->least = least < INT32_MAX ? (int32_t)least : INT32_MAX;
    f->most = most >= INT32_MAX ? INT32_MAX - 1 : most < 0 ? -1 : (int32_t)most;
}

/* A number with mean 0 and standard deviation 1, nearly normal: the sum of four that are
 * uniform. The same on every machine. */
static double draw(uint64_t key, int32_t feature)
{
    uint64_t x = mli_mix64(key + (uint64_t)feature * UINT64_C(0x9e3779b97f4a7c15));
    uint64_t sum = (x & 0xffff) + (x >> 16 & 0xffff) + (x >> 32 & 0xffff) + (x >> 48);
    return ((double)sum - 2 * 65535.0) * (1.7320508075688772 / 65536);
}

/* Where the best split of the next feature goes: with noise to `one`, to be compared by
 * its score, else to `best`. */
static mli_split *begin_feature(const finding *f, mli_split *one, mli_split *best)
{
    if (!(f->rule->noise > 0)) return best;
    one->gain = f->least_gain;
    one->column = -1;
    return one;
}

static void end_feature(const finding *f, mli_split *one, mli_split *best)
{
    if (one == best || one->column < 0) return;
    one->score = sqrt(one->gain) + f->rule->noise * draw(f->leaf->key, one->feature);
    if (best->column < 0 || one->score > best->score) *best = *one;
}

/* Members of a bundle with two bins, `pairs` from feature j on, which have one cut each:
 * its gain follows from the cell of the bin that is not the usual one. Their cells lie
 * side by side. Returns the next member. */
static int32_t split_pairs(const finding *f, int32_t j, const uint64_t *cells,
                           uint64_t total, mli_split *best)
{
    const mli_bin_feature *features = f->binner->features;
    int32_t n = features[j].pairs, last = features[j].run_end;
    double gains[256 + 3];
    mli_split one = {0}, *to = begin_feature(f, &one, best);
    mli_scan s = start_scan(f, features[j].column, to);
    cells += features[j].offset;
    double most = f->rule->cpu_level >= MLI_CPU_AVX2
                      ? mli_gains_avx2(cells, n, &s, f->least, f->most, gains)
                      : mli_gains_scalar(cells, n, &s, f->least, f->most, gains);
    if (!(most > s.gain)) return features[last].next;
    s.bin = 0;
    for (int32_t i = 0; i < n; i++, j = features[j].next) {
        if (!(gains[i] > s.gain)) continue;
        to = begin_feature(f, &one, best);
        mli_scan found = s;
        found.gain = gains[i];
        found.left = features[j].usual == 0 ? total - cells[i] : cells[i];
        keep(f, j, &found, 2.0 * mli_gh_h(found.left) > s.h, to);
        end_feature(f, to, best);
        if (to == best) s.gain = gains[i];
    }
    return features[last].next;
}

/* The features of a bundle, each from its part of the column's cells. */
static void split_bundle(const finding *f, int32_t column, const uint64_t *cells,
                         const uint32_t *rows, mli_split *best)
{
    const mli_binner *b = f->binner;
    uint64_t own[257], total = mli_gh_pack((int32_t)f->leaf->g, (int32_t)f->leaf->h);
    uint32_t counts[257];
    mli_split one = {0};
    for (int32_t j = b->feature[column]; j >= 0;) {
        const mli_bin_feature *feature = &b->features[j];
        if (feature->pairs && !rows && !f->bounded) {
            j = split_pairs(f, j, cells, total, best);
            continue;
        }
        mli_split *to = begin_feature(f, &one, best);
        MLI_UNBUNDLE(feature, cells, total, own);
        if (rows) MLI_UNBUNDLE(feature, rows, (uint32_t)f->leaf->rows, counts);
        split_numeric(f, j, own, NULL, rows ? counts : NULL, to);
        end_feature(f, to, best);
        j = feature->next;
    }
}

/* Bytes i .. i + 7 of `groups`, each 1 where a group of four cells was touched. */
static uint64_t eight_touched(const uint8_t *touched, int32_t i, int32_t groups)
{
    uint64_t eight;
    memcpy(&eight, touched + i, sizeof eight);
    return groups - i < 8 ? eight & ((UINT64_C(1) << 8 * (groups - i)) - 1) : eight;
}
#define ONE_EACH UINT64_C(0x0101010101010101)
#define FOR_TOUCHED(g, touched, groups)                                                  \
    for (int32_t at_ = 0; at_ < (groups); at_ += 8)                                      \
        for (uint64_t w_ = eight_touched(touched, at_, groups);                          \
             w_ && ((g) = at_ + __builtin_ctzll(w_) / 8, 1); w_ &= w_ - 1)

/* Takes the sibling off where it has anything. */
static void subtract_touched(uint64_t *cells, const uint64_t *small,
                             const uint8_t *touched, int32_t groups)
{
    int32_t g;
    FOR_TOUCHED(g, touched, groups) subtract(cells + 4 * g, small + 4 * g, 4);
}

/* Cells of a column in fours: the first four, and those that were touched. */
typedef struct compact {
    int32_t n;
    uint8_t group[64];
    uint64_t cells[256];
    uint32_t rows[256]; /* if they are counted */
} compact;

static void collect(compact *to, const uint64_t *cells, const uint32_t *rows,
                    const uint8_t *touched, int32_t groups)
{
    int32_t g, n = 4;
    to->group[0] = 0;
    memcpy(to->cells, cells, 4 * sizeof *cells);
    if (rows) memcpy(to->rows, rows, 4 * sizeof *rows);
    FOR_TOUCHED(g, touched, groups)
    {
        if (g == 0) continue;
        to->group[n / 4] = (uint8_t)g;
        memcpy(to->cells + n, cells + 4 * g, 4 * sizeof *cells);
        if (rows) memcpy(to->rows + n, rows + 4 * g, 4 * sizeof *rows);
        n += 4;
    }
    to->n = n;
}

/* A feature alone in a column of lists, usually in its first bin. cells[0..n-1] are its
 * cells in fours, group by group (NULL: all there are); the first is not summed. */
static void split_stored(const finding *f, int32_t c, uint64_t *cells, uint32_t *rows,
                         int32_t n, const uint8_t *group, mli_split *best)
{
    uint64_t prefix[256 + MLI_SCAN_PAST], sum = 0;
    uint32_t counted = 0;
    for (int32_t i = 1; i < n; i++) sum += cells[i];
    for (int32_t i = 1; rows && i < n; i++) counted += rows[i];
    /* The first cut has all of these on the right. */
    if (mli_gh_h(sum) < f->least || (rows && counted < f->rule->min_data)) return;
    cells[0] = mli_gh_pack((int32_t)f->leaf->g, (int32_t)f->leaf->h) - sum;
    if (rows) rows[0] = (uint32_t)f->leaf->rows - counted;
    if (f->rule->cpu_level >= MLI_CPU_AVX2)
        mli_prefix_avx2(cells, NULL, n, prefix);
    else
        mli_prefix_scalar(cells, NULL, n, prefix);
    cells[0] = 0;
    for (int32_t i = n; i < n + MLI_SCAN_PAST; i++) prefix[i] = prefix[n - 1];
    mli_scan s = start_scan(f, c, best);
    int32_t feature = f->binner->feature[c];
    scan(f, feature, prefix, rows, 0, n - 1, group, &s);
    keep(f, feature, &s, 2.0 * mli_gh_h(s.left) > s.h, best);
}

/* The same: all other cuts are like those before, so that cells never touched may be left
 * out. */
static void split_touched(const finding *f, int32_t c, uint64_t *cells,
                          const uint32_t *rows, const uint8_t *touched, mli_split *best)
{
    int32_t groups = (f->binner->bins[c] + 3) / 4, n = 0;
    compact k;
    for (int32_t i = 0; i < groups; i += 8) /* bytes of 0 and 1, added up */
        n += (int32_t)(eight_touched(touched, i, groups) * ONE_EACH >> 56);
    if (n == 0) return;
    if (!rows && 2 * n > groups) {
        split_stored(f, c, cells, NULL, f->binner->bins[c], NULL, best);
        return;
    }
    collect(&k, cells, rows, touched, groups);
    split_stored(f, c, k.cells, rows ? k.rows : NULL, k.n, k.group, best);
}

/* A column of lists, of which only what was touched need be looked at: done? */
static int split_listed(const finding *f, const mli_split_job *job, int32_t c,
                        mli_split *best)
{
    const mli_binner *b = f->binner;
    int64_t cell = b->cell[c], map = b->map * (int64_t)sizeof(uint64_t) + (cell >> 2);
    if (job->small)
        subtract_touched(job->hist + cell, job->small + cell,
                         (const uint8_t *)job->small + map, b->bins[c] / 4 + 1);
    if (job->mask && !job->mask[c]) return 1;
    if (!b->alone[c]) return 0;
    mli_split *to = begin_feature(f, f->one, best);
    split_touched(f, c, job->hist + cell, job->rows ? job->rows + cell : NULL,
                  (const uint8_t *)job->hist + map, to);
    end_feature(f, to, best);
    return 1;
}

/* The best split of column c, if it is better than `best`. */
static void split_column(const finding *f, const mli_split_job *job, int32_t c,
                         mli_split *best)
{
    const mli_binner *b = f->binner;
    const mli_bin_feature *feature = &b->features[b->feature[c]];
    uint64_t *cells = job->hist + b->cell[c];
    if (b->map && split_listed(f, job, c, best)) return;
    const uint64_t *small = job->small && !b->map ? job->small + b->cell[c] : NULL;
    int masked = job->mask && !job->mask[c];
    int category = feature->kind == MLI_CATEGORICAL && !feature->ordered;
    int plain = !masked && !category && !feature->bundled;
    if (small && !plain) subtract(cells, small, b->bins[c] + 1);
    if (masked) return;
    const uint32_t *counts = job->rows ? job->rows + b->cell[c] : NULL;
    if (feature->bundled) {
        split_bundle(f, c, cells, counts, best);
        return;
    }
    mli_split one = {0}, *to = begin_feature(f, &one, best);
    if (category)
        mli_split_categories(f->rule, b, c, cells, counts, f->leaf, to);
    else
        split_numeric(f, b->feature[c], cells, small, counts, to);
    end_feature(f, to, best);
}

void mli_split_find(const mli_split_rule *rule, const mli_binner *b,
                    const mli_split_job *job, int32_t first, int32_t last, mli_split *out)
{
    const mli_split_leaf *leaf = job->leaf;
    mli_split one = {0};
    finding f = {.rule = rule, .binner = b, .leaf = leaf, .one = &one};
    f.bounded = rule->monotone || rule->max_delta > 0;
    f.min_h = mli_split_least(rule, leaf);
    if (job->rows) f.min_h = rule->min_h > 1 ? rule->min_h : 1;
    set_range(&f);
    /* What rounding alone could give is no gain. */
    f.least_gain = fabs(leaf->base) * rule->gain_unit * 1e-10;
    if (rule->min_gain > f.least_gain) f.least_gain = rule->min_gain;
    memset(out, 0, sizeof *out);
    out->gain = f.least_gain;
    out->column = -1;
    for (int32_t c = first; c < last; c++) {
        if (job->summed && !job->summed[c]) continue;
        split_column(&f, job, c, out);
    }
    if (out->column < 0) out->gain = 0;
    if (!(rule->noise > 0)) out->score = out->gain;
}
