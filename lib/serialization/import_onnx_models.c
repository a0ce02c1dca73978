/* SPDX-License-Identifier: MIT
 *
 * import_onnx_models.c: operators of ai.onnx.ml as steps of a program: trees, which
 * become members, linear models, scalers, encoders.
 *
 * Trees give their sums; what post_transform makes of them are steps again.
 */
#include "serialization/import_onnx_program.h"

#include <math.h>
#include <string.h>

static int is(const mli_onnx_builder *b, const char *name)
{
    return mli_onnx_is(b->node->op, name);
}

mli_onnx_val mli_onnx_table(mli_onnx_builder *b)
{
    const mli_onnx_val *x = mli_onnx_in(b, 0);
    mli_onnx_val v = x ? mli_onnx_rows(b, x) : mli_onnx_no(b, "lacks an input");
    if (!b->status && (v.rank != 2 || v.dim[0] != -1 || v.dim[1] != v.n))
        return mli_onnx_no(b, "of rows of such a shape");
    return v;
}

static mli_onnx_val floats(mli_onnx_val v)
{
    v.type = MLI_ONNX_FLOAT;
    return v;
}

/* ---- scores ---- */

mli_onnx_val mli_onnx_pair(mli_onnx_builder *b, const mli_onnx_val *s, int negative)
{
    mli_onnx_val one = mli_onnx_constant(negative ? 0 : 1);
    mli_onnx_val first = mli_onnx_apply(b, MLI_STEP_SUB, &one, s, NULL);
    mli_onnx_apply(b, MLI_STEP_COPY, s, NULL, NULL);
    return mli_onnx_made(first.at, 2, MLI_ONNX_FLOAT);
}

static const char *post_of(const mli_onnx_builder *b)
{
    static const char *const names[] = {"NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO",
                                        "PROBIT"};
    const mli_onnx_attribute *a = mli_onnx_find(b->node, "post_transform");
    if (is(b, "TreeEnsemble"))
        return names[a && a->number > 0 && a->number < 5 ? (int)a->number : 0];
    return a && a->text.at ? a->text.at : "NONE";
}

/* onnxruntime leaves one score as it is, but for the LOGISTIC of two classes. */
static mli_onnx_val transform(mli_onnx_builder *b, const mli_onnx_val *s, int classifier)
{
    const char *post = post_of(b);
    int one = s->n == 1, known = mli_in_list(post, "SOFTMAX,LOGISTIC,SOFTMAX_ZERO");
    if (one && known && !(classifier && *post == 'L')) return *s;
    return mli_onnx_post(b, post, s);
}

void mli_onnx_put_labels(mli_onnx_builder *b, const mli_onnx_val *scores)
{
    const mli_onnx_attribute *list = mli_onnx_find(b->node, "classlabels_strings");
    mli_onnx_val out = *scores;
    if (!list || !list->n_texts) list = mli_onnx_find(b->node, "classlabels_int64s");
    if (!list) list = mli_onnx_find(b->node, "classlabels_ints");
    int64_t n = !list ? 0 : list->n_texts ? list->n_texts : list->n_numbers;
    if (n < 2 || n != (out.n > 1 ? out.n : 2)) {
        mli_onnx_no(b, "with such classes");
        return;
    }
    out.kind = MLI_VAL_LABELS;
    out.type = list->n_texts ? 8 : MLI_ONNX_INT64;
    out.list = list;
    out.rank = 1;
    out.raw = 0;
    mli_onnx_put(b, 0, out);
}

/* The label, and the scores it is chosen by; `single`: by one of them above 0. */
static void put_classes(mli_onnx_builder *b, const mli_onnx_val *scores,
                        const mli_onnx_val *single, int raw)
{
    mli_onnx_val zero = mli_onnx_constant(0), out = *scores;
    out.raw = raw;
    mli_onnx_put(b, 1, out);
    if (single) out = mli_onnx_apply(b, MLI_STEP_LT, &zero, single, NULL);
    mli_onnx_put_labels(b, &out);
}

/* ---- trees ---- */

static void forget_classes(mli_import *im)
{
    for (int64_t k = 0; im->labels && k < im->n_classes; k++)
        mli_free(im->ctx, im->labels[k]);
    mli_free(im->ctx, im->labels);
    im->labels = NULL;
    im->n_classes = 0;
}

