/* SPDX-License-Identifier: MIT
 *
 * export_onnx.c: trees as an ONNX graph (opset 15, ai.onnx.ml 3): TreeEnsembleRegressor
 * or TreeEnsembleClassifier over one input X of doubles, one row per row, categories as
 * their codes, NaN where a value is missing. Thresholds and leaf values are doubles, so
 * that rows take the same way; the runtimes' results are floats.
 *
 * ONNX compares with one number at a time: a split on categories becomes a chain of
 * BRANCH_EQ, one for each code on the side that unknown codes are not on. All of them
 * share one "true" child, so that nothing is copied.
 *
 * A score of two classes is written as the second of two, the first being 0, and softmax:
 * the same probabilities, and the same label in all runtimes.
 */
#include "core/json.h"
#include "serialization/export.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- protocol buffers ---- */

static void put_varint(mli_str *s, uint64_t v)
{
    while (v >= 128) {
        mli_str_char(s, (char)(v | 128));
        v >>= 7;
    }
    mli_str_char(s, (char)v);
}

static void put_int(mli_str *s, int field, int64_t v)
{
    put_varint(s, (uint64_t)field << 3);
    put_varint(s, (uint64_t)v);
}

static void put_bytes(mli_str *s, int field, const char *data, size_t n)
{
    put_varint(s, (uint64_t)field << 3 | 2);
    put_varint(s, n);
    mli_str_add_n(s, data, n);
}

static void put_text(mli_str *s, int field, const char *text)
{
    put_bytes(s, field, text, strlen(text));
}

/* A message within a message; `inner` is freed. */
static void put_message(mli_str *s, int field, mli_str *inner)
{
    put_bytes(s, field, inner->data, inner->size);
    if (inner->failed) s->failed = 1;
    mli_str_free(inner);
}

static void put_double(mli_str *s, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    for (int i = 0; i < 8; i++) mli_str_char(s, (char)(bits >> 8 * i));
}

/* ---- the nodes of all trees ---- */

enum { LEQ, EQ, LEAF };
static const char *const mode_names[] = {"BRANCH_LEQ", "BRANCH_EQ", "LEAF"};

typedef struct row {
    int64_t tree, id, feature, yes, no;
    int mode, tracks; /* missing values go to "yes" */
    double value;
} row;

typedef struct writer {
    mli_export_job *x;
    ml_context *ctx;
    row *rows;
    int64_t n, capacity;
    int failed;
    row spare; /* written to when there is no memory */
} writer;

static row *add_row(writer *w)
{
    if (w->n == w->capacity) {
        int64_t n = w->capacity ? 2 * w->capacity : 256;
        size_t size = (size_t)n * sizeof *w->rows;
        row *grown =
            w->rows ? mli_realloc(w->ctx, w->rows, size) : mli_alloc(w->ctx, size);
        if (!grown) {
            w->failed = 1;
            return &w->spare;
        }
        w->rows = grown;
        w->capacity = n;
    }
    row *r = &w->rows[w->n++];
    memset(r, 0, sizeof *r);
    return r;
}

/* The next code whose side is not that of unknown ones, from `code` on; -1: none. */
static int64_t next_code(const mli_ensemble *e, int64_t i, int64_t code, int other)
{
    int64_t j = e->feature[i], n = e->level_start[j + 1] - e->level_start[j];
    while (code < n && mli_ensemble_goes_left(e, i, (double)code) == other) code++;
    return code < n ? code : -1;
}

/* *extra is the next free number of a node in the tree. */
static void add_chain(writer *w, int64_t t, int64_t i, int64_t *extra)
{
    const mli_ensemble *e = &w->x->e;
    int64_t left = e->left[i], right = left + 1, id = i - e->start[t];
    int other = mli_ensemble_goes_left(e, i, -1);
    int missing = mli_ensemble_goes_left(e, i, (double)NAN);
    int64_t code = next_code(e, i, 0, other);
    int64_t on = other ? right : left, off = other ? left : right;
    if (code < 0) {
        row *r = add_row(w); /* always true */
        *r = (row){t, id, e->feature[i], off, on, LEQ, missing == other, INFINITY};
        return;
    }
    for (int first = 1; code >= 0; first = 0) {
        int64_t next = next_code(e, i, code + 1, other);
        row *r = add_row(w);
        *r = (row){t,
                   id,
                   e->feature[i],
                   on,
                   next >= 0 ? *extra : off,
                   EQ,
                   first && missing != other,
                   (double)code};
        code = next;
        if (code >= 0) id = (*extra)++;
    }
}

