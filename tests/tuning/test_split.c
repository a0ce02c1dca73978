/* SPDX-License-Identifier: MIT
 *
 * Splitters: every row tests once, classes keep their shares, groups stay together, time
 * runs forward, and the same seed gives the same folds.
 */
#include "testing.h"
#include "../testing_data.h"

#include "tuning/split.h"

#define ROWS 103

static ml_table *numbers(ml_context *ctx)
{
    double id[ROWS];
    const char *label[ROWS], *group[ROWS];
    static char names[ROWS][8];
    int64_t n = ROWS;
    ml_tensor *t = NULL;
    ml_table *a = NULL, *b = NULL, *c = NULL;
    for (int i = 0; i < ROWS; i++) {
        id[i] = (i * 37) % ROWS; /* times are out of order */
        label[i] = i % 5 == 0 ? "rare" : "common";
        snprintf(names[i], sizeof names[i], "g%d", i % 13);
        group[i] = names[i];
    }
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, &n, NULL, id, &t, ERR));
    OK(ml_table_with_tensor(NULL, "id", t, &a, ERR));
    OK(ml_table_with_strs(ctx, a, "label", label, ROWS, &b, ERR));
    OK(ml_table_with_strs(ctx, b, "group", group, ROWS, &c, ERR));
    ml_tensor_free(t);
    ml_table_free(a);
    ml_table_free(b);
    return c;
}

static mli_split plain(const char *method)
{
    return (mli_split){.method = method,
                       .fraction = 0.2,
                       .folds = 5,
                       .shuffle = 1,
                       .seed = 3,
                       .stratify = "label",
                       .group = "group",
                       .time = "id"};
}

static void check_partition(const mli_folds *f, int64_t rows)
{
    int seen[ROWS] = {0};
    for (int64_t k = 0; k < f->n_folds; k++) {
        ck_assert_int_eq(f->n_train[k] + f->n_test[k], rows);
        for (int64_t i = 0; i < f->n_test[k]; i++) seen[f->test[k][i]]++;
        for (int64_t i = 1; i < f->n_test[k]; i++)
            ck_assert_int_lt(f->test[k][i - 1], f->test[k][i]);
    }
    for (int64_t i = 0; i < rows; i++) ck_assert_int_eq(seen[i], 1);
}

