/* SPDX-License-Identifier: MIT
 *
 * data/design_train.c: a training table and its roles become a design and the inputs of
 * the model to be.
 */
#include "data/design_parts.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define FEW_LEVELS 1000 /* text with no more distinct values is never left out */

/* ---- rows with a target ---- */

/* The columns that are used, without the rows whose target is missing; the indices in `c`
 * become those of the new table. */
static ml_status drop_rows(mli_columns *c, const ml_table *table, const int64_t *rows,
                           int64_t count, ml_table **out, ml_error *err)
{
    int64_t *roles[] = {&c->target, &c->weight, &c->group, &c->time,
                        &c->offset, &c->event,  &c->upper};
    enum { ROLES = sizeof roles / sizeof *roles };
    size_t most = (size_t)(c->n + c->n_targets) + ROLES;
    int64_t n = 0;
    const char **names = mli_alloc(c->ctx, most * sizeof *names);
    uint8_t *flags = mli_calloc(c->ctx, most, 1);
    ml_table *selected = NULL;
    ml_status status = names && flags ? ML_OK : mli_nomem(err);
    for (int64_t j = 0; j < c->n && !status; j++) {
        names[n] = table->columns[c->features[j]].name;
        flags[n] = c->flags[c->features[j]];
        c->features[j] = n++;
    }
    for (int i = c->n_targets > 0; i < ROLES && !status; i++) {
        if (*roles[i] < 0) continue;
        names[n] = table->columns[*roles[i]].name;
        *roles[i] = n++;
    }
    for (int64_t k = 0; k < c->n_targets && !status; k++) {
        names[n] = table->columns[c->targets[k]].name;
        c->targets[k] = n++;
    }
    if (c->n_targets) c->target = c->targets[0];
    if (!status) status = ml_table_select(table, names, n, &selected, err);
    if (!status) status = ml_table_take(selected, rows, count, out, err);
    ml_table_free(selected);
    mli_free(c->ctx, names);
    mli_free(c->ctx, c->flags);
    c->flags = flags;
    return status;
}

/* The table to train from: *out is a new reference. */
static ml_status usable_rows(mli_columns *c, const ml_table *table, ml_table **out,
                             ml_error *err)
{
    int64_t *rows = NULL, count = table->rows;
    const mli_column *target = c->target < 0 ? NULL : &table->columns[c->target];
    int64_t n = c->n_targets ? c->n_targets : target != NULL;
    ml_status status = mli_present_rows(
        c->ctx, table, c->n_targets ? c->targets : &c->target, n, &rows, &count, err);
    if (status) return status;
    if (!rows) {
        *out = ml_table_ref((ml_table *)table);
        return ML_OK;
    }
    if (count == 0) {
        mli_fail(err, ML_E_DATA, "the target is missing in all %" PRId64 " rows",
                 table->rows);
        mli_error_at(err, ML_E_DATA, "column \"%s\"", target->name);
        status = mli_error_hint(err, ML_E_DATA, "choose another target");
    } else {
        mli_log(c->ctx, ML_LOG_WARNING, "design",
                "%" PRId64 " of %" PRId64 " rows lack the target \"%s\" and are not used",
                table->rows - count, table->rows, target->name);
        status = drop_rows(c, table, rows, count, out, err);
    }
    mli_free(c->ctx, rows);
    return status;
}

/* ---- features ---- */

typedef struct {
    const mli_column *column;
    int32_t kind;
    int listed; /* explicitly: never left out */
    int told;   /* its kind was given by the caller */
    mli_coding coding;
    int64_t bad; /* a row with a missing or infinite value, when that matters; or -1 */
    int empty;   /* no value at all */
    int damaged; /* text that is not UTF-8 */
    ml_status status;
} candidate;

typedef struct {
    ml_context *ctx;
    uint32_t caps;
    candidate *items;
} preparing;

/* The first row whose value is (not, when `finite` is 0) finite; -1 when none is. */
static int64_t find_row(const mli_column *c, int finite)
{
    double block[512];
    for (int64_t begin = 0; begin < c->rows; begin += 512) {
        int64_t n = c->rows - begin < 512 ? c->rows - begin : 512;
        mli_column_f64(c, begin, begin + n, block, 1);
        for (int64_t i = 0; i < n; i++) {
            int hit = finite ? !isnan(block[i]) : !isfinite(block[i]);
            if (hit) return begin + i;
        }
    }
    return -1;
}

