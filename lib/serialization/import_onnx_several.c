/* SPDX-License-Identifier: MIT
 *
 * import_onnx_several.c: ONNX graphs whose result is a sum of several models of trees, or
 * has a column for each of them: voting, bagging, a model for each target.
 *
 * The result is followed upwards: factors (Mul, Div), sums (Sum, Add), columns side by
 * side (Concat), means of models (Concat of a new first axis and ReduceMean), operators
 * that arrange values. Each model is met once; its trees take the factor and go to their
 * column. A classifier's result is what ArgMax chooses from.
 */
#include "serialization/import_onnx.h"

#include <math.h>
#include <string.h>

#define DEPTH_MAX 100

/* One of the models: its trees, and where its results go. */
typedef struct part {
    const mli_onnx_node *node;
    int64_t first, n; /* trees */
    int64_t n_scores, width, column;
    int met;
    double factor;
    double *base; /* [n_scores] */
} part;

typedef struct several {
    mli_import *im;
    const mli_onnx *g;
    const mli_onnx_columns *columns;
    int64_t n, n_classes;
    part *parts;   /* [n] */
    uint8_t *used; /* [nodes] of the way to the result */
} several;

static ml_status refuse(const several *c, const mli_onnx_node *node, const char *where)
{
    return mli_fail(
        c->g->err, ML_E_UNSUPPORTED,
        "the graph has the operator %s %s its models, which cannot be imported",
        node->op.at, where);
}

int mli_onnx_is_trees(const mli_onnx_node *n)
{
    return strncmp(n->op.at, "TreeEnsemble", 12) == 0;
}

/* ---- the way to the result ---- */

/* The node that makes a value; -1: none does. */
static int64_t maker_of(const several *c, mli_onnx_text name)
{
    int32_t at = name.at ? mli_map_find(&c->columns->names, name.at, name.size) : -1;
    return at < 0 ? -1 : c->columns->place[at] - c->g->n_inputs;
}

static int is_list(const mli_onnx_node *n, const char *list)
{
    return mli_in_list(n->op.at, list);
}

static double number_of(const mli_onnx_node *n, const char *name, double dflt)
{
    const mli_onnx_attribute *a = mli_onnx_find(n, name);
    return a ? a->number : dflt;
}

/* The one number of an initialiser, or NULL. */
static const double *constant(const several *c, mli_onnx_text name)
{
    const mli_onnx_attribute *a = name.at ? mli_onnx_value(c->g, name.at) : NULL;
    return a && a->n_numbers == 1 ? a->numbers : NULL;
}

static part *part_of(const several *c, const mli_onnx_node *n)
{
    for (int64_t i = 0; i < c->n; i++)
        if (c->parts[i].node == n) return &c->parts[i];
    return NULL;
}

static ml_status walk(several *c, mli_onnx_text name, double factor, int64_t column,
                      int depth, int64_t *width);

/* All inputs of a node, in the same columns or side by side. */
static ml_status walk_all(several *c, const mli_onnx_node *n, double factor,
                          int64_t column, int beside, int depth, int64_t *width)
{
    ml_status s = ML_OK;
    int64_t one = 0;
    *width = 0;
    for (int64_t i = 0; i < n->n_inputs && !s; i++) {
        s = walk(c, n->inputs[i], factor, column + (beside ? *width : 0), depth + 1,
                 &one);
        if (!s && !beside && i && one != *width) return refuse(c, n, "behind");
        *width = beside ? *width + one : one;
    }
    return s;
}

static ml_status meet(several *c, part *p, double factor, int64_t column, int64_t *width)
{
    if (p->met++) return refuse(c, p->node, "twice behind");
    if (!isfinite(factor))
        return mli_fail(c->g->err, ML_E_FORMAT, "a factor of the scores is not finite");
    p->factor = factor;
    p->column = column;
    *width = p->width;
    return ML_OK;
}

/* The mean of models that lie one behind the other in a new first axis. */
static ml_status walk_mean(several *c, const mli_onnx_node *n, double factor,
                           int64_t column, int depth, int64_t *width)
{
    const mli_onnx_attribute *axes = mli_onnx_find(n, "axes");
    int64_t at = maker_of(c, n->inputs[0]);
    const mli_onnx_node *parts = at >= 0 ? &c->g->nodes[at] : NULL;
    if (!axes && n->n_inputs > 1 && n->inputs[1].at)
        axes = mli_onnx_value(c->g, n->inputs[1].at);
    if (!parts || !mli_onnx_is(parts->op, "Concat") || parts->n_inputs < 1 ||
        number_of(parts, "axis", 1) != 0 || number_of(n, "keepdims", 1) != 0 || !axes ||
        axes->n_numbers != 1 || axes->numbers[0] != 0)
        return refuse(c, n, "behind");
    c->used[at] = 1;
    return walk_all(c, parts, factor / (double)parts->n_inputs, column, 0, depth, width);
}

