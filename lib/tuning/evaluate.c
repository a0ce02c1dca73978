/* SPDX-License-Identifier: MIT
 *
 * evaluate.c: ml_model_evaluate: metrics of a model on a table, with intervals.
 */
#include "core/text.h"
#include "tuning/bootstrap.h"

#include <math.h>
#include <string.h>

#define MAX_METRICS 32

/* Predictions by need, made once for all metrics. */
typedef struct evaluation {
    ml_context *ctx;
    const ml_model *model;
    const mli_design *design;
    double *predictions[MLI_NEEDS_COUNT]; /* by MLI_NEEDS_ */
    int64_t count;
    mli_judged judged[MAX_METRICS];
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

/* Sorts the rows by each class's probability, once for all metrics. With many classes
 * that would be much memory, and each metric sorts for itself. */
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
    st = mli_metric_score(m, e->ctx, &truth, p, &options, &e->judged[i].value, err);
    /* Among the usual metrics, those that these rows do not define are left out. */
    if (st == ML_E_DATA && !strict) return ML_OK;
    if (st == ML_OK) e->judged[e->count++].metric = m;
    return st;
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
    mli_fail(err, ML_E_DATA, "the rows (%lld) define none of the usual metrics (%s)",
             (long long)e->design->rows, list);
    return mli_error_hint(err, ML_E_DATA, "score more rows, or name metrics");
}

static ml_status intervals(evaluation *e, ml_error *err)
{
    mli_truth truth = mli_truth_of(e->design);
    truth.order = e->order;
    mli_metric_options options = mli_metric_options_of(e->model->params);
    return mli_bootstrap(e->ctx, &truth, e->predictions, &options, e->judged, e->count,
                         err);
}

static ml_status evaluation_table(const evaluation *e, ml_table **out, ml_error *err)
{
    static const char *const columns[] = {"value", "low", "high"};
    const char *names[MAX_METRICS];
    double values[3][MAX_METRICS];
    mli_builder *b = NULL;
    for (int64_t i = 0; i < e->count; i++) {
        const mli_judged *j = &e->judged[i];
        names[i] = j->metric->head.name + sizeof "metric." - 1;
        values[0][i] = j->value;
        values[1][i] = j->low;
        values[2][i] = j->high;
    }
    ml_status st = mli_builder_new(e->ctx, e->count, &b, err);
    if (st < 0) return st;
    st = mli_builder_text(b, "metric", names, err);
    for (int k = 0; k < 3 && st == ML_OK; k++)
        st = mli_builder_f64(b, columns[k], values[k], err);
    if (st == ML_OK) return mli_builder_finish(b, out, err);
    mli_builder_free(b);
    return st;
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
    if (st == ML_OK) st = intervals(e, error);
    if (st == ML_OK) st = evaluation_table(e, out, error);
    evaluation_free(e);
    mli_design_free(design);
    return st;
}
