/* SPDX-License-Identifier: MIT
 *
 * Reading CSV: types, missing values, headers, dialects, options, errors.
 */
#include "csv_testing.h"

static ml_context *ctx;

START_TEST(types_are_found)
{
    ctx = test_context(1);
    SHOWS(ctx,
          "b,i,r,d,t,s\n"
          "true,1,1.5,2024-02-29,2024-02-29T12:30:00Z,x y\n"
          "FALSE,-20,2,1969-12-31,2024-02-29 12:30:00.25,z\n",
          "b:bool,i:i64,r:f64,d:date,t:timestamp,s:text\n"
          "true,1,1.5,2024-02-29,2024-02-29T12:30:00Z,x y\n"
          "false,-20,2,1969-12-31,2024-02-29T12:30:00.25Z,z",
          NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(types_widen)
{
    ctx = test_context(1);
    /* integer to real, date to timestamp; anything else to text, from the first row on */
    SHOWS(ctx, "a\n1\n2\n3.5\n", "a:f64\n1\n2\n3.5", NULL);
    SHOWS(ctx, "a\n2024-01-01\n2024-01-01 06:00:00\n",
          "a:timestamp\n2024-01-01T00:00:00Z\n2024-01-01T06:00:00Z", NULL);
    SHOWS(ctx, "a\n1.50\n+2\nx\n", "a:text\n1.50\n+2\nx", NULL);
    SHOWS(ctx, "a\ntrue\n1\n", "a:text\ntrue\n1", NULL);
    SHOWS(ctx, "a\n2024-01-01\n5\n", "a:text\n2024-01-01\n5", NULL);
    SHOWS(ctx, "a\n\n\n1\n", "a:i64\n1", NULL);
    SHOWS(ctx, "a,b\n,1\n,2\n7,3\n", "a:i64,b:i64\n-,1\n-,2\n7,3", NULL);
    SHOWS(ctx, "a,b\n,1\nx,2\n", "a:text,b:i64\n-,1\nx,2", NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(numbers_in_all_forms)
{
    ctx = test_context(1);
    SHOWS(ctx, "a\n1e3\n.5\n5.\n-0\n+1.25\n1E-400\ninf\n-Infinity\n",
          "a:f64\n1000\n0.5\n5\n-0\n1.25\n0\ninf\n-inf", NULL);
    SHOWS(ctx, "a\n9223372036854775807\n-9223372036854775808\n",
          "a:i64\n9223372036854775807\n-9223372036854775808", NULL);
    SHOWS(ctx, "a\n1234567890123456\n12345678901234567\n",
          "a:i64\n1234567890123456\n12345678901234567", NULL);
    SHOWS(ctx, "a\n0.1234567890123456789\n123456789012345678.5\n",
          "a:f64\n0.12345678901234568\n1.2345678901234568e17", NULL);
    /* no numbers */
    SHOWS(ctx, "a\n1\n1 2\n", "a:text\n1\n1 2", NULL);
    SHOWS(ctx, "a\n1\n0x10\n", "a:text\n1\n0x10", NULL);
    SHOWS(ctx, "a\n1\n1.2.3\n", "a:text\n1\n1.2.3", NULL);
    SHOWS(ctx, "a\n1\n-\n", "a:text\n1\n-", NULL);
    SHOWS(ctx, "a\n1\n.\n", "a:text\n1\n.", NULL);
    SHOWS(ctx, "a\n1\n1e\n", "a:text\n1\n1e", NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(minus_zero_is_kept)
{
    ctx = test_context(1);
    ml_table *t = CSV(ctx, "a\n-0\n1\n", NULL);
    ck_assert_str_eq(type_of(t, 0), "f64");
    ck_assert(signbit(ml_table_get_f64(t, 0, 0)));
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(names_made_of_digits_stay_text)
{
    ctx = test_context(1);
    SHOWS(ctx, "zip\n08123\n10001\n", "zip:text\n08123\n10001", NULL);
    SHOWS(ctx, "a\n1\n2\n-01\n", "a:text\n1\n2\n-01", NULL);
    SHOWS(ctx, "a\n0\n0.5\n00.5\n", "a:f64\n0\n0.5\n0.5", NULL);
    /* beyond 64 bits: text alone, a real among reals */
    SHOWS(ctx, "id\n18446744073709551615\n12\n", "id:text\n18446744073709551615\n12",
          NULL);
    SHOWS(ctx, "id\n18446744073709551616\n0.5\n", "id:f64\n1.8446744073709552e19\n0.5",
          NULL);
    SHOWS(ctx, "zip\n08123\n10001\n", "zip:i64\n8123\n10001", "types", "zip:i64", NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(categories_and_text)
{
    ctx = test_context(1);
    SHOWS(ctx, "a\nx\ny\nx\ny\n", "a:category\nx\ny\nx\ny", NULL);
    SHOWS(ctx, "a\nx\ny\nz\ny\n", "a:text\nx\ny\nz\ny", NULL);
    SHOWS(ctx, "a\nx\ny\nz\ny\n", "a:category\nx\ny\nz\ny", "strings", "category", NULL);
    SHOWS(ctx, "a\nx\nx\nx\nx\n", "a:text\nx\nx\nx\nx", "strings", "text", NULL);
    SHOWS(ctx, "a\nx\nx\ny\ny\n", "a:text\nx\nx\ny\ny", "max_categories", "1", NULL);
    /* codes follow first appearance */
    ml_table *t = CSV(ctx, "a\nz\na\nz\na\n", NULL);
    ck_assert(ml_table_get_f64(t, 0, 0) == 0);
    ck_assert(ml_table_get_f64(t, 1, 0) == 1);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(missing_values)
{
    ctx = test_context(1);
    SHOWS(ctx, "a,b\n1,NA\nNaN,x\n?,null\n<NA>,\n", "a:i64,b:text\n1,-\n-,x\n-,-\n-,-",
          NULL);
    /* quoted words: text in columns of text, missing in others */
    SHOWS(ctx, "a,b\n1,\"NA\"\n\"NA\",x\n\"\",\"\"\n", "a:i64,b:text\n1,NA\n-,x\n-,",
          NULL);
    SHOWS(ctx, "a,b\n\"\",1\n\"\",2\n", "a:category,b:i64\n,1\n,2", NULL);
    SHOWS(ctx, "a,b\n,1\n,2\n", "a:f64,b:i64\n-,1\n-,2", NULL);
    SHOWS(ctx, "a,b\n\"\",1\nx,2\n", "a:text,b:i64\n,1\nx,2", NULL);
    SHOWS(ctx, "a,b\n-999,x\n1.5,NA\n", "a:f64,b:text\n-,x\n1.5,NA", "null_words",
          "[\"-999\"]", NULL);
    /* an empty field is empty text when the empty word is not listed */
    SHOWS(ctx, "a,b\n,x\n1,\n", "a:i64,b:text\n-,x\n1,", "null_words", "[\"NA\"]", NULL);
    SHOWS(ctx, "a,b\n,1\n,2\n", "a:category,b:i64\n,1\n,2", "null_words", "[\"NA\"]",
          NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(quotes)
{
    ctx = test_context(1);
    SHOWS(ctx, "a,b\n\"x,\"\"y\"\"\",\"1\"\n\"p\nq\",2\n",
          "a:text,b:i64\nx,\"y\",1\np\nq,2", NULL);
    SHOWS(ctx, "a,b\n5\" pipe,3' 6\"\nx\"y,\"\"\n",
          "a:text,b:text\n5\" pipe,3' 6\"\nx\"y,", NULL);
    SHOWS(ctx, "a,b\n \"x, y\" , 2\n", "a:text,b:i64\nx, y,2", NULL);
    SHOWS(ctx, "a;b\n'x;y';1\n'it''s';2\n", "a:text,b:i64\nx;y,1\nit's,2", NULL);
    SHOWS(ctx, "a,b\n\"say \\\"hi\\\"\",1\n\"c\\\\d\",2\n",
          "a:text,b:i64\nsay \"hi\",1\nc\\d,2", NULL);
    SHOWS(ctx, "a,b\n\"x\",1\n", "a:text,b:i64\n\"x\",1", "quote", "none", NULL);
    SHOWS(ctx, "a|b\n\"x|1\ny|2\n", "a:text,b:i64\n\"x,1\ny,2", "quote", "none", NULL);
    SHOWS(ctx, "a,b\n$x,y$,1\n", "a:text,b:i64\nx,y,1", "quote", "$", NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(line_ends)
{
    ctx = test_context(1);
    const char *shown = "a:i64,b:text\n1,x\n2,y";
    SHOWS(ctx, "a,b\n1,x\n2,y", shown, NULL);
    SHOWS(ctx, "a,b\r\n1,x\r\n2,y\r\n", shown, NULL);
    SHOWS(ctx, "a,b\r1,x\r2,y\r", shown, NULL);
    SHOWS(ctx, "a,b\n1,x\r\n2,y\r", shown, NULL);
    SHOWS(ctx, "\n\na,b\n\n1,x\n  \n2,y\n\n\n", shown, NULL);
    SHOWS(ctx,
          "\xef\xbb\xbf"
          "a,b\n1,x\n2,y\n",
          shown, NULL);
    SHOWS(ctx, "a,b\r\n\"1\r\n2\",x\r\n", "a:text,b:text\n1\r\n2,x", NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(delimiters_are_detected)
{
    ctx = test_context(1);
    const char *shown = "a:i64,b:text,c:f64\n1,x,2.5\n2,y,3.5";
    SHOWS(ctx, "a,b,c\n1,x,2.5\n2,y,3.5\n", shown, NULL);
    SHOWS(ctx, "a;b;c\n1;x;2.5\n2;y;3.5\n", shown, NULL);
    SHOWS(ctx, "a\tb\tc\n1\tx\t2.5\n2\ty\t3.5\n", shown, NULL);
    SHOWS(ctx, "a|b|c\n1|x|2.5\n2|y|3.5\n", shown, NULL);
    SHOWS(ctx, "a b c\n1  x 2.5 \n 2\ty   3.5\n", shown, NULL);
    SHOWS(ctx, "a:b:c\n1:x:2.5\n2:y:3.5\n", shown, "delimiter", "colon", NULL);
    /* the delimiter is not the most frequent mark */
    SHOWS(ctx, "a;b\n1;x, y, z\n2;u, v, w\n", "a:i64,b:text\n1,x, y, z\n2,u, v, w", NULL);
    SHOWS(ctx, "id,genres\n1,A|B|C\n2,D|E\n3,F\n",
          "id:i64,genres:text\n1,A|B|C\n2,D|E\n3,F", NULL);
    /* one column */
    SHOWS(ctx, "a\n2024-01-01 10:00:00\n", "a:timestamp\n2024-01-01T10:00:00Z", NULL);
    SHOWS(ctx, "a\nhello, world\nbye\n", "a:text\nhello, world\nbye", "delimiter", "tab",
          NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(decimal_commas)
{
    ctx = test_context(1);
    SHOWS(ctx, "a;b\n1,5;x\n-2,25;y\n3;z\n", "a:f64,b:text\n1.5,x\n-2.25,y\n3,z", NULL);
    SHOWS(ctx, "a;b\n1,5;x\n2.5;y\n", "a:text,b:text\n1,5,x\n2.5,y", NULL);
    SHOWS(ctx, "a\tb\n1,5\tx\n", "a:text,b:text\n1,5,x", NULL);
    SHOWS(ctx, "a\tb\n1,5\tx\n", "a:f64,b:text\n1.5,x", "decimal", "comma", NULL);
    SHOWS(ctx, "a;b\n1,5;x\n", "a:text,b:text\n1,5,x", "decimal", "point", NULL);
    SHOWS(ctx, "a;b\n1.234,5;x\n", "a:f64,b:text\n1234.5,x", "decimal", "comma",
          "thousands", "point", NULL);
    SHOWS(ctx, "a;b\n1,234;5\n12,345,678.5;6\n", "a:f64,b:i64\n1234,5\n12345678.5,6",
          "thousands", "comma", NULL);
    SHOWS(ctx, "a;b\n1,23;5\n", "a:text,b:i64\n1,23,5", "thousands", "comma", NULL);
    SHOWS(ctx, "a,b\n\"1,234\",5\n\"99\",6\n", "a:i64,b:i64\n1234,5\n99,6", "thousands",
          ",", NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(headers)
{
    ctx = test_context(1);
    SHOWS(ctx, "1,x\n2,y\n", "column_1:i64,column_2:text\n1,x\n2,y", NULL);
    SHOWS(ctx, "1,2\n3,4\n", "1:i64,2:i64\n3,4", "header", "yes", NULL);
    SHOWS(ctx, "a,b\nc,d\n", "column_1:text,column_2:text\na,b\nc,d", "header", "no",
          NULL);
    SHOWS(ctx, "name,2019,2020\nx,1.5,2.5\n", "name:text,2019:f64,2020:f64\nx,1.5,2.5",
          "header", "yes", NULL);
    /* duplicates, empty names, a name that is taken */
    SHOWS(ctx, "a,a,a_2,,a\n1,2,3,4,5\n",
          "a:i64,a_2:i64,a_2_2:i64,column_4:i64,a_3:i64\n1,2,3,4,5", NULL);
    SHOWS(ctx, "\"a,b\", c \n1,2\n", "a,b:i64,c:i64\n1,2", NULL);
    /* only a header: no rows; only one record of numbers: no header */
    SHOWS(ctx, "a,b\n", "a:f64,b:f64", NULL);
    SHOWS(ctx, "a,b", "a:f64,b:f64", NULL);
    SHOWS(ctx, "42\n", "column_1:i64\n42", NULL);
    /* row names in front, a last delimiter behind */
    SHOWS(ctx, "a,b\nr1,1,2\nr2,3,4\n", "column_1:text,a:i64,b:i64\nr1,1,2\nr2,3,4",
          NULL);
    SHOWS(ctx, "a,b\n1,2,\n3,4,\n", "a:i64,b:i64,column_3:f64\n1,2,-\n3,4,-", NULL);
    SHOWS(ctx, "a,b,\n1,2\n3,4\n", "a:i64,b:i64\n1,2\n3,4", NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(ragged_records)
{
    ctx = test_context(1);
    const char *text = "a,b,c\n1,2,3\n4,5\n6,7,8,9\n";
    COMPLAINS(ctx, text, ML_E_PARSE, "line 3, column 3 (\"c\"): 2 fields", NULL);
    COMPLAINS(ctx, "a,b\n\"x\ny\",1\n1,2,3\n", ML_E_PARSE, "line 4, column 3: 3 fields",
              NULL);
    COMPLAINS(ctx, text, ML_E_PARSE, "on_ragged", NULL);
    SHOWS(ctx, text, "a:i64,b:i64,c:i64\n1,2,3\n4,5,-\n6,7,8", "on_ragged", "fill", NULL);
    SHOWS(ctx, text, "a:i64,b:i64,c:i64\n1,2,3", "on_ragged", "skip", NULL);
    COMPLAINS(ctx, "title\n\na,b\n1,2\n3,4\n", ML_E_PARSE, "set skip_rows to 2", NULL);
    COMPLAINS(ctx, "a,b\n1,2\n# end\n", ML_E_PARSE, "set comment to #", NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(comments_and_skipped_rows)
{
    ctx = test_context(1);
    SHOWS(ctx, "# one\n# \"two\na,b\n1,2\n#3,4\n5,6\n", "a:i64,b:i64\n1,2\n5,6",
          "comment", "#", NULL);
    SHOWS(ctx, "title, of\nthe table\na,b\n1,2\n", "a:i64,b:i64\n1,2", "skip_rows", "2",
          NULL);
    SHOWS(ctx, "x\r\ny\r\na,b\r\n1,2\r\n", "a:i64,b:i64\n1,2", "skip_rows", "2", NULL);
    COMPLAINS(ctx, "a\n1\n", ML_E_DATA, "skip_rows", "skip_rows", "5", NULL);
    SHOWS(ctx, "a,b\n1,2\n\n3,4\n5,x\n", "a:i64,b:i64\n1,2\n3,4", "max_rows", "2", NULL);
    SHOWS(ctx, "a,b\n1,2\n3\n5,x\n", "a:i64,b:i64\n1,2", "max_rows", "1", NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(columns_and_types_by_name)
{
    ctx = test_context(1);
    const char *text = "a,b,c\n1,x,0\n2,y,1\n";
    SHOWS(ctx, text, "c:i64,a:i64\n0,1\n1,2", "columns", "[c, a]", NULL);
    SHOWS(ctx, text, "a:f64,b:category,c:bool\n1,x,false\n2,y,true", "types",
          "[\"a:f64\", \"b:category\", \"c:bool\"]", NULL);
    SHOWS(ctx, text, "a:text,b:text,c:i64\n1,x,0\n2,y,1", "types", "a:text", NULL);
    SHOWS(ctx, "a\n2024-01-01\n", "a:timestamp\n2024-01-01T00:00:00Z", "types",
          "a:timestamp", NULL);
    SHOWS(ctx, "a:b,c\n1,2\n", "a:b:f64,c:i64\n1,2", "types", "a:b:f64", NULL);
    COMPLAINS(ctx, text, ML_E_NAME, "did you mean \"b\"", "columns", "bb", NULL);
    COMPLAINS(ctx, text, ML_E_NAME, "no column", "types", "zzzzzz:f64", NULL);
    COMPLAINS(ctx, text, ML_E_NAME, "did you mean \"float\"", "types", "a:flaot", NULL);
    COMPLAINS(ctx, text, ML_E_NAME, "name:type", "types", "a", NULL);
    COMPLAINS(ctx, text, ML_E_PARSE, "line 2, column 2 (\"b\"): \"x\" is not an integer",
              "types", "b:i64", NULL);
    COMPLAINS(ctx, "a\n1\n2\n3.5\n", ML_E_PARSE, "line 4, column 1 (\"a\")", "types",
              "a:i64", NULL);
    SHOWS(ctx, "a\n1.0\n1e3\n", "a:i64\n1\n1000", "types", "a:i64", NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(blanks)
{
    ctx = test_context(1);
    SHOWS(ctx, "a, b, c\n 1, x ,\t2.5\n2 , y, 3.5\n",
          "a:i64,b:text,c:f64\n1,x,2.5\n2,y,3.5", NULL);
    SHOWS(ctx, "a,b\n x,1\ny ,2\n", "a:text,b:i64\n x,1\ny ,2", "trim", "false", NULL);
    SHOWS(ctx, "a,b\n\" x \",1\n", "a:text,b:i64\n x ,1", NULL);
    SHOWS(ctx, "a,b\n NA ,1\n", "a:f64,b:i64\n-,1", NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(encodings)
{
    ctx = test_context(1);
    SHOWS(ctx, "n\xc3\xa4me,b\n\xe2\x82\xac,1\n",
          "n\xc3\xa4me:text,b:i64\n\xe2\x82\xac,1", NULL);
    SHOWS(ctx, "n\xe4me,b\n\x80,1\n", "n\xc3\xa4me:text,b:i64\n\xe2\x82\xac,1",
          "encoding", "latin1", NULL);
    COMPLAINS(ctx, "a,b\nx,1\n\xe4,2\n", ML_E_PARSE, "line 3", NULL);
    COMPLAINS(ctx, "a,b\nx,1\n\xe4,2\n", ML_E_PARSE, "encoding to latin1", NULL);
    COMPLAINS(ctx, "a,\xff\nx,1\n", ML_E_PARSE, "line 1", NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(unusable_files)
{
    ctx = test_context(1);
    ml_table *t = NULL;
    COMPLAINS(ctx, "", ML_E_DATA, "empty", NULL);
    COMPLAINS(ctx, "\n\n \n", ML_E_DATA, "blank", NULL);
    COMPLAINS(ctx, "\xef\xbb\xbf", ML_E_DATA, "empty", NULL);
    COMPLAINS(ctx, "PK\3\4zip", ML_E_PARSE, "workbook", NULL);
    COMPLAINS(ctx,
              "\xff\xfe"
              "a",
              ML_E_PARSE, "UTF-16", NULL);
    FAILS(ML_E_PARSE, csv_read_size(ctx, "PAR1\0\0\1", 7, NULL, &t));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "Parquet"));
    FAILS(ML_E_PARSE, csv_read_size(ctx, "\x90\x01\0\0\0\0\0\0{\"x\":1}", 15, NULL, &t));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "model file"));
    SHOWS(ctx, "PAR1,PAR2\n1,2\n", "PAR1:i64,PAR2:i64\n1,2", NULL);
    FAILS(ML_E_PARSE, csv_read_size(ctx, "a,b\n1,\0\n", 8, NULL, &t));
    ck_assert_msg(strstr(ml_error_message(ERR), "zero byte"), "%s",
                  ml_error_message(ERR));
    COMPLAINS(ctx, "a,b\n1,\"x\n2,y\n", ML_E_PARSE, "line 2, column 2", "quote", "\"",
              NULL);
    COMPLAINS(ctx, "a,b\n1,\"x\"y\n", ML_E_PARSE, "behind a closing quote", "quote", "\"",
              NULL);
    FAILS(ML_E_IO, ml_table_read_csv(ctx, "/nonexistent/file.csv", NULL, &t, ERR));
    FAILS(ML_E_IO, ml_table_read_csv(ctx, "/", NULL, &t, ERR));
    ck_assert_ptr_null(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(bad_options)
{
    ctx = test_context(1);
    const char *text = "a,b\n1,2\n";
    COMPLAINS(ctx, text, ML_E_RANGE, "delimiter", "delimiter", "ab", NULL);
    COMPLAINS(ctx, text, ML_E_RANGE, "delimiter", "delimiter", "\n", NULL);
    COMPLAINS(ctx, text, ML_E_RANGE, "quote", "quote", " ", NULL);
    COMPLAINS(ctx, text, ML_E_RANGE, "same", "quote", ",", "delimiter", ",", NULL);
    COMPLAINS(ctx, text, ML_E_RANGE, "same", "thousands", ".", NULL);
    COMPLAINS(ctx, text, ML_E_RANGE, "header", "header", "perhaps", NULL);
    COMPLAINS(ctx, text, ML_E_NAME, "delimiter", "delimeter", ",", NULL);
    COMPLAINS(ctx, text, ML_E_RANGE, "skip_rows", "skip_rows", "-1", NULL);
    ml_table *t = NULL;
    ml_io io = ML_IO_INIT;
    FAILS(ML_E_ARGUMENT, ml_table_read_csv(NULL, "x", NULL, &t, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_read_csv(ctx, NULL, NULL, &t, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_read_csv(ctx, "x", NULL, NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_read_csv_io(ctx, NULL, NULL, &t, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_read_csv_io(ctx, &io, NULL, &t, ERR));
    ml_context_free(ctx);
}
END_TEST

static int64_t failing_read(void *buffer, size_t size, void *user)
{
    (void)buffer;
    (void)size;
    (void)user;
    return -5;
}

START_TEST(streams)
{
    ctx = test_context(1);
    ml_table *t = NULL;
    memory m = {"a,b\n1,x\n2,y\n", 12, 0, 1};
    ml_io io = ML_IO_INIT;
    io.read = memory_read;
    io.user = &m;
    OK(ml_table_read_csv_io(ctx, &io, NULL, &t, ERR));
    ck_assert_str_eq(csv_show(t), "a:i64,b:text\n1,x\n2,y");
    ml_table_free(t);
    io.read = failing_read;
    FAILS(ML_E_CALLBACK, ml_table_read_csv_io(ctx, &io, NULL, &t, ERR));
    ml_context_free(ctx);
}
END_TEST

/* One order must fit; a file has one. */
START_TEST(dates_in_other_orders)
{
    ctx = test_context(1);
    SHOWS(ctx, "a\n1/2/2024\n1/13/2024\n", "a:date\n2024-01-02\n2024-01-13", NULL);
    SHOWS(ctx, "a\n1/2/2024\n13/1/2024\n1/2/2024\n\n1/2/2024\n",
          "a:date\n2024-02-01\n2024-01-13\n2024-02-01\n2024-02-01", NULL);
    SHOWS(ctx, "a,b\n1/2/2024,x\n,y\n", "a:text,b:text\n1/2/2024,x\n-,y", NULL);
    SHOWS(ctx, "a,b\n5/5/2024,x\n,y\n", "a:date,b:text\n2024-05-05,x\n-,y", NULL);
    SHOWS(ctx, "a\n1/13/2024\n13/1/2024\n", "a:text\n1/13/2024\n13/1/2024", NULL);
    SHOWS(ctx, "a\n1/13/2024\nsoon\n", "a:text\n1/13/2024\nsoon", NULL);
    /* another column tells, unless columns contradict each other */
    SHOWS(ctx, "a,b\n1/2/2024,31/1/2024 8:00\n",
          "a:date,b:timestamp\n2024-02-01,2024-01-31T08:00:00Z", NULL);
    SHOWS(ctx, "a,b,c\n1/2/2024,31/1/2024,1/31/2024\n",
          "a:text,b:date,c:date\n1/2/2024,2024-01-31,2024-01-31", NULL);
    /* dates and times together; an empty text in quotes is missing */
    SHOWS(ctx, "a\n\"1/31/2024\"\n\"\"\n\"1/31/2024 6:00\"\n",
          "a:timestamp\n2024-01-31T00:00:00Z\n-\n2024-01-31T06:00:00Z", NULL);
    SHOWS(ctx, "a\n1/2/2024\n", "a:date\n2024-01-02", "date_order", "month_first", NULL);
    SHOWS(ctx, "a\n1/2/2024\n", "a:date\n2024-02-01", "date_order", "day_first", NULL);
    SHOWS(ctx, "a\n1/31/2024\n", "a:text\n1/31/2024", "date_order", "day_first", NULL);
    SHOWS(ctx, "a\n1/31/2024\n", "a:text\n1/31/2024", "types", "[\"a:text\"]", NULL);
    SHOWS(ctx, "a\n10-13-0034\n", "a:text\n10-13-0034", NULL);
    ml_context_free(ctx);
}
END_TEST

/* Sentences that repeat are text, short ones or few of them categories. */
START_TEST(repeated_sentences)
{
    static const struct {
        const char *format;
        int levels;
        int32_t type;
    } cases[] = {{"this is sentence %d", 60, ML_TYPE_TEXT},
                 {"this is sentence %d", 50, ML_TYPE_CATEGORY},
                 {"kind number %d", 60, ML_TYPE_CATEGORY},
                 {"101,102,103,%d", 60, ML_TYPE_CATEGORY}};
    ctx = test_context(1);
    for (int k = 0; k < 4; k++) {
        char text[8192] = "a;b\n", value[64];
        ml_table *t = NULL;
        for (int i = 0; i < 2 * cases[k].levels; i++) {
            snprintf(value, sizeof value, cases[k].format, 900 + i % cases[k].levels);
            strcat(strcat(strcat(text, "\""), value), "\";1\n");
        }
        OK(csv_try(ctx, text, &t, NULL));
        ck_assert_msg(ml_table_column_type(t, 0) == cases[k].type, "%s: %d",
                      cases[k].format, ml_table_column_type(t, 0));
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

/* Signs of money and percent, marks of thousands. */
START_TEST(amounts)
{
    ctx = test_context(1);
    SHOWS(ctx, "a,b\n\"$1,234.50\",x\n$7,y\n-$0.5,z\n,w\n",
          "a:f64,b:text\n1234.5,x\n7,y\n-0.5,z\n-,w", NULL);
    SHOWS(ctx, "a\n12.5 %\n-3%\n7\n", "a:f64\n12.5\n-3\n7", NULL);
    SHOWS(ctx, "a;b\n1.234,50 \xe2\x82\xac;x\n7,25\xc2\xa0\xe2\x82\xac;y\n",
          "a:f64,b:text\n1234.5,x\n7.25,y", NULL);
    SHOWS(ctx,
          "a\n\"\xc2\xa3"
          "1,234\"\n",
          "a:f64\n1234", NULL);
    SHOWS(ctx, "a\n\"1,234,567\"\n\"12\"\n\"\"\n", "a:f64\n1234567\n12\n-", NULL);
    /* two readings, or none */
    SHOWS(ctx, "a\n$3.459\n", "a:text\n$3.459", NULL);
    SHOWS(ctx, "a\n$3.459\n", "a:f64\n3.459", "decimal", "point", NULL);
    SHOWS(ctx, "a\n\"1,234\"\n", "a:text\n1,234", NULL);
    SHOWS(ctx, "a\n192.168.100.200\n", "a:text\n192.168.100.200", NULL);
    SHOWS(ctx, "a\n$5\nfree\n", "a:text\n$5\nfree", NULL);
    SHOWS(ctx, "a\n\"$1,23\"\n$1.5\n", "a:text\n$1,23\n$1.5", NULL);
    /* lists of codes of three digits, which would be one number each */
    SHOWS(ctx, "a\n\"101,102,103\"\n\"57\"\n\"101,104\"\n",
          "a:text\n101,102,103\n57\n101,104", NULL);
    SHOWS(ctx, "a\n\"57,101,102\"\n\"101,102,103\"\n\"-101,104,999,100\"\n",
          "a:text\n57,101,102\n101,102,103\n-101,104,999,100", NULL);
    SHOWS(ctx, "a\n\"57,101,102\"\n\"101,102,103\"\n\"-1,104,999,100\"\n",
          "a:f64\n57101102\n101102103\n-1104999100", NULL);
    SHOWS(ctx, "a\n\"101,102,103.5\"\n\"101,102\"\n", "a:f64\n101102103.5\n101102", NULL);
    SHOWS(ctx, "a\n\"$101,102,103\"\n", "a:f64\n101102103", NULL);
    SHOWS(ctx, "a\n\"101,102,103\"\n", "a:f64\n101102103", "decimal", "point", NULL);
    SHOWS(ctx, "a\n\"101,102,103\"\n", "a:i64\n101102103", "thousands", ",", NULL);
    /* what is not of one kind: money of two countries, cents, percent */
    SHOWS(ctx, "a\n$5\n5%\n", "a:text\n$5\n5%", NULL);
    SHOWS(ctx,
          "a\n$5\n6\n\xe2\x82\xac"
          "5\n",
          "a:text\n$5\n6\n\xe2\x82\xac"
          "5",
          NULL);
    SHOWS(ctx, "a\n$1.5\n99\xc2\xa2\n", "a:text\n$1.5\n99\xc2\xa2", NULL);
    SHOWS(ctx, "a\n5\xe2\x82\x82\n", "a:text\n5\xe2\x82\x82", NULL);
    SHOWS(ctx, "a\n$\n", "a:text\n$", NULL);
    SHOWS(ctx, "a\n5 kg\n", "a:text\n5 kg", NULL);
    SHOWS(ctx, "a\n$007\n", "a:text\n$007", NULL);
    SHOWS(ctx, "a\n$5\n", "a:text\n$5", "types", "[\"a:text\"]", NULL);
    SHOWS(ctx, "a\n18446744073709551616\n", "a:text\n18446744073709551616", NULL);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("data/csv", types_are_found, repeated_sentences, amounts, dates_in_other_orders,
          types_widen, numbers_in_all_forms, minus_zero_is_kept,
          names_made_of_digits_stay_text, categories_and_text, missing_values, quotes,
          line_ends, delimiters_are_detected, decimal_commas, headers, ragged_records,
          comments_and_skipped_rows, columns_and_types_by_name, blanks, encodings,
          unusable_files, bad_options, streams)
