/* SPDX-License-Identifier: MIT
 *
 * prepare/lookup.c: encoders that look numbers up by the code of a category.
 */
#include "algorithms/prepare/lookup.h"

#include <string.h>

static int64_t rows_of(const mli_inputs *in, int64_t j)
{
    return in->features[j].levels.n + 1;
}

ml_status mli_lookup_load(mli_prepared *t, ml_error *err)
{
    int64_t total = -1;
    ml_status status = mli_model_want(t->model, "values", ML_DTYPE_F64, 1, &total,
                                      &t->MLI_LOOKUP_VALUES, err);
    if (!status)
        status = mli_prepare_offsets(t, "start", total, &t->MLI_LOOKUP_START, err);
    for (int64_t j = 0; j < t->in->n_features && !status; j++) {
        int64_t size = t->MLI_LOOKUP_START[j + 1] - t->MLI_LOOKUP_START[j];
        if (!t->picked[j] || (size && size % rows_of(t->in, j) == 0)) continue;
        status = mli_fail(err, ML_E_FORMAT, "the model's tensor \"start\" is damaged");
    }
    return status;
}

int64_t mli_lookup_width(const mli_prepared *t, int64_t j)
{
    const int64_t *start = t->MLI_LOOKUP_START;
    return (start[j + 1] - start[j]) / rows_of(t->in, j);
}

void mli_lookup_map(const mli_prepared *t, int64_t j, const double *in, int64_t stride,
                    int64_t n, double *out, int64_t out_stride)
{
    const double *table = t->MLI_LOOKUP_VALUES + t->MLI_LOOKUP_START[j];
    int64_t width = mli_lookup_width(t, j), missing = t->in->features[j].levels.n;
    for (int64_t i = 0; i < n; i++) {
        double code = in[i * stride];
        int64_t row = code >= 0 && code < (double)missing ? (int64_t)code : missing;
        double *to = out + i * out_stride;
        to[0] = table[row * width];
        for (int64_t k = 1; k < width; k++) to[k] = table[row * width + k];
    }
}

static ml_status add(mli_fit *job, const mli_lookup_maker *maker, const uint8_t *picked,
                     ml_error *err)
{
    const mli_inputs *in = job->train->inputs;
    int64_t n = in->n_features + 1, *start, total = 0;
    double *values;
    ml_status status =
        mli_model_add(job->model, "start", ML_DTYPE_I64, 1, &n, &start, err);
    if (status) return status;
    for (int64_t j = 0; j < in->n_features; j++) {
        start[j] = total;
        if (picked[j]) total += rows_of(in, j) * maker->width(maker->arg, j);
    }
    start[in->n_features] = total;
    status = mli_model_add(job->model, "values", ML_DTYPE_F64, 1, &total, &values, err);
    for (int64_t j = 0; j < in->n_features && !status; j++)
        if (picked[j]) status = maker->fill(maker->arg, j, values + start[j], err);
    return status;
}

ml_status mli_lookup_add(mli_fit *job, const mli_lookup_maker *maker, ml_error *err)
{
    uint8_t *picked = NULL;
    ml_status status = mli_prepare_picked(job, MLI_TAKES_CATEGORIES, &picked, err);
    if (status) return status;
    status = add(job, maker, picked, err);
    mli_free(job->ctx, picked);
    return status;
}

const mli_attribute mli_lookup_attributes[] = {
    {"values", "f64", "[entries]",
     "For each encoded column a row of numbers per level, and one for missing values."},
    {"start", "i64", "[features + 1]", "Where the rows of each column begin."},
    {NULL, NULL, NULL, NULL}};
