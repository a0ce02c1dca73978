/* SPDX-License-Identifier: MIT
 *
 * explain_partial.c: partial dependence (Friedman, "Greedy function approximation", 2001)
 * and individual conditional expectation (Goldstein, Kapelner, Bleich, Pitkin 2015): what
 * is predicted when a column has the same value in all rows. A row of the result per
 * column and value (and row): feature, value or category, and the predictions. Categories
 * of hashed columns are the most frequent ones of the rows.
 */
#include "inference/predictor.h"
#include "tuning/explain.h"
#include "tuning/hashed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct grid {
    int64_t n;
    double *value; /* codes or hashes of categories */
    int64_t *row;  /* [n] of hashed columns: a row that has the category */
} grid;

/* A category of a hashed column, and the first row that has it. */
typedef struct counted {
    double value;
    int64_t row, count;
} counted;

typedef struct partial {
    const mli_explain *x;
    int each;
    ml_predictor *p;
    mli_design *design;
    grid *grids;                 /* [x->n] */
    double *prediction;          /* [rows][outputs] */
    double *column;              /* [rows] */
    int64_t total, at;           /* rows of the result */
    int32_t *feature, *category; /* [total] codes */
    int64_t *row;
    double *value, *out; /* [total], [outputs][total] */
    const char **names;  /* of the features, then the categories */
    mli_str texts;
    int64_t n_categories;
} partial;

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static ml_status number_grid(partial *p, int64_t feature, int64_t points, grid *g,
                             ml_error *err)
{
    int64_t rows = p->design->rows, n = 0;
    mli_design_f64(p->design, feature, 0, rows, p->column, 1);
    for (int64_t i = 0; i < rows; i++)
        if (isfinite(p->column[i])) p->column[n++] = p->column[i];
    qsort(p->column, (size_t)n, sizeof *p->column, ascending);
    g->value = mli_calloc(p->x->ctx, (size_t)points, sizeof *g->value);
    if (!g->value) return mli_nomem(err);
    int64_t distinct = 0;
    for (int64_t i = 0; i < n; i++)
        if (i == 0 || p->column[i] != p->column[i - 1]) distinct++;
    for (int64_t i = 0, step = 0; distinct <= points && i < n; i++)
        if (i == 0 || p->column[i] != p->column[i - 1]) g->value[step++] = p->column[i];
    if (distinct <= points) {
        g->n = distinct;
        return ML_OK;
    }
    for (int64_t k = 0; k < points; k++) {
        double v =
            p->column[(int64_t)((double)k / (double)(points - 1) * (double)(n - 1))];
        if (g->n == 0 || v != g->value[g->n - 1]) g->value[g->n++] = v;
    }
    return ML_OK;
}

static int by_count(const void *a, const void *b)
{
    const counted *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* The distinct categories of rows in order. */
static int64_t list_kinds(const mli_hashed_row *h, int64_t n, counted *to)
{
    int64_t kinds = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || h[i].value != h[i - 1].value)
            to[kinds++] = (counted){h[i].value, h[i].row, 0};
        to[kinds - 1].count++;
    }
    return kinds;
}

/* The most frequent categories, which only the rows can name. */
static ml_status hashed_grid(partial *p, int64_t feature, int64_t points, grid *g,
                             ml_error *err)
{
    ml_context *ctx = p->x->ctx;
    int64_t rows = p->design->rows, n = 0;
    mli_hashed_row *h = NULL;
    mli_design_f64(p->design, feature, 0, rows, p->column, 1);
    ml_status s = mli_hashed_rows(ctx, p->column, rows, &h, &n, err);
    if (s != ML_OK) return s;
    counted *kinds = mli_alloc_vec(ctx, n + 1, sizeof *kinds);
    int64_t count = kinds ? list_kinds(h, n, kinds) : 0;
    mli_free(ctx, h);
    if (kinds) qsort(kinds, (size_t)count, sizeof *kinds, by_count);
    g->n = count < points ? count : points;
    g->value = mli_alloc_vec(ctx, g->n + 1, sizeof *g->value);
    g->row = mli_alloc_vec(ctx, g->n + 1, sizeof *g->row);
    int ok = kinds && g->value && g->row;
    for (int64_t k = 0; ok && k < g->n; k++) {
        g->value[k] = kinds[k].value;
        g->row[k] = kinds[k].row;
    }
    mli_free(ctx, kinds);
    return ok ? ML_OK : mli_nomem(err);
}

