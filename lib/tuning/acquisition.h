/* SPDX-License-Identifier: MIT
 *
 * tuning/acquisition.h: how promising a point is, and the search for the most promising.
 */
#ifndef MLI_TUNING_ACQUISITION_H
#define MLI_TUNING_ACQUISITION_H

#include "tuning/gp.h"
#include "tuning/sampler.h"

/* log of expected improvement below `best` of a normal variable, and its derivatives. */
double mli_log_ei(double mean, double sd, double best, double *d_mean, double *d_sd);
/* log of the chance that a normal variable is at most 0. */
double mli_log_feasible(double mean, double sd, double *d_mean, double *d_sd);

/* Models: objectives, then (when `constrained`) one of the violation. With two objectives
 * the volume that a point is expected to add to the front counts, with more or one the
 * improvement of the first model below `best`. */
typedef struct mli_acquisition {
    const mli_history *h;
    const mli_embedding *embedding;
    int64_t n_models; /* of the objectives */
    mli_gp *models;
    int32_t constrained; /* models[n_models] is that of the violation */
    double best;
    const double *front; /* [n_front][2] ascending by the first, of two objectives */
    int64_t n_front;
    double reference[2];
    const double *branch; /* [d] coordinates that are given, NaN where it is free */
    double *work;
} mli_acquisition;

/* Doubles of work that maximising needs, for n training points. */
int64_t mli_acquisition_work(const mli_embedding *e, int64_t n, int64_t n_models);
/* The best point found, snapped: u[space->n]. `incumbents` are n_incumbents good points
 * to look around, [n_incumbents][space->n]. */
void mli_acquisition_maximise(mli_acquisition *a, const double *incumbents,
                              int64_t n_incumbents, mli_rng *rng, double *u);

#endif
