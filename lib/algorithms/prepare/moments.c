/* SPDX-License-Identifier: MIT
 *
 * prepare/moments.c: counts, ranges, means and variances of columns, of pieces of 2048
 * values in two passes, merged after Chan, Golub and LeVeque, "Updating formulae and a
 * pairwise algorithm for computing sample variances" (1979): in order of the rows,
 * whatever the number of threads. Cost: one pass over memory.
 */
#include "algorithms/prepare/lanes.h"
#include "algorithms/prepare/prepare.h"
#include "core/cpu.h"

#include <inttypes.h>
#include <math.h>
#ifdef MLI_AVX2
#include <immintrin.h>
#endif

#define BLOCK 4096
#define AHEAD 4096 /* bytes that are fetched before they are looked at */
#define PIECE 2048 /* values that stay in the nearest cache for a second look */

/* ---- blocks ---- */

/* Where a comparison holds the first, else the second. */
#define CHOOSE(flags, x, y)                                                              \
    (mli_numbers)(((mli_flags)(x) & (flags)) | ((mli_flags)(y) & ~(flags)))

/* Four numbers; four floats, made numbers of. */
#define NUMBERS(v, i) *(const mli_numbers *)((v) + (i))
#define FLOATS(v, i)  (mli_numbers) _mm256_cvtps_pd(_mm_loadu_ps((v) + (i)))

/* Sixteen values at a time: their range and sum, the same bits at every level of the CPU.
 * With `missing` those that are there are counted; without it the sum is not finite when
 * some are missing or infinite. LESSER and LARGER are the second of the two when the
 * first is missing. */
#define SCAN_BODY(UNROLL, missing, FOUR, LESSER, LARGER)                                 \
    const mli_numbers far = {INFINITY, INFINITY, INFINITY, INFINITY};                    \
    mli_numbers sum[4] = {{0}}, least[4] = {far, far, far, far};                         \
    mli_numbers most[4] = {-far, -far, -far, -far};                                      \
    mli_flags there = {0};                                                               \
    int64_t i = 0;                                                                       \
    for (; i + 16 <= n; i += 16) {                                                       \
        for (uintptr_t at = 0; at < 16 * sizeof *v; at += 64)                            \
            __builtin_prefetch((const void *)((uintptr_t)(v + i) + AHEAD + at));         \
        UNROLL                                                                           \
        for (int h = 0; h < 4; h++) {                                                    \
            mli_numbers x = FOUR(v, i + 4 * h);                                          \
            least[h] = LESSER(x, least[h]);                                              \
            most[h] = LARGER(x, most[h]);                                                \
            if (missing) {                                                               \
                mli_flags good = x == x;                                                 \
                there -= good;                                                           \
                x = (mli_numbers)((mli_flags)x & good);                                  \
            }                                                                            \
            sum[h] += x;                                                                 \
        }                                                                                \
    }                                                                                    \
    for (int k = 0; k < 16; k++) {                                                       \
        if (least[k / 4][k % 4] < m->min) m->min = least[k / 4][k % 4];                  \
        if (most[k / 4][k % 4] > m->max) m->max = most[k / 4][k % 4];                    \
    }                                                                                    \
    m->present = missing ? there[0] + there[1] + there[2] + there[3] : i;                \
    sum[0] = (sum[0] + sum[2]) + (sum[1] + sum[3]);                                      \
    *total = (sum[0][0] + sum[0][2]) + (sum[0][1] + sum[0][3]);                          \
    return i;

#define SQUARES_BODY(UNROLL, FOUR)                                                       \
    mli_numbers sum[4] = {{0}};                                                          \
    int64_t i = 0;                                                                       \
    for (; i + 16 <= n; i += 16) {                                                       \
        UNROLL                                                                           \
        for (int h = 0; h < 4; h++) {                                                    \
            mli_numbers d = FOUR(v, i + 4 * h) - mean, square = d * d;                   \
            sum[h] += (mli_numbers)((mli_flags)square & (d == d));                       \
        }                                                                                \
    }                                                                                    \
    sum[0] = (sum[0] + sum[2]) + (sum[1] + sum[3]);                                      \
    *total = (sum[0][0] + sum[0][2]) + (sum[0][1] + sum[0][3]);                          \
    return i;

