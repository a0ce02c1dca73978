/* SPDX-License-Identifier: MIT
 *
 * csv_part.c: values of one column, of a chunk or of all rows so far: growing, joining,
 * widening, and the column that comes out in the end.
 *
 * Text is kept as codes into a dictionary, in order of first appearance, until there are
 * too many distinct values; then as bytes.
 */
#include "data/csv.h"
#include "data/design_parts.h"

#include <math.h>
#include <string.h>

void mli_csv_part_init(mli_csv_part *p, ml_context *ctx, mli_spill *spill)
{
    *p = (mli_csv_part){.ctx = ctx};
    mli_map_init(&p->map, ctx);
    mli_room_init(&p->data_room, ctx, spill);
    mli_room_init(&p->valid_room, ctx, spill);
    mli_room_init(&p->bytes_room, ctx, spill);
    p->bytes_room.loose = 1;
}

void mli_csv_part_free(mli_csv_part *p)
{
    mli_room_free(&p->data_room);
    mli_room_free(&p->valid_room);
    mli_room_free(&p->bytes_room);
    mli_map_free(&p->map);
    mli_csv_part_init(p, p->ctx, p->data_room.spill);
}

void mli_csv_part_reset(mli_csv_part *p, int32_t kind, int plain)
{
    if (p->nulls && p->valid) memset(p->valid, 0xff, p->valid_room.size);
    p->kind = kind;
    p->plain = plain;
    p->rows = p->nulls = p->soft = 0;
    p->size = 0;
    if (p->map.count) mli_map_free(&p->map);
}

/* Bytes of the values of `rows` rows. */
static size_t data_size(const mli_csv_part *p, int64_t rows)
{
    if (p->kind == MLI_CSV_TEXT && p->plain) return ((size_t)rows + 1) * 8;
    return (size_t)rows * mli_csv_kind_size(p->kind);
}

/* Does the validity bitmap lack room for so many rows? */
static int lacks_valid(const mli_csv_part *p, int64_t rows)
{
    return (size_t)rows > p->valid_room.size * 8;
}

static int reserve_valid(mli_csv_part *p, int64_t rows)
{
    size_t had = p->valid_room.size;
    if (!lacks_valid(p, rows)) return 1;
    if (!mli_room_grow(&p->valid_room, had, (size_t)(rows + 511) / 512 * 64)) return 0;
    p->valid = p->valid_room.data;
    memset(p->valid + had, 0xff, p->valid_room.size - had);
    return 1;
}

static int reserve_data(mli_csv_part *p, int64_t rows)
{
    size_t need = data_size(p, rows), used = data_size(p, p->rows);
    if (!mli_room_grow(&p->data_room, p->rows ? used : 0, (need + 7) / 8 * 8)) return 0;
    p->data = p->data_room.data;
    return 1;
}

int mli_csv_part_reserve(mli_csv_part *p, int64_t rows)
{
    if (!reserve_data(p, rows) || !reserve_valid(p, rows)) return 0;
    if (p->kind == MLI_CSV_TEXT && p->plain && p->rows == 0) ((int64_t *)p->data)[0] = 0;
    return 1;
}

int mli_csv_part_bytes(mli_csv_part *p, size_t more)
{
    if (more <= p->bytes_room.size - p->size) return 1;
    size_t room = p->bytes_room.size + p->bytes_room.size / 2;
    if (room < p->size + more) room = p->size + more;
    if (room < 256) room = 256;
    if (!mli_room_grow(&p->bytes_room, p->size, room)) return 0;
    p->bytes = p->bytes_room.data;
    return 1;
}

/* ---- widening ---- */

/* A second block, for the same rows as another kind. */
static void *fresh_data(mli_csv_part *p, int32_t kind, mli_room *fresh)
{
    p->kind = kind;
    mli_room_init(fresh, p->ctx, p->data_room.spill);
    return mli_room_grow(fresh, 0, data_size(p, p->rows) + 8) ? fresh->data : NULL;
}

static void replace_data(mli_csv_part *p, const mli_room *fresh)
{
    mli_room_free(&p->data_room);
    p->data_room = *fresh;
    p->data = fresh->data;
}

/* Nothing but missing values so far: any kind can hold them. */
static int widen_null(mli_csv_part *p, int32_t kind)
{
    int64_t rows = p->rows;
    p->kind = kind;
    if (rows == 0) return 1;
    p->rows = 0;
    if (!mli_csv_part_reserve(p, rows)) return 0;
    p->rows = rows;
    int coded = kind == MLI_CSV_TEXT && !p->plain;
    memset(p->data, coded ? 0xff : 0, data_size(p, rows));
    memset(p->valid, 0, (size_t)(rows + 7) / 8);
    if (rows & 7) p->valid[rows >> 3] = (uint8_t)(0xff << (rows & 7));
    if (kind >= MLI_CSV_BIG && kind <= MLI_CSV_COMMA) {
        for (int64_t i = 0; i < rows; i++) ((double *)p->data)[i] = NAN;
    }
    return 1;
}

