/* SPDX-License-Identifier: MIT
 *
 * ml/predictor.h: a frozen plan made from a model for one thread. After creation it
 * looks up no string, takes no lock, allocates nothing for rows, and parses nothing.
 * Make one per thread; they share the model's memory.
 */
#ifndef ML_PREDICTOR_H
#define ML_PREDICTOR_H

#include <ml/base.h>

ML_BEGIN

/**
 * Makes a predictor.
 *
 * @param model    the model; kept alive
 * @param kind     [null] a prediction kind, such as "value", "class", "proba", "score";
 *                 NULL for the model's first kind
 * @param options  [null] values of "options.predict"
 * @param out      [out] [own] the predictor
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_NAME with the kinds there are, ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_predictor_new(const ml_model *model, const char *kind,
                                           const ml_params *options, ml_predictor **out,
                                           ml_error *error);

/**
 * Frees a predictor.
 *
 * @param predictor  [null] the predictor
 * @since 0.1
 */
ML_API void ml_predictor_free(ml_predictor *predictor);

/**
 * The number of outputs per row.
 *
 * @param predictor  the predictor
 * @returns the number
 * @since 0.1
 */
ML_API int64_t ml_predictor_outputs(const ml_predictor *predictor);

/**
 * The name of an output, such as a class label.
 *
 * @param predictor  the predictor
 * @param index      0 to ml_predictor_outputs - 1
 * @returns [borrow predictor] [null] the name, NULL outside the range
 * @since 0.1
 */
ML_API const char *ml_predictor_output_name(const ml_predictor *predictor, int64_t index);

/**
 * Predicts the rows of a table. Columns are matched by name; extra ones are ignored.
 *
 * @param predictor  the predictor
 * @param table      the rows
 * @param out        [out] [own] float64, rows by outputs; kind "class" gives class
 * indices
 * @param error      [null] details of a failure
 * @returns ML_OK, ML_E_NAME for a column that lacks, ML_E_TYPE, ML_E_CANCELLED,
 * ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_predictor_run(ml_predictor *predictor, const ml_table *table,
                                           ml_tensor **out, ml_error *error);

/**
 * As ml_predictor_run, with a table as result: a column per output, class labels as
 * categories.
 *
 * @param predictor  the predictor
 * @param table      the rows
 * @param out        [out] [own] the predictions
 * @param error      [null] details of a failure
 * @returns as ml_predictor_run
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_predictor_run_table(ml_predictor *predictor,
                                                 const ml_table *table, ml_table **out,
                                                 ml_error *error);

/**
 * Predicts rows from a plain buffer, features in the order of ml_model_input_name.
 *
 * NaN is a missing value; a category is given by its code (ml_predictor_code). No
 * allocation, lock, or string is involved.
 *
 * @param predictor  the predictor
 * @param rows       the first row
 * @param dtype      ML_DTYPE_F64 or ML_DTYPE_F32
 * @param count      number of rows
 * @param stride     distance between rows in elements, at least the number of inputs
 * @param out        [out] [len count * outputs] receives the predictions, row after row
 * @param error      [null] details of a failure
 * @returns ML_OK, ML_E_ARGUMENT or ML_E_TYPE
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_predictor_rows(ml_predictor *predictor, const void *rows,
                                            int32_t dtype, int64_t count, int64_t stride,
                                            double *out, ml_error *error);

/**
 * Predicts sparse rows (CSR): of each row, some inputs and their values. Row i has the
 * elements offsets[i] to offsets[i + 1] - 1 of `columns` and `values`; all others are
 * `absent`. Nothing of the size rows by inputs is made: memory is bounded, and trees and
 * linear models look at what is stored only.
 *
 * The elements of a row may stand in any order; those of the same input are added. Values
 * are as in ml_predictor_rows. The first call may allocate.
 *
 * @param predictor    the predictor
 * @param offsets      [len count + 1] where rows begin, ascending
 * @param columns      numbers of inputs from 0, in the order of ml_model_input_name
 * @param index_dtype  ML_DTYPE_I32 or ML_DTYPE_I64: of offsets and columns
 * @param values       as many as columns
 * @param dtype        ML_DTYPE_F64 or ML_DTYPE_F32: of values
 * @param count        number of rows
 * @param absent       what an input means that a row does not list: 0, NaN for missing
 * @param out          [out] [len count * outputs] receives the predictions, row after row
 * @param error        [null] details of a failure
 * @returns ML_OK, ML_E_ARGUMENT or ML_E_TYPE, ML_E_RANGE for a column that is none,
 *          ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_predictor_sparse_rows(
    ml_predictor *predictor, const void *offsets, const void *columns,
    int32_t index_dtype, const void *values, int32_t dtype, int64_t count, double absent,
    double *out, ml_error *error);

/**
 * The code that stands for a category in plain rows; of a hashed input the hash of any
 * text.
 *
 * @param predictor  the predictor
 * @param input      index of the input column
 * @param text       [null] the category; NULL is the missing value
 * @returns the code; NaN for a missing value, an unseen category or a numeric column
 * @since 0.1
 */
ML_API double ml_predictor_code(const ml_predictor *predictor, int64_t input,
                                const char *text);

ML_END
#endif
