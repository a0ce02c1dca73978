/* SPDX-License-Identifier: MIT
 *
 * Tables below each other: ml_table_join with how: union.
 */
#include "csv_testing.h"
#include "failing.h"
#include "testing_data.h"

static ml_status try_stack(ml_context *ctx, const ml_table *a, const ml_table *b,
                           const char *name, const char *value, ml_table **out)
{
    ml_params *p = NULL;
    ml_status status = ml_params_new(ctx, &p, ERR);
    if (!status) status = ml_params_set_str(p, "how", "union", ERR);
    if (!status && name) status = ml_params_set_str(p, name, value, ERR);
    if (!status) status = ml_table_join(a, b, p, out, ERR);
    ml_params_free(p);
    return status;
}

/* The union of two texts of CSV with types (NULL: as found) is shown as `expected`. */
static void expect(const char *left, const char *left_types, const char *right,
                   const char *right_types, const char *expected)
{
    ml_context *ctx = test_context(2);
    ml_table *out = NULL;
    ml_table *a =
        left_types ? CSV(ctx, left, "types", left_types, NULL) : CSV(ctx, left, NULL);
    ml_table *b =
        right_types ? CSV(ctx, right, "types", right_types, NULL) : CSV(ctx, right, NULL);
    OK(try_stack(ctx, a, b, NULL, NULL, &out));
    ck_assert_str_eq(csv_show(out), expected);
    ml_table_free(out);
    ml_table_free(a);
    ml_table_free(b);
    ml_context_free(ctx);
}

START_TEST(columns_go_by_name)
{
    expect("a,b\n1,x y\n2,\n", NULL, "c,a\n0.5,7\n", NULL,
           "a:i64,b:text,c:f64\n1,x y,-\n2,-,-\n7,-,0.5");
    expect("a\n1\n", NULL, "b\n2\n", NULL, "a:i64,b:i64\n1,-\n-,2");
    expect("d\n2024-02-29\n", NULL, "e\n1\n", NULL, "d:date,e:i64\n2024-02-29,-\n-,1");
}
END_TEST

START_TEST(types_become_the_wider_one)
{
    expect("a,b\n1,0\n,1\n", "a:bool", "a\n-5\n", "a:i64", "a:i64,b:i64\n1,0\n-,1\n-5,-");
    expect("a\n1\n2\n", "a:i64", "a\n0.5\n", "a:f64", "a:f64\n1\n2\n0.5");
    expect("a\n1\n0\n1\n", "a:bool", "a\n0\n1\n", "a:bool",
           "a:bool\ntrue\nfalse\ntrue\nfalse\ntrue");
    expect("a\n2024-01-02\n", "a:date", "a\n2024-01-03T04:05:06\n", "a:timestamp",
           "a:timestamp\n2024-01-02T00:00:00Z\n2024-01-03T04:05:06Z");
    expect("a\nx\ny\nx\n", "a:category", "a\nz\n", "a:text", "a:text\nx\ny\nx\nz");
    /* 2^53 + 1 stays itself among whole numbers */
    expect("a\n9007199254740993\n", "a:i64", "a\n1\n", "a:bool",
           "a:i64\n9007199254740993\n1");
}
END_TEST

START_TEST(levels_of_categories_are_joined)
{
    ml_context *ctx = test_context(1);
    ml_table *a = CSV(ctx, "c,n\nred,1\ngreen,2\n,3\n", "types", "c:category", NULL);
    ml_table *b = CSV(ctx, "c,n\nblue,4\nred,5\n", "types", "c:category", NULL);
    ml_table *out = NULL, *part = NULL;
    OK(try_stack(ctx, a, b, NULL, NULL, &out));
    ck_assert_str_eq(csv_show(out),
                     "c:category,n:i64\nred,1\ngreen,2\n-,3\nblue,4\nred,5");
    /* parts of tables whose memory begins elsewhere */
    OK(ml_table_slice(out, 1, 4, &part, ERR));
    ml_table_free(out);
    OK(try_stack(ctx, part, b, NULL, NULL, &out));
    ck_assert_str_eq(csv_show(out),
                     "c:category,n:i64\ngreen,2\n-,3\nblue,4\nblue,4\nred,5");
    ck_assert_double_eq(ml_table_get_f64(out, 2, 0), ml_table_get_f64(out, 3, 0));
    ml_table_free(out);
    ml_table_free(part);
    ml_table_free(a);
    ml_table_free(b);
    ml_context_free(ctx);
}
END_TEST

START_TEST(columns_without_values_take_any_type)
{
    ml_context *ctx = test_context(1);
    const double none[] = {NAN, NAN};
    ml_table *a = add_f64(ctx, NULL, "a", 2, none), *out = NULL;
    ml_table *b = CSV(ctx, "a\nword\n", "types", "a:text", NULL);
    OK(try_stack(ctx, a, b, NULL, NULL, &out));
    ck_assert_str_eq(csv_show(out), "a:text\n-\n-\nword");
    ml_table_free(out);
    OK(try_stack(ctx, b, a, NULL, NULL, &out));
    ck_assert_str_eq(csv_show(out), "a:text\nword\n-\n-");
    ml_table_free(out);
    ml_table_free(a);
    ml_table_free(b);
    ml_context_free(ctx);
}
END_TEST

