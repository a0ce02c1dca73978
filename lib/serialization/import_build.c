/* SPDX-License-Identifier: MIT
 *
 * import_build.c: collecting a foreign model: names, trees, sets.
 */
#include "serialization/import.h"

#include <math.h>
#include <string.h>

#define NODES_MAX 2147483646

/* ---- names ---- */

ml_status mli_import_features(mli_import *im, int64_t n)
{
    if (n < 1) return mli_fail(im->err, ML_E_FORMAT, "the model has no features");
    im->n_features = n;
    im->features = mli_calloc(im->ctx, (size_t)n, sizeof *im->features);
    return im->features ? ML_OK : mli_nomem(im->err);
}

static ml_status set_text(mli_import *im, char **to, const char *text, size_t size)
{
    if (mli_utf8_valid(text, size) != size || memchr(text, 0, size))
        return mli_fail(im->err, ML_E_FORMAT, "a name in the model is not UTF-8");
    mli_free(im->ctx, *to);
    *to = mli_strndup(im->ctx, text, size);
    return *to ? ML_OK : mli_nomem(im->err);
}

ml_status mli_import_name(mli_import *im, int64_t feature, const char *name, size_t size)
{
    return set_text(im, &im->features[feature].name, name, size);
}

ml_status mli_import_levels(mli_import *im, int64_t feature, int64_t n)
{
    mli_import_feature *f = &im->features[feature];
    if (f->levels)
        return mli_fail(im->err, ML_E_FORMAT,
                        "the categories of feature %lld are listed twice",
                        (long long)feature);
    f->levels = mli_calloc(im->ctx, (size_t)n, sizeof *f->levels);
    f->n_levels = f->levels ? n : 0;
    return f->levels ? ML_OK : mli_nomem(im->err);
}

ml_status mli_import_level(mli_import *im, int64_t feature, int64_t code,
                           const char *text, size_t size)
{
    return set_text(im, &im->features[feature].levels[code], text, size);
}

ml_status mli_import_scores(mli_import *im, int64_t n)
{
    im->n_scores = n;
    im->base = mli_calloc(im->ctx, (size_t)n, sizeof *im->base);
    return im->base ? ML_OK : mli_nomem(im->err);
}

ml_status mli_import_labels(mli_import *im, int64_t n)
{
    im->labels = mli_calloc(im->ctx, (size_t)n, sizeof *im->labels);
    im->n_classes = n;
    return im->labels ? ML_OK : mli_nomem(im->err);
}

ml_status mli_import_label(mli_import *im, int64_t k, const char *text, size_t size)
{
    return set_text(im, &im->labels[k], text, size);
}

/* ---- trees ---- */

static ml_status bad_tree(const mli_import *im, const char *problem)
{
    mli_fail(im->err, ML_E_FORMAT, "%s", problem);
    return mli_error_at(im->err, ML_E_FORMAT, "tree %lld", (long long)im->trees.n_trees);
}

/* The nodes in order of their distance from the root: order[new] = old. Two neighbours
 * are the children of one node. Returns their number; 0: it is no tree. */
static int64_t order_nodes(const mli_import_node *nodes, int64_t n, int64_t *order,
                           uint8_t *seen)
{
    int64_t count = 1;
    order[0] = 0;
    seen[0] = 1;
    for (int64_t i = 0; i < count; i++) {
        const mli_import_node *p = &nodes[order[i]];
        if (p->left < 0) continue;
        int64_t child[2] = {p->left, p->right};
        for (int c = 0; c < 2; c++) {
            if (child[c] < 0 || child[c] >= n || seen[child[c]]) return 0;
            seen[child[c]] = 1;
            order[count++] = child[c];
        }
    }
    return count;
}

static ml_status check_split(const mli_import *im, const mli_import_node *p)
{
    if (p->feature < 0 || p->feature >= im->n_features + im->n_columns)
        return bad_tree(im, "a split on a feature that the model does not have");
    if (p->set < 0 && isnan(p->threshold))
        return bad_tree(im, "a threshold that is not a number");
    return ML_OK;
}

static ml_status put_nodes(mli_import *im, const mli_import_node *nodes,
                           const int64_t *order, mli_ensemble_node *to, int64_t n)
{
    int32_t next = 1;
    for (int64_t i = 0; i < n; i++) {
        const mli_import_node *p = &nodes[order[i]];
        int leaf = p->left < 0;
        ml_status status = leaf ? ML_OK : check_split(im, p);
        if (status) return status;
        if (leaf && !isfinite(p->value))
            return bad_tree(im, "a leaf value that is not finite");
        to[i] = (mli_ensemble_node){.feature = leaf ? -1 : p->feature,
                                    .left = leaf ? 0 : next,
                                    .set = leaf ? -1 : p->set,
                                    .threshold = leaf || p->set >= 0 ? 0 : p->threshold,
                                    .value = isfinite(p->value) ? p->value : 0,
                                    .cover = isfinite(p->cover) ? p->cover : 0,
                                    .gain = isfinite(p->gain) ? p->gain : 0};
        if (leaf) continue;
        next += 2;
        to[i].flags = p->set >= 0       ? MLI_NODE_CATEGORICAL
                      : p->missing_left ? MLI_NODE_MISSING_LEFT
                                        : 0;
    }
    return ML_OK;
}