static void add_rows(writer *w)
{
    const mli_ensemble *e = &w->x->e;
    for (int64_t t = 0; t < e->n_trees; t++) {
        int64_t first = e->start[t], extra = e->start[t + 1] - first;
        for (int64_t i = first; i < e->start[t + 1]; i++) {
            if (e->left[i] && (e->flags[i] & MLI_NODE_CATEGORICAL)) {
                add_chain(w, t, i, &extra);
                continue;
            }
            row *r = add_row(w);
            *r = (row){t, i - first, 0, 0, 0, LEAF, 0, 0};
            if (!e->left[i]) continue;
            *r = (row){t,
                       i - first,
                       e->feature[i],
                       e->left[i],
                       e->left[i] + 1,
                       LEQ,
                       e->flags[i] & MLI_NODE_MISSING_LEFT,
                       e->threshold[i]};
        }
    }
}

/* ---- attributes ---- */

static void begin_attribute(mli_str *a, const writer *w, const char *name, int type)
{
    mli_str_init(a, w->ctx);
    put_text(a, 1, name);
    put_int(a, 20, type);
}

static void put_text_attribute(const writer *w, mli_str *node, const char *name,
                               const char *text)
{
    mli_str a;
    begin_attribute(&a, w, name, 3);
    put_text(&a, 4, text);
    put_message(node, 5, &a);
}

static void put_int_attribute(const writer *w, mli_str *node, const char *name, int64_t v)
{
    mli_str a;
    begin_attribute(&a, w, name, 2);
    put_int(&a, 3, v);
    put_message(node, 5, &a);
}

/* A list of integers from the rows, by their place in them. */
static void put_row_ints(const writer *w, mli_str *node, const char *name,
                         int64_t (*get)(const row *r))
{
    mli_str a, list;
    begin_attribute(&a, w, name, 7);
    mli_str_init(&list, w->ctx);
    for (int64_t i = 0; i < w->n; i++) put_varint(&list, (uint64_t)get(&w->rows[i]));
    put_message(&a, 8, &list);
    put_message(node, 5, &a);
}

static int64_t get_tree(const row *r)
{
    return r->tree;
}
static int64_t get_id(const row *r)
{
    return r->id;
}
static int64_t get_feature(const row *r)
{
    return r->feature;
}
static int64_t get_yes(const row *r)
{
    return r->yes;
}
static int64_t get_no(const row *r)
{
    return r->no;
}
static int64_t get_tracks(const row *r)
{
    return r->tracks != 0;
}

/* `values`: doubles, already as bytes; freed. */
static void put_doubles(const writer *w, mli_str *node, const char *name, mli_str *values)
{
    mli_str a, tensor;
    begin_attribute(&a, w, name, 4);
    mli_str_init(&tensor, w->ctx);
    put_int(&tensor, 1, (int64_t)values->size / 8);
    put_int(&tensor, 2, 11);
    put_text(&tensor, 8, name);
    put_message(&tensor, 9, values);
    put_message(&a, 5, &tensor);
    put_message(node, 5, &a);
}

static void put_nodes(const writer *w, mli_str *node)
{
    mli_str a, values;
    put_row_ints(w, node, "nodes_treeids", get_tree);
    put_row_ints(w, node, "nodes_nodeids", get_id);
    put_row_ints(w, node, "nodes_featureids", get_feature);
    put_row_ints(w, node, "nodes_truenodeids", get_yes);
    put_row_ints(w, node, "nodes_falsenodeids", get_no);
    put_row_ints(w, node, "nodes_missing_value_tracks_true", get_tracks);
    begin_attribute(&a, w, "nodes_modes", 8);
    for (int64_t i = 0; i < w->n; i++) put_text(&a, 9, mode_names[w->rows[i].mode]);
    put_message(node, 5, &a);
    mli_str_init(&values, w->ctx);
    for (int64_t i = 0; i < w->n; i++) put_double(&values, w->rows[i].value);
    put_doubles(w, node, "nodes_values_as_tensor", &values);
}

/* ---- weights ---- */

/* How scores become weights of classes. */
enum { PLAIN, SECOND_OF_TWO };

