/* SPDX-License-Identifier: MIT
 *
 * data/csv.h: what the files of the CSV reader and writer share.
 *
 * The way of the bytes: a batch of whole records (csv_batch.c) is cut into chunks; each
 * chunk is scanned for the ends of its fields (csv_scan.c) and parsed column by column
 * into a part per column, in the narrowest type that holds its values (csv_parse.c);
 * parts are appended to the columns, which widen when they must (csv_part.c). Only a
 * column that turns out to be text after it looked like numbers needs its earlier text
 * again: those columns alone are read a second time (csv_read.c). All cuts depend on the
 * bytes alone, never on the number of threads.
 */
#ifndef MLI_DATA_CSV_H
#define MLI_DATA_CSV_H

#include "core/file.h"
#include "core/params.h"
#include "core/spill.h"
#include "data/table.h"

/* Bytes that may be read before and behind any text that is scanned or parsed. */
#define MLI_CSV_PAD 64

/* ---- options (csv_options.c) ---- */

#define MLI_CSV_ERROR 0 /* on_ragged */
#define MLI_CSV_FILL  1
#define MLI_CSV_SKIP  2

#define MLI_CSV_AUTO (-1)

typedef struct mli_csv_dialect {
    char delimiter;      /* ' ' means runs of blanks */
    char quote;          /* 0: none */
    char escape;         /* 0: quotes inside are doubled; '\\': or escaped */
    char decimal;        /* '.' or ','; 0: '.', and ',' too when it cannot mean another */
    char thousands;      /* 0: none */
    int trim;            /* blanks around unquoted fields do not count */
    const char *comment; /* lines that begin with it are left out; "": none */
    size_t comment_size;
} mli_csv_dialect;

typedef struct mli_csv_nulls {
    int64_t count;
    const char *const *words;
    size_t longest;
    int empty;          /* an empty field is missing in text columns too */
    int numeric;        /* some word reads as a number */
    uint8_t first[256]; /* is there a word that begins so? */
} mli_csv_nulls;

typedef struct mli_csv_options {
    ml_params *params; /* owned; the texts below are its own */
    mli_csv_dialect dialect;
    int auto_delimiter, auto_quote, auto_escape;
    int header; /* 0, 1, MLI_CSV_AUTO */
    int on_ragged, latin1;
    int strings;       /* 0 auto, 1 text, 2 category */
    int date_order;    /* 0 auto, 1 month first, 2 day first */
    const char *spill; /* a folder; "": memory */
    int64_t skip_rows, max_rows, max_categories;
    int64_t n_types, n_columns;
    const char *const *types;   /* "name:type" */
    const char *const *columns; /* names to keep */
    mli_csv_nulls nulls;
} mli_csv_options;

ml_status mli_csv_options_read(ml_context *ctx, const ml_params *given,
                               mli_csv_options *out, ml_error *err);
void mli_csv_options_free(mli_csv_options *o);
/* One byte from "," or "tab" and the like; 0 when it is no single byte. */
char mli_csv_symbol(const char *text);
/* The other way, for messages: "','" or "tab". */
const char *mli_csv_symbol_name(char c, char buffer[8]);

/* ---- scanning (csv_scan.c, csv_scan_wide.c) ---- */

#define MLI_CSV_HIGH     1u /* bytes above 127: UTF-8 to be checked */
#define MLI_CSV_ZERO     2u /* a zero byte */
#define MLI_CSV_NEWLINES 4u /* line ends inside quotes */
#define MLI_CSV_RETURNS  8u /* carriage returns */

/* Faults of quoting, at `fault_at`. */
#define MLI_CSV_OPEN 1 /* a quoted field that does not end */
#define MLI_CSV_TAIL 2 /* text behind a closing quote */

/* The fields of a piece of text. Field i is bytes begin[i] + 1 .. end[i] - 1 (begin - 1
 * is kept so that regular text needs one array only: begin[i + 1] == end[i]). */
