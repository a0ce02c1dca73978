/* SPDX-License-Identifier: MIT
 *
 * trees/forest_fit.c: training decision_tree, random_forest and extra_trees: trees in
 * parallel, each from a random stream of its own, so that the model does not depend on
 * the threads; the score of the rows left out by the bootstrap; the tensors.
 */
#include "algorithms/trees/forest.h"
#include "core/parallel.h"
#include <math.h>
#include <string.h>

#define OOB_BLOCK 512
#define MOST_LOGS (1 << 17) /* 1 MB, which is read from one end to the other */

typedef struct forest {
    mli_fit *job;
    ml_context *ctx;
    const mli_design *design;
    mli_forest_options options;
    mli_forest_data data;
    mli_forest_codes *codes;
    double *weight; /* with class weights; NULL: those of the design */
    double *logs;   /* of data */
    int64_t n_trees, done;
    mli_forest_tree *tree;        /* [n_trees] */
    mli_forest_scratch **scratch; /* [slots] */
    mli_forest_writer writer;
    int64_t first; /* of the batch */
    atomic_int failed;
    double *oob; /* [rows * values] */
} forest;

/* ---- parameters ---- */

static int is_number(const char *text, double *value)
{
    return mli_read_f64(text, value) && isfinite(*value);
}

static ml_status check_quantiles(forest *f, ml_error *err)
{
    const double *q;
    int64_t n = mli_get_f64s(f->job->params, "quantiles", &q);
    for (int64_t k = 0; k < n; k++) {
        if (q[k] > 0 && q[k] < 1) continue;
        mli_fail(err, ML_E_RANGE, "the quantile %s is not between 0 and 1",
                 MLI_NUM(q[k]));
        return mli_error_at(err, ML_E_RANGE, "params.quantiles");
    }
    f->options.keep_samples = n > 0;
    if (n > 0 && f->design->ys) {
        mli_fail(err, ML_E_UNSUPPORTED, "quantiles are of one target only");
        return mli_error_at(err, ML_E_UNSUPPORTED, "params.quantiles");
    }
    if (n == 0 || !f->design->label) return ML_OK;
    mli_fail(err, ML_E_ARGUMENT, "quantiles are of numbers, but the target has classes");
    return mli_error_at(err, ML_E_ARGUMENT, "params.quantiles");
}

/* How many features a split looks at. */
static ml_status count_features(const forest *f, int64_t *out, ml_error *err)
{
    const char *text = mli_get_str(f->job->params, "max_features");
    double p = (double)f->design->n_features, v = 0, count = p;
    int automatic = strcmp(text, "auto") == 0;
    int single = strcmp(f->job->model->algorithm->head.name, "decision_tree") == 0;
    if (strcmp(text, "sqrt") == 0 || (automatic && !single && f->design->label))
        count = floor(sqrt(p));
    else if (strcmp(text, "log2") == 0)
        count = floor(log2(p > 0 ? p : 1));
    else if (strcmp(text, "third") == 0 || (automatic && !single))
        count = floor(p / 3);
    else if (is_number(text, &v) && v > 0 && v < 1)
        count = floor(v * p);
    else if (is_number(text, &v) && v >= 1 && v == floor(v))
        count = strchr(text, '.') && v == 1 ? p : v;
    else if (!automatic && strcmp(text, "all") != 0) {
        mli_fail(err, ML_E_RANGE, "max_features is \"%s\"", text);
        mli_error_at(err, ML_E_RANGE, "params.max_features");
        return mli_error_hint(err, ML_E_RANGE,
                              "use auto, sqrt, log2, third, all, a share below 1, or a "
                              "number of features");
    }
    count = count < 1 ? 1 : count > p ? p : count;
    *out = (int64_t)count;
    return ML_OK;
}

