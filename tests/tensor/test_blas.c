/* SPDX-License-Identifier: MIT
 *
 * The BLAS front: results against plain loops, refusals, memory running out, many threads
 * at once, and forked children. The build runs this program once per flavour of OpenBLAS
 * that is installed; ML_BLAS_FLAVOUR then says which one it must be.
 */
#include "failing.h"
#include "testing.h"

#include "tensor/blas.h"
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

extern int omp_get_max_threads(void) __attribute__((weak));
extern void omp_set_num_threads(int) __attribute__((weak));

static double noise(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(*state >> 11) / 4503599627370496.0 - 1.0;
}

static double *matrix(int64_t rows, int64_t columns, uint64_t seed)
{
    double *a = malloc((size_t)(rows * columns + 1) * sizeof *a);
    for (int64_t i = 0; i < rows * columns; i++) a[i] = noise(&seed);
    return a;
}

/* Largest difference between C and op(A) op(B) by plain loops. */
static double product_error(int ta, int tb, int64_t m, int64_t n, int64_t k,
                            const double *a, int64_t lda, const double *b, int64_t ldb,
                            const double *c, int64_t ldc)
{
    double worst = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double s = 0;
            for (int64_t l = 0; l < k; l++)
                s += (ta ? a[i * lda + l] : a[l * lda + i]) *
                     (tb ? b[l * ldb + j] : b[j * ldb + l]);
            worst = fmax(worst, fabs(s - c[j * ldc + i]));
        }
    return worst;
}

START_TEST(flavour)
{
    int32_t f = mli_blas_flavour();
    ck_assert(f >= MLI_BLAS_SERIAL && f <= MLI_BLAS_OPENMP);
    const char *wanted = getenv("ML_BLAS_FLAVOUR");
    if (wanted) ck_assert_str_eq(mli_blas_flavour_name(f), wanted);
    ck_assert_str_eq(mli_blas_flavour_name(99), "unknown");
}
END_TEST

START_TEST(gemm)
{
    ml_context *ctx = test_context(0);
    const int64_t m = 13, n = 7, k = 9, ld = 15;
    double *a = matrix(ld, ld, 1), *b = matrix(ld, ld, 2), *c = matrix(ld, ld, 3);
    for (int t = 0; t < 4; t++) {
        OK(mli_dgemm(ctx, t & 1, t >> 1, m, n, k, 1.0, a, ld, b, ld, 0.0, c, ld, ERR));
        ck_assert(product_error(t & 1, t >> 1, m, n, k, a, ld, b, ld, c, ld) < 1e-14);
    }
    double before = c[2];
    OK(mli_dgemm(ctx, 0, 0, m, n, 0, 1.0, a, ld, b, ld, 1.0, c, ld, ERR));
    OK(mli_dgemm(ctx, 0, 0, 0, n, k, 1.0, a, ld, b, ld, 0.0, c, ld, ERR));
    ck_assert(c[2] == before);
    float fa[4] = {1, 2, 3, 4}, fb[2] = {5, 6}, fc[2] = {1, 1};
    OK(mli_sgemm(ctx, 0, 0, 2, 1, 2, 1.0f, fa, 2, fb, 2, 2.0f, fc, 2, ERR));
    ck_assert(fc[0] == 5 + 18 + 2 && fc[1] == 10 + 24 + 2);
    free(a);
    free(b);
    free(c);
    ml_context_free(ctx);
}
END_TEST

START_TEST(syrk)
{
    ml_context *ctx = test_context(0);
    const int64_t n = 6, k = 11;
    double *a = matrix(k, n, 4), *c = matrix(n, n, 5), *full = matrix(n, n, 5);
    double upper = c[3 * n + 1];
    OK(mli_dsyrk(ctx, 1, n, k, 2.0, a, k, 0.0, c, n, ERR));
    OK(mli_dgemm(ctx, 1, 0, n, n, k, 2.0, a, k, a, k, 0.0, full, n, ERR));
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = j; i < n; i++)
            ck_assert(fabs(c[j * n + i] - full[j * n + i]) < 1e-13);
    ck_assert(c[3 * n + 1] == upper); /* the other triangle is left alone */
    OK(mli_dsyrk(ctx, 0, n, 3, 1.0, a, n, 0.0, c, n, ERR));
    free(a);
    free(c);
    free(full);
    ml_context_free(ctx);
}
END_TEST

