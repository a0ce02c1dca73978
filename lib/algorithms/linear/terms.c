/* SPDX-License-Identifier: MIT
 *
 * linear/terms.c: storing, compiling and evaluating linear functions. Evaluation is one
 * scalar product over the features, in which categories count 0, and one table entry per
 * categorical feature; a row with missing values goes through a filled copy.
 */
#include "algorithms/linear/terms.h"

#include <math.h>
#include <string.h>

/* ---- storing ---- */

ml_status mli_terms_store(ml_model *model, const mli_dense *dense, int64_t functions,
                          int flat, const double *coef, const double *intercept,
                          ml_error *err)
{
    int64_t n = dense->n_columns;
    int64_t columns[2] = {n, 2}, shape[2] = {functions, n};
    int32_t *pairs = NULL;
    double *stored = NULL;
    ml_status status =
        mli_model_add(model, "columns", ML_DTYPE_I32, 2, columns, &pairs, err);
    if (status) return status;
    for (int64_t c = 0; c < n; c++) {
        pairs[2 * c] = dense->feature[c];
        pairs[2 * c + 1] = dense->level[c];
    }
    status = mli_model_add(model, "coef", ML_DTYPE_F64, flat ? 1 : 2, shape + (flat != 0),
                           &stored, err);
    if (status) return status;
    if (n > 0) memcpy(stored, coef, (size_t)(functions * n) * sizeof *stored);
    status = mli_model_add_f64s(model, "fill", dense->fill, n, err);
    if (status) return status;
    return mli_model_add_f64s(model, "intercept", intercept, functions, err);
}

/* ---- compiling ---- */

/* What a model stores. */
typedef struct {
    int64_t functions;
    const int32_t *columns;
    const double *fill, *coef, *intercept;
    mli_dense *dense;
} stored;

static ml_status read_stored(const ml_model *m, stored *s, ml_error *err)
{
    int64_t shape[2] = {-1, 2}, coef[2] = {s->functions, -1}, n = 0;
    ml_status status =
        mli_model_want(m, "columns", ML_DTYPE_I32, 2, shape, &s->columns, err);
    if (status) return status;
    n = coef[1] = shape[0];
    const ml_tensor *t = mli_model_find(m, "coef");
    int flat = s->functions == 1 && t && t->ndim == 1;
    status =
        mli_model_want(m, "coef", ML_DTYPE_F64, flat ? 1 : 2, coef + flat, &s->coef, err);
    if (!status) status = mli_model_want(m, "fill", ML_DTYPE_F64, 1, &n, &s->fill, err);
    if (!status)
        status = mli_model_want(m, "intercept", ML_DTYPE_F64, 1, &s->functions,
                                &s->intercept, err);
    if (status) return status;
    return mli_dense_load(m->inputs, n, s->columns, s->fill, NULL, NULL, &s->dense, err);
}

static void compile_number(mli_terms *t, const stored *s, int64_t j)
{
    const mli_dense *d = s->dense;
    int64_t c = d->first[j], n = d->n_columns;
    t->fill[j] = s->fill[c];
    for (int64_t k = 0; k < t->functions; k++) {
        t->weight[k * t->n_features + j] = s->coef[k * n + c];
        if (d->first[j + 1] - c > 1)
            t->missing[j * t->functions + k] = s->coef[k * n + c + 1];
    }
}

/* The value that a code of a feature adds to a function. */
static double level_value(const stored *s, int64_t j, int64_t k, int64_t code)
{
    const mli_dense *d = s->dense;
    const double *coef = s->coef + k * d->n_columns;
    int64_t hot = mli_dense_hot(d, j, (double)code);
    double sum = 0;
    if (hot >= 0) return coef[hot];
    for (int64_t c = d->first[j]; hot == -2 && c < d->first[j + 1]; c++)
        sum += s->fill[c] * coef[c];
    return sum;
}

static void compile_levels(mli_terms *t, const stored *s, int64_t table, int64_t j,
                           int64_t offset)
{
    int64_t n = s->dense->inputs->features[j].levels.n;
    t->feature[table] = j;
    t->levels[table] = n;
    t->offset[table] = offset;
    for (int64_t code = -1; code < n; code++)
        for (int64_t k = 0; k < t->functions; k++)
            t->table[offset + (code + 1) * t->functions + k] = level_value(s, j, k, code);
}

static ml_status terms_alloc(const mli_inputs *in, int64_t functions, mli_terms **out,
                             ml_error *err)
{
    int64_t n = in->n_features, entries = 0;
    mli_terms *t = mli_calloc(in->ctx, 1, sizeof *t);
    if (!t) return mli_nomem(err);
    t->ctx = in->ctx;
    t->k = mli_kernels_of(in->ctx);
    t->n_features = n;
    t->functions = functions;
    for (int64_t j = 0; j < n; j++) {
        if (in->features[j].kind != MLI_CATEGORICAL) continue;
        t->n_tables++;
        entries += in->features[j].levels.n + 1;
    }
    size_t size = sizeof(double), tables = (size_t)t->n_tables;
    t->weight = mli_calloc(t->ctx, (size_t)(functions * n), size);
    t->base = mli_calloc(t->ctx, (size_t)functions, size);
    t->fill = mli_calloc(t->ctx, (size_t)n, size);
    t->missing = mli_calloc(t->ctx, (size_t)(functions * n), size);
    t->feature = mli_calloc(t->ctx, tables, sizeof *t->feature);
    t->levels = mli_calloc(t->ctx, tables, sizeof *t->levels);
    t->offset = mli_calloc(t->ctx, tables, sizeof *t->offset);
    t->table = mli_calloc(t->ctx, (size_t)(entries * functions), size);
    if (!t->weight || !t->base || !t->fill || !t->missing || !t->feature || !t->levels ||
        !t->offset || !t->table) {
        mli_terms_free(t);
        return mli_nomem(err);
    }
    *out = t;
    return ML_OK;
}

