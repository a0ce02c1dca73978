/* SPDX-License-Identifier: MIT
 *
 * compose/wrapped.h: what classifiers around one model share: calibrated, threshold.
 */
#ifndef MLI_COMPOSE_WRAPPED_H
#define MLI_COMPOSE_WRAPPED_H

#include "algorithms/compose/compose.h"

#define MLI_PARAM_WRAPPED                                                                \
    {                                                                                    \
        "model", "estimator,base_estimator", ML_PARAM_STRS,                              \
            MLI_FLAG_REQUIRED | MLI_FLAG_PARTS, NULL, NULL, NULL, NULL,                  \
            "The model inside: the name of an algorithm, or name=algorithm. Its "        \
            "parameters are set as \"name.parameter\".",                                 \
            "0.1"                                                                        \
    }
#define MLI_PARAM_HELDOUT_FOLDS                                                          \
    {                                                                                    \
        "folds", "cv,n_splits", ML_PARAM_I64, 0, "5", "[2, 100]", NULL, NULL,            \
            "Folds by which rows are predicted that the model was not fitted to; none "  \
            "when there are validation rows.",                                           \
            "0.1"                                                                        \
    }

/* Predictions for rows that the model was not fitted to. */
typedef struct mli_heldout {
    const mli_design *judged; /* the rows */
    double *predictions;      /* [rows * classes] */
} mli_heldout;

/* Predicts rows held out, lets `use` learn from them, fits the model to all rows. `list`:
 * the parameters, whose first is MLI_PARAM_WRAPPED. */
ml_status mli_wrapped_fit(mli_fit *job, const mli_param *list,
                          ml_status (*use)(mli_fit *job, const mli_heldout *h,
                                           ml_error *err),
                          ml_error *err);
ml_status mli_wrapped_plan(const ml_model *m, const mli_param *list, const char *kind,
                           mli_plan **out, ml_error *err);
ml_status mli_wrapped_check(const ml_model *m, const mli_param *list, ml_error *err);
void mli_wrapped_describe(const ml_params *p, const mli_param *list, mli_descriptor *out);

#endif
