/* SPDX-License-Identifier: MIT
 *
 * trees/walk.c: a tree in terms of bins. Eight rows go down side by side: each step of
 * one waits for its bin and its node, and those of the others are on their way by then.
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
        to->leaf = -1;
        if (from[i].left == 0) {
            w->value[leaves] = from[i].value;
            *to = (mli_walk_node){(int32_t)i, 0, leaves++, 255, 0, 1, NULL};
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

#define SIDE  MLI_TILE
#define AHEAD 16 /* rows fetched before their turn */

static inline int goes_left(const mli_walk_node *node, uint8_t bin)
{
    if (node->set) return (int)(node->set[bin >> 5] >> (bin & 31)) & 1;
    return bin == node->missing ? node->missing_left : bin <= node->bin;
}

/* The leaves of eight rows. */
static inline void walk(const mli_walk *w, const uint8_t *const row[SIDE],
                        int32_t leaf[SIDE])
{
    const mli_walk_node *node[SIDE];
    int32_t inner = 1;
    for (int32_t k = 0; k < SIDE; k++) node[k] = w->node;
    while (inner) {
        inner = 0;
        for (int32_t k = 0; k < SIDE; k++) {
            const mli_walk_node *at = node[k];
            node[k] = w->node + at->left + !goes_left(at, row[k][at->column]);
            inner |= leaf[k] = node[k]->leaf;
        }
        inner = inner < 0;
    }
}

/* The same of rows of a store, at[0..n-1]; of fewer than eight the last is taken again.
 */
static void walk_rows(const mli_walk *w, const mli_bin_store *bins, int32_t slot,
                      const int64_t at[SIDE], int64_t n, int32_t leaf[SIDE])
{
    const uint8_t *row[SIDE];
    for (int64_t k = 0; k < n; k++)
        row[k] = bins->lists ? mli_bin_sparse_lay(bins->lists, at[k], k, slot)
                             : bins->matrix + at[k] * w->stride;
    for (int64_t k = n; k < SIDE; k++) row[k] = row[n - 1];
    walk(w, row, leaf);
    for (int64_t k = 0; bins->lists && k < n; k++)
        mli_bin_sparse_clear(bins->lists, at[k], k, slot);
}

/* From row i on. Returns how many there are. */
static int64_t walk_from(const mli_walk *w, const mli_bin_store *bins, int32_t slot,
                         int64_t i, int64_t end, int32_t leaf[SIDE])
{
    int64_t at[SIDE], n = end - i < SIDE ? end - i : SIDE;
    for (int64_t k = 0; k < n; k++) at[k] = i + k;
    walk_rows(w, bins, slot, at, n, leaf);
    return n;
}

void mli_walk_leaves(const mli_walk *w, const mli_bin_store *bins, int32_t slot,
                     int64_t begin, int64_t end, uint16_t *leaf)
{
    int32_t to[SIDE];
    for (int64_t i = begin; i < end; i += SIDE) {
        int64_t n = walk_from(w, bins, slot, i, end, to);
        for (int64_t k = 0; k < n; k++) leaf[i + k] = (uint16_t)to[k];
    }
}

void mli_walk_some(const mli_walk *w, const mli_bin_store *bins, int32_t slot,
                   int64_t begin, const uint16_t *row, int64_t n, uint16_t *leaf)
{
    int64_t at[SIDE];
    int32_t to[SIDE];
    for (int64_t i = 0; i < n; i += SIDE) {
        int64_t here = n - i < SIDE ? n - i : SIDE;
        for (int64_t k = 0; k < here; k++) {
            at[k] = begin + row[i + k];
            if (!bins->lists && i + k + AHEAD < n)
                __builtin_prefetch(bins->matrix +
                                   (begin + row[i + k + AHEAD]) * w->stride);
        }
        walk_rows(w, bins, slot, at, here, to);
        for (int64_t k = 0; k < here; k++) leaf[row[i + k]] = (uint16_t)to[k];
    }
}

void mli_walk_add(const mli_walk *w, const mli_bin_store *bins, int32_t slot,
                  int64_t begin, int64_t end, double *score)
{
    int32_t to[SIDE];
    for (int64_t i = begin; i < end; i += SIDE) {
        int64_t n = walk_from(w, bins, slot, i, end, to);
        for (int64_t k = 0; k < n; k++) score[i + k] += w->value[to[k]];
    }
}