/* Then the sums are no probabilities. */
static int has_negative(const mli_import *im)
{
    int negative = 0;
    for (int64_t i = 0; i < im->trees.n_nodes; i++)
        negative |= im->trees.node[i].value < 0;
    return negative;
}

/* What the sums of a classifier's trees become. */
static void put_tree_classes(mli_onnx_builder *b, const mli_import *im, mli_onnx_val *s)
{
    int softmax = im->param && strcmp(im->param, "softmax") == 0;
    mli_onnx_val out = *s;
    if (im->n_scores == 1 && im->link == MLI_LINK_STEP) {
        out = mli_onnx_pair(b, s, 1);
        put_classes(b, &out, s, 1);
        return;
    }
    if (softmax)
        out = mli_onnx_post(b, post_of(b), s);
    else if (im->link == MLI_LINK_NONE || im->link == MLI_LINK_SIGMOID)
        out = mli_onnx_apply(b, MLI_STEP_SIGMOID, s, NULL, NULL);
    if (im->n_scores == 1) out = mli_onnx_pair(b, &out, 0);
    put_classes(b, &out, NULL, im->link == MLI_LINK_IDENTITY && has_negative(im));
}

static ml_status read_trees(mli_onnx_builder *b, mli_import *im, const mli_onnx_val *x,
                            double *base)
{
    ml_status s = mli_import_features(im, x->n);
    if (!s) s = mli_onnx_trees(im, b->g, b->node, x->type == MLI_ONNX_DOUBLE);
    if (s) return s;
    if (!mli_reserve(b->ctx, &b->members, &b->member_room, b->n_members + 1,
                     sizeof(ml_model *)))
        return mli_nomem(b->g->err);
    /* The member gives the sums themselves, as targets of their own. */
    mli_import sums = *im;
    sums.n_classes = 0;
    sums.labels = NULL;
    sums.param = "squared";
    sums.link = MLI_LINK_NONE;
    *base = im->base[0];
    if (im->each) im->base[0] = 0;
    s = mli_import_finish(&sums, &b->members[b->n_members]);
    im->trees = sums.trees; /* they have been put in order */
    if (!s) b->n_members++;
    return s;
}

static void trees(mli_onnx_builder *b)
{
    mli_import im = {
        .ctx = b->ctx, .err = b->g->err, .target = "sum", .link_scale = 1, .sums = 1};
    double base = 0;
    mli_onnx_val x = mli_onnx_table(b);
    b->n_features += x.n;
    if (!b->status && b->n_features > MLI_STEP_FEATURES_MAX)
        mli_onnx_no(b, "of so many columns");
    if (b->status) return;
    mli_ensemble_builder_init(&im.trees, b->ctx);
    b->status = read_trees(b, &im, &x, &base);
    mli_step step = {.op = MLI_STEP_MEMBER,
                     .n = (int32_t)im.n_scores,
                     .p = (int32_t)b->n_members - 1,
                     .round = 1};
    int doubles = is(b, "TreeEnsemble") && x.type == MLI_ONNX_DOUBLE;
    if (doubles) step.round = 0;
    step.of[0] = mli_onnx_operand(b, &x);
    if (!b->status) {
        mli_onnx_val s = mli_onnx_made(mli_onnx_emit(b, step), im.n_scores,
                                       doubles ? MLI_ONNX_DOUBLE : MLI_ONNX_FLOAT);
        if (im.each) {
            s = mli_onnx_of(b, im.each == 1 ? "xnHn" : "xH", &s, 1);
            s = mli_onnx_apply_to(b, MLI_STEP_ADD, &s, base);
        }
        if (is(b, "TreeEnsembleClassifier"))
            put_tree_classes(b, &im, &s);
        else
            mli_onnx_put(b, 0, transform(b, &s, 0));
    }
    forget_classes(&im);
    mli_import_free(&im);
}

/* ---- linear models ---- */

mli_onnx_val mli_onnx_dot(mli_onnx_builder *b, mli_onnx_val *x, const double *matrix,
                          int64_t n, int turned, double factor, int32_t power)
{
    int64_t columns = x->n;
    double *m =
        n > 0 && n <= MLI_STEP_COLUMNS_MAX ? mli_onnx_list_of(b, columns * n) : NULL;
    if (!m) return mli_onnx_no(b, "of such a matrix");
    for (int64_t j = 0; j < columns; j++)
        for (int64_t k = 0; k < n; k++)
            m[j * n + k] = factor * matrix[turned ? k * columns + j : j * n + k];
    mli_step step = {.op = MLI_STEP_DOT,
                     .n = (int32_t)n,
                     .p = power,
                     .round = x->type == MLI_ONNX_FLOAT};
    step.of[0] = mli_onnx_operand(b, x);
    step.of[1] = (mli_operand){mli_onnx_add_constants(b, m, columns * n),
                               (int32_t)(columns * n), 0};
    return mli_onnx_made(mli_onnx_emit(b, step), n, x->type);
}

