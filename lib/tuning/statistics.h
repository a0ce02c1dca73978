/* SPDX-License-Identifier: MIT
 *
 * tuning/statistics.h: the distributions and tests that model checks need.
 */
#ifndef MLI_TUNING_STATISTICS_H
#define MLI_TUNING_STATISTICS_H

#include "core/context.h"

/* How likely a value at least as far from 0 is: standard normal, and Student's t. */
double mli_normal_two_sided(double z);
double mli_student_two_sided(double t, double df);
/* The t from 0 on that mli_student_two_sided is p at. */
double mli_student_quantile(double p, double df);
/* The same for k or a less even outcome of n fair coins. */
double mli_coin_two_sided(int64_t k, int64_t n);
/* Wilson's interval of a share of n rows. */
void mli_wilson(double share, double n, double z, double *low, double *high);

/* The comparison of two models: a difference, its standard error, what it says. */
typedef struct mli_compared {
    double first, second; /* the scores */
    double difference;    /* first minus second */
    double low, high;     /* its 95 % interval; NaN when there is none */
    double statistic, p;
} mli_compared;

/* McNemar's test of two classifiers: exact below 25 rows on which one alone is right,
 * else chi-squared with continuity correction. right: 1 where the class is right. */
void mli_mcnemar(const uint8_t *first, const uint8_t *second, int64_t n,
                 mli_compared *out);
/* DeLong's test of the areas under two ROC curves of the same rows. */
ml_status mli_delong(ml_context *ctx, const double *first, const double *second,
                     const uint8_t *positive, int64_t n, mli_compared *out,
                     ml_error *err);
/* The t-test on the losses of the same rows. */
void mli_paired_t(const double *first, const double *second, int64_t n,
                  mli_compared *out);
/* The same on the scores of n splits with `share` test rows per training row. */
void mli_resampled_t(const double *first, const double *second, int64_t n, double share,
                     mli_compared *out);

#endif
