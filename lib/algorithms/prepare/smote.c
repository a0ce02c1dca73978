/* SPDX-License-Identifier: MIT
 *
 * prepare/smote.c: classes balanced by new rows between near rows of a rare class.
 * Chawla, Bowyer, Hall and Kegelmeyer, "SMOTE: synthetic minority over-sampling
 * technique", JAIR 16 (2002), with its SMOTE-NC for categories; Han, Wang and Mao,
 * "Borderline-SMOTE", ICIC 2005.
 *
 * A new row stands on the line from a row of its class, drawn by chance, to one of its
 * nearest neighbours in that class; categories are those that most of the neighbours
 * have. Weight and group are those of the row it started from. Two rows of different
 * categories are farther apart by the median of the standard deviations of the numbers.
 * Distances are over the numbers that both rows have; rows with none in common, or too
 * far for a finite distance, are no neighbours. A row without neighbours is repeated.
 *
 * No tensors. Cost: rows drawn * rows of the class * columns.
 */
#include "algorithms/prepare/near.h"
#include "algorithms/prepare/prepare.h"
#include "core/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The columns as they came. */
static const mli_transformer kind = {.takes = 0};
MLI_PREPARE_FUNCTIONS(kind)

static ml_status fit(mli_fit *job, ml_error *err)
{
    const mli_design *d = job->train;
    mli_moments *m = NULL;
    if (!d->label) {
        mli_fail(err, ML_E_ARGUMENT, "smote needs a target of classes");
        return mli_error_at(err, ML_E_ARGUMENT, "params.target");
    }
    uint8_t *numbers = mli_calloc(job->ctx, (size_t)d->n_features, 1);
    if (!numbers) return mli_nomem(err);
    ml_status status = ML_OK;
    for (int64_t j = 0; j < d->n_features; j++) {
        numbers[j] = d->columns[j].kind == MLI_NUMERIC;
        if (d->columns[j].kind != MLI_TEXT || status) continue;
        mli_fail(err, ML_E_DATA, "smote takes no text");
        mli_error_at(err, ML_E_DATA, "column \"%s\"", d->inputs->features[j].name);
        status = mli_error_hint(err, ML_E_DATA,
                                "put a step before it that makes numbers of the text");
    }
    /* For its refusal of infinite values. */
    if (!status)
        status = mli_prepare_moments(d, numbers, MLI_NO_SQUARES, job->run, &m, err);
    mli_free(job->ctx, m);
    mli_free(job->ctx, numbers);
    return status;
}

/* ---- the rows, column by column ---- */

typedef struct {
    mli_fit *job;
    const mli_design *d;
    int64_t n_numbers, n_kinds; /* columns of numbers come first */
    int64_t *column;            /* [features] which feature */
    double *x;                  /* [features][rows], those of one class together */
    int64_t *row, *begin;       /* [rows] of the design; [classes + 1] */
    double apart;               /* squared distance of two categories */
    int64_t k, m;               /* neighbours; of all classes, for the border */
    uint8_t *danger;            /* [rows] at the border; NULL: all are */
    atomic_int failed;
    /* of the class that is being made */
    int64_t from, to, n_base, n_new;
    int64_t *base;   /* [n_base] rows that new ones start from */
    int64_t *near;   /* [n_base][k] or -1 */
    double *out;     /* [n_new][features] */
    int64_t *source; /* [n_new] rows of the design */
    int32_t class;
} smote;

static void free_smote(smote *s)
{
    mli_free(s->job->ctx, s->column);
    mli_free(s->job->ctx, s->x);
    mli_free(s->job->ctx, s->row);
    mli_free(s->job->ctx, s->begin);
    mli_free(s->job->ctx, s->danger);
}

static void read_column(void *arg, int64_t c, int32_t slot)
{
    const smote *s = arg;
    int64_t rows = s->d->rows;
    double *to = s->x + c * rows;
    (void)slot;
    for (int64_t i = 0; i < rows; i++)
        mli_design_f64(s->d, s->column[c], s->row[i], s->row[i] + 1, &to[i], 1);
}

