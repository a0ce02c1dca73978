/* SPDX-License-Identifier: MIT
 *
 * data/aggregate_stats.c: one aggregate over many ranges of rows.
 *
 * The values lie in the order of the list, so that a range is a run of them. Long ranges
 * that overlap (windows of a history) add up summaries of blocks of 64 values, made once:
 * a range costs its ends and a step per block. Order is fixed, so sums are the same for
 * any number of threads.
 */
#include "core/parallel.h"
#include "data/aggregate.h"
#include "data/design_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GRAIN 1024 /* ranges per task */
#define BLOCK 64   /* values */
#define LONG  512  /* values of a range that looks at blocks */

typedef struct {
    double n, sum, mean, m2; /* of the values that are there */
    int64_t min, max;        /* places, -1: none */
} summary;

typedef struct {
    const mli_ranges *r;
    const mli_aggregate *a;
    double *values;  /* [rows] in the order of the list; NULL: rows are counted */
    summary *blocks; /* [rows / BLOCK]; NULL: none */
    double *scratch; /* [slots * longest] */
    double *numbers;
    int64_t *rows;
} stats;

/* ---- summaries ---- */

static void add_value(summary *s, const double *v, int64_t k)
{
    double x = v[k], d = x - s->mean;
    if (isnan(x)) return;
    s->n++;
    s->sum += x;
    s->mean += d / s->n;
    s->m2 += d * (x - s->mean);
    if (s->min < 0 || x < v[s->min]) s->min = k;
    if (s->max < 0 || x > v[s->max]) s->max = k;
}

static void add_block(summary *s, const double *v, const summary *b)
{
    double n = s->n + b->n, d = b->mean - s->mean;
    if (b->n == 0) return;
    s->sum += b->sum;
    s->mean += d * (b->n / n);
    s->m2 += b->m2 + d * d * (s->n * b->n / n);
    s->n = n;
    if (s->min < 0 || v[b->min] < v[s->min]) s->min = b->min;
    if (s->max < 0 || v[b->max] > v[s->max]) s->max = b->max;
}

static summary summarise(const stats *t, int64_t low, int64_t high)
{
    summary s = {.min = -1, .max = -1};
    int64_t k = low;
    if (t->blocks && high - low >= LONG) {
        for (; k % BLOCK; k++) add_value(&s, t->values, k);
        for (; k + BLOCK <= high; k += BLOCK)
            add_block(&s, t->values, &t->blocks[k / BLOCK]);
    }
    for (; k < high; k++) add_value(&s, t->values, k);
    return s;
}

static void make_block(void *arg, int64_t task, int32_t slot)
{
    const stats *t = arg;
    (void)slot;
    for (int64_t b = task * GRAIN;
         b < (task + 1) * GRAIN && (b + 1) * BLOCK <= t->r->rows; b++) {
        summary s = {.min = -1, .max = -1};
        for (int64_t k = b * BLOCK; k < (b + 1) * BLOCK; k++) add_value(&s, t->values, k);
        t->blocks[b] = s;
    }
}

/* ---- what needs the values sorted ---- */

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int64_t sorted(const stats *t, int64_t low, int64_t high, double *to)
{
    int64_t n = 0;
    for (int64_t k = low; k < high; k++)
        if (!isnan(t->values[k])) to[n++] = t->values[k];
    qsort(to, (size_t)n, sizeof *to, rising);
    return n;
}

static double median(const double *x, int64_t n)
{
    if (n == 0) return NAN;
    return n % 2 ? x[n / 2] : x[n / 2 - 1] + (x[n / 2] - x[n / 2 - 1]) / 2;
}

static double distinct(const double *x, int64_t n)
{
    double runs = n > 0;
    for (int64_t i = 1; i < n; i++) runs += x[i] != x[i - 1];
    return runs;
}

/* The place of the most frequent value, the smallest one on a tie. */
static int64_t mode(const stats *t, int64_t low, int64_t high, const double *x, int64_t n)
{
    int64_t most = 0, begin = 0;
    double value = NAN;
    for (int64_t i = 1; i <= n; i++) {
        if (i < n && x[i] == x[begin]) continue;
        if (i - begin > most) {
            most = i - begin;
            value = x[begin];
        }
        begin = i;
    }
    for (int64_t k = low; k < high && most; k++)
        if (t->values[k] == value) return k;
    return -1;
}

