/* SPDX-License-Identifier: MIT
 *
 * The vector kernels: right values, and the same bits at every level of instructions.
 */
#include "testing.h"

#include "core/cpu.h"
#include "tensor/kernels.h"

#define MOST 300

/* A small generator of doubles in [-1, 1), so that the data are the same everywhere. */
static double noise(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(*state >> 11) / 4503599627370496.0 - 1.0;
}

static void fill(double *x, int64_t n, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++) x[i] = noise(&seed) * (i % 7 == 3 ? 1e8 : 1.0);
}

/* The sum as the contract says it: sixteen partial sums, then halves. */
static double sum_by_contract(const double *terms, int64_t n)
{
    double s[16] = {0};
    for (int64_t i = 0; i < n; i++) s[i % 16] += terms[i];
    for (int half = 8; half; half /= 2)
        for (int l = 0; l < half; l++) s[l] += s[l + half];
    return s[0];
}

static int same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* Distance in units of the last place of b. */
static double ulps(double a, long double b)
{
    double near = (double)b;
    if (a == near)
        return fabs((double)((long double)a - b)) /
               (nextafter(fabs(near), INFINITY) - fabs(near));
    if (!isfinite(a) || !isfinite(near)) return INFINITY;
    return (double)(fabsl((long double)a - b) /
                    (long double)(nextafter(fabs(near), INFINITY) - fabs(near)));
}

#define EACH_LEVEL(k)                                                                    \
    for (int32_t level = MLI_CPU_SCALAR; level <= MLI_CPU_AVX512; level++)               \
        for (const mli_kernels *k = mli_kernels_level(level); k; k = NULL)

START_TEST(levels)
{
    ck_assert_ptr_nonnull(mli_kernels_level(MLI_CPU_SCALAR));
    int32_t best = mli_cpu_best();
    ck_assert_ptr_nonnull(mli_kernels_level(best));
    if (best < MLI_CPU_AVX512) ck_assert_ptr_null(mli_kernels_level(best + 1));
    ml_context *ctx = test_context(0);
    ck_assert_ptr_eq(mli_kernels_of(ctx), mli_kernels_level(best));
    ml_context_free(ctx);
    ml_host host = ML_HOST_INIT;
    host.cpu_level = MLI_CPU_SCALAR;
    OK(ml_context_new(&host, &ctx, ERR));
    ck_assert_ptr_eq(mli_kernels_of(ctx), mli_kernels_level(MLI_CPU_SCALAR));
    ml_context_free(ctx);
}
END_TEST

START_TEST(sums_follow_the_contract)
{
    double w[MOST + 1], x[MOST + 1], y[MOST + 1], t[MOST];
    fill(w, MOST + 1, 1);
    fill(x, MOST + 1, 2);
    fill(y, MOST + 1, 3);
    EACH_LEVEL(k)
    for (int64_t n = 0; n < MOST; n += n < 40 ? 1 : 13) {
        const double *u = x + 1, *v = y + 1; /* not aligned */
        ck_assert(same(k->sum(u, n), sum_by_contract(u, n)));
        for (int64_t i = 0; i < n; i++) t[i] = u[i] * v[i];
        ck_assert(same(k->dot(u, v, n), sum_by_contract(t, n)));
        for (int64_t i = 0; i < n; i++) t[i] = w[i] * u[i] * v[i];
        ck_assert(same(k->dot3(w, u, v, n), sum_by_contract(t, n)));
    }
}
END_TEST

