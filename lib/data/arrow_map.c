/* SPDX-License-Identifier: MIT
 *
 * data/arrow_map.c: sparse rows (CSR) as Arrow has them: a map from whole numbers to
 * numbers per row, which is offsets, keys and values. Key k of column "f" is column "fk"
 * of the table; what a row does not hold is 0. Elements of a row with the same key are
 * added. The columns made are sparse (data/sparse.c), but for those with missing values
 * and those that are not 0 in most rows.
 *
 * Cost: two passes over the elements, 12 bytes of memory for each.
 */
#include "data/arrow.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BLOCK      512
#define MOST       2 /* of so many rows one: more are held as they are */
#define MOST_WIDTH (INT64_C(1) << 30)

int mli_arrow_is_map(const struct ArrowSchema *s)
{
    if (!s->format || strcmp(s->format, "+m") != 0 || s->n_children != 1) return 0;
    const struct ArrowSchema *entry = s->children ? s->children[0] : NULL;
    if (!entry || entry->n_children != 2 || !entry->children) return 0;
    const struct ArrowSchema *key = entry->children[0], *value = entry->children[1];
    if (!key || !value || key->dictionary || value->dictionary) return 0;
    mli_arrow_format k = mli_arrow_parse(key->format), v = mli_arrow_parse(value->format);
    return k.kind == MLI_ARROW_SAME &&
           (k.type == ML_DTYPE_I32 || k.type == ML_DTYPE_I64) &&
           v.kind == MLI_ARROW_SAME && mli_type_is_number(v.type);
}

static ml_status damaged(const mli_arrow_source *s, const char *what, ml_error *err)
{
    mli_fail(err, ML_E_DATA, "the Arrow data are damaged: %s", what);
    return mli_error_at(err, ML_E_DATA, "column \"%s\"", s->name);
}

/* The elements of one piece: rows begin at `offsets`, elements at columns of numbers. */
typedef struct elements {
    const int32_t *offsets; /* [rows + 1] */
    mli_column key, value;
} elements;

static mli_column numbers(const struct ArrowArray *a, const struct ArrowSchema *s,
                          int64_t before)
{
    mli_column c = {.type = mli_arrow_parse(s->format).type, .stride = 1};
    c.offset = a->offset + before;
    c.rows = a->length - before;
    c.data = (const char *)a->buffers[1] + c.offset * (int64_t)mli_type_size(c.type);
    c.validity = a->null_count != 0 && a->n_buffers > 0 ? a->buffers[0] : NULL;
    c.null_count = c.validity ? c.rows : 0;
    return c;
}

static ml_status check_rows(const mli_arrow_source *s, const elements *e, int64_t rows,
                            ml_error *err)
{
    int64_t most = e->key.rows < e->value.rows ? e->key.rows : e->value.rows;
    if (e->offsets[0] < 0 || e->offsets[rows] > most)
        return damaged(s, "a map points outside its elements", err);
    for (int64_t i = 0; i < rows; i++)
        if (e->offsets[i] > e->offsets[i + 1])
            return damaged(s, "the offsets of a map fall", err);
    return ML_OK;
}

static ml_status open_piece(const mli_arrow_source *s, const mli_arrow_piece *p,
                            const struct ArrowSchema *schema, elements *e, ml_error *err)
{
    const struct ArrowArray *a = p->array;
    const struct ArrowArray *pairs = a->n_children == 1 ? a->children[0] : NULL;
    *e = (elements){0};
    if (p->length == 0) return ML_OK;
    if (!pairs || pairs->n_children != 2 || a->n_buffers < 2 || !a->buffers[1] ||
        pairs->offset < 0 || pairs->length < 0)
        return damaged(s, "a map without elements", err);
    if (mli_arrow_missing(p) > 0) {
        mli_fail(err, ML_E_DATA, "a row of sparse values is missing as a whole");
        mli_error_at(err, ML_E_DATA, "column \"%s\"", s->name);
        return mli_error_hint(err, ML_E_DATA, "give an empty row, or drop it");
    }
    e->offsets = (const int32_t *)a->buffers[1] + p->offset;
    for (int k = 0; k < 2; k++) {
        const struct ArrowArray *c = pairs->children[k];
        if (!c || c->length < pairs->offset || c->offset < 0 || c->n_buffers < 2 ||
            (c->length > 0 && !c->buffers[1]))
            return damaged(s, "a map without keys or values", err);
        *(k ? &e->value : &e->key) =
            numbers(c, schema->children[0]->children[k], pairs->offset);
    }
    return check_rows(s, e, p->length, err);
}

