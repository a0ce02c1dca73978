/* SPDX-License-Identifier: MIT
 *
 * Studies of the host's own scores: ask and tell, their limits, grids, pruners, results.
 */
#include "testing_study.h"

START_TEST(ask_and_tell_keeps_the_best)
{
    ml_context *ctx = test_context(1);
    ml_study *s = study(ctx, NULL, "{metric: rmse, tune: [learning_rate, max_leaves]}");
    double best = 1e9, got = 0;
    for (int i = 0; i < 30; i++) {
        int64_t trial;
        ml_params *p = NULL;
        double rate;
        int64_t leaves;
        OK(ml_study_ask(s, &trial, &p, ERR));
        ck_assert_int_eq(trial, i);
        OK(ml_params_get_f64(p, "learning_rate", &rate, ERR));
        OK(ml_params_get_i64(p, "max_leaves", &leaves, ERR));
        ck_assert(rate >= 0.02 && rate <= 0.3);
        ck_assert(leaves >= 8 && leaves <= 128);
        double score = fabs(rate - 0.1) + fabs((double)leaves - 40) / 100;
        if (score < best) best = score;
        OK(ml_study_tell(s, trial, i == 7 ? NAN : score, ERR));
        ml_params_free(p);
    }
    ml_params *p = NULL;
    OK(ml_study_best_params(s, &got, &p, ERR));
    ck_assert_double_eq(got, best);
    FAILS(ML_E_STATE, ml_study_tell(s, 3, 1.0, ERR));
    FAILS(ML_E_RANGE, ml_study_tell(s, 30, 1.0, ERR));
    FAILS(ML_E_STATE, ml_study_run(s, NULL, NULL, NULL, ERR));
    ml_table *results = NULL;
    OK(ml_study_get_table(s, "trials", &results, ERR));
    ck_assert_int_eq(ml_table_rows(results), 30);
    char state[16];
    ml_table_get_str(results, 7, ml_table_find(results, "state"), state, sizeof state);
    ck_assert_str_eq(state, "failed");
    ml_table_free(results);
    ml_params_free(p);
    ml_study_free(s);
    ml_context_free(ctx);
}
END_TEST

/* Asks and tells the scores 1, 2, 3, ... until the study is over, n times at most. */
static int ask_all(ml_context *ctx, const char *yaml, int n, const char *why)
{
    ml_study *s = study(ctx, NULL, yaml);
    int asked = 0;
    int64_t trial;
    ml_params *p = NULL;
    for (; asked < n && next_params(s, &trial, &p); asked++) {
        OK(ml_study_tell(s, trial, 1 + asked, ERR));
        ml_params_free(p);
    }
    if (asked < n) ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), why));
    ml_study_free(s);
    return asked;
}

START_TEST(asking_keeps_to_the_limits)
{
    ml_context *ctx = test_context(1);
#define SPACE "space: 'x: [0.0, 1.0]', sampler: random"
    ck_assert_int_eq(ask_all(ctx, "{" SPACE "}", 70, "-"), 70);
    ck_assert_int_eq(ask_all(ctx, "{" SPACE ", n_iter: 4}", 70, "n_trials"), 4);
    ck_assert_int_eq(ask_all(ctx, "{" SPACE ", patience: 5}", 70, "patience"), 6);
    ck_assert_int_eq(ask_all(ctx, "{" SPACE ", time: 1e-9}", 70, "time"), 1);
    ck_assert_int_eq(ask_all(ctx, "{" SPACE ", time: 1000}", 70, "time"), 70);
    ck_assert_int_eq(ask_all(ctx, "{" SPACE ", target_score: 7, direction: maximize}", 70,
                             "target_score"),
                     7);
#undef SPACE
    ml_context_free(ctx);
}
END_TEST

START_TEST(grid_visits_each_point_once)
{
    ml_context *ctx = test_context(1);
    ml_study *s = study(ctx, NULL,
                        "{sampler: grid, grid_points: 3, metric: rmse, "
                        "tune: [learning_rate, max_leaves]}");
    char seen[16][64];
    int64_t trial;
    ml_params *p = NULL;
    int n = 0;
    for (; next_params(s, &trial, &p); n++) {
        ck_assert_int_lt(n, 16);
        snprintf(seen[n], sizeof seen[n], "%s %s", ml_params_get_str(p, "learning_rate"),
                 ml_params_get_str(p, "max_leaves"));
        for (int i = 0; i < n; i++) ck_assert_str_ne(seen[i], seen[n]);
        ml_params_free(p);
    }
    ck_assert_int_eq(n, 9);
    ck_assert_str_eq(seen[0], "0.02 8");
    ck_assert_str_eq(seen[8], "0.3 128");
    ml_study_free(s);
    ml_context_free(ctx);
}
END_TEST

