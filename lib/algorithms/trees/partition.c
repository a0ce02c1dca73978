/* SPDX-License-Identifier: MIT
 *
 * trees/partition.c: dividing the rows of a leaf.
 *
 * Blocks of rows are divided without branches, then the rows of the side whose histogram
 * is wanted are summed, while they are in the cache. The right side comes out reversed,
 * which saves a second copy and does not matter: sums do not depend on the order, and
 * rows stay sorted one way or the other, so memory is walked in one direction.
 *
 * Narrow rows take their bins along. Otherwise each row of a deeper leaf costs a line of
 * memory for the half that holds it, and those lines follow no pattern that the processor
 * could fetch ahead; moved, bins are read and written one after the other.
 */
#include "algorithms/trees/partition.h"
#include "algorithms/trees/bins_sparse.h"

#define AHEAD 128

void mli_division_set(mli_division *d, const mli_binner *b, const mli_bin_matrix *m,
                      const mli_split *split, int32_t slot)
{
    const mli_bin_feature *f = &b->features[split->feature];
    d->column = split->column;
    d->bin = m->by_column ? m->by_column + split->column * m->rows
             : m->by_row  ? m->by_row + split->column
                          : NULL;
    d->step = m->by_column ? 1 : b->stride;
    if (m->sparse) {
        d->bin = mli_bin_sparse_column(m->sparse, split->column, slot);
        d->step = 1;
    }
    for (int32_t i = 0; i < 256; i++) {
        int left = mli_bin_member(f, i) <= split->bin;
        if (split->categorical) left = (int)(split->bits[i >> 5] >> (i & 31)) & 1;
        d->left[i] = (uint8_t)left;
    }
    if (!f->bundled) d->left[f->n_bins] = (uint8_t)split->missing_left;
}

/* One block; `more` rows follow it. */
static mli_places divide_block(const mli_division *d, mli_rows from, int64_t n,
                               int64_t more, mli_rows to, mli_places at)
{
    const uint8_t *bin = d->bin;
    int64_t l = at.left, r = at.right, step = d->step;
    int64_t fetch = more >= AHEAD ? n : n - AHEAD + more;
    for (int64_t i = 0; i < n; i++) {
        uint32_t row = from.row[i];
        if (i < fetch) __builtin_prefetch(bin + (int64_t)from.row[i + AHEAD] * step);
        int64_t goes = d->left[bin[(int64_t)row * step]];
        int64_t place = goes ? l : r;
        to.row[place] = row;
        to.gh[place] = from.gh[i];
        l += goes;
        r -= 1 - goes;
    }
    return (mli_places){l, r};
}

/* Copies `size` bytes as two parts that may overlap. `part` is a constant where this is
 * called: 4, 8 or 16, at most the size and at least half of it. */
static inline void copy_bins(uint8_t *to, const uint8_t *from, int64_t size, size_t part)
{
    int64_t rest = size - (int64_t)part;
    memcpy(to, from, part);
    memcpy(to + rest, from + rest, part);
}

/* The same with bins. places: where in the block the rows of a side stand, in the order
 * of `to`, as far as mli_hist_add_at needs them; left ones from the front on, right ones
 * from the back. */
static inline mli_places divide_packed(const mli_division *d, mli_rows from, int64_t n,
                                       mli_rows to, mli_places at, int side,
                                       uint32_t *places, int64_t size, size_t part)
{
    int64_t l = at.left, r = at.right, listed = side ? MLI_PACK_ROWS - 1 : 0;
    int64_t way = side ? -1 : 1;
    const uint8_t *bins = from.bins;
    for (int64_t i = 0; i < n; i++, bins += size) {
        int64_t goes = d->left[bins[d->column]];
        int64_t place = goes ? l : r;
        copy_bins(to.bins + place * size, bins, size, part);
        to.row[place] = from.row[i];
        to.gh[place] = from.gh[i];
        places[listed] = (uint32_t)i;
        listed += way & -(goes ^ side);
        l += goes;
        r -= 1 - goes;
    }
    return (mli_places){l, r};
}

