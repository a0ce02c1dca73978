/* SPDX-License-Identifier: MIT
 *
 * Studies that fit models: runs that do not depend on threads, limits, pruning, journals,
 * and bad input.
 */
#include "testing_study.h"
#include "testing_yaml.h"
#include "../conformance/kit.h"

#include "../failing.h"
#include "../testing_data.h"
#include "algorithms/prefixes.h"
#include "tuning/study.h"
#include <pthread.h>

static const subject gbdt = {.algorithm = "gbdt", .classes = 2, .has_target = 1};

static char *results_text(const ml_study *s)
{
    ml_table *t = NULL, *part = NULL;
    kit_bytes b = {0};
    ml_io io = ML_IO_INIT;
    io.write = kit_write;
    io.user = &b;
    const char *names[] = {"trial", "state", "score", "learning_rate", "max_leaves"};
    OK(ml_study_get_table(s, "trials", &t, ERR));
    OK(ml_table_select(t, names, 5, &part, ERR)); /* without the seconds */
    OK(ml_table_write_csv_io(part, &io, NULL, ERR));
    ml_table_free(part);
    ml_table_free(t);
    b.data = realloc(b.data, b.size + 1);
    b.data[b.size] = 0;
    return b.data;
}

START_TEST(threads_do_not_change_the_outcome)
{
    char *first = NULL;
    kit_bytes model = {0};
    const int32_t threads[] = {1, 2, 7};
    /* Several trials at once; one, but several folds at once, all or those after the
     * first. */
    const char *options[][3] = {
        {"sampler: random, parallel: 1", "sampler: random, parallel: 2",
         "sampler: random, parallel: 5"},
        {"sampler: gp", "sampler: gp", "sampler: gp"},
        {"sampler: tpe, pruner: median", "sampler: tpe, pruner: median",
         "sampler: tpe, pruner: median"}};
    for (int k = 0; k < 9; k++) {
        char yaml[128];
        int i = k % 3;
        ml_context *ctx = test_context(threads[i]);
        ml_table *t = kit_table(ctx, &(kit_data){.rows = 300, .classes = 2});
        snprintf(yaml, sizeof yaml,
                 "{n_trials: 8, folds: 3, seed: 4, metric: log_loss, %s}",
                 options[k / 3][i]);
        ml_study *s = study(ctx, t, yaml);
        ml_model *m = NULL;
        OK(ml_study_run(s, NULL, NULL, NULL, ERR));
        OK(ml_study_best_model(s, NULL, &m, ERR));
        char *text = results_text(s);
        kit_bytes bytes = kit_save(m);
        if (i == 0) {
            free(first);
            free(model.data);
            first = text;
            model = bytes;
        } else {
            ck_assert_str_eq(text, first);
            ck_assert_int_eq(bytes.size, model.size);
            ck_assert_mem_eq(bytes.data, model.data, model.size);
            free(text);
            free(bytes.data);
        }
        ml_model_free(m);
        ml_study_free(s);
        ml_table_free(t);
        ml_context_free(ctx);
    }
    free(first);
    free(model.data);
}
END_TEST

static int stop_at_third(const ml_progress *p, void *user)
{
    int *calls = user;
    ck_assert(p->fraction >= 0 && p->fraction <= 1);
    if (p->stage && strcmp(p->stage, "tuning") == 0) ++*calls;
    return *calls >= 3 ? ML_STOP_KEEP : ML_CONTINUE;
}

