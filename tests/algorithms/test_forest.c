/* SPDX-License-Identifier: MIT
 *
 * decision_tree, random_forest and extra_trees: the trees of scikit-learn on small data,
 * its scores on real data, missing values and categories, out-of-bag scores, threads,
 * out of memory.
 */
#include "../failing.h"
#include "core/cpu.h"
#include "core/memory.h"
#include "forest_testing.h"

static void same_tree(const char *params, int classes, const double *want, int64_t n)
{
    ml_context *ctx = test_context(1);
    make_small();
    ml_table *t = small_table(ctx, classes ? NULL : d.y, classes == 2 ? d.two : d.three);
    char all[256];
    snprintf(all, sizeof all, "features=[a,b,c,d] task=%s %s",
             classes ? "classification" : "regression", params);
    ml_model *m = fit(ctx, "decision_tree", t, all);
    walk w = {.want = want, .n = n};
    w.feature = tensor(m, "node_feature");
    w.left = tensor(m, "node_left");
    w.threshold = tensor(m, "node_threshold");
    w.value = tensor(m, "node_value");
    if (classes > 2) w.proba = tensor(m, "leaf_proba");
    compare(&w, 0, classes);
    ck_assert_int_eq(w.n, 0);
    for (int j = 0; want == tree_squared && j < COLUMNS; j++)
        ck_assert_double_eq_tol(at(m, "importance", j), tree_importance[j], 1e-12);
    ml_tensor_free(w.feature);
    ml_tensor_free(w.left);
    ml_tensor_free(w.threshold);
    ml_tensor_free(w.value);
    ml_tensor_free(w.proba);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}

START_TEST(trees_of_numbers)
{
    same_tree("max_depth=3", 0, tree_squared, SIZE(tree_squared));
    same_tree("max_depth=3 min_samples_leaf=4 weight=w", 0, tree_weighted,
              SIZE(tree_weighted));
    same_tree("max_depth=4 min_samples_leaf=8 ccp_alpha=1", 0, tree_pruned,
              SIZE(tree_pruned));
    same_tree("max_leaf_nodes=9", 0, tree_best_first, SIZE(tree_best_first));
}
END_TEST

START_TEST(trees_of_classes)
{
    same_tree("max_depth=3 min_samples_leaf=8 weight=w", 2, tree_gini, SIZE(tree_gini));
    same_tree("max_depth=3 min_samples_leaf=8", 3, tree_three, SIZE(tree_three));
    same_tree("max_depth=3 min_samples_leaf=8 criterion=entropy", 3, tree_entropy,
              SIZE(tree_entropy));
}
END_TEST

/* Contributions of the shap package to the first rows. */
static void same_contributions(const char *params, int classes, const double *want,
                               int64_t n)
{
    ml_context *ctx = test_context(1);
    make_small();
    ml_table *t = small_table(ctx, classes ? NULL : d.y, classes == 2 ? d.two : d.three);
    ml_model *m = fit(ctx, "decision_tree", t, params);
    ml_tensor *p = predicted(m, "contributions", t);
    int64_t width = ml_tensor_shape(p)[1];
    ck_assert_int_eq(width, (COLUMNS + 1) * (classes > 2 ? classes : 1));
    for (int64_t i = 0; i < n; i++)
        ck_assert_double_eq_tol(ml_tensor_get_f64(p, i / width, i % width), want[i],
                                1e-9);
    ml_tensor_free(p);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}

START_TEST(contributions_of_trees)
{
    same_contributions("features=[a,b,c,d] task=regression max_depth=3", 0, shap_squared,
                       SIZE(shap_squared));
    const char *classes = "features=[a,b,c,d] task=classification max_depth=3 "
                          "min_samples_leaf=8";
    same_contributions("features=[a,b,c,d] task=classification max_depth=3 "
                       "min_samples_leaf=8 weight=w",
                       2, shap_gini, SIZE(shap_gini));
    same_contributions(classes, 3, shap_three, SIZE(shap_three));
}
END_TEST

