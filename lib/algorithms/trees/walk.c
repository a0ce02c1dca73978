/* SPDX-License-Identifier: MIT
 *
 * trees/walk.c: a tree in terms of bins.
 */
#include "algorithms/trees/walk.h"

/* The bin whose upper end is the threshold. */
static uint8_t bin_of(const mli_bin_feature *f, double threshold)
{
    int32_t b = 0;
    while (b < f->cuts.n && f->cuts.cut[b] < threshold) b++;
    return (uint8_t)b;
}

/* A cut of a bundled feature as a set of bins of its column. */
static const uint32_t *set_of(const mli_bin_feature *f, int32_t bin, uint32_t *bits)
{
    for (int32_t i = 0; i < 256; i++)
        if (mli_bin_member(f, i) <= bin) bits[i >> 5] |= UINT32_C(1) << (i & 31);
    return bits;
}

static void fill(mli_walk *w, const mli_binner *b, const mli_ensemble_builder *trees,
                 const mli_ensemble_node *from, int64_t n)
{
    int32_t leaves = 0;
    for (int64_t i = 0; i < n; i++) {
        mli_walk_node *to = &w->node[i];
        to->left = from[i].left;
        if (from[i].set >= 0) to->set = trees->sets[from[i].set];
        if (from[i].left == 0) {
            w->value[leaves] = from[i].value;
            to->column = leaves++;
            continue;
        }
        const mli_bin_feature *f = &b->features[from[i].feature];
        to->column = f->column;
        to->missing = (uint8_t)f->n_bins;
        to->missing_left = from[i].flags & MLI_NODE_MISSING_LEFT;
        if (to->set) continue;
        to->bin = bin_of(f, from[i].threshold);
        if (f->bundled) to->set = set_of(f, to->bin, w->own[i]);
    }
}

ml_status mli_walk_make(mli_walk *w, ml_context *ctx, const mli_binner *binner,
                        const mli_ensemble_builder *trees, int64_t tree, ml_error *err)
{
    int64_t first = trees->start[tree], n = trees->start[tree + 1] - first;
    memset(w, 0, sizeof *w);
    w->ctx = ctx;
    w->stride = binner->stride;
    w->node = mli_calloc(ctx, (size_t)n, sizeof *w->node);
    w->value = mli_calloc(ctx, (size_t)n, sizeof *w->value);
    w->own = mli_calloc(ctx, (size_t)n, sizeof *w->own);
    if (!w->node || !w->value || !w->own) return mli_nomem(err);
    fill(w, binner, trees, trees->node + first, n);
    return ML_OK;
}

void mli_walk_free(mli_walk *w)
{
    if (!w->ctx) return;
    mli_free(w->ctx, w->node);
    mli_free(w->ctx, w->value);
    mli_free(w->ctx, w->own);
    memset(w, 0, sizeof *w);
}

static inline int32_t walk(const mli_walk *w, const uint8_t *row)
{
    const mli_walk_node *node = w->node;
    while (node->left) {
        uint8_t bin = row[node->column];
        int left = bin <= node->bin;
        if (node->set)
            left = (int)(node->set[bin >> 5] >> (bin & 31)) & 1;
        else if (bin == node->missing)
            left = node->missing_left;
        node = w->node + node->left + !left;
    }
    return node->column;
}

void mli_walk_leaves(const mli_walk *w, const uint8_t *bins, int64_t begin, int64_t end,
                     uint16_t *leaf)
{
    for (int64_t i = begin; i < end; i++)
        leaf[i] = (uint16_t)walk(w, bins + i * w->stride);
}

void mli_walk_add(const mli_walk *w, const uint8_t *bins, int64_t begin, int64_t end,
                  double *score)
{
    for (int64_t i = begin; i < end; i++)
        score[i] += w->value[walk(w, bins + i * w->stride)];
}
