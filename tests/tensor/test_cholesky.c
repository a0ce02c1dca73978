/* SPDX-License-Identifier: MIT
 *
 * Cholesky factorisation: right factors and solutions at sizes around the block, refusal
 * of matrices that are not positive definite, and the same bits for any threads.
 */
#include "testing.h"

#include "core/cpu.h"
#include "tensor/cholesky.h"

static double noise(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(*state >> 11) / 4503599627370496.0 - 1.0;
}

/* X'X + I for random X; the upper triangle holds a mark. */
static double *definite(int64_t n, int64_t ld)
{
    uint64_t seed = (uint64_t)n;
    double *x = malloc((size_t)(n * n + 1) * sizeof *x);
    double *a = malloc((size_t)(n * ld + 1) * sizeof *a);
    for (int64_t i = 0; i < n * n; i++) x[i] = noise(&seed);
    for (int64_t i = 0; i < n * ld; i++) a[i] = 77;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double s = i == j;
            for (int64_t k = 0; k < n; k++) s += x[k * n + i] * x[k * n + j];
            a[i * ld + j] = s;
        }
    free(x);
    return a;
}

START_TEST(factors_and_solutions)
{
    const int64_t sizes[] = {0, 1, 2, 3, 7, 47, 48, 49, 100, 151, 200};
    ml_context *ctx = test_context(1);
    for (int s = 0; s < 11; s++) {
        int64_t n = sizes[s], ld = n + 3;
        double *a = definite(n, ld), *l = definite(n, ld);
        double *b = calloc((size_t)n + 1, sizeof *b), *x = calloc((size_t)n + 1, 8);
        ck_assert_int_eq(mli_cholesky(ctx, n, l, ld, 1e-12), n);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j <= i; j++) {
                double sum = 0;
                for (int64_t k = 0; k <= j; k++) sum += l[i * ld + k] * l[j * ld + k];
                ck_assert(fabs(sum - a[i * ld + j]) < 1e-13 * (double)(n + 1));
            }
        if (n > 1) ck_assert(l[1] == 77);
        for (int64_t i = 0; i < n; i++) b[i] = x[i] = (double)i - 3;
        mli_cholesky_solve(ctx, n, l, ld, x);
        for (int64_t i = 0; i < n; i++) {
            double sum = 0;
            for (int64_t j = 0; j < n; j++)
                sum += (j <= i ? a[i * ld + j] : a[j * ld + i]) * x[j];
            ck_assert(fabs(sum - b[i]) < 1e-9);
        }
        free(a);
        free(l);
        free(b);
        free(x);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(inverse)
{
    ml_context *ctx = test_context(1);
    const int64_t n = 60;
    double *l = definite(n, n), work[60], diagonal[60], unit[60];
    ck_assert_int_eq(mli_cholesky(ctx, n, l, n, 0), n);
    mli_cholesky_inverse_diagonal(ctx, n, l, n, work, diagonal);
    for (int64_t j = 0; j < n; j++) {
        for (int64_t i = 0; i < n; i++) unit[i] = i == j;
        mli_cholesky_solve(ctx, n, l, n, unit);
        ck_assert(fabs(unit[j] - diagonal[j]) < 1e-12);
    }
    free(l);
    ml_context_free(ctx);
}
END_TEST

START_TEST(not_definite)
{
    ml_context *ctx = test_context(1);
    double a[9] = {1, 0, 0, 1, 1, 0, 0, 0, 5};
    ck_assert_int_eq(mli_cholesky(ctx, 3, a, 3, 1e-12), 1); /* rows 0 and 1 the same */
    double b[4] = {1, 0, 2, 1};
    ck_assert_int_eq(mli_cholesky(ctx, 2, b, 2, 0), 1);
    double c[4] = {1, 0, NAN, 1}, d[1] = {0}, e[1] = {INFINITY};
    ck_assert_int_eq(mli_cholesky(ctx, 2, c, 2, 0), 1);
    ck_assert_int_eq(mli_cholesky(ctx, 1, d, 1, 0), 0);
    ck_assert_int_eq(mli_cholesky(ctx, 1, e, 1, 0), 0);
    /* A repeated row deep inside a large matrix. */
    double *m = definite(130, 130);
    memcpy(m + 100 * 130, m + 60 * 130, 61 * sizeof *m);
    for (int64_t j = 61; j < 100; j++) m[100 * 130 + j] = m[j * 130 + 60];
    m[100 * 130 + 100] = m[60 * 130 + 60];
    ck_assert_int_eq(mli_cholesky(ctx, 130, m, 130, 1e-10), 100);
    free(m);
    ml_context_free(ctx);
}
END_TEST

START_TEST(the_same_bits)
{
    const int64_t n = 300;
    double *first = NULL;
    for (int k = 0; k < 4; k++) {
        ml_context *ctx = test_context_level(k == 1   ? 2
                                             : k == 2 ? 7
                                                      : 1,
                                             k == 3 ? MLI_CPU_SCALAR : 0);
        double *a = definite(n, n);
        ck_assert_int_eq(mli_cholesky(ctx, n, a, n, 0), n);
        if (first) ck_assert_mem_eq(first, a, (size_t)(n * n) * sizeof *a);
        if (first)
            free(a);
        else
            first = a;
        ml_context_free(ctx);
    }
    free(first);
}
END_TEST

TEST_MAIN("tensor/cholesky", factors_and_solutions, inverse, not_definite, the_same_bits)
