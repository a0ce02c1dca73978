/* SPDX-License-Identifier: MIT
 *
 * sampler_grid.c: all combinations; the last parameter varies fastest. Those that differ
 * in parameters that are not active only are one, in grids of up to MOST points: of
 * larger ones each is taken as it comes, since the distinct ones are found by counting.
 */
#include "tuning/sampler.h"

#include <math.h>

#define MOST 10000

static int64_t points(const mli_history *h)
{
    return mli_get_i64(h->options, "grid_points");
}

/* The coordinates of a point by its number. 1 where it is the first of those that differ
 * in inactive parameters only. */
static int place(const mli_history *h, int64_t number, double *u)
{
    int first = 1;
    for (int64_t i = h->space->n - 1; i >= 0; i--) {
        int64_t n = mli_dimension_points(&h->space->dimensions[i], points(h));
        u[i] = (double)(number % n);
        number /= n;
    }
    for (int64_t i = 0; i < h->space->n; i++) {
        const mli_dimension *d = &h->space->dimensions[i];
        int64_t n = mli_dimension_points(d, points(h));
        double k = u[i];
        /* Ranges include both ends; sets and steps take the middle of their stretch. */
        int whole = d->param->type == ML_PARAM_I64;
        int ends =
            !d->range.is_set && d->range.step <= 0 && n > 1 && (whole || n == points(h));
        u[i] = ends ? k / (double)(n - 1) : (k + 0.5) / (double)n;
        if (mli_space_active(h->space, i, u)) continue;
        u[i] = NAN;
        first &= k == 0;
    }
    return first;
}

/* Are the distinct ones of so many points found by counting? */
static int by_count(const mli_history *h, int64_t all)
{
    return h->space->conditional && all <= MOST;
}

static int64_t limit(const mli_history *h)
{
    int64_t all = mli_space_grid(h->space, points(h)), distinct = 0;
    if (!by_count(h, all)) return all;
    double *u = mli_alloc_vec(h->ctx, h->space->n, sizeof *u);
    for (int64_t i = 0; u && i < all; i++) distinct += place(h, i, u);
    mli_free(h->ctx, u);
    return u ? distinct : all;
}

static ml_status propose(const mli_history *h, int64_t trial, double *u, void **cache,
                         ml_error *err)
{
    (void)cache, (void)err;
    if (!by_count(h, mli_space_grid(h->space, points(h)))) {
        place(h, trial, u);
        return ML_OK;
    }
    for (int64_t at = 0;; at++)
        if (place(h, at, u) && trial-- == 0) return ML_OK;
}

const mli_sampler mli_sampler_grid = {"grid", 0, limit, propose};
