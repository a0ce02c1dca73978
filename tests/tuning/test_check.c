/* SPDX-License-Identifier: MIT
 *
 * Model checks: ml_model_check, and the tests of two models against scipy.
 */
#include "testing_yaml.h"
#include "../conformance/kit.h"
#include "../failing.h"
#include "check_expected.h"
#include "algorithms/prepare/prepare.h"
#include "tuning/check.h"
#include "tuning/statistics.h"

static ml_table *table(ml_context *ctx, int64_t rows, int classes, uint64_t seed)
{
    return kit_table(ctx, &(kit_data){.rows = rows, .classes = classes, .seed = seed});
}

static ml_status check(ml_context *ctx, const ml_model *m, const ml_model *other,
                       const ml_table *t, const char *yaml, ml_table **out)
{
    ml_params *p = NULL;
    ml_status st = ml_params_new(ctx, &p, ERR);
    if (st == ML_OK) st = ml_params_read_yaml(p, yaml, strlen(yaml), ERR);
    if (st == ML_OK) st = ml_model_check(m, other, t, p, out, ERR);
    ml_params_free(p);
    return st;
}

static ml_table *checked(const ml_model *m, const ml_model *other, const ml_table *t,
                         ml_context *ctx, const char *yaml)
{
    ml_table *out = NULL;
    OK(check(ctx, m, other, t, yaml, &out));
    return out;
}

static double at(const ml_table *t, int64_t row, const char *column)
{
    int64_t j = ml_table_find(t, column);
    ck_assert_msg(j >= 0, "no column %s", column);
    return ml_table_get_f64(t, row, j);
}

static const char *text_at(const ml_table *t, int64_t row, const char *column)
{
    static char text[256];
    ck_assert_int_ge(
        ml_table_get_str(t, row, ml_table_find(t, column), text, sizeof text), 0);
    return text;
}

/* ---- statistics ---- */

static void same(const mli_compared *c, const double *expected)
{
    ck_assert_double_eq_tol(c->first, expected[0], 1e-12);
    ck_assert_double_eq_tol(c->second, expected[1], 1e-12);
    ck_assert_double_eq_tol(c->statistic, expected[2], 1e-9);
    ck_assert_double_eq_tol(c->p, expected[3], 1e-9);
    ck_assert_double_eq_tol(c->difference, expected[0] - expected[1], 1e-12);
    ck_assert(c->low <= c->difference && c->difference <= c->high);
}

START_TEST(tests_equal_those_of_scipy)
{
    ml_context *ctx = test_context(1);
    mli_compared c;
    OK(mli_delong(ctx, first, second, positive, N, &c, ERR));
    same(&c, delong);
    mli_mcnemar(right_a, right_b, N, &c);
    same(&c, mcnemar);
    mli_mcnemar(right_a, right_c, N, &c);
    same(&c, mcnemar_exact);
    mli_resampled_t(scores_a, scores_b, 10, 0.25, &c);
    same(&c, resampled);
    mli_paired_t(scores_a, scores_b, 10, &c);
    same(&c, paired);
    for (size_t i = 0; i < sizeof student / sizeof *student; i += 3)
        ck_assert_double_eq_tol(mli_student_two_sided(student[i], student[i + 1]),
                                student[i + 2], 1e-10);
    ck_assert_double_eq_tol(mli_normal_quantile(0.975), 1.959963984540054, 1e-12);
    ml_context_free(ctx);
}
END_TEST

START_TEST(equal_models_do_not_differ)
{
    ml_context *ctx = test_context(1);
    mli_compared c;
    OK(mli_delong(ctx, first, first, positive, N, &c, ERR));
    ck_assert_double_eq(c.p, 1);
    mli_mcnemar(right_a, right_a, N, &c);
    ck_assert_double_eq(c.p, 1);
    mli_paired_t(scores_a, scores_a, 10, &c);
    ck_assert_double_eq(c.p, 1);
    ml_context_free(ctx);
}
END_TEST

