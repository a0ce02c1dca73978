/* SPDX-License-Identifier: MIT
 *
 * blas.c: the front of OpenBLAS and LAPACKE, the only file that includes their headers.
 *
 * Three builds of OpenBLAS exist, and an administrator can exchange them under a running
 * installation, so the flavour is asked at run time:
 * - pthread: callers may run at once. OpenBLAS ends its threads before a fork, but a
 * child hangs when a call was running at that moment, so a fork waits for running calls.
 * - serial: concurrent callers silently get wrong numbers (its work buffers are shared),
 *   so a lock is held around each call.
 * - OpenMP: the number of threads belongs to the calling thread. A parallel region in a
 *   forked child waits for threads that did not survive the fork. Each call therefore
 *   sets the count in its own thread and restores it: one thread, which opens no parallel
 *   region and works after fork too; or as many as the host asked for with blas_threads,
 *   and then a forked child is refused.
 *
 * Work areas of LAPACK come from the context's allocator; OpenBLAS keeps buffers of its
 * own besides. LAPACK routines get finite numbers only, since some never return on NaN.
 */
#include "tensor/blas.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <pthread.h>

/* From the OpenMP runtime that OpenBLAS of that flavour brings along; absent otherwise.
 */
extern int omp_get_max_threads(void) __attribute__((weak));
extern void omp_set_num_threads(int) __attribute__((weak));

/* OpenBLAS is one per process, and so is the knowledge of how to share it: the only
 * mutable state outside contexts. */
