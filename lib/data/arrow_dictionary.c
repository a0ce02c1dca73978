/* SPDX-License-Identifier: MIT
 *
 * data/arrow_dictionary.c: dictionary-encoded Arrow columns. Dictionaries of text become
 * categories, others are looked up into plain columns. Each batch has a dictionary of its
 * own; equal ones in a row count as one, different ones are united.
 */
#include "data/arrow.h"

#include <inttypes.h>
#include <string.h>

typedef struct {
    mli_arrow_source *s;
    mli_arrow_source values; /* the different dictionaries, one after another */
    mli_column column;       /* their values */
    int64_t *which;          /* [s->n] piece of `values` that a piece of s refers to */
    int32_t *remap;          /* [values.rows] value to level, NULL: as it is */
    int32_t *codes;          /* [s->rows] */
    mli_buffer *code_buffer;
} dictionary;

/* ---- the different dictionaries ---- */

static int same_bytes(const void *a, const void *b, int64_t size)
{
    if (a == b) return 1;
    return a && b && memcmp(a, b, (size_t)size) == 0;
}

/* Are two dictionaries surely equal? Bitmaps and views are not looked into. */
static int same_dictionary(const struct ArrowArray *a, const struct ArrowArray *b,
                           mli_arrow_kind kind, int32_t item)
{
    if (a == b) return 1;
    if (a->length != b->length || a->offset != b->offset ||
        a->n_buffers != b->n_buffers) {
        return 0;
    }
    int shared = 1;
    for (int64_t i = 0; i < a->n_buffers; i++) shared &= a->buffers[i] == b->buffers[i];
    if (shared) return 1;
    int text = kind == MLI_ARROW_TEXT32 || kind == MLI_ARROW_TEXT64;
    if (a->offset || a->null_count || b->null_count) return 0;
    if (!text && kind != MLI_ARROW_SAME) return 0;
    if (a->n_buffers != (text ? 3 : 2)) return 0;
    if (!same_bytes(a->buffers[1], b->buffers[1], (a->length + text) * item)) return 0;
    if (!text || a->length == 0 || !a->buffers[1]) return 1;
    int64_t size = 0;
    int32_t narrow = 0;
    if (kind == MLI_ARROW_TEXT64) {
        memcpy(&size, (const char *)a->buffers[1] + a->length * 8, sizeof size);
    } else {
        memcpy(&narrow, (const char *)a->buffers[1] + a->length * 4, sizeof narrow);
        size = narrow;
    }
    return size <= 0 || same_bytes(a->buffers[2], b->buffers[2], size);
}

static ml_status find_dictionaries(dictionary *d, ml_error *err)
{
    mli_arrow_source *s = d->s, *v = &d->values;
    size_t n = (size_t)s->n;
    d->which = mli_alloc(s->ctx, n * sizeof *d->which);
    v->pieces = mli_alloc(s->ctx, n * sizeof *v->pieces);
    if (!d->which || !v->pieces) return mli_nomem(err);
    for (int64_t k = 0; k < s->n; k++) {
        const struct ArrowArray *a = s->pieces[k].array->dictionary;
        if (!a || a->length < 0 || a->offset < 0) {
            mli_fail(err, ML_E_DATA, "the Arrow data are damaged: no dictionary");
            return mli_error_at(err, ML_E_DATA, "column \"%s\"", s->name);
        }
        const struct ArrowArray *last = v->n ? v->pieces[v->n - 1].array : NULL;
        if (!last || !same_dictionary(last, a, v->format.kind, v->format.item)) {
            v->pieces[v->n++] = (mli_arrow_piece){a, a->offset, a->length, v->rows};
            v->rows += a->length;
        }
        d->which[k] = v->n - 1;
    }
    if (v->rows > INT32_MAX) {
        mli_fail(err, ML_E_DATA, "a dictionary of more than 2^31 - 1 values");
        return mli_error_at(err, ML_E_DATA, "column \"%s\"", s->name);
    }
    if (v->n == 1 && s->n == 1) v->batch = s->batch;
    return ML_OK;
}

static ml_status decode_values(dictionary *d, ml_error *err)
{
    ml_status status = mli_arrow_prepare(&d->values, &d->column, err);
    if (status) return status;
    mli_arrow_fill(&d->values);
    return mli_arrow_check(&d->values, err);
}

/* ---- codes ---- */

#define CODES(type)                                                                      \
    do {                                                                                 \
        typedef type loose __attribute__((aligned(1)));                                  \
        const loose *in = (const loose *)p->array->buffers[1] + p->offset;               \
        for (int64_t i = 0; i < p->length; i++) {                                        \
            int64_t v = (int64_t)in[i];                                                  \
            int known = v >= 0 && v < u->length;                                         \
            to[i] = known ? (int32_t)(u->at + v) : -1;                                   \
        }                                                                                \
    } while (0)

