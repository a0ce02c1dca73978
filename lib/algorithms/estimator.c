/* SPDX-License-Identifier: MIT
 *
 * algorithms/estimator.c: an algorithm with parameters. Each value is checked when it is
 * set; only what must be there at the end, the target, waits until the fit.
 */
#include "algorithms/model.h"
#include <ml/estimator.h>
#include <string.h>

/* The defaults of a list of parameters. They do not count as given. */
static ml_status set_defaults(ml_params *p, const mli_descriptor *d,
                              const mli_param *list, ml_error *err)
{
    ml_status status = ML_OK;
    for (const mli_param *q = list; q && q->name && !status; q++) {
        if (!q->dflt) continue;
        mli_value v = {.type = ML_PARAM_STR, .text = (char *)(uintptr_t)q->dflt};
        status = mli_params_put(p, d, q->name, &v, err);
        if (!status) ((mli_value *)(uintptr_t)mli_params_find(p, q->name))->given = 0;
    }
    return status;
}

static ml_status make(ml_context *ctx, const mli_algorithm *algorithm, ml_params *params,
                      ml_estimator **out, ml_error *err)
{
    ml_estimator *e = mli_calloc(ctx, 1, sizeof *e);
    if (!e) return mli_nomem(err);
    e->ctx = mli_context_ref(ctx);
    e->algorithm = algorithm;
    e->params = params;
    *out = e;
    return ML_OK;
}

ml_status ml_estimator_new(ml_context *context, const char *algorithm, ml_estimator **out,
                           ml_error *error)
{
    const mli_descriptor *d = NULL;
    ml_params *p = NULL;
    if (!context) return mli_null(error, "context");
    if (!algorithm) return mli_null(error, "algorithm");
    if (!out) return mli_null(error, "out");
    ml_status status =
        mli_catalog_get(algorithm, MLI_SORT_ALGORITHM, "algorithm", &d, error);
    if (!status) status = ml_params_new(context, &p, error);
    if (!status) status = set_defaults(p, d, d->params, error);
    if (!status) status = set_defaults(p, d, d->roles, error);
    /* The descriptor is the first member of its algorithm. */
    if (!status) status = make(context, (const mli_algorithm *)d, p, out, error);
    if (status) ml_params_free(p);
    return status;
}

void ml_estimator_free(ml_estimator *estimator)
{
    if (!estimator) return;
    ml_context *ctx = estimator->ctx;
    ml_params_free(estimator->params);
    ml_cancel_free(estimator->cancel);
    ml_model_free((ml_model *)(uintptr_t)estimator->hooks.start);
    mli_free(ctx, estimator);
    ml_context_free(ctx);
}

ml_status ml_estimator_clone(const ml_estimator *estimator, ml_estimator **out,
                             ml_error *error)
{
    ml_params *p = NULL;
    if (!estimator) return mli_null(error, "estimator");
    if (!out) return mli_null(error, "out");
    ml_status status = ml_params_clone(estimator->params, &p, error);
    if (!status) status = make(estimator->ctx, estimator->algorithm, p, out, error);
    if (status) ml_params_free(p);
    return status;
}

const char *ml_estimator_algorithm(const ml_estimator *estimator)
{
    return estimator->algorithm->head.name;
}

/* ---- parameters ---- */

static ml_status put(ml_estimator *e, const char *name, const mli_value *v, ml_error *err)
{
    if (!e) return mli_null(err, "estimator");
    if (!name) return mli_null(err, "name");
    return mli_params_put(e->params, &e->algorithm->head, name, v, err);
}

ml_status ml_estimator_set_str(ml_estimator *estimator, const char *name,
                               const char *value, ml_error *error)
{
    mli_value v = {.type = ML_PARAM_STR, .text = (char *)(uintptr_t)value};
    if (!value) return mli_null(error, "value");
    return put(estimator, name, &v, error);
}

ml_status ml_estimator_set_i64(ml_estimator *estimator, const char *name, int64_t value,
                               ml_error *error)
{
    mli_value v = {.type = ML_PARAM_I64, .i64 = value, .f64 = (double)value};
    return put(estimator, name, &v, error);
}

