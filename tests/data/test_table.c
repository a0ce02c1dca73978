/* SPDX-License-Identifier: MIT
 *
 * Tables: readers, cells, parts of tables, columns from tensors and strings.
 */
#include "core/rng.h"
#include "data/table.h"
#include "failing.h"

#define COUNT(x) ((int64_t)(sizeof(x) / sizeof((x)[0])))

static ml_context *ctx;

static const char *cell(const ml_table *t, int64_t row, int64_t column)
{
    static char text[100];
    return ml_table_get_str(t, row, column, text, sizeof text) < 0 ? "." : text;
}

/* Cells of a column joined by '|', missing ones as '.'. */
static const char *column_text(const ml_table *t, int64_t column)
{
    static char text[4096];
    text[0] = 0;
    for (int64_t i = 0; i < ml_table_rows(t); i++) {
        if (i) strcat(text, "|");
        strcat(text, cell(t, i, column));
    }
    return text;
}

/* A table of one column over static memory. */
static ml_table *table_of(mli_column c)
{
    ml_table *t = NULL;
    OK(mli_table_alloc(ctx, c.rows, 1, &t, ERR));
    t->columns[0] = c;
    t->columns[0].name = mli_strdup(ctx, "x");
    OK(mli_table_seal(t, ERR));
    return t;
}

/* ---- readers ---- */

typedef struct {
    mli_column column;
    double expected[4]; /* without missing values */
} reading;

static const int8_t i8[] = {-128, 1, 2, 127};
static const int16_t i16[] = {-32768, 1, 2, 32767};
static const int32_t i32[] = {INT32_MIN, 1, 2, INT32_MAX};
static const int64_t i64[] = {-1000000000000, 1, 2, 4503599627370497};
static const uint8_t u8[] = {0, 1, 2, 255};
static const uint16_t u16[] = {0, 1, 2, 65535};
static const uint32_t u32[] = {0, 1, 2, UINT32_MAX};
static const uint64_t u64[] = {0, 1, 2, UINT64_C(1) << 63};
static const float f32[] = {0.25f, 1, 2, INFINITY};
static const double f64[] = {0.1, 1, 2, -INFINITY};
static const uint8_t bools[] = {0x0a};
static const int32_t codes[] = {0, 1, 2, 1};
static const int64_t level_ends[] = {0, 1, 2, 3};

static const reading readings[] = {
    {{.type = ML_DTYPE_I8, .data = i8}, {-128, 1, 2, 127}},
    {{.type = ML_DTYPE_I16, .data = i16}, {-32768, 1, 2, 32767}},
    {{.type = ML_DTYPE_I32, .data = i32}, {-2147483648.0, 1, 2, 2147483647.0}},
    {{.type = ML_DTYPE_I64, .data = i64}, {-1e12, 1, 2, 4503599627370497.0}},
    {{.type = ML_DTYPE_U8, .data = u8}, {0, 1, 2, 255}},
    {{.type = ML_DTYPE_U16, .data = u16}, {0, 1, 2, 65535}},
    {{.type = ML_DTYPE_U32, .data = u32}, {0, 1, 2, 4294967295.0}},
    {{.type = ML_DTYPE_U64, .data = u64}, {0, 1, 2, 9223372036854775808.0}},
    {{.type = ML_DTYPE_F32, .data = f32}, {0.25, 1, 2, INFINITY}},
    {{.type = ML_DTYPE_F64, .data = f64}, {0.1, 1, 2, -INFINITY}},
    {{.type = ML_DTYPE_BOOL, .data = bools}, {0, 1, 0, 1}},
    {{.type = ML_TYPE_DATE, .data = i32}, {-2147483648.0, 1, 2, 2147483647.0}},
    {{.type = ML_TYPE_TIMESTAMP, .data = i64}, {-1e12, 1, 2, 4503599627370497.0}},
    {{.type = ML_TYPE_CATEGORY,
      .data = codes,
      .n_levels = 3,
      .levels = "abc",
      .level_offsets = level_ends},
     {0, 1, 2, 1}},
};

static void check_value(double value, double expected, int missing)
{
    if (missing) {
        ck_assert_double_nan(value);
    } else {
        ck_assert_double_eq(value, expected);
    }
}

/* Every type with and without missing values, any range, any output stride, both
 * widths. */
START_TEST(readers_of_every_type)
{
    static const uint8_t bits[] = {0x0d};
    for (size_t k = 0; k < sizeof readings / sizeof readings[0]; k++) {
        for (int32_t nulls = 0; nulls < 2; nulls++) {
            mli_column c = readings[k].column;
            const double *expected = readings[k].expected;
            c.rows = 4;
            c.stride = 1;
            c.validity = nulls ? bits : NULL;
            c.null_count = nulls;
            for (int64_t begin = 0; begin < 4; begin++) {
                for (int64_t stride = 1; stride < 3; stride++) {
                    double wide[8];
                    float narrow[8];
                    for (int i = 0; i < 8; i++) wide[i] = narrow[i] = -77;
                    mli_column_f64(&c, begin, 4, wide, stride);
                    mli_column_f32(&c, begin, 4, narrow, stride);
                    for (int64_t i = begin; i < 4; i++) {
                        int64_t at = (i - begin) * stride;
                        check_value(wide[at], expected[i], nulls && i == 1);
                        check_value((double)narrow[at], (double)(float)expected[i],
                                    nulls && i == 1);
                        if (stride == 2) ck_assert_double_eq(wide[at + 1], -77);
                    }
                }
            }
            double untouched = 5;
            mli_column_f64(&c, 2, 2, &untouched, 1);
            ck_assert_double_eq(untouched, 5);
        }
    }
}
END_TEST

