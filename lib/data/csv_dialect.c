/* SPDX-License-Identifier: MIT
 *
 * csv_dialect.c: detecting delimiter, quote and escape from a sample.
 *
 * Each candidate is tried by scanning the sample. A candidate is good when most records
 * have the same number of fields, the more the better, and when its fields look whole:
 * they do not contain other candidates' delimiters, nor begin with a stray quote.
 */
#include "data/csv.h"

#include <string.h>

#define RECORDS     1000 /* whose fields are looked at */
#define COUNTS      4096 /* wider records count as this wide */
#define GOOD_ENOUGH 0.1  /* below: one column */

typedef struct trial {
    mli_csv_dialect dialect;
    double score;
    int64_t width;
    int fault;
    int64_t records;
} trial;

static int is_other(char c, char delimiter)
{
    return c != delimiter && (c == ',' || c == ';' || c == '\t' || c == '|');
}

/* How whole does a field look? In halves: 2 whole, 1 quotes left around it, 0 a part of
 * something else. */
static int wholeness(const mli_csv_dialect *d, const char *p, const char *end)
{
    while (p < end && *p == ' ') p++;
    if (p == end || (d->quote && *p == d->quote)) return 2;
    if (*p == '"') return end[-1] == '"' && end - p > 1;
    mli_csv_number n;
    if (mli_csv_classify(d, p, (size_t)(end - p), &n) != MLI_CSV_TEXT) return 2;
    for (; p < end; p++) {
        if (is_other(*p, d->delimiter)) return 0;
    }
    return 2;
}

/* Counts records by their number of fields; blank ones are left out. */
static int64_t count_widths(const mli_csv_index *x, int32_t *counts)
{
    int64_t at = 0, records = 0;
    for (int64_t r = 0; r < x->records; at += x->sizes[r++]) {
        int64_t size = x->sizes[r];
        if (size == 1 && x->begin[at] + 1 == x->end[at]) continue;
        counts[size < COUNTS ? size : COUNTS]++;
        records++;
    }
    return records;
}

/* The most frequent number of fields, the smallest on a tie. Clears the counts. */
static int64_t usual_width(const mli_csv_index *x, int32_t *counts, int64_t *times)
{
    int64_t best = 0;
    *times = 0;
    for (int64_t r = 0; r < x->records; r++) {
        int64_t size = x->sizes[r] < COUNTS ? x->sizes[r] : COUNTS;
        if (counts[size] < *times || (counts[size] == *times && size >= best)) continue;
        best = size;
        *times = counts[size];
    }
    for (int64_t r = 0; r < x->records; r++)
        counts[x->sizes[r] < COUNTS ? x->sizes[r] : COUNTS] = 0;
    return best;
}

static double whole_share(const mli_csv_index *x, const mli_csv_dialect *d,
                          const char *text)
{
    int64_t at = 0, whole = 0;
    for (int64_t r = 0; r < x->records && r < RECORDS; r++) {
        for (int64_t i = 0; i < x->sizes[r]; i++, at++)
            whole += wholeness(d, text + (uint32_t)(x->begin[at] + 1), text + x->end[at]);
    }
    return at ? (double)whole / (double)(2 * at) : 1;
}

/* Scores t->dialect. 0 when out of memory. */
static int try_dialect(mli_csv_index *x, trial *t, const char *text, size_t size,
                       int last, int32_t *counts)
{
    int64_t times;
    if (!mli_csv_scan(x, &t->dialect, text, size, size, last, 0)) return 0;
    int64_t records = count_widths(x, counts);
    t->fault = x->fault;
    t->width = usual_width(x, counts, &times);
    t->records = records;
    t->score = 0;
    if (records == 0 || t->width < 2) return 1;
    double same = (double)times / (double)records;
    double whole = whole_share(x, &t->dialect, text);
    double wide = (double)(t->width - 1) / (double)t->width;
    t->score = same * same * wide * whole * whole;
    if (t->fault) t->score *= (double)x->stop / (double)size * 0.5;
    return 1;
}

/* Blanks are the delimiter only of tables in which every record agrees, and at least half
 * of the fields behind the first record are numbers. */
static int blanks_make_sense(const mli_csv_index *x, const trial *t, const char *text)
{
    int64_t numbers = 0, fields = 0;
    if (t->fault || t->width < 2 || t->records < 2) return 0;
    int64_t begin = 0;
    for (int64_t r = 0; r < x->records; begin += x->sizes[r++]) {
        int blank = x->sizes[r] == 1 && x->begin[begin] + 1 == x->end[begin];
        if (x->sizes[r] != t->width && !blank) return 0;
    }
    for (int64_t at = t->width; at < x->fields && fields < RECORDS; at++, fields++) {
        const char *p = text + (uint32_t)(x->begin[at] + 1), *end = text + x->end[at];
        mli_csv_number n;
        int32_t kind = mli_csv_classify(&t->dialect, p, (size_t)(end - p), &n);
        numbers += kind == MLI_CSV_INT || kind == MLI_CSV_REAL;
    }
    return numbers * 2 >= fields;
}

