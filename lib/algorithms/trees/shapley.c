/* SPDX-License-Identifier: MIT
 *
 * trees/shapley.c: trees as sequences of edges, the rules of the quadrature, and memory.
 */
#include "algorithms/trees/shapley_parts.h"
#include <math.h>
#include <string.h>

#define SUM_BYTES (1 << 20)

/* ---- Gauss-Legendre ---- */

/* P_n(x) and its derivative. */
static double legendre(int32_t n, double x, double *derivative)
{
    double p = 1, before = 0;
    for (int32_t k = 1; k <= n; k++) {
        double next = ((2 * k - 1) * x * p - (k - 1) * before) / k;
        before = p;
        p = next;
    }
    *derivative = n * (x * p - before) / (x * x - 1);
    return p;
}

/* n points and weights on [0, 1]. */
static void gauss(int32_t n, double *t, double *w)
{
    const double pi = 3.14159265358979323846;
    for (int32_t i = 0; i < n; i++) {
        double d = 0, x = cos(pi * (i + 0.75) / (n + 0.5));
        for (int32_t turn = 0; turn < 50; turn++) {
            double step = legendre(n, x, &d) / d;
            x -= step;
            if (fabs(step) < 1e-16) break;
        }
        legendre(n, x, &d);
        t[i] = (1 - x) / 2;
        w[i] = 1 / ((1 - x * x) * d * d);
    }
}

static int make_rules(mli_shapley *s)
{
    int64_t n = s->points;
    s->t = mli_arena_take(&s->arena, (n + 1) * n, sizeof *s->t);
    s->w = mli_arena_take(&s->arena, (n + 1) * n, sizeof *s->w);
    if (!s->t || !s->w) return 0;
    for (int32_t q = 1; q <= n; q++) gauss(q, s->t + q * n, s->w + q * n);
    return 1;
}

/* ---- edges ---- */

/* What lies between the root and the node at hand. */
typedef struct pending {
    int32_t node, level, feature; /* an edge to `node`, decided by its parent */
    int32_t parent;
    double share; /* of its parent's cover */
    uint8_t right;
} pending;

typedef struct making {
    mli_shapley *s;
    const mli_ensemble *e;
    int32_t *last;       /* [features] level of the nearest edge of a feature, 0: none */
    int32_t *before;     /* [levels] what last was above that level */
    int32_t *path;       /* [levels] features */
    double *z, *product; /* [levels] */
    pending *stack;
    uint8_t *seen;
    int32_t depth, distinct, most;
} making;

static double share_of(const mli_ensemble *e, int64_t parent, int64_t child)
{
    double z = e->cover[child] / e->cover[parent];
    if (!(e->cover[parent] > 0) || !isfinite(z)) return 0.5;
    return z < MLI_SHAP_LEAST ? MLI_SHAP_LEAST : z > 1 ? 1 : z;
}

static void push_children(making *m, int64_t first, int32_t node, int32_t level,
                          int64_t *n)
{
    const mli_ensemble *e = m->e;
    int64_t at = first + node;
    int32_t feature = e->player ? e->player[e->feature[at]] : e->feature[at];
    for (int32_t right = 1; right >= 0; right--) {
        int32_t child = e->left[at] + right;
        m->stack[(*n)++] = (pending){.node = child,
                                     .level = level,
                                     .feature = feature,
                                     .parent = node,
                                     .share = share_of(e, at, first + child),
                                     .right = (uint8_t)right};
    }
}

/* Leaves the path at `level` - 1 edges. */
static void climb(making *m, int32_t level)
{
    while (m->depth >= level) {
        int32_t feature = m->path[m->depth];
        m->last[feature] = m->before[m->depth];
        if (!m->last[feature]) m->distinct--;
        m->depth--;
    }
}

static void descend(making *m, const pending *p, mli_edge *edge)
{
    int32_t same = m->last[p->feature], level = p->level;
    double z = p->share * (same ? m->z[same] : 1);
    if (z < MLI_SHAP_LEAST) z = MLI_SHAP_LEAST;
    m->depth = level;
    m->path[level] = p->feature;
    m->before[level] = same;
    m->last[p->feature] = level;
    m->z[level] = z;
    m->product[level] = m->product[level - 1] * p->share;
    if (!same && ++m->distinct > m->most) m->most = m->distinct;
    edge->z = z;
    edge->feature = p->feature;
    edge->level = level;
    edge->same = same;
    edge->right = p->right;
}

