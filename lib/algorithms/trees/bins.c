/* SPDX-License-Identifier: MIT
 *
 * trees/bins.c: cutting the features of a design into bins and writing the matrix.
 *
 * Cuts come from at most 65,536 rows, in runs spread evenly over the table. Cost: a
 * radix sort of the sample per feature, then one table look-up per value.
 */
#include "algorithms/trees/bins_parts.h"
#include "algorithms/trees/radix.h"
#include "core/parallel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_ROWS 65536
#define RUN_ROWS    64
#define GROUP       4 /* features whose samples are read together */
#define BLOCK_ROWS  512

typedef struct cutting {
    const mli_design *design;
    mli_binner *binner;
    int32_t max_bin, min_data;
    int64_t sample;               /* most values looked at per feature */
    const mli_bin_levels *levels; /* given, or NULL */
    const mli_bin_order *order;   /* given, or NULL */
    int bundle;
    const uint8_t *apart;
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

/* Cuts of a feature from n values of the sample, and so many zeros more. */
static ml_status cut_numeric(cutting *c, int64_t feature, double *values, int64_t n,
                             int64_t zeros, int missing, double *scratch)
{
    mli_bin_feature *f = &c->binner->features[feature];
    int64_t *count = (int64_t *)(void *)scratch;
    double cut[256];
    mli_radix_sort_f64(values, scratch, n);
    int64_t kept = put_zeros(values, distinct(values, n, count), count, zeros);
    int32_t cuts = mli_cut_values(values, count, kept, c->max_bin, c->min_data, cut);
    f->n_bins = kept > 0 ? cuts + 1 : 0;
    f->has_missing = missing;
    return mli_cuts_make(c->binner->ctx, cut, cuts, c->design->rows, &f->cuts, NULL);
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
    int64_t at = task * GROUP, last = at + GROUP;
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
    mli_free(c->binner->ctx, values);
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
        b->n_cells += (int64_t)chunk->width << chunk->log2;
    }
    b->feature[column] = feature;
    b->cell[column] = chunk->cell + ((int64_t)(column % MLI_CHUNK) << chunk->log2);
    b->bins[column] = feature >= 0 ? b->features[feature].column_bins : 0;
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
    b->cell = mli_calloc(ctx, (size_t)b->n_columns + 1, sizeof *b->cell);
    b->chunks = mli_calloc(ctx, (size_t)b->n_chunks + 1, sizeof *b->chunks);
    if (b->feature && b->bins && b->cell && b->chunks)
        for (int32_t c = 0; c < b->n_columns; c++)
            place_column(b, c, c < b->n_used ? order[c] : -1);
    mli_free(ctx, order);
    return b->feature && b->bins && b->cell && b->chunks ? ML_OK : mli_nomem(err);
}

static ml_status cut_all(mli_binner *b, cutting *c, ml_error *err)
{
    for (int64_t j = 0; j < b->n_features; j++) {
        b->features[j].kind = c->design->inputs->features[j].kind;
        b->features[j].column = b->features[j].next = -1;
    }
    mli_parallel(b->ctx, mli_task_count(b->n_features, GROUP), cut_task, c);
    ml_status status = mli_run_check(c->run, err);
    if (status != ML_OK) return status;
    if (atomic_load(&c->failed)) return mli_nomem(err);
    if (c->bundle) status = mli_bin_bundle(b, c->design, c->apart, err);
    return status == ML_OK ? lay_out(b, err) : status;
}

ml_status mli_binner_make(const mli_design *design, int32_t max_bin, int32_t min_data,
                          mli_run *run, mli_binner **out, ml_error *err)
{
    mli_bin_options o = {.max_bin = max_bin, .min_data = min_data};
    return mli_binner_make_from(design, &o, run, out, err);
}

ml_status mli_binner_make_from(const mli_design *design, const mli_bin_options *options,
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
                 .levels = options->levels,
                 .order = options->order,
                 .bundle = options->bundle,
                 .apart = options->apart,
                 .run = run};
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
    mli_free(b->ctx, b->bins);
    mli_free(b->ctx, b->cell);
    mli_free(b->ctx, b->chunks);
    mli_free(b->ctx, b);
}

double mli_binner_threshold(const mli_bin_feature *f, int32_t bin)
{
    return bin < f->cuts.n ? f->cuts.cut[bin] : INFINITY;
}

/* Writing the matrix. */

typedef struct applying {
    const mli_binner *binner;
    const mli_design *design;
    uint8_t *out;
    mli_run *run;
    double *scratch; /* [slots * BLOCK_ROWS] */
    uint8_t
        *resting; /* [n_columns] a row where all sparse features are 0; NULL: none is */
} applying;

/* The bin of 0. */
static uint8_t zero_bin(const mli_bin_feature *f)
{
    const double zero = 0;
    uint8_t bin;
    mli_cuts_bytes(&f->cuts, &zero, 1, (uint8_t)f->n_bins, &bin, 1);
    return bin;
}

/* A sparse feature of which 0 is what the column says without it. */
static int rests(const applying *a, int32_t feature, mli_sparse *s)
{
    const mli_bin_feature *f = &a->binner->features[feature];
    return a->resting && mli_design_sparse(a->design, feature, s) &&
           (!f->bundled || zero_bin(f) == f->usual);
}

static uint8_t in_column(const mli_bin_feature *f, uint8_t bin)
{
    return f->bundled ? (uint8_t)(f->offset + bin - (bin > f->usual)) : bin;
}

