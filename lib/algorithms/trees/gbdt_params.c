/* SPDX-License-Identifier: MIT
 *
 * trees/gbdt_params.c: the parameters of "gbdt", and their meaning for the engine.
 */
#include "algorithms/trees/gbdt.h"
#include <math.h>

#define F64(name, aliases, dflt, range, tune, doc)                                       \
    {                                                                                    \
        name, aliases, ML_PARAM_F64, 0, dflt, range, tune, NULL, doc, "0.1"              \
    }
#define I64(name, aliases, dflt, range, tune, doc)                                       \
    {                                                                                    \
        name, aliases, ML_PARAM_I64, 0, dflt, range, tune, NULL, doc, "0.1"              \
    }
#define FLAGGED(name, aliases, flag, dflt, range, tune, doc)                             \
    {                                                                                    \
        name, aliases, ML_PARAM_I64, flag, dflt, range, tune, NULL, doc, "0.1"           \
    }
#define EXPERT_F64(name, aliases, dflt, range, active, doc)                              \
    {                                                                                    \
        name, aliases, ML_PARAM_F64, MLI_FLAG_EXPERT, dflt, range, NULL, active, doc,    \
            "0.1"                                                                        \
    }
#define EXPERT_I64(name, aliases, dflt, range, doc)                                      \
    {                                                                                    \
        name, aliases, ML_PARAM_I64, MLI_FLAG_EXPERT, dflt, range, NULL, NULL, doc,      \
            "0.1"                                                                        \
    }
#define CHOICE(name, aliases, dflt, range, doc)                                          \
    {                                                                                    \
        name, aliases, ML_PARAM_STR, 0, dflt, range, NULL, NULL, doc, "0.1"              \
    }
#define LIST(name, aliases, type, doc)                                                   \
    {                                                                                    \
        name, aliases, type, MLI_FLAG_NULLABLE | MLI_FLAG_EXPERT, "", NULL, NULL, NULL,  \
            doc, "0.1"                                                                   \
    }

