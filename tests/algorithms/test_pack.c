/* SPDX-License-Identifier: MIT
 *
 * Gradients to whole numbers: every level of instructions gives the same bits, sums are
 * those of the rows, and halves are rounded to the even neighbour.
 */
#include "algorithms/trees/logistic.h"
#include "algorithms/trees/objective.h"
#include "algorithms/trees/pack.h"
#include "core/cpu.h"
#include "core/rng.h"
#include "testing.h"
#include <math.h>

#define ROWS 1031

static void draw(float *gh, int64_t n)
{
    mli_rng rng;
    mli_rng_init(&rng, 5, 1, 2);
    for (int64_t i = 0; i < n; i++) {
        gh[2 * i] = (float)mli_rng_normal(&rng);
        gh[2 * i + 1] = (float)mli_rng_f64(&rng);
    }
}

START_TEST(levels_agree)
{
    static float gh[2 * ROWS];
    static uint64_t scalar[ROWS], best[ROWS];
    draw(gh, ROWS);
    for (int64_t n = 0; n <= ROWS; n += n < 20 ? 1 : 337) {
        double a[3], b[3];
        mli_pack_sums(MLI_CPU_SCALAR, gh, n, a);
        mli_pack_sums(mli_cpu_best(), gh, n, b);
        ck_assert_mem_eq(a, b, sizeof a);
        uint64_t x = mli_pack_round(MLI_CPU_SCALAR, gh, n, 1e6, 1e5, scalar);
        uint64_t y = mli_pack_round(mli_cpu_best(), gh, n, 1e6, 1e5, best);
        ck_assert_mem_eq(scalar, best, (size_t)n * sizeof *best);
        ck_assert_uint_eq(x, y);
        mli_pack_round(MLI_CPU_SCALAR, gh, n, 1e6, 0, scalar);
        mli_pack_round(mli_cpu_best(), gh, n, 1e6, 0, best);
        ck_assert_mem_eq(scalar, best, (size_t)n * sizeof *best);
        if (n > 0) ck_assert_int_eq(mli_gh_h(best[n - 1]), 1);
    }
}
END_TEST

START_TEST(sums_are_those_of_the_rows)
{
    static float gh[2 * ROWS];
    static uint64_t packed[ROWS];
    draw(gh, ROWS);
    double sums[3], g = 0, h = 0, squares = 0;
    int64_t whole_g = 0, whole_h = 0;
    mli_pack_sums(mli_cpu_best(), gh, ROWS, sums);
    uint64_t sum = mli_pack_round(mli_cpu_best(), gh, ROWS, 1e6, 1e5, packed);
    for (int64_t i = 0; i < ROWS; i++) {
        g += fabs((double)gh[2 * i]);
        h += (double)gh[2 * i + 1];
        squares += (double)gh[2 * i] * (double)gh[2 * i];
        ck_assert_int_eq(mli_gh_g(packed[i]), lrint((double)gh[2 * i] * 1e6));
        ck_assert_int_eq(mli_gh_h(packed[i]), lrint((double)gh[2 * i + 1] * 1e5));
        whole_g += mli_gh_g(packed[i]);
        whole_h += mli_gh_h(packed[i]);
    }
    ck_assert_double_eq_tol(sums[0], g, 1e-9);
    ck_assert_double_eq_tol(sums[1], h, 1e-9);
    ck_assert_double_eq_tol(sums[2], squares, 1e-9);
    ck_assert_int_eq(mli_gh_g(sum), whole_g);
    ck_assert_int_eq(mli_gh_h(sum), whole_h);
}
END_TEST

START_TEST(halves_go_to_the_even)
{
    const float gh[] = {0.5f, 0.5f, -0.5f, 1.5f, -1.5f, 2.5f, 2.5f, 3.5f};
    const int32_t g[] = {0, 0, -2, 2}, h[] = {0, 2, 2, 4};
    uint64_t packed[4];
    mli_pack_round(mli_cpu_best(), gh, 4, 1, 1, packed);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(mli_gh_g(packed[i]), g[i]);
        ck_assert_int_eq(mli_gh_h(packed[i]), h[i]);
    }
}
END_TEST

/* Scores of both ends included, and rows that fill no vector. */
START_TEST(logistic_gradients)
{
    static double score[ROWS];
    static int32_t label[ROWS];
    static float scalar[2 * ROWS], best[2 * ROWS];
    mli_rng rng;
    mli_rng_init(&rng, 7, 1, 2);
    for (int64_t i = 0; i < ROWS; i++) {
        score[i] = i % 5 == 0 ? 87 * mli_rng_normal(&rng) : 4 * mli_rng_normal(&rng);
        label[i] = (int32_t)mli_rng_below(&rng, 2);
    }
    const double ends[] = {INFINITY, -INFINITY, 1e300, -1e300, NAN, 0, -0.0};
    memcpy(score, ends, sizeof ends);
    mli_logistic_gradients(MLI_CPU_SCALAR, score, label, ROWS, scalar);
    mli_logistic_gradients(mli_cpu_best(), score, label, ROWS, best);
    ck_assert_mem_eq(scalar, best, sizeof best);
    for (int64_t i = 0; i < ROWS; i++) {
        ck_assert(best[2 * i + 1] >= MLI_SMALLEST_H);
        if (i == 4) continue; /* no number */
        double s = fmin(fmax(label[i] ? -score[i] : score[i], -87), 87), e = exp(-s);
        double g = (label[i] ? -1 : 1) / (1 + e), h = e / (1 + e) / (1 + e);
        double off = 3e-7 * (1 + fabs(s));
        ck_assert_double_eq_tol(best[2 * i], g, off * fabs(g));
        if (h >= MLI_SMALLEST_H) ck_assert_double_eq_tol(best[2 * i + 1], h, 2 * off * h);
    }
    float few[6];
    mli_logistic_gradients(mli_cpu_best(), score + 9, label + 9, 3, few);
    ck_assert_mem_eq(few, best + 18, sizeof few);
}
END_TEST

/* Probabilities of both ends included. */
START_TEST(shares_levels_agree)
{
    static double p[ROWS];
    static int32_t label[ROWS];
    static float scalar[2 * ROWS], best[2 * ROWS];
    mli_rng rng;
    mli_rng_init(&rng, 7, 1, 2);
    for (int64_t i = 0; i < ROWS; i++) {
        p[i] = i % 50 == 0 ? 0 : i % 50 == 1 ? 1 : i % 50 == 2 ? NAN : mli_rng_f64(&rng);
        label[i] = (int32_t)mli_rng_below(&rng, 3);
    }
    mli_pack_shares(MLI_CPU_SCALAR, p, label, 2, 1.5, ROWS, scalar);
    mli_pack_shares(mli_cpu_best(), p, label, 2, 1.5, ROWS, best);
    ck_assert_mem_eq(scalar, best, sizeof best);
    for (int64_t i = 3; i < 50; i++) {
        ck_assert_double_eq_tol(best[2 * i], p[i] - (label[i] == 2), 1e-7);
        ck_assert_double_eq_tol(best[2 * i + 1], 1.5 * p[i] * (1 - p[i]), 1e-7);
    }
    for (int64_t i = 0; i < 3; i++) ck_assert(best[2 * i + 1] > 0);
}
END_TEST

TEST_MAIN("algorithms/pack", levels_agree, shares_levels_agree, logistic_gradients,
          sums_are_those_of_the_rows, halves_go_to_the_even)
