/* SPDX-License-Identifier: MIT
 *
 * What automl makes of its candidates: blends, stacking, calibration, thresholds, one
 * model.
 */
#include "testing_automl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Three classes in noise, 300 rows: the shares that deep trees give want a map, which a
 * model of them finds for most seeds. */
static ml_table *noisy_table(ml_context *ctx, uint64_t seed)
{
    enum { N = 300, P = 6 };
    static double x[P][N];
    static const char *y[N];
    ml_table *t = NULL;
    for (int j = 0; j < P; j++)
        for (int i = 0; i < N; i++) x[j][i] = kit_uniform(&seed) + kit_uniform(&seed) - 1;
    for (int i = 0; i < N; i++) {
        double p = 1 / (1 + exp(-2.5 * x[0][i] - 6 * x[1][i] * x[2][i]));
        y[i] = kit_uniform(&seed) < p ? "a" : kit_uniform(&seed) < 0.5 ? "b" : "c";
    }
    for (int j = 0; j < P; j++) {
        char name[8];
        snprintf(name, sizeof name, "x%d", j);
        t = add_f64(ctx, t, name, N, x[j]);
    }
    return add_text(ctx, t, "y", N, y);
}

static ml_model *stacked(ml_context *ctx, const ml_table *t, int stacking,
                         const char *algorithms)
{
    char text[192];
    snprintf(text, sizeof text,
             "{target: y, trials: 4, folds: 2, calibration: none, stacking: %s, "
             "algorithms: [%s]}",
             stacking ? "true" : "false", algorithms);
    return fit_yaml(ctx, "automl", text, t, NULL);
}

/* Does a model of the members end it? Then it is better than their mean (log_loss),
 * otherwise just that. */
static int stacking_helps(ml_context *ctx, const ml_table *t, const char *algorithms)
{
    ml_model *without = stacked(ctx, t, 0, algorithms);
    ml_model *with = stacked(ctx, t, 1, algorithms);
    double a = number(without, "held_out_score", 0),
           b = number(with, "held_out_score", 0);
    int helps = strcmp(ml_params_get_str(ml_model_params(with), "final"), "[]") != 0;
    ck_assert_str_eq(ml_params_get_str(ml_model_params(without), "final"), "[]");
    if (helps)
        ck_assert_double_lt(b, a);
    else
        ck_assert_double_eq(b, a);
    ml_model_free(without);
    ml_model_free(with);
    return helps;
}

START_TEST(stacking_only_when_better)
{
    ml_context *ctx = test_context(2);
    int helped = 0;
    for (uint64_t seed = 0; seed < 6; seed++) {
        ml_table *t = noisy_table(ctx, seed);
        if (seed == 0) ck_assert(!stacking_helps(ctx, t, "baseline"));
        helped += stacking_helps(ctx, t, "extra_trees");
        ml_table_free(t);
    }
    ck_assert_int_gt(helped, 0);
    ml_context_free(ctx);
}
END_TEST

