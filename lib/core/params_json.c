/* SPDX-License-Identifier: MIT
 *
 * params_json.c: sets of values as JSON. Reals keep a decimal point, so that types
 * survive; NaN and infinities, which JSON lacks, are written as texts.
 */
#include "core/json.h"
#include "core/value.h"

#include <string.h>

static void write_real(mli_str *s, double v)
{
    if (v - v == 0) {
        mli_str_real(s, v);
    } else {
        mli_json_str(s, MLI_NUM(v));
    }
}

static void write_list(mli_str *s, const mli_value *v)
{
    mli_str_char(s, '[');
    for (int64_t i = 0; i < v->count; i++) {
        if (i) mli_str_add(s, ", ");
        if (v->type == ML_PARAM_I64S) {
            mli_str_i64(s, v->i64s[i]);
        } else if (v->type == ML_PARAM_F64S) {
            write_real(s, v->f64s[i]);
        } else {
            mli_json_str(s, v->strs[i]);
        }
    }
    mli_str_char(s, ']');
}

static void write_value(mli_str *s, const mli_value *v)
{
    if (!*v->text) {
        mli_str_add(s, "\"\"");
    } else if (v->type == ML_PARAM_BOOL || v->type == ML_PARAM_I64) {
        mli_str_add(s, v->text);
    } else if (v->type == ML_PARAM_F64) {
        write_real(s, v->f64);
    } else if (v->type >= ML_PARAM_I64S && v->type <= ML_PARAM_STRS) {
        write_list(s, v);
    } else {
        mli_json_str(s, v->text);
    }
}

void mli_params_json(mli_str *s, const ml_params *p)
{
    mli_str_char(s, '{');
    for (int64_t i = 0; i < p->count; i++) {
        mli_json_key(s, p->values[i].name, i == 0);
        write_value(s, &p->values[i]);
    }
    mli_str_char(s, '}');
}

static ml_status bad_json(const mli_json *j, const char *problem, ml_error *err)
{
    int64_t line, column;
    mli_json_place(j, &line, &column);
    mli_fail(err, ML_E_PARSE, "the parameters have %s", problem ? problem : j->problem);
    return mli_error_at(err, ML_E_PARSE, "line %lld, column %lld", (long long)line,
                        (long long)column);
}

/* An item of a list. */
static ml_status read_item(mli_items *items, mli_json *j, mli_json_token t, ml_error *err)
{
    if (t == MLI_JSON_NUMBER || t == MLI_JSON_TRUE || t == MLI_JSON_FALSE) {
        return mli_items_add(items, j->text, j->size, t == MLI_JSON_NUMBER, err);
    }
    if (t != MLI_JSON_STRING) {
        return bad_json(j, t < 0 ? NULL : "a list of something else than values", err);
    }
    mli_str s;
    mli_str_init(&s, items->ctx);
    ml_status status = mli_json_unescape(j, &s) ? ML_OK : mli_nomem(err);
    if (status == ML_OK) status = mli_items_add(items, s.data, s.size, 0, err);
    mli_str_free(&s);
    return status;
}

/* Among numbers, "nan" and "inf" in quotes are numbers too: JSON has no other way. */
static void mark_special(mli_items *items)
{
    int64_t numbers = 0;
    for (int64_t i = 0; i < items->count; i++) numbers += items->plain[i];
    for (int64_t i = 0; numbers && i < items->count; i++) {
        items->plain[i] |= (unsigned char)mli_in_list(items->texts[i], "nan,inf,-inf");
    }
}

static ml_status read_list(ml_context *ctx, mli_json *j, mli_value *v, ml_error *err)
{
    mli_items items;
    mli_items_init(&items, ctx);
    ml_status status = ML_OK;
    mli_json_token t = mli_json_next(j);
    for (; t != MLI_JSON_ARRAY_END && status == ML_OK; t = mli_json_next(j)) {
        status = read_item(&items, j, t, err);
        if (status != ML_OK) break;
    }
    mark_special(&items);
    if (status == ML_OK) status = mli_items_value(&items, mli_items_type(&items), v, err);
    mli_items_free(&items);
    return status;
}

