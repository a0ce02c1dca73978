/* SPDX-License-Identifier: MIT
 *
 * import_onnx_operators.c: operators of ONNX that calculate, as steps of a program.
 */
#include "serialization/import_onnx_program.h"

#include <math.h>
#include <string.h>

#define MOST (1 << 20) /* numbers of a constant that is calculated */

/* ---- number by number ---- */

/* Shapes are laid over each other from the last axis on. 0: they do not fit. */
static int spread_shapes(const mli_onnx_val *const *v, int n, mli_onnx_val *out)
{
    out->rank = 0;
    for (int k = 0; k < n; k++)
        if (v[k]->rank > out->rank) out->rank = v[k]->rank;
    for (int i = 0; i < out->rank; i++) {
        int64_t d = 1;
        for (int k = 0; k < n; k++) {
            int at = i - (out->rank - v[k]->rank);
            int64_t e = at < 0 ? 1 : v[k]->dim[at];
            if (e == 1 || e == d) continue;
            if (d != 1) return 0;
            d = e;
        }
        out->dim[i] = d;
    }
    return 1;
}

/* How the numbers of a value lie in those of the result. */
static int spread_of(const mli_onnx_val *v, const mli_onnx_val *out)
{
    int same = 1, front = 1, back = 1, seen_one = 0, seen_more = 0;
    if (v->n == out->n) return MLI_SPREAD_NONE;
    if (v->n == 1) return MLI_SPREAD_MOD;
    for (int i = 0; i < out->rank; i++) {
        int at = i - (out->rank - v->rank);
        int64_t d = out->dim[i], e = at < 0 ? 1 : v->dim[at];
        if (d == -1 || d == 1) continue;
        same &= d == e;
        if (d != e && seen_more) back = 0; /* more, and then one: not at the end */
        if (d == e && seen_one) front = 0;
        seen_one |= d != e;
        seen_more |= d == e;
    }
    return same ? MLI_SPREAD_NONE : back ? MLI_SPREAD_MOD : front ? MLI_SPREAD_DIV : -1;
}

static int32_t type_of(int32_t op, const mli_onnx_val *const *v, int n)
{
    if ((op >= MLI_STEP_EQ && op <= MLI_STEP_OR) || op == MLI_STEP_NOT ||
        op == MLI_STEP_TRUTH || op == MLI_STEP_ISNAN)
        return MLI_ONNX_BOOL;
    const mli_onnx_val *x = v[op == MLI_STEP_WHERE];
    /* Constants without a list have no type of their own. */
    if (x->kind == MLI_VAL_NUMBERS && n > 1 && op != MLI_STEP_WHERE) x = v[1];
    return x->type;
}

mli_onnx_val mli_onnx_constants(mli_onnx_builder *b, double *numbers, mli_onnx_val like)
{
    mli_onnx_attribute *list = mli_doc_alloc(&b->g->arena, sizeof *list);
    if (!list && !b->status) b->status = mli_nomem(b->g->err);
    if (b->status) return like;
    for (int64_t j = 0; like.type == MLI_ONNX_FLOAT && j < like.n; j++)
        numbers[j] = (double)(float)numbers[j];
    *list = (mli_onnx_attribute){
        .n_numbers = like.n, .numbers = numbers, .type = like.type, .n_dims = like.rank};
    memcpy(list->dims, like.dim, sizeof list->dims);
    return mli_onnx_listed(list, 0);
}

/* Of constants alone: a constant. */
static mli_onnx_val fold(mli_onnx_builder *b, const mli_step *step,
                         const mli_onnx_val *const *v, mli_onnx_val out)
{
    double *to = mli_onnx_list_of(b, out.n);
    for (int64_t j = 0; to && j < out.n; j++) {
        double c[3] = {0, 0, 0};
        for (int k = 0; k < mli_step_operands(step->op); k++) {
            int64_t at = mli_step_spread(&step->of[k], out.n, j);
            c[k] = v[k]->list ? v[k]->list->numbers[at] : v[k]->number;
        }
        to[j] = mli_step_number(step->op, c[0], c[1], c[2]);
    }
    return mli_onnx_constants(b, to, out);
}

