/* SPDX-License-Identifier: MIT
 *
 * trees/predict.h: plans that score rows with an ensemble of trees.
 */
#ifndef MLI_TREES_PREDICT_H
#define MLI_TREES_PREDICT_H

#include "algorithms/trees/ensemble.h"
#include "algorithms/trees/objective.h"

ml_status mli_gbdt_plan(const ml_model *model, const char *kind, mli_plan **out,
                        ml_error *err);

#endif
