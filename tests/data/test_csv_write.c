/* SPDX-License-Identifier: MIT
 *
 * Writing CSV, and that what is written reads back as the same table.
 */
#include "csv_testing.h"
#include "data/csv.h"
#include <float.h>

static int64_t text_write(const void *data, size_t size, void *user)
{
    mli_str_add_n(user, data, size);
    return (int64_t)size;
}

/* Writes a table to text; pairs of options end with NULL. */
static ml_status csv_text(const ml_table *t, mli_str *out, ...)
{
    va_list args;
    ml_context *ctx = t->ctx;
    ml_io io = ML_IO_INIT;
    mli_str_init(out, NULL);
    io.write = text_write;
    io.user = out;
    va_start(args, out);
    ml_params *p = csv_options(ctx, args);
    va_end(args);
    ml_status st = ml_table_write_csv_io(t, &io, p, ERR);
    ml_params_free(p);
    return st;
}

#define WRITES(t, expected, ...)                                                         \
    do {                                                                                 \
        mli_str w_s;                                                                     \
        OK(csv_text(t, &w_s, __VA_ARGS__));                                              \
        ck_assert_str_eq(w_s.data, expected);                                            \
        mli_str_free(&w_s);                                                              \
    } while (0)

START_TEST(quotes_only_where_needed)
{
    ml_context *ctx = test_context(1);
    static const char *const texts[] = {"plain", "a,b", "say \"x\"", "two\nlines",
                                        " x",    "",    NULL,        "NA",
                                        "x;y",   "#no", "\xc3\xa4"};
    ml_table *t = NULL, *u = NULL;
    OK(ml_table_with_strs(ctx, NULL, "a,\"b\"", texts, 11, &t, ERR));
    WRITES(t,
           "\"a,\"\"b\"\"\"\nplain\n\"a,b\"\n\"say \"\"x\"\"\"\n\"two\nlines\"\n\" "
           "x\"\n\"\"\n"
           "NA\n\"NA\"\nx;y\n\"#no\"\n\xc3\xa4\n",
           NULL);
    OK(ml_table_with_strs(ctx, t, "b", texts, 11, &u, ERR));
    WRITES(
        u,
        "\"a,\"\"b\"\"\";b\r\nplain;plain\r\na,b;a,b\r\n\"say \"\"x\"\"\";\"say "
        "\"\"x\"\"\"\r\n\"two\nlines\";\"two\nlines\"\r\n\" x\";\" x\"\r\n\"\";\"\"\r\n"
        ";\r\n\"NA\";\"NA\"\r\n\"x;y\";\"x;y\"\r\n\"#no\";\"#no\"\r\n\xc3\xa4;"
        "\xc3\xa4\r\n",
        "delimiter", "semicolon", "newline", "crlf", NULL);
    ml_table_free(t);
    ml_table_free(u);
    ml_context_free(ctx);
}
END_TEST

START_TEST(values_of_all_types)
{
    ml_context *ctx = test_context(1);
    const char *text = "b,i,r,d,t,s\n"
                       "true,1,1.5,2024-02-29,2024-02-29T12:30:00Z,x y\n"
                       ",,,,,\n"
                       "false,-20,2.0,1969-12-31,2024-02-29T12:30:00.25Z,z\n";
    ml_table *t = CSV(ctx, text, NULL);
    WRITES(t, text, NULL);
    WRITES(t,
           "true,1,1.5,2024-02-29,2024-02-29T12:30:00Z,x y\n"
           "-,-,-,-,-,-\n"
           "false,-20,2.0,1969-12-31,2024-02-29T12:30:00.25Z,z\n",
           "header", "false", "null_word", "-", NULL);
    WRITES(t,
           "\"b\",\"i\",\"r\",\"d\",\"t\",\"s\"\n"
           "true,1,1.5,2024-02-29,2024-02-29T12:30:00Z,\"x y\"\n"
           ",,,,,\n"
           "false,-20,2.0,1969-12-31,2024-02-29T12:30:00.25Z,\"z\"\n",
           "quote_all", "true", NULL);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(numbers_are_shortest)
{
    ml_context *ctx = test_context(1);
    double d[] = {
        0.1, 1, -0.0, 1e300, 5e-324, INFINITY, -INFINITY, NAN, 123456789012345680};
    float f[] = {0.1f,         1,   16777216, 3.4028235e38f, 1e-45f, INFINITY,
                 0.333333343f, NAN, -2.5f};
    int8_t i[] = {1, 2, 3, 4, 5, 6, 7, -8, -128};
    ml_tensor *x = NULL, *y = NULL, *z = NULL;
    ml_table *t = NULL, *u = NULL, *v = NULL;
    int64_t shape = 9;
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, &shape, NULL, d, &x, ERR));
    OK(ml_tensor_new(ctx, ML_DTYPE_F32, 1, &shape, NULL, f, &y, ERR));
    OK(ml_tensor_new(ctx, ML_DTYPE_I8, 1, &shape, NULL, i, &z, ERR));
    OK(ml_table_with_tensor(NULL, "d", x, &t, ERR));
    OK(ml_table_with_tensor(t, "f", y, &u, ERR));
    OK(ml_table_with_tensor(u, "i", z, &v, ERR));
    WRITES(
        v,
        "d,f,i\n0.1,0.1,1\n1.0,1.0,2\n-0.0,16777216.0,3\n1e300,3.4028235e38,4\n"
        "5e-324,1e-45,5\ninf,inf,6\n-inf,0.33333334,7\n,,-8\n1.2345678901234568e17,-2.5,"
        "-128\n",
        NULL);
    ml_table_free(t);
    ml_table_free(u);
    ml_table_free(v);
    ml_tensor_free(x);
    ml_tensor_free(y);
    ml_tensor_free(z);
    ml_context_free(ctx);
}
END_TEST

