/* SPDX-License-Identifier: MIT
 *
 * serialization/inputs_json.h: the inputs of a model as JSON, and their dictionaries as
 * tensors with reserved names. The dictionaries of all categorical features stand one
 * behind the other: "inputs.levels" (U8, the texts) and "inputs.offsets" (I64, n + 1 per
 * dictionary of n texts, from 0). "inputs.classes.levels" and "inputs.classes.offsets"
 * are the class labels.
 */
#ifndef MLI_SERIALIZATION_INPUTS_JSON_H
#define MLI_SERIALIZATION_INPUTS_JSON_H

#include "data/design.h"
#include "serialization/safetensors.h"

#define MLI_RESERVED       "inputs."
#define MLI_LEVELS         "inputs.levels"
#define MLI_OFFSETS        "inputs.offsets"
#define MLI_LABELS         "inputs.classes.levels"
#define MLI_LABELS_OFFSETS "inputs.classes.offsets"

void mli_inputs_json(mli_str *s, const mli_inputs *in);
/* Reads them; dictionaries point into the tensors' bytes, which `buffer` keeps alive, and
 * their tensors are marked as used. Their contents are checked by mli_inputs_check. */
ml_status mli_inputs_from_json(ml_context *ctx, const char *text, size_t size,
                               const mli_safetensors *st, mli_buffer *buffer,
                               mli_inputs **out, ml_error *err);

/* The memory of a tensor, aligned for its type: in place with a reference to `buffer`, or
 * else a copy. */
ml_status mli_st_hold(ml_context *ctx, const mli_st_tensor *t, mli_buffer *buffer,
                      mli_buffer **keep, const void **data, ml_error *err);

#endif
