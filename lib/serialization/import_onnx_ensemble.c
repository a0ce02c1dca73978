/* SPDX-License-Identifier: MIT
 *
 * import_onnx_ensemble.c: TreeEnsemble of ai.onnx.ml 5.
 *
 * Inner nodes and leaves are two lists. A node names its children by their places, in
 * the list of leaves where nodes_trueleafs or nodes_falseleafs is 1. A leaf adds its
 * weight to one target: a tree becomes one tree for each target that it has leaves of.
 * The sets of BRANCH_MEMBER lie one after another in membership_values, with a NaN behind
 * each.
 */
#include "serialization/import_onnx.h"

#include <math.h>
#include <string.h>

enum { LEQ, LT, GTE, GT, EQ, NEQ, MEMBER };

typedef struct ensemble {
    mli_import *im;
    const mli_onnx *g;
    const mli_onnx_node *node;
    int64_t n, n_leaves, n_roots, n_targets;
    const double *root, *feature, *split, *mode, *yes_leaf, *no_leaf, *yes, *no, *tracks;
    const double *target, *weight, *member;
    int64_t n_members;
    int is_double;
    int32_t *set;             /* [n] */
    int64_t *begin;           /* [n] of a node's set in `member` */
    mli_import_node *scratch; /* [2 n + 1] */
    int64_t *leaf_of;         /* [2 n + 1] the leaf, -1: a split */
    uint8_t *seen;            /* [n] in the present tree */
    uint8_t *used;            /* [n_targets] by its leaves */
} ensemble;

static ml_status bad(const ensemble *e, const char *what)
{
    mli_fail(e->g->err, ML_E_FORMAT, "%s", what);
    return mli_error_at(e->g->err, ML_E_FORMAT, "node %s", e->node->op.at);
}

static ml_status refuse(const ensemble *e, const char *what)
{
    return mli_fail(e->g->err, ML_E_UNSUPPORTED, "%s with %s cannot be imported",
                    e->node->op.at, what);
}

/* ---- attributes ---- */

static ml_status vector(ensemble *e, const char *name, int64_t n, const double **out)
{
    const mli_onnx_attribute *a;
    ml_status s = mli_onnx_numbers(e->g, e->node, name, n, &a);
    if (!s) *out = a->numbers;
    return s;
}

static int64_t number_of(const ensemble *e, const char *name, int64_t dflt)
{
    const mli_onnx_attribute *a = mli_onnx_find(e->node, name);
    return a && fabs(a->number) < 1e9 ? (int64_t)a->number : dflt;
}

static ml_status read_attributes(ensemble *e)
{
    const mli_onnx_attribute *a;
    ml_status s = mli_onnx_numbers(e->g, e->node, "nodes_featureids", -1, &a);
    if (s) return s;
    e->n = a->n_numbers;
    e->feature = a->numbers;
    s = mli_onnx_numbers(e->g, e->node, "tree_roots", -1, &a);
    if (s) return s;
    e->n_roots = a->n_numbers;
    e->root = a->numbers;
    if (e->n < 1 || e->n_roots < 1) return bad(e, "there are no nodes");
    s = mli_onnx_numbers(e->g, e->node, "nodes_splits", e->n, &a);
    if (s) return s;
    e->split = a->numbers;
    e->is_double = a->is_double;
    s = vector(e, "nodes_modes", e->n, &e->mode);
    if (!s) s = vector(e, "nodes_trueleafs", e->n, &e->yes_leaf);
    if (!s) s = vector(e, "nodes_falseleafs", e->n, &e->no_leaf);
    if (!s) s = vector(e, "nodes_truenodeids", e->n, &e->yes);
    if (!s) s = vector(e, "nodes_falsenodeids", e->n, &e->no);
    a = mli_onnx_find(e->node, "nodes_missing_value_tracks_true");
    if (!s && a && a->n_numbers)
        s = vector(e, "nodes_missing_value_tracks_true", e->n, &e->tracks);
    a = mli_onnx_find(e->node, "membership_values");
    e->member = a ? a->numbers : NULL;
    e->n_members = a ? a->n_numbers : 0;
    if (!s) s = mli_onnx_numbers(e->g, e->node, "leaf_targetids", -1, &a);
    if (s) return s;
    e->n_leaves = a->n_numbers;
    e->target = a->numbers;
    return vector(e, "leaf_weights", e->n_leaves, &e->weight);
}

static ml_status check_leaves(const ensemble *e)
{
    if (e->n_targets < 1 || e->n_targets > 65536)
        return bad(e, "n_targets is out of range");
    for (int64_t i = 0; i < e->n_leaves; i++)
        if (!(e->target[i] >= 0 && e->target[i] < (double)e->n_targets))
            return bad(e, "a leaf of a target that is not there");
    return ML_OK;
}

