/* SPDX-License-Identifier: MIT
 *
 * params_check.c: values against descriptors: unknown names, types, ranges, defaults.
 * Errors name the parameter as their place, and the nearest name or the legal range.
 */
#include "core/value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAMES_MAX 256
#define ITEM_SIZE 96

static ml_status place(const mli_param *q, ml_status status, ml_error *err)
{
    return mli_error_at(err, status, "params.%s", q->name);
}

/* The hint behind a wrong value. */
static ml_status hint_default(const mli_param *q, ml_status status, ml_error *err)
{
    place(q, status, err);
    if (q->dflt && *q->dflt) mli_error_hint(err, status, "the default is %s", q->dflt);
    return status;
}

static const char *wanted(const mli_param *q)
{
    static const char *const names[] = {
        "a value",           "true or false",   "an integer",
        "a number",          "a text",          "a list of integers",
        "a list of numbers", "a list of texts", "an estimator"};
    return names[q->type >= 1 && q->type <= 8 ? q->type : 0];
}

static ml_status wrong_type(const mli_param *q, const mli_value *v, ml_error *err)
{
    if (v->type == ML_PARAM_STR) {
        mli_fail(err, ML_E_TYPE, "%s is needed, not the text \"%s\"", wanted(q), v->text);
    } else {
        mli_fail(err, ML_E_TYPE, "%s is needed, not %s", wanted(q), v->text);
    }
    return hint_default(q, ML_E_TYPE, err);
}

static int to_bool(const mli_value *v, int *out)
{
    static const char *const words[] = {"false", "true", "no",  "yes",
                                        "0",     "1",    "off", "on"};
    if (v->type == ML_PARAM_BOOL || v->type == ML_PARAM_I64) {
        *out = v->i64 == 1;
        return v->i64 == 0 || v->i64 == 1;
    }
    for (int i = 0; i < 8; i++) {
        *out = i & 1;
        if (mli_same_word(v->text, words[i])) return 1;
    }
    return 0;
}

static int real_to_integer(double x, int64_t *out)
{
    if (!(fabs(x) < 0x1p63) || x != floor(x)) return 0;
    *out = (int64_t)x;
    return 1;
}

static int to_integer(const mli_value *v, int64_t *out)
{
    double x;
    if (v->type == ML_PARAM_I64) {
        *out = v->i64;
        return 1;
    }
    if (v->type == ML_PARAM_F64) return real_to_integer(v->f64, out);
    if (v->type != ML_PARAM_STR) return 0;
    return mli_read_i64(v->text, out) ||
           (mli_read_f64(v->text, &x) && real_to_integer(x, out));
}

static int to_real(const mli_value *v, double *out)
{
    *out = v->f64;
    if (v->type == ML_PARAM_I64 || v->type == ML_PARAM_F64) return 1;
    return v->type == ML_PARAM_STR && mli_read_f64(v->text, out);
}

/* Scalars other than lists can stand for a text. */
static int to_text(const mli_value *v, const char **out)
{
    *out = v->text;
    return v->type >= ML_PARAM_BOOL && v->type <= ML_PARAM_STR;
}

static ml_status to_list(ml_context *ctx, const mli_param *q, const mli_value *v,
                         mli_value *out, ml_error *err)
{
    mli_items items;
    mli_items_init(&items, ctx);
    ml_status status = mli_items_of(&items, v, err);
    if (status == ML_OK) status = mli_items_value(&items, q->type, out, err);
    mli_items_free(&items);
    if (status == ML_E_MEMORY || status == ML_OK) return status;
    place(q, status, err);
    return status;
}

/* The value as the parameter's type, not yet checked against its range. */
static ml_status convert(ml_context *ctx, const mli_param *q, const mli_value *v,
                         mli_value *out, ml_error *err)
{
    int on;
    int64_t whole;
    double real;
    const char *text;
    if (v->type != 0 && !*v->text && (q->flags & MLI_FLAG_NULLABLE)) {
        return mli_value_unset(ctx, q->type, out, err);
    }
    switch (q->type) {
    case ML_PARAM_BOOL:
        if (to_bool(v, &on)) return mli_value_bool(ctx, on, out, err);
        break;
    case ML_PARAM_I64:
        if (to_integer(v, &whole)) return mli_value_i64(ctx, whole, out, err);
        break;
    case ML_PARAM_F64:
        if (to_real(v, &real)) return mli_value_f64(ctx, real, out, err);
        break;
    case ML_PARAM_STR:
    case ML_PARAM_ESTIMATOR:
        if (!to_text(v, &text)) break;
        ml_status status = mli_value_str(ctx, text, out, err);
        if (status == ML_OK) out->type = q->type;
        return status;
    default:
        return to_list(ctx, q, v, out, err);
    }
    return wrong_type(q, v, err);
}

