/* SPDX-License-Identifier: MIT
 *
 * Ensembles and automl. What every algorithm must do, the conformance kit tests.
 */
#include "testing_yaml.h"
#include "../conformance/kit.h"
#include "../testing_data.h"
#include "tuning/journal.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double number(const ml_model *m, const char *name, int64_t i)
{
    ml_tensor *t = NULL;
    OK(ml_model_get_tensor(m, name, &t, ERR));
    double v = ml_tensor_get_f64(t, i, 0);
    ml_tensor_free(t);
    return v;
}

static ml_table *table(ml_context *ctx, int64_t rows, int classes, uint64_t seed)
{
    return kit_table(ctx, &(kit_data){.rows = rows, .classes = classes, .seed = seed});
}

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

/* ---- what follows the search ---- */

/* Three classes in noise, 300 rows: the shares that deep trees give want a map, which a
 * model of them finds for most seeds. */
static ml_table *noisy_table(ml_context *ctx, uint64_t seed)
{
    enum { N = 300, P = 6 };
    static double x[P][N];
    static const char *y[N];
    ml_table *t = NULL;
    for (int j = 0; j < P; j++)
        for (int i = 0; i < N; i++) x[j][i] = kit_uniform(&seed) + kit_uniform(&seed) - 1;
    for (int i = 0; i < N; i++) {
        double p = 1 / (1 + exp(-2.5 * x[0][i] - 6 * x[1][i] * x[2][i]));
        y[i] = kit_uniform(&seed) < p ? "a" : kit_uniform(&seed) < 0.5 ? "b" : "c";
    }
    for (int j = 0; j < P; j++) {
        char name[8];
        snprintf(name, sizeof name, "x%d", j);
        t = add_f64(ctx, t, name, N, x[j]);
    }
    return add_text(ctx, t, "y", N, y);
}

static ml_model *stacked(ml_context *ctx, const ml_table *t, int stacking,
                         const char *algorithms)
{
    char text[192];
    snprintf(text, sizeof text,
             "{target: y, trials: 4, folds: 2, calibration: none, stacking: %s, "
             "algorithms: [%s]}",
             stacking ? "true" : "false", algorithms);
    return fit_yaml(ctx, "automl", text, t, NULL);
}

/* Does a model of the members end it? Then it is better than their mean (log_loss),
 * otherwise just that. */
static int stacking_helps(ml_context *ctx, const ml_table *t, const char *algorithms)
{
    ml_model *without = stacked(ctx, t, 0, algorithms);
    ml_model *with = stacked(ctx, t, 1, algorithms);
    double a = number(without, "held_out_score", 0),
           b = number(with, "held_out_score", 0);
    int helps = strcmp(ml_params_get_str(ml_model_params(with), "final"), "[]") != 0;
    ck_assert_str_eq(ml_params_get_str(ml_model_params(without), "final"), "[]");
    if (helps)
        ck_assert_double_lt(b, a);
    else
        ck_assert_double_eq(b, a);
    ml_model_free(without);
    ml_model_free(with);
    return helps;
}

START_TEST(stacking_only_when_better)
{
    ml_context *ctx = test_context(2);
    int helped = 0;
    for (uint64_t seed = 0; seed < 6; seed++) {
        ml_table *t = noisy_table(ctx, seed);
        if (seed == 0) ck_assert(!stacking_helps(ctx, t, "baseline"));
        helped += stacking_helps(ctx, t, "extra_trees");
        ml_table_free(t);
    }
    ck_assert_int_gt(helped, 0);
    ml_context_free(ctx);
}
END_TEST

static void same_after_loading(ml_context *ctx, const ml_model *m, const char *kind,
                               const ml_table *t)
{
    kit_bytes b = kit_save(m);
    ml_model *again = NULL;
    OK(ml_model_load_memory(ctx, b.data, b.size, NULL, NULL, NULL, &again, ERR));
    ml_tensor *x = predicted(m, kind, t), *y = predicted(again, kind, t);
    ck_assert(same_tensor(x, y));
    ml_tensor_free(x);
    ml_tensor_free(y);
    ml_model_free(again);
    free(b.data);
}

