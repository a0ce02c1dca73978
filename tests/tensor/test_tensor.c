/* SPDX-License-Identifier: MIT
 *
 * Tensors: shapes, strides, borrowed memory, conversion to doubles.
 */
#include "failing.h"
#include "tensor/tensor.h"

static ml_context *ctx;

static int released;

static void count_release(void *user)
{
    released += *(int *)user;
}

START_TEST(names_of_types)
{
    static const struct {
        int32_t dtype;
        size_t size;
        const char *name;
    } cases[] = {
        {ML_DTYPE_BOOL, 1, "bool"}, {ML_DTYPE_I8, 1, "i8"},   {ML_DTYPE_I16, 2, "i16"},
        {ML_DTYPE_I32, 4, "i32"},   {ML_DTYPE_I64, 8, "i64"}, {ML_DTYPE_U8, 1, "u8"},
        {ML_DTYPE_U16, 2, "u16"},   {ML_DTYPE_U32, 4, "u32"}, {ML_DTYPE_U64, 8, "u64"},
        {ML_DTYPE_F32, 4, "f32"},   {ML_DTYPE_F64, 8, "f64"}, {99, 0, "unknown"},
        {0, 0, "unknown"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_uint_eq(mli_dtype_size(cases[i].dtype), cases[i].size);
        ck_assert_str_eq(mli_dtype_name(cases[i].dtype), cases[i].name);
        if (cases[i].size) {
            ck_assert_int_eq(mli_dtype_parse(cases[i].name), cases[i].dtype);
        }
    }
    ck_assert_int_eq(mli_dtype_parse("unknown"), 0);
    ck_assert_int_eq(mli_dtype_parse("f16"), 0);
    ck_assert_int_eq(mli_dtype_parse(NULL), 0);
}
END_TEST

START_TEST(counts_of_shapes)
{
    ck_assert_int_eq(mli_shape_count(0, NULL), 1);
    ck_assert_int_eq(mli_shape_count(2, (int64_t[]){3, 4}), 12);
    ck_assert_int_eq(mli_shape_count(2, (int64_t[]){0, INT64_MAX}), 0);
    ck_assert_int_eq(mli_shape_count(3, (int64_t[]){INT64_MAX, 0, INT64_MAX}), -1);
    ck_assert_int_eq(mli_shape_count(2, (int64_t[]){3, -1}), -1);
    ck_assert_int_eq(mli_shape_count(2, (int64_t[]){INT64_MAX, 2}), -1);
}
END_TEST

START_TEST(copies_row_major)
{
    int64_t shape[] = {2, 3};
    double data[] = {1, 2, 3, 4, 5, 6};
    ml_tensor *t = NULL;
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 2, shape, NULL, data, &t, ERR));
    data[0] = 100;
    ck_assert_int_eq(ml_tensor_dtype(t), ML_DTYPE_F64);
    ck_assert_int_eq(ml_tensor_ndim(t), 2);
    ck_assert_int_eq(ml_tensor_shape(t)[1], 3);
    ck_assert_int_eq(ml_tensor_strides(t)[0], 3);
    ck_assert_int_eq(ml_tensor_strides(t)[1], 1);
    ck_assert_double_eq(ml_tensor_get_f64(t, 0, 0), 1);
    ck_assert_double_eq(ml_tensor_get_f64(t, 1, 2), 6);
    ck_assert_double_nan(ml_tensor_get_f64(t, 2, 0));
    ck_assert_double_nan(ml_tensor_get_f64(t, 0, 3));
    ck_assert_double_nan(ml_tensor_get_f64(t, -1, 0));
    ck_assert(mli_tensor_contiguous(t));
    ck_assert_uint_eq((uintptr_t)ml_tensor_data(t) % 64, 0);
    ml_tensor_free(t);
}
END_TEST

