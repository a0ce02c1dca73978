/* SPDX-License-Identifier: MIT
 *
 * sampler_gp.c: Bayesian optimisation: a Gaussian process of the scores, and the point of
 * the largest expected improvement (Jones, Schonlau, Welch, 1998). With constraints the
 * chance of feasibility is multiplied in (Gardner et al., ICML 2014); of two objectives
 * the expected gain of hypervolume counts; more than two are joined into one with weights
 * that change from trial to trial (ParEGO, Knowles 2006). Scores are warped to be about
 * normal (Yeo, Johnson 2000). Running trials take their predicted score, so that parallel
 * trials keep apart.
 *
 * The kernel's parameters are learnt anew when the number of known trials has grown by a
 * tenth, from a part of them, so that a proposal takes few milliseconds with hundreds of
 * trials; they follow from the history alone. In every other trial length scales are
 * drawn from about their posterior in place of the best ones: few trials say little of
 * them, and a process that is too sure of them stays in the first optimum it finds.
 * O(n^3) with n at most MOST.
 */
#include "tuning/acquisition.h"
#include "tuning/pareto.h"

#include <math.h>
#include <string.h>

#define MOST        400 /* trials that make the process */
#define LEARN_FROM  96  /* trials that the kernel is learnt from */
#define INCUMBENTS  4
#define MOST_MODELS 3
#define FIRST       16 /* trials that tell how far apart scores are */
#define FAR         10

/* What is known for a number of known trials: computed again when it is missing. */
typedef struct learnt {
    int64_t at; /* known trials, 0: nothing */
    int64_t n_theta;
    double theta[]; /* of each model, its spread behind */
} learnt;

typedef struct proposal {
    const mli_history *h;
    mli_embedding embedding;
    int64_t n_known, n_used, n_models;
    int32_t constrained;
    int64_t *known; /* [n] numbers of known trials in order of number */
    int64_t *order; /* [n] the same, best first */
    int64_t *used;  /* those that make the process, in order of number */
    double *target; /* [models][n_known] warped scores, by place in `known` */
    mli_gp gp[MOST_MODELS];
} proposal;

/* The number of known trials at which the kernel was learnt last. */
static int64_t learnt_at(int64_t n)
{
    int64_t at = 1;
    while (at + 1 + at / 10 <= n && at < n) at += at < 20 ? 1 : at / 10;
    return at;
}

static double yeo_johnson(double v, double lambda)
{
    if (v >= 0) return lambda == 0 ? log1p(v) : (pow(1 + v, lambda) - 1) / lambda;
    double other = 2 - lambda;
    return -(pow(1 - v, other) - 1) / other;
}

/* Scores of any size: they are brought near 1 by a power of two, which is exact. */
static void standardise(double *v, int64_t n)
{
    double sum = 0, squares = 0, largest = 0;
    int size;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(v[i]));
    (void)frexp(largest, &size);
    for (int64_t i = 0; i < n; i++) sum += v[i] = ldexp(v[i], -size);
    for (int64_t i = 0; i < n; i++)
        squares += (v[i] - sum / (double)n) * (v[i] - sum / (double)n);
    double sd = sqrt(squares / (double)n);
    for (int64_t i = 0; i < n; i++) v[i] = sd > 0 ? (v[i] - sum / (double)n) / sd : 0;
}

/* The log likelihood of a warp of standardised scores. */
static double warp_likelihood(const double *v, int64_t n, double lambda)
{
    double sum = 0, squares = 0, logs = 0;
    for (int64_t i = 0; i < n; i++) {
        double w = yeo_johnson(v[i], lambda);
        sum += w;
        squares += w * w;
        logs += (v[i] < 0 ? -1 : 1) * log1p(fabs(v[i]));
    }
    double variance = squares / (double)n - sum * sum / (double)(n * n);
    return -0.5 * (double)n * log(variance + 1e-12) + (lambda - 1) * logs;
}

