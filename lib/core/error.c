/* SPDX-License-Identifier: MIT
 *
 * core/error.c: the error object. All its storage, that of the causes included, is
 * reserved when it is made, so filling it in never allocates: this is how running out of
 * memory can be reported. Texts that do not fit are cut and end in "...".
 */
#include "core/error.h"
#include "core/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE 1024
#define CAUSES    5

struct ml_error {
    ml_status status;
    ml_error *cause; /* NULL, or the next element of the same array */
    char message[TEXT_SIZE], location[TEXT_SIZE], hint[TEXT_SIZE];
    char line[3 * TEXT_SIZE + 4]; /* the three joined */
};

/* Control characters (also U+0080 to U+009F, U+2028, U+2029) at text[i]: their length. */
static size_t control_size(const unsigned char *text)
{
    if (text[0] < 0x20 || text[0] == 0x7f) return 1;
    if (text[0] == 0xc2 && text[1] < 0xa0) return 2;
    if (text[0] == 0xe2 && text[1] == 0x80 && (text[2] | 1) == 0xa9) return 3;
    return 0;
}

static void make_safe(char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size;) {
        size_t end = i + mli_utf8_valid(text + i, size - i);
        while (i < end) {
            size_t control = control_size((unsigned char *)text + i);
            memset(text + i, ' ', control);
            i += control ? control : 1;
        }
        if (i < size) text[i++] = '?';
    }
}

/* Ends a text of size - 1 bytes, which was cut, in "..." without halving a character. */
static void end_in_dots(char *text, size_t size)
{
    size_t at = size < 4 ? 0 : size - 4;
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80) at--;
    snprintf(text + at, size - at, "...");
}

void mli_format_line(char *buffer, size_t size, const char *format, va_list args)
{
    int n = vsnprintf(buffer, size, format, args);
    if (n < 0) n = snprintf(buffer, size, "%s", format);
    if (n >= 0 && (size_t)n >= size) end_in_dots(buffer, size);
    make_safe(buffer);
}

static void join(ml_error *e)
{
    snprintf(e->line, sizeof e->line, "%s%s%s%s%s", e->location,
             e->location[0] ? ": " : "", e->message, e->hint[0] ? "; " : "", e->hint);
}

static void empty(ml_error *e)
{
    e->status = ML_OK;
    e->cause = NULL;
    e->message[0] = e->location[0] = e->hint[0] = e->line[0] = 0;
}

/* Formats into a field. The arguments may be texts of the error itself, hence `text`. */
static void fill(ml_error *e, char field[TEXT_SIZE], const char *format, va_list args)
{
    char text[TEXT_SIZE];
    mli_format_line(text, sizeof text, format, args);
    memcpy(field, text, sizeof text);
    join(e);
}

ml_status mli_fail(ml_error *err, ml_status status, const char *format, ...)
{
    if (!err) return status;
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    mli_format_line(text, sizeof text, format, args);
    va_end(args);
    empty(err);
    err->status = status;
    memcpy(err->message, text, sizeof text);
    join(err);
    return status;
}

ml_status mli_error_at(ml_error *err, ml_status status, const char *format, ...)
{
    if (!err) return status;
    va_list args;
    va_start(args, format);
    fill(err, err->location, format, args);
    va_end(args);
    return err->status == ML_OK ? status : err->status;
}

ml_status mli_error_hint(ml_error *err, ml_status status, const char *format, ...)
{
    if (!err) return status;
    va_list args;
    va_start(args, format);
    fill(err, err->hint, format, args);
    va_end(args);
    return status;
}

/* Copies a failure without its causes. */
static void copy_texts(ml_error *to, const ml_error *from)
{
    ml_error *cause = to->cause;
    *to = *from;
    to->cause = cause;
}

/* Makes room in the first cause. When the chain is full, the nearest cause is dropped:
 * the root matters more. */
