/* SPDX-License-Identifier: MIT
 *
 * csv_fault.c: what is wrong with a file, where, and what helps.
 */
#include "data/csv_read.h"

#include <string.h>

typedef struct place {
    mli_csv_reader *r;
    const mli_csv_chunk *c;
    int64_t line;
    ml_error *err;
} place;

/* The line of a byte of the batch, counted from 1. */
static int64_t line_of(const mli_csv_reader *r, int64_t chunk, size_t at)
{
    int64_t line = r->lines + 1;
    for (int64_t k = 0; k < chunk; k++) line += r->chunks[k].lines;
    const char *p = r->batch.text + r->chunks[chunk].begin, *end = r->batch.text + at;
    for (; p < end; p++) line += *p == '\n' || (*p == '\r' && p[1] != '\n');
    return line;
}

/* Puts the place into the error: file, line, column with its name. */
static ml_status set_place(const place *p, ml_status status)
{
    int64_t field = p->c->bad_field;
    const mli_csv_header *h = &p->r->header;
    if (field < 0)
        return mli_error_at(p->err, status, "%s, line %lld", p->r->in.name,
                            (long long)p->line);
    if (field >= h->width)
        return mli_error_at(p->err, status, "%s, line %lld, column %lld", p->r->in.name,
                            (long long)p->line, (long long)field + 1);
    return mli_error_at(p->err, status, "%s, line %lld, column %lld (\"%s\")",
                        p->r->in.name, (long long)p->line, (long long)field + 1,
                        h->names[field]);
}

static ml_status zero_byte(const place *p)
{
    mli_fail(p->err, ML_E_PARSE, "a zero byte");
    set_place(p, ML_E_PARSE);
    return mli_error_hint(p->err, ML_E_PARSE,
                          "the file is binary, UTF-16 or damaged: give UTF-8 text");
}

static ml_status not_utf8(const place *p)
{
    mli_fail(p->err, ML_E_PARSE, "byte 0x%02x is not valid UTF-8",
             (unsigned)(uint8_t)p->r->batch.text[p->c->bad_at]);
    set_place(p, ML_E_PARSE);
    return mli_error_hint(p->err, ML_E_PARSE,
                          "set encoding to latin1, or convert the file to UTF-8");
}

static ml_status open_quote(const place *p)
{
    mli_fail(p->err, ML_E_PARSE, "the quote opened here is never closed");
    set_place(p, ML_E_PARSE);
    return mli_error_hint(p->err, ML_E_PARSE,
                          "close it, or set quote to none if quotes mean nothing here");
}

static ml_status quote_tail(const place *p)
{
    mli_fail(p->err, ML_E_PARSE, "text behind a closing quote");
    set_place(p, ML_E_PARSE);
    return mli_error_hint(p->err, ML_E_PARSE,
                          "double the quotes inside a quoted field, set escape to "
                          "backslash, or set quote to none");
}

/* What a ragged record suggests. */
static ml_status width_hint(const place *p)
{
    const mli_csv_reader *r = p->r;
    char name[8];
    if (r->header.later > 0)
        return mli_error_hint(p->err, ML_E_PARSE,
                              "the table seems to begin in line %lld: set skip_rows to "
                              "%lld; or set on_ragged to fill or skip",
                              (long long)(r->o.skip_rows + r->header.later + 1),
                              (long long)(r->o.skip_rows + r->header.later));
    if (p->c->bad_byte == '#' && !r->o.dialect.comment_size)
        return mli_error_hint(p->err, ML_E_PARSE,
                              "set comment to # to leave out lines that begin so, or "
                              "on_ragged to fill or skip");
    return mli_error_hint(p->err, ML_E_PARSE,
                          "mend the line, set on_ragged to fill or skip, or set the "
                          "delimiter if it is not %s",
                          mli_csv_symbol_name(r->o.dialect.delimiter, name));
}

static ml_status wrong_width(const place *p)
{
    long long size = p->c->bad_size, width = p->r->header.width;
    mli_fail(p->err, ML_E_PARSE, "%lld field%s where %s %lld", size, size == 1 ? "" : "s",
             p->r->header.present ? "the header has" : "other lines have", width);
    set_place(p, ML_E_PARSE);
    return width_hint(p);
}

static ml_status wrong_value(const place *p)
{
    static const char *const kinds[] = {"",         "a boolean",   "an integer",
                                        "a number", "a number",    "a number",
                                        "a date",   "a timestamp", "text"};
    const mli_csv_column *c = &p->r->columns[p->c->bad_column];
    mli_fail(p->err, ML_E_PARSE, "\"%s\" is not %s", p->c->bad_text, kinds[c->forced]);
    set_place(p, ML_E_PARSE);
    return mli_error_hint(p->err, ML_E_PARSE,
                          "change the type of \"%s\" in types, or add the value to "
                          "null_words",
                          c->name);
}

/* Backslashes before quotes: the escape may have been mistaken. */
static int may_be_escaped(const mli_csv_reader *r, const mli_csv_chunk *c)
{
    if (!r->o.auto_escape || r->o.dialect.escape || !r->o.dialect.quote) return 0;
    const char *p = r->batch.text + c->bad_from, *end = r->batch.text + c->bad_at;
    for (; p < end; p++) {
        if (*p == '\\' && p[1] == r->o.dialect.quote) return 1;
    }
    return 0;
}

ml_status mli_csv_fault(mli_csv_reader *r, int64_t chunk, ml_error *err)
{
    const mli_csv_chunk *c = &r->chunks[chunk];
    if (c->bad == MLI_CSV_BAD_MEMORY) return mli_nomem(err);
    if (c->bad != MLI_CSV_BAD_ZERO && c->bad != MLI_CSV_BAD_UTF8 && !r->second)
        r->retry = may_be_escaped(r, c);
    place p = {r, c, line_of(r, chunk, c->bad_at), err};
    switch (c->bad) {
    case MLI_CSV_BAD_ZERO:
        return zero_byte(&p);
    case MLI_CSV_BAD_UTF8:
        return not_utf8(&p);
    case MLI_CSV_BAD_OPEN:
        return open_quote(&p);
    case MLI_CSV_BAD_TAIL:
        return quote_tail(&p);
    case MLI_CSV_BAD_WIDTH:
        return wrong_width(&p);
    default:
        return wrong_value(&p);
    }
}

ml_status mli_csv_check_header(mli_csv_reader *r, ml_error *err)
{
    const char *text = r->batch.text, *zero = memchr(text, 0, r->header.size);
    mli_csv_chunk c = {.bad_field = -1};
    place p = {r, &c, r->lines + 1, err};
    size_t valid = mli_utf8_valid(text, r->header.size);
    if (!zero && valid == r->header.size) return ML_OK;
    c.bad_at = valid;
    if (zero && (size_t)(zero - text) <= valid) c.bad_at = (size_t)(zero - text);
    for (size_t i = 0; i < c.bad_at; i++)
        p.line += text[i] == '\n' || (text[i] == '\r' && text[i + 1] != '\n');
    return text[c.bad_at] ? not_utf8(&p) : zero_byte(&p);
}
