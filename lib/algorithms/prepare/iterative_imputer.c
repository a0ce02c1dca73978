/* SPDX-License-Identifier: MIT
 *
 * prepare/iterative_imputer.c: fills missing numbers by chained equations: each column is
 * regressed on the others in turn, where it is there, and predicted where it is not,
 * round after round. van Buuren and Groothuis-Oudshoorn, "mice: multivariate imputation
 * by chained equations in R", Journal of Statistical Software 45 (2011).
 *
 * Tensors: missing, mean (fill.h); start f64 [picked], what stands in place of missing
 * values at first; low, high f64 [picked]; step i64 [steps], the column that a regression
 * fills; coef f64 [steps, picked] and intercept f64 [steps]. A prediction goes through
 * all steps in order.
 *
 * Cost of a round: the products of all columns once, rows * picked^2; for each column
 * those of the rows that lack it (or of those that have it, if these are fewer), which
 * are taken from all.
 */
#include "algorithms/prepare/chained.h"
#include "algorithms/prepare/fill.h"
#include "core/text.h"

#include <math.h>
#include <string.h>

#define MOST_COLUMNS 1000

/* ---- fitting ---- */

typedef struct {
    mli_fit *job;
    const mli_filling *f;
    int64_t rows, n, ld;
    double *x;    /* [ld][rows], each column less its mean; then 1 and zeros */
    double *part; /* [ld][rows] some of the rows */
    double *start, *low, *high;
    double least, most; /* bounds of all that is filled in */
    int64_t *gap, *at;  /* rows that lack column k: gap[at[k] .. at[k + 1] - 1] */
    double *before;     /* what stood in the gaps when the round began */
    double *moved;      /* [rows] */
    int64_t *order, n_order;
    mli_products all, some;
    mli_chained chained;
    int64_t steps, room; /* of the regressions so far */
    int64_t *step;
    double *coef, *intercept;
} chain;

static void free_chain(chain *c)
{
    ml_context *ctx = c->job->ctx;
    void *blocks[] = {c->x,     c->part,  c->gap,  c->at,   c->before,
                      c->moved, c->order, c->step, c->coef, c->intercept};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) mli_free(ctx, blocks[i]);
    mli_products_free(&c->all);
    mli_products_free(&c->some);
    mli_chained_free(&c->chained);
}

static ml_status make_chain(chain *c, ml_error *err)
{
    ml_context *ctx = c->job->ctx;
    int64_t gaps = 0;
    for (int64_t k = 0; k < c->n; k++) gaps += (int64_t)c->f->missing[c->f->list[k]];
    c->ld = mli_products_ld(c->n);
    c->x = mli_alloc_vec(ctx, c->ld * c->rows, sizeof *c->x);
    c->part = mli_alloc_vec(ctx, c->ld * c->rows, sizeof *c->part);
    c->gap = mli_alloc_vec(ctx, gaps, sizeof *c->gap);
    c->at = mli_calloc(ctx, (size_t)c->n + 1, sizeof *c->at);
    c->before = mli_alloc_vec(ctx, gaps, sizeof *c->before);
    c->moved = mli_alloc_vec(ctx, c->rows, sizeof *c->moved);
    c->order = mli_calloc(ctx, (size_t)c->n, sizeof *c->order);
    if (!c->x || !c->part || !c->gap || !c->at || !c->before || !c->moved || !c->order)
        return mli_nomem(err);
    ml_status status = mli_products_new(ctx, c->job->run, c->n, &c->all, err);
    if (!status) status = mli_products_new(ctx, c->job->run, c->n, &c->some, err);
    if (!status) status = mli_chained_new(ctx, c->job->run, c->n, &c->chained, err);
    c->chained.bayes =
        strcmp(mli_get_str(c->job->params, "estimator"), "bayesian_ridge") == 0;
    c->chained.alpha = mli_get_f64(c->job->params, "alpha");
    return status;
}

