/* SPDX-License-Identifier: MIT
 *
 * DLPack, with structs declared here from the specification, as a stranger would.
 */
#include "failing.h"

typedef struct {
    int32_t device_type, device_id;
} DLDevice;
typedef struct {
    uint8_t code, bits;
    uint16_t lanes;
} DLDataType;
typedef struct {
    void *data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} DLTensor;
typedef struct DLManagedTensor {
    DLTensor dl_tensor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensor *);
} DLManagedTensor;
typedef struct DLManagedTensorVersioned {
    struct {
        uint32_t major, minor;
    } version;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *);
    uint64_t flags;
    DLTensor dl_tensor;
} DLManagedTensorVersioned;

static ml_context *ctx;
static int deleted;

static void delete_plain(DLManagedTensor *m)
{
    deleted += *(int *)m->manager_ctx;
}

static void delete_versioned(DLManagedTensorVersioned *m)
{
    deleted += *(int *)m->manager_ctx;
}

static int one = 1;

static DLManagedTensor plain(void *data, int64_t *shape, int64_t *strides, uint8_t code,
                             uint8_t bits)
{
    DLManagedTensor m = {.manager_ctx = &one, .deleter = delete_plain};
    m.dl_tensor = (DLTensor){data, {1, 0}, 2, {code, bits, 1}, shape, strides, 0};
    return m;
}

START_TEST(takes_both_forms)
{
    double data[] = {0, 1, 2, 3, 4, 5, 6};
    int64_t shape[] = {2, 3}, strides[] = {1, 2};
    ml_tensor *t = NULL;
    deleted = 0;
    DLManagedTensor m = plain(data, shape, NULL, 2, 64);
    m.dl_tensor.byte_offset = 8;
    OK(ml_tensor_read_dlpack(ctx, &m, 0, &t, ERR));
    ck_assert_ptr_eq(ml_tensor_data(t), data + 1);
    ck_assert_double_eq(ml_tensor_get_f64(t, 1, 0), 4);
    ml_tensor_free(t);
    ck_assert_int_eq(deleted, 1);

    DLManagedTensorVersioned v = {
        .version = {1, 3}, .manager_ctx = &one, .deleter = delete_versioned, .flags = 1};
    v.dl_tensor = plain(data, shape, strides, 2, 64).dl_tensor;
    OK(ml_tensor_read_dlpack(ctx, &v, 1, &t, ERR));
    ck_assert_double_eq(ml_tensor_get_f64(t, 1, 2), 5);
    ml_tensor_free(t);
    ck_assert_int_eq(deleted, 2);

    v.deleter = NULL; /* allowed: nothing to do */
    OK(ml_tensor_read_dlpack(ctx, &v, 1, &t, ERR));
    ml_tensor_free(t);
    ck_assert_int_eq(deleted, 2);
}
END_TEST

START_TEST(knows_the_types)
{
    static const struct {
        uint8_t code, bits;
        int32_t dtype;
    } types[] = {{6, 8, ML_DTYPE_BOOL}, {0, 8, ML_DTYPE_I8},   {0, 16, ML_DTYPE_I16},
                 {0, 32, ML_DTYPE_I32}, {0, 64, ML_DTYPE_I64}, {1, 8, ML_DTYPE_U8},
                 {1, 16, ML_DTYPE_U16}, {1, 32, ML_DTYPE_U32}, {1, 64, ML_DTYPE_U64},
                 {2, 32, ML_DTYPE_F32}, {2, 64, ML_DTYPE_F64}};
    char data[64] = {0};
    int64_t shape[] = {2, 2};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        DLManagedTensor m = plain(data, shape, NULL, types[i].code, types[i].bits);
        ml_tensor *t = NULL;
        DLManagedTensor *back = NULL;
        void *out = NULL;
        OK(ml_tensor_read_dlpack(ctx, &m, 0, &t, ERR));
        ck_assert_int_eq(ml_tensor_dtype(t), types[i].dtype);
        OK(ml_tensor_write_dlpack(t, 0, &out, ERR));
        back = out;
        ck_assert_int_eq(back->dl_tensor.dtype.code, types[i].code);
        ck_assert_int_eq(back->dl_tensor.dtype.bits, types[i].bits);
        ck_assert_int_eq(back->dl_tensor.dtype.lanes, 1);
        back->deleter(back);
        ml_tensor_free(t);
    }
}
END_TEST

