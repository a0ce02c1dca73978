/* SPDX-License-Identifier: MIT
 *
 * value.c: making, copying and freeing single values.
 */
#include "core/value.h"

#include <math.h>
#include <string.h>

void mli_value_free(ml_context *ctx, mli_value *v)
{
    if (!(v->borrowed & MLI_BORROWED_NAME)) mli_free(ctx, v->name);
    if (!(v->borrowed & MLI_BORROWED_TEXT)) mli_free(ctx, v->text);
    mli_free(ctx, v->i64s);
    mli_free(ctx, v->f64s);
    for (int64_t i = 0; v->strs && i < v->count; i++) mli_free(ctx, v->strs[i]);
    mli_free(ctx, v->strs);
    mli_free(ctx, v->places);
    *v = (mli_value){0};
}

/* Completes a value by its text. */
static ml_status finish(ml_context *ctx, mli_value v, const char *text, mli_value *out,
                        ml_error *err)
{
    v.text = mli_strdup(ctx, text);
    if (!v.text) return mli_nomem(err);
    *out = v;
    return ML_OK;
}

ml_status mli_value_bool(ml_context *ctx, int on, mli_value *out, ml_error *err)
{
    mli_value v = {.type = ML_PARAM_BOOL, .given = 1, .i64 = on != 0, .f64 = on != 0};
    return finish(ctx, v, on ? "true" : "false", out, err);
}

ml_status mli_value_i64(ml_context *ctx, int64_t x, mli_value *out, ml_error *err)
{
    mli_value v = {.type = ML_PARAM_I64, .given = 1, .i64 = x, .f64 = (double)x};
    mli_str s;
    mli_str_init(&s, ctx);
    mli_str_i64(&s, x);
    v.text = mli_str_take(&s);
    if (!v.text) return mli_nomem(err);
    *out = v;
    return ML_OK;
}

ml_status mli_value_f64(ml_context *ctx, double x, mli_value *out, ml_error *err)
{
    mli_value v = {.type = ML_PARAM_F64, .given = 1, .f64 = x};
    return finish(ctx, v, MLI_NUM(x), out, err);
}

ml_status mli_value_str(ml_context *ctx, const char *text, mli_value *out, ml_error *err)
{
    mli_value v = {.type = ML_PARAM_STR, .given = 1, .f64 = NAN};
    double
        number; /* "inf" in a model's JSON is a text, and read as a number all the same */
    if (mli_read_f64(text, &number)) v.f64 = number;
    return finish(ctx, v, text, out, err);
}

ml_status mli_value_unset(ml_context *ctx, int32_t type, mli_value *out, ml_error *err)
{
    mli_value v = {.type = type, .given = 1, .f64 = NAN};
    return finish(ctx, v, "", out, err);
}

/* Copies `size` bytes; NULL stays NULL. 1 on success. */
static int copy_array(ml_context *ctx, const void *from, size_t size, void *to)
{
    void *copy = NULL;
    if (from) {
        copy = mli_alloc(ctx, size);
        if (!copy) return 0;
        if (size) memcpy(copy, from, size);
    }
    memcpy(to, &copy, sizeof copy);
    return 1;
}

static int copy_lists(ml_context *ctx, const mli_value *from, mli_value *to)
{
    size_t n = (size_t)from->count;
    if (!copy_array(ctx, from->i64s, n * sizeof *from->i64s, &to->i64s)) return 0;
    if (!copy_array(ctx, from->f64s, n * sizeof *from->f64s, &to->f64s)) return 0;
    if (!copy_array(ctx, from->places, 2 * n * sizeof *from->places, &to->places))
        return 0;
    if (!from->strs) return 1;
    to->strs = mli_calloc(ctx, n, sizeof *to->strs);
    if (!to->strs) return 0;
    for (size_t i = 0; i < n; i++) {
        to->strs[i] = mli_strdup(ctx, from->strs[i]);
        if (!to->strs[i]) return 0;
    }
    return 1;
}

ml_status mli_value_copy(ml_context *ctx, const mli_value *from, mli_value *out,
                         ml_error *err)
{
    mli_value v = *from;
    v.name = NULL;
    v.i64s = NULL;
    v.f64s = NULL;
    v.strs = NULL;
    v.places = NULL;
    v.borrowed = 0;
    v.text = mli_strdup(ctx, from->text);
    if (!v.text || !copy_lists(ctx, from, &v)) {
        mli_value_free(ctx, &v);
        return mli_nomem(err);
    }
    *out = v;
    return ML_OK;
}
