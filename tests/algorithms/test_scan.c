/* SPDX-License-Identifier: MIT
 *
 * The scan of cuts: every level of instructions finds the same cut and the same bits of
 * its gain, also where bins are empty, where many gains are nearly the same, where sums
 * are as large as can be, and where none is enough.
 */
#include "algorithms/trees/split.h"
#include "core/cpu.h"
#include "core/rng.h"
#include "testing.h"

#define BINS 255

enum { PLAIN, EMPTY, FLAT, LARGE, KINDS };

static uint64_t cell_of(mli_rng *rng, int kind)
{
    int32_t g = (int32_t)mli_rng_below(rng, 2001) - 1000;
    int32_t h = 1 + (int32_t)mli_rng_below(rng, 500);
    if (kind == EMPTY && mli_rng_below(rng, 8) > 0) g = h = 0;
    if (kind == FLAT) {
        g = 3000000 + (int32_t)mli_rng_below(rng, 3);
        h = 1000000;
    }
    if (kind == LARGE) {
        g *= 8000;
        h *= 16000;
    }
    return mli_gh_pack(g, h);
}

/* Sums up to each bin, and what of the leaf follows from them. */
static mli_scan draw(uint64_t seed, int kind, uint64_t *prefix)
{
    mli_rng rng;
    mli_rng_init(&rng, 7, seed, (uint64_t)kind);
    uint64_t sum = 0;
    for (int32_t i = 0; i < BINS; i++) prefix[i] = sum += cell_of(&rng, kind);
    for (int32_t i = BINS; i < BINS + MLI_SCAN_PAST; i++) prefix[i] = sum;
    mli_scan s = {.g = mli_gh_g(sum), .h = mli_gh_h(sum)};
    s.l2 = seed % 3 == 0 ? 0 : (double)(seed % 5) * 100;
    s.l1 = seed % 7 == 0 ? 50 : 0;
    return s;
}

static void compare(const uint64_t *prefix, int32_t first, int32_t last, mli_scan s)
{
    mli_scan a = s, b = s;
    mli_scan_scalar(prefix, first, last, &a);
    mli_scan_avx2(prefix, first, last, &b);
    ck_assert_int_eq(a.bin, b.bin);
    ck_assert_mem_eq(&a.gain, &b.gain, sizeof a.gain);
    if (a.bin < 0) return;
    /* The best one itself is not enough, and just below it is. */
    double best = a.gain;
    a.gain = b.gain = best;
    mli_scan_scalar(prefix, first, last, &a);
    mli_scan_avx2(prefix, first, last, &b);
    ck_assert_int_eq(a.bin, -1);
    ck_assert_int_eq(b.bin, -1);
    a.gain = b.gain = best * (1 - 1e-15);
    mli_scan_scalar(prefix, first, last, &a);
    mli_scan_avx2(prefix, first, last, &b);
    ck_assert_int_eq(a.bin, b.bin);
}

START_TEST(levels_agree)
{
    uint64_t prefix[BINS + MLI_SCAN_PAST];
    if (mli_cpu_best() < MLI_CPU_AVX2) return;
    for (int kind = 0; kind < KINDS; kind++)
        for (uint64_t seed = 0; seed < 200; seed++) {
            mli_scan s = draw(seed, kind, prefix);
            int32_t first = (int32_t)(seed % 11), last = BINS - 2 - (int32_t)(seed % 13);
            while (mli_gh_h(prefix[first]) < 1) first++;
            while (mli_gh_h(prefix[last]) >= (int32_t)s.h) last--;
            compare(prefix, first, last, s);
            compare(prefix, first, first + 20, s);
        }
}
END_TEST

TEST_MAIN("algorithms/scan", levels_agree)
