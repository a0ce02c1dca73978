/* SPDX-License-Identifier: MIT
 *
 * prepare/date_parts.c: year, month, weekday ... of dates and times, as numbers or as
 * points on a circle, where December lies beside January.
 *
 * Dates count days, times microseconds since 1970-01-01. The calendar is the Gregorian
 * one, after the days-to-civil algorithm of era arithmetic (400 years are 146097 days).
 * No tensors.
 */
#include "algorithms/prepare/prepare.h"

#include <math.h>
#include <string.h>

#define TURN 6.283185307179586476925286766559

enum {
    YEAR,
    QUARTER,
    MONTH,
    WEEK,
    DAY,
    WEEKDAY,
    YEARDAY,
    HOUR,
    MINUTE,
    SECOND,
    WEEKEND,
    EPOCH,
    PARTS
};

static const struct {
    const char *name;
    double least, period; /* of the circle; 0: none */
} parts[PARTS] = {{"year", 0, 0},      {"quarter", 1, 4}, {"month", 1, 12},
                  {"week", 1, 53},     {"day", 1, 31},    {"weekday", 0, 7},
                  {"yearday", 1, 366}, {"hour", 0, 24},   {"minute", 0, 60},
                  {"second", 0, 60},   {"weekend", 0, 0}, {"epoch", 0, 0}};

#define CYCLIC option[0]
#define LIST   own[0] /* int [parts] */
#define COUNT  size[0]

typedef struct {
    int64_t year, month, day, weekday, yearday; /* weekday: Monday is 0 */
    double second;                              /* of the day */
} moment;

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Whole days and the rest are exact: a part of a day would lose its seconds. */
static moment split(double x, double unit)
{
    double whole = floor(x / unit), rest = x - whole * unit;
    if (rest < 0) {
        whole--;
        rest += unit;
    }
    int64_t n = (int64_t)whole, z = n + 719468, era = floor_div(z, 146097);
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    moment m = {.day = doy - (153 * mp + 2) / 5 + 1, .month = mp < 10 ? mp + 3 : mp - 9};
    m.year = yoe + era * 400 + (m.month <= 2);
    int leap = (m.year % 4 == 0 && m.year % 100 != 0) || m.year % 400 == 0;
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    m.yearday = before[m.month - 1] + m.day + (leap && m.month > 2);
    m.weekday = (n + 3) - 7 * floor_div(n + 3, 7);
    m.second = unit > 1 ? rest / 1e6 : rest * 86400;
    return m;
}

static int64_t weeks_in(int64_t year)
{
    int64_t y = year, p = (y + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400));
    int64_t q = y - 1;
    q = q + floor_div(q, 4) - floor_div(q, 100) + floor_div(q, 400);
    return 52 + (p % 7 == 4 || q % 7 == 3);
}

/* The week of ISO 8601. */
static int64_t week_of(const moment *m)
{
    int64_t week = (m->yearday - (m->weekday + 1) + 10) / 7;
    if (week < 1) return weeks_in(m->year - 1);
    return week > weeks_in(m->year) ? 1 : week;
}

static double part_of(const moment *m, int part, double days)
{
    switch (part) {
    case YEAR:
        return (double)m->year;
    case QUARTER:
        return (double)((m->month - 1) / 3 + 1);
    case MONTH:
        return (double)m->month;
    case WEEK:
        return (double)week_of(m);
    case DAY:
        return (double)m->day;
    case WEEKDAY:
        return (double)m->weekday;
    case YEARDAY:
        return (double)m->yearday;
    case HOUR:
        return floor(m->second / 3600);
    case MINUTE:
        return floor(fmod(m->second, 3600) / 60);
    case SECOND:
        return floor(fmod(m->second, 60));
    case WEEKEND:
        return m->weekday >= 5;
    default:
        return days;
    }
}

/* ---- which ---- */

static int part_index(const char *name)
{
    for (int k = 0; k < PARTS; k++)
        if (strcmp(parts[k].name, name) == 0) return k;
    return -1;
}

/* Numbers that are no dates are not picked, also when all dates are. */
static ml_status pick_dates(const mli_inputs *in, const ml_params *p, uint8_t *picked,
                            ml_error *err)
{
    const char *const *items;
    if (mli_get_strs(p, "columns", &items) == 0) {
        for (int64_t j = 0; j < in->n_features; j++)
            picked[j] = in->features[j].kind == MLI_NUMERIC &&
                        mli_type_is_time(in->features[j].type);
        return ML_OK;
    }
    for (int64_t j = 0; j < in->n_features; j++) {
        if (!picked[j] || mli_type_is_time(in->features[j].type)) continue;
        mli_fail(err, ML_E_TYPE, "the column \"%s\" holds no dates or times",
                 in->features[j].name);
        return mli_error_at(err, ML_E_TYPE, "params.columns");
    }
    return ML_OK;
}

