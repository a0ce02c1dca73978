/* SPDX-License-Identifier: MIT
 *
 * core/value.h: making single values, and lists out of items. Used by the files that
 * fill sets of parameters: from calls, text, JSON and YAML.
 */
#ifndef MLI_CORE_VALUE_H
#define MLI_CORE_VALUE_H

#include "core/json.h"
#include "core/params.h"

/* Makers: everything but the name, given = 1. ML_OK or ML_E_MEMORY (then nothing is
 * left to free). */
ml_status mli_value_bool(ml_context *ctx, int on, mli_value *out, ml_error *err);
ml_status mli_value_i64(ml_context *ctx, int64_t v, mli_value *out, ml_error *err);
ml_status mli_value_f64(ml_context *ctx, double v, mli_value *out, ml_error *err);
ml_status mli_value_str(ml_context *ctx, const char *text, mli_value *out, ml_error *err);
/* A value of that type which is not set: text "", NaN, 0, no items. */
ml_status mli_value_unset(ml_context *ctx, int32_t type, mli_value *out, ml_error *err);
ml_status mli_value_copy(ml_context *ctx, const mli_value *from, mli_value *out,
                         ml_error *err);
void mli_value_free(ml_context *ctx, mli_value *v); /* with the name */

/* Moves a value into the set under a name, replacing one of that name. On failure the
 * value is freed. */
ml_status mli_params_store(ml_params *p, const char *name, mli_value *value,
                           ml_error *err);

/* The next value of a JSON document. */
ml_status mli_value_json(ml_context *ctx, mli_json *j, mli_value *out, ml_error *err);

/* Is a value of the parameter's type in its legal range? */
ml_status mli_param_legal(const mli_param *q, const mli_value *v, ml_error *err);
/* The value as the parameter's type, legal; lists of parts in their normal form. */
ml_status mli_param_convert(ml_context *ctx, const mli_param *q, const mli_value *value,
                            mli_value *out, ml_error *err);
/* As mli_params_put, and moves the value, also on failure. */
ml_status mli_params_take(ml_params *p, const mli_descriptor *d, const char *name,
                          mli_value *value, ml_error *err);

/* Fails for a name that the descriptor lacks; the place is params.<path>. */
ml_status mli_param_unknown(const mli_descriptor *d, const char *name, const char *path,
                            ml_error *err);
/* Checks the items of a list of parts, and writes them the one way: "name" where that is
 * the algorithm's, else "name=algorithm". */
ml_status mli_parts_normal(ml_context *ctx, const mli_param *list, mli_value *v,
                           ml_error *err);
/* After a list of parts has changed from `old` (nullable): removes what belongs to parts
 * that are gone, and adds the defaults of new ones. */
ml_status mli_parts_renew(ml_params *p, const mli_param *list, const mli_value *old,
                          ml_error *err);
/* Fails for a part that lacks a required parameter. */
ml_status mli_parts_complete(const ml_params *p, const mli_descriptor *d,
                             const char *prefix, ml_error *err);
/* Stores a default. */
ml_status mli_params_default(ml_params *p, const mli_param *q, ml_error *err);

/* Items of a list, collected as text. `plain` ones may be numbers or true and false;
 * others were in quotes. */
typedef struct mli_items {
    ml_context *ctx;
    int64_t count, capacity;
    char **texts;
    unsigned char *plain;
    int32_t line, column; /* of the items to be added, in a document; 0: in none */
    int32_t *places;
} mli_items;

void mli_items_init(mli_items *items, ml_context *ctx);
void mli_items_free(mli_items *items);
ml_status mli_items_add(mli_items *items, const char *text, size_t size, int plain,
                        ml_error *err);
/* Reads "[1, 2]", "[\"a, b\", c]" or "a,b,c". ML_E_PARSE with the problem as the message
 * when it is malformed. */
ml_status mli_items_parse(mli_items *items, const char *text, ml_error *err);
/* The list as a value of type I64S, F64S or STRS. Items that do not fit the type fail
 * with ML_E_TYPE. */
ml_status mli_items_value(mli_items *items, int32_t type, mli_value *out, ml_error *err);
/* The narrowest type that holds all items: I64S, F64S, else STRS. */
int32_t mli_items_type(const mli_items *items);
/* The items of a value: those of a list, or a scalar as the only one (a text is parsed
 * as a list). */
ml_status mli_items_of(mli_items *items, const mli_value *value, ml_error *err);

/* Text of a real number that cannot be taken for an integer: "200.0". */
void mli_str_real(mli_str *s, double v);

#endif
