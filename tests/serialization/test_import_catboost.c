/* SPDX-License-Identifier: MIT
 *
 * Models of CatBoost: categories, combinations of features, files of older versions, the
 * binary format. What they predict test_import.c compares.
 */
#include "foreign_testing.h"
#include "algorithms/model.h"

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
    /* CatBoost's JSON mixes up the targets of statistics. */
    FAILS(ML_E_UNSUPPORTED,
          ml_model_load_file(ctx, foreign_path("words", "cat_targets.json"), NULL, &m,
                             ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_hint(ERR), "model.cbm"));
    ml_context_free(ctx);
}
END_TEST

/* ---- hashes of categories ---- */

static matrix expected_of(const char *rows, const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "cat_%s.expected", name);
    FILE *f = fopen(foreign_path(rows, file), "r");
    ck_assert_ptr_nonnull(f);
    matrix m = read_matrix(&f);
    if (f) fclose(f);
    return m;
}

/* Saved without the pool a file has no texts, or not those of all: rows get hashes. */
START_TEST(texts_that_lack)
{
    static const char *const names[][2] = {
        {"words", "number"}, {"words", "buckets"}, {"crosses", "kinds"}};
    static const char *const changes[][3] = {
        {"\"cat_features_hash\"", NULL, "\"cat_features_hush\""},
        {"\"cat_features_hash\":[", "}",
         "\"cat_features_hash\":[{\"hash\":1,\"value\":"
         "\"x\""}};
    ml_context *ctx = test_context(1);
    for (int i = 0; i < 6; i++) {
        const char *rows = names[i / 2][0], *const *change = changes[i % 2];
        char file[64];
        snprintf(file, sizeof file, "cat_%s.json", names[i / 2][1]);
        ml_model *m =
            load_changed(ctx, foreign_path(rows, file), change[0], change[1], change[2]);
        ml_table *t = foreign_rows(ctx, rows);
        matrix want = expected_of(rows, names[i / 2][1]);
        matrix got = predict_table(m, "score", t);
        assert_close(file, got, want, 1e-14);
        ck_assert_ptr_nonnull(strstr(ml_model_json(m), "\"hashed\""));
        free(want.at);
        free(got.at);
        ml_table_free(t);
        ml_model_free(m);
    }
    ml_context_free(ctx);
}
END_TEST

