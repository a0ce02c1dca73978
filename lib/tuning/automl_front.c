/* SPDX-License-Identifier: MIT
 *
 * automl_front.c: what automl makes of columns before anything is judged, so that all
 * candidates see it: numbers of dates (date_parts), and of text columns (tfidf), whose
 * columns are sparse: linear models gain from many, trees look at each. Neither looks at
 * the target, so folds may share them.
 *
 * Tensors: those of date_parts under "dates.", those of tfidf under "words."; what a
 * model has of them follows from its columns.
 */
#include "algorithms/compose/compose.h"
#include "tuning/automl.h"

#include <stdio.h>
#include <string.h>

#define MOST      3000 /* terms of a column */
#define MOST_CELL 3e8  /* values in all, 0 or not: fewer terms for many rows */
#define LEAST     50

/* ---- the steps ---- */

static int64_t first_date(const mli_inputs *in)
{
    for (int64_t j = 0; j < in->n_features; j++) {
        int32_t type = in->features[j].type;
        if (in->features[j].kind == MLI_NUMERIC &&
            (type == ML_TYPE_DATE || type == ML_TYPE_TIMESTAMP))
            return j;
    }
    return -1;
}

static ml_status date_params(const mli_design *d, ml_params *given, ml_error *err)
{
    (void)d;
    return ml_params_set_str(given, "parts",
                             "epoch, year, month, day, weekday, yearday, hour", err);
}

static int64_t terms_for(const mli_design *d)
{
    int64_t columns = 0;
    for (int64_t j = 0; j < d->n_features; j++) columns += d->columns[j].kind == MLI_TEXT;
    double most = MOST_CELL / ((double)d->rows * (double)columns + 1);
    return most > MOST ? MOST : most < LEAST ? LEAST : (int64_t)most;
}

/* d: NULL when the model is there already. */
static ml_status word_params(const mli_design *d, ml_params *given, ml_error *err)
{
    return ml_params_set_i64(given, "max_features", d ? terms_for(d) : MOST, err);
}

static const struct {
    const char *algorithm, *prefix;
    int64_t (*first)(const mli_inputs *in); /* column that needs it, or -1 */
    ml_status (*set)(const mli_design *d, ml_params *given, ml_error *err);
} steps[] = {{"date_parts", "dates.", first_date, date_params},
             {"tfidf", "words.", mli_inputs_text, word_params}};
#define STEPS ((int)(sizeof steps / sizeof *steps))

static const mli_algorithm *step_algorithm(int k)
{
    return (const mli_algorithm *)mli_catalog_find(
        steps[k].algorithm); /* a descriptor is its algorithm's first member */
}

static ml_status step_params(ml_context *ctx, int k, const mli_design *d, ml_params **out,
                             ml_error *err)
{
    ml_params *given = NULL;
    ml_status status = ml_params_new(ctx, &given, err);
    if (!status) status = steps[k].set(d, given, err);
    if (!status)
        status = mli_params_resolve(ctx, &step_algorithm(k)->head, given, out, err);
    ml_params_free(given);
    return status;
}

int64_t mli_automl_front_column(const mli_inputs *in)
{
    for (int k = 0; k < STEPS; k++)
        if (steps[k].first(in) >= 0) return steps[k].first(in);
    return -1;
}

/* ---- fitting ---- */

static ml_status keep(ml_model *whole, int k, const ml_model *step, ml_error *err)
{
    char name[64];
    ml_status status = ML_OK;
    for (int64_t i = 0; i < step->count && !status; i++) {
        snprintf(name, sizeof name, "%s%s", steps[k].prefix, step->tensors[i].name);
        status = mli_model_add_tensor(whole, name, step->tensors[i].tensor, err);
    }
    return status;
}

/* *rows: transformed, in place of what it was. */
static ml_status replace(const mli_fit *job, const ml_model *step,
                         const mli_design *first, const mli_design **rows, ml_error *err)
{
    mli_fit whole = *job;
    mli_design *made = NULL;
    ml_status status = mli_part_transform(&whole, step, *rows, 0, &made, err);
    if (status) return status;
    if (*rows != first) mli_design_free((mli_design *)(uintptr_t)*rows);
    *rows = made;
    return ML_OK;
}

static ml_status fit_step(const mli_fit *job, mli_fit *inner, int k, ml_error *err)
{
    ml_params *params = NULL;
    ml_model *step = NULL;
    mli_hooks hooks = {0};
    ml_status status = step_params(job->ctx, k, inner->train, &params, err);
    if (!status)
        status = mli_fit_part(job->ctx, step_algorithm(k), steps[k].algorithm, params,
                              inner->train, NULL, &hooks, job->run, &step, err);
    if (!status) status = keep(job->model, k, step, err);
    if (!status) status = replace(job, step, job->train, &inner->train, err);
    if (!status && job->valid)
        status = replace(job, step, job->valid, &inner->valid, err);
    ml_model_free(step);
    ml_params_free(params);
    return status;
}

