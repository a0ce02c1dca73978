/* SPDX-License-Identifier: MIT
 *
 * report_predictions.c: ROC and precision-recall curves, confusion matrix;
 * for regression predictions against truth, and residuals.
 */
#include "report/report_predictions.h"

#include "report/svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CURVE         240 /* points of a curve */
#define RESIDUAL_BINS 40
#define SCATTER       1200 /* points of the scatter plot */
#define MATRIX_MAX    20   /* classes of a confusion matrix */
#define ROW_LETTERS   24   /* of the name of a row in it */
#define LONG_TAIL     20   /* times the mean: the largest value of a linear scale */

typedef struct ranked {
    double p, hit, weight;
} ranked;

static int falling(const void *a, const void *b)
{
    double x = ((const ranked *)a)->p, y = ((const ranked *)b)->p;
    return (x < y) - (x > y);
}

static double weight_of(const mli_design *d, int64_t i)
{
    return d->weight ? d->weight[i] : 1;
}

/* Curve points: after each distinct score the weights of true and false positives so far,
 * thinned to CURVE points. Returns how many. */
static int64_t sweep(const ranked *r, int64_t n, double *tp, double *fp)
{
    double t = 0, f = 0;
    int64_t points = 1, every = n / CURVE + 1, last = 0;
    tp[0] = fp[0] = 0;
    for (int64_t i = 0; i < n; i++) {
        t += r[i].weight * r[i].hit;
        f += r[i].weight * (1 - r[i].hit);
        int distinct = i == n - 1 || r[i + 1].p != r[i].p;
        if (!distinct || (i - last < every && i != n - 1)) continue;
        last = i;
        tp[points] = t;
        fp[points++] = f;
    }
    return points;
}

static void roc_plot(mli_str *s, const double *tp, const double *fp, int64_t n, double *x,
                     double *y)
{
    const double diagonal[] = {0, 1};
    for (int64_t i = 0; i < n; i++) {
        x[i] = fp[i] / fp[n - 1];
        y[i] = tp[i] / tp[n - 1];
    }
    mli_plot p = {.x0 = 0, .x1 = 1, .y0 = 0, .y1 = 1};
    mli_plot_begin(&p, s, "ROC curve", "false positive rate", "true positive rate");
    mli_plot_area(&p, x, y, n);
    mli_plot_line(&p, diagonal, diagonal, 2, "lc");
    mli_plot_line(&p, x, y, n, "la");
    mli_plot_end(&p);
}

static void pr_plot(mli_str *s, const double *tp, const double *fp, int64_t n, double *x,
                    double *y)
{
    double share = tp[n - 1] / (tp[n - 1] + fp[n - 1]);
    const double ends[] = {0, 1}, level[] = {share, share};
    for (int64_t i = 1; i < n; i++) {
        x[i] = tp[i] / tp[n - 1];
        y[i] = tp[i] + fp[i] > 0 ? tp[i] / (tp[i] + fp[i]) : 1;
    }
    x[0] = 0;
    y[0] = n > 1 ? y[1] : 1;
    mli_plot p = {.x0 = 0, .x1 = 1, .y0 = 0, .y1 = 1};
    mli_plot_begin(&p, s, "Precision and recall", "recall", "precision");
    mli_plot_area(&p, x, y, n);
    mli_plot_line(&p, ends, level, 2, "lc");
    mli_plot_line(&p, x, y, n, "la");
    mli_plot_end(&p);
}

