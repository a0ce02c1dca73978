/* SPDX-License-Identifier: MIT
 *
 * import_value.c: the tree of a document, made of JSON, and looking things up in it.
 */
#include "serialization/import_value.h"
#include "core/json.h"

#include <math.h>
#include <string.h>

#define CHUNK 65536

/* ---- memory ---- */

void *mli_doc_alloc(mli_doc *d, size_t size)
{
    if (size > SIZE_MAX - 64) return NULL;
    size = (size + 16) & ~(size_t)15; /* never 0 */
    if (size > d->left) {
        size_t room = size > CHUNK ? size : CHUNK;
        char *chunk = mli_alloc(d->ctx, room + 16);
        if (!chunk) return NULL;
        memcpy(chunk, &d->chunks, sizeof d->chunks);
        d->chunks = chunk;
        d->at = chunk + 16;
        d->left = room;
    }
    void *block = d->at;
    d->at += size;
    d->left -= size;
    return block;
}

char *mli_doc_text(mli_doc *d, const char *text, size_t n)
{
    char *copy = mli_doc_alloc(d, n + 1);
    if (!copy) return NULL;
    if (n) memcpy(copy, text, n);
    copy[n] = 0;
    return copy;
}

void mli_doc_free(mli_doc *d)
{
    while (d->chunks) {
        void *next;
        memcpy(&next, d->chunks, sizeof next);
        mli_free(d->ctx, d->chunks);
        d->chunks = next;
    }
    mli_free(d->ctx, d->stack);
    memset(d, 0, sizeof *d);
}

int mli_doc_push(mli_doc *d, const mli_item *item)
{
    if (d->n_stack == d->stack_capacity) {
        int64_t n = d->stack_capacity ? 2 * d->stack_capacity : 64;
        size_t bytes = (size_t)n * sizeof *d->stack;
        mli_item *grown =
            d->stack ? mli_realloc(d->ctx, d->stack, bytes) : mli_alloc(d->ctx, bytes);
        if (!grown) return 0;
        d->stack = grown;
        d->stack_capacity = n;
    }
    d->stack[d->n_stack++] = *item;
    return 1;
}

static int all_numbers(const mli_item *items, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (items[i].type != MLI_V_NUMBER) return 0;
    return n > 0;
}

int mli_doc_close(mli_doc *d, int64_t first, mli_item *out)
{
    int64_t n = d->n_stack - first;
    const mli_item *from = n > 0 ? d->stack + first : NULL;
    out->n = n;
    d->n_stack = first;
    if (out->type == MLI_V_ARRAY && all_numbers(from, n)) {
        double *numbers = mli_doc_alloc(d, (size_t)n * sizeof *numbers);
        for (int64_t i = 0; numbers && i < n; i++) numbers[i] = from[i].as.number;
        out->type = MLI_V_NUMBERS;
        out->truth = n > 0 && from[0].truth;
        out->as.numbers = numbers;
        return numbers != NULL;
    }
    mli_item *items = mli_doc_alloc(d, (size_t)n * sizeof *items);
    if (items && n) memcpy(items, from, (size_t)n * sizeof *items);
    out->as.items = items;
    return items != NULL;
}

/* ---- JSON ---- */

typedef struct json_reader {
    mli_doc *doc;
    mli_json json;
    ml_error *err;
    mli_item open[MLI_JSON_DEPTH]; /* containers: key, type */
    int64_t first[MLI_JSON_DEPTH]; /* their first values on the stack */
    int depth;
    const char *key;
    size_t key_size;
} json_reader;

static ml_status json_fail(json_reader *r, const char *problem)
{
    int64_t line, column;
    mli_json_place(&r->json, &line, &column);
    mli_fail(r->err, ML_E_FORMAT, "not valid JSON: %s", problem);
    return mli_error_at(r->err, ML_E_FORMAT, "line %lld, column %lld", (long long)line,
                        (long long)column);
}

/* The last string or key without escapes. */
static int json_text(json_reader *r, const char **text, size_t *size)
{
    mli_str s;
    if (!r->json.escaped) {
        *text = mli_doc_text(r->doc, r->json.text, r->json.size);
        *size = r->json.size;
        return *text != NULL;
    }
    mli_str_init(&s, r->doc->ctx);
    int fine = mli_json_unescape(&r->json, &s) && !s.failed;
    if (fine) *text = mli_doc_text(r->doc, s.data, s.size);
    *size = s.size;
    mli_str_free(&s);
    return fine && *text;
}

static ml_status json_open(json_reader *r, mli_item item)
{
    r->open[r->depth] = item;
    r->first[r->depth++] = r->doc->n_stack;
    return ML_OK;
}

static ml_status json_close(json_reader *r)
{
    mli_item item = r->open[--r->depth];
    if (!mli_doc_close(r->doc, r->first[r->depth], &item)) return mli_nomem(r->err);
    return mli_doc_push(r->doc, &item) ? ML_OK : mli_nomem(r->err);
}

