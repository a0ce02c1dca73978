/* SPDX-License-Identifier: MIT
 *
 * kernels_body.h: the kernels, written once with the vector types of GCC and Clang, and
 * compiled once per instruction set. The including file defines
 *
 *     KERNEL_TARGET  the mark of the functions (MLI_AVX2, or nothing for the baseline)
 *     KERNEL_WIDTH   doubles per vector: 2, 4 or 8
 *     KERNEL_TABLE   the name of the table
 *
 * Loops over the parts of sixteen partial sums have constant bounds and are unrolled, so
 * the sums live in registers.
 */
#include "tensor/kernels.h"
#include <math.h>
#include <string.h>
#if KERNEL_WIDTH > 2
#include <immintrin.h>
#endif

#define LANES  16
#define W      KERNEL_WIDTH
#define PARTS  (LANES / W)
#define KERNEL KERNEL_TARGET static
#define INSIDE KERNEL_TARGET static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

typedef double vec __attribute__((vector_size(W * 8)));
typedef int64_t ints __attribute__((vector_size(W * 8)));
typedef uint64_t uints __attribute__((vector_size(W * 8)));
typedef float floats __attribute__((vector_size(W * 4)));
/* The same without a claim of alignment, for loads and stores. */
typedef double vec_any __attribute__((vector_size(W * 8), aligned(8), may_alias));
typedef float floats_any __attribute__((vector_size(W * 4), aligned(4), may_alias));

#define LOAD(p)     ((vec) * (const vec_any *)(p))
#define STORE(p, v) (*(vec_any *)(p) = (vec_any)(v))

/* A number in every lane (subtracting zero keeps minus zero). */
INSIDE vec all(double a)
{
    return a - (vec){0};
}

/* The total of the partial sums. */
INSIDE double fold(double *s)
{
    for (int half = LANES / 2; half; half /= 2)
        for (int l = 0; l < half; l++) s[l] += s[l + half];
    return s[0];
}

KERNEL double k_dot(const double *x, const double *y, int64_t n)
{
    vec acc[PARTS] = {{0}};
    double s[LANES];
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        UNROLL
        for (int p = 0; p < PARTS; p++)
            acc[p] += LOAD(x + i + p * W) * LOAD(y + i + p * W);
    }
    memcpy(s, acc, sizeof s);
    for (int l = 0; i < n; i++, l++) s[l] += x[i] * y[i];
    return fold(s);
}

KERNEL double k_sum(const double *x, int64_t n)
{
    vec acc[PARTS] = {{0}};
    double s[LANES];
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        UNROLL
        for (int p = 0; p < PARTS; p++) acc[p] += LOAD(x + i + p * W);
    }
    memcpy(s, acc, sizeof s);
    for (int l = 0; i < n; i++, l++) s[l] += x[i];
    return fold(s);
}

KERNEL double k_dot3(const double *w, const double *x, const double *y, int64_t n)
{
    vec acc[PARTS] = {{0}};
    double s[LANES];
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        UNROLL
        for (int p = 0; p < PARTS; p++) {
            int64_t k = i + p * W;
            acc[p] += LOAD(w + k) * LOAD(x + k) * LOAD(y + k);
        }
    }
    memcpy(s, acc, sizeof s);
    for (int l = 0; i < n; i++, l++) s[l] += w[i] * x[i] * y[i];
    return fold(s);
}

KERNEL void k_axpy(double a, const double *x, double *y, int64_t n)
{
    vec va = all(a);
    int64_t i = 0;
    for (; i + W <= n; i += W) STORE(y + i, LOAD(y + i) + va * LOAD(x + i));
    for (; i < n; i++) y[i] += a * x[i];
}

KERNEL void k_scale(double a, double *x, int64_t n)
{
    vec va = all(a);
    int64_t i = 0;
    for (; i + W <= n; i += W) STORE(x + i, va * LOAD(x + i));
    for (; i < n; i++) x[i] = a * x[i];
}