/* As a part of a model: what it found is in the whole, which can be fitted anew. */
START_TEST(automl_as_a_part)
{
    static const char *const yaml[][2] = {
        {"pipeline", "{target: y, steps: [imputer, model=automl], model.trials: 3, "
                     "model.folds: 2}"},
        {"calibrated", "{target: y, model: automl, automl.trials: 3, automl.folds: 2, "
                       "folds: 2}"},
        {"pipeline", "{target: y, steps: [imputer, last=stacking], last.members: [gbdt, "
                     "baseline], last.gbdt.n_trees: 4}"}};
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 300, 3, 4), *c = NULL;
    int mapped = 0; /* a model of the members ends the search */
    ml_params *p = NULL;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_set_i64(p, "folds", 2, ERR));
    for (int k = 0; k < 3; k++) {
        ml_model *m = fit_yaml(ctx, yaml[k][0], yaml[k][1], t, NULL);
        same_after_loading(ctx, m, "proba", t);
        if (k == 0) {
            ck_assert_ptr_nonnull(
                strstr(ml_params_get_str(ml_model_params(m), "model.members"), "m0="));
            OK(ml_model_check(m, NULL, t, p, &c, ERR)); /* searches in each fold */
            ml_table_free(c);
        }
        ml_model_free(m);
    }
    for (uint64_t seed = 0; seed < 6 && !mapped; seed++) {
        ml_table *noisy = noisy_table(ctx, seed);
        ml_model *m =
            fit_yaml(ctx, "pipeline",
                     "{target: y, steps: [imputer, model=automl], "
                     "model.trials: 4, model.folds: 2, model.calibration: none, "
                     "model.algorithms: [extra_trees]}",
                     noisy, NULL);
        mapped = strcmp(ml_params_get_str(ml_model_params(m), "model.final"),
                        "[\"final=logistic_regression\"]") == 0;
        same_after_loading(ctx, m, "proba", noisy);
        ml_model_free(m);
        ml_table_free(noisy);
    }
    ck_assert(mapped);
    refused(ctx, "pipeline",
            "{target: y, steps: [imputer, model=automl], model.distill: gbdt}", t,
            "part of a model has no distill");
    refused(ctx, "calibrated", "{target: y, model: automl, automl.journal: x.tmp}", t,
            "part of a model has no journal");
    ml_params_free(p);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(thresholds_and_calibration_in_the_model)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 300, 2, 3);
    ml_model *m = fit_yaml(ctx, "automl",
                           "{target: y, trials: 3, folds: 2, calibration: isotonic, "
                           "threshold_metric: recall}",
                           t, NULL);
    ml_tensor *cuts = NULL, *steps = NULL;
    OK(ml_model_get_tensor(m, "class_thresholds", &cuts, ERR));
    OK(ml_model_get_tensor(m, "calibration_isotonic", &steps, ERR));
    ck_assert_double_lt(ml_tensor_get_f64(cuts, 1, 0), 0.5); /* recall wants all */
    kit_bytes b = kit_save(m);
    ml_model *again = NULL;
    OK(ml_model_load_memory(ctx, b.data, b.size, NULL, NULL, NULL, &again, ERR));
    ml_tensor *x = predicted(m, "class", t), *y = predicted(again, "class", t);
    ck_assert(same_tensor(x, y));
    free(b.data);
    ml_tensor_free(x);
    ml_tensor_free(y);
    ml_tensor_free(cuts);
    ml_tensor_free(steps);
    ml_model_free(again);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(distilled_into_one_plain_model)
{
    ml_context *ctx = test_context(2);
    for (int classes = 0; classes <= 3; classes++) {
        if (classes == 1) continue;
        const char *metric = classes ? "log_loss" : "rmse";
        ml_table *train = table(ctx, 400, classes, 1),
                 *test = table(ctx, 400, classes, 2);
        ml_model *m =
            fit_yaml(ctx, "automl", "{target: y, trials: 8, folds: 3, distill: gbdt}",
                     train, NULL);
        ml_model *b = fit_yaml(ctx, "baseline", "{target: y}", train, NULL);
        ck_assert_str_eq(ml_model_algorithm(m), "gbdt");
        ck_assert_str_eq(ml_params_get_str(ml_model_params(m), "target"), "y");
        ck_assert(!isnan(number(m, "held_out_score", 0)));
        ck_assert_double_lt(scored(m, test, metric), 0.9 * scored(b, test, metric));
        kit_bytes bytes = kit_save(m);
        ml_model *again = NULL;
        OK(ml_model_load_memory(ctx, bytes.data, bytes.size, NULL, NULL, NULL, &again,
                                ERR));
        ck_assert_double_eq(scored(m, test, metric), scored(again, test, metric));
        free(bytes.data);
        ml_model_free(again);
        ml_model_free(b);
        ml_model_free(m);
        ml_table_free(train);
        ml_table_free(test);
    }
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
    refused(ctx, "automl", "{target: y, trials: 3, folds: 2, memory_limit: 0.001}", t,
            "memory_limit");
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static int has_tensor(const ml_model *m, const char *name)
{
    ml_tensor *t = NULL;
    int has = ml_model_get_tensor(m, name, &t, NULL) == ML_OK;
    ml_tensor_free(t);
    return has;
}

/* A target that nothing tells of: thresholds that fit it are no better for other rows,
 * and the score does not say so. */
START_TEST(thresholds_of_noise)
{
    ml_context *ctx = test_context(1);
    double x[150], y[150];
    uint64_t state = 11;
    for (int i = 0; i < 150; i++) {
        x[i] = kit_uniform(&state);
        y[i] = kit_uniform(&state) < 0.5;
    }
    ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "x", 150, x), "y", 150, y);
    ml_model *m =
        fit_yaml(ctx, "automl",
                 "{target: y, trials: 3, folds: 3, metric: balanced_accuracy, "
                 "max_members: 1, stacking: false, algorithms: [random_forest]}",
                 t, NULL);
    double best = fmax(number(m, "trial_scores", 0), number(m, "trial_scores", 1));
    best = fmax(best, number(m, "trial_scores", 2));
    ck_assert_double_eq(number(m, "held_out_score", 0), best);
    ck_assert(!has_tensor(m, "class_thresholds"));
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A calibration that was asked for is there, however few the rows. */
START_TEST(calibration_of_few_rows)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 9, 2, 3);
    double groups[60];
    ml_model *m = fit_yaml(
        ctx, "automl", "{target: y, trials: 2, folds: 2, calibration: sigmoid}", t, NULL);
    ck_assert(has_tensor(m, "calibration_sigmoid"));
    ml_model_free(m);
    ml_table_free(t);
    for (int i = 0; i < 60; i++) groups[i] = i % 3;
    t = add_f64(ctx, table(ctx, 60, 2, 3), "g", 60, groups);
    m = fit_yaml(ctx, "automl",
                 "{target: y, group: g, trials: 2, folds: 3, calibration: sigmoid, "
                 "threshold_metric: f1}",
                 t, NULL);
    ck_assert(has_tensor(m, "calibration_sigmoid"));
    ck_assert(!has_tensor(m, "class_thresholds"));
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Without the time to judge it a distilled model has no score. */
START_TEST(distilled_without_time)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 200, 2, 4);
    ml_model *m =
        fit_yaml(ctx, "automl",
                 "{target: y, time_limit: 0.000001, trials: 0, distill: gbdt}", t, NULL);
    ck_assert_str_eq(ml_model_algorithm(m), "gbdt");
    ck_assert(!has_tensor(m, "held_out_score"));
    ck_assert(has_tensor(m, "leaderboard"));
    ml_model_free(m);
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
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_table_free(test);
    ml_context_free(ctx);
}
END_TEST

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

