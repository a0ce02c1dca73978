/* SPDX-License-Identifier: MIT
 *
 * prepare/rank.c: the values at a few places of the sorted order, without sorting all.
 *
 * Of many rows a sample is sorted first. It gives bounds between which each place lies in
 * all likelihood (Floyd, Rivest, "Expected time bounds for selection", CACM 18, 1975);
 * one look at the column counts what is below them and keeps what is between. Among
 * those, or all where a bound was wrong, all places are looked for at once
 * (trees/places.h). What comes out does not depend on the sample.
 */
#include "algorithms/prepare/lanes.h"
#include "algorithms/prepare/prepare.h"
#include "algorithms/trees/places.h"
#include "core/radix.h"
#include "core/cpu.h"

#include <math.h>
#include <string.h>
#ifdef MLI_AVX2
#include <immintrin.h>
#endif

#define MOST_QS 64

#define SAMPLED    (1 << 15) /* rows of which a sample is taken, */
#define SAMPLE     8192      /* of at most so many */
#define MOST_RANGE 8         /* pairs of bounds; with more of them most rows are kept */
#define DEVIATIONS 4         /* of the place in the sample, on both sides */

/* ---- bounds from a sample ---- */

typedef struct {
    double low, high;
    int64_t below, upto; /* values < low, values <= high */
} range;

typedef struct {
    range ranges[MOST_RANGE];
    int count;
    int64_t present, kept;
} bounds;

/* A sample of those present, sorted. Returns how many. */
static int64_t take_sample(const double *v, int64_t n, double *sample, double *scratch)
{
    int64_t size = n / 64 < SAMPLE ? n / 64 : SAMPLE, step = n / size, m = 0;
    for (int64_t i = 0; i < size; i++) {
        uint64_t turn = ((uint64_t)i + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 33;
        double x = v[i * step + (int64_t)(turn % (uint64_t)step)];
        sample[m] = x + 0.0;
        m += x == x;
    }
    mli_radix_sort_f64(sample, scratch, m);
    return m;
}

/* Bounds of each quantile; those that overlap become one. 0: too many. */
static int find_bounds(const double *q, int n_q, const double *sample, int64_t m,
                       bounds *b)
{
    b->count = 0;
    for (int k = 0; k < n_q; k++) {
        double at = q[k] * (double)m, wide = sqrt((double)m * q[k] * (1 - q[k]));
        double first = at - DEVIATIONS * wide - 2, last = at + DEVIATIONS * wide + 2;
        range r = {.low = first < 0 ? -INFINITY : sample[(int64_t)first],
                   .high = last >= (double)m ? INFINITY : sample[(int64_t)last]};
        int i = b->count;
        while (i > 0 && b->ranges[i - 1].low > r.low) i--;
        if (b->count == MOST_RANGE) return 0;
        memmove(b->ranges + i + 1, b->ranges + i,
                (size_t)(b->count - i) * sizeof *b->ranges);
        b->ranges[i] = r;
        b->count++;
    }
    int last = 0;
    for (int k = 1; k < b->count; k++) {
        range *before = &b->ranges[last];
        if (b->ranges[k].low > before->high)
            b->ranges[++last] = b->ranges[k];
        else if (b->ranges[k].high > before->high)
            before->high = b->ranges[k].high;
    }
    b->count = last + 1;
    return 1;
}

/* Counts, and keeps what is within bounds, zeros without a sign. */
static void look_plain(const double *v, int64_t begin, int64_t n, bounds *b, double *kept)
{
    for (int64_t i = begin; i < n; i++) {
        int within = 0;
        for (int k = 0; k < b->count; k++) {
            range *r = &b->ranges[k];
            int below = v[i] < r->low, upto = v[i] <= r->high;
            r->below += below;
            r->upto += upto;
            within |= upto & !below;
        }
        kept[b->kept] = v[i] + 0.0;
        b->kept += within;
        b->present += v[i] == v[i];
    }
}

#ifdef MLI_AVX2
/* Where the numbers of a mask go, as halves of numbers. */
static const int32_t packing[16][8] = {
    {0, 0, 0, 0, 0, 0, 0, 0}, {0, 1, 0, 0, 0, 0, 0, 0}, {2, 3, 0, 0, 0, 0, 0, 0},
    {0, 1, 2, 3, 0, 0, 0, 0}, {4, 5, 0, 0, 0, 0, 0, 0}, {0, 1, 4, 5, 0, 0, 0, 0},
    {2, 3, 4, 5, 0, 0, 0, 0}, {0, 1, 2, 3, 4, 5, 0, 0}, {6, 7, 0, 0, 0, 0, 0, 0},
    {0, 1, 6, 7, 0, 0, 0, 0}, {2, 3, 6, 7, 0, 0, 0, 0}, {0, 1, 2, 3, 6, 7, 0, 0},
    {4, 5, 6, 7, 0, 0, 0, 0}, {0, 1, 4, 5, 6, 7, 0, 0}, {2, 3, 4, 5, 6, 7, 0, 0},
    {0, 1, 2, 3, 4, 5, 6, 7}};

/* Sixteen at a time; writes up to three numbers beyond those kept. */
MLI_AVX2 static void look_avx2(const double *v, int64_t n, bounds *b, double *kept)
{
    mli_flags below[MOST_RANGE] = {{0}}, upto[MOST_RANGE] = {{0}}, there = {0};
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        mli_numbers x[4];
        mli_flags within[4] = {{0}};
        MLI_UNROLL
        for (int h = 0; h < 4; h++) {
            x[h] = *(const mli_numbers *)(v + i + 4 * h);
            there -= x[h] == x[h];
        }
        for (int k = 0; k < b->count; k++) {
            const mli_numbers low = (mli_numbers){0} + b->ranges[k].low;
            const mli_numbers high = (mli_numbers){0} + b->ranges[k].high;
            MLI_UNROLL
            for (int h = 0; h < 4; h++) {
                mli_flags under = x[h] < low, over = x[h] <= high;
                below[k] -= under;
                upto[k] -= over;
                within[h] |= over & ~under;
            }
        }
        MLI_UNROLL
        for (int h = 0; h < 4; h++) {
            int mask = _mm256_movemask_pd((__m256d)within[h]);
            __m256i order =
                _mm256_loadu_si256((const __m256i *)(const void *)packing[mask]);
            __m256 packed = _mm256_permutevar8x32_ps((__m256)(x[h] + 0.0), order);
            _mm256_storeu_ps((float *)(void *)(kept + b->kept), packed);
            b->kept += __builtin_popcount((unsigned)mask);
        }
    }
    for (int h = 0; h < 4; h++) b->present += there[h];
    for (int k = 0; k < b->count; k++)
        for (int h = 0; h < 4; h++) {
            b->ranges[k].below += below[k][h];
            b->ranges[k].upto += upto[k][h];
        }
    look_plain(v, i, n, b, kept);
}
#endif