KERNEL void k_multiply(const double *x, const double *y, double *z, int64_t n)
{
    int64_t i = 0;
    for (; i + W <= n; i += W) STORE(z + i, LOAD(x + i) * LOAD(y + i));
    for (; i < n; i++) z[i] = x[i] * y[i];
}

KERNEL void k_affine(double a, double b, const double *x, double *y, int64_t n)
{
    vec va = all(a), vb = all(b);
    int64_t i = 0;
    for (; i + W <= n; i += W) STORE(y + i, va * LOAD(x + i) + vb);
    for (; i < n; i++) y[i] = a * x[i] + b;
}

KERNEL void k_standardize(double c, double a, const double *x, double *y, int64_t n)
{
    vec va = all(a), vc = all(c);
    int64_t i = 0;
    for (; i + W <= n; i += W) STORE(y + i, (LOAD(x + i) - vc) * va);
    for (; i < n; i++) y[i] = (x[i] - c) * a;
}

/* Of four columns: few streams at a time, which the prefetcher of the processor follows.
 */
INSIDE void combine4(const double *x, int64_t ld, const double *b, double *z, int64_t n)
{
    vec b0 = all(b[0]), b1 = all(b[1]), b2 = all(b[2]), b3 = all(b[3]);
    int64_t r = 0;
    for (; r + W <= n; r += W) {
        vec s = LOAD(z + r) + b0 * LOAD(x + r);
        s += b1 * LOAD(x + ld + r);
        s += b2 * LOAD(x + 2 * ld + r);
        s += b3 * LOAD(x + 3 * ld + r);
        STORE(z + r, s);
    }
    for (; r < n; r++) {
        double s = z[r];
        for (int64_t j = 0; j < 4; j++) s += b[j] * x[j * ld + r];
        z[r] = s;
    }
}

KERNEL void k_combine(const double *x, int64_t ld, int64_t p, const double *b, double *z,
                      int64_t n)
{
    for (; p >= 4; p -= 4, x += 4 * ld, b += 4) combine4(x, ld, b, z, n);
    for (; p > 0; p--, x += ld, b++)
        for (int64_t r = 0; r < n; r++) z[r] += b[0] * x[r];
}

/* mask ? a : b */
INSIDE vec choose(ints mask, vec a, vec b)
{
    return (vec)((mask & (ints)a) | (~mask & (ints)b));
}

/* 2^k for lanes of integers in [-1022, 1023] given as doubles: adding 1.5 * 2^52 leaves
 * the integer in the low bits, from where it is shifted to the exponent's place. */
INSIDE vec power_of_two(vec k)
{
    ints bits = (ints)(k + all(6755399441055744.0 + 1023.0));
    return (vec)(bits << 52);
}

/* e^x = 2^k e^r with |r| <= ln(2) / 2. e^r - 1 - r = r^2 q(r), where q is the polynomial
 * of degree 9 with the least error (1.3e-17). The power of two is applied in two factors,
 * so that results below the normal range are rounded once. */
