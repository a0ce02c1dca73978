/* SPDX-License-Identifier: MIT
 *
 * data/aggregate.c: aggregates of groups of rows, and of the rows before each row of
 * another table.
 *
 * Rows are grouped by hash (keys.c) and listed by group, by time inside a group where
 * there is one. Each row of the result stands for a range of that list, found by binary
 * search; the ranges are aggregated on workers (aggregate_stats.c).
 */
#include "data/aggregate.h"
#include "core/parallel.h"
#include "core/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define NAME(name, aliases, doc)                                                         \
    {                                                                                    \
        name, aliases, ML_PARAM_STR, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL, doc, "0.1" \
    }

static const mli_param params[] = {
    {"by", "on,keys,group_by", ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL,
     "The columns whose values make the groups. Not set: all rows are one group. A "
     "missing value is a group of its own.",
     "0.1"},
    {"left_by", "left_on,left_keys", ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL,
     NULL, "Those of the left table, where names differ.", "0.1"},
    {"aggregates", "aggs,aggregations,aggregate", ML_PARAM_STRS, MLI_FLAG_REQUIRED, NULL,
     NULL, NULL, NULL,
     "What is computed, each \"function(column)\", \"name = function(column)\" or, with "
     "a "
     "left table, \"function(column) over 30d\". Functions: count (of values, or of rows "
     "without a column), missing, distinct, sum, mean, std and var (of a sample), "
     "median, "
     "min, max, first, last, mode. Missing values do not count.",
     "0.1"},
    NAME("time", "time_column,timestamp_column",
         "The column that orders the rows of a group: for first and last, and, with a "
         "left table, to take only rows before the time of the left row."),
    NAME("left_time", NULL, "That of the left table, where names differ."),
    NAME("window", "over,max_age",
         "How old rows may be, where an aggregate does not say it: a number in the unit "
         "of the time, or for dates and times with a unit: 7d, 12h, 30min."),
    {"strict", NULL, ML_PARAM_BOOL, 0, "true", NULL, NULL, NULL,
     "Rows at the very time of the left row do not count.", "0.1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL}};

extern const mli_descriptor mli_options_aggregate;
const mli_descriptor mli_options_aggregate = {
    .name = "options.aggregate",
    .title = "Aggregating tables",
    .doc = "What ml_table_aggregate computes of groups of rows.",
    .since = "0.1",
    .sort = MLI_SORT_OPTIONS,
    .params = params,
};

typedef struct {
    ml_context *ctx;
    const ml_table *table, *left;
    const ml_params *p;
    int64_t n_keys, n; /* keys, aggregates */
    const char *const *names;
    const mli_column **columns; /* [2 n_keys]: of the table, of left */
    int *compare;
    mli_aggregate *aggregates;
    const mli_column *time, *left_time, *unit; /* unit: of windows */
    double *times[2], *sorted;                 /* sorted: times[0] in the order of list */
    mli_keys keys, left_keys;
    mli_groups groups;
    int64_t *start, *list;
    int64_t *low, *high; /* of each row of the result */
    mli_ranges ranges;
} job;

/* ---- parameters ---- */

static ml_status find_keys(job *j, ml_error *err)
{
    const char *const *left;
    int64_t nl = mli_get_strs(j->p, "left_by", &left);
    j->n_keys = mli_get_strs(j->p, "by", &j->names);
    if (nl && (!j->left || nl != j->n_keys)) {
        mli_fail(err, ML_E_ARGUMENT,
                 j->left ? "left_by and by name different numbers of columns"
                         : "left_by is of a left table, and there is none");
        return mli_error_at(err, ML_E_ARGUMENT, "params.left_by");
    }
    if (!nl) left = j->names;
    j->columns = mli_calloc(j->ctx, (size_t)(2 * j->n_keys), sizeof *j->columns);
    j->compare = mli_calloc(j->ctx, (size_t)j->n_keys, sizeof *j->compare);
    if (!j->columns || !j->compare) return mli_nomem(err);
    const mli_column **other = j->left ? j->columns + j->n_keys : NULL;
    ml_status status = mli_columns_named(j->table, j->names, j->n_keys, "the table", "by",
                                         j->columns, err);
    if (!status && j->left)
        status = mli_columns_named(j->left, left, j->n_keys, "the left table",
                                   nl ? "left_by" : "by", other, err);
    if (!status) status = mli_keys_agree(j->columns, other, j->n_keys, j->compare, err);
    return status;
}

static ml_status find_times(job *j, ml_error *err)
{
    int micros;
    const char *a = mli_get_str(j->p, "time"), *b = mli_get_str(j->p, "left_time");
    ml_status status = ML_OK;
    if (*b && (!*a || !j->left)) {
        mli_fail(err, ML_E_ARGUMENT,
                 j->left ? "left_time needs time, that of the table"
                         : "left_time is of a left table");
        return mli_error_at(err, ML_E_ARGUMENT, "params.left_time");
    }
    if (!*a) return ML_OK;
    int own = *b != 0;
    if (!own) b = a;
    status = mli_columns_named(j->table, &a, 1, "the table", "time", &j->time, err);
    if (!status && j->left)
        status = mli_columns_named(j->left, &b, 1, "the left table",
                                   own ? "left_time" : "time", &j->left_time, err);
    if (!status)
        status = mli_times_agree(j->time, j->left ? j->left_time : j->time, &micros,
                                 &j->unit, err);
    if (!status) status = mli_time_read(j->ctx, j->time, micros, &j->times[0], err);
    if (!status && j->left)
        status = mli_time_read(j->ctx, j->left_time, micros, &j->times[1], err);
    return status;
}

static ml_status no_window(const char *place, ml_error *err)
{
    mli_fail(err, ML_E_ARGUMENT, "a window needs a left table and a time");
    mli_error_at(err, ML_E_ARGUMENT, "params.%s", place);
    return mli_error_hint(err, ML_E_ARGUMENT,
                          "it says how long before the time of each left row");
}

static ml_status read_aggregates(job *j, ml_error *err)
{
    const char *const *texts;
    const char *window = mli_get_str(j->p, "window");
    int64_t n = mli_get_strs(j->p, "aggregates", &texts);
    ml_status status = ML_OK;
    if (*window && !j->left_time) return no_window("window", err);
    const mli_value *strict = mli_params_find(j->p, "strict");
    if (strict && strict->given && !j->left_time) {
        mli_fail(err, ML_E_ARGUMENT, "strict needs a left table and a time");
        return mli_error_at(err, ML_E_ARGUMENT, "params.strict");
    }
    j->aggregates = mli_calloc(j->ctx, (size_t)n + 1, sizeof *j->aggregates);
    if (!j->aggregates) return mli_nomem(err);
    for (; j->n < n && !status; j->n++) {
        mli_aggregate *a = &j->aggregates[j->n];
        status = mli_aggregate_parse(j->table, texts[j->n], a, err);
        if (!status && a->span[0] && !j->left_time) status = no_window("aggregates", err);
        if (status || !j->left_time) continue;
        status = a->span[0]
                     ? mli_time_span(j->unit, a->span, "aggregates", &a->window, err)
                     : mli_time_span(j->unit, window, "window", &a->window, err);
    }
    if (status || n) return status;
    mli_fail(err, ML_E_ARGUMENT, "there is nothing to compute");
    mli_error_at(err, ML_E_ARGUMENT, "params.aggregates");
    return mli_error_hint(err, ML_E_ARGUMENT,
                          "name aggregates: \"mean(amount), count()\"");
}

/* ---- ranges ---- */

/* The whole groups. */
static void take_groups(job *j)
{
    j->ranges.n = j->groups.n;
    j->ranges.low = j->start;
    j->ranges.high = j->start + 1;
}

/* For each left row the part of its group before its time. */
static ml_status take_before(job *j, ml_error *err)
{
    int64_t n = j->left->rows;
    int strict = mli_get_bool(j->p, "strict");
    j->low = mli_alloc_vec(j->ctx, n + 1, sizeof *j->low);
    j->high = mli_alloc_vec(j->ctx, n + 1, sizeof *j->high);
    if (!j->low || !j->high) return mli_nomem(err);
    ml_status status = mli_groups_find(&j->groups, &j->left_keys, 1, j->low, err);
    if (status) return status;
    for (int64_t i = 0; i < n; i++) {
        int64_t k = j->low[i], low = k < 0 ? 0 : j->start[k];
        int64_t high = k < 0 ? 0 : j->start[k + 1];
        if (j->left_time) {
            double t = j->times[1][i];
            low = mli_time_known(j->sorted, low, high);
            high = isnan(t) ? low
                   : strict ? mli_time_from(j->sorted, low, high, t)
                            : mli_time_after(j->sorted, low, high, t);
        }
        j->low[i] = low;
        j->high[i] = high;
    }
    j->ranges.n = n;
    j->ranges.low = j->low;
    j->ranges.high = j->high;
    j->ranges.at = j->times[1];
    return ML_OK;
}

static ml_status find_ranges(job *j, ml_error *err)
{
    j->keys = (mli_keys){j->ctx, j->table->rows, j->n_keys, j->columns, j->compare};
    ml_status status = mli_groups_new(&j->keys, 1, &j->groups, err);
    if (!status) status = mli_groups_list(&j->groups, &j->start, &j->list, err);
    if (!status && j->time)
        status = mli_time_sort(j->ctx, j->start, j->groups.n, j->list, j->times[0],
                               &j->sorted, err);
    if (status) return status;
    j->ranges = (mli_ranges){
        .ctx = j->ctx, .rows = j->table->rows, .list = j->list, .times = j->sorted};
    if (j->left) {
        j->left_keys = (mli_keys){j->ctx, j->left->rows, j->n_keys,
                                  j->columns + j->n_keys, j->compare};
        status = take_before(j, err);
    } else {
        take_groups(j);
    }
    for (int64_t q = 0; !status && q < j->ranges.n; q++) {
        int64_t size = j->ranges.high[q] - j->ranges.low[q];
        if (size > j->ranges.longest) j->ranges.longest = size;
    }
    return status;
}

/* ---- the result ---- */

static ml_status number_column(const job *j, const mli_aggregate *a, const double *values,
                               mli_column *c, ml_error *err)
{
    int64_t n = j->ranges.n;
    double *f64 = NULL;
    int64_t *i64 = NULL;
    uint8_t *bits = NULL;
    int whole = a->function <= MLI_AGG_DISTINCT;
    c->type = whole ? ML_DTYPE_I64 : ML_DTYPE_F64;
    c->rows = n;
    c->stride = 1;
    c->keep[0] = whole ? mli_buffer_new(j->ctx, (size_t)n * 8 + 1, &i64)
                       : mli_buffer_new(j->ctx, (size_t)n * 8 + 1, &f64);
    c->keep[1] = mli_buffer_new(j->ctx, (size_t)(n + 7) / 8 + 1, &bits);
    if (!c->keep[0] || !c->keep[1]) return mli_nomem(err);
    c->data = whole ? (void *)i64 : (void *)f64;
    for (int64_t q = 0; q < n; q++) {
        if (whole) i64[q] = (int64_t)values[q];
        if (!whole) f64[q] = values[q];
        c->null_count += isnan(values[q]);
        bits[q >> 3] |= (uint8_t)(!isnan(values[q]) << (q & 7));
    }
    if (c->null_count) c->validity = bits;
    return ML_OK;
}

static ml_status add_aggregate(const job *j, const mli_aggregate *a, double *numbers,
                               int64_t *rows, mli_column *c, ml_error *err)
{
    ml_status status = mli_aggregate_run(&j->ranges, a, numbers, rows, err);
    if (!status && a->function >= MLI_AGG_MIN) {
        status = mli_column_gather(j->ctx, a->column, rows, j->ranges.n, c, err);
        mli_free(j->ctx, c->name);
        c->name = NULL;
    } else if (!status) {
        status = number_column(j, a, numbers, c, err);
    }
    if (status) return status;
    c->name = mli_strdup(j->ctx, a->name);
    return c->name ? ML_OK : mli_nomem(err);
}

static ml_status add_all(const job *j, ml_table *t, int64_t at, ml_error *err)
{
    double *numbers = mli_alloc_vec(j->ctx, j->ranges.n + 1, sizeof *numbers);
    int64_t *rows = mli_alloc_vec(j->ctx, j->ranges.n + 1, sizeof *rows);
    ml_status status = numbers && rows ? ML_OK : mli_nomem(err);
    for (int64_t i = 0; i < j->n && !status; i++)
        status =
            add_aggregate(j, &j->aggregates[i], numbers, rows, &t->columns[at + i], err);
    mli_free(j->ctx, numbers);
    mli_free(j->ctx, rows);
    return status;
}

static ml_status make_table(const job *j, ml_table **out, ml_error *err)
{
    ml_table *t = NULL;
    int64_t before = j->left ? j->left->n_columns : j->n_keys;
    ml_status status = mli_table_alloc(j->ctx, j->ranges.n, before + j->n, &t, err);
    for (int64_t i = 0; i < before && !status; i++)
        status = j->left
                     ? mli_column_share(j->ctx, &j->left->columns[i], &t->columns[i], err)
                     : mli_column_gather(j->ctx, j->columns[i], j->groups.first,
                                         j->groups.n, &t->columns[i], err);
    if (!status) status = add_all(j, t, before, err);
    if (!status) status = mli_table_seal(t, err);
    if (!status)
        status = mli_names_differ(t, before, "aggregates",
                                  "name one: \"other = sum(amount)\"", err);
    if (status)
        ml_table_free(t);
    else
        *out = t;
    return status;
}

static void job_free(job *j)
{
    for (int64_t i = 0; j->aggregates && i < j->n; i++)
        mli_free(j->ctx, j->aggregates[i].name);
    mli_free(j->ctx, j->aggregates);
    mli_free(j->ctx, j->columns);
    mli_free(j->ctx, j->compare);
    mli_free(j->ctx, j->times[0]);
    mli_free(j->ctx, j->times[1]);
    mli_free(j->ctx, j->sorted);
    mli_groups_free(&j->groups);
    mli_free(j->ctx, j->start);
    mli_free(j->ctx, j->list);
    mli_free(j->ctx, j->low);
    mli_free(j->ctx, j->high);
}

static ml_status aggregate(const ml_table *table, const ml_table *left,
                           const ml_params *options, ml_table **out, ml_error *error)
{
    ml_params *p = NULL;
    job j = {.ctx = table->ctx, .table = table, .left = left};
    ml_status status =
        mli_params_resolve(j.ctx, &mli_options_aggregate, options, &p, error);
    if (status) return status;
    j.p = p;
    j.groups.ctx = j.ctx;
    status = find_keys(&j, error);
    if (!status) status = find_times(&j, error);
    if (!status) status = read_aggregates(&j, error);
    if (!status) status = find_ranges(&j, error);
    if (!status) status = make_table(&j, out, error);
    job_free(&j);
    ml_params_free(p);
    return status;
}

ml_status ml_table_aggregate(const ml_table *table, const ml_table *left,
                             const ml_params *options, ml_table **out, ml_error *error)
{
    ml_table *a = NULL, *b = NULL;
    if (!table) return mli_null(error, "table");
    if (!out) return mli_null(error, "out");
    ml_status status = mli_table_plain(table, &a, error);
    if (!status && left) status = mli_table_plain(left, &b, error);
    if (!status) status = aggregate(a, b, options, out, error);
    ml_table_free(a);
    ml_table_free(b);
    return status;
}
