/* SPDX-License-Identifier: MIT
 *
 * prepare/select.c: leaving columns out, and the trees that say which (select.h).
 */
#include "algorithms/prepare/select.h"

#include <math.h>
#include <stdlib.h>

static ml_status load(mli_prepared *t, ml_error *err)
{
    ml_status status = mli_prepare_want(t, "kept", &t->f64[0], err);
    for (int64_t j = 0; j < t->in->n_features && !status; j++)
        t->picked[j] = (uint8_t) !(t->f64[0][j] > 0); /* those it maps, to nothing */
    return status;
}

static int64_t width(const mli_prepared *t, int64_t j)
{
    (void)t, (void)j;
    return 0;
}

const mli_transformer mli_select_kept = {
    .takes = MLI_TAKES_ALL, .load = load, .width = width};

ml_status mli_select_plan(const ml_model *m, const char *name, mli_plan **out,
                          ml_error *err)
{
    (void)name;
    return mli_prepare_plan(m, &mli_select_kept, out, err);
}

ml_status mli_select_outputs(const ml_model *m, mli_inputs **out, ml_error *err)
{
    return mli_prepare_outputs(m, &mli_select_kept, out, err);
}

static int better(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

ml_status mli_select_best(ml_context *ctx, const double *score, int64_t n, int64_t k,
                          double *from, ml_error *err)
{
    int64_t m = 0;
    double *sorted = mli_alloc_vec(ctx, n, sizeof *sorted);
    if (!sorted) return mli_nomem(err);
    for (int64_t j = 0; j < n; j++)
        if (!isnan(score[j])) sorted[m++] = score[j];
    qsort(sorted, (size_t)m, sizeof *sorted, better);
    if (m > 0 && k > 0 && k < m && sorted[k - 1] > *from) *from = sorted[k - 1];
    mli_free(ctx, sorted);
    return ML_OK;
}

ml_status mli_select_fit(mli_fit *job, const char *trees, int64_t max_depth,
                         uint64_t seed, const mli_design *design, mli_run *run,
                         ml_model **out, ml_error *err)
{
    const mli_algorithm *a = (const mli_algorithm *)mli_catalog_find(trees);
    const char *target = job->train->inputs->target;
    static const mli_hooks none;
    ml_params *given = NULL, *params = NULL;
    ml_status status = ml_params_new(job->ctx, &given, err);
    if (!status)
        status =
            ml_params_set_i64(given, "n_trees", mli_get_i64(job->params, "n_trees"), err);
    if (!status)
        status = ml_params_set_i64(given, "seed", (int64_t)(seed & INT64_MAX), err);
    if (!status && max_depth > 0)
        status = ml_params_set_i64(given, "max_depth", max_depth, err);
    if (!status) status = ml_params_set_str(given, "target", target ? target : "y", err);
    if (!status) status = mli_params_resolve(job->ctx, &a->head, given, &params, err);
    if (!status)
        status =
            mli_fit_part(job->ctx, a, trees, params, design, NULL, &none, run, out, err);
    ml_params_free(params);
    ml_params_free(given);
    return status;
}
