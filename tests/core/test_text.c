/* SPDX-License-Identifier: MIT
 *
 * Growing strings, exact numbers as text, nearest names, UTF-8.
 */
#include "comma_locale.h"
#include "failing.h"

#include "core/memory.h"
#include "core/number.h"
#include "core/text.h"

#include <float.h>

static uint64_t seed = 88172645463325252u;
static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x9e3779b97f4a7c15u;
}

static double of_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* For loops: check notes down every assertion that holds, which is slow. */
#define NEED(condition, ...)                                                             \
    do {                                                                                 \
        if (!(condition)) ck_abort_msg(__VA_ARGS__);                                     \
    } while (0)

/* Both ways to read agree with the C library, which is exact too. */
static void check_reading(const char *text)
{
    double mine = -1, theirs = strtod(text, NULL);
    NEED(mli_read_f64(text, &mine) == 1, "%s is not read", text);
    NEED(bits_of(mine) == bits_of(theirs), "%s: %a instead of %a", text, mine, theirs);
    const char *digits = text + (*text == '-' || *text == '+'), *end = digits;
    while (*end && strchr("0123456789.", *end)) end++;
    int64_t exponent = *end ? strtoll(end + 1, NULL, 10) : 0;
    double exact = of_bits(mli_decimal_exact(digits, end, exponent));
    NEED(exact == fabs(theirs), "%s: exactly %a instead of %a", text, exact, theirs);
}

START_TEST(reads_known_numbers)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "0.0",
        "1",
        "-1",
        "+7",
        "123456789",
        "0.1",
        ".5",
        "5.",
        "00012.500",
        "1e0",
        "1E5",
        "1e+5",
        "1e-5",
        "9007199254740993",
        "9007199254740992.5",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999",
        "2.2250738585072014e-308",
        "2.2250738585072011e-308",
        "2.2250738585072012e-308",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "1e308",
        "1e309",
        "1e-323",
        "1e-324",
        "1e-400",
        "1e400",
        "0e999999999999",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "6.02214076e23",
        "8.98846567431158e307",
        "179769313486231580793e289",
        "3.14159265358979323846",
        "1000000000000000000000000000000000000000000000000e-48",
        "0.00000000000000000000001",
        "1090544144181609348671888949248",
        "1090544144181609348835077142190",
        "100000000000000016777215",
        "100000000000000016777216",
        "7.3177701707893310e+15",
        "9214843084008499",
        "0.500000000000000166533453693773481063544750213623046875",
        "3.518437208883201171875e13",
        "62.5364939768271845828",
        "8.10109172351e-10",
        "1.50000000000000011102230246251565",
        "6250000000000000000000000000e-28"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) check_reading(texts[i]);
}
END_TEST

START_TEST(reads_random_numbers)
{
    char text[1200];
    for (int i = 0; i < 200000; i++) {
        double v = of_bits(next_random());
        if (v - v != 0) continue;
        snprintf(text, sizeof text, "%.*e", (int)(next_random() % 25), v);
        check_reading(text);
        snprintf(text, sizeof text, "%llue%d",
                 (unsigned long long)(next_random() >> (next_random() % 64)),
                 (int)(next_random() % 700) - 370);
        check_reading(text);
        snprintf(text, sizeof text, "%llu.%0*llu",
                 (unsigned long long)(next_random() % 1000000),
                 (int)(next_random() % 12) + 1,
                 (unsigned long long)(next_random() % 1000));
        check_reading(text);
        if (i % 200) continue;
        snprintf(text, sizeof text, "%.*e", (int)(next_random() % 800), v);
        check_reading(text);
    }
}
END_TEST

/* The exact middle between neighbours, and texts a little off it. */
START_TEST(reads_halfway_cases)
{
#if LDBL_MANT_DIG < 64
    SKIP("long double has no bit more than double");
#else
    char text[1200], exponent[16];
    for (int i = 0; i < 3000; i++) {
        uint64_t bits = next_random() & INT64_MAX;
        if (i % 4 == 0) bits &= ((uint64_t)1 << 53) - 1; /* subnormal, or nearly */
        double low = of_bits(bits), high = of_bits(bits + 1);
        if (high - high != 0) continue;
        snprintf(text, sizeof text, "%.1100Le",
                 ((long double)low + (long double)high) / 2);
        char *end = strchr(text, 'e');
        snprintf(exponent, sizeof exponent, "%s", end);
        while (end[-1] == '0') end--;
        strcpy(end, exponent);
        check_reading(text);
        ck_assert_msg(strtod(text, NULL) == (bits & 1 ? high : low), "not the even one");
        sprintf(end, "00000000000000000000000000001%s", exponent);
        check_reading(text);
        end[-1]--;
        sprintf(end, "9999999999999999999999999999%s", exponent);
        check_reading(text);
    }
#endif
}
END_TEST

