/* SPDX-License-Identifier: MIT
 *
 * import_onnx_program.c: ONNX graphs that are more than one model of trees: operators in
 * their order become steps of a program (compose/program.h), trees its members.
 *
 * Operators: import_onnx_operators.c, import_onnx_shapes.c, import_onnx_models.c. One
 * that cannot be imported makes its values unknown; that is an error where the result
 * needs them.
 */
#include "serialization/import_onnx_program.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NUMBERS_MAX (1 << 25) /* constants, and numbers on the way to them */

/* ---- values ---- */

static mli_onnx_val *find(mli_onnx_builder *b, mli_onnx_text name)
{
    int32_t at = name.size ? mli_map_find(&b->names, name.at, name.size) : -1;
    return at < 0 ? NULL : &b->vals[at];
}

mli_onnx_val *mli_onnx_in(mli_onnx_builder *b, int64_t i)
{
    return i < b->node->n_inputs ? find(b, b->node->inputs[i]) : NULL;
}

void mli_onnx_put(mli_onnx_builder *b, int64_t i, mli_onnx_val v)
{
    mli_onnx_val *to = i < b->node->n_outputs ? find(b, b->node->outputs[i]) : NULL;
    if (to) *to = v;
}

mli_onnx_val mli_onnx_no(mli_onnx_builder *b, const char *why)
{
    if (!b->status) {
        b->status = ML_E_UNSUPPORTED;
        b->why = why;
    }
    return (mli_onnx_val){.kind = MLI_VAL_NONE, .n = 1};
}

mli_onnx_val mli_onnx_made(int32_t at, int64_t n, int32_t type)
{
    return (mli_onnx_val){
        .kind = MLI_VAL_ROWS, .type = type, .rank = 2, .dim = {-1, n}, .n = n, .at = at};
}

mli_onnx_val mli_onnx_constant(double number)
{
    return (mli_onnx_val){
        .kind = MLI_VAL_NUMBERS, .type = MLI_ONNX_FLOAT, .n = 1, .number = number};
}

mli_onnx_val mli_onnx_listed(const mli_onnx_attribute *list, double dflt)
{
    mli_onnx_val v = mli_onnx_constant(dflt);
    if (!list) return v;
    int64_t product = 1;
    v.list = list;
    v.kind = list->n_texts ? MLI_VAL_TEXTS : MLI_VAL_NUMBERS;
    v.n = list->n_texts ? list->n_texts : list->n_numbers;
    if (list->type) v.type = list->type;
    v.rank = list->n_dims;
    memcpy(v.dim, list->dims, sizeof v.dim);
    for (int i = 0; i < v.rank && product <= v.n; i++)
        product *= v.dim[i] > 0 && v.dim[i] <= v.n ? v.dim[i] : v.n + 1;
    if (product == v.n) return v;
    v.rank = 1; /* of attributes */
    v.dim[0] = v.n;
    return v;
}

double mli_onnx_number_of(const mli_onnx_builder *b, const char *name, double dflt)
{
    const mli_onnx_attribute *a = mli_onnx_find(b->node, name);
    return a ? a->number : dflt;
}

const mli_onnx_attribute *mli_onnx_list(mli_onnx_builder *b, const char *name, int64_t i)
{
    const mli_onnx_attribute *a = mli_onnx_find(b->node, name);
    const mli_onnx_val *v = a ? NULL : mli_onnx_in(b, i);
    return a ? a : v && v->kind == MLI_VAL_NUMBERS ? v->list : NULL;
}

/* Labels as numbers. */
static mli_onnx_val labels_of(mli_onnx_builder *b, const mli_onnx_val *v)
{
    mli_onnx_val out = *v, table = mli_onnx_listed(v->list, 0);
    out.kind = MLI_VAL_ROWS;
    out.list = NULL;
    if (v->list->n_texts) return mli_onnx_no(b, "of texts");
    if (v->n > 1) {
        mli_onnx_val scores = mli_onnx_made(v->at, v->n, MLI_ONNX_FLOAT);
        out.at = mli_onnx_reduce(b, MLI_STEP_ARGMAX, &scores, 1, 1).at;
        out.n = 1;
    }
    mli_step step = {.op = MLI_STEP_FETCH, .n = 1};
    step.of[0] = mli_onnx_operand(b, &table);
    step.of[1] = mli_onnx_operand(b, &out);
    out.at = mli_onnx_emit(b, step);
    return out;
}

