/* SPDX-License-Identifier: MIT
 *
 * data/design_target.c: the columns that are not features: target, weight, group.
 */
#include "data/design_parts.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define ROW "column \"%s\", row %" PRId64

#define MOST_CLASSES      10000
#define MOST_FRACTIONS    100 /* more, that mostly differ, are a quantity */
#define MOST_LIKE_NUMBERS 20  /* more texts like numbers are numbers, unless told */

static int is_text(const mli_column *c)
{
    return c->type == ML_TYPE_TEXT || c->type == ML_TYPE_CATEGORY;
}

/* ---- rows that have a value ---- */

static int has_value(const mli_column *c, int64_t row)
{
    int64_t i = row * c->stride;
    size_t size = 0;
    if (c->sparse.rows) return 1;
    if (!mli_column_valid(c, row)) return 0;
    if (c->type == ML_DTYPE_F64) return !isnan(((const double *)c->data)[i]);
    if (c->type == ML_DTYPE_F32) return !isnan(((const float *)c->data)[i]);
    return !is_text(c) || mli_column_text(c, row, &size) != NULL;
}

static int has_values(const ml_table *t, const int64_t *columns, int64_t n, int64_t row)
{
    for (int64_t k = 0; k < n; k++)
        if (!has_value(&t->columns[columns[k]], row)) return 0;
    return 1;
}

static int may_lack(const mli_column *c)
{
    return c->null_count || c->type == ML_DTYPE_F64 || c->type == ML_DTYPE_F32;
}

ml_status mli_present_rows(ml_context *ctx, const ml_table *t, const int64_t *columns,
                           int64_t n, int64_t **rows, int64_t *count, ml_error *err)
{
    int64_t kept = 0;
    int some = 0;
    *rows = NULL;
    *count = t->rows;
    for (int64_t k = 0; k < n; k++) some |= may_lack(&t->columns[columns[k]]);
    if (!some) return ML_OK;
    for (int64_t i = 0; i < t->rows; i++) kept += has_values(t, columns, n, i);
    if (kept == t->rows) return ML_OK;
    int64_t *list = mli_alloc(ctx, (size_t)kept * sizeof *list);
    if (!list) return mli_nomem(err);
    kept = 0;
    for (int64_t i = 0; i < t->rows; i++) {
        if (has_values(t, columns, n, i)) list[kept++] = i;
    }
    *rows = list;
    *count = kept;
    return ML_OK;
}

/* ---- the target as a number ---- */

static ml_status not_a_number(const mli_column *c, int64_t row, ml_error *err)
{
    char shown[MLI_SHOWN];
    mli_fail(err, ML_E_TYPE, "%s is not a number, and the target must be numbers here",
             mli_show_value(c, row, shown));
    mli_error_at(err, ML_E_TYPE, ROW, c->name, row + 1);
    return mli_error_hint(err, ML_E_TYPE,
                          "mend the row, or use an algorithm for classification");
}

static ml_status read_y(mli_design *d, const mli_column *c, ml_error *err)
{
    mli_buffer *memory = NULL;
    const double *values = NULL;
    int64_t bad = -1;
    d->y = mli_calloc(d->ctx, (size_t)d->rows, sizeof *d->y);
    if (!d->y) return mli_nomem(err);
    if (is_text(c)) {
        if (mli_read_numbers(d->ctx, c, ML_DTYPE_F64, 0, &memory, &values, &bad)) {
            return mli_nomem(err);
        }
        if (bad < 0 && d->rows) memcpy(d->y, values, (size_t)d->rows * sizeof *d->y);
        mli_buffer_free(memory);
        if (bad >= 0) return not_a_number(c, bad, err);
    } else {
        mli_column_f64(c, 0, d->rows, d->y, 1);
    }
    for (int64_t i = 0; i < d->rows; i++) {
        if (isfinite(d->y[i])) continue;
        mli_fail(err, ML_E_DATA, "the target is %s",
                 isnan(d->y[i]) ? "missing" : "infinite");
        mli_error_at(err, ML_E_DATA, ROW, c->name, i + 1);
        return mli_error_hint(err, ML_E_DATA, "remove the row or give it a number");
    }
    return ML_OK;
}

/* ---- the target as a class ---- */

