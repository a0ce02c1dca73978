/* SPDX-License-Identifier: MIT
 *
 * commands_report.c: the report of train, tune and automl. With a time limit that is
 * small beside the tables it looks at some of their rows, and its headings say so.
 */
#include "app.h"

#include <stdlib.h>

#define SHARE 0.08   /* of the time limit, for each of both tables */
#define CELL  1.8e-7 /* seconds per value of a profile, */
#define PAIR  7e-10  /* and per value of a pair of columns */
#define TEST  1e-4   /* per row that is predicted, with intervals, for each column */
#define LEAST 500

/* Rows there is time for, at `seconds` each. */
static int64_t rows_in_time(const app *a, double seconds)
{
    double limit = flag(a, OPT_TIME) ? strtod(a->value[OPT_TIME], NULL) : 0;
    double rows = SHARE * limit / seconds;
    if (!(limit > 0) || !(rows < 1e15)) return INT64_MAX;
    return rows > LEAST ? (int64_t)rows : LEAST;
}

/* The table, or as many rows of it, one of each of as many equal stretches. */
static ml_status some_rows(app *a, const ml_table *t, int64_t most, ml_table **out)
{
    int64_t rows = ml_table_rows(t);
    if (rows <= most) {
        *out = ml_table_ref((ml_table *)(uintptr_t)t);
        return ML_OK;
    }
    int64_t *row = malloc((size_t)most * sizeof *row);
    if (!row) {
        ml_error_set(a->err, ML_E_MEMORY, "not enough memory for the report");
        return ML_E_MEMORY;
    }
    for (int64_t k = 0; k < most; k++)
        row[k] = (int64_t)(((double)k + 0.5) * (double)rows / (double)most);
    ml_status st = ml_table_take(t, row, most, out, a->err);
    free(row);
    return st;
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
    char title[160];
    ml_params *options = NULL;
    ml_table *some = NULL;
    ml_status st =
        some_rows(a, data, rows_in_time(a, columns * (CELL + columns * PAIR)), &some);
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
    ml_status st = some_rows(a, test, rows_in_time(a, TEST + columns * TEST / 20), &some);
    if (st == ML_OK)
        st = ml_report_add_model(r, heading(title, "Model", some, test), model, some,
                                 a->err);
    ml_table_free(some);
    return st;
}

ml_status write_fit_report(app *a, const ml_table *train, const ml_table *test,
                           const ml_model *model, const ml_study *study,
                           const ml_table *leaderboard)
{
    ml_report *r = NULL;
    char title[256];
    const char *target = a->value[OPT_TARGET];
    snprintf(title, sizeof title, "%s%s%s", ml_model_algorithm(model),
             target ? " of " : "", target ? target : "");
    ml_status st = ml_report_new(a->ctx, title, &r, a->err);
    if (st == ML_OK) st = add_model(a, r, model, test);
    if (st == ML_OK && study) st = ml_report_add_study(r, "Tuning", study, a->err);
    if (st == ML_OK && leaderboard)
        st = ml_report_add_table(r, "Leaderboard", leaderboard, a->err);
    if (st == ML_OK) st = add_profile(a, r, train);
    if (st == ML_OK) st = ml_report_save_file(r, a->value[OPT_REPORT], a->err);
    ml_report_free(r);
    return st;
}
