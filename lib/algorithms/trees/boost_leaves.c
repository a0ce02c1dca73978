/* SPDX-License-Identifier: MIT
 *
 * trees/boost_leaves.c: leaf values by several steps of Newton's method, each with the
 * gradients at the scores that the step before has led to (CatBoost's
 * leaf_estimation_iterations). One step from zero is what a tree has anyway; where the
 * loss is far from a parabola, as that of classes in leaves that are nearly pure, it is
 * too short.
 *
 * A leaf minimises a convex function of one number, l2 included. The signs of its slope
 * enclose the minimum, and a step that leaves the interval is replaced by its middle. All
 * rows count, also those that the tree was not grown on.
 *
 * A step of Newton's method that moves a value by m leaves an error of about m^2 / 2 at
 * most: the third derivative of these losses is hardly larger than the second. When all
 * such errors are below SMALL, which takes two or three steps, they end. The gradients of
 * the first step are those the tree was grown on, if they are still there.
 *
 * Cost: steps * rows gradients; memory: leaves numbers for each of at most 64 tasks.
 */
#include "algorithms/trees/boost.h"
#include <math.h>

#define SMALL      3e-3
#define PART_ROWS  512
#define MOST_TASKS 64
#define MOST_SUMS  (INT64_C(1) << 20)
#define LANES      4 /* rows in turn, lest one waits for the sum of another in its leaf */

/* Gradient and hessian, added up together. */
typedef double pair __attribute__((vector_size(16), aligned(8), may_alias));

typedef struct refining {
    mli_booster *b;
    int32_t k;
    int64_t leaves, task_rows;
    mli_objective objective; /* of the score k alone */
    mli_targets targets;
    double *value, *low, *high; /* [leaves] */
    double *sums; /* [tasks * LANES * leaves * 2] of gradients and hessians */
    int first;    /* the gradients are those in b->gh */
} refining;

static void add_rows(const float *gh, const uint16_t *leaf, int64_t n, int64_t leaves,
                     double *sums)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int64_t k = 0; k < LANES; k++) {
            const float *at = gh + 2 * (i + k);
            pair *sum = (pair *)&sums[2 * (k * leaves + leaf[i + k])];
            *sum += (pair){(double)at[0], (double)at[1]};
        }
    for (; i < n; i++) {
        pair *sum = (pair *)&sums[2 * leaf[i]];
        *sum += (pair){(double)gh[2 * i], (double)gh[2 * i + 1]};
    }
}

/* Gradients of n rows with the leaves' values added to their scores. */
static void add_part(const refining *r, int64_t begin, int64_t n, double *sums)
{
    const mli_booster *b = r->b;
    const double *score = b->score + r->k * r->targets.rows + begin;
    const uint16_t *leaf = b->leaf + r->k * r->targets.rows + begin;
    mli_targets part = mli_targets_part(&r->targets, begin, n);
    double at[PART_ROWS];
    float gh[2 * PART_ROWS];
    for (int64_t i = 0; i < n; i++) at[i] = score[i] + r->value[leaf[i]];
    mli_objective_gradients(&r->objective, &part, 0, n, at, n, gh);
    add_rows(gh, leaf, n, r->leaves, sums);
}

static void sum_task(void *arg, int64_t task, int32_t slot)
{
    refining *r = arg;
    int64_t begin = task * r->task_rows, end = begin + r->task_rows;
    double *sums = r->sums + task * LANES * r->leaves * 2;
    (void)slot;
    if (end > r->targets.rows) end = r->targets.rows;
    memset(sums, 0, (size_t)(LANES * r->leaves) * 2 * sizeof *sums);
    if (mli_run_state(r->b->run) == ML_CANCEL) return;
    if (r->first) {
        int64_t at = r->k * r->targets.rows + begin;
        add_rows(r->b->gh + 2 * at, r->b->leaf + at, end - begin, r->leaves, sums);
        return;
    }
    for (; begin < end; begin += PART_ROWS)
        add_part(r, begin, end - begin < PART_ROWS ? end - begin : PART_ROWS, sums);
}

