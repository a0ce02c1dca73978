/* SPDX-License-Identifier: MIT
 *
 * Pipelines: parameters by path, YAML, fitting, one model file, predicting.
 */
#include "testing_yaml.h"
#include "algorithms/model.h"
#include "csv_text.h"

static ml_context *ctx;

static ml_table *housing(void)
{
    const char *path = shared_path("california_housing/housing.csv.gz");
    ml_table *t = NULL, *some = NULL;
    if (!path) return NULL;
    OK(ml_table_read_csv(ctx, path, NULL, &t, ERR));
    OK(ml_table_slice(t, 0, 3000, &some, ERR));
    ml_table_free(t);
    return some;
}

START_TEST(parameters_have_paths)
{
    ctx = test_context(1);
    ml_estimator *e = NULL;
    OK(ml_estimator_new(ctx, "pipeline", &e, ERR));
    FAILS(ML_E_NAME, ml_estimator_set_f64(e, "model.learning_rate", 0.2, ERR));
    OK(ml_estimator_set_str(e, "steps", "imputer, scale = scaler, model=gbdt", ERR));
    const ml_params *p = ml_estimator_params(e);
    ck_assert_str_eq(ml_params_get_str(p, "steps"),
                     "[\"imputer\", \"scale=standard_scaler\", \"model=gbdt\"]");
    ck_assert_str_eq(ml_params_get_str(p, "model.learning_rate"), "0.1");
    OK(ml_estimator_set_f64(e, "model.eta", 0.2, ERR)); /* an alias */
    ck_assert_str_eq(ml_params_get_str(p, "model.learning_rate"), "0.2");
    FAILS(ML_E_RANGE, ml_estimator_set_f64(e, "model.learning_rate", -1, ERR));
    ck_assert_str_eq(ml_error_location(ERR), "params.model.learning_rate");
    FAILS(ML_E_NAME, ml_estimator_set_f64(e, "model.learning", 1, ERR));
    FAILS(ML_E_NAME, ml_estimator_set_str(e, "model.target", "y", ERR));
    FAILS(ML_E_NAME, ml_estimator_set_f64(e, "modle.learning_rate", 1, ERR));
    FAILS(ML_E_NAME, ml_estimator_set_f64(e, "model.learning_rate.x", 1, ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_set_str(e, "steps", "imputer, imputer", ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_set_str(e, "steps", "a.b=imputer", ERR));
    FAILS(ML_E_NAME, ml_estimator_set_str(e, "steps", "imputter", ERR));
    /* Parts that stay keep their values, those that go take theirs along. */
    OK(ml_estimator_set_str(e, "steps", "model=gbdt", ERR));
    ck_assert_str_eq(ml_params_get_str(p, "model.learning_rate"), "0.2");
    ck_assert_ptr_null(ml_params_get_str(p, "imputer.strategy"));
    OK(ml_estimator_set_str(e, "steps", "model=imputer", ERR));
    ck_assert_ptr_null(ml_params_get_str(p, "model.learning_rate"));
    ml_estimator_free(e);
    ml_context_free(ctx);
}
END_TEST

static const char spec[] = "target: median_house_value\n"
                           "steps:\n"
                           "  - imputer:\n"
                           "      strategy: median\n"
                           "  - scale: standard_scaler\n"
                           "  - model:\n"
                           "      algorithm: gbdt\n"
                           "      n_trees: 12\n"
                           "ignore: [ocean_proximity]\n";

START_TEST(yaml_round_trip)
{
    ctx = test_context(1);
    ml_params *p = NULL, *q = NULL;
    char text[4096], again[4096];
    size_t n = 0, m = 0;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_read_yaml(p, spec, strlen(spec), ERR));
    ck_assert_str_eq(ml_params_get_str(p, "model.n_trees"), "12");
    ck_assert_str_eq(ml_params_name(p, 1), "steps");
    OK(ml_params_write_yaml(p, text, sizeof text, &n, ERR));
    ck_assert_str_eq(text, spec);
    /* All parameters, the same way there and back. */
    ml_estimator *e = estimator_of(ctx, "pipeline", spec);
    OK(ml_params_write_yaml(ml_estimator_params(e), text, sizeof text, &n, ERR));
    OK(ml_params_new(ctx, &q, ERR));
    OK(ml_params_read_yaml(q, text, n - 1, ERR));
    OK(ml_params_write_yaml(q, again, sizeof again, &m, ERR));
    ck_assert_str_eq(text, again);
    ck_assert_int_eq(ml_params_count(q), ml_params_count(ml_estimator_params(e)));
    OK(ml_estimator_set_params(e, q, ERR));
    ml_estimator_free(e);
    ml_params_free(p);
    ml_params_free(q);
    ml_context_free(ctx);
}
END_TEST

/* Parts that are written as YAML invites to. */
START_TEST(yaml_parts_without_names)
{
    static const char text[] = "target: y\n"
                               "steps:\n"
                               "  - algorithm: imputer\n"
                               "    strategy: median\n"
                               "  - {algorithm: one_hot_encoder, max_levels: 9}\n"
                               "  - model:\n"
                               "      metric: f1\n"
                               "      algorithm: threshold\n"
                               "      model:\n"
                               "        method: isotonic\n"
                               "        algorithm: calibrated\n"
                               "        model: {algorithm: gbdt, n_trees: 7}\n";
    ctx = test_context(1);
    ml_estimator *e = estimator_of(ctx, "pipeline", text);
    const ml_params *p = ml_estimator_params(e);
    ck_assert_str_eq(ml_params_get_str(p, "imputer.strategy"), "median");
    ck_assert_str_eq(ml_params_get_str(p, "one_hot_encoder.max_levels"), "9");
    ck_assert_str_eq(ml_params_get_str(p, "model.model.method"), "isotonic");
    ck_assert_str_eq(ml_params_get_str(p, "model.model.model"), "[\"model=gbdt\"]");
    ck_assert_str_eq(ml_params_get_str(p, "model.model.model.n_trees"), "7");
    char once[8192], again[8192];
    size_t n = 0;
    ml_params *q = NULL;
    OK(ml_params_write_yaml(p, once, sizeof once, &n, ERR));
    OK(ml_params_new(ctx, &q, ERR));
    OK(ml_params_read_yaml(q, once, n - 1, ERR));
    OK(ml_params_write_yaml(q, again, sizeof again, &n, ERR));
    ck_assert_str_eq(once, again);
    ml_params_free(q);
    ml_estimator_free(e);
    ml_context_free(ctx);
}
END_TEST

/* Names that look like paths or parts, and are not, survive as well. */
START_TEST(yaml_of_odd_names)
{
    const char *const names[] = {
        "a",   "a.b", "a.",    ".a",    "a..b",        "l",   "x.y",           "x",
        "l.k", "p.q", "no.on", "x.y.z", "u.algorithm", "u.v", "w.z.algorithm", "w.z.k"};
    ctx = test_context(1);
    ml_params *p = NULL, *q = NULL;
    char text[4096];
    size_t n = 0;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_new(ctx, &q, ERR));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        OK(ml_params_set_i64(p, names[i], (int64_t)i, ERR));
    const char list[] = "l2: [p, p, \"q=\", a=b]\nl3: [p, no=on]\n";
    OK(ml_params_read_yaml(p, list, strlen(list), ERR));
    OK(ml_params_write_yaml(p, text, sizeof text, &n, ERR));
    OK(ml_params_read_yaml(q, text, n - 1, ERR));
    ck_assert_int_eq(ml_params_count(q), ml_params_count(p));
    for (int64_t i = 0; i < ml_params_count(p); i++) {
        const char *name = ml_params_name(p, i);
        ck_assert_ptr_nonnull(ml_params_get_str(q, name));
        ck_assert_str_eq(ml_params_get_str(q, name), ml_params_get_str(p, name));
    }
    ml_params_free(p);
    ml_params_free(q);
    ml_context_free(ctx);
}
END_TEST

