/* SPDX-License-Identifier: MIT
 *
 * prepare/affine.c: (x - center) / scale for whole rows. Features that are not picked
 * have center 0 and scale 1, which leaves every value as it is, so a row is one loop
 * without branches, as wide as the CPU's vectors.
 */
#include "algorithms/prepare/affine.h"
#include "algorithms/prepare/stream.h"

#include <float.h>
#include <math.h>

#define ROWS_BODY                                                                        \
    const double *restrict center = t->f64[0], *restrict scale = t->f64[1];              \
    int64_t width = t->plan.n_outputs;                                                   \
    for (int64_t i = 0; i < n; i++) {                                                    \
        const double *restrict in = rows + i * stride;                                   \
        double *restrict to = out + i * width;                                           \
        for (int64_t j = 0; j < width; j++) to[j] = (in[j] - center[j]) / scale[j];      \
    }

static void rows_plain(const mli_prepared *t, const double *rows, int64_t n,
                       int64_t stride, double *out){ROWS_BODY}

#ifdef MLI_AVX2
MLI_AVX2 static void rows_avx2(const mli_prepared *t, const double *rows, int64_t n,
                               int64_t stride, double *out)
{
    ROWS_BODY
}
#endif

static void clip_rows(const mli_prepared *t, int64_t n, double *out)
{
    int64_t width = t->plan.n_outputs;
    double low = t->number[0], high = t->number[1];
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < width; j++) {
            double *x = &out[i * width + j];
            if (!t->picked[j]) continue;
            if (*x < low) *x = low;
            if (*x > high) *x = high;
        }
    }
}

static void run_rows(const mli_prepared *t, const double *rows, int64_t n, int64_t stride,
                     double *out, void *scratch)
{
    (void)scratch;
#ifdef MLI_AVX2
    if (t->option[1])
        rows_avx2(t, rows, n, stride, out);
    else
#endif
        rows_plain(t, rows, n, stride, out);
    if (t->option[0]) clip_rows(t, n, out);
}

/* One column, four values at a time. */
typedef double numbers __attribute__((vector_size(32), aligned(8), may_alias));

#define COLUMN_BODY                                                                      \
    int64_t i = 0;                                                                       \
    for (; i + 4 <= n; i += 4)                                                           \
        *(numbers *)(out + i) = (*(const numbers *)(in + i) - center) / scale;           \
    return i;

static int64_t column_plain(const double *in, double center, double scale, int64_t n,
                            double *out){COLUMN_BODY}

#ifdef MLI_AVX2
MLI_AVX2 static int64_t
    column_avx2(const double *in, double center, double scale, int64_t n, double *out)
{
    COLUMN_BODY
}
#endif

static void map(const mli_prepared *t, int64_t j, const double *in, int64_t stride,
                int64_t n, double *out, int64_t out_stride)
{
    double center = t->f64[0][j], scale = t->f64[1][j];
    double low = t->number[0], high = t->number[1];
    int64_t i = 0;
    if (stride == 1 && out_stride == 1) {
#ifdef MLI_AVX2
        if (t->option[1])
            i = column_avx2(in, center, scale, n, out);
        else
#endif
            i = column_plain(in, center, scale, n, out);
    }
    for (; i < n; i++) out[i * out_stride] = (in[i * stride] - center) / scale;
    for (i = 0; t->option[0] && i < n; i++) {
        double *x = &out[i * out_stride];
        if (*x < low) *x = low;
        if (*x > high) *x = high;
    }
}

#ifdef MLI_AVX2
MLI_AVX2 static int64_t stream_plain(const double *in, double center, double scale,
                                     int64_t n, double *out)
{
    const __m256d c = _mm256_set1_pd(center), s = _mm256_set1_pd(scale);
#define FOUR(x, i) _mm256_div_pd(_mm256_sub_pd(x, c), s)
#define ONE(x, i)  (((x)-center) / scale)
    MLI_STREAM(in, n, out, FOUR, ONE)
}

