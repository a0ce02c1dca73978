/* SPDX-License-Identifier: MIT
 *
 * study.c: studies: creation, ask and tell, results.
 */
#include "tuning/study.h"

#include "core/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const mli_param study_params[] = {
    {"sampler", NULL, ML_PARAM_STR, 0, "random", "{random, grid}", NULL, NULL,
     "How parameters are proposed. random: uniform within the tuning ranges (their "
     "logarithm where a range says so). grid: all combinations.",
     "0.1"},
    {"n_trials", "trials,n_iter,max_evals", ML_PARAM_I64, 0, "50", "[1, 1000000]", NULL,
     NULL, "Number of trials; a grid stops when it is used up.", "0.1"},
    {"time", "timeout,time_budget,max_time", ML_PARAM_F64, 0, "0", "[0, inf)", NULL, NULL,
     "Seconds after which no trial begins and the running one is cut short; 0 is no "
     "limit.",
     "0.1"},
    {"metric", "scoring,eval_metric,objective_metric", ML_PARAM_STR, MLI_FLAG_NULLABLE,
     "", NULL, NULL, NULL,
     "What to optimise. By default roc_auc for two classes, log_loss for more, rmse for "
     "regression.",
     "0.1"},
    {"tune", "search_space,params", ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL,
     NULL,
     "The parameters to tune. By default all that have a tuning range and are not set.",
     "0.1"},
    {"first_default", NULL, ML_PARAM_BOOL, 0, "true", NULL, NULL, "sampler == random",
     "Let the first trial use the estimator's parameters as they are.", "0.1"},
    {"grid_points", NULL, ML_PARAM_I64, 0, "3", "[1, 1000]", NULL, "sampler == grid",
     "Points per numeric parameter of a grid.", "0.1"},
    {"parallel", "n_jobs", ML_PARAM_I64, MLI_FLAG_NO_EFFECT, "0", "[0, 4096]", NULL, NULL,
     "Trials at once; 0 decides by the size of the table. Results do not depend on it, "
     "unless time cuts the study.",
     "0.1"},
    {"patience", "early_stop,n_iter_no_change", ML_PARAM_I64, 0, "0", "[0, 1000000]",
     NULL, NULL, "Stop after so many trials without a better score; 0 is never.", "0.1"},
    {"target_score", NULL, ML_PARAM_F64, MLI_FLAG_NULLABLE, NULL, NULL, NULL, NULL,
     "Stop when the best score is at least this good.", "0.1"},
    {"max_rounds", NULL, ML_PARAM_I64, 0, "1000", "[0, 1000000]", NULL, NULL,
     "The most rounds of algorithms that stop early, which find their number themselves; "
     "0 "
     "leaves it to the estimator, as does an estimator that sets the number.",
     "0.1"},
    {"refit", NULL, ML_PARAM_BOOL, 0, "true", NULL, NULL, NULL,
     "Fit the best parameters on all training rows. Without it the best model is that of "
     "the first fold.",
     "0.1"},
    {"method", "splitter", ML_PARAM_STR, 0, "auto",
     "{auto, holdout, kfold, stratified, group, time}", NULL, NULL,
     "How trials are scored when there are no validation rows. auto: by {param:group} or "
     "{param:time} when given; else {param:folds} folds below 5,000 rows, one holdout "
     "above; by class for classifiers.",
     "0.1"},
    {"fraction", "test_size,holdout", ML_PARAM_F64, 0, "0.2", "(0, 1)", NULL, NULL,
     "Share of rows held out.", "0.1"},
    {"folds", "n_splits,cv,n_folds,k", ML_PARAM_I64, 0, "5", "[2, 1000]", NULL, NULL,
     "Number of folds.", "0.1"},
    {"group", "groups", ML_PARAM_STR, MLI_FLAG_NULLABLE | MLI_FLAG_ROLE, "", NULL, NULL,
     NULL, "A column: rows of equal value stay in one part.", "0.1"},
    {"time_column", NULL, ML_PARAM_STR, MLI_FLAG_NULLABLE | MLI_FLAG_ROLE, "", NULL, NULL,
     NULL, "A column that orders rows: tests come after their training rows.", "0.1"},
    MLI_PARAM_SEED,
    MLI_PARAM_END};

