/* SPDX-License-Identifier: MIT
 *
 * predictor_sparse.c: predicting sparse rows. Plans that can take them as they are do so.
 * For the others some rows at a time are filled into a block of a worker's memory, and
 * taken out again, so that the cost beyond that of the plan is by stored values.
 */
#include "core/parallel.h"
#include "inference/predictor.h"

#include <math.h>
#include <string.h>

#define TASK_ROWS     1024
#define PARALLEL_ROWS 2048      /* from so many rows on, threads are worth waking, */
#define PARALLEL_WORK (1 << 20) /* or from so many values that rows are filled with */
#define BLOCK_BYTES   (256u << 10)
#define MEMORY_BYTES  (16u << 20) /* of blocks for many threads, at most */

typedef struct batch {
    const ml_predictor *p;
    mli_csr rows;
    int twice;     /* a row lists a feature twice */
    int as_floats; /* blocks are of floats */
    int64_t task_rows;
    double *out;
} batch;

/* ---- what rows may be ---- */

static ml_status bad_offset(const batch *b, int64_t row, ml_error *err)
{
    mli_fail(err, ML_E_ARGUMENT, "offsets must ascend from 0 or more: %lld, then %lld",
             (long long)mli_csr_offset(&b->rows, row),
             (long long)mli_csr_offset(&b->rows, row + 1));
    return mli_error_at(err, ML_E_ARGUMENT, "row %lld", (long long)row);
}

static ml_status bad_column(const batch *b, int64_t row, int64_t column, ml_error *err)
{
    mli_fail(err, ML_E_RANGE, "the model has %lld inputs, there is no number %lld",
             (long long)b->p->plan->n_features, (long long)column);
    mli_error_at(err, ML_E_RANGE, "row %lld", (long long)row);
    return mli_error_hint(err, ML_E_RANGE, "numbers of inputs begin at 0");
}

/* Does a row list a feature twice? Columns that ascend do not; others are marked. */
static int lists_twice(const batch *b, int64_t from, int64_t to, uint64_t *marks)
{
    int twice = 0;
    for (int64_t i = from; i < to; i++) {
        int64_t c = mli_csr_column(&b->rows, i);
        uint64_t bit = (uint64_t)1 << (c & 63);
        twice |= (marks[c >> 6] & bit) != 0;
        marks[c >> 6] |= bit;
    }
    for (int64_t i = from; i < to; i++) marks[mli_csr_column(&b->rows, i) >> 6] = 0;
    return twice;
}

static ml_status check_row(batch *b, int64_t row, uint64_t *marks, ml_error *err)
{
    int64_t from = mli_csr_offset(&b->rows, row);
    int64_t to = mli_csr_offset(&b->rows, row + 1), last = -1, ascend = 1;
    if (from < 0 || to < from) return bad_offset(b, row, err);
    for (int64_t i = from; i < to; i++) {
        int64_t c = mli_csr_column(&b->rows, i);
        if (c < 0 || c >= b->p->plan->n_features) return bad_column(b, row, c, err);
        ascend &= c > last;
        last = c;
    }
    if (!ascend) b->twice |= lists_twice(b, from, to, marks);
    return ML_OK;
}

static ml_status check_rows(batch *b, ml_error *err)
{
    ml_status status = ML_OK;
    for (int64_t i = 0; i < b->rows.count && !status; i++)
        status = check_row(b, i, b->p->marks, err);
    return status;
}

/* ---- rows in full ---- */

