/* SPDX-License-Identifier: MIT
 *
 * safetensors.c: reading the header of a safetensors file. What it says is not trusted:
 * every length, offset, shape and name is checked against the bytes that are there.
 */
#include "serialization/safetensors.h"
#include "core/json.h"
#include "serialization/st_types.h"

#include <string.h>

typedef struct reader {
    mli_json j;
    mli_safetensors *st;
    int has_meta;
    ml_error *err;
} reader;

#define DAMAGED(...) mli_fail(r->err, ML_E_FORMAT, __VA_ARGS__)

/* ---- texts and numbers ---- */

static ml_status bad_json(reader *r)
{
    return DAMAGED("the header is not what safetensors asks for: %s, at byte %lld",
                   r->j.problem ? r->j.problem : "a value of the wrong kind",
                   (long long)(r->j.at - r->j.begin) + 8);
}

/* Copies the last text behind the others. `text` has room: a text and its NUL are never
 * longer than the quoted one. */
static ml_status keep_text(reader *r, const char **out, size_t *size)
{
    mli_safetensors *st = r->st;
    char *to = st->text + st->text_size;
    size_t n = mli_json_unescape_to(&r->j, to);
    if (r->j.escaped && memchr(to, 0, n))
        return DAMAGED("a text of the header has a NUL in it");
    to[n] = 0;
    st->text_size += n + 1;
    *out = to;
    *size = n;
    return ML_OK;
}

/* An array of at most `room` numbers that are not negative; -1 when malformed. */
static int64_t read_numbers(reader *r, int64_t *out, int64_t room)
{
    if (mli_json_next(&r->j) != MLI_JSON_ARRAY) return -1;
    for (int64_t n = 0;; n++) {
        mli_json_token token = mli_json_next(&r->j);
        if (token == MLI_JSON_ARRAY_END) return n;
        if (token != MLI_JSON_NUMBER || n == room) return -1;
        if (!mli_json_i64(&r->j, &out[n]) || out[n] < 0) return -1;
    }
}

/* Doubles the room of an array of `item` bytes each when it is full. */
static void *grow(ml_context *ctx, void *array, int64_t count, int64_t *capacity,
                  size_t item)
{
    if (count < *capacity) return array;
    int64_t more = *capacity ? 2 * *capacity : 32;
    void *larger = mli_realloc(ctx, array, (size_t)more * item);
    if (larger) *capacity = more;
    return larger;
}

/* ---- __metadata__ ---- */

static ml_status read_pair(reader *r)
{
    mli_safetensors *st = r->st;
    void *meta =
        grow(st->ctx, st->meta, st->n_meta, &st->meta_capacity, sizeof *st->meta);
    if (!meta) return mli_nomem(r->err);
    st->meta = meta;
    mli_st_pair *pair = &st->meta[st->n_meta++];
    ml_status status = keep_text(r, &pair->key, &pair->size);
    if (status) return status;
    mli_json_token token = mli_json_next(&r->j);
    if (token == MLI_JSON_ERROR) return bad_json(r);
    if (token != MLI_JSON_STRING)
        return DAMAGED("the metadata \"%s\" is not a text", pair->key);
    return keep_text(r, &pair->value, &pair->size);
}

static ml_status read_meta(reader *r)
{
    if (r->has_meta++) return DAMAGED("the header has __metadata__ twice");
    if (mli_json_next(&r->j) != MLI_JSON_OBJECT) return bad_json(r);
    for (;;) {
        mli_json_token token = mli_json_next(&r->j);
        if (token == MLI_JSON_OBJECT_END) return ML_OK;
        if (token != MLI_JSON_KEY) return bad_json(r);
        ml_status status = read_pair(r);
        if (status) return status;
    }
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const mli_st_pair *)a)->key, ((const mli_st_pair *)b)->key);
}

static ml_status check_meta(reader *r)
{
    mli_safetensors *st = r->st;
    mli_st_sort(st->meta, st->n_meta, sizeof *st->meta, by_key);
    for (int64_t i = 1; i < st->n_meta; i++) {
        if (by_key(&st->meta[i - 1], &st->meta[i]) == 0)
            return DAMAGED("the metadata \"%s\" occurs twice", st->meta[i].key);
    }
    return ML_OK;
}

/* ---- tensors ---- */

#define SAW_DTYPE   1
#define SAW_SHAPE   2
#define SAW_OFFSETS 4

static ml_status read_dtype(reader *r, mli_st_tensor *t)
{
    if (mli_json_next(&r->j) != MLI_JSON_STRING) return bad_json(r);
    t->dtype = mli_st_dtype(r->j.text, r->j.size);
    if (t->dtype) return ML_OK;
    return DAMAGED("the tensor \"%s\" has the element type %.*s, which libml lacks",
                   t->name, r->j.size < 16 ? (int)r->j.size : 16, r->j.text);
}

