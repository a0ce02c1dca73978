/* SPDX-License-Identifier: MIT
 *
 * ml/error.h: the error object. The caller owns it, reuses it, and may pass NULL
 * instead. A call that succeeds leaves it as it was.
 */
#ifndef ML_ERROR_H
#define ML_ERROR_H

#include <ml/base.h>

ML_BEGIN

/**
 * A new, empty error object. It reserves the storage that reports running out of
 * memory later, so reporting an error never fails.
 *
 * @returns [own] the object, or NULL when there is no memory even for this
 * @since 0.1
 */
ML_API ml_error *ml_error_new(void);

/**
 * Frees an error object.
 *
 * @param error  [null] the object
 * @since 0.1
 */
ML_API void ml_error_free(ml_error *error);

/**
 * Fills an error object, for host callbacks that must report a failure; with ML_OK it
 * empties the object.
 *
 * @param error    [null] the object
 * @param status   a negative status, or ML_OK
 * @param message  one line of text, copied
 * @since 0.1
 */
ML_API void ml_error_set(ml_error *error, ml_status status, const char *message);

/**
 * The status of the last failure, or ML_OK when there was none.
 *
 * @param error  [null] the object
 * @returns the status
 * @since 0.1
 */
ML_API ml_status ml_error_code(const ml_error *error);

/**
 * What went wrong, in one line, with place and remedy: message, location and hint
 * joined. This is the text to show to a person.
 *
 * @param error  [null] the object
 * @returns [borrow error] the text, "" when there was no failure
 * @since 0.1
 */
ML_API const char *ml_error_message(const ml_error *error);

/**
 * Where it went wrong, such as `params.max_depth` or `column "age", row 17`. Rows and items
 * are counted from 1.
 *
 * @param error  [null] the object
 * @returns [borrow error] the place, "" when there is none
 * @since 0.1
 */
ML_API const char *ml_error_location(const ml_error *error);

/**
 * What to do about it, such as `did you mean "max_depth"?`.
 *
 * @param error  [null] the object
 * @returns [borrow error] the hint, "" when there is none
 * @since 0.1
 */
ML_API const char *ml_error_hint(const ml_error *error);

/**
 * The failure beneath this one, if any: the chain of causes, nearest first.
 *
 * @param error  [null] the object
 * @returns [borrow error] [null] the cause
 * @since 0.1
 */
ML_API const ml_error *ml_error_cause(const ml_error *error);

ML_END
#endif