static struct {
    pthread_once_t once;
    pthread_mutex_t lock; /* held during calls of the serial flavour */
    pthread_cond_t idle;
    int64_t calls;     /* now running, of the other flavours */
    atomic_int forked; /* this process is a fork of one that used the front */
} front = {PTHREAD_ONCE_INIT, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

/* A fork waits until no call runs, and lets none begin. */
static void before_fork(void)
{
    pthread_mutex_lock(&front.lock);
    while (front.calls > 0) pthread_cond_wait(&front.idle, &front.lock);
}
static void after_fork_parent(void)
{
    pthread_mutex_unlock(&front.lock);
}
static void after_fork_child(void)
{
    atomic_store(&front.forked, 1);
    pthread_cond_init(&front.idle, NULL); /* its waiters are not in this process */
    pthread_mutex_unlock(&front.lock);
}
static void front_start(void)
{
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

static void call_begins(void)
{
    pthread_mutex_lock(&front.lock);
    front.calls++;
    pthread_mutex_unlock(&front.lock);
}
static void call_ends(void)
{
    pthread_mutex_lock(&front.lock);
    if (--front.calls == 0) pthread_cond_broadcast(&front.idle);
    pthread_mutex_unlock(&front.lock);
}

int32_t mli_blas_flavour(void)
{
    switch (openblas_get_parallel()) {
    case 0:
        return MLI_BLAS_SERIAL;
    case 1:
        return MLI_BLAS_PTHREAD;
    default:
        return MLI_BLAS_OPENMP;
    }
}

const char *mli_blas_flavour_name(int32_t flavour)
{
    switch (flavour) {
    case MLI_BLAS_SERIAL:
        return "serial";
    case MLI_BLAS_PTHREAD:
        return "pthread";
    case MLI_BLAS_OPENMP:
        return "openmp";
    default:
        return "unknown";
    }
}

/* The first call of a context: notes the flavour, and passes on the number of threads if
 * the host asked for one (only OpenBLAS with threads of its own has a global count). */
static void context_start(ml_context *ctx)
{
    pthread_once(&front.once, front_start);
    if (__atomic_load_n(&ctx->blas_flavour, __ATOMIC_ACQUIRE)) return;
    pthread_mutex_lock(&front.lock);
    if (!__atomic_load_n(&ctx->blas_flavour, __ATOMIC_ACQUIRE)) {
        int32_t flavour = mli_blas_flavour();
        if (flavour == MLI_BLAS_PTHREAD && ctx->host.blas_threads > 0)
            openblas_set_num_threads(ctx->host.blas_threads);
        __atomic_store_n(&ctx->blas_flavour, flavour, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&front.lock);
}

/* What a call must undo. */
typedef struct guard {
    int32_t flavour;
    int omp_threads;
} guard;

static ml_status guard_openmp(ml_context *ctx, guard *g, ml_error *err)
{
    int settable = omp_get_max_threads && omp_set_num_threads;
    int wanted = ctx->host.blas_threads > 1 ? ctx->host.blas_threads : 1;
    if ((wanted > 1 || !settable) && atomic_load(&front.forked)) {
        mli_fail(err, ML_E_STATE,
                 "OpenBLAS of the OpenMP flavour cannot run on several threads in a "
                 "forked process");
        return mli_error_hint(err, ML_E_STATE,
                              "leave blas_threads at 0, start the process with exec, or "
                              "install the pthread flavour (libopenblas0-pthread)");
    }
    if (settable) {
        g->omp_threads = omp_get_max_threads();
        omp_set_num_threads(wanted);
    }
    return ML_OK;
}

static ml_status guard_enter(ml_context *ctx, guard *g, ml_error *err)
{
    ml_status status;
    context_start(ctx);
    g->flavour = __atomic_load_n(&ctx->blas_flavour, __ATOMIC_ACQUIRE);
    g->omp_threads = 0;
    if (g->flavour == MLI_BLAS_SERIAL) {
        pthread_mutex_lock(&front.lock);
    } else {
        if (g->flavour == MLI_BLAS_OPENMP && (status = guard_openmp(ctx, g, err)))
            return status;
        call_begins();
    }
    return ML_OK;
}

static void guard_leave(const guard *g)
{
    if (g->flavour == MLI_BLAS_SERIAL)
        pthread_mutex_unlock(&front.lock);
    else
        call_ends();
    if (g->omp_threads) omp_set_num_threads(g->omp_threads);
}

/* Sizes fit BLAS's integers, and a leading dimension covers its rows. OpenBLAS would
 * print and go on if they did not. */
static ml_status check_size(const char *what, int64_t size, ml_error *err)
{
    if (size >= 0 && size <= INT32_MAX) return ML_OK;
    return mli_fail(err, ML_E_SHAPE,
                    "a matrix of %lld %s is outside what BLAS can take (%d)",
                    (long long)size, what, INT32_MAX);
}

static ml_status check_matrix(int64_t rows, int64_t columns, int64_t ld, ml_error *err)
{
    ml_status status = check_size("rows", rows, err);
    if (!status) status = check_size("columns", columns, err);
    if (!status) status = check_size("elements between columns", ld, err);
    if (status || ld >= (rows > 0 ? rows : 1)) return status;
    return mli_fail(err, ML_E_SHAPE, "columns of %lld rows cannot be %lld elements apart",
                    (long long)rows, (long long)ld);
}

/* All finite? The triangle only for `lower`. A sum of zero times each value is NaN as
 * soon as one value is not finite. */
static ml_status check_finite(int64_t rows, int64_t columns, const double *a, int64_t ld,
                              int lower, ml_error *err)
{
    for (int64_t j = 0; j < columns; j++) {
        double zero = 0;
        for (int64_t i = lower ? j : 0; i < rows; i++) zero += 0.0 * a[j * ld + i];
        if (zero != 0 || isnan(zero))
            return mli_fail(err, ML_E_NUMERIC,
                            "column %lld of a matrix has a value that is not finite",
                            (long long)j + 1);
    }
    return ML_OK;
}

/* LAPACK's answer: negative is a defect of this file, positive depends on the routine. */
static ml_status check_info(const char *routine, int64_t info, const char *positive,
                            ml_error *err)
{
    if (info == 0) return ML_OK;
    if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR)
        return mli_nomem(err);
    if (info < 0)
        return mli_fail(err, ML_E_INTERNAL, "%s refused its argument %lld", routine,
                        (long long)-info);
    return mli_fail(err, ML_E_NUMERIC, "%s (%s, %lld)", positive, routine,
                    (long long)info);
}

static CBLAS_TRANSPOSE trans_of(int t)
{
    return t ? CblasTrans : CblasNoTrans;
}

static ml_status check_gemm(int ta, int tb, int64_t m, int64_t n, int64_t k, int64_t lda,
                            int64_t ldb, int64_t ldc, ml_error *err)
{
    ml_status status = check_matrix(ta ? k : m, ta ? m : k, lda, err);
    if (!status) status = check_matrix(tb ? n : k, tb ? k : n, ldb, err);
    if (!status) status = check_matrix(m, n, ldc, err);
    return status;
}

ml_status mli_dgemm(ml_context *ctx, int ta, int tb, int64_t m, int64_t n, int64_t k,
                    double alpha, const double *a, int64_t lda, const double *b,
                    int64_t ldb, double beta, double *c, int64_t ldc, ml_error *err)
{
    guard g;
    ml_status status = check_gemm(ta, tb, m, n, k, lda, ldb, ldc, err);
    if (!status) status = guard_enter(ctx, &g, err);
    if (status) return status;
    cblas_dgemm(CblasColMajor, trans_of(ta), trans_of(tb), (blasint)m, (blasint)n,
                (blasint)k, alpha, a, (blasint)lda, b, (blasint)ldb, beta, c,
                (blasint)ldc);
    guard_leave(&g);
    return ML_OK;
}

ml_status mli_sgemm(ml_context *ctx, int ta, int tb, int64_t m, int64_t n, int64_t k,
                    float alpha, const float *a, int64_t lda, const float *b, int64_t ldb,
                    float beta, float *c, int64_t ldc, ml_error *err)
{
    guard g;
    ml_status status = check_gemm(ta, tb, m, n, k, lda, ldb, ldc, err);
    if (!status) status = guard_enter(ctx, &g, err);
    if (status) return status;
    cblas_sgemm(CblasColMajor, trans_of(ta), trans_of(tb), (blasint)m, (blasint)n,
                (blasint)k, alpha, a, (blasint)lda, b, (blasint)ldb, beta, c,
                (blasint)ldc);
    guard_leave(&g);
    return ML_OK;
}

ml_status mli_dsyrk(ml_context *ctx, int trans, int64_t n, int64_t k, double alpha,
                    const double *a, int64_t lda, double beta, double *c, int64_t ldc,
                    ml_error *err)
{
    guard g;
    ml_status status = check_matrix(trans ? k : n, trans ? n : k, lda, err);
    if (!status) status = check_matrix(n, n, ldc, err);
    if (!status) status = guard_enter(ctx, &g, err);
    if (status) return status;
    cblas_dsyrk(CblasColMajor, CblasLower, trans_of(trans), (blasint)n, (blasint)k, alpha,
                a, (blasint)lda, beta, c, (blasint)ldc);
    guard_leave(&g);
    return ML_OK;
}

ml_status mli_dpotrf(ml_context *ctx, int64_t n, double *a, int64_t lda, ml_error *err)
{
    guard g;
    ml_status status = check_matrix(n, n, lda, err);
    if (!status) status = check_finite(n, n, a, lda, 1, err);
    if (!status && n > 0) status = guard_enter(ctx, &g, err);
    if (status || n == 0) return status;
    lapack_int info =
        LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', (lapack_int)n, a, (lapack_int)lda);
    guard_leave(&g);
    return check_info("dpotrf", info, "the matrix is not positive definite", err);
}

ml_status mli_dpotrs(ml_context *ctx, int64_t n, int64_t nrhs, const double *a,
                     int64_t lda, double *b, int64_t ldb, ml_error *err)
{
    guard g;
    ml_status status = check_matrix(n, n, lda, err);
    if (!status) status = check_matrix(n, nrhs, ldb, err);
    if (!status && n > 0 && nrhs > 0) status = guard_enter(ctx, &g, err);
    if (status || n == 0 || nrhs == 0) return status;
    lapack_int info =
        LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'L', (lapack_int)n, (lapack_int)nrhs, a,
                            (lapack_int)lda, b, (lapack_int)ldb);
    guard_leave(&g);
    return check_info("dpotrs", info, "the factor is singular", err);
}

/* Work areas of a LAPACK routine: `size` as its query answered, and integers. */
typedef struct work {
    lapack_int size, int_size;
    double *doubles;
    lapack_int *ints; /* zeroed */
} work;

static ml_status work_alloc(ml_context *ctx, double size, int64_t int_size, work *w,
                            ml_error *err)
{
    if (!(size >= 1)) size = 1;
    if (int_size < 1) int_size = 1;
    if (size > INT32_MAX || int_size > INT32_MAX)
        return mli_fail(err, ML_E_SHAPE, "the matrix is too large for LAPACK's integers");
    w->size = (lapack_int)size;
    w->int_size = (lapack_int)int_size;
    w->doubles = mli_alloc_vec(ctx, w->size, sizeof(double));
    w->ints = mli_calloc(ctx, (size_t)int_size, sizeof *w->ints);
    return w->doubles && w->ints ? ML_OK : mli_nomem(err);
}

static void work_free(ml_context *ctx, work *w)
{
    mli_free(ctx, w->doubles);
    mli_free(ctx, w->ints);
}

static ml_status check_gelsy(int64_t m, int64_t n, int64_t nrhs, const double *a,
                             int64_t lda, const double *b, int64_t ldb, ml_error *err)
{
    ml_status status = check_matrix(m, n, lda, err);
    if (!status) status = check_matrix(m > n ? m : n, nrhs, ldb, err);
    if (!status) status = check_finite(m, n, a, lda, 0, err);
    if (!status) status = check_finite(m, nrhs, b, ldb, 0, err);
    return status;
}

ml_status mli_dgelsy(ml_context *ctx, int64_t m, int64_t n, int64_t nrhs, double *a,
                     int64_t lda, double *b, int64_t ldb, double rcond, int64_t *rank,
                     ml_error *err)
{
    guard g;
    work w = {0, 0, NULL, NULL};
    lapack_int r = 0, pivot = 0, info = 0;
    double size = 0;
    ml_status status = check_gelsy(m, n, nrhs, a, lda, b, ldb, err);
    if (status) return status;
    if (m == 0 || n == 0 || nrhs == 0) {
        for (int64_t j = 0; j < nrhs; j++)
            for (int64_t i = 0; i < n; i++) b[j * ldb + i] = 0;
        *rank = 0;
        return ML_OK;
    }
    info = LAPACKE_dgelsy_work(LAPACK_COL_MAJOR, (lapack_int)m, (lapack_int)n,
                               (lapack_int)nrhs, a, (lapack_int)lda, b, (lapack_int)ldb,
                               &pivot, rcond, &r, &size, -1);
    status = check_info("dgelsy", info, "no solution", err);
    if (!status) status = work_alloc(ctx, size, n, &w, err);
    if (!status) status = guard_enter(ctx, &g, err);
    if (status) goto out;
    info = LAPACKE_dgelsy_work(LAPACK_COL_MAJOR, (lapack_int)m, (lapack_int)n,
                               (lapack_int)nrhs, a, (lapack_int)lda, b, (lapack_int)ldb,
                               w.ints, rcond, &r, w.doubles, w.size);
    guard_leave(&g);
    status = check_info("dgelsy", info, "no solution", err);
    *rank = r;
out:
    work_free(ctx, &w);
    return status;
}

ml_status mli_dsyevd(ml_context *ctx, int64_t n, double *a, int64_t lda, double *w,
                     ml_error *err)
{
    static const char *const problem = "the eigenvalues did not converge";
    guard g;
    work k = {0, 0, NULL, NULL};
    lapack_int info, ints = 0;
    double size = 0;
    ml_status status = check_matrix(n, n, lda, err);
    if (!status) status = check_finite(n, n, a, lda, 1, err);
    if (status || n == 0) return status;
    info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'L', (lapack_int)n, a,
                               (lapack_int)lda, w, &size, -1, &ints, -1);
    status = check_info("dsyevd", info, problem, err);
    if (!status) status = work_alloc(ctx, size, ints, &k, err);
    if (!status) status = guard_enter(ctx, &g, err);
    if (status) goto out;
    info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'L', (lapack_int)n, a,
                               (lapack_int)lda, w, k.doubles, k.size, k.ints, k.int_size);
    guard_leave(&g);
    status = check_info("dsyevd", info, problem, err);