START_TEST(packs_strides)
{
    /* column-major 2 x 3, then reversed rows, then a broadcast row */
    int32_t data[] = {1, 4, 2, 5, 3, 6};
    int64_t shape[] = {2, 3};
    ml_tensor *t = NULL;
    OK(ml_tensor_new(ctx, ML_DTYPE_I32, 2, shape, (int64_t[]){1, 2}, data, &t, ERR));
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(((const int32_t *)ml_tensor_data(t))[i], i + 1);
    }
    ml_tensor_free(t);
    OK(ml_tensor_new(ctx, ML_DTYPE_I32, 2, shape, (int64_t[]){-1, 2}, data + 1, &t, ERR));
    ck_assert_double_eq(ml_tensor_get_f64(t, 0, 0), 4);
    ck_assert_double_eq(ml_tensor_get_f64(t, 1, 2), 3);
    ml_tensor_free(t);
    OK(ml_tensor_new(ctx, ML_DTYPE_I32, 2, shape, (int64_t[]){0, 1}, data, &t, ERR));
    ck_assert_double_eq(ml_tensor_get_f64(t, 1, 0), 1);
    ck_assert_double_eq(ml_tensor_get_f64(t, 1, 2), 2);
    ml_tensor_free(t);
}
END_TEST

START_TEST(packs_eight_dimensions)
{
    enum { N = 256 };
    uint8_t data[N];
    int64_t shape[8], strides[8];
    ml_tensor *t = NULL;
    for (int i = 0; i < N; i++) data[i] = (uint8_t)i;
    for (int d = 0; d < 8; d++) {
        shape[d] = 2;
        strides[d] = 1 << d; /* the bits of the index in reverse */
    }
    OK(ml_tensor_new(ctx, ML_DTYPE_U8, 8, shape, strides, data, &t, ERR));
    for (int i = 0; i < N; i++) {
        int reversed = 0;
        for (int d = 0; d < 8; d++) reversed |= (i >> d & 1) << (7 - d);
        ck_assert_int_eq(((const uint8_t *)ml_tensor_data(t))[i], reversed);
    }
    ck_assert_double_nan(ml_tensor_get_f64(t, 0, 0));
    double *values = NULL;
    OK(mli_tensor_doubles(t, &values, ERR));
    ck_assert_double_eq(values[1], 128);
    mli_free(ctx, values);
    ml_tensor_free(t);
}
END_TEST

START_TEST(zeros_scalars_and_empties)
{
    ml_tensor *t = NULL;
    double *values = NULL;
    OK(ml_tensor_new(ctx, ML_DTYPE_F32, 1, (int64_t[]){5}, NULL, NULL, &t, ERR));
    for (int i = 0; i < 5; i++) ck_assert_double_eq(ml_tensor_get_f64(t, i, 0), 0);
    ck_assert_double_nan(ml_tensor_get_f64(t, 0, 1));
    ml_tensor_free(t);
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 0, NULL, NULL, (double[]){7.5}, &t, ERR));
    ck_assert_double_eq(ml_tensor_get_f64(t, 0, 0), 7.5);
    ck_assert_double_nan(ml_tensor_get_f64(t, 1, 0));
    OK(mli_tensor_doubles(t, &values, ERR));
    ck_assert_double_eq(values[0], 7.5);
    mli_free(ctx, values);
    ml_tensor_free(t);
    OK(ml_tensor_new(ctx, ML_DTYPE_I16, 2, (int64_t[]){0, 4}, NULL, NULL, &t, ERR));
    ck_assert_double_nan(ml_tensor_get_f64(t, 0, 0));
    ck_assert(mli_tensor_contiguous(t));
    OK(mli_tensor_doubles(t, &values, ERR));
    mli_free(ctx, values);
    ml_tensor_free(t);
}
END_TEST

START_TEST(borrows_and_releases_once)
{
    double data[] = {1, 2, 3, 4, 5, 6};
    int64_t shape[] = {3, 2};
    int one = 1;
    ml_tensor *t = NULL;
    released = 0;
    OK(ml_tensor_wrap(ctx, ML_DTYPE_F64, 2, shape, NULL, data, count_release, &one, &t,
                      ERR));
    ck_assert_ptr_eq(ml_tensor_data(t), data);
    ml_tensor *second = ml_tensor_ref(t);
    ml_tensor_free(t);
    ck_assert_int_eq(released, 0);
    ck_assert_double_eq(ml_tensor_get_f64(second, 2, 1), 6);
    ml_tensor_free(second);
    ck_assert_int_eq(released, 1);
    /* no release, and a negative stride from the last element */
    OK(ml_tensor_wrap(ctx, ML_DTYPE_F64, 1, (int64_t[]){6}, (int64_t[]){-1}, data + 5,
                      NULL, NULL, &t, ERR));
    ck_assert_double_eq(ml_tensor_get_f64(t, 0, 0), 6);
    ck_assert_double_eq(ml_tensor_get_f64(t, 5, 0), 1);
    ck_assert(!mli_tensor_contiguous(t));
    ck_assert_ptr_eq(t->buffer->data, data);
    ck_assert_uint_eq(t->buffer->size, sizeof data);
    ml_tensor_free(t);
    ck_assert_ptr_null(ml_tensor_ref(NULL));
    ml_tensor_free(NULL);
}
END_TEST

