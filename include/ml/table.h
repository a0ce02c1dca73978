/* SPDX-License-Identifier: MIT
 *
 * ml/table.h: immutable tables: named columns of equal length in Arrow memory layout.
 */
#ifndef ML_TABLE_H
#define ML_TABLE_H

#include <ml/arrow.h>
#include <ml/base.h>
#include <ml/context.h>

ML_BEGIN

/**
 * Reads delimited text. A name ending in .gz is decompressed on the way.
 *
 * The delimiter and the column types are detected from the whole file unless given.
 *
 * @param context  the context
 * @param path     the file
 * @param options  [null] values of "options.csv"
 * @param out      [out] [own] the table
 * @param error    [null] details of a failure, with line and column
 * @returns ML_OK, ML_E_IO, ML_E_PARSE, ML_E_DATA, ML_E_NAME, ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_read_csv(ml_context *context, const char *path,
                                            const ml_params *options, ml_table **out,
                                            ml_error *error);

/**
 * Reads delimited text from a stream of the host; gzip is recognised by its first bytes.
 *
 * @param context  the context
 * @param io       the stream, with `read` set
 * @param options  [null] values of "options.csv"
 * @param out      [out] [own] the table
 * @param error    [null] details of a failure, with line and column
 * @returns as ml_table_read_csv, and ML_E_CALLBACK
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_read_csv_io(ml_context *context, const ml_io *io,
                                               const ml_params *options, ml_table **out,
                                               ml_error *error);

/**
 * Reads an Arrow stream to its end. One batch of numbers is taken without copying.
 *
 * A column "f" of maps from whole numbers to numbers is sparse rows: it becomes the columns
 * "f0", "f1", ..., of which only what rows hold takes memory; the rest is 0. Models are
 * fitted to such columns and predict from them as they are; what writes them out or reads
 * their memory (ml_table_write_arrow, ml_table_write_csv, ml_table_get_tensor) fills them in.
 *
 * @param context  the context
 * @param stream   [move] the stream; released also on failure
 * @param options  [null] values of "options.arrow"
 * @param out      [out] [own] the table
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_ARGUMENT for a stream already released, ML_E_TYPE for a column
 * type that tables lack, ML_E_DATA for damaged data, ML_E_NAME or ML_E_RANGE for a wrong
 * option, ML_E_SHAPE for another number of names than of columns, ML_E_CALLBACK, ML_E_IO,
 * ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_read_arrow(ml_context *context,
                                              struct ArrowArrayStream *stream,
                                              const ml_params *options, ml_table **out,
                                              ml_error *error);

/**
 * Gives a table out as an Arrow stream of one batch, without copying where the layout
 * permits. The stream keeps the table alive.
 *
 * @param table  the table
 * @param out    [out] the stream, to be released by the receiver
 * @param error  [null] details of a failure
 * @returns ML_OK or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_write_arrow(const ml_table *table,
                                               struct ArrowArrayStream *out,
                                               ml_error *error);

/**
 * A table of numbers from a tensor of two dimensions, without copying.
 *
 * @param context  the context
 * @param tensor   n rows, m columns (or one dimension: one column); kept alive
 * @param names    [null] [len m] column names, NULL for f0, f1, ...
 * @param out      [out] [own] the table
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_SHAPE or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_read_tensor(ml_context *context, ml_tensor *tensor,
                                               const char *const *names, ml_table **out,
                                               ml_error *error);

/**
 * A table with one column more, or with a column of that name replaced.
 *
 * @param table   [null] the table; NULL makes a table of this one column
 * @param name    the column
 * @param values  one dimension, as many elements as the table has rows; kept alive
 * @param out     [out] [own] the new table
 * @param error   [null] details of a failure
 * @returns ML_OK, ML_E_SHAPE or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_with_tensor(const ml_table *table, const char *name,
                                               ml_tensor *values, ml_table **out,
                                               ml_error *error);

/**
 * A table with one column of text more, or with a column of that name replaced.
 *
 * @param context  the context
 * @param table    [null] the table; NULL makes a table of this one column
 * @param name     the column
 * @param values   [len count] texts, copied; a NULL element is a missing value
 * @param count    as many as the table has rows
 * @param out      [out] [own] the new table
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_SHAPE or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_with_strs(ml_context *context, const ml_table *table,
                                             const char *name, const char *const *values,
                                             int64_t count, ml_table **out,
                                             ml_error *error);

/**
 * Writes a table as RFC 4180 text, through a temporary file that replaces the target
 * only when complete. A name ending in .gz is compressed.
 *
 * @param table    the table
 * @param path     the file
 * @param options  [null] values of "options.csv_write"
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_IO, ML_E_NAME or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_write_csv(const ml_table *table, const char *path,
                                             const ml_params *options, ml_error *error);

/**
 * Writes a table as RFC 4180 text to a stream of the host.
 *
 * @param table    the table
 * @param io       the stream, with `write` set
 * @param options  [null] values of "options.csv_write"
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_CALLBACK, ML_E_NAME or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_write_csv_io(const ml_table *table, const ml_io *io,
                                                const ml_params *options,
                                                ml_error *error);

/**
 * Takes one more reference.
 *
 * @param table  [null] the table
 * @returns [own] the same table
 * @since 0.1
 */