/* Numbers that are none are not waited for; the sign of an infinite statistic. */
START_TEST(statistics_of_odd_numbers)
{
    ml_context *ctx = test_context(1);
    mli_compared c;
    double x[N], ones[4] = {1, 1, 1, 1}, twos[4] = {2, 2, 2, 2};
    memcpy(x, first, sizeof x);
    x[3] = x[7] = NAN;
    OK(mli_delong(ctx, x, second, positive, N, &c, ERR)); /* ends */
    mli_paired_t(ones, twos, 4, &c);
    ck_assert(isinf(c.statistic) && c.statistic < 0 && c.p == 0);
    ck_assert_double_eq_tol(mli_student_quantile(0.05, 10), 2.228138851986274, 1e-11);
    ck_assert_double_eq_tol(mli_student_quantile(1e-4, 1), 6366.197671316637, 1e-6);
    ml_context_free(ctx);
}
END_TEST

/* ---- what a model predicts ---- */

START_TEST(calibration_of_a_constant)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 300, 2, 1);
    ml_model *m = fit_yaml(ctx, "baseline", "{target: y}", t, NULL);
    ml_table *c = checked(m, NULL, t, ctx, "{method: calibration}");
    ck_assert_int_eq(ml_table_rows(c), 2); /* one probability, one bin, and all */
    ck_assert_double_eq_tol(at(c, 0, "predicted"), at(c, 0, "observed"), 1e-2);
    ck_assert(at(c, 0, "low") < at(c, 0, "observed"));
    ck_assert(at(c, 0, "high") > at(c, 0, "observed"));
    ck_assert_str_eq(text_at(c, 1, "bin"), "all");
    ml_table_free(c);
    ml_model_free(m);
    m = fit_yaml(ctx, "gbdt", "{target: y, n_trees: 30}", t, NULL);
    c = checked(m, NULL, t, ctx, "{method: calibration, bins: 5}");
    ck_assert_int_eq(ml_table_rows(c), 6);
    double rows = 0, error = 0;
    for (int64_t i = 0; i < 5; i++) {
        rows += at(c, i, "rows");
        error += at(c, i, "rows") * at(c, i, "error");
        if (i) ck_assert_double_gt(at(c, i, "predicted"), at(c, i - 1, "predicted"));
    }
    ck_assert_double_eq(rows, 300);
    ck_assert_double_eq_tol(error / 300, at(c, 5, "error"), 1e-12);
    ml_table_free(c);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A model that never saw column k is wrong for its levels, both ways. */
START_TEST(slices_find_what_a_model_lacks)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 2000, 0, 1);
    ml_model *m =
        fit_yaml(ctx, "linear_regression", "{target: y, features: [a, b]}", t, NULL);
    ml_table *s = NULL;
    FAILS(ML_E_NAME, check(ctx, m, NULL, t, "{method: slices, columns: [k]}", &s));
    s = checked(m, NULL, t, ctx, "{method: slices}");
    ck_assert_int_ge(ml_table_rows(s), 2);
    ck_assert_int_lt(ml_table_rows(s), 8); /* quarters of two columns, the worse ones */
    for (int64_t i = 0; i < ml_table_rows(s); i++) {
        ck_assert_double_eq_tol(at(s, i, "difference"),
                                at(s, i, "loss") - at(s, i, "others"), 1e-12);
        ck_assert_double_gt(at(s, i, "difference"), 0);
        ck_assert(at(s, i, "low") <= at(s, i, "difference"));
        if (i) ck_assert(at(s, i, "low") <= at(s, i - 1, "low"));
    }
    ml_table_free(s);
    ml_model_free(m);
    m = fit_yaml(ctx, "baseline", "{target: y, features: [k, a]}", t, NULL);
    s = checked(m, NULL, t, ctx, "{method: slices, most: 3, min_rows: 100}");
    ck_assert_str_eq(text_at(s, 0, "column"), "a"); /* 3 a is most of y */
    ck_assert_double_lt(at(s, 0, "p_value"), 1e-6);
    ml_table_free(s);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static int64_t read_bytes(void *data, size_t size, void *user)
{
    kit_bytes *b = user;
    size_t n = b->capacity - b->size < size ? b->capacity - b->size : size;
    memcpy(data, b->data + b->size, n);
    b->size += n;
    return (int64_t)n;
}