/* Room for the regressions of one more round: most fits stop long before max_iter. */
static ml_status make_room(chain *c, ml_error *err)
{
    ml_context *ctx = c->job->ctx;
    if (c->steps + c->n_order <= c->room) return ML_OK;
    int64_t room = c->room ? 2 * c->room : c->n_order;
    int64_t *step = mli_realloc(ctx, c->step, (size_t)room * sizeof *step);
    if (step) c->step = step;
    double *coef = mli_realloc(ctx, c->coef, (size_t)(room * c->n) * sizeof *coef);
    if (coef) c->coef = coef;
    double *intercept = mli_realloc(ctx, c->intercept, (size_t)room * sizeof *intercept);
    if (intercept) c->intercept = intercept;
    if (!step || !coef || !intercept) return mli_nomem(err);
    c->room = room;
    return ML_OK;
}

/* Columns less their means, gaps filled for a start. Returns the largest number. */
static double read_columns(chain *c)
{
    int64_t gaps = 0;
    double largest = 0;
    for (int64_t k = 0; k < c->n; k++) {
        double *x = c->x + k * c->rows, mean = c->f->mean[c->f->list[k]];
        mli_design_f64(c->job->train, c->f->list[k], 0, c->rows, x, 1);
        for (int64_t i = 0; i < c->rows; i++) {
            if (isnan(x[i])) {
                c->gap[gaps++] = i;
                x[i] = c->start[k];
            } else {
                largest = fmax(largest, fabs(x[i]));
            }
            x[i] -= mean;
        }
        c->at[k + 1] = gaps;
    }
    memset(c->x + c->n * c->rows, 0, (size_t)((c->ld - c->n) * c->rows) * sizeof *c->x);
    for (int64_t i = 0; i < c->rows; i++) c->x[c->n * c->rows + i] = 1;
    return largest;
}

static int64_t gaps_of(const chain *c, int64_t k)
{
    return c->at[k + 1] - c->at[k];
}

/* By the number of gaps, those that come first in the table first; or as they stand. */
static void put_in_order(chain *c)
{
    int how = mli_get_enum(c->job->params, "order",
                           "ascending,descending,left_to_right,right_to_left");
    int skip = mli_get_bool(c->job->params, "skip_complete");
    for (int64_t k = 0; k < c->n; k++) {
        int64_t gaps = gaps_of(c, k), at = c->n_order;
        if (gaps == c->rows || (skip && gaps == 0)) continue;
        for (; how < 2 && at > 0 && gaps_of(c, c->order[at - 1]) > gaps; at--)
            c->order[at] = c->order[at - 1];
        c->order[at] = k;
        c->n_order++;
    }
    for (int64_t i = 0, j = c->n_order - 1; (how & 1) && i < j; i++, j--) {
        int64_t k = c->order[i];
        c->order[i] = c->order[j];
        c->order[j] = k;
    }
}

/* Some rows of all columns, side by side. */
static void gather(const chain *c, const int64_t *rows, int64_t n)
{
    for (int64_t k = 0; k <= c->n; k++) {
        const double *from = c->x + k * c->rows;
        double *to = c->part + k * n;
        for (int64_t i = 0; i < n; i++) to[i] = from[rows[i]];
    }
    memset(c->part + (c->n + 1) * n, 0,
           (size_t)((c->ld - c->n - 1) * n) * sizeof *c->part);
}

static int64_t others(const int64_t *gap, int64_t n, int64_t rows, int64_t *out)
{
    int64_t m = 0;
    for (int64_t i = 0, at = 0; i < rows; i++) {
        if (at < n && gap[at] == i)
            at++;
        else
            out[m++] = i;
    }
    return m;
}