mli_onnx_val mli_onnx_apply(mli_onnx_builder *b, int32_t op, const mli_onnx_val *x,
                            const mli_onnx_val *y, const mli_onnx_val *z)
{
    const mli_onnx_val *given[3] = {x, y, z}, *v[3];
    mli_onnx_val own[3], out = {.kind = MLI_VAL_ROWS, .n = 1};
    int n = mli_step_operands(op), rows = 0;
    for (int k = 0; k < n; k++) {
        if (!given[k]) return mli_onnx_no(b, "lacks an input");
        own[k] = mli_onnx_number(b, given[k]);
        v[k] = &own[k];
        rows |= own[k].kind == MLI_VAL_ROWS;
        if (own[k].kind == MLI_VAL_ROWS && own[k].n > out.n) out.n = own[k].n;
    }
    if (b->status) return out;
    if (!spread_shapes(v, n, &out)) return mli_onnx_no(b, "of such shapes");
    int64_t product = 1;
    for (int i = 0; i < out.rank; i++)
        if (out.dim[i] > 0 && product <= MOST) product *= out.dim[i];
    if (product > MOST) return mli_onnx_no(b, "of such shapes");
    if (product > out.n) out.n = product;
    out.type = type_of(op, v, n);
    for (int k = 0; k < n; k++) /* scores are scores, whatever is added to them */
        if (op == MLI_STEP_NEG || op == MLI_STEP_ABS ||
            (op >= MLI_STEP_ADD && op <= MLI_STEP_DIV))
            out.raw |= v[k]->raw;
    mli_step step = {.op = op, .n = (int32_t)out.n, .round = out.type == MLI_ONNX_FLOAT};
    for (int k = 0; k < n; k++) {
        int spread = spread_of(v[k], &out);
        if (spread < 0 || out.n % v[k]->n) return mli_onnx_no(b, "of such shapes");
        step.of[k] = (mli_operand){0, (int32_t)v[k]->n, spread};
        if (!rows) continue;
        step.of[k] = mli_onnx_operand(b, &own[k]);
        step.of[k].spread = spread;
    }
    if (rows)
        out.at = mli_onnx_emit(b, step);
    else
        out = fold(b, &step, v, out);
    if (op != MLI_STEP_DIV || out.type == MLI_ONNX_FLOAT || out.type == MLI_ONNX_DOUBLE)
        return out;
    mli_onnx_val whole = out; /* integers */
    return mli_onnx_apply(b, MLI_STEP_TRUNC, &whole, NULL, NULL);
}

mli_onnx_val mli_onnx_apply_to(mli_onnx_builder *b, int32_t op, const mli_onnx_val *x,
                               double y)
{
    mli_onnx_val c = mli_onnx_constant(y);
    c.type = x->type;
    return mli_onnx_apply(b, op, x, &c, NULL);
}

static const struct {
    const char *name;
    int32_t op, swap; /* swap: the operands */
} plain[] = {{"Neg", MLI_STEP_NEG, 0},        {"Abs", MLI_STEP_ABS, 0},
             {"Sign", MLI_STEP_SIGN, 0},      {"Exp", MLI_STEP_EXP, 0},
             {"Log", MLI_STEP_LOG, 0},        {"Sqrt", MLI_STEP_SQRT, 0},
             {"Tanh", MLI_STEP_TANH, 0},      {"Sigmoid", MLI_STEP_SIGMOID, 0},
             {"Floor", MLI_STEP_FLOOR, 0},    {"Ceil", MLI_STEP_CEIL, 0},
             {"Not", MLI_STEP_NOT, 0},        {"IsNaN", MLI_STEP_ISNAN, 0},
             {"Add", MLI_STEP_ADD, 0},        {"Sub", MLI_STEP_SUB, 0},
             {"Mul", MLI_STEP_MUL, 0},        {"Div", MLI_STEP_DIV, 0},
             {"Pow", MLI_STEP_POW, 0},        {"Equal", MLI_STEP_EQ, 0},
             {"Less", MLI_STEP_LT, 0},        {"Greater", MLI_STEP_LT, 1},
             {"LessOrEqual", MLI_STEP_LE, 0}, {"GreaterOrEqual", MLI_STEP_LE, 1},
             {"And", MLI_STEP_AND, 0},        {"Or", MLI_STEP_OR, 0},
             {"Where", MLI_STEP_WHERE, 0}};

/* Sum, Max, Min, Mean of any number of inputs. */
static mli_onnx_val chain(mli_onnx_builder *b, int32_t op, int mean)
{
    mli_onnx_val *x = mli_onnx_in(b, 0);
    if (!x) return mli_onnx_no(b, "lacks an input");
    mli_onnx_val sum = *x;
    for (int64_t i = 1; i < b->node->n_inputs && !b->status; i++)
        sum = mli_onnx_apply(b, op, &sum, mli_onnx_in(b, i), NULL);
    return mean ? mli_onnx_apply_to(b, MLI_STEP_DIV, &sum, (double)b->node->n_inputs)
                : sum;
}

