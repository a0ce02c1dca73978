/* SPDX-License-Identifier: MIT
 *
 * The Arrow C stream interface, in and out, with streams built by hand.
 */
#include "data/arrow.h"
#include "failing.h"
#include "hand_stream.h"

#define COUNT(x) ((int64_t)(sizeof(x) / sizeof((x)[0])))

static ml_context *ctx;

/* Cells of a column joined by '|', missing ones as '.'. */
static const char *column_text(const ml_table *t, int64_t column)
{
    static char text[4096];
    char cell[256];
    text[0] = 0;
    for (int64_t i = 0; i < ml_table_rows(t); i++) {
        int64_t n = ml_table_get_str(t, i, column, cell, sizeof cell);
        if (i) strcat(text, "|");
        strcat(text, n < 0 ? "." : cell);
    }
    return text;
}

static ml_table *read_batches(hand_stream *h)
{
    ml_table *t = NULL;
    struct ArrowArrayStream stream = hand_open(h);
    OK(ml_table_read_arrow(ctx, &stream, NULL, &t, ERR));
    ck_assert(stream.release == NULL);
    return t;
}

/* Into a file, batch by batch. */
static ml_table *read_spilled(hand_stream *h)
{
    ml_table *t = NULL;
    ml_params *p = NULL;
    struct ArrowArrayStream stream = hand_open(h);
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_set_str(p, "spill", "/tmp", ERR));
    OK(mli_arrow_read(ctx, &stream, p, 1, &t, ERR));
    ck_assert(stream.release == NULL);
    ck_assert_int_eq(h->live, 0);
    ml_params_free(p);
    return t;
}

/* Reads one column of one batch, and again as two equal batches, and checks its cells. */
static void check_column(hand_column c, int32_t type, const char *expected)
{
    if (!c.name) c.name = "x";
    hand_stream one = {.n_columns = 1, .n_batches = 1, .columns = &c};
    ml_table *t = read_batches(&one);
    ck_assert_int_eq(ml_table_column_type(t, 0), type);
    ck_assert_str_eq(column_text(t, 0), expected);
    int64_t missing = 0;
    for (int64_t i = 0; i < t->rows; i++) {
        missing += ml_table_get_str(t, i, 0, NULL, 0) < 0;
    }
    ck_assert_int_eq(t->columns[0].null_count, missing);
    ml_table_free(t);
    ck_assert_int_eq(one.live, 0);

    hand_column twice[2] = {c, c};
    hand_stream two = {.n_columns = 1, .n_batches = 2, .columns = twice};
    t = read_batches(&two);
    ck_assert_int_eq(two.live, 0);
    char joined[4096];
    snprintf(joined, sizeof joined, "%s|%s", expected, expected);
    ck_assert_str_eq(column_text(t, 0), joined);
    ck_assert_int_eq(t->columns[0].null_count, 2 * missing);
    ml_table_free(t);

    t = read_spilled(&two);
    ck_assert_str_eq(column_text(t, 0), joined);
    ck_assert_int_eq(ml_table_column_type(t, 0), type);
    ck_assert_int_eq(t->columns[0].null_count, 2 * missing);
    ml_table_free(t);
}

static const uint8_t second_missing[] = {0x0d}; /* 1, 0, 1, 1 */

/* Four values from the second element on, the second of them missing. */
static hand_column numbers(const char *format, const void *data)
{
    static uint8_t bits[] = {0x1a}; /* bits 1, 3, 4 */
    return (hand_column){.format = format,
                         .length = 4,
                         .offset = 1,
                         .null_count = -1,
                         .buffers = {bits, data}};
}

START_TEST(numbers_of_every_type)
{
    static const int8_t i8[] = {9, -128, 2, 3, 127};
    static const uint8_t u8[] = {9, 0, 2, 3, 255};
    static const int16_t i16[] = {9, -32768, 2, 3, 32767};
    static const uint16_t u16[] = {9, 0, 2, 3, 65535};
    static const int32_t i32[] = {9, INT32_MIN, 2, 3, INT32_MAX};
    static const uint32_t u32[] = {9, 0, 2, 3, UINT32_MAX};
    static const int64_t i64[] = {9, INT64_MIN, 2, 3, INT64_MAX};
    static const uint64_t u64[] = {9, 0, 2, 3, UINT64_MAX};
    static const float f32[] = {9, -1.5f, 2, 0.1f, INFINITY};
    static const double f64[] = {9, -1.5, 2, 0.1, NAN};
    static const uint8_t bools[] = {0x1a};
    check_column(numbers("c", i8), ML_DTYPE_I8, "-128|.|3|127");
    check_column(numbers("C", u8), ML_DTYPE_U8, "0|.|3|255");
    check_column(numbers("s", i16), ML_DTYPE_I16, "-32768|.|3|32767");
    check_column(numbers("S", u16), ML_DTYPE_U16, "0|.|3|65535");
    check_column(numbers("i", i32), ML_DTYPE_I32, "-2147483648|.|3|2147483647");
    check_column(numbers("I", u32), ML_DTYPE_U32, "0|.|3|4294967295");
    check_column(numbers("l", i64), ML_DTYPE_I64,
                 "-9223372036854775808|.|3|9223372036854775807");
    check_column(numbers("L", u64), ML_DTYPE_U64, "0|.|3|18446744073709551615");
    check_column(numbers("f", f32), ML_DTYPE_F32, "-1.5|.|0.1|inf");
    check_column(numbers("g", f64), ML_DTYPE_F64, "-1.5|.|0.1|nan");
    check_column(numbers("b", bools), ML_DTYPE_BOOL, "true|.|true|true");
}
END_TEST

