/* SPDX-License-Identifier: MIT
 *
 * Dates and times: known days, round trips over long ranges, and what is refused.
 */
#include "data/table.h"
#include "testing.h"

static const char *date_text(int64_t days)
{
    static char text[64];
    mli_str s;
    mli_str_init(&s, NULL);
    mli_print_date(&s, days);
    snprintf(text, sizeof text, "%s", s.data);
    mli_str_free(&s);
    return text;
}

static const char *time_text(int64_t micros)
{
    static char text[64];
    mli_str s;
    mli_str_init(&s, NULL);
    mli_print_timestamp(&s, micros);
    snprintf(text, sizeof text, "%s", s.data);
    mli_str_free(&s);
    return text;
}

static int date_of(const char *text, int32_t *days)
{
    return mli_parse_date(text, strlen(text), days);
}

static int time_of(const char *text, int64_t *micros)
{
    return mli_parse_timestamp(text, strlen(text), micros);
}

START_TEST(known_dates)
{
    static const struct {
        int32_t days;
        const char *text;
    } cases[] = {
        {0, "1970-01-01"},
        {-1, "1969-12-31"},
        {11016, "2000-02-29"},
        {11017, "2000-03-01"},
        {-25509, "1900-02-28"},
        {-25508, "1900-03-01"},
        {19782, "2024-02-29"},
        {-719528, "0000-01-01"},
        {-719162, "0001-01-01"},
        {2932896, "9999-12-31"},
        {2932897, "+10000-01-01"},
        {-719529, "-00001-12-31"},
        {-141427, "1582-10-15"},
        {INT32_MAX, "+5881580-07-11"},
        {INT32_MIN, "-5877641-06-23"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int32_t days = 0;
        ck_assert_str_eq(date_text(cases[i].days), cases[i].text);
        ck_assert_msg(date_of(cases[i].text, &days), "%s", cases[i].text);
        ck_assert_int_eq(days, cases[i].days);
    }
}
END_TEST

/* Every day of 800 years follows the day before it by the rules of the calendar. */
START_TEST(every_day)
{
    int year = 1600, month = 1, day = 1;
    int32_t first = 0;
    ck_assert(date_of("1600-01-01", &first));
    for (int32_t n = first; year < 2400; n++) {
        static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        char text[32];
        int32_t days;
        snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, day);
        ck_assert(date_of(text, &days));
        if (days != n || strcmp(date_text(n), text) != 0) ck_abort_msg("%s", text);
        int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (++day > lengths[month - 1] + (month == 2 && leap)) {
            day = 1;
            if (++month > 12) {
                month = 1;
                year++;
            }
        }
    }
}
END_TEST

START_TEST(bad_dates)
{
    static const char *const bad[] = {
        "",
        "1970",
        "1970-01",
        "1970-1-1",
        "1970-01-1",
        "1970-00-01",
        "1970-13-01",
        "1970-01-00",
        "1970-01-32",
        "1970-02-29",
        "1900-02-29",
        "2001-04-31",
        "1970/01/01",
        "01-01-1970",
        "1970-01-01 ",
        " 1970-01-01",
        "1970-01-01T",
        "19700101",
        "+1970-01-01",
        "-1970-01-01",
        "1970-01-0a",
        "-0001-01-01",
        "+5881580-07-12",
        "-5877641-06-22",
        "+99999999-01-01",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int32_t days = 77;
        ck_assert_msg(!date_of(bad[i], &days), "%s", bad[i]);
        ck_assert_int_eq(days, 77);
    }
}
END_TEST

START_TEST(known_times)
{
    static const struct {
        const char *in;
        int64_t micros;
        const char *out; /* NULL: as in */
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, NULL},
        {"1970-01-01 00:00", 0, "1970-01-01T00:00:00Z"},
        {"1969-12-31T23:59:59.999999Z", -1, NULL},
        {"1970-01-01T00:00:00.5Z", 500000, NULL},
        {"1970-01-01T00:00:00.000001Z", 1, NULL},
        {"1970-01-01T00:00:00.1234567Z", 123456, "1970-01-01T00:00:00.123456Z"},
        {"1970-01-01T00:00:00.123456789", 123456, "1970-01-01T00:00:00.123456Z"},
        {"1970-01-01t00:00:01z", 1000000, "1970-01-01T00:00:01Z"},
        {"1970-01-01T01:00+01:00", 0, "1970-01-01T00:00:00Z"},
        {"1970-01-01T00:00:00-0130", 5400000000, "1970-01-01T01:30:00Z"},
        {"1970-01-01 00:00:00+00", 0, "1970-01-01T00:00:00Z"},
        {"2001-09-09T01:46:40Z", 1000000000000000, NULL},
        {"2038-01-19T03:14:08Z", 2147483648000000, NULL},
        {"0000-01-01T00:00:00Z", -62167219200000000, NULL},
        {"+294247-01-10T04:00:54.775807Z", INT64_MAX, NULL},
        {"-290308-12-21T19:59:05.224192Z", INT64_MIN, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t micros = 77;
        const char *out = cases[i].out ? cases[i].out : cases[i].in;
        ck_assert_msg(time_of(cases[i].in, &micros), "%s", cases[i].in);
        ck_assert_int_eq(micros, cases[i].micros);
        ck_assert_str_eq(time_text(micros), out);
    }
}
END_TEST

