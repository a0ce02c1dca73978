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

ml_status mli_ensemble_builder_tree(mli_ensemble_builder *b, int64_t n,
                                    mli_ensemble_node **nodes, ml_error *err)
{
    if (!mli_reserve(b->ctx, &b->start, &b->tree_capacity, b->n_trees + 2,
                     sizeof *b->start) ||
        !mli_reserve(b->ctx, &b->node, &b->node_capacity, b->n_nodes + n,
                     sizeof *b->node))
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
    if (!mli_reserve(b->ctx, &b->sets, &b->set_capacity, b->n_sets + 1, sizeof *b->sets))
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

/* A tensor of bins, one byte each or two. */
static ml_status want_bins(const ml_model *m, const char *name, int64_t n, int wide,
                           const uint8_t **narrow, const uint16_t **two, ml_error *err)
{
    if (wide) return mli_model_want(m, name, ML_DTYPE_U16, 1, &n, two, err);
    return mli_model_want(m, name, ML_DTYPE_U8, 1, &n, narrow, err);
}

static ml_status check_levels(const mli_ensemble *e, int64_t levels, ml_error *err)
{
    int64_t before = 0, bins = 32 * e->set_words, n = e->crosses.n_inputs;
    for (int64_t j = 0; j <= n; j++) {
        if (e->level_start[j] < before || e->level_start[j] > levels)
            return mli_fail(err, ML_E_FORMAT, "tensor level_start is not ascending");
        before = e->level_start[j];
    }
    int bad = !e->wide_bin && bins < 256;
    for (int64_t i = 0; e->wide_bin && i < levels; i++) bad |= e->wide_bin[i] >= bins;
    for (int64_t j = 0; e->wide_bin && j < n; j++) {
        bad |= e->wide_other[j] >= bins;
        bad |= e->wide_missing && e->wide_missing[j] >= bins;
    }
    return bad ? mli_fail(err, ML_E_FORMAT, "tensor sets is too narrow for its bins")
               : ML_OK;
}

static ml_status want_categories(const ml_model *m, mli_ensemble *e, ml_error *err)
{
    int64_t n = e->n_nodes, sets[2] = {-1, -1}, levels = -1;
    int64_t inputs = e->crosses.n_inputs, f = inputs + 1;
    const ml_tensor *bin = mli_model_find(m, "level_bin");
    if (!mli_model_find(m, "sets")) return ML_OK;
    int wide = bin && ml_tensor_dtype(bin) == ML_DTYPE_U16;
    if (bin && ml_tensor_ndim(bin) == 1) levels = ml_tensor_shape(bin)[0];
    ml_status s = mli_model_want(m, "node_set", ML_DTYPE_I32, 1, &n, &e->set, err);
    if (s == ML_OK) s = mli_model_want(m, "sets", ML_DTYPE_U32, 2, sets, &e->sets, err);
    if (s == ML_OK)
        s = mli_model_want(m, "level_start", ML_DTYPE_I64, 1, &f, &e->level_start, err);
    if (s == ML_OK)
        s = want_bins(m, "level_bin", levels, wide, &e->level_bin, &e->wide_bin, err);
    if (s == ML_OK)
        s = want_bins(m, "level_other", inputs, wide, &e->level_other, &e->wide_other,
                      err);
    if (s == ML_OK && mli_model_find(m, "level_missing"))
        s = want_bins(m, "level_missing", inputs, wide, &e->level_missing,
                      &e->wide_missing, err);
    if (s != ML_OK) return s;
    e->n_sets = sets[0];
    e->set_words = sets[1];
    return check_levels(e, levels, err);
}

static ml_status want_link(const ml_model *m, mli_ensemble *e, ml_error *err)
{
    int64_t f = e->n_features, one = 1;
    const uint8_t *link = NULL, *sums = NULL;
    const double *scale = NULL;
    ml_status s = ML_OK;
    if (mli_model_find(m, "zero_missing"))
        s = mli_model_want(m, "zero_missing", ML_DTYPE_U8, 1, &f, &e->zero_missing, err);
    if (s == ML_OK && mli_model_find(m, "link"))
        s = mli_model_want(m, "link", ML_DTYPE_U8, 1, &one, &link, err);
    if (s == ML_OK && mli_model_find(m, "link_scale"))
        s = mli_model_want(m, "link_scale", ML_DTYPE_F64, 1, &one, &scale, err);
    if (s == ML_OK && mli_model_find(m, "float_sums"))
        s = mli_model_want(m, "float_sums", ML_DTYPE_U8, 1, &one, &sums, err);
    if (s != ML_OK) return s;
    if (link && *link >= MLI_LINK_COUNT)
        return mli_fail(err, ML_E_FORMAT, "tensor link has the unknown value %d", *link);
    if (scale && !isfinite(*scale))
        return mli_fail(err, ML_E_FORMAT, "tensor link_scale is not finite");
    e->link = link ? *link : MLI_LINK_NONE;
    e->link_scale = scale ? *scale : 1;
    e->float_sums = sums && *sums;
    return ML_OK;
}

static ml_status want_linear(const ml_model *m, mli_ensemble *e, ml_error *err)
{
    int64_t n = e->n_nodes, starts = n + 1, terms = -1;
    if (!mli_model_find(m, "linear_start")) return ML_OK;
    ml_status s = mli_model_want(m, "linear_start", ML_DTYPE_I64, 1, &starts,
                                 &e->linear_start, err);
    if (s == ML_OK)
        s = mli_model_want(m, "linear_const", ML_DTYPE_F64, 1, &n, &e->linear_const, err);
    if (s == ML_OK)
        s = mli_model_want(m, "linear_feature", ML_DTYPE_I32, 1, &terms,
                           &e->linear_feature, err);
    if (s == ML_OK)
        s = mli_model_want(m, "linear_coef", ML_DTYPE_F64, 1, &terms, &e->linear_coef,
                           err);
    if (s != ML_OK) return s;
    int bad = e->linear_start[0] != 0 || e->linear_start[n] != terms;
    for (int64_t i = 0; i < n && !bad; i++)
        bad =
            e->linear_start[i] > e->linear_start[i + 1] || !isfinite(e->linear_const[i]);
    for (int64_t i = 0; i < terms && !bad; i++)
        bad = e->linear_feature[i] < 0 || e->linear_feature[i] >= e->n_features ||
              !isfinite(e->linear_coef[i]);
    return bad ? mli_fail(err, ML_E_FORMAT, "the linear terms of the leaves are damaged")
               : ML_OK;
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
        if (!e->set || e->set[i] < 0 || e->set[i] >= e->n_sets ||
            e->feature[i] >= e->crosses.n_inputs)
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

ml_status mli_ensemble_read_crossed(const ml_model *model, mli_ensemble *out,
                                    ml_error *err)
{
    mli_ensemble e = {.n_features = 0};
    int64_t starts = -1, nodes = -1, scores = -1;
    const int32_t *feature;
    ml_status s = mli_crosses_read(model, &e.crosses, err);
    e.n_features = e.crosses.n_inputs + e.crosses.n_columns;
    if (s == ML_OK)
        s = mli_model_want(model, "tree_start", ML_DTYPE_I64, 1, &starts, &e.start, err);
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
    if (s == ML_OK) s = want_link(model, &e, err);
    if (s == ML_OK) s = want_linear(model, &e, err);
    if (s == ML_OK && e.crosses.n_columns && (e.linear_start || e.zero_missing))
        s = mli_fail(err, ML_E_FORMAT, "crosses beside linear leaves or zero_missing");
    if (s == ML_OK) s = check_trees(&e, err);
    if (s == ML_OK) *out = e;
    return s;
}

ml_status mli_ensemble_read(const ml_model *model, mli_ensemble *out, ml_error *err)
{
    ml_status s = mli_ensemble_read_crossed(model, out, err);
    if (s != ML_OK || out->crosses.n_columns == 0) return s;
    return mli_fail(err, ML_E_UNSUPPORTED,
                    "the model splits on statistics of combinations of features, which "
                    "only prediction knows");
}

/* Walking. */

static int in_set(const mli_ensemble *e, int64_t i, int64_t bin)
{
    return (int)(e->sets[e->set_words * e->set[i] + (bin >> 5)] >> (bin & 31)) & 1;
}

static int category_left(const mli_ensemble *e, int64_t i, double x)
{
    int64_t j = e->feature[i], first = e->level_start[j];
    int64_t n = e->level_start[j + 1] - first;
    if (x >= 0 && x < (double)n) {
        int64_t at = first + (int64_t)x;
        return in_set(e, i, e->wide_bin ? e->wide_bin[at] : e->level_bin[at]);
    }
    if (e->wide_bin) {
        int missing = x != x && e->wide_missing;
        return in_set(e, i, missing ? e->wide_missing[j] : e->wide_other[j]);
    }
    int missing = x != x && e->level_missing;
    return in_set(e, i, missing ? e->level_missing[j] : e->level_other[j]);
}

int mli_ensemble_goes_left(const mli_ensemble *e, int64_t i, double x)
{
    if (e->flags[i] & MLI_NODE_CATEGORICAL) return category_left(e, i, x);
    int zero = e->zero_missing && fabs(x) <= (double)MLI_ZERO_MISSING;
    if (x != x || (zero && e->zero_missing[e->feature[i]]))
        return e->flags[i] & MLI_NODE_MISSING_LEFT;
    return x <= e->threshold[i];
}

double mli_ensemble_leaf(const mli_ensemble *e, int64_t node, const double *row)
{
    if (!e->linear_start || e->linear_start[node] == e->linear_start[node + 1])
        return e->value[node];
    double sum = e->linear_const[node];
    for (int64_t i = e->linear_start[node]; i < e->linear_start[node + 1]; i++) {
        double x = row[e->linear_feature[i]];
        if (!isfinite(x)) return e->value[node];
        sum += x * e->linear_coef[i];
    }
    return sum;
}

int mli_ensemble_plain(const mli_ensemble *e)
{
    return !e->linear_start && !e->level_missing && !e->wide_bin && !e->zero_missing &&
           !e->link && !e->crosses.n_columns && (e->set_words == 0 || e->set_words == 8);
}

static double link_one(const mli_ensemble *e, double s)
{
    s *= e->link_scale;
    switch (e->link) {
    case MLI_LINK_EXP:
        return exp(s);
    case MLI_LINK_SIGMOID:
        return 1 / (1 + exp(-s));
    case MLI_LINK_SOFTPLUS:
        return s > 0 ? s + log1p(exp(-s)) : log1p(exp(s));
    case MLI_LINK_STEP:
        return s > 0;
    case MLI_LINK_SQUARE:
        return s * fabs(s);
    default:
        return s;
    }
}

static void softmax(const mli_ensemble *e, const double *score, double *out)
{
    double top = -INFINITY, sum = 0;
    for (int64_t k = 0; k < e->n_scores; k++) {
        out[k] = score[k] * e->link_scale;
        if (out[k] > top) top = out[k];
    }
    for (int64_t k = 0; k < e->n_scores; k++) sum += out[k] = exp(out[k] - top);
    for (int64_t k = 0; k < e->n_scores; k++) out[k] /= sum;
}

void mli_ensemble_link(const mli_ensemble *e, const double *score, int64_t n_outputs,
                       double *out)
{
    if (e->link == MLI_LINK_SOFTMAX) {
        softmax(e, score, out);
        return;
    }
    for (int64_t k = 0; k < e->n_scores; k++) out[k] = link_one(e, score[k]);
    if (n_outputs != 2 || e->n_scores != 1) return;
    /* A sum of shares may miss 1 by a rounding. */
    out[1] = out[0] < 0 ? 0 : out[0] > 1 ? 1 : out[0];
    out[0] = 1 - out[1];
}
