/* SPDX-License-Identifier: MIT
 *
 * commands_fit.c: train (automl too) and tune.
 */
#include "app.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The tables of a command: training rows, and where given test and validation rows. */
typedef struct inputs {
    ml_table *data, *train, *test, *valid;
} inputs;

static void inputs_free(inputs *in)
{
    ml_table_free(in->data);
    ml_table_free(in->train);
    ml_table_free(in->test);
    ml_table_free(in->valid);
}

static int is_of_classes(const app *a, const ml_table *t)
{
    int64_t j = flag(a, OPT_TARGET) ? ml_table_find(t, a->value[OPT_TARGET]) : -1;
    int32_t type = j < 0 ? ML_DTYPE_F64 : ml_table_column_type(t, j);
    return type == ML_TYPE_TEXT || type == ML_TYPE_CATEGORY || type == ML_DTYPE_BOOL;
}

/* Rows that are held out are the last in time, or groups of their own, as those are that
 * candidates and trials are judged by; else there is the same share of each class. */
static ml_status set_order(const app *a, const ml_table *t, ml_params *p)
{
    static const char *const roles[] = {"time", "group"};
    ml_status st = ML_OK;
    int ordered = 0;
    for (int k = 0; k < a->n_set; k++)
        for (int r = 0; r < 2 && st == ML_OK; r++) {
            size_t n = strlen(roles[r]);
            if (strncmp(a->set[k], roles[r], n) != 0 || a->set[k][n] != '=') continue;
            st = ml_params_set_str(p, roles[r], a->set[k] + n + 1, a->err);
            ordered = 1;
        }
    if (st == ML_OK && !ordered && is_of_classes(a, t))
        st = ml_params_set_str(p, "stratify", a->value[OPT_TARGET], a->err);
    return st;
}

static ml_status hold_out(app *a, inputs *in)
{
    ml_params *p = NULL;
    ml_status st = ml_params_new(a->ctx, &p, a->err);
    if (st == ML_OK) st = ml_params_set_str(p, "fraction", a->value[OPT_HOLDOUT], a->err);
    if (st == ML_OK && flag(a, OPT_SEED))
        st = ml_params_set_str(p, "seed", a->value[OPT_SEED], a->err);
    if (st == ML_OK) st = set_order(a, in->data, p);
    if (st == ML_OK) st = ml_table_split(in->data, p, &in->train, &in->test, a->err);
    ml_params_free(p);
    return st;
}

static ml_status read_rows(app *a, const char *path, ml_table **out)
{
    char text[4096 + 100];
    ml_status st = read_table(a, path, out);
    if (st < 0 || ml_table_rows(*out) > 0) return st;
    snprintf(text, sizeof text, "\"%s\": the table has no rows; training needs rows",
             path);
    ml_error_set(a->err, ML_E_DATA, text);
    return ML_E_DATA;
}

static ml_status read_inputs(app *a, inputs *in)
{
    ml_status st = read_rows(a, a->operand[0], &in->data);
    if (st == ML_OK && flag(a, OPT_VALID))
        st = read_table(a, a->value[OPT_VALID], &in->valid);
    if (st == ML_OK && flag(a, OPT_TEST))
        st = read_table(a, a->value[OPT_TEST], &in->test);
    if (st < 0) return st;
    if (flag(a, OPT_HOLDOUT)) return hold_out(a, in);
    in->train = ml_table_ref(in->data);
    return ML_OK;
}

/* Is the target given by `-s target=...` or `targets`, by name or alias? What the
 * algorithm does not know, the library names. */
static int target_is_set(const app *a, const ml_schema *s)
{
    char key[64];
    for (int k = 0; k < a->n_set; k++) {
        snprintf(key, sizeof key, "%.*s", (int)strcspn(a->set[k], "="), a->set[k]);
        int64_t role = ml_schema_find(s, ML_SCHEMA_ROLE, key);
        const char *name =
            role < 0 ? key : ml_schema_get(s, ML_SCHEMA_ROLE, role, "name");
        if (strcmp(name, "target") == 0 || strcmp(name, "targets") == 0) return 1;
    }
    return 0;
}

/* Does the algorithm have a target that must be given? Unknown ones fail later. */
static int needs_target(app *a)
{
    const char *name = a->value[OPT_ALGORITHM] ? a->value[OPT_ALGORITHM] : "gbdt";
    ml_schema *s = NULL;
    if (ml_schema_new(a->ctx, name, &s, NULL) < 0) return 0;
    int64_t i = ml_schema_find(s, ML_SCHEMA_ROLE, "target");
    const char *flags = i < 0 ? "" : ml_schema_get(s, ML_SCHEMA_ROLE, i, "flags");
    int needs = strstr(flags, "required") != NULL && !target_is_set(a, s);
    ml_schema_free(s);
    return needs;
}