START_TEST(narrow_numbers_and_strides)
{
    ml_context *ctx = test_context(1);
    int16_t small[6] = {1, 2, 3, 4, 5, 6};
    const int64_t shape[2] = {3, 2};
    ml_tensor *x = NULL;
    ml_table *a = NULL, *out = NULL, *twice = NULL;
    OK(ml_tensor_wrap(ctx, ML_DTYPE_I16, 2, shape, NULL, small, NULL, NULL, &x, ERR));
    OK(ml_table_read_tensor(ctx, x, NULL, &a, ERR));
    ml_tensor_free(x);
    OK(try_stack(ctx, a, a, NULL, NULL, &out));
    ck_assert_int_eq(ml_table_column_type(out, 1), ML_DTYPE_I16);
    for (int64_t i = 0; i < 6; i++)
        for (int64_t j = 0; j < 2; j++)
            ck_assert_double_eq(ml_table_get_f64(out, i, j), small[i % 3 * 2 + j]);
    ml_table *b = add_i64(ctx, NULL, ml_table_column_name(a, 1), 1, (int64_t[]){99});
    OK(try_stack(ctx, a, b, NULL, NULL, &twice));
    ck_assert_int_eq(ml_table_column_type(twice, 1), ML_DTYPE_I64);
    ck_assert_double_eq(ml_table_get_f64(twice, 2, 1), 6);
    ck_assert_double_eq(ml_table_get_f64(twice, 3, 1), 99);
    ml_table_free(twice);
    ml_table_free(b);
    ml_table_free(out);
    ml_table_free(a);
    ml_context_free(ctx);
}
END_TEST

START_TEST(says_what_does_not_fit)
{
    static const char *const means_nothing[][2] = {
        {"on", "a"}, {"time", "a"}, {"columns", "a"}, {"suffix", "_2"}};
    ml_context *ctx = test_context(1);
    ml_table *a = CSV(ctx, "a\n1\n", NULL), *out = NULL;
    ml_table *b = CSV(ctx, "a\nword\n", "types", "a:text", NULL);
    FAILS(ML_E_TYPE, try_stack(ctx, a, b, NULL, NULL, &out));
    SAYS("\"a\" is i64 in the left table and text in the right one");
    for (int i = 0; i < 4; i++) {
        FAILS(ML_E_ARGUMENT,
              try_stack(ctx, a, a, means_nothing[i][0], means_nothing[i][1], &out));
        SAYS("means nothing with how: union");
    }
    ck_assert_ptr_null(out);
    ml_table_free(a);
    ml_table_free(b);
    ml_context_free(ctx);
}
END_TEST

START_TEST(takes_empty_tables)
{
    ml_context *ctx = test_context(1);
    ml_table *a = CSV(ctx, "c,n,t\nred,1,long text\nred,2,other text\n", "types",
                      "c:category,n:i64,t:text", NULL);
    ml_table *empty = NULL, *out = NULL;
    OK(ml_table_slice(a, 0, 0, &empty, ERR));
    OK(try_stack(ctx, empty, a, NULL, NULL, &out));
    ck_assert_str_eq(csv_show(out),
                     "c:category,n:i64,t:text\nred,1,long text\nred,2,other text");
    ml_table_free(out);
    OK(try_stack(ctx, empty, empty, NULL, NULL, &out));
    ck_assert_int_eq(ml_table_rows(out), 0);
    ml_table_free(out);
    ml_table_free(empty);
    ml_table_free(a);
    ml_context_free(ctx);
}
END_TEST

static ml_status small_work(failing_alloc *f)
{
    ml_host host = failing_host(f);
    ml_context *ctx = NULL;
    ml_table *a = NULL, *b = NULL, *out = NULL;
    ml_params *p = NULL;
    const char *texts[] = {"a", "b", NULL, "a"};
    ml_status s = ml_context_new(&host, &ctx, NULL);
    if (!s) s = ml_table_with_strs(ctx, NULL, "k", texts, 4, &a, NULL);
    if (!s) s = ml_table_with_strs(ctx, NULL, "l", texts, 4, &b, NULL);
    if (!s) s = ml_params_new(ctx, &p, NULL);
    if (!s) s = ml_params_set_str(p, "how", "union", NULL);
    if (!s) s = ml_table_join(a, b, p, &out, NULL);
    ml_table_free(out);
    ml_params_free(p);
    ml_table_free(a);
    ml_table_free(b);
    ml_context_free(ctx);
    return s;
}

START_TEST(stands_lack_of_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, small_work(&f));
}
END_TEST

TEST_MAIN("data/stack", columns_go_by_name, types_become_the_wider_one,
          levels_of_categories_are_joined, columns_without_values_take_any_type,
          narrow_numbers_and_strides, says_what_does_not_fit, takes_empty_tables,
          stands_lack_of_memory)
