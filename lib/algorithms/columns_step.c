/* SPDX-License-Identifier: MIT
 *
 * algorithms/columns_step.c: the columns that a transformer makes of one feature each,
 * from column to column. Columns that would be the same are shared. Others of numbers are
 * made a piece at a time, which stays in the nearest cache, or written past the caches at
 * once where the plan can. Cost: one pass over memory.
 */
#include "algorithms/columns_parts.h"

#include <string.h>

#define CHUNK 4096  /* rows of one column at a time, */
#define PIECE 1024  /* of which so many stay in the nearest cache, */
#define LESS  512   /* or so many that are read into memory first */
#define WIDE  16384 /* values made of one column before they are turned */
#define LINE  64    /* bytes of a line of the caches */
#define LOOK  16384 /* rows looked through for missing values */

/* ---- columns that stay as they are ---- */

typedef struct {
    const mli_plan *plan;
    const mli_design *design;
    mli_turning *t;
    atomic_uchar *missing; /* [features] */
    int64_t parts;
} looking;

/* Is feature j, which the plan leaves as it is, held as the output would be? */
static int may_stay(const mli_plan *plan, const mli_design *d, const mli_turning *t,
                    int64_t j)
{
    int64_t first = plan->first[j];
    if (plan->first[j + 1] - first != 1 || (t->way && t->way[first] != MLI_PLAIN))
        return 0;
    if (t->outputs->features[first].kind != MLI_NUMERIC ||
        t->outputs->features[first].truth)
        return 0;
    return plan->same(plan, j) && mli_design_place(d, j, 0) && !d->columns[j].values;
}

static void look(void *arg, int64_t task, int32_t slot)
{
    const looking *s = arg;
    int64_t j = task / s->parts, begin = task % s->parts * LOOK;
    int64_t end = begin + LOOK;
    (void)slot;
    if (!mli_stays(s->t, s->plan, j) || atomic_load(&s->missing[j])) return;
    if (end > s->design->rows) end = s->design->rows;
    const double *x = mli_design_place(s->design, j, begin);
    if (mli_any_missing(s->design->ctx, x, end - begin)) atomic_store(&s->missing[j], 1);
}

ml_status mli_step_share(const mli_plan *plan, const mli_design *d, mli_turning *t,
                         ml_error *err)
{
    looking s = {plan, d, t, NULL, mli_task_count(d->rows, LOOK)};
    int64_t any = 0;
    if (!plan->same) return ML_OK;
    t->shared = mli_calloc(d->ctx, (size_t)plan->n_outputs + 1, sizeof *t->shared);
    s.missing = mli_calloc(d->ctx, (size_t)plan->n_features + 1, sizeof *s.missing);
    if (!t->shared || !s.missing) {
        mli_free(d->ctx, s.missing);
        return mli_nomem(err);
    }
    for (int64_t j = 0; j < plan->n_features; j++)
        if (may_stay(plan, d, t, j)) any += t->shared[plan->first[j]] = 1;
    if (any) mli_parallel(d->ctx, plan->n_features * s.parts, look, &s);
    for (int64_t j = 0; j < plan->n_features; j++)
        if (mli_stays(t, plan, j) && atomic_load(&s.missing[j]))
            t->shared[plan->first[j]] = 0;
    mli_free(d->ctx, s.missing);
    return ML_OK;
}

int mli_stays(const mli_turning *t, const mli_plan *plan, int64_t j)
{
    int64_t first = plan->first[j];
    return t->shared && plan->first[j + 1] > first && t->shared[first];
}

/* ---- columns that are made ---- */

typedef struct {
    mli_turning *t;
    const mli_plan *plan;
    const mli_design *design;
    const mli_run *run;
    int64_t chunks, per_slot;
    double *memory; /* [slots]: a chunk of input, what is made of it */
} stepping;

/* `made` holds a piece. Returns how many are missing. */
static int64_t make_pieces(const stepping *s, int64_t j, const double *in, int64_t n,
                           double *made, double *to)
{
    int64_t missing = 0;
    for (int64_t at = 0; at < n; at += PIECE) {
        int64_t count = n - at < PIECE ? n - at : PIECE;
        const double *next = n - at >= 2 * PIECE ? in + at + PIECE : NULL;
        s->plan->column(s->plan, j, in + at, count, made, 1);
        missing += mli_store_piece(made, count, next, s->t->store, to + at);
    }
    return missing;
}

/* One column of numbers; rows that do not stand in place are read into memory. */
static void make_numbers(const stepping *s, int64_t j, int64_t begin, int64_t n,
                         double *memory)
{
    const mli_plan *plan = s->plan;
    int64_t first = plan->first[j], missing = 0;
    double *to = (double *)(uintptr_t)s->t->table->columns[first].data + begin;
    int past = s->t->store == MLI_STORE_WIDE && plan->stream && (uintptr_t)to % 64 == 0;
    const double *in = mli_design_place(s->design, j, begin);
    const float *floats =
        past && plan->stream_floats ? mli_design_floats(s->design, j, begin) : NULL;
    if (floats) missing = plan->stream_floats(plan, j, floats, n, to);
    int64_t size = in ? n : LESS, at = floats && missing >= 0 ? n : 0;
    if (at == 0) missing = 0;
    for (; at < n; at += size) {
        int64_t count = n - at < size ? n - at : size;
        if (!in) mli_design_f64(s->design, j, begin + at, begin + at + count, memory, 1);
        const double *from = in ? in : memory;
        missing += past ? plan->stream(plan, j, from, count, to + at)
                        : make_pieces(s, j, from, count, memory + CHUNK, to + at);
    }
    if (missing) atomic_fetch_add(&s->t->missing[first], missing);
}

