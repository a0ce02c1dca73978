/* SPDX-License-Identifier: MIT
 *
 * prepare/boruta.c: finds all columns that tell something of the target: a forest is
 * grown of the columns and of shuffled copies of them ("shadows"), again and again; a
 * column that beats the best shadow more often than chance would is confirmed, one that
 * does so less often is left out. Kursa and Rudnicki, "Feature selection with the Boruta
 * package", Journal of Statistical Software 36 (2010); many tests at once are corrected
 * as Benjamini and Hochberg (1995) do, and for the rounds by Bonferroni.
 *
 * Tensors: hits f64 [features], rounds won; ranking f64 [features]: 1 confirmed, 2
 * undecided, 3 left out (0: not looked at); kept f64 [features].
 * Cost: up to max_iter forests of twice the columns that are left.
 */
#include "algorithms/prepare/select.h"
#include "core/rng.h"
#include "core/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OTHER, CONFIRMED, UNDECIDED, LEFT_OUT };

typedef struct {
    mli_fit *job;
    double *hits, *ranking;
    int64_t *left, n_left; /* columns not yet left out */
    int64_t round;
    double *rows;       /* [rows][2 * left] */
    double *p, *sorted; /* [features] */
} boruta;

/* ---- columns and their shadows ---- */

static ml_status name_features(const boruta *b, mli_inputs *to, ml_error *err)
{
    const mli_inputs *in = b->job->train->inputs;
    for (int64_t c = 0; c < 2 * b->n_left; c++) {
        const mli_feature *f = &in->features[b->left[c / 2]];
        mli_feature *g = &to->features[c];
        mli_str s;
        g->kind = f->kind;
        g->type = f->type;
        mli_dictionary_share(&f->levels, &g->levels);
        mli_str_init(&s, to->ctx);
        /* Names tell the columns apart, so they must differ. */
        mli_str_printf(&s, "%d %s", (int)c, c % 2 ? "shadow" : "column");
        g->name = mli_str_take(&s);
        if (!g->name) return mli_nomem(err);
    }
    return mli_inputs_take_roles(to, in, err);
}

/* One column, and its values in another order behind it. */
static void cast(void *arg, int64_t task, int32_t slot)
{
    const boruta *b = arg;
    int64_t n = b->job->train->rows, wide = 2 * b->n_left, j = b->left[task];
    double *to = b->rows + 2 * task;
    mli_rng rng;
    (void)slot;
    mli_design_f64(b->job->train, j, 0, n, to, wide);
    for (int64_t i = 0; i < n; i++) to[i * wide + 1] = to[i * wide];
    mli_rng_init(&rng, (uint64_t)mli_get_i64(b->job->params, "seed"),
                 0x5ad0 + (uint64_t)j, (uint64_t)b->round);
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t k = mli_rng_below(&rng, i + 1);
        double x = to[i * wide + 1];
        to[i * wide + 1] = to[k * wide + 1];
        to[k * wide + 1] = x;
    }
}

static ml_status with_shadows(const boruta *b, mli_design **out, ml_error *err)
{
    mli_inputs *in = NULL;
    ml_table *table = NULL;
    ml_context *ctx = b->job->ctx;
    ml_status status = mli_inputs_new(ctx, 2 * b->n_left, &in, err);
    if (!status) status = name_features(b, in, err);
    if (!status) {
        mli_parallel(ctx, b->n_left, cast, (void *)(uintptr_t)b);
        status = mli_columns_of_rows(ctx, b->rows, b->job->train->rows, in, &table, err);
    }
    if (!status) status = mli_design_replace(b->job->train, in, table, out, err);
    ml_table_free(table);
    mli_inputs_free(in);
    return status;
}

/* ---- tests ---- */

