/* SPDX-License-Identifier: MIT
 *
 * automl_judge.c: candidates are judged by predictions for rows that they were not fitted
 * to. Algorithms that stop early watch the rows left out of each fold; the mean number of
 * rounds is what they are given when they are fitted to all rows.
 */
#include "algorithms/prefixes.h"
#include "core/parallel.h"
#include "core/rng.h"
#include "tuning/automl.h"
#include "tuning/split.h"

#include <math.h>
#include <string.h>

#define MANY_ROWS     100000 /* from here on one part held out is enough */
#define SOME_ROWS     5000   /* and from here on when time is short: */
#define CELLS         5000   /* rows * columns per second of the limit */
#define FIRST_CELLS   2e6 /* per second: more rows are left out of the search, down to: */
#define FEWEST_ROWS   5000
#define LEAST_ROWS    200 /* where memory is short: */
#define MOST_COPIED   0.3 /* of it is for copies of rows */
#define ENOUGH_ROUNDS 60  /* fewer in a candidate's time are too few */
#define MOST_KEPT     12  /* as many as are considered for the blend */

int mli_automl_better(const mli_automl *a, double x, double y)
{
    if (isnan(x) || isnan(y)) return isnan(y) && !isnan(x);
    return a->metric->maximize ? x > y : x < y;
}

int64_t mli_automl_best(const mli_automl *a)
{
    int64_t best = -1;
    for (int64_t i = 0; i < a->count; i++) {
        if (isnan(a->candidates[i].score)) continue;
        if (best < 0 ||
            mli_automl_better(a, a->candidates[i].score, a->candidates[best].score))
            best = i;
    }
    return best;
}

/* ---- folds ---- */

void mli_automl_free(mli_automl *a)
{
    const mli_fit *job = a->job;
    mli_prefixes_free(a->prefixes);
    for (int64_t k = 0; k < a->n_folds; k++) {
        if (a->train && a->train[k] != job->train) mli_design_free(a->train[k]);
        if (a->test && a->test[k] != job->valid) mli_design_free(a->test[k]);
    }
    if (a->judged != job->valid) mli_design_free(a->judged);
    mli_free(a->ctx, a->train);
    mli_free(a->ctx, a->test);
    mli_free(a->ctx, a->judged_rows);
    mli_free(a->ctx, a->combined);
    mli_free(a->ctx, a->cuts);
    mli_calibration_free(&a->map);
    mli_automl_close(a);
    for (int64_t i = 0; i < a->count; i++) {
        ml_params_free(a->candidates[i].given);
        mli_free(a->ctx, a->candidates[i].predictions);
        mli_free(a->ctx, a->candidates[i].why);
        ml_model_free(a->candidates[i].kept);
    }
    mli_free(a->ctx, a->candidates);
    ml_cancel_free(a->clock);
    ml_error_free(a->failure);
}

static ml_status make_room(mli_automl *a, int64_t n, ml_error *err)
{
    a->train = mli_calloc(a->ctx, (size_t)n, sizeof(mli_design *));
    a->test = mli_calloc(a->ctx, (size_t)n, sizeof(mli_design *));
    a->n_folds = a->train && a->test ? n : 0;
    if (!a->n_folds) return mli_nomem(err);
    return mli_prefixes_new(a->ctx, &a->prefixes, err);
}

static ml_status take_valid(mli_automl *a, ml_error *err)
{
    ml_status status = make_room(a, 1, err);
    if (status) return status;
    a->train[0] = (mli_design *)(uintptr_t)a->job->train;
    a->test[0] = a->judged = (mli_design *)(uintptr_t)a->job->valid;
    return ML_OK;
}

/* Columns that a splitter needs may have been left behind by steps of a pipeline. */
static const char *column_there(const ml_table *t, const char *name)
{
    return name && ml_table_find(t, name) >= 0 ? name : "";
}

/* Values that are held: of sparse columns those that are not 0. */
static double cells_of(const mli_design *d)
{
    double cells = 0;
    for (int64_t j = 0; j < d->n_features; j++) {
        mli_sparse few;
        cells += mli_design_sparse(d, j, &few) ? (double)few.n : (double)d->rows;
    }
    return cells;
}

