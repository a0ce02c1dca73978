/* SPDX-License-Identifier: MIT
 *
 * trees/ensemble.c: building the tensors of an ensemble, and reading them back without
 * trusting them.
 */
#include "algorithms/trees/ensemble.h"
#include <math.h>
#include <string.h>

void mli_ensemble_builder_init(mli_ensemble_builder *b, ml_context *ctx)
{
    memset(b, 0, sizeof *b);
    b->ctx = ctx;
}

void mli_ensemble_builder_free(mli_ensemble_builder *b)
{
    mli_free(b->ctx, b->start);
    mli_free(b->ctx, b->node);
    mli_free(b->ctx, b->sets);
    memset(b, 0, sizeof *b);
}

static int grow(ml_context *ctx, void *block /* T ** */, int64_t *capacity, int64_t need,
                size_t size)
{
    if (need <= *capacity) return 1;
    int64_t n = *capacity * 2 > need ? *capacity * 2 : need;
    if (n < 64) n = 64;
    void *old, *grown;
    memcpy(&old, block, sizeof old);
    grown =
        old ? mli_realloc(ctx, old, (size_t)n * size) : mli_alloc(ctx, (size_t)n * size);
    if (!grown) return 0;
    memcpy(block, &grown, sizeof grown);
    *capacity = n;
    return 1;
}

ml_status mli_ensemble_builder_tree(mli_ensemble_builder *b, int64_t n,
                                    mli_ensemble_node **nodes, ml_error *err)
{
    if (!grow(b->ctx, &b->start, &b->tree_capacity, b->n_trees + 2, sizeof *b->start) ||
        !grow(b->ctx, &b->node, &b->node_capacity, b->n_nodes + n, sizeof *b->node))
        return mli_nomem(err);
    *nodes = b->node + b->n_nodes;
    b->start[b->n_trees++] = b->n_nodes;
    b->n_nodes += n;
    b->start[b->n_trees] = b->n_nodes;
    return ML_OK;
}

ml_status mli_ensemble_builder_set(mli_ensemble_builder *b, const uint32_t bits[8],
                                   int32_t *index, ml_error *err)
{
    if (!grow(b->ctx, &b->sets, &b->set_capacity, b->n_sets + 1, sizeof *b->sets))
        return mli_nomem(err);
    memcpy(b->sets[b->n_sets], bits, sizeof *b->sets);
    *index = (int32_t)b->n_sets++;
    return ML_OK;
}

void mli_ensemble_builder_cut(mli_ensemble_builder *b, int64_t n_trees)
{
    if (n_trees >= b->n_trees) return;
    b->n_trees = n_trees;
    b->n_nodes = b->start[n_trees];
    int64_t sets = 0;
    for (int64_t i = 0; i < b->n_nodes; i++)
        if (b->node[i].set >= sets) sets = b->node[i].set + 1;
    b->n_sets = sets;
}

#define WRITE(name, dtype, type, field)                                                  \
    do {                                                                                 \
        type *data;                                                                      \
        ml_status s = mli_model_add(model, name, dtype, 1, &n, &data, err);              \
        if (s != ML_OK) return s;                                                        \
        for (int64_t i = 0; i < n; i++) data[i] = b->node[i].field;                      \
    } while (0)

static ml_status write_starts(const mli_ensemble_builder *b, ml_model *model,
                              ml_error *err)
{
    int64_t n = b->n_trees + 1, *start;
    ml_status status =
        mli_model_add(model, "tree_start", ML_DTYPE_I64, 1, &n, &start, err);
    for (int64_t t = 0; status == ML_OK && t < b->n_trees; t++) start[t] = b->start[t];
    if (status == ML_OK) start[b->n_trees] = b->n_nodes;
    return status;
}

static ml_status write_sets(const mli_ensemble_builder *b, ml_model *model, ml_error *err)
{
    int64_t n = b->n_nodes, shape[2] = {b->n_sets, 8};
    if (b->n_sets == 0) return ML_OK;
    WRITE("node_set", ML_DTYPE_I32, int32_t, set);
    uint32_t *sets;
    ml_status status = mli_model_add(model, "sets", ML_DTYPE_U32, 2, shape, &sets, err);
    if (status == ML_OK) memcpy(sets, b->sets, (size_t)b->n_sets * sizeof *b->sets);
    return status;
}

ml_status mli_ensemble_builder_write(const mli_ensemble_builder *b, ml_model *model,
                                     ml_error *err)
{
    int64_t n = b->n_nodes;
    WRITE("node_feature", ML_DTYPE_I32, int32_t, feature);
    WRITE("node_left", ML_DTYPE_I32, int32_t, left);
    WRITE("node_threshold", ML_DTYPE_F64, double, threshold);
    WRITE("node_flags", ML_DTYPE_U8, uint8_t, flags);
    WRITE("node_value", ML_DTYPE_F64, double, value);
    WRITE("node_cover", ML_DTYPE_F64, double, cover);
    WRITE("node_gain", ML_DTYPE_F64, double, gain);
    ml_status status = write_starts(b, model, err);
    return status == ML_OK ? write_sets(b, model, err) : status;
}

/* Reading. */

