/* SPDX-License-Identifier: MIT
 *
 * import_onnx_shapes.c: operators of ONNX that arrange values, as steps of a program or
 * as values with another shape.
 */
#include "serialization/import_onnx_program.h"

#include <math.h>
#include <string.h>

static int is(const mli_onnx_builder *b, const char *name)
{
    return mli_onnx_is(b->node->op, name);
}

/* ---- shapes ---- */

int64_t mli_onnx_axis_of_rows(const mli_onnx_val *v)
{
    for (int64_t i = 0; i < v->rank; i++)
        if (v->dim[i] == -1) return i;
    return -1;
}

int64_t mli_onnx_axis(const mli_onnx_val *v, double axis)
{
    if (axis < 0) axis += v->rank;
    return axis >= 0 && axis < v->rank ? (int64_t)axis : -1;
}

int mli_onnx_around(const mli_onnx_val *v, int64_t axis, int64_t *outer, int64_t *inner)
{
    *outer = *inner = 1;
    for (int64_t i = 0; i < v->rank; i++)
        if (i != axis && v->dim[i] > 0) *(i < axis ? outer : inner) *= v->dim[i];
    return axis >= 0 && axis < v->rank && v->dim[axis] > 0 &&
           *outer * *inner * v->dim[axis] == v->n;
}

/* Numbers of a row before the axis of the rows. */
static int64_t front_of(const mli_onnx_val *v)
{
    int64_t front = 1;
    for (int64_t i = 0; i < v->rank && v->dim[i] != -1; i++) front *= v->dim[i];
    return front;
}

/* Without the rows, and -1 for the rest: where are they? Numbers keep their order when as
 * many stand before the rows as did. */
static mli_onnx_val take_shape(mli_onnx_builder *b, const mli_onnx_val *x, int64_t *dim,
                               int rank, int rows, int rest)
{
    mli_onnx_val out = *x;
    int64_t product = 1;
    for (int i = 0; i < rank; i++) {
        if (i == rows || i == rest) continue;
        if (dim[i] < 1 || dim[i] > x->n) return mli_onnx_no(b, "to such a shape");
        product *= dim[i];
        if (product > x->n) return mli_onnx_no(b, "to such a shape");
    }
    if (rows < 0) rows = rest;
    if (rows < 0) return mli_onnx_no(b, "to a shape without rows");
    if (rest >= 0 && rest != rows) dim[rest] = x->n / product;
    if (x->n % product || (rest == rows && product != x->n && rank > 1))
        return mli_onnx_no(b, "to such a shape");
    dim[rows] = -1;
    memcpy(out.dim, dim, sizeof out.dim);
    out.rank = rank;
    int moved = front_of(&out) != front_of(x);
    return moved ? mli_onnx_no(b, "to such a shape") : out;
}

static mli_onnx_val reshape(mli_onnx_builder *b, const mli_onnx_val *x)
{
    const mli_onnx_val *shape = mli_onnx_in(b, 1);
    const mli_onnx_attribute *a = mli_onnx_list(b, "shape", 1);
    int known = shape && shape->kind == MLI_VAL_SHAPE;
    int64_t dim[MLI_ONNX_RANK] = {0}, n = known ? shape->n : a ? a->n_numbers : 0;
    int rows = -1, rest = -1;
    if (n < 1 || n > MLI_ONNX_RANK) return mli_onnx_no(b, "to such a shape");
    for (int i = 0; i < n; i++) {
        double d = known ? (double)shape->dim[i] : a->numbers[i];
        if (!(d >= -2 && d < 1e9)) return mli_onnx_no(b, "to such a shape");
        dim[i] = (int64_t)d;
        if (dim[i] == 0 && i < x->rank) {
            dim[i] = x->dim[i];
            if (dim[i] == -1) rows = i;
        } else if (known && dim[i] == -1) {
            rows = i;
        } else if (dim[i] == -1 || dim[i] == -2) {
            rest = i; /* -2: the rest of a list of axes that has the rows */
        }
    }
    return take_shape(b, x, dim, (int)n, rows, rest);
}

