/* SPDX-License-Identifier: MIT
 *
 * data/table.h: the table's inside: one contiguous chunk per column, in Arrow layout.
 */
#ifndef MLI_DATA_TABLE_H
#define MLI_DATA_TABLE_H

#include "core/context.h"
#include "core/hashmap.h"
#include "core/spill.h"
#include "tensor/tensor.h"
#include <ml/table.h>

/* Numbers of which most are 0: the others, with their rows. */
typedef struct mli_sparse {
    int64_t n;
    const int32_t *rows;  /* [n] strictly ascending; never NULL where a column has it */
    const double *values; /* [n] never NaN; may be infinite, and now and then 0 */
} mli_sparse;

/* A column. Values of row i:
 * - numbers (ML_DTYPE_ I8..F64): element i * stride at `data` (stride in elements, 1 but
 *   for columns of a row-major tensor);
 * - ML_DTYPE_BOOL: bit (offset + i) of `data` (Arrow's packed bits, LSB first);
 * - ML_TYPE_DATE: int32 days; ML_TYPE_TIMESTAMP: int64 microseconds; stride 1;
 * - ML_TYPE_TEXT: bytes offsets[i] .. offsets[i + 1] of `data`;
 * - ML_TYPE_CATEGORY: int32 codes at `data`; level c is bytes level_offsets[c] ..
 *   level_offsets[c + 1] of `levels`; a code outside 0..n_levels-1 is a missing value.
 * Row i is missing when validity is not NULL and its bit (offset + i) is 0. `data`,
 * `offsets` already point at row 0; `offset` concerns bits only. Floating-point NaN
 * counts as missing for algorithms.
 * - f64 columns may be sparse (data/sparse.c): `data` is then a single 0 with stride 0.
 *   Between the steps of a pipeline they are, and in tables of sparse rows. What reads
 *   `data` must take a table through mli_table_plain, or a column through
 *   mli_column_fill_in. */
typedef struct mli_column {
    char *name;
    int32_t type; /* ML_DTYPE_ or ML_TYPE_ */
    int16_t ordered;
    int16_t order; /* of dates that were texts: 1 month first, 2 day first; 0 unknown */
    int64_t rows, null_count; /* null_count is exact */
    const uint8_t *validity;  /* NULL: no missing value */
    int64_t offset;           /* in bits */
    const void *data;
    int64_t stride;
    const int64_t *offsets; /* [rows + 1] */
    int64_t n_levels;
    const char *levels;
    const int64_t *level_offsets; /* [n_levels + 1] */
    mli_sparse sparse;            /* rows NULL: it is not */
    mli_buffer *keep[5];          /* what keeps the pointers alive; NULL-padded */
} mli_column;

struct ml_table {
    mli_ref ref;
    ml_context *ctx;
    int64_t rows, n_columns;
    mli_column *columns;
    mli_map names;    /* name -> first column of that name */
    mli_spill *spill; /* tables made of this one belong beside it; NULL: in memory */
};

/* An empty table with room for n columns; fill columns[i] (ownership of name and keep
 * passes to the table), then seal. Rows must agree. */
ml_status mli_table_alloc(ml_context *ctx, int64_t rows, int64_t n_columns,
                          ml_table **out, ml_error *err);
ml_status mli_table_seal(ml_table *t, ml_error *err);
/* Fails for a column that is not there, with the nearest name or the names there are.
 * `whose`: "the table"; `what`: the parameter that names it, or NULL. */
ml_status mli_table_unknown(const ml_table *t, const char *name, const char *whose,
                            const char *what, ml_error *err);
/* A second column that shares the memory of the first. */
ml_status mli_column_share(ml_context *ctx, const mli_column *from, mli_column *to,
                           ml_error *err);
void mli_column_clear(ml_context *ctx, mli_column *c);
/* The buffer (one of keep) that holds an address; NULL when it cannot be told. */
mli_buffer *mli_column_holder(const mli_column *c, const void *address);

static inline int mli_column_valid(const mli_column *c, int64_t row)
{
    if (!c->validity) return 1;
    int64_t bit = c->offset + row;
    return (c->validity[bit >> 3] >> (bit & 7)) & 1;
}
/* Makes a column without values yet a sparse one; takes `keep` over. */
void mli_column_make_sparse(mli_column *c, int64_t rows, mli_sparse sparse,
                            mli_buffer *keep);
/* Of the sparse columns of a table the rows at `rows`, all within it, into the same
 * columns of another table. `count` fits 32 bits. */