static int64_t edge(const stats *t, int64_t low, int64_t high, int last)
{
    for (int64_t i = 0; i < high - low; i++) {
        int64_t k = last ? high - 1 - i : low + i;
        if (!isnan(t->values[k])) return k;
    }
    return -1;
}

/* ---- ranges ---- */

static double number_of(const stats *t, int64_t low, int64_t high, double *scratch)
{
    int function = t->a->function;
    if (!t->values) return (double)(high - low);
    if (function == MLI_AGG_MEDIAN) return median(scratch, sorted(t, low, high, scratch));
    if (function == MLI_AGG_DISTINCT)
        return distinct(scratch, sorted(t, low, high, scratch));
    if (!t->blocks && function <= MLI_AGG_MEAN) { /* the plain and frequent case */
        double n = 0, sum = 0;
        for (int64_t k = low; k < high; k++) {
            double x = t->values[k];
            n += x == x;
            sum += x == x ? x : 0;
        }
        if (function == MLI_AGG_SUM) return sum;
        if (function == MLI_AGG_COUNT) return n;
        return function == MLI_AGG_MISSING ? (double)(high - low) - n
                                           : (n > 0 ? sum / n : NAN);
    }
    summary s = summarise(t, low, high);
    switch (function) {
    case MLI_AGG_COUNT:
        return s.n;
    case MLI_AGG_MISSING:
        return (double)(high - low) - s.n;
    case MLI_AGG_SUM:
        return s.sum;
    case MLI_AGG_MEAN:
        return s.n > 0 ? s.sum / s.n : NAN;
    case MLI_AGG_VAR:
        return s.n > 1 ? s.m2 / (s.n - 1) : NAN;
    default:
        return s.n > 1 ? sqrt(s.m2 / (s.n - 1)) : NAN;
    }
}

static int64_t place_of(const stats *t, int64_t low, int64_t high, double *scratch)
{
    if (t->a->function == MLI_AGG_FIRST) return edge(t, low, high, 0);
    if (t->a->function == MLI_AGG_LAST) return edge(t, low, high, 1);
    if (t->a->function == MLI_AGG_MODE)
        return mode(t, low, high, scratch, sorted(t, low, high, scratch));
    summary s = summarise(t, low, high);
    return t->a->function == MLI_AGG_MIN ? s.min : s.max;
}

static void run_ranges(void *arg, int64_t task, int32_t slot)
{
    const stats *t = arg;
    const mli_ranges *r = t->r;
    double *scratch = t->scratch ? t->scratch + slot * r->longest : NULL;
    int64_t end = (task + 1) * GRAIN < r->n ? (task + 1) * GRAIN : r->n;
    for (int64_t q = task * GRAIN; q < end; q++) {
        int64_t low = r->low[q], high = r->high[q];
        if (isfinite(t->a->window) && low < high)
            low = mli_time_from(r->times, low, high, r->at[q] - t->a->window);
        if (t->a->function < MLI_AGG_MIN) {
            t->numbers[q] = number_of(t, low, high, scratch);
        } else {
            int64_t k = place_of(t, low, high, scratch);
            t->rows[q] = k < 0 ? -1 : r->list[k];
        }
    }
}

/* ---- values ---- */

static ml_status code_values(const mli_ranges *r, const mli_column *c, double *by_row,
                             ml_error *err)
{
    mli_coding coding;
    if (mli_code_train(r->ctx, c, 0, &coding)) return mli_nomem(err);
    for (int64_t i = 0; i < c->rows; i++)
        by_row[i] = coding.codes[i] < 0 ? (double)NAN : (double)coding.codes[i];
    mli_coding_free(&coding);
    return ML_OK;
}

/* Whole numbers that doubles cannot tell apart count by their rank. */
typedef struct {
    uint64_t key; /* in the order of the numbers */
    int64_t row;
} ranked;

