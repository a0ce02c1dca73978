/* SPDX-License-Identifier: MIT
 *
 * sampler_evolution.c: a genetic algorithm: parents by tournament, crossover, mutation.
 * With several objectives it is NSGA-II (Deb, Pratap, Agarwal, Meyarivan, 2002): rank by
 * front, then crowding; with one the rank is the score. Numbers cross by simulated binary
 * crossover and mutate by polynomial steps, sets exchange levels.
 *
 * The parents are the best `population` of all trials that have ended, so a proposal is a
 * function of the history, also when trials run side by side. O(m n^2) with m objectives.
 */
#include "tuning/sampler.h"

#include <math.h>
#include <string.h>

#define POPULATION 24
#define ETA_CROSS  10.0
#define ETA_MUTATE 15.0

static const double *parent(const mli_history *h, const int64_t *order, int64_t n,
                            mli_rng *rng)
{
    int64_t a = mli_rng_below(rng, n), b = mli_rng_below(rng, n);
    return h->x + order[a < b ? a : b] * h->space->n; /* the better rank */
}

static double cross(double a, double b, mli_rng *rng)
{
    double u = mli_rng_f64(rng), power = 1 / (ETA_CROSS + 1);
    double beta = u < 0.5 ? pow(2 * u, power) : pow(1 / (2 - 2 * u), power);
    double side = mli_rng_f64(rng) < 0.5 ? beta : -beta;
    double v = 0.5 * (a + b) + 0.5 * side * (a - b);
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

static double mutate(double v, mli_rng *rng)
{
    double u = mli_rng_f64(rng), power = 1 / (ETA_MUTATE + 1);
    double delta = u < 0.5 ? pow(2 * u, power) - 1 : 1 - pow(2 - 2 * u, power);
    v += delta;
    return v < 0 ? -v : v > 1 ? 2 - v : v;
}

static void child(const mli_history *h, const double *a, const double *b, mli_rng *rng,
                  double *u)
{
    int64_t d = h->space->n;
    double chance = d > 1 ? 1.5 / (double)d : 1;
    for (int64_t i = 0; i < d; i++) {
        int set = mli_dimension_is_set(&h->space->dimensions[i]);
        double x = isnan(a[i]) ? b[i] : a[i], y = isnan(b[i]) ? a[i] : b[i];
        if (isnan(x)) x = y = mli_rng_f64(rng); /* inactive in both */
        if (set || mli_rng_f64(rng) < 0.4)
            u[i] = mli_rng_f64(rng) < 0.5 ? x : y;
        else
            u[i] = cross(x, y, rng);
        if (mli_rng_f64(rng) < chance) u[i] = set ? mli_rng_f64(rng) : mutate(u[i], rng);
    }
}

/* Has the point been tried or does it run? */
static int known_point(const mli_history *h, const double *u)
{
    int64_t d = h->space->n;
    for (int64_t i = 0; i < h->n; i++) {
        int same = 1;
        for (int64_t k = 0; k < d && same; k++) {
            double x = h->x[i * d + k];
            same = isnan(x) || fabs(x - u[k]) < 1e-9;
        }
        if (same) return 1;
    }
    return 0;
}

static ml_status propose(const mli_history *h, int64_t trial, double *u, void **cache,
                         ml_error *err)
{
    (void)cache;
    int64_t *order = mli_alloc_vec(h->ctx, h->n + 1, sizeof *order);
    int64_t n = order ? mli_history_order(h, order) : -1;
    if (n < 0) {
        mli_free(h->ctx, order);
        return mli_nomem(err);
    }
    if (n < mli_startup_count(h, 16)) {
        mli_startup_point(h, trial, u);
    } else {
        mli_rng rng;
        mli_history_rng(h, trial, 0x65766f6c /* "evol" */, &rng);
        if (n > POPULATION) n = POPULATION;
        for (int tries = 0; tries < 10; tries++) {
            child(h, parent(h, order, n, &rng), parent(h, order, n, &rng), &rng, u);
            mli_history_snap(h, u);
            if (!known_point(h, u)) break;
        }
    }
    mli_free(h->ctx, order);
    return ML_OK;
}

const mli_sampler mli_sampler_evolution = {
    "evolution", MLI_SAMPLER_LEARNS | MLI_SAMPLER_OBJECTIVES, NULL, propose};
