/* SPDX-License-Identifier: MIT
 *
 * data/arrow_decode.c: the pieces of one Arrow column made into one column: shared when
 * there is one piece of the right layout, else converted and put one after another.
 */
#include "data/arrow.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- bits ---- */

void mli_bits_copy(uint8_t *to, int64_t at, const uint8_t *from, int64_t offset,
                   int64_t count)
{
    int64_t i = 0;
    if ((at & 7) == 0 && (offset & 7) == 0) {
        i = count & ~INT64_C(7);
        if (i) memcpy(to + (at >> 3), from + (offset >> 3), (size_t)(i >> 3));
    }
    for (; i < count; i++) {
        int64_t in = offset + i, out = at + i;
        unsigned on = (from[in >> 3] >> (in & 7)) & 1u;
        unsigned rest = to[out >> 3] & ~(1u << (out & 7));
        to[out >> 3] = (uint8_t)(rest | on << (out & 7));
    }
}

static void set_bits(uint8_t *to, int64_t at, int64_t count)
{
    int64_t end = at + count;
    for (; at < end && (at & 7); at++)
        to[at >> 3] = (uint8_t)(to[at >> 3] | 1u << (at & 7));
    if (end - at >= 8) {
        memset(to + (at >> 3), 0xff, (size_t)((end - at) >> 3));
        at += (end - at) & ~INT64_C(7);
    }
    for (; at < end; at++) to[at >> 3] = (uint8_t)(to[at >> 3] | 1u << (at & 7));
}

static const uint8_t *validity_of(const mli_arrow_piece *p)
{
    const struct ArrowArray *a = p->array;
    return a->null_count != 0 && a->n_buffers > 0 ? a->buffers[0] : NULL;
}

int64_t mli_arrow_missing(const mli_arrow_piece *p)
{
    const uint8_t *bits = validity_of(p);
    return bits ? p->length - mli_bits_count(bits, p->offset, p->length) : 0;
}

ml_status mli_arrow_validity(mli_arrow_source *s, mli_column *to, ml_error *err)
{
    for (int64_t k = 0; k < s->n; k++) to->null_count += mli_arrow_missing(&s->pieces[k]);
    if (to->null_count == 0) return ML_OK;
    if (s->batch && s->n == 1) {
        to->validity = validity_of(&s->pieces[0]);
        to->offset = s->pieces[0].offset;
        to->keep[3] = mli_buffer_ref(s->batch);
        return ML_OK;
    }
    to->keep[4] = mli_buffer_new(s->ctx, (size_t)(s->rows + 7) / 8, &s->bits);
    if (!to->keep[4]) return mli_nomem(err);
    to->validity = s->bits;
    return ML_OK;
}

void mli_arrow_fill_validity(mli_arrow_source *s)
{
    for (int64_t k = 0; s->bits && k < s->n; k++) {
        const mli_arrow_piece *p = &s->pieces[k];
        const uint8_t *bits = validity_of(p);
        if (bits) {
            mli_bits_copy(s->bits, p->at, bits, p->offset, p->length);
        } else {
            set_bits(s->bits, p->at, p->length);
        }
    }
}

/* ---- checks ---- */

static ml_status broken(const mli_arrow_source *s, const char *what, ml_error *err)
{
    mli_fail(err, ML_E_DATA, "the Arrow data are damaged: %s", what);
    return mli_error_at(err, ML_E_DATA, "column \"%s\"", s->name);
}

static int64_t buffers_needed(mli_arrow_kind kind)
{
    switch (kind) {
    case MLI_ARROW_NULL:
        return 0;
    case MLI_ARROW_TEXT32:
    case MLI_ARROW_TEXT64:
    case MLI_ARROW_VIEW:
        return 3;
    default:
        return 2;
    }
}

