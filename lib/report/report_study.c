/* SPDX-License-Identifier: MIT
 *
 * report_study.c: a study: its history, the importance of its parameters, parallel
 * coordinates, the score against each parameter and over two, and the best trials.
 */
#include "report/report.h"
#include "report/report_study.h"
#include "report/svg.h"
#include "tuning/study.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 20

typedef struct scored {
    int64_t row;
    double score;
} scored;

static int lower_first(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Padded range of the finite values. */
static int range_of(const double *v, int64_t n, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(v[i])) continue;
        *low = v[i] < *low ? v[i] : *low;
        *high = v[i] > *high ? v[i] : *high;
    }
    if (!(*high >= *low)) return 0;
    double pad = *high > *low ? 0.05 * (*high - *low) : 0.5 * fabs(*low) + 1e-9;
    *low -= pad;
    *high += pad;
    return 1;
}

/* What the scores are called. */
static const char *score_name(const ml_study *study)
{
    return study->metric ? strrchr(study->metric->head.name, '.') + 1 : "score";
}

/* May the trial be the best? Those that were given up and those that break a constraint
 * may not. */
static int counts(const ml_study *study, int64_t i)
{
    const mli_trial *t = &study->trials[i];
    return isfinite(t->score) && t->state == MLI_TRIAL_DONE &&
           mli_study_violation(study, t) <= 0;
}

static void history(mli_str *s, const ml_study *study, const double *score, int64_t n,
                    double *x, double *best)
{
    int maximize = study->maximize;
    double low, high, so_far = NAN;
    if (!range_of(score, n, &low, &high)) return;
    for (int64_t i = 0; i < n; i++) {
        x[i] = (double)i;
        if (counts(study, i) &&
            (isnan(so_far) || (maximize ? score[i] > so_far : score[i] < so_far)))
            so_far = score[i];
        best[i] = isnan(so_far) ? (maximize ? low : high) : so_far;
    }
    mli_plot p = {
        .x0 = 0, .x1 = n > 1 ? (double)(n - 1) : 1, .y0 = low, .y1 = high, .width = 500};
    mli_plot_begin(&p, s, "History: each trial, and the best so far", "trial",
                   score_name(study));
    mli_plot_line(&p, x, best, n, "lb");
    mli_plot_points(&p, x, score, n, 3, "pa");
    mli_plot_end(&p);
}

/* Scores against one parameter; levels of a set stand side by side, in its order. */
static void slice(mli_str *s, const ml_study *study, int64_t dim, const double *score,
                  int64_t n, double *x)
{
    const mli_dimension *d = &study->space.dimensions[dim];
    const mli_range *r = &d->range;
    mli_plot p = {.x0 = r->low, .x1 = r->high, .log_x = r->log, .height = 200};
    if (!range_of(score, n, &p.y0, &p.y1)) return;
    if (r->is_set) {
        p.x0 = 0;
        p.x1 = (double)r->count;
        p.x_set = r;
    }
    for (int64_t i = 0; i < n; i++) {
        const mli_value *v = mli_params_find(study->trials[i].params, d->param->name);
        double u = study->trials[i].unit[dim];
        x[i] = isnan(u) || !v ? NAN : r->is_set ? u * (double)r->count : v->f64;
        if (r->log && !(x[i] > 0)) x[i] = NAN;
        if (!isfinite(x[i])) continue;
        p.x0 = x[i] < p.x0 ? x[i] : p.x0;
        p.x1 = x[i] > p.x1 ? x[i] : p.x1;
    }
    mli_plot_begin(&p, s, d->param->name, r->log ? "log scale" : "", score_name(study));
    mli_plot_points(&p, x, score, n, 3, "pa");
    mli_plot_end(&p);
}

