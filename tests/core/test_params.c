/* SPDX-License-Identifier: MIT
 *
 * Sets of values: setting and reading, checks against a descriptor with their messages,
 * ranges, conditions, lists, JSON, no memory.
 */
#include "failing.h"

#include "core/params.h"

static const mli_param tree_params[] = {
    {"n_trees", "n_estimators,num_trees", ML_PARAM_I64, 0, "100", "[1, 100000]",
     "log [10, 1000]", NULL, "Trees.", "0.1"},
    {"learning_rate", "eta,shrinkage", ML_PARAM_F64, 0, "0.1", "(0, 1]",
     "log [0.01, 0.3]", NULL, "Step.", "0.1"},
    {"growth", NULL, ML_PARAM_STR, 0, "depthwise", "{depthwise, leafwise}", NULL, NULL,
     "Order.", "0.1"},
    {"max_leaves", NULL, ML_PARAM_I64, 0, "31", "[2, inf)", NULL, "growth == leafwise",
     "Leaves.", "0.1"},
    {"bootstrap", NULL, ML_PARAM_BOOL, 0, "false", NULL, NULL, NULL, "Draw.", "0.1"},
    {"weights", NULL, ML_PARAM_F64S, MLI_FLAG_NULLABLE, "", "[0, inf)", NULL, NULL,
     "Class weights.", "0.1"},
    {"layers", NULL, ML_PARAM_I64S, 0, "[64, 32]", "[1, 4096]", NULL, NULL, "Sizes.",
     "0.1"},
    {"losses", NULL, ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", "{a, b, c}", NULL, NULL,
     "Losses.", "0.1"},
    {"limit", NULL, ML_PARAM_F64, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL, "Limit.",
     "0.1"},
    {"note", NULL, ML_PARAM_STR, 0, NULL, NULL, NULL, NULL, "Absent by default.", "0.1"},
    {"big", NULL, ML_PARAM_I64, 0, "0", "[-9223372036854775808, 9223372036854775807]",
     NULL, NULL, "Any.", "0.1"},
    {"goal", NULL, ML_PARAM_F64, MLI_FLAG_NULLABLE, NULL, NULL, NULL, NULL, "Goal.",
     "0.1"},
    {0}};
static const mli_param tree_roles[] = {{"target", "y,label", ML_PARAM_STR, MLI_FLAG_ROLE,
                                        NULL, NULL, NULL, NULL, "Target.", "0.1"},
                                       {"features", NULL, ML_PARAM_STRS,
                                        MLI_FLAG_ROLE | MLI_FLAG_NULLABLE, "", NULL, NULL,
                                        NULL, "Columns.", "0.1"},
                                       {0}};
static const mli_descriptor trees = {.name = "trees",
                                     .sort = MLI_SORT_ALGORITHM,
                                     .params = tree_params,
                                     .roles = tree_roles};
static const mli_param needy_params[] = {
    {"key", NULL, ML_PARAM_STR, MLI_FLAG_REQUIRED, NULL, NULL, NULL, NULL, "Key.", "0.1"},
    {0}};
static const mli_descriptor needy = {.name = "needy", .params = needy_params};

static ml_context *ctx;
static ml_params *set;

static void setup(void)
{
    ctx = test_context(1);
    OK(ml_params_new(ctx, &set, ERR));
}

static void teardown(void)
{
    ml_params_free(set);
    ml_context_free(ctx);
}

static void says(const char *a, const char *b)
{
    const char *text = ml_error_message(ERR);
    ck_assert_msg(strstr(text, a) && strstr(text, b), "\"%s\" lacks \"%s\" or \"%s\"",
                  text, a, b);
}