static ml_status not_in_set(const mli_param *q, const mli_range *r, const char *text,
                            ml_error *err)
{
    char items[NAMES_MAX][ITEM_SIZE], list[512];
    const char *names[NAMES_MAX];
    int64_t n = r->count < NAMES_MAX ? r->count : NAMES_MAX;
    for (int64_t i = 0; i < n; i++) {
        mli_range_item(r, i, items[i], ITEM_SIZE);
        names[i] = items[i];
    }
    mli_join(list, sizeof list, names, n);
    mli_fail(err, ML_E_RANGE, "\"%s\" is not one of %s", text, list);
    const char *near = mli_nearest(text, names, n);
    if (!near) return hint_default(q, ML_E_RANGE, err);
    place(q, ML_E_RANGE, err);
    return mli_error_hint(err, ML_E_RANGE, "did you mean \"%s\"?", near);
}

static int in_set(const mli_range *r, const char *text)
{
    char item[ITEM_SIZE];
    for (int64_t i = 0; i < r->count; i++) {
        mli_range_item(r, i, item, sizeof item);
        if (strcmp(item, text) == 0) return 1;
    }
    return 0;
}

static ml_status outside(const mli_param *q, const char *text, ml_error *err)
{
    mli_fail(err, ML_E_RANGE, "%s is outside the legal range %s", text, q->range);
    return hint_default(q, ML_E_RANGE, err);
}

static int real_inside(const mli_range *r, double x)
{
    return (r->open_low ? x > r->low : x >= r->low) &&
           (r->open_high ? x < r->high : x <= r->high);
}

static ml_status check_integer(const mli_param *q, const mli_range *r, int64_t x,
                               ml_error *err)
{
    char text[24];
    if (x >= r->ilow && x <= r->ihigh) return ML_OK;
    snprintf(text, sizeof text, "%lld", (long long)x);
    return outside(q, text, err);
}

static ml_status check_real(const mli_param *q, const mli_range *r, double x,
                            ml_error *err)
{
    return real_inside(r, x) ? ML_OK : outside(q, MLI_NUM(x), err);
}

static ml_status check_text(const mli_param *q, const mli_range *r, const char *text,
                            ml_error *err)
{
    return !r->is_set || in_set(r, text) ? ML_OK : not_in_set(q, r, text, err);
}

ml_status mli_param_legal(const mli_param *q, const mli_value *v, ml_error *err)
{
    mli_range r;
    ml_status status = ML_OK;
    if (!q->range || (!*v->text && (q->flags & MLI_FLAG_NULLABLE))) return ML_OK;
    if (!mli_range_parse(q->range, &r)) {
        return mli_fail(err, ML_E_INTERNAL, "the range of %s, %s, is malformed", q->name,
                        q->range);
    }
    if (r.is_set && v->type <= ML_PARAM_STR) return check_text(q, &r, v->text, err);
    if (v->type == ML_PARAM_I64) return check_integer(q, &r, v->i64, err);
    if (v->type == ML_PARAM_F64) return check_real(q, &r, v->f64, err);
    for (int64_t i = 0; i < v->count && status == ML_OK; i++) {
        if (v->type == ML_PARAM_I64S) status = check_integer(q, &r, v->i64s[i], err);
        if (v->type == ML_PARAM_F64S) status = check_real(q, &r, v->f64s[i], err);
        if (v->type == ML_PARAM_STRS) status = check_text(q, &r, v->strs[i], err);
    }
    return status;
}

/* Stores a list of parts, and what comes and goes with it. Takes the value. */
static ml_status put_parts(ml_params *p, const mli_param *q, mli_value *v, ml_error *err)
{
    mli_value old = {0};
    const mli_value *before = mli_params_find(p, q->name);
    ml_status status = before ? mli_value_copy(p->ctx, before, &old, err) : ML_OK;
    if (status == ML_OK) {
        status = mli_params_store(p, q->name, v, err);
    } else {
        mli_value_free(p->ctx, v);
    }
    if (status == ML_OK) status = mli_parts_renew(p, q, before ? &old : NULL, err);
    mli_value_free(p->ctx, &old);
    return status;
}

