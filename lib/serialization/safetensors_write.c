/* SPDX-License-Identifier: MIT
 *
 * safetensors_write.c: making the header of a safetensors file, and the bytes of tensors
 * in the order of a file.
 */
#include "core/json.h"
#include "serialization/safetensors.h"
#include "serialization/st_types.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the model file is little-endian and read in place: no big-endian machines"
#endif

#define PIECE 4096 /* bytes gathered at once from tensors with strides */

/* In the order of the reference implementation, so that a file it writes again keeps the
 * order of its bytes. All sizes divide the sizes before them: tensors stay aligned. */
static const struct {
    const char *name;
    int32_t dtype;
} types[] = {{"U64", ML_DTYPE_U64}, {"I64", ML_DTYPE_I64},  {"F64", ML_DTYPE_F64},
             {"F32", ML_DTYPE_F32}, {"U32", ML_DTYPE_U32},  {"I32", ML_DTYPE_I32},
             {"U16", ML_DTYPE_U16}, {"I16", ML_DTYPE_I16},  {"I8", ML_DTYPE_I8},
             {"U8", ML_DTYPE_U8},   {"BOOL", ML_DTYPE_BOOL}};
#define N_TYPES ((int)(sizeof types / sizeof types[0]))

int32_t mli_st_dtype(const char *name, size_t size)
{
    for (int i = 0; i < N_TYPES; i++) {
        if (strlen(types[i].name) == size && memcmp(types[i].name, name, size) == 0)
            return types[i].dtype;
    }
    return 0;
}

const char *mli_st_dtype_name(int32_t dtype, int *rank)
{
    for (int i = 0; i < N_TYPES; i++) {
        if (types[i].dtype != dtype) continue;
        if (rank) *rank = i;
        return types[i].name;
    }
    return "";
}

/* ---- sorting ---- */

static void swap(char *a, char *b, size_t size)
{
    char saved[256];
    memcpy(saved, a, size);
    memcpy(a, b, size);
    memcpy(b, saved, size);
}

/* Restores the heap below item i of n. */
static void sift(char *items, int64_t i, int64_t n, size_t size,
                 int (*compare)(const void *, const void *))
{
    for (;;) {
        int64_t child = 2 * i + 1;
        if (child >= n) return;
        char *down = items + (size_t)child * size;
        if (child + 1 < n && compare(down, down + size) < 0) {
            child++;
            down += size;
        }
        char *up = items + (size_t)i * size;
        if (compare(up, down) >= 0) return;
        swap(up, down, size);
        i = child;
    }
}

void mli_st_sort(void *items, int64_t count, size_t size,
                 int (*compare)(const void *, const void *))
{
    char *p = items;
    int64_t i = 1;
    while (i < count && compare(p + (size_t)(i - 1) * size, p + (size_t)i * size) <= 0)
        i++;
    if (i >= count) return;
    for (i = count / 2; i-- > 0;) sift(p, i, count, size, compare);
    for (i = count; i-- > 1;) {
        swap(p, p + (size_t)i * size, size);
        sift(p, 0, i, size, compare);
    }
}

/* ---- the header ---- */

static int file_order(const void *a, const void *b)
{
    const mli_st_tensor *x = a, *y = b;
    int rx = N_TYPES, ry = N_TYPES;
    mli_st_dtype_name(x->dtype, &rx);
    mli_st_dtype_name(y->dtype, &ry);
    return rx != ry ? rx - ry : strcmp(x->name, y->name);
}

int mli_safetensors_place(mli_st_tensor *tensors, int64_t count)
{
    _Static_assert(sizeof *tensors <= 256, "fits into the buffer of swap");
    mli_st_sort(tensors, count, sizeof *tensors, file_order);
    int64_t at = 0;
    for (int64_t i = 0; i < count; i++) {
        mli_st_tensor *t = &tensors[i];
        int64_t bytes = mli_shape_count(t->ndim, t->shape);
        if (bytes < 0 ||
            __builtin_mul_overflow(bytes, (int64_t)mli_dtype_size(t->dtype), &bytes))
            return 0;
        t->begin = (size_t)at;
        if (__builtin_add_overflow(at, bytes, &at)) return 0;
        t->end = (size_t)at;
    }
    return 1;
}

