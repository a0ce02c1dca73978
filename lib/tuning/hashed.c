/* SPDX-License-Identifier: MIT
 *
 * tuning/hashed.c: rows by the hashes of their categories. Cost: a sort of the rows.
 */
#include "tuning/hashed.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    const mli_hashed_row *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

ml_status mli_hashed_rows(ml_context *ctx, const double *value, int64_t rows,
                          mli_hashed_row **out, int64_t *n, ml_error *err)
{
    mli_hashed_row *list = *out = mli_alloc_vec(ctx, rows + 1, sizeof *list);
    *n = 0;
    if (!list) return mli_nomem(err);
    for (int64_t i = 0; i < rows; i++)
        if (!isnan(value[i])) list[(*n)++] = (mli_hashed_row){value[i], i};
    qsort(list, (size_t)*n, sizeof *list, by_value);
    return ML_OK;
}
