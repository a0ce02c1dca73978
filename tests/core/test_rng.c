/* SPDX-License-Identifier: MIT
 *
 * Random streams: the published vectors of Philox4x32-10 (Random123, kat_vectors), and
 * the distributions made from it.
 */
#include "testing.h"
#include "core/rng.h"

START_TEST(matches_known_answers)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        mli_philox(known[i].counter, known[i].key, out);
        ck_assert_mem_eq(out, known[i].out, sizeof out);
    }
}
END_TEST

/* What models were made with must never change. */
START_TEST(streams_are_pinned)
{
    mli_rng r;
    mli_rng_init(&r, 42, 7, 3);
    uint64_t hash = 0;
    for (int i = 0; i < 1000; i++) hash = hash * 0x100000001b3u ^ mli_rng_u32(&r);
    ck_assert_uint_eq(hash, 0x348c381004ff4b28u);
    mli_rng_init(&r, 0, 0, 0);
    ck_assert_uint_eq(mli_rng_u32(&r), 0xb10967f6u);
}
END_TEST

START_TEST(streams_differ)
{
    enum { N = 12 };
    uint64_t first[N * N * N];
    int n = 0;
    static const uint64_t numbers[N] = {0,          1,          2,          3,
                                        255,        256,        1u << 31,   UINT32_MAX,
                                        1ull << 32, 1ull << 63, UINT64_MAX, 12345};
    for (int a = 0; a < N; a++)
        for (int b = 0; b < N; b++)
            for (int c = 0; c < N; c++) {
                mli_rng r;
                mli_rng_init(&r, numbers[a], numbers[b], numbers[c]);
                first[n++] = mli_rng_u64(&r);
            }
    int same = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) same += first[i] == first[j];
    ck_assert_int_eq(same, 0);
}
END_TEST

/* The low half of the counter carries into the next word. */
START_TEST(counter_carries)
{
    mli_rng r;
    mli_rng_init(&r, 1, 2, 3);
    r.counter[0] = UINT32_MAX;
    uint32_t upper = r.counter[2];
    for (int i = 0; i < 5; i++) mli_rng_u32(&r);
    ck_assert_uint_eq(r.counter[0], 1);
    ck_assert_uint_eq(r.counter[1], 1);
    ck_assert_uint_eq(r.counter[2], upper);
}
END_TEST

START_TEST(uniform_reals)
{
    mli_rng r;
    mli_rng_init(&r, 5, 0, 0);
    enum { N = 200000 };
    double sum = 0, square = 0;
    int outside = 0;
    int bins[16] = {0};
    for (int i = 0; i < N; i++) {
        double u = mli_rng_f64(&r);
        outside += !(u >= 0 && u < 1);
        sum += u;
        square += u * u;
        bins[(int)(u * 16) & 15]++;
    }
    ck_assert_int_eq(outside, 0);
    ck_assert_double_eq_tol(sum / N, 0.5, 0.004);
    ck_assert_double_eq_tol(square / N, 1.0 / 3, 0.004);
    for (int i = 0; i < 16; i++) ck_assert_int_lt(abs(bins[i] - N / 16), 600);
}
END_TEST

START_TEST(whole_numbers_are_unbiased)
{
    mli_rng r;
    mli_rng_init(&r, 6, 0, 0);
    int counts[7] = {0};
    for (int i = 0; i < 70000; i++) counts[mli_rng_below(&r, 7)]++;
    for (int i = 0; i < 7; i++) ck_assert_int_lt(abs(counts[i] - 10000), 500);
    /* plain remainders of 63 bits would favour the lower part */
    int64_t n = INT64_MAX / 4 * 3, low = 0;
    for (int i = 0; i < 20000; i++) {
        int64_t v = mli_rng_below(&r, n);
        ck_assert(v >= 0 && v < n);
        low += v < n / 2;
    }
    ck_assert_int_lt(llabs(low - 10000), 400);
}
END_TEST

START_TEST(whole_numbers_at_the_edges)
{
    mli_rng r;
    mli_rng_init(&r, 6, 1, 0);
    static const int64_t sizes[] = {
        1, 2, UINT32_MAX - (int64_t)1, UINT32_MAX, UINT32_MAX + (int64_t)1, INT64_MAX};
    for (int k = 0; k < 6; k++)
        for (int i = 0; i < 1000; i++) {
            int64_t v = mli_rng_below(&r, sizes[k]);
            ck_assert(v >= 0 && v < sizes[k]);
        }
    ck_assert_int_eq(mli_rng_below(&r, 0), 0);
    ck_assert_int_eq(mli_rng_below(&r, -5), 0);
}
END_TEST

START_TEST(normal_moments)
{
    mli_rng r;
    mli_rng_init(&r, 8, 0, 0);
    enum { N = 200000 };
    double m[5] = {0};
    for (int i = 0; i < N; i++) {
        double x = mli_rng_normal(&r), p = 1;
        for (int k = 1; k < 5; k++) m[k] += p *= x;
    }
    ck_assert_double_eq_tol(m[1] / N, 0, 0.01);
    ck_assert_double_eq_tol(m[2] / N, 1, 0.015);
    ck_assert_double_eq_tol(m[3] / N, 0, 0.04);
    ck_assert_double_eq_tol(m[4] / N, 3, 0.1);
}
END_TEST

START_TEST(shuffles_evenly)
{
    mli_rng r;
    mli_rng_init(&r, 9, 0, 0);
    int counts[24] = {0}, strange = 0;
    for (int i = 0; i < 24000; i++) {
        int64_t p[4] = {0, 1, 2, 3};
        mli_rng_shuffle(&r, p, 4);
        strange += (1 << p[0]) + (1 << p[1]) + (1 << p[2]) + (1 << p[3]) != 15;
        int64_t b = p[1] - (p[1] > p[0]);
        int64_t c = p[2] - (p[2] > p[0]) - (p[2] > p[1]);
        counts[(p[0] * 6 + b * 2 + c) % 24]++;
    }
    ck_assert_int_eq(strange, 0);
    for (int i = 0; i < 24; i++) ck_assert_int_lt(abs(counts[i] - 1000), 180);
    int64_t one = 5;
    mli_rng_shuffle(&r, &one, 1);
    mli_rng_shuffle(&r, NULL, 0);
    ck_assert_int_eq(one, 5);
}
END_TEST

TEST_MAIN("core/rng", matches_known_answers, streams_are_pinned, streams_differ,
          counter_carries, uniform_reals, whole_numbers_are_unbiased,
          whole_numbers_at_the_edges, normal_moments, shuffles_evenly)