START_TEST(half_floats)
{
    /* 1, -2, 2^-24 (the smallest), 65504 (the largest), inf, nan, 0.333251953125 */
    static const uint16_t data[] = {0x3c00, 0xc000, 0x0001, 0x7bff,
                                    0x7c00, 0x7e00, 0x3555};
    check_column((hand_column){.format = "e", .length = 7, .buffers = {NULL, data}},
                 ML_DTYPE_F32, "1|-2|5.9604645e-8|65504|inf|nan|0.33325195");
}
END_TEST

START_TEST(all_missing)
{
    check_column((hand_column){.format = "n", .length = 3, .null_count = 3}, ML_DTYPE_F64,
                 ".|.|.");
}
END_TEST

START_TEST(texts_of_every_layout)
{
    static const char bytes[] = "zzabc\xc3\xa9";
    static const int32_t narrow[] = {0, 2, 3, 3, 5, 7}; /* from 1: a, "", bc, e-acute */
    static const int64_t wide[] = {0, 2, 3, 3, 5, 7};
    hand_column c = numbers("u", narrow);
    c.buffers[2] = bytes;
    check_column(c, ML_TYPE_TEXT, "a|.|bc|\xc3\xa9");
    c = numbers("U", wide);
    c.buffers[2] = bytes;
    check_column(c, ML_TYPE_TEXT, "a|.|bc|\xc3\xa9");
    c.buffers[0] = NULL;
    c.null_count = 0;
    check_column(c, ML_TYPE_TEXT, "a||bc|\xc3\xa9");
    /* empty text may lack its buffer */
    static const int32_t none[] = {0, 0, 0};
    check_column((hand_column){.format = "u", .length = 2, .buffers = {NULL, none, NULL}},
                 ML_TYPE_TEXT, "|");
}
END_TEST

typedef struct {
    int32_t size;
    char rest[12];
} view;

static view make_view(const char *text, int32_t buffer, int32_t offset)
{
    view v = {.size = (int32_t)strlen(text)};
    if (v.size <= 12) {
        memcpy(v.rest, text, (size_t)v.size);
    } else {
        memcpy(v.rest, text, 4);
        memcpy(v.rest + 4, &buffer, 4);
        memcpy(v.rest + 8, &offset, 4);
    }
    return v;
}

START_TEST(string_views)
{
    static const char *const long_one = "thirteen chars";
    static const char first[] = "xthirteen chars", second[] = "another long text";
    static const int64_t sizes[] = {sizeof first - 1, sizeof second - 1};
    view views[5] = {make_view("skipped", 0, 0), make_view("twelve chars", 0, 0),
                     make_view(long_one, 0, 1), make_view("", 0, 0),
                     make_view(second, 1, 0)};
    hand_column c = {.format = "vu",
                     .length = 4,
                     .offset = 1,
                     .n_buffers = 5,
                     .buffers = {NULL, views, first, second, sizes}};
    check_column(c, ML_TYPE_TEXT, "twelve chars|thirteen chars||another long text");
    /* a missing view may hold anything */
    static const uint8_t bits[] = {0x17}; /* from 1: 1, 1, 0, 1 */
    memset(&views[3], 0xff, sizeof views[3]);
    c.buffers[0] = bits;
    c.null_count = 1;
    check_column(c, ML_TYPE_TEXT, "twelve chars|thirteen chars|.|another long text");
    c.buffers[0] = NULL;
    c.null_count = 0;
    c.name = "v";
    hand_stream h = {.n_columns = 1, .n_batches = 1, .columns = &c};
    struct ArrowArrayStream stream = hand_open(&h);
    ml_table *t = NULL;
    FAILS(ML_E_DATA, ml_table_read_arrow(ctx, &stream, NULL, &t, ERR));
    ck_assert_int_eq(h.live, 0);
}
END_TEST

START_TEST(dates_and_times)
{
    static const int32_t days[] = {9, 0, 1, -1, 19782};
    static const int64_t millis[] = {9, 0, 1, -1, 86400000};
    static const int64_t micros[] = {9, 0, 1, -1, 1500000};
    static const int64_t nanos[] = {9, 0, 1, -1, 1999};
    static const int64_t seconds[] = {9, 0, 1, -1, 86400};
    static const int32_t day_seconds[] = {9, 0, 1, 2, 86399};
    check_column(numbers("tdD", days), ML_TYPE_DATE,
                 "1970-01-01|.|1969-12-31|2024-02-29");
    check_column(numbers("tdm", millis), ML_TYPE_DATE,
                 "1970-01-01|.|1969-12-31|1970-01-02");
    check_column(numbers("tss:", seconds), ML_TYPE_TIMESTAMP,
                 "1970-01-01T00:00:00Z|.|1969-12-31T23:59:59Z|1970-01-02T00:00:00Z");
    check_column(numbers("tsm:UTC", millis), ML_TYPE_TIMESTAMP,
                 "1970-01-01T00:00:00Z|.|1969-12-31T23:59:59.999Z|1970-01-02T00:00:00Z");
    check_column(
        numbers("tsu:Europe/Paris", micros), ML_TYPE_TIMESTAMP,
        "1970-01-01T00:00:00Z|.|1969-12-31T23:59:59.999999Z|1970-01-01T00:00:01.5Z");
    check_column(
        numbers("tsn:", nanos), ML_TYPE_TIMESTAMP,
        "1970-01-01T00:00:00Z|.|1969-12-31T23:59:59.999999Z|1970-01-01T00:00:00.000001Z");
    check_column(numbers("tts", day_seconds), ML_DTYPE_I64, "0|.|2000000|86399000000");
    check_column(numbers("ttm", day_seconds), ML_DTYPE_I64, "0|.|2000|86399000");
    check_column(numbers("ttu", micros), ML_DTYPE_I64, "0|.|-1|1500000");
    check_column(numbers("ttn", nanos), ML_DTYPE_I64, "0|.|-1|1");
    check_column(numbers("tDs", seconds), ML_DTYPE_I64, "0|.|-1000000|86400000000");
    check_column(numbers("tDn", nanos), ML_DTYPE_I64, "0|.|-1|1");
}
END_TEST

