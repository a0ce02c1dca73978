/* SPDX-License-Identifier: MIT
 *
 * import_onnx_columns.c: what the columns that a model of an ONNX graph looks at are made
 * of: a column of an input of the graph and operators that calculate with it alone. Each
 * column is followed upwards from the model, through operators that leave values alone
 * (Cast, Identity), put columns side by side (Concat), choose some
 * (ArrayFeatureExtractor, Gather) or calculate (Imputer, Scaler, Mul, Div, Add, Sub with
 * a constant), as pipelines and column transformers have them.
 */
#include "serialization/import_onnx.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX   200
#define COLUMNS_MAX (1 << 20) /* that are followed */
#define WIDTH_MAX   16777216

static ml_status refuse(const mli_onnx *g, const mli_onnx_node *node, const char *what)
{
    return mli_fail(g->err, ML_E_UNSUPPORTED, "the operator %s %s cannot be imported",
                    node->op.at, what);
}

static ml_status not_before(const mli_onnx *g, const mli_onnx_node *node)
{
    return mli_fail(
        g->err, ML_E_UNSUPPORTED,
        "the graph has the operator %s before the model, which cannot be imported",
        node->op.at);
}

/* ---- names ---- */

static ml_status add_name(const mli_onnx *g, mli_onnx_columns *c, mli_onnx_text name,
                          int64_t place)
{
    int64_t before = c->names.count;
    int32_t at = mli_map_add(&c->names, name.at, name.size);
    if (at < 0) return mli_nomem(g->err);
    if (at == before) c->place[at] = place; /* else the first counts */
    return ML_OK;
}

static ml_status add_names(ml_context *ctx, const mli_onnx *g, mli_onnx_columns *c)
{
    int64_t n = g->n_inputs;
    for (int64_t i = 0; i < g->n_nodes; i++) n += g->nodes[i].n_outputs;
    mli_map_init(&c->names, ctx);
    c->place = mli_alloc_vec(ctx, n + 1, sizeof *c->place);
    ml_status s = c->place ? ML_OK : mli_nomem(g->err);
    for (int64_t i = 0; i < g->n_inputs && !s; i++)
        s = add_name(g, c, g->inputs[i].name, i);
    for (int64_t i = 0; i < g->n_nodes && !s; i++)
        for (int64_t k = 0; k < g->nodes[i].n_outputs && !s; k++)
            s = add_name(g, c, g->nodes[i].outputs[k], g->n_inputs + i);
    return s;
}

/* ---- what the model depends on ---- */

static int is_one_of(const mli_onnx_node *n, const char *list)
{
    return mli_in_list(n->op.at, list);
}

static int leaves_alone(const mli_onnx_node *n)
{
    return is_one_of(n, "Cast,Identity") && n->n_inputs == 1;
}

static int chooses(const mli_onnx_node *n)
{
    return is_one_of(n, "ArrayFeatureExtractor,Gather") && n->n_inputs == 2;
}

static int calculates(const mli_onnx_node *n)
{
    return is_one_of(n, "Imputer,Scaler") || is_one_of(n, "Mul,Div,Add,Sub");
}

/* Are columns put side by side, not rows one below another? */
static int is_of_columns(const mli_onnx_node *n, double dflt)
{
    const mli_onnx_attribute *a = mli_onnx_find(n, "axis");
    double axis = a ? a->number : dflt;
    return axis == 1 || axis == -1;
}

/* The constants of a node. */
static ml_status find_constants(const mli_onnx *g, const mli_onnx_node *n,
                                mli_onnx_before *to)
{
    if (mli_onnx_is(n->op, "Imputer")) {
        const mli_onnx_attribute *what = mli_onnx_find(n, "replaced_value_float");
        to->a = mli_onnx_find(n, "imputed_value_floats");
        if (!to->a || to->a->n_numbers == 0)
            return refuse(g, n, "of other values than floats");
        if (what && !isnan(what->number))
            return refuse(g, n, "of another value than NaN");
    } else if (mli_onnx_is(n->op, "Scaler")) {
        to->a = mli_onnx_find(n, "offset");
        to->b = mli_onnx_find(n, "scale");
    } else if (chooses(n)) {
        to->a = mli_onnx_value(g, n->inputs[1].at);
        if (mli_onnx_is(n->op, "Gather") && !is_of_columns(n, 0))
            return refuse(g, n, "of rows");
        if (!to->a || to->a->n_numbers == 0) return not_before(g, n);
    } else {
        if (n->n_inputs != 2) return not_before(g, n);
        to->swap = mli_onnx_value(g, n->inputs[0].at) != NULL;
        to->a = mli_onnx_value(g, n->inputs[!to->swap].at);
        int turns = n->op.at[0] == 'D' || n->op.at[0] == 'S';
        if (!to->a || to->a->n_numbers == 0 || (to->swap && turns))
            return not_before(g, n);
    }
    return ML_OK;
}

static int64_t width_of(const mli_onnx *g, const mli_onnx_columns *c, int64_t place)
{
    int64_t width = place < g->n_inputs ? g->inputs[place].columns
                                        : c->node[place - g->n_inputs].width;
    return width < 1 ? -1 : width;
}