START_TEST(readers_follow_strides)
{
    static const int32_t data[] = {1, 9, 2, 9, 3, 9};
    mli_column c = {.type = ML_DTYPE_I32, .rows = 3, .data = data, .stride = 2};
    double out[3];
    mli_column_f64(&c, 1, 3, out, 1);
    ck_assert_double_eq(out[0], 2);
    ck_assert_double_eq(out[1], 3);
    c.data = data + 4;
    c.stride = -2;
    mli_column_f64(&c, 0, 3, out, 1);
    ck_assert_double_eq(out[0], 3);
    ck_assert_double_eq(out[2], 1);
}
END_TEST

/* The scan over bitmaps against bit by bit, over many offsets and lengths. */
START_TEST(missing_values_at_every_offset)
{
    enum { N = 200 };
    double data[N], out[N];
    uint8_t bits[N / 8 + 2];
    mli_rng rng;
    mli_rng_init(&rng, 3, 0, 0);
    for (int i = 0; i < N; i++) data[i] = i;
    for (int round = 0; round < 400; round++) {
        int64_t offset = mli_rng_below(&rng, 16), rows = mli_rng_below(&rng, N - 16);
        for (size_t i = 0; i < sizeof bits; i++) {
            bits[i] = mli_rng_below(&rng, 3) ? 0xff : (uint8_t)mli_rng_u32(&rng);
        }
        int64_t set = 0;
        for (int64_t i = offset; i < offset + rows; i++) set += bits[i / 8] >> i % 8 & 1;
        ck_assert_int_eq(mli_bits_count(bits, offset, rows), set);
        mli_column c = {.type = ML_DTYPE_F64,
                        .rows = rows,
                        .null_count = rows - set,
                        .validity = bits,
                        .offset = offset,
                        .data = data,
                        .stride = 1};
        int64_t begin = rows ? mli_rng_below(&rng, rows) : 0, missing = 0;
        mli_column_f64(&c, begin, rows, out, 1);
        for (int64_t i = begin; i < rows; i++) {
            int gone = !(bits[(offset + i) / 8] >> (offset + i) % 8 & 1);
            check_value(out[i - begin], (double)i, gone);
            missing += gone;
        }
        ck_assert_int_eq(mli_column_missing(&c, begin, rows), missing);
    }
}
END_TEST

START_TEST(codes_outside_the_levels)
{
    static const int32_t odd[] = {0, -1, 3, 2, INT32_MIN};
    mli_column c = {.type = ML_TYPE_CATEGORY,
                    .rows = 5,
                    .null_count = 3,
                    .data = odd,
                    .stride = 1,
                    .n_levels = 3,
                    .levels = "abc",
                    .level_offsets = level_ends};
    ml_table *t = table_of(c), *part = NULL;
    ck_assert_str_eq(column_text(t, 0), "a|.|.|c|.");
    ck_assert_double_nan(ml_table_get_f64(t, 1, 0));
    ck_assert_double_eq(ml_table_get_f64(t, 3, 0), 2);
    OK(ml_table_slice(t, 1, 4, &part, ERR));
    ck_assert_int_eq(part->columns[0].null_count, 2);
    ml_table_free(part);
    OK(ml_table_slice(t, 3, 4, &part, ERR));
    ck_assert_int_eq(part->columns[0].null_count, 0);
    ml_table_free(part);
    OK(ml_table_take(t, (int64_t[]){4, 3, 0}, 3, &part, ERR));
    ck_assert_int_eq(part->columns[0].null_count, 1);
    ck_assert_str_eq(column_text(part, 0), ".|c|a");
    ml_table_free(part);
    ml_table_free(t);
}
END_TEST

/* ---- cells ---- */