/* From the matrix to the side-by-side form: the first division of a tree. */
static inline mli_places divide_loose(const mli_division *d, const mli_hist_plan *plan,
                                      mli_rows from, int64_t n, int64_t more, mli_rows to,
                                      mli_places at, size_t part)
{
    int64_t l = at.left, r = at.right, stride = plan->binner->stride;
    int64_t fetch = more >= AHEAD ? n : n - AHEAD + more;
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *bins = plan->matrix + (int64_t)from.row[i] * stride;
        if (i < fetch)
            __builtin_prefetch(plan->matrix + (int64_t)from.row[i + AHEAD] * stride);
        int64_t goes = d->left[bins[d->column]];
        int64_t place = goes ? l : r;
        copy_bins(to.bins + place * plan->pack, bins, plan->pack, part);
        to.row[place] = from.row[i];
        to.gh[place] = from.gh[i];
        l += goes;
        r -= 1 - goes;
    }
    return (mli_places){l, r};
}

static void add_side(const mli_hist_plan *plan, mli_rows to, mli_places was,
                     mli_places now, int side, uint64_t *hist)
{
    mli_rows rows = {to.row, to.gh, NULL};
    if (side == 0)
        mli_hist_add(plan, mli_rows_from(plan, rows, was.left), now.left - was.left,
                     hist);
    else
        mli_hist_add(plan, mli_rows_from(plan, rows, now.right + 1),
                     was.right - now.right, hist);
}

static mli_places packed_block(const mli_division *d, mli_rows from, int64_t n,
                               mli_rows to, mli_places was, const mli_hist_plan *plan,
                               int side, uint64_t *hist)
{
    uint32_t places[MLI_PACK_ROWS];
    int64_t size = plan->pack;
    mli_places now =
        size >= 16  ? divide_packed(d, from, n, to, was, side, places, size, 16)
        : size >= 8 ? divide_packed(d, from, n, to, was, side, places, size, 8)
                    : divide_packed(d, from, n, to, was, side, places, size, 4);
    if (!hist) return now;
    int64_t listed = side ? was.right - now.right : now.left - was.left;
    mli_hist_add_at(plan, from.bins, side ? places + MLI_PACK_ROWS - listed : places,
                    to.gh + (side ? now.right + 1 : was.left), listed, hist);
    return now;
}

int64_t mli_divide(const mli_division *d, mli_rows from, int64_t n, mli_rows to,
                   mli_places at, const mli_hist_plan *plan, int side, uint64_t *hist)
{
    int64_t first = at.left, rows = from.bins ? MLI_PACK_ROWS : plan->block;
    for (int64_t begin = 0; begin < n; begin += rows) {
        int64_t m = n - begin < rows ? n - begin : rows, more = n - begin - m;
        mli_rows block = mli_rows_from(plan, from, begin);
        mli_places was = at;
        if (from.bins) {
            at = packed_block(d, block, m, to, was, plan, side, hist);
            continue;
        }
        at = !to.bins           ? divide_block(d, block, m, more, to, was)
             : plan->pack >= 16 ? divide_loose(d, plan, block, m, more, to, was, 16)
             : plan->pack >= 8  ? divide_loose(d, plan, block, m, more, to, was, 8)
                                : divide_loose(d, plan, block, m, more, to, was, 4);
        if (hist) add_side(plan, to, was, at, side, hist);
    }
    return at.left - first;
}

int64_t mli_count_left(const mli_division *d, mli_rows from, int64_t n,
                       const mli_hist_plan *plan)
{
    int64_t left = 0;
    if (from.bins) {
        const uint8_t *bin = from.bins + d->column;
        for (int64_t i = 0; i < n; i++) left += d->left[bin[i * plan->pack]];
        return left;
    }
    for (int64_t i = 0; i < n; i++) {
        if (i + AHEAD < n)
            __builtin_prefetch(d->bin + (int64_t)from.row[i + AHEAD] * d->step);
        left += d->left[d->bin[(int64_t)from.row[i] * d->step]];
    }
    return left;
}
