/* SPDX-License-Identifier: MIT
 *
 * csv_scan.c: where the fields and records of a piece of text are.
 *
 * Two ways lead to the same answer. The exact way below is a state machine over bytes; it
 * knows comments, escapes, blanks around quotes and every irregularity. The fast way
 * (csv_scan_wide.c) handles 64 bytes at a time, as long as each quote stands where RFC
 * 4180 wants it, and leaves the rest to the exact way.
 */
#include "core/cpu.h"
#include "data/csv.h"

#include <string.h>

void mli_csv_index_init(mli_csv_index *x, ml_context *ctx)
{
    *x = (mli_csv_index){.ctx = ctx};
}

void mli_csv_index_free(mli_csv_index *x)
{
    mli_free(x->ctx, x->at);
    mli_free(x->ctx, x->own);
    mli_free(x->ctx, x->sizes);
    mli_csv_index_init(x, x->ctx);
}

int mli_csv_index_reserve(mli_csv_index *x, int64_t count)
{
    if (count <= x->at_capacity) return 1;
    int64_t room = x->at_capacity * 2;
    if (room < count) room = count;
    if (room < 4096) room = 4096;
    uint32_t *at = mli_realloc(x->ctx, x->at, (size_t)room * sizeof *at);
    if (!at) return 0;
    x->at = at;
    x->at_capacity = room;
    return 1;
}

/* Room for `count` fields in separate arrays. */
static int reserve_own(mli_csv_index *x, int64_t count)
{
    if (count <= x->own_capacity) return 1;
    int64_t room = x->own_capacity * 2;
    if (room < count) room = count;
    if (room < 1024) room = 1024;
    uint32_t *own = mli_alloc(x->ctx, (size_t)room * 2 * sizeof *own);
    if (!own) return 0;
    if (x->fields) {
        memcpy(own, x->begin, (size_t)x->fields * sizeof *own);
        memcpy(own + room, x->end, (size_t)x->fields * sizeof *own);
    }
    mli_free(x->ctx, x->own);
    x->own = own;
    x->own_capacity = room;
    x->begin = own;
    x->end = own + room;
    return 1;
}

static int reserve_sizes(mli_csv_index *x, int64_t count)
{
    if (count <= x->sizes_capacity) return 1;
    int64_t room = x->sizes_capacity * 2;
    if (room < count) room = count;
    if (room < 256) room = 256;
    uint32_t *sizes = mli_realloc(x->ctx, x->sizes, (size_t)room * sizeof *sizes);
    if (!sizes) return 0;
    x->sizes = sizes;
    x->sizes_capacity = room;
    return 1;
}

static int add_field(mli_csv_index *x, size_t begin, size_t end)
{
    if (x->fields == x->own_capacity && !reserve_own(x, x->fields + 1)) return 0;
    x->begin[x->fields] = (uint32_t)begin - 1;
    x->end[x->fields++] = (uint32_t)end;
    return 1;
}

static int add_record(mli_csv_index *x, int64_t size)
{
    if (x->records == x->sizes_capacity && !reserve_sizes(x, x->records + 1)) return 0;
    x->sizes[x->records++] = (uint32_t)size;
    return 1;
}

/* ---- the exact way ---- */

typedef struct scanner {
    mli_csv_index *x;
    const mli_csv_dialect *d;
    const char *text;
    size_t limit;
    int last;
    size_t at;    /* the next byte */
    int64_t size; /* fields of the record so far */
} scanner;

/* What scanning a field or a record came to. */
enum { NEXT_FIELD, NEXT_RECORD, INCOMPLETE, FAULT, NO_MEMORY };

static inline int is_blank(const mli_csv_dialect *d, char c)
{
    return (c == ' ' || c == '\t') && (c != d->delimiter || c == ' ');
}

static inline int is_delimiter(const mli_csv_dialect *d, char c)
{
    return c == d->delimiter || (d->delimiter == ' ' && c == '\t');
}

/* Behind the field that ends at s->at: what comes next? Steps over it. */
static int step_over(scanner *s)
{
    const char *p = s->text;
    if (s->at >= s->limit) return s->last ? NEXT_RECORD : INCOMPLETE;
    char c = p[s->at];
    if (c == '\n') {
        s->at++;
        return NEXT_RECORD;
    }
    if (c == '\r') {
        if (s->at + 1 == s->limit && !s->last) return INCOMPLETE;
        s->at += s->at + 1 < s->limit && p[s->at + 1] == '\n' ? 2 : 1;
        return NEXT_RECORD;
    }
    s->at++;
    if (s->d->delimiter != ' ') return NEXT_FIELD;
    /* A run of blanks is one delimiter, and none before the end of the line. */
    while (s->at < s->limit && (p[s->at] == ' ' || p[s->at] == '\t')) s->at++;
    if (s->at >= s->limit || p[s->at] == '\n' || p[s->at] == '\r') return step_over(s);
    return NEXT_FIELD;
}

static int fault(scanner *s, int what, size_t at)
{
    s->x->fault = what;
    s->x->fault_at = at;
    s->x->fault_field = s->size;
    return FAULT;
}

