/* SPDX-License-Identifier: MIT
 *
 * import_onnx.c: ONNX graphs that hold one model of trees or one linear model
 * (ai.onnx.ml), as converters of scikit-learn, XGBoost and LightGBM write them; several
 * models of trees: import_onnx_several.c; all others: import_onnx_program.c.
 *
 * Before the model there may be operators that arrange columns or calculate with them
 * (import_onnx_columns.c); behind it, those that arrange its results (Cast, ZipMap,
 * Reshape, ...) and one of Sigmoid, Exp and Softmax. Any other is an error that names it.
 */
#include "serialization/import_onnx.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int is_model(const mli_onnx_node *n)
{
    return strncmp(n->op.at, "TreeEnsemble", 12) == 0 ||
           mli_onnx_is(n->op, "LinearClassifier") ||
           mli_onnx_is(n->op, "LinearRegressor");
}

static ml_status refuse(const mli_onnx *g, const mli_onnx_node *node, const char *where)
{
    return mli_fail(
        g->err, ML_E_UNSUPPORTED,
        "the graph has the operator %s %s the model, which cannot be imported",
        node->op.at, where);
}

/* ---- before the model ---- */

/* As libml writes them; a list that does not fit is ignored. */
static ml_status metadata_names(mli_import *im, const mli_onnx *g)
{
    mli_doc doc;
    if (!g->names.at) return ML_OK;
    ml_status s = mli_doc_json(im->ctx, g->names.at, g->names.size, &doc, im->err);
    if (s == ML_E_MEMORY) return s;
    if (s) return ML_OK;
    int fits = doc.root.type == MLI_V_ARRAY && doc.root.n == im->n_features;
    for (int64_t j = 0; fits && j < doc.root.n; j++)
        fits = doc.root.as.items[j].type == MLI_V_TEXT;
    for (int64_t j = 0; !s && fits && j < doc.root.n; j++)
        s = mli_import_name(im, j, doc.root.as.items[j].as.text,
                            (size_t)doc.root.as.items[j].n);
    mli_doc_free(&doc);
    return s;
}

/* The functions of a linear model. */
static int64_t functions_of(const mli_onnx_node *node)
{
    const mli_onnx_attribute *a = mli_onnx_find(node, "intercepts");
    if (a && a->n_numbers > 0) return a->n_numbers;
    a = mli_onnx_find(node, "targets");
    return a && a->number >= 1 && a->number < 1e6 ? (int64_t)a->number : 1;
}

ml_status mli_onnx_least_features(const mli_onnx *g, const mli_onnx_node *node,
                                  int64_t *out)
{
    const mli_onnx_attribute *a;
    ml_status s = ML_OK;
    *out = 1;
    if (strncmp(node->op.at, "TreeEnsemble", 12) == 0) {
        s = mli_onnx_numbers(g, node, "nodes_featureids", -1, &a);
        for (int64_t i = 0; !s && i < a->n_numbers; i++) {
            if (!(a->numbers[i] >= 0 && a->numbers[i] < 16777215))
                return mli_fail(g->err, ML_E_FORMAT, "nodes_featureids is out of range");
            if ((int64_t)a->numbers[i] + 1 > *out) *out = (int64_t)a->numbers[i] + 1;
        }
        return s;
    }
    s = mli_onnx_numbers(g, node, "coefficients", -1, &a);
    if (!s) *out = a->n_numbers / functions_of(node);
    return s;
}

/* The same of several models. */
static ml_status most_features(const mli_onnx *g, int64_t *out)
{
    ml_status s = ML_OK;
    int64_t least = 1;
    *out = 1;
    for (int64_t i = 0; i < g->n_nodes && !s; i++) {
        if (!mli_onnx_is_trees(&g->nodes[i])) continue;
        s = mli_onnx_least_features(g, &g->nodes[i], &least);
        if (least > *out) *out = least;
    }
    return s;
}

