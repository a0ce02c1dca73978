/* SPDX-License-Identifier: MIT
 *
 * data/design_code.c: columns to codes. The distinct values of a column are found by
 * hashing, in order of appearance; training then sorts them, prediction looks each of
 * them up once in the model's dictionary.
 *
 * Cost: one hash look-up per row, plus n log n comparisons for n distinct values.
 */
#include "core/city.h"
#include "data/design_parts.h"

#include <math.h>
#include <string.h>

/* With so few rows each is looked up by itself, without a hash table. */
#define FEW_ROWS 32
/* From so many on the map remembers short texts. */
#define MANY_ROWS 4096

/* The distinct values of a column, raw numbers 0..n-1. */
typedef struct {
    ml_context *ctx;
    int64_t n;
    const char *bytes; /* text of value k: bytes[offsets[k]] .. bytes[offsets[k + 1]] */
    const int64_t *offsets;
    uint8_t *used;  /* [n] of category columns: levels that occur; else NULL */
    uint64_t *keys; /* [n] of numbers: ordered as the values are; else NULL */
    mli_map map;
    mli_str printed;
    int64_t *ends;
} distinct;

static void distinct_free(distinct *r)
{
    mli_map_free(&r->map);
    mli_str_free(&r->printed);
    mli_free(r->ctx, r->ends);
    mli_free(r->ctx, r->used);
}

/* ---- numbers as keys ---- */

static uint64_t float_key(double v)
{
    uint64_t bits, sign = (uint64_t)1 << 63;
    if (v == 0) v = 0; /* -0 is 0 */
    memcpy(&bits, &v, sizeof bits);
    return bits & sign ? ~bits : bits | sign;
}

static uint64_t signed_key(int64_t v)
{
    return (uint64_t)v ^ (uint64_t)1 << 63;
}

/* A key of 64 bits that orders as the values do. 0 when the value is missing. */
static int value_key(const mli_column *c, int64_t row, uint64_t *key)
{
    int64_t i = row * c->stride, bit = c->offset + row;
    double v = 0;
    if (!mli_column_valid(c, row)) return 0;
    switch (c->type) {
    case ML_DTYPE_F64:
    case ML_DTYPE_F32:
        v = c->type == ML_DTYPE_F64 ? ((const double *)c->data)[i]
                                    : (double)((const float *)c->data)[i];
        *key = float_key(v);
        return !isnan(v);
    case ML_DTYPE_BOOL:
        *key = (((const uint8_t *)c->data)[bit >> 3] >> (bit & 7)) & 1u;
        return 1;
    case ML_DTYPE_U8:
        *key = ((const uint8_t *)c->data)[i];
        return 1;
    case ML_DTYPE_U16:
        *key = ((const uint16_t *)c->data)[i];
        return 1;
    case ML_DTYPE_U32:
        *key = ((const uint32_t *)c->data)[i];
        return 1;
    case ML_DTYPE_U64:
        *key = ((const uint64_t *)c->data)[i];
        return 1;
    case ML_DTYPE_I8:
        *key = signed_key(((const int8_t *)c->data)[i]);
        return 1;
    case ML_DTYPE_I16:
        *key = signed_key(((const int16_t *)c->data)[i]);
        return 1;
    case ML_DTYPE_I32:
    case ML_TYPE_DATE:
        *key = signed_key(((const int32_t *)c->data)[i]);
        return 1;
    default:
        *key = signed_key(((const int64_t *)c->data)[i]);
        return 1;
    }
}

/* The text of a value. The one of -0 is that of 0. */
static void print_value(const mli_column *c, int64_t row, mli_str *s)
{
    size_t begin = s->size;
    mli_column_print(c, row, s);
    if (!s->failed && s->size - begin == 2 && !memcmp(s->data + begin, "-0", 2)) {
        s->data[begin] = '0';
        s->size--;
        s->data[s->size] = 0;
    }
}

/* ---- distinct values ---- */

/* The rows from `begin` on up to the next one that is missing, or is not. */
static int64_t run_end(const mli_column *c, int64_t begin)
{
    int valid = mli_column_valid(c, begin);
    if (!c->validity || !c->null_count) return c->rows;
    while (begin < c->rows && mli_column_valid(c, begin) == valid) begin++;
    return begin;
}