ml_status mli_param_convert(ml_context *ctx, const mli_param *q, const mli_value *value,
                            mli_value *out, ml_error *err)
{
    ml_status status = convert(ctx, q, value, out, err);
    if (status != ML_OK) return status;
    status = q->flags & MLI_FLAG_PARTS ? mli_parts_normal(ctx, q, out, err)
                                       : mli_param_legal(q, out, err);
    if (status != ML_OK) mli_value_free(ctx, out);
    return status;
}

/* Checks and stores; `given`: by the user, not a default. The value has its text. */
static ml_status put_whole(ml_params *p, const mli_param *q, const mli_value *value,
                           int given, ml_error *err)
{
    mli_value v;
    if (!*value->text && (q->flags & MLI_FLAG_NULLABLE) && !q->dflt) {
        mli_params_remove(p, q->name); /* without a default, not set means absent */
        return ML_OK;
    }
    ml_status status = mli_param_convert(p->ctx, q, value, &v, err);
    if (status != ML_OK) return status;
    v.given = given;
    return q->flags & MLI_FLAG_PARTS ? put_parts(p, q, &v, err)
                                     : mli_params_store(p, q->name, &v, err);
}

/* The same for numbers without text, as callers make them on the stack. */
static ml_status put(ml_params *p, const mli_param *q, const mli_value *value, int given,
                     ml_error *err)
{
    mli_value v;
    ml_status status = ML_OK;
    if (value->text) return put_whole(p, q, value, given, err);
    if (value->type == ML_PARAM_F64) {
        status = mli_value_f64(p->ctx, value->f64, &v, err);
    } else if (value->type == ML_PARAM_BOOL) {
        status = mli_value_bool(p->ctx, value->i64 != 0, &v, err);
    } else {
        status = mli_value_i64(p->ctx, value->i64, &v, err);
    }
    if (status != ML_OK) return status;
    status = put_whole(p, q, &v, given, err);
    mli_value_free(p->ctx, &v);
    return status;
}

/* Names of parameters and roles, the aliases left out. */
static int64_t list_names(const mli_descriptor *d, const char **names)
{
    int64_t n = 0;
    for (const mli_param *q = d->params; q && q->name && n < NAMES_MAX; q++) {
        names[n++] = q->name;
    }
    for (const mli_param *q = d->roles; q && q->name && n < NAMES_MAX; q++) {
        names[n++] = q->name;
    }
    return n;
}

/* The proper name of the parameter whose alias is nearest to `name`, or NULL. */
static const char *nearest_alias(const mli_param *list, const char *name, int *least)
{
    const char *best = NULL;
    for (const mli_param *q = list; q && q->name; q++) {
        for (const char *at = q->aliases; at && *at;) {
            char alias[ITEM_SIZE];
            const char *one = alias;
            size_t n = strcspn(at, ",");
            snprintf(alias, sizeof alias, "%.*s", (int)n, at);
            at += n + (at[n] == ',');
            int distance = mli_distance(name, alias);
            if (distance < *least && mli_nearest(name, &one, 1)) {
                *least = distance;
                best = q->name;
            }
        }
    }
    return best;
}

ml_status mli_param_unknown(const mli_descriptor *d, const char *name, const char *path,
                            ml_error *err)
{
    const char *names[NAMES_MAX];
    int64_t n = list_names(d, names);
    mli_fail(err, ML_E_NAME, "%s has no parameter \"%s\"", d->name, name);
    mli_error_at(err, ML_E_NAME, "params.%s", path);
    const char *near = mli_nearest(name, names, n);
    int least = near ? mli_distance(name, near) : 1000;
    const char *by_alias = nearest_alias(d->params, name, &least);
    if (by_alias) near = by_alias;
    by_alias = nearest_alias(d->roles, name, &least);
    if (by_alias) near = by_alias;
    if (near) return mli_error_hint(err, ML_E_NAME, "did you mean \"%s\"?", near);
    if (n == 0) return mli_error_hint(err, ML_E_NAME, "it takes no parameters");
    char list[512];
    mli_join(list, sizeof list, names, n);
    return mli_error_hint(err, ML_E_NAME, "its parameters are %s", list);
}

/* Adds to the place of a failure where the value stood in a document: its name when there
 * is no such parameter, or the item of a list that is no part. */