/* They add up to the prediction, and interactions to them. */
static void adds_up(const char *algorithm, const char *task, const char *kind, int two)
{
    enum { TERMS = COLUMNS + 1 };
    ml_context *ctx = test_context(2);
    make_small();
    ml_table *t = small_table(ctx, two < 0 ? d.y : NULL, two ? d.two : d.three);
    char params[128];
    snprintf(params, sizeof params, "features=[a,b,c,d] n_trees=20 task=%s", task);
    ml_model *m = fit(ctx, algorithm, t, params);
    ml_tensor *p = predicted(m, kind, t), *c = predicted(m, "contributions", t);
    ml_tensor *x = predicted(m, "interactions", t);
    int64_t outputs = ml_tensor_shape(c)[1] / TERMS;
    ck_assert_int_eq(ml_tensor_shape(x)[1], outputs * TERMS * TERMS);
    for (int64_t i = 0; i < ROWS * outputs; i++) {
        int64_t row = i / outputs, k = i % outputs;
        double sum = 0;
        for (int j = 0; j < TERMS; j++) {
            double v = ml_tensor_get_f64(c, row, k * TERMS + j), of = 0;
            for (int a = 0; a < TERMS; a++)
                of += ml_tensor_get_f64(x, row, (k * TERMS + j) * TERMS + a);
            ck_assert_double_eq_tol(of, v, 1e-10);
            sum += v;
        }
        double want = ml_tensor_get_f64(p, row, two < 0 ? 0 : two ? 1 : k);
        ck_assert_double_eq_tol(sum, want, 1e-10);
    }
    ml_tensor_free(p);
    ml_tensor_free(c);
    ml_tensor_free(x);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}

START_TEST(contributions_of_forests)
{
    adds_up("random_forest", "regression", "value", -1);
    adds_up("random_forest", "classification", "proba", 1);
    adds_up("extra_trees", "classification", "proba", 0);
}
END_TEST

/* ---- as good as the reference ---- */

/* Rows of a file of classic_small whose number modulo 5 is 4, or the others; the last
 * column is "y". */
static ml_table *read_part(ml_context *ctx, const char *name, int test)
{
    const char *path = shared_path(name);
    ml_params *options = NULL;
    ml_table *all = NULL, *t = NULL;
    double v[2000];
    int64_t label[2000];
    if (!path) return NULL;
    OK(ml_params_new(ctx, &options, ERR));
    OK(ml_params_set_str(options, "header", "no", ERR));
    OK(ml_params_set_i64(options, "skip_rows", strstr(name, "digits") ? 0 : 1, ERR));
    OK(ml_table_read_csv(ctx, path, options, &all, ERR));
    ml_params_free(options);
    int64_t last = ml_table_columns(all) - 1, n = 0;
    for (int64_t j = 0; j <= last; j++, n = 0) {
        for (int64_t i = 0; i < ml_table_rows(all); i++) {
            if ((i % 5 == 4) != test) continue;
            v[n] = ml_table_get_f64(all, i, j);
            label[n] = (int64_t)v[n];
            n++;
        }
        t = j < last ? add_f64(ctx, t, ml_table_column_name(all, j), n, v)
                     : add_i64(ctx, t, "y", n, label);
    }
    ml_table_free(all);
    return t;
}

/* expected: mean and deviation of ten seeds. */
static int good(const char *file, const char *algorithm, const char *params,
                const char *metric, const double *expected)
{
    ml_context *ctx = test_context(2);
    ml_table *train = read_part(ctx, file, 0), *test = read_part(ctx, file, 1);
    if (!train || !test) {
        ml_context_free(ctx);
        return 0;
    }
    ml_model *m = fit(ctx, algorithm, train, params);
    double got = scored(m, test, metric);
    ck_assert_msg(got >= expected[0] - 3 * expected[1] - 0.004, "%s of %s: %g, not %g",
                  algorithm, file, got, expected[0]);
    ml_model_free(m);
    ml_table_free(train);
    ml_table_free(test);
    ml_context_free(ctx);
    return 1;
}

START_TEST(as_good_as_the_reference)
{
    static const char *const cancer = "classic_small/breast_cancer.csv";
    static const char *const digits = "classic_small/digits.csv.gz";
    static const char *const wine = "classic_small/wine_data.csv";
    const char *p = "task=classification";
    if (!good(cancer, "random_forest", p, "accuracy", forest_breast))
        SKIP("no shared data");
    good(digits, "random_forest", p, "accuracy", forest_digits);
    good(wine, "random_forest", p, "accuracy", forest_wine);
    good(cancer, "extra_trees", p, "accuracy", extra_breast);
    good(digits, "extra_trees", p, "accuracy", extra_digits);
    good(wine, "extra_trees", p, "accuracy", extra_wine);
    good(cancer, "random_forest", "task=regression", "r2", forest_numbers);
    good(cancer, "random_forest", "targets=[column_1,column_11,column_21,y]", "r2",
         forest_several);
    good(cancer, "extra_trees", "targets=[column_1,column_11,column_21,y]", "r2",
         extra_several);
}
END_TEST

