/* SPDX-License-Identifier: MIT
 *
 * prepare/stats.c: numbers about columns: moments, sorted values, counts of levels.
 *
 * Moments are taken of blocks of 4096 values in two passes and merged after Chan, Golub
 * and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
 * variances" (1979): in order of the rows, whatever the number of threads.
 */
#include "algorithms/prepare/prepare.h"
#include "algorithms/trees/radix.h"
#include "core/cpu.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define BLOCK 4096

/* ---- moments ---- */

typedef double numbers __attribute__((vector_size(32), aligned(8), may_alias));
typedef int64_t flags __attribute__((vector_size(32), aligned(8), may_alias));

/* Eight values at a time, the same bits at every level of the CPU; the caller goes on
 * from the value returned. */
#define SUMS_BODY                                                                        \
    numbers far = {INFINITY, INFINITY, INFINITY, INFINITY}, sum[2] = {{0}};              \
    numbers least[2] = {far, far}, most[2] = {-far, -far};                               \
    flags there[2] = {{0}}, wild[2] = {{0}};                                             \
    int64_t i = 0;                                                                       \
    for (; i + 8 <= n; i += 8)                                                           \
        for (int h = 0; h < 2; h++) {                                                    \
            numbers x = *(const numbers *)(v + i + 4 * h);                               \
            flags good = x == x, low = x<least[h], high = x> most[h];                    \
            sum[h] += (numbers)((flags)x & good);                                        \
            least[h] = (numbers)(((flags)x & low) | ((flags)least[h] & ~low));           \
            most[h] = (numbers)(((flags)x & high) | ((flags)most[h] & ~high));           \
            there[h] -= good;                                                            \
            wild[h] -= (x == far) | (x == -far);                                         \
        }                                                                                \
    for (int k = 0; k < 8; k++) {                                                        \
        m->present += there[k / 4][k % 4];                                               \
        m->infinite += wild[k / 4][k % 4];                                               \
        if (least[k / 4][k % 4] < m->min) m->min = least[k / 4][k % 4];                  \
        if (most[k / 4][k % 4] > m->max) m->max = most[k / 4][k % 4];                    \
    }                                                                                    \
    sum[0] += sum[1];                                                                    \
    *total = (sum[0][0] + sum[0][2]) + (sum[0][1] + sum[0][3]);                          \
    return i;

#define SQUARES_BODY                                                                     \
    numbers sum[2] = {{0}};                                                              \
    int64_t i = 0;                                                                       \
    for (; i + 8 <= n; i += 8)                                                           \
        for (int h = 0; h < 2; h++) {                                                    \
            numbers d = *(const numbers *)(v + i + 4 * h) - mean, square = d * d;        \
            sum[h] += (numbers)((flags)square & (d == d));                               \
        }                                                                                \
    sum[0] += sum[1];                                                                    \
    *total = (sum[0][0] + sum[0][2]) + (sum[0][1] + sum[0][3]);                          \
    return i;

static int64_t sums_plain(const double *v, int64_t n, mli_moments *m, double *total)
{
    SUMS_BODY
}

static int64_t squares_plain(const double *v, int64_t n, double mean,
                             double *total){SQUARES_BODY}

#ifdef MLI_AVX2
MLI_AVX2 static int64_t
    sums_avx2(const double *v, int64_t n, mli_moments *m, double *total){SUMS_BODY}

MLI_AVX2 static int64_t
    squares_avx2(const double *v, int64_t n, double mean, double *total)
{
    SQUARES_BODY
}
#else
#define sums_avx2    sums_plain
#define squares_avx2 squares_plain
#endif

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
    const double *weight;
    const mli_run *run;
    mli_moments *parts; /* [features][blocks] */
    int64_t blocks;
} measuring;