START_TEST(sets_and_reads)
{
    setup();
    int64_t whole;
    double real;
    ck_assert_int_eq(ml_params_count(set), 0);
    OK(ml_params_set_i64(set, "a", -5, ERR));
    OK(ml_params_set_f64(set, "b", 0.1, ERR));
    OK(ml_params_set_str(set, "c", "caf\xc3\xa9", ERR));
    ck_assert_int_eq(ml_params_count(set), 3);
    ck_assert_str_eq(ml_params_name(set, 1), "b");
    ck_assert_ptr_null(ml_params_name(set, 3));
    ck_assert_ptr_null(ml_params_name(set, -1));
    ck_assert_int_eq(ml_params_type(set, "a"), ML_PARAM_I64);
    ck_assert_int_eq(ml_params_type(set, "b"), ML_PARAM_F64);
    ck_assert_int_eq(ml_params_type(set, "c"), ML_PARAM_STR);
    ck_assert_int_eq(ml_params_type(set, "d"), 0);
    OK(ml_params_get_i64(set, "a", &whole, ERR));
    ck_assert_int_eq(whole, -5);
    OK(ml_params_get_f64(set, "a", &real, ERR));
    ck_assert(real == -5);
    OK(ml_params_get_f64(set, "b", &real, ERR));
    ck_assert(real == 0.1);
    ck_assert_str_eq(ml_params_get_str(set, "a"), "-5");
    ck_assert_str_eq(ml_params_get_str(set, "b"), "0.1");
    ck_assert_str_eq(ml_params_get_str(set, "c"), "caf\xc3\xa9");
    ck_assert_ptr_null(ml_params_get_str(set, "d"));
    OK(ml_params_set_str(set, "a", "now text", ERR)); /* replaced in its place */
    ck_assert_str_eq(ml_params_name(set, 0), "a");
    ck_assert_str_eq(ml_params_get_str(set, "a"), "now text");
    ck_assert_int_eq(ml_params_count(set), 3);
    ck_assert_int_eq(mli_params_remove(set, "b"), ML_OK);
    ck_assert_int_eq(mli_params_remove(set, "b"), ML_E_NAME);
    ck_assert_str_eq(ml_params_name(set, 1), "c");
    teardown();
}
END_TEST

