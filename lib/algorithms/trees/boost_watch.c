/* SPDX-License-Identifier: MIT
 *
 * trees/boost_watch.c: scoring validation rows after each round.
 */
#include "algorithms/trees/boost.h"
#include "algorithms/trees/walk.h"
#include <math.h>
#include <stdlib.h>

typedef struct watching {
    mli_booster *b;
    mli_walk *walk; /* [n_scores] */
} watching;

int mli_eval_maximize(const mli_boost_options *o)
{
    switch (o->metric) {
    case MLI_EVAL_AUC:
    case MLI_EVAL_NDCG:
    case MLI_EVAL_MAP:
    case MLI_EVAL_CONCORDANCE:
        return 1;
    case MLI_EVAL_CUSTOM:
        return o->objective.hooks->maximize;
    case MLI_EVAL_CATALOG:
        return o->catalog->maximize;
    default:
        return 0;
    }
}

ml_status mli_boost_watch_make(mli_booster *b, ml_error *err)
{
    mli_boost_watch *w = &b->watch;
    const mli_design *d = b->valid;
    if (!d) return ML_OK;
    w->targets = mli_boost_targets(d, b->valid_weight);
    ml_status status = mli_boost_several(b, d, &w->targets, &w->ys, err);
    if (status == ML_OK)
        status = mli_objective_check(&b->options.objective, &w->targets, err);
    if (status == ML_OK) status = mli_boost_order(b, &w->targets, &w->own_order, err);
    if (status == ML_OK)
        status = mli_bin_store_make(&w->bins, b->binner, d, 0, b->run, err);
    if (status != ML_OK) return status;
    int64_t blocks = mli_task_count(d->rows, MLI_BOOST_BLOCK);
    w->score = mli_alloc_vec(b->ctx, b->n_scores * d->rows, sizeof *w->score);
    w->parts = mli_calloc(b->ctx, 2 * (size_t)blocks, sizeof *w->parts);
    if (!w->score || !w->parts) return mli_nomem(err);
    return mli_boost_start_scores(b, d, w->score, err);
}

static double row_error(const mli_booster *b, int64_t i)
{
    const mli_boost_watch *w = &b->watch;
    int64_t rows = w->targets.rows;
    if (b->n_scores == 1) return (w->score[i] > 0) != (w->targets.label[i] == 1);
    int32_t best = 0;
    for (int32_t k = 1; k < b->n_scores; k++)
        if (w->score[k * rows + i] > w->score[best * rows + i]) best = k;
    return best != w->targets.label[i];
}

static double row_value(const mli_booster *b, int64_t i)
{
    double out[1];
    mli_objective_value(&b->options.objective, &b->watch.score[i], out);
    return out[0] - b->watch.targets.y[i];
}

static void sum_rows(mli_booster *b, int64_t begin, int64_t end, double *sums)
{
    mli_boost_watch *w = &b->watch;
    int32_t metric = b->options.metric;
    if (metric == MLI_EVAL_LOSS && b->options.objective.kind != MLI_COX) {
        mli_objective_loss(&b->options.objective, &w->targets, begin, end, w->score,
                           w->targets.rows, &sums[0], &sums[1]);
        return;
    }
    sums[0] = sums[1] = 0;
    for (int64_t i = begin; i < end; i++) {
        double weight = w->targets.weight ? w->targets.weight[i] : 1, v = 0;
        if (metric == MLI_EVAL_ERROR) v = row_error(b, i);
        if (metric == MLI_EVAL_RMSE) v = row_value(b, i) * row_value(b, i);
        if (metric == MLI_EVAL_MAE) v = fabs(row_value(b, i));
        sums[0] += weight * v;
        sums[1] += weight;
    }
}

static void add_linear(mli_booster *b, int32_t k, const mli_walk *walk, int32_t slot,
                       int64_t begin, int64_t end)
{
    uint16_t *leaf = b->linear.valid_leaf;
    double *score = b->watch.score + k * b->watch.targets.rows;
    mli_walk_leaves(walk, &b->watch.bins, slot, begin, end, leaf);
    for (int64_t i = begin; i < end; i++)
        score[i] += mli_boost_linear_value(b, k, leaf[i], &b->linear.valid, i);
}

static void watch_task(void *arg, int64_t task, int32_t slot)
{
    watching *a = arg;
    mli_booster *b = a->b;
    if (mli_run_state(b->run) == ML_CANCEL) return;
    int64_t rows = b->watch.targets.rows, begin = task * MLI_BOOST_BLOCK;
    int64_t end = begin + MLI_BOOST_BLOCK < rows ? begin + MLI_BOOST_BLOCK : rows;
    for (int32_t k = 0; k < b->n_scores; k++) {
        if (b->linear.on)
            add_linear(b, k, &a->walk[k], slot, begin, end);
        else
            mli_walk_add(&a->walk[k], &b->watch.bins, slot, begin, end,
                         b->watch.score + k * rows);
    }
    sum_rows(b, begin, end, b->watch.parts + 2 * task);
}

typedef struct ranked {
    double score, weight;
    int32_t positive;
} ranked;

static int by_score(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return (x->score > y->score) - (x->score < y->score);
}

