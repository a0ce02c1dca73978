/* SPDX-License-Identifier: MIT
 *
 * trees/rank.h: the pairs of one group of a ranking, between objective_rank.c and
 * rank_pairs.c.
 */
#ifndef MLI_TREES_RANK_H
#define MLI_TREES_RANK_H

#include "algorithms/trees/objective.h"

#define MLI_RANK_PAD    8  /* readable and writable places past the rows of a group */
#define MLI_RANK_ARRAYS 10 /* of numbers that a group needs */

/* Arrays by position, [n] and padding; the factor of padding is 0. */
typedef struct mli_rank_pairs {
    int64_t n, most; /* pairs i < j have i < most */
    int alike;       /* all pairs weigh what they change; else less with the distance */
    double cap;      /* of differences of the gains */
    double *score;   /* falling */
    double *power;   /* scratch: e^score, in units of the largest */
    double *gain, *from, *to, *factor;
    double *g, *h, *total; /* to be added to: gradients, hessians, sizes of gradients */
} mli_rank_pairs;

/* Adds all pairs: the change of a pair is factor[j] * min(|gain[i] - gain[j]|, cap) *
 * |from[i] + to[j]|. The same bits at every level of the processor. */
void mli_rank_pairs_add(int32_t level, const mli_kernels *kernels, mli_rank_pairs *p);

/* The rows 0..n-1 by falling score, the first one on a tie; scratch[2 * n]. */
void mli_rank_order(int32_t level, const double *score, int64_t n, int64_t *order,
                    double *scratch);

#endif