ml_status mli_automl_front(const mli_fit *job, mli_fit *inner, ml_error *err)
{
    ml_status status = ML_OK;
    *inner = *job;
    for (int k = 0; k < STEPS && !status; k++)
        if (steps[k].first(inner->train->inputs) >= 0)
            status = fit_step(job, inner, k, err);
    if (status) mli_automl_front_free(job, inner);
    return status;
}

void mli_automl_front_free(const mli_fit *job, mli_fit *inner)
{
    if (inner->train != job->train)
        mli_design_free((mli_design *)(uintptr_t)inner->train);
    if (inner->valid != job->valid)
        mli_design_free((mli_design *)(uintptr_t)inner->valid);
}

/* ---- the model ---- */

static ml_status load_step(const ml_model *m, int k, mli_inputs *in, ml_model **out,
                           ml_error *err)
{
    size_t n = strlen(steps[k].prefix);
    ml_params *params = NULL;
    ml_model *step = NULL;
    ml_status status = step_params(m->ctx, k, NULL, &params, err);
    if (!status)
        status = mli_model_new(m->ctx, step_algorithm(k), params, in, &step, err);
    for (int64_t i = 0; i < m->count && !status; i++)
        if (strncmp(m->tensors[i].name, steps[k].prefix, n) == 0)
            status = mli_model_add_tensor(step, m->tensors[i].name + n,
                                          m->tensors[i].tensor, err);
    if (!status) status = mli_model_seal(step, err);
    ml_params_free(params);
    if (status)
        ml_model_free(step);
    else
        *out = step;
    return status;
}

/* The same model, of the columns that the last step makes. */
static ml_status load_inner(const ml_model *m, mli_inputs *in, ml_model **out,
                            ml_error *err)
{
    ml_model *inner = NULL;
    ml_status status = mli_model_new(m->ctx, m->algorithm, m->params, in, &inner, err);
    for (int64_t i = 0; i < m->count && !status; i++)
        status =
            mli_model_add_tensor(inner, m->tensors[i].name, m->tensors[i].tensor, err);
    if (!status) status = mli_model_seal(inner, err);
    if (status)
        ml_model_free(inner);
    else
        *out = inner;
    return status;
}

void mli_automl_chain_free(mli_automl_chain *c)
{
    for (int64_t i = 0; i < c->n; i++) ml_model_free(c->model[i]);
    c->n = 0;
}

ml_status mli_automl_front_load(const ml_model *m, mli_automl_chain *c, ml_error *err)
{
    mli_inputs *in = m->inputs, *next = NULL;
    ml_status status = ML_OK;
    c->n = 0;
    for (int k = 0; k < STEPS && !status; k++) {
        if (steps[k].first(in) < 0) continue;
        status = load_step(m, k, in, &c->model[c->n], err);
        if (status) break;
        status = mli_part_outputs(c->model[c->n++], in, &next, err);
        if (status) break;
        if (in != m->inputs) mli_inputs_free(in);
        in = next;
    }
    if (!status) status = load_inner(m, in, &c->model[c->n], err);
    if (!status) c->n++;
    if (in != m->inputs) mli_inputs_free(in);
    if (status) mli_automl_chain_free(c);
    return status;
}

/* The plans of the steps, then `rest`. */
ml_status mli_automl_front_plan(mli_automl_chain *c, mli_plan *rest, mli_plan **out,
                                ml_error *err)
{
    ml_context *ctx = c->model[0]->ctx;
    mli_parts models = {.ctx = ctx, .n = c->n};
    mli_plan **plans = mli_calloc(ctx, (size_t)c->n, sizeof(mli_plan *));
    models.model = mli_calloc(ctx, (size_t)c->n, sizeof(ml_model *));
    ml_status status = plans && models.model ? ML_OK : mli_nomem(err);
    for (int64_t i = 0; i < c->n - 1 && !status; i++)
        status = mli_plan_new(c->model[i], "transform", NULL, &plans[i], err);
    if (status) {
        for (int64_t i = 0; plans && i < c->n - 1; i++) mli_plan_free(plans[i]);
        mli_plan_free(rest);
        mli_free(ctx, plans);
        mli_free(ctx, models.model);
        mli_automl_chain_free(c);
        return status;
    }
    plans[c->n - 1] = rest;
    memcpy(models.model, c->model, (size_t)c->n * sizeof *c->model);
    return mli_chain_plan(ctx, plans, c->n, &models, out, err);
}
