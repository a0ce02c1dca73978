/* SPDX-License-Identifier: MIT
 *
 * metrics_value.c: metrics of predicted values: errors and shares of them; those of
 * distributions are in metrics_deviance.c.
 * Definitions as in Hastie, Tibshirani, Friedman, "The Elements of Statistical Learning",
 * and for pinball Koenker, Bassett, "Regression quantiles", Econometrica 1978.
 */
#include "tuning/metrics.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Weighted mean of loss(y, p) over the rows. */
static double mean_loss(const mli_truth *t, const double *p, double parameter,
                        double (*loss)(double y, double p, double parameter))
{
    double sum = 0, weights = 0;
    for (int64_t r = 0; r < t->n; r++) {
        double w = mli_truth_weight(t, r);
        sum += w * loss(t->y[r], p[r], parameter);
        weights += w;
    }
    return sum / weights;
}

static double loss_absolute(double y, double p, double unused)
{
    (void)unused;
    return fabs(y - p);
}
static double loss_squared(double y, double p, double unused)
{
    (void)unused;
    return (y - p) * (y - p);
}
/* Relative to |y|, which is kept away from 0 by the smallest relative step. */
static double loss_relative(double y, double p, double unused)
{
    (void)unused;
    double scale = fabs(y);
    return fabs(y - p) / (scale > DBL_EPSILON ? scale : DBL_EPSILON);
}
static double loss_pinball(double y, double p, double q)
{
    return y >= p ? q * (y - p) : (1 - q) * (p - y);
}

static double loss_symmetric(double y, double p, double unused)
{
    (void)unused;
    double scale = fabs(y) + fabs(p);
    return scale > 0 ? 2 * fabs(y - p) / scale : 0;
}

#define MEAN_LOSS(id, parameter, loss, transform)                                        \
    static ml_status score_##id(ml_context *ctx, const mli_truth *t, const double *p,    \
                                const mli_metric_options *o, double *out, ml_error *err) \
    {                                                                                    \
        (void)ctx, (void)o, (void)err;                                                   \
        *out = transform(mean_loss(t, p, parameter, loss));                              \
        return ML_OK;                                                                    \
    }
MEAN_LOSS(mae, 0, loss_absolute, )
MEAN_LOSS(mse, 0, loss_squared, )
MEAN_LOSS(rmse, 0, loss_squared, sqrt)
MEAN_LOSS(mape, 0, loss_relative, )
MEAN_LOSS(smape, 0, loss_symmetric, )
MEAN_LOSS(pinball, o->quantile, loss_pinball, )

static ml_status score_wape(ml_context *ctx, const mli_truth *t, const double *p,
                            const mli_metric_options *o, double *out, ml_error *err)
{
    (void)ctx, (void)o;
    double error = 0, total = 0;
    for (int64_t r = 0; r < t->n; r++) {
        double w = mli_truth_weight(t, r);
        error += w * fabs(t->y[r] - p[r]);
        total += w * fabs(t->y[r]);
    }
    if (!(total > 0)) {
        mli_fail(err, ML_E_DATA, "wape needs a target that is not 0 in all rows");
        return mli_error_hint(err, ML_E_DATA, "use mae");
    }
    *out = error / total;
    return ML_OK;
}

static ml_status score_max_error(ml_context *ctx, const mli_truth *t, const double *p,
                                 const mli_metric_options *o, double *out, ml_error *err)
{
    (void)ctx, (void)o, (void)err;
    *out = 0;
    for (int64_t r = 0; r < t->n; r++)
        if (mli_truth_weight(t, r) > 0) *out = fmax(*out, fabs(t->y[r] - p[r]));
    return ML_OK;
}

typedef struct weighted {
    double value, weight;
} weighted;

