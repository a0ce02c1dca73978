/* SPDX-License-Identifier: MIT
 *
 * The error object: joining, cutting, cleaning, causes.
 */
#include "testing.h"
#include "core/error.h"

START_TEST(joins_place_message_and_hint)
{
    ml_error *e = ml_error_new();
    ck_assert_int_eq(ml_error_code(e), ML_OK);
    ck_assert_str_eq(ml_error_message(e), "");
    ck_assert_int_eq(mli_fail(e, ML_E_RANGE, "%d is outside the legal range [1, 64]", 99),
                     ML_E_RANGE);
    ck_assert_str_eq(ml_error_message(e), "99 is outside the legal range [1, 64]");
    ck_assert_int_eq(mli_error_at(e, ML_E_RANGE, "params.%s", "max_depth"), ML_E_RANGE);
    ck_assert_str_eq(ml_error_message(e),
                     "params.max_depth: 99 is outside the legal range [1, 64]");
    ck_assert_int_eq(mli_error_hint(e, ML_E_RANGE, "use %s", "6"), ML_E_RANGE);
    ck_assert_str_eq(ml_error_message(e),
                     "params.max_depth: 99 is outside the legal range [1, 64]; use 6");
    ck_assert_str_eq(ml_error_location(e), "params.max_depth");
    ck_assert_str_eq(ml_error_hint(e), "use 6");
    ck_assert_ptr_null(ml_error_cause(e));
    mli_fail(e, ML_E_DATA, "another");
    ck_assert_str_eq(ml_error_message(e), "another");
    ck_assert_str_eq(ml_error_location(e), "");
    ck_assert_str_eq(ml_error_hint(e), "");
    ml_error_free(e);
}
END_TEST

START_TEST(accepts_null_everywhere)
{
    ck_assert_int_eq(mli_fail(NULL, ML_E_DATA, "x"), ML_E_DATA);
    ck_assert_int_eq(mli_error_at(NULL, ML_E_DATA, "x"), ML_E_DATA);
    ck_assert_int_eq(mli_error_hint(NULL, ML_E_DATA, "x"), ML_E_DATA);
    ck_assert_int_eq(mli_nomem(NULL), ML_E_MEMORY);
    ck_assert_int_eq(mli_null(NULL, "table"), ML_E_ARGUMENT);
    ck_assert_int_eq(mli_error_copy(NULL, NULL, ML_E_IO), ML_E_IO);
    ck_assert_int_lt(mli_error_wrap(NULL, "x"), 0);
    ml_error_set(NULL, ML_E_DATA, "x");
    ck_assert_int_eq(ml_error_code(NULL), ML_OK);
    ck_assert_str_eq(ml_error_message(NULL), "");
    ck_assert_str_eq(ml_error_location(NULL), "");
    ck_assert_str_eq(ml_error_hint(NULL), "");
    ck_assert_ptr_null(ml_error_cause(NULL));
    ml_error_free(NULL);
}
END_TEST

START_TEST(names_null_arguments)
{
    ml_error *e = ml_error_new();
    ck_assert_int_eq(mli_null(e, "table"), ML_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(ml_error_message(e), "'table' is NULL"));
    ml_error_free(e);
}
END_TEST

START_TEST(host_fills_and_empties)
{
    ml_error *e = ml_error_new();
    ml_error_set(e, ML_E_CALLBACK, "the disk is gone");
    ck_assert_int_eq(ml_error_code(e), ML_E_CALLBACK);
    ck_assert_str_eq(ml_error_message(e), "the disk is gone");
    ml_error_set(e, ML_E_IO, NULL);
    ck_assert_str_eq(ml_error_message(e), "ML_E_IO");
    ml_error_set(e, 42, "a code of the host");
    ck_assert_int_eq(ml_error_code(e), ML_E_CALLBACK);
    ml_error_set(e, ML_OK, NULL);
    ck_assert_int_eq(ml_error_code(e), ML_OK);
    ck_assert_str_eq(ml_error_message(e), "");
    ml_error_set(e, ML_E_DATA, "100%s of %n");
    ck_assert_str_eq(ml_error_message(e), "100%s of %n");
    ml_error_free(e);
}
END_TEST

