/* SPDX-License-Identifier: MIT
 *
 * data/distinct.c: counting distinct keys: a table with open addressing, then
 * HyperLogLog.
 */
#include "data/distinct.h"

#include <math.h>
#include <string.h>

/* Few slots are used while there are few keys, so that small columns cost little. */
#define FIRST_SLOTS 256

int mli_distinct_init(mli_distinct *d, ml_context *ctx)
{
    memset(d, 0, sizeof *d);
    d->keys = mli_alloc(ctx, (MLI_DISTINCT_LIMIT + 1) * sizeof *d->keys);
    d->slots = mli_calloc(ctx, 2 * MLI_DISTINCT_LIMIT, sizeof *d->slots);
    d->registers = mli_calloc(ctx, MLI_DISTINCT_REGISTERS, 1);
    d->in_use = FIRST_SLOTS;
    return d->keys && d->slots && d->registers;
}

void mli_distinct_free(mli_distinct *d, ml_context *ctx)
{
    mli_free(ctx, d->keys);
    mli_free(ctx, d->slots);
    mli_free(ctx, d->registers);
}

void mli_distinct_clear(mli_distinct *d)
{
    memset(d->slots, 0, (size_t)d->in_use * sizeof *d->slots);
    memset(d->registers, 0, MLI_DISTINCT_REGISTERS);
    d->in_use = FIRST_SLOTS;
    d->count = 0;
    d->estimating = 0;
}

/* The register named by the first bits keeps the longest run of zeros in the others. */
static void estimate_add(mli_distinct *d, uint64_t hash)
{
    uint64_t rest = hash << MLI_DISTINCT_BITS | UINT64_C(1) << (MLI_DISTINCT_BITS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    uint8_t *r = &d->registers[hash >> (64 - MLI_DISTINCT_BITS)];
    if (rank > *r) *r = rank;
}

static void start_estimating(mli_distinct *d)
{
    for (int64_t i = 0; i < d->count; i++) estimate_add(d, mli_mix64(d->keys[i].key));
    d->estimating = 1;
}

/* The slot of a key, or the free one where it belongs. */
static int32_t *find_slot(const mli_distinct *d, uint64_t key)
{
    uint64_t mask = (uint64_t)d->in_use - 1, at = mli_mix64(key) & mask;
    while (d->slots[at] && d->keys[d->slots[at] - 1].key != key) at = (at + 1) & mask;
    return &d->slots[at];
}

static void use_more_slots(mli_distinct *d)
{
    memset(d->slots, 0, (size_t)d->in_use * sizeof *d->slots);
    d->in_use *= 4;
    if (d->in_use > 2 * MLI_DISTINCT_LIMIT) d->in_use = 2 * MLI_DISTINCT_LIMIT;
    for (int64_t i = 0; i < d->count; i++) {
        *find_slot(d, d->keys[i].key) = (int32_t)(i + 1);
    }
}

void mli_distinct_add(mli_distinct *d, uint64_t key, int64_t row)
{
    if (d->estimating) {
        estimate_add(d, mli_mix64(key));
        return;
    }
    int32_t *slot = find_slot(d, key);
    if (*slot) {
        d->keys[*slot - 1].count++;
        return;
    }
    d->keys[d->count] = (mli_distinct_key){key, 1, row};
    *slot = (int32_t)++d->count;
    if (d->count > MLI_DISTINCT_LIMIT) {
        start_estimating(d);
    } else if (2 * d->count > d->in_use && d->in_use < 2 * MLI_DISTINCT_LIMIT) {
        use_more_slots(d);
    }
}

int64_t mli_distinct_number(const mli_distinct *d)
{
    if (!d->estimating) return d->count;
    double sum = 0, m = MLI_DISTINCT_REGISTERS;
    for (int i = 0; i < MLI_DISTINCT_REGISTERS; i++) {
        sum += ldexp(1.0, -d->registers[i]);
    }
    return (int64_t)(0.7213 / (1 + 1.079 / m) * m * m / sum + 0.5);
}

int64_t mli_distinct_top(const mli_distinct *d, int64_t *row)
{
    const mli_distinct_key *best = NULL;
    for (int64_t i = 0; i < d->count && !d->estimating; i++) {
        if (!best || d->keys[i].count > best->count) best = &d->keys[i];
    }
    *row = best ? best->row : -1;
    return best ? best->count : 0;
}
