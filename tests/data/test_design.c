/* SPDX-License-Identifier: MIT
 *
 * The design matrix in training: roles, kinds, codes, tasks, targets, weights, groups.
 */
#include "design_testing.h"

/* ---- roles ---- */

START_TEST(takes_all_other_columns)
{
    ml_context *ctx = test_context(1);
    ml_table *t = people(ctx);
    mli_design *d = train(ctx, &both, t, "target", "income", "weight", "w", NULL);
    ck_assert_int_eq(d->rows, PEOPLE);
    ck_assert_int_eq(d->n_features, 4);
    const char *names[] = {"age", "job", "member", "zip"};
    const int32_t kinds[] = {MLI_NUMERIC, MLI_CATEGORICAL, MLI_NUMERIC, MLI_NUMERIC};
    const int32_t types[] = {ML_DTYPE_F64, ML_TYPE_CATEGORY, ML_DTYPE_BOOL, ML_DTYPE_I64};
    for (int j = 0; j < 4; j++) {
        ck_assert_str_eq(d->inputs->features[j].name, names[j]);
        ck_assert_int_eq(d->inputs->features[j].kind, kinds[j]);
        ck_assert_int_eq(d->inputs->features[j].type, types[j]);
        ck_assert_int_eq(d->columns[j].kind, kinds[j]);
    }
    ck_assert_str_eq(d->inputs->target, "income");
    ck_assert_str_eq(d->inputs->weight, "w");
    ck_assert_ptr_null(d->inputs->group);
    ck_assert_ptr_null(d->ignored);
    double row[4];
    mli_design_rows(d, 1, 2, row, 4);
    ck_assert(row[0] == 31 && row[1] == 2 && row[2] == 0 && row[3] == 200);
    mli_design_rows(d, 3, 4, row, 4);
    ck_assert(isnan(row[0]) && isnan(row[1]));
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(takes_listed_columns)
{
    ml_context *ctx = test_context(1);
    ml_table *t = people(ctx);
    mli_design *d = train(ctx, &both, t, "target", "income", "weight", "w", "features",
                          "[w, age]", NULL);
    ck_assert_int_eq(d->n_features, 2);
    ck_assert_str_eq(d->inputs->features[0].name, "w");
    ck_assert_str_eq(d->inputs->features[1].name, "age");
    mli_design_free(d);
    d = train(ctx, &both, t, "target", "income", "ignore", "[w, zip]", "categorical",
              "member", NULL);
    ck_assert_int_eq(d->n_features, 3);
    ck_assert_int_eq(d->inputs->features[2].kind, MLI_CATEGORICAL);
    is_level(d, 2, 0, "false");
    is_level(d, 2, 1, "true");
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(rejects_wrong_roles)
{
    ml_context *ctx = test_context(1);
    ml_table *t = people(ctx);
    train_fails(ML_E_NAME, ctx, &both, t, "target", "incom", NULL);
    SAYS("no column \"incom\"");
    SAYS("params.target");
    SAYS("did you mean \"income\"?");
    train_fails(ML_E_NAME, ctx, &both, t, "target", "income", "features", "[age, xyzzy]",
                NULL);
    SAYS("params.features");
    SAYS("the columns are \"age\", \"job\"");
    train_fails(ML_E_NAME, ctx, &both, t, "target", "income", "ignore", "[ages]", NULL);
    SAYS("params.ignore");
    train_fails(ML_E_NAME, ctx, &both, t, "target", "income", "weight", "ww", NULL);
    train_fails(ML_E_NAME, ctx, &both, t, "target", "income", "time", "when", NULL);
    train_fails(ML_E_NAME, ctx, &both, t, "target", "income", "categorical", "[jib]",
                NULL);
    SAYS("did you mean \"job\"?");
    train_fails(ML_E_ARGUMENT, ctx, &both, t, "target", "income", "features",
                "[age, income]", NULL);
    SAYS("the target \"income\" is among the features");
    train_fails(ML_E_ARGUMENT, ctx, &both, t, "target", "income", "features",
                "[age, job, age]", NULL);
    SAYS("listed twice");
    train_fails(ML_E_DATA, ctx, &both, t, "target", "income", "ignore",
                "[age, job, member, zip, w]", NULL);
    SAYS("no column is left");
    train_fails(ML_E_TYPE, ctx, &both, t, "target", "income", "time", "job", NULL);
    SAYS("time must be dates, times or numbers");
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(rejects_empty_tables)
{
    ml_context *ctx = test_context(1);
    ml_table *t = people(ctx), *none = NULL, *target = NULL;
    OK(ml_table_slice(t, 0, 0, &none, ERR));
    train_fails(ML_E_DATA, ctx, &both, none, "target", "income", NULL);
    SAYS("no rows");
    OK(ml_table_select(t, (const char *[]){"income"}, 1, &target, ERR));
    train_fails(ML_E_DATA, ctx, &both, target, "target", "income", NULL);
    SAYS("no column is left to predict from");
    ml_table_free(target);
    ml_table_free(none);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A table whose columns have the names given. */
static ml_table *named(ml_context *ctx, int n, const char *const *names)
{
    mli_builder *b = NULL;
    ml_table *t = NULL;
    OK(mli_builder_new(ctx, 2, &b, ERR));
    for (int i = 0; i < n; i++) {
        OK(mli_builder_f64(b, names[i], (double[]){i, i + 1}, ERR));
    }
    OK(mli_builder_finish(b, &t, ERR));
    return t;
}

START_TEST(rejects_repeated_names)
{
    ml_context *ctx = test_context(1);
    ml_table *t = named(ctx, 4, (const char *[]){"y", "a", "b", "a"});
    train_fails(ML_E_DATA, ctx, &both, t, "target", "y", NULL);
    SAYS("two columns have this name: number 2 and number 4");
    SAYS("column \"a\"");
    train_fails(ML_E_DATA, ctx, &both, t, "target", "a", NULL);
    train_fails(ML_E_DATA, ctx, &both, t, "target", "y", "features", "[a]", NULL);
    mli_design *d = train(ctx, &both, t, "target", "y", "ignore", "[a]", NULL);
    ck_assert_int_eq(d->n_features, 1);
    ck_assert_str_eq(d->inputs->features[0].name, "b");
    mli_design_free(d);
    d = train(ctx, &both, t, "target", "y", "features", "[b]", NULL);
    ck_assert_int_eq(d->n_features, 1);
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(needs_a_target)
{
    ml_context *ctx = test_context(1);
    ml_table *t = people(ctx);
    mli_design *d = NULL;
    ml_params *p = NULL;
    /* Parameters that were not resolved. */
    OK(ml_params_new(ctx, &p, ERR));
    FAILS(ML_E_ARGUMENT, mli_design_train(ctx, &both, p, t, &d, ERR));
    SAYS("params.target");
    SAYS("such as \"income\"");
    ml_params_free(p);
    d = train(ctx, &unsupervised, t, NULL, NULL);
    ck_assert_int_eq(d->n_features, 6);
    ck_assert_ptr_null(d->y);
    ck_assert_ptr_null(d->label);
    ck_assert_ptr_null(d->inputs->target);
    ck_assert_int_eq(d->inputs->task, MLI_TASK_CLUSTERING);
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- codes ---- */

START_TEST(sorts_levels)
{
    ml_context *ctx = test_context(1);
    const char *words[] = {"b", "a",         "",         "ab",      NULL,
                           "b", "aardvarks", "aardvark", "\xc3\xa9"};
    const char *sorted[] = {"", "a", "aardvark", "aardvarks", "ab", "b", "\xc3\xa9"};
    const int codes[] = {5, 1, 0, 4, -1, 5, 3, 2, 6};
    ml_table *t = add_text(ctx, NULL, "word", 9, words);
    t = add_f64(ctx, t, "y", 9, (double[]){0, 1, 2, 3, 4, 5, 6, 7, 8});
    mli_design *d = train(ctx, &both, t, "target", "y", NULL);
    ck_assert_int_eq(d->inputs->features[0].levels.n, 7);
    for (int k = 0; k < 7; k++) {
        is_level(d, 0, k, sorted[k]);
        ck_assert_int_eq(mli_dictionary_find(&d->inputs->features[0].levels, sorted[k],
                                             strlen(sorted[k])),
                         k);
    }
    ck_assert_int_eq(mli_dictionary_find(&d->inputs->features[0].levels, "aa", 2), -1);
    for (int i = 0; i < 9; i++) ck_assert_int_eq(d->columns[0].codes[i], codes[i]);
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(keeps_levels_that_occur)
{
    ml_context *ctx = test_context(1);
    mli_builder *b = NULL;
    ml_table *t = NULL, *part = NULL;
    /* Levels repeat and are not in order; some do not occur in the first four rows. */
    const int32_t codes[] = {3, 0, 2, -1, 1, 4, 9};
    const char *levels[] = {"x", "never", "a", "a", "late"};
    OK(mli_builder_new(ctx, 7, &b, ERR));
    OK(mli_builder_category(b, "c", codes, levels, 5, ERR));
    OK(mli_builder_f64(b, "y", (double[]){1, 2, 3, 4, 5, 6, 7}, ERR));
    OK(mli_builder_finish(b, &t, ERR));
    OK(ml_table_slice(t, 0, 4, &part, ERR));
    mli_design *d = train(ctx, &both, part, "target", "y", NULL);
    ck_assert_int_eq(d->inputs->features[0].levels.n, 2);
    is_level(d, 0, 0, "a");
    is_level(d, 0, 1, "x");
    const int expected[] = {0, 1, 0, -1};
    for (int i = 0; i < 4; i++) ck_assert_int_eq(d->columns[0].codes[i], expected[i]);
    mli_design_free(d);
    ml_table_free(part);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(codes_numbers_by_their_text)
{
    ml_context *ctx = test_context(1);
    ml_table *t = add_f64(ctx, NULL, "f", 6, (double[]){10, -0.0, 0, 9.5, NAN, 10});
    t = add_i64(ctx, t, "i", 6, (int64_t[]){INT64_MAX, INT64_MAX - 1, -5, 7, 7, 12});
    t = add_values(ctx, t, "g", 6, ML_DTYPE_F32, (float[]){0.1f, 2, 0.1f, 3, 4, 5});
    t = add_values(ctx, t, "u", 6, ML_DTYPE_U64,
                   (uint64_t[]){UINT64_MAX, 0, UINT64_MAX, 3, 4, 5});
    t = add_f64(ctx, t, "y", 6, (double[]){0, 1, 2, 3, 4, 5});
    mli_design *d =
        train(ctx, &both, t, "target", "y", "categorical", "[f, i, g, u]", NULL);
    const char *f[] = {"0", "10", "9.5"};
    for (int k = 0; k < 3; k++) is_level(d, 0, k, f[k]);
    const int f_codes[] = {1, 0, 0, 2, -1, 1};
    for (int i = 0; i < 6; i++) ck_assert_int_eq(d->columns[0].codes[i], f_codes[i]);
    const char *whole[] = {"-5", "12", "7", "9223372036854775806", "9223372036854775807"};
    for (int k = 0; k < 5; k++) is_level(d, 1, k, whole[k]);
    is_level(d, 2, 0, "0.1");
    is_level(d, 3, 1, "18446744073709551615");
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(codes_many_levels)
{
    enum { ROWS = 60000, LEVELS = 30000 };
    ml_context *ctx = test_context(2);
    char(*text)[16] = calloc(LEVELS, sizeof *text);
    const char **words = calloc(ROWS, sizeof *words);
    double *y = calloc(ROWS, sizeof *y);
    for (int k = 0; k < LEVELS; k++) snprintf(text[k], sizeof text[k], "level%d", k);
    for (int64_t i = 0; i < ROWS; i++) {
        words[i] = text[(i * 7919) % LEVELS];
        y[i] = (double)i;
    }
    ml_table *t = add_text(ctx, NULL, "word", ROWS, words);
    t = add_f64(ctx, t, "y", ROWS, y);
    mli_design *d = train(ctx, &both, t, "target", "y", NULL);
    const mli_dictionary *levels = &d->inputs->features[0].levels;
    ck_assert_int_eq(levels->n, LEVELS);
    ck_assert(mli_dictionary_valid(levels, 1));
    for (int64_t i = 0; i < ROWS; i++) {
        ck_assert_int_eq(d->columns[0].codes[i],
                         mli_dictionary_find(levels, words[i], strlen(words[i])));
    }
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
    free(text);
    free(words);
    free(y);
}
END_TEST

/* ---- columns of no use ---- */

START_TEST(leaves_out_identifiers)
{
    enum { ROWS = 3000 };
    ml_context *ctx = test_context(1);
    char(*text)[16] = calloc(ROWS, sizeof *text);
    const char **words = calloc(ROWS, sizeof *words),
               **nothing = calloc(ROWS, sizeof *nothing);
    double *y = calloc(ROWS, sizeof *y), *nan = calloc(ROWS, sizeof *nan);
    for (int i = 0; i < ROWS; i++) {
        snprintf(text[i], sizeof text[i], "id%d", i);
        words[i] = text[i];
        y[i] = i % 7;
        nan[i] = NAN;
    }
    ml_table *t = add_text(ctx, NULL, "id", ROWS, words);
    t = add_text(ctx, t, "nothing", ROWS, nothing);
    t = add_f64(ctx, t, "nan", ROWS, nan);
    t = add_f64(ctx, t, "x", ROWS, y);
    t = add_f64(ctx, t, "y", ROWS, y);
    mli_design *d = train(ctx, &both, t, "target", "y", NULL);
    ck_assert_int_eq(d->n_features, 1);
    ck_assert_int_eq(d->inputs->n_features, 1);
    ck_assert_str_eq(d->inputs->features[0].name, "x");
    ck_assert_str_eq(d->ignored, "id, nothing, nan");
    mli_design_free(d);
    d = train(ctx, &both, t, "target", "y", "features", "[id, nothing, nan]", NULL);
    ck_assert_int_eq(d->n_features, 3);
    ck_assert_int_eq(d->inputs->features[0].levels.n, ROWS);
    ck_assert_int_eq(d->inputs->features[1].levels.n, 0);
    ck_assert_ptr_null(d->ignored);
    double row[3];
    mli_design_rows(d, 5, 6, row, 3);
    ck_assert(row[0] >= 0 && isnan(row[1]) && isnan(row[2]));
    mli_design_free(d);
    d = train(ctx, &both, t, "target", "y", "categorical", "[id]", NULL);
    ck_assert_int_eq(d->n_features, 2);
    mli_design_free(d);
    train_fails(ML_E_DATA, ctx, &both, t, "target", "y", "ignore", "[x]", NULL);
    SAYS("no column is left to predict from: id, nothing, nan have");
    /* With few distinct values text is a category, however few its rows. */
    ml_table *few = NULL;
    OK(ml_table_slice(t, 0, 900, &few, ERR));
    d = train(ctx, &both, few, "target", "y", NULL);
    ck_assert_str_eq(d->ignored, "nothing, nan");
    mli_design_free(d);
    ml_table_free(few);
    ml_table_free(t);
    ml_context_free(ctx);
    free(text);
    free(words);
    free(nothing);
    free(y);
    free(nan);
}
END_TEST

/* ---- tasks and targets ---- */

static int32_t task_of(ml_context *ctx, const mli_descriptor *desc, const ml_table *t,
                       const char *target, const char *task)
{
    mli_design *d = train(ctx, desc, t, "target", target, "task", task, NULL);
    int32_t result = d->inputs->task;
    ck_assert((d->y != NULL) == (result == MLI_TASK_REGRESSION));
    ck_assert((d->label != NULL) == (result == MLI_TASK_CLASSIFICATION));
    ck_assert((d->inputs->classes.n > 0) == (result == MLI_TASK_CLASSIFICATION));
    mli_design_free(d);
    return result;
}

START_TEST(chooses_the_task)
{
    enum { R = MLI_TASK_REGRESSION, C = MLI_TASK_CLASSIFICATION };
    ml_context *ctx = test_context(1);
    ml_table *t = people(ctx);
    t = add_f64(ctx, t, "binary", PEOPLE, (double[]){0, 1, 1, 0, 1, 0});
    t = add_f64(ctx, t, "zeros", PEOPLE, (double[]){0, 0, 0, 0, 0, 0});
    t = add_f64(ctx, t, "three", PEOPLE, (double[]){0, 1, 2, 0, 1, 0});
    ck_assert_int_eq(task_of(ctx, &both, t, "income", "auto"), C);
    ck_assert_int_eq(task_of(ctx, &both, t, "member", "auto"), C);
    ck_assert_int_eq(task_of(ctx, &both, t, "binary", "auto"), C);
    ck_assert_int_eq(task_of(ctx, &both, t, "zeros", "auto"), R);
    ck_assert_int_eq(task_of(ctx, &both, t, "three", "auto"), R);
    ck_assert_int_eq(task_of(ctx, &both, t, "w", "auto"), R);
    ck_assert_int_eq(task_of(ctx, &both, t, "three", "classification"), C);
    ck_assert_int_eq(task_of(ctx, &both, t, "binary", "regression"), R);
    ck_assert_int_eq(task_of(ctx, &both, t, "member", "regression"), R);
    ck_assert_int_eq(task_of(ctx, &classifier, t, "three", "auto"), C);
    ck_assert_int_eq(task_of(ctx, &regressor, t, "binary", "auto"), R);
    train_fails(ML_E_UNSUPPORTED, ctx, &regressor, t, "target", "binary", "task",
                "classification", NULL);
    SAYS("params.task");
    train_fails(ML_E_RANGE, ctx, &both, t, "target", "binary", "task", "clasification",
                NULL);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(orders_classes)
{
    ml_context *ctx = test_context(1);
    ml_table *t = add_f64(ctx, NULL, "n", 5, (double[]){10, 9, -1, 9, 10});
    t = add_text(ctx, t, "s", 5, (const char *[]){"no", "yes", "no", "yes", "no"});
    t = add_f64(ctx, t, "x", 5, (double[]){1, 2, 3, 4, 5});
    mli_design *d = train(ctx, &classifier, t, "target", "n", NULL);
    const int numeric[] = {2, 1, 0, 1, 2};
    is_class(d, 0, "-1");
    is_class(d, 1, "9");
    is_class(d, 2, "10");
    for (int i = 0; i < 5; i++) ck_assert_int_eq(d->label[i], numeric[i]);
    ck_assert_int_eq(d->inputs->target_type, ML_DTYPE_F64);
    size_t size = 0;
    ck_assert_ptr_null(mli_inputs_label(d->inputs, 3, &size));
    mli_design_free(d);
    d = train(ctx, &classifier, t, "target", "s", "positive", "no", NULL);
    is_class(d, 0, "yes");
    is_class(d, 1, "no");
    ck_assert(d->label[0] == 1 && d->label[1] == 0 && d->label[4] == 1);
    mli_design_free(d);
    d = train(ctx, &classifier, t, "target", "s", "positive", "yes", NULL);
    is_class(d, 1, "yes");
    mli_design_free(d);
    train_fails(ML_E_NAME, ctx, &classifier, t, "target", "s", "positive", "maybe", NULL);
    SAYS("its classes are \"no\" and \"yes\"");
    train_fails(ML_E_ARGUMENT, ctx, &classifier, t, "target", "n", "positive", "9", NULL);
    SAYS("two classes");
    train_fails(ML_E_ARGUMENT, ctx, &both, t, "target", "n", "positive", "9", NULL);
    SAYS("is a number; set task to \"classification\"");
    t = add_i64(ctx, t, "b", 5, (int64_t[]){1, 2, 1, 2, 1});
    d = train(ctx, &classifier, t, "target", "b", "positive", "1.0", NULL);
    is_class(d, 1, "1");
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(drops_rows_without_target)
{
    ml_context *ctx = test_context(1);
    ml_table *t = add_f64(ctx, NULL, "y", 5, (double[]){NAN, 2, 3, NAN, 5});
    t = add_text(ctx, t, "c", 5, (const char *[]){"gone", "b", NULL, "gone", "a"});
    t = add_f64(ctx, t, "w", 5, (double[]){-1, 0, 2, NAN, 4});
    t = add_f64(ctx, t, "unused", 5, (double[]){1, 2, 3, 4, 5});
    mli_design *d =
        train(ctx, &both, t, "target", "y", "weight", "w", "ignore", "[unused]", NULL);
    ck_assert_int_eq(d->rows, 3);
    ck_assert_int_eq(d->dropped, 2);
    ck_assert_int_eq(d->table->rows, 3);
    ck_assert_int_eq(ml_table_find(d->table, "unused"), -1);
    ck_assert(d->y[0] == 2 && d->y[1] == 3 && d->y[2] == 5);
    ck_assert(d->weight[0] == 0 && d->weight[1] == 2 && d->weight[2] == 4);
    ck_assert_int_eq(d->inputs->features[0].levels.n, 2);
    ck_assert(d->columns[0].codes[0] == 1 && d->columns[0].codes[1] == -1);
    mli_design_free(d);
    t = add_text(ctx, t, "none", 5, (const char *[]){NULL, NULL, NULL, NULL, NULL});
    train_fails(ML_E_DATA, ctx, &both, t, "target", "none", NULL);
    SAYS("missing in all 5 rows");
    d = train(ctx, &both, t, "target", "c", NULL);
    ck_assert_int_eq(d->rows, 4);
    ck_assert_int_eq(d->inputs->classes.n, 3);
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(rejects_bad_targets)
{
    ml_context *ctx = test_context(1);
    ml_table *t = add_text(ctx, NULL, "s", 4, (const char *[]){"1", "2.5", "three", "4"});
    t = add_text(ctx, t, "ok", 4, (const char *[]){"1", " 2.5", "1e3", "-4"});
    t = add_text(ctx, t, "one", 4, (const char *[]){"cat", "cat", "cat", "cat"});
    t = add_f64(ctx, t, "inf", 4, (double[]){1, 2, INFINITY, 4});
    t = add_text(ctx, t, "bad", 4, (const char *[]){"a", "b\xff", "a", "a"});
    train_fails(ML_E_TYPE, ctx, &regressor, t, "target", "s", NULL);
    SAYS("\"three\" is not a number");
    SAYS("column \"s\", row 3");
    SAYS("an algorithm for classification");
    mli_design *d = train(ctx, &regressor, t, "target", "ok", "ignore", "[bad]", NULL);
    ck_assert(d->y[0] == 1 && d->y[1] == 2.5 && d->y[2] == 1000 && d->y[3] == -4);
    mli_design_free(d);
    train_fails(ML_E_DATA, ctx, &both, t, "target", "one", NULL);
    SAYS("only one class, \"cat\"");
    train_fails(ML_E_DATA, ctx, &both, t, "target", "inf", NULL);
    SAYS("infinite");
    SAYS("row 3");
    train_fails(ML_E_DATA, ctx, &both, t, "target", "bad", NULL);
    SAYS("not UTF-8");
    train_fails(ML_E_DATA, ctx, &both, t, "target", "s", "ignore", "[bad]", NULL);
    SAYS("each of the 4 rows has a class of its own");
    t = add_text(ctx, t, "two", 4, (const char *[]){"a", "b", "a", "b"});
    train_fails(ML_E_DATA, ctx, &both, t, "target", "two", NULL);
    SAYS("column \"bad\": the column has text that is not UTF-8");
    train_fails(ML_E_DATA, ctx, &reader, t, "target", "ok", "ignore", "[s, inf]", "text",
                "[bad]", NULL);
    SAYS("column \"bad\": the column has text that is not UTF-8");
    train_fails(ML_E_ARGUMENT, ctx, &both, t, "target", "s", "text", "[bad]",
                "categorical", "[bad]", NULL);
    SAYS("both categorical and text");
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(rejects_too_many_classes)
{
    enum { ROWS = 15000 };
    ml_context *ctx = test_context(1);
    double *y = calloc(ROWS, sizeof *y);
    for (int i = 0; i < ROWS; i++) y[i] = i / 3.0;
    ml_table *t = add_f64(ctx, NULL, "y", ROWS, y);
    t = add_f64(ctx, t, "x", ROWS, y);
    train_fails(ML_E_DATA, ctx, &both, t, "target", "y", "task", "classification", NULL);
    SAYS("15000 distinct values in 15000 rows");
    SAYS("set task to \"regression\"");
    train_fails(ML_E_DATA, ctx, &classifier, t, "target", "y", NULL);
    SAYS("use an algorithm for regression");
    for (int i = 0; i < ROWS; i++) y[i] = i % 9000 / 4.0; /* fewer, with fractions */
    t = add_f64(ctx, t, "y", ROWS, y);
    train_fails(ML_E_DATA, ctx, &classifier, t, "target", "y", NULL);
    SAYS("9000 distinct values in 15000 rows");
    for (int i = 0; i < ROWS; i++) y[i] = i % 5000;
    t = add_f64(ctx, t, "y", ROWS, y);
    mli_design *d = train(ctx, &classifier, t, "target", "y", NULL);
    ck_assert_int_eq(d->inputs->classes.n, 5000);
    is_class(d, 4999, "4999");
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
    free(y);
}
END_TEST

/* Refused where the target would have decided that they are classes. */
START_TEST(numbers_in_texts_are_classes_when_told)
{
    enum { ROWS = 90, CLASSES = 30 };
    ml_context *ctx = test_context(1);
    char memory[ROWS][16];
    const char *y[ROWS];
    for (int i = 0; i < ROWS; i++) {
        snprintf(memory[i], sizeof memory[i], "%d %%", i % CLASSES);
        y[i] = memory[i];
    }
    ml_table *t = add_text(ctx, add_text(ctx, NULL, "y", ROWS, y), "x", ROWS, y);
    train_fails(ML_E_DATA, ctx, &both, t, "target", "y", NULL);
    SAYS("separators or signs");
    SAYS("set task to classification");
    mli_design *d = train(ctx, &both, t, "target", "y", "task", "classification", NULL);
    ck_assert_int_eq(d->inputs->classes.n, CLASSES);
    mli_design_free(d);
    d = train(ctx, &classifier, t, "target", "y", NULL);
    ck_assert_int_eq(d->inputs->classes.n, CLASSES);
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- weights and groups ---- */

START_TEST(checks_weights)
{
    ml_context *ctx = test_context(1);
    ml_table *t = add_f64(ctx, NULL, "x", 3, (double[]){1, 2, 3});
    t = add_f64(ctx, t, "y", 3, (double[]){1, 2, 4});
    t = add_f64(ctx, t, "negative", 3, (double[]){1, -0.5, 1});
    t = add_f64(ctx, t, "missing", 3, (double[]){1, 1, NAN});
    t = add_f64(ctx, t, "infinite", 3, (double[]){INFINITY, 1, 1});
    t = add_f64(ctx, t, "zero", 3, (double[]){0, 0, 0});
    t = add_text(ctx, t, "text", 3, (const char *[]){"1", "2", "3"});
    t = add_i64(ctx, t, "good", 3, (int64_t[]){0, 2, 1});
    train_fails(ML_E_DATA, ctx, &both, t, "target", "y", "weight", "negative", NULL);
    SAYS("the weight is -0.5");
    SAYS("column \"negative\", row 2");
    train_fails(ML_E_DATA, ctx, &both, t, "target", "y", "weight", "missing", NULL);
    SAYS("the weight is missing");
    train_fails(ML_E_DATA, ctx, &both, t, "target", "y", "weight", "infinite", NULL);
    train_fails(ML_E_DATA, ctx, &both, t, "target", "y", "weight", "zero", NULL);
    SAYS("all weights are 0");
    train_fails(ML_E_TYPE, ctx, &both, t, "target", "y", "weight", "text", NULL);
    train_fails(ML_E_UNSUPPORTED, ctx, &plain, t, "target", "y", "weight", "good", NULL);
    SAYS("does not take weights");
    mli_design *d = train(ctx, &both, t, "target", "y", "sample_weight", "good", NULL);
    ck_assert(d->weight[0] == 0 && d->weight[1] == 2 && d->weight[2] == 1);
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(finds_groups)
{
    ml_context *ctx = test_context(1);
    ml_table *t = add_f64(ctx, NULL, "x", 6, (double[]){1, 2, 3, 4, 5, 6});
    t = add_f64(ctx, t, "y", 6, (double[]){1, 2, 4, 1, 2, 0});
    t = add_text(ctx, t, "runs", 6, (const char *[]){"z", "z", "a", "m", "m", "m"});
    t = add_text(ctx, t, "mixed", 6, (const char *[]){"z", "a", "z", "m", "m", "m"});
    t = add_text(ctx, t, "holes", 6, (const char *[]){"z", "z", NULL, "m", "m", "m"});
    mli_design *d = train(ctx, &ranker, t, "target", "y", "group", "runs", NULL);
    ck_assert_int_eq(d->inputs->task, MLI_TASK_RANKING);
    ck_assert_int_eq(d->n_groups, 3);
    const int64_t begins[] = {0, 2, 3, 6}, ids[] = {0, 0, 1, 2, 2, 2};
    for (int i = 0; i < 4; i++) ck_assert_int_eq(d->group[i], begins[i]);
    for (int i = 0; i < 6; i++) ck_assert_int_eq(d->group_id[i], ids[i]);
    mli_design_free(d);
    train_fails(ML_E_DATA, ctx, &ranker, t, "target", "y", "group", "mixed", NULL);
    SAYS("do not stand together");
    SAYS("column \"mixed\", row 3");
    SAYS("sort the table by \"mixed\"");
    train_fails(ML_E_DATA, ctx, &ranker, t, "target", "y", "group", "holes", NULL);
    SAYS("row 3");
    train_fails(ML_E_ARGUMENT, ctx, &ranker, t, "target", "y", NULL);
    SAYS("params.group");
    d = train(ctx, &both, t, "target", "y", "group", "mixed", NULL);
    ck_assert_ptr_null(d->group);
    ck_assert_int_eq(d->n_groups, 3);
    const int64_t mixed[] = {0, 1, 0, 2, 2, 2};
    for (int i = 0; i < 6; i++) ck_assert_int_eq(d->group_id[i], mixed[i]);
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- what the algorithm cannot do ---- */

START_TEST(checks_capabilities)
{
    ml_context *ctx = test_context(1);
    ml_table *t = add_f64(ctx, NULL, "x", 3, (double[]){1, 2, 3});
    t = add_f64(ctx, t, "y", 3, (double[]){1, 2, 4});
    mli_design_free(train(ctx, &plain, t, "target", "y", NULL));
    t = add_f64(ctx, t, "holes", 3, (double[]){1, NAN, 3});
    train_fails(ML_E_DATA, ctx, &plain, t, "target", "y", NULL);
    SAYS("the value is missing, and plain takes finite numbers only");
    SAYS("column \"holes\", row 2");
    t = add_f64(ctx, t, "holes", 3, (double[]){1, 2, -INFINITY});
    train_fails(ML_E_DATA, ctx, &plain, t, "target", "y", NULL);
    SAYS("\"-inf\"");
    SAYS("row 3");
    mli_design_free(train(ctx, &both, t, "target", "y", NULL));
    t = add_text(ctx, t, "holes", 3, (const char *[]){"a", "b", "a"});
    train_fails(ML_E_TYPE, ctx, &plain, t, "target", "y", NULL);
    SAYS("plain takes numbers only, this is text");
    SAYS("column \"holes\"");
    train_fails(ML_E_TYPE, ctx, &plain, t, "target", "y", "ignore", "[holes]",
                "categorical", "[x]", NULL);
    SAYS("this is categorical");
    mli_design *d = train(ctx, &reader, t, "target", "y", NULL);
    ck_assert_int_eq(d->inputs->features[1].kind, MLI_CATEGORICAL);
    mli_design_free(d);
    train_fails(ML_E_TYPE, ctx, &plain, t, "target", "y", "text", "[holes]", NULL);
    SAYS("does not read text");
    d = train(ctx, &reader, t, "target", "y", "text", "[holes]", NULL);
    ck_assert_int_eq(d->inputs->features[1].kind, MLI_TEXT);
    ck_assert_ptr_null(d->columns[1].codes);
    mli_design_free(d);
    /* Sentences are text: words of their own in most rows, or many of them. */
    t = add_text(ctx, t, "holes", 3, (const char *[]){"one more", "a b c", NULL});
    d = train(ctx, &reader, t, "target", "y", NULL);
    ck_assert_int_eq(d->inputs->features[1].kind, MLI_TEXT);
    double row[2];
    mli_design_rows(d, 1, 2, row, 2);
    const mli_text *text = mli_text_of(row[1]);
    ck_assert_int_eq(text->size, 5);
    ck_assert_mem_eq(text->data, "a b c", 5);
    mli_design_rows(d, 2, 3, row, 2);
    ck_assert_ptr_null(mli_text_of(row[1]));
    ck_assert_ptr_null(mli_text_of(row[0]));
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- reading and taking ---- */

START_TEST(reads_in_place)
{
    ml_context *ctx = test_context(1);
    enum { N = 5, M = 3 };
    double values[N][M];
    int64_t shape[2] = {N, M}, stride = 0;
    for (int i = 0; i < N * M; i++) values[i / M][i % M] = i;
    ml_tensor *tensor = NULL;
    ml_table *t = NULL;
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 2, shape, NULL, values, &tensor, ERR));
    OK(ml_table_read_tensor(ctx, tensor, NULL, &t, ERR));
    mli_design *d = train(ctx, &both, t, "target", "f2", NULL);
    const double *rows = mli_design_in_place(d, ML_DTYPE_F64, &stride);
    ck_assert_ptr_nonnull(rows);
    ck_assert_int_eq(stride, M);
    ck_assert(rows[stride + 1] == 4);
    ck_assert_ptr_null(mli_design_in_place(d, ML_DTYPE_F32, &stride));
    mli_design_free(d);
    d = train(ctx, &both, t, "target", "f1", NULL); /* f0 and f2 are not neighbours */
    ck_assert_ptr_null(mli_design_in_place(d, ML_DTYPE_F64, &stride));
    mli_design_free(d);
    ml_tensor_free(tensor);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(reads_floats)
{
    ml_context *ctx = test_context(1);
    ml_table *t = people(ctx);
    mli_design *d = train(ctx, &both, t, "target", "income", NULL);
    for (int64_t j = 0; j < d->n_features; j++) {
        double wide[PEOPLE];
        float narrow[2 * PEOPLE];
        mli_design_f64(d, j, 0, PEOPLE, wide, 1);
        mli_design_f32(d, j, 0, PEOPLE, narrow, 2);
        for (int i = 0; i < PEOPLE; i++) {
            ck_assert(isnan(wide[i]) ? isnan(narrow[2 * i])
                                     : (float)wide[i] == narrow[2 * i]);
        }
    }
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(takes_rows)
{
    ml_context *ctx = test_context(2);
    ml_table *t = people(ctx);
    const int64_t rows[] = {5, 0, 0, 3};
    mli_design *part = NULL;
    mli_design *d =
        train(ctx, &both, t, "target", "income", "weight", "w", "group", "zip", NULL);
    OK(mli_design_take(d, rows, 4, &part, ERR));
    ck_assert_int_eq(part->rows, 4);
    ck_assert_int_eq(part->n_features, d->n_features);
    ck_assert_ptr_eq(part->inputs, d->inputs);
    for (int i = 0; i < 4; i++) {
        double a[8], b[8];
        mli_design_rows(d, rows[i], rows[i] + 1, a, 8);
        mli_design_rows(part, i, i + 1, b, 8);
        for (int64_t j = 0; j < d->n_features; j++) {
            ck_assert(isnan(a[j]) ? isnan(b[j]) : a[j] == b[j]);
        }
        ck_assert_int_eq(part->label[i], d->label[rows[i]]);
        ck_assert(part->weight[i] == d->weight[rows[i]]);
    }
    const int64_t ids[] = {0, 1, 1, 2};
    for (int i = 0; i < 4; i++) ck_assert_int_eq(part->group_id[i], ids[i]);
    ck_assert_int_eq(part->n_groups, 3);
    /* Codes taken are also a column of the table. */
    ck_assert_str_eq(cell(part->table, 1, "job"), "clerk");
    ck_assert_int_eq(ml_table_find(part->table, "income"), -1);
    mli_design *again = NULL;
    OK(mli_design_take(part, (const int64_t[]){1}, 1, &again, ERR));
    ck_assert_int_eq(again->columns[1].codes[0], d->columns[1].codes[0]);
    mli_design_free(d);
    mli_design_free(part);
    ck_assert_int_eq(again->columns[1].codes[0], 0);
    mli_design_free(again);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(takes_few_or_no_rows)
{
    ml_context *ctx = test_context(1);
    ml_table *t = people(ctx);
    mli_design *d = train(ctx, &both, t, "target", "income", NULL), *part = NULL;
    OK(mli_design_take(d, NULL, 0, &part, ERR));
    ck_assert_int_eq(part->rows, 0);
    mli_design_free(part);
    FAILS(ML_E_RANGE, mli_design_take(d, (const int64_t[]){PEOPLE}, 1, &part, ERR));
    FAILS(ML_E_RANGE, mli_design_take(d, (const int64_t[]){-1}, 1, &part, ERR));
    mli_design_free(d);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- memory and threads ---- */

static ml_status train_and_take(const ml_host *host)
{
    ml_context *ctx = NULL;
    ml_table *t = NULL;
    mli_design *d = NULL, *part = NULL;
    ml_params *p = NULL;
    ml_status status = ml_context_new(host, &ctx, NULL);
    if (status) return status;
    status = people_new(ctx, &t, ERR);
    if (!status) {
        status = resolved(ctx, &both, &p, ERR, "target", "income", "weight", "w", "group",
                          "zip", "categorical", "[member]", "positive", "no", NULL);
    }
    if (!status) status = mli_design_train(ctx, &both, p, t, &d, ERR);
    if (!status) status = mli_design_take(d, (const int64_t[]){3, 1, 0}, 3, &part, ERR);
    mli_design_free(part);
    mli_design_free(d);
    ml_params_free(p);
    ml_table_free(t);
    ml_context_free(ctx);
    return status;
}

START_TEST(survives_out_of_memory)
{
    failing_alloc f;
    ml_host host = failing_host(&f);
    OUT_OF_MEMORY_LOOP(f, train_and_take(&host));
    ck_assert_int_gt(f.calls, 50);
}
END_TEST

START_TEST(gives_the_same_for_any_threads)
{
    enum { ROWS = 5000, COLUMNS = 12 };
    static const char *const words[] = {"red", "green", "blue", NULL, "black"};
    const char **text = calloc(ROWS, sizeof *text);
    double *y = calloc(ROWS, sizeof *y);
    mli_design *d[2];
    for (int k = 0; k < 2; k++) {
        ml_context *ctx = test_context(k ? 7 : 1);
        ml_table *t = NULL;
        for (int j = 0; j < COLUMNS; j++) {
            char name[16];
            snprintf(name, sizeof name, "c%d", j);
            for (int i = 0; i < ROWS; i++) text[i] = words[(i * (j + 3) / 7) % 5];
            t = add_text(ctx, t, name, ROWS, text);
        }
        for (int i = 0; i < ROWS; i++) y[i] = i;
        t = add_f64(ctx, t, "y", ROWS, y);
        d[k] = train(ctx, &both, t, "target", "y", NULL);
        ml_table_free(t);
        ml_context_free(ctx);
    }
    for (int j = 0; j < COLUMNS; j++) {
        ck_assert(memcmp(d[0]->columns[j].codes, d[1]->columns[j].codes,
                         ROWS * sizeof(int32_t)) == 0);
        ck_assert_int_eq(d[0]->inputs->features[j].levels.n, 4);
    }
    mli_design_free(d[0]);
    mli_design_free(d[1]);
    free(text);
    free(y);
}
END_TEST

TEST_MAIN("data/design", takes_all_other_columns, takes_listed_columns,
          rejects_wrong_roles, rejects_empty_tables, rejects_repeated_names,
          needs_a_target, sorts_levels, keeps_levels_that_occur,
          codes_numbers_by_their_text, codes_many_levels, leaves_out_identifiers,
          chooses_the_task, orders_classes, drops_rows_without_target,
          rejects_bad_targets, rejects_too_many_classes,
          numbers_in_texts_are_classes_when_told, checks_weights, finds_groups,
          checks_capabilities, reads_in_place, reads_floats, takes_rows,
          takes_few_or_no_rows, survives_out_of_memory, gives_the_same_for_any_threads)