/* Products over the rows that have column k, into c->some. */
static ml_status observe(chain *c, int64_t k, ml_error *err)
{
    const int64_t *gap = c->gap + c->at[k];
    int64_t n = gaps_of(c, k), size = c->ld * c->ld;
    if (2 * n > c->rows) {
        int64_t *rows = mli_alloc_vec(c->job->ctx, c->rows, sizeof *rows);
        if (!rows) return mli_nomem(err);
        n = others(gap, n, c->rows, rows);
        gather(c, rows, n);
        mli_free(c->job->ctx, rows);
        return mli_products_of(&c->some, c->part, n, n, err);
    }
    gather(c, gap, n);
    ml_status status = mli_products_of(&c->some, c->part, n, n, err);
    for (int64_t i = 0; i < size && !status; i++)
        c->some.g[i] = c->all.g[i] - c->some.g[i];
    return status;
}

/* Moves the gaps of column k to what its regression says, and the products with them. */
static void predict(chain *c, int64_t k, const double *coef, double constant)
{
    const int64_t *gap = c->gap + c->at[k];
    int64_t n = gaps_of(c, k);
    double *x = c->x + k * c->rows, *v = c->part, square = 0;
    double mean = c->f->mean[c->f->list[k]];
    for (int64_t i = 0; i < n; i++) v[i] = constant;
    for (int64_t j = 0; j < c->n; j++) {
        const double *from = c->x + j * c->rows;
        if (coef[j] == 0) continue;
        for (int64_t i = 0; i < n; i++) v[i] += coef[j] * from[gap[i]];
    }
    for (int64_t i = 0; i < n; i++) {
        double now = fmin(fmax(v[i] + mean, c->low[k]), c->high[k]) - mean;
        double was = x[gap[i]];
        x[gap[i]] = now;
        square += now * now - was * was;
        v[i] = now - was;
    }
    for (int64_t j = 0; j <= c->n; j++) {
        const double *from = c->x + j * c->rows;
        double sum = 0, *g = c->all.g;
        for (int64_t i = 0; i < n; i++) sum += v[i] * from[gap[i]];
        g[j >= k ? j * c->ld + k : k * c->ld + j] += j == k ? square : sum;
    }
}

static ml_status one_step(chain *c, int64_t k, ml_error *err)
{
    double *coef = c->coef + c->steps * c->n;
    ml_status status = observe(c, k, err);
    if (!status) status = mli_run_check(c->job->run, err);
    if (status) return status;
    double constant = mli_chained_solve(&c->chained, &c->some, k, coef);
    status = mli_run_check(c->job->run, err);
    if (status) return status;
    predict(c, k, coef, constant);
    constant += c->f->mean[c->f->list[k]];
    for (int64_t j = 0; j < c->n; j++) constant -= coef[j] * c->f->mean[c->f->list[j]];
    c->step[c->steps] = k;
    c->intercept[c->steps++] = constant;
    return ML_OK;
}

/* The largest sum over a row of what its gaps have moved in this round. */
static double movement(chain *c)
{
    double most = 0;
    memset(c->moved, 0, (size_t)c->rows * sizeof *c->moved);
    for (int64_t k = 0; k < c->n; k++)
        for (int64_t i = c->at[k]; i < c->at[k + 1]; i++)
            c->moved[c->gap[i]] += fabs(c->x[k * c->rows + c->gap[i]] - c->before[i]);
    for (int64_t i = 0; i < c->rows; i++) most = fmax(most, c->moved[i]);
    return most;
}

static ml_status rounds(chain *c, ml_error *err)
{
    int64_t most = mli_get_i64(c->job->params, "max_iter"), round = 0;
    double largest = read_columns(c), least = mli_get_f64(c->job->params, "tol");
    ml_status status = ML_OK;
    put_in_order(c);
    for (; round < most && !status; round++) {
        status = mli_run_step(c->job->run, "rounds", round, most, NAN, err);
        if (status || mli_run_state(c->job->run) == ML_STOP_KEEP) break;
        for (int64_t k = 0; k < c->n; k++)
            for (int64_t i = c->at[k]; i < c->at[k + 1]; i++)
                c->before[i] = c->x[k * c->rows + c->gap[i]];
        status = make_room(c, err);
        if (!status) status = mli_products_of(&c->all, c->x, c->rows, c->rows, err);
        for (int64_t i = 0; i < c->n_order && !status; i++)
            status = one_step(c, c->order[i], err);
        if (!status && movement(c) < least * largest) {
            round++;
            break;
        }
    }
    mli_model_note_i64(c->job->model, "rounds", round);
    return status;
}

