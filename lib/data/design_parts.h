/* SPDX-License-Identifier: MIT
 *
 * data/design_parts.h: what the files of the design share among themselves.
 */
#ifndef MLI_DATA_DESIGN_PARTS_H
#define MLI_DATA_DESIGN_PARTS_H

#include "core/parallel.h"
#include "data/design.h"

/* Rows per task of a loop over rows. */
#define MLI_DESIGN_GRAIN 32768

/* ---- coding: design_code.c ---- */

/* The distinct values of a column: its codes and their texts. */
typedef struct mli_coding {
    mli_buffer *memory;
    int32_t *codes; /* [rows] in `memory`; -1 missing */
    mli_dictionary levels;
    int64_t missing;
} mli_coding;
/* Sorted by text, or with by_value numbers and booleans by value. Fails for want of
 * memory only, and makes no error, so that workers may call it. */
ml_status mli_code_train(ml_context *ctx, const mli_column *c, int by_value,
                         mli_coding *out);
void mli_coding_free(mli_coding *c);

/* Codes by a known dictionary. `sorted`: its texts are in memcmp order. Unseen values
 * become MLI_CODE_UNSEEN; *unseen is the first row that has one, or -1. Errors as above. */
ml_status mli_code_apply(ml_context *ctx, const mli_column *c, const mli_dictionary *d,
                         int sorted, mli_buffer **memory, const int32_t **codes,
                         int64_t *unseen);
/* Codes for values without one, from row *unseen on, that read as the same number or day
 * (`days`) as a level: see design_written.c. `numbers`: the column has numbers or days,
 * and the levels were texts; else the other way round. `order`: that of the days in
 * training, if known. */
ml_status mli_code_written(ml_context *ctx, const mli_column *c, int days, int order,
                           int numbers, const mli_dictionary *d, int32_t *codes,
                           int64_t *unseen);
/* Text or categories that read as numbers of a column of type `as`, dates also in an
 * order (see mli_column); *bad is the first row that does not, or -1. */
ml_status mli_read_numbers(ml_context *ctx, const mli_column *c, int32_t as, int order,
                           mli_buffer **memory, const double **values, int64_t *bad);
/* The hashes of the texts of a column: values of a hashed feature. */
ml_status mli_hash_apply(ml_context *ctx, const mli_column *c, mli_buffer **memory,
                         const double **values);
/* One value, for people: quoted, cut to fit. */
#define MLI_SHOWN 80
const char *mli_show_value(const mli_column *c, int64_t row, char buffer[MLI_SHOWN]);

/* The texts of a text feature, in memory of their own: design_text.c. */
ml_status mli_design_bind_text(mli_design *d, int64_t feature, ml_error *err);
/* Words of a text, up to a limit. */
int64_t mli_count_words(const char *text, size_t size);
/* Do the distinct values of a column read like sentences? */
int mli_reads_as_text(const mli_dictionary *levels, int64_t present);

/* ---- columns by name: design_columns.c ---- */

/* The column of that name. `what` is "target", "feature", ...; fails when there is none,
 * with the nearest name, and when there are two. */
ml_status mli_design_find(const ml_table *t, const char *name, const char *what,
                          int64_t *out, ml_error *err);

/* Which columns of a table are what; -1: none. */
typedef struct mli_columns {
    ml_context *ctx;
    int64_t target, weight, group, time, offset, event, upper;
    int64_t n_targets; /* 0, or with several targets their number */
    int64_t *targets;  /* [n_targets] */
    int64_t n;         /* candidates for features */
    int64_t *features; /* [n] */
    uint8_t *flags;    /* [columns of the table] MLI_COLUMN_ */
} mli_columns;
#define MLI_COLUMN_ROLE        1 /* not a feature by default */
#define MLI_COLUMN_LISTED      2 /* in `features` */
#define MLI_COLUMN_CATEGORICAL 4 /* in `categorical` */
#define MLI_COLUMN_TEXT        8 /* in `text` */
ml_status mli_columns_find(ml_context *ctx, const mli_descriptor *d,
                           const ml_params *params, const ml_table *table,
                           mli_columns *out, ml_error *err);
void mli_columns_free(mli_columns *c);

/* ---- target, weight, group: design_target.c ---- */

/* Rows with a value in all n columns: *rows is NULL when that is all of them. */
ml_status mli_present_rows(ml_context *ctx, const ml_table *table, const int64_t *columns,
                           int64_t n, int64_t **rows, int64_t *count, ml_error *err);
/* Chooses the task and, for classification, makes the classes and d->label; for the
 * others reads d->y. */
ml_status mli_target_train(mli_design *d, const mli_descriptor *desc,
                           const ml_params *params, const mli_column *c, ml_error *err);
/* Several targets: the task, d->ys and d->y, from columns of d->table. */
ml_status mli_targets_train(mli_design *d, const mli_descriptor *desc,
                            const ml_params *params, const int64_t *columns, int64_t n,
                            ml_error *err);
ml_status mli_targets_read(mli_design *d, const int64_t *columns, int64_t n,
                           ml_error *err);
ml_status mli_target_apply(mli_design *d, const mli_column *c, ml_error *err);
ml_status mli_weight_read(mli_design *d, const mli_column *c, ml_error *err);
/* Numbers of a role in fresh memory; open: missing and infinite ones are allowed. */
ml_status mli_role_read(mli_design *d, const mli_column *c, const char *role, int open,
                        double **out, ml_error *err);
/* Makes the ids of d->group_id dense (they are below `most`) in order of appearance, and
 * for rankings the runs of d->group. */
ml_status mli_group_number(mli_design *d, int64_t most, ml_error *err);
ml_status mli_group_read(mli_design *d, const mli_column *c, ml_error *err);

/* ---- design.c ---- */

/* A design of a table and inputs, with columns still empty. */
ml_status mli_design_alloc(ml_context *ctx, const ml_table *table, mli_inputs *inputs,
                           mli_design **out, ml_error *err);

#endif