START_TEST(cells_as_text)
{
    static const float floats[] = {0.1f,  16777216.0f, 1e-45f,          3.4028235e38f,
                                   -0.0f, NAN,         1.17549435e-38f, 0.33333334f};
    static const double doubles[] = {0.1, 1e300,     -0.0, 5e-324,
                                     NAN, -INFINITY, 1e15, 123456789.25};
    static const uint64_t unsigned64[] = {UINT64_MAX};
    mli_column c = {
        .type = ML_DTYPE_F32, .rows = COUNT(floats), .data = floats, .stride = 1};
    ml_table *t = table_of(c);
    for (int64_t i = 0; i < c.rows; i++) {
        char text[64];
        ck_assert_int_gt(ml_table_get_str(t, i, 0, text, sizeof text), 0);
        float back = strtof(text, NULL);
        ck_assert_msg(isnan(floats[i]) ? isnan(back) : back == floats[i], "%s", text);
    }
    ck_assert_str_eq(cell(t, 0, 0), "0.1");
    ck_assert_str_eq(cell(t, 7, 0), "0.33333334");
    ml_table_free(t);
    c = (mli_column){
        .type = ML_DTYPE_F64, .rows = COUNT(doubles), .data = doubles, .stride = 1};
    t = table_of(c);
    for (int64_t i = 0; i < c.rows; i++) {
        char text[64];
        ck_assert_int_gt(ml_table_get_str(t, i, 0, text, sizeof text), 0);
        double back = strtod(text, NULL);
        ck_assert_msg(isnan(doubles[i]) ? isnan(back) : back == doubles[i], "%s", text);
    }
    ml_table_free(t);
    c = (mli_column){.type = ML_DTYPE_U64, .rows = 1, .data = unsigned64, .stride = 1};
    t = table_of(c);
    ck_assert_str_eq(cell(t, 0, 0), "18446744073709551615");
    ml_table_free(t);
    for (size_t k = 0; k < 9; k++) {
        c = readings[k].column;
        c.rows = 4;
        c.stride = 1;
        t = table_of(c);
        if (k != 8) ck_assert_str_eq(cell(t, 2, 0), "2");
        ml_table_free(t);
    }
    c = (mli_column){.type = ML_DTYPE_BOOL, .rows = 4, .data = bools, .stride = 1};
    t = table_of(c);
    ck_assert_str_eq(column_text(t, 0), "false|true|false|true");
    ml_table_free(t);
}
END_TEST

START_TEST(cells_that_do_not_fit)
{
    static const int64_t ends[] = {0, 7};
    static const char text[] = "ab\xc3\xa9"
                               "cde"; /* 7 bytes, two of them one letter */
    mli_column c = {.type = ML_TYPE_TEXT, .rows = 1, .data = text, .offsets = ends};
    ml_table *t = table_of(c);
    char buffer[16];
    ck_assert_int_eq(ml_table_get_str(t, 0, 0, NULL, 0), 7);
    ck_assert_int_eq(ml_table_get_str(t, 0, 0, buffer, 8), 7);
    ck_assert_str_eq(buffer, text);
    ck_assert_int_eq(ml_table_get_str(t, 0, 0, buffer, 5), 7);
    ck_assert_str_eq(buffer, "ab\xc3\xa9");
    ck_assert_int_eq(ml_table_get_str(t, 0, 0, buffer, 4), 7);
    ck_assert_str_eq(buffer, "ab"); /* no half letter */
    ck_assert_int_eq(ml_table_get_str(t, 0, 0, buffer, 1), 7);
    ck_assert_str_eq(buffer, "");
    strcpy(buffer, "old");
    ck_assert_int_eq(ml_table_get_str(t, 1, 0, buffer, 16), -1);
    ck_assert_str_eq(buffer, "");
    ck_assert_int_eq(ml_table_get_str(t, 0, 1, buffer, 16), -1);
    ck_assert_int_eq(ml_table_get_str(t, -1, 0, buffer, 16), -1);
    ck_assert_int_eq(ml_table_get_str(t, 0, -1, buffer, 16), -1);
    ck_assert_double_nan(ml_table_get_f64(t, 0, 0)); /* text is no number */
    ck_assert_double_nan(ml_table_get_f64(t, 0, 5));
    ck_assert_double_nan(ml_table_get_f64(t, 9, 0));
    ck_assert_ptr_null(ml_table_column_name(t, 1));
    ck_assert_ptr_null(ml_table_column_name(t, -1));
    ck_assert_int_eq(ml_table_column_type(t, 1), 0);
    ck_assert_int_eq(ml_table_find(t, "y"), -1);
    ck_assert_int_eq(ml_table_find(t, NULL), -1);
    ck_assert_int_eq(ml_table_find(t, "x"), 0);
    ml_table_free(t);
    ck_assert_ptr_null(ml_table_ref(NULL));
    ml_table_free(NULL);
}
END_TEST

START_TEST(type_names)
{
    ck_assert_str_eq(mli_type_name(ML_TYPE_TEXT), "text");
    ck_assert_str_eq(mli_type_name(ML_TYPE_CATEGORY), "category");
    ck_assert_str_eq(mli_type_name(ML_TYPE_DATE), "date");
    ck_assert_str_eq(mli_type_name(ML_TYPE_TIMESTAMP), "timestamp");
    ck_assert_str_eq(mli_type_name(ML_DTYPE_U16), "u16");
    ck_assert_str_eq(mli_type_name(99), "unknown");
    ck_assert(mli_type_is_number(ML_DTYPE_BOOL));
    ck_assert(!mli_type_is_number(ML_TYPE_DATE));
}
END_TEST

START_TEST(rows_must_agree)
{
    ml_table *t = NULL;
    OK(mli_table_alloc(ctx, 3, 1, &t, ERR));
    t->columns[0] =
        (mli_column){.type = ML_DTYPE_F64, .rows = 4, .data = f64, .stride = 1};
    t->columns[0].name = mli_strdup(ctx, "x");
    FAILS(ML_E_SHAPE, mli_table_seal(t, ERR));
    ml_table_free(t);
}
END_TEST