/* [rows, the rest], or all in one row. */
static mli_onnx_val flatten(mli_onnx_builder *b, const mli_onnx_val *x)
{
    double axis = mli_onnx_number_of(b, "axis", 1);
    int64_t rows = mli_onnx_axis_of_rows(x);
    mli_onnx_val out = *x;
    if (axis < 0) axis += x->rank;
    int first = (double)rows < axis;
    if (front_of(x) != 1 || (first && (rows != 0 || axis != 1)))
        return mli_onnx_no(b, "of such a shape");
    out.rank = 2;
    out.dim[0] = first ? -1 : 1;
    out.dim[1] = first ? x->n : -1;
    return out;
}

/* Axes of one number go, or come. */
static mli_onnx_val squeeze(mli_onnx_builder *b, const mli_onnx_val *x, int more)
{
    const mli_onnx_attribute *axes = mli_onnx_list(b, "axes", 1);
    int64_t n = axes ? axes->n_numbers : 0, rank = more ? x->rank + n : x->rank, at = 0;
    mli_onnx_val out = *x;
    int wanted[MLI_ONNX_RANK] = {0};
    if (rank > MLI_ONNX_RANK || (more && !n)) return mli_onnx_no(b, "of so many axes");
    for (int64_t k = 0; k < n; k++) {
        double d = axes->numbers[k] + (axes->numbers[k] < 0 ? (double)rank : 0);
        if (!(d >= 0 && d < (double)rank)) return mli_onnx_no(b, "of such axes");
        wanted[(int64_t)d] = 1;
    }
    out.rank = 0;
    for (int64_t i = 0; i < rank; i++) {
        if (more) {
            out.dim[out.rank++] = wanted[i] || at >= x->rank ? 1 : x->dim[at++];
            continue;
        }
        int goes = n ? wanted[i] : x->dim[i] == 1;
        if (goes && x->dim[i] != 1) return mli_onnx_no(b, "of such axes");
        if (!goes) out.dim[out.rank++] = x->dim[i];
    }
    return more && at != x->rank ? mli_onnx_no(b, "of such axes") : out;
}

/* Only as long as the numbers of a row keep their order. */
static mli_onnx_val transpose(mli_onnx_builder *b, const mli_onnx_val *x)
{
    const mli_onnx_attribute *perm = mli_onnx_find(b->node, "perm");
    mli_onnx_val out = *x;
    int64_t last = -1;
    for (int64_t i = 0; i < x->rank; i++) {
        double from = perm && perm->n_numbers == x->rank ? perm->numbers[i]
                                                         : (double)(x->rank - 1 - i);
        if (!(from >= 0 && from < x->rank)) return mli_onnx_no(b, "of such axes");
        out.dim[i] = x->dim[(int64_t)from];
        if (out.dim[i] == 1 || out.dim[i] == -1) continue;
        if ((int64_t)from < last) return mli_onnx_no(b, "of columns");
        last = (int64_t)from;
    }
    return mli_onnx_axis_of_rows(&out) < 0 ? mli_onnx_no(b, "of such axes") : out;
}

/* Of constants, in two dimensions. */
static mli_onnx_val turn(mli_onnx_builder *b, const mli_onnx_val *x)
{
    mli_onnx_val out = *x;
    double *to = mli_onnx_list_of(b, x->n);
    out.dim[0] = x->dim[1];
    out.dim[1] = x->dim[0];
    for (int64_t j = 0; to && j < x->n; j++)
        to[j % x->dim[1] * x->dim[0] + j / x->dim[1]] = x->list->numbers[j];
    return mli_onnx_constants(b, to, out);
}

/* ---- side by side ---- */

static mli_onnx_val join_shapes(mli_onnx_builder *b)
{
    mli_onnx_val out = {.kind = MLI_VAL_SHAPE, .type = MLI_ONNX_INT64};
    for (int64_t i = 0; i < b->node->n_inputs; i++) {
        const mli_onnx_val *v = mli_onnx_in(b, i);
        int64_t n = v ? v->n : 0;
        if (!v || out.n + n > MLI_ONNX_RANK ||
            (v->kind != MLI_VAL_SHAPE && v->kind != MLI_VAL_NUMBERS))
            return mli_onnx_no(b, "of such values");
        for (int64_t k = 0; k < n; k++) {
            double d = v->kind == MLI_VAL_SHAPE ? (double)v->dim[k]
                       : v->list                ? v->list->numbers[k]
                                                : v->number;
            /* The rest, as opposed to the rows. */
            out.dim[out.n++] = d == -1 && v->kind != MLI_VAL_SHAPE ? -2
                               : d >= -1 && d < 1e9                ? (int64_t)d
                                                                   : 0;
        }
    }
    return out;
}

