/* SPDX-License-Identifier: MIT
 *
 * prepare/target_encoder.c: the mean of the target among the rows of a level, drawn
 * towards the mean of all rows: by a fixed number of pseudo-rows, or as far as the
 * level's own variance asks for (empirical Bayes; Micci-Barreca, "A preprocessing scheme
 * for high-cardinality categorical attributes", SIGKDD Explorations 3(1), 2001).
 *
 * Rows of training get numbers that were learned from the other folds: otherwise the
 * model behind would see its own target.
 *
 * Tensors: lookup.h; a column per category, for three and more classes one per class.
 */
#include "algorithms/prepare/lookup.h"
#include "core/rng.h"

#include <math.h>
#include <string.h>

/* One target: the numbers, or 1 for the rows of a class. */
typedef struct {
    const mli_design *d;
    int64_t outputs;
    double smooth;       /* pseudo-rows; NaN: by the variances */
    const int32_t *fold; /* [rows]; NULL: all rows count */
    int32_t left_out;
} encoding;

static double target_of(const encoding *e, int64_t row, int64_t k)
{
    if (!e->d->label) return e->d->y[row];
    int32_t label = e->d->label[row];
    return e->outputs == 1 ? label == 1 : label == k;
}

static int counts(const encoding *e, int64_t row)
{
    return !e->fold || e->fold[row] != e->left_out;
}

typedef struct {
    double n, sum, square; /* of the distances from the level's mean */
} level_sums;

static int64_t level_of(const mli_design *d, int64_t j, int64_t row)
{
    int32_t code = d->columns[j].codes[row];
    return code < 0 ? d->inputs->features[j].levels.n : code;
}

/* Sums of each level, and of all rows in the last place. */
static void sum_levels(const encoding *e, int64_t j, int64_t k, level_sums *s)
{
    int64_t levels = e->d->inputs->features[j].levels.n + 1;
    level_sums *all = &s[levels];
    for (int64_t i = 0; i < e->d->rows; i++) {
        if (!counts(e, i)) continue;
        level_sums *l = &s[level_of(e->d, j, i)];
        double y = target_of(e, i, k);
        l->n += 1;
        l->sum += y;
        all->n += 1;
        all->sum += y;
    }
    for (int64_t i = 0; i < e->d->rows; i++) {
        if (!counts(e, i)) continue;
        level_sums *l = &s[level_of(e->d, j, i)];
        double y = target_of(e, i, k), own = y - l->sum / l->n;
        double from_all = y - all->sum / all->n;
        l->square += own * own;
        all->square += from_all * from_all;
    }
}

static double encode(const level_sums *l, const level_sums *all, double smooth)
{
    double mean = all->n > 0 ? all->sum / all->n : 0;
    if (l->n == 0) return mean;
    if (!isnan(smooth)) return (l->sum + smooth * mean) / (l->n + smooth);
    double spread = all->square / all->n * l->n;
    double share = spread / (spread + l->square / l->n);
    return isnan(share) ? mean : share * (l->sum / l->n) + (1 - share) * mean;
}

static ml_status encode_feature(const encoding *e, int64_t j, double *table,
                                ml_error *err)
{
    int64_t levels = e->d->inputs->features[j].levels.n + 1;
    level_sums *s = mli_calloc(e->d->ctx, (size_t)levels + 1, sizeof *s);
    if (!s) return mli_nomem(err);
    for (int64_t k = 0; k < e->outputs; k++) {
        memset(s, 0, ((size_t)levels + 1) * sizeof *s);
        sum_levels(e, j, k, s);
        for (int64_t c = 0; c < levels; c++)
            table[c * e->outputs + k] = encode(&s[c], &s[levels], e->smooth);
    }
    mli_free(e->d->ctx, s);
    return ML_OK;
}

static ml_status start(const mli_fit *job, encoding *e, ml_error *err)
{
    const char *smooth = mli_get_str(job->params, "smooth");
    *e = (encoding){.d = job->train, .smooth = NAN};
    int64_t classes = job->train->inputs->classes.n;
    e->outputs = classes > 2 ? classes : 1;
    ml_status status = mli_prepare_needs_target(job, MLI_LEARNS | MLI_TASK_RANKING, err);
    if (status) return status;
    if (mli_same_word(smooth, "auto")) return ML_OK;
    if (mli_read_f64(smooth, &e->smooth) && e->smooth >= 0) return ML_OK;
    mli_fail(err, ML_E_RANGE, "smooth is \"auto\" or a number of rows, not \"%s\"",
             smooth);
    return mli_error_at(err, ML_E_RANGE, "params.smooth");
}

static int64_t width(void *arg, int64_t j)
{
    (void)j;
    return ((const encoding *)arg)->outputs;
}

static ml_status fill(void *arg, int64_t j, double *table, ml_error *err)
{
    return encode_feature(arg, j, table, err);
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    encoding e;
    ml_status status = start(job, &e, err);
    return status ? status
                  : mli_lookup_add(job, &(mli_lookup_maker){width, fill, &e}, err);
}

