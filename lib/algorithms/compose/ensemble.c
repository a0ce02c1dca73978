/* SPDX-License-Identifier: MIT
 *
 * compose/ensemble.c: models side by side. What they predict, values or probabilities, is
 * averaged by weight, and thresholds of classes as well. (Dietterich, Ensemble Methods in
 * Machine Learning, 2000.)
 *
 * Tensors: "<member>.<tensor>", and "weights" f64 [members], which sum to 1. Imported
 * models have a program instead (program.h), which says what the members' predictions
 * become.
 * Cost: that of the members.
 */
#include "algorithms/compose/program.h"

#include <math.h>
#include <string.h>

static const mli_param params[] = {
    {"members", "estimators", ML_PARAM_STRS, MLI_FLAG_REQUIRED | MLI_FLAG_PARTS, NULL,
     NULL, NULL, NULL,
     "The models: names of algorithms, or name=algorithm. The parameters of a member are "
     "set as \"name.parameter\".",
     "0.1"},
    {"weights", NULL, ML_PARAM_F64S, MLI_FLAG_NULLABLE, "", "[0, inf)", NULL, NULL,
     "What each member counts, in their order. Equal when not given.", "0.1"},
    MLI_PARAM_END};

/* ---- the members ---- */

static ml_status wrong_weights(const char *problem, ml_error *err)
{
    mli_fail(err, ML_E_ARGUMENT, "%s", problem);
    mli_error_at(err, ML_E_ARGUMENT, "params.weights");
    return mli_error_hint(err, ML_E_ARGUMENT, "give one for each of the members");
}

static ml_status no_members(const mli_param *list, ml_error *err)
{
    mli_fail(err, ML_E_ARGUMENT, "an ensemble needs a member");
    mli_error_at(err, ML_E_ARGUMENT, "params.%s", list->name);
    return mli_error_hint(err, ML_E_ARGUMENT,
                          "name algorithms that predict: \"gbdt, logistic_regression\"");
}

static ml_status list_members(ml_context *ctx, const mli_param *list, const ml_params *p,
                              mli_parts *out, ml_error *err)
{
    ml_status status = mli_parts_new(ctx, list, p, out, err);
    if (status) return status;
    if (out->n == 0) status = no_members(list, err);
    for (int64_t i = 0; i < out->n && !status; i++)
        status = mli_part_predicts(list, &out->part[i], p, err);
    if (status) mli_parts_free(out);
    return status;
}

/* Weights that sum to 1, in the model's tensor. */
static ml_status add_weights(mli_fit *job, int64_t n, ml_error *err)
{
    const double *given;
    double *weights = NULL, sum = 0;
    int64_t count = mli_get_f64s(job->params, "weights", &given);
    if (count && count != n)
        return wrong_weights("there are not as many weights as members", err);
    for (int64_t i = 0; i < count; i++) sum += given[i];
    if (count && !(sum > 0 && isfinite(sum)))
        return wrong_weights("all weights are 0", err);
    ml_status status =
        mli_model_add(job->model, "weights", ML_DTYPE_F64, 1, &n, &weights, err);
    for (int64_t i = 0; i < n && !status; i++)
        weights[i] = count ? given[i] / sum : 1 / (double)n;
    return status;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    mli_parts p = {0};
    ml_status status = list_members(job->ctx, params, job->params, &p, err);
    if (status) return status;
    status = add_weights(job, p.n, err);
    double n = (double)p.n;
    for (int64_t i = 0; i < p.n && !status; i++)
        status = mli_part_fit(job, &p, i, job->train, job->valid, (double)i / n,
                              (double)(i + 1) / n, err);
    mli_parts_free(&p);
    return status;
}

static ml_status load_members(const ml_model *m, const mli_param *list, int checking,
                              mli_parts *p, ml_error *err)
{
    ml_status status = list_members(m->ctx, list, m->params, p, err);
    for (int64_t i = 0; !status && i < p->n; i++) {
        status = mli_part_load(m, p, i, m->inputs, err);
        if (!status && checking) status = mli_part_check(p->model[i], err);
    }
    if (status) mli_parts_free(p);
    return status;
}

ml_status mli_ensemble_check(const ml_model *m, const mli_param *list, ml_error *err)
{
    mli_parts p = {0};
    const double *weights;
    ml_status status = load_members(m, list, 1, &p, err);
    if (status) return status;
    status = mli_model_want(m, "weights", ML_DTYPE_F64, 1, &p.n, &weights, err);
    mli_parts_free(&p);
    return status;
}

/* ---- predicting ---- */

#define BLOCK       128
#define ALIGN(size) (((size_t)(size) + 63) & ~(size_t)63)

typedef struct {
    mli_plan plan;
    mli_parts models;
    mli_plan **plans; /* [models.n] */
    double *weights;  /* [models.n] */
    double *cuts;     /* [n_outputs] the weighted mean; NULL: no member has thresholds */
    size_t buffer;    /* bytes of the predictions of a block by one member */
} blend;

static void run_block(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                      double *out, char *scratch)
{
    const blend *b = (const blend *)plan;
    int64_t count = n * b->plan.n_outputs;
    double *one = (double *)(void *)scratch;
    memset(out, 0, (size_t)count * sizeof *out);
    for (int64_t k = 0; k < b->models.n; k++) {
        b->plans[k]->run(b->plans[k], rows, n, stride, one, scratch + b->buffer);
        for (int64_t i = 0; i < count; i++) out[i] += b->weights[k] * one[i];
    }
}

