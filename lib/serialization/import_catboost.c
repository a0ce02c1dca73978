/* SPDX-License-Identifier: MIT
 *
 * import_catboost.c: models that CatBoost saves as JSON: symmetric ("oblivious") trees,
 * where all nodes of a depth have the same split, and others. Its binary format becomes
 * the same document first: import_catboost_binary.c.
 *
 * A split asks (float)x > border; the answer of split i of a symmetric tree is bit i of
 * the leaf's number. A missing value answers as nan_value_treatment says. Splits on
 * categories: import_catboost_categories.c.
 */
#include "serialization/import_catboost.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 16 /* of symmetric trees */

typedef struct cat {
    mli_import *im;
    const mli_item *root;
    int64_t n_floats;
    int64_t *flat;     /* [n_floats] the place of a float feature among all */
    uint8_t *nan_true; /* [n_floats] */
    int64_t n_borders; /* of all float features */
    mli_cat_categories categories;
    mli_import_node *nodes;
    const mli_item **leaf; /* [capacity] of nested trees: the leaf of a node */
    int64_t capacity, n;
    char place[64];
} cat;

static ml_status bad(const cat *c, const char *what)
{
    mli_fail(c->im->err, ML_E_FORMAT, "%s", what);
    return mli_error_at(c->im->err, ML_E_FORMAT, "%s", c->place);
}

static ml_status refuse(const cat *c, const char *what)
{
    return mli_fail(c->im->err, ML_E_UNSUPPORTED,
                    "the model has %s, which cannot be imported", what);
}

/* ---- features ---- */

/* The features of a list are at the places that they have among all. */
static ml_status find_places(const cat *c, const mli_item *list, int64_t *flat,
                             int64_t *n)
{
    int64_t at;
    for (int64_t i = 0; list && i < list->n; i++) {
        ml_status s = mli_item_whole(&list->as.items[i], c->place, "flat_feature_index",
                                     NAN, 0, 16777215, &at, c->im->err);
        if (s) return s;
        if (flat) flat[i] = at;
        if (at + 1 > *n) *n = at + 1;
    }
    return ML_OK;
}

/* Features that the model does not list (drop_unused_features) are not of it: the others
 * move together. Returns how many there are, -1 without memory. */
static int64_t close_gaps(cat *c, const mli_item *floats, const mli_item *others,
                          int64_t n)
{
    const mli_item *lists[2] = {floats, others};
    mli_cat_index *flat = &c->categories.flat;
    int64_t at = 0, count = 0;
    flat->place = mli_alloc_vec(c->im->ctx, n + 1, sizeof *flat->place);
    if (!flat->place) return -1;
    flat->n = n;
    for (int64_t j = 0; j < n; j++) flat->place[j] = -1;
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; lists[k] && i < lists[k]->n; i++)
            if (!mli_item_whole(&lists[k]->as.items[i], "", "flat_feature_index", NAN, 0,
                                n - 1, &at, c->im->err))
                flat->place[at] = 0;
    for (int64_t j = 0; j < n; j++)
        if (flat->place[j] == 0) flat->place[j] = (int32_t)count++;
    return count;
}

/* A feature without a name keeps its number among all. */
ml_status mli_cat_name(const mli_cat_categories *c, const mli_item *feature, int64_t at,
                       int64_t flat)
{
    const mli_item *name = mli_item_get(feature, "feature_id");
    char number[24];
    if (name && name->type == MLI_V_TEXT && name->n > 0)
        return mli_import_name(c->im, at, name->as.text, (size_t)name->n);
    if (at == flat) return ML_OK;
    snprintf(number, sizeof number, "f%lld", (long long)flat);
    return mli_import_name(c->im, at, number, strlen(number));
}

/* Text and embeddings become features by calculations that are not done here. */
static ml_status refuse_features(const cat *c, const mli_item *info)
{
    const mli_item *others = mli_item_get(info, "text_features");
    if (others && others->n > 0) return refuse(c, "text features");
    others = mli_item_get(info, "embedding_features");
    if (others && others->n > 0) return refuse(c, "embeddings");
    return ML_OK;
}

static ml_status read_float(cat *c, const mli_item *f, int64_t i)
{
    const mli_item *borders = mli_item_get(f, "borders");
    int64_t flat = c->flat[i];
    c->nan_true[i] =
        (uint8_t)mli_item_is(mli_item_get(f, "nan_value_treatment"), "AsTrue");
    if (borders && borders->type == MLI_V_NUMBERS) c->n_borders += borders->n;
    c->flat[i] = c->categories.flat.place[flat];
    return mli_cat_name(&c->categories, f, c->flat[i], flat);
}

