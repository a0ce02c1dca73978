/* SPDX-License-Identifier: MIT
 *
 * algorithms/metric.c: finding metrics by name, and their options.
 */
#include "algorithms/metric.h"

#include <stdio.h>
#include <string.h>

ml_status mli_metric_find(const char *name, const mli_metric **out, ml_error *err)
{
    const mli_descriptor *d;
    ml_status status = mli_catalog_get(name, MLI_SORT_METRIC, "metric", &d, err);
    if (!status) *out = (const mli_metric *)d; /* the head is its first member */
    return status;
}

const char *mli_metric_objective(const ml_params *params, char *prefix)
{
    static const char name[] = "objective";
    const char *found = "";
    if (prefix) *prefix = 0;
    for (int64_t i = 0; params && i < params->count; i++) {
        const mli_value *v = &params->values[i];
        size_t n = strlen(v->name), before = n - (sizeof name - 1);
        if (n < sizeof name - 1 || strcmp(v->name + before, name) != 0) continue;
        if (before == 0) return v->text;
        if (v->name[before - 1] != '.') continue;
        if (*found) { /* parts of their own mind */
            if (prefix) *prefix = 0;
            return "";
        }
        found = v->text;
        if (prefix) snprintf(prefix, MLI_PATH_SIZE, "%.*s", (int)before, v->name);
    }
    return found;
}

static void read_option(const ml_params *params, const char *prefix, const char *name,
                        double *out)
{
    char path[MLI_PATH_SIZE + 32];
    snprintf(path, sizeof path, "%s%s", prefix, name);
    if (mli_params_find(params, path)) *out = mli_get_f64(params, path);
}

mli_metric_options mli_metric_options_of(const ml_params *params)
{
    mli_metric_options o = MLI_METRIC_USUAL;
    char prefix[MLI_PATH_SIZE];
    if (!params) return o;
    mli_metric_objective(params, prefix);
    read_option(params, prefix, "quantile", &o.quantile);
    read_option(params, prefix, "tweedie_power", &o.power);
    return o;
}