INSIDE vec exp_both(vec x, int less_one)
{
    static const double q[10] = {0x1.0000000000001p-1,  0x1.5555555555556p-3,
                                 0x1.5555555553d63p-5,  0x1.11111111109b3p-7,
                                 0x1.6c16c1788bd90p-10, 0x1.a01a01a7c41d5p-13,
                                 0x1.a019b90d2ae7ap-16, 0x1.71de0dae63bb3p-19,
                                 0x1.289185613a3d6p-22, 0x1.af38a9b0ec855p-26};
    const vec magic = all(6755399441055744.0); /* 1.5 * 2^52: adding it rounds */
    vec high = all(710.0), low = all(-746.0);
    x = choose(x > high, high, x);
    x = choose(x < low, low, x);
    vec k = (x * all(1.4426950408889634) + magic) - magic;
    vec r = (x - k * all(0.6931471803691238)) - k * all(1.9082149292705877e-10);
    vec r2 = r * r, r4 = r2 * r2;
    vec q01 = all(q[0]) + r * all(q[1]), q23 = all(q[2]) + r * all(q[3]);
    vec q45 = all(q[4]) + r * all(q[5]), q67 = all(q[6]) + r * all(q[7]);
    vec q89 = all(q[8]) + r * all(q[9]);
    vec sum = (q01 + r2 * q23) + r4 * ((q45 + r2 * q67) + r4 * q89);
    vec less = r + r2 * sum, e = all(1.0) + less;
    vec k1 = (k * all(0.5) + magic) - magic;
    e = (e * power_of_two(k1)) * power_of_two(k - k1);
    return less_one ? choose(k == all(0.0), less, e - all(1.0)) : e;
}

INSIDE vec exp_of(vec x)
{
    return exp_both(x, 0);
}

INSIDE vec expm1_of(vec x)
{
    return exp_both(x, 1);
}

/* The lesser of e^x and e^-x never overflows, and gives both tails their full digits. */
INSIDE vec sigmoid_of(vec x)
{
    vec zero = all(0.0), one = all(1.0);
    vec e = exp_of(choose(x > zero, zero - x, x));
    return choose(x > zero, one, e) / (one + e);
}

/* log(1 + e) for e in [0, 1]: with s = e / (2 + e) <= 1/3 it is 2 atanh(s) =
 * 2 s + s^3 a(s^2), where a is the polynomial of degree 9 with the least error (5.0e-18).
 */
INSIDE vec log1p_of(vec e)
{
    static const double a[10] = {0x1.5555555555555p-1, 0x1.999999999a3dfp-2,
                                 0x1.24924923d422cp-2, 0x1.c71c727164156p-3,
                                 0x1.745cf0aa6a011p-3, 0x1.3b18b34a260a3p-3,
                                 0x1.10ac6a3d3e5f6p-3, 0x1.eb913ba3ef69ep-4,
                                 0x1.687604d0c86a1p-4, 0x1.4b0ed4be611b2p-3};
    vec s = e / (all(2.0) + e), t = s * s, t2 = t * t, t4 = t2 * t2;
    vec a01 = all(a[0]) + t * all(a[1]), a23 = all(a[2]) + t * all(a[3]);
    vec a45 = all(a[4]) + t * all(a[5]), a67 = all(a[6]) + t * all(a[7]);
    vec a89 = all(a[8]) + t * all(a[9]);
    vec sum = (a01 + t2 * a23) + t4 * ((a45 + t2 * a67) + t4 * a89);
    return s * all(2.0) + s * (t * sum);
}

/* max(x, 0) + log(1 + e^-|x|) */
INSIDE vec softplus_of(vec x)
{
    vec zero = all(0.0);
    vec e = exp_of(choose(x > zero, zero - x, x));
    return choose(x < zero, zero, x) + log1p_of(e);
}

/* Is a lane up to `low`, or from `high` on? NaN is neither. */
INSIDE int outside(vec x, vec low, vec high)
{
#if W == 8
    return !_kortestz_mask8_u8(_mm512_cmp_pd_mask((__m512d)x, (__m512d)low, _CMP_LE_OQ),
                               _mm512_cmp_pd_mask((__m512d)x, (__m512d)high, _CMP_GE_OQ));
#elif W == 4
    return _mm256_movemask_pd((__m256d)((x <= low) | (x >= high))) != 0;
#else
    ints out = (x <= low) | (x >= high);
    return (out[0] | out[1]) != 0;
#endif
}

/* a b + c where a b is exact: fused or not, the result is the same. */
INSIDE vec add_exact(vec a, vec b, vec c)
{
#if W == 8
    return (vec)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif W == 4
    return (vec)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#else
    return a * b + c;
#endif
}

