/* SPDX-License-Identifier: MIT
 *
 * core/text.h: growing strings, numbers to and from text without the locale, and the
 * nearest name.
 */
#ifndef MLI_CORE_TEXT_H
#define MLI_CORE_TEXT_H

#include "core/error.h"

/* A growing string. After running out of memory it stays valid, `failed` is set and
 * further appends do nothing; check once at the end. `data` is always NUL-terminated
 * (a static empty string while nothing is allocated). Grows beyond 4 GiB. */
typedef struct mli_str {
    ml_context *ctx; /* NULL: the C library's allocator */
    char *data;
    size_t size, capacity;
    int failed;
} mli_str;

void mli_str_init(mli_str *s, ml_context *ctx);
void mli_str_free(mli_str *s);
void mli_str_clear(mli_str *s); /* keeps the memory */
void mli_str_cut(mli_str *s,
                 size_t size); /* to its first `size` bytes; forgets failures */
void mli_str_add(mli_str *s, const char *text);
void mli_str_add_n(mli_str *s, const char *text, size_t size);
void mli_str_char(mli_str *s, char c);
void mli_str_printf(mli_str *s, const char *format, ...) MLI_PRINTF(2, 3);
void mli_str_f64(mli_str *s, double v); /* shortest exact; nan, inf, -inf */
void mli_str_i64(mli_str *s, int64_t v);
/* `digits` significant digits, trailing zeros dropped; for people. */
void mli_str_short(mli_str *s, double v, int digits);
/* Gives the text away (to be freed with mli_free), NULL if failed or out of memory. */
char *mli_str_take(mli_str *s);

/* Shortest text that reads back as the same double; returns its length. Locale-free. */
#define MLI_NUM_SIZE 32
int mli_format_f64(double v, char buffer[MLI_NUM_SIZE]);
/* For messages: MLI_NUM(v) is the text of a double, in a temporary of the enclosing
 * block. */
const char *mli_num(double v, char buffer[MLI_NUM_SIZE]);
#define MLI_NUM(v) mli_num((v), (char[MLI_NUM_SIZE]){0})

/* Read a number that must fill [text, end). Exact (round to nearest even), whatever the
 * locale. Accepts a sign, decimals, exponent, inf, infinity, nan in any case; no spaces,
 * no hexadecimal. Return 1 on success. Integers: decimal, fail on overflow. */
int mli_parse_f64(const char *text, const char *end, double *out);
int mli_parse_i64(const char *text, const char *end, int64_t *out);
/* The same for NUL-terminated text. */
int mli_read_f64(const char *text, double *out);
int mli_read_i64(const char *text, int64_t *out);

/* Is it a number with more than a number has: a sign of money, a percent sign, separators
 * of thousands, a decimal comma? */
int mli_like_number(const char *text, size_t size);

/* Damerau-Levenshtein distance, ignoring case and the difference of '_', '-', ' '. */
int mli_distance(const char *a, const char *b);
/* Of `n` names the nearest to `name`, or NULL when none is near enough to suggest. */
const char *mli_nearest(const char *name, const char *const *names, int64_t n);
/* Names joined by ", " for a message; what does not fit is left out as "...". */
void mli_join(char *buffer, size_t size, const char *const *names, int64_t n);
/* Is `name` in a comma-separated list (no spaces)? */
int mli_in_list(const char *name, const char *list);
/* Case-insensitive ASCII comparison for equality. */
int mli_same_word(const char *a, const char *b);
/* Length of the UTF-8 sequence at `text`, 0 when it is invalid or cut at `left` bytes. */
size_t mli_utf8_sequence(const char *text, size_t left);
/* Length of the valid UTF-8 prefix of text; equals size when all is valid. */
size_t mli_utf8_valid(const char *text, size_t size);

#endif
