/* SPDX-License-Identifier: MIT
 *
 * import_onnx_prepare.c: operators before a model that calculate with each column alone
 * become part of the model.
 *
 * Of trees: thresholds are moved to the largest float that the operators, which runtimes
 * calculate in floats, take to the threshold at most; found by bisection, since growing
 * columns stay growing. Missing values go where those go that an Imputer puts in their
 * place. Of linear models: coefficients and intercepts.
 */
#include "serialization/import_onnx.h"

#include <math.h>
#include <string.h>

static ml_status refuse(const mli_onnx *g, const mli_onnx_node *node, const char *what)
{
    return mli_fail(g->err, ML_E_UNSUPPORTED, "the operator %s %s cannot be imported",
                    node->op.at, what);
}

/* ---- one column ---- */

static float apply_f32(const mli_onnx_step *s, float x)
{
    float a = (float)s->a;
    switch (s->op) {
    case 'i':
        return isnan(x) ? a : x;
    case 's':
        return (x - a) * (float)s->b;
    case '*':
        return x * a;
    case '/':
        return x / a;
    case '+':
        return x + a;
    default:
        return x - a;
    }
}

/* From the graph's input to the model: the last step that was read is the first. */
static float forward(const mli_onnx_column *c, float x)
{
    for (int64_t i = c->n - 1; i >= 0; i--) x = apply_f32(&c->step[i], x);
    return x;
}

/* Floats in their order as integers. */
static float float_of(int64_t key)
{
    uint32_t bits = (uint32_t)(key >= 0 ? key : -key) | (key < 0 ? 0x80000000U : 0);
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The largest float that the steps take to the threshold at most. */
static double move_threshold(const mli_onnx_column *c, double threshold)
{
    int64_t low = -0x7f800000, high = 0x7f800000; /* the infinities */
    if ((double)forward(c, INFINITY) <= threshold) return INFINITY;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if ((double)forward(c, float_of(middle)) <= threshold)
            low = middle;
        else
            high = middle;
    }
    return mli_import_upto_f32(float_of(low));
}

/* ---- the model ---- */

static ml_status move_trees(mli_import *im, const mli_onnx *g, const mli_onnx_columns *p)
{
    for (int64_t i = 0; i < im->trees.n_nodes; i++) {
        mli_ensemble_node *node = &im->trees.node[i];
        if (node->left == 0) continue;
        const mli_onnx_column *c = &p->at[node->feature];
        node->feature = (int32_t)c->input;
        if (c->n == 0) continue;
        if (node->flags & MLI_NODE_CATEGORICAL)
            return refuse(g, c->step[0].node, "before a split on categories");
        float missing = forward(c, NAN);
        if (!isnan(missing))
            node->flags = (double)missing <= node->threshold ? MLI_NODE_MISSING_LEFT : 0;
        node->threshold = move_threshold(c, node->threshold);
    }
    for (int64_t i = 0; i < im->n_sets; i++)
        im->sets[i].feature = (int32_t)p->at[im->sets[i].feature].input;
    return ML_OK;
}

/* The steps of a column as a x + b. */
static void line_of(const mli_onnx_column *c, double *a, double *b)
{
    *a = 1;
    *b = 0;
    for (int64_t i = c->n - 1; i >= 0; i--) {
        const mli_onnx_step *s = &c->step[i];
        double f = 1, add = 0;
        if (s->op == 's') {
            f = s->b;
            add = -s->a * f;
        }
        if (s->op == '*' || s->op == '/') f = s->op == '*' ? s->a : 1 / s->a;
        if (s->op == '+' || s->op == '-') add = s->op == '+' ? s->a : -s->a;
        *a *= f;
        *b = *b * f + add;
    }
}

static ml_status move_linear(mli_import *im, const mli_onnx *g, const mli_onnx_columns *p)
{
    int64_t n = im->n_features, to_n = p->n_features;
    double *to = mli_calloc(im->ctx, (size_t)(im->n_scores * to_n), sizeof *to);
    uint8_t *filled = mli_calloc(im->ctx, (size_t)to_n, 1);
    im->fill = mli_calloc(im->ctx, (size_t)to_n, sizeof *im->fill);
    ml_status s = to && filled && im->fill ? ML_OK : mli_nomem(im->err);
    for (int64_t j = 0; j < n && !s; j++) {
        const mli_onnx_column *c = &p->at[j];
        double a, b;
        float missing = forward(c, NAN);
        line_of(c, &a, &b);
        double fill = isnan(missing) ? 0 : ((double)missing - b) / a;
        if (filled[c->input] && fabs(im->fill[c->input] - fill) > 1e-6 * fabs(fill))
            s = mli_fail(g->err, ML_E_UNSUPPORTED,
                         "a column that is filled in two ways cannot be imported");
        im->fill[c->input] = fill;
        filled[c->input] = 1;
        for (int64_t k = 0; k < im->n_scores; k++) {
            im->base[k] += im->linear[k * n + j] * b;
            to[k * to_n + c->input] += im->linear[k * n + j] * a;
        }
    }
    mli_free(im->ctx, filled);
    if (s) {
        mli_free(im->ctx, to);
        return s;
    }
    mli_free(im->ctx, im->linear);
    im->linear = to;
    return ML_OK;
}

ml_status mli_onnx_prepare_apply(mli_import *im, const mli_onnx *g,
                                 const mli_onnx_columns *p)
{
    if (p->plain) return ML_OK;
    ml_status s = im->linear ? move_linear(im, g, p) : move_trees(im, g, p);
    if (s) return s;
    mli_free(im->ctx, im->features);
    im->features = NULL;
    im->n_features = 0;
    return mli_import_features(im, p->n_features);
}
