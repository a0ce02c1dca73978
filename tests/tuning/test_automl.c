/* SPDX-License-Identifier: MIT
 *
 * Ensembles, and the search of automl. What every algorithm must do, the conformance kit
 * tests.
 */
#include "testing_automl.h"
#include "../failing.h"

#include <time.h>
#include <unistd.h>

/* ---- ensembles ---- */

/* The weighted mean of what the members predict by themselves. */
START_TEST(an_ensemble_is_the_weighted_mean)
{
    ml_context *ctx = test_context(1);
    for (int classes = 0; classes <= 3; classes++) {
        if (classes == 1) continue;
        ml_table *t = table(ctx, 150, classes, 5);
        const char *kind = classes ? "proba" : "value";
        ml_model *a = fit_yaml(ctx, "gbdt", "{target: y, n_trees: 5}", t, NULL);
        ml_model *b = fit_yaml(ctx, "baseline", "{target: y}", t, NULL);
        ml_model *both = fit_yaml(
            ctx, "ensemble",
            "{target: y, members: [gbdt, baseline], gbdt.n_trees: 5, weights: [3, 1]}", t,
            NULL);
        ml_tensor *x = predicted(a, kind, t), *y = predicted(b, kind, t);
        ml_tensor *z = predicted(both, kind, t);
        ck_assert_double_eq(number(both, "weights", 0), 0.75);
        for (int64_t i = 0; i < 150; i++)
            for (int64_t k = 0; k < (classes ? classes : 1); k++)
                ck_assert_double_eq_tol(ml_tensor_get_f64(z, i, k),
                                        0.75 * ml_tensor_get_f64(x, i, k) +
                                            0.25 * ml_tensor_get_f64(y, i, k),
                                        1e-12);
        ml_tensor_free(x);
        ml_tensor_free(y);
        ml_tensor_free(z);
        ml_model_free(a);
        ml_model_free(b);
        ml_model_free(both);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(wrong_parameters)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 60, 2, 1);
    refused(ctx, "ensemble", "{target: y, members: []}", t, "member");
    refused(ctx, "ensemble", "{target: y, members: [imputer]}", t, "predict");
    refused(ctx, "ensemble", "{target: y, members: [gbdx]}", t, "gbdt");
    refused(ctx, "ensemble", "{target: y, members: [gbdt], weights: [1, 2]}", t,
            "weights");
    refused(ctx, "ensemble", "{target: y, members: [gbdt], weights: [0]}", t, "weights");
    refused(ctx, "ensemble", "{target: y, members: [linear_regression]}", t, "y");
    refused(ctx, "automl", "{target: y, metric: rmse}", t, "rmse");
    refused(ctx, "automl", "{target: y, metric: roc_auk}", t, "roc_auc");
    refused(ctx, "automl", "{target: y, trials: -1}", t, "trials");
    refused(ctx, "automl", "{target: y, algorithms: [gbdx]}", t, "gbdt");
    refused(ctx, "automl", "{target: y, algorithms: [linear_regression]}", t, "suit");
    refused(ctx, "automl", "{target: y, algorithms: [imputer]}", t, "suit");
    refused(ctx, "automl", "{target: y, members: [m0=gbdt]}", t, "ensemble");
    refused(ctx, "automl", "{target: z}", t, "z");
    refused(ctx, "automl", "{target: y, distill: gbdx}", t, "gbdt");
    refused(ctx, "automl", "{target: y, distill: imputer}", t, "suit");
    refused(ctx, "automl", "{target: y, distill: gbdt, calibration: sigmoid}", t, "one");
    refused(ctx, "automl", "{target: y, threshold_metric: roc_auc}", t, "f1");
    refused(ctx, "automl", "{target: y, memory_limit: -1}", t, "memory_limit");
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- automl ---- */

START_TEST(automl_beats_its_candidates)
{
    ml_context *ctx = test_context(2);
    for (int classes = 0; classes <= 3; classes++) {
        if (classes == 1) continue;
        const char *metric = classes == 2 ? "roc_auc" : classes ? "log_loss" : "rmse";
        ml_table *train = table(ctx, 400, classes, 1),
                 *test = table(ctx, 400, classes, 2);
        ml_model *m =
            fit_yaml(ctx, "automl", "{target: y, trials: 10, folds: 3}", train, NULL);
        ml_model *b = fit_yaml(ctx, "baseline", "{target: y}", train, NULL);
        double sign = classes == 2 ? -1 : 1, held_out = number(m, "held_out_score", 0);
        for (int64_t i = 0; i < 10; i++) {
            double one = number(m, "trial_scores", i);
            ck_assert(isnan(one) || sign * held_out <= sign * one);
        }
        ck_assert(sign * scored(m, test, metric) < sign * scored(b, test, metric));
        ml_model_free(b);
        ml_model_free(m);
        ml_table_free(train);
        ml_table_free(test);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(one_member_and_chosen_algorithms)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 200, 2, 3);
    ml_model *m = fit_yaml(ctx, "automl",
                           "{target: y, trials: 6, folds: 2, max_members: 1, "
                           "algorithms: [logistic_regression]}",
                           t, NULL);
    const char *members = ml_params_get_str(ml_model_params(m), "members");
    ck_assert_ptr_nonnull(members);
    ck_assert_ptr_nonnull(strstr(members, "m0=logistic_regression"));
    ck_assert_ptr_null(strstr(members, "m1"));
    ck_assert_ptr_null(strstr(members, "gbdt"));
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* However little time there is, there is a model. */
START_TEST(no_time_gives_the_simplest_model)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 300, 0, 4);
    ml_model *m =
        fit_yaml(ctx, "automl", "{target: y, time_limit: 0.000001, trials: 0}", t, NULL);
    ck_assert_str_eq(ml_params_get_str(ml_model_params(m), "members"),
                     "[\"m0=baseline\"]");
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Nothing is better than a constant for a target that is one: the simplest model. */
START_TEST(a_constant_target_takes_a_constant)
{
    enum { N = 200 };
    ml_context *ctx = test_context(1);
    double x[N], y[N];
    for (int i = 0; i < N; i++) {
        x[i] = i * 37 % 101;
        y[i] = 5;
    }
    ml_table *t = add_f64(ctx, NULL, "x", N, x);
    t = add_f64(ctx, t, "y", N, y);
    ml_model *m = fit_yaml(ctx, "automl",
                           "{target: y, task: regression, trials: 6, folds: 3}", t, NULL);
    ck_assert_str_eq(ml_params_get_str(ml_model_params(m), "members"),
                     "[\"m0=baseline\"]");
    ck_assert_double_eq(number(m, "held_out_score", 0), 0);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static int stop_at_third(const ml_progress *p, void *user)
{
    (void)p;
    return ++*(int *)user >= 3 ? ML_STOP_KEEP : ML_CONTINUE;
}

START_TEST(a_stopped_search_keeps_the_best)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 200, 0, 4);
    ml_estimator *e = estimator_of(ctx, "automl", "{target: y, trials: 0, folds: 2}");
    ml_model *m = NULL;
    int calls = 0;
    ml_estimator_set_progress(e, stop_at_third, &calls);
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ck_assert_int_ge(calls, 3);
    ml_tensor *scores = NULL;
    OK(ml_model_get_tensor(m, "trial_scores", &scores, ERR));
    ck_assert_int_eq(ml_tensor_shape(scores)[0], 3);
    ml_tensor_free(scores);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Validation rows are what candidates are judged by. */
START_TEST(validation_rows_judge)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 200, 0, 4), *v = table(ctx, 50, 0, 5);
    ml_estimator *e =
        estimator_of(ctx, "automl", "{target: y, trials: 3, max_members: 1}");
    ml_model *m = NULL;
    OK(ml_estimator_fit(e, t, v, &m, ERR));
    ml_model *b = fit_yaml(ctx, "baseline", "{target: y}", t, NULL);
    ck_assert_double_eq_tol(number(m, "trial_scores", 0), scored(b, v, "rmse"), 1e-12);
    ml_model_free(b);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(v);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

