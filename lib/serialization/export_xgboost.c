/* SPDX-License-Identifier: MIT
 *
 * export_xgboost.c: trees as a JSON model of XGBoost.
 *
 * XGBoost keeps floats: leaf values are rounded, and a row goes left when (float)x < T,
 * where T is the float after the largest one that is <= our threshold: for rows of floats
 * the way down the trees is the same. base_score is left neutral; what the scores start
 * from is a tree of one leaf. In a split on categories the listed codes go right, and
 * unlisted ones left, also those that the model does not know.
 */
#include "core/json.h"
#include "serialization/export.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct writer {
    mli_export_job *x;
    int64_t *parent; /* [nodes of the largest tree] */
    const char *objective, *param, *base;
    int64_t classes; /* num_class */
} writer;

/* ---- what XGBoost cannot say ---- */

static ml_status choose_objective(writer *w)
{
    const mli_export_job *x = w->x;
    const char *own = mli_get_str(x->model->params, "objective");
    int64_t classes = x->inputs->classes.n;
    int one = x->e.n_scores == 1;
    w->param = "\"reg_loss_param\": {\"scale_pos_weight\": \"1\"}";
    w->base = "0E0";
    if (classes > 2 || (classes == 2 && !one)) {
        w->objective = "multi:softprob";
        w->classes = x->e.n_scores;
        w->param = NULL;
        return x->link == MLI_LINK_SOFTMAX
                   ? ML_OK
                   : mli_export_refuse(x, "XGBoost",
                                       "classes whose probabilities are not a softmax");
    }
    switch (x->link) {
    case MLI_LINK_SIGMOID:
        w->objective = classes ? "binary:logistic" : "reg:logistic";
        w->base = "5E-1";
        return ML_OK;
    case MLI_LINK_EXP:
        w->objective = strcmp(own, "gamma") == 0     ? "reg:gamma"
                       : strcmp(own, "tweedie") == 0 ? "reg:tweedie"
                                                     : "count:poisson";
        if (strcmp(own, "tweedie") == 0)
            w->param =
                "\"tweedie_regression_param\": {\"tweedie_variance_power\": \"1.5\"}";
        else if (strcmp(own, "gamma") != 0)
            w->param = "\"poisson_regression_param\": {\"max_delta_step\": \"0.7\"}";
        w->base = "1E0";
        return ML_OK;
    case MLI_LINK_IDENTITY:
        w->objective = "reg:squarederror";
        return classes ? mli_export_refuse(x, "XGBoost",
                                           "classes whose probabilities are plain sums")
                       : ML_OK;
    case MLI_LINK_STEP:
        w->objective = "binary:hinge";
        return ML_OK;
    default:
        return mli_export_refuse(x, "XGBoost", "this link of scores and predictions");
    }
}

static ml_status check(const writer *w)
{
    const mli_export_job *x = w->x;
    for (int64_t j = 0; x->e.zero_missing && j < x->e.n_features; j++)
        if (x->e.zero_missing[j])
            return mli_export_refuse(x, "XGBoost", "zeros that count as missing");
    /* Codes that no dictionary knows occur only where there is no dictionary. */
    for (int64_t i = 0; i < x->e.n_nodes; i++) {
        if (!x->e.left[i] || !(x->e.flags[i] & MLI_NODE_CATEGORICAL)) continue;
        if (x->inputs->features[x->e.feature[i]].kind == MLI_CATEGORICAL) continue;
        if (!mli_ensemble_goes_left(&x->e, i, -1))
            return mli_export_refuse(x, "XGBoost",
                                     "splits whose unknown categories go right");
    }
    return ML_OK;
}

/* ---- numbers ---- */

static float float_of(double v)
{
    return v > (double)FLT_MAX ? FLT_MAX : v < -(double)FLT_MAX ? -FLT_MAX : (float)v;
}

static float threshold_of(double v)
{
    float f = float_of(v);
    if ((double)f > v) f = nextafterf(f, -INFINITY);
    return float_of((double)nextafterf(f, INFINITY));
}

