/* SPDX-License-Identifier: MIT
 *
 * Models as C source: compiled by cc as strict C99 without warnings, loaded, and compared
 * with the library's own predictions: trees to the last bit.
 */
#include "export_testing.h"
#include "failing.h"

#include <dlfcn.h>

typedef void (*predict_fn)(const double *row, double *out);
typedef double (*code_fn)(int input, const char *text);

static void *compile(const ml_model *m)
{
    static int count;
    char source[256], object[256], command[1024];
    snprintf(source, sizeof source, "%s/m%d.c", test_folder(), count);
    snprintf(object, sizeof object, "%s/m%d.so", test_folder(), count++);
    export_as(m, source, NULL);
    snprintf(command, sizeof command,
             "cc -std=c99 -pedantic -Wall -Wextra -Werror -O1 -ffp-contract=off -fPIC "
             "-shared -o '%s' '%s' -lm",
             object, source);
    ck_assert_msg(system(command) == 0, "%s", command);
    void *handle = dlopen(object, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(handle != NULL, "%s", dlerror());
    return handle;
}

static predict_fn function(void *handle, const char *name)
{
    void *symbol = dlsym(handle, name);
    predict_fn f;
    ck_assert_msg(symbol != NULL, "%s is missing", name);
    memcpy(&f, &symbol, sizeof f);
    return f;
}

static void compare(const ml_model *m, void *handle, const char *what, const char *symbol,
                    const char *kind, double tol)
{
    matrix rows = sample_rows(m), want = predict_rows(m, kind, rows);
    matrix got = {want.rows, want.columns, NULL};
    predict_fn f = function(handle, symbol);
    got.at = malloc((size_t)(want.rows * want.columns) * sizeof *got.at);
    for (int64_t i = 0; i < rows.rows; i++) {
        if (tol > 0) /* linear functions make NaN of infinities */
            for (int64_t j = 0; j < rows.columns; j++)
                if (isinf(rows.at[i * rows.columns + j]))
                    rows.at[i * rows.columns + j] = 1;
        f(rows.at + i * rows.columns, got.at + i * got.columns);
    }
    if (tol > 0) {
        free(want.at);
        want = predict_rows(m, kind, rows);
    }
    assert_close(what, got, want, tol);
    free(rows.at);
    free(want.at);
    free(got.at);
}

static void check(const ml_model *m, const char *what, double tol)
{
    void *handle = compile(m);
    int linear_value = strcmp(ml_model_algorithm(m), "linear_regression") == 0;
    if (!linear_value) compare(m, handle, what, "model_score", "score", tol);
    compare(m, handle, what, "model_predict", ml_model_classes(m) ? "proba" : "value",
            tol);
    dlclose(handle);
}

START_TEST(own_trees)
{
    static const struct {
        int categories, classes;
        const char *objective;
    } cases[] = {{1, 0, NULL}, {1, 2, NULL}, {1, 3, NULL}, {0, 0, "tweedie"}};
    ml_context *ctx = test_context(1);
    for (int i = 0; i < 4; i++) {
        ml_table *t = sample_table(ctx, cases[i].categories, cases[i].classes);
        ml_model *m = sample_fit(ctx, "gbdt", t, cases[i].objective);
        check(m, "gbdt", 0);
        ml_model_free(m);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(forests)
{
    static const char *const names[] = {"random_forest", "extra_trees", "decision_tree"};
    ml_context *ctx = test_context(1);
    for (int i = 0; i < 3; i++) {
        int classes = i == 0 ? 3 : i == 1 ? 2 : 0;
        ml_table *t = sample_table(ctx, 1, classes);
        ml_model *m = sample_fit(ctx, names[i], t, NULL);
        void *handle = compile(m);
        compare(m, handle, names[i], "model_predict", classes ? "proba" : "value", 1e-14);
        dlclose(handle);
        ml_model_free(m);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(linear)
{
    ml_context *ctx = test_context(1);
    for (int classes = 0; classes <= 3; classes++) {
        if (classes == 1) continue;
        ml_table *t = sample_table(ctx, 1, classes);
        const char *name = classes ? "logistic_regression" : "linear_regression";
        ml_model *m = sample_fit(ctx, name, t, NULL);
        check(m, name, 1e-12);
        ml_model_free(m);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(foreign_trees)
{
    static const char *const names[] = {
        "numbers.lgb_zero.txt",     "numbers.lgb_lambda.txt",  "numbers.lgb_forest.txt",
        "numbers.lgb_sqrt.txt",     "numbers.xgb_hinge.json",  "numbers.xgb_softprob.ubj",
        "codes.xgb_category.json",  "crosses.cat_kinds.json",  "crosses.cat_three.json",
        "numbers.cat_vectors.json", "numbers.xgb_labels.json", "crosses.cat_kinds.cbm"};
    ml_context *ctx = test_context(1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[256];
        snprintf(path, sizeof path, "tests/data/foreign/%s", names[i]);
        ml_model *m = load_foreign(ctx, source_path(path));
        check(m, names[i], 0);
        ml_model_free(m);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(names_and_codes)
{
    ml_context *ctx = test_context(1);
    ml_table *t = sample_table(ctx, 1, 3);
    ml_model *m = sample_fit(ctx, "gbdt", t, NULL);
    ml_predictor *p = NULL;
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    void *handle = compile(m), *symbol = dlsym(handle, "model_code");
    code_fn code;
    memcpy(&code, &symbol, sizeof code);
    ck_assert(code(2, "level 17") == ml_predictor_code(p, 2, "level 17"));
    ck_assert(isnan(code(2, "level")));
    ck_assert(isnan(code(0, "level 17")));
    const char *const *names = dlsym(handle, "model_output_names");
    for (int64_t k = 0; k < 3; k++)
        ck_assert_str_eq(names[k], ml_model_class_label(m, k));
    ck_assert_ptr_null(names[3]);
    names = dlsym(handle, "model_input_names");
    ck_assert_str_eq(names[1], "a \"z\"");
    ck_assert_int_eq(*(const int *)dlsym(handle, "model_inputs"), 3);
    ck_assert_int_eq(*(const int *)dlsym(handle, "model_outputs"), 3);
    dlclose(handle);
    ml_predictor_free(p);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Hashes of texts of all sizes, and rows that have them. */
START_TEST(hashes)
{
    ml_context *ctx = test_context(1);
    ml_model *m = load_foreign(ctx, foreign_path("crosses", "cat_kinds.cbm"));
    ml_table *t = foreign_rows(ctx, "crosses");
    ml_predictor *p = NULL;
    OK(ml_predictor_new(m, "score", NULL, &p, ERR));
    void *handle = compile(m), *symbol = dlsym(handle, "model_code");
    code_fn code;
    predict_fn score = function(handle, "model_score");
    memcpy(&code, &symbol, sizeof code);
    char text[300] = "";
    for (int n = 0; n < 280; n++) {
        ck_assert(code(1, text) == ml_predictor_code(p, 1, text));
        text[n] = (char)(n % 3 ? 33 + n % 90 : -n % 120);
    }
    ck_assert(isnan(code(0, "m")));
    matrix want = predict_table(m, "score", t);
    for (int64_t i = 0; i < want.rows; i++) {
        double row[5] = {ml_table_get_f64(t, i, 0)}, out;
        for (int64_t j = 1; j < 5; j++) {
            ck_assert_int_gt(ml_table_get_str(t, i, j, text, sizeof text), 0);
            row[j] = code((int)j, text);
        }
        score(row, &out);
        ck_assert(out == want.at[i]);
    }
    free(want.at);
    dlclose(handle);
    ml_predictor_free(p);
    ml_table_free(t);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

static int64_t keep_bytes(const void *data, size_t size, void *user)
{
    return bytes_write(data, size, user);
}

START_TEST(options)
{
    ml_context *ctx = test_context(1);
    ml_table *t = sample_table(ctx, 0, 0);
    ml_model *m = sample_fit(ctx, "gbdt", t, NULL),
             *b = sample_fit(ctx, "baseline", t, NULL);
    ml_params *p = NULL;
    bytes out = {NULL, 0};
    ml_io io = ML_IO_INIT;
    io.write = keep_bytes;
    io.user = &out;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_set_str(p, "format", "pmml", ERR));
    FAILS(ML_E_RANGE, ml_model_save_io(m, &io, p, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "onnx"));
    OK(ml_params_set_str(p, "format", "c", ERR));
    OK(ml_params_set_str(p, "name", "my_1", ERR));
    OK(ml_model_save_io(m, &io, p, ERR));
    ck_assert_ptr_nonnull(find_bytes(out.data, out.size, "void my_1_predict(", 18));
    FAILS(ML_E_UNSUPPORTED, ml_model_save_io(b, &io, p, ERR));
    OK(ml_params_set_str(p, "name", "1st", ERR));
    FAILS(ML_E_RANGE, ml_model_save_io(m, &io, p, ERR));
    OK(ml_params_set_str(p, "name", "a b", ERR));
    FAILS(ML_E_RANGE, ml_model_save_io(m, &io, p, ERR));
    FAILS(ML_E_IO, ml_model_save_file(m, "/tmp/no/model.xyz", NULL, ERR));
    FAILS(ML_E_IO, ml_model_save_file(m, "/nowhere/model.c", NULL, ERR));
    free(out.data);
    ml_params_free(p);
    ml_model_free(m);
    ml_model_free(b);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("serialization/export_c", own_trees, forests, linear, foreign_trees,
          names_and_codes, hashes, options)