static void linear(mli_onnx_builder *b)
{
    const mli_onnx_attribute *coef = mli_onnx_find(b->node, "coefficients");
    const mli_onnx_attribute *more = mli_onnx_find(b->node, "intercepts");
    mli_onnx_val x = floats(mli_onnx_table(b));
    if (b->status) return;
    int64_t n = coef ? coef->n_numbers / x.n : 0;
    if (n < 1 || n * x.n != coef->n_numbers || (more && more->n_numbers % n)) {
        mli_onnx_no(b, "whose coefficients do not fit its input");
        return;
    }
    mli_onnx_val s = mli_onnx_dot(b, &x, coef->numbers, n, 1, 1, 0);
    if (more && more->n_numbers) {
        mli_onnx_val c = mli_onnx_listed(more, 0);
        s = mli_onnx_apply(b, MLI_STEP_ADD, &s, &c, NULL);
    }
    int classifier = is(b, "LinearClassifier");
    int none = !mli_in_list(post_of(b), n > 1 ? "LOGISTIC,SOFTMAX" : "LOGISTIC");
    mli_onnx_val out = transform(b, &s, classifier);
    if (!classifier) {
        mli_onnx_put(b, 0, out);
        return;
    }
    int single = n == 1;
    if (single) out = mli_onnx_pair(b, &out, none);
    put_classes(b, &out, single ? &s : NULL, none);
}

static mli_onnx_val multiply(mli_onnx_builder *b)
{
    const mli_onnx_val *m = mli_onnx_in(b, 1), *more = mli_onnx_in(b, 2);
    int gemm = is(b, "Gemm"), turned = gemm && mli_onnx_number_of(b, "transB", 0) != 0;
    mli_onnx_val x = mli_onnx_table(b);
    if (b->status) return x;
    const mli_onnx_attribute *a = m && m->kind == MLI_VAL_NUMBERS ? m->list : NULL;
    if (!a || a->n_dims < 1 || a->n_dims > 2 ||
        a->dims[a->n_dims == 2 && turned] != x.n || a->n_numbers % x.n ||
        (gemm && mli_onnx_number_of(b, "transA", 0) != 0))
        return mli_onnx_no(b, "of such shapes");
    mli_onnx_val out = mli_onnx_dot(b, &x, a->numbers, a->n_numbers / x.n, turned,
                                    gemm ? mli_onnx_number_of(b, "alpha", 1) : 1, 0);
    if (a->n_dims == 1) out.rank = 1;
    if (!gemm || !more) return out;
    mli_onnx_val c =
        mli_onnx_apply_to(b, MLI_STEP_MUL, more, mli_onnx_number_of(b, "beta", 1));
    return mli_onnx_apply(b, MLI_STEP_ADD, &out, &c, NULL);
}

/* The power of the differences that the graph within a Scan adds up; 0: none. */
static int32_t power_of(const mli_onnx_attribute *body)
{
    double power = 0;
    int differences = 0;
    for (int64_t k = 0; body && k < body->n_texts; k++) {
        const char *op = body->texts[k].at;
        if (!mli_in_list(op, "Identity,Constant,Sub,Abs,Pow,ReduceSum,ReduceSumSquare"))
            return 0;
        if (strcmp(op, "Sub") == 0) differences++;
        if (strcmp(op, "Abs") == 0) power = 1;
        if (strcmp(op, "ReduceSumSquare") == 0) power = 2;
        if (strcmp(op, "Pow") == 0) power = body->n_numbers ? body->numbers[0] : 0;
    }
    return differences == 1 && power >= 1 && power < 64 && power == floor(power)
               ? (int32_t)power
               : 0;
}

/* Of each row from the rows of a table: a Scan over it, as converters write it, or
 * CDist. */
