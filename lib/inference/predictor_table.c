/* SPDX-License-Identifier: MIT
 *
 * predictor_table.c: predicting the rows of a table, into a tensor or a table.
 */
#include "core/run.h"
#include "inference/predictor.h"

#include <math.h>
#include <string.h>

/* ---- columns that lack ---- */

/* A column of missing values. `zeros`: (rows + 1) * 8 bytes; it serves as values, as
 * codes into no levels, as offsets of no text, and as validity. */
static ml_status missing_column(ml_context *ctx, const mli_feature *f, int64_t rows,
                                mli_buffer *zeros, mli_column *c, ml_error *err)
{
    static const int64_t none[1];
    c->name = mli_strdup(ctx, f->name);
    if (!c->name) return mli_nomem(err);
    c->type = f->kind == MLI_NUMERIC       ? ML_DTYPE_F64
              : f->kind == MLI_CATEGORICAL ? ML_TYPE_CATEGORY
                                           : ML_TYPE_TEXT;
    c->rows = c->null_count = rows;
    c->stride = 1;
    c->validity = zeros->data;
    c->data = zeros->data;
    if (c->type == ML_TYPE_TEXT) c->offsets = zeros->data;
    if (c->type == ML_TYPE_CATEGORY) {
        c->levels = "";
        c->level_offsets = none;
    }
    c->keep[0] = mli_buffer_ref(zeros);
    return ML_OK;
}

static int64_t count_lacking(const mli_inputs *in, const ml_table *table)
{
    int64_t lacking = 0;
    for (int64_t i = 0; i < in->n_features; i++)
        lacking += ml_table_find(table, in->features[i].name) < 0;
    return lacking;
}

static ml_status fill(const mli_inputs *in, const ml_table *table, mli_buffer *zeros,
                      ml_table *to, ml_error *err)
{
    ml_status status = ML_OK;
    int64_t at = 0;
    for (int64_t i = 0; !status && i < table->n_columns; i++)
        status = mli_column_share(to->ctx, &table->columns[i], &to->columns[at++], err);
    for (int64_t i = 0; !status && i < in->n_features; i++) {
        const mli_feature *f = &in->features[i];
        if (ml_table_find(table, f->name) >= 0) continue;
        status = missing_column(to->ctx, f, table->rows, zeros, &to->columns[at++], err);
    }
    return status ? status : mli_table_seal(to, err);
}

ml_status mli_table_fill(const mli_inputs *inputs, const ml_table *table, ml_table **out,
                         ml_error *err)
{
    int64_t lacking = count_lacking(inputs, table);
    ml_table *to = NULL;
    if (!lacking) {
        *out = ml_table_ref((ml_table *)table);
        return ML_OK;
    }
    mli_buffer *zeros = mli_buffer_new(table->ctx, ((size_t)table->rows + 1) * 8, NULL);
    if (!zeros) return mli_nomem(err);
    ml_status status =
        mli_table_alloc(table->ctx, table->rows, table->n_columns + lacking, &to, err);
    if (!status) status = fill(inputs, table, zeros, to, err);
    mli_buffer_free(zeros);
    if (status)
        ml_table_free(to);
    else
        *out = to;
    return status;
}

/* ---- predicting ---- */

/* A tensor has no text: missing values stand for it. */
static void hide_text(const mli_inputs *outputs, int64_t rows, double *values)
{
    int64_t wide = outputs->n_features;
    if (mli_inputs_text(outputs) < 0) return;
    for (int64_t j = 0; j < wide; j++)
        for (int64_t i = 0; outputs->features[j].kind == MLI_TEXT && i < rows; i++)
            values[i * wide + j] = NAN;
}

static int as_training(const ml_predictor *p)
{
    return p->training && p->model->algorithm->train_rows != NULL;
}

/* What a transformer gives for the rows that it was fitted to. */
static ml_status training_rows(const ml_predictor *p, const mli_design *design,
                               mli_run *run, double *out, ml_error *err)
{
    mli_fit job = {.ctx = p->ctx,
                   .params = p->model->params,
                   .train = design,
                   .run = run,
                   .model = p->model};
    return p->model->algorithm->train_rows(&job, out, err);
}

