/* SPDX-License-Identifier: MIT
 *
 * Calibrated classifiers, tuned thresholds, stacking. The maps against scikit-learn.
 */
#include "../conformance/kit.h"
#include "../failing.h"
#include "algorithms/compose/calibration.h"
#include "algorithms/compose/thresholds.h"
#include "calibration_expected.h"

static ml_model *fit(ml_context *ctx, const char *algorithm, const char *yaml,
                     const ml_table *t, const ml_table *valid)
{
    ml_estimator *e = NULL;
    ml_params *p = NULL;
    ml_model *m = NULL;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_read_yaml(p, yaml, strlen(yaml), ERR));
    OK(ml_estimator_new(ctx, algorithm, &e, ERR));
    OK(ml_estimator_set_params(e, p, ERR));
    OK(ml_estimator_fit(e, t, valid, &m, ERR));
    ml_params_free(p);
    ml_estimator_free(e);
    return m;
}

static void refused(ml_context *ctx, const char *algorithm, const char *yaml,
                    const ml_table *t, const char *word)
{
    ml_estimator *e = NULL;
    ml_params *p = NULL;
    ml_model *m = NULL;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_read_yaml(p, yaml, strlen(yaml), ERR));
    OK(ml_estimator_new(ctx, algorithm, &e, ERR));
    ml_status st = ml_estimator_set_params(e, p, ERR);
    if (st == ML_OK) st = ml_estimator_fit(e, t, NULL, &m, ERR);
    ck_assert_msg(st < 0 && !m, "%s was accepted", yaml);
    ck_assert_msg(strstr(ml_error_message(ERR), word) != NULL, "%s: %s", yaml,
                  ml_error_message(ERR));
    ml_params_free(p);
    ml_estimator_free(e);
}

static ml_table *table(ml_context *ctx, int64_t rows, int classes, uint64_t seed)
{
    return kit_table(ctx, &(kit_data){.rows = rows, .classes = classes, .seed = seed});
}

static double score(const ml_model *m, const ml_table *t, const char *metric)
{
    ml_table *s = NULL;
    OK(ml_model_evaluate(m, t, metric, &s, ERR));
    double v = ml_table_get_f64(s, 0, 1);
    ml_table_free(s);
    return v;
}

/* ---- the maps ---- */

START_TEST(maps_equal_those_of_scikit_learn)
{
    ml_context *ctx = test_context(1);
    mli_calibration c;
    double two[2 * 21], three[N * K];
    OK(mli_calibration_fit(ctx, MLI_CALIBRATE_SIGMOID, pair, hits, weights, N, 2, &c,
                           ERR));
    for (int i = 0; i < 2; i++) ck_assert_double_eq_tol(c.line[i], sigmoid[i], 2e-4);
    mli_calibration_free(&c);
    OK(mli_calibration_fit(ctx, MLI_CALIBRATE_ISOTONIC, pair, hits, weights, N, 2, &c,
                           ERR));
    for (int i = 0; i < 21; i++) {
        two[2 * i] = 1 - at[i];
        two[2 * i + 1] = at[i];
    }
    mli_calibration_apply(&c, two, 21);
    for (int i = 0; i < 21; i++) {
        ck_assert_double_eq_tol(two[2 * i + 1], isotonic[i], 1e-12);
        ck_assert_double_eq_tol(two[2 * i] + two[2 * i + 1], 1, 1e-15);
    }
    mli_calibration_free(&c);
    OK(mli_calibration_fit(ctx, MLI_CALIBRATE_ISOTONIC, proba, labels, weights, N, K, &c,
                           ERR));
    memcpy(three, proba, sizeof three);
    mli_calibration_apply(&c, three, N);
    for (int i = 0; i < N * K; i++)
        ck_assert_double_eq_tol(three[i], isotonic3[i], 1e-12);
    mli_calibration_free(&c);
    OK(mli_calibration_fit(ctx, MLI_CALIBRATE_TEMPERATURE, proba, labels, weights, N, K,
                           &c, ERR));
    ck_assert_double_eq_tol(c.beta, beta[0], 1e-6);
    mli_calibration_free(&c);
    ml_context_free(ctx);
}
END_TEST

