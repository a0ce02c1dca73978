/* SPDX-License-Identifier: MIT
 *
 * sampler_cma.c: covariance matrix adaptation (Hansen, "The CMA evolution strategy: a
 * tutorial", 2016) over the coordinates of all numbers. Sets take the level of one of the
 * better trials, or any. When the population has shrunk to a point, or a generation is
 * level, the search begins anew with twice the population (IPOP, Auger, Hansen 2005).
 *
 * A generation is lambda trials in a row. The state after each generation follows from
 * the history, so it is made by going through it: O(generations * (lambda d^2 + d^3)).
 */
#include "tuning/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_STEP 0.25
#define LEAST_STEP 1e-6

typedef struct strategy {
    const mli_history *h;
    int64_t d;          /* coordinates that take part */
    const int64_t *dim; /* [d] their dimensions */
    int64_t lambda, mu, generation;
    double mu_eff, c_sigma, d_sigma, c_c, c_1, c_mu, chi;
    double sigma;
    double *mean, *path_s, *path_c, *scale, *old, *shift; /* [d] */
    double *c, *b, *work;                                 /* [d][d] */
    double *weight;                                       /* [most lambda / 2] */
    int64_t *rank;                                        /* [most lambda] */
} strategy;

static void set_sizes(strategy *s, int64_t lambda)
{
    double d = (double)s->d, sum = 0, squares = 0;
    s->lambda = lambda;
    s->mu = lambda / 2;
    for (int64_t i = 0; i < s->mu; i++) {
        s->weight[i] = log((double)lambda / 2 + 0.5) - log((double)i + 1);
        sum += s->weight[i];
    }
    for (int64_t i = 0; i < s->mu; i++) {
        s->weight[i] /= sum;
        squares += s->weight[i] * s->weight[i];
    }
    double m = s->mu_eff = 1 / squares;
    s->c_sigma = (m + 2) / (d + m + 5);
    s->d_sigma = 1 + 2 * fmax(0, sqrt((m - 1) / (d + 1)) - 1) + s->c_sigma;
    s->c_c = (4 + m / d) / (d + 4 + 2 * m / d);
    s->c_1 = 2 / ((d + 1.3) * (d + 1.3) + m);
    s->c_mu = fmin(1 - s->c_1, 2 * (m - 2 + 1 / m) / ((d + 2) * (d + 2) + m));
    s->chi = sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d));
}

static void begin(strategy *s, int64_t lambda, const double *centre)
{
    int64_t d = s->d;
    set_sizes(s, lambda);
    s->sigma = FIRST_STEP;
    memset(s->c, 0, (size_t)(d * d) * sizeof *s->c);
    memset(s->b, 0, (size_t)(d * d) * sizeof *s->b);
    for (int64_t i = 0; i < d; i++) {
        s->mean[i] = centre ? centre[i] : 0.5;
        s->path_s[i] = s->path_c[i] = 0;
        s->scale[i] = s->c[i * d + i] = s->b[i * d + i] = 1;
    }
}

/* Eigenvectors of c in the columns of b, square roots of the eigenvalues in scale: by
 * Jacobi's rotations, the same on every machine. */
static void decompose(strategy *s)
{
    int64_t d = s->d;
    double *a = s->work, *v = s->b;
    memcpy(a, s->c, (size_t)(d * d) * sizeof *a);
    memset(v, 0, (size_t)(d * d) * sizeof *v);
    for (int64_t i = 0; i < d; i++) v[i * d + i] = 1;
    for (int sweep = 0; sweep < 30; sweep++) {
        double off = 0, all = 0;
        for (int64_t i = 0; i < d * d; i++) {
            all += a[i] * a[i];
            if (i / d != i % d) off += a[i] * a[i];
        }
        if (off <= 1e-22 * all) break;
        for (int64_t p = 0; p < d; p++)
            for (int64_t q = p + 1; q < d; q++) {
                double apq = a[p * d + q];
                if (apq == 0) continue;
                double t = (a[q * d + q] - a[p * d + p]) / (2 * apq);
                t = (t >= 0 ? 1 : -1) / (fabs(t) + sqrt(t * t + 1));
                double c = 1 / sqrt(t * t + 1), z = t * c;
                for (int64_t k = 0; k < d; k++) {
                    double x = a[k * d + p], y = a[k * d + q];
                    a[k * d + p] = c * x - z * y;
                    a[k * d + q] = z * x + c * y;
                }
                for (int64_t k = 0; k < d; k++) {
                    double x = a[p * d + k], y = a[q * d + k];
                    a[p * d + k] = c * x - z * y;
                    a[q * d + k] = z * x + c * y;
                    x = v[k * d + p], y = v[k * d + q];
                    v[k * d + p] = c * x - z * y;
                    v[k * d + q] = z * x + c * y;
                }
            }
    }
    for (int64_t i = 0; i < d; i++) s->scale[i] = sqrt(fmax(a[i * d + i], 1e-20));
}

