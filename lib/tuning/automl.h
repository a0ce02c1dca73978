/* SPDX-License-Identifier: MIT
 *
 * tuning/automl.h: what the files of the search for the best model share.
 *
 * The way: candidates (automl_portfolio.c, automl_search.c) are judged by what they
 * predict for rows that they were not fitted to (automl_judge.c), or given up on the way
 * (automl_race.c), which a journal keeps (automl_journal.c); the predictions of the best
 * are blended (automl_blend.c) or stacked (automl_stack.c), calibrated, and thresholds
 * tuned on them (automl_adjust.c); the chosen candidates are fitted again to all rows
 * (automl_refit.c), or one model learns from what they predict (automl_distill.c).
 */
#ifndef MLI_TUNING_AUTOML_H
#define MLI_TUNING_AUTOML_H

#include "algorithms/compose/calibration.h"
#include "tuning/journal.h"
#include "tuning/metrics.h"
#include "tuning/split.h"

/* Parameters of one algorithm, and how they did. */
typedef struct mli_candidate {
    const mli_algorithm *algorithm;
    ml_params *given;    /* what differs from the defaults */
    double *predictions; /* [judged rows * n_outputs]; NULL when it failed */
    double score;        /* NaN when it failed, or was given up */
    double first;        /* score in the first fold; NaN: not known */
    double guess;        /* of the score, when it was given up after that; else NaN */
    double seconds;      /* sum of those of all folds */
    double growth;       /* all rows for each that it was fitted to */
    int64_t rounds;      /* mean over the folds; 0 when it has none */
    int cut;             /* its time was over before it was done */
    double weight;       /* in the blend */
    ml_model *kept; /* of one fold, for when it cannot be fitted to all rows in time; or
                       NULL */
    char *why;      /* it failed, or NULL */
} mli_candidate;

/* A candidate of an earlier run, from the journal. */
typedef struct mli_past {
    mli_candidate c;
    int used;
} mli_past;

typedef struct mli_automl {
    mli_fit *job;
    const mli_design *given; /* what the fit got: text and columns of roles are there */
    ml_context *ctx;
    const mli_metric *metric;
    const char *kind; /* "proba" or "value" */
    int64_t n_outputs;
    uint64_t seed;

    int64_t n_folds;
    mli_design **train, **test;    /* [n_folds]; borrowed where job's */
    struct mli_prefixes *prefixes; /* of pipelines on the folds */
    mli_design *judged;            /* the test rows, fold after fold */
    int64_t *judged_rows; /* where they stand in the training rows; NULL: nowhere */
    mli_truth truth;      /* of the judged rows */

    double start, limit; /* seconds; limit 0: none */
    double slice;        /* seconds that the next candidate may take; 0: no limit */
    int hurry;           /* the next one is in place of others that were cut short */
    double scoring;      /* the most that a score has taken */
    double last;         /* the fit of a final model will take, after all others */
    double spent, took;  /* the folds of all candidates, and by the clock */
    ml_cancel *clock;    /* of the members and the final model */

    int64_t count, capacity;
    mli_candidate *candidates;
    ml_error *failure; /* of the last candidate that failed */
    ml_status failed;

    mli_journal *journal;
    double beat; /* when the time was written down last */
    int64_t n_past, past_capacity;
    mli_past *past;

    size_t memory; /* bytes that a fit may bring those of the context to; 0: any */
    double room;   /* bytes that were free of them before the folds were made */

    /* What the search found, for the judged rows: predictions of rows held out by all of
     * it [judged rows * n_outputs], and their score. */
    double *combined, score;
    int stacked;
    mli_calibration map; /* method NONE: not calibrated */
    double *cuts;        /* [n_outputs] thresholds; NULL: none */
} mli_automl;

/* The parameters that list the members and the final model. */
extern const mli_param *const mli_automl_members, *const mli_automl_final;

/* ---- automl_judge.c ---- */

/* How rows that candidates are judged by are found: whole groups, the later ones by time,
 * else any. */
mli_split mli_automl_split(const mli_design *d, uint64_t seed);
/* Divides the rows, as "folds" and "holdout" say. */
ml_status mli_automl_folds(mli_automl *a, ml_error *err);
void mli_automl_free(mli_automl *a);
/* Fits a candidate to each fold and scores what it predicts; takes `given` over. A
 * candidate that fails is kept, without score: only lack of memory and cancelling are
 * failures of the call. */
