/* SPDX-License-Identifier: MIT
 *
 * html.c: the page, its style, and tables. Colours are variables that follow the reader's
 * light or dark setting; nothing is loaded from elsewhere.
 */
#include "report/html.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char style[] =
    ":root{--bg:#fcfcfd;--fg:#1d2330;--soft:#5d6678;--line:#d9dde5;--panel:#fff;"
    "--a:#2f6fde;--b:#d9542b;--c:#1f9d6b;--fill:#2f6fde22;--head:#f2f4f8}"
    "@media (prefers-color-scheme:dark){:root{--bg:#14171d;--fg:#e6e9ef;--soft:#9aa3b5;"
    "--line:#333a47;--panel:#1a1f28;--a:#6ea2ff;--b:#ff8a5f;--c:#4fd09b;"
    "--fill:#6ea2ff2e;--head:#222833}}"
    "*{box-sizing:border-box}html{background:var(--bg);color:var(--fg);"
    "font:15px/1.5 system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    "body{margin:0 auto;max-width:1180px;padding:28px 24px 60px}"
    "h1{font-size:26px;margin:0 0 4px}h2{font-size:20px;margin:40px 0 10px;"
    "padding-top:14px;border-top:1px solid var(--line)}h3{font-size:15px;"
    "margin:22px 0 6px}p{margin:6px "
    "0}h1,h2,p,nav,figcaption,.cell,.row{overflow-wrap:anywhere}.soft,figcaption{color:"
    "var(--soft)}"
    "nav{margin:6px 0 0}nav a{color:var(--a);text-decoration:none;margin-right:18px}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:13.5px;"
    "background:var(--panel)}"
    "th,td{padding:4px 10px;border-bottom:1px solid var(--line);text-align:left;"
    "white-space:nowrap}th{background:var(--head);font-weight:600;white-space:normal}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    ".t{white-space:normal;overflow-wrap:anywhere;min-width:220px;max-width:420px}"
    ".plots{margin:14px "
    "0;display:flex;flex-wrap:wrap;gap:16px}figure{margin:0;background:var(--panel);"
    "border:1px solid var(--line);border-radius:6px;padding:8px;max-width:100%;"
    "overflow-x:auto}"
    "figcaption{font-size:13px;padding:0 4px 4px;color:var(--fg);font-weight:600}"
    "summary{cursor:pointer;color:var(--soft);font-size:13.5px;padding:8px 0}"
    "svg{display:block}.plots svg{max-width:100%;height:auto}svg "
    "text{fill:var(--soft);font-size:11px;paint-order:stroke;stroke:var(--panel);stroke-"
    "width:3px}"
    ".axis{stroke:var(--soft);stroke-width:1;fill:none}"
    ".grid{stroke:var(--line);stroke-width:1}"
    ".la{stroke:var(--a);stroke-width:2;fill:none}.lb{stroke:var(--b);stroke-width:2;"
    "fill:none}.lc{stroke:var(--soft);stroke-width:1;stroke-dasharray:4 4;fill:none}"
    ".pa{fill:var(--a);fill-opacity:.65}.pb{fill:var(--b)}.ba{fill:var(--a);"
    "fill-opacity:.55}.area{fill:var(--fill)}"
    ".bars{display:block;overflow-x:auto;background:none}.bars td{border:0;"
    "padding:2px 8px}.bars td:first-child{white-space:normal}"
    ".bar{background:var(--a);height:11px;border-radius:2px;min-width:1px}"
    ".bars td:nth-child(2){width:420px;min-width:80px}"
    ".cell{text-align:center;min-width:64px;max-width:150px}"
    ".row{max-width:260px;position:sticky;left:0}"
    ".pl{stroke:var(--soft);stroke-opacity:.22;stroke-width:1;fill:none}"
    ".best{stroke:var(--a);stroke-opacity:.85;stroke-width:1.6}.cl{fill:var(--a);"
    "shape-rendering:crispEdges}"
    "svg .name{fill:var(--fg);font-weight:600}";

#define LONG_TEXT 40 /* bytes; longer ones are wrapped */

void mli_html_text_n(mli_str *s, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        switch (text[i]) {
        case '&':
            mli_str_add(s, "&amp;");
            break;
        case '<':
            mli_str_add(s, "&lt;");
            break;
        case '>':
            mli_str_add(s, "&gt;");
            break;
        case '"':
            mli_str_add(s, "&quot;");
            break;
        default:
            mli_str_char(s, text[i]);
        }
    }
}

void mli_html_text(mli_str *s, const char *text)
{
    mli_html_text_n(s, text, strlen(text));
}

void mli_html_short(mli_str *s, const char *text, size_t size, size_t most)
{
    size_t end = 0, kept = 0;
    for (size_t n = 0; end < size; n++) {
        if (n + 1 == most) kept = end;
        if (n == most) break;
        for (end++; end < size && (text[end] & 0xc0) == 0x80; end++) continue;
    }
    mli_html_text_n(s, text, end < size ? kept : size);
    if (end < size) mli_str_add(s, "\xe2\x80\xa6");
}

