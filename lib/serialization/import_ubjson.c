/* SPDX-License-Identifier: MIT
 *
 * import_ubjson.c: Universal Binary JSON (draft 12) into the tree of a document. Numbers
 * are big-endian. Counts are believed only as far as the bytes left can hold them.
 */
#include "serialization/import_value.h"

#include <string.h>

#define DEPTH_MAX 64

typedef struct ubj {
    mli_doc *doc;
    const unsigned char *begin, *at, *end;
    ml_error *err;
    int depth;
} ubj;

static ml_status fail(const ubj *u, const char *problem)
{
    mli_fail(u->err, ML_E_FORMAT, "not valid UBJSON: %s", problem);
    return mli_error_at(u->err, ML_E_FORMAT, "byte %lld", (long long)(u->at - u->begin));
}

/* Size of a number type; 0: not one. */
static int number_size(int type)
{
    switch (type) {
    case 'i':
    case 'U':
        return 1;
    case 'I':
        return 2;
    case 'l':
    case 'd':
        return 4;
    case 'L':
    case 'D':
        return 8;
    default:
        return 0;
    }
}

static double number_at(const unsigned char *p, int type)
{
    uint64_t bits = 0;
    int size = number_size(type);
    for (int i = 0; i < size; i++) bits = bits << 8 | p[i];
    uint32_t low = (uint32_t)bits;
    float f;
    double d;
    switch (type) {
    case 'i':
        return (int8_t)low;
    case 'I':
        return (int16_t)low;
    case 'l':
        return (int32_t)low;
    case 'L':
        return (double)(int64_t)bits;
    case 'd':
        memcpy(&f, &low, sizeof f);
        return f;
    case 'D':
        memcpy(&d, &bits, sizeof d);
        return d;
    default:
        return low; /* 'U' */
    }
}

/* The next marker behind any no-ops; -1 at the end. */
static int marker(ubj *u)
{
    while (u->at < u->end && *u->at == 'N') u->at++;
    return u->at < u->end ? *u->at++ : -1;
}

static ml_status read_number(ubj *u, int type, double *out)
{
    int size = number_size(type);
    if (u->end - u->at < size) return fail(u, "it ends inside a number");
    *out = number_at(u->at, type);
    u->at += size;
    return ML_OK;
}

/* A length with its type marker; each counted thing takes at least `least` bytes. */
static ml_status read_length(ubj *u, int64_t least, int64_t *out)
{
    double v = 0;
    int type = marker(u);
    if (type == 'd' || type == 'D' || number_size(type) == 0)
        return fail(u, "a length is not a whole number");
    ml_status status = read_number(u, type, &v);
    if (status) return status;
    if (v < 0 || v > (double)((u->end - u->at) / least))
        return fail(u, "a length goes beyond the end");
    *out = (int64_t)v;
    return ML_OK;
}

static ml_status read_text(ubj *u, const char **text, int64_t *size)
{
    ml_status status = read_length(u, 1, size);
    if (status) return status;
    const char *p = (const char *)u->at;
    if (mli_utf8_valid(p, (size_t)*size) != (size_t)*size ||
        memchr(p, 0, (size_t)*size) != NULL)
        return fail(u, "a text is not UTF-8");
    *text = mli_doc_text(u->doc, p, (size_t)*size);
    u->at += *size;
    return *text ? ML_OK : mli_nomem(u->err);
}

static ml_status read_value(ubj *u, int type, mli_item *item);

/* `$type #count` of a container; type 0 and count -1 when not there. */
static ml_status read_head(ubj *u, int object, int *type, int64_t *count)
{
    *type = 0;
    *count = -1;
    if (u->at < u->end && *u->at == '$') {
        u->at++;
        *type = marker(u);
        if (*type < 0) return fail(u, "it ends inside a container");
        if (u->at >= u->end || *u->at != '#')
            return fail(u, "a typed container has no count");
    }
    if (u->at >= u->end || *u->at != '#') return ML_OK;
    u->at++;
    int64_t least = number_size(*type);
    if (*type && !least && *type != 'S' && *type != '[' && *type != '{')
        return fail(u, "a container of a type that cannot be");
    least = (least ? least : 1) + (object ? 2 : 0);
    return read_length(u, least, count);
}

