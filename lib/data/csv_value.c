/* SPDX-License-Identifier: MIT
 *
 * csv_value.c: what a single field means: quotes taken off, missing or not, and the
 * narrowest type that holds it.
 */
#include "data/csv.h"

#include <string.h>

#define NUMBER_SIZE 512 /* longer numbers with marks to be taken out are text */

size_t mli_csv_kind_size(int32_t kind)
{
    static const uint8_t sizes[] = {0, 1, 8, 8, 8, 8, 4, 8, 4};
    return sizes[kind];
}

int32_t mli_csv_kind_join(int32_t a, int32_t b)
{
    if (a > b) {
        int32_t c = a;
        a = b;
        b = c;
    }
    if (a == b || a == MLI_CSV_NULL) return b;
    if (a == MLI_CSV_INT && b <= MLI_CSV_COMMA) return b;
    if (a == MLI_CSV_BIG && b <= MLI_CSV_COMMA) return b;
    if (a == MLI_CSV_DATE && b == MLI_CSV_TIME) return b;
    return MLI_CSV_TEXT;
}

/* ---- fields ---- */

static inline int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Behind the opening quote: copies up to the closing one, with doubled and escaped quotes
 * made single. */
static void unquote(const mli_csv_dialect *d, const char *p, const char *end,
                    mli_str *out)
{
    while (p < end) {
        const char *from = p;
        while (p < end && *p != d->quote && !(d->escape && *p == d->escape)) p++;
        mli_str_add_n(out, from, (size_t)(p - from));
        if (p == end) return;
        if (*p == d->quote && (p + 1 == end || p[1] != d->quote)) return;
        if (*p == d->quote || (p + 1 < end && (p[1] == d->quote || p[1] == d->escape)))
            p++;
        if (p < end) mli_str_char(out, *p++);
    }
}

/* Takes the escapes out of an unquoted field. */
static mli_csv_field unescape(const mli_csv_dialect *d, mli_csv_field f, mli_str *out)
{
    if (!memchr(f.text, d->escape, f.size)) return f;
    mli_str_clear(out);
    for (size_t i = 0; i < f.size; i++) {
        char next = i + 1 < f.size ? f.text[i + 1] : 0;
        if (f.text[i] == d->escape && (next == d->delimiter || next == d->escape ||
                                       next == d->quote || next == '\n' || next == '\r'))
            i++;
        mli_str_char(out, f.text[i]);
    }
    return (mli_csv_field){out->data, out->size, 0};
}

static mli_csv_field quoted(const mli_csv_dialect *d, const char *text, const char *end,
                            mli_str *scratch)
{
    const char *close = memchr(text, d->quote, (size_t)(end - text));
    int plain = !close || close + 1 == end || close[1] != d->quote;
    if (plain && d->escape)
        plain = !memchr(text, d->escape, (size_t)((close ? close : end) - text));
    if (plain) return (mli_csv_field){text, (size_t)((close ? close : end) - text), 1};
    mli_str_clear(scratch);
    unquote(d, text, end, scratch);
    return (mli_csv_field){scratch->data, scratch->size, 1};
}

mli_csv_field mli_csv_decode(const mli_csv_dialect *d, const char *text, const char *end,
                             mli_str *scratch)
{
    const char *p = text;
    if (d->trim) {
        while (p < end && is_blank(*p)) p++;
    }
    if (d->quote && p < end && *p == d->quote) return quoted(d, p + 1, end, scratch);
    if (d->trim) {
        while (end > p && is_blank(end[-1])) end--;
    }
    mli_csv_field f = {p, (size_t)(end - p), 0};
    return d->escape ? unescape(d, f, scratch) : f;
}

int mli_csv_is_null(const mli_csv_nulls *n, const char *text, size_t size)
{
    if (size == 0) return n->empty;
    if (size > n->longest || !n->first[(uint8_t)text[0]]) return 0;
    for (int64_t i = 0; i < n->count; i++) {
        const char *word = n->words[i];
        if (word[0] == text[0] && strlen(word) == size && memcmp(word, text, size) == 0)
            return 1;
    }
    return 0;
}

/* ---- numbers ---- */

static inline int is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* Copies a number with its marks put right: groups of thousands joined, the decimal mark
 * made a point. NULL when the marks are misplaced; else the end. */
