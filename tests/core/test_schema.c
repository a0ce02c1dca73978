/* SPDX-License-Identifier: MIT
 *
 * The walk over descriptors, over the real catalog (mli_catalog): every schema is
 * complete and consistent, its JSON is well formed and says the same.
 */
#include "failing.h"

#include "core/json.h"
#include "core/params.h"

static ml_context *ctx;

static ml_schema *schema_of(int64_t i)
{
    ml_schema *s = NULL;
    OK(ml_schema_new(ctx, ml_schema_name_at(ctx, i), &s, ERR));
    return s;
}

START_TEST(catalog_is_sorted)
{
    ctx = test_context(1);
    int64_t n = 0;
    while (ml_schema_name_at(ctx, n)) n++;
    ck_assert_int_gt(n, 0);
    for (int64_t i = 0; i < n; i++) {
        const char *name = ml_schema_name_at(ctx, i);
        ck_assert_ptr_nonnull(name);
        if (i > 0) ck_assert_str_lt(ml_schema_name_at(ctx, i - 1), name);
        ck_assert_ptr_eq(mli_catalog_find(name), mli_catalog[i]);
    }
    ck_assert_ptr_null(ml_schema_name_at(ctx, n));
    ck_assert_ptr_null(ml_schema_name_at(ctx, -1));
    ml_context_free(ctx);
}
END_TEST

/* A word of a name or alias: small letters, digits, '_' and, between parts, '.'. */
static void check_name(const char *name)
{
    ck_assert_uint_gt(strlen(name), 0);
    ck_assert_msg(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.") == strlen(name),
                  "the name \"%s\"", name);
}

/* Names and aliases of a group are used once. */
static void check_unique(const ml_schema *s, int32_t group)
{
    for (int64_t i = 0; i < ml_schema_count(s, group); i++) {
        const char *name = ml_schema_get(s, group, i, "name");
        check_name(name);
        ck_assert_int_eq(ml_schema_find(s, group, name), i);
        const char *aliases = ml_schema_get(s, group, i, "aliases");
        for (const char *at = aliases; at && *at;) {
            char alias[64];
            size_t n = strcspn(at, ",");
            ck_assert_uint_lt(n, sizeof alias);
            memcpy(alias, at, n);
            alias[n] = 0;
            ck_assert_msg(ml_schema_find(s, group, alias) == i, "the alias %s", alias);
            at += n + (at[n] == ',');
        }
    }
}

static void check_param(const mli_descriptor *d, const mli_param *q)
{
    mli_range r;
    ck_assert_msg(q->doc && *q->doc, "%s.%s has no doc", d->name, q->name);
    ck_assert_msg(q->since && *q->since, "%s.%s has no since", d->name, q->name);
    ck_assert(q->type >= ML_PARAM_BOOL && q->type <= ML_PARAM_ESTIMATOR);
    if (q->range)
        ck_assert_msg(mli_range_parse(q->range, &r), "%s: %s", q->name, q->range);
    if (q->tune) ck_assert_msg(mli_range_parse(q->tune, &r), "%s: %s", q->name, q->tune);
    if (q->active_if) {
        ck_assert_msg(mli_condition_valid(d, q->active_if), "%s: %s", q->name,
                      q->active_if);
    }
    if (q->flags & MLI_FLAG_NULLABLE) {
        ck_assert_msg(!q->dflt || !*q->dflt, "the default of %s.%s is not \"\"", d->name,
                      q->name);
    }
    if (q->flags & MLI_FLAG_REQUIRED) ck_assert_ptr_null(q->dflt);
    /* Other parameters that the text refers to exist. */
    for (const char *at = q->doc; (at = strstr(at, "{param:")); at++) {
        char name[64];
        size_t n = strcspn(at + 7, "}");
        ck_assert_uint_lt(n, sizeof name);
        memcpy(name, at + 7, n);
        name[n] = 0;
        ck_assert_msg(mli_param_find(d, name) != NULL, "%s: {param:%s}", q->name, name);
    }
}