static const char *task_name(uint32_t task)
{
    switch (task) {
    case MLI_TASK_CLASSIFICATION:
        return "classification";
    case MLI_TASK_RANKING:
        return "ranking";
    case MLI_TASK_SURVIVAL:
        return "survival";
    default:
        return "regression";
    }
}

static uint32_t task_named(const char *name)
{
    static const uint32_t tasks[] = {MLI_TASK_CLASSIFICATION, MLI_TASK_RANKING,
                                     MLI_TASK_SURVIVAL};
    for (int i = 0; i < 3; i++)
        if (mli_same_word(name, task_name(tasks[i]))) return tasks[i];
    return MLI_TASK_REGRESSION;
}

/* Are there two values, both whole numbers? */
static int is_two_valued(const mli_column *c)
{
    double block[256], value[2] = {0, 0};
    int seen = 0;
    for (int64_t begin = 0; begin < c->rows; begin += 256) {
        int64_t n = c->rows - begin < 256 ? c->rows - begin : 256;
        mli_column_f64(c, begin, begin + n, block, 1);
        for (int64_t i = 0; i < n; i++) {
            int known = 0;
            for (int k = 0; k < seen; k++) known |= value[k] == block[i];
            if (known) continue;
            if (seen == 2 || block[i] != floor(block[i])) return 0;
            value[seen++] = block[i];
        }
    }
    return seen == 2;
}

static const char *given_task(const ml_params *params)
{
    const mli_value *v = mli_params_find(params, "task");
    return v && v->text && v->text[0] ? v->text : "auto";
}

/* The task that a parameter tells or the algorithm has; 0: the target decides. */
static uint32_t told_task(const mli_descriptor *desc, const ml_params *params)
{
    const char *given = given_task(params);
    uint32_t both = MLI_TASK_REGRESSION | MLI_TASK_CLASSIFICATION, task;
    if (!mli_same_word(given, "auto")) return task_named(given);
    task = desc->task_of ? desc->task_of(params) : 0;
    if (task || (desc->tasks & both) == both) return task;
    task = desc->tasks & both;
    return task ? task : desc->tasks & ~(desc->tasks - 1); /* the lowest bit */
}

static ml_status choose_task(const mli_descriptor *desc, const ml_params *params,
                             const mli_column *c, int32_t *out, ml_error *err)
{
    uint32_t task = told_task(desc, params);
    if (!task) {
        int classes = is_text(c) || c->type == ML_DTYPE_BOOL || is_two_valued(c);
        task = classes ? MLI_TASK_CLASSIFICATION : MLI_TASK_REGRESSION;
    }
    *out = (int32_t)task;
    if (desc->tasks & task) return ML_OK;
    mli_fail(err, ML_E_UNSUPPORTED, "%s does not do %s", desc->name, task_name(task));
    return mli_error_at(err, ML_E_UNSUPPORTED, "params.task");
}

static ml_status refuse_numbers(const mli_column *c, const mli_dictionary *classes,
                                ml_error *err)
{
    int size = (int)classes->offsets[1];
    if (!is_text(c) || classes->n <= MOST_LIKE_NUMBERS ||
        !mli_dictionary_like_numbers(classes))
        return ML_OK;
    mli_fail(err, ML_E_DATA,
             "the target has numbers with separators or signs, such as \"%.*s\"", size,
             classes->bytes);
    mli_error_at(err, ML_E_DATA, "column \"%s\"", c->name);
    return mli_error_hint(err, ML_E_DATA,
                          "set thousands and decimal where the file is read, or remove "
                          "the signs; for classes set task to classification");
}