static ml_status read_shape(reader *r, mli_st_tensor *t)
{
    int64_t n = read_numbers(r, t->shape, MLI_MAX_DIMS);
    if (n < 0) {
        return DAMAGED("the shape of the tensor \"%s\" is not a list of at most %d sizes",
                       t->name, MLI_MAX_DIMS);
    }
    t->ndim = (int32_t)n;
    return ML_OK;
}

static ml_status read_offsets(reader *r, mli_st_tensor *t)
{
    int64_t place[2];
    if (read_numbers(r, place, 2) != 2 || place[0] > place[1]) {
        return DAMAGED("the data_offsets of the tensor \"%s\" are not a begin and an end",
                       t->name);
    }
    t->begin = (size_t)place[0];
    t->end = (size_t)place[1];
    return ML_OK;
}

static ml_status read_field(reader *r, mli_st_tensor *t, int *seen)
{
    static const struct {
        const char *name;
        int bit;
        ml_status (*read)(reader *r, mli_st_tensor *t);
    } fields[] = {{"dtype", SAW_DTYPE, read_dtype},
                  {"shape", SAW_SHAPE, read_shape},
                  {"data_offsets", SAW_OFFSETS, read_offsets}};
    for (int i = 0; i < 3; i++) {
        if (!mli_json_is(&r->j, fields[i].name)) continue;
        if (*seen & fields[i].bit) {
            return DAMAGED("the tensor \"%s\" has %s twice", t->name, fields[i].name);
        }
        *seen |= fields[i].bit;
        return fields[i].read(r, t);
    }
    return DAMAGED("the tensor \"%s\" has a field that safetensors lacks", t->name);
}

static ml_status read_tensor(reader *r)
{
    mli_safetensors *st = r->st;
    void *tensors =
        grow(st->ctx, st->tensors, st->count, &st->capacity, sizeof *st->tensors);
    if (!tensors) return mli_nomem(r->err);
    st->tensors = tensors;
    mli_st_tensor *t = &st->tensors[st->count++];
    memset(t, 0, sizeof *t);
    size_t size;
    ml_status status = keep_text(r, &t->name, &size);
    if (status) return status;
    if (mli_json_next(&r->j) != MLI_JSON_OBJECT) return bad_json(r);
    for (int seen = 0;;) {
        mli_json_token token = mli_json_next(&r->j);
        if (token == MLI_JSON_OBJECT_END) {
            if (seen == (SAW_DTYPE | SAW_SHAPE | SAW_OFFSETS)) return ML_OK;
            return DAMAGED("the tensor \"%s\" lacks dtype, shape or data_offsets",
                           t->name);
        }
        if (token != MLI_JSON_KEY) return bad_json(r);
        status = read_field(r, t, &seen);
        if (status) return status;
    }
}

static int by_place(const void *a, const void *b)
{
    const mli_st_tensor *x = *(mli_st_tensor *const *)a, *y = *(mli_st_tensor *const *)b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(mli_st_tensor *const *)a)->name, (*(mli_st_tensor *const *)b)->name);
}

/* Each tensor has the bytes of its shape, inside the file. */
static ml_status check_size(reader *r, mli_st_tensor *t)
{
    const mli_safetensors *st = r->st;
    int64_t count = mli_shape_count(t->ndim, t->shape), bytes;
    if (count < 0 ||
        __builtin_mul_overflow(count, (int64_t)mli_dtype_size(t->dtype), &bytes))
        return DAMAGED("the shape of the tensor \"%s\" is too large", t->name);
    if ((uint64_t)bytes != t->end - t->begin) {
        return DAMAGED("the tensor \"%s\" has %llu bytes, its shape needs %lld", t->name,
                       (unsigned long long)(t->end - t->begin), (long long)bytes);
    }
    if (t->end > st->size) {
        DAMAGED("the file is cut off: the tensor \"%s\" ends at byte %llu of the tensor "
                "data, there are %llu",
                t->name, (unsigned long long)t->end, (unsigned long long)st->size);
        return mli_error_hint(r->err, ML_E_FORMAT, "copy or download the file again");
    }
    t->data = st->bytes + t->begin;
    return ML_OK;
}

