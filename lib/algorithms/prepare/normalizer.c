/* SPDX-License-Identifier: MIT
 *
 * prepare/normalizer.c: divides each row by its length over the picked columns. Missing
 * values stay missing and count nothing; a row of zeros stays. No tensors. A length is
 * made of four partial sums, those of every fourth column, the same at every level of the
 * CPU.
 */
#include "algorithms/prepare/lanes.h"
#include "algorithms/prepare/stream.h"

#include <math.h>
#include <string.h>

enum { L1, L2, MOST };
#define NORM  option[0]
#define FAST  option[1]
#define PICKS own[0] /* int64_t [features]: all bits of picked ones */

static ml_status fit(mli_fit *job, ml_error *err)
{
    uint8_t *picked = NULL;
    ml_status status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &picked, err);
    mli_free(job->ctx, picked);
    return status;
}

static ml_status load(mli_prepared *t, ml_error *err)
{
    int64_t n = t->in->n_features;
    int64_t *picks = mli_calloc(t->plan.ctx, (size_t)n, sizeof *picks);
    t->PICKS = picks;
    if (!picks) return mli_nomem(err);
    for (int64_t j = 0; j < n; j++) picks[j] = t->picked[j] ? -1 : 0;
    t->NORM = mli_get_enum(t->model->params, "norm", "l1,l2,max");
    t->FAST = t->plan.ctx->cpu_level >= MLI_CPU_AVX2;
    return ML_OK;
}

MLI_LANES_INLINE double add(int norm, double sum, double x)
{
    if (norm == MOST) return fabs(x) > sum ? fabs(x) : sum;
    return sum + (norm == L1 ? fabs(x) : x * x);
}

MLI_LANES_INLINE double length(int norm, const double *row, const int64_t *picks,
                               int64_t n)
{
    const mli_flags positive = (mli_flags){0} + INT64_MAX;
    mli_numbers sum = {0};
    int64_t j = 0;
    for (; j + 4 <= n; j += 4) {
        mli_numbers x = *(const mli_numbers *)(row + j);
        x = (mli_numbers)((mli_flags)x & (x == x) & *(const mli_flags *)(picks + j) &
                          positive);
        if (norm == MOST)
            sum =
                (mli_numbers)(((mli_flags)x & (x > sum)) | ((mli_flags)sum & ~(x > sum)));
        else if (norm == L1)
            sum += x;
        else
            sum += x * x;
    }
    for (int k = 0; j < n; j++, k++)
        if (picks[j] && row[j] == row[j]) sum[k] = add(norm, sum[k], row[j]);
    if (norm == MOST) return fmax(fmax(sum[0], sum[2]), fmax(sum[1], sum[3]));
    double all = (sum[0] + sum[2]) + (sum[1] + sum[3]);
    return norm == L2 ? sqrt(all) : all;
}

MLI_LANES_INLINE void divide(const double *row, const int64_t *picks, int64_t n,
                             double by, double *out)
{
    const mli_flags one = (mli_flags)((mli_numbers){0} + 1),
                    length = (mli_flags)((mli_numbers){0} + by);
    int64_t j = 0;
    for (; j + 4 <= n; j += 4) {
        mli_flags pick = *(const mli_flags *)(picks + j);
        *(mli_numbers *)(out + j) = *(const mli_numbers *)(row + j) /
                                    (mli_numbers)((length & pick) | (one & ~pick));
    }
    for (; j < n; j++) out[j] = picks[j] ? row[j] / by : row[j];
}

#define ROWS_BODY(norm)                                                                  \
    int64_t width = t->in->n_features;                                                   \
    const int64_t *picks = t->PICKS;                                                     \
    for (int64_t i = 0; i < n; i++, rows += stride, out += width) {                      \
        double by = length(norm, rows, picks, width);                                    \
        divide(rows, picks, width, by > 0 ? by : 1, out);                                \
    }

#define ROWS(mark, name, norm)                                                           \
    mark static void name(const mli_prepared *t, const double *rows, int64_t n,          \
                          int64_t stride, double *out)                                   \
    {                                                                                    \
        ROWS_BODY(norm)                                                                  \
    }