/* Several outputs, or codes: made beside each other and turned. */
static void make_wide(const stepping *s, int64_t j, const double *in, int64_t begin,
                      int64_t n, double *made)
{
    int64_t first = s->plan->first[j], wide = s->plan->first[j + 1] - first;
    int64_t rows = WIDE / wide > 0 ? WIDE / wide : 1;
    for (int64_t at = 0; at < n; at += rows) {
        int64_t count = n - at < rows ? n - at : rows;
        s->plan->column(s->plan, j, in + at, count, made, wide);
        mli_turn_some(s->t, first, wide, begin + at, count, made, wide);
    }
}

static void zero_bits(const stepping *s, int64_t j, int64_t begin, int64_t n)
{
    for (int64_t k = s->plan->first[j]; k < s->plan->first[j + 1]; k++)
        if (mli_is_truth(s->t, k))
            memset((uint8_t *)(uintptr_t)s->t->table->columns[k].data + begin / 8, 0,
                   (size_t)(n + 7) / 8);
}

/* Bits of columns of which at most one has each row, gathered for a line of each column,
 * which stay in the nearest cache. */
static void set_hot(const stepping *s, int64_t j, int64_t begin, int64_t n,
                    int32_t *which, uint8_t *lines)
{
    const mli_column *columns = s->t->table->columns + s->plan->first[j];
    int64_t wide = s->plan->first[j + 1] - s->plan->first[j];
    s->plan->hot(s->plan, j, s->design->columns[j].codes + begin, n, which);
    for (int64_t at = 0; at < n; at += 8 * LINE) {
        int64_t count = n - at < 8 * LINE ? n - at : 8 * LINE;
        memset(lines, 0, (size_t)(wide * LINE));
        for (int64_t i = 0; i < count; i++)
            if (which[at + i] >= 0)
                lines[which[at + i] * LINE + (i >> 3)] |= (uint8_t)(1u << (i & 7));
        for (int64_t k = 0; k < wide; k++)
            mli_store_line(lines + k * LINE, s->t->store,
                           (uint8_t *)(uintptr_t)columns[k].data + (begin + at) / 8);
    }
}

/* The same for more columns than fit the caches. */
static void set_hot_wide(const stepping *s, int64_t j, int64_t begin, int64_t n,
                         int32_t *which)
{
    const mli_column *columns = s->t->table->columns + s->plan->first[j];
    s->plan->hot(s->plan, j, s->design->columns[j].codes + begin, n, which);
    zero_bits(s, j, begin, n);
    for (int64_t i = 0; i < n; i++) {
        if (which[i] < 0) continue;
        uint8_t *bits = (uint8_t *)(uintptr_t)columns[which[i]].data;
        bits[(begin + i) >> 3] |= (uint8_t)(1u << (i & 7));
    }
}

/* Bits of columns; a chunk begins at a whole line of them. */
static void make_bits(const stepping *s, int64_t j, int64_t begin, int64_t n,
                      double *memory)
{
    int64_t wide = s->plan->first[j + 1] - s->plan->first[j];
    int32_t *which = (int32_t *)(void *)memory;
    if (!s->plan->hot || !s->design->columns[j].codes) {
        zero_bits(s, j, begin, n);
        const double *in = mli_design_look(s->design, j, begin, begin + n, memory);
        make_wide(s, j, in, begin, n, memory + CHUNK);
    } else if (wide * LINE <= WIDE * (int64_t)sizeof(double)) {
        set_hot(s, j, begin, n, which, (uint8_t *)(memory + CHUNK));
    } else {
        set_hot_wide(s, j, begin, n, which);
    }
}

static void step(void *arg, int64_t task, int32_t slot)
{
    const stepping *s = arg;
    int64_t j = task / s->chunks, begin = task % s->chunks * CHUNK;
    int64_t n = s->design->rows - begin, first = s->plan->first[j];
    int64_t wide = s->plan->first[j + 1] - first;
    double *memory = s->memory + slot * s->per_slot;
    if (wide == 0 || (s->t->way && s->t->way[first] != MLI_PLAIN)) return;
    if (mli_stays(s->t, s->plan, j)) return;
    if (s->run && mli_run_state(s->run) == ML_CANCEL) return;
    if (n > CHUNK) n = CHUNK;
    if (mli_is_truth(s->t, first)) {
        make_bits(s, j, begin, n, memory);
        mli_store_done();
        return;
    }
    if (wide > 1 || s->t->outputs->features[first].kind != MLI_NUMERIC) {
        const double *in = mli_design_look(s->design, j, begin, begin + n, memory);
        zero_bits(s, j, begin, n);
        make_wide(s, j, in, begin, n, memory + CHUNK);
    } else {
        make_numbers(s, j, begin, n, memory);
    }
    mli_store_done();
}

ml_status mli_step_run(const mli_plan *plan, const mli_design *d, mli_run *run,
                       mli_turning *t, ml_error *err)
{
    stepping s = {t, plan, d, run, mli_task_count(d->rows, CHUNK), WIDE, NULL};
    for (int64_t j = 0; j < plan->n_features; j++) {
        int64_t wide = plan->first[j + 1] - plan->first[j];
        if (wide > s.per_slot) s.per_slot = wide;
    }
    s.per_slot += CHUNK;
    mli_pool *pool = mli_parallel_hold(d->ctx);
    s.memory = mli_alloc_vec(d->ctx, mli_slots(d->ctx) * s.per_slot, sizeof *s.memory);
    if (s.memory) mli_parallel(d->ctx, plan->n_features * s.chunks, step, &s);
    mli_parallel_release(pool);
    if (!s.memory) return mli_nomem(err);
    mli_free(d->ctx, s.memory);
    return run ? mli_run_check(run, err) : ML_OK;
}
