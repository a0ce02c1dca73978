/* SPDX-License-Identifier: MIT
 *
 * trees/cuts.c: making and using the tables of trees/cuts.h. Cost per value: one table
 * look-up and `steps` compares, 0 to 2 in the usual case.
 */
#include "algorithms/trees/cuts.h"
#include <math.h>

#define MAX_BUCKETS 16384

/* The most cuts that share a bucket. */
static int32_t crowding(const mli_cuts *c, const double *cut, int32_t n)
{
    int32_t most = 0, run = 0, before = -1;
    for (int32_t i = 0; i < n; i++) {
        int32_t bucket = mli_cuts_bucket(c, cut[i]);
        run = bucket == before ? run + 1 : 1;
        before = bucket;
        if (run > most) most = run;
    }
    return most;
}

static int32_t steps_for(int32_t most)
{
    int32_t steps = 0;
    while ((1 << steps) - 1 < most) steps++;
    return steps;
}

static int set_linear(mli_cuts *c, const double *cut, int32_t n, int32_t buckets)
{
    double low = cut[0], high = cut[n - 1];
    if (isinf(low) && n > 1) low = cut[1];
    double width = high - low;
    if (!(width > 0) || isinf(width)) return 0;
    c->linear = 1;
    c->last = buckets - 1;
    c->low = low;
    c->scale = (double)buckets / width;
    return isfinite(c->scale);
}

static void set_keys(mli_cuts *c, const double *cut, int32_t n, int32_t buckets)
{
    c->linear = 0;
    c->key_low = mli_key32(cut[0]);
    c->key_high = mli_key32(cut[n - 1]);
    uint32_t span = (uint32_t)c->key_high - (uint32_t)c->key_low;
    c->key_shift = 0;
    while (span >> c->key_shift >= (uint32_t)buckets) c->key_shift++;
    c->last = (int32_t)(span >> c->key_shift);
}

static int32_t bucket_count(int32_t n, int64_t rows)
{
    int32_t buckets = 16;
    while (buckets < 4 * n && buckets < MAX_BUCKETS && buckets < rows) buckets *= 2;
    return buckets;
}

/* Chooses the kind of buckets; fills in all but the arrays. */
static void choose(mli_cuts *c, const double *cut, int32_t n, int64_t rows)
{
    int32_t buckets = bucket_count(n, rows);
    set_keys(c, cut, n, buckets * 2);
    c->steps = steps_for(crowding(c, cut, n));
    mli_cuts other = *c;
    if (!set_linear(&other, cut, n, buckets)) return;
    other.steps = steps_for(crowding(&other, cut, n));
    if (other.steps <= c->steps) *c = other;
}

ml_status mli_cuts_make(ml_context *ctx, const double *cut, int32_t n, int64_t rows,
                        mli_cuts *out, ml_error *err)
{
    mli_cuts c = {.n = n};
    if (n > 0) choose(&c, cut, n, rows);
    int64_t pad = (int64_t)1 << c.steps;
    c.cut = mli_alloc_vec(ctx, n + pad, sizeof *c.cut);
    c.start = mli_calloc(ctx, (size_t)c.last + 2, sizeof *c.start);
    if (!c.cut || !c.start) {
        mli_cuts_free(ctx, &c);
        return mli_nomem(err);
    }
    for (int32_t i = 0; i < n; i++) {
        c.cut[i] = cut[i];
        c.start[mli_cuts_bucket(&c, cut[i]) + 1]++;
    }
    for (int64_t i = n; i < n + pad; i++) c.cut[i] = INFINITY;
    for (int32_t b = 1; b <= c.last; b++)
        c.start[b] = (uint16_t)(c.start[b] + c.start[b - 1]);
    *out = c;
    return ML_OK;
}

void mli_cuts_free(ml_context *ctx, mli_cuts *cuts)
{
    mli_free(ctx, cuts->cut);
    mli_free(ctx, cuts->start);
    memset(cuts, 0, sizeof *cuts);
}

#define BYTES_LOOP(BUCKET, SEARCH)                                                       \
    for (int64_t i = 0; i < n; i++) {                                                    \
        double v = x[i];                                                                 \
        int32_t b = k.start[BUCKET];                                                     \
        SEARCH;                                                                          \
        out[i * stride] = v != v ? missing : (uint8_t)b;                                 \
    }
#define STEP(half) b += v > k.cut[b + (half)-1] ? (half) : 0
#define SEARCHES(BUCKET)                                                                 \
    switch (k.steps) {                                                                   \
    case 0:                                                                              \
        BYTES_LOOP(BUCKET, (void)0);                                                     \
        break;                                                                           \
    case 1:                                                                              \
        BYTES_LOOP(BUCKET, STEP(1));                                                     \
        break;                                                                           \
    case 2:                                                                              \
        BYTES_LOOP(BUCKET, STEP(2); STEP(1));                                            \
        break;                                                                           \
    case 3:                                                                              \
        BYTES_LOOP(BUCKET, STEP(4); STEP(2); STEP(1));                                   \
        break;                                                                           \
    default:                                                                             \
        BYTES_LOOP(BUCKET, for (int32_t half = 1 << k.steps >> 1; half > 0; half >>= 1)  \
                               STEP(half));                                              \
    }

static inline int32_t bucket_linear(double low, double scale, double last, double x)
{
    double t = (x - low) * scale;
    t = t > 0 ? t : 0;
    t = t < last ? t : last;
    return (int32_t)t;
}

static inline int32_t bucket_key(int32_t low, int32_t high, int32_t shift, double x)
{
    int32_t key = mli_key32(x);
    key = key < low ? low : key;
    key = key > high ? high : key;
    return (int32_t)(((uint32_t)key - (uint32_t)low) >> shift);
}

static void bytes_linear(const mli_cuts *c, const double *x, int64_t n, uint8_t missing,
                         uint8_t *out, int64_t stride)
{
    const mli_cuts k = *c;
    double low = k.low, scale = k.scale, last = k.last;
    SEARCHES(bucket_linear(low, scale, last, v))
}

static void bytes_keys(const mli_cuts *c, const double *x, int64_t n, uint8_t missing,
                       uint8_t *out, int64_t stride)
{
    const mli_cuts k = *c;
    int32_t low = k.key_low, high = k.key_high, shift = k.key_shift;
    SEARCHES(bucket_key(low, high, shift, v))
}

void mli_cuts_bytes(const mli_cuts *c, const double *x, int64_t n, uint8_t missing,
                    uint8_t *out, int64_t stride)
{
    if (c->n == 1) {
        double cut = c->cut[0];
        for (int64_t i = 0; i < n; i++)
            out[i * stride] = x[i] != x[i] ? missing : (uint8_t)(x[i] > cut);
        return;
    }
    if (c->linear)
        bytes_linear(c, x, n, missing, out, stride);
    else
        bytes_keys(c, x, n, missing, out, stride);
}
