/* SPDX-License-Identifier: MIT
 *
 * predictor.c: making predictors. Everything that a prediction could have to look up,
 * parse or allocate is done here.
 */
#include "inference/predictor.h"

#include <math.h>
#include <string.h>

/* Dictionaries up to this size get a hash table, larger ones are searched by halves: a
 * predictor per thread should not hold a copy of a million texts. */
#define HASHED_LEVELS 65536
/* Bytes of the block of doubles into which floats are converted. */
#define CONVERT_BYTES 65536
/* Slots for plain rows on many threads take at most so much memory per predictor. */
#define SLOT_BYTES (16u << 20)

static const mli_param predict_params[] = {
    {"missing_columns", NULL, ML_PARAM_STR, 0, "error", "{error, missing}", NULL, NULL,
     "What it means when a table lacks a feature column: an error, or a column of "
     "missing "
     "values (for algorithms that handle missing values).",
     "0.1"},
    {"unseen", "handle_unknown", ML_PARAM_STR, 0, "model", "{model, missing, error}",
     NULL, NULL,
     "What a category means that training did not have: what the model says, a missing "
     "value, or an error.",
     "0.1"},
    {"training", NULL, ML_PARAM_BOOL, 0, "false", NULL, NULL, NULL,
     "For the kind transform: the rows are those that the model was fitted to, target "
     "included, and become what the next step of a pipeline is fitted to. "
     "target_encoder, for one, cross-fits them. Rows without a target are left out. "
     "For tables only: plain rows have no target.",
     "0.1"},
    MLI_PARAM_END};

const mli_descriptor mli_options_predict = {
    .name = "options.predict",
    .title = "Predicting",
    .doc = "How a predictor made by ml_predictor_new treats tables that do not fit.",
    .since = "0.1",
    .sort = MLI_SORT_OPTIONS,
    .params = predict_params,
};

/* ---- inputs with another policy ---- */

static ml_status copy_inputs(const mli_inputs *in, int unseen_error, mli_inputs **out,
                             ml_error *err)
{
    mli_inputs *copy = NULL;
    ml_status status = mli_inputs_new(in->ctx, in->n_features, &copy, err);
    if (status) return status;
    status = mli_inputs_take_roles(copy, in, err);
    copy->unseen_error = unseen_error;
    for (int64_t i = 0; !status && i < in->n_features; i++)
        status = mli_feature_copy(in->ctx, &in->features[i], &copy->features[i], err);
    if (status)
        mli_inputs_free(copy);
    else
        *out = copy;
    return status;
}

static ml_status set_options(ml_predictor *p, const ml_params *options, ml_error *err)
{
    ml_params *o = NULL;
    const mli_descriptor *d = &p->model->algorithm->head;
    mli_inputs *in = p->model->inputs;
    ml_status status = mli_params_resolve(p->ctx, &mli_options_predict, options, &o, err);
    if (status) return status;
    p->fill_columns = mli_get_enum(o, "missing_columns", "error,missing");
    int unseen = mli_get_enum(o, "unseen", "missing,error,model");
    p->training = mli_get_bool(o, "training");
    ml_params_free(o);
    if (p->training && !p->outputs) {
        mli_fail(err, ML_E_ARGUMENT, "training is for the kind \"transform\", not \"%s\"",
                 p->kind);
        return mli_error_at(err, ML_E_ARGUMENT, "params.training");
    }
    if (p->fill_columns && !(d->caps & MLI_CAN_MISSING)) {
        mli_fail(err, ML_E_UNSUPPORTED, "%s does not handle missing values", d->name);
        mli_error_at(err, ML_E_UNSUPPORTED, "params.missing_columns");
        return mli_error_hint(err, ML_E_UNSUPPORTED,
                              "leave missing_columns at \"error\"");
    }
    if (unseen == 2 || unseen == in->unseen_error) {
        p->inputs = mli_inputs_ref(in);
        return ML_OK;
    }
    return copy_inputs(in, unseen, &p->inputs, err);
}

/* ---- codes of categories ---- */

static ml_status hash_levels(ml_context *ctx, const mli_dictionary *d, mli_map *map,
                             ml_error *err)
{
    mli_map_init(map, ctx);
    if (d->n > HASHED_LEVELS) return ML_OK;
    for (int64_t i = 0; i < d->n; i++) {
        const int64_t *at = &d->offsets[i];
        if (mli_map_add(map, d->bytes + at[0], (size_t)(at[1] - at[0])) != i)
            return mli_nomem(err);
    }
    return ML_OK;
}