ml_status mli_automl_judge(mli_automl *a, const mli_algorithm *algorithm,
                           ml_params *given, ml_error *err);
/* Limits the memory for a fit, but for that of a constant, which needs next to none: 1
 * when it is to be lifted again. */
int mli_automl_limit(const mli_automl *a, const mli_algorithm *algorithm);
/* All rows for each of those that candidates are fitted to now. */
double mli_automl_growth(const mli_automl *a);
/* Keeps so many of the n rows, any as likely as another, in their order. */
void mli_automl_thin(const mli_automl *a, int64_t *rows, int64_t *n, int64_t most);
/* Seconds that a fit to all rows takes, about. */
double mli_automl_whole_seconds(const mli_automl *a, const mli_candidate *c);
/* Are fits to so many rows made side by side, a thread each? */
int mli_automl_side_by_side(const mli_automl *a, const mli_design *rows);
/* Seconds by the clock for each of a fit, since several are made at once. */
double mli_automl_pace(const mli_automl *a);
/* The score of predictions for the judged rows; `room` [judged rows] is for classes. */
ml_status mli_automl_score(const mli_automl *a, const double *predictions, double *room,
                           double *score, ml_error *err);
/* The same for the first n rows. */
ml_status mli_automl_score_first(const mli_automl *a, const double *predictions,
                                 int64_t n, double *room, double *score, ml_error *err);
int mli_automl_better(const mli_automl *a, double x, double y);
/* The best candidate, -1 when there is none. */
int64_t mli_automl_best(const mli_automl *a);
/* The parameters of an algorithm: those given, resolved, without roles. */
ml_status mli_automl_params(const mli_automl *a, const mli_algorithm *algorithm,
                            const ml_params *given, ml_params **out, ml_error *err);
/* The first parameter of an algorithm with a flag, or NULL. */
const mli_param *mli_automl_flagged(const mli_algorithm *algorithm, int32_t flag);

/* ---- automl_race.c ---- */

/* Is a candidate whose first fold has been predicted so far behind others that it is to
 * be given up? Sets its guess then. */
int mli_automl_behind(mli_automl *a, mli_candidate *c);

/* ---- automl_journal.c ---- */

/* Opens the journal of the parameters, if any, and reads what it holds. */
ml_status mli_automl_open(mli_automl *a, ml_error *err);
void mli_automl_close(mli_automl *a);
/* Writes a candidate down. */
ml_status mli_automl_keep(mli_automl *a, const mli_candidate *c, ml_error *err);
/* Lets the run of a fit write down how much time was used, when it is limited. */
void mli_automl_beat(mli_automl *a, mli_run *run);
/* A candidate of the journal that was not asked for yet, or NULL. */
mli_past *mli_automl_past(const mli_automl *a, const mli_algorithm *algorithm,
                          const ml_params *given);
/* Takes over what the journal knows of a candidate; 0: nothing. */
int mli_automl_known(mli_automl *a, mli_candidate *c);
/* The first candidate of the journal that was not asked for yet, or NULL. */
mli_past *mli_automl_next_past(mli_automl *a);
int mli_automl_same(const ml_params *x, const ml_params *y);
/* Adds it to the candidates. */
ml_status mli_automl_take_past(mli_automl *a, mli_past *p, ml_error *err);

/* ---- automl_refit.c ---- */

/* How often a member that draws at random is fitted to all rows, if there is time. */
int64_t mli_automl_repeats(const mli_automl *a);

/* ---- automl_portfolio.c ---- */

/* Does an algorithm suit the task and the rows? */
int mli_automl_takes(const mli_automl *a, const mli_descriptor *d);
/* The same, and was it asked for? Without names all are; the baseline always is. */
int mli_automl_takes_part(const mli_automl *a, const mli_descriptor *d);

/* Is there a trial left, and time for this one? given: NULL when it is not known yet. */
int mli_automl_may_try(mli_automl *a, const mli_algorithm *algorithm,
                       const ml_params *given);
/* Judges it, and tells the progress; takes `given` over. */
ml_status mli_automl_try(mli_automl *a, const mli_algorithm *algorithm, ml_params *given,
                         ml_error *err);
ml_status mli_automl_portfolio(mli_automl *a, ml_error *err);
/* Seconds for fits that are left: infinite without a limit. */
double mli_automl_left(const mli_automl *a);
/* Seconds that fitting the chosen candidates to all rows will take, about. */
double mli_automl_refit_seconds(const mli_automl *a);
/* The most that the blend may take, with a time limit. */
double mli_automl_blend_seconds(const mli_automl *a);

