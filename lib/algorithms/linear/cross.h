/* SPDX-License-Identifier: MIT
 *
 * linear/cross.h: cross products of sets of columns some of which are sparse.
 */
#ifndef MLI_LINEAR_CROSS_H
#define MLI_LINEAR_CROSS_H

#include "algorithms/linear/rows.h"

/* A set of columns, cut into dense and sparse ones. The dense ones include the ones where
 * sparse columns have shifts, wanted or not. */
typedef struct mli_cross {
    const mli_rows *rows;
    int64_t n;                 /* columns of the set */
    int64_t n_dense, n_sparse; /* both kinds */
    int64_t *where;            /* [n] which dense one; -1 - i: sparse one i */
    int64_t *dense;            /* [n_dense] in the dense blocks */
    int64_t *sparse;           /* [n_sparse] sparse columns of the rows */
    int64_t ones;              /* which dense one is all ones; -1: none */
    int64_t width;             /* dense ones that sparse ones are multiplied by */
    int64_t part;              /* doubles of the sums of one matrix */
    int64_t entries;           /* of the set in a sparse block, at most */
} mli_cross;

/* columns NULL: all. */
ml_status mli_cross_new(const mli_rows *rows, const int64_t *columns, int64_t n_columns,
                        mli_cross *out, ml_error *err);
void mli_cross_free(mli_cross *c);
int64_t mli_cross_scratch(const mli_cross *c); /* doubles */
/* Lists the entries of a sparse block by rows, into scratch. */
void mli_cross_open(const mli_cross *c, int64_t block, double *scratch);
/* Adds to the sums of a matrix the rows from..from + n - 1 of the block, with their
 * weights h. dense: these rows of the dense ones, column k at k * ld. */
void mli_cross_add(const mli_cross *c, int64_t from, int64_t n, const double *dense,
                   const double *h, double *part, double *scratch);
/* The matrix [n * n], lower triangle, from the sums and the products of the dense ones,
 * [n_dense * n_dense], lower triangle. */
void mli_cross_finish(const mli_cross *c, const double *part, const double *dense,
                      double *gram);

#endif
