/* SPDX-License-Identifier: MIT
 *
 * metrics.c: the usual metrics of a task, scoring models, and the public call.
 */
#include "tuning/metrics.h"

#include "core/text.h"

#include <math.h>
#include <ml/study.h>
#include <string.h>

#define PREFIX (sizeof "metric." - 1)

static const mli_param metric_params[] = {
    {"average", NULL, ML_PARAM_STR, 0, "auto", "{auto, binary, macro, micro, weighted}",
     NULL, NULL,
     "How f1, precision and recall combine classes. auto: class 1 of two classes, else "
     "the "
     "plain mean (macro). micro: all rows together. weighted: mean weighted by class "
     "size.",
     "0.1"},
    {"quantile", "alpha", ML_PARAM_F64, 0, "0.5", "(0, 1)", NULL, NULL,
     "The quantile that pinball judges.", "0.1"},
    {"power", "tweedie_power,tweedie_variance_power", ML_PARAM_F64, 0, "1.5", "(1, 2)",
     NULL, NULL, "How the variance grows with the mean, for tweedie_deviance.", "0.1"},
    MLI_PARAM_END};

const mli_descriptor mli_options_metric = {
    .name = "options.metric",
    .title = "options of metrics",
    .doc = "Options of ml_metric_score.",
    .family = "options",
    .since = "0.1",
    .sort = MLI_SORT_OPTIONS,
    .params = metric_params,
};

/* Objectives that have a metric of their own, by which the usual errors mislead. */
static const struct {
    const char *objective, *metric, *usual;
} own_metrics[] = {
    {"absolute", "mae", "mae,rmse,r2"},
    {"quantile", "pinball", "pinball,mae,rmse"},
    {"poisson", "poisson_deviance", "poisson_deviance,rmse,mae,r2"},
    {"gamma", "gamma_deviance", "gamma_deviance,rmse,mae,r2"},
    {"tweedie", "tweedie_deviance", "tweedie_deviance,rmse,mae,r2"},
};

static int own_metric(const ml_params *params)
{
    const char *objective = mli_metric_objective(params, NULL);
    int n = (int)(sizeof own_metrics / sizeof *own_metrics);
    for (int i = 0; i < n; i++)
        if (strcmp(objective, own_metrics[i].objective) == 0) return i;
    return -1;
}

const char *mli_metric_default(const mli_inputs *inputs, const ml_params *params)
{
    int own = own_metric(params);
    if (inputs->task == MLI_TASK_RANKING) return "ndcg";
    if (inputs->task == MLI_TASK_SURVIVAL) return "concordance";
    if (inputs->task != MLI_TASK_CLASSIFICATION)
        return own >= 0 ? own_metrics[own].metric : "rmse";
    return inputs->classes.n == 2 ? "roc_auc" : "log_loss";
}

const char *mli_metric_usual(const mli_inputs *inputs, const ml_params *params)
{
    int own = own_metric(params);
    if (inputs->task == MLI_TASK_RANKING) return "ndcg,map";
    if (inputs->task == MLI_TASK_SURVIVAL) return "concordance";
    if (inputs->task != MLI_TASK_CLASSIFICATION)
        return own >= 0 ? own_metrics[own].usual : "rmse,mae,r2";
    if (inputs->classes.n == 2)
        return "roc_auc,pr_auc,log_loss,brier,accuracy,balanced_accuracy,f1,mcc";
    return "log_loss,accuracy,balanced_accuracy,f1,mcc,roc_auc";
}

