/* SPDX-License-Identifier: MIT
 *
 * Models of CatBoost: categories, combinations of features, files of older versions. What
 * they predict test_import.c compares.
 */
#include "foreign_testing.h"

START_TEST(categories_of_catboost)
{
    ml_context *ctx = test_context(1);
    const char *file = "cat_number.json";
    ml_model *m = load_foreign(ctx, foreign_path("words", file));
    ck_assert_str_eq(ml_model_input_name(m, 1), "colour");
    ck_assert_ptr_nonnull(strstr(ml_model_json(m), "dark red"));
    ml_model_free(m);
    says_of(ctx, "words", file, "\"ctr_type\":\"", "\"ctr_type\":\"My", ML_E_FORMAT,
            "ctr_type is not known");
    says_of(ctx, "words", file, "\"ctr_data\"", "\"ctr_date\"", ML_E_FORMAT, "ctr_data");
    says_of(ctx, "words", file, "\"hash_map\":[", "\"hash_map\":[1,", ML_E_FORMAT,
            "a table of broken length");
    says_of(ctx, "words", file, "\"hash_map\":[\"", "\"hash_map\":[\"x", ML_E_FORMAT,
            "whole number of 64 bits");
    says_of(ctx, "words", file, "\"hash\":", "\"hash\":1e30,\"h\":", ML_E_FORMAT,
            "a hash of 32 bits");
    says_of(ctx, "words", file, "\"split_type\":\"OnlineCtr\"",
            "\"split_type\":\"OnlineCtr2\"", ML_E_FORMAT, "split_type is not known");
    /* Saved without the pool a file has no texts. */
    says_of(ctx, "words", file, "\"cat_features_hash\"", "\"cat_features_hush\"",
            ML_E_FORMAT, "lacks the texts");
    ck_assert_ptr_nonnull(strstr(ml_error_hint(ERR), "pool=pool"));
    ml_context_free(ctx);
}
END_TEST

/* ---- combinations of features ---- */

static ml_model *crosses(ml_context *ctx, const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "cat_%s.json", name);
    return load_foreign(ctx, foreign_path("crosses", file));
}

