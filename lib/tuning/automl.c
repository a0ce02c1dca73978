/* SPDX-License-Identifier: MIT
 *
 * automl.c: the algorithm `automl`: judges many candidates on held-out rows, blends the
 * best, fits them again to all rows. The model is an ensemble.
 *
 * Feurer et al., Efficient and Robust Automated Machine Learning, NeurIPS 2015
 * (portfolio, search, ensemble of what was tried). Tensors: those of an ensemble, or of
 * stacking; those of calibrated and threshold, where they help; "held_out_score" f64 [1],
 * the score of all of it on the rows it was judged by; "not_refitted" f64 [1], where
 * members are not fitted to all rows; "trial_scores" f64 [trials];
 * "leaderboard" u8, a CSV text. With a number of trials and no time limit the model
 * depends on data, parameters and seed alone.
 */
#include "algorithms/compose/calibration.h"
#include "algorithms/compose/stacking.h"
#include "algorithms/compose/thresholds.h"
#include "tuning/automl.h"

#include <math.h>
#include <string.h>

static const mli_param params[] = {
    {"time_limit", "time_budget,timeout,max_runtime_secs", ML_PARAM_F64, 0, "0",
     "[0, inf)", NULL, NULL,
     "Seconds for everything, the last fit included; 0 is no limit.", "0.1"},
    {"trials", "n_trials,max_models", ML_PARAM_I64, 0, "25", "[0, 1000000]", NULL, NULL,
     "The most candidates to judge; 0 is no limit but the time.", "0.1"},
    {"metric", "eval_metric,scoring", ML_PARAM_STR, MLI_FLAG_NULLABLE, "", NULL, NULL,
     NULL,
     "What to optimise. By default roc_auc for two classes, log_loss for more, rmse for "
     "regression.",
     "0.1"},
    {"algorithms", "estimator_list,included_model_types", ML_PARAM_STRS,
     MLI_FLAG_NULLABLE, "", NULL, NULL, NULL,
     "The algorithms to choose from. By default all that suit the task.", "0.1"},
    {"folds", "n_splits,num_bag_folds,cv", ML_PARAM_I64, 0, "0", "[0, 100]", NULL, NULL,
     "Folds that candidates are judged by when there are no validation rows. 0: 5, and "
     "one part held out from 100,000 rows, or from 5,000 when the time is short for "
     "them.",
     "0.1"},
    {"max_members", "ensemble_size", ML_PARAM_I64, 0, "5", "[1, 12]", NULL, NULL,
     "The most models in the ensemble, a constant aside; 1 keeps the best one alone, "
     "which is fastest.",
     "0.1"},
    {"repeats", "num_bag_sets", ML_PARAM_I64, 0, "0", "[0, 20]", NULL, NULL,
     "How often a member that draws at random (boosting) is fitted to all rows, as far "
     "as there is time and memory, with another seed each time; their mean is the "
     "member. 0: 3 times up to 50,000 rows, and once where max_members is 1. Members of "
     "a final "
     "model are fitted once.",
     "0.1"},
    {"stacking", "use_stacking", ML_PARAM_BOOL, 0, "true", NULL, NULL, NULL,
     "Also try a linear model of what the members predict, and keep it in place of their "
     "weighted mean when it is better on rows held out.",
     "0.1"},
    {"calibration", "calibrate", ML_PARAM_STR, MLI_FLAG_CLASSES, "auto",
     "{auto, none, sigmoid, isotonic, temperature}", NULL, NULL,
     "How probabilities are mapped to the shares observed on rows held out. auto: a line "
     "on the log-odds, or a temperature for more than two classes, where it helps.",
     "0.1"},
    {"threshold_metric", "decision_metric", ML_PARAM_STR,
     MLI_FLAG_NULLABLE | MLI_FLAG_CLASSES, "", NULL, NULL, NULL,
     "The metric that the predicted classes are chosen for, such as f1. By default "
     "`metric`, when it judges classes; else the most probable class is predicted.",
     "0.1"},
    {"distill", "student", ML_PARAM_STR, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL,
     "An algorithm, such as gbdt: the result is one model of it, small and fast, that "
     "learns from what the ensemble predicts.",
     "0.1"},
    {"journal", "checkpoint", ML_PARAM_STR, MLI_FLAG_NULLABLE | MLI_FLAG_NO_EFFECT, "",
     NULL, NULL, NULL,
     "A file that candidates are written to as they end. A fit to the same rows with the "
     "same file goes on where the one before was ended, however that happened.",
     "0.1"},
    {"memory_limit", "memory_budget,max_mem_size", ML_PARAM_F64, 0, "0", "[0, inf)", NULL,
     NULL,
     "MB that the search may take beyond what is taken already; candidates that need "
     "more fail, but for a constant. Counts the memory of the context, whose other fits "
     "meanwhile count as well; more threads need more. 0 is no limit.",
     "0.1"},
    MLI_PARAM_SEED,
    {"members", NULL, ML_PARAM_STRS, MLI_FLAG_NULLABLE | MLI_FLAG_PARTS | MLI_FLAG_FITTED,
     "", NULL, NULL, NULL,
     "Set by the fit: the models of the ensemble, with their parameters.", "0.1"},
    {"final", NULL, ML_PARAM_STRS, MLI_FLAG_NULLABLE | MLI_FLAG_PARTS | MLI_FLAG_FITTED,
     "", NULL, NULL, NULL,
     "Set by the fit: the model of what the members predict, where there is one.", "0.1"},
    MLI_PARAM_END};

