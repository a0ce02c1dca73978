/* SPDX-License-Identifier: MIT
 *
 * predictor_rows.c: predicting plain rows. A few rows cost the plan's own work and a
 * handful of comparisons; many are cut into blocks, and with threads into tasks.
 */
#include "core/parallel.h"
#include "inference/predictor.h"

/* From so many rows on, threads are worth waking. */
#define PARALLEL_ROWS 2048
#define TASK_ROWS     1024

typedef struct batch {
    const ml_predictor *p;
    const void *rows;
    int32_t dtype;
    int64_t count, stride;
    double *out;
} batch;

static const void *row_at(const batch *b, int64_t i)
{
    if (b->dtype == ML_DTYPE_F64) return (const double *)b->rows + i * b->stride;
    return (const float *)b->rows + i * b->stride;
}

/* n floats rows to doubles without gaps. */
static void widen(const float *rows, int64_t n, int64_t stride, int64_t width, double *to)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < width; j++) to[i * width + j] = (double)rows[j];
        rows += stride;
    }
}

/* At most a block of rows. */
static void run_block(const batch *b, int64_t begin, int64_t n, unsigned char *slot)
{
    const mli_plan *plan = b->p->plan;
    const void *rows = row_at(b, begin);
    double *out = b->out + begin * plan->n_outputs;
    if (b->dtype == ML_DTYPE_F64) {
        plan->run(plan, rows, n, b->stride, out, slot);
    } else if (plan->run_f32) {
        plan->run_f32(plan, rows, n, b->stride, out, slot);
    } else {
        double *wide = (double *)(void *)(slot + b->p->slot_block);
        widen(rows, n, b->stride, plan->n_features, wide);
        plan->run(plan, wide, n, plan->n_features, out, slot);
    }
}

static void run_range(const batch *b, int64_t begin, int64_t end, unsigned char *slot)
{
    int64_t block = b->p->block;
    for (; begin < end; begin += block)
        run_block(b, begin, end - begin < block ? end - begin : block, slot);
}

static void task(void *arg, int64_t index, int32_t slot)
{
    const batch *b = arg;
    int64_t begin = index * TASK_ROWS, end = begin + TASK_ROWS;
    run_range(b, begin, end < b->count ? end : b->count,
              b->p->memory + (size_t)slot * b->p->slot_size);
}

/* 1 when done. The number of threads may have been changed since the predictor was made:
 * then there may be too few slots. */
static int run_parallel(batch *b)
{
    if (b->count < PARALLEL_ROWS || b->p->slots < 2) return 0;
    mli_pool *pool = mli_parallel_hold(b->p->ctx);
    int32_t slots = mli_slots(b->p->ctx);
    int fits = slots > 1 && slots <= b->p->slots;
    if (fits) mli_parallel(b->p->ctx, mli_task_count(b->count, TASK_ROWS), task, b);
    mli_parallel_release(pool);
    return fits;
}

ml_status mli_predictor_numbers(const ml_predictor *p, int32_t dtype, int64_t count,
                                ml_error *err)
{
    if (count < 0) return mli_fail(err, ML_E_ARGUMENT, "count is negative");
    if (dtype != ML_DTYPE_F64 && dtype != ML_DTYPE_F32) {
        mli_fail(err, ML_E_TYPE, "rows are ML_DTYPE_F64 or ML_DTYPE_F32, not %d",
                 (int)dtype);
        return mli_error_hint(err, ML_E_TYPE, "convert the rows");
    }
    if (count == 0) return ML_OK;
    if (p->text >= 0) {
        mli_fail(err, ML_E_UNSUPPORTED,
                 "plain rows are numbers, and this model reads text");
        mli_error_at(err, ML_E_UNSUPPORTED, "column \"%s\"",
                     p->inputs->features[p->text].name);
        return mli_error_hint(err, ML_E_UNSUPPORTED, "predict from a table");
    }
    if (!p->training) return ML_OK;
    mli_fail(err, ML_E_UNSUPPORTED,
             "plain rows have no target, which rows of training need");
    return mli_error_hint(err, ML_E_UNSUPPORTED,
                          "give a table, or leave params.training at false");
}

static ml_status bad_rows(const ml_predictor *p, const void *rows, int32_t dtype,
                          int64_t count, int64_t stride, const double *out, ml_error *err)
{
    if (!p) return mli_null(err, "predictor");
    ml_status status = mli_predictor_numbers(p, dtype, count, err);
    if (status || count == 0) return status;
    if (!rows) return mli_null(err, "rows");
    if (!out) return mli_null(err, "out");
    return mli_fail(err, ML_E_ARGUMENT,
                    "stride is %lld, a row has %lld inputs: it must be at least that",
                    (long long)stride, (long long)p->plan->n_features);
}

ml_status ml_predictor_rows(ml_predictor *predictor, const void *rows, int32_t dtype,
                            int64_t count, int64_t stride, double *out, ml_error *error)
{
    const ml_predictor *p = predictor;
    if (!p || !rows || !out || count <= 0 || p->text >= 0 || p->training ||
        stride < p->plan->n_features || (dtype != ML_DTYPE_F64 && dtype != ML_DTYPE_F32))
        return bad_rows(p, rows, dtype, count, stride, out, error);
    batch b = {p, rows, dtype, count, stride, out};
    if (count <= p->block)
        run_block(&b, 0, count, p->memory);
    else if (!run_parallel(&b))
        run_range(&b, 0, count, p->memory);
    return ML_OK;
}