static char *plain_number(char decimal, char thousands, const char *p, const char *end,
                          char *out)
{
    int64_t group = -1; /* digits since the last mark; -1: no mark yet */
    int64_t digits = 0;
    if (p < end && (*p == '-' || *p == '+')) *out++ = *p++;
    for (; p < end && (is_digit(*p) || (thousands && *p == thousands)); p++) {
        if (is_digit(*p)) {
            *out++ = *p;
            digits++;
            if (group >= 0) group++;
        } else {
            if (group >= 0 ? group != 3 : digits < 1 || digits > 3) return NULL;
            group = 0;
        }
    }
    if (group >= 0 && group != 3) return NULL;
    if (p < end && *p == decimal) {
        *out++ = '.';
        p++;
    }
    for (; p < end; p++) {
        if (*p == '.' || *p == ',') return NULL;
        *out++ = *p;
    }
    return out;
}

static int has_digit(const char *p, const char *end)
{
    for (; p < end; p++) {
        if (is_digit(*p)) return 1;
    }
    return 0;
}

/* Digits only, behind a sign. */
static int is_integer(const char *p, const char *end)
{
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (p == end) return 0;
    while (p < end && is_digit(*p)) p++;
    return p == end;
}

/* A name made of digits: 01234. Also -0, which an integer cannot hold, is told apart. */
static int32_t integer_kind(const char *p, const char *end, mli_csv_number *out)
{
    const char *digits = p + (*p == '-' || *p == '+');
    if (end - digits > 1 && *digits == '0') return MLI_CSV_TEXT;
    if (*p == '-' && *digits == '0') {
        out->f = -0.0;
        return MLI_CSV_REAL;
    }
    if (mli_parse_i64(p, end, &out->i)) return MLI_CSV_INT;
    return mli_parse_f64(p, end, &out->f) ? MLI_CSV_BIG : MLI_CSV_TEXT;
}

/* The kind of a number with '.' as decimal mark; MLI_CSV_TEXT when it is none. */
static int32_t point_number(const char *p, const char *end, mli_csv_number *out)
{
    if (is_integer(p, end)) return integer_kind(p, end, out);
    return mli_parse_f64(p, end, &out->f) ? MLI_CSV_REAL : MLI_CSV_TEXT;
}

static int32_t marked_number(char decimal, char thousands, const char *p, const char *end,
                             mli_csv_number *out)
{
    char buffer[NUMBER_SIZE];
    if (end - p > NUMBER_SIZE || !has_digit(p, end)) return MLI_CSV_TEXT;
    char *stop = plain_number(decimal, thousands, p, end, buffer);
    if (!stop) return MLI_CSV_TEXT;
    return point_number(buffer, stop, out);
}

/* Signs of money, a percent sign, and blanks. *seen is the last byte of the sign there
 * was, as long as all are the same, else MIXED. */
#define MIXED 1
static const char *skip_signs(const char *p, const char *end, int *seen)
{
    for (; p < end; p++) {
        int wide = end - p > 2 && p[0] == '\xe2' && p[1] == '\x82' &&
                   p[2] >= '\xa0'; /* U+20A0 to U+20BF */
        int latin = end - p > 1 && p[0] == '\xc2' && p[1] >= '\xa2' && p[1] <= '\xa5';
        int blank = *p == ' ' || (end - p > 1 && p[0] == '\xc2' && p[1] == '\xa0');
        if (!wide && !latin && !blank && *p != '$' && *p != '%') break;
        p += wide ? 2 : latin || *p == '\xc2';
        if (!blank) *seen = *seen && *seen != *p ? MIXED : *p;
    }
    return p;
}

int mli_csv_amount(char decimal, const char *text, size_t size, double *out, int *signs)
{
    const char *p = text, *end = text + size, *stop;
    int minus = p < end && *p == '-';
    mli_csv_number number;
    p = skip_signs(p + minus, end, signs);
    if (!minus && p < end && *p == '-') p += minus = 1;
    for (stop = p; stop < end && (is_digit(*stop) || *stop == '.' || *stop == ',');
         stop++)
        ;
    if (skip_signs(stop, end, signs) != end || *signs == MIXED) return 0;
    int32_t kind = marked_number(decimal, decimal == '.' ? ',' : '.', p, stop, &number);
    if (kind == MLI_CSV_TEXT) return 0;
    *out = kind == MLI_CSV_INT ? (double)number.i : number.f;
    if (minus) *out = -*out;
    return 1;
}

