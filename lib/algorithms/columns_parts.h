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
    uint8_t *shared;              /* [columns] those of the design; NULL: none */
    int store;                    /* MLI_STORE_ */
    int steps;                    /* columns are made one by one: bits need no zeroing */
} mli_turning;

/* ---- columns.c ---- */

/* Is a column of the table made of bits? Inside of pipelines all numbers are f64. */
int mli_is_truth(const mli_turning *t, int64_t j);
/* Columns first .. first + width - 1, which are in rows[i * stride]. */
void mli_turn_some(const mli_turning *t, int64_t first, int64_t width, int64_t begin,
                   int64_t n, const double *rows, int64_t stride);

/* ---- columns_step.c ---- */

/* Chooses the columns that stay as they are. */
ml_status mli_step_share(const mli_plan *plan, const mli_design *d, mli_turning *t,
                         ml_error *err);
int mli_stays(const mli_turning *t, const mli_plan *plan, int64_t feature);
/* Makes the other plain ones. */
ml_status mli_step_run(const mli_plan *plan, const mli_design *d, mli_run *run,
                       mli_turning *t, ml_error *err);

/* ---- columns_across.c ---- */

/* Can the columns be made by mli_plan.output? */
int mli_across_can(const mli_plan *plan, const mli_design *d, const mli_inputs *outputs);
/* Makes all of them. */
ml_status mli_across_run(const mli_plan *plan, const mli_design *d, mli_run *run,
                         mli_turning *t, ml_error *err);

/* ---- columns_store.c ---- */

/* Through the caches, past them, past them a line at a time: the right one for a table.
 */
enum { MLI_STORE_CACHED, MLI_STORE_PAST, MLI_STORE_WIDE };
int mli_store_way(const ml_context *ctx, size_t bytes);
/* to[i] = from[i * stride]. Returns how many are missing. */
int64_t mli_store_numbers(const double *from, int64_t n, int64_t stride, int way,
                          double *to);
/* to[i] = from[i], while next[n] is fetched (NULL: nothing is). */
int64_t mli_store_piece(const double *from, int64_t n, const double *next, int way,
                        double *to);
/* Four columns: to[k][i] = from[i * stride + k]; adds to missing[4]. */
void mli_store_four(const double *from, int64_t n, int64_t stride, int way,
                    double *const *to, int64_t *missing);
/* 64 bytes at a line of the caches. */
void mli_store_line(const void *from, int way, void *to);
/* Is any of them missing? Stops at the first few. */
int mli_any_missing(const ml_context *ctx, const double *x, int64_t n);
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
