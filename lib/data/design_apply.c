/* SPDX-License-Identifier: MIT
 *
 * data/design_apply.c: checks a table against the inputs of a model, and reads it as
 * they say.
 */
#include "data/design_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAMES_SHOWN 5

/* ---- columns that lack ---- */

static ml_status lacking(const mli_inputs *in, const ml_table *t, ml_error *err)
{
    int64_t n = 0, first = -1;
    mli_str s;
    mli_str_init(&s, NULL);
    for (int64_t j = 0; j < in->n_features; j++) {
        if (ml_table_find(t, in->features[j].name) >= 0) continue;
        if (first < 0) first = j;
        if (n < NAMES_SHOWN) {
            mli_str_printf(&s, "%s\"%s\"", n ? ", " : "", in->features[j].name);
        }
        n++;
    }
    if (n > NAMES_SHOWN) mli_str_printf(&s, " and %" PRId64 " more", n - NAMES_SHOWN);
    if (n == 1) {
        int64_t at = 0;
        (void)!mli_design_find(t, in->features[first].name, NULL, &at, err);
        mli_error_at(err, ML_E_NAME, "column \"%s\"", in->features[first].name);
    } else {
        mli_fail(err, ML_E_NAME, "the table lacks %" PRId64 " columns of the model: %s",
                 n, s.data);
        mli_error_hint(err, ML_E_NAME,
                       "columns are matched by name; are the names in the first row?");
    }
    mli_str_free(&s);
    char hint[400];
    snprintf(hint, sizeof hint, "%s", err ? ml_error_hint(err) : "");
    return mli_error_hint(err, ML_E_NAME, "%s (missing_columns=missing predicts without)",
                          hint);
}

/* Repeated names are ambiguous only when they are those of features. */
static ml_status check_repeats(const mli_inputs *in, const ml_table *t, ml_error *err)
{
    int64_t at = 0;
    ml_status status = ML_OK;
    if (t->names.count == t->n_columns) return ML_OK;
    for (int64_t j = 0; j < in->n_features && !status; j++) {
        status = mli_design_find(t, in->features[j].name, NULL, &at, err);
    }
    return status;
}

/* ---- features ---- */

typedef struct {
    ml_context *ctx;
    mli_design *d;
    int64_t *bad; /* [n_features] row of a bad or unseen value, or -1 */
    ml_status *status;
} reading;

static int is_text(int32_t type)
{
    return type == ML_TYPE_TEXT || type == ML_TYPE_CATEGORY;
}

/* Can a column of this type give the feature's values? */
static int fits(const mli_feature *f, int32_t type)
{
    if (f->kind == MLI_CATEGORICAL || f->hashed) return 1;
    if (f->kind == MLI_TEXT) return is_text(type);
    return is_text(type) || !mli_type_is_time(type) || mli_type_is_time(f->type);
}

static int needs_memory(const mli_feature *f, int32_t type)
{
    if (f->kind != MLI_NUMERIC) return f->kind == MLI_CATEGORICAL;
    if (f->hashed) return 1;
    return is_text(type) || (mli_type_is_time(type) && type != f->type);
}

static ml_status read_codes(const reading *r, int64_t j)
{
    const mli_feature *f = &r->d->inputs->features[j];
    mli_design_column *c = &r->d->columns[j];
    int32_t type = c->column->type;
    int64_t *bad = &r->bad[j];
    ml_status status =
        mli_code_apply(r->ctx, c->column, &f->levels, 1, &c->memory, &c->codes, bad);
    int numbers = is_text(f->type);
    int32_t other = numbers ? type : f->type;
    if (status || *bad < 0 || numbers == is_text(type)) return status;
    if ((other != ML_DTYPE_F64 && !mli_type_is_time(other)) || c->column->sparse.rows)
        return ML_OK;
    return mli_code_written(r->ctx, c->column, mli_type_is_time(other), f->order, numbers,
                            &f->levels, (int32_t *)c->memory->data, bad);
}

static void read_feature(void *arg, int64_t j, int32_t slot)
{
    const reading *r = arg;
    const mli_feature *f = &r->d->inputs->features[j];
    mli_design_column *c = &r->d->columns[j];
    (void)slot;
    r->bad[j] = -1;
    r->status[j] = ML_OK;
    if (!needs_memory(f, c->column->type)) return;
    if (f->kind == MLI_CATEGORICAL) {
        r->status[j] = read_codes(r, j);
    } else if (f->hashed) {
        r->status[j] = mli_hash_apply(r->ctx, c->column, &c->memory, &c->values);
    } else {
        r->status[j] = mli_read_numbers(r->ctx, c->column, f->type, f->order, &c->memory,
                                        &c->values, &r->bad[j]);
    }
}