mli_onnx_val mli_onnx_number(mli_onnx_builder *b, const mli_onnx_val *v)
{
    if (v->kind == MLI_VAL_ROWS || v->kind == MLI_VAL_NUMBERS) return *v;
    if (v->kind == MLI_VAL_LABELS) return labels_of(b, v);
    return mli_onnx_no(b, v->kind == MLI_VAL_SHAPE ? "of a shape" : "of texts");
}

mli_onnx_val mli_onnx_rows(mli_onnx_builder *b, const mli_onnx_val *v)
{
    if (v->kind == MLI_VAL_NUMBERS) return mli_onnx_no(b, "of constants");
    return mli_onnx_number(b, v);
}

/* ---- steps ---- */

int32_t mli_onnx_emit(mli_onnx_builder *b, mli_step step)
{
    if (b->status) return 0;
    if (step.n < 1 || b->columns + step.n > MLI_STEP_COLUMNS_MAX) {
        mli_onnx_no(b, "of so many columns");
        return 0;
    }
    if (!mli_reserve(b->ctx, &b->steps, &b->step_room, b->n_steps + 1, sizeof step)) {
        b->status = mli_nomem(b->g->err);
        return 0;
    }
    b->steps[b->n_steps++] = step;
    b->columns += step.n;
    return (int32_t)(b->columns - step.n);
}

int32_t mli_onnx_add_constants(mli_onnx_builder *b, const double *v, int64_t n)
{
    if (b->status) return -1;
    if (b->n_constants + n > NUMBERS_MAX) {
        mli_onnx_no(b, "of so many numbers");
        return -1;
    }
    if (!mli_reserve(b->ctx, &b->constants, &b->constant_room, b->n_constants + n,
                     sizeof *v)) {
        b->status = mli_nomem(b->g->err);
        return -1;
    }
    if (n) memcpy(b->constants + b->n_constants, v, (size_t)n * sizeof *v);
    b->n_constants += n;
    return (int32_t)(-1 - (b->n_constants - n));
}

static void *room_for(mli_onnx_builder *b, int64_t n, size_t size)
{
    if (b->status) return NULL;
    b->n_numbers += n;
    if (n < 0 || b->n_numbers > NUMBERS_MAX) {
        mli_onnx_no(b, "of so many numbers");
        return NULL;
    }
    void *list = mli_doc_alloc(&b->g->arena, (size_t)n * size + 1);
    if (!list) b->status = mli_nomem(b->g->err);
    return list;
}

double *mli_onnx_list_of(mli_onnx_builder *b, int64_t n)
{
    return room_for(b, n, sizeof(double));
}

int32_t *mli_onnx_numbers_of(mli_onnx_builder *b, int64_t n)
{
    return room_for(b, n, sizeof(int32_t));
}

void mli_onnx_copy(mli_onnx_builder *b, mli_onnx_val *v)
{
    mli_step step = {.op = MLI_STEP_COPY, .n = (int32_t)v->n};
    step.of[0] = mli_onnx_operand(b, v);
    v->at = mli_onnx_emit(b, step);
}

mli_operand mli_onnx_operand(mli_onnx_builder *b, mli_onnx_val *v)
{
    if (v->kind == MLI_VAL_NUMBERS && v->at >= 0)
        v->at = mli_onnx_add_constants(b, v->list ? v->list->numbers : &v->number, v->n);
    return (mli_operand){v->at, (int32_t)v->n, MLI_SPREAD_NONE};
}

/* ---- the graph's inputs ---- */

