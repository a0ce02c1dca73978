/* SPDX-License-Identifier: MIT
 *
 * automl_codes.c: which columns of whole numbers name things (users, shops, postcodes),
 * so that their order means little. For each two predictions of rows held out are
 * compared: the mean target of the same number, and that of a bin of neighbouring ones,
 * both drawn to the mean of all. Columns where the first is clearly better are tried as
 * categories beside the numbers; where a few boosted trees are better with them, all
 * candidates see them (automl_front.c).
 *
 * Rows are divided as for candidates: into whole groups, or by time.
 * Cost: for each such column a sort and 25 passes over 200,000 rows at most; and six fits
 * of 50 trees to 50,000 rows at most, where there is such a column.
 */
#include "algorithms/compose/compose.h"
#include "core/json.h"
#include "core/radix.h"
#include "tuning/automl.h"

#include <math.h>
#include <string.h>

#define FEW         120 /* rows that tell nothing yet */
#define ROWS        200000
#define LEVELS      24    /* at least: fewer are told apart by few splits */
#define IN_BIN      3     /* levels, at least in the mean */
#define REPEATS     2     /* rows of a level, at least in the mean */
#define CELLS       2e6   /* sums of levels, at most */
#define DEVIATIONS  4     /* of the mean difference */
#define GAIN        0.01  /* of the variance */
#define WORTH       0.99  /* of the loss without them */
#define TRIED       50000 /* rows that trees are tried on */
#define FOLDS_TRIED 3
#define TREES       "{n_trees: 50, learning_rate: 0.3, max_leaves: 15}"
#define TIME        0.03 /* of the limit, with so many seconds for a row of a column: */
#define SECONDS_ROW 1.5e-7
/* Of all fits, for a number and an output: */
#define SECONDS_TRIED 3e-6

typedef struct {
    const mli_design *d;
    const mli_folds *folds;
    int64_t step, n; /* each step-th row; how many */
    int64_t outputs; /* classes, or 1 */
    double *value, *sums, *counts, *squares, *prior;
    uint64_t *words;
    int32_t *level, *bin;
    double *by_level, *by_bin, *trial; /* [n] squared errors; NaN: not held out */
    double all;                        /* the mean error of a constant */
} look;

/* ---- squared errors of rows held out ---- */

static void add_row(look *k, int64_t row, const int32_t *group)
{
    int64_t g = group ? group[row / k->step] : 0;
    const mli_design *d = k->d;
    double *sums = k->sums + g * k->outputs;
    k->counts[g]++;
    if (d->label) {
        sums[d->label[row]]++;
        k->prior[d->label[row]]++;
    } else {
        sums[0] += d->y[row];
        k->prior[0] += d->y[row];
    }
}

/* Sums become means that are drawn to that of all rows by `strength` rows of it. */
static void shrink(look *k, int64_t groups, double strength)
{
    double rows = 0;
    for (int64_t g = 0; g < groups; g++) rows += k->counts[g];
    for (int64_t c = 0; c < k->outputs; c++) k->prior[c] /= fmax(rows, 1);
    for (int64_t g = 0; g < groups; g++) {
        double *sums = k->sums + g * k->outputs, square = 0;
        for (int64_t c = 0; c < k->outputs; c++) {
            sums[c] = (sums[c] + strength * k->prior[c]) / (k->counts[g] + strength);
            square += sums[c] * sums[c];
        }
        k->squares[g] = square;
    }
}

static double error_of(const look *k, int64_t row, const int32_t *group)
{
    int64_t g = group ? group[row / k->step] : 0;
    const double *mean = k->sums + g * k->outputs;
    if (k->d->label) return 1 - 2 * mean[k->d->label[row]] + k->squares[g];
    return (k->d->y[row] - mean[0]) * (k->d->y[row] - mean[0]);
}

/* The mean error when the mean of its group is predicted for each row. group: NULL: one
 * of all. */
static double hold_out(look *k, const int32_t *group, int64_t groups, double strength,
                       double *error)
{
    double sum = 0, n = 0;
    for (int64_t i = 0; i < k->n; i++) error[i] = NAN;
    for (int64_t f = 0; f < k->folds->n_folds; f++) {
        memset(k->counts, 0, (size_t)groups * sizeof *k->counts);
        memset(k->sums, 0, (size_t)(groups * k->outputs) * sizeof *k->sums);
        memset(k->prior, 0, (size_t)k->outputs * sizeof *k->prior);
        for (int64_t i = 0; i < k->folds->n_train[f]; i++)
            if (k->folds->train[f][i] % k->step == 0)
                add_row(k, k->folds->train[f][i], group);
        shrink(k, groups, strength);
        for (int64_t i = 0; i < k->folds->n_test[f]; i++) {
            int64_t row = k->folds->test[f][i];
            if (row % k->step) continue;
            sum += error[row / k->step] = error_of(k, row, group);
            n++;
        }
    }
    return sum / fmax(n, 1);
}

