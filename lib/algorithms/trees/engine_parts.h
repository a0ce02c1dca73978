/* SPDX-License-Identifier: MIT
 *
 * trees/engine_parts.h: the inside of an engine, for its files:
 *
 *   engine.c        choosing, parts, running
 *   engine_cuts.c   which codes a part needs
 *   engine_tree.c   trees in terms of codes
 *   engine_group.c  the same of 32 trees side by side
 *   engine_code.c   rows to codes
 *   engine_column.c 32 values of a feature to codes
 *   engine_tile.c   32 rows through a tree
 *   engine_fold.c   the same from the leaves up
 *   engine_row.c    one row through all trees
 *   engine_sparse.c rows of which only some values are stored
 *   engine_wide.c   the form without codes
 *   engine_near.c   its large trees in less memory
 */
#ifndef MLI_TREES_ENGINE_PARTS_H
#define MLI_TREES_ENGINE_PARTS_H

#include "algorithms/trees/engine.h"
#include "core/cpu.h"

#define MLI_TILE       32 /* rows whose codes lie together: codes[column * 32 + row] */
#define MLI_TILES      8  /* tiles per block, at most */
#define MLI_FEW_ROWS   8  /* fewer rows go one by one, or twice as many: see engine.c */
#define MLI_CUTS       254 /* thresholds that a byte tells apart, with missing at the end */
#define MLI_COLUMNS    2047 /* columns of a part: column * 32 fits 16 bits */
#define MLI_WIDE_LANES 16   /* rows at a time of the form without codes */
#define MLI_TOP        6    /* levels decided for all rows of a tile at once */
#define MLI_TREE_NODES 65535
#define MLI_FOLD_LEAVES 256 /* of a tree in engine_fold.c: their numbers are bytes */
#define MLI_CODE(n)    ((int8_t)((int32_t)(n)-128)) /* stored codes compare as signed */

/* Where to look for a value among the cuts: see engine_column.c. first: NULL: none. */
typedef struct mli_bucket {
    double low, scale;
    const uint8_t *first;
} mli_bucket;

typedef struct mli_bucket32 {
    float low, scale;
    const uint8_t *first;
} mli_bucket32;

/* Where the codes of a feature come from. */
typedef struct mli_source {
    int32_t feature;
    int32_t low, high;  /* columns where missing is lowest, highest; -1: none */
    int32_t n_cuts;     /* -1: a category, whose bin is its code (column `low`) */
    const double *cut;  /* ascending, then 8 times +inf, up to a multiple of 16 */
    const float *cut32; /* rounded down: x <= cut is x <= cut32 for every float x */
    double pivot[16];   /* last of each 16 cuts, then +inf */
    float pivot32[16];
    mli_bucket bucket;
    mli_bucket32 bucket32;
    int32_t zero_missing;
    const uint8_t *level_bin;
    int64_t n_levels;
    uint8_t level_other, level_missing;
} mli_source;

/* A node of a walk. Right is child + 1: when the code is above the cut, or not in the
 * set. A leaf leads to itself: step 0, cut 127. */
typedef struct mli_step {
    uint16_t offset; /* column * 32 */
    uint16_t step;   /* from this node to its left child */
    int8_t cut;      /* 127 for categories */
    uint8_t inner;   /* 0: leaf */
    uint16_t set;    /* 0, which has all codes, for numbers and leaves */
} mli_step;

/* A node of the upper levels. */
typedef struct mli_top {
    uint32_t offset;
    int32_t above; /* cut + 1 in each byte: left when it is above the code */
} mli_top;

/* A node of a tree that is decided from the leaves up: where the numbers of the leaves of
 * its children lie, and where that of its own goes. */
typedef struct mli_fold {
    int32_t above; /* as in mli_top */
    uint16_t offset;
    uint16_t left, right, to;
} mli_fold;

typedef struct mli_code_tree {
    int32_t levels;          /* of `top` */
    int32_t walks;           /* some exits of `top` are not leaves */
    const mli_top *top;      /* [2^levels - 1], level by level */
    const uint16_t *exit;    /* [2^levels] node below the last level */
    const double *value;     /* walks: per node, of the model; else per exit.
                              * With `fold` the leaves in its order */
    const mli_step *node;    /* [nodes] */
    const uint8_t *sets;     /* trees with categories: see mli_code_in */
    const uint16_t *set_top; /* [2^levels - 1] set that decides, 0: the cut does */
    const mli_fold *fold;    /* [n_fold], children first; NULL: none */
    int32_t n_fold, fold_pairs;
} mli_code_tree;

/* The upper levels of MLI_TILE trees, tree by tree in each register: what one row asks of
 * all of them. Trees with fewer levels are padded, as are missing ones. */
typedef struct mli_code_group {
    int32_t levels, walks;
    const int8_t *ask;   /* [2^levels - 1][2][32]: sources, cuts; of parts with at most 32
                          * columns the columns */
    const double *value; /* [trees][2^levels]; NULL: some trees walk */
} mli_code_group;

