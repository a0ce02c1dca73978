/* SPDX-License-Identifier: MIT
 *
 * import_onnx_svm.c: SVMClassifier and SVMRegressor as steps of a program: the kernels of
 * a row and the support vectors, and sums of them.
 *
 * LIBSVM has a sum for each two classes. The class that wins most of them is the label.
 * With prob_a and prob_b each sum is a probability, and those of the classes are made of
 * them.
 */
#include "serialization/import_onnx_program.h"

#include <string.h>

#define MOST_CLASSES 1000

/* Of a row and each of n support vectors. */
static mli_onnx_val kernels(mli_onnx_builder *b, int64_t n)
{
    static const char *const names[] = {"LINEAR", "RBF", "POLY", "SIGMOID"};
    static const char *const formulas[] = {"x", "xa*e", "xa*b+c^", "xa*b+t"};
    const mli_onnx_attribute *vectors = mli_onnx_find(b->node, "support_vectors");
    const mli_onnx_attribute *params = mli_onnx_find(b->node, "kernel_params");
    const mli_onnx_attribute *type = mli_onnx_find(b->node, "kernel_type");
    double p[3] = {0, 0, 0};
    int kernel = 0;
    mli_onnx_val x = mli_onnx_table(b);
    while (kernel < 4 && type && !mli_onnx_is(type->text, names[kernel])) kernel++;
    if (n < 1 || kernel == 4 || !vectors || vectors->n_numbers != n * x.n)
        return mli_onnx_no(b, "of such support vectors");
    if (params && params->n_numbers > 2) memcpy(p, params->numbers, sizeof p);
    if (kernel == 1) p[0] = -p[0];
    x.type = MLI_ONNX_FLOAT;
    x = mli_onnx_dot(b, &x, vectors->numbers, n, 1, 1, kernel == 1 ? 2 : 0);
    return mli_onnx_formula(b, formulas[kernel], (const mli_onnx_val *[3]){&x}, p, 1);
}

/* x times the matrix [x, n], and the n numbers `rho`. */
static mli_onnx_val add_to(mli_onnx_builder *b, mli_onnx_val *x, const double *matrix,
                           int64_t n)
{
    const mli_onnx_attribute *more = mli_onnx_find(b->node, "rho");
    const mli_onnx_attribute *post = mli_onnx_find(b->node, "post_transform");
    if (post && post->text.at && strcmp(post->text.at, "NONE") != 0)
        return mli_onnx_no(b, "with a post_transform");
    if (b->status || !more || more->n_numbers != n)
        return mli_onnx_no(b, "whose numbers do not fit its vectors");
    x->type = MLI_ONNX_DOUBLE; /* as LIBSVM and runtimes add the kernels */
    mli_onnx_val s = mli_onnx_dot(b, x, matrix, n, 0, 1, 0), c = mli_onnx_listed(more, 0);
    s = mli_onnx_apply(b, MLI_STEP_ADD, &s, &c, NULL);
    s.type = MLI_ONNX_FLOAT;
    return s;
}

static mli_onnx_val regressor(mli_onnx_builder *b)
{
    const mli_onnx_attribute *coef = mli_onnx_find(b->node, "coefficients");
    int64_t n = coef ? coef->n_numbers : 0;
    mli_onnx_val k = kernels(b, n);
    k = add_to(b, &k, coef ? coef->numbers : NULL, 1);
    if (mli_onnx_number_of(b, "one_class", 0) == 0) return k;
    return mli_onnx_of(b, "0x<2*1-", &k, 1);
}

/* The support vectors of all classes; 0: they are not such numbers. */
static int64_t count_vectors(const mli_onnx_attribute *per)
{
    double n = 0;
    for (int64_t k = 0; k < per->n_numbers; k++) {
        if (!(per->numbers[k] >= 0 && per->numbers[k] < MLI_STEP_COLUMNS_MAX)) return 0;
        n += per->numbers[k];
    }
    return n <= MLI_STEP_COLUMNS_MAX ? (int64_t)n : 0;
}

/* Coefficients by vector and pair of classes, of those by other class and vector. */
static void turn(const mli_onnx_attribute *per, const double *coef, int64_t n, double *m,
                 int64_t pairs)
{
    int64_t pair = 0;
    memset(m, 0, (size_t)(n * pairs) * sizeof *m);
    for (int64_t i = 0, first = 0, end; i < per->n_numbers; i++, first = end) {
        int64_t v = end = first + (int64_t)per->numbers[i];
        for (int64_t j = i + 1; j < per->n_numbers; j++, pair++) {
            for (int64_t k = first; k < end; k++)
                m[k * pairs + pair] = coef[(j - 1) * n + k];
            for (int64_t last = v + (int64_t)per->numbers[j]; v < last; v++)
                m[v * pairs + pair] = coef[i * n + v];
        }
    }
}

/* Of classes, of the numbers s of all pairs: their votes, or their probabilities. */
static mli_onnx_val of_pairs(mli_onnx_builder *b, mli_onnx_val *s, int64_t n, int32_t p)
{
    mli_step step = {.op = MLI_STEP_PAIRS, .n = (int32_t)n * (p + 1), .p = p};
    step.of[0] = mli_onnx_operand(b, s);
    return mli_onnx_made(mli_onnx_emit(b, step), n, MLI_ONNX_FLOAT);
}

static mli_onnx_val probabilities(mli_onnx_builder *b, const mli_onnx_val *s, int64_t n)
{
    static const double ends[] = {1e-7, 1 - 1e-7};
    mli_onnx_val by = mli_onnx_listed(mli_onnx_find(b->node, "prob_a"), 0),
                 more = mli_onnx_listed(mli_onnx_find(b->node, "prob_b"), 0), p;
    if (by.n != s->n || more.n != s->n)
        return mli_onnx_no(b, "whose numbers do not fit its vectors");
    p = mli_onnx_formula(b, "xy*z+ngaMbm", (const mli_onnx_val *[3]){s, &by, &more}, ends,
                         1);
    return of_pairs(b, &p, n, 1);
}

static void classifier(mli_onnx_builder *b)
{
    const mli_onnx_attribute *per = mli_onnx_find(b->node, "vectors_per_class");
    const mli_onnx_attribute *coef = mli_onnx_find(b->node, "coefficients");
    int64_t classes = per ? per->n_numbers : 0, pairs = classes * (classes - 1) / 2;
    int64_t n = classes > 1 && classes <= MOST_CLASSES ? count_vectors(per) : 0;
    mli_onnx_val s = kernels(b, n), out;
    if (!coef || coef->n_numbers != (classes - 1) * n)
        mli_onnx_no(b, "whose numbers do not fit its vectors");
    double *m = mli_onnx_list_of(b, n * pairs);
    if (!m) return;
    turn(per, coef->numbers, n, m, pairs);
    out = s = add_to(b, &s, m, pairs);
    if (mli_onnx_find(b->node, "prob_a"))
        out = probabilities(b, &s, classes);
    else if (pairs == 1)
        out = mli_onnx_pair(b, &s, 1);
    out.raw = mli_onnx_find(b->node, "prob_a") == NULL;
    mli_onnx_put(b, 1, out);
    s = of_pairs(b, &s, classes, 0);
    mli_onnx_put_labels(b, &s);
}

int mli_onnx_operator_svm(mli_onnx_builder *b)
{
    if (mli_onnx_is(b->node->op, "SVMClassifier"))
        classifier(b);
    else if (mli_onnx_is(b->node->op, "SVMRegressor"))
        mli_onnx_put(b, 0, regressor(b));
    else
        return 0;
    return 1;
}
