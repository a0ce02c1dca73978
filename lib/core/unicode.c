/* SPDX-License-Identifier: MIT
 *
 * core/unicode.c: classes of code points by binary search in runs, and words.
 */
#include "core/text.h"
#include "core/unicode.h"
#include "core/unicode_table.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))
#define REPLACED     0xFFFDu

uint32_t mli_utf8_next(const char *text, size_t size, size_t *at)
{
    const unsigned char *s = (const unsigned char *)text + *at;
    size_t n = mli_utf8_sequence(text + *at, size - *at);
    *at += n ? n : 1;
    if (n == 1) return s[0];
    if (n == 0) return REPLACED;
    uint32_t c = s[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) c = c << 6 | (s[i] & 0x3F);
    return c;
}

int mli_utf8_put(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    for (int i = more; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    out[0] = (char)((0xFFu & ~(0xFFu >> (more + 1))) | c);
    return more + 1;
}

unsigned mli_char_class(uint32_t c)
{
    int low = 0, high = COUNT(class_runs);
    while (high - low > 1) { /* class_runs[0] begins at 0 */
        int middle = (low + high) / 2;
        if (class_runs[middle] >> 8 <= c)
            low = middle;
        else
            high = middle;
    }
    return class_runs[low] & 255;
}

uint32_t mli_char_fold(uint32_t c)
{
    int low = 0, high = COUNT(fold_runs);
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (fold_runs[middle].first <= c)
            low = middle;
        else
            high = middle;
    }
    uint32_t first = fold_runs[low].first;
    if (c < first || c > fold_runs[low].last) return c;
    if ((c - first) % (uint32_t)fold_runs[low].step) return c;
    return (uint32_t)((int32_t)c + fold_runs[low].add);
}

uint32_t mli_char_base(uint32_t c)
{
    int low = 0, high = COUNT(base_letters);
    if (c < base_letters[0][0] || c > 0xFFFF) return c;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (base_letters[middle][0] <= c)
            low = middle;
        else
            high = middle;
    }
    return base_letters[low][0] == c ? base_letters[low][1] : c;
}

/* ---- words ---- */

typedef struct {
    const char *text;
    size_t size;
} source;

static int is_ascii(const source *s, size_t at)
{
    return at < s->size && (unsigned char)s->text[at] < 0x80;
}

/* The class of an ASCII character that words have; 0: it has none, and extends none. */
static unsigned ascii_class(char c)
{
    if ((unsigned)(c | 0x20) - 'a' < 26) return MLI_WB_LETTER;
    if ((unsigned)c - '0' < 10) return MLI_WB_NUMBER;
    return c == '_' ? MLI_WB_JOINER : MLI_WB_OTHER;
}

/* Is it of such a class, by a bit of a table, which no branch has to guess. */
static int in_ascii_word(unsigned char c)
{
    static const uint64_t has[2] = {0x03ff000000000000u, 0x07fffffe87fffffeu};
    return c < 0x80 && (has[c >> 6] >> (c & 63) & 1);
}

static unsigned class_at(const source *s, size_t *at)
{
    return mli_char_class(mli_utf8_next(s->text, s->size, at)) & MLI_WB_MASK;
}

/* The class of the next character that is no Extend, and the place behind it. */
static unsigned look(const source *s, size_t at, size_t *behind)
{
    while (at < s->size) {
        unsigned c = class_at(s, &at);
        if (c == MLI_WB_EXTEND) continue;
        *behind = at;
        return c;
    }
    *behind = at;
    return MLI_WB_OTHER;
}

static size_t skip_extend(const source *s, size_t at)
{
    while (at < s->size && !is_ascii(s, at)) {
        size_t next = at;
        if (class_at(s, &next) != MLI_WB_EXTEND) break;
        at = next;
    }
    return at;
}

static int joined(unsigned a, unsigned b)
{
    int a_text = a == MLI_WB_LETTER || a == MLI_WB_NUMBER;
    int b_text = b == MLI_WB_LETTER || b == MLI_WB_NUMBER;
    if (a_text && b_text) return 1;
    if (a == MLI_WB_KATAKANA && b == MLI_WB_KATAKANA) return 1;
    if (a == MLI_WB_RUN && b == MLI_WB_RUN) return 1;
    if (b == MLI_WB_JOINER) return a_text || a == MLI_WB_KATAKANA || a == MLI_WB_JOINER;
    return a == MLI_WB_JOINER && (b_text || b == MLI_WB_KATAKANA);
}

/* Does `mid` join two of the kind of `a`? */
static int bridges(unsigned a, unsigned mid)
{
    if (a == MLI_WB_LETTER) return mid == MLI_WB_MID_LETTER || mid == MLI_WB_MID_BOTH;
    if (a == MLI_WB_NUMBER) return mid == MLI_WB_MID_NUMBER || mid == MLI_WB_MID_BOTH;
    return 0;
}

int mli_word_next(const char *text, size_t size, size_t *at, size_t *begin, size_t *end)
{
    source s = {text, size};
    size_t next, after;
    unsigned a = MLI_WB_OTHER;
    for (*begin = *at; *begin < size; *begin = next) {
        next = *begin;
        if (is_ascii(&s, next)) {
            a = ascii_class(text[next++]);
            if (a) break;
            continue;
        }
        a = class_at(&s, &next);
        if ((a >= MLI_WB_LETTER && a <= MLI_WB_JOINER) || a >= MLI_WB_ALONE) break;
    }
    if (*begin >= size) return 0;
    while (a != MLI_WB_ALONE) {
        /* Letters, numbers and joiners go with each other. */
        int plain = a == MLI_WB_LETTER || a == MLI_WB_NUMBER || a == MLI_WB_JOINER;
        size_t from = next;
        while (plain && next < size && in_ascii_word((unsigned char)text[next])) next++;
        if (next > from) a = ascii_class(text[next - 1]);
        if (is_ascii(&s, next) && text[next] <= ' ') break; /* which joins nothing */
        unsigned b = look(&s, next, &after);
        if (bridges(a, b)) {
            if (look(&s, after, &after) != a) break;
            b = a;
        } else if (!joined(a, b)) {
            break;
        }
        a = b;
        next = after;
    }
    *at = *end = skip_extend(&s, next);
    return 1;
}

int mli_run_next(const char *text, size_t size, size_t *at, size_t *begin, size_t *end)
{
    size_t i = *at, next;
    for (; i < size; i = next) {
        next = i;
        if (mli_char_class(mli_utf8_next(text, size, &next)) & MLI_CHAR_WORD) break;
    }
    *begin = i;
    if (i >= size) return 0;
    for (; i < size; i = next) {
        next = i;
        if (!(mli_char_class(mli_utf8_next(text, size, &next)) & MLI_CHAR_WORD)) break;
    }
    *at = *end = i;
    return 1;
}
