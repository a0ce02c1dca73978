/* SPDX-License-Identifier: MIT
 *
 * linear/working_set.h: the order in which columns join a working set.
 */
#ifndef MLI_LINEAR_WORKING_SET_H
#define MLI_LINEAR_WORKING_SET_H

#include <stdint.h>

/* A column and how near it is to leaving 0: at 1 it does. */
typedef struct mli_candidate {
    double score;
    int64_t column;
} mli_candidate;

/* The largest scores first, equal ones by their columns. */
void mli_candidates_sort(mli_candidate *c, int64_t n);
void mli_working_set_sort(int64_t *column, int64_t n);

#endif