/* x = 2^k m with m from sqrt(1/2) on, below sqrt(2), for positive normal x. *scaled is
 * K_UNIT k, *half_power 2 / 2^k, or 0 for the largest x. */
#define K_UNIT (W == 8 ? 0x1p52 : 1.0)
INSIDE vec split(vec x, vec *scaled, vec *half_power)
{
    const uints least = (uints)(ints){0} + 0x3fe6a09e667f3bcdu;
    const uints fraction = (uints)(ints){0} + 0xfffffffffffffu;
#if W == 8 /* which converts integers in one instruction */
    const uints two = (uints)(ints){0} + (1024ull << 52);
    uints e = (uints)x - least, high = e & ~fraction;
    *scaled = __builtin_convertvector((ints)high, vec);
#else
    const uints two = (uints)(ints){0} + (2048ull << 52);
    uints e = (uints)x - least + (1024ull << 52), high = e & ~fraction;
    *scaled = (vec)(e >> 52 | 0x4330000000000000u) - all(4503599627370496.0 + 1024.0);
#endif
    *half_power = (vec)(two - high);
    return (vec)((e & fraction) + least);
}

/* The part s of f = 2 s / (1 - s) below: 1 + f = (1 + s) / (1 - s). */
INSIDE vec part_of(vec f)
{
    return f / (all(2.0) + f);
}

/* k ln(2) + log(1 + f) + c, where 1 + f is from sqrt(1/2) to sqrt(2) and c is small: with
 * s = f / (2 + f) it is 2 atanh(s) = 2 s + s^3 a(s^2), where a is the polynomial of
 * degree 6 with the least error (9e-18 of s), and 2 s = f - s f, so that f itself is not
 * rounded.
 */
INSIDE vec log_sum(vec k, vec f, vec s, vec c)
{
    static const double a[7] = {0x1.5555555555558p-1, 0x1.9999999995224p-2,
                                0x1.2492492e03e05p-2, 0x1.c71c62d0402aep-3,
                                0x1.7462ba27c8794p-3, 0x1.39fdb949c5e05p-3,
                                0x1.2b5fbed6295a5p-3};
    vec t = s * s, t2 = t * t, half = all(0.5) * f * f;
    vec a01 = all(a[0]) + t * all(a[1]), a23 = all(a[2]) + t * all(a[3]);
    vec a45 = all(a[4]) + t * all(a[5]);
    vec sum = t * (a01 + t2 * (a23 + t2 * (a45 + t2 * all(a[6]))));
    vec low = s * (half + sum) + add_exact(k, all(0x1.a39ef35790000p-33 / K_UNIT), c);
    return add_exact(k, all(0x1.62e42fee00000p-1 / K_UNIT), f - (half - low));
}

/* `none` where x is 0. */
INSIDE vec log_but(vec x, double none)
{
    const vec zero = all(0.0), far = all(INFINITY), least = all(0x1p-1022);
    vec k, half_power, from = x, raised = zero;
    int odd = outside(x, all(0x1.fffffffffffffp-1023), far);
    if (__builtin_expect(odd, 0)) {
        from = choose(x < least, x * all(0x1p54), x);
        raised = choose(x < least, all(54.0 * K_UNIT), zero);
    }
    vec f = split(from, &k, &half_power) - all(1.0);
    vec y = log_sum(k - raised, f, part_of(f), x - x); /* NaN stays */
    if (__builtin_expect(!odd, 1)) return y;
    y = choose(x == far, x, choose(x < zero, all(NAN), y));
    return choose(x == zero, all(none), y);
}

/* The logarithm of u = 1 + x, rounded, and of what the rounding lost. That is exact up to
 * 2^53, from where on it does not count. 1 / (1 + f) = (1 - s) / (1 + s), nearly
 * 1 - 2 s + 2 s^2. The sign is that of x. `none` where x is -1.
 */
