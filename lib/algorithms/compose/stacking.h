/* SPDX-License-Identifier: MIT
 *
 * compose/stacking.h: a model of what other models predict. Its features are the members'
 * values, or log-odds of probabilities: one per member for two classes, else one per
 * member and class.
 */
#ifndef MLI_COMPOSE_STACKING_H
#define MLI_COMPOSE_STACKING_H

#include "algorithms/compose/compose.h"

/* The names of the features of a whole with these members. */
ml_status mli_stack_inputs(const mli_inputs *whole, const mli_parts *members,
                           mli_inputs **out, ml_error *err);
/* What member number `member` predicts, [n * outputs], into rows of `width` features. */
void mli_stack_fill(const double *predictions, int64_t n, int64_t outputs, int classes,
                    int64_t member, int64_t width, double *rows);
/* Predicted rows as a design of the features, with targets and weights of `judged`. */
ml_status mli_stack_design(const mli_design *judged, mli_inputs *features,
                           const double *rows, mli_design **out, ml_error *err);
/* The parameters `given` of a whole with the usual final model added, resolved. */
ml_status mli_stack_params(ml_context *ctx, const mli_algorithm *whole,
                           const mli_inputs *in, const ml_params *given, ml_params **out,
                           ml_error *err);

/* For models whose parameters list members and, by "final", the model of what they
 * predict. */
ml_status mli_stack_plan(const ml_model *m, const mli_param *members,
                         const mli_param *final, const char *kind, mli_plan **out,
                         ml_error *err);
ml_status mli_stack_check(const ml_model *m, const mli_param *members,
                          const mli_param *final, ml_error *err);
/* A member or the final model; ML_E_NAME when there is none of that name. */
ml_status mli_stack_part(const ml_model *m, const mli_param *members,
                         const mli_param *final, const char *name, ml_model **out,
                         ml_error *err);

#endif
