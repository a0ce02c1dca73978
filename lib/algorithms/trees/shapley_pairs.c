/* SPDX-License-Identifier: MIT
 *
 * trees/shapley_pairs.c: interactions, leaf by leaf: O(leaves * levels^2 * points) for
 * four rows.
 *
 * The path to a leaf gives one z and one o per feature on it. With the factors F of its
 * features at a point t, the pair (a, b) gets
 *
 *   value * weight / 2 * prod F * (o_a - z_a) / F_a * (o_b - z_b) / F_b,
 *
 * and a alone value * weight * prod F * (o_a - z_a) / F_a, from which its pairs are taken
 * in the end.
 */
#include "algorithms/trees/shapley_parts.h"
#include <string.h>

#define ALWAYS static inline __attribute__((always_inline))

typedef struct path {
    const mli_edge **at;   /* [levels + 1] edges from the root */
    mli_lane_mask *left;   /* [levels + 1] */
    mli_lane_mask *known;  /* [levels + 1] of all edges of the feature down to there */
    const mli_edge **last; /* the lowest edge of each feature on the path */
    mli_lanes *gain;       /* (o - z) / F */
    const double *leaf;    /* see mli_edge_value */
} path;

ALWAYS mli_lanes spread(double x)
{
    return (mli_lanes){x, x, x, x};
}

ALWAYS mli_lanes choose(mli_lane_mask m, double x)
{
    return (mli_lanes)(m & (mli_lane_mask)spread(x));
}

/* The lowest edges of the features above and at a leaf; returns their number. An edge is
 * not the lowest when one below names its level as `same`. */
ALWAYS int32_t lowest(const path *p, int32_t level)
{
    int32_t n = 0;
    for (int32_t l = level; l >= 1; l--) {
        int hidden = 0;
        for (int32_t i = 0; i < n && !hidden; i++)
            hidden = p->last[i]->feature == p->at[l]->feature;
        if (!hidden) p->last[n++] = p->at[l];
    }
    return n;
}

ALWAYS void add_leaf(const mli_shapley *s, const path *p, const mli_edges *tree,
                     int32_t level, mli_lanes *pair)
{
    const double *t = s->t + (int64_t)tree->points * s->points;
    const double *w = s->w + (int64_t)tree->points * s->points;
    int64_t width = s->wide->e.n_features;
    mli_lanes *alone = pair + width * width;
    int32_t n = lowest(p, level);
    double value = mli_edge_value(p->at[level], p->leaf, s->n_scores) * s->scale;
    for (int32_t q = 0; q < tree->points; q++) {
        mli_lanes all = spread(w[q] * value);
        for (int32_t i = 0; i < n; i++) {
            double z = p->last[i]->z;
            mli_lane_mask known = p->known[p->last[i]->level];
            mli_lanes factor = spread((1 - t[q]) * z) + choose(known, t[q]);
            p->gain[i] = (choose(known, 1) - spread(z)) / factor;
            all *= factor;
        }
        for (int32_t i = 0; i < n; i++) {
            mli_lanes part = all * p->gain[i];
            int64_t a = p->last[i]->feature;
            alone[a] += part;
            part *= spread(0.5);
            for (int32_t j = 0; j < i; j++) {
                int64_t b = p->last[j]->feature;
                pair[a > b ? a * width + b : b * width + a] += part * p->gain[j];
            }
        }
    }
}

ALWAYS void walk_tree(const mli_shapley *s, const path *p, const mli_edges *tree,
                      const mli_lanes *x, mli_lanes *pair)
{
    for (int64_t i = 0; i < tree->n; i++) {
        const mli_edge *e = &tree->edge[i];
        mli_lane_mask m;
        if (e->right)
            m = ~p->left[e->level];
        else
            p->left[e->level] = m = mli_lanes_left(s->wide, e->node, x);
        p->at[e->level] = e;
        p->known[e->level] = e->same ? m & p->known[e->same] : m;
        if (e->leaf) add_leaf(s, p, tree, e->level, pair);
    }
}

static void walk_plain(const mli_shapley *s, const path *p, const mli_edges *tree,
                       const mli_lanes *x, mli_lanes *pair)
{
    walk_tree(s, p, tree, x, pair);
}
#ifdef MLI_X86
static MLI_AVX2 void walk_avx2(const mli_shapley *s, const path *p, const mli_edges *tree,
                               const mli_lanes *x, mli_lanes *pair)
{
    walk_tree(s, p, tree, x, pair);
}
#else
#define walk_avx2 walk_plain
#endif

/* The lower half of one row's matrix, and its diagonal, to the whole. */
static void write_row(const mli_shapley *s, int64_t k, const double *pair, double *to)
{
    int64_t n = s->wide->e.n_features, width = n + 1;
    const double *alone = pair + n * n * MLI_SHAP_LANES;
    memset(to, 0, (size_t)(width * width) * sizeof *to);
    for (int64_t a = 0; a < n; a++) {
        for (int64_t b = 0; b < a; b++)
            to[a * width + b] = to[b * width + a] = pair[(a * n + b) * MLI_SHAP_LANES];
    }
    for (int64_t a = 0; a < n; a++) {
        double rest = alone[a * MLI_SHAP_LANES];
        for (int64_t b = 0; b < n; b++)
            if (b != a) rest -= to[a * width + b];
        to[a * width + a] = rest;
    }
    to[width * width - 1] = s->expected[k];
}

static void run_lanes(const mli_shapley *s, const double *rows, int64_t n, int64_t stride,
                      double *out, char *scratch)
{
    const mli_ensemble *e = &s->wide->e;
    int64_t width = e->n_features + 1, levels = s->levels + 1;
    mli_lanes *pair = (void *)scratch, *x = (void *)(scratch + s->sums);
    path p;
    p.left = (void *)(scratch + s->sums + s->columns);
    p.known = p.left + levels;
    p.gain = (mli_lanes *)(p.known + levels);
    p.at = (const mli_edge **)(p.gain + levels);
    p.last = p.at + levels;
    mli_shapley_columns(s, rows, n, stride, x);
    for (int64_t k = 0; k < s->n_scores; k++) {
        p.leaf = s->leaf ? s->leaf + k : NULL;
        memset(pair, 0, (size_t)(e->n_features * width) * sizeof *pair);
        for (int64_t t = mli_shapley_first(s, k); t < e->n_trees;
             t += mli_shapley_step(s)) {
            if (s->avx2)
                walk_avx2(s, &p, &s->tree[t], x, pair);
            else
                walk_plain(s, &p, &s->tree[t], x, pair);
        }
        for (int64_t i = 0; i < n; i++)
            write_row(s, k, (const double *)pair + i,
                      out + (i * s->n_scores + k) * width * width);
    }
}

void mli_shapley_pairs(const mli_shapley *s, const double *rows, int64_t n,
                       int64_t stride, double *out, void *scratch)
{
    int64_t width = s->wide->e.n_features + 1;
    int64_t outputs = s->n_scores * width * width;
    for (int64_t i = 0; i < n; i += MLI_SHAP_LANES)
        run_lanes(s, rows + i * stride, n - i < MLI_SHAP_LANES ? n - i : MLI_SHAP_LANES,
                  stride, out + i * outputs, scratch);
}
