/* SPDX-License-Identifier: MIT
 *
 * data/design_columns.c: finds which columns of a table are what, from the role
 * parameters.
 */
#include "data/design_parts.h"

#include <inttypes.h>
#include <string.h>

ml_status mli_design_find(const ml_table *t, const char *name, const char *what,
                          int64_t *out, ml_error *err)
{
    int64_t at = ml_table_find(t, name);
    if (at < 0) return mli_table_unknown(t, name, "the table", what, err);
    for (int64_t i = at + 1; i < t->n_columns && t->names.count < t->n_columns; i++) {
        if (strcmp(t->columns[i].name, name) != 0) continue;
        mli_fail(err, ML_E_DATA,
                 "two columns have this name: number %" PRId64 " and number %" PRId64,
                 at + 1, i + 1);
        mli_error_at(err, ML_E_DATA, "column \"%s\"", name);
        return mli_error_hint(err, ML_E_DATA, "rename one of them");
    }
    *out = at;
    return ML_OK;
}

/* Roles of an algorithm made of others can depend on these. */
static ml_status check_role(const mli_descriptor *d, const char *role, ml_error *err)
{
    if (mli_param_find(d, role)) return ML_OK;
    mli_fail(err, ML_E_ARGUMENT, "the last part of this %s has no use for it", d->name);
    mli_error_at(err, ML_E_ARGUMENT, "params.%s", role);
    return mli_error_hint(err, ML_E_ARGUMENT,
                          "leave it out, or end with an algorithm that has it");
}

/* The column that a role of one column names. */
static ml_status find_one(mli_columns *c, const ml_table *t, const mli_descriptor *d,
                          const ml_params *params, const char *role, int64_t *out,
                          ml_error *err)
{
    const mli_value *v = mli_params_find(params, role);
    *out = -1;
    if (!v || !v->text || !v->text[0]) return ML_OK;
    ml_status status = check_role(d, role, err);
    if (!status) status = mli_design_find(t, v->text, role, out, err);
    int also = (d->caps & MLI_CAN_TIME) && strcmp(role, "time") == 0;
    if (!status && !also) c->flags[*out] |= MLI_COLUMN_ROLE;
    return status;
}

/* Marks the columns that a role of many columns names. */
static ml_status mark_many(mli_columns *c, const ml_table *t, const ml_params *params,
                           const char *role, int flag, ml_error *err)
{
    const mli_value *v = mli_params_find(params, role);
    for (int64_t i = 0; v && i < v->count; i++) {
        int64_t at = ml_table_find(t, v->strs[i]);
        if (at < 0) return mli_design_find(t, v->strs[i], role, &at, err);
        /* Repeated names: `ignore` takes all of them, the others are ambiguous. */
        if (flag != MLI_COLUMN_ROLE) {
            ml_status status = mli_design_find(t, v->strs[i], role, &at, err);
            if (status) return status;
        }
        if (flag == MLI_COLUMN_TEXT && (c->flags[at] & MLI_COLUMN_CATEGORICAL)) {
            mli_fail(err, ML_E_ARGUMENT, "\"%s\" is both categorical and text",
                     v->strs[i]);
            mli_error_at(err, ML_E_ARGUMENT, "params.text");
            return mli_error_hint(err, ML_E_ARGUMENT, "take it out of one of the lists");
        }
        for (int64_t k = at; k < t->n_columns; k++) {
            if (strcmp(t->columns[k].name, v->strs[i]) == 0) {
                c->flags[k] = (uint8_t)(c->flags[k] | flag);
            }
            if (t->names.count == t->n_columns) break;
        }
    }
    return ML_OK;
}

/* Roles that the descriptor has beyond the common ones. */
static ml_status mark_others(mli_columns *c, const ml_table *t, const mli_descriptor *d,
                             const ml_params *params, ml_error *err)
{
    int64_t at = 0;
    for (const mli_param *p = d->roles; p && p->name; p++) {
        if (!(p->flags & MLI_FLAG_ROLE) || p->type != ML_PARAM_STR) continue;
        ml_status status = find_one(c, t, d, params, p->name, &at, err);
        if (status) return status;
    }
    return ML_OK;
}

/* `targets`: one is the target, several are a list whose first is the target. */
static ml_status find_targets(mli_columns *c, const ml_table *t, const mli_descriptor *d,
                              const ml_params *params, ml_error *err)
{
    const mli_value *v = mli_params_find(params, "targets");
    int64_t n = v ? v->count : 0;
    if (n == 0) return ML_OK;
    ml_status status = check_role(d, "targets", err);
    if (status) return status;
    if (c->target >= 0) {
        mli_fail(err, ML_E_ARGUMENT, "both a target and several targets are given");
        mli_error_at(err, ML_E_ARGUMENT, "params.targets");
        return mli_error_hint(err, ML_E_ARGUMENT, "set one of the two");
    }
    c->targets = mli_calloc(c->ctx, (size_t)n, sizeof *c->targets);
    if (!c->targets) return mli_nomem(err);
    for (int64_t k = 0; k < n; k++) {
        int64_t at = 0;
        status = mli_design_find(t, v->strs[k], "targets", &at, err);
        if (status) return status;
        for (int64_t i = 0; i < k; i++) {
            if (c->targets[i] != at) continue;
            mli_fail(err, ML_E_ARGUMENT, "the column \"%s\" is listed twice", v->strs[k]);
            return mli_error_at(err, ML_E_ARGUMENT, "params.targets");
        }
        c->flags[at] |= MLI_COLUMN_ROLE;
        c->targets[k] = at;
    }
    c->target = c->targets[0];
    c->n_targets = n > 1 ? n : 0;
    return ML_OK;
}

