/* SPDX-License-Identifier: MIT
 *
 * tensor/kernels.h: vector kernels for inner loops, one table per instruction set.
 *
 *     const mli_kernels *k = mli_kernels_of(ctx);
 *     double s = k->dot(x, y, n);
 *
 * All variants of a kernel do the same operations in the same order, without fused
 * multiply-add, so results are the same bits at every level. Sums keep sixteen partial
 * sums: element i goes to partial sum i mod 16, in order of i; at the end the upper half
 * of the partial sums is added to the lower half, four times over.
 *
 * Vectors need no alignment; x and y may be the same where a kernel writes element i
 * from elements i only. n may be 0.
 */
#ifndef MLI_TENSOR_KERNELS_H
#define MLI_TENSOR_KERNELS_H

#include "core/context.h"

typedef struct mli_kernels {
    double (*dot)(const double *x, const double *y, int64_t n);
    double (*sum)(const double *x, int64_t n);
    /* sum of w * x * y, multiplied in that order */
    double (*dot3)(const double *w, const double *x, const double *y, int64_t n);
    void (*axpy)(double a, const double *x, double *y, int64_t n); /* y += a x */
    void (*scale)(double a, double *x, int64_t n);                 /* x *= a */
    void (*multiply)(const double *x, const double *y, double *z,
                     int64_t n); /* z = x y */
    /* y = a x + b */
    void (*affine)(double a, double b, const double *x, double *y, int64_t n);
    /* y = (x - c) a */
    void (*standardize)(double c, double a, const double *x, double *y, int64_t n);
    /* Linear combination of p columns: z[r] += b[0] x[r] + b[1] x[ld + r] + ..., in that
     * order. z must not overlap x. */
    void (*combine)(const double *x, int64_t ld, int64_t p, const double *b, double *z,
                    int64_t n);
    /* Within 1 ulp; 0, infinity and NaN where exp has them, subnormals included. */
    void (*exp)(const double *x, double *y, int64_t n);
    void (*expm1)(const double *x, double *y, int64_t n);    /* e^x - 1, 3 ulp */
    void (*sigmoid)(const double *x, double *y, int64_t n);  /* 1 / (1 + e^-x), 2 ulp */
    void (*softplus)(const double *x, double *y, int64_t n); /* log(1 + e^x), 2 ulp */
    /* Both at once: p = sigmoid(x), s = softplus(x). */
    void (*logistic)(const double *x, double *p, double *s, int64_t n);
    /* How many are 0. */
    int64_t (*zeros)(const double *x, int64_t n);
    /* Within 1 ulp; infinities and NaN where log and log1p have them. */
    void (*log)(const double *x, double *y, int64_t n);
    void (*log1p)(const double *x, double *y, int64_t n);
    /* The same past the caches, y at a line of them, but NaN where they are -infinity.
     * Returns how many are NaN. NULL: not at this level. */
    int64_t (*log_past)(const double *x, double *y, int64_t n);
    int64_t (*log1p_past)(const double *x, double *y, int64_t n);
    void (*f32_to_f64)(const float *x, double *y, int64_t n);
    void (*f64_to_f32)(const double *x, float *y, int64_t n);
    /* Scalar products of pairs of columns, the inside of cross products X'WX: for
     * i in 0..2, j in 0..3: c[i * 4 + j] += sum over r of x[i * ld + r] * y[j * ld + r].
     * The sum of each call is made as by `dot`, but with four partial sums. */
    void (*gram3x4)(const double *x, const double *y, int64_t ld, int64_t n, double *c);
    /* sum[0] + sum[1] += sum of (x + xl)(y + yl) in about twice the precision: products
     * are exact, four partial sums are kept as pairs. Values must be below 1e150. */
    void (*dot_dd)(const double *x, const double *xl, const double *y, const double *yl,
                   int64_t n, double *sum);
    /* n columns by their values that are not 0: entries start[c] .. start[c + 1] - 1 of
     * column c, with their rows, each once, and values (NULL: all 1). `width` is 1 or a
     * multiple of 4. All columns times b[n][width] to the rows, column after column:
     * z[row * width + k] += value * b[c * width + k]. */
    void (*entries_add)(const uint32_t *start, int64_t n, const uint16_t *row,
                        const double *value, const double *b, int64_t width, double *z);
    /* g[c * width + k] += sum of value * u[row * width + k]: entry after entry; with a
     * width of 1 in four partial sums, which are then added. */
    void (*entries_dot)(const uint32_t *start, int64_t n, const uint16_t *row,
                        const double *value, const double *u, int64_t width, double *g);
} mli_kernels;

const mli_kernels *mli_kernels_of(const ml_context *ctx);
/* For tests: the table of a level, NULL when this build or machine lacks it. */
const mli_kernels *mli_kernels_level(int32_t level);

#endif