static ml_status predict(ml_predictor *p, const ml_table *table, ml_tensor **out,
                         ml_error *err)
{
    mli_run run;
    mli_design *design = NULL;
    ml_tensor *tensor = NULL;
    double *values;
    ml_status status = mli_design_apply(p->inputs, table, p->training, &design, err);
    if (status) return status;
    int64_t rows = design->rows, shape[2] = {rows, p->n_outputs};
    status = mli_tensor_make(p->ctx, ML_DTYPE_F64, 2, shape, &values, &tensor, err);
    mli_run_init(&run, p->ctx, NULL, NULL, NULL);
    if (!status && as_training(p))
        status = training_rows(p, design, &run, values, err);
    else if (!status)
        status = mli_plan_run_design(p->plan, design, &run, values, err);
    mli_design_free(design);
    if (!status && p->outputs) hide_text(p->outputs, rows, values);
    if (status)
        ml_tensor_free(tensor);
    else
        *out = tensor;
    return status;
}

static ml_status training_columns(ml_predictor *p, const mli_design *design, mli_run *run,
                                  ml_table **out, ml_error *err)
{
    double *rows = mli_alloc_vec(p->ctx, design->rows * p->n_outputs, sizeof *rows);
    ml_status status = rows ? training_rows(p, design, run, rows, err) : mli_nomem(err);
    if (!status)
        status = mli_columns_of_rows(p->ctx, rows, design->rows, p->outputs, out, err);
    mli_free(p->ctx, rows);
    return status;
}

/* A column of numbers that are dates or times becomes one of these. */
static ml_status give_times(ml_context *ctx, int32_t type, mli_column *c, ml_error *err)
{
    size_t size = type == ML_TYPE_DATE ? sizeof(int32_t) : sizeof(int64_t);
    void *data = NULL;
    uint8_t *bits = NULL;
    mli_buffer *keep = mli_buffer_new(ctx, (size_t)c->rows * size, &data);
    mli_buffer *valid = mli_buffer_new(ctx, (size_t)(c->rows + 7) / 8, &bits);
    const double *from = c->data;
    if (!keep || !valid) {
        mli_buffer_free(keep);
        mli_buffer_free(valid);
        return mli_nomem(err);
    }
    c->null_count = c->rows;
    for (int64_t i = 0; i < c->rows; i++) {
        double x = floor(from[i * c->stride]),
               most = type == ML_TYPE_DATE ? 0x1p31 : 0x1p63;
        if (!(x >= -most && x < most)) continue;
        if (type == ML_TYPE_DATE)
            ((int32_t *)data)[i] = (int32_t)x;
        else
            ((int64_t *)data)[i] = (int64_t)x;
        bits[i >> 3] |= (uint8_t)(1u << (i & 7));
        c->null_count--;
    }
    for (int k = 0; k < 5; k++) {
        mli_buffer_free(c->keep[k]);
        c->keep[k] = k == 0 ? keep : k == 1 ? valid : NULL;
    }
    c->type = type;
    c->data = data;
    c->validity = c->null_count ? bits : NULL;
    c->stride = 1;
    c->offset = 0;
    return ML_OK;
}

/* The columns that a transformer makes. */
static ml_status transform(ml_predictor *p, const ml_table *table, ml_table **out,
                           ml_error *err)
{
    mli_run run;
    mli_design *design = NULL;
    ml_status status = mli_design_apply(p->inputs, table, p->training, &design, err);
    if (status) return status;
    mli_run_init(&run, p->ctx, NULL, NULL, NULL);
    if (as_training(p))
        status = training_columns(p, design, &run, out, err);
    else
        status = mli_plan_run_columns(p->plan, design, p->outputs, 0, &run, out, err);
    mli_design_free(design);
    for (int64_t j = 0; j < p->n_outputs && !status; j++) {
        int32_t type = p->outputs->features[j].type;
        mli_column *c = &(*out)->columns[j];
        if (mli_type_is_time(type) && c->type == ML_DTYPE_F64) {
            status = give_times(p->ctx, type, c, err);
            if (status) {
                ml_table_free(*out);
                *out = NULL;
            }
        }
    }
    return status;
}

static ml_status transform_table(ml_predictor *p, const ml_table *table, ml_table **out,
                                 ml_error *err)
{
    ml_table *filled = NULL;
    if (!p->fill_columns) return transform(p, table, out, err);
    ml_status status = mli_table_fill(p->inputs, table, &filled, err);
    if (status) return status;
    status = transform(p, filled, out, err);
    ml_table_free(filled);
    return status;
}

