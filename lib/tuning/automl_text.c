/* SPDX-License-Identifier: MIT
 *
 * automl_text.c: text columns of automl. tf-idf turns them into numbers once, before
 * anything is judged: it looks at no target, so folds may share it. All candidates see
 * its columns, which are sparse: linear models gain from many, trees look at each.
 *
 * Tensors: those of tfidf under "words."; its parameters are the defaults.
 */
#include "algorithms/compose/compose.h"
#include "tuning/automl.h"

#include <stdio.h>
#include <string.h>

#define WORDS     "words."
#define MOST      3000 /* terms of a column */
#define MOST_CELL 3e8  /* values in all, 0 or not: fewer terms for many rows */
#define LEAST     50

static const mli_algorithm *words_algorithm(void)
{
    return (const mli_algorithm *)mli_catalog_find("tfidf"); /* its first member */
}

static ml_status words_params(ml_context *ctx, int64_t terms, ml_params **out,
                              ml_error *err)
{
    ml_params *given = NULL;
    ml_status status = ml_params_new(ctx, &given, err);
    if (!status) status = ml_params_set_i64(given, "max_features", terms, err);
    if (!status)
        status = mli_params_resolve(ctx, &words_algorithm()->head, given, out, err);
    ml_params_free(given);
    return status;
}

/* ---- fitting ---- */

static int64_t terms_for(const mli_design *d)
{
    int64_t columns = 0;
    for (int64_t j = 0; j < d->n_features; j++) columns += d->columns[j].kind == MLI_TEXT;
    double most = MOST_CELL / ((double)d->rows * (double)columns + 1);
    return most > MOST ? MOST : most < LEAST ? LEAST : (int64_t)most;
}

static ml_status keep(ml_model *whole, const ml_model *words, ml_error *err)
{
    char name[64];
    ml_status status = ML_OK;
    for (int64_t i = 0; i < words->count && !status; i++) {
        snprintf(name, sizeof name, WORDS "%s", words->tensors[i].name);
        status = mli_model_add_tensor(whole, name, words->tensors[i].tensor, err);
    }
    return status;
}

ml_status mli_automl_text(const mli_fit *job, mli_fit *inner, ml_error *err)
{
    ml_params *params = NULL;
    ml_model *words = NULL;
    mli_hooks hooks = {0};
    mli_design *train = NULL, *valid = NULL;
    mli_fit whole = *job;
    *inner = *job;
    if (mli_inputs_text(job->train->inputs) < 0) return ML_OK;
    ml_status status = words_params(job->ctx, terms_for(job->train), &params, err);
    if (!status)
        status = mli_fit_part(job->ctx, words_algorithm(), "tfidf", params, job->train,
                              NULL, &hooks, job->run, &words, err);
    if (!status) status = keep(job->model, words, err);
    if (!status) status = mli_part_transform(&whole, words, job->train, 0, &train, err);
    if (!status && job->valid)
        status = mli_part_transform(&whole, words, job->valid, 0, &valid, err);
    ml_model_free(words);
    ml_params_free(params);
    if (status) {
        mli_design_free(train);
        return status;
    }
    inner->train = train;
    inner->valid = valid;
    return ML_OK;
}

void mli_automl_text_free(const mli_fit *job, mli_fit *inner)
{
    if (inner->train != job->train)
        mli_design_free((mli_design *)(uintptr_t)inner->train);
    if (inner->valid != job->valid)
        mli_design_free((mli_design *)(uintptr_t)inner->valid);
}

/* ---- the model ---- */

static ml_status load_words(const ml_model *m, ml_model **out, ml_error *err)
{
    size_t n = strlen(WORDS);
    ml_params *params = NULL;
    ml_model *words = NULL;
    ml_status status = words_params(m->ctx, MOST, &params, err);
    if (!status)
        status = mli_model_new(m->ctx, words_algorithm(), params, m->inputs, &words, err);
    for (int64_t i = 0; i < m->count && !status; i++)
        if (strncmp(m->tensors[i].name, WORDS, n) == 0)
            status = mli_model_add_tensor(words, m->tensors[i].name + n,
                                          m->tensors[i].tensor, err);
    if (!status) status = mli_model_seal(words, err);
    ml_params_free(params);
    if (status)
        ml_model_free(words);
    else
        *out = words;
    return status;
}

/* The same model, of the columns that the words make. */
static ml_status load_inner(const ml_model *m, const ml_model *words, ml_model **out,
                            ml_error *err)
{
    mli_inputs *in = NULL;
    ml_model *inner = NULL;
    ml_status status = mli_part_outputs(words, m->inputs, &in, err);
    if (!status) status = mli_model_new(m->ctx, m->algorithm, m->params, in, &inner, err);
    for (int64_t i = 0; i < m->count && !status; i++)
        status =
            mli_model_add_tensor(inner, m->tensors[i].name, m->tensors[i].tensor, err);
    if (!status) status = mli_model_seal(inner, err);
    mli_inputs_free(in);
    if (status)
        ml_model_free(inner);
    else
        *out = inner;
    return status;
}

ml_status mli_automl_text_load(const ml_model *m, ml_model **words, ml_model **inner,
                               ml_error *err)
{
    ml_status status = load_words(m, words, err);
    if (!status) status = load_inner(m, *words, inner, err);
    if (status) {
        ml_model_free(*words);
        *words = NULL;
    }
    return status;
}

/* The words' plan, then `rest`, which is taken over; so are the models. */
ml_status mli_automl_text_plan(ml_model *words, ml_model *inner, mli_plan *rest,
                               mli_plan **out, ml_error *err)
{
    ml_context *ctx = words->ctx;
    mli_parts models = {.ctx = ctx, .n = 2};
    mli_plan **plans = mli_calloc(ctx, 2, sizeof(mli_plan *));
    models.model = mli_calloc(ctx, 2, sizeof(ml_model *));
    ml_status status = plans && models.model ? ML_OK : mli_nomem(err);
    if (!status) status = mli_plan_new(words, "transform", NULL, &plans[0], err);
    if (status) {
        mli_plan_free(rest);
        mli_free(ctx, plans);
        mli_free(ctx, models.model);
        ml_model_free(words);
        ml_model_free(inner);
        return status;
    }
    plans[1] = rest;
    models.model[0] = words;
    models.model[1] = inner;
    return mli_chain_plan(ctx, plans, 2, &models, out, err);
}