ML_API ml_table *ml_table_ref(ml_table *table);

/**
 * Drops the caller's reference.
 *
 * @param table  [null] the table
 * @since 0.1
 */
ML_API void ml_table_free(ml_table *table);

/**
 * The number of rows.
 *
 * @param table  the table
 * @returns the number
 * @since 0.1
 */
ML_API int64_t ml_table_rows(const ml_table *table);

/**
 * The number of columns.
 *
 * @param table  the table
 * @returns the number
 * @since 0.1
 */
ML_API int64_t ml_table_columns(const ml_table *table);

/**
 * The name of a column.
 *
 * @param table   the table
 * @param column  its index
 * @returns [borrow table] [null] the name, NULL outside the range
 * @since 0.1
 */
ML_API const char *ml_table_column_name(const ml_table *table, int64_t column);

/**
 * The type of a column.
 *
 * @param table   the table
 * @param column  its index
 * @returns one of ML_DTYPE_ or ML_TYPE_, 0 outside the range
 * @since 0.1
 */
ML_API int32_t ml_table_column_type(const ml_table *table, int64_t column);

/**
 * The index of a column.
 *
 * @param table  the table
 * @param name   the column's name
 * @returns its index, or -1
 * @since 0.1
 */
ML_API int64_t ml_table_find(const ml_table *table, const char *name);

/**
 * A cell as a number: categories as their code, dates and times as in their type.
 *
 * @param table   the table
 * @param row     row
 * @param column  column
 * @returns the value; NaN when missing, text, or outside the table
 * @since 0.1
 */
ML_API double ml_table_get_f64(const ml_table *table, int64_t row, int64_t column);

/**
 * A cell as text: numbers in shortest exact form, dates and times in ISO 8601, missing
 * values empty.
 *
 * @param table     the table
 * @param row       row
 * @param column    column
 * @param buffer    [out] [null] [len capacity] receives the text and a final NUL, cut to
 * fit
 * @param capacity  size of the buffer in bytes
 * @returns length of the whole text without the NUL; -1 when the value is missing or
 *          outside the table
 * @since 0.1
 */
ML_API int64_t ml_table_get_str(const ml_table *table, int64_t row, int64_t column,
                                char *buffer, size_t capacity);

