/* SPDX-License-Identifier: MIT
 *
 * automl.c: the algorithm `automl`: judges many candidates on held-out rows, blends the
 * best, fits them again to all rows. The model is an ensemble.
 *
 * Feurer et al., Efficient and Robust Automated Machine Learning, NeurIPS 2015
 * (portfolio, search, ensemble of what was tried). Tensors: those of an ensemble;
 * "held_out_score" f64 [1], the score of the blend on the rows it was judged by;
 * "trial_scores" f64 [trials]; "leaderboard" u8, a CSV text. With a number of trials and
 * no time limit the model depends on data, parameters and seed alone.
 */
#include "algorithms/compose/compose.h"
#include "core/text.h"
#include "tuning/automl.h"

#include <math.h>
#include <stdio.h>
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
     "from 100,000 rows one part held out.",
     "0.1"},
    {"max_members", "ensemble_size", ML_PARAM_I64, 0, "5", "[1, 12]", NULL, NULL,
     "The most models in the ensemble; 1 keeps the best one alone, which is fastest.",
     "0.1"},
    MLI_PARAM_SEED,
    {"members", NULL, ML_PARAM_STRS, MLI_FLAG_NULLABLE | MLI_FLAG_PARTS | MLI_FLAG_FITTED,
     "", NULL, NULL, NULL,
     "Set by the fit: the models of the ensemble, with their parameters.", "0.1"},
    MLI_PARAM_END};

static const mli_param *members_list(void)
{
    const mli_param *p = params;
    while (strcmp(p->name, "members") != 0) p++;
    return p;
}

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
    if (mli_get_strs(a->job->params, "members", &names) == 0) return ML_OK;
    mli_fail(err, ML_E_ARGUMENT, "members are found by the fit");
    mli_error_at(err, ML_E_ARGUMENT, "params.members");
    return mli_error_hint(err, ML_E_ARGUMENT,
                          "to fit known members use the algorithm ensemble");
}

static ml_status set_up(mli_automl *a, ml_error *err)
{
    const mli_inputs *in = a->job->train->inputs;
    const char *metric = mli_get_str(a->job->params, "metric");
    a->start = mli_now();
    a->limit = mli_get_f64(a->job->params, "time_limit");
    a->seed = (uint64_t)mli_get_i64(a->job->params, "seed");
    a->kind = in->task == MLI_TASK_CLASSIFICATION ? "proba" : "value";
    a->n_outputs = in->task == MLI_TASK_CLASSIFICATION ? in->classes.n : 1;
    ml_status status =
        mli_metric_find(*metric ? metric : mli_metric_default(in), &a->metric, err);
    if (!status) status = mli_metric_fits(a->metric, in, err);
    if (status) return mli_error_at(err, status, "params.metric");
    status = check_members(a, err);
    if (!status) status = check_algorithms(a, err);
    if (status) return status;
    a->job->run->maximize = a->metric->maximize;
    a->failure = ml_error_new();
    if (!a->failure) return mli_nomem(err);
    status = ml_cancel_new(&a->clock, err);
    return status ? status : mli_automl_folds(a, err);
}

static ml_status nothing_worked(const mli_automl *a, ml_error *err)
{
    if (!a->failed)
        return mli_fail(err, ML_E_DATA, "no algorithm suits the task and the columns");
    return mli_error_copy(err, a->failure, a->failed);
}

/* ---- the model ---- */

/* "m0=gbdt, m1=..." and the parameters of each, as the model keeps them. */
static ml_status add_member(const mli_candidate *c, int64_t k, mli_str *list,
                            ml_params *out, ml_error *err)
{
    char path[128];
    ml_status status = ML_OK;
    const mli_param *rounds = mli_automl_flagged(c->algorithm, MLI_FLAG_ROUNDS);
    const mli_param *stopping = mli_automl_flagged(c->algorithm, MLI_FLAG_STOPPING);
    mli_str_printf(list, "%sm%lld=%s", k ? ", " : "", (long long)k,
                   c->algorithm->head.name);
    for (int64_t i = 0; i < c->given->count && !status; i++) {
        const mli_value *v = &c->given->values[i];
        if (!v->given || (rounds && c->rounds && strcmp(v->name, rounds->name) == 0))
            continue;
        snprintf(path, sizeof path, "m%lld.%s", (long long)k, v->name);
        status = ml_params_set_str(out, path, v->text, err);
    }
    if (!status && rounds && c->rounds) {
        snprintf(path, sizeof path, "m%lld.%s", (long long)k, rounds->name);
        status = ml_params_set_i64(out, path, c->rounds, err);
    }
    if (!status && stopping) {
        snprintf(path, sizeof path, "m%lld.%s", (long long)k, stopping->name);
        status = ml_params_set_i64(out, path, 0, err);
    }
    return status;
}