START_TEST(yaml_errors_have_places)
{
    static const struct {
        const char *text, *says;
    } cases[] = {{"steps: [imputer]\ntarget: y\nimputer:\n  strateg: mean\n",
                  "line 4, column 3, params.imputer.strateg: imputer has no parameter"},
                 {"steps:\n  - model:\n      algorithm: gbdt\n      n_trees: 0\n",
                  "line 4, column 16, params.model.n_trees: 0 is outside"},
                 {"target: y\nstepps: 1\n", "line 2, column 1, params.stepps"},
                 {"steps:\n  - imputer\n  - moddel: gbtd\n",
                  "line 3, column 5, params.steps: there is no algorithm \"gbtd\""},
                 {"steps:\n  - algorithm: gbdt\n    n_tree: 5\n",
                  "line 3, column 5, params.gbdt.n_tree: gbdt has no"},
                 {"steps:\n  - m:\n      algorithm: threshold\n"
                  "      model: {algorithm: gbdt, n_tree: 3}\n",
                  "line 4, column 32, params.m.model.n_tree: gbdt has no"}};
    ctx = test_context(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ml_params *p = NULL;
        ml_estimator *e = NULL;
        OK(ml_params_new(ctx, &p, ERR));
        OK(ml_params_read_yaml(p, cases[i].text, strlen(cases[i].text), ERR));
        OK(ml_estimator_new(ctx, "pipeline", &e, ERR));
        ck_assert_int_lt(ml_estimator_set_params(e, p, ERR), 0);
        ck_assert_msg(strstr(ml_error_message(ERR), cases[i].says) != NULL, "%s",
                      ml_error_message(ERR));
        ml_estimator_free(e);
        ml_params_free(p);
    }
    ml_context_free(ctx);
}
END_TEST

