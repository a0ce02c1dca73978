/* SPDX-License-Identifier: MIT
 *
 * The imputers that look at whole rows: rows of few numbers, bounds, limits.
 */
#include "testing_data.h"
#include <math.h>

/* v[columns][rows] as a table with the columns x0, x1, ... */
static ml_table *make(ml_context *ctx, const double *v, int64_t rows, int columns)
{
    ml_table *t = NULL;
    for (int j = 0; j < columns; j++) {
        char name[16];
        ml_tensor *column = NULL;
        ml_table *with = NULL;
        snprintf(name, sizeof name, "x%d", j);
        OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, &rows, NULL,
                         (void *)(uintptr_t)(v + j * rows), &column, ERR));
        OK(ml_table_with_tensor(t, name, column, &with, ERR));
        ml_tensor_free(column);
        ml_table_free(t);
        t = with;
    }
    return t;
}

static ml_model *fit(ml_context *ctx, const char *algorithm, const ml_table *t,
                     const char *const *pairs)
{
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_estimator_new(ctx, algorithm, &e, ERR));
    for (; *pairs; pairs += 2) OK(ml_estimator_set_str(e, pairs[0], pairs[1], ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    return m;
}

static ml_tensor *run(const ml_model *m, const ml_table *t)
{
    ml_predictor *p = NULL;
    ml_tensor *out = NULL;
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    OK(ml_predictor_run(p, t, &out, ERR));
    ml_predictor_free(p);
    return out;
}

/* Rows of training rise by 1 in every column; each row to fill has one number. */
START_TEST(knn_fills_nearly_empty_rows)
{
    enum { COLUMNS = 300, ROWS = 8 };
    static double v[COLUMNS][ROWS], w[COLUMNS][ROWS];
    ml_context *ctx = test_context(2);
    for (int j = 0; j < COLUMNS; j++)
        for (int i = 0; i < ROWS; i++) {
            v[j][i] = i + 1000 * j;
            w[j][i] = j == 7 * i ? 3 + 1000 * j : (double)NAN;
        }
    const char *params[] = {"n_neighbors", "1", NULL};
    ml_table *t = make(ctx, v[0], ROWS, COLUMNS), *few = make(ctx, w[0], ROWS, COLUMNS);
    ml_model *m = fit(ctx, "knn_imputer", t, params);
    ml_tensor *out = run(m, few);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            ck_assert(ml_tensor_get_f64(out, i, j) == 3 + 1000 * j);
    ml_tensor_free(out);
    ml_model_free(m);
    ml_table_free(few);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Only so many rows of training, spread over them, are kept to fill from. */
START_TEST(knn_keeps_max_donors)
{
    ml_context *ctx = test_context(1);
    double v[2][20], w[2] = {9.1, (double)NAN};
    for (int i = 0; i < 20; i++) v[0][i] = i, v[1][i] = 100 + i;
    const char *params[] = {"n_neighbors", "1", "max_donors", "4", NULL};
    ml_table *t = make(ctx, v[0], 20, 2), *one = make(ctx, w, 1, 2);
    ml_tensor *rows = NULL;
    for (int all = 0; all < 2; all++) {
        if (all) params[2] = NULL;
        ml_model *m = fit(ctx, "knn_imputer", t, params);
        ml_tensor *out = run(m, one);
        OK(ml_model_get_tensor(m, "rows", &rows, ERR));
        ck_assert_int_eq(ml_tensor_shape(rows)[1], all ? 20 : 4);
        double nearest = NAN;
        for (int i = 0; i < (all ? 20 : 4); i++) {
            double x = ml_tensor_get_f64(rows, 0, i);
            if (!(fabs(x - 9.1) >= fabs(nearest - 9.1))) nearest = x;
        }
        ck_assert(ml_tensor_get_f64(out, 0, 1) == 100 + nearest);
        if (all) ck_assert(nearest == 9);
        ml_tensor_free(rows);
        ml_tensor_free(out);
        ml_model_free(m);
    }
    ml_table_free(one);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* x1 = 10 x0, missing where that is 0 or 90; x2 is complete in training. */
static const double line[3][10] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
                                   {NAN, 10, 20, 30, 40, 50, 60, 70, 80, NAN},
                                   {5, 5, 6, 6, 5, 5, 6, 6, 5, 6}};

START_TEST(iterative_keeps_within_bounds)
{
    ml_context *ctx = test_context(1);
    ml_table *t = make(ctx, line[0], 10, 3);
    const double lacks[3] = {4, 40, (double)NAN};
    ml_table *one = make(ctx, lacks, 1, 3);
    const char *params[] = {"min_value",
                            "8",
                            "max_value",
                            "60.5",
                            "skip_complete",
                            "true",
                            "initial_strategy",
                            "constant",
                            "fill_value",
                            "-3",
                            NULL};
    ml_model *m = fit(ctx, "iterative_imputer", t, params);
    ml_tensor *out = run(m, t), *filled = run(m, one);
    ck_assert(ml_tensor_get_f64(out, 0, 1) == 8);
    ck_assert(ml_tensor_get_f64(out, 9, 1) == 60.5);
    ck_assert(ml_tensor_get_f64(out, 8, 1) == 80);   /* was there */
    ck_assert(ml_tensor_get_f64(filled, 0, 2) == 8); /* the start, by no regression */
    ml_tensor_free(filled);
    ml_tensor_free(out);
    ml_model_free(m);
    m = fit(ctx, "iterative_imputer", t, params + 10); /* no bounds */
    out = run(m, t);
    ck_assert(fabs(ml_tensor_get_f64(out, 0, 1)) < 1);
    ck_assert(fabs(ml_tensor_get_f64(out, 9, 1) - 90) < 1);
    ml_tensor_free(out);
    ml_model_free(m);
    ml_table_free(one);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(iterative_names_wrong_bounds)
{
    static const struct {
        double least, most, fill;
        const char *says;
    } cases[] = {{3, 2.5, 0, "min_value 3 and max_value 2.5"},
                 {INFINITY, INFINITY, 0, "min_value inf and max_value inf"},
                 {-INFINITY, -INFINITY, 0, "min_value -inf and max_value -inf"},
                 {0, 1, INFINITY, "fill_value is not a finite number"},
                 {0, 1, NAN, "fill_value is not a finite number"}};
    ml_context *ctx = test_context(1);
    ml_table *t = make(ctx, line[0], 10, 3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ml_estimator *e = NULL;
        ml_model *m = NULL;
        OK(ml_estimator_new(ctx, "iterative_imputer", &e, ERR));
        OK(ml_estimator_set_f64(e, "min_value", cases[i].least, ERR));
        OK(ml_estimator_set_f64(e, "max_value", cases[i].most, ERR));
        OK(ml_estimator_set_f64(e, "fill_value", cases[i].fill, ERR));
        FAILS(ML_E_RANGE, ml_estimator_fit(e, t, NULL, &m, ERR));
        SAYS(cases[i].says);
        ml_estimator_free(e);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A column without any value is filled with a number, whatever the start. */
START_TEST(columns_without_values_become_numbers)
{
    static const char *const starts[] = {"mean", "median", "mode", "constant"};
    ml_context *ctx = test_context(1);
    double v[3][10];
    memcpy(v, line, sizeof v);
    for (int i = 0; i < 10; i++) v[2][i] = NAN;
    ml_table *t = make(ctx, v[0], 10, 3);
    for (int s = 0; s < 5; s++) {
        const char *params[] = {"features", "x0,x1,x2", "initial_strategy", starts[s % 4],
                                NULL};
        if (s == 4) params[2] = NULL;
        ml_model *m = fit(ctx, s < 4 ? "iterative_imputer" : "knn_imputer", t, params);
        ml_tensor *out = run(m, t);
        for (int i = 0; i < 10; i++) ck_assert(ml_tensor_get_f64(out, i, 2) == 0);
        ck_assert(isfinite(ml_tensor_get_f64(out, 0, 1)));
        ml_tensor_free(out);
        ml_model_free(m);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- many rows ---- */

enum { MANY = 200001, KINDS = 6 };

/* Numbers far apart, few different ones, one and another, missing ones, a rising line,
 * and zeros of both signs. */
static double many_value(int kind, int64_t i)
{
    uint64_t u = ((uint64_t)i + 7) * UINT64_C(0x9e3779b97f4a7c15);
    double share = (double)((u ^ u >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> 11) * 0x1p-53;
    if (kind == 0) return tan(3.14159 * (share - 0.5));
    if (kind == 1) return floor(4 * share);
    if (kind == 2) return share < 0.7501 ? 5 : 1e9 * share;
    if (kind == 3) return share < 0.3 ? (double)NAN : share;
    if (kind == 4) return (double)i;
    return i % 2 ? 0.0 : -0.0;
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double sorted_at(const double *sorted, int64_t n, double q)
{
    int64_t low = (int64_t)(q * (double)(n - 1));
    double share = q * (double)(n - 1) - (double)low;
    if (low + 1 >= n) return sorted[n - 1];
    return sorted[low] + share * (sorted[low + 1] - sorted[low]);
}

/* Of many rows quantiles come from a sample and what lies near: they are those of the
 * sorted values nevertheless. */
START_TEST(quantiles_of_many_rows_are_exact)
{
    static double v[KINDS][MANY], sorted[MANY];
    ml_context *ctx = test_context(2);
    for (int k = 0; k < KINDS; k++)
        for (int64_t i = 0; i < MANY; i++) v[k][i] = many_value(k, i);
    ml_table *t = make(ctx, v[0], MANY, KINDS);
    const char *params[] = {"low", "0.25", "high", "0.999", NULL};
    ml_model *m = fit(ctx, "winsorizer", t, params);
    ml_tensor *low = NULL, *high = NULL;
    OK(ml_model_get_tensor(m, "low", &low, ERR));
    OK(ml_model_get_tensor(m, "high", &high, ERR));
    for (int k = 0; k < KINDS; k++) {
        int64_t n = 0;
        for (int64_t i = 0; i < MANY; i++)
            if (!isnan(v[k][i])) sorted[n++] = v[k][i] + 0.0;
        qsort(sorted, (size_t)n, sizeof *sorted, rising);
        ck_assert_double_eq_tol(ml_tensor_get_f64(low, k, 0), sorted_at(sorted, n, 0.25),
                                1e-12 * fabs(sorted_at(sorted, n, 0.25)) + 1e-300);
        ck_assert_double_eq_tol(ml_tensor_get_f64(high, k, 0),
                                sorted_at(sorted, n, 0.999),
                                1e-12 * fabs(sorted_at(sorted, n, 0.999)) + 1e-300);
    }
    ml_tensor_free(low);
    ml_tensor_free(high);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A table larger than the caches is what its rows are, missing values counted. */
static void check_wide_table(const char *algorithm)
{
    enum { COLUMNS = 11 };
    static double v[COLUMNS][MANY];
    const char *params[] = {NULL};
    ml_context *ctx = test_context(2);
    for (int k = 0; k < COLUMNS; k++)
        for (int64_t i = 0; i < MANY; i++) v[k][i] = many_value(k % KINDS, i + k);
    ml_table *t = make(ctx, v[0], MANY, COLUMNS), *made = NULL;
    ml_model *m = fit(ctx, algorithm, t, params);
    ml_tensor *rows = run(m, t);
    ml_predictor *p = NULL;
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    OK(ml_predictor_run_table(p, t, &made, ERR));
    ml_predictor_free(p);
    for (int k = 0; k < COLUMNS; k++) {
        for (int64_t i = 0; i < MANY; i++) {
            double x = ml_table_get_f64(made, i, k), y = ml_tensor_get_f64(rows, i, k);
            ck_assert(memcmp(&x, &y, sizeof x) == 0 || (isnan(x) && isnan(y)));
            if (i % 8 == 0)
                ck_assert_int_eq(isnan(x) != 0,
                                 ml_table_get_str(made, i, k, NULL, 0) < 0);
        }
    }
    ml_table_free(made);
    ml_tensor_free(rows);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}

START_TEST(large_tables_are_what_rows_are)
{
    check_wide_table("standard_scaler");
    check_wide_table("normalizer");
}
END_TEST

TEST_MAIN("algorithms/prepare_fill", knn_fills_nearly_empty_rows, knn_keeps_max_donors,
          iterative_keeps_within_bounds, iterative_names_wrong_bounds,
          columns_without_values_become_numbers, quantiles_of_many_rows_are_exact,
          large_tables_are_what_rows_are)
