/* SPDX-License-Identifier: MIT
 *
 * The parameters of model files, read the quick way: for every algorithm the same set as
 * the slow way gives, and nothing is taken that the slow way would refuse or complete.
 */
#include "failing.h"

#include "core/params.h"

#include <math.h>

static ml_context *ctx;

/* A resolved set of an algorithm, without what a model does not keep. */
static ml_params *stored_set(const mli_descriptor *d)
{
    ml_params *given = NULL, *all = NULL;
    OK(ml_params_new(ctx, &given, ERR));
    for (int i = 0; i < 2; i++) {
        for (const mli_param *q = i ? d->roles : d->params; q && q->name; q++) {
            if (!(q->flags & MLI_FLAG_REQUIRED)) continue;
            const char *text = q->type == ML_PARAM_I64 ? "2" : "y";
            if (q->flags & MLI_FLAG_PARTS)
                text = q->range ? "one,two" : "scale=standard_scaler,imputer,gbdt";
            OK(ml_params_set_str(given, q->name, text, ERR));
            if (!(q->flags & MLI_FLAG_PARTS) || !q->range) continue;
            OK(ml_params_set_str(given, "one.steps", "imputer", ERR));
            OK(ml_params_set_str(given, "two.steps", "standard_scaler", ERR));
        }
    }
    OK(mli_params_resolve(ctx, d, given, &all, ERR));
    mli_params_drop(all, d, MLI_FLAG_NO_EFFECT);
    ml_params_free(given);
    return all;
}

static void same_lists(const mli_value *a, const mli_value *b)
{
    ck_assert_int_eq(a->count, b->count);
    ck_assert(!a->strs == !b->strs && !a->f64s == !b->f64s && !a->i64s == !b->i64s);
    for (int64_t i = 0; i < a->count; i++) {
        if (a->strs) ck_assert_str_eq(a->strs[i], b->strs[i]);
        if (a->f64s) ck_assert(a->f64s[i] == b->f64s[i]);
        if (a->i64s) ck_assert(a->i64s[i] == b->i64s[i]);
    }
}

static void same_sets(const ml_params *a, const ml_params *b)
{
    ck_assert_int_eq(a->count, b->count);
    for (int64_t i = 0; i < a->count; i++) {
        const mli_value *x = &a->values[i], *y = &b->values[i];
        ck_assert_str_eq(x->name, y->name);
        ck_assert_str_eq(x->text, y->text);
        ck_assert_int_eq(x->type, y->type);
        ck_assert_int_eq(x->given, y->given);
        ck_assert_int_eq(x->i64, y->i64);
        ck_assert(x->f64 == y->f64 || (isnan(x->f64) && isnan(y->f64)));
        same_lists(x, y);
    }
}

static int read_quickly(const mli_descriptor *d, const char *text, ml_params **out)
{
    int done = -1;
    OK(ml_params_new(ctx, out, ERR));
    OK(mli_params_from_json_stored(*out, d, text, strlen(text), &done, ERR));
    ck_assert(done || ml_params_count(*out) == 0);
    return done;
}

static ml_params *read_slowly(const mli_descriptor *d, const char *text)
{
    ml_params *p = NULL;
    OK(ml_params_new(ctx, &p, ERR));
    OK(mli_params_from_json_checked(p, d, text, strlen(text), ERR));
    return p;
}

/* A set, its copy, and the set changed afterwards: nothing borrowed is lost or freed. */
static void use(ml_params *p)
{
    ml_params *copy = NULL;
    OK(ml_params_clone(p, &copy, ERR));
    const char *first = ml_params_name(p, 0);
    if (first) {
        OK(ml_params_set_str(p, first, "other", ERR));
        ck_assert_str_eq(ml_params_get_str(p, first), "other");
        OK(mli_params_remove(p, ml_params_name(p, ml_params_count(p) - 1)));
    }
    ml_params_free(p);
    ck_assert(ml_params_count(copy) == 0 || ml_params_get_str(copy, first));
    ml_params_free(copy);
}

