/* SPDX-License-Identifier: MIT
 *
 * tensor/dlpack.c: tensors from and to DLPack, the exchange format of array libraries, in
 * its first form and in the versioned form of DLPack 1.x. Only host memory.
 */
#include "tensor/tensor.h"

#include <string.h>

/* The structs, as the DLPack specification lays them down. */
typedef struct {
    int32_t type, id;
} dl_device;

typedef struct {
    uint8_t code, bits;
    uint16_t lanes;
} dl_type;

typedef struct {
    void *data;
    dl_device device;
    int32_t ndim;
    dl_type dtype;
    int64_t *shape, *strides; /* strides in elements; NULL: row-major */
    uint64_t byte_offset;
} dl_tensor;

typedef struct dl_managed {
    dl_tensor tensor;
    void *context;
    void (*deleter)(struct dl_managed *);
} dl_managed;

typedef struct dl_versioned {
    uint32_t major, minor;
    void *context;
    void (*deleter)(struct dl_versioned *);
    uint64_t flags;
    dl_tensor tensor;
} dl_versioned;

#define DL_CPU       1
#define DL_READ_ONLY UINT64_C(1)
#define DL_MAJOR     1
#define DL_MINOR     0

#define DL_INT   0
#define DL_UINT  1
#define DL_FLOAT 2
#define DL_BOOL  6

static const struct {
    uint8_t code, bits;
    int32_t dtype;
} types[] = {
    {DL_BOOL, 8, ML_DTYPE_BOOL},  {DL_INT, 8, ML_DTYPE_I8},
    {DL_INT, 16, ML_DTYPE_I16},   {DL_INT, 32, ML_DTYPE_I32},
    {DL_INT, 64, ML_DTYPE_I64},   {DL_UINT, 8, ML_DTYPE_U8},
    {DL_UINT, 16, ML_DTYPE_U16},  {DL_UINT, 32, ML_DTYPE_U32},
    {DL_UINT, 64, ML_DTYPE_U64},  {DL_FLOAT, 32, ML_DTYPE_F32},
    {DL_FLOAT, 64, ML_DTYPE_F64},
};
#define N_TYPES ((int)(sizeof types / sizeof types[0]))

/* ---- in ---- */

static const char *code_name(uint8_t code)
{
    static const char *const names[] = {"signed", "unsigned", "float", "handle",
                                        "bfloat", "complex",  "bool"};
    return code < sizeof names / sizeof names[0] ? names[code] : "unknown";
}

static ml_status read_type(dl_type type, int32_t *dtype, ml_error *err)
{
    for (int i = 0; i < N_TYPES && type.lanes == 1; i++) {
        if (types[i].code == type.code && types[i].bits == type.bits) {
            *dtype = types[i].dtype;
            return ML_OK;
        }
    }
    mli_fail(err, ML_E_UNSUPPORTED,
             "the DLPack element type is %s (code %d) of %d bits and %d lanes",
             code_name(type.code), type.code, type.bits, type.lanes);
    return mli_error_hint(
        err, ML_E_UNSUPPORTED,
        "convert it to booleans, to integers, or to 32 or 64-bit floats");
}

static ml_status check_device(dl_device device, ml_error *err)
{
    if (device.type == DL_CPU) return ML_OK;
    mli_fail(err, ML_E_UNSUPPORTED,
             "the DLPack tensor lies in the memory of device type %d, not of the CPU",
             (int)device.type);
    return mli_error_hint(err, ML_E_UNSUPPORTED, "copy it to the CPU");
}

static void delete_plain(void *user)
{
    dl_managed *m = user;
    if (m->deleter) m->deleter(m);
}

static void delete_versioned(void *user)
{
    dl_versioned *m = user;
    if (m->deleter) m->deleter(m);
}

static ml_status read_tensor(ml_context *ctx, const dl_tensor *t, void *managed,
                             ml_release_fn release, ml_tensor **out, ml_error *err)
{
    int32_t dtype = 0;
    ml_status status = check_device(t->device, err);
    if (!status) status = read_type(t->dtype, &dtype, err);
    if (status) return status;
    const char *data = t->data ? (const char *)t->data + t->byte_offset : NULL;
    return ml_tensor_wrap(ctx, dtype, t->ndim, t->shape, t->strides, data, release,
                          managed, out, err);
}

ml_status ml_tensor_read_dlpack(ml_context *context, void *managed, int32_t versioned,
                                ml_tensor **out, ml_error *error)
{
    if (!context) return mli_null(error, "context");
    if (!managed) return mli_null(error, "managed");
    if (!out) return mli_null(error, "out");
    if (!versioned) {
        return read_tensor(context, &((dl_managed *)managed)->tensor, managed,
                           delete_plain, out, error);
    }
    const dl_versioned *m = managed;
    if (m->major != DL_MAJOR) {
        mli_fail(error, ML_E_UNSUPPORTED, "the tensor is of DLPack %u.%u, known is %d.x",
                 m->major, m->minor, DL_MAJOR);
        return mli_error_hint(error, ML_E_UNSUPPORTED,
                              "ask the producer for version %d.%d", DL_MAJOR, DL_MINOR);
    }
    return read_tensor(context, &m->tensor, managed, delete_versioned, out, error);
}

/* ---- out ---- */

/* What is handed out: one of the two forms, over the memory of a tensor. */
typedef struct {
    union {
        dl_managed plain;
        dl_versioned versioned;
    } form;
    ml_tensor *source;
    int64_t shape[MLI_MAX_DIMS], strides[MLI_MAX_DIMS];
} handout;

static void handout_free(handout *h)
{
    ml_tensor *source = h->source;
    mli_free(source->ctx, h);
    ml_tensor_free(source);
}

static void plain_deleter(dl_managed *m)
{
    handout_free(m->context);
}

static void versioned_deleter(dl_versioned *m)
{
    handout_free(m->context);
}

static void describe(handout *h, const ml_tensor *t, dl_tensor *to)
{
    memcpy(h->shape, t->shape, sizeof h->shape);
    memcpy(h->strides, t->strides, sizeof h->strides);
    to->data = (void *)t->data;
    to->device.type = DL_CPU;
    to->ndim = t->ndim;
    to->shape = h->shape;
    to->strides = h->strides;
    to->dtype.lanes = 1;
    for (int i = 0; i < N_TYPES; i++) {
        if (types[i].dtype != t->dtype) continue;
        to->dtype.code = types[i].code;
        to->dtype.bits = types[i].bits;
    }
}

ml_status ml_tensor_write_dlpack(const ml_tensor *tensor, int32_t versioned, void **out,
                                 ml_error *error)
{
    if (!tensor) return mli_null(error, "tensor");
    if (!out) return mli_null(error, "out");
    handout *h = mli_calloc(tensor->ctx, 1, sizeof *h);
    if (!h) return mli_nomem(error);
    h->source = ml_tensor_ref((ml_tensor *)tensor);
    if (versioned) {
        dl_versioned *m = &h->form.versioned;
        m->major = DL_MAJOR;
        m->minor = DL_MINOR;
        m->context = h;
        m->deleter = versioned_deleter;
        m->flags = DL_READ_ONLY;
        describe(h, tensor, &m->tensor);
    } else {
        dl_managed *m = &h->form.plain;
        m->context = h;
        m->deleter = plain_deleter;
        describe(h, tensor, &m->tensor);
    }
    *out = &h->form;
    return ML_OK;
}