static mli_onnx_val clip(mli_onnx_builder *b, const mli_onnx_val *x)
{
    static const char *const names[2] = {"min", "max"};
    mli_onnx_val out = *x;
    for (int64_t k = 0; k < 2; k++) {
        const mli_onnx_attribute *a = mli_onnx_find(b->node, names[k]);
        mli_onnx_val c = mli_onnx_constant(a ? a->number : 0),
                     *in = mli_onnx_in(b, k + 1);
        if (!a && !in) continue;
        out = mli_onnx_apply(b, k ? MLI_STEP_MIN : MLI_STEP_MAX, &out, a ? &c : in, NULL);
    }
    return out;
}

static mli_onnx_val cast(mli_onnx_builder *b, const mli_onnx_val *x, int32_t to)
{
    int32_t from = x->type;
    mli_onnx_val out = *x;
    if (x->kind != MLI_VAL_ROWS && x->kind != MLI_VAL_LABELS &&
        (x->kind != MLI_VAL_NUMBERS || to == 8)) {
        if (x->kind != MLI_VAL_CODES || to == 8) return out;
        return mli_onnx_no(b, "of texts to numbers");
    }
    out.type = to;
    if (to == 8 && x->kind != MLI_VAL_LABELS) return mli_onnx_no(b, "to texts");
    if (to == from || x->kind == MLI_VAL_LABELS || from == MLI_ONNX_BOOL) return out;
    int whole =
        to == 2 || to == 3 || to == 5 || to == 6 || to == 7 || to == 12 || to == 13;
    if (to == MLI_ONNX_BOOL) return mli_onnx_apply(b, MLI_STEP_TRUTH, x, NULL, NULL);
    if (to == MLI_ONNX_DOUBLE || (whole && from != 1 && from != 11)) return out;
    out = mli_onnx_apply(b, whole ? MLI_STEP_TRUNC : MLI_STEP_COPY, &out, NULL, NULL);
    if (!whole && to != MLI_ONNX_FLOAT) return mli_onnx_no(b, "to such a type");
    return out;
}

/* ---- over an axis ---- */

static void drop_axis(mli_onnx_val *v, int64_t axis)
{
    for (int64_t i = axis; i + 1 < v->rank; i++) v->dim[i] = v->dim[i + 1];
    v->rank--;
}

mli_onnx_val mli_onnx_reduce(mli_onnx_builder *b, int32_t op, const mli_onnx_val *x,
                             int64_t axis, int keep)
{
    int64_t outer, inner;
    mli_onnx_val v = mli_onnx_number(b, x), out = v;
    if (b->status) return v;
    if (axis < 0 || axis == mli_onnx_axis_of_rows(&v) ||
        !mli_onnx_around(&v, axis, &outer, &inner))
        return mli_onnx_no(b, "over such an axis");
    out.n = outer * inner;
    if (op >= MLI_STEP_ARGMIN && op <= MLI_STEP_ARGMAX) {
        out.type = MLI_ONNX_INT64;
        out.raw = op == MLI_STEP_ARGMIN; /* of what the least is best, no probability */
    }
    mli_step step = {.op = op,
                     .n = (int32_t)out.n,
                     .p = (int32_t)v.dim[axis],
                     .q = (int32_t)inner,
                     .round = out.type == MLI_ONNX_FLOAT};
    out.dim[axis] = 1;
    if (!keep) drop_axis(&out, axis);
    if (v.kind == MLI_VAL_NUMBERS) {
        double *to = mli_onnx_list_of(b, out.n);
        if (to) mli_step_groups(&step, v.list->numbers, to);
        return mli_onnx_constants(b, to, out);
    }
    step.of[0] = mli_onnx_operand(b, &v);
    out.at = mli_onnx_emit(b, step);
    return out;
}

