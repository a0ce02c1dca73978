/* SPDX-License-Identifier: MIT
 *
 * ml_model_explain: what each method must say of models whose working is known.
 */
#include "../failing.h"

#define ROWS 400

/* a, b: numbers; c: a category; target 3 a + (c == "y"); b tells nothing. */
static ml_table *make_table(ml_context *ctx)
{
    double values[ROWS][3];
    const char *c[ROWS], *const levels[] = {"x", "y", "z"};
    const char *const names[] = {"a", "b", "target"};
    const int64_t shape[2] = {ROWS, 3};
    ml_tensor *t = NULL;
    ml_table *numbers = NULL, *table = NULL;
    for (int i = 0; i < ROWS; i++) {
        values[i][0] = (i * 37 % 100) / 10.0;
        values[i][1] = (i * 53 % 97) / 9.0;
        values[i][2] = 3 * values[i][0] + (i * 7 % 3 == 1);
        c[i] = levels[i * 7 % 3];
    }
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 2, shape, NULL, values, &t, ERR));
    OK(ml_table_read_tensor(ctx, t, names, &numbers, ERR));
    OK(ml_table_with_strs(ctx, numbers, "c", c, ROWS, &table, ERR));
    ml_tensor_free(t);
    ml_table_free(numbers);
    return table;
}