/* A quoted field whose opening quote is at `open`; `begin` may lie before it. */
static int scan_quoted(scanner *s, size_t begin, size_t open)
{
    const mli_csv_dialect *d = s->d;
    size_t p = open + 1, end;
    for (;;) {
        if (d->escape) {
            while (p < s->limit && s->text[p] != d->quote && s->text[p] != d->escape) p++;
        } else if (p < s->limit) {
            const char *q = memchr(s->text + p, d->quote, s->limit - p);
            p = q ? (size_t)(q - s->text) : s->limit;
        }
        if (p >= s->limit) return s->last ? fault(s, MLI_CSV_OPEN, open) : INCOMPLETE;
        if (s->text[p] == d->quote) {
            if (p + 1 >= s->limit || s->text[p + 1] != d->quote) break;
        }
        p += 2; /* an escape and the byte behind it, or two quotes */
    }
    end = p + 1;
    s->at = end;
    if (d->trim || d->delimiter == ' ') {
        while (s->at < s->limit && is_blank(d, s->text[s->at]) && d->delimiter != ' ')
            s->at++;
    }
    if (s->at < s->limit && !is_delimiter(d, s->text[s->at]) && s->text[s->at] != '\n' &&
        s->text[s->at] != '\r') {
        return fault(s, MLI_CSV_TAIL, end);
    }
    if (!add_field(s->x, begin, end)) return NO_MEMORY;
    return step_over(s);
}

static int scan_field(scanner *s)
{
    const mli_csv_dialect *d = s->d;
    size_t begin = s->at, p = begin;
    if (d->quote) {
        if (d->trim) {
            while (p < s->limit && is_blank(d, s->text[p])) p++;
        }
        if (p < s->limit && s->text[p] == d->quote) return scan_quoted(s, begin, p);
    }
    for (p = begin; p < s->limit; p++) {
        char c = s->text[p];
        if (is_delimiter(d, c) || c == '\n' || c == '\r') break;
        if (d->escape && c == d->escape) p++;
    }
    if (p > s->limit) p = s->limit;
    s->at = p;
    if (!add_field(s->x, begin, p)) return NO_MEMORY;
    return step_over(s);
}

/* Leaves a comment line out. */
static int skip_comment(scanner *s)
{
    size_t p = s->at;
    while (p < s->limit && s->text[p] != '\n' && s->text[p] != '\r') p++;
    s->at = p;
    return step_over(s);
}

static int is_comment(const scanner *s)
{
    size_t n = s->d->comment_size;
    return n && s->limit - s->at >= n && memcmp(s->text + s->at, s->d->comment, n) == 0;
}

static int scan_record(scanner *s)
{
    int64_t fields = s->x->fields;
    size_t begin = s->at;
    s->size = 0;
    if (is_comment(s)) {
        int end = skip_comment(s);
        if (end == INCOMPLETE) s->at = begin;
        return end;
    }
    if (s->d->delimiter == ' ') {
        while (s->at < s->limit && (s->text[s->at] == ' ' || s->text[s->at] == '\t'))
            s->at++;
    }
    for (;;) {
        int end = scan_field(s);
        if (end == NEXT_FIELD) {
            s->size++;
            continue;
        }
        if (end == NEXT_RECORD) {
            return add_record(s->x, s->size + 1) ? NEXT_RECORD : NO_MEMORY;
        }
        s->x->fields = fields;
        s->at = begin;
        return end;
    }
}

/* Line ends in a piece of text; notes returns and bytes beyond ASCII. */
static int64_t look(mli_csv_index *x, const char *p, const char *end)
{
    int64_t lines = 0;
    uint8_t high = 0;
    for (; p < end; p++) {
        high |= (uint8_t)*p;
        if (*p == '\n') lines++;
        if (*p == 0) x->flags |= MLI_CSV_ZERO;
        if (*p == '\r') {
            x->flags |= MLI_CSV_RETURNS;
            if (p + 1 == end || p[1] != '\n') lines++;
        }
    }
    if (high & 0x80) x->flags |= MLI_CSV_HIGH;
    return lines;
}

static int scan_exact(mli_csv_index *x, const mli_csv_dialect *d, const char *text,
                      size_t from, size_t cut, size_t limit, int last)
{
    scanner s = {x, d, text, limit, last, from, 0};
    int end = NEXT_RECORD;
    int64_t ends = 0;
    while (end == NEXT_RECORD && s.at < cut && s.at < limit) {
        end = scan_record(&s);
        ends += end == NEXT_RECORD;
    }
    if (end == NO_MEMORY) return 0;
    int64_t lines = look(x, text + from, text + s.at);
    if (lines > ends) x->flags |= MLI_CSV_NEWLINES;
    x->lines += lines;
    x->stop = s.at;
    return 1;
}

/* ---- both together ---- */

/* Leaves the fields of the fast way behind in separate arrays, one record each line. */
static int separate(mli_csv_index *x, const char *text, int64_t count)
{
    x->fields = 0;
    if (!reserve_own(x, count)) return 0;
    int64_t size = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t begin = x->at[i] + 1, end = x->at[i + 1];
        char c = text[end];
        int ends = c == '\n' || c == '\r';
        if (c == '\n' && end > begin && text[end - 1] == '\r') end--;
        if (!add_field(x, begin, end)) return 0;
        size++;
        if (!ends) continue;
        if (!add_record(x, size)) return 0;
        size = 0;
    }
    return 1;
}