START_TEST(times_out_of_range)
{
    static const int64_t seconds[] = {0, INT64_MAX, 0};
    static const int64_t millis[] = {0, 0, INT64_MAX};
    static const uint8_t bits[] = {0x05};
    hand_column c = {.format = "tss:",
                     .name = "when",
                     .length = 3,
                     .null_count = 1,
                     .buffers = {bits, seconds}};
    check_column(c, ML_TYPE_TIMESTAMP, "1970-01-01T00:00:00Z|.|1970-01-01T00:00:00Z");
    c.buffers[0] = NULL;
    c.null_count = 0;
    for (int k = 0; k < 2; k++) {
        ml_table *t = NULL;
        hand_stream h = {.n_columns = 1, .n_batches = 1, .columns = &c};
        struct ArrowArrayStream stream = hand_open(&h);
        FAILS(ML_E_DATA, ml_table_read_arrow(ctx, &stream, NULL, &t, ERR));
        ck_assert_str_eq(ml_error_location(ERR),
                         k ? "column \"when\", row 3" : "column \"when\", row 2");
        ck_assert_int_eq(h.live, 0);
        c.format = "tdm";
        c.buffers[1] = millis;
    }
}
END_TEST

START_TEST(decimals)
{
    static const int64_t d128[] = {99, 0, 12345, 0, 7, 7, -12345, -1, 1, 0x7fffffff};
    static const int64_t d256[] = {-1, -1, -1, -1, 5, 0, 0, 0, 0, 0, 0, 1};
    static const int64_t d64[] = {-150, 9007199254740993};
    static const int32_t d32[] = {-150, 25};
    check_column(numbers("d:38,2", d128), ML_DTYPE_F64,
                 "123.45|.|-123.45|3.961408123868542e26");
    check_column(
        (hand_column){.format = "d:76,0,256", .length = 3, .buffers = {NULL, d256}},
        ML_DTYPE_F64, "-1|5|6.277101735386681e57");
    check_column(
        (hand_column){.format = "d:18,1,64", .length = 2, .buffers = {NULL, d64}},
        ML_DTYPE_F64, "-15|900719925474099.2");
    check_column(
        (hand_column){.format = "d:9,-2,32", .length = 2, .buffers = {NULL, d32}},
        ML_DTYPE_F64, "-15000|2500");
}
END_TEST

/* ---- dictionaries ---- */

static const char level_bytes[] = "redgreenblue";
static const int32_t level_ends[] = {0, 3, 8, 12};

START_TEST(categories)
{
    static const int64_t ends64[] = {0, 3, 8, 12};
    hand_column narrow = {
        .format = "u", .length = 3, .buffers = {NULL, level_ends, level_bytes}};
    hand_column wide = {
        .format = "U", .length = 3, .buffers = {NULL, ends64, level_bytes}};
    view views[3] = {make_view("red", 0, 0), make_view("green", 0, 0),
                     make_view("blue", 0, 0)};
    static const int64_t no_sizes[] = {0};
    hand_column viewed = {
        .format = "vu", .length = 3, .n_buffers = 3, .buffers = {NULL, views, no_sizes}};
    static const int8_t i8[] = {9, 2, 0, 0, 1};
    static const uint16_t u16[] = {9, 2, 0, 0, 1};
    static const int32_t i32[] = {9, 2, 0, 0, 1};
    static const uint64_t u64[] = {9, 2, 0, 0, 1};
    const hand_column *dictionaries[] = {&narrow, &wide, &viewed};
    for (int k = 0; k < 3; k++) {
        hand_column c = numbers("c", i8);
        c.dictionary = dictionaries[k];
        check_column(c, ML_TYPE_CATEGORY, "blue|.|red|green");
        c = numbers("S", u16);
        c.dictionary = dictionaries[k];
        check_column(c, ML_TYPE_CATEGORY, "blue|.|red|green");
        c = numbers("i", i32);
        c.dictionary = dictionaries[k];
        check_column(c, ML_TYPE_CATEGORY, "blue|.|red|green");
        c = numbers("L", u64);
        c.dictionary = dictionaries[k];
        check_column(c, ML_TYPE_CATEGORY, "blue|.|red|green");
    }
}
END_TEST

START_TEST(category_details)
{
    /* indices outside, missing levels, repeated levels, order */
    static const int32_t codes[] = {0, 1, 2, 3, -1};
    static const uint8_t some[] = {0x05};
    hand_column dictionary = {
        .format = "u", .length = 3, .buffers = {NULL, level_ends, level_bytes}};
    hand_column c = {.format = "i",
                     .name = "c",
                     .length = 5,
                     .flags = ARROW_FLAG_DICTIONARY_ORDERED | ARROW_FLAG_NULLABLE,
                     .buffers = {NULL, codes},
                     .dictionary = &dictionary};
    check_column(c, ML_TYPE_CATEGORY, "red|green|blue|.|.");
    hand_stream h = {.n_columns = 1, .n_batches = 1, .columns = &c};
    ml_table *t = read_batches(&h);
    ck_assert_int_eq(t->columns[0].ordered, 1);
    ck_assert_int_eq(t->columns[0].n_levels, 3);
    ck_assert_ptr_eq(t->columns[0].data, codes); /* shared */
    ck_assert_int_gt(h.live, 0);
    ml_table_free(t);
    dictionary.buffers[0] = some;
    dictionary.null_count = 1;
    check_column(c, ML_TYPE_CATEGORY, "red|.|blue|.|.");
    static const int32_t repeated[] = {0, 1, 2, 2};
    dictionary =
        (hand_column){.format = "u", .length = 3, .buffers = {NULL, repeated, "aab"}};
    check_column(c, ML_TYPE_CATEGORY, "a|a||.|.");
}
END_TEST