static int by_key(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

static int needs_ranks(const mli_column *c, int function, const double *by_row)
{
    int compares = function == MLI_AGG_DISTINCT || function == MLI_AGG_MIN ||
                   function == MLI_AGG_MAX || function == MLI_AGG_MODE;
    if (!compares || (c->type != ML_DTYPE_I64 && c->type != ML_DTYPE_U64)) return 0;
    for (int64_t i = 0; i < c->rows; i++)
        if (fabs(by_row[i]) > 0x1p53) return 1;
    return 0;
}

static ml_status rank_values(const mli_ranges *r, const mli_column *c, double *by_row,
                             ml_error *err)
{
    uint64_t sign = c->type == ML_DTYPE_I64 ? UINT64_C(1) << 63 : 0;
    ranked *x = mli_alloc_vec(r->ctx, c->rows, sizeof *x);
    if (!x) return mli_nomem(err);
    for (int64_t i = 0; i < c->rows; i++) {
        memcpy(&x[i].key, (const uint64_t *)c->data + i * c->stride, sizeof x[i].key);
        x[i].key ^= sign;
        x[i].row = i;
    }
    qsort(x, (size_t)c->rows, sizeof *x, by_key);
    double rank = 0;
    for (int64_t i = 0; i < c->rows; i++) {
        rank += i > 0 && x[i].key != x[i - 1].key;
        if (!isnan(by_row[x[i].row])) by_row[x[i].row] = rank;
    }
    mli_free(r->ctx, x);
    return ML_OK;
}

/* Text and categories count by the order of their texts. */
static ml_status read_values(stats *t, ml_error *err)
{
    const mli_column *c = t->a->column;
    const mli_ranges *r = t->r;
    if (!c) return ML_OK;
    double *by_row = mli_alloc_vec(r->ctx, c->rows + 1, sizeof *by_row);
    t->values = mli_alloc_vec(r->ctx, r->rows + 1, sizeof *t->values);
    ml_status status = by_row && t->values ? ML_OK : mli_nomem(err);
    if (!status && (c->type == ML_TYPE_TEXT || c->type == ML_TYPE_CATEGORY))
        status = code_values(r, c, by_row, err);
    else if (!status)
        mli_column_f64(c, 0, c->rows, by_row, 1);
    if (!status && needs_ranks(c, t->a->function, by_row))
        status = rank_values(r, c, by_row, err);
    for (int64_t k = 0; !status && k < r->rows; k++) t->values[k] = by_row[r->list[k]];
    mli_free(r->ctx, by_row);
    return status;
}

static ml_status make_blocks(stats *t, ml_error *err)
{
    int64_t n = t->r->rows / BLOCK;
    int f = t->a->function;
    if (!t->values || !t->r->at || t->r->longest < LONG || f == MLI_AGG_MEDIAN ||
        f == MLI_AGG_DISTINCT || f >= MLI_AGG_FIRST)
        return ML_OK;
    t->blocks = mli_alloc_vec(t->r->ctx, n + 1, sizeof *t->blocks);
    if (!t->blocks) return mli_nomem(err);
    mli_parallel(t->r->ctx, mli_task_count(n, GRAIN), make_block, t);
    return ML_OK;
}

static ml_status run(stats *t, ml_error *err)
{
    int f = t->a->function;
    ml_status status = read_values(t, err);
    if (!status) status = make_blocks(t, err);
    if (!status && (f == MLI_AGG_MEDIAN || f == MLI_AGG_DISTINCT || f == MLI_AGG_MODE)) {
        t->scratch = mli_alloc_vec(t->r->ctx, mli_slots(t->r->ctx) * t->r->longest + 1,
                                   sizeof *t->scratch);
        if (!t->scratch) status = mli_nomem(err);
    }
    if (!status) mli_parallel(t->r->ctx, mli_task_count(t->r->n, GRAIN), run_ranges, t);
    return status;
}

ml_status mli_aggregate_run(const mli_ranges *r, const mli_aggregate *a, double *numbers,
                            int64_t *rows, ml_error *err)
{
    stats t = {.r = r, .a = a, .numbers = numbers, .rows = rows};
    mli_pool *pool = mli_parallel_hold(r->ctx);
    ml_status status = run(&t, err);
    mli_parallel_release(pool);
    mli_free(r->ctx, t.values);
    mli_free(r->ctx, t.blocks);
    mli_free(r->ctx, t.scratch);
    return status;
}