typedef struct {
    struct timespec begin;
    double limit;
} sleeper;

static int sleep_at_the_end(const ml_progress *p, void *user)
{
    const sleeper *s = user;
    struct timespec now;
    if (p->fraction < 0.9) return ML_CONTINUE;
    do {
        usleep(10000);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - s->begin.tv_sec) +
                 1e-9 * (double)(now.tv_nsec - s->begin.tv_nsec) <
             s->limit);
    return ML_CONTINUE;
}

static int report_has(ml_context *ctx, const ml_model *m, const char *text)
{
    ml_report *r = NULL;
    kit_bytes page = {0};
    ml_io io = ML_IO_INIT;
    io.write = kit_write;
    io.user = &page;
    OK(ml_report_new(ctx, "search", &r, ERR));
    OK(ml_report_add_model(r, "Model", m, NULL, ERR));
    OK(ml_report_save_io(r, &io, ERR));
    kit_write("", 1, &page);
    int found = strstr(page.data, text) != NULL;
    ml_report_free(r);
    free(page.data);
    return found;
}

/* The time is over when the last fits begin: models of one fold stand in, not those of a
 * few rounds. */
START_TEST(no_time_for_the_last_fits)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 1000, 0, 4), *test = table(ctx, 1000, 0, 5);
    ml_estimator *e = estimator_of(
        ctx, "automl",
        "{target: y, time_limit: 2, trials: 4, folds: 3, stacking: false, algorithms: "
        "[gbdt]}");
    ml_model *m = NULL;
    sleeper s = {.limit = 2.1};
    clock_gettime(CLOCK_MONOTONIC, &s.begin);
    ml_estimator_set_progress(e, sleep_at_the_end, &s);
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ck_assert_double_lt(scored(m, test, "rmse"), 1.3 * number(m, "held_out_score", 0));
    same_after_loading(ctx, m, "value", t);
    ck_assert_double_ge(number(m, "not_refitted", 0), 1);
    ck_assert(report_has(ctx, m, "of some rows only"));
    ck_assert(!report_has(ctx, m, "fitted again to all rows"));
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_table_free(test);
    ml_context_free(ctx);
}
END_TEST

