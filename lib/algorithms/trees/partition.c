/* SPDX-License-Identifier: MIT
 *
 * trees/partition.c: dividing the rows of a leaf.
 *
 * Blocks of rows are divided without branches, then the rows of the side whose histogram
 * is wanted are summed, while their gradients are in the cache. The right side comes out
 * reversed, which saves a second copy and does not matter: sums do not depend on the
 * order, and rows stay sorted one way or the other, so memory is walked in one direction.
 */
#include "algorithms/trees/partition.h"
#include "algorithms/trees/bins_sparse.h"

#define AHEAD 128

void mli_division_set(mli_division *d, const mli_binner *b, const mli_bin_matrix *m,
                      const mli_split *split, int32_t slot)
{
    const mli_bin_feature *f = &b->features[split->feature];
    d->bins = m->by_row;
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
static void divide_block(const mli_division *d, mli_rows from, int64_t n, int64_t more,
                         mli_rows to, int64_t *left, int64_t *right)
{
    const uint8_t *bin = d->bin;
    int64_t l = *left, r = *right, step = d->step;
    int64_t fetch = more >= AHEAD ? n : n - AHEAD + more;
    for (int64_t i = 0; i < n; i++) {
        uint32_t row = from.row[i];
        if (i < fetch) __builtin_prefetch(bin + (int64_t)from.row[i + AHEAD] * step);
        int64_t goes = d->left[bin[(int64_t)row * step]];
        int64_t at = goes ? l : r;
        to.row[at] = row;
        to.gh[at] = from.gh[i];
        l += goes;
        r -= 1 - goes;
    }
    *left = l;
    *right = r;
}

int64_t mli_divide(const mli_division *d, mli_rows from, int64_t n, mli_rows to,
                   const mli_hist_plan *plan, int side, uint64_t *hist)
{
    int64_t left = 0, right = n - 1;
    for (int64_t begin = 0; begin < n; begin += plan->block) {
        int64_t m = n - begin < plan->block ? n - begin : plan->block;
        int64_t l = left, r = right;
        mli_rows block = {from.row + begin, from.gh + begin};
        divide_block(d, block, m, n - begin - m, to, &left, &right);
        if (hist && side == 0)
            mli_hist_add(plan, d->bins, to.row + l, to.gh + l, left - l, hist);
        else if (hist)
            mli_hist_add(plan, d->bins, to.row + right + 1, to.gh + right + 1, r - right,
                         hist);
    }
    return left;
}
