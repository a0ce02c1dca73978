/* SPDX-License-Identifier: MIT
 *
 * automl_search.c: after the portfolio, what samplers that learn propose for the kinds of
 * models that did best, those ahead more often.
 */
#include "tuning/automl.h"
#include "tuning/study.h"

#include <ml/estimator.h>
#include <ml/study.h>

#include <math.h>
#include <string.h>

#define SEARCHED 3   /* kinds that are searched */
#define WITHIN   0.1 /* of the way from a constant to the best: so near the others are */
static const int turns[] = {0, 0, 1, 0, 0, 2};

typedef struct {
    const mli_algorithm *algorithm;
    const mli_kin *kin;
    double best;
    ml_study *study;
} searched;

/* ---- what is searched ---- */

/* Symmetric trees are like those of CatBoost, linear leaves like smooth functions: other
 * rounds, depths and penalties suit them. */
static const mli_kin kinds[] = {
    {"gbdt", "growth", "symmetric",
     "learning_rate: log [0.02, 0.2]; max_depth: [3, 8]; l2: log [0.1, 30]; "
     "subsample: [0.6, 1.0]; colsample_bynode: [0.3, 1.0]; random_strength: [0.0, 3.0]"},
    {"gbdt", "linear_tree", "true",
     "learning_rate: log [0.02, 0.3]; max_leaves: log [4, 64]; min_data_in_leaf: log [5, "
     "100]; linear_lambda: log [0.01, 100]; subsample: [0.6, 1.0]; colsample_bytree: "
     "[0.4, 1.0]"}};

const mli_kin *mli_automl_kin(const mli_algorithm *algorithm, const ml_params *given)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const mli_value *v = mli_params_find(given, kinds[k].name);
        if (v && strcmp(v->text, kinds[k].value) == 0 &&
            strcmp(algorithm->head.name, kinds[k].algorithm) == 0)
            return &kinds[k];
    }
    return NULL;
}

int mli_automl_alike(const mli_candidate *x, const mli_candidate *y)
{
    return x->algorithm == y->algorithm && mli_automl_kin(x->algorithm, x->given) ==
                                               mli_automl_kin(y->algorithm, y->given);
}

static int is_baseline(const mli_candidate *c)
{
    return strcmp(c->algorithm->head.name, "baseline") == 0;
}

static int is_of(const searched *s, const mli_candidate *c)
{
    return s->algorithm == c->algorithm &&
           s->kin == mli_automl_kin(c->algorithm, c->given);
}

/* The place among the best n, the best first. Returns how many there are then. */
static int insert(const mli_automl *a, searched *out, int n, const searched *one)
{
    int at = n < SEARCHED ? n++ : SEARCHED;
    for (; at > 0; at--) {
        if (!mli_automl_better(a, one->best, out[at - 1].best)) break;
        if (at < SEARCHED) out[at] = out[at - 1];
    }
    if (at < SEARCHED) out[at] = *one;
    return n;
}

/* Trials of kinds that are far behind would be lost. */
static int drop_behind(const mli_automl *a, const searched *s, int n)
{
    double constant = NAN;
    for (int64_t i = 0; i < a->count; i++)
        if (is_baseline(&a->candidates[i])) constant = a->candidates[i].score;
    if (isnan(constant)) return n;
    double most = WITHIN * fabs(s[0].best - constant);
    while (n > 1 && fabs(s[0].best - s[n - 1].best) > most) n--;
    return n;
}

/* The kinds of models, best first. */
static int rank_kinds(const mli_automl *a, searched out[SEARCHED])
{
    int n = 0;
    for (int64_t i = 0; i < a->count; i++) {
        const mli_candidate *c = &a->candidates[i];
        const mli_kin *kin = mli_automl_kin(c->algorithm, c->given);
        searched one = {c->algorithm, kin, c->score, NULL};
        int known = 0;
        if (isnan(c->score) || is_baseline(c)) continue;
        for (int64_t j = 0; j < a->count; j++) {
            const mli_candidate *other = &a->candidates[j];
            if (isnan(other->score) || !is_of(&one, other)) continue;
            known |= j < i;
            if (mli_automl_better(a, other->score, one.best)) one.best = other->score;
        }
        if (!known) n = insert(a, out, n, &one);
    }
    return n ? drop_behind(a, out, n) : 0;
}

/* ---- trials ---- */

/* What the candidates of the portfolio scored. */
static ml_status teach(const mli_automl *a, const searched *s, ml_error *err)
{
    ml_status status = ML_OK;
    for (int64_t i = 0; i < a->count && !status; i++) {
        const mli_candidate *c = &a->candidates[i];
        double score = isnan(c->guess) ? c->score : c->guess;
        if (is_of(s, c) && !isnan(score) && !c->cut)
            status = mli_study_teach(s->study, c->given, score, err);
    }
    return status;
}

