/* SPDX-License-Identifier: MIT
 *
 * Sparse rows: models with many features, in the forms that trees have; what is refused,
 * no memory, no allocation after the first call. test_predictor_models.c has the models
 * of every algorithm.
 */
#include "conformance/kit.h"
#include "failing.h"
#include "sparse_testing.h"

#define ROWS  2200
#define WIDTH 120

/* Numbers of which one in twenty is not 0, some of them missing, as floats hold them. */
static double *make_rows(int64_t n, int64_t width)
{
    double *rows = calloc((size_t)(n * width), sizeof *rows);
    uint64_t state = 7;
    for (int64_t i = 0; i < n * width; i++) {
        if (kit_uniform(&state) > 0.05) continue;
        double x = kit_uniform(&state);
        rows[i] = x < 0.05 ? NAN : (double)(float)(4 * x - 2);
    }
    return rows;
}

static ml_table *make_table(ml_context *ctx, const double *rows, int64_t n, int64_t width)
{
    ml_tensor *t = NULL, *target = NULL;
    ml_table *x = NULL, *with = NULL;
    int64_t shape[2] = {n, width};
    double *y = malloc((size_t)n * sizeof *y);
    for (int64_t i = 0; i < n; i++) {
        y[i] = 0;
        for (int64_t j = 0; j < width; j++) {
            double v = rows[i * width + j];
            y[i] += isnan(v) ? 0.3 : (double)(j % 7 - 3) * v + (v > 0.5 ? 1 : 0);
        }
    }
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 2, shape, NULL, rows, &t, ERR));
    OK(ml_table_read_tensor(ctx, t, NULL, &x, ERR));
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, shape, NULL, y, &target, ERR));
    OK(ml_table_with_tensor(x, "y", target, &with, ERR));
    ml_tensor_free(t);
    ml_tensor_free(target);
    ml_table_free(x);
    free(y);
    return with;
}

static ml_model *fit(ml_context *ctx, const ml_table *t, const char *algorithm,
                     const char *settings)
{
    ml_estimator *e = NULL;
    ml_params *p = NULL;
    ml_model *m = NULL;
    OK(ml_estimator_new(ctx, algorithm, &e, ERR));
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_read_yaml(p, settings, strlen(settings), ERR));
    OK(ml_params_set_str(p, "target", "y", ERR));
    OK(ml_estimator_set_params(e, p, ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_params_free(p);
    ml_estimator_free(e);
    return m;
}

static void check_model(const ml_model *m, const double *rows, int64_t n, int64_t width)
{
    ml_predictor *p = NULL;
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    int64_t outputs = ml_predictor_outputs(p);
    double *expected = malloc((size_t)(n * outputs) * sizeof *expected);
    OK(ml_predictor_rows(p, rows, ML_DTYPE_F64, n, width, expected, ERR));
    sparse_check(p, rows, n, width, expected, outputs, ml_model_algorithm(m));
    free(expected);
    ml_predictor_free(p);
}

static void check_trees(int32_t threads, int32_t level)
{
    static const char *const models[][2] = {
        {"gbdt", "{n_trees: 20, max_leaves: 31}"},
        {"gbdt", "{n_trees: 7, max_depth: 4, growth: depthwise}"},
        {"gbdt", "{n_trees: 60, max_leaves: 255, min_data_in_leaf: 1, "
                 "min_child_weight: 0}"},
        {"gbdt", "{n_trees: 10, objective: quantile, quantiles: [0.1, 0.5, 0.9]}"},
        {"gbdt", "{n_trees: 5, linear_tree: true}"},
        {"decision_tree", "{}"}};
    ml_context *ctx = test_context_level(threads, level);
    double *rows = make_rows(ROWS, WIDTH);
    ml_table *t = make_table(ctx, rows, ROWS, WIDTH);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        ml_model *m = fit(ctx, t, models[i][0], models[i][1]);
        check_model(m, rows, ROWS, WIDTH);
        ml_model_free(m);
    }
    ml_table_free(t);
    free(rows);
    ml_context_free(ctx);
}

START_TEST(trees_serial)
{
    check_trees(1, 0);
}
END_TEST

START_TEST(trees_scalar)
{
    check_trees(1, 1);
}
END_TEST

START_TEST(trees_on_threads)
{
    check_trees(3, 0);
}
END_TEST

/* More features than a block has room for: one row at a time. */
START_TEST(very_wide)
{
    enum { N = 60, W = 40000 };
    ml_context *ctx = test_context(2);
    double *rows = calloc((size_t)N * W, sizeof *rows);
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < 50; j++) rows[i * W + (i * 31 + j * 797) % W] = (double)j;
    ml_table *t = make_table(ctx, rows, N, W);
    ml_model *m = fit(ctx, t, "linear_regression", "{penalty: l2, alpha: 1}");
    check_model(m, rows, N, W);
    ml_model_free(m);
    ml_table_free(t);
    free(rows);
    ml_context_free(ctx);
}
END_TEST

typedef struct bed {
    ml_context *ctx;
    ml_predictor *p;
} bed;

static bed start(void)
{
    bed b = {.ctx = test_context(1)};
    double *rows = make_rows(200, 5);
    ml_table *t = make_table(b.ctx, rows, 200, 5);
    ml_model *m = fit(b.ctx, t, "gbdt", "{n_trees: 3}");
    OK(ml_predictor_new(m, NULL, NULL, &b.p, ERR));
    ml_model_free(m);
    ml_table_free(t);
    free(rows);
    return b;
}

static void end(bed b)
{
    ml_predictor_free(b.p);
    ml_context_free(b.ctx);
}