void mli_terms_free(mli_terms *t)
{
    if (!t) return;
    mli_free(t->ctx, t->weight);
    mli_free(t->ctx, t->base);
    mli_free(t->ctx, t->fill);
    mli_free(t->ctx, t->missing);
    mli_free(t->ctx, t->feature);
    mli_free(t->ctx, t->levels);
    mli_free(t->ctx, t->offset);
    mli_free(t->ctx, t->table);
    mli_free(t->ctx, t);
}

ml_status mli_terms_new(const ml_model *model, int64_t functions, mli_terms **out,
                        ml_error *err)
{
    stored s = {.functions = functions};
    mli_terms *t = NULL;
    const mli_inputs *in = model->inputs;
    ml_status status = read_stored(model, &s, err);
    if (!status) status = terms_alloc(in, functions, &t, err);
    if (status) goto out;
    memcpy(t->base, s.intercept, (size_t)functions * sizeof *t->base);
    int64_t table = 0, offset = 0;
    for (int64_t j = 0; j < in->n_features; j++) {
        if (in->features[j].kind == MLI_NUMERIC) compile_number(t, &s, j);
        if (in->features[j].kind != MLI_CATEGORICAL) continue;
        compile_levels(t, &s, table++, j, offset);
        offset += (in->features[j].levels.n + 1) * functions;
    }
    *out = t;
out:
    mli_dense_free(s.dense);
    return status;
}

/* ---- evaluating ---- */

/* A row with missing values: they are filled, and what their absence adds is added. */
static void add_missing(const mli_terms *t, const double *row, double *out,
                        double *scratch)
{
    int64_t n = t->n_features;
    for (int64_t j = 0; j < n; j++) {
        scratch[j] = isnan(row[j]) ? t->fill[j] : row[j];
        for (int64_t k = 0; isnan(row[j]) && k < t->functions; k++)
            out[k] += t->missing[j * t->functions + k];
    }
    for (int64_t k = 0; k < t->functions; k++)
        out[k] += t->k->dot(t->weight + k * n, scratch, n);
}

void mli_terms_values(const mli_terms *t, const double *row, double *out, double *scratch)
{
    int64_t n = t->n_features, k_n = t->functions;
    double first = t->k->dot(t->weight, row, n);
    for (int64_t k = 0; k < k_n; k++) out[k] = t->base[k];
    if (isnan(first)) {
        add_missing(t, row, out, scratch);
    } else {
        out[0] += first;
        for (int64_t k = 1; k < k_n; k++) out[k] += t->k->dot(t->weight + k * n, row, n);
    }
    for (int64_t i = 0; i < t->n_tables; i++) {
        double code = row[t->feature[i]];
        int64_t at = code >= 0 && code < (double)t->levels[i] ? (int64_t)code + 1 : 0;
        const double *entry = t->table + t->offset[i] + at * k_n;
        for (int64_t k = 0; k < k_n; k++) out[k] += entry[k];
    }
}

void mli_terms_values_f32(const mli_terms *t, const float *row, double *out,
                          double *scratch)
{
    double *wide = scratch + t->n_features;
    t->k->f32_to_f64(row, wide, t->n_features);
    mli_terms_values(t, wide, out, scratch);
}

/* ---- attributes ---- */

static ml_status column_names(const ml_model *model, ml_tensor **out, ml_error *err)
{
    const int32_t *columns = NULL;
    const double *fill = NULL;
    int64_t shape[2] = {-1, 2}, size;
    mli_dense *d = NULL;
    mli_str s;
    void *data = NULL;
    mli_str_init(&s, model->ctx);
    ml_status status =
        mli_model_want(model, "columns", ML_DTYPE_I32, 2, shape, &columns, err);
    if (!status)
        status = mli_model_want(model, "fill", ML_DTYPE_F64, 1, shape, &fill, err);
    if (!status)
        status =
            mli_dense_load(model->inputs, shape[0], columns, fill, NULL, NULL, &d, err);
    if (status) goto out;
    for (int64_t c = 0; c < d->n_columns; c++) {
        if (c) mli_str_char(&s, '\n');
        mli_dense_name(d, c, &s);
    }
    size = (int64_t)s.size;
    status = s.failed
                 ? mli_nomem(err)
                 : mli_tensor_make(model->ctx, ML_DTYPE_U8, 1, &size, &data, out, err);
    if (!status && size > 0) memcpy(data, s.data, s.size);
out:
    mli_dense_free(d);
    mli_str_free(&s);
    return status;
}

ml_status mli_terms_attribute(const ml_model *model, const char *name, ml_tensor **out,
                              ml_error *err)
{
    if (strcmp(name, "column_names") == 0) return column_names(model, out, err);
    return mli_fail(err, ML_E_NAME, "this model of %s has no \"%s\"",
                    model->algorithm->head.name, name);
}