/* One fit in place of five leaves the time for more, and for larger models. With a
 * journal the folds do not depend on the time, so that a search can go on with more. */
static int is_short(const mli_automl *a)
{
    const mli_design *d = a->job->train;
    return a->limit > 0 && d->rows >= SOME_ROWS && cells_of(d) > CELLS * a->limit &&
           !*mli_get_str(a->job->params, "journal");
}

/* Bytes of the copies of a row that folds are made of, about. */
static double row_bytes(const mli_automl *a, double copies)
{
    return copies * sizeof(double) * cells_of(a->job->train) /
           (double)a->job->train->rows;
}

/* Five folds are six copies of the rows; one part held out is less than two. As for the
 * time, a journal keeps its folds. */
static int is_tight(const mli_automl *a)
{
    return a->memory &&
           a->room * MOST_COPIED < row_bytes(a, 6) * (double)a->job->train->rows &&
           !*mli_get_str(a->job->params, "journal");
}

mli_split mli_automl_split(const mli_design *d, uint64_t seed)
{
    mli_split s = {.first = 0.5, /* what is fitted in the end knows all of the past */
                   .folds = d->rows < 5 ? d->rows : 5,
                   .shuffle = 1,
                   .seed = seed,
                   .stratify = "",
                   .group = column_there(d->table, d->inputs->group),
                   .time = column_there(d->table, d->inputs->time)};
    s.method = s.group[0] ? "group" : s.time[0] ? "time" : "kfold";
    return s;
}

static mli_split choose_split(const mli_automl *a)
{
    const mli_design *d = a->given;
    const mli_inputs *in = d->inputs;
    int classes = in->task == MLI_TASK_CLASSIFICATION;
    int64_t folds = mli_get_i64(a->job->params, "folds");
    mli_split s = mli_automl_split(d, a->seed);
    s.fraction = 0.2;
    s.stratify = classes ? column_there(d->table, in->target) : "";
    if (folds) s.folds = folds;
    if (!folds && (d->rows >= MANY_ROWS || is_short(a) || is_tight(a)))
        s.method = "holdout";
    else if (strcmp(s.method, "kfold") == 0 && s.stratify[0])
        s.method = "stratified";
    return s;
}

void mli_automl_thin(const mli_automl *a, int64_t *rows, int64_t *n, int64_t most)
{
    mli_rng rng;
    int64_t kept = 0, all = *n;
    if (all <= most) return;
    mli_rng_init(&rng, a->seed, 0x7468696e /* "thin" */, (uint64_t)all);
    for (int64_t i = 0; i < all; i++)
        if (mli_rng_f64(&rng) * (double)(all - i) < (double)(most - kept))
            rows[kept++] = rows[i];
    *n = kept;
}

static int may_thin(const mli_automl *a)
{
    return a->limit > 0 && a->n_folds == 1 && a->judged_rows &&
           !*mli_get_str(a->job->params, "journal");
}

/* Rows that the search sees of one part held out: with little time models of some of them
 * are better than a few rounds of all; with little memory there is room for some. */
static int64_t rows_seen(const mli_automl *a)
{
    const mli_design *d = a->job->train;
    double most = (double)d->rows, times = (double)d->rows / (cells_of(d) + 1);
    if (a->limit > 0)
        most = fmin(most, fmax(FIRST_CELLS * a->limit * times, FEWEST_ROWS));
    if (a->memory)
        most = fmin(most, fmax(MOST_COPIED * a->room / row_bytes(a, 1.5), LEAST_ROWS));
    return (int64_t)most;
}

/* The last fits are to all rows where there is time, and memory. */
static void thin_rows(const mli_automl *a, mli_folds *f)
{
    int64_t all = a->job->train->rows, rows = rows_seen(a);
    if (f->n_folds != 1 || *mli_get_str(a->job->params, "journal") || rows >= all) return;
    mli_automl_thin(a, f->train[0], &f->n_train[0], rows);
    int64_t tested = rows < FEWEST_ROWS ? rows : FEWEST_ROWS;
    mli_automl_thin(a, f->test[0], &f->n_test[0], rows / 4 > tested ? rows / 4 : tested);
    mli_log(a->ctx, ML_LOG_INFO, "automl", "the search sees %lld of %lld rows",
            (long long)f->n_train[0], (long long)all);
}