static int is_missing(const mli_csv_part *p, int64_t row)
{
    return p->nulls && !((p->valid[row >> 3] >> (row & 7)) & 1);
}

static void int_to_real(mli_csv_part *p)
{
    const int64_t *from = p->data;
    double *to = p->data;
    for (int64_t i = 0; i < p->rows; i++) {
        int64_t v;
        memcpy(&v, from + i, sizeof v);
        double f = is_missing(p, i) ? NAN : (double)v;
        memcpy(to + i, &f, sizeof f);
    }
}

static int date_to_time(mli_csv_part *p)
{
    mli_room fresh;
    int64_t *to = fresh_data(p, MLI_CSV_TIME, &fresh);
    if (!to) return 0;
    const int32_t *from = p->data;
    for (int64_t i = 0; i < p->rows; i++) to[i] = (int64_t)from[i] * MLI_DAY_MICROS;
    replace_data(p, &fresh);
    return 1;
}

int mli_csv_part_widen(mli_csv_part *p, int32_t kind)
{
    if (p->kind == kind) return 1;
    if (p->kind == MLI_CSV_NULL) return widen_null(p, kind);
    if (p->kind == MLI_CSV_DATE) return date_to_time(p);
    if (p->kind == MLI_CSV_INT) int_to_real(p);
    p->kind = kind;
    return 1;
}

static const char *level(const mli_csv_part *p, int32_t code, size_t *size)
{
    const int64_t *o = p->map.offsets + code;
    *size = (size_t)(o[1] - o[0]);
    return p->map.bytes + o[0];
}

/* Appends the texts of coded rows to bytes. */
static int append_coded(mli_csv_part *to, int64_t *offsets, const mli_csv_part *from)
{
    const int32_t *codes = from->data;
    for (int64_t i = 0; i < from->rows; i++) {
        size_t size = 0;
        const char *text = "";
        if (!is_missing(from, i)) text = level(from, codes[i], &size);
        if (!mli_csv_part_bytes(to, size)) return 0;
        if (size) memcpy(to->bytes + to->size, text, size);
        to->size += size;
        offsets[i + 1] = (int64_t)to->size;
    }
    return 1;
}

int mli_csv_part_plain(mli_csv_part *p)
{
    if (p->plain) return 1;
    p->plain = 1;
    mli_room fresh;
    int64_t *offsets = fresh_data(p, MLI_CSV_TEXT, &fresh);
    if (!offsets) return 0;
    offsets[0] = 0;
    if (!append_coded(p, offsets, p)) {
        mli_room_free(&fresh);
        return 0;
    }
    replace_data(p, &fresh);
    mli_map_free(&p->map);
    return 1;
}

/* ---- dates in other orders, amounts ---- */

/* A text of a row, or of the dictionary when the part has one. */
static const char *text_at(const mli_csv_part *p, int64_t i, size_t *size)
{
    if (!p->plain) return level(p, (int32_t)i, size);
    const int64_t *o = (const int64_t *)p->data + i;
    *size = (size_t)(o[1] - o[0]);
    return p->bytes + o[0];
}

int mli_csv_part_dates(const mli_csv_part *p)
{
    int64_t n = p->plain ? p->rows : p->map.count, seen = 0;
    int orders = MLI_CSV_BOTH, differ = 0, timed = 0;
    if (p->kind != MLI_CSV_TEXT) return 0;
    for (int64_t i = 0; i < n && orders; i++) {
        int64_t micros[2];
        size_t size;
        const char *text = text_at(p, i, &size);
        if (size == 0) continue;
        int month = mli_parse_ordered(text, size, 0, &micros[0]);
        int day = mli_parse_ordered(text, size, 1, &micros[1]);
        orders &= (month ? MLI_CSV_MONTH_FIRST : 0) | (day ? MLI_CSV_DAY_FIRST : 0);
        differ |= month && day && micros[0] != micros[1];
        timed |= month == 2 || day == 2;
        seen++;
    }
    if (!seen || !orders) return 0;
    if (!differ && orders == MLI_CSV_BOTH) orders = MLI_CSV_ANY_ORDER;
    return orders | (timed ? MLI_CSV_TIMED : 0);
}

