/* SPDX-License-Identifier: MIT
 *
 * core/error.h: filling in error objects. Every function accepts a NULL error.
 *
 * Idiom:
 *     mli_fail(err, ML_E_RANGE, "max_depth is %lld, the legal range is %s", v, range);
 *     mli_error_at(err, ML_E_RANGE, "params.%s", name);
 *     return mli_error_hint(err, ML_E_RANGE, "use a value in %s", range);
 *
 * Number text: %g and the like must not be used with values (the locale could change
 * the decimal point): use mli_str_f64 or MLI_NUM from core/text.h.
 */
#ifndef MLI_CORE_ERROR_H
#define MLI_CORE_ERROR_H

#include <ml/base.h>
#include <ml/error.h>
#include <stdarg.h>

#if defined(__GNUC__)
#define MLI_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define MLI_PRINTF(f, a)
#endif

/* Starts a new failure (clears place, hint and cause). Returns `status`. */
ml_status mli_fail(ml_error *err, ml_status status, const char *format, ...)
    MLI_PRINTF(3, 4);
/* Sets the place. Returns the error's status. */
ml_status mli_error_at(ml_error *err, ml_status status, const char *format, ...)
    MLI_PRINTF(3, 4);
/* Sets the hint. Returns the status given. */
ml_status mli_error_hint(ml_error *err, ml_status status, const char *format, ...)
    MLI_PRINTF(3, 4);
/* Wraps the present failure as the cause of a new one with the same status. */
ml_status mli_error_wrap(ml_error *err, const char *format, ...) MLI_PRINTF(2, 3);
/* For a failure on some rows of a table: what its texts call "row N", the last of each, was
 * row rows[N - 1] + 1. */
void mli_error_rows(ml_error *err, const int64_t *rows, int64_t n);
/* Out of memory: uses only reserved storage. Returns ML_E_MEMORY. */
ml_status mli_nomem(ml_error *err);
/* Copies a failure into another object (either may be NULL). Returns its status. */
ml_status mli_error_copy(ml_error *to, const ml_error *from, ml_status status);
/* Fails for a NULL argument: mli_null(err, "table"). Returns ML_E_ARGUMENT. */
ml_status mli_null(ml_error *err, const char *argument);

/* One line of safe text, for errors and log records: control characters become spaces,
 * invalid UTF-8 becomes '?', what does not fit is cut and ends in "...". Never
 * allocates. */
void mli_format_line(char *buffer, size_t size, const char *format, va_list args);

#endif
