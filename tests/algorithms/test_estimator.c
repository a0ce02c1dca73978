/* SPDX-License-Identifier: MIT
 *
 * Estimators, through the public API: setting, cloning, fitting.
 */
#include "failing.h"
#include "testing_data.h"

static ml_estimator *baseline(ml_context *ctx)
{
    ml_estimator *e = NULL;
    OK(ml_estimator_new(ctx, "baseline", &e, ERR));
    return e;
}

static const char *get(const ml_estimator *e, const char *name)
{
    const char *text = ml_params_get_str(ml_estimator_params(e), name);
    return text ? text : "(none)";
}

static ml_table *numbers(ml_context *ctx)
{
    ml_table *t = add_f64(ctx, NULL, "x", 4, (double[]){1, 2, 3, 4});
    return add_f64(ctx, t, "y", 4, (double[]){1, 2, 3, 10});
}

START_TEST(finds_algorithms)
{
    ml_context *ctx = test_context(1);
    ml_estimator *e = NULL;
    FAILS(ML_E_NAME, ml_estimator_new(ctx, "baselin", &e, ERR));
    SAYS("did you mean \"baseline\"?");
    FAILS(ML_E_NAME, ml_estimator_new(ctx, "options.split", &e, ERR));
    FAILS(ML_E_NAME, ml_estimator_new(ctx, "", &e, ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_new(NULL, "baseline", &e, ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_new(ctx, NULL, &e, ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_new(ctx, "baseline", NULL, ERR));
    ck_assert_ptr_null(e);
    OK(ml_estimator_new(ctx, "dummy", &e, ERR));
    ck_assert_str_eq(ml_estimator_algorithm(e), "baseline");
    ml_estimator_free(e);
    ml_estimator_free(NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(makes_every_algorithm)
{
    ml_context *ctx = test_context(1);
    int64_t made = 0;
    for (int64_t i = 0; ml_schema_name_at(ctx, i); i++) {
        ml_estimator *e = NULL, *copy = NULL;
        ml_schema *s = NULL;
        const char *name = ml_schema_name_at(ctx, i);
        if (strchr(name, '.')) continue;
        OK(ml_schema_new(ctx, name, &s, ERR));
        OK(ml_estimator_new(ctx, name, &e, ERR));
        /* Every default is there. */
        for (int64_t k = 0; k < ml_schema_count(s, ML_SCHEMA_PARAM); k++) {
            const char *param = ml_schema_get(s, ML_SCHEMA_PARAM, k, "name");
            const char *dflt = ml_schema_get(s, ML_SCHEMA_PARAM, k, "default");
            if (*dflt) ck_assert_str_ne(get(e, param), "(none)");
        }
        OK(ml_estimator_set_params(e, ml_estimator_params(e), ERR));
        OK(ml_estimator_clone(e, &copy, ERR));
        ml_estimator_free(copy);
        ml_estimator_free(e);
        ml_schema_free(s);
        made++;
    }
    ck_assert_int_ge(made, 1);
    ml_context_free(ctx);
}
END_TEST

START_TEST(checks_values_at_once)
{
    ml_context *ctx = test_context(1);
    ml_estimator *e = baseline(ctx);
    ck_assert_str_eq(get(e, "strategy"), "mean");
    ck_assert_str_eq(get(e, "target"), "(none)");
    OK(ml_estimator_set_str(e, "strategy", "median", ERR));
    OK(ml_estimator_set_f64(e, "quantile", 0.25, ERR));
    OK(ml_estimator_set_i64(e, "quantile", 1, ERR));
    ck_assert_str_eq(get(e, "strategy"), "median");
    OK(ml_estimator_set_str(e, "label", "y", ERR));
    ck_assert_str_eq(get(e, "target"), "y");
    OK(ml_estimator_set_str(e, "ignore", "[a, b]", ERR));
    FAILS(ML_E_NAME, ml_estimator_set_str(e, "stratgy", "mean", ERR));
    SAYS("did you mean \"strategy\"?");
    FAILS(ML_E_RANGE, ml_estimator_set_f64(e, "quantile", 1.5, ERR));
    SAYS("params.quantile");
    SAYS("[0, 1]");
    FAILS(ML_E_RANGE, ml_estimator_set_str(e, "strategy", "medain", ERR));
    FAILS(ML_E_TYPE, ml_estimator_set_str(e, "quantile", "much", ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_set_str(e, "strategy", NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_set_str(e, NULL, "mean", ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_set_str(NULL, "strategy", "mean", ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_set_i64(NULL, "strategy", 1, ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_set_f64(NULL, "strategy", 1, ERR));
    ck_assert_str_eq(get(e, "strategy"), "median");
    ml_estimator_free(e);
    ml_context_free(ctx);
}
END_TEST

START_TEST(sets_all_or_nothing)
{
    ml_context *ctx = test_context(1);
    ml_estimator *e = baseline(ctx);
    ml_params *p = NULL;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_set_str(p, "strategy", "quantile", ERR));
    OK(ml_params_set_str(p, "y", "income", ERR));
    OK(ml_params_set_f64(p, "quantile", 7, ERR));
    FAILS(ML_E_RANGE, ml_estimator_set_params(e, p, ERR));
    ck_assert_str_eq(get(e, "strategy"), "mean");
    ck_assert_str_eq(get(e, "target"), "(none)");
    OK(ml_params_set_f64(p, "quantile", 0.75, ERR));
    OK(ml_estimator_set_params(e, p, ERR));
    ck_assert_str_eq(get(e, "strategy"), "quantile");
    ck_assert_str_eq(get(e, "target"), "income");
    ck_assert_str_eq(get(e, "quantile"), "0.75");
    FAILS(ML_E_ARGUMENT, ml_estimator_set_params(e, NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_set_params(NULL, p, ERR));
    ml_params_free(p);
    ml_estimator_free(e);
    ml_context_free(ctx);
}
END_TEST

START_TEST(clones)
{
    ml_context *ctx = test_context(1);
    ml_estimator *e = baseline(ctx), *copy = NULL;
    OK(ml_estimator_set_str(e, "strategy", "median", ERR));
    OK(ml_estimator_clone(e, &copy, ERR));
    OK(ml_estimator_set_str(e, "strategy", "mean", ERR));
    ck_assert_str_eq(get(copy, "strategy"), "median");
    ck_assert_str_eq(ml_estimator_algorithm(copy), "baseline");
    ml_estimator_free(e);
    ck_assert_str_eq(get(copy, "strategy"), "median");
    FAILS(ML_E_ARGUMENT, ml_estimator_clone(NULL, &e, ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_clone(copy, NULL, ERR));
    ml_estimator_free(copy);
    ml_context_free(ctx);
}
END_TEST

START_TEST(fits)
{
    ml_context *ctx = test_context(1);
    ml_estimator *e = baseline(ctx);
    ml_table *t = numbers(ctx);
    ml_model *m = NULL;
    ml_tensor *constant = NULL;
    FAILS(ML_E_ARGUMENT, ml_estimator_fit(e, t, NULL, &m, ERR));
    SAYS("params.target");
    OK(ml_estimator_set_str(e, "target", "z", ERR));
    FAILS(ML_E_NAME, ml_estimator_fit(e, t, NULL, &m, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_fit(NULL, t, NULL, &m, ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_fit(e, NULL, NULL, &m, ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_fit(e, t, NULL, NULL, ERR));
    ck_assert_ptr_null(m);
    OK(ml_estimator_fit(e, t, t, &m, ERR));
    OK(ml_estimator_set_str(e, "strategy", "median", ERR));
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx); /* the model keeps what it needs */
    ck_assert_str_eq(ml_params_get_str(ml_model_params(m), "strategy"), "mean");
    OK(ml_model_get_tensor(m, "constant", &constant, ERR));
    ck_assert(ml_tensor_get_f64(constant, 0, 0) == 4);
    ml_tensor_free(constant);
    ml_model_free(m);
}
END_TEST

START_TEST(obeys_its_token)
{
    ml_context *ctx = test_context(1);
    ml_estimator *e = baseline(ctx), *copy = NULL;
    ml_table *t = numbers(ctx);
    ml_model *m = NULL;
    ml_cancel *cancel = NULL;
    OK(ml_cancel_new(&cancel, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    ml_estimator_set_cancel(e, cancel);
    ml_estimator_set_cancel(e, cancel);
    ml_cancel_request(cancel, ML_CANCEL);
    ml_cancel_free(cancel); /* the estimator keeps it */
    FAILS(ML_E_CANCELLED, ml_estimator_fit(e, t, NULL, &m, ERR));
    ck_assert_ptr_null(m);
    OK(ml_estimator_clone(e, &copy, ERR)); /* without the token */
    OK(ml_estimator_fit(copy, t, NULL, &m, ERR));
    ml_model_free(m);
    ml_estimator_set_cancel(e, NULL);
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_model_free(m);
    ml_estimator_free(copy);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static ml_status set_and_clone(const ml_host *host)
{
    ml_context *ctx = NULL;
    ml_estimator *e = NULL, *copy = NULL;
    ml_params *p = NULL;
    ml_status status = ml_context_new(host, &ctx, NULL);
    if (status) return status;
    status = ml_estimator_new(ctx, "baseline", &e, ERR);
    if (!status) status = ml_estimator_set_str(e, "features", "[a, b, c]", ERR);
    if (!status) status = ml_estimator_set_f64(e, "quantile", 0.3, ERR);
    if (!status) status = ml_params_new(ctx, &p, ERR);
    if (!status) status = ml_params_set_str(p, "target", "y", ERR);
    if (!status) status = ml_estimator_set_params(e, p, ERR);
    if (!status) status = ml_estimator_clone(e, &copy, ERR);
    ml_params_free(p);
    ml_estimator_free(copy);
    ml_estimator_free(e);
    ml_context_free(ctx);
    return status;
}

START_TEST(survives_out_of_memory)
{
    failing_alloc f;
    ml_host host = failing_host(&f);
    OUT_OF_MEMORY_LOOP(f, set_and_clone(&host));
}
END_TEST

/* What would be ignored is refused. */
START_TEST(parameters_for_classes_only)
{
    ml_context *ctx = test_context(1);
    ml_table *t = add_f64(ctx, NULL, "x", 6, (double[]){1, 2, 3, 4, 5, 6});
    t = add_f64(ctx, t, "y", 6, (double[]){1, 2.5, 3, 4, 5, 6});
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_estimator_new(ctx, "gbdt", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    OK(ml_estimator_set_str(e, "class_weight", "balanced", ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_fit(e, t, NULL, &m, ERR));
    ck_assert_str_eq(ml_error_location(ERR), "params.class_weight");
    OK(ml_estimator_set_str(e, "class_weight", "none", ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("algorithms/estimator", finds_algorithms, makes_every_algorithm,
          checks_values_at_once, sets_all_or_nothing, clones, fits, obeys_its_token,
          survives_out_of_memory, parameters_for_classes_only)
