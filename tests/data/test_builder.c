/* SPDX-License-Identifier: MIT
 *
 * The table builder.
 */
#include "data/table.h"
#include "failing.h"

static const double numbers[] = {1.5, NAN, -0.0};
static const int64_t integers[] = {INT64_MIN, 0, INT64_MAX};
static const char *const texts[] = {"a", NULL, "long text with \xc3\xa9"};
static const int32_t codes[] = {1, -1, 0};
static const char *const levels[] = {"no", "yes"};

static ml_status build(ml_context *ctx, ml_table **out)
{
    mli_builder *b = NULL;
    ml_status status = mli_builder_new(ctx, 3, &b, ERR);
    if (status) return status;
    if (!status) status = mli_builder_f64(b, "x", numbers, ERR);
    if (!status) status = mli_builder_i64(b, "n", integers, ERR);
    if (!status) status = mli_builder_text(b, "s", texts, ERR);
    if (!status) status = mli_builder_category(b, "c", codes, levels, 2, ERR);
    if (!status) return mli_builder_finish(b, out, ERR);
    mli_builder_free(b);
    return status;
}

static const char *cell(const ml_table *t, int64_t row, int64_t column)
{
    static char text[100];
    return ml_table_get_str(t, row, column, text, sizeof text) < 0 ? NULL : text;
}

START_TEST(builds)
{
    ml_context *ctx = test_context(1);
    ml_table *t = NULL;
    OK(build(ctx, &t));
    ml_context_free(ctx);
    ck_assert_int_eq(ml_table_rows(t), 3);
    ck_assert_int_eq(ml_table_columns(t), 4);
    ck_assert_str_eq(ml_table_column_name(t, 2), "s");
    ck_assert_int_eq(ml_table_column_type(t, 0), ML_DTYPE_F64);
    ck_assert_int_eq(ml_table_column_type(t, 1), ML_DTYPE_I64);
    ck_assert_int_eq(ml_table_column_type(t, 2), ML_TYPE_TEXT);
    ck_assert_int_eq(ml_table_column_type(t, 3), ML_TYPE_CATEGORY);
    ck_assert_int_eq(t->columns[0].null_count, 1);
    ck_assert_int_eq(t->columns[1].null_count, 0);
    ck_assert_int_eq(t->columns[2].null_count, 1);
    ck_assert_int_eq(t->columns[3].null_count, 1);
    ck_assert_str_eq(cell(t, 0, 0), "1.5");
    ck_assert_ptr_null(cell(t, 1, 0));
    ck_assert_str_eq(cell(t, 0, 1), "-9223372036854775808");
    ck_assert_str_eq(cell(t, 2, 1), "9223372036854775807");
    ck_assert_str_eq(cell(t, 2, 2), texts[2]);
    ck_assert_ptr_null(cell(t, 1, 2));
    ck_assert_str_eq(cell(t, 0, 3), "yes");
    ck_assert_str_eq(cell(t, 2, 3), "no");
    ck_assert_ptr_null(cell(t, 1, 3));
    ml_table_free(t);
}
END_TEST

START_TEST(empty_and_wide)
{
    ml_context *ctx = test_context(1);
    mli_builder *b = NULL;
    ml_table *t = NULL;
    OK(mli_builder_new(ctx, 0, &b, ERR));
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        if (i % 4 == 0) OK(mli_builder_f64(b, name, NULL, ERR));
        if (i % 4 == 1) OK(mli_builder_i64(b, name, NULL, ERR));
        if (i % 4 == 2) OK(mli_builder_text(b, name, NULL, ERR));
        if (i % 4 == 3) OK(mli_builder_category(b, name, NULL, NULL, 0, ERR));
    }
    OK(mli_builder_finish(b, &t, ERR));
    ck_assert_int_eq(ml_table_rows(t), 0);
    ck_assert_int_eq(ml_table_columns(t), 100);
    ck_assert_int_eq(ml_table_find(t, "c99"), 99);
    ml_table_free(t);
    OK(mli_builder_new(ctx, 5, &b, ERR));
    OK(mli_builder_finish(b, &t, ERR));
    ck_assert_int_eq(ml_table_rows(t), 5);
    ck_assert_int_eq(ml_table_columns(t), 0);
    ml_table_free(t);
    mli_builder_free(NULL);
    ml_context_free(ctx);
}
END_TEST

static ml_status whole_life(failing_alloc *f)
{
    ml_context *ctx = NULL;
    ml_table *t = NULL;
    ml_host host = failing_host(f);
    ml_status status = ml_context_new(&host, &ctx, NULL);
    if (!status) status = build(ctx, &t);
    ml_context_free(ctx);
    ml_table_free(t);
    return status;
}

START_TEST(out_of_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, whole_life(&f));
}
END_TEST

TEST_MAIN("data/builder", builds, empty_and_wide, out_of_memory)