/* Lists of constants, one behind the other. */
static mli_onnx_val join_numbers(mli_onnx_builder *b, const mli_onnx_val *x)
{
    mli_onnx_val out = *x;
    out.n = 0;
    for (int64_t i = 0; i < b->node->n_inputs; i++) {
        const mli_onnx_val *v = mli_onnx_in(b, i);
        if (!v || v->kind != MLI_VAL_NUMBERS || v->rank > 1) return join_shapes(b);
        out.n += v->n;
    }
    double *to = mli_onnx_list_of(b, out.n);
    out.rank = 1;
    out.dim[0] = out.n;
    for (int64_t i = 0, at = 0; to && i < b->node->n_inputs; i++) {
        const mli_onnx_val *v = mli_onnx_in(b, i);
        for (int64_t k = 0; k < v->n; k++)
            to[at++] = v->list ? v->list->numbers[k] : v->number;
    }
    return mli_onnx_constants(b, to, out);
}

/* The codes of the node's inputs, one behind the other. */
static mli_onnx_val together(mli_onnx_builder *b, const mli_onnx_val *codes)
{
    mli_onnx_val out = *codes;
    int32_t *at = mli_onnx_numbers_of(b, out.n);
    int64_t n = 0;
    for (int64_t i = 0; at && i < b->node->n_inputs; i++) {
        const mli_onnx_val *v = mli_onnx_in(b, i);
        for (int64_t j = 0; j < v->n; j++) at[n++] = mli_onnx_code_at(b, v, j);
    }
    for (int64_t j = 0; j < n; j++) {
        mli_onnx_val one = mli_onnx_made(at[j], 1, 8);
        mli_onnx_copy(b, &one);
        if (j == 0) out.at = one.at;
    }
    return out;
}

/* Columns of texts side by side. */
static mli_onnx_val join_codes(mli_onnx_builder *b)
{
    mli_onnx_val out = {.kind = MLI_VAL_CODES, .type = 8, .rank = 2};
    int calculated = 0;
    for (int64_t i = 0; i < b->node->n_inputs; i++) {
        const mli_onnx_val *v = mli_onnx_in(b, i);
        if (!v || v->kind != MLI_VAL_CODES || v->rank != 2)
            return mli_onnx_no(b, "of texts and numbers");
        out.n += v->n;
    }
    int32_t *to = mli_onnx_numbers_of(b, out.n);
    if (!to) return out;
    out.features = to;
    for (int64_t i = 0; i < b->node->n_inputs; i++) {
        const mli_onnx_val *v = mli_onnx_in(b, i);
        memcpy(to, v->features, (size_t)v->n * sizeof *to);
        to += v->n;
        calculated |= v->at >= 0;
    }
    out.dim[0] = -1;
    out.dim[1] = out.n;
    out.at = -1;
    return calculated ? together(b, &out) : out;
}

/* Does the node's output go into Reshape alone? */
static int only_reshaped(const mli_onnx_builder *b)
{
    const mli_onnx *g = b->g;
    const char *name = b->node->outputs[0].at;
    for (int64_t i = 0; i < g->n_outputs; i++)
        if (name && mli_onnx_is(g->outputs[i], name)) return 0;
    for (int64_t i = 0; i < g->n_nodes; i++)
        for (int64_t k = 0; name && k < g->nodes[i].n_inputs; k++)
            if (mli_onnx_is(g->nodes[i].inputs[k], name) &&
                !mli_onnx_is(g->nodes[i].op, "Reshape"))
                return 0;
    return name != NULL;
}

