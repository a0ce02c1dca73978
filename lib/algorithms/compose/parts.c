/* SPDX-License-Identifier: MIT
 *
 * compose/parts.c: the parts of a model: listing, loading, fitting, transforming.
 */
#include "algorithms/compose/compose.h"

#include <stdio.h>
#include <string.h>

int mli_is_transformer(const mli_descriptor *d)
{
    return (d->tasks & MLI_TASK_TRANSFORM) != 0;
}

int mli_is_predictor(const mli_descriptor *d)
{
    for (const mli_kind *k = d->kinds; k && k->name; k++)
        if (strcmp(k->name, "value") == 0 || strcmp(k->name, "proba") == 0) return 1;
    return 0;
}

const mli_descriptor *mli_part_last(const mli_param_part *part, const ml_params *whole)
{
    mli_param_part last;
    ml_params *own = NULL;
    const mli_descriptor *d = part->d;
    if (d != &mli_pipeline.head || mli_params_part(whole, part->name, &own, NULL))
        return d;
    if (mli_pipeline_last(own, &last)) d = mli_part_last(&last, own);
    ml_params_free(own);
    return d;
}

ml_status mli_part_predicts(const mli_param *list, const mli_param_part *part,
                            const ml_params *whole, ml_error *err)
{
    const mli_descriptor *last = mli_part_last(part, whole);
    if (mli_is_predictor(last)) return ML_OK;
    if (last == part->d)
        mli_fail(err, ML_E_ARGUMENT, "%s makes columns and does not predict", part->name);
    else
        mli_fail(err, ML_E_ARGUMENT,
                 "%s ends with %s, which makes columns and does not predict", part->name,
                 last->name);
    mli_error_at(err, ML_E_ARGUMENT, "params.%s", list->name);
    return mli_error_hint(err, ML_E_ARGUMENT,
                          last == part->d
                              ? "name an algorithm that predicts, such as gbdt"
                              : "add a last step that predicts, such as gbdt");
}

ml_status mli_parts_new(ml_context *ctx, const mli_param *list, const ml_params *params,
                        mli_parts *out, ml_error *err)
{
    const char *const *items;
    mli_parts p = {.ctx = ctx};
    ml_status status = ML_OK;
    p.n = mli_get_strs(params, list->name, &items);
    p.part = mli_calloc(ctx, (size_t)p.n, sizeof *p.part);
    p.model = mli_calloc(ctx, (size_t)p.n, sizeof(ml_model *));
    if (!p.part || !p.model) status = mli_nomem(err);
    for (int64_t i = 0; i < p.n && !status; i++)
        status = mli_part_read(list, items[i], &p.part[i], err);
    if (status)
        mli_parts_free(&p);
    else
        *out = p;
    return status;
}

void mli_parts_free(mli_parts *p)
{
    for (int64_t i = 0; p->model && i < p->n; i++) ml_model_free(p->model[i]);
    mli_free(p->ctx, p->model);
    mli_free(p->ctx, p->part);
    *p = (mli_parts){0};
}

static const mli_param *list_of(const mli_descriptor *d)
{
    const mli_param *p = d->params;
    while (p && p->name && !(p->flags & MLI_FLAG_PARTS)) p++;
    return p && p->name ? p : NULL;
}

/* `path`: where the parameters of the whole stand, "" or "a.b.". */
static uint32_t text_below(const mli_param *list, const ml_params *params,
                           const char *path)
{
    char name[256];
    mli_param_part part;
    uint32_t caps = 0;
    int length = snprintf(name, sizeof name, "%s%s", path, list->name);
    const mli_value *v = mli_params_find(params, name);
    for (int64_t i = 0; v && length < (int)sizeof name && i < v->count; i++) {
        if (mli_part_read(list, v->strs[i], &part, NULL)) continue;
        const mli_param *inner = list_of(part.d);
        caps |= part.d->caps;
        length = snprintf(name, sizeof name, "%s%s.", path, part.name);
        if (inner && length < (int)sizeof name) caps |= text_below(inner, params, name);
    }
    return caps & MLI_CAN_TEXT;
}

uint32_t mli_parts_text(const mli_param *list, const ml_params *params)
{
    return text_below(list, params, "");
}

/* ---- loading ---- */