/* Candidates that need more memory than there is fail; what is left is a model. */
START_TEST(a_memory_limit_is_kept)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 2000, 0, 4);
    ml_model *m = fit_yaml(ctx, "automl",
                           "{target: y, trials: 6, folds: 2, memory_limit: 1, stacking: "
                           "false}",
                           t, NULL);
    ml_tensor *scores = NULL;
    OK(ml_model_get_tensor(m, "trial_scores", &scores, ERR));
    int failed = 0;
    for (int64_t i = 0; i < 6; i++) failed += isnan(ml_tensor_get_f64(scores, i, 0));
    ck_assert_int_ge(failed, 1);
    ck_assert_int_le(failed, 5);
    ml_tensor_free(scores);
    ml_model_free(m);
    m = fit_yaml(ctx, "automl", "{target: y, trials: 3, memory_limit: 0.000001}", t,
                 NULL);
    ck_assert_str_eq(ml_params_get_str(ml_model_params(m), "members"),
                     "[\"m0=baseline\"]");
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Copies of the rows, the look at the columns and the last fits are within the limit too;
 * what the blend takes comes on top. */
START_TEST(all_of_a_search_keeps_the_memory_limit)
{
    static const int megabytes[] = {1, 3, 10};
    for (size_t k = 0; k < 3; k++) {
        char yaml[160];
        failing_alloc f = {0};
        ml_host host = failing_host(&f);
        ml_context *ctx = NULL;
        OK(ml_context_new(&host, &ctx, ERR));
        ml_table *t = table(ctx, 20000, 2, 4);
        atomic_store(&f.most, atomic_load(&f.bytes));
        int64_t before = f.bytes;
        snprintf(yaml, sizeof yaml,
                 "{target: y, trials: 5, memory_limit: %d, stacking: false, calibration: "
                 "none}",
                 megabytes[k]);
        ml_model *m = fit_yaml(ctx, "automl", yaml, t, NULL);
        ck_assert_int_lt(f.most - before, 1000000 * (megabytes[k] + 3));
        ml_model_free(m);
        ml_table_free(t);
        ml_context_free(ctx);
    }
}
END_TEST