ml_status mli_metric_fits(const mli_metric *metric, const mli_inputs *inputs,
                          ml_error *err)
{
    if (metric->head.tasks & (uint32_t)inputs->task) return ML_OK;
    if (inputs->task == MLI_TASK_TRANSFORM)
        return mli_fail(err, ML_E_UNSUPPORTED, "the model predicts no target to score");
    const char *task = inputs->task == MLI_TASK_CLASSIFICATION ? "classification"
                       : inputs->task == MLI_TASK_RANKING      ? "ranking"
                       : inputs->task == MLI_TASK_SURVIVAL     ? "survival"
                                                               : "regression";
    mli_fail(err, ML_E_UNSUPPORTED, "metric %s does not suit %s",
             metric->head.name + PREFIX, task);
    return mli_error_hint(err, ML_E_UNSUPPORTED, "use one of %s",
                          mli_metric_usual(inputs, NULL));
}

mli_truth mli_truth_of(const mli_design *design)
{
    return (mli_truth){.n = design->rows,
                       .y = design->y,
                       .ys = design->ys,
                       .n_targets = design->ys ? design->inputs->n_targets : 0,
                       .label = design->label,
                       .weight = design->weight,
                       .n_classes = design->inputs->classes.n,
                       .n_groups = design->n_groups,
                       .group = design->group,
                       .event = design->event};
}

const char *mli_metric_kind(const mli_metric *metric)
{
    static const char *const kinds[] = {"", "value", "class", "proba", "value"};
    return kinds[metric->needs];
}

void mli_metric_risks(const mli_metric *metric, const ml_model *model, double *p,
                      int64_t n)
{
    int times = strcmp(mli_get_str(model->params, "objective"), "aft") == 0;
    for (int64_t i = 0; metric->needs == MLI_NEEDS_RISK && times && i < n; i++)
        p[i] = -p[i];
}

ml_status mli_metric_predict(const mli_metric *metric, const ml_model *model,
                             const mli_design *design, mli_run *run, double **out,
                             ml_error *err)
{
    mli_plan *plan = NULL;
    ml_status st = mli_metric_fits(metric, model->inputs, err);
    if (st < 0) return st;
    st = mli_plan_new(model, mli_metric_kind(metric), NULL, &plan, err);
    if (st < 0) return st;
    if (design->ys && plan->n_outputs != design->inputs->n_targets) {
        st = mli_fail(err, ML_E_SHAPE, "%lld targets, but the model predicts %lld",
                      (long long)design->inputs->n_targets, (long long)plan->n_outputs);
        mli_plan_free(plan);
        return st;
    }
    double *p = mli_alloc_vec(model->ctx, design->rows * plan->n_outputs, sizeof *p);
    st = p ? mli_plan_run_design(plan, design, run, p, err) : mli_nomem(err);
    mli_plan_free(plan);
    if (st < 0) {
        mli_free(model->ctx, p);
        return st;
    }
    mli_metric_risks(metric, model, p, design->rows);
    *out = p;
    return ML_OK;
}

ml_status mli_metric_model(const mli_metric *metric, const ml_model *model,
                           const mli_design *design, mli_run *run, double *out,
                           ml_error *err)
{
    double *p = NULL;
    ml_status st = mli_metric_predict(metric, model, design, run, &p, err);
    if (st < 0) return st;
    mli_truth truth = mli_truth_of(design);
    mli_metric_options options = mli_metric_options_of(model->params);
    st = mli_metric_score(metric, model->ctx, &truth, p, &options, out, err);
    mli_free(model->ctx, p);
    return st;
}

/* The arrays behind the tensors of ml_metric_score. */
typedef struct scoring {
    ml_context *ctx;
    double *truth, *prediction, *weight;
    int32_t *label;
    int64_t n, n_classes;
} scoring;

static void scoring_free(scoring *s)
{
    mli_free(s->ctx, s->truth);
    mli_free(s->ctx, s->prediction);
    mli_free(s->ctx, s->weight);
    mli_free(s->ctx, s->label);
}

