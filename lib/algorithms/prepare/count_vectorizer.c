/* SPDX-License-Identifier: MIT
 *
 * prepare/count_vectorizer.c: texts as counts of their terms (bag of words). Tensors:
 * vocabulary.h.
 */
#include "algorithms/prepare/vocabulary.h"

#include <string.h>

static ml_status load(mli_prepared *t, ml_error *err)
{
    mli_vocabulary *v = mli_calloc(t->plan.ctx, 1, sizeof *v);
    if (!v) return mli_nomem(err);
    t->own[0] = v;
    t->option[0] = mli_get_bool(t->model->params, "binary");
    return mli_vocabulary_load(t, v, err);
}

static void map(const mli_prepared *t, int64_t j, const double *in, int64_t stride,
                int64_t n, double *out, int64_t out_stride)
{
    int64_t wide = mli_vocabulary_width(t, j);
    for (int64_t i = 0; i < n; i++) {
        double *row = out + i * out_stride;
        memset(row, 0, (size_t)wide * sizeof *row);
        mli_vocabulary_count(t->own[0], j, mli_text_of(in[i * stride]), row);
        for (int64_t k = 0; t->option[0] && k < wide; k++) row[k] = row[k] > 0;
    }
}

static const mli_transformer kind = {.takes = MLI_TAKES_TEXT,
                                     .load = load,
                                     .width = mli_vocabulary_width,
                                     .describe = mli_vocabulary_describe,
                                     .map = map,
                                     .release = mli_vocabulary_release};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {MLI_PARAM_COLUMNS,
                                   MLI_PARAMS_TOKENS,
                                   MLI_PARAMS_VOCABULARY,
                                   {"binary", NULL, ML_PARAM_BOOL, 0, "false", NULL, NULL,
                                    NULL, "1 where a term occurs, however often.", "0.1"},
                                   MLI_PARAM_END};

static const mli_attribute attributes[] = {MLI_VOCABULARY_ATTRIBUTES,
                                           {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_count_vectorizer;
const mli_algorithm mli_count_vectorizer = {
    .head = {MLI_PREPARE_HEAD, .name = "count_vectorizer",
             .aliases = "bag_of_words,word_counts", .title = "counted words of texts",
             .doc = "Makes a column of each frequent word of a text column, or of each "
                    "run of words or characters: how often it occurs in the row.",
             .caps = MLI_CAN_PREPARE | MLI_CAN_TEXT, .params = params,
             .roles = mli_roles_unsupervised, .attributes = attributes},
    .fit = mli_vocabulary_fit,
    .plan = plan,
    .outputs = outputs,
};
