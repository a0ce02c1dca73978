/* SPDX-License-Identifier: MIT
 *
 * prepare/moments.c: counts, ranges, means and variances of columns, of blocks of 4096
 * values in two passes, merged after Chan, Golub and LeVeque, "Updating formulae and a
 * pairwise algorithm for computing sample variances" (1979): in order of the rows,
 * whatever the number of threads. Cost: one pass over memory.
 */
#include "algorithms/prepare/lanes.h"
#include "algorithms/prepare/prepare.h"
#include "core/cpu.h"

#include <inttypes.h>
#include <math.h>

#define BLOCK 4096

/* ---- blocks ---- */

/* The least and largest of eight values at a time, and how many are there; `sums`: their
 * sum and the infinite ones, too. The same bits at every level of the CPU; the caller
 * goes on from the value returned. */
MLI_LANES_INLINE int64_t look(const double *v, int64_t n, int sums, mli_moments *m,
                              double *total)
{
    mli_numbers far = {INFINITY, INFINITY, INFINITY, INFINITY}, sum[2] = {{0}};
    mli_numbers least[2] = {far, far}, most[2] = {-far, -far};
    mli_flags there[2] = {{0}}, wild[2] = {{0}};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int h = 0; h < 2; h++) {
            mli_numbers x = *(const mli_numbers *)(v + i + 4 * h);
            mli_flags good = x == x, low = x<least[h], high = x> most[h];
            least[h] = (mli_numbers)(((mli_flags)x & low) | ((mli_flags)least[h] & ~low));
            most[h] = (mli_numbers)(((mli_flags)x & high) | ((mli_flags)most[h] & ~high));
            there[h] -= good;
            if (!sums) continue;
            sum[h] += (mli_numbers)((mli_flags)x & good);
            wild[h] -= (x == far) | (x == -far);
        }
    for (int k = 0; k < 8; k++) {
        m->present += there[k / 4][k % 4];
        m->infinite += wild[k / 4][k % 4];
        if (least[k / 4][k % 4] < m->min) m->min = least[k / 4][k % 4];
        if (most[k / 4][k % 4] > m->max) m->max = most[k / 4][k % 4];
    }
    sum[0] += sum[1];
    *total = (sum[0][0] + sum[0][2]) + (sum[0][1] + sum[0][3]);
    return i;
}

MLI_LANES_INLINE int64_t squares(const double *v, int64_t n, double mean, double *total)
{
    mli_numbers sum[2] = {{0}};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int h = 0; h < 2; h++) {
            mli_numbers d = *(const mli_numbers *)(v + i + 4 * h) - mean, square = d * d;
            sum[h] += (mli_numbers)((mli_flags)square & (d == d));
        }
    sum[0] += sum[1];
    *total = (sum[0][0] + sum[0][2]) + (sum[0][1] + sum[0][3]);
    return i;
}

#define LEVEL(mark, level)                                                               \
    mark static int64_t range_##level(const double *v, int64_t n, mli_moments *m)        \
    {                                                                                    \
        double unused;                                                                   \
        return look(v, n, 0, m, &unused);                                                \
    }                                                                                    \
    mark static int64_t sums_##level(const double *v, int64_t n, mli_moments *m,         \
                                     double *total)                                      \
    {                                                                                    \
        return look(v, n, 1, m, total);                                                  \
    }                                                                                    \
    mark static int64_t squares_##level(const double *v, int64_t n, double mean,         \
                                        double *total)                                   \
    {                                                                                    \
        return squares(v, n, mean, total);                                               \
    }
LEVEL(, plain)
#ifdef MLI_AVX2
LEVEL(MLI_AVX2, avx2)
#else
#define range_avx2   range_plain
#define sums_avx2    sums_plain
#define squares_avx2 squares_plain
#endif

/* No mean and no squares. */
static mli_moments range_of_block(int fast, const double *v, int64_t n)
{
    mli_moments m = {.min = INFINITY, .max = -INFINITY};
    int64_t i = fast ? range_avx2(v, n, &m) : range_plain(v, n, &m);
    for (; i < n; i++) {
        m.present += v[i] == v[i];
        if (v[i] < m.min) m.min = v[i];
        if (v[i] > m.max) m.max = v[i];
    }
    for (i = 0; i < n && m.present && (isinf(m.min) || isinf(m.max)); i++)
        m.infinite += isinf(v[i]) != 0;
    return m;
}

