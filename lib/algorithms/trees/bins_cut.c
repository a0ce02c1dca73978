/* SPDX-License-Identifier: MIT
 *
 * trees/bins_cut.c: where to cut a sorted list of distinct values: every value apart when
 * there are few, else bins of about equal weight, in which a value that is heavier than a
 * bin should be stands alone.
 */
#include "algorithms/trees/bins.h"
#include <math.h>

/* A number t with a <= t < b, preferring one that single precision holds too, so that
 * models read the same from float rows. */
static double between(double a, double b)
{
    double middle = a / 2 + b / 2;
    if (!(middle >= a && middle < b)) middle = a;
    float narrow = (float)middle;
    if ((double)narrow >= a && (double)narrow < b) return (double)narrow;
    return middle;
}

static int32_t cut_each(const double *v, const int64_t *count, int64_t n,
                        int64_t min_data, double *cut)
{
    int32_t cuts = 0;
    int64_t filled = 0, total = 0;
    for (int64_t i = 0; i < n; i++) total += count[i];
    for (int64_t i = 0; i + 1 < n; i++) {
        filled += count[i];
        if (filled < min_data || total - filled < min_data) continue;
        cut[cuts++] = between(v[i], v[i + 1]);
        total -= filled;
        filled = 0;
    }
    return cuts;
}

/* The weight that a bin of ordinary values should have, with heavy values set apart. */
static double bin_weight(const int64_t *count, int64_t n, int32_t max_bin, double *heavy)
{
    double total = 0, rest = 0;
    int32_t alone = 0;
    for (int64_t i = 0; i < n; i++) total += (double)count[i];
    *heavy = total / max_bin;
    for (int64_t i = 0; i < n; i++) {
        if ((double)count[i] >= *heavy)
            alone++;
        else
            rest += (double)count[i];
    }
    return rest / (max_bin > alone ? max_bin - alone : 1);
}

int32_t mli_cut_values(const double *v, const int64_t *count, int64_t n, int32_t max_bin,
                       int64_t min_data, double *cut)
{
    if (n <= max_bin) return cut_each(v, count, n, min_data, cut);
    double heavy, weight = bin_weight(count, n, max_bin, &heavy);
    if (weight < (double)min_data) weight = (double)min_data;
    int32_t cuts = 0;
    double filled = 0, due = weight;
    for (int64_t i = 0; i + 1 < n && cuts < max_bin - 1; i++) {
        int apart = (double)count[i] >= heavy, next = (double)count[i + 1] >= heavy;
        if (!apart) filled += (double)count[i];
        if (!apart && filled < due && !(next && filled >= due - weight / 2)) continue;
        cut[cuts++] = between(v[i], v[i + 1]);
        /* The next bin ends where the ideal cuts are: rounding does not add up. */
        while (due <= filled) due += weight;
    }
    return cuts;
}