START_TEST(reads_huge_digit_strings)
{
    size_t size = 1000000;
    char *text = malloc(size + 32);
    double v;
    memset(text, '0', size);
    strcpy(text + size, "5e-1");
    ck_assert_int_eq(mli_read_f64(text, &v), 1);
    ck_assert(v == 0.5);
    memset(text, '9', size);
    snprintf(text + size, 32, "e-%zu", size);
    ck_assert_int_eq(mli_read_f64(text, &v), 1);
    ck_assert(v == 1.0);
    memset(text, '0', size);
    text[0] = '.';
    snprintf(text + size, 32, "25e%zu", size);
    ck_assert_int_eq(mli_read_f64(text, &v), 1);
    ck_assert(v == 2.5);
    free(text);
}
END_TEST

START_TEST(reads_special_words)
{
    static const char *const nans[] = {"nan", "NaN", "NAN", "-nan"};
    static const char *const infinities[] = {"inf", "Inf", "+inf", "Infinity",
                                             "INFINITY"};
    double v;
    for (size_t i = 0; i < sizeof nans / sizeof *nans; i++) {
        ck_assert_int_eq(mli_read_f64(nans[i], &v), 1);
        ck_assert(isnan(v));
    }
    for (size_t i = 0; i < sizeof infinities / sizeof *infinities; i++) {
        ck_assert_int_eq(mli_read_f64(infinities[i], &v), 1);
        ck_assert(v == INFINITY);
    }
    ck_assert_int_eq(mli_read_f64("-inf", &v), 1);
    ck_assert(v == -INFINITY);
}
END_TEST

START_TEST(refuses_what_is_no_number)
{
    static const char *const texts[] = {
        "",         " ",     "-",    "+",       ".",         "-.",        "e5",
        ".e5",      "1e",    "1e+",  "1e-",     "1 ",        " 1",        "1,5",
        "0x10",     "1_000", "--1",  "+-1",     "1.2.3",     "1e5.5",     "1e5e5",
        "in",       "infi",  "nano", "infinit", "infinityy", "12345678a", "1234567:",
        "/2345678", "1\n",   "na",   "1d5"};
    double v = 42;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_msg(mli_read_f64(texts[i], &v) == 0, "\"%s\" is read", texts[i]);
    }
    ck_assert(v == 42);
    static const char nul[] = "1\0002", longer[] = "1234";
    ck_assert_int_eq(mli_parse_f64(nul, &nul[3], &v), 0);
    ck_assert_int_eq(mli_parse_f64(longer, &longer[2], &v), 1);
    ck_assert(v == 12);
}
END_TEST

START_TEST(reads_integers)
{
    int64_t v;
    ck_assert(mli_read_i64("0", &v) && v == 0);
    ck_assert(mli_read_i64("-0", &v) && v == 0);
    ck_assert(mli_read_i64("+12", &v) && v == 12);
    ck_assert(mli_read_i64("9223372036854775807", &v) && v == INT64_MAX);
    ck_assert(mli_read_i64("-9223372036854775808", &v) && v == INT64_MIN);
    ck_assert(mli_read_i64("0000000000000000000000000000012345678901", &v) &&
              v == 12345678901);
    v = 5;
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      "1.0",
                                      "1e3",
                                      " 1",
                                      "1 ",
                                      "a",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999",
                                      "18446744073709551617",
                                      "0x1",
                                      "12345678x",
                                      "--2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!mli_read_i64(bad[i], &v), "\"%s\" is read", bad[i]);
    }
    ck_assert_int_eq(v, 5);
}
END_TEST

static void check_format(double v, const char *expected)
{
    char text[MLI_NUM_SIZE];
    ck_assert_int_eq(mli_format_f64(v, text), (int)strlen(text));
    ck_assert_str_eq(text, expected);
}

