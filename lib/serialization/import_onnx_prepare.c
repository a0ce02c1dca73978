/* SPDX-License-Identifier: MIT
 *
 * import_onnx_prepare.c: operators between the input of a graph and its model that
 * calculate with each column alone: Imputer, Scaler, and Add, Sub, Mul, Div with a
 * constant, as pipelines have them.
 *
 * They become part of the model. Of trees: thresholds are moved to the largest float that
 * the operators, which runtimes calculate in floats, take to the threshold at most; found
 * by bisection, since growing columns stay growing. Missing values go where those go that
 * an Imputer puts in their place. Of linear models: coefficients and intercepts.
 */
#include "serialization/import_onnx.h"

#include <math.h>
#include <string.h>

static ml_status refuse(const mli_onnx *g, const mli_onnx_node *node, const char *what)
{
    return mli_fail(g->err, ML_E_UNSUPPORTED, "the operator %s %s cannot be imported",
                    node->op.at, what);
}

/* The vector of an attribute or initialiser; n 0: there is none. */
static void take(const mli_onnx_attribute *a, const double **to, int64_t *n)
{
    *to = a && a->n_numbers ? a->numbers : NULL;
    *n = a ? a->n_numbers : 0;
}

static ml_status read_imputer(const mli_onnx *g, const mli_onnx_node *node,
                              mli_onnx_step *step)
{
    const mli_onnx_attribute *a = mli_onnx_find(node, "replaced_value_float");
    take(mli_onnx_find(node, "imputed_value_floats"), &step->a, &step->n_a);
    if (step->n_a == 0) return refuse(g, node, "of other values than floats");
    if (a && !isnan(a->number)) return refuse(g, node, "of another value than NaN");
    step->op = 'i';
    return ML_OK;
}

static ml_status read_arithmetic(const mli_onnx *g, const mli_onnx_node *node,
                                 mli_onnx_step *step, const char **data)
{
    if (node->n_inputs != 2) return refuse(g, node, "before the model");
    int swap = mli_onnx_value(g, node->inputs[0].at) != NULL;
    step->op = node->op.at[0] == 'M'   ? '*'
               : node->op.at[0] == 'D' ? '/'
               : node->op.at[0] == 'A' ? '+'
                                       : '-';
    take(mli_onnx_value(g, node->inputs[!swap].at), &step->a, &step->n_a);
    if (step->n_a == 0 || (swap && (step->op == '/' || step->op == '-')))
        return refuse(g, node, "before the model");
    *data = node->inputs[swap].at;
    return ML_OK;
}

static ml_status read_step(const mli_onnx *g, const mli_onnx_node *node,
                           mli_onnx_step *step, const char **data)
{
    *step = (mli_onnx_step){.node = node};
    *data = node->inputs[0].at;
    if (mli_onnx_is(node->op, "Imputer")) return read_imputer(g, node, step);
    if (!mli_onnx_is(node->op, "Scaler")) return read_arithmetic(g, node, step, data);
    step->op = 's';
    take(mli_onnx_find(node, "offset"), &step->a, &step->n_a);
    take(mli_onnx_find(node, "scale"), &step->b, &step->n_b);
    return ML_OK;
}

ml_status mli_onnx_prepare_read(const mli_onnx *g, const char **name, mli_onnx_steps *out)
{
    out->n = 0;
    for (int64_t round = 0; round <= g->n_nodes; round++) {
        const mli_onnx_node *maker = mli_onnx_maker(g, *name);
        if (!maker || maker->n_inputs < 1) return ML_OK;
        if (mli_in_list(maker->op.at, "Cast,Identity")) {
            *name = maker->inputs[0].at;
            continue;
        }
        if (!mli_in_list(maker->op.at, "Imputer,Scaler,Mul,Div,Add,Sub")) return ML_OK;
        if (out->n == MLI_ONNX_STEPS) return refuse(g, maker, "behind so many others");
        ml_status s = read_step(g, maker, &out->step[out->n++], name);
        if (s) return s;
    }
    return mli_fail(g->err, ML_E_FORMAT, "the graph goes round in circles");
}

/* ---- one column ---- */

static double element(const double *v, int64_t n, int64_t j, double dflt)
{
    return n == 0 ? dflt : v[n == 1 ? 0 : j];
}

