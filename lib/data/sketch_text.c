/* SPDX-License-Identifier: MIT
 *
 * data/sketch_text.c: sketches as text: base64 of little-endian numbers.
 *
 *     "mlsk" version kind estimating has_top       8 bytes
 *     rows present mean m2 min max first last      8 bytes each
 *     draws levels, then size and items of each    8 bytes each
 *     keys: their number and they; or registers    8 bytes each; one byte each
 *     lost values, then count, size and bytes of each
 */
#include "core/base64.h"
#include "data/sketch.h"

#include <math.h>
#include <string.h>

#define VERSION 1

/* ---- writing ---- */

static void put_u64(mli_str *s, uint64_t v)
{
    char bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (char)(v >> (8 * i) & 255);
    mli_str_add_n(s, bytes, 8);
}

static void put_i64(mli_str *s, int64_t v)
{
    put_u64(s, (uint64_t)v);
}

static void put_f64(mli_str *s, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_u64(s, bits);
}

static void put_quantiles(mli_str *s, const mli_quantiles *q)
{
    put_u64(s, q->draws);
    put_i64(s, q->n_levels);
    for (int h = 0; h < q->n_levels; h++) {
        put_i64(s, q->size[h]);
        for (int64_t i = 0; i < q->size[h]; i++) put_f64(s, q->level[h][i]);
    }
}

static void put_values(mli_str *s, const mli_sketch *k)
{
    if (k->estimating)
        mli_str_add_n(s, (const char *)k->registers, sizeof k->registers);
    else
        put_i64(s, k->n_keys);
    for (int64_t i = 0; i < k->n_keys; i++) put_u64(s, k->keys[i]);
    put_i64(s, k->lost);
    put_i64(s, k->has_top ? k->top.count : 0);
    for (int64_t i = 0; k->has_top && i < k->top.count; i++) {
        int64_t begin = k->top.offsets[i], end = k->top.offsets[i + 1];
        put_i64(s, k->counts[i]);
        put_i64(s, end - begin);
        mli_str_add_n(s, k->top.bytes + begin, (size_t)(end - begin));
    }
}

void mli_sketch_write(const mli_sketch *k, mli_str *out)
{
    const char head[8] = {'m',
                          'l',
                          's',
                          'k',
                          VERSION,
                          (char)k->kind,
                          (char)k->estimating,
                          (char)k->has_top};
    mli_str bytes;
    mli_str_init(&bytes, out->ctx);
    mli_str_add_n(&bytes, head, sizeof head);
    put_i64(&bytes, k->rows);
    put_i64(&bytes, k->present);
    put_f64(&bytes, k->mean);
    put_f64(&bytes, k->m2);
    put_f64(&bytes, k->min);
    put_f64(&bytes, k->max);
    put_i64(&bytes, k->first);
    put_i64(&bytes, k->last);
    put_quantiles(&bytes, &k->quantiles);
    put_values(&bytes, k);
    mli_base64_write(out, bytes.data, bytes.size);
    out->failed |= bytes.failed;
    mli_str_free(&bytes);
}

/* ---- reading ---- */

/* What is read to; at == NULL: something was wrong. */
typedef struct {
    const unsigned char *at, *end;
} cursor;

static int64_t left(const cursor *c)
{
    return c->at ? c->end - c->at : 0;
}

static const unsigned char *get_bytes(cursor *c, int64_t n)
{
    const unsigned char *from = c->at;
    if (!from || n < 0 || left(c) < n) {
        c->at = NULL;
        return NULL;
    }
    c->at += n;
    return from;
}

static uint64_t get_u64(cursor *c)
{
    const unsigned char *from = get_bytes(c, 8);
    uint64_t v = 0;
    for (int i = 0; from && i < 8; i++) v |= (uint64_t)from[i] << (8 * i);
    return v;
}