ROWS(, l1_plain, L1)
ROWS(, l2_plain, L2)
ROWS(, most_plain, MOST)
#ifdef MLI_AVX2
ROWS(MLI_AVX2, l1_avx2, L1)
ROWS(MLI_AVX2, l2_avx2, L2)
ROWS(MLI_AVX2, most_avx2, MOST)
#else
#define l1_avx2   l1_plain
#define l2_avx2   l2_plain
#define most_avx2 most_plain
#endif

static void run_rows(const mli_prepared *t, const double *rows, int64_t n, int64_t stride,
                     double *out, void *scratch)
{
    (void)scratch;
    if (t->NORM == L1)
        (t->FAST ? l1_avx2 : l1_plain)(t, rows, n, stride, out);
    else if (t->NORM == L2)
        (t->FAST ? l2_avx2 : l2_plain)(t, rows, n, stride, out);
    else
        (t->FAST ? most_avx2 : most_plain)(t, rows, n, stride, out);
}

/* ---- by columns ---- */

/* Four numbers, while those of a later column are fetched: columns are read by two
 * kilobytes, which is too short for the hardware to see what comes. Four floats, made
 * numbers of. */
#define NUMBERS(x) (__builtin_prefetch(later + i), *(const mli_numbers *)(x))
#define FLOATS(x)  (mli_numbers) _mm256_cvtps_pd(_mm_loadu_ps(x))
#define LATER      2 /* columns */

/* A column into the partial sums of its rows. */
#define ADD(norm, FOUR)                                                                  \
    for (; i + 4 <= n; i += 4) {                                                         \
        mli_numbers v = FOUR(x + i), s = *(mli_numbers *)(sum + i);                      \
        v = (mli_numbers)((mli_flags)v & (v == v) & positive);                           \
        if (norm == MOST)                                                                \
            s = (mli_numbers)(((mli_flags)v & (v > s)) | ((mli_flags)s & ~(v > s)));     \
        else if (norm == L1)                                                             \
            s += v;                                                                      \
        else                                                                             \
            s += v * v;                                                                  \
        *(mli_numbers *)(sum + i) = s;                                                   \
    }
#define ADD_BODY(FOUR)                                                                   \
    const mli_flags positive = (mli_flags){0} + INT64_MAX;                               \
    int64_t i = 0;                                                                       \
    if (norm == L1)                                                                      \
        ADD(L1, FOUR)                                                                    \
    else if (norm == L2)                                                                 \
        ADD(L2, FOUR)                                                                    \
    else                                                                                 \
        ADD(MOST, FOUR)                                                                  \
    for (; i < n; i++)                                                                   \
        if (x[i] == x[i]) sum[i] = add(norm, sum[i], x[i]);

MLI_LANES_INLINE void divide_column(const double *x, const double *by, int64_t n,
                                    double *out)
{
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        *(mli_numbers *)(out + i) =
            *(const mli_numbers *)(x + i) / *(const mli_numbers *)(by + i);
    for (; i < n; i++) out[i] = x[i] / by[i];
}

#define COLUMNS(mark, level)                                                             \
    mark static void add_##level(int norm, const double *x, const double *later,         \
                                 int64_t n, double *sum){ADD_BODY(                       \
        NUMBERS)} mark static void divide_##level(const double *x, const double *by,     \
                                                  int64_t n, double *out)                \
    {                                                                                    \
        divide_column(x, by, n, out);                                                    \
    }
COLUMNS(, plain)
#ifdef MLI_AVX2
COLUMNS(MLI_AVX2, avx2)
MLI_AVX2 static void add_floats(int norm, const float *x, int64_t n,
                                double *sum){ADD_BODY(FLOATS)}

/* Lengths of four rows at a time from their partial sums. Returns of how many. */
MLI_AVX2 static int64_t join_avx2(int norm, int64_t n, double *sum)
{
    const __m256d none = _mm256_setzero_pd(), one = _mm256_set1_pd(1);
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256d a = _mm256_loadu_pd(sum + i), b = _mm256_loadu_pd(sum + i + MLI_ACROSS);
        __m256d c = _mm256_loadu_pd(sum + i + 2 * MLI_ACROSS);
        __m256d d = _mm256_loadu_pd(sum + i + 3 * MLI_ACROSS);
        __m256d by = _mm256_add_pd(_mm256_add_pd(a, c), _mm256_add_pd(b, d));
        if (norm == L2) by = _mm256_sqrt_pd(by);
        if (norm == MOST) by = _mm256_max_pd(_mm256_max_pd(a, c), _mm256_max_pd(b, d));
        by = _mm256_blendv_pd(one, by, _mm256_cmp_pd(by, none, _CMP_GT_OQ));
        _mm256_storeu_pd(sum + i, by);
    }
    return i;
}
#else
#define add_avx2              add_plain
#define divide_avx2           divide_plain
#define join_avx2(norm, n, s) 0
static void add_floats(int norm, const float *x, int64_t n, double *sum)
{
    (void)norm, (void)x, (void)n,
        (void)sum; /* there are none: see mli_plan.output_past */
}
#endif