static ml_status load(mli_prepared *t, ml_error *err)
{
    const char *const *items;
    int64_t n = mli_get_strs(t->model->params, "parts", &items);
    int *list = mli_calloc(t->plan.ctx, (size_t)n, sizeof *list);
    t->LIST = list;
    t->COUNT = n;
    t->CYCLIC = mli_get_bool(t->model->params, "cyclic");
    if (!list) return mli_nomem(err);
    for (int64_t k = 0; k < n; k++)
        if ((list[k] = part_index(items[k])) < 0)
            return mli_fail(err, ML_E_FORMAT, "there is no part \"%s\"", items[k]);
    return pick_dates(t->in, t->model->params, t->picked, err);
}

static int is_round(const mli_prepared *t, int part)
{
    return t->CYCLIC && parts[part].period > 0;
}

static int64_t width(const mli_prepared *t, int64_t j)
{
    const int *list = t->LIST;
    int64_t n = 0;
    (void)j;
    for (int64_t k = 0; k < t->COUNT; k++) n += is_round(t, list[k]) ? 2 : 1;
    return n;
}

static ml_status describe(const mli_prepared *t, int64_t j, mli_feature *out,
                          ml_error *err)
{
    const int *list = t->LIST;
    const char *name = t->in->features[j].name;
    ml_status status = ML_OK;
    for (int64_t k = 0; k < t->COUNT && !status; k++) {
        const char *part = parts[list[k]].name;
        if (!is_round(t, list[k])) {
            status = mli_prepare_name(t, out++, err, "%s_%s", name, part);
            continue;
        }
        status = mli_prepare_name(t, out++, err, "%s_%s_sin", name, part);
        if (!status) status = mli_prepare_name(t, out++, err, "%s_%s_cos", name, part);
    }
    return status;
}

static void map(const mli_prepared *t, int64_t j, const double *in, int64_t stride,
                int64_t n, double *out, int64_t out_stride)
{
    const int *list = t->LIST;
    double unit = t->in->features[j].type == ML_TYPE_DATE ? 1 : (double)MLI_DAY_MICROS;
    for (int64_t i = 0; i < n; i++) {
        double days = in[i * stride] / unit, *to = out + i * out_stride;
        int good = fabs(days) < 1e8;
        moment m = good ? split(in[i * stride], unit) : (moment){0};
        for (int64_t k = 0; k < t->COUNT; k++) {
            double v = good ? part_of(&m, list[k], days) : NAN;
            if (!is_round(t, list[k])) {
                *to++ = v;
                continue;
            }
            double angle = TURN * (v - parts[list[k]].least) / parts[list[k]].period;
            *to++ = sin(angle);
            *to++ = cos(angle);
        }
    }
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    uint8_t *picked = NULL;
    ml_status status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &picked, err);
    if (!status) status = pick_dates(job->train->inputs, job->params, picked, err);
    mli_free(job->ctx, picked);
    return status;
}

static const mli_transformer kind = {.takes = MLI_TAKES_NUMBERS,
                                     .load = load,
                                     .width = width,
                                     .describe = describe,
                                     .map = map};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"parts", NULL, ML_PARAM_STRS, 0, "year, month, day, weekday",
     "{year, quarter, month, week, day, weekday, yearday, hour, minute, second, weekend, "
     "epoch}",
     NULL, NULL,
     "What to make of each date or time. weekday: Monday is 0. week: of ISO 8601. epoch: "
     "days since 1970.",
     "0.1"},
    {"cyclic", "cyclical", ML_PARAM_BOOL, 0, "false", NULL, "{false, true}", NULL,
     "Two columns, sine and cosine, for parts that come round again: December lies "
     "beside "
     "January.",
     "0.1"},
    MLI_PARAM_END};

extern const mli_algorithm mli_date_parts;
const mli_algorithm mli_date_parts = {
    .head = {MLI_PREPARE_HEAD, .name = "date_parts", .aliases = "datetime_features,dates",
             .title = "year, month, weekday of dates",
             .doc =
                 "Makes numbers of dates and times: year, month, weekday and more, also "
                 "as points on a circle.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
