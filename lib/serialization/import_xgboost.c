/* SPDX-License-Identifier: MIT
 *
 * import_xgboost.c: models that XGBoost 1.0 and later saves as JSON or UBJSON: gbtree and
 * dart.
 *
 * XGBoost compares floats: a row goes left when (float)x < threshold. The thresholds here
 * are doubles chosen so that x <= threshold says the same of every double x. A category
 * in a node's list goes right, any other left, a missing value where default_left says.
 * Scores are sums of floats, also here (float_sums of trees/ensemble.h), in the same
 * order. base_score is a prediction, not a score: it goes back through the link.
 */
#include "serialization/import.h"
#include "serialization/import_value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct xgb {
    mli_import *im;
    const mli_item *learner, *model;
    const mli_item *drop;   /* weights of dart's trees, or NULL */
    mli_import_node *nodes; /* [capacity] */
    int64_t capacity;
    int32_t *set; /* [nodes] of the present tree */
    int linear;   /* the booster is gblinear */
    int version;  /* that wrote the file: 1000 * major + minor */
    char place[96];
} xgb;

static ml_status unsupported(const xgb *x, const char *what)
{
    return mli_fail(x->im->err, ML_E_UNSUPPORTED,
                    "the model has %s, which cannot be imported", what);
}

/* ---- objectives ---- */

static const struct {
    const char *name, *param;
    int32_t link; /* where `param` does not say it */
    int classes;  /* 0: a number; 2: two; -1: as many as there are */
    int base; /* what base_score is: 'i' a score, 'p' a probability, 'e' e^score, 'r' a
               * probability before version 1.3, then a score */
} objectives[] = {
    {"reg:squarederror", "squared", 0, 0, 'i'},
    {"reg:linear", "squared", 0, 0, 'i'},
    {"reg:squaredlogerror", "squared", 0, 0, 'i'},
    {"reg:pseudohubererror", "huber", 0, 0, 'i'},
    {"reg:absoluteerror", "absolute", 0, 0, 'i'},
    {"reg:quantileerror", "quantile", 0, 0, 'i'},
    {"reg:expectileerror", "squared", 0, 0, 'i'},
    {"reg:logistic", "squared", MLI_LINK_SIGMOID, 0, 'p'},
    {"reg:gamma", "gamma", 0, 0, 'e'},
    {"reg:tweedie", "tweedie", 0, 0, 'e'},
    {"count:poisson", "poisson", 0, 0, 'e'},
    {"survival:cox", "squared", MLI_LINK_EXP, 0, 'e'},
    {"survival:aft", "squared", MLI_LINK_EXP, 0, 'e'},
    {"rank:pairwise", "squared", 0, 0, 'i'},
    {"rank:ndcg", "squared", 0, 0, 'i'},
    {"rank:map", "squared", 0, 0, 'i'},
    {"binary:logistic", "logistic", 0, 2, 'p'},
    {"binary:logitraw", "logistic", 0, 2, 'r'},
    {"binary:hinge", "logistic", MLI_LINK_STEP, 2, 'i'},
    {"multi:softprob", "softmax", 0, -1, 'i'},
    {"multi:softmax", "softmax", 0, -1, 'i'},
};
#define N_OBJECTIVES (int)(sizeof objectives / sizeof objectives[0])

/* "[5E-1]", "[1E0,2E0]", "5E-1" or a number. */
static ml_status read_base(xgb *x, const mli_item *params, int64_t n, int how)
{
    const mli_item *item = mli_item_get(params, "base_score");
    mli_import *im = x->im;
    double v = 0.5;
    int64_t count = 0;
    if (item && item->type == MLI_V_TEXT) {
        const char *p = item->as.text + (item->as.text[0] == '[');
        for (; *p && *p != ']'; count++) {
            size_t size = strcspn(p, ",]");
            if (!mli_parse_f64(p, p + size, &v) || count >= n) break;
            im->base[count] = v;
            p += size + (p[size] == ',');
        }
        if (*p && strcmp(p, "]") != 0) count = 0;
    } else if (item && item->type == MLI_V_NUMBER) {
        im->base[0] = v = item->as.number;
        count = 1;
    }
    if (count != 1 && count != n) {
        mli_fail(im->err, ML_E_FORMAT, "\"base_score\" is not a number for every score");
        return mli_error_at(im->err, ML_E_FORMAT, "learner.learner_model_param");
    }
    for (int64_t k = count; k < n; k++) im->base[k] = v;
    for (int64_t k = 0; k < n; k++) { /* as XGBoost: in floats */
        float b = (float)im->base[k];
        if (how == 'p' || (how == 'r' && x->version < 1003)) b = -logf(1.0F / b - 1.0F);
        if (how == 'e') b = logf(b);
        im->base[k] = (double)b;
        if (isfinite(b)) continue;
        mli_fail(im->err, ML_E_FORMAT, "\"base_score\" is out of range");
        return mli_error_at(im->err, ML_E_FORMAT, "learner.learner_model_param");
    }
    return ML_OK;
}