static ml_status mark(mli_onnx *g, mli_onnx_text name, int depth, mli_onnx_columns *c,
                      int64_t *place);

static ml_status mark_parts(mli_onnx *g, const mli_onnx_node *n, int depth,
                            mli_onnx_columns *c, mli_onnx_before *to)
{
    size_t bytes = ((size_t)n->n_inputs + 1) * sizeof(int64_t);
    ml_status s = ML_OK;
    to->start = mli_doc_alloc(&g->arena, bytes);
    to->from = mli_doc_alloc(&g->arena, bytes);
    if (!to->start || !to->from) return mli_nomem(g->err);
    if (!is_of_columns(n, 1)) return refuse(g, n, "of rows");
    to->start[0] = 0;
    for (int64_t i = 0; i < n->n_inputs && !s; i++) {
        s = mark(g, n->inputs[i], depth + 1, c, &to->from[i]);
        if (s) break;
        int64_t width = width_of(g, c, to->from[i]);
        if (width < 0) return refuse(g, n, "of columns whose number is not known");
        to->start[i + 1] = to->start[i] + width;
        if (to->start[i + 1] > WIDTH_MAX) return refuse(g, n, "of so many columns");
    }
    to->width = to->start[n->n_inputs];
    return s;
}

/* Marks what makes a value, whose place it gives. */
static ml_status mark(mli_onnx *g, mli_onnx_text name, int depth, mli_onnx_columns *c,
                      int64_t *place)
{
    int32_t at = mli_map_find(&c->names, name.at, name.size);
    if (at < 0)
        return mli_fail(g->err, ML_E_FORMAT, "nothing in the graph makes \"%s\"",
                        name.at);
    *place = c->place[at];
    if (*place < g->n_inputs) {
        c->first[*place] = 0;
        return ML_OK;
    }
    const mli_onnx_node *n = &g->nodes[*place - g->n_inputs];
    mli_onnx_before *to = &c->node[*place - g->n_inputs];
    if (depth > DEPTH_MAX)
        return mli_fail(g->err, ML_E_FORMAT, "the graph goes round in circles");
    if (to->used) return ML_OK;
    to->used = 1;
    to->width = -1;
    to->from = &to->one;
    int concat = mli_onnx_is(n->op, "Concat");
    if (n->n_inputs < 1 || !(concat || leaves_alone(n) || chooses(n) || calculates(n)))
        return not_before(g, n);
    if (concat) {
        c->plain = 0;
        return mark_parts(g, n, depth, c, to);
    }
    if (!leaves_alone(n)) {
        c->plain = 0;
        ml_status s = find_constants(g, n, to);
        if (s) return s;
    }
    ml_status s = mark(g, n->inputs[to->swap], depth + 1, c, &to->one);
    if (!s) to->width = chooses(n) ? to->a->n_numbers : width_of(g, c, to->one);
    return s;
}

/* ---- one column ---- */

static ml_status take(const mli_onnx *g, const mli_onnx_node *n,
                      const mli_onnx_attribute *a, int64_t j, double dflt, double *out)
{
    int64_t count = a ? a->n_numbers : 0;
    *out = dflt;
    if (count > 1 && j >= count)
        return mli_fail(g->err, ML_E_FORMAT,
                        "the numbers of the operator %s do not fit column %lld", n->op.at,
                        (long long)j);
    if (count) *out = a->numbers[count == 1 ? 0 : j];
    if (isfinite(*out)) return ML_OK;
    return mli_fail(g->err, ML_E_FORMAT, "a number of the operator %s is not finite",
                    n->op.at);
}

static ml_status add_step(const mli_onnx *g, const mli_onnx_node *n,
                          const mli_onnx_before *of, int64_t j, mli_onnx_column *column)
{
    if (column->n == MLI_ONNX_STEPS) return refuse(g, n, "behind so many others");
    mli_onnx_step *step = &column->step[column->n++];
    *step = (mli_onnx_step){.node = n};
    step->op = mli_onnx_is(n->op, "Imputer")  ? 'i'
               : mli_onnx_is(n->op, "Scaler") ? 's'
               : n->op.at[0] == 'M'           ? '*'
               : n->op.at[0] == 'D'           ? '/'
               : n->op.at[0] == 'A'           ? '+'
                                              : '-';
    ml_status s = take(g, n, of->a, j, 0, &step->a);
    if (!s) s = take(g, n, of->b, j, 1, &step->b);
    if (s) return s;
    double factor = step->op == 's'                      ? step->b
                    : step->op == '*' || step->op == '/' ? step->a
                                                         : 1;
    return factor > 0 ? ML_OK : refuse(g, n, "with a factor that is not above 0");
}

/* Which of the inputs of a Concat has column *j, and as which. */
static int64_t find_part(const mli_onnx_node *n, const mli_onnx_before *of, int64_t *j)
{
    int64_t low = 0, high = n->n_inputs;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (of->start[middle] <= *j)
            low = middle;
        else
            high = middle;
    }
    *j -= of->start[low];
    return of->from[low];
}

