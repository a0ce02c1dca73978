/* SPDX-License-Identifier: MIT
 *
 * trees/boost_tree.c: from a grown tree to the ensemble, to the leaf of each row, and to
 * the scores of rows that did not take part (sampled out, validation).
 */
#include "algorithms/trees/boost.h"
#include "algorithms/trees/walk.h"
#include <math.h>

/* Numbers the kept nodes breadth first, children side by side: place[id] and the list of
 * leaves. Returns the number of nodes. */
static int32_t number_nodes(const mli_grower *g, int32_t *order, int32_t *place)
{
    int32_t n = 1;
    order[0] = 0;
    place[0] = 0;
    for (int32_t i = 0; i < n; i++) {
        const mli_grow_node *node = &g->nodes[order[i]];
        if (!node->kept) continue;
        for (int32_t k = 0; k < 2; k++) {
            order[n] = node->left + k;
            place[node->left + k] = n++;
        }
    }
    return n;
}

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

static double value_of(const mli_booster *b, const mli_grow_node *node)
{
    double v = mli_leaf_value(b->grower.rule, (double)node->sums.g, (double)node->sums.h);
    return clamp(v, node->sums.lower, node->sums.upper) * b->rate;
}

/* The bins that go left, of ordered categories those up to the cut. */
static void bins_left(const mli_bin_feature *f, const mli_split *split, uint32_t bits[8])
{
    memcpy(bits, split->bits, sizeof split->bits);
    if (!f->ordered) return;
    memset(bits, 0, sizeof split->bits);
    for (int32_t k = 0; k <= f->n_bins; k++) {
        int left = k == f->n_bins ? split->missing_left : k <= split->bin;
        bits[k >> 5] |= (uint32_t)left << (k & 31);
    }
}

static ml_status fill_node(mli_booster *b, const mli_grow_node *node,
                           const int32_t *place, mli_ensemble_node *out, ml_error *err)
{
    const mli_split *split = &node->split;
    memset(out, 0, sizeof *out);
    out->feature = out->set = -1;
    out->value = value_of(b, node);
    out->cover = (double)node->sums.h / b->grower.rule->h_scale;
    if (!node->kept) return ML_OK;
    out->feature = split->feature;
    out->left = place[node->left];
    out->gain = split->gain;
    if (split->missing_left) out->flags |= MLI_NODE_MISSING_LEFT;
    const mli_bin_feature *f = &b->binner->features[out->feature];
    if (split->categorical || f->ordered) {
        uint32_t bits[8];
        bins_left(f, split, bits);
        out->flags |= MLI_NODE_CATEGORICAL;
        return mli_ensemble_builder_set(&b->trees, bits, &out->set, err);
    }
    out->threshold = mli_binner_threshold(f, split->bin);
    return ML_OK;
}

/* Leaf values by a quantile of the residuals of the leaf's rows. */
typedef struct renewing {
    mli_booster *b;
    double q;
    const double *y, *score;
    double *value; /* [leaves] */
} renewing;

/* From the median the step of Friedman (2001): the mean of the residuals, those beyond
 * delta cut. */
static double huber_step(const double *v, const double *w, int64_t n, double middle,
                         double delta)
{
    double sum = 0, weights = 0;
    for (int64_t i = 0; i < n; i++) {
        double weight = w ? w[i] : 1;
        sum += weight * clamp(v[i] - middle, -delta, delta);
        weights += weight;
    }
    return weights > 0 ? sum / weights : 0;
}

static void renew_task(void *arg, int64_t task, int32_t slot)
{
    renewing *r = arg;
    mli_booster *b = r->b;
    (void)slot;
    const mli_grow_node *node = &b->grower.nodes[b->leaf_node[task]];
    const uint32_t *row = b->grower.rows[node->buffer].row + node->begin;
    int64_t n = node->sums.rows;
    /* Leaves do not overlap, nor do these parts. */
    double *v = b->renewal + 2 * node->begin, *w = b->weight ? v + n : NULL;
    for (int64_t i = 0; i < n; i++) {
        v[i] = r->y[row[i]] - r->score[row[i]];
        if (w) w[i] = b->weight[row[i]];
    }
    double value = mli_weighted_quantile(v, w, n, r->q);
    if (b->options.objective.kind == MLI_HUBER)
        value += huber_step(v, w, n, value, b->options.objective.huber_delta);
    r->value[task] = clamp(value, node->sums.lower, node->sums.upper) * b->rate;
}

