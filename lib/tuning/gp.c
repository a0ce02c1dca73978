/* SPDX-License-Identifier: MIT
 *
 * gp.c: Gaussian processes (Rasmussen, Williams, "Gaussian processes for machine
 * learning", 2006, algorithm 2.1) with the Matern 5/2 kernel and a length scale per
 * dimension. Factorising n points costs n^3 / 2, predicting n^2 / 2 a point.
 */
#include "tuning/gp.h"

#include "tensor/cholesky.h"

#include <math.h>
#include <string.h>

#define SQRT5 2.2360679774997896964

ml_status mli_embedding_init(mli_embedding *e, const mli_space *s, ml_error *err)
{
    *e = (mli_embedding){.space = s};
    e->begin = mli_alloc_vec(s->ctx, s->n + 1, sizeof *e->begin);
    if (!e->begin) return mli_nomem(err);
    for (int64_t i = 0; i < s->n; i++) {
        const mli_dimension *d = &s->dimensions[i];
        e->begin[i] = e->n_features;
        e->n_features += mli_dimension_is_set(d) ? d->range.count : 1;
        e->n_features += s->activity[i].conditional;
    }
    e->begin[s->n] = e->n_features;
    return ML_OK;
}

void mli_embedding_free(mli_embedding *e)
{
    if (e->space) mli_free(e->space->ctx, e->begin);
}

void mli_embed(const mli_embedding *e, const double *u, double *z, int64_t stride)
{
    const double half = 0.70710678118654752;
    for (int64_t i = 0; i < e->space->n; i++) {
        const mli_dimension *d = &e->space->dimensions[i];
        double *at = z + e->begin[i] * stride;
        int missing = isnan(u[i]);
        if (mli_dimension_is_set(d)) {
            int64_t count = d->range.count, level = -1;
            if (!missing) level = (int64_t)(u[i] * (double)count);
            if (level >= count) level = count - 1;
            for (int64_t k = 0; k < count; k++) at[k * stride] = k == level ? half : 0;
            at += count * stride;
        } else {
            *at = missing ? 0.5 : u[i];
            at += stride;
        }
        if (e->space->activity[i].conditional) *at = missing ? 0 : half;
    }
}

ml_status mli_gp_init(mli_gp *g, ml_context *ctx, const mli_embedding *e,
                      int64_t capacity, ml_error *err)
{
    int64_t c = capacity;
    *g = (mli_gp){
        .ctx = ctx, .k = mli_kernels_of(ctx), .embedding = e, .capacity = capacity};
    g->z = mli_alloc_vec(ctx, c * e->n_features + 1, sizeof *g->z);
    g->y = mli_alloc_vec(ctx, 2 * c + 1, sizeof *g->y);
    g->l = mli_alloc_vec(ctx, c * c + 1, sizeof *g->l);
    g->theta = mli_alloc_vec(ctx, 3 * e->space->n + 2, sizeof *g->theta);
    if (g->z && g->y && g->l && g->theta) {
        g->alpha = g->y + c;
        g->spread = g->theta + e->space->n + 2;
        g->scale = g->spread + e->space->n;
        return ML_OK;
    }
    mli_gp_free(g);
    return mli_nomem(err);
}

void mli_gp_free(mli_gp *g)
{
    mli_free(g->ctx, g->z);
    mli_free(g->ctx, g->y);
    mli_free(g->ctx, g->l);
    mli_free(g->ctx, g->theta);
    *g = (mli_gp){0};
}

void mli_gp_add(mli_gp *g, const double *u, double y)
{
    mli_embed(g->embedding, u, g->z + g->n * g->embedding->n_features, 1);
    g->y[g->n++] = y;
}

/* k(r^2) for squared scaled distances, in place. */
static void matern(const mli_kernels *k, double *r2, double *work, int64_t m,
                   double signal)
{
    for (int64_t i = 0; i < m; i++) {
        double r = SQRT5 * sqrt(r2[i]);
        work[i] = -r;
        r2[i] = signal * (1 + r + r2[i] * (5.0 / 3.0));
    }
    k->exp(work, work, m);
    k->multiply(r2, work, r2, m);
}

/* Squared scaled distances of point i to m points given feature by feature. */
static void distances(const mli_gp *g, const double *zi, const double *z, int64_t m,
                      double *r2)
{
    const mli_embedding *e = g->embedding;
    memset(r2, 0, (size_t)m * sizeof *r2);
    for (int64_t d = 0; d < e->space->n; d++) {
        double w = g->scale[d];
        for (int64_t f = e->begin[d]; f < e->begin[d + 1]; f++) {
            const double *column = z + f * m;
            double at = zi[f];
            for (int64_t c = 0; c < m; c++) {
                double diff = column[c] - at;
                r2[c] += w * (diff * diff);
            }
        }
    }
}

/* The covariance of the points, lower triangle. */
static ml_status covariance(const mli_gp *g, ml_error *err)
{
    int64_t n = g->n, f = g->embedding->n_features, d = g->embedding->space->n;
    double signal = exp(g->theta[d]), noise = exp(g->theta[d + 1]);
    double *columns = mli_alloc_vec(g->ctx, n * (f + 1) + 1, sizeof *columns);
    if (!columns) return mli_nomem(err);
    double *work = columns + n * f;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < f; c++) columns[c * n + i] = g->z[i * f + c];
    for (int64_t i = 0; i < n; i++) {
        double *row = g->l + i * n;
        distances(g, g->z + i * f, columns, n, row);
        matern(g->k, row, work, i + 1, signal);
        row[i] = signal + noise;
    }
    mli_free(g->ctx, columns);
    return ML_OK;
}