static ml_status check_classes(const mli_descriptor *desc, const ml_params *params,
                               const mli_column *c, const mli_dictionary *classes,
                               ml_error *err)
{
    int can_regress = (desc->tasks & MLI_TASK_REGRESSION) != 0;
    if (classes->n < 2) {
        int size =
            classes->n ? (int)(classes->offsets[1] < 80 ? classes->offsets[1] : 80) : 0;
        mli_fail(err, ML_E_DATA,
                 "the target has only one class, \"%.*s\": there is nothing to learn",
                 size, classes->bytes);
        mli_error_at(err, ML_E_DATA, "column \"%s\"", c->name);
        return mli_error_hint(err, ML_E_DATA, "choose another target or add rows");
    }
    if (!mli_dictionary_valid(classes, 0)) {
        mli_fail(err, ML_E_DATA, "the target has text that is not UTF-8");
        mli_error_at(err, ML_E_DATA, "column \"%s\"", c->name);
        return mli_error_hint(err, ML_E_DATA, "convert it to UTF-8");
    }
    if (!told_task(desc, params)) {
        ml_status numbers = refuse_numbers(c, classes, err);
        if (numbers) return numbers;
    }
    if (classes->n > 2 && classes->n >= c->rows && classes->n <= MOST_CLASSES) {
        mli_fail(err, ML_E_DATA,
                 "each of the %" PRId64
                 " rows has a class of its own: there is nothing to "
                 "learn",
                 c->rows);
        mli_error_at(err, ML_E_DATA, "column \"%s\"", c->name);
        return mli_error_hint(err, ML_E_DATA,
                              can_regress
                                  ? "choose another target, or set task to regression"
                                  : "choose another target or add rows");
    }
    size_t size = (size_t)classes->offsets[classes->n];
    int fractions = !is_text(c) && memchr(classes->bytes, '.', size) != NULL;
    int64_t most = fractions ? MOST_FRACTIONS : MOST_CLASSES;
    if (classes->n <= most || classes->n * 2 <= c->rows) return ML_OK;
    mli_fail(err, ML_E_DATA,
             "the target has %" PRId64 " distinct values in %" PRId64
             " rows: too many for classes",
             classes->n, c->rows);
    mli_error_at(err, ML_E_DATA, "column \"%s\"", c->name);
    if (is_text(c)) {
        return mli_error_hint(err, ML_E_DATA,
                              "choose a column with few values as the target");
    }
    return mli_error_hint(err, ML_E_DATA, "%s",
                          can_regress ? "set task to \"regression\""
                                      : "use an algorithm for regression");
}

/* The class that a text names: exactly, or as the same number. */
static int64_t find_class(const mli_dictionary *classes, const char *text)
{
    double wanted = 0, value = 0;
    size_t size = strlen(text);
    int number = mli_read_f64(text, &wanted);
    int64_t same = -1;
    for (int64_t k = 0; k < classes->n; k++) {
        const char *label = classes->bytes + classes->offsets[k];
        size_t length = (size_t)(classes->offsets[k + 1] - classes->offsets[k]);
        if (length == size && memcmp(label, text, size) == 0) return k;
        if (number && mli_parse_f64(label, label + length, &value) && value == wanted) {
            same = k;
        }
    }
    return same;
}

static ml_status swap_classes(mli_design *d, ml_error *err)
{
    const mli_dictionary *old = &d->inputs->classes;
    int64_t first = old->offsets[1], size = old->offsets[2], *offsets = NULL;
    mli_dictionary swapped;
    char *bytes = NULL;
    if (mli_dictionary_new(d->ctx, 2, size, &swapped, &bytes, &offsets, err)) {
        return ML_E_MEMORY;
    }
    memcpy(bytes, old->bytes + first, (size_t)(size - first));
    memcpy(bytes + size - first, old->bytes, (size_t)first);
    offsets[1] = size - first;
    offsets[2] = size;
    mli_dictionary_free(&d->inputs->classes);
    d->inputs->classes = swapped;
    for (int64_t i = 0; i < d->rows; i++) d->label[i] = 1 - d->label[i];
    return ML_OK;
}

static ml_status set_positive(mli_design *d, const ml_params *params, const mli_column *c,
                              ml_error *err)
{
    const mli_value *v = mli_params_find(params, "positive");
    const mli_dictionary *classes = &d->inputs->classes;
    if (!v || !v->text || !v->text[0]) return ML_OK;
    int64_t k = find_class(classes, v->text);
    if (classes->n != 2) {
        mli_fail(err, ML_E_ARGUMENT,
                 "a positive class needs a target of two classes; \"%s\" has %" PRId64,
                 c->name, classes->n);
        return mli_error_at(err, ML_E_ARGUMENT, "params.positive");
    }
    if (k < 0) {
        const int64_t *at = classes->offsets;
        mli_fail(err, ML_E_NAME, "the target \"%s\" has no class \"%s\"", c->name,
                 v->text);
        mli_error_at(err, ML_E_NAME, "params.positive");
        return mli_error_hint(err, ML_E_NAME, "its classes are \"%.*s\" and \"%.*s\"",
                              (int)(at[1] < 80 ? at[1] : 80), classes->bytes,
                              (int)(at[2] - at[1] < 80 ? at[2] - at[1] : 80),
                              classes->bytes + at[1]);
    }
    return k == 0 ? swap_classes(d, err) : ML_OK;
}

