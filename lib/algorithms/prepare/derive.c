/* SPDX-License-Identifier: MIT
 *
 * prepare/derive.c: columns from expressions, rows chosen by a condition, and columns
 * chosen by name. The language is in expr.h. No tensors: expressions are parameters, and
 * are compiled when a plan is made.
 */
#include "algorithms/prepare/expr.h"
#include "algorithms/prepare/prepare.h"

#include <math.h>
#include <string.h>

/* ---- derive ---- */

#define LIST  own[0] /* mli_expr *[size[0]] */
#define COUNT size[0]

/* "name = expression", the name in quotes or without: where the expression begins; the
 * name is [*name, *end). */
static const char *split(const char *text, const char **name, const char **end)
{
    char quote = *text == '"' || *text == '`' ? *text : 0;
    *name = text + (quote != 0);
    *end = strchr(*name, quote ? quote : '=');
    const char *equals = *end && quote ? *end + 1 + strspn(*end + 1, " ") : *end;
    if (!equals || *equals != '=' || equals[1] == '=') return NULL;
    while (!quote && *end > *name && (*end)[-1] == ' ') --*end;
    return *end == *name ? NULL : equals + 1;
}

static ml_status compile(const mli_inputs *in, const char *item, mli_expr **out,
                         ml_error *err)
{
    const char *name, *end, *text = split(item, &name, &end);
    if (text) return mli_expr_new(in, text + strspn(text, " "), out, err);
    mli_fail(err, ML_E_PARSE, "\"%s\" has no name: write name = expression", item);
    return mli_error_at(err, ML_E_PARSE, "params.expressions");
}

static void free_list(mli_expr **list, int64_t n)
{
    for (int64_t k = 0; list && k < n; k++) mli_expr_free(list[k]);
}

/* A feature whose name an expression takes goes. */
static void replace(mli_prepared *t, const char *item)
{
    const char *name, *end;
    if (!split(item, &name, &end)) return;
    for (int64_t j = 0; j < t->in->n_features; j++) {
        const char *own = t->in->features[j].name;
        if (strlen(own) == (size_t)(end - name) && !strncmp(own, name, strlen(own)))
            t->picked[j] = 1;
    }
}

static ml_status load(mli_prepared *t, ml_error *err)
{
    const char *const *items;
    int64_t n = mli_get_strs(t->model->params, "expressions", &items);
    mli_expr **list = mli_calloc(t->plan.ctx, (size_t)n, sizeof(mli_expr *));
    ml_status status = ML_OK;
    t->LIST = list;
    if (!list) return mli_nomem(err);
    for (int64_t k = 0; k < n && !status; k++) {
        status = compile(t->in, items[k], &list[k], err);
        replace(t, items[k]);
        if (!status) t->COUNT = k + 1;
    }
    return status;
}

static int64_t width(const mli_prepared *t, int64_t j)
{
    return j < t->in->n_features ? 0 : t->COUNT;
}

static ml_status describe(const mli_prepared *t, int64_t j, mli_feature *out,
                          ml_error *err)
{
    const char *const *items;
    ml_status status = ML_OK;
    (void)j;
    mli_get_strs(t->model->params, "expressions", &items);
    for (int64_t k = 0; k < t->COUNT && !status; k++) {
        const char *name, *end;
        if (!split(items[k], &name, &end)) continue;
        status = mli_prepare_name(t, &out[k], err, "%.*s", (int)(end - name), name);
        out[k].type = ((mli_expr *const *)t->LIST)[k]->type;
    }
    return status;
}

static void map(const mli_prepared *t, int64_t j, const double *in, int64_t stride,
                int64_t n, double *out, int64_t out_stride)
{
    mli_expr *const *list = t->LIST;
    (void)j;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < t->COUNT; k++)
            out[i * out_stride + k] = mli_expr_run(list[k], in + i * stride);
}

static void release(mli_prepared *t)
{
    free_list(t->LIST, t->COUNT);
}

static const mli_transformer kind = {.takes = 0,
                                     .more = 1,
                                     .load = load,
                                     .width = width,
                                     .describe = describe,
                                     .map = map,
                                     .release = release};
MLI_PREPARE_FUNCTIONS(kind)

/* Errors of expressions come up when a model is fitted. */
static ml_status fit(mli_fit *job, ml_error *err)
{
    const char *const *items;
    int64_t n = mli_get_strs(job->params, "expressions", &items);
    ml_status status = ML_OK;
    for (int64_t k = 0; k < n && !status; k++) {
        mli_expr *e = NULL;
        status = compile(job->train->inputs, items[k], &e, err);
        mli_expr_free(e);
    }
    return status;
}

static const mli_param params[] = {
    {"expressions", NULL, ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL,
     "The new columns, as \"name = expression\", such as \"rooms = total_rooms / "
     "households\". A column of that name is replaced.",
     "0.1"},
    MLI_PARAM_END};

