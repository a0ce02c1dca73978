/* SPDX-License-Identifier: MIT
 *
 * check_folds.c: what a model was fitted with, fitted anew to parts of a table:
 * cross-validation, nested with tuning inside of each fold (Cawley, Talbot, On
 * over-fitting in model selection, 2010), learning curves, and two models on the same
 * folds.
 */
#include "core/parallel.h"
#include "core/rng.h"
#include "tuning/check.h"
#include "tuning/split.h"
#include "tuning/statistics.h"

#include <ml/estimator.h>
#include <ml/study.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- shared ---- */

/* The path of a parameter that the fit has found, of the whole or of a part; 0: none. */
static int find_fitted(const ml_model *m, const ml_params *p, char prefix[MLI_PATH_SIZE])
{
    mli_path path;
    for (int64_t i = 0; i < p->count; i++) {
        const char *name = p->values[i].name, *dot = strrchr(name, '.');
        if (mli_path_find(p, &m->algorithm->head, name, &path, NULL) != ML_OK) continue;
        if (!(path.param->flags & MLI_FLAG_FITTED) || p->values[i].count == 0) continue;
        snprintf(prefix, MLI_PATH_SIZE, "%.*s", dot ? (int)(dot - name + 1) : 0, name);
        return 1;
    }
    return 0;
}

/* What the fit has found is not what it was asked for: the lists, and what they list. */
static ml_status without_fitted(const ml_model *m, ml_params **out, ml_error *err)
{
    ml_params *p = NULL;
    char prefix[MLI_PATH_SIZE];
    mli_path path;
    ml_status st = ml_params_clone(m->params, &p, err);
    while (st == ML_OK && find_fitted(m, p, prefix)) {
        size_t n = strlen(prefix);
        for (int64_t i = p->count - 1; i >= 0; i--) {
            const char *name = p->values[i].name;
            if (strncmp(name, prefix, n) != 0) continue;
            int found = strchr(name + n, '.') != NULL;
            if (!found &&
                mli_path_find(p, &m->algorithm->head, name, &path, NULL) == ML_OK)
                found = (path.param->flags & MLI_FLAG_FITTED) != 0;
            if (found) (void)!mli_params_remove(p, name);
        }
    }
    if (st != ML_OK)
        ml_params_free(p);
    else
        *out = p;
    return st;
}

/* Few rows may look like another task: of two numbers there may be one left. */
static ml_status keep_task(const ml_model *m, ml_params *p, ml_error *err)
{
    int32_t task = m->inputs->task;
    int has = 0;
    for (const mli_param *r = m->algorithm->head.roles; r && r->name; r++)
        has |= strcmp(r->name, "task") == 0;
    if (!has || (task != MLI_TASK_CLASSIFICATION && task != MLI_TASK_REGRESSION))
        return ML_OK;
    if (m->inputs->n_targets) return ML_OK;
    return ml_params_set_str(
        p, "task", task == MLI_TASK_CLASSIFICATION ? "classification" : "regression",
        err);
}

/* 1: a study tunes the value, or sets it for the fit to all rows; 2: it tunes it, since
 * it was not set. */
static int tunable(const ml_model *m, const ml_params *p, const mli_value *v)
{
    mli_path at;
    if (mli_path_find(p, &m->algorithm->head, v->name, &at, NULL) != ML_OK ||
        (at.param->flags & MLI_FLAG_ROLE))
        return 0;
    int set = MLI_FLAG_ROUNDS | MLI_FLAG_STOPPING | MLI_FLAG_GUARD;
    if (!at.param->tune) return (at.param->flags & set) != 0;
    return v->given ? 1 : 2;
}

/* A model that was tuned has all of them set: they are found anew. */
static ml_status open_tuned(const ml_model *m, ml_params *p)
{
    ml_status st = ML_OK;
    for (int64_t i = 0; i < p->count; i++)
        if (tunable(m, p, &p->values[i]) == 2) return ML_OK;
    for (int64_t i = p->count - 1; i >= 0 && st == ML_OK; i--)
        if (tunable(m, p, &p->values[i])) st = mli_params_remove(p, p->values[i].name);
    return st;
}

