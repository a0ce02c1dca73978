/* SPDX-License-Identifier: MIT
 *
 * The safetensors format: headers that are fine, headers that are not, and what is
 * written.
 */
#include "failing.h"
#include "core/context.h"
#include "serialization/safetensors.h"

/* A file with this header and so many bytes of tensors. */
typedef struct file {
    unsigned char bytes[8192];
    size_t size;
} file;

static file make_file(const char *header, size_t data)
{
    file f = {{0}, 0};
    size_t n = strlen(header);
    for (int i = 0; i < 8; i++) f.bytes[i] = (unsigned char)((uint64_t)n >> (8 * i));
    memcpy(f.bytes + 8, header, n);
    for (size_t i = 0; i < data; i++) f.bytes[8 + n + i] = (unsigned char)i;
    f.size = 8 + n + data;
    return f;
}

static unsigned char *kept; /* the bytes of the file that was read last */

static ml_status read_file(const file *f, mli_safetensors *st)
{
    static ml_context *ctx;
    if (!ctx) ctx = test_context(1);
    /* An exact copy, so that the sanitizer sees reads beyond the end. */
    kept = malloc(f->size ? f->size : 1);
    memcpy(kept, f->bytes, f->size);
    ml_status status = mli_safetensors_read(ctx, kept, f->size, st, ERR);
    if (status) free(kept);
    return status;
}

static void done(mli_safetensors *st)
{
    mli_safetensors_free(st);
    free(kept);
}

static void must_fail(const char *header, size_t data, const char *word)
{
    file f = make_file(header, data);
    mli_safetensors st;
    FAILS(ML_E_FORMAT, read_file(&f, &st));
    ck_assert_msg(strstr(ml_error_message(ERR), word), "'%s' is not in: %s", word,
                  ml_error_message(ERR));
}

START_TEST(reads_tensors_and_metadata)
{
    file f = make_file(
        "{\"__metadata__\": {\"b\": \"two \\u00e4\\n\", \"a\": \"\"}, "
        "\"y\": {\"dtype\": \"U8\", \"shape\": [2, 0, 3], \"data_offsets\": [24, 24]},"
        "\"x\": {\"shape\": [3], \"data_offsets\": [0, 24], \"dtype\": \"F64\"},"
        "\"s\": {\"dtype\": \"I16\", \"shape\": [], \"data_offsets\": [24, 26]}}  \n ",
        26);
    mli_safetensors st;
    OK(read_file(&f, &st));
    ck_assert_int_eq(st.count, 3);
    mli_st_tensor *x = mli_safetensors_find(&st, "x");
    ck_assert_ptr_nonnull(x);
    ck_assert_int_eq(x->dtype, ML_DTYPE_F64);
    ck_assert_int_eq(x->ndim, 1);
    ck_assert_int_eq(x->shape[0], 3);
    ck_assert_ptr_eq(x->data, st.bytes);
    mli_st_tensor *y = mli_safetensors_find(&st, "y");
    ck_assert_int_eq(y->ndim, 3);
    ck_assert_int_eq(y->shape[2], 3);
    mli_st_tensor *s = mli_safetensors_find(&st, "s");
    ck_assert_int_eq(s->ndim, 0);
    ck_assert_int_eq(((const unsigned char *)s->data)[1], 25);
    ck_assert_ptr_null(mli_safetensors_find(&st, "z"));
    ck_assert_ptr_null(mli_safetensors_find(&st, ""));
    ck_assert_int_eq(st.n_meta, 2);
    ck_assert_str_eq(mli_safetensors_meta(&st, "b")->value, "two \xc3\xa4\n");
    ck_assert_int_eq(mli_safetensors_meta(&st, "b")->size, 7);
    ck_assert_str_eq(mli_safetensors_meta(&st, "a")->value, "");
    ck_assert_ptr_null(mli_safetensors_meta(&st, "c"));
    done(&st);
}
END_TEST

