/* SPDX-License-Identifier: MIT
 *
 * Ensembles and automl. What every algorithm must do, the conformance kit tests.
 */
#include "../conformance/kit.h"

static ml_estimator *estimator(ml_context *ctx, const char *algorithm, const char *yaml)
{
    ml_estimator *e = NULL;
    ml_params *p = NULL;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_read_yaml(p, yaml, strlen(yaml), ERR));
    OK(ml_estimator_new(ctx, algorithm, &e, ERR));
    OK(ml_estimator_set_params(e, p, ERR));
    ml_params_free(p);
    return e;
}

static ml_model *fit(ml_context *ctx, const char *algorithm, const char *yaml,
                     const ml_table *t)
{
    ml_estimator *e = estimator(ctx, algorithm, yaml);
    ml_model *m = NULL;
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    return m;
}

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

static double score(const ml_model *m, const ml_table *t, const char *metric)
{
    ml_table *s = NULL;
    OK(ml_model_evaluate(m, t, metric, &s, ERR));
    double v = ml_table_get_f64(s, 0, 1);
    ml_table_free(s);
    return v;
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
        ml_model *a = fit(ctx, "gbdt", "{target: y, n_trees: 5}", t);
        ml_model *b = fit(ctx, "baseline", "{target: y}", t);
        ml_model *both = fit(
            ctx, "ensemble",
            "{target: y, members: [gbdt, baseline], gbdt.n_trees: 5, weights: [3, 1]}",
            t);
        ml_tensor *x = kit_predict(a, kind, t), *y = kit_predict(b, kind, t);
        ml_tensor *z = kit_predict(both, kind, t);
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
        ml_model *m = fit(ctx, "automl", "{target: y, trials: 10, folds: 3}", train);
        ml_model *b = fit(ctx, "baseline", "{target: y}", train);
        double sign = classes == 2 ? -1 : 1, held_out = number(m, "held_out_score", 0);
        for (int64_t i = 0; i < 10; i++) {
            double one = number(m, "trial_scores", i);
            ck_assert(isnan(one) || sign * held_out <= sign * one);
        }
        ck_assert(sign * score(m, test, metric) < sign * score(b, test, metric));
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
    ml_model *m = fit(ctx, "automl",
                      "{target: y, trials: 6, folds: 2, max_members: 1, "
                      "algorithms: [logistic_regression]}",
                      t);
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
    ml_model *m = fit(ctx, "automl", "{target: y, time_limit: 0.000001, trials: 0}", t);
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
    ml_estimator *e = estimator(ctx, "automl", "{target: y, trials: 0, folds: 2}");
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
    ml_estimator *e = estimator(ctx, "automl", "{target: y, trials: 3, max_members: 1}");
    ml_model *m = NULL;
    OK(ml_estimator_fit(e, t, v, &m, ERR));
    ml_model *b = fit(ctx, "baseline", "{target: y}", t);
    ck_assert_double_eq_tol(number(m, "trial_scores", 0), score(b, v, "rmse"), 1e-12);
    ml_model_free(b);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(v);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("tuning/automl", an_ensemble_is_the_weighted_mean, wrong_parameters,
          automl_beats_its_candidates, one_member_and_chosen_algorithms,
          no_time_gives_the_simplest_model, a_stopped_search_keeps_the_best,
          validation_rows_judge)
