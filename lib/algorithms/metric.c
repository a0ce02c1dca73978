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

ml_status mli_metric_score(const mli_metric *metric, ml_context *ctx,
                           const mli_truth *truth, const double *prediction,
                           const mli_metric_options *options, double *out, ml_error *err)
{
    int64_t n = truth->n, width = truth->n_targets;
    if (!truth->ys) return metric->score(ctx, truth, prediction, options, out, err);
    if (metric->needs != MLI_NEEDS_VALUE)
        return mli_fail(err, ML_E_UNSUPPORTED, "metric %s is not for several targets",
                        metric->head.name + sizeof "metric." - 1);
    double *y = mli_alloc_vec(ctx, 2 * n + 1, sizeof *y), *p = y ? y + n : NULL;
    double sum = 0, value = 0;
    ml_status st = y ? ML_OK : mli_nomem(err);
    mli_truth one = *truth;
    one.ys = NULL;
    one.y = y;
    for (int64_t k = 0; st == ML_OK && k < width; k++) {
        for (int64_t i = 0; i < n; i++) {
            y[i] = truth->ys[i * width + k];
            p[i] = prediction[i * width + k];
        }
        st = metric->score(ctx, &one, p, options, &value, err);
        sum += value;
    }
    mli_free(ctx, y);
    *out = sum / (double)width;
    return st;
}