static ml_status distinct_text(distinct *r, const mli_column *c, int32_t *codes)
{
    if (c->rows >= MANY_ROWS) mli_map_remember(&r->map);
    for (int64_t i = 0, end; i < c->rows; i = end) {
        end = run_end(c, i);
        if (mli_column_valid(c, i)) {
            if (!mli_map_add_texts(&r->map, c->data, c->offsets + i, end - i, codes + i))
                return ML_E_MEMORY;
        } else {
            for (int64_t k = i; k < end; k++) codes[k] = -1;
        }
    }
    r->n = r->map.count;
    r->bytes = r->map.bytes;
    r->offsets = r->map.offsets;
    return ML_OK;
}

static ml_status distinct_category(distinct *r, const mli_column *c, int32_t *codes)
{
    const int32_t *in = c->data;
    r->used = mli_calloc(r->ctx, (size_t)c->n_levels, 1);
    if (!r->used) return ML_E_MEMORY;
    for (int64_t i = 0; i < c->rows; i++) {
        int known = in[i] >= 0 && in[i] < c->n_levels && mli_column_valid(c, i);
        codes[i] = known ? in[i] : -1;
        if (known) r->used[in[i]] = 1;
    }
    r->n = c->n_levels;
    r->bytes = c->levels;
    r->offsets = c->level_offsets;
    return ML_OK;
}

/* Appends the text of a value that is new. 1 on success. */
static int add_printed(distinct *r, const mli_column *c, int64_t row, int64_t *capacity)
{
    int64_t k = r->map.count - 1;
    if (k + 2 > *capacity) {
        int64_t more = *capacity ? *capacity * 2 : 16;
        size_t size = (size_t)more * sizeof *r->ends;
        int64_t *ends =
            r->ends ? mli_realloc(r->ctx, r->ends, size) : mli_alloc(r->ctx, size);
        if (!ends) return 0;
        ends[0] = 0;
        r->ends = ends;
        *capacity = more;
    }
    print_value(c, row, &r->printed);
    r->ends[k + 1] = (int64_t)r->printed.size;
    return !r->printed.failed;
}

static ml_status distinct_number(distinct *r, const mli_column *c, int32_t *codes)
{
    uint64_t key = 0, last_key = 0;
    int32_t last = -1; /* the code of last_key: equal values often follow each other */
    int64_t capacity = 0;
    for (int64_t i = 0; i < c->rows; i++) {
        codes[i] = -1;
        if (!value_key(c, i, &key)) continue;
        if (last < 0 || key != last_key) {
            int64_t count = r->map.count;
            last = mli_map_add(&r->map, (const char *)&key, sizeof key);
            if (last < 0) return ML_E_MEMORY;
            if (r->map.count > count && !add_printed(r, c, i, &capacity)) {
                return ML_E_MEMORY;
            }
            last_key = key;
        }
        codes[i] = last;
    }
    r->n = r->map.count;
    r->bytes = r->printed.data;
    r->offsets = r->ends;
    r->keys = (uint64_t *)(void *)r->map.bytes;
    return ML_OK;
}

static ml_status find_distinct(ml_context *ctx, distinct *r, const mli_column *c,
                               int32_t *codes)
{
    *r = (distinct){.ctx = ctx};
    mli_map_init(&r->map, ctx);
    mli_str_init(&r->printed, ctx);
    if (c->type == ML_TYPE_TEXT) return distinct_text(r, c, codes);
    if (c->type == ML_TYPE_CATEGORY) return distinct_category(r, c, codes);
    return distinct_number(r, c, codes);
}

static void set_unseen(int32_t *codes, int64_t row, int64_t *first)
{
    codes[row] = MLI_CODE_UNSEEN;
    if (*first < 0) *first = row;
}

/* Raw numbers to codes; the first row whose value the map lacks, or -1. Returns how many
 * were missing before. */
static int64_t recode(int32_t *codes, int64_t rows, const int32_t *map, int64_t *unseen)
{
    int64_t missing = 0;
    *unseen = -1;
    for (int64_t i = 0; i < rows; i++) {
        missing += codes[i] < 0;
        if (codes[i] < 0) continue;
        codes[i] = map[codes[i]];
        if (codes[i] < 0) set_unseen(codes, i, unseen);
    }
    return missing;
}

/* ---- sorting ---- */

