/* SPDX-License-Identifier: MIT
 *
 * compose/calibration.h: probabilities that mean what they say: maps from those of a
 * model to those that were observed.
 */
#ifndef MLI_COMPOSE_CALIBRATION_H
#define MLI_COMPOSE_CALIBRATION_H

#include "algorithms/compose/compose.h"

#define MLI_CALIBRATE_NONE        0
#define MLI_CALIBRATE_SIGMOID     1
#define MLI_CALIBRATE_ISOTONIC    2
#define MLI_CALIBRATE_TEMPERATURE 3
#define MLI_CALIBRATE_NAMES       "none,sigmoid,isotonic,temperature"

typedef struct mli_calibration {
    ml_context *ctx;
    int32_t method;
    int64_t classes;
    int64_t maps;   /* 1 for two classes (of the second), else one per class */
    double *line;   /* sigmoid: [maps][2] slope and intercept on the log-odds */
    double beta;    /* temperature: what log-probabilities are multiplied by */
    int64_t *begin; /* isotonic: [maps + 1] first points of the maps */
    double *x, *y;  /* [begin[maps]] */
} mli_calibration;

/* Fits a map to proba[n * classes]. weight may be NULL. */
ml_status mli_calibration_fit(ml_context *ctx, int32_t method, const double *proba,
                              const int32_t *label, const double *weight, int64_t n,
                              int64_t classes, mli_calibration *out, ml_error *err);
void mli_calibration_free(mli_calibration *c); /* also of one all zero */
/* Rows of probabilities in place. NaN stays NaN. */
void mli_calibration_apply(const mli_calibration *c, double *proba, int64_t n);

/* As tensors of a model: "calibration_sigmoid" [maps, 2], "calibration_isotonic"
 * [points, 3] (map, from, to), "calibration_beta" [1]. Loading finds none: method NONE.
 */
ml_status mli_calibration_save(const mli_calibration *c, ml_model *m, ml_error *err);
ml_status mli_calibration_load(const ml_model *m, mli_calibration *out, ml_error *err);
/* A plan for probabilities followed by the map; takes both over, also on failure. */
ml_status mli_calibration_plan(mli_plan *proba, mli_calibration *c, mli_plan **out,
                               ml_error *err);

#endif
