/* SPDX-License-Identifier: MIT
 *
 * trees/bins.c: cutting the features of a design into bins.
 *
 * Cuts come from at most 65,536 rows, in runs spread evenly over the table. Cost: a
 * radix sort of the sample per feature, or one pass where it has few distinct values.
 */
#include "algorithms/trees/bins_parts.h"
#include "algorithms/trees/bins_sparse.h"
#include "core/radix.h"
#include "core/parallel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_ROWS 65536
#define RUN_ROWS    64
#define GROUP       16 /* most features whose samples are read together */
#define BLOCK_ROWS  512
#define FEW         16   /* distinct values that need no sort */
#define LEAST_SHARE 0.75 /* of the usual bin of a sparse feature */

typedef struct cutting {
    const mli_design *design;
    mli_binner *binner;
    int32_t max_bin, min_data;
    int64_t sample;               /* most values looked at per feature */
    int64_t group;                /* most features read together */
    const mli_bin_levels *levels; /* given, or NULL */
    const mli_bin_order *order;   /* given, or NULL */
    int bundle, sparse;
    const uint8_t *apart;
    mli_bin_rows rows;
    mli_run *run;
    atomic_int failed; /* a task ran out of memory */
} cutting;

/* The first row of a run of the sample. */
static int64_t run_begin(int64_t n, int64_t runs, int64_t run)
{
    return n <= SAMPLE_ROWS ? run * RUN_ROWS
                            : (int64_t)((double)n / (double)runs * (double)run);
}

/* Features first..first+count-1 of the sample, `c->sample` values apart, NaN left out;
 * kept[k] receives how many are there. Runs of rows are read for all of them before the
 * next run: features that stand side by side in memory share cache lines. */
static void read_sample(const cutting *c, int64_t first, int64_t count, double *out,
                        int64_t *kept, int *missing)
{
    const mli_design *d = c->design;
    int64_t n = d->rows, runs = mli_task_count(n, RUN_ROWS);
    int64_t most = SAMPLE_ROWS / RUN_ROWS;
    if (runs > most) runs = most;
    for (int64_t k = 0; k < count; k++) kept[k] = missing[k] = 0;
    for (int64_t r = 0; r < runs; r++) {
        int64_t begin = run_begin(n, runs, r);
        int64_t end = begin + RUN_ROWS < n ? begin + RUN_ROWS : n;
        int64_t next = r + 1 < runs ? run_begin(n, runs, r + 1) : n;
        mli_bin_fetch(&c->rows, first, count, next,
                      next + end - begin < n ? next + end - begin : n);
        for (int64_t k = 0; k < count; k++) {
            double *to = out + k * c->sample, *at = to + kept[k];
            mli_design_f64(d, first + k, begin, end, at, 1);
            for (int64_t i = 0; i < end - begin; i++) {
                if (at[i] != at[i])
                    missing[k] = 1;
                else
                    to[kept[k]++] = at[i] + 0.0; /* -0 becomes 0 */
            }
        }
    }
}

/* Sorted values to distinct ones with counts, in place. */
static int64_t distinct(double *v, int64_t n, int64_t *count)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        if (kept > 0 && v[kept - 1] == v[i]) {
            count[kept - 1]++;
            continue;
        }
        v[kept] = v[i];
        count[kept++] = 1;
    }
    return kept;
}

/* The same without a sort, of values in any order of which at most FEW are distinct; -1
 * when there are more. */
static int64_t few_distinct(double *v, int64_t n, int64_t *count)
{
    double seen[FEW];
    int64_t times[FEW], kept = 0;
    for (int64_t i = 0, j; i < n; i = j) {
        double x = v[i];
        int64_t at = 0;
        for (j = i + 1; j < n && v[j] == x;) j++;
        while (at < kept && seen[at] < x) at++;
        if (at == kept || seen[at] != x) {
            if (kept == FEW) return -1;
            memmove(seen + at + 1, seen + at, (size_t)(kept - at) * sizeof *seen);
            memmove(times + at + 1, times + at, (size_t)(kept - at) * sizeof *times);
            seen[at] = x;
            times[at] = 0;
            kept++;
        }
        times[at] += j - i;
    }
    memcpy(v, seen, (size_t)kept * sizeof *v);
    memcpy(count, times, (size_t)kept * sizeof *count);
    return kept;
}