/* Without weights. */
static mli_moments of_plain_block(int fast, const double *v, int64_t n)
{
    mli_moments m = {.min = INFINITY, .max = -INFINITY};
    double sum, square;
    int64_t i = fast ? sums_avx2(v, n, &m, &sum) : sums_plain(v, n, &m, &sum);
    for (; i < n; i++) {
        if (isnan(v[i])) continue;
        m.present++;
        m.infinite += isinf(v[i]) != 0;
        sum += v[i];
        if (v[i] < m.min) m.min = v[i];
        if (v[i] > m.max) m.max = v[i];
    }
    m.weight = (double)m.present;
    if (m.present) m.mean = sum / m.weight;
    i = fast ? squares_avx2(v, n, m.mean, &square) : squares_plain(v, n, m.mean, &square);
    for (; i < n; i++)
        if (!isnan(v[i])) square += (v[i] - m.mean) * (v[i] - m.mean);
    m.square = square;
    return m;
}

static mli_moments of_block(const double *v, const double *w, int64_t n)
{
    mli_moments m = {.min = INFINITY, .max = -INFINITY};
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(v[i])) continue;
        double weight = w[i];
        m.present++;
        m.infinite += isinf(v[i]) != 0;
        m.weight += weight;
        sum += weight * v[i];
        if (v[i] < m.min) m.min = v[i];
        if (v[i] > m.max) m.max = v[i];
    }
    if (m.weight > 0) m.mean = sum / m.weight;
    for (int64_t i = 0; i < n; i++) {
        double d = v[i] - m.mean;
        if (!isnan(v[i])) m.square += w[i] * d * d;
    }
    return m;
}

static void merge(mli_moments *a, const mli_moments *b)
{
    double total = a->weight + b->weight, d = b->mean - a->mean;
    a->present += b->present;
    a->infinite += b->infinite;
    if (b->min < a->min) a->min = b->min;
    if (b->max > a->max) a->max = b->max;
    if (total > 0) {
        a->mean += d * (b->weight / total);
        a->square += b->square + d * d * (a->weight * b->weight / total);
    }
    a->weight = total;
}

typedef struct {
    const mli_design *d;
    const uint8_t *picked;
    int what;
    const mli_run *run;
    mli_moments *parts; /* [features][blocks] */
    int64_t blocks;
} measuring;

static void measure(void *arg, int64_t task, int32_t slot)
{
    const measuring *m = arg;
    double memory[BLOCK];
    /* All columns of a block one after another: they may stand in the same rows. */
    int64_t j = task % m->d->n_features, b = task / m->d->n_features;
    int64_t begin = b * BLOCK, end = begin + BLOCK;
    (void)slot;
    if (!m->picked[j] || mli_run_state(m->run) == ML_CANCEL) return;
    if (end > m->d->rows) end = m->d->rows;
    const double *v = mli_design_look(m->d, j, begin, end, memory);
    const double *weight = m->what == MLI_WEIGHTED ? m->d->weight : NULL;
    int fast = m->d->ctx->cpu_level >= MLI_CPU_AVX2;
    mli_moments *to = &m->parts[j * m->blocks + b];
    if (m->what == MLI_RANGE)
        *to = range_of_block(fast, v, end - begin);
    else if (weight)
        *to = of_block(v, weight + begin, end - begin);
    else
        *to = of_plain_block(fast, v, end - begin);
}

static ml_status refuse_infinite(const mli_design *d, const mli_moments *m, ml_error *err)
{
    for (int64_t j = 0; j < d->n_features; j++) {
        if (!m[j].infinite) continue;
        mli_fail(err, ML_E_DATA, "the column has %" PRId64 " infinite values",
                 m[j].infinite);
        mli_error_at(err, ML_E_DATA, "column \"%s\"", d->inputs->features[j].name);
        return mli_error_hint(err, ML_E_DATA,
                              "clip the values, or make them missing, beforehand");
    }
    return ML_OK;
}

ml_status mli_prepare_moments(const mli_design *d, const uint8_t *picked, int what,
                              const mli_run *run, mli_moments **out, ml_error *err)
{
    measuring m = {.d = d, .picked = picked, .what = what, .run = run};
    m.blocks = mli_task_count(d->rows, BLOCK);
    mli_moments *total = mli_calloc(d->ctx, (size_t)d->n_features, sizeof *total);
    m.parts = mli_calloc(d->ctx, (size_t)(d->n_features * m.blocks), sizeof *m.parts);
    ml_status status = total && m.parts ? ML_OK : mli_nomem(err);
    if (!status) {
        mli_parallel(d->ctx, d->n_features * m.blocks, measure, &m);
        status = mli_run_check(run, err);
    }
    for (int64_t j = 0; j < d->n_features && !status; j++) {
        if (!picked[j]) continue;
        total[j] = m.parts[j * m.blocks];
        for (int64_t b = 1; b < m.blocks; b++)
            merge(&total[j], &m.parts[j * m.blocks + b]);
    }
    mli_free(d->ctx, m.parts);
    if (!status) status = refuse_infinite(d, total, err);
    if (status)
        mli_free(d->ctx, total);
    else
        *out = total;
    return status;
}