INSIDE vec log1p_but(vec x, double none)
{
    const vec one = all(1.0), least = all(-1.0), far = all(INFINITY);
    vec u = one + x, k, half_power, lost = x - (u - one);
    vec f = split(u, &k, &half_power) - one, s = part_of(f);
    vec y = log_sum(k, f, s, (lost * half_power) * (all(0.5) + (s * s - s)));
    y = (vec)((ints)y | ((ints)x & INT64_MIN));
    if (__builtin_expect(!outside(x, least, far), 1)) return y;
    y = choose(x == far, x, choose(x < least, all(NAN), y));
    return choose(x == least, all(none), y);
}

INSIDE vec log_any(vec x)
{
    return log_but(x, -INFINITY);
}

INSIDE vec log1p_any(vec x)
{
    return log1p_but(x, -INFINITY);
}

/* Applies a function of vectors to all elements; the rest goes through a padded vector.
 */
#define MAP(name, function)                                                              \
    KERNEL __attribute__((noinline)) void name(const double *x, double *y, int64_t n)    \
    {                                                                                    \
        double rest[W] = {0};                                                            \
        int64_t i = 0;                                                                   \
        for (; i + W <= n; i += W) STORE(y + i, function(LOAD(x + i)));                  \
        if (i == n) return;                                                              \
        memcpy(rest, x + i, (size_t)(n - i) * sizeof *x);                                \
        name(rest, rest, W);                                                             \
        memcpy(y + i, rest, (size_t)(n - i) * sizeof *y);                                \
    }
MAP(k_exp, exp_of)
MAP(k_expm1, expm1_of)
MAP(k_sigmoid, sigmoid_of)
MAP(k_softplus, softplus_of)
MAP(k_log, log_any)
MAP(k_log1p, log1p_any)

#if W >= 4
#define AHEAD 2048 /* bytes that are fetched ahead */
INSIDE void store_past(double *y, vec v)
{
#if W == 8
    _mm512_stream_pd(y, (__m512d)v);
#else
    _mm256_stream_pd(y, (__m256d)v);
#endif
}

/* The same past the caches, a line of them at a time. */
#define MAP_PAST(name, function, near)                                                   \
    KERNEL int64_t name(const double *x, double *y, int64_t n)                           \
    {                                                                                    \
        ints gone = {0};                                                                 \
        double rest[8];                                                                  \
        int64_t i = 0, missing = 0;                                                      \
        for (; i + 8 <= n; i += 8) {                                                     \
            __builtin_prefetch((const void *)((uintptr_t)(x + i) + AHEAD));              \
            UNROLL                                                                       \
            for (int k = 0; k < 8; k += W) {                                             \
                vec v = function(LOAD(x + i + k), NAN);                                  \
                store_past(y + i + k, v);                                                \
                gone -= v != v;                                                          \
            }                                                                            \
        }                                                                                \
        for (int l = 0; l < W; l++) missing += gone[l];                                  \
        if (i == n) return missing;                                                      \
        near(x + i, rest, n - i);                                                        \
        for (int64_t k = 0; i < n; i++, k++) {                                           \
            y[i] = rest[k] == -INFINITY ? NAN : rest[k];                                 \
            missing += y[i] != y[i];                                                     \
        }                                                                                \
        return missing;                                                                  \
    }
MAP_PAST(k_log_past, log_but, k_log)
MAP_PAST(k_log1p_past, log1p_but, k_log1p)
#else
#define k_log_past   NULL
#define k_log1p_past NULL
#endif

