/* SPDX-License-Identifier: MIT
 *
 * evaluate.c: ml_model_evaluate: metrics of a model on a table, with 95 % intervals by
 * the bootstrap (Efron, Tibshirani, "An introduction to the bootstrap", 1993).
 *
 * Few rows: samples are drawn, and the interval is that of the percentiles. Many rows: a
 * row is in a sample as often as a Poisson variable of mean 1 says, which needs no draw
 * with a random address (Chamandy and others, "Estimating uncertainty for massive data
 * streams", 2012); fewer samples are enough then, since metrics are nearly normal, and
 * the interval comes from their standard deviation.
 */
#include "core/parallel.h"
#include "core/rng.h"
#include "core/text.h"
#include "tuning/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BOOTSTRAP_ROWS 8000000 /* drawn in all, about: bounds the time */
#define BOOTSTRAP_MAX  400
#define BOOTSTRAP_MIN  40
#define MANY_ROWS      20000 /* groups, where there are groups */
#define MAX_METRICS    32

typedef struct bootstrap {
    ml_context *ctx;
    const mli_metric *metric;
    mli_metric_options options;
    const mli_truth *truth;
    const double *prediction;
    int64_t replicates;
    double *values; /* [replicates], NaN where the metric is not defined */
    atomic_int nomem;
} bootstrap;

/* Of 256 equally likely bytes, how many are at least k + 1 of a Poisson variable of mean
 * 1: mean 1.004, variance 1.004. */
static const uint8_t poisson_below[] = {94, 188, 235, 251, 255};

static int poisson_of(uint32_t byte)
{
    int count = 0;
    for (size_t k = 0; k < sizeof poisson_below; k++) count += byte >= poisson_below[k];
    return count;
}

/* A row (or group) of the sample, `times` times. */
static void add_unit(const mli_truth *t, int64_t unit, int times, double *weight)
{
    int64_t begin = unit, end = unit + 1;
    if (t->group) {
        begin = t->group[unit];
        end = t->group[unit + 1];
    }
    for (int64_t r = begin; r < end; r++) weight[r] += times * mli_truth_weight(t, r);
}

/* The weights of a sample: how often each row is in it, times its own. */
static void draw_sample(const mli_truth *t, uint64_t task, double *weight)
{
    mli_rng rng;
    mli_rng_init(&rng, 0, task, 0x626f6f74 /* "boot" */);
    int64_t units = t->group ? t->n_groups : t->n; /* groups are drawn whole */
    if (units < MANY_ROWS) {
        for (int64_t i = 0; i < units; i++)
            add_unit(t, mli_rng_below(&rng, units), 1, weight);
        return;
    }
    uint32_t bits = 0;
    for (int64_t i = 0; i < units; i++, bits >>= 8) {
        if (i % 4 == 0) bits = mli_rng_u32(&rng);
        int times = poisson_of(bits & 255);
        if (times) add_unit(t, i, times, weight);
    }
}

static void bootstrap_task(void *arg, int64_t task, int32_t slot)
{
    (void)slot;
    bootstrap *b = arg;
    int64_t n = b->truth->n;
    b->values[task] = NAN;
    double *weight = mli_calloc(b->ctx, (size_t)n, sizeof *weight);
    if (!weight) {
        atomic_store(&b->nomem, 1);
        return;
    }
    draw_sample(b->truth, (uint64_t)task, weight);
    mli_truth sample = *b->truth;
    sample.weight = weight;
    double value;
    if (mli_metric_score(b->metric, b->ctx, &sample, b->prediction, &b->options, &value,
                         NULL) == ML_OK)
        b->values[task] = value;
    mli_free(b->ctx, weight);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The interval about a value with the standard deviation of its replicates, within their
 * range: metrics have bounds. */
static void normal(const double *values, int64_t n, double value, double *low,
                   double *high)
{
    double mean = 0, squares = 0, least = value, most = value;
    for (int64_t i = 0; i < n; i++) {
        mean += values[i] / (double)n;
        least = fmin(least, values[i]);
        most = fmax(most, values[i]);
    }
    for (int64_t i = 0; i < n; i++) squares += (values[i] - mean) * (values[i] - mean);
    double half = 1.959963984540054 * sqrt(squares / (double)(n - 1));
    *low = fmax(value - half, least);
    *high = fmin(value + half, most);
}

/* The 2.5 % and 97.5 % points of the replicates that are defined; of few (which is, of
 * many rows) the interval of a normal variable. */
static void percentiles(double *values, int64_t n, double value, double *low,
                        double *high)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(values[i])) values[kept++] = values[i];
    *low = *high = NAN;
    if (kept < BOOTSTRAP_MIN / 2) return;
    if (n < BOOTSTRAP_MAX) {
        normal(values, kept, value, low, high);
        return;
    }
    qsort(values, (size_t)kept, sizeof *values, ascending);
    *low = values[(int64_t)(0.025 * (double)(kept - 1) + 0.5)];
    *high = values[(int64_t)(0.975 * (double)(kept - 1) + 0.5)];
}