/* ---- automl_search.c ---- */

/* Models of one algorithm that a parameter makes different in kind, so that they are
 * searched by themselves. */
typedef struct mli_kin {
    const char *algorithm, *name, *value, *space;
} mli_kin;
/* NULL: the usual kind. */
const mli_kin *mli_automl_kin(const mli_algorithm *algorithm, const ml_params *given);
/* Are both of one kind? */
int mli_automl_alike(const mli_candidate *x, const mli_candidate *y);
/* Judges candidates until the trials or the time are used up. */
ml_status mli_automl_search(mli_automl *a, ml_error *err);

/* ---- automl_blend.c ---- */

/* So many of a kind are considered: they are wrong in the same rows, and the more there
 * are of them, the more are best by chance. */
#define MLI_AUTOML_OF_A_KIND 3

/* The most rounds of what stops early: small steps gain from thousands, but models of
 * more are large for what they gain (docs/design/tuning.md). */
#define MLI_AUTOML_ROUNDS 3000

/* Sets the weights of the candidates; they sum to 1; and `combined` and `score`. */
ml_status mli_automl_blend(mli_automl *a, int64_t most, ml_error *err);
/* Lets the constant join where the blend is surer than its rows can tell. */
ml_status mli_automl_temper(mli_automl *a, ml_error *err);

/* ---- automl_stack.c ---- */

/* A model of what the blended candidates predict, kept when it is better than the blend.
 */
ml_status mli_automl_stack(mli_automl *a, ml_error *err);
/* The judged rows with what the chosen candidates predict for them as features. */
ml_status mli_automl_stack_rows(const mli_automl *a, mli_design **out, ml_error *err);

/* ---- automl_adjust.c ---- */

/* Calibrates `combined`, and tunes thresholds on it. */
ml_status mli_automl_calibrate(mli_automl *a, ml_error *err);
ml_status mli_automl_thresholds(mli_automl *a, ml_error *err);

/* ---- automl_refit.c ---- */

/* The chosen candidates once more, on all rows, as the model. */
ml_status mli_automl_refit(mli_automl *a, ml_error *err);
/* The leaderboard, the scores of the trials, the score held out. */
ml_status mli_automl_leaderboard(const mli_automl *a, ml_error *err);
/* The run of fits of all rows, within the time that is left. */
void mli_automl_last_run(mli_automl *a, mli_run *run);

/* ---- automl_distill.c ---- */

/* One model of the algorithm "distill" that learns from `combined`, as the model. */
ml_status mli_automl_distill(mli_automl *a, ml_error *err);

/* ---- automl_warn.c ---- */

/* Warns of columns that tell the target by themselves. */
void mli_automl_warn(const mli_automl *a);

/* ---- automl_codes.c, automl_limits.c ---- */

/* *out: the step that makes categories of numbers that name things, where trees are
 * better with them; else NULL. params: its parameters but for the columns. */
ml_status mli_automl_codes(const mli_fit *job, const mli_algorithm *to_category,
                           const ml_params *params, ml_model **out, ml_error *err);
/* *out: the step that makes numbers out of all proportion missing, or NULL. */
ml_status mli_automl_limits(const mli_fit *job, const mli_algorithm *clipper,
                            const ml_params *params, ml_model **out, ml_error *err);

/* ---- automl_front.c ---- */

/* Are there steps before all candidates? */
int mli_automl_has_front(const ml_model *m);
/* The job with dates and words as numbers, and categories of numbers that name things
 * (the same job when there are none), whose designs mli_automl_front_free frees. */
ml_status mli_automl_front(const mli_fit *job, mli_fit *inner, ml_error *err);
void mli_automl_front_free(const mli_fit *job, mli_fit *inner);
/* The models of the steps, and last the rest, of the columns that they make. */
typedef struct mli_automl_chain {
    ml_model *model[5];
    int64_t n;
} mli_automl_chain;
ml_status mli_automl_front_load(const ml_model *m, mli_automl_chain *c, ml_error *err);
/* Takes the chain and `rest`, a plan of its last model, over. */
ml_status mli_automl_front_plan(mli_automl_chain *c, mli_plan *rest, mli_plan **out,
                                ml_error *err);
void mli_automl_chain_free(mli_automl_chain *c);

#endif
