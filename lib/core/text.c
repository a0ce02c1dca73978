/* SPDX-License-Identifier: MIT
 *
 * text.c: growing strings, word comparison, the nearest name, UTF-8. Numbers as text are
 * in number_parse.c and number_format.c.
 */
#include "core/text.h"
#include "core/memory.h"
#include "core/wide.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void mli_str_init(mli_str *s, ml_context *ctx)
{
    *s = (mli_str){.ctx = ctx, .data = ""};
}

void mli_str_free(mli_str *s)
{
    if (s->capacity) mli_free(s->ctx, s->data);
    mli_str_init(s, s->ctx);
}

void mli_str_clear(mli_str *s)
{
    s->size = 0;
    s->failed = 0;
    if (s->capacity) s->data[0] = 0;
}

void mli_str_cut(mli_str *s, size_t size)
{
    s->failed = 0;
    if (size >= s->size) return;
    s->size = size;
    s->data[size] = 0;
}

/* Room for `more` bytes and the final NUL. 1 on success. */
static int reserve(mli_str *s, size_t more)
{
    if (s->failed) return 0;
    if (more < s->capacity - s->size) return 1;
    size_t need = s->size + more + 1;
    size_t capacity = s->capacity + s->capacity / 2;
    if (capacity < need) capacity = need;
    if (capacity < 64) capacity = 64;
    char *data = NULL;
    if (need > more) {
        data = s->capacity ? mli_realloc(s->ctx, s->data, capacity)
                           : mli_alloc(s->ctx, capacity);
    }
    if (!data) {
        s->failed = 1;
        return 0;
    }
    s->data = data;
    s->capacity = capacity;
    return 1;
}

void mli_str_add_n(mli_str *s, const char *text, size_t size)
{
    if (size == 0 || !reserve(s, size)) return;
    memcpy(s->data + s->size, text, size);
    s->size += size;
    s->data[s->size] = 0;
}

void mli_str_add(mli_str *s, const char *text)
{
    mli_str_add_n(s, text, strlen(text));
}

void mli_str_char(mli_str *s, char c)
{
    mli_str_add_n(s, &c, 1);
}