START_TEST(times_round_trip)
{
    uint64_t state = 42;
    for (int i = 0; i < 200000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        int64_t micros = (int64_t)state, back = 0;
        ck_assert(time_of(time_text(micros), &back));
        ck_assert_int_eq(back, micros);
    }
}
END_TEST

START_TEST(bad_times)
{
    static const char *const bad[] = {
        "",
        "1970-01-01",
        "1970-01-01T",
        "1970-01-01T00",
        "1970-01-01T0:00",
        "1970-01-01T24:00",
        "1970-01-01T00:60",
        "1970-01-01T00:00:60",
        "1970-01-01T00:00:0",
        "1970-01-01T00:00:00.",
        "1970-01-01T00:00:00.1234567890",
        "1970-01-01T00:00:00,5",
        "1970-01-01T00:00:00 Z",
        "1970-01-01T00:00:00ZZ",
        "1970-01-01T00:00:00+1",
        "1970-01-01T00:00:00+01:",
        "1970-01-01T00:00:00+01:0",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00+01:60",
        "1970-01-01  00:00",
        "1970-01-01T00.00",
        "+294247-01-10T04:00:54.775808Z",
        "-290308-12-21T19:59:05.224191Z",
        "+5881580-07-11T00:00Z",
        "1970-02-30T00:00",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t micros = 77;
        ck_assert_msg(!time_of(bad[i], &micros), "%s", bad[i]);
        ck_assert_int_eq(micros, 77);
    }
}
END_TEST

/* As people write them. */
START_TEST(other_orders)
{
    static const struct {
        const char *text, *month_first, *day_first; /* NULL: none */
    } cases[] = {
        {"3/4/2024", "2024-03-04", "2024-04-03"},
        {"12/31/2024", "2024-12-31", NULL},
        {"31.12.2024", NULL, "2024-12-31"},
        {"31-12-2024", NULL, "2024-12-31"},
        {"2024/2/29", "2024-02-29", "2024-02-29"},
        {"2/29/2023", NULL, NULL},
        {"1/31/00", "2000-01-31", NULL},
        {"1/31/69", "1969-01-31", NULL},
        {"31-Jan-24", "2024-01-31", "2024-01-31"},
        {"January 31, 2024", "2024-01-31", "2024-01-31"},
        {"31 JANUARY 2024", "2024-01-31", "2024-01-31"},
        {"Sep. 5, 2019", "2019-09-05", "2019-09-05"},
        {"12/31/2024 11:40:05 PM", "2024-12-31T23:40:05Z", NULL},
        {"12/31/2024 12:00:00 am", "2024-12-31T00:00:00Z", NULL},
        {"12/31/2024, 8:30", "2024-12-31T08:30:00Z", NULL},
        {"2024/12/31 08:30:01.25", "2024-12-31T08:30:01.25Z", "2024-12-31T08:30:01.25Z"},
        {"12/31/2024 13:00 PM", NULL, NULL},
        {"12/31/2024 24:00", NULL, NULL},
        {"12/31/2024 8", NULL, NULL},
        {"12/31/2024 8:30:00.", NULL, NULL},
        {"12/31/2024x", NULL, NULL},
        {"12/31-2024", NULL, NULL},
        {"1.10.15", NULL, NULL},  /* a version */
        {"12-31-24", NULL, NULL}, /* a score */
        {"1 2 2024", NULL, NULL},
        {"1/2/203", NULL, NULL},
        {"123/1/2024", NULL, NULL},
        {"Januar 31, 2024", NULL, NULL},
        {"Jan 32, 2024", NULL, NULL},
        {"May 2024", NULL, NULL},
        {"1/2/", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int day = 0; day < 2; day++) {
            const char *wanted = day ? cases[i].day_first : cases[i].month_first;
            int64_t micros = 0;
            int found =
                mli_parse_ordered(cases[i].text, strlen(cases[i].text), day, &micros);
            const char *got = found == 0   ? "none"
                              : found == 2 ? time_text(micros)
                                           : date_text(micros / MLI_DAY_MICROS);
            ck_assert_msg(strcmp(got, wanted ? wanted : "none") == 0, "%s, %d: %s",
                          cases[i].text, day, got);
        }
    }
}
END_TEST

TEST_MAIN("data/datetime", other_orders, known_dates, every_day, bad_dates, known_times,
          times_round_trip, bad_times)