typedef struct mli_csv_index {
    ml_context *ctx;
    uint32_t *at; /* regular text: at[0] = -1, then the ends of fields */
    int64_t at_capacity;
    uint32_t *begin, *end; /* [fields], separate arrays or inside `at` */
    uint32_t *own;         /* separate arrays: two of own_capacity */
    int64_t own_capacity;
    uint32_t *sizes; /* [records] numbers of fields, when they are not all equal */
    int64_t sizes_capacity;
    int64_t fields, records;
    int64_t width; /* fields of every record, 0 when they differ */
    int64_t lines; /* line ends in the text, also those inside quotes */
    size_t stop;   /* where the record behind the last complete one begins */
    uint32_t flags;
    int fault;
    size_t fault_at;
    int64_t fault_field; /* its number in the record */
} mli_csv_index;

void mli_csv_index_init(mli_csv_index *x, ml_context *ctx);
void mli_csv_index_free(mli_csv_index *x);
/* Scans from a record's begin until the first record's begin at or behind `cut`. The text
 * ends at `limit`; `last`: nothing follows it, so the end closes a record. `width` is the
 * expected number of fields (0 when unknown). 0 when out of memory. */
int mli_csv_scan(mli_csv_index *x, const mli_csv_dialect *d, const char *text, size_t cut,
                 size_t limit, int last, int64_t width);
/* The vector path: from 0 up to `cut` as long as the quoting is regular; returns where
 * the exact path must go on (a record's begin), SIZE_MAX when out of memory. */
size_t mli_csv_scan_avx2(mli_csv_index *x, const mli_csv_dialect *d, const char *text,
                         size_t cut, int64_t *newlines);
int mli_csv_index_reserve(mli_csv_index *x, int64_t count); /* `at`; 1 on success */
/* Makes all records `width` fields wide: blank lines go, ragged ones are filled or
 * dropped as told. With MLI_CSV_ERROR stops at the first ragged one: returns its number,
 * else -1. *dropped counts. -2 when out of memory. */
int64_t mli_csv_index_level(mli_csv_index *x, const mli_csv_dialect *d, const char *text,
                            int64_t width, int on_ragged, int64_t *dropped);

/* ---- values (csv_value.c) ---- */

/* What a column holds so far, narrow to wide. */
enum {
    MLI_CSV_NULL,  /* only missing values */
    MLI_CSV_BOOL,  /* uint8_t */
    MLI_CSV_INT,   /* int64_t */
    MLI_CSV_BIG,   /* double: integers beyond 64 bits among them; alone they are text */
    MLI_CSV_REAL,  /* double */
    MLI_CSV_COMMA, /* double, with a decimal comma */
    MLI_CSV_DATE,  /* int32_t */
    MLI_CSV_TIME,  /* int64_t */
    MLI_CSV_TEXT,
};
size_t mli_csv_kind_size(int32_t kind); /* bytes of a value; codes for text */
int32_t mli_csv_kind_join(int32_t a, int32_t b);

typedef struct mli_csv_field {
    const char *text;
    size_t size;
    int quoted;
} mli_csv_field;

typedef union mli_csv_number {
    int64_t i;
    double f;
    int32_t d;
    uint8_t b;
} mli_csv_number;

/* The value of a field [text, end): trimmed, unquoted (through `scratch` if needed, whose
 * `failed` tells of no memory). */
mli_csv_field mli_csv_decode(const mli_csv_dialect *d, const char *text, const char *end,
                             mli_str *scratch);
int mli_csv_is_null(const mli_csv_nulls *n, const char *text, size_t size);
/* A number with signs of money or of percent around it, whose groups of thousands are
 * marked by the other one of point and comma. *signs, 0 before the first, tells the sign:
 * with another one a text is no amount beside those before ($5, 5 %). */
