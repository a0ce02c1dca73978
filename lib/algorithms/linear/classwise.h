/* SPDX-License-Identifier: MIT
 *
 * linear/classwise.h: several classes with absolute penalties, one class after another.
 */
#ifndef MLI_LINEAR_CLASSWISE_H
#define MLI_LINEAR_CLASSWISE_H

#include "algorithms/linear/logistic.h"

typedef struct mli_classwise mli_classwise;

/* Of a logistic objective without a reference; borrowed, as is the run. */
ml_status mli_classwise_new(mli_logistic *l, mli_run *run, mli_classwise **out,
                            ml_error *err);
void mli_classwise_free(mli_classwise *c);
/* One step for each class from l->b, which never raises the objective. Classes that are
 * no further than `small` from their optimality conditions stay. *moved: some did not. */
ml_status mli_classwise_sweep(mli_classwise *c, double small, int *moved, ml_error *err);

#endif
