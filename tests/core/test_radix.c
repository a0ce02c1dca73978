/* SPDX-License-Identifier: MIT
 *
 * Sorting by bits against qsort: single and double precision, whole numbers, infinities,
 * sizes about the limits.
 */
#include "core/radix.h"
#include "core/rng.h"
#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Draws by kind: 0 single precision, 1 double, 2 whole numbers, 3 few values. */
static double draw(mli_rng *rng, int kind)
{
    double x = mli_rng_normal(rng);
    if (kind == 0) return (double)(float)(x * 1e-3);
    if (kind == 1) return x * 1e30;
    if (kind == 2) return floor(x * 1e6);
    return floor(x);
}

static void compare(double *v, int64_t n)
{
    double *expected = malloc((size_t)n * sizeof *v), *scratch = malloc((size_t)n * 8);
    memcpy(expected, v, (size_t)n * sizeof *v);
    qsort(expected, (size_t)n, sizeof *v, rising);
    mli_radix_sort_f64(v, scratch, n);
    ck_assert_int_eq(memcmp(v, expected, (size_t)n * sizeof *v), 0);
    free(expected);
    free(scratch);
}

START_TEST(like_qsort)
{
    static const int64_t sizes[] = {1, 2, 63, 64, 65, 511, 512, 513, 5000};
    mli_rng rng;
    mli_rng_init(&rng, 1, 0, 0);
    for (int kind = 0; kind < 4; kind++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            int64_t n = sizes[s];
            double *v = malloc((size_t)n * sizeof *v);
            for (int64_t i = 0; i < n; i++) v[i] = draw(&rng, kind);
            if (n > 3) {
                v[0] = INFINITY;
                v[n - 1] = -INFINITY;
                v[n / 2] = kind == 1 ? 1e300 : 0;
            }
            compare(v, n);
            free(v);
        }
}
END_TEST

/* One value that single precision does not hold, at the end. */
START_TEST(last_value_is_double)
{
    enum { N = 1000 };
    double v[N];
    for (int i = 0; i < N; i++) v[i] = (i * 37) % 101 - 50;
    v[N - 1] = 0.1;
    compare(v, N);
}
END_TEST

/* Places in the order of the values, equal ones as they stand, none of NaN. */
START_TEST(places_in_order)
{
    enum { N = 3000 };
    double *v = malloc(N * sizeof *v);
    uint64_t *word = malloc(2 * N * sizeof *word);
    mli_rng rng;
    mli_rng_init(&rng, 2, 0, 0);
    for (int kind = 0; kind < 5; kind++) {
        int64_t found, missing = 0;
        for (int i = 0; i < N; i++) {
            v[i] = i % 7 == 3 || kind == 4 ? NAN : draw(&rng, kind);
            if (i % 5 == 1 && kind < 4) v[i] = i % 10 == 1 ? v[i - 1] : -INFINITY;
            missing += isnan(v[i]) != 0;
        }
        const uint64_t *at = mli_radix_order_f64(v, N, word, word + N, &found);
        ck_assert_int_eq(found, N - missing);
        for (int64_t i = 0; i < found; i++) {
            uint32_t here = (uint32_t)at[i], before = (uint32_t)at[i > 0 ? i - 1 : 0];
            ck_assert(!isnan(v[here]));
            if (i > 0)
                ck_assert(v[before] < v[here] || (v[before] == v[here] && before < here));
        }
    }
    free(v);
    free(word);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {like_qsort, last_value_is_double, places_in_order};
    return test_run("core/radix", tests, (int)(sizeof tests / sizeof tests[0]));
}
