/* SPDX-License-Identifier: MIT
 *
 * params_parts.c: algorithms inside algorithms. The parameters of a part stand in the set
 * of the whole under a path, "scale.with_mean", so that a set stays a flat list of names:
 * whatever reads, writes, tunes or compares parameters needs to know nothing of it.
 */
#include "core/value.h"

#include <stdio.h>
#include <string.h>

/* ---- one part ---- */

static ml_status bad_item(const mli_param *list, const char *item, const char *problem,
                          ml_error *err)
{
    mli_fail(err, ML_E_ARGUMENT, "\"%s\" %s", item, problem);
    return mli_error_at(err, ML_E_ARGUMENT, "params.%s", list->name);
}

static int is_word(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        int letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(c >= '0' && c <= '9')) return 0;
    }
    return size > 0 && size < MLI_PART_NAME;
}

ml_status mli_part_read(const mli_param *list, const char *item, mli_param_part *out,
                        ml_error *err)
{
    char algorithm[MLI_PART_NAME];
    const char *equals = strchr(item, '=');
    size_t size = equals ? (size_t)(equals - item) : strlen(item);
    while (size && item[size - 1] == ' ') size--;
    if (!is_word(item, size)) {
        return bad_item(list, item, "is no name for a part: letters, digits and _", err);
    }
    snprintf(out->name, sizeof out->name, "%.*s", (int)size, item);
    if (equals) equals += 1 + strspn(equals + 1, " ");
    snprintf(algorithm, sizeof algorithm, "%s", equals ? equals : out->name);
    mli_range r;
    if (list->range && mli_range_parse(list->range, &r)) {
        if (equals) return bad_item(list, item, "should be a name alone", err);
        mli_range_item(&r, 0, algorithm, sizeof algorithm);
    }
    ml_status status =
        mli_catalog_get(algorithm, MLI_SORT_ALGORITHM, "algorithm", &out->d, err);
    return status ? mli_error_at(err, status, "params.%s", list->name) : ML_OK;
}

static ml_status twice(const mli_param *list, const mli_param_part *part, ml_error *err)
{
    bad_item(list, part->name, "names two parts", err);
    return mli_error_hint(err, ML_E_ARGUMENT, "give one its own name: \"first=%s\"",
                          part->d->name);
}

static ml_status add_normal(mli_items *items, const mli_param *list, const char *item,
                            ml_error *err)
{
    mli_param_part part;
    char text[2 * MLI_PART_NAME + 2];
    ml_status status = mli_part_read(list, item, &part, err);
    if (status) return status;
    size_t n = strlen(part.name);
    for (int64_t k = 0; k < items->count; k++) {
        const char *other = items->texts[k];
        if (strncmp(other, part.name, n) == 0 && (!other[n] || other[n] == '='))
            return twice(list, &part, err);
    }
    int alone = list->range || strcmp(part.name, part.d->name) == 0;
    snprintf(text, sizeof text, "%s%s%s", part.name, alone ? "" : "=",
             alone ? "" : part.d->name);
    return mli_items_add(items, text, strlen(text), 0, err);
}

ml_status mli_parts_normal(ml_context *ctx, const mli_param *list, mli_value *v,
                           ml_error *err)
{
    mli_items items;
    mli_value normal = {0};
    ml_status status = ML_OK;
    mli_items_init(&items, ctx);
    for (int64_t i = 0; i < v->count && !status; i++)
        status = add_normal(&items, list, v->strs[i], err);
    if (!status) status = mli_items_value(&items, ML_PARAM_STRS, &normal, err);
    mli_items_free(&items);
    if (status) return status;
    normal.given = v->given;
    mli_value_free(ctx, v);
    *v = normal;
    return ML_OK;
}

/* The part of that name in a list of the set; 0 when there is none. */
static int find_part(const ml_params *p, const mli_param *list, const char *full,
                     const char *name, mli_param_part *out)
{
    const mli_value *v = mli_params_find(p, full);
    for (int64_t i = 0; v && i < v->count; i++) {
        if (mli_part_read(list, v->strs[i], out, NULL)) continue;
        if (strcmp(out->name, name) == 0) return 1;
    }
    return 0;
}

/* ---- paths ---- */

/* "prefix" + name, where there is room. 1 on success. */
static int join(char *to, const char *prefix, const char *name)
{
    int n = snprintf(to, MLI_PATH_SIZE, "%s%s", prefix, name);
    return n > 0 && n < MLI_PATH_SIZE;
}

