/* SPDX-License-Identifier: MIT
 *
 * schema.c: the public walk over descriptors. What is not in a descriptor word by word
 * (lists of flags, the JSON text) is made once, when a schema is.
 */
#include "core/json.h"
#include "core/schema.h"
#include "core/value.h"

#include <string.h>

struct ml_schema {
    mli_ref ref;
    ml_context *ctx;
    const mli_descriptor *d;
    char *tasks, *caps;
    char **flags; /* of the parameters, then of the roles */
    int64_t n_params, n_roles;
    char *json;
};

/* Names of bits, from the lowest. */
static const char *const task_names[] = {"regression", "classification", "ranking",
                                         "survival",   "transform",      "clustering",
                                         "anomaly",    "forecast",       NULL};
static const char *const cap_names[] = {
    "missing",        "categories",  "weights",    "text",
    "early_stopping", "partial_fit", "warm_start", "multi_target",
    "resample",       "time",        NULL};
static const char *const flag_names[] = {"required",  "expert", "role",     "nullable",
                                         "no_effect", "rounds", "stopping", "parts",
                                         "classes",   "fitted", NULL};

/* The names of set bits, as a comma-separated list; NULL when out of memory. */
static char *bit_list(ml_context *ctx, uint32_t bits, const char *const *names)
{
    mli_str s;
    mli_str_init(&s, ctx);
    for (int i = 0; names[i]; i++) {
        if (!(bits >> i & 1)) continue;
        if (s.size) mli_str_char(&s, ',');
        mli_str_add(&s, names[i]);
    }
    return mli_str_take(&s);
}

static int64_t count_params(const mli_param *list)
{
    int64_t n = 0;
    while (list && list[n].name) n++;
    return n;
}

static int64_t count_kinds(const mli_kind *list)
{
    int64_t n = 0;
    while (list && list[n].name) n++;
    return n;
}

static int64_t count_attributes(const mli_attribute *list)
{
    int64_t n = 0;
    while (list && list[n].name) n++;
    return n;
}

const char *ml_schema_name_at(const ml_context *context, int64_t index)
{
    (void)context;
    int64_t n = 0;
    while (mli_catalog[n]) n++;
    return index < 0 || index >= n ? NULL : mli_catalog[index]->name;
}

static ml_status no_schema(const char *name, ml_error *err)
{
    const char *best = NULL;
    for (const mli_descriptor *const *e = mli_catalog; *e; e++) {
        const char *dot = strrchr((*e)->name, '.');
        if (dot && strcmp(dot + 1, name) == 0) { /* "roc_auc": "metric.roc_auc" */
            best = (*e)->name;
            break;
        }
        const char *pair[2] = {(*e)->name, best};
        best = mli_nearest(name, pair, best ? 2 : 1);
    }
    mli_fail(err, ML_E_NAME, "there is no schema \"%s\"", name);
    if (best) return mli_error_hint(err, ML_E_NAME, "did you mean \"%s\"?", best);
    return mli_error_hint(err, ML_E_NAME, "list the names with ml_schema_name_at");
}

/* The lists of flags. 1 on success. */
static int make_lists(ml_schema *s)
{
    const mli_descriptor *d = s->d;
    s->tasks = bit_list(s->ctx, d->tasks, task_names);
    s->caps = bit_list(s->ctx, d->caps, cap_names);
    s->flags = mli_calloc(s->ctx, (size_t)(s->n_params + s->n_roles), sizeof *s->flags);
    if (!s->tasks || !s->caps || !s->flags) return 0;
    for (int64_t i = 0; i < s->n_params + s->n_roles; i++) {
        const mli_param *q =
            i < s->n_params ? d->params + i : d->roles + (i - s->n_params);
        s->flags[i] = bit_list(s->ctx, (uint32_t)q->flags, flag_names);
        if (!s->flags[i]) return 0;
    }
    return 1;
}

ml_status ml_schema_new(ml_context *context, const char *name, ml_schema **out,
                        ml_error *error)
{
    if (!context) return mli_null(error, "context");
    if (!name) return mli_null(error, "name");
    if (!out) return mli_null(error, "out");
    const mli_descriptor *d = mli_catalog_find(name);
    if (!d) return no_schema(name, error);
    ml_schema *s = mli_calloc(context, 1, sizeof *s);
    if (!s) return mli_nomem(error);
    mli_ref_init(&s->ref);
    s->ctx = mli_context_ref(context);
    s->d = d;
    s->n_params = count_params(d->params);
    s->n_roles = count_params(d->roles);
    if (make_lists(s)) s->json = mli_schema_text(s);
    if (!s->json) {
        ml_schema_free(s);
        return mli_nomem(error);
    }
    *out = s;
    return ML_OK;
}

void ml_schema_free(ml_schema *schema)
{
    if (!schema || !mli_ref_down(&schema->ref)) return;
    ml_context *ctx = schema->ctx;
    int64_t n = schema->flags ? schema->n_params + schema->n_roles : 0;
    for (int64_t i = 0; i < n; i++) mli_free(ctx, schema->flags[i]);
    mli_free(ctx, schema->flags);
    mli_free(ctx, schema->tasks);
    mli_free(ctx, schema->caps);
    mli_free(ctx, schema->json);
    mli_free(ctx, schema);
    ml_context_free(ctx);
}

