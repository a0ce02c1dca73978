/* SPDX-License-Identifier: MIT
 *
 * data/dense_parts.h: what the files of the dense matrix share among themselves.
 */
#ifndef MLI_DATA_DENSE_PARTS_H
#define MLI_DATA_DENSE_PARTS_H

#include "data/dense.h"

/* What one pass over the rows tells of a numeric feature. */
typedef struct mli_moments {
    double weight;     /* of the rows that have a value */
    double mean, rest; /* their sum is the mean */
    double m2;         /* weighted sum of squared deviations */
    double first;      /* the first value */
    double missing;    /* weight of the rows without */
    int64_t n_missing; /* their number */
    int64_t n_zero;    /* rows with the value 0 */
    int64_t infinite;  /* the first row with an infinite value, or -1 */
    int seen, varies;  /* any value; two that differ */
} mli_moments;

/* Moments of all numeric features, out[n_features]. Every value is multiplied by
 * factor[j], a power of two, first (NULL: 1). */
ml_status mli_moments_of(const mli_design *design, const double *factor,
                         const mli_run *run, mli_moments *out, ml_error *err);
/* The same where a first pass over- or underflowed: fills in factors for these features
 * and returns how many there are. */
int64_t mli_moments_rescale(const mli_design *design, const mli_moments *m,
                            double *factor);

/* A dense matrix with empty tables, room for n columns. */
ml_status mli_dense_alloc(mli_inputs *inputs, int64_t n_columns, mli_dense **out,
                          ml_error *err);

#endif