/* The plots of one class (of two: class 1). */
static ml_status binary_plots(mli_str *s, const mli_design *d, const double *proba,
                              ml_error *err)
{
    ranked *r = mli_alloc_vec(d->ctx, d->rows, sizeof *r);
    double *work = mli_alloc_vec(d->ctx, 4 * (CURVE + 4) * 2, sizeof *work);
    if (!r || !work) {
        mli_free(d->ctx, r);
        mli_free(d->ctx, work);
        return mli_nomem(err);
    }
    double *tp = work, *fp = tp + 2 * (CURVE + 4), *x = fp + 2 * (CURVE + 4),
           *y = x + 2 * (CURVE + 4);
    for (int64_t i = 0; i < d->rows; i++)
        r[i] = (ranked){proba[2 * i + 1], d->label[i] == 1, weight_of(d, i)};
    qsort(r, (size_t)d->rows, sizeof *r, falling);
    int64_t n = sweep(r, d->rows, tp, fp);
    mli_str_add(s, "<div class=\"plots\">\n");
    if (tp[n - 1] > 0 && fp[n - 1] > 0) {
        roc_plot(s, tp, fp, n, x, y);
        pr_plot(s, tp, fp, n, x, y);
    }
    mli_str_add(s, "</div>\n");
    mli_free(d->ctx, r);
    mli_free(d->ctx, work);
    return ML_OK;
}

static void matrix_head(mli_str *s, const mli_inputs *in)
{
    mli_html_heading(s, "Confusion matrix: rows are true, columns predicted classes");
    mli_str_add(s, "<div class=\"wide\"><table><tr><th></th>");
    for (int64_t k = 0; k < in->classes.n; k++) {
        size_t size;
        const char *label = mli_inputs_label(in, k, &size);
        mli_str_add(s, "<th class=\"cell\">");
        mli_html_text_n(s, label, size);
        mli_str_add(s, "</th>");
    }
    mli_str_add(s, "</tr>\n");
}

/* Cells are shaded by the share of their row. class: what is predicted. */
static ml_status confusion(mli_str *s, const mli_design *d, const double *class,
                           ml_error *err)
{
    const mli_inputs *in = d->inputs;
    int64_t k = in->classes.n;
    if (k > MATRIX_MAX) {
        mli_html_note(s, "The confusion matrix of %lld classes is left out.",
                      (long long)k);
        return ML_OK;
    }
    double *counts = mli_calloc(d->ctx, (size_t)(k * k), sizeof *counts);
    if (!counts) return mli_nomem(err);
    for (int64_t i = 0; i < d->rows; i++)
        counts[d->label[i] * k + (int64_t) class[i]] += 1;
    matrix_head(s, in);
    for (int64_t a = 0; a < k; a++) {
        double total = 0;
        size_t size;
        const char *label = mli_inputs_label(in, a, &size);
        for (int64_t b = 0; b < k; b++) total += counts[a * k + b];
        /* As wide as its name, and a row of its own below when that is long. */
        mli_str_printf(s, "<tr><th class=\"row\" style=\"min-width:%dch\">",
                       4 + (int)(size < ROW_LETTERS ? size : ROW_LETTERS));
        mli_html_text_n(s, label, size);
        mli_str_add(s, "</th>");
        for (int64_t b = 0; b < k; b++) {
            double share = total > 0 ? counts[a * k + b] / total : 0;
            mli_str_printf(s,
                           "<td class=\"cell\" style=\"background:color-mix(in srgb,"
                           "var(--%c) %d%%,transparent)\">",
                           a == b ? 'a' : 'b', (int)(share * 60));
            mli_str_i64(s, (int64_t)counts[a * k + b]);
            mli_str_printf(s, " <span class=\"soft\">%d %%</span></td>",
                           (int)(share * 100 + 0.5));
        }
        mli_str_add(s, "</tr>\n");
    }
    mli_str_add(s, "</table></div>\n");
    mli_free(d->ctx, counts);
    return ML_OK;
}

static void scatter_plot(mli_str *s, const mli_design *d, const double *value, double *x,
                         double *y)
{
    double low = INFINITY, high = -INFINITY, sum = 0;
    int64_t every = d->rows / SCATTER + 1, n = 0;
    for (int64_t i = 0; i < d->rows; i += every, n++) {
        x[n] = value[i];
        y[n] = d->y[i];
        low = fmin(low, fmin(x[n], y[n]));
        high = fmax(high, fmax(x[n], y[n]));
        sum += y[n];
    }
    if (!(high > low)) return;
    int tail = low > 0 && high > LONG_TAIL * sum / (double)n;
    const double ends[] = {low, high};
    mli_plot p = {
        .x0 = low, .x1 = high, .y0 = low, .y1 = high, .width = 420, .height = 330};
    p.log_x = p.log_y = tail;
    mli_plot_begin(&p, s, "Truth against prediction",
                   tail ? "predicted (log scale)" : "predicted",
                   tail ? "true (log scale)" : "true");
    mli_plot_points(&p, x, y, n, 2, "pa");
    mli_plot_line(&p, ends, ends, 2, "lc");
    mli_plot_end(&p);
}