#define N_PARAMS ((int64_t)(sizeof params / sizeof *params))
const mli_param *const mli_automl_members = &params[N_PARAMS - 3];
const mli_param *const mli_automl_final = &params[N_PARAMS - 2];

/* ---- setting up ---- */

/* The algorithms that are named: known, and able to do the task. */
static ml_status check_algorithms(const mli_automl *a, ml_error *err)
{
    const char *const *names;
    const mli_descriptor *d;
    int64_t n = mli_get_strs(a->job->params, "algorithms", &names);
    for (int64_t i = 0; i < n; i++) {
        ml_status status =
            mli_catalog_get(names[i], MLI_SORT_ALGORITHM, "algorithm", &d, err);
        if (!status && !mli_automl_takes(a, d))
            status = mli_fail(err, ML_E_UNSUPPORTED,
                              "%s does not suit the task, or cannot weigh rows", d->name);
        if (status) return mli_error_at(err, status, "params.algorithms");
    }
    return ML_OK;
}

static ml_status check_members(const mli_automl *a, ml_error *err)
{
    const char *const *names;
    if (mli_get_strs(a->job->params, "members", &names) == 0 &&
        mli_get_strs(a->job->params, "final", &names) == 0)
        return ML_OK;
    mli_fail(err, ML_E_ARGUMENT, "members are found by the fit");
    mli_error_at(err, ML_E_ARGUMENT, "params.members");
    return mli_error_hint(err, ML_E_ARGUMENT,
                          "to fit known members use the algorithm ensemble");
}

/* A part of a model stays what it is, and may be fitted to parts of the rows. */
static ml_status check_part(const mli_automl *a, ml_error *err)
{
    static const char *const whole_only[] = {"distill", "journal"};
    const ml_params *p = a->job->params;
    if (mli_params_find(p, "target")) return ML_OK;
    for (int k = 0; k < 2; k++)
        if (*mli_get_str(p, whole_only[k])) {
            mli_fail(err, ML_E_UNSUPPORTED, "a part of a model has no %s", whole_only[k]);
            return mli_error_at(err, ML_E_UNSUPPORTED, "params.%s", whole_only[k]);
        }
    return ML_OK;
}