double mli_automl_whole_seconds(const mli_automl *a, const mli_candidate *c)
{
    double growth = c->growth > 0 ? c->growth : mli_automl_growth(a);
    return growth * c->seconds / (double)a->n_folds;
}

double mli_automl_pace(const mli_automl *a)
{
    return a->spent > 0 ? fmin(a->took / a->spent, 1) : 1;
}

double mli_automl_growth(const mli_automl *a)
{
    double rows = 0;
    for (int64_t k = 0; k < a->n_folds; k++) rows += (double)a->train[k]->rows;
    return (double)(a->job->train->rows * a->n_folds) / fmax(rows, 1);
}

static ml_status take_folds(mli_automl *a, const mli_folds *f, ml_error *err)
{
    int64_t n = 0, at = 0;
    ml_status status = make_room(a, f->n_folds, err);
    for (int64_t k = 0; k < f->n_folds && !status; k++) {
        n += f->n_test[k];
        status =
            mli_design_take(a->job->train, f->train[k], f->n_train[k], &a->train[k], err);
        if (!status)
            status = mli_design_take(a->job->train, f->test[k], f->n_test[k], &a->test[k],
                                     err);
    }
    if (status) return status;
    int64_t *rows = mli_alloc_vec(a->ctx, n, sizeof *rows);
    if (!rows) return mli_nomem(err);
    for (int64_t k = 0; k < f->n_folds; at += f->n_test[k++])
        memcpy(rows + at, f->test[k], (size_t)f->n_test[k] * sizeof *rows);
    a->judged_rows = rows;
    return mli_design_take(a->job->train, rows, n, &a->judged, err);
}

ml_status mli_automl_folds(mli_automl *a, ml_error *err)
{
    mli_folds *f = NULL;
    ml_status status = ML_OK;
    if (a->job->valid) {
        status = take_valid(a, err);
    } else {
        mli_split split = choose_split(a);
        status = mli_folds_new(a->given->table, &split, &f, err);
        if (!status) thin_rows(a, f);
        if (!status) status = take_folds(a, f, err);
        mli_folds_free(f);
    }
    if (!status) a->truth = mli_truth_of(a->judged);
    return status;
}

/* ---- one candidate ---- */

const mli_param *mli_automl_flagged(const mli_algorithm *algorithm, int32_t flag)
{
    for (const mli_param *p = algorithm->head.params; p && p->name; p++)
        if (p->flags & flag) return p;
    return NULL;
}

ml_status mli_automl_params(const mli_automl *a, const mli_algorithm *algorithm,
                            const ml_params *given, ml_params **out, ml_error *err)
{
    mli_descriptor head = algorithm->head;
    head.roles = NULL;
    return mli_params_resolve(a->ctx, &head, given, out, err);
}

/* Watching rows that are left out, the number of rounds finds itself. */
static ml_status with_rounds(const mli_automl *a, const mli_algorithm *algorithm,
                             const ml_params *given, ml_params **out, ml_error *err)
{
    ml_params *p = NULL;
    const mli_param *rounds = mli_automl_flagged(algorithm, MLI_FLAG_ROUNDS);
    const mli_param *stopping = mli_automl_flagged(algorithm, MLI_FLAG_STOPPING);
    ml_status status = ml_params_clone(given, &p, err);
    const mli_value *set =
        rounds && !status ? mli_params_find(given, rounds->name) : NULL;
    if (!status && rounds && stopping && !(set && set->given))
        status = ml_params_set_i64(p, rounds->name, MLI_AUTOML_ROUNDS, err);
    if (!status) status = mli_automl_params(a, algorithm, p, out, err);
    ml_params_free(p);
    return status;
}

static int64_t rounds_of(const mli_algorithm *algorithm, const ml_model *m)
{
    ml_tensor *t = NULL;
    if (!mli_automl_flagged(algorithm, MLI_FLAG_ROUNDS) ||
        ml_model_get_tensor(m, "n_rounds", &t, NULL) < 0)
        return 0;
    int64_t n = (int64_t)ml_tensor_get_f64(t, 0, 0);
    ml_tensor_free(t);
    return n;
}