static void note_warning(int32_t level, const char *module, const char *message,
                         void *user)
{
    (void)level;
    (void)module;
    if (strstr(message, "tells the target")) strncpy(user, message, 255);
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

/* What the search proposes and is bad in the first fold is given up there. */
START_TEST(bad_candidates_are_given_up)
{
    ml_context *ctx = test_context(2);
    ml_table *t = table(ctx, 300, 0, 8);
    ml_model *m = fit_yaml(
        ctx, "automl", "{target: y, trials: 22, folds: 3, algorithms: [gbdt]}", t, NULL);
    ml_tensor *board = NULL;
    int64_t given_up = 0, missing = 0;
    OK(ml_model_get_tensor(m, "leaderboard", &board, ERR));
    char *text = strndup(ml_tensor_data(board), (size_t)ml_tensor_shape(board)[0]);
    for (const char *s = text; (s = strstr(s, ",given up,")); s++) given_up++;
    for (int64_t i = 0; i < 22; i++) missing += isnan(number(m, "trial_scores", i));
    ck_assert_int_ge(given_up, 2);
    ck_assert_int_eq(given_up, missing);
    ck_assert_ptr_null(strstr(text, ",failed,"));
    free(text);
    ml_tensor_free(board);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- the journal ---- */

static const char journal[] = "test_automl_journal.tmp";

static ml_model *fit_with_journal(ml_context *ctx, const ml_table *t, const char *path)
{
    char yaml[256];
    snprintf(yaml, sizeof yaml,
             "{target: y, trials: 16, folds: 2, journal: \"%s\", "
             "algorithms: [gbdt, logistic_regression]}",
             path);
    return fit_yaml(ctx, "automl", yaml, t, NULL);
}

static int64_t records(void)
{
    int64_t n = 0;
    char line[256];
    FILE *f = fopen(journal, "r");
    if (!f) return 0;
    while (fgets(line, sizeof line, f)) n += strstr(line, "{\"candidate\"") != NULL;
    fclose(f);
    return n;
}

/* Killed in the middle, again and again: the model is the same bytes in the end, and no
 * candidate is fitted twice. */
START_TEST(killed_and_resumed)
{
    remove(journal);
    for (int64_t want = 2; want <= 12; want += 5) {
        pid_t child = fork();
        if (child == 0) {
            ml_context *ctx = test_context(1);
            ml_table *t = table(ctx, 300, 2, 6);
            ml_model_free(fit_with_journal(ctx, t, journal));
            _exit(0);
        }
        ck_assert_int_gt(child, 0);
        while (records() < want && waitpid(child, NULL, WNOHANG) == 0) usleep(500);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    ck_assert_int_ge(records(), 12);
    ml_context *ctx = test_context(2);
    ml_table *t = table(ctx, 300, 2, 6);
    ml_model *m = fit_with_journal(ctx, t, journal),
             *plain = fit_with_journal(ctx, t, "");
    kit_bytes a = kit_save(m), b = kit_save(plain);
    ck_assert_int_eq(a.size, b.size);
    ck_assert(memcmp(a.data, b.data, a.size) == 0);
    /* Each kill may have torn one record, which is there in part. */
    ck_assert_int_le(records(), 16 + 3);
    free(a.data);
    free(b.data);
    ml_model_free(m);
    ml_model_free(plain);
    refused(ctx, "automl",
            "{target: y, trials: 3, folds: 3, journal: test_automl_journal.tmp}", t,
            "judged");
    ml_table *other = table(ctx, 300, 2, 7);
    refused(ctx, "automl",
            "{target: y, trials: 3, folds: 2, journal: test_automl_journal.tmp}", other,
            "rows");
    remove(journal);
    ml_table_free(other);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* With little time for many rows candidates are judged by one part; with a journal always
 * by the same folds. The constant that there is time for shows which. */
START_TEST(short_time_takes_one_part)
{
    static const char *const more[] = {"", ", folds: 5",
                                       ", journal: test_automl_journal.tmp"};
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 6000, 0, 4);
    double scores[3];
    remove(journal);
    for (int k = 0; k < 3; k++) {
        char yaml[160];
        snprintf(yaml, sizeof yaml, "{target: y, time_limit: 0.000001, trials: 0%s}",
                 more[k]);
        ml_model *m = fit_yaml(ctx, "automl", yaml, t, NULL);
        scores[k] = number(m, "trial_scores", 0);
        ml_model_free(m);
    }
    ck_assert_double_ne(scores[0], scores[1]);
    ck_assert_double_eq(scores[1], scores[2]);
    remove(journal);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Damaged records are as if they were not there. */
START_TEST(a_damaged_journal)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 200, 3, 6);
    remove(journal);
    ml_model *m = fit_with_journal(ctx, t, journal);
    kit_bytes a = kit_save(m);
    FILE *f = fopen(journal, "r+");
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    for (long at = 500; at < size; at += size / 7) {
        fseek(f, at, SEEK_SET);
        fputc('#', f);
    }
    fclose(f);
    ml_model *again = fit_with_journal(ctx, t, journal);
    kit_bytes b = kit_save(again);
    ck_assert_int_eq(a.size, b.size);
    ck_assert(memcmp(a.data, b.data, a.size) == 0);
    free(a.data);
    free(b.data);
    remove(journal);
    ml_model_free(m);
    ml_model_free(again);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static ml_status try_fit(ml_context *ctx, const char *yaml, const ml_table *t,
                         const ml_table *valid, ml_model **out)
{
    ml_estimator *e = estimator_of(ctx, "automl", yaml);
    ml_status st = ml_estimator_fit(e, t, valid, out, ERR);
    ml_estimator_free(e);
    return st;
}

/* Other validation rows, or folds by groups, are another search. */
START_TEST(a_journal_of_other_folds)
{
    static const char yaml[] = "{target: y, trials: 2, folds: 3, features: [a, b], "
                               "journal: test_automl_journal.tmp%s}";
    char text[160];
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 120, 0, 6), *v = table(ctx, 60, 0, 7), *w = NULL;
    ml_model *m = NULL;
    double groups[120];
    for (int i = 0; i < 120; i++) groups[i] = i / 4;
    t = add_f64(ctx, t, "g", 120, groups);
    remove(journal);
    snprintf(text, sizeof text, yaml, "");
    OK(try_fit(ctx, text, t, v, &m));
    ml_model_free(m);
    OK(try_fit(ctx, text, t, v, &m));
    ml_model_free(m);
    w = table(ctx, 60, 0, 8);
    FAILS(ML_E_ARGUMENT, try_fit(ctx, text, t, w, &m));
    remove(journal);
    OK(try_fit(ctx, text, t, NULL, &m));
    ml_model_free(m);
    snprintf(text, sizeof text, yaml, ", group: g");
    FAILS(ML_E_ARGUMENT, try_fit(ctx, text, t, NULL, &m));
    remove(journal);
    ml_table_free(v);
    ml_table_free(w);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static int has_failed(const ml_model *m, int64_t n)
{
    int failed = 0;
    for (int64_t i = 0; i < n; i++) failed += isnan(number(m, "trial_scores", i));
    return failed;
}

/* What lacked memory is tried again when there is more. */
START_TEST(a_journal_keeps_no_lack_of_memory)
{
    static const char yaml[] = "{target: y, trials: 6, folds: 2, "
                               "journal: test_automl_journal.tmp, memory_limit: %s}";
    char text[160];
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 2000, 0, 4);
    remove(journal);
    snprintf(text, sizeof text, yaml, "1");
    ml_model *m = fit_yaml(ctx, "automl", text, t, NULL);
    ck_assert_int_ge(has_failed(m, 6), 1);
    ml_model_free(m);
    snprintf(text, sizeof text, yaml, "0");
    m = fit_yaml(ctx, "automl", text, t, NULL);
    ck_assert_int_eq(has_failed(m, 6), 0);
    ml_model_free(m);
    remove(journal);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* With a clock all of a journal is taken over, but not algorithms that are not wanted. */
START_TEST(a_journal_of_other_algorithms)
{
    static const char yaml[] =
        "{target: y, trials: 6, folds: 2, time_limit: 100, max_members: 1, stacking: "
        "false, journal: test_automl_journal.tmp, algorithms: [%s]}";
    char text[200];
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 200, 0, 4);
    remove(journal);
    snprintf(text, sizeof text, yaml, "gbdt");
    ml_model *m = fit_yaml(ctx, "automl", text, t, NULL);
    ck_assert_ptr_nonnull(
        strstr(ml_params_get_str(ml_model_params(m), "members"), "gbdt"));
    ml_model_free(m);
    snprintf(text, sizeof text, yaml, "linear_regression");
    m = fit_yaml(ctx, "automl", text, t, NULL);
    ck_assert_ptr_null(strstr(ml_params_get_str(ml_model_params(m), "members"), "gbdt"));
    ml_model_free(m);
    remove(journal);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Two fits would write over each other. */
START_TEST(a_journal_in_use)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 100, 0, 4);
    mli_journal *j = NULL;
    remove(journal);
    OK(mli_journal_open(ctx, journal, &j, ERR));
    OK(mli_journal_lock(j, ERR));
    const char *yaml =
        "{target: y, trials: 1, folds: 2, journal: test_automl_journal.tmp}";
    ml_model *m = NULL;
    FAILS(ML_E_STATE, try_fit(ctx, yaml, t, NULL, &m));
    mli_journal_close(j);
    OK(try_fit(ctx, yaml, t, NULL, &m));
    remove(journal);
    ml_model_free(m);
    ml_table_free(t);
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

/* What a journal gives is blended as what was fitted. */
START_TEST(a_resumed_search_with_a_limit_blends)
{
    static const char yaml[] = "{target: y, trials: 6, time_limit: 3600, folds: 3, "
                               "algorithms: [gbdt, linear_regression, random_forest], "
                               "stacking: false, journal: test_automl_journal.tmp}";
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 200, 0, 9);
    remove(journal);
    ml_model *first = fit_yaml(ctx, "automl", yaml, t, NULL);
    ml_model *again = fit_yaml(ctx, "automl", yaml, t, NULL);
    remove(journal);
    ml_tensor *x = NULL, *y = NULL;
    OK(ml_model_get_tensor(first, "weights", &x, ERR));
    OK(ml_model_get_tensor(again, "weights", &y, ERR));
    int64_t n = ml_tensor_shape(x)[0];
    ck_assert_int_gt(n, 1);
    ck_assert_int_eq(n, ml_tensor_shape(y)[0]);
    for (int64_t i = 0; i < n; i++)
        ck_assert_double_eq(ml_tensor_get_f64(x, i, 0), ml_tensor_get_f64(y, i, 0));
    ml_tensor_free(x);
    ml_tensor_free(y);
    ml_model_free(first);
    ml_model_free(again);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("tuning/automl", a_resumed_search_with_a_limit_blends,
          metrics_keep_their_options, an_ensemble_is_the_weighted_mean, wrong_parameters,
          automl_beats_its_candidates, one_member_and_chosen_algorithms,
          no_time_gives_the_simplest_model, a_stopped_search_keeps_the_best,
          validation_rows_judge, stacking_only_when_better, automl_as_a_part,
          thresholds_and_calibration_in_the_model, distilled_into_one_plain_model,
          thresholds_of_noise, calibration_of_few_rows, distilled_without_time,
          no_time_for_the_last_fits, a_memory_limit_is_kept, bad_candidates_are_given_up,
          dates_are_taken_apart, a_row_number_is_warned_of, killed_and_resumed,
          a_damaged_journal, a_journal_of_other_folds, a_journal_keeps_no_lack_of_memory,
          a_journal_of_other_algorithms, a_journal_in_use, short_time_takes_one_part)
