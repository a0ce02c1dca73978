/* SPDX-License-Identifier: MIT
 *
 * trees/level_cuts.c: the best cut of a feature for all leaves of a depth together. With
 * w = T(G) / (H + l2) the value of a side, whose hessians (or weights) are H, a cut has
 *
 *   gain    sum of T(G) w over the sides of all leaves, less that of the undivided
 * leaves, cosine  that sum over the root of the sum of H w^2,
 *
 * the cosine between gradients and the values of the tree, up to a factor (CatBoost's
 * Cosine). The gain of a cut is in the square of its unit. A leaf in which a side would
 * have too little counts as undivided. Normal noise may be added to the scores.
 *
 * Categories: the levels are ordered by gradient over hessian of all leaves together, and
 * cuts of that order are tried.
 *
 * Cost: leaves * bins steps, four at a time. Every processor gives the same bits.
 */
#include "algorithms/trees/level.h"
#include "core/cpu.h"
#include "core/rng.h"
#include <math.h>

#define MOST 260 /* cuts: 257, and four at a time */

typedef double four __attribute__((vector_size(32), aligned(8), may_alias));
typedef int64_t four_bits __attribute__((vector_size(32), aligned(8), may_alias));
#define INLINE static inline __attribute__((always_inline))

/* One side for the missing values. */
typedef struct side {
    double gain[MOST];  /* above the undivided leaves */
    double below[MOST]; /* cosine: the sum under the root */
} side;

/* Cuts of one feature. */
typedef struct cuts {
    side right, left;   /* values missing go right, left */
    double heavy[MOST]; /* hessian left of the cut */
    int32_t order[257]; /* categories: cells in the order of the cuts */
    int32_t n;          /* cells that take part */
    int categorical, missing;
    double h, base, below; /* of all leaves: hessian; undivided gain and part below */
} cuts;

/* A leaf's sums left of every cut, and what the cuts of the leaf share. */
typedef struct sums {
    uint64_t left[MOST];
    double g[MOST], h[MOST];
    double all_g, all_h, l1, l2, least; /* least: hessian of a side */
    double base, below;                 /* of the leaf undivided */
} sums;

typedef struct level_order {
    double by;
    int32_t cell;
} level_order;

