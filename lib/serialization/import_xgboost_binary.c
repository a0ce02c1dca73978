/* SPDX-License-Identifier: MIT
 *
 * import_xgboost_binary.c: the binary format that XGBoost wrote before JSON (and up
 * to 2.x for names that do not end in .json or .ubj). It is written anew as the document
 * that XGBoost would write as JSON, which then has one reader.
 *
 * Little-endian, without padding; texts and vectors have their length in 8 bytes before
 * them. Sizes in bytes:
 *
 *     ["binf"]  base_score f32, num_feature, num_class, two flags, major and minor
 * version, num_target, up to 136 objective (a text), booster (a text) gbtree, dart:
 * num_trees, parallel trees, num_feature, 4 unused, 8 unused, num_output_group,
 * size_leaf_vector, up to 160; then for each tree roots, num_nodes, deleted, depth,
 * features, size_leaf_vector, up to 148; num_nodes of parent, left, right, feature and
 * default direction, f32 (20); num_nodes of gain f32, hessian f32, weight f32, leaves
 * (16); then the class of each tree; dart: a vector of weights gblinear: 136 unused, a
 * vector of weights
 *
 * What follows, attributes and metrics, is not needed. Before version 1 base_score was a
 * score already.
 */
#include "core/json.h"
#include "serialization/import.h"
#include "serialization/import_value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PARAM   136
#define TREES   160
#define TREE    148
#define NODE    20
#define STAT    16
#define NAME    64 /* the longest objective */
#define DEFAULT UINT32_C(0x80000000)
#define DELETED UINT32_MAX

typedef struct {
    mli_import *im;
    const unsigned char *at, *end;
    int64_t n_features;
    int32_t major;
    mli_str out;
} binary;

/* ---- reading ---- */

static uint32_t u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static int32_t i32(const unsigned char *p)
{
    return (int32_t)u32(p);
}

static uint64_t u64(const unsigned char *p)
{
    return u32(p) | (uint64_t)u32(p + 4) << 32;
}

static double f32(const unsigned char *p)
{
    uint32_t bits = u32(p);
    float v;
    memcpy(&v, &bits, sizeof v);
    return (double)v;
}

static ml_status damaged(const binary *b, const char *what)
{
    mli_fail(b->im->err, ML_E_FORMAT, "%s", what);
    return mli_error_at(b->im->err, ML_E_FORMAT, "XGBoost's binary model");
}

/* Passes over count elements; NULL when there are fewer. */
static const unsigned char *take(binary *b, uint64_t count, size_t size)
{
    const unsigned char *from = b->at;
    if (count > (uint64_t)(b->end - b->at) / size) return NULL;
    b->at += count * size;
    return from;
}

static ml_status cut(const binary *b)
{
    return damaged(b, "the file ends too early");
}

static ml_status take_vector(binary *b, size_t size, const unsigned char **out,
                             int64_t *n)
{
    const unsigned char *head = take(b, 1, 8);
    *out = head ? take(b, u64(head), size) : NULL;
    if (!*out) return cut(b);
    *n = (int64_t)u64(head);
    return ML_OK;
}

/* Is there a text of printable characters at p? Its end, or NULL. */
static const unsigned char *text_end(const unsigned char *p, const unsigned char *end)
{
    if (end - p < 8) return NULL;
    uint64_t n = u64(p);
    p += 8;
    if (n == 0 || n > NAME || n > (uint64_t)(end - p)) return NULL;
    for (uint64_t i = 0; i < n; i++)
        if (p[i] < '!' || p[i] > '~') return NULL;
    return p + n;
}

/* The place behind "binf". */
static const unsigned char *begin_of(const void *data, size_t size)
{
    const unsigned char *p = data;
    return size >= 4 && memcmp(p, "binf", 4) == 0 ? p + 4 : p;
}

