/* SPDX-License-Identifier: MIT
 *
 * report_checks.c: the tables of ml_model_check as plots, and what a model's section says
 * of its calibration and of the rows for which it does worst.
 */
#include "report/report_checks.h"

#include "report/html.h"
#include "report/svg.h"

#include <math.h>

/* The columns of a table as numbers, in fresh memory; NULL: it lacks one, or memory. */
static double *columns(const ml_table *t, const char *const *names, int n)
{
    int64_t rows = ml_table_rows(t), at[8];
    for (int k = 0; k < n; k++)
        if ((at[k] = ml_table_find(t, names[k])) < 0) return NULL;
    double *v = mli_alloc_vec(t->ctx, rows * n + 1, sizeof *v);
    for (int k = 0; v && k < n; k++)
        for (int64_t i = 0; i < rows; i++)
            v[k * rows + i] = ml_table_get_f64(t, i, at[k]);
    return v;
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
    const double diagonal[] = {0, 1};
    mli_plot p = {.x0 = 0, .x1 = 1, .y0 = 0, .y1 = 1, .width = 420, .height = 330};
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
    double *v = columns(t, curve, 5);
    int64_t n = ml_table_rows(t);
    if (v) {
        mli_str_add(s, "<div class=\"plots\">\n");
        learning_curve(s, v, n);
        mli_str_add(s, "</div>\n");
    } else if ((v = columns(t, bins, 5)) && n > 1) {
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

ml_status mli_report_model_checks(mli_str *s, const ml_model *m, const ml_table *test,
                                  ml_error *err)
{
    ml_table *t = NULL;
    int classes = m->inputs->task == MLI_TASK_CLASSIFICATION;
    ml_status st = ML_OK;
    if (!classes && m->inputs->task != MLI_TASK_REGRESSION) return ML_OK;
    if (classes) st = check(m, test, "calibration", &t, err);
    if (st == ML_OK && classes) {
        mli_str note;
        mli_str_init(&note, m->ctx);
        mli_str_short(
            &note, ml_table_get_f64(t, ml_table_rows(t) - 1, ml_table_find(t, "error")),
            3);
        if (!note.failed)
            mli_html_note(s,
                          "Calibration error: %s, the mean distance of predicted and "
                          "observed shares over ten bins of equal size.",
                          note.data);
        mli_str_free(&note);
    }
    ml_table_free(t);
    t = NULL;
    if (st == ML_OK) st = check(m, test, "slices", &t, err);
    if (st == ML_OK && ml_table_rows(t) > 0) {
        mli_html_heading(s, "Slices with the worst performance");
        mli_html_note(s,
                      "Mean %s of rows with a common value, against all others; "
                      "intervals and p-values allow for the number of slices.",
                      classes ? "log loss" : "absolute error");
        mli_html_table(s, t, 8);
    }
    ml_table_free(t);
    return st;
}