static ml_status open_study(mli_automl *a, searched *s, ml_error *err)
{
    ml_estimator *e = NULL;
    ml_params *options = NULL;
    const char *metric = strrchr(a->metric->head.name, '.') + 1;
    ml_status status = ml_estimator_new(a->ctx, s->algorithm->head.name, &e, err);
    /* The number of rounds finds itself. */
    const mli_param *rounds = mli_automl_flagged(s->algorithm, MLI_FLAG_ROUNDS);
    if (!status && rounds)
        status = ml_estimator_set_i64(e, rounds->name, MLI_AUTOML_ROUNDS, err);
    if (!status && s->kin)
        status = ml_estimator_set_str(e, s->kin->name, s->kin->value, err);
    if (!status) status = ml_params_new(a->ctx, &options, err);
    if (!status && s->kin)
        status = ml_params_set_str(options, "space", s->kin->space, err);
    if (!status) status = ml_params_set_str(options, "metric", metric, err);
    if (!status) status = ml_params_set_str(options, "sampler", "gp", err);
    if (!status) status = ml_params_set_str(options, "first_default", "false", err);
    if (!status) status = ml_params_set_i64(options, "seed", (int64_t)a->seed, err);
    if (!status) status = ml_study_new(e, NULL, NULL, options, &s->study, err);
    if (!status) status = teach(a, s, err);
    ml_params_free(options);
    ml_estimator_free(e);
    return status;
}

/* The next parameters of a study. */
static ml_status ask(mli_automl *a, searched *s, int64_t *trial, ml_params **params,
                     ml_error *err)
{
    ml_status status = s->study ? ML_OK : open_study(a, s, err);
    if (!status) status = ml_study_ask(s->study, trial, params, err);
    if (status) return status;
    for (const mli_param *r = s->algorithm->head.roles; r && r->name; r++)
        (void)!mli_params_remove(*params, r->name);
    return ML_OK;
}

/* How the last candidate did. */
static ml_status tell_last(const mli_automl *a, searched *s, int64_t trial, ml_error *err)
{
    const mli_candidate *c = &a->candidates[a->count - 1];
    return ml_study_tell(s->study, trial, isnan(c->guess) ? c->score : c->guess, err);
}

/* One trial of a study. */
static ml_status try_next(mli_automl *a, searched *s, ml_error *err)
{
    int64_t trial;
    ml_params *params = NULL;
    ml_status status = ask(a, s, &trial, &params, err);
    if (!status) status = mli_automl_try(a, s->algorithm, params, err);
    if (status) return status;
    return tell_last(a, s, trial, err);
}

/* A candidate of the journal: that of the study, when it is the same, so that the study
 * goes on as it did; else by itself. */
static ml_status try_past(mli_automl *a, searched *s, int n, mli_past *p, ml_error *err)
{
    int64_t trial;
    ml_params *params = NULL;
    searched *mine = NULL;
    for (int k = 0; k < n; k++)
        if (is_of(&s[k], &p->c)) mine = &s[k];
    if (!mine) return mli_automl_take_past(a, p, err);
    ml_status status = ask(a, mine, &trial, &params, err);
    int same = !status && mli_automl_same(params, p->c.given);
    if (same) {
        status = mli_automl_try(a, mine->algorithm, params, err);
        if (status) return status;
        return tell_last(a, mine, trial, err);
    }
    ml_params_free(params);
    return status ? status : mli_automl_take_past(a, p, err);
}

static ml_status try_search(mli_automl *a, ml_error *err)
{
    searched s[SEARCHED] = {{0}};
    int n = rank_kinds(a, s), misses = 0;
    int64_t trials = mli_get_i64(a->job->params, "trials");
    ml_status status = ML_OK;
    for (int64_t turn = 0; n && !status && misses < 6; turn++) {
        mli_past *p = mli_automl_next_past(a);
        /* Without a clock the order of the turns is known, and what the journal has is
         * found by its parameters. */
        if (p && a->limit > 0 && (trials == 0 || a->count < trials)) {
            status = try_past(a, s, n, p, err);
            continue;
        }
        searched *now = &s[turns[turn % 6] % n];
        misses = mli_automl_may_try(a, now->algorithm, NULL) ? 0 : misses + 1;
        if (!misses) status = try_next(a, now, err);
    }
    for (int k = 0; k < SEARCHED; k++) ml_study_free(s[k].study);
    return status;
}

ml_status mli_automl_search(mli_automl *a, ml_error *err)
{
    ml_status status = mli_automl_portfolio(a, err);
    return status ? status : try_search(a, err);
}