START_TEST(dictionaries_that_differ)
{
    static const int32_t ends[] = {0, 4, 7};
    static const int8_t first[] = {0, 1, 2}, second[] = {0, 1, 0};
    hand_column a = {
        .format = "u", .length = 3, .buffers = {NULL, level_ends, level_bytes}};
    hand_column b = {.format = "u", .length = 2, .buffers = {NULL, ends, "greyred"}};
    hand_column empty = {.format = "u", .length = 0, .buffers = {NULL, ends, NULL}};
    hand_column columns[] = {{.format = "c",
                              .name = "c",
                              .length = 3,
                              .buffers = {NULL, first},
                              .dictionary = &a},
                             {.format = "c",
                              .name = "c",
                              .length = 0,
                              .buffers = {NULL, NULL},
                              .dictionary = &empty},
                             {.format = "c",
                              .name = "c",
                              .length = 3,
                              .buffers = {NULL, second},
                              .dictionary = &b},
                             {.format = "c",
                              .name = "c",
                              .length = 3,
                              .buffers = {NULL, first},
                              .dictionary = &a}};
    hand_stream h = {.n_columns = 1, .n_batches = COUNT(columns), .columns = columns};
    ml_table *t = read_batches(&h);
    ck_assert_int_eq(h.live, 0);
    ck_assert_str_eq(column_text(t, 0), "red|green|blue|grey|red|grey|red|green|blue");
    ck_assert_int_eq(t->columns[0].n_levels, 4);
    ml_table_free(t);
}
END_TEST

START_TEST(dictionaries_of_numbers)
{
    static const double f64[] = {0.5, 1.5, 2.5};
    static const uint8_t bools[] = {0x05};
    static const int32_t days[] = {0, 1, 2};
    static const int64_t nanos[] = {0, 1000, 2000000000};
    static const uint8_t middle[] = {0x05};
    static const int8_t codes[] = {9, 2, 0, 0, 1};
    hand_column d = {.format = "g", .length = 3, .buffers = {NULL, f64}};
    hand_column c = numbers("c", codes);
    c.dictionary = &d;
    check_column(c, ML_DTYPE_F64, "2.5|.|0.5|1.5");
    d.buffers[0] = middle;
    d.null_count = 1;
    check_column(c, ML_DTYPE_F64, "2.5|.|0.5|.");
    d = (hand_column){.format = "b", .length = 3, .buffers = {NULL, bools}};
    check_column(c, ML_DTYPE_BOOL, "true|.|true|false");
    d = (hand_column){.format = "tdD", .length = 3, .buffers = {NULL, days}};
    check_column(c, ML_TYPE_DATE, "1970-01-03|.|1970-01-01|1970-01-02");
    d = (hand_column){.format = "tsn:", .length = 3, .buffers = {NULL, nanos}};
    check_column(
        c, ML_TYPE_TIMESTAMP,
        "1970-01-01T00:00:02Z|.|1970-01-01T00:00:00Z|1970-01-01T00:00:00.000001Z");
}
END_TEST

/* ---- tables ---- */

START_TEST(one_batch_is_not_copied)
{
    static const double f64[] = {1, 2, 3, 4};
    static const int64_t i64[] = {1, 2, 3, 4};
    static const uint8_t bools[] = {0x0a};
    static const int64_t ends[] = {0, 1, 2, 3, 4};
    hand_column columns[] = {
        {.format = "g",
         .name = "x",
         .length = 4,
         .null_count = 1,
         .buffers = {second_missing, f64}},
        {.format = "l", .name = "n", .length = 4, .buffers = {NULL, i64}},
        {.format = "b", .name = "b", .length = 4, .buffers = {NULL, bools}},
        {.format = "U", .name = "s", .length = 4, .buffers = {NULL, ends, "abcd"}}};
    hand_stream h = {.n_columns = 4, .n_batches = 1, .columns = columns};
    ml_table *t = read_batches(&h), *part = NULL;
    ck_assert_ptr_eq(t->columns[0].data, f64);
    ck_assert_ptr_eq(t->columns[0].validity, second_missing);
    ck_assert_ptr_eq(t->columns[1].data, i64);
    ck_assert_ptr_eq(t->columns[2].data, bools);
    ck_assert_ptr_eq(t->columns[3].offsets, ends);
    ck_assert_int_gt(h.live, 0);
    OK(ml_table_select(t, (const char *[]){"n"}, 1, &part, ERR));
    ml_table_free(t);
    ck_assert_int_gt(h.live, 0);
    ck_assert_str_eq(column_text(part, 0), "1|2|3|4");
    ml_table_free(part);
    ck_assert_int_eq(h.live, 0);
}
END_TEST

START_TEST(offsets_of_batches_add_up)
{
    static const int32_t data[] = {0, 1, 2, 3, 4, 5};
    static const uint8_t bits[] = {0x37}; /* the element 3 is missing */
    static const int64_t three = 3;
    hand_column c = {.format = "i",
                     .name = "x",
                     .length = 5,
                     .offset = 1,
                     .null_count = -1,
                     .buffers = {bits, data}};
    hand_stream h = {
        .n_columns = 1, .n_batches = 1, .columns = &c, .lengths = &three, .offset = 1};
    ml_table *t = read_batches(&h);
    ck_assert_str_eq(column_text(t, 0), "2|.|4");
    ml_table_free(t);
    ck_assert_int_eq(h.live, 0);
}
END_TEST