static const char *expected(const mli_feature *f)
{
    if (f->kind == MLI_TEXT) return "text";
    if (mli_type_is_time(f->type)) return f->type == ML_TYPE_DATE ? "dates" : "times";
    return "numbers";
}

static ml_status wrong_type(const mli_feature *f, const mli_column *c, ml_error *err)
{
    mli_fail(err, ML_E_TYPE, "the model expects %s (%s in training), this is %s",
             expected(f), mli_type_name(f->type), mli_type_name(c->type));
    return mli_error_at(err, ML_E_TYPE, "column \"%s\"", c->name);
}

static ml_status bad_value(const mli_feature *f, const mli_column *c, int64_t row,
                           ml_error *err)
{
    char shown[MLI_SHOWN];
    ml_status status = f->kind == MLI_CATEGORICAL ? ML_E_DATA : ML_E_TYPE;
    mli_show_value(c, row, shown);
    if (f->kind == MLI_CATEGORICAL) {
        mli_fail(err, status, "the category %s did not occur in training", shown);
    } else {
        mli_fail(err, status, "%s does not read as %s, which the model expects", shown,
                 mli_type_is_time(f->type) ? "a date" : "a number");
    }
    mli_error_at(err, status, "column \"%s\", row %" PRId64, c->name, row + 1);
    if (f->kind != MLI_CATEGORICAL)
        return mli_type_is_time(f->type)
                   ? mli_error_hint(err, status,
                                    "write dates as 2024-12-31, or tell the "
                                    "CSV reader their date_order")
                   : status;
    return mli_error_hint(err, status,
                          "the model was trained with unseen = error; with unseen = "
                          "missing such values count as missing");
}

static ml_status check_features(const reading *r, ml_error *err)
{
    const mli_inputs *in = r->d->inputs;
    for (int64_t j = 0; j < in->n_features; j++) {
        const mli_feature *f = &in->features[j];
        if (r->status[j]) return mli_nomem(err);
        if (r->bad[j] < 0) continue;
        if (f->kind == MLI_CATEGORICAL && !in->unseen_error) continue;
        return bad_value(f, r->d->columns[j].column, r->bad[j], err);
    }
    return ML_OK;
}

/* Features that need memory of their own, in parallel over the features. */
static ml_status read_all(mli_design *d, ml_error *err)
{
    size_t n = (size_t)d->n_features;
    reading r = {.ctx = d->ctx, .d = d};
    r.bad = mli_alloc(d->ctx, n * sizeof *r.bad);
    r.status = mli_alloc(d->ctx, n * sizeof *r.status);
    ml_status status = r.bad && r.status ? ML_OK : mli_nomem(err);
    if (!status && d->rows * d->n_features > MLI_DESIGN_GRAIN) {
        mli_parallel(d->ctx, d->n_features, read_feature, &r);
    } else if (!status) {
        for (int64_t j = 0; j < d->n_features; j++) read_feature(&r, j, 0);
    }
    if (!status) status = check_features(&r, err);
    mli_free(d->ctx, r.bad);
    mli_free(d->ctx, r.status);
    return status;
}

static ml_status bind_features(mli_design *d, ml_error *err)
{
    const mli_inputs *in = d->inputs;
    int memory = 0;
    ml_status status = check_repeats(in, d->table, err);
    if (status) return status;
    for (int64_t j = 0; j < in->n_features; j++) {
        const mli_feature *f = &in->features[j];
        int64_t at = ml_table_find(d->table, f->name);
        if (at < 0) return lacking(in, d->table, err);
        d->columns[j].column = &d->table->columns[at];
        d->columns[j].kind = f->kind;
        memory |= needs_memory(f, d->table->columns[at].type);
    }
    for (int64_t j = 0; j < in->n_features; j++) {
        const mli_column *c = d->columns[j].column;
        if (!fits(&in->features[j], c->type)) {
            return wrong_type(&in->features[j], c, err);
        }
    }
    for (int64_t j = 0; j < in->n_features && !status; j++)
        if (in->features[j].kind == MLI_TEXT) status = mli_design_bind_text(d, j, err);
    return memory && !status ? read_all(d, err) : status;
}

/* ---- target and the like ---- */

