/* SPDX-License-Identifier: MIT
 *
 * study.c: studies: creation, ask and tell, the best.
 */
#include "tuning/pruner.h"

#include "core/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const mli_trial_states[MLI_TRIAL_STATES] = {"asked", "done", "failed",
                                                        "stopped", "pruned"};

void mli_trials_free(ml_context *ctx, mli_trial *trials, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        ml_params_free(trials[i].params);
        mli_free(ctx, trials[i].unit);
        mli_free(ctx, trials[i].values);
        mli_free(ctx, trials[i].message);
        mli_free(ctx, trials[i].reports);
    }
    mli_free(ctx, trials);
}

void ml_study_free(ml_study *study)
{
    if (!study) return;
    ml_context *ctx = study->ctx;
    mli_study_free_designs(study);
    mli_trials_free(ctx, study->trials, study->count);
    mli_trials_free(ctx, study->prior, study->n_prior);
    mli_journal_close(study->journal);
    mli_free(ctx, study->sampler_cache);
    mli_space_free(&study->space);
    ml_params_free(study->base);
    ml_params_free(study->options);
    ml_table_free(study->train);
    ml_table_free(study->valid);
    ml_model_free((ml_model *)(uintptr_t)study->hooks.start);
    pthread_mutex_destroy(&study->lock);
    mli_free(ctx, study);
    ml_context_free(ctx);
}

int mli_study_path(const ml_study *s, int32_t flag, mli_path *out)
{
    mli_path at;
    int found = 0;
    for (int64_t i = 0; i < s->base->count; i++) {
        const char *name = s->base->values[i].name;
        if (mli_path_find(s->base, &s->algorithm->head, name, &at, NULL)) continue;
        if (!(at.param->flags & flag)) continue;
        if (found++) return 0;
        /* The names of parts stand in the path itself. */
        if (mli_path_find(s->base, &s->algorithm->head, name, out, NULL)) return 0;
    }
    return found;
}

/* Early stopping finds the number of rounds, so it need not be tuned: it is set high. */
static ml_status free_rounds(ml_study *s, ml_error *err)
{
    mli_path rounds, stopping;
    int64_t most = mli_get_i64(s->options, "max_rounds");
    if (most == 0 || !mli_study_path(s, MLI_FLAG_ROUNDS, &rounds)) return ML_OK;
    if (!mli_study_path(s, MLI_FLAG_STOPPING, &stopping)) return ML_OK;
    if (!mli_param_active(stopping.param, s->base)) return ML_OK;
    if (mli_params_find(s->base, rounds.param->name)->given) return ML_OK;
    if (mli_get_i64(s->base, stopping.param->name) == 0) return ML_OK;
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)most);
    mli_value v = {.type = ML_PARAM_STR, .text = text, .given = 1};
    return mli_params_put(s->base, &s->algorithm->head, rounds.param->name, &v, err);
}

/* The space: the options' own text, or the tuning ranges of the algorithm. */
static ml_status set_space(ml_study *s, ml_error *err)
{
    const char *text = mli_get_str(s->options, "space");
    const char *const *tune = NULL;
    const mli_descriptor *d = &s->algorithm->head;
    int64_t n_tune = mli_get_strs(s->options, "tune", &tune);
    if (!text[0]) return mli_space_init(&s->space, s->ctx, d, s->base, tune, n_tune, err);
    ml_status st =
        mli_space_parse(&s->space, s->ctx, s->train ? d : NULL, s->base, text, err);
    if (st < 0 || s->train) return st;
    ml_params_free(s->base);
    s->base = NULL;
    return ml_params_new(s->ctx, &s->base, err);
}

static ml_status set_up(ml_study *s, const ml_estimator *estimator,
                        const ml_params *options, ml_error *err)
{
    ml_status st = ml_params_clone(estimator->params, &s->base, err);
    if (st < 0) return st;
    st = mli_params_resolve(s->ctx, &mli_options_study, options, &s->options, err);
    if (st < 0) return st;
    if (s->train && (st = free_rounds(s, err)) < 0) return st;
    const char *metric = mli_get_str(s->options, "metric");
    if (metric[0] && (st = mli_metric_find(metric, &s->metric, err)) < 0)
        return mli_error_at(err, st, "params.metric");
    s->sampler = mli_sampler_find(mli_get_str(s->options, "sampler"));
    if (!s->sampler) return mli_fail(err, ML_E_INTERNAL, "the sampler is missing");
    if ((st = set_space(s, err)) < 0) return st;
    if ((st = mli_space_compile(&s->space, s->base, err)) < 0) return st;
    if (s->train && (st = mli_study_prepare(s, err)) < 0) return st;
    if ((st = mli_study_goals(s, err)) < 0) return st;
    s->report_maximize = s->maximize;
    if ((st = mli_study_warm(s, err)) < 0) return st;
    return mli_study_resume(s, err);
}