ml_status mli_part_tensors(const ml_model *whole, const char *part, ml_model *m,
                           ml_error *err)
{
    char prefix[MLI_PART_NAME + 1];
    size_t n = (size_t)snprintf(prefix, sizeof prefix, "%s.", part);
    ml_status status = ML_OK;
    for (int64_t i = mli_model_place(whole, prefix); i < whole->count && !status; i++) {
        const char *name = whole->tensors[i].name;
        if (strncmp(name, prefix, n) != 0) break;
        status = mli_model_add_tensor(m, name + n, whole->tensors[i].tensor, err);
    }
    return status;
}

ml_status mli_part_load(const ml_model *whole, mli_parts *p, int64_t i,
                        mli_inputs *inputs, ml_error *err)
{
    const mli_param_part *part = &p->part[i];
    ml_params *params = NULL;
    ml_status status = mli_params_part(whole->params, part->name, &params, err);
    if (status) return status;
    status = mli_model_new(p->ctx, mli_part_algorithm(part), params, inputs, &p->model[i],
                           err);
    ml_params_free(params);
    if (!status) status = mli_part_tensors(whole, part->name, p->model[i], err);
    if (!status) status = mli_model_seal(p->model[i], err);
    return status;
}

ml_status mli_parts_find(const mli_parts *p, const char *name, ml_model **out)
{
    for (int64_t i = 0; i < p->n; i++) {
        if (strcmp(p->part[i].name, name) != 0) continue;
        *out = ml_model_ref(p->model[i]);
        return ML_OK;
    }
    return ML_E_NAME;
}

ml_status mli_member_part(const ml_model *whole, const char *name, ml_model **out,
                          ml_error *err)
{
    mli_parts p = {0};
    ml_status status = mli_parts_new(whole->ctx, list_of(&whole->algorithm->head),
                                     whole->params, &p, err);
    for (int64_t i = 0; !status && i < p.n; i++)
        if (strcmp(p.part[i].name, name) == 0)
            status = mli_part_load(whole, &p, i, whole->inputs, err);
    if (!status) status = mli_parts_find(&p, name, out);
    mli_parts_free(&p);
    return status;
}

ml_status mli_part_check(ml_model *part, ml_error *err)
{
    atomic_store(&part->unchecked, 1);
    return mli_model_check(part, err);
}

ml_status mli_part_outputs(const ml_model *model, const mli_inputs *whole,
                           mli_inputs **out, ml_error *err)
{
    mli_inputs *in = NULL;
    ml_status status = mli_model_outputs(model, &in, err);
    /* Those made for us have no roles yet. */
    if (!status && in != model->inputs) status = mli_inputs_take_roles(in, whole, err);
    if (status)
        mli_inputs_free(in);
    else
        *out = in;
    return status;
}

/* ---- fitting ---- */

static ml_status add_tensors(ml_model *whole, const char *part, const ml_model *m,
                             ml_error *err)
{
    ml_status status = ML_OK;
    mli_str name;
    mli_str_init(&name, whole->ctx);
    for (int64_t i = 0; i < m->count && !status; i++) {
        mli_str_clear(&name);
        mli_str_printf(&name, "%s.%s", part, m->tensors[i].name);
        status = name.failed
                     ? mli_nomem(err)
                     : mli_model_add_tensor(whole, name.data, m->tensors[i].tensor, err);
    }
    mli_str_free(&name);
    return status;
}

ml_status mli_part_place(const char *part, ml_status status, ml_error *err)
{
    char place[512];
    if (!status || !err || strncmp(ml_error_location(err), "params.", 7) != 0)
        return status;
    snprintf(place, sizeof place, "%s", ml_error_location(err) + 7);
    return mli_error_at(err, status, "params.%s.%s", part, place);
}

/* What the fit of a part has found, such as the members of automl, becomes a parameter of
 * the whole: the part is loaded by it. */
static ml_status keep_found(ml_model *whole, const char *part, const ml_params *asked,
                            const ml_model *m, ml_error *err)
{
    ml_params *found = NULL;
    mli_str path;
    mli_str_init(&path, whole->ctx);
    ml_status status = ml_params_new(whole->ctx, &found, err);
    for (int64_t i = 0; i < m->params->count && !status; i++) {
        const mli_value *v = &m->params->values[i],
                        *was = mli_params_find(asked, v->name);
        if (!v->given || (was && strcmp(was->text, v->text) == 0)) continue;
        mli_str_clear(&path);
        mli_str_printf(&path, "%s.%s", part, v->name);
        status = path.failed ? mli_nomem(err)
                             : ml_params_set_str(found, path.data, v->text, err);
    }
    if (!status && found->count)
        status = mli_params_put_all(whole->params, &whole->algorithm->head, found, err);
    mli_str_free(&path);
    ml_params_free(found);
    return status;
}

