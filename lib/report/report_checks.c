/* SPDX-License-Identifier: MIT
 *
 * report_checks.c: the tables of ml_model_check as plots, and what a model's section says
 * of its calibration and of the rows for which it does worst.
 */
#include "report/report_checks.h"

#include "report/html.h"
#include "report/svg.h"

#include <math.h>
#include <string.h>

/* The columns of a table as numbers, in fresh memory; NULL: it lacks one, or memory,
 * which is then noted in the page. */
static double *columns(mli_str *s, const ml_table *t, const char *const *names, int n)
{
    int64_t rows = ml_table_rows(t), at[8];
    for (int k = 0; k < n; k++)
        if ((at[k] = ml_table_find(t, names[k])) < 0) return NULL;
    double *v = mli_alloc_vec(t->ctx, rows * n + 1, sizeof *v);
    if (!v) s->failed = 1;
    for (int k = 0; v && k < n; k++)
        for (int64_t i = 0; i < rows; i++)
            v[k * rows + i] = ml_table_get_f64(t, i, at[k]);
    return v;
}

/* Other tables may have columns of the same names: the last row of a calibration says
 * that it is of all. */
static int is_calibration(const ml_table *t)
{
    char text[8];
    int64_t bin = ml_table_find(t, "bin"), rows = ml_table_rows(t);
    if (bin < 0 || rows < 2) return 0;
    int32_t type = ml_table_column_type(t, bin);
    if (type != ML_TYPE_TEXT && type != ML_TYPE_CATEGORY) return 0;
    int64_t size = ml_table_get_str(t, rows - 1, bin, text, sizeof text);
    return size == 3 && strcmp(text, "all") == 0;
}

/* A line with a band of one deviation to both sides. */
static void band(mli_plot *p, const double *x, const double *y, const double *deviation,
                 int64_t n, const char *line, const char *points)
{
    for (int64_t i = 0; i < n; i++) {
        double d = isnan(deviation[i]) ? 0 : deviation[i];
        const double at[2] = {x[i], x[i]}, ends[2] = {y[i] - d, y[i] + d};
        mli_plot_line(p, at, ends, 2, "lc");
    }
    mli_plot_line(p, x, y, n, line);
    mli_plot_points(p, x, y, n, 3, points);
}

static void learning_curve(mli_str *s, const double *v, int64_t n)
{
    const double *rows = v, *train = v + n, *test = v + 3 * n;
    double low = INFINITY, high = -INFINITY;
    int64_t begin = 0;
    while (begin < n && (isnan(train[begin]) || isnan(test[begin]))) begin++;
    for (int64_t i = begin; i < n; i++)
        for (int k = 1; k <= 3; k += 2) {
            double d = isnan(v[(k + 1) * n + i]) ? 0 : v[(k + 1) * n + i];
            low = fmin(low, v[k * n + i] - d);
            high = fmax(high, v[k * n + i] + d);
        }
    if (n - begin < 2 || !(high > low)) return;
    mli_plot p = {
        .x0 = 0, .x1 = rows[n - 1], .y0 = low, .y1 = high, .width = 560, .height = 330};
    mli_plot_begin(&p, s,
                   "Score by training rows: fold left out (blue), rows "
                   "fitted to (orange)",
                   "training rows", "score");
    band(&p, rows + begin, train + begin, train + n + begin, n - begin, "lb", "pb");
    band(&p, rows + begin, test + begin, test + n + begin, n - begin, "la", "pa");
    mli_plot_end(&p);
}

static void calibration(mli_str *s, const double *v, int64_t n)
{
    const double *x = v, *y = v + n, *low = v + 2 * n, *high = v + 3 * n;
    double most = 0; /* rare classes need a part of the range only */
    for (int64_t i = 0; i + 1 < n; i++)
        most = fmax(most, fmax(x[i], isnan(high[i]) ? 0 : high[i]));
    most = most > 0.5 ? 1 : ceil(20 * most) / 20;
    const double diagonal[] = {0, most};
    mli_plot p = {.x1 = most, .y1 = most, .width = 420, .height = 330};
    mli_plot_begin(&p, s, "Calibration, with 95 % intervals", "predicted probability",
                   "observed share");
    mli_plot_line(&p, diagonal, diagonal, 2, "lc");
    for (int64_t i = 0; i + 1 < n; i++) { /* the last row is of all rows */
        const double at[2] = {x[i], x[i]}, ends[2] = {low[i], high[i]};
        if (!isnan(ends[0])) mli_plot_line(&p, at, ends, 2, "lc");
    }
    mli_plot_line(&p, x, y, n - 1, "la");
    mli_plot_points(&p, x, y, n - 1, 3, "pa");
    mli_plot_end(&p);
}