/* Names below a parameter that is no part: a mapping where a value or a list belongs. */
static ml_status no_mapping(const mli_param *q, const char *path, ml_error *err)
{
    const char *what = q->flags & MLI_FLAG_PARTS ? "a list"
                       : q->type == ML_PARAM_STR ? "a text"
                                                 : "a value";
    mli_fail(err, ML_E_NAME, "%s is %s, not a mapping", q->name, what);
    mli_error_at(err, ML_E_NAME, "params.%s", path);
    return mli_error_hint(
        err, ML_E_NAME,
        q->flags & MLI_FLAG_PARTS
            ? "in YAML write `- ` before each of its items"
            : "in YAML write it in one line, or a long text behind `|`");
}

static ml_status no_part(const ml_params *p, const mli_descriptor *d, const char *prefix,
                         const char *name, const char *path, ml_error *err)
{
    char full[MLI_PATH_SIZE];
    const mli_param *same = mli_param_find(d, name);
    if (same) return no_mapping(same, path, err);
    mli_fail(err, ML_E_NAME, "%s has no part \"%s\"", d->name, name);
    mli_error_at(err, ML_E_NAME, "params.%s", path);
    for (const mli_param *q = d->params; q && q->name; q++) {
        if (!(q->flags & MLI_FLAG_PARTS) || !join(full, prefix, q->name)) continue;
        const mli_value *v = mli_params_find(p, full);
        if (v && *v->text)
            return mli_error_hint(err, ML_E_NAME, "%s are %s", q->name, v->text);
        return mli_error_hint(err, ML_E_NAME, "set %s first", full);
    }
    return mli_error_hint(err, ML_E_NAME, "%s has no parts", d->name);
}

/* Steps into the part `name`: the prefix grows. */
static ml_status enter(const ml_params *p, const mli_descriptor **d,
                       char prefix[MLI_PATH_SIZE], const char *name, const char *path,
                       ml_error *err)
{
    char full[MLI_PATH_SIZE];
    mli_param_part part;
    for (const mli_param *q = (*d)->params; q && q->name; q++) {
        if (!(q->flags & MLI_FLAG_PARTS) || !join(full, prefix, q->name)) continue;
        if (!find_part(p, q, full, name, &part)) continue;
        *d = part.d;
        size_t used = strlen(prefix);
        int n = snprintf(prefix + used, MLI_PATH_SIZE - used, "%s.", name);
        if (n > 0 && (size_t)n < MLI_PATH_SIZE - used) return ML_OK;
    }
    return no_part(p, *d, prefix, name, path, err);
}

ml_status mli_path_find(const ml_params *p, const mli_descriptor *d, const char *path,
                        mli_path *out, ml_error *err)
{
    char prefix[MLI_PATH_SIZE] = "", name[MLI_PART_NAME];
    const char *rest = path, *dot;
    ml_status status = ML_OK;
    out->param = NULL;
    while ((dot = strchr(rest, '.')) != NULL && !status) {
        snprintf(name, sizeof name, "%.*s", (int)(dot - rest), rest);
        status = enter(p, &d, prefix, name, path, err);
        rest = dot + 1;
    }
    if (status) return status;
    const mli_param *q = mli_param_find(d, rest);
    /* Parts have no roles: those of the whole count. */
    if (q && *prefix && (q->flags & MLI_FLAG_ROLE)) q = NULL;
    if (!q || !join(out->name, prefix, q->name)) {
        mli_descriptor known = *d;
        if (*prefix) known.roles = NULL;
        return mli_param_unknown(&known, rest, path, err);
    }
    out->d = d;
    out->copy = *q;
    out->copy.name = out->name;
    out->param = *prefix ? &out->copy : q;
    return ML_OK;
}

/* ---- lists of parts ---- */

static int has_item(const mli_value *v, const char *item)
{
    for (int64_t i = 0; v && i < v->count; i++) {
        if (strcmp(v->strs[i], item) == 0) return 1;
    }
    return 0;
}

/* Removes all values whose name begins with the prefix. */
static void remove_below(ml_params *p, const char *prefix)
{
    size_t n = strlen(prefix);
    for (int64_t i = p->count - 1; i >= 0; i--) {
        if (strncmp(p->values[i].name, prefix, n) != 0) continue;
        (void)!mli_params_remove(p, p->values[i].name);
    }
}

/* What the paths of a list's parts begin with: its own path without its name. */
static void prefix_of(const mli_param *list, char prefix[MLI_PATH_SIZE])
{
    const char *dot = strrchr(list->name, '.');
    snprintf(prefix, MLI_PATH_SIZE, "%.*s", dot ? (int)(dot - list->name + 1) : 0,
             list->name);
}

