/* SPDX-License-Identifier: MIT
 *
 * trees/gbdt.c: the algorithm "gbdt": gradient-boosted decision trees on histograms.
 *
 * Fitting: options (gbdt_params.c), bins (bins.c), rounds (boost.c), which grow trees
 * (grow.c) from histograms (histogram.c) by the best splits (split.c). The model is the
 * tensors of trees/ensemble.h. Predicting: predict.c.
 */
#include "algorithms/trees/gbdt.h"
#include "algorithms/trees/predict.h"
#include "core/rng.h"
#include <math.h>
#include <stdlib.h>

static double class_weight_of(const mli_fit *job, const double *total, int64_t k)
{
    int64_t n = job->train->inputs->classes.n;
    double w = 1, all = 0;
    if (n == 2 && k == 1) w = mli_get_f64(job->params, "scale_pos_weight");
    if (!total) return w;
    for (int64_t c = 0; c < n; c++) all += total[c];
    return total[k] > 0 ? w * all / ((double)n * total[k]) : w;
}

/* Total weight per class of the training rows, for class_weight == balanced; NULL if that
 * is not asked for. */
static ml_status class_totals(const mli_fit *job, double **out, ml_error *err)
{
    const mli_design *d = job->train;
    *out = NULL;
    if (mli_get_enum(job->params, "class_weight", "none,balanced") != 1) return ML_OK;
    *out = mli_calloc(job->ctx, (size_t)d->inputs->classes.n + 1, sizeof **out);
    if (!*out) return mli_nomem(err);
    for (int64_t i = 0; i < d->rows; i++)
        (*out)[d->label[i]] += d->weight ? d->weight[i] : 1;
    return ML_OK;
}

ml_status mli_gbdt_weights(const mli_fit *job, const mli_design *d, const double **out,
                           double **fresh, ml_error *err)
{
    *out = d->weight;
    *fresh = NULL;
    int balanced = mli_get_enum(job->params, "class_weight", "none,balanced") == 1;
    double positive = mli_get_f64(job->params, "scale_pos_weight");
    if (!d->label || (!balanced && positive == 1)) return ML_OK;
    double *total;
    ml_status status = class_totals(job, &total, err);
    if (status != ML_OK) return status;
    double *w = mli_alloc_vec(job->ctx, d->rows, sizeof *w);
    for (int64_t i = 0; w && i < d->rows; i++)
        w[i] = (d->weight ? d->weight[i] : 1) * class_weight_of(job, total, d->label[i]);
    mli_free(job->ctx, total);
    if (!w) return mli_nomem(err);
    *out = *fresh = w;
    return ML_OK;
}

/* The tables from categories to bins. */
static ml_status write_levels(const mli_booster *b, ml_model *m, ml_error *err)
{
    if (b->trees.n_sets == 0) return ML_OK;
    int64_t n = b->binner->n_features, starts = n + 1, total = 0, *start;
    uint8_t *bin, *other;
    for (int64_t j = 0; j < n; j++) total += b->binner->features[j].n_levels;
    ml_status s = mli_model_add(m, "level_start", ML_DTYPE_I64, 1, &starts, &start, err);
    if (s == ML_OK) s = mli_model_add(m, "level_bin", ML_DTYPE_U8, 1, &total, &bin, err);
    if (s == ML_OK) s = mli_model_add(m, "level_other", ML_DTYPE_U8, 1, &n, &other, err);
    if (s != ML_OK) return s;
    for (int64_t j = 0; j < n; j++) {
        const mli_bin_feature *f = &b->binner->features[j];
        start[j + 1] = start[j] + f->n_levels;
        if (f->n_levels) memcpy(bin + start[j], f->level_bin, (size_t)f->n_levels);
        other[j] = (uint8_t)f->n_bins;
    }
    return ML_OK;
}

static ml_status write_model(const mli_booster *b, ml_model *m, ml_error *err)
{
    ml_status s = mli_ensemble_builder_write(&b->trees, m, err);
    if (s == ML_OK) s = mli_model_add_f64s(m, "base_score", b->base, b->n_scores, err);
    if (s == ML_OK) s = write_levels(b, m, err);
    if (s == ML_OK) s = mli_boost_linear_write(b, m, err);
    if (s == ML_OK && b->n_history > 0)
        s = mli_model_add_f64s(m, "validation_history", b->history, b->n_history, err);
    mli_model_note_i64(m, "trees", b->trees.n_trees);
    if (b->n_history > 0) {
        mli_model_note_i64(m, "best_round", b->best_round + 1);
        mli_model_note_f64(m, "best_validation_metric", b->best_metric);
    }
    return s;
}