static ml_status read_string(ml_context *ctx, const mli_json *j, mli_str *s,
                             ml_error *err)
{
    mli_str_init(s, ctx);
    ml_status status = mli_json_unescape(j, s) ? ML_OK : mli_nomem(err);
    if (status == ML_OK && memchr(s->data, 0, s->size)) {
        status = bad_json(j, "a text with a NUL character", err);
    }
    if (status != ML_OK) mli_str_free(s);
    return status;
}

ml_status mli_value_json(ml_context *ctx, mli_json *j, mli_value *v, ml_error *err)
{
    mli_json_token t = mli_json_next(j);
    int64_t whole;
    double real;
    mli_str s;
    ml_status status;
    switch (t) {
    case MLI_JSON_TRUE:
    case MLI_JSON_FALSE:
        return mli_value_bool(ctx, t == MLI_JSON_TRUE, v, err);
    case MLI_JSON_NUMBER:
        if (mli_json_i64(j, &whole)) return mli_value_i64(ctx, whole, v, err);
        if (mli_json_f64(j, &real)) return mli_value_f64(ctx, real, v, err);
        return bad_json(j, "a number that is not one", err);
    case MLI_JSON_NULL:
        return mli_value_str(ctx, "", v, err);
    case MLI_JSON_STRING:
        status = read_string(ctx, j, &s, err);
        if (status != ML_OK) return status;
        status = mli_value_str(ctx, s.data, v, err);
        mli_str_free(&s);
        return status;
    case MLI_JSON_ARRAY:
        return read_list(ctx, j, v, err);
    case MLI_JSON_OBJECT:
        return bad_json(j, "an object as a value", err);
    default:
        return bad_json(j, NULL, err);
    }
}

/* One value behind its name: stored, or checked against a descriptor. */
static ml_status read_pair(ml_params *p, const mli_descriptor *d, mli_json *j,
                           const char *name, ml_error *err)
{
    mli_value v = {0};
    ml_status status = mli_value_json(p->ctx, j, &v, err);
    if (status != ML_OK) return status;
    return d ? mli_params_take(p, d, name, &v, err) : mli_params_store(p, name, &v, err);
}

static ml_status read_object(ml_params *p, const mli_descriptor *d, const char *text,
                             size_t size, ml_error *err)
{
    mli_json j;
    mli_json_open(&j, text, size);
    mli_json_token t = mli_json_next(&j);
    if (t != MLI_JSON_OBJECT) {
        return bad_json(&j, t < 0 ? NULL : "no object at the top", err);
    }
    for (int64_t n = 0; (t = mli_json_next(&j)) == MLI_JSON_KEY; n++) {
        mli_str name;
        if (n == MLI_PARAMS_READ_MAX) return bad_json(&j, "too many values", err);
        ml_status status = read_string(p->ctx, &j, &name, err);
        if (status != ML_OK) return status;
        if (name.size == 0) status = bad_json(&j, "an empty name", err);
        /* The defaults of parts are there as soon as the parts are. */
        const mli_value *old = mli_params_find(p, name.data);
        if (status == ML_OK && old && old->given) {
            status = bad_json(&j, "a name twice", err);
        }
        if (status == ML_OK) status = read_pair(p, d, &j, name.data, err);
        mli_str_free(&name);
        if (status != ML_OK) return status;
    }
    if (t < 0 || mli_json_next(&j) != MLI_JSON_END) return bad_json(&j, NULL, err);
    return ML_OK;
}

ml_status mli_params_from_json(ml_params *p, const char *text, size_t size, ml_error *err)
{
    return read_object(p, NULL, text, size, err);
}

ml_status mli_params_from_json_checked(ml_params *p, const mli_descriptor *d,
                                       const char *text, size_t size, ml_error *err)
{
    return read_object(p, d, text, size, err);
}
