/* SPDX-License-Identifier: MIT
 *
 * data/dense_moments.c: weighted means and variances of numeric features, in one pass
 * over the rows.
 *
 * Each block of rows that fits the cache has its mean and sum of squares computed in two
 * passes, and blocks are merged by the formula of Chan, Golub and LeVeque (1979). Means
 * are kept as pairs, mean + rest, so that differences of means keep their digits when the
 * means are large. Blocks and tasks are cut by the number of rows alone.
 */
#include "core/parallel.h"
#include "data/dense_parts.h"
#include "tensor/kernels.h"

#include <math.h>
#include <string.h>

#define BLOCK    512          /* rows */
#define GRAIN    (64 * BLOCK) /* rows per task */
#define FEATURES 64           /* sparse ones per task */

typedef struct {
    const mli_design *design;
    const double *factor;
    const mli_run *run;
    const mli_kernels *k;
    mli_moments *parts; /* [tasks * n_features] */
    uint8_t *sparse;    /* [n_features] */
    double weight;      /* of all rows */
} measuring;

static void merge(mli_moments *to, const mli_moments *from)
{
    to->missing += from->missing;
    to->n_missing += from->n_missing;
    to->n_zero += from->n_zero;
    if (to->infinite < 0) to->infinite = from->infinite;
    if (!from->seen) return;
    if (!to->seen) {
        to->first = from->first;
        to->seen = 1;
    }
    to->varies |= from->varies || from->first != to->first;
    if (!(from->weight > 0)) return;
    if (!(to->weight > 0)) {
        to->weight = from->weight;
        to->mean = from->mean;
        to->rest = from->rest;
        to->m2 = from->m2;
        return;
    }
    double total = to->weight + from->weight, share = from->weight / total;
    double delta = (from->mean - to->mean) + (from->rest - to->rest);
    double low = to->rest + delta * share, high = to->mean + low;
    to->rest = isfinite(high) ? (to->mean - high) + low : 0.0;
    to->mean = high;
    to->m2 += from->m2 + delta * delta * share * to->weight;
    to->weight = total;
}

/* Takes missing values out of x and w; notes them and infinite ones. Returns how many
 * are left. */
static int64_t compact(mli_moments *m, double *x, double *w, int64_t n, int64_t row)
{
    int64_t left = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i])) {
            m->missing += w ? w[i] : 1.0;
            m->n_missing++;
            continue;
        }
        if (isinf(x[i]) && m->infinite < 0) m->infinite = row + i;
        if (w) w[left] = w[i];
        x[left++] = x[i];
    }
    return left;
}

/* Mean and squares of values of a block, whose sum without weights is given; x is used
 * up. */
static void measure(const mli_kernels *k, mli_moments *m, double *x, const double *w,
                    int64_t n, double sum)
{
    m->weight = w ? k->sum(w, n) : (double)n;
    if (!(m->weight > 0)) return;
    double mean = (w ? k->dot(w, x, n) : sum) / m->weight;
    k->standardize(mean, 1.0, x, x, n);
    double rest = (w ? k->dot(w, x, n) : k->sum(x, n)) / m->weight;
    m->mean = mean;
    m->rest = rest;
    m->m2 = (w ? k->dot3(w, x, x, n) : k->dot(x, x, n)) - rest * rest * m->weight;
    if (m->m2 < 0) m->m2 = 0;
}

static void measure_block(const measuring *a, int64_t feature, int64_t begin, int64_t end,
                          mli_moments *total)
{
    double x[BLOCK], copy[BLOCK];
    double *w = NULL;
    int64_t n = end - begin;
    mli_moments m = {.infinite = -1};
    mli_design_f64(a->design, feature, begin, end, x, 1);
    if (a->factor) a->k->scale(a->factor[feature], x, n);
    if (a->design->weight) {
        memcpy(copy, a->design->weight + begin, (size_t)n * sizeof *copy);
        w = copy;
    }
    m.n_zero = a->k->zeros(x, n);
    double sum = a->k->sum(x, n);
    if (!isfinite(sum)) {
        n = compact(&m, x, w, n, begin);
        sum = a->k->sum(x, n);
    }
    if (n > 0) {
        m.seen = 1;
        m.first = x[0];
        for (int64_t i = 1; i < n && !m.varies; i++) m.varies = x[i] != x[0];
        measure(a->k, &m, x, w, n, sum);
    }
    merge(total, &m);
}

/* Mean and squares of a sparse column from its entries: the mean in two steps, like that
 * of a block; the rows not listed lie at 0. */
static void measure_entries(const measuring *a, const mli_sparse *s, int64_t feature,
                            mli_moments *m)
{
    const double *w = a->design->weight;
    double f = a->factor ? a->factor[feature] : 1.0, sum = 0, rest = 0, squares = 0;
    double listed = 0, total = a->weight;
    for (int64_t i = 0; i < s->n; i++) {
        double v = s->values[i] * f, wi = w ? w[s->rows[i]] : 1.0;
        if (isinf(v) && m->infinite < 0) m->infinite = s->rows[i];
        m->n_zero += v == 0;
        m->varies |= v != s->values[0] * f;
        listed += wi;
        sum += wi * v;
    }
    m->n_zero += a->design->rows - s->n;
    m->seen = a->design->rows > 0;
    m->first = s->n > 0 && s->rows[0] == 0 ? s->values[0] * f : 0.0;
    m->varies |= s->n > 0 && s->n < a->design->rows && s->values[0] != 0;
    m->weight = total;
    if (!(total > 0)) return;
    double mean = sum / total, others = total - listed > 0 ? total - listed : 0.0;
    for (int64_t i = 0; i < s->n; i++) {
        double wi = w ? w[s->rows[i]] : 1.0, d = s->values[i] * f - mean;
        rest += wi * d;
        squares += wi * d * d;
    }
    m->mean = mean;
    m->rest = (rest - others * mean) / total;
    m->m2 = squares + others * mean * mean - m->rest * m->rest * total;
    if (m->m2 < 0) m->m2 = 0;
}