/* What one model cannot have is refused, and the model must be known. */
static ml_status check_distill(const mli_automl *a, ml_error *err)
{
    const char *name = mli_get_str(a->job->params, "distill");
    const char *calibration = mli_get_str(a->job->params, "calibration");
    const mli_descriptor *d;
    if (!*name) return ML_OK;
    ml_status status = mli_catalog_get(name, MLI_SORT_ALGORITHM, "algorithm", &d, err);
    if (!status && (!mli_automl_takes(a, d) || !(d->caps & MLI_CAN_WEIGHTS)))
        status = mli_fail(err, ML_E_UNSUPPORTED,
                          "%s does not suit the task, or cannot weigh rows", d->name);
    if (!status && a->job->valid)
        status = mli_fail(err, ML_E_ARGUMENT,
                          "one model learns from the folds of the training rows: leave "
                          "the validation rows out");
    if (!status && (*mli_get_str(a->job->params, "threshold_metric") ||
                    !mli_in_list(calibration, "auto,none")))
        status = mli_fail(err, ML_E_ARGUMENT,
                          "one model has no calibration and no thresholds");
    return status ? mli_error_at(err, status, "params.distill") : ML_OK;
}

static ml_status check_thresholds(const mli_automl *a, ml_error *err)
{
    const mli_metric *m;
    const char *name = mli_get_str(a->job->params, "threshold_metric");
    if (!*name) return ML_OK;
    ml_status status = mli_thresholds_metric(name, &m, err);
    return status ? mli_error_at(err, status, "params.threshold_metric") : ML_OK;
}

static void set_memory(mli_automl *a)
{
    double most = 1e6 * mli_get_f64(a->job->params, "memory_limit");
    if (!(most > 0)) return;
    a->room = most < 1e18 ? most : 1e18;
    a->memory = mli_memory_used(a->ctx) + (size_t)a->room;
}

static ml_status set_up(mli_automl *a, ml_error *err)
{
    const mli_inputs *in = a->job->train->inputs;
    const char *metric = mli_get_str(a->job->params, "metric");
    a->limit = mli_get_f64(a->job->params, "time_limit");
    a->seed = (uint64_t)mli_get_i64(a->job->params, "seed");
    a->kind = in->task == MLI_TASK_CLASSIFICATION ? "proba" : "value";
    a->n_outputs = in->task == MLI_TASK_CLASSIFICATION ? in->classes.n : 1;
    ml_status status =
        mli_metric_find(*metric ? metric : mli_metric_default(in, NULL), &a->metric, err);
    if (!status) status = mli_metric_fits(a->metric, in, err);
    if (status) return mli_error_at(err, status, "params.metric");
    status = check_members(a, err);
    if (!status) status = check_part(a, err);
    if (!status) status = check_algorithms(a, err);
    if (!status) status = check_distill(a, err);
    if (!status) status = check_thresholds(a, err);
    if (status) return status;
    set_memory(a);
    a->job->run->maximize = a->metric->maximize;
    a->failure = ml_error_new();
    if (!a->failure) return mli_nomem(err);
    status = ml_cancel_new(&a->clock, err);
    if (!status) status = mli_automl_folds(a, err);
    return status ? status : mli_automl_open(a, err);
}

static ml_status nothing_worked(const mli_automl *a, ml_error *err)
{
    if (!a->failed)
        return mli_fail(err, ML_E_DATA, "no algorithm suits the task and the columns");
    return mli_error_copy(err, a->failure, a->failed);
}

static int only_baseline(const mli_automl *a)
{
    for (int64_t i = 0; i < a->count; i++)
        if (!isnan(a->candidates[i].score) &&
            strcmp(a->candidates[i].algorithm->head.name, "baseline") != 0)
            return 0;
    return 1;
}

/* From the candidates to what predicts. */
static ml_status put_together(mli_automl *a, ml_error *err)
{
    ml_status status =
        mli_automl_blend(a, mli_get_i64(a->job->params, "max_members"), err);
    if (!status) status = mli_automl_stack(a, err);
    if (!status) status = mli_automl_temper(a, err);
    if (!status) status = mli_automl_calibrate(a, err);
    if (*mli_get_str(a->job->params, "distill"))
        return status ? status : mli_automl_distill(a, err);
    if (!status) status = mli_automl_thresholds(a, err);
    return status ? status : mli_automl_refit(a, err);
}

