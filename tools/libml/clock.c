/* SPDX-License-Identifier: MIT
 *
 * clock.c: the time limit of automl, which counts all of the command. What comes after
 * the fit takes as many rows as there is time for, by the speed that is measured.
 */
#include "app.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MARGIN 0.01 /* of the limit: printing, giving memory back */
#define SEARCH 0.1  /* of the limit is for the search, however long reading took */
/* Scores: seconds, and seconds per row; of the limit at least and at most. */
#define SCORES       0.06
#define SCORES_ROW   2.5e-6
#define SCORES_CLASS 3e-7 /* and of each row for each class: areas, with intervals */
#define SCORES_LEAST 0.02
#define SCORES_MOST  0.2
#define REPORT       0.08 /* of the limit, for each of the tables of a report */
#define PROBE        1000 /* rows that tell how fast a model is */
#define MANY_CLASSES 100  /* scores are then of so many rows at least: */
#define FEW_ROWS     200

double clock_given(const app *a)
{
    return flag(a, OPT_TIME) ? strtod(a->value[OPT_TIME], NULL) : 0;
}

static double limit_of(const app *a)
{
    double limit = clock_given(a);
    return limit > 0 && limit < 1e9 && strcmp(a->command->name, "automl") == 0 ? limit
                                                                               : 0;
}

void clock_start(app *a)
{
    a->limit = limit_of(a);
    a->end = seconds_now() + a->limit;
}

double clock_left(const app *a)
{
    return a->limit > 0 ? a->end - seconds_now() - MARGIN * a->limit : INFINITY;
}

double clock_slowness(const app *a)
{
    double used = a->limit - (a->end - seconds_now());
    double own = (double)clock() / CLOCKS_PER_SEC;
    return used > own && own > 0.01 ? used / own : 1;
}

/* What comes after the fit. */
static double reserve(const app *a, int64_t test_rows)
{
    double scores = SCORES + SCORES_ROW * (double)test_rows;
    scores *= clock_slowness(a) / a->limit;
    if (scores < SCORES_LEAST) scores = SCORES_LEAST;
    if (scores > SCORES_MOST) scores = SCORES_MOST;
    if (test_rows == 0) scores = 0;
    if (flag(a, OPT_REPORT)) scores += test_rows ? 2 * REPORT : REPORT;
    return scores * a->limit;
}

ml_status clock_fit(app *a, ml_estimator *e, int64_t test_rows)
{
    if (!(a->limit > 0)) return ML_OK;
    double left = clock_left(a) - reserve(a, test_rows);
    if (left < SEARCH * a->limit) {
        left = SEARCH * a->limit + 0.01;
        if (!flag(a, OPT_QUIET))
            fprintf(stderr,
                    "libml: reading took %.2f of the %.4g s; the search gets %.2f s: "
                    "raise --time\n",
                    a->limit - (a->end - seconds_now()), a->limit, left);
    }
    return ml_estimator_set_f64(e, "time_limit", (double)(int64_t)(100 * left) / 100,
                                a->err);
}

ml_status some_rows(app *a, const ml_table *t, int64_t most, ml_table **out)
{
    int64_t rows = ml_table_rows(t);
    if (rows <= most) {
        *out = ml_table_ref((ml_table *)(uintptr_t)t);
        return ML_OK;
    }
    int64_t *row = malloc((size_t)most * sizeof *row);
    if (!row) {
        ml_error_set(a->err, ML_E_MEMORY, "not enough memory for some of the rows");
        return ML_E_MEMORY;
    }
    for (int64_t k = 0; k < most; k++)
        row[k] = (int64_t)(((double)k + 0.5) * (double)rows / (double)most);
    ml_status st = ml_table_take(t, row, most, out, a->err);
    free(row);
    return st;
}

int64_t rows_in_time(double seconds, double per_row, int64_t least)
{
    double rows = seconds / per_row;
    return rows > 1e15 ? INT64_MAX : rows > (double)least ? (int64_t)rows : least;
}

/* Seconds that the model takes to predict a row. */
static ml_status measure(app *a, const ml_model *model, const ml_table *test)
{
    ml_table *probe = NULL;
    ml_predictor *p = NULL;
    ml_tensor *t = NULL;
    ml_status st = some_rows(a, test, PROBE, &probe);
    if (st == ML_OK) st = ml_predictor_new(model, NULL, NULL, &p, a->err);
    double start = seconds_now();
    if (st == ML_OK) st = ml_predictor_run(p, probe, &t, a->err);
    if (st == ML_OK)
        a->per_row = (seconds_now() - start) / (double)(ml_table_rows(probe) + 1);
    ml_tensor_free(t);
    ml_predictor_free(p);
    ml_table_free(probe);
    return st;
}

ml_status clock_evaluate(app *a, const ml_model *model, const ml_table *test,
                         int64_t *rows, ml_table **out)
{
    ml_table *some = NULL;
    ml_status st = ML_OK;
    *rows = ml_table_rows(test);
    if (a->limit > 0) {
        st = measure(a, model, test);
        double left = clock_left(a);
        if (flag(a, OPT_REPORT)) left -= REPORT * a->limit;
        /* Probabilities and classes; what is measured has a start of its own. */
        double classes = (double)ml_model_classes(model);
        *rows = rows_in_time(left - SCORES / 2,
                             2 * a->per_row + SCORES_ROW / 2 + SCORES_CLASS * classes,
                             classes > MANY_CLASSES ? FEW_ROWS : PROBE);
    }
    if (st == ML_OK) st = some_rows(a, test, *rows, &some);
    if (st == ML_OK) {
        *rows = ml_table_rows(some);
        st = ml_model_evaluate(model, some, a->value[OPT_METRICS], out, a->err);
    }
    ml_table_free(some);
    return st;
}