static ml_status train_classes(mli_design *d, const mli_descriptor *desc,
                               const ml_params *params, const mli_column *c,
                               ml_error *err)
{
    mli_coding coding;
    if (mli_code_train(d->ctx, c, 1, &coding)) return mli_nomem(err);
    ml_status status = check_classes(desc, params, c, &coding.levels, err);
    if (!status) {
        d->label = mli_alloc(d->ctx, (size_t)d->rows * sizeof *d->label);
        if (!d->label) status = mli_nomem(err);
    }
    if (!status) {
        if (d->rows) memcpy(d->label, coding.codes, (size_t)d->rows * sizeof *d->label);
        mli_dictionary_share(&coding.levels, &d->inputs->classes);
        if (!is_text(c) && coding.levels.n > 100 && coding.levels.n * 10 > d->rows) {
            mli_log(d->ctx, ML_LOG_WARNING, "design",
                    "the target \"%s\" has %" PRId64 " classes in %" PRId64
                    " rows: is it a quantity?",
                    c->name, coding.levels.n, d->rows);
        }
        status = set_positive(d, params, c, err);
    }
    mli_coding_free(&coding);
    return status;
}

ml_status mli_targets_read(mli_design *d, const int64_t *columns, int64_t n,
                           ml_error *err)
{
    ml_status status = ML_OK;
    d->ys = mli_alloc_vec(d->ctx, d->rows * n, sizeof *d->ys);
    if (!d->ys) return mli_nomem(err);
    for (int64_t k = n - 1; k >= 0 && !status; k--) {
        mli_free(d->ctx, d->y);
        d->y = NULL;
        status = read_y(d, &d->table->columns[columns[k]], err);
        for (int64_t i = 0; i < d->rows && !status; i++) d->ys[i * n + k] = d->y[i];
    }
    return status;
}

/* Models of such a target are right, and of no use: likely it is not the one meant. Where
 * times are censored, equal ones still differ in what happened. */
static void warn_of_one_value(const mli_design *d, const mli_column *c, const double *y,
                              int64_t stride)
{
    const mli_inputs *in = d->inputs;
    if (d->rows < 2 || in->task == MLI_TASK_SURVIVAL || in->event || in->upper) return;
    for (int64_t i = 1; i < d->rows; i++)
        if (y[i * stride] != y[0]) return;
    mli_log(d->ctx, ML_LOG_WARNING, "design",
            "the target \"%s\" is %s in all %" PRId64
            " rows: there is nothing to learn of it",
            c->name, MLI_NUM(y[0]), d->rows);
}

/* Several targets are numbers. */
static ml_status check_numbers(const mli_descriptor *desc, const ml_params *params,
                               ml_error *err)
{
    const mli_value *positive = mli_params_find(params, "positive");
    const char *given = given_task(params);
    int classes = mli_same_word(given, "classification");
    if (classes || (positive && positive->text && positive->text[0])) {
        mli_fail(err, ML_E_UNSUPPORTED,
                 "%s takes several targets as numbers, not classes", desc->name);
        mli_error_at(err, ML_E_UNSUPPORTED, "params.%s", classes ? "task" : "positive");
        return mli_error_hint(err, ML_E_UNSUPPORTED,
                              "give the labels as 0 and 1: the predicted numbers are "
                              "then probabilities");
    }
    if (mli_same_word(given, "auto") || mli_same_word(given, "regression")) return ML_OK;
    mli_fail(err, ML_E_UNSUPPORTED, "%s takes several targets for regression, not %s",
             desc->name, given);
    mli_error_at(err, ML_E_UNSUPPORTED, "params.task");
    return mli_error_hint(err, ML_E_UNSUPPORTED, "give one target, or leave task out");
}

