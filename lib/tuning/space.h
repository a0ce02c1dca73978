/* SPDX-License-Identifier: MIT
 *
 * tuning/space.h: the search space of a study, from the tuning ranges of a descriptor.
 */
#ifndef MLI_TUNING_SPACE_H
#define MLI_TUNING_SPACE_H

#include "core/params.h"
#include "core/rng.h"

/* One dimension: a parameter and its tuning range. */
typedef struct mli_dimension {
    const mli_param *param;
    mli_range range;
} mli_dimension;

typedef struct mli_space {
    ml_context *ctx;
    const mli_descriptor *descriptor;
    int64_t n;
    mli_dimension *dimensions;
} mli_space;

/* The parameters named in `tune`, or with none named all that have a tuning range and are
 * not set explicitly in `base`. */
ml_status mli_space_init(mli_space *s, ml_context *ctx, const mli_descriptor *d,
                         const ml_params *base, const char *const *tune, int64_t n_tune,
                         ml_error *err);
void mli_space_free(mli_space *s);

/* The value of a dimension at u in [0, 1), as text. */
void mli_dimension_text(const mli_dimension *d, double u, mli_str *s);
/* The number of points of a dimension in a grid of about `points` per range. */
int64_t mli_dimension_points(const mli_dimension *d, int64_t points);
/* Points of the whole grid, INT64_MAX when they overflow. */
int64_t mli_space_grid(const mli_space *s, int64_t points);

/* `base` with the point's values put in: u[n] from samplers. Inactive conditional
 * parameters are left at their base value. */
ml_status mli_space_at(const mli_space *s, const ml_params *base, const double *u,
                       ml_params **out, ml_error *err);

/* A sampler fills u[n] for a trial. It sees the trial's number only; samplers that learn
 * from results will get the history as well. Returns 0 when there are no more points. */
int mli_sample_random(const mli_space *s, uint64_t seed, int64_t trial, double *u);
int mli_sample_grid(const mli_space *s, int64_t points, int64_t trial, double *u);

#endif
