/* SPDX-License-Identifier: MIT
 *
 * sampler_tpe.c: the tree-structured Parzen estimator (Bergstra, Bardenet, Bengio, Kegl,
 * NIPS 2011) over all dimensions jointly (Falkner, Klein, Hutter, BOHB, ICML 2018).
 *
 * The trials are cut into good and other ones. Each part becomes a mixture of one kernel
 * per trial and a broad one. Points are drawn from the mixture of the good ones, and the
 * one whose density there is largest against that of the others is proposed. Dimensions
 * of the same condition are a group; groups are drawn one after the other, each from the
 * trials that have it, so that a branch of few and bad trials is still searched well.
 * Running trials count as others, so that parallel trials keep apart. O(n d) a drawn
 * point, O(n log n d) for the widths.
 */
#include "tuning/sampler.h"

#include "core/radix.h"

#include <math.h>
#include <string.h>

#define STARTUP    10
#define CANDIDATES 32
#define BROAD      1.0 /* width of the broad kernel */

/* Which trials make a mixture, and how wide their kernels are. */
typedef struct mixture {
    const mli_history *h;
    const int64_t *dims; /* the group's dimensions */
    int64_t n_dims, n;
    const int64_t *trials; /* [n], which all have the group */
    double *weight;        /* [n + 1], the last is that of the broad kernel; sums to 1 */
    double *width;         /* [n][n_dims] of the kernels */
    double *norm;          /* [n][n_dims] log of what divides the density of one */
} mixture;

static double normal_cdf(double z)
{
    return 0.5 * erfc(-z * 0.70710678118654752);
}

/* Mass of a truncated normal kernel in [a, b], over its mass in [0, 1]. */
static double mass(double mean, double width, double a, double b)
{
    double all = normal_cdf((1 - mean) / width) - normal_cdf(-mean / width);
    return (normal_cdf((b - mean) / width) - normal_cdf((a - mean) / width)) / all;
}

/* Of a normal kernel that is cut off at 0 and 1, up to a constant. */
static double log_norm(double mean, double width)
{
    return log(width * (normal_cdf((1 - mean) / width) - normal_cdf(-mean / width)));
}

/* Log of the chance of the stretch (or the density at the point) u of one dimension. */
static double log_kernel(const mixture *m, int64_t dim, double mean, double width,
                         double norm, double u)
{
    const mli_dimension *d = &m->h->space->dimensions[dim];
    int64_t levels = mli_dimension_levels(d);
    if (mli_dimension_is_set(d)) {
        double even = 1.0 / (double)(m->n + 1); /* for each level */
        int same = !isnan(mean) && fabs(mean - u) * (double)levels < 0.5;
        return log(isnan(mean)
                       ? 1.0 / (double)levels
                       : ((same ? 1.0 : 0) + even) / (1.0 + even * (double)levels));
    }
    if (isnan(mean)) mean = 0.5;
    if (levels > 0 && levels <= 64 && !d->range.log) {
        double half = 0.5 / (double)levels;
        return log(mass(mean, width, u - half, u + half) + 1e-300);
    }
    double z = (u - mean) / width;
    return fmax(-0.5 * z * z - norm, -690);
}

static double log_density(const mixture *m, const double *u)
{
    int64_t d = m->h->space->n;
    double most = -INFINITY, sum = 0, broad = log_norm(0.5, BROAD);
    for (int64_t i = 0; i <= m->n; i++) {
        const double *x = i < m->n ? m->h->x + m->trials[i] * d : NULL;
        double log_p = log(m->weight[i]);
        for (int64_t g = 0; g < m->n_dims; g++) {
            int64_t k = m->dims[g], at = i * m->n_dims + g;
            log_p += log_kernel(m, k, x ? x[k] : NAN, x ? m->width[at] : BROAD,
                                x ? m->norm[at] : broad, u[k]);
        }
        if (log_p > most) {
            sum = sum * exp(most - log_p) + 1;
            most = log_p;
        } else {
            sum += exp(log_p - most);
        }
    }
    return most + log(sum);
}

static double draw_normal(mli_rng *rng, double mean, double width)
{
    for (int tries = 0; tries < 100; tries++) {
        double u = mean + width * mli_rng_normal(rng);
        if (u >= 0 && u <= 1) return u;
    }
    return mli_rng_f64(rng);
}

