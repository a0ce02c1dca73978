/* SPDX-License-Identifier: MIT
 *
 * number_format.c: doubles to text, independent of the locale. The shortest text that
 * reads back as the same double, and of these the nearest, is found by the Schubfach
 * method (Giulietti, "The Schubfach way to render doubles", 2020) with the 128-bit powers
 * of ten that reading uses too.
 */
#include "core/number.h"
#include "core/text.h"
#include "core/wide.h"

#include <math.h>
#include <stdio.h>

/* The power of ten for writing: rounded up where it is not exact. */
static void power_up(int64_t q, uint64_t *high, uint64_t *low)
{
    const uint64_t *p = mli_pow10[q - MLI_POW10_LOW];
    *high = p[0];
    *low = p[1];
    if ((q >= 0 && q <= 55) || (q < 0 && q >= -27)) return;
    *low += 1;
    *high += *low == 0;
}

/* The top 64 bits of the 192-bit product, the last bit set when anything is cut off. */
static uint64_t round_to_odd(uint64_t high, uint64_t low, uint64_t c)
{
    uint64_t x1, y1;
    mli_mul128(low, c, &x1);
    uint64_t y0 = mli_mul128(high, c, &y1);
    y0 += x1;
    y1 += y0 < x1;
    return y1 | (y0 > 1);
}

/* The choice among neighbours in Schubfach: v, left and right bound, all times 4. */
static uint64_t choose(uint64_t v, uint64_t lower, uint64_t upper, int64_t *k)
{
    uint64_t s = v / 4, tens = s / 10;
    if (s >= 10) { /* one digit less? */
        int under = lower <= 40 * tens, over = 40 * tens + 40 <= upper;
        if (under != over) {
            *k += 1;
            return tens + (uint64_t)over;
        }
    }
    int under = lower <= 4 * s, over = 4 * s + 4 <= upper;
    if (under != over) return s + (uint64_t)over;
    uint64_t middle = 4 * s + 2;
    return s + (v > middle || (v == middle && (s & 1)));
}

/* Shortest digits of a positive finite double; value: result * 10^*exponent. */
static uint64_t shortest(uint64_t bits, int64_t *exponent)
{
    uint64_t fraction = bits & 0x000fffffffffffffu, c = fraction;
    int64_t biased = (int64_t)(bits >> 52), q = 1 - 1075;
    if (biased) {
        c |= (uint64_t)1 << 52;
        q = biased - 1075;
        if (q <= 0 && q > -53 && !(c & (((uint64_t)1 << -q) - 1))) { /* an integer */
            *exponent = 0;
            return c >> -q;
        }
    }
    int odd = (int)(c & 1), uneven = fraction == 0 && biased > 1;
    /* floor(log10(2^q)), of 3/4 of it when the lower neighbour is nearer. */
    int64_t k = (q * 1262611 - (uneven ? 524031 : 0)) >> 22;
    int64_t h = q + ((-k * 1741647) >> 19) + 1;
    uint64_t high, low;
    power_up(-k, &high, &low);
    uint64_t lower = round_to_odd(high, low, (4 * c - 2 + (uint64_t)uneven) << h);
    uint64_t v = round_to_odd(high, low, (4 * c) << h);
    uint64_t upper = round_to_odd(high, low, (4 * c + 2) << h);
    *exponent = k;
    return choose(v, lower + (uint64_t)odd, upper - (uint64_t)odd, exponent);
}

static int write_exponent(char *at, int64_t e)
{
    int n = 0;
    at[n++] = 'e';
    if (e < 0) at[n++] = '-';
    if (e < 0) e = -e;
    if (e >= 100) at[n++] = (char)('0' + e / 100);
    if (e >= 10) at[n++] = (char)('0' + e / 10 % 10);
    at[n++] = (char)('0' + e % 10);
    return n;
}

