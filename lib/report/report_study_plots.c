/* SPDX-License-Identifier: MIT
 *
 * report_study_plots.c: plots over several parameters of a study: their importance,
 * parallel coordinates, and the score over the two that matter most.
 */
#include "report/report_study.h"

#include "report/svg.h"
#include "tuning/importance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_AXES  12
#define MOST_LINES 300
#define CELLS      24

static void number(mli_str *s, double v)
{
    mli_str_short(s, floor(v * 10 + 0.5) / 10, 6);
}

#define MOST_NAMES 8

static void axis_text(mli_str *s, double x, double y, const char *style, const char *text,
                      double room)
{
    mli_str_printf(s, "<text text-anchor=\"middle\"%s x=\"", style);
    number(s, x);
    mli_str_add(s, "\" y=\"");
    number(s, y);
    mli_str_add(s, "\">");
    mli_html_short(s, text, strlen(text), (size_t)(room / 6.5));
    mli_str_add(s, "</text>");
}

/* The value of a dimension at u, at the height of u; "N levels" for one of many. */
static void value_text(mli_str *s, const mli_dimension *d, double u, double x, double y,
                       double room)
{
    mli_str text;
    mli_str_init(&text, s->ctx);
    if (mli_dimension_is_set(d) && d->range.count > MOST_NAMES)
        mli_str_printf(&text, "%lld levels", (long long)d->range.count);
    else
        mli_dimension_text(d, u, &text);
    if (text.failed)
        s->failed = 1;
    else
        axis_text(s, x, y, "", text.data, room);
    mli_str_free(&text);
}

static void axis(mli_str *s, const ml_study *study, int64_t k, double x, double step,
                 double top, double bottom)
{
    const mli_dimension *d = &study->space.dimensions[k];
    double room = x - step / 2 < 0 ? 2 * x : step - 4;
    mli_str_add(s, "<line class=\"axis\" x1=\"");
    number(s, x);
    mli_str_add(s, "\" x2=\"");
    number(s, x);
    mli_str_printf(s, "\" y1=\"%d\" y2=\"%d\"/>", (int)top, (int)bottom);
    axis_text(s, x, bottom + 28, " class=\"name\"", d->param->name, room);
    if (!mli_dimension_is_set(d) || d->range.count > MOST_NAMES) {
        value_text(s, d, 1, x, top - 5, room);
        if (!mli_dimension_is_set(d)) value_text(s, d, 0, x, bottom + 13, room);
        return;
    }
    for (int64_t i = 0; i < d->range.count; i++) { /* each level where lines cross it */
        double u = ((double)i + 0.5) / (double)d->range.count;
        value_text(s, d, u, x, bottom - (bottom - top) * u - 5, room);
    }
}

/* The share of the scores that are worse than that of a trial. */
static double rank_of(const ml_study *study, int64_t trial)
{
    int64_t worse = 0, n = 0;
    for (int64_t i = 0; i < study->count; i++) {
        double v = study->trials[i].score, own = study->trials[trial].score;
        if (!isfinite(v)) continue;
        n++;
        worse += study->maximize ? v < own : v > own;
    }
    return n > 1 ? (double)worse / (double)(n - 1) : 1;
}

static void trial_line(mli_str *s, const ml_study *study, int64_t trial, int64_t axes,
                       double left, double step, double top, double height)
{
    double rank = rank_of(study, trial);
    mli_str_printf(s, "<path class=\"%s\" d=\"", rank >= 0.9 ? "pl best" : "pl");
    int pen = 0;
    for (int64_t k = 0; k < axes; k++) {
        double u = study->trials[trial].unit[k];
        if (isnan(u)) { /* not active: the line has a gap */
            pen = 0;
            continue;
        }
        mli_str_char(s, pen ? 'L' : 'M');
        number(s, left + step * (double)k);
        mli_str_char(s, ' ');
        number(s, top + height * (1 - u));
        pen = 1;
    }
    mli_str_char(s, pen ? 'L' : 'M');
    number(s, left + step * (double)axes);
    mli_str_char(s, ' ');
    number(s, top + height * (1 - rank));
    mli_str_add(s, "\"/>");
}

void mli_report_parallel(mli_str *s, const ml_study *study)
{
    int64_t axes = study->space.n < MOST_AXES ? study->space.n : MOST_AXES, drawn = 0;
    double left = 70, top = 20, height = 220,
           step = 880.0 / (double)(axes > 0 ? axes : 1);
    if (axes < 2 || study->best < 0) return;
    mli_str_add(s,
                "<div class=\"wide\"><figure><figcaption>Parallel coordinates: each line "
                "a trial, the best tenth in colour</figcaption><svg width=\"1000\" "
                "height=\"280\" viewBox=\"0 0 1000 280\" role=\"img\">");
    for (int best = 0; best < 2; best++) /* the best ones above the others */
        for (int64_t i = study->count - 1; i >= 0 && drawn < MOST_LINES; i--) {
            if (!isfinite(study->trials[i].score)) continue;
            if ((rank_of(study, i) >= 0.9) != best) continue;
            trial_line(s, study, i, axes, left, step, top, height);
            drawn++;
        }
    for (int64_t k = 0; k < axes; k++)
        axis(s, study, k, left + step * (double)k, step, top, top + height);
    mli_str_printf(s,
                   "<line class=\"axis\" x1=\"950\" x2=\"950\" y1=\"%d\" y2=\"%d\"/>"
                   "<text text-anchor=\"middle\" x=\"950\" y=\"%d\">best</text>"
                   "<text text-anchor=\"middle\" x=\"950\" y=\"%d\">worst</text>"
                   "<text text-anchor=\"middle\" class=\"name\" x=\"950\" y=\"%d\">rank "
                   "of score</text></svg></figure></div>\n",
                   (int)top, (int)(top + height), (int)top - 5, (int)(top + height) + 13,
                   (int)(top + height) + 28);
}