ml_status mli_targets_train(mli_design *d, const mli_descriptor *desc,
                            const ml_params *params, const int64_t *columns, int64_t n,
                            ml_error *err)
{
    mli_inputs *in = d->inputs;
    const mli_value *names = mli_params_find(params, "targets");
    ml_status status = check_numbers(desc, params, err);
    if (status) return status;
    in->task = MLI_TASK_REGRESSION;
    in->target_type = d->table->columns[columns[0]].type;
    if (in->target_type == ML_TYPE_TEXT) in->target_type = ML_TYPE_CATEGORY;
    status = mli_inputs_set_targets(in, names->strs, n, err);
    if (!status) status = mli_targets_read(d, columns, n, err);
    for (int64_t k = 0; k < n && !status; k++)
        warn_of_one_value(d, &d->table->columns[columns[k]], d->ys + k, n);
    return status;
}

ml_status mli_target_train(mli_design *d, const mli_descriptor *desc,
                           const ml_params *params, const mli_column *c, ml_error *err)
{
    ml_status status = choose_task(desc, params, c, &d->inputs->task, err);
    if (status) return status;
    d->inputs->target_type = c->type == ML_TYPE_TEXT ? ML_TYPE_CATEGORY : c->type;
    if (d->inputs->task == (int32_t)MLI_TASK_CLASSIFICATION) {
        return train_classes(d, desc, params, c, err);
    }
    const mli_value *positive = mli_params_find(params, "positive");
    if (positive && positive->text && positive->text[0]) {
        mli_fail(err, ML_E_ARGUMENT,
                 "a positive class needs classes, but the target \"%s\" is a number",
                 c->name);
        mli_error_at(err, ML_E_ARGUMENT, "params.positive");
        return mli_error_hint(err, ML_E_ARGUMENT, "set task to \"classification\"");
    }
    status = read_y(d, c, err);
    if (!status) warn_of_one_value(d, c, d->y, 1);
    return status;
}

static ml_status unknown_class(const mli_column *c, int64_t row, ml_error *err)
{
    char shown[MLI_SHOWN];
    mli_fail(err, ML_E_DATA, "the model does not know the class %s",
             mli_show_value(c, row, shown));
    mli_error_at(err, ML_E_DATA, ROW, c->name, row + 1);
    return mli_error_hint(err, ML_E_DATA,
                          "remove these rows or train with rows of that class");
}

ml_status mli_target_apply(mli_design *d, const mli_column *c, ml_error *err)
{
    mli_buffer *memory = NULL;
    const int32_t *codes = NULL;
    int64_t unseen = -1;
    const mli_dictionary *classes = &d->inputs->classes;
    if (classes->n == 0) return read_y(d, c, err);
    if (mli_code_apply(d->ctx, c, classes, 0, &memory, &codes, &unseen)) {
        return mli_nomem(err);
    }
    ml_status status = unseen >= 0 ? unknown_class(c, unseen, err) : ML_OK;
    if (!status) {
        d->label = mli_alloc(d->ctx, (size_t)d->rows * sizeof *d->label);
        if (!d->label) status = mli_nomem(err);
    }
    if (!status && d->rows) memcpy(d->label, codes, (size_t)d->rows * sizeof *d->label);
    mli_buffer_free(memory);
    return status;
}

/* ---- weights ---- */

ml_status mli_weight_read(mli_design *d, const mli_column *c, ml_error *err)
{
    double total = 0;
    if (!mli_type_is_number(c->type)) {
        mli_fail(err, ML_E_TYPE, "weights must be numbers, this is %s",
                 mli_type_name(c->type));
        return mli_error_at(err, ML_E_TYPE, "column \"%s\"", c->name);
    }
    d->weight = mli_calloc(d->ctx, (size_t)d->rows, sizeof *d->weight);
    if (!d->weight) return mli_nomem(err);
    mli_column_f64(c, 0, d->rows, d->weight, 1);
    for (int64_t i = 0; i < d->rows; i++) {
        double w = d->weight[i];
        total += w;
        if (w >= 0 && isfinite(w)) continue;
        if (isnan(w)) {
            mli_fail(err, ML_E_DATA, "the weight is missing");
        } else {
            mli_fail(err, ML_E_DATA, "the weight is %s", MLI_NUM(w));
        }
        mli_error_at(err, ML_E_DATA, ROW, c->name, i + 1);
        return mli_error_hint(err, ML_E_DATA, "weights must be finite and 0 or larger");
    }
    if (total > 0 || d->rows == 0) return ML_OK;
    mli_fail(err, ML_E_DATA, "all weights are 0");
    mli_error_at(err, ML_E_DATA, "column \"%s\"", c->name);
    return mli_error_hint(err, ML_E_DATA, "at least one row must count");
}