extern const mli_algorithm mli_derive;
const mli_algorithm mli_derive = {
    .head = {MLI_PREPARE_HEAD, .name = "derive", .title = "columns from expressions",
             .doc =
                 "Adds columns that expressions make of the others, as SQL writes them: "
                 "arithmetic, comparisons, and, or, not, in, between, if, coalesce and "
                 "functions.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};

/* ---- row_filter ---- */

static const mli_transformer same_kind = {.takes = 0};

static ml_status same_plan(const ml_model *m, const char *name, mli_plan **out,
                           ml_error *err)
{
    (void)name;
    return mli_prepare_plan(m, &same_kind, out, err);
}

static ml_status same_outputs(const ml_model *m, mli_inputs **out, ml_error *err)
{
    return mli_prepare_outputs(m, &same_kind, out, err);
}

static ml_status condition(mli_fit *job, mli_expr **out, ml_error *err)
{
    const char *text = mli_get_str(job->params, "condition");
    *out = NULL;
    return *text ? mli_expr_new(job->train->inputs, text, out, err) : ML_OK;
}

static ml_status fit_filter(mli_fit *job, ml_error *err)
{
    mli_expr *e = NULL;
    ml_status status = condition(job, &e, err);
    mli_expr_free(e);
    return status;
}

static ml_status filter(mli_fit *job, mli_design **out, ml_error *err)
{
    const mli_design *d = job->train;
    mli_expr *e = NULL;
    int64_t n = 0;
    ml_status status = condition(job, &e, err);
    double *row = mli_alloc_vec(job->ctx, d->n_features, sizeof *row);
    int64_t *rows = mli_alloc_vec(job->ctx, d->rows, sizeof *rows);
    if (!status && (!row || !rows)) status = mli_nomem(err);
    for (int64_t i = 0; i < d->rows && !status; i++) {
        mli_design_rows(d, i, i + 1, row, d->n_features);
        double keep = e ? mli_expr_run(e, row) : 1;
        if (keep != 0 && !isnan(keep)) rows[n++] = i;
    }
    if (!status && n == 0)
        status = mli_fail(err, ML_E_DATA, "no row fulfils the condition \"%s\"",
                          mli_get_str(job->params, "condition"));
    if (!status) status = mli_design_take(d, rows, n, out, err);
    mli_free(job->ctx, rows);
    mli_free(job->ctx, row);
    mli_expr_free(e);
    return status;
}

static const mli_param filter_params[] = {
    {"condition", "where", ML_PARAM_STR, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL,
     "Rows are kept for which it is true, such as \"age >= 18 and country = 'NL'\". Not "
     "set: all.",
     "0.1"},
    MLI_PARAM_END};

extern const mli_algorithm mli_row_filter;
const mli_algorithm mli_row_filter = {
    .head = {MLI_PREPARE_HEAD, .name = "row_filter", .aliases = "filter",
             .title = "rows that fulfil a condition",
             .doc = "In a pipeline, trains the next steps from rows that fulfil a "
                    "condition. Predictions are made for all rows.",
             .caps = MLI_CAN_PREPARE | MLI_CAN_WEIGHTS | MLI_CAN_RESAMPLE,
             .params = filter_params, .roles = mli_roles_unsupervised},
    .fit = fit_filter,
    .plan = same_plan,
    .outputs = same_outputs,
    .resample = filter,
};

/* ---- select_columns ---- */

static ml_status load_selection(mli_prepared *t, ml_error *err)
{
    const char *const *items;
    int drop = mli_get_bool(t->model->params, "drop");
    (void)err;
    /* Picked are from now on those that it removes. */
    if (mli_get_strs(t->model->params, "columns", &items) == 0) drop = 0;
    for (int64_t j = 0; j < t->in->n_features && !drop; j++)
        t->picked[j] = (uint8_t)!t->picked[j];
    if (mli_get_strs(t->model->params, "columns", &items) == 0)
        memset(t->picked, 0, (size_t)t->in->n_features);
    return ML_OK;
}

static int64_t no_width(const mli_prepared *t, int64_t j)
{
    (void)t, (void)j;
    return 0;
}

static const mli_transformer selection = {
    .takes = MLI_TAKES_ALL, .load = load_selection, .width = no_width};

static ml_status selection_plan(const ml_model *m, const char *name, mli_plan **out,
                                ml_error *err)
{
    (void)name;
    return mli_prepare_plan(m, &selection, out, err);
}

static ml_status selection_outputs(const ml_model *m, mli_inputs **out, ml_error *err)
{
    return mli_prepare_outputs(m, &selection, out, err);
}

static ml_status fit_selection(mli_fit *job, ml_error *err)
{
    uint8_t *picked = NULL;
    ml_status status = mli_prepare_picked(job, MLI_TAKES_ALL, &picked, err);
    mli_free(job->ctx, picked);
    return status;
}

static const mli_param selection_params[] = {
    {"columns", "select", ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL,
     "The columns to keep: names, patterns with *, or kinds: number, category, text, "
     "date. Not set: all.",
     "0.1"},
    {"drop", NULL, ML_PARAM_BOOL, 0, "false", NULL, NULL, NULL,
     "Leave these columns out, and keep the others.", "0.1"},
    MLI_PARAM_END};

extern const mli_algorithm mli_select_columns;
const mli_algorithm mli_select_columns = {
    .head = {MLI_PREPARE_HEAD, .name = "select_columns", .aliases = "column_selector",
             .title = "some of the columns",
             .doc = "Keeps the columns that are named, or leaves them out.",
             .caps = MLI_CAN_PREPARE, .params = selection_params,
             .roles = mli_roles_unsupervised},
    .fit = fit_selection,
    .plan = selection_plan,
    .outputs = selection_outputs,
};