/* Makes scores about normal: their upper, bad tail is drawn in where it is long. */
static void warp(double *v, int64_t n)
{
    double best = -INFINITY, lambda = 1;
    standardise(v, n);
    for (int k = 0; k <= 8; k++) {
        double at = 1 - 0.25 * k, value = warp_likelihood(v, n, at);
        if (value <= best) continue;
        best = value;
        lambda = at;
    }
    for (int64_t i = 0; i < n; i++) v[i] = yeo_johnson(v[i], lambda);
    standardise(v, n);
}

/* Scores above this one count as this one: those of diverged fits would leave no
 * differences between the others. The first trials tell, since later ones crowd at the
 * best: FAR times as far above their median as that is above the best of them. */
static double worst(const proposal *p, int64_t k)
{
    double first[FIRST];
    int64_t n = p->n_known < FIRST ? p->n_known : FIRST, m = p->h->n_objectives;
    for (int64_t i = 0; i < n; i++) {
        double v = p->h->y[p->known[i] * m + k];
        int64_t at = i;
        for (; at > 0 && first[at - 1] > v; at--) first[at] = first[at - 1];
        first[at] = v;
    }
    double middle = first[n / 2];
    return middle > first[0] ? middle + FAR * (middle - first[0]) : INFINITY;
}