static ml_status read_options(forest *f, ml_error *err)
{
    const ml_params *p = f->job->params;
    const char *name = f->job->model->algorithm->head.name;
    mli_forest_options *o = &f->options;
    int single = strcmp(name, "decision_tree") == 0;
    o->classes = f->design->label ? f->design->inputs->classes.n : 0;
    o->targets = f->design->inputs->n_targets;
    o->criterion = mli_get_enum(p, "criterion", "gini,entropy");
    if (!f->design->label) o->criterion = MLI_FOREST_SQUARED;
    o->random_cuts = strcmp(name, "extra_trees") == 0;
    o->max_depth = mli_get_i64(p, "max_depth");
    o->min_split = mli_get_i64(p, "min_data_in_split");
    o->min_leaf = mli_get_i64(p, "min_data_in_leaf");
    o->max_leaves = mli_get_i64(p, "max_leaves");
    o->min_weight = mli_get_f64(p, "min_weight_fraction_leaf");
    o->min_decrease = mli_get_f64(p, "min_impurity_decrease");
    o->ccp_alpha = mli_get_f64(p, "ccp_alpha");
    o->seed = (uint64_t)mli_get_i64(p, "seed");
    f->n_trees = single ? 1 : mli_get_i64(p, "n_trees");
    if (!single && mli_get_bool(p, "bootstrap")) {
        double draws = mli_get_f64(p, "max_samples") * (double)f->design->rows;
        o->draws = draws < 1 ? 1 : (int64_t)(draws + 0.5);
        o->finds_rows = mli_get_bool(p, "oob_score");
    }
    ml_status s = check_quantiles(f, err);
    o->finds_rows |= o->keep_samples;
    return s == ML_OK ? count_features(f, &o->max_features, err) : s;
}

/* Weights that make the classes count the same, times those of the rows. */
static ml_status make_weights(forest *f, ml_error *err)
{
    const mli_design *d = f->design;
    int64_t k_n = f->options.classes;
    f->data.weight = d->weight;
    if (!d->label || mli_get_enum(f->job->params, "class_weight", "none,balanced") != 1)
        return ML_OK;
    double *total = mli_calloc(f->ctx, (size_t)k_n + 1, sizeof *total), all = 0;
    f->weight = mli_alloc_vec(f->ctx, d->rows, sizeof *f->weight);
    if (total && f->weight) {
        for (int64_t i = 0; i < d->rows; i++)
            total[d->label[i]] += d->weight ? d->weight[i] : 1;
        for (int64_t k = 0; k < k_n; k++) all += total[k];
        for (int64_t i = 0; i < d->rows; i++) {
            double w = d->weight ? d->weight[i] : 1;
            f->weight[i] = w > 0 ? w * all / ((double)k_n * total[d->label[i]]) : 0;
        }
        f->data.weight = f->weight;
    }
    mli_free(f->ctx, total);
    return total && f->weight ? ML_OK : mli_nomem(err);
}

/* What class weights of whole numbers count in an entropy, for those up to a limit. */
static ml_status make_logs(forest *f, ml_error *err)
{
    int64_t n = f->design->rows < MOST_LOGS ? f->design->rows + 1 : MOST_LOGS;
    if (f->options.criterion != MLI_FOREST_ENTROPY) return ML_OK;
    f->logs = mli_alloc_vec(f->ctx, n, sizeof *f->logs);
    if (!f->logs) return mli_nomem(err);
    for (int64_t c = 0; c < n; c++) f->logs[c] = c ? (double)c * log2((double)c) : 0;
    f->data.logs = f->logs;
    f->data.n_logs = n;
    return ML_OK;
}

/* ---- trees ---- */

static void grow_task(void *arg, int64_t task, int32_t slot)
{
    forest *f = arg;
    ml_status status = ML_E_MEMORY;
    if (atomic_load(&f->failed) || f->tree[f->first + task].n_nodes > 0) return;
    /* Time that is over ends a batch on its way; one tree there must be. */
    if (f->first + task > 0 && mli_run_state(f->job->run) == ML_STOP_KEEP) return;
    if (!f->scratch[slot])
        f->scratch[slot] = mli_forest_scratch_new(&f->data, &f->options);
    if (f->scratch[slot])
        status = mli_forest_grow(f->scratch[slot], f->first + task, f->job->run,
                                 &f->tree[f->first + task]);
    if (status != ML_OK) atomic_store(&f->failed, status);
}

static ml_status why_failed(ml_status status, ml_error *err)
{
    if (status != ML_E_NUMERIC) return mli_nomem(err);
    mli_fail(err, ML_E_NUMERIC,
             "the values of leaves are too large for double precision");
    return mli_error_hint(err, ML_E_NUMERIC,
                          "bring target and weights to scales nearer to 1");
}

