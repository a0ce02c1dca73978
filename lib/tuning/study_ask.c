/* SPDX-License-Identifier: MIT
 *
 * study_ask.c: the next trial: the history as the sampler sees it, and its proposal; and
 * whether there is to be one: the limits of the options.
 */
#include "tuning/study.h"

#include <math.h>
#include <string.h>

/* With the lock held: the history, in fresh memory (mli_free of h->x). Samplers that do
 * not learn get none of it. */
static ml_status history(const ml_study *s, mli_history *h, ml_error *err)
{
    int64_t prior = s->transfer ? 0 : s->n_prior;
    int64_t n = s->count + prior, d = s->space.n, m = s->n_objectives;
    *h = (mli_history){.ctx = s->ctx,
                       .space = &s->space,
                       .options = s->options,
                       .seed = (uint64_t)mli_get_i64(s->options, "seed"),
                       .n_objectives = m};
    if (!(s->sampler->flags & MLI_SAMPLER_LEARNS)) return ML_OK;
    double *x = mli_alloc_vec(s->ctx, n * (d + m + 1) + 1, sizeof *x);
    if (!x) return mli_nomem(err);
    double *y = x + n * d, *violation = y + n * m;
    for (int64_t i = 0; i < n; i++) {
        const mli_trial *t = i < prior ? &s->prior[i] : &s->trials[i - prior];
        int lost = t->state != MLI_TRIAL_ASKED && !isfinite(t->score);
        memcpy(x + i * d, t->unit, (size_t)d * sizeof *x);
        for (int64_t k = 0; k < m; k++)
            y[i * m + k] = lost                   ? INFINITY
                           : s->goals[k].maximize ? -t->values[k]
                                                  : t->values[k];
        violation[i] = mli_study_violation(s, t);
    }
    h->n = n;
    h->n_prior = prior;
    h->x = x;
    h->y = y;
    h->violation = violation;
    return ML_OK;
}

int64_t mli_study_limit(ml_study *s)
{
    mli_history h;
    if (!s->sampler->limit || history(s, &h, NULL) < 0) return INT64_MAX;
    return s->sampler->limit(&h);
}

/* The sampler's point for the next trial. */
static ml_status propose(ml_study *s, double *u, ml_error *err)
{
    mli_history h;
    ml_status st = history(s, &h, err);
    if (st < 0) return st;
    if (s->sampler->limit && s->count >= s->sampler->limit(&h)) {
        mli_fail(err, ML_E_STATE, "all %lld points of the grid have been tried",
                 (long long)s->count);
        st = mli_error_hint(err, ML_E_STATE, "raise grid_points or stop asking");
    } else {
        st = s->sampler->propose(&h, s->count, u, &s->sampler_cache, err);
    }
    mli_free(s->ctx, (double *)h.x);
    return st;
}

/* The first trial is the estimator as it is, where it has parameters. */
static int use_default(const ml_study *s)
{
    return s->count == 0 && !s->space.own && !s->sampler->limit &&
           mli_get_bool(s->options, "first_default");
}

ml_status mli_study_add(ml_study *s, ml_params *params, ml_error *err)
{
    mli_trial t = {.params = params, .score = NAN, .spread = NAN, .seconds = NAN};
    t.unit = mli_alloc_vec(s->ctx, s->space.n + 1, sizeof *t.unit);
    t.values = mli_alloc_vec(s->ctx, s->n_goals, sizeof *t.values);
    if (!t.unit || !t.values ||
        !mli_reserve(s->ctx, &s->trials, &s->capacity, s->count + 1, sizeof *s->trials)) {
        mli_free(s->ctx, t.unit);
        mli_free(s->ctx, t.values);
        return mli_nomem(err);
    }
    mli_space_unit(&s->space, params, t.unit);
    for (int64_t i = 0; i < s->n_goals; i++) t.values[i] = NAN;
    s->trials[s->count++] = t;
    return ML_OK;
}

ml_status mli_study_add_report(ml_study *s, int64_t trial, int64_t step, double value,
                               ml_error *err)
{
    mli_trial *t = &s->trials[trial];
    if (t->n_reports == t->report_capacity) {
        int64_t capacity = t->report_capacity ? 2 * t->report_capacity : 16;
        mli_report *r =
            mli_realloc(s->ctx, t->reports, (size_t)capacity * sizeof *t->reports);
        if (!r) return mli_nomem(err);
        t->reports = r;
        t->report_capacity = capacity;
    }
    t->reports[t->n_reports++] = (mli_report){step, value};
    return ML_OK;
}

/* The parameters of the k-th best trial of earlier studies. */
static const mli_trial *best_prior(const ml_study *s, int64_t k)
{
    for (int64_t i = 0; i < s->n_prior; i++) {
        int64_t rank = 0;
        for (int64_t j = 0; j < s->n_prior; j++) {
            double a = s->prior[j].score, b = s->prior[i].score;
            rank += s->maximize ? a > b : a < b;
            rank += a == b && j < i;
        }
        if (rank == k) return &s->prior[i];
    }
    return NULL;
}

#define TRANSFERRED 5 /* trials of earlier studies that are tried first */