static void residual_plot(mli_str *s, const mli_design *d, const double *value)
{
    double spread = 0, counts[RESIDUAL_BINS] = {0}, most = 0;
    for (int64_t i = 0; i < d->rows; i++)
        spread += (d->y[i] - value[i]) * (d->y[i] - value[i]);
    spread = 3 * sqrt(spread / (double)d->rows);
    if (!(spread > 0)) return;
    for (int64_t i = 0; i < d->rows; i++) {
        int b = (int)((d->y[i] - value[i] + spread) / (2 * spread) * RESIDUAL_BINS);
        b = b < 0 ? 0 : b >= RESIDUAL_BINS ? RESIDUAL_BINS - 1 : b;
        counts[b] += 1;
        most = counts[b] > most ? counts[b] : most;
    }
    mli_plot p = {
        .x0 = -spread, .x1 = spread, .y0 = 0, .y1 = most, .width = 420, .height = 330};
    mli_plot_begin(&p, s, "Residuals: true minus predicted",
                   "residual (both ends hold all beyond)", "rows");
    mli_plot_bars(&p, counts, RESIDUAL_BINS);
    mli_plot_end(&p);
}

static ml_status regression_plots(mli_str *s, const mli_design *d, const double *value,
                                  ml_error *err)
{
    double *work = mli_alloc_vec(d->ctx, 4 * SCATTER, sizeof *work);
    if (!work) return mli_nomem(err);
    mli_str_add(s, "<div class=\"plots\">\n");
    scatter_plot(s, d, value, work, work + 2 * SCATTER);
    residual_plot(s, d, value);
    mli_str_add(s, "</div>\n");
    mli_free(d->ctx, work);
    return ML_OK;
}

/* Of a kind of predictions, in fresh memory. */
static ml_status predict(const ml_model *model, const char *kind, const mli_design *d,
                         double **out, ml_error *err)
{
    mli_plan *plan = NULL;
    ml_status st = mli_plan_new(model, kind, NULL, &plan, err);
    if (st == ML_OK &&
        !(*out = mli_alloc_vec(model->ctx, d->rows * plan->n_outputs, sizeof **out)))
        st = mli_nomem(err);
    if (st == ML_OK) st = mli_plan_run_design(plan, d, NULL, *out, err);
    mli_plan_free(plan);
    return st;
}

/* The classes are those of the model, which thresholds may have chosen. */
static ml_status class_plots(mli_str *s, const ml_model *model, const mli_design *d,
                             ml_error *err)
{
    double *proba = NULL, *class = NULL;
    ml_status st = predict(model, "proba", d, &proba, err);
    if (st == ML_OK && model->inputs->classes.n == 2) st = binary_plots(s, d, proba, err);
    mli_free(model->ctx, proba);
    if (st == ML_OK) st = predict(model, "class", d, &class, err);
    if (st == ML_OK) st = confusion(s, d, class, err);
    mli_free(model->ctx, class);
    return st;
}

ml_status mli_report_predictions(mli_str *s, const ml_model *model, const ml_table *test,
                                 ml_error *err)
{
    int classes = model->inputs->task == MLI_TASK_CLASSIFICATION;
    mli_design *d = NULL;
    double *value = NULL;
    if (!classes && model->inputs->task != MLI_TASK_REGRESSION) return ML_OK;
    if (model->inputs->n_targets) return ML_OK;
    ml_status st = mli_design_apply(model->inputs, test, 1, &d, err);
    if (st < 0) return st;
    if (classes) {
        st = class_plots(s, model, d, err);
    } else {
        st = predict(model, "value", d, &value, err);
        if (st == ML_OK) st = regression_plots(s, d, value, err);
        mli_free(model->ctx, value);
    }
    mli_design_free(d);
    return st;
}