/* Turns the truth into class indices, of which there are max + 1 or those given. */
static ml_status scoring_labels(scoring *s, ml_error *err)
{
    s->label = mli_alloc_vec(s->ctx, s->n, sizeof *s->label);
    if (!s->label) return mli_nomem(err);
    int64_t most = s->n_classes;
    for (int64_t i = 0; i < s->n; i++) {
        double v = s->truth[i];
        if (!(v >= 0 && v < 1e9) || v != floor(v) ||
            (s->n_classes && v >= (double)s->n_classes)) {
            mli_fail(err, ML_E_DATA, "%s is not a class index", MLI_NUM(v));
            mli_error_at(err, ML_E_DATA, "truth, row %lld", (long long)i + 1);
            return mli_error_hint(
                err, ML_E_DATA,
                "classes are whole numbers from 0, less than the number "
                "of columns of the prediction");
        }
        s->label[i] = (int32_t)v;
        if (s->label[i] >= most) most = s->label[i] + 1;
    }
    s->n_classes = most;
    return ML_OK;
}

/* Probabilities of class 1 become two columns. */
static ml_status scoring_two_columns(scoring *s, ml_error *err)
{
    double *two = mli_alloc_vec(s->ctx, 2 * s->n, sizeof *two);
    if (!two) return mli_nomem(err);
    for (int64_t i = 0; i < s->n; i++) {
        two[2 * i] = 1 - s->prediction[i];
        two[2 * i + 1] = s->prediction[i];
    }
    mli_free(s->ctx, s->prediction);
    s->prediction = two;
    return ML_OK;
}

static ml_status scoring_prediction(scoring *s, const ml_tensor *t, ml_error *err)
{
    int64_t columns = t->ndim == 2 ? t->shape[1] : 1;
    s->prediction = mli_alloc_vec(s->ctx, s->n * columns, sizeof(double));
    if (!s->prediction) return mli_nomem(err);
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t j = 0; j < columns; j++)
            s->prediction[i * columns + j] = ml_tensor_get_f64(t, i, j);
    for (int64_t i = 0; i < s->n * columns; i++) {
        if (isfinite(s->prediction[i])) continue;
        mli_fail(err, ML_E_DATA, "the prediction is not a finite number");
        return mli_error_at(err, ML_E_DATA, "prediction, row %lld",
                            (long long)(i / columns) + 1);
    }
    return ML_OK;
}

static ml_status scoring_numbers(scoring *s, const ml_tensor *truth,
                                 const ml_tensor *weight, ml_error *err)
{
    ml_status st = mli_tensor_doubles(truth, &s->truth, err);
    if (st < 0) return st;
    double total = 0;
    if (weight) {
        if ((st = mli_tensor_doubles(weight, &s->weight, err)) < 0) return st;
        for (int64_t i = 0; i < s->n; i++) {
            if (!(s->weight[i] >= 0) || isinf(s->weight[i])) {
                mli_fail(err, ML_E_DATA, "a weight must be a number of at least 0");
                return mli_error_at(err, ML_E_DATA, "weight, row %lld", (long long)i + 1);
            }
            total += s->weight[i];
        }
    }
    if (s->n == 0 || (weight && total <= 0))
        return mli_fail(err, ML_E_DATA,
                        "there are no rows (of positive weight) to score");
    return ML_OK;
}

static ml_status check_shapes(const ml_tensor *truth, const ml_tensor *prediction,
                              const ml_tensor *weight, ml_error *err)
{
    if (truth->ndim != 1)
        return mli_fail(err, ML_E_SHAPE, "truth must have one dimension, not %d",
                        truth->ndim);
    if (prediction->ndim < 1 || prediction->ndim > 2)
        return mli_fail(err, ML_E_SHAPE, "prediction must have one or two dimensions");
    if (prediction->shape[0] != truth->shape[0])
        return mli_fail(err, ML_E_SHAPE, "prediction has %lld rows, truth has %lld",
                        (long long)prediction->shape[0], (long long)truth->shape[0]);
    if (weight && (weight->ndim != 1 || weight->shape[0] != truth->shape[0]))
        return mli_fail(err, ML_E_SHAPE, "weight must have one dimension of %lld rows",
                        (long long)truth->shape[0]);
    return ML_OK;
}