/* More than two objectives: the largest weighted one, and a little of their sum. */
static void scalarise(const proposal *p, int64_t trial, double *out)
{
    const mli_history *h = p->h;
    int64_t m = h->n_objectives;
    double weight[32], sum = 0;
    mli_rng rng;
    mli_history_rng(h, trial, 0x65676f /* "ego" */, &rng);
    for (int64_t k = 0; k < m && k < 32; k++)
        sum += weight[k] = -log(1 - mli_rng_f64(&rng));
    for (int64_t i = 0; i < p->n_known; i++) out[i] = 0;
    for (int64_t k = 0; k < m && k < 32; k++) {
        double low = INFINITY, high = -INFINITY, top = worst(p, k);
        for (int64_t i = 0; i < p->n_known; i++) {
            double v = fmin(h->y[p->known[i] * m + k], top);
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        for (int64_t i = 0; i < p->n_known && high > low; i++) {
            double v = fmin(h->y[p->known[i] * m + k], top);
            v = weight[k] / sum * (v - low) / (high - low);
            out[i] = fmax(out[i], v) + 0.05 * v;
        }
    }
}

static void set_targets(proposal *p, int64_t trial)
{
    const mli_history *h = p->h;
    int64_t m = h->n_objectives;
    for (int64_t k = 0; k < p->n_models; k++) {
        double *out = p->target + k * p->n_known, top = worst(p, k);
        for (int64_t i = 0; i < p->n_known; i++)
            out[i] = fmin(h->y[p->known[i] * m + k], top);
        if (m > 2) scalarise(p, trial, out);
        warp(out, p->n_known);
    }
    if (!p->constrained) return;
    double *out = p->target + p->n_models * p->n_known, scale = 0;
    for (int64_t i = 0; i < p->n_known; i++)
        scale = fmax(scale, h->violation[p->known[i]]);
    for (int64_t i = 0; i < p->n_known; i++) {
        double v = h->violation[p->known[i]];
        out[i] = v > 0 ? 0.2 + sqrt(v / scale) : -0.2; /* apart from the boundary at 0 */
    }
}

/* A subset of the first `from` known trials of about `most`: half of them the best. The
 * places in `known`, ascending, go to out. */
static int64_t subset(int64_t from, int64_t most, const double *target, int64_t *out)
{
    int64_t n = 0;
    if (from <= most) {
        for (int64_t i = 0; i < from; i++) out[n++] = i;
        return n;
    }
    /* The threshold of the best half: a count below it, by selection without sorting. */
    double low = -1e9, high = 1e9;
    for (int step = 0; step < 60; step++) {
        double middle = 0.5 * (low + high);
        int64_t count = 0;
        for (int64_t i = 0; i < from; i++) count += target[i] <= middle;
        if (count > most / 2)
            high = middle;
        else
            low = middle;
    }
    int64_t rest = 0, step = 2 * from / most + 1;
    for (int64_t i = 0; i < from && n < most; i++)
        if (target[i] <= low || rest++ % step == 0) out[n++] = i;
    return n;
}

static ml_status learn(proposal *p, int64_t k, int64_t at, double *theta, ml_error *err)
{
    mli_gp g;
    const double *target = p->target + k * p->n_known;
    int64_t chosen[LEARN_FROM], d = p->h->space->n;
    int64_t n = subset(at, LEARN_FROM, target, chosen);
    ml_status st = mli_gp_init(&g, p->h->ctx, &p->embedding, n, err);
    if (st < 0) return st;
    for (int64_t i = 0; i < n; i++)
        mli_gp_add(&g, p->h->x + p->known[chosen[i]] * d, target[chosen[i]]);
    st = mli_gp_learn(&g, err);
    if (st == ML_OK) {
        memcpy(theta, g.theta, (size_t)(d + 2) * sizeof *theta);
        memcpy(theta + d + 2, g.spread, (size_t)d * sizeof *theta);
    }
    mli_gp_free(&g);
    return st;
}

/* All kernels' parameters from the first `at` known trials, whose scores are warped
 * without the others: a resumed study, which learns later, learns the same. */
static ml_status learn_all(proposal *p, int64_t at, int64_t trial, learnt *c,
                           ml_error *err)
{
    int64_t all = p->n_known, each = 2 * p->h->space->n + 2;
    ml_status st = ML_OK;
    p->n_known = at;
    set_targets(p, trial);
    for (int64_t k = 0; k * each < c->n_theta && st == ML_OK; k++)
        st = learn(p, k, at, c->theta + k * each, err);
    p->n_known = all;
    if (st == ML_OK) c->at = at;
    return st;
}

/* Moves the length scales of a model as far as they are not known. */
static void vary(const proposal *p, int64_t k, int64_t trial, const double *spread)
{
    mli_rng rng;
    mli_history_rng(p->h, trial, 0x6c656e + (uint32_t)k /* "len" */, &rng);
    for (int64_t j = 0; j < p->h->space->n; j++)
        p->gp[k].theta[j] += spread[j] * mli_rng_normal(&rng);
}

/* The kernels' parameters, from the cache where they are of this history. */
static ml_status find_theta(proposal *p, int64_t trial, void **cache, ml_error *err)
{
    int64_t models = p->n_models + p->constrained, d = p->h->space->n;
    int64_t each = 2 * d + 2, at = learnt_at(p->n_known);
    learnt *c = *cache;
    /* With weights that change from trial to trial nothing can be kept. */
    int fresh =
        !c || c->at != at || c->n_theta != models * each || p->h->n_objectives > 2;
    if (fresh) {
        size_t size = sizeof *c + (size_t)(models * each) * sizeof(double);
        mli_free(p->h->ctx, c);
        *cache = c = mli_calloc(p->h->ctx, 1, size);
        if (!c) return mli_nomem(err);
        c->n_theta = models * each;
        ml_status st = learn_all(p, at, trial, c, err);
        if (st < 0) return st;
    }
    for (int64_t k = 0; k < models; k++) {
        const double *theta = c->theta + k * each;
        memcpy(p->gp[k].theta, theta, (size_t)(d + 2) * sizeof *theta);
        if (trial % 2 == 0) vary(p, k, trial, theta + d + 2);
    }
    return ML_OK;
}

/* Factorises, with more noise where that fails. */
static ml_status factor(const proposal *p, mli_gp *g, ml_error *err)
{
    ml_status st = ML_E_NUMERIC;
    for (int tries = 0; tries < 8 && st == ML_E_NUMERIC; tries++) {
        st = mli_gp_factor(g, err);
        if (st == ML_E_NUMERIC) g->theta[p->h->space->n + 1] += 2;
    }
    return st;
}

/* Running trials take the predicted value. */
static ml_status believe(proposal *p, mli_gp *g, double *work, ml_error *err)
{
    const mli_history *h = p->h;
    int64_t d = h->space->n, f = p->embedding.n_features, n = g->n;
    double *z = work, *values = z + f, *rest = values + MOST, variance;
    int64_t pending = 0;
    for (int64_t i = 0; i < h->n && n + pending < g->capacity; i++) {
        if (!isnan(h->y[i * h->n_objectives])) continue;
        mli_embed(&p->embedding, h->x + i * d, z, 1);
        mli_gp_predict(g, z, 1, rest, &values[pending++], &variance);
    }
    if (pending == 0) return ML_OK;
    for (int64_t i = 0, k = 0; i < h->n && k < pending; i++)
        if (isnan(h->y[i * h->n_objectives])) mli_gp_add(g, h->x + i * d, values[k++]);
    return factor(p, g, err);
}

static ml_status build(proposal *p, int64_t trial, void **cache, double *work,
                       ml_error *err)
{
    int64_t models = p->n_models + p->constrained, d = p->h->space->n;
    ml_status st = ML_OK;
    for (int64_t k = 0; k < models && st == ML_OK; k++)
        st = mli_gp_init(&p->gp[k], p->h->ctx, &p->embedding, MOST, err);
    if (st == ML_OK) st = find_theta(p, trial, cache, err);
    set_targets(p, trial);
    p->n_used = subset(p->n_known, MOST * 3 / 4, p->target, p->used);
    for (int64_t k = 0; k < models && st == ML_OK; k++) {
        const double *target = p->target + k * p->n_known;
        for (int64_t i = 0; i < p->n_used; i++)
            mli_gp_add(&p->gp[k], p->h->x + p->known[p->used[i]] * d, target[p->used[i]]);
        st = factor(p, &p->gp[k], err);
        if (st == ML_OK) st = believe(p, &p->gp[k], work, err);
    }
    return st;
}

/* The lowest predicted score of a feasible trial: scores may be noisy. At a training
 * point it is y - noise alpha. */
static double best_mean(const proposal *p, const double *branch)
{
    const mli_gp *g = &p->gp[0];
    double best = INFINITY, any = INFINITY, noise = exp(g->theta[p->h->space->n + 1]);
    for (int64_t i = 0; i < p->n_used; i++) {
        int64_t trial = p->known[p->used[i]];
        double mean = g->y[i] - noise * g->alpha[i];
        if (!mli_history_inside(p->h, trial, branch)) continue;
        if (mean < any) any = mean;
        if (p->h->violation[trial] == 0 && mean < best) best = mean;
    }
    return isfinite(best) ? best : isfinite(any) ? any : 0;
}

/* The front of two warped objectives, ascending by the first; feasible trials only. */
static int64_t find_front(const proposal *p, double *front, double *reference)
{
    int64_t n = p->n_known, kept = 0;
    const double *a = p->target, *b = p->target + n;
    reference[0] = reference[1] = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        reference[0] = fmax(reference[0], a[i] + 0.1);
        reference[1] = fmax(reference[1], b[i] + 0.1);
    }
    for (double left = -INFINITY;;) { /* the next one to the right of `left` */
        int64_t next = -1;
        double top = kept ? front[2 * kept - 1] : INFINITY;
        for (int64_t i = 0; i < n; i++) {
            if (p->h->violation[p->known[i]] > 0 || a[i] <= left || b[i] >= top) continue;
            if (next < 0 || a[i] < a[next] || (a[i] == a[next] && b[i] < b[next]))
                next = i;
        }
        if (next < 0) return kept;
        front[2 * kept] = left = a[next];
        front[2 * kept++ + 1] = b[next];
    }
}

