/* SPDX-License-Identifier: MIT
 *
 * compose/pipeline.c: steps one after another: transformers, and mostly a predicting
 * algorithm at the end. One estimator, one model, one predictor, one check of the table.
 *
 * Fit: each step is fitted to the columns that the step before it made of the training
 * rows. Tensors: "<step>.<tensor>". Cost: that of the steps, and one table between two.
 */
#include "algorithms/compose/compose.h"
#include "algorithms/prepare/prepare.h"

#include <string.h>

static const mli_param params[] = {
    {"steps", "stages", ML_PARAM_STRS, MLI_FLAG_REQUIRED | MLI_FLAG_PARTS, NULL, NULL,
     NULL, NULL,
     "The steps in order: names of algorithms, or name=algorithm. The parameters of a "
     "step are set as \"name.parameter\".",
     "0.1"},
    MLI_PARAM_COLUMNS,
    MLI_PARAM_END};

static ml_status no_steps(ml_error *err)
{
    mli_fail(err, ML_E_ARGUMENT, "a pipeline needs a step");
    mli_error_at(err, ML_E_ARGUMENT, "params.steps");
    return mli_error_hint(err, ML_E_ARGUMENT,
                          "name algorithms: \"imputer, standard_scaler, gbdt\"");
}

static ml_status not_last(const mli_param_part *p, ml_error *err)
{
    mli_fail(err, ML_E_ARGUMENT, "the step \"%s\" predicts, and must be the last",
             p->name);
    return mli_error_at(err, ML_E_ARGUMENT, "params.steps");
}

static ml_status list_steps(ml_context *ctx, const ml_params *p, mli_parts *out,
                            ml_error *err)
{
    ml_status status = mli_parts_new(ctx, params, p, out, err);
    if (status) return status;
    if (out->n == 0) status = no_steps(err);
    for (int64_t i = 0; i + 1 < out->n && !status; i++)
        if (!mli_is_transformer(out->part[i].d)) status = not_last(&out->part[i], err);
    if (status) mli_parts_free(out);
    return status;
}

/* ---- fitting ---- */

/* Moves a design on through a fitted step. The one before is freed, but for the first. */
static ml_status advance(mli_fit *job, const ml_model *m, int fitted,
                         const mli_design *first, const mli_design **at, ml_error *err)
{
    mli_design *next = NULL;
    if (!*at) return ML_OK;
    ml_status status = mli_part_transform(job, m, *at, fitted, &next, err);
    if (status) return status;
    if (*at != first) mli_design_free((mli_design *)(uintptr_t)*at);
    *at = next;
    return ML_OK;
}

static ml_status fit_steps(mli_fit *job, mli_parts *p, ml_error *err)
{
    const mli_design *train = job->train, *valid = job->valid;
    ml_status status = ML_OK;
    for (int64_t i = 0; i < p->n && !status; i++) {
        int last = i == p->n - 1;
        double from = 0.2 * (double)i / (double)p->n;
        double to = last ? 1 : 0.2 * (double)(i + 1) / (double)p->n;
        status = mli_part_fit(job, p, i, train, valid, from, to, err);
        if (last || status) break;
        status = advance(job, p->model[i], 1, job->train, &train, err);
        if (!status) status = advance(job, p->model[i], 0, job->valid, &valid, err);
    }
    if (train != job->train) mli_design_free((mli_design *)(uintptr_t)train);
    if (valid != job->valid) mli_design_free((mli_design *)(uintptr_t)valid);
    return status;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    mli_parts p = {0};
    ml_status status = list_steps(job->ctx, job->params, &p, err);
    if (status) return status;
    status = fit_steps(job, &p, err);
    mli_parts_free(&p);
    return status;
}

/* ---- the model ---- */

/* All steps as models; `check`: those of a file, for the first time. */
static ml_status load_steps(const ml_model *m, int checking, mli_parts *p, ml_error *err)
{
    mli_inputs *in = mli_inputs_ref(m->inputs), *next;
    ml_status status = list_steps(m->ctx, m->params, p, err);
    for (int64_t i = 0; !status && i < p->n; i++) {
        status = mli_part_load(m, p, i, in, err);
        if (!status && checking) status = mli_part_check(p->model[i], err);
        if (status || i == p->n - 1) break;
        status = mli_part_outputs(p->model[i], m->inputs, &next, err);
        if (status) break;
        mli_inputs_free(in);
        in = next;
    }
    mli_inputs_free(in);
    if (status) mli_parts_free(p);
    return status;
}