int64_t ml_schema_count(const ml_schema *schema, int32_t group)
{
    if (!schema) return 0;
    switch (group) {
    case ML_SCHEMA_ALGORITHM:
        return 1;
    case ML_SCHEMA_PARAM:
        return schema->n_params;
    case ML_SCHEMA_ROLE:
        return schema->n_roles;
    case ML_SCHEMA_KIND:
        return count_kinds(schema->d->kinds);
    case ML_SCHEMA_ATTRIBUTE:
        return count_attributes(schema->d->attributes);
    default:
        return 0;
    }
}

static const char *type_name(const mli_param *q)
{
    static const char *const names[] = {"",           "bool",        "int",
                                        "float",      "string",      "int list",
                                        "float list", "string list", "estimator"};
    int set = q->range && strchr(q->range, '{');
    if (set && q->type == ML_PARAM_STR) return "enum";
    if (set && q->type == ML_PARAM_STRS) return "enum list";
    return q->type >= 0 && q->type <= ML_PARAM_ESTIMATOR ? names[q->type] : "";
}

static const char *sort_name(const mli_descriptor *d)
{
    static const char *const names[] = {"", "algorithm", "options", "metric"};
    return d->sort >= 0 && d->sort <= MLI_SORT_METRIC ? names[d->sort] : "";
}

/* One named text of an entry. */
typedef struct named_text {
    const char *name, *text;
} named_text;

static const char *pick(const named_text *fields, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(fields[i].name, name) == 0)
            return fields[i].text ? fields[i].text : "";
    }
    return NULL;
}
#define PICK(fields, name) pick(fields, sizeof(fields) / sizeof *(fields), name)

static const char *get_head(const ml_schema *s, const char *name)
{
    const mli_descriptor *d = s->d;
    const named_text fields[] = {{"name", d->name},     {"aliases", d->aliases},
                                 {"title", d->title},   {"doc", d->doc},
                                 {"family", d->family}, {"sort", sort_name(d)},
                                 {"tasks", s->tasks},   {"caps", s->caps},
                                 {"since", d->since},   {"direction", d->direction},
                                 {"needs", d->needs}};
    return PICK(fields, name);
}

static const char *get_param(const mli_param *q, const char *flags, const char *name)
{
    const named_text fields[] = {
        {"name", q->name},           {"aliases", q->aliases}, {"type", type_name(q)},
        {"default", q->dflt},        {"range", q->range},     {"tune", q->tune},
        {"active_if", q->active_if}, {"flags", flags},        {"doc", q->doc},
        {"since", q->since}};
    return PICK(fields, name);
}

static const char *get_kind(const mli_kind *k, const char *name)
{
    const named_text fields[] = {{"name", k->name}, {"doc", k->doc}, {"shape", k->shape}};
    return PICK(fields, name);
}

static const char *get_attribute(const mli_attribute *a, const char *name)
{
    const named_text fields[] = {
        {"name", a->name}, {"dtype", a->dtype}, {"shape", a->shape}, {"doc", a->doc}};
    return PICK(fields, name);
}

const char *ml_schema_get(const ml_schema *schema, int32_t group, int64_t index,
                          const char *field)
{
    if (!schema || !field || index < 0 || index >= ml_schema_count(schema, group)) {
        return NULL;
    }
    const mli_descriptor *d = schema->d;
    switch (group) {
    case ML_SCHEMA_ALGORITHM:
        return get_head(schema, field);
    case ML_SCHEMA_PARAM:
        return get_param(d->params + index, schema->flags[index], field);
    case ML_SCHEMA_ROLE:
        return get_param(d->roles + index, schema->flags[schema->n_params + index],
                         field);
    case ML_SCHEMA_KIND:
        return get_kind(d->kinds + index, field);
    default:
        return get_attribute(d->attributes + index, field);
    }
}

int64_t ml_schema_find(const ml_schema *schema, int32_t group, const char *name)
{
    if (!schema || !name) return -1;
    int64_t n = ml_schema_count(schema, group);
    for (int64_t i = 0; i < n; i++) {
        if (strcmp(ml_schema_get(schema, group, i, "name"), name) == 0) return i;
    }
    for (int64_t i = 0; i < n; i++) {
        const char *aliases = ml_schema_get(schema, group, i, "aliases");
        if (aliases && mli_in_list(name, aliases)) return i;
    }
    return -1;
}

const char *ml_schema_json(const ml_schema *schema)
{
    return schema ? schema->json : "{}";
}

ml_status ml_params_select(const ml_params *params, const ml_schema *schema,
                           ml_params **out, ml_error *error)
{
    if (!params) return mli_null(error, "params");
    if (!schema) return mli_null(error, "schema");
    if (!out) return mli_null(error, "out");
    ml_params *p = NULL;
    ml_status status = ml_params_new(params->ctx, &p, error);
    for (int64_t i = 0; i < params->count && status == ML_OK; i++) {
        mli_path at;
        mli_value v;
        if (mli_path_find(params, schema->d, params->values[i].name, &at, NULL)) continue;
        const mli_param *q = at.param;
        status = mli_value_copy(p->ctx, &params->values[i], &v, error);
        if (status == ML_OK) status = mli_params_store(p, q->name, &v, error);
    }
    if (status != ML_OK) {
        ml_params_free(p);
        return status;
    }
    *out = p;
    return ML_OK;
}

ml_context *mli_schema_context(const ml_schema *schema)
{
    return schema->ctx;
}

int mli_schema_has_default(const ml_schema *schema, int32_t group, int64_t index)
{
    if (group == ML_SCHEMA_PARAM) return schema->d->params[index].dflt != NULL;
    return group == ML_SCHEMA_ROLE && schema->d->roles[index].dflt != NULL;
}