START_TEST(elementwise)
{
    double x[MOST], y[MOST], z[MOST], t[MOST];
    fill(x, MOST, 4);
    fill(y, MOST, 5);
    EACH_LEVEL(k)
    for (int64_t n = 0; n < 40; n++) {
        memcpy(z, y, sizeof z);
        k->axpy(1.7, x, z, n);
        for (int64_t i = 0; i < n; i++) ck_assert(same(z[i], y[i] + 1.7 * x[i]));
        ck_assert(same(z[n], y[n])); /* nothing written beyond */
        memcpy(z, y, sizeof z);
        k->scale(-0.3, z, n);
        for (int64_t i = 0; i < n; i++) ck_assert(same(z[i], -0.3 * y[i]));
        ck_assert(same(z[n], y[n]));
        memcpy(z, y, sizeof z);
        k->affine(2.5, -1e3, x, z, n);
        for (int64_t i = 0; i < n; i++) ck_assert(same(z[i], 2.5 * x[i] + -1e3));
        ck_assert(same(z[n], y[n]));
        k->multiply(x, y, t, n);
        for (int64_t i = 0; i < n; i++) ck_assert(same(t[i], x[i] * y[i]));
        k->affine(0.5, 0.0, z, z, n); /* in place */
        for (int64_t i = 0; i < n; i++)
            ck_assert(same(z[i], 0.5 * (2.5 * x[i] + -1e3) + 0.0));
    }
}
END_TEST

START_TEST(floats)
{
    float f[MOST], g[MOST];
    double x[MOST];
    uint64_t seed = 6;
    for (int i = 0; i < MOST; i++) f[i] = (float)(noise(&seed) * 1e30);
    f[3] = INFINITY;
    f[17] = -0.0f;
    EACH_LEVEL(k)
    for (int64_t n = 0; n < 40; n++) {
        x[n] = 42;
        k->f32_to_f64(f, x, n);
        for (int64_t i = 0; i < n; i++) ck_assert(same(x[i], (double)f[i]));
        ck_assert(x[n] == 42);
        g[n] = 42;
        k->f64_to_f32(x, g, n);
        ck_assert_int_eq(memcmp(f, g, (size_t)n * sizeof *f), 0);
        ck_assert(g[n] == 42);
    }
    EACH_LEVEL(k)
    {
        double nan = NAN, tiny = 1e-60, third = 1.0 / 3;
        float out;
        k->f64_to_f32(&nan, &out, 1);
        ck_assert(isnan(out));
        k->f64_to_f32(&tiny, &out, 1);
        ck_assert(out == 0);
        k->f64_to_f32(&third, &out, 1);
        ck_assert(out == (float)third);
    }
}
END_TEST

START_TEST(exp_is_exact_enough)
{
    enum { N = 20011 };
    static double x[N], y[N], first[N];
    uint64_t seed = 7;
    for (int i = 0; i < N; i++) {
        double width = i % 3 == 0 ? 745.0 : i % 3 == 1 ? 20.0 : 0.4;
        x[i] = noise(&seed) * width;
    }
    int done = 0;
    EACH_LEVEL(k)
    {
        double worst = 0;
        k->exp(x, y, N);
        for (int i = 0; i < N; i++) {
            double off = ulps(y[i], expl((long double)x[i]));
            if (off > worst) worst = off;
        }
        ck_assert_msg(worst < 1.0, "off by %f ulp at level %d", worst, level);
        if (done++) ck_assert_int_eq(memcmp(y, first, sizeof y), 0);
        memcpy(first, y, sizeof y);
    }
}
END_TEST

START_TEST(exp_at_the_edges)
{
    const double x[] = {0.0,    -0.0,   1.0,    INFINITY, -INFINITY, NAN,   709.78,
                        709.79, -708.5, -745.0, -745.2,   -1e300,    1e300, 5e-324};
    const int n = sizeof x / sizeof *x;
    double y[16];
    EACH_LEVEL(k)
    {
        k->exp(x, y, n);
        for (int i = 0; i < n; i++) {
            double right = exp(x[i]);
            if (isnan(right))
                ck_assert(isnan(y[i]));
            else if (!isfinite(right) || right == 0 || right == 1)
                ck_assert(y[i] == right);
            else
                ck_assert(ulps(y[i], expl((long double)x[i])) <= 1.0);
        }
        /* One element alone takes the padded path. */
        k->exp(x + 2, y, 1);
        ck_assert(ulps(y[0], expl(1.0L)) < 1.0);
    }
}
END_TEST

