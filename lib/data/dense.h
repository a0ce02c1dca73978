/* SPDX-License-Identifier: MIT
 *
 * data/dense.h: from a design to a dense numeric matrix, for all algorithms that need
 * one.
 *
 * - A numeric feature is one column. Missing values are filled with the weighted mean of
 *   the training rows; with `indicators`, a feature that has missing values in training
 *   gets a second column that is 1 where it is missing.
 * - A categorical feature is one column of 0 and 1 per level (with `reference`, the first
 *   level has none), and, when it has missing values in training, a last column that is
 *   1 where it is missing. Without that column a missing (or unseen) category is filled
 *   with the shares of the levels in training, which is the mean again.
 * - Center and scale are the weighted mean and standard deviation (of the population) of
 *   each filled column. A constant column has scale 0 and becomes 0 when standardised.
 *
 * Infinite values are refused with the place of the first.
 */
#ifndef MLI_DATA_DENSE_H
#define MLI_DATA_DENSE_H

#include "core/run.h"
#include "data/design.h"

/* What a column stands for: a level's code, or one of these. */
#define MLI_DENSE_NUMBER  (-1)
#define MLI_DENSE_MISSING (-2)

typedef struct mli_dense_options {
    int reference;  /* the first level of a category has no column */
    int indicators; /* columns for missing numbers */
} mli_dense_options;

typedef struct mli_dense {
    ml_context *ctx;
    mli_inputs *inputs; /* counted */
    int64_t n_features, n_columns;
    int64_t *first;   /* [n_features + 1] first column of each feature */
    int32_t *feature; /* [n_columns] */
    int32_t *level;   /* [n_columns] a code, MLI_DENSE_NUMBER or MLI_DENSE_MISSING */
    double *fill;     /* [n_columns] the value where the feature is missing */
    double *center;   /* [n_columns] */
    double *scale;    /* [n_columns] */
    int64_t *nonzero; /* [n_columns] training rows where it is not 0; 0 when loaded */
    double weight;    /* the rows' total weight; 0 when loaded */
} mli_dense;

/* From training rows; the run (nullable) is polled. ML_E_DATA for infinite values and
 * when all weights are 0. */
ml_status mli_dense_new(const mli_design *design, const mli_dense_options *options,
                        const mli_run *run, mli_dense **out, ml_error *err);
/* From what a model has stored: `columns` holds pairs of feature and level. center and
 * scale may be NULL (0 and 1 then). Everything is checked: ML_E_FORMAT. */
ml_status mli_dense_load(mli_inputs *inputs, int64_t n_columns, const int32_t *columns,
                         const double *fill, const double *center, const double *scale,
                         mli_dense **out, ml_error *err);
void mli_dense_free(mli_dense *d);

/* Rows begin..end-1, column by column: out[j * ld + i - begin]. `standard`: centered and
 * scaled. Safe to call concurrently. */
void mli_dense_columns(const mli_dense *d, const mli_design *design, int64_t begin,
                       int64_t end, int standard, double *out, int64_t ld);
/* The columns of one feature only, from out on. */
void mli_dense_feature(const mli_dense *d, const mli_design *design, int64_t feature,
                       int64_t begin, int64_t end, int standard, double *out, int64_t ld);
/* The same row by row: out[(i - begin) * stride + j]. */
void mli_dense_rows(const mli_dense *d, const mli_design *design, int64_t begin,
                    int64_t end, int standard, double *out, int64_t stride);
/* One plain row, as plans get it: features, categories as codes, NaN missing. Codes that
 * are no level count as missing. */
void mli_dense_row(const mli_dense *d, const double *row, int standard, double *out);
/* Index of the column that is 1 for a code (NaN: missing) of a categorical feature; -1
 * when all are 0; -2 when the fill values apply. */
int64_t mli_dense_hot(const mli_dense *d, int64_t feature, double code);
/* The name of a column, appended: "age", "job = clerk", "age is missing". */
void mli_dense_name(const mli_dense *d, int64_t column, mli_str *s);

#endif