START_TEST(refuses_wrong_sizes)
{
    ml_context *ctx = test_context(0);
    double a[4] = {1, 0, 0, 1}, b[4], c[4];
    int64_t big = (int64_t)1 << 31;
    FAILS(ML_E_SHAPE, mli_dgemm(ctx, 0, 0, big, 1, 1, 1, a, big, b, 1, 0, c, big, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "2147483648"));
    FAILS(ML_E_SHAPE, mli_dgemm(ctx, 0, 0, 2, 2, 2, 1, a, 1, b, 2, 0, c, 2, ERR));
    FAILS(ML_E_SHAPE, mli_dgemm(ctx, 0, 0, -1, 2, 2, 1, a, 2, b, 2, 0, c, 2, ERR));
    FAILS(ML_E_SHAPE, mli_dgemm(ctx, 0, 0, 2, 2, 2, 1, a, 2, b, 2, 0, c, 1, ERR));
    FAILS(ML_E_SHAPE, mli_dsyrk(ctx, 1, 2, 2, 1, a, 2, 0, c, 1, ERR));
    FAILS(ML_E_SHAPE, mli_dpotrf(ctx, 2, a, 1, ERR));
    FAILS(ML_E_SHAPE, mli_dpotrs(ctx, 2, 1, a, 2, b, 1, ERR));
    FAILS(ML_E_SHAPE, mli_dgelsy(ctx, 2, 2, 1, a, 1, b, 2, 0, NULL, ERR));
    FAILS(ML_E_SHAPE, mli_dsyevd(ctx, big, a, big, b, ERR));
    FAILS(ML_E_SHAPE, mli_dgesdd(ctx, 2, 2, a, 2, b, c, 1, c, 2, ERR));
    ml_context_free(ctx);
}
END_TEST

START_TEST(cholesky)
{
    ml_context *ctx = test_context(0);
    const int64_t n = 5;
    double *x = matrix(9, n, 6), a[25], copy[25], b[5] = {1, 2, 3, 4, 5}, back[5] = {0};
    OK(mli_dsyrk(ctx, 1, n, 9, 1.0, x, 9, 0.0, a, n, ERR));
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < j; i++) a[j * n + i] = a[i * n + j];
    memcpy(copy, a, sizeof a);
    OK(mli_dpotrf(ctx, n, a, n, ERR));
    OK(mli_dpotrs(ctx, n, 1, a, n, b, n, ERR));
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < n; i++) back[i] += copy[j * n + i] * b[j];
    for (int64_t i = 0; i < n; i++) ck_assert(fabs(back[i] - (double)(i + 1)) < 1e-12);
    double indefinite[4] = {1, 2, 2, 1}, nan[4] = {1, NAN, 0, 1};
    FAILS(ML_E_NUMERIC, mli_dpotrf(ctx, 2, indefinite, 2, ERR));
    FAILS(ML_E_NUMERIC, mli_dpotrf(ctx, 2, nan, 2, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "not finite"));
    OK(mli_dpotrf(ctx, 0, NULL, 1, ERR));
    free(x);
    ml_context_free(ctx);
}
END_TEST

START_TEST(least_squares)
{
    ml_context *ctx = test_context(0);
    /* Columns 0 and 2 are the same: rank 2, and the solution of least norm. */
    double a[12] = {1, 1, 1, 1, 0, 1, 2, 3, 1, 1, 1, 1}, b[4] = {1, 3, 5, 7};
    int64_t rank = -1;
    OK(mli_dgelsy(ctx, 4, 3, 1, a, 4, b, 4, 1e-12, &rank, ERR));
    ck_assert_int_eq(rank, 2);
    ck_assert(fabs(b[0] - 0.5) < 1e-14 && fabs(b[1] - 2) < 1e-14);
    ck_assert(fabs(b[2] - 0.5) < 1e-14);
    double wide[2] = {3, 4}, wb[2] = {5, 0}; /* one equation, two unknowns */
    OK(mli_dgelsy(ctx, 1, 2, 1, wide, 1, wb, 2, 1e-12, &rank, ERR));
    ck_assert(fabs(wb[0] - 0.6) < 1e-15 && fabs(wb[1] - 0.8) < 1e-15);
    double nan[1] = {NAN}, one[1] = {1}, inf[1] = {INFINITY};
    FAILS(ML_E_NUMERIC, mli_dgelsy(ctx, 1, 1, 1, nan, 1, one, 1, 0, &rank, ERR));
    FAILS(ML_E_NUMERIC, mli_dgelsy(ctx, 1, 1, 1, one, 1, inf, 1, 0, &rank, ERR));
    double none[2] = {4, 4};
    OK(mli_dgelsy(ctx, 0, 2, 1, one, 1, none, 2, 0, &rank, ERR));
    ck_assert(rank == 0 && none[0] == 0 && none[1] == 0);
    ml_context_free(ctx);
}
END_TEST

