/* SPDX-License-Identifier: MIT
 *
 * prepare/knn_imputer.c: fills a missing number with the mean of that column in the
 * nearest rows of training that have it. The distance of two rows is Euclidean over the
 * columns that both have, scaled up to all columns. Troyanskaya et al., "Missing value
 * estimation methods for DNA microarrays", Bioinformatics 17 (2001).
 *
 * Tensors: missing, mean (fill.h); rows f64 [picked, donors], column by column, the rows
 * that neighbours are sought in. Cost of a row with a missing number: donors * picked.
 * Of equally near rows those earlier in training count. Donors are looked at in blocks
 * that stay in the cache, with a heap of the nearest for each missing column.
 */
#include "algorithms/prepare/fill.h"
#include "algorithms/prepare/near.h"
#include "core/rng.h"

#include <math.h>
#include <string.h>

#define NEIGHBORS   size[1]
#define DONORS      size[2]
#define ROWS        f64[2]
#define BY_NEARNESS option[1]

/* ---- fitting ---- */

/* Which rows are donors: all, or so many by chance, in order. */
static ml_status choose_rows(mli_fit *job, int64_t **rows, int64_t *n, ml_error *err)
{
    int64_t all = job->train->rows, most = mli_get_i64(job->params, "max_donors");
    int64_t *r = mli_alloc_vec(job->ctx, all, sizeof *r), left = all;
    mli_rng rng;
    if (!r) return mli_nomem(err);
    *n = most > 0 && most < all ? most : all;
    mli_rng_init(&rng, (uint64_t)mli_get_i64(job->params, "seed"), 0x6b4e, 0);
    for (int64_t i = 0, k = 0; k < *n; i++, left--) {
        int64_t want = *n - k;
        if (want == left || mli_rng_below(&rng, left) < want) r[k++] = i;
    }
    *rows = r;
    return ML_OK;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    mli_filling f;
    int64_t *rows = NULL, n = 0;
    double *to, *x = NULL;
    ml_status status = mli_fill_start(job, &f, err);
    if (status) return status;
    status = choose_rows(job, &rows, &n, err);
    int64_t shape[2] = {f.n, n};
    if (!status)
        status = mli_model_add(job->model, "rows", ML_DTYPE_F64, 2, shape, &to, err);
    if (!status && !(x = mli_alloc_vec(job->ctx, job->train->rows, sizeof *x)))
        status = mli_nomem(err);
    for (int64_t k = 0; k < f.n && !status; k++) {
        mli_design_f64(job->train, f.list[k], 0, job->train->rows, x, 1);
        for (int64_t i = 0; i < n; i++) to[k * n + i] = x[rows[i]];
    }
    mli_free(job->ctx, x);
    mli_free(job->ctx, rows);
    mli_fill_end(job, &f);
    return status;
}

/* ---- filling ---- */

/* Weights are 1, or 1 / distance; neighbours at no distance count alone. */
static double average(const mli_neighbor *heap, int64_t k, const double *values,
                      int by_nearness, double scale, double mean)
{
    double sum = 0, weight = 0, same = 0, count = 0;
    for (int64_t i = 0; i < k; i++) {
        if (isinf(heap[i].distance)) continue; /* a place that no row took */
        double w = by_nearness ? 1 / sqrt(heap[i].distance * scale) : 1;
        if (isinf(w)) {
            same += values[heap[i].row];
            count += 1;
            continue;
        }
        sum += w * values[heap[i].row];
        weight += w;
    }
    if (count > 0) return same / count;
    return weight > 0 ? sum / weight : mean;
}