static float apply_f32(const mli_onnx_step *s, int64_t j, float x)
{
    float a = (float)element(s->a, s->n_a, j, 0);
    switch (s->op) {
    case 'i':
        return isnan(x) ? a : x;
    case 's':
        return (x - a) * (float)element(s->b, s->n_b, j, 1);
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
static float forward(const mli_onnx_steps *p, int64_t j, float x)
{
    for (int64_t i = p->n - 1; i >= 0; i--) x = apply_f32(&p->step[i], j, x);
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
static double move_threshold(const mli_onnx_steps *p, int64_t j, double threshold)
{
    int64_t low = -0x7f800000, high = 0x7f800000; /* the infinities */
    if ((double)forward(p, j, INFINITY) <= threshold) return INFINITY;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if ((double)forward(p, j, float_of(middle)) <= threshold)
            low = middle;
        else
            high = middle;
    }
    return mli_import_upto_f32(float_of(low));
}

static ml_status check_steps(const mli_import *im, const mli_onnx *g,
                             const mli_onnx_steps *p)
{
    int64_t n = im->n_features;
    for (int64_t i = 0; i < p->n; i++) {
        const mli_onnx_step *s = &p->step[i];
        if ((s->n_a > 1 && s->n_a != n) || (s->n_b > 1 && s->n_b != n))
            return mli_fail(g->err, ML_E_FORMAT,
                            "the numbers of the operator %s do not fit %lld columns",
                            s->node->op.at, (long long)n);
        for (int64_t j = 0; j < n; j++) {
            double a = element(s->a, s->n_a, j, 0), b = element(s->b, s->n_b, j, 1);
            double f = s->op == 's' ? b : s->op == '*' || s->op == '/' ? a : 1;
            if (!isfinite(a) || !isfinite(b))
                return mli_fail(g->err, ML_E_FORMAT,
                                "a number of the operator %s is not finite",
                                s->node->op.at);
            if (!(f > 0)) return refuse(g, s->node, "with a factor that is not above 0");
        }
    }
    return ML_OK;
}

/* ---- the model ---- */

static ml_status move_trees(mli_import *im, const mli_onnx *g, const mli_onnx_steps *p)
{
    for (int64_t i = 0; i < im->trees.n_nodes; i++) {
        mli_ensemble_node *node = &im->trees.node[i];
        if (node->left == 0) continue;
        if (node->flags & MLI_NODE_CATEGORICAL)
            return refuse(g, p->step[0].node, "before a split on categories");
        float missing = forward(p, node->feature, NAN);
        if (!isnan(missing))
            node->flags = (double)missing <= node->threshold ? MLI_NODE_MISSING_LEFT : 0;
        node->threshold = move_threshold(p, node->feature, node->threshold);
    }
    return ML_OK;
}

/* The steps of column j as a x + b. */
static void line_of(const mli_onnx_steps *p, int64_t j, double *a, double *b)
{
    *a = 1;
    *b = 0;
    for (int64_t i = p->n - 1; i >= 0; i--) {
        const mli_onnx_step *s = &p->step[i];
        double u = element(s->a, s->n_a, j, 0), f = 1, add = 0;
        if (s->op == 's') {
            f = element(s->b, s->n_b, j, 1);
            add = -u * f;
        }
        if (s->op == '*' || s->op == '/') f = s->op == '*' ? u : 1 / u;
        if (s->op == '+' || s->op == '-') add = s->op == '+' ? u : -u;
        *a *= f;
        *b = *b * f + add;
    }
}

static ml_status move_linear(mli_import *im, const mli_onnx_steps *p)
{
    int64_t n = im->n_features;
    im->fill = mli_calloc(im->ctx, (size_t)n, sizeof *im->fill);
    if (!im->fill) return mli_nomem(im->err);
    for (int64_t j = 0; j < n; j++) {
        double a, b;
        float missing = forward(p, j, NAN);
        line_of(p, j, &a, &b);
        if (!isnan(missing)) im->fill[j] = ((double)missing - b) / a;
        for (int64_t k = 0; k < im->n_scores; k++) {
            im->base[k] += im->linear[k * n + j] * b;
            im->linear[k * n + j] *= a;
        }
    }
    return ML_OK;
}

ml_status mli_onnx_prepare_apply(mli_import *im, const mli_onnx *g,
                                 const mli_onnx_steps *p)
{
    if (p->n == 0) return ML_OK;
    ml_status s = check_steps(im, g, p);
    if (s) return s;
    return im->linear ? move_linear(im, p) : move_trees(im, g, p);
}