ml_status mli_sparse_take(const ml_table *from, const int64_t *rows, int64_t count,
                          ml_table *to, ml_error *err);
/* A copy with a value for each row. */
ml_status mli_column_fill_in(ml_context *ctx, const mli_column *from, mli_column *to,
                             ml_error *err);
/* The table, or one without sparse columns: for what reads columns where they stand. */
ml_status mli_table_plain(const ml_table *t, ml_table **out, ml_error *err);
/* Entries of rows begin..end-1: numbers *first .. end of the result - 1. */
int64_t mli_sparse_range(const mli_sparse *s, int64_t begin, int64_t end, int64_t *first);
/* Set bits among `count` bits from bit `offset`. */
int64_t mli_bits_count(const uint8_t *bits, int64_t offset, int64_t count);
/* Missing values among rows begin..end-1, codes outside the levels included: counted, or
 * with the help of null_count. */
int64_t mli_column_count_missing(const mli_column *c, int64_t begin, int64_t end);
int64_t mli_column_missing(const mli_column *c, int64_t begin, int64_t end);
/* All that count as missing for algorithms: NaNs, too. */
int64_t mli_column_absent(const mli_column *c);
/* Has it no value at all? Then it may stand for a column of any type. */
int mli_column_empty(const mli_column *c);
int mli_type_is_number(int32_t type); /* dtypes, bool included */
int mli_type_is_time(int32_t type);   /* dates, too */
size_t mli_type_size(int32_t type);   /* bytes of an element at `data`; 0: bool, text */
const char *mli_type_name(int32_t type); /* "f64", "text", "category", "date", ... */
/* Rows begin..end-1 as doubles with `stride` between outputs: missing as NaN, booleans 0
 * and 1, dates and times as in their type, categories as codes, text as NaN. */
void mli_column_f64(const mli_column *c, int64_t begin, int64_t end, double *out,
                    int64_t stride);
void mli_column_f32(const mli_column *c, int64_t begin, int64_t end, float *out,
                    int64_t stride);
/* The text of a value of a text or category column (not NUL-terminated); NULL when
 * missing. */
const char *mli_column_text(const mli_column *c, int64_t row, size_t *size);
/* Any value as text appended to s (see ml_table_get_str); nothing when missing. */
void mli_column_print(const mli_column *c, int64_t row, mli_str *s);

/* Dates: days since 1970-01-01 and microseconds to ISO 8601 and back. */
#define MLI_DAY_MICROS INT64_C(86400000000)
void mli_print_date(mli_str *s, int64_t days);
void mli_print_timestamp(mli_str *s, int64_t micros);
int mli_parse_date(const char *text, size_t size, int32_t *days);
/* Days of any year as microseconds; the nearest there is beyond those of 64 bits. */
static inline int64_t mli_days_to_micros(int32_t days)
{
    int64_t micros;
    if (!__builtin_mul_overflow(days, MLI_DAY_MICROS, &micros)) return micros;
    return days < 0 ? INT64_MIN : INT64_MAX;
}
int mli_parse_timestamp(const char *text, size_t size, int64_t *micros);
/* 0 when there is no such day. */
int mli_date_days(int64_t year, int64_t month, int64_t day, int64_t *days);
/* A date in another order than that of ISO 8601 (datetime_order.c): 0 none, 1 a date, 2
 * with a time. */
int mli_parse_ordered(const char *text, size_t size, int day_first, int64_t *micros);

/* Building a table in memory, column by column (used by results, studies, profiles). */
typedef struct mli_builder mli_builder;
ml_status mli_builder_new(ml_context *ctx, int64_t rows, mli_builder **out,
                          ml_error *err);
/* A column of doubles (NaN becomes missing) or int64s, copied. */
ml_status mli_builder_f64(mli_builder *b, const char *name, const double *values,
                          ml_error *err);
ml_status mli_builder_i64(mli_builder *b, const char *name, const int64_t *values,
                          ml_error *err);
/* A column of text, copied; NULL elements are missing. */
ml_status mli_builder_text(mli_builder *b, const char *name, const char *const *values,
                           ml_error *err);
/* A column of categories: codes (negative is missing) into levels, copied. */
ml_status mli_builder_category(mli_builder *b, const char *name, const int32_t *codes,
                               const char *const *levels, int64_t n_levels,
                               ml_error *err);
ml_status mli_builder_finish(mli_builder *b, ml_table **out, ml_error *err); /* frees b */
void mli_builder_free(mli_builder *b);

#endif