static ml_status check_columns(const mli_metric *m, int64_t columns, ml_error *err)
{
    if (m->needs != MLI_NEEDS_PROBA && columns != 1) {
        mli_fail(err, ML_E_SHAPE, "metric %s needs one predicted %s per row, not %lld",
                 m->head.name + PREFIX, m->head.needs, (long long)columns);
        return mli_error_hint(err, ML_E_SHAPE, "give a prediction of one dimension");
    }
    return ML_OK;
}

static ml_status metric_options(ml_context *ctx, const ml_params *given,
                                mli_metric_options *out, ml_error *err)
{
    ml_params *p = NULL;
    ml_status st = mli_params_resolve(ctx, &mli_options_metric, given, &p, err);
    if (st < 0) return st;
    out->average = mli_get_enum(p, "average", "auto,binary,macro,micro,weighted");
    out->quantile = mli_get_f64(p, "quantile");
    out->power = mli_get_f64(p, "power");
    ml_params_free(p);
    return ML_OK;
}

static ml_status scoring_classes(scoring *s, const mli_metric *m, int64_t columns,
                                 ml_error *err)
{
    if (columns > 1) s->n_classes = columns;
    ml_status st = scoring_labels(s, err);
    if (st < 0) return st;
    if (m->needs == MLI_NEEDS_CLASS) {
        for (int64_t i = 0; i < s->n; i++)
            if (s->prediction[i] >= (double)s->n_classes && s->prediction[i] < 1e9)
                s->n_classes = (int64_t)s->prediction[i] + 1;
        if (s->n_classes < 2) s->n_classes = 2;
        return ML_OK;
    }
    if (columns > 1) return ML_OK;
    if (s->n_classes > 2) {
        mli_fail(err, ML_E_SHAPE, "%lld classes need as many columns of probabilities",
                 (long long)s->n_classes);
        return mli_error_hint(err, ML_E_SHAPE, "give a prediction of rows by classes");
    }
    s->n_classes = 2;
    return scoring_two_columns(s, err);
}

ml_status ml_metric_score(ml_context *context, const char *metric, const ml_tensor *truth,
                          const ml_tensor *prediction, const ml_tensor *weight,
                          const ml_params *options, double *out, ml_error *error)
{
    if (!context) return mli_null(error, "context");
    if (!metric) return mli_null(error, "metric");
    if (!truth) return mli_null(error, "truth");
    if (!prediction) return mli_null(error, "prediction");
    if (!out) return mli_null(error, "out");
    const mli_metric *m;
    mli_metric_options opt = mli_metric_options_of(NULL);
    ml_status st = mli_metric_find(metric, &m, error);
    if (st < 0) return st;
    if ((st = metric_options(context, options, &opt, error)) < 0) return st;
    if ((st = check_shapes(truth, prediction, weight, error)) < 0) return st;
    int64_t columns = prediction->ndim == 2 ? prediction->shape[1] : 1;
    if ((st = check_columns(m, columns, error)) < 0) return st;

    scoring s = {.ctx = context, .n = truth->shape[0]};
    if ((st = scoring_numbers(&s, truth, weight, error)) < 0) goto out;
    if ((st = scoring_prediction(&s, prediction, error)) < 0) goto out;
    if (m->needs != MLI_NEEDS_VALUE && m->needs != MLI_NEEDS_RISK)
        if ((st = scoring_classes(&s, m, columns, error)) < 0) goto out;
    mli_truth t = {.n = s.n,
                   .y = s.truth,
                   .label = s.label,
                   .weight = s.weight,
                   .n_classes = s.n_classes};
    double value;
    st = m->score(context, &t, s.prediction, &opt, &value, error);
    if (st == ML_OK) *out = value;
out:
    scoring_free(&s);
    return st;
}