static ml_status predict_fold(const mli_automl *a, const ml_model *m, int64_t k,
                              double *out, ml_error *err)
{
    mli_plan *plan = NULL;
    ml_status status = mli_plan_new(m, a->kind, NULL, &plan, err);
    if (status) return status;
    if (plan->n_outputs == a->n_outputs)
        status = mli_plan_run_design(plan, a->test[k], NULL, out, err);
    else
        status = mli_fail(err, ML_E_UNSUPPORTED, "it predicts several values at once");
    mli_plan_free(plan);
    return status;
}

/* A candidate in one fold. */
typedef struct fold {
    double *out; /* what it predicts */
    ml_model *kept;
    int64_t rounds;
    double seconds;
    int cut, done;
} fold;

typedef struct judging {
    mli_automl *a;
    mli_candidate *c;
    const ml_params *params;
    fold *folds;
    double slice;  /* seconds for a fold; 0: no limit */
    int64_t begin; /* the first of those under way */
} judging;

/* The run of a fold; *clock ends it. */
static ml_status start_fold(const judging *j, int32_t slot, mli_run *run,
                            ml_cancel **clock, ml_error *err)
{
    mli_automl *a = j->a;
    ml_status status = ml_cancel_new(clock, err);
    if (status) return status;
    mli_run_part(run, a->job->run, 0, 0, 0);
    run->cancel = *clock;
    if (slot == 0) mli_automl_beat(a, run);
    if (j->slice > 0) ml_cancel_set_deadline(*clock, j->slice, ML_STOP_KEEP);
    return ML_OK;
}

static ml_status fit_fold(const judging *j, int64_t k, mli_run *run, ml_error *err)
{
    mli_automl *a = j->a;
    fold *f = &j->folds[k];
    ml_model *m = NULL;
    mli_hooks hooks = {.prefixes = a->prefixes};
    ml_status status =
        mli_fit_part(a->ctx, j->c->algorithm, j->c->algorithm->head.name, j->params,
                     a->train[k], a->test[k], &hooks, run, &m, err);
    if (!status) status = predict_fold(a, m, k, f->out, err);
    if (!status) f->rounds = rounds_of(j->c->algorithm, m);
    f->cut = mli_run_state(run) != ML_CONTINUE;
    /* Cut short by its own clock it is judged with the rounds it got, which are those
     * that it will be given; but not when the host has ended the search. */
    if (!status && mli_run_state(a->job->run) != ML_CONTINUE)
        status = mli_fail(err, ML_E_CANCELLED, "the search was ended");
    if (!status && k == 0 && (a->limit > 0 || a->memory))
        f->kept = m;
    else
        ml_model_free(m);
    return status;
}

static ml_status judge_fold(void *arg, int64_t task, int32_t slot, ml_error *err)
{
    const judging *j = arg;
    int64_t k = j->begin + task;
    ml_cancel *clock = NULL;
    mli_run run;
    double start = mli_now();
    ml_status status = start_fold(j, slot, &run, &clock, err);
    if (!status) status = fit_fold(j, k, &run, err);
    ml_cancel_free(clock);
    j->folds[k].seconds = mli_now() - start;
    j->folds[k].done = !status;
    return status;
}

ml_status mli_automl_score_first(const mli_automl *a, const double *predictions,
                                 int64_t n, double *room, double *score, ml_error *err)
{
    static const mli_metric_options options = MLI_METRIC_USUAL;
    int64_t k = a->n_outputs;
    mli_truth truth = a->truth;
    truth.n = n;
    if (a->metric->needs != MLI_NEEDS_CLASS)
        return a->metric->score(a->ctx, &truth, predictions, &options, score, err);
    for (int64_t i = 0; i < n; i++) {
        int64_t best = 0;
        for (int64_t c = 1; c < k; c++)
            if (predictions[i * k + c] > predictions[i * k + best]) best = c;
        room[i] = (double)best;
    }
    return a->metric->score(a->ctx, &truth, room, &options, score, err);
}

