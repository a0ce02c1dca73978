/* SPDX-License-Identifier: MIT
 *
 * trees/gbdt_options.c: what the parameters of "gbdt" mean for the engine.
 */
#include "algorithms/trees/gbdt.h"
#include "core/text.h"
#include <math.h>
#include <stdio.h>

static int32_t kind_of(const ml_params *p, const mli_inputs *inputs)
{
    int kind = mli_get_enum(p, "objective", "auto," MLI_OBJECTIVES) - 1;
    if (kind >= 0) return kind;
    if (inputs->task == (int32_t)MLI_TASK_RANKING) return MLI_RANK_NDCG;
    if (inputs->task == (int32_t)MLI_TASK_SURVIVAL) return MLI_COX;
    int64_t classes = inputs->classes.n;
    return classes == 0 ? MLI_SQUARED : classes == 2 ? MLI_LOGISTIC : MLI_SOFTMAX;
}

uint32_t mli_gbdt_task(const ml_params *p)
{
    switch (mli_get_enum(p, "objective", "auto," MLI_OBJECTIVES) - 1) {
    case MLI_RANK_NDCG:
    case MLI_RANK_MAP:
    case MLI_RANK_PAIRWISE:
        return MLI_TASK_RANKING;
    case MLI_COX:
    case MLI_AFT:
        return MLI_TASK_SURVIVAL;
    case MLI_LOGISTIC:
    case MLI_SOFTMAX:
        return MLI_TASK_CLASSIFICATION;
    case -1:
    case MLI_CUSTOM:
        return 0;
    default:
        return MLI_TASK_REGRESSION;
    }
}

void mli_gbdt_objective(const ml_params *p, const mli_inputs *inputs, mli_objective *out)
{
    static const mli_hooks none;
    memset(out, 0, sizeof *out);
    out->kind = kind_of(p, inputs);
    out->n_classes = (int32_t)inputs->classes.n;
    out->n_scores = 1;
    if (out->kind == MLI_SOFTMAX || (out->kind == MLI_CUSTOM && out->n_classes > 2))
        out->n_scores = out->n_classes;
    int64_t quantiles = mli_get_f64s(p, "quantiles", &out->quantiles);
    if (out->kind != MLI_QUANTILE || quantiles == 0)
        out->quantiles = NULL;
    else
        out->n_scores = (int32_t)quantiles;
    if (inputs->n_targets > 0) {
        out->quantiles = NULL;
        out->n_targets = out->n_scores = (int32_t)inputs->n_targets;
    }
    out->quantile = mli_get_f64(p, "quantile");
    out->huber_delta = mli_get_f64(p, "huber_delta");
    out->tweedie_power = mli_get_f64(p, "tweedie_power");
    out->max_step = mli_get_f64(p, "poisson_max_delta_step");
    out->truncate = mli_get_i64(p, "rank_truncation");
    if (out->kind == MLI_RANK_PAIRWISE) out->truncate = INT64_MAX;
    out->aft = mli_get_enum(p, "aft_distribution", MLI_AFT_DISTRIBUTIONS);
    out->aft_scale = mli_get_f64(p, "aft_scale");
    out->hooks = &none;
}

static int for_classes_only(const mli_objective *o)
{
    return o->kind == MLI_LOGISTIC || o->kind == MLI_SOFTMAX;
}

static ml_status check_quantiles(const mli_objective *o, ml_error *err)
{
    for (int32_t k = 0; o->quantiles && k < o->n_scores; k++) {
        if (o->quantiles[k] > 0 && o->quantiles[k] < 1) continue;
        mli_fail(err, ML_E_RANGE, "the quantile %s is not between 0 and 1",
                 MLI_NUM(o->quantiles[k]));
        return mli_error_at(err, ML_E_RANGE, "params.quantiles");
    }
    return ML_OK;
}