typedef struct {
    uint64_t key; /* of numbers, or the first eight bytes of a text, as a big-endian */
    int32_t raw;
} entry;

static uint64_t text_key(const char *text, int64_t size)
{
    uint64_t key = 0;
    for (int i = 0; i < 8; i++) key = key << 8 | (i < size ? (unsigned char)text[i] : 0u);
    return key;
}

static int text_order(const distinct *r, int32_t a, int32_t b)
{
    int64_t a_size = r->offsets[a + 1] - r->offsets[a];
    int64_t b_size = r->offsets[b + 1] - r->offsets[b];
    int64_t least = a_size < b_size ? a_size : b_size;
    int order = least > 0 ? memcmp(r->bytes + r->offsets[a], r->bytes + r->offsets[b],
                                   (size_t)least)
                          : 0;
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int entry_order(const distinct *r, int by_key, const entry *a, const entry *b)
{
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return by_key ? 0 : text_order(r, a->raw, b->raw);
}

/* Merges [begin, middle) and [middle, end). */
static void merge(const distinct *r, int by_key, const entry *from, entry *to,
                  int64_t begin, int64_t middle, int64_t end)
{
    int64_t i = begin, j = middle;
    for (int64_t at = begin; at < end; at++) {
        int left =
            i < middle && (j == end || entry_order(r, by_key, &from[i], &from[j]) <= 0);
        to[at] = left ? from[i++] : from[j++];
    }
}

/* Sorts by merging; `other` is as large. Returns where the result is. */
static entry *sort_entries(const distinct *r, int by_key, entry *items, entry *other,
                           int64_t n)
{
    for (int64_t width = 1; width < n; width *= 2) {
        for (int64_t begin = 0; begin < n; begin += 2 * width) {
            int64_t middle = begin + width < n ? begin + width : n;
            int64_t end = middle + width < n ? middle + width : n;
            merge(r, by_key, items, other, begin, middle, end);
        }
        entry *swap = items;
        items = other;
        other = swap;
    }
    return items;
}

static int64_t list_entries(const distinct *r, int by_key, entry *items)
{
    int64_t n = 0;
    for (int64_t k = 0; k < r->n; k++) {
        if (r->used && !r->used[k]) continue;
        items[n].raw = (int32_t)k;
        items[n].key = by_key ? r->keys[k]
                              : text_key(r->bytes + r->offsets[k],
                                         r->offsets[k + 1] - r->offsets[k]);
        n++;
    }
    return n;
}

/* Writes the dictionary of sorted entries, equal texts (levels may repeat) once, and the
 * code of each raw number. */
static ml_status write_levels(const distinct *r, const entry *items, int64_t n,
                              int32_t *map, mli_dictionary *out)
{
    int64_t count = 0, size = 0, *offsets = NULL;
    char *bytes = NULL;
    for (int64_t i = 0; i < n; i++) {
        int32_t raw = items[i].raw;
        int repeats = i > 0 && text_order(r, items[i - 1].raw, raw) == 0;
        if (!repeats) size += r->offsets[raw + 1] - r->offsets[raw];
        count += !repeats;
        map[raw] = (int32_t)count - 1;
    }
    if (mli_dictionary_new(r->ctx, count, size, out, &bytes, &offsets, NULL)) {
        return ML_E_MEMORY;
    }
    for (int64_t i = 0; i < n; i++) {
        int32_t raw = items[i].raw, code = map[raw];
        int64_t length = r->offsets[raw + 1] - r->offsets[raw];
        if (i > 0 && map[items[i - 1].raw] == code) continue;
        if (length) {
            memcpy(bytes + offsets[code], r->bytes + r->offsets[raw], (size_t)length);
        }
        offsets[code + 1] = offsets[code] + length;
    }
    return ML_OK;
}

static ml_status make_levels(const distinct *r, int by_value, int32_t *map,
                             mli_dictionary *out)
{
    size_t bytes = (size_t)r->n * sizeof(entry);
    int by_key = by_value && r->keys;
    ml_status status = ML_E_MEMORY;
    entry *items = mli_alloc(r->ctx, bytes), *other = mli_alloc(r->ctx, bytes);
    if (items && other) {
        int64_t n = list_entries(r, by_key, items);
        const entry *sorted = sort_entries(r, by_key, items, other, n);
        status = write_levels(r, sorted, n, map, out);
    }
    mli_free(r->ctx, items);
    mli_free(r->ctx, other);
    return status;
}

void mli_coding_free(mli_coding *c)
{
    mli_buffer_free(c->memory);
    mli_dictionary_free(&c->levels);
    memset(c, 0, sizeof *c);
}

ml_status mli_code_train(ml_context *ctx, const mli_column *c, int by_value,
                         mli_coding *out)
{
    if (c->sparse.rows) {
        mli_column plain = {0};
        ml_status status = mli_column_fill_in(ctx, c, &plain, NULL);
        if (!status) status = mli_code_train(ctx, &plain, by_value, out);
        mli_column_clear(ctx, &plain);
        return status;
    }
    mli_coding coding = {0};
    distinct r;
    int64_t unseen = 0;
    int32_t *map = NULL;
    coding.memory =
        mli_buffer_room(ctx, (size_t)c->rows * sizeof *coding.codes, &coding.codes);
    if (!coding.memory) return ML_E_MEMORY;
    ml_status status = find_distinct(ctx, &r, c, coding.codes);
    if (!status) {
        map = mli_alloc(ctx, (size_t)r.n * sizeof *map);
        status = map ? make_levels(&r, by_value, map, &coding.levels) : ML_E_MEMORY;
    }
    if (!status) {
        coding.missing = recode(coding.codes, c->rows, map, &unseen);
        *out = coding;
    } else {
        mli_coding_free(&coding);
    }
    mli_free(ctx, map);
    distinct_free(&r);
    return status;
}

/* ---- by a known dictionary ---- */

typedef struct {
    const mli_dictionary *d;
    int sorted;
    mli_map map;  /* when the dictionary is not sorted */
    int32_t type; /* of the column */
} finder;

static ml_status finder_open(ml_context *ctx, finder *f, const mli_dictionary *d,
                             int sorted, int32_t type)
{
    *f = (finder){.d = d, .sorted = sorted, .type = type};
    mli_map_init(&f->map, ctx);
    for (int64_t k = 0; k < d->n && !sorted; k++) {
        size_t size = (size_t)(d->offsets[k + 1] - d->offsets[k]);
        if (mli_map_add(&f->map, d->bytes + d->offsets[k], size) < 0) {
            mli_map_free(&f->map);
            return ML_E_MEMORY;
        }
    }
    return ML_OK;
}

static int32_t find_exact(const finder *f, const char *text, size_t size)
{
    if (!f->sorted) return mli_map_find(&f->map, text, size);
    return (int32_t)mli_dictionary_find(f->d, text, size);
}

/* Booleans also match the numbers 0 and 1, either way. */
static int32_t find(const finder *f, const char *text, size_t size)
{
    int32_t code = find_exact(f, text, size);
    if (code >= 0 || !mli_type_is_number(f->type)) return code;
    if (f->type == ML_DTYPE_BOOL) return find_exact(f, text[0] == 't' ? "1" : "0", 1);
    if (size != 1 || (text[0] != '0' && text[0] != '1')) return -1;
    return text[0] == '1' ? find_exact(f, "true", 4) : find_exact(f, "false", 5);
}

/* The text of a value: of text columns as it stands, of others printed into s. NULL: it
 * is missing. */
static const char *text_at(const mli_column *c, int64_t row, mli_str *s, size_t *size)
{
    uint64_t key;
    int is_text = c->type == ML_TYPE_TEXT || c->type == ML_TYPE_CATEGORY;
    if (is_text || !value_key(c, row, &key)) return mli_column_text(c, row, size);
    mli_str_clear(s);
    print_value(c, row, s);
    *size = s->size;
    return s->data;
}

double mli_text_hash(const char *text, size_t size)
{
    return (double)(uint32_t)mli_city64(text, size);
}

ml_status mli_hash_apply(ml_context *ctx, const mli_column *c, mli_buffer **memory,
                         const double **values)
{
    double *data = NULL;
    if (c->sparse.rows) {
        mli_column plain = {0};
        ml_status status = mli_column_fill_in(ctx, c, &plain, NULL);
        if (!status) status = mli_hash_apply(ctx, &plain, memory, values);
        mli_column_clear(ctx, &plain);
        return status;
    }
    mli_buffer *buffer = mli_buffer_room(ctx, (size_t)c->rows * sizeof *data, &data);
    mli_str s;
    if (!buffer) return ML_E_MEMORY;
    mli_str_init(&s, ctx);
    for (int64_t i = 0; i < c->rows && !s.failed; i++) {
        size_t size = 0;
        const char *text = text_at(c, i, &s, &size);
        data[i] = text ? mli_text_hash(text, size) : NAN;
    }
    int failed = s.failed;
    mli_str_free(&s);
    if (failed) {
        mli_buffer_free(buffer);
        return ML_E_MEMORY;
    }
    *memory = buffer;
    *values = data;
    return ML_OK;
}

static ml_status apply_few(ml_context *ctx, const mli_column *c, const finder *f,
                           int32_t *codes, int64_t *unseen)
{
    mli_str s;
    mli_str_init(&s, ctx);
    *unseen = -1;
    for (int64_t i = 0; i < c->rows && !s.failed; i++) {
        size_t size = 0;
        const char *text = text_at(c, i, &s, &size);
        codes[i] = text ? find(f, text, size) : -1;
        if (text && codes[i] < 0) set_unseen(codes, i, unseen);
    }
    ml_status status = s.failed ? ML_E_MEMORY : ML_OK;
    mli_str_free(&s);
    return status;
}

/* Text against a dictionary no larger than the rows: each row is looked up in a map of
 * the dictionary. */
static void apply_text(const mli_column *c, finder *f, int32_t *codes, int64_t *unseen)
{
    *unseen = -1;
    if (c->rows >= MANY_ROWS) mli_map_remember(&f->map);
    for (int64_t i = 0, end; i < c->rows; i = end) {
        int valid = mli_column_valid(c, i);
        end = run_end(c, i);
        int64_t n = end - i, lost = n;
        if (valid)
            lost = mli_map_find_texts(&f->map, c->data, c->offsets + i, n, codes + i);
        for (int64_t k = i; k < end && !valid; k++) codes[k] = -1;
        for (int64_t k = i + lost; k < end; k++)
            if (codes[k] < 0) set_unseen(codes, k, unseen);
    }
}

static ml_status apply_many(ml_context *ctx, const mli_column *c, const finder *f,
                            int32_t *codes, int64_t *unseen)
{
    distinct r;
    int32_t *map = NULL;
    ml_status status = find_distinct(ctx, &r, c, codes);
    if (!status) {
        map = mli_alloc(ctx, (size_t)r.n * sizeof *map);
        if (!map) status = ML_E_MEMORY;
    }
    for (int64_t k = 0; k < r.n && !status; k++) {
        if (r.used && !r.used[k]) continue;
        map[k] =
            find(f, r.bytes + r.offsets[k], (size_t)(r.offsets[k + 1] - r.offsets[k]));
    }
    if (!status) recode(codes, c->rows, map, unseen);
    mli_free(ctx, map);
    distinct_free(&r);
    return status;
}

ml_status mli_code_apply(ml_context *ctx, const mli_column *c, const mli_dictionary *d,
                         int sorted, mli_buffer **memory, const int32_t **codes,
                         int64_t *unseen)
{
    finder f;
    int32_t *data = NULL;
    if (c->sparse.rows) {
        mli_column plain = {0};
        ml_status status = mli_column_fill_in(ctx, c, &plain, NULL);
        if (!status)
            status = mli_code_apply(ctx, &plain, d, sorted, memory, codes, unseen);
        mli_column_clear(ctx, &plain);
        return status;
    }
    int few = c->rows <= FEW_ROWS;
    int by_row = !few && c->type == ML_TYPE_TEXT && c->rows >= d->n;
    if (finder_open(ctx, &f, d, sorted && !by_row, c->type)) return ML_E_MEMORY;
    mli_buffer *buffer = mli_buffer_room(ctx, (size_t)c->rows * sizeof *data, &data);
    ml_status status = buffer ? ML_OK : ML_E_MEMORY;
    if (buffer && by_row) {
        apply_text(c, &f, data, unseen);
    } else if (buffer) {
        status = few ? apply_few(ctx, c, &f, data, unseen)
                     : apply_many(ctx, c, &f, data, unseen);
    }
    mli_map_free(&f.map);
    if (status) {
        mli_buffer_free(buffer);
        return status;
    }
    *memory = buffer;
    *codes = data;
    return ML_OK;
}