/* The probability that n fair coins show heads k times or more. */
static double at_least(int64_t k, int64_t n)
{
    double term = -(double)n * log(2.0), sum = 0;
    for (int64_t i = 0; i <= n; i++) {
        if (i >= k) sum += exp(term);
        term += log((double)(n - i)) - log((double)(i + 1));
    }
    return sum < 1 ? sum : 1;
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The largest of n probabilities that is small enough, counting how many are looked at
 * (Benjamini, Hochberg) and the rounds so far. */
static double small_enough(const boruta *b, int64_t n, double alpha)
{
    double limit = -1;
    memcpy(b->sorted, b->p, (size_t)n * sizeof *b->p);
    qsort(b->sorted, (size_t)n, sizeof *b->sorted, rising);
    for (int64_t i = 0; i < n; i++)
        if (b->sorted[i] <= alpha * (double)(i + 1) / (double)n) limit = b->sorted[i];
    return fmin(limit, alpha / (double)b->round);
}

static void decide(boruta *b, int verdict)
{
    double alpha = mli_get_f64(b->job->params, "alpha");
    int64_t n = 0, at = 0;
    for (int64_t i = 0; i < b->n_left; i++) {
        int64_t j = b->left[i], hits = (int64_t)b->hits[j];
        if (b->ranking[j] != UNDECIDED) continue;
        b->p[n++] = at_least(verdict == CONFIRMED ? hits : b->round - hits, b->round);
    }
    double limit = small_enough(b, n, alpha);
    for (int64_t i = 0; i < b->n_left; i++) {
        int64_t j = b->left[i];
        if (b->ranking[j] != UNDECIDED) continue;
        if (b->p[at++] <= limit) b->ranking[j] = verdict;
    }
}

/* Undecided ones that are left; forgets those left out. */
static int64_t tidy(boruta *b)
{
    int64_t open = 0, n = 0;
    for (int64_t i = 0; i < b->n_left; i++) {
        int64_t j = b->left[i];
        open += b->ranking[j] == UNDECIDED;
        if (b->ranking[j] != LEFT_OUT) b->left[n++] = j;
    }
    b->n_left = n;
    return open;
}

/* ---- rounds ---- */

static void count_hits(boruta *b, const ml_tensor *importance)
{
    double best = 0, part = mli_get_f64(b->job->params, "percentile");
    for (int64_t i = 0; i < b->n_left; i++)
        b->sorted[i] = ml_tensor_get_f64(importance, 2 * i + 1, 0);
    qsort(b->sorted, (size_t)b->n_left, sizeof *b->sorted, rising);
    best = mli_quantile(b->sorted, b->n_left, part / 100);
    for (int64_t i = 0; i < b->n_left; i++)
        b->hits[b->left[i]] += ml_tensor_get_f64(importance, 2 * i, 0) > best;
}

static ml_status one_round(boruta *b, int64_t most, ml_error *err)
{
    mli_design *d = NULL;
    ml_model *m = NULL;
    ml_tensor *importance = NULL;
    mli_run run;
    mli_run_part(&run, b->job->run, (double)(b->round - 1) / (double)most,
                 (double)b->round / (double)most, 1);
    ml_status status = with_shadows(b, &d, err);
    uint64_t seed = (uint64_t)mli_get_i64(b->job->params, "seed");
    if (!status)
        status = mli_select_fit(b->job, "random_forest",
                                mli_get_i64(b->job->params, "max_depth"),
                                seed + (uint64_t)b->round, d, &run, &m, err);
    if (!status) status = ml_model_get_tensor(m, "importance", &importance, err);
    if (!status) count_hits(b, importance);
    ml_tensor_free(importance);
    ml_model_free(m);
    mli_design_free(d);
    return status;
}

/* The confirmed ones; if there is none, the undecided; then the one that won most. */
static void choose(boruta *b, double *kept)
{
    int64_t n = b->job->train->n_features, best = -1, any = 0;
    int tentative = mli_get_bool(b->job->params, "keep_tentative");
    for (int64_t j = 0; j < n; j++) {
        kept[j] = b->ranking[j] == OTHER || b->ranking[j] == CONFIRMED ||
                  (tentative && b->ranking[j] == UNDECIDED);
        any += kept[j] > 0;
        if (b->ranking[j] != 0 && (best < 0 || b->hits[j] > b->hits[best])) best = j;
    }
    for (int64_t j = 0; j < n && !any; j++)
        kept[j] = b->ranking[j] == UNDECIDED || j == best;
}

/* The rounds that a column must win, all of them, to be confirmed: before that every test
 * is in vain. */
static int64_t fewest_rounds(double alpha)
{
    int64_t n = 1;
    while (ldexp(1, (int)-n) > alpha / (double)n) n++;
    return n;
}

static ml_status check_rounds(const ml_params *p, ml_error *err)
{
    double alpha = mli_get_f64(p, "alpha");
    int64_t most = mli_get_i64(p, "max_iter"), least = fewest_rounds(alpha);
    if (most >= least) return ML_OK;
    mli_fail(err, ML_E_RANGE, "max_iter %lld is too few to decide on any column",
             (long long)most);
    mli_error_at(err, ML_E_RANGE, "params.max_iter");
    return mli_error_hint(err, ML_E_RANGE, "with alpha %s it takes %lld at least",
                          MLI_NUM(alpha), (long long)least);
}

static ml_status rounds(boruta *b, ml_error *err)
{
    int64_t most = mli_get_i64(b->job->params, "max_iter"), open = b->n_left;
    ml_status status = ML_OK;
    while (b->round < most && open > 0 && !status) {
        b->round++;
        status = one_round(b, most, err);
        if (status) break;
        decide(b, CONFIRMED);
        decide(b, LEFT_OUT);
        open = tidy(b);
        if (mli_run_state(b->job->run) == ML_STOP_KEEP) break;
    }
    mli_model_note_i64(b->job->model, "rounds", b->round);
    return status;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    int64_t n = job->train->n_features;
    uint8_t *picked = NULL;
    double *kept;
    boruta b = {.job = job};
    ml_status status = mli_prepare_needs_target(job, MLI_LEARNS, err);
    if (!status) status = check_rounds(job->params, err);
    if (!status)
        status = mli_prepare_picked(job, MLI_TAKES_NUMBERS | MLI_TAKES_CATEGORIES,
                                    &picked, err);
    if (status) return status;
    ml_model *m = job->model;
    status = mli_model_add(m, "hits", ML_DTYPE_F64, 1, &n, &b.hits, err);
    if (!status)
        status = mli_model_add(m, "ranking", ML_DTYPE_F64, 1, &n, &b.ranking, err);
    if (!status) status = mli_model_add(m, "kept", ML_DTYPE_F64, 1, &n, &kept, err);
    b.left = mli_calloc(job->ctx, (size_t)n, sizeof *b.left);
    b.p = mli_calloc(job->ctx, 2 * (size_t)n, sizeof *b.p);
    b.sorted = b.p ? b.p + n : NULL;
    if (!status && (!b.left || !b.p)) status = mli_nomem(err);
    for (int64_t j = 0; j < n && !status; j++) {
        b.ranking[j] = picked[j] ? UNDECIDED : OTHER;
        if (picked[j]) b.left[b.n_left++] = j;
    }
    if (!status)
        b.rows = mli_alloc_vec(job->ctx, 2 * b.n_left * job->train->rows, sizeof *b.rows);
    if (!status && !b.rows) status = mli_nomem(err);
    if (!status) status = rounds(&b, err);
    if (!status) choose(&b, kept);
    mli_free(job->ctx, b.rows);
    mli_free(job->ctx, b.p);
    mli_free(job->ctx, b.left);
    mli_free(job->ctx, picked);
    return status;
}

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"n_trees", "n_estimators", ML_PARAM_I64, 0, "100", "[1, 100000]", NULL, NULL,
     "Trees of each forest.", "0.1"},
    {"max_depth", "depth", ML_PARAM_I64, 0, "7", "[0, 100]", NULL, NULL,
     "The depth of the trees. 0: no limit.", "0.1"},
    {"max_iter", "rounds", ML_PARAM_I64, 0, "100", "[1, 10000]", NULL, NULL,
     "Forests at most: fewer when all columns are decided. Tests cannot decide on any "
     "column before the 8th of them, with alpha 0.05.",
     "0.1"},
    {"alpha", NULL, ML_PARAM_F64, 0, "0.05", "(0, 1)", NULL, NULL,
     "The level of the tests.", "0.1"},
    {"percentile", "perc", ML_PARAM_F64, 0, "100", "(0, 100]", NULL, NULL,
     "A column must beat this percentile of the shadows. 100: the best of them.", "0.1"},
    {"keep_tentative", NULL, ML_PARAM_BOOL, 0, "false", NULL, NULL, NULL,
     "Keep the columns that are undecided at the end.", "0.1"},
    MLI_PARAM_SEED,
    MLI_PARAM_END};

static const mli_attribute attributes[] = {
    {"hits", "f64", "[features]", "How often each column beat the shadows."},
    {"ranking", "f64", "[features]",
     "1: confirmed, 2: undecided, 3: left out, 0: not looked at."},
    {"kept", "f64", "[features]", "1 for the columns that are kept."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_boruta;
const mli_algorithm mli_boruta = {
    .head = {MLI_LEARN_HEAD, .name = "boruta", .aliases = "boruta_selector",
             .title = "all columns that tell something",
             .doc =
                 "Keeps every column that tells more of the target than its own values "
                 "in a random order do, by many forests. Columns that say the same are "
                 "all kept.",
             .caps = MLI_CAN_PREPARE | MLI_CAN_WEIGHTS, .params = params,
             .roles = mli_roles_prepare, .attributes = attributes},
    .fit = fit,
    .plan = mli_select_plan,
    .outputs = mli_select_outputs,
};