static void run(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                double *out, void *scratch)
{
    mli_run_blocks(plan, run_block, BLOCK, rows, n, stride, out, scratch);
}

static void blend_free(mli_plan *plan)
{
    blend *b = (blend *)plan;
    mli_plans_free(plan->ctx, b->plans, b->models.n);
    mli_free(plan->ctx, b->weights);
    mli_free(plan->ctx, b->cuts);
    mli_parts_free(&b->models);
    mli_free(plan->ctx, b);
}

/* The thresholds for the mean of probabilities: the mean of the members' thresholds. */
static ml_status blend_cuts(blend *b, ml_error *err)
{
    int64_t n = b->plan.n_outputs, with = 0;
    for (int64_t k = 0; k < b->models.n; k++) with += b->plans[k]->cuts != NULL;
    if (!with) return ML_OK;
    b->cuts = mli_calloc(b->plan.ctx, (size_t)n, sizeof *b->cuts);
    if (!b->cuts) return mli_nomem(err);
    for (int64_t k = 0; k < b->models.n; k++) {
        const double *cuts = b->plans[k]->cuts;
        for (int64_t j = 0; j < n; j++)
            b->cuts[j] += b->weights[k] * (cuts ? cuts[j] : 1 / (double)n);
    }
    b->plan.cuts = b->cuts;
    return ML_OK;
}

static ml_status fill_plans(blend *b, const ml_model *m, const char *kind, ml_error *err)
{
    const double *weights = NULL;
    size_t scratch = 0;
    ml_status status =
        mli_model_want(m, "weights", ML_DTYPE_F64, 1, &b->models.n, &weights, err);
    for (int64_t k = 0; k < b->models.n && !status; k++) {
        b->weights[k] = weights[k];
        status = mli_plan_new(b->models.model[k], kind, NULL, &b->plans[k], err);
        if (status) break;
        const mli_plan *p = b->plans[k];
        if (k && p->n_outputs != b->plans[0]->n_outputs)
            status = mli_fail(err, ML_E_FORMAT, "the members do not predict the same");
        if (p->scratch > scratch) scratch = p->scratch;
    }
    if (status) return status;
    b->plan.n_features = m->inputs->n_features;
    b->plan.n_outputs = b->plans[0]->n_outputs;
    b->plan.block = BLOCK;
    b->buffer = ALIGN(BLOCK * b->plan.n_outputs * (int64_t)sizeof(double));
    b->plan.scratch = b->buffer + ALIGN(scratch);
    return blend_cuts(b, err);
}

ml_status mli_ensemble_plan(const ml_model *m, const mli_param *list, const char *kind,
                            mli_plan **out, ml_error *err)
{
    blend *b = mli_calloc(m->ctx, 1, sizeof *b);
    if (!b) return mli_nomem(err);
    b->plan.ctx = m->ctx;
    b->plan.run = run;
    b->plan.free = blend_free;
    ml_status status = load_members(m, list, 0, &b->models, err);
    if (!status) {
        b->plans = mli_calloc(m->ctx, (size_t)b->models.n, sizeof(mli_plan *));
        b->weights = mli_calloc(m->ctx, (size_t)b->models.n, sizeof *b->weights);
        if (!b->plans || !b->weights) status = mli_nomem(err);
    }
    if (!status) status = fill_plans(b, m, kind, err);
    if (status)
        blend_free(&b->plan);
    else
        *out = &b->plan;
    return status;
}

static ml_status plan(const ml_model *m, const char *kind, mli_plan **out, ml_error *err)
{
    if (mli_model_find(m, "program")) return mli_program_plan(m, params, out, err);
    return mli_ensemble_plan(m, params, kind, out, err);
}

static ml_status check(const ml_model *m, ml_error *err)
{
    if (mli_model_find(m, "program")) return mli_program_check(m, params, err);
    return mli_ensemble_check(m, params, err);
}

static ml_status part(const ml_model *m, const char *name, ml_model **out, ml_error *err)
{
    if (mli_model_find(m, "program")) return mli_program_part(m, params, name, out, err);
    return mli_member_part(m, name, out, err);
}

/* What all members can. */
static void describe(const ml_params *p, mli_descriptor *out)
{
    const char *const *items;
    mli_param_part part;
    int64_t n = mli_get_strs(p, "members", &items);
    out->caps |= mli_parts_text(params, p);
    for (int64_t i = 0; i < n; i++) {
        if (mli_part_read(params, items[i], &part, NULL)) continue;
        const mli_descriptor *last = mli_part_last(&part, p);
        if (!mli_is_predictor(last)) continue; /* fit says so */
        out->tasks &= last->tasks;
        if (!(part.d->caps & MLI_CAN_WEIGHTS)) out->caps &= ~(uint32_t)MLI_CAN_WEIGHTS;
    }
}

static const mli_kind kinds[] = {
    {"value", "rows", "The weighted mean of the members' values."},
    {"proba", "rows, classes", "The weighted mean of the members' probabilities."},
    {"class", "rows", "The most probable class."},
    {NULL, NULL, NULL}};

static const mli_attribute attributes[] = {
    {"weights", "f64", "[members]", "What each member counts; they sum to 1."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_ensemble;
const mli_algorithm mli_ensemble = {
    .head = {.name = "ensemble",
             .aliases = "voting,blend",
             .title = "weighted mean of models",
             .doc = "Several models side by side, whose predictions are averaged by "
                    "weight: one estimator, one model file, one predictor.",
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
    .part = part,
    .describe = describe,
};