static ml_status read_features(cat *c)
{
    const mli_item *info, *list = NULL, *others;
    mli_import *im = c->im;
    int64_t n = 0;
    snprintf(c->place, sizeof c->place, "features_info");
    ml_status s =
        mli_item_need(c->root, "", "features_info", MLI_V_OBJECT, &info, im->err);
    if (s) return s;
    others = mli_item_get(info, "categorical_features");
    if (others && others->type != MLI_V_ARRAY) others = NULL;
    list = mli_item_get(info, "float_features"); /* may be missing beside categories */
    if (!others || list)
        s = mli_item_need(info, c->place, "float_features", MLI_V_ARRAY, &list, im->err);
    if (!s) s = refuse_features(c, info);
    if (s) return s;
    c->n_floats = list ? list->n : 0;
    c->flat = mli_calloc(im->ctx, (size_t)c->n_floats + 1, sizeof *c->flat);
    c->nan_true = mli_calloc(im->ctx, (size_t)c->n_floats + 1, 1);
    if (!c->flat || !c->nan_true) return mli_nomem(im->err);
    s = find_places(c, list, c->flat, &n);
    if (!s) s = find_places(c, others, NULL, &n);
    if (!s) n = close_gaps(c, list, others, n);
    if (!s) s = n < 0 ? mli_nomem(im->err) : mli_import_features(im, n);
    for (int64_t i = 0; !s && i < c->n_floats; i++)
        s = read_float(c, &list->as.items[i], i);
    if (!s) s = mli_cat_number(&c->categories, list, &c->categories.floats);
    c->categories.float_flat = c->flat;
    c->categories.float_nan_true = c->nan_true;
    return s ? s : mli_cat_read(&c->categories, c->root, c->n_borders);
}

/* ---- the loss ---- */

static const struct {
    const char *name, *param;
    int32_t link;
    int classes; /* -1: as many as there are scores */
} losses[] = {
    {"RMSE", "squared", 0, 0},
    {"MAE", "absolute", 0, 0},
    {"Quantile", "quantile", 0, 0},
    {"MultiQuantile", "quantile", 0, 0},
    {"MAPE", "absolute", 0, 0},
    {"Lq", "squared", 0, 0},
    {"Huber", "huber", 0, 0},
    {"Expectile", "squared", 0, 0},
    {"LogCosh", "squared", 0, 0},
    {"Poisson", "poisson", 0, 0},
    {"Tweedie", "tweedie", 0, 0},
    {"LogLinQuantile", "squared", 0, 0},
    {"Cox", "squared", 0, 0},
    {"QueryRMSE", "squared", 0, 0},
    {"YetiRank", "squared", 0, 0},
    {"YetiRankPairwise", "squared", 0, 0},
    {"PairLogit", "squared", 0, 0},
    {"PairLogitPairwise", "squared", 0, 0},
    {"QuerySoftMax", "squared", 0, 0},
    {"LambdaMart", "squared", 0, 0},
    {"StochasticRank", "squared", 0, 0},
    {"StochasticFilter", "squared", 0, 0},
    {"QueryCrossEntropy", "squared", 0, 0},
    {"SurvivalAft", "squared", 0, 0},
    {"RMSPE", "squared", 0, 0},
    {"RMSEWithUncertainty", "squared", 0, 0}, /* mean, log of the standard deviation */
    {"PythonUserDefinedPerObject", "squared", 0, 0},
    {"PythonUserDefinedMultiTarget", "squared", 0, 0},
    {"GroupQuantile", "quantile", 0, 0},
    {"MultiRMSEWithMissingValues", "squared", 0, 0},
    {"MultiRMSE", "squared", 0, 0},
    {"MultiLogloss", "squared", MLI_LINK_SIGMOID, 0},
    {"MultiCrossEntropy", "squared", MLI_LINK_SIGMOID, 0},
    {"Logloss", "logistic", 0, 2},
    {"CrossEntropy", "logistic", 0, 2},
    {"Focal", "logistic", 0, 2},
    {"MultiClass", "softmax", 0, -1},
    {"MultiClassOneVsAll", "softmax", MLI_LINK_SIGMOID, -1},
};
#define N_LOSSES (int)(sizeof losses / sizeof losses[0])