static ml_status locate(const mli_value *v, const mli_param *q, ml_status status,
                        ml_error *err)
{
    char place[512];
    mli_param_part part;
    if (!status || !v->line || !err || status == ML_E_MEMORY) return status;
    int32_t line = q ? v->line : v->name_line, column = q ? v->column : v->name_column;
    int64_t bad = 0, n = v->places && q && q->flags & MLI_FLAG_PARTS ? v->count : 0;
    while (bad < n && !mli_part_read(q, v->strs[bad], &part, NULL)) bad++;
    if (bad < n) {
        line = v->places[2 * bad];
        column = v->places[2 * bad + 1];
    }
    snprintf(place, sizeof place, "%s", ml_error_location(err));
    return mli_error_at(err, status, "line %d, column %d, %s", (int)line, (int)column,
                        place);
}

static ml_status put_path(ml_params *p, const mli_descriptor *d, const char *path,
                          const mli_value *value, int given, ml_error *err)
{
    mli_path at;
    ml_status status = mli_path_find(p, d, path, &at, err);
    if (!status) status = put(p, at.param, value, given, err);
    return locate(value, at.param, status, err);
}

ml_status mli_params_put(ml_params *p, const mli_descriptor *d, const char *name,
                         const mli_value *value, ml_error *err)
{
    return put_path(p, d, name, value, 1, err);
}

ml_status mli_params_default(ml_params *p, const mli_param *q, ml_error *err)
{
    mli_value text = {.type = ML_PARAM_STR};
    if (!q->dflt) return ML_OK;
    text.text = (char *)(uintptr_t)q->dflt;
    return put(p, q, &text, 0, err);
}

ml_status mli_params_take(ml_params *p, const mli_descriptor *d, const char *name,
                          mli_value *value, ml_error *err)
{
    mli_path at;
    ml_status status = mli_path_find(p, d, name, &at, err);
    const mli_param *q = at.param;
    if (status == ML_OK && q->type == value->type && value->type <= ML_PARAM_STR &&
        *value->text) {
        status = mli_param_legal(q, value, err); /* no need to convert */
        if (status == ML_OK) return mli_params_store(p, q->name, value, err);
    } else if (status == ML_OK) {
        status = put(p, q, value, 1, err);
    }
    mli_value_free(p->ctx, value);
    return status;
}

/* Which parameter each given value is for; NULL for those of parts. Sets are mostly in
 * the order of the descriptor, so the one behind the last is tried first. */
typedef struct matching {
    const ml_params *given;
    const mli_param **which;
} matching;

static const mli_param *next_or_find(const mli_descriptor *d, const mli_param *last,
                                     const char *name)
{
    const mli_param *next = last ? last + 1 : d->params;
    if (next && !next->name) next = d->roles;
    if (next && next->name && strcmp(next->name, name) == 0) return next;
    return mli_param_find(d, name);
}

static ml_status given_twice(const mli_param *q, const char *a, const char *b,
                             ml_error *err)
{
    mli_fail(err, ML_E_ARGUMENT, "given twice, as \"%s\" and as \"%s\"", a, b);
    place(q, ML_E_ARGUMENT, err);
    return mli_error_hint(err, ML_E_ARGUMENT, "leave one of them out");
}

/* Each given name must be known, and no parameter given twice under two names. */
static ml_status match_names(const mli_descriptor *d, matching *m, ml_error *err)
{
    const mli_param *last = NULL;
    for (int64_t i = 0; m->given && i < m->given->count; i++) {
        const char *name = m->given->values[i].name;
        const mli_param *q = strchr(name, '.') ? NULL : next_or_find(d, last, name);
        m->which[i] = q;
        if (!q && strchr(name, '.')) continue;
        if (!q)
            return locate(&m->given->values[i], NULL,
                          mli_param_unknown(d, name, name, err), err);
        for (int64_t k = 0; k < i; k++) {
            if (m->which[k] == q)
                return given_twice(q, m->given->values[k].name, name, err);
        }
        last = q;
    }
    return ML_OK;
}

/* The value given for a parameter under any of its names. */
static const mli_value *given_for(const matching *m, const mli_param *q)
{
    for (int64_t i = 0; m->given && i < m->given->count; i++) {
        if (m->which[i] == q) return &m->given->values[i];
    }
    return NULL;
}

