/* SPDX-License-Identifier: MIT
 *
 * Expressions over columns: values, missing values, errors with their place.
 */
#include "failing.h"
#include "testing_data.h"

#include "algorithms/prepare/expr.h"

static ml_context *ctx;

/* Columns a = 6, b = 4, m missing, k = level 1 of {u, v}, "odd name" = 2, d = 2024-01-31,
 * t = half a day later, s = "good", n a missing text, e = the first moment of d. */
static mli_inputs *inputs(void)
{
    static const char *const names[] = {"a", "b", "m", "k", "odd name",
                                        "d", "t", "s", "n", "e"};
    mli_inputs *in = NULL;
    char *bytes;
    int64_t *offsets;
    OK(mli_inputs_new(ctx, 10, &in, ERR));
    in->target = mli_strdup(ctx, "y");
    for (int j = 0; j < 10; j++) {
        in->features[j].name = mli_strdup(ctx, names[j]);
        in->features[j].kind = j == 3             ? MLI_CATEGORICAL
                               : j == 7 || j == 8 ? MLI_TEXT
                                                  : MLI_NUMERIC;
        in->features[j].type = j == 5             ? ML_TYPE_DATE
                               : j == 6 || j == 9 ? ML_TYPE_TIMESTAMP
                                                  : ML_DTYPE_F64;
    }
    OK(mli_dictionary_new(ctx, 2, 2, &in->features[3].levels, &bytes, &offsets, ERR));
    memcpy(bytes, "uv", 2);
    offsets[1] = 1;
    offsets[2] = 2;
    return in;
}

static const mli_text good = {"good", 4};