static ml_status make_codes(ml_predictor *p, ml_error *err)
{
    const mli_inputs *in = p->inputs;
    p->codes = mli_calloc(p->ctx, (size_t)in->n_features, sizeof *p->codes);
    if (!p->codes) return mli_nomem(err);
    ml_status status = ML_OK;
    for (int64_t i = 0; !status && i < in->n_features; i++)
        status = hash_levels(p->ctx, &in->features[i].levels, &p->codes[i], err);
    return status;
}

double ml_predictor_code(const ml_predictor *predictor, int64_t input, const char *text)
{
    if (!predictor || !text) return NAN;
    if (input < 0 || input >= predictor->inputs->n_features) return NAN;
    const mli_feature *f = &predictor->inputs->features[input];
    if (f->hashed) return mli_text_hash(text, strlen(text));
    if (f->kind != MLI_CATEGORICAL) return NAN;
    size_t size = strlen(text);
    int64_t code = f->levels.n > HASHED_LEVELS
                       ? mli_dictionary_find(&f->levels, text, size)
                       : mli_map_find(&predictor->codes[input], text, size);
    return code < 0 ? mli_unseen() : (double)code;
}

/* ---- memory for plain rows ---- */

static size_t round_up(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

static ml_status make_slots(ml_predictor *p, ml_error *err)
{
    const mli_plan *plan = p->plan;
    size_t row = (size_t)(plan->n_features + 1) * sizeof(double);
    int64_t fitting = (int64_t)(CONVERT_BYTES / row);
    p->block = plan->block > 0 ? plan->block : 256;
    if (!plan->run_f32 && p->block > fitting) p->block = fitting > 0 ? fitting : 1;
    p->slot_block = round_up(plan->scratch);
    p->slot_size = p->slot_block;
    if (!plan->run_f32) p->slot_size += round_up((size_t)p->block * row);
    p->slots = mli_slots(p->ctx);
    if (p->slot_size * (size_t)p->slots > SLOT_BYTES) p->slots = 1;
    p->memory = mli_alloc_vec(p->ctx, p->slots, p->slot_size);
    return p->memory ? ML_OK : mli_nomem(err);
}

/* ---- the whole ---- */

static ml_status make(ml_predictor *p, const char *kind, const ml_params *options,
                      ml_error *err)
{
    ml_status status = mli_plan_new(p->model, kind, &p->kind, &p->plan, err);
    if (status) return status;
    p->n_outputs = p->plan->n_outputs;
    p->text = mli_inputs_text(p->model->inputs);
    if (strcmp(p->kind, "transform") == 0)
        status = mli_model_outputs(p->model, &p->outputs, err);
    if (!status && p->outputs && p->outputs->n_features != p->n_outputs)
        status = mli_fail(err, ML_E_FORMAT,
                          "the model's outputs do not fit their description");
    if (!status) status = set_options(p, options, err);
    if (!status) status = mli_predictor_name(p, err);
    if (!status) status = make_codes(p, err);
    return status ? status : make_slots(p, err);
}

ml_status ml_predictor_new(const ml_model *model, const char *kind,
                           const ml_params *options, ml_predictor **out, ml_error *error)
{
    if (!model) return mli_null(error, "model");
    if (!out) return mli_null(error, "out");
    ml_predictor *p = mli_calloc(model->ctx, 1, sizeof *p);
    if (!p) return mli_nomem(error);
    p->ctx = mli_context_ref(model->ctx);
    p->model = ml_model_ref((ml_model *)model);
    ml_status status = make(p, kind, options, error);
    if (status)
        ml_predictor_free(p);
    else
        *out = p;
    return status;
}

void ml_predictor_free(ml_predictor *predictor)
{
    ml_predictor *p = predictor;
    if (!p) return;
    ml_context *ctx = p->ctx;
    for (int64_t k = 0; p->names && k < p->n_outputs; k++) mli_free(ctx, p->names[k]);
    for (int64_t i = 0; p->codes && i < p->inputs->n_features; i++)
        mli_map_free(&p->codes[i]);
    mli_free(ctx, p->names);
    mli_free(ctx, p->codes);
    mli_free(ctx, p->memory);
    mli_free(ctx, p->sparse);
    mli_plan_free(p->plan);
    mli_inputs_free(p->inputs);
    mli_inputs_free(p->outputs);
    ml_model_free(p->model);
    mli_free(ctx, p);
    ml_context_free(ctx);
}

int64_t ml_predictor_outputs(const ml_predictor *predictor)
{
    return predictor ? predictor->n_outputs : 0;
}

const char *ml_predictor_output_name(const ml_predictor *predictor, int64_t index)
{
    if (!predictor || index < 0 || index >= predictor->n_outputs) return NULL;
    return predictor->names[index];
}