static ml_status check_estimator(const ml_model *m, int open, ml_estimator **out,
                                 ml_error *err)
{
    ml_params *p = NULL;
    ml_estimator *e = NULL;
    ml_status st = without_fitted(m, &p, err);
    if (st == ML_OK) st = keep_task(m, p, err);
    if (st == ML_OK && open) st = open_tuned(m, p);
    if (st == ML_OK) st = ml_estimator_new(m->ctx, m->algorithm->head.name, &e, err);
    if (st == ML_OK) st = ml_estimator_set_params(e, p, err);
    ml_params_free(p);
    if (st != ML_OK)
        ml_estimator_free(e);
    else
        *out = e;
    return st;
}

ml_status mli_check_estimator(const ml_model *m, ml_estimator **out, ml_error *err)
{
    return check_estimator(m, 0, out, err);
}

ml_status mli_check_metric(const mli_check *x, const ml_model *m, const mli_metric **out,
                           ml_error *err)
{
    const char *name = mli_get_str(x->params, "metric");
    ml_status st = mli_metric_find(
        *name ? name : mli_metric_default(m->inputs, m->params), out, err);
    if (st == ML_OK) st = mli_metric_fits(*out, m->inputs, err);
    return st == ML_OK ? ML_OK : mli_error_at(err, st, "params.metric");
}

ml_status mli_check_split(const mli_check *x, const ml_model *m, uint64_t seed,
                          mli_folds **out, ml_error *err)
{
    const mli_inputs *in = m->inputs;
    int classes = in->task == MLI_TASK_CLASSIFICATION;
    mli_split s = {.folds = mli_get_i64(x->params, "folds"),
                   .shuffle = 1,
                   .seed = seed,
                   .stratify = classes ? in->target : "",
                   .group = in->group ? in->group : "",
                   .time = in->time ? in->time : ""};
    s.method = s.group[0]  ? "group"
               : s.time[0] ? "time"
               : classes   ? "stratified"
                           : "kfold";
    return mli_folds_new(x->table, &s, out, err);
}

/* A limit of time or memory, of the whole or a part, is meant for one fit at a time. */
static int limited(const ml_model *m)
{
    for (int64_t i = 0; m && i < m->params->count; i++) {
        const mli_value *v = &m->params->values[i];
        const char *dot = strrchr(v->name, '.'), *name = dot ? dot + 1 : v->name;
        if (v->f64 > 0 &&
            (strcmp(name, "time_limit") == 0 || strcmp(name, "memory_limit") == 0))
            return 1;
    }
    return 0;
}

int mli_check_beside(const mli_check *x)
{
    int64_t values = ml_table_rows(x->table) * x->model->inputs->n_features;
    return mli_small_beside(x->ctx, values * (int64_t)sizeof(double)) &&
           !limited(x->model) && !limited(x->other);
}

ml_status mli_check_fit(const ml_estimator *e, const ml_table *table, const int64_t *rows,
                        int64_t n, ml_model **out, ml_error *err)
{
    ml_table *some = NULL;
    mli_run run;
    mli_run_init(&run, e->ctx, NULL, NULL, NULL);
    run.quiet = 1; /* one of many */
    ml_status st = ml_table_take(table, rows, n, &some, err);
    if (st == ML_OK)
        st = mli_fit_table(e->ctx, e->algorithm, e->params, some, NULL, &run, out, err);
    ml_table_free(some);
    return st;
}

ml_status mli_check_score(const mli_metric *metric, const ml_model *m,
                          const ml_table *table, const int64_t *rows, int64_t n,
                          double *out, ml_error *err)
{
    ml_table *some = NULL;
    mli_design *d = NULL;
    ml_status st = ml_table_take(table, rows, n, &some, err);
    if (st == ML_OK) st = mli_design_apply(m->inputs, some, 1, &d, err);
    if (st == ML_OK) st = mli_metric_model(metric, m, d, NULL, out, err);
    mli_design_free(d);
    ml_table_free(some);
    return st;
}