START_TEST(refuses_bad_calls)
{
    setup();
    int64_t whole = 77;
    double real = 77;
    ml_params *none = NULL;
    FAILS(ML_E_ARGUMENT, ml_params_new(NULL, &none, ERR));
    FAILS(ML_E_ARGUMENT, ml_params_new(ctx, NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_params_clone(NULL, &none, ERR));
    FAILS(ML_E_ARGUMENT, ml_params_set_i64(NULL, "a", 1, ERR));
    FAILS(ML_E_ARGUMENT, ml_params_set_i64(set, NULL, 1, ERR));
    FAILS(ML_E_ARGUMENT, ml_params_set_f64(set, "", 1, ERR));
    FAILS(ML_E_ARGUMENT, ml_params_set_str(set, "a", NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_params_set_str(set, "a", "\xff", ERR));
    FAILS(ML_E_ARGUMENT, ml_params_set_str(set, "\xff", "a", ERR));
    OK(ml_params_set_str(set, "text", "x", ERR));
    OK(ml_params_set_f64(set, "real", 1.5, ERR));
    FAILS(ML_E_NAME, ml_params_get_i64(set, "tex", &whole, ERR));
    says("no value \"tex\"", "did you mean \"text\"?");
    FAILS(ML_E_TYPE, ml_params_get_i64(set, "text", &whole, ERR));
    FAILS(ML_E_TYPE, ml_params_get_i64(set, "real", &whole, ERR));
    FAILS(ML_E_TYPE, ml_params_get_f64(set, "text", &real, ERR));
    FAILS(ML_E_ARGUMENT, ml_params_get_f64(set, "real", NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_params_get_f64(set, NULL, &real, ERR));
    FAILS(ML_E_ARGUMENT, ml_params_get_f64(NULL, "real", &real, ERR));
    ck_assert(whole == 77 && real == 77 && !none);
    ck_assert_int_eq(ml_params_count(NULL), 0);
    ck_assert_ptr_null(ml_params_name(NULL, 0));
    ck_assert_ptr_null(ml_params_get_str(NULL, "a"));
    ck_assert_int_eq(ml_params_type(set, NULL), 0);
    ml_params_free(NULL);
    ck_assert_int_eq(ml_params_count(set), 2);
    teardown();
}
END_TEST

START_TEST(resolves_defaults)
{
    setup();
    ml_params *r = NULL;
    const int64_t *layers;
    const double *weights;
    const char *const *strs;
    OK(mli_params_resolve(ctx, &trees, NULL, &r, ERR));
    ck_assert_int_eq(mli_get_i64(r, "n_trees"), 100);
    ck_assert(mli_get_f64(r, "learning_rate") == 0.1);
    ck_assert_str_eq(mli_get_str(r, "growth"), "depthwise");
    ck_assert_int_eq(mli_get_enum(r, "growth", "leafwise,depthwise"), 1);
    ck_assert_int_eq(mli_get_enum(r, "growth", "leafwise,depth"), -1);
    ck_assert_int_eq(mli_get_bool(r, "bootstrap"), 0);
    ck_assert_int_eq(mli_get_i64s(r, "layers", &layers), 2);
    ck_assert(layers[0] == 64 && layers[1] == 32);
    ck_assert_int_eq(mli_get_f64s(r, "weights", &weights), 0);
    ck_assert_int_eq(mli_get_strs(r, "features", &strs), 0);
    ck_assert(isnan(mli_get_f64(r, "limit")));
    ck_assert_str_eq(mli_get_str(r, "limit"), "");
    ck_assert_str_eq(mli_get_str(r, "target"), "");
    ck_assert_ptr_null(mli_params_find(r, "note"));
    ck_assert_ptr_null(mli_params_find(r, "goal"));
    ck_assert_ptr_null(mli_params_find(r, "target"));
    ck_assert_str_eq(ml_params_name(r, 0), "n_trees");
    ck_assert_str_eq(ml_params_name(r, ml_params_count(r) - 1), "features");
    ck_assert_int_eq(mli_params_find(r, "n_trees")->given, 0);
    ck_assert_int_eq(mli_get_i64(r, "none"), 0);
    ck_assert(isnan(mli_get_f64(r, "none")));
    ml_params_free(r);
    teardown();
}
END_TEST

START_TEST(resolves_given_values)
{
    setup();
    ml_params *r = NULL;
    const double *weights;
    const char *const *strs;
    OK(ml_params_set_f64(set, "num_trees", 200.0, ERR));
    OK(ml_params_set_i64(set, "eta", 1, ERR));
    OK(ml_params_set_str(set, "bootstrap", "Yes", ERR));
    OK(ml_params_set_str(set, "weights", "[1, 2.5, 1e3]", ERR));
    OK(ml_params_set_i64(set, "limit", 3, ERR));
    OK(ml_params_set_str(set, "label", "income", ERR));
    OK(ml_params_set_str(set, "features",
                         "age, 'hours, weekly' ,\"sex\", min(a, max(b, c)) + 1, d (e",
                         ERR));
    OK(ml_params_set_str(set, "layers", "16", ERR));
    OK(ml_params_set_str(set, "goal", "", ERR));
    OK(ml_params_set_str(set, "big", "-9223372036854775808", ERR));
    OK(mli_params_resolve(ctx, &trees, set, &r, ERR));
    ck_assert_int_eq(mli_get_i64(r, "n_trees"), 200);
    ck_assert_int_eq(mli_params_find(r, "n_trees")->given, 1);
    ck_assert_int_eq(mli_params_find(r, "n_trees")->type, ML_PARAM_I64);
    ck_assert(mli_get_f64(r, "learning_rate") == 1);
    ck_assert_int_eq(mli_params_find(r, "learning_rate")->type, ML_PARAM_F64);
    ck_assert_int_eq(mli_get_bool(r, "bootstrap"), 1);
    ck_assert_str_eq(mli_get_str(r, "bootstrap"), "true");
    ck_assert_int_eq(mli_get_f64s(r, "weights", &weights), 3);
    ck_assert(weights[1] == 2.5 && weights[2] == 1000);
    ck_assert_str_eq(mli_get_str(r, "weights"), "[1.0, 2.5, 1000.0]");
    ck_assert(mli_get_f64(r, "limit") == 3);
    ck_assert_str_eq(mli_get_str(r, "target"), "income");
    ck_assert_int_eq(mli_get_strs(r, "features", &strs), 5);
    ck_assert_str_eq(strs[0], "age");
    ck_assert_str_eq(strs[1], "hours, weekly");
    ck_assert_str_eq(strs[2], "sex");
    ck_assert_str_eq(strs[3], "min(a, max(b, c)) + 1"); /* commas inside of it */
    ck_assert_str_eq(strs[4], "d (e");
    ck_assert_int_eq(mli_get_i64(r, "big"), INT64_MIN);
    ck_assert_ptr_null(mli_params_find(r, "goal"));
    ml_params *again = NULL; /* what was resolved resolves to the same */
    OK(mli_params_resolve(ctx, &trees, r, &again, ERR));
    mli_str a, b;
    mli_str_init(&a, NULL);
    mli_str_init(&b, NULL);
    mli_params_json(&a, r);
    mli_params_json(&b, again);
    ck_assert_str_eq(a.data, b.data);
    mli_str_free(&a);
    mli_str_free(&b);
    ml_params_free(again);
    ml_params_free(r);
    teardown();
}
END_TEST

static ml_status resolve_one(const char *name, const char *value, ml_error *err)
{
    ml_params *one = NULL, *r = NULL;
    ml_status status = ml_params_new(ctx, &one, err);
    if (status == ML_OK) status = ml_params_set_str(one, name, value, err);
    if (status == ML_OK) status = mli_params_resolve(ctx, &trees, one, &r, err);
    ml_params_free(one);
    ml_params_free(r);
    return status;
}

START_TEST(names_the_nearest)
{
    setup();
    FAILS(ML_E_NAME, resolve_one("lerning_rate", "1", ERR));
    says("params.lerning_rate: trees has no parameter \"lerning_rate\"",
         "did you mean \"learning_rate\"?");
    FAILS(ML_E_NAME, resolve_one("n_estimator", "1", ERR)); /* near an alias */
    says("n_estimator", "did you mean \"n_trees\"?");
    FAILS(ML_E_NAME, resolve_one("traget", "1", ERR));
    says("traget", "did you mean \"target\"?");
    FAILS(ML_E_NAME, resolve_one("zzzzzzzz", "1", ERR));
    says("zzzzzzzz", "its parameters are n_trees, learning_rate");
    FAILS(ML_E_NAME, resolve_one("N_trees", "1", ERR));
    says("N_trees", "did you mean \"n_trees\"?");
    teardown();
}
END_TEST

START_TEST(names_the_range)
{
    setup();
    FAILS(ML_E_RANGE, resolve_one("n_trees", "0", ERR));
    says("params.n_trees: 0 is outside the legal range [1, 100000]",
         "the default is 100");
    FAILS(ML_E_RANGE, resolve_one("n_estimators", "100001", ERR));
    says("params.n_trees", "100001");
    OK(resolve_one("n_trees", "100000", ERR));
    FAILS(ML_E_RANGE, resolve_one("learning_rate", "0", ERR));
    OK(resolve_one("learning_rate", "1", ERR));
    FAILS(ML_E_RANGE, resolve_one("learning_rate", "1.0000001", ERR));
    FAILS(ML_E_RANGE, resolve_one("learning_rate", "nan", ERR));
    says("nan is outside", "(0, 1]");
    FAILS(ML_E_RANGE, resolve_one("learning_rate", "inf", ERR));
    OK(resolve_one("limit", "nan", ERR));
    OK(resolve_one("max_leaves", "9223372036854775807", ERR));
    FAILS(ML_E_RANGE, resolve_one("max_leaves", "1", ERR));
    FAILS(ML_E_RANGE, resolve_one("weights", "[1, -2]", ERR));
    says("params.weights", "-2 is outside the legal range [0, inf)");
    FAILS(ML_E_RANGE, resolve_one("weights", "[inf]", ERR));
    FAILS(ML_E_RANGE, resolve_one("layers", "[1, 5000]", ERR));
    FAILS(ML_E_RANGE, resolve_one("growth", "leaf-wise", ERR));
    says("params.growth: \"leaf-wise\" is not one of depthwise, leafwise",
         "did you mean \"leafwise\"?");
    FAILS(ML_E_RANGE, resolve_one("growth", "sideways", ERR));
    says("depthwise, leafwise", "the default is depthwise");
    FAILS(ML_E_RANGE, resolve_one("growth", "", ERR));
    FAILS(ML_E_RANGE, resolve_one("losses", "[a, d]", ERR));
    says("params.losses: \"d\" is not one of", "a, b, c");
    OK(resolve_one("losses", "[a, c]", ERR));
    teardown();
}
END_TEST

START_TEST(names_the_type)
{
    setup();
    FAILS(ML_E_TYPE, resolve_one("n_trees", "many", ERR));
    says("params.n_trees: an integer is needed, not the text \"many\"",
         "the default is 100");
    FAILS(ML_E_TYPE, resolve_one("n_trees", "1.5", ERR));
    FAILS(ML_E_TYPE, resolve_one("n_trees", "", ERR));
    FAILS(ML_E_TYPE, resolve_one("n_trees", "1e30", ERR));
    OK(resolve_one("n_trees", "1e3", ERR));
    FAILS(ML_E_TYPE, resolve_one("learning_rate", "0,1", ERR));
    FAILS(ML_E_TYPE, resolve_one("learning_rate", " 0.1", ERR));
    FAILS(ML_E_TYPE, resolve_one("bootstrap", "maybe", ERR));
    says("true or false", "maybe");
    FAILS(ML_E_TYPE, resolve_one("bootstrap", "2", ERR));
    OK(resolve_one("bootstrap", "1", ERR));
    OK(resolve_one("bootstrap", "off", ERR));
    FAILS(ML_E_TYPE, resolve_one("layers", "[1, x]", ERR));
    says("params.layers", "item 2 of the list, \"x\", is no integer");
    FAILS(ML_E_TYPE, resolve_one("layers", "1.5", ERR));
    FAILS(ML_E_TYPE, resolve_one("weights", "[a]", ERR));
    FAILS(ML_E_PARSE, resolve_one("layers", "[1, 2", ERR));
    says("params.layers", "closing bracket");
    OK(ml_params_set_f64(set, "n_trees", 10.5, ERR));
    ml_params *r = NULL;
    FAILS(ML_E_TYPE, mli_params_resolve(ctx, &trees, set, &r, ERR));
    says("params.n_trees", "not 10.5");
    ck_assert_ptr_null(r);
    teardown();
}
END_TEST

START_TEST(demands_what_is_required_once)
{
    setup();
    ml_params *r = NULL;
    FAILS(ML_E_ARGUMENT, mli_params_resolve(ctx, &needy, NULL, &r, ERR));
    says("params.key: needy needs a value for \"key\"", "set key to a text");
    OK(ml_params_set_i64(set, "eta", 1, ERR));
    OK(ml_params_set_f64(set, "learning_rate", 0.5, ERR));
    FAILS(ML_E_ARGUMENT, mli_params_resolve(ctx, &trees, set, &r, ERR));
    says("given twice, as \"eta\" and as \"learning_rate\"", "leave one of them out");
    ck_assert_ptr_null(r);
    teardown();
}
END_TEST

START_TEST(puts_single_values)
{
    setup();
    mli_value number = {.type = ML_PARAM_F64, .f64 = 0.25};
    mli_value whole = {.type = ML_PARAM_I64, .i64 = 7};
    mli_value on = {.type = ML_PARAM_BOOL, .i64 = 1};
    char word[] = "leafwise";
    mli_value text = {.type = ML_PARAM_STR, .text = word};
    OK(mli_params_put(set, &trees, "eta", &number, ERR));
    OK(mli_params_put(set, &trees, "n_trees", &whole, ERR));
    OK(mli_params_put(set, &trees, "bootstrap", &on, ERR));
    OK(mli_params_put(set, &trees, "growth", &text, ERR));
    ck_assert(mli_get_f64(set, "learning_rate") == 0.25);
    ck_assert_int_eq(mli_get_i64(set, "n_trees"), 7);
    ck_assert_int_eq(mli_get_bool(set, "bootstrap"), 1);
    ck_assert_str_eq(mli_get_str(set, "growth"), "leafwise");
    FAILS(ML_E_NAME, mli_params_put(set, &trees, "etta", &number, ERR));
    FAILS(ML_E_TYPE, mli_params_put(set, &trees, "n_trees", &on, ERR));
    FAILS(ML_E_TYPE, mli_params_put(set, &trees, "n_trees", &number, ERR));
    whole.i64 = -7;
    FAILS(ML_E_RANGE, mli_params_put(set, &trees, "n_trees", &whole, ERR));
    ck_assert_int_eq(mli_get_i64(set, "n_trees"), 7);
    teardown();
}
END_TEST

static const char *list_of(const char *text)
{
    static ml_params *one, *r;
    ml_params_free(one);
    ml_params_free(r);
    one = r = NULL;
    if (ml_params_new(ctx, &one, ERR) != ML_OK) return NULL;
    if (ml_params_set_str(one, "features", text, ERR) != ML_OK) return NULL;
    ml_status status = mli_params_resolve(ctx, &trees, one, &r, ERR);
    return status == ML_OK ? mli_get_str(r, "features") : NULL;
}

START_TEST(parses_lists)
{
    setup();
    ck_assert_str_eq(list_of("a"), "[\"a\"]");
    ck_assert_str_eq(list_of("a,b"), "[\"a\", \"b\"]");
    ck_assert_str_eq(list_of(" [ a , b ] "), "[\"a\", \"b\"]");
    ck_assert_str_eq(list_of("[\"a, b\", c]"), "[\"a, b\", \"c\"]");
    ck_assert_str_eq(list_of("[]"), "[]");
    ck_assert_str_eq(list_of(""), "");
    ck_assert_str_eq(list_of("two words,b"), "[\"two words\", \"b\"]");
    ck_assert_str_eq(list_of("['it''s', \"\\u00e9\\\"\"]"),
                     "[\"it's\", \"\xc3\xa9\\\"\"]");
    ck_assert_str_eq(list_of("007,1.50"), "[\"007\", \"1.50\"]");
    ck_assert_str_eq(list_of("a]b"), "[\"a]b\"]");
    ck_assert_str_eq(list_of("f(a,b),(c,g(d,e)"),
                     "[\"f(a,b)\", \"(c\", \"g(d\", \"e)\"]");
    static const char *const bad[] = {
        "[a",  "[a,",       "[a,]",  "a,",       ",a",        "a,,b",   "[a] b", "[\"a]",
        "['a", "[\"a\" b]", "[[a]]", "[a, [b]]", "[\"\\x\"]", "\"a\"b", "[,]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(list_of(bad[i]) == NULL, "%s is read", bad[i]);
        ck_assert_int_eq(ml_error_code(ERR), ML_E_PARSE);
        says("params.features", "list");
    }
    teardown();
}
END_TEST

START_TEST(clones)
{
    setup();
    OK(ml_params_set_str(set, "features", "a,b", ERR));
    OK(ml_params_set_f64(set, "limit", NAN, ERR));
    ml_params *r = NULL, *copy = NULL;
    OK(mli_params_resolve(ctx, &trees, set, &r, ERR));
    OK(ml_params_clone(r, &copy, ERR));
    ck_assert_int_eq(ml_params_count(copy), ml_params_count(r));
    for (int64_t i = 0; i < ml_params_count(r); i++) {
        const char *name = ml_params_name(r, i);
        ck_assert_str_eq(ml_params_name(copy, i), name);
        ck_assert_int_eq(ml_params_type(copy, name), ml_params_type(r, name));
        ck_assert_str_eq(ml_params_get_str(copy, name), ml_params_get_str(r, name));
        ck_assert_int_eq(mli_params_find(copy, name)->given,
                         mli_params_find(r, name)->given);
    }
    ml_params_free(r);
    const char *const *strs;
    ck_assert_int_eq(mli_get_strs(copy, "features", &strs), 2);
    ck_assert_str_eq(strs[1], "b");
    ml_params_free(copy);
    teardown();
}
END_TEST

START_TEST(parses_ranges)
{
    mli_range r;
    ck_assert(mli_range_parse("[1, 64]", &r));
    ck_assert(r.low == 1 && r.high == 64 && r.ilow == 1 && r.ihigh == 64 && !r.log);
    ck_assert(!r.open_low && !r.open_high && !r.is_set && r.step == 0);
    ck_assert(mli_range_parse("(0, inf)", &r));
    ck_assert(r.open_low && r.open_high && r.high == INFINITY);
    ck_assert(r.ilow == 1 && r.ihigh == INT64_MAX);
    ck_assert(mli_range_parse("(-inf, 10)", &r));
    ck_assert(r.ilow == INT64_MIN && r.ihigh == 9 && r.low == -INFINITY);
    ck_assert(mli_range_parse("[0.5, 2.5]", &r) && r.ilow == 1 && r.ihigh == 2);
    ck_assert(mli_range_parse("[0, 9223372036854775807]", &r) && r.ihigh == INT64_MAX);
    ck_assert(mli_range_parse("[-9223372036854775808, 0]", &r) && r.ilow == INT64_MIN);
    ck_assert(mli_range_parse("log [1e-3, 0.3]", &r) && r.log && r.low == 1e-3);
    ck_assert(mli_range_parse("[10, 200] step 10", &r) && r.step == 10);
    ck_assert(mli_range_parse("  log ( 1 , 2 ]  ", &r) && r.open_low && !r.open_high);
    char item[16], tight[3];
    ck_assert(mli_range_parse("{gini, entropy ,x}", &r) && r.is_set && r.count == 3);
    mli_range_item(&r, 0, item, sizeof item);
    ck_assert_str_eq(item, "gini");
    mli_range_item(&r, 1, item, sizeof item);
    ck_assert_str_eq(item, "entropy");
    mli_range_item(&r, 2, item, sizeof item);
    ck_assert_str_eq(item, "x");
    mli_range_item(&r, 1, tight, sizeof tight);
    ck_assert_str_eq(tight, "en");
    static const char *const bad[] = {"",
                                      "[",
                                      "[1",
                                      "[1,",
                                      "[1,2",
                                      "1,2",
                                      "[1 2]",
                                      "[2, 1]",
                                      "[a, b]",
                                      "[nan, 1]",
                                      "{",
                                      "{}",
                                      "{a",
                                      "{a,}",
                                      "{a} x",
                                      "[1, 2] x",
                                      "[1, 2] step",
                                      "[1, 2] step 0",
                                      "[1, 2] step -1",
                                      "log [0, 1]",
                                      "log {a}",
                                      "log [-1, 1]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!mli_range_parse(bad[i], &r), "%s is read", bad[i]);
    }
    ck_assert(!mli_range_parse(NULL, &r));
}
END_TEST

static int active(const char *condition)
{
    mli_param q = {.name = "q", .active_if = condition};
    return mli_param_active(&q, set);
}

START_TEST(evaluates_conditions)
{
    setup();
    OK(ml_params_set_str(set, "growth", "leafwise", ERR));
    OK(ml_params_set_f64(set, "learning_rate", 0.5, ERR));
    OK(ml_params_set_i64(set, "n_trees", 100, ERR));
    ck_assert(active(NULL));
    ck_assert(active("growth == leafwise"));
    ck_assert(!active("growth == depthwise"));
    ck_assert(!active("growth != leafwise"));
    ck_assert(active("growth in {depthwise, leafwise}"));
    ck_assert(!active("growth in {depthwise}"));
    ck_assert(active("growth not in {depthwise}"));
    ck_assert(!active("growth not in {depthwise, leafwise}"));
    ck_assert(active("learning_rate < 1"));
    ck_assert(!active("learning_rate<0.5"));
    ck_assert(active("learning_rate<=0.50"));
    ck_assert(active("learning_rate >= 0.5 and n_trees > 99"));
    ck_assert(!active("learning_rate > 0.5 and n_trees > 99"));
    ck_assert(!active("n_trees > 99 and learning_rate > 0.5"));
    ck_assert(active("n_trees == 1e2"));
    ck_assert(!active("growth > 1")); /* a text has no order */
    ck_assert(active("absent == 1"));
    ck_assert(!active("absent == 1 and n_trees == 1"));
    ck_assert(mli_condition_valid(&trees, "growth == leafwise and n_trees in {1, 2}"));
    static const char *const bad[] = {"",
                                      "growth",
                                      "growth ==",
                                      "growth = leafwise",
                                      "nothing == 1",
                                      "growth in leafwise",
                                      "growth in {",
                                      "growth in {a",
                                      "growth in {a} or",
                                      "== 1",
                                      "growth == a and",
                                      "growth == a b",
                                      "growth not {a}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!mli_condition_valid(&trees, bad[i]), "\"%s\" is valid", bad[i]);
    }
    teardown();
}
END_TEST

START_TEST(round_trips_json)
{
    setup();
    ml_params *r = NULL, *back = NULL;
    OK(ml_params_set_str(set, "growth", "leafwise", ERR));
    OK(ml_params_set_f64(set, "limit", INFINITY, ERR));
    OK(ml_params_set_str(set, "note", "a \"b\"\n\x01", ERR));
    OK(ml_params_set_str(set, "features", "[\"nan\", \"1\", \"\xc3\xa9\"]", ERR));
    OK(ml_params_set_str(set, "weights", "[1, 0.1, 1e300]", ERR));
    OK(ml_params_set_i64(set, "big", INT64_MAX, ERR));
    OK(mli_params_resolve(ctx, &trees, set, &r, ERR));
    mli_str text, again;
    mli_str_init(&text, NULL);
    mli_str_init(&again, NULL);
    mli_params_json(&text, r);
    ck_assert_ptr_nonnull(strstr(text.data, "\"learning_rate\": 0.1, "));
    ck_assert_ptr_nonnull(strstr(text.data, "\"weights\": [1.0, 0.1, 1e300], "));
    ck_assert_ptr_nonnull(strstr(text.data, "\"bootstrap\": false, "));
    ck_assert_ptr_nonnull(strstr(text.data, "\"losses\": \"\", "));
    OK(ml_params_new(ctx, &back, ERR));
    OK(mli_params_from_json(back, text.data, text.size, ERR));
    mli_params_json(&again, back);
    ck_assert_str_eq(text.data, again.data);
    ck_assert(mli_get_f64(back, "limit") == INFINITY);
    ck_assert_int_eq(mli_get_i64(back, "big"), INT64_MAX);
    ml_params_free(r);
    OK(mli_params_resolve(ctx, &trees, back, &r, ERR));
    mli_str_clear(&again);
    mli_params_json(&again, r);
    ck_assert_str_eq(text.data, again.data);
    mli_str_free(&text);
    mli_str_free(&again);
    ml_params_free(back);
    ml_params_free(r);
    teardown();
}
END_TEST

START_TEST(refuses_bad_json)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "{",
                                      "{\"a\": 1",
                                      "{\"a\": {}}",
                                      "1",
                                      "{\"a\": [[1]]}",
                                      "{\"a\": [{}]}",
                                      "{\"a\": [null]}",
                                      "{\"a\": 1, \"a\": 2}",
                                      "{\"\": 1}",
                                      "{\"a\": 1} x",
                                      "{\"a\": \"\\u0000\"}",
                                      "{\"a\": [\"\\u0000\"]}",
                                      "{\"a\\u0000\": 1}",
                                      "{\"a\": [1,]}",
                                      "{\"a\": [1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setup();
        ml_status status = mli_params_from_json(set, bad[i], strlen(bad[i]), ERR);
        ck_assert_msg(status == ML_E_PARSE, "%s: %s", bad[i], ml_status_name(status));
        ck_assert_uint_gt(strlen(ml_error_message(ERR)), 10);
        teardown();
    }
}
END_TEST

