/* SPDX-License-Identifier: MIT
 *
 * algorithms/columns_parts.h: what the files of the columns that a transformer makes
 * share.
 */
#ifndef MLI_ALGORITHMS_COLUMNS_PARTS_H
#define MLI_ALGORITHMS_COLUMNS_PARTS_H

#include "algorithms/model.h"

/* How a column of the table comes about. */
enum { MLI_PLAIN, MLI_COLLECTED, MLI_MAPPED };

typedef struct mli_turning {
    ml_table *table;
    const mli_inputs *outputs;
    const double *rows;           /* mli_columns_of_rows only */
    atomic_int_fast64_t *missing; /* [columns] */
    uint8_t *way;                 /* [columns] as above; NULL: all are plain */
    int past;                     /* the columns do not fit the caches */
} mli_turning;

/* ---- columns_store.c ---- */

/* to[i] = from[i * stride]; past: around the caches. Returns how many are missing. */
int64_t mli_store_numbers(const double *from, int64_t n, int64_t stride, int past,
                          double *to);
/* Four columns: to[k][i] = from[i * stride + k]; adds to missing[4]. */
void mli_store_four(const double *from, int64_t n, int64_t stride, int past,
                    double *const *to, int64_t *missing);
/* After the last call of a task: other threads see what went around the caches. */
void mli_store_done(void);

/* ---- columns_sparse.c ---- */

/* What is not 0, collected from blocks of rows that come in any order. */
typedef struct mli_piece mli_piece;
typedef struct mli_collecting {
    ml_context *ctx;
    mli_turning *turning;
    int64_t rows, wide;
    mli_piece **piece; /* [rows] at the first row of each block */
    atomic_int failed; /* out of memory */
} mli_collecting;
ml_status mli_collect_start(ml_context *ctx, mli_turning *t, int64_t rows,
                            mli_collecting *c, ml_error *err);
void mli_collect_block(mli_collecting *c, int64_t begin, int64_t n, const double *rows);
/* Makes the collected columns of the table: plain ones where too little is 0, or values
 * are missing. */
ml_status mli_collect_finish(mli_collecting *c, ml_error *err);
void mli_collect_free(mli_collecting *c);

/* Outputs of sparse features of which each makes one, 0 of 0: their entries alone. */
typedef struct mli_mapping {
    const mli_plan *plan;
    const mli_design *design;
    mli_turning *turning;
    int64_t *first; /* [features + 1] */
    mli_buffer *memory;
    double *values;
} mli_mapping;
/* Chooses such columns (MLI_MAPPED), and computes their values. */
ml_status mli_mapping_start(const mli_plan *plan, const mli_design *design,
                            mli_turning *t, mli_mapping *m, ml_error *err);
/* Makes them in the table, which has their names. */
void mli_mapping_finish(mli_mapping *m);
void mli_mapping_free(mli_mapping *m);

#endif