static int64_t first_missing(const int32_t *codes, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++) {
        if (codes[i] < 0) return i;
    }
    return -1;
}

static int may_be_text(const preparing *p, const candidate *f)
{
    if (!(p->caps & MLI_CAN_TEXT) || f->told || f->column->type != ML_TYPE_TEXT) return 0;
    int64_t present = f->column->rows - f->coding.missing;
    return mli_reads_as_text(&f->coding.levels, present);
}

static int texts_are_valid(const mli_column *c)
{
    for (int64_t i = 0; i < c->rows; i++) {
        size_t size;
        const char *text = mli_column_text(c, i, &size);
        if (text && mli_utf8_valid(text, size) != size) return 0;
    }
    return 1;
}

static void prepare(void *arg, int64_t task, int32_t slot)
{
    const preparing *p = arg;
    candidate *f = &p->items[task];
    int strict = !(p->caps & MLI_CAN_MISSING);
    (void)slot;
    f->bad = -1;
    if (f->kind == MLI_CATEGORICAL) {
        f->status = mli_code_train(p->ctx, f->column, 0, &f->coding);
        if (!f->status && may_be_text(p, f)) {
            f->kind = MLI_TEXT;
            f->damaged = !mli_dictionary_valid(&f->coding.levels, 1);
            mli_coding_free(&f->coding);
            return;
        }
        f->empty = !f->status && f->coding.levels.n == 0;
        f->damaged = !f->status && !mli_dictionary_valid(&f->coding.levels, 1);
        if (!f->status && strict && f->coding.missing) {
            f->bad = first_missing(f->coding.codes, f->column->rows);
        }
    } else if (f->kind == MLI_NUMERIC) {
        f->empty = find_row(f->column, 1) < 0;
        if (strict) f->bad = find_row(f->column, 0);
    } else {
        f->empty = f->column->null_count == f->column->rows;
        f->damaged = !texts_are_valid(f->column);
    }
}

/* Text may turn out to be sentences: see prepare. */
static int32_t kind_of(const mli_column *c, int flags)
{
    int words = c->type == ML_TYPE_TEXT || c->type == ML_TYPE_CATEGORY;
    if (flags & MLI_COLUMN_TEXT) return MLI_TEXT;
    return words || flags & MLI_COLUMN_CATEGORICAL ? MLI_CATEGORICAL : MLI_NUMERIC;
}

static ml_status check_text(const mli_column *c, const mli_descriptor *d, ml_error *err)
{
    ml_status status = ML_OK;
    if (c->type != ML_TYPE_TEXT && c->type != ML_TYPE_CATEGORY) {
        status = mli_fail(err, ML_E_TYPE, "the column \"%s\" is %s, not text", c->name,
                          mli_type_name(c->type));
    } else if (!(d->caps & MLI_CAN_TEXT)) {
        mli_fail(err, ML_E_TYPE, "%s does not read text", d->name);
        status = mli_error_hint(err, ML_E_TYPE,
                                "put it behind tfidf in a pipeline, or leave the column "
                                "out of text");
    }
    return status ? mli_error_at(err, status, "params.text") : ML_OK;
}

/* Text whose values hardly repeat, and columns without any value. */
static int is_useless(const candidate *f)
{
    if (f->listed) return 0;
    if (f->empty) return 1;
    if (f->column->type != ML_TYPE_TEXT || f->kind != MLI_CATEGORICAL) return 0;
    int64_t present = f->column->rows - f->coding.missing, n = f->coding.levels.n;
    return n > FEW_LEVELS && n * 2 > present;
}

static ml_status check_candidate(const candidate *f, const mli_descriptor *d,
                                 ml_error *err)
{
    const mli_column *c = f->column;
    char shown[MLI_SHOWN];
    if (f->status) return mli_nomem(err);
    if (f->kind == MLI_CATEGORICAL && !(d->caps & MLI_CAN_CATEGORIES)) {
        mli_fail(err, ML_E_TYPE, "%s takes numbers only, this is %s", d->name,
                 mli_type_is_number(c->type) ? "categorical" : mli_type_name(c->type));
        mli_error_at(err, ML_E_TYPE, "column \"%s\"", c->name);
        return mli_error_hint(err, ML_E_TYPE,
                              "add it to ignore, or turn its values into numbers");
    }
    if (f->damaged) {
        mli_fail(err, ML_E_DATA, "the column has text that is not UTF-8");
        mli_error_at(err, ML_E_DATA, "column \"%s\"", c->name);
        return mli_error_hint(err, ML_E_DATA,
                              "convert it to UTF-8, or ignore the column");
    }
    if (f->bad < 0) return ML_OK;
    const char *what = "missing";
    if (f->kind == MLI_NUMERIC) {
        double v = 0;
        mli_column_f64(c, f->bad, f->bad + 1, &v, 1);
        if (!isnan(v)) what = mli_show_value(c, f->bad, shown);
    }
    mli_fail(err, ML_E_DATA, "the value is %s, and %s takes finite numbers only", what,
             d->name);
    mli_error_at(err, ML_E_DATA, "column \"%s\", row %" PRId64, c->name, f->bad + 1);
    return mli_error_hint(err, ML_E_DATA,
                          "fill in the value, remove the row, or add the column to "
                          "ignore");
}