static mli_onnx_val join(mli_onnx_builder *b, double dflt)
{
    mli_onnx_val *x = mli_onnx_in(b, 0), out = {.kind = MLI_VAL_ROWS};
    int64_t axis = -1, sum = 0, outer, inner;
    if (!x) return mli_onnx_no(b, "lacks an input");
    if (x->kind == MLI_VAL_SHAPE) return join_shapes(b);
    if (x->kind == MLI_VAL_NUMBERS) return join_numbers(b, x);
    if (x->kind == MLI_VAL_CODES) return join_codes(b);
    int64_t n = b->node->n_inputs;
    mli_onnx_val *parts = mli_doc_alloc(&b->g->arena, (size_t)n * sizeof *parts);
    if (!parts) {
        b->status = mli_nomem(b->g->err);
        return out;
    }
    for (int64_t i = 0; i < n; i++) {
        const mli_onnx_val *v = mli_onnx_in(b, i);
        parts[i] = v ? mli_onnx_rows(b, v) : mli_onnx_no(b, "lacks an input");
        if (b->status) return out;
        if (i == 0) {
            out = parts[0];
            axis = mli_onnx_axis(&out, mli_onnx_number_of(b, "axis", dflt));
        }
        out.raw |= parts[i].raw;
        if (axis < 0 || parts[i].rank != out.rank) return mli_onnx_no(b, "of rows");
        if (axis == mli_onnx_axis_of_rows(&parts[i])) {
            /* Rows below rows: Reshape sees them as an axis before the rows. */
            if (parts[i].rank != 2 || parts[i].n != 1 || axis || !only_reshaped(b))
                return mli_onnx_no(b, "of rows");
        } else if (!mli_onnx_around(&parts[i], axis, &outer, &inner) || outer != 1) {
            return mli_onnx_no(b, "of such shapes");
        }
        sum += parts[i].dim[axis];
    }
    for (int64_t i = 0; i < n; i++) {
        mli_onnx_copy(b, &parts[i]);
        if (i == 0) out.at = parts[0].at;
    }
    if (sum == -n) {
        out.rank = 3;
        out.dim[0] = 1;
        out.dim[1] = -1;
        out.dim[2] = 1;
        sum = n;
    }
    out.n = out.n / out.dim[axis] * sum;
    out.dim[axis] = sum;
    out.list = NULL;
    return out;
}

/* ---- some of them ---- */

int32_t mli_onnx_pick(mli_onnx_builder *b, const mli_onnx_val *x, const double *which,
                      int64_t n)
{
    mli_onnx_val v = *x;
    int64_t k = 1;
    while (k < n && which[k] == which[0] + (double)k) k++;
    if (k == n && which[0] >= 0 && which[0] + (double)n <= (double)v.n)
        return v.at + (int32_t)which[0]; /* they lie together already */
    mli_step step = {.op = MLI_STEP_PICK, .n = (int32_t)n};
    step.of[0] = mli_onnx_operand(b, &v);
    step.of[1] = (mli_operand){mli_onnx_add_constants(b, which, n), (int32_t)n, 0};
    return mli_onnx_emit(b, step);
}

/* Columns of texts. */
static mli_onnx_val choose_codes(mli_onnx_builder *b, const mli_onnx_val *x,
                                 const double *which, int64_t n)
{
    mli_onnx_val out = *x;
    int32_t *to = mli_onnx_numbers_of(b, n);
    for (int64_t k = 0; k < n && to; k++) to[k] = x->features[(int64_t)which[k]];
    out.features = to;
    out.n = out.dim[1] = n;
    if (x->at >= 0) out.at = mli_onnx_pick(b, x, which, n);
    return out;
}

/* Those of an axis by their numbers; `gone`: the axis goes. */
static mli_onnx_val choose(mli_onnx_builder *b, const mli_onnx_val *x, int64_t axis,
                           const double *which, int64_t n, int gone)
{
    int64_t outer, inner, at = 0;
    mli_onnx_val out = *x;
    if (b->status || n < 1 || axis < 0 || !mli_onnx_around(x, axis, &outer, &inner) ||
        outer * inner * n > MLI_STEP_COLUMNS_MAX)
        return mli_onnx_no(b, "of such axes");
    double size = (double)x->dim[axis];
    double *all = mli_onnx_list_of(b, outer * inner * n);
    if (!all) return out;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t k = 0; k < n; k++)
            for (int64_t i = 0; i < inner; i++) {
                double w = which[k] + (which[k] < 0 ? size : 0);
                if (!(w >= 0 && w < size)) return mli_onnx_no(b, "of what is not there");
                all[at++] = ((double)o * size + floor(w)) * (double)inner + (double)i;
            }
    if (x->kind == MLI_VAL_CODES) return choose_codes(b, x, all, at);
    out.at = mli_onnx_pick(b, x, all, at);
    out.n = at;
    out.dim[axis] = n;
    if (!gone) return out;
    for (int64_t i = axis; i + 1 < out.rank; i++) out.dim[i] = out.dim[i + 1];
    out.rank--;
    return out;
}