static int has_required(const mli_descriptor *d)
{
    int n = 0;
    for (const mli_param *q = d->params; q && q->name; q++) n += q->flags & 1;
    for (const mli_param *q = d->roles; q && q->name; q++) n += q->flags & 1;
    return n;
}

START_TEST(descriptors_are_sound)
{
    ctx = test_context(1);
    for (int64_t i = 0; ml_schema_name_at(ctx, i); i++) {
        const mli_descriptor *d = mli_catalog[i];
        ml_schema *s = schema_of(i);
        check_name(d->name);
        ck_assert_msg(d->title && *d->title && d->doc && *d->doc && d->since, "%s",
                      d->name);
        ck_assert(d->sort >= MLI_SORT_ALGORITHM && d->sort <= MLI_SORT_METRIC);
        check_unique(s, ML_SCHEMA_PARAM);
        check_unique(s, ML_SCHEMA_ROLE);
        for (int32_t g = ML_SCHEMA_KIND; g <= ML_SCHEMA_ATTRIBUTE; g++) {
            for (int64_t k = 0; k < ml_schema_count(s, g); k++) {
                ck_assert_str_ne(ml_schema_get(s, g, k, "doc"), "");
                ck_assert_str_ne(ml_schema_get(s, g, k, "shape"), "");
            }
        }
        for (const mli_param *q = d->params; q && q->name; q++) check_param(d, q);
        for (const mli_param *q = d->roles; q && q->name; q++) {
            check_param(d, q);
            ck_assert_int_lt(ml_schema_find(s, ML_SCHEMA_PARAM, q->name), 0);
        }
        /* The defaults are legal. */
        ml_params *r = NULL;
        ml_status status = mli_params_resolve(ctx, d, NULL, &r, ERR);
        if (has_required(d)) {
            ck_assert_int_eq(status, ML_E_ARGUMENT);
        } else {
            ck_assert_msg(status == ML_OK, "%s: %s", d->name, ml_error_message(ERR));
        }
        ml_params_free(r);
        ml_schema_free(s);
    }
    ml_context_free(ctx);
}
END_TEST

/* Bounds of a tuning range are legal values, the default lies in the legal range. */
START_TEST(tuning_ranges_are_legal)
{
    ctx = test_context(1);
    for (const mli_descriptor *const *e = mli_catalog; *e; e++) {
        for (const mli_param *q = (*e)->params; q && q->name; q++) {
            mli_range r;
            if (!q->tune) continue;
            ck_assert(mli_range_parse(q->tune, &r));
            ml_params *p = NULL;
            OK(ml_params_new(ctx, &p, ERR));
            for (int64_t i = 0; i < (r.is_set ? r.count : 2); i++) {
                char text[96];
                if (r.is_set) {
                    mli_range_item(&r, i, text, sizeof text);
                } else {
                    snprintf(text, sizeof text, "%s", MLI_NUM(i ? r.high : r.low));
                }
                mli_value v = {.type = ML_PARAM_STR, .text = text};
                OK(mli_params_put(p, *e, q->name, &v, ERR));
            }
            ml_params_free(p);
        }
    }
    ml_context_free(ctx);
}
END_TEST