/* What the search proposes and is bad in the first fold is given up there, also where
 * threads have fitted others beside it: the model is the same to the byte. */
START_TEST(bad_candidates_are_given_up)
{
    const int32_t threads[] = {1, 2, 3, 7};
    kit_bytes first = {0};
    for (int k = 0; k < 4; k++) {
        ml_context *ctx = test_context(threads[k]);
        ml_table *t = table(ctx, 300, 0, 8);
        ml_model *m =
            fit_yaml(ctx, "automl",
                     "{target: y, trials: 22, folds: 3, algorithms: [gbdt]}", t, NULL);
        ml_tensor *board = NULL;
        int64_t given_up = 0, missing = 0;
        OK(ml_model_get_tensor(m, "leaderboard", &board, ERR));
        char *text = strndup(ml_tensor_data(board), (size_t)ml_tensor_shape(board)[0]);
        for (const char *s = text; (s = strstr(s, ",given up,")); s++) given_up++;
        for (int64_t i = 0; i < 22; i++) missing += isnan(number(m, "trial_scores", i));
        ck_assert_int_ge(given_up, 2);
        ck_assert_int_eq(given_up, missing);
        ck_assert_ptr_null(strstr(text, ",failed,"));
        kit_bytes bytes = kit_save(m);
        if (k == 0) first = bytes;
        ck_assert_int_eq(bytes.size, first.size);
        ck_assert_mem_eq(bytes.data, first.data, first.size);
        if (k > 0) free(bytes.data);
        free(text);
        ml_tensor_free(board);
        ml_model_free(m);
        ml_table_free(t);
        ml_context_free(ctx);
    }
    free(first.data);
}
END_TEST

