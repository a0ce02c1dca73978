/* SPDX-License-Identifier: MIT
 *
 * number_exact.c: decimal text to a double by exact integer arithmetic, for the rare
 * inputs that quicker ways leave open. The value is a fraction n / d of large integers;
 * 64 bits of the quotient and the question whether a rest remains decide the rounding.
 */
#include "core/number.h"

#include <string.h>

/* More digits than a halfway point between doubles can have (767): those beyond only say
 * whether there is a rest. */
#define DIGITS_MAX 780
/* Bits: 780 digits (2592), 10^1130 (3754), and shifts of at most that size. */
#define LIMBS 256

typedef struct big {
    int n; /* limbs in use */
    uint32_t limb[LIMBS];
} big;

static void big_times_plus(big *b, uint32_t factor, uint32_t plus)
{
    uint64_t carry = plus;
    for (int i = 0; i < b->n; i++) {
        carry += (uint64_t)b->limb[i] * factor;
        b->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry && b->n < LIMBS) b->limb[b->n++] = (uint32_t)carry;
}

static void big_times_pow10(big *b, int64_t power)
{
    for (; power >= 9; power -= 9) big_times_plus(b, 1000000000, 0);
    for (; power > 0; power--) big_times_plus(b, 10, 0);
}

static int64_t big_bits(const big *b)
{
    if (b->n == 0) return 0;
    int64_t bits = (int64_t)(b->n - 1) * 32;
    for (uint32_t top = b->limb[b->n - 1]; top; top >>= 1) bits++;
    return bits;
}

static void big_shift(big *b, int64_t bits)
{
    int limbs = (int)(bits / 32), rest = (int)(bits % 32);
    if (b->n == 0 || bits == 0) return;
    memmove(b->limb + limbs, b->limb, (size_t)b->n * sizeof *b->limb);
    memset(b->limb, 0, (size_t)limbs * sizeof *b->limb);
    b->n += limbs;
    if (rest) big_times_plus(b, (uint32_t)1 << rest, 0);
}

/* The sign of a - b. */
static int big_compare(const big *a, const big *b)
{
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    for (int i = a->n - 1; i >= 0; i--) {
        if (a->limb[i] != b->limb[i]) return a->limb[i] < b->limb[i] ? -1 : 1;
    }
    return 0;
}

/* a -= b, where a >= b. */
static void big_subtract(big *a, const big *b)
{
    uint64_t borrow = 0;
    for (int i = 0; i < a->n; i++) {
        uint64_t take = borrow + (i < b->n ? b->limb[i] : 0);
        borrow = a->limb[i] < take;
        a->limb[i] = (uint32_t)(a->limb[i] - take);
    }
    while (a->n > 0 && a->limb[a->n - 1] == 0) a->n--;
}

/* Digits into b; returns the power of ten to multiply by. */
static int64_t read_digits(const char *p, const char *end, big *b)
{
    int64_t power = 0;
    int kept = 0, after = 0, rest = 0;
    b->n = 0;
    for (; p < end; p++) {
        if (*p == '.') {
            after = 1;
        } else if (kept < DIGITS_MAX) {
            big_times_plus(b, 10, (uint32_t)(*p - '0'));
            kept += b->n > 0;
            power -= after;
        } else {
            rest |= *p != '0';
            power += !after;
        }
    }
    if (rest) { /* any digit that is not 0 stands for all that follow */
        big_times_plus(b, 10, 1);
        power--;
    }
    return power;
}

/* The first 64 bits of n / d, where 1/2 < n / d < 2 times 2^63: bit by bit. Leaves the
 * rest in n, shifted. */
static uint64_t divide(big *n, const big *d)
{
    uint64_t q = 0;
    for (int i = 0; i < 64; i++) {
        q <<= 1;
        if (big_compare(n, d) >= 0) {
            big_subtract(n, d);
            q |= 1;
        }
        big_times_plus(n, 2, 0);
    }
    return q;
}

/* Rounds q * 2^e (q with its top bit set, `rest` when more follows) to a double. */
static uint64_t round_bits(uint64_t q, int64_t e, int rest)
{
    int64_t biased = e + 63 + 1023;
    int drop = 11;
    if (biased >= 2047) return 0x7ff0000000000000u;
    if (biased <= 0) {              /* subnormal: fewer bits */
        if (biased < -52) return 0; /* less than half of the smallest */
        drop += (int)(1 - biased);
        biased = 0;
    }
    uint64_t m = drop < 64 ? q >> drop : 0;
    uint64_t low = drop < 64 ? q & (((uint64_t)1 << drop) - 1) : q;
    uint64_t half = (uint64_t)1 << (drop - 1);
    if (low > half || (low == half && (rest || (m & 1)))) m++;
    /* A carry out of the mantissa raises the exponent by itself. */
    if (biased > 0) m += (uint64_t)(biased - 1) << 52;
    return m;
}

uint64_t mli_decimal_exact(const char *digits, const char *end, int64_t exponent)
{
    big n, d = {1, {1}};
    int64_t power = read_digits(digits, end, &n) + exponent;
    if (n.n == 0) return 0;
    int64_t decimals = big_bits(&n) * 30103 / 100000; /* digits of n, about */
    if (power + decimals > 310) return 0x7ff0000000000000u;
    if (power + decimals < -326) return 0;
    if (power > 0) {
        big_times_pow10(&n, power);
    } else {
        big_times_pow10(&d, -power);
    }
    /* Scale so that 1 <= n / d < 2. */
    int64_t shift = big_bits(&d) - big_bits(&n);
    big_shift(shift > 0 ? &n : &d, shift > 0 ? shift : -shift);
    if (big_compare(&n, &d) < 0) {
        big_times_plus(&n, 2, 0);
        shift++;
    }
    uint64_t q = divide(&n, &d);
    return round_bits(q, -shift - 63, n.n > 0);
}