static ml_status add_defaults(ml_params *p, const mli_descriptor *d, const char *prefix,
                              ml_error *err)
{
    char full[MLI_PATH_SIZE];
    ml_status status = ML_OK;
    for (const mli_param *q = d->params; q && q->name && !status; q++) {
        mli_param copy = *q;
        copy.name = full;
        if (!join(full, prefix, q->name))
            return mli_fail(err, ML_E_ARGUMENT, "the path \"%s%s\" is too long", prefix,
                            q->name);
        status = mli_params_default(p, &copy, err);
    }
    return status;
}

ml_status mli_parts_renew(ml_params *p, const mli_param *list, const mli_value *old,
                          ml_error *err)
{
    char prefix[MLI_PATH_SIZE], below[MLI_PATH_SIZE + MLI_PART_NAME + 1];
    mli_param_part part;
    ml_status status = ML_OK;
    prefix_of(list, prefix);
    for (int64_t i = 0; old && i < old->count; i++) {
        const mli_value *now = mli_params_find(p, list->name);
        if (has_item(now, old->strs[i]) || mli_part_read(list, old->strs[i], &part, NULL))
            continue;
        snprintf(below, sizeof below, "%s%s.", prefix, part.name);
        remove_below(p, below);
    }
    for (int64_t i = 0; !status; i++) {
        const mli_value *now = mli_params_find(p, list->name);
        if (!now || i >= now->count) break;
        if (has_item(old, now->strs[i])) continue;
        status = mli_part_read(list, now->strs[i], &part, err);
        snprintf(below, sizeof below, "%s%s.", prefix, part.name);
        if (!status) status = add_defaults(p, part.d, below, err);
    }
    return status;
}

/* Everything required below one list. */
static ml_status complete_list(const ml_params *p, const mli_param *list,
                               const char *prefix, ml_error *err)
{
    char full[MLI_PATH_SIZE], below[MLI_PATH_SIZE];
    mli_param_part part;
    ml_status status = ML_OK;
    if (!join(full, prefix, list->name)) return ML_OK;
    const mli_value *v = mli_params_find(p, full);
    for (int64_t i = 0; v && i < v->count && !status; i++) {
        if (mli_part_read(list, v->strs[i], &part, NULL)) continue;
        int n = snprintf(below, sizeof below, "%s%s.", prefix, part.name);
        if (n >= MLI_PATH_SIZE) continue;
        for (const mli_param *q = part.d->params; q && q->name && !status; q++) {
            if (!(q->flags & MLI_FLAG_REQUIRED) || !join(full, below, q->name)) continue;
            if (mli_params_find(p, full)) continue;
            mli_fail(err, ML_E_ARGUMENT, "%s needs a value for \"%s\"", part.d->name,
                     q->name);
            status = mli_error_at(err, ML_E_ARGUMENT, "params.%s", full);
        }
        if (!status) status = mli_parts_complete(p, part.d, below, err);
    }
    return status;
}

ml_status mli_parts_complete(const ml_params *p, const mli_descriptor *d,
                             const char *prefix, ml_error *err)
{
    ml_status status = ML_OK;
    for (const mli_param *q = d->params; q && q->name && !status; q++) {
        if (q->flags & MLI_FLAG_PARTS) status = complete_list(p, q, prefix, err);
    }
    return status;
}

void mli_params_drop(ml_params *p, const mli_descriptor *d, int32_t flag)
{
    mli_path at;
    for (int64_t i = p->count - 1; i >= 0; i--) {
        const char *name = p->values[i].name;
        if (mli_path_find(p, d, name, &at, NULL) || !(at.param->flags & flag)) continue;
        (void)!mli_params_remove(p, at.param->name);
    }
}

ml_status mli_params_part(const ml_params *p, const char *part, ml_params **out,
                          ml_error *err)
{
    ml_params *set = NULL;
    size_t n = strlen(part);
    ml_status status = ml_params_new(p->ctx, &set, err);
    for (int64_t i = 0; i < p->count && !status; i++) {
        const mli_value *from = &p->values[i];
        mli_value v;
        if (strncmp(from->name, part, n) != 0 || from->name[n] != '.') continue;
        status = mli_value_copy(p->ctx, from, &v, err);
        if (!status) status = mli_params_store(set, from->name + n + 1, &v, err);
    }
    if (status) {
        ml_params_free(set);
        return status;
    }
    *out = set;
    return ML_OK;
}