/* Trees of a batch before the first that was left out. */
static int64_t count_grown(const forest *f, int64_t n)
{
    int64_t grown = 0;
    while (grown < n && f->tree[f->first + grown].n_nodes > 0) grown++;
    return grown;
}

/* Writes the nodes of n trees of the batch, which then are needed no more unless rows
 * look for their leaves. */
static ml_status write_batch(forest *f, int64_t n, ml_error *err)
{
    if (!mli_forest_write(&f->writer, n)) return mli_nomem(err);
    for (int64_t t = f->first; t < f->first + n && !f->options.finds_rows; t++) {
        mli_free(f->ctx, f->tree[t].node);
        f->tree[t].node = NULL;
        if (f->writer.rows) continue;
        mli_free(f->ctx, f->tree[t].value);
        f->tree[t].value = NULL;
    }
    f->done += n;
    return ML_OK;
}

static ml_status grow_all(forest *f, ml_error *err)
{
    int64_t slots = mli_slots(f->ctx), batch = slots > 1 ? 4 * slots : 1;
    ml_status status = ML_OK;
    while (status == ML_OK && f->done < f->n_trees) {
        int64_t n = f->n_trees - f->done < batch ? f->n_trees - f->done : batch;
        f->first = f->done;
        mli_parallel(f->ctx, n, grow_task, f);
        status = mli_run_check(f->job->run, err);
        if (status == ML_OK && atomic_load(&f->failed))
            status = why_failed(atomic_load(&f->failed), err);
        if (status != ML_OK) break;
        status = write_batch(f, count_grown(f, n), err);
        if (status != ML_OK) break;
        status = mli_run_step(f->job->run, "trees", f->done, f->n_trees, NAN, err);
        if (status == ML_OK && mli_run_state(f->job->run) == ML_STOP_KEEP) break;
    }
    return status;
}

/* ---- rows out of the bag ---- */

static void oob_row(const forest *f, int64_t row, double *out)
{
    int64_t values = f->tree[0].n_values, trees = 0;
    for (int64_t k = 0; k < values; k++) out[k] = 0;
    for (int64_t t = 0; t < f->done; t++) {
        const mli_forest_tree *tree = &f->tree[t];
        if (tree->inbag[row >> 6] >> (row & 63) & 1) continue;
        const mli_forest_node *leaf = &tree->node[mli_forest_leaf(tree, f->codes, row)];
        const double *v = tree->value + leaf->at * values;
        for (int64_t k = 0; k < values; k++) out[k] += v[k];
        trees++;
    }
    for (int64_t k = 0; k < values; k++)
        out[k] = trees ? out[k] / (double)trees : (double)NAN;
}

static void oob_task(void *arg, int64_t task, int32_t slot)
{
    forest *f = arg;
    int64_t end = (task + 1) * OOB_BLOCK;
    (void)slot;
    if (mli_run_state(f->job->run) == ML_CANCEL) return;
    if (end > f->design->rows) end = f->design->rows;
    for (int64_t i = task * OOB_BLOCK; i < end; i++)
        oob_row(f, i, f->oob + i * f->tree[0].n_values);
}

/* R squared of the rows that some tree left out, the mean over the targets that vary; NaN
 * when none does. */
static double oob_r2(const forest *f)
{
    const mli_design *d = f->design;
    int64_t n = f->tree[0].n_values;
    const double *y = d->ys ? d->ys : d->y;
    double total = 0, varying = 0;
    for (int64_t k = 0; k < n; k++) {
        double weight = 0, sum = 0, mean = 0, squares = 0;
        for (int64_t i = 0; i < d->rows; i++) {
            double w = d->weight ? d->weight[i] : 1, v = y[i * n + k];
            double p = f->oob[i * n + k];
            if (isnan(p) || !(w > 0)) continue;
            weight += w;
            double delta = v - mean;
            mean += delta * (w / weight);
            squares += w * delta * (v - mean);
            sum += w * (v - p) * (v - p);
        }
        if (!(squares > 0)) continue;
        total += 1 - sum / squares;
        varying++;
    }
    return varying > 0 ? total / varying : (double)NAN;
}

