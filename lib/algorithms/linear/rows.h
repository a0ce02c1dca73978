/* SPDX-License-Identifier: MIT
 *
 * linear/rows.h: the training rows of a linear model in memory, and passes over them.
 *
 * Columns are shifted by their mean and divided by their deviation (without an intercept:
 * divided by their root mean square only), so that solvers see columns of like size;
 * constant columns are left out. Rows are cut into blocks that fit the cache; within a
 * block each column is contiguous: element (row r, column j) of block b is
 * x[(b * q + j) * ld + r]. With an intercept the last column is all ones.
 */
#ifndef MLI_LINEAR_ROWS_H
#define MLI_LINEAR_ROWS_H

#include "core/run.h"
#include "data/dense.h"
#include "tensor/kernels.h"

typedef struct mli_rows {
    ml_context *ctx;
    const mli_kernels *k;
    const mli_dense *dense; /* borrowed */
    int64_t n;              /* rows */
    int64_t p;              /* columns kept */
    int64_t q;              /* p, and one for the intercept */
    int64_t block, ld;      /* rows of a block; distance of its columns */
    int64_t n_blocks;
    int64_t *column;      /* [p] which column of the dense matrix */
    double *shift, *size; /* [p] x = (value - shift) / size */
    double *x;            /* NULL before mli_rows_fill */
    const double *weight; /* [n], borrowed; NULL: all 1 */
    double total;         /* of the weights */
} mli_rows;

/* Chooses columns, shifts and sizes; the blocks are made by mli_rows_fill. */
ml_status mli_rows_new(const mli_dense *dense, const mli_design *design,
                       const double *weight, int intercept, mli_rows **out,
                       ml_error *err);
ml_status mli_rows_fill(mli_rows *rows, const mli_design *design, const mli_run *run,
                        ml_error *err);
void mli_rows_free(mli_rows *rows);
/* Coefficients of the standardised columns, b[q], to those of the dense matrix,
 * coef[n_columns] (0 for constant columns), and the intercept. */
void mli_rows_coef(const mli_rows *rows, const double *b, double *coef,
                   double *intercept);

/* A pass over all rows: sums of a value, of products u'X of vectors u with the columns,
 * and of cross products X' diag(h) X. `eval` gives value, u and h of a block. */
typedef struct mli_pass mli_pass;
struct mli_pass {
    const mli_rows *rows;
    int64_t n_products, n_grams;
    const int64_t *columns; /* [n_columns] of the cross products; NULL: all q */
    int64_t n_columns;
    int64_t step; /* only every so many-th block; 0 and 1: all */
    /* Rows begin..begin+n-1; x: their block; fills in u[n_products][ld] and
     * h[n_grams][ld]; scratch has `scratch` doubles. */
    double (*eval)(const mli_pass *pass, int64_t begin, int64_t n, const double *x,
                   double *u, double *h, double *scratch);
    const void *arg;
    int64_t scratch;
    /* Results. */
    double value;
    double *product; /* [n_products * q] */
    double *gram;    /* [n_grams * n_columns * n_columns] row-major, lower triangles */
};
/* ML_E_MEMORY, or ML_E_CANCELLED when the run is cancelled. */
ml_status mli_pass_run(mli_pass *pass, const mli_run *run, ml_error *err);

#endif
