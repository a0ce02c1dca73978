/* SPDX-License-Identifier: MIT
 *
 * compose/pipeline.c: steps one after another: transformers, and mostly a predicting
 * algorithm at the end. One estimator, one model, one predictor, one check of the table.
 *
 * Fit: each step is fitted to the columns that the step before it made of the training
 * rows. Tensors: "<step>.<tensor>". Cost: that of the steps, and one table between two.
 */
#include "algorithms/compose/compose.h"
#include "algorithms/prefixes.h"
#include "algorithms/prepare/prepare.h"
#include "core/json.h"

#include <string.h>

static const mli_param params[] = {
    {"steps", "stages", ML_PARAM_STRS, MLI_FLAG_REQUIRED | MLI_FLAG_PARTS, NULL, NULL,
     NULL, NULL,
     "The steps in order: names of algorithms, or name=algorithm. The parameters of a "
     "step are set as \"name.parameter\".",
     "0.1"},
    {"columns", "select", ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL,
     "The columns that it works on, for branches of `columns`: names, patterns with *, "
     "or "
     "kinds: number, category, text, date. The others are left out. Not set: all.",
     "0.1"},
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
    out->scores = 1;
    if (status) mli_parts_free(out);
    return status;
}

ml_status mli_pipeline_columns(const mli_inputs *in, const ml_params *p, uint8_t *chosen,
                               int *all, ml_error *err)
{
    const char *const *items;
    int64_t n = 0;
    *all = mli_get_strs(p, "columns", &items) == 0;
    memset(chosen, 1, (size_t)in->n_features);
    if (*all) return ML_OK;
    ml_status status = mli_prepare_pick(in, p, MLI_TAKES_ALL, chosen, err);
    for (int64_t j = 0; j < in->n_features && !status; j++) n += chosen[j];
    if (status || n) return status;
    mli_fail(err, ML_E_DATA, "no column is of the kind that it works on");
    return mli_error_at(err, ML_E_DATA, "params.columns");
}

/* What the first step gets; *chosen is NULL when it is everything. */
static ml_status first_inputs(const mli_inputs *in, const ml_params *p, mli_inputs **out,
                              uint8_t **chosen, ml_error *err)
{
    int all;
    *chosen = mli_calloc(in->ctx, (size_t)in->n_features, 1);
    if (!*chosen) return mli_nomem(err);
    ml_status status = mli_pipeline_columns(in, p, *chosen, &all, err);
    if (!status && all) {
        *out = mli_inputs_ref((mli_inputs *)(uintptr_t)in);
    } else if (!status) {
        status = mli_inputs_select(in, *chosen, out, err);
    }
    if (!status && !all) return ML_OK;
    mli_free(in->ctx, *chosen);
    *chosen = NULL;
    return status;
}

/* ---- fitting ---- */

/* The designs that a fit goes through: `own` ones are freed. */
typedef struct {
    mli_design *train, *valid;
    int own;
} stage;

static void stage_free(stage *s)
{
    if (!s->own) return;
    mli_design_free(s->train);
    mli_design_free(s->valid);
}

/* The columns of the job that the first step gets. */
static ml_status first_stage(mli_fit *job, stage *s, ml_error *err)
{
    mli_inputs *in = NULL;
    uint8_t *chosen = NULL;
    *s = (stage){(mli_design *)(uintptr_t)job->train, (mli_design *)(uintptr_t)job->valid,
                 0};
    ml_status status = first_inputs(job->train->inputs, job->params, &in, &chosen, err);
    if (status || !chosen) {
        mli_inputs_free(in);
        return status;
    }
    *s = (stage){.own = 1};
    status = mli_design_replace(job->train, in, job->train->table, &s->train, err);
    if (!status && job->valid)
        status = mli_design_replace(job->valid, in, job->valid->table, &s->valid, err);
    mli_free(job->ctx, chosen);
    mli_inputs_free(in);
    if (status) stage_free(s);
    return status;
}

