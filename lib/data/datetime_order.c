/* SPDX-License-Identifier: MIT
 *
 * data/datetime_order.c: dates as people write them: 31/1/2024, 1/31/2024, 31.01.2024,
 * 2024/1/31, 31-Jan-2024, January 31, 2024, with a time such as 8:30 or 8:30:00 PM behind
 * them if wanted. Years of two digits are taken between slashes or with the name of the
 * month, as POSIX does: from 1969 to 2068.
 */
#include "data/table.h"

#include <string.h>

typedef struct {
    const char *at, *end;
} cursor;

static int is_letter(char c)
{
    return (unsigned char)((c | 32) - 'a') < 26;
}

/* Up to `most` digits: how many there are. */
static int take_number(cursor *c, int most, int64_t *out)
{
    int n = 0;
    *out = 0;
    for (; n < most && c->at < c->end && *c->at >= '0' && *c->at <= '9'; n++)
        *out = *out * 10 + (*c->at++ - '0');
    return n;
}

/* One of the marks, or the end: 0. */
static char take_mark(cursor *c, const char *marks)
{
    return c->at < c->end && *c->at && strchr(marks, *c->at) ? *c->at++ : 0;
}

/* 1 to 12 of the English name of a month or its first three letters; else 0. */
static int64_t take_month(cursor *c)
{
    static const char names[] = "january  february march    april    may      june     "
                                "july     august   septemberoctober  november december ";
    size_t n = 0;
    while (c->at + n < c->end && is_letter(c->at[n])) n++;
    for (int64_t m = 0; n >= 3 && n <= 9 && m < 12; m++) {
        const char *name = names + 9 * m;
        size_t same = 0;
        while (same < n && (c->at[same] | 32) == name[same]) same++;
        if (same < n || (n > 3 && n < 9 && name[n] != ' ')) continue;
        c->at += n;
        return m + 1;
    }
    return 0;
}

/* Three parts. *named: which is the name of a month, or -1. */
static int take_parts(cursor *c, int64_t part[3], int digits[3], int *named, char *mark)
{
    *named = -1;
    *mark = 0;
    for (int i = 0; i < 3; i++) {
        if (i < 2 && *named < 0 && c->at < c->end && is_letter(*c->at)) {
            *named = i;
            digits[i] = 2;
            if (!(part[i] = take_month(c))) return 0;
        } else if (!(digits[i] = take_number(c, i == 1 ? 2 : 4, &part[i]))) {
            return 0;
        }
        if (i == 2) break;
        char m = take_mark(c, "/.- ,");
        if (!m || (i && *named < 0 && m != *mark)) return 0;
        if ((m == ',' || m == '.') && (*named >= 0)) take_mark(c, " ");
        *mark = m;
    }
    return *named >= 0 || (*mark != ' ' && *mark != ',');
}

/* Hours, minutes, maybe seconds and AM or PM, up to the end. */
static int take_clock(cursor *c, int64_t *micros)
{
    int64_t hour, minute, second = 0, fraction = 0, unused;
    if (!take_number(c, 2, &hour) || !take_mark(c, ":") ||
        take_number(c, 2, &minute) != 2)
        return 0;
    if (take_mark(c, ":") && take_number(c, 2, &second) != 2) return 0;
    if (take_mark(c, ".")) {
        int n = take_number(c, 6, &fraction);
        if (n == 0) return 0;
        for (; n < 6; n++) fraction *= 10;
        take_number(c, 3, &unused); /* below microseconds */
    }
    take_mark(c, " ");
    char half = take_mark(c, "aApP");
    if (half && (!take_mark(c, "mM") || hour < 1 || hour > 12)) return 0;
    if (half) hour = hour % 12 + ((half | 32) == 'p' ? 12 : 0);
    *micros = ((hour * 60 + minute) * 60 + second) * 1000000 + fraction;
    return c->at == c->end && hour < 24 && minute < 60 && second < 60;
}

int mli_parse_ordered(const char *text, size_t size, int day_first, int64_t *micros)
{
    cursor c = {text, text + size};
    int64_t part[3], days, clock = 0;
    int digits[3], named;
    char mark;
    if (size < 6 || !take_parts(&c, part, digits, &named, &mark)) return 0;
    int first = digits[0] == 4;
    int64_t year = part[first ? 0 : 2];
    int year_digits = digits[first ? 0 : 2];
    int64_t month = named >= 0 ? part[named] : part[first || day_first ? 1 : 0];
    int64_t day = first        ? part[2]
                  : named >= 0 ? part[1 - named]
                               : part[day_first ? 0 : 1];
    if (digits[0] == 3 || (first && (named == 0 || digits[2] > 2))) return 0;
    if (year_digits == 2 && (mark == '/' || named >= 0))
        year += year < 69 ? 2000 : 1900;
    else if (year_digits != 4 || year < 1000) /* 10-12-0034 is the number of a thing */
        return 0;
    if (!mli_date_days(year, month, day, &days)) return 0;
    int timed = c.at < c.end;
    if (timed) {
        take_mark(&c, ",");
        if (!take_mark(&c, " T") || !take_clock(&c, &clock)) return 0;
    }
    *micros = days * MLI_DAY_MICROS + clock;
    return 1 + timed;
}