/* With a point: XGBoost tells floats from whole numbers by their text. */
static void put_number(mli_str *s, float v)
{
    char text[MLI_NUM_SIZE];
    mli_format_f64((double)v, text);
    mli_str_add(s, text);
    if (!strpbrk(text, ".eE")) mli_str_add(s, ".0");
}

/* "key": [value of each node of a tree] */
typedef void (*node_value)(const writer *w, int64_t first, int64_t i);

static void put_array(const writer *w, int64_t t, const char *key, node_value put)
{
    mli_str *s = w->x->s;
    const mli_ensemble *e = &w->x->e;
    mli_str_printf(s, ", \"%s\": [", key);
    for (int64_t i = e->start[t]; i < e->start[t + 1]; i++) {
        if (i > e->start[t]) mli_str_char(s, ',');
        put(w, e->start[t], i);
    }
    mli_str_char(s, ']');
}

static int is_set(const mli_ensemble *e, int64_t i)
{
    return e->left[i] && (e->flags[i] & MLI_NODE_CATEGORICAL);
}

static void put_left(const writer *w, int64_t first, int64_t i)
{
    (void)first;
    mli_str_i64(w->x->s, w->x->e.left[i] ? w->x->e.left[i] : -1);
}
static void put_right(const writer *w, int64_t first, int64_t i)
{
    (void)first;
    mli_str_i64(w->x->s, w->x->e.left[i] ? w->x->e.left[i] + 1 : -1);
}
static void put_parent(const writer *w, int64_t first, int64_t i)
{
    mli_str_i64(w->x->s, i == first ? 2147483647 : w->parent[i - first]);
}
static void put_feature(const writer *w, int64_t first, int64_t i)
{
    (void)first;
    mli_str_i64(w->x->s, w->x->e.left[i] ? w->x->e.feature[i] : 0);
}
static void put_condition(const writer *w, int64_t first, int64_t i)
{
    const mli_export_job *x = w->x;
    (void)first;
    if (!x->e.left[i])
        put_number(x->s, float_of(x->e.value[i] * x->scale));
    else
        put_number(x->s, is_set(&x->e, i) ? 0 : threshold_of(x->e.threshold[i]));
}
static void put_default(const writer *w, int64_t first, int64_t i)
{
    const mli_ensemble *e = &w->x->e;
    (void)first;
    mli_str_i64(w->x->s, e->left[i] && mli_ensemble_goes_left(e, i, (double)NAN));
}
static void put_type(const writer *w, int64_t first, int64_t i)
{
    (void)first;
    mli_str_i64(w->x->s, is_set(&w->x->e, i));
}
static void put_weight(const writer *w, int64_t first, int64_t i)
{
    (void)first;
    put_number(w->x->s, float_of(w->x->e.value[i] * w->x->scale));
}
static void put_cover(const writer *w, int64_t first, int64_t i)
{
    double v = w->x->e.cover[i];
    (void)first;
    put_number(w->x->s, isfinite(v) ? float_of(v) : 0);
}
static void put_gain(const writer *w, int64_t first, int64_t i)
{
    double v = w->x->e.left[i] ? w->x->e.gain[i] : 0;
    (void)first;
    put_number(w->x->s, isfinite(v) ? float_of(v) : 0);
}

/* ---- trees ---- */