static const char *short_name(const mli_metric *m)
{
    return strrchr(m->head.name, '.') + 1;
}

static void mean_and_deviation(const double *v, int64_t n, double out[2])
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) sum += v[i];
    out[0] = sum / (double)n;
    for (int64_t i = 0; i < n; i++) squares += (v[i] - out[0]) * (v[i] - out[0]);
    out[1] = n > 1 ? sqrt(squares / (double)(n - 1)) : NAN;
}

/* ---- rounds of fitting and scoring ---- */

/* Scores of models, one per fold and repeat. */
typedef struct rounds rounds;

/* Scores fold k of the repeat, which is number `at` of all. */
typedef ml_status (*score_one)(rounds *r, int64_t k, int64_t at, ml_error *err);

struct rounds {
    const mli_check *x;
    const mli_metric *metric;
    const mli_folds *of; /* those of the repeat */
    score_one one;
    ml_estimator *e[2]; /* what it fits */
    int64_t n, folds, repeats, repeat;
    double *score, *train_rows, *test_rows, *extra; /* [n + 2]: and mean, deviation */
    const char **names, **texts;
    char (*labels)[48], (*notes)[512];
};

static ml_status rounds_new(rounds *r, const mli_check *x, int64_t repeats, ml_error *err)
{
    *r = (rounds){.x = x, .repeats = repeats, .folds = mli_get_i64(x->params, "folds")};
    ml_status st = mli_check_metric(x, x->model, &r->metric, err);
    if (st != ML_OK) return st;
    int64_t room = r->folds * repeats + 2;
    r->score = mli_calloc(x->ctx, (size_t)room * 4, sizeof *r->score);
    r->names = mli_calloc(x->ctx, (size_t)room * 2, sizeof *r->names);
    r->labels = mli_calloc(x->ctx, (size_t)room, sizeof *r->labels);
    r->notes = mli_calloc(x->ctx, (size_t)room, sizeof *r->notes);
    if (!r->score || !r->names || !r->labels || !r->notes) return mli_nomem(err);
    r->train_rows = r->score + room;
    r->test_rows = r->score + 2 * room;
    r->extra = r->score + 3 * room;
    r->texts = r->names + room;
    return ML_OK;
}

static void rounds_free(rounds *r)
{
    ml_estimator_free(r->e[0]);
    ml_estimator_free(r->e[1]);
    mli_free(r->x->ctx, r->score);
    mli_free(r->x->ctx, r->names);
    mli_free(r->x->ctx, r->labels);
    mli_free(r->x->ctx, r->notes);
}

static ml_status fold_task(void *arg, int64_t k, int32_t slot, ml_error *err)
{
    rounds *r = arg;
    int64_t at = r->n + k;
    (void)slot;
    snprintf(r->labels[at], sizeof *r->labels, r->repeats > 1 ? "%lld.%lld" : "%lld",
             (long long)(r->repeats > 1 ? r->repeat + 1 : k + 1), (long long)(k + 1));
    r->train_rows[at] = (double)r->of->n_train[k];
    r->test_rows[at] = (double)r->of->n_test[k];
    return r->one(r, k, at, err);
}

/* Does `one` for each fold of each repeat. */
static ml_status each_fold(rounds *r, score_one one, ml_error *err)
{
    uint64_t seed = (uint64_t)mli_get_i64(r->x->params, "seed");
    ml_status st = ML_OK;
    r->one = one;
    for (int64_t i = 0; i < r->repeats && st == ML_OK; i++) {
        mli_folds *f = NULL;
        st = mli_check_split(r->x, r->x->model, seed + (uint64_t)i, &f, err);
        if (st != ML_OK) break;
        int64_t n = f->n_folds < r->folds ? f->n_folds : r->folds;
        r->of = f;
        r->repeat = i;
        st = mli_parallel_try(r->x->ctx, mli_check_beside(r->x), n, fold_task, r, err);
        r->n += n;
        mli_folds_free(f);
    }
    return st;
}

