/* SPDX-License-Identifier: MIT
 *
 * tensor/cholesky.h: Cholesky factorisation from libml's own kernels. Unlike the one of
 * LAPACK its result is the same bits whatever the number of threads and the flavour of
 * BLAS, so models may depend on it. Matrices are row-major: element (i, j) of the lower
 * triangle, j <= i, is a[i * ld + j]; the upper triangle is never touched.
 */
#ifndef MLI_TENSOR_CHOLESKY_H
#define MLI_TENSOR_CHOLESKY_H

#include "core/context.h"

/* A = L L' in place, in parallel. Returns n, or the first row whose pivot is not greater
 * than `least` times the diagonal element (or is not a number); rows before it are done.
 */
int64_t mli_cholesky(ml_context *ctx, int64_t n, double *a, int64_t ld, double least);
/* Solves L L' x = b in place. */
void mli_cholesky_solve(ml_context *ctx, int64_t n, const double *l, int64_t ld,
                        double *b);
/* The diagonal of (L L')^-1; work has n elements. */
void mli_cholesky_inverse_diagonal(ml_context *ctx, int64_t n, const double *l,
                                   int64_t ld, double *work, double *out);
/* L becomes L^-1, where ld is n; work has n elements. */
void mli_cholesky_invert(ml_context *ctx, int64_t n, double *l, double *work);

#endif
