/* SPDX-License-Identifier: MIT
 *
 * spec_place.c: the line of a specification that an error is about, when the error comes
 * after reading: it names a parameter by its path, or quotes what stands there.
 */
#include "app.h"

#include <ctype.h>
#include <string.h>

static int in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* A part of so many bytes that is no piece of a longer word; NULL: not there. */
static const char *find(const char *text, const char *from, const char *part, size_t size)
{
    for (const char *p = from; size && *p; p++) {
        if (strncmp(p, part, size) != 0) continue;
        if (p > text && in_word(p[-1]) && in_word(*part)) continue;
        if (in_word(p[size]) && in_word(part[size - 1])) continue;
        return p;
    }
    return NULL;
}

/* The names of a path, which ends with the text or a colon, one behind the other: where
 * the last one is; NULL: not all there.
 */
static const char *follow(const char *text, const char *path)
{
    const char *at = text, *found = NULL;
    while (*path && *path != ':') {
        size_t n = strcspn(path, ".:");
        found = find(text, at, path, n);
        if (!found) return NULL;
        at = found + n;
        path += n + (path[n] == '.');
    }
    return found;
}

/* What the message quotes, as far as it stands behind `from`; or, without a path, stands
 * there once. */
static const char *quoted(const char *text, const char *from, const char *message)
{
    for (const char *p = strchr(message, '"'); p; p = strchr(p + 1, '"')) {
        const char *end = strchr(p + 1, '"');
        if (!end) return NULL;
        size_t n = (size_t)(end - p - 1);
        const char *at = find(text, from ? from : text, p + 1, n);
        if (at && (from || !find(text, at + n, p + 1, n))) return at;
        p = end;
    }
    return NULL;
}

static int line_at(const char *text, const char *place)
{
    int line = 1;
    for (const char *p = text; p < place; p++) line += *p == '\n';
    return line;
}

int spec_line(const char *text, const char *path, const char *message, int sure)
{
    const char *there = follow(text, path);
    const char *at = quoted(text, there, message);
    if (!at && sure) at = there;
    return at ? line_at(text, at) : 0;
}

/* What is wrong with an expression is found when the table is there, and the expression
 * is named by its text; other parameters by their paths. */
void print_spec_place(const app *a, FILE *to)
{
    const char *said = ml_error_message(a->err), *end = strstr(said, "\", character ");
    const char *begin = strchr(said, '"'), *path = strstr(said, "params.");
    int line = 0;
    if (!a->spec_file) return;
    if (strncmp(said, "line ", 5) == 0 || strncmp(said, "byte ", 5) == 0) {
        fprintf(to, "%s: ", a->spec_file);
        return;
    }
    if (!a->spec_text) return;
    if (end > begin) {
        const char *at =
            find(a->spec_text, a->spec_text, begin + 1, (size_t)(end - begin - 1));
        line = at ? line_at(a->spec_text, at) : 0;
    } else if (path) {
        line = spec_line(a->spec_text, path + 7, said, a->n_set == 0);
    } else if (strncmp(said, "there is no ", 12) == 0 ||
               strstr(said, "the condition \"")) {
        line = spec_line(a->spec_text, "", said, 0);
    }
    if (line) fprintf(to, "%s, line %d: ", a->spec_file, line);
}