static ml_status rounds_table(rounds *r, const char *extra, const char *texts,
                              ml_table **out, ml_error *err)
{
    mli_builder *b = NULL;
    double both[2];
    for (int64_t i = 0; i < r->n + 2; i++) {
        r->names[i] = r->labels[i];
        r->texts[i] = r->notes[i];
    }
    r->names[r->n] = "mean";
    r->names[r->n + 1] = "deviation";
    r->texts[r->n] = r->texts[r->n + 1] = NULL;
    double *columns[] = {r->train_rows, r->test_rows, r->score, r->extra};
    for (int k = 0; k < 4; k++) {
        mean_and_deviation(columns[k], r->n, both);
        columns[k][r->n] = both[0];
        columns[k][r->n + 1] = both[1];
    }
    ml_status st = mli_builder_new(r->x->ctx, r->n + 2, &b, err);
    if (st != ML_OK) return st;
    st = mli_builder_text(b, "fold", r->names, err);
    if (st == ML_OK) st = mli_builder_f64(b, "train_rows", r->train_rows, err);
    if (st == ML_OK) st = mli_builder_f64(b, "test_rows", r->test_rows, err);
    if (st == ML_OK) st = mli_builder_f64(b, short_name(r->metric), r->score, err);
    if (st == ML_OK && extra) st = mli_builder_f64(b, extra, r->extra, err);
    if (st == ML_OK && texts) st = mli_builder_text(b, texts, r->texts, err);
    if (st == ML_OK) return mli_builder_finish(b, out, err);
    mli_builder_free(b);
    return st;
}

/* ---- cross-validation ---- */

static ml_status score_fold(const rounds *r, const ml_estimator *e, int64_t k,
                            double *out, ml_error *err)
{
    const mli_folds *f = r->of;
    ml_model *m = NULL;
    ml_status st = mli_check_fit(e, r->x->table, f->train[k], f->n_train[k], &m, err);
    if (st == ML_OK)
        st = mli_check_score(r->metric, m, r->x->table, f->test[k], f->n_test[k], out,
                             err);
    ml_model_free(m);
    return st;
}

static ml_status plain_fold(rounds *r, int64_t k, int64_t at, ml_error *err)
{
    return score_fold(r, r->e[0], k, &r->score[at], err);
}

ml_status mli_check_folds(const mli_check *x, ml_table **out, ml_error *err)
{
    rounds r;
    ml_status st = rounds_new(&r, x, mli_get_i64(x->params, "repeats"), err);
    if (st == ML_OK) st = mli_check_estimator(x->model, &r.e[0], err);
    if (st == ML_OK) st = each_fold(&r, plain_fold, err);
    if (st == ML_OK) st = rounds_table(&r, NULL, NULL, out, err);
    rounds_free(&r);
    return st;
}

/* ---- two models ---- */

static ml_status both_fold(rounds *r, int64_t k, int64_t at, ml_error *err)
{
    ml_status st = score_fold(r, r->e[0], k, &r->score[at], err);
    return st == ML_OK ? score_fold(r, r->e[1], k, &r->extra[at], err) : st;
}

static ml_status compared_table(const mli_check *x, const char *test, const char *metric,
                                const mli_compared *c, ml_table **out, ml_error *err)
{
    mli_builder *b = NULL;
    const struct {
        const char *name;
        double value;
    } columns[] = {
        {"first", c->first}, {"second", c->second}, {"difference", c->difference},
        {"low", c->low},     {"high", c->high},     {"statistic", c->statistic},
        {"p_value", c->p}};
    ml_status st = mli_builder_new(x->ctx, 1, &b, err);
    if (st != ML_OK) return st;
    st = mli_builder_text(b, "test", &test, err);
    if (st == ML_OK) st = mli_builder_text(b, "metric", &metric, err);
    for (int k = 0; k < 7 && st == ML_OK; k++)
        st = mli_builder_f64(b, columns[k].name, &columns[k].value, err);
    if (st == ML_OK) return mli_builder_finish(b, out, err);
    mli_builder_free(b);
    return st;
}