static ml_status want_nodes(const ml_model *m, mli_ensemble *e, ml_error *err)
{
    int64_t n = e->n_nodes;
    ml_status s =
        mli_model_want(m, "node_feature", ML_DTYPE_I32, 1, &n, &e->feature, err);
    if (s == ML_OK)
        s = mli_model_want(m, "node_left", ML_DTYPE_I32, 1, &n, &e->left, err);
    if (s == ML_OK)
        s = mli_model_want(m, "node_threshold", ML_DTYPE_F64, 1, &n, &e->threshold, err);
    if (s == ML_OK)
        s = mli_model_want(m, "node_flags", ML_DTYPE_U8, 1, &n, &e->flags, err);
    if (s == ML_OK)
        s = mli_model_want(m, "node_value", ML_DTYPE_F64, 1, &n, &e->value, err);
    if (s == ML_OK)
        s = mli_model_want(m, "node_cover", ML_DTYPE_F64, 1, &n, &e->cover, err);
    if (s == ML_OK)
        s = mli_model_want(m, "node_gain", ML_DTYPE_F64, 1, &n, &e->gain, err);
    return s;
}

static ml_status want_categories(const ml_model *m, mli_ensemble *e, ml_error *err)
{
    int64_t n = e->n_nodes, sets[2] = {-1, 8}, f = e->n_features + 1, levels = -1;
    int64_t others = e->n_features;
    if (!mli_model_find(m, "sets")) return ML_OK;
    ml_status s = mli_model_want(m, "node_set", ML_DTYPE_I32, 1, &n, &e->set, err);
    if (s == ML_OK) s = mli_model_want(m, "sets", ML_DTYPE_U32, 2, sets, &e->sets, err);
    if (s == ML_OK)
        s = mli_model_want(m, "level_start", ML_DTYPE_I64, 1, &f, &e->level_start, err);
    if (s == ML_OK)
        s = mli_model_want(m, "level_bin", ML_DTYPE_U8, 1, &levels, &e->level_bin, err);
    if (s == ML_OK)
        s = mli_model_want(m, "level_other", ML_DTYPE_U8, 1, &others, &e->level_other,
                           err);
    if (s != ML_OK) return s;
    e->n_sets = sets[0];
    int64_t before = 0;
    for (int64_t j = 0; j < f; j++) {
        if (e->level_start[j] < before || e->level_start[j] > levels)
            return mli_fail(err, ML_E_FORMAT, "tensor level_start is not ascending");
        before = e->level_start[j];
    }
    return ML_OK;
}

static ml_status check_node(const mli_ensemble *e, int64_t tree, int64_t i, ml_error *err)
{
    int64_t first = e->start[tree], size = e->start[tree + 1] - first;
    int64_t at = i - first;
    if (!isfinite(e->value[i]))
        return mli_fail(err, ML_E_FORMAT, "tree %lld has a leaf value that is not finite",
                        (long long)tree);
    if (e->left[i] == 0) return ML_OK;
    if (e->left[i] <= at || e->left[i] >= size - 1)
        return mli_fail(err, ML_E_FORMAT,
                        "node %lld of tree %lld has children out of range", (long long)at,
                        (long long)tree);
    if (e->feature[i] < 0 || e->feature[i] >= e->n_features)
        return mli_fail(err, ML_E_FORMAT,
                        "node %lld of tree %lld splits on an unknown feature",
                        (long long)at, (long long)tree);
    if (e->flags[i] & MLI_NODE_CATEGORICAL) {
        if (!e->set || e->set[i] < 0 || e->set[i] >= e->n_sets)
            return mli_fail(err, ML_E_FORMAT,
                            "node %lld of tree %lld names a set that does not exist",
                            (long long)at, (long long)tree);
    } else if (isnan(e->threshold[i])) {
        return mli_fail(err, ML_E_FORMAT,
                        "node %lld of tree %lld has a threshold that is not a number",
                        (long long)at, (long long)tree);
    }
    return ML_OK;
}

static ml_status check_trees(const mli_ensemble *e, ml_error *err)
{
    if (e->start[0] != 0 || e->start[e->n_trees] != e->n_nodes)
        return mli_fail(err, ML_E_FORMAT, "tensor tree_start does not fit the nodes");
    for (int64_t t = 0; t < e->n_trees; t++) {
        if (e->start[t + 1] <= e->start[t] || e->start[t + 1] > e->n_nodes)
            return mli_fail(err, ML_E_FORMAT, "tensor tree_start is not ascending");
        for (int64_t i = e->start[t]; i < e->start[t + 1]; i++) {
            ml_status status = check_node(e, t, i, err);
            if (status != ML_OK) return status;
        }
    }
    return ML_OK;
}

ml_status mli_ensemble_read(const ml_model *model, mli_ensemble *out, ml_error *err)
{
    mli_ensemble e = {.n_features = model->inputs->n_features};
    int64_t starts = -1, nodes = -1, scores = -1;
    const int32_t *feature;
    ml_status s =
        mli_model_want(model, "tree_start", ML_DTYPE_I64, 1, &starts, &e.start, err);
    if (s == ML_OK)
        s = mli_model_want(model, "node_feature", ML_DTYPE_I32, 1, &nodes, &feature, err);
    if (s == ML_OK)
        s = mli_model_want(model, "base_score", ML_DTYPE_F64, 1, &scores, &e.base, err);
    if (s != ML_OK) return s;
    e.n_trees = starts - 1;
    e.n_nodes = nodes;
    e.n_scores = scores;
    if (starts < 1 || scores < 1 || e.n_trees % scores != 0)
        return mli_fail(err, ML_E_FORMAT, "%lld trees do not fit %lld scores",
                        (long long)e.n_trees, (long long)scores);
    s = want_nodes(model, &e, err);
    if (s == ML_OK) s = want_categories(model, &e, err);
    if (s == ML_OK) s = check_trees(&e, err);
    if (s == ML_OK) *out = e;
    return s;
}