/* Area under the ROC curve, ties counted half; NaN without memory or with one class. */
static double auc(const mli_booster *b)
{
    const mli_targets *t = &b->watch.targets;
    ranked *r = mli_calloc(b->ctx, (size_t)t->rows, sizeof *r);
    if (!r) return NAN;
    for (int64_t i = 0; i < t->rows; i++)
        r[i] =
            (ranked){b->watch.score[i], t->weight ? t->weight[i] : 1, t->label[i] == 1};
    qsort(r, (size_t)t->rows, sizeof *r, by_score);
    double below = 0, positives = 0, area = 0;
    for (int64_t i = 0; i < t->rows;) {
        double pos = 0, neg = 0, score = r[i].score;
        for (; i < t->rows && r[i].score == score; i++)
            *(r[i].positive ? &pos : &neg) += r[i].weight;
        area += pos * (below + neg / 2);
        below += neg;
        positives += pos;
    }
    mli_free(b->ctx, r);
    return positives > 0 && below > 0 ? area / (positives * below) : NAN;
}

/* What a metric of the catalog needs: values, classes or probabilities. */
static void predict_rows(const mli_booster *b, int32_t needs, double *scratch,
                         double *out)
{
    const mli_boost_watch *w = &b->watch;
    const mli_objective *o = &b->options.objective;
    int64_t rows = w->targets.rows, n = mli_objective_outputs(o);
    double *score = scratch, *value = scratch + b->n_scores;
    for (int64_t i = 0; i < rows; i++) {
        for (int32_t k = 0; k < b->n_scores; k++) score[k] = w->score[k * rows + i];
        double *to = needs == MLI_NEEDS_CLASS ? value : out + i * n;
        mli_objective_value(o, score, to);
        if (needs != MLI_NEEDS_CLASS) continue;
        int64_t best = 0;
        for (int64_t k = 1; k < n; k++)
            if (value[k] > value[best]) best = k;
        out[i] = (double)best;
    }
}

static ml_status from_catalog(const mli_booster *b, double *out, ml_error *err)
{
    const mli_targets *t = &b->watch.targets;
    const mli_boost_options *o = &b->options;
    mli_truth truth = {.n = t->rows,
                       .y = t->y,
                       .ys = o->objective.n_targets ? b->valid->ys : NULL,
                       .n_targets = o->objective.n_targets,
                       .label = t->label,
                       .weight = t->weight,
                       .n_classes = o->objective.n_classes};
    int64_t n = mli_objective_outputs(&o->objective), more = n + b->n_scores;
    double *p = mli_alloc_vec(b->ctx, t->rows * n + more, sizeof *p);
    if (!p) return mli_nomem(err);
    predict_rows(b, o->catalog->needs, p + t->rows * n, p);
    ml_status status =
        mli_metric_score(o->catalog, b->ctx, &truth, p, &o->judged, out, err);
    mli_free(b->ctx, p);
    return status;
}

/* Of times: the shorter one has the higher risk. */
static double concordance(const mli_booster *b)
{
    const mli_targets *t = &b->watch.targets;
    double *risk = mli_alloc_vec(b->ctx, t->rows, sizeof *risk);
    double sign = b->options.objective.kind == MLI_COX ? 1 : -1;
    if (!risk) return NAN;
    for (int64_t i = 0; i < t->rows; i++) risk[i] = sign * b->watch.score[i];
    double value = mli_concordance(b->ctx, t, risk);
    mli_free(b->ctx, risk);
    return value;
}

static double sum_of_parts(const mli_booster *b)
{
    double sum = 0, weight = 0;
    int64_t blocks = mli_task_count(b->watch.targets.rows, MLI_BOOST_BLOCK);
    for (int64_t t = 0; t < blocks; t++) {
        sum += b->watch.parts[2 * t];
        weight += b->watch.parts[2 * t + 1];
    }
    double mean = weight > 0 ? sum / weight : NAN;
    return b->options.metric == MLI_EVAL_RMSE ? sqrt(mean) : mean;
}

static ml_status metric_of(const mli_booster *b, double *out, ml_error *err)
{
    const mli_boost_watch *w = &b->watch;
    const mli_boost_options *o = &b->options;
    switch (o->metric) {
    case MLI_EVAL_AUC:
        *out = auc(b);
        return ML_OK;
    case MLI_EVAL_NDCG:
    case MLI_EVAL_MAP:
        *out = mli_rank_metric(b->ctx, &w->targets, w->score, o->metric == MLI_EVAL_MAP,
                               o->metric_at);
        return ML_OK;
    case MLI_EVAL_CONCORDANCE:
        *out = concordance(b);
        return ML_OK;
    case MLI_EVAL_CUSTOM:
        return mli_custom_metric(b->ctx, &o->objective, &w->targets, w->score, out, err);
    case MLI_EVAL_CATALOG:
        return from_catalog(b, out, err);
    default:
        break;
    }
    if (o->metric == MLI_EVAL_LOSS && o->objective.kind == MLI_COX)
        *out = mli_cox_loss(&w->targets, w->score);
    else
        *out = sum_of_parts(b);
    return ML_OK;
}

ml_status mli_boost_watch_round(mli_booster *b, double *metric, ml_error *err)
{
    watching a = {.b = b};
    a.walk = mli_calloc(b->ctx, (size_t)b->n_scores, sizeof *a.walk);
    ml_status status = a.walk ? ML_OK : mli_nomem(err);
    for (int32_t k = 0; k < b->n_scores && status == ML_OK; k++)
        status = mli_walk_make(&a.walk[k], b->ctx, b->binner, &b->trees,
                               b->trees.n_trees - b->n_scores + k, err);
    if (status == ML_OK) {
        mli_parallel(b->ctx, mli_task_count(b->watch.targets.rows, MLI_BOOST_BLOCK),
                     watch_task, &a);
        status = mli_run_check(b->run, err);
    }
    if (status == ML_OK) status = metric_of(b, metric, err);
    for (int32_t k = 0; a.walk && k < b->n_scores; k++) mli_walk_free(&a.walk[k]);
    mli_free(b->ctx, a.walk);
    return status;
}
