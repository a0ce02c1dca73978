/* SPDX-License-Identifier: MIT
 *
 * compose/stacking.c: members side by side, and a model that learns from what they
 * predict. (Wolpert, Stacked generalization, 1992; Ting, Witten, 1999: probabilities.)
 *
 * Fit: the final model is fitted to what members of the other folds predict for each row;
 * the members are those of all rows. Tensors: "<member>.<tensor>", "<final>.<tensor>".
 * Cost: folds + 1 fits of each member, one of the final model.
 */
#include "algorithms/compose/stacking.h"
#include "algorithms/compose/heldout.h"
#include "algorithms/compose/wrapped.h"

#include <string.h>

static const mli_param params[] = {
    {"members", "estimators,base_estimators", ML_PARAM_STRS,
     MLI_FLAG_REQUIRED | MLI_FLAG_PARTS, NULL, NULL, NULL, NULL,
     "The models: names of algorithms, or name=algorithm. The parameters of a member are "
     "set as \"name.parameter\".",
     "0.1"},
    {"final", "final_estimator,meta_learner", ML_PARAM_STRS,
     MLI_FLAG_NULLABLE | MLI_FLAG_PARTS, "", NULL, NULL, NULL,
     "The model that learns from the members' predictions, written as a member. By "
     "default logistic_regression or linear_regression with a little of the l2 penalty.",
     "0.1"},
    MLI_PARAM_HELDOUT_FOLDS,
    MLI_PARAM_SEED,
    MLI_PARAM_END};

static ml_status wrong_part(const mli_param *list, const char *problem, ml_error *err)
{
    mli_fail(err, ML_E_ARGUMENT, "%s", problem);
    mli_error_at(err, ML_E_ARGUMENT, "params.%s", list->name);
    return mli_error_hint(err, ML_E_ARGUMENT,
                          "name algorithms that predict: \"gbdt, logistic_regression\"");
}

static ml_status same_name(const mli_param_part *final, ml_error *err)
{
    mli_fail(err, ML_E_ARGUMENT, "\"%s\" is the name of a member as well", final->name);
    mli_error_at(err, ML_E_ARGUMENT, "params.final");
    return mli_error_hint(err, ML_E_ARGUMENT,
                          "give the final model its own name: \"last=%s\"",
                          final->d->name);
}

static ml_status list_parts(ml_context *ctx, const ml_params *p, mli_parts *members,
                            mli_parts *final, ml_error *err)
{
    ml_status status = mli_parts_new(ctx, &params[0], p, members, err);
    if (!status) status = mli_parts_new(ctx, &params[1], p, final, err);
    if (!status && members->n == 0)
        status = wrong_part(&params[0], "it needs a member", err);
    if (!status && final->n != 1)
        status = wrong_part(&params[1], "it needs one final model", err);
    for (int64_t i = 0; i < members->n && !status; i++)
        status = mli_part_predicts(&params[0], &members->part[i], p, err);
    if (!status) status = mli_part_predicts(&params[1], &final->part[0], p, err);
    for (int64_t i = 0; i < members->n && !status; i++)
        if (strcmp(members->part[i].name, final->part[0].name) == 0)
            status = same_name(&final->part[0], err);
    return status;
}

/* ---- fitting ---- */

typedef struct {
    mli_fit *job;
    mli_parts members, final;
    mli_inputs *features;
    const mli_design *judged;
    double *rows, *one; /* the features; what one member predicts */
} stacking;

static void stacking_free(stacking *s)
{
    mli_free(s->job->ctx, s->rows);
    mli_free(s->job->ctx, s->one);
    mli_inputs_free(s->features);
    mli_parts_free(&s->members);
    mli_parts_free(&s->final);
}

static ml_status predict_held_out(stacking *s, ml_error *err)
{
    mli_fit *job = s->job;
    int64_t outputs, folds = mli_get_i64(job->params, "folds"), n = s->members.n;
    mli_heldout_kind(job->train, &outputs);
    int32_t *fold = mli_alloc_vec(job->ctx, job->train->rows, sizeof *fold);
    if (!fold) return mli_nomem(err);
    ml_status status = mli_heldout_folds(
        job->train, folds, (uint64_t)mli_get_i64(job->params, "seed"), fold, err);
    for (int64_t i = 0; i < n && !status; i++) {
        status = mli_heldout_predict(job, &s->members.part[i], fold, folds, outputs,
                                     0.8 * (double)i / (double)n,
                                     0.8 * (double)(i + 1) / (double)n, s->one, err);
        if (!status)
            mli_stack_fill(s->one, job->train->rows, outputs, job->train->label != NULL,
                           i, s->features->n_features, s->rows);
    }
    mli_free(job->ctx, fold);
    return status;
}

/* Members fitted to the training rows predict the validation rows. */
static ml_status predict_valid(stacking *s, ml_error *err)
{
    ml_status status = ML_OK;
    int64_t outputs;
    const char *kind = mli_heldout_kind(s->judged, &outputs);
    for (int64_t i = 0; i < s->members.n && !status; i++) {
        mli_plan *plan = NULL;
        status = mli_plan_new(s->members.model[i], kind, NULL, &plan, err);
        if (!status && plan->n_outputs != outputs)
            status = mli_fail(err, ML_E_UNSUPPORTED, "a member predicts several values");
        if (!status)
            status = mli_plan_run_design(plan, s->judged, s->job->run, s->one, err);
        if (!status)
            mli_stack_fill(s->one, s->judged->rows, outputs, s->judged->label != NULL, i,
                           s->features->n_features, s->rows);
        mli_plan_free(plan);
    }
    return status;
}