/* Moves the designs on through a fitted step. */
static ml_status advance(mli_fit *job, const ml_model *m, stage *s, ml_error *err)
{
    stage next = {.own = 1};
    ml_status status = mli_part_transform(job, m, s->train, 1, &next.train, err);
    if (!status && s->valid)
        status = mli_part_transform(job, m, s->valid, 0, &next.valid, err);
    if (status) {
        stage_free(&next);
        return status;
    }
    stage_free(s);
    *s = next;
    return ML_OK;
}

/* Fits all steps but the last. */
static ml_status fit_prefix(mli_fit *job, mli_parts *p, stage *s, ml_error *err)
{
    ml_status status = ML_OK;
    for (int64_t i = 0; i < p->n - 1 && !status; i++) {
        double from = 0.2 * (double)i / (double)p->n;
        double to = 0.2 * (double)(i + 1) / (double)p->n;
        status = mli_part_fit(job, p, i, s->train, s->valid, from, to, err);
        if (!status) status = advance(job, p->model[i], s, err);
    }
    return status;
}

/* All that the result of fit_prefix depends on beside the designs, as text. */
static char *prefix_key(const mli_fit *job, const mli_parts *p)
{
    mli_str s;
    const char *const *columns;
    int64_t n = mli_get_strs(job->params, "columns", &columns);
    int ok = 1;
    mli_str_init(&s, job->ctx);
    for (int64_t i = 0; i < n; i++) mli_json_str(&s, columns[i]);
    for (int64_t i = 0; i < p->n - 1 && ok; i++) {
        ml_params *own = NULL;
        ok = mli_params_part(job->params, p->part[i].name, &own, NULL) == ML_OK;
        mli_str_printf(&s, "%s=%s ", p->part[i].name, p->part[i].d->name);
        if (ok) mli_params_json(&s, own);
        ml_params_free(own);
    }
    if (ok && !s.failed) return mli_str_take(&s);
    mli_str_free(&s);
    return NULL;
}

/* Steps fitted before, with what they make of the designs. */
static ml_status adopt_prefix(mli_fit *job, mli_parts *p, const mli_prefix *x, stage *s,
                              ml_error *err)
{
    ml_status status = ML_OK;
    for (int64_t i = 0; i < x->n && !status; i++)
        status = mli_part_adopt(job, p, i, x->model[i], err);
    stage_free(s);
    *s = (stage){x->out_train, x->out_valid, 0};
    return status;
}

/* All steps but the last, fitted or found; *held is to be released. */
static ml_status pass_prefix(mli_fit *job, mli_parts *p, stage *s, mli_prefix **held,
                             ml_error *err)
{
    mli_prefixes *known = job->hooks->prefixes;
    char *key = known && p->n > 1 ? prefix_key(job, p) : NULL;
    *held = key ? mli_prefixes_get(known, job->train, job->valid, key) : NULL;
    ml_status status =
        *held ? adopt_prefix(job, p, *held, s, err) : fit_prefix(job, p, s, err);
    /* A fit that was told to stop gives less than the key says. */
    int whole = mli_run_state(job->run) == ML_CONTINUE;
    if (!status && key && !*held && s->own && whole) {
        *held = mli_prefixes_put(known, job->train, job->valid, key, p->model, p->n - 1,
                                 s->train, s->valid);
        if (*held) s->own = 0;
    }
    mli_free(job->ctx, key);
    return status;
}