/* The same of a sparse feature: the values that are not 0, and how many are. */
static int64_t sample_sparse(const cutting *c, const mli_sparse *s, double *out,
                             int64_t *zeros)
{
    int64_t n = c->design->rows, runs = mli_task_count(n, RUN_ROWS), kept = 0, at = 0;
    int64_t most = SAMPLE_ROWS / RUN_ROWS, seen = 0;
    if (runs > most) runs = most;
    for (int64_t r = 0; r < runs; r++) {
        int64_t begin = run_begin(n, runs, r);
        int64_t end = begin + RUN_ROWS < n ? begin + RUN_ROWS : n;
        seen += end - begin;
        if (at < s->n && s->rows[at] >= end) continue;
        int64_t last = mli_sparse_range(s, begin, end, &at);
        for (; at < last; at++)
            if (s->values[at] != 0) out[kept++] = s->values[at];
    }
    *zeros = seen - kept;
    return kept;
}

/* 0 among sorted distinct values, of which none is 0. */
static int64_t put_zeros(double *v, int64_t n, int64_t *count, int64_t zeros)
{
    int64_t at = n;
    if (zeros == 0) return n;
    for (; at > 0 && v[at - 1] > 0; at--) {
        v[at] = v[at - 1];
        count[at] = count[at - 1];
    }
    v[at] = 0;
    count[at] = zeros;
    return n + 1;
}

/* The bin of most of the sample, and whether it is most of all. */
static void find_usual(mli_bin_feature *f, const double *v, const int64_t *count,
                       int64_t n)
{
    int64_t most = 0, total = 0, here = 0;
    for (int64_t i = 0, bin = 0; i < n; i++) {
        if (bin < f->cuts.n && v[i] > f->cuts.cut[bin]) {
            here = 0;
            bin++;
        }
        here += count[i];
        total += count[i];
        if (here <= most) continue;
        most = here;
        f->usual = (int32_t)bin;
    }
    f->sparse = (double)most >= LEAST_SHARE * (double)total;
    f->away = total > 0 ? (double)(total - most) / (double)total : 1;
}

/* Cuts of a feature from n values of the sample, and so many zeros more. */
static ml_status cut_numeric(cutting *c, int64_t feature, double *values, int64_t n,
                             int64_t zeros, int missing, double *scratch)
{
    mli_bin_feature *f = &c->binner->features[feature];
    int64_t *count = (int64_t *)(void *)scratch;
    double cut[256];
    int64_t kept = few_distinct(values, n, count);
    if (kept < 0) {
        mli_radix_sort_f64(values, scratch, n);
        kept = distinct(values, n, count);
    }
    kept = put_zeros(values, kept, count, zeros);
    int32_t cuts = mli_cut_values(values, count, kept, c->max_bin, c->min_data, cut);
    f->n_bins = kept > 0 ? cuts + 1 : 0;
    f->has_missing = missing;
    ml_status status =
        mli_cuts_make(c->binner->ctx, cut, cuts, c->design->rows, &f->cuts, NULL);
    if (status == ML_OK && (c->bundle || c->sparse)) find_usual(f, values, count, kept);
    return status;
}

static int64_t *count_levels(cutting *c, int64_t feature, double *block)
{
    const mli_design *d = c->design;
    int64_t n_levels = d->inputs->features[feature].levels.n;
    int64_t *count = mli_calloc(d->ctx, (size_t)n_levels + 1, 2 * sizeof *count);
    if (!count) return NULL;
    for (int64_t begin = 0; begin < d->rows; begin += BLOCK_ROWS) {
        int64_t end = begin + BLOCK_ROWS < d->rows ? begin + BLOCK_ROWS : d->rows;
        mli_design_f64(d, feature, begin, end, block, 1);
        for (int64_t i = 0; i < end - begin; i++) {
            int64_t level = block[i] >= 0 ? (int64_t)block[i] : n_levels;
            count[2 * level]++;
        }
    }
    return count;
}

