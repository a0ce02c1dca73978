/* SPDX-License-Identifier: MIT
 *
 * acquisition.c: expected improvement in a form that does not vanish (Ament, Daulton,
 * Eriksson, Balandat, Bakshy, "Unexpected improvements to expected improvement for
 * Bayesian optimization", NeurIPS 2023), the expected gain of hypervolume of two
 * objectives by strips (Emmerich, Yang, Deutz, Wang, Fonseca, 2016), and their maximum:
 * many points at once, then L-BFGS on the numbers and trials of other levels on the rest,
 * from the best few.
 */
#include "tuning/acquisition.h"

#include "tuning/lbfgs.h"

#include <math.h>
#include <string.h>

#define WIDE   192 /* points spread over the space */
#define NEAR   64  /* points around good ones */
#define BLOCK  64
#define STARTS 3
#define FEW    12 /* levels that are all tried */
#define ROUNDS 2
#define REACH  0.1 /* of a gradient search: with more of it all ends in corners */

#define INV_SQRT_2PI 0.39894228040143268
#define INV_SQRT_2   0.70710678118654752

static double cdf(double z)
{
    return 0.5 * erfc(-z * INV_SQRT_2);
}

static double pdf(double z)
{
    return INV_SQRT_2PI * exp(-0.5 * z * z);
}

/* R = cdf(z) / pdf(z) and 1 + z R, far out by series. */
static double ratio(double z, double *one_plus)
{
    if (z > -25) {
        double r = cdf(z) / pdf(z);
        *one_plus = 1 + z * r;
        return r;
    }
    double t = 1 / (z * z);
    *one_plus = t * (1 - t * (3 - t * (15 - 105 * t)));
    return -(1 - t * (1 - t * (3 - 15 * t))) / z;
}

double mli_log_ei(double mean, double sd, double best, double *d_mean, double *d_sd)
{
    double z = (best - mean) / sd, one_plus;
    if (z > 8) { /* the mean itself; nearly certain */
        *d_mean = -1 / (best - mean);
        *d_sd = 0;
        return log(best - mean);
    }
    double r = ratio(z, &one_plus);
    *d_mean = -r / (one_plus * sd);
    *d_sd = 1 / (one_plus * sd);
    return log(sd * one_plus * INV_SQRT_2PI) - 0.5 * z * z;
}

double mli_log_feasible(double mean, double sd, double *d_mean, double *d_sd)
{
    double z = -mean / sd, one_plus;
    if (z > 8) {
        *d_mean = *d_sd = 0;
        return 0;
    }
    double r = ratio(z, &one_plus);
    *d_mean = -1 / (r * sd);
    *d_sd = -z / (r * sd);
    return log(r * INV_SQRT_2PI) - 0.5 * z * z;
}

/* E max(0, min(top, value) - ...): the expected length of [value, top] below `top`. */
static double below(double top, double mean, double sd)
{
    double z = (top - mean) / sd;
    return (top - mean) * cdf(z) + sd * pdf(z);
}

/* Expected gain of hypervolume: strips between neighbours of the front along the first
 * objective; within strip k a point must be below front[k - 1] in the second. */
static double volume_gain(const mli_acquisition *a, const double *mean, const double *sd)
{
    double gain = 0, left = -INFINITY;
    for (int64_t k = 0; k <= a->n_front; k++) {
        double right = k < a->n_front ? a->front[2 * k] : a->reference[0];
        double top = k > 0 ? a->front[2 * k - 1] : a->reference[1];
        double width = below(right, mean[0], sd[0]);
        if (isfinite(left)) width -= below(left, mean[0], sd[0]);
        gain += width * below(top, mean[1], sd[1]);
        left = right;
    }
    return log(gain > 1e-300 ? gain : 1e-300);
}

int64_t mli_acquisition_work(const mli_embedding *e, int64_t n, int64_t n_models)
{
    int64_t d = e->space->n, f = e->n_features;
    int64_t block = BLOCK * f + (n + 1) * 2 * BLOCK + 2 * BLOCK * (n_models + 1);
    int64_t search = MLI_LBFGS_WORK(d) + 4 * n + 3 * f + 8 * d;
    return block + search + (WIDE + NEAR) * (d + 1) + STARTS * (d + 1);
}

