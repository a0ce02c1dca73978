/* SPDX-License-Identifier: MIT
 *
 * automl_race.c: candidates are given up after the first fold when they do worse there
 * than the median of those of their kind that were judged by all folds: four fits fewer
 * for each. What they would have scored is guessed for the sampler: the best score, and
 * the difference between both in the first fold.
 *
 * The median stopping rule of Golovin et al., Google Vizier, KDD 2017, with folds in
 * place of steps. It looks at scores only, so the search stays a function of its data.
 */
#include "tuning/automl.h"

#include <math.h>
#include <stdlib.h>

#define FEWEST 3 /* candidates that there must be for a median */

/* The score in the first fold, kept for the next time. NaN: there is none. */
static double first_fold(const mli_automl *a, mli_candidate *c)
{
    if (!isnan(c->first)) return c->first;
    double *room = c->predictions + a->judged->rows * a->n_outputs;
    if (mli_automl_score_first(a, c->predictions, a->test[0]->rows, room, &c->first,
                               NULL))
        c->first = NAN;
    return c->first;
}

static int ascending(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

int mli_automl_behind(mli_automl *a, mli_candidate *c)
{
    const mli_candidate *best = NULL;
    double mine = a->n_folds > 1 ? first_fold(a, c) : NAN;
    double *scores = isnan(mine) ? NULL : mli_alloc_vec(a->ctx, a->count, sizeof *scores);
    int64_t n = 0;
    if (!scores) return 0;
    for (int64_t i = 0; i < a->count; i++) {
        mli_candidate *other = &a->candidates[i];
        if (isnan(other->score) || !mli_automl_alike(other, c)) continue;
        double one = first_fold(a, other);
        if (isnan(one)) continue;
        scores[n++] = one;
        if (!best || mli_automl_better(a, other->score, best->score)) best = other;
    }
    qsort(scores, (size_t)n, sizeof *scores, ascending);
    double median = n < FEWEST ? mine : scores[a->metric->maximize ? (n - 1) / 2 : n / 2];
    mli_free(a->ctx, scores);
    if (!mli_automl_better(a, median, mine)) return 0;
    c->guess = best->score + (mine - best->first);
    return 1;
}