/* Adds what a leaf is expected to add to the scores. */
static void expect(const mli_shapley *s, int64_t tree, double value, double share)
{
    if (!s->leaf) s->expected[tree % s->n_scores] += value * share;
    for (int64_t k = 0; s->leaf && k < s->n_scores; k++)
        s->expected[k] += s->leaf[(int64_t)value * s->n_scores + k] * share * s->scale;
}

/* The edges of a tree; their number must be that of its nodes less one, else nodes share
 * children and it is no tree. Adds its mean to what is expected. */
static ml_status make_edges(making *m, int64_t tree, mli_edge *edge, int64_t *count,
                            ml_error *err)
{
    const mli_ensemble *e = m->e;
    int64_t first = e->start[tree], n = 0;
    *count = 0;
    m->most = m->distinct = m->depth = 0;
    m->product[0] = 1;
    if (!e->left[first]) {
        expect(m->s, tree, e->value[first], 1);
        return ML_OK;
    }
    if (!(e->cover[first] > 0)) {
        mli_fail(err, ML_E_UNSUPPORTED,
                 "tree %lld does not say how many training rows its nodes had",
                 (long long)tree);
        return mli_error_hint(err, ML_E_UNSUPPORTED,
                              "explain by permutation, which needs data only");
    }
    push_children(m, first, 0, 1, &n);
    while (n > 0) {
        pending p = m->stack[--n];
        int64_t at = first + p.node;
        if (m->seen[p.node]++)
            return mli_fail(err, ML_E_FORMAT, "nodes of tree %lld share a child",
                            (long long)tree);
        climb(m, p.level);
        mli_edge *to = &edge[(*count)++];
        descend(m, &p, to);
        to->node = first + p.parent;
        to->leaf = e->left[at] == 0;
        to->value = e->value[at];
        if (to->leaf)
            expect(m->s, tree, e->value[at], m->product[p.level]);
        else
            push_children(m, first, p.node, p.level + 1, &n);
    }
    climb(m, 1);
    return ML_OK;
}

static int32_t count_levels(const mli_ensemble *e, int64_t tree, int32_t *depth)
{
    int64_t first = e->start[tree], n = e->start[tree + 1] - first;
    int32_t most = 0;
    memset(depth, 0, (size_t)n * sizeof *depth);
    for (int64_t i = 0; i < n; i++) {
        int32_t left = e->left[first + i];
        for (int32_t c = left; left && c <= left + 1; c++)
            if (depth[c] <= depth[i]) depth[c] = depth[i] + 1;
        if (depth[i] > most) most = depth[i];
    }
    return most;
}

static ml_status make_trees(making *m, int64_t most_nodes, ml_error *err)
{
    mli_shapley *s = m->s;
    const mli_ensemble *e = m->e;
    ml_status status = ML_OK;
    for (int64_t t = 0; status == ML_OK && t < e->n_trees; t++) {
        int64_t nodes = e->start[t + 1] - e->start[t];
        mli_edge *edge = mli_arena_take(&s->arena, nodes, sizeof *edge);
        if (!edge) return mli_nomem(err);
        memset(m->seen, 0, (size_t)most_nodes);
        status = make_edges(m, t, edge, &s->tree[t].n, err);
        s->tree[t].edge = edge;
        int32_t points = (m->most + 1) / 2;
        s->tree[t].points = points < 1                 ? 1
                            : points > MLI_SHAP_POINTS ? MLI_SHAP_POINTS
                                                       : points;
        if (s->tree[t].points > s->points) s->points = s->tree[t].points;
    }
    return status;
}