static ml_status boost(mli_fit *job, const mli_design *train, const mli_design *valid,
                       ml_error *err)
{
    mli_boost_options options;
    double *fresh[2] = {NULL, NULL};
    const double *weight = NULL, *valid_weight = NULL;
    mli_booster b;
    memset(&b, 0, sizeof b);
    ml_status s = mli_gbdt_options(job, &options, err);
    if (options.min_gain_ratio < 0)
        options.min_gain_ratio = valid && options.patience && !options.dart ? 0 : 1;
    if (s == ML_OK) s = mli_gbdt_weights(job, train, &weight, &fresh[0], err);
    if (s == ML_OK && valid)
        s = mli_gbdt_weights(job, valid, &valid_weight, &fresh[1], err);
    if (s == ML_OK) {
        s = mli_boost(&b, job->ctx, job->run, &options, train, valid, weight,
                      valid_weight, err);
        if (s == ML_OK) s = write_model(&b, job->model, err);
        mli_booster_free(&b);
    }
    mli_gbdt_options_free(job->ctx, &options);
    mli_free(job->ctx, fresh[0]);
    mli_free(job->ctx, fresh[1]);
    return s;
}

/* The rows that are held out, then the others, both in the order of the rows; out[n]: 0.
 */
static void draw_rows(uint64_t seed, int64_t n, int64_t held, int64_t *row, uint8_t *out)
{
    mli_rng rng;
    mli_rng_init(&rng, seed, 0x7661, 0);
    for (int64_t i = 0; i < n; i++) row[i] = i;
    mli_rng_shuffle(&rng, row, n);
    for (int64_t i = 0; i < held; i++) out[row[i]] = 1;
    for (int64_t i = 0, before = 0, behind = held; i < n; i++)
        row[out[i] ? before++ : behind++] = i;
}

static ml_status hold_out(mli_fit *job, double share, mli_design **train,
                          mli_design **valid, ml_error *err)
{
    int64_t n = job->train->rows, held = (int64_t)((double)n * share);
    if (held < 1 || held >= n)
        return mli_fail(err, ML_E_DATA,
                        "too few rows to hold out a share of %s for validation: %lld",
                        MLI_NUM(share), (long long)n);
    int64_t *row = mli_alloc_vec(job->ctx, n, sizeof *row);
    uint8_t *out = mli_calloc(job->ctx, (size_t)n, 1);
    ml_status s = row && out ? ML_OK : mli_nomem(err);
    if (s == ML_OK)
        draw_rows((uint64_t)mli_get_i64(job->params, "seed"), n, held, row, out);
    if (s == ML_OK) s = mli_design_take(job->train, row, held, valid, err);
    if (s == ML_OK) s = mli_design_take(job->train, row + held, n - held, train, err);
    mli_free(job->ctx, row);
    mli_free(job->ctx, out);
    return s;
}

ml_status mli_gbdt_fit(mli_fit *job, ml_error *err)
{
    double share = mli_get_f64(job->params, "validation_fraction");
    if (job->valid || !(share > 0)) return boost(job, job->train, job->valid, err);
    mli_design *train = NULL, *valid = NULL;
    ml_status s = hold_out(job, share, &train, &valid, err);
    if (s == ML_OK) s = boost(job, train, valid, err);
    mli_design_free(train);
    mli_design_free(valid);
    return s;
}

/* Attributes. */

static ml_status importance(const ml_model *m, int count, ml_tensor **out, ml_error *err)
{
    mli_ensemble e;
    double *sum;
    ml_tensor *t;
    ml_status s = mli_ensemble_read_crossed(m, &e, err);
    if (s != ML_OK) return s;
    int64_t inputs = e.crosses.n_inputs;
    s = mli_tensor_make(m->ctx, ML_DTYPE_F64, 1, &inputs, &sum, &t, err);
    if (s != ML_OK) return s;
    for (int64_t i = 0; i < e.n_nodes; i++) {
        double x = count ? 1 : e.gain[i];
        if (e.left[i] && e.feature[i] < inputs)
            sum[e.feature[i]] += x;
        else if (e.left[i])
            mli_cross_share(&e.crosses, e.feature[i] - inputs, x, sum, 1);
    }
    *out = t;
    return ML_OK;
}

static ml_status number(const ml_model *m, double value, ml_tensor **out, ml_error *err)
{
    double *data;
    ml_status s = mli_tensor_make(m->ctx, ML_DTYPE_F64, 0, NULL, &data, out, err);
    if (s == ML_OK) *data = value;
    return s;
}

static ml_status attribute(const ml_model *m, const char *name, ml_tensor **out,
                           ml_error *err)
{
    if (strcmp(name, "importance") == 0) return importance(m, 0, out, err);
    if (strcmp(name, "split_count") == 0) return importance(m, 1, out, err);
    mli_ensemble e;
    ml_status s = mli_ensemble_read_crossed(m, &e, err);
    if (s != ML_OK) return s;
    if (strcmp(name, "n_trees") == 0) return number(m, (double)e.n_trees, out, err);
    if (strcmp(name, "n_rounds") == 0)
        return number(m, (double)(e.n_trees / e.n_scores), out, err);
    return mli_fail(err, ML_E_NAME, "gbdt has no attribute \"%s\"", name);
}

