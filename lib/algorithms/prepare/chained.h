/* SPDX-License-Identifier: MIT
 *
 * prepare/chained.h: the regressions of chained equations, from sums of products.
 */
#ifndef MLI_PREPARE_CHAINED_H
#define MLI_PREPARE_CHAINED_H

#include "core/run.h"

/* Sums of products of n_columns columns and of 1 (the last), g[i * ld + j] for j <= i. */
typedef struct mli_products {
    ml_context *ctx;
    const mli_run *run;    /* sums of a cancelled one are wrong */
    int64_t n_columns, ld; /* ld > n_columns: room for whole tiles */
    double *g;             /* [ld][ld] */
} mli_products;

/* The number of columns with padding: column k of a matrix is x + k * rows_ld, and those
 * behind n_columns are 1 (one column) and 0. */
int64_t mli_products_ld(int64_t n_columns);
ml_status mli_products_new(ml_context *ctx, const mli_run *run, int64_t n_columns,
                           mli_products *out, ml_error *err);
void mli_products_free(mli_products *p);
/* Of `rows` rows. The order of the sums depends on their number alone. */
ml_status mli_products_of(mli_products *p, const double *x, int64_t rows_ld, int64_t rows,
                          ml_error *err);
static inline double mli_product(const mli_products *p, int64_t i, int64_t j)
{
    return i >= j ? p->g[i * p->ld + j] : p->g[j * p->ld + i];
}

/* Regresses one column on the others and a constant. */
typedef struct mli_chained {
    ml_context *ctx;
    const mli_run *run;
    int64_t n; /* columns of the products */
    int bayes; /* else: ridge with `alpha` */
    double alpha;
    double *memory, *a, *l, *c, *scale, *inverse, *work, *old;
} mli_chained;
ml_status mli_chained_new(ml_context *ctx, const mli_run *run, int64_t n,
                          mli_chained *out, ml_error *err);
void mli_chained_free(mli_chained *r);
/* coef[n], 0 at `column` itself; returns the constant. When cancelled: any numbers. */
double mli_chained_solve(mli_chained *r, const mli_products *p, int64_t column,
                         double *coef);

#endif