/* The exponential less 1: near 0, where digits could be lost, far from it, at the edges.
 */
START_TEST(exp_less_one)
{
    enum { N = 8009 };
    static double x[N], y[N], first[N];
    const double edges[] = {0, INFINITY, -INFINITY, 710, -800, NAN, 1e-300, -5e-324};
    const int n_edges = sizeof edges / sizeof *edges;
    uint64_t seed = 23;
    for (int i = 0; i < N; i++)
        x[i] = i < n_edges ? edges[i] : noise(&seed) * ldexp(1, i % 80 - 70);
    int done = 0;
    EACH_LEVEL(k)
    {
        k->expm1(x, y, N);
        ck_assert(y[0] == 0 && y[1] == INFINITY && y[2] == -1 && y[3] == INFINITY);
        ck_assert(y[4] == -1 && isnan(y[5]) && y[6] == 1e-300 && y[7] == -5e-324);
        for (int i = n_edges; i < N; i++) {
            long double right = expm1l((long double)x[i]);
            ck_assert_msg(isinf((double)right) ? y[i] == INFINITY : ulps(y[i], right) < 3,
                          "%a gives %a", x[i], y[i]);
        }
        y[5] = 0;
        if (done++) ck_assert_mem_eq(y, first, sizeof y);
        memcpy(first, y, sizeof y);
    }
}
END_TEST

START_TEST(sigmoid)
{
    enum { N = 5003 };
    static double x[N], y[N], first[N];
    uint64_t seed = 8;
    for (int i = 0; i < N; i++) x[i] = noise(&seed) * (i % 2 ? 700 : 8);
    x[0] = INFINITY;
    x[1] = -INFINITY;
    x[2] = NAN;
    x[3] = 0;
    int done = 0;
    EACH_LEVEL(k)
    {
        k->sigmoid(x, y, N);
        ck_assert(y[0] == 1 && y[1] == 0 && isnan(y[2]) && y[3] == 0.5);
        for (int i = 4; i < N; i++) {
            long double right = 1 / (1 + expl(-(long double)x[i]));
            ck_assert_msg(ulps(y[i], right) < 2.0, "%a gives %a", x[i], y[i]);
        }
        y[2] = 0;
        if (done++) ck_assert_int_eq(memcmp(y, first, sizeof y), 0);
        memcpy(first, y, sizeof y);
    }
}
END_TEST

/* Both functions in one, and zeros counted: any length, the same bits. */
START_TEST(logistic_is_both)
{
    enum { N = 1003 };
    static double x[N], p[N + 1], s[N + 1], a[N], b[N];
    uint64_t seed = 3;
    for (int i = 0; i < N; i++) x[i] = i % 5 ? noise(&seed) * 40 : 0.0;
    x[7] = INFINITY;
    x[8] = -INFINITY;
    EACH_LEVEL(k)
    {
        for (int64_t n = N - 20; n <= N; n++) {
            int64_t zeros = 0;
            p[n] = s[n] = 7;
            k->logistic(x, p, s, n);
            k->sigmoid(x, a, n);
            k->softplus(x, b, n);
            ck_assert_int_eq(memcmp(p, a, (size_t)n * sizeof *a), 0);
            ck_assert_int_eq(memcmp(s, b, (size_t)n * sizeof *b), 0);
            ck_assert(p[n] == 7 && s[n] == 7);
            for (int64_t i = 0; i < n; i++) zeros += x[i] == 0;
            ck_assert_int_eq(k->zeros(x, n), zeros);
        }
    }
}
END_TEST