static int check_usage(app *a)
{
    if (!flag(a, OPT_TARGET) && needs_target(a))
        return app_usage(a, "`libml %s` needs --target COL", a->command->name);
    if (flag(a, OPT_OUTPUT) && strcmp(a->value[OPT_OUTPUT], "-") == 0)
        return app_usage(a, "a model goes to a file: give --output a path");
    if (flag(a, OPT_TEST) && flag(a, OPT_HOLDOUT))
        return app_usage(a, "give --test or --holdout, not both");
    if (flag(a, OPT_HOLDOUT)) {
        char *end;
        double share = strtod(a->value[OPT_HOLDOUT], &end);
        if (*end || !(share > 0 && share < 1))
            return app_usage(a,
                             "--holdout is a share between 0 and 1, such as 0.2, not "
                             "\"%s\"",
                             a->value[OPT_HOLDOUT]);
    }
    if (flag(a, OPT_METRICS) && !flag(a, OPT_TEST) && !flag(a, OPT_HOLDOUT))
        return app_usage(a,
                         "--metrics needs rows to score: give --test or --holdout; what "
                         "a search is judged by is `--set metric=` of automl, "
                         "`--study metric=` of tune");
    return 0;
}

static long long file_size(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 ? (long long)s.st_size : 0;
}

/* Rows that lack the target, which are not used: the library says so. */
static long long without_target(const app *a, const ml_table *t)
{
    int64_t column = flag(a, OPT_TARGET) ? ml_table_find(t, a->value[OPT_TARGET]) : -1;
    long long n = 0;
    for (int64_t i = 0; column >= 0 && i < ml_table_rows(t); i++)
        n += ml_table_get_str(t, i, column, NULL, 0) < 0;
    return n;
}

/* Of the test rows, and of a study or of automl; or NULL. */
typedef struct outcome {
    ml_table *scores, *results;
    int64_t scored; /* rows */
    double seconds; /* of the fit */
} outcome;

/* What the commands print at the end. */
static void print_outcome(app *a, const inputs *in, const ml_model *model,
                          const outcome *o)
{
    long long tested = o->scored, test_rows = in->test ? ml_table_rows(in->test) : 0;
    long long rows = (long long)ml_table_rows(in->train);
    long long features = (long long)ml_model_inputs(model);
    const char *path = a->value[OPT_OUTPUT];
    if (flag(a, OPT_JSON)) {
        printf("{\"algorithm\": \"%s\", \"rows\": %lld, \"features\": %lld, "
               "\"seconds\": %.3f, \"model\": ",
               ml_model_algorithm(model), rows, features, o->seconds);
        if (path)
            print_json_string(stdout, path);
        else
            fputs("null", stdout);
        fputs(", \"params\": ", stdout);
        print_params_json(stdout, ml_model_params(model));
        if (o->scores) {
            printf(", \"test_rows\": %lld, \"metrics\": ", tested);
            print_table_json(stdout, o->scores);
        }
        if (o->results) {
            fputs(", \"trials\": ", stdout);
            print_table_json(stdout, o->results);
        }
        fputs("}\n", stdout);
        return;
    }
    if (flag(a, OPT_QUIET)) return;
    rows -= without_target(a, in->train);
    printf("%s: %lld row%s, %lld feature%s, %.2f s\n", ml_model_algorithm(model), rows,
           plural(rows), features, plural(features), o->seconds);
    if (o->results && strcmp(a->command->name, "automl") == 0)
        print_leaderboard(o->results);
    if (o->scores) {
        if (tested < test_rows)
            printf("\nscores on %lld of %lld test rows, which there was time for:\n",
                   tested, test_rows);
        else {
            tested -= without_target(a, in->test);
            printf("\nscores on %lld test row%s:\n", tested, plural(tested));
        }
        print_table(stdout, o->scores);
    }
    if (path) printf("\nsaved %s (%lld bytes)\n", path, file_size(path));
    if (flag(a, OPT_REPORT)) printf("report %s\n", a->value[OPT_REPORT]);
}