/* Where a place of all values is among those kept; -1 where it is not. */
static int64_t place_kept(const bounds *b, int64_t place)
{
    int64_t before = 0;
    for (int k = 0; k < b->count; k++) {
        const range *r = &b->ranges[k];
        if (place >= r->below && place < r->upto) return before + place - r->below;
        before += r->upto - r->below;
    }
    return -1;
}

/* ---- features ---- */

typedef struct {
    const mli_design *d;
    const uint8_t *picked;
    const mli_run *run;
    mli_sorted_fn fn;
    void *arg;
    const double *q;
    int n_q;
    double *memory; /* [slots][2 * rows] */
} ranking;

/* The two places that mli_quantile looks at, for each quantile, without repeats. */
static int places(const ranking *r, int64_t n, int64_t *at)
{
    int count = 0;
    for (int k = 0; k < r->n_q; k++) {
        int64_t low = (int64_t)(r->q[k] * (double)(n - 1));
        for (int64_t p = low < n - 1 ? low : n - 1; p <= low + 1 && p < n; p++) {
            int i = count;
            while (i > 0 && at[i - 1] > p) i--;
            if (i > 0 && at[i - 1] == p) continue;
            memmove(at + i + 1, at + i, (size_t)(count - i) * sizeof *at);
            at[i] = p;
            count++;
        }
    }
    return count;
}

/* Puts the values at the places of a feature there, by a sample; v[rows], and kept has
 * room for three more. 0: it did not give the bounds. */
static int rank_sampled(const ranking *r, int64_t j, double *v, double *kept, int64_t *n)
{
    int64_t rows = r->d->rows, at[2 * MOST_QS], to[2 * MOST_QS];
    double sample[SAMPLE];
    bounds b = {0};
    if (rows < SAMPLED || r->n_q > MOST_RANGE) return 0;
    const double *from = mli_design_look(r->d, j, 0, rows, v);
    int64_t m = take_sample(from, rows, sample, kept);
    if (m < 256 || !find_bounds(r->q, r->n_q, sample, m, &b)) return 0;
#ifdef MLI_AVX2
    if (r->d->ctx->cpu_level >= MLI_CPU_AVX2)
        look_avx2(from, rows, &b, kept);
    else
#endif
        look_plain(from, 0, rows, &b, kept);
    int count = places(r, b.present, at);
    for (int k = 0; k < count; k++)
        if ((to[k] = place_kept(&b, at[k])) < 0) return 0;
    mli_find_places(kept, b.kept, to, count, v);
    for (int k = 0; k < count; k++) v[at[k]] = kept[to[k]];
    *n = b.present;
    return 1;
}

static void rank_feature(void *arg, int64_t j, int32_t slot)
{
    const ranking *r = arg;
    int64_t rows = r->d->rows, at[2 * MOST_QS], n;
    double *v = r->memory + slot * (2 * rows + 8), *other = v + rows;
    if (!r->picked[j] || mli_run_state(r->run) == ML_CANCEL) return;
    if (!rank_sampled(r, j, v, other, &n)) {
        n = mli_prepare_present(r->d, j, v);
        mli_find_places(v, n, at, n > 0 ? places(r, n, at) : 0, other);
    }
    r->fn(r->arg, j, v, n);
}

ml_status mli_prepare_ranked(const mli_design *d, const uint8_t *picked, const double *q,
                             int64_t n_q, const mli_run *run, mli_sorted_fn fn, void *arg,
                             ml_error *err)
{
    ranking r = {d, picked, run, fn, arg, q, (int)n_q, NULL};
    if (n_q > MOST_QS) return mli_prepare_sorted(d, picked, run, fn, arg, err);
    r.memory =
        mli_alloc_vec(d->ctx, (2 * d->rows + 8) * mli_slots(d->ctx), sizeof *r.memory);
    if (!r.memory) return mli_nomem(err);
    mli_parallel(d->ctx, d->n_features, rank_feature, &r);
    mli_free(d->ctx, r.memory);
    return mli_run_check(run, err);
}