START_TEST(reads_every_algorithm)
{
    int64_t n = 0;
    ctx = test_context(1);
    for (const mli_descriptor *const *d = mli_catalog; *d; d++) {
        if ((*d)->sort != MLI_SORT_ALGORITHM) continue;
        ml_params *set = stored_set(*d), *quick = NULL;
        mli_str s;
        mli_str_init(&s, ctx);
        mli_params_json(&s, set);
        ck_assert_msg(read_quickly(*d, s.data, &quick), "%s: %s", (*d)->name, s.data);
        ml_params *slow = read_slowly(*d, s.data);
        same_sets(quick, slow);
        ml_params_free(set);
        ml_params_free(slow);
        mli_str_free(&s);
        use(quick);
        n++;
    }
    ck_assert_int_gt(n, 40);
    ml_context_free(ctx);
}
END_TEST

static const mli_param params[] = {
    {"count", "number", ML_PARAM_I64, MLI_FLAG_REQUIRED, NULL, "[-5, 9]", NULL, NULL,
     "Count.", "0.1"},
    {"rate", NULL, ML_PARAM_F64, 0, "1e-1", "(0, 1]", NULL, NULL, "Rate.", "0.1"},
    {"kind", NULL, ML_PARAM_STR, 0, "plain", "{plain, odd}", NULL, NULL, "Kind.", "0.1"},
    {"quiet", NULL, ML_PARAM_BOOL, MLI_FLAG_NO_EFFECT, "true", NULL, NULL, NULL, "Quiet.",
     "0.1"},
    {"on", NULL, ML_PARAM_BOOL, 0, "false", NULL, NULL, NULL, "On.", "0.1"},
    {"goal", NULL, ML_PARAM_F64, MLI_FLAG_NULLABLE, NULL, NULL, NULL, NULL, "Goal.",
     "0.1"},
    {"limits", NULL, ML_PARAM_F64S, MLI_FLAG_NULLABLE, "", "[0, 9]", NULL, NULL,
     "Limits.", "0.1"},
    {0}};
static const mli_param roles[] = {
    {"target", NULL, ML_PARAM_STR, MLI_FLAG_ROLE, "", NULL, NULL, NULL, "Target.", "0.1"},
    {0}};
static const mli_descriptor thing = {.name = "thing", .params = params, .roles = roles};

#define FRONT "{\"count\": 3, \"rate\": 0.1, \"kind\": \"plain\", "
#define BACK  "\"on\": false, \"limits\": \"\", \"target\": \"\"}"