/* ---- one column ---- */

/* The values of the rows that are looked at: are all whole numbers? */
static int are_whole(look *k, int64_t feature)
{
    for (int64_t i = 0; i < k->n; i++) {
        double v;
        mli_design_f64(k->d, feature, i * k->step, i * k->step + 1, &v, 1);
        if (!isnan(v) && !(v == floor(v) && fabs(v) < 9e15)) return 0;
        k->value[i] = v;
    }
    return 1;
}

/* Numbers their values from 0 in ascending order, missing last. Returns how many. */
static int64_t find_levels(look *k)
{
    int64_t found, count = 0;
    const uint64_t *order =
        mli_radix_order_f64(k->value, k->n, k->words, k->words + k->n, &found);
    for (int64_t i = 0; i < found; i++) {
        int64_t row = (int64_t)(order[i] & UINT32_MAX);
        if (i > 0) count += k->value[row] > k->value[order[i - 1] & UINT32_MAX];
        k->level[row] = (int32_t)count;
    }
    count += found > 0;
    for (int64_t i = 0; i < k->n; i++)
        if (isnan(k->value[i])) k->level[i] = (int32_t)count;
    return count + (found < k->n);
}

/* As many bins of about equally many rows, none of which divides a level. */
static void find_bins(look *k, int64_t levels, int64_t bins)
{
    double *rows = k->counts, before = 0;
    memset(rows, 0, (size_t)levels * sizeof *rows);
    for (int64_t i = 0; i < k->n; i++) rows[k->level[i]]++;
    for (int64_t g = 0; g < levels; g++) {
        double middle = before + rows[g] / 2;
        before += rows[g];
        rows[g] = floor(middle / (double)k->n * (double)bins);
    }
    for (int64_t i = 0; i < k->n; i++) k->bin[i] = (int32_t)rows[k->level[i]];
}

static void keep_better(double *best, double **kept, double error, double **other)
{
    double *swap = *kept;
    if (!(error < *best)) return;
    *best = error;
    *kept = *other;
    *other = swap;
}

/* Is the first error smaller by more than chance, and worth it? */
static int is_better(const look *k)
{
    double sum = 0, squares = 0, n = 0;
    for (int64_t i = 0; i < k->n; i++) {
        double gain = k->by_bin[i] - k->by_level[i];
        if (isnan(gain)) continue;
        sum += gain;
        squares += gain * gain;
        n++;
    }
    double mean = sum / n, deviation = sqrt(fmax(squares / n - mean * mean, 0) / n);
    return mean > DEVIATIONS * deviation && mean > GAIN * k->all;
}

static int names_things(look *k, int64_t feature)
{
    static const int bins[] = {8, 32, 128};
    static const int strengths[] = {3, 20};
    const mli_feature *f = &k->d->inputs->features[feature];
    mli_sparse few;
    double best = INFINITY;
    if (f->kind != MLI_NUMERIC || mli_type_is_time(f->type) ||
        mli_design_sparse(k->d, feature, &few) || !are_whole(k, feature))
        return 0;
    int64_t levels = find_levels(k);
    if (levels < LEVELS || levels * REPEATS > k->n ||
        (double)levels * (double)k->outputs > CELLS)
        return 0;
    for (int i = 0; i < 2; i++)
        keep_better(&best, &k->by_level,
                    hold_out(k, k->level, levels, strengths[i], k->trial), &k->trial);
    best = INFINITY;
    for (int i = 0; i < 3 && bins[i] * IN_BIN <= levels; i++) {
        find_bins(k, levels, bins[i]);
        keep_better(&best, &k->by_bin,
                    hold_out(k, k->bin, bins[i], strengths[0], k->trial), &k->trial);
    }
    return is_better(k);
}

/* ---- all columns ---- */