static int is_category(const mli_feature *f)
{
    return f->kind == MLI_CATEGORICAL || f->hashed;
}

static ml_status make_grid(partial *p, int64_t feature, grid *g, ml_error *err)
{
    const mli_feature *f = &p->x->model->inputs->features[feature];
    int64_t points = mli_get_i64(p->x->params, "points");
    if (f->hashed) return hashed_grid(p, feature, points, g, err);
    if (f->kind == MLI_NUMERIC) return number_grid(p, feature, points, g, err);
    if (f->kind != MLI_CATEGORICAL) return ML_OK;
    g->n = f->levels.n;
    g->value = mli_calloc(p->x->ctx, (size_t)g->n + 1, sizeof *g->value);
    if (!g->value) return mli_nomem(err);
    for (int64_t k = 0; k < g->n; k++) g->value[k] = (double)k;
    return ML_OK;
}

static ml_status make_grids(partial *p, ml_error *err)
{
    ml_context *ctx = p->x->ctx;
    int64_t rows = p->design->rows;
    p->grids = mli_calloc(ctx, (size_t)p->x->n + 1, sizeof *p->grids);
    p->column = mli_alloc_vec(ctx, rows, sizeof *p->column);
    if (!p->grids || !p->column) return mli_nomem(err);
    for (int64_t i = 0; i < p->x->n; i++) {
        ml_status s = make_grid(p, p->x->feature[i], &p->grids[i], err);
        if (s != ML_OK) return s;
        p->total += p->grids[i].n;
    }
    if (p->each) p->total *= rows;
    return ML_OK;
}

static ml_status make_room(partial *p, ml_error *err)
{
    ml_context *ctx = p->x->ctx;
    int64_t outputs = p->p->n_outputs;
    p->prediction = mli_alloc_vec(ctx, p->design->rows * outputs, sizeof *p->prediction);
    p->feature = mli_alloc_vec(ctx, p->total, sizeof *p->feature);
    p->category = mli_alloc_vec(ctx, p->total, sizeof *p->category);
    p->row = mli_alloc_vec(ctx, p->total, sizeof *p->row);
    p->value = mli_alloc_vec(ctx, p->total, sizeof *p->value);
    p->out = mli_alloc_vec(ctx, p->total * outputs, sizeof *p->out);
    if (!p->prediction || !p->feature || !p->category || !p->row || !p->value || !p->out)
        return mli_nomem(err);
    return ML_OK;
}

/* Adds the predictions of value k of a feature to the result. */
static void add_rows(partial *p, int64_t i, int64_t k, int64_t first_category)
{
    int64_t rows = p->design->rows, outputs = p->p->n_outputs, n = p->each ? rows : 1;
    int category = is_category(&p->x->model->inputs->features[p->x->feature[i]]);
    for (int64_t r = 0; r < n; r++, p->at++) {
        p->feature[p->at] = (int32_t)i;
        p->row[p->at] = r;
        p->value[p->at] = category ? NAN : p->grids[i].value[k];
        p->category[p->at] = category ? (int32_t)(first_category + k) : -1;
        for (int64_t o = 0; o < outputs; o++) {
            double sum = 0;
            for (int64_t j = p->each ? r : 0; j < (p->each ? r + 1 : rows); j++)
                sum += p->prediction[j * outputs + o];
            p->out[o * p->total + p->at] = p->each ? sum : sum / (double)rows;
        }
    }
}

static ml_status run(partial *p, ml_error *err)
{
    int64_t first_category = 0;
    for (int64_t i = 0; i < p->x->n; i++) {
        const grid *g = &p->grids[i];
        mli_replaced with = {.feature = p->x->feature[i]};
        for (int64_t k = 0; k < g->n; k++) {
            with.value = g->value[k];
            ml_status s =
                mli_explain_predict(p->p->plan, p->design, &with, p->prediction, err);
            if (s != ML_OK) return s;
            add_rows(p, i, k, first_category);
        }
        const mli_feature *f = &p->x->model->inputs->features[p->x->feature[i]];
        if (is_category(f)) first_category += g->n;
    }
    p->n_categories = first_category;
    return ML_OK;
}