/* Memory is refused from the n-th allocation of the fit on. */
static ml_status search_with(failing_alloc *f, int64_t n)
{
    ml_host host = failing_host(f);
    ml_context *ctx = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    host.threads = 2;
    OK(ml_context_new(&host, &ctx, ERR));
    ml_table *t = table(ctx, 60, 0, 2);
    OK(ml_estimator_new(ctx, "automl", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    OK(ml_estimator_set_str(e, "trials", "4", ERR));
    OK(ml_estimator_set_str(e, "folds", "3", ERR));
    OK(ml_estimator_set_str(e, "algorithms", "[gbdt, linear_regression]", ERR));
    f->fail_at = f->calls + n;
    ml_status status = ml_estimator_fit(e, t, NULL, &m, ERR);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
    return status;
}

/* In folds and members side by side: the call says so, or did without, and nothing is
 * lost. */
START_TEST(memory_fails_side_by_side)
{
    memory_fails(search_with, SANITIZED ? 397 : 97);
}
END_TEST

static void note_warning(int32_t level, const char *module, const char *message,
                         void *user)
{
    (void)level;
    (void)module;
    if (strstr(message, "tells the target") || strstr(message, "not used, since"))
        strncpy(user, message, 255);
}

/* Rows that are sorted by the target, with their number. */
START_TEST(a_row_number_is_warned_of)
{
    char told[256] = "";
    double x[1000];
    int64_t id[1000], y[1000];
    uint64_t state = 3;
    ml_host host = ML_HOST_INIT;
    ml_context *ctx = NULL;
    host.log = note_warning;
    host.log_user = told;
    OK(ml_context_new(&host, &ctx, ERR));
    for (int i = 0; i < 1000; i++) {
        x[i] = kit_uniform(&state);
        id[i] = i;
        y[i] = i >= 480;
    }
    ml_table *t = add_f64(ctx, add_i64(ctx, NULL, "id", 1000, id), "x", 1000, x);
    t = add_i64(ctx, t, "y", 1000, y);
    ml_model_free(fit_yaml(ctx, "automl", "{target: y, trials: 2, folds: 2}", t, NULL));
    ck_assert_msg(strstr(told, "\"id\"") && strstr(told, "row number"), "%s", told);
    told[0] = 0;
    ml_model_free(fit_yaml(ctx, "automl",
                           "{target: y, ignore: [id], trials: 2, folds: 2}", t, NULL));
    ck_assert_str_eq(told, "");
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A name of its own in each row cannot be learned from, and that is said. */
START_TEST(columns_left_out_are_told)
{
    enum { N = 1200 };
    static char name[N][8], told[256];
    static const char *names[N];
    static double x[N], y[N];
    ml_host host = ML_HOST_INIT;
    ml_context *ctx = NULL;
    host.log = note_warning;
    host.log_user = told;
    OK(ml_context_new(&host, &ctx, ERR));
    for (int i = 0; i < N; i++) {
        snprintf(name[i], sizeof name[i], "n%d", i);
        names[i] = name[i];
        x[i] = i % 37;
        y[i] = i % 11;
    }
    ml_table *t = add_text(ctx, add_f64(ctx, NULL, "x", N, x), "name", N, names);
    t = add_f64(ctx, t, "y", N, y);
    ml_model_free(fit_yaml(ctx, "automl", "{target: y, trials: 1, folds: 2}", t, NULL));
    ck_assert_msg(strstr(told, "name; list columns in features"), "%s", told);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Classes of one row each: some fold has none of them to learn from. */
START_TEST(classes_of_one_row)
{
    enum { N = 103 };
    static const char *const rare[] = {"c1", "c2", "c3", "c4", "c5"};
    ml_context *ctx = test_context(2);
    const char *y[N];
    double x[N];
    uint64_t state = 9;
    for (int i = 0; i < N; i++) {
        x[i] = kit_uniform(&state);
        y[i] = i % 20 == 7 ? rare[i / 20 % 5] : x[i] > 0.4 ? "u" : "v";
    }
    ml_table *t = add_text(ctx, add_f64(ctx, NULL, "x", N, x), "y", N, y);
    ml_model *m = fit_yaml(ctx, "automl", "{target: y, trials: 6}", t, NULL);
    for (int i = 0; i < 6; i++) ck_assert(isfinite(number(m, "trial_scores", i)));
    same_after_loading(ctx, m, "proba", t);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static void count_warnings(int32_t level, const char *module, const char *message,
                           void *user)
{
    (void)module;
    (void)message;
    if (level <= ML_LOG_WARNING) ++*(int *)user;
}

/* A column twice: a linear model says so, one of many candidates does not. */
START_TEST(candidates_do_not_warn)
{
    enum { N = 200 };
    int warnings = 0;
    double x[N], y[N];
    ml_host host = ML_HOST_INIT;
    ml_context *ctx = NULL;
    host.log = count_warnings;
    host.log_user = &warnings;
    host.threads = 1;
    OK(ml_context_new(&host, &ctx, ERR));
    for (int i = 0; i < N; i++) {
        x[i] = i % 37;
        y[i] = x[i] + i % 11;
    }
    ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "a", N, x), "b", N, x);
    t = add_f64(ctx, t, "y", N, y);
    ml_model_free(fit_yaml(ctx, "linear_regression", "{target: y}", t, NULL));
    ck_assert_int_eq(warnings, 1);
    ml_model_free(fit_yaml(ctx, "automl",
                           "{target: y, trials: 3, folds: 2, algorithms: "
                           "[linear_regression]}",
                           t, NULL));
    ck_assert_int_eq(warnings, 1);
    ml_model_free(fit_yaml(ctx, "linear_regression", "{target: y}", t, NULL));
    ck_assert_int_eq(warnings, 2);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static void note_last(int32_t level, const char *module, const char *message, void *user)
{
    (void)module;
    if (level <= ML_LOG_WARNING) snprintf(user, 256, "%s", message);
}

/* A few whole numbers may be classes; whoever names the task or the metric knows. */
START_TEST(whole_numbers_that_may_be_classes)
{
    enum { N = 120 };
    static const char *const more[] = {"", ", task: regression", ", metric: mae", ""};
    double x[N], y[N];
    for (int k = 0; k < 4; k++) {
        char told[256] = "", yaml[128];
        ml_host host = ML_HOST_INIT;
        ml_context *ctx = NULL;
        host.log = note_last;
        host.log_user = told;
        OK(ml_context_new(&host, &ctx, ERR));
        for (int i = 0; i < N; i++) {
            x[i] = i % 37;
            y[i] = i % (k == 3 ? 11 : 4);
        }
        ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "x", N, x), "y", N, y);
        snprintf(yaml, sizeof yaml, "{target: y, trials: 1, folds: 2%s}", more[k]);
        ml_model_free(fit_yaml(ctx, "automl", yaml, t, NULL));
        ck_assert_int_eq(strstr(told, "has 4 whole numbers") != NULL, k == 0);
        ml_table_free(t);
        ml_context_free(ctx);
    }
}
END_TEST

/* Values that are infinite, or that nothing is left of the others beside, count as
 * missing: all candidates take them, and the model does. */
START_TEST(numbers_out_of_proportion)
{
    enum { N = 120 };
    static const double odd[] = {INFINITY, 1e300, 1e20, 3e18};
    ml_context *ctx = test_context(2);
    for (int k = 0; k < 4; k++) {
        double x[N], z[N], y[N];
        ml_tensor *board = NULL;
        for (int i = 0; i < N; i++) {
            x[i] = y[i] = i % 37;
            z[i] = 1e18 * (i % 5); /* large, and in proportion */
        }
        x[3] = odd[k];
        x[77] = -odd[k];
        ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "x", N, x), "y", N, y);
        t = add_f64(ctx, t, "z", N, z);
        ml_model *m =
            fit_yaml(ctx, "automl", "{target: y, trials: 4, folds: 2}", t, NULL);
        OK(ml_model_get_tensor(m, "leaderboard", &board, ERR));
        char *text = strndup(ml_tensor_data(board), (size_t)ml_tensor_shape(board)[0]);
        ck_assert_msg(!strstr(text, "failed") && strstr(text, "linear_regression"), "%s",
                      text);
        free(text);
        ml_tensor_free(board);
        ck_assert_double_lt(number(m, "held_out_score", 0), 5);
        same_after_loading(ctx, m, "value", t);
        x[3] = x[77] = NAN; /* the same prediction */
        ml_table *gaps = add_f64(ctx, add_f64(ctx, NULL, "x", N, x), "z", N, z);
        ml_tensor *a = predicted(m, "value", t), *b = predicted(m, "value", gaps);
        ck_assert(same_tensor(a, b));
        ml_tensor_free(a);
        ml_tensor_free(b);
        ml_table_free(gaps);
        ml_model_free(m);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

/* What an algorithm cannot take is told, once, and stands in the leaderboard. */
START_TEST(failures_say_why)
{
    enum { N = 100 };
    char told[256] = "";
    double x[N], y[N];
    ml_host host = ML_HOST_INIT;
    ml_context *ctx = NULL;
    ml_tensor *board = NULL;
    host.log = note_last;
    host.log_user = told;
    OK(ml_context_new(&host, &ctx, ERR));
    for (int i = 0; i < N; i++) { /* the first fold has one class */
        x[i] = i;
        y[i] = i >= 80;
    }
    ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "x", N, x), "\"odd\", y", N, y);
    ml_model *m = fit_yaml(
        ctx, "automl", "{target: '\"odd\", y', time: x, trials: 3, folds: 2}", t, NULL);
    ck_assert_msg(strstr(told, "logistic_regression failed") &&
                      strstr(told, "same class"),
                  "%s", told);
    OK(ml_model_get_tensor(m, "leaderboard", &board, ERR));
    char *text = strndup(ml_tensor_data(board), (size_t)ml_tensor_shape(board)[0]);
    ck_assert_msg(strstr(text, "\"column \"\"") && strstr(text, "same class"), "%s",
                  text);
    free(text);
    ml_tensor_free(board);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* More values than there is time for: the search sees some rows, and the last fits as
 * many as they can. */
START_TEST(little_time_for_many_rows)
{
    enum { N = 60000 };
    ml_context *ctx = test_context(2);
    double *x = calloc(N, sizeof *x);
    char name[8];
    uint64_t state = 7;
    ml_table *t = NULL;
    for (int j = 0; j < 20; j++) {
        for (int i = 0; i < N; i++) x[i] = kit_uniform(&state);
        snprintf(name, sizeof name, "x%d", j);
        t = add_f64(ctx, t, name, N, x);
    }
    for (int i = 0; i < N; i++) x[i] += kit_uniform(&state);
    t = add_f64(ctx, t, "y", N, x);
    ml_model *m =
        fit_yaml(ctx, "automl", "{target: y, time_limit: 0.4, trials: 0}", t, NULL);
    ck_assert_double_lt(scored(m, t, "rmse"), 0.42); /* of a constant 0.408 */
    same_after_loading(ctx, m, "value", t);
    ml_model_free(m);
    ml_table_free(t);
    free(x);
    ml_context_free(ctx);
}
END_TEST

/* A candidate is scored with the power that a metric has when it stands alone. */
START_TEST(metrics_keep_their_options)
{
    enum { N = 300 };
    ml_context *ctx = test_context(1);
    double x[N], y[N], constant[N], mean = 0, want;
    for (int i = 0; i < N; i++) {
        x[i] = i % 9;
        y[i] = i % 3 ? 0 : 100 + i % 7 * 50;
        mean += y[i] / N;
    }
    for (int i = 0; i < N; i++) constant[i] = mean;
    ml_table *t = add_f64(ctx, NULL, "x", N, x);
    t = add_f64(ctx, t, "y", N, y);
    ml_model *m = fit_yaml(ctx, "automl",
                           "{target: y, metric: tweedie_deviance, trials: 1, "
                           "algorithms: [baseline]}",
                           t, NULL);
    int64_t n = N;
    ml_tensor *truth = NULL, *p = NULL;
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, &n, NULL, y, &truth, ERR));
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, &n, NULL, constant, &p, ERR));
    OK(ml_metric_score(ctx, "tweedie_deviance", truth, p, NULL, NULL, &want, ERR));
    ck_assert_double_eq_tol(number(m, "held_out_score", 0), want, 0.1 * want);
    ml_tensor_free(truth);
    ml_tensor_free(p);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A slope in either half: trees with linear leaves take part, and are best. */