/* How many columns an input of an unknown width has: by what uses it. */
static int64_t width_of(const mli_onnx_builder *b, mli_onnx_text name)
{
    static const char *const lists[] = {"scale", "offset", "imputed_value_floats"};
    int64_t width = 1, least;
    for (int64_t i = 0; i < b->g->n_nodes; i++) {
        const mli_onnx_node *n = &b->g->nodes[i];
        if (n->n_inputs < 1 || !n->inputs[0].at || !mli_onnx_is(n->inputs[0], name.at))
            continue;
        for (int k = 0; k < 3; k++) {
            const mli_onnx_attribute *a = mli_onnx_find(n, lists[k]);
            if (a && a->n_numbers > width) width = a->n_numbers;
        }
        const mli_onnx_attribute *c =
            n->n_inputs > 1 ? mli_onnx_value(b->g, n->inputs[1].at) : NULL;
        if (c && mli_in_list(n->op.at, "Sub,Add,Mul,Div") && c->n_numbers > width)
            width = c->n_numbers;
        if (c && mli_in_list(n->op.at, "Scan,CDist") && c->n_dims == 2)
            width = c->dims[1];
        if (c && mli_in_list(n->op.at, "MatMul,Gemm") && c->n_dims == 2)
            width = c->dims[mli_onnx_find(n, "transB") != NULL];
        if ((mli_onnx_is_trees(n) || strncmp(n->op.at, "Linear", 6) == 0) &&
            !mli_onnx_least_features(b->g, n, &least) && least > width)
            width = least;
    }
    return width;
}

/* Inputs that nothing uses are no features. */
static ml_status mark_used(mli_onnx_builder *b, int64_t *used)
{
    uint8_t *asked = mli_calloc(b->ctx, (size_t)b->names.count + 1, 1);
    if (!asked) return mli_nomem(b->g->err);
    for (int64_t k = 0; k < b->g->n_nodes; k++)
        for (int64_t j = 0; j < b->g->nodes[k].n_inputs; j++) {
            mli_onnx_text name = b->g->nodes[k].inputs[j];
            int32_t at = name.size ? mli_map_find(&b->names, name.at, name.size) : -1;
            if (at >= 0) asked[at] = 1;
        }
    for (int64_t i = 0; i < b->g->n_inputs; i++) {
        mli_onnx_text name = b->g->inputs[i].name;
        int32_t at = name.size ? mli_map_find(&b->names, name.at, name.size) : -1;
        b->first[i] = at >= 0 && asked[at] ? 0 : -1;
        if (at >= 0) asked[at] = 0; /* one of a name is enough */
        *used += b->first[i] == 0;
    }
    mli_free(b->ctx, asked);
    return ML_OK;
}

static ml_status count_features(mli_onnx_builder *b)
{
    int64_t n = 0, used = 0;
    ml_status s = mark_used(b, &used);
    for (int64_t i = 0; i < b->g->n_inputs && !s; i++) {
        mli_onnx_input *in = &b->g->inputs[i];
        if (b->first[i] < 0) continue;
        if (in->columns < 1 && in->rank != 1 && used > 1)
            return mli_fail(b->g->err, ML_E_UNSUPPORTED,
                            "the input \"%s\" does not say how many columns it has",
                            in->name.at);
        if (in->columns < 1) in->columns = in->rank == 1 ? 1 : width_of(b, in->name);
        b->first[i] = n;
        n += in->columns;
        if (n > MLI_STEP_COLUMNS_MAX)
            return mli_fail(b->g->err, ML_E_UNSUPPORTED, "the graph has too many inputs");
    }
    return s ? s : mli_import_features(b->im, n);
}

static void put_input(mli_onnx_builder *b, const mli_onnx_input *in, int64_t first)
{
    mli_onnx_val *to = find(b, in->name), v = mli_onnx_made(0, in->columns, in->type);
    if (!to || b->status) return;
    if (in->rank == 1) v.rank = 1;
    if (in->rank == 0 || in->type < 1 || in->type == 10 || in->type > 13) {
        b->status =
            mli_fail(b->g->err, ML_E_UNSUPPORTED,
                     "the input \"%s\" is not of rows of numbers or texts", in->name.at);
        return;
    }
    if (in->type == 8) {
        int32_t *features =
            mli_doc_alloc(&b->g->arena, (size_t)v.n * sizeof *features + 1);
        if (!features) b->status = mli_nomem(b->g->err);
        for (int64_t j = 0; j < v.n && features; j++) {
            features[j] = (int32_t)(first + j);
            mli_map_init(&b->levels[first + j], b->ctx);
        }
        v.kind = MLI_VAL_CODES;
        v.at = -1;
        v.features = features;
    } else {
        mli_step step = {.op = MLI_STEP_INPUT,
                         .n = (int32_t)v.n,
                         .p = (int32_t)first,
                         .round = in->type == MLI_ONNX_FLOAT};
        v.at = mli_onnx_emit(b, step);
    }
    *to = v;
}

