/* SPDX-License-Identifier: MIT
 *
 * import_onnx_trees.c: TreeEnsembleRegressor and TreeEnsembleClassifier.
 *
 * Nodes are named by a number of the tree and one in it, in any order; weights name a
 * node and a class. A tree whose leaves have weights for several classes becomes one tree
 * for each class. Runtimes compare floats, so thresholds become doubles that say the same
 * (import.h); with thresholds that are doubles already, they are taken as they are.
 *
 * Two classes with weights for one of them: that score is the second class's. After
 * LOGISTIC it is a probability; without a transform it is one when no weight is negative,
 * else a distance from the border between the classes.
 *
 * BRANCH_EQ and BRANCH_NEQ become splits on a category: of a number that is not whole the
 * whole part counts. A chain of BRANCH_EQ is one split on a set (export_onnx.c writes
 * them).
 */
#include "core/hashmap.h"
#include "serialization/import_onnx.h"

#include <math.h>
#include <string.h>

typedef struct forest {
    mli_import *im;
    const mli_onnx *g;
    const mli_onnx_node *node;
    int64_t n, n_trees;
    const double *tree, *id, *feature, *value, *yes, *no, *tracks;
    const mli_onnx_text *modes;
    int is_double; /* rows are compared, and trees added, as doubles */
    int64_t n_weights;
    const double *w_class, *weight;
    int64_t *start;           /* [n_trees + 1] into list */
    int64_t *list;            /* nodes by tree, the root first */
    int64_t *local;           /* [n] place in the tree */
    int64_t *tree_of;         /* [n] */
    int64_t *child[2];        /* [n] of yes and no, -1 for leaves */
    int64_t *first, *next;    /* weights of a node: first [n], next [n_weights] */
    mli_import_node *scratch; /* [n] */
    int32_t *set;             /* [n] */
    uint8_t *used;            /* [classes] in the present tree */
    mli_map nodes, trees;
} forest;

static ml_status bad(const forest *f, const char *what)
{
    mli_fail(f->g->err, ML_E_FORMAT, "%s", what);
    return mli_error_at(f->g->err, ML_E_FORMAT, "node %s", f->node->op.at);
}

static ml_status refuse(const forest *f, const char *what)
{
    return mli_fail(f->g->err, ML_E_UNSUPPORTED, "%s with %s cannot be imported",
                    f->node->op.at, what);
}

/* ---- attributes ---- */

static ml_status vector(forest *f, const char *name, int64_t n, const double **out)
{
    const mli_onnx_attribute *a;
    ml_status s = mli_onnx_numbers(f->g, f->node, name, n, &a);
    if (!s) *out = a->numbers;
    return s;
}

/* NAME, or NAME_as_tensor. */
static ml_status values(forest *f, const char *name, const char *tensor, int64_t n,
                        const double **out, int *is_double)
{
    const mli_onnx_attribute *a = mli_onnx_find(f->node, tensor);
    if (!a || a->n_numbers == 0) return vector(f, name, n, out);
    if (is_double) *is_double |= a->is_double;
    return vector(f, tensor, n, out);
}

static ml_status read_attributes(forest *f)
{
    const mli_onnx_attribute *a, *modes = mli_onnx_find(f->node, "nodes_modes");
    ml_status s = mli_onnx_numbers(f->g, f->node, "nodes_nodeids", -1, &a);
    if (s) return s;
    f->n = a->n_numbers;
    f->id = a->numbers;
    if (f->n < 1) return bad(f, "there are no nodes");
    if (!modes || modes->n_texts != f->n)
        return bad(f, "nodes_modes does not fit the nodes");
    f->modes = modes->texts;
    s = vector(f, "nodes_treeids", f->n, &f->tree);
    if (!s) s = vector(f, "nodes_featureids", f->n, &f->feature);
    if (!s) s = vector(f, "nodes_truenodeids", f->n, &f->yes);
    if (!s) s = vector(f, "nodes_falsenodeids", f->n, &f->no);
    if (!s)
        s = values(f, "nodes_values", "nodes_values_as_tensor", f->n, &f->value,
                   &f->is_double);
    a = mli_onnx_find(f->node, "nodes_missing_value_tracks_true");
    if (!s && a && a->n_numbers > 0)
        s = vector(f, "nodes_missing_value_tracks_true", f->n, &f->tracks);
    return s;
}

