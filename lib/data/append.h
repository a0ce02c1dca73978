/* SPDX-License-Identifier: MIT
 *
 * data/append.h: a table that grows at its end, table by table.
 */
#ifndef MLI_DATA_APPEND_H
#define MLI_DATA_APPEND_H

#include "data/table.h"

typedef struct mli_appender mli_appender;

/* `spill`: where the columns are, or NULL for memory; not counted, seal it after. */
ml_status mli_appender_new(ml_context *ctx, mli_spill *spill, mli_appender **out,
                           ml_error *err);
void mli_appender_free(mli_appender *g); /* NULL is fine */
/* Copies the rows of a table behind those so far. All tables have the same columns, of
 * stride 1; their categories may have different levels, which are united. */
ml_status mli_appender_add(mli_appender *g, const ml_table *t, ml_error *err);
/* The table of all rows. Nothing can be added any more, also after a failure. */
ml_status mli_appender_table(mli_appender *g, ml_table **out, ml_error *err);

#endif