/**
 * A column of numbers as a tensor of one dimension. Missing values become NaN (integers
 * with missing values become doubles); without missing values nothing is copied.
 *
 * @param table   the table
 * @param column  its index
 * @param out     [out] [own] the tensor
 * @param error   [null] details of a failure
 * @returns ML_OK, ML_E_RANGE, ML_E_TYPE for text, ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_get_tensor(const ml_table *table, int64_t column,
                                              ml_tensor **out, ml_error *error);

/**
 * Some of the columns, in the order given, without copying.
 *
 * @param table  the table
 * @param names  [len count] the columns
 * @param count  how many
 * @param out    [out] [own] the new table
 * @param error  [null] details of a failure
 * @returns ML_OK, ML_E_NAME or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_select(const ml_table *table, const char *const *names,
                                          int64_t count, ml_table **out, ml_error *error);

/**
 * A range of rows, without copying.
 *
 * @param table  the table
 * @param begin  first row
 * @param end    row after the last
 * @param out    [out] [own] the new table
 * @param error  [null] details of a failure
 * @returns ML_OK, ML_E_RANGE or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_slice(const ml_table *table, int64_t begin,
                                         int64_t end, ml_table **out, ml_error *error);

/**
 * Rows by index, copied in the order given; an index may occur more than once.
 *
 * @param table  the table
 * @param rows   [len count] indices
 * @param count  how many
 * @param out    [out] [own] the new table
 * @param error  [null] details of a failure
 * @returns ML_OK, ML_E_RANGE or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_take(const ml_table *table, const int64_t *rows,
                                        int64_t count, ml_table **out, ml_error *error);

/**
 * Splits rows into two tables by the splitters that studies use.
 *
 * @param table    the table
 * @param options  [null] values of "options.split"; NULL holds a random fifth out
 * @param train    [out] [own] the larger part
 * @param test     [out] [own] the part held out
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_NAME, ML_E_DATA or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_split(const ml_table *table, const ml_params *options,
                                         ml_table **train, ml_table **test,
                                         ml_error *error);

/**
 * Rows of two tables side by side, where their keys agree; or beside each row of the left
 * table the last one of the right table at its time (as-of).
 *
 * The columns of the right table follow those of the left one, without the keys; a name
 * that is there already gets a suffix. Rows are in the order of the left table, those of
 * one left row in the order of the right table. A missing key agrees with none. With
 * `how: union` the rows of both tables are below each other, columns by name: what one
 * table lacks is missing, and types that differ become the one that holds both.
 *
 * @param left     the left table
 * @param right    the right table
 * @param options  [null] values of "options.join"
 * @param out      [out] [own] the new table
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_NAME, ML_E_TYPE, ML_E_DATA, ML_E_ARGUMENT, ML_E_RANGE (as of
 *     ml_table_aggregate) or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_join(const ml_table *left, const ml_table *right,
                                        const ml_params *options, ml_table **out,
                                        ml_error *error);

/**
 * Counts, sums, means and the like of groups of rows.
 *
 * Without `left`: a row per group, in order of the groups' first rows: the keys, then the
 * aggregates. With it: the rows of `left`, and to each the aggregates of the rows of
 * `table` that have its keys; with a time of those before its time only, so that nothing
 * of the future gets into the features of a model.
 *
 * @param table    the rows to aggregate
 * @param left     [null] the rows to aggregate for
 * @param options  [null] values of "options.aggregate", which say what is computed
 * @param out      [out] [own] the new table
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_NAME, ML_E_TYPE, ML_E_ARGUMENT, ML_E_PARSE, ML_E_RANGE (a value
 *     that is not allowed, times that doubles cannot tell apart) or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_aggregate(const ml_table *table, const ml_table *left,
                                             const ml_params *options, ml_table **out,
                                             ml_error *error);

/**
 * A profile: one row per column with type, missing, distinct, mean, standard deviation,
 * minimum, quartiles, maximum, most frequent value, a role to give it, and warnings. The
 * option `part` asks for correlations of pairs of columns, or a summary, in its place.
 *
 * Its columns: column, type, rows, missing (NaN included), missing_percent, distinct,
 * mean, sd, min, q25, median, q75, max (of numbers), earliest, latest (of dates and
 * times), top, top_count, predictive_power (when the option `target` names a column),
 * role (target, feature, categorical, text, time, ignore), warnings. Beyond 65536
 * different values `distinct` is an estimate within about 1 %; beyond 2^20 rows the
 * quartiles, beyond 100,000 rows predictive power and correlations, are those of a sample
 * spread over all rows: of 10^9 divided by the number of pairs, where that is less.
 * Correlations are those of the first 1000 columns.
 *
 * With `part: sketch` the columns are column, type, rows, missing, distinct, mean, sd, min,
 * q01, q05, q25, median, q75, q95, q99, max, earliest, latest, top, top_count, sketch, the
 * last a text of 10 to 20 kB that stands for the values. Such tables of parts of the data,
 * below each other (ml_table_join with `how: union`), become that of all the data by
 * `part: merge`. Of more values than fit, quantiles are within 0.6 % of the ranks, distinct
 * values (beyond 512) within about 5 %, and top_count is too low by rows / 257 at most.
 *
 * @param table    the table
 * @param options  [null] values of "options.profile"
 * @param out      [out] [own] the profile
 * @param error    [null] details of a failure
 * @returns ML_OK, ML_E_NAME, ML_E_DATA and ML_E_TYPE (of sketches) or ML_E_MEMORY
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_table_profile(const ml_table *table,
                                           const ml_params *options, ml_table **out,
                                           ml_error *error);

ML_END
#endif