static ml_table *rows_of(ml_context *ctx, const char *csv)
{
    ml_table *t = NULL;
    kit_bytes b = {(char *)(uintptr_t)csv, 0, strlen(csv)};
    ml_io io = ML_IO_INIT;
    io.read = read_bytes;
    io.user = &b;
    OK(ml_table_read_csv_io(ctx, &io, NULL, &t, ERR));
    return t;
}

/* A constant predicts 0; the losses of the groups are 3, 3, 5, 5, 4, 4 and 1, 1, 2, 2,
 * 0.5, 0.5, 3, 3, compared by scipy.stats.ttest_ind(equal_var=False), for two slices: the
 * interval of confidence 0.975, and p twice. */
START_TEST(slices_by_welch)
{
    ml_context *ctx = test_context(1);
    ml_table *t = rows_of(ctx, "x,y\n"
                               "a,3\na,-3\na,5\na,-5\na,4\na,-4\n"
                               "b,1\nb,-1\nb,2\nb,-2\nb,0.5\nb,-0.5\nb,3\nb,-3\n");
    ml_model *m = fit_yaml(ctx, "baseline", "{target: y}", t, NULL);
    ml_table *s = checked(m, NULL, t, ctx, "{method: slices, min_rows: 2}");
    ck_assert_int_eq(ml_table_rows(s), 1);
    ck_assert_str_eq(text_at(s, 0, "slice"), "a");
    ck_assert_double_eq_tol(at(s, 0, "difference"), 2.375, 1e-12);
    ck_assert_double_eq_tol(at(s, 0, "p_value"), 2 * 0.0006457178875036928, 1e-12);
    ck_assert_double_eq_tol(at(s, 0, "low"), 1.0513586776121557, 1e-9);
    ck_assert_double_eq_tol(at(s, 0, "high"), 3.698641322387845, 1e-9);
    ml_table_free(s);
    ml_table_free(t);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

/* A row of weight 2 counts as two; a slice that is worse without any variance is. */
START_TEST(slices_with_weights)
{
    ml_context *ctx = test_context(1);
    ml_table *one = rows_of(ctx, "x,y,w\na,3,2\na,-3,2\na,5,0\n"
                                 "b,1,1\nb,-1,1\nb,2,3\nb,-2,3\n");
    ml_model *m = fit_yaml(ctx, "baseline", "{target: y, weight: w}", one, NULL);
    ml_table *s = checked(m, NULL, one, ctx, "{method: slices, min_rows: 2}");
    ck_assert_int_eq(ml_table_rows(s), 1);
    ck_assert_str_eq(text_at(s, 0, "slice"), "a");
    ck_assert_double_eq(at(s, 0, "rows"), 2);
    ck_assert_double_eq_tol(at(s, 0, "loss"), 3, 1e-12);
    ck_assert_double_eq_tol(at(s, 0, "others"), 1.75, 1e-12);
    ml_table_free(s);
    ml_table_free(one);
    ml_model_free(m);
    one = rows_of(ctx, "x,y\na,1000003\na,999997\nb,1000001\nb,999999\n");
    m = fit_yaml(ctx, "baseline", "{target: y}", one, NULL);
    s = checked(m, NULL, one, ctx, "{method: slices, min_rows: 2}");
    ck_assert_str_eq(text_at(s, 0, "slice"), "a");
    ck_assert_double_eq(at(s, 0, "p_value"), 0);
    ck_assert_double_eq_tol(at(s, 0, "low"), 2, 1e-9);
    ml_table_free(s);
    ml_table_free(one);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

START_TEST(slices_of_text_are_refused)
{
    ml_context *ctx = test_context(1);
    ml_table *s = NULL,
             *t = rows_of(ctx, "x,y,a\n"
                               "some words here,1,1\nother words there,2,2\n"
                               "words without an end,3,3\nand many more words,4,4\n");
    ml_model *m =
        fit_yaml(ctx, "automl", "{target: y, text: [x], trials: 1, folds: 2}", t, NULL);
    FAILS(ML_E_UNSUPPORTED, check(ctx, m, NULL, t, "{method: slices, columns: [x]}", &s));
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(two_models_compared)
{
    ml_context *ctx = test_context(1);
    for (int classes = 0; classes <= 3; classes++) {
        if (classes == 1) continue;
        ml_table *train = table(ctx, 400, classes, 1),
                 *test = table(ctx, 400, classes, 2);
        ml_model *good = fit_yaml(ctx, "gbdt", "{target: y, n_trees: 30}", train, NULL);
        ml_model *bad = fit_yaml(ctx, "baseline", "{target: y}", train, NULL);
        ml_table *c = checked(good, bad, test, ctx, "{method: compare}"), *s = NULL;
        ck_assert_int_eq(ml_table_rows(c), classes == 2 ? 3 : 2);
        for (int64_t i = 0; i < ml_table_rows(c); i++) {
            ck_assert_double_lt(at(c, i, "p_value"), 1e-3);
            OK(ml_model_evaluate(good, test, text_at(c, i, "metric"), &s, ERR));
            ck_assert_double_eq_tol(at(s, 0, "value"), at(c, i, "first"), 1e-9);
            ml_table_free(s);
        }
        ml_table_free(c);
        c = checked(good, bad, test, ctx,
                    classes ? "{method: compare, metric: accuracy}"
                            : "{method: compare, metric: mean_absolute_error}");
        ck_assert_int_eq(ml_table_rows(c), 1);
        ck_assert_str_eq(text_at(c, 0, "metric"), classes ? "accuracy" : "mae");
        ck_assert_str_eq(text_at(c, 0, "test"), classes ? "McNemar" : "paired t");
        ml_table_free(c);
        FAILS(ML_E_UNSUPPORTED,
              check(ctx, good, bad, test, "{method: compare, metric: rmsle}", &c));
        ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "no test of rmsle here"));
        ck_assert_ptr_nonnull(strstr(ml_error_hint(ERR), classes ? "log_loss" : "mae"));
        FAILS(ML_E_NAME,
              check(ctx, good, bad, test, "{method: compare, metric: acuracy}", &c));
        c = checked(good, bad, train, ctx, "{method: compare_folds, repeats: 2}");
        ck_assert_int_eq(ml_table_rows(c), 1);
        ck_assert_double_lt(at(c, 0, "p_value"), 0.05);
        ml_table_free(c);
        FAILS(ML_E_ARGUMENT, check(ctx, good, NULL, test, "{method: compare}", &c));
        ml_model_free(good);
        ml_model_free(bad);
        ml_table_free(train);
        ml_table_free(test);
    }
    ml_context_free(ctx);
}
END_TEST

/* Each model has features and codes of categories of its own. */
START_TEST(compared_models_of_other_columns)
{
    ml_context *ctx = test_context(1);
    ml_table *train = table(ctx, 300, 2, 1), *test = table(ctx, 300, 2, 2);
    ml_table *few = NULL, *s = NULL;
    int64_t some[12], n = 0; /* without the rows of one level, so codes differ */
    char text[32];
    for (int64_t i = 0; n < 12; i++)
        if (ml_table_get_str(train, i, ml_table_find(train, "k"), text, sizeof text) <
                0 ||
            strcmp(text, "level 0") != 0)
            some[n++] = i;
    OK(ml_table_take(train, some, n, &few, ERR));
    ml_model *all = fit_yaml(ctx, "gbdt", "{target: y, n_trees: 20}", train, NULL);
    ml_model *one = fit_yaml(
        ctx, "gbdt", "{target: y, features: [k], n_trees: 5, min_data_in_leaf: 1}", few,
        NULL);
    for (int k = 0; k < 2; k++) {
        ml_table *c =
            checked(k ? one : all, k ? all : one, test, ctx, "{method: compare}");
        for (int64_t i = 0; i < ml_table_rows(c); i++) {
            char metric[32];
            snprintf(metric, sizeof metric, "%s", text_at(c, i, "metric"));
            for (int second_one = 0; second_one < 2; second_one++) {
                const ml_model *m = (k ^ second_one) ? one : all;
                OK(ml_model_evaluate(m, test, metric, &s, ERR));
                ck_assert_double_eq_tol(at(s, 0, "value"),
                                        at(c, i, second_one ? "second" : "first"), 1e-9);
                ml_table_free(s);
            }
        }
        ml_table_free(c);
    }
    ml_model_free(all);
    ml_model_free(one);
    ml_table_free(few);
    ml_table_free(train);
    ml_table_free(test);
    ml_context_free(ctx);
}
END_TEST

/* Predictions that are no numbers, rows with weights, rows that only one can use. */
START_TEST(what_cannot_be_compared)
{
    ml_context *ctx = test_context(1);
    ml_table *t =
        rows_of(ctx, "a,b,w,y\n1,2,1,10\n2,1,1,30\n3,5,1,20\n4,3,1,50\n5,2,1,40\n");
    ml_table *far = rows_of(ctx, "a,b,w,y\n1e308,1e308,1,1\n-1e308,1e308,1,3\n"),
             *c = NULL;
    ml_model *m =
        fit_yaml(ctx, "linear_regression", "{target: y, features: [a, b]}", t, NULL);
    ml_model *weighted = fit_yaml(ctx, "baseline", "{target: y, weight: w}", t, NULL);
    ml_model *scaled =
        fit_yaml(ctx, "gbdt",
                 "{target: y, features: [a], n_trees: 2, min_data_in_leaf: 1}", t, NULL);
    FAILS(ML_E_UNSUPPORTED, check(ctx, m, weighted, t, "{method: compare}", &c));
    FAILS(ML_E_DATA, check(ctx, m, scaled, far, "{method: compare}", &c));
    FAILS(ML_E_DATA, check(ctx, scaled, m, far, "{method: compare}", &c));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "second"));
    ml_table_free(far);
    ml_model_free(m);
    ml_model_free(weighted);
    ml_model_free(scaled);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A weighted mean over the bins, as within them. */