static ml_status store(chain *c, ml_error *err)
{
    int64_t shape[2] = {c->steps, c->n}, *step;
    double *coef, *intercept;
    ml_model *m = c->job->model;
    ml_status status = mli_model_add(m, "step", ML_DTYPE_I64, 1, shape, &step, err);
    if (!status) status = mli_model_add(m, "coef", ML_DTYPE_F64, 2, shape, &coef, err);
    if (!status)
        status = mli_model_add(m, "intercept", ML_DTYPE_F64, 1, shape, &intercept, err);
    if (status || c->steps == 0) return status;
    memcpy(step, c->step, (size_t)c->steps * sizeof *step);
    memcpy(coef, c->coef, (size_t)(c->steps * c->n) * sizeof *coef);
    memcpy(intercept, c->intercept, (size_t)c->steps * sizeof *intercept);
    return ML_OK;
}

/* ---- what stands in gaps at first ---- */

typedef struct {
    double *start; /* [features] */
    int mode;
} starting;

static void start_sorted(void *arg, int64_t j, double *sorted, int64_t n)
{
    const starting *s = arg;
    s->start[j] = s->mode ? mli_mode(sorted, n) : mli_quantile(sorted, n, 0.5);
}

static ml_status start_values(chain *c, ml_error *err)
{
    const ml_params *p = c->job->params;
    int how = mli_get_enum(p, "initial_strategy", "mean,median,mode,constant");
    int64_t n = c->job->train->n_features;
    starting s = {mli_calloc(c->job->ctx, (size_t)n, sizeof(double)), how == 2};
    if (!s.start) return mli_nomem(err);
    ml_status status = ML_OK;
    memcpy(s.start, c->f->mean, (size_t)n * sizeof *s.start);
    const double half = 0.5;
    if (how == 1)
        status = mli_prepare_ranked(c->job->train, c->f->picked, &half, 1, c->job->run,
                                    start_sorted, &s, err);
    if (how == 2)
        status = mli_prepare_sorted(c->job->train, c->f->picked, c->job->run,
                                    start_sorted, &s, err);
    for (int64_t k = 0; k < c->n; k++) {
        double at = s.start[c->f->list[k]];
        if (how == 3) at = mli_get_f64(p, "fill_value");
        if (isnan(at)) at = 0; /* a column without values */
        c->low[k] = c->least;
        c->high[k] = c->most;
        c->start[k] = fmin(fmax(at, c->least), c->most);
    }
    mli_free(c->job->ctx, s.start);
    return status;
}

static ml_status wrong(const char *param, const char *hint, ml_error *err)
{
    mli_error_at(err, ML_E_RANGE, "params.%s", param);
    return mli_error_hint(err, ML_E_RANGE, "%s", hint);
}

static ml_status read_bounds(chain *c, ml_error *err)
{
    const ml_params *p = c->job->params;
    c->least = mli_get_f64(p, "min_value");
    c->most = mli_get_f64(p, "max_value");
    if (isnan(c->least)) c->least = -INFINITY;
    if (isnan(c->most)) c->most = INFINITY;
    if (!isfinite(mli_get_f64(p, "fill_value"))) {
        mli_fail(err, ML_E_RANGE, "fill_value is not a finite number");
        return wrong("fill_value", "regressions need a number to start from", err);
    }
    if (c->least <= c->most && c->least < INFINITY && c->most > -INFINITY) return ML_OK;
    mli_fail(err, ML_E_RANGE, "no number lies between min_value %s and max_value %s",
             MLI_NUM(c->least), MLI_NUM(c->most));
    return wrong("min_value", "min_value is at most max_value", err);
}