START_TEST(softplus)
{
    enum { N = 5003 };
    static double x[N], y[N], first[N];
    uint64_t seed = 12;
    for (int i = 0; i < N; i++) x[i] = noise(&seed) * (i % 2 ? 700 : 5);
    x[0] = INFINITY;
    x[1] = -INFINITY;
    x[2] = NAN;
    x[3] = -745.5;
    int done = 0;
    EACH_LEVEL(k)
    {
        k->softplus(x, y, N);
        ck_assert(y[0] == INFINITY && y[1] == 0 && isnan(y[2]) && y[3] == 0);
        for (int i = 4; i < N; i++) {
            long double right =
                fmaxl((long double)x[i], 0) + log1pl(expl(-fabsl((long double)x[i])));
            ck_assert_msg(ulps(y[i], right) < 2.0, "%a gives %a", x[i], y[i]);
        }
        y[2] = 0;
        if (done++) ck_assert_int_eq(memcmp(y, first, sizeof y), 0);
        memcpy(first, y, sizeof y);
    }
}
END_TEST

/* Over the whole range, about 1 and about 0; with and without 1 added. */
START_TEST(logarithms)
{
    enum { N = 20011 };
    static double x[N], y[N], z[N], first[2][N];
    uint64_t seed = 21;
    for (int i = 0; i < N; i++) {
        double r = noise(&seed);
        x[i] = i % 4 == 0   ? ldexp(1 + fabs(r), i / 4 % 2098 - 1074) /* every exponent */
               : i % 4 == 1 ? 1 + ldexp(r, -1 - i / 4 % 53)
               : i % 4 == 2 ? ldexp(1 + fabs(r), i % 50 - 60)
                            : ldexp(1 + fabs(r), -1040 - i % 30);
    }
    int done = 0;
    EACH_LEVEL(k)
    {
        double worst[2] = {0};
        k->log(x, y, N);
        for (int i = 0; i < N; i++)
            worst[0] = fmax(worst[0], ulps(y[i], logl((long double)x[i])));
        for (int i = 0; i < N; i++) z[i] = i % 2 || x[i] >= 1 ? x[i] : -x[i];
        k->log1p(z, z, N); /* in place */
        for (int i = 0; i < N; i++) {
            long double at = i % 2 || x[i] >= 1 ? x[i] : -x[i];
            worst[1] = fmax(worst[1], ulps(z[i], log1pl(at)));
        }
        ck_assert_msg(worst[0] < 1 && worst[1] < 1, "off by %f, %f ulp at level %d",
                      worst[0], worst[1], level);
        if (done++) {
            ck_assert_int_eq(memcmp(y, first[0], sizeof y), 0);
            ck_assert_int_eq(memcmp(z, first[1], sizeof z), 0);
        }
        memcpy(first[0], y, sizeof y);
        memcpy(first[1], z, sizeof z);
    }
}
END_TEST

START_TEST(logarithms_at_the_edges)
{
    const double x[] = {0.0,     -0.0,      1.0,     INFINITY, -INFINITY,
                        NAN,     -1.0,      -0.5,    -2.0,     5e-324,
                        1.7e308, 0x1p-1022, -5e-324, -0x1p-54, 1e-300};
    const int n = sizeof x / sizeof *x;
    double y[16], z[16];
    EACH_LEVEL(k)
    {
        k->log(x, y, n);
        k->log1p(x, z, n);
        for (int i = 0; i < n; i++) {
            ck_assert_msg(isnan(log(x[i])) ? isnan(y[i])
                          : isfinite(log(x[i]))
                              ? fabs(y[i] - log(x[i])) <= 1e-15 * fabs(y[i])
                              : y[i] == log(x[i]),
                          "log(%a) is %a", x[i], y[i]);
            ck_assert_msg(isnan(log1p(x[i])) ? isnan(z[i])
                          : isfinite(log1p(x[i]))
                              ? fabs(z[i] - log1p(x[i])) <= 1e-15 * fabs(z[i])
                              : z[i] == log1p(x[i]),
                          "log1p(%a) is %a", x[i], z[i]);
        }
        ck_assert(signbit(z[1]) && !signbit(z[0]) && y[2] == 0);
    }
}
END_TEST