START_TEST(calibration_with_weights)
{
    ml_context *ctx = test_context(1);
    ml_table *t = rows_of(ctx, "x,y,w\na,n,1\na,n,1\na,y,2\nb,y,6\nb,n,1\nb,n,1\n");
    ml_model *m = fit_yaml(
        ctx, "gbdt",
        "{target: y, weight: w, n_trees: 3, min_data_in_leaf: 1, min_gain_ratio: 0}", t,
        NULL);
    ml_table *c = checked(m, NULL, t, ctx, "{method: calibration, bins: 2}");
    ck_assert_int_eq(ml_table_rows(c), 3);
    double expected = (4 * at(c, 0, "error") + 8 * at(c, 1, "error")) / 12;
    ck_assert_double_eq_tol(at(c, 2, "error"), expected, 1e-12);
    ck_assert_double_gt(fabs(at(c, 0, "error") - at(c, 1, "error")), 1e-6);
    ml_table_free(c);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- fitted anew ---- */

START_TEST(cross_validation_and_curves)
{
    ml_context *ctx = test_context(2);
    ml_table *t = table(ctx, 300, 2, 1);
    ml_model *m = fit_yaml(ctx, "gbdt", "{target: y, n_trees: 20}", t, NULL);
    ml_table *c = checked(m, NULL, t, ctx, "{folds: 4, repeats: 2}");
    ck_assert_int_eq(ml_table_rows(c), 10);
    double sum = 0;
    for (int64_t i = 0; i < 8; i++) {
        double auc = at(c, i, "roc_auc");
        ck_assert(auc > 0.5 && auc <= 1);
        sum += auc;
        ck_assert_double_eq(at(c, i, "train_rows") + at(c, i, "test_rows"), 300);
    }
    ck_assert_str_eq(text_at(c, 8, "fold"), "mean");
    ck_assert_double_eq_tol(at(c, 8, "roc_auc"), sum / 8, 1e-12);
    ml_table_free(c);
    c = checked(m, NULL, t, ctx,
                "{method: learning_curve, points: 4, folds: 3, metric: log_loss}");
    ck_assert_int_eq(ml_table_rows(c), 4);
    ck_assert_double_eq_tol(at(c, 3, "rows"), 200, 1);
    ck_assert_double_lt(at(c, 3, "test"), at(c, 0, "test"));
    ck_assert_double_lt(at(c, 3, "train"), at(c, 3, "test"));
    ml_table_free(c);
    FAILS(ML_E_UNSUPPORTED, check(ctx, m, NULL, t, "{metric: rmse}", &c));
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Few rows of a target of 0 and 1 may all be 0: still a task of classes, without score.
 */
START_TEST(a_curve_of_rare_classes)
{
    ml_context *ctx = test_context(1);
    mli_str csv;
    mli_str_init(&csv, ctx);
    mli_str_add(&csv, "x,y\n");
    for (int i = 0; i < 60; i++) mli_str_printf(&csv, "%d,%d\n", i, i % 15 == 0);
    ml_table *t = rows_of(ctx, csv.data);
    ml_model *m = fit_yaml(ctx, "baseline", "{target: y}", t, NULL);
    ml_table *c =
        checked(m, NULL, t, ctx, "{method: learning_curve, folds: 2, points: 5}");
    ck_assert(isnan(at(c, 0, "train")));
    ck_assert_double_eq(at(c, 4, "test"), 0.5);
    ml_table_free(c);
    ml_model_free(m);
    ml_table_free(t);
    mli_str_free(&csv);
    ml_context_free(ctx);
}
END_TEST

START_TEST(a_ranking)
{
    ml_context *ctx = test_context(1);
    mli_str csv;
    mli_str_init(&csv, ctx);
    mli_str_add(&csv, "x,z,g,y\n");
    for (int i = 0; i < 400; i++)
        mli_str_printf(&csv, "%d,%d,q%d,%d\n", i * 37 % 101, i * 53 % 97, i / 10,
                       i * 37 % 101 / 26);
    ml_table *t = rows_of(ctx, csv.data), *c = NULL;
    ml_model *m = fit_yaml(ctx, "gbdt",
                           "{target: y, group: g, task: ranking, n_trees: 5}", t, NULL);
    c = checked(m, NULL, t, ctx, "{method: learning_curve, folds: 2, points: 3}");
    ck_assert_int_eq(ml_table_rows(c), 3);
    ck_assert_double_gt(at(c, 2, "test"), 0.8);
    ml_table_free(c);
    FAILS(ML_E_UNSUPPORTED, check(ctx, m, m, t, "{method: compare}", &c));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "of classes or values"));
    ml_model_free(m);
    ml_table_free(t);
    mli_str_free(&csv);
    ml_context_free(ctx);
}
END_TEST