/* Several targets are numbers, also probabilities of labels that do not exclude each
 * other. */
static ml_status several(xgb *x)
{
    mli_import *im = x->im;
    if (strcmp(im->objective, "reg:expectileerror") == 0)
        return unsupported(x, "several expectiles");
    if (im->n_classes == 2 && !im->link) {
        im->link = MLI_LINK_SIGMOID;
        if (strcmp(im->objective, "binary:logitraw") == 0) im->link = MLI_LINK_IDENTITY;
    }
    if (im->n_classes) im->param = "squared";
    im->n_classes = 0;
    return ML_OK;
}

static ml_status read_objective(xgb *x)
{
    const mli_item *params, *objective, *name;
    mli_import *im = x->im;
    int64_t classes, targets, i = 0;
    ml_status s = mli_item_need(x->learner, "learner", "learner_model_param",
                                MLI_V_OBJECT, &params, im->err);
    if (!s)
        s = mli_item_need(x->learner, "learner", "objective", MLI_V_OBJECT, &objective,
                          im->err);
    if (!s)
        s = mli_item_need(objective, "learner.objective", "name", MLI_V_TEXT, &name,
                          im->err);
    if (!s)
        s = mli_item_whole(params, "learner.learner_model_param", "num_class", 0, 0,
                           65536, &classes, im->err);
    if (!s)
        s = mli_item_whole(params, "learner.learner_model_param", "num_target", 1, 0,
                           65536, &targets, im->err);
    if (s) return s;
    snprintf(im->objective, sizeof im->objective, "%s", name->as.text);
    while (i < N_OBJECTIVES && strcmp(objectives[i].name, name->as.text) != 0) i++;
    if (i == N_OBJECTIVES)
        return mli_fail(im->err, ML_E_UNSUPPORTED,
                        "the objective \"%s\" is not known here", im->objective);
    if (objectives[i].classes < 0 && classes < 2)
        return mli_fail(im->err, ML_E_FORMAT, "%s with %lld classes", im->objective,
                        (long long)classes);
    im->param = objectives[i].param;
    im->link = objectives[i].link;
    im->n_classes = objectives[i].classes < 0 ? classes : objectives[i].classes;
    int64_t n = objectives[i].classes < 0 ? classes : targets > 1 ? targets : 1;
    s = objectives[i].classes >= 0 && n > 1 ? several(x) : ML_OK;
    if (!s) s = mli_import_scores(im, n);
    return s ? s : read_base(x, params, n, im->base_is_score ? 'i' : objectives[i].base);
}

/* ---- features ---- */

/* Texts lie in one array of bytes, with their offsets. XGBoost 3.2 counts the offsets of
 * texts beyond ASCII in characters and cuts the bytes off: such names are lost, and the
 * feature takes codes as it did before there were names. */
