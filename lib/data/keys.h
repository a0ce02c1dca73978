/* SPDX-License-Identifier: MIT
 *
 * data/keys.h: rows that agree in some columns: groups of a table, and the group of each
 * row of another table. Joins and aggregations stand on it.
 *
 * Keys are compared by value: whole numbers of all widths, numbers, text and categories
 * by their text, dates with times. Rows are cut by hash into parts that depend on their
 * number alone; groups are numbered by their first rows: nothing depends on the threads.
 */
#ifndef MLI_DATA_KEYS_H
#define MLI_DATA_KEYS_H

#include "core/params.h"
#include "data/table.h"

typedef struct mli_groups {
    ml_context *ctx;
    int64_t rows, n; /* of the table; groups */
    int64_t *group;  /* [rows] in order of first rows; -1: a key is missing */
    int64_t *first;  /* [n] first row of each group */
    /* private */
    const struct mli_keys *keys; /* of the table: must stay */
    uint64_t *hash;              /* [rows] */
    uint64_t **slots;            /* [parts] */
    uint64_t *mask;              /* [parts] */
    int64_t parts;
} mli_groups;

/* The key columns of a table, made to be compared with those of another one. */
typedef struct mli_keys {
    ml_context *ctx;
    int64_t rows, n;
    const mli_column *const *columns; /* [n] */
    const int *how;                   /* [n] how a column is compared */
} mli_keys;

/* How columns a[i] and b[i] (NULL: a alone) are compared, how[n]; ML_E_TYPE, with both
 * names, where they cannot be. A column without any value is compared with any other. */
ml_status mli_keys_agree(const mli_column *const *a, const mli_column *const *b,
                         int64_t n, int *how, ml_error *err);

/* The groups of a table. missing: rows that lack a key are groups as well. No keys: all
 * rows are one group. */
ml_status mli_groups_new(const mli_keys *keys, int missing, mli_groups *out,
                         ml_error *err);
void mli_groups_free(mli_groups *g);
/* The group of each row of another table, out[keys->rows]; -1: none. Its keys must have
 * been made to agree with those of the groups. */
ml_status mli_groups_find(const mli_groups *g, const mli_keys *keys, int missing,
                          int64_t *out, ml_error *err);
/* The rows of each group in ascending order: rows[start[k]] .. rows[start[k + 1] - 1].
 * start[n + 1], rows[all rows that have a group]. */
ml_status mli_groups_list(const mli_groups *g, int64_t **start, int64_t **rows,
                          ml_error *err);

/* The columns of a table by name, out[n]; `whose`: "the left table"; `what`: the
 * parameter that names them. */
ml_status mli_columns_named(const ml_table *t, const char *const *names, int64_t n,
                            const char *whose, const char *what, const mli_column **out,
                            ml_error *err);
/* ML_E_NAME when a column from `first` on has the name of an earlier one; `what`: the
 * parameter to change. */
ml_status mli_names_differ(const ml_table *t, int64_t first, const char *what,
                           const char *hint, ml_error *err);
/* Rows of a table by index into to->columns[at...], which are empty; -1 gives missing
 * values. */
ml_status mli_table_gather(const ml_table *from, const uint8_t *chosen,
                           const int64_t *rows, int64_t count, ml_table *to, int64_t at,
                           ml_error *err);
ml_status mli_column_gather(ml_context *ctx, const mli_column *from, const int64_t *rows,
                            int64_t count, mli_column *to, ml_error *err);

/* a[rows_a[i]], or b[rows_b[i]] where rows_a[i] < 0: columns of one type, no categories.
 */
ml_status mli_column_merge(ml_context *ctx, const mli_column *a, const int64_t *rows_a,
                           const mli_column *b, const int64_t *rows_b, int64_t count,
                           mli_column *to, ml_error *err);

/* The rows of both tables below each other, columns by name: data/stack.c. */
ml_status mli_table_stack(const ml_table *left, const ml_table *right, ml_table **out,
                          ml_error *err);

/* ---- times: data/times.c ---- */

/* "7d", "12h", "90" to the units of a column: numbers in its own, with a unit (us, ms, s,
 * m or min, h, d, w) of dates and times. +infinity of NULL and "". */
ml_status mli_time_span(const mli_column *c, const char *text, const char *what,
                        double *out, ml_error *err);
/* Rows of each list by time, stable; rows without a time first. times[rows of the table];
 * *sorted: those of the lists, in their new order (mli_free). */
ml_status mli_time_sort(ml_context *ctx, const int64_t *start, int64_t n, int64_t *rows,
                        const double *times, double **sorted, ml_error *err);
/* The time column of a table as numbers: dates as microseconds when `micros`. */
ml_status mli_time_read(ml_context *ctx, const mli_column *c, int micros, double **out,
                        ml_error *err);
/* Are both dates and times, or both numbers, or has one no value? *micros: dates must be
 * read so; *unit: the one whose unit they are in then. */
ml_status mli_times_agree(const mli_column *a, const mli_column *b, int *micros,
                          const mli_column **unit, ml_error *err);
/* Among sorted[low] .. sorted[high - 1], ascending behind those that are NaN: the first
 * that is not NaN, >= t, > t. */
int64_t mli_time_known(const double *sorted, int64_t low, int64_t high);
int64_t mli_time_from(const double *sorted, int64_t low, int64_t high, double t);
int64_t mli_time_after(const double *sorted, int64_t low, int64_t high, double t);

#endif