START_TEST(maps_of_strange_rows)
{
    ml_context *ctx = test_context(1);
    const double sure[] = {1, 0, 0, 1, 1, 0, 0, 1};
    const int32_t label[] = {0, 1, 0, 1}, same[] = {1, 1, 1, 1};
    for (int32_t method = 1; method <= 3; method++) {
        mli_calibration c;
        double rows[] = {1, 0, 0.5, 0.5, NAN, NAN, 0, 1};
        OK(mli_calibration_fit(ctx, method, sure, label, NULL, 4, 2, &c, ERR));
        mli_calibration_apply(&c, rows, 4);
        ck_assert(rows[1] < 0.5 && rows[7] > 0.5);
        ck_assert(isnan(rows[5]));
        mli_calibration_free(&c);
        OK(mli_calibration_fit(ctx, method, sure, same, NULL, 4, 2, &c, ERR));
        double row[] = {0.5, 0.5};
        mli_calibration_apply(&c, row, 1);
        ck_assert(row[1] >= 0 && row[1] <= 1);
        mli_calibration_free(&c);
    }
    ml_context_free(ctx);
}
END_TEST

/* ---- calibrated ---- */

static const char *const methods[] = {"sigmoid", "isotonic", "temperature"};

/* A model that is far too sure of itself. */
START_TEST(calibration_lowers_the_loss)
{
    ml_context *ctx = test_context(2);
    for (int classes = 2; classes <= 3; classes++) {
        ml_table *train = table(ctx, 400, classes, 1),
                 *test = table(ctx, 400, classes, 2);
        ml_model *plain =
            fit(ctx, "decision_tree", "{target: y, min_data_in_leaf: 1}", train, NULL);
        double before = score(plain, test, "log_loss");
        for (int i = 0; i < 3; i++) {
            char yaml[128];
            snprintf(yaml, sizeof yaml,
                     "{target: y, model: m=decision_tree, m.min_data_in_leaf: 1, "
                     "method: %s}",
                     methods[i]);
            ml_model *m = fit(ctx, "calibrated", yaml, train, NULL);
            double after = score(m, test, "log_loss");
            ck_assert_msg(after < before, "%s: %g, before %g", methods[i], after, before);
            ml_model_free(m);
            m = fit(ctx, "calibrated", yaml, train, test);
            ck_assert_double_lt(score(m, test, "log_loss"), before);
            ml_model_free(m);
        }
        ml_model_free(plain);
        ml_table_free(train);
        ml_table_free(test);
    }
    ml_context_free(ctx);
}
END_TEST

/* ---- threshold ---- */

START_TEST(thresholds_raise_their_metric)
{
    ml_context *ctx = test_context(2);
    for (int classes = 2; classes <= 3; classes++) {
        ml_table *train = table(ctx, 400, classes, 1);
        ml_model *m = fit(ctx, "threshold",
                          "{target: y, model: m=logistic_regression, metric: "
                          "balanced_accuracy}",
                          train, NULL);
        ml_model *plain = fit(ctx, "logistic_regression", "{target: y}", train, NULL);
        ck_assert_double_ge(score(m, train, "balanced_accuracy"),
                            score(plain, train, "balanced_accuracy"));
        ml_tensor *cuts = NULL, *p = kit_predict(m, "proba", train),
                  *c = kit_predict(m, "class", train);
        OK(ml_model_get_tensor(m, "class_thresholds", &cuts, ERR));
        double sum = 0;
        for (int k = 0; k < classes; k++) sum += ml_tensor_get_f64(cuts, k, 0);
        ck_assert_double_eq_tol(sum, 1, 1e-12);
        for (int64_t i = 0; i < 400 && classes == 2; i++)
            ck_assert_int_eq(ml_tensor_get_f64(c, i, 0) == 1,
                             ml_tensor_get_f64(p, i, 1) > ml_tensor_get_f64(cuts, 1, 0));
        ml_tensor_free(cuts);
        ml_tensor_free(p);
        ml_tensor_free(c);
        ml_model_free(plain);
        ml_model_free(m);
        ml_table_free(train);
    }
    ml_context_free(ctx);
}
END_TEST