static ml_status check_places(reader *r)
{
    mli_safetensors *st = r->st;
    size_t at = 0;
    for (int64_t i = 0; i < st->count; i++) {
        ml_status status = check_size(r, &st->tensors[i]);
        if (status) return status;
        st->sorted[i] = &st->tensors[i];
    }
    mli_st_sort(st->sorted, st->count, sizeof *st->sorted, by_place);
    for (int64_t i = 0; i < st->count; i++) {
        if (st->sorted[i]->begin != at) {
            return DAMAGED("the bytes of the tensor \"%s\" begin at %llu, not at %llu: "
                           "tensors overlap or leave a gap",
                           st->sorted[i]->name, (unsigned long long)st->sorted[i]->begin,
                           (unsigned long long)at);
        }
        at = st->sorted[i]->end;
    }
    if (at != st->size) {
        return DAMAGED("%llu bytes follow the last tensor",
                       (unsigned long long)(st->size - at));
    }
    return ML_OK;
}

static ml_status check_names(reader *r)
{
    mli_safetensors *st = r->st;
    mli_st_sort(st->sorted, st->count, sizeof *st->sorted, by_name);
    for (int64_t i = 1; i < st->count; i++) {
        if (by_name(&st->sorted[i - 1], &st->sorted[i]) == 0)
            return DAMAGED("the tensor \"%s\" occurs twice", st->sorted[i]->name);
    }
    return ML_OK;
}

/* ---- the whole ---- */

static ml_status read_entries(reader *r)
{
    if (mli_json_next(&r->j) != MLI_JSON_OBJECT) return bad_json(r);
    for (;;) {
        mli_json_token token = mli_json_next(&r->j);
        if (token == MLI_JSON_OBJECT_END) break;
        if (token != MLI_JSON_KEY) return bad_json(r);
        ml_status status =
            mli_json_is(&r->j, "__metadata__") ? read_meta(r) : read_tensor(r);
        if (status) return status;
    }
    return mli_json_next(&r->j) == MLI_JSON_END ? ML_OK : bad_json(r);
}

static ml_status read_all(reader *r)
{
    ml_status status = read_entries(r);
    if (status) return status;
    mli_safetensors *st = r->st;
    st->sorted = mli_calloc(st->ctx, (size_t)st->count, sizeof *st->sorted);
    if (!st->sorted) return mli_nomem(r->err);
    status = check_meta(r);
    if (!status) status = check_places(r);
    return status ? status : check_names(r);
}

/* The header's length, checked against the size of the whole; 0 on failure. */
static size_t header_length(const unsigned char *bytes, size_t size, ml_error *err)
{
    uint64_t length = 0;
    for (int i = 7; i >= 0 && size >= 10; i--) length = length << 8 | bytes[i];
    if (length < 2 || length > MLI_ST_HEADER_MAX || bytes[8] != '{') {
        mli_fail(err, ML_E_FORMAT, "not a model file: it has no safetensors header");
        mli_error_hint(err, ML_E_FORMAT, "give a file to which a model was saved");
        return 0;
    }
    if (length > size - 8) {
        mli_fail(err, ML_E_FORMAT,
                 "the file is cut off: its header has %llu bytes, %llu are there",
                 (unsigned long long)length, (unsigned long long)size - 8);
        mli_error_hint(err, ML_E_FORMAT, "copy or download the file again");
        return 0;
    }
    return (size_t)length;
}

ml_status mli_safetensors_read(ml_context *ctx, const void *data, size_t size,
                               mli_safetensors *out, ml_error *err)
{
    const unsigned char *bytes = data;
    memset(out, 0, sizeof *out);
    size_t length = header_length(bytes, size, err);
    if (!length) return ML_E_FORMAT;
    out->ctx = ctx;
    out->bytes = bytes + 8 + length;
    out->size = size - 8 - length;
    out->text = mli_alloc(ctx, length);
    if (!out->text) return mli_nomem(err);
    reader r = {.st = out, .err = err};
    mli_json_open(&r.j, (const char *)bytes + 8, length);
    ml_status status = read_all(&r);
    if (status) mli_safetensors_free(out);
    return status;
}

void mli_safetensors_free(mli_safetensors *st)
{
    mli_free(st->ctx, st->tensors);
    mli_free(st->ctx, st->sorted);
    mli_free(st->ctx, st->meta);
    mli_free(st->ctx, st->text);
    memset(st, 0, sizeof *st);
}

mli_st_tensor *mli_safetensors_find(const mli_safetensors *st, const char *name)
{
    int64_t low = 0, high = st->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = strcmp(name, st->sorted[middle]->name);
        if (order == 0) return st->sorted[middle];
        if (order < 0) high = middle;
        if (order > 0) low = middle + 1;
    }
    return NULL;
}

const mli_st_pair *mli_safetensors_meta(const mli_safetensors *st, const char *key)
{
    for (int64_t i = 0; i < st->n_meta; i++) {
        if (strcmp(st->meta[i].key, key) == 0) return &st->meta[i];
    }
    return NULL;
}