/* Accuracy, or R squared, of the rows that some tree left out. */
static double oob_score(const forest *f)
{
    if (!f->design->label) return oob_r2(f);
    const mli_design *d = f->design;
    int64_t values = f->tree[0].n_values;
    double weight = 0, good = 0;
    for (int64_t i = 0; i < d->rows; i++) {
        const double *p = f->oob + i * values;
        double w = d->weight ? d->weight[i] : 1;
        if (isnan(p[0]) || !(w > 0)) continue;
        weight += w;
        int64_t best = 0;
        for (int64_t k = 1; k < values; k++)
            if (p[k] > p[best]) best = k;
        good += w * (best == d->label[i]);
    }
    return weight > 0 ? good / weight : (double)NAN;
}

static ml_status score_oob(forest *f, ml_error *err)
{
    int64_t shape[2] = {f->design->rows, f->tree[0].n_values};
    ml_model *m = f->job->model;
    if (f->options.draws == 0 || !mli_get_bool(f->job->params, "oob_score")) return ML_OK;
    ml_status s = mli_model_add(m, "oob_prediction", ML_DTYPE_F64, shape[1] > 1 ? 2 : 1,
                                shape, &f->oob, err);
    if (s != ML_OK) return s;
    mli_parallel(f->ctx, mli_task_count(shape[0], OOB_BLOCK), oob_task, f);
    s = mli_run_check(f->job->run, err);
    if (s != ML_OK) return s;
    double score = oob_score(f);
    if (isfinite(score)) mli_model_note_f64(m, "oob_score", score);
    return mli_model_add_f64s(m, "oob_score", &score, 1, err);
}

/* ---- tensors ---- */

static ml_status write_model(forest *f, ml_error *err)
{
    ml_model *m = f->job->model;
    const int64_t *first = f->writer.first;
    double zero = 0;
    ml_status s = mli_forest_write_end(&f->writer, m, err);
    if (s == ML_OK) s = mli_model_add_f64s(m, "base_score", &zero, 1, err);
    if (s == ML_OK && f->options.keep_samples)
        s = mli_forest_write_samples(f->tree, f->done, first, f->design, m, err);
    if (s != ML_OK) return s;
    mli_model_note_i64(m, "trees", f->done);
    mli_model_note_i64(m, "nodes", first[f->done]);
    return ML_OK;
}

/* ---- all of it ---- */

static ml_status fit_all(forest *f, ml_error *err)
{
    ml_status s = read_options(f, err);
    if (s == ML_OK && f->design->rows > UINT32_MAX - 1)
        s = mli_fail(err, ML_E_DATA, "forests take at most 4294967294 rows");
    if (s == ML_OK) s = make_weights(f, err);
    if (s == ML_OK) s = make_logs(f, err);
    if (s == ML_OK)
        s = mli_forest_codes_make(f->design, f->options.random_cuts, f->job->run,
                                  &f->codes, err);
    if (s != ML_OK) return s;
    f->data.codes = f->codes;
    if (f->options.draws > 0) { /* weights of a bootstrap are chances */
        f->data.chance = f->data.weight;
        f->data.weight = NULL;
    }
    f->data.y = f->design->y;
    f->data.ys = f->design->ys;
    f->data.label = f->design->label;
    f->tree = mli_calloc(f->ctx, (size_t)f->n_trees, sizeof *f->tree);
    f->scratch = mli_calloc(f->ctx, (size_t)mli_slots(f->ctx), sizeof *f->scratch);
    int rows = f->options.targets > 0 || f->options.classes > 2;
    if (!f->tree || !f->scratch ||
        mli_forest_writer_new(&f->writer, f->codes, f->tree, f->n_trees, rows) != ML_OK)
        return mli_nomem(err);
    s = grow_all(f, err);
    if (s == ML_OK) s = score_oob(f, err);
    return s == ML_OK ? write_model(f, err) : s;
}

ml_status mli_forest_fit(mli_fit *job, ml_error *err)
{
    forest f = {.job = job, .ctx = job->ctx, .design = job->train};
    ml_status s = fit_all(&f, err);
    for (int64_t t = 0; f.tree && t < f.n_trees; t++) mli_forest_tree_free(&f.tree[t]);
    for (int32_t i = 0; f.scratch && i < mli_slots(f.ctx); i++)
        mli_forest_scratch_free(f.scratch[i]);
    mli_free(f.ctx, f.tree);
    mli_free(f.ctx, f.scratch);
    mli_free(f.ctx, f.weight);
    mli_free(f.ctx, f.logs);
    mli_forest_writer_free(&f.writer);
    mli_forest_codes_free(f.codes);
    return s;
}