/* Inverse square root of c times x, into out. */
static void whiten(const strategy *s, const double *x, double *out)
{
    int64_t d = s->d;
    memset(out, 0, (size_t)d * sizeof *out);
    for (int64_t k = 0; k < d; k++) {
        double sum = 0;
        for (int64_t i = 0; i < d; i++) sum += s->b[i * d + k] * x[i];
        sum /= s->scale[k];
        for (int64_t i = 0; i < d; i++) out[i] += s->b[i * d + k] * sum;
    }
}

static double coordinate(const strategy *s, int64_t trial, int64_t i)
{
    double v = s->h->x[trial * s->h->space->n + s->dim[i]];
    return isnan(v) ? s->mean[i] : v; /* inactive: it says nothing */
}

/* One generation, whose trials are ranked best first. */
static void learn(strategy *s)
{
    int64_t d = s->d;
    memcpy(s->old, s->mean, (size_t)d * sizeof *s->old);
    for (int64_t i = 0; i < d; i++) {
        double sum = 0;
        for (int64_t k = 0; k < s->mu; k++)
            sum += s->weight[k] * (coordinate(s, s->rank[k], i) - s->old[i]);
        s->shift[i] = sum / s->sigma;
    }
    double *white = s->work, norm = 0;
    whiten(s, s->shift, white);
    for (int64_t i = 0; i < d; i++) {
        s->path_s[i] = (1 - s->c_sigma) * s->path_s[i] +
                       sqrt(s->c_sigma * (2 - s->c_sigma) * s->mu_eff) * white[i];
        norm += s->path_s[i] * s->path_s[i];
    }
    norm = sqrt(norm);
    double faded = 1 - pow(1 - s->c_sigma, 2.0 * (double)(s->generation + 1));
    int moves = norm / sqrt(faded) < (1.4 + 2 / ((double)d + 1)) * s->chi;
    for (int64_t i = 0; i < d; i++)
        s->path_c[i] =
            (1 - s->c_c) * s->path_c[i] +
            (moves ? sqrt(s->c_c * (2 - s->c_c) * s->mu_eff) : 0) * s->shift[i];
    double kept = 1 - s->c_1 - s->c_mu + (moves ? 0 : s->c_1 * s->c_c * (2 - s->c_c));
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j <= i; j++) {
            double sum = 0;
            for (int64_t k = 0; k < s->mu; k++)
                sum += s->weight[k] * (coordinate(s, s->rank[k], i) - s->old[i]) *
                       (coordinate(s, s->rank[k], j) - s->old[j]);
            double v = kept * s->c[i * d + j] + s->c_1 * s->path_c[i] * s->path_c[j] +
                       s->c_mu * sum / (s->sigma * s->sigma);
            s->c[i * d + j] = s->c[j * d + i] = v;
        }
    for (int64_t i = 0; i < d; i++) s->mean[i] = s->old[i] + s->sigma * s->shift[i];
    s->sigma *= exp(fmin(1, s->c_sigma / s->d_sigma * (norm / s->chi - 1)));
    s->sigma = fmin(s->sigma, 1);
    s->generation++;
    decompose(s);
}

/* Ranks the trials first .. first + lambda - 1; returns how many are known. */
static int64_t rank(strategy *s, int64_t first)
{
    const mli_history *h = s->h;
    int64_t known = 0;
    for (int64_t i = first; i < first + s->lambda; i++) {
        if (!mli_history_known(h, i)) continue;
        int64_t k = known++;
        for (; k > 0; k--) {
            int64_t o = s->rank[k - 1];
            int before = h->violation[o] != h->violation[i]
                             ? h->violation[o] <= h->violation[i]
                             : h->y[o] <= h->y[i];
            if (before) break;
            s->rank[k] = o;
        }
        s->rank[k] = i;
    }
    return known;
}

static int ended(const mli_history *h, int64_t first, int64_t n)
{
    if (first + n > h->n) return 0;
    for (int64_t i = first; i < first + n; i++)
        if (isnan(h->y[i])) return 0;
    return 1;
}