/* Elements begin.. of a piece, BLOCK at most, as doubles. */
static int64_t read_block(const elements *e, int64_t begin, int64_t end, double *key,
                          double *value)
{
    int64_t n = end - begin < BLOCK ? end - begin : BLOCK;
    mli_column_f64(&e->key, begin, begin + n, key, 1);
    if (value) mli_column_f64(&e->value, begin, begin + n, value, 1);
    return n;
}

/* The largest key of a piece and one more, if above *width. */
static ml_status widen(const mli_arrow_source *s, const elements *e, int64_t rows,
                       int64_t *width, ml_error *err)
{
    double key[BLOCK], most = (double)*width;
    if (rows == 0) return ML_OK;
    for (int64_t i = e->offsets[0]; i < e->offsets[rows];) {
        int64_t n = read_block(e, i, e->offsets[rows], key, NULL);
        for (int64_t k = 0; k < n; k++) {
            if (!(key[k] >= 0 && key[k] < (double)MOST_WIDTH)) {
                mli_fail(err, ML_E_DATA, "%s is no number of a column", MLI_NUM(key[k]));
                return mli_error_at(err, ML_E_DATA, "column \"%s\"", s->name);
            }
            if (key[k] + 1 > most) most = key[k] + 1;
        }
        i += n;
    }
    *width = (int64_t)most;
    return ML_OK;
}

ml_status mli_arrow_map_width(const mli_arrow_source *s, const struct ArrowSchema *schema,
                              int64_t asked, int64_t *width, ml_error *err)
{
    int64_t found = 0;
    if (s->rows > INT32_MAX)
        return mli_fail(err, ML_E_UNSUPPORTED, "sparse columns have 2^31 rows at most");
    for (int64_t p = 0; p < s->n; p++) {
        elements e;
        ml_status status = open_piece(s, &s->pieces[p], schema, &e, err);
        if (!status) status = widen(s, &e, s->pieces[p].length, &found, err);
        if (status) return status;
    }
    *width = asked > 0 ? asked : found;
    if (found <= *width) return ML_OK;
    mli_fail(err, ML_E_DATA,
             "a row has an element %" PRId64 ", but there are %" PRId64 " columns",
             found - 1, *width);
    return mli_error_at(err, ML_E_DATA, "column \"%s\"", s->name);
}

typedef struct spreading {
    const mli_arrow_source *s;
    const struct ArrowSchema *schema;
    int64_t width;
    int64_t *first;   /* [width + 1] */
    int64_t *at;      /* [width] */
    uint8_t *missing; /* [width] */
    int32_t *rows;
    double *values;
} spreading;

static void count(spreading *t, const elements *e, int64_t begin, int64_t end)
{
    double key[BLOCK];
    for (int64_t i = begin; i < end;) {
        int64_t n = read_block(e, i, end, key, NULL);
        for (int64_t k = 0; k < n; k++) t->first[(int64_t)key[k] + 1]++;
        i += n;
    }
}

static void spread(spreading *t, const elements *e, int64_t begin, int64_t end,
                   int32_t row)
{
    double key[BLOCK], value[BLOCK];
    for (int64_t i = begin; i < end;) {
        int64_t n = read_block(e, i, end, key, value);
        for (int64_t k = 0; k < n; k++) {
            int64_t c = (int64_t)key[k], at = t->at[c];
            if (value[k] != value[k]) t->missing[c] = 1;
            if (at > t->first[c] && t->rows[at - 1] == row) {
                t->values[at - 1] += value[k];
                continue;
            }
            t->rows[at] = row;
            t->values[at] = value[k];
            t->at[c]++;
        }
        i += n;
    }
}

