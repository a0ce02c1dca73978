/* SPDX-License-Identifier: MIT
 *
 * sampler_branch.c: trials that go into branches of a conditional space which few trials
 * have entered. A branch whose first points are bad is given up by what samplers learn,
 * long before its best point can be known: the more dimensions it has the later. So each
 * fourth trial goes where trials are the fewest for the square of the number of
 * dimensions; the sampler chooses the rest. O(n levels + d^2 levels).
 */
#include "tuning/sampler.h"

#include <math.h>

#define EVERY           4
#define MOST_DIMENSIONS 128

/* How many dimensions are active where dimension i is at u. */
static double active_below(const mli_space *s, int64_t i, double u, double *room)
{
    int64_t n = 0;
    for (int64_t k = 0; k < s->n; k++) room[k] = 0.5;
    room[i] = u;
    mli_space_mask(s, room);
    for (int64_t k = 0; k < s->n; k++) n += !isnan(room[k]);
    return (double)n;
}

/* The level of dimension i that has the fewest trials of the branch so far. */
static double rarest(const mli_history *h, int64_t i, const double *branch, double *room)
{
    int64_t levels = mli_dimension_levels(&h->space->dimensions[i]), d = h->space->n;
    double best = 0.5, least = INFINITY;
    for (int64_t l = 0; l < levels; l++) {
        double u = ((double)l + 0.5) / (double)levels, n = 0;
        for (int64_t t = 0; t < h->n; t++)
            n += fabs(h->x[t * d + i] - u) * (double)levels < 0.5 &&
                 mli_history_inside(h, t, branch);
        double wide = active_below(h->space, i, u, room), share = n / (wide * wide);
        if (share >= least) continue;
        least = share;
        best = u;
    }
    return best;
}

int mli_history_inside(const mli_history *h, int64_t i, const double *branch)
{
    int64_t d = h->space->n;
    for (int64_t k = 0; k < d; k++)
        if (!isnan(branch[k]) && !(fabs(h->x[i * d + k] - branch[k]) < 1e-9)) return 0;
    return 1;
}

int mli_history_branch(const mli_history *h, int64_t trial, double *branch)
{
    const mli_space *s = h->space;
    double room[MOST_DIMENSIONS], at[MOST_DIMENSIONS];
    int any = 0;
    for (int64_t k = 0; k < s->n; k++) branch[k] = NAN;
    if (!s->conditional || s->n > MOST_DIMENSIONS || trial % EVERY != EVERY - 1) return 0;
    for (int64_t k = 0; k < s->n; k++) {
        at[k] = mli_space_active(s, k, at) ? 0.5 : NAN;
        if (isnan(at[k]) || !mli_dimension_is_set(&s->dimensions[k])) continue;
        if (!mli_space_has_branches(s, k)) continue;
        at[k] = branch[k] = rarest(h, k, branch, room);
        any = 1;
    }
    return any;
}