static void same_tables(const ml_table *a, const ml_table *b)
{
    ck_assert_int_eq(ml_table_rows(a), ml_table_rows(b));
    ck_assert_int_eq(ml_table_columns(a), ml_table_columns(b));
    for (int64_t j = 0; j < ml_table_columns(a); j++) {
        ck_assert_str_eq(ml_table_column_name(a, j), ml_table_column_name(b, j));
        ck_assert_str_eq(type_of(a, j), type_of(b, j));
        for (int64_t i = 0; i < ml_table_rows(a); i++) {
            char x[300], y[300];
            int64_t n = ml_table_get_str(a, i, j, x, sizeof x);
            int64_t m = ml_table_get_str(b, i, j, y, sizeof y);
            ck_assert_int_eq(n, m);
            if (n >= 0) ck_assert_mem_eq(x, y, (size_t)n);
            double v = ml_table_get_f64(a, i, j), w = ml_table_get_f64(b, i, j);
            if (v == v || w == w) ck_assert_mem_eq(&v, &w, sizeof v);
        }
    }
}

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

/* A text of characters that need care. */
static void nasty(uint64_t *seed, char *out)
{
    static const char *const pieces[] = {"a",  "b ", ",", "\"", "\n",      "\r",
                                         ";",  "\t", " ", "'",  "#",       "|",
                                         "NA", "0",  "1", "\\", "\xc3\xa9"};
    out[0] = 0;
    size_t n = next(seed) % 8;
    for (size_t i = 0; i < n; i++)
        strcat(out, pieces[next(seed) % (sizeof pieces / sizeof *pieces)]);
}

static double any_double(uint64_t *seed)
{
    uint64_t bits = next(seed) << 40 ^ next(seed) << 20 ^ next(seed);
    double v;
    switch (next(seed) % 5) {
    case 0:
        memcpy(&v, &bits, sizeof v);
        return v;
    case 1:
        return (double)(int64_t)(next(seed) % 2000) - 1000;
    case 2:
        return (double)next(seed) / 1000;
    case 3:
        return next(seed) & 1 ? -0.0 : 0.0;
    default:
        return NAN;
    }
}

/* A table of n rows with a column of each type. */
static ml_table *random_table(ml_context *ctx, uint64_t *seed, int64_t n)
{
    mli_builder *b = NULL;
    ml_table *t = NULL;
    static char texts[200][64];
    const char *pointers[200];
    int64_t ints[200];
    double reals[200];
    int32_t codes[200];
    static const char *const levels[] = {"x", "y z", ",", "\"\"", "7 up"};
    OK(mli_builder_new(ctx, n, &b, ERR));
    for (int64_t i = 0; i < n; i++) {
        nasty(seed, texts[i]);
        pointers[i] = next(seed) % 5 ? texts[i] : NULL;
        ints[i] = (int64_t)(next(seed) << 40 ^ next(seed) << 10) >> next(seed) % 60;
        reals[i] = any_double(seed);
        codes[i] = (int32_t)(next(seed) % 6) - 1;
    }
    texts[0][0] = 0; /* text that is no number is among them */
    strcpy(texts[0], "text");
    pointers[0] = texts[0];
    reals[0] = 0.5;
    OK(mli_builder_text(b, "text, with comma", pointers, ERR));
    OK(mli_builder_i64(b, "int", ints, ERR));
    OK(mli_builder_f64(b, "real", reals, ERR));
    OK(mli_builder_category(b, "category", codes, levels, 5, ERR));
    OK(mli_builder_finish(b, &t, ERR));
    return t;
}

/* Codes follow first appearance in what is read: compare texts only. */
static ml_table *normal_form(ml_context *ctx, const ml_table *t, const char *delimiter)
{
    mli_str s;
    OK(csv_text(t, &s, "delimiter", delimiter, NULL));
    ml_params *p = NULL;
    ml_table *out = NULL;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_set_str(p, "delimiter", delimiter, ERR));
    OK(ml_params_set_str(p, "quote", "\"", ERR));
    OK(ml_params_set_str(p, "escape", "double", ERR));
    OK(ml_params_set_str(p, "decimal", "point", ERR));
    OK(ml_params_set_str(p, "header", "yes", ERR));
    OK(ml_params_set_str(p, "types", "[\"text, with comma:text\", \"category:category\"]",
                         ERR));
    OK(csv_read_size(ctx, s.data, s.size, p, &out));
    ml_params_free(p);
    mli_str_free(&s);
    return out;
}

