/* SPDX-License-Identifier: MIT
 *
 * prepare/polynomial_features.c: products of columns up to a degree, behind the columns
 * themselves. With `interaction_only` no column occurs twice in a product.
 *
 * No tensors. Cost: one multiplication per product: each is a shorter one times a column.
 */
#include "algorithms/prepare/lanes.h"
#include "algorithms/prepare/prepare.h"

#include <string.h>

#define MOST 100000

#define TERMS own[0] /* term [terms]: products of degree 2 and more */
#define COUNT size[0]

typedef struct {
    int32_t before; /* the shorter product: a term, or -1 - a feature */
    int32_t times;  /* the feature that it is multiplied by */
} term;

static ml_status fit(mli_fit *job, ml_error *err)
{
    uint8_t *picked = NULL;
    ml_status status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &picked, err);
    mli_free(job->ctx, picked);
    return status;
}

static ml_status too_many(ml_error *err)
{
    mli_fail(err, ML_E_DATA, "polynomial_features would make more than %d columns", MOST);
    return mli_error_hint(err, ML_E_DATA, "lower the degree, or choose fewer columns");
}

/* All products of one degree from those of the degree below, in lexicographic order. */
static ml_status extend(mli_prepared *t, const int32_t *features, int32_t n, int only,
                        int32_t from, int32_t to, ml_error *err)
{
    term *terms = t->TERMS;
    for (int32_t k = from; k < to; k++) {
        int32_t last = from < 0 ? k - from : terms[k].times, place = 0;
        if (from < 0)
            place = last;
        else
            while (features[place] != last) place++;
        for (int32_t f = place + (only ? 1 : 0); f < n; f++) {
            if (t->COUNT == MOST) return too_many(err);
            terms[t->COUNT++] = (term){from < 0 ? -1 - features[place] : k, features[f]};
        }
    }
    return ML_OK;
}

static ml_status load(mli_prepared *t, ml_error *err)
{
    const ml_params *p = t->model->params;
    int32_t n = 0, only = mli_get_bool(p, "interaction_only");
    int64_t degree = mli_get_i64(p, "degree");
    int32_t *features =
        mli_calloc(t->plan.ctx, (size_t)t->in->n_features, sizeof *features);
    t->own[1] = features;
    t->TERMS = mli_calloc(t->plan.ctx, MOST, sizeof(term));
    if (!features || !t->TERMS) return mli_nomem(err);
    for (int64_t j = 0; j < t->in->n_features; j++)
        if (t->picked[j]) features[n++] = (int32_t)j;
    ml_status status = extend(t, features, n, only, -n, 0, err);
    int32_t from = 0;
    for (int64_t d = 3; d <= degree && !status; d++) {
        int32_t to = (int32_t)t->COUNT;
        status = extend(t, features, n, only, from, to, err);
        from = to;
    }
    if (status) return status;
    void *fitting = mli_realloc(t->plan.ctx, t->TERMS, (size_t)t->COUNT * sizeof(term));
    if (fitting) t->TERMS = fitting;
    return ML_OK;
}

static int64_t width(const mli_prepared *t, int64_t j)
{
    return j < t->in->n_features ? 1 : t->COUNT;
}

static void name_term(const mli_prepared *t, int32_t k, mli_str *s)
{
    const term *terms = t->TERMS;
    if (terms[k].before < 0)
        mli_str_add(s, t->in->features[-1 - terms[k].before].name);
    else
        name_term(t, terms[k].before, s);
    mli_str_printf(s, " * %s", t->in->features[terms[k].times].name);
}

static ml_status describe(const mli_prepared *t, int64_t j, mli_feature *out,
                          ml_error *err)
{
    ml_status status = ML_OK;
    if (j < t->in->n_features)
        return mli_prepare_name(t, out, err, "%s", t->in->features[j].name);
    for (int32_t k = 0; k < t->COUNT && !status; k++) {
        mli_str s;
        mli_str_init(&s, t->plan.ctx);
        name_term(t, k, &s);
        out[k].name = mli_str_take(&s);
        if (!out[k].name) status = mli_nomem(err);
    }
    return status;
}

static void map(const mli_prepared *t, int64_t j, const double *in, int64_t stride,
                int64_t n, double *out, int64_t out_stride)
{
    const term *terms = t->TERMS;
    for (int64_t i = 0; i < n; i++, in += stride, out += out_stride) {
        if (j < t->in->n_features) {
            *out = *in;
            continue;
        }
        for (int64_t k = 0; k < t->COUNT; k++) {
            int32_t before = terms[k].before;
            out[k] = (before < 0 ? in[-1 - before] : out[before]) * in[terms[k].times];
        }
    }
}

static void multiply(const double *a, const double *b, int64_t n, double *out)
{
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        *(mli_numbers *)(out + i) =
            *(const mli_numbers *)(a + i) * *(const mli_numbers *)(b + i);
    for (; i < n; i++) out[i] = a[i] * b[i];
}

static void product(const mli_prepared *t, const double *const *in, int64_t n, int32_t k,
                    double *out)
{
    const term *terms = t->TERMS;
    int32_t before = terms[k].before;
    if (before >= 0) product(t, in, n, before, out);
    multiply(before < 0 ? in[-1 - before] : out, in[terms[k].times], n, out);
}

static void output(const mli_prepared *t, const double *const *in, int64_t n, int64_t k,
                   double *out, double *scratch)
{
    int64_t features = t->in->n_features;
    (void)scratch;
    if (k < features)
        memcpy(out, in[k], (size_t)n * sizeof *out);
    else
        product(t, in, n, (int32_t)(k - features), out);
}

static const mli_transformer kind = {.takes = MLI_TAKES_NUMBERS,
                                     .more = 1,
                                     .load = load,
                                     .width = width,
                                     .describe = describe,
                                     .map = map,
                                     .output = output};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"degree", NULL, ML_PARAM_I64, 0, "2", "[2, 8]", "[2, 3]", NULL,
     "Factors of the longest products.", "0.1"},
    {"interaction_only", "interactions", ML_PARAM_BOOL, 0, "false", NULL, "{false, true}",
     NULL, "Only products of different columns.", "0.1"},
    MLI_PARAM_END};

extern const mli_algorithm mli_polynomial_features;
const mli_algorithm mli_polynomial_features = {
    .head = {MLI_PREPARE_HEAD, .name = "polynomial_features",
             .aliases = "polynomial,interactions", .title = "products of columns",
             .doc =
                 "Adds products of columns up to a degree, such as \"a * b\", behind the "
                 "columns.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