static ml_status replicate(ml_context *ctx, const mli_metric *metric,
                           const mli_metric_options *options, const mli_truth *truth,
                           const double *prediction, double value, double *low,
                           double *high, ml_error *err)
{
    int64_t replicates = BOOTSTRAP_ROWS / (truth->n + 1);
    if (replicates > BOOTSTRAP_MAX) replicates = BOOTSTRAP_MAX;
    *low = *high = NAN;
    if (replicates < BOOTSTRAP_MIN) replicates = BOOTSTRAP_MIN;
    bootstrap b = {.ctx = ctx,
                   .metric = metric,
                   .options = *options,
                   .truth = truth,
                   .prediction = prediction,
                   .replicates = replicates};
    atomic_init(&b.nomem, 0);
    b.values = mli_alloc_vec(ctx, replicates, sizeof *b.values);
    if (!b.values) return mli_nomem(err);
    mli_parallel(ctx, replicates, bootstrap_task, &b);
    if (!atomic_load(&b.nomem)) percentiles(b.values, replicates, value, low, high);
    mli_free(ctx, b.values);
    return atomic_load(&b.nomem) ? mli_nomem(err) : ML_OK;
}

/* The rows of two classes by falling probability, so that the replicates of metrics of
 * rankings read memory in order. */
typedef struct sorted {
    int64_t *identity;
    int32_t *label;
    double *weight, *proba;
} sorted;

static void sorted_free(ml_context *ctx, sorted *s)
{
    mli_free(ctx, s->identity);
    mli_free(ctx, s->label);
    mli_free(ctx, s->weight);
    mli_free(ctx, s->proba);
}

static ml_status sort_rows(ml_context *ctx, mli_truth *t, const double **p, sorted *s,
                           ml_error *err)
{
    const int64_t *order = t->order[1];
    s->identity = mli_alloc_vec(ctx, t->n, sizeof *s->identity);
    s->label = mli_alloc_vec(ctx, t->n, sizeof *s->label);
    s->weight = mli_alloc_vec(ctx, t->n, sizeof *s->weight);
    s->proba = mli_alloc_vec(ctx, t->n, 2 * sizeof *s->proba);
    if (!s->identity || !s->label || !s->weight || !s->proba) return mli_nomem(err);
    for (int64_t i = 0; i < t->n; i++) {
        int64_t r = order[i];
        s->identity[i] = i;
        s->label[i] = t->label[r];
        s->weight[i] = mli_truth_weight(t, r);
        memcpy(s->proba + 2 * i, *p + 2 * r, 2 * sizeof **p);
    }
    t->label = s->label;
    t->weight = s->weight;
    *p = s->proba;
    return ML_OK;
}

static ml_status interval(ml_context *ctx, const mli_metric *metric,
                          const mli_metric_options *options, const mli_truth *given,
                          const double *prediction, double value, double *low,
                          double *high, ml_error *err)
{
    sorted s = {0};
    int64_t *orders[2] = {0};
    mli_truth copy = *given, *truth = &copy;
    if (truth->order && truth->n_classes == 2 && !truth->group) {
        ml_status st = sort_rows(ctx, truth, &prediction, &s, err);
        orders[1] = s.identity;
        truth->order = orders;
        if (!st)
            st =
                replicate(ctx, metric, options, truth, prediction, value, low, high, err);
        sorted_free(ctx, &s);
        return st;
    }
    return replicate(ctx, metric, options, truth, prediction, value, low, high, err);
}

/* Predictions by need, made once for all metrics. */
typedef struct evaluation {
    ml_context *ctx;
    const ml_model *model;
    const mli_design *design;
    double *predictions[MLI_NEEDS_COUNT]; /* by MLI_NEEDS_ */
    int64_t count;
    const char *names[MAX_METRICS];
    double value[MAX_METRICS], low[MAX_METRICS], high[MAX_METRICS];
    int64_t **order; /* [n_classes], made with the first probabilities */
} evaluation;

static void evaluation_free(evaluation *e)
{
    for (int i = 0; i < MLI_NEEDS_COUNT; i++) mli_free(e->ctx, e->predictions[i]);
    for (int64_t k = 0; e->order && k < e->design->inputs->classes.n; k++)
        mli_free(e->ctx, e->order[k]);
    mli_free(e->ctx, e->order);
    mli_free(e->ctx, e);
}