static ml_status make_room(look *k, ml_error *err)
{
    ml_context *ctx = k->d->ctx;
    int64_t groups = k->n + 128, cells = groups * k->outputs;
    if ((double)cells > CELLS + 128 * (double)k->outputs)
        cells = (int64_t)CELLS + 128 * k->outputs;
    double *all =
        mli_alloc_vec(ctx, 4 * k->n + 2 * groups + cells + k->outputs, sizeof *all);
    k->value = all;
    k->words = mli_alloc_vec(ctx, 2 * k->n, sizeof *k->words);
    k->level = mli_alloc_vec(ctx, 2 * k->n, sizeof *k->level);
    if (!all || !k->words || !k->level) return mli_nomem(err);
    k->by_level = all + k->n;
    k->by_bin = k->by_level + k->n;
    k->trial = k->by_bin + k->n;
    k->counts = k->trial + k->n;
    k->squares = k->counts + groups;
    k->prior = k->squares + groups;
    k->sums = k->prior + k->outputs;
    k->bin = k->level + k->n;
    return ML_OK;
}

static ml_status list_columns(look *k, double limit, mli_str *names, ml_error *err)
{
    ml_status status = make_room(k, err);
    double left = limit > 0 ? TIME * limit : INFINITY;
    int64_t chosen = 0;
    if (!status) k->all = hold_out(k, NULL, 1, 0, k->trial);
    for (int64_t j = 0; j < k->d->n_features && !status; j++) {
        left -= SECONDS_ROW * (double)k->n;
        if (left < 0) break;
        if (!names_things(k, j)) continue;
        mli_str_add(names, chosen++ ? ", " : "[");
        mli_json_str(names, k->d->inputs->features[j].name);
    }
    if (chosen) mli_str_char(names, ']');
    mli_free(k->d->ctx, k->value);
    mli_free(k->d->ctx, k->words);
    mli_free(k->d->ctx, k->level);
    return status;
}

/* *out: NULL where the rows cannot be divided: the search will say so. */
static ml_status divide(const mli_fit *job, mli_folds **out, ml_error *err)
{
    const mli_design *d = job->train;
    mli_split split = mli_automl_split(d, (uint64_t)mli_get_i64(job->params, "seed"));
    *out = NULL;
    if (d->rows < FEW || d->ys) return ML_OK;
    ml_status status = mli_folds_new(d->table, &split, out, NULL);
    return status == ML_E_MEMORY ? mli_nomem(err) : ML_OK;
}

/* The columns whose numbers name things, as a list in JSON. */
static ml_status find_columns(const mli_fit *job, const mli_folds *folds, mli_str *names,
                              ml_error *err)
{
    const mli_design *d = job->train;
    look k = {.d = d,
              .folds = folds,
              .step = (d->rows + ROWS - 1) / ROWS,
              .outputs = d->label ? d->inputs->classes.n : 1};
    k.n = (d->rows + k.step - 1) / k.step;
    ml_status status =
        list_columns(&k, mli_get_f64(job->params, "time_limit"), names, err);
    return !status && names->failed ? mli_nomem(err) : status;
}

/* ---- are they worth it? ---- */

/* So many rows of each fold that all fits take their share of the limit. */
static int64_t rows_to_try(const mli_fit *job)
{
    const mli_design *d = job->train;
    double limit = mli_get_f64(job->params, "time_limit"), most = TRIED;
    int64_t outputs = d->label && d->inputs->classes.n > 2 ? d->inputs->classes.n : 1;
    if (limit > 0)
        most = fmin(most,
                    TIME * limit / SECONDS_TRIED / (double)(d->n_features * outputs + 1));
    return (int64_t)most;
}

static ml_status take(const mli_design *d, const int64_t *rows, int64_t n, int64_t most,
                      mli_design **out, ml_error *err)
{
    int64_t count = n < most ? n : most,
            *some = mli_alloc_vec(d->ctx, count, sizeof *some);
    if (!some) return mli_nomem(err);
    for (int64_t i = 0; i < count; i++)
        some[i] = rows[(int64_t)((double)i / (double)count * (double)n)];
    ml_status status = mli_design_take(d, some, count, out, err);
    mli_free(d->ctx, some);
    return status;
}

