/* SPDX-License-Identifier: MIT
 *
 * core/json.h: JSON (RFC 8259): a pull reader over borrowed text that checks everything
 * and allocates nothing, and writer helpers on mli_str.
 */
#ifndef MLI_CORE_JSON_H
#define MLI_CORE_JSON_H

#include "core/text.h"
#include <string.h>

typedef enum {
    MLI_JSON_ERROR = -1,
    MLI_JSON_END = 0, /* the document is over */
    MLI_JSON_OBJECT,  /* { */
    MLI_JSON_OBJECT_END,
    MLI_JSON_ARRAY,
    MLI_JSON_ARRAY_END,
    MLI_JSON_KEY,    /* text, size: raw, still escaped */
    MLI_JSON_STRING, /* text, size: raw, still escaped */
    MLI_JSON_NUMBER, /* text, size: as written */
    MLI_JSON_TRUE,
    MLI_JSON_FALSE,
    MLI_JSON_NULL
} mli_json_token;

#define MLI_JSON_DEPTH 64

typedef struct mli_json {
    const char *begin, *at, *end;
    const char *text; /* of the last token */
    size_t size;
    int escaped; /* the last string has escapes */
    int depth;
    int expect; /* private: state of the grammar */
    unsigned char stack[MLI_JSON_DEPTH];
    const char *problem; /* set on MLI_JSON_ERROR */
} mli_json;

void mli_json_open(mli_json *j, const char *text, size_t size);
mli_json_token mli_json_next(mli_json *j);
/* Skips the value that starts with the token just returned. 1 on success. */
int mli_json_skip(mli_json *j, mli_json_token token);
/* Does the last key or string equal this text? */
int mli_json_is_escaped(const mli_json *j, const char *text); /* of one with escapes */
static inline int mli_json_is(const mli_json *j, const char *text)
{
    if (j->escaped) return mli_json_is_escaped(j, text);
    return j->size == strlen(text) && (!j->size || memcmp(j->text, text, j->size) == 0);
}
/* The last string or key, unescaped, appended to s. 1 on success. */
int mli_json_unescape(const mli_json *j, mli_str *s);
/* The same into memory with room for j->size bytes, without a NUL; returns its size. */
size_t mli_json_unescape_to(const mli_json *j, char *to);
/* The last number. 1 on success. */
int mli_json_f64(const mli_json *j, double *out);
int mli_json_i64(const mli_json *j, int64_t *out);
/* Line and column (from 1) of the reader's place, for messages. */
void mli_json_place(const mli_json *j, int64_t *line, int64_t *column);

/* Writing: a quoted, escaped string; a number (null for NaN and infinities). */
void mli_json_str(mli_str *s, const char *text);
void mli_json_str_n(mli_str *s, const char *text, size_t size);
void mli_json_num(mli_str *s, double v);
/* The same with a point, so that no reader takes it for an integer. */
void mli_json_real(mli_str *s, double v);
/* `"key": ` with a comma before it unless `first`. */
void mli_json_key(mli_str *s, const char *key, int first);

#endif