START_TEST(cuts_long_text)
{
    ml_error *e = ml_error_new();
    static char text[1 << 20];
    memset(text, 'x', sizeof text - 1);
    mli_fail(e, ML_E_DATA, "%s", text);
    size_t size = strlen(ml_error_message(e));
    ck_assert_uint_gt(size, 500);
    ck_assert_uint_lt(size, 2000);
    ck_assert_str_eq(ml_error_message(e) + size - 4, "x...");
    mli_error_at(e, ML_E_DATA, "%s", text);
    mli_error_hint(e, ML_E_DATA, "%s", text);
    ck_assert_uint_eq(strlen(ml_error_hint(e)), size);
    ck_assert_uint_eq(strlen(ml_error_message(e)), 3 * size + 4);
    ml_error_free(e);
}
END_TEST

/* The cut must not halve a character, at any place. */
START_TEST(cuts_between_characters)
{
    ml_error *e = ml_error_new();
    for (int shift = 0; shift < 4; shift++) {
        char text[4096] = "";
        memset(text, 'a', (size_t)shift);
        for (int i = 0; i < 900; i++) strcat(text, "\xf0\x9f\x8c\xb2");
        mli_fail(e, ML_E_DATA, "%s", text);
        const char *m = ml_error_message(e);
        size_t size = strlen(m);
        ck_assert_str_eq(m + size - 3, "...");
        ck_assert_uint_eq((size - 3 - (size_t)shift) % 4, 0);
        ck_assert_ptr_null(strchr(m, '?'));
    }
    ml_error_free(e);
}
END_TEST

START_TEST(stays_on_one_line)
{
    ml_error *e = ml_error_new();
    mli_fail(e, ML_E_DATA,
             "a\nb\r\nc\td\x1b[31m\x7f"
             "e\xc2\x85"
             "f\xe2\x80\xa8g");
    const char *m = ml_error_message(e);
    for (const char *c = m; *c; c++) ck_assert_int_ge((unsigned char)*c, 0x20);
    ck_assert_str_eq(m, "a b  c d [31m e  f   g");
    mli_fail(e, ML_E_DATA, "caf\xc3\xa9 \xe2\x82\xac");
    ck_assert_str_eq(ml_error_message(e), "caf\xc3\xa9 \xe2\x82\xac");
    ml_error_free(e);
}
END_TEST

START_TEST(makes_invalid_utf8_safe)
{
    ml_error *e = ml_error_new();
    mli_fail(e, ML_E_DATA, "column \"%s\"",
             "\xff\xfe"
             "a\xc3"
             "b\xc0\xaf");
    ck_assert_str_eq(ml_error_message(e), "column \"?\?a?b?\?\"");
    mli_fail(e, ML_E_DATA, "%s", "\xed\xa0\x80"); /* a surrogate */
    ck_assert_str_eq(ml_error_message(e), "?\?\?");
    mli_fail(e, ML_E_DATA, "%s", "x\xe2\x80");
    ck_assert_str_eq(ml_error_message(e), "x?\?");
    ml_error_free(e);
}
END_TEST

START_TEST(takes_its_own_text)
{
    ml_error *e = ml_error_new();
    mli_fail(e, ML_E_DATA, "inner");
    mli_error_at(e, ML_E_DATA, "row 3");
    mli_error_at(e, ML_E_DATA, "column 2, %s", ml_error_location(e));
    ck_assert_str_eq(ml_error_message(e), "column 2, row 3: inner");
    mli_fail(e, ML_E_DATA, "trial 1: %s", ml_error_message(e));
    ck_assert_str_eq(ml_error_message(e), "trial 1: column 2, row 3: inner");
    ml_error_set(e, ML_E_IO, ml_error_message(e));
    ck_assert_str_eq(ml_error_message(e), "trial 1: column 2, row 3: inner");
    ml_error_free(e);
}
END_TEST

START_TEST(chains_causes)
{
    ml_error *e = ml_error_new();
    mli_fail(e, ML_E_IO, "disk full");
    mli_error_at(e, ML_E_IO, "m.mlm");
    ck_assert_int_eq(mli_error_wrap(e, "saving failed"), ML_E_IO);
    ck_assert_int_eq(mli_error_wrap(e, "study stopped"), ML_E_IO);
    mli_error_hint(e, ML_E_IO, "free some space");
    ck_assert_str_eq(ml_error_message(e), "study stopped; free some space");
    const ml_error *cause = ml_error_cause(e);
    ck_assert_str_eq(ml_error_message(cause), "saving failed");
    ck_assert_int_eq(ml_error_code(cause), ML_E_IO);
    cause = ml_error_cause(cause);
    ck_assert_str_eq(ml_error_message(cause), "m.mlm: disk full");
    ck_assert_ptr_null(ml_error_cause(cause));
    mli_fail(e, ML_E_DATA, "new");
    ck_assert_ptr_null(ml_error_cause(e));
    ml_error_free(e);
}
END_TEST