/* Returns the error that is left. */
static double step_leaf(const refining *r, int64_t leaf, int64_t tasks)
{
    const mli_booster *b = r->b;
    double g = 0, h = 0, l2 = b->options.rule.l2, v = r->value[leaf];
    for (int64_t t = 0; t < tasks * LANES; t++) {
        g += r->sums[(t * r->leaves + leaf) * 2];
        h += r->sums[(t * r->leaves + leaf) * 2 + 1];
    }
    g += l2 * v;
    h += l2;
    if (!(h > 0) || g == 0) return 0;
    if (g < 0 && v > r->low[leaf]) r->low[leaf] = v;
    if (g > 0 && v < r->high[leaf]) r->high[leaf] = v;
    double to = v - g / h, low = r->low[leaf], high = r->high[leaf];
    if (!(to > low && to < high)) to = low / 2 + high / 2;
    double most = b->options.rule.max_delta;
    if (most > 0) to = to > most ? most : to < -most ? -most : to;
    const mli_split_leaf *bounds = &b->grower.nodes[b->leaf_node[leaf]].sums;
    if (to < bounds->lower) to = bounds->lower;
    if (to > bounds->upper) to = bounds->upper;
    if (!isfinite(to)) return 0;
    r->value[leaf] = to;
    return (to - v) * (to - v) / 2;
}

/* Puts the values into the scores to be added and into the tree. */
static void take_values(const refining *r)
{
    mli_booster *b = r->b;
    mli_ensemble_builder *t = &b->trees;
    double *value = b->leaf_value + r->k * b->options.grow.max_leaves;
    for (int64_t i = 0; i < r->leaves; i++) value[i] = r->value[i] * b->rate;
    int64_t leaf = 0;
    for (int64_t i = t->start[t->n_trees - 1]; i < t->n_nodes; i++)
        if (t->node[i].left == 0) t->node[i].value = value[leaf++];
}

int mli_boost_refinable(const mli_boost_options *o)
{
    int32_t kind = o->objective.kind;
    int curved = kind == MLI_LOGISTIC || kind == MLI_CROSS_ENTROPY ||
                 kind == MLI_POISSON || kind == MLI_GAMMA || kind == MLI_TWEEDIE ||
                 kind == MLI_AFT;
    return curved && o->rule.l1 == 0 && !o->linear;
}

ml_status mli_boost_refine(mli_booster *b, int32_t k, ml_error *err)
{
    refining r = {.b = b, .k = k, .leaves = b->leaves[k]};
    r.objective = mli_objective_one(&b->options.objective);
    r.targets = mli_target_of(&b->targets, k);
    int64_t rows = b->targets.rows, most = MOST_SUMS / (LANES * r.leaves);
    most = most < 1 ? 1 : most > MOST_TASKS ? MOST_TASKS : most;
    r.task_rows = (rows + most - 1) / most;
    if (r.task_rows < MLI_BOOST_BLOCK) r.task_rows = MLI_BOOST_BLOCK;
    int64_t tasks = mli_task_count(rows, r.task_rows);
    r.value =
        mli_calloc(b->ctx, (size_t)(r.leaves * (3 + 2 * LANES * tasks)), sizeof *r.value);
    if (!r.value) return mli_nomem(err);
    r.low = r.value + r.leaves;
    r.high = r.low + r.leaves;
    r.sums = r.high + r.leaves;
    for (int64_t i = 0; i < r.leaves; i++) {
        r.low[i] = -INFINITY;
        r.high[i] = INFINITY;
    }
    ml_status status = ML_OK;
    double error = INFINITY;
    /* Otherwise the rows were divided where the gradients had been. */
    r.first = b->gh_own || b->options.grow.symmetric;
    for (int64_t s = 0; s < b->options.leaf_steps && error > SMALL; s++) {
        mli_parallel(b->ctx, tasks, sum_task, &r);
        status = mli_run_check(b->run, err);
        r.first = 0;
        error = 0;
        for (int64_t i = 0; i < r.leaves && status == ML_OK; i++) {
            double left = step_leaf(&r, i, tasks);
            if (left > error) error = left;
        }
    }
    if (status == ML_OK) take_values(&r);
    mli_free(b->ctx, r.value);
    return status;
}