ml_status mli_automl_score(const mli_automl *a, const double *predictions, double *room,
                           double *score, ml_error *err)
{
    return mli_automl_score_first(a, predictions, a->judged->rows, room, score, err);
}

/* Little memory holds one fit. */
int mli_automl_side_by_side(const mli_automl *a, const mli_design *rows)
{
    return !a->memory && mli_fits_beside(rows);
}

/* Folds that are fitted before it is asked whether the candidate is to be given up: as
 * many as there are threads take no longer than one. Two threads are as fast if the first
 * fold has both, and do not waste the second. */
static int64_t first_folds(const mli_automl *a, int together)
{
    int64_t slots = mli_slots(a->ctx);
    return !together || slots == 2 ? 1 : slots < a->n_folds ? slots : a->n_folds;
}

/* Seconds of a fold: the candidate has a slice of time for one fold after the other, or
 * for as many at once as there are threads. */
static double slice_of(const mli_automl *a, int64_t first, int together)
{
    int64_t turns = a->n_folds;
    if (together) turns = 1 + mli_task_count(a->n_folds - first, mli_slots(a->ctx));
    return a->slice / (double)turns;
}

/* What the first n folds say; others were fitted beside them for nothing. */
static void sum_folds(judging *j, int64_t n)
{
    mli_candidate *c = j->c;
    for (int64_t k = 0; k < j->a->n_folds; k++) {
        const fold *f = &j->folds[k];
        j->a->spent += f->seconds;
        if (k >= n) continue;
        c->rounds += f->rounds;
        c->cut |= f->cut;
        c->seconds += f->seconds;
    }
}

static ml_status judge_folds(judging *j, ml_error *err)
{
    mli_automl *a = j->a;
    mli_candidate *c = j->c;
    int together = mli_automl_side_by_side(a, a->train[0]);
    int64_t first = first_folds(a, together);
    double start = mli_now();
    j->slice = slice_of(a, first, together);
    ml_status status = mli_parallel_try(a->ctx, together, first, judge_fold, j, err);
    c->kept = j->folds[0].kept;
    /* Given up by the first fold, it is no matter how the others went. */
    int behind = j->folds[0].done && mli_automl_behind(a, c);
    if (behind) status = ML_OK;
    j->begin = first;
    if (!behind && !status)
        status =
            mli_parallel_try(a->ctx, together, a->n_folds - first, judge_fold, j, err);
    a->took += mli_now() - start;
    sum_folds(j, behind ? 1 : a->n_folds);
    return status;
}

static ml_status judge(mli_automl *a, mli_candidate *c, ml_error *err)
{
    int64_t rows = a->judged->rows, at = 0;
    judging j = {.a = a, .c = c};
    ml_params *params = NULL;
    ml_status status = with_rounds(a, c->algorithm, c->given, &params, err);
    if (status) return status;
    j.params = params;
    j.folds = mli_calloc(a->ctx, (size_t)a->n_folds, sizeof *j.folds);
    c->predictions =
        mli_alloc_vec(a->ctx, rows * (a->n_outputs + 1), sizeof *c->predictions);
    if (!j.folds || !c->predictions) status = mli_nomem(err);
    for (int64_t k = 0; k < a->n_folds && !status; at += a->test[k++]->rows)
        j.folds[k].out = c->predictions + at * a->n_outputs;
    if (!status) status = judge_folds(&j, err);
    mli_free(a->ctx, j.folds);
    ml_params_free(params);
    if (status || !isnan(c->guess)) return status;
    c->rounds = (c->rounds + a->n_folds / 2) / a->n_folds;
    double start = mli_now();
    status = mli_automl_score(a, c->predictions, c->predictions + rows * a->n_outputs,
                              &c->score, err);
    a->scoring = fmax(a->scoring, mli_now() - start);
    return status;
}