START_TEST(nested_tunes_inside)
{
    ml_context *ctx = test_context(2);
    ml_table *t = table(ctx, 200, 0, 1);
    ml_model *m = fit_yaml(ctx, "gbdt", "{target: y, n_trees: 10}", t, NULL);
    ml_table *c = checked(m, NULL, t, ctx, "{method: nested, trials: 3, folds: 2}");
    ck_assert_int_eq(ml_table_rows(c), 4);
    ck_assert(at(c, 0, "inner") > 0 && at(c, 0, "rmse") > 0);
    ml_table_free(c);
    ml_model_free(m);
    /* A model that was tuned has its parameters set, and they are tuned anew. */
    m = fit_yaml(
        ctx, "linear_regression",
        "{target: y, penalty: elasticnet, alpha: 90, l1_ratio: 0.9, standardize: "
        "true}",
        t, NULL);
    c = checked(m, NULL, t, ctx, "{method: nested, trials: 5, folds: 2, seed: 3}");
    char text[512];
    for (int fold = 0; fold < 2; fold++) {
        ml_table_get_str(c, fold, ml_table_find(c, "parameters"), text, sizeof text);
        ck_assert_msg(strstr(text, "alpha=") && !strstr(text, "task="), "%s", text);
    }
    ml_table_free(c);
    ml_model_free(m);
    /* What automl has found is searched anew in each fold. */
    m = fit_yaml(ctx, "automl", "{target: y, trials: 2, folds: 2}", t, NULL);
    c = checked(m, NULL, t, ctx, "{folds: 2}");
    ck_assert(at(c, 2, "rmse") > 0);
    ml_table_free(c);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* All cells of a table, byte for byte. */
static void add_cells(mli_str *out, const ml_table *t)
{
    char text[512];
    for (int64_t j = 0; j < ml_table_columns(t); j++)
        for (int64_t i = 0; i < ml_table_rows(t); i++) {
            int words = ml_table_column_type(t, j) == ML_TYPE_TEXT;
            double v = words ? 0 : ml_table_get_f64(t, i, j);
            if (words && ml_table_get_str(t, i, j, text, sizeof text) < 0) *text = 0;
            mli_str_printf(out, "%s %s\n", ml_table_column_name(t, j), words ? text : "");
            mli_str_add_n(out, (const char *)&v, sizeof v);
        }
}

/* Folds side by side say what one after the other says. */
START_TEST(threads_do_not_matter)
{
    static const char *const checks[] = {"{folds: 5, repeats: 2}",
                                         "{method: compare_folds, folds: 3}",
                                         "{method: learning_curve, folds: 3, points: 4}",
                                         "{method: nested, folds: 3, trials: 3}"};
    static const int threads[] = {1, 2, 3, 7};
    mli_str cells[4];
    for (int k = 0; k < 4; k++) {
        ml_context *ctx = test_context(threads[k]);
        ml_table *t = table(ctx, 150, 2, 3);
        ml_model *m = fit_yaml(ctx, "gbdt", "{target: y, n_trees: 8}", t, NULL);
        ml_model *other = fit_yaml(ctx, "logistic_regression", "{target: y}", t, NULL);
        mli_str_init(&cells[k], NULL);
        for (int i = 0; i < 4; i++) {
            ml_table *c = checked(m, other, t, ctx, checks[i]);
            add_cells(&cells[k], c);
            ml_table_free(c);
        }
        ck_assert_uint_eq(cells[k].size, cells[0].size);
        ck_assert_mem_eq(cells[k].data, cells[0].data, cells[0].size);
        ml_model_free(m);
        ml_model_free(other);
        ml_table_free(t);
        ml_context_free(ctx);
    }
    for (int k = 0; k < 4; k++) mli_str_free(&cells[k]);
}
END_TEST

/* Side by side: few rows, several threads, no limit that is meant for one fit at a time.
 */
START_TEST(what_is_fitted_side_by_side)
{
    ml_context *one = test_context(1), *two = test_context(2);
    ml_table *t = table(two, 60, 2, 1), *wide = table(two, 600000, 0, 1);
    ml_model *m = fit_yaml(two, "baseline", "{target: y}", t, NULL);
    ml_model *timed = fit_yaml(
        two, "pipeline",
        "{target: y, steps: [model=automl], model.trials: 1, model.time_limit: 60}", t,
        NULL);
    ck_assert(mli_check_beside(&(mli_check){two, m, NULL, t, NULL}));
    ck_assert(!mli_check_beside(&(mli_check){one, m, NULL, t, NULL}));
    ck_assert(!mli_check_beside(&(mli_check){two, m, NULL, wide, NULL}));
    ck_assert(!mli_check_beside(&(mli_check){two, timed, NULL, t, NULL}));
    ck_assert(!mli_check_beside(&(mli_check){two, m, timed, t, NULL}));
    ml_model_free(m);
    ml_model_free(timed);
    ml_table_free(t);
    ml_table_free(wide);
    ml_context_free(one);
    ml_context_free(two);
}
END_TEST

/* The error is that of the first fold that fails, however many run. */
START_TEST(errors_of_folds_side_by_side)
{
    char text[512] = "";
    for (int threads = 1; threads <= 3; threads++) {
        ml_context *ctx = test_context(threads);
        ml_table *t = rows_of(ctx, "x,y\n1,a\n2,a\n3,a\n4,a\n5,a\n6,b\n"), *c = NULL;
        ml_model *m = fit_yaml(ctx, "logistic_regression", "{target: y}", t, NULL);
        ck_assert_int_lt(check(ctx, m, NULL, t, "{folds: 6}", &c), 0);
        if (threads == 1) snprintf(text, sizeof text, "%s", ml_error_message(ERR));
        ck_assert_str_eq(ml_error_message(ERR), text);
        ml_model_free(m);
        ml_table_free(t);
        ml_context_free(ctx);
    }
}
END_TEST

/* ---- out of memory ---- */

static ml_status all_methods(failing_alloc *f, int which, int threads)
{
    static const char *const methods[] = {"{method: calibration}",
                                          "{method: slices}",
                                          "{method: compare}",
                                          "{method: cross_validation, folds: 2}",
                                          "{method: learning_curve, folds: 2, points: 2}",
                                          "{method: compare_folds, folds: 2}"};
    ml_context *ctx = NULL, *plain = test_context(1);
    ml_host host = failing_host(f);
    host.threads = threads;
    ml_params *p = NULL;
    ml_model *m = NULL;
    ml_estimator *e = NULL;
    ml_table *t = table(plain, 60, 2, 1), *out = NULL;
    ml_status st = ml_context_new(&host, &ctx, NULL);
    if (st == ML_OK) st = ml_params_new(ctx, &p, NULL);
    if (st == ML_OK)
        st = ml_params_read_yaml(p, methods[which], strlen(methods[which]), NULL);
    if (st == ML_OK) st = ml_estimator_new(ctx, "baseline", &e, NULL);
    if (st == ML_OK) st = ml_estimator_set_str(e, "target", "y", NULL);
    if (st == ML_OK) st = ml_estimator_fit(e, t, NULL, &m, NULL);
    if (st == ML_OK) st = ml_model_check(m, m, t, p, &out, NULL);
    ml_table_free(out);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_params_free(p);
    ml_table_free(t);
    ml_context_free(ctx);
    ml_context_free(plain);
    return st;
}

START_TEST(out_of_memory)
{
    failing_alloc f = {0};
    for (int k = 0; k < 6; k++) OUT_OF_MEMORY_LOOP(f, all_methods(&f, k, 1));
    for (int k = 3; k < 6; k++) OUT_OF_MEMORY_LOOP(f, all_methods(&f, k, 2));
}
END_TEST

TEST_MAIN("tuning/check", tests_equal_those_of_scipy, equal_models_do_not_differ,
          statistics_of_odd_numbers, calibration_of_a_constant, calibration_with_weights,
          slices_find_what_a_model_lacks, slices_by_welch, slices_with_weights,
          slices_of_text_are_refused, two_models_compared,
          compared_models_of_other_columns, what_cannot_be_compared,
          cross_validation_and_curves, a_curve_of_rare_classes, a_ranking,
          nested_tunes_inside, threads_do_not_matter, what_is_fitted_side_by_side,
          errors_of_folds_side_by_side, out_of_memory)
