/* SPDX-License-Identifier: MIT
 *
 * tensor/kernels.h: vector kernels for inner loops, one table per instruction set.
 *
 *     const mli_kernels *k = mli_kernels_of(ctx);
 *     double s = k->dot(x, y, n);
 *
 * All variants of a kernel sum in the same order (four lanes of partial sums per 8
 * elements are part of the contract), without fused multiply-add, so results are the same
 * bits at every level.
 */
#ifndef MLI_TENSOR_KERNELS_H
#define MLI_TENSOR_KERNELS_H

#include "core/context.h"

typedef struct mli_kernels {
    double (*dot)(const double *x, const double *y, int64_t n);
    double (*sum)(const double *x, int64_t n);
    /* sum of w * x * y */
    double (*dot3)(const double *w, const double *x, const double *y, int64_t n);
    void (*axpy)(double a, const double *x, double *y, int64_t n); /* y += a x */
    void (*scale)(double a, double *x, int64_t n);                 /* x *= a */
    /* y = a x + b */
    void (*affine)(double a, double b, const double *x, double *y, int64_t n);
    void (*exp)(const double *x, double *y, int64_t n);     /* within 2 ulp */
    void (*sigmoid)(const double *x, double *y, int64_t n); /* 1 / (1 + e^-x) */
    void (*f32_to_f64)(const float *x, double *y, int64_t n);
    void (*f64_to_f32)(const double *x, float *y, int64_t n);
} mli_kernels;

const mli_kernels *mli_kernels_of(const ml_context *ctx);
/* For tests: the table of a level, NULL when this build or machine lacks it. */
const mli_kernels *mli_kernels_level(int32_t level);

#endif
