/* SPDX-License-Identifier: MIT
 *
 * trees/objective_base.c: which targets are legal, and the best constant scores, from
 * which the trees start. With an offset the constant is found by Newton's method where
 * the loss is smooth.
 */
#include "algorithms/trees/objective.h"
#include "algorithms/trees/places.h"
#include <math.h>
#include <string.h>

#define NEWTON_BLOCK 1024

static ml_status bad_target(double y, int64_t row, const char *objective,
                            const char *needs, ml_error *err)
{
    return mli_fail(err, ML_E_DATA,
                    "the target of row %lld is %s, objective %s needs targets %s",
                    (long long)row + 1, MLI_NUM(y), objective, needs);
}

static ml_status check_value(int32_t kind, double y, int64_t row, ml_error *err)
{
    if (!isfinite(y))
        return mli_fail(err, ML_E_DATA, "the target of row %lld is not finite",
                        (long long)row + 1);
    if (kind == MLI_GAMMA && y <= 0) return bad_target(y, row, "gamma", "above 0", err);
    if (kind == MLI_POISSON && y < 0)
        return bad_target(y, row, "poisson", "of at least 0", err);
    if (kind == MLI_TWEEDIE && y < 0)
        return bad_target(y, row, "tweedie", "of at least 0", err);
    if (kind == MLI_CROSS_ENTROPY && (y < 0 || y > 1))
        return bad_target(y, row, "cross_entropy", "from 0 to 1", err);
    return ML_OK;
}

ml_status mli_objective_check(const mli_objective *o, const mli_targets *t, ml_error *err)
{
    if (!t->y) return ML_OK;
    if (t->ys) return mli_several_check(o, t, err);
    if (mli_objective_ranks(o)) return mli_rank_check(t, err);
    if (mli_objective_survives(o)) return mli_survival_check(o, t, err);
    ml_status status = ML_OK;
    for (int64_t i = 0; i < t->rows && status == ML_OK; i++)
        status = check_value(o->kind, t->y[i], i, err);
    return status;
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
        double at = q * (double)(n - 1);
        int64_t low = (int64_t)at, next = low + 1 < n ? low + 1 : low;
        mli_find_places(v, n, (const int64_t[]){low, next}, 1 + (next > low), v + n);
        return v[low] + (at - (double)low) * (v[next] - v[low]);
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
    for (int64_t i = 0; i < t->rows; i++) v[i] = t->y[i] - (t->offset ? t->offset[i] : 0);
    double *w = t->weight ? v + t->rows : NULL;
    if (w) memcpy(w, t->weight, (size_t)t->rows * sizeof *w);
    *base = mli_weighted_quantile(v, w, t->rows, q);
    mli_free(ctx, v);
    return ML_OK;
}

static double logit(double p)
{
    p = p < 1e-12 ? 1e-12 : p > 1 - 1e-12 ? 1 - 1e-12 : p;
    return log(p / (1 - p));
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
        base[0] = logit(share / total);
        return;
    }
    for (int32_t k = 0; k < n; k++) {
        double p = base[k] / total;
        base[k] = log(p < 1e-12 ? 1e-12 : p);
    }
}

static ml_status base_quantiles(ml_context *ctx, const mli_objective *o,
                                const mli_targets *t, double *base, ml_error *err)
{
    ml_status status = ML_OK;
    for (int32_t k = 0; k < o->n_scores && status == ML_OK; k++)
        status = base_quantile(ctx, t, o->quantiles ? o->quantiles[k] : o->quantile,
                               &base[k], err);
    return status;
}

static ml_status plain_base(ml_context *ctx, const mli_objective *o, const mli_targets *t,
                            double *base, ml_error *err)
{
    switch (o->kind) {
    case MLI_SQUARED:
        base[0] = weighted_mean(t);
        return ML_OK;
    case MLI_HUBER:
    case MLI_ABSOLUTE:
        return base_quantile(ctx, t, 0.5, base, err);
    case MLI_QUANTILE:
        return base_quantiles(ctx, o, t, base, err);
    case MLI_LOGISTIC:
    case MLI_SOFTMAX:
        base_classes(o, t, base);
        return ML_OK;
    case MLI_CROSS_ENTROPY:
        base[0] = logit(weighted_mean(t));
        return ML_OK;
    case MLI_POISSON:
    case MLI_GAMMA:
    case MLI_TWEEDIE:
    case MLI_AFT: {
        double mean = weighted_mean(t);
        base[0] = log(mean > 1e-12 ? mean : 1e-12);
        return ML_OK;
    }
    default: /* a constant changes nothing, or is unknown */
        for (int32_t k = 0; k < o->n_scores; k++) base[k] = 0;
        return ML_OK;
    }
}

/* One step of Newton's method for a constant added to all scores. */
static double newton_step(const mli_objective *o, const mli_targets *t, double base,
                          double *score, float *gh)
{
    double g = 0, h = 0;
    for (int64_t begin = 0; begin < t->rows; begin += NEWTON_BLOCK) {
        int64_t n = t->rows - begin < NEWTON_BLOCK ? t->rows - begin : NEWTON_BLOCK;
        mli_targets part = mli_targets_part(t, begin, n);
        for (int64_t i = 0; i < n; i++)
            score[i] = base + (t->offset ? t->offset[begin + i] : 0);
        mli_objective_gradients(o, &part, 0, n, score, n, gh);
        for (int64_t i = 0; i < n; i++) {
            g += (double)gh[2 * i];
            h += (double)gh[2 * i + 1];
        }
    }
    return h > 0 ? -g / h : 0;
}

static void refine_base(const mli_objective *o, const mli_targets *t, double *base)
{
    double score[NEWTON_BLOCK];
    float gh[2 * NEWTON_BLOCK];
    for (int turn = 0; turn < 50; turn++) {
        double step = newton_step(o, t, *base, score, gh);
        step = step > 2 ? 2 : step < -2 ? -2 : step;
        *base += step;
        if (fabs(step) < 1e-7) break;
    }
}

ml_status mli_objective_base(ml_context *ctx, const mli_objective *o,
                             const mli_targets *t, double *base, ml_error *err)
{
    if (t->ys) return mli_several_base(ctx, o, t, base, err);
    ml_status status = plain_base(ctx, o, t, base, err);
    int smooth = o->kind == MLI_SQUARED || o->kind == MLI_POISSON ||
                 o->kind == MLI_GAMMA || o->kind == MLI_TWEEDIE ||
                 o->kind == MLI_LOGISTIC || o->kind == MLI_CROSS_ENTROPY ||
                 o->kind == MLI_AFT;
    if (status == ML_OK && smooth && (t->offset || o->kind == MLI_AFT))
        refine_base(o, t, base);
    return status;
}