static void read_codes(dictionary *d, int64_t k)
{
    const mli_arrow_piece *p = &d->s->pieces[k], *u = &d->values.pieces[d->which[k]];
    int32_t *to = d->codes + p->at;
    switch (d->s->format.type) {
    case ML_DTYPE_I8:
        CODES(int8_t);
        break;
    case ML_DTYPE_U8:
        CODES(uint8_t);
        break;
    case ML_DTYPE_I16:
        CODES(int16_t);
        break;
    case ML_DTYPE_U16:
        CODES(uint16_t);
        break;
    case ML_DTYPE_I32:
        CODES(int32_t);
        break;
    case ML_DTYPE_U32:
        CODES(uint32_t);
        break;
    case ML_DTYPE_I64:
        CODES(int64_t);
        break;
    default:
        CODES(uint64_t);
    }
    for (int64_t i = 0; d->remap && i < p->length; i++) {
        if (to[i] >= 0) to[i] = d->remap[to[i]];
    }
}

static ml_status make_codes(dictionary *d, ml_error *err)
{
    mli_arrow_source *s = d->s;
    d->code_buffer = mli_buffer_new(s->ctx, (size_t)s->rows * 4, &d->codes);
    if (!d->code_buffer) return mli_nomem(err);
    for (int64_t k = 0; k < s->n; k++) {
        if (s->pieces[k].length == 0) continue;
        if (s->pieces[k].array->n_buffers < 2 || !s->pieces[k].array->buffers[1]) {
            mli_fail(err, ML_E_DATA, "the Arrow data are damaged: no buffer of indices");
            return mli_error_at(err, ML_E_DATA, "column \"%s\"", s->name);
        }
        read_codes(d, k);
    }
    return ML_OK;
}

/* ---- text: categories ---- */

/* Unites the texts of several dictionaries, or drops missing ones. */
static ml_status unite(dictionary *d, mli_column *to, ml_error *err)
{
    ml_context *ctx = d->s->ctx;
    mli_map map;
    mli_map_init(&map, ctx);
    ml_status status = ML_OK;
    d->remap = mli_alloc(ctx, (size_t)d->values.rows * sizeof *d->remap);
    if (!d->remap) status = mli_nomem(err);
    for (int64_t i = 0; i < d->values.rows && !status; i++) {
        size_t size;
        const char *text = mli_column_text(&d->column, i, &size);
        d->remap[i] = text ? mli_map_add(&map, text, size) : -1;
        if (text && d->remap[i] < 0) status = mli_nomem(err);
    }
    int64_t *offsets = NULL;
    char *bytes = NULL;
    size_t total = !status && map.count ? (size_t)map.offsets[map.count] : 0;
    if (!status) {
        to->keep[1] = mli_buffer_new(ctx, (size_t)(map.count + 1) * 8, &offsets);
        to->keep[2] = mli_buffer_new(ctx, total + 1, &bytes);
        if (!to->keep[1] || !to->keep[2]) status = mli_nomem(err);
    }
    if (!status && map.count) {
        memcpy(offsets, map.offsets, (size_t)(map.count + 1) * 8);
        if (total) memcpy(bytes, map.bytes, total);
    }
    to->n_levels = map.count;
    to->levels = bytes;
    to->level_offsets = offsets;
    mli_map_free(&map);
    return status;
}

/* Indices that are int32 already, of one batch, are shared. */
static int share_codes(dictionary *d, mli_column *to)
{
    mli_arrow_source *s = d->s;
    if (d->remap || s->format.type != ML_DTYPE_I32) return 0;
    ml_error *silent = NULL;
    mli_column codes = {0};
    if (!s->batch || s->n != 1 || mli_arrow_prepare(s, &codes, silent) != ML_OK) return 0;
    int shared = s->done;
    if (shared) {
        to->data = codes.data;
        to->keep[0] = mli_buffer_ref(codes.keep[0]);
    }
    s->done = 0;
    s->data = NULL;
    s->bits = NULL;
    mli_column_clear(s->ctx, &codes);
    return shared;
}

static ml_status make_category(dictionary *d, mli_column *to, ml_error *err)
{
    ml_status status = ML_OK;
    to->type = ML_TYPE_CATEGORY;
    if (d->values.n > 1 || d->column.null_count) {
        status = unite(d, to, err);
        if (status) return status;
    } else {
        to->n_levels = d->column.rows;
        to->levels = d->column.data;
        to->level_offsets = d->column.offsets;
        to->keep[1] = mli_buffer_ref(d->column.keep[0]);
        to->keep[2] = mli_buffer_ref(d->column.keep[1]);
    }
    if (!share_codes(d, to)) {
        status = make_codes(d, err);
        to->data = d->codes;
        to->keep[0] = mli_buffer_ref(d->code_buffer);
    }
    if (!status) status = mli_arrow_validity(d->s, to, err);
    if (status) return status;
    mli_arrow_fill_validity(d->s);
    to->null_count = mli_column_count_missing(to, 0, to->rows);
    return ML_OK;
}

