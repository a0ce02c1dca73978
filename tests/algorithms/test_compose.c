/* SPDX-License-Identifier: MIT
 *
 * Calibrated classifiers, tuned thresholds, stacking. The maps against scikit-learn.
 */
#include "testing_yaml.h"
#include "../conformance/kit.h"
#include "../failing.h"
#include "algorithms/compose/calibration.h"
#include "algorithms/compose/thresholds.h"
#include "calibration_expected.h"
#include "csv_text.h"

#include <pthread.h>

static ml_table *table(ml_context *ctx, int64_t rows, int classes, uint64_t seed)
{
    return kit_table(ctx, &(kit_data){.rows = rows, .classes = classes, .seed = seed});
}

/* ---- the maps ---- */

START_TEST(maps_equal_those_of_scikit_learn)
{
    ml_context *ctx = test_context(1);
    mli_calibration c;
    double two[2 * 21], three[N * K];
    OK(mli_calibration_fit(ctx, MLI_CALIBRATE_SIGMOID, pair, hits, weights, N, 2, &c,
                           ERR));
    for (int i = 0; i < 2; i++) ck_assert_double_eq_tol(c.line[i], sigmoid[i], 2e-4);
    mli_calibration_free(&c);
    OK(mli_calibration_fit(ctx, MLI_CALIBRATE_ISOTONIC, pair, hits, weights, N, 2, &c,
                           ERR));
    for (int i = 0; i < 21; i++) {
        two[2 * i] = 1 - at[i];
        two[2 * i + 1] = at[i];
    }
    mli_calibration_apply(&c, two, 21);
    for (int i = 0; i < 21; i++) {
        ck_assert_double_eq_tol(two[2 * i + 1], isotonic[i], 1e-12);
        ck_assert_double_eq_tol(two[2 * i] + two[2 * i + 1], 1, 1e-15);
    }
    mli_calibration_free(&c);
    OK(mli_calibration_fit(ctx, MLI_CALIBRATE_ISOTONIC, proba, labels, weights, N, K, &c,
                           ERR));
    memcpy(three, proba, sizeof three);
    mli_calibration_apply(&c, three, N);
    for (int i = 0; i < N * K; i++)
        ck_assert_double_eq_tol(three[i], isotonic3[i], 1e-12);
    mli_calibration_free(&c);
    OK(mli_calibration_fit(ctx, MLI_CALIBRATE_TEMPERATURE, proba, labels, weights, N, K,
                           &c, ERR));
    ck_assert_double_eq_tol(c.beta, beta[0], 1e-6);
    mli_calibration_free(&c);
    ml_context_free(ctx);
}
END_TEST

