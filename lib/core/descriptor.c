/* SPDX-License-Identifier: MIT
 *
 * descriptor.c: finding descriptors and their parameters by name or alias.
 */
#include "core/params.h"

#include <string.h>

#define NAMES_MAX 512

const mli_descriptor *mli_catalog_find(const char *name)
{
    for (const mli_descriptor *const *d = mli_catalog; *d; d++) {
        if (strcmp((*d)->name, name) == 0) return *d;
    }
    for (const mli_descriptor *const *d = mli_catalog; *d; d++) {
        if ((*d)->aliases && mli_in_list(name, (*d)->aliases)) return *d;
    }
    return NULL;
}

/* The part of a name that people use: "roc_auc" of "metric.roc_auc". */
static const char *short_name(const mli_descriptor *d)
{
    const char *dot = strchr(d->name, '.');
    return d->sort == MLI_SORT_METRIC && dot ? dot + 1 : d->name;
}

ml_status mli_catalog_get(const char *name, int32_t sort, const char *what,
                          const mli_descriptor **out, ml_error *err)
{
    const char *names[NAMES_MAX];
    int64_t n = 0;
    if (!name) return mli_null(err, what);
    for (const mli_descriptor *const *e = mli_catalog; *e; e++) {
        const mli_descriptor *d = *e;
        if (d->sort != sort) continue;
        if (strcmp(d->name, name) == 0 || strcmp(short_name(d), name) == 0 ||
            (d->aliases && mli_in_list(name, d->aliases))) {
            *out = d;
            return ML_OK;
        }
        if (n < NAMES_MAX) names[n++] = short_name(d);
    }
    mli_fail(err, ML_E_NAME, "there is no %s \"%s\"", what, name);
    const char *near = mli_nearest(name, names, n);
    if (near) return mli_error_hint(err, ML_E_NAME, "did you mean \"%s\"?", near);
    char list[512];
    mli_join(list, sizeof list, names, n);
    if (n) mli_error_hint(err, ML_E_NAME, "there are %s", list);
    return ML_E_NAME;
}

static const mli_param *by_name(const mli_param *list, const char *name)
{
    for (const mli_param *q = list; q && q->name; q++) {
        if (*q->name == *name && strcmp(q->name, name) == 0) return q;
    }
    return NULL;
}

static const mli_param *by_alias(const mli_param *list, const char *name)
{
    for (const mli_param *q = list; q && q->name; q++) {
        if (q->aliases && mli_in_list(name, q->aliases)) return q;
    }
    return NULL;
}

const mli_param *mli_param_find(const mli_descriptor *d, const char *name)
{
    const mli_param *q = by_name(d->params, name);
    if (!q) q = by_name(d->roles, name);
    if (!q) q = by_alias(d->params, name);
    return q ? q : by_alias(d->roles, name);
}

int mli_param_settled(const mli_param *param, const mli_value *was, int64_t rounds,
                      int64_t *value)
{
    *value = param->flags & MLI_FLAG_ROUNDS ? rounds : 0;
    if (param->flags & MLI_FLAG_STOPPING) return 1;
    if (rounds <= 0) return 0;
    int chosen = was && was->given && (!param->dflt || strcmp(was->text, param->dflt));
    return param->flags & MLI_FLAG_ROUNDS || (param->flags & MLI_FLAG_GUARD && !chosen);
}