uint64_t *mli_level_cells(const mli_level *l, int32_t i, const mli_bin_feature *f,
                          uint64_t *own)
{
    const mli_grow_node *node = &l->g->nodes[l->ids[i]];
    if (node->hist < 0) return NULL;
    uint64_t *cells = mli_grow_pool(l->g, node->hist) + l->g->binner->cell[f->column];
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
static void order_levels(const mli_level *l, const mli_bin_feature *f, cuts *c)
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
            const uint64_t *cells = mli_level_cells(l, i, f, NULL);
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

/* Sums left of every cut when `before` is on the left in any case. */
static void sum_left(const mli_level *l, const cuts *c, uint64_t *cells, uint64_t before,
                     sums *s)
{
    uint64_t ordered[MOST];
    if (c->categorical) {
        for (int32_t k = 0; k < c->n; k++) ordered[k] = cells[c->order[k]];
        cells = ordered;
    }
    if (l->g->rule->cpu_level >= MLI_CPU_AVX2)
        mli_prefix_avx2(cells, NULL, c->n, s->left);
    else
        mli_prefix_scalar(cells, NULL, c->n, s->left);
    if (before)
        for (int32_t k = 0; k < c->n; k++) s->left[k] += before;
    for (int32_t k = c->n; k < ((c->n + 3) & ~3); k++) s->left[k] = 0;
}

/* They are apart in `left`. */
INLINE void part_body(sums *s, int32_t n)
{
    for (int32_t k = 0; k < n; k++) {
        s->g[k] = mli_gh_g(s->left[k]);
        s->h[k] = mli_gh_h(s->left[k]);
    }
}

/* Functions that return vectors would differ between instruction sets. */
#define PICK(which, a, b)                                                                \
    ((four)(((four_bits)(a) & (which)) | ((four_bits)(b) & ~(which))))
/* The soft threshold of g. */
#define SOFT(g, l1, t)                                                                   \
    do {                                                                                 \
        four size_ = (four)((four_bits)(g)&INT64_MAX) - (l1), none_ = {0};               \
        t = PICK(size_ > none_, size_, none_);                                           \
    } while (0)

INLINE void add_body(const sums *s, int32_t n, int cosine, side *out)
{
    four none = {0}, base = none + s->base, below = none + s->below;
    for (int32_t k = 0; k < n; k += 4) {
        four g = *(const four *)&s->g[k], h = *(const four *)&s->h[k], hr = s->all_h - h;
        four tl, tr;
        SOFT(g, s->l1, tl);
        SOFT(s->all_g - g, s->l1, tr);
        four a = h + s->l2, b = hr + s->l2;
        four_bits divided = (h >= s->least) & (hr >= s->least);
        if (cosine) {
            four both = 1 / (a * b), wl = tl * b * both, wr = tr * a * both;
            *(four *)&out->gain[k] += PICK(divided, tl * wl + tr * wr - base, none);
            *(four *)&out->below[k] += PICK(divided, wl * wl * h + wr * wr * hr, below);
        } else {
            four gain = (tl * tl * b + tr * tr * a) / (a * b) - base;
            *(four *)&out->gain[k] += PICK(divided, gain, none);
        }
    }
}

static void add_plain(sums *s, int32_t n, int cosine, side *out)
{
    part_body(s, (n + 3) & ~3);
    if (cosine)
        add_body(s, n, 1, out);
    else
        add_body(s, n, 0, out);
}

#ifdef MLI_X86
MLI_AVX2 static void add_avx2(sums *s, int32_t n, int cosine, side *out)
{
    part_body(s, (n + 3) & ~3);
    if (cosine)
        add_body(s, n, 1, out);
    else
        add_body(s, n, 0, out);
}
#endif

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

/* The gains with bounds on the values. */
static void add_bounded(const mli_level *l, const mli_split_leaf *leaf, sums *s,
                        int32_t n, int32_t column, double l2_more, side *out)
{
    part_body(s, n);
    const mli_split_rule *rule = l->g->rule;
    int monotone = rule->monotone ? rule->monotone[column] : 0;
    for (int32_t k = 0; k < n; k++) {
        int64_t gl = (int64_t)s->g[k], hl = (int64_t)s->h[k];
        double rows = mli_split_rows(leaf, hl);
        double v = mli_split_gain(rule, leaf, gl, hl, rows, monotone, l2_more);
        /* A cut that breaks the order in one leaf is not allowed at all. */
        if (isfinite(v)) out->gain[k] += v - leaf->base;
        if (monotone && breaks_order(rule, leaf, gl, hl, monotone))
            out->gain[k] = -INFINITY;
    }
}

static void leaf_sums(const mli_level *l, const mli_split_leaf *leaf, double l2_more,
                      sums *s)
{
    const mli_split_rule *rule = l->g->rule;
    s->all_g = (double)leaf->g;
    s->all_h = (double)leaf->h;
    s->l1 = rule->l1;
    s->l2 = rule->l2 + l2_more;
    s->least = mli_split_least(rule, leaf);
    s->base = leaf->base;
    double t = fabs(s->all_g) - s->l1, w = t > 0 ? t / (s->all_h + rule->l2) : 0;
    s->below = w * w * s->all_h;
}

static void add_side(const mli_level *l, const mli_split_leaf *leaf, sums *s,
                     const cuts *c, int32_t column, double l2_more, side *out)
{
    const mli_split_rule *rule = l->g->rule;
    if (rule->monotone || rule->max_delta > 0)
        add_bounded(l, leaf, s, c->n, column, l2_more, out);
#ifdef MLI_X86
    else if (rule->cpu_level >= MLI_CPU_AVX2)
        add_avx2(s, c->n, l->g->options.cosine, out);
#endif
    else
        add_plain(s, c->n, l->g->options.cosine, out);
}

static void add_undivided(const sums *s, int32_t n, side *out)
{
    for (int32_t k = 0; k < n; k++) out->below[k] += s->below;
}

static void add_leaf(const mli_level *l, int32_t i, const mli_bin_feature *f, cuts *c)
{
    uint64_t own[257];
    sums s;
    const mli_split_leaf *leaf = &l->g->nodes[l->ids[i]].sums;
    uint64_t *cells = mli_level_cells(l, i, f, own);
    double more = c->categorical ? l->g->rule->cat_l2 : 0;
    leaf_sums(l, leaf, more, &s);
    c->base += s.base;
    c->below += s.below;
    int twice = f->has_missing && !c->categorical;
    if (!cells) {
        add_undivided(&s, c->n, &c->right);
        if (twice) add_undivided(&s, c->n, &c->left);
        return;
    }
    uint64_t missing = c->categorical ? 0 : cells[f->n_bins];
    c->missing |= missing != 0;
    c->h += (double)leaf->h;
    sum_left(l, c, cells, 0, &s);
    add_side(l, leaf, &s, c, f->column, more, &c->right);
    for (int32_t k = 0; k < c->n; k++) c->heavy[k] += s.h[k];
    if (!twice) return;
    if (missing) sum_left(l, c, cells, missing, &s);
    add_side(l, leaf, &s, c, f->column, more, &c->left);
}

static void take_cut(const cuts *c, int32_t k, int missing_left, int32_t n_bins,
                     mli_split *out)
{
    memset(out, 0, sizeof *out);
    out->bin = k;
    out->missing_left = missing_left;
    out->categorical = c->categorical;
    if (!c->categorical) return;
    out->bin = 0;
    for (int32_t i = 0; i <= k; i++)
        out->bits[c->order[i] >> 5] |= UINT32_C(1) << (c->order[i] & 31);
    out->missing_left = (int)(out->bits[n_bins >> 5] >> (n_bins & 31)) & 1;
}

/* Scores in real units, of gains and what is under the root. */
INLINE void score_body(const side *s, int32_t n, double base, double gain_unit,
                       int cosine, double *score)
{
    double unit = cosine ? sqrt(gain_unit) : gain_unit;
    for (int32_t k = 0; k < n; k++) {
        double below = s->below[k] > 0 ? s->below[k] : INFINITY;
        score[k] = cosine ? (s->gain[k] + base) / sqrt(below) * unit : s->gain[k] * unit;
    }
}

static void score_plain(const side *s, int32_t n, double base, double gain_unit,
                        int cosine, double *score)
{
    score_body(s, n, base, gain_unit, cosine, score);
}

#ifdef MLI_X86
MLI_AVX2 static void score_avx2(const side *s, int32_t n, double base, double gain_unit,
                                int cosine, double *score)
{
    if (cosine)
        score_body(s, n, base, gain_unit, 1, score);
    else
        score_body(s, n, base, gain_unit, 0, score);
}
#endif

static void score_all(const mli_level *l, const side *s, int32_t n, double base,
                      double *score)
{
    int cosine = l->g->options.cosine;
    double unit = l->g->rule->gain_unit;
#ifdef MLI_X86
    if (l->g->rule->cpu_level >= MLI_CPU_AVX2) {
        score_avx2(s, n, base, unit, cosine, score);
        return;
    }
#endif
    score_plain(s, n, base, unit, cosine, score);
}

static double score_of(const mli_level *l, double gain, double base, double below)
{
    side one;
    double score;
    one.gain[0] = gain;
    one.below[0] = below;
    score_plain(&one, 1, base, l->g->rule->gain_unit, l->g->options.cosine, &score);
    return score;
}

/* A number with mean 0 and standard deviation 1, nearly normal and never beyond
 * MOST_NOISE: the sum of eight bytes of a hash. The same on every machine. */
#define MOST_NOISE 4.8799
static double noise_of(uint64_t key, int32_t cut)
{
    const uint64_t even = UINT64_C(0x00ff00ff00ff00ff);
    uint64_t x = mli_mix64(key + (uint64_t)(cut + 1) * UINT64_C(0x9e3779b97f4a7c15));
    uint64_t pairs = (x & even) + (x >> 8 & even);
    int32_t sum = (int32_t)(pairs * UINT64_C(0x0001000100010001) >> 48);
    return (sum - 1020) * (1 / 209.0215299915298);
}

/* The best of the cuts of one side so far. */
typedef struct winner {
    double noisy, plain;
    int32_t at, left;
} winner;

/* Most cuts are so far below the best one that no noise helps them. */
static void compare_cuts(const double *score, int32_t first, int32_t end, int left,
                         double least, double noise, uint64_t key, winner *best)
{
    for (int32_t k = first; k < end; k++) {
        double noisy = score[k];
        if (!(noisy > least) || !(noisy + noise * MOST_NOISE > best->noisy)) continue;
        if (noise > 0) noisy += noise * noise_of(key, 2 * k + left);
        if (noisy > best->noisy) *best = (winner){noisy, score[k], k, left};
    }
}

/* The best cut of a feature, with noise among its cuts, and with noise anew beside other
 * features: the largest of many noisy scores says more about their number than about the
 * feature. */
static void best_cut(const mli_level *l, const cuts *c, int32_t feature, mli_split *out)
{
    const mli_split_rule *rule = l->g->rule;
    const mli_bin_feature *f = &l->g->binner->features[feature];
    double score[MOST], before = score_of(l, 0, c->base, c->below);
    /* What rounding alone could give is no gain. */
    double least = before + score_of(l, c->base * 1e-10, 0, c->below);
    int32_t last = c->missing || c->categorical ? c->n - 1 : c->n - 2;
    if (c->categorical && last > f->n_bins) last = f->n_bins;
    uint64_t key = l->g->nodes[0].sums.key + (uint64_t)l->depth;
    key = mli_mix64(mli_mix64(key) + (uint64_t)feature);
    winner best = {-INFINITY, 0, -1, 0};
    int32_t first = 0, end = last + 1;
    if (rule->random) {
        first = mli_split_draw(key, feature, end);
        end = first < end ? first + 1 : end;
    }
    score_all(l, &c->right, end, c->base, score);
    compare_cuts(score, first, end, 0, least, rule->noise, key, &best);
    if (c->missing) {
        if (end > c->n - 1) end = c->n - 1;
        score_all(l, &c->left, end, c->base, score);
        compare_cuts(score, first, end, 1, least, rule->noise, key, &best);
    }
    if (best.at < 0) return;
    if (rule->noise > 0) best.plain += rule->noise * noise_of(key, -1);
    if (out->feature >= 0 && !(best.plain > out->score)) return;
    int left = best.left || (!c->missing && 2 * c->heavy[best.at] > c->h);
    take_cut(c, best.at, left, f->n_bins, out);
    out->column = f->column;
    out->feature = feature;
    out->score = best.plain;
    out->gain = (best.left ? &c->left : &c->right)->gain[best.at] * rule->gain_unit;
}

void mli_level_find(const mli_level *l, int32_t feature, mli_split *out)
{
    const mli_bin_feature *f = &l->g->binner->features[feature];
    cuts c;
    memset(&c, 0, sizeof c);
    c.categorical = f->kind == MLI_CATEGORICAL && !f->ordered;
    c.n = f->n_bins;
    if (c.categorical) order_levels(l, f, &c);
    for (int32_t i = 0; i < l->n; i++) add_leaf(l, i, f, &c);
    best_cut(l, &c, feature, out);
}