/* The same places of several lists of a size. */
static mli_onnx_val places_of_lists(mli_onnx_builder *b, mli_onnx_val *which,
                                    int64_t lists, int64_t size)
{
    double *first = mli_onnx_list_of(b, lists);
    for (int64_t k = 0; first && k < lists; k++) first[k] = (double)(k * size);
    mli_step step = {.op = MLI_STEP_ADD, .n = (int32_t)(lists * which->n)};
    step.of[0] = mli_onnx_operand(b, which);
    step.of[0].spread = MLI_SPREAD_MOD;
    step.of[1] = (mli_operand){mli_onnx_add_constants(b, first, lists), (int32_t)lists,
                               MLI_SPREAD_DIV};
    return mli_onnx_made(mli_onnx_emit(b, step), lists * which->n, MLI_ONNX_INT64);
}

/* A table of constants at places that the rows have. */
static mli_onnx_val look_up(mli_onnx_builder *b, mli_onnx_val *table,
                            const mli_onnx_val *places, int of_columns)
{
    mli_onnx_val which = mli_onnx_rows(b, places), out = which;
    int64_t lists = table->rank == 2 ? table->dim[0] : 1;
    if (b->status) return out;
    if (table->rank > 2 || lists * which.n > MLI_STEP_COLUMNS_MAX)
        return mli_onnx_no(b, "of such a table");
    if (lists > 1) which = places_of_lists(b, &which, lists, table->dim[1]);
    if (of_columns) { /* ArrayFeatureExtractor: one list of all, for each of the table */
        out.rank = 2;
        out.n = which.n;
        out.dim[0] = lists;
        out.dim[1] = -1;
    }
    out.type = table->type;
    if (table->kind == MLI_VAL_TEXTS ||
        (which.n == 1 && table->list && (table->type == 6 || table->type == 7))) {
        out.kind = MLI_VAL_LABELS;
        out.list = table->list;
        return which.n == 1 ? out : mli_onnx_no(b, "of several texts");
    }
    mli_step step = {.op = MLI_STEP_FETCH, .n = (int32_t)which.n};
    step.of[0] = mli_onnx_operand(b, table);
    step.of[1] = mli_onnx_operand(b, &which);
    out.at = mli_onnx_emit(b, step);
    out.raw = 0;
    return out;
}

static mli_onnx_val gather(mli_onnx_builder *b, mli_onnx_val *x)
{
    mli_onnx_val *which = mli_onnx_in(b, 1);
    int extract = is(b, "ArrayFeatureExtractor");
    if (!which) return mli_onnx_no(b, "lacks an input");
    if (x->kind == MLI_VAL_NUMBERS || x->kind == MLI_VAL_TEXTS) {
        if (!extract && (x->rank != 1 || mli_onnx_number_of(b, "axis", 0) != 0))
            return mli_onnx_no(b, "of such a table");
        return look_up(b, x, which, extract);
    }
    const mli_onnx_attribute *list = mli_onnx_list(b, "", 1);
    if (!list || list->n_numbers < 1) return mli_onnx_no(b, "at places of the rows");
    if (x->kind == MLI_VAL_SHAPE) {
        mli_onnx_val out = *x;
        double k = list->numbers[0] + (list->numbers[0] < 0 ? (double)x->n : 0);
        if (list->n_numbers != 1 || !(k >= 0 && k < (double)x->n))
            return mli_onnx_no(b, "of such a shape");
        out.dim[0] = x->dim[(int64_t)k];
        out.n = 1;
        return out;
    }
    mli_onnx_val v = x->kind == MLI_VAL_CODES ? *x : mli_onnx_rows(b, x);
    int64_t axis = mli_onnx_axis(&v, extract ? -1 : mli_onnx_number_of(b, "axis", 0));
    int gone = !extract && list->n_dims == 0 && list->n_numbers == 1;
    return choose(b, &v, axis, list->numbers, list->n_numbers, gone);
}

