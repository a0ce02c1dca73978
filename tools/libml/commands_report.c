/* SPDX-License-Identifier: MIT
 *
 * commands_report.c: the report of train, tune and automl. With a time limit that is
 * small beside the tables it looks at some of their rows, and its headings say so.
 */
#include "app.h"

#include <math.h>
#include <stdlib.h>

#define SHARE   0.08   /* of the time limit of tune, for each of both tables */
#define PART    0.5    /* of what automl has left, for the next one */
#define CELL    1.8e-7 /* seconds per value of a profile, */
#define PAIR    7e-10  /* and per value of a pair of columns */
#define TOO_FEW 100    /* rows of a profile; a model is shown with so many at least */
#define CLASS   1e-6   /* per row and class of a model that is shown */
#define TEST    1e-4   /* per row that is predicted, with intervals, for each column */

static double seconds_for_table(const app *a)
{
    double limit = clock_given(a);
    if (a->limit > 0) return PART * clock_left(a) / clock_slowness(a);
    return limit > 0 ? SHARE * limit : INFINITY;
}

static const char *heading(char text[160], const char *what, const ml_table *some,
                           const ml_table *all)
{
    long long n = ml_table_rows(some), rows = ml_table_rows(all);
    snprintf(text, 160, n < rows ? "%s (%lld of %lld rows)" : "%s", what, n, rows);
    return text;
}

static ml_status add_profile(app *a, ml_report *r, const ml_table *data)
{
    const char *target = a->value[OPT_TARGET];
    double columns = (double)ml_table_columns(data);
    double row = columns * (CELL + columns * PAIR), seconds = seconds_for_table(a);
    char title[160];
    ml_params *options = NULL;
    ml_table *some = NULL;
    if (seconds < TOO_FEW * row) {
        if (!flag(a, OPT_QUIET))
            fprintf(stderr,
                    "libml: no time for a profile of %.0f columns: raise --time\n",
                    columns);
        return ML_OK;
    }
    ml_status st = some_rows(a, data, rows_in_time(seconds, row, TOO_FEW), &some);
    if (st == ML_OK) st = ml_params_new(a->ctx, &options, a->err);
    if (st == ML_OK && target && ml_table_find(data, target) >= 0)
        st = ml_params_set_str(options, "target", target, a->err);
    if (st == ML_OK)
        st = ml_report_add_profile(r, heading(title, "Training data", some, data), some,
                                   options, a->err);
    ml_params_free(options);
    ml_table_free(some);
    return st;
}

static ml_status add_model(app *a, ml_report *r, const ml_model *model,
                           const ml_table *test)
{
    char title[160];
    ml_table *some = NULL;
    if (!test) return ml_report_add_model(r, "Model", model, NULL, a->err);
    double columns = (double)ml_model_inputs(model);
    /* Scores, plots and checks predict; and each column is shuffled. */
    double row = TEST + columns * TEST / 20 + (6 + 3 * columns) * a->per_row +
                 CLASS * (double)ml_model_classes(model);
    ml_status st =
        some_rows(a, test, rows_in_time(seconds_for_table(a), row, TOO_FEW), &some);
    if (st == ML_OK)
        st = ml_report_add_model(r, heading(title, "Model", some, test), model, some,
                                 a->err);
    ml_table_free(some);
    return st;
}

ml_status report_scores(app *a, ml_report *r, const ml_table *scores)
{
    if (!scores || !flag(a, OPT_METRICS)) return ML_OK;
    return ml_report_add_table(r, "Scores asked for", scores, a->err);
}

ml_status write_fit_report(app *a, const ml_table *train, const ml_table *test,
                           const ml_model *model, const ml_study *study,
                           const ml_table *leaderboard, const ml_table *scores)
{
    ml_report *r = NULL;
    char title[256];
    const char *target = a->value[OPT_TARGET];
    snprintf(title, sizeof title, target ? "Predicting %s (%s)" : "%s%s",
             target ? target : "", ml_model_algorithm(model));
    ml_status st = ml_report_new(a->ctx, title, &r, a->err);
    if (st == ML_OK) st = add_model(a, r, model, test);
    if (st == ML_OK) st = report_scores(a, r, scores);
    if (st == ML_OK && study) st = ml_report_add_study(r, "Tuning", study, a->err);
    if (st == ML_OK && leaderboard)
        st = ml_report_add_table(r, "Leaderboard", leaderboard, a->err);
    if (st == ML_OK) st = add_profile(a, r, train);
    if (st == ML_OK) st = ml_report_save_file(r, a->value[OPT_REPORT], a->err);
    ml_report_free(r);
    return st;
}