/* Features that were dropped are not inputs; the numbers of the others are not theirs. */
START_TEST(dropped_features)
{
    ml_context *ctx = test_context(1);
    ml_model *m =
        load_changed(ctx, foreign_path("words", "cat_number.json"),
                     "\"flat_feature_index\":4", NULL, "\"flat_feature_index\":9");
    ml_table *t = foreign_rows(ctx, "words");
    matrix want = expected_of("words", "number"), got = predict_table(m, "score", t);
    ck_assert_int_eq(ml_model_inputs(m), 5);
    assert_close("dropped", got, want, 1e-14);
    free(want.at);
    free(got.at);
    ml_table_free(t);
    ml_model_free(m);
    m = load_changed(ctx, foreign_path("numbers", "cat_binary.json"),
                     "\"feature_id\":\"a\",\"feature_index\":0,\"flat_feature_index\":0",
                     NULL, "\"feature_index\":0,\"flat_feature_index\":17");
    ck_assert_int_eq(ml_model_inputs(m), 5);
    ck_assert_str_eq(ml_model_input_name(m, 4), "f17");
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

/* The values of hashed features: CatBoost's own (cat_features_hash of its JSON). */
START_TEST(hashed_features)
{
    ml_context *ctx = test_context(1);
    ml_model *m = load_foreign(ctx, foreign_path("words", "cat_number.cbm"));
    ml_predictor *p = NULL;
    ml_table *t = NULL;
    OK(ml_predictor_new(m, "score", NULL, &p, ERR));
    ck_assert(ml_predictor_code(p, 1, "dark red") == 2766598221);
    ck_assert(ml_predictor_code(p, 3, "m") == 601633200);
    ck_assert(isnan(ml_predictor_code(p, 0, "m")));
    double seven = ml_predictor_code(p, 2, "7"), minus = ml_predictor_code(p, 2, "-12");
    ml_predictor_free(p);
    /* Numbers count by their text, missing values are none. */
    static const char csv[] = "a,colour,place,sex,unused\n1,red,7,m,u\n2,,-12,f,v\n"
                              "NA,blue,7,,u\n";
    char path[256];
    snprintf(path, sizeof path, "%s/hashed.csv", test_folder());
    FILE *f = fopen(path, "w");
    ck_assert(f && fputs(csv, f) >= 0 && fclose(f) == 0);
    OK(ml_table_read_csv(ctx, path, NULL, &t, ERR));
    mli_design *d = NULL;
    OK(mli_design_apply(m->inputs, t, 0, &d, ERR));
    double place[3], sex[3];
    mli_design_f64(d, 2, 0, 3, place, 1);
    mli_design_f64(d, 3, 0, 3, sex, 1);
    ck_assert(place[0] == seven && place[1] == minus && place[2] == seven);
    ck_assert(sex[0] == 601633200 && isnan(sex[2]));
    mli_design_free(d);
    ml_table_free(t);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

static ml_table *dependence(ml_context *ctx, const ml_model *m, const ml_table *t)
{
    ml_params *p = NULL;
    ml_table *out = NULL;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_set_str(p, "method", "partial_dependence", ERR));
    OK(ml_params_set_str(p, "columns", "colour", ERR));
    OK(ml_params_set_str(p, "kind", "score", ERR));
    OK(ml_model_explain(m, t, p, &out, ERR));
    ml_params_free(p);
    return out;
}

/* What is predicted of a category does not depend on how the model knows it. */
START_TEST(hashed_categories_explained)
{
    ml_context *ctx = test_context(1);
    ml_model *named = load_foreign(ctx, foreign_path("words", "cat_number.json"));
    ml_model *hashed = load_foreign(ctx, foreign_path("words", "cat_number.cbm"));
    ml_table *t = foreign_rows(ctx, "words");
    ml_table *want = dependence(ctx, named, t), *got = dependence(ctx, hashed, t);
    int64_t text = ml_table_find(want, "category"), last = ml_table_columns(want) - 1;
    int64_t found = 0;
    for (int64_t i = 0; i < ml_table_rows(got); i++) {
        char a[64], b[64];
        ck_assert(isnan(ml_table_get_f64(got, i, ml_table_find(got, "value"))));
        ck_assert_int_ge(ml_table_get_str(got, i, text, a, sizeof a), 0);
        for (int64_t k = 0; k < ml_table_rows(want); k++) {
            ck_assert_int_ge(ml_table_get_str(want, k, text, b, sizeof b), 0);
            if (strcmp(a, b) != 0) continue;
            found++;
            ck_assert_double_eq_tol(ml_table_get_f64(got, i, last),
                                    ml_table_get_f64(want, k, last), 1e-12);
        }
    }
    ck_assert_int_ge(found, 3);
    ml_table_free(want);
    ml_table_free(got);
    ml_table_free(t);
    ml_model_free(named);
    ml_model_free(hashed);
    ml_context_free(ctx);
}
END_TEST

/* Any two words of the file may change: it loads and predicts, or it is refused. */
START_TEST(damaged_binary)
{
    static const char *const names[][2] = {{"words", "cat_mean.cbm"},
                                           {"crosses", "cat_three.cbm"},
                                           {"numbers", "cat_nested3.cbm"}};
    ml_context *ctx = test_context(1);
    uint32_t random = 99;
    int refused = 0;
    for (int i = 0; i < 3; i++) {
        bytes b = bytes_of_file(foreign_path(names[i][0], names[i][1]));
        for (int round = 0; round < 400; round++) {
            unsigned char *copy = malloc(b.size);
            ml_model *m = NULL;
            memcpy(copy, b.data, b.size);
            for (int k = 0; k < 2; k++) {
                random = random * 1664525u + 1013904223u;
                size_t at = (random >> 8) % (b.size / 4 - 2) * 4 + 8;
                uint32_t word = round % 3 ? random % 64 : random;
                memcpy(copy + at, &word, 4);
            }
            ml_status s =
                ml_model_load_memory(ctx, copy, b.size, NULL, NULL, NULL, &m, ERR);
            ck_assert_msg(s == ML_OK || s == ML_E_FORMAT || s == ML_E_UNSUPPORTED ||
                              s == ML_E_MEMORY,
                          "%s", ml_error_message(ERR));
            refused += s != ML_OK;
            if (s == ML_OK && ml_model_inputs(m) <= 16) {
                double row[16] = {0.5, 1, NAN, 4e9};
                matrix rows = {1, ml_model_inputs(m), row};
                free(predict_rows(m, "score", rows).at);
            }
            if (s == ML_OK) ml_model_free(m);
            free(copy);
        }
        free(b.data);
    }
    ck_assert_int_gt(refused, 100);
    ml_context_free(ctx);
}
END_TEST

/* ---- combinations of features ---- */

static ml_model *crosses(ml_context *ctx, const char *name)
{
    char file[64];
    int ended = strchr(name, '.') != NULL;
    snprintf(file, sizeof file, ended ? "cat_%s" : "cat_%s.json", name);
    return load_foreign(ctx, foreign_path("crosses", file));
}

/* CatBoost's own values for the same rows. */
START_TEST(contributions_of_crosses)
{
    static const char *const names[] = {"plain",     "kinds",     "three",    "number",
                                        "plain.cbm", "kinds.cbm", "three.cbm"};
    ml_context *ctx = test_context(1);
    ml_table *t = foreign_rows(ctx, "crosses");
    for (int i = 0; i < 7; i++) {
        char file[64];
        ml_model *m = crosses(ctx, names[i]);
        snprintf(file, sizeof file, "cat_%.*s.shap", (int)strcspn(names[i], "."),
                 names[i]);
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
static void check_rows_of_crosses(ml_context *ctx, const char *name)
{
    ml_table *t = foreign_rows(ctx, "crosses");
    ml_model *m = crosses(ctx, name);
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
}

START_TEST(rows_of_crosses)
{
    ml_context *ctx = test_context(1);
    check_rows_of_crosses(ctx, "kinds");
    check_rows_of_crosses(ctx, "kinds.cbm");
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

TEST_MAIN("serialization/import_catboost", categories_of_catboost, texts_that_lack,
          dropped_features, hashed_features, hashed_categories_explained, damaged_binary,
          contributions_of_crosses, rows_of_crosses, facts_of_crosses, endless_answers,
          older_catboost)