/* Has a text two marks of thousands or more? It may be a list of codes of three digits
 * instead, but in lists the first one has three digits as well. *brief: it has not. */
static int is_long_amount(const char *text, size_t size, int *brief)
{
    const char *first = memchr(text, ',', size), *end = text + size;
    const char *second = first ? memchr(first + 1, ',', (size_t)(end - first - 1)) : NULL;
    int64_t digits = first ? first - text - (*text == '-' || *text == '+') : 0;
    *brief = digits < 3 || memchr(text, '.', size) != NULL;
    return second != NULL;
}

char mli_csv_part_amounts(const mli_csv_part *p, char decimal)
{
    int64_t n = p->plain ? p->rows : p->map.count, lists = 0;
    int point = decimal != ',', comma = decimal != '.', differ = 0, dots = 0, commas = 0,
        signs = 0;
    if (p->kind != MLI_CSV_TEXT) return 0;
    for (int64_t i = 0; i < n && (point || comma); i++) {
        double value[2];
        size_t size;
        const char *text = text_at(p, i, &size);
        if (size == 0) continue;
        point = mli_csv_amount('.', text, size, &value[0], &signs) && point;
        comma = mli_csv_amount(',', text, size, &value[1], &signs) && comma;
        commas |= memchr(text, ',', size) != NULL;
        int brief;
        if (is_long_amount(text, size, &brief)) lists += brief ? -1 : 1;
        if (!point || !comma || value[0] == value[1]) continue;
        differ = 1;
        dots |= memchr(text, '.', size) != NULL;
    }
    if (!signs && !(point && !comma && commas)) return 0;
    if (!signs && decimal != '.' && lists > 0) return 0;
    if (point && comma && differ) return dots ? 0 : '.';
    return point ? '.' : comma ? ',' : 0;
}

/* Sentences that repeat are text, unless they are as few as the answers to choose from in
 * a form. */
#define ANSWERS   50
#define SENTENCE  4 /* words */
#define LOOKED_AT 1000

int mli_csv_part_sentences(const mli_csv_part *p)
{
    int64_t levels = p->map.count, n = levels < LOOKED_AT ? levels : LOOKED_AT, words = 0;
    if (levels <= ANSWERS) return 0;
    for (int64_t i = 0; i < n; i++) {
        size_t size;
        const char *text = text_at(p, levels * i / n, &size);
        words += mli_count_words(text, size);
    }
    return words >= SENTENCE * n;
}

/* A text as a value of that kind; `way`: is the day first, or the decimal mark. */
static int read_text(int32_t kind, int way, const char *text, size_t size,
                     mli_csv_number *out)
{
    int signs = 0;
    if (kind == MLI_CSV_REAL)
        return mli_csv_amount((char)way, text, size, &out->f, &signs);
    if (!mli_parse_ordered(text, size, way, &out->i)) return 0;
    if (kind == MLI_CSV_DATE) out->d = (int32_t)(out->i / MLI_DAY_MICROS);
    return 1;
}

int mli_csv_part_become(mli_csv_part *p, int32_t kind, int way)
{
    mli_csv_part from = *p;
    mli_room fresh;
    size_t width = mli_csv_kind_size(kind);
    if (!reserve_valid(p, p->rows)) return 0;
    from.valid = p->valid;
    char *to = fresh_data(p, kind, &fresh);
    if (!to) return 0;
    for (int64_t i = 0; i < p->rows; i++) {
        mli_csv_number v = {.i = 0};
        size_t size = 0;
        const char *text = "";
        int missing = is_missing(&from, i);
        if (!missing)
            text =
                text_at(&from, from.plain ? i : ((const int32_t *)from.data)[i], &size);
        int known = !missing && read_text(kind, way, text, size, &v);
        if (!known && kind == MLI_CSV_REAL) v.f = NAN;
        if (!known && !missing) mli_csv_part_null(p, i); /* an empty text in quotes */
        memcpy(to + (size_t)i * width, &v, width);
    }
    replace_data(p, &fresh);
    mli_map_free(&p->map);
    p->size = 0;
    p->plain = 0;
    return 1;
}

/* ---- appending ---- */

/* Copies n validity bits to a place that need not lie on a byte's border. */
static void copy_bits(uint8_t *to, int64_t at, const uint8_t *from, int64_t n)
{
    int shift = (int)(at & 7);
    to += at >> 3;
    for (int64_t i = 0; i < n; i += 8) {
        unsigned bits = from[i >> 3], left = n - i >= 8 ? 0xffu : (1u << (n - i)) - 1;
        unsigned mask = left << shift, value = (bits & left) << shift;
        to[0] = (uint8_t)((to[0] & ~mask) | (value & 0xff));
        if (mask >> 8) to[1] = (uint8_t)((to[1] & ~(mask >> 8)) | value >> 8);
        to++;
    }
}