static int falling(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* The median of the standard deviations within a class, squared. */
static double spread(const smote *s, double *work)
{
    int64_t n = 0;
    for (int64_t c = 0; c < s->n_numbers; c++) {
        const double *x = s->x + c * s->d->rows;
        double count = 0, sum = 0, square = 0;
        for (int64_t i = s->from; i < s->to; i++) {
            if (isnan(x[i])) continue;
            count += 1;
            sum += x[i];
        }
        for (int64_t i = s->from; i < s->to; i++) {
            double d = x[i] - sum / count;
            if (!isnan(x[i])) square += d * d;
        }
        work[n++] = count > 0 ? square / count : 0;
    }
    if (n == 0) return 1;
    qsort(work, (size_t)n, sizeof *work, falling);
    return n % 2 ? work[n / 2] : pow((sqrt(work[n / 2]) + sqrt(work[n / 2 - 1])) / 2, 2);
}

/* Rows sorted by class, in order of the table. */
static ml_status arrange(smote *s, ml_error *err)
{
    const mli_design *d = s->d;
    ml_context *ctx = s->job->ctx;
    int64_t k = d->inputs->classes.n, n = 0;
    s->column = mli_calloc(ctx, (size_t)d->n_features, sizeof *s->column);
    s->x = mli_alloc_vec(ctx, d->n_features * d->rows, sizeof *s->x);
    s->row = mli_alloc_vec(ctx, d->rows, sizeof *s->row);
    s->begin = mli_calloc(ctx, (size_t)k + 1, sizeof *s->begin);
    if (!s->column || !s->x || !s->row || !s->begin) return mli_nomem(err);
    for (int64_t j = 0; j < d->n_features; j++)
        if (d->columns[j].kind == MLI_NUMERIC) s->column[s->n_numbers++] = j;
    for (int64_t j = 0; j < d->n_features; j++)
        if (d->columns[j].kind != MLI_NUMERIC) s->column[s->n_numbers + s->n_kinds++] = j;
    for (int64_t c = 0; c < k; c++) {
        s->begin[c] = n;
        for (int64_t i = 0; i < d->rows; i++)
            if (d->label[i] == c) s->row[n++] = i;
    }
    s->begin[k] = n;
    mli_parallel(ctx, d->n_features, read_column, s);
    return mli_run_check(s->job->run, err);
}

/* ---- neighbours ---- */

/* Squared distances from a row to others; NaN: the numbers have nothing in common, as
 * those of a row without any. */
static void measure(const smote *s, const mli_known *known, int64_t n, int64_t row,
                    int64_t begin, int64_t end, double *out)
{
    mli_near_measure(s->job->ctx, known, n, begin, end, out);
    for (int64_t i = 0; i < end - begin; i++)
        out[i] = s->n_numbers == 0 ? 0 : out[i] * (double)s->n_numbers;
    for (int64_t c = s->n_numbers; c < s->n_numbers + s->n_kinds; c++) {
        const double *x = s->x + c * s->d->rows;
        double own = x[row];
        for (int64_t i = begin; i < end; i++) {
            int same = x[i] == own || (isnan(x[i]) && isnan(own));
            out[i - begin] += same ? 0 : s->apart;
        }
    }
}

/* The k nearest of rows from .. to - 1, itself left out, into a heap. */
static int find(smote *s, int64_t row, int64_t from, int64_t to, int64_t k,
                mli_neighbor *heap)
{
    double square[MLI_NEAR_BLOCK];
    mli_known *known = mli_calloc(s->job->ctx, (size_t)s->n_numbers, sizeof *known);
    int64_t n = 0;
    if (!known) return 0;
    for (int64_t c = 0; c < s->n_numbers; c++) {
        const double *x = s->x + c * s->d->rows;
        if (!isnan(x[row])) known[n++] = (mli_known){x[row], x};
    }
    mli_near_clear(heap, k);
    for (int64_t begin = from; begin < to; begin += MLI_NEAR_BLOCK) {
        int64_t end = to - begin < MLI_NEAR_BLOCK ? to : begin + MLI_NEAR_BLOCK;
        measure(s, known, n, row, begin, end, square);
        if (row >= begin && row < end) square[row - begin] = NAN;
        mli_near_keep(square, NULL, begin, end - begin, heap, k);
    }
    mli_free(s->job->ctx, known);
    return 1;
}

/* Is it at the border: half of its neighbours or more of other classes, but not all? */
static void look_around(void *arg, int64_t task, int32_t slot)
{
    smote *s = arg;
    int64_t row = s->from + task, others = 0, all = 0;
    if (mli_run_state(s->job->run) == ML_CANCEL) return;
    mli_neighbor *heap = mli_calloc(s->job->ctx, (size_t)s->m, sizeof *heap);
    (void)slot;
    if (!heap || !find(s, row, 0, s->d->rows, s->m, heap)) {
        atomic_store(&s->failed, 1);
    } else {
        for (int64_t i = 0; i < s->m; i++) {
            if (heap[i].row < 0) continue;
            all++;
            others += heap[i].row < s->from || heap[i].row >= s->to;
        }
        s->danger[row] = 2 * others >= all && others < all;
    }
    mli_free(s->job->ctx, heap);
}

static int nearer(const void *a, const void *b)
{
    const mli_neighbor *x = a, *y = b;
    if (x->distance < y->distance) return -1;
    if (x->distance > y->distance) return 1;
    return (x->row > y->row) - (x->row < y->row);
}

static void find_neighbors(void *arg, int64_t b, int32_t slot)
{
    smote *s = arg;
    (void)slot;
    if (mli_run_state(s->job->run) == ML_CANCEL) return;
    mli_neighbor *heap = mli_calloc(s->job->ctx, (size_t)s->k, sizeof *heap);
    if (!heap || !find(s, s->base[b], s->from, s->to, s->k, heap)) {
        atomic_store(&s->failed, 1);
    } else {
        qsort(heap, (size_t)s->k, sizeof *heap, nearer);
        for (int64_t i = 0; i < s->k; i++) s->near[b * s->k + i] = heap[i].row;
    }
    mli_free(s->job->ctx, heap);
}

/* ---- new rows ---- */

/* The category that most of the neighbours have, the first one of several. */
static double most_common(const smote *s, const double *x, const int64_t *near)
{
    int64_t most = 0;
    double best = NAN;
    for (int64_t i = 0; i < s->k && near[i] >= 0; i++) {
        int64_t count = 0;
        for (int64_t j = 0; j < s->k && near[j] >= 0; j++)
            count += x[near[j]] == x[near[i]];
        if (count > most || (count == most && x[near[i]] < best)) {
            most = count;
            best = x[near[i]];
        }
    }
    return best;
}

static void make_row(void *arg, int64_t task, int32_t slot)
{
    smote *s = arg;
    mli_rng rng;
    (void)slot;
    if (mli_run_state(s->job->run) == ML_CANCEL) return;
    mli_rng_init(&rng, (uint64_t)mli_get_i64(s->job->params, "seed"),
                 0x5407e + (uint64_t)s->class, (uint64_t)task);
    int64_t b = mli_rng_below(&rng, s->n_base), row = s->base[b], n = 0;
    const int64_t *near = s->near + b * s->k;
    while (n < s->k && near[n] >= 0) n++;
    int64_t other = n ? near[mli_rng_below(&rng, n)] : row;
    double step = mli_rng_f64(&rng), *out = s->out + task * s->d->n_features;
    s->source[task] = s->row[row];
    for (int64_t c = 0; c < s->n_numbers; c++) {
        const double *x = s->x + c * s->d->rows;
        double a = x[row], z = x[other];
        out[s->column[c]] = isnan(a) ? z : isnan(z) ? a : a + step * (z - a);
    }
    for (int64_t c = s->n_numbers; c < s->n_numbers + s->n_kinds; c++) {
        const double *x = s->x + c * s->d->rows;
        out[s->column[c]] = n ? most_common(s, x, near) : x[row];
    }
}

/* The rows that new ones of this class start from. */
static void choose_bases(smote *s)
{
    s->n_base = 0;
    if (s->danger) mli_parallel(s->job->ctx, s->to - s->from, look_around, s);
    for (int64_t i = s->from; i < s->to; i++)
        if (!s->danger || s->danger[i]) s->base[s->n_base++] = i;
    if (s->n_base > 0) return;
    for (int64_t i = s->from; i < s->to; i++) s->base[s->n_base++] = i;
}

static ml_status make_class(smote *s, ml_error *err)
{
    ml_context *ctx = s->job->ctx;
    int64_t n = s->to - s->from;
    double *work = mli_calloc(ctx, (size_t)s->n_numbers + 1, sizeof *work);
    s->base = mli_alloc_vec(ctx, n, sizeof *s->base);
    s->near = mli_alloc_vec(ctx, n * s->k, sizeof *s->near);
    ml_status status = work && s->base && s->near ? ML_OK : mli_nomem(err);
    if (!status) {
        s->apart = spread(s, work);
        choose_bases(s);
        mli_parallel(ctx, s->n_base, find_neighbors, s);
        status = mli_run_check(s->job->run, err);
    }
    if (!status && atomic_load(&s->failed)) status = mli_nomem(err);
    if (!status) {
        mli_parallel(ctx, s->n_new, make_row, s);
        status = mli_run_check(s->job->run, err);
    }
    mli_free(ctx, work);
    mli_free(ctx, s->base);
    mli_free(ctx, s->near);
    return status;
}

/* ---- all rows ---- */

static int64_t wanted(const smote *s, int64_t c, int64_t most)
{
    int64_t n = s->begin[c + 1] - s->begin[c];
    int64_t want = (int64_t)llround(mli_get_f64(s->job->params, "ratio") * (double)most);
    return n > 0 && want > n ? want - n : 0;
}

/* The old rows and the new ones behind them, as a design. */
static ml_status join(smote *s, int64_t *source, const double *made, int64_t total,
                      mli_design **out, ml_error *err)
{
    const mli_design *d = s->d;
    mli_design *taken = NULL;
    ml_table *table = NULL;
    int64_t f = d->n_features;
    double *rows = mli_alloc_vec(s->job->ctx, (d->rows + total) * f, sizeof *rows);
    if (!rows) return mli_nomem(err);
    mli_design_rows(d, 0, d->rows, rows, f);
    memcpy(rows + d->rows * f, made, (size_t)(total * f) * sizeof *rows);
    for (int64_t i = d->rows - 1; i >= 0; i--) source[i] = i;
    ml_status status = mli_design_take(d, source, d->rows + total, &taken, err);
    if (!status)
        status = mli_columns_of_rows(s->job->ctx, rows, d->rows + total, d->inputs,
                                     &table, err);
    if (!status) status = mli_design_replace(taken, d->inputs, table, out, err);
    ml_table_free(table);
    mli_design_free(taken);
    mli_free(s->job->ctx, rows);
    return status;
}

static ml_status make_all(smote *s, mli_design **out, ml_error *err)
{
    const mli_design *d = s->d;
    int64_t k = d->inputs->classes.n, most = 0, total = 0, at = 0;
    ml_status status = ML_OK;
    for (int64_t c = 0; c < k; c++)
        if (s->begin[c + 1] - s->begin[c] > most) most = s->begin[c + 1] - s->begin[c];
    for (int64_t c = 0; c < k; c++) total += wanted(s, c, most);
    int64_t *source = mli_alloc_vec(s->job->ctx, d->rows + total, sizeof *source);
    double *made = mli_alloc_vec(s->job->ctx, total * d->n_features, sizeof *made);
    if (!source || !made) status = mli_nomem(err);
    for (int64_t c = 0; c < k && !status; c++) {
        s->n_new = wanted(s, c, most);
        s->from = s->begin[c];
        s->to = s->begin[c + 1];
        s->class = (int32_t)c;
        s->out = made + at * d->n_features;
        s->source = source + d->rows + at;
        at += s->n_new;
        if (s->n_new > 0) status = make_class(s, err);
    }
    if (!status) status = join(s, source, made, total, out, err);
    mli_free(s->job->ctx, made);
    mli_free(s->job->ctx, source);
    return status;
}

static ml_status resample(mli_fit *job, mli_design **out, ml_error *err)
{
    ml_status status = fit(job, err);
    if (status) return status;
    smote s = {.job = job,
               .d = job->train,
               .k = mli_get_i64(job->params, "k_neighbors"),
               .m = mli_get_i64(job->params, "m_neighbors")};
    status = arrange(&s, err);
    if (!status && mli_get_bool(job->params, "borderline")) {
        s.danger = mli_calloc(job->ctx, (size_t)s.d->rows, 1);
        if (!s.danger) status = mli_nomem(err);
    }
    if (!status) status = make_all(&s, out, err);
    free_smote(&s);
    return status;
}

static const mli_param params[] = {
    {"k_neighbors", "k", ML_PARAM_I64, 0, "5", "[1, 1000]", "[2, 15]", NULL,
     "New rows stand between a row and one of so many neighbours of its class.", "0.1"},
    {"ratio", "sampling_strategy", ML_PARAM_F64, 0, "1", "(0, 1]", NULL, NULL,
     "Rows of a rare class for one of the most frequent.", "0.1"},
    {"borderline", NULL, ML_PARAM_BOOL, 0, "false", NULL, "{false, true}", NULL,
     "Start only from rows at the border: half of their neighbours or more are of other "
     "classes, but not all.",
     "0.1"},
    {"m_neighbors", NULL, ML_PARAM_I64, 0, "10", "[1, 1000]", NULL, "borderline == true",
     "The neighbours among all rows that tell the border.", "0.1"},
    MLI_PARAM_SEED,
    MLI_PARAM_END};

extern const mli_algorithm mli_smote;
const mli_algorithm mli_smote = {
    .head = {.family = "prepare",
             .since = "0.1",
             .sort = MLI_SORT_ALGORITHM,
             .tasks = MLI_TASK_TRANSFORM | MLI_TASK_CLASSIFICATION,
             .kinds = mli_transform_kinds,
             .name = "smote",
             .aliases = "smotenc",
             .title = "classes balanced by new rows",
             .doc =
                 "In a pipeline, adds rows of rare classes between near rows of the "
                 "same class, for training only. Numbers of unlike scale need a scaler "
                 "beforehand. Categories are those of most neighbours.",
             .caps = MLI_CAN_PREPARE | MLI_CAN_WEIGHTS | MLI_CAN_RESAMPLE,
             .params = params,
             .roles = mli_roles_prepare},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
    .resample = resample,
};
