/* SPDX-License-Identifier: MIT
 *
 * trees/objective.c: gradients, hessians, losses and the best constants.
 *
 * With s the score and y the target:
 *   squared   (s - y)^2 / 2            g = s - y, h = 1
 *   absolute  |s - y|                  g = sign(s - y), h = 1; leaves by the median
 *   huber     squared within delta, absolute beyond
 *   quantile  pinball loss             leaves by the quantile
 *   poisson   e^s - y s                mean e^s
 *   gamma     s + y e^-s               mean e^s
 *   tweedie   compound Poisson, 1 < p < 2: e^((2-p)s)/(2-p) - y e^((1-p)s)/(1-p)
 *   logistic  cross-entropy of 1 / (1 + e^-s)
 *   softmax   cross-entropy of e^s_k / sum; h has the factor K / (K - 1), which makes a
 *             step of the diagonal Newton method about right (Friedman 2001)
 */
#include "algorithms/trees/objective.h"
#include "algorithms/trees/radix.h"
#include <math.h>
#include <string.h>

#define SMALLEST_P 1e-15

/* No row counts less than that: keeps leaf values finite for saturated rows. */
static const float smallest_h = 1e-16F;

static inline void put(float *gh, double w, double g, double h)
{
    gh[0] = (float)(w * g);
    gh[1] = (float)(w * h);
    if (w > 0 && gh[1] < smallest_h) gh[1] = smallest_h;
}

#define ROWS(body)                                                                       \
    for (int64_t i = begin; i < end; i++) {                                              \
        double w = t->weight ? t->weight[i] : 1, s = score[i];                           \
        body;                                                                            \
    }

static void value_gradients(const mli_objective *o, const mli_targets *t, int64_t begin,
                            int64_t end, const double *score, float *gh)
{
    const double *y = t->y;
    double d = o->huber_delta, q = o->quantile, p = o->tweedie_power;
    switch (o->kind) {
    case MLI_SQUARED:
        ROWS(put(gh + 2 * i, w, s - y[i], 1)) break;
    case MLI_ABSOLUTE:
        ROWS(put(gh + 2 * i, w, (s > y[i]) - (s < y[i]), 1)) break;
    case MLI_HUBER:
        ROWS(double r = s - y[i]; put(gh + 2 * i, w, r > d ? d : r < -d ? -d : r, 1))
        break;
    case MLI_QUANTILE:
        ROWS(put(gh + 2 * i, w, s > y[i] ? 1 - q : -q, 1)) break;
    case MLI_POISSON:
        ROWS(double e = exp(s); put(gh + 2 * i, w, e - y[i], e * exp(o->max_step)))
        break;
    case MLI_GAMMA:
        ROWS(double e = y[i] * exp(-s); put(gh + 2 * i, w, 1 - e, e)) break;
    default: /* tweedie */
        ROWS(double a = y[i] * exp((1 - p) * s); double b = exp((2 - p) * s);
             put(gh + 2 * i, w, b - a, (2 - p) * b - (1 - p) * a))
        break;
    }
}

#define LOGISTIC_BLOCK 512

static void logistic_gradients(const mli_objective *o, const mli_targets *t,
                               int64_t begin, int64_t end, const double *score, float *gh)
{
    double p[LOGISTIC_BLOCK];
    for (int64_t at = begin; at < end; at += LOGISTIC_BLOCK) {
        int64_t n = end - at < LOGISTIC_BLOCK ? end - at : LOGISTIC_BLOCK;
        o->kernels->sigmoid(score + at, p, n);
        for (int64_t i = 0; i < n; i++) {
            double w = t->weight ? t->weight[at + i] : 1;
            put(gh + 2 * (at + i), w, p[i] - t->label[at + i], p[i] * (1 - p[i]));
        }
    }
}

/* Probabilities of one row; score[k * stride]. */
static void softmax_row(int32_t n, const double *score, int64_t stride, double *p)
{
    double high = score[0], sum = 0;
    for (int32_t k = 1; k < n; k++)
        if (score[k * stride] > high) high = score[k * stride];
    for (int32_t k = 0; k < n; k++) sum += p[k] = exp(score[k * stride] - high);
    for (int32_t k = 0; k < n; k++) p[k] /= sum;
}

static void softmax_gradients(const mli_objective *o, const mli_targets *t, int64_t begin,
                              int64_t end, const double *score, int64_t stride, float *gh)
{
    int32_t n = o->n_scores;
    double factor = n / (n - 1.0);
    for (int64_t i = begin; i < end; i++) {
        double w = t->weight ? t->weight[i] : 1, high = score[i], sum = 0;
        for (int32_t k = 1; k < n; k++)
            if (score[k * stride + i] > high) high = score[k * stride + i];
        for (int32_t k = 0; k < n; k++) sum += exp(score[k * stride + i] - high);
        for (int32_t k = 0; k < n; k++) {
            double p = exp(score[k * stride + i] - high) / sum;
            double g = p - (t->label[i] == k);
            put(gh + 2 * (k * stride + i), w, g, factor * p * (1 - p));
        }
    }
}

