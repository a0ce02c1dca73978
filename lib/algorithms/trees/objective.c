/* SPDX-License-Identifier: MIT
 *
 * trees/objective.c: gradients, hessians, losses and the best constants.
 *
 * With s the score and y the target:
 *   squared   (s - y)^2 / 2            g = s - y, h = 1
 *   absolute  |s - y|                  g = sign(s - y), h = 1; leaves by the median
 *   huber     squared within delta, absolute beyond; leaves by the median and a step
 *   quantile  pinball loss             leaves by the quantile
 *   poisson   e^s - y s                mean e^s
 *   gamma     s + y e^-s               mean e^s
 *   tweedie   compound Poisson, 1 < p < 2: e^((2-p)s)/(2-p) - y e^((1-p)s)/(1-p)
 *   logistic  cross-entropy of 1 / (1 + e^-s); cross_entropy: the same for 0 <= y <= 1
 *   softmax   cross-entropy of e^s_k / sum; h has the factor K / (K - 1), which makes a
 *             step of the diagonal Newton method about right (Friedman 2001)
 */
#include "algorithms/trees/objective.h"
#include "algorithms/trees/pack.h"
#include "algorithms/trees/logistic.h"
#include "core/radix.h"
#include <math.h>
#include <string.h>

#define SMALLEST_P 1e-15

#define put mli_put_gradient

#define ROWS(body)                                                                       \
    for (int64_t i = begin; i < end; i++) {                                              \
        double w = t->weight ? t->weight[i] : 1, s = score[i];                           \
        body;                                                                            \
    }

