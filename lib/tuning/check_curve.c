/* SPDX-License-Identifier: MIT
 *
 * check_curve.c: scores by the number of training rows. A row of the table per number:
 * the mean and deviation over the folds of the score on the rows that were fitted to, and
 * on the fold left out. Rows of training are drawn by chance, the smaller sets parts of
 * the larger ones.
 */
#include "core/parallel.h"
#include "core/rng.h"
#include "tuning/check.h"
#include "tuning/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const mli_check *x;
    const mli_metric *metric;
    ml_estimator *e;
    const mli_folds *of;
    int64_t points, folds;
    double *train, *test; /* [points * folds]; NaN: not defined */
    double *rows, *mean;  /* [points], [4 * points] */
} curve;

/* Rows of training at a point of fold k. */
static int64_t rows_at(const curve *c, int64_t k, int64_t i)
{
    double share = 0.1 + 0.9 * (double)i / (double)(c->points - 1);
    int64_t all = c->of->n_train[k], n = (int64_t)(share * (double)all + 0.5);
    return n >= 2 ? n : all < 2 ? all : 2;
}

static ml_status one_point(const curve *c, int64_t k, const int64_t *order, int64_t i,
                           ml_error *err)
{
    int64_t n = rows_at(c, k, i), at = i * c->folds + k;
    const mli_folds *f = c->of;
    const ml_table *t = c->x->table;
    ml_model *m = NULL;
    ml_status st = mli_check_fit(c->e, t, order, n, &m, err);
    if (st == ML_OK) st = mli_check_score(c->metric, m, t, order, n, &c->train[at], err);
    if (st == ML_OK)
        st =
            mli_check_score(c->metric, m, t, f->test[k], f->n_test[k], &c->test[at], err);
    ml_model_free(m);
    /* Few rows may lack what an algorithm or the metric needs, such as a class. */
    if ((st != ML_E_DATA && st != ML_E_NUMERIC) || i == c->points - 1) return st;
    c->train[at] = c->test[at] = NAN;
    return ML_OK;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* A fold at a point, the points with most rows first: they take longest. */
static ml_status point_task(void *arg, int64_t task, int32_t slot, ml_error *err)
{
    const curve *c = arg;
    const mli_folds *f = c->of;
    int64_t k = task % c->folds, i = c->points - 1 - task / c->folds;
    mli_rng rng;
    (void)slot;
    int64_t *order = mli_alloc_vec(c->x->ctx, f->n_train[k], sizeof *order);
    if (!order) return mli_nomem(err);
    memcpy(order, f->train[k], (size_t)f->n_train[k] * sizeof *order);
    mli_rng_init(&rng, (uint64_t)mli_get_i64(c->x->params, "seed"),
                 0x63757276 /* "curv" */, (uint64_t)k);
    /* In the order of time the last rows count. */
    if (c->x->model->inputs->time)
        for (int64_t r = 0; r < f->n_train[k]; r++)
            order[r] = f->train[k][f->n_train[k] - 1 - r];
    else
        mli_rng_shuffle(&rng, order, f->n_train[k]);
    /* The rows of a group stay together. */
    if (c->x->model->inputs->task == MLI_TASK_RANKING)
        qsort(order, (size_t)rows_at(c, k, i), sizeof *order, by_number);
    ml_status st = one_point(c, k, order, i, err);
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
        for (int64_t k = 0; k < c->folds; k++)
            c->rows[i] += (double)rows_at(c, k, i) / (double)c->folds;
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
    c.of = f;
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
    if (st == ML_OK)
        st = mli_parallel_try(x->ctx, mli_check_beside(x), c.points * c.folds, point_task,
                              &c, err);
    if (st == ML_OK) st = curve_table(&c, out, err);
    ml_estimator_free(c.e);
    mli_free(x->ctx, c.rows);
    mli_folds_free(f);
    return st;
}
