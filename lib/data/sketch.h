/* SPDX-License-Identifier: MIT
 *
 * data/sketch.h: what a profile keeps of a column so that profiles of parts of the data
 * can be put together: exact counts and moments, a sketch of the quantiles, of the number
 * of distinct values and of the frequent ones.
 */
#ifndef MLI_DATA_SKETCH_H
#define MLI_DATA_SKETCH_H

#include "data/distinct.h"
#include "data/quantiles.h"
#include "data/table.h"

#define MLI_SKETCH_KEYS      512 /* distinct values kept as they are */
#define MLI_SKETCH_BITS      12
#define MLI_SKETCH_REGISTERS (1 << MLI_SKETCH_BITS)
#define MLI_SKETCH_TOP       256 /* frequent values */

enum { MLI_SKETCH_NUMBERS, MLI_SKETCH_TIMES, MLI_SKETCH_WORDS };

typedef struct mli_sketch {
    ml_context *ctx;
    int kind; /* MLI_SKETCH_ */
    int64_t rows, present;
    double mean, m2, min, max; /* of numbers; m2: squared distances from the mean */
    int64_t first, last;       /* of times, in microseconds */
    mli_quantiles quantiles;   /* of numbers */
    /* Distinct values: their keys, or HyperLogLog. */
    int estimating;
    int64_t n_keys;
    uint64_t keys[MLI_SKETCH_KEYS];
    uint8_t registers[MLI_SKETCH_REGISTERS];
    /* Frequent values (Misra and Gries 1982; merged after Agarwal et al. 2012): a count
     * is too low by at most `lost`, and what is not here occurs at most as often. */
    int has_top; /* 0: there were too many values to tell */
    mli_map top;
    int64_t counts[2 * MLI_SKETCH_TOP + 1], lost;
} mli_sketch;

void mli_sketch_init(mli_sketch *s, ml_context *ctx);
void mli_sketch_free(mli_sketch *s);
/* Joins the values of a block to the mean and the sum of squares of those before. The
 * block's mean is taken from its first value: numbers far from 0 keep their digits. */
void mli_join_moments(double before, const double *x, int64_t n, double *mean, double *m2);
/* Takes a column in; `distinct` is memory to count in. 0 when out of memory. */
int mli_sketch_scan(mli_sketch *s, const mli_column *c, mli_distinct *distinct);
/* Adds another one of the same kind. 0 when out of memory. */
int mli_sketch_merge(mli_sketch *s, const mli_sketch *other);
int64_t mli_sketch_distinct(const mli_sketch *s);
/* The most frequent value's place among s->top; -1: unknown or none. */
int64_t mli_sketch_top(const mli_sketch *s);

/* As text, and back from hostile text: ML_E_DATA. Freeing is right after a failure. */
void mli_sketch_write(const mli_sketch *s, mli_str *out);
ml_status mli_sketch_read(mli_sketch *s, const char *text, size_t size, ml_error *err);

#endif
