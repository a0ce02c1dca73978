/* SPDX-License-Identifier: MIT
 *
 * core/run.h: one long call: its cancel token, progress callback and clock. Algorithms
 * get a run; workers poll it, the thread of the call reports progress through it.
 */
#ifndef MLI_CORE_RUN_H
#define MLI_CORE_RUN_H

#include "core/context.h"

#include <pthread.h>

typedef struct mli_run {
    ml_context *ctx;
    ml_cancel *cancel;       /* nullable */
    ml_progress_fn progress; /* nullable */
    void *user;
    double start;           /* mli_now() at the begin */
    double fraction;        /* the last one reported */
    double best_score;      /* NaN when there is none */
    int32_t trial;          /* -1 outside studies */
    int32_t maximize;       /* direction of the scores */
    atomic_int answer;      /* what the progress callback said last: ML_CONTINUE, ... */
    struct mli_run *parent; /* of a trial or a stage: its state counts as well */
    double from, to;        /* the part of the parent's fraction that this run covers */
    int32_t scores;         /* its scores are those of the parent as well */
    pthread_t thread;       /* where it began */
    int32_t quiet;          /* one of many fits of a search: see mli_run_warn */
} mli_run;

struct ml_cancel {
    mli_ref ref;
    atomic_int state; /* ML_CONTINUE, ML_STOP_KEEP, ML_CANCEL */
    atomic_int deadline_mode;
    _Atomic int64_t deadline_ns; /* monotonic; 0 is none */
};
ml_cancel *mli_cancel_ref(ml_cancel *cancel); /* NULL is fine */

void mli_run_init(mli_run *run, ml_context *ctx, ml_cancel *cancel,
                  ml_progress_fn progress, void *user);
/* A part of a run, reporting fractions in [from, to] of the parent's. Scores of a part
 * are not passed on, unless `scores` is set. It reports nothing with report == 0, or on another thread than its
 * parent. */
void mli_run_part(mli_run *part, mli_run *parent, double from, double to, int report);
/* ML_CONTINUE, ML_STOP_KEEP or ML_CANCEL; cheap, from any thread. */
int32_t mli_run_state(const mli_run *run);
/* Only on the calling thread: reports `step` of `steps` and the score (NaN: none).
 * Returns ML_OK (then look at mli_run_state for ML_STOP_KEEP) or ML_E_CANCELLED. */
ml_status mli_run_step(mli_run *run, const char *stage, int64_t step, int64_t steps,
                       double score, ml_error *err);
/* A warning about the model that is fitted. Of a trial, and of runs that are quiet,
 * nobody can make use of it: it is logged as information. */
void mli_run_warn(const mli_run *run, const char *module, const char *format, ...)
    MLI_PRINTF(3, 4);
/* ML_E_CANCELLED with its message when cancelled, else ML_OK. */
ml_status mli_run_check(const mli_run *run, ml_error *err);

#endif