static int is_target(const mli_columns *c, int64_t at)
{
    int is = at == c->target;
    for (int64_t k = 0; k < c->n_targets; k++) is |= at == c->targets[k];
    return is;
}

static ml_status list_given(mli_columns *c, const ml_table *t, const mli_value *given,
                            ml_error *err)
{
    for (int64_t i = 0; i < given->count; i++) {
        int64_t at = ml_table_find(t, given->strs[i]);
        if (is_target(c, at)) {
            mli_fail(err, ML_E_ARGUMENT, "the target \"%s\" is among the features",
                     given->strs[i]);
            return mli_error_at(err, ML_E_ARGUMENT, "params.features");
        }
        for (int64_t k = 0; k < c->n; k++) {
            if (c->features[k] != at) continue;
            mli_fail(err, ML_E_ARGUMENT, "the column \"%s\" is listed twice",
                     given->strs[i]);
            return mli_error_at(err, ML_E_ARGUMENT, "params.features");
        }
        c->features[c->n++] = at;
    }
    return ML_OK;
}

/* All columns without another role; an ambiguous name is an error. */
static ml_status list_default(mli_columns *c, const ml_table *t, ml_error *err)
{
    for (int64_t i = 0; i < t->n_columns; i++) {
        int64_t at = 0;
        if (c->flags[i] & MLI_COLUMN_ROLE) continue;
        ml_status status = mli_design_find(t, t->columns[i].name, NULL, &at, err);
        if (status) return status;
        c->features[c->n++] = i;
    }
    return ML_OK;
}

static ml_status list_features(mli_columns *c, const ml_table *t, const ml_params *params,
                               ml_error *err)
{
    const mli_value *given = mli_params_find(params, "features");
    ml_status status =
        given && given->count ? list_given(c, t, given, err) : list_default(c, t, err);
    if (!status && c->n == 0) {
        mli_fail(err, ML_E_DATA, "no column is left to predict from");
        return mli_error_hint(err, ML_E_DATA,
                              "the table needs columns beside the target and those that "
                              "are ignored or have another role");
    }
    return status;
}

static ml_status need_target(const mli_columns *c, const mli_descriptor *d,
                             const ml_table *t, ml_error *err)
{
    const mli_param *p = mli_param_find(d, "target");
    if (c->target >= 0 || !p || !(p->flags & MLI_FLAG_REQUIRED)) return ML_OK;
    mli_fail(err, ML_E_ARGUMENT, "%s needs a target: the column to predict", d->name);
    mli_error_at(err, ML_E_ARGUMENT, "params.target");
    if (t->n_columns == 0) return ML_E_ARGUMENT;
    return mli_error_hint(err, ML_E_ARGUMENT, "set target to a column, such as \"%s\"",
                          t->columns[t->n_columns - 1].name);
}

static ml_status need_group(const mli_columns *c, const mli_descriptor *d, ml_error *err)
{
    if (c->group >= 0 || d->tasks != MLI_TASK_RANKING) return ML_OK;
    mli_fail(err, ML_E_ARGUMENT, "%s needs a group: the column of queries", d->name);
    return mli_error_at(err, ML_E_ARGUMENT, "params.group");
}

ml_status mli_columns_find(ml_context *ctx, const mli_descriptor *d,
                           const ml_params *params, const ml_table *table,
                           mli_columns *out, ml_error *err)
{
    mli_columns c = {.ctx = ctx};
    ml_status status = ML_OK;
    c.flags = mli_calloc(ctx, (size_t)table->n_columns, 1);
    c.features = mli_calloc(ctx, (size_t)table->n_columns, sizeof *c.features);
    if (!c.flags || !c.features) status = mli_nomem(err);
    if (!status) status = find_one(&c, table, d, params, "target", &c.target, err);
    if (!status) status = find_targets(&c, table, d, params, err);
    if (!status) status = need_target(&c, d, table, err);
    if (!status) status = find_one(&c, table, d, params, "weight", &c.weight, err);
    if (!status) status = find_one(&c, table, d, params, "group", &c.group, err);
    if (!status) status = need_group(&c, d, err);
    if (!status) status = find_one(&c, table, d, params, "time", &c.time, err);
    if (!status) status = find_one(&c, table, d, params, "offset", &c.offset, err);
    if (!status) status = find_one(&c, table, d, params, "event", &c.event, err);
    if (!status) status = find_one(&c, table, d, params, "upper", &c.upper, err);
    if (!status) status = mark_others(&c, table, d, params, err);
    if (!status) {
        status = mark_many(&c, table, params, "ignore", MLI_COLUMN_ROLE, err);
    }
    if (!status) {
        status = mark_many(&c, table, params, "categorical", MLI_COLUMN_CATEGORICAL, err);
    }
    if (!status) {
        status = mark_many(&c, table, params, "text", MLI_COLUMN_TEXT, err);
    }
    if (!status) {
        status = mark_many(&c, table, params, "features", MLI_COLUMN_LISTED, err);
    }
    if (!status) status = list_features(&c, table, params, err);
    if (status) {
        mli_columns_free(&c);
        return status;
    }
    *out = c;
    return ML_OK;
}

void mli_columns_free(mli_columns *c)
{
    mli_free(c->ctx, c->flags);
    mli_free(c->ctx, c->features);
    mli_free(c->ctx, c->targets);
}
