/* SPDX-License-Identifier: MIT
 *
 * prepare/fill.c: the frame of the imputers that look at whole rows (fill.h).
 */
#include "algorithms/prepare/fill.h"

#include <math.h>

static int64_t list_picked(const uint8_t *picked, int64_t n, int64_t *list)
{
    int64_t m = 0;
    for (int64_t j = 0; j < n; j++)
        if (picked[j]) list[m++] = j;
    return m;
}

ml_status mli_fill_start(mli_fit *job, mli_filling *out, ml_error *err)
{
    int64_t n = job->train->n_features;
    mli_moments *m = NULL;
    *out = (mli_filling){0};
    ml_status status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &out->picked, err);
    if (status) return status;
    out->list = mli_calloc(job->ctx, (size_t)n, sizeof *out->list);
    if (!out->list) status = mli_nomem(err);
    if (!status) out->n = list_picked(out->picked, n, out->list);
    if (!status)
        status = mli_prepare_moments(job->train, out->picked, MLI_NO_SQUARES, job->run,
                                     &m, err);
    if (!status)
        status = mli_model_add(job->model, "mean", ML_DTYPE_F64, 1, &n, &out->mean, err);
    if (!status)
        status =
            mli_model_add(job->model, "missing", ML_DTYPE_F64, 1, &n, &out->missing, err);
    for (int64_t i = 0; i < out->n && !status; i++) {
        int64_t j = out->list[i];
        out->mean[j] = m[j].mean;
        out->missing[j] = (double)(job->train->rows - m[j].present);
    }
    mli_free(job->ctx, m);
    if (status) mli_fill_end(job, out);
    return status;
}

void mli_fill_end(mli_fit *job, mli_filling *f)
{
    mli_free(job->ctx, f->list);
    mli_free(job->ctx, f->picked);
    f->list = NULL;
    f->picked = NULL;
}

/* ---- the plan ---- */

ml_status mli_fill_load(mli_prepared *t, ml_error *err)
{
    int64_t n = t->in->n_features;
    int64_t *list = mli_calloc(t->plan.ctx, (size_t)n, sizeof *list);
    t->MLI_FILL_LIST = list;
    if (!list) return mli_nomem(err);
    t->MLI_FILL_COUNT = list_picked(t->picked, n, list);
    t->MLI_FILL_INDICATORS = mli_get_bool(t->model->params, "indicators");
    ml_status status = mli_prepare_want(t, "mean", &t->MLI_FILL_MEAN, err);
    return status ? status : mli_prepare_want(t, "missing", &t->MLI_FILL_MISSING, err);
}

int64_t mli_fill_width(const mli_prepared *t, int64_t j)
{
    return t->MLI_FILL_INDICATORS && t->MLI_FILL_MISSING[j] > 0 ? 2 : 1;
}

ml_status mli_fill_describe(const mli_prepared *t, int64_t j, mli_feature *out,
                            ml_error *err)
{
    const char *name = t->in->features[j].name;
    ml_status status = mli_prepare_name(t, out, err, "%s", name);
    if (!status && mli_fill_width(t, j) == 2)
        status = mli_prepare_name(t, out + 1, err, "%s is missing", name);
    return status;
}

int64_t mli_fill_row(const mli_prepared *t, const double *row, double *out)
{
    int64_t missing = 0;
    for (int64_t j = 0; j < t->in->n_features; j++) {
        double *to = out + t->first[j];
        to[0] = row[j];
        if (!t->picked[j]) continue;
        missing += isnan(row[j]) != 0;
        if (t->first[j + 1] - t->first[j] == 2) to[1] = isnan(row[j]);
    }
    return missing;
}
