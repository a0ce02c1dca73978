/* SPDX-License-Identifier: MIT
 *
 * trees/boost.c: the rounds of gradient boosting (Friedman, "Greedy function
 * approximation: a gradient boosting machine", 2001), with second-order leaf values
 * (Chen and Guestrin, "XGBoost", 2016) and histograms (Ke and others, "LightGBM", 2017).
 *
 * A round: gradients of all rows at the present scores; then per score a tree whose
 * leaves step against the gradient. Cost per tree: about rows * columns * log2(leaves) /
 * 2 additions.
 */
#include "algorithms/trees/boost.h"
#include <inttypes.h>
#include <math.h>

static ml_status make_arrays(mli_booster *b, ml_error *err)
{
    ml_context *ctx = b->ctx;
    int64_t rows = b->targets.rows, k = b->n_scores;
    int64_t leaves = b->options.grow.max_leaves;
    b->blocks = mli_task_count(rows, MLI_BOOST_BLOCK);
    b->score = mli_alloc_vec(ctx, k * rows, sizeof *b->score);
    b->leaf = mli_alloc_vec(ctx, k * rows, sizeof *b->leaf);
    b->leaf_value = mli_calloc(ctx, (size_t)(k * leaves), sizeof *b->leaf_value);
    b->leaves = mli_calloc(ctx, (size_t)k, sizeof *b->leaves);
    b->leaf_node = mli_calloc(ctx, (size_t)leaves, sizeof *b->leaf_node);
    b->sums = mli_calloc(ctx, (size_t)(3 * k * b->blocks), sizeof *b->sums);
    b->taken = mli_calloc(ctx, (size_t)b->blocks + 1, sizeof *b->taken);
    b->whole = mli_calloc(ctx, 2 * (size_t)b->blocks, sizeof *b->whole);
    b->history = mli_calloc(ctx, (size_t)b->options.rounds + 1, sizeof *b->history);
    /* One score: the grower's second buffer is free until the tree grows; linear leaves
     * need the gradients after that. */
    b->gh = (float *)(void *)b->grower.rows[1].gh;
    if (k > 1 || b->options.linear)
        b->gh = b->gh_own = mli_alloc_vec(ctx, 2 * k * rows, sizeof *b->gh);
    if (mli_objective_renews(&b->options.objective, 0) > 0) {
        b->renewal = mli_alloc_vec(ctx, 2 * rows, sizeof *b->renewal);
        if (!b->renewal) return mli_nomem(err);
    }
    int ok = b->score && b->leaf && b->leaf_value && b->leaves && b->leaf_node &&
             b->sums && b->taken && b->whole && b->history && b->gh;
    if (!ok) return mli_nomem(err);
    return mli_boost_start_scores(b, b->train, b->score, err);
}

mli_targets mli_boost_targets(const mli_design *d, const double *weight)
{
    return (mli_targets){.rows = d->rows,
                         .y = d->y,
                         .label = d->label,
                         .weight = weight,
                         .offset = d->offset,
                         .event = d->event,
                         .upper = d->upper,
                         .n_groups = d->n_groups,
                         .group = d->group};
}

ml_status mli_boost_order(mli_booster *b, mli_targets *t, int64_t **own, ml_error *err)
{
    if (b->options.objective.kind != MLI_COX) return ML_OK;
    *own = mli_survival_order(b->ctx, t);
    if (!*own) return mli_nomem(err);
    t->order = *own;
    return ML_OK;
}

ml_status mli_boost_several(mli_booster *b, const mli_design *d, mli_targets *t,
                            double **own, ml_error *err)
{
    int64_t n = b->options.objective.n_targets;
    if (n == 0) return ML_OK;
    *own = mli_alloc_vec(b->ctx, n * d->rows, sizeof **own);
    if (!*own) return mli_nomem(err);
    for (int64_t i = 0; i < d->rows; i++)
        for (int64_t k = 0; k < n; k++) (*own)[k * d->rows + i] = d->ys[i * n + k];
    t->ys = *own;
    return ML_OK;
}

static ml_status set_groups(mli_booster *b, ml_error *err)
{
    const mli_binner *binner = b->binner;
    if (!b->options.groups) return ML_OK;
    b->groups = mli_calloc(b->ctx, (size_t)binner->n_columns + 1, sizeof *b->groups);
    if (!b->groups) return mli_nomem(err);
    for (int32_t c = 0; c < binner->n_used; c++)
        b->groups[c] = b->options.groups[binner->feature[c]];
    b->options.grow.groups = b->groups;
    return ML_OK;
}