START_TEST(reads_a_file_without_tensors)
{
    file f = make_file("{}", 0);
    mli_safetensors st;
    OK(read_file(&f, &st));
    ck_assert_int_eq(st.count, 0);
    ck_assert_ptr_null(mli_safetensors_find(&st, "x"));
    done(&st);
}
END_TEST

START_TEST(refuses_what_is_no_header)
{
    file f = {{0}, 0};
    mli_safetensors st;
    FAILS(ML_E_FORMAT, read_file(&f, &st));
    f = make_file("{}", 0);
    f.size = 9;
    FAILS(ML_E_FORMAT, read_file(&f, &st));
    f = make_file("{}", 0);
    f.bytes[7] = 0x80; /* a length of 2^63 and 2 */
    FAILS(ML_E_FORMAT, read_file(&f, &st));
    f = make_file("{}", 0);
    f.bytes[0] = 200; /* longer than the file */
    FAILS(ML_E_FORMAT, read_file(&f, &st));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "cut off"));
    memcpy(f.bytes, "\x80\x04\x95 pickle", 10);
    FAILS(ML_E_FORMAT, read_file(&f, &st));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "not a model file"));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "to which a model was saved"));
}
END_TEST

#define T(fields) "{\"x\": {" fields "}}"

START_TEST(refuses_broken_headers)
{
    must_fail("{\"x\"}", 0, "byte");
    must_fail("{} {}", 0, "byte");
    must_fail("[]", 0, "not a model file");
    must_fail("{\"x\": 3}", 0, "byte");
    must_fail(T(""), 0, "lacks dtype");
    must_fail(T("\"dtype\": \"U8\", \"shape\": [1]"), 1, "lacks dtype");
    must_fail(T("\"dtype\": \"U8\", \"dtype\": \"U8\""), 1, "dtype twice");
    must_fail(T("\"dtype\": 3"), 1, "byte");
    must_fail(T("\"dtype\": \"BF16\""), 1, "BF16");
    must_fail(T("\"dtype\": \"f64\""), 1, "f64");
    must_fail(T("\"color\": \"red\""), 1, "lacks");
    must_fail(T("\"shape\": [1, -1]"), 1, "shape");
    must_fail(T("\"shape\": [1.5]"), 1, "shape");
    must_fail(T("\"shape\": [1,1,1,1,1,1,1,1,1]"), 1, "shape");
    must_fail(T("\"shape\": [99999999999999999999]"), 1, "shape");
    must_fail(T("\"shape\": \"[1]\""), 1, "shape");
    must_fail(T("\"data_offsets\": [0]"), 1, "data_offsets");
    must_fail(T("\"data_offsets\": [0, 1, 2]"), 1, "data_offsets");
    must_fail(T("\"data_offsets\": [2, 1]"), 1, "data_offsets");
    must_fail("{\"__metadata__\": {\"a\": 1}}", 0, "\"a\"");
    must_fail("{\"__metadata__\": {\"a\": \"1\", \"a\": \"1\"}}", 0, "twice");
    must_fail("{\"__metadata__\": {}, \"__metadata__\": {}}", 0, "twice");
    must_fail("{\"__metadata__\": {\"a\": \"x\\u0000y\"}}", 0, "NUL");
    must_fail("{\"a\xff\": {}}", 0, "UTF-8");
    must_fail("{\"a\": {\"dtype\": \"U8\"", 0, "byte");
}
END_TEST

#define U8(name, shape, begin, end)                                                      \
    "\"" name "\": {\"dtype\": \"U8\", \"shape\": " shape ", \"data_offsets\": [" #begin \
    ", " #end "]}"