const mli_descriptor mli_options_study = {
    .name = "options.study",
    .title = "options of studies",
    .doc = "Options of ml_study_new.",
    .family = "options",
    .since = "0.1",
    .sort = MLI_SORT_OPTIONS,
    .params = study_params,
};

static void free_designs(ml_study *s)
{
    for (int64_t k = 0; k < s->n_folds; k++) {
        if (s->fold_train) mli_design_free(s->fold_train[k]);
        if (s->fold_test) mli_design_free(s->fold_test[k]);
    }
    mli_free(s->ctx, s->fold_train);
    mli_free(s->ctx, s->fold_test);
    mli_design_free(s->whole);
    s->fold_train = s->fold_test = NULL;
    s->whole = NULL;
    s->n_folds = 0;
}

void ml_study_free(ml_study *study)
{
    if (!study) return;
    ml_context *ctx = study->ctx;
    free_designs(study);
    for (int64_t i = 0; i < study->count; i++) {
        ml_params_free(study->trials[i].params);
        mli_free(ctx, study->trials[i].message);
    }
    mli_free(ctx, study->trials);
    mli_space_free(&study->space);
    ml_params_free(study->base);
    ml_params_free(study->options);
    ml_table_free(study->train);
    ml_table_free(study->valid);
    ml_cancel_free(study->cancel);
    pthread_mutex_destroy(&study->lock);
    mli_free(ctx, study);
    ml_context_free(ctx);
}

const mli_param *mli_study_flagged(const ml_study *s, int32_t flag)
{
    for (const mli_param *p = s->algorithm->head.params; p && p->name; p++)
        if (p->flags & flag) return p;
    return NULL;
}

/* Early stopping finds the number of rounds, so it need not be tuned: it is set high. */
static ml_status free_rounds(ml_study *s, ml_error *err)
{
    const mli_param *rounds = mli_study_flagged(s, MLI_FLAG_ROUNDS);
    const mli_param *stopping = mli_study_flagged(s, MLI_FLAG_STOPPING);
    int64_t most = mli_get_i64(s->options, "max_rounds");
    if (!rounds || !stopping || most == 0) return ML_OK;
    if (mli_params_find(s->base, rounds->name)->given) return ML_OK;
    if (mli_get_i64(s->base, stopping->name) == 0) return ML_OK;
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)most);
    mli_value v = {.type = ML_PARAM_STR, .text = text, .given = 1};
    return mli_params_put(s->base, &s->algorithm->head, rounds->name, &v, err);
}

static ml_status set_up(ml_study *s, const ml_estimator *estimator,
                        const ml_params *options, ml_error *err)
{
    const char *const *tune = NULL;
    ml_status st = ml_params_clone(estimator->params, &s->base, err);
    if (st < 0) return st;
    st = mli_params_resolve(s->ctx, &mli_options_study, options, &s->options, err);
    if (st < 0) return st;
    if (s->train && (st = free_rounds(s, err)) < 0) return st;
    const char *metric = mli_get_str(s->options, "metric");
    if (metric[0]) {
        if ((st = mli_metric_find(metric, &s->metric, err)) < 0)
            return mli_error_at(err, st, "params.metric");
        s->maximize = s->metric->maximize;
    }
    int64_t n_tune = mli_get_strs(s->options, "tune", &tune);
    return mli_space_init(&s->space, s->ctx, &s->algorithm->head, s->base, tune, n_tune,
                          err);
}

ml_status ml_study_new(const ml_estimator *estimator, const ml_table *train,
                       const ml_table *valid, const ml_params *options, ml_study **out,
                       ml_error *error)
{
    if (!estimator) return mli_null(error, "estimator");
    if (!out) return mli_null(error, "out");
    ml_context *ctx = estimator->ctx;
    ml_study *s = mli_calloc(ctx, 1, sizeof *s);
    if (!s) return mli_nomem(error);
    s->ctx = mli_context_ref(ctx);
    s->algorithm = estimator->algorithm;
    s->best = -1;
    s->train = ml_table_ref((ml_table *)train);
    s->valid = ml_table_ref((ml_table *)valid);
    pthread_mutex_init(&s->lock, NULL);
    ml_status st = set_up(s, estimator, options, error);
    if (st == ML_OK && train) st = mli_study_prepare(s, error);
    if (st < 0) {
        ml_study_free(s);
        return st;
    }
    *out = s;
    return ML_OK;
}

