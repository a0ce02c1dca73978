/* SPDX-License-Identifier: MIT
 *
 * trees/places.c: Hoare's "Find" (CACM 4, 1961) for several places at once. Where its
 * pivots are bad a part is sorted after all. Cost: about 3 n steps for one place, 60 n
 * and a sort at most.
 */
#include "algorithms/trees/places.h"
#include "core/radix.h"
#include <string.h>

#define FEW      48
#define MAX_TURN 60

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

/* The same for a part of the values, which begins at `from`. */
static void find(double *v, int64_t n, int64_t from, const int64_t *at, int count,
                 double *scratch, int turns)
{
    while (count > 0) {
        if (n <= FEW || turns++ > MAX_TURN) {
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

void mli_find_places(double *v, int64_t n, const int64_t *at, int count, double *scratch)
{
    find(v, n, 0, at, count, scratch, 0);
}