/* clang-format off */
#define LEVEL(mark, level, UNROLL, LESSER, LARGER)                                       \
    mark static int64_t whole_##level(const double *v, int64_t n, mli_moments *m,        \
                                      double *total)                                     \
    { SCAN_BODY(UNROLL, 0, NUMBERS, LESSER, LARGER) }                                    \
    mark static int64_t parts_##level(const double *v, int64_t n, mli_moments *m,        \
                                      double *total)                                     \
    { SCAN_BODY(UNROLL, 1, NUMBERS, LESSER, LARGER) }                                    \
    mark static int64_t squares_##level(const double *v, int64_t n, double mean,         \
                                        double *total)                                   \
    { SQUARES_BODY(UNROLL, NUMBERS) }
#define LESSER(x, y) CHOOSE((x) < (y), x, y)
#define LARGER(x, y) CHOOSE((x) > (y), x, y)
LEVEL(, plain, , LESSER, LARGER)
#ifdef MLI_AVX2
#define LESSER_256(x, y) (mli_numbers) _mm256_min_pd((__m256d)(x), (__m256d)(y))
#define LARGER_256(x, y) (mli_numbers) _mm256_max_pd((__m256d)(x), (__m256d)(y))
LEVEL(MLI_AVX2, avx2, MLI_UNROLL, LESSER_256, LARGER_256)
MLI_AVX2 static int64_t whole_floats(const float *v, int64_t n, mli_moments *m,
                                     double *total)
{ SCAN_BODY(MLI_UNROLL, 0, FLOATS, LESSER_256, LARGER_256) }
MLI_AVX2 static int64_t squares_floats(const float *v, int64_t n, double mean,
                                       double *total)
{ SQUARES_BODY(MLI_UNROLL, FLOATS) }
/* clang-format on */
#else
#define whole_avx2   whole_plain
#define parts_avx2   parts_plain
#define squares_avx2 squares_plain
#endif

/* Rounded sums must not leave the range: a constant is its own mean, of variance 0. */
static double mean_of(const mli_moments *m, double sum)
{
    double mean = sum / m->weight;
    return mean < m->min ? m->min : mean > m->max ? m->max : mean;
}

/* Floats where they stand, the same bits as of doubles made of them. 0: there are not
 * sixteen times so many, or some are missing or infinite. */
static int of_floats(const float *v, int64_t n, int what, mli_moments *out)
{
#ifdef MLI_AVX2
    mli_moments m = {.min = INFINITY, .max = -INFINITY};
    double sum;
    if (n % 16 || whole_floats(v, n, &m, &sum) != n || !isfinite(sum)) return 0;
    m.weight = (double)n;
    m.mean = mean_of(&m, sum);
    if (!(what & MLI_NO_SQUARES)) squares_floats(v, n, m.mean, &m.square);
    *out = m;
    return 1;
#else
    (void)v, (void)n, (void)what, (void)out;
    return 0;
#endif
}

static void count_infinite(const double *v, int64_t n, mli_moments *m)
{
    if (m->present == 0 || !(isinf(m->min) || isinf(m->max))) return;
    for (int64_t i = 0; i < n; i++) m->infinite += isinf(v[i]) != 0;
}