#define FILL(name, type)                                                                 \
    /* Puts the values of row i into a row of `absent`. */                               \
    static void name##_put(const batch *b, int64_t i, type *row)                         \
    {                                                                                    \
        const mli_csr *s = &b->rows;                                                     \
        int64_t end = mli_csr_offset(s, i + 1);                                          \
        for (int64_t k = mli_csr_offset(s, i); k < end; k++)                             \
            row[mli_csr_column(s, k)] = (type)mli_csr_value(s, k);                       \
    }                                                                                    \
                                                                                         \
    /* The same, adding those of the same feature. */                                    \
    static void name##_add(const batch *b, int64_t i, type *row, uint64_t *marks)        \
    {                                                                                    \
        const mli_csr *s = &b->rows;                                                     \
        int64_t begin = mli_csr_offset(s, i), end = mli_csr_offset(s, i + 1);            \
        for (int64_t k = begin; k < end; k++) {                                          \
            int64_t c = mli_csr_column(s, k);                                            \
            uint64_t bit = (uint64_t)1 << (c & 63);                                      \
            double v = mli_csr_value(s, k);                                              \
            if (marks[c >> 6] & bit) v += (double)row[c];                                \
            row[c] = (type)(s->floats ? (double)(float)v : v);                           \
            marks[c >> 6] |= bit;                                                        \
        }                                                                                \
        for (int64_t k = begin; k < end; k++) marks[mli_csr_column(s, k) >> 6] = 0;      \
    }                                                                                    \
                                                                                         \
    static void name##_clear(const batch *b, int64_t i, type *row)                       \
    {                                                                                    \
        const mli_csr *s = &b->rows;                                                     \
        int64_t end = mli_csr_offset(s, i + 1);                                          \
        for (int64_t k = mli_csr_offset(s, i); k < end; k++)                             \
            row[mli_csr_column(s, k)] = (type)s->absent;                                 \
    }                                                                                    \
                                                                                         \
    static void name(                                                                    \
        const batch *b, int64_t begin, int64_t end, type *rows, uint64_t *marks,         \
        void *scratch,                                                                   \
        void (*run)(const mli_plan *, const type *, int64_t, int64_t, double *, void *)) \
    {                                                                                    \
        const mli_plan *plan = b->p->plan;                                               \
        int64_t width = plan->n_features, block = b->p->sparse_rows;                     \
        if (end - begin < block) block = end - begin;                                    \
        for (int64_t i = 0; i < block * width; i++) rows[i] = (type)b->rows.absent;      \
        for (; begin < end; begin += block) {                                            \
            if (end - begin < block) block = end - begin;                                \
            for (int64_t i = 0; i < block; i++) {                                        \
                if (b->twice)                                                            \
                    name##_add(b, begin + i, rows + i * width, marks);                   \
                else                                                                     \
                    name##_put(b, begin + i, rows + i * width);                          \
            }                                                                            \
            run(plan, rows, block, width, b->out + begin * plan->n_outputs, scratch);    \
            for (int64_t i = 0; i < block; i++)                                          \
                name##_clear(b, begin + i, rows + i * width);                            \
        }                                                                                \
    }
FILL(fill_f64, double)
FILL(fill_f32, float)

static void run_range(const batch *b, int64_t begin, int64_t end, int32_t slot)
{
    const ml_predictor *p = b->p;
    const mli_plan *plan = p->plan;
    void *scratch = p->memory + (size_t)slot * p->slot_size;
    int straight =
        plan->run_sparse && !b->twice && (b->rows.absent == 0 || isnan(b->rows.absent));
    if (straight) {
        plan->run_sparse(plan, &b->rows, begin, end - begin,
                         b->out + begin * plan->n_outputs, scratch);
        return;
    }
    unsigned char *block = p->sparse + (size_t)slot * p->sparse_size;
    uint64_t *marks = (uint64_t *)(void *)(block + p->sparse_block);
    if (b->as_floats)
        fill_f32(b, begin, end, (float *)(void *)block, marks, scratch, plan->run_f32);
    else
        fill_f64(b, begin, end, (double *)(void *)block, marks, scratch, plan->run);
}

static void task(void *arg, int64_t index, int32_t slot)
{
    const batch *b = arg;
    int64_t begin = index * b->task_rows, end = begin + b->task_rows;
    run_range(b, begin, end < b->rows.count ? end : b->rows.count, slot);
}

/* ---- memory ---- */

