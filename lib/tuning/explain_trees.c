/* SPDX-License-Identifier: MIT
 *
 * explain_trees.c: the nodes of an ensemble of trees as a table: tree, node, left and
 * right child, feature, threshold or the categories that go left, which way missing
 * values go, value, cover, gain. A leaf that is a linear function has it as a text; its
 * value is what rows get that lack one of the function's features.
 */
#include "algorithms/trees/ensemble.h"
#include "tuning/explain.h"

#include <math.h>

typedef struct nodes {
    const mli_explain *x;
    mli_ensemble e;
    int64_t first, n; /* nodes shown */
    int64_t *tree, *node, *left, *right;
    double *threshold, *value, *cover, *gain;
    const char **feature, **categories, **missing, **linear;
    size_t *text; /* [n] where the categories, the function or the name of a cross begin
                     in `texts`, plus one */
    mli_str texts;
} nodes;

static int make_room(nodes *t)
{
    ml_context *ctx = t->x->ctx;
    t->tree = mli_alloc_vec(ctx, 4 * t->n, sizeof *t->tree);
    t->threshold = mli_alloc_vec(ctx, 4 * t->n, sizeof *t->threshold);
    t->feature = mli_calloc(ctx, 4 * (size_t)t->n, sizeof *t->feature);
    t->text = mli_calloc(ctx, (size_t)t->n, sizeof *t->text);
    if (!t->tree || !t->threshold || !t->feature || !t->text) return 0;
    t->node = t->tree + t->n;
    t->left = t->node + t->n;
    t->right = t->left + t->n;
    t->value = t->threshold + t->n;
    t->cover = t->value + t->n;
    t->gain = t->cover + t->n;
    t->categories = t->feature + t->n;
    t->missing = t->categories + t->n;
    t->linear = t->missing + t->n;
    return 1;
}

/* The categories that go left, as "a, b"; codes where the input is a number. */
static void add_categories(nodes *t, int64_t at)
{
    const mli_ensemble *e = &t->e;
    int64_t feature = e->feature[at], count = 0;
    const mli_dictionary *d = &t->x->model->inputs->features[feature].levels;
    int64_t n = e->level_start[feature + 1] - e->level_start[feature];
    for (int64_t k = 0; k < n; k++) {
        if (!mli_ensemble_goes_left(e, at, (double)k)) continue;
        if (count++) mli_str_add(&t->texts, ", ");
        if (k < d->n)
            mli_str_add_n(&t->texts, d->bytes + d->offsets[k],
                          (size_t)(d->offsets[k + 1] - d->offsets[k]));
        else
            mli_str_i64(&t->texts, k);
    }
    mli_str_char(&t->texts, '\0');
}

/* The function of a leaf, as "1.5 + 2 * a - 0.25 * b". */
static void add_function(nodes *t, int64_t leaf)
{
    const mli_ensemble *e = &t->e;
    mli_str *s = &t->texts;
    mli_str_f64(s, e->linear_const[leaf]);
    for (int64_t i = e->linear_start[leaf]; i < e->linear_start[leaf + 1]; i++) {
        mli_str_add(s, e->linear_coef[i] < 0 ? " - " : " + ");
        mli_str_f64(s, fabs(e->linear_coef[i]));
        mli_str_add(s, " * ");
        mli_str_add(s, t->x->model->inputs->features[e->linear_feature[i]].name);
    }
    mli_str_char(s, '\0');
}

static void add_cross(nodes *t, int64_t column)
{
    mli_cross_name(&t->e.crosses, t->x->model->inputs, column, &t->texts);
    mli_str_char(&t->texts, '\0');
}

static int is_linear(const mli_ensemble *e, int64_t node)
{
    return e->linear_start && e->linear_start[node] < e->linear_start[node + 1];
}