/* A pipeline predicts what its steps do when they are used by hand. */
START_TEST(equals_its_steps)
{
    ctx = test_context(2);
    ml_table *t = housing();
    if (!t) {
        ml_context_free(ctx);
        SKIP("the shared data are not there");
    }
    ml_estimator *e = estimator_of(ctx, "pipeline", spec), *step = NULL;
    ml_model *m = NULL;
    ml_table *at = t;
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_tensor *whole = predicted(m, NULL, t);
    const char *const algorithms[] = {"imputer", "standard_scaler", "gbdt"};
    ml_tensor *by_hand = NULL;
    for (int i = 0; i < 3; i++) {
        ml_model *part = NULL;
        ml_predictor *p = NULL;
        ml_table *next = NULL, *with = NULL;
        OK(ml_estimator_new(ctx, algorithms[i], &step, ERR));
        OK(ml_estimator_set_str(step, "ignore",
                                i == 0   ? "ocean_proximity, median_house_value"
                                : i == 1 ? "median_house_value"
                                         : "",
                                ERR));
        if (i == 0) OK(ml_estimator_set_str(step, "strategy", "median", ERR));
        if (i == 2) {
            OK(ml_estimator_set_str(step, "target", "median_house_value", ERR));
            OK(ml_estimator_set_i64(step, "n_trees", 12, ERR));
        }
        OK(ml_estimator_fit(step, at, NULL, &part, ERR));
        if (i == 2) {
            by_hand = predicted(part, NULL, at);
        } else {
            const char *target = "median_house_value";
            ml_tensor *y = NULL;
            double *values = malloc(3000 * sizeof *values);
            int64_t c = ml_table_find(at, target), rows = 3000;
            OK(ml_predictor_new(part, NULL, NULL, &p, ERR));
            OK(ml_predictor_run_table(p, at, &next, ERR));
            for (int64_t k = 0; k < rows; k++) values[k] = ml_table_get_f64(at, k, c);
            OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, &rows, NULL, values, &y, ERR));
            OK(ml_table_with_tensor(next, target, y, &with, ERR));
            ml_tensor_free(y);
            free(values);
            ml_table_free(next);
            if (at != t) ml_table_free(at);
            at = with;
        }
        ml_predictor_free(p);
        ml_model_free(part);
        ml_estimator_free(step);
    }
    for (int64_t i = 0; i < 3000; i++)
        ck_assert(ml_tensor_get_f64(whole, i, 0) == ml_tensor_get_f64(by_hand, i, 0));
    ml_tensor_free(whole);
    ml_tensor_free(by_hand);
    ml_table_free(at);
    ml_table_free(t);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_context_free(ctx);
}
END_TEST