static ml_status alloc(forest *f, int64_t classes)
{
    size_t n = (size_t)f->n, size = sizeof(int64_t);
    ml_context *ctx = f->im->ctx;
    f->start = mli_calloc(ctx, n + 2, size);
    f->list = mli_calloc(ctx, n, size);
    f->local = mli_calloc(ctx, n, size);
    f->tree_of = mli_calloc(ctx, n, size);
    f->child[0] = mli_calloc(ctx, n, size);
    f->child[1] = mli_calloc(ctx, n, size);
    f->first = mli_calloc(ctx, n, size);
    f->next = mli_calloc(ctx, (size_t)f->n_weights + 1, size);
    f->scratch = mli_calloc(ctx, n, sizeof *f->scratch);
    f->set = mli_calloc(ctx, n, sizeof *f->set);
    f->used = mli_calloc(ctx, (size_t)classes, 1);
    return f->start && f->list && f->local && f->tree_of && f->child[0] && f->child[1] &&
                   f->first && f->next && f->scratch && f->set && f->used
               ? ML_OK
               : mli_nomem(f->g->err);
}

static void release(forest *f)
{
    ml_context *ctx = f->im->ctx;
    mli_free(ctx, f->start);
    mli_free(ctx, f->list);
    mli_free(ctx, f->local);
    mli_free(ctx, f->tree_of);
    mli_free(ctx, f->child[0]);
    mli_free(ctx, f->child[1]);
    mli_free(ctx, f->first);
    mli_free(ctx, f->next);
    mli_free(ctx, f->scratch);
    mli_free(ctx, f->set);
    mli_free(ctx, f->used);
    mli_map_free(&f->nodes);
    mli_map_free(&f->trees);
}

/* ---- which node is where ---- */

static int64_t find_node(const forest *f, double tree, double id)
{
    double key[2] = {tree, id};
    return mli_map_find(&f->nodes, (const char *)key, sizeof key);
}

static ml_status name_nodes(forest *f)
{
    for (int64_t i = 0; i < f->n; i++) {
        double key[2] = {f->tree[i], f->id[i]};
        int32_t at = mli_map_add(&f->nodes, (const char *)key, sizeof key);
        int32_t tree = mli_map_add(&f->trees, (const char *)key, sizeof *key);
        if (at < 0 || tree < 0) return mli_nomem(f->g->err);
        if (at != i) return bad(f, "two nodes have the same number");
        f->tree_of[i] = tree;
        f->start[tree + 1]++;
    }
    f->n_trees = f->trees.count;
    for (int64_t t = 0; t < f->n_trees; t++) f->start[t + 1] += f->start[t];
    return ML_OK;
}

static int is_leaf(const forest *f, int64_t i)
{
    return mli_onnx_is(f->modes[i], "LEAF");
}

static ml_status find_children(forest *f)
{
    for (int64_t i = 0; i < f->n; i++) {
        f->child[0][i] = f->child[1][i] = f->first[i] = -1;
        if (is_leaf(f, i)) continue;
        f->child[0][i] = find_node(f, f->tree[i], f->yes[i]);
        f->child[1][i] = find_node(f, f->tree[i], f->no[i]);
        if (f->child[0][i] < 0 || f->child[1][i] < 0)
            return bad(f, "a child that is not there");
    }
    return ML_OK;
}

/* Nodes by tree; the root, which is nobody's child, goes first. */
static ml_status list_trees(forest *f)
{
    int64_t *fill = f->local; /* of each tree, for now */
    memset(fill, 0, (size_t)f->n * sizeof *fill);
    for (int64_t i = 0; i < f->n; i++) {
        int64_t t = f->tree_of[i];
        f->list[f->start[t] + fill[t]++] = i;
        f->set[i] = 0; /* is it a child? for now */
    }
    for (int64_t i = 0; i < f->n; i++)
        for (int c = 0; c < 2; c++)
            if (f->child[c][i] >= 0) f->set[f->child[c][i]] = 1;
    for (int64_t t = 0; t < f->n_trees; t++) {
        int64_t at = f->start[t];
        while (at < f->start[t + 1] && f->set[f->list[at]]) at++;
        if (at == f->start[t + 1]) return bad(f, "a tree without a root");
        int64_t root = f->list[at];
        f->list[at] = f->list[f->start[t]];
        f->list[f->start[t]] = root;
    }
    for (int64_t t = 0; t < f->n_trees; t++)
        for (int64_t k = f->start[t]; k < f->start[t + 1]; k++)
            f->local[f->list[k]] = k - f->start[t];
    return ML_OK;
}

static ml_status hang_weights(forest *f, const double *tree, const double *node)
{
    for (int64_t w = f->n_weights - 1; w >= 0; w--) {
        int64_t at = find_node(f, tree[w], node[w]);
        if (at < 0) return bad(f, "a weight of a node that is not there");
        f->next[w] = f->first[at];
        f->first[at] = w;
    }
    return ML_OK;
}

