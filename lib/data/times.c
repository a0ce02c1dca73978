/* SPDX-License-Identifier: MIT
 *
 * data/times.c: the times of rows: reading them, sorting rows by them, finding in them.
 */
#include "core/parallel.h"
#include "core/text.h"
#include "data/keys.h"

#include <math.h>
#include <string.h>

static int is_day(const mli_column *c)
{
    return c->type == ML_TYPE_DATE || c->type == ML_TYPE_TIMESTAMP;
}

/* ---- reading ---- */

static ml_status bad_time(const mli_column *c, ml_error *err)
{
    mli_fail(err, ML_E_TYPE, "a time must be dates, times or numbers, this is %s",
             mli_type_name(c->type));
    return mli_error_at(err, ML_E_TYPE, "column \"%s\"", c->name);
}

ml_status mli_times_agree(const mli_column *a, const mli_column *b, int *micros,
                          ml_error *err)
{
    *micros = a->type == ML_TYPE_TIMESTAMP || b->type == ML_TYPE_TIMESTAMP;
    if (!is_day(a) && !mli_type_is_number(a->type)) return bad_time(a, err);
    if (!is_day(b) && !mli_type_is_number(b->type)) return bad_time(b, err);
    if (is_day(a) == is_day(b)) return ML_OK;
    mli_fail(err, ML_E_TYPE, "the time \"%s\" is %s, and \"%s\" of the other table is %s",
             a->name, mli_type_name(a->type), b->name, mli_type_name(b->type));
    return mli_error_hint(err, ML_E_TYPE, "give both the same type");
}

ml_status mli_time_read(ml_context *ctx, const mli_column *c, int micros, double **out,
                        ml_error *err)
{
    double *t = mli_alloc_vec(ctx, c->rows + 1, sizeof *t);
    if (!t) return mli_nomem(err);
    mli_column_f64(c, 0, c->rows, t, 1);
    for (int64_t i = 0; c->type != ML_DTYPE_F64 && i < c->rows; i++) {
        if (!(fabs(t[i]) > 0x1p53)) continue;
        mli_free(ctx, t);
        mli_fail(err, ML_E_RANGE, "times of more than 2^53 cannot be told apart");
        mli_error_at(err, ML_E_RANGE, "column \"%s\", row %lld", c->name,
                     (long long)i + 1);
        return mli_error_hint(err, ML_E_RANGE,
                              "subtract a start from both columns, or give timestamps");
    }
    for (int64_t i = 0; micros && c->type == ML_TYPE_DATE && i < c->rows; i++)
        t[i] *= 86400e6;
    *out = t;
    return ML_OK;
}

static double unit_seconds(const char *unit)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"us", 1e-6}, {"ms", 1e-3}, {"s", 1},     {"m", 60},
                 {"min", 60},  {"h", 3600},  {"d", 86400}, {"w", 7 * 86400}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(unit, units[i].name) == 0) return units[i].seconds;
    return 0;
}

static ml_status bad_span(const char *text, const char *what, const char *hint,
                          ml_error *err)
{
    mli_fail(err, ML_E_ARGUMENT, "\"%s\" is no span of this time", text);
    mli_error_at(err, ML_E_ARGUMENT, "params.%s", what);
    return mli_error_hint(err, ML_E_ARGUMENT, "%s", hint);
}

ml_status mli_time_span(const mli_column *c, const char *text, const char *what,
                        double *out, ml_error *err)
{
    double number;
    *out = INFINITY;
    if (!text || !*text) return ML_OK;
    size_t digits = strspn(text, "0123456789.");
    if (!is_day(c) && mli_parse_f64(text, text + strlen(text), out) && *out >= 0)
        return ML_OK; /* an exponent is fine */
    if (!mli_parse_f64(text, text + digits, &number))
        return bad_span(text, what, "write a number, with a unit for dates: 7d, 12h",
                        err);
    while (text[digits] == ' ') digits++;
    const char *unit = text + digits;
    double seconds = *unit ? unit_seconds(unit) : 0;
    if (!is_day(c)) {
        if (*unit)
            return bad_span(text, what, "the time column has numbers: leave the unit out",
                            err);
        *out = number;
        return ML_OK;
    }
    if (!(seconds > 0))
        return bad_span(text, what,
                        *unit ? "the units are us, ms, s, min, h, d and w"
                              : "add a unit: us, ms, s, min, h, d or w",
                        err);
    *out = number * seconds * (c->type == ML_TYPE_DATE ? 1 / 86400.0 : 1e6);
    return ML_OK;
}

/* ---- sorting ---- */

typedef struct {
    const int64_t *start;
    int64_t *rows, *spare;
    const double *times;
    int64_t lists, grain;
} sorting;

/* NaN comes first. */
static int before(double a, double b)
{
    return isnan(a) ? !isnan(b) : a < b;
}

static int is_sorted(const sorting *s, int64_t low, int64_t high)
{
    for (int64_t i = low + 1; i < high; i++)
        if (before(s->times[s->rows[i]], s->times[s->rows[i - 1]])) return 0;
    return 1;
}

static void insert(const sorting *s, int64_t low, int64_t high)
{
    for (int64_t i = low + 1; i < high; i++) {
        int64_t row = s->rows[i], k = i;
        for (; k > low && before(s->times[row], s->times[s->rows[k - 1]]); k--)
            s->rows[k] = s->rows[k - 1];
        s->rows[k] = row;
    }
}

/* Merge sort: stable. */
static void sort_range(const sorting *s, int64_t low, int64_t high)
{
    if (high - low <= 16) {
        insert(s, low, high);
        return;
    }
    int64_t middle = low + (high - low) / 2, i = low, j = middle, k = low;
    sort_range(s, low, middle);
    sort_range(s, middle, high);
    memcpy(s->spare + low, s->rows + low, (size_t)(high - low) * sizeof *s->rows);
    while (i < middle && j < high) {
        int later = before(s->times[s->spare[j]], s->times[s->spare[i]]);
        s->rows[k++] = later ? s->spare[j++] : s->spare[i++];
    }
    while (i < middle) s->rows[k++] = s->spare[i++];
    while (j < high) s->rows[k++] = s->spare[j++];
}

static void sort_lists(void *arg, int64_t task, int32_t slot)
{
    const sorting *s = arg;
    int64_t end = (task + 1) * s->grain < s->lists ? (task + 1) * s->grain : s->lists;
    (void)slot;
    for (int64_t k = task * s->grain; k < end; k++)
        if (!is_sorted(s, s->start[k], s->start[k + 1]))
            sort_range(s, s->start[k], s->start[k + 1]);
}

ml_status mli_time_sort(ml_context *ctx, const int64_t *start, int64_t n, int64_t *rows,
                        const double *times, ml_error *err)
{
    sorting s = {start, rows, NULL, times, n, n / 256 + 1};
    s.spare = mli_alloc_vec(ctx, start[n] + 1, sizeof *s.spare);
    if (!s.spare) return mli_nomem(err);
    mli_parallel(ctx, mli_task_count(n, s.grain), sort_lists, &s);
    mli_free(ctx, s.spare);
    return ML_OK;
}

/* ---- finding ---- */

int64_t mli_time_known(const double *times, const int64_t *rows, int64_t low,
                       int64_t high)
{
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (isnan(times[rows[middle]]))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int64_t mli_time_from(const double *times, const int64_t *rows, int64_t low, int64_t high,
                      double t)
{
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (times[rows[middle]] < t)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int64_t mli_time_after(const double *times, const int64_t *rows, int64_t low,
                       int64_t high, double t)
{
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (times[rows[middle]] <= t)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