KERNEL void k_logistic(const double *x, double *p, double *s, int64_t n)
{
    const vec zero = all(0.0), one = all(1.0);
    for (int64_t i = 0; i < n; i += W) {
        double in[W] = {0}, both[2][W];
        int whole = i + W <= n;
        if (!whole) memcpy(in, x + i, (size_t)(n - i) * sizeof *in);
        vec v = whole ? LOAD(x + i) : LOAD(in);
        vec e = exp_of(choose(v > zero, zero - v, v));
        vec a = choose(v > zero, one, e) / (one + e);
        vec b = choose(v < zero, zero, v) + log1p_of(e);
        STORE(whole ? p + i : both[0], a);
        STORE(whole ? s + i : both[1], b);
        if (whole) continue;
        memcpy(p + i, both[0], (size_t)(n - i) * sizeof *p);
        memcpy(s + i, both[1], (size_t)(n - i) * sizeof *s);
    }
}

KERNEL int64_t k_zeros(const double *x, int64_t n)
{
    ints count[2] = {{0}};
    int64_t i = 0, total = 0;
    for (; i + 2 * W <= n; i += 2 * W) {
        count[0] -= LOAD(x + i) == all(0.0);
        count[1] -= LOAD(x + i + W) == all(0.0);
    }
    count[0] += count[1];
    for (int l = 0; l < W; l++) total += count[0][l];
    for (; i < n; i++) total += x[i] == 0;
    return total;
}

KERNEL void k_f64_to_f32(const double *x, float *y, int64_t n)
{
    int64_t i = 0;
    for (; i + W <= n; i += W)
        *(floats_any *)(y + i) =
            (floats_any) __builtin_convertvector(LOAD(x + i), floats);
    for (; i < n; i++) y[i] = (float)x[i];
}

/* Four numbers at a time, whatever the vector's width. */
#define GW (W < 4 ? W : 4)
#define GP (4 / GW)
typedef double gvec __attribute__((vector_size(GW * 8)));
typedef double gvec_any __attribute__((vector_size(GW * 8), aligned(8), may_alias));
#define GLOAD(p)     ((gvec) * (const gvec_any *)(p))
#define GSTORE(p, v) (*(gvec_any *)(p) = (gvec_any)(v))

/* Pieces of long columns come one after another, each of a few pages: what the hardware
 * fetches ahead by itself ends at those. */
#define FLOATS_AHEAD 4096 /* bytes */
typedef float gfloats __attribute__((vector_size(GW * 4)));
typedef float gfloats_any __attribute__((vector_size(GW * 4), aligned(4), may_alias));
KERNEL void k_f32_to_f64(const float *x, double *y, int64_t n)
{
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) { /* a line of the caches */
        __builtin_prefetch((const void *)((uintptr_t)(x + i) + FLOATS_AHEAD));
        UNROLL
        for (int k = 0; k < 16; k += GW)
            GSTORE(y + i + k, __builtin_convertvector(
                                  (gfloats) * (const gfloats_any *)(x + i + k), gvec));
    }
    for (; i < n; i++) y[i] = x[i];
}

/* Four partial sums: twelve sums fill the registers. */
KERNEL void k_gram3x4(const double *x, const double *y, int64_t ld, int64_t n, double *c)
{
    gvec acc[12][GP];
    int64_t r = 0;
    memset(acc, 0, sizeof acc);
    for (; r + 4 <= n; r += 4) {
        UNROLL
        for (int p = 0; p < GP; p++) {
            const double *xr = x + r + p * GW, *yr = y + r + p * GW;
            gvec y0 = GLOAD(yr), y1 = GLOAD(yr + ld);
            gvec y2 = GLOAD(yr + 2 * ld), y3 = GLOAD(yr + 3 * ld);
            UNROLL
            for (int i = 0; i < 3; i++) {
                gvec xi = GLOAD(xr + i * ld);
                acc[i * 4][p] += xi * y0;
                acc[i * 4 + 1][p] += xi * y1;
                acc[i * 4 + 2][p] += xi * y2;
                acc[i * 4 + 3][p] += xi * y3;
            }
        }
    }
    UNROLL
    for (int i = 0; i < 12; i++) {
        double s[4];
        const double *xi = x + i / 4 * ld, *yi = y + i % 4 * ld;
        memcpy(s, acc[i], sizeof s);
        for (int64_t k = r; k < n; k++) s[k - r] += xi[k] * yi[k];
        c[i] += (s[0] + s[2]) + (s[1] + s[3]);
    }
}

