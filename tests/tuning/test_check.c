/* SPDX-License-Identifier: MIT
 *
 * Model checks: ml_model_check, and the tests of two models against scipy.
 */
#include "../conformance/kit.h"
#include "../failing.h"
#include "check_expected.h"
#include "algorithms/prepare/prepare.h"
#include "tuning/statistics.h"

static ml_model *fit(ml_context *ctx, const char *algorithm, const char *yaml,
                     const ml_table *t)
{
    ml_estimator *e = NULL;
    ml_params *p = NULL;
    ml_model *m = NULL;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_read_yaml(p, yaml, strlen(yaml), ERR));
    OK(ml_estimator_new(ctx, algorithm, &e, ERR));
    OK(ml_estimator_set_params(e, p, ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_params_free(p);
    ml_estimator_free(e);
    return m;
}

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

/* ---- what a model predicts ---- */

START_TEST(calibration_of_a_constant)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 300, 2, 1);
    ml_model *m = fit(ctx, "baseline", "{target: y}", t);
    ml_table *c = checked(m, NULL, t, ctx, "{method: calibration}");
    ck_assert_int_eq(ml_table_rows(c), 2); /* one probability, one bin, and all */
    ck_assert_double_eq_tol(at(c, 0, "predicted"), at(c, 0, "observed"), 1e-2);
    ck_assert(at(c, 0, "low") < at(c, 0, "observed"));
    ck_assert(at(c, 0, "high") > at(c, 0, "observed"));
    ck_assert_str_eq(text_at(c, 1, "bin"), "all");
    ml_table_free(c);
    ml_model_free(m);
    m = fit(ctx, "gbdt", "{target: y, n_trees: 30}", t);
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

/* A model that never saw column k does worst where k matters. */
START_TEST(slices_find_what_a_model_lacks)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 2000, 0, 1);
    ml_model *m = fit(ctx, "linear_regression", "{target: y, features: [a, b]}", t);
    ml_table *s = NULL;
    FAILS(ML_E_NAME, check(ctx, m, NULL, t, "{method: slices, columns: [k]}", &s));
    s = checked(m, NULL, t, ctx, "{method: slices}");
    ck_assert_int_eq(ml_table_rows(s), 8); /* quarters of two columns */
    for (int64_t i = 0; i < 8; i++) {
        ck_assert_double_eq_tol(at(s, i, "difference"),
                                at(s, i, "loss") - at(s, i, "others"), 1e-12);
        ck_assert(at(s, i, "low") <= at(s, i, "difference"));
        if (i) ck_assert(at(s, i, "low") <= at(s, i - 1, "low"));
    }
    ml_table_free(s);
    ml_model_free(m);
    /* Half of the levels of k add 0.7: a model without k is wrong both ways; one fitted
     * to rows of two levels only is wrong for the others. */
    m = fit(ctx, "baseline", "{target: y, features: [k, a]}", t);
    s = checked(m, NULL, t, ctx, "{method: slices, most: 3, min_rows: 100}");
    ck_assert_int_eq(ml_table_rows(s), 3);
    ck_assert_str_eq(text_at(s, 0, "column"), "a"); /* 3 a is most of y */
    ck_assert_double_lt(at(s, 0, "p_value"), 1e-6);
    ml_table_free(s);
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
        ml_model *good = fit(ctx, "gbdt", "{target: y, n_trees: 30}", train);
        ml_model *bad = fit(ctx, "baseline", "{target: y}", train);
        ml_table *c = checked(good, bad, test, ctx, "{method: compare}"), *s = NULL;
        ck_assert_int_eq(ml_table_rows(c), classes == 2 ? 3 : 2);
        for (int64_t i = 0; i < ml_table_rows(c); i++) {
            ck_assert_double_lt(at(c, i, "p_value"), 1e-3);
            OK(ml_model_evaluate(good, test, text_at(c, i, "metric"), &s, ERR));
            ck_assert_double_eq_tol(at(s, 0, "value"), at(c, i, "first"), 1e-9);
            ml_table_free(s);
        }
        ml_table_free(c);
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

/* ---- fitted anew ---- */

START_TEST(cross_validation_and_curves)
{
    ml_context *ctx = test_context(2);
    ml_table *t = table(ctx, 300, 2, 1);
    ml_model *m = fit(ctx, "gbdt", "{target: y, n_trees: 20}", t);
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

START_TEST(nested_tunes_inside)
{
    ml_context *ctx = test_context(2);
    ml_table *t = table(ctx, 200, 0, 1);
    ml_model *m = fit(ctx, "gbdt", "{target: y, n_trees: 10}", t);
    ml_table *c = checked(m, NULL, t, ctx, "{method: nested, trials: 3, folds: 2}");
    ck_assert_int_eq(ml_table_rows(c), 4);
    ck_assert(at(c, 0, "inner") > 0 && at(c, 0, "rmse") > 0);
    ml_table_free(c);
    ml_model_free(m);
    /* What automl has found is searched anew in each fold. */
    m = fit(ctx, "automl", "{target: y, trials: 2, folds: 2}", t);
    c = checked(m, NULL, t, ctx, "{folds: 2}");
    ck_assert(at(c, 2, "rmse") > 0);
    ml_table_free(c);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- out of memory ---- */

static ml_status all_methods(failing_alloc *f, int which)
{
    static const char *const methods[] = {"{method: calibration}",
                                          "{method: slices}",
                                          "{method: compare}",
                                          "{method: cross_validation, folds: 2}",
                                          "{method: learning_curve, folds: 2, points: 2}",
                                          "{method: compare_folds, folds: 2}"};
    ml_context *ctx = NULL, *plain = test_context(1);
    ml_host host = failing_host(f);
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
    for (int k = 0; k < 6; k++) OUT_OF_MEMORY_LOOP(f, all_methods(&f, k));
}
END_TEST

TEST_MAIN("tuning/check", tests_equal_those_of_scipy, equal_models_do_not_differ,
          calibration_of_a_constant, slices_find_what_a_model_lacks, two_models_compared,
          cross_validation_and_curves, nested_tunes_inside, out_of_memory)
