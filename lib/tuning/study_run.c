/* SPDX-License-Identifier: MIT
 *
 * study_run.c: running trials, one after another or several at once, and refitting the
 * best.
 *
 * Samplers depend on the number of a trial alone, and ties go to the lowest number, so
 * the outcome is the same for any number of threads (unless time cuts the study).
 */
#include "algorithms/compose/compose.h"
#include "core/parallel.h"
#include "core/text.h"
#include "tuning/study.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* One trial of a round. */
typedef struct job {
    ml_study *study;
    mli_run *run; /* of the whole study, with its clock */
    int64_t trial;
    ml_params *params;
    double from, to; /* part of the progress; used when trials run one at a time */
    int alone;
    ml_status status;
    int lost; /* its end could not be stored */
    ml_error *error;
} job;

/* Rounds of a model that may have stopped early, without those of the model that it went
 * on from; 0 when its algorithm has none. */
static int64_t rounds_of(const ml_study *s, const ml_model *m)
{
    ml_tensor *t = NULL;
    mli_path at;
    char name[MLI_PATH_SIZE + 16];
    if (!mli_study_path(s, MLI_FLAG_ROUNDS, &at)) return 0;
    const char *dot = strrchr(at.param->name, '.');
    snprintf(name, sizeof name, "%.*sn_rounds", dot ? (int)(dot + 1 - at.param->name) : 0,
             at.param->name);
    if (ml_model_get_tensor(m, name, &t, NULL) < 0) return 0;
    int64_t n = (int64_t)ml_tensor_get_f64(t, 0, 0);
    ml_tensor_free(t);
    return m == s->hooks.start || !s->hooks.start ? n : n - rounds_of(s, s->hooks.start);
}

static const mli_design *fold_train(const ml_study *s, int64_t k)
{
    return s->fold_train[k] ? s->fold_train[k] : s->whole;
}

/* Bytes of all tensors of a model. */
static double bytes_of(const ml_model *m)
{
    double sum = 0;
    for (int64_t i = 0; i < m->count; i++) {
        const ml_tensor *t = m->tensors[i].tensor;
        double size = (double)mli_dtype_size(ml_tensor_dtype(t));
        for (int32_t k = 0; k < ml_tensor_ndim(t); k++)
            size *= (double)ml_tensor_shape(t)[k];
        sum += size;
    }
    return sum;
}

/* Watches the rounds of the first fold for the pruner. */
typedef struct watch {
    job *j;
    mli_run *part;
    ml_cancel *token;
    ml_progress_fn progress; /* the caller's, nullable */
    void *user;
    int64_t seen; /* the last round reported */
    ml_status status;
    int pruned;
} watch;

static int32_t on_round(const ml_progress *p, void *user)
{
    watch *w = user;
    ml_study *s = w->j->study;
    double score = w->part->best_score;
    if (p->step > w->seen && !isnan(score) && !w->pruned && w->status == ML_OK) {
        w->seen = p->step;
        w->status =
            mli_study_note(s, w->j->trial, p->step, w->part->maximize ? -score : score,
                           &w->pruned, w->j->error);
        if (w->pruned || w->status < 0) ml_cancel_request(w->token, ML_STOP_KEEP);
    }
    return w->progress ? w->progress(p, w->user) : ML_CONTINUE;
}

/* The hooks of a fit that is to be timed, or is the last one: all steps are fitted. */
static mli_hooks without_prefixes(const ml_study *s)
{
    mli_hooks hooks = s->hooks;
    hooks.prefixes = NULL;
    return hooks;
}

static mli_hooks hooks_of_trials(const ml_study *s)
{
    for (int64_t i = 0; i < s->n_goals; i++)
        if (s->goals[i].measure == MLI_MEASURE_SECONDS) return without_prefixes(s);
    return s->hooks;
}

