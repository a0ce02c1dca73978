/* SPDX-License-Identifier: MIT
 *
 * data/datetime.c: dates and times in ISO 8601, in the proleptic Gregorian calendar and
 * UTC. Day counts follow Hinnant, "chrono-compatible low-level date algorithms": years
 * start in March, so that the leap day is the last one.
 */
#include "data/table.h"

static int64_t days_from_civil(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400; /* 0..399 */
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097; /* 0..146096 */
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2);
}

/* Writes `width` digits, with zeros in front. */
static char *put_digits(char *at, int64_t value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + width;
}

/* Years outside 0..9999 get a sign and at least five digits, as ISO 8601 extends them. */
static char *put_date(char *at, int64_t days)
{
    int64_t year;
    int month, day, width = 4;
    civil_from_days(days, &year, &month, &day);
    int64_t size = year < 0 ? -year : year;
    if (year < 0 || year > 9999) {
        *at++ = year < 0 ? '-' : '+';
        width = 5;
        for (int64_t rest = size / 100000; rest > 0; rest /= 10) width++;
    }
    at = put_digits(at, size, width);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    return put_digits(at, day, 2);
}

void mli_print_date(mli_str *s, int64_t days)
{
    char text[32];
    mli_str_add_n(s, text, (size_t)(put_date(text, days) - text));
}

void mli_print_timestamp(mli_str *s, int64_t micros)
{
    char text[64], *at;
    int64_t days = micros / MLI_DAY_MICROS, rest = micros % MLI_DAY_MICROS;
    if (rest < 0) {
        rest += MLI_DAY_MICROS;
        days--;
    }
    at = put_date(text, days);
    *at++ = 'T';
    at = put_digits(at, rest / 3600000000, 2);
    *at++ = ':';
    at = put_digits(at, rest / 60000000 % 60, 2);
    *at++ = ':';
    at = put_digits(at, rest / 1000000 % 60, 2);
    int64_t fraction = rest % 1000000;
    if (fraction) {
        *at++ = '.';
        at = put_digits(at, fraction, 6);
        while (at[-1] == '0') at--;
    }
    *at++ = 'Z';
    mli_str_add_n(s, text, (size_t)(at - text));
}

/* ---- reading ---- */

typedef struct {
    const char *at, *end;
} cursor;

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads exactly `n` digits. */
static int take_digits(cursor *c, int n, int64_t *out)
{
    if (c->end - c->at < n) return 0;
    int64_t value = 0;
    for (int i = 0; i < n; i++) {
        if (!is_digit(c->at[i])) return 0;
        value = value * 10 + (c->at[i] - '0');
    }
    c->at += n;
    *out = value;
    return 1;
}

static int take_char(cursor *c, char wanted)
{
    if (c->at == c->end || *c->at != wanted) return 0;
    c->at++;
    return 1;
}

static int days_of_month(int64_t year, int64_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* Four digits, or a sign and five to seven digits. */
static int take_year(cursor *c, int64_t *year)
{
    int sign = 0, n = 0;
    if (take_char(c, '-'))
        sign = -1;
    else if (take_char(c, '+'))
        sign = 1;
    if (!sign) return take_digits(c, 4, year);
    while (c->at + n < c->end && is_digit(c->at[n])) n++;
    if (n < 5 || n > 7 || !take_digits(c, n, year)) return 0;
    *year *= sign;
    return 1;
}

int mli_date_days(int64_t year, int64_t month, int64_t day, int64_t *days)
{
    if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month)) return 0;
    *days = days_from_civil(year, (int)month, (int)day);
    return 1;
}

static int take_date(cursor *c, int64_t *days)
{
    int64_t year, month, day;
    if (!take_year(c, &year) || !take_char(c, '-') || !take_digits(c, 2, &month) ||
        !take_char(c, '-') || !take_digits(c, 2, &day)) {
        return 0;
    }
    return mli_date_days(year, month, day, days);
}

/* Up to nine digits after the point; those beyond microseconds are dropped. */
static int take_fraction(cursor *c, int64_t *micros)
{
    int n = 0;
    int64_t value = 0;
    for (; c->at < c->end && is_digit(*c->at); c->at++, n++) {
        if (n < 6) value = value * 10 + (*c->at - '0');
    }
    for (int i = n; i < 6; i++) value *= 10;
    *micros = value;
    return n >= 1 && n <= 9;
}

static int take_time(cursor *c, int64_t *micros)
{
    int64_t hour, minute, second = 0, fraction = 0;
    if (!take_digits(c, 2, &hour) || !take_char(c, ':') || !take_digits(c, 2, &minute)) {
        return 0;
    }
    if (take_char(c, ':')) {
        if (!take_digits(c, 2, &second)) return 0;
        if (take_char(c, '.') && !take_fraction(c, &fraction)) return 0;
    }
    if (hour > 23 || minute > 59 || second > 59) return 0;
    *micros = ((hour * 60 + minute) * 60 + second) * 1000000 + fraction;
    return 1;
}

/* Nothing, Z, or the distance from UTC: +HH, +HHMM or +HH:MM. */
static int take_zone(cursor *c, int64_t *micros)
{
    int64_t hours, minutes = 0;
    *micros = 0;
    if (c->at == c->end || take_char(c, 'Z') || take_char(c, 'z')) return 1;
    int sign = take_char(c, '+') ? 1 : take_char(c, '-') ? -1 : 0;
    if (!sign || !take_digits(c, 2, &hours)) return 0;
    int colon = take_char(c, ':');
    if ((colon || c->at < c->end) && !take_digits(c, 2, &minutes)) return 0;
    if (hours > 23 || minutes > 59) return 0;
    *micros = sign * (hours * 60 + minutes) * 60000000;
    return 1;
}

int mli_parse_date(const char *text, size_t size, int32_t *days)
{
    cursor c = {text, text + size};
    int64_t value;
    if (!take_date(&c, &value) || c.at != c.end) return 0;
    if (value < INT32_MIN || value > INT32_MAX) return 0;
    *days = (int32_t)value;
    return 1;
}

int mli_parse_timestamp(const char *text, size_t size, int64_t *micros)
{
    cursor c = {text, text + size};
    int64_t days, time, zone, total;
    if (!take_date(&c, &days)) return 0;
    if (!take_char(&c, 'T') && !take_char(&c, ' ') && !take_char(&c, 't')) return 0;
    if (!take_time(&c, &time) || !take_zone(&c, &zone) || c.at != c.end) return 0;
    /* One day is lent to the time, so that the product does not overflow too early. */
    int64_t lent = days < 0 ? 1 : 0;
    if (__builtin_mul_overflow(days + lent, MLI_DAY_MICROS, &total) ||
        __builtin_add_overflow(total, time - zone - lent * MLI_DAY_MICROS, &total)) {
        return 0;
    }
    *micros = total;
    return 1;
}
