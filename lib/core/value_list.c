/* SPDX-License-Identifier: MIT
 *
 * value_list.c: lists: their text form, and values made of their items.
 */
#include "core/json.h"
#include "core/value.h"

#include <math.h>
#include <string.h>

void mli_items_init(mli_items *items, ml_context *ctx)
{
    *items = (mli_items){.ctx = ctx};
}

void mli_items_free(mli_items *items)
{
    for (int64_t i = 0; i < items->count; i++) mli_free(items->ctx, items->texts[i]);
    mli_free(items->ctx, items->texts);
    mli_free(items->ctx, items->plain);
    mli_free(items->ctx, items->places);
    mli_items_init(items, items->ctx);
}

static int grow(mli_items *items)
{
    if (items->count < items->capacity) return 1;
    int64_t capacity = items->capacity ? items->capacity * 2 : 8;
    size_t n = (size_t)capacity;
    char **texts = mli_realloc(items->ctx, items->texts, n * sizeof *texts);
    if (!texts) return 0;
    items->texts = texts;
    unsigned char *plain = mli_realloc(items->ctx, items->plain, n);
    if (!plain) return 0;
    items->plain = plain;
    if (items->line) {
        int32_t *places = mli_realloc(items->ctx, items->places, 2 * n * sizeof *places);
        if (!places) return 0;
        items->places = places;
    }
    items->capacity = capacity;
    return 1;
}

ml_status mli_items_add(mli_items *items, const char *text, size_t size, int plain,
                        ml_error *err)
{
    if (memchr(text, 0, size))
        return mli_fail(err, ML_E_PARSE, "a text holds a NUL byte");
    char *copy = grow(items) ? mli_strndup(items->ctx, text, size) : NULL;
    if (!copy) return mli_nomem(err);
    if (items->places) {
        items->places[2 * items->count] = items->line;
        items->places[2 * items->count + 1] = items->column;
    }
    items->texts[items->count] = copy;
    items->plain[items->count++] = (unsigned char)plain;
    return ML_OK;
}

static const char *skip_spaces(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r') p++;
    return p;
}

/* An item in quotes: "a \"b\"" as in JSON, or 'it''s' as in YAML. */
static ml_status quoted_item(mli_items *items, const char **at, ml_error *err)
{
    const char *p = *at + 1;
    mli_str s;
    mli_str_init(&s, items->ctx);
    ml_status status = ML_OK;
    if (**at == '"') {
        for (; *p && *p != '"'; p++) p += *p == '\\' && p[1];
        mli_json j;
        mli_json_open(&j, *at, (size_t)(p - *at) + (*p == '"'));
        if (mli_json_next(&j) != MLI_JSON_STRING) {
            status = mli_fail(err, ML_E_PARSE, "the list has %s", j.problem);
        } else if (!mli_json_unescape(&j, &s)) {
            status = mli_nomem(err);
        }
        p += *p == '"';
    } else {
        for (; *p && (*p != '\'' || p[1] == '\''); p++) {
            p += *p == '\'';
            mli_str_char(&s, *p);
        }
        if (!*p) {
            status = mli_fail(err, ML_E_PARSE,
                              "the list has a text without its closing quote");
        } else {
            p++;
        }
        if (status == ML_OK && s.failed) status = mli_nomem(err);
    }
    if (status == ML_OK) status = mli_items_add(items, s.data, s.size, 0, err);
    mli_str_free(&s);
    *at = p;
    return status;
}

/* The parenthesis that closes the one at p, or p where there is none; *groups: behind
 * one that nothing closes none is looked for any more. */
static const char *group_end(const char *p, int *groups)
{
    int depth = 0;
    for (const char *c = p; *groups && *c; c++) {
        depth += (*c == '(') - (*c == ')');
        if (depth == 0) return c;
    }
    *groups = 0;
    return p;
}

/* An item without quotes, up to a comma outside of parentheses, or the end. */
static ml_status plain_item(mli_items *items, const char **at, int bracket, int *groups,
                            ml_error *err)
{
    const char *p = *at, *end;
    while (*p && *p != ',' && (!bracket || (*p != ']' && *p != '[')))
        p = (*p == '(' ? group_end(p, groups) : p) + 1;
    for (end = p; end > *at && strchr(" \t\r\n", end[-1]); end--) continue;
    if (bracket && *p == '[') {
        mli_fail(err, ML_E_PARSE, "a list inside a list");
        return mli_error_hint(err, ML_E_PARSE, "put texts with brackets in quotes");
    }
    if (end == *at) return mli_fail(err, ML_E_PARSE, "the list has an empty item");
    const char *start = *at;
    *at = p;
    return mli_items_add(items, start, (size_t)(end - start), 1, err);
}

ml_status mli_items_parse(mli_items *items, const char *text, ml_error *err)
{
    const char *p = skip_spaces(text);
    int bracket = *p == '[', groups = 1;
    if (bracket) p = skip_spaces(p + 1);
    int empty = bracket ? *p == ']' : !*p;
    while (!empty) {
        ml_status status = *p == '"' || *p == '\''
                               ? quoted_item(items, &p, err)
                               : plain_item(items, &p, bracket, &groups, err);
        if (status != ML_OK) return status;
        p = skip_spaces(p);
        if (*p != ',') break;
        p = skip_spaces(p + 1);
    }
    if (bracket && *p != ']') {
        return mli_fail(err, ML_E_PARSE,
                        *p ? "the list lacks a comma between items"
                           : "the list lacks its closing bracket");
    }
    p = skip_spaces(p + bracket);
    if (*p) return mli_fail(err, ML_E_PARSE, "something follows the list: \"%s\"", p);
    return ML_OK;
}

