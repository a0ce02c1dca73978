/* SPDX-License-Identifier: MIT
 *
 * ml/base.h: what every other header needs: export marks, status codes, the
 * opaque types, data types, and the version.
 *
 * Conventions of the whole API
 *
 * - A function that can fail returns ml_status (0 is success, failures are
 *   negative) and takes a nullable `ml_error *` last.
 * - Outputs stand after inputs. On failure an output is left untouched.
 * - Strings are UTF-8, NUL-terminated. Numbers in text never depend on the locale.
 * - Counts are int64_t, sizes in bytes size_t. Indices start at 0.
 * - `const` on a handle means: safe to call from many threads at once.
 * - ml_table, ml_tensor, ml_model and ml_schema are immutable and atomically
 *   reference counted. ml_params, ml_estimator, ml_predictor and ml_error have one
 *   owner, who must not use them from two threads at once. ml_context, ml_study and
 *   ml_cancel lock inside.
 * - `_free` drops the caller's reference, accepts NULL, and may be called in any
 *   order: objects keep alive what they need.
 *
 * Marks in the comments, read by the binding generator: [out] an output, [own] the
 * caller owns it and must free it, [borrow X] valid while X is, [null] may be NULL,
 * [len X] has X elements, [move] the callee takes it over, [inout] read and written.
 */
#ifndef ML_BASE_H
#define ML_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(ML_STATIC)
#define ML_API
#elif defined(_WIN32)
#ifdef ML_BUILD
#define ML_API __declspec(dllexport)
#else
#define ML_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define ML_API __attribute__((visibility("default")))
#else
#define ML_API
#endif

#if defined(__GNUC__)
#define ML_CHECK __attribute__((warn_unused_result))
#else
#define ML_CHECK
#endif

#ifdef __cplusplus
#define ML_BEGIN extern "C" {
#define ML_END }
#else
#define ML_BEGIN
#define ML_END
#endif

#define ML_VERSION_MAJOR 0
#define ML_VERSION_MINOR 1
#define ML_VERSION_PATCH 0
#define ML_VERSION_NUMBER 100 /* major * 10000 + minor * 100 + patch */

ML_BEGIN

/** Result of a call: ML_OK or one of the negative ML_E_ codes. */
typedef int32_t ml_status;

#define ML_OK 0
#define ML_E_ARGUMENT (-1)    /* an argument is NULL, of the wrong kind or malformed */
#define ML_E_RANGE (-2)       /* a value is outside its legal range */
#define ML_E_NAME (-3)        /* an unknown name: parameter, column, algorithm, metric */
#define ML_E_TYPE (-4)        /* a value or a column has the wrong type */
#define ML_E_SHAPE (-5)       /* sizes do not fit together */
#define ML_E_DATA (-6)        /* the data cannot be used: empty, constant, all missing */
#define ML_E_PARSE (-7)       /* malformed text: CSV, JSON, YAML */
#define ML_E_FORMAT (-8)      /* not a model file, damaged, or of a newer format */
#define ML_E_IO (-9)          /* the operating system refused to read or write */
#define ML_E_MEMORY (-10)     /* out of memory */
#define ML_E_CANCELLED (-11)  /* cancelled by token, deadline or progress callback */
#define ML_E_STATE (-12)      /* not possible in the object's present state */
#define ML_E_UNSUPPORTED (-13) /* the algorithm or this build cannot do it */
#define ML_E_NUMERIC (-14)    /* no convergence, singular system, overflow */
#define ML_E_CALLBACK (-15)   /* a host callback failed; its own code is passed through */
#define ML_E_INTERNAL (-16)   /* a defect in libml: please report it */

typedef struct ml_error ml_error;
typedef struct ml_context ml_context;
typedef struct ml_cancel ml_cancel;
typedef struct ml_schema ml_schema;
typedef struct ml_params ml_params;
typedef struct ml_tensor ml_tensor;
typedef struct ml_table ml_table;
typedef struct ml_estimator ml_estimator;
typedef struct ml_model ml_model;
typedef struct ml_predictor ml_predictor;
typedef struct ml_study ml_study;
typedef struct ml_report ml_report;

/* Element types of tensors. */
#define ML_DTYPE_BOOL 1 /* one byte, 0 or 1 */
#define ML_DTYPE_I8 2
#define ML_DTYPE_I16 3
#define ML_DTYPE_I32 4
#define ML_DTYPE_I64 5
#define ML_DTYPE_U8 6
#define ML_DTYPE_U16 7
#define ML_DTYPE_U32 8
#define ML_DTYPE_U64 9
#define ML_DTYPE_F32 16
#define ML_DTYPE_F64 17

/* Types of table columns: the dtypes above for numbers, and these. */
#define ML_TYPE_TEXT 32      /* UTF-8 text, free form */
#define ML_TYPE_CATEGORY 33  /* codes into a dictionary of UTF-8 levels */
#define ML_TYPE_DATE 34      /* days since 1970-01-01 */
#define ML_TYPE_TIMESTAMP 35 /* microseconds since 1970-01-01T00:00:00Z */

/**
 * The version of the linked library, such as "0.1.0".
 *
 * @returns [borrow library] the version text
 * @since 0.1
 */
ML_API const char *ml_version(void);

/**
 * The name of a status code, such as "ML_E_RANGE".
 *
 * @param status  any status
 * @returns [borrow library] the name, or "ML_E_UNKNOWN" for a code this version lacks
 * @since 0.1
 */
ML_API const char *ml_status_name(ml_status status);

ML_END
#endif