/* Fits on fold k; the score and the other goals go to values[n_goals]. */
static ml_status score_fold(const job *j, int64_t k, mli_run *part, double *values,
                            int64_t *rounds, ml_error *err)
{
    const ml_study *s = j->study;
    ml_model *m = NULL;
    mli_hooks hooks = hooks_of_trials(s);
    double start = mli_now();
    ml_status st = mli_fit_design(s->ctx, s->algorithm, j->params, fold_train(s, k),
                                  s->fold_test[k], &hooks, part, &m, err);
    double seconds = mli_now() - start;
    for (int64_t i = 0; i < s->n_goals && st == ML_OK; i++) {
        const mli_goal *g = &s->goals[i];
        if (g->measure)
            values[i] = g->measure == MLI_MEASURE_SECONDS ? seconds : bytes_of(m);
        else
            st = mli_metric_model(g->metric, m, s->fold_test[k], NULL, &values[i], err);
        if (st == ML_OK && isnan(values[i]))
            st = mli_fail(err, ML_E_NUMERIC, "the score is not a number");
    }
    if (st == ML_OK) *rounds = rounds_of(s, m);
    ml_model_free(m);
    return st;
}

/* The first fold of a trial whose rounds the pruner judges. */
static ml_status watched_fold(job *j, mli_run *part, double *values, int64_t *rounds,
                              int *pruned)
{
    watch w = {.j = j, .part = part, .progress = part->progress, .user = part->user};
    ml_status st = ml_cancel_new(&w.token, j->error);
    if (st < 0) return st;
    part->cancel = w.token; /* that of the study is seen through the parent */
    part->progress = on_round;
    part->user = &w;
    st = score_fold(j, 0, part, values, rounds, j->error);
    ml_cancel_free(w.token);
    *pruned = w.pruned;
    return w.status < 0 ? w.status : st;
}

/* Sums over the folds of a trial. */
typedef struct tally {
    double sums[MLI_MOST_OBJECTIVES + MLI_MOST_CONSTRAINTS], squares;
    int64_t rounds, done;
    int pruned;
} tally;

/* Are scores of rounds those of the whole: of the algorithm, or of the last step of a
 * pipeline? *rounds: the parameter. */
static int judged_by_rounds(const ml_study *s, mli_path *rounds)
{
    mli_param_part last;
    const mli_descriptor *d = &s->algorithm->head;
    if (!mli_study_path(s, MLI_FLAG_ROUNDS, rounds)) return 0;
    if (mli_pipeline_last(s->base, &last)) d = mli_part_last(&last, s->base);
    return rounds->d == d;
}

static void add_fold(const ml_study *s, tally *t, const double *values, int64_t rounds)
{
    for (int64_t i = 0; i < s->n_goals; i++) t->sums[i] += values[i];
    t->squares += values[0] * values[0];
    t->rounds += rounds;
    t->done++;
}

static int prunes(const ml_study *s)
{
    return strcmp(mli_get_str(s->options, "pruner"), "none") != 0;
}

static void part_of_fold(const job *j, int64_t k, mli_run *part)
{
    /* Beside other trials the fraction of the study must not be written. */
    double from = j->alone ? j->from : 0;
    double width = j->alone ? (j->to - j->from) / (double)j->study->n_folds : 0;
    mli_run_part(part, j->run, from + width * (double)k, from + width * (double)(k + 1),
                 j->alone);
    part->trial = (int32_t)j->trial;
}

/* One fold more; then the pruner may judge by the mean so far. */
static ml_status run_fold(job *j, int64_t k, tally *t)
{
    ml_study *s = j->study;
    mli_run part;
    double values[MLI_MOST_OBJECTIVES + MLI_MOST_CONSTRAINTS];
    int64_t rounds = 0;
    mli_path path;
    int by_rounds = judged_by_rounds(s, &path);
    part_of_fold(j, k, &part);
    ml_status st = prunes(s) && by_rounds && k == 0
                       ? watched_fold(j, &part, values, &rounds, &t->pruned)
                       : score_fold(j, k, &part, values, &rounds, j->error);
    if (st < 0) return st;
    add_fold(s, t, values, rounds);
    if (prunes(s) && !by_rounds && k + 1 < s->n_folds)
        st = mli_study_note(s, j->trial, t->done, t->sums[0] / (double)t->done,
                            &t->pruned, j->error);
    return st;
}

/* A fold that is fitted beside others. */
typedef struct beside {
    const job *j;
    int64_t k, rounds;
    double values[MLI_MOST_OBJECTIVES + MLI_MOST_CONSTRAINTS];
} beside;

