/* SPDX-License-Identifier: MIT
 *
 * prepare/binary_encoder.c: the number of a level, from 1, in binary digits: few columns
 * for many levels. Missing is 0. Tensors: lookup.h.
 */
#include "algorithms/prepare/lookup.h"

static int64_t digits(void *arg, int64_t j)
{
    const mli_fit *job = arg;
    int64_t n = job->train->inputs->features[j].levels.n, bits = 1;
    while (bits < 62 && (INT64_C(1) << bits) <= n) bits++;
    return bits;
}

static ml_status number(void *arg, int64_t j, double *table, ml_error *err)
{
    const mli_fit *job = arg;
    int64_t n = job->train->inputs->features[j].levels.n, bits = digits(arg, j);
    (void)err;
    for (int64_t k = 0; k < n; k++)
        for (int64_t b = 0; b < bits; b++)
            table[k * bits + b] = (double)((k + 1) >> (bits - 1 - b) & 1);
    return ML_OK;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    return mli_lookup_add(job, &(mli_lookup_maker){digits, number, job}, err);
}

static ml_status describe(const mli_prepared *t, int64_t j, mli_feature *out,
                          ml_error *err)
{
    ml_status status = ML_OK;
    for (int64_t k = 0; k < mli_lookup_width(t, j) && !status; k++)
        status =
            mli_prepare_name(t, &out[k], err, "%s_%d", t->in->features[j].name, (int)k);
    return status;
}

static const mli_transformer kind = {.takes = MLI_TAKES_CATEGORIES,
                                     .load = mli_lookup_load,
                                     .width = mli_lookup_width,
                                     .describe = describe,
                                     .map = mli_lookup_map};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {MLI_PARAM_COLUMNS, MLI_PARAM_END};

extern const mli_algorithm mli_binary_encoder;
const mli_algorithm mli_binary_encoder = {
    .head = {MLI_PREPARE_HEAD, .name = "binary_encoder", .aliases = "binary",
             .title = "categories as binary digits",
             .doc =
                 "Writes the number of each level in binary digits, a column for each: "
                 "few columns for many levels. Missing values are all zeros.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised,
             .attributes = mli_lookup_attributes},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