/* Codes that go right, of all nodes with sets, and where those of each node begin. */
static void put_categories(const writer *w, int64_t t)
{
    const mli_ensemble *e = &w->x->e;
    mli_str *s = w->x->s, nodes, begins, sizes;
    int64_t total = 0;
    mli_str_init(&nodes, s->ctx);
    mli_str_init(&begins, s->ctx);
    mli_str_init(&sizes, s->ctx);
    mli_str_add(s, ", \"categories\": [");
    for (int64_t i = e->start[t]; i < e->start[t + 1]; i++) {
        if (!is_set(e, i)) continue;
        int64_t j = e->feature[i], begin = total;
        int64_t n = e->level_start[j + 1] - e->level_start[j];
        for (int64_t code = 0; code < n; code++) {
            if (mli_ensemble_goes_left(e, i, (double)code)) continue;
            mli_str_printf(s, total++ ? ",%lld" : "%lld", (long long)code);
        }
        /* XGBoost refuses empty lists: a code that does not occur. */
        if (total == begin) mli_str_printf(s, total++ ? ",%lld" : "%lld", (long long)n);
        const char *comma = nodes.size ? "," : "";
        mli_str_printf(&nodes, "%s%lld", comma, (long long)(i - e->start[t]));
        mli_str_printf(&begins, "%s%lld", comma, (long long)begin);
        mli_str_printf(&sizes, "%s%lld", comma, (long long)(total - begin));
    }
    mli_str_printf(s,
                   "], \"categories_nodes\": [%s], \"categories_segments\": [%s], "
                   "\"categories_sizes\": [%s]",
                   nodes.data, begins.data, sizes.data);
    if (nodes.failed || begins.failed || sizes.failed) s->failed = 1;
    mli_str_free(&nodes);
    mli_str_free(&begins);
    mli_str_free(&sizes);
}

static void put_param(const writer *w, int64_t nodes)
{
    mli_str_printf(w->x->s,
                   "\"tree_param\": {\"num_deleted\": \"0\", \"num_feature\": \"%lld\", "
                   "\"num_nodes\": \"%lld\", \"size_leaf_vector\": \"1\"}",
                   (long long)w->x->e.n_features, (long long)nodes);
}

static void put_tree(const writer *w, int64_t t)
{
    static const struct {
        const char *key;
        node_value put;
    } arrays[] = {{"left_children", put_left},
                  {"right_children", put_right},
                  {"parents", put_parent},
                  {"split_indices", put_feature},
                  {"split_conditions", put_condition},
                  {"default_left", put_default},
                  {"split_type", put_type},
                  {"base_weights", put_weight},
                  {"sum_hessian", put_cover},
                  {"loss_changes", put_gain}};
    const mli_ensemble *e = &w->x->e;
    int64_t first = e->start[t], n = e->start[t + 1] - first;
    for (int64_t i = 0; i < n; i++) {
        if (!e->left[first + i]) continue;
        w->parent[e->left[first + i]] = i;
        w->parent[e->left[first + i] + 1] = i;
    }
    mli_str_printf(w->x->s, "%s{\"id\": %lld, ", t ? ",\n" : "\n", (long long)t);
    put_param(w, n);
    for (size_t a = 0; a < sizeof arrays / sizeof arrays[0]; a++)
        put_array(w, t, arrays[a].key, arrays[a].put);
    put_categories(w, t);
    mli_str_char(w->x->s, '}');
}

/* A tree of one leaf. */
static void put_leaf(const writer *w, int64_t id, double value)
{
    mli_str *s = w->x->s;
    mli_str_printf(s, "%s{\"id\": %lld, ", id ? ",\n" : "\n", (long long)id);
    put_param(w, 1);
    mli_str_add(s,
                ", \"left_children\": [-1], \"right_children\": [-1], "
                "\"parents\": [2147483647], \"split_indices\": [0], "
                "\"default_left\": [0], \"split_type\": [0], \"sum_hessian\": [0.0], "
                "\"loss_changes\": [0.0], \"categories\": [], \"categories_nodes\": [], "
                "\"categories_segments\": [], \"categories_sizes\": [], "
                "\"split_conditions\": [");
    put_number(s, float_of(value * w->x->scale));
    mli_str_add(s, "], \"base_weights\": [");
    put_number(s, float_of(value * w->x->scale));
    mli_str_add(s, "]}");
}