const mli_param mli_gbdt_params[] = {
    CHOICE("objective", "loss,loss_function,application", "auto",
           "{auto, squared, absolute, huber, quantile, poisson, gamma, tweedie, "
           "logistic, softmax}",
           "What is minimised. auto: squared for a number, logistic for two classes, "
           "softmax for more."),
    FLAGGED("n_trees",
        "n_estimators,num_boost_round,num_iterations,iterations,max_iter,num_round,"
        "n_iter,num_trees",
        MLI_FLAG_ROUNDS, "200", "[1, 100000]", "log [50, 600]",
        "The number of rounds: trees, or trees per class with more than two classes. "
        "With early stopping the most that are tried."),
    F64("learning_rate", "eta,shrinkage_rate,shrinkage", "0.1", "(0, 1]",
        "log [0.02, 0.3]",
        "The share of a tree's step that is taken. Smaller needs more trees and often "
        "generalises better."),
    I64("max_leaves", "num_leaves,max_leaf_nodes,n_leaves", "31", "[2, 65535]",
        "log [8, 128]", "The most leaves of a tree."),
    I64("max_depth", "depth", "0", "[-1, 60]", NULL,
        "The most splits on the way to a leaf; 0 or -1: no limit."),
    CHOICE("growth", "grow_policy,growing_policy", "leafwise", "{leafwise, depthwise}",
           "Which leaf is split next while there may be more: the one with the largest "
           "gain (leafwise), or one of the least depth (depthwise)."),
    I64("min_data_in_leaf",
        "min_samples_leaf,min_child_samples,min_data_per_leaf,min_data", "20",
        "[1, 1000000000]", "log [5, 100]", "The fewest rows of a leaf."),
    F64("min_child_weight",
        "min_sum_hessian_in_leaf,min_sum_hessian,min_sum_hessian_per_leaf,min_hessian",
        "0.001", "[0, inf)", NULL,
        "The smallest sum of hessians in a leaf: of the weights for squared loss, of "
        "p (1 - p) for classes."),
    F64("l2", "reg_lambda,lambda,lambda_l2,l2_regularization,l2_leaf_reg", "1",
        "[0, inf)", "log [0.01, 30]", "Penalty on squared leaf values."),
    F64("l1", "reg_alpha,lambda_l1,l1_regularization", "0", "[0, inf)", NULL,
        "Penalty on absolute leaf values."),
    F64("min_split_gain", "gamma,min_split_loss,min_gain_to_split", "0", "[0, inf)", NULL,
        "The smallest gain for which a leaf is split."),
    F64("max_delta_step", "max_leaf_output", "0", "[0, inf)", NULL,
        "The largest absolute leaf value before the learning rate; 0: no limit."),
    F64("subsample", "bagging_fraction,sub_row,bagging,row_sample", "1", "(0, 1]",
        "[0.6, 1]", "The share of the rows drawn for a tree."),
    I64("subsample_freq", "bagging_freq,subsample_every", "1", "[1, 100000]", NULL,
        "Rows are drawn anew after so many rounds."),
    F64("colsample_bytree", "feature_fraction,sub_feature,colsample_bytree_fraction,rsm",
        "1", "(0, 1]", "[0.4, 1]", "The share of the features drawn for a tree."),
    F64("colsample_bylevel", "feature_fraction_bylevel", "1", "(0, 1]", NULL,
        "The share of these that is drawn for each depth."),
    F64("colsample_bynode", "feature_fraction_bynode,max_features", "1", "(0, 1]", NULL,
        "The share of these that is drawn for each split."),
    I64("max_bin", "max_bins,border_count", "255", "[2, 255]", NULL,
        "Numeric features are cut into at most so many bins; categories beyond so many "
        "are treated as one."),
    EXPERT_I64("min_data_in_bin", NULL, "3", "[1, 1000000000]",
               "The fewest sampled rows of a bin."),
    FLAGGED("early_stopping_rounds",
        "early_stopping_round,n_iter_no_change,od_wait,early_stopping",
        MLI_FLAG_STOPPING, "50",
        "[0, 100000]", NULL,
        "Training stops when the validation metric has not improved for so many rounds, "
        "and the best round is kept; 0: all rounds. It acts when there are validation "
        "rows."),
    F64("validation_fraction", "validation_share", "0", "[0, 1)", NULL,
        "The share of the training rows held out for early stopping when no validation "
        "table is given."),
    CHOICE("eval_metric", "metric,custom_metric", "loss", "{loss, auc, error, rmse, mae}",
           "What early stopping watches: the objective's own loss, or another metric."),
    F64("scale_pos_weight", NULL, "1", "(0, inf)", NULL,
        "Weight of the rows of the positive of two classes."),
    CHOICE("class_weight", "auto_class_weights", "none", "{none, balanced}",
           "balanced: every class gets the same total weight."),
    EXPERT_F64("quantile", "alpha,quantile_alpha", "0.5", "(0, 1)",
               "objective == quantile", "The quantile that objective quantile predicts."),
    EXPERT_F64("huber_delta", "huber_slope", "1", "(0, inf)", "objective == huber",
               "Where the Huber loss turns from squared to absolute."),
    EXPERT_F64("tweedie_power", "tweedie_variance_power", "1.5", "(1, 2)",
               "objective == tweedie",
               "The power of the mean to which the variance is proportional."),
    EXPERT_F64("poisson_max_delta_step", NULL, "0.7", "[0, inf)", "objective == poisson",
               "Makes the steps of the Poisson objective more careful."),
    LIST("increasing", "monotone_increasing", ML_PARAM_STRS,
         "Numeric features with which the prediction must not fall."),
    LIST("decreasing", "monotone_decreasing", ML_PARAM_STRS,
         "Numeric features with which the prediction must not rise."),
    LIST("monotone_constraints", "monotonic_cst,monotone_constraint", ML_PARAM_I64S,
         "The same by position: 1, -1 or 0 for each feature."),
    EXPERT_I64("one_hot_max_size", "max_cat_to_onehot", "4", "[0, 255]",
               "Categories with at most so many levels are split one against the rest."),
    EXPERT_I64("max_cat_threshold", NULL, "32", "[1, 255]",
               "The most levels on the smaller side of a split of a category."),
    EXPERT_F64("cat_smooth", NULL, "10", "[0, inf)", NULL,
               "Added to the hessian of a level when levels are ordered; levels with "
               "fewer rows are left out of the order."),
    EXPERT_F64("cat_l2", NULL, "10", "[0, inf)", NULL,
               "More l2 for splits of categories by order."),
    EXPERT_I64("min_data_per_group", NULL, "100", "[1, 1000000000]",
               "The fewest rows that a cut of the order of levels moves."),
    MLI_PARAM_SEED,
    MLI_PARAM_END};