/* Does a byte stand where a quoted field might begin? */
static int may_quote(const char *text, size_t size, char quote)
{
    const char *p = text, *end = text + size;
    for (; (p = memchr(p, quote, (size_t)(end - p))); p++) {
        if (p == text || memchr(",;\t|\n\r ", p[-1], 7)) return 1;
    }
    return 0;
}

/* Does a backslash stand before something that it might protect? */
static int may_escape(const char *text, size_t size, char quote)
{
    const char *p = text, *end = text + size;
    for (; (p = memchr(p, '\\', (size_t)(end - p))); p++) {
        if (p + 1 < end && (p[1] == quote || memchr(",;\t|\n", p[1], 5))) return 1;
    }
    return 0;
}

typedef struct detector {
    const mli_csv_options *o;
    mli_csv_index x;
    const char *text;
    size_t size;
    int last;
    int32_t *counts;
    trial best;
    int fault; /* of any trial */
} detector;

/* Tries the delimiters with one way of quoting; keeps what is better than the best. */
static int try_delimiters(detector *t, char quote, char escape, double handicap)
{
    static const char candidates[] = {',', ';', '\t', '|'};
    int n = t->o->auto_delimiter ? 4 : 1;
    for (int i = 0; i < n; i++) {
        trial now = {.dialect = t->o->dialect};
        if (t->o->auto_delimiter) now.dialect.delimiter = candidates[i];
        now.dialect.quote = quote;
        now.dialect.escape = escape;
        if (!try_dialect(&t->x, &now, t->text, t->size, t->last, t->counts)) return 0;
        now.score *= handicap;
        if (now.fault) t->fault = 1;
        int better = now.score > t->best.score * 1.0001 ||
                     (now.score >= t->best.score && !now.fault && t->best.fault);
        if (!t->best.dialect.delimiter || better) t->best = now;
    }
    return 1;
}

static int try_quotes(detector *t)
{
    const mli_csv_options *o = t->o;
    char quote = o->auto_quote ? '"' : o->dialect.quote;
    if (!o->auto_escape) return try_delimiters(t, quote, o->dialect.escape, 1);
    if (!try_delimiters(t, quote, 0, 1)) return 0;
    /* Other ways only where there are traces of them. */
    if (may_escape(t->text, t->size, quote) &&
        !try_delimiters(t, quote, '\\', t->best.fault ? 1 : 0.9)) {
        return 0;
    }
    return 1;
}

static int try_other_quotes(detector *t)
{
    const mli_csv_options *o = t->o;
    if (!o->auto_quote) return 1;
    char escape = o->dialect.escape;
    if (may_quote(t->text, t->size, '\'') && !try_delimiters(t, '\'', escape, 0.9))
        return 0;
    /* Quotes may mean nothing here; but one that stays open to the end of the file is
     * rather a lost quote, or the file is cut off: an error is safer. */
    if (t->last && t->best.fault == MLI_CSV_OPEN) return 1;
    return !t->fault || try_delimiters(t, 0, escape, 0.95);
}

/* No delimiter makes columns: blanks, or there is one column. */
static int try_blanks(detector *t)
{
    if (!t->o->auto_delimiter || t->best.score >= GOOD_ENOUGH) return 1;
    trial now = {.dialect = t->best.dialect};
    now.dialect.delimiter = ' ';
    if (!try_dialect(&t->x, &now, t->text, t->size, t->last, t->counts)) return 0;
    if (blanks_make_sense(&t->x, &now, t->text)) {
        t->best = now;
    } else {
        t->best.dialect.delimiter = ',';
    }
    return 1;
}

ml_status mli_csv_detect(ml_context *ctx, mli_csv_options *o, const char *text,
                         size_t size, int last, ml_error *err)
{
    if (!o->auto_delimiter && !o->auto_quote && !o->auto_escape) return ML_OK;
    detector t = {.o = o, .text = text, .size = size, .last = last};
    t.counts = mli_calloc(ctx, COUNTS + 1, sizeof *t.counts);
    if (!t.counts) return mli_nomem(err);
    mli_csv_index_init(&t.x, ctx);
    int ok = try_quotes(&t) && try_other_quotes(&t) && try_blanks(&t);
    mli_csv_index_free(&t.x);
    mli_free(ctx, t.counts);
    if (!ok) return mli_nomem(err);
    o->dialect.delimiter = t.best.dialect.delimiter;
    o->dialect.quote = t.best.dialect.quote;
    o->dialect.escape = t.best.dialect.escape;
    return ML_OK;
}