MLI_AVX2 static int64_t stream_narrow(const float *in, double center, double scale,
                                      int64_t n, double *out)
{
    const __m256d c = _mm256_set1_pd(center), s = _mm256_set1_pd(scale);
    MLI_STREAM_FLOATS(in, n, out, FOUR, ONE)
}

/* Missing values stay: they are second in each comparison. */
MLI_AVX2 static int64_t stream_clipped(const double *in, double center, double scale,
                                       double low, double high, int64_t n, double *out)
{
    const __m256d c = _mm256_set1_pd(center), s = _mm256_set1_pd(scale);
    const __m256d least = _mm256_set1_pd(low), most = _mm256_set1_pd(high);
#define CUT(x)         ((x) < low ? low : (x) > high ? high : (x))
#define FOUR_CUT(x, i) _mm256_min_pd(most, _mm256_max_pd(least, FOUR(x, i)))
#define ONE_CUT(x, i)  CUT(ONE(x, i))
    MLI_STREAM(in, n, out, FOUR_CUT, ONE_CUT)
}

static int64_t stream_column(const mli_prepared *t, int64_t j, const double *in,
                             int64_t n, double *out)
{
    double center = t->f64[0][j], scale = t->f64[1][j];
    if (!t->option[0]) return stream_plain(in, center, scale, n, out);
    return stream_clipped(in, center, scale, t->number[0], t->number[1], n, out);
}
static int64_t floats_column(const mli_prepared *t, int64_t j, const float *in, int64_t n,
                             double *out)
{
    return t->option[0] ? -1 : stream_narrow(in, t->f64[0][j], t->f64[1][j], n, out);
}
#else
#define stream_column NULL
#define floats_column NULL
#endif

static ml_status load(mli_prepared *t, ml_error *err)
{
    const double *range;
    t->option[0] = mli_get_bool(t->model->params, "clip");
    t->option[1] = t->plan.ctx->cpu_level >= MLI_CPU_AVX2;
    if (mli_get_f64s(t->model->params, "range", &range) == 2) {
        t->number[0] = range[0];
        t->number[1] = range[1];
    }
    ml_status status = mli_prepare_want(t, "center", &t->f64[0], err);
    return status ? status : mli_prepare_want(t, "scale", &t->f64[1], err);
}

const mli_transformer mli_affine = {.takes = MLI_TAKES_NUMBERS,
                                    .load = load,
                                    .map = map,
                                    .stream = stream_column,
                                    .stream_floats = floats_column,
                                    .rows = run_rows};

ml_status mli_affine_plan(const ml_model *m, const char *name, mli_plan **out,
                          ml_error *err)
{
    (void)name;
    return mli_prepare_plan(m, &mli_affine, out, err);
}

ml_status mli_affine_outputs(const ml_model *m, mli_inputs **out, ml_error *err)
{
    return mli_prepare_outputs(m, &mli_affine, out, err);
}

ml_status mli_affine_add(mli_fit *job, double **center, double **scale, ml_error *err)
{
    int64_t n = job->train->n_features;
    ml_status status =
        mli_model_add(job->model, "center", ML_DTYPE_F64, 1, &n, center, err);
    if (!status)
        status = mli_model_add(job->model, "scale", ML_DTYPE_F64, 1, &n, scale, err);
    for (int64_t j = 0; j < n && !status; j++) (*scale)[j] = 1;
    return status;
}

/* Relative, so that columns of small numbers are scaled, too; beyond 1 it is the bound of
 * scikit-learn. */
double mli_affine_span(double low, double high)
{
    double span = high - low, most = fmin(1, fmax(fabs(low), fabs(high)));
    return span > 0 && span >= 10 * DBL_EPSILON * most ? span : 1;
}

const mli_attribute mli_affine_attributes[] = {
    {"center", "f64", "[features]", "What is subtracted from each column."},
    {"scale", "f64", "[features]", "What each column is divided by then."},
    {NULL, NULL, NULL, NULL}};
