/* SPDX-License-Identifier: MIT
 *
 * trees/boost_linear.c: linear functions in the leaves of boosted trees (de Vito,
 * "LinXGBoost", 2017; Shi, Li, Li, "Gradient boosting with piece-wise linear regression
 * trees", 2019).
 *
 * A tree is grown as ever. Then each leaf minimises sum_i g_i f(x_i) + h_i f(x_i)^2 / 2 +
 * linear_lambda |w|^2 / 2 over f(x) = c + w x of the numeric features on its path: with
 * hessian-weighted means m, S = sum h (x - m)(x - m)', and G, H the sums of g and h,
 *
 *   (S + linear_lambda I) w = -sum g (x - m),   c = -G / H - w m.
 *
 * Rows in which one of these features is missing or infinite take no part and get the
 * leaf's constant. Features that the ones before explain get the coefficient 0.
 *
 * Cost: rows * k^2 / 2 additions per tree, k the features on a path; memory: a copy of
 * the columns that are split on, but for those that the table has as doubles.
 */
#include "algorithms/trees/boost.h"
#include <math.h>

enum { COPIED = 1, EMPTY }; /* columns of our own: EMPTY ones are to be filled */

#define COLLINEAR 1e-10 /* share of a feature's spread that the others leave */

typedef struct linear_leaf {
    int64_t node;  /* of the ensemble */
    int64_t first; /* of its terms; `n` of them */
    int64_t n;
    int64_t used; /* 0: the constant */
    double constant;
} linear_leaf;

typedef struct fitting {
    mli_booster *b;
    int32_t k;
    linear_leaf *leaf;
    int32_t *feature; /* [terms] */
    double *coef;     /* [terms] */
    int64_t most;     /* terms of a leaf */
    double *scratch;  /* [slots * size] */
    int64_t size;
} fitting;

/* ---- values ---- */

static ml_status open_rows(ml_context *ctx, const mli_design *d, mli_linear_rows *r,
                           ml_error *err)
{
    r->design = d;
    r->column = mli_calloc(ctx, (size_t)d->n_features + 1, sizeof *r->column);
    if (!r->column) return mli_nomem(err);
    const double *x = mli_design_in_place(d, ML_DTYPE_F64, &r->row_step);
    for (int64_t j = 0; x && j < d->n_features; j++) r->column[j] = x + j;
    if (x) return ML_OK;
    r->row_step = 1;
    r->own = mli_calloc(ctx, (size_t)d->n_features + 1, sizeof *r->own);
    return r->own ? ML_OK : mli_nomem(err);
}

static void close_rows(ml_context *ctx, mli_linear_rows *r)
{
    for (int64_t j = 0; r->own && j < r->design->n_features; j++)
        if (r->own[j]) mli_free(ctx, (void *)r->column[j]);
    mli_free(ctx, r->own);
    mli_free(ctx, r->column);
}

static void copy_task(void *arg, int64_t task, int32_t slot)
{
    const mli_linear_rows *r = arg;
    int64_t rows = r->design->rows, blocks = mli_task_count(rows, MLI_BOOST_BLOCK);
    int64_t j = task / blocks, begin = task % blocks * MLI_BOOST_BLOCK;
    int64_t end = begin + MLI_BOOST_BLOCK < rows ? begin + MLI_BOOST_BLOCK : rows;
    (void)slot;
    if (r->own[j] != EMPTY) return;
    mli_design_f64(r->design, j, begin, end, (double *)r->column[j] + begin, 1);
}

/* Columns that leaves use for the first time: where they stand, or copies. */
static ml_status need_columns(ml_context *ctx, mli_linear_rows *r, const int32_t *feature,
                              int64_t n, ml_error *err)
{
    const mli_design *d = r->design;
    int empty = 0;
    for (int64_t i = 0; r->own && i < n; i++) {
        int64_t j = feature[i];
        if (r->column[j] || (r->column[j] = mli_design_place(d, j, 0))) continue;
        r->column[j] = mli_alloc_vec(ctx, d->rows, sizeof(double));
        if (!r->column[j]) return mli_nomem(err);
        r->own[j] = EMPTY;
        empty = 1;
    }
    if (!empty) return ML_OK;
    mli_parallel(ctx, d->n_features * mli_task_count(d->rows, MLI_BOOST_BLOCK), copy_task,
                 r);
    for (int64_t j = 0; j < d->n_features; j++) r->own[j] = r->own[j] ? COPIED : 0;
    return ML_OK;
}

