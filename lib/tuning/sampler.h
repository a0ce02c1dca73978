/* SPDX-License-Identifier: MIT
 *
 * tuning/sampler.h: what a sampler is. One sampler is one file and one line in sampler.c.
 *
 * A sampler is a function of the history: the same trials, seed and options give the same
 * proposal, whatever happened in between. So a study that is resumed from its journal
 * goes on as if it had never stopped, and threads do not change results. A cache may hold
 * what can be computed again.
 */
#ifndef MLI_TUNING_SAMPLER_H
#define MLI_TUNING_SAMPLER_H

#include "tuning/space.h"

/* The trials so far, in order of their numbers; those of earlier studies come first. */
typedef struct mli_history {
    ml_context *ctx;
    const mli_space *space;
    const ml_params *options; /* "options.study" */
    uint64_t seed;
    int64_t n_objectives;
    int64_t n, n_prior; /* trials, and how many of them are from earlier studies */
    const double *x;    /* [n][space->n] coordinates; NaN: inactive */
    /* [n][n_objectives], lower is better. NaN: still running. Infinite: failed. */
    const double *y;
    const double
        *violation; /* [n] sum of what constraints are violated by; 0: feasible */
} mli_history;

#define MLI_SAMPLER_LEARNS     1 /* looks at the history (else it is not made) */
#define MLI_SAMPLER_OBJECTIVES 2 /* takes several objectives */

typedef struct mli_sampler {
    const char *name;
    int32_t flags;
    /* The number of points that there are; NULL: no end. */
    int64_t (*limit)(const mli_history *h);
    /* Fills u[space->n] for a trial: coordinates in [0, 1], a value also where inactive.
     * *cache is NULL at first and freed with mli_free in the end. */
    ml_status (*propose)(const mli_history *h, int64_t trial, double *u, void **cache,
                         ml_error *err);
} mli_sampler;

/* By its name; NULL when there is none. */
const mli_sampler *mli_sampler_find(const char *name);

/* Point `index` of a scrambled Sobol sequence. */
void mli_sobol_point(uint64_t seed, int64_t index, int64_t n, double *u);
/* The points that learning samplers begin with: Sobol points. */
void mli_startup_point(const mli_history *h, int64_t trial, double *u);
/* How many of them (the option `startup`, or the sampler's own number). */
int64_t mli_startup_count(const mli_history *h, int64_t automatic);
/* Snaps all coordinates. */
void mli_history_snap(const mli_history *h, double *u);
/* Has objective 0 of trial i a finite value? */
int mli_history_known(const mli_history *h, int64_t i);
/* A stream for a trial's choices. */
void mli_history_rng(const mli_history *h, int64_t trial, uint32_t purpose, mli_rng *rng);
/* Every fourth trial of a space with branches (sets that conditions ask for) goes into
 * one that has few trials for its dimensions: branch[space->n] receives the levels, NaN
 * where the sampler is free. 0: it is free everywhere. */
int mli_history_branch(const mli_history *h, int64_t trial, double *branch);
/* Is trial i in that branch? */
int mli_history_inside(const mli_history *h, int64_t i, const double *branch);
/* Scalar ranks of all known trials, best first: feasible before infeasible, then by front
 * and crowding when there are several objectives. order[n] receives their numbers; the
 * count is returned, -1 without memory. */
int64_t mli_history_order(const mli_history *h, int64_t *order);

#endif