ml_status ml_study_new(const ml_estimator *estimator, const ml_table *train,
                       const ml_table *valid, const ml_params *options, ml_study **out,
                       ml_error *error)
{
    if (!estimator) return mli_null(error, "estimator");
    if (!out) return mli_null(error, "out");
    ml_context *ctx = estimator->ctx;
    ml_study *s = mli_calloc(ctx, 1, sizeof *s);
    if (!s) return mli_nomem(error);
    s->ctx = mli_context_ref(ctx);
    s->algorithm = estimator->algorithm;
    s->best = -1;
    s->settled = INT64_MAX;
    s->train = ml_table_ref((ml_table *)train);
    s->valid = ml_table_ref((ml_table *)valid);
    s->hooks = estimator->hooks;
    s->hooks.start = ml_model_ref((ml_model *)(uintptr_t)estimator->hooks.start);
    pthread_mutex_init(&s->lock, NULL);
    ml_status st = set_up(s, estimator, options, error);
    if (st < 0) {
        ml_study_free(s);
        return st;
    }
    *out = s;
    return ML_OK;
}

ml_status ml_study_ask(ml_study *study, int64_t *trial, ml_params **params,
                       ml_error *error)
{
    if (!study) return mli_null(error, "study");
    if (!trial) return mli_null(error, "trial");
    if (!params) return mli_null(error, "params");
    return mli_study_next(study, 1, trial, params, error);
}

/* Is a better than b? Violated constraints count before the score. */
static int better(const ml_study *s, const mli_trial *a, const mli_trial *b)
{
    double va = mli_study_violation(s, a), vb = mli_study_violation(s, b);
    if (va != vb) return va < vb;
    return s->maximize ? a->score > b->score : a->score < b->score;
}

/* The lowest number wins a tie, whatever the order in which trials end. */
static void keep_best(ml_study *s, int64_t trial)
{
    const mli_trial *t = &s->trials[trial];
    if (!isfinite(t->score) || t->state == MLI_TRIAL_PRUNED) return;
    const mli_trial *best = s->best < 0 ? NULL : &s->trials[s->best];
    if (!best || better(s, t, best) || (trial < s->best && !better(s, best, t)))
        s->best = trial;
}

static ml_status check_told(const ml_study *s, int64_t trial, ml_error *err)
{
    if (trial < 0 || trial >= s->count) {
        mli_fail(err, ML_E_RANGE, "there is no such trial");
        return mli_error_hint(err, ML_E_RANGE, "tell trials that were asked for");
    }
    if (s->trials[trial].state != MLI_TRIAL_ASKED)
        return mli_fail(err, ML_E_STATE, "the trial has been told already");
    return ML_OK;
}

ml_status mli_study_end(ml_study *s, int64_t trial, const mli_outcome *o, ml_error *err)
{
    mli_trial *t = &s->trials[trial];
    char *message = o->message ? mli_strdup(s->ctx, o->message) : NULL;
    if (o->message && !message) return mli_nomem(err);
    t->message = message;
    t->state = o->state;
    t->orphan = 0;
    memcpy(t->values, o->values, (size_t)s->n_goals * sizeof *t->values);
    t->score = o->values[0];
    t->spread = o->spread;
    t->seconds = o->seconds;
    t->rounds = o->rounds;
    keep_best(s, trial);
    return ML_OK;
}