/* What a candidate had time for tells how many rows there is time for. */
static ml_status thin_after(mli_automl *a, const mli_candidate *c, ml_error *err)
{
    const mli_design *d = a->train[0];
    mli_design *less = NULL;
    if (!c->cut || isnan(c->score) || c->rounds <= 0 || c->rounds >= ENOUGH_ROUNDS ||
        !may_thin(a) || d->rows <= FEWEST_ROWS)
        return ML_OK;
    int64_t n = d->rows, most = n * c->rounds / ENOUGH_ROUNDS;
    int64_t *rows = mli_alloc_vec(a->ctx, n, sizeof *rows);
    if (!rows) return mli_nomem(err);
    for (int64_t i = 0; i < n; i++) rows[i] = i;
    mli_automl_thin(a, rows, &n, most > FEWEST_ROWS ? most : FEWEST_ROWS);
    ml_status status = mli_design_take(d, rows, n, &less, err);
    mli_free(a->ctx, rows);
    if (status) return status;
    mli_prefixes_free(a->prefixes);
    a->prefixes = NULL;
    mli_design_free(a->train[0]);
    a->train[0] = less;
    mli_log(a->ctx, ML_LOG_INFO, "automl", "the search sees %lld of %lld rows",
            (long long)n, (long long)a->job->train->rows);
    return mli_prefixes_new(a->ctx, &a->prefixes, err);
}

/* Models of folds are kept of the best candidates only, those that the blend considers:
 * few of a kind. */
static void drop_kept(mli_automl *a, const mli_candidate *last)
{
    int64_t n[2] = {0}, worst[2] = {-1, -1};
    for (int64_t i = 0; i < a->count; i++) {
        mli_candidate *c = &a->candidates[i];
        int alike = c->kept && mli_automl_alike(c, last);
        for (int of_kind = 0; of_kind <= alike && c->kept; of_kind++) {
            int64_t *at = &worst[of_kind];
            n[of_kind]++;
            if (*at < 0 || !mli_automl_better(a, c->score, a->candidates[*at].score))
                *at = i; /* of equals the last, as the first is considered */
        }
    }
    int64_t drop = n[1] > MLI_AUTOML_OF_A_KIND ? worst[1]
                   : n[0] > MOST_KEPT          ? worst[0]
                                               : -1;
    if (drop < 0) return;
    ml_model_free(a->candidates[drop].kept);
    a->candidates[drop].kept = NULL;
}

static void drop_predictions(const mli_automl *a, mli_candidate *c)
{
    mli_free(a->ctx, c->predictions);
    c->predictions = NULL;
    ml_model_free(c->kept);
    c->kept = NULL;
}

int mli_automl_limit(const mli_automl *a, const mli_algorithm *algorithm)
{
    return a->memory && strcmp(algorithm->head.name, "baseline") != 0 &&
           mli_memory_limit(a->ctx, a->memory);
}

ml_status mli_automl_judge(mli_automl *a, const mli_algorithm *algorithm,
                           ml_params *given, ml_error *err)
{
    if (!mli_reserve(a->ctx, &a->candidates, &a->capacity, a->count + 1,
                     sizeof *a->candidates)) {
        ml_params_free(given);
        return mli_nomem(err);
    }
    mli_candidate *c = &a->candidates[a->count++];
    *c = (mli_candidate){
        .algorithm = algorithm, .given = given, .score = NAN, .first = NAN, .guess = NAN};
    c->growth = mli_automl_growth(a);
    if (mli_automl_known(a, c)) return mli_run_check(a->job->run, err);
    int limited = mli_automl_limit(a, algorithm);
    ml_status status = judge(a, c, a->failure);
    if (limited) mli_memory_lift(a->ctx);
    drop_kept(a, c);
    if (status || !isnan(c->guess)) drop_predictions(a, c);
    if (status) {
        c->score = c->guess = NAN;
        c->why = mli_strdup(a->ctx, ml_error_message(a->failure));
        if (!c->why) return mli_nomem(err);
        a->failed = status;
        mli_log(a->ctx, ML_LOG_INFO, "automl", "%s failed: %s", algorithm->head.name,
                ml_error_message(a->failure));
    }
    if (status == ML_E_MEMORY && !a->memory) return mli_nomem(err);
    ml_status ended = mli_run_check(a->job->run, err);
    if (!ended) ended = thin_after(a, c, err);
    if (!ended && status != ML_E_MEMORY && mli_run_state(a->job->run) == ML_CONTINUE)
        ended = mli_automl_keep(a, c, err);
    return ended;
}