ml_status mli_report_importance(mli_str *s, const ml_study *study, ml_error *err)
{
    int64_t n = study->space.n;
    double *share = mli_alloc_vec(study->ctx, n + 1, sizeof *share), most = 0;
    if (!share) return mli_nomem(err);
    ml_status st = mli_study_importance(study, share, err);
    for (int64_t k = 0; k < n && st == ML_OK; k++)
        most = share[k] > most ? share[k] : most;
    if (st == ML_OK && most > 0) {
        mli_html_heading(s, "Importance of the parameters: share of the variance of the "
                            "score");
        mli_str_add(s, "<table class=\"bars\">");
        for (int64_t done = 0; done < n; done++) { /* the largest first */
            int64_t k = 0;
            for (int64_t i = 1; i < n; i++)
                if (share[i] > share[k]) k = i;
            mli_html_bar(s, study->space.dimensions[k].param->name, share[k] / most,
                         share[k]);
            share[k] = -1;
        }
        mli_str_add(s, "</table>\n");
    }
    mli_free(study->ctx, share);
    return st;
}

/* A dimension's coordinates as the axis of a plot. */
static void plot_range(const mli_dimension *d, double *low, double *high, int *log)
{
    *log = d->range.log && !d->range.is_set;
    *low = d->range.is_set ? 0 : d->range.low;
    *high = d->range.is_set ? (double)d->range.count : d->range.high;
}

static double at_axis(const mli_dimension *d, double u)
{
    double low, high;
    int log_axis;
    plot_range(d, &low, &high, &log_axis);
    return log_axis ? exp(log(low) + u * (log(high) - log(low))) : low + u * (high - low);
}

static void cells(mli_str *s, const mli_plot *p, const ml_study *study,
                  const mli_anova *f, int64_t a, int64_t b)
{
    double value[CELLS][CELLS], low = INFINITY, high = -INFINITY;
    for (int i = 0; i < CELLS; i++)
        for (int j = 0; j < CELLS; j++) {
            double v = mli_anova_marginal(f, a, (i + 0.5) / CELLS, b, (j + 0.5) / CELLS);
            value[i][j] = study->maximize ? v : -v;
            low = fmin(low, value[i][j]);
            high = fmax(high, value[i][j]);
        }
    for (int i = 0; i < CELLS; i++)
        for (int j = 0; j < CELLS; j++) {
            double good = high > low ? (value[i][j] - low) / (high - low) : 0;
            mli_str_add(s, "<rect class=\"cl\" x=\"");
            number(s, p->left + p->w * i / CELLS);
            mli_str_add(s, "\" y=\"");
            number(s, p->top + p->h * (CELLS - 1 - j) / CELLS);
            mli_str_add(s, "\" width=\"");
            number(s, p->w / CELLS);
            mli_str_add(s, "\" height=\"");
            number(s, p->h / CELLS);
            mli_str_add(s, "\" fill-opacity=\"");
            mli_str_short(s, 0.04 + 0.8 * good * good, 3);
            mli_str_add(s, "\"/>");
        }
}

ml_status mli_report_contour(mli_str *s, const ml_study *study, ml_error *err)
{
    int64_t n = study->space.n, a = -1, b = -1;
    double *work = mli_alloc_vec(study->ctx, n + 2 * study->count + 1, sizeof *work);
    mli_anova *f = NULL;
    if (!work) return mli_nomem(err);
    double *share = work, *x = work + n, *y = x + study->count;
    ml_status st = mli_study_importance(study, share, err);
    for (int64_t k = 0; k < n && st == ML_OK; k++) {
        if (!(share[k] > 0)) continue;
        if (a < 0 || share[k] > share[a]) {
            b = a;
            a = k;
        } else if (b < 0 || share[k] > share[b]) {
            b = k;
        }
    }
    if (st == ML_OK && b >= 0) st = mli_anova_fit(study, &f, err);
    if (f) {
        const mli_dimension *da = &study->space.dimensions[a];
        const mli_dimension *db = &study->space.dimensions[b];
        mli_plot p = {.width = 500, .height = 380, .under = 1};
        plot_range(da, &p.x0, &p.x1, &p.log_x);
        plot_range(db, &p.y0, &p.y1, &p.log_y);
        if (da->range.is_set) p.x_set = &da->range;
        if (db->range.is_set) p.y_set = &db->range;
        mli_plot_begin(&p, s,
                       "Predicted score over the two that matter most: stronger "
                       "colour is better",
                       da->param->name, db->param->name);
        cells(s, &p, study, f, a, b);
        for (int64_t i = 0; i < study->count; i++) {
            const mli_trial *t = &study->trials[i];
            x[i] = isfinite(t->score) ? at_axis(da, t->unit[a]) : NAN;
            y[i] = isfinite(t->score) ? at_axis(db, t->unit[b]) : NAN;
        }
        mli_plot_points(&p, x, y, study->count, 2, "pb");
        mli_plot_end(&p);
    }
    mli_anova_free(f);
    mli_free(study->ctx, work);
    return st;
}