/* The sets of the nodes with BRANCH_MEMBER, in their order. */
static ml_status find_sets(ensemble *e)
{
    int64_t at = 0;
    for (int64_t i = 0; i < e->n; i++) {
        e->set[i] = -1;
        if (e->mode[i] != MEMBER) continue;
        e->begin[i] = at;
        while (at < e->n_members && !isnan(e->member[at])) at++;
        if (at == e->n_members) return bad(e, "membership_values has too few sets");
        at++;
    }
    return ML_OK;
}

/* Scores and links by n_targets and post_transform: 0 none, 1 logistic, 2 softmax. The
 * specification has it the other way round, but this is how onnxruntime reads the
 * numbers; it leaves a single target as it is. */
static ml_status make_scores(ensemble *e)
{
    mli_import *im = e->im;
    int64_t post = number_of(e, "post_transform", 0);
    if (post <= 2 && e->n_targets == 1) post = 0;
    if (post == 2) {
        im->n_classes = e->n_targets;
        im->param = "softmax";
        /* One score for each class, also of two. */
        if (e->n_targets == 2) im->link = MLI_LINK_SOFTMAX;
    } else if (post == 0 || post == 1 || (im->sums && post > 2 && post < 5)) {
        im->param = "squared";
        im->link = post == 1 ? MLI_LINK_SIGMOID : MLI_LINK_IDENTITY;
    } else {
        return refuse(e, "this post_transform");
    }
    return mli_import_scores(im, e->n_targets);
}

/* ---- nodes ---- */

ml_status mli_onnx_set(mli_import *im, const double *values, int64_t n, int32_t feature,
                       int tracks, const char *op, int32_t *out)
{
    int32_t *codes = mli_alloc(im->ctx, (size_t)n * sizeof *codes + 8);
    if (!codes) return mli_nomem(im->err);
    ml_status s = ML_OK;
    for (int64_t k = 0; !s && k < n; k++) {
        if (!(values[k] >= 0 && values[k] < 16777216) || floor(values[k]) != values[k])
            s = mli_fail(im->err, ML_E_UNSUPPORTED,
                         "%s that asks for %s, which is not whole, cannot be imported",
                         op, MLI_NUM(values[k]));
        else
            codes[k] = (int32_t)values[k];
    }
    if (!s) s = mli_import_add_set(im, feature, 1, tracks, codes, n, out);
    mli_free(im->ctx, codes);
    return s;
}

static ml_status split_set(ensemble *e, int64_t i, mli_import_node *p)
{
    const double *values = &e->split[i];
    int64_t n = 1;
    int tracks = e->tracks && e->tracks[i] != 0;
    if (e->mode[i] == MEMBER) {
        values = e->member + e->begin[i];
        for (n = 0; !isnan(values[n]);) n++;
    }
    if (e->mode[i] == NEQ) { /* "true" is right, also for missing values */
        int64_t left = p->left;
        p->left = p->right;
        p->right = left;
        tracks = 0;
    }
    ml_status s = ML_OK;
    if (e->set[i] < 0)
        s = mli_onnx_set(e->im, values, n, p->feature, tracks, e->node->op.at,
                         &e->set[i]);
    p->set = e->set[i];
    return s;
}

static ml_status split_number(ensemble *e, int64_t i, mli_import_node *p)
{
    double v = e->split[i];
    int mode = (int)e->mode[i], upto = mode == LEQ || mode == GT;
    int tracks = e->tracks && e->tracks[i] != 0;
    if (e->is_double)
        p->threshold = upto ? v : nextafter(v, -INFINITY);
    else
        p->threshold =
            upto ? mli_import_upto_f32((float)v) : mli_import_below_f32((float)v);
    p->missing_left = tracks;
    if (mode == LEQ || mode == LT) return ML_OK;
    int64_t left = p->left;
    p->left = p->right;
    p->right = left;
    p->missing_left = !tracks;
    return ML_OK;
}

static ml_status split(ensemble *e, int64_t i, mli_import_node *p)
{
    if (!(e->feature[i] >= 0 && e->feature[i] < (double)e->im->n_features))
        return bad(e, "a split on a feature that is not there");
    p->feature = (int32_t)e->feature[i];
    if (e->mode[i] == EQ || e->mode[i] == NEQ || e->mode[i] == MEMBER)
        return split_set(e, i, p);
    if (!(e->mode[i] >= LEQ && e->mode[i] <= GT)) return refuse(e, "a node mode");
    return split_number(e, i, p);
}

