/* SPDX-License-Identifier: MIT
 *
 * trees/shapley_values.c: one pass through the edges of a tree for four rows.
 *
 * Per level and point of the quadrature: `down`, the product of the factors of the edges
 * above (with the weight of the point), and `up`, the sum over the leaves below of value
 * times the factors between. An edge adds (o - z) * sum(down * up) to its feature. An
 * edge whose feature occurs above replaces that factor; it takes back what the edge above
 * counted for the leaves below it.
 */
#include "algorithms/trees/shapley_parts.h"
#include <string.h>

/* What a walk keeps: [levels + 1], or [levels + 1][points]. */
typedef struct walk {
    const mli_engine *g;
    const double *t, *leaf; /* leaf: see mli_edge_value */
    int64_t width;
    int32_t points; /* per level in memory */
    mli_lanes *factor, *down, *up;
    mli_lane_mask *left, *known;
    const mli_edge **open;
} walk;

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS mli_lanes spread(double x)
{
    return (mli_lanes){x, x, x, x};
}

ALWAYS mli_lanes choose(mli_lane_mask m, double x)
{
    return (mli_lanes)(m & (mli_lane_mask)spread(x));
}

/* o - z */
ALWAYS mli_lanes surplus(mli_lane_mask known, double z)
{
    return choose(known, 1) - spread(z);
}

/* Adds to the feature of an edge, whose leaves below weigh up[q] (or the leaf's value
 * when there is but one), and to the sums of the node above. */
ALWAYS void add_edge(const walk *w, const mli_edge *e, const mli_lanes *up,
                     int32_t points, mli_lanes *phi)
{
    int32_t n = w->points;
    const mli_lanes *down = w->down + (e->level - 1) * n;
    const mli_lanes *factor = w->factor + e->level * n;
    const mli_lanes *old = w->factor + e->same * n;
    mli_lanes *to = w->up + (e->level - 1) * n, with = {0}, without = {0};
    mli_lanes own = spread(up ? 0 : mli_edge_value(e, w->leaf, w->width));
    for (int32_t q = 0; q < points; q++) {
        mli_lanes u = up ? up[q] : own;
        if (!e->same) {
            with += down[q] * u;
            to[q] += factor[q] * u;
        } else {
            mli_lanes outer = down[q] / old[q], inner = u * (factor[q] / old[q]);
            with += outer * u;
            without += outer * inner;
            to[q] += inner;
        }
    }
    mli_lanes sum = surplus(w->known[e->level], e->z) * with;
    if (e->same) sum -= surplus(w->known[e->same], w->open[e->same]->z) * without;
    phi[e->feature] += sum;
}

ALWAYS void enter(const walk *w, const mli_edge *e, const mli_lanes *x, int32_t points)
{
    int32_t n = w->points, l = e->level;
    mli_lane_mask m;
    if (e->right)
        m = ~w->left[l];
    else
        w->left[l] = m = mli_lanes_left(w->g, e->node, x);
    if (e->same) m &= w->known[e->same];
    w->known[l] = m;
    w->open[l] = e;
    mli_lanes *factor = w->factor + l * n;
    for (int32_t q = 0; q < points; q++)
        factor[q] = spread((1 - w->t[q]) * e->z) + choose(m, w->t[q]);
    if (e->leaf) return;
    const mli_lanes *above = w->down + (l - 1) * n, *old = w->factor + e->same * n;
    mli_lanes *down = w->down + l * n, *up = w->up + l * n;
    for (int32_t q = 0; q < points; q++) {
        down[q] = above[q] * factor[q];
        if (e->same) down[q] /= old[q];
        up[q] = spread(0);
    }
}

ALWAYS void close_edges(const walk *w, int32_t *open, int32_t level, int32_t points,
                        mli_lanes *phi)
{
    for (; *open >= level; --*open)
        add_edge(w, w->open[*open], w->up + *open * w->points, points, phi);
}

ALWAYS void walk_tree(const walk *w, const mli_edges *tree, const mli_lanes *x,
                      int32_t points, mli_lanes *phi)
{
    int32_t open = 0;
    for (int64_t i = 0; i < tree->n; i++) {
        const mli_edge *e = &tree->edge[i];
        close_edges(w, &open, e->level, points, phi);
        enter(w, e, x, points);
        if (e->leaf)
            add_edge(w, e, NULL, points, phi);
        else
            open = e->level;
    }
    close_edges(w, &open, 1, points, phi);
}