/* The kind of a text as a number under the dialect's marks. */
static int32_t number_kind(const mli_csv_dialect *d, const char *p, const char *end,
                           mli_csv_number *out)
{
    if (p == end || (!is_digit(*p) && !strchr("+-.,iInN", *p))) return MLI_CSV_TEXT;
    int32_t kind;
    if (d->decimal != ',') {
        kind = d->thousands ? marked_number('.', d->thousands, p, end, out)
                            : point_number(p, end, out);
        if (kind != MLI_CSV_TEXT) return kind;
        if (d->decimal == '.' || d->delimiter != ';' || d->thousands)
            return d->thousands ? point_number(p, end, out) : kind;
    }
    if (is_integer(p, end)) return integer_kind(p, end, out);
    kind = marked_number(',', d->thousands, p, end, out);
    if (kind == MLI_CSV_REAL) return MLI_CSV_COMMA;
    return kind != MLI_CSV_TEXT || d->decimal != ',' || has_digit(p, end)
               ? kind
               : point_number(p, end, out); /* inf */
}

/* ---- other types ---- */

static int is_word(const char *text, size_t size, const char *word)
{
    for (size_t i = 0; i < size; i++) {
        if (word[i] == 0 || (text[i] | 32) != word[i]) return 0;
    }
    return word[size] == 0;
}

static int read_bool(const char *text, size_t size, int loose, uint8_t *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "f", "t", "n", "y"};
    if (size < 1 || size > 5) return 0;
    for (int i = 0; i < (loose ? 8 : 2); i++) {
        if (!is_word(text, size, words[i])) continue;
        *out = (uint8_t)(i & 1);
        return 1;
    }
    if (!loose || size != 1 || (*text != '0' && *text != '1')) return 0;
    *out = (uint8_t)(*text - '0');
    return 1;
}

int32_t mli_csv_classify(const mli_csv_dialect *d, const char *text, size_t size,
                         mli_csv_number *out)
{
    int32_t kind = number_kind(d, text, text + size, out);
    if (kind != MLI_CSV_TEXT) return kind;
    if (read_bool(text, size, 0, &out->b)) return MLI_CSV_BOOL;
    if (size < 10 || !strchr("0123456789+-", *text)) return MLI_CSV_TEXT;
    if (mli_parse_date(text, size, &out->d)) return MLI_CSV_DATE;
    if (mli_parse_timestamp(text, size, &out->i)) return MLI_CSV_TIME;
    return MLI_CSV_TEXT;
}

/* A whole real as an integer, exactly. */
static int whole(double v, int64_t *out)
{
    if (!(v >= -9007199254740992.0 && v <= 9007199254740992.0)) return 0;
    *out = (int64_t)v;
    return (double)*out == v;
}

/* Forced number columns also take what inference would keep as text: 007. */
static int32_t loose_number(const mli_csv_dialect *d, const char *p, size_t size,
                            mli_csv_number *out)
{
    if (!is_integer(p, p + size)) return number_kind(d, p, p + size, out);
    if (mli_parse_i64(p, p + size, &out->i)) return MLI_CSV_INT;
    return mli_parse_f64(p, p + size, &out->f) ? MLI_CSV_BIG : MLI_CSV_TEXT;
}

static int convert_number(const mli_csv_dialect *d, int32_t kind, int loose,
                          const char *text, size_t size, mli_csv_number *out)
{
    int32_t got =
        loose ? loose_number(d, text, size, out) : number_kind(d, text, text + size, out);
    if (got == MLI_CSV_TEXT) return 0;
    if (kind == MLI_CSV_INT) {
        if (got == MLI_CSV_INT) return 1;
        return loose && (got == MLI_CSV_REAL || got == MLI_CSV_COMMA) &&
               whole(out->f, &out->i);
    }
    if (!loose && mli_csv_kind_join(got, kind) != kind) return 0;
    if (got == MLI_CSV_INT) out->f = (double)out->i;
    return 1;
}

int mli_csv_convert(const mli_csv_dialect *d, int32_t kind, int loose, const char *text,
                    size_t size, mli_csv_number *out)
{
    int32_t days;
    switch (kind) {
    case MLI_CSV_BOOL:
        return read_bool(text, size, loose, &out->b);
    case MLI_CSV_DATE:
        return mli_parse_date(text, size, &out->d);
    case MLI_CSV_TIME:
        if (mli_parse_timestamp(text, size, &out->i)) return 1;
        return mli_parse_date(text, size, &days) &&
               !__builtin_mul_overflow((int64_t)days, MLI_DAY_MICROS, &out->i);
    case MLI_CSV_INT:
    case MLI_CSV_BIG:
    case MLI_CSV_REAL:
    case MLI_CSV_COMMA:
        return convert_number(d, kind, loose, text, size, out);
    default:
        return 0;
    }
}
