/* SPDX-License-Identifier: MIT
 *
 * data/arrow.h: between the parts of the Arrow import: what a format means, and the
 * decoding of the pieces of one column (one piece per batch) into a column.
 */
#ifndef MLI_DATA_ARROW_H
#define MLI_DATA_ARROW_H

#include "data/table.h"

/* ml_table_read_arrow with groups of so many values when the table lives in a file. */
ml_status mli_arrow_read(ml_context *context, struct ArrowArrayStream *stream,
                         const ml_params *options, int64_t group, ml_table **out,
                         ml_error *error);

typedef enum mli_arrow_kind {
    MLI_ARROW_REFUSED,
    MLI_ARROW_NULL, /* no values at all */
    MLI_ARROW_SAME, /* elements that stay as they are */
    MLI_ARROW_BITS, /* booleans */
    MLI_ARROW_HALF, /* 16-bit floats */
    MLI_ARROW_TIME, /* integers times `mul` or divided by `div`, rounding down */
    MLI_ARROW_DECIMAL,
    MLI_ARROW_TEXT32, /* text with 32-bit offsets */
    MLI_ARROW_TEXT64,
    MLI_ARROW_VIEW /* string views */
} mli_arrow_kind;

typedef struct mli_arrow_format {
    mli_arrow_kind kind;
    int32_t type;              /* of the column made */
    int32_t item;              /* bytes of a source element */
    int64_t mul, div;          /* TIME; div is 1 when mul is not */
    int32_t scale;             /* DECIMAL: digits after the point */
    const char *what, *remedy; /* REFUSED: for the message */
} mli_arrow_format;

mli_arrow_format mli_arrow_parse(const char *format);
ml_status mli_arrow_refuse(const char *name, const char *format,
                           const mli_arrow_format *parsed, ml_error *err);

typedef struct mli_arrow_piece {
    const struct ArrowArray *array;
    int64_t offset, length; /* rows of the array */
    int64_t at;             /* first row in the column */
} mli_arrow_piece;

/* One column in the making. Preparing allocates, filling cannot fail (it notes the first
 * row that cannot be converted), so that columns may be filled by several threads. */
typedef struct mli_arrow_source {
    ml_context *ctx;
    const char *name;
    mli_arrow_format format;
    int64_t rows, n;
    int64_t before;          /* rows of the stream in front, for messages */
    mli_arrow_piece *pieces; /* [n] */
    mli_buffer *batch;       /* keeps the memory of the only piece alive, or NULL */
    int done;                /* nothing to fill: all is shared */
    void *data;              /* what is being filled, or NULL when shared */
    uint8_t *bits;
    int64_t *offsets;
    int64_t bad; /* first row that could not be converted, -1 */
} mli_arrow_source;

/* Checks the buffers, makes room in `to` (whose name stays NULL), shares what can be. */
ml_status mli_arrow_prepare(mli_arrow_source *s, mli_column *to, ml_error *err);
void mli_arrow_fill(mli_arrow_source *s);
/* After filling: fails when a row could not be converted. */
ml_status mli_arrow_check(const mli_arrow_source *s, ml_error *err);
/* All of a dictionary column, from indices in `s` (their format is s->format). */
ml_status mli_arrow_dictionary(mli_arrow_source *s, const struct ArrowSchema *schema,
                               mli_column *to, ml_error *err);
/* A map from whole numbers to numbers, a sparse row each (arrow_map.c)? */
int mli_arrow_is_map(const struct ArrowSchema *schema);
/* Checks all of it; how many columns it makes: `asked`, or with 0 as many as its keys
 * need. */
ml_status mli_arrow_map_width(const mli_arrow_source *s, const struct ArrowSchema *schema,
                              int64_t asked, int64_t *width, ml_error *err);
/* Columns to[0..width-1], names included. */
ml_status mli_arrow_map(const mli_arrow_source *s, const struct ArrowSchema *schema,
                        int64_t width, mli_column *to, ml_error *err);
/* Missing values of a piece. */
int64_t mli_arrow_missing(const mli_arrow_piece *p);
/* Validity of `to` from the pieces, shared or with room made in s->bits. */
ml_status mli_arrow_validity(mli_arrow_source *s, mli_column *to, ml_error *err);
void mli_arrow_fill_validity(mli_arrow_source *s);
/* Copies bits; both places may stand anywhere in a byte. */
void mli_bits_copy(uint8_t *to, int64_t at, const uint8_t *from, int64_t offset,
                   int64_t count);

#endif