/* ---- missing values, categories ---- */

/* Missing values tell the class, and what training did not see follows the rest. */
START_TEST(missing_values)
{
    ml_context *ctx = test_context(1);
    double x[] = {1, 2, NAN, 4, 5, NAN, 7, 8}, y[] = {0, 0, 9, 0, 0, 9, 1, 1};
    double z[] = {1, 1, 1, 1, 1, 1, 1, 1};
    ml_table *t = add_f64(ctx, NULL, "x", 8, x);
    t = add_f64(ctx, add_f64(ctx, t, "z", 8, z), "y", 8, y);
    ml_model *m = fit(ctx, "decision_tree", t, "task=regression");
    ml_tensor *p = predicted(m, "value", t);
    for (int i = 0; i < 8; i++) ck_assert(ml_tensor_get_f64(p, i, 0) == y[i]);
    ml_tensor_free(p);
    ml_model_free(m);
    ml_table_free(t);
    double heavy[] = {1, 2, 3, 4, 5, 6, 7, 8}, low[] = {3, 3, 3, 3, 3, 3, 7, 7};
    t = add_f64(ctx, add_f64(ctx, NULL, "x", 8, heavy), "y", 8, low);
    m = fit(ctx, "decision_tree", t, "task=regression");
    ml_table *u = add_f64(ctx, NULL, "x", 1, (double[]){NAN});
    p = predicted(m, "value", u);
    ck_assert(ml_tensor_get_f64(p, 0, 0) == 3);
    ml_tensor_free(p);
    ml_model_free(m);
    ml_table_free(t);
    ml_table_free(u);
    ml_context_free(ctx);
}
END_TEST

/* One split finds any set of categories. */
START_TEST(categories)
{
    enum { n = 260 };
    ml_context *ctx = test_context(1);
    static const char *c[n];
    static char text[n][4];
    double y[n];
    int64_t label[n];
    for (int i = 0; i < n; i++) {
        int k = i % 26;
        snprintf(text[i], sizeof text[i], "%c", 'a' + k);
        c[i] = text[i];
        y[i] = (k * 7 % 26) < 9 ? 5 : 1;
        label[i] = (k * 7 % 26) < 9 ? 2 : k % 2;
    }
    ml_table *t = add_f64(ctx, add_text(ctx, NULL, "c", n, c), "y", n, y);
    ml_table *u = add_i64(ctx, add_text(ctx, NULL, "c", n, c), "y", n, label);
    ml_model *m = fit(ctx, "decision_tree", t, "task=regression max_depth=1");
    ck_assert_double_eq_tol(scored(m, t, "rmse"), 0, 1e-12);
    ml_model_free(m);
    m = fit(ctx, "decision_tree", u, "task=classification max_depth=2");
    ck_assert_double_eq_tol(scored(m, u, "accuracy"), 1, 1e-12);
    ml_model_free(m);
    m = fit(ctx, "extra_trees", u, "task=classification n_trees=20");
    ck_assert_double_eq_tol(scored(m, u, "accuracy"), 1, 1e-12);
    ml_model_free(m);
    ml_table_free(t);
    ml_table_free(u);
    ml_context_free(ctx);
}
END_TEST

/* ---- forests ---- */