/* Moves a candidate into the design and the inputs as feature j. */
static ml_status accept(mli_design *d, candidate *f, int64_t j, ml_error *err)
{
    mli_feature *feature = &d->inputs->features[j];
    mli_design_column *column = &d->columns[j];
    feature->name = mli_strdup(d->ctx, f->column->name);
    if (!feature->name) return mli_nomem(err);
    feature->kind = column->kind = f->kind;
    feature->type = f->column->type;
    feature->order = f->column->order;
    /* Text or coded text: the same rows give the same model. */
    if (f->kind == MLI_CATEGORICAL && feature->type == ML_TYPE_TEXT)
        feature->type = ML_TYPE_CATEGORY;
    column->column = f->column;
    if (f->kind == MLI_TEXT) return mli_design_bind_text(d, j, err);
    if (f->kind == MLI_CATEGORICAL) {
        column->codes = f->coding.codes;
        column->memory = f->coding.memory;
        feature->levels = f->coding.levels;
        memset(&f->coding, 0, sizeof f->coding);
    }
    return ML_OK;
}

static ml_status none_left(const mli_design *d, ml_error *err)
{
    mli_fail(err, ML_E_DATA,
             "no column is left to predict from: %s %s no value or one of its own in "
             "nearly every row",
             d->ignored, strchr(d->ignored, ',') ? "have" : "has");
    return mli_error_hint(err, ML_E_DATA, "list columns in features to use them anyway");
}

static ml_status accept_all(mli_design *d, candidate *items, int64_t n,
                            const mli_descriptor *desc, ml_error *err)
{
    int64_t kept = 0;
    mli_str ignored;
    mli_str_init(&ignored, d->ctx);
    ml_status status = ML_OK;
    for (int64_t j = 0; j < n && !status; j++) {
        candidate *f = &items[j];
        if (!f->status && is_useless(f)) {
            mli_str_printf(&ignored, "%s%s", ignored.size ? ", " : "", f->column->name);
            continue;
        }
        status = check_candidate(f, desc, err);
        if (!status) status = accept(d, f, kept++, err);
    }
    d->n_features = d->inputs->n_features = kept;
    if (!status && (ignored.failed || ignored.size)) {
        d->ignored = mli_str_take(&ignored);
        if (!d->ignored) status = mli_nomem(err);
        if (!status) {
            mli_log(d->ctx, ML_LOG_INFO, "design", "columns not used: %s", d->ignored);
        }
        if (!status && kept == 0) status = none_left(d, err);
    }
    mli_str_free(&ignored);
    return status;
}

static ml_status read_features(mli_design *d, const mli_columns *c,
                               const mli_descriptor *desc, ml_error *err)
{
    candidate *items = mli_calloc(d->ctx, (size_t)c->n, sizeof *items);
    ml_status status = ML_OK;
    if (!items) return mli_nomem(err);
    for (int64_t j = 0; j < c->n; j++) {
        uint8_t flags = c->flags[c->features[j]];
        items[j].column = &d->table->columns[c->features[j]];
        items[j].kind = kind_of(items[j].column, flags);
        items[j].told = flags & (MLI_COLUMN_TEXT | MLI_COLUMN_CATEGORICAL);
        items[j].listed = items[j].told | (flags & MLI_COLUMN_LISTED);
        if (items[j].kind == MLI_TEXT) status = check_text(items[j].column, desc, err);
        if (status) break;
    }
    if (status) {
        mli_free(d->ctx, items);
        return status;
    }
    preparing p = {d->ctx, desc->caps, items};
    mli_parallel(d->ctx, c->n, prepare, &p);
    status = accept_all(d, items, c->n, desc, err);
    for (int64_t j = 0; j < c->n; j++) mli_coding_free(&items[j].coding);
    mli_free(d->ctx, items);
    return status;
}

