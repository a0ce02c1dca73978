/* SPDX-License-Identifier: MIT
 *
 * prepare/vocabulary.h: the terms that columns of text have in training, and rows of
 * their counts: what bag of words and tf-idf share.
 *
 * Tensors: "terms" u8 [bytes]: the terms as UTF-8, one after another, those of a column
 * sorted; "ends" i64 [terms + 1]: where each begins; "first" i64 [features + 1]: where
 * the terms of each column begin; "frequency" f64 [terms]: the rows that have the term.
 */
#ifndef MLI_PREPARE_VOCABULARY_H
#define MLI_PREPARE_VOCABULARY_H

#include "algorithms/prepare/tokens.h"

#define MLI_PARAMS_VOCABULARY                                                            \
    {"max_features",                                                                     \
     "max_terms",                                                                        \
     ML_PARAM_I64,                                                                       \
     0,                                                                                  \
     "10000",                                                                            \
     "[1, 1000000]",                                                                     \
     "log [500, 50000]",                                                                 \
     NULL,                                                                               \
     "The most terms of a column: the most frequent ones. Between the steps of a "       \
     "pipeline only what is not 0 is held; a table of the outputs has all numbers.",     \
     "0.1"},                                                                             \
        {"min_df",                                                                       \
         "min_frequency",                                                                \
         ML_PARAM_F64,                                                                   \
         0,                                                                              \
         "1",                                                                            \
         "[0, inf)",                                                                     \
         NULL,                                                                           \
         NULL,                                                                           \
         "Terms of fewer rows are left out. Below 1: a share of the rows.",              \
         "0.1"},                                                                         \
    {                                                                                    \
        "max_df", "max_frequency", ML_PARAM_F64, 0, "1", "(0, inf)", NULL, NULL,         \
            "Terms of more rows are left out. Up to 1: a share of the rows.", "0.1"      \
    }

/* Learns the terms of the picked features and adds the tensors. */
ml_status mli_vocabulary_fit(mli_fit *job, ml_error *err);

/* Loaded, from tensors that may be hostile. */
typedef struct mli_vocabulary {
    ml_context *ctx;
    mli_tokens tokens;
    const char *bytes;
    const int64_t *ends, *first;
    const double *frequency;
    int64_t n;       /* all terms */
    uint64_t *slots; /* of all features: hash and term + 1 */
    int64_t *begin;  /* [features + 1] of its slots, a power of two each */
} mli_vocabulary;
ml_status mli_vocabulary_load(mli_prepared *t, mli_vocabulary *out, ml_error *err);
void mli_vocabulary_free(mli_vocabulary *v);
/* Adds the counts of the terms of a text to out[terms of the feature]. */
void mli_vocabulary_count(const mli_vocabulary *v, int64_t feature, const mli_text *text,
                          double *out);
/* For mli_transformer, where own[0] is an mli_vocabulary. */
int64_t mli_vocabulary_width(const mli_prepared *t, int64_t feature);
ml_status mli_vocabulary_describe(const mli_prepared *t, int64_t feature,
                                  mli_feature *out, ml_error *err);
void mli_vocabulary_release(mli_prepared *t);

#define MLI_VOCABULARY_ATTRIBUTES                                                        \
    {"terms", "u8", "[bytes]", "The terms as UTF-8, one after another."},                \
        {"ends", "i64", "[terms + 1]",                                                   \
         "Where each term begins, and the last one ends."},                              \
        {"first", "i64", "[features + 1]", "The first term of each column."},            \
    {                                                                                    \
        "frequency", "f64", "[terms]", "The number of training rows that have the term." \
    }

#endif
