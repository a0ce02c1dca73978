/* SPDX-License-Identifier: MIT
 *
 * The journal of automl: searches that were killed go on.
 */
#include "testing_automl.h"
#include "tuning/journal.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const char journal[] = "test_automl_journal.tmp";

static ml_model *fit_with_journal(ml_context *ctx, const ml_table *t, const char *path)
{
    char yaml[256];
    snprintf(yaml, sizeof yaml,
             "{target: y, trials: 16, folds: 2, journal: \"%s\", "
             "algorithms: [gbdt, logistic_regression]}",
             path);
    return fit_yaml(ctx, "automl", yaml, t, NULL);
}

static int64_t records(void)
{
    int64_t n = 0;
    char line[256];
    FILE *f = fopen(journal, "r");
    if (!f) return 0;
    while (fgets(line, sizeof line, f)) n += strstr(line, "{\"candidate\"") != NULL;
    fclose(f);
    return n;
}

/* Killed in the middle, again and again: the model is the same bytes in the end, and no
 * candidate is fitted twice. */
START_TEST(killed_and_resumed)
{
    remove(journal);
    for (int64_t want = 2; want <= 12; want += 5) {
        pid_t child = fork();
        if (child == 0) {
            ml_context *ctx = test_context(1);
            ml_table *t = table(ctx, 300, 2, 6);
            ml_model_free(fit_with_journal(ctx, t, journal));
            _exit(0);
        }
        ck_assert_int_gt(child, 0);
        while (records() < want && waitpid(child, NULL, WNOHANG) == 0) usleep(500);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    ck_assert_int_ge(records(), 12);
    ml_context *ctx = test_context(2);
    ml_table *t = table(ctx, 300, 2, 6);
    ml_model *m = fit_with_journal(ctx, t, journal),
             *plain = fit_with_journal(ctx, t, "");
    kit_bytes a = kit_save(m), b = kit_save(plain);
    ck_assert_int_eq(a.size, b.size);
    ck_assert(memcmp(a.data, b.data, a.size) == 0);
    /* Each kill may have torn one record, which is there in part. */
    ck_assert_int_le(records(), 16 + 3);
    free(a.data);
    free(b.data);
    ml_model_free(m);
    ml_model_free(plain);
    refused(ctx, "automl",
            "{target: y, trials: 3, folds: 3, journal: test_automl_journal.tmp}", t,
            "judged");
    ml_table *other = table(ctx, 300, 2, 7);
    refused(ctx, "automl",
            "{target: y, trials: 3, folds: 2, journal: test_automl_journal.tmp}", other,
            "rows");
    remove(journal);
    ml_table_free(other);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Damaged records are as if they were not there. */
START_TEST(a_damaged_journal)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 200, 3, 6);
    remove(journal);
    ml_model *m = fit_with_journal(ctx, t, journal);
    kit_bytes a = kit_save(m);
    FILE *f = fopen(journal, "r+");
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    for (long at = 500; at < size; at += size / 7) {
        fseek(f, at, SEEK_SET);
        fputc('#', f);
    }
    fclose(f);
    ml_model *again = fit_with_journal(ctx, t, journal);
    kit_bytes b = kit_save(again);
    ck_assert_int_eq(a.size, b.size);
    ck_assert(memcmp(a.data, b.data, a.size) == 0);
    free(a.data);
    free(b.data);
    remove(journal);
    ml_model_free(m);
    ml_model_free(again);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static ml_status try_fit(ml_context *ctx, const char *yaml, const ml_table *t,
                         const ml_table *valid, ml_model **out)
{
    ml_estimator *e = estimator_of(ctx, "automl", yaml);
    ml_status st = ml_estimator_fit(e, t, valid, out, ERR);
    ml_estimator_free(e);
    return st;
}

/* Other validation rows, or folds by groups, are another search. */
START_TEST(a_journal_of_other_folds)
{
    static const char yaml[] = "{target: y, trials: 2, folds: 3, features: [a, b], "
                               "journal: test_automl_journal.tmp%s}";
    char text[160];
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 120, 0, 6), *v = table(ctx, 60, 0, 7), *w = NULL;
    ml_model *m = NULL;
    double groups[120];
    for (int i = 0; i < 120; i++) groups[i] = i / 4;
    t = add_f64(ctx, t, "g", 120, groups);
    remove(journal);
    snprintf(text, sizeof text, yaml, "");
    OK(try_fit(ctx, text, t, v, &m));
    ml_model_free(m);
    OK(try_fit(ctx, text, t, v, &m));
    ml_model_free(m);
    w = table(ctx, 60, 0, 8);
    FAILS(ML_E_ARGUMENT, try_fit(ctx, text, t, w, &m));
    remove(journal);
    OK(try_fit(ctx, text, t, NULL, &m));
    ml_model_free(m);
    snprintf(text, sizeof text, yaml, ", group: g");
    FAILS(ML_E_ARGUMENT, try_fit(ctx, text, t, NULL, &m));
    remove(journal);
    ml_table_free(v);
    ml_table_free(w);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static int has_failed(const ml_model *m, int64_t n)
{
    int failed = 0;
    for (int64_t i = 0; i < n; i++) failed += isnan(number(m, "trial_scores", i));
    return failed;
}

/* What lacked memory is tried again when there is more. */
START_TEST(a_journal_keeps_no_lack_of_memory)
{
    static const char yaml[] = "{target: y, trials: 6, folds: 2, "
                               "journal: test_automl_journal.tmp, memory_limit: %s}";
    char text[160];
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 2000, 0, 4);
    remove(journal);
    snprintf(text, sizeof text, yaml, "1");
    ml_model *m = fit_yaml(ctx, "automl", text, t, NULL);
    ck_assert_int_ge(has_failed(m, 6), 1);
    ml_model_free(m);
    snprintf(text, sizeof text, yaml, "0");
    m = fit_yaml(ctx, "automl", text, t, NULL);
    ck_assert_int_eq(has_failed(m, 6), 0);
    ml_model_free(m);
    remove(journal);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* With a clock all of a journal is taken over, but not algorithms that are not wanted. */
START_TEST(a_journal_of_other_algorithms)
{
    static const char yaml[] =
        "{target: y, trials: 6, folds: 2, time_limit: 100, max_members: 1, stacking: "
        "false, journal: test_automl_journal.tmp, algorithms: [%s]}";
    char text[200];
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 200, 0, 4);
    remove(journal);
    snprintf(text, sizeof text, yaml, "gbdt");
    ml_model *m = fit_yaml(ctx, "automl", text, t, NULL);
    ck_assert_ptr_nonnull(
        strstr(ml_params_get_str(ml_model_params(m), "members"), "gbdt"));
    ml_model_free(m);
    snprintf(text, sizeof text, yaml, "linear_regression");
    m = fit_yaml(ctx, "automl", text, t, NULL);
    ck_assert_ptr_null(strstr(ml_params_get_str(ml_model_params(m), "members"), "gbdt"));
    ml_model_free(m);
    remove(journal);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Two fits would write over each other. */
START_TEST(a_journal_in_use)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 100, 0, 4);
    mli_journal *j = NULL;
    remove(journal);
    OK(mli_journal_open(ctx, journal, 1, &j, ERR));
    const char *yaml =
        "{target: y, trials: 1, folds: 2, journal: test_automl_journal.tmp}";
    ml_model *m = NULL;
    FAILS(ML_E_IO, try_fit(ctx, yaml, t, NULL, &m));
    mli_journal_close(j);
    OK(try_fit(ctx, yaml, t, NULL, &m));
    remove(journal);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* With little time for many rows candidates are judged by one part; with a journal always
 * by the same folds. The constant that there is time for shows which. */
