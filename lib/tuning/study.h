/* SPDX-License-Identifier: MIT
 *
 * tuning/study.h: the study's inside.
 */
#ifndef MLI_TUNING_STUDY_H
#define MLI_TUNING_STUDY_H

#include "tuning/metrics.h"
#include "tuning/space.h"
#include "tuning/split.h"

#include <ml/study.h>
#include <pthread.h>

#define MLI_TRIAL_ASKED   0
#define MLI_TRIAL_DONE    1
#define MLI_TRIAL_FAILED  2
#define MLI_TRIAL_STOPPED 3 /* cut short by a limit */

typedef struct mli_trial {
    ml_params *params; /* complete */
    int32_t state;
    double score;  /* mean over the folds; NaN when failed */
    double spread; /* standard deviation over the folds, NaN with one fold */
    double seconds;
    int64_t rounds; /* mean best iteration, 0 when the algorithm has none */
    char *message;  /* of a failure */
} mli_trial;

struct ml_study {
    ml_context *ctx;
    const mli_algorithm *algorithm;
    ml_params *base;         /* the estimator's, complete */
    ml_params *options;      /* "options.study", complete */
    ml_table *train, *valid; /* nullable */
    ml_cancel *cancel;
    mli_space space;
    const mli_metric *metric; /* NULL until known (no data and none named) */
    int32_t maximize;

    /* Made at the first run: a design per fold. */
    int64_t n_folds;
    mli_design *whole;
    mli_design **fold_train, **fold_test;

    pthread_mutex_t lock; /* guards what is below */
    int64_t count, capacity;
    mli_trial *trials;
    int64_t best; /* -1 when there is none */
};

/* Makes the folds when they are not there yet. */
ml_status mli_study_prepare(ml_study *s, ml_error *err);
/* A new trial with the sampler's next parameters. ML_E_STATE when there are no more. */
ml_status mli_study_next(ml_study *s, int64_t *trial, ml_params **params, ml_error *err);
/* The algorithm's first parameter with that flag, or NULL. */
const mli_param *mli_study_flagged(const ml_study *s, int32_t flag);
/* Stores a result. */
void mli_study_store(ml_study *s, int64_t trial, int32_t state, double score,
                     double spread, double seconds, int64_t rounds, const char *message);

#endif