/* Did a candidate of the algorithm of candidate i end otherwise, or fail before it? */
static int fails_alone(const mli_automl *a, int64_t i)
{
    for (int64_t j = 0; j < a->count; j++) {
        const mli_candidate *c = &a->candidates[j];
        if (c->algorithm == a->candidates[i].algorithm && (!c->why || j < i)) return 1;
    }
    return 0;
}

/* Algorithms that the rows do not suit are named, with the reason. */
static void tell_failed(const mli_automl *a)
{
    for (int64_t i = 0; i < a->count; i++)
        if (a->candidates[i].why && !fails_alone(a, i))
            mli_log(a->ctx, ML_LOG_WARNING, "automl", "%s failed: %s",
                    a->candidates[i].algorithm->head.name, a->candidates[i].why);
}

static ml_status find_model(mli_automl *a, ml_error *err)
{
    ml_status status = mli_automl_search(a, err);
    if (status) return status;
    if (mli_automl_best(a) < 0) return nothing_worked(a, err);
    tell_failed(a);
    int lacked = a->memory && a->failed == ML_E_MEMORY;
    if (only_baseline(a) && (lacked || a->limit > 0))
        mli_log(a->ctx, ML_LOG_WARNING, "automl",
                "the %s was enough for a constant prediction only: raise %s_limit",
                lacked ? "memory" : "time", lacked ? "memory" : "time");
    status = put_together(a, err);
    return status ? status : mli_automl_leaderboard(a, err);
}

static ml_status refuse_distill(const mli_fit *job, ml_error *err)
{
    int64_t text = mli_inputs_text(job->train->inputs);
    if (text < 0 || !*mli_get_str(job->params, "distill")) return ML_OK;
    mli_fail(err, ML_E_UNSUPPORTED, "one model alone cannot read the text column \"%s\"",
             job->train->inputs->features[text].name);
    mli_error_at(err, ML_E_UNSUPPORTED, "params.distill");
    return mli_error_hint(err, ML_E_UNSUPPORTED,
                          "add the column to ignore, or leave distill out");
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    mli_fit inner;
    mli_automl a = {
        .job = &inner, .given = job->train, .ctx = job->ctx, .start = job->run->start};
    ml_status status = refuse_distill(job, err);
    /* One model alone reads dates as numbers. */
    if (*mli_get_str(job->params, "distill"))
        inner = *job;
    else if (!status)
        status = mli_automl_front(job, &inner, err);
    if (status) return status;
    int32_t quiet = job->run->quiet;
    job->run->quiet = 1; /* what is wrong with candidates the scores tell */
    status = set_up(&a, err);
    if (!status && mli_params_find(job->params, "target")) mli_automl_warn(&a);
    if (!status) status = find_model(&a, err);
    job->run->quiet = quiet;
    mli_automl_free(&a);
    mli_automl_front_free(job, &inner);
    return status;
}

/* ---- the model ---- */

static int is_stacked(const ml_model *m)
{
    const char *const *items;
    return mli_get_strs(m->params, "final", &items) > 0;
}

static ml_status part(const ml_model *m, const char *name, ml_model **out, ml_error *err)
{
    if (!is_stacked(m)) return mli_member_part(m, name, out, err);
    return mli_stack_part(m, mli_automl_members, mli_automl_final, name, out, err);
}

static ml_status plan_numbers(const ml_model *m, const char *kind, mli_plan **out,
                              ml_error *err)
{
    mli_calibration map;
    mli_plan *p = NULL;
    ml_status status = mli_calibration_load(m, &map, err);
    if (status) return status;
    status = is_stacked(m)
                 ? mli_stack_plan(m, mli_automl_members, mli_automl_final, kind, &p, err)
                 : mli_ensemble_plan(m, mli_automl_members, kind, &p, err);
    if (!status && map.method != MLI_CALIBRATE_NONE)
        status = mli_calibration_plan(p, &map, &p, err);
    else
        mli_calibration_free(&map);
    if (status) return status;
    status = mli_thresholds_plan(m, p, err);
    if (status)
        mli_plan_free(p);
    else
        *out = p;
    return status;
}