START_TEST(refuses)
{
    double data[4] = {0};
    int one = 1;
    ml_tensor *t = NULL;
    int64_t shape[] = {2, 2}, huge[] = {INT64_MAX, 2}, wide[] = {INT64_MAX / 2, 1};
    released = 0;
#define WRAP(dtype, ndim, sizes, steps, memory)                                          \
    ml_tensor_wrap(ctx, dtype, ndim, sizes, steps, memory, count_release, &one, &t, ERR)
    FAILS(ML_E_ARGUMENT, WRAP(12, 2, shape, NULL, data));
    FAILS(ML_E_ARGUMENT, WRAP(ML_TYPE_TEXT, 2, shape, NULL, data));
    FAILS(ML_E_ARGUMENT, WRAP(ML_DTYPE_F64, 9, shape, NULL, data));
    FAILS(ML_E_ARGUMENT, WRAP(ML_DTYPE_F64, -1, shape, NULL, data));
    FAILS(ML_E_ARGUMENT, WRAP(ML_DTYPE_F64, 2, NULL, NULL, data));
    FAILS(ML_E_ARGUMENT, WRAP(ML_DTYPE_F64, 2, shape, NULL, NULL));
    FAILS(ML_E_SHAPE, WRAP(ML_DTYPE_F64, 2, huge, NULL, data));
    FAILS(ML_E_SHAPE, WRAP(ML_DTYPE_F64, 2, wide, NULL, data));
    FAILS(ML_E_SHAPE, WRAP(ML_DTYPE_F64, 2, ((int64_t[]){2, -2}), NULL, data));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "dimension 1"));
    FAILS(ML_E_SHAPE, WRAP(ML_DTYPE_F64, 2, shape, ((int64_t[]){INT64_MAX, 1}), data));
    FAILS(ML_E_SHAPE, WRAP(ML_DTYPE_F64, 2, ((int64_t[]){3, 3}),
                           ((int64_t[]){INT64_MAX / 2, INT64_MAX / 2}), data));
    FAILS(ML_E_SHAPE,
          WRAP(ML_DTYPE_F64, 1, ((int64_t[]){2}), ((int64_t[]){INT64_MIN}), data));
    FAILS(ML_E_ARGUMENT,
          ml_tensor_new(NULL, ML_DTYPE_F64, 2, shape, NULL, data, &t, ERR));
    FAILS(ML_E_ARGUMENT,
          ml_tensor_new(ctx, ML_DTYPE_F64, 2, shape, NULL, data, NULL, ERR));
    FAILS(ML_E_SHAPE, ml_tensor_new(ctx, ML_DTYPE_F64, 2, shape,
                                    (int64_t[]){INT64_MAX, 1}, data, &t, ERR));
    ck_assert_int_eq(released, 0);
    ck_assert_ptr_null(t);
    FAILS(ML_E_ARGUMENT, ml_tensor_new(ctx, 12, 2, shape, NULL, data, &t, NULL));
}
END_TEST