void mli_str_printf(mli_str *s, const char *format, ...)
{
    char small[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, format, args);
    if (n < 0) {
        s->failed = 1;
    } else if ((size_t)n < sizeof small) {
        mli_str_add_n(s, small, (size_t)n);
    } else if (reserve(s, (size_t)n)) {
        vsnprintf(s->data + s->size, (size_t)n + 1, format, again);
        s->size += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

void mli_str_f64(mli_str *s, double v)
{
    char buffer[MLI_NUM_SIZE];
    mli_str_add_n(s, buffer, (size_t)mli_format_f64(v, buffer));
}

void mli_str_i64(mli_str *s, int64_t v)
{
    char buffer[24];
    char *at = buffer + sizeof buffer;
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (v < 0) *--at = '-';
    mli_str_add_n(s, at, (size_t)(buffer + sizeof buffer - at));
}

char *mli_str_take(mli_str *s)
{
    if (!s->capacity) reserve(s, 0);
    if (s->failed) {
        mli_str_free(s);
        return NULL;
    }
    char *data = s->data;
    data[s->size] = 0;
    mli_str_init(s, s->ctx);
    return data;
}

static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* Case and the kind of joint between words do not count. */
static int folded(char c)
{
    return c == '-' || c == ' ' ? '_' : lower((unsigned char)c);
}

int mli_same_word(const char *a, const char *b)
{
    while (*a && lower((unsigned char)*a) == lower((unsigned char)*b)) a++, b++;
    return lower((unsigned char)*a) == lower((unsigned char)*b);
}

void mli_join(char *buffer, size_t size, const char *const *names, int64_t n)
{
    size_t at = 0;
    buffer[0] = 0;
    for (int64_t i = 0; i < n; i++) {
        size_t need = strlen(names[i]) + 2;
        if (at + need + 5 >= size) {
            snprintf(buffer + at, size - at, ", ...");
            return;
        }
        at += (size_t)snprintf(buffer + at, size - at, "%s%s", i ? ", " : "", names[i]);
    }
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Signs of money beyond ASCII as well. */
static const char *skip_signs(const char *p, const char *end)
{
    while (p < end && *p && (strchr("+-$% ", *p) || (unsigned char)*p >= 0x80)) p++;
    return p;
}

int mli_like_number(const char *text, size_t size)
{
    const char *end = text + size, *p = skip_signs(text, end);
    for (int parts = 0;; parts++) {
        int digits = 0;
        for (; p < end && is_digit(*p); p++) digits++;
        int last = p + 1 >= end || !*p || !strchr(",.' ", *p) || !is_digit(p[1]);
        if (digits == 0 || (parts && !last && digits != 3)) return 0;
        if (last) return skip_signs(p, end) == end;
        p++;
    }
}

int mli_in_list(const char *name, const char *list)
{
    size_t size = strlen(name);
    if (!list || !size) return 0;
    for (const char *at = list;; at++) {
        const char *end = strchr(at, ',');
        size_t n = end ? (size_t)(end - at) : strlen(at);
        if (n == size && memcmp(at, name, n) == 0) return 1;
        if (!end) return 0;
        at = end;
    }
}

/* Longer texts are compared by this many bytes and their lengths. */
#define DISTANCE_MAX 120
#define MOST_SLIPS   10

static int min_of(int a, int b)
{
    return a < b ? a : b;
}

int mli_distance(const char *a, const char *b)
{
    int rows[3][DISTANCE_MAX + 1];
    int *two = rows[0], *one = rows[1], *now = rows[2];
    size_t full_a = strlen(a), full_b = strlen(b);
    int na = (int)(full_a < DISTANCE_MAX ? full_a : DISTANCE_MAX);
    int nb = (int)(full_b < DISTANCE_MAX ? full_b : DISTANCE_MAX);
    for (int j = 0; j <= nb; j++) now[j] = j;
    for (int i = 1; i <= na; i++) {
        int *spare = two;
        two = one;
        one = now;
        now = spare;
        now[0] = i;
        for (int j = 1; j <= nb; j++) {
            int ca = folded(a[i - 1]), cb = folded(b[j - 1]);
            int best = min_of(one[j - 1] + (ca != cb), min_of(one[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && ca == folded(b[j - 2]) && cb == folded(a[i - 2])) {
                best = min_of(best, two[j - 2] + 1);
            }
            now[j] = best;
        }
    }
    size_t cut = (full_a - (size_t)na) + (full_b - (size_t)nb);
    return now[nb] + (int)(cut < 1000000 ? cut : 1000000);
}

/* Is `part` inside `whole`, at the begin or the end of a word? */
static int has_part(const char *whole, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; whole[i]; i++) {
        size_t k = 0;
        while (k < n && whole[i + k] && folded(whole[i + k]) == folded(part[k])) k++;
        if (k < n) continue;
        int starts = i == 0 || folded(whole[i - 1]) == '_';
        int ends = !whole[i + n] || folded(whole[i + n]) == '_';
        if (starts || ends) return 1;
    }
    return 0;
}

/* A slip of the pen: one letter in three at most (one of two), and not the first one,
 * unless it is the only one, or has changed places. */
static int is_slip(const char *a, const char *b, int distance)
{
    size_t n = strlen(a), m = strlen(b), longer = n > m ? n : m;
    if (distance == 0) return 1;
    if (distance > MOST_SLIPS || (distance > 1 && (size_t)distance * 3 > longer))
        return 0;
    if (folded(a[0]) == folded(b[0])) return longer > 1;
    int swapped = folded(a[0]) == folded(b[1]) && folded(a[1]) == folded(b[0]);
    return swapped || (distance == 1 && longer > 4);
}

const char *mli_nearest(const char *name, const char *const *names, int64_t n)
{
    const char *best = NULL;
    size_t size = strlen(name);
    int least = MOST_SLIPS + 1;
    for (int64_t i = 0; i < n; i++) {
        int d = mli_distance(name, names[i]);
        if (d < least && is_slip(name, names[i], d)) {
            best = names[i];
            least = d;
        }
    }
    if (best || size < 3) return best;
    for (int64_t i = 0; i < n; i++) {
        if ((has_part(names[i], name) ||
             (strlen(names[i]) > 3 && has_part(name, names[i]))) &&
            (!best || strlen(names[i]) < strlen(best))) {
            best = names[i];
        }
    }
    return best;
}

size_t mli_utf8_sequence(const char *text, size_t left)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned char c = p[0];
    if (c < 0x80) return 1;
    if (c < 0xc2 || c > 0xf4) return 0;
    size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (left < n) return 0;
    /* The second byte excludes overlong forms, surrogates and what lies past U+10FFFF. */
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
    }
    return n;
}

size_t mli_utf8_valid(const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;
    while (i < size) {
        if (size - i >= 8 && !(mli_load64(p + i) & 0x8080808080808080u)) {
            i += 8;
            continue;
        }
        size_t n = mli_utf8_sequence(text + i, size - i);
        if (!n) break;
        i += n;
    }
    return i;
}