START_TEST(eigen_and_singular)
{
    ml_context *ctx = test_context(0);
    double a[4] = {2, 1, 1, 2}, w[2];
    OK(mli_dsyevd(ctx, 2, a, 2, w, ERR));
    ck_assert(fabs(w[0] - 1) < 1e-14 && fabs(w[1] - 3) < 1e-14);
    ck_assert(fabs(fabs(a[2]) - sqrt(0.5)) < 1e-14);
    const int64_t m = 7, n = 4;
    double *x = matrix(m, n, 7), *copy = matrix(m, n, 7), s[4], u[28], vt[16];
    OK(mli_dgesdd(ctx, m, n, x, m, s, u, m, vt, n, ERR));
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < m; i++) u[j * m + i] *= s[j];
    ck_assert(product_error(0, 0, m, n, n, u, m, vt, n, copy, m) < 1e-14);
    ck_assert(s[0] >= s[1] && s[1] >= s[2] && s[2] >= s[3]);
    copy[5] = NAN;
    FAILS(ML_E_NUMERIC, mli_dgesdd(ctx, m, n, copy, m, s, u, m, vt, n, ERR));
    double bad[4] = {1, 2, INFINITY, 1}; /* the upper triangle is not looked at */
    OK(mli_dsyevd(ctx, 2, bad, 2, w, ERR));
    bad[1] = INFINITY;
    FAILS(ML_E_NUMERIC, mli_dsyevd(ctx, 2, bad, 2, w, ERR));
    free(x);
    free(copy);
    ml_context_free(ctx);
}
END_TEST

static ml_status factorise(ml_context *ctx, int which, ml_error *err)
{
    double a[9] = {4, 1, 0, 1, 5, 2, 0, 2, 6}, b[3] = {1, 2, 3}, s[3], u[9], vt[9];
    int64_t rank;
    if (which == 0) return mli_dgelsy(ctx, 3, 3, 1, a, 3, b, 3, 1e-12, &rank, err);
    if (which == 1) return mli_dsyevd(ctx, 3, a, 3, s, err);
    return mli_dgesdd(ctx, 3, 3, a, 3, s, u, 3, vt, 3, err);
}

static ml_status factorise_in(const ml_host *host, int which)
{
    ml_context *ctx = NULL;
    ml_status status = ml_context_new(host, &ctx, ERR);
    if (!status) status = factorise(ctx, which, ERR);
    ml_context_free(ctx);
    return status;
}

START_TEST(out_of_memory)
{
    for (int which = 0; which < 3; which++) {
        failing_alloc f;
        ml_host host = failing_host(&f);
        OUT_OF_MEMORY_LOOP(f, factorise_in(&host, which));
    }
}
END_TEST

/* One thread's share of work: products and factorisations of its own, checked. */
typedef struct job {
    ml_context *ctx;
    uint64_t seed;
    int rounds, wrong;
} job;

static void *work(void *arg)
{
    job *j = arg;
    const int64_t n = 48;
    double *a = matrix(n, n, j->seed), *b = matrix(n, n, j->seed + 100);
    double *c = matrix(n, n, 1), *first = NULL, *q = matrix(n, n, 2), w[48], w0[48] = {0};
    for (int r = 0; r < j->rounds; r++) {
        if (mli_dgemm(j->ctx, 0, 1, n, n, n, 1.0, a, n, b, n, 0.0, c, n, NULL))
            j->wrong++;
        if (!first) {
            first = malloc((size_t)(n * n) * sizeof *first);
            memcpy(first, c, (size_t)(n * n) * sizeof *first);
            if (product_error(0, 1, n, n, n, a, n, b, n, c, n) > 1e-12) j->wrong++;
        }
        if (memcmp(first, c, (size_t)(n * n) * sizeof *c) != 0) j->wrong++;
        if (r % 50) continue;
        memcpy(q, a, (size_t)(n * n) * sizeof *q);
        if (mli_dsyevd(j->ctx, n, q, n, w, NULL)) j->wrong++;
        if (r == 0) memcpy(w0, w, sizeof w);
        for (int64_t i = 0; i < n; i++)
            if (fabs(w[i] - w0[i]) > 1e-10) j->wrong++;
    }
    free(a);
    free(b);
    free(c);
    free(q);
    free(first);
    return NULL;
}

