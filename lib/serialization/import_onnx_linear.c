/* SPDX-License-Identifier: MIT
 *
 * import_onnx_linear.c: LinearRegressor and LinearClassifier.
 */
#include "serialization/import_onnx.h"

#include <math.h>
#include <string.h>

#define SHARP 1e9

static ml_status refuse(const mli_onnx *g, const mli_onnx_node *node, const char *what)
{
    return mli_fail(g->err, ML_E_UNSUPPORTED, "%s with %s cannot be imported",
                    node->op.at, what);
}

static const char *transform_of(const mli_onnx_node *node)
{
    const mli_onnx_attribute *a = mli_onnx_find(node, "post_transform");
    return a && a->text.at ? a->text.at : "NONE";
}

/* Row `from` of the coefficients becomes function `to`, times `sign`. */
static void take(mli_import *im, const double *coef, const double *intercept,
                 int64_t from, int64_t to, double sign)
{
    int64_t n = im->n_features;
    for (int64_t j = 0; j < n; j++) im->linear[to * n + j] += sign * coef[from * n + j];
    if (intercept) im->base[to] += sign * intercept[from];
}

static ml_status take_classes(mli_import *im, const mli_onnx *g,
                              const mli_onnx_node *node, const double *coef,
                              const double *intercept, int64_t rows)
{
    const char *post = transform_of(node);
    int softmax = strcmp(post, "SOFTMAX") == 0, logistic = strcmp(post, "LOGISTIC") == 0;
    int none = strcmp(post, "NONE") == 0;
    if (im->n_classes > 2) {
        if ((!softmax && !none) || rows != im->n_classes)
            return refuse(g, node,
                          "several classes and another post_transform than SOFTMAX");
        if (none) { /* the largest counts: probabilities are 0 and 1 */
            im->link = MLI_LINK_SOFTMAX;
            im->link_scale = SHARP;
        }
        for (int64_t k = 0; k < rows; k++) take(im, coef, intercept, k, k, 1);
        return ML_OK;
    }
    /* Distances from a border, as of support vectors, say on which side a row is. */
    if (none) im->link = MLI_LINK_STEP;
    if (rows == 1 && (logistic || none)) {
        take(im, coef, intercept, 0, 0, 1);
        return ML_OK;
    }
    if (rows != 2 || (!softmax && !logistic && !none))
        return refuse(g, node, "two classes and another post_transform");
    /* Softmax of two functions depends on their difference; sigmoids add up to 1 only
     * when one function is the other's negative. */
    take(im, coef, intercept, 1, 0, 1);
    int opposite = !intercept || intercept[0] == -intercept[1];
    for (int64_t j = 0; j < im->n_features; j++)
        opposite &= coef[j] == -coef[im->n_features + j];
    if (softmax || (none && !opposite)) take(im, coef, intercept, 0, 0, -1);
    return softmax || none || opposite ? ML_OK
                                       : refuse(g, node, "two functions that differ");
}

ml_status mli_onnx_linear(mli_import *im, const mli_onnx *g, const mli_onnx_node *node)
{
    const mli_onnx_attribute *coef, *a = mli_onnx_find(node, "intercepts");
    int classifier = mli_onnx_is(node->op, "LinearClassifier");
    int64_t rows, n = im->n_features;
    ml_status s = mli_onnx_numbers(g, node, "coefficients", -1, &coef);
    if (!s && classifier) s = mli_onnx_labels(im, g, node);
    if (s) return s;
    rows = coef->n_numbers / n;
    if (rows < 1 || rows * n != coef->n_numbers ||
        (a && a->n_numbers && a->n_numbers != rows))
        return mli_fail(g->err, ML_E_FORMAT,
                        "the coefficients of %s do not fit %lld inputs", node->op.at,
                        (long long)n);
    const double *intercept = a && a->n_numbers ? a->numbers : NULL;
    int64_t scores = im->n_classes > 2 ? im->n_classes : classifier ? 1 : rows;
    if (scores > 65536) return refuse(g, node, "so many targets");
    s = mli_import_scores(im, scores);
    if (s) return s;
    im->linear = mli_calloc(im->ctx, (size_t)(scores * n), sizeof *im->linear);
    if (!im->linear) return mli_nomem(g->err);
    if (classifier) return take_classes(im, g, node, coef->numbers, intercept, rows);
    if (strcmp(transform_of(node), "NONE") != 0)
        return refuse(g, node, "a post_transform");
    for (int64_t k = 0; k < rows; k++) take(im, coef->numbers, intercept, k, k, 1);
    return ML_OK;
}