/* Saves, scores, reports: scores that fail do not cost the model. */
static ml_status finish(app *a, const inputs *in, const ml_model *model,
                        const ml_study *study, double seconds)
{
    outcome o = {.seconds = seconds};
    ml_status st = ML_OK;
    if (flag(a, OPT_OUTPUT))
        st = ml_model_save_file(model, a->value[OPT_OUTPUT], NULL, a->err);
    int saved = flag(a, OPT_OUTPUT) && st == ML_OK;
    if (st == ML_OK && in->test)
        st = clock_evaluate(a, model, in->test, &o.scored, &o.scores);
    if (st == ML_OK && study)
        st = ml_study_get_table(study, "trials", &o.results, a->err);
    if (st == ML_OK && !study) st = read_leaderboard(a, model, &o.results);
    if (st == ML_OK && flag(a, OPT_REPORT))
        st = write_fit_report(a, in->train, in->test, model, study,
                              study ? NULL : o.results, o.scores);
    if (st == ML_OK)
        print_outcome(a, in, model, &o);
    else if (saved)
        fprintf(stderr, "libml: the model is saved in %s all the same\n",
                a->value[OPT_OUTPUT]);
    ml_table_free(o.scores);
    ml_table_free(o.results);
    return st;
}

int cmd_train(app *a)
{
    inputs in = {0};
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    int code = check_usage(a);
    if (code) return code;
    clock_start(a);
    ml_status st = make_estimator(a, &e);
    if (st == ML_OK) st = set_limits(a, e);
    if (st == ML_OK) st = read_inputs(a, &in);
    double start = seconds_now();
    if (st == ML_OK) st = clock_fit(a, e, in.test ? ml_table_rows(in.test) : 0);
    if (st == ML_OK) st = ml_estimator_fit(e, in.train, in.valid, &m, a->err);
    double seconds = seconds_now() - start;
    if (st == ML_OK) {
        tell_interrupted(a);
        st = finish(a, &in, m, NULL, seconds);
    }
    if (st < 0) code = app_fail(a);
    ml_model_free(m);
    ml_estimator_free(e);
    inputs_free(&in);
    return code;
}

static ml_status make_study(app *a, const ml_estimator *e, const inputs *in,
                            ml_study **out)
{
    ml_params *p = NULL;
    ml_status st = ml_params_new(a->ctx, &p, a->err);
    if (st == ML_OK && flag(a, OPT_TRIALS))
        st = ml_params_set_str(p, "n_trials", a->value[OPT_TRIALS], a->err);
    if (st == ML_OK && flag(a, OPT_TIME))
        st = ml_params_set_str(p, "time", a->value[OPT_TIME], a->err);
    if (st == ML_OK && clock_given(a) > 0 && !flag(a, OPT_TRIALS))
        st = ml_params_set_i64(p, "n_trials", 1000000, a->err);
    if (st == ML_OK && flag(a, OPT_SEED))
        st = ml_params_set_str(p, "seed", a->value[OPT_SEED], a->err);
    if (st == ML_OK && flag(a, OPT_JOURNAL))
        st = ml_params_set_str(p, "journal", a->value[OPT_JOURNAL], a->err);
    if (st == ML_OK) st = add_pairs(a, p, a->study, a->n_study);
    if (st == ML_OK) st = ml_study_new(e, in->train, in->valid, p, out, a->err);
    ml_params_free(p);
    return st;
}

static void print_best(app *a, const ml_study *study)
{
    double score;
    ml_params *best = NULL;
    ml_table *results = NULL;
    if (flag(a, OPT_QUIET) || flag(a, OPT_JSON)) return;
    if (ml_study_best_params(study, &score, &best, NULL) < 0) return;
    if (ml_study_get_table(study, "trials", &results, NULL) == ML_OK) {
        printf("%lld trial%s, best score %.6g\n", (long long)ml_table_rows(results),
               plural(ml_table_rows(results)), score);
        for (int64_t j = 0; j < ml_table_columns(results); j++) {
            const char *name = ml_table_column_name(results, j);
            const char *text = ml_params_get_str(best, name);
            if (text) printf("  %s = %s\n", name, text);
        }
    }
    ml_table_free(results);
    ml_params_free(best);
}

int cmd_tune(app *a)
{
    inputs in = {0};
    ml_estimator *e = NULL;
    ml_study *study = NULL;
    ml_model *m = NULL;
    int code = check_usage(a);
    if (code) return code;
    ml_status st = make_estimator(a, &e);
    if (st == ML_OK) st = read_inputs(a, &in);
    double start = seconds_now();
    if (st == ML_OK) st = make_study(a, e, &in, &study);
    if (st == ML_OK) st = ml_study_run(study, on_progress, a, a->cancel, a->err);
    if (st == ML_OK) {
        tell_interrupted(a);
        print_best(a, study);
        st = ml_study_best_model(study, a->cancel, &m, a->err);
    }
    if (st == ML_OK) st = finish(a, &in, m, study, seconds_now() - start);
    if (st < 0) code = app_fail(a);
    ml_model_free(m);
    ml_study_free(study);
    ml_estimator_free(e);
    inputs_free(&in);
    return code;
}