void mli_gbdt_objective(const ml_params *p, const mli_inputs *inputs, mli_objective *out)
{
    memset(out, 0, sizeof *out);
    int kind = mli_get_enum(p, "objective", "auto," MLI_OBJECTIVES) - 1;
    int64_t classes = inputs->classes.n;
    if (kind < 0)
        kind = classes == 0 ? MLI_SQUARED : classes == 2 ? MLI_LOGISTIC : MLI_SOFTMAX;
    out->kind = kind;
    out->n_scores = kind == MLI_SOFTMAX ? (int32_t)classes : 1;
    out->quantile = mli_get_f64(p, "quantile");
    out->huber_delta = mli_get_f64(p, "huber_delta");
    out->tweedie_power = mli_get_f64(p, "tweedie_power");
    out->max_step = mli_get_f64(p, "poisson_max_delta_step");
}

static ml_status check_objective(const mli_fit *job, const mli_objective *o,
                                 ml_error *err)
{
    int64_t classes = job->train->inputs->classes.n;
    int for_classes = o->kind == MLI_LOGISTIC || o->kind == MLI_SOFTMAX;
    const char *name = mli_get_str(job->params, "objective");
    ml_status status = ML_OK;
    if (for_classes && classes == 0)
        status = mli_fail(err, ML_E_DATA,
                          "objective %s needs classes, but the target is "
                          "a number",
                          name);
    else if (!for_classes && classes > 0)
        status = mli_fail(err, ML_E_DATA,
                          "objective %s needs a number, but the target "
                          "has %lld classes",
                          name, (long long)classes);
    else if (for_classes && classes < 2)
        return mli_fail(err, ML_E_DATA, "the target has only one class");
    else if (o->kind == MLI_LOGISTIC && classes > 2)
        status = mli_fail(err, ML_E_DATA,
                          "objective logistic needs two classes, the "
                          "target has %lld",
                          (long long)classes);
    if (status == ML_OK) return ML_OK;
    mli_error_at(err, ML_E_DATA, "params.objective");
    return mli_error_hint(err, ML_E_DATA, "leave it at auto, or set task");
}

static int32_t eval_metric(const mli_fit *job)
{
    return mli_get_enum(job->params, "eval_metric", MLI_EVAL_METRICS);
}

static ml_status check_metric(const mli_fit *job, const mli_objective *o, ml_error *err)
{
    int32_t metric = eval_metric(job);
    int for_classes = o->kind == MLI_LOGISTIC || o->kind == MLI_SOFTMAX;
    int needs_classes = metric == MLI_EVAL_AUC || metric == MLI_EVAL_ERROR;
    int needs_value = metric == MLI_EVAL_RMSE || metric == MLI_EVAL_MAE;
    if ((needs_classes && !for_classes) || (needs_value && for_classes) ||
        (metric == MLI_EVAL_AUC && o->kind == MLI_SOFTMAX)) {
        mli_fail(err, ML_E_DATA, "metric %s does not fit this target",
                 mli_get_str(job->params, "eval_metric"));
        mli_error_at(err, ML_E_DATA, "params.eval_metric");
        return mli_error_hint(err, ML_E_DATA, "use loss");
    }
    return ML_OK;
}

/* Monotone constraints. */

static int64_t find_feature(const mli_inputs *in, const char *name)
{
    for (int64_t j = 0; j < in->n_features; j++)
        if (strcmp(in->features[j].name, name) == 0) return j;
    return -1;
}

static ml_status no_feature(const char *param, const char *name, ml_error *err)
{
    mli_fail(err, ML_E_NAME, "\"%s\" is not a numeric feature", name);
    return mli_error_at(err, ML_E_NAME, "params.%s", param);
}

static ml_status read_named(const mli_fit *job, const char *param, int8_t sign,
                            int8_t *out, ml_error *err)
{
    const mli_inputs *in = job->train->inputs;
    const char *const *names;
    int64_t n = mli_get_strs(job->params, param, &names);
    for (int64_t i = 0; i < n; i++) {
        int64_t j = find_feature(in, names[i]);
        if (j < 0 || in->features[j].kind != MLI_NUMERIC)
            return no_feature(param, names[i], err);
        out[j] = sign;
    }
    return ML_OK;
}

