/* SPDX-License-Identifier: MIT
 *
 * trees/bins_ordered.c: categories as numbers by ordered target statistics (Prokhorenkova
 * and others, "CatBoost: unbiased boosting with categorical features", 2018): a row's
 * value is the mean target of the rows of its level that come before it in a random
 * order, drawn towards the mean of all, so that no row sees its own target. Levels in
 * prediction have the mean of all their rows.
 *
 * The values are cut into bins like numbers, and a level belongs to the bin of its value:
 * a split at a bin is then a set of levels, and the ensemble needs nothing new. Any
 * number of levels fits. Cost: one pass over the rows in random order per feature, and a
 * sort.
 */
#include "algorithms/trees/bins_parts.h"
#include "core/radix.h"
#include "core/rng.h"
#include <math.h>

#define BLOCK_ROWS 2048

typedef struct statistic {
    double sum, count;
} statistic;

static double value_of(const statistic *s, const mli_bin_order *o)
{
    return (s->sum + o->prior * o->mean) / (s->count + o->prior);
}

ml_status mli_bin_order_make(mli_bin_order *o, const mli_design *d, const double *y,
                             const int32_t *label, uint64_t seed, ml_error *err)
{
    mli_rng rng;
    double sum = 0;
    *o = (mli_bin_order){.design = d, .y = y, .label = label, .prior = 10};
    o->row = mli_alloc_vec(d->ctx, d->rows, sizeof *o->row);
    if (!o->row) return mli_nomem(err);
    mli_rng_init(&rng, seed, 0x6f72646572 /* "order" */, 0);
    for (int64_t i = 0; i < d->rows; i++) {
        o->row[i] = i;
        sum += y ? y[i] : (double)label[i];
    }
    mli_rng_shuffle(&rng, o->row, d->rows);
    o->mean = d->rows > 0 ? sum / (double)d->rows : 0;
    return ML_OK;
}

void mli_bin_order_free(ml_context *ctx, mli_bin_order *o)
{
    mli_free(ctx, o->row);
    o->row = NULL;
}

/* The level of every row, -1 where it is missing. */
static void read_levels(const mli_design *d, int64_t feature, int32_t *level)
{
    double block[BLOCK_ROWS];
    for (int64_t begin = 0; begin < d->rows; begin += BLOCK_ROWS) {
        int64_t end = begin + BLOCK_ROWS < d->rows ? begin + BLOCK_ROWS : d->rows;
        mli_design_f64(d, feature, begin, end, block, 1);
        for (int64_t i = begin; i < end; i++)
            level[i] = block[i - begin] >= 0 ? (int32_t)block[i - begin] : -1;
    }
}

/* Values of the rows; the statistics are complete afterwards. */
static void walk_order(const mli_bin_order *o, const int32_t *level, statistic *s,
                       double *value)
{
    for (int64_t i = 0; i < o->design->rows; i++) {
        int64_t row = o->row[i];
        if (level[row] < 0) {
            value[row] = NAN;
            continue;
        }
        statistic *at = &s[level[row]];
        value[row] = value_of(at, o);
        at->sum += o->y ? o->y[row] : (double)o->label[row];
        at->count++;
    }
}

/* Cuts the values; returns the number of missing ones, -1 without memory. */
static int64_t cut_values(mli_bin_feature *f, ml_context *ctx, const double *value,
                          int64_t n, int32_t max_bin, int64_t min_data)
{
    double *sorted = mli_alloc_vec(ctx, 3 * n + 8, sizeof *sorted);
    if (!sorted) return -1;
    int64_t kept = 0, m = 0, *count = (int64_t *)(void *)(sorted + 2 * n);
    for (int64_t i = 0; i < n; i++)
        if (value[i] == value[i]) sorted[kept++] = value[i];
    mli_radix_sort_f64(sorted, sorted + n, kept);
    for (int64_t i = 0; i < kept; i++) {
        if (m > 0 && sorted[m - 1] == sorted[i]) {
            count[m - 1]++;
            continue;
        }
        sorted[m] = sorted[i];
        count[m++] = 1;
    }
    double cut[256];
    int32_t cuts = mli_cut_values(sorted, count, m, max_bin, min_data, cut);
    f->n_bins = kept > 0 ? cuts + 1 : 0;
    mli_free(ctx, sorted);
    return mli_cuts_make(ctx, cut, cuts, n, &f->cuts, NULL) == ML_OK ? n - kept : -1;
}

ml_status mli_bin_order_cut(const mli_bin_order *o, int64_t feature, int32_t max_bin,
                            int64_t min_data, mli_bin_feature *f)
{
    const mli_design *d = o->design;
    ml_context *ctx = d->ctx;
    int64_t n = d->inputs->features[feature].levels.n;
    int32_t *level = mli_alloc_vec(ctx, d->rows, sizeof *level);
    statistic *s = mli_calloc(ctx, (size_t)n + 1, sizeof *s);
    double *value = mli_alloc_vec(ctx, d->rows, sizeof *value);
    f->n_levels = n;
    f->level_bin = mli_alloc(ctx, (size_t)n + 1);
    f->row_bin = mli_alloc(ctx, (size_t)d->rows + 1);
    int64_t missing = -1;
    if (level && s && value && f->level_bin && f->row_bin) {
        read_levels(d, feature, level);
        walk_order(o, level, s, value);
        missing = cut_values(f, ctx, value, d->rows, max_bin, min_data);
    }
    if (missing >= 0) {
        uint8_t last = (uint8_t)f->n_bins;
        mli_cuts_bytes(&f->cuts, value, d->rows, last, f->row_bin, 1);
        for (int64_t l = 0; l < n; l++)
            f->level_bin[l] = (uint8_t)mli_cuts_find(&f->cuts, value_of(&s[l], o));
        f->has_missing = missing > 0;
        f->ordered = 1;
    }
    mli_free(ctx, level);
    mli_free(ctx, s);
    mli_free(ctx, value);
    return missing >= 0 ? ML_OK : ML_E_MEMORY;
}