static void entries_task(void *arg, int64_t task, int32_t slot)
{
    const measuring *a = arg;
    int64_t n = a->design->n_features, end = (task + 1) * FEATURES;
    (void)slot;
    if (a->run && mli_run_state(a->run) == ML_CANCEL) return;
    for (int64_t j = task * FEATURES; j < end && j < n; j++) {
        mli_sparse s;
        if (a->factor && a->factor[j] == 1.0) continue;
        if (mli_design_sparse(a->design, j, &s)) measure_entries(a, &s, j, &a->parts[j]);
    }
}

static void measure_task(void *arg, int64_t task, int32_t slot)
{
    const measuring *a = arg;
    const mli_design *d = a->design;
    mli_moments *out = a->parts + task * d->n_features;
    int64_t begin = task * GRAIN, end = begin + GRAIN < d->rows ? begin + GRAIN : d->rows;
    (void)slot;
    for (int64_t j = 0; j < d->n_features; j++) out[j] = (mli_moments){.infinite = -1};
    for (int64_t at = begin; at < end; at += BLOCK) {
        int64_t to = at + BLOCK < end ? at + BLOCK : end;
        if (a->run && mli_run_state(a->run) == ML_CANCEL) return;
        for (int64_t j = 0; j < d->n_features; j++) {
            if (d->columns[j].kind != MLI_NUMERIC || a->sparse[j]) continue;
            if (a->factor && a->factor[j] == 1.0) continue;
            measure_block(a, j, at, to, &out[j]);
        }
    }
}

static void find_sparse(measuring *a)
{
    const mli_design *d = a->design;
    mli_sparse s;
    for (int64_t j = 0; j < d->n_features; j++)
        a->sparse[j] = mli_design_sparse(d, j, &s) != 0;
    a->weight = d->weight ? a->k->sum(d->weight, d->rows) : (double)d->rows;
}

ml_status mli_moments_of(const mli_design *design, const double *factor,
                         const mli_run *run, mli_moments *out, ml_error *err)
{
    int64_t tasks = mli_task_count(design->rows, GRAIN), n = design->n_features;
    measuring a = {design, factor, run, mli_kernels_of(design->ctx), NULL, NULL, 0};
    a.parts = mli_calloc(design->ctx, (size_t)(tasks * n), sizeof *a.parts);
    a.sparse = mli_calloc(design->ctx, (size_t)n, sizeof *a.sparse);
    if (!a.parts || !a.sparse) {
        mli_free(design->ctx, a.parts);
        mli_free(design->ctx, a.sparse);
        return mli_nomem(err);
    }
    find_sparse(&a);
    mli_parallel(design->ctx, tasks, measure_task, &a);
    if (tasks > 0)
        mli_parallel(design->ctx, mli_task_count(n, FEATURES), entries_task, &a);
    for (int64_t j = 0; j < n; j++) {
        if (factor && factor[j] == 1.0) continue;
        out[j] = (mli_moments){.infinite = -1};
        for (int64_t t = 0; t < tasks; t++) merge(&out[j], &a.parts[t * n + j]);
        if (out[j].seen && !out[j].varies) {
            out[j].mean = out[j].first;
            out[j].rest = 0;
            out[j].m2 = 0;
        }
    }
    mli_free(design->ctx, a.parts);
    mli_free(design->ctx, a.sparse);
    return run ? mli_run_check(run, err) : ML_OK;
}

/* The largest absolute value of a feature. */
static double largest(const mli_design *design, int64_t feature)
{
    double x[BLOCK], most = 0;
    for (int64_t begin = 0; begin < design->rows; begin += BLOCK) {
        int64_t end = begin + BLOCK < design->rows ? begin + BLOCK : design->rows;
        mli_design_f64(design, feature, begin, end, x, 1);
        for (int64_t i = 0; i < end - begin; i++)
            if (fabs(x[i]) > most) most = fabs(x[i]);
    }
    return most;
}

int64_t mli_moments_rescale(const mli_design *design, const mli_moments *m,
                            double *factor)
{
    int64_t count = 0;
    for (int64_t j = 0; j < design->n_features; j++) {
        int exponent = 0;
        factor[j] = 1.0;
        if (design->columns[j].kind != MLI_NUMERIC || !m[j].varies) continue;
        if (isfinite(m[j].mean) && isfinite(m[j].m2) && m[j].m2 > 1e-280) continue;
        frexp(largest(design, j), &exponent);
        if (exponent < -1000) exponent = -1000;
        factor[j] = ldexp(1.0, -exponent);
        if (factor[j] == 1.0) factor[j] = 2.0; /* 1 means: leave as it is */
        count++;
    }
    return count;
}
