/* SPDX-License-Identifier: MIT
 *
 * params_yaml_write.c: writing sets of values as YAML, a line for each; values of parts
 * stand below their part. What was written reads back as the same values of the same
 * types (an empty list as a list of texts).
 */
#include "core/value.h"
#include "serialization/params_yaml.h"

#include <string.h>

#define LONG_NAME 160

static int is_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* May the text stand without quotes? Words that older YAML takes for booleans may not. */
static int is_plain(const char *text)
{
    static const char *const words[] = {"y", "n", "yes", "no", "on", "off", "nan", "inf"};
    int64_t whole;
    double real;
    if (!is_letter((unsigned char)text[0])) return 0;
    for (const char *p = text; *p; p++) {
        if (!is_letter((unsigned char)*p) && !strchr("0123456789.-/", *p)) return 0;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (mli_same_word(text, words[i])) return 0;
    }
    return mli_yaml_resolve(text, &whole, &real) == ML_PARAM_STR;
}

/* Length of a control character or line break of Unicode at p, which YAML does not take
 * as it is; *code is its code point. 0 for others. */
static size_t odd_character(const unsigned char *p, unsigned *code)
{
    *code = p[0];
    if (p[0] < 0x20 || p[0] == 0x7f) return 1;
    if (p[0] == 0xc2 && p[1] < 0xa0) {
        *code = p[1];
        return 2;
    }
    if (p[0] < 0xe2 || p[0] > 0xef) return 0;
    *code = (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
    int odd = *code == 0x2028 || *code == 0x2029 || *code == 0xfeff ||
              (*code & 0xfffe) == 0xfffe;
    return odd ? 3 : 0;
}

static void add_quoted(mli_str *s, const char *text)
{
    mli_str_char(s, '"');
    for (const char *p = text; *p;) {
        unsigned code;
        size_t n = odd_character((const unsigned char *)p, &code);
        if (n && (code == '\n' || code == '\t')) {
            mli_str_add(s, code == '\n' ? "\\n" : "\\t");
        } else if (n) {
            mli_str_printf(s, "\\u%04x", code);
        } else {
            n = 1;
            if (*p == '"' || *p == '\\') mli_str_char(s, '\\');
            mli_str_char(s, *p);
        }
        p += n;
    }
    mli_str_char(s, '"');
}

static void add_text(mli_str *s, const char *text)
{
    if (is_plain(text)) {
        mli_str_add(s, text);
    } else {
        add_quoted(s, text);
    }
}

static void add_real(mli_str *s, double v)
{
    if (v != v) {
        mli_str_add(s, ".nan");
    } else if (v - v != 0) {
        mli_str_add(s, v < 0 ? "-.inf" : ".inf");
    } else {
        mli_str_real(s, v);
    }
}

static void add_list(mli_str *s, const mli_value *v)
{
    mli_str_char(s, '[');
    for (int64_t i = 0; i < v->count; i++) {
        if (i) mli_str_add(s, ", ");
        if (v->type == ML_PARAM_I64S) {
            mli_str_i64(s, v->i64s[i]);
        } else if (v->type == ML_PARAM_F64S) {
            add_real(s, v->f64s[i]);
        } else {
            add_text(s, v->strs[i]);
        }
    }
    mli_str_char(s, ']');
}

static void add_value(mli_str *s, const mli_value *v)
{
    if (!*v->text) {
        mli_str_add(s, "\"\"");
    } else if (v->type == ML_PARAM_F64) {
        add_real(s, v->f64);
    } else if (v->type == ML_PARAM_BOOL || v->type == ML_PARAM_I64) {
        mli_str_add(s, v->text);
    } else if (v->type >= ML_PARAM_I64S && v->type <= ML_PARAM_STRS) {
        add_list(s, v);
    } else {
        add_text(s, v->text);
    }
}

/* "name: "; a long one in the form that YAML's limit on names in a line, 1024 characters,
 * does not concern (an escape takes up to six). */
static void add_name(mli_str *s, const char *name)
{
    int is_long = strlen(name) > LONG_NAME;
    if (is_long) mli_str_add(s, "? ");
    add_text(s, name);
    mli_str_add(s, is_long ? "\n: " : ": ");
}

/* ---- levels ----
 * A name with dots is written below its first word: as a mapping, or below a part of that
 * name in a list. Where that would not read back as it was, the whole name is written. */

typedef struct writer {
    mli_str s;
    const ml_params *p;
} writer;

static void write_level(writer *w, const char *prefix, int indent);

/* What is left of a name behind a prefix; NULL when it does not begin so. */
static const char *behind(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 ? name + n : NULL;
}

/* Words with single dots between them? */
static int is_path(const char *rest)
{
    size_t n = strlen(rest);
    return n > 0 && n <= LONG_NAME && rest[0] != '.' && rest[n - 1] != '.' &&
           !strstr(rest, "..");
}

/* The value of the name prefix + text[size], or NULL. */
static const mli_value *value_of(const writer *w, const char *prefix, const char *text,
                                 size_t size)
{
    for (int64_t i = 0; i < w->p->count; i++) {
        const char *rest = behind(w->p->values[i].name, prefix);
        if (rest && strncmp(rest, text, size) == 0 && !rest[size])
            return &w->p->values[i];
    }
    return NULL;
}

/* Are there values below prefix "word."? *algorithm: one is called "algorithm", a word
 * that has a meaning of its own below parts. */
static int has_below(const writer *w, const char *prefix, const char *word, size_t size,
                     int *algorithm)
{
    int has = 0;
    for (int64_t i = 0; i < w->p->count; i++) {
        const char *rest = behind(w->p->values[i].name, prefix);
        if (!rest || !is_path(rest) || strncmp(rest, word, size) != 0) continue;
        if (rest[size] != '.') continue;
        has = 1;
        if (strcmp(rest + size + 1, "algorithm") == 0) *algorithm = 1;
    }
    return has;
}

static size_t word_size(const char *item)
{
    size_t n = 0;
    while (is_letter((unsigned char)item[n]) || (item[n] >= '0' && item[n] <= '9')) n++;
    return n;
}

/* Are all items parts: "word" or "word=word"? Words are not long. */
static int lists_parts(const mli_value *v)
{
    for (int64_t i = 0; v->type == ML_PARAM_STRS && i < v->count; i++) {
        const char *item = v->strs[i];
        size_t n = word_size(item);
        if (!n || n > LONG_NAME || (item[n] && item[n] != '=')) return 0;
        if (!item[n]) continue;
        size_t more = word_size(item + n + 1);
        if (!more || item[n + 1 + more]) return 0;
    }
    return v->type == ML_PARAM_STRS && v->count > 0;
}

/* The list of this level, and in it the item, below which the values of a part stand. */
static const char *owner(const writer *w, const char *prefix, const char *part,
                         size_t size)
{
    int algorithm = 0;
    if (!has_below(w, prefix, part, size, &algorithm) || algorithm) return NULL;
    for (int64_t i = 0; i < w->p->count; i++) {
        const mli_value *v = &w->p->values[i];
        const char *rest = behind(v->name, prefix);
        if (!rest || strchr(rest, '.') || !*rest || !lists_parts(v)) continue;
        for (int64_t k = 0; k < v->count; k++) {
            const char *item = v->strs[k];
            if (word_size(item) == size && strncmp(item, part, size) == 0) return item;
        }
    }
    return NULL;
}

static int has_parts(const writer *w, const char *prefix, const mli_value *v)
{
    for (int64_t i = 0; lists_parts(v) && i < v->count; i++) {
        const char *item = v->strs[i];
        if (owner(w, prefix, item, word_size(item)) == item) return 1;
    }
    return 0;
}

static void add_indent(writer *w, int indent)
{
    for (int i = 0; i < indent; i++) mli_str_char(&w->s, ' ');
}

/* Everything below prefix "word.". */
static void write_below(writer *w, const char *prefix, const char *word, size_t size,
                        int indent)
{
    mli_str path;
    mli_str_init(&path, w->p->ctx);
    mli_str_add(&path, prefix);
    mli_str_add_n(&path, word, size);
    mli_str_char(&path, '.');
    if (path.failed)
        w->s.failed = 1;
    else
        write_level(w, path.data, indent);
    mli_str_free(&path);
}

static void add_word(writer *w, const char *word, size_t size)
{
    char text[LONG_NAME + 1];
    memcpy(text, word, size);
    text[size] = 0;
    add_text(&w->s, text);
}

static void write_item(writer *w, const char *prefix, const char *item, int indent)
{
    size_t size = word_size(item);
    add_indent(w, indent);
    mli_str_add(&w->s, "- ");
    add_word(w, item, size);
    if (owner(w, prefix, item, size) != item) {
        if (item[size]) {
            mli_str_add(&w->s, ": ");
            add_text(&w->s, item + size + 1);
        }
        mli_str_char(&w->s, '\n');
        return;
    }
    mli_str_add(&w->s, ":\n");
    if (item[size]) {
        add_indent(w, indent + 4);
        mli_str_add(&w->s, "algorithm: ");
        add_text(&w->s, item + size + 1);
        mli_str_char(&w->s, '\n');
    }
    write_below(w, prefix, item, size, indent + 4);
}

static void write_value(writer *w, const char *prefix, const mli_value *v, int indent)
{
    const char *name = v->name + strlen(prefix);
    add_indent(w, indent);
    if (!has_parts(w, prefix, v) || strlen(name) > LONG_NAME) {
        add_name(&w->s, name);
        add_value(&w->s, v);
        mli_str_char(&w->s, '\n');
        return;
    }
    add_text(&w->s, name);
    mli_str_add(&w->s, ":\n");
    for (int64_t i = 0; i < v->count; i++) write_item(w, prefix, v->strs[i], indent + 2);
}

/* Was a path with the same first word written before? */
static int seen(const writer *w, const char *prefix, int64_t i, size_t size)
{
    const char *name = w->p->values[i].name;
    for (int64_t k = 0; k < i; k++) {
        const char *rest = behind(w->p->values[k].name, prefix);
        if (!rest || !is_path(rest)) continue;
        if (strncmp(rest, name + strlen(prefix), size) == 0 && rest[size] == '.')
            return 1;
    }
    return 0;
}

static void write_level(writer *w, const char *prefix, int indent)
{
    for (int64_t i = 0; i < w->p->count; i++) {
        const mli_value *v = &w->p->values[i];
        const char *rest = behind(v->name, prefix);
        if (!rest || (*prefix && !is_path(rest))) continue;
        const char *dot = is_path(rest) ? strchr(rest, '.') : NULL;
        size_t size = dot ? (size_t)(dot - rest) : 0;
        int algorithm = 0;
        if (dot && owner(w, prefix, rest, size)) continue;
        if (!dot || value_of(w, prefix, rest, size) ||
            (has_below(w, prefix, rest, size, &algorithm) && algorithm)) {
            write_value(w, prefix, v, indent);
        } else if (!seen(w, prefix, i, size)) {
            add_indent(w, indent);
            add_word(w, rest, size);
            mli_str_add(&w->s, ":\n");
            write_below(w, prefix, rest, size, indent + 2);
        }
    }
}

ml_status ml_params_write_yaml(const ml_params *params, char *buffer, size_t capacity,
                               size_t *needed, ml_error *error)
{
    if (!params) return mli_null(error, "params");
    if (!needed) return mli_null(error, "needed");
    writer w = {.p = params};
    mli_str_init(&w.s, params->ctx);
    write_level(&w, "", 0);
    ml_status status = w.s.failed ? mli_nomem(error) : ML_OK;
    if (status == ML_OK) {
        *needed = w.s.size + 1;
        if (buffer && capacity > 0) {
            size_t n = w.s.size < capacity ? w.s.size : capacity - 1;
            memcpy(buffer, w.s.data, n);
            buffer[n] = 0;
        }
    }
    mli_str_free(&w.s);
    return status;
}