START_TEST(refuses_wrong_places)
{
    must_fail("{" U8("x", "[2]", 0, 1) "}", 1, "needs 2");
    must_fail("{" U8("x", "[1]", 0, 2) "}", 2, "needs 1");
    must_fail("{" U8("x", "[9]", 0, 9) "}", 8, "cut off");
    must_fail("{" U8("x", "[2]", 0, 2) "}", 3, "1 bytes follow");
    must_fail("{" U8("x", "[2]", 1, 3) "}", 3, "begin at 1");
    must_fail("{" U8("x", "[2]", 0, 2) "," U8("y", "[2]", 1, 3) "}", 3, "overlap");
    must_fail("{" U8("x", "[2]", 0, 2) "," U8("y", "[2]", 3, 5) "}", 5, "gap");
    must_fail("{" U8("x", "[1]", 0, 1) "," U8("x", "[1]", 1, 2) "}", 2, "twice");
    must_fail("{" U8("x", "[4294967296, 4294967296]", 0, 0) "}", 0, "too large");
    must_fail("{" U8("x", "[9223372036854775807]", 0, 9223372036854775807) "}", 8,
              "cut off");
    must_fail("{\"x\": {\"dtype\": \"F64\", \"shape\": [2305843009213693952], "
              "\"data_offsets\": [0, 0]}}",
              0, "too large");
    must_fail("{}", 4, "4 bytes follow");
}
END_TEST

START_TEST(accepts_any_order_in_the_header)
{
    file f = make_file("{" U8("c", "[2]", 3, 5) "," U8("b", "[3]", 0, 3) "," U8(
                           "a", "[0]", 3, 3) "," U8("d", "[1]", 5, 6) "}",
                       6);
    mli_safetensors st;
    OK(read_file(&f, &st));
    ck_assert_int_eq(*(const unsigned char *)mli_safetensors_find(&st, "c")->data, 3);
    ck_assert_int_eq(*(const unsigned char *)mli_safetensors_find(&st, "d")->data, 5);
    done(&st);
}
END_TEST

/* ---- writing ---- */

static mli_st_tensor tensor(const char *name, int32_t dtype, int64_t size,
                            const void *data)
{
    return (mli_st_tensor){
        .name = name, .dtype = dtype, .ndim = 1, .shape = {size}, .data = data};
}

static ml_status append(void *user, const void *data, size_t size, ml_error *err)
{
    (void)err;
    mli_str_add_n(user, data, size);
    return ((mli_str *)user)->size > 1 << 20 ? ML_E_IO : ML_OK;
}

START_TEST(writes_the_largest_types_first)
{
    static const double f64[2] = {1, 2};
    static const int16_t i16[3] = {7, 8, 9};
    mli_st_tensor t[] = {
        tensor("b", ML_DTYPE_U8, 5, "abcde"), tensor("a", ML_DTYPE_I16, 3, i16),
        tensor("z", ML_DTYPE_F64, 2, f64), tensor("a\"\n", ML_DTYPE_F64, 2, f64)};
    mli_st_pair meta = {"k", "v\"", 2};
    ck_assert_int_eq(mli_safetensors_place(t, 4), 1);
    ck_assert_str_eq(t[0].name, "a\"\n");
    ck_assert_str_eq(t[1].name, "z");
    ck_assert_int_eq(t[1].begin, 16);
    ck_assert_str_eq(t[2].name, "a");
    ck_assert_str_eq(t[3].name, "b");
    ck_assert_int_eq(t[3].end, 43);
    mli_str s;
    mli_str_init(&s, NULL);
    mli_safetensors_header(&s, &meta, 1, t, 4);
    ck_assert_int_eq(s.failed, 0);
    ck_assert_int_eq(s.size % 64, 0);
    for (int i = 0; i < 4; i++) OK(mli_safetensors_bytes(&t[i], append, &s, ERR));
    file f = {{0}, s.size};
    memcpy(f.bytes, s.data, s.size);
    mli_safetensors st;
    OK(read_file(&f, &st));
    ck_assert_int_eq(st.count, 4);
    ck_assert_str_eq(mli_safetensors_meta(&st, "k")->value, "v\"");
    ck_assert_mem_eq(mli_safetensors_find(&st, "a")->data, i16, 6);
    ck_assert_mem_eq(mli_safetensors_find(&st, "a\"\n")->data, f64, 16);
    ck_assert_mem_eq(mli_safetensors_find(&st, "b")->data, "abcde", 5);
    done(&st);
    mli_str_free(&s);
}
END_TEST