static ml_status check_piece(const mli_arrow_source *s, const mli_arrow_piece *p,
                             ml_error *err)
{
    const struct ArrowArray *a = p->array;
    int64_t needed = buffers_needed(s->format.kind);
    if (a->n_buffers < needed || (needed && !a->buffers)) {
        return broken(s, "it has too few buffers", err);
    }
    if (p->length > 0 && needed && !a->buffers[1]) {
        return broken(s, "it has no buffer of values", err);
    }
    if (a->null_count > 0 && needed && !a->buffers[0]) {
        return broken(s, "it has missing values but no validity bitmap", err);
    }
    return ML_OK;
}

/* ---- text ---- */

static int64_t offset_at(const mli_arrow_source *s, const mli_arrow_piece *p, int64_t i)
{
    const char *from = p->array->buffers[1];
    int32_t narrow;
    int64_t wide;
    if (!from) return 0;
    if (s->format.kind == MLI_ARROW_TEXT32) {
        memcpy(&narrow, from + (p->offset + i) * 4, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, from + (p->offset + i) * 8, sizeof wide);
    return wide;
}

typedef struct {
    int32_t size;
    char inlined[12]; /* or: 4 bytes of prefix, buffer, offset */
} view;

static view view_at(const mli_arrow_piece *p, int64_t i)
{
    view v;
    memcpy(&v, (const char *)p->array->buffers[1] + (p->offset + i) * 16, sizeof v);
    return v;
}

/* The bytes of a view; NULL when it points outside of the buffers. */
static const char *view_bytes(const struct ArrowArray *a, const view *v)
{
    int32_t buffer, offset;
    if (v->size >= 0 && v->size <= 12) return v->inlined;
    memcpy(&buffer, v->inlined + 4, sizeof buffer);
    memcpy(&offset, v->inlined + 8, sizeof offset);
    int64_t n = a->n_buffers - 3; /* validity, views, and sizes at the end */
    if (v->size < 0 || buffer < 0 || buffer >= n || offset < 0) return NULL;
    const int64_t *sizes = a->buffers[a->n_buffers - 1];
    const char *from = a->buffers[2 + buffer];
    if (!from || !sizes || (int64_t)offset + v->size > sizes[buffer]) return NULL;
    return from + offset;
}

static int valid_at(const mli_arrow_piece *p, const uint8_t *bits, int64_t i)
{
    int64_t bit = p->offset + i;
    return !bits || (bits[bit >> 3] >> (bit & 7)) & 1;
}

/* Bytes of text of a piece, -1 when its offsets make no sense. */
static int64_t text_size(const mli_arrow_source *s, const mli_arrow_piece *p)
{
    int64_t size = 0;
    if (s->format.kind != MLI_ARROW_VIEW) {
        size = offset_at(s, p, p->length) - offset_at(s, p, 0);
        return offset_at(s, p, 0) < 0 ? -1 : size;
    }
    const uint8_t *bits = validity_of(p);
    for (int64_t i = 0; i < p->length; i++) {
        view v = view_at(p, i);
        if (!valid_at(p, bits, i)) continue;
        if (!view_bytes(p->array, &v)) return -1;
        size += v.size;
    }
    return size;
}

static void fill_views(mli_arrow_source *s, const mli_arrow_piece *p, int64_t *end)
{
    const uint8_t *bits = validity_of(p);
    for (int64_t i = 0; i < p->length; i++) {
        s->offsets[p->at + i] = *end;
        if (!valid_at(p, bits, i)) continue;
        view v = view_at(p, i);
        const char *bytes = view_bytes(p->array, &v);
        if (!bytes) continue; /* cannot be: text_size looked at it */
        memcpy((char *)s->data + *end, bytes, (size_t)v.size);
        *end += v.size;
    }
}

/* Offsets of a piece, moved by `shift`. Falling ones are looked for all at once: most
 * columns have none. Arrow buffers may begin at any address. */
#define MOVE_OFFSETS(type)                                                               \
    do {                                                                                 \
        typedef type loose __attribute__((aligned(1)));                                  \
        const loose *in = (const loose *)p->array->buffers[1] + p->offset;               \
        for (int64_t i = 0; i < p->length; i++) {                                        \
            falls |= in[i] > in[i + 1];                                                  \
            to[i] = in[i] + shift;                                                       \
        }                                                                                \
    } while (0)

static void fill_offsets(mli_arrow_source *s, const mli_arrow_piece *p, int64_t shift)
{
    int64_t *to = s->offsets + p->at;
    int falls = 0;
    if (p->length && s->format.kind == MLI_ARROW_TEXT32) MOVE_OFFSETS(int32_t);
    if (p->length && s->format.kind == MLI_ARROW_TEXT64) MOVE_OFFSETS(int64_t);
    to[p->length] = offset_at(s, p, p->length) + shift;
    if (falls && s->bad < 0) s->bad = p->at;
}

static void fill_text(mli_arrow_source *s)
{
    int64_t end = 0;
    for (int64_t k = 0; k < s->n; k++) {
        const mli_arrow_piece *p = &s->pieces[k];
        if (s->format.kind == MLI_ARROW_VIEW) {
            fill_views(s, p, &end);
            continue;
        }
        int64_t first = offset_at(s, p, 0), size = text_size(s, p);
        if (!s->data) { /* one piece whose bytes are shared */
            fill_offsets(s, p, 0);
            return;
        }
        fill_offsets(s, p, end - first);
        const char *from = p->array->buffers[2];
        if (size > 0) memcpy((char *)s->data + end, from + first, (size_t)size);
        end += size;
    }
    if (s->data) s->offsets[s->rows] = end;
}

static int aligned(const void *address, int64_t size)
{
    return ((uintptr_t)address & (uintptr_t)(size - 1)) == 0;
}

static ml_status prepare_text(mli_arrow_source *s, mli_column *to, ml_error *err)
{
    int64_t total = 0;
    for (int64_t k = 0; k < s->n; k++) {
        const mli_arrow_piece *p = &s->pieces[k];
        int64_t size = text_size(s, p);
        if (size < 0) return broken(s, "the offsets of its text make no sense", err);
        if (size > 0 && s->format.kind != MLI_ARROW_VIEW && !p->array->buffers[2]) {
            return broken(s, "it has no buffer of text", err);
        }
        total += size;
    }
    const struct ArrowArray *a = s->n == 1 ? s->pieces[0].array : NULL;
    int share = s->batch && s->n == 1 && s->format.kind != MLI_ARROW_VIEW &&
                s->rows > 0 && a->buffers[2];
    if (share) {
        to->data = a->buffers[2];
        to->keep[0] = mli_buffer_ref(s->batch);
    } else {
        to->keep[0] = mli_buffer_new(s->ctx, (size_t)total + 1, &s->data);
        if (!to->keep[0]) return mli_nomem(err);
        to->data = s->data;
    }
    if (share && s->format.kind == MLI_ARROW_TEXT64 && aligned(a->buffers[1], 8)) {
        to->offsets = (const int64_t *)a->buffers[1] + s->pieces[0].offset;
        for (int64_t i = 0; i < s->rows; i++) {
            if (to->offsets[i] > to->offsets[i + 1] && s->bad < 0) s->bad = i;
        }
        s->done = 1;
        return ML_OK;
    }
    to->keep[1] = mli_buffer_new(s->ctx, (size_t)(s->rows + 1) * 8, &s->offsets);
    if (!to->keep[1]) return mli_nomem(err);
    to->offsets = s->offsets;
    return ML_OK;
}

/* ---- numbers ---- */

static float half_to_float(uint16_t h)
{
    int exponent = (h >> 10) & 31, mantissa = h & 1023;
    float value;
    if (exponent == 31) {
        value = mantissa ? NAN : INFINITY;
    } else if (exponent == 0) {
        value = ldexpf((float)mantissa, -24);
    } else {
        value = ldexpf((float)(mantissa + 1024), exponent - 25);
    }
    return h & 0x8000 ? -value : value;
}

/* A two's complement integer of `size` bytes as sign and 64-bit limbs, lowest first. */
static int read_limbs(const char *from, int size, uint64_t limb[4])
{
    unsigned char bytes[32];
    int negative = ((unsigned char)from[size - 1] & 0x80) != 0;
    memset(bytes, negative ? 0xff : 0, sizeof bytes);
    memcpy(bytes, from, (size_t)size);
    memcpy(limb, bytes, sizeof bytes);
    if (!negative) return 0;
    uint64_t carry = 1;
    for (int i = 0; i < 4; i++) {
        limb[i] = ~limb[i] + carry;
        carry = carry && limb[i] == 0;
    }
    return 1;
}

/* Divides the limbs by 10^9 in place and returns the remainder. */
static uint32_t divide_limbs(uint64_t limb[4])
{
    uint64_t rest = 0;
    for (int i = 3; i >= 0; i--) {
        uint64_t high = rest << 32 | limb[i] >> 32;
        uint64_t low = (high % 1000000000) << 32 | (limb[i] & 0xffffffff);
        limb[i] = (high / 1000000000) << 32 | low / 1000000000;
        rest = low % 1000000000;
    }
    return (uint32_t)rest;
}

/* The nearest double, by way of decimal text unless both parts are exact. */
static double decimal_to_f64(const char *from, int size, int scale)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t limb[4];
    char text[128], *end = text + 100, *at = end;
    int negative = read_limbs(from, size, limb);
    if (!(limb[1] | limb[2] | limb[3]) && limb[0] < UINT64_C(1) << 53 && scale >= 0 &&
        scale <= 22) {
        double value = (double)limb[0] / power[scale];
        return negative ? -value : value;
    }
    do {
        uint32_t part = divide_limbs(limb);
        for (int i = 0; i < 9; i++, part /= 10) *--at = (char)('0' + part % 10);
    } while (limb[0] | limb[1] | limb[2] | limb[3]);
    if (negative) *--at = '-';
    end += snprintf(end, 16, "e%d", -scale);
    double value = NAN;
    mli_parse_f64(at, end, &value);
    return value;
}

