/* SPDX-License-Identifier: MIT
 *
 * algorithms/model_check.c: the contents of a model from a file are checked once, before
 * their first use at the latest.
 */
#include "algorithms/compose/compose.h"
#include "algorithms/model.h"

#include <stdio.h>
#include <string.h>

/* Whatever is wrong with what a file says, the file is damaged. */
static ml_status damaged(ml_status status, ml_error *err)
{
    char text[512];
    if (status == ML_E_MEMORY || status == ML_E_FORMAT) return status;
    snprintf(text, sizeof text, "%s", err ? ml_error_message(err) : "");
    return mli_fail(err, ML_E_FORMAT, "the model's parts do not fit together: %s", text);
}

/* Several targets are of algorithms that predict several, and of programs; transformers
 * pass them on. */
static ml_status check_targets(const ml_model *m, ml_error *err)
{
    mli_descriptor copy;
    const mli_descriptor *d = mli_algorithm_head(m->algorithm, m->params, &copy);
    if (!m->inputs->n_targets || mli_is_transformer(d) || mli_param_find(d, "targets") ||
        (strcmp(d->name, "ensemble") == 0 && mli_model_find(m, "program")))
        return ML_OK;
    return mli_fail(err, ML_E_FORMAT, "%s does not predict several targets", d->name);
}

ml_status mli_model_check(const ml_model *m, ml_error *err)
{
    /* A cache of what the bytes say, not a change of the model. */
    atomic_int *unchecked = (atomic_int *)&m->unchecked;
    if (!atomic_load_explicit(unchecked, memory_order_acquire)) return ML_OK;
    ml_status status = mli_inputs_check(m->inputs, err);
    if (!status) status = check_targets(m, err);
    if (!status && m->algorithm->check) status = m->algorithm->check(m, err);
    if (!status) atomic_store_explicit(unchecked, 0, memory_order_release);
    return status ? damaged(status, err) : ML_OK;
}
