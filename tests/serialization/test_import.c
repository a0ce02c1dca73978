/* SPDX-License-Identifier: MIT
 *
 * Models of XGBoost and LightGBM: their predictions (tests/reference/foreign.py wrote
 * what is expected; the shared data hold more), what comes of their inputs, saving them,
 * and damage of any kind.
 */
#include "failing.h"
#include "foreign_testing.h"

#include "serialization/import.h"
#include <float.h>

/* Rows, model, and the largest difference from its system's predictions: XGBoost adds
 * floats. */
static const struct {
    const char *rows, *model;
    double tol;
} models[] = {
    {"numbers", "xgb_binary.json", 1e-6},      {"numbers", "xgb_softprob.ubj", 1e-6},
    {"numbers", "xgb_poisson.json", 1e-6},     {"numbers", "xgb_tweedie.ubj", 1e-6},
    {"numbers", "xgb_reglogistic.json", 1e-6}, {"numbers", "xgb_aft.json", 1e-6},
    {"numbers", "xgb_rank.ubj", 1e-6},         {"numbers", "xgb_hinge.json", 1e-6},
    {"named", "xgb_category.json", 1e-6},      {"codes", "xgb_category.json", 1e-6},
    {"numbers", "lgb_binary.txt", 1e-14},      {"numbers", "lgb_multiclass.txt", 1e-14},
    {"numbers", "lgb_ova.txt", 1e-14},         {"numbers", "lgb_zero.txt", 1e-14},
    {"numbers", "lgb_nomissing.txt", 1e-14},   {"numbers", "lgb_sqrt.txt", 1e-14},
    {"numbers", "lgb_forest.txt", 1e-14},      {"numbers", "lgb_xentropy.txt", 1e-14},
    {"numbers", "lgb_lambda.txt", 1e-14},      {"numbers", "lgb_gamma.txt", 1e-14},
    {"numbers", "lgb_linear.txt", 1e-12},      {"numbers", "lgb_linear3.txt", 1e-12},
    {"numbers", "xgb_gblinear.json", 1e-6},    {"numbers", "xgb_gblinear3.ubj", 1e-6},
    {"numbers", "xgb_gblinreg.json", 1e-6},    {"numbers", "cat_binary.json", 1e-14},
    {"numbers", "cat_three.json", 1e-14},      {"numbers", "cat_ova.json", 1e-14},
    {"numbers", "cat_lossguide.json", 1e-14},  {"numbers", "cat_nested3.json", 1e-14},
    {"numbers", "cat_poisson.json", 1e-14},    {"numbers", "cat_tweedie.json", 1e-14},
    {"numbers", "onnx_modes.onnx", 1e-6},      {"whole", "onnx_forest3.onnx", 1e-6},
    {"whole", "onnx_forest2.onnx", 1e-6},      {"whole", "onnx_forest.onnx", 1e-6},
    {"whole", "onnx_extra3.onnx", 1e-6},       {"whole", "onnx_boost2.onnx", 1e-6},
    {"whole", "onnx_boost3.onnx", 1e-6},       {"whole", "onnx_boost.onnx", 1e-6},
    {"whole", "onnx_linear.onnx", 1e-6},       {"whole", "onnx_logistic2.onnx", 1e-6},
    {"whole", "onnx_logistic3.onnx", 1e-6},    {"whole", "onnx_columns.onnx", 1e-6},
    {"named", "lgb_category.txt", 1e-14},      {"codes", "lgb_category.txt", 1e-14},
    {"numbers", "xgb_old0.bin", 1e-6},         {"numbers", "xgb_old1.bin", 1e-6},
    {"numbers", "xgb_old_dart.bin", 1e-6},     {"numbers", "xgb_old_linear.bin", 1e-6},
    {"numbers", "xgb_logitraw.json", 1e-6},    {"numbers", "xgb_vectors.ubj", 1e-6},
    {"numbers", "xgb_labels.json", 1e-6},      {"numbers", "xgb_gblinpoisson.json", 1e-6},
    {"numbers", "onnx_newest.onnx", 1e-7},     {"whole", "onnx_targets.onnx", 1e-6},
    {"numbers", "onnx_pipeline.onnx", 1e-6},   {"numbers", "onnx_pipeline3.onnx", 1e-6},
    {"numbers", "cat_vectors.json", 1e-14},    {"words", "cat_number.json", 1e-14},
    {"words", "cat_mean.json", 1e-14},         {"words", "cat_buckets.json", 1e-14},
    {"words", "cat_three.json", 1e-14},        {"crosses", "cat_plain.json", 1e-14},
    {"crosses", "cat_kinds.json", 1e-14},      {"crosses", "cat_three.json", 1e-14},
    {"numbers", "cat_binary.cbm", 1e-14},      {"numbers", "cat_nested3.cbm", 1e-14},
    {"numbers", "cat_vectors.cbm", 1e-14},     {"words", "cat_number.cbm", 1e-14},
    {"words", "cat_mean.cbm", 1e-14},          {"words", "cat_buckets.cbm", 1e-14},
    {"words", "cat_three.cbm", 1e-14},         {"words", "cat_targets.cbm", 1e-14},
    {"crosses", "cat_plain.cbm", 1e-14},       {"crosses", "cat_kinds.cbm", 1e-14},
    {"crosses", "cat_three.cbm", 1e-14},       {"crosses", "cat_number.cbm", 1e-14},
    {"crosses", "cat_number.json", 1e-14},     {"whole", "onnx_border.onnx", 1e-6},
    {"whole", "onnx_chosen.onnx", 1e-6},       {"whole", "onnx_vote.onnx", 1e-6},
    {"whole", "onnx_vote2.onnx", 1e-6},        {"whole", "onnx_vote3.onnx", 1e-6},
    {"whole", "onnx_bagged.onnx", 1e-6},       {"whole", "onnx_bagged3.onnx", 1e-6},
    {"whole", "onnx_each.onnx", 1e-6},         {"whole", "onnx_stack.onnx", 1e-6},
    {"whole", "onnx_exponential.onnx", 1e-6},  {"whole", "onnx_border3.onnx", 1e-6},
    {"whole", "onnx_mixed.onnx", 1e-6},        {"whole", "onnx_normal.onnx", 1e-6},
    {"whole", "onnx_powers.onnx", 1e-6},       {"whole", "onnx_bins.onnx", 1e-6},
    {"whole", "onnx_boosted3.onnx", 1e-6},     {"whole", "onnx_median.onnx", 1e-6},
    {"whole", "onnx_steps3.onnx", 1e-6},       {"whole", "onnx_rest3.onnx", 1e-6},
    {"whole", "onnx_stack3.onnx", 1e-6},       {"whole", "onnx_parts.onnx", 1e-6},
    {"whole", "onnx_over.onnx", 1e-6},         {"whole", "onnx_doubles.onnx", 1e-6},
    {"named", "onnx_texts.onnx", 1e-6},        {"whole", "onnx_zipped.onnx", 1e-6},
    {"whole", "onnx_svc3.onnx", 1e-6},         {"whole", "onnx_svc2.onnx", 1e-6},
    {"whole", "onnx_svr.onnx", 1e-6},          {"whole", "onnx_svr_rbf.onnx", 1e-6},
    {"whole", "onnx_near3.onnx", 1e-6},        {"whole", "onnx_near2.onnx", 1e-6},
    {"whole", "onnx_near.onnx", 1e-6},         {"whole", "onnx_cosine.onnx", 1e-6},
    {"whole", "onnx_bernoulli.onnx", 1e-6},    {"whole", "onnx_discriminants.onnx", 1e-6},
    {"whole", "onnx_labels.onnx", 1e-6},       {"whole", "onnx_votes3.onnx", 1e-6},
    {"whole", "onnx_clusters.onnx", 1e-6},     {"whole", "onnx_net.onnx", 1e-6},
    {"numbers", "onnx_least.onnx", 1e-6},      {"numbers", "onnx_most.onnx", 1e-6},
    {"numbers", "onnx_probit.onnx", 1e-6},     {"numbers", "onnx_zero.onnx", 1e-6},
    {"numbers", "lgb_own3.txt", 1e-14},        {"named", "onnx_empty.onnx", 1e-6},
    {"truth", "lgb_category.txt", 1e-14},
};
#define N_MODELS (int)(sizeof models / sizeof models[0])