/* What is not 0 of a sparse feature in rows that rest. */
static void write_sparse(const applying *a, int32_t feature, const mli_sparse *s,
                         int64_t begin, int64_t end, uint8_t *out)
{
    const mli_bin_feature *f = &a->binner->features[feature];
    int64_t at, last = mli_sparse_range(s, begin, end, &at);
    uint8_t bins[BLOCK_ROWS];
    mli_cuts_bytes(&f->cuts, s->values + at, last - at, (uint8_t)f->n_bins, bins, 1);
    for (int64_t k = 0; k < last - at; k++) {
        if (f->bundled && bins[k] == f->usual) continue;
        out[(s->rows[at + k] - begin) * a->binner->stride] = in_column(f, bins[k]);
    }
}

/* The resting row, and where it is needed only. */
static ml_status make_resting(applying *a, ml_error *err)
{
    const mli_binner *b = a->binner;
    mli_sparse s;
    int64_t sparse = 0;
    for (int64_t j = 0; j < b->n_features; j++)
        sparse += mli_design_sparse(a->design, j, &s);
    if (!sparse) return ML_OK;
    a->resting = mli_calloc(b->ctx, (size_t)b->n_columns + 1, 1);
    if (!a->resting) return mli_nomem(err);
    for (int32_t c = 0; c < b->n_used; c++) {
        const mli_bin_feature *f = &b->features[b->feature[c]];
        if (!f->bundled && mli_design_sparse(a->design, b->feature[c], &s))
            a->resting[c] = zero_bin(f);
    }
    return ML_OK;
}

static void write_levels(const mli_bin_feature *f, const double *x, int64_t n,
                         uint8_t *out, int64_t stride)
{
    for (int64_t i = 0; i < n; i++) {
        int known = x[i] >= 0 && x[i] < (double)f->n_levels;
        out[i * stride] = known ? f->level_bin[(int64_t)x[i]] : (uint8_t)f->n_bins;
    }
}

/* All features of a bundle: where none is away from its usual bin, the column is 0. */
static void write_bundle(const applying *a, int32_t column, int64_t begin, int64_t end,
                         double *x, uint8_t *out)
{
    const mli_binner *b = a->binner;
    uint8_t bins[BLOCK_ROWS];
    mli_sparse s;
    for (int64_t i = 0; !a->resting && i < end - begin; i++) out[i * b->stride] = 0;
    for (int32_t j = b->feature[column]; j >= 0; j = b->features[j].next) {
        const mli_bin_feature *f = &b->features[j];
        uint8_t usual = (uint8_t)f->usual;
        if (rests(a, j, &s)) {
            write_sparse(a, j, &s, begin, end, out);
            continue;
        }
        mli_design_f64(a->design, j, begin, end, x, 1);
        mli_cuts_bytes(&f->cuts, x, end - begin, usual, bins, 1);
        for (int64_t i = 0; i < end - begin; i++) {
            if (bins[i] == usual) continue;
            out[i * b->stride] = in_column(f, bins[i]);
        }
    }
}

static void apply_task(void *arg, int64_t task, int32_t slot)
{
    applying *a = arg;
    const mli_binner *b = a->binner;
    if (mli_run_state(a->run) == ML_CANCEL) return;
    int64_t begin = task * BLOCK_ROWS, end = begin + BLOCK_ROWS;
    if (end > a->design->rows) end = a->design->rows;
    double *x = a->scratch + (int64_t)slot * BLOCK_ROWS;
    uint8_t *out = a->out + begin * b->stride;
    for (int64_t i = 0; a->resting && i < end - begin; i++)
        memcpy(out + i * b->stride, a->resting, (size_t)b->n_columns);
    for (int32_t c = 0; c < b->n_used; c++) {
        const mli_bin_feature *f = &b->features[b->feature[c]];
        if (f->bundled) {
            write_bundle(a, c, begin, end, x, out + c);
            continue;
        }
        if (f->row_bin && a->design == b->design) {
            for (int64_t i = begin; i < end; i++)
                out[(i - begin) * b->stride + c] = f->row_bin[i];
            continue;
        }
        mli_sparse s;
        if (rests(a, b->feature[c], &s)) {
            write_sparse(a, b->feature[c], &s, begin, end, out + c);
            continue;
        }
        mli_design_f64(a->design, b->feature[c], begin, end, x, 1);
        if (f->kind == MLI_CATEGORICAL)
            write_levels(f, x, end - begin, out + c, b->stride);
        else
            mli_cuts_bytes(&f->cuts, x, end - begin, (uint8_t)f->n_bins, out + c,
                           b->stride);
    }
    for (int32_t c = b->n_used; c < b->n_columns; c++)
        for (int64_t i = 0; i < end - begin; i++) out[i * b->stride + c] = 0;
}

ml_status mli_binner_apply(const mli_binner *b, const mli_design *design, mli_run *run,
                           uint8_t **out, ml_error *err)
{
    ml_context *ctx = b->ctx;
    int64_t blocks = mli_task_count(design->rows, BLOCK_ROWS);
    applying a = {.binner = b, .design = design, .run = run};
    a.out = mli_alloc_vec(ctx, design->rows * b->stride + 64, 1);
    a.scratch = mli_alloc_vec(ctx, (int64_t)mli_slots(ctx) * BLOCK_ROWS, sizeof(double));
    ml_status status = a.out && a.scratch ? make_resting(&a, err) : mli_nomem(err);
    if (!status) {
        memset(a.out + design->rows * b->stride, 0, 64);
        mli_parallel(ctx, blocks, apply_task, &a);
        status = mli_run_check(run, err);
    }
    mli_free(ctx, a.scratch);
    mli_free(ctx, a.resting);
    if (status != ML_OK)
        mli_free(ctx, a.out);
    else
        *out = a.out;
    return status;
}