int mli_csv_amount(char decimal, const char *text, size_t size, double *out, int *signs);
/* The narrowest kind of a text that is not missing, and its value. */
int32_t mli_csv_classify(const mli_csv_dialect *d, const char *text, size_t size,
                         mli_csv_number *out);
/* Reads a value as that kind (narrower ones are converted); with `loose` also 0/1, yes/no
 * as booleans and whole reals as integers. 0 when it is none. */
int mli_csv_convert(const mli_csv_dialect *d, int32_t kind, int loose, const char *text,
                    size_t size, mli_csv_number *out);

/* ---- parts of columns (csv_part.c) ---- */

typedef struct mli_csv_part {
    ml_context *ctx;
    int32_t kind;
    int plain; /* text as bytes; else as codes into `map` */
    int64_t rows, nulls;
    int64_t soft; /* missing values that would be text in a text column (quoted) */
    int64_t base; /* rows in front of this part, to be read again */
    void *data;   /* [rows] by kind; text: int32_t codes, or int64_t offsets[rows + 1] */
    uint8_t *valid; /* bits; exact where nulls > 0, room for as many rows */
    char *bytes;
    size_t size; /* of bytes */
    mli_map map;
    mli_room data_room, valid_room, bytes_room; /* where these three are */
} mli_csv_part;

/* `spill`: where the values are when they are many, or NULL. */
void mli_csv_part_init(mli_csv_part *p, ml_context *ctx, mli_spill *spill);
void mli_csv_part_free(mli_csv_part *p);
/* Empty, of that kind, keeping the memory. */
void mli_csv_part_reset(mli_csv_part *p, int32_t kind, int plain);
/* These return 0 when out of memory. Room for `rows` rows in all (data and validity). */
int mli_csv_part_reserve(mli_csv_part *p, int64_t rows);
int mli_csv_part_bytes(mli_csv_part *p, size_t more);
/* Makes room as for `expected` rows when it must grow. */
int mli_csv_part_append(mli_csv_part *to, const mli_csv_part *from, int64_t expected);
int mli_csv_part_widen(mli_csv_part *p, int32_t kind); /* never from values to text */
int mli_csv_part_plain(mli_csv_part *p);               /* codes to bytes */
/* Marks row as missing (rows > row must hold room). */
static inline void mli_csv_part_null(mli_csv_part *p, int64_t row)
{
    p->valid[row >> 3] = (uint8_t)(p->valid[row >> 3] & ~(1u << (row & 7)));
    p->nulls++;
}
/* In which orders are all texts dates (datetime_order.c)? 0: in none. */
#define MLI_CSV_MONTH_FIRST 1
#define MLI_CSV_DAY_FIRST   2
#define MLI_CSV_BOTH        3 /* and they differ */
#define MLI_CSV_ANY_ORDER   4 /* the same dates in both */
#define MLI_CSV_TIMED       8 /* with times */
int mli_csv_part_dates(const mli_csv_part *p);
/* Are the texts of a dictionary sentences? */
int mli_csv_part_sentences(const mli_csv_part *p);
/* The decimal mark with which all texts are amounts ($1,234.50, 12 %); 0: none. */
char mli_csv_part_amounts(const mli_csv_part *p, char decimal);
/* Texts to dates or times, in the order month_first (0) or day_first (1), or to reals,
 * with a decimal mark. */
int mli_csv_part_become(mli_csv_part *p, int32_t kind, int way);
/* Turns the part into a column (and empties it). `category`: as codes, else as text. */
ml_status mli_csv_part_column(mli_csv_part *p, const char *name, int category,
                              mli_column *out, ml_error *err);

/* ---- parsing a column of a chunk (csv_parse.c, csv_number.c) ---- */

typedef struct mli_csv_view {
    const mli_csv_dialect *dialect;
    const mli_csv_nulls *nulls;
    const char *text;
    const uint32_t *begin, *end; /* of the column's first field */
    int64_t stride, rows;
    int wide; /* use vector kernels */
} mli_csv_view;

