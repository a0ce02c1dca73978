/* SPDX-License-Identifier: MIT
 *
 * linear/rows.c: building the blocks of standardised rows.
 */
#include "algorithms/linear/rows.h"
#include "core/parallel.h"

#include <math.h>
#include <string.h>

#define BLOCK 256
#define PAD   8 /* keeps columns apart by an odd number of cache lines */

static void choose_columns(mli_rows *r, int intercept)
{
    const mli_dense *d = r->dense;
    for (int64_t c = 0; c < d->n_columns; c++) {
        double size = intercept ? d->scale[c] : hypot(d->center[c], d->scale[c]);
        if (!(size > 0) || !isfinite(1.0 / size)) continue;
        r->column[r->p] = c;
        r->shift[r->p] = intercept ? d->center[c] : 0.0;
        r->size[r->p++] = size;
    }
    r->q = r->p + (intercept != 0);
    mli_rows_join(r);
}

typedef struct {
    mli_rows *rows;
    const mli_design *design;
    const mli_run *run;
    int64_t *kept; /* [n_columns] which column of the rows goes into the blocks, or -1 */
    double *scratch; /* per slot: a number and its column for missing values */
} filling;

/* The columns of a category. */
static void fill_levels(const filling *f, int64_t j, int64_t begin, int64_t end,
                        double *block)
{
    const mli_rows *r = f->rows;
    const mli_dense *d = r->dense;
    const int32_t *codes = f->design->columns[j].codes;
    int any = 0;
    for (int64_t c = d->first[j]; c < d->first[j + 1]; c++) {
        int64_t at = f->kept[c];
        if (at < 0) continue;
        double *x = block + r->place[at] * r->ld;
        for (int64_t i = 0; i < end - begin; i++)
            x[i] = (0.0 - r->shift[at]) * (1.0 / r->size[at]);
        any = 1;
    }
    for (int64_t i = begin; any && i < end; i++) {
        int64_t hot = mli_dense_hot(d, j, (double)codes[i]);
        int64_t at = hot >= 0 ? f->kept[hot] : -1;
        if (at < 0) continue;
        block[r->place[at] * r->ld + i - begin] =
            (1.0 - r->shift[at]) * (1.0 / r->size[at]);
    }
}

/* Columns of one feature in rows begin..end-1 into their places of a block. */
static void fill_feature(const filling *f, int64_t j, int64_t begin, int64_t end,
                         double *block, double *scratch)
{
    const mli_rows *r = f->rows;
    const mli_dense *d = r->dense;
    int64_t first = d->first[j], count = d->first[j + 1] - first, n = end - begin;
    int kept = count > 0 && (f->kept[first] >= 0 || f->kept[first + count - 1] >= 0);
    double *raw = count == 1 && kept ? block + r->place[f->kept[first]] * r->ld : scratch;
    if (f->design->columns[j].kind == MLI_CATEGORICAL)
        fill_levels(f, j, begin, end, block);
    if (f->design->columns[j].kind == MLI_CATEGORICAL || !kept) return;
    mli_dense_feature(d, f->design, j, begin, end, 0, raw, r->ld);
    for (int64_t c = 0; c < count; c++) {
        int64_t at = f->kept[first + c];
        if (at < 0) continue;
        r->k->standardize(r->shift[at], 1.0 / r->size[at], raw + c * r->ld,
                          block + r->place[at] * r->ld, n);
    }
}

static void fill_task(void *arg, int64_t task, int32_t slot)
{
    const filling *f = arg;
    mli_rows *r = f->rows;
    double *block = r->x + task * r->d * r->ld;
    int64_t begin = task * r->block;
    int64_t end = begin + r->block < r->n ? begin + r->block : r->n;
    if (f->run && mli_run_state(f->run) == ML_CANCEL) return;
    for (int64_t j = 0; j < r->dense->n_features; j++)
        fill_feature(f, j, begin, end, block, f->scratch + slot * 2 * r->ld);
    for (int64_t i = 0; r->q > r->p && i < r->ld; i++)
        block[r->place[r->p] * r->ld + i] = 1.0;
}