void mli_objective_gradients(const mli_objective *o, const mli_targets *t, int64_t begin,
                             int64_t end, const double *score, int64_t stride, float *gh)
{
    if (o->kind == MLI_LOGISTIC)
        logistic_gradients(o, t, begin, end, score, gh);
    else if (o->kind == MLI_SOFTMAX)
        softmax_gradients(o, t, begin, end, score, stride, gh);
    else
        value_gradients(o, t, begin, end, score, gh);
}

int mli_objective_unit_hessian(const mli_objective *o)
{
    return o->kind == MLI_SQUARED || o->kind == MLI_ABSOLUTE || o->kind == MLI_HUBER ||
           o->kind == MLI_QUANTILE;
}

double mli_objective_renews(const mli_objective *o)
{
    return o->kind == MLI_ABSOLUTE ? 0.5 : o->kind == MLI_QUANTILE ? o->quantile : 0;
}

/* Losses. */

static double clip_p(double p)
{
    return p < SMALLEST_P ? SMALLEST_P : p;
}

static double row_loss(const mli_objective *o, const mli_targets *t, int64_t i,
                       const double *score, int64_t stride)
{
    double s = score[i], y = t->y ? t->y[i] : 0, r = s - y, size = fabs(r);
    double d = o->huber_delta, p = o->tweedie_power;
    switch (o->kind) {
    case MLI_SQUARED:
        return r * r;
    case MLI_ABSOLUTE:
        return size;
    case MLI_HUBER:
        return size <= d ? r * r / 2 : d * (size - d / 2);
    case MLI_QUANTILE:
        return r > 0 ? (1 - o->quantile) * r : -o->quantile * r;
    case MLI_POISSON:
        return exp(s) - y * s;
    case MLI_GAMMA:
        return s + y * exp(-s);
    case MLI_TWEEDIE:
        return exp((2 - p) * s) / (2 - p) - y * exp((1 - p) * s) / (1 - p);
    case MLI_LOGISTIC:
        return log1p(exp(-fabs(s))) + (t->label[i] == (s > 0) ? 0 : fabs(s));
    default:
        break;
    }
    double high = s, sum = 0;
    for (int32_t k = 1; k < o->n_scores; k++)
        if (score[k * stride + i] > high) high = score[k * stride + i];
    for (int32_t k = 0; k < o->n_scores; k++) sum += exp(score[k * stride + i] - high);
    return -log(clip_p(exp(score[t->label[i] * stride + i] - high) / sum));
}

void mli_objective_loss(const mli_objective *o, const mli_targets *t, int64_t begin,
                        int64_t end, const double *score, int64_t stride, double *sum,
                        double *weight)
{
    double total = 0, weights = 0;
    for (int64_t i = begin; i < end; i++) {
        double w = t->weight ? t->weight[i] : 1;
        total += w * row_loss(o, t, i, score, stride);
        weights += w;
    }
    *sum = total;
    *weight = weights;
}

void mli_objective_value(const mli_objective *o, const double *score, double *out)
{
    switch (o->kind) {
    case MLI_POISSON:
    case MLI_GAMMA:
    case MLI_TWEEDIE:
        out[0] = exp(score[0]);
        break;
    case MLI_LOGISTIC: {
        double p = 1 / (1 + exp(-score[0]));
        out[0] = 1 - p;
        out[1] = p;
        break;
    }
    case MLI_SOFTMAX:
        softmax_row(o->n_scores, score, 1, out);
        break;
    default:
        out[0] = score[0];
    }
}

/* Starting points. */

ml_status mli_objective_check(const mli_objective *o, const mli_targets *t, ml_error *err)
{
    int32_t kind = o->kind;
    if (kind == MLI_LOGISTIC || kind == MLI_SOFTMAX) return ML_OK;
    int positive = kind == MLI_GAMMA;
    int not_negative = kind == MLI_POISSON || kind == MLI_TWEEDIE;
    const char *name = kind == MLI_GAMMA     ? "gamma"
                       : kind == MLI_POISSON ? "poisson"
                                             : "tweedie";
    for (int64_t i = 0; i < t->rows; i++) {
        double y = t->y[i];
        if (!isfinite(y))
            return mli_fail(err, ML_E_DATA, "the target of row %lld is not finite",
                            (long long)i);
        if ((positive && y <= 0) || (not_negative && y < 0))
            return mli_fail(err, ML_E_DATA,
                            "the target of row %lld is %s, objective %s needs targets %s",
                            (long long)i, MLI_NUM(y), name,
                            positive ? "above 0" : "of at least 0");
    }
    return ML_OK;
}

