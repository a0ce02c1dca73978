/* SPDX-License-Identifier: MIT
 *
 * pruner.c: is a running trial worth going on with? Judged by the scores that trials
 * report on their way, at the same step.
 *
 * median, percentile: worse than that share of the earlier trials (Golovin et al.,
 * "Google Vizier", KDD 2017). asha: at the rungs min_resource * factor^k a trial goes on
 * when it is among the best 1 / factor of those that have reached the rung (Li et al.,
 * MLSys 2020). successive_halving: the same within groups of factor^rungs trials in a row
 * (Jamieson, Talwalkar, AISTATS 2016). hyperband: brackets of different first rungs, each
 * judged by itself (Li et al., JMLR 2018).
 *
 * Only trials that began before the present round count besides the trial itself, so that
 * the outcome does not depend on threads.
 */
#include "tuning/pruner.h"

#include <math.h>
#include <string.h>

/* The best score of a trial up to a step, as "lower is better"; NaN when it has not come
 * so far. */
static double best_until(const ml_study *s, const mli_trial *t, int64_t step)
{
    double best = NAN;
    int reached = 0;
    for (int64_t i = 0; i < t->n_reports; i++) {
        const mli_report *r = &t->reports[i];
        reached |= r->step >= step;
        if (r->step > step || isnan(r->value)) continue;
        double v = s->report_maximize ? -r->value : r->value;
        if (isnan(best) || v < best) best = v;
    }
    return reached ? best : NAN;
}

static int counts(const ml_study *s, int64_t i, int64_t trial)
{
    const mli_trial *t = &s->trials[i];
    return i != trial && i < s->settled && t->state != MLI_TRIAL_FAILED && t->n_reports;
}

static int prune_by_share(const ml_study *s, int64_t trial, int64_t step, double share)
{
    const ml_params *o = s->options;
    double own = best_until(s, &s->trials[trial], step);
    int64_t n = 0, better = 0, ended = 0;
    if (step <= mli_get_i64(o, "pruner_warmup")) return 0;
    for (int64_t i = 0; i < s->count; i++) {
        if (!counts(s, i, trial)) continue;
        double other = best_until(s, &s->trials[i], step);
        ended += s->trials[i].state == MLI_TRIAL_DONE;
        if (isnan(other)) continue;
        n++;
        better += other < own;
    }
    if (ended < mli_get_i64(o, "pruner_startup") || n == 0) return 0;
    return isnan(own) || (double)better > share * (double)n;
}

/* ------------------------------------------------------------------------------- rungs
 */

typedef struct rungs {
    double factor, first;
    int64_t bracket, brackets;
} rungs;

/* The bracket of a trial: those with later first rungs need fewer trials. */
static int64_t bracket_of(const ml_study *s, int64_t trial, int64_t brackets,
                          double factor)
{
    double total = 0, at;
    mli_rng rng;
    mli_rng_init(&rng, (uint64_t)mli_get_i64(s->options, "seed"), (uint64_t)trial,
                 0x62616e64 /* "band" */);
    for (int64_t b = 0; b < brackets; b++)
        total += pow(factor, (double)(brackets - 1 - b)) / (double)(brackets - b);
    at = mli_rng_f64(&rng) * total;
    for (int64_t b = 0; b < brackets; b++) {
        at -= pow(factor, (double)(brackets - 1 - b)) / (double)(brackets - b);
        if (at < 0) return b;
    }
    return brackets - 1;
}

static double most_steps(const ml_study *s)
{
    int64_t most = s->most_steps;
    for (int64_t i = 0; i < s->count && s->most_steps == 0; i++)
        for (int64_t k = 0; k < s->trials[i].n_reports; k++)
            if (s->trials[i].reports[k].step > most) most = s->trials[i].reports[k].step;
    return most > 1 ? (double)most : 1;
}

static rungs rungs_of(const ml_study *s, int64_t trial, const char *pruner)
{
    const ml_params *o = s->options;
    rungs r = {.factor = mli_get_f64(o, "reduction_factor"), .brackets = 1};
    double first = (double)mli_get_i64(o, "min_resource"), most = most_steps(s);
    if (first == 0) first = fmax(1, floor(most / pow(r.factor, 4)));
    r.first = first;
    double between = fmax(0, floor(log(most / first) / log(r.factor) + 1e-9));
    if (strcmp(pruner, "hyperband") == 0) {
        r.brackets = (int64_t)fmin(between + 1, 8);
        r.bracket = bracket_of(s, trial, r.brackets, r.factor);
        r.first *= pow(r.factor, (double)r.bracket);
    } else if (strcmp(pruner, "successive_halving") == 0) {
        double group = pow(r.factor, fmin(fmax(between, 1), 12));
        r.brackets = INT64_MAX;
        r.bracket = (int64_t)((double)trial / group);
    }
    return r;
}

/* Are two trials judged together? */
static int together(const ml_study *s, const rungs *r, int64_t other, const char *pruner)
{
    if (r->brackets == 1) return 1;
    rungs theirs = rungs_of(s, other, pruner);
    return theirs.bracket == r->bracket;
}

static int prune_by_rungs(const ml_study *s, int64_t trial, int64_t before, int64_t step,
                          const char *pruner)
{
    rungs r = rungs_of(s, trial, pruner);
    double rung = floor(r.first + 0.5);
    for (; rung <= (double)step; rung = floor(rung * r.factor + 0.5)) {
        if (rung <= (double)before) continue; /* judged before */
        double own = best_until(s, &s->trials[trial], (int64_t)rung);
        if (isnan(own)) own = best_until(s, &s->trials[trial], step);
        if (isnan(own)) return 1;
        int64_t n = 1, better = 0;
        for (int64_t i = 0; i < s->count; i++) {
            if (!counts(s, i, trial) || !together(s, &r, i, pruner)) continue;
            double other = best_until(s, &s->trials[i], (int64_t)rung);
            if (isnan(other)) continue;
            n++;
            better += other < own;
        }
        int64_t kept = (int64_t)((double)n / r.factor);
        if (better >= (kept > 1 ? kept : 1)) return 1;
    }
    return 0;
}

int mli_study_prune(const ml_study *s, int64_t trial)
{
    const char *pruner = mli_get_str(s->options, "pruner");
    const mli_trial *t = &s->trials[trial];
    if (strcmp(pruner, "none") == 0 || t->n_reports == 0 || s->n_objectives > 1) return 0;
    int64_t step = t->reports[t->n_reports - 1].step, before = 0;
    for (int64_t i = 0; i + 1 < t->n_reports; i++)
        if (t->reports[i].step > before) before = t->reports[i].step;
    if (strcmp(pruner, "median") == 0) return prune_by_share(s, trial, step, 0.5);
    if (strcmp(pruner, "percentile") == 0)
        return prune_by_share(s, trial, step,
                              mli_get_f64(s->options, "pruner_percentile") / 100);
    return prune_by_rungs(s, trial, before, step, pruner);
}
