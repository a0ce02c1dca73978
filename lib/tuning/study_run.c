/* SPDX-License-Identifier: MIT
 *
 * study_run.c: running trials, one after another or several at once, and refitting the
 * best.
 *
 * Samplers depend on the number of a trial alone, and ties go to the lowest number, so
 * the outcome is the same for any number of threads (unless time cuts the study).
 */
#include "core/parallel.h"
#include "core/text.h"
#include "tuning/study.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SMALL_CELLS 2000000 /* rows * features below which trials run side by side */

/* One trial of a round. */
typedef struct job {
    ml_study *study;
    mli_run *run; /* of the whole study, with its clock */
    int64_t trial;
    ml_params *params;
    double from, to; /* part of the progress; used when trials run one at a time */
    int alone;
    ml_status status;
    ml_error *error;
} job;

/* Rounds of a model that may have stopped early; 0 when its algorithm has none. */
static int64_t rounds_of(const ml_study *s, const ml_model *m)
{
    ml_tensor *t = NULL;
    if (!mli_study_flagged(s, MLI_FLAG_ROUNDS) ||
        ml_model_get_tensor(m, "n_rounds", &t, NULL) < 0)
        return 0;
    int64_t n = (int64_t)ml_tensor_get_f64(t, 0, 0);
    ml_tensor_free(t);
    return n;
}

static const mli_design *fold_train(const ml_study *s, int64_t k)
{
    return s->fold_train[k] ? s->fold_train[k] : s->whole;
}

static ml_status score_fold(job *j, int64_t k, mli_run *part, double *score,
                            int64_t *rounds)
{
    ml_study *s = j->study;
    ml_model *m = NULL;
    ml_status st = mli_fit_design(s->ctx, s->algorithm, j->params, fold_train(s, k),
                                  s->fold_test[k], part, &m, j->error);
    if (st < 0) return st;
    st = mli_metric_model(s->metric, m, s->fold_test[k], NULL, score, j->error);
    if (st == ML_OK && isnan(*score))
        st = mli_fail(j->error, ML_E_NUMERIC, "the score is not a number");
    *rounds = rounds_of(s, m);
    ml_model_free(m);
    return st;
}

static void run_trial(job *j)
{
    ml_study *s = j->study;
    double start = mli_now(), sum = 0, squares = 0;
    int64_t rounds = 0, done = 0;
    for (int64_t k = 0; k < s->n_folds && j->status == ML_OK; k++) {
        mli_run part;
        double width = (j->to - j->from) / (double)s->n_folds, score = NAN;
        int64_t r = 0;
        mli_run_part(&part, j->run, j->from + width * (double)k,
                     j->from + width * (double)(k + 1), j->alone);
        part.trial = (int32_t)j->trial;
        j->status = score_fold(j, k, &part, &score, &r);
        if (j->status < 0) break;
        sum += score;
        squares += score * score;
        rounds += r;
        done++;
        if (mli_run_state(j->run) != ML_CONTINUE) break;
    }
    double n = (double)done, mean = done ? sum / n : NAN;
    double spread =
        done > 1 ? sqrt(fmax(0, squares / n - mean * mean) * n / (n - 1)) : NAN;
    int32_t state = j->status < 0       ? MLI_TRIAL_FAILED
                    : done < s->n_folds ? MLI_TRIAL_STOPPED
                                        : MLI_TRIAL_DONE;
    /* A mean over fewer folds does not compare, unless there is nothing else. */
    if (state == MLI_TRIAL_FAILED || (state == MLI_TRIAL_STOPPED && j->trial > 0))
        mean = NAN;
    mli_outcome o = {.state = state,
                     .values = &mean,
                     .spread = spread,
                     .seconds = mli_now() - start,
                     .rounds = done ? rounds / done : 0,
                     .message = j->status < 0 ? ml_error_message(j->error) : NULL};
    ml_status stored = mli_study_store(s, j->trial, &o, NULL);
    if (j->status == ML_OK) j->status = stored;
}

static void trial_task(void *arg, int64_t task, int32_t slot)
{
    (void)slot;
    run_trial((job *)arg + task);
}

static int64_t trials_at_once(const ml_study *s)
{
    int64_t wanted = mli_get_i64(s->options, "parallel");
    if (wanted > 0) return wanted;
    int64_t cells = s->whole->rows * (s->whole->n_features + 1);
    return cells < SMALL_CELLS ? mli_slots(s->ctx) : 1;
}