/* As a part of a model: what it found is in the whole, which can be fitted anew. */
START_TEST(automl_as_a_part)
{
    static const char *const yaml[][2] = {
        {"pipeline", "{target: y, steps: [imputer, model=automl], model.trials: 3, "
                     "model.folds: 2}"},
        {"calibrated", "{target: y, model: automl, automl.trials: 3, automl.folds: 2, "
                       "folds: 2}"},
        {"pipeline", "{target: y, steps: [imputer, last=stacking], last.members: [gbdt, "
                     "baseline], last.gbdt.n_trees: 4}"}};
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 300, 3, 4), *c = NULL;
    int mapped = 0; /* a model of the members ends the search */
    ml_params *p = NULL;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_set_i64(p, "folds", 2, ERR));
    for (int k = 0; k < 3; k++) {
        ml_model *m = fit_yaml(ctx, yaml[k][0], yaml[k][1], t, NULL);
        same_after_loading(ctx, m, "proba", t);
        if (k == 0) {
            ck_assert_ptr_nonnull(
                strstr(ml_params_get_str(ml_model_params(m), "model.members"), "m0="));
            OK(ml_model_check(m, NULL, t, p, &c, ERR)); /* searches in each fold */
            ml_table_free(c);
        }
        ml_model_free(m);
    }
    for (uint64_t seed = 0; seed < 6 && !mapped; seed++) {
        ml_table *noisy = noisy_table(ctx, seed);
        ml_model *m =
            fit_yaml(ctx, "pipeline",
                     "{target: y, steps: [imputer, model=automl], "
                     "model.trials: 4, model.folds: 2, model.calibration: none, "
                     "model.algorithms: [extra_trees]}",
                     noisy, NULL);
        mapped = strcmp(ml_params_get_str(ml_model_params(m), "model.final"),
                        "[\"final=logistic_regression\"]") == 0;
        same_after_loading(ctx, m, "proba", noisy);
        ml_model_free(m);
        ml_table_free(noisy);
    }
    ck_assert(mapped);
    refused(ctx, "pipeline",
            "{target: y, steps: [imputer, model=automl], model.distill: gbdt}", t,
            "part of a model has no distill");
    refused(ctx, "calibrated", "{target: y, model: automl, automl.journal: x.tmp}", t,
            "part of a model has no journal");
    ml_params_free(p);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(thresholds_and_calibration_in_the_model)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 300, 2, 3);
    ml_model *m = fit_yaml(ctx, "automl",
                           "{target: y, trials: 3, folds: 2, calibration: isotonic, "
                           "threshold_metric: recall}",
                           t, NULL);
    ml_tensor *cuts = NULL, *steps = NULL;
    OK(ml_model_get_tensor(m, "class_thresholds", &cuts, ERR));
    OK(ml_model_get_tensor(m, "calibration_isotonic", &steps, ERR));
    ck_assert_double_lt(ml_tensor_get_f64(cuts, 1, 0), 0.5); /* recall wants all */
    same_after_loading(ctx, m, "class", t);
    ml_tensor_free(cuts);
    ml_tensor_free(steps);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(distilled_into_one_plain_model)
{
    ml_context *ctx = test_context(2);
    for (int classes = 0; classes <= 3; classes++) {
        if (classes == 1) continue;
        const char *metric = classes ? "log_loss" : "rmse";
        ml_table *train = table(ctx, 400, classes, 1),
                 *test = table(ctx, 400, classes, 2);
        ml_model *m =
            fit_yaml(ctx, "automl", "{target: y, trials: 8, folds: 3, distill: gbdt}",
                     train, NULL);
        ml_model *b = fit_yaml(ctx, "baseline", "{target: y}", train, NULL);
        ck_assert_str_eq(ml_model_algorithm(m), "gbdt");
        ck_assert_str_eq(ml_params_get_str(ml_model_params(m), "target"), "y");
        ck_assert(!isnan(number(m, "held_out_score", 0)));
        ck_assert_double_lt(scored(m, test, metric), 0.9 * scored(b, test, metric));
        kit_bytes bytes = kit_save(m);
        ml_model *again = NULL;
        OK(ml_model_load_memory(ctx, bytes.data, bytes.size, NULL, NULL, NULL, &again,
                                ERR));
        ck_assert_double_eq(scored(m, test, metric), scored(again, test, metric));
        free(bytes.data);
        ml_model_free(again);
        ml_model_free(b);
        ml_model_free(m);
        ml_table_free(train);
        ml_table_free(test);
    }
    ml_context_free(ctx);
}
END_TEST

/* A target that nothing tells of: thresholds that fit it are no better for other rows,
 * and the score does not say so. */
START_TEST(thresholds_of_noise)
{
    ml_context *ctx = test_context(1);
    double x[150], y[150];
    uint64_t state = 11;
    for (int i = 0; i < 150; i++) {
        x[i] = kit_uniform(&state);
        y[i] = kit_uniform(&state) < 0.5;
    }
    ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "x", 150, x), "y", 150, y);
    ml_model *m =
        fit_yaml(ctx, "automl",
                 "{target: y, trials: 3, folds: 3, metric: balanced_accuracy, "
                 "max_members: 1, stacking: false, algorithms: [random_forest]}",
                 t, NULL);
    double best = fmax(number(m, "trial_scores", 0), number(m, "trial_scores", 1));
    best = fmax(best, number(m, "trial_scores", 2));
    ck_assert_double_eq(number(m, "held_out_score", 0), best);
    ck_assert(!has_tensor(m, "class_thresholds"));
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A calibration that was asked for is there, however few the rows. */
START_TEST(calibration_of_few_rows)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 9, 2, 3);
    double groups[60];
    ml_model *m = fit_yaml(
        ctx, "automl", "{target: y, trials: 2, folds: 2, calibration: sigmoid}", t, NULL);
    ck_assert(has_tensor(m, "calibration_sigmoid"));
    ml_model_free(m);
    ml_table_free(t);
    for (int i = 0; i < 60; i++) groups[i] = i % 3;
    t = add_f64(ctx, table(ctx, 60, 2, 3), "g", 60, groups);
    m = fit_yaml(ctx, "automl",
                 "{target: y, group: g, trials: 2, folds: 3, calibration: sigmoid, "
                 "threshold_metric: f1}",
                 t, NULL);
    ck_assert(has_tensor(m, "calibration_sigmoid"));
    ck_assert(!has_tensor(m, "class_thresholds"));
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Without the time to judge it a distilled model has no score. */
START_TEST(distilled_without_time)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 200, 2, 4);
    ml_model *m =
        fit_yaml(ctx, "automl",
                 "{target: y, time_limit: 0.000001, trials: 0, distill: gbdt}", t, NULL);
    ck_assert_str_eq(ml_model_algorithm(m), "gbdt");
    ck_assert(!has_tensor(m, "held_out_score"));
    ck_assert(has_tensor(m, "leaderboard"));
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Forty rows that a line divides do not make certain that every row is divided: the
 * constant joins, and no probability is below its share. */
