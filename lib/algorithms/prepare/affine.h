/* SPDX-License-Identifier: MIT
 *
 * prepare/affine.h: scalers that shift and divide: (x - center) / scale, and may clip.
 */
#ifndef MLI_PREPARE_AFFINE_H
#define MLI_PREPARE_AFFINE_H

#include "algorithms/prepare/prepare.h"

/* The transformer: tensors "center" and "scale" f64 [features], 0 and 1 where a feature
 * is not picked. With the parameter `clip` set, and [low, high] of `range`, values are
 * cut. */
extern const mli_transformer mli_affine;
ml_status mli_affine_plan(const ml_model *m, const char *name, mli_plan **out,
                          ml_error *err);
ml_status mli_affine_outputs(const ml_model *m, mli_inputs **out, ml_error *err);
/* Adds both tensors, 0 and 1. */
ml_status mli_affine_add(mli_fit *job, double **center, double **scale, ml_error *err);
/* The distance of two values of a column, or 1 where it is nothing but rounding. */
double mli_affine_span(double low, double high);
extern const mli_attribute mli_affine_attributes[];

#endif