static ml_status walk(several *c, mli_onnx_text name, double factor, int64_t column,
                      int depth, int64_t *width)
{
    int64_t at = maker_of(c, name);
    if (depth > DEPTH_MAX)
        return mli_fail(c->g->err, ML_E_FORMAT, "the graph goes round in circles");
    if (at < 0)
        return mli_fail(c->g->err, ML_E_UNSUPPORTED,
                        "a result of models and of the inputs themselves cannot be "
                        "imported");
    const mli_onnx_node *n = &c->g->nodes[at];
    part *p = part_of(c, n);
    c->used[at] = 1;
    if (p) return meet(c, p, factor, column, width);
    if (n->n_inputs < 1) return refuse(c, n, "behind");
    if (is_list(n, "Cast,Identity,Flatten,Reshape,Squeeze,Unsqueeze"))
        return walk(c, n->inputs[0], factor, column, depth + 1, width);
    if (is_list(n, "Sum,Add") && n->n_inputs > 1)
        return walk_all(c, n, factor, column, 0, depth, width);
    if (mli_onnx_is(n->op, "Concat") && number_of(n, "axis", 1) == 1)
        return walk_all(c, n, factor, column, 1, depth, width);
    if (mli_onnx_is(n->op, "ReduceMean"))
        return walk_mean(c, n, factor, column, depth, width);
    if (is_list(n, "Mul,Div") && n->n_inputs == 2) {
        int swap = mli_onnx_is(n->op, "Mul") && constant(c, n->inputs[0]);
        const double *by = constant(c, n->inputs[!swap]);
        double f = !by ? NAN : mli_onnx_is(n->op, "Mul") ? *by : 1 / *by;
        if (isfinite(f))
            return walk(c, n->inputs[swap], factor * f, column, depth + 1, width);
    }
    return refuse(c, n, "behind");
}

/* ---- the models ---- */

/* Reads a model as if it were alone; its trees go behind those that are there. */
static ml_status read_part(several *c, part *p)
{
    mli_import *im = c->im;
    p->first = im->trees.n_trees;
    for (int64_t k = 0; im->labels && k < im->n_classes; k++)
        mli_free(im->ctx, im->labels[k]);
    mli_free(im->ctx, im->labels);
    im->labels = NULL;
    im->base = NULL;
    im->link = MLI_LINK_NONE;
    im->n_scores = im->n_classes = 0;
    ml_status s = mli_onnx_trees(im, c->g, p->node, 0);
    p->base = im->base;
    im->base = NULL;
    if (s) return s;
    p->n = im->trees.n_trees - p->first;
    p->n_scores = im->n_scores;
    p->width = im->n_classes ? im->n_classes : im->n_scores;
    if (im->link != MLI_LINK_IDENTITY)
        return mli_fail(c->g->err, ML_E_UNSUPPORTED,
                        "several models with a post_transform cannot be imported");
    if (p != c->parts && im->n_classes != c->n_classes)
        return mli_fail(c->g->err, ML_E_UNSUPPORTED,
                        "models of different classes beside each other cannot be "
                        "imported");
    c->n_classes = im->n_classes;
    return ML_OK;
}

/* Two classes may have one score, the share of the second, if all models say so and their
 * weights add up to 1. */
static int is_single(const several *c)
{
    double sum = 0;
    for (int64_t i = 0; i < c->n; i++) {
        if (c->n_classes != 2 || c->parts[i].n_scores != 1) return 0;
        sum += c->parts[i].factor;
    }
    return fabs(sum - 1) < 1e-5;
}

static ml_status join(several *c, int64_t width)
{
    mli_import *im = c->im;
    int single = is_single(c);
    ml_status s = mli_import_scores(im, single ? 1 : width);
    for (int64_t i = 0; i < c->n && !s; i++) {
        part *p = &c->parts[i];
        if (!single && p->n_scores != p->width)
            return mli_fail(c->g->err, ML_E_UNSUPPORTED,
                            "two classes whose models have one score and two cannot be "
                            "imported");
        for (int64_t k = 0; k < p->n_scores; k++)
            im->base[p->column + k] += p->factor * p->base[k];
        for (int64_t t = p->first; t < p->first + p->n; t++) {
            im->score[t] += (int32_t)p->column;
            for (int64_t a = im->trees.start[t]; a < im->trees.start[t + 1]; a++)
                im->trees.node[a].value *= p->factor;
        }
    }
    im->float_sums = 0;
    im->link = MLI_LINK_IDENTITY;
    return s;
}

/* ---- the result ---- */