/* ---- labels ---- */

ml_status mli_onnx_labels(mli_import *im, const mli_onnx *g, const mli_onnx_node *node)
{
    const mli_onnx_attribute *texts = mli_onnx_find(node, "classlabels_strings");
    const mli_onnx_attribute *ints = mli_onnx_find(node, "classlabels_int64s");
    if (!ints) ints = mli_onnx_find(node, "classlabels_ints");
    return mli_onnx_set_labels(im, g, texts, ints);
}

ml_status mli_onnx_set_labels(mli_import *im, const mli_onnx *g,
                              const mli_onnx_attribute *texts,
                              const mli_onnx_attribute *ints)
{
    int named = texts && texts->n_texts > 0;
    int64_t n = named ? texts->n_texts : ints ? ints->n_numbers : 0;
    char text[32];
    if (n < 2 || (im->labels && n != im->n_classes))
        return mli_fail(g->err, ML_E_FORMAT, "a classifier with %lld classes",
                        (long long)n);
    ml_status s = im->labels ? ML_OK : mli_import_labels(im, n);
    for (int64_t k = 0; !s && k < n; k++) {
        if (named) {
            s = mli_import_label(im, k, texts->texts[k].at, texts->texts[k].size);
            continue;
        }
        if (!(fabs(ints->numbers[k]) < 9e15))
            return mli_fail(g->err, ML_E_FORMAT, "a class label is out of range");
        snprintf(text, sizeof text, "%lld", (long long)ints->numbers[k]);
        s = mli_import_label(im, k, text, strlen(text));
    }
    return s;
}

/* ---- behind the model ---- */

/* What a node behind the model does: 1 arranges, 2 is a link, 0 something else. */
static int role_of(const mli_onnx_node *n, int linear, int classes)
{
    static const char arranging[] =
        "Cast,Identity,ZipMap,Reshape,Flatten,Squeeze,Unsqueeze,Shape,Constant";
    if (mli_in_list(n->op.at, arranging)) return 1;
    if (classes && mli_in_list(n->op.at, "ArgMax,ArrayFeatureExtractor")) return 1;
    if (mli_in_list(n->op.at, "Sigmoid,Exp,Softmax")) return 2;
    /* Probabilities of a linear classifier, which add up to 1 already: checked there. */
    return linear && mli_onnx_is(n->op, "Normalizer");
}

/* Multiplies scores, or adds to them. */
static ml_status scale_scores(mli_import *im, const mli_onnx_attribute *by, int op)
{
    int64_t scores = im->n_scores;
    double *values = im->linear;
    for (int64_t k = 0; k < scores; k++) {
        double v = by->numbers[by->n_numbers == 1 ? 0 : k];
        double f = op == '*' ? v : op == '/' ? 1 / v : 1;
        if (!isfinite(f) || !isfinite(v))
            return mli_fail(im->err, ML_E_FORMAT, "a factor of the scores is not finite");
        im->base[k] *= f;
        if (op == '+' || op == '-') im->base[k] += op == '+' ? v : -v;
        for (int64_t j = 0; values && j < im->n_features; j++)
            values[k * im->n_features + j] *= f;
        for (int64_t t = 0; t < im->trees.n_trees; t++)
            for (int64_t i = im->trees.start[t];
                 im->score[t] == k && i < im->trees.start[t + 1]; i++)
                im->trees.node[i].value *= f;
    }
    return ML_OK;
}

/* Behind e^score a factor adds its logarithm to the score. */
static ml_status scale_exponents(mli_import *im, const mli_onnx *g,
                                 const mli_onnx_node *node, const mli_onnx_attribute *by,
                                 int op)
{
    double v = by->numbers[0];
    if (by->n_numbers != 1 || op == '+' || op == '-' || !(v > 0) || !isfinite(v))
        return refuse(g, node, "behind");
    for (int64_t k = 0; k < im->n_scores; k++)
        im->base[k] += op == '*' ? log(v) : -log(v);
    return ML_OK;
}