static ml_status beside_task(void *arg, int64_t task, int32_t slot, ml_error *err)
{
    beside *f = (beside *)arg + task;
    mli_run part;
    (void)slot;
    part_of_fold(f->j, f->k, &part);
    return score_fold(f->j, f->k, &part, f->values, &f->rounds, err);
}

/* Folds of small tables are fitted side by side where trials are not, the host is not
 * called, nothing is timed, and no pruner waits for the mean of those before. */
static int side_by_side(const job *j)
{
    const ml_study *s = j->study;
    mli_path rounds;
    if (!j->alone || s->n_folds < 2 || s->hooks.objective || s->hooks.metric) return 0;
    if (prunes(s) && !judged_by_rounds(s, &rounds)) return 0;
    for (int64_t i = 0; i < s->n_goals; i++)
        if (s->goals[i].measure == MLI_MEASURE_SECONDS) return 0;
    return mli_fits_beside(s->whole);
}

/* The folds from `begin` on. */
static ml_status run_beside(job *j, int64_t begin, tally *t)
{
    ml_study *s = j->study;
    int64_t n = s->n_folds - begin;
    beside *f = mli_calloc(s->ctx, (size_t)n, sizeof *f);
    if (!f) return mli_nomem(j->error);
    for (int64_t i = 0; i < n; i++) f[i] = (beside){.j = j, .k = begin + i};
    ml_status st = mli_parallel_try(s->ctx, 1, n, beside_task, f, j->error);
    for (int64_t i = 0; i < n && st == ML_OK; i++)
        add_fold(s, t, f[i].values, f[i].rounds);
    mli_free(s->ctx, f);
    return st;
}

/* *stopped: some folds were not fitted, or not to their end. */
static ml_status run_folds(job *j, tally *t, int *stopped)
{
    const ml_study *s = j->study;
    int together = side_by_side(j);
    int64_t first = together ? prunes(s) : s->n_folds;
    ml_status st = ML_OK;
    for (int64_t k = 0; k < first && st == ML_OK && !t->pruned; k++) {
        st = run_fold(j, k, t);
        if (mli_run_state(j->run) != ML_CONTINUE) break;
    }
    if (together && st == ML_OK && !t->pruned && mli_run_state(j->run) == ML_CONTINUE) {
        st = run_beside(j, first, t);
        *stopped = mli_run_state(j->run) != ML_CONTINUE;
    }
    *stopped |= t->done < s->n_folds;
    return st;
}

static void run_trial(job *j)
{
    ml_study *s = j->study;
    double start = mli_now();
    tally t = {0};
    int stopped = 0;
    j->status = run_folds(j, &t, &stopped);
    double n = (double)t.done;
    mli_outcome o = {.state = j->status < 0 ? MLI_TRIAL_FAILED
                              : t.pruned    ? MLI_TRIAL_PRUNED
                              : stopped     ? MLI_TRIAL_STOPPED
                                            : MLI_TRIAL_DONE,
                     .values = t.sums,
                     .spread = NAN,
                     .seconds = mli_now() - start,
                     .rounds = t.done ? t.rounds / t.done : 0,
                     .message = j->status < 0 ? ml_error_message(j->error) : NULL};
    /* A mean over fewer folds does not compare, unless there is nothing else. */
    int useless = o.state == MLI_TRIAL_FAILED || t.done == 0 ||
                  (o.state == MLI_TRIAL_STOPPED && j->trial > 0);
    for (int64_t i = 0; i < s->n_goals; i++) t.sums[i] = useless ? NAN : t.sums[i] / n;
    if (t.done > 1 && !useless)
        o.spread = sqrt(fmax(0, t.squares / n - t.sums[0] * t.sums[0]) * n / (n - 1));
    ml_status stored = mli_study_store(s, j->trial, &o, j->status < 0 ? NULL : j->error);
    if (j->status == ML_OK && stored < 0) j->status = stored;
    j->lost = stored < 0;
}

static void trial_task(void *arg, int64_t task, int32_t slot)
{
    (void)slot;
    run_trial((job *)arg + task);
}