START_TEST(random_tables_come_back)
{
    ml_context *ctx = test_context(1);
    uint64_t seed = 5;
    static const char *const delimiters[] = {"comma", "semicolon", "tab", "pipe"};
    for (int round = 0; round < 400; round++) {
        int64_t n = 1 + (int64_t)(next(&seed) % 199);
        ml_table *t = random_table(ctx, &seed, n);
        ml_table *a = normal_form(ctx, t, delimiters[round % 4]);
        ck_assert_int_eq(ml_table_rows(a), n);
        for (int64_t j = 0; j < 4; j++) {
            ck_assert_str_eq(type_of(a, j), type_of(t, j));
            for (int64_t i = 0; i < n; i++) {
                char x[300], y[300];
                int64_t m = ml_table_get_str(t, i, j, x, sizeof x);
                ck_assert_int_eq(m, ml_table_get_str(a, i, j, y, sizeof y));
                if (m >= 0) ck_assert_mem_eq(x, y, (size_t)m);
            }
        }
        ml_table *b = normal_form(ctx, a, delimiters[round % 4]);
        same_tables(a, b);
        ml_table_free(t);
        ml_table_free(a);
        ml_table_free(b);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(dates_and_booleans_come_back)
{
    ml_context *ctx = test_context(1);
    uint64_t seed = 9;
    mli_str s;
    mli_str_init(&s, NULL);
    mli_str_add(&s, "b,d,t\n");
    for (int i = 0; i < 500; i++) {
        if (next(&seed) % 5) mli_str_add(&s, next(&seed) % 2 ? "true" : "false");
        mli_str_char(&s, ',');
        if (next(&seed) % 5) mli_print_date(&s, (int64_t)(next(&seed) % 200000) - 100000);
        mli_str_char(&s, ',');
        if (next(&seed) % 5)
            mli_print_timestamp(&s,
                                (int64_t)(next(&seed) * next(&seed) % 4000000000000000));
        mli_str_char(&s, '\n');
    }
    ml_table *a = CSV(ctx, s.data, NULL);
    ck_assert_str_eq(type_of(a, 0), "bool");
    ck_assert_str_eq(type_of(a, 1), "date");
    ck_assert_str_eq(type_of(a, 2), "timestamp");
    mli_str w;
    OK(csv_text(a, &w, NULL));
    ml_table *b = CSV(ctx, w.data, NULL);
    same_tables(a, b);
    ml_table_free(a);
    ml_table_free(b);
    mli_str_free(&s);
    mli_str_free(&w);
    ml_context_free(ctx);
}
END_TEST

START_TEST(files_and_gzip)
{
    ml_context *ctx = test_context(2);
    char path[256], packed[256];
    snprintf(path, sizeof path, "%s/t.csv", test_folder());
    snprintf(packed, sizeof packed, "%s/t.csv.gz", test_folder());
    uint64_t seed = 5;
    ml_table *t = random_table(ctx, &seed, 150), *a = NULL, *b = NULL;
    OK(ml_table_write_csv(t, path, NULL, ERR));
    OK(ml_table_write_csv(t, packed, NULL, ERR));
    OK(ml_table_read_csv(ctx, path, NULL, &a, ERR));
    OK(ml_table_read_csv(ctx, packed, NULL, &b, ERR));
    same_tables(a, b);
    FILE *f = fopen(packed, "rb");
    ck_assert_int_eq(fgetc(f), 0x1f);
    fclose(f);
    FAILS(ML_E_IO, ml_table_write_csv(t, "/nonexistent/x.csv", NULL, ERR));
    ml_table_free(t);
    ml_table_free(a);
    ml_table_free(b);
    ml_context_free(ctx);
}
END_TEST

static int64_t full_disk(const void *data, size_t size, void *user)
{
    (void)data;
    (void)size;
    (void)user;
    return -1;
}

START_TEST(bad_arguments)
{
    ml_context *ctx = test_context(1);
    ml_table *t = CSV(ctx, "a,b\n1,2\n", NULL);
    mli_str s;
    FAILS(ML_E_RANGE, csv_text(t, &s, "delimiter", "ab", NULL));
    FAILS(ML_E_RANGE, csv_text(t, &s, "delimiter", "\"", NULL));
    FAILS(ML_E_RANGE, csv_text(t, &s, "null_word", "a,b", NULL));
    FAILS(ML_E_NAME, csv_text(t, &s, "nul_word", "x", NULL));
    ml_io io = ML_IO_INIT;
    FAILS(ML_E_ARGUMENT, ml_table_write_csv_io(t, &io, NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_write_csv_io(t, NULL, NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_write_csv(NULL, "x", NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_write_csv(t, NULL, NULL, ERR));
    io.write = full_disk;
    FAILS(ML_E_CALLBACK, ml_table_write_csv_io(t, &io, NULL, ERR));
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("data/csv_write", quotes_only_where_needed, values_of_all_types,
          numbers_are_shortest, random_tables_come_back, dates_and_booleans_come_back,
          files_and_gzip, bad_arguments)