START_TEST(out_of_bag)
{
    ml_context *ctx = test_context(2);
    make_small();
    ml_table *t = small_table(ctx, NULL, d.two), *u = small_table(ctx, d.y, NULL);
    ml_model *m = fit(ctx, "random_forest", t, "features=[a,b,c,d] oob_score=true");
    double oob = at(m, "oob_score", 0);
    ck_assert_msg(oob > 0.85 && oob < 0.99, "%g", oob);
    ml_tensor *p = tensor(m, "oob_prediction");
    ck_assert_int_eq(ml_tensor_shape(p)[1], 2);
    int64_t right = 0;
    for (int64_t i = 0; i < ROWS; i++)
        right += (ml_tensor_get_f64(p, i, 1) > ml_tensor_get_f64(p, i, 0)) == d.two[i];
    ck_assert_double_eq_tol((double)right / ROWS, oob, 1e-12);
    ck_assert(scored(m, t, "accuracy") > oob);
    ml_tensor_free(p);
    ml_model_free(m);
    m = fit(ctx, "random_forest", u, "features=[a,b,c,d] oob_score=true task=regression");
    oob = at(m, "oob_score", 0);
    ck_assert_msg(oob > 0.85 && oob < 0.99, "%g", oob);
    ml_model_free(m);
    m = fit(ctx, "random_forest", u, "features=[a,b,c,d] n_trees=3 task=regression");
    ml_tensor *none = NULL;
    FAILS(ML_E_NAME, ml_model_get_tensor(m, "oob_score", &none, ERR));
    ml_model_free(m);
    ml_table_free(t);
    ml_table_free(u);
    ml_context_free(ctx);
}
END_TEST

