/* SPDX-License-Identifier: MIT
 *
 * automl_stack.c: a linear model of what the blended candidates predict, in place of
 * their weighted mean where it does better on rows held out from it as well. Cost: FOLDS
 * fits of a linear model with a few columns.
 */
#include "algorithms/compose/heldout.h"
#include "algorithms/compose/stacking.h"
#include "tuning/automl.h"

#include <stdio.h>
#include <string.h>

#define FOLDS 5

static int64_t chosen(const mli_automl *a)
{
    int64_t n = 0;
    for (int64_t i = 0; i < a->count; i++) n += a->candidates[i].weight > 0;
    return n;
}

/* The members by the names that they have in the model. */
static ml_status name_members(const mli_automl *a, mli_parts *p, ml_error *err)
{
    *p = (mli_parts){.ctx = a->ctx, .n = chosen(a)};
    p->part = mli_calloc(a->ctx, (size_t)p->n, sizeof *p->part);
    if (!p->part) return mli_nomem(err);
    for (int64_t i = 0; i < p->n; i++)
        snprintf(p->part[i].name, sizeof p->part[i].name, "m%lld", (long long)i);
    return ML_OK;
}

ml_status mli_automl_stack_rows(const mli_automl *a, mli_design **out, ml_error *err)
{
    mli_parts p = {0};
    mli_inputs *in = NULL;
    double *rows = NULL;
    int64_t k = 0;
    ml_status status = name_members(a, &p, err);
    if (!status) status = mli_stack_inputs(a->job->train->inputs, &p, &in, err);
    mli_parts_free(&p);
    if (status) return status;
    rows = mli_alloc_vec(a->ctx, a->judged->rows * in->n_features, sizeof *rows);
    if (!rows) status = mli_nomem(err);
    for (int64_t i = 0; i < a->count && !status; i++)
        if (a->candidates[i].weight > 0)
            mli_stack_fill(a->candidates[i].predictions, a->judged->rows, a->n_outputs,
                           a->judged->label != NULL, k++, in->n_features, rows);
    if (!status) status = mli_stack_design(a->judged, in, rows, out, err);
    mli_free(a->ctx, rows);
    mli_inputs_free(in);
    return status;
}

/* The final model alone, with the parameters that it has in the whole. */
static ml_status final_params(const mli_automl *a, mli_parts *p, ml_params **out,
                              ml_error *err)
{
    ml_params *whole = NULL;
    ml_status status =
        mli_stack_params(a->ctx, a->job->model->algorithm, a->job->train->inputs,
                         a->job->params, &whole, err);
    if (!status) status = mli_parts_new(a->ctx, mli_automl_final, whole, p, err);
    if (!status) status = mli_params_part(whole, p->part[0].name, out, err);
    ml_params_free(whole);
    return status;
}

/* A final model that is cut short is judged as it is. */
static void set_clock(mli_automl *a)
{
    ml_cancel_request(a->clock, ML_CONTINUE);
    if (!(a->limit > 0)) return;
    double left = mli_automl_left(a) - 0.02 * a->limit;
    ml_cancel_set_deadline(a->clock, left > 0.05 ? left : 0.05, ML_STOP_KEEP);
}

static ml_status predict(mli_automl *a, const mli_design *rows, double *out,
                         ml_error *err)
{
    mli_parts p = {0};
    ml_params *params = NULL;
    mli_run run;
    mli_fit job = *a->job;
    mli_run_part(&run, a->job->run, 0, 0, 0);
    set_clock(a);
    run.cancel = a->clock;
    job.train = rows;
    job.run = &run;
    int32_t *fold = mli_alloc_vec(a->ctx, rows->rows, sizeof *fold);
    ml_status status = fold ? ML_OK : mli_nomem(err);
    if (!status) status = mli_heldout_folds(rows, FOLDS, a->seed, fold, err);
    if (!status) status = final_params(a, &p, &params, err);
    if (!status)
        status = mli_heldout_fit(&job, mli_part_algorithm(&p.part[0]), "final", params,
                                 fold, FOLDS, a->n_outputs, 0, 0, out, err);
    mli_free(a->ctx, fold);
    ml_params_free(params);
    mli_parts_free(&p);
    return status;
}

static ml_status compare(mli_automl *a, const mli_design *rows, ml_error *err)
{
    double score, *room, start = mli_now();
    int64_t n = rows->rows * a->n_outputs;
    double *out = mli_alloc_vec(a->ctx, n + rows->rows, sizeof *out);
    if (!out) return mli_nomem(err);
    room = out + n;
    ml_status status = predict(a, rows, out, err);
    if (!status) status = mli_automl_score(a, out, room, &score, err);
    if (!status && mli_automl_better(a, score, a->score)) {
        a->stacked = 1;
        int64_t turns =
            mli_fits_beside(rows) ? mli_task_count(FOLDS, mli_slots(a->ctx)) : FOLDS;
        double fold = (mli_now() - start) / (double)turns;
        a->last = a->limit > 0 ? fold * FOLDS / (FOLDS - 1) : 0;
        a->score = score;
        memcpy(a->combined, out, (size_t)n * sizeof *out);
    }
    mli_free(a->ctx, out);
    return status;
}

/* With many classes the final model has more coefficients than rows can tell, and one
 * step of its fit, which the clock does not cut, takes longer than there is time for. */
static int too_large(const mli_automl *a)
{
    double rows = (double)a->judged->rows, outputs = (double)a->n_outputs;
    double coefficients = (double)chosen(a) * outputs * outputs;
    return coefficients > 50 * rows || 2e-8 * rows * coefficients > mli_automl_left(a);
}

ml_status mli_automl_stack(mli_automl *a, ml_error *err)
{
    mli_design *rows = NULL;
    if (!mli_get_bool(a->job->params, "stacking")) return ML_OK;
    if (chosen(a) < 2 || a->judged->rows < 20 * FOLDS || too_large(a)) return ML_OK;
    /* It is worth a fit to all rows, for which the model of a fold can stand in. */
    if (mli_automl_left(a) < 0.5 * mli_automl_refit_seconds(a)) return ML_OK;
    ml_status status = mli_automl_stack_rows(a, &rows, err);
    if (!status) status = compare(a, rows, a->failure);
    mli_design_free(rows);
    /* The blend stays where the final model cannot be fitted. */
    if (status == ML_E_MEMORY) return mli_nomem(err);
    return mli_run_check(a->job->run, err);
}
