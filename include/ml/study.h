/* SPDX-License-Identifier: MIT
 *
 * ml/study.h: tuning. A study proposes parameters within the tuning ranges of an
 * estimator's schema, scores them, and keeps the best. Also the metrics.
 */
#ifndef ML_STUDY_H
#define ML_STUDY_H

#include <ml/base.h>
#include <ml/context.h>

ML_BEGIN

/**
 * A study over an estimator's parameters. Values that the estimator has set explicitly
 * stay fixed unless "tune" names them.
 *
 * @param estimator  copied, with the functions and the model that were set; functions are
 *                   called on the thread that calls ml_study_run or ml_study_best_model
 * @param train      [null] the training rows; NULL when the host scores trials itself
 *                   through ask and tell
 * @param valid      [null] rows to score on; NULL for the splitter of the options
 * @param options    [null] values of "options.study"
 * @param out        [out] [own] the study
 * @param error      [null] details of a failure
 * @returns ML_OK, ML_E_NAME, ML_E_RANGE, ML_E_PARSE of a search space, ML_E_DATA (also
 *          when the journal is of another study), ML_E_FORMAT and ML_E_IO of the journal,
 *          ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_study_new(const ml_estimator *estimator,
                                       const ml_table *train, const ml_table *valid,
                                       const ml_params *options, ml_study **out,
                                       ml_error *error);

/**
 * Frees a study.
 *
 * @param study  [null] the study
 * @since 0.1
 */
ML_API void ml_study_free(ml_study *study);

/**
 * Runs trials until the limits of the options are reached.
 *
 * @param study     the study
 * @param progress  [null] called on this thread
 * @param user      [null] given to it
 * @param cancel    [null] a token that ends it
 * @param error     [null] details of a failure
 * @returns ML_OK (also when stopped with ML_STOP_KEEP), ML_E_CANCELLED, ML_E_DATA,
 *          ML_E_CALLBACK when a function of the host failed, or the failure of the trials
 *          when all failed
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_study_run(ml_study *study, ml_progress_fn progress,
                                       void *user, ml_cancel *cancel, ml_error *error);

/**
 * Asks for a trial to be scored by the host. The limits of the options hold: n_trials where
 * it is given, time from the first trial asked for, patience and target_score.
 *
 * @param study   the study
 * @param trial   [out] the trial's number
 * @param params  [out] [own] its parameters
 * @param error   [null] details of a failure
 * @returns ML_OK, ML_E_STATE when a limit is reached or a grid is used up, ML_E_IO of the
 *          journal, ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_study_ask(ml_study *study, int64_t *trial,
                                       ml_params **params, ml_error *error);

/**
 * Tells the score of a trial that was asked for.
 *
 * @param study  the study
 * @param trial  the trial's number
 * @param score  in the metric's own direction; NaN marks a failed trial
 * @param error  [null] details of a failure
 * @returns ML_OK, ML_E_RANGE for an unknown trial, ML_E_STATE when told twice or when a
 *          further objective has not been told, ML_E_IO of the journal
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_study_tell(ml_study *study, int64_t trial, double score,
                                        ml_error *error);

/**
 * Tells a value of a running trial: its score so far, after a number of steps such as
 * rounds or epochs, which the pruner judges; or the value of a further objective or of a
 * constraint, by its name. Tell the score afterwards, also of a trial that was given up.
 *
 * @param study   the study
 * @param trial   the trial's number
 * @param name    [null] the objective or constraint; NULL for the score
 * @param step    steps done, from 0; not used with a name
 * @param value   the value
 * @param advice  [out] [null] ML_CONTINUE, or ML_STOP_KEEP when the trial is not worth
 *                going on with
 * @param error   [null] details of a failure
 * @returns ML_OK, ML_E_RANGE for an unknown trial, ML_E_STATE when it has been told,
 *          ML_E_NAME, ML_E_IO of the journal, ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_study_tell_value(ml_study *study, int64_t trial,
                                              const char *name, int64_t step,
                                              double value, int64_t *advice,
                                              ml_error *error);

/**
 * What is known of a study, as a table.
 *
 * @param study  the study
 * @param name   "trials": all of them, with trial, state, score, seconds, and a column per
 *               parameter; "importance": the share of the score's variance that each parameter
 *               explains; "reports": the scores that trials told on their way; "front":
 *               the trials that no other dominates, one objective: the best
 * @param out    [out] [own] the table
 * @param error  [null] details of a failure
 * @returns ML_OK, ML_E_NAME or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_study_get_table(const ml_study *study, const char *name,
                                             ml_table **out, ml_error *error);

/**
 * The parameters of the best trial.
 *
 * @param study  the study
 * @param score  [out] [null] its score
 * @param out    [out] [own] the parameters
 * @param error  [null] details of a failure
 * @returns ML_OK, ML_E_STATE when no trial has succeeded, ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_study_best_params(const ml_study *study, double *score,
                                               ml_params **out, ml_error *error);

/**
 * The model of the best trial, refitted on all training rows unless the options say
 * otherwise. Where early stopping watched the trial, the model has the rounds that it
 * found, and `min_gain_ratio` of gbdt is 0 as it was then unless it is set: the parameters
 * of the model say so.
 *
 * @param study   the study
 * @param cancel  [null] a token that ends the fit
 * @param out     [out] [own] the model
 * @param error   [null] details of a failure
 * @returns ML_OK, ML_E_STATE when no trial has succeeded, or the failure of the fit
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_study_best_model(ml_study *study, ml_cancel *cancel,
                                              ml_model **out, ml_error *error);

/**
 * Computes a metric.
 *
 * @param context     the context
 * @param metric      its name, such as "roc_auc"
 * @param truth       one dimension: values, or class indices from 0
 * @param prediction  one dimension (values, class indices, or probabilities of class 1),
 *                    or rows by classes of probabilities
 * @param weight      [null] one dimension of weights
 * @param options     [null] values of "options.metric"
 * @param out         [out] the value
 * @param error       [null] details of a failure
 * @returns ML_OK, ML_E_NAME with the nearest name, ML_E_SHAPE, ML_E_DATA (such as ROC AUC
 *          of one class only), ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_metric_score(ml_context *context, const char *metric,
                                          const ml_tensor *truth,
                                          const ml_tensor *prediction,
                                          const ml_tensor *weight,
                                          const ml_params *options, double *out,
                                          ml_error *error);

ML_END
#endif
