/* SPDX-License-Identifier: MIT
 *
 * trees/grow.c: growing one tree: its memory, its columns, its root.
 */
#include "algorithms/trees/grow.h"
#include "core/rng.h"
#include <math.h>

/* Bytes of histograms kept for subtraction; leaves without one are summed afresh. */
#define POOL_BYTES (INT64_C(64) << 20)

/* Rows that are divided and summed one after the other stay in the second level. */
#define BLOCK_BYTES (128 << 10)

/* n histograms; those that say what was touched begin as zeros. */
static uint64_t *words_of(const mli_grower *g, int64_t n)
{
    if (!g->binner->map) return mli_alloc_vec(g->ctx, n * g->n_cells, sizeof(uint64_t));
    return mli_calloc(g->ctx, (size_t)n, (size_t)g->n_cells * sizeof(uint64_t));
}

static ml_status make_pool(mli_grower *g, ml_error *err)
{
    int64_t bytes = g->n_cells * (int64_t)sizeof(uint64_t);
    int64_t slots = POOL_BYTES / (bytes > 0 ? bytes : 1), threads = mli_slots(g->ctx);
    /* One per leaf; several threads divide some ahead that are not leaves in the end. */
    int64_t most = g->options.max_leaves + (threads > 1 ? 16 * threads : 2);
    if (slots > most) slots = most;
    /* Symmetric trees need those of all leaves at once. */
    if (g->options.symmetric) slots = g->options.max_leaves / 2 + 2;
    if (slots < 4) slots = 4;
    g->n_slots = (int32_t)slots;
    g->n_scratch = 3;
    g->pool = words_of(g, slots);
    g->free_slots = mli_calloc(g->ctx, (size_t)slots, sizeof *g->free_slots);
    g->scratch = words_of(g, mli_slots(g->ctx) * g->n_scratch);
    return g->pool && g->free_slots && g->scratch ? ML_OK : mli_nomem(err);
}

static ml_status make_columns(mli_grower *g, ml_error *err)
{
    const mli_binner *b = g->binner;
    size_t n = (size_t)b->n_columns + 1;
    g->plan.binner = b;
    g->plan.matrix = g->matrix.by_row;
    int64_t block = BLOCK_BYTES / (b->stride + 1);
    g->plan.block = block < 64 ? 64 : block > 4096 ? 4096 : block;
    g->mask = mli_calloc(g->ctx, n, 1);
    g->masks = mli_calloc(g->ctx, n, (size_t)mli_slots(g->ctx) + 1);
    g->plan.columns = mli_calloc(g->ctx, n, sizeof *g->plan.columns);
    g->plan.cells = mli_calloc(g->ctx, n, sizeof *g->plan.cells);
    g->found = mli_calloc(g->ctx, n, 2 * sizeof *g->found);
    g->dirty = mli_calloc(g->ctx, (size_t)mli_slots(g->ctx), 1);
    int ok =
        g->dirty && g->mask && g->masks && g->plan.columns && g->plan.cells && g->found;
    return ok ? ML_OK : mli_nomem(err);
}

/* Bytes of a row's bins if they are to move with it: 0 where a row fills a line of the
 * cache anyway, or all rows stay in one. Symmetric trees leave rows where they are. */
static int64_t pack_of(const mli_grower *g, const mli_bin_store *bins, int64_t n)
{
    int64_t bytes = n * g->binner->stride;
    if (bins->lists || g->options.symmetric || bytes < g->options.pack_from) return 0;
    return g->binner->n_columns <= 32 ? g->binner->n_columns : 0;
}

static ml_status make_packed(mli_grower *g, int64_t n, ml_error *err)
{
    if (g->plan.pack == 0) return ML_OK;
    g->plan.ordinal = mli_alloc_vec(g->ctx, MLI_PACK_ROWS, sizeof *g->plan.ordinal);
    for (int i = 0; i < 2; i++) g->rows[i].bins = mli_alloc_vec(g->ctx, n, g->plan.pack);
    if (!g->plan.ordinal || !g->rows[0].bins || !g->rows[1].bins) return mli_nomem(err);
    for (uint32_t i = 0; i < MLI_PACK_ROWS; i++) g->plan.ordinal[i] = i;
    return ML_OK;
}

static ml_status make_rows(mli_grower *g, int64_t n, ml_error *err)
{
    for (int i = 0; i < 2; i++) {
        g->rows[i].row = mli_alloc_vec(g->ctx, n, sizeof *g->rows[i].row);
        g->rows[i].gh = mli_alloc_vec(g->ctx, n, sizeof *g->rows[i].gh);
        if (!g->rows[i].row || !g->rows[i].gh) return mli_nomem(err);
    }
    return make_packed(g, n, err);
}

ml_status mli_grower_init(mli_grower *g, ml_context *ctx, mli_run *run,
                          const mli_binner *binner, const mli_bin_store *bins, int64_t n,
                          const mli_grow_options *options, ml_error *err)
{
    memset(g, 0, sizeof *g);
    g->ctx = ctx;
    g->run = run;
    g->binner = binner;
    g->options = *options;
    if (g->options.max_leaves > n) g->options.max_leaves = n > 1 ? n : 1;
    g->n_cells = mli_binner_words(binner);
    g->node_capacity = (int32_t)(4 * g->options.max_leaves + 8);
    g->nodes = mli_calloc(ctx, (size_t)g->node_capacity, sizeof *g->nodes);
    g->heap = mli_calloc(ctx, (size_t)g->options.max_leaves + 2, sizeof *g->heap);
    g->counts = mli_calloc(ctx, 2 * (size_t)(n / 4096 + 2), sizeof *g->counts);
    g->spare = mli_calloc(ctx, (size_t)g->node_capacity, sizeof *g->spare);
    if (!g->nodes || !g->heap || !g->counts || !g->spare) return mli_nomem(err);
    g->plan.pack = pack_of(g, bins, n);
    g->plan.sparse = bins->lists;
    ml_status status = make_rows(g, n, err);
    if (status == ML_OK) status = make_pool(g, err);
    int turn = g->plan.pack == 0;
    if (status == ML_OK)
        status = mli_bin_matrix_make(&g->matrix, binner, bins, n, turn, err);
    if (status == ML_OK) status = make_columns(g, err);
    return status;
}