START_TEST(refuses_what_cannot_be)
{
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"target: y\nsteps: [linear_regression, imputer]\n", "must be the last"},
        {"target: y\nsteps: []\n", "needs a step"},
        {"steps: [imputer, gbdt]\n", "needs a target"},
        {"target: y\nsteps:\n  - s: {algorithm: standard_scaler, columns: [zz]}\n",
         "params.s.columns"},
    };
    ctx = test_context(1);
    ml_table *t = NULL;
    const char csv[] = "a,b,y\n1,2,1\n2,,2\n3,5,1\n,8,2\n";
    t = csv_text(ctx, csv);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ml_estimator *e = estimator_of(ctx, "pipeline", cases[i].yaml);
        ml_model *m = NULL;
        ck_assert_int_lt(ml_estimator_fit(e, t, NULL, &m, ERR), 0);
        ck_assert_msg(strstr(ml_error_message(ERR), cases[i].says) != NULL, "%s",
                      ml_error_message(ERR));
        ml_estimator_free(e);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Steps that change rows of training: predictions are made for all rows. */
START_TEST(rows_of_training_change)
{
    ctx = test_context(1);
    ml_table *t = csv_text(ctx, "x,rare,y\n1,0,a\n2,0,a\n3,0,a\n2,0,a\n1,0,a\n3,9,b\n"
                                "2,0,b\n1000,0,b\n");
    static const struct {
        const char *yaml;
        double share; /* of the first class */
    } cases[] = {{"target: y\nsteps: [class_balancer, baseline]\n", 0.5},
                 {"target: y\nsteps: [outlier_filter, baseline]\n", 5.0 / 7},
                 {"target: y\nsteps:\n  - row_filter: {condition: x > 1 and x < 4}\n"
                  "  - derive: {expressions: [z = x * 2]}\n  - baseline\n",
                  0.6},
                 {"target: y\nsteps: [outlier_filter, standard_scaler, class_balancer, "
                  "baseline]\nclass_balancer: {method: under}\n",
                  0.5}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ml_estimator *e = estimator_of(ctx, "pipeline", cases[i].yaml);
        ml_model *m = NULL;
        OK(ml_estimator_fit(e, t, NULL, &m, ERR));
        ml_tensor *p = predicted(m, NULL, t);
        ck_assert_int_eq(ml_tensor_shape(p)[0], 8);
        ck_assert_double_eq_tol(ml_tensor_get_f64(p, 7, 0), cases[i].share, 1e-12);
        ml_tensor_free(p);
        ml_model_free(m);
        ml_estimator_free(e);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* As many folds as rows: each row is encoded by the others. */
START_TEST(rows_of_training_are_cross_fitted)
{
    ctx = test_context(1);
    ml_table *t = csv_text(ctx, "k,y\nu,1\nv,2\nu,3\nw,8\nv,4\n"), *out = NULL;
    static const double others[] = {3, 4, 1, 2.5, 2}, all[] = {2, 3, 2, 8, 3};
    static const char *const ways[] = {"target: y\nsteps: [target_encoder]\n",
                                       "target: y\nsteps: [inner=pipeline]\n"
                                       "inner: {steps: [target_encoder]}\n"};
    ml_params *training = NULL;
    OK(ml_params_new(ctx, &training, ERR));
    OK(ml_params_set_str(training, "training", "true", ERR));
    for (int i = 0; i < 2; i++) {
        ml_estimator *e = estimator_of(ctx, "pipeline", ways[i]);
        ml_model *m = NULL;
        const char *const names[] = {"target_encoder.smooth",
                                     "inner.target_encoder.smooth"};
        OK(ml_estimator_set_str(e, names[i], "0", ERR));
        OK(ml_estimator_fit(e, t, NULL, &m, ERR));
        for (int k = 0; k < 2; k++) {
            ml_predictor *p = NULL;
            OK(ml_predictor_new(m, "transform", k ? training : NULL, &p, ERR));
            OK(ml_predictor_run_table(p, t, &out, ERR));
            for (int64_t r = 0; r < 5; r++)
                ck_assert_double_eq_tol(ml_table_get_f64(out, r, 0),
                                        (k ? others : all)[r], 1e-12);
            ml_table_free(out);
            ml_predictor_free(p);
        }
        ml_model_free(m);
        ml_estimator_free(e);
    }
    ml_estimator *e = estimator_of(
        ctx, "pipeline", "target: y\nsteps: [target_encoder, linear_regression]\n");
    ml_model *m = NULL;
    ml_predictor *p = NULL;
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    FAILS(ML_E_ARGUMENT, ml_predictor_new(m, "value", training, &p, ERR));
    ck_assert_str_eq(ml_error_location(ERR), "params.training");
    ml_model_free(m);
    ml_estimator_free(e);
    ml_params_free(training);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Branches: columns beside each other, cross-fitted rows, the names of the outputs. */
START_TEST(branches_stand_side_by_side)
{
    ctx = test_context(2);
    ml_table *t = csv_text(ctx, "a,k,b,y\n1,u,5,1\n2,v,,2\n3,u,7,3\n,w,8,2\n5,v,9,4\n");
    ml_estimator *e = estimator_of(
        ctx, "pipeline",
        "target: y\nsteps:\n"
        "  - columns:\n"
        "      rest: keep\n"
        "      branches:\n"
        "        - numbers: {columns: [a], steps: [imputer, standard_scaler]}\n"
        "        - words: {columns: category, steps: [one_hot_encoder]}\n");
    ml_model *m = NULL;
    ml_predictor *p = NULL;
    ml_table *out = NULL;
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    OK(ml_predictor_run_table(p, t, &out, ERR));
    const char *const names[] = {"a", "k = u", "k = v", "k = w", "b"};
    ck_assert_int_eq(ml_table_columns(out), 5);
    for (int j = 0; j < 5; j++) ck_assert_str_eq(ml_table_column_name(out, j), names[j]);
    ck_assert_double_eq_tol(ml_table_get_f64(out, 3, 0), 0, 1e-12);
    ck_assert(ml_table_get_f64(out, 3, 3) == 1);
    ck_assert(isnan(ml_table_get_f64(out, 1, 4)));
    ml_table_free(out);
    ml_predictor_free(p);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Columns of one name get that of their branch in front, which may be taken already. */
START_TEST(names_of_branches_are_free)
{
    ctx = test_context(1);
    ml_table *t = csv_text(ctx, "x,a.x,y\n1,2,5\n2,3,2\n3,1,7\n4,8,8\n5,9,9\n");
    ml_estimator *e =
        estimator_of(ctx, "pipeline",
                     "target: y\nsteps:\n"
                     "  - columns:\n"
                     "      branches:\n"
                     "        - a: {columns: [x], steps: [standard_scaler]}\n"
                     "        - b: {columns: [x], steps: [min_max_scaler]}\n"
                     "        - c: {columns: [a.x], steps: [standard_scaler]}\n");
    ml_model *m = NULL;
    ml_predictor *p = NULL;
    ml_table *out = NULL;
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    OK(ml_predictor_run_table(p, t, &out, ERR));
    const char *const names[] = {"a.x_2", "x", "a.x"};
    for (int j = 0; j < 3; j++) ck_assert_str_eq(ml_table_column_name(out, j), names[j]);
    ml_table_free(out);
    ml_predictor_free(p);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Many rows are no reason to refuse columns, many more columns are, beside many as well.
 * The limit of memory stands for a machine that could not hold either. */
START_TEST(large_columns)
{
    ctx = test_context(1);
    const struct {
        int64_t rows, given, made;
    } sizes[] = {{300000000, 4, 4}, {300000000, 4, 64}, {3000000, 301, 2300}};
    for (int i = 0; i < 3; i++) {
        int64_t made = sizes[i].made, given = sizes[i].given;
        mli_inputs *outputs = NULL;
        ml_table *t = NULL;
        OK(mli_inputs_new(ctx, made, &outputs, ERR));
        for (int64_t j = 0; j < made; j++) {
            outputs->features[j].kind = MLI_NUMERIC;
            outputs->features[j].name = mli_strdup(ctx, "x");
        }
        const mli_design d = {.ctx = ctx, .rows = sizes[i].rows, .n_features = given};
        const mli_plan plan = {.ctx = ctx, .n_features = given, .n_outputs = made};
        ck_assert(mli_memory_limit(ctx, mli_memory_used(ctx) + 1000000));
        FAILS(i ? ML_E_DATA : ML_E_MEMORY,
              mli_plan_run_columns(&plan, &d, outputs, 0, NULL, &t, ERR));
        mli_memory_lift(ctx);
        mli_inputs_free(outputs);
    }
    ml_context_free(ctx);
}
END_TEST

/* What a step has learned is an attribute of the whole. */
START_TEST(attributes_of_steps)
{
    ctx = test_context(1);
    ml_table *t = csv_text(ctx, "x,z,y\n1,2,5\n2,3,2\n3,1,7\n4,8,8\n5,9,9\n");
    ml_estimator *e = estimator_of(ctx, "pipeline",
                                   "target: y\nsteps:\n  - imputer\n  - g:\n"
                                   "      algorithm: gbdt\n      n_trees: 3\n");
    ml_model *m = NULL;
    ml_tensor *v = NULL;
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    OK(ml_model_get_tensor(m, "g.n_rounds", &v, ERR));
    ck_assert_double_eq(ml_tensor_get_f64(v, 0, 0), 3);
    ml_tensor_free(v);
    FAILS(ML_E_NAME, ml_model_get_tensor(m, "g.n_rouns", &v, ERR));
    FAILS(ML_E_NAME, ml_model_get_tensor(m, "h.n_rounds", &v, ERR));
    FAILS(ML_E_NAME, ml_model_get_tensor(m, ".n_rounds", &v, ERR));
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Of every model made of others. */
START_TEST(attributes_of_parts)
{
    static const char *const wholes[][3] = {
        {"ensemble", "members: [g=gbdt, baseline]", "g.n_rounds"},
        {"calibrated", "model: [g=gbdt]\nfolds: 2", "g.n_rounds"},
        {"threshold", "model: [c=calibrated]\nfolds: 2\nc.folds: 2\nc.model: [g=gbdt]",
         "c.g.n_rounds"},
        {"stacking", "members: [baseline]\nfinal: [g=gbdt]\nfolds: 2", "g.n_rounds"},
        {"stacking", "members: [g=gbdt]\nfolds: 2", "g.n_rounds"},
        {"pipeline", "steps:\n  - p:\n      algorithm: pipeline\n      steps: [g=gbdt]",
         "p.g.n_rounds"}};
    ctx = test_context(1);
    char text[2048] = "x,y\n", yaml[300], wrong[32];
    for (int i = 0; i < 80; i++)
        snprintf(text + strlen(text), 32, "%d,%c\n", i, "ab"[i * 7 % 80 > 40]);
    ml_table *t = csv_text(ctx, text);
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++) {
        const char *path = wholes[i][2];
        int below = (int)(strrchr(path, '.') - path);
        ml_model *m = NULL;
        ml_tensor *v = NULL;
        snprintf(yaml, sizeof yaml, "target: y\n%s\n", wholes[i][1]);
        ml_estimator *e = estimator_of(ctx, wholes[i][0], yaml);
        snprintf(wrong, sizeof wrong, "%.*s.n_trees", below, path);
        OK(ml_estimator_set_i64(e, wrong, 3, ERR));
        OK(ml_estimator_fit(e, t, NULL, &m, ERR));
        OK(ml_model_get_tensor(m, path, &v, ERR));
        ck_assert_double_eq(ml_tensor_get_f64(v, 0, 0), 3);
        FAILS(ML_E_NAME, ml_model_get_tensor(m, "h.n_rounds", &v, ERR));
        ml_tensor_free(v);
        ml_model_free(m);
        ml_estimator_free(e);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Twenty groups of ten rows. */
static ml_table *queries(void)
{
    char text[16384] = "q,a,c,rank,time,dead\n";
    uint64_t x = 1;
    for (int i = 0; i < 200; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        int a = (int)(x >> 57), b = (int)(x >> 33 & 3);
        snprintf(text + strlen(text), 64, "%d,%d,%c,%d,%d,%d\n", i / 10, a, 'x' + i % 3,
                 a / 40, 1 + a + 9 * b, b > 0);
    }
    return csv_text(ctx, text);
}

/* With nothing before it that changes rows or columns, it predicts what its last step
 * does alone: rankings, survival times, several targets. */
START_TEST(last_step_decides_the_task)
{
    static const char *const cases[][3] = {
        {"gbdt", "group: q\ntarget: rank\nignore: [time, dead]", "objective: lambdarank"},
        {"gbdt", "event: dead\ntarget: time\nignore: [q, rank]", "objective: cox"},
        {"random_forest", "targets: [time, rank]\nignore: [q, dead]", "n_trees: 7"}};
    ctx = test_context(1);
    ml_table *t = queries();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ml_tensor *made[2];
        for (int whole = 0; whole < 2; whole++) {
            char yaml[512];
            ml_model *m = NULL;
            snprintf(yaml, sizeof yaml, "%s\n%s%s", cases[i][1], whole ? "last." : "",
                     cases[i][2]);
            if (whole)
                snprintf(yaml + strlen(yaml), 64, "\nsteps: [last=%s]", cases[i][0]);
            ml_estimator *e = estimator_of(ctx, whole ? "pipeline" : cases[i][0], yaml);
            OK(ml_estimator_fit(e, t, NULL, &m, ERR));
            made[whole] = predicted(m, NULL, t);
            ml_model_free(m);
            ml_estimator_free(e);
        }
        int64_t wide = ml_tensor_shape(made[0])[1];
        ck_assert_int_eq(wide, i == 2 ? 2 : 1);
        for (int64_t k = 0; k < 200 * wide; k++)
            ck_assert(ml_tensor_get_f64(made[0], k / wide, k % wide) ==
                      ml_tensor_get_f64(made[1], k / wide, k % wide));
        ml_tensor_free(made[0]);
        ml_tensor_free(made[1]);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(roles_without_use_are_refused)
{
    static const char *const cases[][2] = {
        {"event: dead\ntarget: time\nsteps: [imputer, linear_regression]",
         "params.event"},
        {"targets: [time, rank]\nsteps: [imputer, one_hot_encoder, linear_regression]",
         "params.targets"},
        {"targets: [time, rank]\nsteps: [target_encoder, random_forest]",
         "params.target_encoder.target: pipeline: target_encoder: target_encoder does "
         "not "
         "work with several targets"},
        {"event: dead\ntarget: time\nsteps: [boruta, g=gbdt]\ng.objective: cox",
         "a target of this task"},
        {"group: q\ntarget: rank\nsteps: [permutation_selector, g=gbdt]\n"
         "g.objective: lambdarank",
         "a target of this task"},
        {"target: rank\nsteps: [g=gbdt]\ng.objective: lambdarank", "group"}};
    ctx = test_context(1);
    ml_table *t = queries();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ml_model *m = NULL;
        ml_estimator *e = estimator_of(ctx, "pipeline", cases[i][0]);
        ck_assert_int_lt(ml_estimator_fit(e, t, NULL, &m, ERR), 0);
        ck_assert_msg(strstr(ml_error_message(ERR), cases[i][1]) != NULL, "%s",
                      ml_error_message(ERR));
        ml_estimator_free(e);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("algorithms/pipeline", parameters_have_paths, yaml_round_trip,
          yaml_parts_without_names, yaml_of_odd_names, yaml_errors_have_places,
          equals_its_steps, refuses_what_cannot_be, rows_of_training_change,
          rows_of_training_are_cross_fitted, branches_stand_side_by_side,
          names_of_branches_are_free, large_columns, attributes_of_steps,
          attributes_of_parts, last_step_decides_the_task, roles_without_use_are_refused)
