/* SPDX-License-Identifier: MIT
 *
 * tuning/automl.h: what the files of the search for the best model share.
 *
 * The way: candidates (automl_portfolio.c) are judged by what they predict for rows that
 * they were not fitted to (automl_judge.c); the predictions of the best are blended
 * (automl_blend.c); the blended candidates are fitted again to all rows (automl.c).
 */
#ifndef MLI_TUNING_AUTOML_H
#define MLI_TUNING_AUTOML_H

#include "tuning/metrics.h"

/* Parameters of one algorithm, and how they did. */
typedef struct mli_candidate {
    const mli_algorithm *algorithm;
    ml_params *given;    /* what differs from the defaults */
    double *predictions; /* [judged rows * n_outputs]; NULL when it failed */
    double score;        /* NaN when it failed */
    double seconds;      /* of all folds */
    int64_t rounds;      /* mean over the folds; 0 when it has none */
    double weight;       /* in the blend */
} mli_candidate;

typedef struct mli_automl {
    mli_fit *job;
    ml_context *ctx;
    const mli_metric *metric;
    const char *kind; /* "proba" or "value" */
    int64_t n_outputs;
    uint64_t seed;

    int64_t n_folds;
    mli_design **train, **test; /* [n_folds]; borrowed where job's */
    mli_design *judged;         /* the test rows, fold after fold */
    mli_truth truth;            /* of the judged rows */

    double start, limit; /* seconds; limit 0: none */
    double slice;        /* seconds that the next candidate may take; 0: no limit */
    ml_cancel *clock;    /* of the fold or member that is being fitted */

    int64_t count, capacity;
    mli_candidate *candidates;
    ml_error *failure; /* of the last candidate that failed */
    ml_status failed;
} mli_automl;

/* ---- automl_judge.c ---- */

/* Divides the rows, as "folds" and "holdout" say. */
ml_status mli_automl_folds(mli_automl *a, ml_error *err);
void mli_automl_free(mli_automl *a);
/* Fits a candidate to each fold and scores what it predicts; takes `given` over. A
 * candidate that fails is kept, without score: only lack of memory and cancelling are
 * failures of the call. */
ml_status mli_automl_judge(mli_automl *a, const mli_algorithm *algorithm,
                           ml_params *given, ml_error *err);
/* The score of predictions for the judged rows; `room` [judged rows] is for classes. */
ml_status mli_automl_score(const mli_automl *a, const double *predictions, double *room,
                           double *score, ml_error *err);
int mli_automl_better(const mli_automl *a, double x, double y);
/* The best candidate, -1 when there is none. */
int64_t mli_automl_best(const mli_automl *a);
/* The parameters of an algorithm: those given, resolved, without roles. */
ml_status mli_automl_params(const mli_automl *a, const mli_algorithm *algorithm,
                            const ml_params *given, ml_params **out, ml_error *err);
/* The first parameter of an algorithm with a flag, or NULL. */
const mli_param *mli_automl_flagged(const mli_algorithm *algorithm, int32_t flag);

/* ---- automl_portfolio.c ---- */

/* Does an algorithm suit the task and the rows? */
int mli_automl_takes(const mli_automl *a, const mli_descriptor *d);

/* Judges candidates until the trials or the time are used up. */
ml_status mli_automl_search(mli_automl *a, ml_error *err);

/* ---- automl_blend.c ---- */

/* Sets the weights of the candidates; they sum to 1. */
ml_status mli_automl_blend(mli_automl *a, int64_t most, double *score, ml_error *err);

#endif
