/* SPDX-License-Identifier: MIT
 *
 * trees/grow.h: growing one tree on binned rows.
 */
#ifndef MLI_TREES_GROW_H
#define MLI_TREES_GROW_H

#include "algorithms/trees/bins_sparse.h"
#include "algorithms/trees/partition.h"
#include "core/parallel.h"
#include "core/run.h"

typedef struct mli_grow_options {
    int depthwise;          /* by depth, then gain; else by gain alone */
    int symmetric;          /* all leaves of a depth divided alike */
    int cosine;             /* symmetric: the score is the cosine */
    int gather;             /* symmetric: the rows of leaves are needed in the end */
    const uint64_t *groups; /* [n_columns] interaction constraints, or NULL */
    int64_t max_leaves, max_depth;     /* max_depth 0: no limit */
    double by_tree, by_level, by_node; /* shares of the columns */
    uint64_t seed;
    int64_t pack_from; /* bytes of a matrix whose rows take their bins along */
    int64_t team_bins; /* bins of the tree's rows for each thread beyond the first */
} mli_grow_options;

/* Rows of a smaller matrix had better stay in place: the third-level cache holds it. */
#define MLI_PACK_FROM (INT64_C(8) << 20)

/* Waking a thread and passing leaves from cache to cache costs what it brings. */
#define MLI_TEAM_BINS (INT64_C(1) << 19)

typedef struct mli_grow_node {
    mli_split split;
    mli_split_leaf sums;
    int64_t begin;   /* its rows, in buffer `buffer` */
    uint64_t path;   /* names the node for random choices */
    uint64_t groups; /* that have all columns on the way here */
    int32_t only;    /* 1 + the column of no group that is on the way here, or 0 */
    int64_t order;   /* of becoming a leaf; breaks ties */
    int32_t left;    /* first of two children, 0: not divided yet */
    int32_t depth, buffer;
    int32_t hist;     /* slot of the pool, -1: none */
    int32_t kept;     /* the division is part of the tree */
    uint8_t deferred; /* divided ahead, and a child had too few rows: see grow_divide.c */
    uint8_t busy;     /* a thread is dividing it */
} mli_grow_node;

typedef struct mli_grower {
    ml_context *ctx;
    mli_run *run;
    const mli_binner *binner;
    mli_bin_matrix matrix;
    mli_grow_options options;
    const mli_split_rule *rule;
    int64_t tree; /* number of the tree, for random choices */
    /* [n]; the tree's rows are put into rows[0] before growing. Narrow rows of large
     * tables take their bins along (partition.c). */
    mli_rows rows[2];
    int unit_h;     /* all hessians of the tree are 1 */
    uint16_t *leaf; /* symmetric: [n] where the leaf of each row goes; the caller's */
    int32_t n_nodes, node_capacity;
    mli_grow_node *nodes;
    int32_t n_spare;
    int32_t *spare; /* first nodes of pairs that were not needed */
    int32_t n_heap;
    int32_t *heap; /* [max_leaves + 1] leaves to divide, the best first */
    mli_hist_plan plan;
    uint8_t *mask;   /* [n_columns] columns of this tree; NULL: all */
    uint8_t *masks;  /* [slots * n_columns] */
    int64_t n_cells; /* words of a histogram */
    uint64_t *pool;  /* [n_slots * n_cells] */
    int32_t n_slots, n_free;
    int32_t *free_slots;
    uint64_t *scratch; /* [slots * n_scratch * n_cells] */
    int32_t n_scratch;
    uint8_t *dirty;   /* [slots] that slot's first scratch histogram is in use */
    mli_split *found; /* [2 * n_columns] results of parallel searches */
    int64_t *counts;  /* of parallel divisions */
} mli_grower;

ml_status mli_grower_init(mli_grower *g, ml_context *ctx, mli_run *run,
                          const mli_binner *binner, const mli_bin_store *bins, int64_t n,
                          const mli_grow_options *options, ml_error *err);
void mli_grower_free(mli_grower *g);

/* Grows a tree on rows[0][0..n-1], whose sums are g and h. Then nodes[0] is the root;
 * divided nodes have kept != 0. ML_E_CANCELLED or ML_E_MEMORY on failure. */
ml_status mli_grow(mli_grower *g, int64_t n, int64_t sum_g, int64_t sum_h, int64_t tree,
                   const mli_split_rule *rule, ml_error *err);

