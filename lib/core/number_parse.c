/* SPDX-License-Identifier: MIT
 *
 * number_parse.c: text to numbers, exact and independent of the locale.
 *
 * A double is read in three steps. (1) Up to 19 digits are collected into an integer,
 * eight at a time. (2) If digits and exponent are small, one multiplication or division
 * of exact doubles is right (Clinger 1990). Else the product with a 128-bit power of ten
 * decides (Lemire, "Number parsing at a gigabyte per second", 2021). (3) The few inputs
 * left open by that, and those of more digits where the rest matters, go to exact
 * arithmetic in number_exact.c.
 */
#include "core/number.h"
#include "core/text.h"
#include "core/wide.h"

#include <math.h>

#include "core/pow10_table.h"

#define EXPONENT_LIMIT 100000000 /* beyond this everything is 0 or infinite */

typedef struct decimal {
    uint64_t digits;  /* the first 19 significant ones */
    int64_t exponent; /* value: digits * 10^exponent, if not cut */
    int cut;          /* digits were dropped */
    int negative;
    const char *first, *last; /* the digits as written, '.' included */
    int64_t written;          /* the exponent as written */
} decimal;

static inline int is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* Are these eight bytes digits? */
static inline int eight_digits(uint64_t v)
{
    return !(((v + 0x4646464646464646u) | (v - 0x3030303030303030u)) &
             0x8080808080808080u);
}
/* Their value: pairs, then fours, then the eight, each by one multiplication. */
static inline uint64_t eight_value(uint64_t v)
{
    v -= 0x3030303030303030u;
    v = v * 10 + (v >> 8);
    uint64_t low = (v & 0x000000ff000000ffu) * 0x000f424000000064u;
    uint64_t high = ((v >> 16) & 0x000000ff000000ffu) * 0x0000271000000001u;
    return (low + high) >> 32;
}
#define SWAR 1
#endif

/* Adds digits to *value (which may wrap around) and returns their end. */
static inline const char *take_digits(const char *p, const char *end, uint64_t *value)
{
    uint64_t v = *value;
#ifdef SWAR
    while (end - p >= 8 && eight_digits(mli_load64(p))) {
        v = v * 100000000 + eight_value(mli_load64(p));
        p += 8;
    }
#endif
    while (p < end && is_digit(*p)) v = v * 10 + (uint64_t)(*p++ - '0');
    *value = v;
    return p;
}

/* The same where most likely all up to `end` are digits: the last few of them are taken
 * at once too, by a load that begins before them (but not before `begin`). */
static inline const char *take_last_digits(const char *begin, const char *p,
                                           const char *end, uint64_t *value)
{
#ifdef SWAR
    static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    while (end - p >= 8 && eight_digits(mli_load64(p))) {
        *value = *value * 100000000 + eight_value(mli_load64(p));
        p += 8;
    }
    int64_t n = end - p;
    if (n > 0 && n < 8 && end - begin >= 8) {
        uint64_t keep = UINT64_MAX << (64 - 8 * n);
        uint64_t w = (mli_load64(end - 8) & keep) | (0x3030303030303030u & ~keep);
        if (eight_digits(w)) {
            *value = *value * powers[n] + eight_value(w);
            return end;
        }
    }
#else
    (void)begin;
#endif
    return take_digits(p, end, value);
}

/* "e-5": returns the end, or NULL if malformed. */
static const char *take_exponent(const char *p, const char *end, int64_t *exponent)
{
    int negative = 0;
    int64_t e = 0;
    p++;
    if (p < end && (*p == '-' || *p == '+')) negative = *p++ == '-';
    if (p == end || !is_digit(*p)) return NULL;
    for (; p < end && is_digit(*p); p++) {
        if (e < EXPONENT_LIMIT) e = e * 10 + (*p - '0');
    }
    *exponent = negative ? -e : e;
    return p;
}

/* More than 19 digits were written: keeps the first 19 significant ones. */
static void cut_digits(decimal *d)
{
    const char *p = d->first;
    int64_t point = 0; /* digits after the point, among those kept */
    int kept = 0, after = 0;
    d->digits = 0;
    for (; p < d->last && kept < 19; p++) {
        if (*p == '.') {
            after = 1;
            continue;
        }
        d->digits = d->digits * 10 + (uint64_t)(*p - '0');
        kept += d->digits != 0;
        point += after;
    }
    for (; p < d->last; p++) {
        if (*p == '.') {
            after = 1;
            continue;
        }
        if (*p != '0') d->cut = 1;
        point -= !after;
    }
    d->exponent = d->written - point;
}

/* Splits text into a decimal; 0 when it is no plain number. */
static inline int split(const char *text, const char *end, decimal *d)
{
    const char *p = text;
    d->negative = 0;
    if (p < end && (*p == '-' || *p == '+')) d->negative = *p++ == '-';
    d->first = p;
    d->digits = 0;
    d->exponent = 0;
    d->cut = 0;
    d->written = 0;
    p = take_digits(p, end, &d->digits);
    int64_t count = p - d->first;
    if (p < end && *p == '.') {
        const char *point = ++p;
        p = take_last_digits(text, p, end, &d->digits);
        d->exponent = point - p;
        count += p - point;
    }
    d->last = p;
    if (count == 0) return 0;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p = take_exponent(p, end, &d->written);
        if (!p) return 0;
        d->exponent += d->written;
    }
    if (p != end) return 0;
    if (count > 19) cut_digits(d);
    return 1;
}

/* The bits of digits * 10^q rounded to nearest even, or UINT64_MAX when 128 bits of the
 * power do not decide. */
