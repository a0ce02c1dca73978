/* SPDX-License-Identifier: MIT
 *
 * trees/forest_write.c: the tensors of a forest, written batch by batch as its trees are
 * grown, so that those need no memory beside them for long.
 *
 * Nodes of trees to come are guessed from those that are there: the memory has room for
 * 1/16 more, which is never touched. Where that is too little, it is copied once more.
 * Where there is not as much, as the fit may end long before the last tree, room grows
 * twofold.
 */
#include "algorithms/trees/forest.h"
#include "core/parallel.h"
#include "tensor/tensor.h"
#include <string.h>

enum { FEATURE, LEFT, THRESHOLD, FLAGS, VALUE, COVER, GAIN, SET };
_Static_assert(SET + 1 == MLI_FOREST_COLUMNS, "a tensor each");

static const struct {
    const char *name;
    int32_t dtype;
} columns[] = {{"node_feature", ML_DTYPE_I32},   {"node_left", ML_DTYPE_I32},
               {"node_threshold", ML_DTYPE_F64}, {"node_flags", ML_DTYPE_U8},
               {"node_value", ML_DTYPE_F64},     {"node_cover", ML_DTYPE_F64},
               {"node_gain", ML_DTYPE_F64},      {"node_set", ML_DTYPE_I32}};

ml_status mli_forest_writer_new(mli_forest_writer *w, const mli_forest_codes *codes,
                                const mli_forest_tree *tree, int64_t n_trees, int rows)
{
    w->codes = codes;
    w->tree = tree;
    w->n_trees = n_trees;
    w->rows = rows;
    for (int64_t j = 0; j < codes->n_features; j++)
        w->sets |= codes->feature[j].kind == MLI_CATEGORICAL;
    w->first = mli_calloc(codes->ctx, 3 * (size_t)(n_trees + 1), sizeof *w->first);
    if (!w->first) return ML_E_MEMORY;
    w->leaf = w->first + n_trees + 1;
    w->set = w->leaf + n_trees + 1;
    return ML_OK;
}

void mli_forest_writer_free(mli_forest_writer *w)
{
    if (w->codes) mli_free(w->codes->ctx, w->first);
    for (int k = 0; k < MLI_FOREST_COLUMNS; k++) mli_buffer_free(w->buffer[k]);
    memset(w, 0, sizeof *w);
}

/* Room for n nodes. */
static int make_room(mli_forest_writer *w, int64_t n)
{
    for (int k = 0; k < MLI_FOREST_COLUMNS; k++) {
        size_t size = mli_dtype_size(columns[k].dtype);
        void *data;
        if (k == SET && !w->sets) continue;
        mli_buffer *b = mli_buffer_room(w->codes->ctx, (size_t)n * size, &data);
        if (!b) return 0;
        if (w->buffer[k]) memcpy(data, w->data[k], (size_t)w->first[w->done] * size);
        mli_buffer_free(w->buffer[k]);
        w->buffer[k] = b;
        w->data[k] = data;
    }
    w->capacity = n;
    return 1;
}

static void write_node(const mli_forest_writer *w, const mli_forest_tree *t, int64_t tree,
                       int64_t i)
{
    const mli_forest_node *node = &t->node[i];
    int64_t at = w->first[tree] + i, k = t->n_values;
    double value = 0;
    ((int32_t *)w->data[FEATURE])[at] = node->feature;
    ((int32_t *)w->data[LEFT])[at] = node->left;
    ((double *)w->data[THRESHOLD])[at] = node->threshold;
    ((double *)w->data[COVER])[at] = node->weight;
    ((double *)w->data[GAIN])[at] = node->gain;
    ((uint8_t *)w->data[FLAGS])[at] =
        (uint8_t)((node->missing_left ? MLI_NODE_MISSING_LEFT : 0) |
                  (node->categorical ? MLI_NODE_CATEGORICAL : 0));
    if (w->sets)
        ((int32_t *)w->data[SET])[at] =
            node->categorical ? (int32_t)w->set[tree] + node->at : -1;
    if (!node->left)
        value = w->rows ? (double)(w->leaf[tree] + node->at)
                        : t->value[node->at * k + k - 1] / (double)w->n_trees;
    ((double *)w->data[VALUE])[at] = value;
}

static void write_tree(void *arg, int64_t task, int32_t slot)
{
    const mli_forest_writer *w = arg;
    int64_t tree = w->done + task;
    (void)slot;
    for (int64_t i = 0; i < w->tree[tree].n_nodes; i++)
        write_node(w, &w->tree[tree], tree, i);
}

