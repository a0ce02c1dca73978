/* SPDX-License-Identifier: MIT
 *
 * Numbers that name things: automl takes them for categories as well, where that is
 * better for rows held out. Names of many levels.
 */
#include "../failing.h"
#include "testing_automl.h"

enum { N = 1200, USERS = 100 };

/* Users whose numbers tell nothing by their order, with a card each; the age counts as a
 * curve. */
static ml_table *visits(ml_context *ctx, int classes, uint64_t seed)
{
    int64_t user[N], card[N], age[N];
    double x[N], y[N], effect[USERS];
    uint64_t same = 7;
    for (int u = 0; u < USERS; u++) effect[u] = 4 * kit_uniform(&same) - 2;
    for (int i = 0; i < N; i++) {
        int u = (int)(kit_uniform(&seed) * USERS);
        user[i] = 1000 + 37 * u % 500;
        card[i] = 90000 + 61 * u % 700;
        age[i] = 20 + (int64_t)(kit_uniform(&seed) * 60);
        x[i] = kit_uniform(&seed);
        y[i] = effect[u] + x[i] + 0.02 * (double)age[i] + 0.2 * kit_uniform(&seed);
        if (classes) y[i] = y[i] > 1.6;
    }
    ml_table *t = add_i64(ctx, NULL, "user", N, user);
    t = add_i64(ctx, t, "card", N, card);
    t = add_f64(ctx, add_i64(ctx, t, "age", N, age), "x", N, x);
    return add_f64(ctx, t, "y", N, y);
}

/* How many levels the columns have in all, or -1. */
static int64_t levels_in(const ml_model *m)
{
    ml_tensor *values = NULL;
    if (ml_model_get_tensor(m, "codes.values", &values, NULL)) return -1;
    int64_t n = ml_tensor_shape(values)[0];
    ml_tensor_free(values);
    return n;
}

START_TEST(users_are_categories)
{
    static const char *const tasks[] = {"regression", "classification"};
    ml_context *ctx = test_context(2);
    char yaml[256];
    for (int classes = 0; classes < 2; classes++) {
        ml_table *t = visits(ctx, classes, 1), *test = visits(ctx, classes, 2);
        snprintf(yaml, sizeof yaml,
                 "{target: y, ignore: [card], trials: 4, folds: 3, task: %s}",
                 tasks[classes]);
        ml_model *m = fit_yaml(ctx, "automl", yaml, t, NULL);
        ck_assert_int_eq(levels_in(m), USERS);
        if (classes)
            ck_assert_double_gt(scored(m, test, "roc_auc"), 0.97);
        else
            ck_assert_double_lt(scored(m, test, "rmse"), 0.15);
        same_after_loading(ctx, m, classes ? "proba" : "value", test);
        ml_model_free(m);
        ml_table_free(test);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

/* The age is a number; so is a card where other users come later than those known. */
START_TEST(other_numbers_are_not)
{
    ml_context *ctx = test_context(2);
    ml_table *t = visits(ctx, 0, 1);
    ml_model *m = fit_yaml(
        ctx, "automl", "{target: y, ignore: [card, user], trials: 1, folds: 3}", t, NULL);
    ck_assert_int_eq(levels_in(m), -1);
    ml_model_free(m);
    m = fit_yaml(ctx, "automl", "{target: y, trials: 1, folds: 3}", t, NULL);
    ck_assert_int_eq(levels_in(m), 2 * USERS);
    ml_model_free(m);
    m = fit_yaml(ctx, "automl", "{target: y, group: user, trials: 1, folds: 3}", t, NULL);
    ck_assert_int_eq(levels_in(m), -1);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Of three classes names of many levels are split with more caution as well. */
START_TEST(many_names_and_classes)
{
    ml_context *ctx = test_context(2);
    const char *name[N], *kind[N];
    char text[N][8];
    double x[N];
    uint64_t state = 9;
    for (int i = 0; i < N; i++) {
        snprintf(text[i], sizeof text[i], "n%d", (int)(kit_uniform(&state) * 80));
        name[i] = text[i];
        x[i] = 3 * kit_uniform(&state);
        kind[i] = x[i] < 1 ? "a" : x[i] < 2 ? "b" : "c";
    }
    ml_table *t = add_f64(ctx, add_text(ctx, NULL, "name", N, name), "x", N, x);
    t = add_text(ctx, t, "y", N, kind);
    ml_model *m = fit_yaml(
        ctx, "automl", "{target: y, trials: 3, folds: 2, algorithms: [gbdt]}", t, NULL);
    ml_tensor *board = NULL;
    OK(ml_model_get_tensor(m, "leaderboard", &board, ERR));
    char *rows = strndup(ml_tensor_data(board), (size_t)ml_tensor_shape(board)[0]);
    ck_assert_ptr_nonnull(strstr(rows, "cat_smooth=100"));
    free(rows);
    ml_tensor_free(board);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static ml_status fit_with(failing_alloc *f, int64_t n)
{
    ml_host host = failing_host(f);
    ml_context *ctx = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_context_new(&host, &ctx, ERR));
    ml_table *t = visits(ctx, 0, 3);
    OK(ml_estimator_new(ctx, "automl", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    OK(ml_estimator_set_str(e, "trials", "1", ERR));
    f->fail_at = f->calls + n;
    ml_status status = ml_estimator_fit(e, t, NULL, &m, ERR);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
    return status;
}

START_TEST(memory_fails_while_they_are_found)
{
    memory_fails(fit_with, SANITIZED ? 31 : 7);
}
END_TEST

TEST_MAIN("tuning/automl_codes", users_are_categories, other_numbers_are_not,
          many_names_and_classes, memory_fails_while_they_are_found)