/* ---- roles ---- */

static ml_status role_name(mli_design *d, int64_t column, char **out, ml_error *err)
{
    if (column < 0) return ML_OK;
    *out = mli_strdup(d->ctx, d->table->columns[column].name);
    return *out ? ML_OK : mli_nomem(err);
}

static ml_status check_time(const mli_design *d, int64_t column, ml_error *err)
{
    if (column < 0) return ML_OK;
    const mli_column *c = &d->table->columns[column];
    if (c->type != ML_TYPE_TEXT && c->type != ML_TYPE_CATEGORY) return ML_OK;
    mli_fail(err, ML_E_TYPE, "time must be dates, times or numbers, this is %s",
             mli_type_name(c->type));
    return mli_error_at(err, ML_E_TYPE, "column \"%s\"", c->name);
}

static ml_status read_roles(mli_design *d, const mli_columns *c,
                            const mli_descriptor *desc, const ml_params *params,
                            ml_error *err)
{
    mli_inputs *in = d->inputs;
    const mli_value *unseen = mli_params_find(params, "unseen");
    const mli_column *columns = d->table->columns;
    in->unseen_error = unseen && unseen->text && mli_same_word(unseen->text, "error");
    in->task = (int32_t)(desc->tasks & ~(desc->tasks - 1));
    if (c->target < 0 && (desc->tasks & MLI_TASK_TRANSFORM))
        in->task = MLI_TASK_TRANSFORM;
    ml_status status = role_name(d, c->target, &in->target, err);
    if (!status) status = role_name(d, c->weight, &in->weight, err);
    if (!status) status = role_name(d, c->group, &in->group, err);
    if (!status) status = role_name(d, c->time, &in->time, err);
    if (!status) status = role_name(d, c->offset, &in->offset, err);
    if (!status) status = role_name(d, c->event, &in->event, err);
    if (!status) status = role_name(d, c->upper, &in->upper, err);
    if (!status) status = check_time(d, c->time, err);
    if (!status && c->weight >= 0 && !(desc->caps & MLI_CAN_WEIGHTS)) {
        mli_fail(err, ML_E_UNSUPPORTED, "%s does not take weights", desc->name);
        status = mli_error_at(err, ML_E_UNSUPPORTED, "params.weight");
    }
    if (!status && c->n_targets > 0) {
        status = mli_targets_train(d, desc, params, c->targets, c->n_targets, err);
    } else if (!status && c->target >= 0) {
        status = mli_target_train(d, desc, params, &columns[c->target], err);
    }
    if (!status && c->weight >= 0) status = mli_weight_read(d, &columns[c->weight], err);
    if (!status && c->group >= 0) status = mli_group_read(d, &columns[c->group], err);
    if (!status && c->offset >= 0)
        status = mli_role_read(d, &columns[c->offset], "offset", 0, &d->offset, err);
    if (!status && c->event >= 0)
        status = mli_role_read(d, &columns[c->event], "event", 0, &d->event, err);
    if (!status && c->upper >= 0)
        status = mli_role_read(d, &columns[c->upper], "upper bound", 1, &d->upper, err);
    return status;
}

ml_status mli_design_train(ml_context *ctx, const mli_descriptor *d,
                           const ml_params *params, const ml_table *table,
                           mli_design **out, ml_error *err)
{
    mli_columns columns;
    mli_inputs *inputs = NULL;
    mli_design *design = NULL;
    ml_table *used = NULL;
    ml_status status = mli_columns_find(ctx, d, params, table, &columns, err);
    if (status) return status;
    if (table->rows == 0) {
        mli_fail(err, ML_E_DATA, "the table has no rows");
        status = mli_error_hint(err, ML_E_DATA, "training needs rows");
    }
    if (!status) status = usable_rows(&columns, table, &used, err);
    if (!status) status = mli_inputs_new(ctx, columns.n, &inputs, err);
    if (!status) status = mli_design_alloc(ctx, used, inputs, &design, err);
    if (!status) {
        design->dropped = table->rows - used->rows;
        status = read_roles(design, &columns, d, params, err);
    }
    if (!status) status = read_features(design, &columns, d, err);
    mli_columns_free(&columns);
    mli_inputs_free(inputs);
    ml_table_free(used);
    if (status) {
        mli_design_free(design);
        return status;
    }
    *out = design;
    return ML_OK;
}