START_TEST(takes_what_is_complete)
{
    static const char *const good[] = {
        FRONT BACK,
        "{\"count\": -5, \"rate\": 1, \"kind\": \"odd\", \"on\": true, \"goal\": 2.5, "
        "\"limits\": [0, 1.5, 9], \"target\": \"a \\\"b\\\" \\u00e9\"}",
        "{\"count\": 9.0, \"rate\": 1e-3, \"kind\": \"odd\", \"on\": false, "
        "\"goal\": \"inf\", \"limits\": [1, 2], \"target\": \"inf\"}",
        "{\"count\": -0, \"rate\": \"0.5\", \"kind\": \"plain\", " BACK,
    };
    ctx = test_context(1);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ml_params *quick = NULL;
        ck_assert_msg(read_quickly(&thing, good[i], &quick), "%s", good[i]);
        ml_params *slow = read_slowly(&thing, good[i]);
        same_sets(quick, slow);
        ml_params_free(slow);
        use(quick);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(leaves_the_rest)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "7",
        FRONT,
        FRONT BACK " 1",
        FRONT "\"on\": false, \"limits\": \"\"}",                    /* no target */
        "{\"rate\": 0.1, \"kind\": \"plain\", " BACK,                /* required */
        "{\"rate\": 0.1, \"count\": 3, \"kind\": \"plain\", " BACK,  /* order */
        "{\"number\": 3, \"rate\": 0.1, \"kind\": \"plain\", " BACK, /* alias */
        "{\"count\": 3, \"rate\": 0.1, \"rate\": 0.1, \"kind\": \"plain\", " BACK,
        "{\"count\": 10, \"rate\": 0.1, \"kind\": \"plain\", " BACK, /* range */
        "{\"count\": 3, \"rate\": 0, \"kind\": \"plain\", " BACK,
        "{\"count\": 3, \"rate\": 0.1, \"kind\": \"flat\", " BACK,
        "{\"count\": 3, \"rate\": true, \"kind\": \"plain\", " BACK, /* type */
        "{\"count\": 2.5, \"rate\": 0.1, \"kind\": \"plain\", " BACK,
        "{\"count\": 99999999999999999999, \"rate\": 0.1, \"kind\": \"plain\", " BACK,
        "{\"count\": {}, \"rate\": 0.1, \"kind\": \"plain\", " BACK,
        "{\"count\": null, \"rate\": 0.1, \"kind\": \"plain\", " BACK,
        FRONT "\"quiet\": true, " BACK, /* not kept */
        FRONT "\"on\": false, \"goal\": \"\", \"limits\": \"\", \"target\": \"\"}",
        FRONT "\"on\": false, \"limits\": [10], \"target\": \"\"}",
        FRONT "\"on\": false, \"limits\": [1, \"x\"], \"target\": \"\"}",
        FRONT "\"on\": false, \"limits\": \"\", \"target\": \"a\\u0000b\"}",
        FRONT "\"on\": false, \"limits\": \"\", \"target\": \"\", \"more\": 1}",
        FRONT "\"o\\u006e\": false, \"limits\": \"\", \"target\": \"\"}",
    };
    ctx = test_context(1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ml_params *p = NULL;
        ck_assert_msg(!read_quickly(&thing, bad[i], &p), "%s", bad[i]);
        ml_params_free(p);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(reads_many_parts)
{
    const mli_descriptor *d = mli_catalog_find("pipeline");
    ml_params *given = NULL, *set = NULL, *quick = NULL;
    mli_str s, json;
    ctx = test_context(1);
    mli_str_init(&s, ctx);
    mli_str_init(&json, ctx);
    for (int i = 0; i < 40; i++)
        mli_str_printf(&s, "%ss%d=standard_scaler", i ? "," : "", i);
    OK(ml_params_new(ctx, &given, ERR));
    OK(ml_params_set_str(given, "steps", s.data, ERR));
    OK(ml_params_set_str(given, "target", "y", ERR));
    OK(mli_params_resolve(ctx, d, given, &set, ERR));
    mli_params_json(&json, set);
    ck_assert(read_quickly(d, json.data, &quick));
    ck_assert_int_gt(ml_params_count(quick), 80);
    use(quick);
    ml_params_free(set);
    ml_params_free(given);
    mli_str_free(&json);
    mli_str_free(&s);
    ml_context_free(ctx);
}
END_TEST

START_TEST(survives_no_memory)
{
    static const char text[] =
        FRONT "\"on\": true, \"limits\": [1, 2.5], \"target\": \"\"}";
    for (int64_t n = 1;; n++) {
        failing_alloc f = {0};
        ml_host host = failing_host(&f);
        ml_context *c = NULL;
        ml_params *p = NULL;
        int done = 0;
        OK(ml_context_new(&host, &c, ERR));
        OK(ml_params_new(c, &p, ERR));
        f.fail_at = f.calls + n;
        ml_status status =
            mli_params_from_json_stored(p, &thing, text, sizeof text - 1, &done, ERR);
        ck_assert(status == ML_E_MEMORY || (status == ML_OK && done));
        ml_params_free(p);
        ml_context_free(c);
        ck_assert_int_eq(f.live, 0);
        if (status == ML_OK) break;
    }
}
END_TEST

TEST_MAIN("core/stored", reads_every_algorithm, takes_what_is_complete, leaves_the_rest,
          reads_many_parts, survives_no_memory)