/* Draws the group's coordinates of u. */
static void draw(const mixture *m, mli_rng *rng, double *u)
{
    int64_t d = m->h->space->n, i = 0;
    for (double left = mli_rng_f64(rng); i < m->n && left >= m->weight[i]; i++)
        left -= m->weight[i];
    const double *x = i < m->n ? m->h->x + m->trials[i] * d : NULL;
    for (int64_t g = 0; g < m->n_dims; g++) {
        int64_t k = m->dims[g];
        const mli_dimension *dim = &m->h->space->dimensions[k];
        double levels = (double)mli_dimension_levels(dim);
        int even = mli_rng_f64(rng) < levels / (levels + (double)(m->n + 1));
        if (!x || (mli_dimension_is_set(dim) && even))
            u[k] = mli_rng_f64(rng);
        else
            u[k] = mli_dimension_is_set(dim)
                       ? x[k]
                       : draw_normal(rng, x[k], m->width[i * m->n_dims + g]);
        u[k] = mli_dimension_snap(dim, u[k]);
    }
}

/* Weights rise over the older trials to 1 for the newest 25, of good ones all are 1. */
static void set_weights(mixture *m, int rising)
{
    double sum = 1;
    for (int64_t i = 0; i < m->n; i++) {
        int64_t older = m->n - 25;
        m->weight[i] = rising && i < older ? (double)(i + 1) / (double)(older + 1) : 1;
        sum += m->weight[i];
    }
    m->weight[m->n] = 1;
    for (int64_t i = 0; i <= m->n; i++) m->weight[i] /= sum;
}

/* The width of a kernel is the distance to its farther neighbour in that dimension. */
static void set_widths(mixture *m, double *at, uint64_t *word)
{
    int64_t d = m->h->space->n, n = m->n, found;
    double least = 1.0 / fmin(100, 2 + (double)n);
    for (int64_t g = 0; g < m->n_dims; g++) {
        for (int64_t i = 0; i < n; i++) at[i] = m->h->x[m->trials[i] * d + m->dims[g]];
        const uint64_t *order = mli_radix_order_f64(at, n, word, word + n, &found);
        for (int64_t k = 0; k < n; k++) {
            int64_t i = (int64_t)(order[k] & UINT32_MAX);
            double left = k > 0 ? at[i] - at[order[k - 1] & UINT32_MAX] : -1;
            double right = k < n - 1 ? at[order[k + 1] & UINT32_MAX] - at[i] : -1;
            double width = n > 1 ? fmax(fmax(left, right), least) : BROAD;
            m->width[i * m->n_dims + g] = width;
            m->norm[i * m->n_dims + g] = log_norm(at[i], width);
        }
    }
}

/* Work space of a proposal. */
typedef struct parzen {
    const mli_history *h;
    int64_t *order; /* [n] known trials, best first */
    int64_t n_order;
    int64_t *trials; /* [n] those of the mixtures: good ones, then the others */
    char *is_good;   /* [n] */
    int64_t *dims;   /* [d] of the group */
    double *branch;  /* [d] coordinates that are given, or NaN */
    double *work;
    uint64_t *word; /* [2 n] */
} parzen;

/* Of the trials that have the group (its first dimension), the best tenth go to `good`,
 * the others to `rest`, both in order of their numbers. Returns how many are known. */
static int64_t cut(parzen *p, int64_t dim, mixture *good, mixture *rest)
{
    const mli_history *h = p->h;
    int64_t d = h->space->n, known = 0, n = 0;
    for (int64_t i = 0; i < p->n_order; i++) known += !isnan(h->x[p->order[i] * d + dim]);
    int64_t n_good = (int64_t)ceil(0.1 * (double)known);
    if (n_good > 25) n_good = 25;
    memset(p->is_good, 0, (size_t)h->n);
    for (int64_t i = 0; i < p->n_order && n < n_good; i++) {
        if (isnan(h->x[p->order[i] * d + dim])) continue;
        p->is_good[p->order[i]] = 1;
        n++;
    }
    int64_t *at = p->trials;
    for (int part = 1; part >= 0; part--) {
        mixture *m = part ? good : rest;
        m->trials = at;
        m->n = 0;
        for (int64_t i = 0; i < h->n; i++)
            if (p->is_good[i] == part && !isnan(h->x[i * d + dim])) at[m->n++] = i;
        at += m->n;
    }
    return known;
}