/* The best trials of the branch that the proposal is to be in; of all when it has none.
 */
static int64_t choose_branch(const proposal *p, int64_t trial, double *branch,
                             double *incumbents)
{
    const mli_history *h = p->h;
    int64_t d = h->space->n, n = 0;
    mli_history_branch(h, trial, branch);
    for (int64_t i = 0; i < p->n_known && n < INCUMBENTS; i++)
        if (mli_history_inside(h, p->order[i], branch))
            memcpy(incumbents + n++ * d, h->x + p->order[i] * d,
                   (size_t)d * sizeof *incumbents);
    if (n == 0)
        memcpy(incumbents, h->x + p->order[0] * d, (size_t)d * sizeof *incumbents);
    return n ? n : 1;
}

static ml_status propose_model(proposal *p, int64_t trial, double *u, void **cache,
                               ml_error *err)
{
    const mli_history *h = p->h;
    int64_t d = h->space->n, front_size = 2 * p->n_known;
    int64_t size = mli_acquisition_work(&p->embedding, MOST, MOST_MODELS) + MOST +
                   4 * MOST + front_size + (INCUMBENTS + 1) * d;
    double *work = mli_alloc_vec(h->ctx, size, sizeof *work);
    if (!work) return mli_nomem(err);
    double *front = work, *incumbents = front + front_size;
    double *branch = incumbents + INCUMBENTS * d, *rest = branch + d;
    ml_status st = build(p, trial, cache, rest, err);
    if (st == ML_OK) {
        mli_acquisition a = {.h = h,
                             .embedding = &p->embedding,
                             .n_models = p->n_models,
                             .models = p->gp,
                             .constrained = p->constrained,
                             .front = front,
                             .branch = branch,
                             .work = rest};
        int64_t n = choose_branch(p, trial, branch, incumbents);
        a.best = best_mean(p, branch);
        if (p->n_models == 2) a.n_front = find_front(p, front, a.reference);
        mli_rng rng;
        mli_history_rng(h, trial, 0x6770 /* "gp" */, &rng);
        mli_acquisition_maximise(&a, incumbents, n, &rng, u);
    }
    mli_free(h->ctx, work);
    return st;
}