static ml_status too_many(int64_t n, ml_error *err)
{
    mli_fail(err, ML_E_ARGUMENT, "%lld columns of numbers are too many; at most %d",
             (long long)n, MOST_COLUMNS);
    mli_error_at(err, ML_E_ARGUMENT, "params.columns");
    return mli_error_hint(err, ML_E_ARGUMENT, "choose fewer columns, or use imputer");
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    mli_filling f;
    ml_status status = mli_fill_start(job, &f, err);
    if (status) return status;
    chain c = {.job = job, .f = &f, .rows = job->train->rows, .n = f.n};
    ml_model *m = job->model;
    if (f.n > MOST_COLUMNS) status = too_many(f.n, err);
    if (!status) status = mli_model_add(m, "start", ML_DTYPE_F64, 1, &f.n, &c.start, err);
    if (!status) status = mli_model_add(m, "low", ML_DTYPE_F64, 1, &f.n, &c.low, err);
    if (!status) status = mli_model_add(m, "high", ML_DTYPE_F64, 1, &f.n, &c.high, err);
    if (!status) status = read_bounds(&c, err);
    if (!status) status = make_chain(&c, err);
    if (!status) status = start_values(&c, err);
    if (!status) status = rounds(&c, err);
    if (!status) status = store(&c, err);
    free_chain(&c);
    mli_fill_end(job, &f);
    return status;
}

/* ---- the plan ---- */

#define START     f64[2]
#define COEF      f64[3]
#define STEP      i64[0]
#define STEPS     size[1]
#define INTERCEPT own[1] /* borrowed: see release */
#define LOW       own[2]
#define HIGH      own[3]

static ml_status bind(mli_prepared *t, const char *name, int64_t n, void **to,
                      ml_error *err)
{
    const double *v = NULL;
    ml_status status = mli_model_want(t->model, name, ML_DTYPE_F64, 1, &n, &v, err);
    *to = (void *)(uintptr_t)v;
    return status;
}

static ml_status load(mli_prepared *t, ml_error *err)
{
    ml_status status = mli_fill_load(t, err);
    if (status) return status;
    int64_t n = t->MLI_FILL_COUNT, shape[2] = {-1, n};
    const ml_model *m = t->model;
    status = mli_model_want(m, "start", ML_DTYPE_F64, 1, &n, &t->START, err);
    if (!status) status = bind(t, "low", n, &t->LOW, err);
    if (!status) status = bind(t, "high", n, &t->HIGH, err);
    if (!status)
        status = mli_model_want(m, "coef", ML_DTYPE_F64, 2, shape, &t->COEF, err);
    t->STEPS = shape[0];
    if (!status)
        status = mli_model_want(m, "step", ML_DTYPE_I64, 1, &t->STEPS, &t->STEP, err);
    if (!status) status = bind(t, "intercept", t->STEPS, &t->INTERCEPT, err);
    for (int64_t s = 0; s < t->STEPS && !status; s++)
        if (t->STEP[s] < 0 || t->STEP[s] >= n)
            status = mli_fail(err, ML_E_FORMAT, "the model's tensor \"step\" is damaged");
    t->plan.scratch = (size_t)n * sizeof(double);
    return status;
}

static void release(mli_prepared *t)
{
    t->INTERCEPT = t->LOW = t->HIGH = NULL;
}

static void fill(const mli_prepared *t, const double *row, double *out, double *x)
{
    const int64_t *list = t->MLI_FILL_LIST;
    const double *intercept = t->INTERCEPT, *low = t->LOW, *high = t->HIGH;
    int64_t n = t->MLI_FILL_COUNT;
    for (int64_t k = 0; k < n; k++)
        x[k] = isnan(row[list[k]]) ? t->START[k] : row[list[k]];
    for (int64_t s = 0; s < t->STEPS; s++) {
        int64_t k = t->STEP[s];
        const double *coef = t->COEF + s * n;
        double sum = intercept[s];
        if (!isnan(row[list[k]])) continue;
        for (int64_t j = 0; j < n; j++)
            if (j != k) sum += coef[j] * x[j];
        x[k] = sum < low[k] ? low[k] : sum > high[k] ? high[k] : sum;
    }
    for (int64_t k = 0; k < n; k++)
        if (isnan(row[list[k]])) out[t->first[list[k]]] = x[k];
}

