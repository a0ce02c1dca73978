/* SPDX-License-Identifier: MIT
 *
 * metrics_value.c: metrics of predicted values: MAE, MSE, RMSE, R2, MAPE, pinball.
 * Definitions as in Hastie, Tibshirani, Friedman, "The Elements of Statistical Learning",
 * and for pinball Koenker, Bassett, "Regression quantiles", Econometrica 1978.
 */
#include "tuning/metrics.h"

#include <float.h>
#include <math.h>

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

static ml_status score_mae(ml_context *ctx, const mli_truth *t, const double *p,
                           const mli_metric_options *o, double *out, ml_error *err)
{
    (void)ctx, (void)o, (void)err;
    *out = mean_loss(t, p, 0, loss_absolute);
    return ML_OK;
}
static ml_status score_mse(ml_context *ctx, const mli_truth *t, const double *p,
                           const mli_metric_options *o, double *out, ml_error *err)
{
    (void)ctx, (void)o, (void)err;
    *out = mean_loss(t, p, 0, loss_squared);
    return ML_OK;
}
static ml_status score_rmse(ml_context *ctx, const mli_truth *t, const double *p,
                            const mli_metric_options *o, double *out, ml_error *err)
{
    (void)ctx, (void)o, (void)err;
    *out = sqrt(mean_loss(t, p, 0, loss_squared));
    return ML_OK;
}
static ml_status score_mape(ml_context *ctx, const mli_truth *t, const double *p,
                            const mli_metric_options *o, double *out, ml_error *err)
{
    (void)ctx, (void)o, (void)err;
    *out = mean_loss(t, p, 0, loss_relative);
    return ML_OK;
}
static ml_status score_pinball(ml_context *ctx, const mli_truth *t, const double *p,
                               const mli_metric_options *o, double *out, ml_error *err)
{
    (void)ctx, (void)err;
    *out = mean_loss(t, p, o->quantile, loss_pinball);
    return ML_OK;
}

static ml_status score_r2(ml_context *ctx, const mli_truth *t, const double *p,
                          const mli_metric_options *o, double *out, ml_error *err)
{
    (void)ctx, (void)o;
    double sum = 0, weights = 0;
    for (int64_t r = 0; r < t->n; r++) {
        double w = mli_truth_weight(t, r);
        sum += w * t->y[r];
        weights += w;
    }
    double mean = sum / weights, total = 0;
    for (int64_t r = 0; r < t->n; r++) {
        total += mli_truth_weight(t, r) * (t->y[r] - mean) * (t->y[r] - mean);
    }
    if (t->n < 2 || !(total > 0)) {
        mli_fail(err, ML_E_DATA, "R2 needs at least two different target values");
        return mli_error_hint(err, ML_E_DATA, "use rmse or mae");
    }
    *out = 1 - mean_loss(t, p, 0, loss_squared) * weights / total;
    return ML_OK;
}

#define VALUE_METRIC(id, other, heading, text, best, up)                                 \
    extern const mli_metric mli_metric_##id;                                             \
    const mli_metric mli_metric_##id = {                                                 \
        .head = {.name = "metric." #id,                                                  \
                 .aliases = other,                                                       \
                 .title = heading,                                                       \
                 .doc = text,                                                            \
                 .family = "metric",                                                     \
                 .since = "0.1",                                                         \
                 .sort = MLI_SORT_METRIC,                                                \
                 .tasks = MLI_TASK_REGRESSION,                                           \
                 .direction = best,                                                      \
                 .needs = "value"},                                                      \
        .needs = MLI_NEEDS_VALUE,                                                        \
        .maximize = up,                                                                  \
        .score = score_##id,                                                             \
    };

VALUE_METRIC(mae, "mean_absolute_error,l1,neg_mean_absolute_error", "mean absolute error",
             "Mean of |y - p|.", "min", 0)
VALUE_METRIC(mape, "mean_absolute_percentage_error,neg_mean_absolute_percentage_error",
             "mean absolute percentage error",
             "Mean of |y - p| / |y|, as a fraction. Very large where y is near 0.", "min",
             0)
VALUE_METRIC(mse, "mean_squared_error,l2,neg_mean_squared_error", "mean squared error",
             "Mean of (y - p) squared.", "min", 0)
VALUE_METRIC(pinball, "quantile_loss,mean_pinball_loss,quantile", "pinball loss",
             "Loss of a predicted quantile: q (y - p) above it, (1 - q) (p - y) below. "
             "The quantile q comes from the options.",
             "min", 0)
VALUE_METRIC(r2, "r2_score,r_squared", "coefficient of determination",
             "1 minus the squared error divided by that of the mean of the target.",
             "max", 1)
VALUE_METRIC(rmse, "root_mean_squared_error,neg_root_mean_squared_error",
             "root mean squared error", "Square root of the mean squared error.", "min",
             0)
