/* SPDX-License-Identifier: MIT
 *
 * trees/gbdt.h: the parts of the algorithm "gbdt".
 */
#ifndef MLI_TREES_GBDT_H
#define MLI_TREES_GBDT_H

#include "algorithms/trees/boost.h"

extern const mli_param mli_gbdt_params[];

/* From resolved parameters; `monotone` receives fresh memory [n_features] or NULL. */
ml_status mli_gbdt_options(const mli_fit *job, mli_boost_options *out, int8_t **monotone,
                           ml_error *err);
/* Row weights with class weights in them: NULL when all are 1. *fresh is to be freed. */
ml_status mli_gbdt_weights(const mli_fit *job, const mli_design *design,
                           const double **out, double **fresh, ml_error *err);
ml_status mli_gbdt_fit(mli_fit *job, ml_error *err);

/* The objective that a model was fitted with, from its parameters. */
void mli_gbdt_objective(const ml_params *params, const mli_inputs *inputs,
                        mli_objective *out);

#endif