static void distances(mli_onnx_builder *b)
{
    const mli_onnx_attribute *metric = mli_onnx_find(b->node, "metric"), *to;
    const mli_onnx_val *y = mli_onnx_in(b, 1);
    int scan = is(b, "Scan");
    int32_t power = scan ? power_of(mli_onnx_find(b->node, "body")) : 2;
    mli_onnx_val x = mli_onnx_table(b), out = x;
    to = y && y->kind == MLI_VAL_NUMBERS ? y->list : NULL;
    if (!to || to->n_dims != 2 || to->dims[1] != x.n || to->n_numbers % x.n || !power ||
        b->node->n_inputs != 2)
        mli_onnx_no(b, "of such a kind");
    if (b->status) return;
    out = mli_onnx_dot(b, &x, to->numbers, to->n_numbers / x.n, 1, 1, power);
    if (metric && mli_onnx_is(metric->text, "euclidean"))
        out = mli_onnx_apply(b, MLI_STEP_SQRT, &out, NULL, NULL);
    if (scan) {
        mli_onnx_put(b, 0, x);
        out.dim[0] = out.n;
        out.dim[1] = -1;
    }
    mli_onnx_put(b, scan, out);
}

/* ---- transformers ---- */

static mli_onnx_val scaler(mli_onnx_builder *b)
{
    static const char *const names[2] = {"offset", "scale"};
    mli_onnx_val out = mli_onnx_table(b);
    for (int k = 0; k < 2 && !b->status; k++) {
        const mli_onnx_attribute *a = mli_onnx_find(b->node, names[k]);
        if (!a || !a->n_numbers) continue;
        mli_onnx_val c = mli_onnx_listed(a, 0);
        out = mli_onnx_apply(b, k ? MLI_STEP_MUL : MLI_STEP_SUB, &out, &c, NULL);
    }
    if (out.type != MLI_ONNX_FLOAT)
        out = floats(out), out = mli_onnx_apply(b, MLI_STEP_COPY, &out, NULL, NULL);
    return out;
}

static mli_onnx_val imputer(mli_onnx_builder *b)
{
    const mli_onnx_attribute *to = mli_onnx_find(b->node, "imputed_value_floats");
    const mli_onnx_attribute *what = mli_onnx_find(b->node, "replaced_value_float");
    if (!to) {
        to = mli_onnx_find(b->node, "imputed_value_int64s");
        what = mli_onnx_find(b->node, "replaced_value_int64");
    }
    mli_onnx_val x = mli_onnx_table(b);
    if (!to || !to->n_numbers) return mli_onnx_no(b, "of other values than numbers");
    mli_onnx_val c = mli_onnx_listed(to, 0);
    double gone = what ? what->number : 0;
    mli_onnx_val hole = isnan(gone) ? mli_onnx_apply(b, MLI_STEP_ISNAN, &x, NULL, NULL)
                                    : mli_onnx_apply_to(b, MLI_STEP_EQ, &x, gone);
    c.type = x.type;
    return mli_onnx_apply(b, MLI_STEP_WHERE, &hole, &c, &x);
}

/* Divided by a norm of the row, where it is not 0. */
static mli_onnx_val normalizer(mli_onnx_builder *b)
{
    const mli_onnx_attribute *norm = mli_onnx_find(b->node, "norm");
    mli_onnx_val x = floats(mli_onnx_table(b));
    const char *formula = norm && mli_onnx_is(norm->text, "L1")   ? "xx|S.0=+/"
                          : norm && mli_onnx_is(norm->text, "L2") ? "xx*.S.0=+/qxs*"
                                                                  : "xxH.0=+/";
    return mli_onnx_of(b, formula, &x, 1);
}

static mli_onnx_val lp_normalization(mli_onnx_builder *b, const mli_onnx_val *in)
{
    double p = mli_onnx_number_of(b, "p", 2);
    mli_onnx_val x = mli_onnx_rows(b, in);
    if (p != 1 && p != 2) return mli_onnx_no(b, "of such a norm");
    return mli_onnx_of(b, p == 1 ? "xx|S.0=+/" : "xxx*Sq.0=+/", &x,
                       mli_onnx_axis(&x, mli_onnx_number_of(b, "axis", -1)));
}

static mli_onnx_val binarizer(mli_onnx_builder *b)
{
    double threshold = mli_onnx_number_of(b, "threshold", 0);
    mli_onnx_val x = mli_onnx_table(b);
    return floats(
        mli_onnx_formula(b, "ax<", (const mli_onnx_val *[3]){&x}, &threshold, 1));
}