static ml_status set_monotone(mli_booster *b, ml_error *err)
{
    const mli_binner *binner = b->binner;
    const int8_t *monotone = b->options.monotone;
    if (!monotone) return ML_OK;
    b->monotone = mli_calloc(b->ctx, (size_t)binner->n_columns + 1, 1);
    if (!b->monotone) return mli_nomem(err);
    for (int32_t c = 0; c < binner->n_used; c++)
        b->monotone[c] = monotone[binner->feature[c]];
    b->options.rule.monotone = b->monotone;
    return ML_OK;
}

/* Constraints are kept per column: features that have one do not share it. */
static ml_status make_binner(mli_booster *b, const mli_bin_levels *from,
                             const mli_bin_order *order, ml_error *err)
{
    const mli_boost_options *o = &b->options;
    mli_bin_options how = {.max_bin = (int32_t)o->max_bin,
                           .min_data = (int32_t)o->min_data_in_bin,
                           .levels = from,
                           .order = order,
                           .bundle = o->bundle && !o->groups && !o->monotone,
                           .sparse = 1};
    return mli_binner_make(b->train, &how, b->run, &b->binner, err);
}

/* Has a category so many levels that ordered statistics stand for it? */
static int has_ordered(const mli_boost_options *o, const mli_design *d)
{
    if (o->ordered_levels < 0 || o->objective.n_classes > 2 || o->objective.n_targets > 0)
        return 0;
    for (int64_t j = 0; j < d->n_features; j++) {
        const mli_feature *f = &d->inputs->features[j];
        if (f->kind == MLI_CATEGORICAL && f->levels.n > o->ordered_levels) return 1;
    }
    return 0;
}

static ml_status prepare(mli_booster *b, ml_error *err)
{
    mli_boost_options *o = &b->options;
    const mli_design *d = b->train;
    mli_bin_levels from = {0};
    mli_bin_order order = {0};
    b->targets = mli_boost_targets(d, b->weight);
    b->n_scores = o->objective.n_scores;
    b->base = mli_calloc(b->ctx, (size_t)b->n_scores, sizeof *b->base);
    if (!b->base) return mli_nomem(err);
    ml_status s = mli_boost_several(b, d, &b->targets, &b->ys, err);
    if (s == ML_OK) s = mli_objective_check(&o->objective, &b->targets, err);
    if (s == ML_OK) s = mli_boost_order(b, &b->targets, &b->own_order, err);
    if (s == ML_OK && !o->objective.hooks->start)
        s = mli_objective_base(b->ctx, &o->objective, &b->targets, b->base, err);
    if (s == ML_OK && o->objective.hooks->start) s = mli_boost_start(b, &from, err);
    if (s == ML_OK && has_ordered(o, d))
        s = mli_bin_order_make(&order, d, d->y, d->label, o->grow.seed, err);
    order.most = o->ordered_levels;
    if (s == ML_OK)
        s = make_binner(b, from.level_start ? &from : NULL, order.row ? &order : NULL,
                        err);
    mli_bin_order_free(b->ctx, &order);
    if (s == ML_OK) s = set_monotone(b, err);
    if (s == ML_OK) s = set_groups(b, err);
    if (s == ML_OK) s = mli_bin_store_make(&b->bins, b->binner, d, 1, b->run, err);
    o->grow.gather = o->linear || mli_objective_renews(&o->objective, 0) > 0;
    if (s == ML_OK)
        s = mli_grower_init(&b->grower, b->ctx, b->run, b->binner, &b->bins, d->rows,
                            &o->grow, err);
    if (s == ML_OK) s = make_arrays(b, err);
    if (s == ML_OK) s = mli_boost_linear_make(b, err);
    if (s == ML_OK) s = mli_boost_watch_make(b, err);
    return s;
}

static ml_status grow_round(mli_booster *b, int64_t round, ml_error *err)
{
    b->rate = b->options.learning_rate;
    ml_status status = b->options.dart ? mli_dart_drop(b, round, err) : ML_OK;
    if (status == ML_OK) status = mli_boost_gradients(b, round, err);
    int alone = b->options.objective.n_targets > 0;
    for (int32_t k = 0; k < b->n_scores && status == ML_OK; k++) {
        mli_split_rule rule;
        /* What columns are drawn by: each of several targets gets those it would alone.
         */
        int64_t n, g, h, number = alone ? round : round * b->n_scores + k;
        status = mli_boost_root(b, k, round, &rule, &n, &g, &h, err);
        b->grower.leaf = b->leaf + k * b->targets.rows;
        if (status == ML_OK) status = mli_grow(&b->grower, n, g, h, number, &rule, err);
        if (status == ML_OK)
            status = mli_boost_harvest(b, k, mli_boost_sampled(&b->sample), err);
    }
    if (status == ML_OK && b->options.dart) status = mli_dart_restore(b, err);
    return status;
}