/* Columns of roles that the table has. */
static ml_status role_column(const mli_design *d, const char *name, const char *role,
                             int required, const mli_column **out, ml_error *err)
{
    int64_t at = -1;
    *out = NULL;
    if (!name || (!required && ml_table_find(d->table, name) < 0)) return ML_OK;
    ml_status status = mli_design_find(d->table, name, NULL, &at, err);
    if (status) {
        mli_error_at(err, status, "%s \"%s\"", role, name);
        return status;
    }
    *out = &d->table->columns[at];
    return ML_OK;
}

static ml_status apply_targets(mli_design *d, ml_error *err)
{
    const mli_inputs *in = d->inputs;
    int64_t *at = mli_calloc(d->ctx, (size_t)in->n_targets, sizeof *at);
    ml_status status = at ? ML_OK : mli_nomem(err);
    for (int64_t k = 0; k < in->n_targets && !status; k++)
        status = mli_design_find(d->table, in->targets[k], "targets", &at[k], err);
    if (!status) status = mli_targets_read(d, at, in->n_targets, err);
    mli_free(d->ctx, at);
    return status;
}

static ml_status read_roles(mli_design *d, ml_error *err)
{
    const mli_inputs *in = d->inputs;
    int ranking = in->task == (int32_t)MLI_TASK_RANKING;
    const mli_column *target, *weight, *group, *offset, *event, *upper;
    ml_status status = role_column(d, in->target, "target", 1, &target, err);
    if (!status) status = role_column(d, in->weight, "weight", 0, &weight, err);
    if (!status) status = role_column(d, in->group, "group", ranking, &group, err);
    if (!status) status = role_column(d, in->offset, "offset", 0, &offset, err);
    if (!status) status = role_column(d, in->event, "event", 1, &event, err);
    if (!status) status = role_column(d, in->upper, "upper", 1, &upper, err);
    if (!status && in->n_targets)
        status = apply_targets(d, err);
    else if (!status && target)
        status = mli_target_apply(d, target, err);
    if (!status && weight) status = mli_weight_read(d, weight, err);
    if (!status && group) status = mli_group_read(d, group, err);
    if (!status && offset)
        status = mli_role_read(d, offset, "offset", 0, &d->offset, err);
    if (!status && event) status = mli_role_read(d, event, "event", 0, &d->event, err);
    if (!status && upper)
        status = mli_role_read(d, upper, "upper bound", 1, &d->upper, err);
    return status;
}

/* The table without the rows whose target is missing: a new reference. */
static ml_status rows_with_target(mli_inputs *in, const ml_table *table, ml_table **out,
                                  ml_error *err)
{
    int64_t *rows = NULL, count = 0, n = 0, one = -1, *at = &one;
    if (in->n_targets) at = mli_calloc(in->ctx, (size_t)in->n_targets, sizeof *at);
    if (!at) return mli_nomem(err);
    for (int64_t k = 0; in->target && k < (in->n_targets ? in->n_targets : 1); k++) {
        at[n] = ml_table_find(table, k ? in->targets[k] : in->target);
        n += at[n] >= 0;
    }
    ml_status status = mli_present_rows(in->ctx, table, at, n, &rows, &count, err);
    if (at != &one) mli_free(in->ctx, at);
    if (status) return status;
    if (!rows) {
        *out = ml_table_ref((ml_table *)table);
        return ML_OK;
    }
    mli_log(in->ctx, ML_LOG_INFO, "design",
            "%" PRId64 " of %" PRId64 " rows lack the target \"%s\" and are not used",
            table->rows - count, table->rows, in->target);
    status = ml_table_take(table, rows, count, out, err);
    mli_free(in->ctx, rows);
    return status;
}

ml_status mli_design_apply(mli_inputs *inputs, const ml_table *table, int need_target,
                           mli_design **out, ml_error *err)
{
    mli_design *d = NULL;
    ml_table *used = NULL;
    ml_status status = mli_inputs_check(inputs, err);
    if (!status && need_target) status = rows_with_target(inputs, table, &used, err);
    if (!status) {
        status = mli_design_alloc(inputs->ctx, used ? used : table, inputs, &d, err);
    }
    if (!status) status = bind_features(d, err);
    if (!status && need_target) {
        d->dropped = table->rows - d->rows;
        status = read_roles(d, err);
    }
    ml_table_free(used);
    if (status) {
        mli_design_free(d);
        return status;
    }
    *out = d;
    return ML_OK;
}
