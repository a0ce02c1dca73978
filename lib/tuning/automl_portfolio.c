/* SPDX-License-Identifier: MIT
 *
 * automl_portfolio.c: the candidates that are judged first: a list of good
 * configurations, the cheap ones first, so that there is a model however little time
 * there is. Every algorithm of the catalog that suits the task takes part, with its
 * defaults at least. And the time: what a candidate may take, and what has to be left for
 * the end.
 */
#include "tuning/automl.h"

#include <math.h>
#include <string.h>

/* What an entry is for. */
#define ANY        0
#define HURRY      1 /* in place of the others of its kind when one was cut short */
#define NUMBERS    2 /* a number is predicted */
#define CLASSES    3
#define CATEGORIES 4 /* tables with categories */
#define NAMES      5 /* more than two classes, and categories of many levels */

typedef struct {
    const char *algorithm, *params; /* YAML */
    int use;
} entry;

/* Settings that do well on tables of many kinds; an algorithm that does not suit the task
 * is left out. */
static const entry portfolio[] = {
    {"baseline", "{}", ANY},
    {"linear_regression", "{penalty: l2, alpha: 1, standardize: true}", ANY},
    {"logistic_regression", "{penalty: l2, alpha: 1, standardize: true}", ANY},
    {"gbdt", "{learning_rate: 0.1, max_leaves: 15}", ANY},
    {"gbdt", "{learning_rate: 0.3, max_leaves: 31}", HURRY},
    {"gbdt", "{learning_rate: 0.1, max_leaves: 15, cat_smooth: 100}", NAMES},
    {"gbdt", "{linear_tree: true, linear_lambda: 1, learning_rate: 0.1, max_leaves: 15}",
     NUMBERS},
    {"gbdt", "{linear_tree: true, linear_lambda: 1, learning_rate: 0.3, max_leaves: 15}",
     HURRY},
    {"gbdt", "{growth: symmetric, learning_rate: 0.1, max_depth: 6}", ANY},
    {"gbdt", "{growth: symmetric, learning_rate: 0.3, max_depth: 6}", HURRY},
    {"gbdt",
     "{learning_rate: 0.05, max_leaves: 31, colsample_bytree: 0.8, subsample: 0.8}", ANY},
    {"gbdt", "{learning_rate: 0.05, max_leaves: 7, min_data_in_leaf: 10}", ANY},
    {"random_forest", "{}", ANY},
    {"extra_trees", "{}", ANY},
    {"gbdt", "{growth: symmetric, learning_rate: 0.07, max_depth: 4, l2: 3}", ANY},
    {"gbdt", "{linear_tree: true, linear_lambda: 1, learning_rate: 0.1, max_leaves: 15}",
     CLASSES},
    {"gbdt",
     "{growth: symmetric, learning_rate: 0.07, max_depth: 6, categories: ordered}",
     CATEGORIES},
    {"gbdt",
     "{learning_rate: 0.05, max_leaves: 15, colsample_bytree: 0.4, subsample: 0.7, "
     "min_data_in_leaf: 50}",
     ANY},
    {"gbdt",
     "{linear_tree: true, linear_lambda: 10, learning_rate: 0.05, max_leaves: 31, "
     "colsample_bytree: 0.8, subsample: 0.8}",
     NUMBERS},
    {"gbdt", "{growth: symmetric, learning_rate: 0.03, max_depth: 6}", ANY},
    {"logistic_regression", "{penalty: l2, alpha: 100, standardize: true}", ANY},
    {"linear_regression", "{penalty: elasticnet, alpha: 0.01, standardize: true}", ANY},
    {"gbdt",
     "{learning_rate: 0.03, max_leaves: 63, colsample_bytree: 0.5, subsample: 0.8, "
     "l2: 5}",
     ANY},
    {"gbdt",
     "{learning_rate: 0.02, max_leaves: 31, colsample_bytree: 0.6, subsample: 0.9, "
     "min_data_in_leaf: 5, l2: 3}",
     ANY},
};
#define MANY    50
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
/* Fits to all of many more rows than the search saw there may be no time for. */
#define MOST_GROWTH 2
/* Of the time of those that were cut short is enough for one that learns faster. */
#define HURRIED 0.3

static double elapsed(const mli_automl *a)
{
    return mli_now() - a->start;
}

/* What comes after the fits takes its time as well. */
double mli_automl_left(const mli_automl *a)
{
    return a->limit > 0 ? 0.97 * a->limit - elapsed(a) - a->last : INFINITY;
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
 * more than half of those that may be blended seldom are. Repeats are worth it where they
 * take little beside the folds: more than there are of those get what is left. */
double mli_automl_refit_seconds(const mli_automl *a)
{
    double sum = 0;
    int64_t most = (mli_get_i64(a->job->params, "max_members") + 1) / 2;
    const mli_candidate *c = NULL;
    for (int64_t i = 0; i < most && (c = next_best(a, c)); i++)
        sum += fmin(mli_automl_whole_seconds(a, c), MOST_GROWTH * c->seconds);
    int64_t repeats = mli_automl_repeats(a);
    if (mli_automl_side_by_side(a, a->job->train)) sum *= mli_automl_pace(a);
    return sum * (double)(repeats < a->n_folds ? repeats : a->n_folds);
}

/* And what comes before: the blend with its scores, and what is made of it. */
double mli_automl_blend_seconds(const mli_automl *a)
{
    return fmin(400 * a->scoring + 0.02 * a->limit, 0.1 * a->limit);
}

/* Mean of the candidates of an algorithm, by the clock. */
static double seconds_like(const mli_automl *a, const mli_algorithm *algorithm)
{
    double sum = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < a->count; i++) {
        const mli_candidate *c = &a->candidates[i];
        if (c->algorithm != algorithm || isnan(c->score)) continue;
        sum += c->seconds;
        n++;
    }
    return n ? mli_automl_pace(a) * sum / (double)n : 0;
}

