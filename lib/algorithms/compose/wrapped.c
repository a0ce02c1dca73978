/* SPDX-License-Identifier: MIT
 *
 * compose/wrapped.c: a classifier around one model.
 */
#include "algorithms/compose/wrapped.h"
#include "algorithms/compose/heldout.h"

static ml_status wrong_model(const mli_param *list, const char *problem, ml_error *err)
{
    mli_fail(err, ML_E_ARGUMENT, "%s", problem);
    mli_error_at(err, ML_E_ARGUMENT, "params.%s", list->name);
    return mli_error_hint(err, ML_E_ARGUMENT,
                          "name an algorithm that predicts classes, such as gbdt");
}

static ml_status the_model(ml_context *ctx, const mli_param *list, const ml_params *p,
                           mli_parts *out, ml_error *err)
{
    ml_status status = mli_parts_new(ctx, list, p, out, err);
    if (status) return status;
    if (out->n != 1)
        status = wrong_model(list, "it needs one model", err);
    else
        status = mli_part_predicts(list, &out->part[0], p, err);
    if (!status && !(mli_part_last(&out->part[0], p)->tasks & MLI_TASK_CLASSIFICATION))
        status = wrong_model(list, "the model does not predict classes", err);
    if (status) mli_parts_free(out);
    return status;
}

/* ---- fitting ---- */

static ml_status predict_valid(mli_fit *job, const ml_model *m, double *out,
                               ml_error *err)
{
    mli_plan *plan = NULL;
    ml_status status = mli_plan_new(m, "proba", NULL, &plan, err);
    if (status) return status;
    if (plan->n_outputs == job->valid->inputs->classes.n)
        status = mli_plan_run_design(plan, job->valid, job->run, out, err);
    else
        status = mli_fail(err, ML_E_UNSUPPORTED, "the model gives one probability only");
    mli_plan_free(plan);
    return status;
}

static ml_status predict_folds(mli_fit *job, const mli_parts *p, double *out,
                               ml_error *err)
{
    int64_t folds = mli_get_i64(job->params, "folds");
    int32_t *fold = mli_alloc_vec(job->ctx, job->train->rows, sizeof *fold);
    if (!fold) return mli_nomem(err);
    ml_status status = mli_heldout_folds(
        job->train, folds, (uint64_t)mli_get_i64(job->params, "seed"), fold, err);
    if (!status)
        status = mli_heldout_predict(job, &p->part[0], fold, folds,
                                     job->train->inputs->classes.n, 0, 0.8, out, err);
    mli_free(job->ctx, fold);
    return status;
}

ml_status mli_wrapped_fit(mli_fit *job, const mli_param *list,
                          ml_status (*use)(mli_fit *job, const mli_heldout *h,
                                           ml_error *err),
                          ml_error *err)
{
    mli_parts p = {0};
    mli_heldout h = {.judged = job->valid ? job->valid : job->train};
    ml_status status = the_model(job->ctx, list, job->params, &p, err);
    if (status) return status;
    h.predictions = mli_alloc_vec(
        job->ctx, h.judged->rows * job->train->inputs->classes.n, sizeof(double));
    if (!h.predictions) status = mli_nomem(err);
    if (!status && !job->valid) status = predict_folds(job, &p, h.predictions, err);
    /* Rows that judge choose nothing of the model, such as when it stops. */
    if (!status) status = mli_part_fit(job, &p, 0, job->train, NULL, 0.8, 1, err);
    if (!status && job->valid)
        status = predict_valid(job, p.model[0], h.predictions, err);
    if (!status) status = use(job, &h, err);
    mli_free(job->ctx, h.predictions);
    mli_parts_free(&p);
    return status;
}

/* ---- the model ---- */

static ml_status load(const ml_model *m, const mli_param *list, mli_parts *p,
                      ml_error *err)
{
    ml_status status = the_model(m->ctx, list, m->params, p, err);
    if (status) return status;
    status = mli_part_load(m, p, 0, m->inputs, err);
    if (status) mli_parts_free(p);
    return status;
}

ml_status mli_wrapped_plan(const ml_model *m, const mli_param *list, const char *kind,
                           mli_plan **out, ml_error *err)
{
    mli_parts p = {0};
    ml_status status = load(m, list, &p, err);
    if (status) return status;
    mli_plan **plans = mli_calloc(m->ctx, 1, sizeof(mli_plan *));
    if (!plans) status = mli_nomem(err);
    if (!status) status = mli_plan_new(p.model[0], kind, NULL, plans, err);
    if (!status) return mli_chain_plan(m->ctx, plans, 1, &p, out, err);
    mli_free(m->ctx, plans);
    mli_parts_free(&p);
    return status;
}

ml_status mli_wrapped_check(const ml_model *m, const mli_param *list, ml_error *err)
{
    mli_parts p = {0};
    ml_status status = load(m, list, &p, err);
    if (status) return status;
    status = mli_part_check(p.model[0], err);
    mli_parts_free(&p);
    return status;
}

void mli_wrapped_describe(const ml_params *p, const mli_param *list, mli_descriptor *out)
{
    const char *const *items;
    mli_param_part part;
    if (mli_get_strs(p, list->name, &items) != 1) return;
    if (mli_part_read(list, items[0], &part, NULL)) return;
    if (!(part.d->caps & MLI_CAN_WEIGHTS)) out->caps &= ~(uint32_t)MLI_CAN_WEIGHTS;
    out->caps |= mli_parts_text(list, p);
}