static size_t round_up(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

/* Of blocks and marks, made by the first call. */
static ml_status make_memory(ml_predictor *p, ml_error *err)
{
    size_t width = (size_t)p->plan->n_features, row = (width + 1) * sizeof(double);
    size_t words = (width / 64 + 1) * sizeof(uint64_t);
    if (p->sparse) return ML_OK;
    p->sparse_rows = (int64_t)(BLOCK_BYTES / row);
    if (p->sparse_rows < 1) p->sparse_rows = 1;
    if (p->sparse_rows > p->block) p->sparse_rows = p->block;
    p->sparse_block = round_up((size_t)p->sparse_rows * row);
    p->sparse_size = p->sparse_block + round_up(words);
    p->sparse_slots = p->slots;
    if (p->sparse_size * (size_t)p->slots > MEMORY_BYTES) p->sparse_slots = 1;
    p->sparse = mli_alloc_vec(p->ctx, p->sparse_slots, p->sparse_size);
    if (!p->sparse) return mli_nomem(err);
    for (int32_t i = 0; i < p->sparse_slots; i++) {
        unsigned char *marks = p->sparse + (size_t)i * p->sparse_size + p->sparse_block;
        memset(marks, 0, words);
    }
    p->marks = (uint64_t *)(void *)(p->sparse + p->sparse_block);
    return ML_OK;
}

/* ---- the whole ---- */

static ml_status bad_call(const ml_predictor *p, const void *offsets, const void *columns,
                          int32_t index_dtype, const void *values, int32_t dtype,
                          int64_t count, const double *out, ml_error *err)
{
    if (!p) return mli_null(err, "predictor");
    if (index_dtype != ML_DTYPE_I32 && index_dtype != ML_DTYPE_I64) {
        return mli_fail(err, ML_E_TYPE,
                        "offsets and columns are ML_DTYPE_I32 or ML_DTYPE_I64, not %d",
                        (int)index_dtype);
    }
    ml_status status = mli_predictor_numbers(p, dtype, count, err);
    if (status || count == 0) return status;
    if (!offsets) return mli_null(err, "offsets");
    if (!columns) return mli_null(err, "columns");
    if (!values) return mli_null(err, "values");
    return out ? ML_OK : mli_null(err, "out");
}

/* 1 when done: see predictor_rows.c. */
static int run_parallel(batch *b)
{
    const ml_predictor *p = b->p;
    int64_t count = b->rows.count, width = p->plan->n_features;
    b->task_rows = TASK_ROWS;
    if (!p->plan->run_sparse && count * width >= PARALLEL_WORK)
        b->task_rows = PARALLEL_WORK / 16 / width + 1;
    else if (count < PARALLEL_ROWS)
        return 0;
    if (p->sparse_slots < 2) return 0;
    mli_pool *pool = mli_parallel_hold(p->ctx);
    int32_t slots = mli_slots(p->ctx);
    int fits = slots > 1 && slots <= p->sparse_slots;
    if (fits) mli_parallel(p->ctx, mli_task_count(count, b->task_rows), task, b);
    mli_parallel_release(pool);
    return fits;
}

ml_status ml_predictor_sparse_rows(ml_predictor *predictor, const void *offsets,
                                   const void *columns, int32_t index_dtype,
                                   const void *values, int32_t dtype, int64_t count,
                                   double absent, double *out, ml_error *error)
{
    ml_predictor *p = predictor;
    ml_status status =
        bad_call(p, offsets, columns, index_dtype, values, dtype, count, out, error);
    if (status || count == 0) return status;
    batch b = {.p = p, .out = out};
    b.rows = (mli_csr){.offsets = offsets,
                       .columns = columns,
                       .values = values,
                       .wide = index_dtype == ML_DTYPE_I64,
                       .floats = dtype == ML_DTYPE_F32,
                       .count = count,
                       .absent = absent};
    b.as_floats = b.rows.floats && p->plan->run_f32;
    status = make_memory(p, error);
    if (!status) status = check_rows(&b, error);
    if (status) return status;
    if (!run_parallel(&b)) run_range(&b, 0, count, 0);
    return ML_OK;
}
