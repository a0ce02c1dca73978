/* SPDX-License-Identifier: MIT
 *
 * sampler_random.c: uniform in the unit cube; a stream per trial.
 */
#include "tuning/sampler.h"

static ml_status propose(const mli_history *h, int64_t trial, double *u, void **cache,
                         ml_error *err)
{
    (void)cache, (void)err;
    mli_rng rng;
    mli_history_rng(h, trial, 0x73747564 /* "stud" */, &rng);
    for (int64_t i = 0; i < h->space->n; i++) u[i] = mli_rng_f64(&rng);
    return ML_OK;
}

const mli_sampler mli_sampler_random = {"random", 0, NULL, propose};