/* Any length: the same numbers, but NaN for -infinity. */
START_TEST(logarithms_past_the_caches)
{
    _Alignas(64) double y[64];
    double x[64], z[64];
    uint64_t seed = 22;
    for (int i = 0; i < 64; i++)
        x[i] = i % 9 == 4   ? -1.0 + i % 2
               : i % 9 == 7 ? (i % 2 ? NAN : -INFINITY)
               : i % 9 == 8 ? (i % 2 ? INFINITY : 5e-324)
                            : ldexp(noise(&seed), i - 30);
    EACH_LEVEL(k)
    {
        if (!k->log_past) continue;
        for (int n = 0; n < 128; n++) {
            int64_t missing = 0, m = n / 2;
            (n % 2 ? k->log : k->log1p)(x, z, m);
            for (int i = 0; i < m; i++) {
                if (z[i] == -INFINITY) z[i] = NAN;
                missing += isnan(z[i]);
            }
            ck_assert_int_eq((n % 2 ? k->log_past : k->log1p_past)(x, y, m), missing);
            for (int i = 0; i < m; i++)
                ck_assert_msg(same(y[i], z[i]) || (isnan(y[i]) && isnan(z[i])),
                              "%a gives %a, not %a", x[i], y[i], z[i]);
        }
    }
}
END_TEST

START_TEST(combinations)
{
    enum { LD = 45, P = 5 };
    double x[P * LD], b[P] = {0.5, -3, 1e9, 0.1, 7}, z[LD], start[LD];
    fill(x, P * LD, 13);
    fill(start, LD, 14);
    EACH_LEVEL(k)
    for (int64_t n = 0; n < LD; n++) {
        memcpy(z, start, sizeof z);
        k->combine(x, LD, P, b, z, n);
        for (int64_t r = 0; r < n; r++) {
            double s = start[r];
            for (int j = 0; j < P; j++) s += b[j] * x[j * LD + r];
            ck_assert(same(s, z[r]));
        }
        ck_assert(same(z[n], start[n]));
        k->standardize(0.3, 1.7, x, z, n);
        for (int64_t r = 0; r < n; r++) ck_assert(same(z[r], (x[r] - 0.3) * 1.7));
        ck_assert(same(z[n], start[n]));
    }
}
END_TEST

/* Columns by their entries, of all widths, with values and without. */
START_TEST(entries)
{
    enum { N = 4, ROWS = 9, MOST_WIDTH = 36 };
    static const uint32_t first[N + 1] = {3, 3, 4, 13, 17};
    static const uint16_t row[17] = {0, 0, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 4, 5, 7};
    double value[17], b[N * MOST_WIDTH], z[ROWS * MOST_WIDTH], was[ROWS * MOST_WIDTH];
    double u[ROWS * MOST_WIDTH], g[N * MOST_WIDTH];
    fill(value, 17, 15);
    fill(b, N * MOST_WIDTH, 16);
    fill(was, ROWS * MOST_WIDTH, 17);
    fill(u, ROWS * MOST_WIDTH, 18);
    EACH_LEVEL(k)
    for (int64_t w = 1; w <= MOST_WIDTH; w += w == 1 ? 3 : 4)
        for (int ones = 0; ones < 2; ones++) {
            const double *v = ones ? NULL : value;
            memcpy(z, was, sizeof z);
            memcpy(g, b, sizeof g);
            k->entries_add(first, N, row, v, b, w, z);
            k->entries_dot(first, N, row, v, u, w, g);
            for (int64_t i = 0; i < ROWS * w; i++) {
                double s = was[i];
                for (int c = 0; c < N; c++)
                    for (uint32_t e = first[c]; e < first[c + 1]; e++)
                        if (row[e] == i / w) s += (v ? v[e] : 1) * b[c * w + i % w];
                ck_assert(same(s, z[i]));
            }
            for (int64_t i = 0; i < N * w; i++) {
                double s = b[i], parts[4] = {0};
                for (uint32_t e = first[i / w]; e < first[i / w + 1]; e++) {
                    double add = (v ? v[e] : 1) * u[row[e] * w + i % w];
                    if (w > 1) s += add;
                    parts[(e - first[i / w]) % 4] += add;
                }
                if (w == 1) s += (parts[0] + parts[2]) + (parts[1] + parts[3]);
                ck_assert(same(s, g[i]));
            }
        }
}
END_TEST