START_TEST(thousands_of_batches)
{
    enum { N = 3000 };
    static int64_t data[7] = {0, 1, 2, 3, 4, 5, 6};
    static const uint8_t bits[] = {0x7b}; /* 2 is missing */
    static const int32_t ends[] = {0, 1, 2, 3, 4, 5, 6, 7};
    hand_column *columns = calloc(3 * N, sizeof *columns);
    int64_t rows = 0;
    for (int k = 0; k < N; k++) {
        int64_t length = k % 8;
        rows += length;
        columns[3 * k] = (hand_column){.format = "l",
                                       .name = "n",
                                       .length = length,
                                       .null_count = -1,
                                       .buffers = {k % 2 ? bits : NULL, data}};
        columns[3 * k + 1] = (hand_column){.format = "u",
                                           .name = "s",
                                           .length = length,
                                           .buffers = {NULL, ends, "abcdefg"}};
        columns[3 * k + 2] = (hand_column){
            .format = "b", .name = "b", .length = length, .buffers = {NULL, bits}};
    }
    hand_stream h = {.n_columns = 3, .n_batches = N, .columns = columns};
    ml_table *t = read_batches(&h);
    ck_assert_int_eq(h.live, 0);
    ck_assert_int_eq(ml_table_rows(t), rows);
    int64_t row = 0, missing = 0;
    for (int k = 0; k < N; k++) {
        for (int64_t i = 0; i < k % 8; i++, row++) {
            char text[4];
            int gone = k % 2 && i == 2;
            missing += gone;
            double value = ml_table_get_f64(t, row, 0);
            ck_assert(gone ? isnan(value) : value == (double)i);
            ck_assert_int_eq(ml_table_get_str(t, row, 1, text, sizeof text), 1);
            ck_assert_int_eq(text[0], "abcdefg"[i]);
            ck_assert_double_eq(ml_table_get_f64(t, row, 2), i != 2);
        }
    }
    ck_assert_int_eq(t->columns[0].null_count, missing);
    ml_table_free(t);
    free(columns);
}
END_TEST

START_TEST(nothing_in_it)
{
    static const int32_t ends[] = {0, 3, 8, 12};
    hand_column dictionary = {
        .format = "u", .length = 3, .buffers = {NULL, ends, level_bytes}};
    hand_column columns[] = {
        {.format = "g", .name = "x"},
        {.format = "u", .name = "s"},
        {.format = "b", .name = "b"},
        {.format = "i", .name = "c", .dictionary = &dictionary},
        {.format = "n", .name = "z"},
        {.format = "tsn:", .name = "t"},
        {.format = "i", .name = "d", .dictionary = &columns[0]},
        {.format = "vu", .name = "v", .n_buffers = 3},
    };
    hand_stream h = {.n_columns = 8, .n_batches = 0, .columns = columns};
    for (h.n_batches = 0; h.n_batches < 2; h.n_batches++) {
        ml_table *t = read_batches(&h);
        ck_assert_int_eq(ml_table_rows(t), 0);
        ck_assert_int_eq(ml_table_columns(t), 8);
        ck_assert_int_eq(ml_table_column_type(t, 1), ML_TYPE_TEXT);
        ck_assert_int_eq(ml_table_column_type(t, 3), ML_TYPE_CATEGORY);
        ck_assert_int_eq(t->columns[3].n_levels, h.n_batches ? 3 : 0);
        ck_assert_int_eq(ml_table_column_type(t, 6), ML_DTYPE_F64);
        ml_table_free(t);
        ck_assert_int_eq(h.live, 0);
    }
    static const int64_t five = 5;
    hand_stream none = {
        .n_columns = 0, .n_batches = 1, .columns = columns, .lengths = &five};
    ml_table *t = read_batches(&none);
    ck_assert_int_eq(ml_table_columns(t), 0);
    ck_assert_int_eq(ml_table_rows(t), 5);
    ml_table_free(t);
    ck_assert_int_eq(none.live, 0);
}
END_TEST

START_TEST(names_of_columns)
{
    static const double f64[] = {1};
    hand_column columns[] = {
        {.format = "g", .name = NULL, .length = 1, .buffers = {NULL, f64}},
        {.format = "g", .name = "a", .length = 1, .buffers = {NULL, f64}},
        {.format = "g", .name = "a", .length = 1, .buffers = {NULL, f64}},
        {.format = "g", .name = "b", .length = 1, .buffers = {NULL, f64}}};
    hand_stream h = {.n_columns = 4, .n_batches = 1, .columns = columns};
    ml_table *t = read_batches(&h);
    ck_assert_str_eq(ml_table_column_name(t, 0), "f0");
    ck_assert_int_eq(ml_table_find(t, "a"), 1);
    ck_assert_int_eq(ml_table_find(t, "b"), 3);
    ml_table_free(t);
}
END_TEST

/* ---- what is refused ---- */

static void check_refused(hand_column c, ml_status status, const char *part)
{
    static const int64_t three = 3;
    if (!c.name) c.name = "odd";
    if (!c.length) c.length = 3;
    hand_stream h = {.n_columns = 1, .n_batches = 1, .columns = &c, .lengths = &three};
    struct ArrowArrayStream stream = hand_open(&h);
    ml_table *t = NULL;
    FAILS(status, ml_table_read_arrow(ctx, &stream, NULL, &t, ERR));
    ck_assert_ptr_null(t);
    ck_assert(stream.release == NULL);
    ck_assert_int_eq(h.live, 0);
    const char *message = ml_error_message(ERR);
    ck_assert_msg(strstr(message, part) != NULL, "%s", message);
}