static ml_status member_params(const mli_automl *a, ml_params **out, ml_error *err)
{
    ml_params *given = NULL;
    mli_str list;
    int64_t k = 0;
    mli_str_init(&list, a->ctx);
    ml_status status = ml_params_clone(a->job->params, &given, err);
    for (int64_t i = 0; i < a->count && !status; i++)
        if (a->candidates[i].weight > 0)
            status = add_member(&a->candidates[i], k++, &list, given, err);
    if (!status && list.failed) status = mli_nomem(err);
    if (!status) status = ml_params_set_str(given, "members", list.data, err);
    mli_str_free(&list);
    mli_descriptor head = a->job->model->algorithm->head;
    if (!status) status = mli_params_resolve(a->ctx, &head, given, out, err);
    ml_params_free(given);
    return status;
}

static void describe_candidate(const mli_candidate *c, mli_str *s)
{
    mli_str_printf(s, "%s,", c->algorithm->head.name);
    if (!isnan(c->score)) mli_str_f64(s, c->score);
    mli_str_char(s, ',');
    mli_str_f64(s, c->weight);
    mli_str_printf(s, ",%lld,\"", (long long)c->rounds);
    int n = 0;
    for (int64_t i = 0; i < c->given->count; i++) {
        const mli_value *v = &c->given->values[i];
        if (!v->given || strcmp(v->name, "seed") == 0) continue;
        mli_str_printf(s, "%s%s=%s", n++ ? " " : "", v->name, v->text);
    }
    mli_str_add(s, "\"\n");
}