/* Sorts the rows by each class's probability, once for all samples. With many classes
 * that would be much memory, and each sample sorts for itself. */
static ml_status evaluation_order(evaluation *e, const mli_truth *truth, const double *p,
                                  ml_error *err)
{
    int64_t k = truth->n_classes;
    if (e->order || k > 16) return ML_OK;
    e->order = mli_calloc(e->ctx, (size_t)k, sizeof *e->order);
    if (!e->order) return mli_nomem(err);
    for (int64_t c = k == 2 ? 1 : 0; c < k; c++)
        if (!(e->order[c] = mli_rank_rows(e->ctx, truth, p, c))) return mli_nomem(err);
    return ML_OK;
}

static ml_status evaluate_one(evaluation *e, const char *name, int strict, ml_error *err)
{
    const mli_metric *m;
    ml_status st = mli_metric_find(name, &m, err);
    if (st < 0) return st;
    if (e->count == MAX_METRICS)
        return mli_fail(err, ML_E_RANGE, "more than %d metrics", MAX_METRICS);
    if (!e->predictions[m->needs]) {
        st = mli_metric_predict(m, e->model, e->design, NULL, &e->predictions[m->needs],
                                err);
        if (st < 0) return st;
    }
    mli_truth truth = mli_truth_of(e->design);
    mli_metric_options options = mli_metric_options_of(e->model->params);
    const double *p = e->predictions[m->needs];
    int64_t i = e->count;
    if (m->needs == MLI_NEEDS_PROBA) {
        st = evaluation_order(e, &truth, p, err);
        if (st < 0) return st;
        truth.order = e->order;
    }
    st = mli_metric_score(m, e->ctx, &truth, p, &options, &e->value[i], err);
    /* Among the usual metrics, those that these rows do not define are left out. */
    if (st == ML_E_DATA && !strict) return ML_OK;
    if (st < 0) return st;
    e->names[i] = m->head.name + sizeof "metric." - 1;
    e->count++;
    return interval(e->ctx, m, &options, &truth, p, e->value[i], &e->low[i], &e->high[i],
                    err);
}

static ml_status evaluate_list(evaluation *e, const char *list, int strict, ml_error *err)
{
    for (const char *p = list; *p;) {
        p += strspn(p, ", ");
        size_t n = strcspn(p, ", ");
        if (n == 0) break;
        char name[64];
        if (n >= sizeof name) n = sizeof name - 1;
        memcpy(name, p, n);
        name[n] = 0;
        p += strcspn(p, ", ");
        ml_status st = evaluate_one(e, name, strict, err);
        if (st < 0) return st;
    }
    if (e->count > 0) return ML_OK;
    if (strict) return mli_fail(err, ML_E_ARGUMENT, "no metric is named");
    mli_fail(err, ML_E_DATA, "these %lld rows define none of the usual metrics (%s)",
             (long long)e->design->rows, list);
    return mli_error_hint(err, ML_E_DATA, "score more rows, or name metrics");
}

static ml_status evaluation_table(const evaluation *e, ml_table **out, ml_error *err)
{
    mli_builder *b = NULL;
    ml_status st = mli_builder_new(e->ctx, e->count, &b, err);
    if (st < 0) return st;
    if ((st = mli_builder_text(b, "metric", e->names, err)) < 0 ||
        (st = mli_builder_f64(b, "value", e->value, err)) < 0 ||
        (st = mli_builder_f64(b, "low", e->low, err)) < 0 ||
        (st = mli_builder_f64(b, "high", e->high, err)) < 0) {
        mli_builder_free(b);
        return st;
    }
    return mli_builder_finish(b, out, err);
}

ml_status ml_model_evaluate(const ml_model *model, const ml_table *table,
                            const char *metrics, ml_table **out, ml_error *error)
{
    if (!model) return mli_null(error, "model");
    if (!table) return mli_null(error, "table");
    if (!out) return mli_null(error, "out");
    mli_design *design = NULL;
    ml_status st = mli_design_apply(model->inputs, table, 1, &design, error);
    if (st < 0) return st;
    evaluation *e = mli_calloc(model->ctx, 1, sizeof *e);
    if (!e) {
        mli_design_free(design);
        return mli_nomem(error);
    }
    e->ctx = model->ctx;
    e->model = model;
    e->design = design;
    if (design->rows == 0) {
        st = mli_fail(error, ML_E_DATA, "there are no rows with a target to score");
    } else {
        st = evaluate_list(
            e, metrics ? metrics : mli_metric_usual(model->inputs, model->params),
            metrics != NULL, error);
    }
    if (st == ML_OK) st = evaluation_table(e, out, error);
    evaluation_free(e);
    mli_design_free(design);
    return st;
}
