/* SPDX-License-Identifier: MIT
 *
 * prepare/hashing_encoder.c: the text of a level chooses one of a fixed number of columns
 * and a sign (Weinberger, Dasgupta, Langford, Smola, Attenberg, "Feature hashing for
 * large scale multitask learning", ICML 2009). Missing is all zeros. Tensors: lookup.h.
 */
#include "algorithms/prepare/lookup.h"

static int64_t width(void *arg, int64_t j)
{
    const mli_fit *job = arg;
    (void)j;
    return mli_get_i64(job->params, "n_columns");
}

static ml_status place(void *arg, int64_t j, double *table, ml_error *err)
{
    const mli_fit *job = arg;
    const mli_dictionary *d = &job->train->inputs->features[j].levels;
    int64_t wide = width(arg, j);
    int sign = mli_get_bool(job->params, "signed");
    (void)err;
    for (int64_t k = 0; k < d->n; k++) {
        const int64_t *at = d->offsets + k;
        uint64_t h = mli_hash(d->bytes + at[0], (size_t)(at[1] - at[0]));
        table[k * wide + (int64_t)((h >> 1) % (uint64_t)wide)] = sign && h & 1 ? -1 : 1;
    }
    return ML_OK;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    return mli_lookup_add(job, &(mli_lookup_maker){width, place, job}, err);
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

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"n_columns", "n_components,n_features", ML_PARAM_I64, 0, "8", "[1, 65536]",
     "log [4, 256]", NULL, "Columns for each category.", "0.1"},
    {"signed", "alternate_sign", ML_PARAM_BOOL, 0, "true", NULL, NULL, NULL,
     "Levels that share a column may have opposite signs, so that they cancel out on "
     "average.",
     "0.1"},
    MLI_PARAM_END};

extern const mli_algorithm mli_hashing_encoder;
const mli_algorithm mli_hashing_encoder = {
    .head = {MLI_PREPARE_HEAD, .name = "hashing_encoder", .aliases = "hashing",
             .title = "categories hashed into columns",
             .doc =
                 "Gives each level of a category one of a fixed number of columns, by a "
                 "hash of its text. Missing values are all zeros.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised,
             .attributes = mli_lookup_attributes},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