static void value_gradients(const mli_objective *o, const mli_targets *t, int64_t begin,
                            int64_t end, const double *score, float *gh)
{
    const double *y = t->y;
    double d = o->huber_delta, p = o->tweedie_power;
    switch (o->kind) {
    case MLI_SQUARED:
        ROWS(put(gh + 2 * i, w, s - y[i], 1)) break;
    case MLI_ABSOLUTE:
        ROWS(put(gh + 2 * i, w, (s > y[i]) - (s < y[i]), 1)) break;
    case MLI_HUBER:
        ROWS(double r = s - y[i]; put(gh + 2 * i, w, r > d ? d : r < -d ? -d : r, 1))
        break;
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

static double quantile_of(const mli_objective *o, int32_t k)
{
    return o->quantiles ? o->quantiles[k] : o->quantile;
}

static void quantile_gradients(const mli_objective *o, const mli_targets *t,
                               int64_t begin, int64_t end, const double *score,
                               int64_t stride, float *gh)
{
    for (int32_t k = 0; k < o->n_scores; k++, score += stride, gh += 2 * stride) {
        double q = quantile_of(o, k);
        ROWS(put(gh + 2 * i, w, s > t->y[i] ? 1 - q : -q, 1))
    }
}

/* Class 1 of two as a number, or the share that is the target. */
static inline double share(const mli_targets *t, int64_t i)
{
    return t->label ? (double)t->label[i] : t->y[i];
}

static void logistic_gradients(const mli_objective *o, const mli_targets *t,
                               int64_t begin, int64_t end, const double *score, float *gh)
{
    mli_logistic_gradients(o->level, score + begin, t->label + begin, end - begin,
                           gh + 2 * begin);
    for (int64_t i = begin; t->weight && i < end; i++)
        put(gh + 2 * i, t->weight[i], (double)gh[2 * i], (double)gh[2 * i + 1]);
}

#define BLOCK 512

static void cross_entropy_gradients(const mli_objective *o, const mli_targets *t,
                                    int64_t begin, int64_t end, const double *score,
                                    float *gh)
{
    double p[BLOCK];
    for (int64_t at = begin; at < end; at += BLOCK) {
        int64_t n = end - at < BLOCK ? end - at : BLOCK;
        o->kernels->sigmoid(score + at, p, n);
        for (int64_t i = 0; i < n; i++) {
            double w = t->weight ? t->weight[at + i] : 1;
            put(gh + 2 * (at + i), w, p[i] - t->y[at + i], p[i] * (1 - p[i]));
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

/* The powers of a class wait in the places of its gradients, which are as large: a double
 * for two floats. */
static void softmax_block(const mli_objective *o, const mli_targets *t, int64_t begin,
                          int64_t n, const double *score, int64_t stride, float *gh)
{
    double high[BLOCK], sum[BLOCK] = {0}, p[BLOCK];
    double factor = o->n_scores / (o->n_scores - 1.0);
    memcpy(high, score, (size_t)n * sizeof *high);
    for (int32_t k = 1; k < o->n_scores; k++)
        for (int64_t i = 0; i < n; i++)
            if (score[k * stride + i] > high[i]) high[i] = score[k * stride + i];
    for (int32_t k = 0; k < o->n_scores; k++) {
        for (int64_t i = 0; i < n; i++) p[i] = score[k * stride + i] - high[i];
        o->kernels->exp(p, p, n);
        o->kernels->axpy(1, p, sum, n);
        memcpy(gh + 2 * k * stride, p, (size_t)n * sizeof *p);
    }
    for (int64_t i = 0; i < n; i++) sum[i] = 1 / sum[i];
    for (int32_t k = 0; k < o->n_scores; k++) {
        float *to = gh + 2 * k * stride;
        memcpy(p, to, (size_t)n * sizeof *p);
        o->kernels->multiply(p, sum, p, n);
        if (!t->weight) {
            mli_pack_shares(o->level, p, t->label + begin, k, factor, n, to);
            continue;
        }
        for (int64_t i = 0; i < n; i++)
            put(to + 2 * i, t->weight[begin + i], p[i] - (t->label[begin + i] == k),
                p[i] * (1 - p[i]) * factor);
    }
}

void mli_objective_gradients(const mli_objective *o, const mli_targets *t, int64_t begin,
                             int64_t end, const double *score, int64_t stride, float *gh)
{
    if (t->ys) {
        mli_several_gradients(o, t, begin, end, score, stride, gh);
        return;
    }
    switch (o->kind) {
    case MLI_LOGISTIC:
        logistic_gradients(o, t, begin, end, score, gh);
        break;
    case MLI_CROSS_ENTROPY:
        cross_entropy_gradients(o, t, begin, end, score, gh);
        break;
    case MLI_SOFTMAX:
        for (int64_t at = begin; at < end; at += BLOCK)
            softmax_block(o, t, at, end - at < BLOCK ? end - at : BLOCK, score + at,
                          stride, gh + 2 * at);
        break;
    case MLI_QUANTILE:
        quantile_gradients(o, t, begin, end, score, stride, gh);
        break;
    case MLI_AFT:
        mli_aft_gradients(o, t, begin, end, score, gh);
        break;
    default:
        value_gradients(o, t, begin, end, score, gh);
    }
}

ml_status mli_objective_gradients_whole(ml_context *ctx, const mli_objective *o,
                                        const mli_targets *t, const double *score,
                                        float *gh, ml_error *err)
{
    if (o->kind == MLI_CUSTOM) return mli_custom_gradients(ctx, o, t, score, gh, err);
    if (mli_objective_ranks(o)) return mli_rank_gradients(ctx, o, t, score, gh, err);
    mli_cox_gradients(t, score, gh);
    return ML_OK;
}

int mli_objective_unit_hessian(const mli_objective *o)
{
    return o->kind == MLI_SQUARED || o->kind == MLI_ABSOLUTE || o->kind == MLI_HUBER ||
           o->kind == MLI_QUANTILE;
}

double mli_objective_renews(const mli_objective *o, int32_t k)
{
    if (o->kind == MLI_ABSOLUTE || o->kind == MLI_HUBER) return 0.5;
    return o->kind == MLI_QUANTILE ? quantile_of(o, k) : 0;
}

/* Losses. */

static double clip_p(double p)
{
    return p < SMALLEST_P ? SMALLEST_P : p;
}

static double quantile_loss(const mli_objective *o, double y, const double *score,
                            int64_t stride)
{
    double sum = 0;
    for (int32_t k = 0; k < o->n_scores; k++) {
        double q = quantile_of(o, k), r = score[k * stride] - y;
        sum += r > 0 ? (1 - q) * r : -q * r;
    }
    return sum / o->n_scores;
}

static double softmax_loss(int32_t n, int32_t label, const double *score, int64_t stride)
{
    double high = score[0], sum = 0;
    for (int32_t k = 1; k < n; k++)
        if (score[k * stride] > high) high = score[k * stride];
    for (int32_t k = 0; k < n; k++) sum += exp(score[k * stride] - high);
    return -log(clip_p(exp(score[label * stride] - high) / sum));
}

static double logistic_loss(double s, double y)
{
    return log1p(exp(-fabs(s))) + (s > 0 ? (1 - y) * s : -y * s);
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
        return quantile_loss(o, y, score + i, stride);
    case MLI_POISSON:
        return exp(s) - y * s;
    case MLI_GAMMA:
        return s + y * exp(-s);
    case MLI_TWEEDIE:
        return exp((2 - p) * s) / (2 - p) - y * exp((1 - p) * s) / (1 - p);
    case MLI_LOGISTIC:
    case MLI_CROSS_ENTROPY:
        return logistic_loss(s, share(t, i));
    case MLI_AFT:
        return mli_aft_row_loss(o, t, i, s);
    case MLI_CUSTOM:
        if (o->n_classes == 0) return r * r;
        if (o->n_scores == 1) return logistic_loss(s, share(t, i));
        break;
    default:
        break;
    }
    return softmax_loss(o->n_scores, t->label[i], score + i, stride);
}

void mli_objective_loss(const mli_objective *o, const mli_targets *t, int64_t begin,
                        int64_t end, const double *score, int64_t stride, double *sum,
                        double *weight)
{
    double total = 0, weights = 0;
    if (t->ys) {
        mli_several_loss(o, t, begin, end, score, stride, sum, weight);
        return;
    }
    for (int64_t i = begin; i < end; i++) {
        double w = t->weight ? t->weight[i] : 1;
        total += w * row_loss(o, t, i, score, stride);
        weights += w;
    }
    *sum = total;
    *weight = weights;
}

int32_t mli_objective_outputs(const mli_objective *o)
{
    if (o->n_targets) return o->n_targets;
    return o->n_classes ? o->n_classes : 1;
}

static double middle_quantile(const mli_objective *o, const double *score)
{
    int32_t best = 0;
    for (int32_t k = 1; k < o->n_scores; k++)
        if (fabs(quantile_of(o, k) - 0.5) < fabs(quantile_of(o, best) - 0.5)) best = k;
    return score[best];
}

void mli_objective_value(const mli_objective *o, const double *score, double *out)
{
    if (o->n_targets) {
        mli_several_values(o, score, out);
        return;
    }
    switch (o->kind) {
    case MLI_POISSON:
    case MLI_GAMMA:
    case MLI_TWEEDIE:
    case MLI_COX:
    case MLI_AFT:
        out[0] = exp(score[0]);
        return;
    case MLI_CROSS_ENTROPY:
        out[0] = 1 / (1 + exp(-score[0]));
        return;
    case MLI_QUANTILE:
        out[0] = middle_quantile(o, score);
        return;
    default:
        break;
    }
    if (o->n_classes == 0) {
        out[0] = score[0];
    } else if (o->n_scores == 1) {
        double p = 1 / (1 + exp(-score[0]));
        out[0] = 1 - p;
        out[1] = p;
    } else {
        softmax_row(o->n_scores, score, 1, out);
    }
}