static ml_status make(mli_shapley *s, const mli_ensemble *e, ml_error *err)
{
    int64_t most = 1;
    for (int64_t t = 0; t < e->n_trees; t++)
        if (e->start[t + 1] - e->start[t] > most) most = e->start[t + 1] - e->start[t];
    size_t nodes = (size_t)most + 2;
    making m = {.s = s, .e = e};
    m.path = mli_calloc(s->ctx, nodes, sizeof *m.path);
    if (!m.path) return mli_nomem(err);
    for (int64_t t = 0; t < e->n_trees; t++) {
        int32_t levels = count_levels(e, t, m.path);
        if (levels > s->levels) s->levels = levels;
    }
    m.last = mli_calloc(s->ctx, (size_t)e->n_features + 1, sizeof *m.last);
    m.before = mli_calloc(s->ctx, nodes, sizeof *m.before);
    m.z = mli_calloc(s->ctx, nodes, sizeof *m.z);
    m.product = mli_calloc(s->ctx, nodes, sizeof *m.product);
    m.stack = mli_calloc(s->ctx, nodes, sizeof *m.stack);
    m.seen = mli_calloc(s->ctx, nodes, 1);
    s->tree = mli_arena_take(&s->arena, e->n_trees, sizeof *s->tree);
    s->expected = mli_arena_take(&s->arena, s->n_scores, sizeof *s->expected);
    int ok = m.last && m.before && m.z && m.product && m.stack && m.seen && s->tree &&
             s->expected;
    for (int64_t k = 0; ok && k < s->n_scores; k++)
        s->expected[k] = s->leaf ? 0 : e->base[k];
    ml_status status = ok ? make_trees(&m, most, err) : mli_nomem(err);
    void *blocks[] = {m.path, m.last, m.before, m.z, m.product, m.stack, m.seen};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        mli_free(s->ctx, blocks[i]);
    return status;
}

/* ---- memory ---- */

/* Sums of a block of rows, its columns, and what a walk keeps per level. */
static void choose_sizes(mli_shapley *s, int pairs)
{
    const mli_engine *g = s->wide;
    int64_t width = g->e.n_features, lanes = sizeof(mli_lanes);
    int64_t sums = width * lanes; /* of four rows */
    if (pairs) sums *= width + 1;
    int64_t groups = SUM_BYTES / (sums + 1) + 1;
    if (groups > MLI_SHAP_BLOCK / MLI_SHAP_LANES)
        groups = MLI_SHAP_BLOCK / MLI_SHAP_LANES;
    s->block = groups * MLI_SHAP_LANES;
    s->sums = (size_t)(groups * sums);
    s->columns = (size_t)(groups * g->n_wide_columns * lanes);
    s->stack = (size_t)((s->levels + 1) * (3 * s->points + 4) * lanes);
    s->scratch = s->sums + s->columns + s->stack;
}

ml_status mli_shapley_new(ml_context *ctx, const mli_ensemble *e,
                          const mli_shapley_leaves *leaves, int pairs, mli_shapley **out,
                          ml_error *err)
{
    mli_shapley *s = mli_calloc(ctx, 1, sizeof *s);
    if (!s) return mli_nomem(err);
    s->ctx = s->arena.ctx = ctx;
    s->avx2 = ctx->cpu_level >= MLI_CPU_AVX2;
    s->points = 1;
    s->leaf = leaves ? leaves->rows : NULL;
    s->n_scores = leaves ? leaves->width : e->n_scores;
    s->scale = leaves ? leaves->scale : 1;
    ml_status status = mli_engine_new_wide(ctx, e, &s->wide, err);
    if (status == ML_OK) status = make(s, e, err);
    if (status == ML_OK && !make_rules(s)) status = mli_nomem(err);
    if (status != ML_OK) {
        mli_shapley_free(s);
        return status;
    }
    choose_sizes(s, pairs);
    *out = s;
    return ML_OK;
}

void mli_shapley_free(mli_shapley *s)
{
    if (!s) return;
    mli_engine_free(s->wide);
    mli_arena_free(&s->arena);
    mli_free(s->ctx, s);
}

size_t mli_shapley_scratch(const mli_shapley *s)
{
    return s->scratch;
}

int64_t mli_shapley_block(const mli_shapley *s)
{
    return s->block;
}

void mli_shapley_columns(const mli_shapley *s, const double *rows, int64_t n,
                         int64_t stride, mli_lanes *x)
{
    for (int64_t i = 0; i < MLI_SHAP_LANES; i++) {
        const double *row = rows + (i < n ? i : n - 1) * stride;
        mli_engine_wide_spread(s->wide, row, (double *)x + i, MLI_SHAP_LANES);
    }
}