void ml_study_set_cancel(ml_study *study, ml_cancel *cancel)
{
    if (!study) return;
    ml_cancel *old = study->cancel;
    study->cancel = mli_cancel_ref(cancel);
    ml_cancel_free(old);
}

/* The splitter that the options ask for, `auto` resolved by the data. */
static mli_split choose_split(const ml_study *s)
{
    const ml_params *o = s->options;
    const mli_inputs *in = s->whole->inputs;
    int classes = in->task == MLI_TASK_CLASSIFICATION;
    mli_split split = {.method = mli_get_str(o, "method"),
                       .fraction = mli_get_f64(o, "fraction"),
                       .folds = mli_get_i64(o, "folds"),
                       .shuffle = 1,
                       .seed = (uint64_t)mli_get_i64(o, "seed"),
                       .stratify = classes ? in->target : "",
                       .group = mli_get_str(o, "group"),
                       .time = mli_get_str(o, "time_column")};
    if (!split.group[0] && in->group) split.group = in->group;
    if (!split.time[0] && in->time) split.time = in->time;
    if (strcmp(split.method, "auto") != 0) return split;
    int small = s->whole->rows < 5000;
    if (split.group[0])
        split.method = small ? "group" : "holdout";
    else if (split.time[0])
        split.method = small ? "time" : "holdout";
    else if (small)
        split.method = classes ? "stratified" : "kfold";
    else
        split.method = "holdout";
    return split;
}

static ml_status alloc_folds(ml_study *s, int64_t n, ml_error *err)
{
    s->fold_train = mli_calloc(s->ctx, (size_t)n, sizeof(mli_design *));
    s->fold_test = mli_calloc(s->ctx, (size_t)n, sizeof(mli_design *));
    if (!s->fold_train || !s->fold_test) return mli_nomem(err);
    s->n_folds = n;
    return ML_OK;
}

static ml_status split_folds(ml_study *s, ml_error *err)
{
    mli_folds *f = NULL;
    mli_split split = choose_split(s);
    ml_status st = mli_folds_new(s->whole->table, &split, &f, err);
    if (st < 0) return st;
    st = alloc_folds(s, f->n_folds, err);
    for (int64_t k = 0; k < f->n_folds && st == ML_OK; k++) {
        st =
            mli_design_take(s->whole, f->train[k], f->n_train[k], &s->fold_train[k], err);
        if (st == ML_OK)
            st = mli_design_take(s->whole, f->test[k], f->n_test[k], &s->fold_test[k],
                                 err);
    }
    mli_folds_free(f);
    return st;
}

ml_status mli_study_prepare(ml_study *s, ml_error *err)
{
    if (s->whole) return ML_OK;
    ml_status st =
        mli_design_train(s->ctx, &s->algorithm->head, s->base, s->train, &s->whole, err);
    if (st == ML_OK && s->valid) {
        st = alloc_folds(s, 1, err);
        if (st == ML_OK)
            st = mli_design_apply(s->whole->inputs, s->valid, 1, &s->fold_test[0], err);
    } else if (st == ML_OK) {
        st = split_folds(s, err);
    }
    if (st == ML_OK && !s->metric)
        st = mli_metric_find(mli_metric_default(s->whole->inputs), &s->metric, err);
    if (st == ML_OK) {
        s->maximize = s->metric->maximize;
        st = mli_metric_fits(s->metric, s->whole->inputs, err);
    }
    if (st < 0) free_designs(s);
    return st;
}