static double weighted_mean(const mli_targets *t)
{
    double sum = 0, weights = 0, shift = t->rows > 0 ? t->y[0] : 0;
    for (int64_t i = 0; i < t->rows; i++) {
        double w = t->weight ? t->weight[i] : 1;
        sum += w * (t->y[i] - shift);
        weights += w;
    }
    return weights > 0 ? shift + sum / weights : 0;
}

typedef struct pair {
    double v, w;
} pair;

static int less(double v, double w, double v2, double w2)
{
    return v < v2 || (v == v2 && w < w2);
}

static void sort_pairs(double *v, double *w, int64_t n)
{
    /* Heap sort of both arrays in step. */
    for (int64_t end = n, start = n / 2; end > 1;) {
        pair x;
        if (start > 0) {
            start--;
            x = (pair){v[start], w[start]};
        } else {
            end--;
            x = (pair){v[end], w[end]};
            v[end] = v[0];
            w[end] = w[0];
        }
        int64_t i = start;
        for (int64_t c = 2 * i + 1; c < end; c = 2 * i + 1) {
            if (c + 1 < end && less(v[c], w[c], v[c + 1], w[c + 1])) c++;
            if (!less(x.v, x.w, v[c], w[c])) break;
            v[i] = v[c];
            w[i] = w[c];
            i = c;
        }
        v[i] = x.v;
        w[i] = x.w;
    }
}

double mli_weighted_quantile(double *v, double *weight, int64_t n, double q)
{
    if (n <= 0) return 0;
    if (!weight) {
        for (int64_t i = 0; i < n; i++) v[i] += 0.0;
        mli_radix_sort_f64(v, v + n, n);
        double at = q * (double)(n - 1);
        int64_t low = (int64_t)at;
        double next = low + 1 < n ? v[low + 1] : v[low];
        return v[low] + (at - (double)low) * (next - v[low]);
    }
    sort_pairs(v, weight, n);
    double total = 0, sum = 0;
    for (int64_t i = 0; i < n; i++) total += weight[i];
    for (int64_t i = 0; i < n; i++) {
        sum += weight[i];
        if (sum >= q * total) return v[i];
    }
    return v[n - 1];
}

static ml_status base_quantile(ml_context *ctx, const mli_targets *t, double q,
                               double *base, ml_error *err)
{
    double *v = mli_alloc_vec(ctx, 2 * t->rows, sizeof *v);
    if (!v) return mli_nomem(err);
    memcpy(v, t->y, (size_t)t->rows * sizeof *v);
    double *w = t->weight ? v + t->rows : NULL;
    if (w) memcpy(w, t->weight, (size_t)t->rows * sizeof *w);
    *base = mli_weighted_quantile(v, w, t->rows, q);
    mli_free(ctx, v);
    return ML_OK;
}

static void base_classes(const mli_objective *o, const mli_targets *t, double *base)
{
    int32_t n = o->kind == MLI_LOGISTIC ? 2 : o->n_scores;
    double total = 0, share = 0;
    for (int32_t k = 0; k < n; k++) {
        double sum = 0;
        for (int64_t i = 0; i < t->rows; i++)
            if (t->label[i] == k) sum += t->weight ? t->weight[i] : 1;
        if (o->kind == MLI_SOFTMAX) base[k] = sum;
        if (k == 1) share = sum;
        total += sum;
    }
    if (!(total > 0)) total = 1;
    if (o->kind == MLI_LOGISTIC) {
        double p = share / total;
        p = p < 1e-12 ? 1e-12 : p > 1 - 1e-12 ? 1 - 1e-12 : p;
        base[0] = log(p / (1 - p));
        return;
    }
    for (int32_t k = 0; k < n; k++) {
        double p = base[k] / total;
        base[k] = log(p < 1e-12 ? 1e-12 : p);
    }
}

ml_status mli_objective_base(ml_context *ctx, const mli_objective *o,
                             const mli_targets *t, double *base, ml_error *err)
{
    switch (o->kind) {
    case MLI_SQUARED:
        base[0] = weighted_mean(t);
        return ML_OK;
    case MLI_HUBER:
    case MLI_ABSOLUTE:
        return base_quantile(ctx, t, 0.5, base, err);
    case MLI_QUANTILE:
        return base_quantile(ctx, t, o->quantile, base, err);
    case MLI_LOGISTIC:
    case MLI_SOFTMAX:
        base_classes(o, t, base);
        return ML_OK;
    default: {
        double mean = weighted_mean(t);
        base[0] = log(mean > 1e-12 ? mean : 1e-12);
        return ML_OK;
    }
    }
}