START_TEST(short_time_takes_one_part)
{
    static const char *const more[] = {"", ", folds: 5",
                                       ", journal: test_automl_journal.tmp"};
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 6000, 0, 4);
    double scores[3];
    remove(journal);
    for (int k = 0; k < 3; k++) {
        char yaml[160];
        snprintf(yaml, sizeof yaml, "{target: y, time_limit: 0.000001, trials: 0%s}",
                 more[k]);
        ml_model *m = fit_yaml(ctx, "automl", yaml, t, NULL);
        scores[k] = number(m, "trial_scores", 0);
        ml_model_free(m);
    }
    ck_assert_double_ne(scores[0], scores[1]);
    ck_assert_double_eq(scores[1], scores[2]);
    remove(journal);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* The last value of a key in the records that begin with `begin`, and how many there are
 * of them. */
static double last_of(const char *begin, const char *key, int64_t *n)
{
    static char line[4096];
    double value = NAN;
    int begins = 1; /* a line, of which more may follow */
    FILE *f = fopen(journal, "r");
    *n = 0;
    int in = 0;
    while (f && fgets(line, sizeof line, f)) {
        if (begins) in = strstr(line, begin) != NULL;
        *n += begins && in;
        const char *at = in ? strstr(line, key) : NULL;
        if (at) value = strtod(at + strlen(key), NULL);
        begins = strchr(line, '\n') != NULL;
    }
    if (f) fclose(f);
    return value;
}

