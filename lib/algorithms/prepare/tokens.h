/* SPDX-License-Identifier: MIT
 *
 * prepare/tokens.h: the terms of a text: words or characters, and runs of n of them.
 */
#ifndef MLI_PREPARE_TOKENS_H
#define MLI_PREPARE_TOKENS_H

#include "algorithms/prepare/prepare.h"
#include "core/hashmap.h"

#include <string.h>

#define MLI_NGRAM_MOST 16  /* words or characters of a term */
#define MLI_TOKEN_MOST 255 /* bytes of a word; longer ones are cut */

typedef struct mli_tokens {
    enum { MLI_BY_WORD, MLI_BY_CHAR, MLI_BY_CHAR_WB } analyzer;
    int runs; /* words are runs of letters and digits */
    int fold, strip;
    int64_t shortest;    /* characters of a word; ideographs count always */
    int64_t least, most; /* of a term */
    mli_map stop;
} mli_tokens;

/* The parameters that all vectorisers share, before the comma of the next. */
#define MLI_PARAMS_TOKENS                                                                \
    {"analyzer",                                                                         \
     NULL,                                                                               \
     ML_PARAM_STR,                                                                       \
     0,                                                                                  \
     "word",                                                                             \
     "{word, char, char_wb}",                                                            \
     NULL,                                                                               \
     NULL,                                                                               \
     "Terms are words, characters, or characters inside words (char_wb: with a space "   \
     "at "                                                                               \
     "both ends of a word).",                                                            \
     "0.1"},                                                                             \
        {"words",                                                                        \
         "tokenizer",                                                                    \
         ML_PARAM_STR,                                                                   \
         0,                                                                              \
         "unicode",                                                                      \
         "{unicode, simple}",                                                            \
         NULL,                                                                           \
         "analyzer == word",                                                             \
         "unicode: by the word boundaries of Unicode, so that \"don't\" and \"3.14\" "   \
         "are words, and each ideograph is one. simple: runs of letters, digits and "    \
         "underscores.",                                                                 \
         "0.1"},                                                                         \
        {"ngram_range",                                                                  \
         "ngrams",                                                                       \
         ML_PARAM_I64S,                                                                  \
         0,                                                                              \
         "1, 1",                                                                         \
         NULL,                                                                           \
         NULL,                                                                           \
         NULL,                                                                           \
         "The least and the largest number of words or characters of a term, at most "   \
         "16: \"1, 2\" counts words and pairs of words.",                                \
         "0.1"},                                                                         \
        {"lowercase",                                                                    \
         NULL,                                                                           \
         ML_PARAM_BOOL,                                                                  \
         0,                                                                              \
         "true",                                                                         \
         NULL,                                                                           \
         NULL,                                                                           \
         NULL,                                                                           \
         "Capital and small letters are the same (simple case folding).",                \
         "0.1"},                                                                         \
        {"strip_accents",                                                                \
         NULL,                                                                           \
         ML_PARAM_BOOL,                                                                  \
         0,                                                                              \
         "false",                                                                        \
         NULL,                                                                           \
         NULL,                                                                           \
         NULL,                                                                           \
         "Letters count without their accents.",                                         \
         "0.1"},                                                                         \
        {"min_word_length",                                                              \
         NULL,                                                                           \
         ML_PARAM_I64,                                                                   \
         0,                                                                              \
         "2",                                                                            \
         "[1, 100]",                                                                     \
         NULL,                                                                           \
         "analyzer == word",                                                             \
         "Shorter words are left out, but for ideographs.",                              \
         "0.1"},                                                                         \
    {                                                                                    \
        "stop_words", NULL, ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL,            \
            "analyzer == word", "Words to leave out.", "0.1"                             \
    }

ml_status mli_tokens_new(ml_context *ctx, const ml_params *params, mli_tokens *out,
                         ml_error *err);
void mli_tokens_free(mli_tokens *t);

/* Are eight counts all 0? Most are. */
static inline int mli_no_counts(const double *x)
{
    uint64_t bits[8], any = 0;
    memcpy(bits, x, sizeof bits);
    for (int k = 0; k < 8; k++) any |= bits[k];
    return any == 0;
}

/* Calls fn with each term of a text, as often as it occurs. Allocates nothing. */
typedef void (*mli_term_fn)(void *arg, const char *term, size_t size);
void mli_tokens_each(const mli_tokens *t, const char *text, size_t size, mli_term_fn fn,
                     void *arg);

#endif