START_TEST(eight_threads)
{
    ml_context *ctx = test_context(0);
    pthread_t threads[8];
    job jobs[8];
    for (int t = 0; t < 8; t++) {
        jobs[t] = (job){ctx, (uint64_t)t + 10, 200, 0};
        ck_assert_int_eq(pthread_create(&threads[t], NULL, work, &jobs[t]), 0);
    }
    for (int t = 0; t < 8; t++) {
        pthread_join(threads[t], NULL);
        ck_assert_int_eq(jobs[t].wrong, 0);
    }
    ml_context_free(ctx);
}
END_TEST

/* A product large enough for several threads. 0 when right. */
static int large_product(ml_context *ctx)
{
    const int64_t n = 200;
    double *a = matrix(n, n, 20), *b = matrix(n, n, 21), *c = matrix(n, n, 22);
    ml_status status = mli_dgemm(ctx, 0, 0, n, n, n, 1.0, a, n, b, n, 0.0, c, n, ERR);
    double error = status ? 0 : product_error(0, 0, n, n, n, a, n, b, n, c, n);
    free(a);
    free(b);
    free(c);
    return status ? status : error > 1e-11;
}

static int in_child(ml_context *ctx)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        int result = large_product(ctx);
        if (result == 0 && mli_dpotrf(ctx, 1, (double[]){4}, 1, ERR)) result = 2;
        _exit(result == 0 ? 0 : -result);
    }
    int state = 0;
    ck_assert_int_eq(waitpid(pid, &state, 0), pid);
    ck_assert_msg(WIFEXITED(state), "the child ended by signal %d", WTERMSIG(state));
    return WEXITSTATUS(state);
}

START_TEST(forked_child)
{
    ml_context *ctx = test_context(0);
    ck_assert_int_eq(in_child(ctx), 0); /* before the parent's first call */
    ck_assert_int_eq(large_product(ctx), 0);
    ck_assert_int_eq(in_child(ctx), 0);
    ck_assert_int_eq(large_product(ctx), 0);
    ml_context_free(ctx);
}
END_TEST

/* A child forked while other threads of the parent are inside calls. */
START_TEST(forked_child_of_a_busy_parent)
{
    if (SANITIZED) SKIP("not under sanitizers");
    ml_context *ctx = test_context(0);
    pthread_t threads[3];
    job jobs[3];
    for (int t = 0; t < 3; t++) {
        jobs[t] = (job){ctx, (uint64_t)t + 10, 400, 0};
        ck_assert_int_eq(pthread_create(&threads[t], NULL, work, &jobs[t]), 0);
    }
    for (int i = 0; i < 5; i++) ck_assert_int_eq(in_child(ctx), 0);
    for (int t = 0; t < 3; t++) {
        pthread_join(threads[t], NULL);
        ck_assert_int_eq(jobs[t].wrong, 0);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(threads_asked_for)
{
    ml_host host = ML_HOST_INIT;
    host.blas_threads = 2;
    ml_context *ctx = NULL;
    OK(ml_context_new(&host, &ctx, ERR));
    if (omp_set_num_threads) omp_set_num_threads(3);
    ck_assert_int_eq(large_product(ctx), 0);
    if (mli_blas_flavour() == MLI_BLAS_OPENMP) {
        ck_assert_int_eq(omp_get_max_threads(), 3); /* the host's count is as it was */
        ck_assert_int_eq(in_child(ctx), -ML_E_STATE);
    } else {
        ck_assert_int_eq(in_child(ctx), 0);
    }
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("tensor/blas", flavour, gemm, syrk, refuses_wrong_sizes, cholesky,
          least_squares, eigen_and_singular, out_of_memory, eight_threads, forked_child,
          forked_child_of_a_busy_parent, threads_asked_for)
