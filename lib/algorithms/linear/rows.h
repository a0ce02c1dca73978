/* SPDX-License-Identifier: MIT
 *
 * linear/rows.h: the training rows of a linear model in memory, and passes over them.
 *
 * Columns are shifted by their mean and divided by their deviation (without an intercept:
 * divided by their root mean square only), so that solvers see columns of like size;
 * constant columns are left out. Rows are cut into blocks that fit the cache; within a
 * block each column is contiguous: element (row r, column i) of block b is
 * x[(b * d + i) * ld + r]. With an intercept the last column is all ones.
 *
 * Where mli_rows_split finds columns that are mostly 0, these are not in the blocks: the
 * values v that are not 0 are kept as they are (sparse.c), and the shift goes to the
 * coefficients: with x = (v - shift) / size, Xb is V(b / size) - sum of b shift / size.
 */
#ifndef MLI_LINEAR_ROWS_H
#define MLI_LINEAR_ROWS_H

#include "core/run.h"
#include "data/dense.h"
#include "tensor/kernels.h"

/* The entries of sparse columns in some rows, column after column. */
typedef struct mli_sparse_block {
    uint32_t *start; /* [n + 1] first entry of each column */
    uint16_t *row;   /* counted from the first of the block; ascending in a column */
    double *value;   /* of the columns that have values */
} mli_sparse_block;

typedef struct mli_sparse_rows {
    int64_t n;        /* columns; 0: none */
    int64_t n_values; /* the first ones have values, the others are 1 where listed */
    int64_t *column;  /* [n] which column of the rows */
    int64_t block;    /* rows, a multiple of those of dense blocks */
    int64_t n_blocks;
    mli_sparse_block *blocks; /* NULL before mli_rows_fill */
} mli_sparse_rows;

typedef struct mli_rows {
    ml_context *ctx;
    const mli_kernels *k;
    const mli_dense *dense; /* borrowed */
    int64_t n;              /* rows */
    int64_t p;              /* columns kept */
    int64_t q;              /* p, and one for the intercept */
    int64_t d;              /* of them in dense blocks */
    int64_t block, ld;      /* rows of a block; distance of its columns */
    int64_t n_blocks;
    int64_t *column;      /* [p] which column of the dense matrix */
    double *shift, *size; /* [p] x = (value - shift) / size */
    int64_t *place;       /* [q] index in dense blocks; -1 - s: sparse column s */
    mli_sparse_rows sparse;
    double *x;            /* NULL before mli_rows_fill */
    const double *weight; /* [n], borrowed; NULL: all 1 */
    double total;         /* of the weights */
} mli_rows;

/* Chooses columns, shifts and sizes; the blocks are made by mli_rows_fill. */
ml_status mli_rows_new(const mli_dense *dense, const mli_design *design,
                       const double *weight, int intercept, mli_rows **out,
                       ml_error *err);
/* Looks for sparse columns, for passes with so many functions; before mli_rows_fill.
 * Without this call all columns are dense. */
ml_status mli_rows_split(mli_rows *rows, int64_t functions, ml_error *err);
/* Makes all columns dense again; the blocks are to be filled anew. */
void mli_rows_join(mli_rows *rows);
/* Multiply-adds of a pass for one function, a sparse entry counted as what it costs. */
double mli_rows_cost(const mli_rows *rows);
ml_status mli_rows_fill(mli_rows *rows, const mli_design *design, const mli_run *run,
                        ml_error *err);
void mli_rows_free(mli_rows *rows);
/* Coefficients of the standardised columns, b[q], to those of the dense matrix,
 * coef[n_columns] (0 for constant columns), and the intercept. */
void mli_rows_coef(const mli_rows *rows, const double *b, double *coef,
                   double *intercept);

/* A pass over all rows: sums of a value, of products u'X of vectors u with the columns,
 * and of cross products X' diag(h) X. `eval` gives value, u and h of a block from
 * functions of the columns. */
typedef struct mli_pass mli_pass;
struct mli_pass {
    const mli_rows *rows;
    int64_t functions, n_products, n_grams;
    const double *b;        /* [functions * q]; NULL: all 0 */
    const int64_t *columns; /* [n_columns] of the cross products; NULL: all q */
    int64_t n_columns;
    int64_t
        step; /* only every so many-th block; 0 and 1: all; else without sparse columns */
    /* Rows begin..begin+n-1; z[functions][ld]: the functions, can be used up; fills in
     * u[n_products][ld] and h[n_grams][ld]; scratch has `scratch` doubles. */
    double (*eval)(const mli_pass *pass, int64_t begin, int64_t n, double *z, double *u,
                   double *h, double *scratch);
    const void *arg;
    int64_t scratch;
    /* Results. */
    double value;
    double *product; /* [n_products * q] */
    double *gram;    /* [n_grams * n_columns * n_columns] row-major, lower triangles */
};
/* ML_E_MEMORY, or ML_E_CANCELLED when the run is cancelled. */
ml_status mli_pass_run(mli_pass *pass, const mli_run *run, ml_error *err);

/* ---- sparse columns (sparse.c) ---- */

/* Finds the entries. ML_E_MEMORY. */
ml_status mli_sparse_fill(mli_rows *rows, const mli_design *design, const mli_run *run,
                          ml_error *err);
void mli_sparse_free(mli_rows *rows);
/* Functions per row in tables for so many of them: 1, or a multiple of 4. */
int64_t mli_sparse_width(int64_t functions);
/* Coefficients b[functions * q] of the standardised columns to those of the values,
 * table[n * width], and what the shifts add, constant[functions]. */
void mli_sparse_table(const mli_rows *rows, const double *b, int64_t functions,
                      int64_t width, double *table, double *constant);
/* z[row * width + k] += values of the rows of a block times the table. */
void mli_sparse_add(const mli_rows *rows, int64_t block, const double *table,
                    int64_t width, double *z);
/* g[s * width + k] += sum over the rows of a block of value times u[row * width + k],
 * for columns begin <= s < end. */
void mli_sparse_dot(const mli_rows *rows, int64_t block, int64_t begin, int64_t end,
                    const double *u, int64_t width, double *g);

#endif