START_TEST(feature_counts)
{
    ml_context *ctx = test_context(1);
    make_small();
    ml_table *t = small_table(ctx, NULL, d.two);
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    const char *const fine[] = {"sqrt", "log2", "third", "all", "0.5", "3", "99"};
    for (int i = 0; i < 7; i++) {
        char params[64];
        snprintf(params, sizeof params, "n_trees=2 max_features=%s", fine[i]);
        ml_model_free(fit(ctx, "random_forest", t, params));
    }
    OK(ml_estimator_new(ctx, "random_forest", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    OK(ml_estimator_set_str(e, "mtry", "half", ERR));
    FAILS(ML_E_RANGE, ml_estimator_fit(e, t, NULL, &m, ERR));
    SAYS("max_features is \"half\"");
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Rows of weight 0 do not count, and balanced classes have the same say. */
START_TEST(weights)
{
    ml_context *ctx = test_context(1);
    double x[] = {1, 1, 1, 1, 1, 1}, w[] = {1, 1, 1, 1, 1, 0};
    int64_t y[] = {0, 0, 0, 0, 1, 1};
    ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "x", 6, x), "w", 6, w);
    t = add_i64(ctx, t, "y", 6, y);
    const char *const params[] = {"weight=w", "weight=w class_weight=balanced"};
    for (int i = 0; i < 2; i++) {
        ml_model *m = fit(ctx, "decision_tree", t, params[i]);
        ml_tensor *p = predicted(m, "proba", t);
        ck_assert_double_eq_tol(ml_tensor_get_f64(p, 0, 1), i ? 0.5 : 0.2, 1e-15);
        ml_tensor_free(p);
        ml_model_free(m);
        /* A bootstrap draws by weight. */
        char all[80];
        snprintf(all, sizeof all, "%s n_trees=2000", params[i]);
        m = fit(ctx, "random_forest", t, all);
        p = predicted(m, "proba", t);
        ck_assert_double_eq_tol(ml_tensor_get_f64(p, 0, 1), i ? 0.5 : 0.2, 0.02);
        ml_tensor_free(p);
        ml_model_free(m);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* No leaf weighs less than the share asked for, whatever the kind of the scan. */
START_TEST(light_leaves)
{
    ml_context *ctx = test_context(1);
    make_small();
    const char *const algorithms[] = {"decision_tree", "extra_trees", "decision_tree"};
    for (int i = 0; i < 3; i++) {
        ml_table *t = small_table(ctx, i == 2 ? d.y : NULL, d.three);
        ml_model *m = fit(ctx, algorithms[i], t, "weight=w min_weight_fraction_leaf=0.1");
        ml_tensor *cover = NULL, *left = NULL;
        OK(ml_model_get_tensor(m, "node_cover", &cover, ERR));
        OK(ml_model_get_tensor(m, "node_left", &left, ERR));
        int64_t nodes = ml_tensor_shape(cover)[0], leaves = 0;
        double root = ml_tensor_get_f64(cover, 0, 0);
        for (int64_t n = 0; n < nodes; n++) {
            leaves += ml_tensor_get_f64(left, n, 0) == 0;
            if (i != 1) /* a forest has many roots */
                ck_assert_double_ge(ml_tensor_get_f64(cover, n, 0), 0.1 * root);
        }
        ck_assert_int_gt(leaves, 2);
        if (i != 1) ck_assert_int_le(leaves, 10);
        ml_tensor_free(cover);
        ml_tensor_free(left);
        ml_model_free(m);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

/* More distinct values than codes; enough rows for every way to sort. */
START_TEST(many_values)
{
    enum { n = 150000 };
    ml_context *ctx = test_context(2);
    double *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y);
    for (int64_t i = 0; i < n; i++) {
        x[i] = (double)(i * 7919 % n) / n;
        y[i] = x[i] * x[i];
    }
    ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "x", n, x), "y", n, y);
    ml_model *m = fit(ctx, "decision_tree", t, "max_leaves=256");
    double error = scored(m, t, "rmse");
    ck_assert_msg(error < 0.003, "%g", error);
    ml_model_free(m);
    ml_table_free(t);
    free(x);
    free(y);
    ml_context_free(ctx);
}
END_TEST

/* Random cuts tell doubles apart that are no floats: far from 0, very large, very small;
 * a full tree gives back its targets. */
START_TEST(places_of_doubles)
{
    enum { n = 700 };
    static const double start[] = {1.7e9, -1.7e9, 0, 0, -3},
                        step[] = {0.25, 1, 1e300, 1e-305, 1e-9};
    ml_context *ctx = test_context(2);
    for (int k = 0; k < 5; k++) {
        double x[n], y[n];
        for (int i = 0; i < n; i++) {
            x[i] = start[k] + i * 311 % n * step[k];
            y[i] = i * 17 % 101;
        }
        ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "x", n, x), "y", n, y);
        ml_model *m = fit(ctx, "extra_trees", t, "n_trees=3 bootstrap=false");
        double error = scored(m, t, "rmse");
        ck_assert_msg(error < 1e-9, "%d: %g", k, error);
        ml_model_free(m);
        m = fit(ctx, "extra_trees", t, "n_trees=100 bootstrap=true oob_score=true");
        ck_assert(isfinite(at(m, "oob_score", 0)));
        ml_model_free(m);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

/* One row of weight 1 / 2 is as good as one of weight 1, but goes another way: weights
 * that are not whole are never searched by bounds. */
START_TEST(bounds_change_nothing)
{
    enum { n = 6000 };
    ml_context *ctx = test_context(1);
    static double x[3][n], w[n], v[n];
    static int64_t label[n];
    uint64_t state = 5;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < 3; j++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            x[j][i] = (double)(state >> 40) / (j == 2 ? 1 << 14 : 1);
            if (j == 2) x[j][i] = floor(x[j][i]);
        }
        label[i] = (x[0][i] + 0.6 * x[1][i] + (double)(state >> 13 & 0xffffff) > 2.2e7);
        w[i] = 0.5;
        v[i] = 8;
    }
    ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "w", n, w), "v", n, v);
    for (int j = 0; j < 3; j++) t = add_f64(ctx, t, names[j], n, x[j]);
    t = add_i64(ctx, t, "y", n, label);
    const char *const params[] = {"max_depth=6",
                                  "max_leaves=40 min_data_in_leaf=50",
                                  "max_depth=7 min_weight_fraction_leaf=0.01",
                                  "max_depth=0",
                                  "min_data_in_leaf=3 max_depth=0",
                                  "min_weight_fraction_leaf=0.001 max_depth=0",
                                  "max_depth=0 weight=v"};
    for (int i = 0; i < 7; i++) {
        char a[128], b[160];
        snprintf(a, sizeof a, "features=[a,b,c] %s", params[i]);
        snprintf(b, sizeof b, "%s weight=w", a); /* the last weight counts */
        ml_model *m = fit(ctx, "decision_tree", t, a);
        ml_model *k = fit(ctx, "decision_tree", t, b);
        ml_tensor *p = tensor(m, "node_threshold"), *q = tensor(k, "node_threshold");
        int64_t nodes = ml_tensor_shape(p)[0];
        ck_assert_int_gt(nodes, 50);
        ck_assert_int_eq(ml_tensor_shape(q)[0], nodes);
        for (int64_t j = 0; j < nodes; j++)
            ck_assert(ml_tensor_get_f64(p, j, 0) == ml_tensor_get_f64(q, j, 0));
        ml_tensor_free(p);
        ml_tensor_free(q);
        ml_model_free(m);
        ml_model_free(k);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Quantiles of a stump are those of its rows; of a forest they cover what they say. */
START_TEST(quantiles)
{
    enum { n = 3000 };
    ml_context *ctx = test_context(2);
    static double x[n], y[n];
    uint64_t state = 9;
    for (int i = 0; i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        x[i] = i % 100;
        y[i] = x[i] + (1 + x[i] / 20) * (double)(state >> 40) / (1 << 24);
    }
    ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "x", n, x), "y", n, y);
    ml_model *m = fit(ctx, "random_forest", t,
                      "quantiles=[0.1,0.5,0.9] min_data_in_leaf=5 n_trees=50");
    ml_tensor *p = predicted(m, "quantiles", t);
    int64_t below[3] = {0};
    ck_assert_int_eq(ml_tensor_shape(p)[1], 3);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < 3; k++) below[k] += y[i] <= ml_tensor_get_f64(p, i, k);
    for (int64_t k = 0; k < 3; k++)
        ck_assert_double_eq_tol((double)below[k] / n, 0.1 + 0.4 * (double)k, 0.05);
    ml_tensor_free(p);
    ml_model_free(m);
    ml_table_free(t);
    double few[] = {4, 1, 3, 2}, same[] = {0, 0, 0, 0};
    t = add_f64(ctx, add_f64(ctx, NULL, "x", 4, same), "y", 4, few);
    m = fit(ctx, "decision_tree", t, "task=regression quantiles=[0.25,0.26,0.99]");
    p = predicted(m, "quantiles", t);
    ck_assert(ml_tensor_get_f64(p, 0, 0) == 1);
    ck_assert(ml_tensor_get_f64(p, 0, 1) == 2);
    ck_assert(ml_tensor_get_f64(p, 0, 2) == 4);
    ml_tensor_free(p);
    ml_model_free(m);
    m = fit(ctx, "decision_tree", t, "task=regression");
    ml_predictor *none = NULL;
    FAILS(ML_E_STATE, ml_predictor_new(m, "quantiles", NULL, &none, ERR));
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(threads)
{
    const char *const algorithms[] = {"random_forest", "extra_trees"};
    make_small();
    for (int i = 0; i < 4; i++) {
        double first[64];
        for (int count = 1; count <= 7; count += 3) {
            ml_context *ctx = test_context(count);
            ml_table *t = small_table(ctx, i / 2 ? d.y : NULL, d.three);
            ml_model *m =
                fit(ctx, algorithms[i % 2], t,
                    i / 2 ? "n_trees=15 features=[a,b,c,d] task=regression"
                          : "n_trees=15 features=[a,b,c,d] task=classification");
            ml_tensor *p = predicted(m, i / 2 ? "value" : "proba", t);
            for (int64_t k = 0; k < 64; k++) {
                double v = ml_tensor_get_f64(p, k, i / 2 ? 0 : k % 3);
                if (count == 1) first[k] = v;
                ck_assert(v == first[k]);
            }
            ml_tensor_free(p);
            ml_model_free(m);
            ml_table_free(t);
            ml_context_free(ctx);
        }
    }
}
END_TEST