START_TEST(limits_end_the_study)
{
    ml_context *ctx = test_context(1);
    ml_table *t = kit_table(ctx, &(kit_data){.rows = 200, .classes = 2}), *r = NULL;
    ml_model *m = NULL;
    int calls = 0;
    ml_study *s = study(ctx, t, "{n_trials: 50, folds: 2, parallel: 1}");
    OK(ml_study_run(s, stop_at_third, &calls, NULL, ERR));
    OK(ml_study_get_table(s, "trials", &r, ERR));
    ck_assert_int_eq(ml_table_rows(r), 3);
    OK(ml_study_best_model(s, NULL, &m, ERR));
    ml_model_free(m);
    ml_table_free(r);
    ml_study_free(s);

    s = study(ctx, t, "{n_trials: 50, folds: 2, target_score: 0.0001}");
    OK(ml_study_run(s, NULL, NULL, NULL, ERR));
    OK(ml_study_get_table(s, "trials", &r, ERR));
    ck_assert_int_eq(ml_table_rows(r), 1);
    ml_table_free(r);
    ml_study_free(s);

    s = study(ctx, t, "{n_trials: 500, folds: 2, patience: 4, parallel: 1}");
    OK(ml_study_run(s, NULL, NULL, NULL, ERR));
    OK(ml_study_get_table(s, "trials", &r, ERR));
    ck_assert_int_lt(ml_table_rows(r), 500);
    ml_table_free(r);
    ml_study_free(s);

    s = study(ctx, t, "{n_trials: 1000000, folds: 2, time: 0.3}");
    OK(ml_study_run(s, NULL, NULL, NULL, ERR));
    OK(ml_study_get_table(s, "trials", &r, ERR));
    ck_assert_int_ge(ml_table_rows(r), 1);
    ck_assert_int_lt(ml_table_rows(r), 1000000);
    ml_table_free(r);
    ml_study_free(s);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(cancelled)
{
    ml_context *ctx = test_context(2);
    ml_table *t = kit_table(ctx, &(kit_data){.rows = 200, .classes = 2});
    ml_cancel *c = NULL;
    OK(ml_cancel_new(&c, ERR));
    ml_cancel_request(c, ML_CANCEL);
    ml_study *s = study(ctx, t, "{n_trials: 5, folds: 2}");
    ml_status st = ml_study_run(s, NULL, NULL, c, ERR);
    ck_assert(st == ML_E_CANCELLED || st == ML_E_STATE);
    ml_study_free(s);
    ml_cancel_free(c);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(validation_rows_are_used)
{
    ml_context *ctx = test_context(1);
    ml_table *t = kit_table(ctx, &(kit_data){.rows = 300, .classes = 2}),
             *v = kit_table(ctx, &(kit_data){.rows = 100, .classes = 2, .seed = 8}),
             *scores = NULL;
    ml_estimator *e = tuned_estimator(ctx);
    ml_params *o = options(ctx, "{n_trials: 3, metric: log_loss}"), *p = NULL;
    ml_study *s = NULL;
    ml_model *m = NULL;
    double best;
    OK(ml_study_new(e, t, v, o, &s, ERR));
    OK(ml_study_run(s, NULL, NULL, NULL, ERR));
    OK(ml_study_best_params(s, &best, &p, ERR));
    OK(ml_study_best_model(s, NULL, &m, ERR));
    OK(ml_model_evaluate(m, v, "log_loss", &scores, ERR));
    ck_assert_double_eq(ml_table_get_f64(scores, 0, 1), best);
    ml_table_free(scores);
    ml_params_free(p);
    ml_params_free(o);
    ml_model_free(m);
    ml_study_free(s);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_table_free(v);
    ml_context_free(ctx);
}
END_TEST

/* The same trials are pruned for any number of threads, by the rounds of gbdt. */
START_TEST(pruning_of_fits)
{
    char *first = NULL;
    for (int i = 0; i < 3; i++) {
        ml_context *ctx = test_context(i == 0 ? 1 : 3);
        ml_table *t = kit_table(ctx, &(kit_data){.rows = 300, .classes = 2});
        ml_study *s = study(ctx, t,
                            i == 2 ? "{n_trials: 30, folds: 2, parallel: 5, seed: 4, "
                                     "pruner: hyperband, metric: log_loss}"
                                   : "{n_trials: 30, folds: 2, parallel: 5, seed: 4, "
                                     "pruner: median, metric: log_loss}");
        OK(ml_study_run(s, NULL, NULL, NULL, ERR));
        char *text = results_text(s);
        ck_assert_ptr_nonnull(strstr(text, ",pruned,"));
        ck_assert_ptr_nonnull(strstr(text, ",done,"));
        if (i == 1) ck_assert_str_eq(text, first);
        if (i == 0)
            first = text;
        else
            free(text);
        ml_study_free(s);
        ml_table_free(t);
        ml_context_free(ctx);
    }
    free(first);
}
END_TEST

/* The last step of a pipeline is judged by its rounds too: the same trials are given up
 * as without the pipeline. */
START_TEST(pruning_of_last_steps)
{
    static const char *const spec[] = {"target: y\nn_trees: 60\nseed: 1\n",
                                       "target: y\nsteps: [g=gbdt]\ng.n_trees: 60\n"
                                       "g.seed: 1\n"};
    char *first = NULL;
    ml_context *ctx = test_context(1);
    ml_table *t = kit_table(ctx, &(kit_data){.rows = 300, .classes = 2});
    for (int i = 0; i < 2; i++) {
        ml_estimator *e = estimator_of(ctx, i ? "pipeline" : "gbdt", spec[i]);
        ml_params *o = options(ctx, "{n_trials: 20, folds: 2, seed: 4, pruner: median, "
                                    "metric: log_loss}");
        ml_study *s = NULL;
        ml_table *trials = NULL;
        char text[2048] = "";
        OK(ml_params_set_str(o, "space",
                             i ? "g.learning_rate: log [0.001, 1]\n"
                                 "g.max_leaves: log [4, 64]"
                               : "learning_rate: log [0.001, 1]\n"
                                 "max_leaves: log [4, 64]",
                             ERR));
        OK(ml_study_new(e, t, NULL, o, &s, ERR));
        OK(ml_study_run(s, NULL, NULL, NULL, ERR));
        OK(ml_study_get_table(s, "trials", &trials, ERR));
        for (int64_t k = 0; k < ml_table_rows(trials); k++) {
            char state[16];
            ml_table_get_str(trials, k, ml_table_find(trials, "state"), state,
                             sizeof state);
            double score = ml_table_get_f64(trials, k, ml_table_find(trials, "score"));
            snprintf(text + strlen(text), 64, "%s %.17g\n", state, score);
        }
        ck_assert_ptr_nonnull(strstr(text, "pruned"));
        ck_assert_ptr_nonnull(strstr(text, "done"));
        if (i) ck_assert_str_eq(text, first);
        if (!i) first = strdup(text);
        ml_table_free(trials);
        ml_study_free(s);
        ml_params_free(o);
        ml_estimator_free(e);
    }
    free(first);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(objectives_and_constraints)
{
    ml_context *ctx = test_context(1);
    ml_study *s = study(ctx, NULL,
                        "{space: 'x: [0.0, 1.0]', sampler: sobol, "
                        "objectives: [maximize gain], constraints: ['cost <= 2']}");
    for (int i = 0; i < 16; i++) {
        int64_t trial;
        ml_params *p = NULL;
        double x;
        OK(ml_study_ask(s, &trial, &p, ERR));
        OK(ml_params_get_f64(p, "x", &x, ERR));
        ml_params_free(p);
        FAILS(ML_E_NAME, ml_study_tell_value(s, trial, "price", 0, 1, NULL, ERR));
        if (i != 3)
            OK(ml_study_tell_value(s, trial, "gain", 0, x > 0.5 ? 1 : x, NULL, ERR));
        OK(ml_study_tell_value(s, trial, "cost", 0, x > 0.9 ? 5 : 1, NULL, ERR));
        if (i == 3) { /* a score alone is not enough; a failed trial needs nothing else */
            FAILS(ML_E_STATE, ml_study_tell(s, trial, x, ERR));
            ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "\"gain\""));
        }
        OK(ml_study_tell(s, trial, i == 3 ? NAN : x, ERR)); /* minimised */
    }
    ml_table *r = NULL;
    OK(ml_study_get_table(s, "trials", &r, ERR));
    int64_t gain = ml_table_find(r, "gain"), front = ml_table_find(r, "front");
    int64_t x = ml_table_find(r, "x"), on = 0;
    for (int64_t i = 0; i < 16; i++) {
        double v = ml_table_get_f64(r, i, x), f = ml_table_get_f64(r, i, front);
        on += f == 1;
        if (v > 0.9) ck_assert_double_eq(f, 0);
        if (i == 3) ck_assert(isnan(ml_table_get_f64(r, i, gain)) && f == 0);
        if (i != 3 && v < 0.5) ck_assert_double_eq(f, 1);
    }
    ck_assert_int_ge(on, 7);
    ml_table_free(r);
    ml_study_free(s);
    ml_context_free(ctx);
}
END_TEST

/* The first trial is the estimator as it is, or what is nearest in the space. */
START_TEST(the_first_trial_is_in_the_space)
{
    static const struct {
        const char *space;
        double rate;
        int64_t leaves;
    } cases[] = {{"learning_rate: [0.05, 0.5]; max_leaves: [8, 64]", 0.1, 31},
                 {"learning_rate: log [0.2, 0.5]; max_leaves: [8, 64]", 0.2, 31},
                 {"learning_rate: [0.01, 0.05]; max_leaves: [4, 16]", 0.05, 16}};
    ml_context *ctx = test_context(1);
    ml_table *t = kit_table(ctx, &(kit_data){.rows = 40, .classes = 2});
    for (int k = 0; k < 3; k++) {
        char yaml[128];
        int64_t trial, leaves;
        double rate;
        ml_params *p = NULL;
        snprintf(yaml, sizeof yaml, "{space: '%s'}", cases[k].space);
        ml_study *s = study(ctx, t, yaml);
        OK(ml_study_ask(s, &trial, &p, ERR));
        OK(ml_params_get_f64(p, "learning_rate", &rate, ERR));
        OK(ml_params_get_i64(p, "max_leaves", &leaves, ERR));
        ck_assert_msg(fabs(rate - cases[k].rate) < 1e-9 && leaves == cases[k].leaves,
                      "%s: %g, %lld", cases[k].space, rate, (long long)leaves);
        ml_params_free(p);
        ml_study_free(s);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(measured_objectives)
{
    ml_context *ctx = test_context(1);
    ml_table *t = kit_table(ctx, &(kit_data){.rows = 200, .classes = 2}), *r = NULL;
    ml_study *s = study(ctx, t,
                        "{n_trials: 6, folds: 2, objectives: [bytes, log_loss], "
                        "sampler: tpe, constraints: ['seconds <= 100'], "
                        "space: 'max_leaves: log [2, 30]'}");
    OK(ml_study_run(s, NULL, NULL, NULL, ERR));
    OK(ml_study_get_table(s, "trials", &r, ERR));
    for (int64_t i = 0; i < 6; i++) {
        ck_assert(ml_table_get_f64(r, i, ml_table_find(r, "bytes")) > 100);
        ck_assert(ml_table_get_f64(r, i, ml_table_find(r, "log_loss")) > 0);
    }
    ml_table_free(r);
    ml_study_free(s);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static void note_last(int32_t level, const char *module, const char *message, void *user)
{
    (void)module;
    if (level <= ML_LOG_WARNING) snprintf(user, 256, "%s", message);
}

START_TEST(constraints_that_nothing_keeps)
{
    char told[256] = "";
    ml_host host = ML_HOST_INIT;
    ml_context *ctx = NULL;
    host.log = note_last;
    host.log_user = told;
    OK(ml_context_new(&host, &ctx, ERR));
    ml_table *t = kit_table(ctx, &(kit_data){.rows = 200, .classes = 2});
    for (int kept = 1; kept >= 0; kept--) {
        char yaml[128];
        snprintf(yaml, sizeof yaml,
                 "{n_trials: 3, folds: 2, constraints: ['bytes <= %d'], "
                 "space: 'max_leaves: [2, 30]'}",
                 kept ? 100000 : 10);
        ml_study *s = study(ctx, t, yaml);
        OK(ml_study_run(s, NULL, NULL, NULL, ERR));
        ck_assert_int_eq(strstr(told, "no trial keeps the constraints") == NULL, kept);
        ml_study_free(s);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Other rows have other scores, also where there are as many. */
START_TEST(a_journal_belongs_to_its_rows)
{
    static const char yaml[] = "{n_trials: 2, folds: 2, journal: test_study_rows.tmp}";
    ml_context *ctx = test_context(1);
    remove("test_study_rows.tmp");
    for (int k = 0; k < 4; k++) {
        ml_table *t =
            kit_table(ctx, &(kit_data){.rows = 200, .classes = 2, .seed = k == 2});
        ml_estimator *e = tuned_estimator(ctx);
        ml_params *o = options(ctx, yaml);
        ml_study *s = NULL;
        ml_status st = ml_study_new(e, t, k == 3 ? t : NULL, o, &s, ERR);
        ck_assert_int_eq(st, k < 2 ? ML_OK : ML_E_DATA);
        if (k < 2) OK(ml_study_run(s, NULL, NULL, NULL, ERR));
        if (k == 2) ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "its rows"));
        ml_study_free(s);
        ml_params_free(o);
        ml_estimator_free(e);
        ml_table_free(t);
    }
    remove("test_study_rows.tmp");
    ml_context_free(ctx);
}
END_TEST

/* Parameters of steps are tuned by their paths, conditions hold among those of a step. */
START_TEST(parameters_of_steps)
{
    ml_context *ctx = test_context(1);
    ml_table *t = kit_table(ctx, &(kit_data){.rows = 120, .classes = 2});
    static const char *const spaces[] = {
        "tune: [g.max_leaves, g.learning_rate, imputer.strategy]",
        "space: 'imputer.strategy: {mean, median}; g.max_leaves: [2, 9]; "
        "g.learning_rate: [0.1, 0.2]'",
        "tune: []"};
    for (int k = 0; k < 3; k++) {
        char yaml[300];
        ml_estimator *e = NULL;
        ml_study *s = NULL;
        ml_table *r = NULL;
        ml_model *m = NULL;
        OK(ml_estimator_new(ctx, "pipeline", &e, ERR));
        OK(ml_estimator_set_str(e, "steps", "imputer, g=gbdt", ERR));
        OK(ml_estimator_set_str(e, "target", "y", ERR));
        OK(ml_estimator_set_str(e, "g.n_trees", "30", ERR));
        OK(ml_estimator_set_str(e, "g.early_stopping_rounds", k ? "0" : "2", ERR));
        snprintf(yaml, sizeof yaml, "{n_trials: 8, folds: 2, metric: log_loss, %s}",
                 spaces[k]);
        ml_params *o = options(ctx, yaml);
        OK(ml_study_new(e, t, NULL, o, &s, ERR));
        OK(ml_study_run(s, NULL, NULL, NULL, ERR));
        OK(ml_study_get_table(s, "trials", &r, ERR));
        int64_t leaves = ml_table_find(r, "g.max_leaves");
        ck_assert(leaves >= 0 && ml_table_find(r, "imputer.strategy") >= 0);
        ck_assert(ml_table_get_f64(r, 1, leaves) != ml_table_get_f64(r, 2, leaves));
        OK(ml_study_best_model(s, NULL, &m, ERR));
        int64_t trees = 0;
        OK(ml_params_get_i64(ml_model_params(m), "g.n_trees", &trees, ERR));
        ck_assert(k ? trees == 30 : trees < 30); /* those of the folds */
        double ratio = NAN; /* leaves are split as they were in the folds */
        OK(ml_params_get_f64(ml_model_params(m), "g.min_gain_ratio", &ratio, ERR));
        ck_assert_double_eq(ratio, k ? -1 : 0);
        ml_model_free(m);
        ml_table_free(r);
        ml_study_free(s);
        ml_params_free(o);
        ml_estimator_free(e);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* The first steps of pipelines are kept between trials, but not where fits are timed or
 * for the last one. */
START_TEST(first_steps_are_kept)
{
    static const char *const goals[] = {"[log_loss]", "[log_loss, seconds]"};
    ml_context *ctx = test_context(1);
    ml_table *t = kit_table(ctx, &(kit_data){.rows = 100, .classes = 2});
    for (int i = 0; i < 2; i++) {
        char yaml[200];
        ml_estimator *e = NULL;
        ml_model *m = NULL;
        ml_study *s = NULL;
        OK(ml_estimator_new(ctx, "pipeline", &e, ERR));
        OK(ml_estimator_set_str(e, "steps", "imputer, gbdt", ERR));
        OK(ml_estimator_set_str(e, "target", "y", ERR));
        snprintf(yaml, sizeof yaml,
                 "{n_trials: 4, folds: 2, sampler: random, objectives: %s, "
                 "space: 'gbdt.max_leaves: [2, 9]'}",
                 goals[i]);
        ml_params *o = options(ctx, yaml);
        OK(ml_study_new(e, t, NULL, o, &s, ERR));
        OK(ml_study_run(s, NULL, NULL, NULL, ERR));
        int64_t hits = mli_prefixes_hits(s->hooks.prefixes);
        ck_assert_int_eq(hits, i ? 0 : 6); /* in 3 of the 4 trials */
        OK(ml_study_best_model(s, NULL, &m, ERR));
        ml_model_free(m);
        ck_assert_int_eq(mli_prefixes_hits(s->hooks.prefixes), hits);
        ml_study_free(s);
        ml_params_free(o);
        ml_estimator_free(e);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static void refuse(ml_context *ctx, const ml_table *t, const char *yaml, ml_status status,
                   const char *word)
{
    ml_estimator *e = tuned_estimator(ctx);
    ml_params *o = options(ctx, yaml);
    ml_study *s = NULL;
    FAILS(status, ml_study_new(e, t, NULL, o, &s, ERR));
    ck_assert_ptr_null(s);
    ck_assert_msg(strstr(ml_error_message(ERR), word) != NULL, "%s",
                  ml_error_message(ERR));
    ml_params_free(o);
    ml_estimator_free(e);
}

START_TEST(bad_input)
{
    ml_context *ctx = test_context(1);
    ml_table *t = kit_table(ctx, &(kit_data){.rows = 100, .classes = 2}),
             *few = kit_table(ctx, &(kit_data){.rows = 6, .classes = 2});
    refuse(ctx, t, "{n_trails: 5}", ML_E_NAME, "n_trials");
    refuse(ctx, t, "{n_trials: 0}", ML_E_RANGE, "n_trials");
    refuse(ctx, t, "{metric: acuracy}", ML_E_NAME, "accuracy");
    refuse(ctx, t, "{metric: rmse}", ML_E_UNSUPPORTED, "classification");
    refuse(ctx, t, "{tune: [learning_rat]}", ML_E_NAME, "learning_rate");
    refuse(ctx, t, "{tune: [objective]}", ML_E_NAME, "tuning range");
    refuse(ctx, t, "{tune: [a.b]}", ML_E_NAME, "no parts");
    refuse(ctx, t, "{space: 'a.b: [1, 2]'}", ML_E_NAME, "no parts");
    refuse(ctx, t, "{method: group}", ML_E_ARGUMENT, "group");
    refuse(ctx, few, "{folds: 20}", ML_E_DATA, "fold");
    refuse(ctx, t, "{space: 'learning_rat: [0.1, 1]'}", ML_E_NAME, "learning_rat");
    refuse(ctx, t, "{space: 'learning_rate: [0.1, 2]'}", ML_E_RANGE, "legal range");
    refuse(ctx, t, "{objectives: [acuracy]}", ML_E_NAME, "acuracy");
    refuse(ctx, t, "{objectives: [rmse], sampler: tpe}", ML_E_UNSUPPORTED, "rmse");
    refuse(ctx, t, "{objectives: [accuracy, acc]}", ML_E_ARGUMENT, "there twice");
    refuse(ctx, t, "{objectives: [seconds, minimize seconds]}", ML_E_ARGUMENT, "twice");
    refuse(ctx, t, "{objectives: [roc_auc]}", ML_E_ARGUMENT, "it is the score");
    refuse(ctx, t, "{constraints: ['seconds < 5']}", ML_E_PARSE, "seconds");
    refuse(ctx, t, "{constraints: [rmse]}", ML_E_PARSE, "rmse");
    ml_table_free(few);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static ml_status small_study(failing_alloc *f)
{
    ml_context *ctx = NULL, *plain = test_context(1);
    ml_host host = failing_host(f);
    ml_table *t = kit_table(plain, &(kit_data){.rows = 40, .classes = 2});
    ml_estimator *e = NULL;
    ml_params *o = NULL;
    ml_study *s = NULL;
    ml_model *m = NULL;
    ml_table *r = NULL;
    ml_status st = ml_context_new(&host, &ctx, NULL);
    if (st == ML_OK) st = ml_estimator_new(ctx, gbdt.algorithm, &e, NULL);
    if (st == ML_OK) st = ml_estimator_set_str(e, "target", "y", NULL);
    if (st == ML_OK) st = ml_estimator_set_i64(e, "n_trees", 2, NULL);
    if (st == ML_OK) st = ml_params_new(ctx, &o, NULL);
    if (st == ML_OK) st = ml_params_set_i64(o, "n_trials", 1, NULL);
    if (st == ML_OK) st = ml_params_set_i64(o, "folds", 2, NULL);
    if (st == ML_OK) st = ml_study_new(e, t, NULL, o, &s, NULL);
    if (st == ML_OK) st = ml_study_run(s, NULL, NULL, NULL, NULL);
    if (st == ML_OK) st = ml_study_get_table(s, "trials", &r, NULL);
    if (st == ML_OK) st = ml_study_best_model(s, NULL, &m, NULL);
    ml_table_free(r);
    ml_model_free(m);
    ml_study_free(s);
    ml_params_free(o);
    ml_estimator_free(e);
    ml_context_free(ctx);
    ml_table_free(t);
    ml_context_free(plain);
    return st;
}

typedef struct {
    int64_t calls, fail_at;
    pthread_t thread;
} asked;

static int32_t squared(int64_t rows, int64_t outputs, const double *labels,
                       const double *weights, const double *scores, double *gradients,
                       double *hessians, void *user)
{
    asked *a = user;
    (void)weights;
    ck_assert(pthread_equal(a->thread, pthread_self()));
    if (++a->calls == a->fail_at) return 1;
    for (int64_t i = 0; i < rows * outputs; i++) {
        gradients[i] = scores[i] - labels[i / outputs];
        hessians[i] = 1;
    }
    return 0;
}

static double rounds_of(const ml_model *m)
{
    ml_tensor *t = NULL;
    OK(ml_model_get_tensor(m, "n_rounds", &t, ERR));
    double n = ml_tensor_get_f64(t, 0, 0);
    ml_tensor_free(t);
    return n;
}

/* Leaves are split as they were in the folds, where early stopping watched: not for dart,
 * whose rounds need not be many either. The default may be written out. */
START_TEST(refits_are_as_watched)
{
    static const char *const set[][2] = {{"boosting", "dart"}, {"min_gain_ratio", "-1"}};
    ml_context *ctx = test_context(1);
    ml_table *t = kit_table(ctx, &(kit_data){.rows = 100, .classes = 2});
    for (int k = 0; k < 2; k++) {
        ml_estimator *e = NULL;
        ml_params *o = options(ctx, "{n_trials: 2, folds: 2, tune: [learning_rate]}");
        ml_study *s = NULL;
        ml_model *m = NULL;
        double ratio = NAN;
        int64_t trees = 0;
        OK(ml_estimator_new(ctx, "gbdt", &e, ERR));
        OK(ml_estimator_set_str(e, "target", "y", ERR));
        OK(ml_estimator_set_str(e, set[k][0], set[k][1], ERR));
        OK(ml_study_new(e, t, NULL, o, &s, ERR));
        OK(ml_study_run(s, NULL, NULL, NULL, ERR));
        OK(ml_study_best_model(s, NULL, &m, ERR));
        OK(ml_params_get_f64(ml_model_params(m), "min_gain_ratio", &ratio, ERR));
        ck_assert_double_eq(ratio, k ? 0 : -1);
        OK(ml_params_get_i64(ml_model_params(m), "n_trees", &trees, ERR));
        ck_assert(k ? trees < 200 : trees == 200);
        ml_model_free(m);
        ml_study_free(s);
        ml_params_free(o);
        ml_estimator_free(e);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A study has the functions of its estimator, also when the estimator is gone. */
START_TEST(functions_of_the_host)
{
    ml_context *ctx = test_context(4);
    ml_table *t = kit_table(ctx, &(kit_data){.rows = 100, .classes = 2});
    asked a = {.thread = pthread_self()};
    ml_estimator *e = tuned_estimator(ctx);
    ml_params *o =
        options(ctx, "{tune: [max_leaves], n_trials: 4, parallel: 4, folds: 2}");
    ml_study *s = NULL;
    ml_model *m = NULL, *start = NULL;
    OK(ml_estimator_set_objective(e, squared, &a, ERR));
    OK(ml_study_new(e, t, NULL, o, &s, ERR));
    OK(ml_study_run(s, NULL, NULL, NULL, ERR));
    ck_assert_int_eq(a.calls, 4 * 2 * 5);
    OK(ml_study_best_model(s, NULL, &m, ERR));
    ck_assert_int_eq(a.calls, 4 * 2 * 5 + 5);
    ml_study_free(s);
    ml_model_free(m);
    a = (asked){.thread = pthread_self(), .fail_at = 12};
    OK(ml_study_new(e, t, NULL, o, &s, ERR));
    FAILS(ML_E_CALLBACK, ml_study_run(s, NULL, NULL, NULL, ERR));
    ck_assert_int_eq(a.calls, 12);
    ml_study_free(s);
    OK(ml_estimator_set_objective(e, NULL, NULL, ERR));
    OK(ml_estimator_fit(e, t, NULL, &start, ERR));
    OK(ml_estimator_set_model(e, start, ERR));
    ml_model_free(start);
    OK(ml_study_new(e, t, NULL, o, &s, ERR));
    ml_estimator_free(e);
    OK(ml_study_run(s, NULL, NULL, NULL, ERR));
    OK(ml_study_best_model(s, NULL, &m, ERR));
    ck_assert_double_gt(rounds_of(m), 5); /* it goes on from the model */
    ck_assert_double_le(rounds_of(m), 10);
    ml_study_free(s);
    ml_model_free(m);
    ml_params_free(o);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Names of parts without their paths are told with them; a journal belongs to what its
 * estimator goes on from. */
START_TEST(says_what_a_study_lacks)
{
    ml_context *ctx = test_context(1);
    ml_table *t = kit_table(ctx, &(kit_data){.rows = 60, .classes = 0});
    ml_estimator *e =
        estimator_of(ctx, "pipeline", "{target: y, steps: [imputer, model=gbdt]}");
    ml_study *s = NULL;
    static const char *const settings[] = {"{tune: [max_leaves]}",
                                           "{space: 'max_leaves: [2, 9]'}"};
    for (int k = 0; k < 2; k++) {
        ml_params *o = options(ctx, settings[k]);
        FAILS(ML_E_NAME, ml_study_new(e, t, NULL, o, &s, ERR));
        SAYS("did you mean \"model.max_leaves\"?");
        ml_params_free(o);
    }
    ml_estimator_free(e);
    e = estimator_of(ctx, "gbdt", "{target: y, n_trees: 3}");
    ml_params *o = options(ctx, "{n_trials: 2, folds: 2, journal: test_study_start.tmp}");
    remove("test_study_start.tmp");
    OK(ml_study_new(e, t, NULL, o, &s, ERR));
    OK(ml_study_run(s, NULL, NULL, NULL, ERR));
    ml_study_free(s);
    ml_model *start = NULL;
    OK(ml_estimator_fit(e, t, NULL, &start, ERR));
    OK(ml_estimator_set_model(e, start, ERR));
    s = NULL;
    ml_status st = ml_study_new(e, t, NULL, o, &s, ERR);
    if (st == ML_OK) st = ml_study_run(s, NULL, NULL, NULL, ERR);
    ck_assert_int_eq(st, ML_E_DATA);
    SAYS("its estimator is");
    remove("test_study_start.tmp");
    ml_study_free(s);
    ml_model_free(start);
    ml_params_free(o);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(out_of_memory_anywhere)
{
    failing_alloc f = {0};
    OUT_OF_MEMORY_LOOP(f, small_study(&f));
}
END_TEST

TEST_MAIN("tuning/study", threads_do_not_change_the_outcome, limits_end_the_study,
          cancelled, validation_rows_are_used, pruning_of_fits, pruning_of_last_steps,
          objectives_and_constraints, the_first_trial_is_in_the_space,
          measured_objectives, constraints_that_nothing_keeps,
          a_journal_belongs_to_its_rows, parameters_of_steps, first_steps_are_kept,
          bad_input, functions_of_the_host, refits_are_as_watched,
          says_what_a_study_lacks, out_of_memory_anywhere)