/* The JSON text is well formed, and holds each parameter once. */
START_TEST(json_is_complete)
{
    ctx = test_context(1);
    for (int64_t i = 0; ml_schema_name_at(ctx, i); i++) {
        ml_schema *s = schema_of(i), *again = schema_of(i);
        const char *text = ml_schema_json(s);
        ck_assert_str_eq(text, ml_schema_json(again));
        mli_json j;
        mli_json_token t;
        int64_t names = 0, depth = 0;
        mli_json_open(&j, text, strlen(text));
        while ((t = mli_json_next(&j)) > 0) {
            depth += (t == MLI_JSON_OBJECT) - (t == MLI_JSON_OBJECT_END);
            names += t == MLI_JSON_KEY && mli_json_is(&j, "name");
        }
        ck_assert_msg(t == MLI_JSON_END, "%s: %s", ml_schema_name_at(ctx, i), j.problem);
        int64_t expected = 0;
        for (int32_t g = 0; g <= ML_SCHEMA_ATTRIBUTE; g++) {
            expected += ml_schema_count(s, g);
        }
        ck_assert_int_eq(names, expected);
        ml_schema_free(s);
        ml_schema_free(again);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(gives_fields)
{
    ctx = test_context(1);
    ml_schema *s = NULL;
    OK(ml_schema_new(ctx, "options.metric", &s, ERR));
    ck_assert_int_eq(ml_schema_count(s, ML_SCHEMA_ALGORITHM), 1);
    ck_assert_str_eq(ml_schema_get(s, ML_SCHEMA_ALGORITHM, 0, "name"), "options.metric");
    ck_assert_str_eq(ml_schema_get(s, ML_SCHEMA_ALGORITHM, 0, "sort"), "options");
    ck_assert_str_eq(ml_schema_get(s, ML_SCHEMA_ALGORITHM, 0, "tasks"), "");
    ck_assert_ptr_null(ml_schema_get(s, ML_SCHEMA_ALGORITHM, 0, "nonsense"));
    ck_assert_ptr_null(ml_schema_get(s, ML_SCHEMA_ALGORITHM, 1, "name"));
    ck_assert_ptr_null(ml_schema_get(s, ML_SCHEMA_ALGORITHM, -1, "name"));
    ck_assert_ptr_null(ml_schema_get(s, 9, 0, "name"));
    ck_assert_ptr_null(ml_schema_get(s, ML_SCHEMA_ALGORITHM, 0, NULL));
    ck_assert_ptr_null(ml_schema_get(NULL, ML_SCHEMA_ALGORITHM, 0, "name"));
    int64_t i = ml_schema_find(s, ML_SCHEMA_PARAM, "average");
    ck_assert_int_ge(i, 0);
    ck_assert_str_eq(ml_schema_get(s, ML_SCHEMA_PARAM, i, "type"), "enum");
    ck_assert_str_eq(ml_schema_get(s, ML_SCHEMA_PARAM, i, "default"), "auto");
    ck_assert_ptr_nonnull(strstr(ml_schema_get(s, ML_SCHEMA_PARAM, i, "range"), "macro"));
    ck_assert_str_eq(ml_schema_get(s, ML_SCHEMA_PARAM, i, "flags"), "");
    ck_assert_int_ge(ml_schema_find(s, ML_SCHEMA_PARAM, "alpha"), 0); /* an alias */
    ck_assert_int_eq(ml_schema_find(s, ML_SCHEMA_PARAM, "nothing"), -1);
    ck_assert_int_eq(ml_schema_find(s, ML_SCHEMA_PARAM, NULL), -1);
    ck_assert_int_eq(ml_schema_find(NULL, ML_SCHEMA_PARAM, "alpha"), -1);
    ck_assert_int_eq(ml_schema_count(s, 99), 0);
    ck_assert_int_eq(ml_schema_count(NULL, 0), 0);
    ck_assert_ptr_nonnull(strstr(ml_schema_json(s), "\"values\": [\"auto\", "));
    ml_context_free(ctx); /* any order */
    ck_assert_str_eq(ml_schema_get(s, ML_SCHEMA_ALGORITHM, 0, "name"), "options.metric");
    ml_schema_free(s);
    ml_schema_free(NULL);
}
END_TEST

START_TEST(names_the_nearest_schema)
{
    ctx = test_context(1);
    ml_schema *s = NULL;
    FAILS(ML_E_NAME, ml_schema_new(ctx, "options.metrik", &s, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_hint(ERR), "options.metric"));
    FAILS(ML_E_NAME, ml_schema_new(ctx, "roc_auc", &s, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_hint(ERR), "metric.roc_auc"));
    FAILS(ML_E_NAME, ml_schema_new(ctx, "", &s, ERR));
    FAILS(ML_E_ARGUMENT, ml_schema_new(ctx, NULL, &s, ERR));
    FAILS(ML_E_ARGUMENT, ml_schema_new(NULL, "options.metric", &s, ERR));
    FAILS(ML_E_ARGUMENT, ml_schema_new(ctx, "options.metric", NULL, ERR));
    ck_assert_ptr_null(s);
    const mli_descriptor *d = NULL;
    OK(mli_catalog_get("roc_auc", MLI_SORT_METRIC, "metric", &d, ERR));
    ck_assert_str_eq(d->name, "metric.roc_auc");
    FAILS(ML_E_NAME, mli_catalog_get("roc_acu", MLI_SORT_METRIC, "metric", &d, ERR));
    ck_assert_str_eq(ml_error_message(ERR),
                     "there is no metric \"roc_acu\"; did you mean \"roc_auc\"?");
    FAILS(ML_E_NAME,
          mli_catalog_get("options.metric", MLI_SORT_METRIC, "metric", &d, ERR));
    FAILS(ML_E_NAME, mli_catalog_get("zzzzzzzz", MLI_SORT_METRIC, "metric", &d, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_hint(ERR), "there are accuracy"));
    ml_context_free(ctx);
}
END_TEST

START_TEST(selects_what_a_schema_knows)
{
    ctx = test_context(1);
    ml_schema *s = NULL;
    ml_params *p = NULL, *chosen = NULL;
    OK(ml_schema_new(ctx, "options.metric", &s, ERR));
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_set_f64(p, "alpha", 0.9, ERR));
    OK(ml_params_set_i64(p, "foreign", 1, ERR));
    OK(ml_params_set_str(p, "average", "no such", ERR)); /* values are not checked here */
    OK(ml_params_select(p, s, &chosen, ERR));
    ck_assert_int_eq(ml_params_count(chosen), 2);
    ck_assert_str_eq(ml_params_get_str(chosen, "quantile"), "0.9");
    ck_assert_str_eq(ml_params_get_str(chosen, "average"), "no such");
    FAILS(ML_E_ARGUMENT, ml_params_select(NULL, s, &chosen, ERR));
    FAILS(ML_E_ARGUMENT, ml_params_select(p, NULL, &chosen, ERR));
    FAILS(ML_E_ARGUMENT, ml_params_select(p, s, NULL, ERR));
    ml_params_free(p);
    ml_params_free(chosen);
    ml_schema_free(s);
    ml_context_free(ctx);
}
END_TEST

static ml_status use_schemas(failing_alloc *f)
{
    ml_host host = failing_host(f);
    ml_context *c = NULL;
    ml_params *p = NULL, *chosen = NULL;
    ml_schema *s = NULL;
    ml_status status = ml_context_new(&host, &c, ERR);
    if (status != ML_OK) return status;
    status = ml_schema_new(c, "options.metric", &s, ERR);
    if (status == ML_OK) status = ml_params_new(c, &p, ERR);
    if (status == ML_OK) status = ml_params_set_f64(p, "alpha", 0.9, ERR);
    if (status == ML_OK) status = ml_params_select(p, s, &chosen, ERR);
    ml_params_free(p);
    ml_params_free(chosen);
    ml_schema_free(s);
    ml_context_free(c);
    return status;
}

START_TEST(survives_no_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, use_schemas(&f));
}
END_TEST

TEST_MAIN("core/schema", catalog_is_sorted, descriptors_are_sound,
          tuning_ranges_are_legal, json_is_complete, gives_fields,
          names_the_nearest_schema, selects_what_a_schema_knows, survives_no_memory)