static ml_status add_name(mli_onnx_builder *b, mli_onnx_text name)
{
    if (!name.size) return ML_OK;
    return mli_map_add(&b->names, name.at, name.size) < 0 ? mli_nomem(b->g->err) : ML_OK;
}

static ml_status start(mli_onnx_builder *b)
{
    mli_onnx *g = b->g;
    ml_status s = ML_OK;
    b->first = mli_alloc_vec(b->ctx, g->n_inputs + 1, sizeof *b->first);
    if (!b->first) return mli_nomem(g->err);
    for (int64_t i = 0; i < g->n_inputs && !s; i++) s = add_name(b, g->inputs[i].name);
    for (int64_t i = 0; i < g->n_values && !s; i++) s = add_name(b, g->values[i].name);
    for (int64_t i = 0; i < g->n_nodes; i++)
        for (int64_t k = 0; k < g->nodes[i].n_outputs && !s; k++)
            s = add_name(b, g->nodes[i].outputs[k]);
    if (!s) s = count_features(b);
    if (s) return s;
    b->vals = mli_calloc(b->ctx, (size_t)b->names.count + 1, sizeof *b->vals);
    b->levels = mli_calloc(b->ctx, (size_t)b->im->n_features, sizeof *b->levels);
    if (!b->vals || !b->levels) return mli_nomem(g->err);
    for (int64_t i = 0; i < g->n_values; i++) {
        mli_onnx_val *v = find(b, g->values[i].name);
        if (v && (g->values[i].n_numbers || g->values[i].n_texts))
            *v = mli_onnx_listed(&g->values[i], 0);
    }
    for (int64_t i = 0; i < g->n_inputs; i++)
        if (b->first[i] >= 0) put_input(b, &g->inputs[i], b->first[i]);
    return b->status;
}

/* ---- texts ---- */

int32_t mli_onnx_code_at(mli_onnx_builder *b, const mli_onnx_val *x, int64_t j)
{
    mli_onnx_val out = mli_onnx_made(x->at + (int32_t)j, 1, x->type);
    if (x->at >= 0) return out.at;
    mli_step step = {.op = MLI_STEP_INPUT, .n = 1, .p = x->features[j]};
    out.at = mli_onnx_emit(b, step);
    mli_onnx_val table = mli_onnx_constant(0);
    step = (mli_step){.op = MLI_STEP_FETCH, .n = 1};
    step.of[0] = mli_onnx_operand(b, &table);
    step.of[1] = mli_onnx_operand(b, &out);
    step.q = x->features[j] + 1; /* fill_tables knows it by this */
    return mli_onnx_emit(b, step);
}

double mli_onnx_code_of(mli_onnx_builder *b, const mli_onnx_val *x, int64_t j,
                        mli_onnx_text text)
{
    int32_t code = mli_map_add(&b->levels[x->features[j]], text.at, text.size);
    if (code < 0) b->status = mli_nomem(b->g->err);
    return code;
}

/* ---- the nodes ---- */

/* Nothing is made of what is not known; the first such node is to blame. */
static int knows_inputs(mli_onnx_builder *b)
{
    for (int64_t i = 0; i < b->node->n_inputs; i++) {
        if (!b->node->inputs[i].size) continue;
        const mli_onnx_val *v = mli_onnx_in(b, i);
        if (!v || v->kind == MLI_VAL_NONE) return 0;
    }
    return 1;
}