/* The first two objectives of each trial, those of the front on top. */
static void objectives(mli_str *s, const ml_study *study, double *x, double *y)
{
    mli_plot p = {.width = 500, .height = 330};
    if (study->n_objectives < 2) return;
    for (int front = -1; front < 2; front++) { /* the ranges, all trials, the front */
        for (int64_t i = 0; i < study->count; i++) {
            const mli_trial *t = &study->trials[i];
            int shown = isfinite(t->score) && (front < 1 || mli_study_on_front(study, i));
            x[i] = shown ? t->values[0] : NAN;
            y[i] = shown ? t->values[1] : NAN;
        }
        if (front < 0) {
            if (!range_of(x, study->count, &p.x0, &p.x1)) return;
            if (!range_of(y, study->count, &p.y0, &p.y1)) return;
            mli_plot_begin(&p, s, "Objectives: trials that no other beats in orange",
                           score_name(study), study->goals[1].name);
        } else {
            mli_plot_points(&p, x, y, study->count, 3, front ? "pb" : "pa");
        }
    }
    mli_plot_end(&p);
}

static ml_status best_trials(mli_str *s, const ml_study *study, const ml_table *results,
                             const double *score, ml_error *err)
{
    int64_t n = results->rows, kept = 0;
    scored *order = mli_alloc_vec(study->ctx, n, sizeof *order);
    int64_t *rows = mli_alloc_vec(study->ctx, n, sizeof *rows);
    ml_table *top = NULL;
    ml_status st = order && rows ? ML_OK : mli_nomem(err);
    int some = 0;
    for (int64_t i = 0; i < n; i++) some |= counts(study, i);
    for (int64_t i = 0; i < n && st == ML_OK; i++)
        if (some ? counts(study, i) : isfinite(score[i]))
            order[kept++] = (scored){i, study->maximize ? -score[i] : score[i]};
    if (st == ML_OK) {
        qsort(order, (size_t)kept, sizeof *order, lower_first);
        for (int64_t i = 0; i < kept; i++) rows[i] = order[i].row;
        st = ml_table_take(results, rows, kept < SHOWN ? kept : SHOWN, &top, err);
    }
    if (st == ML_OK) {
        mli_html_heading(s, "Best trials");
        if (study->whole)
            mli_html_note(
                s, "%sseconds: to fit and score.",
                study->best < 0 || isnan(study->trials[study->best].spread)
                    ? ""
                    : "spread: standard deviation of the score over the folds. ");
        mli_html_table(s, top, SHOWN);
    }
    ml_table_free(top);
    mli_free(study->ctx, order);
    mli_free(study->ctx, rows);
    return st;
}

ml_status ml_report_add_study(ml_report *report, const char *title, const ml_study *study,
                              ml_error *error)
{
    if (!report) return mli_null(error, "report");
    if (!title) return mli_null(error, "title");
    if (!study) return mli_null(error, "study");
    ml_table *results = NULL;
    ml_status st = ml_study_get_table(study, "trials", &results, error);
    if (st < 0) return st;
    mli_str *s = &report->body;
    int64_t n = results->rows;
    double *work = mli_alloc_vec(report->ctx, 3 * n + 1, sizeof *work);
    if (!work) {
        ml_table_free(results);
        return mli_nomem(error);
    }
    double *score = work, *x = work + n, *best = work + 2 * n;
    mli_column_f64(&results->columns[ml_table_find(results, "score")], 0, n, score, 1);
    mli_report_section(report, title);
    mli_html_note(s, "%lld trials of %s; %s, %s is better; seed %s", (long long)n,
                  study->metric ? study->algorithm->head.name
                                : "an objective of the host",
                  study->metric ? study->metric->head.title : "its score",
                  study->maximize ? "higher" : "lower",
                  mli_params_find(study->options, "seed")->text);
    mli_str_add(s, "<div class=\"plots\">\n");
    history(s, study, score, n, x, best);
    objectives(s, study, x, best);
    for (int64_t i = 0; i < study->space.n; i++) slice(s, study, i, score, n, x);
    st = mli_report_contour(s, study, error);
    mli_str_add(s, "</div>\n");
    if (st == ML_OK) mli_report_parallel(s, study);
    if (st == ML_OK) st = mli_report_importance(s, study, error);
    if (st == ML_OK) st = best_trials(s, study, results, score, error);
    mli_free(report->ctx, work);
    ml_table_free(results);
    return mli_report_end_section(report, st, error);
}