/* Of several targets each is by itself. */
static ml_status check_targets(const mli_fit *job, const mli_objective *o, ml_error *err)
{
    const double *quantiles;
    const char *name = mli_get_str(job->params, "objective");
    if (o->n_targets == 0) return ML_OK;
    if (mli_get_f64s(job->params, "quantiles", &quantiles) > 0 &&
        o->kind == MLI_QUANTILE) {
        mli_fail(err, ML_E_UNSUPPORTED, "several quantiles are for one target only");
        return mli_error_at(err, ML_E_UNSUPPORTED, "params.quantiles");
    }
    if (!mli_objective_whole(o) && !mli_objective_survives(o)) return ML_OK;
    mli_fail(err, ML_E_UNSUPPORTED, "objective %s is for one target only", name);
    return mli_error_at(err, ML_E_UNSUPPORTED, "params.objective");
}

static ml_status check_objective(const mli_fit *job, const mli_objective *o,
                                 ml_error *err)
{
    int64_t classes = job->train->inputs->classes.n;
    int for_classes = for_classes_only(o);
    const char *name = mli_get_str(job->params, "objective");
    ml_status status = check_quantiles(o, err);
    if (status == ML_OK) status = check_targets(job, o, err);
    if (status != ML_OK || o->kind == MLI_CUSTOM) return status;
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

/* What early stopping watches. */

static ml_status unfit(const char *name, ml_error *err)
{
    mli_fail(err, ML_E_DATA, "metric %s does not fit this target", name);
    mli_error_at(err, ML_E_DATA, "params.eval_metric");
    return mli_error_hint(err, ML_E_DATA, "use loss");
}

/* Does a metric that is built in suit the objective? */
static int suits(int32_t metric, const mli_objective *o)
{
    switch (metric) {
    case MLI_EVAL_AUC:
        return o->n_classes == 2;
    case MLI_EVAL_ERROR:
        return o->n_classes > 0;
    case MLI_EVAL_RMSE:
    case MLI_EVAL_MAE:
        return o->n_classes == 0 && !mli_objective_ranks(o) && o->kind != MLI_COX;
    case MLI_EVAL_NDCG:
    case MLI_EVAL_MAP:
        return mli_objective_ranks(o);
    case MLI_EVAL_CONCORDANCE:
        return mli_objective_survives(o);
    case MLI_EVAL_CUSTOM:
        return o->hooks->metric != NULL && !o->n_targets;
    default:
        return 1;
    }
}

/* The catalog's hint, and the names that only training knows. */
static ml_status no_metric(ml_status status, ml_error *err)
{
    char hint[768];
    snprintf(hint, sizeof hint, "%s", ml_error_hint(err));
    size_t n = strlen(hint);
    const char *joint = n && hint[n - 1] == '?' ? " there are also" : ", also";
    mli_error_hint(err, status, "%s%s loss, auc, error, custom", hint, joint);
    return mli_error_at(err, status, "params.eval_metric");
}

static ml_status read_metric(const mli_fit *job, mli_boost_options *out, ml_error *err)
{
    static const char *const names[] = {"loss", "auc", "error",       "rmse",  "mae",
                                        "ndcg", "map", "concordance", "custom"};
    const char *name = mli_get_str(job->params, "eval_metric");
    const mli_objective *o = &out->objective;
    out->metric = MLI_EVAL_CATALOG;
    out->metric_at = mli_get_i64(job->params, "metric_at");
    for (int32_t i = 0; i < MLI_EVAL_CATALOG; i++)
        if (strcmp(name, names[i]) == 0) out->metric = i;
    /* Of several targets the catalog's are means over them. */
    if (o->n_targets && (out->metric == MLI_EVAL_RMSE || out->metric == MLI_EVAL_MAE))
        out->metric = MLI_EVAL_CATALOG;
    if (out->metric == MLI_EVAL_LOSS && mli_objective_ranks(o))
        out->metric = o->kind == MLI_RANK_MAP ? MLI_EVAL_MAP : MLI_EVAL_NDCG;
    if (out->metric != MLI_EVAL_CATALOG)
        return suits(out->metric, o) ? ML_OK : unfit(name, err);
    ml_status status = mli_metric_find(name, &out->catalog, err);
    if (status) return no_metric(status, err);
    out->judged = mli_metric_options_of(job->params);
    uint32_t task = o->n_classes ? MLI_TASK_CLASSIFICATION : MLI_TASK_REGRESSION;
    int fits = (out->catalog->head.tasks & task) && !mli_objective_ranks(o) &&
               !mli_objective_survives(o);
    return fits ? ML_OK : unfit(name, err);
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
        if (out[j] && out[j] != sign) {
            mli_fail(err, ML_E_ARGUMENT,
                     "\"%s\" cannot be both increasing and decreasing", names[i]);
            return mli_error_at(err, ML_E_ARGUMENT, "params.%s", param);
        }
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
        mli_error_at(err, ML_E_SHAPE, "params.monotone_constraints");
        return mli_error_hint(err, ML_E_SHAPE,
                              "columns without a value are no features; increasing and "
                              "decreasing take names");
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

/* Interaction constraints. */

static ml_status add_member(const mli_inputs *in, const char *name, size_t size,
                            uint64_t bit, uint64_t *groups, ml_error *err)
{
    while (size > 0 && *name == ' ') name++, size--;
    while (size > 0 && name[size - 1] == ' ') size--;
    for (int64_t j = 0; j < in->n_features; j++) {
        const char *other = in->features[j].name;
        if (strlen(other) != size || memcmp(other, name, size) != 0) continue;
        groups[j] |= bit;
        return ML_OK;
    }
    mli_fail(err, ML_E_NAME, "\"%.*s\" is not a feature", (int)(size < 80 ? size : 80),
             name);
    return mli_error_at(err, ML_E_NAME, "params.interaction_constraints");
}

/* Bits of the groups of each feature. */
static ml_status read_groups(const mli_fit *job, uint64_t **groups, ml_error *err)
{
    const char *const *text;
    const mli_inputs *in = job->train->inputs;
    int64_t n = mli_get_strs(job->params, "interaction_constraints", &text);
    *groups = NULL;
    if (n == 0) return ML_OK;
    if (n > 64) {
        mli_fail(err, ML_E_RANGE, "there are more than 64 groups of features");
        return mli_error_at(err, ML_E_RANGE, "params.interaction_constraints");
    }
    *groups = mli_calloc(job->ctx, (size_t)in->n_features + 1, sizeof **groups);
    ml_status status = *groups ? ML_OK : mli_nomem(err);
    for (int64_t i = 0; i < n; i++) {
        for (const char *at = text[i]; at && status == ML_OK;) {
            const char *end = strchr(at, '&');
            size_t size = end ? (size_t)(end - at) : strlen(at);
            status = add_member(in, at, size, UINT64_C(1) << i, *groups, err);
            at = end ? end + 1 : NULL;
        }
    }
    return status;
}

static void limit_depth(mli_grow_options *g)
{
    if (g->symmetric) {
        if (g->max_depth <= 0) g->max_depth = 6;
        if (g->max_depth > 12) g->max_depth = 12;
        g->max_leaves = 1 << g->max_depth;
    }
}

static void read_grow(const ml_params *p, mli_grow_options *g)
{
    int growth = mli_get_enum(p, "growth", "leafwise,depthwise,symmetric");
    g->depthwise = growth == 1;
    g->symmetric = growth == 2;
    g->max_leaves = mli_get_i64(p, "max_leaves");
    g->max_depth = mli_get_i64(p, "max_depth");
    limit_depth(g);
    if (g->max_depth > 0 && g->max_depth < 16 && g->max_leaves > 1 << g->max_depth)
        g->max_leaves = 1 << g->max_depth;
    g->by_tree = mli_get_f64(p, "colsample_bytree");
    g->by_level = mli_get_f64(p, "colsample_bylevel");
    g->by_node = mli_get_f64(p, "colsample_bynode");
    g->seed = (uint64_t)mli_get_i64(p, "seed");
    g->pack_from = MLI_PACK_FROM;
    g->team_bins = MLI_TEAM_BINS;
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
    r->random = mli_get_bool(p, "extra_trees");
}

static ml_status read_sampling(const ml_params *p, mli_boost_options *out, ml_error *err)
{
    out->subsample = mli_get_f64(p, "subsample");
    out->subsample_every = mli_get_i64(p, "subsample_freq");
    out->sampling = mli_get_enum(p, "sampling", MLI_SAMPLINGS);
    out->goss_top = mli_get_f64(p, "goss_top");
    out->goss_other = mli_get_f64(p, "goss_other");
    out->temperature = mli_get_f64(p, "bagging_temperature");
    out->dart = mli_get_enum(p, "boosting", "gbdt,dart") == 1;
    out->drop_rate = mli_get_f64(p, "drop_rate");
    out->skip_drop = mli_get_f64(p, "skip_drop");
    out->max_drop = mli_get_i64(p, "max_drop");
    /* 0.7 and 0.3 are not quite 1. */
    if (out->sampling != MLI_SAMPLE_GOSS || out->goss_top + out->goss_other < 1 + 1e-9)
        return ML_OK;
    mli_fail(err, ML_E_ARGUMENT,
             "goss_top and goss_other are more than all rows: %g + %g", out->goss_top,
             out->goss_other);
    return mli_error_at(err, ML_E_ARGUMENT, "params.goss_other");
}

/* Linear leaves, and what does not go with them. */
static ml_status read_linear(const ml_params *p, mli_boost_options *out, ml_error *err)
{
    int renews = mli_objective_renews(&out->objective, 0) > 0;
    const char *with = out->monotone             ? "monotone constraints"
                       : out->dart               ? "boosting dart"
                       : out->rule.max_delta > 0 ? "max_delta_step"
                       : out->rule.l1 > 0        ? "l1"
                       : renews                  ? "this objective"
                                                 : NULL;
    out->linear = mli_get_bool(p, "linear_tree");
    out->linear_lambda = mli_get_f64(p, "linear_lambda");
    if (!out->linear || !with) return ML_OK;
    mli_fail(err, ML_E_UNSUPPORTED, "linear_tree does not go with %s", with);
    return mli_error_at(err, ML_E_UNSUPPORTED, "params.linear_tree");
}

/* What symmetric trees have of their own, and the steps for the values of leaves. */
static void read_symmetric(const ml_params *p, mli_boost_options *out)
{
    int bounded = out->monotone || out->rule.max_delta > 0;
    int score = mli_get_enum(p, "score_function", "cosine,l2,newton_cosine,newton_l2");
    int refinable = mli_boost_refinable(out);
    out->leaf_steps = mli_get_i64(p, "leaf_iterations");
    out->by_weight = refinable && out->grow.symmetric && score < 2;
    /* One step is what a tree has anyway. */
    if (!refinable || (out->leaf_steps == 1 && !out->by_weight)) out->leaf_steps = 0;
    out->grow.cosine = (score & 1) == 0 && !bounded;
    out->random_strength = mli_get_f64(p, "random_strength");
}

ml_status mli_gbdt_options(const mli_fit *job, mli_boost_options *out, ml_error *err)
{
    const ml_params *p = job->params;
    memset(out, 0, sizeof *out);
    mli_gbdt_objective(p, job->train->inputs, &out->objective);
    out->objective.hooks = job->hooks;
    read_grow(p, &out->grow);
    read_rule(job, &out->rule);
    out->min_gain_ratio = mli_get_f64(p, "min_gain_ratio");
    out->rounds = mli_get_i64(p, "n_trees");
    out->patience = mli_get_i64(p, "early_stopping_rounds");
    out->learning_rate = mli_get_f64(p, "learning_rate");
    out->max_bin = mli_get_i64(p, "max_bin");
    out->min_data_in_bin = mli_get_i64(p, "min_data_in_bin");
    out->bundle = mli_get_bool(p, "bundle");
    int method = mli_get_enum(p, "categories", "auto,grouped,ordered");
    out->ordered_levels = method == 1 ? -1 : method == 2 ? 0 : 100;
    ml_status status = check_objective(job, &out->objective, err);
    if (status == ML_OK) status = read_sampling(p, out, err);
    if (status == ML_OK) status = read_metric(job, out, err);
    if (status == ML_OK) status = read_monotone(job, &out->monotone, err);
    if (status == ML_OK) status = read_groups(job, &out->groups, err);
    if (status == ML_OK) status = read_linear(p, out, err);
    read_symmetric(p, out);
    return status;
}

void mli_gbdt_options_free(ml_context *ctx, mli_boost_options *o)
{
    mli_free(ctx, o->monotone);
    mli_free(ctx, o->groups);
}
