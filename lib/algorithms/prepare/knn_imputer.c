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
#include "core/cpu.h"
#include "core/rng.h"

#include <math.h>
#include <string.h>

#define BLOCK 256 /* donors at a time */
#define LANES 16

#define NEIGHBORS   size[1]
#define DONORS      size[2]
#define ROWS        f64[2]
#define BY_NEARNESS option[1]
#define HAS_AVX2    option[2]

typedef struct {
    double distance, value;
} neighbor;

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

/* ---- distances ---- */

/* What a row has: numbers and where their columns begin. */
typedef struct {
    double x;
    const double *column;
} known;

typedef double numbers __attribute__((vector_size(32)));
typedef int64_t flags __attribute__((vector_size(32)));
typedef double any_place __attribute__((vector_size(32), aligned(8), may_alias));

/* Mean squares of the differences to LANES donors from `at` on, over the columns that
 * both have: none gives NaN. A missing value compares unequal to itself. */
#define MEASURE_BODY                                                                     \
    numbers sum[LANES / 4] = {{0}};                                                      \
    flags count[LANES / 4] = {{0}};                                                      \
    for (int64_t k = 0; k < n; k++) {                                                    \
        const any_place *column = (const any_place *)(row[k].column + at);               \
        for (int i = 0; i < LANES / 4; i++) {                                            \
            numbers d = column[i] - row[k].x, square = d * d;                            \
            flags there = square == square;                                              \
            sum[i] += (numbers)((flags)square & there);                                  \
            count[i] -= there;                                                           \
        }                                                                                \
    }                                                                                    \
    for (int i = 0; i < LANES; i++)                                                      \
        out[i] = sum[i / 4][i % 4] / (double)count[i / 4][i % 4];

static void measure_one(const known *row, int64_t n, int64_t at, double *out)
{
    double sum = 0, count = 0;
    for (int64_t k = 0; k < n; k++) {
        double d = row[k].column[at] - row[k].x, square = d * d;
        if (isnan(square)) continue;
        sum += square;
        count += 1;
    }
    *out = sum / count;
}

static void measure_plain(const known *row, int64_t n, int64_t at,
                          double *out){MEASURE_BODY}

#ifdef MLI_AVX2
MLI_AVX2 static void measure_avx2(const known *row, int64_t n, int64_t at, double *out)
{
    MEASURE_BODY
}
#endif

static void measure(const mli_prepared *t, const known *row, int64_t n, int64_t begin,
                    int64_t end, double *out)
{
    int64_t at = begin;
    for (; at + LANES <= end; at += LANES) {
#ifdef MLI_AVX2
        if (t->HAS_AVX2) {
            measure_avx2(row, n, at, out + at - begin);
            continue;
        }
#endif
        measure_plain(row, n, at, out + at - begin);
    }
    for (; at < end; at++) measure_one(row, n, at, out + at - begin);
}

/* ---- the nearest ---- */

/* A heap with the farthest in front; the new one takes its place. */
static void sift(neighbor *heap, int64_t n, neighbor x)
{
    int64_t at = 0, child;
    while ((child = 2 * at + 1) < n) {
        if (child + 1 < n && heap[child + 1].distance > heap[child].distance) child++;
        if (!(heap[child].distance > x.distance)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = x;
}

static void keep(const double *square, const double *values, int64_t n, neighbor *heap,
                 int64_t k)
{
    for (int64_t i = 0; i < n; i++)
        if (square[i] < heap[0].distance && !isnan(values[i]))
            sift(heap, k, (neighbor){square[i], values[i]});
}

/* Weights are 1, or 1 / distance; neighbours at no distance count alone. */
static double average(const neighbor *heap, int64_t k, int by_nearness, double scale,
                      double mean)
{
    double sum = 0, weight = 0, same = 0, count = 0;
    for (int64_t i = 0; i < k; i++) {
        if (isinf(heap[i].distance)) continue; /* a place that no row took */
        double w = by_nearness ? 1 / sqrt(heap[i].distance * scale) : 1;
        if (isinf(w)) {
            same += heap[i].value;
            count += 1;
            continue;
        }
        sum += w * heap[i].value;
        weight += w;
    }
    if (count > 0) return same / count;
    return weight > 0 ? sum / weight : mean;
}

/* The memory of a row: what it has, and a heap for each column that it lacks. */
static void fill(const mli_prepared *t, const double *row, double *out, void *scratch)
{
    int64_t k = t->NEIGHBORS, m = t->MLI_FILL_COUNT, has = 0;
    const int64_t *list = t->MLI_FILL_LIST;
    known *there = scratch;
    neighbor *heaps = (neighbor *)(void *)(there + m);
    double square[BLOCK];
    for (int64_t f = 0; f < m; f++)
        if (!isnan(row[list[f]]))
            there[has++] = (known){row[list[f]], t->ROWS + f * t->DONORS};
    for (int64_t i = 0; i < (m - has) * k; i++) heaps[i].distance = INFINITY;
    for (int64_t begin = 0; begin < t->DONORS; begin += BLOCK) {
        int64_t n = t->DONORS - begin < BLOCK ? t->DONORS - begin : BLOCK, at = 0;
        measure(t, there, has, begin, begin + n, square);
        for (int64_t f = 0; f < m; f++)
            if (isnan(row[list[f]]))
                keep(square, t->ROWS + f * t->DONORS + begin, n, heaps + k * at++, k);
    }
    for (int64_t f = 0, at = 0; f < m; f++)
        if (isnan(row[list[f]]))
            out[t->first[list[f]]] = average(heaps + k * at++, k, t->BY_NEARNESS,
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
    t->HAS_AVX2 = t->plan.ctx->cpu_level >= MLI_CPU_AVX2;
    t->plan.scratch = (size_t)(t->NEIGHBORS * (t->MLI_FILL_COUNT + 1)) * sizeof(neighbor);
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