/* Values of m <= BLOCK points. */
static void evaluate(const mli_acquisition *a, const double *points, int64_t m,
                     double *work, double *value)
{
    int64_t d = a->h->space->n, models = a->n_models + a->constrained;
    double *z = work, *mean = z + BLOCK * a->embedding->n_features;
    double *variance = mean + models * BLOCK, *rest = variance + models * BLOCK;
    for (int64_t c = 0; c < m; c++) {
        double *u = rest; /* it has room for d */
        memcpy(u, points + c * d, (size_t)d * sizeof *u);
        mli_space_mask(a->h->space, u);
        mli_embed(a->embedding, u, z + c, m);
    }
    for (int64_t k = 0; k < models; k++)
        mli_gp_predict(&a->models[k], z, m, rest, mean + k * BLOCK, variance + k * BLOCK);
    for (int64_t c = 0; c < m; c++) {
        double means[2] = {0}, sds[2] = {1, 1}, da, db;
        for (int64_t k = 0; k < 2 && k < a->n_models; k++) {
            means[k] = mean[k * BLOCK + c];
            sds[k] = sqrt(variance[k * BLOCK + c]);
        }
        value[c] = a->n_models == 2 ? volume_gain(a, means, sds)
                                    : mli_log_ei(means[0], sds[0], a->best, &da, &db);
        if (a->constrained)
            value[c] +=
                mli_log_feasible(mean[a->n_models * BLOCK + c],
                                 sqrt(variance[a->n_models * BLOCK + c]), &da, &db);
    }
}

static void evaluate_all(const mli_acquisition *a, const double *points, int64_t n,
                         double *work, double *value)
{
    int64_t d = a->h->space->n;
    for (int64_t b = 0; b < n; b += BLOCK)
        evaluate(a, points + b * d, n - b < BLOCK ? n - b : BLOCK, work, value + b);
}

/* A point near another: some coordinates moved by a normal step of a drawn size. */
static void near_point(const mli_acquisition *a, const double *from, mli_rng *rng,
                       double *u)
{
    int64_t d = a->h->space->n, forced = mli_rng_below(rng, d);
    double size = 0.3 * pow(0.03, mli_rng_f64(rng));
    double chance = d > 4 ? 3.0 / (double)d : 0.75;
    for (int64_t i = 0; i < d; i++) {
        u[i] = isnan(from[i]) ? mli_rng_f64(rng) : from[i];
        if (i != forced && mli_rng_f64(rng) >= chance) continue;
        if (mli_dimension_is_set(&a->h->space->dimensions[i]))
            u[i] = mli_rng_f64(rng);
        else
            u[i] += size * mli_rng_normal(rng);
        u[i] = u[i] < 0 ? 0 : u[i] > 1 ? 1 : u[i];
    }
}

/* Is it a number that may take any value, nearly? */
static int smooth(const mli_dimension *d)
{
    int64_t levels = mli_dimension_levels(d);
    return !mli_dimension_is_set(d) && (levels == 0 || levels > FEW);
}

/* The gradient search moves the smooth active coordinates of one point. */
typedef struct ascent {
    const mli_acquisition *a;
    double *point, *masked, *z, *d_mean, *d_variance, *work;
    int64_t *moving;
    int64_t n_moving;
} ascent;

static double descend(void *arg, const double *x, double *gradient)
{
    ascent *t = arg;
    const mli_acquisition *a = t->a;
    int64_t d = a->h->space->n;
    double value = 0;
    for (int64_t i = 0; i < t->n_moving; i++) {
        t->point[t->moving[i]] = x[i];
        gradient[i] = 0;
    }
    memcpy(t->masked, t->point, (size_t)d * sizeof *t->masked);
    mli_space_mask(a->h->space, t->masked);
    mli_embed(a->embedding, t->masked, t->z, 1);
    for (int64_t k = 0; k < 1 + a->constrained; k++) {
        double mean, variance, da, db;
        mli_gp_gradient(&a->models[k ? a->n_models : 0], t->z, t->work, &mean, &variance,
                        t->d_mean, t->d_variance);
        double sd = sqrt(variance);
        value -= k ? mli_log_feasible(mean, sd, &da, &db)
                   : mli_log_ei(mean, sd, a->best, &da, &db);
        for (int64_t i = 0; i < t->n_moving; i++) {
            int64_t f = a->embedding->begin[t->moving[i]];
            gradient[i] -= da * t->d_mean[f] + db * t->d_variance[f] / (2 * sd);
        }
    }
    return value;
}

static void climb(const mli_acquisition *a, double *u, double *work)
{
    int64_t d = a->h->space->n, f = a->embedding->n_features, n = a->models[0].n;
    ascent t = {.a = a, .point = u};
    double *x = work, *low = x + d, *high = low + d;
    t.masked = high + d;
    t.z = t.masked + d;
    t.d_mean = t.z + f;
    t.d_variance = t.d_mean + f;
    t.work = t.d_variance + f;
    double *search = t.work + 4 * n;
    t.moving = (int64_t *)(void *)(search + MLI_LBFGS_WORK(d));
    memcpy(t.masked, u, (size_t)d * sizeof *u);
    mli_space_mask(a->h->space, t.masked);
    for (int64_t i = 0; i < d; i++) {
        if (!smooth(&a->h->space->dimensions[i]) || isnan(t.masked[i])) continue;
        x[t.n_moving] = u[i];
        low[t.n_moving] = u[i] > REACH ? u[i] - REACH : 0;
        high[t.n_moving] = u[i] < 1 - REACH ? u[i] + REACH : 1;
        t.moving[t.n_moving++] = i;
    }
    if (t.n_moving == 0) return;
    mli_lbfgs problem = {.n = t.n_moving,
                         .low = low,
                         .high = high,
                         .steps = 20,
                         .tolerance = 1e-5,
                         .fn = descend,
                         .arg = &t};
    mli_lbfgs_run(&problem, x, search);
    for (int64_t i = 0; i < t.n_moving; i++) u[t.moving[i]] = x[i];
}