static inline int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q - (q * b > a);
}

static int64_t time_at(const mli_arrow_source *s, const mli_arrow_piece *p, int64_t i)
{
    int64_t wide;
    int32_t narrow;
    const char *from =
        (const char *)p->array->buffers[1] + (p->offset + i) * s->format.item;
    if (s->format.item == 8) {
        memcpy(&wide, from, sizeof wide);
        return wide;
    }
    memcpy(&narrow, from, sizeof narrow);
    return narrow;
}

/* Missing values may hold anything, so only valid ones can be bad. */
static void note_bad(mli_arrow_source *s, const mli_arrow_piece *p, int64_t i)
{
    if (s->bad < 0 && valid_at(p, validity_of(p), i)) s->bad = p->at + i;
}

static void fill_days(mli_arrow_source *s, const mli_arrow_piece *p)
{
    int32_t *to = (int32_t *)s->data + p->at;
    for (int64_t i = 0; i < p->length; i++) {
        int64_t days = floor_div(time_at(s, p, i), 86400000);
        to[i] = (int32_t)days;
        if (to[i] != days) note_bad(s, p, i);
    }
}

/* Nanoseconds are divided by a constant, which the compiler turns into a product. */
static void fill_times(mli_arrow_source *s, const mli_arrow_piece *p)
{
    int64_t *to = (int64_t *)s->data + p->at;
    if (s->format.div == 1000) {
        for (int64_t i = 0; i < p->length; i++) {
            to[i] = floor_div(time_at(s, p, i), 1000);
        }
        return;
    }
    for (int64_t i = 0; i < p->length; i++) {
        int64_t value = time_at(s, p, i);
        if (__builtin_mul_overflow(value, s->format.mul, &to[i])) note_bad(s, p, i);
    }
}