/* Wanted: `kind` to begin with; `forced`: nothing else is accepted. Returns ML_OK,
 * ML_E_MEMORY, or ML_E_PARSE with the row of the value that does not fit in *bad. */
ml_status mli_csv_parse(const mli_csv_view *v, int32_t kind, int forced, int plain,
                        mli_csv_part *out, mli_str *scratch, int64_t *bad);
/* Vector kernels: convert rows from `row` on until one that needs a closer look; return
 * it (or the number of rows). */
int64_t mli_csv_reals_avx2(const mli_csv_view *v, int64_t row, char mark, double *out);
int64_t mli_csv_ints_avx2(const mli_csv_view *v, int64_t row, int64_t *out);

/* ---- dialect and header (csv_dialect.c, csv_header.c) ---- */

/* Settles what the options left open, from a sample of the text. */
ml_status mli_csv_detect(ml_context *ctx, mli_csv_options *o, const char *text,
                         size_t size, int last, ml_error *err);

typedef struct mli_csv_header {
    ml_context *ctx;
    int64_t width; /* fields of a record */
    char **names;  /* [width], unique */
    int present;   /* the first record is the header */
    size_t size;   /* bytes of the text up to the first record of data */
    int64_t lines; /* line ends among them */
    int64_t later; /* lines in front of where the table seems to begin, if not 0 */
} mli_csv_header;
/* Without a complete record in the text, and more to come, the width is 0. */
ml_status mli_csv_header_read(ml_context *ctx, const mli_csv_options *o, const char *text,
                              size_t size, int last, mli_csv_header *out, ml_error *err);
void mli_csv_header_free(mli_csv_header *h);

/* ---- batches of bytes (csv_batch.c) ---- */

typedef struct mli_csv_batch {
    char *memory; /* owned */
    size_t room;  /* bytes behind the head room */
    char *text;   /* where the batch begins */
    size_t size;
    int last; /* nothing follows */
} mli_csv_batch;

/* Bytes of chunks and batches; tests make them small. */
typedef struct mli_csv_sizes {
    size_t chunk, records; /* a chunk has so many bytes, and about so many records */
    size_t first;          /* batch */
    size_t step;           /* later batches */
} mli_csv_sizes;

typedef struct mli_csv_kept {
    mli_room bytes;
    size_t size;
    int last;
} mli_csv_kept;

typedef struct mli_csv_input {
    ml_context *ctx;
    const char *path; /* NULL: a stream */
    const ml_io *io;
    const char *name; /* for messages */
    int again;        /* the path can be opened a second time */
    int latin1;
    mli_source *source;
    mli_csv_sizes sizes;
    size_t step; /* bytes of the next read */
    int first, ended;
    char *raw;          /* before recoding */
    mli_spill *spill;   /* where kept batches are, or NULL */
    mli_csv_kept *kept; /* copies of what a stream gave, for a second reading */
    int64_t n_kept, kept_at;
} mli_csv_input;

ml_status mli_csv_input_open(ml_context *ctx, const char *path, const ml_io *io,
                             int latin1, mli_csv_sizes sizes, mli_spill *spill,
                             mli_csv_input *in, ml_error *err);
ml_status mli_csv_input_rewind(mli_csv_input *in, ml_error *err);
void mli_csv_input_close(mli_csv_input *in);
/* Fills b with the next bytes, leaving room in front for what is carried over. */
ml_status mli_csv_input_next(mli_csv_input *in, mli_csv_batch *b, ml_error *err);
/* Puts the unfinished end of the batch before in front of this one. */
ml_status mli_csv_batch_carry(mli_csv_input *in, mli_csv_batch *b, const char *tail,
                              size_t size, ml_error *err);
void mli_csv_batch_free(ml_context *ctx, mli_csv_batch *b);

#endif