int mli_import_is_xgboost_binary(const void *data, size_t size)
{
    const unsigned char *p = begin_of(data, size),
                        *end = (const unsigned char *)data + size;
    if (end - p < PARAM) return 0;
    const unsigned char *booster = text_end(p + PARAM, end);
    if (!booster || !text_end(booster, end)) return 0;
    const char *name = (const char *)booster + 8;
    return strncmp(name, "gbtree", 6) == 0 || strncmp(name, "gblinear", 8) == 0 ||
           strncmp(name, "dart", 4) == 0;
}

/* ---- writing ---- */

/* What JSON has no number for is damage. */
static int put_f32(mli_str *s, const unsigned char *p)
{
    double v = f32(p);
    if (!isfinite(v)) return 0;
    mli_str_f64(s, v);
    return 1;
}

enum { AS_I32, AS_F32 };

/* "key":[...] of one member of each element. */
static int put_member(mli_str *s, const char *key, const unsigned char *p, int64_t n,
                      size_t size, int how)
{
    mli_str_printf(s, ",\"%s\":[", key);
    for (int64_t i = 0; i < n; i++, p += size) {
        if (i) mli_str_char(s, ',');
        if (how == AS_I32)
            mli_str_i64(s, i32(p));
        else if (!put_f32(s, p))
            return 0;
    }
    mli_str_char(s, ']');
    return 1;
}

/* Nodes that pruning deleted are leaves that nothing leads to. */
static int is_leaf(const unsigned char *node)
{
    return i32(node + 4) == -1 || u32(node + 12) == DELETED;
}

static int put_nodes(mli_str *s, const unsigned char *nodes, int64_t n)
{
    static const char *const keys[] = {"left_children", "right_children", "split_indices",
                                       "default_left"};
    for (int k = 0; k < 4; k++) {
        mli_str_printf(s, ",\"%s\":[", keys[k]);
        for (int64_t i = 0; i < n; i++) {
            const unsigned char *p = nodes + i * NODE;
            uint32_t split = u32(p + 12);
            int64_t v = k == 0   ? i32(p + 4)
                        : k == 1 ? i32(p + 8)
                        : k == 2 ? (int64_t)(split & ~DEFAULT)
                                 : (split & DEFAULT) != 0;
            if (is_leaf(p)) v = k < 2 ? -1 : 0;
            if (i) mli_str_char(s, ',');
            mli_str_i64(s, v);
        }
        mli_str_char(s, ']');
    }
    return put_member(s, "split_conditions", nodes + 16, n, NODE, AS_F32);
}

static ml_status read_tree(binary *b)
{
    const unsigned char *head = take(b, 1, TREE), *nodes, *stats, *leaves;
    int64_t unused;
    if (!head) return cut(b);
    int32_t n = i32(head + 4), vectors = i32(head + 20);
    if (n < 1) return damaged(b, "a tree without nodes");
    if (i32(head) > 1) return damaged(b, "a tree of several roots");
    nodes = take(b, (uint64_t)n, NODE);
    stats = nodes ? take(b, (uint64_t)n, STAT) : NULL;
    if (!stats) return cut(b);
    if (vectors != 0 && b->major < 2) {
        ml_status s = take_vector(b, 4, &leaves, &unused);
        if (s) return s;
    }
    mli_str_printf(&b->out, "{\"tree_param\":{\"size_leaf_vector\":\"%d\"}",
                   (int)(b->major < 2 ? 0 : vectors));
    int ok = put_nodes(&b->out, nodes, n) &&
             put_member(&b->out, "loss_changes", stats, n, STAT, AS_F32) &&
             put_member(&b->out, "sum_hessian", stats + 4, n, STAT, AS_F32);
    mli_str_char(&b->out, '}');
    return ok ? ML_OK : damaged(b, "a number of a tree is not finite");
}