ml_status mli_check_compare_folds(const mli_check *x, ml_table **out, ml_error *err)
{
    rounds r;
    mli_compared c;
    ml_status st = rounds_new(&r, x, mli_get_i64(x->params, "repeats"), err);
    if (st == ML_OK) st = mli_metric_fits(r.metric, x->other->inputs, err);
    if (st == ML_OK) st = mli_check_estimator(x->model, &r.e[0], err);
    if (st == ML_OK) st = mli_check_estimator(x->other, &r.e[1], err);
    if (st == ML_OK) st = each_fold(&r, both_fold, err);
    if (st == ML_OK) {
        double train = 0, test = 0;
        for (int64_t i = 0; i < r.n; i++) {
            train += r.train_rows[i];
            test += r.test_rows[i];
        }
        mli_resampled_t(r.score, r.extra, r.n, test / train, &c);
        st = compared_table(x, "corrected resampled t", short_name(r.metric), &c, out,
                            err);
    }
    rounds_free(&r);
    return st;
}

/* ---- nested ---- */

/* Where they differ from those of the model. */
static void note_params(const ml_model *m, const ml_params *best, char out[512])
{
    size_t used = 0;
    out[0] = 0;
    for (int64_t i = 0; i < best->count; i++) {
        const mli_value *v = &best->values[i];
        const mli_value *was = mli_params_find(m->params, v->name);
        if (used > 440 || !tunable(m, best, v) ||
            (was && strcmp(was->text, v->text) == 0))
            continue;
        int n = snprintf(out + used, 512 - used, "%s%s=%s", used ? " " : "", v->name,
                         v->text);
        if (n > 0) used += (size_t)n < 512 - used ? (size_t)n : 511 - used;
    }
}

static ml_status make_study(const rounds *r, const ml_estimator *e, const ml_table *train,
                            ml_study **out, ml_error *err)
{
    ml_params *o = NULL;
    ml_status st = ml_params_new(r->x->ctx, &o, err);
    if (st == ML_OK) st = ml_params_set_str(o, "metric", short_name(r->metric), err);
    if (st == ML_OK)
        st = ml_params_set_i64(o, "n_trials", mli_get_i64(r->x->params, "trials"), err);
    if (st == ML_OK)
        st = ml_params_set_i64(o, "seed", mli_get_i64(r->x->params, "seed"), err);
    if (st == ML_OK) st = ml_study_new(e, train, NULL, o, out, err);
    ml_params_free(o);
    return st;
}

/* Tunes on the training rows of the fold, and scores the best on its test rows. */
static ml_status nested_fold(rounds *r, int64_t k, int64_t at, ml_error *err)
{
    const mli_folds *f = r->of;
    ml_table *train = NULL;
    ml_study *study = NULL;
    ml_params *best = NULL;
    ml_model *m = NULL;
    ml_status st = ml_table_take(r->x->table, f->train[k], f->n_train[k], &train, err);
    if (st == ML_OK) st = make_study(r, r->e[0], train, &study, err);
    if (st == ML_OK) st = ml_study_run(study, NULL, NULL, NULL, err);
    if (st == ML_OK) st = ml_study_best_params(study, &r->extra[at], &best, err);
    if (st == ML_OK) st = ml_study_best_model(study, NULL, &m, err);
    if (st == ML_OK)
        st = mli_check_score(r->metric, m, r->x->table, f->test[k], f->n_test[k],
                             &r->score[at], err);
    if (st == ML_OK) note_params(r->x->model, best, r->notes[at]);
    ml_model_free(m);
    ml_params_free(best);
    ml_study_free(study);
    ml_table_free(train);
    return st;
}

ml_status mli_check_nested(const mli_check *x, ml_table **out, ml_error *err)
{
    rounds r;
    ml_status st = rounds_new(&r, x, 1, err);
    if (st == ML_OK) st = check_estimator(x->model, 1, &r.e[0], err);
    if (st == ML_OK) st = each_fold(&r, nested_fold, err);
    if (st == ML_OK) st = rounds_table(&r, "inner", "parameters", out, err);
    rounds_free(&r);
    return st;
}