/* ---- offset, event, upper ---- */

ml_status mli_role_read(mli_design *d, const mli_column *c, const char *role, int open,
                        double **out, ml_error *err)
{
    if (!mli_type_is_number(c->type) && c->type != ML_DTYPE_BOOL) {
        mli_fail(err, ML_E_TYPE, "%s must be numbers, this is %s", role,
                 mli_type_name(c->type));
        return mli_error_at(err, ML_E_TYPE, "column \"%s\"", c->name);
    }
    *out = mli_calloc(d->ctx, (size_t)d->rows, sizeof **out);
    if (!*out) return mli_nomem(err);
    mli_column_f64(c, 0, d->rows, *out, 1);
    for (int64_t i = 0; i < d->rows && !open; i++) {
        if (isfinite((*out)[i])) continue;
        mli_fail(err, ML_E_DATA, "the %s is %s", role,
                 isnan((*out)[i]) ? "missing" : "infinite");
        mli_error_at(err, ML_E_DATA, ROW, c->name, i + 1);
        return mli_error_hint(err, ML_E_DATA, "remove the row or give it a number");
    }
    return ML_OK;
}

/* ---- groups ---- */

/* The runs of equal ids; each id may have one run only. */
static ml_status find_runs(mli_design *d, ml_error *err)
{
    int64_t runs = 0;
    d->group = mli_alloc(d->ctx, ((size_t)d->n_groups + 1) * sizeof *d->group);
    if (!d->group) return mli_nomem(err);
    for (int64_t i = 0; i < d->rows; i++) {
        if (i > 0 && d->group_id[i] == d->group_id[i - 1]) continue;
        if (d->group_id[i] != runs) {
            mli_fail(err, ML_E_DATA, "the rows of a group do not stand together");
            mli_error_at(err, ML_E_DATA, ROW, d->inputs->group, i + 1);
            return mli_error_hint(err, ML_E_DATA, "sort the table by \"%s\"",
                                  d->inputs->group);
        }
        d->group[runs++] = i;
    }
    d->group[runs] = d->rows;
    return ML_OK;
}

ml_status mli_group_number(mli_design *d, int64_t most, ml_error *err)
{
    int64_t *number = mli_alloc(d->ctx, (size_t)most * sizeof *number);
    if (!number) return mli_nomem(err);
    for (int64_t k = 0; k < most; k++) number[k] = -1;
    d->n_groups = 0;
    for (int64_t i = 0; i < d->rows; i++) {
        int64_t *at = &number[d->group_id[i]];
        if (*at < 0) *at = d->n_groups++;
        d->group_id[i] = *at;
    }
    mli_free(d->ctx, number);
    return d->inputs->task == (int32_t)MLI_TASK_RANKING ? find_runs(d, err) : ML_OK;
}

ml_status mli_group_read(mli_design *d, const mli_column *c, ml_error *err)
{
    mli_coding coding;
    ml_status status = ML_OK;
    if (mli_code_train(d->ctx, c, 0, &coding)) return mli_nomem(err);
    d->group_id = mli_alloc(d->ctx, (size_t)d->rows * sizeof *d->group_id);
    if (!d->group_id) status = mli_nomem(err);
    for (int64_t i = 0; i < d->rows && !status; i++) {
        d->group_id[i] = coding.codes[i];
        if (coding.codes[i] >= 0) continue;
        status = mli_fail(err, ML_E_DATA, "the group is missing");
        mli_error_at(err, ML_E_DATA, ROW, c->name, i + 1);
    }
    if (!status) status = mli_group_number(d, coding.levels.n, err);
    mli_coding_free(&coding);
    return status;
}