/* Mul, Div, Add, Sub of the results and a constant. */
static ml_status read_arithmetic(mli_import *im, const mli_onnx *g,
                                 const mli_onnx_node *node)
{
    int op = mli_onnx_is(node->op, "Mul")   ? '*'
             : mli_onnx_is(node->op, "Div") ? '/'
             : mli_onnx_is(node->op, "Add") ? '+'
                                            : '-';
    if (node->n_inputs != 2 || mli_onnx_value(g, node->inputs[0].at))
        return refuse(g, node, "behind");
    const mli_onnx_attribute *by = mli_onnx_value(g, node->inputs[1].at);
    if (!by || (by->n_numbers != 1 && by->n_numbers != im->n_scores))
        return refuse(g, node, "behind");
    if (by->n_numbers == 1 && by->numbers[0] == (op == '*' || op == '/' ? 1 : 0))
        return ML_OK;
    if (im->link == MLI_LINK_EXP) return scale_exponents(im, g, node, by, op);
    int side = im->n_classes == 2 && im->link == MLI_LINK_STEP && by->numbers[0] > 0 &&
               (op == '*' || op == '/');
    if (!side && (im->n_classes || im->link != MLI_LINK_IDENTITY))
        return refuse(g, node, "behind");
    return scale_scores(im, by, op);
}

static ml_status read_behind(mli_import *im, const mli_onnx *g,
                             const mli_onnx_node *model, const mli_onnx_columns *columns)
{
    int linear = strncmp(model->op.at, "Linear", 6) == 0;
    if (linear && !im->n_classes) im->link = MLI_LINK_IDENTITY;
    for (int64_t i = 0; i < g->n_nodes; i++) {
        const mli_onnx_node *n = &g->nodes[i];
        if (n == model || columns->node[i].used) continue;
        if (mli_in_list(n->op.at, "Mul,Div,Add,Sub")) {
            ml_status s = read_arithmetic(im, g, n);
            if (s) return s;
            continue;
        }
        int role = role_of(n, linear, im->n_classes > 0);
        if (!role) return refuse(g, n, is_model(n) ? "beside" : "beside or behind");
        if (role == 1) continue;
        if (im->link == MLI_LINK_STEP && im->n_classes == 2 &&
            mli_onnx_is(n->op, "Sigmoid")) {
            im->link = MLI_LINK_NONE; /* probabilities after all */
            continue;
        }
        if (im->link != MLI_LINK_IDENTITY || im->n_classes) return refuse(g, n, "behind");
        if (mli_onnx_is(n->op, "Softmax")) return refuse(g, n, "behind");
        im->link = mli_onnx_is(n->op, "Exp") ? MLI_LINK_EXP : MLI_LINK_SIGMOID;
    }
    return ML_OK;
}

/* The model, the first one of trees where there are several; NULL: none. */
static const mli_onnx_node *find_model(const mli_onnx *g, int64_t *models)
{
    const mli_onnx_node *node = NULL;
    *models = 0;
    for (int64_t i = 0; i < g->n_nodes; i++) {
        const mli_onnx_node *n = &g->nodes[i];
        int trees = mli_onnx_is_trees(n);
        if (is_model(n) && (!node || (trees && !mli_onnx_is_trees(node)))) node = n;
        *models += trees;
    }
    return node;
}

/* Are doubles compared as such? Rows that are cast, or calculated with, are left to
 * programs, which know the type of each value. */
