/* SPDX-License-Identifier: MIT
 *
 * Choosing columns by trees: what tells something stays, noise goes.
 */
#include "testing_data.h"
#include <math.h>

#define ROWS 500

static uint64_t state;
static double uniform(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) * 0x1p-53;
}

/* a: a line; b: its distance from 0 alone tells; copy: a with some noise; four columns of
 * noise. The target: a number, or one of two classes. */
static const char *const names[] = {"a", "b", "copy", "n1", "n2", "n3", "n4", "y"};
static ml_table *make(ml_context *ctx, int classes)
{
    static double v[8][ROWS];
    int64_t n = ROWS;
    ml_table *t = NULL;
    state = 7;
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < 7; j++) v[j][i] = 2 * uniform() - 1;
        v[2][i] = v[0][i] + 0.05 * v[2][i];
        v[7][i] = v[0][i] + 2 * fabs(v[1][i]) + 0.2 * uniform();
        if (classes) v[7][i] = v[7][i] > 1;
    }
    for (int j = 0; j < 8; j++) {
        ml_tensor *column = NULL;
        ml_table *with = NULL;
        OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, &n, NULL, v[j], &column, ERR));
        OK(ml_table_with_tensor(t, names[j], column, &with, ERR));
        ml_tensor_free(column);
        ml_table_free(t);
        t = with;
    }
    return t;
}

