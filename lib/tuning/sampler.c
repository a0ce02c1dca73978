/* SPDX-License-Identifier: MIT
 *
 * sampler.c: the list of samplers, and what they share.
 */
#include "tuning/sampler.h"

#include "tuning/pareto.h"

#include <math.h>
#include <string.h>

extern const mli_sampler mli_sampler_random, mli_sampler_grid, mli_sampler_sobol,
    mli_sampler_tpe, mli_sampler_gp, mli_sampler_cma, mli_sampler_evolution;

static const mli_sampler *const samplers[] = {
    &mli_sampler_random, &mli_sampler_grid, &mli_sampler_sobol,    &mli_sampler_tpe,
    &mli_sampler_gp,     &mli_sampler_cma,  &mli_sampler_evolution};

const mli_sampler *mli_sampler_find(const char *name)
{
    for (size_t i = 0; i < sizeof samplers / sizeof *samplers; i++)
        if (strcmp(samplers[i]->name, name) == 0) return samplers[i];
    if (strcmp(name, "bayesian") == 0) return &mli_sampler_gp;
    if (strcmp(name, "nsga2") == 0) return &mli_sampler_evolution;
    return NULL;
}

void mli_startup_point(const mli_history *h, int64_t trial, double *u)
{
    mli_sobol_point(h->seed, trial, h->space->n, u);
}

int64_t mli_startup_count(const mli_history *h, int64_t automatic)
{
    int64_t n = mli_get_i64(h->options, "startup");
    return n > 0 ? n : automatic;
}

void mli_history_snap(const mli_history *h, double *u)
{
    for (int64_t i = 0; i < h->space->n; i++)
        u[i] = mli_dimension_snap(&h->space->dimensions[i], u[i]);
}

int mli_history_known(const mli_history *h, int64_t i)
{
    return isfinite(h->y[i * h->n_objectives]);
}

void mli_history_rng(const mli_history *h, int64_t trial, uint32_t purpose, mli_rng *rng)
{
    mli_rng_init(rng, h->seed, (uint64_t)trial, purpose);
}

int64_t mli_history_order(const mli_history *h, int64_t *order)
{
    int64_t n = 0, m = h->n_objectives;
    for (int64_t i = 0; i < h->n; i++)
        if (mli_history_known(h, i)) order[n++] = i;
    return mli_pareto_order(h->ctx, h->y, h->violation, m, order, n) ? n : -1;
}