static ml_status allocate(mli_rows *r, ml_error *err)
{
    int64_t per_block, count;
    if (__builtin_mul_overflow(r->d, r->ld, &per_block) ||
        __builtin_mul_overflow(per_block, r->n_blocks, &count))
        return mli_nomem(err);
    r->x = mli_alloc_vec(r->ctx, count, sizeof *r->x);
    return r->x ? ML_OK : mli_nomem(err);
}

ml_status mli_rows_fill(mli_rows *r, const mli_design *design, const mli_run *run,
                        ml_error *err)
{
    const mli_dense *d = r->dense;
    filling f = {.rows = r, .design = design, .run = run};
    ml_status status = allocate(r, err);
    if (!status && r->sparse.n) status = mli_sparse_fill(r, design, run, err);
    if (status) return status;
    f.kept = mli_alloc_vec(r->ctx, d->n_columns + 1, sizeof *f.kept);
    f.scratch = mli_alloc_vec(r->ctx, mli_slots(r->ctx) * 2 * r->ld, sizeof(double));
    if (f.kept && f.scratch) {
        for (int64_t c = 0; c < d->n_columns; c++) f.kept[c] = -1;
        for (int64_t i = 0; i < r->p; i++)
            if (r->place[i] >= 0) f.kept[r->column[i]] = i;
        mli_parallel(r->ctx, r->n_blocks, fill_task, &f);
    }
    int failed = !f.kept || !f.scratch;
    mli_free(r->ctx, f.kept);
    mli_free(r->ctx, f.scratch);
    if (failed) return mli_nomem(err);
    return run ? mli_run_check(run, err) : ML_OK;
}

ml_status mli_rows_new(const mli_dense *dense, const mli_design *design,
                       const double *weight, int intercept, mli_rows **out, ml_error *err)
{
    ml_context *ctx = dense->ctx;
    size_t n = (size_t)dense->n_columns;
    mli_rows *r = mli_calloc(ctx, 1, sizeof *r);
    if (!r) return mli_nomem(err);
    r->ctx = ctx;
    r->k = mli_kernels_of(ctx);
    r->dense = dense;
    r->n = design->rows;
    r->weight = weight;
    r->total = weight ? r->k->sum(weight, r->n) : (double)r->n;
    r->column = mli_calloc(ctx, n, sizeof *r->column);
    r->place = mli_calloc(ctx, n + 1, sizeof *r->place);
    r->shift = mli_calloc(ctx, n, sizeof *r->shift);
    r->size = mli_calloc(ctx, n, sizeof *r->size);
    if (!r->column || !r->place || !r->shift || !r->size) {
        mli_rows_free(r);
        return mli_nomem(err);
    }
    choose_columns(r, intercept);
    r->block = r->n >= BLOCK ? BLOCK : (r->n + 15) / 16 * 16;
    r->ld = r->block + PAD;
    r->n_blocks = mli_task_count(r->n, r->block);
    *out = r;
    return ML_OK;
}

void mli_rows_free(mli_rows *r)
{
    if (!r) return;
    mli_sparse_free(r);
    mli_free(r->ctx, r->column);
    mli_free(r->ctx, r->place);
    mli_free(r->ctx, r->shift);
    mli_free(r->ctx, r->size);
    mli_free(r->ctx, r->x);
    mli_free(r->ctx, r);
}

void mli_rows_join(mli_rows *r)
{
    mli_sparse_free(r);
    mli_free(r->ctx, r->x);
    r->x = NULL;
    r->d = r->q;
    for (int64_t j = 0; j < r->q; j++) r->place[j] = j;
}

void mli_rows_coef(const mli_rows *r, const double *b, double *coef, double *intercept)
{
    for (int64_t c = 0; c < r->dense->n_columns; c++) coef[c] = 0;
    *intercept = r->q > r->p ? b[r->p] : 0.0;
    for (int64_t j = 0; j < r->p; j++) {
        coef[r->column[j]] = b[j] / r->size[j];
        *intercept -= b[j] * (r->shift[j] / r->size[j]);
    }
}