typedef struct marking {
    mli_booster *b;
    int32_t k;
    mli_walk walk;
} marking;

static void mark_task(void *arg, int64_t task, int32_t slot)
{
    marking *m = arg;
    mli_booster *b = m->b;
    (void)slot;
    const mli_grow_node *node = &b->grower.nodes[b->leaf_node[task]];
    const uint32_t *row = b->grower.rows[node->buffer].row + node->begin;
    uint16_t *leaf = b->leaf + m->k * b->targets.rows;
    for (int64_t i = 0; i < node->sums.rows; i++) leaf[row[i]] = (uint16_t)task;
}

/* The rows of a block that the tree was not grown on walk down it. */
static void walk_task(void *arg, int64_t task, int32_t slot)
{
    marking *m = arg;
    mli_booster *b = m->b;
    int64_t rows = b->targets.rows, begin = task * MLI_BOOST_BLOCK;
    int64_t n = rows - begin < MLI_BOOST_BLOCK ? rows - begin : MLI_BOOST_BLOCK;
    int64_t taken = b->taken[task + 1] - b->taken[task];
    mli_walk_some(&m->walk, &b->bins, slot, begin, b->drawn + begin + taken, n - taken,
                  b->leaf + m->k * rows + begin);
}

/* Number of leaves; leaf_node and leaf_value are filled in. */
static int64_t list_leaves(mli_booster *b, int32_t k, const int32_t *order, int32_t n)
{
    double *value = b->leaf_value + k * b->options.grow.max_leaves;
    int64_t leaves = 0;
    for (int32_t i = 0; i < n; i++) {
        const mli_grow_node *node = &b->grower.nodes[order[i]];
        if (node->kept) continue;
        b->leaf_node[leaves] = order[i];
        value[leaves++] = value_of(b, node);
    }
    return leaves;
}

static ml_status append(mli_booster *b, int32_t k, const int32_t *order,
                        const int32_t *place, int32_t n, ml_error *err)
{
    mli_ensemble_node *nodes;
    const double *value = b->leaf_value + k * b->options.grow.max_leaves;
    ml_status status = mli_ensemble_builder_tree(&b->trees, n, &nodes, err);
    for (int32_t i = 0; i < n && status == ML_OK; i++)
        status = fill_node(b, &b->grower.nodes[order[i]], place, &nodes[i], err);
    for (int32_t i = 0, leaf = 0; i < n && status == ML_OK; i++)
        if (nodes[i].left == 0) nodes[i].value = value[leaf++];
    return status;
}

static ml_status mark_rows(mli_booster *b, int32_t k, int sampled, ml_error *err)
{
    marking m = {.b = b, .k = k};
    /* The rows of symmetric trees have been marked as the tree grew. */
    if (!b->options.grow.symmetric) mli_parallel(b->ctx, b->leaves[k], mark_task, &m);
    if (!sampled) return ML_OK;
    ml_status status =
        mli_walk_make(&m.walk, b->ctx, b->binner, &b->trees, b->trees.n_trees - 1, err);
    if (status == ML_OK) mli_parallel(b->ctx, b->blocks, walk_task, &m);
    mli_walk_free(&m.walk);
    return status;
}

ml_status mli_boost_harvest(mli_booster *b, int32_t k, int sampled, ml_error *err)
{
    mli_grower *g = &b->grower;
    int32_t *order = mli_calloc(b->ctx, 2 * (size_t)g->n_nodes + 2, sizeof *order);
    if (!order) return mli_nomem(err);
    int32_t *place = order + g->n_nodes + 1;
    int32_t n = number_nodes(g, order, place);
    b->leaves[k] = list_leaves(b, k, order, n);
    double q = mli_objective_renews(&b->options.objective, k);
    if (q > 0) {
        mli_targets one = mli_target_of(&b->targets, k);
        renewing r = {b, q, one.y, b->score + k * b->targets.rows,
                      b->leaf_value + k * b->options.grow.max_leaves};
        mli_parallel(b->ctx, b->leaves[k], renew_task, &r);
    }
    ml_status status = append(b, k, order, place, n, err);
    mli_free(b->ctx, order);
    if (status == ML_OK) status = mark_rows(b, k, sampled, err);
    if (status == ML_OK && b->options.leaf_steps > 0)
        status = mli_boost_refine(b, k, err);
    if (status == ML_OK && b->linear.on) status = mli_boost_linear_fit(b, k, err);
    return status;
}
