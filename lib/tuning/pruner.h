/* SPDX-License-Identifier: MIT
 *
 * tuning/pruner.h: pruners.
 */
#ifndef MLI_TUNING_PRUNER_H
#define MLI_TUNING_PRUNER_H

#include "tuning/study.h"

/* With the lock held, after a report of that trial: should it be given up? */
int mli_study_prune(const ml_study *s, int64_t trial);

#endif
