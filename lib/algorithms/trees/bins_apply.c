/* SPDX-License-Identifier: MIT
 *
 * trees/bins_apply.c: writing the matrix of bins, block by block of rows, feature by
 * feature. A block of a table that stands row by row stays in the cache. Cost: one table
 * look-up per value; of sparse features only for what is stored.
 */
#include "algorithms/trees/bins_parts.h"
#include "core/parallel.h"
#include <string.h>

#define BLOCK_ROWS  MLI_APPLY_ROWS
#define LEAST_ROWS  32
#define BLOCK_BYTES (192 << 10) /* of rows: a part of the second-level cache */

mli_bin_rows mli_bin_by_row(const mli_design *d)
{
    static const int32_t types[] = {ML_DTYPE_F32, ML_DTYPE_F64};
    for (int k = 0; k < 2; k++) {
        int64_t size = k ? sizeof(double) : sizeof(float), stride = 0;
        const void *first = mli_design_in_place(d, types[k], &stride);
        if (first && stride > 1) return (mli_bin_rows){first, stride * size, size};
    }
    return (mli_bin_rows){0};
}

static int64_t block_rows(const mli_bin_rows *r)
{
    int64_t rows = BLOCK_ROWS;
    while (rows > LEAST_ROWS && rows * r->step > BLOCK_BYTES) rows /= 2;
    return rows;
}

/* The bin of 0. */
static uint8_t zero_bin(const mli_bin_feature *f)
{
    const double zero = 0;
    uint8_t bin;
    mli_cuts_bytes(&f->cuts, &zero, 1, (uint8_t)f->n_bins, &bin, 1);
    return bin;
}

/* A sparse feature of which 0 is what the column says without it. */
int mli_apply_rests(const mli_applying *a, int32_t feature, mli_sparse *s)
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
static void write_sparse(const mli_applying *a, int32_t feature, const mli_sparse *s,
                         int64_t begin, int64_t end, uint8_t *out)
{
    const mli_bin_feature *f = &a->binner->features[feature];
    int64_t at, last = mli_sparse_range(s, begin, end, &at);
    uint8_t bins[BLOCK_ROWS];
    mli_cuts_bytes(&f->cuts, s->values + at, last - at, (uint8_t)f->n_bins, bins, 1);
    for (int64_t k = 0; k < last - at; k++) {
        if (f->bundled && bins[k] == f->usual) continue;
        out[(s->rows[at + k] - begin) * a->stride] = in_column(f, bins[k]);
    }
}

/* The resting row, and where it is needed only. */
static ml_status make_resting(mli_applying *a, ml_error *err)
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

/* Bins that are not the usual one, eight looked at in turn; bins has 7 more. */
static void write_unusual(const mli_bin_feature *f, const uint8_t *bins, int64_t n,
                          uint8_t *out, int64_t stride)
{
    const uint8_t usual = (uint8_t)f->usual;
    const uint64_t all = usual * UINT64_C(0x0101010101010101);
    for (int64_t i = 0; i < n; i += 8) {
        uint64_t eight;
        memcpy(&eight, bins + i, sizeof eight);
        if (eight == all) continue;
        for (int64_t k = i; k < i + 8 && k < n; k++)
            if (bins[k] != usual) out[k * stride] = in_column(f, bins[k]);
    }
}

/* A feature of two bins, of floats that stand row by row. In these, all that is not above
 * the cut is usual, NaN too. */
static int write_flags(const mli_applying *a, int32_t feature, int64_t begin, int64_t end,
                       uint8_t *out)
{
    const mli_bin_feature *f = &a->binner->features[feature];
    int64_t step = a->rows.step / (int64_t)sizeof(float), stride = a->stride;
    if (f->n_bins != 2 || f->usual || a->rows.size != sizeof(float)) return 0;
    const float *x = (const float *)(const void *)a->rows.first + begin * step + feature;
    const double cut = f->cuts.cut[0];
    const uint8_t above = in_column(f, 1);
    for (int64_t i = 0; i < end - begin; i++)
        if ((double)x[i * step] > cut) out[i * stride] = above;
    return 1;
}

