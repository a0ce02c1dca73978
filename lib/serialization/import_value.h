/* SPDX-License-Identifier: MIT
 *
 * serialization/import_value.h: a JSON or UBJSON document as a tree in memory, for
 * readers of other systems' models. Arrays of nothing but numbers (or truth values) are
 * vectors of doubles, so that a document takes little more room than its text.
 *
 * Readers ask for what they need by name; what is missing or of another type is an error
 * that names the place: learner.gradient_booster.model.trees[3]: "left_children" is a
 * text instead of numbers.
 */
#ifndef MLI_SERIALIZATION_IMPORT_VALUE_H
#define MLI_SERIALIZATION_IMPORT_VALUE_H

#include "core/context.h"
#include "core/text.h"

enum {
    MLI_V_NULL,
    MLI_V_NUMBER,
    MLI_V_TEXT,
    MLI_V_NUMBERS,
    MLI_V_ARRAY,
    MLI_V_OBJECT,
    MLI_V_BYTES /* as.text without a NUL; no document has them but those made here */
};

typedef struct mli_item {
    int32_t type;  /* MLI_V_; true and false are numbers */
    int32_t truth; /* of JSON: this number, or the first of these, is true or false */
    size_t key_size;
    const char *key; /* in an object; not NUL-terminated */
    int64_t n;       /* bytes of the text, members of the rest */
    union {
        double number;
        const char *text; /* NUL-terminated */
        const double *numbers;
        const struct mli_item *items;
    } as;
} mli_item;

typedef struct mli_doc {
    ml_context *ctx;
    mli_item root;
    void *chunks; /* private */
    char *at;
    size_t left;
    mli_item *stack; /* values whose container is still open */
    int64_t n_stack, stack_capacity;
} mli_doc;

/* ML_E_FORMAT with line and column, or the byte, of what is wrong. The document owns all
 * it holds but texts and keys without escapes may point into `data`. */
ml_status mli_doc_json(ml_context *ctx, const void *data, size_t size, mli_doc *out,
                       ml_error *err);
ml_status mli_doc_ubjson(ml_context *ctx, const void *data, size_t size, mli_doc *out,
                         ml_error *err);
void mli_doc_free(mli_doc *d);

/* For the two parsers. */
void *mli_doc_alloc(mli_doc *d, size_t size);               /* NULL: out of memory */
char *mli_doc_text(mli_doc *d, const char *text, size_t n); /* a copy with a NUL */
int mli_doc_push(mli_doc *d, const mli_item *item);
/* Turns the values from `first` on into the members of *out, an array or object. */
int mli_doc_close(mli_doc *d, int64_t first, mli_item *out);

/* For readers. `place` is where the object is, "" for the top. */
const mli_item *mli_item_get(const mli_item *object, const char *key); /* or NULL */
int mli_item_is(const mli_item *text, const char *value);
ml_status mli_item_need(const mli_item *object, const char *place, const char *key,
                        int32_t type, const mli_item **out, ml_error *err);
/* Vectors of n numbers (-1: any number of them); an empty array is an empty vector. */
ml_status mli_item_numbers(const mli_item *object, const char *place, const char *key,
                           int64_t n, const mli_item **out, ml_error *err);
/* A number, also one written as text. With a default (not NaN) it may be missing. */
ml_status mli_item_number(const mli_item *object, const char *place, const char *key,
                          double dflt, double *out, ml_error *err);
/* A whole number in a range. */
ml_status mli_item_whole(const mli_item *object, const char *place, const char *key,
                         double dflt, int64_t low, int64_t high, int64_t *out,
                         ml_error *err);

#endif
