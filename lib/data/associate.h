/* SPDX-License-Identifier: MIT
 *
 * data/associate.h: how strongly two columns go together, from a sample of their rows.
 */
#ifndef MLI_DATA_ASSOCIATE_H
#define MLI_DATA_ASSOCIATE_H

#include "data/table.h"

#define MLI_LEVELS                                                                       \
    64 /* 0: missing; the last: all values that have no level of their own */

/* A sample of the rows of a table. */
typedef struct mli_rows_sample {
    int64_t n;
    int64_t *row; /* rising */
} mli_rows_sample;

/* A column in a sample: a level for each row, bins of about equal size for numbers and
 * times, the most frequent values for texts. Texts that mostly differ have none (n is 0):
 * they name rows, and would go along with anything. */
typedef struct mli_coded {
    int numeric;    /* value is there: a number, date or time */
    int complete;   /* all values are finite */
    int32_t n;      /* levels in use, 0 and MLI_LEVELS - 1 included where used */
    uint8_t *level; /* [rows of the sample] */
    double *value;  /* [rows of the sample], NaN where missing; NULL for texts */
} mli_coded;

/* At most `most` rows, one of each of as many equal stretches. */
ml_status mli_sample_new(ml_context *ctx, int64_t rows, int64_t most,
                         mli_rows_sample *out, ml_error *err);
/* 0 when out of memory; mli_coded_free is fine after a failure. */
int mli_code(ml_context *ctx, const mli_column *c, const mli_rows_sample *sample,
             mli_coded *out);
void mli_coded_free(ml_context *ctx, mli_coded *c);

typedef enum { MLI_PEARSON, MLI_ETA, MLI_CRAMER } mli_association;

/* Over the rows that have both values: two columns of numbers have Pearson's correlation,
 * -1 to 1; others a number from 0 to 1, corrected for the number of levels: the
 * correlation ratio (epsilon, Kelley 1935), or for two columns of texts Cramer's V
 * (Bergsma 2013). NaN where it is not defined. *n: the rows. */
double mli_associate(const mli_coded *a, const mli_coded *b, int64_t rows,
                     mli_association *how, int64_t *n);

/* How well a column alone predicts the target: the share of the variance (of the Brier
 * score for classes) that the mean of its level explains in rows that the mean was not
 * computed from. 0: not at all; 1: without error; NaN: a column without levels. */
double mli_predictive_power(const mli_coded *column, const mli_coded *target, int classes,
                            int64_t rows);

#endif
