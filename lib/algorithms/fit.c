/* SPDX-License-Identifier: MIT
 *
 * algorithms/fit.c: from parameters and a table, or a design, to a model.
 */
#include "algorithms/model.h"
#include "core/parallel.h"
#include "core/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT_SIZE   1024
#define SMALL_BYTES (16 << 20) /* of values */

/* Puts a name before the message of a failure; place and hint stay. The error as it was
 * becomes the cause. */
ml_status mli_fit_named(const char *name, ml_status status, ml_error *err)
{
    char text[3 * TEXT_SIZE], place[TEXT_SIZE], hint[TEXT_SIZE];
    if (!err || status == ML_E_MEMORY || status == ML_E_CANCELLED) return status;
    snprintf(text, sizeof text, "%s", ml_error_message(err));
    snprintf(place, sizeof place, "%s", ml_error_location(err));
    snprintf(hint, sizeof hint, "%s", ml_error_hint(err));
    /* The text is "place: message; hint". */
    size_t begin = place[0] ? strlen(place) + 2 : 0, end = strlen(text);
    if (hint[0] && end >= begin + strlen(hint) + 2) text[end - strlen(hint) - 2] = 0;
    mli_error_wrap(err, "%s: %s", name, begin <= end ? text + begin : text);
    if (place[0]) mli_error_at(err, status, "%s", place);
    if (hint[0]) mli_error_hint(err, status, "%s", hint);
    return status;
}

static void note_data(ml_model *m, const mli_design *train, const mli_design *valid)
{
    mli_model_note_i64(m, "rows", train->rows);
    mli_model_note_i64(m, "features", train->n_features);
    if (train->dropped) mli_model_note_i64(m, "dropped_rows", train->dropped);
    if (train->ignored) mli_model_note_str(m, "ignored_columns", train->ignored);
    if (valid) mli_model_note_i64(m, "validation_rows", valid->rows);
}

static ml_status check_valid(const mli_design *train, const mli_design *valid,
                             ml_error *err)
{
    if (valid && valid->rows == 0) {
        mli_fail(err, ML_E_DATA, "the validation table has no rows with a target");
        return mli_error_hint(err, ML_E_DATA, "pass NULL to fit without validation");
    }
    if (train->rows > 0) return ML_OK;
    return mli_fail(err, ML_E_DATA, "there are no rows to train from");
}

static const mli_hooks no_hooks;

const mli_descriptor *mli_algorithm_head(const mli_algorithm *algorithm,
                                         const ml_params *params, mli_descriptor *copy)
{
    if (!algorithm->describe) return &algorithm->head;
    *copy = algorithm->head;
    algorithm->describe(params, copy);
    return copy;
}

/* A parameter that would be ignored is refused, where it was set to something. */
static ml_status check_for_classes(const mli_descriptor *d, const ml_params *params,
                                   const mli_design *train, ml_error *err)
{
    if (train->label) return ML_OK;
    for (const mli_param *p = d->params; p && p->name; p++) {
        const mli_value *v = mli_params_find(params, p->name);
        if (!(p->flags & MLI_FLAG_CLASSES) || !v || !v->given) continue;
        if (p->dflt && v->text && strcmp(v->text, p->dflt) == 0) continue;
        mli_fail(err, ML_E_ARGUMENT, "it means something for classes only");
        mli_error_at(err, ML_E_ARGUMENT, "params.%s", p->name);
        return mli_error_hint(err, ML_E_ARGUMENT,
                              "leave it out, or set task to \"classification\"");
    }
    return ML_OK;
}

int mli_small_beside(ml_context *ctx, int64_t bytes)
{
    return mli_slots(ctx) > 1 && bytes < SMALL_BYTES && !mli_memory_most(ctx);
}

int mli_fits_beside(const mli_design *d)
{
    return mli_small_beside(d->ctx, mli_design_bytes(d));
}

ml_status mli_fit_part(ml_context *ctx, const mli_algorithm *algorithm, const char *name,
                       const ml_params *params, const mli_design *train,
                       const mli_design *valid, const mli_hooks *hooks, mli_run *run,
                       ml_model **out, ml_error *err)
{
    ml_model *m = NULL;
    ml_status status = check_valid(train, valid, err);
    if (!status) status = mli_run_check(run, err);
    if (!status) status = check_for_classes(&algorithm->head, params, train, err);
    if (!status) status = mli_model_new(ctx, algorithm, params, train->inputs, &m, err);
    if (status) return status;
    note_data(m, train, valid);
    mli_fit job = {.ctx = ctx,
                   .params = params,
                   .train = train,
                   .valid = valid,
                   .run = run,
                   .model = m,
                   .hooks = hooks};
    status = algorithm->fit(&job, err);
    if (status) status = mli_fit_named(name, status, err);
    /* Cancelled in the last moment is cancelled. */
    if (!status) status = mli_run_check(run, err);
    if (!status) status = mli_model_seal(m, err);
    if (status) {
        ml_model_free(m);
        return status;
    }
    *out = m;
    return ML_OK;
}