/* All features of a bundle: where none is away from its usual bin, the column is 0. */
static void write_bundle(const mli_applying *a, int32_t column, int64_t begin,
                         int64_t end, double *x, uint8_t *out)
{
    const mli_binner *b = a->binner;
    uint8_t bins[BLOCK_ROWS + 7];
    mli_sparse s;
    for (int64_t i = 0; !a->resting && i < end - begin; i++) out[i * a->stride] = 0;
    for (int32_t j = b->feature[column]; j >= 0; j = b->features[j].next) {
        const mli_bin_feature *f = &b->features[j];
        if (mli_apply_rests(a, j, &s)) {
            write_sparse(a, j, &s, begin, end, out);
            continue;
        }
        if (write_flags(a, j, begin, end, out)) continue;
        mli_design_f64(a->design, j, begin, end, x, 1);
        mli_cuts_bytes(&f->cuts, x, end - begin, (uint8_t)f->usual, bins, 1);
        write_unusual(f, bins, end - begin, out, a->stride);
    }
}

void mli_apply_column(const mli_applying *a, int32_t c, int64_t begin, int64_t end,
                      double *x, uint8_t *out)
{
    const mli_binner *b = a->binner;
    const mli_bin_feature *f = &b->features[b->feature[c]];
    mli_sparse s;
    if (f->bundled) {
        write_bundle(a, c, begin, end, x, out);
        return;
    }
    if (f->row_bin && a->design == b->design) {
        for (int64_t i = begin; i < end; i++)
            out[(i - begin) * a->stride] = f->row_bin[i];
        return;
    }
    if (mli_apply_rests(a, b->feature[c], &s)) {
        write_sparse(a, b->feature[c], &s, begin, end, out);
        return;
    }
    mli_design_f64(a->design, b->feature[c], begin, end, x, 1);
    if (f->kind == MLI_CATEGORICAL)
        write_levels(f, x, end - begin, out, a->stride);
    else
        mli_cuts_bytes(&f->cuts, x, end - begin, (uint8_t)f->n_bins, out, a->stride);
}

void mli_apply_rows(const mli_applying *a, int64_t begin, int64_t end, double *x,
                    uint8_t *out)
{
    const mli_binner *b = a->binner;
    mli_bin_fetch(&a->rows, 0, a->design->n_features, begin, end);
    for (int64_t i = 0; a->resting && i < end - begin; i++)
        memcpy(out + i * a->stride, a->resting, (size_t)b->n_columns);
    for (int32_t c = 0; c < b->n_used; c++)
        mli_apply_column(a, c, begin, end, x, out + c);
    for (int32_t c = b->n_used; c < b->n_columns; c++)
        for (int64_t i = 0; i < end - begin; i++) out[i * a->stride + c] = 0;
}

static void apply_task(void *arg, int64_t task, int32_t slot)
{
    const mli_applying *a = arg;
    if (mli_run_state(a->run) == ML_CANCEL) return;
    int64_t begin = task * a->block, end = begin + a->block;
    if (end > a->design->rows) end = a->design->rows;
    mli_apply_rows(a, begin, end, a->scratch + (int64_t)slot * BLOCK_ROWS,
                   a->out + begin * a->stride);
}

ml_status mli_applying_make(mli_applying *a, const mli_binner *b, const mli_design *d,
                            mli_run *run, ml_error *err)
{
    *a = (mli_applying){.binner = b, .design = d, .run = run, .stride = b->stride};
    a->rows = mli_bin_by_row(d);
    a->block = block_rows(&a->rows);
    a->scratch =
        mli_alloc_vec(b->ctx, (int64_t)mli_slots(b->ctx) * BLOCK_ROWS, sizeof(double));
    return a->scratch ? make_resting(a, err) : mli_nomem(err);
}

void mli_applying_free(mli_applying *a)
{
    mli_free(a->binner->ctx, a->scratch);
    mli_free(a->binner->ctx, a->resting);
}

ml_status mli_binner_apply(const mli_binner *b, const mli_design *design, mli_run *run,
                           uint8_t **out, ml_error *err)
{
    mli_applying a;
    ml_status status = mli_applying_make(&a, b, design, run, err);
    if (!status) {
        a.out = mli_alloc_vec(b->ctx, design->rows * b->stride + 64, 1);
        if (!a.out) status = mli_nomem(err);
    }
    if (!status) {
        memset(a.out + design->rows * b->stride, 0, 64);
        mli_parallel(b->ctx, mli_task_count(design->rows, a.block), apply_task, &a);
        status = mli_run_check(run, err);
    }
    mli_applying_free(&a);
    if (status != ML_OK)
        mli_free(b->ctx, a.out);
    else
        *out = a.out;
    return status;
}