START_TEST(reads_typed_json)
{
    static const char text[] =
        "{\"i\": -3, \"f\": 2.0, \"b\": true, \"s\": \"x\", \"n\": null, "
        "\"li\": [1, 2], \"lf\": [1, 2.5, \"nan\"], \"ls\": [\"1\", 2], "
        "\"le\": [], \"huge\": 99999999999999999999}";
    setup();
    OK(mli_params_from_json(set, text, sizeof text - 1, ERR));
    ck_assert_int_eq(ml_params_type(set, "i"), ML_PARAM_I64);
    ck_assert_int_eq(ml_params_type(set, "f"), ML_PARAM_F64);
    ck_assert_int_eq(ml_params_type(set, "b"), ML_PARAM_BOOL);
    ck_assert_int_eq(ml_params_type(set, "s"), ML_PARAM_STR);
    ck_assert_str_eq(ml_params_get_str(set, "n"), "");
    ck_assert_int_eq(ml_params_type(set, "li"), ML_PARAM_I64S);
    ck_assert_int_eq(ml_params_type(set, "lf"), ML_PARAM_F64S);
    ck_assert_int_eq(ml_params_type(set, "ls"), ML_PARAM_STRS);
    ck_assert_int_eq(ml_params_type(set, "le"), ML_PARAM_STRS);
    ck_assert_int_eq(ml_params_type(set, "huge"), ML_PARAM_F64);
    const double *reals;
    ck_assert_int_eq(mli_get_f64s(set, "lf", &reals), 3);
    ck_assert(isnan(reals[2]) && reals[1] == 2.5);
    teardown();
}
END_TEST

