/* SPDX-License-Identifier: MIT
 *
 * core/run.c: cancel tokens, and the state and progress of one long call.
 */
#include "core/run.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#define FOREVER 9e9 /* seconds: beyond it nanoseconds do not fit 64 bits */

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Unknown answers and modes mean the strongest. */
static int32_t known_mode(int32_t mode)
{
    return mode == ML_CONTINUE || mode == ML_STOP_KEEP ? mode : ML_CANCEL;
}

ml_status ml_cancel_new(ml_cancel **out, ml_error *error)
{
    if (!out) return mli_null(error, "out");
    ml_cancel *cancel = malloc(sizeof *cancel);
    if (!cancel) return mli_nomem(error);
    mli_ref_init(&cancel->ref);
    atomic_init(&cancel->state, ML_CONTINUE);
    atomic_init(&cancel->deadline_mode, ML_CANCEL);
    atomic_init(&cancel->deadline_ns, 0);
    *out = cancel;
    return ML_OK;
}

ml_cancel *mli_cancel_ref(ml_cancel *cancel)
{
    if (cancel) mli_ref_up(&cancel->ref);
    return cancel;
}

void ml_cancel_free(ml_cancel *cancel)
{
    if (cancel && mli_ref_down(&cancel->ref)) free(cancel);
}

/* Called from signal handlers too: atomic stores only. */
void ml_cancel_request(ml_cancel *cancel, int32_t mode)
{
    if (!cancel) return;
    /* A deadline that has passed would trigger a reset token again at once. */
    if (mode == ML_CONTINUE) atomic_store(&cancel->deadline_ns, 0);
    atomic_store(&cancel->state, known_mode(mode));
}

void ml_cancel_set_deadline(ml_cancel *cancel, double seconds, int32_t mode)
{
    if (!cancel) return;
    atomic_store(&cancel->deadline_ns, 0);
    if (!(seconds >= 0 && seconds < FOREVER)) return;
    atomic_store(&cancel->deadline_mode, mode == ML_STOP_KEEP ? ML_STOP_KEEP : ML_CANCEL);
    int64_t at = now_ns(), span = (int64_t)(seconds * 1e9);
    atomic_store(&cancel->deadline_ns, span > INT64_MAX - at ? INT64_MAX : at + span);
}

static int32_t deadline_state(const ml_cancel *cancel)
{
    int64_t deadline = atomic_load(&cancel->deadline_ns);
    if (deadline == 0 || now_ns() < deadline) return ML_CONTINUE;
    return atomic_load(&cancel->deadline_mode);
}

int32_t ml_cancel_state(const ml_cancel *cancel)
{
    if (!cancel) return ML_CONTINUE;
    int32_t state = atomic_load(&cancel->state);
    if (state == ML_CANCEL) return state;
    int32_t deadline = deadline_state(cancel);
    return deadline > state ? deadline : state;
}

void mli_run_init(mli_run *run, ml_context *ctx, ml_cancel *cancel,
                  ml_progress_fn progress, void *user)
{
    *run = (mli_run){.ctx = ctx,
                     .cancel = cancel,
                     .progress = progress,
                     .user = user,
                     .start = mli_now(),
                     .best_score = NAN,
                     .trial = -1,
                     .thread = pthread_self(),
                     .to = 1};
}

void mli_run_part(mli_run *part, mli_run *parent, double from, double to, int report)
{
    report = report && pthread_equal(parent->thread, pthread_self());
    mli_run_init(part, parent->ctx, parent->cancel, report ? parent->progress : NULL,
                 parent->user);
    part->trial = parent->trial;
    part->parent = parent;
    part->quiet = parent->quiet;
    part->from = from;
    part->to = to;
}

int32_t mli_run_state(const mli_run *run)
{
    int32_t state = ML_CONTINUE;
    const ml_cancel *asked = NULL;
    for (; run && state != ML_CANCEL; run = run->parent) {
        int32_t answer = atomic_load(&run->answer);
        if (answer > state) state = answer;
        if (!run->cancel || run->cancel == asked) continue;
        asked = run->cancel;
        int32_t token = ml_cancel_state(asked);
        if (token > state) state = token;
    }
    return state;
}

static void keep_best(mli_run *run, double score)
{
    double best = run->best_score;
    if (isnan(score)) return;
    if (isnan(best) || (run->maximize ? score > best : score < best))
        run->best_score = score;
    if (!run->scores) return;
    run->parent->maximize = run->maximize;
    keep_best(run->parent, score);
}

/* Raises the fractions of the run and of those around it; returns the outermost one. */
static mli_run *raise_fraction(mli_run *run, double fraction)
{
    for (;;) {
        if (fraction > run->fraction) run->fraction = fraction < 1 ? fraction : 1;
        if (!run->parent) return run;
        fraction = run->from + run->fraction * (run->to - run->from);
        run = run->parent;
    }
}

/* Are its scores those of the whole call? */
static int is_whole(const mli_run *run)
{
    while (run->parent && run->scores) run = run->parent;
    return !run->parent;
}

static void report(mli_run *run, const char *stage, int64_t step, int64_t steps,
                   double score)
{
    double done = steps > 0 ? (double)step / (double)steps : 0;
    mli_run *root = raise_fraction(run, done);
    double elapsed = mli_now() - root->start, f = root->fraction;
    ml_progress p = {.struct_size = sizeof p,
                     .trial = run->trial,
                     .fraction = f,
                     .elapsed = elapsed,
                     .remaining = f > 0 ? elapsed * (1 - f) / f : NAN,
                     .score = is_whole(run) ? score : NAN,
                     .best_score = root->best_score,
                     .step = step,
                     .steps = steps > 0 ? steps : 0,
                     .stage = stage};
    int32_t answer = known_mode(run->progress(&p, run->user));
    /* Once asked to stop, the run stays so. */
    if (answer > atomic_load(&root->answer)) atomic_store(&root->answer, answer);
}

ml_status mli_run_step(mli_run *run, const char *stage, int64_t step, int64_t steps,
                       double score, ml_error *err)
{
    keep_best(run, score);
    if (run->progress && mli_run_state(run) != ML_CANCEL)
        report(run, stage, step, steps, score);
    return mli_run_check(run, err);
}

ml_status mli_run_check(const mli_run *run, ml_error *err)
{
    if (mli_run_state(run) != ML_CANCEL) return ML_OK;
    const char *who = "through its token";
    for (; run; run = run->parent) {
        if (atomic_load(&run->answer) == ML_CANCEL) who = "by the progress callback";
        if (run->cancel && deadline_state(run->cancel) == ML_CANCEL &&
            atomic_load(&run->cancel->state) != ML_CANCEL)
            who = "by its deadline";
    }
    mli_fail(err, ML_E_CANCELLED, "the call was cancelled %s", who);
    return mli_error_hint(err, ML_E_CANCELLED,
                          "ask for ML_STOP_KEEP to keep the best result so far");
}

void mli_run_warn(const mli_run *run, const char *module, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    mli_log_list(run->ctx, run->quiet || run->trial >= 0 ? ML_LOG_INFO : ML_LOG_WARNING,
                 module, format, args);
    va_end(args);
}