/* ---- encoders ---- */

/* The keys as numbers: of texts the codes that they have for column j. */
static const double *keys_of(mli_onnx_builder *b, const mli_onnx_val *x,
                             const mli_onnx_attribute *keys, int64_t j)
{
    if (!keys->n_texts) return keys->numbers;
    double *codes = mli_onnx_list_of(b, keys->n_texts);
    for (int64_t k = 0; codes && k < keys->n_texts && !b->status; k++)
        codes[k] = mli_onnx_code_of(b, x, j, keys->texts[k]);
    return codes;
}

/* Where the columns are, of numbers or of codes; all before what is made of them, which
 * lies together then. */
static int32_t *places_of(mli_onnx_builder *b, const mli_onnx_val *x)
{
    int32_t *at = mli_onnx_numbers_of(b, x->n);
    for (int64_t j = 0; at && j < x->n; j++)
        at[j] = x->kind == MLI_VAL_CODES ? mli_onnx_code_at(b, x, j) : x->at + (int32_t)j;
    return at;
}

static mli_onnx_val one_hot(mli_onnx_builder *b, const mli_onnx_val *in)
{
    const mli_onnx_attribute *cats = mli_onnx_find(b->node, "cats_strings");
    mli_onnx_val x = *in, out = x;
    if (!cats || !cats->n_texts) cats = mli_onnx_find(b->node, "cats_int64s");
    int64_t n = cats ? cats->n_texts ? cats->n_texts : cats->n_numbers : 0;
    if (n < 1 || n > 65536 || !cats->n_texts != (x.kind != MLI_VAL_CODES))
        return mli_onnx_no(b, "of other categories than its input has");
    if (x.kind != MLI_VAL_CODES) x = mli_onnx_rows(b, in);
    if (b->status || x.rank == MLI_ONNX_RANK) return mli_onnx_no(b, "of such a shape");
    if (x.type == MLI_ONNX_FLOAT || x.type == MLI_ONNX_DOUBLE)
        x = mli_onnx_apply(b, MLI_STEP_TRUNC, &x, NULL, NULL);
    const int32_t *places = places_of(b, &x);
    for (int64_t j = 0; j < x.n && !b->status; j++) {
        mli_onnx_val c = mli_onnx_made(places[j], 1, x.type);
        const double *keys = keys_of(b, &x, cats, j);
        if (b->status) break;
        mli_step step = {.op = MLI_STEP_EQ, .n = (int32_t)n};
        step.of[0] = mli_onnx_operand(b, &c);
        step.of[0].spread = MLI_SPREAD_MOD;
        step.of[1] = (mli_operand){mli_onnx_add_constants(b, keys, n), (int32_t)n, 0};
        int32_t at = mli_onnx_emit(b, step);
        if (j == 0) out.at = at;
    }
    out.kind = MLI_VAL_ROWS;
    out.type = MLI_ONNX_FLOAT;
    out.rank = x.rank + 1;
    memcpy(out.dim, x.dim, sizeof out.dim);
    out.dim[x.rank] = n;
    out.n = x.n * n;
    return out;
}

/* The attribute of one of several names that has anything. */
static const mli_onnx_attribute *first_of(const mli_onnx_builder *b,
                                          const char *const *names, int n)
{
    for (int i = 0; i < n; i++) {
        const mli_onnx_attribute *a = mli_onnx_find(b->node, names[i]);
        if (a && (a->n_texts || a->n_numbers)) return a;
    }
    return NULL;
}

/* Of a constant: so imputers have the text to fill in. */
static mli_onnx_val one_text(mli_onnx_builder *b, const mli_onnx_val *in,
                             const mli_onnx_attribute *from, const mli_onnx_attribute *to)
{
    double key = in->list ? in->list->numbers[0] : in->number;
    for (int64_t k = 0; k < from->n_numbers && in->n == 1; k++) {
        if (from->numbers[k] != key) continue;
        mli_onnx_attribute *one = mli_doc_alloc(&b->g->arena, sizeof *one);
        if (!one) break;
        *one = (mli_onnx_attribute){.n_texts = 1, .texts = &to->texts[k], .type = 8};
        return mli_onnx_listed(one, 0);
    }
    return mli_onnx_no(b, "of such a constant");
}

