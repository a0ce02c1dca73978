/* SPDX-License-Identifier: MIT
 *
 * trees/cuts.h: finding the bin of a value among sorted cuts, used by training (bins) and
 * by prediction (ranks of thresholds).
 *
 * The bin of x is the number of cuts below x: x belongs to bin b when
 * cut[b - 1] < x <= cut[b]. A table over buckets of the value range gives the first
 * candidate, and a short branchless search finishes. Buckets are cut from the range
 * evenly, or from the leading bits of the number where the values spread over many
 * magnitudes; whichever needs the fewer steps is taken.
 */
#ifndef MLI_TREES_CUTS_H
#define MLI_TREES_CUTS_H

#include "core/context.h"
#include <string.h>

typedef struct mli_cuts {
    int32_t n;      /* cuts */
    int32_t steps;  /* of the search inside a bucket */
    int32_t linear; /* buckets cut the range evenly; else by leading bits */
    int32_t last;   /* the last bucket */
    int32_t key_low, key_high, key_shift;
    double low, scale;
    double *cut;     /* [n + 2^steps] ascending, then infinities */
    uint16_t *start; /* [last + 1] number of cuts in the buckets before */
} mli_cuts;

/* Copies n (at most 65534) ascending cuts and makes the table, of about as many buckets
 * as `rows` values to come justify. No cut may be NaN or +infinity. */
ml_status mli_cuts_make(ml_context *ctx, const double *cut, int32_t n, int64_t rows,
                        mli_cuts *out, ml_error *err);
void mli_cuts_free(ml_context *ctx, mli_cuts *cuts);

/* The high half of a double, in the order of the numbers. */
static inline int32_t mli_key32(double x)
{
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int32_t high = (int32_t)(bits >> 32);
    return high ^ (int32_t)((uint32_t)(high >> 31) >> 1);
}

static inline int32_t mli_cuts_bucket(const mli_cuts *c, double x)
{
    if (c->linear) {
        double t = (x - c->low) * c->scale;
        t = t > 0 ? t : 0;
        t = t < (double)c->last ? t : (double)c->last;
        return (int32_t)t;
    }
    int32_t key = mli_key32(x);
    key = key < c->key_low ? c->key_low : key;
    key = key > c->key_high ? c->key_high : key;
    return (int32_t)(((uint32_t)key - (uint32_t)c->key_low) >> c->key_shift);
}

/* Bin of a value that is not NaN (of NaN: any number in range). */
static inline int32_t mli_cuts_find(const mli_cuts *c, double x)
{
    int32_t b = c->start[mli_cuts_bucket(c, x)];
    for (int32_t half = 1 << c->steps >> 1; half > 0; half >>= 1)
        b += x > c->cut[b + half - 1] ? half : 0;
    return b;
}

/* Bins of n values as bytes, `stride` apart; NaN becomes `missing`. Needs n <= 255. */
void mli_cuts_bytes(const mli_cuts *c, const double *x, int64_t n, uint8_t missing,
                    uint8_t *out, int64_t stride);

#endif