/* Takes over the bins of a model. */
static ml_status take_levels(cutting *c, int64_t feature)
{
    mli_bin_feature *f = &c->binner->features[feature];
    const mli_bin_levels *from = c->levels;
    f->n_levels = c->design->inputs->features[feature].levels.n;
    f->level_bin = mli_alloc(c->binner->ctx, (size_t)f->n_levels + 1);
    if (!f->level_bin) return ML_E_MEMORY;
    f->n_bins = from->level_other[feature];
    f->has_missing = 1;
    for (int64_t l = 0; l < f->n_levels; l++)
        f->level_bin[l] = from->level_bin[from->level_start[feature] + l];
    return ML_OK;
}

static int more_frequent(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    if (x[0] != y[0]) return x[0] < y[0] ? 1 : -1;
    return x[1] < y[1] ? -1 : 1;
}

static ml_status cut_levels(cutting *c, int64_t feature, double *values)
{
    mli_bin_feature *f = &c->binner->features[feature];
    ml_context *ctx = c->binner->ctx;
    f->n_levels = c->design->inputs->features[feature].levels.n;
    int64_t *count = count_levels(c, feature, values);
    f->level_bin = mli_alloc(ctx, (size_t)f->n_levels + 1);
    if (!count || !f->level_bin) {
        mli_free(ctx, count);
        return ML_E_MEMORY;
    }
    for (int64_t l = 0; l < f->n_levels; l++) count[2 * l + 1] = l;
    int64_t missing = count[2 * f->n_levels];
    qsort(count, (size_t)f->n_levels, 2 * sizeof *count, more_frequent);
    int32_t bins = 0;
    while (bins < f->n_levels && bins < c->max_bin && count[2 * bins] > 0) bins++;
    for (int64_t l = 0; l < f->n_levels; l++) {
        f->level_bin[count[2 * l + 1]] = (uint8_t)(l < bins ? l : bins);
        if (l >= bins) missing += count[2 * l];
    }
    f->n_bins = bins;
    f->has_missing = missing > 0;
    mli_free(ctx, count);
    return ML_OK;
}

static ml_status cut_categories(cutting *c, int64_t feature, double *values)
{
    int64_t levels = c->design->inputs->features[feature].levels.n;
    if (c->levels) return take_levels(c, feature);
    if (c->order && levels > c->order->most)
        return mli_bin_order_cut(c->order, feature, c->max_bin, c->min_data,
                                 &c->binner->features[feature]);
    return cut_levels(c, feature, values);
}

/* Is it read in a group: numbers that are not sparse? */
static int is_plain(const cutting *c, int64_t feature)
{
    mli_sparse s;
    return c->binner->features[feature].kind != MLI_CATEGORICAL &&
           !mli_design_sparse(c->design, feature, &s);
}

static ml_status cut_sparse(cutting *c, int64_t feature, const mli_sparse *s,
                            double *values)
{
    int64_t zeros, n = sample_sparse(c, s, values, &zeros);
    return cut_numeric(c, feature, values, n, zeros, 0, values + c->sample);
}

/* `count` plain features, or one of another kind; values: room for count + 1 samples. */
static ml_status cut_group(cutting *c, int64_t first, int64_t count, double *values)
{
    int64_t kept[GROUP];
    int missing[GROUP];
    ml_status status = ML_OK;
    mli_sparse s;
    if (c->binner->features[first].kind == MLI_CATEGORICAL)
        return cut_categories(c, first, values);
    if (mli_design_sparse(c->design, first, &s)) return cut_sparse(c, first, &s, values);
    read_sample(c, first, count, values, kept, missing);
    for (int64_t k = 0; k < count && status == ML_OK; k++)
        status = cut_numeric(c, first + k, values + k * c->sample, kept[k], 0, missing[k],
                             values + count * c->sample);
    return status;
}