/* Lays out `n` digits whose first stands for 10^top: 1200, 12.5, 0.0012, 1.2e-7. */
static int lay_out(const char *digits, int n, int64_t top, char *out)
{
    char *at = out;
    if (top < -5 || top >= 16) {
        *at++ = digits[0];
        if (n > 1) *at++ = '.';
        memcpy(at, digits + 1, (size_t)n - 1);
        at += n - 1;
        return (int)(at + write_exponent(at, top) - out);
    }
    if (top < 0) {
        *at++ = '0';
        *at++ = '.';
        for (int64_t i = top + 1; i < 0; i++) *at++ = '0';
    }
    int whole = top < 0       ? 0
                : top + 1 < n ? (int)top + 1
                              : n; /* digits before the point */
    memcpy(at, digits, (size_t)whole);
    at += whole;
    if (whole > 0 && whole < n) *at++ = '.';
    memcpy(at, digits + whole, (size_t)(n - whole));
    at += n - whole;
    for (int64_t i = n; i <= top; i++) *at++ = '0';
    return (int)(at - out);
}

/* nan, inf, 0: their texts; 0 for other values. */
static int format_special(double v, char *out)
{
    const char *text = isnan(v) ? "nan" : isinf(v) ? "inf" : v == 0 ? "0" : NULL;
    if (!text) return 0;
    int n = 0;
    if (signbit(v) && !isnan(v)) out[n++] = '-';
    while (*text) out[n++] = *text++;
    out[n] = 0;
    return n;
}

/* The digits of v, in front of `end`; returns their begin. Two at a time, and by 32-bit
 * arithmetic as far as possible. */
static char *write_digits(uint64_t v, char *end)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    while (v >= 100000000) {
        uint32_t low = (uint32_t)(v % 100000000);
        v /= 100000000;
        for (int i = 0; i < 4; i++) {
            end -= 2;
            memcpy(end, pairs + 2 * (low % 100), 2);
            low /= 100;
        }
    }
    uint32_t rest = (uint32_t)v;
    for (; rest >= 100; rest /= 100) {
        end -= 2;
        memcpy(end, pairs + 2 * (rest % 100), 2);
    }
    if (rest >= 10) {
        end -= 2;
        memcpy(end, pairs + 2 * rest, 2);
    } else {
        *--end = (char)('0' + rest);
    }
    return end;
}

int mli_format_f64(double v, char buffer[MLI_NUM_SIZE])
{
    int n = format_special(v, buffer);
    if (n) return n;
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    int64_t exponent;
    uint64_t value = shortest(bits & INT64_MAX, &exponent);
    char digits[20], *end = digits + sizeof digits, *at = write_digits(value, end);
    int64_t top = exponent + (end - at) - 1;
    while (end - at > 1 && end[-1] == '0') end--;
    if (v < 0) buffer[n++] = '-';
    n += lay_out(at, (int)(end - at), top, buffer + n);
    buffer[n] = 0;
    return n;
}

const char *mli_num(double v, char buffer[MLI_NUM_SIZE])
{
    mli_format_f64(v, buffer);
    return buffer;
}

void mli_str_short(mli_str *s, double v, int digits)
{
    char buffer[64], kept[20];
    int n = format_special(v, buffer);
    if (n) {
        mli_str_add_n(s, buffer, (size_t)n);
        return;
    }
    if (digits < 1) digits = 1;
    if (digits > 17) digits = 17;
    /* The C library rounds exactly; whatever its decimal point is, it is skipped. */
    snprintf(buffer, sizeof buffer, "%.*e", digits - 1, fabs(v));
    const char *at = buffer;
    for (n = 0; *at && *at != 'e'; at++) {
        if (*at >= '0' && *at <= '9' && n < digits) kept[n++] = *at;
    }
    int64_t top = 0;
    if (*at == 'e') mli_read_i64(at + 1, &top);
    while (n > 1 && kept[n - 1] == '0') n--;
    if (v < 0) mli_str_char(s, '-');
    mli_str_add_n(s, buffer, (size_t)lay_out(kept, n, top, buffer));
}