ml_status mli_boost_linear_make(mli_booster *b, ml_error *err)
{
    mli_boost_linear *l = &b->linear;
    if (!b->options.linear) return ML_OK;
    l->on = 1;
    l->lambda = b->options.linear_lambda;
    int64_t leaves = b->n_scores * b->options.grow.max_leaves;
    l->leaf_at = mli_calloc(b->ctx, (size_t)leaves, sizeof *l->leaf_at);
    if (!l->leaf_at) return mli_nomem(err);
    ml_status s = open_rows(b->ctx, b->train, &l->train, err);
    if (s != ML_OK || !b->valid) return s;
    l->valid_leaf = mli_alloc_vec(b->ctx, b->valid->rows, sizeof *l->valid_leaf);
    if (!l->valid_leaf) return mli_nomem(err);
    return open_rows(b->ctx, b->valid, &l->valid, err);
}

void mli_boost_linear_free(mli_booster *b)
{
    mli_boost_linear *l = &b->linear;
    void *blocks[] = {l->start, l->constant, l->feature,
                      l->coef,  l->leaf_at,  l->valid_leaf};
    close_rows(b->ctx, &l->train);
    close_rows(b->ctx, &l->valid);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        mli_free(b->ctx, blocks[i]);
}

/* The features of a row; 0 when one has no value. */
static int read_row(const mli_linear_rows *r, int64_t row, const int32_t *feature,
                    int64_t n, double *out)
{
    double sum = 0;
    for (int64_t j = 0; j < n; j++) {
        out[j] = r->column[feature[j]][row * r->row_step];
        sum += out[j] * 0; /* NaN of what is missing or infinite */
    }
    return sum == 0;
}

/* ---- the paths ---- */

/* The numeric features above a node, each once, in ascending order. */
static int64_t path_features(const mli_ensemble_node *node, const int32_t *parent,
                             int64_t i, int32_t *out)
{
    int64_t n = 0;
    for (i = parent[i]; i >= 0; i = parent[i]) {
        int64_t at = n;
        if (node[i].flags & MLI_NODE_CATEGORICAL) continue;
        while (at > 0 && out[at - 1] >= node[i].feature) at--;
        if (at < n && out[at] == node[i].feature) continue;
        memmove(out + at + 1, out + at, (size_t)(n - at) * sizeof *out);
        out[at] = node[i].feature;
        n++;
    }
    return n;
}

/* The leaves of the last tree and the features of each; *terms: all of them. */
static ml_status list_leaves(fitting *f, int64_t *terms, ml_error *err)
{
    mli_booster *b = f->b;
    const mli_ensemble_builder *t = &b->trees;
    int64_t first = t->start[t->n_trees - 1], n = t->n_nodes - first, leaves = 0;
    const mli_ensemble_node *node = t->node + first;
    int64_t features = b->train->n_features, capacity = 0;
    int32_t *parent = mli_calloc(b->ctx, (size_t)n, sizeof *parent);
    ml_status status = parent ? ML_OK : mli_nomem(err);
    if (status == ML_OK) parent[0] = -1;
    *terms = 0;
    for (int64_t i = 0; i < n && status == ML_OK; i++) {
        if (node[i].left) {
            parent[node[i].left] = parent[node[i].left + 1] = (int32_t)i;
            continue;
        }
        if (!mli_reserve(b->ctx, &f->feature, &capacity, *terms + features + 1,
                         sizeof *f->feature)) {
            status = mli_nomem(err);
            break;
        }
        linear_leaf *leaf = &f->leaf[leaves++];
        leaf->node = first + i;
        leaf->first = *terms;
        leaf->n = path_features(node, parent, i, f->feature + *terms);
        *terms += leaf->n;
        if (leaf->n > f->most) f->most = leaf->n;
    }
    mli_free(b->ctx, parent);
    return status;
}

/* ---- one leaf ---- */

/* Sums over the rows of a leaf, of values less those of its first row. */
typedef struct moments {
    int64_t n, rows;
    double g, h;
    double *origin, *x, *hx, *gx; /* [n] */
    double *s;                    /* [n * n] lower triangle */
} moments;

static void add_row(moments *m, double g, double h)
{
    int64_t n = m->n;
    if (m->rows++ == 0) memcpy(m->origin, m->x, (size_t)n * sizeof *m->x);
    m->g += g;
    m->h += h;
    for (int64_t i = 0; i < n; i++) {
        double v = m->x[i] -= m->origin[i], hv = h * v;
        m->hx[i] += hv;
        m->gx[i] += g * v;
        for (int64_t j = 0; j <= i; j++) m->s[i * n + j] += hv * m->x[j];
    }
}

/* To sums around the mean: s, gx; hx becomes the mean. */
static void centre(moments *m)
{
    int64_t n = m->n;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= i; j++) m->s[i * n + j] -= m->hx[i] * (m->hx[j] / m->h);
        m->gx[i] -= m->g * (m->hx[i] / m->h);
    }
    for (int64_t i = 0; i < n; i++) m->hx[i] = m->origin[i] + m->hx[i] / m->h;
}