/* The best first. */
static ml_status describe_all(const mli_automl *a, mli_str *s, ml_error *err)
{
    int64_t *order = mli_alloc_vec(a->ctx, a->count, sizeof *order);
    if (!order) return mli_nomem(err);
    for (int64_t i = 0; i < a->count; i++) {
        int64_t at = i;
        for (; at > 0; at--) {
            const mli_candidate *other = &a->candidates[order[at - 1]];
            if (!mli_automl_better(a, a->candidates[i].score, other->score)) break;
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    for (int64_t i = 0; i < a->count; i++)
        describe_candidate(&a->candidates[order[i]], s);
    mli_free(a->ctx, order);
    return ML_OK;
}

static ml_status add_text(ml_model *m, const char *name, const mli_str *s, ml_error *err)
{
    unsigned char *data = NULL;
    int64_t n = (int64_t)s->size;
    if (s->failed) return mli_nomem(err);
    ml_status status = mli_model_add(m, name, ML_DTYPE_U8, 1, &n, &data, err);
    if (!status) memcpy(data, s->data, s->size);
    return status;
}

static ml_status add_leaderboard(const mli_automl *a, double score, ml_error *err)
{
    ml_model *m = a->job->model;
    double *scores = NULL;
    mli_str s;
    mli_str_init(&s, a->ctx);
    mli_str_add(&s, "algorithm,score,weight,rounds,parameters\n");
    ml_status status = describe_all(a, &s, err);
    if (!status) status = add_text(m, "leaderboard", &s, err);
    mli_str_free(&s);
    if (!status)
        status =
            mli_model_add(m, "trial_scores", ML_DTYPE_F64, 1, &a->count, &scores, err);
    for (int64_t i = 0; i < a->count && !status; i++) scores[i] = a->candidates[i].score;
    if (!status) status = mli_model_add_f64s(m, "held_out_score", &score, 1, err);
    return status;
}

static ml_status add_weights(const mli_automl *a, int64_t n, ml_error *err)
{
    double *weights = NULL;
    int64_t k = 0;
    ml_status status =
        mli_model_add(a->job->model, "weights", ML_DTYPE_F64, 1, &n, &weights, err);
    for (int64_t i = 0; i < a->count && !status; i++)
        if (a->candidates[i].weight > 0) weights[k++] = a->candidates[i].weight;
    return status;
}

/* The blended candidates once more, on all rows. What the clock says does not count any
 * more, but the model must be there in time: rounds are cut when it is late. */
static ml_status fit_members(mli_automl *a, ml_error *err)
{
    mli_parts p = {0};
    mli_run run;
    ml_params *kept = NULL;
    ml_status status = member_params(a, &kept, err);
    if (status) return status;
    ml_params_free(a->job->model->params);
    a->job->model->params = kept;
    mli_run_part(&run, a->job->run, 0.9, 1, 1);
    ml_cancel_request(a->clock, ML_CONTINUE);
    if (a->limit > 0) {
        double left = 1.02 * a->limit - (mli_now() - a->start);
        ml_cancel_set_deadline(a->clock, left > 0.05 ? left : 0.05, ML_STOP_KEEP);
    }
    run.cancel = a->clock;
    mli_fit whole = *a->job;
    whole.params = kept;
    whole.run = &run;
    status = mli_parts_new(a->ctx, members_list(), kept, &p, err);
    if (!status) status = add_weights(a, p.n, err);
    for (int64_t i = 0; i < p.n && !status; i++)
        status = mli_part_fit(&whole, &p, i, a->job->train, NULL, (double)i / (double)p.n,
                              (double)(i + 1) / (double)p.n, err);
    if (!status && mli_run_state(&run) != ML_CONTINUE)
        mli_log(a->ctx, ML_LOG_WARNING, "automl",
                "the last fits were cut short: raise time_limit");
    mli_parts_free(&p);
    return status;
}

static int only_baseline(const mli_automl *a)
{
    for (int64_t i = 0; i < a->count; i++)
        if (!isnan(a->candidates[i].score) &&
            strcmp(a->candidates[i].algorithm->head.name, "baseline") != 0)
            return 0;
    return 1;
}

static ml_status find_model(mli_automl *a, ml_error *err)
{
    double score = NAN;
    ml_status status = mli_automl_search(a, err);
    if (status) return status;
    if (mli_automl_best(a) < 0) return nothing_worked(a, err);
    if (only_baseline(a) && a->limit > 0)
        mli_log(a->ctx, ML_LOG_WARNING, "automl",
                "the time was enough for a constant prediction only: raise time_limit");
    status = mli_automl_blend(a, mli_get_i64(a->job->params, "max_members"), &score, err);
    if (!status) status = fit_members(a, err);
    return status ? status : add_leaderboard(a, score, err);
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    mli_automl a = {.job = job, .ctx = job->ctx};
    ml_status status = set_up(&a, err);
    if (!status) status = find_model(&a, err);
    mli_automl_free(&a);
    return status;
}

static ml_status plan(const ml_model *m, const char *kind, mli_plan **out, ml_error *err)
{
    return mli_ensemble_plan(m, members_list(), kind, out, err);
}

static ml_status check(const ml_model *m, ml_error *err)
{
    return mli_ensemble_check(m, members_list(), err);
}

static const mli_kind kinds[] = {
    {"value", "rows", "The weighted mean of the members' values."},
    {"proba", "rows, classes", "The weighted mean of the members' probabilities."},
    {"class", "rows", "The most probable class."},
    {NULL, NULL, NULL}};

static const mli_attribute attributes[] = {
    {"weights", "f64", "[members]", "What each member counts; they sum to 1."},
    {"held_out_score", "f64", "[1]",
     "The blend's score on rows held out, by the metric."},
    {"trial_scores", "f64", "[trials]", "The score of each candidate; NaN: it failed."},
    {"leaderboard", "u8", "[bytes]",
     "All candidates as CSV text: algorithm, score, weight, rounds, parameters."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_automl_algorithm;
const mli_algorithm mli_automl_algorithm = {
    .head = {.name = "automl",
             .aliases = "auto",
             .title = "the best model, found by itself",
             .doc = "Judges algorithms and parameters on held-out rows, within a number "
                    "of trials or a time limit, and fits a weighted mean of the best.",
             .family = "compose",
             .since = "0.1",
             .sort = MLI_SORT_ALGORITHM,
             .tasks = MLI_TASK_REGRESSION | MLI_TASK_CLASSIFICATION,
             .caps = MLI_CAN_MISSING | MLI_CAN_CATEGORIES | MLI_CAN_WEIGHTS |
                     MLI_CAN_EARLY_STOP,
             .params = params,
             .roles = mli_roles_supervised,
             .kinds = kinds,
             .attributes = attributes},
    .fit = fit,
    .plan = plan,
    .check = check,
};
