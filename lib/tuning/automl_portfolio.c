/* SPDX-License-Identifier: MIT
 *
 * automl_portfolio.c: which candidates are judged, and in which order.
 *
 * First a list of good configurations, the cheap ones first, so that there is a model
 * however little time there is; then what a sampler that learns proposes for the
 * algorithms that did best, those ahead more often. Every algorithm of the catalog that
 * suits the task takes part, with its defaults at least.
 */
#include "tuning/automl.h"

#include <ml/estimator.h>
#include <ml/study.h>

#include <math.h>
#include <string.h>

typedef struct {
    const char *algorithm, *params; /* YAML */
    int hurry; /* in place of the others of the algorithm when one was cut short */
} entry;

/* Settings that do well on tables of many kinds; an algorithm that does not suit the task
 * is left out. */
static const entry portfolio[] = {
    {"baseline", "{}", 0},
    {"linear_regression", "{penalty: l2, alpha: 1, standardize: true}", 0},
    {"logistic_regression", "{penalty: l2, alpha: 1, standardize: true}", 0},
    {"gbdt", "{learning_rate: 0.1, max_leaves: 15}", 0},
    {"gbdt", "{learning_rate: 0.3, max_leaves: 31}", 1},
    {"gbdt",
     "{learning_rate: 0.05, max_leaves: 31, colsample_bytree: 0.8, subsample: 0.8}", 0},
    {"gbdt", "{learning_rate: 0.05, max_leaves: 7, min_data_in_leaf: 10}", 0},
    {"random_forest", "{}", 0},
    {"extra_trees", "{}", 0},
    {"gbdt",
     "{learning_rate: 0.03, max_leaves: 63, colsample_bytree: 0.5, subsample: 0.8, "
     "l2: 5}",
     0},
    {"gbdt",
     "{learning_rate: 0.05, max_leaves: 15, colsample_bytree: 0.4, subsample: 0.7, "
     "min_data_in_leaf: 50}",
     0},
    {"logistic_regression", "{penalty: l2, alpha: 100, standardize: true}", 0},
    {"linear_regression", "{penalty: elasticnet, alpha: 0.01, standardize: true}", 0},
    {"gbdt",
     "{learning_rate: 0.02, max_leaves: 31, colsample_bytree: 0.6, subsample: 0.9, "
     "min_data_in_leaf: 5, l2: 3}",
     0},
};
#define ENTRIES ((int64_t)(sizeof portfolio / sizeof *portfolio))

/* ---- what takes part ---- */

int mli_automl_takes(const mli_automl *a, const mli_descriptor *d)
{
    const mli_design *train = a->job->train;
    if (d->sort != MLI_SORT_ALGORITHM || strcmp(d->family, "compose") == 0) return 0;
    if (d->tasks & MLI_TASK_TRANSFORM) return 0;
    if (!(d->tasks & (uint32_t)train->inputs->task)) return 0;
    return !train->weight || (d->caps & MLI_CAN_WEIGHTS);
}

int mli_automl_takes_part(const mli_automl *a, const mli_descriptor *d)
{
    const char *const *names;
    int64_t n = mli_get_strs(a->job->params, "algorithms", &names);
    if (!mli_automl_takes(a, d)) return 0;
    for (int64_t i = 0; i < n; i++)
        if (mli_catalog_find(names[i]) == d) return 1;
    return n == 0 || strcmp(d->name, "baseline") == 0;
}

static const mli_algorithm *algorithm_named(const mli_automl *a, const char *name)
{
    const mli_descriptor *d = mli_catalog_find(name);
    /* A descriptor is its algorithm's first member. */
    return d && mli_automl_takes_part(a, d) ? (const mli_algorithm *)d : NULL;
}

/* ---- limits ---- */

#define SLICE 0.3 /* of the time that is left: the most for one candidate */

static double elapsed(const mli_automl *a)
{
    return mli_now() - a->start;
}

/* The next candidate after `above` (NULL: the first) when the best come first. */
static const mli_candidate *next_best(const mli_automl *a, const mli_candidate *above)
{
    const mli_candidate *best = NULL;
    for (int64_t i = 0; i < a->count; i++) {
        const mli_candidate *c = &a->candidates[i];
        if (isnan(c->score)) continue;
        if (above && (mli_automl_better(a, c->score, above->score) ||
                      (c->score == above->score && c <= above)))
            continue;
        if (!best || mli_automl_better(a, c->score, best->score)) best = c;
    }
    return best;
}

/* Seconds that fitting the blended candidates to all rows will take, about: of the best,
 * more than half of those that may be blended seldom are. */