static void put_weights(const writer *w, mli_str *node, const char *what, int how)
{
    const mli_export_job *x = w->x;
    const mli_ensemble *e = &x->e;
    mli_str list[3], weights, a;
    static const char *const ends[] = {"treeids", "nodeids", "ids"};
    char name[64];
    for (int k = 0; k < 3; k++) mli_str_init(&list[k], w->ctx);
    mli_str_init(&weights, w->ctx);
    for (int64_t t = 0; t < e->n_trees; t++) {
        for (int64_t i = e->start[t]; i < e->start[t + 1]; i++) {
            if (e->left[i]) continue;
            double v = e->value[i];
            if (how == SECOND_OF_TWO && t == 0) v += e->base[0];
            put_varint(&list[0], (uint64_t)t);
            put_varint(&list[1], (uint64_t)(i - e->start[t]));
            put_varint(&list[2], how == SECOND_OF_TWO ? 1 : (uint64_t)(t % e->n_scores));
            put_double(&weights, v * x->scale);
            if (how != SECOND_OF_TWO || t > 0) continue;
            put_varint(&list[0], 0);
            put_varint(&list[1], (uint64_t)(i - e->start[t]));
            put_varint(&list[2], 0);
            put_double(&weights, 0);
        }
    }
    for (int k = 0; k < 3; k++) {
        snprintf(name, sizeof name, "%s_%s", what, ends[k]);
        begin_attribute(&a, w, name, 7);
        put_message(&a, 8, &list[k]);
        put_message(node, 5, &a);
    }
    snprintf(name, sizeof name, "%s_weights_as_tensor", what);
    put_doubles(w, node, name, &weights);
    if (how == SECOND_OF_TWO) return;
    mli_str_init(&weights, w->ctx);
    for (int64_t k = 0; k < e->n_scores; k++) put_double(&weights, e->base[k] * x->scale);
    put_doubles(w, node, "base_values_as_tensor", &weights);
}

/* ---- the graph ---- */

static void put_labels(const writer *w, mli_str *node)
{
    const mli_dictionary *d = &w->x->inputs->classes;
    mli_str a;
    begin_attribute(&a, w, "classlabels_strings", 8);
    for (int64_t k = 0; k < d->n; k++)
        put_bytes(&a, 9, d->bytes + d->offsets[k],
                  (size_t)(d->offsets[k + 1] - d->offsets[k]));
    put_message(node, 5, &a);
}

/* A tensor of rows, and columns unless it is a list (0). */
static void put_value(const writer *w, mli_str *graph, int field, const char *name,
                      int type, int64_t columns)
{
    mli_str value, kind, tensor, shape, dim;
    mli_str_init(&value, w->ctx);
    mli_str_init(&kind, w->ctx);
    mli_str_init(&tensor, w->ctx);
    mli_str_init(&shape, w->ctx);
    mli_str_init(&dim, w->ctx);
    put_text(&dim, 2, "rows");
    put_message(&shape, 1, &dim);
    if (columns) {
        mli_str_init(&dim, w->ctx);
        put_int(&dim, 1, columns);
        put_message(&shape, 1, &dim);
    }
    put_int(&tensor, 1, type);
    put_message(&tensor, 2, &shape);
    put_message(&kind, 1, &tensor);
    put_text(&value, 1, name);
    put_message(&value, 2, &kind);
    put_message(graph, field, &value);
}

static void begin_node(mli_str *node, const writer *w, const char *op, const char *domain,
                       const char *input)
{
    mli_str_init(node, w->ctx);
    put_text(node, 1, input);
    put_text(node, 4, op);
    if (domain[0]) put_text(node, 7, domain);
}

static void put_classifier(const writer *w, mli_str *graph, const char *post, int how)
{
    mli_str node;
    begin_node(&node, w, "TreeEnsembleClassifier", "ai.onnx.ml", "X");
    put_text(&node, 2, "label");
    put_text(&node, 2, "probabilities");
    put_nodes(w, &node);
    put_weights(w, &node, "class", how);
    put_labels(w, &node);
    put_text_attribute(w, &node, "post_transform", post);
    put_message(graph, 1, &node);
    put_value(w, graph, 12, "label", 8, 0);
    put_value(w, graph, 12, "probabilities", 1, w->x->inputs->classes.n);
}

