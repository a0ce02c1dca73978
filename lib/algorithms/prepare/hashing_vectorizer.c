/* SPDX-License-Identifier: MIT
 *
 * prepare/hashing_vectorizer.c: texts as counts of their terms in a fixed number of
 * columns: a hash says which column a term counts in, and with which sign. Weinberger et
 * al., Feature hashing for large scale multitask learning, ICML 2009. The hash is
 * MurmurHash3 of 32 bits (Appleby 2011) with seed 0, so that columns are those of other
 * libraries. Nothing is learned: no tensors.
 */
#include "algorithms/prepare/tokens.h"

#include <math.h>
#include <string.h>

enum { NONE, L1, L2 };

#define LEAST_SPARSE 64 /* columns of which most may be 0 */

#define WIDE   number[0]
#define NORM   option[0]
#define SIGNS  option[1]
#define BINARY option[2]

static ml_status fit(mli_fit *job, ml_error *err)
{
    mli_tokens tokens;
    uint8_t *picked = NULL;
    ml_status status = mli_prepare_picked(job, MLI_TAKES_TEXT, &picked, err);
    if (status) return status;
    mli_free(job->ctx, picked);
    status = mli_tokens_new(job->ctx, job->params, &tokens, err);
    if (!status) mli_tokens_free(&tokens);
    return status;
}

/* ---- the hash ---- */

static uint32_t rotate(uint32_t x, int by)
{
    return x << by | x >> (32 - by);
}

static uint32_t scramble(uint32_t k)
{
    return rotate(k * 0xcc9e2d51u, 15) * 0x1b873593u;
}

static uint32_t murmur3(const char *data, size_t size)
{
    uint32_t h = 0, k = 0;
    const unsigned char *s = (const unsigned char *)data;
    size_t i = 0;
    for (; i + 4 <= size; i += 4) {
        k = (uint32_t)s[i] | (uint32_t)s[i + 1] << 8 | (uint32_t)s[i + 2] << 16 |
            (uint32_t)s[i + 3] << 24;
        h = rotate(h ^ scramble(k), 13) * 5 + 0xe6546b64u;
    }
    k = 0;
    for (size_t j = size; j > i; j--) k = k << 8 | s[j - 1];
    h ^= scramble(k);
    h ^= (uint32_t)size;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

/* ---- the plan ---- */

static ml_status load(mli_prepared *t, ml_error *err)
{
    const ml_params *p = t->model->params;
    mli_tokens *tokens = mli_calloc(t->plan.ctx, 1, sizeof *tokens);
    if (!tokens) return mli_nomem(err);
    mli_map_init(&tokens->stop, t->plan.ctx);
    t->own[0] = tokens;
    t->WIDE = (double)mli_get_i64(p, "n_features");
    t->NORM = mli_get_enum(p, "norm", "none,l1,l2");
    t->SIGNS = mli_get_bool(p, "alternate_sign");
    t->BINARY = mli_get_bool(p, "binary");
    return mli_tokens_new(t->plan.ctx, p, tokens, err);
}

static void release(mli_prepared *t)
{
    if (t->own[0]) mli_tokens_free(t->own[0]);
}

static int64_t width(const mli_prepared *t, int64_t feature)
{
    (void)feature;
    return (int64_t)t->WIDE;
}

static ml_status describe(const mli_prepared *t, int64_t j, mli_feature *out,
                          ml_error *err)
{
    ml_status status = ML_OK;
    for (int64_t k = 0; k < (int64_t)t->WIDE && !status; k++) {
        out[k].sparse = t->WIDE >= LEAST_SPARSE;
        status = mli_prepare_name(t, &out[k], err, "%s #%lld", t->in->features[j].name,
                                  (long long)k);
    }
    return status;
}

typedef struct {
    const mli_prepared *t;
    double *row;
} filling;

static void count_term(void *arg, const char *term, size_t size)
{
    const filling *f = arg;
    int64_t h = (int32_t)murmur3(term, size);
    int64_t at = (h < 0 ? -h : h) % (int64_t)f->t->WIDE;
    if (f->t->BINARY) /* whatever the signs: terms must not cancel out */
        f->row[at] = 1;
    else
        f->row[at] += f->t->SIGNS && h < 0 ? -1 : 1;
}

static void scale(const mli_prepared *t, double *row, int64_t n)
{
    double sum = 0;
    if (t->NORM == NONE) return;
    for (int64_t k = 0; k < n; k++) sum += t->NORM == L2 ? row[k] * row[k] : fabs(row[k]);
    if (t->NORM == L2) sum = sqrt(sum);
    for (int64_t k = 0; sum > 0 && k < n; k++) row[k] /= sum;
}

static void map(const mli_prepared *t, int64_t j, const double *in, int64_t stride,
                int64_t n, double *out, int64_t out_stride)
{
    int64_t wide = width(t, j);
    for (int64_t i = 0; i < n; i++) {
        filling f = {t, out + i * out_stride};
        const mli_text *text = mli_text_of(in[i * stride]);
        memset(f.row, 0, (size_t)wide * sizeof *f.row);
        if (!text) continue;
        mli_tokens_each(t->own[0], text->data, (size_t)text->size, count_term, &f);
        scale(t, f.row, wide);
    }
}

static const mli_transformer kind = {.takes = MLI_TAKES_TEXT,
                                     .load = load,
                                     .width = width,
                                     .describe = describe,
                                     .map = map,
                                     .release = release};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"n_features", "buckets,n_buckets", ML_PARAM_I64, 0, "16384", "[1, 1048576]",
     "log [1024, 65536]", NULL,
     "The columns that are made of a text column. Between the steps of a pipeline only "
     "what is not 0 is held.",
     "0.1"},
    MLI_PARAMS_TOKENS,
    {"alternate_sign", NULL, ML_PARAM_BOOL, 0, "true", NULL, NULL, NULL,
     "Half of the terms count negative, so that terms of one column do not add up.",
     "0.1"},
    {"binary", NULL, ML_PARAM_BOOL, 0, "false", NULL, NULL, NULL,
     "1 where a column counts anything, without signs.", "0.1"},
    {"norm", NULL, ML_PARAM_STR, 0, "l2", "{none, l1, l2}", NULL, NULL,
     "Each row of a column gets length 1, by sum (l1) or by root of squares (l2).",
     "0.1"},
    MLI_PARAM_END};

extern const mli_algorithm mli_hashing_vectorizer;
const mli_algorithm mli_hashing_vectorizer = {
    .head = {MLI_PREPARE_HEAD, .name = "hashing_vectorizer",
             .aliases = "hashing_ngrams,hashed_words", .title = "hashed words of texts",
             .doc = "Counts the words of a text column, or runs of words or characters, "
                    "in a fixed number of columns that a hash chooses. It learns "
                    "nothing, so the number of different words does not matter.",
             .caps = MLI_CAN_PREPARE | MLI_CAN_TEXT, .params = params,
             .roles = mli_roles_unsupervised},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
