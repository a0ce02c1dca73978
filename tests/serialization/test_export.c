/* SPDX-License-Identifier: MIT
 *
 * Exports read back: what libml writes for XGBoost, ONNX and LightGBM must load again and
 * predict the same. (check_peers.py asks those systems themselves, where they are.)
 */
#include "export_testing.h"
#include "failing.h"

static const struct {
    const char *format, *end;
    double tol;
} formats[] = {
    {"xgboost", ".json", 1e-6}, {"onnx", ".onnx", 1e-12}, {"lightgbm", ".txt", 1e-13}};

/* Rows of floats, categories as codes that the model knows, or missing. */
static matrix float_rows(const ml_model *m, int codes_from)
{
    matrix rows = sample_rows(m);
    for (int64_t i = 0; i < rows.rows * rows.columns; i++) {
        double *x = &rows.at[i];
        if (isinf(*x)) *x = 3;
        *x = (double)(float)*x;
        if (i % rows.columns >= codes_from) *x = floor(fmod(fabs(*x), 40));
    }
    return rows;
}

static void check(ml_context *ctx, const ml_model *m, int format, int codes_from,
                  const char *what)
{
    char path[256];
    snprintf(path, sizeof path, "%s/model%s", test_folder(), formats[format].end);
    export_as(m, path, NULL);
    ml_model *again = load_foreign(ctx, path);
    const char *kind = ml_model_classes(m) ? "proba" : "value";
    matrix rows = float_rows(m, codes_from), want = predict_rows(m, kind, rows);
    check_rows(what, again, kind, rows, want, formats[format].tol);
    if (format != 0) /* names survive; in LightGBM without spaces */
        ck_assert_str_eq(ml_model_input_name(again, 0), "x");
    free(rows.at);
    free(want.at);
    ml_model_free(again);
}

START_TEST(own)
{
    static const struct {
        int categories, classes;
        const char *objective;
    } cases[] = {{0, 0, NULL},      {0, 2, NULL},      {0, 3, NULL},
                 {0, 0, "tweedie"}, {0, 0, "poisson"}, {0, 0, "gamma"},
                 {1, 0, NULL},      {1, 2, NULL},      {1, 3, NULL}};
    ml_context *ctx = test_context(1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ml_table *t = sample_table(ctx, cases[i].categories, cases[i].classes);
        ml_model *m = sample_fit(ctx, "gbdt", t, cases[i].objective);
        for (int f = 0; f < 3; f++) {
            char what[64];
            snprintf(what, sizeof what, "case %d as %s", (int)i, formats[f].format);
            check(ctx, m, f, 2, what);
        }
        ml_model_free(m);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(forests)
{
    ml_context *ctx = test_context(1);
    for (int classes = 0; classes <= 3; classes++) {
        if (classes == 1) continue;
        ml_table *t = sample_table(ctx, 1, classes);
        ml_model *m = sample_fit(ctx, "random_forest", t, NULL);
        check(ctx, m, 1, 2, "a forest as onnx");
        if (classes == 0) check(ctx, m, 0, 2, "a forest as xgboost");
        if (classes == 0) check(ctx, m, 2, 2, "a forest as lightgbm");
        ml_model_free(m);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

/* Linear leaves go to LightGBM and back. */
START_TEST(linear_leaves)
{
    static const char *const names[] = {"lgb_linear", "lgb_linear3"};
    ml_context *ctx = test_context(1);
    for (int i = 0; i < 2; i++) {
        char path[256];
        snprintf(path, sizeof path, "tests/data/foreign/numbers.%s.txt", names[i]);
        ml_model *m = load_foreign(ctx, source_path(path));
        snprintf(path, sizeof path, "%s/linear.txt", test_folder());
        export_as(m, path, NULL);
        ml_model *again = load_foreign(ctx, path);
        matrix rows = sample_rows(m), want = predict_rows(m, "score", rows);
        check_rows(names[i], again, "score", rows, want, 1e-12);
        free(rows.at);
        free(want.at);
        ml_model_free(again);
        ml_model_free(m);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(refused)
{
    static const struct {
        const char *model, *format, *why;
    } cases[] = {{"numbers.lgb_zero.txt", "xgboost", "zeros"},
                 {"numbers.lgb_zero.txt", "onnx", "zeros"},
                 {"numbers.lgb_sqrt.txt", "onnx", "link"},
                 {"numbers.lgb_ova.txt", "xgboost", "softmax"},
                 {"codes.lgb_category.txt", "xgboost", "unknown categories"},
                 {"whole.onnx_forest3.onnx", "lightgbm", "plain sums"},
                 {"numbers.xgb_hinge.json", "lightgbm", "link"},
                 {"numbers.xgb_gblinreg.json", "onnx", "linear_regression"},
                 {"numbers.lgb_linear.txt", "onnx", "linear leaves"},
                 {"numbers.lgb_linear.txt", "xgboost", "linear leaves"},
                 {"numbers.lgb_linear3.txt", "c", "linear leaves"}};
    ml_context *ctx = test_context(1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[256], out[256];
        ml_params *p = NULL;
        snprintf(path, sizeof path, "tests/data/foreign/%s", cases[i].model);
        snprintf(out, sizeof out, "%s/none", test_folder());
        ml_model *m = load_foreign(ctx, source_path(path));
        OK(ml_params_new(ctx, &p, ERR));
        OK(ml_params_set_str(p, "format", cases[i].format, ERR));
        FAILS(ML_E_UNSUPPORTED, ml_model_save_file(m, out, p, ERR));
        ck_assert_msg(strstr(ml_error_message(ERR), cases[i].why) != NULL, "%s",
                      ml_error_message(ERR));
        FILE *f = fopen(out, "r");
        ck_assert_ptr_null(f);
        ml_params_free(p);
        ml_model_free(m);
    }
    ml_context_free(ctx);
}
END_TEST

static int64_t swallow(const void *data, size_t size, void *user)
{
    (void)data;
    (void)user;
    return (int64_t)size;
}

START_TEST(out_of_memory)
{
    bytes file = bytes_of_file(source_path("tests/data/foreign/codes.xgb_category.json"));
    for (int f = -1; f < 2; f++) {
        ml_status s = ML_E_MEMORY;
        for (int64_t n = 1; s == ML_E_MEMORY; n += 1 + n / 10) {
            failing_alloc a = {.fail_at = n};
            ml_host host = failing_host(&a);
            ml_context *ctx = NULL;
            ml_model *m = NULL;
            ml_params *p = NULL;
            ml_io io = ML_IO_INIT;
            io.write = swallow;
            s = ml_context_new(&host, &ctx, ERR);
            if (!s)
                s = ml_model_load_memory(ctx, file.data, file.size, NULL, NULL, NULL, &m,
                                         ERR);
            if (!s) s = ml_params_new(ctx, &p, ERR);
            if (!s)
                s = ml_params_set_str(p, "format", f < 0 ? "c" : formats[f].format, ERR);
            if (!s) s = ml_model_save_io(m, &io, p, ERR);
            ck_assert_msg(s == ML_OK || s == ML_E_MEMORY, "%s", ml_error_message(ERR));
            ml_params_free(p);
            ml_model_free(m);
            ml_context_free(ctx);
            ck_assert_int_eq(a.live, 0);
            ck_assert_int_eq(a.faults, 0);
        }
    }
    free(file.data);
}
END_TEST

TEST_MAIN("serialization/export", own, forests, linear_leaves, refused, out_of_memory)