ml_status mli_part_fit(mli_fit *whole, mli_parts *p, int64_t i, const mli_design *train,
                       const mli_design *valid, double from, double to, ml_error *err)
{
    const mli_param_part *part = &p->part[i];
    ml_params *params = NULL;
    mli_run run;
    ml_status status = mli_design_suits(train, part->d, err);
    if (!status) status = mli_params_part(whole->params, part->name, &params, err);
    if (status) return mli_fit_named(part->name, status, err);
    mli_hooks hooks = *whole->hooks;
    hooks.start = NULL;
    hooks.prefixes = NULL; /* these designs are not the caller's */
    mli_run_part(&run, whole->run, from, to, 1);
    run.scores = p->scores && i == p->n - 1;
    status = mli_fit_part(whole->ctx, mli_part_algorithm(part), part->name, params, train,
                          valid, &hooks, &run, &p->model[i], err);
    if (!status) status = add_tensors(whole->model, part->name, p->model[i], err);
    if (!status) status = keep_found(whole->model, part->name, params, p->model[i], err);
    ml_params_free(params);
    return mli_part_place(part->name, status, err);
}

ml_status mli_part_adopt(mli_fit *whole, mli_parts *p, int64_t i, ml_model *fitted,
                         ml_error *err)
{
    p->model[i] = ml_model_ref(fitted);
    return add_tensors(whole->model, p->part[i].name, fitted, err);
}

/* ---- transforming ---- */

static mli_fit job_of(const mli_fit *whole, const ml_model *model,
                      const mli_design *design)
{
    return (mli_fit){.ctx = whole->ctx,
                     .params = model->params,
                     .train = design,
                     .run = whole->run,
                     .model = (ml_model *)(uintptr_t)model};
}

/* Rows that a transformer gives for training differ from those of its plan. */
static ml_status train_columns(mli_fit *whole, const ml_model *model,
                               const mli_design *design, const mli_inputs *outputs,
                               ml_table **out, ml_error *err)
{
    mli_fit job = job_of(whole, model, design);
    if (model->algorithm->train_table)
        return model->algorithm->train_table(&job, outputs, out, err);
    double *rows =
        mli_alloc_vec(whole->ctx, design->rows * outputs->n_features, sizeof *rows);
    if (!rows) return mli_nomem(err);
    ml_status status = model->algorithm->train_rows(&job, rows, err);
    if (!status)
        status = mli_columns_of_rows(whole->ctx, rows, design->rows, outputs, out, err);
    mli_free(whole->ctx, rows);
    return status;
}

static ml_status run_columns(mli_fit *whole, const ml_model *model,
                             const mli_design *design, const mli_inputs *outputs,
                             ml_table **out, ml_error *err)
{
    mli_plan *plan = NULL;
    ml_status status = mli_plan_new(model, "transform", NULL, &plan, err);
    if (status) return status;
    status = mli_plan_run_columns(plan, design, outputs, 1, whole->run, out, err);
    mli_plan_free(plan);
    return status;
}

ml_status mli_part_transform(mli_fit *whole, const ml_model *model,
                             const mli_design *design, int fitted, mli_design **out,
                             ml_error *err)
{
    mli_inputs *outputs = NULL;
    ml_table *table = NULL;
    if (fitted && model->algorithm->resample) {
        mli_fit job = job_of(whole, model, design);
        return model->algorithm->resample(&job, out, err);
    }
    ml_status status = mli_part_outputs(model, design->inputs, &outputs, err);
    if (status) return status;
    if (fitted && model->algorithm->train_rows)
        status = train_columns(whole, model, design, outputs, &table, err);
    else
        status = run_columns(whole, model, design, outputs, &table, err);
    if (!status) status = mli_design_replace(design, outputs, table, out, err);
    ml_table_free(table);
    mli_inputs_free(outputs);
    return status;
}