/* ---- rows of training ---- */

/* Folds of equal size by a random order. */
static int32_t *make_folds(const mli_fit *job, int64_t folds)
{
    int64_t n = job->train->rows;
    mli_rng rng;
    int32_t *fold = mli_alloc_vec(job->ctx, n, sizeof *fold);
    int64_t *order = mli_alloc_vec(job->ctx, n, sizeof *order);
    for (int64_t i = 0; fold && order && i < n; i++) order[i] = i;
    if (fold && order) {
        mli_rng_init(&rng, (uint64_t)mli_get_i64(job->params, "seed"), 0x7a96e7, 0);
        mli_rng_shuffle(&rng, order, n);
        for (int64_t i = 0; i < n; i++) fold[order[i]] = (int32_t)(i % folds);
    } else {
        mli_free(job->ctx, fold);
        fold = NULL;
    }
    mli_free(job->ctx, order);
    return fold;
}

/* The rows of one fold, of one feature, from what the others say. */
static ml_status encode_fold(encoding *e, const mli_prepared *t, int64_t j, double *out,
                             ml_error *err)
{
    int64_t levels = t->in->features[j].levels.n + 1, wide = t->plan.n_outputs;
    double *table = mli_calloc(e->d->ctx, (size_t)(levels * e->outputs), sizeof *table);
    if (!table) return mli_nomem(err);
    ml_status status = encode_feature(e, j, table, err);
    for (int64_t i = 0; i < e->d->rows && !status; i++) {
        if (e->fold[i] != e->left_out) continue;
        for (int64_t k = 0; k < e->outputs; k++)
            out[i * wide + t->first[j] + k] =
                table[level_of(e->d, j, i) * e->outputs + k];
    }
    mli_free(e->d->ctx, table);
    return status;
}

static ml_status plan(const ml_model *m, const char *name, mli_plan **out, ml_error *err);

static ml_status train_rows(mli_fit *job, double *out, ml_error *err)
{
    encoding e;
    mli_plan *p = NULL;
    int32_t *folded = NULL;
    int64_t folds = mli_get_i64(job->params, "folds");
    ml_status status = start(job, &e, err);
    if (!status) status = plan(job->model, "transform", &p, err);
    if (!status) status = mli_plan_run_design(p, job->train, job->run, out, err);
    if (!status && folds > 1 && !(folded = make_folds(job, folds)))
        status = mli_nomem(err);
    e.fold = folded;
    for (int32_t f = 0; folded && f < folds && !status; f++) {
        const mli_prepared *t = (const mli_prepared *)p;
        e.left_out = f;
        for (int64_t j = 0; j < t->in->n_features && !status; j++)
            if (t->picked[j]) status = encode_fold(&e, t, j, out, err);
    }
    mli_free(job->ctx, folded);
    mli_plan_free(p);
    return status;
}

/* ---- the algorithm ---- */

static ml_status describe(const mli_prepared *t, int64_t j, mli_feature *out,
                          ml_error *err)
{
    const mli_feature *f = &t->in->features[j];
    int64_t n = mli_lookup_width(t, j);
    ml_status status = ML_OK;
    if (n == 1) return mli_prepare_name(t, out, err, "%s", f->name);
    for (int64_t k = 0; k < n && !status; k++) {
        size_t size = 0;
        const char *label = mli_inputs_label(t->in, k, &size);
        if (label)
            status =
                mli_prepare_name(t, &out[k], err, "%s_%.*s", f->name, (int)size, label);
        else
            status = mli_prepare_name(t, &out[k], err, "%s_%d", f->name, (int)k);
    }
    return status;
}

static const mli_transformer kind = {.takes = MLI_TAKES_CATEGORIES,
                                     .load = mli_lookup_load,
                                     .width = mli_lookup_width,
                                     .describe = describe,
                                     .map = mli_lookup_map};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"smooth", "smoothing", ML_PARAM_STR, 0, "auto", NULL, NULL, NULL,
     "How far a level's mean is drawn towards the mean of all rows: a number of rows, or "
     "auto: as far as its own variance asks for.",
     "0.1"},
    {"folds", "cv,n_folds", ML_PARAM_I64, 0, "5", "[1, 100]", NULL, NULL,
     "In a pipeline, rows of training get numbers learned from other folds. 1: from all "
     "rows, which lets the next step see the target.",
     "0.1"},
    MLI_PARAM_SEED,
    MLI_PARAM_END};

extern const mli_algorithm mli_target_encoder;
const mli_algorithm mli_target_encoder = {
    .head = {MLI_LEARN_HEAD, .name = "target_encoder", .aliases = "mean_encoder,target",
             .title = "categories as means of the target",
             .doc =
                 "Replaces each level of a category by the mean of the target among its "
                 "rows (of classes their shares), drawn towards the mean of all rows. "
                 "In a pipeline the rows of training are cross-fitted.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_prepare,
             .attributes = mli_lookup_attributes},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
    .train_rows = train_rows,
};