static void prepare(proposal *p)
{
    const mli_history *h = p->h;
    int64_t n = 0;
    for (int64_t i = 0; i < h->n; i++) {
        if (!mli_history_known(h, i)) continue;
        p->known[n++] = i;
        p->constrained |= h->violation[i] > 0;
    }
    p->n_models = h->n_objectives == 2 ? 2 : 1;
}

static ml_status propose(const mli_history *h, int64_t trial, double *u, void **cache,
                         ml_error *err)
{
    int64_t n = h->n, d = h->space->n;
    proposal p = {.h = h};
    p.known = mli_alloc_vec(h->ctx, 3 * n + 1, sizeof *p.known);
    p.target = mli_alloc_vec(h->ctx, MOST_MODELS * n + 1, sizeof *p.target);
    ml_status st = p.known && p.target ? ML_OK : mli_nomem(err);
    if (st == ML_OK) {
        p.order = p.known + n;
        p.used = p.order + n;
        p.n_known = mli_history_order(h, p.order);
        st = p.n_known < 0 ? mli_nomem(err)
                           : mli_embedding_init(&p.embedding, h->space, err);
    }
    if (st == ML_OK && (d == 0 || p.n_known < mli_startup_count(h, d < 4 ? 5 : 8))) {
        mli_startup_point(h, trial, u);
    } else if (st == ML_OK) {
        prepare(&p);
        st = propose_model(&p, trial, u, cache, err);
    }
    for (int k = 0; k < MOST_MODELS; k++)
        if (p.gp[k].ctx) mli_gp_free(&p.gp[k]);
    mli_embedding_free(&p.embedding);
    mli_free(h->ctx, p.known);
    mli_free(h->ctx, p.target);
    return st;
}

const mli_sampler mli_sampler_gp = {"gp", MLI_SAMPLER_LEARNS | MLI_SAMPLER_OBJECTIVES,
                                    NULL, propose};