/* Tries the levels of each dimension that is not smooth. */
static double try_levels(const mli_acquisition *a, double *u, double value,
                         double *points, double *work)
{
    int64_t d = a->h->space->n;
    double values[BLOCK];
    for (int64_t i = 0; i < d; i++) {
        const mli_dimension *dim = &a->h->space->dimensions[i];
        int64_t levels = mli_dimension_levels(dim);
        if (smooth(dim) || levels < 2 || levels > BLOCK || !isnan(a->branch[i])) continue;
        for (int64_t k = 0; k < levels; k++) {
            memcpy(points + k * d, u, (size_t)d * sizeof *u);
            points[k * d + i] = ((double)k + 0.5) / (double)levels;
        }
        evaluate(a, points, levels, work, values);
        for (int64_t k = 0; k < levels; k++) {
            if (!(values[k] > value)) continue;
            value = values[k];
            u[i] = ((double)k + 0.5) / (double)levels;
        }
    }
    return value;
}

/* Has this very point been tried, or one near it that still runs? */
static int tried(const mli_acquisition *a, const double *u, double *masked)
{
    int64_t d = a->h->space->n;
    memcpy(masked, u, (size_t)d * sizeof *u);
    mli_space_mask(a->h->space, masked);
    for (int64_t i = 0; i < a->h->n; i++) {
        const double *x = a->h->x + i * d;
        double slack = isnan(a->h->y[i * a->h->n_objectives]) ? 0.01 : 1e-7;
        int same = 1;
        for (int64_t k = 0; k < d && same; k++)
            same = fabs(x[k] - masked[k]) < slack || (isnan(x[k]) && isnan(masked[k]));
        if (same) return 1;
    }
    return 0;
}

static double polish(const mli_acquisition *a, double *u, double value, double *points,
                     double *work)
{
    int64_t d = a->h->space->n;
    for (int round = 0; round < ROUNDS; round++) {
        double before = value;
        double *moved = points; /* free until the levels are tried */
        memcpy(moved, u, (size_t)d * sizeof *u);
        if (a->n_models == 1) climb(a, moved, work);
        mli_history_snap(a->h, moved);
        double at;
        evaluate(a, moved, 1, work, &at);
        if (at > value) {
            value = at;
            memcpy(u, moved, (size_t)d * sizeof *u);
        }
        value = try_levels(a, u, value, points, work);
        if (value <= before + 1e-9) break;
    }
    return value;
}

static int64_t best_of(const double *value, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (value[i] > value[best]) best = i;
    return best;
}

static void draw_points(const mli_acquisition *a, const double *incumbents,
                        int64_t n_incumbents, mli_rng *rng, double *points)
{
    int64_t d = a->h->space->n;
    uint64_t seed = mli_rng_u64(rng);
    for (int64_t i = 0; i < WIDE; i++) mli_sobol_point(seed, i, d, points + i * d);
    for (int64_t i = 0; i < NEAR; i++)
        near_point(a, incumbents + (i % n_incumbents) * d, rng, points + (WIDE + i) * d);
    for (int64_t i = 0; i < WIDE + NEAR; i++) {
        for (int64_t k = 0; k < d; k++)
            if (!isnan(a->branch[k])) points[i * d + k] = a->branch[k];
        mli_history_snap(a->h, points + i * d);
    }
}

void mli_acquisition_maximise(mli_acquisition *a, const double *incumbents,
                              int64_t n_incumbents, mli_rng *rng, double *u)
{
    int64_t d = a->h->space->n, n = WIDE + NEAR;
    double *points = a->work, *value = points + n * d, *starts = value + n;
    double *start_value = starts + STARTS * d, *work = start_value + STARTS;
    draw_points(a, incumbents, n_incumbents, rng, points);
    evaluate_all(a, points, n, work, value);
    for (int64_t i = 0; i < n; i++)
        if (tried(a, points + i * d, work)) value[i] = -INFINITY;
    memcpy(u, points + best_of(value, n) * d, (size_t)d * sizeof *u);
    for (int s = 0; s < STARTS; s++) {
        int64_t i = best_of(value, n);
        memcpy(starts + s * d, points + i * d, (size_t)d * sizeof *u);
        start_value[s] = value[i];
        value[i] = -INFINITY;
    }
    for (int s = 0; s < STARTS; s++) {
        start_value[s] = polish(a, starts + s * d, start_value[s], points, work);
        if (tried(a, starts + s * d, work)) start_value[s] = -INFINITY;
    }
    int64_t best = best_of(start_value, STARTS);
    if (start_value[best] > -INFINITY)
        memcpy(u, starts + best * d, (size_t)d * sizeof *u);
}
