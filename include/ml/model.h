/* SPDX-License-Identifier: MIT
 *
 * ml/model.h: a fitted model: resolved parameters, an input schema and named tensors.
 * Immutable; saved as a safetensors file (docs/model-file.md).
 */
#ifndef ML_MODEL_H
#define ML_MODEL_H

#include <ml/base.h>
#include <ml/context.h>
#include <ml/tensor.h>

ML_BEGIN

/**
 * Loads a model by mapping its file. The time does not depend on the size. Models of
 * XGBoost, LightGBM, CatBoost (JSON and .cbm) and ONNX are recognised and read
 * (docs/convert.md). Where a file of CatBoost has no texts of categories, its inputs are
 * "hashed": columns of texts are given as ever, and become CatBoost's hashes.
 *
 * @param context  the context
 * @param path     the file
 * @param options  [null] values of "options.load", such as verify
 * @param out      [out] [own] the model
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_IO, ML_E_FORMAT for a damaged, foreign or newer file,
 *          ML_E_UNSUPPORTED for what another system has and this one has not, ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_model_load_file(ml_context *context, const char *path,
                                             const ml_params *options, ml_model **out,
                                             ml_error *error);

/**
 * Loads a model from memory that is borrowed until `release` is called. On failure
 * `release` is not called.
 *
 * @param context  the context
 * @param data     [len size] the bytes of a model file, aligned to 8
 * @param size     their number
 * @param release  [null] called once when the memory is not needed
 * @param user     [null] given to release
 * @param options  [null] values of "options.load"
 * @param out      [out] [own] the model
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_FORMAT, ML_E_UNSUPPORTED or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_model_load_memory(ml_context *context, const void *data,
                                               size_t size, ml_release_fn release,
                                               void *user, const ml_params *options,
                                               ml_model **out, ml_error *error);

/**
 * Saves a model. The file appears under its name only when complete and synced.
 *
 * @param model    the model
 * @param path     the file
 * @param options  [null] values of "options.save"
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_IO, ML_E_NAME or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_model_save_file(const ml_model *model, const char *path,
                                             const ml_params *options,
                                             ml_error *error);

/**
 * Saves a model to a stream of the host.
 *
 * @param model    the model
 * @param io       the stream, with `write` set
 * @param options  [null] values of "options.save"
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_CALLBACK, ML_E_NAME or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_model_save_io(const ml_model *model, const ml_io *io,
                                           const ml_params *options, ml_error *error);

/**
 * Takes one more reference.
 *
 * @param model  [null] the model
 * @returns [own] the same model
 * @since 0.1
 */
ML_API ml_model *ml_model_ref(ml_model *model);

/**
 * Drops the caller's reference.
 *
 * @param model  [null] the model
 * @since 0.1
 */
ML_API void ml_model_free(ml_model *model);

/**
 * The name of the algorithm that made it.
 *
 * @param model  the model
 * @returns [borrow model] the name
 * @since 0.1
 */
ML_API const char *ml_model_algorithm(const ml_model *model);

/**
 * The model described as a JSON object: algorithm, task, parameters, inputs, classes,
 * tensors, prediction kinds, training summary, writer. The same model gives the same text.
 *
 * @param model  the model
 * @returns [borrow model] JSON text, "{}" when there is no memory for it
 * @since 0.1
 */
ML_API const char *ml_model_json(const ml_model *model);

/**
 * The parameters it was fitted with, all resolved.
 *
 * @param model  the model
 * @returns [borrow model] the values
 * @since 0.1
 */
ML_API const ml_params *ml_model_params(const ml_model *model);

/**
 * The number of input columns.
 *
 * @param model  the model
 * @returns the number
 * @since 0.1
 */
ML_API int64_t ml_model_inputs(const ml_model *model);

/**
 * The name of an input column.
 *
 * @param model  the model
 * @param index  0 to ml_model_inputs - 1
 * @returns [borrow model] [null] the name, NULL outside the range
 * @since 0.1
 */