/* The exact error of the product p = x y, without fused instructions: the factors are cut
 * into halves of 26 bits (Dekker, 1971). */
INSIDE gvec product_error(gvec x, gvec y, gvec p)
{
    gvec cx = x * 134217729.0, cy = y * 134217729.0;
    gvec xh = cx - (cx - x), yh = cy - (cy - y);
    gvec xt = x - xh, yt = y - yh;
    return ((xh * yh - p) + xh * yt + xt * yh) + xt * yt;
}

KERNEL void k_dot_dd(const double *x, const double *xl, const double *y, const double *yl,
                     int64_t n, double *sum)
{
    gvec s[GP], c[GP];
    double high[4], low[4];
    memset(s, 0, sizeof s);
    memset(c, 0, sizeof c);
    for (int64_t r = 0; r < n; r += 4) {
        double rest[4][4] = {{0}};
        const double *px = x + r, *pxl = xl + r, *py = y + r, *pyl = yl + r;
        if (n - r < 4) { /* padded with zeros, which add nothing */
            size_t size = (size_t)(n - r) * sizeof *x;
            memcpy(rest[0], px, size);
            memcpy(rest[1], pxl, size);
            memcpy(rest[2], py, size);
            memcpy(rest[3], pyl, size);
            px = rest[0], pxl = rest[1], py = rest[2], pyl = rest[3];
        }
        UNROLL
        for (int q = 0; q < GP; q++) {
            gvec a = GLOAD(px + q * GW), b = GLOAD(py + q * GW);
            gvec p = a * b, e = product_error(a, b, p);
            gvec cross = a * GLOAD(pyl + q * GW) + GLOAD(pxl + q * GW) * b;
            gvec t = s[q] + p, z = t - s[q];
            c[q] += ((s[q] - (t - z)) + (p - z)) + (e + cross);
            s[q] = t;
        }
    }
    memcpy(high, s, sizeof high);
    memcpy(low, c, sizeof low);
    for (int l = 0; l < 4; l++) {
        double t = sum[0] + high[l], z = t - sum[0];
        sum[1] += ((sum[0] - (t - z)) + (high[l] - z)) + low[l];
        sum[0] = t;
    }
}

/* ---- sparse columns ---- */

/* Quads of one entry: q of them, from offset k on; rows are `width` apart. */
INSIDE void entries_add(int quads, const uint32_t *start, int64_t n, const uint16_t *row,
                        const double *value, const double *b, int64_t width, double *z)
{
    for (int64_t c = 0; c < n; c++, b += width) {
        gvec bc[4 * GP];
        UNROLL
        for (int p = 0; p < quads * GP; p++) bc[p] = GLOAD(b + p * GW);
        for (uint32_t e = start[c]; e < start[c + 1]; e++) {
            double v = value ? value[e] : 1.0, *to = z + row[e] * width;
            UNROLL
            for (int p = 0; p < quads * GP; p++)
                GSTORE(to + p * GW, GLOAD(to + p * GW) + bc[p] * v);
        }
    }
}

INSIDE void entries_dot(int quads, const uint32_t *start, int64_t n, const uint16_t *row,
                        const double *value, const double *u, int64_t width, double *g)
{
    for (int64_t c = 0; c < n; c++, g += width) {
        gvec sum[4 * GP];
        UNROLL
        for (int p = 0; p < quads * GP; p++) sum[p] = GLOAD(g + p * GW);
        for (uint32_t e = start[c]; e < start[c + 1]; e++) {
            double v = value ? value[e] : 1.0;
            const double *from = u + row[e] * width;
            UNROLL
            for (int p = 0; p < quads * GP; p++) sum[p] += GLOAD(from + p * GW) * v;
        }
        UNROLL
        for (int p = 0; p < quads * GP; p++) GSTORE(g + p * GW, sum[p]);
    }
}

