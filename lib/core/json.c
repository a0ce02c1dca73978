/* SPDX-License-Identifier: MIT
 *
 * json.c: reading JSON, token by token. Strict: no comments, no trailing commas, no
 * leading zeros, valid UTF-8 only, paired surrogates only, one value per document.
 */
#include "core/json.h"
#include "core/value.h"

#include <string.h>

/* What the grammar allows next. */
enum {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END, /* after [ */
    EXPECT_KEY,          /* after , in an object */
    EXPECT_KEY_OR_END,   /* after { */
    EXPECT_MORE,         /* after a value inside an array or object: , or the end */
    EXPECT_NOTHING       /* after the document's value */
};

void mli_json_open(mli_json *j, const char *text, size_t size)
{
    memset(j, 0, sizeof *j);
    if (!text) text = "";
    j->begin = j->at = text;
    j->end = text + size;
    j->expect = EXPECT_VALUE;
}

static mli_json_token fail(mli_json *j, const char *problem)
{
    if (!j->problem) j->problem = problem;
    return MLI_JSON_ERROR;
}

static void skip_space(mli_json *j)
{
    while (j->at < j->end &&
           (*j->at == ' ' || *j->at == '\n' || *j->at == '\r' || *j->at == '\t')) {
        j->at++;
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Four hexadecimal digits at p; -1 when they are not. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t v = 0;
    if (end - p < 4) return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(p[i]);
        if (digit < 0) return -1;
        v = v * 16 + digit;
    }
    return v;
}

/* The code point of "\uXXXX" (p behind the u), with the low half of a surrogate pair.
 * Returns its end, NULL when malformed. */
static const char *read_unicode(const char *p, const char *end, uint32_t *code)
{
    int32_t high = hex4(p, end);
    if (high < 0 || (high >= 0xdc00 && high < 0xe000)) return NULL;
    p += 4;
    *code = (uint32_t)high;
    if (high < 0xd800 || high >= 0xe000) return p;
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u') return NULL;
    int32_t low = hex4(p + 2, end);
    if (low < 0xdc00 || low >= 0xe000) return NULL;
    *code = 0x10000 + (((uint32_t)high - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
    return p + 6;
}

/* Moves past an escape, j->at on the backslash. 1 on success. */
static int skip_escape(mli_json *j)
{
    const char *p = j->at + 1;
    if (p == j->end) return 0;
    if (*p == 'u') {
        uint32_t code;
        p = read_unicode(p + 1, j->end, &code);
        if (!p) return 0;
        j->at = p;
        return 1;
    }
    switch (*p) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        j->at = p + 1;
        return 1;
    default:
        return 0;
    }
}

/* Eight bytes at once: a bit at the top of each byte that is `c`, of those below 0x20.
 * Exact up to the first one, which is all that is asked. */
#define EACH(c)       (0x0101010101010101u * (uint64_t)(c))
#define TOP           EACH(0x80)
#define SAME(word, c) ((((word) ^ EACH(c)) - EACH(1)) & ~((word) ^ EACH(c)) & TOP)
#define CONTROL(word) (((word)-EACH(0x20)) & ~(word)&TOP)

static uint64_t load(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* How many bytes lie in front of the first bit. */
static size_t before(uint64_t bits)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(bits) / 8;
#else
    (void)bits; /* the bytes are looked at one by one */
    return 0;
#endif
}

/* Moves over what needs no look: neither a quote, nor a backslash, nor control. Returns
 * the bits that occurred, or more. */
static uint64_t skip_plain(mli_json *j)
{
    const char *p = j->at, *end = j->end;
    uint64_t bits = 0;
    for (; end - p >= 8; p += 8) {
        uint64_t word = load(p);
        uint64_t stop = SAME(word, '"') | SAME(word, '\\') | CONTROL(word);
        bits |= word;
        if (!stop) continue;
        p += before(stop);
        break;
    }
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == '"' || c == '\\') break;
        bits |= c;
    }
    j->at = p;
    return bits;
}

/* Reads a string, j->at behind the opening quote. */
static mli_json_token read_string(mli_json *j, mli_json_token token)
{
    const char *start = j->at;
    uint64_t bits = 0;
    j->escaped = 0;
    for (;;) {
        bits |= skip_plain(j);
        if (j->at == j->end) return fail(j, "a text without its closing quote");
        if (*j->at == '"') break;
        if (*j->at != '\\') return fail(j, "a control character in a text: escape it");
        j->escaped = 1;
        if (!skip_escape(j)) return fail(j, "an unknown escape in a text");
    }
    j->text = start;
    j->size = (size_t)(j->at - start);
    size_t valid = bits & TOP ? mli_utf8_valid(start, j->size) : j->size;
    if (valid < j->size) {
        j->at = start + valid;
        return fail(j, "a text that is not UTF-8");
    }
    j->at++;
    return token;
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9') p++;
    return p;
}