static ml_status named_levels(xgb *x, int64_t j, const mli_item *enc, const char *place)
{
    const mli_item *offsets, *values;
    ml_status s = mli_item_numbers(enc, place, "offsets", -1, &offsets, x->im->err);
    if (!s) s = mli_item_numbers(enc, place, "values", -1, &values, x->im->err);
    if (s || offsets->n < 2) return s;
    int ascii = 1;
    for (int64_t i = 0; i < values->n; i++)
        ascii &= values->as.numbers[i] >= 0 && values->as.numbers[i] < 128;
    if (!ascii) return ML_OK;
    char *bytes = mli_alloc(x->im->ctx, (size_t)values->n + 1);
    if (!bytes) return mli_nomem(x->im->err);
    for (int64_t i = 0; i < values->n; i++) bytes[i] = (char)values->as.numbers[i];
    s = mli_import_levels(x->im, j, offsets->n - 1);
    for (int64_t k = 0; !s && k + 1 < offsets->n; k++) {
        double from = offsets->as.numbers[k], to = offsets->as.numbers[k + 1];
        if (!(from >= 0 && from <= to && to <= (double)values->n))
            s = mli_fail(x->im->err, ML_E_FORMAT, "the offsets in %s are damaged", place);
        else
            s = mli_import_level(x->im, j, k, bytes + (int64_t)from, (size_t)(to - from));
    }
    mli_free(x->im->ctx, bytes);
    return s;
}

static ml_status number_levels(xgb *x, int64_t j, const mli_item *enc, const char *place)
{
    const mli_item *values;
    char text[MLI_NUM_SIZE];
    ml_status s = mli_item_numbers(enc, place, "values", -1, &values, x->im->err);
    if (s || values->n == 0) return s;
    s = mli_import_levels(x->im, j, values->n);
    for (int64_t k = 0; !s && k < values->n; k++) {
        int n = mli_format_f64(values->as.numbers[k], text);
        s = mli_import_level(x->im, j, k, text, (size_t)n);
    }
    return s;
}

/* Since 3.1 models of data frames list the categories. */
static ml_status read_levels(xgb *x)
{
    const mli_item *cats = mli_item_get(x->model, "cats");
    const mli_item *enc = mli_item_get(cats, "enc");
    ml_status s = ML_OK;
    if (!enc || enc->type != MLI_V_ARRAY) return ML_OK;
    for (int64_t j = 0; !s && j < enc->n && j < x->im->n_features; j++) {
        const mli_item *e = &enc->as.items[j];
        char place[96];
        snprintf(place, sizeof place, "learner.gradient_booster.model.cats.enc[%lld]",
                 (long long)j);
        s = mli_item_get(e, "offsets")  ? named_levels(x, j, e, place)
            : mli_item_get(e, "values") ? number_levels(x, j, e, place)
                                        : ML_OK;
    }
    return s;
}

static ml_status read_features(xgb *x)
{
    mli_import *im = x->im;
    const mli_item *params = mli_item_get(x->learner, "learner_model_param");
    const mli_item *names = mli_item_get(x->learner, "feature_names");
    int64_t n;
    ml_status s = mli_item_whole(params, "learner.learner_model_param", "num_feature",
                                 NAN, 1, 16777216, &n, im->err);
    if (!s) s = mli_import_features(im, n);
    if (s || !names || names->n == 0) return s;
    if (names->type != MLI_V_ARRAY || names->n != n) {
        mli_fail(im->err, ML_E_FORMAT, "\"feature_names\" is not a list of %lld names",
                 (long long)n);
        return mli_error_at(im->err, ML_E_FORMAT, "learner");
    }
    for (int64_t j = 0; !s && j < n; j++) {
        const mli_item *name = &names->as.items[j];
        if (name->type == MLI_V_TEXT)
            s = mli_import_name(im, j, name->as.text, (size_t)name->n);
    }
    return s;
}

/* ---- trees ---- */

typedef struct tree {
    int64_t n;
    const double *left, *right, *index, *condition, *missing_left, *cover, *gain, *type;
    /* Trees of all scores: a vector for each leaf, whose number is in `right`
     * (since 3.1), or for each node. */
    const double *vectors;
    int64_t n_leaves; /* 0: for each node */
} tree;

static ml_status take(xgb *x, const mli_item *t, const char *key, int needed, int64_t n,
                      const double **out)
{
    const mli_item *item = NULL;
    *out = NULL;
    if (!needed && !mli_item_get(t, key)) return ML_OK;
    ml_status s = mli_item_numbers(t, x->place, key, n, &item, x->im->err);
    if (!s) *out = item->as.numbers;
    return s;
}

