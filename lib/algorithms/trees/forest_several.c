/* SPDX-License-Identifier: MIT
 *
 * trees/forest_several.c: splits that serve several targets at once: the squared error
 * summed over them (De'ath, "Multivariate regression trees", 2002).
 *
 * With W the weight of a node and S[k] the sum of weight times target k, a split into
 * sides of weights wl, wr and sums l[k], r[k] lowers the error by
 * sum_k (l[k] W - S[k] wl)^2 / (W wl wr). Targets of 0 and 1 make that half of the
 * decrease of the Gini impurity. Targets are centred, which keeps the digits.
 *
 * Cost: a few operations per row, target and feature, beside the sort.
 */
#include "algorithms/trees/forest.h"
#include <string.h>

void mli_forest_rate_targets(const mli_forest_search *a, const double *l, double wl,
                             double *num, double *den)
{
    double sum = 0;
    for (int64_t k = 0; k < a->options->targets; k++) {
        double d = l[k] * a->weight - a->classes[k] * wl;
        sum += d * d;
    }
    *num = sum;
    *den = wl * (a->weight - wl);
}

static void add_row(const mli_forest_search *a, uint64_t e, double *l, double *wl)
{
    mli_forest_add_targets(a, e, l);
    *wl += a->w[mli_forest_row(e)];
}

void mli_forest_scan_targets(const mli_forest_search *a, int32_t feature,
                             const uint64_t *e, int64_t n, int64_t m, int missing_left,
                             mli_forest_split *best)
{
    int64_t least = a->options->min_leaf, add = missing_left ? m : 0;
    int64_t end = m > 0 && !missing_left ? n : n - 1;
    double *l = a->left, wl = 0, num, den;
    memset(l, 0, (size_t)a->options->targets * sizeof *l);
    for (int64_t i = 0; i < add; i++) add_row(a, e[n + i], l, &wl);
    for (int64_t i = 0; i < end; i++) {
        add_row(a, e[i], l, &wl);
        if (i + 1 < n && e[i] >> 48 == e[i + 1] >> 48) continue;
        if (i + 1 + add < least || a->n - i - 1 - add < least) continue;
        if (mli_forest_too_light(a, wl)) continue;
        mli_forest_rate_targets(a, l, wl, &num, &den);
        if (den > 0)
            mli_forest_offer(best, num, den, feature, (uint32_t)(e[i] >> 48),
                             missing_left);
    }
}