/* Do the `count` fields make records of the same width? */
static int is_regular(const mli_csv_index *x, const char *text, int64_t count,
                      int64_t records, int64_t width)
{
    if (width < 2 || records * width != count) return 0;
    const uint32_t *end = x->at + 1;
    for (int64_t i = width - 1; i < count; i += width) {
        char c = text[end[i]];
        if (c != '\n' && c != '\r') return 0;
    }
    return 1;
}

/* Regular records: the fields stay in `at`, unless carriage returns are to be cut off. */
static int settle(mli_csv_index *x, const char *text, int64_t count, int64_t records,
                  int64_t width)
{
    x->fields = 0;
    if (x->flags & MLI_CSV_RETURNS) {
        if (!reserve_own(x, count)) return 0;
        memcpy(x->begin, x->at, (size_t)count * sizeof *x->begin);
        memcpy(x->end, x->at + 1, (size_t)count * sizeof *x->end);
        for (int64_t i = width - 1; i < count; i += width) {
            uint32_t e = x->end[i];
            if (e > x->begin[i] + 1 && text[e] == '\n' && text[e - 1] == '\r')
                x->end[i]--;
        }
    } else {
        x->begin = x->at;
        x->end = x->at + 1;
    }
    x->fields = count;
    x->records = records;
    x->width = width;
    return 1;
}

static int can_be_fast(const mli_csv_index *x, const mli_csv_dialect *d)
{
#ifdef MLI_X86
    return x->ctx->cpu_level >= MLI_CPU_AVX2 && d->delimiter != ' ' && !d->escape &&
           !d->comment_size;
#else
    (void)x;
    (void)d;
    return 0;
#endif
}

int mli_csv_scan(mli_csv_index *x, const mli_csv_dialect *d, const char *text, size_t cut,
                 size_t limit, int last, int64_t width)
{
    x->begin = x->own;
    x->end = x->own ? x->own + x->own_capacity : NULL;
    x->fields = x->records = x->width = x->lines = 0;
    x->flags = 0;
    x->fault = 0;
    x->stop = 0;
    size_t from = 0;
    if (can_be_fast(x, d)) {
        int64_t records = 0;
        /* A carriage return at the very end may be half of a line end. */
        int half = !last && cut == limit && cut && text[cut - 1] == '\r';
        from = mli_csv_scan_avx2(x, d, text, cut - (size_t)half, &records);
        if (from == SIZE_MAX) return 0;
        int64_t count = x->fields;
        x->stop = from;
        if (from == cut && is_regular(x, text, count, records, width)) {
            return settle(x, text, count, records, width);
        }
        if (!separate(x, text, count)) return 0;
    }
    if (from >= cut) return 1;
    return scan_exact(x, d, text, from, cut, limit, last);
}

/* ---- records of equal width ---- */

static int is_blank_record(const mli_csv_dialect *d, const char *text, uint32_t begin,
                           uint32_t end)
{
    if (d->trim || d->delimiter == ' ') {
        while (begin < end && is_blank(d, text[begin])) begin++;
    }
    return begin == end;
}

int64_t mli_csv_index_level(mli_csv_index *x, const mli_csv_dialect *d, const char *text,
                            int64_t width, int on_ragged, int64_t *dropped)
{
    if (x->width == width) return -1;
    int64_t in = 0, out = 0, kept = 0;
    uint32_t *fresh = NULL;
    int64_t room = x->records * width;
    *dropped = 0;
    /* Filling makes records longer: it cannot be done in place. */
    if (on_ragged == MLI_CSV_FILL) {
        fresh = mli_alloc(x->ctx, (size_t)(room ? room : 1) * 2 * sizeof *fresh);
        if (!fresh) return -2;
    }
    uint32_t *begin = fresh ? fresh : x->begin, *end = fresh ? fresh + room : x->end;
    for (int64_t r = 0; r < x->records; r++) {
        int64_t size = x->sizes[r];
        const uint32_t *b = x->begin + in, *e = x->end + in;
        in += size;
        if (size == 1 && is_blank_record(d, text, b[0] + 1, e[0])) continue;
        if (size != width && on_ragged == MLI_CSV_ERROR) {
            x->fields = in - size; /* where the record's fields are */
            return r;
        }
        if (size != width && on_ragged == MLI_CSV_SKIP) {
            (*dropped)++;
            continue;
        }
        for (int64_t i = 0; i < width; i++) {
            uint32_t stop = e[size - 1];
            begin[out] = i < size ? b[i] : stop - 1;
            end[out++] = i < size ? e[i] : stop;
        }
        kept++;
    }
    if (fresh) {
        mli_free(x->ctx, x->own);
        x->own = x->begin = begin;
        x->end = end;
        x->own_capacity = room;
    }
    x->fields = out;
    x->records = kept;
    x->width = width;
    return -1;
}