/* Values of number kinds, converted to the kind of `to`. */
static void append_values(mli_csv_part *to, const mli_csv_part *from)
{
    size_t size = mli_csv_kind_size(to->kind);
    char *out = (char *)to->data + (size_t)to->rows * size;
    if (from->kind == MLI_CSV_NULL) {
        memset(out, 0, (size_t)from->rows * size);
        if (to->kind < MLI_CSV_BIG || to->kind > MLI_CSV_COMMA) return;
        for (int64_t i = 0; i < from->rows; i++) ((double *)(void *)out)[i] = NAN;
    } else if (to->kind == MLI_CSV_TIME && from->kind == MLI_CSV_DATE) {
        for (int64_t i = 0; i < from->rows; i++) {
            ((int64_t *)(void *)out)[i] =
                ((const int32_t *)from->data)[i] * MLI_DAY_MICROS;
        }
    } else if (to->kind != MLI_CSV_INT && from->kind == MLI_CSV_INT) {
        for (int64_t i = 0; i < from->rows; i++) {
            ((double *)(void *)out)[i] =
                is_missing(from, i) ? NAN : (double)((const int64_t *)from->data)[i];
        }
    } else {
        memcpy(out, from->data, (size_t)from->rows * size);
    }
}

/* Codes, renumbered by the dictionary of `to`. */
static int append_codes(mli_csv_part *to, const mli_csv_part *from)
{
    int32_t *out = (int32_t *)to->data + to->rows;
    if (from->kind == MLI_CSV_NULL) {
        memset(out, 0xff, (size_t)from->rows * sizeof *out);
        return 1;
    }
    int64_t n = from->map.count;
    int32_t *renumber = mli_alloc(to->ctx, (size_t)(n + 1) * sizeof *renumber);
    int ok = renumber != NULL;
    for (int64_t c = 0; ok && c < n; c++) {
        size_t size;
        const char *text = level(from, (int32_t)c, &size);
        renumber[c] = mli_map_add(&to->map, text, size);
        ok = renumber[c] >= 0;
    }
    const int32_t *codes = from->data;
    for (int64_t i = 0; ok && i < from->rows; i++)
        out[i] = codes[i] < 0 ? -1 : renumber[codes[i]];
    mli_free(to->ctx, renumber);
    return ok;
}

static int append_text(mli_csv_part *to, const mli_csv_part *from)
{
    int64_t *offsets = (int64_t *)to->data + to->rows;
    if (from->kind == MLI_CSV_NULL) {
        for (int64_t i = 1; i <= from->rows; i++) offsets[i] = offsets[0];
        return 1;
    }
    if (!from->plain) return append_coded(to, offsets, from);
    if (!mli_csv_part_bytes(to, from->size)) return 0;
    if (from->size) memcpy(to->bytes + to->size, from->bytes, from->size);
    to->size += from->size;
    const int64_t *source = from->data;
    for (int64_t i = 1; i <= from->rows; i++) offsets[i] = offsets[0] + source[i];
    return 1;
}

int mli_csv_part_append(mli_csv_part *to, const mli_csv_part *from, int64_t expected)
{
    int64_t rows = to->rows + from->rows;
    int64_t room = rows > expected ? rows + rows / 2 : expected;
    if (to->kind == MLI_CSV_TEXT && from->kind == MLI_CSV_TEXT && from->plain &&
        !mli_csv_part_plain(to)) {
        return 0;
    }
    if (data_size(to, rows) > to->data_room.size && !reserve_data(to, room)) return 0;
    if (to->kind != MLI_CSV_NULL && (to->nulls || from->nulls) && lacks_valid(to, rows) &&
        !reserve_valid(to, room)) {
        return 0;
    }
    if (to->kind == MLI_CSV_TEXT && to->plain && to->rows == 0)
        ((int64_t *)to->data)[0] = 0;
    if (to->kind == MLI_CSV_TEXT) {
        if (!(to->plain ? append_text(to, from) : append_codes(to, from))) return 0;
    } else if (to->kind != MLI_CSV_NULL) {
        append_values(to, from);
    }
    if (to->kind == MLI_CSV_NULL) {
        /* nothing to be marked */
    } else if (from->kind == MLI_CSV_NULL) {
        for (int64_t i = to->rows; i < rows; i++)
            to->valid[i >> 3] = (uint8_t)(to->valid[i >> 3] & ~(1u << (i & 7)));
    } else if (from->nulls) {
        copy_bits(to->valid, to->rows, from->valid, from->rows);
    }
    to->rows = rows;
    to->nulls += from->nulls;
    to->soft += from->soft;
    return 1;
}