static ml_status json_token(json_reader *r, mli_json_token t)
{
    mli_item item = {.key = r->key, .key_size = r->key_size};
    size_t size = 0;
    switch (t) {
    case MLI_JSON_KEY:
        return json_text(r, &r->key, &r->key_size) ? ML_OK : mli_nomem(r->err);
    case MLI_JSON_OBJECT:
    case MLI_JSON_ARRAY:
        item.type = t == MLI_JSON_OBJECT ? MLI_V_OBJECT : MLI_V_ARRAY;
        return json_open(r, item);
    case MLI_JSON_OBJECT_END:
    case MLI_JSON_ARRAY_END:
        return json_close(r);
    case MLI_JSON_STRING:
        item.type = MLI_V_TEXT;
        if (!json_text(r, &item.as.text, &size)) return mli_nomem(r->err);
        item.n = (int64_t)size;
        break;
    case MLI_JSON_NULL:
        item.type = MLI_V_NULL;
        break;
    case MLI_JSON_NUMBER:
        item.type = MLI_V_NUMBER;
        if (!mli_json_f64(&r->json, &item.as.number))
            return json_fail(r, "a number that cannot be read");
        break;
    default:
        item.type = MLI_V_NUMBER;
        item.truth = 1;
        item.as.number = t == MLI_JSON_TRUE;
    }
    return mli_doc_push(r->doc, &item) ? ML_OK : mli_nomem(r->err);
}

ml_status mli_doc_json(ml_context *ctx, const void *data, size_t size, mli_doc *out,
                       ml_error *err)
{
    json_reader r = {.doc = out, .err = err};
    ml_status status = ML_OK;
    mli_json_token t = MLI_JSON_NULL;
    memset(out, 0, sizeof *out);
    out->ctx = ctx;
    mli_json_open(&r.json, data, size);
    while (!status && (t = mli_json_next(&r.json)) > MLI_JSON_END) {
        status = json_token(&r, t);
        if (t != MLI_JSON_KEY) r.key_size = 0;
    }
    if (!status && t == MLI_JSON_ERROR) status = json_fail(&r, r.json.problem);
    if (!status) out->root = out->stack[0];
    if (status) mli_doc_free(out);
    return status;
}

/* ---- looking up ---- */

const mli_item *mli_item_get(const mli_item *object, const char *key)
{
    size_t size = strlen(key);
    if (!object || object->type != MLI_V_OBJECT) return NULL;
    for (int64_t i = 0; i < object->n; i++) {
        const mli_item *m = &object->as.items[i];
        if (m->key_size == size && memcmp(m->key, key, size) == 0) return m;
    }
    return NULL;
}

int mli_item_is(const mli_item *text, const char *value)
{
    return text && text->type == MLI_V_TEXT && strcmp(text->as.text, value) == 0;
}

static ml_status at(const char *place, ml_error *err)
{
    return mli_error_at(err, ML_E_FORMAT, "%s", place[0] ? place : "the document");
}

static const char *const type_names[] = {"null",     "a number",  "a text", "numbers",
                                         "an array", "an object", "bytes"};

static ml_status wrong_type(const mli_item *item, const char *place, const char *key,
                            const char *wanted, ml_error *err)
{
    mli_fail(err, ML_E_FORMAT, "\"%s\" is %s instead of %s", key, type_names[item->type],
             wanted);
    return at(place, err);
}

static ml_status missing(const char *place, const char *key, ml_error *err)
{
    mli_fail(err, ML_E_FORMAT, "\"%s\" is missing", key);
    return at(place, err);
}

ml_status mli_item_need(const mli_item *object, const char *place, const char *key,
                        int32_t type, const mli_item **out, ml_error *err)
{
    *out = mli_item_get(object, key);
    if (!*out) return missing(place, key, err);
    return (*out)->type == type ? ML_OK
                                : wrong_type(*out, place, key, type_names[type], err);
}

ml_status mli_item_numbers(const mli_item *object, const char *place, const char *key,
                           int64_t n, const mli_item **out, ml_error *err)
{
    const mli_item *item = *out = mli_item_get(object, key);
    if (!item) return missing(place, key, err);
    int empty = item->type == MLI_V_ARRAY && item->n == 0;
    if (item->type != MLI_V_NUMBERS && !empty)
        return wrong_type(item, place, key, "numbers", err);
    if (n < 0 || item->n == n) return ML_OK;
    mli_fail(err, ML_E_FORMAT, "\"%s\" has %lld numbers instead of %lld", key,
             (long long)item->n, (long long)n);
    return at(place, err);
}

ml_status mli_item_number(const mli_item *object, const char *place, const char *key,
                          double dflt, double *out, ml_error *err)
{
    const mli_item *item = mli_item_get(object, key);
    *out = dflt;
    if (!item) return isnan(dflt) ? missing(place, key, err) : ML_OK;
    if (item->type == MLI_V_NUMBER) {
        *out = item->as.number;
        return ML_OK;
    }
    if (item->type == MLI_V_TEXT && mli_read_f64(item->as.text, out)) return ML_OK;
    return wrong_type(item, place, key, "a number", err);
}

ml_status mli_item_whole(const mli_item *object, const char *place, const char *key,
                         double dflt, int64_t low, int64_t high, int64_t *out,
                         ml_error *err)
{
    double v;
    ml_status status = mli_item_number(object, place, key, dflt, &v, err);
    if (status) return status;
    if (v >= (double)low && v <= (double)high && floor(v) == v) {
        *out = (int64_t)v;
        return ML_OK;
    }
    mli_fail(err, ML_E_FORMAT,
             "\"%s\" is %s, which is not a whole number in [%lld, %lld]", key, MLI_NUM(v),
             (long long)low, (long long)high);
    return at(place, err);
}