static void fill_piece(mli_arrow_source *s, const mli_arrow_piece *p)
{
    int32_t item = s->format.item;
    const char *from = p->array->buffers[1];
    if (p->length == 0) return;
    if (s->format.kind != MLI_ARROW_BITS) from += p->offset * item;
    switch (s->format.kind) {
    case MLI_ARROW_SAME:
        memcpy((char *)s->data + p->at * item, from, (size_t)(p->length * item));
        break;
    case MLI_ARROW_BITS:
        mli_bits_copy(s->data, p->at, (const uint8_t *)from, p->offset, p->length);
        break;
    case MLI_ARROW_HALF:
        for (int64_t i = 0; i < p->length; i++) {
            uint16_t h;
            memcpy(&h, from + i * 2, sizeof h);
            ((float *)s->data)[p->at + i] = half_to_float(h);
        }
        break;
    case MLI_ARROW_DECIMAL:
        for (int64_t i = 0; i < p->length; i++) {
            ((double *)s->data)[p->at + i] =
                decimal_to_f64(from + i * item, item, s->format.scale);
        }
        break;
    default:
        if (s->format.type == ML_TYPE_DATE) {
            fill_days(s, p);
        } else {
            fill_times(s, p);
        }
    }
}

static ml_status prepare_numbers(mli_arrow_source *s, mli_column *to, ml_error *err)
{
    const mli_arrow_piece *p = &s->pieces[0];
    int bits = s->format.kind == MLI_ARROW_BITS;
    const char *from = s->n == 1 ? p->array->buffers[1] : NULL;
    if (s->batch && from && (bits || s->format.kind == MLI_ARROW_SAME) &&
        (bits || aligned(from, s->format.item))) {
        to->data = bits ? from : from + p->offset * s->format.item;
        to->offset = p->offset;
        to->keep[0] = mli_buffer_ref(s->batch);
        s->done = 1;
        return ML_OK;
    }
    size_t size = (size_t)s->rows * mli_type_size(s->format.type);
    if (bits) size = (size_t)(s->rows + 7) / 8;
    to->keep[0] = mli_buffer_new(s->ctx, size, &s->data);
    if (!to->keep[0]) return mli_nomem(err);
    to->data = s->data;
    return ML_OK;
}