static ml_status pass(spreading *t, int placing, ml_error *err)
{
    for (int64_t p = 0; p < t->s->n; p++) {
        const mli_arrow_piece *piece = &t->s->pieces[p];
        elements e;
        ml_status status = open_piece(t->s, piece, t->schema, &e, err);
        if (status) return status;
        if (!placing && piece->length > 0)
            count(t, &e, e.offsets[0], e.offsets[piece->length]);
        for (int64_t i = 0; placing && i < piece->length; i++)
            spread(t, &e, e.offsets[i], e.offsets[i + 1], (int32_t)(piece->at + i));
    }
    return ML_OK;
}

/* Column k; sums that came to NaN are missing values. */
static ml_status make_column(const spreading *t, int64_t k, mli_buffer *keep,
                             mli_column *to, ml_error *err)
{
    ml_context *ctx = t->s->ctx;
    int64_t first = t->first[k], n = t->at[k] - first;
    mli_sparse held = {n, t->rows + first, t->values + first};
    size_t room = strlen(t->s->name) + 24;
    to->name = mli_alloc(ctx, room);
    if (!to->name) return mli_nomem(err);
    snprintf(to->name, room, "%s%" PRId64, t->s->name, k);
    int odd = t->missing[k];
    for (int64_t i = 0; i < n && !odd; i++) odd = held.values[i] != held.values[i];
    if (!odd && n * MOST <= t->s->rows) {
        mli_column_make_sparse(to, t->s->rows, held, mli_buffer_ref(keep));
        return ML_OK;
    }
    double *data = NULL;
    to->keep[0] = mli_buffer_new(ctx, (size_t)t->s->rows * sizeof *data, &data);
    if (!to->keep[0]) return mli_nomem(err);
    memset(data, 0, (size_t)t->s->rows * sizeof *data);
    for (int64_t i = 0; i < n; i++) data[held.rows[i]] = held.values[i];
    to->type = ML_DTYPE_F64;
    to->rows = t->s->rows;
    to->stride = 1;
    to->data = data;
    return ML_OK;
}

static ml_status make_columns(spreading *t, mli_column *to, ml_error *err)
{
    ml_context *ctx = t->s->ctx;
    ml_status status = pass(t, 0, err);
    for (int64_t k = 0; k < t->width; k++) {
        t->first[k + 1] += t->first[k];
        t->at[k] = t->first[k];
    }
    if (status) return status;
    size_t total = (size_t)t->first[t->width];
    mli_buffer *keep =
        mli_buffer_new(ctx, (total + 1) * (sizeof(double) + sizeof(int32_t)), &t->values);
    if (!keep) return mli_nomem(err);
    t->rows = (int32_t *)(void *)(t->values + total);
    status = pass(t, 1, err);
    for (int64_t k = 0; k < t->width && !status; k++)
        status = make_column(t, k, keep, &to[k], err);
    mli_buffer_free(keep);
    return status;
}

ml_status mli_arrow_map(const mli_arrow_source *s, const struct ArrowSchema *schema,
                        int64_t width, mli_column *to, ml_error *err)
{
    spreading t = {.s = s, .schema = schema, .width = width};
    t.first = mli_calloc(s->ctx, (size_t)width + 1, sizeof *t.first);
    t.at = mli_calloc(s->ctx, (size_t)width + 1, sizeof *t.at);
    t.missing = mli_calloc(s->ctx, (size_t)width + 1, 1);
    ml_status status =
        t.first && t.at && t.missing ? make_columns(&t, to, err) : mli_nomem(err);
    mli_free(s->ctx, t.first);
    mli_free(s->ctx, t.at);
    mli_free(s->ctx, t.missing);
    return status;
}
