/* SPDX-License-Identifier: MIT
 *
 * algorithms/metric.c: finding metrics by name, and their options.
 */
#include "algorithms/metric.h"

ml_status mli_metric_find(const char *name, const mli_metric **out, ml_error *err)
{
    const mli_descriptor *d;
    ml_status status = mli_catalog_get(name, MLI_SORT_METRIC, "metric", &d, err);
    if (!status) *out = (const mli_metric *)d; /* the head is its first member */
    return status;
}

mli_metric_options mli_metric_options_of(const ml_params *params)
{
    mli_metric_options o = MLI_METRIC_USUAL;
    const mli_value *q = params ? mli_params_find(params, "quantile") : NULL;
    const mli_value *power = params ? mli_params_find(params, "tweedie_power") : NULL;
    if (q) o.quantile = mli_get_f64(params, "quantile");
    if (power) o.power = mli_get_f64(params, "tweedie_power");
    return o;
}