static int by_value(const void *a, const void *b)
{
    const weighted *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

/* The value at which the weights below reach half; where they are half, the mean of the
 * two beside it. */
static double middle(const weighted *x, int64_t n, double total)
{
    double below = 0;
    for (int64_t i = 0; i < n; i++) {
        below += x[i].weight;
        if (below < total / 2) continue;
        int64_t next = i + 1;
        while (next < n && !(x[next].weight > 0)) next++;
        return below > total / 2 || next == n ? x[i].value
                                              : (x[i].value + x[next].value) / 2;
    }
    return NAN;
}

static ml_status score_median_absolute_error(ml_context *ctx, const mli_truth *t,
                                             const double *p, const mli_metric_options *o,
                                             double *out, ml_error *err)
{
    (void)o;
    double total = 0;
    weighted *x = mli_alloc_vec(ctx, t->n, sizeof *x);
    if (!x) return mli_nomem(err);
    for (int64_t r = 0; r < t->n; r++) {
        x[r] = (weighted){fabs(t->y[r] - p[r]), mli_truth_weight(t, r)};
        total += x[r].weight;
    }
    qsort(x, (size_t)t->n, sizeof *x, by_value);
    *out = middle(x, t->n, total);
    mli_free(ctx, x);
    return ML_OK;
}

/* The weighted sum of squares around the mean of y, or of y - p. p: NULL for y. */
static double squares(const mli_truth *t, const double *p, double *weights)
{
    double sum = 0, total = 0;
    *weights = 0;
    for (int64_t r = 0; r < t->n; r++) {
        double w = mli_truth_weight(t, r);
        sum += w * (t->y[r] - (p ? p[r] : 0));
        *weights += w;
    }
    for (int64_t r = 0; r < t->n; r++) {
        double d = t->y[r] - (p ? p[r] : 0) - sum / *weights;
        total += mli_truth_weight(t, r) * d * d;
    }
    return total;
}

static ml_status not_defined(const char *name, ml_error *err)
{
    mli_fail(err, ML_E_DATA, "%s needs at least two different target values", name);
    return mli_error_hint(err, ML_E_DATA, "use rmse or mae");
}

static ml_status score_r2(ml_context *ctx, const mli_truth *t, const double *p,
                          const mli_metric_options *o, double *out, ml_error *err)
{
    (void)ctx, (void)o;
    double weights, total = squares(t, NULL, &weights);
    if (t->n < 2 || !(total > 0)) return not_defined("R2", err);
    *out = 1 - mean_loss(t, p, 0, loss_squared) * weights / total;
    return ML_OK;
}

static ml_status score_explained_variance(ml_context *ctx, const mli_truth *t,
                                          const double *p, const mli_metric_options *o,
                                          double *out, ml_error *err)
{
    (void)ctx, (void)o;
    double weights, total = squares(t, NULL, &weights);
    if (t->n < 2 || !(total > 0)) return not_defined("explained_variance", err);
    *out = 1 - squares(t, p, &weights) / total;
    return ML_OK;
}

MLI_VALUE_METRIC(
    explained_variance, "explained_variance_score", "explained variance",
    "1 minus the variance of y - p divided by that of y: R2 but for a constant "
    "error.",
    1)
MLI_VALUE_METRIC(mae, "mean_absolute_error,l1,neg_mean_absolute_error",
                 "mean absolute error", "Mean of |y - p|.", 0)
MLI_VALUE_METRIC(mape,
                 "mean_absolute_percentage_error,neg_mean_absolute_percentage_error",
                 "mean absolute percentage error",
                 "Mean of |y - p| / |y|, as a fraction. Very large where y is near 0.", 0)
MLI_VALUE_METRIC(max_error, "neg_max_error", "largest error", "The largest |y - p|.", 0)
MLI_VALUE_METRIC(median_absolute_error, "medae,neg_median_absolute_error",
                 "median absolute error", "The (weighted) median of |y - p|.", 0)
MLI_VALUE_METRIC(mse, "mean_squared_error,l2,neg_mean_squared_error",
                 "mean squared error", "Mean of (y - p) squared.", 0)
MLI_VALUE_METRIC(
    pinball, "quantile_loss,mean_pinball_loss,quantile", "pinball loss",
    "Loss of a predicted quantile: q (y - p) above it, (1 - q) (p - y) below. "
    "The quantile q comes from the options.",
    0)
MLI_VALUE_METRIC(r2, "r2_score,r_squared", "coefficient of determination",
                 "1 minus the squared error divided by that of the mean of the target.",
                 1)
MLI_VALUE_METRIC(rmse, "root_mean_squared_error,neg_root_mean_squared_error",
                 "root mean squared error", "Square root of the mean squared error.", 0)
MLI_VALUE_METRIC(
    smape, "symmetric_mean_absolute_percentage_error",
    "symmetric mean absolute percentage error",
    "Mean of 2 |y - p| / (|y| + |p|), a fraction up to 2; 0 where both are 0.", 0)
MLI_VALUE_METRIC(wape, "weighted_absolute_percentage_error,wmape",
                 "weighted absolute percentage error",
                 "Sum of |y - p| divided by the sum of |y|.", 0)