static int64_t trials_at_once(const ml_study *s)
{
    int64_t wanted = mli_get_i64(s->options, "parallel");
    if (s->hooks.objective || s->hooks.metric) return 1; /* called on this thread only */
    if (wanted > 0) return wanted;
    if (s->sampler->flags & MLI_SAMPLER_LEARNS) return 1;
    return mli_fits_beside(s->whole) ? mli_slots(s->ctx) : 1;
}

static void job_clear(job *j)
{
    ml_params_free(j->params);
    ml_error_free(j->error);
    *j = (job){0};
}

/* One round of up to n trials. *asked receives how many there were (0: grid used up). */
static ml_status run_round(ml_study *s, mli_run *run, job *jobs, int64_t n, int64_t ran,
                           int64_t limit, int64_t *asked, ml_error *failure,
                           ml_error *err)
{
    *asked = 0;
    s->settled = s->count;
    for (int64_t i = 0; i < n; i++) {
        job *j = &jobs[i];
        *j = (job){.study = s, .run = run, .alone = n == 1};
        j->from = (double)(ran + i) / (double)limit;
        j->to = (double)(ran + i + 1) / (double)limit;
        j->error = ml_error_new();
        ml_status st =
            j->error ? mli_study_next(s, 0, &j->trial, &j->params, err) : mli_nomem(err);
        if (st == ML_E_STATE) { /* the grid is used up */
            job_clear(j);
            break;
        }
        if (st < 0) {
            for (int64_t k = 0; k <= i; k++) job_clear(&jobs[k]);
            return st;
        }
        ++*asked;
    }
    if (n == 1 && *asked == 1)
        run_trial(&jobs[0]);
    else
        mli_parallel(s->ctx, *asked, trial_task, jobs);
    ml_status st = ML_OK;
    for (int64_t i = 0; i < *asked; i++) {
        ml_status end = jobs[i].status;
        if (end == ML_E_MEMORY || end == ML_E_CANCELLED || end == ML_E_CALLBACK ||
            jobs[i].lost)
            st = mli_error_copy(err, jobs[i].error, jobs[i].status);
        else if (jobs[i].status < 0)
            mli_error_copy(failure, jobs[i].error, jobs[i].status);
        job_clear(&jobs[i]);
    }
    return st;
}

/* The most steps that the pruner can hear of: rounds of a fold, or folds. */
static int64_t steps_of(const ml_study *s)
{
    mli_path path;
    if (!judged_by_rounds(s, &path)) return s->n_folds;
    for (int64_t i = 0; i < s->space.n; i++) {
        const mli_dimension *d = &s->space.dimensions[i];
        if (strcmp(d->param->name, path.param->name) == 0) return d->range.ihigh;
    }
    return mli_get_i64(s->base, path.param->name);
}

static ml_status run_rounds(ml_study *s, mli_run *run, ml_error *failure, ml_error *err)
{
    int64_t limit = mli_get_i64(s->options, "n_trials");
    int64_t points = mli_study_limit(s);
    if (points < limit) limit = points;
    int64_t at_once = trials_at_once(s), ran = s->resumed, asked = 1;
    s->resumed = 0;
    s->most_steps = steps_of(s);
    if (at_once > limit) at_once = limit;
    job *jobs = mli_calloc(s->ctx, (size_t)at_once, sizeof *jobs);
    if (!jobs) return mli_nomem(err);
    ml_status st = ML_OK;
    while (st == ML_OK && asked > 0 && ran < limit && !mli_study_reached(s)) {
        if (mli_run_state(run) != ML_CONTINUE) break;
        int64_t n = limit - ran < at_once ? limit - ran : at_once;
        st = run_round(s, run, jobs, n, ran, limit, &asked, failure, err);
        ran += asked;
        if (st == ML_OK && asked > 0) {
            run->trial = (int32_t)(s->count - 1);
            st = mli_run_step(run, "tuning", ran, limit, s->trials[s->count - 1].score,
                              err);
        }
    }
    mli_free(s->ctx, jobs);
    return st;
}