int64_t mli_import_add_terms(mli_import *im, int64_t n)
{
    mli_import_terms *t = &im->terms;
    int64_t first = t->n;
    if (!mli_reserve(im->ctx, &t->feature, &t->capacity, t->n + n, sizeof *t->feature) ||
        !mli_reserve(im->ctx, &t->coef, &t->coef_capacity, t->n + n, sizeof *t->coef))
        return -1;
    t->n += n;
    return first;
}

/* The terms of the last n nodes. */
static ml_status put_terms(mli_import *im, const mli_import_node *nodes,
                           const int64_t *order, int64_t n)
{
    mli_import_terms *t = &im->terms;
    int64_t begin = im->trees.n_nodes - n;
    if (!t->on) return ML_OK;
    if (!mli_reserve(im->ctx, &t->node, &t->node_capacity, im->trees.n_nodes,
                     sizeof *t->node))
        return mli_nomem(im->err);
    for (; t->n_nodes < begin; t->n_nodes++)
        memset(&t->node[t->n_nodes], 0, sizeof *t->node);
    for (int64_t i = 0; i < n; i++, t->n_nodes++) {
        const mli_import_node *p = &nodes[order[i]];
        memset(&t->node[t->n_nodes], 0, sizeof *t->node);
        if (p->left >= 0) continue;
        t->node[t->n_nodes].first = p->term;
        t->node[t->n_nodes].n = p->n_terms;
        t->node[t->n_nodes].constant = p->constant;
    }
    return ML_OK;
}

ml_status mli_import_tree(mli_import *im, const mli_import_node *nodes, int64_t n,
                          int64_t score)
{
    if (n < 1 || n > NODES_MAX) return bad_tree(im, "it has no nodes");
    if (score < 0 || score >= im->n_scores)
        return bad_tree(im, "it belongs to a class that the model does not have");
    int64_t *order = mli_alloc(im->ctx, (size_t)n * sizeof *order);
    uint8_t *seen = mli_calloc(im->ctx, (size_t)n, 1);
    ml_status status = ML_OK;
    if (!order || !seen ||
        !mli_reserve(im->ctx, &im->score, &im->score_capacity, im->trees.n_trees + 1,
                     sizeof *im->score))
        status = mli_nomem(im->err);
    int64_t count = status ? 0 : order_nodes(nodes, n, order, seen);
    if (!status && count == 0) status = bad_tree(im, "its nodes do not form a tree");
    mli_ensemble_node *to = NULL;
    int64_t at = im->trees.n_trees;
    if (!status) status = mli_ensemble_builder_tree(&im->trees, count, &to, im->err);
    if (!status) {
        im->score[at] = (int32_t)score;
        status = put_nodes(im, nodes, order, to, count);
        if (!status) status = put_terms(im, nodes, order, count);
    }
    mli_free(im->ctx, order);
    mli_free(im->ctx, seen);
    return status;
}

ml_status mli_import_add_set(mli_import *im, int32_t feature, int in_left,
                             int missing_left, const int32_t *codes, int64_t n,
                             int32_t *out)
{
    if (feature < 0 || feature >= im->n_features)
        return bad_tree(im, "a split on a feature that the model does not have");
    if (!mli_reserve(im->ctx, &im->sets, &im->set_capacity, im->n_sets + 1,
                     sizeof *im->sets) ||
        !mli_reserve(im->ctx, &im->codes, &im->code_capacity, im->n_codes + n,
                     sizeof *im->codes))
        return mli_nomem(im->err);
    im->sets[im->n_sets] =
        (mli_import_set){feature, in_left, missing_left, im->n_codes, n};
    if (n) memcpy(im->codes + im->n_codes, codes, (size_t)n * sizeof *codes);
    im->n_codes += n;
    *out = (int32_t)im->n_sets++;
    return ML_OK;
}

/* ---- thresholds of floats ---- */

/* The float as a double, where infinity is the number that would come next. */
static double spread(float t)
{
    return isinf(t) ? (t > 0 ? ldexp(1, 128) : -ldexp(1, 128)) : (double)t;
}

double mli_import_below_f32(float t)
{
    if (isnan(t) || t == -INFINITY) return (double)t;
    float before = nextafterf(t, -INFINITY);
    /* Doubles round to the nearer float, in the middle to the even one. */
    double middle = (spread(before) + spread(t)) / 2;
    return (float)middle < t ? middle : nextafter(middle, -INFINITY);
}

double mli_import_upto_f32(float t)
{
    if (isnan(t) || t == INFINITY) return (double)t;
    return mli_import_below_f32(nextafterf(t, INFINITY));
}
