/* SPDX-License-Identifier: MIT
 *
 * csv_header.c: whether the first record holds names, and the names.
 */
#include "data/csv.h"

#include <stdio.h>
#include <string.h>

#define SAMPLE 200 /* records that are compared with the first one */

typedef struct sample {
    const mli_csv_options *o;
    const char *text;
    mli_csv_index x;
    int64_t first;    /* number of the first record that is not blank, -1: none */
    int64_t first_at; /* its first field */
    int64_t records;  /* records that are not blank, the first one included */
    mli_str scratch;
} sample;

static mli_csv_field field(sample *s, int64_t i)
{
    return mli_csv_decode(&s->o->dialect, s->text + (uint32_t)(s->x.begin[i] + 1),
                          s->text + s->x.end[i], &s->scratch);
}

/* The kind of a field, MLI_CSV_NULL when missing. */
static int32_t kind_of(sample *s, int64_t i)
{
    mli_csv_number n;
    mli_csv_field f = field(s, i);
    if (f.size == 0 || mli_csv_is_null(&s->o->nulls, f.text, f.size)) return MLI_CSV_NULL;
    return mli_csv_classify(&s->o->dialect, f.text, f.size, &n);
}

static int is_blank(sample *s, int64_t record, int64_t at)
{
    return s->x.sizes[record] == 1 && field(s, at).size == 0 &&
           s->text[s->x.begin[at] + 1] != s->o->dialect.quote;
}

static void find_first(sample *s)
{
    int64_t at = 0;
    s->first = -1;
    s->records = 0;
    for (int64_t r = 0; r < s->x.records; at += s->x.sizes[r++]) {
        if (is_blank(s, r, at)) continue;
        if (s->first < 0) {
            s->first = r;
            s->first_at = at;
        }
        s->records++;
    }
}

/* How many records behind the first one have that width. */
static int64_t count_width(sample *s, int64_t width)
{
    int64_t n = 0, at = s->first_at;
    for (int64_t r = s->first; r < s->x.records; at += s->x.sizes[r++])
        n += r > s->first && s->x.sizes[r] == width && !is_blank(s, r, at);
    return n;
}

/* The width of most records behind the first one, or else that of the first; 0 without
 * any. The only candidate is what survives counting against each other (Boyer and Moore
 * 1981). */
static int64_t body_width(sample *s)
{
    int64_t best = 0, times = 0, at = s->first_at;
    for (int64_t r = s->first; r < s->x.records; at += s->x.sizes[r++]) {
        if (r == s->first || is_blank(s, r, at)) continue;
        if (times == 0) best = s->x.sizes[r];
        times += s->x.sizes[r] == best ? 1 : -1;
    }
    if (s->records < 2) return 0;
    return count_width(s, best) * 2 > s->records - 1 ? best : s->x.sizes[s->first];
}

/* The joint kind of a column in the records behind the first one. */
static int32_t body_kind(sample *s, int64_t column, int64_t width)
{
    int32_t kind = MLI_CSV_NULL;
    int64_t at = s->first_at, seen = 0;
    for (int64_t r = s->first; r < s->x.records && seen < SAMPLE; at += s->x.sizes[r++]) {
        if (r == s->first || s->x.sizes[r] != width || column >= width) continue;
        kind = mli_csv_kind_join(kind, kind_of(s, at + column));
        seen++;
    }
    return kind;
}

/* Does the first record differ from the others as names differ from values? */
static int looks_like_names(sample *s, int64_t width)
{
    int64_t size = s->x.sizes[s->first], typed = 0;
    for (int64_t i = 0; i < size; i++) {
        int32_t kind = kind_of(s, s->first_at + i);
        if (kind == MLI_CSV_NULL) continue;
        int32_t body = size == width ? body_kind(s, i, width) : MLI_CSV_NULL;
        if (kind == MLI_CSV_TEXT) {
            /* Text above numbers: names, whatever else there is. */
            if (body != MLI_CSV_NULL && body != MLI_CSV_TEXT) return 1;
        } else {
            typed++;
        }
    }
    return typed == 0;
}

/* ---- names ---- */

static ml_status set_name(mli_csv_header *h, mli_map *seen, int64_t column,
                          const char *text, size_t size, ml_error *err)
{
    char number[32];
    mli_str name;
    mli_str_init(&name, h->ctx);
    if (size == 0) mli_str_printf(&name, "column_%lld", (long long)column + 1);
    mli_str_add_n(&name, text, size);
    size_t base = name.size;
    for (long long k = 2; !name.failed && mli_map_find(seen, name.data, name.size) >= 0;
         k++) {
        name.size = base;
        snprintf(number, sizeof number, "_%lld", k);
        mli_str_add(&name, number);
    }
    int ok = !name.failed && mli_map_add(seen, name.data, name.size) >= 0;
    if (ok) h->names[column] = mli_str_take(&name);
    mli_str_free(&name);
    return ok && h->names[column] ? ML_OK : mli_nomem(err);
}

static int32_t last_field_kind(sample *s, int64_t width)
{
    return body_kind(s, width - 1, width);
}