/* When nothing succeeded, says why; when nothing keeps the constraints, says so. */
static ml_status check_outcome(ml_study *s, const ml_error *failure, ml_error *err)
{
    if (s->best >= 0) {
        if (mli_study_violation(s, &s->trials[s->best]) > 0)
            mli_log(s->ctx, ML_LOG_WARNING, "study", "no trial keeps the constraints");
        return ML_OK;
    }
    if (ml_error_code(failure) < 0) {
        ml_status st = mli_error_copy(err, failure, ml_error_code(failure));
        return mli_error_wrap(err, "all trials failed: %s", ml_error_message(failure)),
               st;
    }
    return mli_fail(err, ML_E_STATE, "the study was stopped before a trial was done");
}

ml_status ml_study_run(ml_study *study, ml_progress_fn progress, void *user,
                       ml_cancel *cancel, ml_error *error)
{
    if (!study) return mli_null(error, "study");
    if (!study->train) {
        mli_fail(error, ML_E_STATE, "the study has no training rows");
        return mli_error_hint(error, ML_E_STATE, "score trials with ask and tell");
    }
    mli_run run, timed;
    mli_path rounds;
    ml_cancel *clock = NULL;
    ml_error *failure = ml_error_new();
    if (!failure) return mli_nomem(error);
    mli_run_init(&run, study->ctx, cancel, progress, user);
    run.maximize = study->maximize;
    study->report_maximize = judged_by_rounds(study, &rounds) ? 0 : study->maximize;
    ml_status st = ml_cancel_new(&clock, error);
    if (st == ML_OK) {
        double seconds = mli_get_f64(study->options, "time");
        if (seconds > 0) ml_cancel_set_deadline(clock, seconds, ML_STOP_KEEP);
        mli_run_part(&timed, &run, 0, 1, 1);
        timed.cancel = clock;
        timed.maximize = study->maximize;
        st = run_rounds(study, &timed, failure, error);
    }
    study->settled = INT64_MAX;
    if (st == ML_OK) st = check_outcome(study, failure, error);
    ml_cancel_free(clock);
    ml_error_free(failure);
    return st;
}

static int is_watched(const ml_study *s, const ml_params *p)
{
    mli_path stopping;
    return mli_study_path(s, MLI_FLAG_STOPPING, &stopping) &&
           mli_param_active(stopping.param, p) &&
           mli_get_i64(p, stopping.param->name) != 0;
}

/* Puts in the number of rounds that early stopping found, and turns it off. */
static ml_status fix_rounds(ml_study *s, ml_params *p, int64_t rounds, ml_error *err)
{
    const mli_descriptor *d = &s->algorithm->head;
    for (int64_t i = 0; i < p->count; i++) {
        mli_path at;
        char text[32];
        if (mli_path_find(p, d, p->values[i].name, &at, NULL)) continue;
        int64_t value;
        if (!mli_param_settled(at.param, &p->values[i], rounds, &value)) continue;
        snprintf(text, sizeof text, "%lld", (long long)value);
        mli_value v = {.type = ML_PARAM_STR, .text = text, .given = 1};
        ml_status st = mli_params_put(p, d, at.param->name, &v, err);
        if (st < 0) return st;
    }
    return ML_OK;
}

ml_status ml_study_best_model(ml_study *study, ml_cancel *cancel, ml_model **out,
                              ml_error *error)
{
    if (!study) return mli_null(error, "study");
    if (!out) return mli_null(error, "out");
    if (!study->train)
        return mli_fail(error, ML_E_STATE, "the study has no training rows");
    ml_params *p = NULL;
    ml_status st = ml_study_best_params(study, NULL, &p, error);
    if (st < 0) return st;
    mli_run run;
    mli_hooks hooks = without_prefixes(study);
    mli_run_init(&run, study->ctx, cancel, NULL, NULL);
    int64_t rounds = study->trials[study->best].rounds;
    if (study->valid || !mli_get_bool(study->options, "refit")) {
        st = mli_fit_design(study->ctx, study->algorithm, p, fold_train(study, 0),
                            study->fold_test[0], &hooks, &run, out, error);
    } else {
        if (rounds > 0 && is_watched(study, p)) st = fix_rounds(study, p, rounds, error);
        if (st == ML_OK)
            st = mli_fit_design(study->ctx, study->algorithm, p, study->whole, NULL,
                                &hooks, &run, out, error);
    }
    ml_params_free(p);
    return st;
}