INSIDE void one_add(const uint32_t *start, int64_t n, const uint16_t *row,
                    const double *value, const double *b, double *z)
{
    for (int64_t c = 0; c < n; c++) {
        if (b[c] == 0) continue;
        for (uint32_t e = start[c]; e < start[c + 1]; e++)
            z[row[e]] += (value ? value[e] : 1.0) * b[c];
    }
}

/* Entry e of a column goes to partial sum e mod 4, counted from its first. */
INSIDE void one_dot(const uint32_t *start, int64_t n, const uint16_t *row,
                    const double *value, const double *u, double *g)
{
    for (int64_t c = 0; c < n; c++) {
        uint32_t e = start[c], end = start[c + 1];
        double s[4] = {0, 0, 0, 0};
        for (; e + 4 <= end; e += 4) {
            UNROLL
            for (int l = 0; l < 4; l++)
                s[l] += (value ? value[e + l] : 1.0) * u[row[e + l]];
        }
        for (int l = 0; e < end; e++, l++) s[l] += (value ? value[e] : 1.0) * u[row[e]];
        g[c] += (s[0] + s[2]) + (s[1] + s[3]);
    }
}

#define EACH_QUAD(call)                                                                  \
    for (int64_t at = 0; at < width; at += 16) {                                         \
        int64_t quads = (width - at) / 4;                                                \
        if (quads >= 4)                                                                  \
            call(4);                                                                     \
        else if (quads == 3)                                                             \
            call(3);                                                                     \
        else if (quads == 2)                                                             \
            call(2);                                                                     \
        else                                                                             \
            call(1);                                                                     \
    }
#define ADD(quads)                                                                       \
    value ? entries_add(quads, start, n, row, value, b + at, width, z + at)              \
          : entries_add(quads, start, n, row, NULL, b + at, width, z + at)
#define DOT(quads)                                                                       \
    value ? entries_dot(quads, start, n, row, value, u + at, width, g + at)              \
          : entries_dot(quads, start, n, row, NULL, u + at, width, g + at)

KERNEL void k_entries_add(const uint32_t *start, int64_t n, const uint16_t *row,
                          const double *value, const double *b, int64_t width, double *z)
{
    if (width == 1)
        value ? one_add(start, n, row, value, b, z) : one_add(start, n, row, NULL, b, z);
    else
        EACH_QUAD(ADD)
}

KERNEL void k_entries_dot(const uint32_t *start, int64_t n, const uint16_t *row,
                          const double *value, const double *u, int64_t width, double *g)
{
    if (width == 1)
        value ? one_dot(start, n, row, value, u, g) : one_dot(start, n, row, NULL, u, g);
    else
        EACH_QUAD(DOT)
}

extern const mli_kernels KERNEL_TABLE;
const mli_kernels KERNEL_TABLE = {
    .dot = k_dot,
    .sum = k_sum,
    .dot3 = k_dot3,
    .axpy = k_axpy,
    .scale = k_scale,
    .multiply = k_multiply,
    .affine = k_affine,
    .standardize = k_standardize,
    .combine = k_combine,
    .exp = k_exp,
    .expm1 = k_expm1,
    .sigmoid = k_sigmoid,
    .softplus = k_softplus,
    .logistic = k_logistic,
    .zeros = k_zeros,
    .log = k_log,
    .log1p = k_log1p,
    .log_past = k_log_past,
    .log1p_past = k_log1p_past,
    .f32_to_f64 = k_f32_to_f64,
    .f64_to_f32 = k_f64_to_f32,
    .gram3x4 = k_gram3x4,
    .dot_dd = k_dot_dd,
    .entries_add = k_entries_add,
    .entries_dot = k_entries_dot,
};