ml_status ml_estimator_set_f64(ml_estimator *estimator, const char *name, double value,
                               ml_error *error)
{
    mli_value v = {.type = ML_PARAM_F64, .f64 = value};
    return put(estimator, name, &v, error);
}

ml_status ml_estimator_set_params(ml_estimator *estimator, const ml_params *params,
                                  ml_error *error)
{
    ml_params *p = NULL;
    if (!estimator) return mli_null(error, "estimator");
    if (!params) return mli_null(error, "params");
    const mli_descriptor *d = &estimator->algorithm->head;
    ml_status status = ml_params_clone(estimator->params, &p, error);
    if (!status) status = mli_params_put_all(p, d, params, error);
    if (status) {
        ml_params_free(p);
        return status;
    }
    ml_params_free(estimator->params);
    estimator->params = p;
    return ML_OK;
}

const ml_params *ml_estimator_params(const ml_estimator *estimator)
{
    return estimator->params;
}

/* ---- fitting ---- */

void ml_estimator_set_progress(ml_estimator *estimator, ml_progress_fn progress,
                               void *user)
{
    estimator->progress = progress;
    estimator->progress_user = user;
}

void ml_estimator_set_cancel(ml_estimator *estimator, ml_cancel *cancel)
{
    mli_cancel_ref(cancel);
    ml_cancel_free(estimator->cancel);
    estimator->cancel = cancel;
}

/* ---- functions and models of the caller ---- */

/* Sets a parameter to "custom", or back to its default. */
static ml_status set_custom(ml_estimator *e, const char *param, int custom, ml_error *err)
{
    const mli_param *p = mli_param_find(&e->algorithm->head, param);
    if (!p || (p->range && !strstr(p->range, "custom")))
        return mli_fail(err, ML_E_UNSUPPORTED, "%s takes no function as %s",
                        e->algorithm->head.name, param);
    return ml_estimator_set_str(e, p->name, custom ? "custom" : p->dflt, err);
}

ml_status ml_estimator_set_objective(ml_estimator *estimator, ml_objective_fn objective,
                                     void *user, ml_error *error)
{
    if (!estimator) return mli_null(error, "estimator");
    ml_status status = set_custom(estimator, "objective", objective != NULL, error);
    if (status) return status;
    estimator->hooks.objective = objective;
    estimator->hooks.objective_user = user;
    return ML_OK;
}

ml_status ml_estimator_set_metric(ml_estimator *estimator, ml_metric_fn metric,
                                  void *user, int32_t maximize, ml_error *error)
{
    if (!estimator) return mli_null(error, "estimator");
    ml_status status = set_custom(estimator, "eval_metric", metric != NULL, error);
    if (status) return status;
    estimator->hooks.metric = metric;
    estimator->hooks.metric_user = user;
    estimator->hooks.maximize = maximize != 0;
    return ML_OK;
}

ml_status ml_estimator_set_model(ml_estimator *estimator, const ml_model *start,
                                 ml_error *error)
{
    if (!estimator) return mli_null(error, "estimator");
    if (start && !(estimator->algorithm->head.caps & MLI_CAN_WARM_START))
        return mli_fail(error, ML_E_UNSUPPORTED, "%s cannot go on from a model",
                        estimator->algorithm->head.name);
    if (start && start->algorithm != estimator->algorithm)
        return mli_fail(error, ML_E_ARGUMENT, "a model of %s cannot go on as %s",
                        start->algorithm->head.name, estimator->algorithm->head.name);
    const ml_model *before = estimator->hooks.start;
    estimator->hooks.start = start ? ml_model_ref((ml_model *)(uintptr_t)start) : NULL;
    ml_model_free((ml_model *)(uintptr_t)before);
    return ML_OK;
}

ml_status ml_estimator_fit(ml_estimator *estimator, const ml_table *train,
                           const ml_table *valid, ml_model **out, ml_error *error)
{
    mli_run run;
    if (!estimator) return mli_null(error, "estimator");
    if (!train) return mli_null(error, "train");
    if (!out) return mli_null(error, "out");
    mli_run_init(&run, estimator->ctx, estimator->cancel, estimator->progress,
                 estimator->progress_user);
    return mli_fit_table_hooks(estimator->ctx, estimator->algorithm, estimator->params,
                               train, valid, &estimator->hooks, &run, out, error);
}