static mli_json_token read_number(mli_json *j)
{
    const char *p = j->at, *start = p, *end = j->end, *digits;
    if (*p == '-') p++;
    digits = p;
    p = skip_digits(p, end);
    if (p == digits) return fail(j, "a minus sign without digits");
    if (*digits == '0' && p - digits > 1) return fail(j, "a number with a leading zero");
    if (p < end && *p == '.') {
        digits = ++p;
        p = skip_digits(p, end);
        if (p == digits) return fail(j, "a decimal point without digits");
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '-' || *p == '+')) p++;
        digits = p;
        p = skip_digits(p, end);
        if (p == digits) return fail(j, "an exponent without digits");
    }
    j->text = start;
    j->size = (size_t)(p - start);
    j->at = p;
    return MLI_JSON_NUMBER;
}

static mli_json_token read_word(mli_json *j)
{
    static const struct {
        const char *word;
        mli_json_token token;
    } words[] = {
        {"true", MLI_JSON_TRUE}, {"false", MLI_JSON_FALSE}, {"null", MLI_JSON_NULL}};
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(words[i].word);
        if ((size_t)(j->end - j->at) < n || memcmp(j->at, words[i].word, n) != 0)
            continue;
        j->text = j->at;
        j->size = n;
        j->at += n;
        return words[i].token;
    }
    return fail(j, "a value was expected");
}

static int after_value(const mli_json *j)
{
    return j->depth ? EXPECT_MORE : EXPECT_NOTHING;
}

static mli_json_token open_level(mli_json *j, int object)
{
    if (j->depth == MLI_JSON_DEPTH) return fail(j, "too many levels of nesting");
    j->at++;
    j->stack[j->depth++] = (unsigned char)object;
    j->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    return object ? MLI_JSON_OBJECT : MLI_JSON_ARRAY;
}

static mli_json_token close_level(mli_json *j)
{
    j->at++;
    int object = j->stack[--j->depth];
    j->expect = after_value(j);
    return object ? MLI_JSON_OBJECT_END : MLI_JSON_ARRAY_END;
}

static mli_json_token read_value(mli_json *j)
{
    char c = *j->at;
    if (c == '{' || c == '[') return open_level(j, c == '{');
    mli_json_token token;
    if (c == '"') {
        j->at++;
        token = read_string(j, MLI_JSON_STRING);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        token = read_number(j);
    } else {
        token = read_word(j);
    }
    j->expect = after_value(j);
    return token;
}

static mli_json_token read_key(mli_json *j)
{
    if (*j->at != '"') return fail(j, "a key in double quotes was expected");
    j->at++;
    if (read_string(j, MLI_JSON_KEY) == MLI_JSON_ERROR) return MLI_JSON_ERROR;
    skip_space(j);
    if (j->at == j->end || *j->at != ':') return fail(j, "':' was expected after a key");
    j->at++;
    j->expect = EXPECT_VALUE;
    return MLI_JSON_KEY;
}

/* After a value: the end of the level, or a comma and what follows it. */
static mli_json_token read_more(mli_json *j)
{
    int object = j->stack[j->depth - 1];
    if (*j->at == (object ? '}' : ']')) return close_level(j);
    if (*j->at != ',') {
        return fail(j, object ? "',' or '}' was expected" : "',' or ']' was expected");
    }
    j->at++;
    skip_space(j);
    if (j->at == j->end) return fail(j, "the text ends too early");
    return object ? read_key(j) : read_value(j);
}

mli_json_token mli_json_next(mli_json *j)
{
    if (j->problem) return MLI_JSON_ERROR;
    skip_space(j);
    j->size = 0;
    j->text = j->at;
    if (j->at == j->end) {
        if (j->expect == EXPECT_NOTHING) return MLI_JSON_END;
        return fail(j,
                    j->at == j->begin ? "the text is empty" : "the text ends too early");
    }
    switch (j->expect) {
    case EXPECT_NOTHING:
        return fail(j, "text after the end of the document");
    case EXPECT_MORE:
        return read_more(j);
    case EXPECT_KEY_OR_END:
        return *j->at == '}' ? close_level(j) : read_key(j);
    case EXPECT_VALUE_OR_END:
        return *j->at == ']' ? close_level(j) : read_value(j);
    default:
        return read_value(j);
    }
}

int mli_json_skip(mli_json *j, mli_json_token token)
{
    if (token == MLI_JSON_KEY) token = mli_json_next(j);
    if (token == MLI_JSON_OBJECT || token == MLI_JSON_ARRAY) {
        int depth = j->depth - 1;
        while (j->depth > depth) {
            if (mli_json_next(j) < 0) return 0;
        }
        return 1;
    }
    return token == MLI_JSON_STRING || token >= MLI_JSON_NUMBER;
}