/* The labels that ArgMax chooses from, where an initialiser has them. */
static ml_status read_labels(several *c)
{
    for (int64_t i = 0; i < c->g->n_nodes; i++) {
        const mli_onnx_node *n = &c->g->nodes[i];
        if (!mli_onnx_is(n->op, "ArrayFeatureExtractor") || n->n_inputs != 2) continue;
        const mli_onnx_attribute *a =
            n->inputs[0].at ? mli_onnx_value(c->g, n->inputs[0].at) : NULL;
        if (!a || (a->n_numbers != c->n_classes && a->n_texts != c->n_classes)) continue;
        return mli_onnx_set_labels(c->im, c->g, a->n_texts ? a : NULL, a);
    }
    return ML_OK;
}

/* Marks the nodes whose values others use. */
static void mark_asked(several *c)
{
    for (int64_t i = 0; i < c->g->n_nodes; i++)
        for (int64_t k = 0; k < c->g->nodes[i].n_inputs; k++) {
            int64_t at = maker_of(c, c->g->nodes[i].inputs[k]);
            if (at >= 0) c->used[at] = 1;
        }
}

/* What makes the result: of classifiers what goes into ArgMax, else what nothing uses. */
static ml_status find_result(several *c, mli_onnx_text *out)
{
    const mli_onnx *g = c->g;
    out->at = NULL;
    mark_asked(c);
    for (int64_t i = 0; i < g->n_nodes; i++) {
        const mli_onnx_node *n = &g->nodes[i];
        if (c->n_classes && mli_onnx_is(n->op, "ArgMax") && n->n_inputs > 0)
            *out = n->inputs[0];
        if (!c->n_classes && !c->used[i] && n->n_outputs > 0) *out = n->outputs[0];
    }
    memset(c->used, 0, (size_t)g->n_nodes);
    return out->at ? ML_OK
                   : mli_fail(g->err, ML_E_UNSUPPORTED,
                              "several models without a common result cannot be "
                              "imported");
}

/* Nothing may be left over but what makes labels of the result. */
static ml_status check_rest(several *c)
{
    for (int64_t i = 0; i < c->g->n_nodes; i++) {
        const mli_onnx_node *n = &c->g->nodes[i];
        if (c->used[i] || c->columns->node[i].used) continue;
        if (c->n_classes && is_list(n, "ArgMax,ArrayFeatureExtractor,Cast,Reshape,"
                                       "ZipMap,Identity"))
            continue;
        return refuse(c, n, "beside or behind");
    }
    for (int64_t i = 0; i < c->n; i++)
        if (c->parts[i].met != 1) return refuse(c, c->parts[i].node, "beside");
    return ML_OK;
}

static ml_status build(several *c)
{
    mli_onnx_text result;
    int64_t width = 0, n = 0;
    for (int64_t i = 0; i < c->g->n_nodes; i++) {
        if (!mli_onnx_is_trees(&c->g->nodes[i])) continue;
        part *p = &c->parts[n++];
        p->node = &c->g->nodes[i];
        if (p->node->n_inputs < 1 ||
            !mli_onnx_is(p->node->inputs[0], c->parts[0].node->inputs[0].at))
            return mli_fail(c->g->err, ML_E_UNSUPPORTED,
                            "models of different inputs beside each other cannot be "
                            "imported");
    }
    ml_status s = ML_OK;
    for (int64_t i = 0; i < c->n && !s; i++) s = read_part(c, &c->parts[i]);
    if (!s) s = find_result(c, &result);
    if (!s) s = walk(c, result, 1, 0, 0, &width);
    if (!s) s = check_rest(c);
    if (!s && (width > 65536 || (c->n_classes && width != c->n_classes)))
        s = mli_fail(c->g->err, ML_E_UNSUPPORTED,
                     "classifiers side by side cannot be imported");
    if (!s) s = join(c, width);
    return s || !c->n_classes ? s : read_labels(c);
}

ml_status mli_onnx_several(mli_import *im, const mli_onnx *g,
                           const mli_onnx_columns *columns)
{
    several c = {.im = im, .g = g, .columns = columns};
    for (int64_t i = 0; i < g->n_nodes; i++) c.n += mli_onnx_is_trees(&g->nodes[i]);
    c.parts = mli_calloc(im->ctx, (size_t)c.n, sizeof *c.parts);
    c.used = mli_calloc(im->ctx, (size_t)g->n_nodes, 1);
    ml_status s = c.parts && c.used ? build(&c) : mli_nomem(g->err);
    for (int64_t i = 0; c.parts && i < c.n; i++) mli_free(im->ctx, c.parts[i].base);
    mli_free(im->ctx, c.parts);
    mli_free(im->ctx, c.used);
    return s;
}
