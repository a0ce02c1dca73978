/* SPDX-License-Identifier: MIT
 *
 * algorithms/model_check.c: the contents of a model from a file are checked once, before
 * their first use at the latest.
 */
#include "algorithms/model.h"

ml_status mli_model_check(const ml_model *m, ml_error *err)
{
    /* A cache of what the bytes say, not a change of the model. */
    atomic_int *unchecked = (atomic_int *)&m->unchecked;
    if (!atomic_load_explicit(unchecked, memory_order_acquire)) return ML_OK;
    ml_status status = mli_inputs_check(m->inputs, err);
    if (!status && m->algorithm->check) status = m->algorithm->check(m, err);
    if (!status) atomic_store_explicit(unchecked, 0, memory_order_release);
    return status;
}