/* Chooses the group's coordinates of u; the others are left. */
static void choose(const mixture *good, const mixture *rest, mli_rng *rng, double *drawn,
                   double *u)
{
    double best = -INFINITY;
    for (int c = 0; c < CANDIDATES; c++) {
        draw(good, rng, drawn);
        double gain = log_density(good, drawn) - log_density(rest, drawn);
        if (gain <= best) continue;
        best = gain;
        for (int64_t g = 0; g < good->n_dims; g++)
            u[good->dims[g]] = drawn[good->dims[g]];
    }
}

static void propose_group(parzen *p, int64_t n_dims, mli_rng *rng, double *u)
{
    mixture good = {.h = p->h, .dims = p->dims, .n_dims = n_dims}, rest = good;
    if (cut(p, p->dims[0], &good, &rest) < STARTUP / 2) {
        for (int64_t g = 0; g < n_dims; g++) u[p->dims[g]] = mli_rng_f64(rng);
        return;
    }
    good.weight = p->work;
    rest.weight = good.weight + good.n + 1;
    good.width = rest.weight + rest.n + 1;
    good.norm = good.width + good.n * n_dims;
    rest.width = good.norm + good.n * n_dims;
    rest.norm = rest.width + rest.n * n_dims;
    double *spare = rest.norm + rest.n * n_dims; /* [n], and [d] for a point */
    set_weights(&good, 0);
    set_weights(&rest, 1);
    set_widths(&good, spare, p->word);
    set_widths(&rest, spare, p->word);
    choose(&good, &rest, rng, spare, u);
}

/* The dimensions of the same condition as `first`, which is their lowest; 0 when a lower
 * one shares it. */
static int64_t group_of(const parzen *p, int64_t first)
{
    const mli_space *s = p->h->space;
    int64_t n = 0;
    for (int64_t k = 0; k < s->n; k++) {
        if (!mli_space_together(s, first, k)) continue;
        if (k < first) return 0;
        p->dims[n++] = k;
    }
    return n;
}

static void propose_groups(parzen *p, int64_t trial, double *u)
{
    const mli_space *s = p->h->space;
    mli_rng rng;
    mli_history_rng(p->h, trial, 0x747065 /* "tpe" */, &rng);
    for (int64_t k = 0; k < s->n; k++) u[k] = 0.5;
    for (int64_t k = 0; k < s->n; k++) {
        int64_t n = group_of(p, k);
        if (n == 0) continue;
        if (mli_space_active(s, k, u))
            propose_group(p, n, &rng, u);
        else
            for (int64_t g = 0; g < n; g++) u[p->dims[g]] = NAN;
        for (int64_t g = 0; g < n; g++)
            if (!isnan(p->branch[p->dims[g]])) u[p->dims[g]] = p->branch[p->dims[g]];
    }
    for (int64_t k = 0; k < s->n; k++)
        if (isnan(u[k])) u[k] = 0.5;
}

static ml_status propose(const mli_history *h, int64_t trial, double *u, void **cache,
                         ml_error *err)
{
    (void)cache;
    int64_t n = h->n, d = h->space->n;
    parzen p = {.h = h};
    p.order = mli_alloc_vec(h->ctx, 2 * n + d + 1, sizeof *p.order);
    double *work = mli_alloc_vec(h->ctx, (n + 2) * (2 * d + 2) + 4 * d, sizeof *work);
    p.word = mli_alloc_vec(h->ctx, 2 * n + 1, sizeof *p.word);
    p.is_good = mli_calloc(h->ctx, (size_t)n + 1, 1);
    int made = p.order && work && p.is_good && p.word;
    p.n_order = made ? mli_history_order(h, p.order) : -1;
    if (p.n_order >= 0) {
        p.trials = p.order + n;
        p.dims = p.trials + n;
        p.branch = work;
        p.work = work + d;
        mli_history_branch(h, trial, p.branch);
        if (p.n_order < mli_startup_count(h, STARTUP))
            mli_startup_point(h, trial, u);
        else
            propose_groups(&p, trial, u);
    }
    mli_free(h->ctx, p.order);
    mli_free(h->ctx, work);
    mli_free(h->ctx, p.is_good);
    mli_free(h->ctx, p.word);
    return p.n_order < 0 ? mli_nomem(err) : ML_OK;
}

const mli_sampler mli_sampler_tpe = {"tpe", MLI_SAMPLER_LEARNS | MLI_SAMPLER_OBJECTIVES,
                                     NULL, propose};