void mli_grower_free(mli_grower *g)
{
    ml_context *ctx = g->ctx;
    for (int i = 0; i < 2; i++) {
        mli_free(ctx, g->rows[i].row);
        mli_free(ctx, g->rows[i].gh);
        mli_free(ctx, g->rows[i].bins);
    }
    void *blocks[] = {g->nodes,        g->heap,
                      g->mask,         g->masks,
                      g->plan.columns, g->plan.cells,
                      g->pool,         g->free_slots,
                      g->scratch,      g->found,
                      g->counts,       g->spare,
                      g->dirty,        g->matrix.by_column,
                      g->plan.ordinal};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) mli_free(ctx, blocks[i]);
    memset(g, 0, sizeof *g);
}

/* Columns of a tree. */

static void select_columns(mli_grower *g)
{
    const mli_binner *b = g->binner;
    int32_t used = 0;
    for (int32_t c = 0; c < b->n_used; c++) {
        if (!g->mask[c]) continue;
        g->plan.columns[used] = c;
        g->plan.cells[used++] = b->cell[c];
    }
    g->plan.n_columns = used;
}

/* Of the columns in `from` (NULL: all) a share, at random; at least one. */
static void draw(const mli_grower *g, uint64_t stream, uint64_t substream, double share,
                 const uint8_t *from, uint8_t *to)
{
    int32_t n = g->binner->n_used, left = 0;
    for (int32_t c = 0; c < n; c++) left += !from || from[c];
    int32_t want = (int32_t)(share * left + 0.5);
    if (want < 1) want = 1;
    mli_rng rng;
    mli_rng_init(&rng, g->options.seed, stream, substream);
    for (int32_t c = 0; c < n; c++) {
        int in = !from || from[c];
        int take = in && mli_rng_f64(&rng) * left < want;
        to[c] = (uint8_t)take;
        left -= in;
        want -= take;
    }
}

#define STREAM(kind, tree) (((uint64_t)(kind) << 56) | (uint64_t)(tree))

/* Of the columns in `from` (NULL: all) those that may meet the ones on the way here. */
static void constrain(const mli_grower *g, const mli_grow_node *node, const uint8_t *from,
                      uint8_t *to)
{
    for (int32_t c = 0; c < g->binner->n_used; c++) {
        int may = (g->options.groups[c] & node->groups) != 0 || c + 1 == node->only;
        to[c] = (uint8_t)(may && (!from || from[c]));
    }
}

const uint8_t *mli_grow_mask(mli_grower *g, const mli_grow_node *node, int32_t slot)
{
    const mli_grow_options *o = &g->options;
    const uint8_t *mask = o->by_tree < 1 ? g->mask : NULL;
    uint8_t *own = g->masks + (int64_t)slot * g->binner->n_columns;
    if (o->by_level < 1) {
        draw(g, STREAM(2, g->tree), (uint64_t)node->depth, o->by_level, mask, own);
        mask = own;
    }
    if (o->groups && node->depth > 0) {
        constrain(g, node, mask, own);
        mask = own;
    }
    if (o->by_node < 1) {
        draw(g, STREAM(3, g->tree), node->path, o->by_node, mask, own);
        mask = own;
    }
    return mask;
}

int32_t mli_grow_take_pair(mli_grower *g)
{
    if (g->n_spare > 0) return g->spare[--g->n_spare];
    g->n_nodes += 2;
    return g->n_nodes - 2;
}

int32_t mli_grow_take_slot(mli_grower *g)
{
    return g->n_free > 0 ? g->free_slots[--g->n_free] : -1;
}

void mli_grow_release(mli_grower *g, int32_t slot)
{
    if (slot >= 0) g->free_slots[g->n_free++] = slot;
}

ml_status mli_grow(mli_grower *g, int64_t n, int64_t sum_g, int64_t sum_h, int64_t tree,
                   const mli_split_rule *rule, ml_error *err)
{
    g->rule = rule;
    g->tree = tree;
    g->n_free = 0;
    for (int32_t s = g->n_slots - 1; s >= 0; s--) mli_grow_release(g, s);
    int32_t *columns = g->plan.columns;
    if (g->options.by_tree < 1) {
        draw(g, STREAM(1, tree), 0, g->options.by_tree, NULL, g->mask);
        select_columns(g);
    }
    /* Summing a selection costs more per column than summing all. */
    if (g->options.by_tree >= 0.7 || g->plan.sparse) g->plan.columns = NULL;
    mli_grow_node *root = &g->nodes[0];
    memset(root, 0, sizeof *root);
    root->sums.g = sum_g;
    root->sums.h = sum_h;
    root->sums.rows = n;
    root->sums.lower = -INFINITY;
    root->sums.upper = INFINITY;
    root->path = 1;
    root->sums.key =
        mli_mix64(g->options.seed + (uint64_t)tree * UINT64_C(0x9e3779b97f4a7c15));
    root->groups = UINT64_MAX;
    g->n_nodes = 1;
    g->n_spare = 0;
    mli_grow_root(g);
    ml_status status;
    if (g->options.symmetric) {
        status = mli_grow_levels(g, err);
    } else {
        status = mli_grow_leaves(g, err);
    }
    g->plan.columns = columns;
    return status;
}