static ml_status follow(mli_onnx_builder *b)
{
    for (int64_t i = 0; i < b->g->n_nodes; i++) {
        b->node = &b->g->nodes[i];
        b->why = NULL;
        if (!knows_inputs(b)) continue;
        if (!mli_onnx_operator_formula(b) && !mli_onnx_operator(b) &&
            !mli_onnx_operator_shape(b) && !mli_onnx_operator_model(b) &&
            !mli_onnx_operator_svm(b))
            mli_onnx_no(b, "");
        if (b->status == ML_E_UNSUPPORTED && b->why) {
            if (!b->bad) {
                b->bad = b->node;
                mli_fail(b->g->err, ML_E_UNSUPPORTED,
                         "the operator %s%s%s cannot be imported", b->node->op.at,
                         *b->why ? " " : "", b->why);
                if (b->node->name.size)
                    mli_error_at(b->g->err, ML_E_UNSUPPORTED, "node \"%s\"",
                                 b->node->name.at);
                mli_error_hint(b->g->err, ML_E_UNSUPPORTED,
                               "export the model without this step, and do it yourself");
            }
            for (int64_t k = 0; k < b->node->n_outputs; k++)
                mli_onnx_put(b, k, (mli_onnx_val){.kind = MLI_VAL_NONE});
            b->status = ML_OK;
        }
        if (b->status) return b->status;
    }
    return ML_OK;
}

/* ---- the result ---- */

static ml_status no_result(const mli_onnx_builder *b, const char *why)
{
    if (b->bad) return ML_E_UNSUPPORTED; /* whose message is there */
    return mli_fail(b->g->err, ML_E_UNSUPPORTED, "%s", why);
}

static int64_t count_of(const mli_onnx_attribute *list)
{
    return list->n_texts ? list->n_texts : list->n_numbers;
}

/* Numbers, and one more. */
static void join_column(mli_onnx_builder *b, mli_onnx_val *numbers, const mli_onnx_val *v)
{
    mli_onnx_val more = *v;
    mli_onnx_copy(b, numbers);
    mli_onnx_copy(b, &more);
    more.raw |= numbers->raw;
    *numbers = mli_onnx_made(numbers->at, numbers->n + 1, v->type);
    numbers->raw = more.raw;
}

/* What of the outputs are the labels, and what the numbers. */
static ml_status find_outputs(mli_onnx_builder *b, mli_onnx_val *labels,
                              mli_onnx_val *numbers)
{
    int n_labels = 0, n_numbers = 0, several = 0; /* several: labels of a row */
    for (int64_t i = 0; i < b->g->n_outputs; i++) {
        const mli_onnx_val *v = find(b, b->g->outputs[i]);
        if (!v || v->kind == MLI_VAL_NONE)
            return no_result(b, "nothing in the graph makes one of its outputs");
        if (v->kind != MLI_VAL_LABELS && v->kind != MLI_VAL_ROWS) continue;
        int whole = v->type != MLI_ONNX_FLOAT && v->type != MLI_ONNX_DOUBLE;
        if (whole && v->kind == MLI_VAL_ROWS && v->n > 1 && i + 1 < b->g->n_outputs) {
            several = 1; /* the numbers behind them tell more */
            continue;
        }
        if (v->kind == MLI_VAL_LABELS || (whole && v->n == 1 && b->g->n_outputs > 1)) {
            *labels = *v;
            n_labels++;
        } else if (n_numbers++ && v->n == 1 && numbers->n == n_numbers - 1) {
            join_column(b, numbers, v); /* a class each, so far */
        } else if (n_numbers == 1 || v->list) {
            *numbers = *v;
        }
    }
    /* Two labels that are beside each other are no classes, nor is one of one number. */
    if (several) numbers->list = NULL;
    if (labels->kind == MLI_VAL_ROWS && !numbers->list && numbers->n == 1)
        labels->kind = MLI_VAL_NONE;
    if (n_labels > 1) return no_result(b, "classifiers side by side cannot be imported");
    if (!n_labels && !n_numbers)
        return no_result(b, "the graph gives nothing that depends on its inputs");
    return ML_OK;
}

/* 1 where the class is, else 0. */
static mli_onnx_val mark_class(mli_onnx_builder *b, const mli_onnx_val *labels, int64_t n)
{
    mli_onnx_val at = mli_onnx_made(labels->at, labels->n, MLI_ONNX_FLOAT);
    if (labels->n > 1) at = mli_onnx_reduce(b, MLI_STEP_ARGMAX, &at, 1, 1);
    double *all = mli_onnx_list_of(b, n);
    for (int64_t k = 0; k < n && all; k++) all[k] = (double)k;
    mli_step step = {.op = MLI_STEP_EQ, .n = (int32_t)n};
    step.of[0] = mli_onnx_operand(b, &at);
    step.of[0].spread = MLI_SPREAD_MOD;
    step.of[1] = (mli_operand){mli_onnx_add_constants(b, all, n), (int32_t)n, 0};
    return mli_onnx_made(mli_onnx_emit(b, step), n, MLI_ONNX_FLOAT);
}

