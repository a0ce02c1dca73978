/* SPDX-License-Identifier: MIT
 *
 * ml/ml.h: libml, machine learning inside the program that links it.
 *
 * The way through the library:
 *
 *   table      ml_table_read_csv, ml_table_read_arrow, ml_table_read_tensor
 *   estimator  ml_estimator_new(context, "gbdt"), set parameters and the target
 *   model      ml_estimator_fit, ml_model_save_file, ml_model_load_file
 *   predictor  ml_predictor_new(model, "proba"), ml_predictor_run
 *   study      ml_study_new, ml_study_run: finds good parameters
 *
 * Algorithms are reached by name; ml/schema.h lists them with their parameters.
 * See ml/base.h for the conventions.
 */
#ifndef ML_ML_H
#define ML_ML_H

#include <ml/arrow.h>
#include <ml/base.h>
#include <ml/context.h>
#include <ml/error.h>
#include <ml/estimator.h>
#include <ml/model.h>
#include <ml/params.h>
#include <ml/predictor.h>
#include <ml/report.h>
#include <ml/schema.h>
#include <ml/study.h>
#include <ml/table.h>
#include <ml/tensor.h>

#endif
