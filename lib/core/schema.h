/* SPDX-License-Identifier: MIT
 *
 * core/schema.h: the part of the schema walk that makes JSON.
 */
#ifndef MLI_CORE_SCHEMA_H
#define MLI_CORE_SCHEMA_H

#include "core/params.h"

/* The whole schema as JSON, one field a line, to be freed with mli_free; NULL when out of
 * memory. */
char *mli_schema_text(const ml_schema *schema);
/* Has the parameter or role a default, be it ""? */
int mli_schema_has_default(const ml_schema *schema, int32_t group, int64_t index);
ml_context *mli_schema_context(const ml_schema *schema);

#endif