double mli_automl_refit_seconds(const mli_automl *a)
{
    double sum = 0;
    int64_t most = (mli_get_i64(a->job->params, "max_members") + 1) / 2;
    const mli_candidate *c = NULL;
    for (int64_t i = 0; i < most && (c = next_best(a, c)); i++) sum += c->seconds;
    return 1.25 * sum / (double)a->n_folds;
}

/* And what comes before: the blend with its scores, and what is made of it. */
double mli_automl_blend_seconds(const mli_automl *a)
{
    return fmin(400 * a->scoring, 0.1 * a->limit);
}

static double seconds_like(const mli_automl *a, const mli_algorithm *algorithm)
{
    double most = 0;
    for (int64_t i = 0; i < a->count; i++)
        if (a->candidates[i].algorithm == algorithm && a->candidates[i].seconds > most)
            most = a->candidates[i].seconds;
    return most;
}

/* Is there a trial left, and time for this one? What the journal knows takes none.
 * given: NULL when it is not known yet. */
static int may_try(mli_automl *a, const mli_algorithm *algorithm, const ml_params *given)
{
    int64_t trials = mli_get_i64(a->job->params, "trials");
    if (trials && a->count >= trials) return 0;
    if (mli_run_state(a->job->run) != ML_CONTINUE) return 0;
    /* However little time there is, there is a model. */
    if (!(a->limit > 0) || a->count == 0) return 1;
    double left = a->limit * 0.97 - elapsed(a) - mli_automl_refit_seconds(a) -
                  mli_automl_blend_seconds(a);
    a->slice = fmax(SLICE * left, 0.01 * a->limit);
    if (given && mli_automl_past(a, algorithm, given)) return 1;
    return left > 0.02 * a->limit && a->slice > 0.5 * seconds_like(a, algorithm);
}

static ml_status report(mli_automl *a, ml_error *err)
{
    int64_t trials = mli_get_i64(a->job->params, "trials"), steps = trials ? trials : 100;
    int64_t step = a->count;
    if (a->limit > 0) {
        steps = 1000;
        step = (int64_t)(900 * elapsed(a) / a->limit);
    }
    const mli_candidate *c = &a->candidates[a->count - 1];
    return mli_run_step(a->job->run, c->algorithm->head.name, step < steps ? step : steps,
                        steps, c->score, err);
}

static ml_status try_one(mli_automl *a, const mli_algorithm *algorithm, ml_params *given,
                         ml_error *err)
{
    ml_status status = mli_automl_judge(a, algorithm, given, err);
    return status ? status : report(a, err);
}

/* ---- the portfolio ---- */

/* Was a candidate of the algorithm cut short? Those that learn in smaller steps would be
 * as well. */
static int was_cut(const mli_automl *a, const mli_algorithm *algorithm)
{
    for (int64_t i = 0; i < a->count; i++)
        if (a->candidates[i].algorithm == algorithm && a->candidates[i].cut) return 1;
    return 0;
}

static ml_status read_text(mli_automl *a, const mli_algorithm *algorithm,
                           const char *text, ml_params **out, ml_error *err)
{
    ml_status status = ml_params_new(a->ctx, out, err);
    if (!status) status = ml_params_read_yaml(*out, text, strlen(text), err);
    const mli_param *seed = mli_param_find(&algorithm->head, "seed");
    if (!status && seed) status = ml_params_set_i64(*out, "seed", (int64_t)a->seed, err);
    return status;
}

static ml_status try_text(mli_automl *a, const mli_algorithm *algorithm, const char *text,
                          ml_error *err)
{
    ml_params *given = NULL;
    ml_status status = read_text(a, algorithm, text, &given, err);
    if (!status && may_try(a, algorithm, given)) return try_one(a, algorithm, given, err);
    ml_params_free(given);
    return status;
}

static int in_portfolio(const char *name)
{
    for (int64_t i = 0; i < ENTRIES; i++)
        if (strcmp(portfolio[i].algorithm, name) == 0) return 1;
    return 0;
}

static ml_status try_portfolio(mli_automl *a, ml_error *err)
{
    ml_status status = ML_OK;
    for (int64_t i = 0; i < ENTRIES && !status; i++) {
        const mli_algorithm *g = algorithm_named(a, portfolio[i].algorithm);
        if (g && was_cut(a, g) == portfolio[i].hurry)
            status = try_text(a, g, portfolio[i].params, err);
    }
    for (const mli_descriptor *const *d = mli_catalog; *d && !status; d++) {
        if (!mli_automl_takes_part(a, *d) || in_portfolio((*d)->name)) continue;
        status = try_text(a, (const mli_algorithm *)*d, "{}", err);
    }
    return status;
}