static void cut_task(void *arg, int64_t task, int32_t slot)
{
    cutting *c = arg;
    int64_t at = task * c->group, last = at + c->group;
    (void)slot;
    if (last > c->binner->n_features) last = c->binner->n_features;
    if (mli_run_state(c->run) == ML_CANCEL || atomic_load(&c->failed)) return;
    double *values =
        mli_alloc_vec(c->binner->ctx, (last - at + 1) * c->sample, sizeof *values);
    ml_status status = values ? ML_OK : ML_E_MEMORY;
    while (at < last && status == ML_OK) {
        int64_t count = 1;
        while (is_plain(c, at) && at + count < last && is_plain(c, at + count)) count++;
        status = cut_group(c, at, count, values);
        at += count;
    }
    if (status != ML_OK) atomic_store(&c->failed, 1);
    mli_free_now(c->binner->ctx, values);
}

/* Columns by falling number of bins, then by feature. */
static int64_t order_columns(mli_binner *b, int32_t *order)
{
    int64_t used = 0;
    for (int32_t bins = 255; bins >= 1; bins--) {
        for (int64_t j = 0; j < b->n_features; j++) {
            const mli_bin_feature *f = &b->features[j];
            if (f->column_bins != bins || bins + f->has_missing < 2) continue;
            order[used++] = (int32_t)j;
        }
    }
    return used;
}

static int32_t log2_cells(int32_t bins)
{
    int32_t log2 = 2;
    while ((1 << log2) < bins + 1) log2++;
    return log2;
}

static void place_column(mli_binner *b, int32_t column, int32_t feature)
{
    mli_bin_chunk *chunk = &b->chunks[column / MLI_CHUNK];
    if (column % MLI_CHUNK == 0) {
        chunk->first = column;
        chunk->log2 = log2_cells(b->features[feature].column_bins);
        chunk->width = MLI_CHUNK;
        if (column + MLI_CHUNK > b->n_columns) chunk->width = b->n_columns - column;
        chunk->cell = b->n_cells;
        if (!b->sparse) b->n_cells += (int64_t)chunk->width << chunk->log2;
    }
    b->feature[column] = feature;
    b->bins[column] = feature >= 0 ? b->features[feature].column_bins : 0;
    b->cell[column] = chunk->cell + ((int64_t)(column % MLI_CHUNK) << chunk->log2);
    if (b->sparse && feature >= 0) {
        const mli_bin_feature *f = &b->features[feature];
        b->alone[column] = f->bundled && f->next < 0 && f->usual == 0;
    }
    if (b->sparse) { /* no column is longer than it must be: see MLI_LIST_CELLS */
        b->cell[column] = b->n_cells;
        b->n_cells += MLI_LIST_CELLS(b->bins[column]);
    }
    for (int32_t j = feature; j >= 0; j = b->features[j].next)
        b->features[j].column = column;
}

/* Rows that do not cross lines of the cache, where that costs a quarter at most. */
static int64_t stride_of(int64_t columns)
{
    int64_t even = 4;
    while (even < columns && even < 64) even *= 2;
    even = (columns + even - 1) / even * even;
    return even * 4 <= columns * 5 ? even : columns;
}