/* Sums that cancel to the last bits of products. */
START_TEST(double_double)
{
    double x[9] = {1e3, 1, -1e3, 0x1.0000001p0, -1, 3, 0, 0, 1e-20};
    double y[9] = {1e3, 1, 1e3, 0x1.0000001p0, 1, 1.0 / 3, 0, 0, 1};
    double xl[9] = {0}, yl[9] = {0};
    yl[5] = 0x1p-60;
    /* 1e6 + 1 - 1e6 + (1 + 2^-28)^2 - 1 + 3 fl(1/3) + 3 2^-60 + 1e-20 */
    long double right =
        1 + 0x1p-27L + 0x1p-56L + 3 * (long double)(1.0 / 3) + 3 * 0x1p-60L;
    EACH_LEVEL(k)
    {
        double sum[2] = {0, 0};
        k->dot_dd(x, xl, y, yl, 9, sum);
        long double got = (long double)sum[0] + (long double)sum[1];
        ck_assert_msg(fabsl(got - right) < 1e-18L, "off by %Lg", got - right);
        k->dot_dd(x, xl, y, yl, 0, sum);
        ck_assert(got == (long double)sum[0] + (long double)sum[1]);
    }
}
END_TEST

START_TEST(double_double_is_the_same_everywhere)
{
    double x[83], xl[83], y[83], yl[83], first[2] = {0};
    fill(x, 83, 15);
    fill(y, 83, 16);
    fill(xl, 83, 17);
    fill(yl, 83, 18);
    for (int i = 0; i < 83; i++) xl[i] *= 1e-17, yl[i] *= 1e-17;
    for (int64_t n = 0; n < 83; n += 5) {
        int done = 0;
        EACH_LEVEL(k)
        {
            double sum[2] = {0.25, 1e-20};
            k->dot_dd(x, xl, y, yl, n, sum);
            if (done++) ck_assert_int_eq(memcmp(sum, first, sizeof sum), 0);
            memcpy(first, sum, sizeof sum);
        }
    }
}
END_TEST

START_TEST(gram)
{
    enum { LD = 83 };
    double x[3 * LD], y[4 * LD], c[12], first[12];
    fill(x, 3 * LD, 9);
    fill(y, 4 * LD, 10);
    for (int64_t n = 0; n <= LD; n += n < 9 ? 1 : 7) {
        int done = 0;
        EACH_LEVEL(k)
        {
            for (int i = 0; i < 12; i++) c[i] = i;
            k->gram3x4(x, y, LD, n, c);
            for (int i = 0; i < 12; i++) {
                double s[4] = {0};
                for (int64_t r = 0; r < n; r++)
                    s[r % 4] += x[i / 4 * LD + r] * y[i % 4 * LD + r];
                ck_assert(same(c[i], i + ((s[0] + s[2]) + (s[1] + s[3]))));
            }
            if (done++) ck_assert_int_eq(memcmp(c, first, sizeof c), 0);
            memcpy(first, c, sizeof c);
        }
    }
}
END_TEST

TEST_MAIN("tensor/kernels", levels, sums_follow_the_contract, elementwise, floats,
          exp_is_exact_enough, exp_at_the_edges, exp_less_one, sigmoid, softplus,
          logistic_is_both, logarithms, logarithms_at_the_edges,
          logarithms_past_the_caches, combinations, entries, double_double,
          double_double_is_the_same_everywhere, gram)