/* The usual numbers of points as constants. */
#define WALK(name, target)                                                               \
    target static void name(const walk *w, const mli_edges *tree, const mli_lanes *x,    \
                            mli_lanes *phi)                                              \
    {                                                                                    \
        switch (tree->points) {                                                          \
        case 1:                                                                          \
            walk_tree(w, tree, x, 1, phi);                                               \
            break;                                                                       \
        case 2:                                                                          \
            walk_tree(w, tree, x, 2, phi);                                               \
            break;                                                                       \
        case 3:                                                                          \
            walk_tree(w, tree, x, 3, phi);                                               \
            break;                                                                       \
        case 4:                                                                          \
            walk_tree(w, tree, x, 4, phi);                                               \
            break;                                                                       \
        default:                                                                         \
            walk_tree(w, tree, x, tree->points, phi);                                    \
        }                                                                                \
    }
WALK(walk_plain, )
#ifdef MLI_X86
WALK(walk_avx2, MLI_AVX2)
#else
#define walk_avx2 walk_plain
#endif

static void walk_init(const mli_shapley *s, mli_lanes *stack, walk *w)
{
    int64_t levels = s->levels + 1, n = s->points;
    w->g = s->wide;
    w->points = s->points;
    w->width = s->n_scores;
    w->factor = stack;
    w->down = w->factor + levels * n;
    w->up = w->down + levels * n;
    w->left = (mli_lane_mask *)(w->up + levels * n);
    w->known = w->left + levels;
    w->open = (const mli_edge **)(w->known + levels);
}

/* All groups of rows through a tree. */
static void run_tree(const mli_shapley *s, walk *w, int64_t t, int64_t groups,
                     const mli_lanes *x, mli_lanes *phi)
{
    const mli_edges *tree = &s->tree[t];
    const double *weight = s->w + (int64_t)tree->points * s->points;
    w->t = s->t + (int64_t)tree->points * s->points;
    for (int32_t q = 0; q < tree->points; q++) w->down[q] = spread(weight[q]);
    for (int64_t g = 0; g < groups; g++) {
        const mli_lanes *rows = x + g * s->wide->n_wide_columns;
        mli_lanes *to = phi + g * s->wide->e.n_features;
        if (s->avx2)
            walk_avx2(w, tree, rows, to);
        else
            walk_plain(w, tree, rows, to);
    }
}

/* Sums of a score to out, rows side by side to one below another. */
static void write_values(const mli_shapley *s, int64_t k, const double *phi, int64_t n,
                         double *out)
{
    int64_t features = s->wide->e.n_features, width = features + 1;
    for (int64_t i = 0; i < n; i++) {
        double *to = out + (i * s->n_scores + k) * width;
        const double *from =
            phi + i / MLI_SHAP_LANES * features * MLI_SHAP_LANES + i % MLI_SHAP_LANES;
        for (int64_t j = 0; j < features; j++)
            to[j] = from[j * MLI_SHAP_LANES] * s->scale;
        to[features] = s->expected[k];
    }
}

static void run_block(const mli_shapley *s, const double *rows, int64_t n, int64_t stride,
                      double *out, char *scratch)
{
    mli_lanes *phi = (void *)scratch, *x = (void *)(scratch + s->sums);
    const mli_ensemble *e = &s->wide->e;
    int64_t groups = (n - 1) / MLI_SHAP_LANES + 1;
    walk w;
    walk_init(s, (void *)(scratch + s->sums + s->columns), &w);
    for (int64_t g = 0; g < groups; g++) {
        int64_t begin = g * MLI_SHAP_LANES;
        mli_shapley_columns(s, rows + begin * stride, n - begin, stride,
                            x + g * s->wide->n_wide_columns);
    }
    for (int64_t k = 0; k < s->n_scores; k++) {
        w.leaf = s->leaf ? s->leaf + k : NULL;
        memset(phi, 0, (size_t)(groups * e->n_features) * sizeof *phi);
        for (int64_t t = mli_shapley_first(s, k); t < e->n_trees;
             t += mli_shapley_step(s))
            run_tree(s, &w, t, groups, x, phi);
        write_values(s, k, (const double *)phi, n, out);
    }
}

void mli_shapley_values(const mli_shapley *s, const double *rows, int64_t n,
                        int64_t stride, double *out, void *scratch)
{
    int64_t width = s->n_scores * (s->wide->e.n_features + 1);
    for (int64_t i = 0; i < n; i += s->block)
        run_block(s, rows + i * stride, n - i < s->block ? n - i : s->block, stride,
                  out + i * width, scratch);
}