/* The probabilities, of n classes. */
static ml_status classes(mli_onnx_builder *b, const mli_onnx_val *labels,
                         mli_onnx_val *numbers, const mli_onnx_attribute *list, int64_t n)
{
    ml_status s = ML_OK;
    if (list)
        s = mli_onnx_set_labels(b->im, b->g, list->n_texts ? list : NULL, list);
    else if (n > 1 && n <= 65536)
        b->im->n_classes = n;
    else
        return no_result(b, "a classifier of one class cannot be imported");
    if (s) return s;
    int known = numbers->kind == MLI_VAL_ROWS && !numbers->raw && !labels->raw;
    if (known && numbers->n == n) return ML_OK;
    if (known && numbers->n == 1 && n == 2) {
        *numbers = mli_onnx_made(numbers->at, 1, MLI_ONNX_FLOAT);
        *numbers = mli_onnx_pair(b, numbers, 0);
    } else if (labels->kind) {
        *numbers = mark_class(b, labels, n);
    } else {
        return no_result(b, "a classifier without labels or probabilities cannot be "
                            "imported");
    }
    return b->status;
}

static ml_status finish_steps(mli_onnx_builder *b)
{
    mli_onnx_val labels = {.kind = MLI_VAL_NONE}, numbers = labels;
    ml_status s = find_outputs(b, &labels, &numbers);
    if (s) return s;
    b->node = &b->g->nodes[0];
    const mli_onnx_attribute *list = labels.kind == MLI_VAL_LABELS ? labels.list
                                     : labels.kind || numbers.list ? numbers.list
                                                                   : NULL;
    if (list || labels.kind) {
        s = classes(b, &labels, &numbers, list, list ? count_of(list) : numbers.n);
    } else {
        b->im->n_scores = numbers.n;
        if (numbers.n > 65536) s = no_result(b, "too many targets");
    }
    if (s) return s;
    mli_onnx_copy(b, &numbers);
    return b->status;
}

/* ---- the model ---- */

/* Texts become the categories of their features. rank: [features] of their codes. */
static ml_status name_levels(mli_onnx_builder *b)
{
    ml_status s = ML_OK;
    for (int64_t j = 0; j < b->im->n_features && !s; j++) {
        const mli_map *m = &b->levels[j];
        if (!m->ctx || !m->count) continue;
        s = mli_import_levels(b->im, j, m->count);
        for (int64_t k = 0; k < m->count && !s; k++)
            s = mli_import_level(b->im, j, k, m->bytes + m->offsets[k],
                                 (size_t)(m->offsets[k + 1] - m->offsets[k]));
    }
    return s;
}

/* From the codes of the model, of sorted texts, to those of the steps. */
static ml_status fill_tables(mli_onnx_builder *b, int64_t *const *rank)
{
    for (int64_t i = 0; i < b->n_steps; i++) {
        mli_step *step = &b->steps[i];
        if (step->op != MLI_STEP_FETCH || !step->q) continue;
        int64_t j = step->q - 1, n = b->levels[j].count;
        step->q = 0;
        /* A missing text counts as an empty one, where that is known. */
        step->p = mli_map_find(&b->levels[j], "", 0) + 1;
        if (!n || !rank[j]) continue;
        double *table = mli_onnx_list_of(b, n);
        if (!table) return b->status;
        for (int64_t k = 0; k < n; k++) table[rank[j][k]] = (double)k;
        step->of[0] = (mli_operand){mli_onnx_add_constants(b, table, n), (int32_t)n, 0};
        if (b->status) return b->status;
    }
    return ML_OK;
}