static ml_status damaged(const xgb *x, const char *what)
{
    mli_fail(x->im->err, ML_E_FORMAT, "%s", what);
    return mli_error_at(x->im->err, ML_E_FORMAT, "%s", x->place);
}

static ml_status read_vectors(xgb *x, const mli_item *t, tree *out)
{
    int64_t k = x->im->n_scores;
    const mli_item *leaves = mli_item_get(t, "leaf_weights");
    if (!leaves) return take(x, t, "base_weights", 1, out->n * k, &out->vectors);
    out->n_leaves = leaves->n / k;
    return take(x, t, "leaf_weights", 1, out->n_leaves * k, &out->vectors);
}

static ml_status read_arrays(xgb *x, const mli_item *t, tree *out)
{
    const mli_item *params, *left;
    int64_t size = 1;
    ml_status s =
        mli_item_need(t, x->place, "tree_param", MLI_V_OBJECT, &params, x->im->err);
    if (!s)
        s = mli_item_whole(params, x->place, "size_leaf_vector", 1, 0, 1000000, &size,
                           x->im->err);
    if (!s && size > 1 && size != x->im->n_scores)
        s = damaged(x, "its leaves do not have a value for each score");
    if (!s) s = mli_item_numbers(t, x->place, "left_children", -1, &left, x->im->err);
    if (s) return s;
    int64_t n = out->n = left->n;
    out->left = left->as.numbers;
    s = take(x, t, "right_children", 1, n, &out->right);
    if (!s) s = take(x, t, "split_indices", 1, n, &out->index);
    if (!s) s = take(x, t, "split_conditions", 1, n, &out->condition);
    if (!s) s = take(x, t, "default_left", 1, n, &out->missing_left);
    if (!s) s = take(x, t, "sum_hessian", 0, n, &out->cover);
    if (!s) s = take(x, t, "loss_changes", 0, n, &out->gain);
    if (!s) s = take(x, t, "split_type", 0, n, &out->type);
    return s || size < 2 ? s : read_vectors(x, t, out);
}

static int whole(double v, double low, double high)
{
    return v >= low && v <= high && floor(v) == v;
}

static ml_status add_set(xgb *x, const tree *t, int64_t node, const double *codes,
                         int64_t n)
{
    int32_t *list = mli_alloc(x->im->ctx, (size_t)n * sizeof *list + 8);
    if (!list) return mli_nomem(x->im->err);
    ml_status s = ML_OK;
    for (int64_t i = 0; !s && i < n; i++) {
        if (!whole(codes[i], 0, 16777216)) s = damaged(x, "a category out of range");
        if (!s) list[i] = (int32_t)codes[i];
    }
    if (!s && !whole(t->index[node], 0, (double)x->im->n_features - 1))
        s = damaged(x, "a split on a feature that the model does not have");
    if (!s)
        s = mli_import_add_set(x->im, (int32_t)t->index[node], 0,
                               t->missing_left[node] != 0, list, n, &x->set[node]);
    mli_free(x->im->ctx, list);
    return s;
}

static ml_status read_sets(xgb *x, const mli_item *item, const tree *t)
{
    const mli_item *all, *nodes, *begins, *sizes;
    ml_error *err = x->im->err;
    for (int64_t i = 0; i < t->n; i++) x->set[i] = -1;
    if (!mli_item_get(item, "categories_nodes")) return ML_OK;
    ml_status s = mli_item_numbers(item, x->place, "categories_nodes", -1, &nodes, err);
    if (!s) s = mli_item_numbers(item, x->place, "categories", -1, &all, err);
    if (!s)
        s = mli_item_numbers(item, x->place, "categories_segments", nodes->n, &begins,
                             err);
    if (!s)
        s = mli_item_numbers(item, x->place, "categories_sizes", nodes->n, &sizes, err);
    for (int64_t i = 0; !s && i < nodes->n; i++) {
        double node = nodes->as.numbers[i], begin = begins->as.numbers[i];
        double size = sizes->as.numbers[i];
        if (!whole(node, 0, (double)t->n - 1) || !whole(begin, 0, (double)all->n) ||
            !whole(size, 0, (double)all->n - begin) || x->set[(int64_t)node] >= 0)
            return damaged(x, "the categories of its splits are damaged");
        s = add_set(x, t, (int64_t)node, all->as.numbers + (int64_t)begin, (int64_t)size);
    }
    return s;
}