static ml_model *fit_on(int32_t cpu_level, const char *params)
{
    enum { n = 3000 };
    static double x[3][n];
    static int64_t label[n];
    ml_context *ctx = test_context_level(1, cpu_level);
    ml_table *t = NULL;
    uint64_t state = 11;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < 3; j++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            x[j][i] = (double)(state >> (j == 1 ? 52 : 40));
            if (j == 2 && state >> 60 == 3) x[j][i] = NAN;
        }
        label[i] = x[0][i] + (double)(state >> 13 & 0xffffff) > 1.6e7;
    }
    for (int j = 0; j < 3; j++) t = add_f64(ctx, t, names[j], n, x[j]);
    t = add_i64(ctx, t, "y", n, label);
    ml_model *m = fit(ctx, "random_forest", t, params);
    ml_table_free(t);
    ml_context_free(ctx);
    return m;
}

/* Vector instructions change nothing. */
START_TEST(processors)
{
    const char *const params[] = {"n_trees=3 features=[a,b,c]",
                                  "n_trees=3 features=[a,b] min_data_in_leaf=4",
                                  "n_trees=3 features=[a,b,c] bootstrap=false"};
    const char *const parts[] = {"node_threshold", "node_flags", "node_value",
                                 "node_gain"};
    for (int i = 0; i < 3; i++) {
        ml_model *m = fit_on(MLI_CPU_SCALAR, params[i]), *k = fit_on(0, params[i]);
        for (int j = 0; j < 4; j++) {
            ml_tensor *p = tensor(m, parts[j]), *q = tensor(k, parts[j]);
            int64_t nodes = ml_tensor_shape(p)[0];
            ck_assert_int_gt(nodes, 500);
            ck_assert_int_eq(ml_tensor_shape(q)[0], nodes);
            for (int64_t v = 0; v < nodes; v++)
                ck_assert(ml_tensor_get_f64(p, v, 0) == ml_tensor_get_f64(q, v, 0));
            ml_tensor_free(p);
            ml_tensor_free(q);
        }
        ml_model_free(m);
        ml_model_free(k);
    }
}
END_TEST