START_TEST(types_that_tables_lack)
{
    static const char *const formats[] = {
        "z",    "Z",       "vz",        "w:16", "+l",    "+L",  "+w:3", "+s",
        "+m",   "+ud:0,1", "+r",        "tiM",  "tiD",   "tin", "+vl",  "q",
        "tsx:", "d:10",    "d:10,2,99", "ttx",  "d:a,b", ""};
    for (int64_t i = 0; i < COUNT(formats); i++) {
        char part[32];
        snprintf(part, sizeof part, "(Arrow format \"%s\")", formats[i]);
        check_refused((hand_column){.format = formats[i]}, ML_E_TYPE, part);
        ck_assert_str_eq(ml_error_location(ERR), "column \"odd\"");
        ck_assert_ptr_nonnull(strstr(ml_error_hint(ERR), "leave the column out"));
    }
    static const int32_t codes[] = {0, 0, 0};
    hand_column list = {.format = "+l"};
    check_refused(
        (hand_column){.format = "i", .buffers = {NULL, codes}, .dictionary = &list},
        ML_E_TYPE, "a list");
    hand_column text = {.format = "u"};
    check_refused((hand_column){.format = "g", .dictionary = &text}, ML_E_TYPE,
                  "indices are not integers");
    hand_column nested = {.format = "i", .dictionary = &text};
    check_refused((hand_column){.format = "i", .dictionary = &nested}, ML_E_TYPE,
                  "dictionary of dictionaries");
}
END_TEST

START_TEST(damaged_data)
{
    static const double f64[] = {1, 2, 3};
    static const int32_t falling[] = {0, 2, 1, 3}, negative[] = {-1, 0, 1, 2};
    static const int64_t falling64[] = {0, 2, 1, 3};
    static const int64_t no_sizes[] = {0};
    view views[3] = {make_view("a text that is too long", 5, 0)};
    check_refused((hand_column){.format = "g"}, ML_E_DATA, "no buffer of values");
    check_refused((hand_column){.format = "g", .n_buffers = 1, .buffers = {NULL, f64}},
                  ML_E_DATA, "too few buffers");
    check_refused((hand_column){.format = "g", .null_count = 1, .buffers = {NULL, f64}},
                  ML_E_DATA, "no validity bitmap");
    check_refused((hand_column){.format = "g", .length = 2, .buffers = {NULL, f64}},
                  ML_E_DATA, "shorter than its batch");
    check_refused((hand_column){.format = "g", .length = -1, .buffers = {NULL, f64}},
                  ML_E_DATA, "shorter than its batch");
    check_refused((hand_column){.format = "g", .offset = -1, .buffers = {NULL, f64}},
                  ML_E_DATA, "shorter than its batch");
    check_refused((hand_column){.format = "u", .buffers = {NULL, falling, "abc"}},
                  ML_E_DATA, "offsets");
    check_refused((hand_column){.format = "U", .buffers = {NULL, falling64, "abc"}},
                  ML_E_DATA, "offsets");
    check_refused((hand_column){.format = "u", .buffers = {NULL, negative, "abc"}},
                  ML_E_DATA, "offsets");
    check_refused((hand_column){.format = "u", .buffers = {NULL, level_ends, NULL}},
                  ML_E_DATA, "no buffer of text");
    check_refused(
        (hand_column){.format = "vu", .n_buffers = 3, .buffers = {NULL, views, no_sizes}},
        ML_E_DATA, "offsets");
    hand_column text = {.format = "u", .length = -1};
    check_refused(
        (hand_column){.format = "i", .buffers = {NULL, f64}, .dictionary = &text},
        ML_E_DATA, "no dictionary");
    text = (hand_column){
        .format = "u", .length = 3, .buffers = {NULL, level_ends, "redgreenblue"}};
    check_refused((hand_column){.format = "i", .dictionary = &text}, ML_E_DATA,
                  "no buffer of indices");
}
END_TEST

START_TEST(streams_that_fail)
{
    static const double f64[] = {1, 2, 3};
    hand_column columns[2] = {
        {.format = "g", .name = "x", .length = 3, .buffers = {NULL, f64}},
        {.format = "g", .name = "x", .length = 3, .buffers = {NULL, f64}}};
    for (int64_t at = -1; at <= 2; at++) {
        hand_stream h = {.n_columns = 1,
                         .n_batches = 2,
                         .columns = columns,
                         .fail_at = at,
                         .error = "the disk is gone",
                         .code = EIO};
        struct ArrowArrayStream stream = hand_open(&h);
        ml_table *t = NULL;
        FAILS(ML_E_CALLBACK, ml_table_read_arrow(ctx, &stream, NULL, &t, ERR));
        ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "the disk is gone"));
        ck_assert(stream.release == NULL);
        ck_assert_int_eq(h.live, 0);
    }
    hand_stream h = {.n_columns = 1,
                     .n_batches = 2,
                     .columns = columns,
                     .fail_at = 1,
                     .error = "",
                     .code = EINVAL};
    struct ArrowArrayStream stream = hand_open(&h);
    ml_table *t = NULL;
    FAILS(ML_E_CALLBACK, ml_table_read_arrow(ctx, &stream, NULL, &t, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "code 22"));
    FAILS(ML_E_ARGUMENT, ml_table_read_arrow(ctx, &stream, NULL, &t, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_read_arrow(ctx, NULL, NULL, &t, ERR));
    h.error = NULL;
    h.format = "g";
    stream = hand_open(&h);
    FAILS(ML_E_TYPE, ml_table_read_arrow(ctx, &stream, NULL, &t, ERR));
    h.format = NULL;
    stream = hand_open(&h);
    FAILS(ML_E_ARGUMENT, ml_table_read_arrow(NULL, &stream, NULL, &t, ERR));
    ck_assert(stream.release == NULL);
    stream = hand_open(&h);
    FAILS(ML_E_ARGUMENT, ml_table_read_arrow(ctx, &stream, NULL, NULL, ERR));
    ck_assert_int_eq(h.live, 0);
}
END_TEST

/* ---- out ---- */