static double get_f64(cursor *c)
{
    uint64_t bits = get_u64(c);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* A count from 0 to `most`. */
static int64_t get_count(cursor *c, int64_t most)
{
    int64_t v = (int64_t)get_u64(c);
    if (v >= 0 && v <= most) return v;
    c->at = NULL;
    return 0;
}

/* Of at most so many values. */
static int get_quantiles(mli_quantiles *q, int64_t most, cursor *c)
{
    q->draws = get_u64(c);
    int64_t levels = get_count(c, MLI_QUANTILES_LEVELS);
    for (int h = 0; h < levels; h++) {
        int64_t n = get_count(c, left(c) / 8);
        if (n > (most - q->count) >> h) c->at = NULL;
        for (int64_t i = 0; c->at && i < n; i++) {
            double x = get_f64(c);
            if (isnan(x)) c->at = NULL;
            if (c->at && !mli_quantiles_restore(q, h, &x, 1)) return 0;
        }
    }
    return 1;
}

static int get_top(mli_sketch *k, cursor *c)
{
    int64_t n = get_count(c, MLI_SKETCH_TOP);
    for (int64_t i = 0; i < n && c->at; i++) {
        int64_t count = get_count(c, k->present), size = get_count(c, left(c));
        const char *text = (const char *)get_bytes(c, size);
        if (!text) return 1;
        int32_t at = mli_map_add(&k->top, text, (size_t)size);
        if (at < 0) return 0;
        if (at != i) c->at = NULL; /* the same value twice */
        k->counts[at] = count;
    }
    return 1;
}

static int get_values(mli_sketch *k, cursor *c)
{
    if (k->estimating) {
        const unsigned char *r = get_bytes(c, MLI_SKETCH_REGISTERS);
        if (r) memcpy(k->registers, r, MLI_SKETCH_REGISTERS);
        for (int i = 0; r && i < MLI_SKETCH_REGISTERS; i++)
            if (r[i] > 64) c->at = NULL;
    } else {
        k->n_keys = get_count(c, MLI_SKETCH_KEYS);
        for (int64_t i = 0; i < k->n_keys; i++) k->keys[i] = get_u64(c);
    }
    k->lost = get_count(c, INT64_MAX / 4);
    return get_top(k, c);
}

static int get_sketch(mli_sketch *k, cursor *c)
{
    const unsigned char *head = get_bytes(c, 8);
    if (!head || memcmp(head, "mlsk", 4) != 0 || head[4] != VERSION || head[5] > 2 ||
        head[6] > 1 || head[7] > 1)
        c->at = NULL;
    if (!c->at) return 1;
    k->kind = head[5];
    k->estimating = head[6];
    k->has_top = head[7];
    k->rows = get_count(c, INT64_MAX / 4);
    k->present = get_count(c, k->rows);
    k->mean = get_f64(c);
    k->m2 = get_f64(c);
    k->min = get_f64(c);
    k->max = get_f64(c);
    k->first = (int64_t)get_u64(c);
    k->last = (int64_t)get_u64(c);
    if (!get_quantiles(&k->quantiles, k->present, c) || !get_values(k, c)) return 0;
    int64_t counted = k->kind == MLI_SKETCH_NUMBERS ? k->present : 0;
    if (k->quantiles.count != counted || c->at != c->end) c->at = NULL;
    return 1;
}

ml_status mli_sketch_read(mli_sketch *k, const char *text, size_t size, ml_error *err)
{
    int64_t n = mli_base64_bytes(text, size);
    unsigned char *bytes = n < 0 ? NULL : mli_alloc_vec(k->ctx, n + 1, 1);
    if (n >= 0 && !bytes) return mli_nomem(err);
    cursor c = {NULL, NULL};
    if (n >= 0 && mli_base64_read(text, size, bytes, (size_t)n))
        c = (cursor){bytes, bytes + n};
    int ok = get_sketch(k, &c);
    mli_free(k->ctx, bytes);
    if (!ok) return mli_nomem(err);
    return c.at ? ML_OK : mli_fail(err, ML_E_DATA, "the sketch is damaged");
}