static ml_status read_node(xgb *x, const tree *t, int64_t i)
{
    mli_import_node *p = &x->nodes[i];
    *p = (mli_import_node){.left = -1, .right = -1, .set = -1};
    p->cover = t->cover ? t->cover[i] : 0;
    p->gain = t->gain ? t->gain[i] : 0;
    if (t->left[i] == -1) return ML_OK;
    if (!whole(t->left[i], 0, (double)t->n) || !whole(t->right[i], 0, (double)t->n) ||
        !whole(t->index[i], 0, (double)x->im->n_features - 1))
        return damaged(x, "a child or a feature out of range");
    p->left = (int64_t)t->left[i];
    p->right = (int64_t)t->right[i];
    p->feature = (int32_t)t->index[i];
    p->missing_left = t->missing_left[i] != 0;
    if (t->type && t->type[i] == 1) {
        p->set = x->set[i];
        return p->set < 0 ? damaged(x, "a split on categories has none") : ML_OK;
    }
    float threshold = (float)t->condition[i];
    p->threshold = mli_import_below_f32(threshold);
    if (threshold > -INFINITY) return ML_OK;
    /* No number is below: all of them go right. */
    p->threshold = INFINITY;
    p->left = (int64_t)t->right[i];
    p->right = (int64_t)t->left[i];
    p->missing_left = !p->missing_left;
    return ML_OK;
}

/* The values of score k, or of all scores when the trees are of one each. */
static ml_status read_leaves(xgb *x, const tree *t, int64_t k, double weight)
{
    for (int64_t i = 0; i < t->n; i++) {
        double at = t->n_leaves ? t->right[i] : (double)i, v = t->condition[i];
        if (t->left[i] != -1) continue;
        if (t->n_leaves && !whole(at, 0, (double)t->n_leaves - 1))
            return damaged(x, "a leaf whose values are not there");
        if (t->vectors) v = t->vectors[(int64_t)at * x->im->n_scores + k];
        x->nodes[i].value = (double)((float)v * (float)weight);
    }
    return ML_OK;
}

static ml_status reserve(xgb *x, int64_t n)
{
    if (n <= x->capacity) return ML_OK;
    mli_free(x->im->ctx, x->nodes);
    mli_free(x->im->ctx, x->set);
    x->nodes = mli_calloc(x->im->ctx, (size_t)n, sizeof *x->nodes);
    x->set = mli_calloc(x->im->ctx, (size_t)n, sizeof *x->set);
    x->capacity = n;
    return x->nodes && x->set ? ML_OK : mli_nomem(x->im->err);
}

static ml_status read_tree(xgb *x, const mli_item *item, int64_t score, double weight)
{
    tree t = {0};
    ml_status s = read_arrays(x, item, &t);
    if (!s) s = reserve(x, t.n);
    if (!s) s = read_sets(x, item, &t);
    /* A set that no node uses would do no harm, but its feature may be anything. */
    for (int64_t i = 0; !s && i < t.n; i++) s = read_node(x, &t, i);
    int64_t first = t.vectors ? 0 : score, end = t.vectors ? x->im->n_scores : score + 1;
    for (int64_t k = first; !s && k < end; k++) {
        s = read_leaves(x, &t, k, weight);
        if (!s) s = mli_import_tree(x->im, x->nodes, t.n, k);
    }
    return s;
}

static ml_status read_trees(xgb *x)
{
    const char *place = "learner.gradient_booster.model";
    const mli_item *trees = mli_item_get(x->model, "trees"), *info;
    mli_import *im = x->im;
    ml_status s;
    if (!trees || trees->type != MLI_V_ARRAY)
        return mli_item_need(x->model, place, "trees", MLI_V_ARRAY, &trees, im->err);
    s = mli_item_numbers(x->model, place, "tree_info", trees->n, &info, im->err);
    if (!s && x->drop && x->drop->n != trees->n)
        s = mli_fail(im->err, ML_E_FORMAT, "%lld weights of dropout for %lld trees",
                     (long long)x->drop->n, (long long)trees->n);
    for (int64_t t = 0; !s && t < trees->n; t++) {
        double score = info->as.numbers[t];
        snprintf(x->place, sizeof x->place, "%s.trees[%lld]", place, (long long)t);
        if (!whole(score, 0, (double)im->n_scores - 1))
            s = damaged(x, "it belongs to a class that the model does not have");
        else
            s = read_tree(x, &trees->as.items[t], (int64_t)score,
                          x->drop ? (double)(float)x->drop->as.numbers[t] : 1);
    }
    return s;
}

