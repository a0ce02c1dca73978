/* SPDX-License-Identifier: MIT
 *
 * ml/estimator.h: an algorithm with parameters, ready to be fitted. One owner.
 */
#ifndef ML_ESTIMATOR_H
#define ML_ESTIMATOR_H

#include <ml/base.h>
#include <ml/context.h>

ML_BEGIN

/** The gradients and hessians of a loss, both written rows by outputs (row by row), as are
 * the scores. `labels` are the targets (class indices of classes); `weights` is NULL or
 * one number per row, and is applied by the library. Returns 0, or another number to stop
 * the fit. */
typedef int32_t (*ml_objective_fn)(int64_t rows, int64_t outputs, const double *labels,
                                   const double *weights, const double *scores,
                                   double *gradients, double *hessians, void *user);

/** A metric of scores, rows by outputs, of the validation rows. Returns 0, or another
 * number to stop the fit. */
typedef int32_t (*ml_metric_fn)(int64_t rows, int64_t outputs, const double *labels,
                                const double *weights, const double *scores,
                                double *value, void *user);

/**
 * An estimator with default parameters.
 *
 * @param context    the context
 * @param algorithm  a name or alias, such as "gbdt"; see ml_schema_name_at
 * @param out        [out] [own] the estimator
 * @param error      [null] details of a failure
 * @returns ML_OK, ML_E_NAME with the nearest name as the hint, ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_estimator_new(ml_context *context, const char *algorithm,
                                           ml_estimator **out, ml_error *error);

/**
 * Frees an estimator.
 *
 * @param estimator  [null] the estimator
 * @since 0.1
 */
ML_API void ml_estimator_free(ml_estimator *estimator);

/**
 * A copy with the same algorithm and parameters, without callbacks.
 *
 * @param estimator  the estimator
 * @param out        [out] [own] the copy
 * @param error      [null] details of a failure
 * @returns ML_OK or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_estimator_clone(const ml_estimator *estimator,
                                             ml_estimator **out, ml_error *error);

/**
 * The name of its algorithm.
 *
 * @param estimator  the estimator
 * @returns [borrow estimator] the name
 * @since 0.1
 */
ML_API const char *ml_estimator_algorithm(const ml_estimator *estimator);

/**
 * Sets a parameter, or a role such as "target", from text; numbers, booleans and lists
 * are parsed. The value is checked at once.
 *
 * @param estimator  the estimator
 * @param name       a parameter, role or alias
 * @param value      the text
 * @param error      [null] details of a failure
 * @returns ML_OK, ML_E_NAME with the nearest name, ML_E_TYPE, ML_E_RANGE, ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_estimator_set_str(ml_estimator *estimator, const char *name,
                                               const char *value, ml_error *error);

/**
 * Sets an integer or boolean parameter.
 *
 * @param estimator  the estimator
 * @param name       a parameter or alias
 * @param value      the value
 * @param error      [null] details of a failure
 * @returns ML_OK, ML_E_NAME with the nearest name, ML_E_TYPE, ML_E_RANGE, ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_estimator_set_i64(ml_estimator *estimator, const char *name,
                                               int64_t value, ml_error *error);

/**
 * Sets a real parameter.
 *
 * @param estimator  the estimator
 * @param name       a parameter or alias
 * @param value      the value
 * @param error      [null] details of a failure
 * @returns ML_OK, ML_E_NAME with the nearest name, ML_E_TYPE, ML_E_RANGE, ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_estimator_set_f64(ml_estimator *estimator, const char *name,
                                               double value, ml_error *error);

/**
 * Sets many parameters; either all are taken or none.
 *
 * @param estimator  the estimator
 * @param params     the values
 * @param error      [null] details of a failure
 * @returns ML_OK, ML_E_NAME with the nearest name, ML_E_TYPE, ML_E_RANGE, ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_estimator_set_params(ml_estimator *estimator,
                                                  const ml_params *params,
                                                  ml_error *error);

/**
 * The parameters, defaults included.
 *
 * @param estimator  the estimator
 * @returns [borrow estimator] the values, valid until the next change
 * @since 0.1
 */
ML_API const ml_params *ml_estimator_params(const ml_estimator *estimator);

/**
 * Sets the progress callback of later fits.
 *
 * @param estimator  the estimator
 * @param progress   [null] called on the thread that calls fit
 * @param user       [null] given to it
 * @since 0.1
 */
ML_API void ml_estimator_set_progress(ml_estimator *estimator, ml_progress_fn progress,
                                      void *user);

/**
 * Sets the cancel token of later fits.
 *
 * @param estimator  the estimator
 * @param cancel     [null] the token; kept alive
 * @since 0.1
 */
ML_API void ml_estimator_set_cancel(ml_estimator *estimator, ml_cancel *cancel);

/**
 * Sets the function that later fits minimise, and the parameter objective to "custom".
 *
 * @param estimator  the estimator
 * @param objective  [null] called on the thread that calls fit, once per round
 * @param user       [null] given to it
 * @param error      [null] details of a failure
 * @returns ML_OK, or ML_E_UNSUPPORTED for algorithms that take none
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_estimator_set_objective(ml_estimator *estimator,
                                                     ml_objective_fn objective, void *user,
                                                     ml_error *error);

/**
 * Sets the metric that early stopping of later fits watches, and the parameter eval_metric
 * to "custom".
 *
 * @param estimator  the estimator
 * @param metric     [null] called on the thread that calls fit, once per round
 * @param user       [null] given to it
 * @param maximize   whether larger is better
 * @param error      [null] details of a failure
 * @returns ML_OK, or ML_E_UNSUPPORTED for algorithms that take none
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_estimator_set_metric(ml_estimator *estimator,
                                                  ml_metric_fn metric, void *user,
                                                  int32_t maximize, ml_error *error);

/**
 * Sets a model that later fits go on from: its trees are kept and more are added. The
 * columns, categories and classes are those of that model.
 *
 * @param estimator  the estimator
 * @param start      [null] a model of the same algorithm; kept alive
 * @param error      [null] details of a failure
 * @returns ML_OK, ML_E_UNSUPPORTED for algorithms that cannot go on, ML_E_ARGUMENT
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_estimator_set_model(ml_estimator *estimator,
                                                 const ml_model *start, ml_error *error);

/**
 * Fits a model to a table.
 *
 * The role parameters say which columns are what; by default every column that has no
 * other role is a feature.
 *
 * @param estimator  the estimator
 * @param train      the training rows
 * @param valid      [null] rows for early stopping and monitoring
 * @param out        [out] [own] the model
 * @param error      [null] details of a failure
 * @returns ML_OK; ML_E_NAME for a column that does not exist; ML_E_DATA for data that
 *          cannot be fitted; ML_E_TYPE; ML_E_CANCELLED; ML_E_NUMERIC; ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_estimator_fit(ml_estimator *estimator, const ml_table *train,
                                           const ml_table *valid, ml_model **out,
                                           ml_error *error);

ML_END
#endif