static ml_status lay_out(mli_binner *b, ml_error *err)
{
    ml_context *ctx = b->ctx;
    int32_t *order = mli_calloc(ctx, (size_t)b->n_features + 1, sizeof *order);
    if (!order) return mli_nomem(err);
    for (int64_t j = 0; j < b->n_features; j++) {
        mli_bin_feature *f = &b->features[j];
        if (!f->bundled) f->column_bins = f->n_bins;
        if (f->follows) f->column_bins = 0; /* the first has the column */
    }
    b->n_used = (int32_t)order_columns(b, order);
    b->n_columns = (b->n_used + 3) / 4 * 4;
    b->stride = stride_of(b->n_columns);
    b->n_chunks = (b->n_columns + MLI_CHUNK - 1) / MLI_CHUNK;
    b->feature = mli_calloc(ctx, (size_t)b->n_columns + 1, sizeof *b->feature);
    b->bins = mli_calloc(ctx, (size_t)b->n_columns + 1, sizeof *b->bins);
    b->alone = mli_calloc(ctx, (size_t)b->n_columns + 1, 1);
    b->cell = mli_calloc(ctx, (size_t)b->n_columns + 1, sizeof *b->cell);
    b->chunks = mli_calloc(ctx, (size_t)b->n_chunks + 1, sizeof *b->chunks);
    int ok = b->feature && b->alone && b->bins && b->cell && b->chunks;
    if (ok)
        for (int32_t c = 0; c < b->n_columns; c++)
            place_column(b, c, c < b->n_used ? order[c] : -1);
    mli_free(ctx, order);
    if (b->sparse) b->map = (b->n_cells + 7) / 8 * 8 + 8;
    return ok ? ML_OK : mli_nomem(err);
}

static ml_status cut_all(mli_binner *b, cutting *c, ml_error *err)
{
    for (int64_t j = 0; j < b->n_features; j++) {
        b->features[j].kind = c->design->inputs->features[j].kind;
        b->features[j].column = b->features[j].next = -1;
    }
    mli_parallel(b->ctx, mli_task_count(b->n_features, c->group), cut_task, c);
    ml_status status = mli_run_check(c->run, err);
    if (status != ML_OK) return status;
    if (atomic_load(&c->failed)) return mli_nomem(err);
    if (c->bundle) status = mli_bin_bundle(b, c->design, c->apart, err);
    if (c->sparse && status == ML_OK) mli_bin_choose_sparse(b);
    return status == ML_OK ? lay_out(b, err) : status;
}

ml_status mli_binner_make(const mli_design *design, const mli_bin_options *options,
                          mli_run *run, mli_binner **out, ml_error *err)
{
    ml_context *ctx = design->ctx;
    mli_binner *b = mli_calloc(ctx, 1, sizeof *b);
    if (!b) return mli_nomem(err);
    b->ctx = ctx;
    b->design = design;
    b->n_features = design->n_features;
    b->features = mli_calloc(ctx, (size_t)b->n_features + 1, sizeof *b->features);
    int64_t most = design->rows < SAMPLE_ROWS ? design->rows : SAMPLE_ROWS;
    if (most < BLOCK_ROWS) most = BLOCK_ROWS;
    cutting c = {.design = design,
                 .binner = b,
                 .max_bin = options->max_bin,
                 .min_data = options->min_data,
                 .sample = most,
                 .rows = mli_bin_by_row(design),
                 .levels = options->levels,
                 .order = options->order,
                 .bundle = options->bundle,
                 .sparse = options->sparse,
                 .apart = options->apart,
                 .run = run};
    c.group = c.rows.first ? GROUP : GROUP / 4;
    ml_status status = b->features ? cut_all(b, &c, err) : mli_nomem(err);
    if (status == ML_OK)
        *out = b;
    else
        mli_binner_free(b);
    return status;
}

void mli_binner_free(mli_binner *b)
{
    if (!b) return;
    for (int64_t j = 0; b->features && j < b->n_features; j++) {
        mli_cuts_free(b->ctx, &b->features[j].cuts);
        mli_free(b->ctx, b->features[j].level_bin);
        mli_free(b->ctx, b->features[j].row_bin);
    }
    mli_free(b->ctx, b->features);
    mli_free(b->ctx, b->feature);
    mli_free(b->ctx, b->alone);
    mli_free(b->ctx, b->bins);
    mli_free(b->ctx, b->cell);
    mli_free(b->ctx, b->chunks);
    mli_free(b->ctx, b);
}

double mli_binner_threshold(const mli_bin_feature *f, int32_t bin)
{
    return bin < f->cuts.n ? f->cuts.cut[bin] : INFINITY;
}