static ml_status use_params(failing_alloc *f)
{
    ml_host host = failing_host(f);
    ml_context *c = NULL;
    ml_params *a = NULL, *b = NULL, *d = NULL, *e = NULL;
    mli_str s;
    ml_status status = ml_context_new(&host, &c, ERR);
    if (status != ML_OK) return status;
    mli_str_init(&s, c);
    status = ml_params_new(c, &a, ERR);
    if (status == ML_OK) status = ml_params_set_i64(a, "n_estimators", 5, ERR);
    if (status == ML_OK) status = ml_params_set_f64(a, "limit", 0.5, ERR);
    if (status == ML_OK)
        status = ml_params_set_str(a, "features", "[a, \"b\", 'c']", ERR);
    if (status == ML_OK) status = ml_params_set_str(a, "weights", "[1, 2]", ERR);
    if (status == ML_OK) status = ml_params_set_str(a, "limit", "7", ERR);
    if (status == ML_OK) status = mli_params_resolve(c, &trees, a, &b, ERR);
    if (status == ML_OK) status = ml_params_clone(b, &d, ERR);
    if (status == ML_OK) mli_params_json(&s, d);
    if (s.failed) status = ML_E_MEMORY;
    if (status == ML_OK) status = ml_params_new(c, &e, ERR);
    if (status == ML_OK) status = mli_params_from_json(e, s.data, s.size, ERR);
    mli_str_free(&s);
    ml_params_free(a);
    ml_params_free(b);
    ml_params_free(d);
    ml_params_free(e);
    ml_context_free(c);
    return status;
}