START_TEST(gives_values)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {{"1 + 2 * 3", 7},
                 {"(1 + 2) * 3", 9},
                 {"2 ^ 3 ^ 2", 512},
                 {"-2 ^ 2", 4}, /* the sign binds first, as in SQL */
                 {"7 % 4 - 10 / 4", 0.5},
                 {"-7 % 4", 1},
                 {"a / b", 1.5},
                 {"a / 0", NAN},
                 {"a * \"odd name\" + `odd name`", 14},
                 {"a > b and b >= 4", 1},
                 {"a <> b or m", 1},
                 {"m and a = 6", NAN},
                 {"m and a = 7", 0},
                 {"not (a = 6)", 0},
                 {"NOT a = 7", 1},
                 {"m + 1", NAN},
                 {"m = m", NAN},
                 {"m is missing", 1},
                 {"a is not null", 1},
                 {"is_missing(k)", 0},
                 {"k = 'v'", 1},
                 {"'u' = k", 0},
                 {"k != 'unheard'", 1},
                 {"k in ('u', 'v')", 1},
                 {"k not in ('u', 'w')", 1},
                 {"a in (1, 2, 6)", 1},
                 {"a between 5 and 6 and b = 4", 1},
                 {"a not between 5 and 6", 0},
                 {"if(a > b, a, b)", 6},
                 {"if(m, 1, 2)", NAN},
                 {"coalesce(m, m, b)", 4},
                 {"max(a, b, 9) + min(a, b)", 13},
                 {"sqrt(b) + abs(-a) + round(2.5) + floor(-0.5) + sign(-3)", 8},
                 {"log(0)", NAN},
                 {"1e3 + .5 + 2.5E-1", 1000.75},
                 {"true + false", 1},
                 {"d = '2024-01-31'", 1},
                 {"d > '2024-01-30 23:00:00'", 1},
                 {"'2024-02-01' > d", 1},
                 {"'2024-02-01' <= d", 0},
                 {"d between '2024-01-01' and '2024-01-30'", 0},
                 {"t >= '2024-01-31'", 1},
                 {"t = '2024-01-31 12:00:00'", 1},
                 {"d < t", 1},
                 {"d >= t or d = t", 0},
                 {"t > d and t != d", 1},
                 {"t in (d, t)", 1},
                 {"d in (t, a)", 0},
                 {"d between t and t", 0},
                 {"t between d and t", 1},
                 {"d between d and t", 1},
                 {"d = e and e = d", 1},
                 {"d < e or e > d", 0},
                 {"d in (t, e)", 1},
                 {"e in (a, d)", 1},
                 {"d between e and t", 1},
                 {"d + 0 < t", 1},
                 {"d + 1 < t", 0},
                 {"1 + d > t", 1},
                 {"t < d + 0.75 and t > d + 0.25", 1},
                 {"if(1 = 1, d, d) < t", 1},
                 {"if(a = 7, d, missing) < t", NAN},
                 {"max(d, d - 1) = e", 1},
                 {"coalesce(d, 0) in (t, e)", 1},
                 {"(d) between e - 1 and t", 1},
                 {"floor(d + 0.5) = e", 1},
                 {"d + 1 = '2024-02-01'", 1},
                 {"t - 43200e6 = d", 1},
                 {"t - 43200e6 = '2024-01-31'", 1},
                 {"d - (d - 3)", 3},
                 {"d + (d - (d - 3)) = '2024-02-03'", 1},
                 {"t - e", 43200e6},
                 {"t - d * 86400e6", 43200e6},
                 {"(t - e) / 3600e6", 12},
                 {"(t - e) / 86400e6 < d - (d - 1)", 1},
                 {"abs(e - t) + -(t - e)", 0},
                 {"d % 7 = 6 and t > 0", 1},
                 {"d - '2024-01-01'", 30},
                 {"'2024-03-01' - d", 30},
                 {"d - '2024-01-30 12:00:00'", 0.5},
                 {"(d - '2024-01-01') / 30 + 1", 2},
                 {"t - '2024-01-31'", 43200e6},
                 {"'2024-01-31 12:00:01' - t", 1e6},
                 {"max(d, '2024-02-02') - d", 2},
                 {"coalesce(d, '2000-01-01') = d", 1},
                 {"if(a = 6, d, '2000-01-01') < t", 1},
                 {"(d and 1) < t", 1},
                 {"(not d) < t", 1},
                 {"s = 'good'", 1},
                 {"s = 'goo'", 0},
                 {"s != 'bad' and s is not missing", 1},
                 {"s in ('bad', 'good')", 1},
                 {"(s = 'good') + 1 between 2 and 2", 1},
                 {"n = 'x'", NAN},
                 {"n is missing", 1},
                 {"null", NAN}};
    ctx = test_context(1);
    const double row[] = {6,
                          4,
                          NAN,
                          1,
                          2,
                          19753,
                          19753 * 86400e6 + 43200e6,
                          mli_text_cell(&good),
                          mli_text_cell(NULL),
                          19753 * 86400e6};
    mli_inputs *in = inputs();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mli_expr *e = NULL;
        OK(mli_expr_new(in, cases[i].text, &e, ERR));
        double v = mli_expr_run(e, row);
        ck_assert_msg(v == cases[i].value || (isnan(v) && isnan(cases[i].value)),
                      "%s is %g", cases[i].text, v);
        mli_expr_free(e);
    }
    mli_inputs_free(in);
    ml_context_free(ctx);
}
END_TEST

