/* SPDX-License-Identifier: MIT
 *
 * ml/schema.h: the walk over descriptors. Everything that has parameters has a schema:
 * the algorithms ("gbdt"), the option sets of other calls ("options.csv",
 * "options.study") and the metrics ("metric.roc_auc"). Forms, help pages, bindings and search spaces are built from it.
 */
#ifndef ML_SCHEMA_H
#define ML_SCHEMA_H

#include <ml/base.h>

ML_BEGIN

/* Groups of entries in a schema. Each entry has text fields; numbers and lists are text. */
#define ML_SCHEMA_ALGORITHM 0 /* one entry: name aliases title doc family sort (algorithm,
                               options, metric) tasks caps since; for metrics also
                               direction (min, max) and needs (value, class, proba) */
#define ML_SCHEMA_PARAM 1     /* name aliases type default range tune active_if flags doc since */
#define ML_SCHEMA_ROLE 2      /* as a parameter: input columns, such as target and weight */
#define ML_SCHEMA_KIND 3      /* name doc shape: prediction kinds, such as proba */
#define ML_SCHEMA_ATTRIBUTE 4 /* name dtype shape doc: what a fitted model offers */

/**
 * The name of a schema by index, in alphabetical order: algorithms, option sets, metrics.
 * Ask for 0, 1, 2, ... until there is none.
 *
 * @param context  the context
 * @param index    from 0
 * @returns [borrow context] [null] the name, NULL outside the range
 * @since 0.1
 */
ML_API const char *ml_schema_name_at(const ml_context *context, int64_t index);

/**
 * The schema of an algorithm or option set. Aliases of names are accepted.
 *
 * @param context  the context
 * @param name     such as "gbdt" or "options.csv"
 * @param out      [out] [own] the schema
 * @param error    [null] details of a failure
 * @returns ML_OK, or ML_E_NAME with the nearest name as the hint
 * @since 0.1
 */
ML_API ML_CHECK ml_status ml_schema_new(ml_context *context, const char *name,
                                        ml_schema **out, ml_error *error);

/**
 * Drops the caller's reference.
 *
 * @param schema  [null] the schema
 * @since 0.1
 */
ML_API void ml_schema_free(ml_schema *schema);

/**
 * The number of entries in a group.
 *
 * @param schema  the schema
 * @param group   one of ML_SCHEMA_
 * @returns the number, 0 for an unknown group
 * @since 0.1
 */
ML_API int64_t ml_schema_count(const ml_schema *schema, int32_t group);

/**
 * A field of an entry.
 *
 * @param schema  the schema
 * @param group   one of ML_SCHEMA_
 * @param index   0 to ml_schema_count - 1
 * @param field   the field's name, see the groups
 * @returns [borrow schema] [null] its text, "" when empty, NULL for an unknown field
 * @since 0.1
 */
ML_API const char *ml_schema_get(const ml_schema *schema, int32_t group, int64_t index,
                                 const char *field);

/**
 * Finds an entry by name or alias.
 *
 * @param schema  the schema
 * @param group   one of ML_SCHEMA_
 * @param name    the name or an alias
 * @returns its index, or -1
 * @since 0.1
 */
ML_API int64_t ml_schema_find(const ml_schema *schema, int32_t group, const char *name);

/**
 * The whole schema as a JSON object.
 *
 * @param schema  the schema
 * @returns [borrow schema] JSON text
 * @since 0.1
 */
ML_API const char *ml_schema_json(const ml_schema *schema);

ML_END
#endif