/* ---- the column ---- */

static void release_block(void *user)
{
    mli_buffer *b = user;
    mli_free(b->ctx, (void *)(uintptr_t)b->data);
}

/* Wraps a block of the part into a counted buffer; the block is taken over. */
static mli_buffer *wrap(ml_context *ctx, void **block, size_t size)
{
    mli_buffer *b = mli_buffer_wrap(ctx, *block, size, release_block, NULL);
    if (!b) return NULL;
    b->user = b;
    *block = NULL;
    return b;
}

/* One byte a value to one bit, in place. */
static void pack_bits(uint8_t *data, int64_t rows)
{
    for (int64_t i = 0; i < rows; i += 8) {
        unsigned bits = 0;
        for (int64_t k = i; k < rows && k < i + 8; k++)
            bits |= (unsigned)data[k] << (k - i);
        data[i >> 3] = (uint8_t)bits;
    }
}

static const int32_t column_types[] = {ML_DTYPE_F64, ML_DTYPE_BOOL,     ML_DTYPE_I64,
                                       ML_DTYPE_F64, ML_DTYPE_F64,      ML_DTYPE_F64,
                                       ML_TYPE_DATE, ML_TYPE_TIMESTAMP, ML_TYPE_TEXT};

/* Levels move from the dictionary into buffers. */
static int take_levels(mli_csv_part *p, mli_column *out)
{
    mli_map *m = &p->map;
    if (!m->offsets) { /* only missing values */
        m->offsets = mli_calloc(p->ctx, 1, sizeof *m->offsets);
        if (!m->offsets) return 0;
    }
    out->n_levels = m->count;
    out->level_offsets = m->offsets;
    out->levels = m->bytes;
    size_t size = m->count ? (size_t)m->offsets[m->count] : 0;
    void *offsets = m->offsets, *bytes = m->bytes;
    out->keep[1] = wrap(p->ctx, &offsets, ((size_t)m->count + 1) * sizeof(int64_t));
    if (!out->keep[1]) return 0;
    m->offsets = NULL;
    if (!bytes) {
        out->levels = "";
        return 1;
    }
    out->keep[2] = wrap(p->ctx, &bytes, size);
    if (!out->keep[2]) return 0;
    m->bytes = NULL;
    return 1;
}

static int take_text(mli_csv_part *p, mli_column *out)
{
    size_t size = ((size_t)p->rows + 1) * sizeof(int64_t);
    if (!mli_csv_part_bytes(p, 1)) return 0;
    out->keep[1] = mli_room_buffer(&p->data_room, size);
    if (!out->keep[1]) return 0;
    out->offsets = out->keep[1]->data;
    out->keep[0] = mli_room_buffer(&p->bytes_room, p->size);
    if (!out->keep[0]) return 0;
    out->data = out->keep[0]->data;
    return 1;
}

static int take_values(mli_csv_part *p, mli_column *out)
{
    if (p->kind == MLI_CSV_BOOL) pack_bits(p->data, p->rows);
    out->keep[0] = mli_room_buffer(&p->data_room, data_size(p, p->rows));
    if (!out->keep[0]) return 0;
    out->data = out->keep[0]->data;
    return 1;
}

ml_status mli_csv_part_column(mli_csv_part *p, const char *name, int category,
                              mli_column *out, ml_error *err)
{
    if (p->kind == MLI_CSV_NULL && !mli_csv_part_widen(p, MLI_CSV_REAL))
        return mli_spill_error(p->data_room.spill, err);
    if (p->kind == MLI_CSV_TEXT && !category && !mli_csv_part_plain(p))
        return mli_spill_error(p->data_room.spill, err);
    if (!mli_csv_part_reserve(p, p->rows) || !(out->name = mli_strdup(p->ctx, name)))
        return mli_spill_error(p->data_room.spill, err);
    out->type = category ? ML_TYPE_CATEGORY : column_types[p->kind];
    out->rows = p->rows;
    out->null_count = p->nulls;
    out->stride = 1;
    int ok = category                  ? take_values(p, out) && take_levels(p, out)
             : p->kind == MLI_CSV_TEXT ? take_text(p, out)
                                       : take_values(p, out);
    if (ok && p->nulls) {
        out->keep[3] = mli_room_buffer(&p->valid_room, (size_t)(p->rows + 7) / 8);
        ok = out->keep[3] != NULL;
        if (ok) out->validity = out->keep[3]->data;
    }
    return ok ? ML_OK : mli_spill_error(p->data_room.spill, err);
}
