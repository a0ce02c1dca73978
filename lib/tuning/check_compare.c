/* SPDX-License-Identifier: MIT
 *
 * check_compare.c: two models on the same rows, a row of the table per test: DeLong for
 * the area under the ROC curve (two classes), McNemar for accuracy, the paired t-test for
 * the log loss of classifiers, and for squared and absolute errors of values. The first
 * minus the second, its 95 % interval, and how likely a difference at least as large is
 * when there is none. (Tests: tuning/statistics.c.)
 */
#include "tuning/check.h"
#include "tuning/metrics.h"
#include "tuning/statistics.h"

#include <math.h>
#include <string.h>

#define MOST 4

typedef struct {
    const mli_check *x;
    mli_design *d[2]; /* the rows as each model sees them: columns of its own */
    int64_t rows;
    double *p[2];   /* what the models predict */
    double *loss;   /* [2 * rows] */
    uint8_t *right; /* [2 * rows] */
    int64_t n;
    const char *test[MOST], *metric[MOST];
    mli_compared found[MOST];
} comparison;

static mli_compared *next(comparison *c, const char *test, const char *metric)
{
    c->test[c->n] = test;
    c->metric[c->n] = metric;
    return &c->found[c->n++];
}

/* Thresholds of a model count. */
static ml_status find_right(comparison *c, int which, ml_error *err)
{
    const ml_model *m = which ? c->x->other : c->x->model;
    const mli_design *d = c->d[which];
    mli_plan *plan = NULL;
    ml_status st = mli_plan_new(m, "class", NULL, &plan, err);
    if (st == ML_OK) st = mli_plan_run_design(plan, d, NULL, c->loss, err);
    for (int64_t i = 0; i < c->rows && st == ML_OK; i++)
        c->right[which * c->rows + i] = c->loss[i] == (double)d->label[i];
    mli_plan_free(plan);
    return st;
}

static ml_status compare_areas(comparison *c, ml_error *err)
{
    int64_t rows = c->rows, positives = 0;
    const int32_t *label = c->d[0]->label;
    for (int64_t i = 0; i < rows; i++) positives += label[i];
    if (c->d[0]->inputs->classes.n != 2 || positives < 2 || rows - positives < 2)
        return ML_OK;
    for (int which = 0; which < 2; which++)
        for (int64_t i = 0; i < rows; i++)
            c->loss[which * rows + i] = c->p[which][2 * i + 1];
    for (int64_t i = 0; i < rows; i++) c->right[i] = (uint8_t)label[i];
    return mli_delong(c->x->ctx, c->loss, c->loss + rows, c->right, rows,
                      next(c, "DeLong", "roc_auc"), err);
}

static ml_status compare_classes(comparison *c, ml_error *err)
{
    int64_t rows = c->rows, k = c->d[0]->inputs->classes.n;
    ml_status st = compare_areas(c, err);
    if (st == ML_OK) st = find_right(c, 0, err);
    if (st == ML_OK) st = find_right(c, 1, err);
    if (st != ML_OK) return st;
    mli_mcnemar(c->right, c->right + rows, rows, next(c, "McNemar", "accuracy"));
    for (int which = 0; which < 2; which++)
        for (int64_t i = 0; i < rows; i++)
            c->loss[which * rows + i] =
                -log(fmax(c->p[which][i * k + c->d[0]->label[i]], 1e-15));
    mli_paired_t(c->loss, c->loss + rows, rows, next(c, "paired t", "log_loss"));
    return ML_OK;
}

static void compare_values(comparison *c)
{
    int64_t rows = c->rows;
    for (int power = 2; power >= 1; power--) {
        for (int which = 0; which < 2; which++)
            for (int64_t i = 0; i < rows; i++) {
                double e = c->p[which][i] - c->d[0]->y[i];
                c->loss[which * rows + i] = power == 2 ? e * e : fabs(e);
            }
        mli_paired_t(c->loss, c->loss + rows, rows,
                     next(c, "paired t", power == 2 ? "mse" : "mae"));
    }
}

static ml_status comparison_table(const comparison *c, ml_table **out, ml_error *err)
{
    static const char *const names[] = {"first", "second",    "difference", "low",
                                        "high",  "statistic", "p_value"};
    double values[7][MOST];
    mli_builder *b = NULL;
    for (int64_t i = 0; i < c->n; i++) {
        const mli_compared *f = &c->found[i];
        const double row[7] = {f->first, f->second,    f->difference, f->low,
                               f->high,  f->statistic, f->p};
        for (int k = 0; k < 7; k++) values[k][i] = row[k];
    }
    ml_status st = mli_builder_new(c->x->ctx, c->n, &b, err);
    if (st != ML_OK) return st;
    st = mli_builder_text(b, "test", c->test, err);
    if (st == ML_OK) st = mli_builder_text(b, "metric", c->metric, err);
    for (int k = 0; k < 7 && st == ML_OK; k++)
        st = mli_builder_f64(b, names[k], values[k], err);
    if (st == ML_OK) return mli_builder_finish(b, out, err);
    mli_builder_free(b);
    return st;
}