START_TEST(formats_known_numbers)
{
    check_format(0, "0");
    check_format(-0.0, "-0");
    check_format(1, "1");
    check_format(-1.5, "-1.5");
    check_format(100, "100");
    check_format(0.1, "0.1");
    check_format(0.1 + 0.2, "0.30000000000000004");
    check_format(1e15, "1000000000000000");
    check_format(1e16, "1e16");
    check_format(123456789012345680.0, "1.2345678901234568e17");
    check_format(1e23, "1e23");
    check_format(9007199254740993.0, "9007199254740992");
    check_format(0.00001, "0.00001");
    check_format(0.000001, "1e-6");
    check_format(1.0 / 3, "0.3333333333333333");
    check_format(5e-324, "5e-324");
    check_format(DBL_MAX, "1.7976931348623157e308");
    check_format(DBL_MIN, "2.2250738585072014e-308");
    check_format(2.2250738585072011e-308, "2.225073858507201e-308");
    check_format(NAN, "nan");
    check_format(-NAN, "nan");
    check_format(INFINITY, "inf");
    check_format(-INFINITY, "-inf");
    check_format(9.5367431640625e-07, "9.5367431640625e-7");
    check_format(20, "20");
    check_format(4503599627370495.5, "4503599627370495.5");
}
END_TEST

/* Written and read back it is the same; no shorter text is; %.17g reads back too. */
static void check_round_trip(double v, int thorough)
{
    char text[MLI_NUM_SIZE], other[64];
    double back;
    if (v - v != 0) return;
    int n = mli_format_f64(v, text), digits = 0;
    NEED(n == (int)strlen(text) && n < 26, "%s has %d bytes", text, n);
    NEED(mli_read_f64(text, &back) == 1, "%s is not read", text);
    NEED(bits_of(back) == bits_of(v), "%a is written as %s", v, text);
    if (!thorough || !strchr(text, 'e')) return;
    for (const char *p = text; *p && *p != 'e'; p++) digits += *p >= '0' && *p <= '9';
    for (int k = 1; k < digits; k++) {
        snprintf(other, sizeof other, "%.*e", k - 1, v);
        NEED(strtod(other, NULL) != v, "%s is longer than %s", text, other);
    }
}

START_TEST(formats_round_trip)
{
    for (int i = 0; i < 1000000; i++) {
        double v = of_bits(next_random());
        if (v - v != 0) continue;
        check_round_trip(v, i % 16 == 0);
        check_round_trip((double)(int64_t)(next_random() % 100000000) / 1000, 0);
    }
    for (int e = 0; e < 2047; e++) { /* powers of two and their neighbours */
        for (int d = -2; d <= 2; d++) {
            check_round_trip(
                of_bits((((uint64_t)e << 52) + (uint64_t)(int64_t)d) & INT64_MAX), 1);
        }
    }
    for (uint64_t bits = 1; bits < 5000; bits++) check_round_trip(of_bits(bits), 1);
}
END_TEST

