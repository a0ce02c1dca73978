/* SPDX-License-Identifier: MIT
 *
 * check_curve.c: scores by the number of training rows. A row of the table per number:
 * the mean and deviation over the folds of the score on the rows that were fitted to, and
 * on the fold left out. Rows of training are drawn by chance, the smaller sets parts of
 * the larger ones.
 */
#include "core/rng.h"
#include "tuning/check.h"
#include "tuning/split.h"

#include <math.h>
#include <string.h>

typedef struct {
    const mli_check *x;
    const mli_metric *metric;
    ml_estimator *e;
    int64_t points, folds;
    double *train, *test; /* [points * folds]; NaN: not defined */
    double *rows, *mean;  /* [points], [4 * points] */
} curve;

static ml_status one_point(curve *c, const mli_folds *f, int64_t k, const int64_t *order,
                           int64_t i, ml_error *err)
{
    double share = 0.1 + 0.9 * (double)i / (double)(c->points - 1);
    int64_t n = (int64_t)(share * (double)f->n_train[k] + 0.5), at = i * c->folds + k;
    const ml_table *t = c->x->table;
    ml_model *m = NULL;
    if (n < 2) n = f->n_train[k] < 2 ? f->n_train[k] : 2;
    c->rows[i] += (double)n / (double)f->n_folds;
    ml_status st = mli_check_fit(c->e, t, order, n, &m, err);
    if (st == ML_OK) st = mli_check_score(c->metric, m, t, order, n, &c->train[at], err);
    if (st == ML_OK)
        st =
            mli_check_score(c->metric, m, t, f->test[k], f->n_test[k], &c->test[at], err);
    ml_model_free(m);
    /* Few rows may lack what an algorithm or the metric needs, such as a class. */
    if ((st != ML_E_DATA && st != ML_E_NUMERIC) || share == 1) return st;
    c->train[at] = c->test[at] = NAN;
    return ML_OK;
}

static ml_status one_fold(curve *c, const mli_folds *f, int64_t k, ml_error *err)
{
    mli_rng rng;
    ml_status st = ML_OK;
    int64_t *order = mli_alloc_vec(c->x->ctx, f->n_train[k], sizeof *order);
    if (!order) return mli_nomem(err);
    memcpy(order, f->train[k], (size_t)f->n_train[k] * sizeof *order);
    mli_rng_init(&rng, (uint64_t)mli_get_i64(c->x->params, "seed"),
                 0x63757276 /* "curv" */, (uint64_t)k);
    /* In the order of time the last rows count. */
    if (c->x->model->inputs->time)
        for (int64_t i = 0; i < f->n_train[k]; i++)
            order[i] = f->train[k][f->n_train[k] - 1 - i];
    else
        mli_rng_shuffle(&rng, order, f->n_train[k]);
    for (int64_t i = 0; i < c->points && st == ML_OK; i++)
        st = one_point(c, f, k, order, i, err);
    mli_free(c->x->ctx, order);
    return st;
}

/* Of the folds where it is defined. */
static void summarize(const double *v, int64_t n, double *mean, double *deviation)
{
    double sum = 0, squares = 0, count = 0;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(v[i])) {
            sum += v[i];
            count++;
        }
    *mean = count > 0 ? sum / count : NAN;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(v[i])) squares += (v[i] - *mean) * (v[i] - *mean);
    *deviation = count > 1 ? sqrt(squares / (count - 1)) : NAN;
}

static ml_status curve_table(curve *c, ml_table **out, ml_error *err)
{
    static const char *const names[] = {"train", "train_deviation", "test",
                                        "test_deviation"};
    mli_builder *b = NULL;
    int64_t n = c->points;
    for (int64_t i = 0; i < n; i++) {
        c->rows[i] = floor(c->rows[i] + 0.5);
        summarize(c->train + i * c->folds, c->folds, &c->mean[i], &c->mean[n + i]);
        summarize(c->test + i * c->folds, c->folds, &c->mean[2 * n + i],
                  &c->mean[3 * n + i]);
    }
    ml_status st = mli_builder_new(c->x->ctx, n, &b, err);
    if (st != ML_OK) return st;
    st = mli_builder_f64(b, "rows", c->rows, err);
    for (int k = 0; k < 4 && st == ML_OK; k++)
        st = mli_builder_f64(b, names[k], c->mean + k * n, err);
    if (st == ML_OK) return mli_builder_finish(b, out, err);
    mli_builder_free(b);
    return st;
}

ml_status mli_check_curve(const mli_check *x, ml_table **out, ml_error *err)
{
    mli_folds *f = NULL;
    curve c = {.x = x, .points = mli_get_i64(x->params, "points")};
    ml_status st = mli_check_metric(x, x->model, &c.metric, err);
    if (st == ML_OK)
        st = mli_check_split(x, x->model, (uint64_t)mli_get_i64(x->params, "seed"), &f,
                             err);
    if (st != ML_OK) return st;
    c.folds = f->n_folds;
    c.rows = mli_calloc(x->ctx, (size_t)(c.points * (5 + 2 * c.folds)), sizeof *c.rows);
    if (c.rows) {
        c.mean = c.rows + c.points;
        c.train = c.rows + 5 * c.points;
        c.test = c.train + c.points * c.folds;
        st = mli_check_estimator(x->model, &c.e, err);
    } else {
        st = mli_nomem(err);
    }
    for (int64_t k = 0; k < f->n_folds && st == ML_OK; k++) st = one_fold(&c, f, k, err);
    if (st == ML_OK) st = curve_table(&c, out, err);
    ml_estimator_free(c.e);
    mli_free(x->ctx, c.rows);
    mli_folds_free(f);
    return st;
}
