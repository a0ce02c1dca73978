/* SPDX-License-Identifier: MIT
 *
 * report/html.h: pieces of the page: text, tables, bars.
 */
#ifndef MLI_REPORT_HTML_H
#define MLI_REPORT_HTML_H

#include "core/text.h"
#include "data/table.h"

void mli_html_text(mli_str *s, const char *text); /* escaped */
void mli_html_text_n(mli_str *s, const char *text, size_t size);
/* At most so many characters, with an ellipsis where some are left out. */
void mli_html_short(mli_str *s, const char *text, size_t size, size_t most);
/* The page around the body: head, style, navigation. */
void mli_html_begin(mli_str *s, const char *title);
void mli_html_end(mli_str *s);
void mli_html_heading(mli_str *s, const char *text); /* of a figure within a section */
/* Of a table; long texts are wrapped. */
void mli_html_cell(mli_str *s, const char *text, size_t size, int number);
/* A table of at most `most` rows; says how many are left out. Columns in which all cells
 * are empty are left out. */
void mli_html_table(mli_str *s, const ml_table *t, int64_t most);
/* To so many digits, with an exponent where it would end in zeros that tell nothing. */
void mli_html_number(mli_str *s, double v, int digits);
/* A line of a bar list: name, bar of a share in 0..1, value. */
void mli_html_bar(mli_str *s, const char *name, double share, double value);
/* A paragraph of formatted, escaped text. */
void mli_html_note(mli_str *s, const char *format, ...) MLI_PRINTF(2, 3);

#endif