static void shift_causes(ml_error *err)
{
    int depth = 0;
    for (const ml_error *e = err->cause; e; e = e->cause) depth++;
    if (depth == CAUSES) return;
    for (int i = depth; i > 0; i--) copy_texts(&err[i + 1], &err[i]);
    err[depth + 1].cause = NULL;
    err[depth].cause = &err[depth + 1];
}

ml_status mli_error_wrap(ml_error *err, const char *format, ...)
{
    if (!err) return ML_E_INTERNAL;
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    mli_format_line(text, sizeof text, format, args);
    va_end(args);
    shift_causes(err);
    copy_texts(&err[1], err);
    err->location[0] = err->hint[0] = 0;
    memcpy(err->message, text, sizeof text);
    join(err);
    return err->status;
}

/* Where the number of the last "row N" stands, or NULL. */
static char *row_number(char *text)
{
    char *last = NULL;
    for (char *at = text; (at = strstr(at, "row ")); at += 4)
        if (at[4] >= '0' && at[4] <= '9' && (at == text || at[-1] == ' ')) last = at + 4;
    return last;
}

static void renumber(char field[TEXT_SIZE], const int64_t *rows, int64_t n)
{
    char text[TEXT_SIZE], *end, *at = row_number(field);
    long long row = at ? strtoll(at, &end, 10) : 0;
    if (row < 1 || row > n) return;
    snprintf(text, sizeof text, "%.*s%lld%s", (int)(at - field), field,
             (long long)rows[row - 1] + 1, end);
    memcpy(field, text, sizeof text);
}

void mli_error_rows(ml_error *err, const int64_t *rows, int64_t n)
{
    for (ml_error *e = err; e; e = e->cause) {
        renumber(e->message, rows, n);
        renumber(e->location, rows, n);
        join(e);
    }
}

ml_status mli_nomem(ml_error *err)
{
    mli_fail(err, ML_E_MEMORY, "out of memory");
    return mli_error_hint(err, ML_E_MEMORY, "free some memory or use less data");
}

ml_status mli_error_copy(ml_error *to, const ml_error *from, ml_status status)
{
    if (status == ML_OK) status = ml_error_code(from);
    if (!to || to == from || status == ML_OK) return status;
    if (ml_error_code(from) == ML_OK)
        return mli_fail(to, status, "failed with %s", ml_status_name(status));
    int i = 0;
    for (const ml_error *e = from; e && i <= CAUSES; e = e->cause, i++) {
        to[i] = *e;
        to[i].cause = e->cause && i < CAUSES ? &to[i + 1] : NULL;
    }
    to->status = status;
    return status;
}

ml_status mli_null(ml_error *err, const char *argument)
{
    mli_fail(err, ML_E_ARGUMENT, "the argument '%s' is NULL", argument);
    return mli_error_hint(err, ML_E_ARGUMENT, "pass a valid %s", argument);
}

ml_error *ml_error_new(void)
{
    return calloc(CAUSES + 1, sizeof(ml_error));
}

void ml_error_free(ml_error *error)
{
    free(error);
}

void ml_error_set(ml_error *error, ml_status status, const char *message)
{
    if (!error) return;
    if (status == ML_OK) {
        empty(error);
        return;
    }
    /* Positive codes are not ours: they can only come from a host callback. */
    if (status > 0) status = ML_E_CALLBACK;
    mli_fail(error, status, "%s", message ? message : ml_status_name(status));
}

ml_status ml_error_code(const ml_error *error)
{
    return error ? error->status : ML_OK;
}

const char *ml_error_message(const ml_error *error)
{
    return error ? error->line : "";
}

const char *ml_error_location(const ml_error *error)
{
    return error ? error->location : "";
}

const char *ml_error_hint(const ml_error *error)
{
    return error ? error->hint : "";
}

const ml_error *ml_error_cause(const ml_error *error)
{
    return error ? error->cause : NULL;
}