static ml_status find_type(const mli_onnx *g, const mli_onnx_columns *columns,
                           int several, int *doubles)
{
    int casts = 0;
    *doubles = 0;
    for (int64_t i = 0; i < g->n_inputs; i++)
        if (columns->first[i] >= 0) *doubles |= g->inputs[i].type == 11;
    for (int64_t i = 0; i < g->n_nodes; i++) {
        const mli_onnx_attribute *to = mli_onnx_find(&g->nodes[i], "to");
        if (!columns->node[i].used || !mli_onnx_is(g->nodes[i].op, "Cast") || !to)
            continue;
        casts |= *doubles || to->number != 1;
    }
    return casts || (*doubles && (several || !columns->plain))
               ? mli_fail(g->err, ML_E_UNSUPPORTED,
                          "operators on doubles before the model cannot be imported")
               : ML_OK;
}

/* One model of trees or a linear one, and what can become part of it. */
static ml_status read_model(mli_import *im, mli_onnx *g)
{
    mli_onnx_columns columns = {.n = 0};
    int64_t least = 0, models;
    int doubles = 0;
    const mli_onnx_node *node = find_model(g, &models);
    if (!node || node->n_inputs < 1)
        return mli_fail(g->err, ML_E_UNSUPPORTED, "the graph has no model");
    int several = models > 1 && mli_onnx_is_trees(node);
    snprintf(im->objective, sizeof im->objective, "%s", node->op.at);
    ml_status s =
        several ? most_features(g, &least) : mli_onnx_least_features(g, node, &least);
    if (!s) s = mli_onnx_columns_read(im->ctx, g, node->inputs[0].at, least, &columns);
    if (!s) s = find_type(g, &columns, several, &doubles);
    if (!s) s = mli_import_features(im, columns.plain ? columns.n_features : least);
    if (!s)
        s = several ? mli_onnx_several(im, g, &columns)
            : strncmp(node->op.at, "Linear", 6) == 0
                ? mli_onnx_linear(im, g, node)
                : mli_onnx_trees(im, g, node, doubles);
    if (!s) s = mli_onnx_prepare_apply(im, g, &columns);
    if (!s) s = mli_onnx_columns_name(im, g, &columns);
    if (!s && !several) s = read_behind(im, g, node, &columns);
    mli_onnx_columns_free(im->ctx, &columns);
    if (!im->n_classes && im->link == MLI_LINK_IDENTITY) im->link = MLI_LINK_NONE;
    return s ? s : metadata_names(im, g);
}

static void start_again(mli_import *im)
{
    mli_import empty = {
        .ctx = im->ctx, .err = im->err, .target = im->target, .link_scale = 1};
    memcpy(empty.system, im->system, sizeof empty.system);
    memcpy(empty.objective, im->objective, sizeof empty.objective);
    mli_import_free(im);
    *im = empty;
    mli_ensemble_builder_init(&im->trees, im->ctx);
}

/* One model, else a program. */
static ml_status read_graph(mli_import *im, mli_onnx *g, ml_model **out)
{
    ml_error *err = im->err, *quiet = ml_error_new();
    if (!quiet) return mli_nomem(err);
    im->err = g->err = quiet;
    ml_status first = read_model(im, g);
    im->err = g->err = err;
    ml_error_free(quiet);
    if (first == ML_OK) return ML_OK;
    if (first == ML_E_MEMORY) return mli_nomem(err);
    start_again(im);
    return mli_onnx_program(im, g, out);
}

ml_status mli_import_onnx(mli_import *im, const void *data, size_t size, ml_model **out)
{
    mli_onnx g;
    ml_status s = mli_onnx_read(im->ctx, data, size, &g, im->err);
    snprintf(im->system, sizeof im->system, "ONNX (%.40s %.16s)",
             g.producer.at ? g.producer.at : "",
             g.producer_version.at ? g.producer_version.at : "");
    for (int64_t i = 0; !s && i < g.n_inputs; i++)
        if (g.inputs[i].rank > 2)
            s = mli_fail(im->err, ML_E_UNSUPPORTED,
                         "the input \"%s\" has %d axes; a table has rows and columns",
                         g.inputs[i].name.at, g.inputs[i].rank);
    if (!s) s = read_graph(im, &g, out);
    mli_onnx_free(&g);
    return s;
}
