/* SPDX-License-Identifier: MIT
 *
 * tuning/bootstrap.h: 95 % intervals of metrics.
 */
#ifndef MLI_TUNING_BOOTSTRAP_H
#define MLI_TUNING_BOOTSTRAP_H

#include "tuning/metrics.h"

typedef struct mli_judged {
    const mli_metric *metric;
    double value;
    double low, high; /* NaN where the samples do not define the metric */
} mli_judged;

/* Sets low and high of n metrics with known values. predictions: by MLI_NEEDS_.
 * truth->order: where it is known, it saves sorting once more. */
ml_status mli_bootstrap(ml_context *ctx, const mli_truth *truth,
                        double *const predictions[MLI_NEEDS_COUNT],
                        const mli_metric_options *options, mli_judged *judged, int64_t n,
                        ml_error *err);

#endif
