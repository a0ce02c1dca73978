/* SPDX-License-Identifier: MIT
 *
 * params.c: sets of named values: the public calls, and reading values that a
 * descriptor guarantees. Checking against descriptors is in params_check.c.
 */
#include "core/value.h"

#include <math.h>
#include <string.h>

ml_status ml_params_new(ml_context *context, ml_params **out, ml_error *error)
{
    if (!context) return mli_null(error, "context");
    if (!out) return mli_null(error, "out");
    ml_params *p = mli_calloc(context, 1, sizeof *p);
    if (!p) return mli_nomem(error);
    p->ctx = mli_context_ref(context);
    *out = p;
    return ML_OK;
}

void ml_params_free(ml_params *params)
{
    if (!params) return;
    ml_context *ctx = params->ctx;
    for (int64_t i = 0; i < params->count; i++) mli_value_free(ctx, &params->values[i]);
    mli_free(ctx, params->values);
    mli_free(ctx, params->texts);
    mli_free(ctx, params);
    ml_context_free(ctx);
}

const mli_value *mli_params_find(const ml_params *p, const char *name)
{
    for (int64_t i = 0; i < p->count; i++) {
        const char *other = p->values[i].name;
        if (*other == *name && strcmp(other, name) == 0) return &p->values[i];
    }
    return NULL;
}

ml_status mli_params_store(ml_params *p, const char *name, mli_value *value,
                           ml_error *err)
{
    value->name = mli_strdup(p->ctx, name);
    mli_value *old = (mli_value *)(uintptr_t)mli_params_find(p, name);
    if (!value->name || (!old && !mli_reserve(p->ctx, &p->values, &p->capacity,
                                              p->count + 1, sizeof *p->values))) {
        mli_value_free(p->ctx, value);
        return mli_nomem(err);
    }
    if (old) {
        mli_value_free(p->ctx, old);
    } else {
        old = &p->values[p->count++];
    }
    *old = *value;
    *value = (mli_value){0};
    return ML_OK;
}

ml_status mli_params_remove(ml_params *p, const char *name)
{
    mli_value *v = (mli_value *)(uintptr_t)mli_params_find(p, name);
    if (!v) return ML_E_NAME;
    mli_value_free(p->ctx, v);
    p->count--;
    memmove(v, v + 1, (size_t)(p->values + p->count - v) * sizeof *v);
    return ML_OK;
}

ml_status ml_params_clone(const ml_params *params, ml_params **out, ml_error *error)
{
    if (!params) return mli_null(error, "params");
    if (!out) return mli_null(error, "out");
    ml_params *p = NULL;
    ml_status status = ml_params_new(params->ctx, &p, error);
    for (int64_t i = 0; i < params->count && status == ML_OK; i++) {
        mli_value v;
        status = mli_value_copy(p->ctx, &params->values[i], &v, error);
        if (status == ML_OK)
            status = mli_params_store(p, params->values[i].name, &v, error);
    }
    if (status != ML_OK) {
        ml_params_free(p);
        return status;
    }
    *out = p;
    return ML_OK;
}

static ml_status check_name(const ml_params *p, const char *name, ml_error *err)
{
    if (!p) return mli_null(err, "params");
    if (!name) return mli_null(err, "name");
    if (!*name) return mli_fail(err, ML_E_ARGUMENT, "the name of a parameter is empty");
    if (mli_utf8_valid(name, strlen(name)) < strlen(name)) {
        return mli_fail(err, ML_E_ARGUMENT, "the name of a parameter is not UTF-8");
    }
    return ML_OK;
}

ml_status ml_params_set_i64(ml_params *params, const char *name, int64_t value,
                            ml_error *error)
{
    mli_value v;
    ml_status status = check_name(params, name, error);
    if (status == ML_OK) status = mli_value_i64(params->ctx, value, &v, error);
    return status == ML_OK ? mli_params_store(params, name, &v, error) : status;
}

ml_status ml_params_set_f64(ml_params *params, const char *name, double value,
                            ml_error *error)
{
    mli_value v;
    ml_status status = check_name(params, name, error);
    if (status == ML_OK) status = mli_value_f64(params->ctx, value, &v, error);
    return status == ML_OK ? mli_params_store(params, name, &v, error) : status;
}

ml_status ml_params_set_str(ml_params *params, const char *name, const char *value,
                            ml_error *error)
{
    mli_value v;
    ml_status status = check_name(params, name, error);
    if (status != ML_OK) return status;
    if (!value) return mli_null(error, "value");
    if (mli_utf8_valid(value, strlen(value)) < strlen(value)) {
        mli_fail(error, ML_E_ARGUMENT, "the text is not UTF-8");
        return mli_error_at(error, ML_E_ARGUMENT, "params.%s", name);
    }
    status = mli_value_str(params->ctx, value, &v, error);
    return status == ML_OK ? mli_params_store(params, name, &v, error) : status;
}