static const struct {
    const char *name;
    int32_t op, before, behind; /* steps around it; 0: none */
} reducing[] = {{"ReduceSum", MLI_STEP_SUM, 0, 0},
                {"ReduceMean", MLI_STEP_SUM, 0, MLI_STEP_DIV},
                {"ReduceMax", MLI_STEP_MOST, 0, 0},
                {"ReduceMin", MLI_STEP_LEAST, 0, 0},
                {"ReduceProd", MLI_STEP_PROD, 0, 0},
                {"ReduceL1", MLI_STEP_SUM, MLI_STEP_ABS, 0},
                {"ReduceL2", MLI_STEP_SUM, MLI_STEP_MUL, MLI_STEP_SQRT},
                {"ReduceSumSquare", MLI_STEP_SUM, MLI_STEP_MUL, 0},
                {"ReduceLogSum", MLI_STEP_SUM, 0, MLI_STEP_LOG}};

static mli_onnx_val reduce(mli_onnx_builder *b, size_t which, const mli_onnx_val *in)
{
    const mli_onnx_attribute *axes = mli_onnx_list(b, "axes", 1);
    int keep = mli_onnx_number_of(b, "keepdims", 1) != 0;
    mli_onnx_val x = mli_onnx_number(b, in);
    if (axes ? axes->n_numbers != 1 : x.rank != 1)
        return mli_onnx_no(b, "over several axes");
    int64_t axis = mli_onnx_axis(&x, axes ? axes->numbers[0] : 0);
    if (!b->status && axis < 0) return mli_onnx_no(b, "over such an axis");
    if (b->status) return x;
    if (which == sizeof reducing / sizeof *reducing) {
        x = mli_onnx_of(b, "xxH-eSlxH+", &x, axis);
        if (!keep && !b->status) drop_axis(&x, axis);
        return x;
    }
    double size = (double)x.dim[axis];
    if (reducing[which].before)
        x = mli_onnx_apply(b, reducing[which].before, &x, &x, NULL);
    x = mli_onnx_reduce(b, reducing[which].op, &x, axis, keep);
    if (reducing[which].behind == MLI_STEP_DIV)
        return mli_onnx_apply_to(b, MLI_STEP_DIV, &x, size);
    return reducing[which].behind
               ? mli_onnx_apply(b, reducing[which].behind, &x, NULL, NULL)
               : x;
}

static mli_onnx_val argument(mli_onnx_builder *b, int32_t op, const mli_onnx_val *in)
{
    mli_onnx_val x = mli_onnx_rows(b, in);
    if (mli_onnx_number_of(b, "select_last_index", 0) != 0)
        return mli_onnx_no(b, "of the last of equal ones");
    return mli_onnx_reduce(b, op, &x, mli_onnx_axis(&x, mli_onnx_number_of(b, "axis", 0)),
                           mli_onnx_number_of(b, "keepdims", 1) != 0);
}

static void top(mli_onnx_builder *b, const mli_onnx_val *in)
{
    const mli_onnx_attribute *k = mli_onnx_list(b, "k", 1);
    const mli_onnx_attribute *one = mli_onnx_find(b->node, "k");
    mli_onnx_val x = mli_onnx_rows(b, in), out = x;
    double n = k && k->n_numbers == 1 ? k->numbers[0] : one ? one->number : 0;
    int64_t axis = mli_onnx_axis(&x, mli_onnx_number_of(b, "axis", -1)), outer, inner;
    if (b->status) return;
    if (axis < 0 || !mli_onnx_around(&x, axis, &outer, &inner) || outer * inner != 1 ||
        !(n >= 1 && n <= (double)x.n) || x.n > MLI_STEP_TOP_MAX) {
        mli_onnx_no(b, "of such a shape");
        return;
    }
    out.n = out.dim[axis] = (int64_t)n;
    for (int32_t places = 0; places < 2; places++) {
        mli_step step = {.op = MLI_STEP_TOP, .n = (int32_t)n, .q = places};
        step.p = mli_onnx_number_of(b, "largest", 1) != 0;
        step.of[0] = mli_onnx_operand(b, &x);
        out.at = mli_onnx_emit(b, step);
        if (places) out.type = MLI_ONNX_INT64;
        mli_onnx_put(b, places, out);
    }
}

static mli_onnx_val cumulate(mli_onnx_builder *b, const mli_onnx_val *in)
{
    const mli_onnx_attribute *axis = mli_onnx_list(b, "axis", 1);
    mli_onnx_val x = mli_onnx_rows(b, in);
    int64_t outer, inner;
    if (b->status) return x;
    int64_t at = axis && axis->n_numbers == 1 ? mli_onnx_axis(&x, axis->numbers[0]) : -1;
    if (at < 0 || !mli_onnx_around(&x, at, &outer, &inner) || outer * inner != 1 ||
        mli_onnx_number_of(b, "exclusive", 0) != 0 ||
        mli_onnx_number_of(b, "reverse", 0) != 0)
        return mli_onnx_no(b, "of such a kind");
    mli_step step = {
        .op = MLI_STEP_CUMSUM, .n = (int32_t)x.n, .round = x.type == MLI_ONNX_FLOAT};
    step.of[0] = mli_onnx_operand(b, &x);
    x.at = mli_onnx_emit(b, step);
    return x;
}