#define CALL(offsets, columns, index, values, dtype, count, out)                         \
    ml_predictor_sparse_rows(b.p, offsets, columns, index, values, dtype, count, 0, out, \
                             ERR)

START_TEST(refuses_bad_calls)
{
    bed b = start();
    const int32_t o[3] = {0, 1, 2}, c[2] = {0, 4};
    const double v[2] = {1, 2};
    double out[2];
    OK(CALL(o, c, ML_DTYPE_I32, v, ML_DTYPE_F64, 2, out));
    OK(CALL(NULL, NULL, ML_DTYPE_I32, NULL, ML_DTYPE_F64, 0, NULL));
    FAILS(ML_E_ARGUMENT, ml_predictor_sparse_rows(NULL, o, c, ML_DTYPE_I32, v,
                                                  ML_DTYPE_F64, 2, 0, out, ERR));
    FAILS(ML_E_ARGUMENT, CALL(o, c, ML_DTYPE_I32, v, ML_DTYPE_F64, -1, out));
    FAILS(ML_E_ARGUMENT, CALL(NULL, c, ML_DTYPE_I32, v, ML_DTYPE_F64, 2, out));
    FAILS(ML_E_ARGUMENT, CALL(o, NULL, ML_DTYPE_I32, v, ML_DTYPE_F64, 2, out));
    FAILS(ML_E_ARGUMENT, CALL(o, c, ML_DTYPE_I32, NULL, ML_DTYPE_F64, 2, out));
    FAILS(ML_E_ARGUMENT, CALL(o, c, ML_DTYPE_I32, v, ML_DTYPE_F64, 2, NULL));
    FAILS(ML_E_TYPE, CALL(o, c, ML_DTYPE_U32, v, ML_DTYPE_F64, 2, out));
    FAILS(ML_E_TYPE, CALL(o, c, ML_DTYPE_I32, v, ML_DTYPE_I32, 2, out));
    end(b);
}
END_TEST

START_TEST(refuses_bad_rows)
{
    static const struct {
        int64_t offsets[4], columns[3];
        ml_status status;
        const char *place;
    } bad[] = {{{0, 1, 0, 3}, {0, 1, 2}, ML_E_ARGUMENT, "row 1"},
               {{-1, 1, 2, 3}, {0, 1, 2}, ML_E_ARGUMENT, "row 0"},
               {{2, 1, 2, 3}, {0, 1, 2}, ML_E_ARGUMENT, "row 0"},
               {{0, 1, 2, 3}, {0, 5, 2}, ML_E_RANGE, "row 1"},
               {{0, 1, 2, 3}, {0, 1, -1}, ML_E_RANGE, "row 2"},
               {{0, 0, 0, 3}, {0, 1, INT64_MAX}, ML_E_RANGE, "row 2"},
               {{0, 0, 0, 3}, {0, INT64_MIN, 1}, ML_E_RANGE, "row 2"}};
    bed b = start();
    const double v[3] = {1, 2, 3};
    double out[3];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        FAILS(bad[i].status, CALL(bad[i].offsets, bad[i].columns, ML_DTYPE_I64, v,
                                  ML_DTYPE_F64, 3, out));
        ck_assert_str_eq(ml_error_location(ERR), bad[i].place);
        ck_assert_ptr_null(strchr(ml_error_message(ERR), '\n'));
    }
    end(b);
}
END_TEST

START_TEST(adds_what_is_there_twice)
{
    bed b = start();
    const int64_t o[2] = {0, 4}, c[4] = {3, 1, 3, 3};
    const double v[4] = {0.25, 1, 0.5, 0.125}, row[5] = {0, 1, 0, 0.875, 0};
    double out, expected;
    OK(ml_predictor_rows(b.p, row, ML_DTYPE_F64, 1, 5, &expected, ERR));
    OK(CALL(o, c, ML_DTYPE_I64, v, ML_DTYPE_F64, 1, &out));
    ck_assert(out == expected);
    end(b);
}
END_TEST

START_TEST(allocates_once)
{
    failing_alloc f = {0};
    ml_host host = failing_host(&f);
    ml_context *ctx = NULL;
    ml_predictor *p = NULL;
    double *rows = make_rows(200, 5), out[2];
    const int64_t o[3] = {0, 3, 4}, c[4] = {0, 2, 0, 4};
    const float v[4] = {1, 2, -3, 4};
    OK(ml_context_new(&host, &ctx, ERR));
    ml_table *t = make_table(ctx, rows, 200, 5);
    ml_model *m = fit(ctx, t, "gbdt", "{n_trees: 3}");
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    f.fail_at = f.calls + 1;
    FAILS(ML_E_MEMORY, ml_predictor_sparse_rows(p, o, c, ML_DTYPE_I64, v, ML_DTYPE_F32, 2,
                                                NAN, out, ERR));
    f.fail_at = 0;
    OK(ml_predictor_sparse_rows(p, o, c, ML_DTYPE_I64, v, ML_DTYPE_F32, 2, NAN, out,
                                ERR));
    f.fail_at = f.calls + 1;
    for (int i = 0; i < 2; i++)
        OK(ml_predictor_sparse_rows(p, o + i, c, ML_DTYPE_I64, v, ML_DTYPE_F32, 1, i, out,
                                    ERR));
    ck_assert_int_eq(f.failures, 1);
    f.fail_at = 0;
    ml_predictor_free(p);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
    free(rows);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

TEST_MAIN("inference/sparse", trees_serial, trees_scalar, trees_on_threads, very_wide,
          refuses_bad_calls, refuses_bad_rows, adds_what_is_there_twice, allocates_once)