static uint64_t product_bits(uint64_t digits, int64_t q)
{
    if (digits == 0 || q < MLI_POW10_LOW) return 0;
    if (q > 308) return 0x7ff0000000000000u;
    const uint64_t *power = mli_pow10[q - MLI_POW10_LOW];
    int shift = mli_clz64(digits);
    uint64_t w = digits << shift, high, low = mli_mul128(w, power[0], &high);
    if ((high & 0x1ff) == 0x1ff) { /* the low word of the power may matter */
        uint64_t more;
        mli_mul128(w, power[1], &more);
        low += more;
        high += low < more;
    }
    if (low == UINT64_MAX && (q < -27 || q > 55)) return UINT64_MAX;
    int upper = (int)(high >> 63);
    uint64_t m = high >> (upper + 9); /* 54 bits: one more than a double has */
    /* floor(log2(10^q)) + 63, then the bias and the normalisation. */
    int64_t e = ((217706 * q) >> 16) + 63 + upper - shift + 1023;
    if (e <= 0) { /* subnormal, or rounding up to the smallest normal number */
        if (e < -62) return 0;
        m >>= 1 - e;
        return (m + (m & 1)) >> 1;
    }
    /* Exactly half way is possible only here; then to the even side. */
    if (low <= 1 && q >= -4 && q <= 23 && (m & 3) == 1 && m << (upper + 9) == high) {
        m &= ~(uint64_t)1;
    }
    m = (m + (m & 1)) >> 1;
    if (m >> 53) {
        m >>= 1;
        e++;
    }
    if (e >= 2047) return 0x7ff0000000000000u;
    return (m & 0x000fffffffffffffu) | (uint64_t)e << 52;
}

static double from_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static const double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static double decimal_value(const decimal *d)
{
    if (!d->cut && d->digits <= (uint64_t)1 << 53 && d->exponent >= -22 &&
        d->exponent <= 22) {
        double v = (double)d->digits;
        return d->exponent < 0 ? v / exact_powers[-d->exponent]
                               : v * exact_powers[d->exponent];
    }
    uint64_t bits = product_bits(d->digits, d->exponent);
    /* With digits cut off the value lies between this one and the next. */
    if (d->cut && product_bits(d->digits + 1, d->exponent) != bits) bits = UINT64_MAX;
    if (bits == UINT64_MAX) bits = mli_decimal_exact(d->first, d->last, d->written);
    return from_bits(bits);
}

/* Does [text, end) equal this word in lower case? */
static int is_word(const char *text, const char *end, const char *word)
{
    for (; text < end && *word; text++, word++) {
        if ((*text | 32) != *word) return 0;
    }
    return text == end && !*word;
}

/* nan and the infinities. */
static int parse_special(const char *text, const char *end, double *out)
{
    int negative = 0;
    if (text < end && (*text == '-' || *text == '+')) negative = *text++ == '-';
    if (is_word(text, end, "nan")) {
        *out = NAN;
        return 1;
    }
    if (!is_word(text, end, "inf") && !is_word(text, end, "infinity")) return 0;
    *out = negative ? -INFINITY : INFINITY;
    return 1;
}

/* Anything that is not a plain number of at most 19 digits. */
static int parse_rest(const char *text, const char *end, double *out)
{
    decimal d;
    if (!split(text, end, &d)) return parse_special(text, end, out);
    double v = decimal_value(&d);
    *out = d.negative ? -v : v;
    return 1;
}

/* The value of digits that were not cut; 0 when that takes exact arithmetic. */
static inline int finish(uint64_t digits, int64_t exponent, int negative, double *out)
{
    double v = 0;
    if (digits <= (uint64_t)1 << 53 && exponent >= -22 && exponent <= 0) {
        v = (double)(int64_t)digits / exact_powers[-exponent];
    } else {
        uint64_t bits = product_bits(digits, exponent);
        if (bits == UINT64_MAX) return 0;
        v = from_bits(bits);
    }
    *out = negative ? -v : v;
    return 1;
}

int mli_parse_f64(const char *text, const char *end, double *out)
{
    const char *p = text, *first;
    uint64_t digits = 0;
    int64_t count, exponent = 0;
    int negative = p < end && *p == '-';
    first = p += negative;
    while (p < end && is_digit(*p)) digits = digits * 10 + (uint64_t)(*p++ - '0');
    count = p - first;
    if (p < end && *p == '.') {
        const char *point = ++p;
        p = take_last_digits(text, p, end, &digits);
        exponent = point - p;
        count += p - point;
    }
    if (p < end && (*p | 32) == 'e' && count > 0) {
        int64_t written = 0;
        p = take_exponent(p, end, &written);
        exponent += written;
    }
    if (p != end || count == 0 || count > 19) return parse_rest(text, end, out);
    return finish(digits, exponent, negative, out) || parse_rest(text, end, out);
}

int mli_parse_i64(const char *text, const char *end, int64_t *out)
{
    const char *p = text;
    int negative = 0;
    if (p < end && (*p == '-' || *p == '+')) negative = *p++ == '-';
    if (p == end || !is_digit(*p)) return 0;
    while (end - p > 1 && *p == '0') p++;
    if (end - p > 19) return 0;
    uint64_t v = 0;
    const char *last = take_last_digits(text, p, end, &v);
    if (last != end || v > (uint64_t)INT64_MAX + (uint64_t)negative) return 0;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return 1;
}

int mli_read_f64(const char *text, double *out)
{
    return mli_parse_f64(text, text + strlen(text), out);
}

int mli_read_i64(const char *text, int64_t *out)
{
    return mli_parse_i64(text, text + strlen(text), out);
}