ml_status mli_fit_design(ml_context *ctx, const mli_algorithm *algorithm,
                         const ml_params *params, const mli_design *train,
                         const mli_design *valid, const mli_hooks *hooks, mli_run *run,
                         ml_model **out, ml_error *err)
{
    ml_params *resolved = NULL;
    ml_status status = mli_params_resolve(ctx, &algorithm->head, params, &resolved, err);
    if (status) return status;
    mli_pool *pool = mli_parallel_hold(ctx);
    status = mli_fit_part(ctx, algorithm, algorithm->head.name, resolved, train, valid,
                          hooks ? hooks : &no_hooks, run, out, err);
    mli_parallel_release(pool);
    ml_params_free(resolved);
    return status;
}

ml_status mli_fit_table(ml_context *ctx, const mli_algorithm *algorithm,
                        const ml_params *params, const ml_table *train,
                        const ml_table *valid, mli_run *run, ml_model **out,
                        ml_error *err)
{
    return mli_fit_table_hooks(ctx, algorithm, params, train, valid, &no_hooks, run, out,
                               err);
}

/* Are n names those that a model predicts, in its order? */
static ml_status check_targets(const mli_inputs *in, const char *param,
                               const char *const *names, int64_t n, ml_error *err)
{
    char known[TEXT_SIZE];
    const char *const one[] = {in->target};
    const char *const *own = in->n_targets ? (const char *const *)in->targets : one;
    int64_t n_own = in->n_targets ? in->n_targets : 1, same = n == n_own;
    for (int64_t k = 0; same && k < n; k++) same = strcmp(names[k], own[k]) == 0;
    if (same) return ML_OK;
    mli_join(known, sizeof known, own, n_own);
    mli_fail(err, ML_E_ARGUMENT, "the model to go on from predicts %s", known);
    mli_error_at(err, ML_E_ARGUMENT, "params.%s", param);
    return mli_error_hint(err, ML_E_ARGUMENT,
                          n_own > 1 ? "name the same targets in this order, or none"
                                    : "name the same target, or none");
}

/* Training that goes on sees the table as the model before did. */
static ml_status design_of(ml_context *ctx, const mli_algorithm *algorithm,
                           const ml_params *params, const ml_table *train,
                           const ml_model *start, mli_design **out, ml_error *err)
{
    mli_descriptor copy;
    const mli_descriptor *head = mli_algorithm_head(algorithm, params, &copy);
    if (!start) return mli_design_train(ctx, head, params, train, out, err);
    const char *target = mli_get_str(params, "target"), *const * several;
    int64_t n = mli_get_strs(params, "targets", &several);
    const mli_inputs *in = start->inputs;
    ml_status status = ML_OK;
    if (start->algorithm != algorithm)
        return mli_fail(err, ML_E_ARGUMENT, "a model of %s cannot go on as %s",
                        start->algorithm->head.name, algorithm->head.name);
    if (in->target && *target) status = check_targets(in, "target", &target, 1, err);
    if (!status && in->target && n)
        status = check_targets(in, "targets", several, n, err);
    if (status) return status;
    return mli_design_apply(start->inputs, train, 1, out, err);
}

ml_status mli_fit_table_hooks(ml_context *ctx, const mli_algorithm *algorithm,
                              const ml_params *params, const ml_table *train,
                              const ml_table *valid, const mli_hooks *hooks, mli_run *run,
                              ml_model **out, ml_error *err)
{
    ml_params *resolved = NULL;
    mli_design *design = NULL, *other = NULL;
    ml_status status = mli_params_resolve(ctx, &algorithm->head, params, &resolved, err);
    if (status) return status;
    mli_pool *pool = mli_parallel_hold(ctx);
    status = mli_run_check(run, err);
    if (!status) {
        status = design_of(ctx, algorithm, resolved, train, hooks->start, &design, err);
    }
    if (!status && valid) {
        status = mli_design_apply(design->inputs, valid, 1, &other, err);
        if (status) status = mli_fit_named("the validation table", status, err);
    }
    if (!status)
        status = mli_fit_part(ctx, algorithm, algorithm->head.name, resolved, design,
                              other, hooks, run, out, err);
    mli_parallel_release(pool);
    mli_design_free(other);
    mli_design_free(design);
    ml_params_free(resolved);
    return status;
}
