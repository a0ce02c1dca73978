/* SPDX-License-Identifier: MIT
 *
 * Trees and forests of several targets: the trees, predictions and contributions of
 * scikit-learn and shap, metrics, names, files, wrong lists.
 */
#include "forest_testing.h"

#define SEVERAL "features=[a,b,c,d] targets=[y,other,label]"

static ml_table *several_table(ml_context *ctx)
{
    make_small();
    ml_table *t = add_f64(ctx, small_table(ctx, d.y, NULL), "other", ROWS, d.other);
    return add_f64(ctx, t, "label", ROWS, d.label);
}

/* The same tree, its leaves' first values, predictions and contributions. */
START_TEST(tree_of_several_targets)
{
    ml_context *ctx = test_context(1);
    ml_table *t = several_table(ctx);
    ml_model *m =
        fit(ctx, "decision_tree", t, SEVERAL " weight=w max_depth=3 min_data_in_leaf=4");
    walk w = {.want = tree_several, .n = SIZE(tree_several)};
    w.feature = tensor(m, "node_feature");
    w.left = tensor(m, "node_left");
    w.threshold = tensor(m, "node_threshold");
    w.value = tensor(m, "node_value");
    w.rows = tensor(m, "leaf_values");
    compare(&w, 0, 0);
    ck_assert_int_eq(w.n, 0);
    for (int j = 0; j < COLUMNS; j++)
        ck_assert_double_eq_tol(at(m, "importance", j), several_importance[j], 1e-12);
    ml_tensor *p = predicted(m, "value", t), *c = predicted(m, "contributions", t);
    for (int64_t i = 0; i < SIZE(several_predicted); i++)
        ck_assert_double_eq_tol(ml_tensor_get_f64(p, i / 3, i % 3), several_predicted[i],
                                1e-9);
    for (int64_t i = 0; i < SIZE(several_shap); i++)
        ck_assert_double_eq_tol(
            ml_tensor_get_f64(c, i / (3 * (COLUMNS + 1)), i % (3 * (COLUMNS + 1))),
            several_shap[i], 1e-9);
    ml_tensor *all[] = {p, c, w.feature, w.left, w.threshold, w.value, w.rows};
    for (int i = 0; i < 7; i++) ml_tensor_free(all[i]);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Of the predictions in a table; those of labels are shares. */
static double mean_r2(const ml_table *out)
{
    double r2 = 0;
    const double *y[] = {d.y, d.other, d.label};
    for (int64_t k = 0; k < 3; k++) {
        double mean = 0, rest = 0, all = 0;
        for (int64_t i = 0; i < ROWS; i++) mean += y[k][i] / ROWS;
        for (int64_t i = 0; i < ROWS; i++) {
            double v = ml_table_get_f64(out, i, k);
            if (k == 2) ck_assert(v >= 0 && v <= 1);
            rest += (y[k][i] - v) * (y[k][i] - v);
            all += (y[k][i] - mean) * (y[k][i] - mean);
        }
        r2 += (1 - rest / all) / 3;
    }
    return r2;
}

/* Metrics are means over the targets; names, files, one target of a list, rows that lack
 * one, threads. */
START_TEST(several_targets)
{
    ml_context *ctx = test_context(2), *one = test_context(1);
    ml_table *t = several_table(ctx), *out = NULL;
    const char *params = SEVERAL " n_trees=20 min_data_in_leaf=5 oob_score=true seed=3";
    ml_model *m = fit(ctx, "random_forest", t, params), *same = NULL, *alone;
    ml_predictor *p = NULL;
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    OK(ml_predictor_run_table(p, t, &out, ERR));
    ck_assert_str_eq(ml_table_column_name(out, 0), "value_y");
    ck_assert_str_eq(ml_table_column_name(out, 2), "value_label");
    double r2 = mean_r2(out);
    ck_assert_double_eq_tol(scored(m, t, "r2"), r2, 1e-9);
    ck_assert(at(m, "oob_score", 0) > 0.3 && at(m, "oob_score", 0) < r2);
    ck_assert_ptr_nonnull(strstr(ml_model_json(m), "\"targets\": [\"y\", \"other\""));
    char path[128];
    snprintf(path, sizeof path, "%s/several.mlm", test_folder());
    OK(ml_model_save_file(m, path, NULL, ERR));
    OK(ml_model_load_file(ctx, path, NULL, &same, ERR));
    snprintf(path, sizeof path, "%s/several.onnx", test_folder());
    FAILS(ML_E_UNSUPPORTED, ml_model_save_file(m, path, NULL, ERR));
    ck_assert_double_eq(scored(same, t, "r2"), scored(m, t, "r2"));
    alone = fit(one, "random_forest", t, params);
    ck_assert_double_eq(scored(alone, t, "r2"), scored(m, t, "r2"));
    ml_model_free(alone);
    alone = fit(ctx, "decision_tree", t, "features=[a,b,c,d] targets=[other]");
    ck_assert_double_eq_tol(scored(alone, t, "r2"), 1, 1e-12);
    ml_predictor_free(p);
    ml_model *models[] = {m, same, alone};
    for (int i = 0; i < 3; i++) ml_model_free(models[i]);
    ml_table_free(out);
    ml_table_free(t);
    ml_context_free(one);
    ml_context_free(ctx);
}
END_TEST

static void refused(ml_context *ctx, const ml_table *t, const char *name,
                    const char *value, const char *words)
{
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_estimator_new(ctx, "extra_trees", &e, ERR));
    OK(ml_estimator_set_str(e, "targets", "[y, other]", ERR));
    OK(ml_estimator_set_str(e, name, value, ERR));
    ck_assert_int_ne(ml_estimator_fit(e, t, NULL, &m, ERR), ML_OK);
    ck_assert_msg(strstr(ml_error_message(ERR), words) != NULL, "%s",
                  ml_error_message(ERR));
    ml_estimator_free(e);
}