ML_API const char *ml_model_input_name(const ml_model *model, int64_t index);

/**
 * The number of classes, 0 for models that are not classifiers.
 *
 * @param model  the model
 * @returns the number
 * @since 0.1
 */
ML_API int64_t ml_model_classes(const ml_model *model);

/**
 * The label of a class, as text.
 *
 * @param model  the model
 * @param index  0 to ml_model_classes - 1
 * @returns [borrow model] [null] the label, NULL outside the range
 * @since 0.1
 */
ML_API const char *ml_model_class_label(const ml_model *model, int64_t index);

/**
 * The number of attributes: the stored tensors, then those computed from them.
 *
 * @param model  the model
 * @returns the number
 * @since 0.1
 */
ML_API int64_t ml_model_attributes(const ml_model *model);

/**
 * The name of an attribute.
 *
 * @param model  the model
 * @param index  0 to ml_model_attributes - 1
 * @returns [borrow model] [null] the name, NULL outside the range
 * @since 0.1
 */
ML_API const char *ml_model_attribute_name(const ml_model *model, int64_t index);

/**
 * An attribute as a tensor. Stored ones are not copied and keep the model alive.
 *
 * @param model  the model
 * @param name   such as "coef" or "importance"
 * @param out    [out] [own] the tensor
 * @param error  [null] details of a failure
 * @returns ML_OK, ML_E_NAME with the nearest name, ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_model_get_tensor(const ml_model *model, const char *name,
                                              ml_tensor **out, ml_error *error);

/**
 * Scores a model on a table that has the target column.
 *
 * @param model    the model
 * @param table    the rows
 * @param metrics  [null] names separated by commas; NULL for the usual ones of the task
 * @param out      [out] [own] a table with the columns metric, value, low and high (a
 *                 95 % bootstrap interval: of up to some 5,000 rows percentiles of 400
 *                 samples, of more the deviation of 80 or more; of tens of thousands of
 *                 rows some stand for all in it, but never for the value)
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_NAME, ML_E_DATA, ML_E_TYPE or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_model_evaluate(const ml_model *model, const ml_table *table,
                                            const char *metrics, ml_table **out,
                                            ml_error *error);

/**
 * Checks a model: whether its probabilities mean what they say, for which rows it does
 * worst, how it compares with another on the same rows; and what it was fitted with, fitted
 * anew to parts of the table: cross-validation, nested with tuning, learning curves.
 *
 * @param model    the model
 * @param other    [null] the model to compare with
 * @param table    the rows, with the target
 * @param options  [null] values of "options.check", such as method
 * @param out      [out] [own] a table that depends on the method
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_NAME, ML_E_ARGUMENT without the other model where the method needs
 *          it, ML_E_UNSUPPORTED when the method does not suit the task, ML_E_DATA,
 *          ML_E_TYPE, ML_E_RANGE or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_model_check(const ml_model *model, const ml_model *other,
                                         const ml_table *table, const ml_params *options,
                                         ml_table **out, ml_error *error);

/**
 * Explains a model: importance of its columns, partial dependence, the nodes of its trees.
 * What each column adds to one prediction is a kind of prediction: "contributions".
 *
 * @param model    the model
 * @param table    [null] the rows, with the target for permutation; NULL for the methods
 *                 importance and trees, which look at the model alone
 * @param options  [null] values of "options.explain", such as method
 * @param out      [out] [own] a table that depends on the method
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_NAME, ML_E_ARGUMENT without rows where the method needs them,
 *          ML_E_UNSUPPORTED when the model has nothing to tell, ML_E_DATA, ML_E_TYPE,
 *          ML_E_RANGE or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_model_explain(const ml_model *model, const ml_table *table,
                                           const ml_params *options, ml_table **out,
                                           ml_error *error);

ML_END
#endif