static ml_model *fit(ml_context *ctx, const char *algorithm, const ml_table *t,
                     const char *features)
{
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_estimator_new(ctx, algorithm, &e, ERR));
    OK(ml_estimator_set_str(e, "target", "target", ERR));
    if (features) OK(ml_estimator_set_str(e, "features", features, ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    return m;
}

/* From "method=ice;points=4". */
static ml_params *options_of(ml_context *ctx, const char *options)
{
    ml_params *p = NULL;
    char text[256], *at = text;
    OK(ml_params_new(ctx, &p, ERR));
    snprintf(text, sizeof text, "%s", options);
    while (at && *at) {
        char *end = strchr(at, ';'), *equal = strchr(at, '=');
        if (end) *end++ = 0;
        *equal = 0;
        OK(ml_params_set_str(p, at, equal + 1, ERR));
        at = end;
    }
    return p;
}

static ml_status explain(const ml_model *m, const ml_table *t, const char *options,
                         ml_table **out)
{
    ml_context *ctx = test_context(1);
    ml_params *p = options_of(ctx, options);
    ml_status s = ml_model_explain(m, t, p, out, ERR);
    ml_params_free(p);
    ml_context_free(ctx);
    return s;
}

static double cell(const ml_table *t, int64_t row, const char *column)
{
    int64_t j = ml_table_find(t, column);
    ck_assert_msg(j >= 0, "no column %s", column);
    return ml_table_get_f64(t, row, j);
}

START_TEST(permutation)
{
    ml_context *ctx = test_context(2), *one = test_context(1);
    ml_table *t = make_table(ctx), *other = make_table(one), *out = NULL, *same = NULL;
    ml_model *m = fit(ctx, "gbdt", t, NULL), *n = fit(one, "gbdt", other, NULL);
    OK(explain(m, t, "method=permutation;repeats=3;metric=rmse", &out));
    ck_assert_int_eq(ml_table_rows(out), 3);
    ck_assert_double_gt(cell(out, 0, "importance"), 5);
    ck_assert_double_lt(fabs(cell(out, 1, "importance")), 0.3);
    ck_assert_double_gt(cell(out, 2, "importance"), 0.1);
    ck_assert_double_le(cell(out, 0, "least"), cell(out, 0, "importance"));
    ck_assert_double_ge(cell(out, 0, "most"), cell(out, 0, "importance"));
    /* The same with another number of threads, and for a score to be maximised. */
    OK(explain(n, other, "method=permutation;repeats=3;metric=rmse", &same));
    for (int i = 0; i < 3; i++)
        ck_assert(cell(out, i, "importance") == cell(same, i, "importance"));
    ml_table_free(same);
    ml_table_free(out);
    OK(explain(m, t, "method=permutation;metric=r2;columns=[c, a]", &out));
    ck_assert_int_eq(ml_table_rows(out), 2);
    ck_assert_double_gt(cell(out, 1, "importance"), 1);
    ml_table_free(out);
    ml_model_free(m);
    ml_model_free(n);
    ml_table_free(t);
    ml_table_free(other);
    ml_context_free(ctx);
    ml_context_free(one);
}
END_TEST

/* Survival has one metric, of risks: cox predicts those, aft times. */
START_TEST(permutation_of_survival)
{
    const char *const objectives[] = {"cox", "aft"};
    ml_context *ctx = test_context(1);
    ml_table *t = make_table(ctx), *out = NULL;
    for (int k = 0; k < 2; k++) {
        ml_estimator *e = NULL;
        ml_model *m = NULL;
        OK(ml_estimator_new(ctx, "gbdt", &e, ERR));
        OK(ml_estimator_set_str(e, "target", "target", ERR));
        OK(ml_estimator_set_str(e, "objective", objectives[k], ERR));
        OK(ml_estimator_set_str(e, "features", "[a, b]", ERR));
        ml_table *part = NULL;
        OK(ml_table_slice(t, 1, ROWS / 2, &part, ERR)); /* times above 0 */
        OK(ml_estimator_fit(e, part, NULL, &m, ERR));
        OK(explain(m, part, "method=permutation", &out));
        ck_assert_double_gt(cell(out, 0, "importance"), 0.2);
        ck_assert_double_lt(fabs(cell(out, 1, "importance")), 0.1);
        ml_table_free(out);
        ml_table_free(part);
        ml_model_free(m);
        ml_estimator_free(e);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(partial_dependence)
{
    ml_context *ctx = test_context(2);
    ml_table *t = make_table(ctx), *pd = NULL, *ice = NULL;
    ml_model *m = fit(ctx, "linear_regression", t, "[a, b]");
    OK(explain(m, t, "method=partial_dependence;points=5;columns=a", &pd));
    ck_assert_int_eq(ml_table_rows(pd), 5);
    ck_assert(cell(pd, 0, "value") == 0);
    ck_assert(cell(pd, 4, "value") == 9.9);
    for (int i = 1; i < 5; i++) {
        double run = cell(pd, i, "value") - cell(pd, i - 1, "value");
        double rise = cell(pd, i, "prediction") - cell(pd, i - 1, "prediction");
        ck_assert_double_eq_tol(rise / run, 3, 0.05);
    }
    OK(explain(m, t, "method=ice;points=5;columns=a", &ice));
    ck_assert_int_eq(ml_table_rows(ice), 5 * ROWS);
    for (int i = 0; i < 5; i++) {
        double sum = 0;
        for (int r = 0; r < ROWS; r++) {
            sum += cell(ice, i * ROWS + r, "prediction");
            ck_assert(cell(ice, i * ROWS + r, "row") == r);
        }
        ck_assert_double_eq_tol(sum / ROWS, cell(pd, i, "prediction"), 1e-9);
    }
    ml_table_free(pd);
    ml_table_free(ice);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(categories)
{
    ml_context *ctx = test_context(2);
    ml_table *t = make_table(ctx), *pd = NULL;
    ml_model *m = fit(ctx, "gbdt", t, NULL);
    char text[8];
    OK(explain(m, t, "method=partial_dependence;columns=[b, c];points=100", &pd));
    int64_t n = ml_table_rows(pd), at = ml_table_find(pd, "category");
    ck_assert_int_eq(n, 97 + 3); /* all values of b */
    ck_assert(isnan(cell(pd, n - 2, "value")));
    ck_assert_int_eq(ml_table_get_str(pd, n - 2, at, text, sizeof text), 1);
    ck_assert_str_eq(text, "y");
    ck_assert_double_gt(cell(pd, n - 2, "prediction"),
                        cell(pd, n - 1, "prediction") + 0.5);
    ml_table_free(pd);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(importance_and_trees)
{
    ml_context *ctx = test_context(1);
    ml_table *t = make_table(ctx), *out = NULL;
    ml_model *m = fit(ctx, "gbdt", t, NULL);
    OK(explain(m, NULL, "method=importance", &out));
    ck_assert_int_eq(ml_table_rows(out), 3);
    ck_assert_double_gt(cell(out, 0, "importance"), cell(out, 1, "importance"));
    ml_table_free(out);
    OK(explain(m, NULL, "method=trees", &out));
    int64_t nodes = 0;
    ml_tensor *start = NULL;
    OK(ml_model_get_tensor(m, "tree_start", &start, ERR));
    nodes = (int64_t)ml_tensor_get_f64(start, ml_tensor_shape(start)[0] - 1, 0);
    ml_tensor_free(start);
    ck_assert_int_eq(ml_table_rows(out), nodes);
    ml_table_free(out);
    OK(explain(m, NULL, "method=trees;tree=1", &out));
    ck_assert(cell(out, 0, "tree") == 1);
    for (int64_t i = 0; i < ml_table_rows(out); i++) {
        double left = cell(out, i, "left");
        if (left < 0) continue;
        double sum = cell(out, (int64_t)left, "cover") +
                     cell(out, (int64_t)cell(out, i, "right"), "cover");
        ck_assert_double_eq_tol(cell(out, i, "cover"), sum, 1e-6 * sum);
    }
    ml_table_free(out);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A leaf's function is what is predicted. */
START_TEST(functions_of_leaves)
{
    ml_context *ctx = test_context(1);
    ml_table *t = make_table(ctx), *out = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_estimator_new(ctx, "gbdt", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "target", ERR));
    OK(ml_estimator_set_str(e, "linear_tree", "true", ERR));
    OK(ml_estimator_set_i64(e, "n_trees", 1, ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    OK(explain(m, NULL, "method=trees", &out));
    int64_t at = ml_table_find(out, "linear"), found = 0;
    ck_assert_int_ge(at, 0);
    for (int64_t i = 0; i < ml_table_rows(out); i++) {
        char text[256];
        int64_t size = ml_table_get_str(out, i, at, text, sizeof text);
        if (size <= 0) continue;
        ck_assert(cell(out, i, "left") < 0);
        ck_assert(strstr(text, " * a") || strstr(text, " * b"));
        found++;
    }
    ck_assert_int_gt(found, 1);
    ml_estimator_free(e);
    ml_model_free(m);
    ml_table_free(out);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(refused)
{
    ml_context *ctx = test_context(1);
    ml_table *t = make_table(ctx), *out = NULL;
    ml_model *m = fit(ctx, "gbdt", t, NULL), *base = fit(ctx, "baseline", t, NULL);
    FAILS(ML_E_ARGUMENT, explain(m, NULL, "method=permutation", &out));
    FAILS(ML_E_NAME, explain(m, t, "method=permutation;columns=nope", &out));
    FAILS(ML_E_NAME, explain(m, t, "method=permutation;metric=nope", &out));
    FAILS(ML_E_RANGE, explain(m, NULL, "method=trees;tree=100000", &out));
    FAILS(ML_E_UNSUPPORTED, explain(base, NULL, "method=trees", &out));
    FAILS(ML_E_UNSUPPORTED, explain(base, NULL, "method=importance", &out));
    FAILS(ML_E_ARGUMENT, ml_model_explain(NULL, t, NULL, &out, ERR));
    FAILS(ML_E_ARGUMENT, ml_model_explain(m, t, NULL, NULL, ERR));
    ml_model_free(m);
    ml_model_free(base);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static ml_status all_of_it(failing_alloc *f, const char *path, const char *method)
{
    ml_host host = failing_host(f);
    host.threads = 1;
    ml_context *ctx = NULL;
    ml_model *m = NULL;
    ml_table *t = NULL, *out = NULL;
    ml_params *p = NULL;
    char csv[512];
    snprintf(csv, sizeof csv, "%s.csv", path);
    ml_status s = ml_context_new(&host, &ctx, NULL);
    if (s == ML_OK) s = ml_params_new(ctx, &p, NULL);
    if (s == ML_OK) s = ml_params_set_str(p, "method", method, NULL);
    if (s == ML_OK) s = ml_model_load_file(ctx, path, NULL, &m, NULL);
    if (s == ML_OK) s = ml_table_read_csv(ctx, csv, NULL, &t, NULL);
    if (s == ML_OK) s = ml_model_explain(m, t, p, &out, NULL);
    ml_table_free(out);
    ml_table_free(t);
    ml_params_free(p);
    ml_model_free(m);
    ml_context_free(ctx);
    return s;
}

START_TEST(out_of_memory)
{
    ml_context *ctx = test_context(1);
    ml_table *t = make_table(ctx), *few = NULL;
    ml_model *m = fit(ctx, "gbdt", t, NULL);
    char path[256], csv[300];
    snprintf(path, sizeof path, "%s/m.mlm", test_folder());
    snprintf(csv, sizeof csv, "%s.csv", path);
    OK(ml_model_save_file(m, path, NULL, ERR));
    OK(ml_table_slice(t, 0, 20, &few, ERR));
    OK(ml_table_write_csv(few, csv, NULL, ERR));
    const char *methods[] = {"permutation", "ice", "trees", "importance"};
    for (int i = 0; i < 4; i++) {
        failing_alloc f;
        OUT_OF_MEMORY_LOOP(f, all_of_it(&f, path, methods[i]));
    }
    ml_model_free(m);
    ml_table_free(few);
    ml_table_free(t);
    ml_context_free(ctx);
    test_folder_remove();
}
END_TEST

TEST_MAIN("tuning/explain", permutation, permutation_of_survival, partial_dependence,
          categories, importance_and_trees, functions_of_leaves, refused, out_of_memory)