/* Is a list given under the plural of its name, such as targets for target? */
static int has_plural(const mli_descriptor *d, const mli_param *q, const matching *m)
{
    char name[64];
    if (snprintf(name, sizeof name, "%ss", q->name) >= (int)sizeof name) return 0;
    const mli_param *list = mli_param_find(d, name);
    const mli_value *v = list && list->type == ML_PARAM_STRS ? given_for(m, list) : NULL;
    return v && v->count > 0;
}

static ml_status resolve_one(const mli_descriptor *d, const mli_param *q,
                             const matching *m, ml_params *p, ml_error *err)
{
    const mli_value *v = given_for(m, q);
    if (v) return locate(v, q, put(p, q, v, v->given, err), err);
    if (!(q->flags & MLI_FLAG_REQUIRED)) return mli_params_default(p, q, err);
    if (has_plural(d, q, m)) return ML_OK;
    mli_fail(err, ML_E_ARGUMENT, "%s needs a value for \"%s\"", d->name, q->name);
    place(q, ML_E_ARGUMENT, err);
    return mli_error_hint(err, ML_E_ARGUMENT, "set %s to %s", q->name,
                          q->flags & MLI_FLAG_ROLE ? "the name of a column" : wanted(q));
}

static ml_status resolve_list(const mli_descriptor *d, const mli_param *list,
                              const matching *m, ml_params *p, ml_error *err)
{
    ml_status status = ML_OK;
    for (const mli_param *q = list; q && q->name && status == ML_OK; q++) {
        status = resolve_one(d, q, m, p, err);
    }
    return status;
}

static int dots(const char *name)
{
    int n = 0;
    for (; *name; name++) n += *name == '.';
    return n;
}

/* Those with so many dots; *deepest is the largest number seen. */
static ml_status put_level(ml_params *p, const mli_descriptor *d, const ml_params *given,
                           int level, int *deepest, ml_error *err)
{
    ml_status status = ML_OK;
    for (int64_t i = 0; given && i < given->count && status == ML_OK; i++) {
        const mli_value *v = &given->values[i];
        int n = dots(v->name);
        if (n > *deepest) *deepest = n;
        if (n == level) status = put_path(p, d, v->name, v, v->given, err);
    }
    return status;
}

/* Parameters of parts: those of parts of parts come after the lists that make them. */
static ml_status put_parts_of(ml_params *p, const mli_descriptor *d,
                              const ml_params *given, ml_error *err)
{
    int deepest = 1;
    ml_status status = ML_OK;
    for (int level = 1; level <= deepest && status == ML_OK; level++)
        status = put_level(p, d, given, level, &deepest, err);
    return status;
}

ml_status mli_params_put_all(ml_params *p, const mli_descriptor *d,
                             const ml_params *given, ml_error *err)
{
    ml_status status = ML_OK;
    for (int64_t i = 0; i < given->count && status == ML_OK; i++) {
        const mli_value *v = &given->values[i];
        if (!strchr(v->name, '.')) status = mli_params_put(p, d, v->name, v, err);
    }
    return status ? status : put_parts_of(p, d, given, err);
}

ml_status mli_params_resolve(ml_context *ctx, const mli_descriptor *d,
                             const ml_params *given, ml_params **out, ml_error *err)
{
    ml_params *p = NULL;
    matching m = {.given = given};
    m.which = mli_calloc(ctx, given ? (size_t)given->count : 0, sizeof *m.which);
    if (!m.which) return mli_nomem(err);
    ml_status status = match_names(d, &m, err);
    if (status == ML_OK) status = ml_params_new(ctx, &p, err);
    if (status == ML_OK) status = resolve_list(d, d->params, &m, p, err);
    if (status == ML_OK) status = put_parts_of(p, d, given, err);
    if (status == ML_OK) status = mli_parts_complete(p, d, "", err);
    if (status == ML_OK) status = resolve_list(d, d->roles, &m, p, err);
    mli_free(ctx, m.which);
    if (status != ML_OK) {
        ml_params_free(p);
        return status;
    }
    *out = p;
    return ML_OK;
}

ml_status mli_params_resolve_again(ml_context *ctx, const mli_descriptor *d,
                                   const ml_params *given, ml_params **out, ml_error *err)
{
    mli_descriptor part = *d;
    if (part.roles && part.roles->name && !mli_params_find(given, part.roles->name))
        part.roles = NULL;
    return mli_params_resolve(ctx, &part, given, out, err);
}