static mli_onnx_val gather_elements(mli_onnx_builder *b, const mli_onnx_val *x)
{
    const mli_onnx_val *which = mli_onnx_in(b, 1);
    if (!which) return mli_onnx_no(b, "lacks an input");
    mli_onnx_val v = mli_onnx_rows(b, x), at = mli_onnx_rows(b, which), out = at;
    if (b->status) return out;
    if (v.rank != 2 || v.dim[0] != -1 || at.rank != 2 || at.dim[0] != -1 ||
        mli_onnx_axis(&v, mli_onnx_number_of(b, "axis", 0)) != 1)
        return mli_onnx_no(b, "of such shapes");
    mli_step step = {.op = MLI_STEP_FETCH, .n = (int32_t)at.n};
    step.of[0] = mli_onnx_operand(b, &v);
    step.of[1] = mli_onnx_operand(b, &at);
    out.at = mli_onnx_emit(b, step);
    out.type = v.type;
    return out;
}

/* From begin to end of an axis of `size`, by a step. */
static mli_onnx_val cut(mli_onnx_builder *b, const mli_onnx_val *x, int64_t axis,
                        double begin, double end, double by)
{
    double size = axis < 0 || x->dim[axis] < 1 ? 0 : (double)x->dim[axis];
    int64_t n = 0;
    if (begin < 0) begin += size;
    if (end < 0) end += size;
    if (end > size) end = size;
    if (!(size >= 1 && by >= 1 && begin >= 0 && begin < end))
        return mli_onnx_no(b, "of such a range");
    double *which = mli_onnx_list_of(b, (int64_t)size);
    if (!which) return *x;
    for (double k = begin; k < end; k += by) which[n++] = k;
    return choose(b, x, axis, which, n, 0);
}

static mli_onnx_val slice(mli_onnx_builder *b, const mli_onnx_val *in)
{
    const mli_onnx_attribute *begin = mli_onnx_list(b, "starts", 1);
    const mli_onnx_attribute *end = mli_onnx_list(b, "ends", 2);
    const mli_onnx_attribute *axes = mli_onnx_list(b, "axes", 3);
    const mli_onnx_attribute *by = mli_onnx_list(b, "steps", 4);
    if (!begin || !end || end->n_numbers != begin->n_numbers ||
        (axes && axes->n_numbers != begin->n_numbers) ||
        (by && by->n_numbers != begin->n_numbers))
        return mli_onnx_no(b, "of such a range");
    mli_onnx_val x = mli_onnx_rows(b, in);
    for (int64_t k = 0; k < begin->n_numbers && !b->status; k++) {
        int64_t axis = mli_onnx_axis(&x, axes ? axes->numbers[k] : (double)k);
        x = cut(b, &x, axis, begin->numbers[k], end->numbers[k], by ? by->numbers[k] : 1);
    }
    return x;
}

static void split(mli_onnx_builder *b, const mli_onnx_val *in)
{
    const mli_onnx_attribute *sizes = mli_onnx_list(b, "split", 1);
    mli_onnx_val x = mli_onnx_rows(b, in);
    int64_t axis = mli_onnx_axis(&x, mli_onnx_number_of(b, "axis", 0));
    double at = 0, n = (double)b->node->n_outputs;
    for (int64_t k = 0; k < b->node->n_outputs && !b->status; k++) {
        double size = axis < 0 ? 0 : ceil((double)x.dim[axis] / n);
        if (sizes && k < sizes->n_numbers) size = sizes->numbers[k];
        mli_onnx_put(b, k, cut(b, &x, axis, at, at + size, 1));
        at += size;
    }
}

/* ---- constants ---- */

static mli_onnx_val constant(mli_onnx_builder *b)
{
    static const char *const names[] = {"value", "value_floats", "value_ints",
                                        "value_float", "value_int"};
    for (int i = 0; i < 5; i++) {
        const mli_onnx_attribute *a = mli_onnx_find(b->node, names[i]);
        if (!a) continue;
        mli_onnx_val out = mli_onnx_listed(a->n_numbers ? a : NULL, a->number);
        if (out.type == 0) out.type = i & 1 ? MLI_ONNX_FLOAT : MLI_ONNX_INT64;
        return out;
    }
    return mli_onnx_no(b, "of such a value");
}