/* The most likely mean: 1' covariance^-1 y / 1' covariance^-1 1. The mean of y would take
 * a crowd of good points for the whole: far from all points, where the process goes back
 * to its mean, scores would seem nearly as good. */
static double likely_mean(const mli_gp *g)
{
    double top = 0, bottom = 0;
    for (int64_t i = 0; i < g->n; i++) {
        const double *l = g->l + i * g->n;
        double ones = 0;
        for (int64_t j = 0; j <= i; j++) ones += l[j];
        top += ones * g->k->dot(l, g->y, i + 1);
        bottom += ones * ones;
    }
    return top / bottom;
}

ml_status mli_gp_factor(mli_gp *g, ml_error *err)
{
    int64_t n = g->n;
    for (int64_t j = 0; j < g->embedding->space->n; j++) g->scale[j] = exp(g->theta[j]);
    ml_status st = covariance(g, err);
    if (st < 0) return st;
    if (mli_cholesky(g->ctx, n, g->l, n, 1e-12) < n)
        return mli_fail(err, ML_E_NUMERIC, "the covariance is not positive definite");
    double *row = mli_alloc_vec(g->ctx, n + 1, sizeof *row);
    if (!row) return mli_nomem(err);
    mli_cholesky_invert(g->ctx, n, g->l, row);
    g->mean = likely_mean(g);
    memset(g->alpha, 0, (size_t)n * sizeof *g->alpha);
    for (int64_t i = 0; i < n; i++) row[i] = g->y[i] - g->mean;
    for (int64_t i = 0; i < n; i++) { /* alpha += L^-T row i of L^-1 (y - mean) */
        const double *l = g->l + i * n;
        g->k->axpy(g->k->dot(l, row, i + 1), l, g->alpha, i + 1);
    }
    mli_free(g->ctx, row);
    return ML_OK;
}

void mli_gp_predict(const mli_gp *g, const double *z, int64_t m, double *work,
                    double *mean, double *variance)
{
    int64_t n = g->n, f = g->embedding->n_features, d = g->embedding->space->n;
    double signal = exp(g->theta[d]), *cross = work, *part = work + n * m;
    for (int64_t c = 0; c < m; c++) {
        mean[c] = g->mean;
        variance[c] = signal;
    }
    for (int64_t i = 0; i < n; i++) {
        distances(g, g->z + i * f, z, m, cross + i * m);
        matern(g->k, cross + i * m, part, m, signal);
        g->k->axpy(g->alpha[i], cross + i * m, mean, m);
    }
    for (int64_t i = 0; i < n; i++) {
        memset(part, 0, (size_t)m * sizeof *part);
        g->k->combine(cross, m, i + 1, g->l + i * n, part, m);
        for (int64_t c = 0; c < m; c++) variance[c] -= part[c] * part[c];
    }
    for (int64_t c = 0; c < m; c++)
        if (!(variance[c] > 1e-12 * signal)) variance[c] = 1e-12 * signal;
}

void mli_gp_gradient(const mli_gp *g, const double *z, double *work, double *mean,
                     double *variance, double *d_mean, double *d_variance)
{
    int64_t n = g->n, f = g->embedding->n_features, d = g->embedding->space->n;
    double signal = exp(g->theta[d]);
    double *k = work, *slope = work + n, *w = work + 2 * n, *e = work + 3 * n;
    for (int64_t i = 0; i < n; i++) {
        double r2 = 0;
        for (int64_t j = 0; j < d; j++) {
            double part = 0;
            for (int64_t c = g->embedding->begin[j]; c < g->embedding->begin[j + 1];
                 c++) {
                double diff = z[c] - g->z[i * f + c];
                part += diff * diff;
            }
            r2 += g->scale[j] * part;
        }
        double r = SQRT5 * sqrt(r2);
        e[i] = -r;
        k[i] = signal * (1 + r + r2 * (5.0 / 3.0));
        slope[i] = -(5.0 / 3.0) * signal * (1 + r); /* dk/dz = slope w (z - zi) */
    }
    g->k->exp(e, e, n);
    g->k->multiply(k, e, k, n);
    g->k->multiply(slope, e, slope, n);
    *mean = g->mean + g->k->dot(g->alpha, k, n);
    *variance = signal;
    memset(w, 0, (size_t)n * sizeof *w); /* covariance^-1 k */
    for (int64_t i = 0; i < n; i++) {
        double v = g->k->dot(g->l + i * n, k, i + 1);
        *variance -= v * v;
        g->k->axpy(v, g->l + i * n, w, i + 1);
    }
    if (!(*variance > 1e-12 * signal)) *variance = 1e-12 * signal;
    memset(d_mean, 0, (size_t)f * sizeof *d_mean);
    memset(d_variance, 0, (size_t)f * sizeof *d_variance);
    for (int64_t i = 0; i < n; i++) {
        double a = slope[i] * g->alpha[i], b = -2 * slope[i] * w[i];
        for (int64_t c = 0; c < f; c++) {
            double diff = z[c] - g->z[i * f + c];
            d_mean[c] += a * diff;
            d_variance[c] += b * diff;
        }
    }
    for (int64_t j = 0; j < d; j++)
        for (int64_t c = g->embedding->begin[j]; c < g->embedding->begin[j + 1]; c++) {
            d_mean[c] *= g->scale[j];
            d_variance[c] *= g->scale[j];
        }
}