/* Every element type, contiguous and with a stride. */
START_TEST(reads_every_type)
{
    static const int8_t i8[] = {-128, 1, 127};
    static const int16_t i16[] = {-32768, 1, 32767};
    static const int32_t i32[] = {INT32_MIN, 1, INT32_MAX};
    static const int64_t i64[] = {INT64_MIN, 1, INT64_MAX};
    static const uint8_t u8[] = {0, 1, 255};
    static const uint16_t u16[] = {0, 1, 65535};
    static const uint32_t u32[] = {0, 1, UINT32_MAX};
    static const uint64_t u64[] = {0, 1, UINT64_MAX};
    static const float f32[] = {-1.5f, 0.1f, INFINITY};
    static const double f64[] = {-1.5, 0.1, INFINITY};
    static const uint8_t bools[] = {0, 1, 1};
    static const struct {
        int32_t dtype;
        const void *data;
        double expected[3];
    } cases[] = {
        {ML_DTYPE_I8, i8, {-128, 1, 127}},
        {ML_DTYPE_I16, i16, {-32768, 1, 32767}},
        {ML_DTYPE_I32, i32, {-2147483648.0, 1, 2147483647.0}},
        {ML_DTYPE_I64, i64, {-9223372036854775808.0, 1, 9223372036854775808.0}},
        {ML_DTYPE_U8, u8, {0, 1, 255}},
        {ML_DTYPE_U16, u16, {0, 1, 65535}},
        {ML_DTYPE_U32, u32, {0, 1, 4294967295.0}},
        {ML_DTYPE_U64, u64, {0, 1, 18446744073709551616.0}},
        {ML_DTYPE_F32, f32, {-1.5, (double)0.1f, INFINITY}},
        {ML_DTYPE_F64, f64, {-1.5, 0.1, INFINITY}},
        {ML_DTYPE_BOOL, bools, {0, 1, 1}},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        double out[3];
        mli_read_f64s(cases[k].dtype, cases[k].data, 1, 3, out);
        for (int i = 0; i < 3; i++) ck_assert_double_eq(out[i], cases[k].expected[i]);
        mli_read_f64s(cases[k].dtype, cases[k].data, 2, 2, out);
        ck_assert_double_eq(out[0], cases[k].expected[0]);
        ck_assert_double_eq(out[1], cases[k].expected[2]);
    }
    double out[1] = {0};
    mli_read_f64s(77, i8, 1, 1, out);
    ck_assert_double_nan(out[0]);
}
END_TEST

START_TEST(makes_and_views)
{
    double *data = NULL;
    ml_tensor *t = NULL, *view = NULL;
    int64_t shape[] = {4, 2}, half[] = {2, 2};
    OK(mli_tensor_make(ctx, ML_DTYPE_F64, 2, shape, &data, &t, ERR));
    for (int i = 0; i < 8; i++) {
        ck_assert_double_eq(data[i], 0);
        data[i] = i;
    }
    OK(mli_tensor_view(ctx, ML_DTYPE_F64, 2, half, t->buffer, data + 4, &view, ERR));
    ml_tensor_free(t);
    ck_assert_double_eq(ml_tensor_get_f64(view, 1, 1), 7);
    ml_tensor_free(view);
    FAILS(ML_E_SHAPE,
          mli_tensor_make(ctx, ML_DTYPE_F64, 1, (int64_t[]){-1}, &data, &t, ERR));
}
END_TEST

static ml_status whole_life(failing_alloc *f)
{
    ml_context *c = NULL;
    ml_tensor *a = NULL, *b = NULL;
    double *values = NULL;
    ml_host host = failing_host(f);
    double data[] = {1, 2, 3, 4};
    int64_t shape[] = {2, 2}, strides[] = {1, 2};
    ml_status status = ml_context_new(&host, &c, NULL);
    if (!status) status = ml_tensor_new(c, ML_DTYPE_F64, 2, shape, NULL, data, &a, NULL);
    if (!status) {
        status = ml_tensor_wrap(c, ML_DTYPE_F64, 2, shape, strides, data, NULL, NULL, &b,
                                NULL);
    }
    if (!status) status = mli_tensor_doubles(b, &values, NULL);
    mli_free(c, values);
    ml_context_free(c); /* the tensors keep it alive */
    ml_tensor_free(b);
    ml_tensor_free(a);
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
    const TTest *const tests[] = {names_of_types,
                                  counts_of_shapes,
                                  copies_row_major,
                                  packs_strides,
                                  packs_eight_dimensions,
                                  zeros_scalars_and_empties,
                                  borrows_and_releases_once,
                                  refuses,
                                  reads_every_type,
                                  makes_and_views,
                                  out_of_memory};
    ctx = test_context(1);
    int result = test_run("tensor/tensor", tests, (int)(sizeof tests / sizeof tests[0]));
    ml_context_free(ctx);
    return result;
}