/* Files before CatBoost 0.24 do not say how many scores there are: leaves do. */
static int64_t count_scores(const cat *c)
{
    const mli_item *trees = mli_item_get(c->root, "oblivious_trees");
    if (!trees || trees->type != MLI_V_ARRAY || trees->n == 0) return 1;
    const mli_item *values = mli_item_get(&trees->as.items[0], "leaf_values");
    const mli_item *splits = mli_item_get(&trees->as.items[0], "splits");
    int64_t depth = splits && splits->type == MLI_V_ARRAY ? splits->n : 0;
    if (!values || depth > DEPTH_MAX) return 1;
    int64_t scores = values->n >> depth;
    return scores > 0 ? scores : 1;
}

/* scale_and_bias: [scale, [bias, ...]], before version 1.0 [scale, bias], before 0.24
 * nothing. */
static ml_status read_bias(cat *c, double *scale, const double **bias, int64_t *n)
{
    const mli_item *both = mli_item_get(c->root, "scale_and_bias");
    snprintf(c->place, sizeof c->place, "scale_and_bias");
    *scale = 1;
    *bias = NULL;
    *n = count_scores(c);
    if (!both) return ML_OK;
    if (both->type == MLI_V_NUMBERS && both->n == 2) {
        *scale = both->as.numbers[0];
        *bias = &both->as.numbers[1];
        *n = 1;
    } else if (both->type == MLI_V_ARRAY && both->n == 2 &&
               both->as.items[0].type == MLI_V_NUMBER &&
               both->as.items[1].type == MLI_V_NUMBERS) {
        *scale = both->as.items[0].as.number;
        *bias = both->as.items[1].as.numbers;
        *n = both->as.items[1].n;
    } else {
        return bad(c, "it is not a number and a list of numbers");
    }
    if (!isfinite(*scale)) return bad(c, "the scale is not finite");
    for (int64_t k = 0; k < *n; k++)
        if (!isfinite((*bias)[k])) return bad(c, "a bias is not finite");
    if (*n == 0) *n = 1, *bias = NULL;
    return ML_OK;
}

static ml_status read_loss(cat *c, int64_t scores)
{
    const mli_item *info = mli_item_get(c->root, "model_info");
    const mli_item *params = mli_item_get(info, "params");
    const mli_item *type = mli_item_get(mli_item_get(params, "loss_function"), "type");
    mli_import *im = c->im;
    const char *name = type && type->type == MLI_V_TEXT ? type->as.text
                       : mli_item_get(info, "class_params")
                           ? scores == 1 ? "Logloss" : "MultiClass"
                           : "RMSE";
    int i = 0;
    while (i < N_LOSSES && strcmp(losses[i].name, name) != 0) i++;
    snprintf(im->objective, sizeof im->objective, "%s", name);
    if (i == N_LOSSES)
        return mli_fail(im->err, ML_E_UNSUPPORTED, "the loss \"%s\" is not known here",
                        im->objective);
    if (losses[i].classes > 0 && scores > 1)
        return bad(c, "several scores for two classes");
    if (losses[i].classes < 0 && scores < 2)
        return bad(c, "one score for several classes");
    im->param = losses[i].param;
    im->link = losses[i].link;
    im->n_classes = losses[i].classes < 0 ? scores : losses[i].classes;
    return mli_import_scores(im, scores);
}

/* With several targets each statistic has a table for every target. The binary format
 * tells them apart; JSON gives them one name, so that CatBoost itself cannot read it. */
static ml_status check_targets(cat *c)
{
    const mli_item *info = mli_item_get(c->root, "features_info");
    const mli_item *data = mli_item_get(c->root, "ctr_data");
    const mli_item *ctrs = mli_item_get(info, "ctrs");
    if (strncmp(c->im->objective, "Multi", 5) != 0 || c->im->n_classes ||
        strcmp(c->im->objective, "MultiQuantile") == 0)
        return ML_OK;
    for (int64_t i = 0; i < c->categories.n_ctrs; i++) {
        const mli_item *ctr = &ctrs->as.items[i], *type = mli_item_get(ctr, "ctr_type");
        const mli_item *name = mli_item_get(ctr, "identifier");
        if (mli_item_is(type, "Counter") || mli_item_is(type, "FeatureFreq") || !name ||
            name->type != MLI_V_TEXT ||
            !mli_item_get(mli_item_get(data, name->as.text), "hash_map"))
            continue;
        mli_fail(c->im->err, ML_E_UNSUPPORTED,
                 "statistics of categories of several targets, which CatBoost's JSON "
                 "mixes up");
        return mli_error_hint(c->im->err, ML_E_UNSUPPORTED,
                              "save the model in CatBoost's own format: "
                              "model.save_model(\"model.cbm\")");
    }
    return ML_OK;
}