/* Has the population shrunk to a point, or are its scores all the same? */
static int spent(const strategy *s, int64_t known)
{
    const mli_history *h = s->h;
    double widest = 0;
    for (int64_t i = 0; i < s->d; i++) widest = fmax(widest, s->scale[i]);
    if (s->sigma * widest < LEAST_STEP) return 1;
    return known > 1 && h->y[s->rank[0]] == h->y[s->rank[known - 1]];
}

/* Goes through the generations that have ended; returns how many ranked trials the last
 * one left (for the levels of sets). */
static int64_t replay(strategy *s, int64_t most)
{
    int64_t first = s->h->n_prior, known = 0;
    while (ended(s->h, first, s->lambda)) {
        int64_t size = s->lambda;
        known = rank(s, first);
        if (known >= s->mu) learn(s);
        if (spent(s, known) && 2 * size <= most) {
            s->generation = 0;
            begin(s, 2 * size, NULL);
        } else if (spent(s, known)) {
            begin(s, size, NULL);
        }
        first += size;
    }
    return known < s->mu ? known : s->mu;
}

static void draw(const strategy *s, mli_rng *rng, double *x)
{
    for (int tries = 0; tries < 20; tries++) {
        int inside = 1;
        for (int64_t i = 0; i < s->d; i++)
            s->shift[i] = s->scale[i] * mli_rng_normal(rng);
        for (int64_t i = 0; i < s->d; i++) {
            double sum = 0;
            for (int64_t k = 0; k < s->d; k++) sum += s->b[i * s->d + k] * s->shift[k];
            x[i] = s->mean[i] + s->sigma * sum;
            inside &= x[i] >= 0 && x[i] <= 1;
        }
        if (inside) return;
    }
    for (int64_t i = 0; i < s->d; i++) x[i] = x[i] < 0 ? 0 : x[i] > 1 ? 1 : x[i];
}

static void fill(strategy *s, int64_t good, int64_t trial, double *u)
{
    const mli_history *h = s->h;
    mli_rng rng;
    mli_history_rng(h, trial, 0x636d61 /* "cma" */, &rng);
    if (s->d > 0) draw(s, &rng, s->old);
    for (int64_t i = 0; i < h->space->n; i++) u[i] = NAN;
    for (int64_t i = 0; i < s->d; i++) u[s->dim[i]] = s->old[i];
    for (int64_t i = 0; i < h->space->n; i++) {
        if (!mli_dimension_is_set(&h->space->dimensions[i])) continue;
        double any = mli_rng_f64(&rng);
        u[i] = any;
        if (good == 0 || mli_rng_f64(&rng) < 0.2) continue;
        double level = h->x[s->rank[mli_rng_below(&rng, good)] * h->space->n + i];
        u[i] = isnan(level) ? any : level;
    }
}

static ml_status propose(const mli_history *h, int64_t trial, double *u, void **cache,
                         ml_error *err)
{
    (void)cache;
    int64_t n = h->space->n, most = 16 * (4 + 3 * (int64_t)log((double)n + 1) + 4);
    strategy s = {.h = h};
    double *all = mli_alloc_vec(h->ctx, 3 * n * n + 6 * n + most + 1, sizeof *all);
    int64_t *numbers = mli_alloc_vec(h->ctx, n + most + 1, sizeof *numbers);
    if (!all || !numbers) {
        mli_free(h->ctx, all);
        mli_free(h->ctx, numbers);
        return mli_nomem(err);
    }
    for (int64_t i = 0; i < n; i++)
        if (!mli_dimension_is_set(&h->space->dimensions[i])) numbers[s.d++] = i;
    s.dim = numbers;
    s.rank = numbers + n;
    s.c = all;
    s.b = s.c + n * n;
    s.work = s.b + n * n;
    s.mean = s.work + n * n;
    s.path_s = s.mean + n;
    s.path_c = s.path_s + n;
    s.scale = s.path_c + n;
    s.old = s.scale + n;
    s.shift = s.old + n;
    s.weight = s.shift + n;
    begin(&s, 4 + (int64_t)(3 * log((double)(s.d > 0 ? s.d : 1))), NULL);
    int64_t good = replay(&s, most);
    fill(&s, good, trial, u);
    mli_free(h->ctx, all);
    mli_free(h->ctx, numbers);
    return ML_OK;
}

const mli_sampler mli_sampler_cma = {"cmaes", MLI_SAMPLER_LEARNS, NULL, propose};
