/* SPDX-License-Identifier: MIT
 *
 * trees/forest_keep.c: grown trees: nodes breadth first, with a row of values for each
 * leaf.
 */
#include "algorithms/trees/forest.h"
#include "core/rng.h"
#include <math.h>
#include <string.h>

#define AHEAD 16  /* nodes that are fetched early */
#define SEEN  256 /* rows of leaves that are looked at for the same */

/* ---- keeping ---- */

static double threshold_of(const mli_forest_feature *f, const mli_forest_growing *node)
{
    if (node->categorical) return 0;
    if (!isnan(node->threshold)) return node->threshold;
    if (node->next == MLI_CODE_MISSING) return INFINITY;
    return mli_forest_between(f->value[node->last],
                              f->value[f->exact ? node->next : node->next - 1]);
}

/* The largest code that a threshold sends left, for rows that were not in the node. */
static uint16_t last_left(const mli_forest_feature *f, const mli_forest_growing *node,
                          double threshold)
{
    uint32_t a = node->last, b = node->next;
    if (!f->value || b == MLI_CODE_MISSING) return node->last;
    while (b - a > 1) {
        uint32_t middle = (a + b) / 2;
        if (f->value[middle] <= threshold)
            a = middle;
        else
            b = middle;
    }
    return (uint16_t)a;
}

/* The row of the values v of a leaf: one of the last ones that are the same, or a new
 * one. Leaves of one class are all the same. */
static int32_t row_of(mli_forest_tree *t, const double *v, int32_t *seen)
{
    size_t k = (size_t)t->n_values;
    uint64_t hash = 0;
    for (size_t i = 0; i < k; i++) {
        uint64_t bits;
        memcpy(&bits, &v[i], sizeof bits);
        hash = mli_mix64(hash ^ bits);
    }
    int32_t *at = &seen[hash % SEEN];
    if (k > 1 && *at >= 0 && memcmp(t->value + *at * k, v, k * sizeof *v) == 0)
        return *at;
    memcpy(t->value + (size_t)t->n_rows * k, v, k * sizeof *v);
    return *at = (int32_t)t->n_rows++;
}

/* Nodes lie as they grew, and are read breadth first: a cache miss each, and thresholds
 * one more. order: nodes to come, n of them. (A function that only fetches is dropped by
 * the compiler unless it is always inlined.) */
static inline __attribute__((always_inline)) void
fetch_ahead(const mli_forest_codes *codes, const mli_forest_growing *node,
            const int32_t *order, int64_t n)
{
    if (n > AHEAD) __builtin_prefetch(&node[order[AHEAD]]);
    if (n <= AHEAD / 2) return;
    const mli_forest_growing *near = &node[order[AHEAD / 2]];
    const double *value = codes->feature[near->feature].value;
    if (!near->left || !value) return;
    __builtin_prefetch(&value[near->last]);
    __builtin_prefetch(&value[near->next]);
}

static void keep_node(mli_forest_tree *t, const mli_forest_codes *codes,
                      const mli_forest_growing *from, const uint32_t (*set)[8],
                      mli_forest_node *to)
{
    const mli_forest_feature *f = &codes->feature[from->feature];
    to->feature = from->feature;
    to->missing_left = from->missing_left;
    to->categorical = from->categorical;
    to->gain = from->gain;
    to->threshold = threshold_of(f, from);
    to->last = t->finds_rows ? last_left(f, from, to->threshold) : from->last;
    if (!to->categorical) return;
    memcpy(t->set[t->n_sets], set[from->set], sizeof *t->set);
    to->at = (int32_t)t->n_sets++;
}

/* order: [n] scratch */
static void keep_nodes(mli_forest_tree *t, const mli_forest_codes *codes,
                       const mli_forest_growing *node, int32_t *order,
                       const double *value, const uint32_t (*set)[8])
{
    int32_t seen[SEEN];
    memset(seen, -1, sizeof seen);
    t->n_rows = t->n_sets = 0;
    t->n_nodes = 1;
    order[0] = 0;
    for (int64_t i = 0; i < t->n_nodes; i++) {
        const mli_forest_growing *from = &node[order[i]];
        mli_forest_node *to = &t->node[i];
        fetch_ahead(codes, node, order + i, t->n_nodes - i);
        *to = (mli_forest_node){.feature = -1, .weight = from->weight};
        if (!from->left) {
            to->at = row_of(t, value + order[i] * t->n_values, seen);
            continue;
        }
        to->left = (int32_t)t->n_nodes;
        order[t->n_nodes++] = from->left;
        order[t->n_nodes++] = from->left + 1;
        keep_node(t, codes, from, set, to);
    }
}

int mli_forest_keep(mli_forest_tree *t, const mli_forest_codes *codes,
                    const mli_forest_growing *node, int64_t n, const double *value,
                    const uint32_t (*set)[8], int64_t n_sets)
{
    int64_t rows = n / 2 + 1; /* at most */
    int32_t *order = mli_alloc_vec(t->ctx, n, sizeof *order);
    t->node = mli_alloc_vec(t->ctx, n, sizeof *t->node);
    t->value = mli_alloc_vec(t->ctx, rows * t->n_values, sizeof *t->value);
    t->set = mli_alloc_vec(t->ctx, n_sets + 1, sizeof *t->set);
    int ok = order && t->node && t->value && t->set;
    if (ok) keep_nodes(t, codes, node, order, value, set);
    size_t used = (size_t)(t->n_rows * t->n_values) * sizeof *t->value;
    double *shorter = ok && t->n_rows < rows ? mli_realloc(t->ctx, t->value, used) : NULL;
    if (shorter) t->value = shorter;
    mli_free(t->ctx, order);
    return ok;
}

void mli_forest_tree_free(mli_forest_tree *t)
{
    if (!t->ctx) return;
    mli_free(t->ctx, t->node);
    mli_free(t->ctx, t->value);
    mli_free(t->ctx, t->set);
    mli_free(t->ctx, t->inbag);
    mli_free(t->ctx, t->sample);
    memset(t, 0, sizeof *t);
}

int64_t mli_forest_leaf(const mli_forest_tree *t, const mli_forest_codes *codes,
                        int64_t row)
{
    int64_t i = 0;
    while (t->node[i].left) {
        const mli_forest_node *node = &t->node[i];
        const mli_forest_feature *f = &codes->feature[node->feature];
        int64_t at = node->feature * codes->rows + row;
        if (codes->place && !node->categorical) {
            float x = codes->place[at];
            i = node->left + !(isinf(x) ? node->missing_left
                                        : x <= mli_forest_place(f, node->threshold));
            continue;
        }
        uint32_t code = codes->place ? (uint32_t)codes->place[at] : codes->code[at];
        int goes_left = node->categorical ? t->set[node->at][code >> 5] >> (code & 31) & 1
                        : code == MLI_CODE_MISSING ? node->missing_left
                                                   : code <= node->last;
        i = node->left + !goes_left;
    }
    return i;
}
