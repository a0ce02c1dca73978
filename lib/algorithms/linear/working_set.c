/* SPDX-License-Identifier: MIT
 *
 * linear/working_set.c: see working_set.h.
 */
#include "algorithms/linear/working_set.h"

#include <stdlib.h>

static int by_score(const void *a, const void *b)
{
    const mli_candidate *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->column > y->column) - (x->column < y->column);
}

static int by_column(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void mli_candidates_sort(mli_candidate *c, int64_t n)
{
    qsort(c, (size_t)n, sizeof *c, by_score);
}

void mli_working_set_sort(int64_t *column, int64_t n)
{
    qsort(column, (size_t)n, sizeof *column, by_column);
}
