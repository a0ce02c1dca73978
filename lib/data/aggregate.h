/* SPDX-License-Identifier: MIT
 *
 * data/aggregate.h: what the files of the aggregation share.
 */
#ifndef MLI_DATA_AGGREGATE_H
#define MLI_DATA_AGGREGATE_H

#include "data/keys.h"

enum {
    MLI_AGG_COUNT, /* rows, or values that are there */
    MLI_AGG_MISSING,
    MLI_AGG_DISTINCT,
    MLI_AGG_SUM,
    MLI_AGG_MEAN,
    MLI_AGG_STD,
    MLI_AGG_VAR,
    MLI_AGG_MEDIAN,
    MLI_AGG_MIN, /* from here on: the value of a row */
    MLI_AGG_MAX,
    MLI_AGG_FIRST,
    MLI_AGG_LAST,
    MLI_AGG_MODE,
    MLI_AGG_FUNCTIONS
};

/* "name = function(column) over span" */
typedef struct mli_aggregate {
    int function;
    const mli_column *column; /* NULL: rows */
    char *name;
    char span[32]; /* "" when there is none */
    double window;
} mli_aggregate;

ml_status mli_aggregate_parse(const ml_table *t, const char *text, mli_aggregate *out,
                              ml_error *err);

/* Ranges of rows: list[low[q]] .. list[high[q] - 1], each inside one group, by time where
 * there is one. */
typedef struct mli_ranges {
    ml_context *ctx;
    int64_t n, rows; /* ranges; rows in the list */
    const int64_t *list;
    const int64_t *low, *high;
    const double *times; /* in the order of list; NULL: none */
    const double *at;    /* [n] the time of each range, whose window counts from there */
    int64_t longest;
} mli_ranges;

/* One aggregate over all ranges: numbers[n], or for MLI_AGG_MIN and later rows[n] of the
 * table (-1: none). */
ml_status mli_aggregate_run(const mli_ranges *r, const mli_aggregate *a, double *numbers,
                            int64_t *rows, ml_error *err);

#endif
