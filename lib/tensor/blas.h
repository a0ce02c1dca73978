/* SPDX-License-Identifier: MIT
 *
 * tensor/blas.h: the one place that sees OpenBLAS and LAPACKE.
 *
 * The flavour of OpenBLAS (serial, pthread, OpenMP) can change under a running system;
 * calls go through guards: serial takes a lock, OpenMP sets the count inside the calling
 * thread and refuses after fork (ML_E_STATE). All matrices are column-major with a
 * leading dimension, as in BLAS. Sizes are checked against the 32-bit integers of BLAS.
 */
#ifndef MLI_TENSOR_BLAS_H
#define MLI_TENSOR_BLAS_H

#include "core/context.h"

#define MLI_BLAS_SERIAL 1
#define MLI_BLAS_PTHREAD 2
#define MLI_BLAS_OPENMP 3
int32_t mli_blas_flavour(void);
const char *mli_blas_flavour_name(int32_t flavour);

/* C = alpha op(A) op(B) + beta C; op is transpose when ta/tb is 1. C is m x n, inner k. */
ml_status mli_dgemm(ml_context *ctx, int ta, int tb, int64_t m, int64_t n, int64_t k,
                    double alpha, const double *a, int64_t lda, const double *b,
                    int64_t ldb, double beta, double *c, int64_t ldc, ml_error *err);
ml_status mli_sgemm(ml_context *ctx, int ta, int tb, int64_t m, int64_t n, int64_t k,
                    float alpha, const float *a, int64_t lda, const float *b, int64_t ldb,
                    float beta, float *c, int64_t ldc, ml_error *err);
/* C (n x n, lower triangle) = alpha A'A + beta C for trans = 1 (A is k x n), alpha AA' +
 * beta C for trans = 0 (A is n x k). */
ml_status mli_dsyrk(ml_context *ctx, int trans, int64_t n, int64_t k, double alpha,
                    const double *a, int64_t lda, double beta, double *c, int64_t ldc,
                    ml_error *err);
/* Cholesky of the lower triangle, in place. ML_E_NUMERIC when not positive definite. */
ml_status mli_dpotrf(ml_context *ctx, int64_t n, double *a, int64_t lda, ml_error *err);
/* Solves with the Cholesky factor: B (n x nrhs) becomes X. */
ml_status mli_dpotrs(ml_context *ctx, int64_t n, int64_t nrhs, const double *a,
                     int64_t lda, double *b, int64_t ldb, ml_error *err);
/* Least squares by column-pivoted QR (xGELSY): A is m x n, overwritten; B is max(m,n) x
 * nrhs and becomes X. rank receives the effective rank for rcond. */
ml_status mli_dgelsy(ml_context *ctx, int64_t m, int64_t n, int64_t nrhs, double *a,
                     int64_t lda, double *b, int64_t ldb, double rcond, int64_t *rank,
                     ml_error *err);
/* Symmetric eigenproblem (xSYEVD) of the lower triangle: w ascending, A becomes the
 * vectors. */
ml_status mli_dsyevd(ml_context *ctx, int64_t n, double *a, int64_t lda, double *w,
                     ml_error *err);
/* Thin singular value decomposition (xGESDD): A m x n overwritten; s min(m,n), u m x
 * min(m,n), vt min(m,n) x n. */
ml_status mli_dgesdd(ml_context *ctx, int64_t m, int64_t n, double *a, int64_t lda,
                     double *s, double *u, int64_t ldu, double *vt, int64_t ldvt,
                     ml_error *err);

#endif