static ml_status fit_trees(const mli_fit *job, const mli_design *rows, ml_model **out,
                           ml_error *err)
{
    const mli_algorithm *trees = (const mli_algorithm *)mli_catalog_find("gbdt");
    static const mli_hooks none;
    mli_descriptor head = trees->head;
    ml_params *given = NULL, *params = NULL;
    mli_run run;
    mli_run_part(&run, job->run, 0, 0, 1);
    run.quiet = 1;
    head.roles = NULL;
    ml_status status = ml_params_new(job->ctx, &given, err);
    if (!status) status = ml_params_read_yaml(given, TREES, sizeof TREES - 1, err);
    if (!status) status = mli_params_resolve(job->ctx, &head, given, &params, err);
    if (!status)
        status = mli_fit_part(job->ctx, trees, "gbdt", params, rows, NULL, &none, &run,
                              out, err);
    ml_params_free(params);
    ml_params_free(given);
    return status;
}

static ml_status try_fold(const mli_fit *job, const mli_design *d, const mli_folds *f,
                          int64_t k, double *loss, ml_error *err)
{
    int64_t most = rows_to_try(job);
    const mli_metric *metric;
    mli_design *train = NULL, *test = NULL;
    ml_model *m = NULL;
    ml_status status = mli_metric_find(d->label ? "log_loss" : "rmse", &metric, err);
    if (!status) status = take(d, f->train[k], f->n_train[k], most, &train, err);
    if (!status) status = take(d, f->test[k], f->n_test[k], most, &test, err);
    if (!status) status = fit_trees(job, train, &m, err);
    if (!status) status = mli_metric_model(metric, m, test, job->run, loss, err);
    ml_model_free(m);
    mli_design_free(train);
    mli_design_free(test);
    return status;
}

/* The loss of trees on rows held out. */
static ml_status try_trees(const mli_fit *job, const mli_design *d, const mli_folds *f,
                           double *loss, ml_error *err)
{
    ml_status status = ML_OK;
    double one = NAN;
    *loss = 0;
    for (int64_t k = 0; k < FOLDS_TRIED && k < f->n_folds && !status; k++) {
        status = try_fold(job, d, f, k, &one, err);
        *loss += one;
    }
    return status;
}

/* Are trees better with the columns that the step makes? */
static ml_status do_help(const mli_fit *job, const ml_model *step, const mli_folds *folds,
                         int *help, ml_error *err)
{
    double before = NAN, after = NAN;
    mli_design *with = NULL;
    mli_fit whole = *job;
    *help = 0;
    ml_status status = mli_part_transform(&whole, step, job->train, 0, &with, err);
    if (status) return status;
    status = try_trees(job, job->train, folds, &before, err);
    if (!status) status = try_trees(job, with, folds, &after, err);
    mli_design_free(with);
    if (status == ML_E_MEMORY || status == ML_E_CANCELLED) return status;
    *help = !status && after < WORTH * before;
    return ML_OK;
}

static ml_status fit_step(const mli_fit *job, const mli_algorithm *to_category,
                          const ml_params *params, const char *names, ml_model **out,
                          ml_error *err)
{
    static const mli_hooks none;
    ml_params *given = NULL, *full = NULL;
    ml_status status = ml_params_clone(params, &given, err);
    if (!status) status = ml_params_set_str(given, "columns", names, err);
    if (!status)
        status = mli_params_resolve(job->ctx, &to_category->head, given, &full, err);
    if (!status)
        status = mli_fit_part(job->ctx, to_category, to_category->head.name, full,
                              job->train, NULL, &none, job->run, out, err);
    ml_params_free(full);
    ml_params_free(given);
    return status;
}

static ml_status fit_and_try(const mli_fit *job, const mli_algorithm *to_category,
                             const ml_params *params, const mli_folds *folds,
                             const char *names, ml_model **out, ml_error *err)
{
    ml_model *step = NULL;
    int help = 0;
    ml_status status = fit_step(job, to_category, params, names, &step, err);
    if (!status) status = do_help(job, step, folds, &help, err);
    if (help) {
        mli_log(job->ctx, ML_LOG_INFO, "automl",
                "numbers that name things are categories as well: %s", names);
        *out = step;
    } else {
        ml_model_free(step);
    }
    return status;
}

ml_status mli_automl_codes(const mli_fit *job, const mli_algorithm *to_category,
                           const ml_params *params, ml_model **out, ml_error *err)
{
    mli_folds *folds;
    mli_str names;
    if (!mli_catalog_find("gbdt") || rows_to_try(job) < FEW) return ML_OK;
    ml_status status = divide(job, &folds, err);
    if (status || !folds) return status;
    mli_str_init(&names, job->ctx);
    status = find_columns(job, folds, &names, err);
    if (!status && names.size)
        status = fit_and_try(job, to_category, params, folds, names.data, out, err);
    mli_str_free(&names);
    mli_folds_free(folds);
    return status;
}