static mli_onnx_val encode(mli_onnx_builder *b, const mli_onnx_val *in)
{
    static const char *const keys[] = {"keys_strings", "keys_int64s", "keys_floats",
                                       "keys_tensor"};
    static const char *const values[] = {"values_strings", "values_int64s",
                                         "values_floats", "values_tensor"};
    const mli_onnx_attribute *from = first_of(b, keys, 4), *to = first_of(b, values, 4);
    mli_onnx_val x = *in, out;
    int texts = from && from->n_texts;
    if (in->kind == MLI_VAL_NUMBERS && from && to && to->n_texts == from->n_numbers)
        return one_text(b, in, from, to);
    if (x.kind != MLI_VAL_CODES) x = mli_onnx_rows(b, in);
    out = x;
    int64_t n = from ? texts ? from->n_texts : from->n_numbers : 0;
    if (b->status || !to || n != (to->n_texts ? to->n_texts : to->n_numbers) ||
        n > 65536 || texts != (x.kind == MLI_VAL_CODES) || (to->n_texts && x.n != 1))
        return mli_onnx_no(b, "of such keys and values");
    double *list = mli_onnx_list_of(b, n + 1);
    int real = to->type == MLI_ONNX_FLOAT || to == mli_onnx_find(b->node, values[2]);
    for (int64_t k = 0; list && k < n; k++)
        list[k] = to->n_texts ? (double)k : to->numbers[k];
    const mli_onnx_attribute *other = mli_onnx_find(b->node, "default_tensor");
    if (list)
        list[n] = to->n_texts                 ? NAN
                  : other && other->n_numbers ? other->numbers[0]
                  : real ? mli_onnx_number_of(b, "default_float", -0.0)
                         : mli_onnx_number_of(b, "default_int64", -1);
    const int32_t *places = places_of(b, &x);
    for (int64_t j = 0; j < x.n && !b->status; j++) {
        mli_onnx_val c = mli_onnx_made(places[j], 1, x.type);
        const double *k = keys_of(b, &x, from, j);
        if (b->status) break;
        mli_step step = {.op = MLI_STEP_MAP, .n = 1};
        step.of[0] = mli_onnx_operand(b, &c);
        step.of[1] = (mli_operand){mli_onnx_add_constants(b, k, n), (int32_t)n, 0};
        step.of[2] =
            (mli_operand){mli_onnx_add_constants(b, list, n + 1), (int32_t)n + 1, 0};
        int32_t at = mli_onnx_emit(b, step);
        if (j == 0) out.at = at;
    }
    out.kind = to->n_texts ? MLI_VAL_LABELS : MLI_VAL_ROWS;
    out.list = to->n_texts ? to : NULL;
    out.type = to->n_texts ? 8 : real ? MLI_ONNX_FLOAT : MLI_ONNX_INT64;
    return out;
}

/* Probabilities by label. */
static mli_onnx_val zip(mli_onnx_builder *b, const mli_onnx_val *x)
{
    static const char *const names[] = {"classlabels_strings", "classlabels_int64s"};
    mli_onnx_val out = mli_onnx_rows(b, x);
    out.list = first_of(b, names, 2);
    return out;
}

/* ---- which operator ---- */

int mli_onnx_operator_model(mli_onnx_builder *b)
{
    const mli_onnx_val *x = mli_onnx_in(b, 0);
    mli_onnx_val out;
    if (strncmp(b->node->op.at, "TreeEnsemble", 12) == 0) {
        trees(b);
        return 1;
    }
    if (is(b, "LinearRegressor") || is(b, "LinearClassifier")) {
        linear(b);
        return 1;
    }
    if (is(b, "Scan") || is(b, "CDist")) {
        distances(b);
        return 1;
    }
    if (!x) return 0;
    if (is(b, "MatMul") || is(b, "Gemm"))
        out = multiply(b);
    else if (is(b, "Scaler"))
        out = scaler(b);
    else if (is(b, "Imputer"))
        out = imputer(b);
    else if (is(b, "Normalizer"))
        out = normalizer(b);
    else if (is(b, "LpNormalization"))
        out = lp_normalization(b, x);
    else if (is(b, "Binarizer"))
        out = binarizer(b);
    else if (is(b, "OneHotEncoder"))
        out = one_hot(b, x);
    else if (is(b, "LabelEncoder"))
        out = encode(b, x);
    else if (is(b, "ZipMap"))
        out = zip(b, x);
    else
        return 0;
    mli_onnx_put(b, 0, out);
    return 1;
}
