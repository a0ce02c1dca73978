/* SPDX-License-Identifier: MIT
 *
 * Metrics against the values of scikit-learn (tests/reference/metrics.py), and bad input.
 */
#include "../failing.h"
#include "core/rng.h"
#include "testing_data.h"
#include "testing_yaml.h"

#include "metrics_expected.h"

static ml_tensor *tensor(ml_context *ctx, const double *v, int64_t rows, int64_t columns)
{
    int64_t shape[2] = {rows, columns};
    ml_tensor *t = NULL;
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, columns > 1 ? 2 : 1, shape, NULL, v, &t, ERR));
    return t;
}

static int needs_class(ml_context *ctx, const char *metric)
{
    char name[64];
    ml_schema *s = NULL;
    snprintf(name, sizeof name, "metric.%s", metric);
    OK(ml_schema_new(ctx, name, &s, ERR));
    int needs = strstr(ml_schema_json(s), "\"needs\": \"class\"") != NULL;
    ml_schema_free(s);
    return needs;
}

static void compare(const expected *e, size_t n, const double *y, const double *p,
                    const double *c, const double *w, int64_t columns)
{
    ml_context *ctx = test_context(1);
    ml_tensor *ty = tensor(ctx, y, N, 1), *tp = tensor(ctx, p, N, columns),
              *tc = c ? tensor(ctx, c, N, 1) : NULL, *tw = tensor(ctx, w, N, 1);
    for (size_t i = 0; i < n; i++) {
        double value = NAN;
        OK(ml_metric_score(ctx, e[i].metric, ty, needs_class(ctx, e[i].metric) ? tc : tp,
                           e[i].weighted ? tw : NULL, NULL, &value, ERR));
        ck_assert_msg(fabs(value - e[i].value) <= 1e-12 * (1 + fabs(e[i].value)),
                      "%s weighted %d: %.17g, not %.17g", e[i].metric, e[i].weighted,
                      value, e[i].value);
    }
    ml_tensor_free(ty);
    ml_tensor_free(tp);
    ml_tensor_free(tc);
    ml_tensor_free(tw);
    ml_context_free(ctx);
}
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A sample that lacks memory is not one that leaves a metric undefined. */
START_TEST(a_lack_of_memory_in_any_sample)
{
    enum { ROWS = 20 };
    failing_alloc f = {.once = 1};
    ml_host host = failing_host(&f);
    ml_context *ctx = NULL;
    OK(ml_context_new(&host, &ctx, ERR));
    double x[ROWS], y[ROWS];
    for (int i = 0; i < ROWS; i++) {
        x[i] = i % 7;
        y[i] = i % 3 == 0;
    }
    ml_table *t = add_f64(ctx, NULL, "x", ROWS, x), *s = NULL;
    t = add_f64(ctx, t, "y", ROWS, y);
    ml_model *m =
        fit_yaml(ctx, "decision_tree", "{task: classification, target: y}", t, NULL);
    for (f.fail_at = 1; f.fail_at < 100000; f.fail_at += OOM_STEP) {
        f.calls = f.failures = 0;
        ml_status st = ml_model_evaluate(m, t, "accuracy,roc_auc", &s, ERR);
        ck_assert_int_eq(st, f.failures ? ML_E_MEMORY : ML_OK);
        if (f.failures == 0) break;
    }
    ck_assert_int_gt(f.fail_at, 800); /* two of each of 400 samples */
    f.fail_at = 0;
    ml_table_free(s);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

START_TEST(values)
{
    compare(value_expected, COUNT(value_expected), value_y, value_p, NULL, value_w, 1);
}
END_TEST

START_TEST(means)
{
    compare(count_expected, COUNT(count_expected), count_y, mean_p, NULL, mean_w, 1);
    compare(amount_expected, COUNT(amount_expected), amount_y, mean_p, NULL, mean_w, 1);
}
END_TEST

/* What a distribution does not have is an error that names the row. */
START_TEST(means_out_of_range)
{
    ml_context *ctx = test_context(1);
    const double y[] = {0, 2, 3}, p[] = {1, 2, 0};
    ml_tensor *ty = tensor(ctx, y, 3, 1), *tp = tensor(ctx, p, 3, 1);
    ml_params *o = NULL;
    double v = 7;
    FAILS(ML_E_DATA,
          ml_metric_score(ctx, "poisson_deviance", ty, tp, NULL, NULL, &v, ERR));
    SAYS("prediction, row 3: poisson_deviance needs predictions above 0, not 0");
    FAILS(ML_E_DATA, ml_metric_score(ctx, "gamma_deviance", ty, ty, NULL, NULL, &v, ERR));
    SAYS("target, row 1: gamma_deviance needs targets above 0, not 0");
    ck_assert(v == 7);
    OK(ml_metric_score(ctx, "rmsle", ty, tp, NULL, NULL, &v, ERR));
    OK(ml_params_new(ctx, &o, ERR));
    OK(ml_params_set_f64(o, "tweedie_variance_power", 2, ERR));
    FAILS(ML_E_RANGE, ml_metric_score(ctx, "tweedie_deviance", ty, tp, NULL, o, &v, ERR));
    ml_params_free(o);
    ml_tensor_free(ty);
    ml_tensor_free(tp);
    ml_context_free(ctx);
}
END_TEST

static ml_model *fitted(ml_context *ctx, const ml_table *t, const char *objective,
                        const char *option, const char *value)
{
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_estimator_new(ctx, "gbdt", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    OK(ml_estimator_set_str(e, "objective", objective, ERR));
    OK(ml_estimator_set_str(e, "n_trees", "20", ERR));
    if (option) OK(ml_estimator_set_str(e, option, value, ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    return m;
}

/* A model is judged by the metric of its objective first, with the quantile and the power
 * that it was fitted for. */
START_TEST(judges_by_the_objective)
{
    enum { M = 200 };
    static const struct {
        const char *objective, *option, *value, *first;
    } cases[] = {{"poisson", NULL, NULL, "poisson_deviance"},
                 {"gamma", NULL, NULL, "gamma_deviance"},
                 {"tweedie", "tweedie_power", "1.2", "tweedie_deviance"},
                 {"quantile", "quantile", "0.9", "pinball"},
                 {"absolute", NULL, NULL, "mae"}};
    ml_context *ctx = test_context(1);
    double x[M], y[M];
    for (int i = 0; i < M; i++) {
        x[i] = i % 17;
        y[i] = 1 + i % 17 + (i * 7 % 11) * 0.3;
    }
    ml_table *t = add_f64(ctx, NULL, "x", M, x), *scores = NULL, *out = NULL;
    t = add_f64(ctx, t, "y", M, y);
    for (size_t i = 0; i < COUNT(cases); i++) {
        ml_model *m = fitted(ctx, t, cases[i].objective, cases[i].option, cases[i].value);
        OK(ml_model_evaluate(m, t, NULL, &scores, ERR));
        ck_assert_str_eq(cell(scores, 0, "metric"), cases[i].first);
        ml_predictor *p = NULL;
        OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
        OK(ml_predictor_run_table(p, t, &out, ERR));
        double prediction[M], want;
        for (int k = 0; k < M; k++) prediction[k] = ml_table_get_f64(out, k, 0);
        ml_tensor *ty = tensor(ctx, y, M, 1), *tp = tensor(ctx, prediction, M, 1);
        ml_params *o = NULL;
        OK(ml_params_new(ctx, &o, ERR));
        if (cases[i].option)
            OK(ml_params_set_str(o, cases[i].option, cases[i].value, ERR));
        OK(ml_metric_score(ctx, cases[i].first, ty, tp, NULL, o, &want, ERR));
        ck_assert_double_eq_tol(ml_table_get_f64(scores, 0, 1), want, 1e-9 * want);
        ml_params_free(o);
        ml_tensor_free(ty);
        ml_tensor_free(tp);
        ml_predictor_free(p);
        ml_table_free(out);
        ml_table_free(scores);
        ml_model_free(m);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* The objective of the last step of a pipeline is that of the whole. */
START_TEST(judges_by_the_objective_of_a_part)
{
    enum { M = 120 };
    ml_context *ctx = test_context(1);
    double x[M], y[M];
    for (int i = 0; i < M; i++) {
        x[i] = i % 13;
        y[i] = i % 13 + i * 7 % 11;
    }
    ml_table *t = add_f64(ctx, NULL, "x", M, x), *a = NULL, *b = NULL;
    t = add_f64(ctx, t, "y", M, y);
    ml_model *alone =
        fit_yaml(ctx, "gbdt",
                 "{target: y, n_trees: 9, objective: quantile, quantile: 0.9}", t, NULL);
    ml_model *pipe = fit_yaml(ctx, "pipeline",
                              "{target: y, steps: [imputer, g=gbdt], g.n_trees: 9, "
                              "g.objective: quantile, g.quantile: 0.9}",
                              t, NULL);
    OK(ml_model_evaluate(alone, t, NULL, &a, ERR));
    OK(ml_model_evaluate(pipe, t, NULL, &b, ERR));
    ck_assert_str_eq(cell(b, 0, "metric"), "pinball");
    ck_assert_double_eq(ml_table_get_f64(a, 0, 1), ml_table_get_f64(b, 0, 1));
    ml_table_free(a);
    ml_table_free(b);
    ml_model_free(alone);
    ml_model_free(pipe);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* The interval of a row of scores is that far from its value. */
static void interval_is(const ml_table *scores, int64_t row, double half)
{
    double value = ml_table_get_f64(scores, row, 1);
    double below = value - ml_table_get_f64(scores, row, 2),
           above = ml_table_get_f64(scores, row, 3) - value;
    ck_assert_double_ge(below, 0.6 * half);
    ck_assert_double_le(below, 1.5 * half);
    ck_assert_double_ge(above, 0.6 * half);
    ck_assert_double_le(above, 1.5 * half);
}

/* Of n normal rows the standard error of the RMSE is that of the deviation divided by the
 * root of 2 n: intervals of few rows by percentiles, of many by their deviation, of very
 * many by some of them. */
START_TEST(intervals_are_as_wide_as_the_error)
{
    enum { MOST = 120000 };
    static const int64_t rows[] = {2000, 4999, 5000, 40000, MOST};
    double *x = calloc(MOST, sizeof *x), *y = calloc(MOST, sizeof *y);
    ml_context *ctx = test_context(1);
    mli_rng rng;
    mli_rng_init(&rng, 3, 1, 1);
    for (int i = 0; i < MOST; i++) {
        x[i] = i % 10;
        y[i] = 5 * mli_rng_normal(&rng);
    }
    for (size_t k = 0; k < COUNT(rows); k++) {
        ml_table *t = add_f64(ctx, NULL, "x", rows[k], x), *s = NULL;
        t = add_f64(ctx, t, "y", rows[k], y);
        ml_model *m = fit_yaml(ctx, "linear_regression", "{target: y}", t, NULL);
        OK(ml_model_evaluate(m, t, "rmse", &s, ERR));
        double value = ml_table_get_f64(s, 0, 1);
        interval_is(s, 0, 1.96 * value / sqrt(2 * (double)rows[k]));
        ml_table_free(s);
        ml_model_free(m);
        ml_table_free(t);
    }
    free(x);
    free(y);
    ml_context_free(ctx);
}
END_TEST

/* Of 60,000 rows, of which some stand for all, 120 are of one class, half of them told
 * right, and one error in a thousand is far out: it is those few that the recall and the
 * RMSE know about. */
START_TEST(intervals_know_the_rare_rows)
{
    enum { ROWS = 60000, RARE = 120 };
    double *x = calloc(ROWS, sizeof *x), *y = calloc(ROWS, sizeof *y),
           *far = calloc(ROWS, sizeof *far);
    ml_context *ctx = test_context(1);
    for (int i = 0; i < ROWS; i++) {
        int rare = i % (ROWS / RARE) == 0;
        x[i] = rare && i % (2 * ROWS / RARE) == 0;
        y[i] = rare;
        far[i] = i % 1000 ? (i % 2 ? 1 : -1) : (i % 2000 ? 100 : -100);
    }
    ml_table *t = add_f64(ctx, NULL, "x", ROWS, x), *s = NULL, *e = NULL;
    t = add_f64(ctx, t, "y", ROWS, y);
    t = add_f64(ctx, t, "far", ROWS, far);
    ml_model *m = fit_yaml(ctx, "decision_tree",
                           "{task: classification, target: y, ignore: far}", t, NULL);
    ml_model *mean = fit_yaml(ctx, "baseline", "{target: far}", t, NULL);
    OK(ml_model_evaluate(m, t, "recall,accuracy", &s, ERR));
    OK(ml_model_evaluate(mean, t, "rmse", &e, ERR));
    ck_assert_double_eq_tol(ml_table_get_f64(s, 0, 1), 0.5, 1e-9);
    interval_is(s, 0, 1.96 * 0.5 / sqrt(RARE));
    interval_is(s, 1, 1.96 * sqrt(1e-3 * (1 - 1e-3) / ROWS));
    double square = 0.999 + 10, spread = sqrt(0.999 + 1e5 - square * square);
    ck_assert_double_eq_tol(ml_table_get_f64(e, 0, 1), sqrt(square), 1e-6);
    interval_is(e, 0, 1.96 * spread / sqrt(ROWS) / (2 * sqrt(square)));
    ml_table_free(s);
    ml_table_free(e);
    ml_model_free(m);
    ml_model_free(mean);
    ml_table_free(t);
    free(x);
    free(y);
    free(far);
    ml_context_free(ctx);
}
END_TEST

START_TEST(two_classes)
{
    compare(class2_expected, COUNT(class2_expected), class2_y, class2_p, class2_c,
            class2_w, 2);
}
END_TEST

START_TEST(three_classes)
{
    compare(class3_expected, COUNT(class3_expected), class3_y, class3_p, class3_c,
            class3_w, 3);
}
END_TEST

START_TEST(one_column_of_probabilities)
{
    ml_context *ctx = test_context(1);
    const double y[] = {0, 1, 1, 0}, p[] = {0.1, 0.8, 0.4, 0.5};
    ml_tensor *ty = tensor(ctx, y, 4, 1), *tp = tensor(ctx, p, 4, 1);
    double v;
    OK(ml_metric_score(ctx, "auc", ty, tp, NULL, NULL, &v, ERR));
    ck_assert_double_eq_tol(v, 0.75, 1e-15);
    OK(ml_metric_score(ctx, "brier", ty, tp, NULL, NULL, &v, ERR));
    ck_assert_double_eq_tol(v, (0.01 + 0.04 + 0.36 + 0.25) / 4, 1e-15);
    ml_tensor_free(ty);
    ml_tensor_free(tp);
    ml_context_free(ctx);
}
END_TEST

START_TEST(quantile_option)
{
    ml_context *ctx = test_context(1);
    const double y[] = {1, 2}, p[] = {0, 4};
    ml_tensor *ty = tensor(ctx, y, 2, 1), *tp = tensor(ctx, p, 2, 1);
    ml_params *o = NULL;
    double v;
    OK(ml_params_new(ctx, &o, ERR));
    OK(ml_params_set_f64(o, "quantile", 0.9, ERR));
    OK(ml_metric_score(ctx, "pinball", ty, tp, NULL, o, &v, ERR));
    ck_assert_double_eq_tol(v, (0.9 * 1 + 0.1 * 2) / 2, 1e-15);
    OK(ml_params_set_f64(o, "quantile", 1.5, ERR));
    FAILS(ML_E_RANGE, ml_metric_score(ctx, "pinball", ty, tp, NULL, o, &v, ERR));
    ml_params_free(o);
    ml_tensor_free(ty);
    ml_tensor_free(tp);
    ml_context_free(ctx);
}
END_TEST

START_TEST(bad_input)
{
    ml_context *ctx = test_context(1);
    const double y[] = {0, 1, 1, 0}, p[] = {0.1, 0.8, NAN, 0.5}, ones[] = {1, 1, 1, 1},
                 w[] = {1, -1, 1, 1}, zero[4] = {0};
    ml_tensor *ty = tensor(ctx, y, 4, 1), *tp = tensor(ctx, p, 4, 1),
              *t1 = tensor(ctx, ones, 4, 1), *tw = tensor(ctx, w, 4, 1),
              *t3 = tensor(ctx, y, 3, 1), *t0 = tensor(ctx, zero, 4, 1);
    double v = 123;
    FAILS(ML_E_NAME, ml_metric_score(ctx, "roc_acu", ty, ty, NULL, NULL, &v, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "roc_auc"));
    FAILS(ML_E_NAME, ml_metric_score(ctx, "qqqqqqqq", ty, ty, NULL, NULL, &v, ERR));
    SAYS("there are accuracy, ");
    FAILS(ML_E_DATA, ml_metric_score(ctx, "roc_auc", ty, tp, NULL, NULL, &v, ERR));
    FAILS(ML_E_DATA, ml_metric_score(ctx, "roc_auc", t1, ty, NULL, NULL, &v, ERR));
    FAILS(ML_E_SHAPE, ml_metric_score(ctx, "rmse", ty, t3, NULL, NULL, &v, ERR));
    FAILS(ML_E_DATA, ml_metric_score(ctx, "rmse", ty, ty, tw, NULL, &v, ERR));
    FAILS(ML_E_DATA, ml_metric_score(ctx, "rmse", ty, ty, t0, NULL, &v, ERR));
    FAILS(ML_E_DATA, ml_metric_score(ctx, "r2", t1, ty, NULL, NULL, &v, ERR));
    FAILS(ML_E_ARGUMENT, ml_metric_score(ctx, "rmse", NULL, ty, NULL, NULL, &v, ERR));
    ck_assert_double_eq(v, 123);
    ml_tensor_free(ty);
    ml_tensor_free(tp);
    ml_tensor_free(t1);
    ml_tensor_free(tw);
    ml_tensor_free(t3);
    ml_tensor_free(t0);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("tuning/metrics", means, means_out_of_range, judges_by_the_objective,
          judges_by_the_objective_of_a_part, intervals_are_as_wide_as_the_error,
          intervals_know_the_rare_rows, a_lack_of_memory_in_any_sample, values,
          two_classes, three_classes, one_column_of_probabilities, quantile_option,
          bad_input)