static void fill(nodes *t, int64_t tree, int64_t i)
{
    const mli_ensemble *e = &t->e;
    int64_t at = i - t->first, inner = e->left[i] != 0;
    int category = inner && (e->flags[i] & MLI_NODE_CATEGORICAL);
    t->tree[at] = tree;
    t->node[at] = i - e->start[tree];
    t->left[at] = inner ? e->left[i] : -1;
    t->right[at] = inner ? e->left[i] + 1 : -1;
    t->threshold[at] = inner && !category ? e->threshold[i] : NAN;
    t->value[at] = e->value[i];
    t->cover[at] = e->cover[i];
    t->gain[at] = inner ? e->gain[i] : NAN;
    if (is_linear(e, i)) {
        t->text[at] = t->texts.size + 1;
        add_function(t, i);
    }
    if (!inner) return;
    if (e->feature[i] < e->crosses.n_inputs) {
        t->feature[at] = t->x->model->inputs->features[e->feature[i]].name;
    } else {
        t->text[at] = t->texts.size + 1;
        add_cross(t, e->feature[i] - e->crosses.n_inputs);
    }
    t->missing[at] = mli_ensemble_goes_left(e, i, NAN) ? "left" : "right";
    if (!category) return;
    t->text[at] = t->texts.size + 1;
    add_categories(t, i);
}

static ml_status write(const nodes *t, ml_table **out, ml_error *err)
{
    mli_builder *b = NULL;
    ml_status s = mli_builder_new(t->x->ctx, t->n, &b, err);
    if (s == ML_OK) s = mli_builder_i64(b, "tree", t->tree, err);
    if (s == ML_OK) s = mli_builder_i64(b, "node", t->node, err);
    if (s == ML_OK) s = mli_builder_i64(b, "left", t->left, err);
    if (s == ML_OK) s = mli_builder_i64(b, "right", t->right, err);
    if (s == ML_OK) s = mli_builder_text(b, "feature", t->feature, err);
    if (s == ML_OK) s = mli_builder_f64(b, "threshold", t->threshold, err);
    if (s == ML_OK) s = mli_builder_text(b, "categories", t->categories, err);
    if (s == ML_OK) s = mli_builder_text(b, "missing", t->missing, err);
    if (s == ML_OK) s = mli_builder_f64(b, "value", t->value, err);
    if (s == ML_OK && t->e.linear_start)
        s = mli_builder_text(b, "linear", t->linear, err);
    if (s == ML_OK) s = mli_builder_f64(b, "cover", t->cover, err);
    if (s == ML_OK) s = mli_builder_f64(b, "gain", t->gain, err);
    if (s == ML_OK) return mli_builder_finish(b, out, err);
    mli_builder_free(b);
    return s;
}

static ml_status show(nodes *t, ml_table **out, ml_error *err)
{
    const mli_ensemble *e = &t->e;
    int64_t tree = mli_get_i64(t->x->params, "tree"), last = e->n_trees - 1;
    if (tree > last) {
        mli_fail(err, ML_E_RANGE, "the model has %lld trees", (long long)e->n_trees);
        return mli_error_at(err, ML_E_RANGE, "params.tree");
    }
    int64_t begin = tree < 0 ? 0 : tree, end = tree < 0 ? e->n_trees : tree + 1;
    t->first = e->start[begin];
    t->n = e->start[end] - t->first;
    if (!make_room(t)) return mli_nomem(err);
    for (tree = begin; tree < end; tree++)
        for (int64_t i = e->start[tree]; i < e->start[tree + 1]; i++) fill(t, tree, i);
    if (t->texts.failed) return mli_nomem(err);
    for (int64_t i = 0; i < t->n; i++) {
        int cross =
            e->left[t->first + i] && e->feature[t->first + i] >= e->crosses.n_inputs;
        if (t->text[i])
            (cross                        ? t->feature
             : is_linear(e, t->first + i) ? t->linear
                                          : t->categories)[i] =
                t->texts.data + t->text[i] - 1;
    }
    return write(t, out, err);
}

ml_status mli_explain_trees(const mli_explain *x, ml_table **out, ml_error *err)
{
    nodes t = {.x = x};
    if (!mli_model_find(x->model, "tree_start"))
        return mli_fail(err, ML_E_UNSUPPORTED, "a model of %s has no trees",
                        ml_model_algorithm(x->model));
    mli_str_init(&t.texts, x->ctx);
    ml_status s = mli_model_check(x->model, err);
    if (s == ML_OK) s = mli_ensemble_read_crossed(x->model, &t.e, err);
    if (s == ML_OK) s = show(&t, out, err);
    mli_free(x->ctx, t.tree);
    mli_free(x->ctx, t.threshold);
    mli_free(x->ctx, t.feature);
    mli_free(x->ctx, t.text);
    mli_str_free(&t.texts);
    return s;
}