static void check_model(const ml_model *m, const ml_table *t, const char *name,
                        const char *expected, double tol)
{
    FILE *f = fopen(expected, "r");
    ck_assert_msg(f != NULL, "%s is missing", expected);
    matrix margins = read_matrix(&f), values = read_matrix(&f);
    /* An ONNX graph and XGBoost's binary files have no names of columns. */
    int nameless = ml_table_find(t, ml_model_input_name(m, 0)) < 0;
    matrix rows = {0, 0, NULL};
    for (int64_t i = 0; nameless && i < ml_table_rows(t); i++) {
        double row[16];
        for (int64_t j = 0; j < ml_table_columns(t); j++)
            row[j] = ml_table_get_f64(t, i, j);
        matrix_add(&rows, row, ml_table_columns(t));
    }
    const char *kind = ml_model_classes(m) ? "proba" : "value";
    int exact =
        strncmp(name, "xgb_", 4) == 0 && !strstr(name, "lin") && !strstr(name, "old");
    matrix b = nameless ? predict_rows(m, kind, rows) : predict_table(m, kind, t);
    assert_close(name, b, values, tol);
    if (margins.rows > 0 && strcmp(ml_model_algorithm(m), "linear_regression") != 0) {
        matrix a =
            nameless ? predict_rows(m, "score", rows) : predict_table(m, "score", t);
        /* XGBoost's sums of floats are ours. */
        assert_close(name, a, margins, exact ? 0 : tol);
        free(a.at);
    }
    free(b.at);
    free(rows.at);
    free(margins.at);
    free(values.at);
}

