/* SPDX-License-Identifier: MIT
 *
 * commands_evaluate.c: evaluate: scores of a model, and the checks of ml_model_check.
 */
#include "app.h"

#include <stdlib.h>
#include <string.h>

/* The checks that options ask for, in the order in which they are done. */
static const struct {
    int option, scores;                 /* scores: by a metric */
    const char *method, *title, *count; /* count: what the option's value sets */
} checks[] = {{OPT_CV, 1, "cross_validation", "Cross-validation", "folds"},
              {OPT_NESTED, 1, "nested", "Nested cross-validation", "trials"},
              {OPT_CURVE, 1, "learning_curve", "Learning curve", NULL},
              {OPT_CALIBRATION, 0, "calibration", "Calibration", NULL},
              {OPT_SLICES, 0, "slices", "Slices, the worst first", NULL},
              {OPT_COMPARE, 0, "compare", "Comparison with the second model", NULL}};
#define CHECKS (sizeof checks / sizeof *checks)

typedef struct evaluation {
    ml_model *model, *other;
    ml_table *data, *scores, *found[CHECKS + 1];
} evaluation;

static void evaluation_free(evaluation *e)
{
    for (size_t i = 0; i <= CHECKS; i++) ml_table_free(e->found[i]);
    ml_table_free(e->scores);
    ml_table_free(e->data);
    ml_model_free(e->other);
    ml_model_free(e->model);
}

static int wants_checks(const app *a, int that_score)
{
    for (size_t i = 0; i < CHECKS; i++)
        if (flag(a, checks[i].option) && (checks[i].scores || !that_score)) return 1;
    return 0;
}

/* Options that no check here looks at. What --set sets goes to all checks, each takes
 * what it knows. */
static int check_usage(app *a)
{
    const char *metrics = a->value[OPT_METRICS];
    int any = wants_checks(a, 0), scored = wants_checks(a, 1);
    if (a->n_set && !any)
        return app_usage(a, "--set is for checks: give --cv, --nested, --learning-curve, "
                            "--calibration, --slices or --compare too");
    if (metrics && any && !scored)
        return app_usage(a, "--metrics says nothing to --calibration, --slices and "
                            "--compare, which look at the loss");
    if (metrics && scored && strchr(metrics, ','))
        return app_usage(a,
                         "--cv, --nested and --learning-curve take one metric, not "
                         "\"%s\"",
                         metrics);
    return 0;
}

static ml_status one_check(app *a, evaluation *e, const char *method, int scores,
                           const char *count, const char *value, ml_table **out)
{
    ml_params *p = NULL;
    ml_status st = ml_params_new(a->ctx, &p, a->err);
    if (st == ML_OK) st = ml_params_set_str(p, "method", method, a->err);
    if (st == ML_OK && flag(a, OPT_SEED))
        st = ml_params_set_str(p, "seed", a->value[OPT_SEED], a->err);
    if (st == ML_OK && a->value[OPT_METRICS] && scores)
        st = ml_params_set_str(p, "metric", a->value[OPT_METRICS], a->err);
    if (st == ML_OK && count) st = ml_params_set_str(p, count, value, a->err);
    if (st == ML_OK) st = add_pairs(a, p, a->set, a->n_set);
    if (st == ML_OK) st = ml_model_check(e->model, e->other, e->data, p, out, a->err);
    ml_params_free(p);
    return st;
}

/* With --cv two models are also compared on the folds. */
static ml_status run_checks(app *a, evaluation *e)
{
    ml_status st = ML_OK;
    for (size_t i = 0; i < CHECKS && st == ML_OK; i++)
        if (flag(a, checks[i].option))
            st = one_check(a, e, checks[i].method, checks[i].scores, checks[i].count,
                           a->value[checks[i].option], &e->found[i]);
    if (st == ML_OK && e->other && flag(a, OPT_CV))
        st = one_check(a, e, "compare_folds", 1, "folds", a->value[OPT_CV],
                       &e->found[CHECKS]);
    return st;
}

static const char *title_of(size_t i)
{
    return i < CHECKS ? checks[i].title : "Comparison on the folds";
}

static const char *name_of(size_t i)
{
    return i < CHECKS ? checks[i].method : "compare_folds";
}

static ml_status write_report(app *a, const evaluation *e)
{
    ml_report *r = NULL;
    ml_status st = ml_report_new(a->ctx, "Evaluation", &r, a->err);
    if (st == ML_OK)
        st = ml_report_add_model(r, a->operand[0], e->model, e->data, a->err);
    if (st == ML_OK) st = report_scores(a, r, e->scores);
    for (size_t i = 0; i <= CHECKS && st == ML_OK; i++)
        if (e->found[i]) st = ml_report_add_table(r, title_of(i), e->found[i], a->err);
    if (st == ML_OK) st = ml_report_add_profile(r, "Data", e->data, NULL, a->err);
    if (st == ML_OK) st = ml_report_save_file(r, a->value[OPT_REPORT], a->err);
    ml_report_free(r);
    return st;
}

static void print_evaluation(app *a, const evaluation *e)
{
    if (flag(a, OPT_JSON)) {
        printf("{\"rows\": %lld", (long long)ml_table_rows(e->data));
        if (e->scores) {
            fputs(", \"metrics\": ", stdout);
            print_table_json(stdout, e->scores);
        }
        for (size_t i = 0; i <= CHECKS; i++) {
            if (!e->found[i]) continue;
            printf(", \"%s\": ", name_of(i));
            print_table_json(stdout, e->found[i]);
        }
        fputs("}\n", stdout);
    } else if (!flag(a, OPT_QUIET)) {
        int n = 0;
        if (e->scores) print_table(stdout, e->scores);
        for (size_t i = 0; i <= CHECKS; i++) {
            if (!e->found[i]) continue;
            printf("%s%s:\n", n++ ? "\n" : "", title_of(i));
            print_table(stdout, e->found[i]);
        }
    }
}

int cmd_evaluate(app *a)
{
    evaluation e = {0};
    int code = check_usage(a);
    if (code) return code;
    ml_status st = load_model(a, &e.model);
    if (st == ML_OK && flag(a, OPT_COMPARE))
        st = ml_model_load_file(a->ctx, a->value[OPT_COMPARE], NULL, &e.other, a->err);
    if (st == ML_OK) st = read_table(a, a->operand[1], &e.data);
    if (st == ML_OK && !wants_checks(a, 0))
        st = ml_model_evaluate(e.model, e.data, a->value[OPT_METRICS], &e.scores, a->err);
    if (st == ML_OK) st = run_checks(a, &e);
    if (st == ML_OK && flag(a, OPT_REPORT)) st = write_report(a, &e);
    if (st < 0)
        code = app_fail(a);
    else
        print_evaluation(a, &e);
    evaluation_free(&e);
    return code;
}