/* ---- all kinds ---- */

static ml_status prepare_missing(mli_arrow_source *s, mli_column *to, ml_error *err)
{
    void *zeros;
    to->keep[0] = mli_buffer_new(s->ctx, (size_t)s->rows * sizeof(double), &zeros);
    to->data = to->keep[0] ? zeros : NULL;
    to->keep[4] = mli_buffer_new(s->ctx, (size_t)(s->rows + 7) / 8, &zeros);
    if (!to->keep[0] || !to->keep[4]) return mli_nomem(err);
    to->validity = s->rows ? zeros : NULL;
    to->null_count = s->rows;
    s->done = 1;
    return ML_OK;
}

ml_status mli_arrow_prepare(mli_arrow_source *s, mli_column *to, ml_error *err)
{
    ml_status status = ML_OK;
    s->bad = -1;
    to->type = s->format.type;
    to->rows = s->rows;
    to->stride = 1;
    for (int64_t k = 0; k < s->n && !status; k++) {
        status = check_piece(s, &s->pieces[k], err);
    }
    if (status) return status;
    if (s->format.kind == MLI_ARROW_NULL) return prepare_missing(s, to, err);
    if (to->type == ML_TYPE_TEXT) {
        status = prepare_text(s, to, err);
    } else {
        status = prepare_numbers(s, to, err);
    }
    return status ? status : mli_arrow_validity(s, to, err);
}

void mli_arrow_fill(mli_arrow_source *s)
{
    mli_arrow_fill_validity(s);
    if (s->done) return;
    if (s->format.type == ML_TYPE_TEXT) {
        fill_text(s);
        return;
    }
    for (int64_t k = 0; k < s->n; k++) fill_piece(s, &s->pieces[k]);
}

ml_status mli_arrow_check(const mli_arrow_source *s, ml_error *err)
{
    if (s->bad < 0) return ML_OK;
    if (s->format.type == ML_TYPE_TEXT) {
        return broken(s, "the offsets of its text make no sense", err);
    }
    mli_fail(err, ML_E_DATA, "a date or time lies outside of what a table can hold");
    return mli_error_at(err, ML_E_DATA, "column \"%s\", row %" PRId64, s->name,
                        s->before + s->bad + 1);
}