/* CatBoost's own values for the same rows. */
START_TEST(contributions_of_crosses)
{
    static const char *const names[] = {"plain", "kinds", "three", "number"};
    ml_context *ctx = test_context(1);
    ml_table *t = foreign_rows(ctx, "crosses");
    for (int i = 0; i < 4; i++) {
        char file[64];
        ml_model *m = crosses(ctx, names[i]);
        snprintf(file, sizeof file, "cat_%s.shap", names[i]);
        matrix want = matrix_of_file(foreign_path("crosses", file));
        matrix got = predict_table(m, "contributions", t);
        assert_close(names[i], got, want, 1e-12);
        /* Interactions add up to them. */
        matrix pairs = predict_table(m, "interactions", t);
        int64_t n = ml_model_inputs(m) + 1;
        ck_assert_int_eq(pairs.columns, got.columns * n);
        for (int64_t k = 0; k < got.rows * got.columns; k++) {
            double sum = 0;
            for (int64_t j = 0; j < n; j++) sum += pairs.at[k * n + j];
            ck_assert_double_eq_tol(sum, got.at[k], 1e-12);
        }
        free(want.at);
        free(got.at);
        free(pairs.at);
        ml_model_free(m);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static matrix coded_rows(const ml_model *m, const ml_table *t)
{
    ml_predictor *p = NULL;
    matrix rows = {0, 0, NULL};
    OK(ml_predictor_new(m, "score", NULL, &p, ERR));
    for (int64_t i = 0; i < ml_table_rows(t); i++) {
        double row[5] = {ml_table_get_f64(t, i, 0)};
        for (int64_t j = 1; j < 5; j++) {
            char text[64];
            ck_assert_int_gt(ml_table_get_str(t, i, j, text, sizeof text), 0);
            row[j] = ml_predictor_code(p, j, text);
        }
        matrix_add(&rows, row, 5);
    }
    ml_predictor_free(p);
    return rows;
}

/* Rows one by one, of floats, sparse, or a table: the same to the bit. */
START_TEST(rows_of_crosses)
{
    ml_context *ctx = test_context(1);
    ml_table *t = foreign_rows(ctx, "crosses");
    ml_model *m = crosses(ctx, "kinds");
    ml_predictor *p = NULL;
    matrix want = predict_table(m, "score", t), rows = coded_rows(m, t);
    OK(ml_predictor_new(m, "score", NULL, &p, ERR));
    const int32_t offsets[2] = {0, 5}, columns[5] = {0, 1, 2, 3, 4};
    for (int64_t i = 0; i < rows.rows; i++) {
        double out;
        const double *row = rows.at + 5 * i;
        OK(ml_predictor_rows(p, row, ML_DTYPE_F64, 1, 5, &out, ERR));
        ck_assert(out == want.at[i]);
        OK(ml_predictor_sparse_rows(p, offsets, columns, ML_DTYPE_I32, row, ML_DTYPE_F64,
                                    1, 0, &out, ERR));
        ck_assert(out == want.at[i]);
    }
    ml_predictor_free(p);
    free(rows.at);
    free(want.at);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(facts_of_crosses)
{
    static const char *const refused[] = {"m.json", "m.onnx", "m.txt"};
    ml_context *ctx = test_context(1);
    ml_model *m = crosses(ctx, "plain");
    const char *json = ml_model_json(m);
    ck_assert_ptr_nonnull(strstr(json, "dark red"));
    /* No column has the texts of others. */
    ml_predictor *p = NULL;
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    ck_assert(isnan(ml_predictor_code(p, 1, "p3")));
    ck_assert(ml_predictor_code(p, 2, "p3") >= 0);
    ml_predictor_free(p);
    for (int i = 0; i < 3; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", test_folder(), refused[i]);
        FAILS(ML_E_UNSUPPORTED, ml_model_save_file(m, path, NULL, ERR));
        ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "combinations of features"));
    }
    ml_tensor *count = NULL;
    OK(ml_model_get_tensor(m, "split_count", &count, ERR));
    ck_assert_int_eq(ml_tensor_shape(count)[0], 5);
    double sum = 0;
    for (int j = 0; j < 5; j++) sum += ((const double *)ml_tensor_data(count))[j];
    ck_assert_double_eq_tol(sum, 8 * 7, 1e-9); /* full trees of three levels */
    ml_tensor_free(count);
    ml_table *nodes = NULL;
    ml_params *options = NULL;
    OK(ml_params_new(ctx, &options, ERR));
    OK(ml_params_set_str(options, "method", "trees", ERR));
    OK(ml_model_explain(m, NULL, options, &nodes, ERR));
    int found = 0;
    for (int64_t i = 0; i < ml_table_rows(nodes); i++) {
        char text[128] = "";
        ml_table_get_str(nodes, i, ml_table_find(nodes, "feature"), text, sizeof text);
        found |= strncmp(text, "cross ", 6) == 0 && strstr(text, "(place, a > ") != NULL;
    }
    ck_assert(found);
    ml_table_free(nodes);
    ml_params_free(options);
    ml_model_free(m);

    const char *file = "cat_plain.json";
    says_of(ctx, "crosses", file, "\"combination_element\":\"float_feature\"",
            "\"combination_element\":\"float\"", ML_E_FORMAT,
            "combination_element is not known");
    says_of(ctx, "crosses", file, "\"elements\":[", "\"elements\":[],\"e\":[",
            ML_E_FORMAT, "without features");
    ml_context_free(ctx);
}
END_TEST

/* A combination of fifty questions has 2^50 answers, which must not be tried. */
START_TEST(endless_answers)
{
    ml_context *ctx = test_context(1);
    ml_model_free(
        load_foreign(ctx, source_path("tests/fuzz/corpus/import/cat_answers.json")));
    ml_context_free(ctx);
}
END_TEST

static ml_model *load_changed(ml_context *ctx, const char *path, const char *from,
                              const char *end, const char *to)
{
    ml_model *m = NULL;
    bytes e = changed_file(path, from, end, to);
    OK(ml_model_load_memory(ctx, e.data, e.size, NULL, NULL, NULL, &m, ERR));
    free(e.data);
    return m;
}

/* CatBoost before 1.0 has one bias, before 0.24 none. */
START_TEST(older_catboost)
{
    ml_context *ctx = test_context(1);
    const char *path = foreign_path("numbers", "cat_lossguide.json");
    double row[5] = {0.5, 10, NAN, 2, 0};
    matrix rows = {1, 5, row};
    static const char key[] = "\"scale_and_bias\":", end[] = ",\"trees\"";
    ml_model *now = load_foreign(ctx, path);
    ml_model *old = load_changed(ctx, path, key, end, "\"scale_and_bias\":[1,0.25]");
    ml_model *oldest = load_changed(ctx, path, key, end, "\"nothing\":0");
    matrix a = predict_rows(now, "score", rows), b = predict_rows(old, "score", rows),
           c = predict_rows(oldest, "score", rows);
    ml_tensor *base = NULL;
    OK(ml_model_get_tensor(now, "base_score", &base, ERR));
    double bias = *(const double *)ml_tensor_data(base);
    ck_assert(bias != 0);
    ck_assert_double_eq_tol(a.at[0] - bias, c.at[0], 1e-14);
    ck_assert_double_eq_tol(b.at[0] - 0.25, c.at[0], 1e-14);
    free(a.at);
    free(b.at);
    free(c.at);
    ml_tensor_free(base);
    ml_model_free(now);
    ml_model_free(old);
    ml_model_free(oldest);
    /* The number of scores follows from the leaves. */
    path = foreign_path("numbers", "cat_three.json");
    old = load_changed(ctx, path, key, "}", "\"nothing\":0");
    ck_assert_int_eq(ml_model_classes(old), 3);
    ml_model_free(old);
    /* Mean and logarithm of the standard deviation are two targets. */
    path = foreign_path("numbers", "cat_vectors.json");
    old = load_changed(ctx, path, "MultiRMSE\"", "}", "RMSEWithUncertainty\"");
    ml_predictor *p = NULL;
    OK(ml_predictor_new(old, "value", NULL, &p, ERR));
    ck_assert_int_eq(ml_predictor_outputs(p), 2);
    ml_predictor_free(p);
    ml_model_free(old);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("serialization/import_catboost", categories_of_catboost,
          contributions_of_crosses, rows_of_crosses, facts_of_crosses, endless_answers,
          older_catboost)