static hand_column all_kinds[11];
static hand_column level_column = {
    .format = "u", .length = 3, .buffers = {NULL, level_ends, level_bytes}};

static hand_stream make_all_kinds(void)
{
    static const int8_t i8[] = {9, 1, 2, 3, 4};
    static const double f64[] = {9, 1.5, 2, NAN, 4};
    static const float f32[] = {9, 1.5f, 2, 3, 4};
    static const uint64_t u64[] = {9, 1, 2, 3, UINT64_MAX};
    static const uint8_t bools[] = {0x12};
    static const int32_t days[] = {9, 0, 1, 2, 3};
    static const int64_t micros[] = {9, 0, 1, 2, 3};
    static const int32_t ends[] = {0, 2, 3, 3, 5, 7};
    static const int32_t codes[] = {9, 2, 7, 0, 1};
    static const int16_t i16[] = {9, 1, 2, 3, 4};
    int n = 0;
    all_kinds[n++] = numbers("c", i8);
    all_kinds[n++] = numbers("s", i16);
    all_kinds[n++] = numbers("L", u64);
    all_kinds[n++] = numbers("f", f32);
    all_kinds[n++] = numbers("g", f64);
    all_kinds[n++] = numbers("b", bools);
    all_kinds[n++] = numbers("tdD", days);
    all_kinds[n++] = numbers("tsu:", micros);
    all_kinds[n] = numbers("u", ends);
    all_kinds[n++].buffers[2] = "zzabcde";
    all_kinds[n] = numbers("i", codes);
    all_kinds[n++].dictionary = &level_column;
    all_kinds[n] = numbers("i", codes);
    all_kinds[n].buffers[0] = NULL; /* the code 7 alone makes it missing */
    all_kinds[n].null_count = 0;
    all_kinds[n++].dictionary = &level_column;
    static char names[11][16];
    for (int i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "c%d", i);
        all_kinds[i].name = names[i];
    }
    return (hand_stream){.n_columns = n, .n_batches = 1, .columns = all_kinds};
}

static void check_same(const ml_table *a, const ml_table *b)
{
    ck_assert_int_eq(ml_table_rows(a), ml_table_rows(b));
    ck_assert_int_eq(ml_table_columns(a), ml_table_columns(b));
    for (int64_t j = 0; j < ml_table_columns(a); j++) {
        char text[4096];
        ck_assert_str_eq(ml_table_column_name(a, j), ml_table_column_name(b, j));
        ck_assert_int_eq(ml_table_column_type(a, j), ml_table_column_type(b, j));
        ck_assert_int_eq(a->columns[j].null_count, b->columns[j].null_count);
        snprintf(text, sizeof text, "%s", column_text(a, j));
        ck_assert_str_eq(text, column_text(b, j));
    }
}

static ml_table *round_trip(const ml_table *t)
{
    struct ArrowArrayStream stream;
    ml_table *back = NULL;
    OK(ml_table_write_arrow(t, &stream, ERR));
    OK(ml_table_read_arrow(ctx, &stream, NULL, &back, ERR));
    return back;
}

START_TEST(out_and_in_again)
{
    hand_stream h = make_all_kinds();
    ml_table *t = read_batches(&h), *part = NULL;
    ml_table *back = round_trip(t);
    check_same(t, back);
    for (int64_t j = 0; j < 5; j++) { /* nothing was copied */
        ck_assert_ptr_eq(t->columns[j].data, back->columns[j].data);
    }
    ml_table_free(back);
    for (int64_t begin = 0; begin <= 4; begin++) {
        OK(ml_table_slice(t, begin, 4, &part, ERR));
        back = round_trip(part);
        check_same(part, back);
        ml_table_free(back);
        ml_table_free(part);
    }
    OK(ml_table_take(t, (int64_t[]){3, 1, 1, 0}, 4, &part, ERR));
    back = round_trip(part);
    check_same(part, back);
    ml_table_free(part);
    ml_table_free(t);
    ck_assert_str_eq(column_text(back, 8), "de|.|.|a");
    ck_assert_str_eq(column_text(back, 10), "green|.|.|blue");
    ml_table_free(back);
    ck_assert_int_eq(h.live, 0);
}
END_TEST

START_TEST(formats_given_out)
{
    static const char *const formats[] = {"c",   "s",       "L", "f", "g", "b",
                                          "tdD", "tsu:UTC", "U", "i", "i"};
    hand_stream h = make_all_kinds();
    ml_table *t = read_batches(&h);
    struct ArrowArrayStream stream;
    struct ArrowSchema schema, moved;
    struct ArrowArray batch, column, end;
    OK(ml_table_write_arrow(t, &stream, ERR));
    ck_assert_int_eq(stream.get_schema(&stream, &schema), 0);
    ck_assert_str_eq(schema.format, "+s");
    ck_assert_int_eq(schema.n_children, COUNT(formats));
    for (int64_t i = 0; i < COUNT(formats); i++) {
        ck_assert_str_eq(schema.children[i]->format, formats[i]);
        ck_assert(schema.children[i]->flags & ARROW_FLAG_NULLABLE);
    }
    ck_assert_str_eq(schema.children[9]->dictionary->format, "U");
    ck_assert_int_eq(stream.get_next(&stream, &batch), 0);
    ck_assert_int_eq(batch.length, 4);
    ck_assert_int_eq(batch.children[5]->offset, 1); /* bits begin within a byte */
    ck_assert_int_eq(batch.children[10]->null_count, 1);
    ck_assert_ptr_nonnull(batch.children[10]->buffers[0]);
    ck_assert_int_eq(stream.get_next(&stream, &end), 0);
    ck_assert(end.release == NULL);
    /* children outlive their parents, the stream and the table */
    moved = *schema.children[9];
    schema.children[9]->release = NULL;
    column = *batch.children[9];
    batch.children[9]->release = NULL;
    schema.release(&schema);
    batch.release(&batch);
    ck_assert(batch.release == NULL);
    stream.release(&stream);
    ck_assert(stream.release == NULL);
    ml_table_free(t);
    ck_assert_int_gt(h.live, 0);
    ck_assert_str_eq(moved.name, "c9");
    ck_assert_int_eq(((const int32_t *)column.buffers[1])[0], 2);
    ck_assert_int_eq(((const int64_t *)column.dictionary->buffers[1])[3], 12);
    moved.release(&moved);
    column.release(&column);
    ck_assert_int_eq(h.live, 0);
    FAILS(ML_E_ARGUMENT, ml_table_write_arrow(NULL, &stream, ERR));
}
END_TEST