static ml_status read_trees(binary *b)
{
    const unsigned char *head = take(b, 1, TREES);
    if (!head) return cut(b);
    int32_t n = i32(head);
    if (n < 0) return damaged(b, "a negative number of trees");
    ml_status s = ML_OK;
    mli_str_add(&b->out, "{\"trees\":[");
    for (int32_t t = 0; t < n && !s; t++) {
        if (t) mli_str_char(&b->out, ',');
        s = read_tree(b);
        if (b->out.failed) return mli_nomem(b->im->err);
    }
    if (s) return s;
    const unsigned char *info = take(b, (uint64_t)n, 4);
    if (!info) return cut(b);
    mli_str_char(&b->out, ']');
    put_member(&b->out, "tree_info", info, n, 4, AS_I32);
    mli_str_char(&b->out, '}');
    return ML_OK;
}

static ml_status read_dart(binary *b)
{
    const unsigned char *weights;
    int64_t n = 0;
    mli_str_add(&b->out, "\"gbtree\":{\"model\":");
    ml_status s = read_trees(b);
    if (!s) s = take_vector(b, 4, &weights, &n);
    if (s) return s;
    mli_str_char(&b->out, '}');
    return put_member(&b->out, "weight_drop", weights, n, 4, AS_F32)
               ? ML_OK
               : damaged(b, "a weight of a tree is not finite");
}

static ml_status read_linear(binary *b)
{
    const unsigned char *weights;
    int64_t n;
    if (!take(b, 1, PARAM)) return cut(b);
    ml_status s = take_vector(b, 4, &weights, &n);
    if (s) return s;
    mli_str_add(&b->out, "{\"boosted_rounds\":0");
    int ok = put_member(&b->out, "weights", weights, n, 4, AS_F32);
    mli_str_char(&b->out, '}');
    return ok ? ML_OK : damaged(b, "a coefficient is not finite");
}

static ml_status read_booster(binary *b, const char *name)
{
    if (strcmp(name, "dart") == 0) return read_dart(b);
    mli_str_add(&b->out, "\"model\":");
    return strcmp(name, "gblinear") == 0 ? read_linear(b) : read_trees(b);
}

static void copy_name(binary *b, char name[NAME + 1])
{
    size_t n = (size_t)u64(b->at);
    memcpy(name, b->at + 8, n);
    name[n] = 0;
    b->at += 8 + n;
}

/* The document, up to its last brace. */
static ml_status write_document(binary *b)
{
    const unsigned char *p = take(b, 1, PARAM);
    char objective[NAME + 1], booster[NAME + 1];
    copy_name(b,
              objective); /* there they are, mli_import_is_xgboost_binary has seen it */
    copy_name(b, booster);
    b->major = i32(p + 20);
    mli_str_printf(&b->out, "{\"version\":[%d,%d,0],\"learner\":{", (int)b->major,
                   (int)i32(p + 24));
    mli_str_printf(&b->out,
                   "\"learner_model_param\":{\"num_feature\":\"%u\",\"num_class\":\"%d\","
                   "\"num_target\":\"%d\",\"base_score\":\"",
                   (unsigned)u32(p + 4), (int)i32(p + 8), (int)i32(p + 28));
    if (!put_f32(&b->out, p)) return damaged(b, "base_score is not finite");
    mli_str_add(&b->out, "\"},\"objective\":{\"name\":");
    mli_json_str(&b->out, objective);
    mli_str_add(&b->out, "},\"gradient_booster\":{\"name\":");
    mli_json_str(&b->out, booster);
    mli_str_char(&b->out, ',');
    ml_status s = read_booster(b, booster);
    mli_str_add(&b->out, "}}}");
    return s;
}

ml_status mli_import_xgboost_binary(mli_import *im, const void *data, size_t size)
{
    const unsigned char *end = (const unsigned char *)data + size;
    binary b = {.im = im, .at = begin_of(data, size), .end = end};
    mli_doc doc;
    mli_str_init(&b.out, im->ctx);
    ml_status s = write_document(&b);
    if (!s && b.out.failed) s = mli_nomem(im->err);
    im->base_is_score = b.major < 1;
    if (!s) s = mli_doc_json(im->ctx, b.out.data, b.out.size, &doc, im->err);
    if (!s) {
        s = mli_import_xgboost(im, &doc.root);
        mli_doc_free(&doc);
    }
    mli_str_free(&b.out);
    return s;
}