/* How many rounds without gain are enough. Where many rounds helped, gains are rare and
 * small: a fixed number ends slow learners long before their best. */
static int64_t patience_of(const mli_booster *b)
{
    int64_t share = 3 * b->best_round / 10;
    if (b->options.patience > 0) return b->options.patience;
    return share > 50 ? share : 50;
}

/* Notes the metric; is it time to stop? */
static int judge(mli_booster *b, int64_t round, double metric)
{
    if (!b->valid) return 0;
    b->history[b->n_history++] = metric;
    int better = mli_eval_maximize(&b->options) ? metric > b->best_metric
                                                : metric < b->best_metric;
    if (better || round == 0) {
        b->best_metric = metric;
        b->best_round = round;
    }
    /* Of DART, later rounds change the trees of earlier ones: all are kept. */
    return b->options.patience && !b->options.dart &&
           round - b->best_round >= patience_of(b);
}

static ml_status all_rounds(mli_booster *b, ml_error *err)
{
    int64_t rounds = b->options.rounds;
    b->run->maximize = mli_eval_maximize(&b->options);
    int64_t first = b->start_trees / b->n_scores;
    for (int64_t round = 0; round < rounds; round++) {
        double metric = NAN;
        ml_status status = grow_round(b, first + round, err);
        if (status == ML_OK && b->valid) status = mli_boost_watch_round(b, &metric, err);
        if (status == ML_OK)
            status = mli_run_step(b->run, "trees", round + 1, rounds, metric, err);
        if (status != ML_OK) return status;
        if (judge(b, round, metric) || mli_run_state(b->run) == ML_STOP_KEEP) break;
    }
    if (b->valid && b->options.patience && !b->options.dart)
        mli_ensemble_builder_cut(&b->trees,
                                 b->start_trees + (b->best_round + 1) * b->n_scores);
    return ML_OK;
}

static ml_status too_many_rows(int64_t rows, ml_error *err)
{
    mli_fail(err, ML_E_UNSUPPORTED, "%" PRId64 " rows are more than 2^30", rows);
    return mli_error_hint(err, ML_E_UNSUPPORTED,
                          "take some of them, or fit part after part: training goes on "
                          "from a model");
}

ml_status mli_boost(mli_booster *b, ml_context *ctx, mli_run *run,
                    const mli_boost_options *options, const mli_design *train,
                    const mli_design *valid, const double *weight,
                    const double *valid_weight, ml_error *err)
{
    memset(b, 0, sizeof *b);
    b->ctx = ctx;
    b->run = run;
    b->options = *options;
    b->train = train;
    b->valid = valid;
    b->weight = weight;
    b->valid_weight = valid_weight;
    b->options.objective.kernels = mli_kernels_of(ctx);
    b->options.objective.level = ctx->cpu_level;
    mli_ensemble_builder_init(&b->trees, ctx);
    if (train->rows > INT64_C(1) << 30) return too_many_rows(train->rows, err);
    ml_status status = prepare(b, err);
    return status == ML_OK ? all_rounds(b, err) : status;
}

void mli_booster_free(mli_booster *b)
{
    ml_context *ctx = b->ctx;
    void *blocks[] = {b->base,        b->score,       b->gh_own,          b->leaf,
                      b->leaf_value,  b->leaves,      b->leaf_node,       b->sums,
                      b->taken,       b->whole,       b->renewal,         b->history,
                      b->watch.score, b->watch.parts, b->monotone,        b->own_order,
                      b->dropped,     b->groups,      b->watch.own_order, b->ys,
                      b->watch.ys,    b->drawn,       b->factor};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) mli_free(ctx, blocks[i]);
    mli_boost_sample_free(b, &b->sample);
    mli_boost_linear_free(b);
    if (b->grower.ctx) mli_grower_free(&b->grower);
    mli_bin_store_free(ctx, &b->bins);
    mli_bin_store_free(ctx, &b->watch.bins);
    mli_binner_free(b->binner);
    mli_ensemble_builder_free(&b->trees);
}