/* Is this the text that an integer would be written as? "007" is a text. */
static int plain_i64(const char *text, int64_t *out)
{
    const char *digits = text + (*text == '-');
    if (*text == '+' || (digits[0] == '0' && (digits[1] || digits > text))) return 0;
    return mli_read_i64(text, out);
}

int32_t mli_items_type(const mli_items *items)
{
    int32_t type = items->count ? ML_PARAM_I64S : ML_PARAM_STRS;
    for (int64_t i = 0; i < items->count; i++) {
        int64_t whole;
        double real;
        if (!items->plain[i] || !mli_read_f64(items->texts[i], &real))
            return ML_PARAM_STRS;
        if (!plain_i64(items->texts[i], &whole)) type = ML_PARAM_F64S;
    }
    return type;
}

static ml_status to_integers(const mli_items *items, mli_value *v, ml_error *err)
{
    v->i64s = mli_alloc(items->ctx, (size_t)items->count * sizeof *v->i64s);
    v->f64s = mli_alloc(items->ctx, (size_t)items->count * sizeof *v->f64s);
    if (!v->i64s || !v->f64s) return mli_nomem(err);
    for (int64_t i = 0; i < items->count; i++) {
        const char *text = items->texts[i];
        double real = 0;
        int whole = mli_read_i64(text, &v->i64s[i]);
        if (!whole && mli_read_f64(text, &real) && fabs(real) < 0x1p63 &&
            real == floor(real)) {
            v->i64s[i] = (int64_t)real;
            whole = 1;
        }
        if (!whole) {
            return mli_fail(err, ML_E_TYPE,
                            "item %lld of the list, \"%s\", is no integer",
                            (long long)i + 1, text);
        }
        v->f64s[i] = (double)v->i64s[i];
    }
    return ML_OK;
}

static ml_status to_reals(const mli_items *items, mli_value *v, ml_error *err)
{
    v->f64s = mli_alloc(items->ctx, (size_t)items->count * sizeof *v->f64s);
    if (!v->f64s) return mli_nomem(err);
    for (int64_t i = 0; i < items->count; i++) {
        if (!mli_read_f64(items->texts[i], &v->f64s[i])) {
            return mli_fail(err, ML_E_TYPE, "item %lld of the list, \"%s\", is no number",
                            (long long)i + 1, items->texts[i]);
        }
    }
    return ML_OK;
}

static ml_status to_texts(const mli_items *items, mli_value *v, ml_error *err)
{
    v->strs = mli_calloc(items->ctx, (size_t)items->count, sizeof *v->strs);
    if (!v->strs) return mli_nomem(err);
    for (int64_t i = 0; i < items->count; i++) {
        v->strs[i] = mli_strdup(items->ctx, items->texts[i]);
        if (!v->strs[i]) return mli_nomem(err);
    }
    return ML_OK;
}

void mli_str_real(mli_str *s, double v)
{
    const char *text = MLI_NUM(v);
    mli_str_add(s, text);
    if (v - v == 0 && !strpbrk(text, ".e")) mli_str_add(s, ".0");
}

/* The list's own text: numbers as they are, texts in quotes. */
static char *list_text(ml_context *ctx, const mli_value *v)
{
    mli_str s;
    mli_str_init(&s, ctx);
    mli_str_char(&s, '[');
    for (int64_t i = 0; i < v->count; i++) {
        if (i) mli_str_add(&s, ", ");
        if (v->type == ML_PARAM_I64S) {
            mli_str_i64(&s, v->i64s[i]);
        } else if (v->type == ML_PARAM_F64S) {
            mli_str_real(&s, v->f64s[i]);
        } else {
            mli_json_str(&s, v->strs[i]);
        }
    }
    mli_str_char(&s, ']');
    return mli_str_take(&s);
}

ml_status mli_items_value(mli_items *items, int32_t type, mli_value *out, ml_error *err)
{
    mli_value v = {.type = type, .given = 1, .f64 = NAN, .count = items->count};
    ml_status status = type == ML_PARAM_I64S   ? to_integers(items, &v, err)
                       : type == ML_PARAM_F64S ? to_reals(items, &v, err)
                                               : to_texts(items, &v, err);
    if (status == ML_OK) {
        v.text = list_text(items->ctx, &v);
        if (!v.text) status = mli_nomem(err);
    }
    if (status != ML_OK) {
        mli_value_free(items->ctx, &v);
        return status;
    }
    v.places = items->places; /* moved */
    items->places = NULL;
    *out = v;
    return ML_OK;
}

ml_status mli_items_of(mli_items *items, const mli_value *value, ml_error *err)
{
    ml_status status = ML_OK;
    if (value->type == ML_PARAM_STR) return mli_items_parse(items, value->text, err);
    if (value->type < ML_PARAM_I64S || value->type > ML_PARAM_STRS) {
        return mli_items_add(items, value->text, strlen(value->text), 1, err);
    }
    for (int64_t i = 0; i < value->count && status == ML_OK; i++) {
        mli_str s;
        mli_str_init(&s, items->ctx);
        if (value->type == ML_PARAM_I64S) {
            mli_str_i64(&s, value->i64s[i]);
        } else if (value->type == ML_PARAM_F64S) {
            mli_str_f64(&s, value->f64s[i]);
        } else {
            mli_str_add(&s, value->strs[i]);
        }
        status = s.failed ? mli_nomem(err)
                          : mli_items_add(items, s.data, s.size,
                                          value->type != ML_PARAM_STRS, err);
        mli_str_free(&s);
    }
    return status;
}