static ml_status read_labels(cat *c)
{
    const mli_item *info = mli_item_get(c->root, "model_info");
    const mli_item *params = mli_item_get(info, "class_params");
    const mli_item *names = mli_item_get(params, "class_names");
    int boolean = mli_item_is(mli_item_get(params, "class_label_type"), "Boolean");
    mli_import *im = c->im;
    char text[MLI_NUM_SIZE];
    int64_t n = im->n_classes;
    if (!names || n == 0 || names->n != n) return ML_OK;
    ml_status s = mli_import_labels(im, n);
    for (int64_t k = 0; !s && k < n; k++) {
        if (names->type == MLI_V_NUMBERS) {
            double v = names->as.numbers[k];
            if (boolean)
                snprintf(text, sizeof text, "%s", v != 0 ? "true" : "false");
            else
                mli_format_f64(v, text);
            s = mli_import_label(im, k, text, strlen(text));
        } else if (names->type == MLI_V_ARRAY && names->as.items[k].type == MLI_V_TEXT) {
            s = mli_import_label(im, k, names->as.items[k].as.text,
                                 (size_t)names->as.items[k].n);
        } else {
            snprintf(c->place, sizeof c->place, "model_info.class_params");
            s = bad(c, "a class name is not a text or a number");
        }
    }
    return s;
}

/* ---- trees ---- */

static ml_status reserve(cat *c, int64_t n)
{
    if (n <= c->capacity) return ML_OK;
    int64_t room = n > 2 * c->capacity ? n : 2 * c->capacity;
    size_t a = (size_t)room * sizeof *c->nodes, b = (size_t)room * sizeof *c->leaf;
    ml_context *ctx = c->im->ctx;
    void *nodes = c->nodes ? mli_realloc(ctx, c->nodes, a) : mli_alloc(ctx, a);
    if (nodes) c->nodes = nodes;
    void *leaf = c->leaf ? mli_realloc(ctx, (void *)c->leaf, b) : mli_alloc(ctx, b);
    if (leaf) c->leaf = leaf;
    if (!nodes || !leaf) return mli_nomem(c->im->err);
    c->capacity = room;
    return ML_OK;
}

static ml_status read_split(cat *c, const mli_item *split, mli_import_node *p)
{
    int64_t f;
    double border;
    *p = (mli_import_node){.left = -1, .right = -1, .set = -1};
    const mli_item *type = mli_item_get(split, "split_type");
    if (type && !mli_item_is(type, "FloatFeature"))
        return mli_cat_split(&c->categories, split, c->place, p);
    ml_status s = mli_cat_place(&c->categories, &c->categories.floats, split,
                                "float_feature_index", c->place, &f);
    if (!s) s = mli_item_number(split, c->place, "border", NAN, &border, c->im->err);
    if (s) return s;
    p->feature = (int32_t)c->flat[f];
    p->threshold = mli_import_upto_f32((float)border);
    p->missing_left = !c->nan_true[f];
    return ML_OK;
}

/* Only leaves say how many rows they had. Children come after their parents. */
static void add_covers(cat *c, int64_t n)
{
    for (int64_t i = n - 1; i >= 0; i--) {
        mli_import_node *p = &c->nodes[i];
        if (p->left >= 0) p->cover = c->nodes[p->left].cover + c->nodes[p->right].cover;
    }
}

/* A full tree: node i has the children 2i + 1 and 2i + 2; the last split is at the root,
 * so that the leaves lie in the order of their numbers. */
static ml_status symmetric(cat *c, const mli_item *tree, double scale)
{
    const mli_item *splits = mli_item_get(tree, "splits"), *values, *weights;
    mli_import *im = c->im;
    int64_t depth = splits && splits->type == MLI_V_ARRAY ? splits->n : 0;
    if (splits && splits->type != MLI_V_ARRAY && splits->type != MLI_V_NULL)
        return bad(c, "its splits are not a list");
    if (depth > DEPTH_MAX) return bad(c, "it is too deep");
    int64_t leaves = (int64_t)1 << depth;
    ml_status s = mli_item_numbers(tree, c->place, "leaf_values", leaves * im->n_scores,
                                   &values, im->err);
    if (!s) s = reserve(c, 2 * leaves);
    if (s) return s;
    weights = mli_item_get(tree, "leaf_weights");
    if (weights && (weights->type != MLI_V_NUMBERS || weights->n != leaves))
        weights = NULL;
    for (int64_t d = 0; !s && d < depth; d++) {
        mli_import_node p;
        s = read_split(c, &splits->as.items[depth - 1 - d], &p);
        for (int64_t i = ((int64_t)1 << d) - 1; i < ((int64_t)2 << d) - 1; i++) {
            c->nodes[i] = p;
            c->nodes[i].left = 2 * i + 1;
            c->nodes[i].right = 2 * i + 2;
        }
    }
    for (int64_t k = 0; !s && k < im->n_scores; k++) {
        for (int64_t i = 0; i < leaves; i++)
            c->nodes[leaves - 1 + i] = (mli_import_node){
                .left = -1,
                .right = -1,
                .set = -1,
                .value = scale * values->as.numbers[i * im->n_scores + k],
                .cover = weights ? weights->as.numbers[i] : 0};
        add_covers(c, 2 * leaves - 1);
        s = mli_import_tree(im, c->nodes, 2 * leaves - 1, k);
    }
    return s;
}