out:
    work_free(ctx, &k);
    return status;
}

static ml_status check_gesdd(int64_t m, int64_t n, const double *a, int64_t lda,
                             int64_t ldu, int64_t ldvt, ml_error *err)
{
    int64_t k = m < n ? m : n;
    ml_status status = check_matrix(m, n, lda, err);
    if (!status) status = check_matrix(m, k, ldu, err);
    if (!status) status = check_matrix(k, n, ldvt, err);
    if (!status) status = check_finite(m, n, a, lda, 0, err);
    return status;
}

ml_status mli_dgesdd(ml_context *ctx, int64_t m, int64_t n, double *a, int64_t lda,
                     double *s, double *u, int64_t ldu, double *vt, int64_t ldvt,
                     ml_error *err)
{
    static const char *const problem = "the singular values did not converge";
    guard g;
    work w = {0, 0, NULL, NULL};
    lapack_int info, none = 0;
    double size = 0;
    int64_t k = m < n ? m : n;
    ml_status status = check_gesdd(m, n, a, lda, ldu, ldvt, err);
    if (status || k == 0) return status;
    info = LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', (lapack_int)m, (lapack_int)n, a,
                               (lapack_int)lda, s, u, (lapack_int)ldu, vt,
                               (lapack_int)ldvt, &size, -1, &none);
    status = check_info("dgesdd", info, problem, err);
    if (!status) status = work_alloc(ctx, size, 8 * k, &w, err);
    if (!status) status = guard_enter(ctx, &g, err);
    if (status) goto out;
    info = LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', (lapack_int)m, (lapack_int)n, a,
                               (lapack_int)lda, s, u, (lapack_int)ldu, vt,
                               (lapack_int)ldvt, w.doubles, w.size, w.ints);
    guard_leave(&g);
    status = check_info("dgesdd", info, problem, err);
out:
    work_free(ctx, &w);
    return status;
}
