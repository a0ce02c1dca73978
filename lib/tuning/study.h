/* SPDX-License-Identifier: MIT
 *
 * tuning/study.h: the study's inside.
 */
#ifndef MLI_TUNING_STUDY_H
#define MLI_TUNING_STUDY_H

#include "tuning/journal.h"
#include "tuning/metrics.h"
#include "tuning/sampler.h"
#include "tuning/split.h"

#include <ml/study.h>
#include <pthread.h>

#define MLI_TRIAL_ASKED   0
#define MLI_TRIAL_DONE    1
#define MLI_TRIAL_FAILED  2
#define MLI_TRIAL_STOPPED 3 /* cut short by a limit */
#define MLI_TRIAL_PRUNED  4 /* given up by the pruner */
#define MLI_TRIAL_STATES  5

#define MLI_MOST_OBJECTIVES  8
#define MLI_MOST_CONSTRAINTS 16

extern const char *const mli_trial_states[MLI_TRIAL_STATES]; /* their names */

/* What is optimised, or kept within a bound (a constraint). */
typedef struct mli_goal {
    const char *name;         /* borrowed from the options, the metric or `text` */
    const mli_metric *metric; /* NULL: told by the host, or measured by the study */
    int32_t measure;          /* MLI_MEASURE_ */
    int32_t maximize;         /* of a constraint: at least `bound`, else at most */
    int32_t bounded;
    double bound;
    char text[64];
} mli_goal;
#define MLI_MEASURE_SECONDS 1
#define MLI_MEASURE_BYTES   2

typedef struct mli_report {
    int64_t step;
    double value;
} mli_report;

typedef struct mli_trial {
    ml_params *params; /* complete */
    double *unit;      /* [space.n], NaN where inactive */
    double *values;    /* [n_goals]: means over the folds; NaN until known */
    int32_t state;
    int32_t orphan;  /* asked for before the study was resumed, and never told */
    int32_t lost;    /* known from its number only */
    uint32_t told;   /* bit i: the host has told values[i] by its name */
    int32_t advised; /* the pruner has advised to give it up */
    double score;    /* values[0]; NaN when failed */
    double spread;   /* standard deviation over the folds, NaN with one fold */
    double seconds;
    int64_t rounds; /* mean best iteration, 0 when the algorithm has none */
    char *message;  /* of a failure */
    int64_t n_reports, report_capacity;
    mli_report *reports; /* scores on the way, in order of their coming */
} mli_trial;

/* How a trial ended. */
typedef struct mli_outcome {
    int32_t state;
    const double *values; /* [n_goals] */
    double spread, seconds;
    int64_t rounds;
    const char *message;
} mli_outcome;

struct ml_study {
    ml_context *ctx;
    const mli_algorithm *algorithm;
    ml_params *base;         /* the estimator's, complete; of a host's own space empty */
    ml_params *options;      /* "options.study", complete */
    ml_table *train, *valid; /* nullable */
    mli_space space;
    const mli_sampler *sampler;
    void *sampler_cache;
    const mli_metric *metric; /* NULL until known (no data and none named) */
    int32_t maximize;
    /* Objectives, the score first, then constraints. */
    int64_t n_objectives, n_goals;
    mli_goal goals[MLI_MOST_OBJECTIVES + MLI_MOST_CONSTRAINTS];

    /* Made at the first run: a design per fold. */
    int64_t n_folds;
    mli_design *whole;
    mli_design **fold_train, **fold_test;
    mli_hooks hooks; /* of the fits */

    pthread_mutex_t lock; /* guards what is below */
    int64_t count, capacity;
    mli_trial *trials;
    int64_t best;    /* -1 when there is none */
    int64_t resumed; /* ended trials that came from the journal and no run has counted */
    double first_asked; /* when the host asked for its first trial; 0: it has not yet */
    int64_t settled;    /* the pruner judges by trials before this one */
    int64_t most_steps; /* of the reports, where known */
    int32_t report_maximize;
    mli_journal *journal;
    /* Ended trials of earlier studies: they teach the sampler, or (`transfer`) the best
     * of them are tried first. */
    int64_t n_prior;
    mli_trial *prior;
    int32_t transfer;
};

extern const mli_descriptor mli_options_study;

/* Makes the folds when they are not there yet. */
ml_status mli_study_prepare(ml_study *s, ml_error *err);
void mli_study_free_designs(ml_study *s);
/* Sets the objectives from the options and the metric. */
ml_status mli_study_goals(ml_study *s, ml_error *err);
/* A new trial with the sampler's next parameters. ML_E_STATE when there are no more; for
 * a host also when a limit of the options is reached. */
ml_status mli_study_next(ml_study *s, int host, int64_t *trial, ml_params **params,
                         ml_error *err);
/* The option, patience or target_score, by which the trials are enough; NULL: none. */
const char *mli_study_reached(const ml_study *s);
/* The most trials that the sampler can propose. */
int64_t mli_study_limit(ml_study *s);
/* The one parameter with that flag, those of parts included; 0 when there is none, or
 * several. Holds as long as *out stays where it is. */
int mli_study_path(const ml_study *s, int32_t flag, mli_path *out);
/* Reads the journal of the options, if any, and opens it. */
ml_status mli_study_resume(ml_study *s, ml_error *err);
/* Reads the journals of earlier studies. */
ml_status mli_study_warm(ml_study *s, ml_error *err);
/* What the parameters that differ from the estimator's scored elsewhere: it teaches the
 * sampler, when they lie in the space. Before the first trial. */
ml_status mli_study_teach(ml_study *s, const ml_params *given, double score,
                          ml_error *err);
/* Records of the journal; nothing without one. */
ml_status mli_study_log_ask(ml_study *s, int64_t trial, const ml_params *params,
                            ml_error *err);
ml_status mli_study_log_report(ml_study *s, int64_t trial, int64_t step, double value,
                               ml_error *err);
ml_status mli_study_log_tell(ml_study *s, int64_t trial, const mli_outcome *o,
                             ml_error *err);
void mli_trials_free(ml_context *ctx, mli_trial *trials, int64_t n);

/* With the lock held. A new trial of these parameters, which it takes over; the end of a
 * trial; a score on its way. */
ml_status mli_study_add(ml_study *s, ml_params *params, ml_error *err);
ml_status mli_study_end(ml_study *s, int64_t trial, const mli_outcome *o, ml_error *err);
ml_status mli_study_add_report(ml_study *s, int64_t trial, int64_t step, double value,
                               ml_error *err);
/* A score on the way of a running trial: added, written down and judged. *prune: give it
 * up. */
ml_status mli_study_note(ml_study *s, int64_t trial, int64_t step, double value,
                         int *prune, ml_error *err);

/* Stores how a trial ended. ML_E_RANGE: no such trial; ML_E_STATE: it has ended. */
ml_status mli_study_store(ml_study *s, int64_t trial, const mli_outcome *outcome,
                          ml_error *err);
/* Is a trial feasible, and dominated by none? */
int mli_study_on_front(const ml_study *s, int64_t trial);
/* The sum of what the constraints are violated by. */
double mli_study_violation(const ml_study *s, const mli_trial *t);

#endif