/* Solves (s + lambda I) w = -gx by Cholesky in place; columns that the ones before
 * explain get 0. */
static void solve(moments *m, double lambda, double *w)
{
    int64_t n = m->n;
    for (int64_t j = 0; j < n; j++) {
        double *row = m->s + j * n, full = row[j] + lambda, rest = full;
        for (int64_t i = 0; i < j; i++) {
            double v = row[i];
            for (int64_t k = 0; k < i; k++) v -= row[k] * m->s[i * n + k];
            row[i] = m->s[i * n + i] > 0 ? v / m->s[i * n + i] : 0;
            rest -= row[i] * row[i];
        }
        row[j] = rest > COLLINEAR * full ? sqrt(rest) : 0;
    }
    for (int64_t i = 0; i < n; i++) {
        double v = -m->gx[i];
        for (int64_t k = 0; k < i; k++) v -= m->s[i * n + k] * w[k];
        w[i] = m->s[i * n + i] > 0 ? v / m->s[i * n + i] : 0;
    }
    for (int64_t i = n - 1; i >= 0; i--) {
        double v = w[i];
        for (int64_t k = i + 1; k < n; k++) v -= m->s[k * n + i] * w[k];
        w[i] = m->s[i * n + i] > 0 ? v / m->s[i * n + i] : 0;
    }
}

static void sum_rows(const fitting *f, const linear_leaf *leaf, int64_t task, moments *m)
{
    mli_booster *b = f->b;
    const mli_grow_node *node = &b->grower.nodes[b->leaf_node[task]];
    const uint32_t *row = b->grower.rows[node->buffer].row + node->begin;
    const float *gh = b->gh + 2 * f->k * b->targets.rows;
    for (int64_t i = 0; i < node->sums.rows; i++) {
        int64_t r = row[i];
        double factor = mli_sample_row(&b->sample, r);
        if (!read_row(&b->linear.train, r, f->feature + leaf->first, leaf->n, m->x))
            continue;
        add_row(m, factor * (double)gh[2 * r], factor * (double)gh[2 * r + 1]);
    }
}

static void leaf_task(void *arg, int64_t task, int32_t slot)
{
    fitting *f = arg;
    mli_booster *b = f->b;
    linear_leaf *leaf = &f->leaf[task];
    int64_t n = leaf->n;
    double *at = f->scratch + slot * f->size, *w = f->coef + leaf->first;
    if (n == 0 || mli_run_state(b->run) == ML_CANCEL) return;
    memset(at, 0, (size_t)f->size * sizeof *at);
    moments m = {.n = n, .origin = at, .x = at + n, .hx = at + 2 * n, .gx = at + 3 * n};
    m.s = at + 4 * n;
    sum_rows(f, leaf, task, &m);
    if (m.rows <= n || !(m.h > 0)) return;
    centre(&m);
    solve(&m, b->linear.lambda, w);
    double constant = -m.g / m.h, finite = 0;
    for (int64_t j = 0; j < n; j++) {
        constant -= w[j] * m.hx[j];
        w[j] *= b->rate;
        finite += w[j] * 0;
    }
    leaf->constant = constant * b->rate;
    if (finite == 0 && isfinite(leaf->constant)) leaf->used = n;
}

/* ---- the tree ---- */

/* Appends the terms of a tree's nodes. */
static ml_status append(const fitting *f, int64_t leaves, int64_t terms, ml_error *err)
{
    mli_booster *b = f->b;
    mli_boost_linear *l = &b->linear;
    int64_t n = b->trees.n_nodes, next = 0;
    if (!mli_reserve(b->ctx, &l->start, &l->node_capacity, n + 1, sizeof *l->start) ||
        !mli_reserve(b->ctx, &l->constant, &l->constant_capacity, n,
                     sizeof *l->constant) ||
        !mli_reserve(b->ctx, &l->feature, &l->term_capacity, l->n_terms + terms,
                     sizeof *l->feature) ||
        !mli_reserve(b->ctx, &l->coef, &l->coef_capacity, l->n_terms + terms,
                     sizeof *l->coef))
        return mli_nomem(err);
    for (; l->n_nodes < n; l->n_nodes++) {
        l->start[l->n_nodes] = l->n_terms;
        l->constant[l->n_nodes] = 0;
        if (next == leaves || f->leaf[next].node != l->n_nodes) continue;
        const linear_leaf *leaf = &f->leaf[next++];
        l->constant[l->n_nodes] = leaf->used ? leaf->constant : 0;
        for (int64_t j = 0; j < leaf->used; j++) {
            if (f->coef[leaf->first + j] == 0) continue;
            l->feature[l->n_terms] = f->feature[leaf->first + j];
            l->coef[l->n_terms++] = f->coef[leaf->first + j];
        }
    }
    l->start[n] = l->n_terms;
    for (int64_t i = 0; i < leaves; i++)
        l->leaf_at[f->k * b->options.grow.max_leaves + i] = f->leaf[i].node;
    return ML_OK;
}