static int same_classes(const mli_inputs *x, const mli_inputs *y)
{
    if (x->task != y->task || x->classes.n != y->classes.n) return 0;
    for (int64_t k = 0; k < x->classes.n; k++) {
        size_t n, m;
        const char *a = mli_inputs_label(x, k, &n), *b = mli_inputs_label(y, k, &m);
        if (n != m || memcmp(a, b, n) != 0) return 0;
    }
    return 1;
}

/* The tests count each row once, so they need the same rows, all alike. */
static ml_status check_rows(comparison *c, ml_error *err)
{
    c->rows = c->d[0]->rows;
    if (c->rows != c->d[1]->rows) {
        mli_fail(err, ML_E_DATA,
                 "the models use other rows: the first %lld, the second %lld",
                 (long long)c->rows, (long long)c->d[1]->rows);
        return mli_error_hint(err, ML_E_DATA,
                              "leave out the rows that one of them cannot use");
    }
    if (c->rows < 2)
        return mli_fail(err, ML_E_DATA, "there are not two rows with the target of both");
    if (!c->d[0]->weight && !c->d[1]->weight) return ML_OK;
    mli_fail(err, ML_E_UNSUPPORTED, "rows with weights cannot be compared");
    return mli_error_hint(
        err, ML_E_UNSUPPORTED,
        "drop the weight column from the table: all rows count the same");
}

static ml_status check_finite(const comparison *c, int which, ml_error *err)
{
    int64_t k = c->d[which]->label ? c->d[which]->inputs->classes.n : 1;
    for (int64_t i = 0; i < c->rows * k; i++)
        if (!isfinite(c->p[which][i])) {
            mli_fail(err, ML_E_DATA, "the %s model does not predict a finite number",
                     which ? "second" : "first");
            return mli_error_at(err, ML_E_DATA, "row %lld", (long long)(i / k + 1));
        }
    return ML_OK;
}

/* Each model sees the rows through inputs of its own. */
static ml_status predict(comparison *c, ml_error *err)
{
    const ml_model *m[2] = {c->x->model, c->x->other};
    ml_status st = ML_OK;
    for (int k = 0; k < 2 && st == ML_OK; k++)
        st = mli_design_apply(m[k]->inputs, c->x->table, 1, &c->d[k], err);
    if (st == ML_OK) st = check_rows(c, err);
    for (int k = 0; k < 2 && st == ML_OK; k++) {
        st = mli_check_predict(m[k], c->d[k], &c->p[k], err);
        if (st == ML_OK) st = check_finite(c, k, err);
    }
    return st;
}

/* Keeps the test of the metric that was asked for. */
static ml_status choose_test(comparison *c, ml_error *err)
{
    const char *name = mli_get_str(c->x->params, "metric");
    const mli_metric *m = NULL;
    if (!*name) return ML_OK;
    ml_status st = mli_metric_find(name, &m, err);
    for (int64_t i = 0; i < c->n && st == ML_OK; i++) {
        if (strcmp(m->head.name + sizeof "metric." - 1, c->metric[i]) != 0) continue;
        c->test[0] = c->test[i];
        c->metric[0] = c->metric[i];
        c->found[0] = c->found[i];
        c->n = 1;
        return ML_OK;
    }
    if (st == ML_OK) {
        st = mli_fail(err, ML_E_UNSUPPORTED, "there is no test of %s here", name);
        mli_error_hint(err, st, "%s",
                       c->d[0]->label
                           ? "roc_auc (two classes), accuracy and log_loss have one"
                           : "mse and mae have one");
    }
    return mli_error_at(err, st, "params.metric");
}

ml_status mli_check_compare(const mli_check *x, ml_table **out, ml_error *err)
{
    comparison c = {.x = x};
    const mli_inputs *in = x->model->inputs;
    int classes = in->task == MLI_TASK_CLASSIFICATION;
    if (!classes && in->task != MLI_TASK_REGRESSION)
        return mli_fail(err, ML_E_UNSUPPORTED,
                        "comparisons are for models of classes or values");
    if (!same_classes(in, x->other->inputs) || !in->target || !x->other->inputs->target ||
        strcmp(in->target, x->other->inputs->target) != 0)
        return mli_fail(err, ML_E_UNSUPPORTED,
                        "the models do not predict the same target");
    ml_status st = predict(&c, err);
    if (st == ML_OK) {
        c.loss = mli_alloc_vec(x->ctx, 2 * c.rows, sizeof *c.loss);
        c.right = mli_alloc_vec(x->ctx, 2 * c.rows, sizeof *c.right);
        if (!c.loss || !c.right) st = mli_nomem(err);
    }
    if (st == ML_OK && classes)
        st = compare_classes(&c, err);
    else if (st == ML_OK)
        compare_values(&c);
    if (st == ML_OK) st = choose_test(&c, err);
    if (st == ML_OK) st = comparison_table(&c, out, err);
    for (int k = 0; k < 2; k++) {
        mli_free(x->ctx, c.p[k]);
        mli_design_free(c.d[k]);
    }
    mli_free(x->ctx, c.loss);
    mli_free(x->ctx, c.right);
    return st;
}
