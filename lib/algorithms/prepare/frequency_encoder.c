/* SPDX-License-Identifier: MIT
 *
 * prepare/frequency_encoder.c: how often a level occurred in training. Tensors: lookup.h.
 */
#include "algorithms/prepare/lookup.h"

#include <string.h>

static int64_t one(void *arg, int64_t j)
{
    (void)arg, (void)j;
    return 1;
}

static ml_status share(void *arg, int64_t j, double *table, ml_error *err)
{
    const mli_fit *job = arg;
    int64_t n = job->train->inputs->features[j].levels.n;
    double rows = (double)job->train->rows, seen = 0;
    (void)err;
    mli_prepare_counts(job->train, j, table);
    for (int64_t k = 0; k < n; k++) seen += table[k];
    table[n] = rows - seen;
    if (strcmp(mli_get_str(job->params, "measure"), "count") == 0) return ML_OK;
    for (int64_t k = 0; k < n + 1; k++) table[k] /= rows;
    return ML_OK;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    return mli_lookup_add(job, &(mli_lookup_maker){one, share, job}, err);
}

static const mli_transformer kind = {.takes = MLI_TAKES_CATEGORIES,
                                     .load = mli_lookup_load,
                                     .width = mli_lookup_width,
                                     .map = mli_lookup_map};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {MLI_PARAM_COLUMNS,
                                   {"measure", NULL, ML_PARAM_STR, 0, "share",
                                    "{share, count}", NULL, NULL,
                                    "The share of the rows, or their number.", "0.1"},
                                   MLI_PARAM_END};

extern const mli_algorithm mli_frequency_encoder;
const mli_algorithm mli_frequency_encoder = {
    .head = {MLI_PREPARE_HEAD, .name = "frequency_encoder",
             .aliases = "count_encoder,frequency", .title = "categories as frequencies",
             .doc = "Replaces each level of a category by how often it occurred in "
                    "training. Missing values count as a level.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised,
             .attributes = mli_lookup_attributes},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
