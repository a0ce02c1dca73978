/* SPDX-License-Identifier: MIT
 *
 * data/times.c: the times of rows: reading them, sorting rows by them, finding in them.
 */
#include "core/parallel.h"
#include "core/text.h"
#include "data/keys.h"

#include <math.h>
#include <string.h>

/* ---- reading ---- */

static ml_status bad_time(const mli_column *c, ml_error *err)
{
    mli_fail(err, ML_E_TYPE, "a time must be dates, times or numbers, this is %s",
             mli_type_name(c->type));
    return mli_error_at(err, ML_E_TYPE, "column \"%s\"", c->name);
}

static int is_time(const mli_column *c)
{
    return mli_type_is_time(c->type) || mli_type_is_number(c->type);
}

ml_status mli_times_agree(const mli_column *a, const mli_column *b, int *micros,
                          const mli_column **unit, ml_error *err)
{
    int alike = is_time(a) && is_time(b) &&
                mli_type_is_time(a->type) == mli_type_is_time(b->type);
    const mli_column *known = alike || !mli_column_empty(a) ? a : b;
    const mli_column *other = alike || !mli_column_empty(b) ? b : known;
    *micros = known->type == ML_TYPE_TIMESTAMP || other->type == ML_TYPE_TIMESTAMP;
    *unit = *micros && known->type != ML_TYPE_TIMESTAMP ? other : known;
    if (!is_time(known)) return bad_time(known, err);
    if (!is_time(other)) return bad_time(other, err);
    if (mli_type_is_time(known->type) == mli_type_is_time(other->type)) return ML_OK;
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
    /* Timestamps are as exact as they need: beyond the year 2255 to some microseconds. */
    int whole = c->type == ML_DTYPE_I64 || c->type == ML_DTYPE_U64;
    for (int64_t i = 0; whole && i < c->rows; i++) {
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
    if (!mli_type_is_time(c->type) && mli_parse_f64(text, text + strlen(text), out) &&
        *out >= 0)
        return ML_OK; /* an exponent is fine */
    if (!mli_parse_f64(text, text + digits, &number))
        return bad_span(text, what, "write a number, with a unit for dates: 7d, 12h",
                        err);
    while (text[digits] == ' ') digits++;
    const char *unit = text + digits;
    double seconds = *unit ? unit_seconds(unit) : 0;
    if (!mli_type_is_time(c->type)) {
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

/* ---- sorting ----
 * A time becomes a whole number in the same order, NaN the least, so that a merge needs
 * no branch that depends on the data. */

typedef struct {
    int64_t key, row;
} entry;

typedef struct {
    const int64_t *start;
    int64_t *rows;
    const double *times;
    double *sorted;
    int64_t lists, grain;
    entry *scratch; /* [2 rows]: list k has twice its length from 2 start[k] on */
} sorting;

static int64_t key_of(double t)
{
    int64_t bits;
    if (isnan(t)) return INT64_MIN;
    t += 0.0; /* -0 is 0 */
    memcpy(&bits, &t, sizeof bits);
    return bits < 0 ? bits ^ INT64_MAX : bits;
}

/* Short runs in place. */
static void insert(entry *x, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        entry one = x[i];
        int64_t k = i;
        for (; k > 0 && one.key < x[k - 1].key; k--) x[k] = x[k - 1];
        x[k] = one;
    }
}

/* Two runs that follow each other; equal keys stay in order. */
static void merge(const entry *a, int64_t n, int64_t m, entry *out)
{
    const entry *b = a + n, *a_end = b, *b_end = b + m;
    while (a < a_end && b < b_end) {
        int later = b->key < a->key;
        const entry *next = later ? b : a;
        *out++ = *next;
        b += later;
        a += !later;
    }
    memcpy(out, a, (size_t)(a_end - a) * sizeof *a);
    memcpy(out + (a_end - a), b, (size_t)(b_end - b) * sizeof *b);
}

/* Merge sort from the bottom: stable. Returns x or y, whichever holds the result. */
static entry *sort_entries(entry *x, entry *y, int64_t n)
{
    enum { RUN = 12 };
    for (int64_t i = 0; i < n; i += RUN) insert(x + i, n - i < RUN ? n - i : RUN);
    for (int64_t run = RUN; run < n; run *= 2) {
        for (int64_t i = 0; i < n; i += 2 * run) {
            int64_t left = n - i < run ? n - i : run;
            int64_t right = n - i - left < run ? n - i - left : run;
            merge(x + i, left, right, y + i);
        }
        entry *swap = x;
        x = y;
        y = swap;
    }
    return x;
}

static void sort_list(const sorting *s, int64_t begin, int64_t end)
{
    int64_t n = end - begin, falls = 0;
    entry *x = s->scratch + 2 * begin;
    for (int64_t i = 0; i < n; i++) {
        int64_t row = s->rows[begin + i];
        x[i] = (entry){key_of(s->times[row]), row};
        falls += i > 0 && x[i].key < x[i - 1].key;
    }
    if (falls) x = sort_entries(x, x + n, n);
    for (int64_t i = 0; i < n; i++) {
        s->rows[begin + i] = x[i].row;
        s->sorted[begin + i] = s->times[x[i].row];
    }
}

static void sort_lists(void *arg, int64_t task, int32_t slot)
{
    const sorting *s = arg;
    int64_t end = (task + 1) * s->grain < s->lists ? (task + 1) * s->grain : s->lists;
    (void)slot;
    for (int64_t k = task * s->grain; k < end; k++)
        sort_list(s, s->start[k], s->start[k + 1]);
}

ml_status mli_time_sort(ml_context *ctx, const int64_t *start, int64_t n, int64_t *rows,
                        const double *times, double **sorted, ml_error *err)
{
    sorting s = {.start = start, .rows = rows, .times = times, .lists = n};
    s.grain = n / 256 + 1;
    *sorted = s.sorted = mli_alloc_vec(ctx, start[n] + 1, sizeof *s.sorted);
    s.scratch = mli_alloc_vec(ctx, 2 * start[n] + 1, sizeof *s.scratch);
    int there = s.sorted && s.scratch;
    if (there) mli_parallel(ctx, mli_task_count(n, s.grain), sort_lists, &s);
    mli_free(ctx, s.scratch);
    return there ? ML_OK : mli_nomem(err);
}

/* ---- finding ---- */

int64_t mli_time_known(const double *sorted, int64_t low, int64_t high)
{
    if (low == high || !isnan(sorted[low])) return low; /* nearly always */
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (isnan(sorted[middle]))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int64_t mli_time_from(const double *sorted, int64_t low, int64_t high, double t)
{
    const double *at = sorted + low;
    int64_t n = high - low;
    while (n > 1) {
        int64_t half = n / 2;
        at = at[half - 1] < t ? at + half : at;
        n -= half;
    }
    return at - sorted + (n == 1 && *at < t);
}

int64_t mli_time_after(const double *sorted, int64_t low, int64_t high, double t)
{
    const double *at = sorted + low;
    int64_t n = high - low;
    while (n > 1) {
        int64_t half = n / 2;
        at = at[half - 1] <= t ? at + half : at;
        n -= half;
    }
    return at - sorted + (n == 1 && *at <= t);
}