/* ---- nodes ---- */

/* Does the chain of BRANCH_EQ go on at the "false" child of a node? */
static int chain_goes_on(const forest *f, int64_t i)
{
    int64_t next = f->child[1][i];
    return mli_onnx_is(f->modes[next], "BRANCH_EQ") &&
           f->feature[next] == f->feature[i] && f->child[0][next] == f->child[0][i];
}

/* The nodes of a chain, which ask for one code each and share their "true" child, are one
 * split on the set of these codes. `next` is what lies behind the chain. */
static ml_status add_chain(forest *f, int64_t i, int32_t feature, int64_t *next)
{
    int64_t n = 1, at = i, room = f->start[f->tree_of[i] + 1] - f->start[f->tree_of[i]];
    while (n <= room && chain_goes_on(f, at)) at = f->child[1][at], n++;
    if (n > room) return bad(f, "its nodes go round in circles");
    *next = f->local[f->child[1][at]];
    if (f->set[i] >= 0) return ML_OK;
    int32_t *codes = mli_alloc(f->im->ctx, (size_t)n * sizeof *codes);
    if (!codes) return mli_nomem(f->g->err);
    ml_status s = ML_OK;
    int tracks = 0;
    at = i;
    for (int64_t k = 0; !s && k < n; k++, at = f->child[1][at]) {
        double v = f->value[at];
        if (!(v >= 0 && v < 16777216) || floor(v) != v)
            s = refuse(f, "BRANCH_EQ of a number below 0 or not whole");
        else
            codes[k] = (int32_t)v;
        tracks |= f->tracks && f->tracks[at] != 0;
    }
    if (!s) s = mli_import_add_set(f->im, feature, 1, tracks, codes, n, &f->set[i]);
    mli_free(f->im->ctx, codes);
    return s;
}

static ml_status equal_split(forest *f, int64_t i, mli_import_node *p, int64_t yes)
{
    p->left = yes;
    ml_status s = add_chain(f, i, p->feature, &p->right);
    p->set = f->set[i];
    return s;
}

static ml_status unequal_split(forest *f, int64_t i, mli_import_node *p, int64_t yes,
                               int64_t no)
{
    double v = f->value[i];
    if (!(v >= 0 && v < 16777216) || floor(v) != v)
        return refuse(f, "BRANCH_NEQ of a number below 0 or not whole");
    int32_t code = (int32_t)v;
    ml_status s = ML_OK;
    if (f->set[i] < 0)
        s = mli_import_add_set(f->im, p->feature, 1, 0, &code, 1, &f->set[i]);
    p->left = no;
    p->right = yes;
    p->set = f->set[i];
    return s;
}

static ml_status split(forest *f, int64_t i, mli_import_node *p)
{
    static const struct {
        const char *name;
        int yes_left, upto; /* which side "true" is, and whether the bound belongs left */
    } modes[] = {{"BRANCH_LEQ", 1, 1},
                 {"BRANCH_LT", 1, 0},
                 {"BRANCH_GT", 0, 1},
                 {"BRANCH_GTE", 0, 0}};
    int64_t yes = f->local[f->child[0][i]], no = f->local[f->child[1][i]];
    double v = f->value[i];
    if (!(f->feature[i] >= 0 && f->feature[i] < (double)f->im->n_features))
        return bad(f, "a split on a feature that is not there");
    p->feature = (int32_t)f->feature[i];
    for (int m = 0; m < 4; m++) {
        if (!mli_onnx_is(f->modes[i], modes[m].name)) continue;
        int tracks = f->tracks && f->tracks[i] != 0;
        if (f->is_double)
            p->threshold = modes[m].upto ? v : nextafter(v, -INFINITY);
        else
            p->threshold = modes[m].upto ? mli_import_upto_f32((float)v)
                                         : mli_import_below_f32((float)v);
        p->left = modes[m].yes_left ? yes : no;
        p->right = modes[m].yes_left ? no : yes;
        p->missing_left = tracks == modes[m].yes_left;
        return ML_OK;
    }
    if (mli_onnx_is(f->modes[i], "BRANCH_EQ")) return equal_split(f, i, p, yes);
    if (mli_onnx_is(f->modes[i], "BRANCH_NEQ")) return unequal_split(f, i, p, yes, no);
    return refuse(f, f->modes[i].at && f->modes[i].size < 32 ? f->modes[i].at
                                                             : "a node mode");
}