/* With the lock held: the parameters of the next trial. */
static ml_status next_params(ml_study *s, ml_params **out, ml_error *err)
{
    if (s->transfer && s->count <= TRANSFERRED) {
        int64_t k =
            s->count - (!s->space.own && mli_get_bool(s->options, "first_default"));
        const mli_trial *t = k < TRANSFERRED ? best_prior(s, k) : NULL;
        if (t) return ml_params_clone(t->params, out, err);
    }
    double *u = mli_calloc(s->ctx, (size_t)s->space.n + 1, sizeof *u);
    if (!u) return mli_nomem(err);
    ml_status st = ML_OK;
    if (!use_default(s)) {
        st = propose(s, u, err);
    } else if (mli_space_unit(&s->space, s->base, u) ||
               !*mli_get_str(s->options, "space")) {
        mli_free(s->ctx, u);
        return ml_params_clone(s->base, out, err);
    } /* else what is nearest in the space given */
    if (st == ML_OK) st = mli_space_at(&s->space, s->base, u, out, err);
    mli_free(s->ctx, u);
    return st;
}

/* A trial that was running when the study was cut off, to be begun again; -1: none. */
static int64_t find_orphan(const ml_study *s)
{
    for (int64_t i = 0; i < s->count; i++)
        if (s->trials[i].orphan) return i;
    return -1;
}

static ml_status next_trial(ml_study *s, int64_t *trial, ml_params **copy, ml_error *err)
{
    int64_t orphan = find_orphan(s);
    if (orphan >= 0) { /* it may be running, in a study that writes to the journal */
        ml_status st = s->journal ? mli_journal_hold(s->journal, err) : ML_OK;
        if (st == ML_OK) st = ml_params_clone(s->trials[orphan].params, copy, err);
        if (st < 0) return st;
        s->trials[orphan].orphan = 0;
        s->trials[orphan].n_reports = 0;
        *trial = orphan;
        return ML_OK;
    }
    ml_params *p = NULL;
    ml_status st = next_params(s, &p, err);
    if (st == ML_OK) st = ml_params_clone(p, copy, err);
    if (st == ML_OK) st = mli_study_log_ask(s, s->count, p, err);
    if (st == ML_OK) st = mli_study_add(s, p, err);
    if (st < 0) {
        ml_params_free(p);
        return st;
    }
    *trial = s->count - 1;
    return ML_OK;
}

/* Ended trials since the best score last rose by the share that counts. */
static int64_t without_gain(const ml_study *s)
{
    double share = mli_get_f64(s->options, "plateau"), best = NAN;
    int64_t since = 0;
    for (int64_t i = 0; i < s->count; i++) {
        const mli_trial *t = &s->trials[i];
        since += t->state != MLI_TRIAL_ASKED;
        if (t->state != MLI_TRIAL_DONE || !isfinite(t->score)) continue;
        double gain = s->maximize ? t->score - best : best - t->score;
        if (!isnan(best) && !(gain > share * fabs(best))) continue;
        best = t->score;
        since = 0;
    }
    return since;
}

const char *mli_study_reached(const ml_study *s)
{
    if (s->best < 0) return NULL;
    int64_t patience = mli_get_i64(s->options, "patience");
    if (patience > 0 && without_gain(s) >= patience) return "patience";
    if (!mli_params_find(s->options, "target_score")) return NULL;
    if (mli_study_violation(s, &s->trials[s->best]) > 0) return NULL;
    double target = mli_get_f64(s->options, "target_score");
    double best = s->trials[s->best].score;
    return (s->maximize ? best >= target : best <= target) ? "target_score" : NULL;
}

/* Trials that the host has begun, without those that wait to be begun again. */
static int64_t begun(const ml_study *s)
{
    int64_t n = 0;
    for (int64_t i = 0; i < s->count; i++) n += !s->trials[i].orphan;
    return n;
}

/* Which option of a study whose trials the host scores allows no further one; NULL: none.
 * The clock starts with the first trial that is asked for. */
static const char *used_up(ml_study *s)
{
    const mli_value *most = mli_params_find(s->options, "n_trials");
    if (most->given && begun(s) >= mli_get_i64(s->options, "n_trials")) return "n_trials";
    double seconds = mli_get_f64(s->options, "time"), now = mli_now();
    if (s->first_asked == 0) s->first_asked = now;
    if (seconds > 0 && now - s->first_asked >= seconds) return "time";
    return mli_study_reached(s);
}

static ml_status check_over(ml_study *s, ml_error *err)
{
    const char *option = used_up(s);
    if (!option) return ML_OK;
    mli_fail(err, ML_E_STATE, "the study is over: its %s is reached", option);
    return mli_error_hint(err, ML_E_STATE, "stop asking, or make a study with another %s",
                          option);
}

ml_status mli_study_next(ml_study *s, int host, int64_t *trial, ml_params **params,
                         ml_error *err)
{
    ml_params *copy = NULL;
    pthread_mutex_lock(&s->lock);
    ml_status st = host ? check_over(s, err) : ML_OK;
    if (st == ML_OK) st = next_trial(s, trial, &copy, err);
    pthread_mutex_unlock(&s->lock);
    if (st < 0)
        ml_params_free(copy);
    else
        *params = copy;
    return st;
}