static inline int32_t mli_code_repeat(int32_t byte)
{
    return (int32_t)((uint32_t)(uint8_t)byte * 0x01010101u);
}

/* Sets have 32 bytes, or 8 when no bin is above 63: the codes -128 .. -65 are then
 * counted from 0. */
static inline int mli_code_in(const uint8_t *sets, int shift, uint32_t set, int8_t code)
{
    uint32_t c = (uint8_t)code, byte = (c >> 3) & ((1u << shift) - 1);
    return sets[(set << shift) + byte] >> (c & 7) & 1;
}

typedef struct mli_part {
    int64_t first, n_trees;
    int32_t n_columns, n_sources;
    mli_source *source;
    /* Numbers only, at most 32 sources: [trees / MLI_TILE, rounded up]. Else NULL. */
    mli_code_group *group;
    /* For sparse rows: the source of each feature, -1: none; the codes of a row of zeros
     * and of one of missing values, as mli_engine_code_row leaves them. */
    int16_t *source_of;
    int8_t *absent[2];
    int absent_missing[2]; /* what it returns */
} mli_part;

/* Wide nodes: see engine_wide.c. */
typedef struct mli_wide_step {
    double cut;
    int32_t column; /* < 0: a category, -1 - column of its bin, `cut` the set's number */
    uint32_t step;
} mli_wide_step;

/* The same in 8 bytes: see engine_near.c. */
typedef struct mli_near_step {
    uint16_t cut, column;
    uint32_t step;
} mli_near_step;

typedef struct mli_near_column {
    double low, scale;
} mli_near_column;

typedef struct mli_wide_source {
    int32_t feature;
    int32_t low, high; /* as in mli_source */
    int32_t category, zero_missing;
    const uint8_t *level_bin; /* or */
    const uint16_t *wide_bin;
    int64_t n_levels;
    double level_other, level_missing;
} mli_wide_source;

/* Blocks of memory that live as long as the engine. */
typedef struct mli_arena {
    ml_context *ctx;
    struct mli_arena_block *last;
    size_t left;
    char *at;
} mli_arena;
void mli_arena_free(mli_arena *a);
/* Aligned to 64, zeroed; NULL when there is no memory. */
void *mli_arena_take(mli_arena *a, int64_t count, size_t size);

struct mli_engine {
    ml_context *ctx;
    mli_ensemble e;
    mli_arena arena;
    int avx2;
    int float_leaves; /* sums are floats, and so is all that is added: see floats_only */
    const double *rows; /* [rows, outs] that leaves name; NULL: they have their values */
    int64_t outs;       /* numbers per row of data */
    int32_t wide;
    int64_t tiles; /* per block */
    int64_t few;   /* fewer rows go one by one */
    size_t scratch;
    /* codes */
    int64_t n_parts;
    mli_part *part;      /* [n_parts] */
    mli_code_tree *tree; /* [trees] */
    int32_t most_columns;
    int folds;     /* some trees have `fold` */
    int set_shift; /* sets have 2^set_shift bytes */
    /* wide */
    int32_t n_wide_sources, n_wide_columns;
    int64_t wide_rows; /* of a block, a multiple of the lanes of a walk */
    mli_wide_source *wide_source;
    mli_wide_step *wide_node;     /* [nodes], numbered as in the model */
    mli_near_column *near_column; /* [n_wide_columns] */
    mli_near_step *near_node;     /* [nodes], likewise; NULL: there are none */
    /* Of rows: the first that the leaves of each tree name; their cuts name the others
     * from it on. NULL: not all can. */
    const int64_t *near_first;
};

/* Adds row `at`, the value of a leaf. */
static inline void mli_engine_add_row(const mli_engine *g, int64_t at, double *score)
{
    const double *row = g->rows + at * g->outs;
    for (int64_t k = 0; k < g->outs; k++) score[k] += row[k];
}

/* Cuts the trees into parts. *fits is 0 when a tree is too large for codes. */
ml_status mli_engine_cuts(mli_engine *g, int *fits, ml_error *err);
/* The trees of all parts. */
ml_status mli_engine_trees(mli_engine *g, ml_error *err);
/* The groups of a part whose trees are made, if it can have them. 0: no memory. */
int mli_part_groups(mli_engine *g, mli_part *p);
/* Forms of engine_fold.c for the trees of a part that gain by them, after the groups. 0:
 * no memory. */
int mli_part_folds(mli_engine *g, const mli_part *p);
/* What folds need of memory, to be filled once for any number of tiles. */
#define MLI_FOLD_BYTES (MLI_FOLD_LEAVES * 3 * MLI_TILE)
void mli_fold_begin(int8_t *cell);
/* One tile or two, whose codes are `step` apart. */
void mli_fold_tiles(const mli_code_tree *t, const int8_t *codes, int64_t step,
                    int64_t tiles, int8_t *cell, uint16_t *slot);
