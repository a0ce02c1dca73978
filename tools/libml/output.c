/* SPDX-License-Identifier: MIT
 *
 * output.c: tables and JSON on the terminal.
 */
#include "app.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELL 64

static int is_number(int32_t type)
{
    return type >= ML_DTYPE_I8 && type <= ML_DTYPE_F64;
}

/* A long text ends in three points, before the bytes of a character that was cut. */
static void shorten(char out[CELL])
{
    size_t n = CELL - 4;
    while (n > 0 && ((unsigned char)out[n] & 0xC0) == 0x80) n--;
    memcpy(out + n, "...", 4);
}

/* A cell for people: reals with six digits. */
static void cell_text(const ml_table *t, int64_t row, int64_t column, char out[CELL])
{
    int32_t type = ml_table_column_type(t, column);
    out[0] = 0;
    if (type == ML_DTYPE_F64 || type == ML_DTYPE_F32) {
        double v = ml_table_get_f64(t, row, column);
        if (!isnan(v)) snprintf(out, CELL, "%.6g", v);
        return;
    }
    int64_t size = ml_table_get_str(t, row, column, out, CELL);
    if (size < 0) out[0] = 0;
    if (size >= CELL) shorten(out);
}

/* Columns of a UTF-8 text on the screen, near enough: characters. */
static int text_width(const char *s)
{
    int n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static void print_cell(FILE *to, const char *text, int width, int right, int last)
{
    int pad = width - text_width(text);
    if (right)
        fprintf(to, "%*s%s", pad > 0 ? pad : 0, "", text);
    else if (last)
        fputs(text, to);
    else
        fprintf(to, "%s%*s", text, pad > 0 ? pad : 0, "");
}

/* Columns without any value only take room. */
static int is_empty(const ml_table *t, int64_t column)
{
    for (int64_t i = 0; i < ml_table_rows(t); i++)
        if (ml_table_get_str(t, i, column, NULL, 0) > 0) return 0;
    return ml_table_rows(t) > 0;
}

const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

void print_table(FILE *to, const ml_table *t)
{
    int64_t rows = ml_table_rows(t), columns = ml_table_columns(t);
    int *width = calloc((size_t)columns + 1, sizeof *width);
    char text[CELL];
    if (!width) return;
    for (int64_t j = 0; j < columns; j++) {
        width[j] = is_empty(t, j) ? 0 : text_width(ml_table_column_name(t, j));
        for (int64_t i = 0; i < rows; i++) {
            cell_text(t, i, j, text);
            if (text_width(text) > width[j]) width[j] = text_width(text);
        }
    }
    for (int64_t i = -1; i < rows; i++) {
        for (int64_t j = 0; j < columns; j++) {
            if (width[j] == 0) continue;
            if (i < 0)
                snprintf(text, sizeof text, "%s", ml_table_column_name(t, j));
            else
                cell_text(t, i, j, text);
            if (j) fputs("  ", to);
            print_cell(to, text, width[j], is_number(ml_table_column_type(t, j)),
                       j == columns - 1);
        }
        fputc('\n', to);
    }
    free(width);
}

void print_json_string(FILE *to, const char *text)
{
    fputc('"', to);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(to, "\\%c", c);
        else if (c < 0x20)
            fprintf(to, "\\u%04x", c);
        else
            fputc(c, to);
    }
    fputc('"', to);
}

static void print_json_cell(FILE *to, const ml_table *t, int64_t row, int64_t column)
{
    int32_t type = ml_table_column_type(t, column);
    int64_t size = ml_table_get_str(t, row, column, NULL, 0);
    double v = is_number(type) ? ml_table_get_f64(t, row, column) : 0;
    if (size < 0 || !isfinite(v)) {
        fputs("null", to);
        return;
    }
    char *text = malloc((size_t)size + 1);
    if (!text) return;
    ml_table_get_str(t, row, column, text, (size_t)size + 1);
    if (is_number(type) || type == ML_DTYPE_BOOL)
        fputs(text, to);
    else
        print_json_string(to, text);
    free(text);
}

void print_table_json(FILE *to, const ml_table *t)
{
    fputc('[', to);
    for (int64_t i = 0; i < ml_table_rows(t); i++) {
        fputs(i ? ", {" : "{", to);
        for (int64_t j = 0; j < ml_table_columns(t); j++) {
            if (j) fputs(", ", to);
            print_json_string(to, ml_table_column_name(t, j));
            fputs(": ", to);
            print_json_cell(to, t, i, j);
        }
        fputc('}', to);
    }
    fputc(']', to);
}

void print_params_json(FILE *to, const ml_params *p)
{
    fputc('{', to);
    for (int64_t i = 0; i < ml_params_count(p); i++) {
        const char *name = ml_params_name(p, i), *text = ml_params_get_str(p, name);
        int32_t type = ml_params_type(p, name);
        if (i) fputs(", ", to);
        print_json_string(to, name);
        fputs(": ", to);
        int plain =
            type == ML_PARAM_BOOL || type == ML_PARAM_I64 ||
            (type == ML_PARAM_F64 && strspn(text, "+-.0123456789eE") == strlen(text));
        if (plain)
            fputs(text, to);
        else
            print_json_string(to, text);
    }
    fputc('}', to);
}

const char *plain_doc(const char *doc, char *out, size_t size)
{
    static const char mark[] = "{param:";
    size_t n = 0;
    int inside = 0;
    while (*doc && n + 1 < size) {
        int begins = strncmp(doc, mark, sizeof mark - 1) == 0,
            ends = inside && *doc == '}';
        if (!begins && !ends) out[n++] = *doc;
        inside = begins || (inside && !ends);
        doc += begins ? sizeof mark - 1 : 1;
    }
    out[n] = 0;
    return out;
}

void print_wrapped(FILE *to, const char *text, int indent, int width)
{
    int column = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (column && column + 1 + (int)n > width - indent) {
            fputc('\n', to);
            column = 0;
        }
        if (column == 0)
            fprintf(to, "%*s", indent, "");
        else
            fputc(' ', to);
        fwrite(text, 1, n, to);
        column += (int)n + (column > 0);
        text += n;
        text += strspn(text, " ");
    }
    fputc('\n', to);
}