int mli_forest_write(mli_forest_writer *w, int64_t n)
{
    int64_t end = w->done + n;
    for (int64_t t = w->done; t < end; t++) {
        w->first[t + 1] = w->first[t] + w->tree[t].n_nodes;
        w->leaf[t + 1] = w->leaf[t] + w->tree[t].n_rows;
        w->set[t + 1] = w->set[t] + w->tree[t].n_sets;
    }
    if (w->first[end] > w->capacity) {
        double share = (double)w->n_trees / (double)end;
        int64_t need = w->first[end];
        if (share > 1) share *= 1.0625;
        if (!make_room(w, (int64_t)((double)need * share) + 1) &&
            !make_room(w, 2 * need) && !make_room(w, need))
            return 0;
    }
    mli_parallel(w->codes->ctx, n, write_tree, w);
    w->done = end;
    return 1;
}

/* The tables from categories to bins. */
static ml_status write_levels(const mli_forest_codes *c, ml_model *m, ml_error *err)
{
    int64_t n = c->n_features, starts = n + 1, total = 0, *start;
    uint8_t *bin, *other;
    for (int64_t j = 0; j < n; j++) total += c->feature[j].n_levels;
    ml_status s = mli_model_add(m, "level_start", ML_DTYPE_I64, 1, &starts, &start, err);
    if (s == ML_OK) s = mli_model_add(m, "level_bin", ML_DTYPE_U8, 1, &total, &bin, err);
    if (s == ML_OK) s = mli_model_add(m, "level_other", ML_DTYPE_U8, 1, &n, &other, err);
    for (int64_t j = 0; s == ML_OK && j < n; j++) {
        const mli_forest_feature *from = &c->feature[j];
        start[j + 1] = start[j] + from->n_levels;
        if (from->n_levels)
            memcpy(bin + start[j], from->level_bin, (size_t)from->n_levels);
        other[j] = from->kind == MLI_CATEGORICAL ? (uint8_t)from->n_codes : 0;
    }
    return s;
}

static ml_status add_nodes(const mli_forest_writer *w, ml_model *m, ml_error *err)
{
    int64_t n = w->first[w->done];
    ml_status s = ML_OK;
    for (int k = 0; s == ML_OK && k < MLI_FOREST_COLUMNS; k++) {
        ml_tensor *t = NULL;
        if (k == SET && w->set[w->done] == 0) continue;
        s = mli_tensor_view(m->ctx, columns[k].dtype, 1, &n, w->buffer[k], w->data[k], &t,
                            err);
        if (s == ML_OK) s = mli_model_add_tensor(m, columns[k].name, t, err);
        ml_tensor_free(t);
    }
    return s;
}

/* Sets and rows of values. */
static ml_status add_others(const mli_forest_writer *w, ml_model *m, ml_error *err)
{
    int64_t n = w->done, one = 1, sets[2] = {w->set[n], 8};
    int64_t width = w->tree[0].n_values, leaves[2] = {w->leaf[n], width};
    uint32_t *set = NULL;
    double *row = NULL;
    uint8_t *link;
    ml_status s = ML_OK;
    if (sets[0] > 0) s = mli_model_add(m, "sets", ML_DTYPE_U32, 2, sets, &set, err);
    if (s == ML_OK && sets[0] > 0) s = write_levels(w->codes, m, err);
    if (s == ML_OK && w->rows)
        s = mli_model_add(m, m->inputs->n_targets ? "leaf_values" : "leaf_proba",
                          ML_DTYPE_F64, 2, leaves, &row, err);
    if (s == ML_OK && !w->rows) {
        s = mli_model_add(m, "link", ML_DTYPE_U8, 1, &one, &link, err);
        if (s == ML_OK) *link = MLI_LINK_IDENTITY;
    }
    for (int64_t i = 0; s == ML_OK && i < n; i++) {
        const mli_forest_tree *t = &w->tree[i];
        if (set) memcpy(set + 8 * w->set[i], t->set, (size_t)t->n_sets * sizeof *t->set);
        if (row)
            memcpy(row + w->leaf[i] * width, t->value,
                   (size_t)(t->n_rows * width) * sizeof *t->value);
    }
    return s;
}

ml_status mli_forest_write_end(mli_forest_writer *w, ml_model *m, ml_error *err)
{
    int64_t starts = w->done + 1, *start;
    double *value = w->data[VALUE];
    /* Time was over before all trees were grown. */
    for (int64_t i = 0; !w->rows && w->done < w->n_trees && i < w->first[w->done]; i++)
        value[i] *= (double)w->n_trees / (double)w->done;
    ml_status s = add_nodes(w, m, err);
    if (s == ML_OK)
        s = mli_model_add(m, "tree_start", ML_DTYPE_I64, 1, &starts, &start, err);
    if (s == ML_OK) memcpy(start, w->first, (size_t)starts * sizeof *start);
    return s == ML_OK ? add_others(w, m, err) : s;
}