static void run_rows(const mli_prepared *t, const double *rows, int64_t n, int64_t stride,
                     double *out, void *scratch)
{
    for (int64_t i = 0; i < n; i++, rows += stride, out += t->plan.n_outputs)
        if (mli_fill_row(t, rows, out)) fill(t, rows, out, scratch);
}

static const mli_transformer kind = {.takes = MLI_TAKES_NUMBERS,
                                     .load = load,
                                     .width = mli_fill_width,
                                     .describe = mli_fill_describe,
                                     .rows = run_rows,
                                     .release = release};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"estimator", NULL, ML_PARAM_STR, 0, "bayesian_ridge", "{bayesian_ridge, ridge}",
     NULL, NULL,
     "The regression of a column on the others. bayesian_ridge finds its penalty itself.",
     "0.1"},
    {"alpha", NULL, ML_PARAM_F64, 0, "1", "[0, inf)", "log [1e-3, 100]",
     "estimator == ridge", "The penalty of ridge.", "0.1"},
    {"max_iter", "max_rounds", ML_PARAM_I64, 0, "10", "[1, 1000]", NULL, NULL,
     "Rounds over the columns at most.", "0.1"},
    {"tol", NULL, ML_PARAM_F64, 0, "0.001", "[0, inf)", NULL, NULL,
     "Stop when no row moves by more than this in a round, as a part of the largest "
     "number.",
     "0.1"},
    {"initial_strategy", NULL, ML_PARAM_STR, 0, "mean", "{mean, median, mode, constant}",
     NULL, NULL, "What stands in place of missing values at first.", "0.1"},
    {"fill_value", NULL, ML_PARAM_F64, 0, "0", NULL, NULL, "initial_strategy == constant",
     "The constant.", "0.1"},
    {"order", "imputation_order", ML_PARAM_STR, 0, "ascending",
     "{ascending, descending, left_to_right, right_to_left}", NULL, NULL,
     "The order of the columns in a round: by the number of missing values, or as they "
     "stand.",
     "0.1"},
    {"skip_complete", NULL, ML_PARAM_BOOL, 0, "false", NULL, NULL, NULL,
     "No regression for columns without missing values in training: less time, but they "
     "are filled with the start value if a prediction lacks them.",
     "0.1"},
    {"min_value", NULL, ML_PARAM_F64, 0, "-inf", NULL, NULL, NULL,
     "The least value filled in.", "0.1"},
    {"max_value", NULL, ML_PARAM_F64, 0, "inf", NULL, NULL, NULL,
     "The largest value filled in.", "0.1"},
    MLI_PARAM_INDICATORS,
    MLI_PARAM_END};

static const mli_attribute attributes[] = {
    {"missing", "f64", "[features]", "The missing values of each column in training."},
    {"mean", "f64", "[features]", "The mean of each column in training."},
    {"start", "f64", "[picked]", "What stands in place of missing values at first."},
    {"low", "f64", "[picked]", "The least value filled in."},
    {"high", "f64", "[picked]", "The largest value filled in."},
    {"step", "i64", "[steps]", "The column that each regression fills."},
    {"coef", "f64", "[steps, picked]", "The coefficients of each regression."},
    {"intercept", "f64", "[steps]", "The constant of each regression."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_iterative_imputer;
const mli_algorithm mli_iterative_imputer = {
    .head = {MLI_PREPARE_HEAD, .name = "iterative_imputer", .aliases = "mice",
             .title = "missing numbers by regression on the others",
             .doc =
                 "Fills missing numbers by chained equations: each column is regressed "
                 "on the others and predicted where it is missing, in rounds until "
                 "little moves.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised,
             .attributes = attributes},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