START_TEST(kfold_covers_every_row)
{
    ml_context *ctx = test_context(1);
    ml_table *t = numbers(ctx);
    mli_folds *f = NULL, *g = NULL;
    mli_split s = plain("kfold");
    OK(mli_folds_new(t, &s, &f, ERR));
    OK(mli_folds_new(t, &s, &g, ERR));
    check_partition(f, ROWS);
    for (int64_t k = 0; k < 5; k++) {
        ck_assert_int_ge(f->n_test[k], ROWS / 5);
        ck_assert_int_le(f->n_test[k], ROWS / 5 + 1);
        ck_assert_mem_eq(f->test[k], g->test[k], (size_t)f->n_test[k] * sizeof(int64_t));
    }
    mli_folds_free(f);
    mli_folds_free(g);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(strata_keep_their_shares)
{
    ml_context *ctx = test_context(1);
    ml_table *t = numbers(ctx);
    mli_folds *f = NULL;
    mli_split s = plain("stratified");
    OK(mli_folds_new(t, &s, &f, ERR));
    check_partition(f, ROWS);
    for (int64_t k = 0; k < f->n_folds; k++) {
        int rare = 0;
        for (int64_t i = 0; i < f->n_test[k]; i++) rare += f->test[k][i] % 5 == 0;
        ck_assert_int_ge(rare, 4); /* 21 rare rows over 5 folds */
        ck_assert_int_le(rare, 5);
    }
    mli_folds_free(f);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(groups_stay_together)
{
    ml_context *ctx = test_context(1);
    ml_table *t = numbers(ctx);
    const char *methods[] = {"group", "holdout"};
    for (int m = 0; m < 2; m++) {
        mli_folds *f = NULL;
        mli_split s = plain(methods[m]);
        s.time = s.stratify = "";
        OK(mli_folds_new(t, &s, &f, ERR));
        for (int64_t k = 0; k < f->n_folds; k++) {
            int tests[13] = {0}, trains[13] = {0};
            for (int64_t i = 0; i < f->n_test[k]; i++) tests[f->test[k][i] % 13]++;
            for (int64_t i = 0; i < f->n_train[k]; i++) trains[f->train[k][i] % 13]++;
            for (int g = 0; g < 13; g++) ck_assert(!tests[g] || !trains[g]);
        }
        mli_folds_free(f);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(time_runs_forward)
{
    ml_context *ctx = test_context(1);
    ml_table *t = numbers(ctx);
    const char *methods[] = {"time", "holdout"};
    for (int m = 0; m < 2; m++) {
        mli_folds *f = NULL;
        mli_split s = plain(methods[m]);
        s.group = s.stratify = "";
        OK(mli_folds_new(t, &s, &f, ERR));
        for (int64_t k = 0; k < f->n_folds; k++) {
            double last = -1, first = 1e9;
            for (int64_t i = 0; i < f->n_train[k]; i++)
                last = fmax(last, ml_table_get_f64(t, f->train[k][i], 0));
            for (int64_t i = 0; i < f->n_test[k]; i++)
                first = fmin(first, ml_table_get_f64(t, f->test[k][i], 0));
            ck_assert_double_lt(last, first);
        }
        mli_folds_free(f);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(holdout_has_its_size)
{
    ml_context *ctx = test_context(1);
    ml_table *t = numbers(ctx), *train = NULL, *test = NULL;
    ml_params *o = NULL;
    OK(ml_params_new(ctx, &o, ERR));
    OK(ml_params_set_f64(o, "test_size", 0.25, ERR));
    OK(ml_params_set_str(o, "stratify", "label", ERR));
    OK(ml_table_split(t, o, &train, &test, ERR));
    ck_assert_int_eq(ml_table_rows(train) + ml_table_rows(test), ROWS);
    ck_assert_int_ge(ml_table_rows(test), 25);
    ck_assert_int_le(ml_table_rows(test), 27);
    ml_table_free(train);
    ml_table_free(test);
    ml_params_free(o);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Of each class the same share is held out, in small tables and in large ones. */
START_TEST(holdout_keeps_shares)
{
    ml_context *ctx = test_context(1);
    for (int64_t rows = 100; rows <= 4000; rows += 1300) {
        double *label = malloc((size_t)rows * sizeof *label);
        ml_tensor *values = NULL;
        ml_table *t = NULL, *train = NULL, *test = NULL;
        ml_params *o = NULL;
        int64_t rare = 0;
        for (int64_t i = 0; i < rows; i++) label[i] = i >= rows * 7 / 10; /* by class */
        OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, &rows, NULL, label, &values, ERR));
        OK(ml_table_with_tensor(NULL, "label", values, &t, ERR));
        OK(ml_params_new(ctx, &o, ERR));
        OK(ml_params_set_str(o, "stratify", "label", ERR));
        OK(ml_table_split(t, o, &train, &test, ERR));
        ck_assert_int_eq(ml_table_rows(test), rows / 5);
        for (int64_t i = 0; i < rows / 5; i++) rare += ml_table_get_f64(test, i, 0) > 0;
        ck_assert_int_eq(rare, rows * 3 / 50);
        ml_params_free(o);
        ml_table_free(train);
        ml_table_free(test);
        ml_table_free(t);
        ml_tensor_free(values);
        free(label);
    }
    ml_context_free(ctx);
}
END_TEST

/* A class of one row is to be learned, not to be judged, however many there are. */
START_TEST(a_holdout_leaves_each_class)
{
    enum { N = 200, RARE = 70 };
    ml_context *ctx = test_context(1);
    double x[N];
    const char *label[N];
    char name[RARE][8];
    for (int i = 0; i < N; i++) {
        x[i] = i;
        if (i < RARE) snprintf(name[i], sizeof name[i], "c%d", i);
        label[i] = i < RARE ? name[i] : i % 2 ? "a" : "b";
    }
    ml_table *t = add_f64(ctx, NULL, "x", N, x);
    t = add_text(ctx, t, "label", N, label);
    for (int64_t seed = 0; seed < 5; seed++) {
        ml_table *train = NULL, *test = NULL;
        ml_params *o = NULL;
        OK(ml_params_new(ctx, &o, ERR));
        OK(ml_params_set_str(o, "stratify", "label", ERR));
        OK(ml_params_set_f64(o, "fraction", 0.5, ERR));
        OK(ml_params_set_i64(o, "seed", seed, ERR));
        OK(ml_table_split(t, o, &train, &test, ERR));
        int64_t rare = 0;
        for (int64_t i = 0; i < ml_table_rows(train); i++)
            rare += ml_table_get_f64(train, i, 0) < RARE;
        ck_assert_int_eq(rare, RARE);
        ck_assert_int_ge(ml_table_rows(test), 60);
        ml_params_free(o);
        ml_table_free(train);
        ml_table_free(test);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(bad_input)
{
    ml_context *ctx = test_context(1);
    ml_table *t = numbers(ctx), *one = NULL, *train = NULL, *test = NULL;
    mli_folds *f = NULL;
    mli_split s = plain("stratified");
    s.stratify = "lable";
    FAILS(ML_E_NAME, mli_folds_new(t, &s, &f, ERR));
    s = plain("group");
    s.group = "";
    FAILS(ML_E_ARGUMENT, mli_folds_new(t, &s, &f, ERR));
    s = plain("time");
    s.time = "label";
    FAILS(ML_E_TYPE, mli_folds_new(t, &s, &f, ERR));
    s = plain("group");
    s.folds = 14;
    FAILS(ML_E_DATA, mli_folds_new(t, &s, &f, ERR));
    OK(ml_table_slice(t, 0, 1, &one, ERR));
    FAILS(ML_E_DATA, ml_table_split(one, NULL, &train, &test, ERR));
    ck_assert_ptr_null(f);
    ck_assert_ptr_null(train);
    ml_table_free(one);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("tuning/split", kfold_covers_every_row, strata_keep_their_shares,
          groups_stay_together, time_runs_forward, holdout_has_its_size,
          holdout_keeps_shares, a_holdout_leaves_each_class, bad_input)