void mli_report_check(mli_str *s, const ml_table *t)
{
    static const char *const curve[] = {"rows", "train", "train_deviation", "test",
                                        "test_deviation"};
    static const char *const bins[] = {"predicted", "observed", "low", "high", "error"};
    double *v = columns(s, t, curve, 5);
    int64_t n = ml_table_rows(t);
    if (ml_table_find(t, "rounds") >= 0 && ml_table_find(t, "weight") >= 0)
        mli_html_note(s,
                      "score: on rows that the candidate was not fitted to. weight: its "
                      "share of the weighted mean, 0 where it has none. rounds: "
                      "trees of boosting, for each class.");
    if (v) {
        mli_str_add(s, "<div class=\"plots\">\n");
        learning_curve(s, v, n);
        mli_str_add(s, "</div>\n");
    } else if (is_calibration(t) && (v = columns(s, t, bins, 5))) {
        mli_str_add(s, "<div class=\"plots\">\n");
        calibration(s, v, n);
        mli_str_add(s, "</div>\n");
    }
    mli_free(t->ctx, v);
}

static ml_status check(const ml_model *m, const ml_table *test, const char *method,
                       ml_table **out, ml_error *err)
{
    ml_params *p = NULL;
    ml_status st = ml_params_new(m->ctx, &p, err);
    if (st == ML_OK) st = ml_params_set_str(p, "method", method, err);
    if (st == ML_OK) st = ml_params_set_i64(p, "most", 8, err);
    if (st == ML_OK) st = ml_model_check(m, NULL, test, p, out, err);
    ml_params_free(p);
    return st;
}

static ml_status say_calibration(mli_str *s, const ml_model *m, const ml_table *test,
                                 ml_error *err)
{
    ml_table *t = NULL;
    mli_str note;
    mli_str_init(&note, m->ctx);
    ml_status st = check(m, test, "calibration", &t, err);
    if (st == ML_OK) {
        double error =
            ml_table_get_f64(t, ml_table_rows(t) - 1, ml_table_find(t, "error"));
        mli_str_short(&note, error, 3);
        if (note.failed) st = mli_nomem(err);
    }
    if (st == ML_OK) {
        mli_report_check(s, t);
        mli_html_note(s,
                      "Ten groups of rows of like probabilities: the probability of the "
                      "%s class, and the share of rows that have it. Calibration error, "
                      "the mean distance of both: %s.",
                      m->inputs->classes.n == 2 ? "positive" : "predicted", note.data);
    }
    mli_str_free(&note);
    ml_table_free(t);
    return st;
}

/* Those that are worse by more than chance: the interval begins above 0. */
static ml_status say_slices(mli_str *s, const ml_model *m, const ml_table *test,
                            ml_error *err)
{
    ml_table *t = NULL, *worse = NULL;
    int64_t order[8], n = 0;
    ml_status st = check(m, test, "slices", &t, err);
    if (st != ML_OK) return st;
    int64_t low = ml_table_find(t, "low");
    for (; n < 8 && n < ml_table_rows(t) && ml_table_get_f64(t, n, low) > 0; n++)
        order[n] = n;
    if (n > 0) st = ml_table_take(t, order, n, &worse, err);
    if (worse) {
        mli_html_heading(s, "Slices with the worst performance");
        mli_html_note(s,
                      "Mean %s of rows with a common value, against all others; "
                      "intervals and p-values allow for the number of slices.",
                      m->inputs->classes.n ? "log loss" : "absolute error");
        mli_html_table(s, worse, 8);
    }
    ml_table_free(worse);
    ml_table_free(t);
    return st;
}

/* Not for what predicts several values at once. */
ml_status mli_report_model_checks(mli_str *s, const ml_model *m, const ml_table *test,
                                  ml_error *err)
{
    int classes = m->inputs->task == MLI_TASK_CLASSIFICATION;
    ml_status st = ML_OK;
    if (!classes && m->inputs->task != MLI_TASK_REGRESSION) return ML_OK;
    if (m->inputs->n_targets) return ML_OK;
    if (classes) st = say_calibration(s, m, test, err);
    return st == ML_OK ? say_slices(s, m, test, err) : st;
}