/* Points that differ in what is not active are one. */
START_TEST(a_grid_of_conditions)
{
    static const char *const expected[] = {"a c 0", "a c 0.5", "a c 1",
                                           "a d -", "b - -",   "e - -"};
    ml_context *ctx = test_context(1);
    ml_study *s =
        study(ctx, NULL,
              "{sampler: grid, metric: rmse, space: 'x: {a, b, e}; y: {c, d} if "
              "x == a; z: [0.0, 1.0] if y == c'}");
    for (int i = 0; i < 6; i++) {
        int64_t trial;
        ml_params *p = NULL;
        char seen[64];
        OK(ml_study_ask(s, &trial, &p, ERR));
        const char *y = ml_params_get_str(p, "y"), *z = ml_params_get_str(p, "z");
        snprintf(seen, sizeof seen, "%s %s %s", ml_params_get_str(p, "x"), y ? y : "-",
                 z ? z : "-");
        ck_assert_str_eq(seen, expected[i]);
        ml_params_free(p);
    }
    int64_t trial;
    ml_params *p = NULL;
    FAILS(ML_E_STATE, ml_study_ask(s, &trial, &p, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "all 6 points"));
    ml_study_free(s);
    ml_context_free(ctx);
}
END_TEST

/* Parameters that are called like columns of the results. */
START_TEST(each_result_has_its_column)
{
    ml_context *ctx = test_context(1);
    ml_study *s = study(ctx, NULL,
                        "{sampler: random, metric: rmse, objectives: [cost], space: "
                        "'score: [0.0, 1.0]; cost: [3, 9]; other: [5, 6]'}");
    int64_t trial;
    ml_params *p = NULL;
    ml_table *t = NULL;
    double score;
    OK(ml_study_ask(s, &trial, &p, ERR));
    OK(ml_params_get_f64(p, "score", &score, ERR));
    OK(ml_study_tell_value(s, trial, "cost", 0, 100, NULL, ERR));
    OK(ml_study_tell(s, trial, 50, ERR));
    OK(ml_study_get_table(s, "trials", &t, ERR));
    ck_assert_double_eq(ml_table_get_f64(t, 0, ml_table_find(t, "score")), 50);
    ck_assert_double_eq(ml_table_get_f64(t, 0, ml_table_find(t, "params.score")), score);
    ck_assert_double_eq(ml_table_get_f64(t, 0, ml_table_find(t, "cost")), 100);
    ck_assert(ml_table_get_f64(t, 0, ml_table_find(t, "params.cost")) <= 9);
    ck_assert_int_ge(ml_table_find(t, "other"), 0);
    ml_params_free(p);
    ml_table_free(t);
    ml_study_free(s);
    ml_context_free(ctx);
}
END_TEST

/* Trials that report a curve: 0.1 * quality + 1 / step. Bad ones are given up early, good
 * ones are not. */
START_TEST(pruners_give_up_bad_trials)
{
    static const char *const pruners[] = {"median", "percentile", "asha",
                                          "successive_halving", "hyperband"};
    ml_context *ctx = test_context(1);
    for (int k = 0; k < 5; k++) {
        char yaml[256];
        snprintf(yaml, sizeof yaml,
                 "{space: 'x: [0.0, 1.0]', pruner: %s, sampler: sobol}", pruners[k]);
        ml_study *s = study(ctx, NULL, yaml);
        double pruned = 0, kept = 0, best = 9;
        int n_pruned = 0, n_kept = 0;
        for (int i = 0; i < 60; i++) {
            int64_t trial, advice = 0;
            ml_params *p = NULL;
            double x;
            OK(ml_study_ask(s, &trial, &p, ERR));
            OK(ml_params_get_f64(p, "x", &x, ERR));
            ml_params_free(p);
            for (int step = 1; step <= 81 && !advice; step++)
                OK(ml_study_tell_value(s, trial, NULL, step, x + 1.0 / step, &advice,
                                       ERR));
            OK(ml_study_tell(s, trial, x, ERR));
            n_pruned += advice != 0;
            n_kept += advice == 0;
            pruned += advice ? x : 0;
            kept += advice ? 0 : x;
            best = !advice && x < best ? x : best;
        }
        ck_assert_msg(n_pruned >= 10 && n_kept >= 5, "%s: %d", pruners[k], n_pruned);
        ck_assert_double_lt(kept / n_kept + 0.1, pruned / n_pruned);
        ck_assert_double_lt(best, 0.05);
        ml_params *p = NULL;
        double score;
        OK(ml_study_best_params(s, &score, &p, ERR));
        ck_assert_double_eq(score, best); /* one that was given up is never the best */
        ml_params_free(p);
        FAILS(ML_E_STATE, ml_study_tell_value(s, 3, NULL, 1, 1, NULL, ERR));
        FAILS(ML_E_RANGE, ml_study_tell_value(s, 99, NULL, 1, 1, NULL, ERR));
        ml_study_free(s);
    }
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("tuning/study_ask", ask_and_tell_keeps_the_best, asking_keeps_to_the_limits,
          grid_visits_each_point_once, a_grid_of_conditions, each_result_has_its_column,
          pruners_give_up_bad_trials)