static double weight_of(const forest *f, int64_t i, int64_t k)
{
    double sum = 0;
    for (int64_t w = f->first[i]; w >= 0; w = f->next[w])
        if (k < 0 || (int64_t)f->w_class[w] == k) sum += f->weight[w];
    return sum;
}

/* A copy of the tree with the weights of class k; -1: all of them. */
static ml_status add_tree(forest *f, int64_t t, int64_t k, int64_t score)
{
    int64_t n = f->start[t + 1] - f->start[t];
    ml_status s = ML_OK;
    for (int64_t a = 0; !s && a < n; a++) {
        int64_t i = f->list[f->start[t] + a];
        f->scratch[a] = (mli_import_node){.left = -1, .right = -1, .set = -1};
        if (is_leaf(f, i) && f->im->each && f->first[i] < 0)
            s = refuse(f, "leaves without a weight");
        else if (is_leaf(f, i))
            f->scratch[a].value = weight_of(f, i, k);
        else
            s = split(f, i, &f->scratch[a]);
    }
    return s ? s : mli_import_tree(f->im, f->scratch, n, score);
}

static ml_status add_trees(forest *f)
{
    mli_import *im = f->im;
    int64_t k_n = im->each ? 1 : im->n_scores;
    ml_status s = ML_OK;
    for (int64_t i = 0; i < f->n; i++) f->set[i] = -1;
    for (int64_t t = 0; !s && t < f->n_trees; t++) {
        if (k_n == 1) {
            s = add_tree(f, t, -1, im->each ? t : 0);
            continue;
        }
        memset(f->used, 0, (size_t)k_n);
        for (int64_t a = f->start[t]; a < f->start[t + 1]; a++)
            for (int64_t w = f->first[f->list[a]]; w >= 0; w = f->next[w])
                f->used[(int64_t)f->w_class[w]] = 1;
        for (int64_t k = 0; !s && k < k_n; k++)
            if (f->used[k]) s = add_tree(f, t, k, k);
    }
    return s;
}

/* ---- scores and links ---- */

static int is_post(const forest *f, const char *name)
{
    const mli_onnx_attribute *a = mli_onnx_find(f->node, "post_transform");
    return a && a->text.at ? mli_onnx_is(a->text, name) : strcmp(name, "NONE") == 0;
}

static ml_status read_base(forest *f, const double **base, int64_t *n)
{
    const mli_onnx_attribute *a = mli_onnx_find(f->node, "base_values");
    const mli_onnx_attribute *t = mli_onnx_find(f->node, "base_values_as_tensor");
    if (t && t->n_numbers) a = t;
    *n = a ? a->n_numbers : 0;
    *base = a ? a->numbers : NULL;
    for (int64_t k = 0; k < *n; k++)
        if (!isfinite((*base)[k])) return bad(f, "a base value is not finite");
    return ML_OK;
}

static ml_status classifier_scores(forest *f, int64_t n_base)
{
    mli_import *im = f->im;
    int seen[2] = {0, 0}, negative = 0;
    for (int64_t w = 0; w < f->n_weights; w++) {
        seen[f->w_class[w] > 0] = 1;
        negative |= f->weight[w] < 0;
    }
    int single = im->n_classes == 2 && !(seen[0] && seen[1]);
    int64_t scores = single ? 1 : im->n_classes;
    im->param = "auto";
    if (im->n_classes == 2 && n_base > (single && seen[0] ? 1 : 0))
        return refuse(f, "two classes and such base values");
    if (is_post(f, "LOGISTIC"))
        im->link = single ? MLI_LINK_NONE : MLI_LINK_SIGMOID;
    else if ((is_post(f, "SOFTMAX") && !single) ||
             (is_post(f, "SOFTMAX_ZERO") && im->sums && im->n_classes > 2))
        im->param = "softmax";
    else if (is_post(f, "NONE")) /* raw scores say on which side a row is */
        im->link = single && negative ? MLI_LINK_STEP : MLI_LINK_IDENTITY;
    else
        return refuse(f, "this post_transform");
    return mli_import_scores(im, scores);
}

static ml_status regressor_scores(forest *f)
{
    mli_import *im = f->im;
    const mli_onnx_attribute *a = mli_onnx_find(f->node, "n_targets");
    int64_t n = a ? (int64_t)a->number : 1;
    im->param = "squared";
    im->link = MLI_LINK_IDENTITY;
    /* onnxruntime leaves a single target as it is. */
    if (is_post(f, "LOGISTIC") && n > 1)
        im->link = MLI_LINK_SIGMOID;
    else if (!is_post(f, "NONE") && !is_post(f, "LOGISTIC") && !im->sums)
        return refuse(f, "this post_transform");
    return mli_import_scores(im, n);
}