START_TEST(survives_no_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, use_params(&f));
}
END_TEST

/* A failed setting leaves the set as it was. */
START_TEST(failed_settings_change_nothing)
{
    for (int64_t n = 1;; n++) {
        failing_alloc f = {0};
        ml_host host = failing_host(&f);
        ml_context *c = NULL;
        ml_params *p = NULL;
        OK(ml_context_new(&host, &c, ERR));
        OK(ml_params_new(c, &p, ERR));
        OK(ml_params_set_str(p, "a", "old", ERR));
        for (int i = 0; i < 7; i++) {
            char name[8];
            snprintf(name, sizeof name, "n%d", i);
            OK(ml_params_set_i64(p, name, i, ERR));
        }
        f.fail_at = f.calls + n;
        ml_status status = ml_params_set_str(p, "a", "new", ERR);
        if (status == ML_OK) status = ml_params_set_i64(p, "more", 1, ERR);
        int done = status == ML_OK;
        if (!done) {
            ck_assert_int_eq(status, ML_E_MEMORY);
            ck_assert_int_eq(ml_params_count(p), 8);
            ck_assert_int_eq(mli_get_i64(p, "n6"), 6);
        }
        ml_params_free(p);
        ml_context_free(c);
        ck_assert_int_eq(f.live, 0);
        if (done) break;
    }
}
END_TEST

TEST_MAIN("core/params", sets_and_reads, refuses_bad_calls, resolves_defaults,
          resolves_given_values, names_the_nearest, names_the_range, names_the_type,
          demands_what_is_required_once, puts_single_values, parses_lists, clones,
          parses_ranges, evaluates_conditions, round_trips_json, refuses_bad_json,
          reads_typed_json, survives_no_memory, failed_settings_change_nothing)
