/* SPDX-License-Identifier: MIT
 *
 * prepare/ordinal_encoder.c: the number of a level in sorted order. Tensors: lookup.h.
 */
#include "algorithms/prepare/lookup.h"

#include <math.h>

static int64_t one(void *arg, int64_t j)
{
    (void)arg, (void)j;
    return 1;
}

static ml_status number(void *arg, int64_t j, double *table, ml_error *err)
{
    const mli_fit *job = arg;
    int64_t n = job->train->inputs->features[j].levels.n;
    (void)err;
    for (int64_t k = 0; k < n; k++) table[k] = (double)k;
    table[n] = mli_get_f64(job->params, "missing_value");
    return ML_OK;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    return mli_lookup_add(job, &(mli_lookup_maker){one, number, job}, err);
}

static const mli_transformer kind = {.takes = MLI_TAKES_CATEGORIES,
                                     .load = mli_lookup_load,
                                     .width = mli_lookup_width,
                                     .map = mli_lookup_map};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"missing_value", "encoded_missing_value,unknown_value", ML_PARAM_F64, 0, "nan", NULL,
     NULL, NULL, "The number of missing values and of levels that training did not have.",
     "0.1"},
    MLI_PARAM_END};

extern const mli_algorithm mli_ordinal_encoder;
const mli_algorithm mli_ordinal_encoder = {
    .head = {MLI_PREPARE_HEAD, .name = "ordinal_encoder",
             .aliases = "ordinal,label_encoder", .title = "categories as whole numbers",
             .doc = "Replaces each level of a category by its number in sorted order, "
                    "from 0.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised,
             .attributes = mli_lookup_attributes},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
