/* SPDX-License-Identifier: MIT
 *
 * algorithms/metric.c: finding metrics by name, and their options.
 */
#include "algorithms/metric.h"

#include "core/text.h"

#include <string.h>

#define PREFIX      (sizeof "metric." - 1)
#define MAX_METRICS 128

static ml_status unknown(const char *name, const char *const *shown, int64_t n,
                         ml_error *err)
{
    char list[1024];
    mli_fail(err, ML_E_NAME, "there is no metric \"%s\"", name);
    const char *near = mli_nearest(name, shown, n);
    if (near) return mli_error_hint(err, ML_E_NAME, "did you mean \"%s\"?", near);
    mli_join(list, sizeof list, shown, n);
    return mli_error_hint(err, ML_E_NAME, "metrics are %s", list);
}

ml_status mli_metric_find(const char *name, const mli_metric **out, ml_error *err)
{
    const char *shown[MAX_METRICS];
    int64_t n = 0;
    for (const mli_descriptor *const *e = mli_catalog; *e; e++) {
        const mli_descriptor *d = *e;
        if (d->sort != MLI_SORT_METRIC || n == MAX_METRICS) continue;
        shown[n++] = d->name + PREFIX;
        if (strcmp(shown[n - 1], name) == 0 || strcmp(d->name, name) == 0 ||
            (d->aliases && mli_in_list(name, d->aliases))) {
            *out = (const mli_metric *)d; /* the head is its first member */
            return ML_OK;
        }
    }
    return unknown(name, shown, n, err);
}

mli_metric_options mli_metric_options_of(const ml_params *params)
{
    mli_metric_options o = {MLI_AVERAGE_AUTO, 0.5, 1.5};
    const mli_value *q = params ? mli_params_find(params, "quantile") : NULL;
    const mli_value *power = params ? mli_params_find(params, "tweedie_power") : NULL;
    if (q) o.quantile = mli_get_f64(params, "quantile");
    if (power) o.power = mli_get_f64(params, "tweedie_power");
    return o;
}