START_TEST(wrong_targets)
{
    ml_context *ctx = test_context(1);
    ml_table *t = several_table(ctx);
    refused(ctx, t, "targets", "[y, y]", "listed twice");
    refused(ctx, t, "targets", "[y, z]", "no column \"z\"");
    refused(ctx, t, "target", "y", "both a target and several");
    refused(ctx, t, "features", "[a, other]", "among the features");
    refused(ctx, t, "task", "classification", "as numbers");
    refused(ctx, t, "quantiles", "0.5", "one target only");
    double y[] = {1, 2, NAN, 4, 5, 6}, z[] = {1, NAN, 3, 4, 5, 6};
    ml_table *u = add_f64(ctx, add_f64(ctx, NULL, "y", 6, y), "other", 6, z);
    u = add_f64(ctx, u, "x", 6, (double[]){1, 2, 3, 4, 5, 6});
    ml_model *m = fit(ctx, "decision_tree", u, "targets=[y,other]");
    ck_assert_double_eq(at(m, "node_cover", 0), 4);
    ck_assert_double_eq_tol(scored(m, u, "r2"), 1, 1e-12);
    ml_model_free(m);
    ml_table_free(t);
    ml_table_free(u);
    ml_context_free(ctx);
}
END_TEST

/* A target that does not vary is left out of the mean of R squared. */
START_TEST(a_constant_target)
{
    ml_context *ctx = test_context(1);
    double same[ROWS];
    make_small();
    for (int i = 0; i < ROWS; i++) same[i] = 0.1;
    ml_table *t = add_f64(ctx, small_table(ctx, d.y, NULL), "same", ROWS, same);
    const char *params = "features=[a,b,c,d] n_trees=20 oob_score=true targets=";
    char text[128];
    snprintf(text, sizeof text, "%s[y,same]", params);
    ml_model *m = fit(ctx, "random_forest", t, text);
    double oob = at(m, "oob_score", 0);
    ck_assert_msg(oob > 0.5 && oob < 1, "%g", oob);
    ml_model_free(m);
    snprintf(text, sizeof text, "%s[same]", params);
    m = fit(ctx, "random_forest", t, text);
    ck_assert(isnan(at(m, "oob_score", 0)));
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("algorithms/forest_several", tree_of_several_targets, several_targets,
          wrong_targets, a_constant_target)