/* ---- the search ---- */

#define SEARCHED 3 /* algorithms that are searched */
static const int turns[] = {0, 0, 1, 0, 0, 2};

typedef struct {
    const mli_algorithm *algorithm;
    double best;
    ml_study *study;
} searched;

/* The algorithms with something to tune, best first. */
static int rank_algorithms(const mli_automl *a, searched out[SEARCHED])
{
    int n = 0;
    for (int64_t i = 0; i < a->count; i++) {
        const mli_candidate *c = &a->candidates[i];
        int known = 0, at;
        for (int k = 0; k < n; k++) known |= out[k].algorithm == c->algorithm;
        if (isnan(c->score) || known || strcmp(c->algorithm->head.name, "baseline") == 0)
            continue;
        double best = c->score;
        for (int64_t j = i + 1; j < a->count; j++)
            if (a->candidates[j].algorithm == c->algorithm &&
                mli_automl_better(a, a->candidates[j].score, best))
                best = a->candidates[j].score;
        for (at = n < SEARCHED ? n++ : SEARCHED; at > 0; at--) {
            if (!mli_automl_better(a, best, out[at - 1].best)) break;
            if (at < SEARCHED) out[at] = out[at - 1];
        }
        if (at < SEARCHED) out[at] = (searched){c->algorithm, best, NULL};
    }
    return n;
}

static ml_status open_study(mli_automl *a, searched *s, ml_error *err)
{
    ml_estimator *e = NULL;
    ml_params *options = NULL;
    const char *metric = strrchr(a->metric->head.name, '.') + 1;
    ml_status status = ml_estimator_new(a->ctx, s->algorithm->head.name, &e, err);
    /* The number of rounds finds itself. */
    const mli_param *rounds = mli_automl_flagged(s->algorithm, MLI_FLAG_ROUNDS);
    if (!status && rounds) status = ml_estimator_set_i64(e, rounds->name, 2000, err);
    if (!status) status = ml_params_new(a->ctx, &options, err);
    if (!status) status = ml_params_set_str(options, "metric", metric, err);
    if (!status) status = ml_params_set_str(options, "sampler", "gp", err);
    if (!status) status = ml_params_set_str(options, "first_default", "false", err);
    if (!status) status = ml_params_set_i64(options, "seed", (int64_t)a->seed, err);
    if (!status) status = ml_study_new(e, NULL, NULL, options, &s->study, err);
    ml_params_free(options);
    ml_estimator_free(e);
    return status;
}

/* The next parameters of an algorithm's study. */
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

/* One trial of an algorithm's study. */
static ml_status try_next(mli_automl *a, searched *s, ml_error *err)
{
    int64_t trial;
    ml_params *params = NULL;
    ml_status status = ask(a, s, &trial, &params, err);
    if (!status) status = try_one(a, s->algorithm, params, err);
    if (status) return status;
    return ml_study_tell(s->study, trial, a->candidates[a->count - 1].score, err);
}

/* A candidate of the journal: that of the study, when it is the same, so that the study
 * goes on as it did; else by itself. */
static ml_status try_past(mli_automl *a, searched *s, int n, mli_past *p, ml_error *err)
{
    int64_t trial;
    ml_params *params = NULL;
    searched *mine = NULL;
    for (int k = 0; k < n; k++)
        if (s[k].algorithm == p->c.algorithm) mine = &s[k];
    if (!mine) return mli_automl_take_past(a, p, err);
    ml_status status = ask(a, mine, &trial, &params, err);
    int same = !status && mli_automl_same(params, p->c.given);
    if (same) {
        status = try_one(a, mine->algorithm, params, err);
        if (status) return status;
        return ml_study_tell(mine->study, trial, a->candidates[a->count - 1].score, err);
    }
    ml_params_free(params);
    return status ? status : mli_automl_take_past(a, p, err);
}

static ml_status try_search(mli_automl *a, ml_error *err)
{
    searched s[SEARCHED] = {{0}};
    int n = rank_algorithms(a, s), misses = 0;
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
        misses = may_try(a, now->algorithm, NULL) ? 0 : misses + 1;
        if (!misses) status = try_next(a, now, err);
    }
    for (int k = 0; k < SEARCHED; k++) ml_study_free(s[k].study);
    return status;
}

ml_status mli_automl_search(mli_automl *a, ml_error *err)
{
    ml_status status = try_portfolio(a, err);
    return status ? status : try_search(a, err);
}