START_TEST(smooth_targets_take_linear_leaves)
{
    enum { N = 600 };
    ml_context *ctx = test_context(1);
    double x[N], y[N];
    uint64_t state = 5;
    for (int i = 0; i < N; i++) {
        x[i] = kit_uniform(&state);
        y[i] = x[i] < 0.5 ? 8 * x[i] : -8 * x[i] + 0.01 * kit_uniform(&state);
    }
    ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "x", N, x), "y", N, y);
    ml_model *m = fit_yaml(
        ctx, "automl",
        "{target: y, trials: 4, folds: 2, max_members: 1, algorithms: [gbdt]}", t, NULL);
    ck_assert_str_eq(ml_params_get_str(ml_model_params(m), "m0.linear_tree"), "true");
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("tuning/automl", an_ensemble_is_the_weighted_mean, wrong_parameters,
          automl_beats_its_candidates, one_member_and_chosen_algorithms,
          no_time_gives_the_simplest_model, a_constant_target_takes_a_constant,
          a_stopped_search_keeps_the_best, validation_rows_judge,
          no_time_for_the_last_fits, a_memory_limit_is_kept,
          all_of_a_search_keeps_the_memory_limit, bad_candidates_are_given_up,
          memory_fails_side_by_side, a_row_number_is_warned_of, columns_left_out_are_told,
          classes_of_one_row, candidates_do_not_warn, failures_say_why,
          numbers_out_of_proportion, whole_numbers_that_may_be_classes,
          little_time_for_many_rows, metrics_keep_their_options,
          smooth_targets_take_linear_leaves)