START_TEST(keeps_the_root_of_a_long_chain)
{
    ml_error *e = ml_error_new();
    mli_fail(e, ML_E_IO, "root");
    for (int i = 0; i < 50; i++) mli_error_wrap(e, "level %d", i);
    ck_assert_str_eq(ml_error_message(e), "level 49");
    ck_assert_str_eq(ml_error_message(ml_error_cause(e)), "level 48");
    const ml_error *last = e;
    int depth = 0;
    for (; ml_error_cause(last); last = ml_error_cause(last)) depth++;
    ck_assert_str_eq(ml_error_message(last), "root");
    ck_assert_int_ge(depth, 4);
    ml_error_free(e);
}
END_TEST

START_TEST(copies_with_causes)
{
    ml_error *a = ml_error_new(), *b = ml_error_new();
    mli_fail(a, ML_E_IO, "root");
    mli_error_wrap(a, "outer");
    mli_error_hint(a, ML_E_IO, "do this");
    ck_assert_int_eq(mli_error_copy(b, a, ML_E_IO), ML_E_IO);
    ml_error_free(a);
    ck_assert_str_eq(ml_error_message(b), "outer; do this");
    ck_assert_str_eq(ml_error_message(ml_error_cause(b)), "root");
    ck_assert_ptr_null(ml_error_cause(ml_error_cause(b)));
    ck_assert_int_eq(mli_error_copy(b, NULL, ML_E_STATE), ML_E_STATE);
    ck_assert_int_eq(ml_error_code(b), ML_E_STATE);
    ck_assert_ptr_nonnull(strstr(ml_error_message(b), "ML_E_STATE"));
    ck_assert_ptr_null(ml_error_cause(b));
    ml_error *ok = ml_error_new();
    ck_assert_int_eq(mli_error_copy(b, ok, ML_OK), ML_OK);
    ck_assert_int_eq(ml_error_code(b), ML_E_STATE); /* success leaves it as it was */
    ck_assert_int_eq(mli_error_copy(b, b, ML_E_STATE), ML_E_STATE);
    ml_error_free(ok);
    ml_error_free(b);
}
END_TEST

/* Rows 1 .. 3 of some rows are rows 11, 21, 31 of the table. */
START_TEST(rows_of_a_part_are_those_of_the_table)
{
    const int64_t rows[] = {10, 20, 30};
    ml_error *e = ml_error_new();
    mli_fail(e, ML_E_DATA, "the target of row 2 is -1, that of row 3, too");
    mli_error_at(e, ML_E_DATA, "column \"row 1\", row 1");
    mli_error_rows(e, rows, 3);
    ck_assert_str_eq(
        ml_error_message(e),
        "column \"row 1\", row 11: the target of row 2 is -1, that of row 31, too");
    mli_fail(e, ML_E_DATA, "row 3 is odd");
    mli_error_wrap(e, "gbdt: row 3 is odd");
    mli_error_rows(e, rows, 3);
    ck_assert_str_eq(ml_error_message(e), "gbdt: row 31 is odd");
    ck_assert_str_eq(ml_error_message(ml_error_cause(e)), "row 31 is odd");
    mli_fail(e, ML_E_DATA, "row 4, borrow 1, row x");
    mli_error_rows(e, rows, 3);
    ck_assert_str_eq(ml_error_message(e), "row 4, borrow 1, row x");
    mli_error_rows(NULL, rows, 3);
    ml_error_free(e);
}
END_TEST

TEST_MAIN("core/error", joins_place_message_and_hint, accepts_null_everywhere,
          names_null_arguments, host_fills_and_empties, cuts_long_text,
          cuts_between_characters, stays_on_one_line, makes_invalid_utf8_safe,
          takes_its_own_text, chains_causes, keeps_the_root_of_a_long_chain,
          copies_with_causes, rows_of_a_part_are_those_of_the_table)