/* The child goes behind the n nodes of the tree. `source` are the nodes of the model. */
static ml_status add_child(ensemble *e, double at, int leaf, int64_t *source, int64_t *n)
{
    if (!(at >= 0 && at < (double)(leaf ? e->n_leaves : e->n)))
        return bad(e, "a child that is not there");
    if (!leaf && e->seen[(int64_t)at]++)
        return bad(e, "its nodes go round in circles, or share a child");
    source[*n] = leaf ? -1 : (int64_t)at;
    e->leaf_of[*n] = leaf ? (int64_t)at : -1;
    if (leaf) e->used[(int64_t)e->target[(int64_t)at]] = 1;
    ++*n;
    return ML_OK;
}

/* Tree `root` breadth first: every node of the model at most once, two children each. */
static ml_status lay_out(ensemble *e, double root, int64_t *source, int64_t *n)
{
    *n = 0;
    memset(e->seen, 0, (size_t)e->n);
    memset(e->used, 0, (size_t)e->n_targets);
    ml_status s = add_child(e, root, 0, source, n);
    for (int64_t a = 0; !s && a < *n; a++) {
        mli_import_node *p = &e->scratch[a];
        int64_t i = source[a];
        *p = (mli_import_node){.left = -1, .right = -1, .set = -1};
        if (i < 0) continue;
        int yes_leaf = e->yes_leaf[i] != 0, no_leaf = e->no_leaf[i] != 0;
        p->left = *n;
        p->right = *n + 1;
        s = add_child(e, e->yes[i], yes_leaf, source, n);
        if (!s) s = add_child(e, e->no[i], no_leaf, source, n);
        if (!s) s = split(e, i, p);
    }
    return s;
}

static ml_status add_trees(ensemble *e)
{
    int mean = number_of(e, "aggregate_function", 1) == 0;
    double scale = mean ? 1 / (double)e->n_roots : 1;
    e->im->float_sums = !mean && !e->is_double; /* as runtimes add them */
    int64_t *source = mli_alloc(e->im->ctx, (size_t)(2 * e->n + 1) * sizeof *source), n;
    ml_status s = source ? ML_OK : mli_nomem(e->g->err);
    for (int64_t t = 0; !s && t < e->n_roots; t++) {
        s = lay_out(e, e->root[t], source, &n);
        for (int64_t k = 0; !s && k < e->n_targets; k++) {
            if (!e->used[k]) continue;
            for (int64_t a = 0; a < n; a++) {
                int64_t leaf = e->leaf_of[a];
                if (leaf >= 0)
                    e->scratch[a].value =
                        (int64_t)e->target[leaf] == k ? e->weight[leaf] * scale : 0;
            }
            s = mli_import_tree(e->im, e->scratch, n, e->im->each ? t : k);
        }
    }
    mli_free(e->im->ctx, source);
    return s;
}

static ml_status alloc(ensemble *e)
{
    ml_context *ctx = e->im->ctx;
    size_t n = (size_t)e->n, most = 2 * n + 1;
    e->set = mli_alloc(ctx, n * sizeof *e->set);
    e->begin = mli_calloc(ctx, n, sizeof *e->begin);
    e->scratch = mli_calloc(ctx, most, sizeof *e->scratch);
    e->leaf_of = mli_alloc(ctx, most * sizeof *e->leaf_of);
    e->seen = mli_alloc(ctx, n);
    e->used = mli_alloc(ctx, (size_t)e->n_targets);
    return e->set && e->begin && e->scratch && e->leaf_of && e->seen && e->used
               ? ML_OK
               : mli_nomem(e->g->err);
}

ml_status mli_onnx_ensemble(mli_import *im, const mli_onnx *g, const mli_onnx_node *node)
{
    ensemble e = {.im = im, .g = g, .node = node};
    ml_status s = read_attributes(&e);
    e.n_targets = number_of(&e, "n_targets", 1);
    if (!s) s = check_leaves(&e);
    if (!s) s = make_scores(&e);
    int64_t how = number_of(&e, "aggregate_function", 1);
    if (!s && how > 1) s = mli_onnx_each(im, g, how == 2 ? 1 : 2, e.n_roots);
    if (!s) s = alloc(&e);
    if (!s) s = find_sets(&e);
    if (!s) s = add_trees(&e);
    mli_free(im->ctx, e.set);
    mli_free(im->ctx, e.begin);
    mli_free(im->ctx, e.scratch);
    mli_free(im->ctx, e.leaf_of);
    mli_free(im->ctx, e.seen);
    mli_free(im->ctx, e.used);
    return s;
}