static ml_status starved(failing_alloc *f, const char *name, const char *value)
{
    static const double v[] = {1, 4, 0, 2, 5, 1, 3, 1, 2, 4, 2, 0, 5, 2,
                               1, 6, 6, 2, 7, 9, 0, 8, 2, 1, 1, 1, 2};
    ml_host host = failing_host(f);
    ml_context *ctx = NULL;
    ml_tensor *x = NULL;
    ml_table *t = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    int64_t shape[] = {9, 3};
    ml_status s = ml_context_new(&host, &ctx, NULL);
    if (!s) s = ml_tensor_new(ctx, ML_DTYPE_F64, 2, shape, NULL, v, &x, NULL);
    if (!s) s = ml_table_read_tensor(ctx, x, NULL, &t, NULL);
    if (!s) s = ml_estimator_new(ctx, "random_forest", &e, NULL);
    int several = strcmp(name, "targets") == 0;
    if (!s && !several) s = ml_estimator_set_str(e, "target", "f2", NULL);
    if (!s) s = ml_estimator_set_i64(e, "n_trees", 3, NULL);
    const char *task =
        several || strcmp(name, "quantiles") == 0 ? "regression" : "classification";
    if (!s) s = ml_estimator_set_str(e, "task", task, NULL);
    if (!s) s = ml_estimator_set_str(e, name, value, NULL);
    if (!s) s = ml_estimator_fit(e, t, NULL, &m, NULL);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_tensor_free(x);
    ml_context_free(ctx);
    return s;
}

START_TEST(out_of_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, starved(&f, "oob_score", "true"));
    OUT_OF_MEMORY_LOOP(f, starved(&f, "class_weight", "balanced"));
    OUT_OF_MEMORY_LOOP(f, starved(&f, "ccp_alpha", "0.01"));
    OUT_OF_MEMORY_LOOP(f, starved(&f, "task", "regression"));
    OUT_OF_MEMORY_LOOP(f, starved(&f, "quantiles", "0.5"));
    OUT_OF_MEMORY_LOOP(f, starved(&f, "targets", "[f1, f2]"));
}
END_TEST

/* A forest that ends long before its last tree needs no memory for all of them. */
START_TEST(ends_early)
{
    ml_context *ctx = test_context(1);
    ml_cancel *cancel = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    make_small();
    ml_table *t = small_table(ctx, d.y, NULL);
    OK(ml_cancel_new(&cancel, ERR));
    ml_cancel_request(cancel, ML_STOP_KEEP);
    OK(ml_estimator_new(ctx, "random_forest", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    OK(ml_estimator_set_i64(e, "n_trees", 100000, ERR));
    ml_estimator_set_cancel(e, cancel);
    ck_assert(mli_memory_limit(ctx, mli_memory_used(ctx) + (64 << 20)));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ck_assert(at(m, "tree_start", 1) > 1);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_cancel_free(cancel);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("algorithms/forest", trees_of_numbers, trees_of_classes, contributions_of_trees,
          contributions_of_forests, as_good_as_the_reference, missing_values, categories,
          out_of_bag, feature_counts, weights, light_leaves, many_values,
          places_of_doubles, bounds_change_nothing, quantiles, threads, processors,
          out_of_memory, ends_early)