/* ---- the booster ---- */

static ml_status read_booster(xgb *x)
{
    const mli_item *booster, *name, *gbtree;
    const char *place = "learner.gradient_booster";
    ml_error *err = x->im->err;
    ml_status s = mli_item_need(x->learner, "learner", "gradient_booster", MLI_V_OBJECT,
                                &booster, err);
    if (!s) s = mli_item_need(booster, place, "name", MLI_V_TEXT, &name, err);
    if (s) return s;
    gbtree = booster;
    if (mli_item_is(name, "dart")) {
        s = mli_item_need(booster, place, "gbtree", MLI_V_OBJECT, &gbtree, err);
        if (!s) s = mli_item_numbers(booster, place, "weight_drop", -1, &x->drop, err);
    } else if (mli_item_is(name, "gblinear")) {
        x->linear = 1;
    } else if (!mli_item_is(name, "gbtree")) {
        return mli_fail(err, ML_E_UNSUPPORTED, "the booster \"%s\" is not known here",
                        name->as.text);
    }
    return s ? s : mli_item_need(gbtree, place, "model", MLI_V_OBJECT, &x->model, err);
}

/* weights[j * n_scores + k], the intercepts behind them. XGBoost 3.2 writes a base_score
 * for each class, but its gblinear adds the first to all scores; so do we. */
static ml_status read_linear(xgb *x)
{
    mli_import *im = x->im;
    int64_t n = im->n_features, k_n = im->n_scores;
    const mli_item *weights;
    im->float_sums = 0;
    const char *place = "learner.gradient_booster.model";
    ml_status s =
        mli_item_numbers(x->model, place, "weights", (n + 1) * k_n, &weights, im->err);
    if (s) return s;
    im->linear = mli_calloc(im->ctx, (size_t)(n * k_n), sizeof *im->linear);
    if (!im->linear) return mli_nomem(im->err);
    double first = im->base[0];
    for (int64_t k = 0; k < k_n; k++) {
        for (int64_t j = 0; j < n; j++)
            im->linear[k * n + j] = (double)(float)weights->as.numbers[j * k_n + k];
        im->base[k] = first + (double)(float)weights->as.numbers[n * k_n + k];
    }
    return ML_OK;
}

static void read_version(xgb *x, mli_import *im, const mli_item *root)
{
    const mli_item *v = mli_item_get(root, "version");
    snprintf(im->system, sizeof im->system, "XGBoost");
    if (!v || v->type != MLI_V_NUMBERS || v->n != 3) return;
    for (int64_t i = 0; i < 3; i++)
        if (!whole(v->as.numbers[i], 0, 1e6)) return;
    x->version = (int)v->as.numbers[0] * 1000 + (int)v->as.numbers[1];
    snprintf(im->system, sizeof im->system, "XGBoost %d.%d.%d", (int)v->as.numbers[0],
             (int)v->as.numbers[1], (int)v->as.numbers[2]);
}

ml_status mli_import_xgboost(mli_import *im, const mli_item *root)
{
    xgb x = {.im = im};
    im->float_sums = 1;
    read_version(&x, im, root);
    ml_status s = mli_item_need(root, "", "learner", MLI_V_OBJECT, &x.learner, im->err);
    if (!s) s = read_booster(&x);
    if (!s) s = read_objective(&x);
    if (!s) s = read_features(&x);
    if (!s) s = read_levels(&x);
    if (!s) s = x.linear ? read_linear(&x) : read_trees(&x);
    mli_free(im->ctx, x.nodes);
    mli_free(im->ctx, x.set);
    return s;
}
