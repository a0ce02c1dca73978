/* SPDX-License-Identifier: MIT
 *
 * data/csv_read.h: the reader's state, shared by csv_read.c, csv_chunk.c, csv_column.c
 * and csv_fault.c.
 */
#ifndef MLI_DATA_CSV_READ_H
#define MLI_DATA_CSV_READ_H

#include "data/csv.h"

/* A column that is read. */
typedef struct mli_csv_column {
    int64_t field;      /* its number in the records */
    const char *name;   /* of the header */
    int32_t forced;     /* kind, or -1 */
    int strings;        /* 0 auto, 1 text, 2 category */
    int dates;          /* what mli_csv_part_dates found */
    int16_t order;      /* in which it is read: see mli_column */
    mli_csv_part all;   /* the rows from all.base on */
    mli_csv_part front; /* the rows before, from the second reading */
} mli_csv_column;

/* What can be wrong with a chunk. */
enum {
    MLI_CSV_FINE,
    MLI_CSV_BAD_ZERO, /* a zero byte */
    MLI_CSV_BAD_UTF8,
    MLI_CSV_BAD_OPEN,  /* a quoted field without end */
    MLI_CSV_BAD_TAIL,  /* text behind a closing quote */
    MLI_CSV_BAD_WIDTH, /* a ragged record */
    MLI_CSV_BAD_VALUE, /* does not fit the type asked for */
    MLI_CSV_BAD_MEMORY,
};

typedef struct mli_csv_chunk {
    size_t begin, cut, stop; /* in the batch */
    mli_csv_part *parts;     /* [n_columns] */
    int64_t rows, lines, dropped;
    uint32_t flags;
    int bad;
    size_t bad_at;      /* in the batch */
    size_t bad_from;    /* where the record begins, if its quoting is in question */
    int64_t bad_field;  /* number of the field in its record */
    int64_t bad_size;   /* fields of a ragged record */
    int64_t bad_column; /* of the columns that are read */
    char bad_byte;      /* the first of a ragged record */
    char bad_text[64];  /* the value */
} mli_csv_chunk;

/* Scratch memory of a thread. */
typedef struct mli_csv_slot {
    mli_csv_index index;
    mli_str scratch;
} mli_csv_slot;

typedef struct mli_csv_reader {
    ml_context *ctx;
    mli_csv_options o;
    mli_csv_input in;
    mli_spill *spill; /* where the columns are, or NULL */
    mli_csv_header header;
    size_t row_bytes; /* bytes of a record, about */
    int64_t n_columns;
    mli_csv_column *columns;
    int64_t n_slots;
    mli_csv_slot *slots;
    mli_csv_batch batch, next;
    ml_status next_status;
    ml_error *next_error;
    int64_t n_chunks, chunk_room;
    mli_csv_chunk *chunks;
    int careful; /* quoted line ends were seen: look at quotes when cutting */
    int second;  /* the second reading, of columns with all.base > 0 */
    int64_t rows, lines, dropped; /* before the batch */
    int64_t bytes;                /* before the batch, from the begin */
    int64_t data_at;              /* where the records of data begin */
    size_t begin_size;            /* of the batch that begins with the header */
    int64_t file_size;            /* 0 when unknown */
    int retry;                    /* read again with backslashes as escapes */
} mli_csv_reader;

/* csv_read.c: reads from the path, or the stream when that is NULL. */
ml_status mli_csv_read(ml_context *ctx, const char *path, const ml_io *io,
                       const ml_params *options, mli_csv_sizes sizes, ml_table **out,
                       ml_error *err);

/* csv_chunk.c */
ml_status mli_csv_chunks_cut(mli_csv_reader *r, ml_error *err);
void mli_csv_chunk_parse(mli_csv_reader *r, mli_csv_chunk *c, mli_csv_slot *slot);
/* Parses columns again as text where `again` (per column) says so. */
void mli_csv_chunk_again(mli_csv_reader *r, mli_csv_chunk *c, mli_csv_slot *slot);
void mli_csv_chunks_free(mli_csv_reader *r);

/* csv_column.c */
ml_status mli_csv_columns_make(mli_csv_reader *r, ml_error *err);
void mli_csv_columns_free(mli_csv_reader *r);
/* Settles the kinds after a batch; returns whether chunks must be parsed again. */
int mli_csv_columns_settle(mli_csv_reader *r, int last);
/* Must the chunk's column be parsed again, as text? */
int mli_csv_column_stale(const mli_csv_column *column, const mli_csv_part *part);
/* Appends the batch's parts to a column. 0 when out of memory. */
int mli_csv_column_append(mli_csv_reader *r, int64_t column);
ml_status mli_csv_table_make(mli_csv_reader *r, ml_table **out, ml_error *err);

/* csv_fault.c */
ml_status mli_csv_fault(mli_csv_reader *r, int64_t chunk, ml_error *err);
/* Is the header, at the begin of the batch, valid text? */
ml_status mli_csv_check_header(mli_csv_reader *r, ml_error *err);

#endif
