/* SPDX-License-Identifier: MIT
 *
 * prepare/normalizer.c: divides each row by its length over the picked columns. Missing
 * values stay missing and count nothing; a row of zeros stays. No tensors.
 */
#include "algorithms/prepare/prepare.h"

#include <math.h>

static ml_status fit(mli_fit *job, ml_error *err)
{
    uint8_t *picked = NULL;
    ml_status status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &picked, err);
    mli_free(job->ctx, picked);
    return status;
}

static ml_status load(mli_prepared *t, ml_error *err)
{
    (void)err;
    t->option[0] = mli_get_enum(t->model->params, "norm", "l1,l2,max");
    return ML_OK;
}

static double length(const mli_prepared *t, const double *row)
{
    double sum = 0;
    for (int64_t j = 0; j < t->in->n_features; j++) {
        double x = fabs(row[j]);
        if (!t->picked[j] || isnan(x)) continue;
        if (t->option[0] == 2)
            sum = x > sum ? x : sum;
        else
            sum += t->option[0] == 0 ? x : x * x;
    }
    return t->option[0] == 1 ? sqrt(sum) : sum;
}

static void run_rows(const mli_prepared *t, const double *rows, int64_t n, int64_t stride,
                     double *out, void *scratch)
{
    (void)scratch;
    int64_t width = t->in->n_features;
    for (int64_t i = 0; i < n; i++, rows += stride, out += width) {
        double by = length(t, rows);
        if (!(by > 0)) by = 1;
        for (int64_t j = 0; j < width; j++)
            out[j] = t->picked[j] ? rows[j] / by : rows[j];
    }
}

static const mli_transformer kind = {
    .takes = MLI_TAKES_NUMBERS, .load = load, .rows = run_rows};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"norm", NULL, ML_PARAM_STR, 0, "l2", "{l1, l2, max}", NULL, NULL,
     "What the length is: the sum of absolute values, the root of the sum of squares, or "
     "the largest absolute value.",
     "0.1"},
    MLI_PARAM_END};

extern const mli_algorithm mli_normalizer;
const mli_algorithm mli_normalizer = {
    .head = {MLI_PREPARE_HEAD, .name = "normalizer", .aliases = "normalize",
             .title = "rows of length 1", .doc = "Divides each row by its length.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