/* The memory of a row: what it has, and a heap for each column that it lacks. */
static void fill(const mli_prepared *t, const double *row, double *out, void *scratch)
{
    int64_t k = t->NEIGHBORS, m = t->MLI_FILL_COUNT, has = 0, donors = t->DONORS;
    const int64_t *list = t->MLI_FILL_LIST;
    mli_known *there = scratch;
    mli_neighbor *heaps = (mli_neighbor *)(void *)(there + m);
    double square[MLI_NEAR_BLOCK];
    for (int64_t f = 0; f < m; f++)
        if (!isnan(row[list[f]]))
            there[has++] = (mli_known){row[list[f]], t->ROWS + f * donors};
    mli_near_clear(heaps, (m - has) * k);
    for (int64_t begin = 0; begin < donors; begin += MLI_NEAR_BLOCK) {
        int64_t n = donors - begin, at = 0;
        if (n > MLI_NEAR_BLOCK) n = MLI_NEAR_BLOCK;
        mli_near_measure(t->plan.ctx, there, has, begin, begin + n, square);
        for (int64_t f = 0; f < m; f++)
            if (isnan(row[list[f]]))
                mli_near_keep(square, t->ROWS + f * donors, begin, n, heaps + k * at++,
                              k);
    }
    for (int64_t f = 0, at = 0; f < m; f++)
        if (isnan(row[list[f]]))
            out[t->first[list[f]]] =
                average(heaps + k * at++, k, t->ROWS + f * donors, t->BY_NEARNESS,
                        (double)m, t->MLI_FILL_MEAN[list[f]]);
}

static void run_rows(const mli_prepared *t, const double *rows, int64_t n, int64_t stride,
                     double *out, void *scratch)
{
    for (int64_t i = 0; i < n; i++, rows += stride, out += t->plan.n_outputs)
        if (mli_fill_row(t, rows, out)) fill(t, rows, out, scratch);
}

/* ---- the plan ---- */

static ml_status load(mli_prepared *t, ml_error *err)
{
    ml_status status = mli_fill_load(t, err);
    if (status) return status;
    int64_t shape[2] = {t->MLI_FILL_COUNT, -1};
    status = mli_model_want(t->model, "rows", ML_DTYPE_F64, 2, shape, &t->ROWS, err);
    if (status) return status;
    t->DONORS = shape[1];
    t->NEIGHBORS = mli_get_i64(t->model->params, "n_neighbors");
    if (t->NEIGHBORS > t->DONORS && t->DONORS > 0) t->NEIGHBORS = t->DONORS;
    t->BY_NEARNESS = strcmp(mli_get_str(t->model->params, "weights"), "distance") == 0;
    /* What a row has, and the heaps of what it lacks. */
    t->plan.scratch = (size_t)t->MLI_FILL_COUNT *
                      (sizeof(mli_known) + (size_t)t->NEIGHBORS * sizeof(mli_neighbor));
    return ML_OK;
}

static const mli_transformer kind = {.takes = MLI_TAKES_NUMBERS,
                                     .load = load,
                                     .width = mli_fill_width,
                                     .describe = mli_fill_describe,
                                     .rows = run_rows};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"n_neighbors", "k", ML_PARAM_I64, 0, "5", "[1, 10000]", "log [2, 30]", NULL,
     "The nearest rows whose values are averaged.", "0.1"},
    {"weights", NULL, ML_PARAM_STR, 0, "uniform", "{uniform, distance}",
     "{uniform, distance}", NULL,
     "uniform: all of them count the same. distance: nearer ones count more.", "0.1"},
    MLI_PARAM_INDICATORS,
    {"max_donors", NULL, ML_PARAM_I64, 0, "0", "[0, 1000000000]", NULL, NULL,
     "Look for neighbours in at most so many rows of training, drawn by chance: less "
     "time "
     "and a smaller model. 0: in all.",
     "0.1"},
    MLI_PARAM_SEED,
    MLI_PARAM_END};

static const mli_attribute attributes[] = {
    {"missing", "f64", "[features]", "The missing values of each column in training."},
    {"mean", "f64", "[features]", "The mean of each column: where no row is near."},
    {"rows", "f64", "[picked, donors]", "The columns in which neighbours are sought."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_knn_imputer;
const mli_algorithm mli_knn_imputer = {
    .head = {MLI_PREPARE_HEAD, .name = "knn_imputer", .aliases = "knn_fill",
             .title = "missing numbers from near rows",
             .doc =
                 "Fills missing numbers with the mean of their column in the nearest "
                 "rows of training. Distances are Euclidean over the columns that both "
                 "rows have, so columns of unlike scale need a scaler beforehand.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised,
             .attributes = attributes},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