static ml_status read_positions(const mli_fit *job, int8_t *out, ml_error *err)
{
    const mli_inputs *in = job->train->inputs;
    const int64_t *signs;
    int64_t n = mli_get_i64s(job->params, "monotone_constraints", &signs);
    if (n > in->n_features) {
        mli_fail(err, ML_E_SHAPE, "%lld constraints for %lld features", (long long)n,
                 (long long)in->n_features);
        return mli_error_at(err, ML_E_SHAPE, "params.monotone_constraints");
    }
    for (int64_t j = 0; j < n; j++) {
        if (signs[j] == 0) continue;
        if (in->features[j].kind != MLI_NUMERIC)
            return no_feature("monotone_constraints", in->features[j].name, err);
        if (signs[j] != 1 && signs[j] != -1) {
            mli_fail(err, ML_E_RANGE, "%lld is not 1, -1 or 0", (long long)signs[j]);
            return mli_error_at(err, ML_E_RANGE, "params.monotone_constraints");
        }
        out[j] = (int8_t)signs[j];
    }
    return ML_OK;
}

static ml_status read_monotone(const mli_fit *job, int8_t **monotone, ml_error *err)
{
    *monotone = NULL;
    const void *list;
    int64_t n = mli_get_strs(job->params, "increasing", (const char *const **)&list);
    n += mli_get_strs(job->params, "decreasing", (const char *const **)&list);
    n += mli_get_i64s(job->params, "monotone_constraints", (const int64_t **)&list);
    if (n == 0) return ML_OK;
    int8_t *out = mli_calloc(job->ctx, (size_t)job->train->n_features + 1, 1);
    if (!out) return mli_nomem(err);
    ml_status status = read_positions(job, out, err);
    if (status == ML_OK) status = read_named(job, "increasing", 1, out, err);
    if (status == ML_OK) status = read_named(job, "decreasing", -1, out, err);
    if (status == ML_OK)
        *monotone = out;
    else
        mli_free(job->ctx, out);
    return status;
}

static void read_grow(const ml_params *p, mli_grow_options *g)
{
    g->depthwise = mli_get_enum(p, "growth", "leafwise,depthwise") == 1;
    g->max_leaves = mli_get_i64(p, "max_leaves");
    g->max_depth = mli_get_i64(p, "max_depth");
    if (g->max_depth > 0 && g->max_depth < 16 && g->max_leaves > 1 << g->max_depth)
        g->max_leaves = 1 << g->max_depth;
    g->by_tree = mli_get_f64(p, "colsample_bytree");
    g->by_level = mli_get_f64(p, "colsample_bylevel");
    g->by_node = mli_get_f64(p, "colsample_bynode");
    g->seed = (uint64_t)mli_get_i64(p, "seed");
}

static void read_rule(const mli_fit *job, mli_split_rule *r)
{
    const ml_params *p = job->params;
    r->cpu_level = job->ctx->cpu_level;
    r->l1 = mli_get_f64(p, "l1");
    r->l2 = mli_get_f64(p, "l2");
    r->min_h = mli_get_f64(p, "min_child_weight");
    r->min_data = mli_get_i64(p, "min_data_in_leaf");
    r->min_gain = mli_get_f64(p, "min_split_gain");
    r->max_delta = mli_get_f64(p, "max_delta_step");
    r->one_hot = mli_get_i64(p, "one_hot_max_size");
    r->max_cat = mli_get_i64(p, "max_cat_threshold");
    r->cat_smooth = r->cat_level_rows = mli_get_f64(p, "cat_smooth");
    r->cat_l2 = mli_get_f64(p, "cat_l2");
    r->cat_min_data = mli_get_i64(p, "min_data_per_group");
}

ml_status mli_gbdt_options(const mli_fit *job, mli_boost_options *out, int8_t **monotone,
                           ml_error *err)
{
    const ml_params *p = job->params;
    memset(out, 0, sizeof *out);
    *monotone = NULL;
    mli_gbdt_objective(p, job->train->inputs, &out->objective);
    read_grow(p, &out->grow);
    read_rule(job, &out->rule);
    out->rounds = mli_get_i64(p, "n_trees");
    out->patience = mli_get_i64(p, "early_stopping_rounds");
    out->learning_rate = mli_get_f64(p, "learning_rate");
    out->subsample = mli_get_f64(p, "subsample");
    out->subsample_every = mli_get_i64(p, "subsample_freq");
    out->max_bin = mli_get_i64(p, "max_bin");
    out->min_data_in_bin = mli_get_i64(p, "min_data_in_bin");
    out->metric = eval_metric(job);
    ml_status status = check_objective(job, &out->objective, err);
    if (status == ML_OK) status = check_metric(job, &out->objective, err);
    if (status == ML_OK) status = read_monotone(job, monotone, err);
    return status;
}