/* A finished study: limits that depend on the trials. */
static int finished(const ml_study *s, int64_t ran, int64_t limit)
{
    if (ran >= limit) return 1;
    if (s->best < 0) return 0;
    int64_t patience = mli_get_i64(s->options, "patience");
    if (patience > 0 && s->count - 1 - s->best >= patience) return 1;
    if (!mli_params_find(s->options, "target_score")) return 0;
    double target = mli_get_f64(s->options, "target_score");
    double best = s->trials[s->best].score;
    return s->maximize ? best >= target : best <= target;
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
    for (int64_t i = 0; i < n; i++) {
        job *j = &jobs[i];
        *j = (job){.study = s, .run = run, .alone = n == 1};
        j->from = (double)(ran + i) / (double)limit;
        j->to = (double)(ran + i + 1) / (double)limit;
        j->error = ml_error_new();
        ml_status st =
            j->error ? mli_study_next(s, &j->trial, &j->params, err) : mli_nomem(err);
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
        if (jobs[i].status == ML_E_MEMORY || jobs[i].status == ML_E_CANCELLED)
            st = mli_error_copy(err, jobs[i].error, jobs[i].status);
        else if (jobs[i].status < 0)
            mli_error_copy(failure, jobs[i].error, jobs[i].status);
        job_clear(&jobs[i]);
    }
    return st;
}

static ml_status run_rounds(ml_study *s, mli_run *run, ml_error *failure, ml_error *err)
{
    int64_t limit = mli_get_i64(s->options, "n_trials");
    int64_t points = mli_study_limit(s);
    if (points < limit) limit = points;
    int64_t at_once = trials_at_once(s), ran = 0, asked = 1;
    if (at_once > limit) at_once = limit;
    job *jobs = mli_calloc(s->ctx, (size_t)at_once, sizeof *jobs);
    if (!jobs) return mli_nomem(err);
    ml_status st = ML_OK;
    while (st == ML_OK && asked > 0 && !finished(s, ran, limit)) {
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

/* When nothing succeeded, says why. */
static ml_status check_outcome(ml_study *s, const ml_error *failure, ml_error *err)
{
    if (s->best >= 0) return ML_OK;
    if (ml_error_code(failure) < 0) {
        ml_status st = mli_error_copy(err, failure, ml_error_code(failure));
        return mli_error_wrap(err, "all trials failed: %s", ml_error_message(failure)),
               st;
    }
    return mli_fail(err, ML_E_STATE, "the study was stopped before a trial was done");
}

ml_status ml_study_run(ml_study *study, ml_progress_fn progress, void *user,
                       ml_error *error)
{
    if (!study) return mli_null(error, "study");
    if (!study->train) {
        mli_fail(error, ML_E_STATE, "the study has no training rows");
        return mli_error_hint(error, ML_E_STATE, "score trials with ask and tell");
    }
    mli_run run, timed;
    ml_cancel *clock = NULL;
    ml_error *failure = ml_error_new();
    if (!failure) return mli_nomem(error);
    mli_run_init(&run, study->ctx, study->cancel, progress, user);
    run.maximize = study->maximize;
    ml_status st = ml_cancel_new(&clock, error);
    if (st == ML_OK) {
        double seconds = mli_get_f64(study->options, "time");
        if (seconds > 0) ml_cancel_set_deadline(clock, seconds, ML_STOP_KEEP);
        mli_run_part(&timed, &run, 0, 1, 1);
        timed.cancel = clock;
        timed.maximize = study->maximize;
        st = run_rounds(study, &timed, failure, error);
    }
    if (st == ML_OK) st = check_outcome(study, failure, error);
    ml_cancel_free(clock);
    ml_error_free(failure);
    return st;
}

/* Puts in the number of rounds that early stopping found, and turns it off. */
static ml_status fix_rounds(ml_study *s, ml_params *p, int64_t rounds, ml_error *err)
{
    const mli_descriptor *d = &s->algorithm->head;
    for (const mli_param *q = d->params; q && q->name; q++) {
        char text[32];
        int64_t value = q->flags & MLI_FLAG_ROUNDS ? rounds : 0;
        if (!(q->flags & (MLI_FLAG_ROUNDS | MLI_FLAG_STOPPING))) continue;
        snprintf(text, sizeof text, "%lld", (long long)value);
        mli_value v = {.type = ML_PARAM_STR, .text = text, .given = 1};
        ml_status st = mli_params_put(p, d, q->name, &v, err);
        if (st < 0) return st;
    }
    return ML_OK;
}

ml_status ml_study_best_model(ml_study *study, ml_model **out, ml_error *error)
{
    if (!study) return mli_null(error, "study");
    if (!out) return mli_null(error, "out");
    if (!study->train)
        return mli_fail(error, ML_E_STATE, "the study has no training rows");
    ml_params *p = NULL;
    ml_status st = ml_study_best_params(study, NULL, &p, error);
    if (st < 0) return st;
    mli_run run;
    mli_run_init(&run, study->ctx, study->cancel, NULL, NULL);
    int64_t rounds = study->trials[study->best].rounds;
    if (study->valid || !mli_get_bool(study->options, "refit")) {
        st = mli_fit_design(study->ctx, study->algorithm, p, fold_train(study, 0),
                            study->fold_test[0], &run, out, error);
    } else {
        if (rounds > 0) st = fix_rounds(study, p, rounds, error);
        if (st == ML_OK)
            st = mli_fit_design(study->ctx, study->algorithm, p, study->whole, NULL, &run,
                                out, error);
    }
    ml_params_free(p);
    return st;
}