/* One text where the condition holds, or where it does not: so texts are imputed. */
static mli_onnx_val where_texts(mli_onnx_builder *b)
{
    const mli_onnx_val *in[3] = {mli_onnx_in(b, 0), mli_onnx_in(b, 1), mli_onnx_in(b, 2)};
    int text = in[1]->kind == MLI_VAL_TEXTS ? 1 : 2;
    const mli_onnx_val *x = in[3 - text];
    mli_onnx_val condition = mli_onnx_rows(b, in[0]), out = *x;
    if (b->status || in[text]->kind != MLI_VAL_TEXTS || in[text]->n != 1 ||
        x->kind != MLI_VAL_CODES || x->n != 1 || condition.n != 1)
        return mli_onnx_no(b, "of such texts");
    mli_onnx_val code =
        mli_onnx_constant(mli_onnx_code_of(b, x, 0, in[text]->list->texts[0]));
    out = mli_onnx_made(mli_onnx_code_at(b, x, 0), 1, 8);
    mli_step step = {.op = MLI_STEP_WHERE, .n = 1};
    step.of[0] = mli_onnx_operand(b, &condition);
    step.of[text] = mli_onnx_operand(b, &code);
    step.of[3 - text] = mli_onnx_operand(b, &out);
    out = *x;
    out.at = mli_onnx_emit(b, step);
    return out;
}

/* ---- which operator ---- */

static int is(const mli_onnx_builder *b, const char *name)
{
    return mli_onnx_is(b->node->op, name);
}

static int calculating(mli_onnx_builder *b)
{
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (!is(b, plain[i].name)) continue;
        int64_t swap = plain[i].swap;
        mli_onnx_put(b, 0,
                     mli_onnx_apply(b, plain[i].op, mli_onnx_in(b, swap),
                                    mli_onnx_in(b, 1 - swap), mli_onnx_in(b, 2)));
        return 1;
    }
    size_t n = sizeof reducing / sizeof *reducing;
    for (size_t i = 0; i <= n; i++)
        if (is(b, i < n ? reducing[i].name : "ReduceLogSumExp")) {
            mli_onnx_val *x = mli_onnx_in(b, 0);
            mli_onnx_put(b, 0, x ? reduce(b, i, x) : mli_onnx_no(b, "lacks an input"));
            return 1;
        }
    return 0;
}

int mli_onnx_operator(mli_onnx_builder *b)
{
    mli_onnx_val *x = mli_onnx_in(b, 0), out;
    const mli_onnx_val *y = mli_onnx_in(b, 1), *z = mli_onnx_in(b, 2);
    if (is(b, "Where") && x && y && z && (y->type == 8 || z->type == 8)) {
        mli_onnx_put(b, 0, where_texts(b));
        return 1;
    }
    if (calculating(b)) return 1;
    if (!x) return 0;
    if (is(b, "Sum") || is(b, "Mean"))
        out = chain(b, MLI_STEP_ADD, is(b, "Mean"));
    else if (is(b, "Max") || is(b, "Min"))
        out = chain(b, is(b, "Max") ? MLI_STEP_MAX : MLI_STEP_MIN, 0);
    else if (is(b, "Clip"))
        out = clip(b, x);
    else if (is(b, "Cast"))
        out = cast(b, x, (int32_t)mli_onnx_number_of(b, "to", 1));
    else if (is(b, "CastLike") && mli_onnx_in(b, 1))
        out = cast(b, x, mli_onnx_in(b, 1)->type);
    else if (is(b, "ArgMax") || is(b, "ArgMin"))
        out = argument(b, is(b, "ArgMax") ? MLI_STEP_ARGMAX : MLI_STEP_ARGMIN, x);
    else if (is(b, "CumSum"))
        out = cumulate(b, x);
    else if (is(b, "TopK")) {
        top(b, x);
        return 1;
    } else
        return 0;
    mli_onnx_put(b, 0, out);
    return 1;
}