int64_t ml_params_count(const ml_params *params)
{
    return params ? params->count : 0;
}

const char *ml_params_name(const ml_params *params, int64_t index)
{
    if (!params || index < 0 || index >= params->count) return NULL;
    return params->values[index].name;
}

static const mli_value *find(const ml_params *params, const char *name)
{
    return params && name ? mli_params_find(params, name) : NULL;
}

int32_t ml_params_type(const ml_params *params, const char *name)
{
    const mli_value *v = find(params, name);
    return v ? v->type : 0;
}

const char *ml_params_get_str(const ml_params *params, const char *name)
{
    const mli_value *v = find(params, name);
    return v ? v->text : NULL;
}

static ml_status no_value(const ml_params *p, const char *name, ml_error *err)
{
    const char *best = NULL;
    for (int64_t i = 0; i < p->count; i++) {
        const char *pair[2] = {p->values[i].name, best};
        best = mli_nearest(name, pair, best ? 2 : 1);
    }
    mli_fail(err, ML_E_NAME, "the set has no value \"%s\"", name);
    mli_error_at(err, ML_E_NAME, "params.%s", name);
    if (best) mli_error_hint(err, ML_E_NAME, "did you mean \"%s\"?", best);
    return ML_E_NAME;
}

static ml_status not_a(const mli_value *v, const char *wanted, ml_error *err)
{
    mli_fail(err, ML_E_TYPE, "the value \"%s\" is not %s", v->text, wanted);
    mli_error_at(err, ML_E_TYPE, "params.%s", v->name);
    return mli_error_hint(err, ML_E_TYPE, "read it with ml_params_get_str");
}

/* The checks that both getters share. */
static ml_status find_for_get(const ml_params *p, const char *name, const void *out,
                              const mli_value **v, ml_error *err)
{
    if (!p) return mli_null(err, "params");
    if (!name) return mli_null(err, "name");
    if (!out) return mli_null(err, "out");
    *v = mli_params_find(p, name);
    return *v ? ML_OK : no_value(p, name, err);
}

ml_status ml_params_get_i64(const ml_params *params, const char *name, int64_t *out,
                            ml_error *error)
{
    const mli_value *v;
    ml_status status = find_for_get(params, name, out, &v, error);
    if (status != ML_OK) return status;
    if ((v->type != ML_PARAM_I64 && v->type != ML_PARAM_BOOL) || !*v->text) {
        return not_a(v, "an integer", error);
    }
    *out = v->i64;
    return ML_OK;
}

ml_status ml_params_get_f64(const ml_params *params, const char *name, double *out,
                            ml_error *error)
{
    const mli_value *v;
    ml_status status = find_for_get(params, name, out, &v, error);
    if (status != ML_OK) return status;
    if ((v->type != ML_PARAM_F64 && v->type != ML_PARAM_I64) || !*v->text) {
        return not_a(v, "a number", error);
    }
    *out = v->f64;
    return ML_OK;
}

int64_t mli_get_i64(const ml_params *p, const char *name)
{
    const mli_value *v = mli_params_find(p, name);
    return v ? v->i64 : 0;
}

double mli_get_f64(const ml_params *p, const char *name)
{
    const mli_value *v = mli_params_find(p, name);
    return v ? v->f64 : NAN;
}

int mli_get_bool(const ml_params *p, const char *name)
{
    return mli_get_i64(p, name) != 0;
}

const char *mli_get_str(const ml_params *p, const char *name)
{
    const mli_value *v = mli_params_find(p, name);
    return v ? v->text : "";
}

int mli_get_enum(const ml_params *p, const char *name, const char *names)
{
    const char *text = mli_get_str(p, name);
    size_t size = strlen(text);
    int i = 0;
    for (const char *at = names; at; i++) {
        const char *comma = strchr(at, ',');
        size_t n = comma ? (size_t)(comma - at) : strlen(at);
        if (n == size && memcmp(at, text, n) == 0) return i;
        at = comma ? comma + 1 : NULL;
    }
    return -1;
}

int64_t mli_get_f64s(const ml_params *p, const char *name, const double **out)
{
    const mli_value *v = mli_params_find(p, name);
    *out = v ? v->f64s : NULL;
    return *out ? v->count : 0;
}

int64_t mli_get_i64s(const ml_params *p, const char *name, const int64_t **out)
{
    const mli_value *v = mli_params_find(p, name);
    *out = v ? v->i64s : NULL;
    return *out ? v->count : 0;
}

int64_t mli_get_strs(const ml_params *p, const char *name, const char *const **out)
{
    const mli_value *v = mli_params_find(p, name);
    *out = v ? (const char *const *)v->strs : NULL;
    return *out ? v->count : 0;
}
