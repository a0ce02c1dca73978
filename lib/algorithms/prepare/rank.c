/* SPDX-License-Identifier: MIT
 *
 * prepare/rank.c: the values at a few places of the sorted order, without sorting all:
 * Hoare's "Find" (CACM 4, 1961) for several places at once. Where the pivots are bad a
 * part is sorted after all, so the cost is bounded.
 */
#include "algorithms/prepare/prepare.h"
#include "algorithms/trees/radix.h"

#include <string.h>

#define FEW      48
#define MOST_QS  64
#define MAX_TURN 60

static void insertion(double *v, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        double x = v[i];
        int64_t k = i;
        for (; k > 0 && v[k - 1] > x; k--) v[k] = v[k - 1];
        v[k] = x;
    }
}

static double middle(double a, double b, double c)
{
    if (a > b) return b > c ? b : a > c ? c : a;
    return a > c ? a : b > c ? c : b;
}

/* The median of three medians of three. */
static double pivot_of(const double *v, int64_t n)
{
    int64_t s = n / 9;
    return middle(middle(v[0], v[s], v[2 * s]), middle(v[3 * s], v[4 * s], v[5 * s]),
                  middle(v[6 * s], v[7 * s], v[8 * s]));
}

/* Those below the pivot, or at it if `equal`, first. Returns how many. */
static int64_t divide(double *v, int64_t n, double pivot, int equal, double *scratch)
{
    int64_t left = 0, right = n - 1;
    for (int64_t i = 0; i < n; i++) {
        int low = equal ? v[i] <= pivot : v[i] < pivot;
        scratch[left] = v[i];
        scratch[right] = v[i];
        left += low;
        right -= !low;
    }
    memcpy(v, scratch, (size_t)n * sizeof *v);
    return left;
}

/* Puts the values at the places at[0] < at[1] < ... of the sorted order there. */
static void find(double *v, int64_t n, int64_t from, const int64_t *at, int count,
                 double *scratch, int turns)
{
    while (count > 0) {
        if (n <= FEW) {
            insertion(v, n);
            return;
        }
        if (turns++ > MAX_TURN) {
            mli_radix_sort_f64(v, scratch, n);
            return;
        }
        double pivot = pivot_of(v, n);
        int64_t left = divide(v, n, pivot, 0, scratch);
        int same = left == 0, below = 0;
        if (same) left = divide(v, n, pivot, 1, scratch); /* all of them are equal */
        while (below < count && at[below] < from + left) below++;
        if (!same) find(v, left, from, at, below, scratch, turns);
        at += below;
        count -= below;
        v += left;
        n -= left;
        from += left;
    }
}

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

static void rank_feature(void *arg, int64_t j, int32_t slot)
{
    const ranking *r = arg;
    int64_t rows = r->d->rows, at[2 * MOST_QS];
    double *v = r->memory + 2 * slot * rows;
    if (!r->picked[j] || mli_run_state(r->run) == ML_CANCEL) return;
    int64_t n = mli_prepare_present(r->d, j, v);
    find(v, n, 0, at, n > 0 ? places(r, n, at) : 0, v + rows, 0);
    r->fn(r->arg, j, v, n);
}

ml_status mli_prepare_ranked(const mli_design *d, const uint8_t *picked, const double *q,
                             int64_t n_q, const mli_run *run, mli_sorted_fn fn, void *arg,
                             ml_error *err)
{
    ranking r = {d, picked, run, fn, arg, q, (int)n_q, NULL};
    if (n_q > MOST_QS) return mli_prepare_sorted(d, picked, run, fn, arg, err);
    r.memory = mli_alloc_vec(d->ctx, 2 * d->rows * mli_slots(d->ctx), sizeof *r.memory);
    if (!r.memory) return mli_nomem(err);
    mli_parallel(d->ctx, d->n_features, rank_feature, &r);
    mli_free(d->ctx, r.memory);
    return mli_run_check(run, err);
}