/* The best of all thresholds, found by hand. */
START_TEST(the_best_threshold_is_found)
{
    ml_context *ctx = test_context(1);
    const double p[] = {0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4, 0.1, 0.9};
    const int32_t label[] = {0, 0, 1, 1, 1};
    const mli_truth t = {.n = 5, .label = label, .n_classes = 2};
    const mli_metric *metric;
    double cuts[2], best;
    OK(mli_thresholds_metric("f1", &metric, ERR));
    OK(mli_thresholds_tune(ctx, metric, &t, p, cuts, &best, ERR));
    ck_assert_double_eq(best, 1);
    ck_assert_double_eq_tol(cuts[1], 0.25, 1e-12);
    FAILS(ML_E_ARGUMENT, mli_thresholds_metric("roc_auc", &metric, ERR));
    FAILS(ML_E_NAME, mli_thresholds_metric("f2x", &metric, ERR));
    ml_context_free(ctx);
}
END_TEST

/* In a pipeline, and around a calibrated model, the thresholds hold as well. */
START_TEST(thresholds_inside_others)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 300, 2, 3);
    ml_model *m = fit(ctx, "pipeline",
                      "{target: y, steps: [imputer, last=threshold], "
                      "last.model: [c=calibrated], last.c.model: [b=gbdt], "
                      "last.c.b.n_trees: 5, last.metric: recall}",
                      t, NULL);
    ml_tensor *p = kit_predict(m, "proba", t), *c = kit_predict(m, "class", t);
    int64_t second = 0, half = 0;
    for (int64_t i = 0; i < 300; i++) {
        second += ml_tensor_get_f64(c, i, 0) == 1;
        half += ml_tensor_get_f64(p, i, 1) > 0.5;
    }
    ck_assert_int_gt(second, half); /* recall wants all of them */
    ml_tensor_free(p);
    ml_tensor_free(c);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- stacking ---- */

START_TEST(stacking_is_a_model_of_models)
{
    ml_context *ctx = test_context(2);
    for (int classes = 0; classes <= 3; classes++) {
        if (classes == 1) continue;
        ml_table *train = table(ctx, 300, classes, 1),
                 *test = table(ctx, 300, classes, 2);
        const char *linear = classes ? "logistic_regression" : "linear_regression";
        const char *metric = classes ? "log_loss" : "rmse";
        char yaml[200];
        snprintf(yaml, sizeof yaml,
                 "{target: y, members: [gbdt, %s, baseline], gbdt.n_trees: 20}", linear);
        ml_model *m = fit(ctx, "stacking", yaml, train, NULL);
        ml_model *one = fit(ctx, "baseline", "{target: y}", train, NULL);
        ck_assert_double_lt(score(m, test, metric), 0.9 * score(one, test, metric));
        ck_assert_ptr_nonnull(
            strstr(ml_params_get_str(ml_model_params(m), "final"), linear));
        ml_model_free(m);
        m = fit(ctx, "stacking",
                "{target: y, members: [baseline, gbdt], gbdt.n_trees: 20, "
                "final: [top=gbdt], top.n_trees: 5}",
                train, test);
        ck_assert_double_lt(score(m, test, metric), score(one, test, metric));
        ml_model_free(m);
        ml_model_free(one);
        ml_table_free(train);
        ml_table_free(test);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(wrong_parameters)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 60, 2, 1);
    refused(ctx, "calibrated", "{target: y, model: []}", t, "model");
    refused(ctx, "calibrated", "{target: y, model: [gbdt, a=gbdt]}", t, "one model");
    refused(ctx, "calibrated", "{target: y, model: imputer}", t, "classes");
    refused(ctx, "calibrated", "{target: y, model: gbdt, folds: 40}", t, "rows");
    refused(ctx, "calibrated", "{target: y, model: gbdt, method: platt}", t, "sigmoid");
    refused(ctx, "threshold", "{target: y, model: gbdt, metric: roc_auc}", t, "f1");
    refused(ctx, "stacking", "{target: y, members: []}", t, "member");
    refused(ctx, "stacking", "{target: y, members: [imputer]}", t, "predict");
    refused(ctx, "stacking", "{target: y, members: [gbdt], final: [imputer]}", t,
            "predict");
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("algorithms/compose", maps_equal_those_of_scikit_learn, maps_of_strange_rows,
          calibration_lowers_the_loss, thresholds_raise_their_metric,
          the_best_threshold_is_found, thresholds_inside_others,
          stacking_is_a_model_of_models, wrong_parameters)