static ml_status plan(const ml_model *m, const char *kind, mli_plan **out, ml_error *err)
{
    mli_parts p = {0};
    int64_t n = 0;
    ml_status status = load_steps(m, 0, &p, err);
    if (status) return status;
    mli_plan **plans = mli_calloc(m->ctx, (size_t)p.n, sizeof(mli_plan *));
    if (!plans) status = mli_nomem(err);
    for (; n < p.n && !status; n++) {
        const char *step = n == p.n - 1 ? kind : "transform";
        status = mli_plan_new(p.model[n], step, NULL, &plans[n], err);
    }
    if (!status) return mli_chain_plan(m->ctx, plans, n, &p, out, err);
    for (int64_t i = 0; plans && i < p.n; i++) mli_plan_free(plans[i]);
    mli_free(m->ctx, plans);
    mli_parts_free(&p);
    return status;
}

static ml_status outputs(const ml_model *m, mli_inputs **out, ml_error *err)
{
    mli_parts p = {0};
    ml_status status = load_steps(m, 0, &p, err);
    if (status) return status;
    status = mli_model_outputs(p.model[p.n - 1], out, err);
    mli_parts_free(&p);
    return status;
}

static ml_status check(const ml_model *m, ml_error *err)
{
    mli_parts p = {0};
    ml_status status = load_steps(m, 1, &p, err);
    if (!status) mli_parts_free(&p);
    return status;
}

/* The last step that stands in a set of parameters. */
static const mli_algorithm *last_step(const ml_params *p)
{
    const char *const *items;
    mli_param_part part;
    int64_t n = mli_get_strs(p, "steps", &items);
    if (n == 0 || mli_part_read(params, items[n - 1], &part, NULL)) return NULL;
    return mli_part_algorithm(&part);
}

static const mli_algorithm *offers(const ml_model *m)
{
    const mli_algorithm *last = last_step(m->params);
    return last ? last : m->algorithm;
}

/* Tasks and roles are those of the last step; text is taken when a step takes it. */
static void describe(const ml_params *p, mli_descriptor *out)
{
    const char *const *items;
    mli_param_part part;
    uint32_t learning = 0;
    int64_t n = mli_get_strs(p, "steps", &items);
    for (int64_t i = 0; i < n; i++) {
        if (mli_part_read(params, items[i], &part, NULL)) continue;
        out->caps |= part.d->caps & MLI_CAN_TEXT;
        learning |= part.d->tasks & (MLI_TASK_REGRESSION | MLI_TASK_CLASSIFICATION);
    }
    const mli_algorithm *last = last_step(p);
    if (!last) return;
    const mli_param *target = mli_param_find(&last->head, "target");
    if (target && (target->flags & MLI_FLAG_REQUIRED)) out->roles = last->head.roles;
    out->tasks = last->head.tasks;
    if (mli_is_transformer(&last->head))
        out->tasks |= learning ? learning : MLI_TASK_REGRESSION | MLI_TASK_CLASSIFICATION;
    if (!(last->head.caps & MLI_CAN_WEIGHTS) && !mli_is_transformer(&last->head))
        out->caps &= ~MLI_CAN_WEIGHTS;
}

static const mli_kind kinds[] = {
    {"value", "rows", "What the last step predicts."},
    {"proba", "rows, classes", "The probabilities of the last step."},
    {"transform", "rows, columns", "The columns of the last step, where it makes some."},
    {NULL, NULL, NULL}};

extern const mli_algorithm mli_pipeline;
const mli_algorithm mli_pipeline = {
    .head = {.name = "pipeline",
             .title = "steps one after another",
             .doc =
                 "Transformers one after another, and mostly a predicting algorithm at "
                 "the end: one estimator, one model file, one predictor. It predicts "
                 "what its last step does.",
             .family = "compose",
             .since = "0.1",
             .sort = MLI_SORT_ALGORITHM,
             .tasks = MLI_TASK_REGRESSION | MLI_TASK_CLASSIFICATION | MLI_TASK_RANKING |
                      MLI_TASK_SURVIVAL | MLI_TASK_TRANSFORM | MLI_TASK_CLUSTERING |
                      MLI_TASK_ANOMALY | MLI_TASK_FORECAST,
             .caps = MLI_CAN_MISSING | MLI_CAN_CATEGORIES | MLI_CAN_WEIGHTS |
                     MLI_CAN_EARLY_STOP,
             .params = params,
             .roles = mli_roles_prepare,
             .kinds = kinds},
    .fit = fit,
    .plan = plan,
    .check = check,
    .outputs = outputs,
    .offers = offers,
    .describe = describe,
};