/* ---- a table with every type ---- */

static ml_table *random_table(ml_context *c, int64_t rows, uint64_t seed)
{
    mli_builder *b = NULL;
    ml_table *t = NULL, *more = NULL;
    mli_rng rng;
    mli_rng_init(&rng, seed, 0, 0);
    size_t n = (size_t)rows + 1;
    double *x = malloc(n * sizeof *x);
    int64_t *k = malloc(n * sizeof *k);
    int32_t *code = malloc(n * sizeof *code);
    const char **texts = malloc(n * sizeof *texts);
    char(*words)[32] = calloc(n, sizeof *words);
    uint8_t *flags = malloc(n);
    static const char *const levels[] = {"low", "middle", "high"};
    for (int64_t i = 0; i < rows; i++) {
        x[i] = mli_rng_below(&rng, 5) ? mli_rng_normal(&rng) : NAN;
        k[i] = (int64_t)mli_rng_u64(&rng);
        code[i] = (int32_t)mli_rng_below(&rng, 4) - 1;
        snprintf(words[i], sizeof words[i], "%.*s", (int)mli_rng_below(&rng, 20),
                 "the quick brown fox jumps");
        texts[i] = mli_rng_below(&rng, 6) ? words[i] : NULL;
        flags[i] = (uint8_t)mli_rng_below(&rng, 2);
    }
    OK(mli_builder_new(c, rows, &b, ERR));
    OK(mli_builder_f64(b, "x", x, ERR));
    OK(mli_builder_i64(b, "k", k, ERR));
    OK(mli_builder_category(b, "c", code, levels, 3, ERR));
    OK(mli_builder_text(b, "s", texts, ERR));
    OK(mli_builder_finish(b, &t, ERR));
    ml_tensor *bytes = NULL, *small = NULL;
    OK(ml_tensor_new(c, ML_DTYPE_BOOL, 1, &rows, NULL, flags, &bytes, ERR));
    OK(ml_table_with_tensor(t, "b", bytes, &more, ERR));
    ml_table_free(t);
    OK(ml_tensor_new(c, ML_DTYPE_I16, 1, &rows, NULL, words, &small, ERR));
    OK(ml_table_with_tensor(more, "h", small, &t, ERR));
    ml_table_free(more);
    ml_tensor_free(bytes);
    ml_tensor_free(small);
    free(x), free(k), free(code), free(texts), free(words), free(flags);
    return t;
}

/* Row i of `part` must be row rows[i] of `whole`. */
static void check_rows(const ml_table *whole, const ml_table *part, const int64_t *rows,
                       int64_t count)
{
    ck_assert_int_eq(ml_table_rows(part), count);
    ck_assert_int_eq(ml_table_columns(part), ml_table_columns(whole));
    for (int64_t j = 0; j < ml_table_columns(whole); j++) {
        int64_t missing = 0;
        ck_assert_str_eq(ml_table_column_name(part, j), ml_table_column_name(whole, j));
        ck_assert_int_eq(ml_table_column_type(part, j), ml_table_column_type(whole, j));
        for (int64_t i = 0; i < count; i++) {
            char a[64], b[64];
            int64_t na = ml_table_get_str(whole, rows[i], j, a, sizeof a);
            int64_t nb = ml_table_get_str(part, i, j, b, sizeof b);
            if (na != nb || strcmp(a, b) != 0) {
                ck_abort_msg("column %d row %d: %s, not %s", (int)j, (int)i, b, a);
            }
            missing += nb < 0;
        }
        ck_assert_int_eq(part->columns[j].null_count, missing);
        if (missing == 0) ck_assert_ptr_null(part->columns[j].validity);
    }
}

