/* SPDX-License-Identifier: MIT
 *
 * explain_permute.c: permutation importance (Breiman, "Random forests", 2001; Fisher,
 * Rudin, Dominici 2019): how much worse a metric gets when the values of a column are
 * dealt out anew among the rows. A row per column: the mean over the repeats, their
 * standard deviation, least and most. Above 0 the column is of use.
 */
#include "core/rng.h"
#include "tuning/explain.h"
#include "tuning/metrics.h"

#include <math.h>

typedef struct permuting {
    const mli_explain *x;
    const mli_metric *metric;
    mli_design *design;
    mli_plan *plan;
    int64_t repeats;
    double base;
    double *prediction, *column;
    int64_t *order;
    double *mean, *deviation, *low, *high; /* [x->n] */
} permuting;

static ml_status score(const permuting *p, double *out, ml_error *err)
{
    mli_truth truth = mli_truth_of(p->design);
    mli_metric_risks(p->metric, p->x->model, p->prediction, p->design->rows);
    mli_metric_options options = mli_metric_options_of(p->x->model->params);
    return mli_metric_score(p->metric, p->x->ctx, &truth, p->prediction, &options, out,
                            err);
}

static ml_status one_column(permuting *p, int64_t i, ml_error *err)
{
    int64_t rows = p->design->rows, feature = p->x->feature[i];
    double sum = 0, squares = 0;
    mli_replaced with = {.feature = feature, .column = p->column, .order = p->order};
    mli_design_f64(p->design, feature, 0, rows, p->column, 1);
    p->low[i] = INFINITY;
    p->high[i] = -INFINITY;
    for (int64_t r = 0; r < p->repeats; r++) {
        double value = 0;
        mli_rng rng;
        mli_rng_init(&rng, (uint64_t)mli_get_i64(p->x->params, "seed"),
                     0x7065726d /* "perm" */ + (uint64_t)feature, (uint64_t)r);
        for (int64_t k = 0; k < rows; k++) p->order[k] = k;
        mli_rng_shuffle(&rng, p->order, rows);
        ml_status s = mli_explain_predict(p->plan, p->design, &with, p->prediction, err);
        if (s == ML_OK) s = score(p, &value, err);
        if (s != ML_OK) return s;
        double drop = p->metric->maximize ? p->base - value : value - p->base;
        sum += drop;
        squares += drop * drop;
        p->low[i] = fmin(p->low[i], drop);
        p->high[i] = fmax(p->high[i], drop);
    }
    double n = (double)p->repeats;
    p->mean[i] = sum / n;
    p->deviation[i] = sqrt(fmax(0, squares / n - p->mean[i] * p->mean[i]));
    return ML_OK;
}

static ml_status open_plan(permuting *p, ml_error *err)
{
    const ml_model *m = p->x->model;
    const char *name = mli_get_str(p->x->params, "metric");
    if (!*name) name = mli_metric_default(m->inputs, m->params);
    ml_status s = mli_metric_find(name, &p->metric, err);
    if (s == ML_OK) s = mli_metric_fits(p->metric, m->inputs, err);
    if (s == ML_OK) s = mli_design_apply(m->inputs, p->x->table, 1, &p->design, err);
    if (s != ML_OK) return s;
    if (p->design->rows == 0)
        return mli_fail(err, ML_E_DATA, "there are no rows with a target to score");
    return mli_plan_new(m, mli_metric_kind(p->metric), NULL, &p->plan, err);
}

static ml_status permute(permuting *p, ml_error *err)
{
    ml_context *ctx = p->x->ctx;
    int64_t rows = p->design->rows, n = p->x->n + 1;
    p->repeats = mli_get_i64(p->x->params, "repeats");
    p->prediction = mli_alloc_vec(ctx, rows * p->plan->n_outputs, sizeof *p->prediction);
    p->column = mli_alloc_vec(ctx, rows, sizeof *p->column);
    p->order = mli_alloc_vec(ctx, rows, sizeof *p->order);
    p->mean = mli_alloc_vec(ctx, 4 * n, sizeof *p->mean);
    if (!p->prediction || !p->column || !p->order || !p->mean) return mli_nomem(err);
    p->deviation = p->mean + n;
    p->low = p->deviation + n;
    p->high = p->low + n;
    ml_status s = mli_plan_run_design(p->plan, p->design, NULL, p->prediction, err);
    if (s == ML_OK) s = score(p, &p->base, err);
    for (int64_t i = 0; s == ML_OK && i < p->x->n; i++) s = one_column(p, i, err);
    return s;
}

static ml_status write(const permuting *p, ml_table **out, ml_error *err)
{
    const mli_explain *x = p->x;
    mli_builder *b = NULL;
    const char **names = mli_calloc(x->ctx, (size_t)x->n + 1, sizeof *names);
    if (!names) return mli_nomem(err);
    for (int64_t i = 0; i < x->n; i++)
        names[i] = ml_model_input_name(x->model, x->feature[i]);
    ml_status s = mli_builder_new(x->ctx, x->n, &b, err);
    if (s == ML_OK) s = mli_builder_text(b, "feature", names, err);
    if (s == ML_OK) s = mli_builder_f64(b, "importance", p->mean, err);
    if (s == ML_OK) s = mli_builder_f64(b, "deviation", p->deviation, err);
    if (s == ML_OK) s = mli_builder_f64(b, "least", p->low, err);
    if (s == ML_OK) s = mli_builder_f64(b, "most", p->high, err);
    mli_free(x->ctx, names);
    if (s == ML_OK) return mli_builder_finish(b, out, err);
    mli_builder_free(b);
    return s;
}

ml_status mli_explain_permutation(const mli_explain *x, ml_table **out, ml_error *err)
{
    permuting p = {.x = x};
    ml_status s = open_plan(&p, err);
    if (s == ML_OK) s = permute(&p, err);
    if (s == ML_OK) s = write(&p, out, err);
    mli_free(x->ctx, p.prediction);
    mli_free(x->ctx, p.column);
    mli_free(x->ctx, p.order);
    mli_free(x->ctx, p.mean);
    mli_plan_free(p.plan);
    mli_design_free(p.design);
    return s;
}