static ml_status plan(const ml_model *m, const char *kind, mli_plan **out, ml_error *err)
{
    mli_automl_chain c;
    mli_plan *rest = NULL;
    if (!mli_automl_has_front(m)) return plan_numbers(m, kind, out, err);
    ml_status status = mli_automl_front_load(m, &c, err);
    if (status) return status;
    status = plan_numbers(c.model[c.n - 1], kind, &rest, err);
    if (!status) return mli_automl_front_plan(&c, rest, out, err);
    mli_automl_chain_free(&c);
    return status;
}

static ml_status check_numbers(const ml_model *m, ml_error *err)
{
    mli_calibration map;
    ml_status status = mli_calibration_load(m, &map, err);
    if (status) return status;
    mli_calibration_free(&map);
    return is_stacked(m) ? mli_stack_check(m, mli_automl_members, mli_automl_final, err)
                         : mli_ensemble_check(m, mli_automl_members, err);
}

static ml_status check(const ml_model *m, ml_error *err)
{
    mli_automl_chain c;
    if (!mli_automl_has_front(m)) return check_numbers(m, err);
    ml_status status = mli_automl_front_load(m, &c, err);
    if (status) return status;
    status = check_numbers(c.model[c.n - 1], err);
    mli_automl_chain_free(&c);
    return status;
}

static const mli_kind kinds[] = {
    {"value", "rows", "What the members' values make together."},
    {"proba", "rows, classes", "The probabilities of all members together."},
    {"class", "rows", "The most probable class, or that of the thresholds."},
    {NULL, NULL, NULL}};

static const mli_attribute attributes[] = {
    {"weights", "f64", "[members]",
     "What each member counts; they sum to 1. None when there is a final model."},
    {"calibration_sigmoid", "f64", "[maps, 2]",
     "Slope and intercept of the calibration on the log-odds."},
    {"calibration_isotonic", "f64", "[points, 3]",
     "The corners of the calibration's steps: number of the map, from, to."},
    {"calibration_beta", "f64", "[1]",
     "What log-probabilities are multiplied by: 1 / temperature."},
    {MLI_THRESHOLDS, "f64", "[classes]",
     "What probabilities are divided by before the largest is the class."},
    {"held_out_score", "f64", "[1]",
     "The score of it all on rows held out, by the metric; there is none of a distilled "
     "model that there was no time to judge."},
    {"not_refitted", "f64", "[1]",
     "How many members there was no time or memory to fit to all rows; there is none "
     "where all were."},
    {"trial_scores", "f64", "[trials]",
     "The score of each candidate; NaN: it failed, or was given up."},
    {"leaderboard", "u8", "[bytes]",
     "All candidates as CSV text: algorithm, score, weight, rounds, state, parameters, "
     "and a message where they failed."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_automl_algorithm;
const mli_algorithm mli_automl_algorithm = {
    .head = {.name = "automl",
             .aliases = "auto",
             .title = "search for the best model",
             .doc = "Judges algorithms and parameters on held-out rows, within a number "
                    "of trials or a time limit, and fits a weighted mean of the best. "
                    "The time is a feature too, unless it is ignored.",
             .family = "compose",
             .since = "0.1",
             .sort = MLI_SORT_ALGORITHM,
             .tasks = MLI_TASK_REGRESSION | MLI_TASK_CLASSIFICATION,
             .caps = MLI_CAN_MISSING | MLI_CAN_CATEGORIES | MLI_CAN_WEIGHTS |
                     MLI_CAN_TEXT | MLI_CAN_EARLY_STOP | MLI_CAN_TIME,
             .params = params,
             .roles = mli_roles_supervised,
             .kinds = kinds,
             .attributes = attributes},
    .fit = fit,
    .plan = plan,
    .check = check,
    .part = part,
};