/* UTF-8 of a code point; returns the number of bytes. */
static size_t encode(uint32_t c, char out[4])
{
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    out[0] = (char)(lead[n] | c);
    return n;
}

/* Decodes the escape at p, a backslash that the reader has checked. Returns its end. */
static const char *decode_escape(const char *p, const char *end, char out[4], size_t *n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint32_t code = '?';
    if (p[1] == '"' || p[1] == '\\') {
        code = (unsigned char)p[1];
        p += 2;
    } else if (p[1] == 'u') {
        p = read_unicode(p + 2, end, &code);
    } else {
        const char *at = strchr(from, p[1]);
        if (at) code = (unsigned char)to[at - from];
        p += 2;
    }
    *n = encode(code, out);
    return p;
}

size_t mli_json_unescape_to(const mli_json *j, char *to)
{
    const char *p = j->text, *end = p + j->size;
    char *at = to;
    if (!j->escaped) {
        if (j->size) memcpy(to, p, j->size);
        return j->size;
    }
    while (p < end) {
        size_t n = 1;
        if (end - p >= 8) { /* there is room: what was read is never shorter */
            uint64_t stop = SAME(load(p), '\\');
            memcpy(at, p, 8);
            n = stop ? before(stop) : 8;
            at += n;
            p += n;
            if (!stop) continue;
            n = 1;
        }
        if (*p == '\\') {
            p = decode_escape(p, end, at, &n);
            if (!p) return 0;
        } else {
            *at = *p++;
        }
        at += n;
    }
    return (size_t)(at - to);
}

int mli_json_unescape(const mli_json *j, mli_str *s)
{
    const char *p = j->text, *end = p + j->size;
    if (!j->escaped) {
        mli_str_add_n(s, p, j->size);
        return p && !s->failed;
    }
    while (p < end) { /* piece by piece, since escapes often stand close together */
        char piece[256];
        size_t n = 0;
        while (p < end && n < sizeof piece - 4) {
            size_t length = 1;
            if (*p == '\\') {
                p = decode_escape(p, end, piece + n, &length);
                if (!p) return 0;
            } else {
                piece[n] = *p++;
            }
            n += length;
        }
        mli_str_add_n(s, piece, n);
    }
    return !s->failed;
}

int mli_json_is_escaped(const mli_json *j, const char *text)
{
    const char *p = j->text, *end = p + j->size;
    size_t left = strlen(text);
    while (p && p < end) {
        const char *piece = p++;
        char utf8[4];
        size_t n = 1;
        if (*piece == '\\') {
            p = decode_escape(piece, end, utf8, &n);
            piece = utf8;
        }
        if (n > left || memcmp(piece, text, n) != 0) return 0;
        text += n;
        left -= n;
    }
    return p && left == 0;
}

int mli_json_f64(const mli_json *j, double *out)
{
    return mli_parse_f64(j->text, j->text + j->size, out);
}

int mli_json_i64(const mli_json *j, int64_t *out)
{
    return mli_parse_i64(j->text, j->text + j->size, out);
}

void mli_json_place(const mli_json *j, int64_t *line, int64_t *column)
{
    *line = 1;
    const char *start = j->begin;
    for (const char *p = j->begin; p < j->at; p++) {
        if (*p == '\n') {
            ++*line;
            start = p + 1;
        }
    }
    *column = j->at - start + 1;
}

void mli_json_str_n(mli_str *s, const char *text, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    size_t from = 0;
    mli_str_char(s, '"');
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        mli_str_add_n(s, text + from, i - from);
        from = i + 1;
        const char *at = c ? strchr(plain, c) : NULL;
        char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        if (at) escape[1] = letters[at - plain];
        mli_str_add_n(s, escape, at ? 2 : 6);
    }
    mli_str_add_n(s, text + from, size - from);
    mli_str_char(s, '"');
}

void mli_json_str(mli_str *s, const char *text)
{
    mli_json_str_n(s, text, strlen(text));
}

void mli_json_num(mli_str *s, double v)
{
    if (v - v == 0) {
        mli_str_f64(s, v);
    } else {
        mli_str_add(s, "null");
    }
}

void mli_json_real(mli_str *s, double v)
{
    if (v - v == 0)
        mli_str_real(s, v);
    else
        mli_json_num(s, v);
}

void mli_json_key(mli_str *s, const char *key, int first)
{
    if (!first) mli_str_add(s, ", ");
    mli_json_str(s, key);
    mli_str_add(s, ": ");
}