static ml_status fit_steps(mli_fit *job, mli_parts *p, ml_error *err)
{
    stage s;
    mli_prefix *held = NULL;
    int64_t last = p->n - 1;
    ml_status status = first_stage(job, &s, err);
    if (status) return status;
    status = pass_prefix(job, p, &s, &held, err);
    if (!status)
        status = mli_part_fit(job, p, last, s.train, s.valid,
                              0.2 * (double)last / (double)p->n, 1, err);
    if (held) mli_prefixes_release(job->hooks->prefixes, held);
    stage_free(&s);
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

/* All steps as models; `checking`: those of a file, for the first time. *chosen
 * (nullable) as of first_inputs. */
static ml_status load_steps(const ml_model *m, int checking, mli_parts *p,
                            uint8_t **chosen, ml_error *err)
{
    mli_inputs *in = NULL, *next;
    uint8_t *picked = NULL;
    ml_status status = list_steps(m->ctx, m->params, p, err);
    if (status) return status;
    status = first_inputs(m->inputs, m->params, &in, &picked, err);
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
    if (!status && chosen)
        *chosen = picked;
    else
        mli_free(m->ctx, picked);
    return status;
}

static ml_status make_plans(const ml_model *m, const char *kind, const mli_parts *p,
                            const uint8_t *chosen, mli_plan **plans, int64_t *n,
                            ml_error *err)
{
    ml_status status = ML_OK;
    *n = 0;
    if (chosen)
        status =
            mli_gather_plan(m->ctx, m->inputs->n_features, chosen, &plans[(*n)++], err);
    for (int64_t i = 0; i < p->n && !status; i++) {
        const char *step = i == p->n - 1 ? kind : "transform";
        if (mli_part_algorithm(&p->part[i])->resample) continue;
        status = mli_plan_new(p->model[i], step, NULL, &plans[*n], err);
        if (!status) ++*n;
    }
    return status;
}

static ml_status plan(const ml_model *m, const char *kind, mli_plan **out, ml_error *err)
{
    mli_parts p = {0};
    uint8_t *chosen = NULL;
    int64_t n = 0;
    ml_status status = load_steps(m, 0, &p, &chosen, err);
    if (status) return status;
    mli_plan **plans = mli_calloc(m->ctx, (size_t)p.n + 2, sizeof(mli_plan *));
    if (!plans) status = mli_nomem(err);
    if (!status) status = make_plans(m, kind, &p, chosen, plans, &n, err);
    if (!status && n == 0) { /* nothing that a prediction does */
        uint8_t *all = mli_calloc(m->ctx, (size_t)m->inputs->n_features, 1);
        if (!all) status = mli_nomem(err);
        if (all) memset(all, 1, (size_t)m->inputs->n_features);
        if (all)
            status =
                mli_gather_plan(m->ctx, m->inputs->n_features, all, &plans[n++], err);
        mli_free(m->ctx, all);
    }
    mli_free(m->ctx, chosen);
    if (!status) return mli_chain_plan(m->ctx, plans, n, &p, out, err);
    for (int64_t i = 0; plans && i < n; i++) mli_plan_free(plans[i]);
    mli_free(m->ctx, plans);
    mli_parts_free(&p);
    return status;
}

static ml_status outputs(const ml_model *m, mli_inputs **out, ml_error *err)
{
    mli_parts p = {0};
    ml_status status = load_steps(m, 0, &p, NULL, err);
    if (status) return status;
    status = mli_model_outputs(p.model[p.n - 1], out, err);
    mli_parts_free(&p);
    return status;
}

static ml_status check(const ml_model *m, ml_error *err)
{
    mli_parts p = {0};
    ml_status status = load_steps(m, 1, &p, NULL, err);
    if (!status) mli_parts_free(&p);
    return status;
}

static ml_status part(const ml_model *m, const char *name, ml_model **out, ml_error *err)
{
    mli_parts p = {0};
    ml_status status = load_steps(m, 0, &p, NULL, err);
    if (status) return status;
    status = mli_parts_find(&p, name, out);
    mli_parts_free(&p);
    return status;
}

/* As a step of another pipeline: what its steps give for training. */
static ml_status last_stage(mli_fit *job, stage *s, ml_error *err)
{
    mli_parts p = {0};
    ml_status status = load_steps(job->model, 0, &p, NULL, err);
    if (status) return status;
    mli_fit own = *job;
    own.valid = NULL;
    status = first_stage(&own, s, err);
    if (status) {
        mli_parts_free(&p);
        return status;
    }
    for (int64_t i = 0; i < p.n && !status; i++)
        status = advance(&own, p.model[i], s, err);
    if (!status && s->train->rows != job->train->rows)
        status = mli_fail(err, ML_E_UNSUPPORTED,
                          "steps that change the rows of training cannot stand in a "
                          "branch or an inner pipeline");
    mli_parts_free(&p);
    if (status) stage_free(s);
    return status;
}

static ml_status train_rows(mli_fit *job, double *out, ml_error *err)
{
    stage s;
    ml_status status = last_stage(job, &s, err);
    if (status) return status;
    mli_design_rows(s.train, 0, s.train->rows, out, s.train->n_features);
    stage_free(&s);
    return ML_OK;
}

static ml_status train_table(mli_fit *job, const mli_inputs *outputs, ml_table **out,
                             ml_error *err)
{
    stage s;
    ml_table *t = NULL;
    ml_status status = last_stage(job, &s, err);
    if (status) return status;
    status = mli_table_alloc(job->ctx, job->train->rows, outputs->n_features, &t, err);
    for (int64_t j = 0; j < outputs->n_features && !status; j++)
        status =
            mli_design_show(s.train, j, outputs->features[j].name, &t->columns[j], err);
    if (!status) status = mli_table_seal(t, err);
    stage_free(&s);
    if (status)
        ml_table_free(t);
    else
        *out = t;
    return status;
}

int mli_pipeline_last(const ml_params *p, mli_param_part *out)
{
    const char *const *items;
    int64_t n = mli_get_strs(p, "steps", &items);
    return n > 0 && mli_part_read(params, items[n - 1], out, NULL) == ML_OK;
}

static const mli_algorithm *last_step(const ml_params *p)
{
    mli_param_part part;
    return mli_pipeline_last(p, &part) ? mli_part_algorithm(&part) : NULL;
}

static const mli_algorithm *offers(const ml_model *m)
{
    const mli_algorithm *last = last_step(m->params);
    return last ? last : m->algorithm;
}

/* What the parameters of the last step say, such as an objective for rankings. */
static uint32_t task_of(const ml_params *p)
{
    mli_param_part part;
    ml_params *own = NULL;
    if (!mli_pipeline_last(p, &part) || !part.d->task_of) return 0;
    uint32_t task =
        mli_params_part(p, part.name, &own, NULL) == ML_OK ? part.d->task_of(own) : 0;
    ml_params_free(own);
    return task;
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
        learning |= part.d->tasks & MLI_LEARNS;
    }
    out->caps |= mli_parts_text(params, p);
    const mli_algorithm *last = last_step(p);
    if (!last) return;
    const mli_param *target = mli_param_find(&last->head, "target");
    if (target && (target->flags & MLI_FLAG_REQUIRED)) out->roles = last->head.roles;
    out->tasks = last->head.tasks;
    if (mli_is_transformer(&last->head)) out->tasks |= learning ? learning : MLI_LEARNS;
    if (!(last->head.caps & MLI_CAN_WEIGHTS) && !mli_is_transformer(&last->head))
        out->caps &= ~MLI_CAN_WEIGHTS;
}

static const mli_kind kinds[] = {
    {"value", "rows", "What the last step predicts."},
    {"proba", "rows, classes", "The probabilities of the last step."},
    {"transform", "rows, columns", "The columns of the last step, where it makes some."},
    {NULL, NULL, NULL}};

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
             .roles = mli_roles_steps,
             .kinds = kinds,
             .task_of = task_of},
    .fit = fit,
    .plan = plan,
    .check = check,
    .outputs = outputs,
    .part = part,
    .offers = offers,
    .train_rows = train_rows,
    .train_table = train_table,
    .describe = describe,
};