/* Lengths of rows from the sums of every fourth column, into the first of them. */
static void lengths(const mli_prepared *t, const double *const *in,
                    const float *const *floats, int64_t n, double *sum)
{
    int64_t wide = t->in->n_features;
    memset(sum, 0, 4 * MLI_ACROSS * sizeof *sum);
    for (int64_t j = 0; j < wide; j++) {
        const double *later = j + LATER < wide && in[j + LATER] ? in[j + LATER] : in[j];
        double *to = sum + j % 4 * MLI_ACROSS;
        if (!t->picked[j]) continue;
        if (floats && floats[j])
            add_floats(t->NORM, floats[j], n, to);
        else
            (t->FAST ? add_avx2 : add_plain)(t->NORM, in[j], later, n, to);
    }
    int64_t i = t->FAST ? join_avx2(t->NORM, n, sum) : 0;
    for (; i < n; i++) {
        double a = sum[i], b = sum[i + MLI_ACROSS], c = sum[i + 2 * MLI_ACROSS];
        double d = sum[i + 3 * MLI_ACROSS], by = (a + c) + (b + d);
        if (t->NORM == L2) by = sqrt(by);
        if (t->NORM == MOST) by = fmax(fmax(a, c), fmax(b, d));
        sum[i] = by > 0 ? by : 1;
    }
}

static void output(const mli_prepared *t, const double *const *in, int64_t n, int64_t k,
                   double *out, double *scratch)
{
    if (k == 0) lengths(t, in, NULL, n, scratch);
    if (t->picked[k])
        (t->FAST ? divide_avx2 : divide_plain)(in[k], scratch, n, out);
    else
        memcpy(out, in[k], (size_t)n * sizeof *out);
}

#ifdef MLI_AVX2
#define FOUR_BY(x, i) _mm256_div_pd(x, _mm256_loadu_pd(by + (i)))
#define ONE_BY(x, i)  ((x) / by[i])
MLI_AVX2 static int64_t divide_past(const double *in, const double *by, int64_t n,
                                    double *out){MLI_STREAM(in, n, out, FOUR_BY, ONE_BY)}

MLI_AVX2 static int64_t
    divide_floats(const float *in, const double *by, int64_t n, double *out)
{
    MLI_STREAM_FLOATS(in, n, out, FOUR_BY, ONE_BY)
}

static int64_t past_column(const mli_prepared *t, const double *const *in,
                           const float *const *floats, int64_t n, int64_t k, double *out,
                           double *scratch)
{
    double *ones = scratch + MLI_ACROSS;
    if (k == 0) {
        lengths(t, in, floats, n, scratch);
        for (int64_t i = 0; i < n; i++) ones[i] = 1; /* for columns that pass unchanged */
    }
    const double *by = t->picked[k] ? scratch : ones;
    return floats[k] ? divide_floats(floats[k], by, n, out)
                     : divide_past(in[k], by, n, out);
}
#else
#define past_column NULL
#endif

static const mli_transformer kind = {.takes = MLI_TAKES_NUMBERS,
                                     .load = load,
                                     .rows = run_rows,
                                     .output = output,
                                     .output_past = past_column};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"norm", NULL, ML_PARAM_STR, 0, "l2", "{l1, l2, max}", NULL, NULL,
     "What the length is: the sum of absolute values, the root of the sum of squares, or "
     "the largest absolute value.",
     "0.1"},
    MLI_PARAM_END};

extern const mli_algorithm mli_normalizer;
const mli_algorithm mli_normalizer = {
    .head = {MLI_PREPARE_HEAD, .name = "normalizer", .aliases = "normalize",
             .title = "rows of length 1", .doc = "Divides each row by its length.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
