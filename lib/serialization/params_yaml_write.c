/* SPDX-License-Identifier: MIT
 *
 * params_yaml_write.c: writing sets of values as YAML, a line for each. What was written
 * reads back as the same values of the same types (an empty list as a list of texts).
 */
#include "core/value.h"
#include "serialization/params_yaml.h"

#include <string.h>

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
    int is_long = strlen(name) > 160;
    if (is_long) mli_str_add(s, "? ");
    add_text(s, name);
    mli_str_add(s, is_long ? "\n: " : ": ");
}

ml_status ml_params_write_yaml(const ml_params *params, char *buffer, size_t capacity,
                               size_t *needed, ml_error *error)
{
    if (!params) return mli_null(error, "params");
    if (!needed) return mli_null(error, "needed");
    mli_str s;
    mli_str_init(&s, params->ctx);
    for (int64_t i = 0; i < params->count; i++) {
        add_name(&s, params->values[i].name);
        add_value(&s, &params->values[i]);
        mli_str_char(&s, '\n');
    }
    ml_status status = s.failed ? mli_nomem(error) : ML_OK;
    if (status == ML_OK) {
        *needed = s.size + 1;
        if (buffer && capacity > 0) {
            size_t n = s.size < capacity ? s.size : capacity - 1;
            memcpy(buffer, s.data, n);
            buffer[n] = 0;
        }
    }
    mli_str_free(&s);
    return status;
}