ml_status mli_study_store(ml_study *s, int64_t trial, const mli_outcome *o, ml_error *err)
{
    pthread_mutex_lock(&s->lock);
    ml_status st = check_told(s, trial, err);
    if (st == ML_OK) st = mli_study_log_tell(s, trial, o, err);
    if (st == ML_OK) st = mli_study_end(s, trial, o, err);
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* A trial with a score has a value of each further objective. */
static ml_status check_goals(const ml_study *s, const mli_trial *t, ml_error *err)
{
    for (int64_t i = 1; i < s->n_objectives; i++) {
        if (t->told >> i & 1) continue;
        mli_fail(err, ML_E_STATE, "the trial's objective \"%s\" has not been told",
                 s->goals[i].name);
        return mli_error_hint(err, ML_E_STATE,
                              "tell it by its name with tell_value, before the score");
    }
    return ML_OK;
}

ml_status ml_study_tell(ml_study *study, int64_t trial, double score, ml_error *error)
{
    if (!study) return mli_null(error, "study");
    double values[MLI_MOST_OBJECTIVES + MLI_MOST_CONSTRAINTS] = {score};
    mli_outcome o = {.values = values, .spread = NAN, .seconds = NAN};
    pthread_mutex_lock(&study->lock);
    ml_status st = check_told(study, trial, error);
    if (st == ML_OK) {
        const mli_trial *t = &study->trials[trial];
        int known = !isnan(score);
        if (known) st = check_goals(study, t, error);
        for (int64_t i = 1; i < study->n_goals; i++) {
            values[i] = t->values[i]; /* reported by name */
            known &= i >= study->n_objectives || !isnan(values[i]);
        }
        o.state = !known       ? MLI_TRIAL_FAILED
                  : t->advised ? MLI_TRIAL_PRUNED
                               : MLI_TRIAL_DONE;
        if (st == ML_OK) st = mli_study_log_tell(study, trial, &o, error);
    }
    if (st == ML_OK) st = mli_study_end(study, trial, &o, error);
    pthread_mutex_unlock(&study->lock);
    return st;
}

/* The goal of that name which the host reports, -1 when there is none. */
static int64_t find_goal(const ml_study *s, const char *name)
{
    for (int64_t i = 1; i < s->n_goals; i++)
        if (strcmp(s->goals[i].name, name) == 0) return i;
    return -1;
}

/* Two constraints may speak of one value. */
static ml_status report_goal(ml_study *s, int64_t trial, const char *name, double value,
                             ml_error *err)
{
    if (find_goal(s, name) < 0) {
        mli_fail(err, ML_E_NAME, "the study has no objective or constraint \"%s\"", name);
        return mli_error_hint(err, ML_E_NAME,
                              "name it in the option objectives or "
                              "constraints");
    }
    for (int64_t i = 1; i < s->n_goals; i++)
        if (strcmp(s->goals[i].name, name) == 0) {
            s->trials[trial].values[i] = value;
            s->trials[trial].told |= UINT32_C(1) << i;
        }
    return ML_OK;
}

ml_status mli_study_note(ml_study *s, int64_t trial, int64_t step, double value,
                         int *prune, ml_error *err)
{
    pthread_mutex_lock(&s->lock);
    ml_status st = check_told(s, trial, err);
    if (st == ML_OK) st = mli_study_log_report(s, trial, step, value, err);
    if (st == ML_OK) st = mli_study_add_report(s, trial, step, value, err);
    if (st == ML_OK) *prune = s->trials[trial].advised = mli_study_prune(s, trial);
    pthread_mutex_unlock(&s->lock);
    return st;
}

ml_status ml_study_tell_value(ml_study *study, int64_t trial, const char *name,
                              int64_t step, double value, int64_t *advice,
                              ml_error *error)
{
    if (!study) return mli_null(error, "study");
    int prune = 0;
    ml_status st;
    if (name && *name) {
        pthread_mutex_lock(&study->lock);
        st = check_told(study, trial, error);
        if (st == ML_OK) st = report_goal(study, trial, name, value, error);
        pthread_mutex_unlock(&study->lock);
    } else if (step < 0) {
        st = mli_fail(error, ML_E_RANGE, "the step is %lld, it must be at least 0",
                      (long long)step);
    } else {
        st = mli_study_note(study, trial, step, value, &prune, error);
    }
    if (st == ML_OK && advice) *advice = prune ? ML_STOP_KEEP : ML_CONTINUE;
    return st;
}

ml_status ml_study_best_params(const ml_study *study, double *score, ml_params **out,
                               ml_error *error)
{
    if (!study) return mli_null(error, "study");
    if (!out) return mli_null(error, "out");
    ml_study *s = (ml_study *)study; /* the lock is not part of what const promises */
    ml_status st;
    pthread_mutex_lock(&s->lock);
    if (s->best < 0) {
        mli_fail(error, ML_E_STATE, "no trial has succeeded yet");
        st = mli_error_hint(error, ML_E_STATE, "run the study, or tell scores first");
    } else {
        st = ml_params_clone(s->trials[s->best].params, out, error);
        if (st == ML_OK && score) *score = s->trials[s->best].score;
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}