static void measure(void *arg, int64_t task, int32_t slot)
{
    const measuring *m = arg;
    double v[BLOCK];
    /* All columns of a block one after another: they may stand in the same rows. */
    int64_t j = task % m->d->n_features, b = task / m->d->n_features;
    int64_t begin = b * BLOCK, end = begin + BLOCK;
    (void)slot;
    if (!m->picked[j] || mli_run_state(m->run) == ML_CANCEL) return;
    if (end > m->d->rows) end = m->d->rows;
    mli_design_f64(m->d, j, begin, end, v, 1);
    int fast = m->d->ctx->cpu_level >= MLI_CPU_AVX2;
    m->parts[j * m->blocks + b] = m->weight ? of_block(v, m->weight + begin, end - begin)
                                            : of_plain_block(fast, v, end - begin);
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

ml_status mli_prepare_moments(const mli_design *d, const uint8_t *picked, int weighted,
                              const mli_run *run, mli_moments **out, ml_error *err)
{
    measuring m = {.d = d, .picked = picked, .run = run};
    m.weight = weighted ? d->weight : NULL;
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

/* ---- sorted values ---- */

int64_t mli_prepare_present(const mli_design *d, int64_t feature, double *v)
{
    int64_t n = 0;
    mli_design_f64(d, feature, 0, d->rows, v, 1);
    for (int64_t i = 0; i < d->rows; i++) {
        double x = v[i];
        v[n] = x + 0.0; /* no negative zero */
        n += !isnan(x);
    }
    return n;
}

typedef struct {
    const mli_design *d;
    const uint8_t *picked;
    const mli_run *run;
    mli_sorted_fn fn;
    void *arg;
    double *memory; /* [slots][2 * rows] */
} sorting;

static void sort_feature(void *arg, int64_t j, int32_t slot)
{
    const sorting *s = arg;
    double *v = s->memory + 2 * slot * s->d->rows;
    if (!s->picked[j] || mli_run_state(s->run) == ML_CANCEL) return;
    int64_t n = mli_prepare_present(s->d, j, v);
    mli_radix_sort_f64(v, v + s->d->rows, n);
    s->fn(s->arg, j, v, n);
}

ml_status mli_prepare_sorted(const mli_design *d, const uint8_t *picked,
                             const mli_run *run, mli_sorted_fn fn, void *arg,
                             ml_error *err)
{
    sorting s = {d, picked, run, fn, arg, NULL};
    s.memory = mli_alloc_vec(d->ctx, 2 * d->rows * mli_slots(d->ctx), sizeof *s.memory);
    if (!s.memory) return mli_nomem(err);
    mli_parallel(d->ctx, d->n_features, sort_feature, &s);
    mli_free(d->ctx, s.memory);
    return mli_run_check(run, err);
}

double mli_quantile(const double *sorted, int64_t n, double q)
{
    if (n <= 0) return NAN;
    double at = q * (double)(n - 1);
    int64_t k = (int64_t)at;
    if (k >= n - 1) return sorted[n - 1];
    double part = at - (double)k, low = sorted[k], high = sorted[k + 1];
    /* From the nearer end, so that both are met exactly. */
    return part < 0.5 ? low + (high - low) * part : high - (high - low) * (1 - part);
}

double mli_mode(const double *sorted, int64_t n)
{
    int64_t best = 0;
    double mode = NAN;
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && sorted[end] == sorted[i];) end++;
        if (end - i <= best) continue;
        best = end - i;
        mode = sorted[i];
    }
    return mode;
}

double mli_even_place(double low, double high, int64_t k, int64_t n)
{
    return k == n - 1 ? high : low + (high - low) * ((double)k / (double)(n - 1));
}

/* A rational first guess (P. J. Acklam's, good to nine digits) and two steps of Halley's
 * method on the distribution function. */
double mli_normal_quantile(double p)
{
    static const double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,
                               -2.759285104469687e+02, 1.383577518672690e+02,
                               -3.066479806614716e+01, 2.506628277459239e+00};
    static const double b[] = {-5.447609879822406e+01, 1.615858368580409e+02,
                               -1.556989798598866e+02, 6.680131188771972e+01,
                               -1.328068155288572e+01, 1};
    static const double c[] = {-7.784894002430293e-03, -3.223964580411365e-01,
                               -2.400758277161838e+00, -2.549732539343734e+00,
                               4.374664141464968e+00,  2.938163982698783e+00};
    static const double d[] = {7.784695709041462e-03, 3.224671290700398e-01,
                               2.445134137142996e+00, 3.754408661907416e+00, 1};
    double q = p < 0.5 ? p : 1 - p, above = 0, below = 0, x;
    if (q < 0.02425) {
        double r = sqrt(-2 * log(q));
        for (int i = 0; i < 6; i++) above = above * r + c[i];
        for (int i = 0; i < 5; i++) below = below * r + d[i];
        x = above / below;
    } else {
        double r = (q - 0.5) * (q - 0.5);
        for (int i = 0; i < 6; i++) above = above * r + a[i];
        for (int i = 0; i < 6; i++) below = below * r + b[i];
        x = above * (q - 0.5) / below;
    }
    for (int i = 0; i < 2; i++) {
        double e = 0.5 * erfc(-x / sqrt(2)) - q;
        double u = e * sqrt(2 * 3.14159265358979323846) * exp(x * x / 2);
        x -= u / (1 + x * u / 2);
    }
    return p < 0.5 ? x : -x;
}

void mli_prepare_counts(const mli_design *d, int64_t feature, double *counts)
{
    const int32_t *codes = d->columns[feature].codes;
    for (int64_t i = 0; codes && i < d->rows; i++)
        if (codes[i] >= 0) counts[codes[i]] += 1;
}
