/* SPDX-License-Identifier: MIT
 *
 * prepare/tfidf.c: texts as weighted counts of their terms. A term that few rows have
 * weighs more: its count times ln((1 + n) / (1 + df)) + 1, for n rows of which df have
 * it; then rows get length 1. Salton and Buckley, Term-weighting approaches in automatic
 * text retrieval, 1988. Tensors: vocabulary.h. Cost: a pass over the text of a row, and
 * one over its outputs.
 */
#include "algorithms/prepare/vocabulary.h"

#include <math.h>
#include <string.h>

enum { NONE, L1, L2 };

typedef struct {
    mli_vocabulary v; /* first: see vocabulary.h */
    double *idf;      /* [terms] */
    int sublinear, norm;
} tfidf;

static ml_status fit(mli_fit *job, ml_error *err)
{
    double rows = (double)job->train->rows;
    ml_status status = mli_vocabulary_fit(job, err);
    return status ? status : mli_model_add_f64s(job->model, "rows", &rows, 1, err);
}

static ml_status make_idf(const mli_prepared *t, tfidf *x, ml_error *err)
{
    const double *rows = NULL;
    int64_t one = 1;
    int use = mli_get_bool(t->model->params, "use_idf");
    double more = mli_get_bool(t->model->params, "smooth_idf");
    ml_status status =
        mli_model_want(t->model, "rows", ML_DTYPE_F64, 1, &one, &rows, err);
    if (status) return status;
    x->idf = mli_alloc_vec(x->v.ctx, x->v.n + 1, sizeof *x->idf);
    if (!x->idf) return mli_nomem(err);
    for (int64_t i = 0; i < x->v.n; i++)
        x->idf[i] = use ? log((rows[0] + more) / (x->v.frequency[i] + more)) + 1 : 1;
    return ML_OK;
}

static ml_status load(mli_prepared *t, ml_error *err)
{
    tfidf *x = mli_calloc(t->plan.ctx, 1, sizeof *x);
    if (!x) return mli_nomem(err);
    t->own[0] = x;
    x->sublinear = mli_get_bool(t->model->params, "sublinear_tf");
    x->norm = mli_get_enum(t->model->params, "norm", "none,l1,l2");
    ml_status status = mli_vocabulary_load(t, &x->v, err);
    return status ? status : make_idf(t, x, err);
}

static void release(mli_prepared *t)
{
    tfidf *x = t->own[0];
    if (!x) return;
    mli_free(t->plan.ctx, x->idf);
    mli_vocabulary_free(&x->v);
}

/* From k on the next term that occurs; n: none does. */
static inline int64_t next_term(const double *row, int64_t k, int64_t n)
{
    while (k + 8 <= n && mli_no_counts(row + k)) k += 8;
    while (k < n && row[k] == 0) k++;
    return k;
}

static void weigh(const tfidf *x, const double *idf, int64_t n, double *row)
{
    double sum = 0;
    for (int64_t k = next_term(row, 0, n); k < n; k = next_term(row, k + 1, n)) {
        if (x->sublinear) row[k] = log(row[k]) + 1;
        row[k] *= idf[k];
        sum += x->norm == L2 ? row[k] * row[k] : fabs(row[k]);
    }
    if (x->norm == NONE || !(sum > 0)) return;
    if (x->norm == L2) sum = sqrt(sum);
    for (int64_t k = next_term(row, 0, n); k < n; k = next_term(row, k + 1, n))
        row[k] /= sum;
}

static void map(const mli_prepared *t, int64_t j, const double *in, int64_t stride,
                int64_t n, double *out, int64_t out_stride)
{
    const tfidf *x = t->own[0];
    int64_t wide = mli_vocabulary_width(t, j);
    for (int64_t i = 0; i < n; i++) {
        double *row = out + i * out_stride;
        memset(row, 0, (size_t)wide * sizeof *row);
        mli_vocabulary_count(&x->v, j, mli_text_of(in[i * stride]), row);
        weigh(x, x->idf + x->v.first[j], wide, row);
    }
}

static const mli_transformer kind = {.takes = MLI_TAKES_TEXT,
                                     .load = load,
                                     .width = mli_vocabulary_width,
                                     .describe = mli_vocabulary_describe,
                                     .map = map,
                                     .release = release};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    MLI_PARAMS_TOKENS,
    MLI_PARAMS_VOCABULARY,
    {"use_idf", NULL, ML_PARAM_BOOL, 0, "true", NULL, NULL, NULL,
     "Terms of few rows weigh more.", "0.1"},
    {"smooth_idf", NULL, ML_PARAM_BOOL, 0, "true", NULL, NULL, "use_idf == true",
     "Weights as if one more row had every term.", "0.1"},
    {"sublinear_tf", NULL, ML_PARAM_BOOL, 0, "false", NULL, "{false, true}", NULL,
     "1 + ln(count) instead of the count.", "0.1"},
    {"norm", NULL, ML_PARAM_STR, 0, "l2", "{none, l1, l2}", NULL, NULL,
     "Each row of a column gets length 1, by sum (l1) or by root of squares (l2).",
     "0.1"},
    MLI_PARAM_END};

static const mli_attribute attributes[] = {
    MLI_VOCABULARY_ATTRIBUTES,
    {"rows", "f64", "[1]", "The number of training rows."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_tfidf;
const mli_algorithm mli_tfidf = {
    .head = {MLI_PREPARE_HEAD, .name = "tfidf", .aliases = "tfidf_vectorizer,tf_idf",
             .title = "weighted words of texts",
             .doc = "Makes a column of each frequent word of a text column, or of each "
                    "run of words or characters: how often it occurs in the row, more "
                    "where few rows have it, in rows of length 1.",
             .caps = MLI_CAN_PREPARE | MLI_CAN_TEXT, .params = params,
             .roles = mli_roles_unsupervised, .attributes = attributes},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