/* Frees the table. */
static ml_tensor *fitted_to(ml_context *ctx, ml_table *t, const char *algorithm,
                            int classes, const char *attribute, const char *const *pairs,
                            int64_t *columns)
{
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    ml_predictor *p = NULL;
    ml_tensor *out = NULL, *made = NULL;
    OK(ml_estimator_new(ctx, algorithm, &e, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    if (classes) OK(ml_estimator_set_str(e, "task", "classification", ERR));
    for (; *pairs; pairs += 2) OK(ml_estimator_set_str(e, pairs[0], pairs[1], ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    OK(ml_predictor_run(p, t, &made, ERR));
    *columns = ml_tensor_shape(made)[1];
    OK(ml_model_get_tensor(m, attribute, &out, ERR));
    ml_tensor_free(made);
    ml_predictor_free(p);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    return out;
}

static ml_tensor *fitted(ml_context *ctx, const char *algorithm, int classes,
                         const char *attribute, const char *const *pairs,
                         int64_t *columns)
{
    return fitted_to(ctx, make(ctx, classes), algorithm, classes, attribute, pairs,
                     columns);
}

START_TEST(boruta_finds_all_that_matter)
{
    ml_context *ctx = test_context(2);
    const char *params[] = {"n_trees", "30", NULL};
    for (int classes = 0; classes < 2; classes++) {
        int64_t columns = 0;
        ml_tensor *r = fitted(ctx, "boruta", classes, "ranking", params, &columns);
        for (int j = 0; j < 7; j++) { /* a column of noise may stay undecided */
            double ranking = ml_tensor_get_f64(r, j, 0);
            ck_assert_msg(j < 3 ? ranking == 1 : ranking > 1, "%s: %g", names[j],
                          ranking);
        }
        ck_assert_int_eq(columns, 3);
        ml_tensor_free(r);
    }
    ml_context_free(ctx);
}
END_TEST

/* Few rounds against a low mark leave columns of noise undecided. */
START_TEST(boruta_keeps_undecided_ones_if_asked)
{
    ml_context *ctx = test_context(2);
    const char *params[] = {"n_trees", "20", "max_iter", "8",  "percentile",
                            "50",      NULL, NULL,       NULL, NULL};
    int64_t columns = 0, undecided = 0;
    ml_tensor *r = fitted(ctx, "boruta", 0, "ranking", params, &columns);
    for (int j = 0; j < 7; j++) {
        if (j < 3) ck_assert(ml_tensor_get_f64(r, j, 0) == 1);
        undecided += ml_tensor_get_f64(r, j, 0) == 2;
    }
    ml_tensor_free(r);
    ck_assert_int_eq(columns, 3);
    ck_assert_int_gt(undecided, 0);
    params[6] = "keep_tentative", params[7] = "true";
    r = fitted(ctx, "boruta", 0, "kept", params, &columns);
    ck_assert_int_eq(columns, 3 + undecided);
    ml_tensor_free(r);
    ml_context_free(ctx);
}
END_TEST

/* Columns of noise beat the best shadow seldom, the middle of them every other time. */
START_TEST(boruta_percentile_is_a_lower_mark)
{
    ml_context *ctx = test_context(2);
    const char *marks[] = {"100", "50", "1"};
    double won[3] = {0};
    for (int k = 0; k < 3; k++) {
        const char *params[] = {"n_trees",    "10",     "max_iter", "20",
                                "percentile", marks[k], "features", "n1,n2,n3,n4",
                                "alpha",      "1e-4",   NULL};
        int64_t columns = 0;
        ml_tensor *r = fitted(ctx, "boruta", 0, "hits", params, &columns);
        for (int j = 0; j < 4; j++) won[k] += ml_tensor_get_f64(r, j, 0) / 80;
        ml_tensor_free(r);
    }
    ck_assert_msg(won[0] + 0.1 < won[1] && won[1] + 0.1 < won[2] && won[2] > 0.9,
                  "%g %g %g", won[0], won[1], won[2]);
    ml_context_free(ctx);
}
END_TEST

START_TEST(boruta_needs_rounds)
{
    ml_context *ctx = test_context(1);
    ml_table *t = make(ctx, 0);
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_estimator_new(ctx, "boruta", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    OK(ml_estimator_set_i64(e, "max_iter", 7, ERR));
    FAILS(ML_E_RANGE, ml_estimator_fit(e, t, NULL, &m, ERR));
    SAYS("max_iter 7");
    OK(ml_estimator_set_i64(e, "max_iter", 1, ERR));
    OK(ml_estimator_set_f64(e, "alpha", 0.5, ERR));
    OK(ml_estimator_set_i64(e, "n_trees", 5, ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(permutation_finds_what_cannot_be_missed)
{
    ml_context *ctx = test_context(2);
    const char *const estimators[] = {"random_forest", "gbdt"};
    for (int c = 0; c < 4; c++) {
        const char *params[] = {
            "n_trees",         "40", "features", "a,b,n1,n2,n3,n4", "estimator",
            estimators[c / 2], NULL};
        int64_t columns = 0;
        ml_tensor *r =
            fitted(ctx, "permutation_selector", c % 2, "importance", params, &columns);
        /* Of the variance of y a has 1/3, b has 1/3 (times four for the factor 2, less
         * the square of the mean); a shuffled column counts twice. */
        ck_assert(ml_tensor_get_f64(r, 0, 0) > 0.2);
        ck_assert(ml_tensor_get_f64(r, 1, 0) > 0.2);
        for (int j = 2; j < 6; j++)
            ck_assert_msg(ml_tensor_get_f64(r, j, 0) < 0.05, "%d: %g", j,
                          ml_tensor_get_f64(r, j, 0));
        ck_assert_int_ge(columns, 2);
        ck_assert_int_le(columns, 4);
        ml_tensor_free(r);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(at_most_k_columns)
{
    ml_context *ctx = test_context(2);
    const char *params[] = {"n_trees", "20", "k", "1", NULL};
    int64_t columns = 0;
    ml_tensor *r = fitted(ctx, "permutation_selector", 0, "kept", params, &columns);
    ck_assert_int_eq(columns, 1);
    ck_assert(ml_tensor_get_f64(r, 1, 0) == 1);
    ml_tensor_free(r);
    ml_context_free(ctx);
}
END_TEST

/* A third class whose rows have no weight, and which stands in some folds only. */
START_TEST(rows_without_weight_count_nothing)
{
    ml_context *ctx = test_context(2);
    double y[ROWS], w[ROWS];
    const char *params[] = {"n_trees", "20", "weight", "w", "ignore", "n4", NULL};
    for (int classes = 0; classes < 2; classes++) {
        ml_table *t = make(ctx, classes);
        for (int i = 0; i < ROWS; i++) {
            y[i] = ml_table_get_f64(t, i, 7);
            w[i] = i % 100 >= 2;
            if (w[i] == 0) y[i] = classes ? 2 : 1e6;
        }
        int64_t columns = 0;
        ml_table *without = NULL;
        OK(ml_table_select(t, names, 7, &without, ERR));
        ml_table_free(t);
        t = add_f64(ctx, add_f64(ctx, without, "y", ROWS, y), "w", ROWS, w);
        ml_tensor *r = fitted_to(ctx, t, "permutation_selector", classes, "importance",
                                 params, &columns);
        for (int j = 0; j < 6; j++) {
            double x = ml_tensor_get_f64(r, j, 0);
            ck_assert_msg(j < 2 ? x > 0.05 && x < 3 : fabs(x) < 0.5, "%d: %g", j, x);
        }
        /* Parts of the loss of a constant, 0.65 for the two classes that count. */
        if (classes) ck_assert_double_gt(ml_tensor_get_f64(r, 1, 0), 1.2);
        ml_tensor_free(r);
    }
    ml_context_free(ctx);
}
END_TEST

/* All that count stand in one of three groups: nothing is left to fit to. */
START_TEST(weights_in_one_fold)
{
    ml_context *ctx = test_context(1);
    double group[ROWS], w[ROWS];
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    for (int i = 0; i < ROWS; i++) {
        group[i] = i % 3;
        w[i] = i % 3 == 1;
    }
    ml_table *t = add_f64(ctx, make(ctx, 0), "group", ROWS, group);
    t = add_f64(ctx, t, "w", ROWS, w);
    OK(ml_estimator_new(ctx, "permutation_selector", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    OK(ml_estimator_set_str(e, "group", "group", ERR));
    OK(ml_estimator_set_str(e, "weight", "w", ERR));
    FAILS(ML_E_DATA, ml_estimator_fit(e, t, NULL, &m, ERR));
    SAYS("weight above 0");
    OK(ml_estimator_set_i64(e, "folds", 4, ERR));
    FAILS(ML_E_DATA, ml_estimator_fit(e, t, NULL, &m, ERR));
    SAYS("3 groups are too few for 4 folds; use at most 3 folds");
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Rows come in tens that have the same number and target, which nothing else tells: known
 * from other rows of the ten, unless these are kept together. */
START_TEST(groups_stay_together)
{
    ml_context *ctx = test_context(2);
    double id[ROWS], y[ROWS];
    const char *params[] = {"n_trees",   "20", "target", "z", "features",
                            "id,a,b,n1", NULL, NULL,     NULL};
    double worth[2];
    for (int i = 0; i < ROWS; i++) {
        if (i % 10 == 0) state = (uint64_t)i + 1, uniform();
        id[i] = i / 10;
        y[i] = i % 10 ? y[i - 1] : uniform();
    }
    for (int grouped = 0; grouped < 2; grouped++) {
        int64_t columns = 0;
        if (grouped) params[6] = "group", params[7] = "id";
        ml_table *t = add_f64(ctx, make(ctx, 0), "id", ROWS, id);
        t = add_f64(ctx, t, "z", ROWS, y);
        ml_tensor *r =
            fitted_to(ctx, t, "permutation_selector", 0, "importance", params, &columns);
        worth[grouped] = ml_tensor_get_f64(r, 0, 0);
        ml_tensor_free(r);
    }
    ck_assert_msg(worth[0] > 0.5 && worth[1] < 0.3, "%g %g", worth[0], worth[1]);
    ml_context_free(ctx);
}
END_TEST

/* A column that tells the target without error is the best, a constant the worst, in
 * spite of rounding. */
START_TEST(perfect_lines_and_constants)
{
    double line[ROWS], same[ROWS];
    ml_context *ctx = test_context(1);
    for (int classes = 0; classes < 2; classes++) {
        const char *params[] = {"method",   "f_test",    "k",  "1",
                                "features", "line,same", NULL, NULL};
        int64_t columns = 0;
        ml_table *t = make(ctx, classes);
        int64_t y = ml_table_find(t, "y");
        for (int i = 0; i < ROWS; i++) {
            line[i] = 1e9 + 1e8 * ml_table_get_f64(t, i, y) + classes * uniform();
            same[i] = 0.1 + 0.2;
        }
        t = add_f64(ctx, add_f64(ctx, t, "line", ROWS, line), "same", ROWS, same);
        ml_tensor *r =
            fitted_to(ctx, t, "feature_selector", classes, "score", params, &columns);
        ck_assert(ml_tensor_get_f64(r, 0, 0) > 1e10);
        ck_assert(ml_tensor_get_f64(r, 1, 0) < 1e-6);
        ml_tensor_free(r);
    }
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("algorithms/prepare_select", boruta_finds_all_that_matter,
          boruta_keeps_undecided_ones_if_asked, boruta_percentile_is_a_lower_mark,
          boruta_needs_rounds, permutation_finds_what_cannot_be_missed, at_most_k_columns,
          rows_without_weight_count_nothing, weights_in_one_fold, groups_stay_together,
          perfect_lines_and_constants)
