/* SPDX-License-Identifier: MIT
 *
 * ml/report.h: one self-contained HTML page about data, models and studies: inline SVG,
 * no script from elsewhere, light and dark.
 */
#ifndef ML_REPORT_H
#define ML_REPORT_H

#include <ml/base.h>
#include <ml/context.h>

ML_BEGIN

/**
 * An empty report.
 *
 * @param context  the context
 * @param title    the heading
 * @param out      [out] [own] the report
 * @param error    [null] details of a failure
 * @returns ML_OK or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_report_new(ml_context *context, const char *title,
                                        ml_report **out, ml_error *error);

/**
 * Frees a report.
 *
 * @param report  [null] the report
 * @since 0.1
 */
ML_API void ml_report_free(ml_report *report);

/**
 * Adds a table as it is, such as a leaderboard. A learning curve or calibration of
 * ml_model_check is drawn as well.
 *
 * @param report  the report
 * @param title   the section's heading
 * @param table   the table; kept alive
 * @param error   [null] details of a failure
 * @returns ML_OK or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_report_add_table(ml_report *report, const char *title,
                                              const ml_table *table, ml_error *error);

/**
 * Adds a data profile: types, missing values, warnings, correlations, distributions.
 *
 * @param report   the report
 * @param title    the section's heading
 * @param table    the data
 * @param options  [null] values of "options.profile"; of these `target` counts
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_ARGUMENT when another part is asked for, ML_E_NAME or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_report_add_profile(ml_report *report, const char *title,
                                                const ml_table *table,
                                                const ml_params *options,
                                                ml_error *error);

/**
 * Adds a model: metrics with intervals on a test table, ROC and PR curves, calibration,
 * confusion matrix or residuals, slices that it does worst for, importance, parameters,
 * file hash.
 *
 * @param report  the report
 * @param title   the section's heading
 * @param model   the model
 * @param test    [null] rows with the target
 * @param error   [null] details of a failure
 * @returns ML_OK, ML_E_NAME when the table lacks columns, ML_E_DATA or ML_E_MEMORY; a
 *          section that fails is left out
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_report_add_model(ml_report *report, const char *title,
                                              const ml_model *model, const ml_table *test,
                                              ml_error *error);

/**
 * Adds a study: history, best trials, and the effect of each parameter.
 *
 * @param report  the report
 * @param title   the section's heading
 * @param study   the study
 * @param error   [null] details of a failure
 * @returns ML_OK or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_report_add_study(ml_report *report, const char *title,
                                              const ml_study *study, ml_error *error);

/**
 * Writes the report; the file appears under its name only when complete.
 *
 * @param report  the report
 * @param path    the file
 * @param error   [null] details of a failure
 * @returns ML_OK, ML_E_IO or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_report_save_file(const ml_report *report, const char *path,
                                              ml_error *error);

/**
 * Writes the report to a stream of the host.
 *
 * @param report  the report
 * @param io      the stream, with `write` set
 * @param error   [null] details of a failure
 * @returns ML_OK, ML_E_CALLBACK or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_report_save_io(const ml_report *report, const ml_io *io,
                                            ml_error *error);

ML_END
#endif