START_TEST(shortens_for_people)
{
    static const struct {
        double v;
        int digits;
        const char *text;
    } cases[] = {{3.14159, 3, "3.14"},
                 {2.5, 1, "2"},
                 {3.5, 1, "4"},
                 {1234.5, 2, "1200"},
                 {0.1, 5, "0.1"},
                 {100, 3, "100"},
                 {9.9999, 3, "10"},
                 {-0.05, 2, "-0.05"},
                 {1e-9, 3, "1e-9"},
                 {1.23456e20, 3, "1.23e20"},
                 {0, 3, "0"},
                 {NAN, 3, "nan"},
                 {-INFINITY, 3, "-inf"},
                 {0.5, 0, "0.5"},
                 {1.0 / 3, 99, "0.33333333333333331"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mli_str s;
        mli_str_init(&s, NULL);
        mli_str_short(&s, cases[i].v, cases[i].digits);
        ck_assert_str_eq(s.data, cases[i].text);
        mli_str_free(&s);
    }
}
END_TEST

START_TEST(ignores_the_locale)
{
    if (!comma_locale()) SKIP("localedef is not there");
    double v;
    ck_assert_int_eq(mli_read_f64("1.5", &v), 1);
    ck_assert(v == 1.5);
    ck_assert_int_eq(mli_read_f64("1,5", &v), 0);
    check_format(1.5, "1.5");
    mli_str s;
    mli_str_init(&s, NULL);
    mli_str_short(&s, 1.2345, 3);
    ck_assert_str_eq(s.data, "1.23");
    mli_str_free(&s);
    setlocale(LC_ALL, "C");
}
END_TEST

START_TEST(strings_grow)
{
    mli_str s;
    mli_str_init(&s, NULL);
    ck_assert_str_eq(s.data, "");
    mli_str_clear(&s);
    mli_str_add(&s, "");
    ck_assert_str_eq(s.data, "");
    mli_str_add(&s, "ab");
    mli_str_char(&s, 'c');
    mli_str_printf(&s, "-%d-%s", 5, "x");
    mli_str_i64(&s, INT64_MIN);
    mli_str_f64(&s, 0.5);
    ck_assert_str_eq(s.data, "abc-5-x-92233720368547758080.5");
    ck_assert_uint_eq(s.size, strlen(s.data));
    mli_str_clear(&s);
    ck_assert_str_eq(s.data, "");
    for (int i = 0; i < 10000; i++) mli_str_i64(&s, i % 10);
    ck_assert_uint_eq(s.size, 10000);
    for (int i = 0; i < 10000; i++) NEED(s.data[i] == '0' + i % 10, "byte %d", i);
    mli_str_clear(&s);
    char *wide = malloc(3000);
    memset(wide, 'w', 2999);
    wide[2999] = 0;
    mli_str_printf(&s, "<%s>", wide);
    ck_assert_uint_eq(s.size, 3001);
    ck_assert_int_eq(s.data[3000], '>');
    free(wide);
    char *taken = mli_str_take(&s);
    ck_assert_uint_eq(strlen(taken), 3001);
    mli_free(NULL, taken);
    ck_assert_str_eq(s.data, "");
    taken = mli_str_take(&s);
    ck_assert_str_eq(taken, "");
    mli_free(NULL, taken);
    mli_str_add_n(&s, "a\0b", 3);
    ck_assert_uint_eq(s.size, 3);
    mli_str_free(&s);
    mli_str_free(&s);
}
END_TEST

static ml_status fill_string(failing_alloc *f)
{
    ml_host host = failing_host(f);
    ml_context *ctx = NULL;
    ml_status status = ml_context_new(&host, &ctx, NULL);
    if (status != ML_OK) return status;
    mli_str s;
    mli_str_init(&s, ctx);
    for (int i = 0; i < 300; i++) mli_str_printf(&s, "%d and %0500d, ", i, i);
    ck_assert_uint_eq(strlen(s.data), s.size);
    int failed = s.failed;
    char *text = mli_str_take(&s);
    ck_assert_int_eq(text == NULL, failed);
    mli_free(ctx, text);
    ml_context_free(ctx);
    return text ? ML_OK : ML_E_MEMORY;
}

START_TEST(strings_survive_no_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, fill_string(&f));
    mli_str s;
    mli_str_init(&s, NULL);
    mli_str_add(&s, "kept");
    mli_str_add_n(&s, "x", SIZE_MAX - 1);
    ck_assert_int_eq(s.failed, 1);
    mli_str_add(&s, "more");
    ck_assert_str_eq(s.data, "kept");
    mli_str_free(&s);
}
END_TEST

START_TEST(measures_distance)
{
    ck_assert_int_eq(mli_distance("", ""), 0);
    ck_assert_int_eq(mli_distance("", "abc"), 3);
    ck_assert_int_eq(mli_distance("abc", ""), 3);
    ck_assert_int_eq(mli_distance("kitten", "sitting"), 3);
    ck_assert_int_eq(mli_distance("max_depth", "MAX-Depth"), 0);
    ck_assert_int_eq(mli_distance("max depth", "max_depth"), 0);
    ck_assert_int_eq(mli_distance("ab", "ba"), 1);
    ck_assert_int_eq(mli_distance("leraning_rate", "learning_rate"), 1);
    ck_assert_int_eq(mli_distance("a", "b"), 1);
    char a[1000], b[1000];
    memset(a, 'a', sizeof a);
    memset(b, 'a', sizeof b);
    a[999] = b[899] = 0;
    ck_assert_int_eq(mli_distance(a, a), 2 * (999 - 120)); /* beyond the limit: lengths */
    ck_assert_int_ge(mli_distance(a, b), 100);
}
END_TEST

START_TEST(suggests_the_nearest)
{
    static const char *const names[] = {"learning_rate",   "max_depth", "n_trees",
                                        "subsample",       "seed",      "l2",
                                        "min_samples_leaf"};
    int64_t n = sizeof names / sizeof *names;
    ck_assert_str_eq(mli_nearest("lerning_rate", names, n), "learning_rate");
    ck_assert_str_eq(mli_nearest("maxdepth", names, n), "max_depth");
    ck_assert_str_eq(mli_nearest("Max-Depth", names, n), "max_depth");
    ck_assert_str_eq(mli_nearest("depth", names, n), "max_depth");
    ck_assert_str_eq(mli_nearest("ntrees", names, n), "n_trees");
    ck_assert_str_eq(mli_nearest("sede", names, n), "seed");
    ck_assert_str_eq(mli_nearest("l1", names, n), "l2");
    ck_assert_str_eq(mli_nearest("samples", names, n), "min_samples_leaf");
    ck_assert_ptr_null(mli_nearest("verbosity", names, n));
    ck_assert_str_eq(mli_nearest("esed", names, n), "seed");
    ck_assert_str_eq(mli_nearest("ubsample", names, n), "subsample");
    ck_assert_ptr_null(mli_nearest("weed", names, n));
    ck_assert_ptr_null(mli_nearest("burning_rate", names, n));
    ck_assert_ptr_null(mli_nearest("x", names, n));
    ck_assert_ptr_null(mli_nearest("", names, n));
    ck_assert_ptr_null(mli_nearest("seed", names, 0));
}
END_TEST