/* Is there a trial left, and time for this one? What the journal knows takes none.
 * given: NULL when it is not known yet. */
int mli_automl_may_try(mli_automl *a, const mli_algorithm *algorithm,
                       const ml_params *given)
{
    int64_t trials = mli_get_i64(a->job->params, "trials");
    if (trials && a->count >= trials) return 0;
    if (mli_run_state(a->job->run) != ML_CONTINUE) return 0;
    /* However little time there is, there is a model. */
    if (!(a->limit > 0) || a->count == 0) return 1;
    double left =
        mli_automl_left(a) - mli_automl_refit_seconds(a) - mli_automl_blend_seconds(a);
    /* What it takes it may take once more for all rows. */
    double most =
        0.9 * left / (1 + fmin(mli_automl_growth(a), MOST_GROWTH) / (double)a->n_folds);
    double usual = seconds_like(a, algorithm);
    if (a->hurry) usual *= HURRIED;
    a->slice = fmax(fmin(fmax(SLICE * left, 1.5 * usual), most), 0.01 * a->limit);
    if (given && mli_automl_past(a, algorithm, given)) return 1;
    return left > 0.02 * a->limit && a->slice > 0.7 * usual;
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

ml_status mli_automl_try(mli_automl *a, const mli_algorithm *algorithm, ml_params *given,
                         ml_error *err)
{
    ml_status status = mli_automl_judge(a, algorithm, given, err);
    return status ? status : report(a, err);
}

/* ---- the portfolio ---- */

/* Was a candidate of the same kind cut short? Those that learn in smaller steps would be
 * as well. */
static int was_cut(const mli_automl *a, const mli_algorithm *algorithm,
                   const ml_params *given)
{
    const mli_kin *kin = mli_automl_kin(algorithm, given);
    for (int64_t i = 0; i < a->count; i++) {
        const mli_candidate *c = &a->candidates[i];
        if (c->cut && c->algorithm == algorithm &&
            mli_automl_kin(c->algorithm, c->given) == kin)
            return 1;
    }
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

static int has_categories(const mli_automl *a, int64_t levels)
{
    const mli_inputs *in = a->job->train->inputs;
    for (int64_t j = 0; j < in->n_features; j++)
        if (in->features[j].kind == MLI_CATEGORICAL && in->features[j].levels.n > levels)
            return 1;
    return 0;
}

static int is_wanted(const mli_automl *a, const mli_algorithm *algorithm,
                     const ml_params *given, int use)
{
    int classes = a->job->train->label != NULL;
    if (use == NUMBERS && classes) return 0;
    if (use == CLASSES && !classes) return 0;
    if (use == CATEGORIES && (!has_categories(a, 2) || a->n_outputs > 2)) return 0;
    if (use == NAMES && !(has_categories(a, MANY) && a->n_outputs > 2)) return 0;
    return was_cut(a, algorithm, given) == (use == HURRY);
}

static ml_status try_text(mli_automl *a, const mli_algorithm *algorithm, const char *text,
                          int use, ml_error *err)
{
    ml_params *given = NULL;
    ml_status status = read_text(a, algorithm, text, &given, err);
    a->hurry = use == HURRY;
    int wanted = !status && is_wanted(a, algorithm, given, use) &&
                 mli_automl_may_try(a, algorithm, given);
    a->hurry = 0;
    if (wanted) return mli_automl_try(a, algorithm, given, err);
    ml_params_free(given);
    return status;
}

static int in_portfolio(const char *name)
{
    for (int64_t i = 0; i < ENTRIES; i++)
        if (strcmp(portfolio[i].algorithm, name) == 0) return 1;
    return 0;
}

ml_status mli_automl_portfolio(mli_automl *a, ml_error *err)
{
    ml_status status = ML_OK;
    for (int64_t i = 0; i < ENTRIES && !status; i++) {
        const mli_algorithm *g = algorithm_named(a, portfolio[i].algorithm);
        if (g) status = try_text(a, g, portfolio[i].params, portfolio[i].use, err);
    }
    for (const mli_descriptor *const *d = mli_catalog; *d && !status; d++) {
        if (!mli_automl_takes_part(a, *d) || in_portfolio((*d)->name)) continue;
        status = try_text(a, (const mli_algorithm *)*d, "{}", ANY, err);
    }
    return status;
}