/* Range, sum and number of what is there; `gaps`: some are likely to be missing. */
static mli_moments scan(int fast, int gaps, const double *v, int64_t n, double *sum)
{
    const mli_moments none = {.min = INFINITY, .max = -INFINITY};
    mli_moments m = none;
    int64_t i = 0;
    if (!gaps) i = fast ? whole_avx2(v, n, &m, sum) : whole_plain(v, n, &m, sum);
    if (gaps || !isfinite(*sum)) {
        m = none;
        i = fast ? parts_avx2(v, n, &m, sum) : parts_plain(v, n, &m, sum);
    }
    for (; i < n; i++) {
        if (isnan(v[i])) continue;
        m.present++;
        *sum += v[i];
        if (v[i] < m.min) m.min = v[i];
        if (v[i] > m.max) m.max = v[i];
    }
    count_infinite(v, n, &m);
    return m;
}

/* Without weights. */
static mli_moments of_plain_piece(int fast, int gaps, const double *v, int64_t n)
{
    double sum, square;
    mli_moments m = scan(fast, gaps, v, n, &sum);
    m.weight = (double)m.present;
    if (m.present) m.mean = mean_of(&m, sum);
    int64_t i =
        fast ? squares_avx2(v, n, m.mean, &square) : squares_plain(v, n, m.mean, &square);
    for (; i < n; i++)
        if (!isnan(v[i])) square += (v[i] - m.mean) * (v[i] - m.mean);
    m.square = square;
    return m;
}

/* No squares; the mean of a range means nothing. */
static mli_moments of_mean_piece(int fast, int gaps, const double *v, int64_t n)
{
    double sum;
    mli_moments m = scan(fast, gaps, v, n, &sum);
    m.weight = (double)m.present;
    if (m.present) m.mean = mean_of(&m, sum);
    return m;
}

static mli_moments of_weighted_piece(const double *v, const double *w, int64_t n)
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
    if (m.weight > 0) m.mean = mean_of(&m, sum);
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
    int by_columns; /* else all columns of a block one after another: they may stand in
                       the same rows */
} measuring;

static mli_moments of_piece(const measuring *m, int gaps, const double *v,
                            const double *weight, int64_t n)
{
    int fast = m->d->ctx->cpu_level >= MLI_CPU_AVX2;
    if (weight) return of_weighted_piece(v, weight, n);
    return (m->what & MLI_NO_SQUARES ? of_mean_piece : of_plain_piece)(fast, gaps, v, n);
}

static int any_missing(const double *v, int64_t n)
{
    int found = 0;
    for (int64_t i = 0; i < n; i++) found |= v[i] != v[i];
    return found;
}

static void measure(void *arg, int64_t task, int32_t slot)
{
    const measuring *m = arg;
    double memory[PIECE];
    int64_t wide = m->d->n_features;
    int64_t j = m->by_columns ? task / m->blocks : task % wide;
    int64_t b = m->by_columns ? task % m->blocks : task / wide;
    int64_t begin = b * BLOCK, end = begin + BLOCK;
    (void)slot;
    if (!m->picked[j] || mli_run_state(m->run) == ML_CANCEL) return;
    if (end > m->d->rows) end = m->d->rows;
    const double *weight = m->what & MLI_WEIGHTED ? m->d->weight : NULL;
    mli_moments *to = &m->parts[j * m->blocks + b];
    int gaps = 0, plain = !weight && m->d->ctx->cpu_level >= MLI_CPU_AVX2;
    for (int64_t at = begin, n; at < end; at += n) {
        n = end - at < PIECE ? end - at : PIECE;
        mli_moments piece;
        const float *floats = plain ? mli_design_floats(m->d, j, at) : NULL;
        if (gaps || !floats || !of_floats(floats, n, m->what, &piece)) {
            const double *v = mli_design_look(m->d, j, at, at + n, memory);
            if (at == begin) gaps = n >= 64 && any_missing(v, 64);
            piece = of_piece(m, gaps, v, weight ? weight + at : NULL, n);
        }
        gaps = piece.present < n;
        if (at == begin)
            *to = piece;
        else
            merge(to, &piece);
    }
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
    int64_t stride;
    m.by_columns = !mli_design_in_place(d, ML_DTYPE_F64, &stride) &&
                   !mli_design_in_place(d, ML_DTYPE_F32, &stride);
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