/* ---- others: looked up ---- */

#define LOOK_UP(type)                                                                    \
    do {                                                                                 \
        const type *in = d->column.data;                                                 \
        for (int64_t i = 0; i < to->rows; i++) {                                         \
            if (d->codes[i] >= 0) ((type *)data)[i] = in[d->codes[i]];                   \
        }                                                                                \
    } while (0)

static void look_up(const dictionary *d, const mli_column *to, void *data)
{
    switch (mli_type_size(to->type)) {
    case 0: /* bits */
        for (int64_t i = 0; i < to->rows; i++) {
            if (d->codes[i] < 0) continue;
            mli_bits_copy(data, i, d->column.data, d->column.offset + d->codes[i], 1);
        }
        break;
    case 1:
        LOOK_UP(uint8_t);
        break;
    case 2:
        LOOK_UP(uint16_t);
        break;
    case 4:
        LOOK_UP(uint32_t);
        break;
    default:
        LOOK_UP(uint64_t);
    }
}

static ml_status make_plain(dictionary *d, mli_column *to, ml_error *err)
{
    ml_context *ctx = d->s->ctx;
    uint8_t *bits = NULL;
    void *data = NULL;
    size_t item = mli_type_size(d->column.type);
    to->type = d->column.type;
    ml_status status = make_codes(d, err);
    if (status) return status;
    size_t bytes = (size_t)(to->rows + 7) / 8;
    to->keep[0] = mli_buffer_new(ctx, item ? (size_t)to->rows * item : bytes, &data);
    to->keep[4] = mli_buffer_new(ctx, bytes, &bits);
    if (!to->keep[0] || !to->keep[4]) return mli_nomem(err);
    to->data = data;
    d->s->bits = bits;
    memset(bits, 0xff, bytes);
    mli_arrow_fill_validity(d->s);
    for (int64_t i = 0; i < to->rows; i++) {
        if (d->codes[i] >= 0 && mli_column_valid(&d->column, d->codes[i])) continue;
        bits[i >> 3] = (uint8_t)(bits[i >> 3] & ~(1u << (i & 7)));
    }
    look_up(d, to, data);
    to->null_count = to->rows - mli_bits_count(bits, 0, to->rows);
    if (to->null_count) to->validity = bits;
    return ML_OK;
}

static ml_status check_formats(dictionary *d, const struct ArrowSchema *schema,
                               ml_error *err)
{
    mli_arrow_format index = mli_arrow_parse(schema->format);
    mli_arrow_format *value = &d->values.format;
    *value = mli_arrow_parse(schema->dictionary->format);
    int whole = index.kind == MLI_ARROW_SAME && index.type >= ML_DTYPE_I8 &&
                index.type <= ML_DTYPE_U64;
    if (schema->dictionary->dictionary) {
        value->kind = MLI_ARROW_REFUSED;
        value->what = "a dictionary of dictionaries";
        value->remedy = "decode the inner one";
    }
    if (!whole) {
        value->kind = MLI_ARROW_REFUSED;
        value->what = "a dictionary whose indices are not integers";
        value->remedy = "cast it to text";
        return mli_arrow_refuse(d->s->name, schema->format, value, err);
    }
    if (value->kind != MLI_ARROW_REFUSED) return ML_OK;
    return mli_arrow_refuse(d->s->name, schema->dictionary->format, value, err);
}

ml_status mli_arrow_dictionary(mli_arrow_source *s, const struct ArrowSchema *schema,
                               mli_column *to, ml_error *err)
{
    dictionary d = {.s = s, .values = {.ctx = s->ctx, .name = s->name}};
    ml_status status = check_formats(&d, schema, err);
    to->rows = s->rows;
    to->stride = 1;
    to->ordered = (schema->flags & ARROW_FLAG_DICTIONARY_ORDERED) != 0;
    if (!status) status = find_dictionaries(&d, err);
    if (!status) status = decode_values(&d, err);
    if (!status && d.column.type == ML_TYPE_TEXT) {
        status = make_category(&d, to, err);
    } else if (!status) {
        to->ordered = 0;
        status = make_plain(&d, to, err);
    }
    s->done = 1;
    mli_column_clear(s->ctx, &d.column);
    mli_buffer_free(d.code_buffer);
    mli_free(s->ctx, d.which);
    mli_free(s->ctx, d.remap);
    mli_free(s->ctx, d.values.pieces);
    return status;
}
