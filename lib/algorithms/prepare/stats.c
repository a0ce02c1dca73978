/* SPDX-License-Identifier: MIT
 *
 * prepare/stats.c: numbers about columns: sorted values, quantiles, counts of levels.
 * Moments are in moments.c.
 */
#include "algorithms/prepare/prepare.h"
#include "core/radix.h"

#include <math.h>
#include <string.h>

/* ---- sorted values ---- */

int64_t mli_prepare_present(const mli_design *d, int64_t feature, double *v)
{
    int64_t n = 0;
    const double *from = mli_design_look(d, feature, 0, d->rows, v);
    for (int64_t i = 0; i < d->rows; i++) {
        double x = from[i];
        v[n] = x + 0.0; /* no negative zero */
        n += !isnan(x);
    }
    return n;
}

typedef struct {
    const mli_design *d;
    const uint8_t *picked;
    const mli_run *run;
    mli_sorted_fn fn;
    void *arg;
    double *memory; /* [slots][2 * rows] */
} sorting;

static void sort_feature(void *arg, int64_t j, int32_t slot)
{
    const sorting *s = arg;
    double *v = s->memory + 2 * slot * s->d->rows;
    if (!s->picked[j] || mli_run_state(s->run) == ML_CANCEL) return;
    int64_t n = mli_prepare_present(s->d, j, v);
    mli_radix_sort_f64(v, v + s->d->rows, n);
    s->fn(s->arg, j, v, n);
}

ml_status mli_prepare_sorted(const mli_design *d, const uint8_t *picked,
                             const mli_run *run, mli_sorted_fn fn, void *arg,
                             ml_error *err)
{
    sorting s = {d, picked, run, fn, arg, NULL};
    s.memory = mli_alloc_vec(d->ctx, 2 * d->rows * mli_slots(d->ctx), sizeof *s.memory);
    if (!s.memory) return mli_nomem(err);
    mli_parallel(d->ctx, d->n_features, sort_feature, &s);
    mli_free(d->ctx, s.memory);
    return mli_run_check(run, err);
}

double mli_quantile(const double *sorted, int64_t n, double q)
{
    if (n <= 0) return NAN;
    double at = q * (double)(n - 1);
    int64_t k = (int64_t)at;
    if (k >= n - 1) return sorted[n - 1];
    double part = at - (double)k, low = sorted[k], high = sorted[k + 1];
    /* From the nearer end, so that both are met exactly. */
    return part < 0.5 ? low + (high - low) * part : high - (high - low) * (1 - part);
}

double mli_mode(const double *sorted, int64_t n)
{
    int64_t best = 0;
    double mode = NAN;
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && sorted[end] == sorted[i];) end++;
        if (end - i <= best) continue;
        best = end - i;
        mode = sorted[i];
    }
    return mode;
}

double mli_even_place(double low, double high, int64_t k, int64_t n)
{
    return k == n - 1 ? high : low + (high - low) * ((double)k / (double)(n - 1));
}

/* A rational first guess (P. J. Acklam's, good to nine digits) and two steps of Halley's
 * method on the distribution function. */
double mli_normal_quantile(double p)
{
    static const double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,
                               -2.759285104469687e+02, 1.383577518672690e+02,
                               -3.066479806614716e+01, 2.506628277459239e+00};
    static const double b[] = {-5.447609879822406e+01, 1.615858368580409e+02,
                               -1.556989798598866e+02, 6.680131188771972e+01,
                               -1.328068155288572e+01, 1};
    static const double c[] = {-7.784894002430293e-03, -3.223964580411365e-01,
                               -2.400758277161838e+00, -2.549732539343734e+00,
                               4.374664141464968e+00,  2.938163982698783e+00};
    static const double d[] = {7.784695709041462e-03, 3.224671290700398e-01,
                               2.445134137142996e+00, 3.754408661907416e+00, 1};
    double q = p < 0.5 ? p : 1 - p, above = 0, below = 0, x;
    if (q < 0.02425) {
        double r = sqrt(-2 * log(q));
        for (int i = 0; i < 6; i++) above = above * r + c[i];
        for (int i = 0; i < 5; i++) below = below * r + d[i];
        x = above / below;
    } else {
        double r = (q - 0.5) * (q - 0.5);
        for (int i = 0; i < 6; i++) above = above * r + a[i];
        for (int i = 0; i < 6; i++) below = below * r + b[i];
        x = above * (q - 0.5) / below;
    }
    for (int i = 0; i < 2; i++) {
        double e = 0.5 * erfc(-x / sqrt(2)) - q;
        double u = e * sqrt(2 * 3.14159265358979323846) * exp(x * x / 2);
        x -= u / (1 + x * u / 2);
    }
    return p < 0.5 ? x : -x;
}

void mli_prepare_counts(const mli_design *d, int64_t feature, double *counts)
{
    const int32_t *codes = d->columns[feature].codes;
    for (int64_t i = 0; codes && i < d->rows; i++)
        if (codes[i] >= 0) counts[codes[i]] += 1;
}
