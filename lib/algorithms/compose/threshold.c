/* SPDX-License-Identifier: MIT
 *
 * compose/threshold.c: a classifier whose classes are chosen for a metric, not by the
 * largest probability.
 *
 * Fit: thresholds are tuned on what models of the other folds predict for each row, or on
 * validation rows where they are given; the model is that of all rows. The search:
 * compose/thresholds.c. Tensors: "<part>.<tensor>", "class_thresholds" f64 [classes],
 * "held_out_score" f64 [1].
 * Cost: folds + 1 fits of the model.
 */
#include "algorithms/compose/heldout.h"
#include "algorithms/compose/thresholds.h"
#include "algorithms/compose/wrapped.h"

static const mli_param params[] = {
    MLI_PARAM_WRAPPED,
    {"metric", "scoring,eval_metric", ML_PARAM_STR, 0, "f1", NULL, NULL, NULL,
     "What the classes are chosen for: f1, balanced_accuracy, accuracy, mcc, precision, "
     "recall.",
     "0.1"},
    MLI_PARAM_HELDOUT_FOLDS,
    MLI_PARAM_SEED,
    MLI_PARAM_END};

static ml_status tune(mli_fit *job, const mli_heldout *h, ml_error *err)
{
    const mli_metric *metric;
    const mli_design *d = h->judged;
    double *cuts = NULL, score;
    int64_t k = d->inputs->classes.n;
    const mli_truth truth = {
        .n = d->rows, .label = d->label, .weight = d->weight, .n_classes = k};
    ml_status status =
        mli_thresholds_metric(mli_get_str(job->params, "metric"), &metric, err);
    if (status) return mli_error_at(err, status, "params.metric");
    status = mli_model_add(job->model, MLI_THRESHOLDS, ML_DTYPE_F64, 1, &k, &cuts, err);
    if (!status)
        status = mli_thresholds_tune(job->ctx, metric, &truth, h->predictions, cuts,
                                     &score, err);
    return status ? status
                  : mli_model_add_f64s(job->model, "held_out_score", &score, 1, err);
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    const mli_metric *metric;
    ml_status status =
        mli_thresholds_metric(mli_get_str(job->params, "metric"), &metric, err);
    if (status) return mli_error_at(err, status, "params.metric");
    return mli_wrapped_fit(job, params, tune, err);
}

static ml_status plan(const ml_model *m, const char *kind, mli_plan **out, ml_error *err)
{
    mli_plan *inner = NULL;
    ml_status status = mli_wrapped_plan(m, params, kind, &inner, err);
    if (!status) status = mli_thresholds_plan(m, inner, err);
    if (status)
        mli_plan_free(inner);
    else
        *out = inner;
    return status;
}

static ml_status check(const ml_model *m, ml_error *err)
{
    if (!mli_model_find(m, MLI_THRESHOLDS))
        return mli_fail(err, ML_E_FORMAT, "the thresholds are missing");
    return mli_wrapped_check(m, params, err);
}

static void describe(const ml_params *p, mli_descriptor *out)
{
    mli_wrapped_describe(p, params, out);
}

static const mli_kind kinds[] = {
    {"proba", "rows, classes", "The probabilities of the model."},
    {"class", "rows", "The class whose probability is largest for its threshold."},
    {NULL, NULL, NULL}};

static const mli_attribute attributes[] = {
    {MLI_THRESHOLDS, "f64", "[classes]",
     "What probabilities are divided by before the largest is the class. For two classes "
     "the second is from which probability the second class is predicted."},
    {"held_out_score", "f64", "[1]", "The score on rows held out, a little too good."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_threshold;
const mli_algorithm mli_threshold = {
    .head = {.name = "threshold",
             .aliases = "tuned_threshold,threshold_classifier",
             .title = "classifier with thresholds tuned for a metric",
             .doc = "A classifier that predicts the class by thresholds on its "
                    "probabilities that are best for a metric on rows held out.",
             .family = "compose",
             .since = "0.1",
             .sort = MLI_SORT_ALGORITHM,
             .tasks = MLI_TASK_CLASSIFICATION,
             .caps = MLI_CAN_MISSING | MLI_CAN_CATEGORIES | MLI_CAN_WEIGHTS |
                     MLI_CAN_EARLY_STOP,
             .params = params,
             .roles = mli_roles_classification,
             .kinds = kinds,
             .attributes = attributes},
    .fit = fit,
    .plan = plan,
    .check = check,
    .part = mli_member_part,
    .describe = describe,
};
