/* SPDX-License-Identifier: MIT
 *
 * tuning/gp.h: Gaussian process regression over the points of a search space.
 */
#ifndef MLI_TUNING_GP_H
#define MLI_TUNING_GP_H

#include "tensor/kernels.h"
#include "tuning/space.h"

/* Points are embedded so that squared Euclidean distances say all: a number is itself, a
 * set is one-hot times sqrt(1/2) (other level: distance 1), and a conditional dimension
 * has a flag more (active against not: distance 1 in it, and the value is 1/2). */
typedef struct mli_embedding {
    const mli_space *space;
    int64_t n_features;
    int64_t *begin; /* [space->n + 1] first feature of a dimension */
} mli_embedding;
ml_status mli_embedding_init(mli_embedding *e, const mli_space *s, ml_error *err);
void mli_embedding_free(mli_embedding *e);
/* Features of one point, `stride` apart. */
void mli_embed(const mli_embedding *e, const double *u, double *z, int64_t stride);

/* theta: for each dimension the log of its inverse squared length scale, then the logs of
 * the signal's and the noise's variance. */
typedef struct mli_gp {
    ml_context *ctx;
    const mli_kernels *k;
    const mli_embedding *embedding;
    int64_t n, capacity;
    double *z;      /* [n][n_features] */
    double *y;      /* [n] */
    double *theta;  /* [space->n + 2] */
    double *spread; /* [space->n] how sure theta is: standard deviations, once learnt */
    double *scale;  /* [space->n] exp(theta) when it was factorised */
    double *l;      /* [n][n] Cholesky factor of the covariance, then its inverse */
    double *alpha;  /* [n] covariance^-1 y */
    double mean;    /* of the process */
} mli_gp;

/* Room for `capacity` points. */
ml_status mli_gp_init(mli_gp *g, ml_context *ctx, const mli_embedding *e,
                      int64_t capacity, ml_error *err);
void mli_gp_free(mli_gp *g);
void mli_gp_add(mli_gp *g, const double *u, double y);
/* theta by the largest posterior density (marginal likelihood and priors) of the points,
 * of which y is about standardised. Sets spread as well. */
ml_status mli_gp_learn(mli_gp *g, ml_error *err);
/* Factorises with theta as it is. ML_E_NUMERIC when that fails. */
ml_status mli_gp_factor(mli_gp *g, ml_error *err);

/* Mean and variance (without noise) at m points: z[f * m + c] is feature f of point c.
 * work: (n + 1) * 2 * m doubles. */
void mli_gp_predict(const mli_gp *g, const double *z, int64_t m, double *work,
                    double *mean, double *variance);
/* At one point of features z, with gradients by the features, d_mean and d_variance
 * [n_features]. work: 4 * n doubles. */
void mli_gp_gradient(const mli_gp *g, const double *z, double *work, double *mean,
                     double *variance, double *d_mean, double *d_variance);

#endif
