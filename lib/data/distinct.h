/* SPDX-License-Identifier: MIT
 *
 * data/distinct.h: counts distinct 64-bit keys in bounded memory: exactly, with the count
 * of each, up to a limit; beyond it the number is estimated by HyperLogLog (Flajolet,
 * Fusy, Gandouet, Meunier 2007) with a standard error of 0.8 %.
 */
#ifndef MLI_DATA_DISTINCT_H
#define MLI_DATA_DISTINCT_H

#include "core/memory.h"
#include "core/rng.h"

#define MLI_DISTINCT_LIMIT     65536 /* keys counted exactly */
#define MLI_DISTINCT_BITS      14
#define MLI_DISTINCT_REGISTERS (1 << MLI_DISTINCT_BITS)

typedef struct mli_distinct_key {
    uint64_t key;
    int64_t count;
    int64_t row; /* where the key came first */
} mli_distinct_key;

typedef struct mli_distinct {
    mli_distinct_key *keys; /* [MLI_DISTINCT_LIMIT + 1], in order of first appearance */
    int32_t *slots;         /* [2 * MLI_DISTINCT_LIMIT]: key + 1, 0 is free */
    uint8_t *registers;     /* [MLI_DISTINCT_REGISTERS] */
    int64_t count, in_use;  /* keys; slots in use, a power of two */
    int estimating;         /* the limit has been passed */
} mli_distinct;

/* Room for the tables; 0 when out of memory. Freeing is fine after a failure. */
int mli_distinct_init(mli_distinct *d, ml_context *ctx);
void mli_distinct_free(mli_distinct *d, ml_context *ctx);
void mli_distinct_clear(mli_distinct *d);
/* Keys of equal values must be equal, keys of different values different. */
void mli_distinct_add(mli_distinct *d, uint64_t key, int64_t row);
int64_t mli_distinct_number(const mli_distinct *d);
/* The most frequent key, the earliest of several: its count (0 when estimating or empty)
 * and row. */
int64_t mli_distinct_top(const mli_distinct *d, int64_t *row);
#endif