static void write_meta(mli_str *s, const mli_st_pair *meta, int64_t n_meta)
{
    mli_str_add(s, "\"__metadata__\": {");
    for (int64_t i = 0; i < n_meta; i++) {
        mli_json_key(s, meta[i].key, i == 0);
        mli_json_str_n(s, meta[i].value, meta[i].size);
    }
    mli_str_char(s, '}');
}

static void write_tensor(mli_str *s, const mli_st_tensor *t)
{
    mli_json_key(s, t->name, 0);
    mli_str_printf(s, "{\"dtype\": \"%s\", \"shape\": [",
                   mli_st_dtype_name(t->dtype, NULL));
    for (int32_t i = 0; i < t->ndim; i++) {
        if (i) mli_str_add(s, ", ");
        mli_str_i64(s, t->shape[i]);
    }
    mli_str_add(s, "], \"data_offsets\": [");
    mli_str_i64(s, (int64_t)t->begin);
    mli_str_add(s, ", ");
    mli_str_i64(s, (int64_t)t->end);
    mli_str_add(s, "]}");
}

void mli_safetensors_header(mli_str *s, const mli_st_pair *meta, int64_t n_meta,
                            const mli_st_tensor *tensors, int64_t count)
{
    size_t start = s->size;
    mli_str_add_n(s, "\0\0\0\0\0\0\0\0{", 9);
    write_meta(s, meta, n_meta);
    for (int64_t i = 0; i < count; i++) write_tensor(s, &tensors[i]);
    mli_str_char(s, '}');
    while (!s->failed && (s->size - start) % MLI_ST_ALIGN) mli_str_char(s, ' ');
    if (s->failed) return;
    uint64_t length = s->size - start - 8;
    for (int i = 0; i < 8; i++) s->data[start + (size_t)i] = (char)(length >> (8 * i));
}

/* ---- the bytes ---- */

typedef struct gather {
    size_t item, filled;
    unsigned char piece[PIECE];
    ml_status (*fn)(void *user, const void *data, size_t size, ml_error *err);
    void *user;
    ml_error *err;
} gather;

static ml_status flush(gather *g)
{
    size_t n = g->filled;
    g->filled = 0;
    return n ? g->fn(g->user, g->piece, n, g->err) : ML_OK;
}

/* n elements with a stride in bytes. */
static ml_status gather_row(gather *g, const char *from, int64_t n, int64_t step)
{
    for (int64_t i = 0; i < n; i++) {
        memcpy(g->piece + g->filled, from + i * step, g->item);
        g->filled += g->item;
        ml_status status = g->filled == PIECE ? flush(g) : ML_OK;
        if (status) return status;
    }
    return ML_OK;
}

/* Row r of the innermost dimension: its offset in elements. */
static int64_t row_offset(const mli_st_tensor *t, int64_t r)
{
    int64_t at = 0;
    for (int32_t i = t->ndim - 2; i >= 0; i--) {
        at += r % t->shape[i] * t->strides[i];
        r /= t->shape[i];
    }
    return at;
}

static ml_status gather_all(gather *g, const mli_st_tensor *t, int64_t count)
{
    int64_t item = (int64_t)g->item, width = t->shape[t->ndim - 1];
    for (int64_t r = 0; r < count / width; r++) {
        const char *from = (const char *)t->data + row_offset(t, r) * item;
        ml_status status = gather_row(g, from, width, t->strides[t->ndim - 1] * item);
        if (status) return status;
    }
    return flush(g);
}

ml_status mli_safetensors_bytes(const mli_st_tensor *t,
                                ml_status (*fn)(void *user, const void *data, size_t size,
                                                ml_error *err),
                                void *user, ml_error *err)
{
    if (t->end == t->begin) return ML_OK;
    if (!t->strides || t->ndim == 0) return fn(user, t->data, t->end - t->begin, err);
    gather g = {.item = mli_dtype_size(t->dtype), .fn = fn, .user = user, .err = err};
    return gather_all(&g, t, mli_shape_count(t->ndim, t->shape));
}