START_TEST(writes_strided_tensors_row_by_row)
{
    /* A transposed matrix of 700 x 3, more than one piece. */
    enum { ROWS = 700, COLUMNS = 3 };
    static double matrix[COLUMNS][ROWS];
    for (int j = 0; j < COLUMNS; j++)
        for (int i = 0; i < ROWS; i++) matrix[j][i] = i * 10 + j;
    int64_t strides[2] = {1, ROWS};
    mli_st_tensor t = {.name = "t",
                       .dtype = ML_DTYPE_F64,
                       .ndim = 2,
                       .shape = {ROWS, COLUMNS},
                       .strides = strides,
                       .data = matrix};
    ck_assert_int_eq(mli_safetensors_place(&t, 1), 1);
    mli_str s;
    mli_str_init(&s, NULL);
    OK(mli_safetensors_bytes(&t, append, &s, ERR));
    ck_assert_int_eq(s.size, ROWS * COLUMNS * sizeof(double));
    const double *packed = (const double *)(const void *)s.data;
    for (int i = 0; i < ROWS * COLUMNS; i++)
        ck_assert_double_eq(packed[i], i / COLUMNS * 10 + i % COLUMNS);
    mli_str_free(&s);
}
END_TEST

START_TEST(a_sum_that_overflows_is_refused)
{
    mli_st_tensor t[2] = {tensor("a", ML_DTYPE_U8, INT64_MAX, NULL),
                          tensor("b", ML_DTYPE_U8, INT64_MAX, NULL)};
    ck_assert_int_eq(mli_safetensors_place(t, 2), 0);
}
END_TEST

static ml_status read_with(failing_alloc *a, const file *f)
{
    ml_host host = failing_host(a);
    ml_context *ctx = NULL;
    ml_status status = ml_context_new(&host, &ctx, NULL);
    if (status) return status;
    mli_safetensors st;
    status = mli_safetensors_read(ctx, f->bytes, f->size, &st, NULL);
    if (!status) mli_safetensors_free(&st);
    ml_context_free(ctx);
    return status;
}

START_TEST(survives_lack_of_memory)
{
    char header[8000] = "{\"__metadata__\": {\"a\\n\": \"1\"}";
    for (int i = 0; i < 80; i++) { /* more than the first room */
        sprintf(header + strlen(header),
                ",\"n%d\\t\": {\"dtype\": \"I8\", \"shape\": [1], "
                "\"data_offsets\": [%d, %d]}",
                i, i, i + 1);
    }
    strcat(header, "}");
    file f = make_file(header, 80);
    failing_alloc a;
    OUT_OF_MEMORY_LOOP(a, read_with(&a, &f));
}
END_TEST

START_TEST(cut_anywhere_it_is_refused)
{
    file f = make_file("{\"__metadata__\": {\"a\": \"\\u0031\"},"
                       "\"x\": {\"dtype\": \"F32\", \"shape\": [1, 2], "
                       "\"data_offsets\": [0, 8]}}",
                       8);
    size_t whole = f.size;
    mli_safetensors st;
    for (f.size = 0; f.size < whole; f.size++) FAILS(ML_E_FORMAT, read_file(&f, &st));
    OK(read_file(&f, &st));
    done(&st);
}
END_TEST

TEST_MAIN("serialization/safetensors", reads_tensors_and_metadata,
          reads_a_file_without_tensors, refuses_what_is_no_header, refuses_broken_headers,
          refuses_wrong_places, accepts_any_order_in_the_header,
          writes_the_largest_types_first, writes_strided_tensors_row_by_row,
          a_sum_that_overflows_is_refused, survives_lack_of_memory,
          cut_anywhere_it_is_refused)