START_TEST(refuses_with_place)
{
    static const struct {
        const char *text, *says;
        int at;
    } cases[] = {
        {"a + ", "ends early", 5},
        {"a + * b", "not expected", 5},
        {"(a", "in lists quote what has a comma", 3},
        {"k = '\xc3\xa9' and aa", "no column \"aa\"", 13},
        {"a b", "not expected", 3},
        {"aa + 1", "no column \"aa\"", 1},
        {"k + 1", "is a category", 1},
        {"a = 'u'", "compared with a column of categories, texts, dates or", 1},
        {"s = n", "compare it with a text in quotes: s = 'x'", 1},
        {"k != s", "k is a category: compare it with a text in quotes: k = 'x'", 1},
        {"k < 'u'", "by = and != only", 1},
        {"s < 'u'", "by = and != only", 1},
        {"s + 1", "s is a text", 1},
        {"d > 'soon'", "no date or time", 5},
        {"t - d", "days of a date and microseconds of a time are mixed", 5},
        {"a * (d + t)", "are mixed", 10},
        {"d - -t", "are mixed", 5},
        {"min(d, t)", "are mixed", 8},
        {"max(a, t, d) > 0", "are mixed", 11},
        {"if(a, d, t)", "are mixed", 10},
        {"coalesce(t, d)", "are mixed", 13},
        {"d - d < t - t", "are mixed", 1},
        {"d < t - e", "are mixed", 1},
        {"d + (t - e)", "are mixed", 5},
        {"t between d - d and t", "are mixed", 1},
        {"t - e in (1, d)", "are mixed", 1},
        {"d - 'soon'", "no date or time", 5},
        {"'soon' - d", "no date or time", 1},
        {"'2024-01-31' - 3", "a text can only be compared", 1},
        {"a - '2024-01-31'", "a text can only be compared", 5},
        {"d + '2024-01-31'", "a text can only be compared", 5},
        {"d - d - '2024-01-31'", "a text can only be compared", 9},
        {"max('2024-01-31', d)", "a text can only be compared", 5},
        {"d - d = '2024-01-31'", "a text can only be compared", 1},
        {"sin(a)", "some are if, coalesce", 1},
        {"a + y", "it is the target", 5},
        {"if(a, b)", "number of arguments", 1},
        {"'open", "not closed", 1},
        {"a is b", "should follow", 6},
        {"a not 5", "should follow", 7},
        {"", "ends early", 1},
        {"k", "is a category", 1}};
    ctx = test_context(1);
    mli_inputs *in = inputs();
    char place[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mli_expr *e = NULL;
        ck_assert_int_lt(mli_expr_new(in, cases[i].text, &e, ERR), 0);
        snprintf(place, sizeof place, "character %d", cases[i].at);
        ck_assert_msg(strstr(ml_error_message(ERR), cases[i].says) &&
                          strstr(ml_error_location(ERR), place),
                      "%s: %s", cases[i].text, ml_error_message(ERR));
    }
    /* Deep and long texts end in an error, not at the end of the stack. */
    char *deep = malloc(100001);
    mli_expr *e = NULL;
    deep[100000] = 0;
    memset(deep, '(', 100000);
    ck_assert_int_lt(mli_expr_new(in, deep, &e, ERR), 0);
    memset(deep, '-', 100000);
    ck_assert_int_lt(mli_expr_new(in, deep, &e, ERR), 0);
    for (int i = 0; i < 100000; i += 2) memcpy(deep + i, "1^", 2);
    ck_assert_int_lt(mli_expr_new(in, deep, &e, ERR), 0);
    free(deep);
    mli_inputs_free(in);
    ml_context_free(ctx);
}
END_TEST

/* A date with part of a day is a time. */
START_TEST(types_of_results)
{
    static const struct {
        const char *text;
        int32_t type;
        double value;
    } cases[] = {{"d + 1", ML_TYPE_DATE, 19754},
                 {"d + 2 * 3", ML_TYPE_DATE, 19759},
                 {"floor(d + 0.5)", ML_TYPE_DATE, 19753},
                 {"d + round(a / b)", ML_TYPE_DATE, 19755},
                 {"max(d, '2024-02-01')", ML_TYPE_DATE, 19754},
                 {"d + (d > e)", ML_TYPE_DATE, 19753},
                 {"d + 0.5", ML_TYPE_TIMESTAMP, 19753.5 * 86400e6},
                 {"d - 1 / 4", ML_TYPE_TIMESTAMP, 19752.75 * 86400e6},
                 {"d + -a", ML_TYPE_TIMESTAMP, 19747 * 86400e6},
                 {"d + sqrt(4)", ML_TYPE_TIMESTAMP, 19755 * 86400e6},
                 {"d + 2 ^ 0", ML_TYPE_TIMESTAMP, 19754 * 86400e6},
                 {"d + pow(2, 0)", ML_TYPE_TIMESTAMP, 19754 * 86400e6},
                 {"max(d, '2024-02-01 06:00:00')", ML_TYPE_TIMESTAMP, 19754.25 * 86400e6},
                 {"t + 0.5", ML_TYPE_TIMESTAMP, 19753.5 * 86400e6 + 0.5},
                 {"d + 0.5 - d", ML_DTYPE_F64, 0.5}};
    ctx = test_context(1);
    const double row[] = {
        6, 4, NAN, 1, 2, 19753, 19753.5 * 86400e6, NAN, NAN, 19753 * 86400e6};
    mli_inputs *in = inputs();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mli_expr *e = NULL;
        OK(mli_expr_new(in, cases[i].text, &e, ERR));
        ck_assert_msg(e->type == cases[i].type && mli_expr_run(e, row) == cases[i].value,
                      "%s: type %d, %.17g", cases[i].text, e->type, mli_expr_run(e, row));
        mli_expr_free(e);
    }
    mli_inputs_free(in);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("algorithms/expr", gives_values, refuses_with_place, types_of_results)