static ml_status make_params(mli_onnx_builder *b, const mli_algorithm *ensemble,
                             ml_params **out)
{
    ml_params *p = NULL;
    ml_status s = ml_params_new(b->ctx, &p, b->g->err);
    if (!s) s = ml_params_set_str(p, "members", b->n_members ? "m=gbdt" : "", b->g->err);
    if (!s && b->n_members) s = ml_params_set_str(p, "m.objective", "squared", b->g->err);
    if (!s) s = ml_params_set_str(p, "target", b->im->target, b->g->err);
    if (!s) s = mli_params_resolve(b->ctx, &ensemble->head, p, out, b->g->err);
    ml_params_free(p);
    return s;
}

static ml_status add_tensors(mli_onnx_builder *b, ml_model *m)
{
    char name[160];
    int32_t *words;
    int64_t shape[2] = {b->n_steps, MLI_STEP_WORDS};
    ml_error *err = b->g->err;
    ml_status s = mli_model_add(m, "program", ML_DTYPE_I32, 2, shape, &words, err);
    if (!s) memcpy(words, b->steps, (size_t)b->n_steps * sizeof *b->steps);
    if (!s) s = mli_model_add_f64s(m, "constants", b->constants, b->n_constants, err);
    for (int64_t i = 0; i < b->n_members; i++)
        for (int64_t k = 0; k < b->members[i]->count && !s; k++) {
            const mli_named *t = &b->members[i]->tensors[k];
            snprintf(name, sizeof name, "m%lld.%s", (long long)i, t->name);
            s = mli_model_add_tensor(m, name, t->tensor, err);
        }
    return s;
}

static ml_status build(mli_onnx_builder *b, ml_model **out)
{
    const mli_algorithm *ensemble = (const mli_algorithm *)mli_catalog_find("ensemble");
    mli_onnx_columns c = {.first = b->first};
    int64_t inputs = 0;
    mli_inputs *in = NULL;
    ml_params *params = NULL;
    ml_model *m = NULL;
    for (int64_t i = 0; i < b->g->n_inputs; i++) inputs += b->first[i] >= 0;
    c.plain = inputs == 1;
    int64_t **rank = mli_calloc(b->ctx, (size_t)b->im->n_features, sizeof *rank);
    ml_status s = rank ? mli_onnx_columns_name(b->im, b->g, &c) : mli_nomem(b->g->err);
    if (!s) s = name_levels(b);
    if (!s) s = mli_import_make_inputs(b->im, rank, &in);
    if (!s) s = fill_tables(b, rank);
    if (!s) s = make_params(b, ensemble, &params);
    if (!s) s = mli_model_new(b->ctx, ensemble, params, in, &m, b->g->err);
    if (!s) s = add_tensors(b, m);
    if (!s) s = mli_import_note(b->im, m);
    for (int64_t j = 0; rank && j < b->im->n_features; j++) mli_free(b->ctx, rank[j]);
    mli_free(b->ctx, rank);
    mli_inputs_free(in);
    ml_params_free(params);
    if (s)
        ml_model_free(m);
    else
        *out = m;
    return s;
}

static void release(mli_onnx_builder *b)
{
    for (int64_t i = 0; i < b->n_members; i++) ml_model_free(b->members[i]);
    for (int64_t j = 0; b->levels && j < b->im->n_features; j++)
        if (b->levels[j].ctx) mli_map_free(&b->levels[j]);
    mli_free(b->ctx, b->members);
    mli_free(b->ctx, b->levels);
    mli_free(b->ctx, b->steps);
    mli_free(b->ctx, b->constants);
    mli_free(b->ctx, b->vals);
    mli_free(b->ctx, b->first);
    mli_map_free(&b->names);
}

ml_status mli_onnx_program(mli_import *im, mli_onnx *g, ml_model **out)
{
    mli_onnx_builder b = {.im = im, .g = g, .ctx = im->ctx};
    mli_map_init(&b.names, im->ctx);
    ml_status s = g->n_nodes ? start(&b) : no_result(&b, "the graph has no operators");
    if (!s) s = follow(&b);
    if (!s) s = finish_steps(&b);
    if (!s) s = build(&b, out);
    /* A model of a node has its own message; behind the nodes only size is in the way. */
    if (s == ML_E_UNSUPPORTED && s == b.status && b.why)
        s = no_result(&b, "the graph has too many columns or numbers");
    release(&b);
    return s;
}