/* Between grow*.c. */

/* Divides the root and its leaves in the order of their gains (grow_order.c). */
ml_status mli_grow_leaves(mli_grower *g, ml_error *err);

/* The columns a leaf may be divided by, NULL: all. Valid until the next call with that
 * slot. */
const uint8_t *mli_grow_mask(mli_grower *g, const mli_grow_node *node, int32_t slot);
/* One division under way. */
typedef struct mli_grow_division {
    int32_t id, left; /* the leaf, and the nodes reserved for its children */
    int32_t slot;     /* of the pool for the lighter child, -1: none */
    int32_t done;     /* 1 + (is the right child the lighter one); 0: not divisible so */
    int32_t ahead;    /* it is not the next one of the order, but divided in advance */
} mli_grow_division;

static inline uint64_t *mli_grow_pool(const mli_grower *g, int32_t slot)
{
    return g->pool + (int64_t)slot * g->n_cells;
}
static inline uint64_t *mli_grow_scratch(const mli_grower *g, int32_t slot, int32_t k)
{
    return g->scratch + ((int64_t)slot * g->n_scratch + k) * g->n_cells;
}
/* Columns that histograms of this tree have, NULL: all. */
static inline const uint8_t *mli_grow_summed(const mli_grower *g)
{
    return g->plan.columns ? g->mask : NULL;
}
/* Places of a buffer from `begin` on, and the rows of a leaf. Those of the root have
 * their bins in the matrix. */
static inline mli_rows mli_grow_room(const mli_grower *g, int32_t buffer, int64_t begin)
{
    return mli_rows_from(&g->plan, g->rows[buffer], begin);
}
static inline mli_rows mli_grow_rows(const mli_grower *g, const mli_grow_node *node)
{
    mli_rows rows = mli_grow_room(g, node->buffer, node->begin);
    if (node->depth == 0) rows.bins = NULL;
    return rows;
}
/* Could a child with this hessian be divided further? */
int mli_grow_may_divide(const mli_grower *g, int64_t h, int32_t depth);
/* Does the division leave a child fewer rows than allowed? */
int mli_grow_too_few(const mli_grower *g, const mli_grow_node *node, int64_t n_left);
/* Then: searches again with counted rows instead of estimated ones. */
void mli_grow_find_counted(mli_grower *g, mli_grow_node *node, int32_t slot);
/* Fills in the children: sums, rows, bounds; no split yet. */
void mli_grow_children(mli_grower *g, const mli_grow_node *node, int32_t left,
                       int64_t n_left, int32_t buffer);
/* Hands the histograms on to the children, or back to the pool. */
void mli_grow_finish(mli_grower *g, const mli_grow_division *d);

/* All depths of a symmetric tree (grow_symmetric.c). */
ml_status mli_grow_levels(mli_grower *g, ml_error *err);
/* A histogram of the slot, cleared at its first use; adds those in use. */
uint64_t *mli_grow_slot_hist(mli_grower *g, int32_t slot);
void mli_grow_reduce(mli_grower *g, uint64_t *hist);
/* Divides leaf d->id by one thread. `node` is that leaf or a copy of it; its split and
 * its mark `deferred` may change. mli_grow_finish is left to the caller. */
void mli_grow_divide(mli_grower *g, mli_grow_node *node, mli_grow_division *d,
                     int32_t slot);
/* Divides one large leaf, using all threads inside; it has a histogram in the pool. */
void mli_grow_divide_large(mli_grower *g, int32_t id);
/* A pair of nodes; a slot of the pool, -1 when there is none. */
int32_t mli_grow_take_pair(mli_grower *g);
int32_t mli_grow_take_slot(mli_grower *g);
void mli_grow_release(mli_grower *g, int32_t slot); /* -1 is fine */
/* Sums the root's histogram and finds its split. */
void mli_grow_root(mli_grower *g);
/* Is a leaf of so many rows divided by all threads together? That costs one more look at
 * its rows, so that others are better divided by a thread each. (Very large ones always
 * are divided in tasks, between which cancelling is looked at.) */
static inline int mli_grow_large(const mli_grower *g, int64_t rows)
{
    int64_t slots = mli_slots(g->ctx), share = g->nodes[0].sums.rows / (2 * slots);
    return rows >= 1 << 21 || (rows >= 1 << 15 && rows >= share && slots > 1);
}

#endif