/* Only the ratios of weights count. */
START_TEST(maps_of_scaled_weights)
{
    ml_context *ctx = test_context(1);
    double big[N];
    for (int i = 0; i < N; i++) big[i] = 1000 * weights[i];
    for (int32_t method = 1; method <= 3; method++) {
        mli_calibration a, b;
        double x[2 * 21], y[2 * 21];
        OK(mli_calibration_fit(ctx, method, pair, hits, weights, N, 2, &a, ERR));
        OK(mli_calibration_fit(ctx, method, pair, hits, big, N, 2, &b, ERR));
        for (int i = 0; i < 21; i++) {
            x[2 * i] = y[2 * i] = 1 - at[i];
            x[2 * i + 1] = y[2 * i + 1] = at[i];
        }
        mli_calibration_apply(&a, x, 21);
        mli_calibration_apply(&b, y, 21);
        for (int i = 0; i < 42; i++) ck_assert_double_eq_tol(x[i], y[i], 1e-9);
        mli_calibration_free(&a);
        mli_calibration_free(&b);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(map_of_one_class)
{
    ml_context *ctx = test_context(1);
    const int32_t label[] = {0, 0, 0};
    for (int32_t method = 1; method <= 3; method++) {
        mli_calibration c;
        double *one = malloc(3 * sizeof *one); /* no room for a second class */
        for (int i = 0; i < 3; i++) one[i] = 1;
        OK(mli_calibration_fit(ctx, method, one, label, NULL, 3, 1, &c, ERR));
        mli_calibration_apply(&c, one, 3);
        for (int i = 0; i < 3; i++) ck_assert_double_eq(one[i], 1);
        mli_calibration_free(&c);
        free(one);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(maps_of_strange_rows)
{
    ml_context *ctx = test_context(1);
    const double sure[] = {1, 0, 0, 1, 1, 0, 0, 1};
    const int32_t label[] = {0, 1, 0, 1}, same[] = {1, 1, 1, 1};
    for (int32_t method = 1; method <= 3; method++) {
        mli_calibration c;
        double rows[] = {1, 0, 0.5, 0.5, NAN, NAN, 0, 1};
        OK(mli_calibration_fit(ctx, method, sure, label, NULL, 4, 2, &c, ERR));
        mli_calibration_apply(&c, rows, 4);
        ck_assert(rows[1] < 0.5 && rows[7] > 0.5);
        ck_assert(isnan(rows[5]));
        mli_calibration_free(&c);
        OK(mli_calibration_fit(ctx, method, sure, same, NULL, 4, 2, &c, ERR));
        double row[] = {0.5, 0.5};
        mli_calibration_apply(&c, row, 1);
        ck_assert(row[1] >= 0 && row[1] <= 1);
        mli_calibration_free(&c);
    }
    ml_context_free(ctx);
}
END_TEST

/* ---- calibrated ---- */

static const char *const methods[] = {"sigmoid", "isotonic", "temperature"};

/* A model that is far too sure of itself. */
START_TEST(calibration_lowers_the_loss)
{
    ml_context *ctx = test_context(2);
    for (int classes = 2; classes <= 3; classes++) {
        ml_table *train = table(ctx, 400, classes, 1),
                 *test = table(ctx, 400, classes, 2);
        ml_model *plain = fit_yaml(ctx, "decision_tree",
                                   "{target: y, min_data_in_leaf: 1}", train, NULL);
        double before = scored(plain, test, "log_loss");
        for (int i = 0; i < 3; i++) {
            char yaml[128];
            snprintf(yaml, sizeof yaml,
                     "{target: y, model: m=decision_tree, m.min_data_in_leaf: 1, "
                     "method: %s}",
                     methods[i]);
            ml_model *m = fit_yaml(ctx, "calibrated", yaml, train, NULL);
            double after = scored(m, test, "log_loss");
            ck_assert_msg(after < before, "%s: %g, before %g", methods[i], after, before);
            ml_model_free(m);
            m = fit_yaml(ctx, "calibrated", yaml, train, test);
            ck_assert_double_lt(scored(m, test, "log_loss"), before);
            ml_model_free(m);
        }
        ml_model_free(plain);
        ml_table_free(train);
        ml_table_free(test);
    }
    ml_context_free(ctx);
}
END_TEST

/* Rows that judge choose nothing of the models that are judged by them: folds, and
 * validation rows. */
START_TEST(judging_rows_do_not_stop_training)
{
    static const char *const wholes[][2] = {{"calibrated", "model: [m=gbdt]"},
                                            {"threshold", "model: [m=gbdt]"},
                                            {"stacking", "members: [m=gbdt, baseline]"}};
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 200, 2, 4), *valid = table(ctx, 200, 2, 5);
    for (int i = 0; i < 6; i++) {
        const char *whole = wholes[i / 2][0];
        ml_model *m[2];
        ml_tensor *p[2];
        for (int stops = 0; stops < 2; stops++) {
            char yaml[200];
            snprintf(yaml, sizeof yaml,
                     "{target: y, %s, m.n_trees: 60, m.learning_rate: 0.5%s}",
                     wholes[i / 2][1], stops ? ", m.early_stopping_rounds: 1" : "");
            m[stops] = fit_yaml(ctx, whole, yaml, t, i % 2 ? valid : NULL);
            p[stops] = predicted(m[stops], "proba", t);
        }
        for (int64_t row = 0; row < 200; row++)
            ck_assert_msg(ml_tensor_get_f64(p[0], row, 1) ==
                              ml_tensor_get_f64(p[1], row, 1),
                          "%s, %s", whole, i % 2 ? "validation rows" : "folds");
        for (int stops = 0; stops < 2; stops++) {
            ml_tensor_free(p[stops]);
            ml_model_free(m[stops]);
        }
    }
    ml_table_free(t);
    ml_table_free(valid);
    ml_context_free(ctx);
}
END_TEST

/* ---- threshold ---- */

START_TEST(thresholds_raise_their_metric)
{
    ml_context *ctx = test_context(2);
    for (int classes = 2; classes <= 3; classes++) {
        ml_table *train = table(ctx, 400, classes, 1);
        ml_model *m = fit_yaml(ctx, "threshold",
                               "{target: y, model: m=logistic_regression, metric: "
                               "balanced_accuracy}",
                               train, NULL);
        ml_model *plain =
            fit_yaml(ctx, "logistic_regression", "{target: y}", train, NULL);
        ck_assert_double_ge(scored(m, train, "balanced_accuracy"),
                            scored(plain, train, "balanced_accuracy"));
        ml_tensor *cuts = NULL, *p = predicted(m, "proba", train),
                  *c = predicted(m, "class", train);
        OK(ml_model_get_tensor(m, "class_thresholds", &cuts, ERR));
        double sum = 0;
        for (int k = 0; k < classes; k++) sum += ml_tensor_get_f64(cuts, k, 0);
        ck_assert_double_eq_tol(sum, 1, 1e-12);
        for (int64_t i = 0; i < 400 && classes == 2; i++)
            ck_assert_int_eq(ml_tensor_get_f64(c, i, 0) == 1,
                             ml_tensor_get_f64(p, i, 1) > ml_tensor_get_f64(cuts, 1, 0));
        ml_tensor_free(cuts);
        ml_tensor_free(p);
        ml_tensor_free(c);
        ml_model_free(plain);
        ml_model_free(m);
        ml_table_free(train);
    }
    ml_context_free(ctx);
}
END_TEST

/* The best of all thresholds, found by hand. */
START_TEST(the_best_threshold_is_found)
{
    ml_context *ctx = test_context(1);
    const double p[] = {0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4, 0.1, 0.9};
    const int32_t label[] = {0, 0, 1, 1, 1};
    const mli_truth t = {.n = 5, .label = label, .n_classes = 2};
    const mli_metric *metric;
    double cuts[2], best;
    OK(mli_thresholds_metric("f1", &metric, ERR));
    OK(mli_thresholds_tune(ctx, metric, &t, p, cuts, &best, ERR));
    ck_assert_double_eq(best, 1);
    ck_assert_double_eq_tol(cuts[1], 0.25, 1e-12);
    FAILS(ML_E_ARGUMENT, mli_thresholds_metric("roc_auc", &metric, ERR));
    FAILS(ML_E_NAME, mli_thresholds_metric("f2x", &metric, ERR));
    ml_context_free(ctx);
}
END_TEST

/* In a pipeline, and around a calibrated model, the thresholds hold as well. */
START_TEST(thresholds_inside_others)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 300, 2, 3);
    ml_model *m = fit_yaml(ctx, "pipeline",
                           "{target: y, steps: [imputer, last=threshold], "
                           "last.model: [c=calibrated], last.c.model: [b=gbdt], "
                           "last.c.b.n_trees: 5, last.metric: recall}",
                           t, NULL);
    ml_tensor *p = predicted(m, "proba", t), *c = predicted(m, "class", t);
    int64_t second = 0, half = 0;
    for (int64_t i = 0; i < 300; i++) {
        second += ml_tensor_get_f64(c, i, 0) == 1;
        half += ml_tensor_get_f64(p, i, 1) > 0.5;
    }
    ck_assert_int_gt(second, half); /* recall wants all of them */
    ml_tensor_free(p);
    ml_tensor_free(c);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Is the second class predicted from that probability on? Returns the rows for which that
 * makes a difference to `other`. */
static int64_t cut_at(const ml_model *m, const ml_table *t, double cut, double other)
{
    ml_tensor *p = predicted(m, "proba", t), *c = predicted(m, "class", t);
    int64_t between = 0;
    for (int64_t i = 0; i < ml_tensor_shape(p)[0]; i++) {
        double v = ml_tensor_get_f64(p, i, 1);
        ck_assert_msg((ml_tensor_get_f64(c, i, 0) == 1) == (v > cut),
                      "row %d: %g, cut %g", (int)i, v, cut);
        between += (v > cut) != (v > other);
    }
    ml_tensor_free(p);
    ml_tensor_free(c);
    return between;
}

/* What models of models make of the threshold of a part: share * it + the rest * 1/2. */
START_TEST(thresholds_of_parts)
{
    static const struct {
        const char *algorithm, *list;
        double share;
    } wholes[] = {
        {"ensemble", "members: [a=threshold]", 1},
        {"ensemble", "members: [a=threshold, b=baseline], weights: [3, 1]", 0.75},
        {"stacking", "members: [gbdt], final: [a=threshold]", 1},
        {"calibrated", "model: [a=threshold]", 0}};
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 300, 2, 3);
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++) {
        char yaml[256];
        ml_tensor *cuts = NULL;
        snprintf(yaml, sizeof yaml,
                 "{target: y, %s, a.model: [m=gbdt], a.m.n_trees: 3, a.metric: f1}",
                 wholes[i].list);
        ml_model *m = fit_yaml(ctx, wholes[i].algorithm, yaml, t, NULL);
        OK(ml_model_get_tensor(m, "a.class_thresholds", &cuts, ERR));
        double cut = ml_tensor_get_f64(cuts, 1, 0), share = wholes[i].share;
        int64_t between = cut_at(m, t, share * cut + (1 - share) / 2, share ? 0.5 : cut);
        ck_assert_msg(between > 0, "%s: %g", wholes[i].list, cut);
        ml_tensor_free(cuts);
        ml_model_free(m);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A file without the tensor that makes the model what it is. */
START_TEST(tensors_that_are_missing)
{
    static const char *const wholes[][2] = {{"threshold", "class_thresholds"},
                                            {"calibrated", "calibration_sigmoid"}};
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 100, 2, 3);
    for (int i = 0; i < 2; i++) {
        ml_model *m = fit_yaml(ctx, wholes[i][0],
                               "{target: y, model: [m=logistic_regression]}", t, NULL),
                 *loaded = NULL;
        kit_bytes b = kit_save(m);
        size_t length = strlen(wholes[i][1]);
        for (size_t k = 0; k + length < b.size; k++)
            if (memcmp(b.data + k, wholes[i][1], length) == 0) b.data[k] = 'x';
        FAILS(ML_E_FORMAT,
              ml_model_load_memory(ctx, b.data, b.size, NULL, NULL, NULL, &loaded, ERR));
        ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "missing"));
        free(b.data);
        ml_model_free(m);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- stacking ---- */

START_TEST(stacking_is_a_model_of_models)
{
    ml_context *ctx = test_context(2);
    for (int classes = 0; classes <= 3; classes++) {
        if (classes == 1) continue;
        ml_table *train = table(ctx, 300, classes, 1),
                 *test = table(ctx, 300, classes, 2);
        const char *linear = classes ? "logistic_regression" : "linear_regression";
        const char *metric = classes ? "log_loss" : "rmse";
        char yaml[200];
        snprintf(yaml, sizeof yaml,
                 "{target: y, members: [gbdt, %s, baseline], gbdt.n_trees: 20}", linear);
        ml_model *m = fit_yaml(ctx, "stacking", yaml, train, NULL);
        ml_model *one = fit_yaml(ctx, "baseline", "{target: y}", train, NULL);
        ck_assert_double_lt(scored(m, test, metric), 0.9 * scored(one, test, metric));
        ck_assert_ptr_nonnull(
            strstr(ml_params_get_str(ml_model_params(m), "final"), linear));
        ml_model_free(m);
        m = fit_yaml(ctx, "stacking",
                     "{target: y, members: [baseline, gbdt], gbdt.n_trees: 20, "
                     "final: [top=gbdt], top.n_trees: 5}",
                     train, test);
        ck_assert_double_lt(scored(m, test, metric), scored(one, test, metric));
        ml_model_free(m);
        ml_model_free(one);
        ml_table_free(train);
        ml_table_free(test);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(wrong_parameters)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 60, 2, 1);
    refused(ctx, "calibrated", "{target: y, model: []}", t, "model");
    refused(ctx, "calibrated", "{target: y, model: [gbdt, a=gbdt]}", t, "one model");
    refused(ctx, "calibrated", "{target: y, model: imputer}", t, "does not predict");
    refused(ctx, "calibrated", "{target: y, model: gbdt, folds: 40}", t, "rows");
    refused(ctx, "calibrated", "{target: y, model: gbdt, method: platt}", t, "sigmoid");
    refused(ctx, "threshold", "{target: y, model: gbdt, metric: roc_auc}", t, "f1");
    refused(ctx, "stacking", "{target: y, members: []}", t, "member");
    refused(ctx, "stacking", "{target: y, members: [imputer]}", t, "predict");
    refused(ctx, "stacking", "{target: y, members: [gbdt], final: [imputer]}", t,
            "predict");
    refused(ctx, "stacking", "{target: y, members: [gbdt], final: [gbdt]}", t,
            "name of a member");
    const char *const none[][2] = {{"stacking", "members: [p=pipeline]"},
                                   {"stacking", "members: [gbdt], final: [p=pipeline]"},
                                   {"ensemble", "members: [p=pipeline]"},
                                   {"threshold", "model: [p=pipeline]"}};
    for (int i = 0; i < 4; i++) {
        char yaml[200];
        snprintf(yaml, sizeof yaml,
                 "{target: y, %s, p.steps: [q=pipeline], p.q.steps: [imputer]}",
                 none[i][1]);
        refused(ctx, none[i][0], yaml, t, "p ends with imputer");
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Parts that take text make a whole that does; errors of folds say where they were. */
START_TEST(parts_of_folds)
{
    ml_context *ctx = test_context(1);
    ml_table *t = csv_text(ctx, "t,y\ngood one,a\nbad one,b\ngood two,a\nbad two,b\n"
                                "good,a\nbad,b\nvery good,a\nvery bad,b\n");
    for (int i = 0; i < 3; i++) {
        static const char *const wholes[][2] = {{"stacking", "members: [m=pipeline]"},
                                                {"ensemble", "members: [m=pipeline]"},
                                                {"calibrated", "model: [m=pipeline]"}};
        char yaml[200];
        snprintf(yaml, sizeof yaml,
                 "{target: y, %s, m.steps: [tfidf, logistic_regression]%s}", wholes[i][1],
                 i == 1 ? "" : ", folds: 2");
        ml_model_free(fit_yaml(ctx, wholes[i][0], yaml, t, NULL));
    }
    ml_table_free(t);
    t = csv_text(ctx, "x,y\n1,a\n2,a\n3,b\n4,a\n5,a\n6,a\n");
    refused(ctx, "calibrated", "{target: y, model: [logistic_regression], folds: 3}", t,
            " of 3: logistic_regression");
    refused(ctx, "stacking", "{target: y, members: [logistic_regression], folds: 2}", t,
            "the class \"b\" has rows in this fold only");
    ml_table_free(t);
    t = csv_text(ctx, "x,y\n1,a\n2,a\n3,b\n4,a\n5,a\n6,b\n");
    refused(ctx, "calibrated",
            "{target: y, model: [m=gbdt], folds: 2, m.increasing: nowhere}", t,
            "params.m.increasing");
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* The row is that of the table, the remedy that of the error itself. */
START_TEST(errors_of_folds)
{
    ml_context *ctx = test_context(1);
    char text[512] = "x,y\n";
    for (int i = 0; i < 40; i++)
        snprintf(text + strlen(text), 16, "%d,%s\n", i, i == 33 ? "-2.5" : "1.5");
    ml_table *t = csv_text(ctx, text);
    refused(ctx, "stacking",
            "{target: y, members: [m=gbdt], folds: 2, m.objective: poisson}", t,
            "the target of row 34 is -2.5");
    ml_table_free(t);
    /* The only "b" is in one fold, but that is not what the step complains of. */
    t = csv_text(ctx, "x,y\n1,a\ninf,a\n3,b\n4,a\ninf,a\n6,a\ninf,a\ninf,a\n");
    refused(ctx, "calibrated",
            "{target: y, model: [m=pipeline], folds: 2, "
            "m.steps: [standard_scaler, logistic_regression]}",
            t, "clip the values");
    ml_table_free(t);
    t = csv_text(ctx, "x,g,y\n1,u,a\n2,u,b\n3,v,a\n4,v,b\n5,w,a\n6,w,b\n7,w,a\n"
                      "8,w,b\n9,w,a\n10,w,b\n");
    refused(ctx, "calibrated", "{target: y, group: g, model: gbdt, folds: 5}", t,
            "3 groups are too few for 5 folds; use at most 3 folds");
    refused(ctx, "calibrated", "{target: y, ignore: g, model: gbdt, folds: 6}", t,
            "10 rows are too few for 6 folds; use at most 5 folds");
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

typedef struct reports {
    pthread_t thread;
    int64_t n;
    double first;
} reports;

static int32_t note_report(const ml_progress *p, void *user)
{
    reports *r = user;
    ck_assert(pthread_equal(r->thread, pthread_self()));
    if (r->n++ == 0) r->first = p->fraction;
    return ML_CONTINUE;
}

/* One piece after the other, by the caller, although two are promised at once. */
static void run_inline(int64_t n, int64_t grain, ml_task_fn fn, void *arg, void *user)
{
    (void)user;
    for (int64_t i = 0; i < n; i += grain) fn(arg, i, i + grain < n ? i + grain : n);
}

/* Folds and trees that are made side by side: the host hears of those on its thread. */
START_TEST(progress_of_folds_side_by_side)
{
    kit_bytes bytes[3];
    for (int k = 0; k < 3; k++) {
        ml_host host = ML_HOST_INIT;
        ml_context *ctx = NULL;
        ml_estimator *e = NULL;
        ml_model *m = NULL;
        reports r = {pthread_self(), 0, 1};
        host.threads = k + 1;
        host.parallel_for = k == 2 ? run_inline : NULL;
        host.executor_concurrency = 2;
        OK(ml_context_new(&host, &ctx, ERR));
        ml_table *t = table(ctx, 300, 2, 8);
        OK(ml_estimator_new(ctx, "stacking", &e, ERR));
        OK(ml_estimator_set_str(e, "target", "y", ERR));
        OK(ml_estimator_set_str(e, "members", "[m=gbdt, l=logistic_regression]", ERR));
        OK(ml_estimator_set_str(e, "folds", "5", ERR));
        ml_estimator_set_progress(e, note_report, &r);
        OK(ml_estimator_fit(e, t, NULL, &m, ERR));
        /* For certain only where the caller has folds. */
        if (k != 1) ck_assert_double_lt(r.first, 0.1);
        bytes[k] = kit_save(m);
        ck_assert_int_eq(bytes[k].size, bytes[0].size);
        ck_assert_mem_eq(bytes[k].data, bytes[0].data, bytes[0].size);
        ml_model_free(m);
        ml_estimator_free(e);
        ml_table_free(t);
        ml_context_free(ctx);
    }
    for (int k = 0; k < 3; k++) free(bytes[k].data);
}
END_TEST

/* What fits into limited memory must not depend on the number of threads. */
START_TEST(one_fit_in_limited_memory)
{
    ml_context *ctx = test_context(2);
    mli_design none = {.ctx = ctx};
    ck_assert(mli_fits_beside(&none));
    ck_assert(mli_memory_limit(ctx, (size_t)1 << 30));
    ck_assert(!mli_fits_beside(&none));
    mli_memory_lift(ctx);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("algorithms/compose", maps_equal_those_of_scikit_learn, maps_of_scaled_weights,
          map_of_one_class, maps_of_strange_rows, calibration_lowers_the_loss,
          judging_rows_do_not_stop_training, thresholds_raise_their_metric,
          the_best_threshold_is_found, thresholds_inside_others, thresholds_of_parts,
          tensors_that_are_missing, stacking_is_a_model_of_models, wrong_parameters,
          parts_of_folds, errors_of_folds, progress_of_folds_side_by_side,
          one_fit_in_limited_memory)