static ml_status check(const ml_model *m, ml_error *err)
{
    mli_ensemble e;
    mli_objective o;
    ml_status s = mli_ensemble_read_crossed(m, &e, err);
    if (s != ML_OK) return s;
    mli_gbdt_objective(m->params, m->inputs, &o);
    int64_t classes = m->inputs->classes.n;
    int fits = o.n_scores == e.n_scores;
    if (e.link)
        fits = classes == 0 ? e.n_scores == (o.n_targets ? o.n_targets : 1) &&
                                  e.link != MLI_LINK_SOFTMAX
                            : e.n_scores == classes || (classes == 2 && e.n_scores == 1 &&
                                                        e.link != MLI_LINK_SOFTMAX);
    if (!fits)
        return mli_fail(err, ML_E_FORMAT, "%lld scores do not fit the objective",
                        (long long)e.n_scores);
    if (!e.link && o.n_scores == 1 && o.n_classes > 0 && o.n_classes != 2)
        return mli_fail(err, ML_E_FORMAT, "one score does not fit %d classes",
                        (int)o.n_classes);
    return ML_OK;
}

static const mli_kind kinds[] = {
    {"value", "rows, targets", "The predicted number, or one per target."},
    {"proba", "rows, classes", "The probability of each class."},
    {"score", "rows, scores",
     "The sum of the trees before it is turned into a value or a probability: one per "
     "row, or one per class with more than two classes, per quantile or per target."},
    {"contributions", "rows, features + 1",
     "What each feature adds to the score (exact path-dependent Shapley values), and "
     "last "
     "the expected score; together they are the score. One set per score."},
    {"interactions", "rows, features + 1, features + 1",
     "Contributions split into those of pairs of features (half of a pair each way) and "
     "of a feature by itself. One matrix per score."},
    {"leaf", "rows, trees", "The number of the leaf that a row reaches in each tree."},
    {NULL, NULL, NULL}};

static const mli_attribute attributes[] = {
    {"importance", "f64", "[features]", "Sum of the gains of the splits on a feature."},
    {"split_count", "f64", "[features]", "Number of the splits on a feature."},
    {"n_trees", "f64", "[]", "Number of trees."},
    {"n_rounds", "f64", "[]", "Number of rounds."},
    {"base_score", "f64", "[scores]", "What the trees start from."},
    {"validation_history", "f64", "[rounds]",
     "The validation metric after each round, when there were validation rows."},
    {"tree_start", "i64", "[trees + 1]", "First node of each tree."},
    {"node_feature", "i32", "[nodes]", "Feature that a node splits on, -1 for leaves."},
    {"node_left", "i32", "[nodes]",
     "First of two children, counted from the tree's first node; 0 for leaves."},
    {"node_threshold", "f64", "[nodes]", "Values up to it go left."},
    {"node_flags", "u8", "[nodes]",
     "1: missing values go left; 2: the split is on categories."},
    {"node_value", "f64", "[nodes]", "Value of a node; leaves add it to the score."},
    {"node_cover", "f64", "[nodes]", "Sum of the hessians of a node's rows."},
    {"node_gain", "f64", "[nodes]", "Gain of the split."},
    {"linear_start", "i64", "[nodes + 1]", "First linear term of each leaf."},
    {"linear_const", "f64", "[nodes]", "Constant of a leaf that has linear terms."},
    {"linear_feature", "i32", "[terms]", "Feature of a linear term."},
    {"linear_coef", "f64", "[terms]", "Coefficient of a linear term."},
    {NULL, NULL, NULL, NULL}};

const mli_algorithm mli_gbdt = {
    .head = {.name = "gbdt",
             .aliases = "gradient_boosting,boosted_trees,lightgbm,xgboost,catboost",
             .title = "gradient-boosted trees",
             .doc = "A sum of decision trees, each fitted to what the ones before leave "
                    "over. Takes numbers and categories as they are, missing values "
                    "included. The usual first choice for tables.",
             .family = "trees",
             .since = "0.1",
             .sort = MLI_SORT_ALGORITHM,
             .tasks = MLI_TASK_REGRESSION | MLI_TASK_CLASSIFICATION | MLI_TASK_RANKING |
                      MLI_TASK_SURVIVAL,
             .caps = MLI_CAN_MISSING | MLI_CAN_CATEGORIES | MLI_CAN_WEIGHTS |
                     MLI_CAN_EARLY_STOP | MLI_CAN_WARM_START,
             .params = mli_gbdt_params,
             .roles = mli_roles_boosting,
             .task_of = mli_gbdt_task,
             .kinds = kinds,
             .attributes = attributes},
    .fit = mli_gbdt_fit,
    .plan = mli_gbdt_plan,
    .check = check,
    .attribute = attribute};