START_TEST(slices)
{
    enum { N = 300 };
    ml_table *t = random_table(ctx, N, 1);
    int64_t rows[N];
    mli_rng rng;
    mli_rng_init(&rng, 5, 0, 0);
    for (int round = 0; round < 60; round++) {
        ml_table *a = NULL, *b = NULL;
        int64_t begin = mli_rng_below(&rng, N),
                end = begin + mli_rng_below(&rng, N - begin + 1);
        OK(ml_table_slice(t, begin, end, &a, ERR));
        for (int64_t i = begin; i < end; i++) rows[i - begin] = i;
        check_rows(t, a, rows, end - begin);
        int64_t shift = (end - begin) / 3; /* a slice of a slice */
        OK(ml_table_slice(a, shift, end - begin, &b, ERR));
        ml_table_free(a);
        check_rows(t, b, rows + shift, end - begin - shift);
        ml_table_free(b);
    }
    ml_table *a = NULL;
    OK(ml_table_slice(t, 10, 20, &a, ERR));
    ck_assert_ptr_eq(a->columns[1].data, (const int64_t *)t->columns[1].data + 10);
    ck_assert_ptr_eq(a->columns[3].data, t->columns[3].data); /* shared */
    ml_table_free(a);
    a = NULL;
    FAILS(ML_E_RANGE, ml_table_slice(t, -1, 5, &a, ERR));
    FAILS(ML_E_RANGE, ml_table_slice(t, 6, 5, &a, ERR));
    FAILS(ML_E_RANGE, ml_table_slice(t, 0, N + 1, &a, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_slice(NULL, 0, 0, &a, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_slice(t, 0, 0, NULL, ERR));
    ck_assert_ptr_null(a);
    ml_table_free(t);
}
END_TEST

START_TEST(takes)
{
    static const int64_t counts[] = {0, 1, 7, 64, 1000, 70001};
    for (int64_t k = 0; k < COUNT(counts); k++) {
        int64_t n = counts[k], m = n * 3 / 2;
        ml_table *t = random_table(ctx, n, (uint64_t)k), *part = NULL;
        int64_t *rows = malloc((size_t)(m + 1) * sizeof *rows);
        mli_rng rng;
        mli_rng_init(&rng, 5, 0, 0);
        for (int64_t i = 0; i < m; i++) rows[i] = mli_rng_below(&rng, n);
        OK(ml_table_take(t, rows, m, &part, ERR));
        check_rows(t, part, rows, m);
        ml_table_free(part);
        if (n > 10) { /* of a slice, whose bits begin within a byte */
            ml_table *slice = NULL;
            OK(ml_table_slice(t, 3, n, &slice, ERR));
            ml_table_free(t);
            for (int64_t i = 0; i < m; i++) rows[i] = mli_rng_below(&rng, n - 3);
            OK(ml_table_take(slice, rows, m, &part, ERR));
            check_rows(slice, part, rows, m);
            ml_table_free(slice);
            ml_table_free(part);
        } else {
            ml_table_free(t);
        }
        free(rows);
    }
}
END_TEST

START_TEST(takes_with_strides)
{
    enum { N = 5, M = 3 };
    double data[N * M];
    for (int i = 0; i < N * M; i++) data[i] = i;
    ml_tensor *x = NULL;
    ml_table *t = NULL, *part = NULL;
    OK(ml_tensor_wrap(ctx, ML_DTYPE_F64, 2, (int64_t[]){N, M}, NULL, data, NULL, NULL, &x,
                      ERR));
    OK(ml_table_read_tensor(ctx, x, NULL, &t, ERR));
    ml_tensor_free(x);
    OK(ml_table_take(t, (int64_t[]){4, 0, 4}, 3, &part, ERR));
    ml_table_free(t);
    ck_assert_str_eq(column_text(part, 1), "13|1|13");
    ck_assert_int_eq(part->columns[1].stride, 1);
    ml_table_free(part);
}
END_TEST

START_TEST(bad_takes)
{
    ml_table *t = random_table(ctx, 5, 1), *part = NULL;
    FAILS(ML_E_RANGE, ml_table_take(t, (int64_t[]){0, 5}, 2, &part, ERR));
    ck_assert_str_eq(ml_error_location(ERR), "rows, item 2");
    FAILS(ML_E_RANGE, ml_table_take(t, (int64_t[]){-1}, 1, &part, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_take(t, NULL, 1, &part, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_take(t, NULL, -1, &part, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_take(NULL, NULL, 0, &part, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_take(t, NULL, 0, NULL, ERR));
    ck_assert_ptr_null(part);
    ml_table_free(t);
}
END_TEST

/* The levels of a taken category outlive the table they come from. */
START_TEST(levels_are_kept_alive)
{
    ml_table *t = random_table(ctx, 50, 2), *part = NULL, *again = NULL;
    ck_assert_ptr_nonnull(t->columns[2].levels);
    OK(ml_table_take(t, (int64_t[]){1, 2, 3}, 3, &part, ERR));
    ck_assert_ptr_eq(part->columns[2].levels, t->columns[2].levels);
    ml_table_free(t);
    OK(ml_table_take(part, (int64_t[]){2}, 1, &again, ERR));
    ck_assert_int_eq(part->columns[2].n_levels, 3);
    ml_table_free(part);
    ck_assert_int_eq(again->columns[2].level_offsets[3], 13);
    ml_table_free(again);
    /* levels over memory of unknown extent are copied */
    mli_column c = readings[COUNT(readings) - 1].column;
    c.rows = 4;
    c.stride = 1;
    t = table_of(c);
    OK(ml_table_take(t, (int64_t[]){2, 1}, 2, &part, ERR));
    ck_assert_str_eq(column_text(part, 0), "c|b");
    ck_assert_ptr_ne(part->columns[0].levels, c.levels);
    ml_table_free(t);
    ml_table_free(part);
}
END_TEST

START_TEST(selects)
{
    ml_table *t = random_table(ctx, 20, 3), *part = NULL;
    static const char *const some[] = {"s", "x", "s"};
    OK(ml_table_select(t, some, 3, &part, ERR));
    ck_assert_int_eq(ml_table_columns(part), 3);
    ck_assert_int_eq(ml_table_rows(part), 20);
    ck_assert_ptr_eq(part->columns[1].data, t->columns[0].data);
    ck_assert_ptr_eq(part->columns[2].data, t->columns[3].data);
    ck_assert_int_eq(ml_table_find(part, "s"), 0);
    ck_assert_int_eq(ml_table_find(part, "x"), 1);
    ml_table_free(part);
    part = NULL;
    OK(ml_table_select(t, NULL, 0, &part, ERR));
    ck_assert_int_eq(ml_table_columns(part), 0);
    ck_assert_int_eq(ml_table_rows(part), 20);
    ml_table_free(part);
    part = NULL;
    FAILS(ML_E_NAME, ml_table_select(t, (const char *[]){"x", "nope"}, 2, &part, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "\"nope\""));
    FAILS(ML_E_ARGUMENT, ml_table_select(t, (const char *[]){NULL}, 1, &part, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_select(t, NULL, 1, &part, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_select(NULL, NULL, 0, &part, ERR));
    ck_assert_ptr_null(part);
    ml_table_free(t);
    ml_tensor *x = NULL;
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, (int64_t[]){1}, NULL, NULL, &x, ERR));
    OK(ml_table_with_tensor(NULL, "temperature", x, &t, ERR));
    ml_tensor_free(x);
    FAILS(ML_E_NAME, ml_table_select(t, (const char *[]){"temprature"}, 1, &part, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_hint(ERR), "temperature"));
    ml_table_free(t);
}
END_TEST

/* ---- tensors and strings ---- */

static int released;

static void count_release(void *user)
{
    (void)user;
    released++;
}

START_TEST(tables_of_tensors)
{
    float data[] = {1, 2, 3, 4, 5, 6};
    ml_tensor *x = NULL;
    ml_table *t = NULL;
    released = 0;
    OK(ml_tensor_wrap(ctx, ML_DTYPE_F32, 2, (int64_t[]){3, 2}, NULL, data, count_release,
                      NULL, &x, ERR));
    OK(ml_table_read_tensor(ctx, x, NULL, &t, ERR));
    ml_tensor_free(x);
    ck_assert_str_eq(ml_table_column_name(t, 1), "f1");
    ck_assert_ptr_eq(t->columns[1].data, data + 1);
    ck_assert_int_eq(t->columns[1].stride, 2);
    ck_assert_str_eq(column_text(t, 0), "1|3|5");
    ck_assert_str_eq(column_text(t, 1), "2|4|6");
    ck_assert_int_eq(released, 0);
    ml_table_free(t);
    ck_assert_int_eq(released, 1);
    /* column-major: contiguous columns */
    OK(ml_tensor_wrap(ctx, ML_DTYPE_F32, 2, (int64_t[]){3, 2}, (int64_t[]){1, 3}, data,
                      NULL, NULL, &x, ERR));
    OK(ml_table_read_tensor(ctx, x, (const char *[]){"a", "b"}, &t, ERR));
    ml_tensor_free(x);
    ck_assert_int_eq(t->columns[1].stride, 1);
    ck_assert_int_eq(ml_table_find(t, "b"), 1);
    ck_assert_str_eq(column_text(t, 1), "4|5|6");
    ml_table_free(t);
    /* one dimension, and none of the rows */
    OK(ml_tensor_new(ctx, ML_DTYPE_I64, 1, (int64_t[]){2}, NULL, NULL, &x, ERR));
    OK(ml_table_read_tensor(ctx, x, NULL, &t, ERR));
    ck_assert_int_eq(ml_table_columns(t), 1);
    ml_table_free(t);
    ml_tensor_free(x);
    OK(ml_tensor_new(ctx, ML_DTYPE_BOOL, 2, (int64_t[]){0, 3}, NULL, NULL, &x, ERR));
    OK(ml_table_read_tensor(ctx, x, NULL, &t, ERR));
    ck_assert_int_eq(ml_table_columns(t), 3);
    ck_assert_int_eq(ml_table_rows(t), 0);
    ml_table_free(t);
    ml_tensor_free(x);
    t = NULL;
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 3, (int64_t[]){1, 1, 1}, NULL, NULL, &x, ERR));
    FAILS(ML_E_SHAPE, ml_table_read_tensor(ctx, x, NULL, &t, ERR));
    FAILS(ML_E_SHAPE, ml_table_with_tensor(NULL, "x", x, &t, ERR));
    ml_tensor_free(x);
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, (int64_t[]){1}, NULL, NULL, &x, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_read_tensor(ctx, x, (const char *[]){NULL}, &t, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_read_tensor(ctx, NULL, NULL, &t, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_read_tensor(NULL, x, NULL, &t, ERR));
    ml_tensor_free(x);
    ck_assert_ptr_null(t);
}
END_TEST

START_TEST(booleans_of_tensors)
{
    enum { N = 70 };
    uint8_t data[2 * N];
    ml_tensor *x = NULL, *back = NULL;
    ml_table *t = NULL, *slice = NULL;
    for (int i = 0; i < 2 * N; i++) data[i] = i % 3 == 0 ? 2 : 0; /* any but 0 is true */
    OK(ml_tensor_wrap(ctx, ML_DTYPE_BOOL, 2, (int64_t[]){N, 2}, NULL, data, NULL, NULL,
                      &x, ERR));
    OK(ml_table_read_tensor(ctx, x, NULL, &t, ERR));
    ml_tensor_free(x);
    OK(ml_table_slice(t, 5, N, &slice, ERR));
    OK(ml_table_get_tensor(slice, 1, &back, ERR));
    ck_assert_int_eq(ml_tensor_dtype(back), ML_DTYPE_BOOL);
    for (int64_t i = 0; i < N - 5; i++) {
        ck_assert_double_eq(ml_tensor_get_f64(back, i, 0), (2 * (i + 5) + 1) % 3 == 0);
        ck_assert_double_eq(ml_table_get_f64(slice, i, 1), (2 * (i + 5) + 1) % 3 == 0);
    }
    ml_tensor_free(back);
    ml_table_free(slice);
    ml_table_free(t);
}
END_TEST

START_TEST(columns_are_added_and_replaced)
{
    static const char *const words[] = {"a", NULL, "\xc3\xa9"};
    double data[] = {1, 2, 3};
    ml_tensor *x = NULL, *longer = NULL;
    ml_table *one = NULL, *two = NULL, *three = NULL;
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, (int64_t[]){3}, NULL, data, &x, ERR));
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, (int64_t[]){4}, NULL, NULL, &longer, ERR));
    OK(ml_table_with_tensor(NULL, "x", x, &one, ERR));
    OK(ml_table_with_strs(ctx, one, "s", words, 3, &two, ERR));
    ck_assert_int_eq(ml_table_columns(one), 1);
    ck_assert_int_eq(ml_table_columns(two), 2);
    ck_assert_str_eq(column_text(two, 1), "a|.|\xc3\xa9");
    OK(ml_table_with_strs(ctx, two, "x", words, 3, &three, ERR));
    ck_assert_int_eq(ml_table_columns(three), 2);
    ck_assert_int_eq(ml_table_column_type(three, 0), ML_TYPE_TEXT);
    ck_assert_str_eq(ml_table_column_name(three, 1), "s");
    ml_table_free(three);
    three = NULL;
    FAILS(ML_E_SHAPE, ml_table_with_tensor(one, "y", longer, &three, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "4 values"));
    ck_assert_str_eq(ml_error_location(ERR), "column \"y\"");
    FAILS(ML_E_SHAPE, ml_table_with_strs(ctx, one, "y", words, 2, &three, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_with_strs(ctx, one, NULL, words, 3, &three, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_with_strs(ctx, one, "y", NULL, 3, &three, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_with_strs(NULL, NULL, "y", words, 3, &three, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_with_tensor(one, NULL, x, &three, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_with_tensor(one, "y", NULL, &three, ERR));
    ck_assert_ptr_null(three);
    OK(ml_table_with_strs(ctx, NULL, "s", NULL, 0, &three, ERR));
    ck_assert_int_eq(ml_table_rows(three), 0);
    ml_table_free(three);
    ml_table_free(one);
    ml_table_free(two);
    ml_tensor_free(x);
    ml_tensor_free(longer);
}
END_TEST

START_TEST(tensors_of_columns)
{
    ml_table *t = random_table(ctx, 100, 4);
    ml_tensor *x = NULL;
    OK(ml_table_get_tensor(t, 1, &x, ERR)); /* no missing value: shared */
    ck_assert_ptr_eq(ml_tensor_data(x), t->columns[1].data);
    ck_assert_int_eq(ml_tensor_dtype(x), ML_DTYPE_I64);
    int64_t first = ((const int64_t *)ml_tensor_data(x))[0];
    ml_tensor *codes_of = NULL;
    OK(ml_table_get_tensor(t, 2, &codes_of, ERR));
    ck_assert_int_eq(ml_tensor_dtype(codes_of), ML_DTYPE_F64); /* some are missing */
    for (int64_t i = 0; i < 100; i++) {
        double a = ml_tensor_get_f64(codes_of, i, 0), b = ml_table_get_f64(t, i, 2);
        ck_assert(a == b || (isnan(a) && isnan(b)));
    }
    ml_tensor_free(codes_of);
    FAILS(ML_E_TYPE, ml_table_get_tensor(t, 3, &codes_of, ERR));
    ck_assert_str_eq(ml_error_location(ERR), "column \"s\"");
    FAILS(ML_E_RANGE, ml_table_get_tensor(t, 6, &codes_of, ERR));
    FAILS(ML_E_RANGE, ml_table_get_tensor(t, -1, &codes_of, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_get_tensor(t, 0, NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_get_tensor(NULL, 0, &codes_of, ERR));
    ml_table_free(t); /* the tensor keeps its memory alive */
    ck_assert_int_eq(((const int64_t *)ml_tensor_data(x))[0], first);
    ml_tensor_free(x);
}
END_TEST

START_TEST(tensors_of_every_type)
{
    static const uint8_t bits[] = {0x0d};
    for (int64_t k = 0; k < COUNT(readings); k++) {
        for (int32_t nulls = 0; nulls < 2; nulls++) {
            mli_column c = readings[k].column;
            c.rows = 4;
            c.stride = 1;
            c.validity = nulls ? bits : NULL;
            c.null_count = nulls;
            ml_table *t = table_of(c);
            ml_tensor *x = NULL;
            OK(ml_table_get_tensor(t, 0, &x, ERR));
            ml_table_free(t);
            for (int64_t i = 0; i < 4; i++) {
                check_value(ml_tensor_get_f64(x, i, 0), readings[k].expected[i],
                            nulls && i == 1);
            }
            int is_float = c.type == ML_DTYPE_F32;
            if (nulls) {
                ck_assert_int_eq(ml_tensor_dtype(x),
                                 is_float ? ML_DTYPE_F32 : ML_DTYPE_F64);
            } else if (mli_type_is_number(c.type)) {
                ck_assert_int_eq(ml_tensor_dtype(x), c.type);
            }
            ml_tensor_free(x);
        }
    }
}
END_TEST

START_TEST(strided_tensors_of_columns)
{
    double data[] = {1, 2, 3, 4, 5, 6};
    ml_tensor *x = NULL, *column = NULL;
    ml_table *t = NULL;
    OK(ml_tensor_wrap(ctx, ML_DTYPE_F64, 2, (int64_t[]){3, 2}, NULL, data, NULL, NULL, &x,
                      ERR));
    OK(ml_table_read_tensor(ctx, x, NULL, &t, ERR));
    OK(ml_table_get_tensor(t, 1, &column, ERR));
    ck_assert_int_eq(ml_tensor_strides(column)[0], 2);
    ck_assert_double_eq(ml_tensor_get_f64(column, 2, 0), 6);
    ml_tensor_free(column);
    ml_table_free(t);
    ml_tensor_free(x);
}
END_TEST

/* ---- memory ---- */

static ml_status parts(ml_context *c, ml_table *t)
{
    ml_table *a = NULL, *b = NULL, *d = NULL, *e = NULL;
    ml_tensor *x = NULL, *y = NULL;
    static const int64_t rows[] = {2, 0, 2};
    static const char *const words[] = {"a", NULL, "b"};
    (void)c;
    ml_status status = ml_table_slice(t, 1, 4, &a, NULL);
    if (!status) status = ml_table_take(a, rows, 3, &b, NULL);
    if (!status)
        status = ml_table_select(b, (const char *[]){"c", "b", "s"}, 3, &d, NULL);
    if (!status) status = ml_table_with_strs(NULL, d, "s", words, 3, &e, NULL);
    if (!status) status = ml_table_get_tensor(a, 0, &x, NULL);
    if (!status) status = ml_table_get_tensor(a, 1, &y, NULL);
    ml_table_free(a), ml_table_free(b), ml_table_free(d), ml_table_free(e);
    ml_tensor_free(x), ml_tensor_free(y);
    return status;
}

static ml_status tables(ml_context *c)
{
    mli_builder *b = NULL;
    ml_table *t = NULL, *u = NULL;
    ml_tensor *flags = NULL;
    static const double x[] = {1, NAN, 3, 4};
    static const int64_t k[] = {1, 2, 3, 4};
    static const int32_t code[] = {0, 1, -1, 1};
    static const char *const words[] = {"a", NULL, "b", "c"}, *const levels[] = {"n",
                                                                                 "y"};
    ml_status status = mli_builder_new(c, 4, &b, NULL);
    if (status) return status;
    if (!status) status = mli_builder_f64(b, "x", x, NULL);
    if (!status) status = mli_builder_i64(b, "k", k, NULL);
    if (!status) status = mli_builder_category(b, "c", code, levels, 2, NULL);
    if (!status) status = mli_builder_text(b, "s", words, NULL);
    if (status) {
        mli_builder_free(b);
        return status;
    }
    status = mli_builder_finish(b, &t, NULL);
    if (!status) {
        status =
            ml_tensor_new(c, ML_DTYPE_BOOL, 1, (int64_t[]){4}, NULL, NULL, &flags, NULL);
    }
    if (!status) status = ml_table_with_tensor(t, "b", flags, &u, NULL);
    if (!status) status = parts(c, u);
    ml_tensor_free(flags);
    ml_table_free(t);
    ml_table_free(u);
    return status;
}

static ml_status whole_life(failing_alloc *f)
{
    ml_context *c = NULL;
    ml_host host = failing_host(f);
    ml_status status = ml_context_new(&host, &c, NULL);
    if (!status) status = tables(c);
    ml_context_free(c);
    return status;
}

START_TEST(out_of_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, whole_life(&f));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {readers_of_every_type,
                                  readers_follow_strides,
                                  missing_values_at_every_offset,
                                  codes_outside_the_levels,
                                  cells_as_text,
                                  cells_that_do_not_fit,
                                  type_names,
                                  rows_must_agree,
                                  slices,
                                  takes,
                                  takes_with_strides,
                                  bad_takes,
                                  levels_are_kept_alive,
                                  selects,
                                  tables_of_tensors,
                                  booleans_of_tensors,
                                  columns_are_added_and_replaced,
                                  tensors_of_columns,
                                  tensors_of_every_type,
                                  strided_tensors_of_columns,
                                  out_of_memory};
    ctx = test_context(2);
    int result = test_run("data/table", tests, (int)COUNT(tests));
    ml_context_free(ctx);
    return result;
}
