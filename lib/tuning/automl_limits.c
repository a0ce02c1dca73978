/* SPDX-License-Identifier: MIT
 *
 * automl_limits.c: numbers out of all proportion, which count as missing for all
 * candidates (automl_front.c).
 *
 * In a sum with a number that is 2^53 times as large as the usual ones nothing is left of
 * them, and beside infinity linear models have no solution at all.
 */
#include "data/quantiles.h"
#include "tuning/automl.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define BEYOND 0x1p53
#define LARGE  1e15 /* smaller ones are not looked at twice */
#define BLOCK  512

static double largest(const mli_design *d, int64_t j)
{
    double room[BLOCK], most = 0;
    for (int64_t i = 0, n; i < d->rows; i += n) {
        n = d->rows - i < BLOCK ? d->rows - i : BLOCK;
        const double *x = mli_design_look(d, j, i, i + n, room);
        for (int64_t r = 0; r < n; r++) most = fabs(x[r]) > most ? fabs(x[r]) : most;
    }
    return most;
}

/* The size above which numbers of a column count as missing; infinite: none is so large.
 */
static ml_status find_limit(const mli_design *d, int64_t j, double *out, ml_error *err)
{
    static const double half = 0.5;
    mli_quantiles sizes;
    double room[BLOCK], most = largest(d, j), usual;
    *out = INFINITY;
    if (!(most > LARGE)) return ML_OK;
    mli_quantiles_init(&sizes, d->ctx);
    int ok = 1;
    for (int64_t i = 0, n; i < d->rows && ok; i += n) {
        int64_t kept = 0;
        n = d->rows - i < BLOCK ? d->rows - i : BLOCK;
        const double *x = mli_design_look(d, j, i, i + n, room);
        for (int64_t r = 0; r < n; r++) {
            double size = fabs(x[r]);
            if (size > 0 && size <= DBL_MAX) room[kept++] = size;
        }
        ok = mli_quantiles_add(&sizes, room, kept);
    }
    if (ok) ok = mli_quantiles_at(&sizes, &half, 1, &usual);
    mli_quantiles_free(&sizes);
    if (!ok) return mli_nomem(err);
    double limit = isnan(usual) ? 0 : fmin(BEYOND * usual, DBL_MAX);
    if (most > limit) *out = limit;
    return ML_OK;
}

/* Bounds of all columns, infinite where all values stay. *any: is there another one? */
static ml_status find_bounds(const mli_design *d, double *low, double *high, int *any,
                             ml_error *err)
{
    ml_status status = ML_OK;
    for (int64_t j = 0; j < d->n_features && !status; j++) {
        high[j] = INFINITY;
        if (d->columns[j].kind == MLI_NUMERIC) status = find_limit(d, j, &high[j], err);
        low[j] = -high[j];
        if (isinf(high[j])) continue;
        *any = 1;
        mli_log(d->ctx, ML_LOG_INFO, "automl",
                "values of \"%s\" beyond %g count as missing",
                d->inputs->features[j].name, high[j]);
    }
    return status;
}

ml_status mli_automl_limits(const mli_fit *job, const mli_algorithm *clipper,
                            const ml_params *params, ml_model **out, ml_error *err)
{
    const mli_design *d = job->train;
    int64_t n = d->n_features;
    double *bounds = mli_alloc_vec(d->ctx, 2 * n, sizeof *bounds), *to;
    ml_model *m = NULL;
    int any = 0;
    if (!bounds) return mli_nomem(err);
    ml_status status = find_bounds(d, bounds, bounds + n, &any, err);
    if (!status && any)
        status = mli_model_new(d->ctx, clipper, params, d->inputs, &m, err);
    for (int k = 0; k < 2 && m && !status; k++) {
        status = mli_model_add(m, k ? "high" : "low", ML_DTYPE_F64, 1, &n, &to, err);
        if (!status) memcpy(to, bounds + k * n, (size_t)n * sizeof *to);
    }
    if (m && !status) status = mli_model_seal(m, err);
    mli_free(d->ctx, bounds);
    if (status)
        ml_model_free(m);
    else
        *out = m;
    return status;
}
