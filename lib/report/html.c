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
    "body{margin:0 auto;max-width:1080px;padding:28px 24px 60px}"
    "h1{font-size:26px;margin:0 0 4px}h2{font-size:20px;margin:40px 0 10px;"
    "padding-top:14px;border-top:1px solid var(--line)}h3{font-size:15px;"
    "margin:22px 0 6px}p{margin:6px 0}.soft,figcaption{color:var(--soft)}"
    "nav{margin:6px 0 0}nav a{color:var(--a);text-decoration:none;margin-right:18px}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:13.5px;"
    "background:var(--panel)}"
    "th,td{padding:4px 10px;border-bottom:1px solid var(--line);text-align:left;"
    "white-space:nowrap;max-width:360px;overflow:hidden;text-overflow:ellipsis}"
    "th{background:var(--head);font-weight:600}td.n,th.n{text-align:right;"
    "font-variant-numeric:tabular-nums}"
    ".plots{margin:14px "
    "0;display:flex;flex-wrap:wrap;gap:16px}figure{margin:0;background:var(--panel);"
    "border:1px solid var(--line);border-radius:6px;padding:8px}"
    "figcaption{font-size:13px;padding:0 4px 4px;color:var(--fg);font-weight:600}"
    "summary{cursor:pointer;color:var(--soft);font-size:13.5px;padding:8px 0}"
    "svg{display:block}svg text{fill:var(--soft);font-size:11px}"
    ".axis{stroke:var(--soft);stroke-width:1;fill:none}"
    ".grid{stroke:var(--line);stroke-width:1}"
    ".la{stroke:var(--a);stroke-width:2;fill:none}.lb{stroke:var(--b);stroke-width:2;"
    "fill:none}.lc{stroke:var(--soft);stroke-width:1;stroke-dasharray:4 4;fill:none}"
    ".pa{fill:var(--a);fill-opacity:.65}.pb{fill:var(--b)}.ba{fill:var(--a);"
    "fill-opacity:.55}.area{fill:var(--fill)}"
    ".bars td{border:0;padding:2px 8px}.bar{background:var(--a);height:11px;"
    "border-radius:2px;min-width:1px}.bars td:nth-child(2){width:420px}"
    ".cell{text-align:center}"
    ".pl{stroke:var(--soft);stroke-opacity:.22;stroke-width:1;fill:none}"
    ".best{stroke:var(--a);stroke-opacity:.85;stroke-width:1.6}.cl{fill:var(--a);"
    "shape-rendering:crispEdges}"
    "svg .name{fill:var(--fg);font-weight:600}";

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

static void table_cell(mli_str *s, const mli_column *c, int64_t row)
{
    mli_str_add(s, is_number(c) ? "<td class=\"n\">" : "<td>");
    if (c->type == ML_DTYPE_F64 || c->type == ML_DTYPE_F32) {
        double v;
        mli_column_f64(c, row, row + 1, &v, 1);
        if (!isnan(v)) mli_str_short(s, v, 5);
    } else if (mli_column_valid(c, row)) {
        mli_str text;
        mli_str_init(&text, s->ctx);
        mli_column_print(c, row, &text);
        mli_html_text_n(s, text.data, text.size);
        if (text.failed) s->failed = 1;
        mli_str_free(&text);
    }
    mli_str_add(s, "</td>");
}

void mli_html_table(mli_str *s, const ml_table *t, int64_t most)
{
    int64_t rows = t->rows < most ? t->rows : most;
    mli_str_add(s, "<div class=\"wide\"><table><tr>");
    for (int64_t j = 0; j < t->n_columns; j++) {
        mli_str_add(s, is_number(&t->columns[j]) ? "<th class=\"n\">" : "<th>");
        mli_html_text(s, t->columns[j].name);
        mli_str_add(s, "</th>");
    }
    mli_str_add(s, "</tr>\n");
    for (int64_t i = 0; i < rows; i++) {
        mli_str_add(s, "<tr>");
        for (int64_t j = 0; j < t->n_columns; j++) table_cell(s, &t->columns[j], i);
        mli_str_add(s, "</tr>\n");
    }
    mli_str_add(s, "</table></div>\n");
    if (rows < t->rows)
        mli_html_note(s, "%lld more rows are left out", (long long)(t->rows - rows));
}

void mli_html_bar(mli_str *s, const char *name, double share, double value)
{
    mli_str_add(s, "<tr><td>");
    mli_html_text(s, name);
    mli_str_add(s, "</td><td><div class=\"bar\" style=\"width:");
    mli_str_short(s, 100 * (share > 0 ? share : 0), 4);
    mli_str_add(s, "%\"></div></td><td class=\"n\">");
    mli_str_short(s, value, 4);
    mli_str_add(s, "</td></tr>\n");
}