static void add_category(partial *p, int64_t i, int64_t k)
{
    const mli_feature *f = &p->x->model->inputs->features[p->x->feature[i]];
    if (f->hashed) {
        mli_column_print(p->design->columns[p->x->feature[i]].column, p->grids[i].row[k],
                         &p->texts);
        return;
    }
    const int64_t *offset = f->levels.offsets + k;
    mli_str_add_n(&p->texts, f->levels.bytes + offset[0],
                  (size_t)(offset[1] - offset[0]));
}

/* The texts of the categories, NUL-terminated, into p->names behind the features. */
static ml_status make_names(partial *p, ml_error *err)
{
    int64_t n = p->x->n, at = n;
    p->names = mli_calloc(p->x->ctx, (size_t)(n + p->n_categories) + 1, sizeof *p->names);
    if (!p->names) return mli_nomem(err);
    for (int64_t i = 0; i < n; i++) {
        const mli_feature *f = &p->x->model->inputs->features[p->x->feature[i]];
        p->names[i] = f->name;
        for (int64_t k = 0; is_category(f) && k < p->grids[i].n; k++) {
            add_category(p, i, k);
            mli_str_char(&p->texts, '\0');
        }
    }
    if (p->texts.failed) return mli_nomem(err);
    for (const char *text = p->texts.data; at < n + p->n_categories; at++) {
        p->names[at] = text;
        text += strlen(text) + 1;
    }
    return ML_OK;
}

static ml_status write_outputs(const partial *p, mli_builder *b, ml_error *err)
{
    mli_str name;
    ml_status s = ML_OK;
    mli_str_init(&name, p->x->ctx);
    for (int64_t k = 0; s == ML_OK && k < p->p->n_outputs; k++) {
        mli_str_clear(&name);
        mli_predictor_column(p->p, k, &name);
        s = name.failed ? mli_nomem(err)
                        : mli_builder_f64(b, name.data, p->out + k * p->total, err);
    }
    mli_str_free(&name);
    return s;
}

static ml_status write(partial *p, ml_table **out, ml_error *err)
{
    mli_builder *b = NULL;
    ml_status s = make_names(p, err);
    if (s == ML_OK) s = mli_builder_new(p->x->ctx, p->total, &b, err);
    if (s == ML_OK)
        s = mli_builder_category(b, "feature", p->feature, p->names, p->x->n, err);
    if (s == ML_OK && p->each) s = mli_builder_i64(b, "row", p->row, err);
    if (s == ML_OK) s = mli_builder_f64(b, "value", p->value, err);
    if (s == ML_OK)
        s = mli_builder_category(b, "category", p->category, p->names + p->x->n,
                                 p->n_categories, err);
    if (s == ML_OK) s = write_outputs(p, b, err);
    if (s == ML_OK) return mli_builder_finish(b, out, err);
    mli_builder_free(b);
    return s;
}

static ml_status start(partial *p, ml_error *err)
{
    const mli_explain *x = p->x;
    const char *kind = mli_get_str(x->params, "kind");
    ml_status s = ml_predictor_new(x->model, *kind ? kind : NULL, NULL, &p->p, err);
    if (s == ML_OK) s = mli_design_apply(x->model->inputs, x->table, 0, &p->design, err);
    if (s != ML_OK) return s;
    if (p->design->rows == 0) return mli_fail(err, ML_E_DATA, "the table has no rows");
    return ML_OK;
}

ml_status mli_explain_partial(const mli_explain *x, int each, ml_table **out,
                              ml_error *err)
{
    partial p = {.x = x, .each = each};
    mli_str_init(&p.texts, x->ctx);
    ml_status s = start(&p, err);
    if (s == ML_OK) s = make_grids(&p, err);
    if (s == ML_OK) s = make_room(&p, err);
    if (s == ML_OK) s = run(&p, err);
    if (s == ML_OK) s = write(&p, out, err);
    for (int64_t i = 0; p.grids && i < x->n; i++) {
        mli_free(x->ctx, p.grids[i].value);
        mli_free(x->ctx, p.grids[i].row);
    }
    void *blocks[] = {p.grids, p.column, p.prediction, p.feature, p.category,
                      p.row,   p.value,  p.out,        p.names};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        mli_free(x->ctx, blocks[i]);
    mli_str_free(&p.texts);
    mli_design_free(p.design);
    ml_predictor_free(p.p);
    return s;
}