static ml_status typed_numbers(ubj *u, int type, int64_t n, mli_item *item)
{
    double *numbers = mli_doc_alloc(u->doc, (size_t)n * sizeof *numbers);
    if (!numbers) return mli_nomem(u->err);
    int size = number_size(type);
    for (int64_t i = 0; i < n; i++) numbers[i] = number_at(u->at + i * size, type);
    u->at += n * size;
    item->type = MLI_V_NUMBERS;
    item->n = n;
    item->as.numbers = numbers;
    return ML_OK;
}

/* One member of an open container; *more = 0 at its end. */
static ml_status read_member(ubj *u, int object, int typed, int counted, int *more)
{
    mli_item m = {0};
    int type = typed;
    int64_t size = 0;
    *more = 1;
    if (!counted) {
        const unsigned char *before = u->at;
        int c = marker(u);
        if (c < 0) return fail(u, "it ends inside a container");
        if (c == (object ? '}' : ']')) {
            *more = 0;
            return ML_OK;
        }
        u->at = before;
    }
    ml_status status = ML_OK;
    if (object) status = read_text(u, &m.key, &size);
    if (status) return status;
    m.key_size = (size_t)size;
    if (!type) type = marker(u);
    status = read_value(u, type, &m);
    if (status) return status;
    return mli_doc_push(u->doc, &m) ? ML_OK : mli_nomem(u->err);
}

static ml_status read_container(ubj *u, int object, mli_item *item)
{
    int type, more = 1;
    int64_t count, first = u->doc->n_stack;
    ml_status status = read_head(u, object, &type, &count);
    if (status) return status;
    item->type = object ? MLI_V_OBJECT : MLI_V_ARRAY;
    if (!object && count >= 0 && number_size(type))
        return typed_numbers(u, type, count, item);
    if (++u->depth > DEPTH_MAX) return fail(u, "it is nested too deeply");
    for (int64_t i = 0; !status && more && (count < 0 || i < count); i++)
        status = read_member(u, object, type, count >= 0, &more);
    u->depth--;
    if (status) return status;
    return mli_doc_close(u->doc, first, item) ? ML_OK : mli_nomem(u->err);
}

static ml_status read_value(ubj *u, int type, mli_item *item)
{
    switch (type) {
    case '{':
    case '[':
        return read_container(u, type == '{', item);
    case 'S':
        item->type = MLI_V_TEXT;
        return read_text(u, &item->as.text, &item->n);
    case 'Z':
        item->type = MLI_V_NULL;
        return ML_OK;
    case 'T':
    case 'F':
        item->type = MLI_V_NUMBER;
        item->as.number = type == 'T';
        return ML_OK;
    default:
        if (type < 0) return fail(u, "it ends where a value must be");
        if (!number_size(type)) return fail(u, "an unknown type of value");
        item->type = MLI_V_NUMBER;
        return read_number(u, type, &item->as.number);
    }
}

ml_status mli_doc_ubjson(ml_context *ctx, const void *data, size_t size, mli_doc *out,
                         ml_error *err)
{
    ubj u = {.doc = out, .begin = data, .at = data, .err = err};
    u.end = u.begin + size;
    memset(out, 0, sizeof *out);
    out->ctx = ctx;
    ml_status status = read_value(&u, marker(&u), &out->root);
    while (!status && u.at < u.end && *u.at == 'N') u.at++;
    if (!status && u.at != u.end) status = fail(&u, "there is more behind the value");
    if (status) mli_doc_free(out);
    return status;
}