/* Names of all columns; those of the first record begin at column `shift`. */
static ml_status make_names(sample *s, mli_csv_header *h, int64_t shift, ml_error *err)
{
    mli_map seen;
    mli_map_init(&seen, h->ctx);
    ml_status st = ML_OK;
    int64_t size = h->present ? s->x.sizes[s->first] : 0;
    for (int64_t c = 0; st == ML_OK && c < h->width; c++) {
        mli_csv_field f = {"", 0, 0};
        if (c >= shift && c - shift < size) f = field(s, s->first_at + c - shift);
        while (f.size && (f.text[0] == ' ' || f.text[0] == '\t')) f.text++, f.size--;
        while (f.size && (f.text[f.size - 1] == ' ' || f.text[f.size - 1] == '\t'))
            f.size--;
        st = set_name(h, &seen, c, f.text, f.size, err);
    }
    mli_map_free(&seen);
    return s->scratch.failed && st == ML_OK ? mli_nomem(err) : st;
}

/* Settles the width: that of the header, unless the records have one field more: a column
 * of row names without a name in front, or an empty one behind a last delimiter. */
static int64_t settle_width(sample *s, mli_csv_header *h)
{
    int64_t body = body_width(s), size = s->x.sizes[s->first];
    h->width = h->present || body == 0 ? size : body;
    if (!h->present || body == 0) return 0;
    int all = count_width(s, body) == s->records - 1;
    if (body == size + 1 && size > 1 && all) {
        h->width = body;
        return last_field_kind(s, body) == MLI_CSV_NULL ? 0 : 1;
    }
    if (body == size - 1 && all && field(s, s->first_at + size - 1).size == 0)
        h->width = body;
    return 0;
}

/* Lines in front of the first record of the usual width, when those before are narrower:
 * titles above the table. */
static int64_t lines_above(sample *s)
{
    int64_t body = body_width(s), at = s->first_at, r = s->first;
    if (body < 2) return 0;
    while (r < s->x.records && s->x.sizes[r] < body) at += s->x.sizes[r++];
    if (r == s->x.records || s->x.sizes[r] != body) return 0;
    int64_t lines = 0;
    const char *end = s->text + (uint32_t)(s->x.begin[at] + 1);
    for (const char *p = s->text; p < end; p++)
        lines += *p == '\n' || (*p == '\r' && p[1] != '\n');
    return lines;
}

/* Where the records of data begin. */
static void measure(sample *s, mli_csv_header *h)
{
    if (!h->present) return;
    size_t end = s->x.end[s->first_at + s->x.sizes[s->first] - 1];
    /* The end of the line may stand behind blanks. */
    while (s->text[end] != '\n' && s->text[end] != '\r' && end < s->x.stop) end++;
    if (end < s->x.stop) end += s->text[end] == '\r' && s->text[end + 1] == '\n' ? 2 : 1;
    h->size = end;
    for (size_t i = 0; i < end; i++) {
        h->lines += s->text[i] == '\n' || (s->text[i] == '\r' && s->text[i + 1] != '\n');
    }
}

static ml_status read_sample(sample *s, mli_csv_header *h, int last, ml_error *err)
{
    find_first(s);
    if (s->first < 0 && !last) return ML_OK;
    if (s->first < 0 && s->x.fault) {
        mli_fail(err, ML_E_PARSE, "the first record has a quote that is not closed");
        return mli_error_hint(err, ML_E_PARSE, "close it, or set quote to none");
    }
    if (s->first < 0) {
        mli_fail(err, ML_E_DATA, "there is no record, only blank lines");
        return mli_error_hint(err, ML_E_DATA, "give a file with a header and data");
    }
    int64_t body = body_width(s);
    h->present = s->o->header == MLI_CSV_AUTO ? looks_like_names(s, body) : s->o->header;
    int64_t shift = settle_width(s, h);
    if (!h->present || h->width != body) h->later = lines_above(s);
    h->names = mli_calloc(h->ctx, (size_t)h->width, sizeof *h->names);
    if (!h->names) return mli_nomem(err);
    ml_status st = make_names(s, h, shift, err);
    if (st == ML_OK) measure(s, h);
    return st;
}

ml_status mli_csv_header_read(ml_context *ctx, const mli_csv_options *o, const char *text,
                              size_t size, int last, mli_csv_header *out, ml_error *err)
{
    *out = (mli_csv_header){.ctx = ctx};
    sample s = {.o = o, .text = text};
    mli_csv_index_init(&s.x, ctx);
    mli_str_init(&s.scratch, ctx);
    ml_status st = ML_OK;
    if (!mli_csv_scan(&s.x, &o->dialect, text, size, size, last, 0)) st = mli_nomem(err);
    if (st == ML_OK) st = read_sample(&s, out, last, err);
    if (st != ML_OK) mli_csv_header_free(out);
    mli_str_free(&s.scratch);
    mli_csv_index_free(&s.x);
    return st;
}

void mli_csv_header_free(mli_csv_header *h)
{
    for (int64_t c = 0; h->names && c < h->width; c++) mli_free(h->ctx, h->names[c]);
    mli_free(h->ctx, h->names);
    *h = (mli_csv_header){.ctx = h->ctx};
}