/* The code of a threshold: its place among the cuts. */
int32_t mli_source_cut(const mli_source *s, double threshold);
ml_status mli_engine_wide(mli_engine *g, ml_error *err);

/* Rows to codes: n <= tiles * 32 rows into tiles of n_columns * 32 bytes; the rest of the
 * last tile has the codes of some value. */
void mli_engine_code(const mli_engine *g, const mli_part *p, const double *rows,
                     int64_t n, int64_t stride, int8_t *codes);
void mli_engine_code_f32(const mli_engine *g, const mli_part *p, const float *rows,
                         int64_t n, int64_t stride, int8_t *codes);
void mli_engine_code_columns(const mli_engine *g, const mli_part *p,
                             const double *const *x, int64_t begin, int64_t n,
                             int8_t *codes);
/* 32 values of a feature into its columns of a tile. */
void mli_engine_column(const mli_engine *g, const mli_source *s, const double *x,
                       int8_t *codes);
void mli_engine_column_f32(const mli_engine *g, const mli_source *s, const float *x,
                           int8_t *codes);
/* What engine_column.c needs beside the cuts. 0: no memory. */
int mli_source_buckets(mli_arena *arena, mli_source *s);
/* Which `value` of the tree each of 32 rows gets. */
void mli_engine_tile(const mli_engine *g, const mli_code_tree *t, const int8_t *codes,
                     uint16_t *slot);
/* One row: the codes of its columns at codes + 32. Those of its sources, 32 at most, go
 * to codes. Returns whether a number is missing: else the columns of a source agree. */
int mli_engine_code_row(const mli_engine *g, const mli_part *p, const double *row,
                        int8_t *codes);
int mli_engine_code_row_f32(const mli_engine *g, const mli_part *p, const float *row,
                            int8_t *codes);
/* One value of a row in full codes, or in the codes of a tile whose row is at `codes`. */
int32_t mli_source_code(const mli_engine *g, const mli_source *s, double x, int *missing);
/* What sparse rows need of a part. 0: no memory. */
int mli_part_absent(mli_engine *g, mli_part *p);
/* A part on tiles of codes: score[(k * tiles + tile) * 32 + row], of rows
 * score[(tile * 32 + row) * outs + k]; to out[rows][k]. */
void mli_engine_part(const mli_engine *g, const mli_part *p, int64_t tiles,
                     const int8_t *codes, double *score);
void mli_engine_write(const mli_engine *g, const double *score, int64_t stride, int64_t n,
                      double *out);
/* Adds the leaves of the part's trees to the scores of one row. */
void mli_engine_row(const mli_engine *g, const mli_part *p, const int8_t *codes,
                    int missing, double *score);
/* Nodes of 8 bytes, if the engine can have them. 0: no memory. */
int mli_engine_near(mli_engine *g);
/* Rows of wide columns to 16 bits; the leaf of each of MLI_WIDE_LANES such rows in the
 * tree whose nodes begin at `first`. 0: some row may be in another. */
void mli_engine_near_codes(const mli_engine *g, const double *x, int64_t rows,
                           uint16_t *code);
int mli_engine_near_walk(const mli_engine *g, int64_t first, const uint16_t *code,
                         int64_t *leaf);
#define MLI_NEAR_ROW 2 /* the cut of a leaf that names the first row */
/* The wide form whatever the shape. */
ml_status mli_engine_new_wide(ml_context *ctx, const mli_ensemble *e, mli_engine **out,
                              ml_error *err);
/* A row as columns: x[column * step]. */
void mli_engine_wide_spread(const mli_engine *g, const double *row, double *x,
                            int64_t step);
/* Adds the leaves of all trees: out[i * outs + k]. */
void mli_engine_wide_rows(const mli_engine *g, const double *rows, int64_t n,
                          int64_t stride, double *out, double *x);
void mli_engine_wide_rows_f32(const mli_engine *g, const float *rows, int64_t n,
                              int64_t stride, double *out, double *x);
void mli_engine_wide_columns(const mli_engine *g, const double *const *columns,
                             int64_t first, int64_t n, double *out, double *x);

/* Cuts below x; 0 for NaN. Without branches. */
#define MLI_BELOW(name, type, field)                                                     \
    static inline int32_t name(const mli_source *s, type x)                              \
    {                                                                                    \
        const type *cut = s->field;                                                      \
        int32_t at = 0, n = s->n_cuts;                                                   \
        while (n > 1) {                                                                  \
            int32_t half = n / 2;                                                        \
            at += cut[at + half - 1] < x ? half : 0;                                     \
            n -= half;                                                                   \
        }                                                                                \
        return at + (n > 0 && cut[at] < x);                                              \
    }
MLI_BELOW(mli_below_f64, double, cut)
MLI_BELOW(mli_below_f32, float, cut32)

static inline int32_t mli_source_bin(const mli_source *s, double x)
{
    if (x >= 0 && x < (double)s->n_levels) return s->level_bin[(int64_t)x];
    return x != x ? s->level_missing : s->level_other;
}
#undef MLI_BELOW

#endif