/* To the training rows alone: the final model learns from what they predict for others.
 */
static ml_status fit_members(stacking *s, ml_error *err)
{
    mli_fit *job = s->job;
    ml_status status = ML_OK;
    double n = (double)s->members.n;
    for (int64_t i = 0; i < s->members.n && !status; i++)
        status = mli_part_fit(job, &s->members, i, job->train, NULL,
                              0.8 + 0.18 * (double)i / n,
                              0.8 + 0.18 * (double)(i + 1) / n, err);
    return status;
}

static ml_status fit_final(stacking *s, ml_error *err)
{
    mli_design *d = NULL;
    ml_status status = mli_stack_design(s->judged, s->features, s->rows, &d, err);
    if (!status) status = mli_part_fit(s->job, &s->final, 0, d, NULL, 0.98, 1, err);
    mli_design_free(d);
    return status;
}

static ml_status run_fit(stacking *s, ml_error *err)
{
    mli_fit *job = s->job;
    int64_t outputs;
    s->judged = job->valid ? job->valid : job->train;
    mli_heldout_kind(job->train, &outputs);
    ml_status status =
        mli_stack_inputs(job->train->inputs, &s->members, &s->features, err);
    if (status) return status;
    s->rows = mli_alloc_vec(job->ctx, s->judged->rows * s->features->n_features,
                            sizeof *s->rows);
    s->one = mli_alloc_vec(job->ctx, s->judged->rows * outputs, sizeof *s->one);
    if (!s->rows || !s->one) return mli_nomem(err);
    if (!job->valid) status = predict_held_out(s, err);
    if (!status) status = fit_members(s, err);
    if (!status && job->valid) status = predict_valid(s, err);
    return status ? status : fit_final(s, err);
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    const char *const *items;
    ml_params *kept = NULL;
    ml_status status;
    mli_fit own = *job;
    stacking s = {.job = &own};
    if (mli_get_strs(job->params, "final", &items) == 0) {
        status = mli_stack_params(job->ctx, job->model->algorithm, job->train->inputs,
                                  job->params, &kept, err);
        if (status) return status;
        ml_params_free(job->model->params);
        job->model->params = kept;
        own.params = kept;
    }
    status = list_parts(job->ctx, own.params, &s.members, &s.final, err);
    if (!status) status = run_fit(&s, err);
    stacking_free(&s);
    return status;
}

/* ---- the model ---- */

static ml_status plan(const ml_model *m, const char *kind, mli_plan **out, ml_error *err)
{
    return mli_stack_plan(m, &params[0], &params[1], kind, out, err);
}

static ml_status check(const ml_model *m, ml_error *err)
{
    return mli_stack_check(m, &params[0], &params[1], err);
}

static ml_status part(const ml_model *m, const char *name, ml_model **out, ml_error *err)
{
    return mli_stack_part(m, &params[0], &params[1], name, out, err);
}

/* What all members can. */
static void describe(const ml_params *p, mli_descriptor *out)
{
    const char *const *items;
    mli_param_part part;
    out->caps |= mli_parts_text(&params[0], p);
    for (int list = 0; list < 2; list++) {
        int64_t n = mli_get_strs(p, params[list].name, &items);
        for (int64_t i = 0; i < n; i++) {
            if (mli_part_read(&params[list], items[i], &part, NULL)) continue;
            const mli_descriptor *last = mli_part_last(&part, p);
            if (!mli_is_predictor(last)) continue; /* fit says so */
            out->tasks &= last->tasks;
            if (!(part.d->caps & MLI_CAN_WEIGHTS))
                out->caps &= ~(uint32_t)MLI_CAN_WEIGHTS;
        }
    }
}

static const mli_kind kinds[] = {
    {"value", "rows", "What the final model makes of the members' values."},
    {"proba", "rows, classes", "The final model's probabilities."},
    {"class", "rows", "The most probable class."},
    {NULL, NULL, NULL}};

extern const mli_algorithm mli_stacking;
const mli_algorithm mli_stacking = {
    .head = {.name = "stacking",
             .aliases = "stacking_classifier,stacking_regressor",
             .title = "a model of what models predict",
             .doc = "Several models side by side, and a final model that learns from "
                    "their predictions for rows that they were not fitted to.",
             .family = "compose",
             .since = "0.1",
             .sort = MLI_SORT_ALGORITHM,
             .tasks = MLI_TASK_REGRESSION | MLI_TASK_CLASSIFICATION,
             .caps = MLI_CAN_MISSING | MLI_CAN_CATEGORIES | MLI_CAN_WEIGHTS |
                     MLI_CAN_EARLY_STOP,
             .params = params,
             .roles = mli_roles_supervised,
             .kinds = kinds},
    .fit = fit,
    .plan = plan,
    .check = check,
    .part = part,
    .describe = describe,
};