ml_status ml_predictor_run(ml_predictor *predictor, const ml_table *table,
                           ml_tensor **out, ml_error *error)
{
    if (!predictor) return mli_null(error, "predictor");
    if (!table) return mli_null(error, "table");
    if (!out) return mli_null(error, "out");
    if (!predictor->fill_columns) return predict(predictor, table, out, error);
    ml_table *filled = NULL;
    ml_status status = mli_table_fill(predictor->inputs, table, &filled, error);
    if (status) return status;
    status = predict(predictor, filled, out, error);
    ml_table_free(filled);
    return status;
}

/* ---- predictions as a table ---- */

/* Class labels, NUL-terminated; *labels is one block with the texts behind the pointers.
 */
static ml_status label_texts(const ml_predictor *p, const char ***labels, ml_error *err)
{
    const mli_dictionary *d = &p->inputs->classes;
    size_t bytes = d->n ? (size_t)d->offsets[d->n] : 0;
    const char **list = mli_alloc(p->ctx, (size_t)d->n * (sizeof *list + 1) + bytes);
    if (!list) return mli_nomem(err);
    char *to = (char *)(list + d->n);
    for (int64_t k = 0; k < d->n; k++) {
        size_t size = 0;
        const char *label = mli_inputs_label(p->inputs, k, &size);
        memcpy(to, label, size);
        to[size] = 0;
        list[k] = to;
        to += size + 1;
    }
    *labels = list;
    return ML_OK;
}

static ml_status class_column(const ml_predictor *p, const ml_tensor *t, mli_builder *b,
                              ml_error *err)
{
    const double *values = t->data;
    int64_t rows = t->shape[0], n = p->inputs->classes.n;
    const char **labels = NULL;
    int32_t *codes = mli_alloc(p->ctx, (size_t)rows * sizeof *codes);
    if (!codes) return mli_nomem(err);
    for (int64_t i = 0; i < rows; i++)
        codes[i] = values[i] >= 0 && values[i] < (double)n ? (int32_t)values[i] : -1;
    ml_status status = label_texts(p, &labels, err);
    if (!status) status = mli_builder_category(b, "prediction", codes, labels, n, err);
    mli_free(p->ctx, labels);
    mli_free(p->ctx, codes);
    return status;
}

static ml_status value_columns(const ml_predictor *p, const ml_tensor *t, mli_builder *b,
                               ml_error *err)
{
    const double *values = t->data;
    int64_t rows = t->shape[0], n = p->n_outputs;
    ml_status status = ML_OK;
    mli_str name;
    mli_str_init(&name, p->ctx);
    double *column = mli_alloc(p->ctx, (size_t)rows * sizeof *column);
    if (!column) status = mli_nomem(err);
    for (int64_t k = 0; !status && k < n; k++) {
        mli_str_clear(&name);
        mli_predictor_column(p, k, &name);
        for (int64_t i = 0; i < rows; i++) column[i] = values[i * n + k];
        status =
            name.failed ? mli_nomem(err) : mli_builder_f64(b, name.data, column, err);
    }
    mli_free(p->ctx, column);
    mli_str_free(&name);
    return status;
}

ml_status ml_predictor_run_table(ml_predictor *predictor, const ml_table *table,
                                 ml_table **out, ml_error *error)
{
    ml_tensor *t = NULL;
    mli_builder *b = NULL;
    if (!predictor) return mli_null(error, "predictor");
    if (!table) return mli_null(error, "table");
    if (!out) return mli_null(error, "out");
    if (predictor->outputs) return transform_table(predictor, table, out, error);
    ml_status status = ml_predictor_run(predictor, table, &t, error);
    if (status) return status;
    status = mli_builder_new(predictor->ctx, t->shape[0], &b, error);
    if (status) goto out;
    if (strcmp(predictor->kind, "class") == 0 && predictor->inputs->classes.n > 0)
        status = class_column(predictor, t, b, error);
    else
        status = value_columns(predictor, t, b, error);
    if (status)
        mli_builder_free(b);
    else
        status = mli_builder_finish(b, out, error);
out:
    ml_tensor_free(t);
    return status;
}