START_TEST(refuses_and_leaves_alone)
{
    float data[4] = {0};
    int64_t shape[] = {2, 2}, huge[] = {INT64_MAX, INT64_MAX};
    ml_tensor *t = NULL;
    deleted = 0;
    DLManagedTensor m = plain(data, shape, NULL, 2, 32);
    m.dl_tensor.device.device_type = 2;
    FAILS(ML_E_UNSUPPORTED, ml_tensor_read_dlpack(ctx, &m, 0, &t, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "copy it to the CPU"));
    m = plain(data, shape, NULL, 2, 16);
    FAILS(ML_E_UNSUPPORTED, ml_tensor_read_dlpack(ctx, &m, 0, &t, ERR));
    m = plain(data, shape, NULL, 4, 16);
    FAILS(ML_E_UNSUPPORTED, ml_tensor_read_dlpack(ctx, &m, 0, &t, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "bfloat"));
    m = plain(data, shape, NULL, 200, 8);
    FAILS(ML_E_UNSUPPORTED, ml_tensor_read_dlpack(ctx, &m, 0, &t, ERR));
    m = plain(data, shape, NULL, 2, 32);
    m.dl_tensor.dtype.lanes = 2;
    FAILS(ML_E_UNSUPPORTED, ml_tensor_read_dlpack(ctx, &m, 0, &t, ERR));
    m = plain(data, huge, NULL, 2, 32);
    FAILS(ML_E_SHAPE, ml_tensor_read_dlpack(ctx, &m, 0, &t, ERR));
    DLManagedTensorVersioned v = {.version = {2, 0}, .deleter = delete_versioned};
    FAILS(ML_E_UNSUPPORTED, ml_tensor_read_dlpack(ctx, &v, 1, &t, ERR));
    FAILS(ML_E_ARGUMENT, ml_tensor_read_dlpack(ctx, NULL, 1, &t, ERR));
    FAILS(ML_E_ARGUMENT, ml_tensor_read_dlpack(NULL, &v, 1, &t, ERR));
    FAILS(ML_E_ARGUMENT, ml_tensor_write_dlpack(NULL, 1, (void *[]){NULL}, ERR));
    ck_assert_int_eq(deleted, 0);
    ck_assert_ptr_null(t);
}
END_TEST

START_TEST(hands_out_without_copying)
{
    int32_t data[] = {1, 2, 3, 4, 5, 6};
    int64_t shape[] = {2, 3}, strides[] = {1, 2};
    ml_tensor *t = NULL;
    void *out = NULL;
    OK(ml_tensor_wrap(ctx, ML_DTYPE_I32, 2, shape, strides, data, NULL, NULL, &t, ERR));
    OK(ml_tensor_write_dlpack(t, 1, &out, ERR));
    ml_tensor_free(t);
    DLManagedTensorVersioned *v = out;
    ck_assert_uint_eq(v->version.major, 1);
    ck_assert_uint_eq(v->flags & 1, 1);
    ck_assert_ptr_eq(v->dl_tensor.data, data);
    ck_assert_int_eq(v->dl_tensor.device.device_type, 1);
    ck_assert_int_eq(v->dl_tensor.shape[1], 3);
    ck_assert_int_eq(v->dl_tensor.strides[1], 2);
    /* and back in: the same memory */
    OK(ml_tensor_read_dlpack(ctx, v, 1, &t, ERR));
    ck_assert_ptr_eq(ml_tensor_data(t), data);
    ck_assert_double_eq(ml_tensor_get_f64(t, 1, 2), 6);
    ml_tensor_free(t);
}
END_TEST

static ml_status whole_life(failing_alloc *f)
{
    ml_context *c = NULL;
    ml_tensor *a = NULL, *b = NULL;
    void *out = NULL;
    ml_host host = failing_host(f);
    ml_status status = ml_context_new(&host, &c, NULL);
    if (!status) {
        status = ml_tensor_new(c, ML_DTYPE_F64, 1, (int64_t[]){3}, NULL, NULL, &a, NULL);
    }
    if (!status) status = ml_tensor_write_dlpack(a, 0, &out, NULL);
    if (!status) {
        status = ml_tensor_read_dlpack(c, out, 0, &b, NULL);
        if (status) ((DLManagedTensor *)out)->deleter(out);
    }
    ml_context_free(c);
    ml_tensor_free(a);
    ml_tensor_free(b);
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
    const TTest *const tests[] = {takes_both_forms, knows_the_types,
                                  refuses_and_leaves_alone, hands_out_without_copying,
                                  out_of_memory};
    ctx = test_context(1);
    int result = test_run("tensor/dlpack", tests, (int)(sizeof tests / sizeof tests[0]));
    ml_context_free(ctx);
    return result;
}