/* `link`: an operator behind the trees, or NULL. */
static void put_regressor(const writer *w, mli_str *graph, const char *link)
{
    mli_str node;
    begin_node(&node, w, "TreeEnsembleRegressor", "ai.onnx.ml", "X");
    put_text(&node, 2, link ? "score" : "value");
    put_nodes(w, &node);
    put_weights(w, &node, "target", PLAIN);
    put_int_attribute(w, &node, "n_targets", 1);
    put_text_attribute(w, &node, "post_transform", "NONE");
    put_message(graph, 1, &node);
    if (link) {
        begin_node(&node, w, link, "", "score");
        put_text(&node, 2, "value");
        put_message(graph, 1, &node);
    }
    put_value(w, graph, 12, "value", 1, 1);
}

static ml_status put_model(const writer *w, mli_str *graph)
{
    const mli_export_job *x = w->x;
    int64_t classes = x->inputs->classes.n;
    int one = x->e.n_scores == 1;
    const char *links[MLI_LINK_COUNT] = {[MLI_LINK_EXP] = "Exp",
                                         [MLI_LINK_SIGMOID] = "Sigmoid",
                                         [MLI_LINK_SOFTPLUS] = "Softplus"};
    if (classes == 0) {
        if (!links[x->link] && x->link != MLI_LINK_IDENTITY)
            return mli_export_refuse(x, "ONNX", "this link of scores and predictions");
        put_regressor(w, graph, links[x->link]);
    } else if (one && x->link == MLI_LINK_SIGMOID) {
        put_classifier(w, graph, "SOFTMAX", SECOND_OF_TWO);
    } else if (!one && x->link == MLI_LINK_SOFTMAX && classes > 2) {
        put_classifier(w, graph, "SOFTMAX", PLAIN);
    } else if (classes > 2 && x->link == MLI_LINK_IDENTITY) {
        put_classifier(w, graph, "NONE", PLAIN);
    } else if (classes > 2 && x->link == MLI_LINK_SIGMOID) {
        put_classifier(w, graph, "LOGISTIC", PLAIN);
    } else if (one && x->link == MLI_LINK_IDENTITY) {
        for (int64_t i = 0; i < x->e.n_nodes; i++)
            if (!x->e.left[i] && x->e.value[i] * x->scale < 0)
                return mli_export_refuse(x, "ONNX", "probabilities with negative parts");
        put_classifier(w, graph, "NONE", PLAIN);
    } else {
        return mli_export_refuse(x, "ONNX", "this link of scores and classes");
    }
    return ML_OK;
}

static void put_names(const writer *w, mli_str *model)
{
    const mli_inputs *in = w->x->inputs;
    mli_str pair, json;
    mli_str_init(&pair, w->ctx);
    mli_str_init(&json, w->ctx);
    mli_str_char(&json, '[');
    for (int64_t j = 0; j < in->n_features; j++) {
        if (j) mli_str_add(&json, ", ");
        mli_json_str(&json, in->features[j].name);
    }
    mli_str_char(&json, ']');
    put_text(&pair, 1, "feature_names");
    put_message(&pair, 2, &json);
    put_message(model, 14, &pair);
}

static void put_opset(const writer *w, mli_str *model, const char *domain, int version)
{
    mli_str opset;
    mli_str_init(&opset, w->ctx);
    put_text(&opset, 1, domain);
    put_int(&opset, 2, version);
    put_message(model, 8, &opset);
}

ml_status mli_export_onnx(mli_export_job *x)
{
    writer w = {.x = x, .ctx = x->s->ctx};
    mli_str graph;
    for (int64_t j = 0; x->e.zero_missing && j < x->e.n_features; j++)
        if (x->e.zero_missing[j])
            return mli_export_refuse(x, "ONNX", "zeros that count as missing");
    mli_str_init(&graph, w.ctx);
    add_rows(&w);
    ml_status s = w.failed ? mli_nomem(x->err) : put_model(&w, &graph);
    mli_free(w.ctx, w.rows);
    if (s) {
        mli_str_free(&graph);
        return s;
    }
    put_text(&graph, 2, x->name);
    put_value(&w, &graph, 11, "X", 11, x->e.n_features);
    put_int(x->s, 1, 8);
    put_text(x->s, 2, "libml");
    put_text(x->s, 3, ml_version());
    put_message(x->s, 7, &graph);
    put_opset(&w, x->s, "", 15);
    put_opset(&w, x->s, "ai.onnx.ml", 3);
    put_names(&w, x->s);
    return ML_OK;
}
