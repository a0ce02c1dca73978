/* SPDX-License-Identifier: MIT
 *
 * Validation rows of "gbdt": what they are judged by, and what changes where they watch.
 */
#include "gbdt_testing.h"

/* Whether what leaves gain is looked at hangs on early stopping, unless it is said. */
START_TEST(chance_or_validation_rows)
{
    static const char *const cases[][2] = {
        {"", "0"}, {"early_stopping_rounds=0", "1"}, {"boosting=dart", "1"}};
    ml_context *ctx = test_context(1);
    ml_table *t = sample(ctx, 200, 3), *v = sample(ctx, 200, 4);
    for (int i = 0; i < 3; i++) {
        double error[3];
        for (int k = 0; k < 3; k++) {
            ml_model *m = NULL;
            ml_estimator *e = make(ctx, cases[i][0]);
            OK(ml_estimator_set_i64(e, "n_trees", 60, ERR));
            const char *ratio = k == 2 ? (i ? "0" : "1") : cases[i][1];
            if (k) OK(ml_estimator_set_str(e, "min_gain_ratio", ratio, ERR));
            OK(ml_estimator_fit(e, t, v, &m, ERR));
            error[k] = error_of(m, t);
            ml_model_free(m);
            ml_estimator_free(e);
        }
        ck_assert_double_eq(error[0], error[1]);
        ck_assert_double_ne(error[0], error[2]);
    }
    ml_table_free(v);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(any_metric_can_stop)
{
    ml_context *ctx = test_context(1);
    ml_table *t = sample(ctx, ROWS, 11);
    const char *const metrics[] = {"r2", "rmse", "mae", "median_ae"};
    for (int k = 0; k < 4; k++) {
        char text[100];
        snprintf(text, sizeof text, "validation_fraction=0.2;eval_metric=%s", metrics[k]);
        ml_estimator *e = make(ctx, text);
        ml_model *m = NULL;
        ml_status st = ml_estimator_fit(e, t, NULL, &m, ERR);
        if (k < 3) ck_assert_msg(st == ML_OK, "%s: %s", text, ml_error_message(ERR));
        ml_model_free(m);
        ml_estimator_free(e);
    }
    ml_estimator *e = make(ctx, "eval_metric=ndcg");
    ml_model *m = NULL;
    FAILS(ML_E_DATA, ml_estimator_fit(e, t, NULL, &m, ERR));
    OK(ml_estimator_set_str(e, "eval_metric", "rsme", ERR));
    FAILS(ML_E_NAME, ml_estimator_fit(e, t, NULL, &m, ERR));
    SAYS("did you mean \"rmse\"? there are also loss, auc, error, custom");
    OK(ml_estimator_set_str(e, "eval_metric", "nothing_like_it", ERR));
    FAILS(ML_E_NAME, ml_estimator_fit(e, t, NULL, &m, ERR));
    SAYS(", also loss, auc, error, custom");
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* The quantile and the power are those of the parameters, whatever the objective. */
START_TEST(early_stopping_judges_as_evaluation)
{
    static const char *const cases[][2] = {{"objective=absolute;quantile=0.9", "pinball"},
                                           {"objective=quantile;quantile=0.8", "pinball"},
                                           {"objective=quantile;quantile=0.8", "rmse"}};
    ml_context *ctx = test_context(1);
    ml_table *t = sample(ctx, ROWS, 11), *v = sample(ctx, ROWS, 12);
    for (int i = 0; i < 3; i++) {
        char text[120];
        ml_model *m = NULL;
        ml_tensor *history = NULL;
        snprintf(text, sizeof text, "%s;n_trees=4;early_stopping_rounds=0;eval_metric=%s",
                 cases[i][0], cases[i][1]);
        ml_estimator *e = make(ctx, text);
        OK(ml_estimator_fit(e, t, v, &m, ERR));
        OK(ml_model_get_tensor(m, "validation_history", &history, ERR));
        ck_assert_double_eq_tol(ml_tensor_get_f64(history, 3, 0),
                                scored(m, v, cases[i][1]), 1e-9);
        ml_tensor_free(history);
        ml_model_free(m);
        ml_estimator_free(e);
    }
    ml_table_free(v);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Rounds up to the best, and those after it. */
static void watch(ml_context *ctx, const char *settings, const ml_table *t,
                  const ml_table *v, int64_t *best, int64_t *after)
{
    ml_model *m = NULL;
    ml_tensor *history = NULL, *rounds = NULL;
    ml_estimator *e = make(ctx, settings);
    OK(ml_estimator_set_i64(e, "n_trees", 5000, ERR));
    OK(ml_estimator_fit(e, t, v, &m, ERR));
    OK(ml_model_get_tensor(m, "validation_history", &history, ERR));
    OK(ml_model_get_tensor(m, "n_rounds", &rounds, ERR));
    *best = (int64_t)ml_tensor_get_f64(rounds, 0, 0);
    *after = ml_tensor_shape(history)[0] - *best;
    ml_tensor_free(history);
    ml_tensor_free(rounds);
    ml_model_free(m);
    ml_estimator_free(e);
}

/* As many rounds as are given; else 50, or three tenths of those up to the best. */
START_TEST(patience_grows_unless_given)
{
    ml_context *ctx = test_context(1);
    ml_table *t = sample(ctx, ROWS, 11), *v = sample(ctx, ROWS, 12);
    int64_t best, after;
    watch(ctx, "learning_rate=0.02;early_stopping_rounds=20", t, v, &best, &after);
    ck_assert_int_eq(after, 20);
    watch(ctx, "learning_rate=0.02", t, v, &best, &after);
    ck_assert_int_gt(best, 200);
    ck_assert_int_eq(after, 3 * (best - 1) / 10);
    watch(ctx, "learning_rate=1", t, v, &best, &after);
    ck_assert_int_lt(best, 160);
    ck_assert_int_eq(after, 50);
    ml_table_free(v);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("algorithms/gbdt_stopping", chance_or_validation_rows, any_metric_can_stop,
          early_stopping_judges_as_evaluation, patience_grows_unless_given)