/* A candidate that is killed has used its time: the search goes on after it. */
START_TEST(a_killed_candidate_has_used_its_time)
{
    static const char yaml[] = "{target: y, trials: 2, time_limit: 20, folds: 2, "
                               "algorithms: [gbdt], journal: test_automl_journal.tmp}";
    static const char elapsed[] = "\"elapsed\": ";
    int64_t n = 0;
    remove(journal);
    pid_t child = fork();
    if (child == 0) {
        ml_context *ctx = test_context(1);
        ml_table *t = table(ctx, 30000, 2, 6);
        ml_model_free(fit_yaml(ctx, "automl", yaml, t, NULL));
        _exit(0);
    }
    ck_assert_int_gt(child, 0);
    while (n < 4 && waitpid(child, NULL, WNOHANG) == 0) {
        usleep(500);
        last_of("{\"elapsed\"", elapsed, &n);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    double used = last_of("{\"elapsed\"", elapsed, &n);
    ck_assert_double_gt(used, 0);
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 30000, 2, 6);
    ml_model_free(fit_yaml(ctx, "automl", yaml, t, NULL));
    ck_assert_double_gt(last_of("{\"candidate\": \"gbdt\"", elapsed, &n), used);
    ck_assert_int_eq(n, 1);
    remove(journal);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* What a journal gives is blended as what was fitted. */
START_TEST(a_resumed_search_with_a_limit_blends)
{
    static const char yaml[] = "{target: y, trials: 6, time_limit: 3600, folds: 3, "
                               "algorithms: [gbdt, linear_regression, random_forest], "
                               "stacking: false, journal: test_automl_journal.tmp}";
    ml_context *ctx = test_context(1);
    ml_table *t = table(ctx, 200, 0, 9);
    remove(journal);
    ml_model *first = fit_yaml(ctx, "automl", yaml, t, NULL);
    ml_model *again = fit_yaml(ctx, "automl", yaml, t, NULL);
    remove(journal);
    ml_tensor *x = NULL, *y = NULL;
    OK(ml_model_get_tensor(first, "weights", &x, ERR));
    OK(ml_model_get_tensor(again, "weights", &y, ERR));
    int64_t n = ml_tensor_shape(x)[0];
    ck_assert_int_gt(n, 1);
    ck_assert_int_eq(n, ml_tensor_shape(y)[0]);
    for (int64_t i = 0; i < n; i++)
        ck_assert_double_eq(ml_tensor_get_f64(x, i, 0), ml_tensor_get_f64(y, i, 0));
    ml_tensor_free(x);
    ml_tensor_free(y);
    ml_model_free(first);
    ml_model_free(again);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("tuning/automl_journal", killed_and_resumed, a_damaged_journal,
          a_journal_of_other_folds, a_journal_keeps_no_lack_of_memory,
          a_journal_of_other_algorithms, a_journal_in_use, short_time_takes_one_part,
          a_killed_candidate_has_used_its_time, a_resumed_search_with_a_limit_blends)