ml_status mli_onnx_each(mli_import *im, const mli_onnx *g, int which, int64_t n_trees)
{
    if (!im->sums || im->n_classes || im->n_scores != 1 || n_trees > 65536)
        return mli_fail(g->err, ML_E_UNSUPPORTED,
                        "MIN or MAX of the trees of several targets cannot be imported");
    im->each = which;
    mli_free(im->ctx, im->base);
    return mli_import_scores(im, n_trees);
}

/* The mean of the trees, their sum, or one of them. */
static ml_status aggregate(forest *f, double *scale)
{
    const mli_onnx_attribute *a = mli_onnx_find(f->node, "aggregate_function");
    *scale = 1;
    if (!a || !a->text.at || mli_onnx_is(a->text, "SUM")) return ML_OK;
    if (!mli_onnx_is(a->text, "AVERAGE"))
        return mli_onnx_each(f->im, f->g, mli_onnx_is(a->text, "MIN") ? 1 : 2,
                             f->n_trees);
    *scale = 1 / (double)f->n_trees;
    return ML_OK;
}

/* ---- all of it ---- */

static ml_status read_weights(forest *f, int classifier, const double **tree,
                              const double **node)
{
    const mli_onnx_attribute *a;
    ml_status s = mli_onnx_numbers(
        f->g, f->node, classifier ? "class_treeids" : "target_treeids", -1, &a);
    if (s) return s;
    int64_t n = f->n_weights = a->n_numbers;
    *tree = a->numbers;
    s = vector(f, classifier ? "class_nodeids" : "target_nodeids", n, node);
    if (!s) s = vector(f, classifier ? "class_ids" : "target_ids", n, &f->w_class);
    if (!s && classifier)
        s = values(f, "class_weights", "class_weights_as_tensor", n, &f->weight, NULL);
    else if (!s)
        s = values(f, "target_weights", "target_weights_as_tensor", n, &f->weight, NULL);
    int64_t classes = f->im->n_classes;
    if (!classifier) {
        a = mli_onnx_find(f->node, "n_targets");
        classes = a ? (int64_t)a->number : 1;
        if (!s && (classes < 1 || classes > 65536))
            s = bad(f, "n_targets is out of range");
    }
    for (int64_t w = 0; !s && w < n; w++)
        if (!(f->w_class[w] >= 0 && f->w_class[w] < (double)classes))
            s = bad(f, "a weight of a class that is not there");
    return s;
}

static ml_status build(forest *f, int classifier)
{
    const double *tree = NULL, *node = NULL, *base = NULL;
    mli_import *im = f->im;
    int64_t n_base = 0, first = im->trees.n_nodes;
    double scale = 1;
    ml_status s = read_attributes(f);
    if (!s && classifier) s = mli_onnx_labels(im, f->g, f->node);
    if (!s) s = read_weights(f, classifier, &tree, &node);
    if (!s) s = read_base(f, &base, &n_base);
    if (!s) s = classifier ? classifier_scores(f, n_base) : regressor_scores(f);
    if (!s && n_base != 0 && n_base != im->n_scores)
        s = bad(f, "the base values do not fit the scores");
    if (!s) s = alloc(f, im->n_scores);
    if (!s) s = name_nodes(f);
    if (!s) s = find_children(f);
    if (!s) s = list_trees(f);
    if (!s) s = hang_weights(f, tree, node);
    if (!s) s = aggregate(f, &scale);
    if (!s) s = add_trees(f);
    im->float_sums = !s && !f->is_double && scale == 1; /* as runtimes add them */
    for (int64_t i = first; !s && i < im->trees.n_nodes; i++)
        im->trees.node[i].value *= scale;
    for (int64_t k = 0; !s && k < n_base; k++) im->base[k] = base[k];
    return s;
}

ml_status mli_onnx_trees(mli_import *im, const mli_onnx *g, const mli_onnx_node *node,
                         int doubles)
{
    forest f = {.im = im, .g = g, .node = node, .is_double = doubles};
    int classifier = mli_onnx_is(node->op, "TreeEnsembleClassifier");
    if (mli_onnx_is(node->op, "TreeEnsemble")) return mli_onnx_ensemble(im, g, node);
    if (!classifier && !mli_onnx_is(node->op, "TreeEnsembleRegressor"))
        return refuse(&f, "such a name");
    mli_map_init(&f.nodes, im->ctx);
    mli_map_init(&f.trees, im->ctx);
    ml_status s = build(&f, classifier);
    release(&f);
    return s;
}
