/* SPDX-License-Identifier: MIT
 *
 * trees/histogram.h: sums of gradients per bin.
 *
 * Gradient and hessian of a row are whole numbers, packed into one 64-bit word: gradient
 * in the upper half (signed), hessian in the lower (not negative). Their scale is chosen
 * per tree so that no sum over rows can leave its half. One 64-bit add then updates both,
 * and, since sums of whole numbers do not depend on the order, a histogram is the same
 * whatever rows were added first, by whichever thread, or got by subtraction.
 */
#ifndef MLI_TREES_HISTOGRAM_H
#define MLI_TREES_HISTOGRAM_H

#include "algorithms/trees/bins.h"

/* The largest sum of either half. */
#define MLI_GH_MAX 2147483647.0

static inline uint64_t mli_gh_pack(int32_t g, int32_t h)
{
    return ((uint64_t)(uint32_t)g << 32) + (uint32_t)h;
}
/* Valid for sums too. */
static inline int32_t mli_gh_g(uint64_t v)
{
    return (int32_t)(uint32_t)(v >> 32);
}
static inline int32_t mli_gh_h(uint64_t v)
{
    return (int32_t)(uint32_t)v;
}

/* Rows of a leaf with their packed gradients, in step. */
typedef struct mli_rows {
    uint32_t *row;
    uint64_t *gh;
    uint8_t *bins; /* their bins side by side (see mli_hist_plan.pack); NULL: those of the
                      matrix are meant */
} mli_rows;

/* Which columns to sum. */
typedef struct mli_hist_plan {
    const mli_binner *binner;
    const uint8_t *matrix;               /* of bins, row by row */
    int64_t block;                       /* rows between changes of the chunk */
    int64_t pack;                        /* bytes of a row in mli_rows.bins, 0: unused */
    uint32_t *ordinal;                   /* [MLI_PACK_ROWS] 0, 1, 2, ...; with pack */
    int32_t n_columns;                   /* of a selection */
    int32_t *columns;                    /* NULL: all */
    int64_t *cells;                      /* [n_columns] their first cells */
    const struct mli_bin_sparse *sparse; /* the rows are lists: all columns; or NULL */
} mli_hist_plan;

/* Rows of a block whose bins stand side by side: they stay in the second-level cache. */
#define MLI_PACK_ROWS 4096

/* hist[cell of bin] += gh[i] for n rows. */
void mli_hist_add(const mli_hist_plan *plan, mli_rows rows, int64_t n, uint64_t *hist);
/* The same for rows at places of a block's bins. */
void mli_hist_add_at(const mli_hist_plan *plan, const uint8_t *bins,
                     const uint32_t *places, const uint64_t *gh, int64_t n,
                     uint64_t *hist);
/* The rows from the i-th on. */
static inline mli_rows mli_rows_from(const mli_hist_plan *plan, mli_rows r, int64_t i)
{
    return (mli_rows){r.row + i, r.gh + i, r.bins ? r.bins + i * plan->pack : NULL};
}
/* Clears the cells of the plan's columns. */
void mli_hist_clear(const mli_hist_plan *plan, uint64_t *hist);

#endif