START_TEST(few_rows_are_not_certain)
{
    enum { N = 40 };
    ml_context *ctx = test_context(1);
    double x[N];
    int64_t y[N];
    for (int i = 0; i < N; i++) {
        y[i] = i % 2;
        x[i] = (y[i] ? 1 : -1) * (1 + 0.01 * i);
    }
    ml_table *t = add_i64(ctx, add_f64(ctx, NULL, "x", N, x), "y", N, y);
    for (int most = 1; most <= 3; most += 2) {
        char yaml[200];
        snprintf(yaml, sizeof yaml,
                 "{target: y, trials: 8, folds: 2, metric: log_loss, stacking: false, "
                 "calibration: none, max_members: %d, algorithms: [logistic_regression]}",
                 most);
        ml_model *m = fit_yaml(ctx, "automl", yaml, t, NULL);
        const char *members = ml_params_get_str(ml_model_params(m), "members");
        ml_tensor *p = predicted(m, "proba", t);
        double least = 1;
        for (int64_t i = 0; i < N; i++)
            least = fmin(least, ml_tensor_get_f64(p, i, i % 2 ? 0 : 1));
        if (most == 1) {
            ck_assert_ptr_null(strstr(members, "baseline"));
            ck_assert_double_lt(least, 0.5 / (N + 1));
        } else {
            ck_assert_ptr_nonnull(strstr(members, "baseline"));
            ck_assert_double_ge(least, 0.499 / (N + 1));
        }
        ml_tensor_free(p);
        ml_model_free(m);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Members of an algorithm, and the seeds they have as bits. */
static int64_t members_of(const ml_params *p, const char *algorithm, int64_t *seeds)
{
    const char *at = ml_params_get_str(p, "members");
    int64_t found = 0;
    *seeds = 0;
    for (int i = 0; at && *at; i++) {
        char path[32], name[32] = "";
        size_t n = strcspn(at, ",");
        snprintf(path, sizeof path, "m%d.seed", i);
        sscanf(at, "%*[ [\"]m%*d=%31[a-z_]", name);
        if (strcmp(name, algorithm) == 0) {
            const char *seed = ml_params_get_str(p, path);
            found++;
            *seeds |= (int64_t)1 << (seed ? atoi(seed) : 0);
        }
        at += at[n] ? n + 1 : n;
    }
    return found;
}

/* Two classes: what a linear model sees, and what trees see. */
static ml_table *mixed_table(ml_context *ctx)
{
    enum { N = 300, P = 5 };
    static double x[P][N];
    static const char *y[N];
    uint64_t seed = 11;
    ml_table *t = NULL;
    for (int j = 0; j < P; j++)
        for (int i = 0; i < N; i++) x[j][i] = 2 * kit_uniform(&seed) - 1;
    for (int i = 0; i < N; i++) {
        double v = x[0][i] + x[1][i] + x[2][i] + 0.3 * (x[3][i] * x[4][i] > 0);
        y[i] = kit_uniform(&seed) < 1 / (1 + exp(-3 * v)) ? "a" : "b";
    }
    for (int j = 0; j < P; j++) {
        char name[8];
        snprintf(name, sizeof name, "x%d", j);
        t = add_f64(ctx, t, name, N, x[j]);
    }
    return add_text(ctx, t, "y", N, y);
}

/* What draws at random is fitted several times, each with its seed; the rest once. The
 * weights stay those of the candidates. */
START_TEST(repeated_with_other_seeds)
{
    ml_context *ctx = test_context(1);
    ml_table *t = mixed_table(ctx);
    static const char *const set[] = {"", "repeats: 2, ", "repeats: 1, ",
                                      "max_members: 1, "};
    static const int64_t times[] = {3, 2, 1, 1};
    double weight[12] = {0};
    int64_t alone = 0;
    for (int k = 0; k < 4; k++) {
        char yaml[200];
        int64_t seeds;
        double sum = 0;
        snprintf(yaml, sizeof yaml,
                 "{target: y, trials: 9, folds: 2, stacking: false, %salgorithms: [gbdt, "
                 "logistic_regression]}",
                 set[k]);
        ml_model *m = fit_yaml(ctx, "automl", yaml, t, NULL);
        const ml_params *p = ml_model_params(m);
        int64_t linear = members_of(p, "logistic_regression", &seeds), n = 0;
        int64_t boosted = members_of(p, "gbdt", &seeds);
        if (k == 3) ck_assert_int_eq(boosted + linear, 1);
        if (k < 3) ck_assert_int_eq(linear, 1);
        if (k < 3) ck_assert_int_gt(boosted, 0);
        ck_assert_int_eq(boosted % times[k], 0);
        if (boosted) ck_assert_int_eq(seeds, ((int64_t)1 << times[k]) - 1);
        if (k == 0) alone = linear + boosted / times[0];
        ml_tensor *w = NULL;
        OK(ml_model_get_tensor(m, "weights", &w, ERR));
        for (n = 0; n < ml_tensor_shape(w)[0]; n++) sum += ml_tensor_get_f64(w, n, 0);
        ck_assert_double_eq_tol(sum, 1, 1e-12);
        for (int64_t i = 0; i < alone && k < 3; i++) {
            /* The linear model is the first. */
            double one = ml_tensor_get_f64(w, i, 0) * (double)(i < linear ? 1 : times[k]);
            if (k == 0) weight[i] = one;
            ck_assert_double_eq_tol(one, weight[i], 1e-12);
        }
        ml_tensor_free(w);
        ml_model_free(m);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Seeds stay within what they may be, and differ from one repeat to the next. */
START_TEST(repeated_with_the_largest_seed)
{
    ml_context *ctx = test_context(1);
    ml_table *t = noisy_table(ctx, 3);
    ml_model *m =
        fit_yaml(ctx, "automl",
                 "{target: y, trials: 3, folds: 2, stacking: false, algorithms: "
                 "[gbdt], seed: 9223372036854775807}",
                 t, NULL);
    char path[32];
    int least = 0, largest = 0;
    for (int i = 0; i < 9; i++) {
        snprintf(path, sizeof path, "m%d.seed", i);
        const char *seed = ml_params_get_str(ml_model_params(m), path);
        if (!seed) continue;
        least += strcmp(seed, "0") == 0;
        largest += strcmp(seed, "9223372036854775807") == 0;
    }
    ck_assert_int_gt(least, 0);
    ck_assert_int_eq(least, largest);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static int stop_when_asked(const ml_progress *p, void *user)
{
    return p->fraction >= *(double *)user ? ML_STOP_KEEP : ML_CONTINUE;
}

/* A stop amid the last fits leaves out repeats: none is cut short, and the weights are
 * those of the members that there are. */
START_TEST(a_stop_leaves_out_repeats)
{
    ml_context *ctx = test_context(1);
    ml_table *t = noisy_table(ctx, 3);
    static const double when[] = {0.2, 0.96};
    for (int k = 0; k < 2; k++) {
        ml_estimator *e = estimator_of(
            ctx, "automl",
            "{target: y, trials: 4, folds: 2, stacking: false, calibration: none, "
            "repeats: 20, algorithms: [gbdt]}");
        ml_model *m = NULL;
        double at = when[k], sum = 0;
        int64_t seeds, boosted, n;
        ml_estimator_set_progress(e, stop_when_asked, &at);
        OK(ml_estimator_fit(e, t, NULL, &m, ERR));
        boosted = members_of(ml_model_params(m), "gbdt", &seeds);
        ck_assert_int_lt(boosted, 20);
        ck_assert(k == 0 || boosted > 1);
        ml_tensor *w = NULL;
        OK(ml_model_get_tensor(m, "weights", &w, ERR));
        n = ml_tensor_shape(w)[0];
        ck_assert_int_ge(n, boosted);
        for (int64_t i = 0; i < n; i++) sum += ml_tensor_get_f64(w, i, 0);
        ck_assert_double_eq_tol(sum, 1, 1e-12);
        ml_tensor_free(w);
        ml_tensor_free(predicted(m, "proba", t));
        ml_model_free(m);
        ml_estimator_free(e);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("tuning/automl_finish", stacking_only_when_better, automl_as_a_part,
          thresholds_and_calibration_in_the_model, distilled_into_one_plain_model,
          thresholds_of_noise, calibration_of_few_rows, distilled_without_time,
          few_rows_are_not_certain, repeated_with_other_seeds,
          repeated_with_the_largest_seed, a_stop_leaves_out_repeats)