START_TEST(predicts_the_same)
{
    ml_context *ctx = test_context(1);
    for (int i = 0; i < N_MODELS; i++) {
        char name[128], expected[4200], saved[256];
        snprintf(name, sizeof name, "%.*s.expected", (int)strcspn(models[i].model, "."),
                 models[i].model);
        snprintf(expected, sizeof expected, "%s", foreign_path(models[i].rows, name));
        ml_table *t = foreign_rows(ctx, models[i].rows);
        ml_model *m = load_foreign(ctx, foreign_path(models[i].rows, models[i].model));
        check_model(m, t, models[i].model, expected, models[i].tol);
        /* And as a libml model. */
        snprintf(saved, sizeof saved, "%s/model.ml", test_folder());
        OK(ml_model_save_file(m, saved, NULL, ERR));
        ml_model *again = load_foreign(ctx, saved);
        check_model(again, t, models[i].model, expected, models[i].tol);
        ml_model_free(again);
        ml_model_free(m);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

/* ---- shared data ---- */

static ml_model *shared_model(ml_context *ctx, const char *name)
{
    const char *path = shared_path(name);
    return path ? load_foreign(ctx, path) : NULL;
}

START_TEST(shared_lightgbm)
{
    ml_context *ctx = test_context(1);
    ml_model *m = shared_model(ctx, "models_trees/lightgbm_multiclass/model.txt");
    if (!m) SKIP("no shared data");
    matrix rows = matrix_without_first(
        matrix_of_file(shared_path("models_trees/lightgbm_multiclass/input.tsv")));
    matrix raw = matrix_of_file(shared_path("models_trees/lightgbm_multiclass/raw.txt"));
    matrix p =
        matrix_of_file(shared_path("models_trees/lightgbm_multiclass/probability.txt"));
    check_rows("multiclass", m, "score", rows, raw, 1e-13);
    check_rows("multiclass", m, "proba", rows, p, 1e-13);
    free(raw.at);
    free(rows.at);
    free(p.at);
    ml_model_free(m);

    m = shared_model(ctx, "models_trees/lightgbm_dart/model.txt");
    rows = matrix_of_file(shared_path("models_trees/lightgbm_dart/input.tsv"));
    p = matrix_of_file(shared_path("models_trees/lightgbm_dart/probability.txt"));
    check_rows("dart", m, "proba", rows, p, 1e-13);
    free(rows.at);
    free(p.at);
    ml_model_free(m);

    m = shared_model(ctx, "models_trees/lightgbm_poisson/model.txt");
    rows = matrix_of_file(shared_path("models_trees/lightgbm_poisson/input.tsv"));
    p = matrix_of_file(shared_path("models_trees/lightgbm_poisson/prediction.txt"));
    check_rows("poisson", m, "value", rows, p, 1e-13);
    free(rows.at);
    free(p.at);
    ml_model_free(m);

    m = shared_model(ctx, "models_trees/lightgbm_categorical/model.txt");
    rows = matrix_of_libsvm(shared_path("models_trees/lightgbm_categorical/input.libsvm"),
                            ml_model_inputs(m), 0, 0);
    p = matrix_of_file(shared_path("models_trees/lightgbm_categorical/prediction.txt"));
    check_rows("categorical", m, "value", rows, p, 1e-13);
    free(rows.at);
    free(p.at);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

/* Two numberings of leaves: equal up to names, tree by tree. */
START_TEST(shared_leaves)
{
    ml_context *ctx = test_context(1);
    ml_model *m = shared_model(ctx, "models_trees/lightgbm_leaf_index/model.txt");
    if (!m) SKIP("no shared data");
    matrix rows =
        matrix_of_file(shared_path("models_trees/lightgbm_leaf_index/input.txt"));
    matrix want =
        matrix_of_file(shared_path("models_trees/lightgbm_leaf_index/leaf_index.txt"));
    matrix got = predict_rows(m, "leaf", rows);
    ck_assert_int_eq(got.columns, want.columns);
    for (int64_t t = 0; t < got.columns; t++)
        for (int64_t a = 0; a < got.rows; a++)
            for (int64_t b = 0; b < a; b++) {
                int64_t n = got.columns;
                ck_assert_int_eq(got.at[a * n + t] == got.at[b * n + t],
                                 want.at[a * n + t] == want.at[b * n + t]);
            }
    free(rows.at);
    free(want.at);
    free(got.at);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

START_TEST(shared_xgboost)
{
    static const char *const names[] = {"model.ubj", "model_transcoded.json"};
    ml_context *ctx = test_context(1);
    if (!shared_path("models_trees/xgboost_ubjson_abalone/model.ubj"))
        SKIP("no shared data");
    matrix want = matrix_of_file(
        shared_path("models_trees/xgboost_ubjson_abalone/prediction_recomputed.txt"));
    matrix rows = matrix_of_libsvm(
        shared_path("models_trees/xgboost_ubjson_abalone/input.libsvm"), 9, 1, NAN);
    for (int i = 0; i < 2; i++) {
        char name[128];
        snprintf(name, sizeof name, "models_trees/xgboost_ubjson_abalone/%s", names[i]);
        ml_model *m = shared_model(ctx, name);
        matrix fitting = {0, 0, NULL};
        for (int64_t r = 0; r < rows.rows; r++)
            matrix_add(&fitting, rows.at + r * 9, ml_model_inputs(m));
        /* The reference adds doubles. */
        check_rows(name, m, "value", fitting, want, 1e-6);
        free(fitting.at);
        ml_model_free(m);
    }
    free(rows.at);
    free(want.at);
    ml_context_free(ctx);
}
END_TEST

/* Files of XGBoost before 1.0. Trees have absent entries missing, linear models have them
 * 0. */
START_TEST(shared_xgboost_binary)
{
    static const struct {
        const char *folder, *expected, *kind;
        double absent;
    } all[] = {{"agaricus", "probability.txt", "proba", NAN},
               {"gblinear", "probability.txt", "proba", 0},
               {"gblinear", "raw.txt", "score", 0}};
    ml_context *ctx = test_context(1);
    if (!shared_path("models_trees/xgboost_binary_agaricus/model.bin"))
        SKIP("no shared data");
    for (int i = 0; i < 3; i++) {
        char name[128];
        snprintf(name, sizeof name, "models_trees/xgboost_binary_%s/model.bin",
                 all[i].folder);
        ml_model *m = shared_model(ctx, name);
        matrix rows = matrix_of_libsvm(
            shared_path("models_trees/xgboost_binary_agaricus/input.libsvm"),
            ml_model_inputs(m), 0, all[i].absent);
        snprintf(name, sizeof name, "models_trees/xgboost_binary_%s/%s", all[i].folder,
                 all[i].expected);
        matrix want = matrix_of_file(shared_path(name));
        check_rows(name, m, all[i].kind, rows, want, 2e-6);
        free(rows.at);
        free(want.at);
        ml_model_free(m);
    }
    ml_context_free(ctx);
}
END_TEST

/* NumPy's arrays in io.npz are stored, not compressed: the floats are the member's tail.
 */
START_TEST(shared_onnx)
{
    ml_context *ctx = test_context(1);
    ml_model *m = shared_model(ctx, "onnx_models/xgboost_regressor_tree/model.onnx");
    if (!m) SKIP("no shared data");
    ck_assert_int_eq(ml_model_inputs(m), 13);
    /* As in io.npz. */
    double row[13] = {14.229999542236328,
                      1.7100000381469727,
                      2.430000066757202,
                      15.600000381469727,
                      127.0,
                      2.799999952316284,
                      3.059999942779541,
                      0.2800000011920929,
                      2.2899999618530273,
                      5.639999866485596,
                      1.0399999618530273,
                      3.9200000762939453,
                      1065.0};
    double want = 0.014516592025756836;
    matrix rows = {1, 13, row}, expected = {1, 1, &want};
    check_rows("xgboost_regressor_tree", m, "value", rows, expected, 1e-6);
    ml_model_free(m);
    static const char *const linear[][2] = {{"linear_regressor", "value"},
                                            {"linear_classifier", "proba"}};
    for (int i = 0; i < 2; i++) {
        char name[128];
        snprintf(name, sizeof name, "onnx_models/%s/model.onnx", linear[i][0]);
        m = shared_model(ctx, name);
        matrix zero = {1, ml_model_inputs(m), calloc(64, sizeof(double))};
        matrix p = predict_rows(m, linear[i][1], zero);
        ck_assert(isfinite(p.at[0]));
        free(zero.at);
        free(p.at);
        ml_model_free(m);
    }
    /* Graphs of other kinds are refused by what they lack. */
    ml_model *none = NULL;
    FAILS(ML_E_UNSUPPORTED,
          ml_model_load_file(ctx, shared_path("onnx_models/qrelu_1/model.onnx"), NULL,
                             &none, ERR));
    FAILS(ML_E_UNSUPPORTED,
          ml_model_load_file(ctx,
                             shared_path("onnx_models/lgbm_classifier_tensor/model.onnx"),
                             NULL, &none, ERR));
    ml_context_free(ctx);
}
END_TEST

/* ---- what models know ---- */

START_TEST(inputs_and_facts)
{
    ml_context *ctx = test_context(1);
    ml_model *m = load_foreign(ctx, foreign_path("named", "xgb_category.json"));
    ck_assert_str_eq(ml_model_algorithm(m), "gbdt");
    ck_assert_int_eq(ml_model_inputs(m), 4);
    ck_assert_str_eq(ml_model_input_name(m, 2), "colour");
    const char *json = ml_model_json(m);
    ck_assert_ptr_nonnull(strstr(json, "XGBoost 3.2.0"));
    ck_assert_ptr_nonnull(strstr(json, "reg:squarederror"));
    ml_model_free(m);

    ml_params *p = NULL;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_set_str(p, "target", "answer", ERR));
    OK(ml_model_load_file(ctx, foreign_path("numbers", "xgb_softprob.ubj"), p, &m, ERR));
    ck_assert_int_eq(ml_model_classes(m), 3);
    ck_assert_str_eq(ml_model_class_label(m, 2), "2");
    ck_assert_ptr_nonnull(strstr(ml_model_json(m), "answer"));
    ml_params_free(p);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

static int released;
static void count_release(void *user)
{
    (void)user;
    released++;
}

START_TEST(from_memory)
{
    ml_context *ctx = test_context(1);
    ml_model *m = NULL;
    bytes b = bytes_of_file(foreign_path("numbers", "lgb_binary.txt"));
    OK(ml_model_load_memory(ctx, b.data, b.size, count_release, NULL, NULL, &m, ERR));
    ck_assert_int_eq(released, 1); /* nothing of it is needed any more */
    free(b.data);
    ck_assert_int_eq(ml_model_classes(m), 2);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

/* Thresholds of floats say of every double what the float compare says. */
START_TEST(float_thresholds)
{
    static const float t[] = {0.1F,     1,       -1,       0,       1e-45F,
                              -1e-45F,  3.5F,    16777216, FLT_MAX, -FLT_MAX,
                              INFINITY, FLT_MIN, -0.3F};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        double below = mli_import_below_f32(t[i]), upto = mli_import_upto_f32(t[i]);
        double at[] = {below,
                       upto,
                       (double)t[i],
                       nextafterf(t[i], 9),
                       nextafterf(t[i], -9),
                       0,
                       -1e300,
                       1e300,
                       INFINITY,
                       -INFINITY};
        for (size_t k = 0; k < sizeof at / sizeof at[0]; k++) {
            double near[3] = {at[k], nextafter(at[k], INFINITY),
                              nextafter(at[k], -INFINITY)};
            for (int n = 0; n < 3; n++) {
                ck_assert_int_eq(near[n] <= below, (float)near[n] < t[i]);
                ck_assert_int_eq(near[n] <= upto, (float)near[n] <= t[i]);
            }
        }
    }
}
END_TEST

/* ---- many categories ---- */

/* An XGBoost model with a tree for each of n categories of one feature. */
static char *one_tree_per_category(int n)
{
    size_t room = (size_t)n * 600 + 2000;
    char *s = malloc(room), *p = s;
    p += sprintf(p, "{\"learner\":{\"learner_model_param\":{\"base_score\":\"0\","
                    "\"num_class\":\"0\",\"num_feature\":\"1\"},\"objective\":{\"name\":"
                    "\"reg:squarederror\"},\"gradient_booster\":{\"name\":\"gbtree\","
                    "\"model\":{\"tree_info\":[");
    for (int i = 0; i < n; i++) p += sprintf(p, i ? ",0" : "0");
    p += sprintf(p, "],\"trees\":[");
    for (int i = 0; i < n; i++)
        p += sprintf(
            p,
            "%s{\"tree_param\":{},\"left_children\":[1,-1,-1],\"right_children\":"
            "[2,-1,-1],\"split_indices\":[0,0,0],\"split_conditions\":[0,0,%d],"
            "\"default_left\":[%d,0,0],\"split_type\":[1,0,0],"
            "\"categories_nodes\":[0],\"categories\":[%d],\"categories_segments\":"
            "[0],\"categories_sizes\":[1]}",
            i ? "," : "", i + 1, i % 2, i);
    sprintf(p, "]}}}}");
    return s;
}

START_TEST(many_categories)
{
    ml_context *ctx = test_context(1);
    int n = 700;
    char *text = one_tree_per_category(n);
    ml_model *m = NULL;
    OK(ml_model_load_memory(ctx, text, strlen(text), NULL, NULL, NULL, &m, ERR));
    double x[] = {0, 1, 255, 256, 699, 700, 5000, -1, NAN, 3.7};
    double odd = 0;
    for (int i = 0; i < n; i += 2) odd += i + 1; /* missing goes right there */
    double want[] = {1, 2, 256, 257, 700, 0, 0, 0, odd, 4};
    matrix rows = {10, 1, x}, expected = {10, 1, want};
    check_rows("700 categories", m, "value", rows, expected, 0);
    ml_model_free(m);
    free(text);
    ml_context_free(ctx);
}
END_TEST

/* ---- damage ---- */

static void try_bytes(ml_context *ctx, const void *data, size_t size)
{
    ml_model *m = NULL;
    ml_status s = ml_model_load_memory(ctx, data, size, NULL, NULL, NULL, &m, ERR);
    ck_assert_msg(s == ML_OK || s == ML_E_FORMAT || s == ML_E_UNSUPPORTED ||
                      s == ML_E_RANGE || s == ML_E_MEMORY,
                  "%s: %s", ml_status_name(s), ml_error_message(ERR));
    if (s == ML_OK) ml_model_free(m);
}

/* Cut anywhere it must not load; with any byte changed it loads or fails, no more. */
START_TEST(damaged)
{
    static const char *const names[][2] = {
        {"numbers", "xgb_binary.json"},    {"numbers", "xgb_rank.ubj"},
        {"named", "lgb_category.txt"},     {"named", "xgb_category.json"},
        {"whole", "onnx_forest2.onnx"},    {"whole", "onnx_logistic3.onnx"},
        {"numbers", "cat_three.json"},     {"numbers", "cat_nested3.json"},
        {"words", "cat_number.json"},      {"words", "cat_mean.json"},
        {"numbers", "xgb_old0.bin"},       {"numbers", "xgb_old_dart.bin"},
        {"numbers", "xgb_vectors.ubj"},    {"numbers", "onnx_newest.onnx"},
        {"numbers", "onnx_pipeline.onnx"}, {"crosses", "cat_plain.json"},
        {"whole", "onnx_chosen.onnx"},     {"numbers", "cat_nested3.cbm"},
        {"words", "cat_number.cbm"},       {"words", "cat_targets.cbm"},
        {"whole", "onnx_vote3.onnx"},      {"whole", "onnx_stack.onnx"},
        {"whole", "onnx_mixed.onnx"},      {"whole", "onnx_normal.onnx"},
        {"whole", "onnx_median.onnx"},     {"named", "onnx_texts.onnx"},
        {"whole", "onnx_stack3.onnx"},     {"whole", "onnx_svc3.onnx"},
        {"whole", "onnx_near2.onnx"}};
    ml_context *ctx = test_context(1);
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++) {
        bytes b = bytes_of_file(foreign_path(names[i][0], names[i][1]));
        size_t end = b.size;
        while (end > 0 && b.data[end - 1] == '\n') end--;
        /* LightGBM's trees are all there before its importances. */
        const unsigned char *tail = find_bytes(b.data, b.size, "end of trees", 12);
        if (tail) end = (size_t)(tail - b.data);
        /* ONNX: the graph is whole before the versions of the operators. */
        if (strstr(names[i][1], ".onnx")) end -= 64;
        for (size_t n = 0; n < end; n += 1 + n / 50) {
            ml_model *m = NULL;
            char *cut = malloc(n + 1); /* so that reading beyond it is seen */
            memcpy(cut, b.data, n);
            ml_status status =
                ml_model_load_memory(ctx, cut, n, NULL, NULL, NULL, &m, ERR);
            ck_assert_msg(status == ML_E_FORMAT || status == ML_E_UNSUPPORTED,
                          "cut to %zu bytes: %s", n, ml_error_message(ERR));
            free(cut);
        }
        uint32_t random = 12345;
        for (int k = 0; k < 300; k++) {
            random = random * 1664525 + 1013904223;
            size_t at = random % b.size;
            unsigned char old = b.data[at];
            b.data[at] = (unsigned char)(random >> 24);
            try_bytes(ctx, b.data, b.size);
            b.data[at] = old;
        }
        free(b.data);
    }
    ml_context_free(ctx);
}
END_TEST

/* The message names what is wrong and where. */
static void says(ml_context *ctx, const char *file, const char *from, const char *to,
                 ml_status status, const char *message)
{
    says_of(ctx, "numbers", file, from, to, status, message);
}

/* What is known but not read is refused by its name, with what to do. */
START_TEST(refused_by_name)
{
    static const char *const files[][3] = {
        {"\x80\x04\x95 and so on", "pickle", "save_model"},
        {"<?xml version=\"1.0\"?>", "PMML", "ONNX"}};
    ml_context *ctx = test_context(1);
    for (int i = 0; i < 2; i++) {
        ml_model *m = NULL;
        FAILS(ML_E_UNSUPPORTED,
              ml_model_load_memory(ctx, files[i][0], strlen(files[i][0]), NULL, NULL,
                                   NULL, &m, ERR));
        ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), files[i][1]));
        ck_assert_ptr_nonnull(strstr(ml_error_hint(ERR), files[i][2]));
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(messages)
{
    ml_context *ctx = test_context(1);
    const char *x = "xgb_binary.json", *l = "lgb_binary.txt";
    says(ctx, x, "binary:logistic", "my:own", ML_E_UNSUPPORTED, "\"my:own\"");
    says(ctx, x, "\"num_target\":\"1\"", "\"num_target\":\"99999\"", ML_E_FORMAT,
         "num_target");
    says(ctx, x, "\"left_children\":[1", "\"left_children\":[99", ML_E_FORMAT,
         "trees[0]");
    says(ctx, x, "\"left_children\":[1", "\"left_children\":[0", ML_E_FORMAT, "tree 0");
    says(ctx, x, "\"right_children\":[2,", "\"right_children\":[", ML_E_FORMAT,
         "right_children");
    says(ctx, x, "\"name\":\"gbtree\"", "\"name\":\"forest\"", ML_E_UNSUPPORTED,
         "forest");
    says(ctx, x, "\"tree_info\"", "\"tree_inf\"", ML_E_FORMAT, "tree_info");
    says(ctx, x, "\"tree_info\"", "tree_info", ML_E_FORMAT, "line 1, column");
    says(ctx, x, "\"learner\"", "\"learned\"", ML_E_FORMAT, "XGBoost");
    says(ctx, l, "objective=binary", "objective=mine", ML_E_UNSUPPORTED, "objective");
    says(ctx, l, "is_linear=0", "is_linear=1", ML_E_FORMAT, "leaf_const");
    says(ctx, "lgb_linear.txt", "num_features=", "num_features=99 ", ML_E_FORMAT,
         "num_features");
    says(ctx, "lgb_linear.txt", "leaf_coeff=", "leaf_coeff=1 ", ML_E_FORMAT,
         "leaf_coeff");
    says(ctx, "lgb_linear.txt", "leaf_features=", "leaf_features=1e9 ", ML_E_FORMAT,
         "leaf_features");
    says(ctx, l, "num_leaves=7", "num_leaves=8", ML_E_FORMAT, "tree 0, from line 13");
    says(ctx, l, "leaf_value=", "leaf_value=x ", ML_E_FORMAT, "leaf_value");
    says(ctx, l, "\nTree=1\n", "\nfeature_importances:\n", ML_E_FORMAT, "tree_sizes");
    says(ctx, "cat_three.json", "\"split_type\":\"FloatFeature\"",
         "\"split_type\":\"OneHotFeature\"", ML_E_FORMAT, "a split on a category");
    says(ctx, "cat_three.json", "\"leaf_values\":[", "\"leaf_values\":[1,", ML_E_FORMAT,
         "oblivious_trees[0]");
    static const char dump[] = "[\n  {\"nodeid\": 0, \"leaf\": 1}\n]";
    ml_model *none = NULL;
    FAILS(ML_E_FORMAT,
          ml_model_load_memory(ctx, dump, sizeof dump - 1, NULL, NULL, NULL, &none, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "a dump is not all of a model"));
    says(ctx, "onnx_modes.onnx", "BRANCH_GTE", "BRANCH_GTX", ML_E_UNSUPPORTED,
         "BRANCH_GTX");
    says(ctx, "onnx_modes.onnx", "TreeEnsembleRegressor", "TreeEnsembleRegresser",
         ML_E_UNSUPPORTED, "such a name");
    says(ctx, "onnx_newest.onnx", "tree_roots", "tree_rootz", ML_E_FORMAT, "tree_roots");
    says(ctx, "onnx_newest.onnx", "membership_values", "membership_valuez", ML_E_FORMAT,
         "membership_values");
    says(ctx, "onnx_modes.onnx", "target_treeids", "target_treeidz", ML_E_FORMAT,
         "target_treeids");
    /* Several models: what makes the result must be known. */
    says_of(ctx, "whole", "onnx_vote.onnx", "\"\007Flatten", "\"\007Flattex",
            ML_E_UNSUPPORTED, "the operator Flattex cannot be imported");
    says_of(ctx, "whole", "onnx_bagged.onnx", "\"\012ReduceMean", "\"\012ReduceMeal",
            ML_E_UNSUPPORTED, "the operator ReduceMeal cannot be imported");
    says_of(ctx, "whole", "onnx_svc3.onnx", "\003RBF", "\003RBX", ML_E_UNSUPPORTED,
            "the operator SVMClassifier of such support vectors");
    says_of(ctx, "whole", "onnx_svc3.onnx", "\006prob_b", "\006prob_c", ML_E_UNSUPPORTED,
            "whose numbers do not fit its vectors");
    says_of(ctx, "whole", "onnx_svr.onnx", "\003rho", "\003rhi", ML_E_UNSUPPORTED,
            "the operator SVMRegressor whose numbers");
    says_of(ctx, "whole", "onnx_near2.onnx", "\"\003Abs", "\"\003Sin", ML_E_UNSUPPORTED,
            "the operator Scan of such a kind cannot");
    /* An operator without inputs on the way to the models. */
    ml_model *m = NULL;
    FAILS(ML_E_UNSUPPORTED,
          ml_model_load_file(ctx,
                             source_path("tests/fuzz/corpus/import/onnx_bare_cast.onnx"),
                             NULL, &m, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "the operator Cast cannot"));
    says_of(ctx, "whole", "onnx_vote3.onnx", "\"\006ArgMax", "\"\006ArgMix",
            ML_E_UNSUPPORTED, "the operator ArgMix cannot be imported");
    ml_context_free(ctx);
}
END_TEST

/* x * trunc(7 / 2) * trunc(2.7), of constants that are calculated when it is read. */
START_TEST(constants_have_types)
{
    ml_context *ctx = test_context(1);
    ml_model *m =
        load_foreign(ctx, source_path("tests/fuzz/corpus/import/onnx_constants.onnx"));
    ml_predictor *p = NULL;
    double x[2] = {1, -2.5}, y[2] = {0};
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    OK(ml_predictor_rows(p, x, ML_DTYPE_F64, 2, 1, y, ERR));
    ck_assert_double_eq(y[0], 6);
    ck_assert_double_eq(y[1], -15);
    ml_predictor_free(p);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

/* A model whose program has another word is refused, or predicts something. */
static int try_program(ml_model *m)
{
    ml_predictor *p = NULL;
    double rows[2][8] = {{0, 1, 2, 3, 4, 5, 6, 7}, {NAN, 1e300, -1, 0.5, NAN}},
           out[2 * 64];
    atomic_store(&m->unchecked, 1);
    ml_status s = ml_predictor_new(m, NULL, NULL, &p, ERR);
    if (s == ML_OK) {
        ck_assert_int_le(ml_predictor_outputs(p), 64);
        OK(ml_predictor_rows(p, rows[0], ML_DTYPE_F64, 2, 8, out, ERR));
    } else {
        ck_assert_int_eq(s, ML_E_FORMAT);
    }
    ml_predictor_free(p);
    return s == ML_OK;
}

START_TEST(damaged_programs)
{
    static const char *const names[][2] = {
        {"whole", "onnx_normal.onnx"}, {"whole", "onnx_median.onnx"},
        {"whole", "onnx_bins.onnx"},   {"whole", "onnx_svc3.onnx"},
        {"whole", "onnx_near.onnx"},   {"named", "onnx_texts.onnx"}};
    static const int32_t wrong[] = {INT32_MIN, -1000, -1, 0,      1,
                                    2,         7,     41, 131072, INT32_MAX};
    ml_context *ctx = test_context(1);
    for (int i = 0; i < 6; i++) {
        ml_model *m = load_foreign(ctx, foreign_path(names[i][0], names[i][1]));
        const ml_tensor *t = mli_model_find(m, "program");
        int32_t *word = (int32_t *)(uintptr_t)ml_tensor_data(t);
        int64_t n = ml_tensor_shape(t)[0] * ml_tensor_shape(t)[1], refused = 0;
        for (int64_t k = 0; k < n; k++) {
            int32_t old = word[k];
            for (size_t j = 0; j < sizeof wrong / sizeof *wrong; j++) {
                word[k] = wrong[j];
                refused += !try_program(m);
            }
            word[k] = old;
        }
        ck_assert_int_gt(refused, n);
        ck_assert(try_program(m));
        ml_model_free(m);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(out_of_memory)
{
    bytes files[20] = {bytes_of_file(foreign_path("words", "cat_number.json")),
                       bytes_of_file(foreign_path("whole", "onnx_forest3.onnx")),
                       bytes_of_file(foreign_path("numbers", "cat_nested3.json")),
                       bytes_of_file(foreign_path("named", "xgb_category.json")),
                       bytes_of_file(foreign_path("named", "lgb_category.txt")),
                       bytes_of_file(foreign_path("numbers", "xgb_softprob.ubj")),
                       bytes_of_file(foreign_path("numbers", "xgb_gblinpoisson.json")),
                       bytes_of_file(foreign_path("numbers", "onnx_newest.onnx")),
                       bytes_of_file(foreign_path("numbers", "onnx_pipeline3.onnx")),
                       bytes_of_file(foreign_path("crosses", "cat_plain.json")),
                       bytes_of_file(foreign_path("whole", "onnx_chosen.onnx")),
                       bytes_of_file(foreign_path("words", "cat_number.cbm")),
                       bytes_of_file(foreign_path("numbers", "cat_nested3.cbm")),
                       bytes_of_file(foreign_path("whole", "onnx_bagged3.onnx")),
                       bytes_of_file(foreign_path("whole", "onnx_mixed.onnx")),
                       bytes_of_file(foreign_path("whole", "onnx_normal.onnx")),
                       bytes_of_file(foreign_path("named", "onnx_texts.onnx")),
                       bytes_of_file(foreign_path("whole", "onnx_svc3.onnx")),
                       bytes_of_file(foreign_path("whole", "onnx_near.onnx")),
                       bytes_of_file(foreign_path("whole", "onnx_median.onnx"))};
    for (int i = 0; i < 20; i++) {
        ml_status s = ML_E_MEMORY;
        for (int64_t n = 1; s == ML_E_MEMORY; n += 1 + n / 20) {
            failing_alloc f = {.fail_at = n};
            ml_host host = failing_host(&f);
            ml_context *ctx = NULL;
            ml_model *m = NULL;
            s = ml_context_new(&host, &ctx, ERR);
            if (s == ML_OK)
                s = ml_model_load_memory(ctx, files[i].data, files[i].size, NULL, NULL,
                                         NULL, &m, ERR);
            ck_assert_msg(s == ML_OK || s == ML_E_MEMORY, "%s", ml_error_message(ERR));
            if (s == ML_OK) ml_model_free(m);
            ml_context_free(ctx);
            ck_assert_int_eq(f.live, 0);
            ck_assert_int_eq(f.faults, 0);
        }
        free(files[i].data);
    }
}
END_TEST

/* The base of binary:logitraw was a probability until XGBoost 1.3. */
START_TEST(bases_of_raw_logits)
{
    static const char *const versions[] = {"[1,0,2]", "[1,2,1]", "[1,3,0]", "[2,0,3]"};
    ml_context *ctx = test_context(1);
    const char *path = foreign_path("numbers", "xgb_logitraw.json");
    double row[5] = {0.5, 10, NAN, 2, 0};
    matrix rows = {1, 5, row};
    ml_model *now = load_foreign(ctx, path);
    matrix a = predict_rows(now, "score", rows);
    for (int i = 0; i < 4; i++) {
        ml_model *old = load_changed(ctx, path, "[3,2,0]", NULL, versions[i]);
        matrix b = predict_rows(old, "score", rows);
        double base = 0.4185, was = i < 2 ? log(base / (1 - base)) : base;
        ck_assert_double_eq_tol(b.at[0] - a.at[0], was - base, 1e-6);
        free(b.at);
        ml_model_free(old);
    }
    free(a.at);
    ml_model_free(now);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("serialization/import", predicts_the_same, shared_lightgbm, shared_leaves,
          shared_xgboost, shared_xgboost_binary, shared_onnx, inputs_and_facts,
          from_memory, float_thresholds, many_categories, refused_by_name, damaged,
          messages, constants_have_types, damaged_programs, out_of_memory,
          bases_of_raw_logits)
