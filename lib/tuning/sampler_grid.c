/* SPDX-License-Identifier: MIT
 *
 * sampler_grid.c: all combinations; the last parameter varies fastest.
 */
#include "tuning/sampler.h"

static int64_t points(const mli_history *h)
{
    return mli_get_i64(h->options, "grid_points");
}

static int64_t limit(const mli_history *h)
{
    return mli_space_grid(h->space, points(h));
}

static ml_status propose(const mli_history *h, int64_t trial, double *u, void **cache,
                         ml_error *err)
{
    (void)cache, (void)err;
    int64_t rest = trial;
    for (int64_t i = h->space->n - 1; i >= 0; i--) {
        const mli_dimension *d = &h->space->dimensions[i];
        int64_t n = mli_dimension_points(d, points(h)), k = rest % n;
        rest /= n;
        /* Ranges include both ends; sets and steps take the middle of their stretch. */
        int whole = d->param->type == ML_PARAM_I64;
        int ends =
            !d->range.is_set && d->range.step <= 0 && n > 1 && (whole || n == points(h));
        u[i] = ends ? (double)k / (double)(n - 1) : ((double)k + 0.5) / (double)n;
    }
    return ML_OK;
}

const mli_sampler mli_sampler_grid = {"grid", 0, limit, propose};
