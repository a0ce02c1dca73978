/* SPDX-License-Identifier: MIT
 *
 * automl_front.c: what automl makes of columns before anything is judged, so that all
 * candidates see it: numbers that name things as categories too (to_category), numbers
 * of dates (date_parts), numbers out of all proportion made missing (clipper), and
 * numbers of text columns (tfidf), whose columns are sparse: linear models gain from
 * many, trees look at each. None looks at the target, but to find the numbers that name
 * things, so folds may share them.
 *
 * Tensors: those of date_parts under "dates.", those of tfidf under "words."; what a
 * model has of them follows from its columns. Those of to_category under "codes." and of
 * clipper under "limits." where a column had such numbers; "dates.span": the days that
 * the dates cover.
 */
#include "algorithms/compose/compose.h"
#include "tuning/automl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MOST      3000 /* terms of a column */
#define MOST_CELL 3e8  /* values in all, 0 or not: fewer terms for many rows */
#define LEAST     50
#define FEWEST    "2" /* rows of a number that is a level */
#define BLOCK     512
#define SPAN      "dates.span"

/* ---- the steps ---- */

static int is_date(const mli_feature *f)
{
    return f->kind == MLI_NUMERIC && mli_type_is_time(f->type);
}

static int64_t first_date(const mli_inputs *in)
{
    for (int64_t j = 0; j < in->n_features; j++)
        if (is_date(&in->features[j])) return j;
    return -1;
}

/* The most days that the dates of a column cover. */
static double days_covered(const mli_design *d)
{
    double room[BLOCK], most = 0;
    for (int64_t j = 0; j < d->n_features; j++) {
        const mli_feature *f = &d->inputs->features[j];
        double low = INFINITY, high = -INFINITY;
        for (int64_t i = 0, n; is_date(f) && i < d->rows; i += n) {
            n = d->rows - i < BLOCK ? d->rows - i : BLOCK;
            const double *x = mli_design_look(d, j, i, i + n, room);
            for (int64_t r = 0; r < n; r++) {
                low = x[r] < low ? x[r] : low;
                high = x[r] > high ? x[r] : high;
            }
        }
        double span = (high - low) / (f->type == ML_TYPE_DATE ? 1 : 86400e6);
        most = span > most ? span : most;
    }
    return most;
}

/* A part that has not come round says what the time itself says, and a line through both
 * would leave its way when it does. */
#define COMES_ROUND 1.25

static ml_status date_params(const mli_design *d, double span, ml_params *given,
                             ml_error *err)
{
    static const struct {
        const char *name;
        double days;
    } parts[] = {{", year", 365.25}, {", month", 365.25},   {", day", 30.5},
                 {", weekday", 7},   {", yearday", 365.25}, {", hour", 1}};
    char text[64] = "epoch";
    size_t n = strlen(text);
    (void)d;
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
        if (span >= COMES_ROUND * parts[k].days)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s", parts[k].name);
    return ml_params_set_str(given, "parts", text, err);
}

/* Which columns, mli_automl_codes finds. */
static ml_status code_params(const mli_design *d, double span, ml_params *given,
                             ml_error *err)
{
    (void)d, (void)span;
    ml_status status = ml_params_set_str(given, "keep", "true", err);
    return status ? status : ml_params_set_str(given, "min_count", FEWEST, err);
}

static ml_status limit_params(const mli_design *d, double span, ml_params *given,
                              ml_error *err)
{
    (void)d, (void)span;
    return ml_params_set_str(given, "outside", "missing", err);
}

static int64_t terms_for(const mli_design *d)
{
    int64_t columns = 0;
    for (int64_t j = 0; j < d->n_features; j++) columns += d->columns[j].kind == MLI_TEXT;
    double most = MOST_CELL / ((double)d->rows * (double)columns + 1);
    return most > MOST ? MOST : most < LEAST ? LEAST : (int64_t)most;
}

/* d: NULL when the model is there already. */
static ml_status word_params(const mli_design *d, double span, ml_params *given,
                             ml_error *err)
{
    (void)span;
    return ml_params_set_i64(given, "max_features", d ? terms_for(d) : MOST, err);
}

enum { CODES, DATES, LIMITS, WORDS, STEPS };
static const struct {
    const char *algorithm, *prefix;
    /* Column that needs it, or -1; NULL: their values decide. */
    int64_t (*first)(const mli_inputs *in);
    ml_status (*set)(const mli_design *d, double span, ml_params *given, ml_error *err);
    /* *out: its model, or NULL where no value needs it. Without `first`. */
    ml_status (*fit)(const mli_fit *job, const mli_algorithm *step,
                     const ml_params *params, ml_model **out, ml_error *err);
    const char *mark; /* a tensor of it */
} steps[STEPS] = {
    [CODES] = {"to_category", "codes.", NULL, code_params, mli_automl_codes,
               "codes.start"},
    [DATES] = {"date_parts", "dates.", first_date, date_params, NULL, NULL},
    [LIMITS] = {"clipper", "limits.", NULL, limit_params, mli_automl_limits,
                "limits.low"},
    [WORDS] = {"tfidf", "words.", mli_inputs_text, word_params, NULL, NULL}};

static const mli_algorithm *step_algorithm(int k)
{
    return (const mli_algorithm *)mli_catalog_find(
        steps[k].algorithm); /* a descriptor is its algorithm's first member */
}

static ml_status step_params(ml_context *ctx, int k, const mli_design *d, double span,
                             ml_params **out, ml_error *err)
{
    ml_params *given = NULL;
    ml_status status = ml_params_new(ctx, &given, err);
    if (!status) status = steps[k].set(d, span, given, err);
    if (!status)
        status = mli_params_resolve(ctx, &step_algorithm(k)->head, given, out, err);
    ml_params_free(given);
    return status;
}

static int has_step(const ml_model *m, int k, const mli_inputs *in)
{
    return steps[k].first ? steps[k].first(in) >= 0
                          : mli_model_find(m, steps[k].mark) != NULL;
}

int mli_automl_has_front(const ml_model *m)
{
    int any = 0;
    for (int k = 0; k < STEPS; k++) any |= has_step(m, k, m->inputs);
    return any;
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
    double span = 0, *kept;
    int64_t one = 1;
    ml_status status = ML_OK;
    if (k == DATES) {
        span = days_covered(inner->train);
        status = mli_model_add(job->model, SPAN, ML_DTYPE_F64, 1, &one, &kept, err);
        if (!status) *kept = span;
    }
    if (!status) status = step_params(job->ctx, k, inner->train, span, &params, err);
    if (!status && steps[k].fit)
        status = steps[k].fit(inner, step_algorithm(k), params, &step, err);
    else if (!status)
        status = mli_fit_part(job->ctx, step_algorithm(k), steps[k].algorithm, params,
                              inner->train, NULL, &hooks, job->run, &step, err);
    if (!status && step) status = keep(job->model, k, step, err);
    if (!status && step) status = replace(job, step, job->train, &inner->train, err);
    if (!status && step && job->valid)
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
        if (!steps[k].first || steps[k].first(inner->train->inputs) >= 0)
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
    const ml_tensor *span = mli_model_find(m, SPAN);
    ml_status status = step_params(
        m->ctx, k, NULL, span ? ml_tensor_get_f64(span, 0, 0) : INFINITY, &params, err);
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
        if (!has_step(m, k, in)) continue;
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