START_TEST(looks_into_lists)
{
    ck_assert(mli_in_list("b", "a,b,c"));
    ck_assert(mli_in_list("a", "a"));
    ck_assert(mli_in_list("c", "a,b,c"));
    ck_assert(!mli_in_list("", "a,,b"));
    ck_assert(!mli_in_list("ab", "a,b,abc"));
    ck_assert(!mli_in_list("a,b", "a,b"));
    ck_assert(!mli_in_list("a", ""));
    ck_assert(!mli_in_list("a", NULL));
    ck_assert(mli_same_word("True", "tRUE"));
    ck_assert(!mli_same_word("tru", "true"));
    ck_assert(!mli_same_word("true", "tru"));
    ck_assert(mli_same_word("", ""));
}
END_TEST

START_TEST(joins_names)
{
    static const char *const names[] = {"alpha", "beta", "gamma"};
    char text[64], tight[16];
    mli_join(text, sizeof text, names, 3);
    ck_assert_str_eq(text, "alpha, beta, gamma");
    mli_join(text, sizeof text, names, 0);
    ck_assert_str_eq(text, "");
    mli_join(tight, sizeof tight, names, 3);
    ck_assert_str_eq(tight, "alpha, ...");
}
END_TEST

START_TEST(checks_utf8)
{
    static const struct {
        const char *text;
        size_t size, valid;
    } cases[] = {{"plain ascii, long enough for words", 34, 34},
                 {"caf\xc3\xa9", 5, 5},
                 {"\xe2\x82\xac\xf0\x9f\x98\x80", 7, 7},
                 {"ab\xc3", 3, 2},
                 {"ab\x80xyz", 6, 2},
                 {"\xc0\xaf", 2, 0},
                 {"\xc1\xbf", 2, 0},
                 {"\xe0\x80\xaf", 3, 0},
                 {"\xed\xa0\x80", 3, 0},
                 {"\xed\x9f\xbf", 3, 3},
                 {"\xee\x80\x80", 3, 3},
                 {"\xf0\x80\x80\xaf", 4, 0},
                 {"\xf4\x8f\xbf\xbf", 4, 4},
                 {"\xf4\x90\x80\x80", 4, 0},
                 {"\xf5\x80\x80\x80", 4, 0},
                 {"\xff", 1, 0},
                 {"12345678\xff", 9, 8},
                 {"1234567\xc3\xa9"
                  "2345678",
                  16, 16},
                 {"\xf0\x9f\x98", 3, 0},
                 {"\xe2\x28\xa1", 3, 0},
                 {"", 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_uint_eq(mli_utf8_valid(cases[i].text, cases[i].size), cases[i].valid);
    }
}
END_TEST

START_TEST(knows_what_is_like_a_number)
{
    static const char *const like[] = {"1",         "1,234",          "1.234,56",
                                       "$634,445",  "12.5 %",         "-3,5",
                                       "1 234 567", "\xe2\x82\xac 5", "1'000.25"},
                             *const others[] = {
                                 "",      "a1",          "$",     "2024-01-02",
                                 "1.2.3", "10-20",       "12:30", "1,2,3",
                                 "5 kg",  "192.168.0.1", ","};
    for (size_t k = 0; k < sizeof like / sizeof *like; k++)
        ck_assert_msg(mli_like_number(like[k], strlen(like[k])), "%s", like[k]);
    for (size_t k = 0; k < sizeof others / sizeof *others; k++)
        ck_assert_msg(!mli_like_number(others[k], strlen(others[k])), "%s", others[k]);
}
END_TEST

TEST_MAIN("core/text", reads_known_numbers, reads_random_numbers, reads_halfway_cases,
          reads_huge_digit_strings, reads_special_words, refuses_what_is_no_number,
          reads_integers, formats_known_numbers, formats_round_trip, shortens_for_people,
          ignores_the_locale, strings_grow, strings_survive_no_memory, measures_distance,
          suggests_the_nearest, looks_into_lists, joins_names, checks_utf8,
          knows_what_is_like_a_number)
