/* SPDX-License-Identifier: MIT
 *
 * ml/params.h: a set of named values: the options of every call. Values are checked
 * against a schema when they are given to an estimator, a study or a reader.
 */
#ifndef ML_PARAMS_H
#define ML_PARAMS_H

#include <ml/base.h>

ML_BEGIN

/* Types of values. */
#define ML_PARAM_BOOL 1
#define ML_PARAM_I64 2
#define ML_PARAM_F64 3
#define ML_PARAM_STR 4
#define ML_PARAM_I64S 5      /* list of integers */
#define ML_PARAM_F64S 6      /* list of reals */
#define ML_PARAM_STRS 7      /* list of texts */
#define ML_PARAM_ESTIMATOR 8 /* another estimator */

/**
 * An empty set.
 *
 * @param context  the context
 * @param out      [out] [own] the set
 * @param error    [null] details of a failure
 * @returns ML_OK or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_params_new(ml_context *context, ml_params **out,
                                        ml_error *error);

/**
 * Frees a set.
 *
 * @param params  [null] the set
 * @since 0.1
 */
ML_API void ml_params_free(ml_params *params);

/**
 * A copy of a set.
 *
 * @param params  the set
 * @param out     [out] [own] the copy
 * @param error   [null] details of a failure
 * @returns ML_OK or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_params_clone(const ml_params *params, ml_params **out,
                                          ml_error *error);

/**
 * Sets an integer.
 *
 * @param params  the set
 * @param name    the parameter
 * @param value   the value
 * @param error   [null] details of a failure
 * @returns ML_OK, ML_E_ARGUMENT or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_params_set_i64(ml_params *params, const char *name,
                                            int64_t value, ml_error *error);

/**
 * Sets a real number.
 *
 * @param params  the set
 * @param name    the parameter
 * @param value   the value
 * @param error   [null] details of a failure
 * @returns ML_OK, ML_E_ARGUMENT or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_params_set_f64(ml_params *params, const char *name,
                                            double value, ml_error *error);

/**
 * Sets a text. A text stands for any type: "0.1", "true", "[1, 2]" are parsed when the
 * set meets a schema.
 *
 * @param params  the set
 * @param name    the parameter
 * @param value   the text, copied
 * @param error   [null] details of a failure
 * @returns ML_OK, ML_E_ARGUMENT or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_params_set_str(ml_params *params, const char *name,
                                            const char *value, ml_error *error);

/**
 * The number of values in a set.
 *
 * @param params  the set
 * @returns the number
 * @since 0.1
 */
ML_API int64_t ml_params_count(const ml_params *params);

/**
 * The name of a value by index, in the order in which they were set.
 *
 * @param params  the set
 * @param index   0 to ml_params_count - 1
 * @returns [borrow params] [null] the name, NULL outside the range
 * @since 0.1
 */
ML_API const char *ml_params_name(const ml_params *params, int64_t index);

/**
 * The type of a value, 0 when there is no such value.
 *
 * @param params  the set
 * @param name    the parameter
 * @returns one of ML_PARAM_, or 0
 * @since 0.1
 */
ML_API int32_t ml_params_type(const ml_params *params, const char *name);

/**
 * Reads a boolean or an integer.
 *
 * @param params  the set
 * @param name    the parameter
 * @param out     [out] the value
 * @param error   [null] details of a failure
 * @returns ML_OK, ML_E_NAME or ML_E_TYPE
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_params_get_i64(const ml_params *params, const char *name,
                                            int64_t *out, ml_error *error);

/**
 * Reads a real number; an integer is converted.
 *
 * @param params  the set
 * @param name    the parameter
 * @param out     [out] the value
 * @param error   [null] details of a failure
 * @returns ML_OK, ML_E_NAME or ML_E_TYPE
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_params_get_f64(const ml_params *params, const char *name,
                                            double *out, ml_error *error);

/**
 * Reads any value as text, in the form that ml_params_set_str accepts.
 *
 * @param params  the set
 * @param name    the parameter
 * @returns [borrow params] [null] the text, NULL when there is no such value
 * @since 0.1
 */
ML_API const char *ml_params_get_str(const ml_params *params, const char *name);

/**
 * Reads values from YAML (or JSON, its subset): one mapping from names to values.
 *
 * @param params  the set, to which the values are added
 * @param text    [len size] the document
 * @param size    its length in bytes
 * @param error   [null] details of a failure, with line and column
 * @returns ML_OK, ML_E_PARSE or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_params_read_yaml(ml_params *params, const char *text,
                                              size_t size, ml_error *error);

/**
 * Writes a set as YAML into the caller's buffer.
 *
 * @param params    the set
 * @param buffer    [out] [null] [len capacity] receives the text and a final NUL
 * @param capacity  size of the buffer in bytes
 * @param needed    [out] bytes needed, the final NUL included
 * @param error     [null] details of a failure
 * @returns ML_OK (also when the buffer is too small: then compare `needed`), ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_params_write_yaml(const ml_params *params, char *buffer,
                                               size_t capacity, size_t *needed,
                                               ml_error *error);

/**
 * A copy that holds only the values a schema knows, under their proper names.
 *
 * @param params  the set
 * @param schema  the schema
 * @param out     [out] [own] the selection
 * @param error   [null] details of a failure
 * @returns ML_OK or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_params_select(const ml_params *params,
                                           const ml_schema *schema, ml_params **out,
                                           ml_error *error);

ML_END
#endif