double mli_boost_linear_value(const mli_booster *b, int32_t k, int64_t leaf,
                              const mli_linear_rows *rows, int64_t row)
{
    const mli_boost_linear *l = &b->linear;
    int64_t node = l->leaf_at[k * b->options.grow.max_leaves + leaf];
    double sum = l->constant[node], missing = 0;
    if (l->start[node] == l->start[node + 1]) return b->trees.node[node].value;
    for (int64_t i = l->start[node]; i < l->start[node + 1]; i++) {
        double v = rows->column[l->feature[i]][row * rows->row_step];
        sum += v * l->coef[i];
        missing += v * 0;
    }
    return missing == 0 ? sum : b->trees.node[node].value;
}

static void add_task(void *arg, int64_t task, int32_t slot)
{
    const fitting *f = arg;
    mli_booster *b = f->b;
    int64_t rows = b->targets.rows, begin = task * MLI_BOOST_BLOCK;
    int64_t end = begin + MLI_BOOST_BLOCK < rows ? begin + MLI_BOOST_BLOCK : rows;
    (void)slot;
    for (int64_t i = begin; i < end; i++)
        b->score[f->k * rows + i] += mli_boost_linear_value(
            b, f->k, b->leaf[f->k * rows + i], &b->linear.train, i);
}

ml_status mli_boost_linear_fit(mli_booster *b, int32_t k, ml_error *err)
{
    fitting f = {.b = b, .k = k};
    int64_t leaves = b->leaves[k], terms = 0;
    f.leaf = mli_calloc(b->ctx, (size_t)leaves, sizeof *f.leaf);
    ml_status status = f.leaf ? list_leaves(&f, &terms, err) : mli_nomem(err);
    if (status == ML_OK)
        status = need_columns(b->ctx, &b->linear.train, f.feature, terms, err);
    if (status == ML_OK && b->valid)
        status = need_columns(b->ctx, &b->linear.valid, f.feature, terms, err);
    if (status == ML_OK) {
        f.size = (f.most + 4) * f.most + 1;
        f.coef = mli_alloc_vec(b->ctx, terms + 1, sizeof *f.coef);
        f.scratch = mli_alloc_vec(b->ctx, f.size * mli_slots(b->ctx), sizeof *f.scratch);
        if (!f.coef || !f.scratch) status = mli_nomem(err);
    }
    if (status == ML_OK) {
        mli_parallel(b->ctx, leaves, leaf_task, &f);
        status = mli_run_check(b->run, err);
    }
    if (status == ML_OK) status = append(&f, leaves, terms, err);
    if (status == ML_OK) mli_parallel(b->ctx, b->blocks, add_task, &f);
    b->leaves[k] = 0; /* the scores have it */
    mli_free(b->ctx, f.leaf);
    mli_free(b->ctx, f.feature);
    mli_free(b->ctx, f.coef);
    mli_free(b->ctx, f.scratch);
    return status;
}

/* A copy of n numbers as a tensor of the model. */
static ml_status add_copy(ml_model *m, const char *name, int32_t dtype, int64_t n,
                          const void *from, ml_error *err)
{
    void *to = NULL;
    ml_status s = mli_model_add(m, name, dtype, 1, &n, &to, err);
    if (s == ML_OK) memcpy(to, from, (size_t)n * mli_dtype_size(dtype));
    return s;
}

ml_status mli_boost_linear_write(const mli_booster *b, ml_model *m, ml_error *err)
{
    const mli_boost_linear *l = &b->linear;
    int64_t n = b->trees.n_nodes, terms = 0;
    if (!l->on) return ML_OK;
    if (n > 0 && l->n_nodes >= n) terms = l->start[n];
    if (terms == 0) return ML_OK;
    ml_status s = add_copy(m, "linear_start", ML_DTYPE_I64, n + 1, l->start, err);
    if (s == ML_OK) s = add_copy(m, "linear_const", ML_DTYPE_F64, n, l->constant, err);
    if (s == ML_OK)
        s = add_copy(m, "linear_feature", ML_DTYPE_I32, terms, l->feature, err);
    if (s == ML_OK) s = add_copy(m, "linear_coef", ML_DTYPE_F64, terms, l->coef, err);
    return s;
}