static void put_trees(const writer *w)
{
    const mli_ensemble *e = &w->x->e;
    mli_str *s = w->x->s;
    int64_t n = e->n_trees + e->n_scores;
    mli_str_printf(
        s,
        "\"gbtree_model_param\": {\"num_parallel_tree\": \"1\", \"num_trees\": "
        "\"%lld\"}, \"iteration_indptr\": [",
        (long long)n);
    for (int64_t i = 0; i <= n; i += e->n_scores)
        mli_str_printf(s, i ? ",%lld" : "%lld", (long long)i);
    mli_str_add(s, "], \"tree_info\": [");
    for (int64_t t = 0; t < n; t++)
        mli_str_printf(s, t ? ",%lld" : "%lld", (long long)(t % e->n_scores));
    mli_str_add(s, "], \"trees\": [");
    for (int64_t t = 0; t < e->n_trees; t++) put_tree(w, t);
    for (int64_t k = 0; k < e->n_scores; k++) put_leaf(w, e->n_trees + k, e->base[k]);
    mli_str_add(s, "]");
}

/* ---- features ---- */

static int has_sets(const mli_export_job *x, int64_t feature)
{
    return x->inputs->features[feature].kind == MLI_CATEGORICAL ||
           (x->e.n_sets && x->e.level_start[feature + 1] > x->e.level_start[feature]);
}

/* XGBoost forbids [, ] and < in names. */
static void put_name(mli_str *s, const char *name)
{
    mli_str copy;
    mli_str_init(&copy, s->ctx);
    mli_str_add(&copy, name);
    for (size_t i = 0; i < copy.size; i++)
        if (strchr("[]<", copy.data[i])) copy.data[i] = '_';
    if (copy.failed) s->failed = 1;
    mli_json_str(s, copy.data);
    mli_str_free(&copy);
}

static void put_features(const writer *w)
{
    const mli_export_job *x = w->x;
    mli_str_add(x->s, "\"feature_names\": [");
    for (int64_t j = 0; j < x->e.n_features; j++) {
        if (j) mli_str_add(x->s, ", ");
        put_name(x->s, x->inputs->features[j].name);
    }
    mli_str_add(x->s, "], \"feature_types\": [");
    for (int64_t j = 0; j < x->e.n_features; j++)
        mli_str_printf(x->s, "%s\"%s\"", j ? ", " : "", has_sets(x, j) ? "c" : "float");
    mli_str_add(x->s, "]");
}

static int64_t largest_tree(const mli_ensemble *e)
{
    int64_t n = 1;
    for (int64_t t = 0; t < e->n_trees; t++)
        if (e->start[t + 1] - e->start[t] > n) n = e->start[t + 1] - e->start[t];
    return n;
}

ml_status mli_export_xgboost(mli_export_job *x)
{
    writer w = {.x = x};
    mli_str *s = x->s;
    ml_status status = choose_objective(&w);
    if (!status) status = check(&w);
    if (status) return status;
    w.parent = mli_calloc(s->ctx, (size_t)largest_tree(&x->e) + 1, sizeof *w.parent);
    if (!w.parent) return mli_nomem(x->err);
    mli_str_add(s, "{\"version\": [2, 1, 4], \"learner\": {\"attributes\": {}, ");
    put_features(&w);
    mli_str_add(s, ", \"gradient_booster\": {\"name\": \"gbtree\", \"model\": {");
    put_trees(&w);
    mli_str_printf(s,
                   "}}, \"learner_model_param\": {\"base_score\": \"%s\", "
                   "\"boost_from_average\": \"0\", \"num_class\": \"%lld\", "
                   "\"num_feature\": \"%lld\", \"num_target\": \"%lld\"}, ",
                   w.base, (long long)w.classes, (long long)x->e.n_features,
                   (long long)(x->inputs->n_targets ? x->e.n_scores : 1));
    mli_str_printf(s, "\"objective\": {\"name\": \"%s\", ", w.objective);
    if (w.param)
        mli_str_add(s, w.param);
    else
        mli_str_printf(s, "\"softmax_multiclass_param\": {\"num_class\": \"%lld\"}",
                       (long long)w.classes);
    mli_str_add(s, "}}}\n");
    mli_free(s->ctx, w.parent);
    return ML_OK;
}
