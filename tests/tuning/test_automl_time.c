/* SPDX-License-Identifier: MIT
 *
 * Dates and times in automl: their parts, and the time as a feature.
 */
#include "testing_automl.h"

#include "../failing.h"
#include <time.h>

/* 400 days in order, with what is sold on them: less at weekends. */
static ml_table *days(ml_context *ctx)
{
    static const time_t first = 1262347200; /* 2010-01-01, noon */
    char text[400][16];
    const char *dates[400];
    double sales[400];
    ml_table *raw = NULL;
    for (int i = 0; i < 400; i++) {
        time_t at = first + 86400 * (time_t)i;
        const struct tm *day = gmtime(&at);
        strftime(text[i], sizeof text[i], "%Y-%m-%d", day);
        dates[i] = text[i];
        sales[i] = day->tm_wday % 6 == 0 ? 1.5 : 3.25;
    }
    raw = add_f64(ctx, add_text(ctx, NULL, "day", 400, dates), "sales", 400, sales);
    OK(ml_table_write_csv(raw, "test_automl_days.tmp", NULL, ERR));
    ml_table_free(raw);
    OK(ml_table_read_csv(ctx, "test_automl_days.tmp", NULL, &raw, ERR));
    remove("test_automl_days.tmp");
    return raw;
}

/* The weekday is in no column, but in the calendar. */
START_TEST(dates_are_taken_apart)
{
    ml_context *ctx = test_context(2);
    ml_table *t = days(ctx);
    ml_model *m =
        fit_yaml(ctx, "automl", "{target: sales, trials: 4, folds: 3}", t, NULL);
    ck_assert_double_lt(number(m, "held_out_score", 0), 0.2);
    same_after_loading(ctx, m, "value", t);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A search in a context whose allocations fail: of dates, and numbers of which one is
 * infinite. */
static ml_status small_search(failing_alloc *f)
{
    ml_context *ctx = NULL, *plain = test_context(1);
    ml_host host = failing_host(f);
    ml_table *t = days(plain), *part = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    double x[30] = {1, 2, INFINITY};
    OK(ml_table_slice(t, 0, 30, &part, ERR));
    ml_table_free(t);
    t = add_f64(plain, part, "x", 30, x);
    ml_status st = ml_context_new(&host, &ctx, NULL);
    if (!st) st = ml_estimator_new(ctx, "automl", &e, NULL);
    if (!st) st = ml_estimator_set_str(e, "target", "sales", NULL);
    if (!st) st = ml_estimator_set_str(e, "time", "day", NULL);
    if (!st) st = ml_estimator_set_str(e, "algorithms", "[baseline]", NULL);
    if (!st) st = ml_estimator_set_i64(e, "trials", 1, NULL);
    if (!st) st = ml_estimator_set_i64(e, "folds", 2, NULL);
    if (!st) st = ml_estimator_fit(e, t, NULL, &m, NULL);
    ml_predictor *p = NULL;
    ml_tensor *out = NULL;
    if (!st) st = ml_predictor_new(m, "value", NULL, &p, NULL);
    if (!st) st = ml_predictor_run(p, t, &out, NULL);
    ml_tensor_free(out);
    ml_predictor_free(p);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_context_free(ctx);
    ml_table_free(t);
    ml_context_free(plain);
    return st;
}

START_TEST(out_of_memory_anywhere)
{
    failing_alloc f = {0};
    OUT_OF_MEMORY_LOOP(f, small_search(&f));
}
END_TEST

/* Days from a number of days after 2019-01-01 on, with what grows from day to day. */
static ml_table *growth(ml_context *ctx, int begin, int n)
{
    char text[16384] = "day,x,y\n";
    size_t size = strlen(text);
    ml_table *t = NULL;
    for (int i = begin; i < begin + n; i++) {
        time_t at = 1546300800 + 86400 * (time_t)i;
        const struct tm *day = gmtime(&at);
        char date[16];
        strftime(date, sizeof date, "%Y-%m-%d", day);
        size += (size_t)snprintf(text + size, sizeof text - size, "%s,%d,%d.5\n", date,
                                 i * 7919 % 13, 5 * i);
    }
    FILE *f = fopen("test_automl_growth.tmp", "w");
    ck_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
    OK(ml_table_read_csv(ctx, "test_automl_growth.tmp", NULL, &t, ERR));
    remove("test_automl_growth.tmp");
    return t;
}

static void note_any(int32_t level, const char *module, const char *message, void *user)
{
    (void)module, (void)message;
    *(int *)user += level <= ML_LOG_WARNING;
}

/* A trend goes on beyond the new year, though the day of the year begins again: in less
 * than a year that is no feature. */
START_TEST(a_trend_goes_on)
{
    int warnings = 0; /* that the time tells the target is none */
    ml_host host = ML_HOST_INIT;
    ml_context *ctx = NULL;
    host.log = note_any;
    host.log_user = &warnings;
    OK(ml_context_new(&host, &ctx, ERR));
    ml_table *past = growth(ctx, 0, 300), *next = growth(ctx, 300, 100);
    ml_model *m =
        fit_yaml(ctx, "automl", "{target: y, time: day, trials: 4}", past, NULL);
    ml_tensor *y = predicted(m, "value", next);
    ck_assert_int_eq(warnings, 0);
    for (int i = 0; i < 100; i++)
        ck_assert_double_eq_tol(ml_tensor_get_f64(y, i, 0), 5 * (300 + i) + 0.5, 40);
    ml_tensor_free(y);
    same_after_loading(ctx, m, "value", next);
    ml_model_free(m);
    ml_table_free(past);
    ml_table_free(next);
    ml_context_free(ctx);
}
END_TEST

/* The time orders the folds, and is a feature like any date, unless it is ignored. */
START_TEST(the_time_is_a_feature)
{
    ml_context *ctx = test_context(2);
    ml_table *t = days(ctx);
    ml_estimator *e = NULL;
    ml_model *m =
        fit_yaml(ctx, "automl", "{target: sales, time: day, trials: 4}", t, NULL);
    ck_assert_double_lt(number(m, "held_out_score", 0), 0.2);
    same_after_loading(ctx, m, "value", t);
    ml_model_free(m);
    m = NULL;
    OK(ml_estimator_new(ctx, "automl", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "sales", ERR));
    OK(ml_estimator_set_str(e, "time", "day", ERR));
    OK(ml_estimator_set_str(e, "ignore", "day", ERR));
    FAILS(ML_E_DATA, ml_estimator_fit(e, t, NULL, &m, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "no column is left"));
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("tuning/automl_time", dates_are_taken_apart, the_time_is_a_feature,
          a_trend_goes_on, out_of_memory_anywhere)
