/* SPDX-License-Identifier: MIT
 *
 * trees/gbdt.h: the parts of the algorithm "gbdt".
 */
#ifndef MLI_TREES_GBDT_H
#define MLI_TREES_GBDT_H

#include "algorithms/trees/boost.h"

extern const mli_param mli_gbdt_params[];

/* From resolved parameters; to be freed, also after a failure. */
ml_status mli_gbdt_options(const mli_fit *job, mli_boost_options *out, ml_error *err);
void mli_gbdt_options_free(ml_context *ctx, mli_boost_options *o);
/* The MLI_TASK_ of the objective, 0 when it suits several. */
uint32_t mli_gbdt_task(const ml_params *p);
/* Row weights with class weights in them: NULL when all are 1. *fresh is to be freed. */
ml_status mli_gbdt_weights(const mli_fit *job, const mli_design *design,
                           const double **out, double **fresh, ml_error *err);
ml_status mli_gbdt_fit(mli_fit *job, ml_error *err);

/* The objective that a model was fitted with, from its parameters. */
void mli_gbdt_objective(const ml_params *params, const mli_inputs *inputs,
                        mli_objective *out);

#endif