/* Documents are at most 64 deep, so that recursion is safe. */
static ml_status nested_node(cat *c, const mli_item *node, int64_t *at)
{
    ml_status s = reserve(c, c->n + 1);
    if (s) return s;
    int64_t i = *at = c->n++, child;
    c->leaf[i] = node;
    const mli_item *left = mli_item_get(node, "left"),
                   *right = mli_item_get(node, "right");
    const mli_item *split = mli_item_get(node, "split");
    if (!split) {
        c->nodes[i] = (mli_import_node){.left = -1, .right = -1, .set = -1};
        return ML_OK;
    }
    if (!left || !right) return bad(c, "a split without two children");
    s = read_split(c, split, &c->nodes[i]);
    if (!s) s = nested_node(c, left, &child);
    if (!s) c->nodes[i].left = child;
    if (!s) s = nested_node(c, right, &child);
    if (!s) c->nodes[i].right = child;
    return s;
}

static ml_status nested(cat *c, const mli_item *tree, double scale)
{
    mli_import *im = c->im;
    int64_t root;
    c->n = 0;
    ml_status s = nested_node(c, tree, &root);
    for (int64_t k = 0; !s && k < im->n_scores; k++) {
        for (int64_t i = 0; i < c->n; i++) {
            if (c->nodes[i].left >= 0) continue;
            const mli_item *v = mli_item_get(c->leaf[i], "value");
            int one = v && v->type == MLI_V_NUMBER && im->n_scores == 1;
            if (!one && (!v || v->type != MLI_V_NUMBERS || v->n != im->n_scores))
                return bad(c, "a leaf without a value for each score");
            c->nodes[i].value = scale * (one ? v->as.number : v->as.numbers[k]);
            v = mli_item_get(c->leaf[i], "weight");
            c->nodes[i].cover = v && v->type == MLI_V_NUMBER ? v->as.number : 0;
        }
        add_covers(c, c->n);
        s = mli_import_tree(im, c->nodes, c->n, k);
    }
    return s;
}

static ml_status read_trees(cat *c, double scale)
{
    const char *key = "oblivious_trees";
    const mli_item *trees = mli_item_get(c->root, key);
    ml_status s = ML_OK;
    int flat = trees != NULL;
    if (!flat) trees = mli_item_get(c->root, key = "trees");
    if (!trees || trees->type != MLI_V_ARRAY)
        return mli_item_need(c->root, "", key, MLI_V_ARRAY, &trees, c->im->err);
    for (int64_t t = 0; !s && t < trees->n; t++) {
        snprintf(c->place, sizeof c->place, "%s[%lld]", key, (long long)t);
        s = flat ? symmetric(c, &trees->as.items[t], scale)
                 : nested(c, &trees->as.items[t], scale);
    }
    return s;
}

ml_status mli_import_catboost(mli_import *im, const mli_item *root)
{
    cat c = {.im = im, .root = root, .categories = {.im = im}};
    const double *bias = NULL;
    double scale = 1;
    int64_t scores = 1;
    snprintf(im->system, sizeof im->system, "CatBoost");
    ml_status s = read_features(&c);
    if (!s) s = read_bias(&c, &scale, &bias, &scores);
    if (!s) s = read_loss(&c, scores);
    for (int64_t k = 0; !s && bias && k < scores; k++) im->base[k] = bias[k];
    if (!s) s = check_targets(&c);
    if (!s) s = read_labels(&c);
    if (!s) s = read_trees(&c, scale);
    mli_cat_free(&c.categories);
    mli_free(im->ctx, c.flat);
    mli_free(im->ctx, c.nan_true);
    mli_free(im->ctx, c.nodes);
    mli_free(im->ctx, (void *)c.leaf);
    return s;
}