static ml_status follow(const mli_onnx *g, const mli_onnx_columns *c, int64_t place,
                        int64_t j, mli_onnx_column *column)
{
    for (int depth = 0; depth <= DEPTH_MAX; depth++) {
        int64_t width = width_of(g, c, place);
        if (width >= 0 && j >= width)
            return mli_fail(g->err, ML_E_FORMAT, "the model uses column %lld of %lld",
                            (long long)j + 1, (long long)width);
        if (place < g->n_inputs) {
            column->input = c->first[place] + j;
            return ML_OK;
        }
        const mli_onnx_node *n = &g->nodes[place - g->n_inputs];
        const mli_onnx_before *of = &c->node[place - g->n_inputs];
        ml_status s = ML_OK;
        if (of->start) {
            place = find_part(n, of, &j);
            continue;
        }
        if (chooses(n)) {
            double which = of->a->numbers[j];
            if (!(which >= 0 && which < WIDTH_MAX))
                return mli_fail(g->err, ML_E_FORMAT,
                                "%s chooses a column that is not there", n->op.at);
            j = (int64_t)which;
        } else if (calculates(n)) {
            s = add_step(g, n, of, j, column);
        }
        if (s) return s;
        place = of->one;
    }
    return mli_fail(g->err, ML_E_FORMAT, "the graph goes round in circles");
}

/* ---- features ---- */

/* Places of the inputs among the features; one of an unknown width must be alone. */
static ml_status count_features(const mli_onnx *g, mli_onnx_columns *c, int64_t least)
{
    int64_t inputs = 0;
    c->n_features = 0;
    for (int64_t i = 0; i < g->n_inputs; i++) inputs += c->first[i] >= 0;
    for (int64_t i = 0; i < g->n_inputs; i++) {
        int64_t width = g->inputs[i].columns;
        if (c->first[i] < 0) continue;
        if (width < 1 && (inputs > 1 || !c->plain))
            return mli_fail(g->err, ML_E_UNSUPPORTED,
                            "the input \"%s\" does not say how many columns it has",
                            g->inputs[i].name.at);
        c->first[i] = c->n_features;
        c->n_features += width < 1 ? least : width;
        if (c->n_features > WIDTH_MAX)
            return mli_fail(g->err, ML_E_UNSUPPORTED, "the graph has too many inputs");
    }
    return ML_OK;
}

ml_status mli_onnx_columns_read(ml_context *ctx, mli_onnx *g, const char *name,
                                int64_t least, mli_onnx_columns *out)
{
    int64_t place;
    *out = (mli_onnx_columns){.plain = 1, .n = least};
    out->node = mli_calloc(ctx, (size_t)g->n_nodes + 1, sizeof *out->node);
    out->first = mli_alloc_vec(ctx, g->n_inputs + 1, sizeof *out->first);
    if (!out->node || !out->first) return mli_nomem(g->err);
    for (int64_t i = 0; i < g->n_inputs; i++) out->first[i] = -1;
    ml_status s = add_names(ctx, g, out);
    if (!s) s = mark(g, (mli_onnx_text){name, strlen(name)}, 0, out, &place);
    if (!s) s = count_features(g, out, least);
    if (s) return s;
    if (out->plain) {
        if (out->n_features >= least) return ML_OK;
        return mli_fail(g->err, ML_E_FORMAT, "the model uses feature %lld of %lld",
                        (long long)least, (long long)out->n_features);
    }
    if (least > COLUMNS_MAX)
        return mli_fail(g->err, ML_E_UNSUPPORTED, "operators before so many columns");
    out->at = mli_calloc(ctx, (size_t)least, sizeof *out->at);
    if (!out->at) return mli_nomem(g->err);
    for (int64_t j = 0; j < least && !s; j++) s = follow(g, out, place, j, &out->at[j]);
    return s;
}

void mli_onnx_columns_free(ml_context *ctx, mli_onnx_columns *c)
{
    mli_free(ctx, c->node);
    mli_free(ctx, c->place);
    if (c->names.ctx) mli_map_free(&c->names);
    mli_free(ctx, c->first);
    mli_free(ctx, c->at);
}

/* Inputs of one column give their names to the features; wider ones, where there are
 * several, number theirs. */
ml_status mli_onnx_columns_name(mli_import *im, const mli_onnx *g,
                                const mli_onnx_columns *c)
{
    char name[300];
    int64_t inputs = 0;
    ml_status s = ML_OK;
    for (int64_t i = 0; i < g->n_inputs; i++) inputs += c->first[i] >= 0;
    for (int64_t i = 0; i < g->n_inputs && !s; i++) {
        const mli_onnx_input *in = &g->inputs[i];
        if (c->first[i] < 0) continue;
        if (in->columns == 1 && (inputs > 1 || !c->plain))
            s = mli_import_name(im, c->first[i], in->name.at, in->name.size);
        for (int64_t k = 0; k < in->columns && inputs > 1 && in->columns > 1 && !s; k++) {
            snprintf(name, sizeof name, "%.250s_%lld", in->name.at, (long long)k);
            s = mli_import_name(im, c->first[i] + k, name, strlen(name));
        }
    }
    return s;
}