static int sample(const ml_study *s, int64_t trial, double *u, int *use_default)
{
    const ml_params *o = s->options;
    *use_default = 0;
    if (strcmp(mli_get_str(o, "sampler"), "grid") == 0)
        return mli_sample_grid(&s->space, mli_get_i64(o, "grid_points"), trial, u);
    if (trial == 0 && mli_get_bool(o, "first_default")) {
        *use_default = 1;
        return 1;
    }
    return mli_sample_random(&s->space, (uint64_t)mli_get_i64(o, "seed"), trial, u);
}

/* With the lock held: room for one more trial. */
static int grow(ml_study *s)
{
    if (s->count < s->capacity) return 1;
    int64_t capacity = s->capacity ? 2 * s->capacity : 16;
    mli_trial *t = mli_realloc(s->ctx, s->trials, (size_t)capacity * sizeof *t);
    if (!t) return 0;
    s->trials = t;
    s->capacity = capacity;
    return 1;
}

ml_status mli_study_next(ml_study *s, int64_t *trial, ml_params **params, ml_error *err)
{
    double *u = mli_calloc(s->ctx, (size_t)s->space.n + 1, sizeof *u);
    ml_params *p = NULL, *copy = NULL;
    if (!u) return mli_nomem(err);
    pthread_mutex_lock(&s->lock);
    int use_default;
    ml_status st = ML_OK;
    if (!sample(s, s->count, u, &use_default)) {
        mli_fail(err, ML_E_STATE, "all %lld points of the grid have been tried",
                 (long long)s->count);
        st = mli_error_hint(err, ML_E_STATE, "raise grid_points or stop asking");
    } else if (!grow(s)) {
        st = mli_nomem(err);
    } else {
        st = use_default ? ml_params_clone(s->base, &p, err)
                         : mli_space_at(&s->space, s->base, u, &p, err);
    }
    if (st == ML_OK) st = ml_params_clone(p, &copy, err);
    if (st == ML_OK) {
        s->trials[s->count] = (mli_trial){.params = p, .score = NAN, .spread = NAN};
        *trial = s->count++;
        *params = copy;
        p = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    ml_params_free(p);
    mli_free(s->ctx, u);
    return st;
}

ml_status ml_study_ask(ml_study *study, int64_t *trial, ml_params **params,
                       ml_error *error)
{
    if (!study) return mli_null(error, "study");
    if (!trial) return mli_null(error, "trial");
    if (!params) return mli_null(error, "params");
    return mli_study_next(study, trial, params, error);
}

static int better(const ml_study *s, double a, double b)
{
    return s->maximize ? a > b : a < b;
}

void mli_study_store(ml_study *s, int64_t trial, int32_t state, double score,
                     double spread, double seconds, int64_t rounds, const char *message)
{
    pthread_mutex_lock(&s->lock);
    mli_trial *t = &s->trials[trial];
    t->state = state;
    t->score = score;
    t->spread = spread;
    t->seconds = seconds;
    t->rounds = rounds;
    if (message) t->message = mli_strdup(s->ctx, message);
    /* The lowest number wins a tie, whatever the order in which trials end. */
    if (isfinite(score) && (s->best < 0 || better(s, score, s->trials[s->best].score) ||
                            (score == s->trials[s->best].score && trial < s->best)))
        s->best = trial;
    pthread_mutex_unlock(&s->lock);
}

ml_status ml_study_tell(ml_study *study, int64_t trial, double score, ml_error *error)
{
    if (!study) return mli_null(error, "study");
    pthread_mutex_lock(&study->lock);
    int known = trial >= 0 && trial < study->count;
    int told = known && study->trials[trial].state != MLI_TRIAL_ASKED;
    pthread_mutex_unlock(&study->lock);
    if (!known) {
        mli_fail(error, ML_E_RANGE, "there is no trial %lld", (long long)trial);
        return mli_error_hint(error, ML_E_RANGE, "tell trials that were asked for");
    }
    if (told)
        return mli_fail(error, ML_E_STATE, "trial %lld has been told already",
                        (long long)trial);
    mli_study_store(study, trial, isnan(score) ? MLI_TRIAL_FAILED : MLI_TRIAL_DONE, score,
                    NAN, NAN, 0, NULL);
    return ML_OK;
}

ml_status ml_study_best_params(const ml_study *study, double *score, ml_params **out,
                               ml_error *error)
{
    if (!study) return mli_null(error, "study");
    if (!out) return mli_null(error, "out");
    ml_study *s = (ml_study *)study; /* the lock is not part of what const promises */
    ml_status st;
    pthread_mutex_lock(&s->lock);
    if (s->best < 0) {
        mli_fail(error, ML_E_STATE, "no trial has succeeded yet");
        st = mli_error_hint(error, ML_E_STATE, "run the study, or tell scores first");
    } else {
        st = ml_params_clone(s->trials[s->best].params, out, error);
        if (st == ML_OK && score) *score = s->trials[s->best].score;
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* Columns of the results: fixed ones, then one per tuned parameter. */
static ml_status result_column(ml_study *s, mli_builder *b, const mli_param *param,
                               ml_error *err)
{
    int number = param->type == ML_PARAM_I64 || param->type == ML_PARAM_F64;
    double *f = mli_alloc_vec(s->ctx, s->count, sizeof *f);
    const char **text = mli_calloc(s->ctx, (size_t)s->count + 1, sizeof *text);
    ml_status st = f && text ? ML_OK : mli_nomem(err);
    for (int64_t i = 0; i < s->count && st == ML_OK; i++) {
        const mli_value *v = mli_params_find(s->trials[i].params, param->name);
        f[i] = v && number ? v->f64 : NAN;
        text[i] = v ? v->text : NULL;
        if (!mli_param_active(param, s->trials[i].params)) {
            f[i] = NAN;
            text[i] = NULL;
        }
    }
    if (st == ML_OK)
        st = number ? mli_builder_f64(b, param->name, f, err)
                    : mli_builder_text(b, param->name, text, err);
    mli_free(s->ctx, f);
    mli_free(s->ctx, text);
    return st;
}

static ml_status fixed_columns(ml_study *s, mli_builder *b, ml_error *err)
{
    static const char *const states[] = {"asked", "done", "failed", "stopped"};
    int64_t n = s->count;
    int64_t *number = mli_alloc_vec(s->ctx, n, sizeof *number);
    double *f = mli_alloc_vec(s->ctx, 3 * n, sizeof *f);
    const char **text = mli_calloc(s->ctx, 2 * (size_t)n + 1, sizeof *text);
    ml_status st = number && f && text ? ML_OK : mli_nomem(err);
    for (int64_t i = 0; i < n && st == ML_OK; i++) {
        const mli_trial *t = &s->trials[i];
        number[i] = i;
        f[i] = t->score;
        f[n + i] = t->spread;
        f[2 * n + i] = t->seconds;
        text[i] = states[t->state];
        text[n + i] = t->message;
    }
    if (st == ML_OK) st = mli_builder_i64(b, "trial", number, err);
    if (st == ML_OK) st = mli_builder_text(b, "state", text, err);
    if (st == ML_OK) st = mli_builder_f64(b, "score", f, err);
    if (st == ML_OK) st = mli_builder_f64(b, "spread", f + n, err);
    if (st == ML_OK) st = mli_builder_f64(b, "seconds", f + 2 * n, err);
    if (st == ML_OK) st = mli_builder_text(b, "message", text + n, err);
    mli_free(s->ctx, number);
    mli_free(s->ctx, f);
    mli_free(s->ctx, text);
    return st;
}

ml_status ml_study_results(const ml_study *study, ml_table **out, ml_error *error)
{
    if (!study) return mli_null(error, "study");
    if (!out) return mli_null(error, "out");
    ml_study *s = (ml_study *)study;
    mli_builder *b = NULL;
    pthread_mutex_lock(&s->lock);
    ml_status st = mli_builder_new(s->ctx, s->count, &b, error);
    if (st == ML_OK) st = fixed_columns(s, b, error);
    for (int64_t i = 0; i < s->space.n && st == ML_OK; i++)
        st = result_column(s, b, s->space.dimensions[i].param, error);
    pthread_mutex_unlock(&s->lock);
    if (st < 0) {
        mli_builder_free(b);
        return st;
    }
    return mli_builder_finish(b, out, error);
}
