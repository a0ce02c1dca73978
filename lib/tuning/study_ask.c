/* SPDX-License-Identifier: MIT
 *
 * study_ask.c: the next trial: the history as the sampler sees it, and its proposal.
 */
#include "tuning/study.h"

#include <math.h>
#include <string.h>

/* With the lock held: the history, in fresh memory (mli_free of h->x). Samplers that do
 * not learn get none of it. */
static ml_status history(const ml_study *s, mli_history *h, ml_error *err)
{
    int64_t n = s->count, d = s->space.n, m = s->n_objectives;
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
        const mli_trial *t = &s->trials[i];
        int lost = t->state != MLI_TRIAL_ASKED && !isfinite(t->score);
        memcpy(x + i * d, t->unit, (size_t)d * sizeof *x);
        for (int64_t k = 0; k < m; k++)
            y[i * m + k] = lost                   ? INFINITY
                           : s->goals[k].maximize ? -t->values[k]
                                                  : t->values[k];
        violation[i] = mli_study_violation(s, t);
    }
    h->n = n;
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

/* Room for one more trial. */
static int grow(ml_study *s)
{
    if (s->count < s->capacity) return 1;
    int64_t capacity = s->capacity ? 2 * s->capacity : 16;
    mli_trial *t = mli_realloc(s->ctx, s->trials, (size_t)capacity * sizeof *t);
    if (!t) return 0;
    s->trials = t;
    s->capacity = capacity;
    return 1;
}

/* The first trial is the estimator as it is, where it has parameters. */
static int use_default(const ml_study *s)
{
    return s->count == 0 && !s->space.own && !s->sampler->limit &&
           mli_get_bool(s->options, "first_default");
}

static ml_status add_trial(ml_study *s, ml_params *params, ml_error *err)
{
    mli_trial t = {.params = params, .score = NAN, .spread = NAN, .seconds = NAN};
    t.unit = mli_alloc_vec(s->ctx, s->space.n + 1, sizeof *t.unit);
    t.values = mli_alloc_vec(s->ctx, s->n_goals, sizeof *t.values);
    if (!t.unit || !t.values || !grow(s)) {
        mli_free(s->ctx, t.unit);
        mli_free(s->ctx, t.values);
        return mli_nomem(err);
    }
    mli_space_unit(&s->space, params, t.unit);
    for (int64_t i = 0; i < s->n_goals; i++) t.values[i] = NAN;
    s->trials[s->count++] = t;
    return ML_OK;
}

/* With the lock held: the parameters of the next trial. */
static ml_status next_params(ml_study *s, ml_params **out, ml_error *err)
{
    if (use_default(s)) return ml_params_clone(s->base, out, err);
    double *u = mli_calloc(s->ctx, (size_t)s->space.n + 1, sizeof *u);
    if (!u) return mli_nomem(err);
    ml_status st = propose(s, u, err);
    if (st == ML_OK) st = mli_space_at(&s->space, s->base, u, out, err);
    mli_free(s->ctx, u);
    return st;
}

ml_status mli_study_next(ml_study *s, int64_t *trial, ml_params **params, ml_error *err)
{
    ml_params *p = NULL, *copy = NULL;
    pthread_mutex_lock(&s->lock);
    ml_status st = next_params(s, &p, err);
    if (st == ML_OK) st = ml_params_clone(p, &copy, err);
    if (st == ML_OK) st = add_trial(s, p, err);
    if (st == ML_OK) *trial = s->count - 1;
    pthread_mutex_unlock(&s->lock);
    if (st == ML_OK) {
        *params = copy;
        return ML_OK;
    }
    ml_params_free(p);
    ml_params_free(copy);
    return st;
}