START_TEST(strided_columns_are_compacted)
{
    double data[] = {1, 2, 3, 4, 5, 6};
    int16_t small[] = {1, 2, 3, 4, 5, 6};
    ml_tensor *x = NULL;
    ml_table *t = NULL;
    OK(ml_tensor_wrap(ctx, ML_DTYPE_F64, 2, (int64_t[]){3, 2}, NULL, data, NULL, NULL, &x,
                      ERR));
    OK(ml_table_read_tensor(ctx, x, NULL, &t, ERR));
    ml_tensor_free(x);
    ml_table *back = round_trip(t);
    check_same(t, back);
    ck_assert_str_eq(column_text(back, 1), "2|4|6");
    ck_assert_int_eq(back->columns[1].stride, 1);
    ml_table_free(t);
    ml_table_free(back);
    OK(ml_tensor_wrap(ctx, ML_DTYPE_I16, 1, (int64_t[]){3}, (int64_t[]){-2}, small + 5,
                      NULL, NULL, &x, ERR));
    OK(ml_table_read_tensor(ctx, x, NULL, &t, ERR));
    ml_tensor_free(x);
    back = round_trip(t);
    ck_assert_str_eq(column_text(back, 0), "6|4|2");
    ml_table_free(t);
    ml_table_free(back);
}
END_TEST

START_TEST(empty_tables_go_out)
{
    hand_stream h = make_all_kinds();
    ml_table *t = read_batches(&h), *part = NULL;
    OK(ml_table_slice(t, 2, 2, &part, ERR));
    ml_table *back = round_trip(part);
    check_same(part, back);
    ml_table_free(back);
    ml_table_free(part);
    OK(ml_table_select(t, NULL, 0, &part, ERR));
    back = round_trip(part);
    ck_assert_int_eq(ml_table_rows(back), 4);
    ck_assert_int_eq(ml_table_columns(back), 0);
    ml_table_free(back);
    ml_table_free(part);
    ml_table_free(t);
}
END_TEST

static ml_status whole_life(failing_alloc *f, hand_stream *h)
{
    ml_context *c = NULL;
    ml_table *t = NULL, *back = NULL;
    struct ArrowArrayStream in = hand_open(h), out;
    ml_host host = failing_host(f);
    ml_status status = ml_context_new(&host, &c, NULL);
    if (status) {
        in.release(&in);
    } else {
        status = ml_table_read_arrow(c, &in, NULL, &t, NULL);
    }
    if (!status) status = ml_table_write_arrow(t, &out, NULL);
    if (!status) status = ml_table_read_arrow(c, &out, NULL, &back, NULL);
    ml_context_free(c);
    ml_table_free(t);
    ml_table_free(back);
    ck_assert_int_eq(h->live, 0);
    return status;
}

START_TEST(out_of_memory)
{
    failing_alloc f;
    hand_stream h = make_all_kinds();
    OUT_OF_MEMORY_LOOP(f, whole_life(&f, &h));
    /* several batches with different dictionaries, and decoded ones */
    static const int32_t ends[] = {0, 4, 7};
    static const double f64[] = {1, 2, 3};
    static const int8_t codes[] = {0, 1, 0};
    hand_column a = level_column,
                n = {.format = "g", .length = 3, .buffers = {NULL, f64}};
    hand_column b = {.format = "u", .length = 2, .buffers = {NULL, ends, "greyred"}};
    hand_column columns[] = {{.format = "c",
                              .name = "c",
                              .length = 3,
                              .buffers = {NULL, codes},
                              .dictionary = &a},
                             {.format = "c",
                              .name = "d",
                              .length = 3,
                              .buffers = {NULL, codes},
                              .dictionary = &n},
                             {.format = "c",
                              .name = "c",
                              .length = 3,
                              .buffers = {NULL, codes},
                              .dictionary = &b},
                             {.format = "c",
                              .name = "d",
                              .length = 3,
                              .buffers = {NULL, codes},
                              .dictionary = &n}};
    hand_stream several = {.n_columns = 2, .n_batches = 2, .columns = columns};
    OUT_OF_MEMORY_LOOP(f, whole_life(&f, &several));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {numbers_of_every_type,
                                  half_floats,
                                  all_missing,
                                  texts_of_every_layout,
                                  string_views,
                                  dates_and_times,
                                  times_out_of_range,
                                  decimals,
                                  categories,
                                  category_details,
                                  dictionaries_that_differ,
                                  dictionaries_of_numbers,
                                  one_batch_is_not_copied,
                                  offsets_of_batches_add_up,
                                  thousands_of_batches,
                                  nothing_in_it,
                                  names_of_columns,
                                  types_that_tables_lack,
                                  damaged_data,
                                  streams_that_fail,
                                  out_and_in_again,
                                  formats_given_out,
                                  strided_columns_are_compacted,
                                  empty_tables_go_out,
                                  out_of_memory};
    ctx = test_context(2);
    int result = test_run("data/arrow", tests, (int)COUNT(tests));
    ml_context_free(ctx);
    return result;
}