/* One number in all places of a shape. */
static mli_onnx_val filled(mli_onnx_builder *b, const mli_onnx_val *shape)
{
    const mli_onnx_attribute *a = mli_onnx_find(b->node, "value");
    mli_onnx_val c = mli_onnx_constant(a && a->n_numbers ? a->numbers[0] : 0), out = c;
    out.type = c.type = a && a->type ? a->type : MLI_ONNX_FLOAT;
    if (shape->kind != MLI_VAL_SHAPE) return mli_onnx_no(b, "of such a shape");
    out.kind = MLI_VAL_ROWS;
    out.rank = (int32_t)shape->n;
    for (int64_t i = 0; i < shape->n; i++) {
        out.dim[i] = shape->dim[i];
        if (out.dim[i] < -1 || out.dim[i] == 0 ||
            out.dim[i] > MLI_STEP_COLUMNS_MAX / out.n)
            return mli_onnx_no(b, "of such a shape");
        if (out.dim[i] > 0) out.n *= out.dim[i];
    }
    if (mli_onnx_axis_of_rows(&out) < 0) {
        double *to = mli_onnx_list_of(b, out.n);
        for (int64_t j = 0; to && j < out.n; j++) to[j] = c.number;
        return mli_onnx_constants(b, to, out);
    }
    mli_step step = {.op = MLI_STEP_COPY, .n = (int32_t)out.n};
    step.of[0] = mli_onnx_operand(b, &c);
    step.of[0].spread = MLI_SPREAD_MOD;
    out.at = mli_onnx_emit(b, step);
    return out;
}

/* ---- which operator ---- */

/* A label is one, whatever it is chosen by. */
static mli_onnx_val moved(mli_onnx_builder *b, const mli_onnx_val *from)
{
    mli_onnx_val x = *from, out;
    if (x.kind == MLI_VAL_LABELS) x.n = 1;
    out = is(b, "Reshape")     ? reshape(b, &x)
          : is(b, "Flatten")   ? flatten(b, &x)
          : is(b, "Transpose") ? transpose(b, &x)
                               : squeeze(b, &x, is(b, "Unsqueeze"));
    if (x.kind == MLI_VAL_LABELS) out.n = from->n;
    return out;
}

static mli_onnx_val shape_of(const mli_onnx_val *x)
{
    mli_onnx_val out = *x;
    out.kind = MLI_VAL_SHAPE;
    out.type = MLI_ONNX_INT64;
    out.n = x->rank;
    return out;
}

int mli_onnx_operator_shape(mli_onnx_builder *b)
{
    mli_onnx_val *x = mli_onnx_in(b, 0), out;
    if (is(b, "Constant"))
        out = constant(b);
    else if (!x)
        return 0;
    else if (is(b, "Identity") || is(b, "Dropout"))
        out = *x;
    else if (is(b, "Transpose") && x->kind == MLI_VAL_NUMBERS && x->rank == 2)
        out = turn(b, x);
    else if (mli_in_list(b->node->op.at, "Reshape,Flatten,Squeeze,Unsqueeze,Transpose"))
        out = x->kind == MLI_VAL_ROWS || x->kind == MLI_VAL_LABELS ||
                      x->kind == MLI_VAL_CODES
                  ? moved(b, x)
              : x->n == 1 ? *x
                          : mli_onnx_no(b, "of constants");
    else if (is(b, "Concat") || is(b, "FeatureVectorizer"))
        out = join(b, is(b, "Concat") ? 0 : 1);
    else if (is(b, "Gather") || is(b, "ArrayFeatureExtractor"))
        out = gather(b, x);
    else if (is(b, "GatherElements"))
        out = gather_elements(b, x);
    else if (is(b, "Slice"))
        out = slice(b, x);
    else if (is(b, "Shape"))
        out = shape_of(x);
    else if (is(b, "ConstantOfShape"))
        out = filled(b, x);
    else if (is(b, "Split")) {
        split(b, x);
        return 1;
    } else
        return 0;
    mli_onnx_put(b, 0, out);
    return 1;
}
