/* SPDX-License-Identifier: MIT
 *
 * metrics_deviance.c: metrics of predicted means of counts and amounts: the mean deviance
 * of the Poisson, gamma and Tweedie distributions (Jorgensen, "The Theory of Dispersion
 * Models", 1997), twice the log-likelihood ratio to a model that is always right; and the
 * root mean squared logarithmic error.
 */
#include "tuning/metrics.h"

#include <math.h>

/* The deviance of power 1 (Poisson), 2 (gamma) or between of one row. */
static double deviance(double y, double p, double power)
{
    if (power == 1) return 2 * ((y > 0 ? y * log(y / p) : 0) - y + p);
    if (power == 2) return 2 * (log(p / y) + y / p - 1);
    double a = 1 - power, b = 2 - power;
    return 2 * ((y > 0 ? pow(y, b) : 0) / (a * b) - y * pow(p, a) / a + pow(p, b) / b);
}

/* Squared difference of log(1 + y) and log(1 + p). */
static double log_error(double y, double p, double unused)
{
    (void)unused;
    double d = log1p(y) - log1p(p);
    return d * d;
}

/* What a metric allows: targets above `low` or, when `closed`, at it; predictions alike.
 */
typedef struct domain {
    const char *name;
    double low;
    int y_closed, p_closed;
} domain;

static ml_status outside(const domain *d, const char *what, double value, int closed,
                         int64_t row, ml_error *err)
{
    mli_fail(err, ML_E_DATA, "%s needs %ss %s %s, not %s", d->name, what,
             closed ? "of at least" : "above", MLI_NUM(d->low), MLI_NUM(value));
    mli_error_at(err, ML_E_DATA, "%s, row %lld", what, (long long)row + 1);
    return mli_error_hint(err, ML_E_DATA, "use rmse or mae");
}

static ml_status mean_inside(const domain *d, const mli_truth *t, const double *p,
                             double parameter,
                             double (*loss)(double y, double p, double parameter),
                             double *out, ml_error *err)
{
    double sum = 0, weights = 0;
    for (int64_t r = 0; r < t->n; r++) {
        double w = mli_truth_weight(t, r), y = t->y[r];
        if (!(y > d->low || (d->y_closed && y == d->low)))
            return outside(d, "target", y, d->y_closed, r, err);
        if (!(p[r] > d->low || (d->p_closed && p[r] == d->low)))
            return outside(d, "prediction", p[r], d->p_closed, r, err);
        sum += w * loss(y, p[r], parameter);
        weights += w;
    }
    *out = sum / weights;
    return ML_OK;
}

static ml_status score_poisson_deviance(ml_context *ctx, const mli_truth *t,
                                        const double *p, const mli_metric_options *o,
                                        double *out, ml_error *err)
{
    (void)ctx, (void)o;
    return mean_inside(&(domain){"poisson_deviance", 0, 1, 0}, t, p, 1, deviance, out,
                       err);
}

static ml_status score_gamma_deviance(ml_context *ctx, const mli_truth *t,
                                      const double *p, const mli_metric_options *o,
                                      double *out, ml_error *err)
{
    (void)ctx, (void)o;
    return mean_inside(&(domain){"gamma_deviance", 0, 0, 0}, t, p, 2, deviance, out, err);
}

static ml_status score_tweedie_deviance(ml_context *ctx, const mli_truth *t,
                                        const double *p, const mli_metric_options *o,
                                        double *out, ml_error *err)
{
    (void)ctx;
    return mean_inside(&(domain){"tweedie_deviance", 0, 1, 0}, t, p, o->power, deviance,
                       out, err);
}

static ml_status score_rmsle(ml_context *ctx, const mli_truth *t, const double *p,
                             const mli_metric_options *o, double *out, ml_error *err)
{
    (void)ctx, (void)o;
    ml_status status =
        mean_inside(&(domain){"rmsle", -1, 0, 0}, t, p, 0, log_error, out, err);
    if (status == ML_OK) *out = sqrt(*out);
    return status;
}

MLI_VALUE_METRIC(gamma_deviance,
                 "mean_gamma_deviance,gamma-deviance,neg_mean_gamma_deviance",
                 "gamma deviance",
                 "Mean of 2 (log(p / y) + y / p - 1), for amounts above 0.", 0)
MLI_VALUE_METRIC(poisson_deviance, "mean_poisson_deviance,neg_mean_poisson_deviance",
                 "Poisson deviance",
                 "Mean of 2 (y log(y / p) - y + p), for counts; predictions above 0.", 0)
MLI_VALUE_METRIC(
    rmsle,
    "root_mean_squared_log_error,root_mean_squared_logarithmic_error,"
    "neg_root_mean_squared_log_error",
    "root mean squared logarithmic error",
    "Square root of the mean squared difference of log(1 + y) and log(1 + p).", 0)
MLI_VALUE_METRIC(
    tweedie_deviance, "mean_tweedie_deviance", "Tweedie deviance",
    "Mean deviance of a Tweedie distribution, for amounts of which many are 0; "
    "its power is that of the model, or the option power.",
    0)