void mli_html_cell(mli_str *s, const char *text, size_t size, int number)
{
    mli_str_add(s, number             ? "<td class=\"n\">"
                   : size > LONG_TEXT ? "<td class=\"t\">"
                                      : "<td>");
    mli_html_text_n(s, text, size);
    mli_str_add(s, "</td>");
}

void mli_html_begin(mli_str *s, const char *title)
{
    mli_str_add(s, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                   "<meta name=\"viewport\" content=\"width=device-width\">"
                   "<meta name=\"color-scheme\" content=\"light dark\"><title>");
    mli_html_text(s, title);
    mli_str_add(s, "</title><style>");
    mli_str_add(s, style);
    mli_str_add(s, "</style></head><body>\n<h1>");
    mli_html_text(s, title);
    mli_str_add(s, "</h1>\n");
}

void mli_html_end(mli_str *s)
{
    mli_str_add(s, "</body></html>\n");
}

void mli_html_heading(mli_str *s, const char *text)
{
    mli_str_add(s, "<h3>");
    mli_html_text(s, text);
    mli_str_add(s, "</h3>\n");
}

void mli_html_note(mli_str *s, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    mli_str_add(s, "<p class=\"soft\">");
    mli_html_text(s, text);
    mli_str_add(s, "</p>\n");
}

static int is_number(const mli_column *c)
{
    return mli_type_is_number(c->type) && c->type != ML_DTYPE_BOOL;
}

/* Names may be wrapped behind underscores. */
static void table_head(mli_str *s, const mli_column *c)
{
    mli_str_add(s, is_number(c) ? "<th class=\"n\">" : "<th>");
    for (const char *p = c->name, *end; *p; p = end) {
        end = p + strcspn(p, "_");
        end += *end == '_';
        mli_html_text_n(s, p, (size_t)(end - p));
        if (*end) mli_str_add(s, "<wbr/>");
    }
    mli_str_add(s, "</th>");
}

/* Nothing to see in the first rows, of which there are some. */
static int is_blank(const mli_column *c, int64_t rows)
{
    size_t size;
    double v;
    int text = c->type == ML_TYPE_TEXT || c->type == ML_TYPE_CATEGORY;
    for (int64_t i = 0; i < rows; i++) {
        if (!mli_column_valid(c, i)) continue;
        if (text && mli_column_text(c, i, &size) && size == 0) continue;
        if (!text) mli_column_f64(c, i, i + 1, &v, 1);
        if (text || !isnan(v)) return 0;
    }
    return rows > 0;
}

static void table_cell(mli_str *s, const mli_column *c, int64_t row)
{
    mli_str text;
    mli_str_init(&text, s->ctx);
    if (c->type == ML_DTYPE_F64 || c->type == ML_DTYPE_F32) {
        double v;
        mli_column_f64(c, row, row + 1, &v, 1);
        if (!isnan(v)) mli_html_number(&text, v, 5);
    } else if (mli_column_valid(c, row)) {
        mli_column_print(c, row, &text);
    }
    mli_html_cell(s, text.data, text.size, is_number(c));
    if (text.failed) s->failed = 1;
    mli_str_free(&text);
}

void mli_html_table(mli_str *s, const ml_table *t, int64_t most)
{
    int64_t rows = t->rows < most ? t->rows : most;
    char *blank = mli_alloc_vec(t->ctx, t->n_columns + 1, 1);
    if (!blank) {
        s->failed = 1;
        return;
    }
    mli_str_add(s, "<div class=\"wide\"><table><tr>");
    for (int64_t j = 0; j < t->n_columns; j++) {
        blank[j] = (char)is_blank(&t->columns[j], rows);
        if (!blank[j]) table_head(s, &t->columns[j]);
    }
    mli_str_add(s, "</tr>\n");
    for (int64_t i = 0; i < rows; i++) {
        mli_str_add(s, "<tr>");
        for (int64_t j = 0; j < t->n_columns; j++)
            if (!blank[j]) table_cell(s, &t->columns[j], i);
        mli_str_add(s, "</tr>\n");
    }
    mli_str_add(s, "</table></div>\n");
    mli_free(t->ctx, blank);
    if (rows < t->rows)
        mli_html_note(s, "%lld more rows are left out", (long long)(t->rows - rows));
}

#define LARGE 1e9

void mli_html_number(mli_str *s, double v, int digits)
{
    int large = isfinite(v) && fabs(v) >= LARGE;
    int top = large ? (int)floor(log10(fabs(v))) : 0;
    mli_str_short(s, large ? v / pow(10, top) : v, digits);
    if (large) mli_str_printf(s, "e%d", top);
}

void mli_html_bar(mli_str *s, const char *name, double share, double value)
{
    mli_str_add(s, "<tr><td>");
    mli_html_short(s, name, strlen(name), LONG_TEXT);
    mli_str_add(s, "</td><td><div class=\"bar\" style=\"width:");
    mli_str_short(s, 100 * (share > 0 ? share : 0), 4);
    mli_str_add(s, "%\"></div></td><td class=\"n\">");
    mli_html_number(s, value, 4);
    mli_str_add(s, "</td></tr>\n");
}
