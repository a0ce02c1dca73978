/* SPDX-License-Identifier: MIT
 *
 * The JSON reader: what it accepts, what it refuses and where; writing.
 */
#include "failing.h"

#include "core/json.h"
#include "core/memory.h"

/* The tokens of a text as letters, "!" for an error. */
static const char *tokens(const char *text, size_t size)
{
    static char out[4096];
    static const char letters[] = ".{}[]ks#TFN";
    mli_json j;
    mli_json_open(&j, text, size);
    size_t n = 0;
    for (;;) {
        mli_json_token t = mli_json_next(&j);
        out[n++] = t < 0 ? '!' : letters[t];
        if (t <= 0 || n == sizeof out - 1) break;
    }
    out[n] = 0;
    return out;
}

static void check(const char *text, const char *expected)
{
    /* A copy without a final NUL, so that reading too far is noticed. */
    size_t size = strlen(text);
    char *copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    const char *got = tokens(copy, size);
    ck_assert_msg(strcmp(got, expected) == 0, "%s: %s instead of %s", text, got,
                  expected);
    free(copy);
}

START_TEST(accepts_documents)
{
    check("0", "#.");
    check(" -1.5e+3 ", "#.");
    check("true", "T.");
    check("false", "F.");
    check("null", "N.");
    check("\"\"", "s.");
    check("[]", "[].");
    check("{}", "{}.");
    check("[1, \"a\", true, null, [], {}]", "[#sTN[]{}].");
    check("{\"a\": 1, \"b\" : [2], \"\": {\"c\": null}}", "{k#k[#]k{kN}}.");
    check("\t\r\n[ 0 ]\n", "[#].");
    check("\"\\u00e9\\n\\\"\\\\\\/\\b\\f\\r\\t\"", "s.");
    check("\"\\ud83d\\ude00\"", "s.");
    check("\"caf\xc3\xa9\"", "s.");
    check("[-0, 0.0, 1E5, 1e-5, 123456789012345678901234567890]", "[#####].");
    check("\"\x7f\"", "s.");
}
END_TEST

START_TEST(refuses_malformed_documents)
{
    check("", "!");
    check("   ", "!");
    check("[", "[!");
    check("]", "!");
    check("{", "{!");
    check("}", "!");
    check("[1", "[#!");
    check("[1,", "[#!");
    check("[1,]", "[#!");
    check("[,1]", "[!");
    check("[1 2]", "[#!");
    check("{\"a\"}", "{!");
    check("{\"a\":}", "{k!");
    check("{\"a\":1,}", "{k#!");
    check("{a:1}", "{!");
    check("{1:1}", "{!");
    check("{\"a\":1 \"b\":2}", "{k#!");
    check("[1}", "[#!");
    check("{\"a\":1]", "{k#!");
    check("1 2", "#!");
    check("nul", "!");
    check("True", "!");
    check("nulll", "N!");
    check("'a'", "!");
    check("// no\n1", "!");
    check("\xef\xbb\xbf"
          "1",
          "!");
}
END_TEST

START_TEST(refuses_malformed_scalars)
{
    static const char *const numbers[] = {"01",       "-",    "+1",   ".5",  "1.",
                                          "1e",       "1e+",  "-01",  "0x1", "NaN",
                                          "Infinity", "-inf", "1.e5", "--1"};
    static const char *const strings[] = {"\"",
                                          "\"a",
                                          "\"\\\"",
                                          "\"\\x\"",
                                          "\"\\u12\"",
                                          "\"\\u12g4\"",
                                          "\"\\ud800\"",
                                          "\"\\ud800x\"",
                                          "\"\\ud800\\n\"",
                                          "\"\\ud800\\u0041\"",
                                          "\"\\udc00\"",
                                          "\"\n\"",
                                          "\"\t\"",
                                          "\"\x01\"",
                                          "\"\xff\"",
                                          "\"\xc3\"",
                                          "\"\xed\xa0\x80\"",
                                          "\"\\",
                                          "\"\\u",
                                          "\"\\ud83d\\ude\""};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const char *got = tokens(numbers[i], strlen(numbers[i]));
        ck_assert_msg(strchr(got, '!') != NULL, "%s: %s", numbers[i], got);
    }
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) check(strings[i], "!");
}
END_TEST

START_TEST(limits_the_depth)
{
    char text[400];
    mli_json j;
    memset(text, '[', 200);
    mli_json_open(&j, text, 200);
    int n = 0;
    while (mli_json_next(&j) == MLI_JSON_ARRAY) n++;
    ck_assert_int_eq(n, MLI_JSON_DEPTH);
    ck_assert_ptr_nonnull(strstr(j.problem, "nesting"));
    memset(text + MLI_JSON_DEPTH, ']', MLI_JSON_DEPTH);
    const char *got = tokens(text, 2 * MLI_JSON_DEPTH);
    ck_assert_int_eq((int)strlen(got), 2 * MLI_JSON_DEPTH + 1);
    ck_assert_int_eq(got[2 * MLI_JSON_DEPTH], '.');
}
END_TEST

START_TEST(tells_the_place)
{
    static const char text[] = "{\n  \"a\": 1,\n  \"b\": ?\n}";
    mli_json j;
    int64_t line, column;
    mli_json_open(&j, text, sizeof text - 1);
    mli_json_token t;
    do t = mli_json_next(&j);
    while (t > 0);
    ck_assert_int_eq(t, MLI_JSON_ERROR);
    mli_json_place(&j, &line, &column);
    ck_assert_int_eq(line, 3);
    ck_assert_int_eq(column, 8);
    ck_assert_int_eq(mli_json_next(&j), MLI_JSON_ERROR); /* and stays there */
}
END_TEST

START_TEST(gives_values)
{
    static const char text[] =
        "{\"k\\u00e9y\": \"a\\tb\\ud83d\\ude00\", \"n\": -12, \"r\": 0.25}";
    mli_json j;
    mli_str s;
    int64_t whole;
    double real;
    mli_str_init(&s, NULL);
    mli_json_open(&j, text, sizeof text - 1);
    ck_assert_int_eq(mli_json_next(&j), MLI_JSON_OBJECT);
    ck_assert_int_eq(mli_json_next(&j), MLI_JSON_KEY);
    ck_assert(mli_json_is(&j, "k\xc3\xa9y"));
    ck_assert(!mli_json_is(&j, "k\xc3\xa9"));
    ck_assert(!mli_json_is(&j, "k\xc3\xa9yy"));
    ck_assert(!mli_json_is(&j, "key"));
    ck_assert_int_eq(mli_json_next(&j), MLI_JSON_STRING);
    ck_assert(mli_json_unescape(&j, &s));
    ck_assert_str_eq(s.data, "a\tb\xf0\x9f\x98\x80");
    ck_assert_int_eq(mli_json_next(&j), MLI_JSON_KEY);
    ck_assert(mli_json_is(&j, "n"));
    ck_assert(!mli_json_is(&j, "nn"));
    ck_assert(!mli_json_is(&j, ""));
    ck_assert_int_eq(mli_json_next(&j), MLI_JSON_NUMBER);
    ck_assert(mli_json_i64(&j, &whole) && whole == -12);
    ck_assert(mli_json_f64(&j, &real) && real == -12);
    mli_json_next(&j);
    mli_json_next(&j);
    ck_assert(!mli_json_i64(&j, &whole));
    ck_assert(mli_json_f64(&j, &real) && real == 0.25);
    mli_str_free(&s);
}
END_TEST

START_TEST(skips_values)
{
    static const char text[] =
        "{\"a\": {\"x\": [1, {\"y\": []}]}, \"b\": [1, [2, 3]], \"c\": \"s\", \"d\": 1}";
    mli_json j;
    mli_json_open(&j, text, sizeof text - 1);
    ck_assert_int_eq(mli_json_next(&j), MLI_JSON_OBJECT);
    for (const char *name = "abcd"; *name; name++) {
        char key[2] = {*name, 0};
        ck_assert_int_eq(mli_json_next(&j), MLI_JSON_KEY);
        ck_assert(mli_json_is(&j, key));
        ck_assert(mli_json_skip(&j, *name == 'b' ? MLI_JSON_KEY : mli_json_next(&j)));
    }
    ck_assert_int_eq(mli_json_next(&j), MLI_JSON_OBJECT_END);
    ck_assert_int_eq(mli_json_next(&j), MLI_JSON_END);
    mli_json_open(&j, "[[1, ", 5);
    ck_assert(!mli_json_skip(&j, mli_json_next(&j)));
}
END_TEST

START_TEST(writes)
{
    mli_str s;
    mli_str_init(&s, NULL);
    mli_json_key(&s, "a", 1);
    mli_json_num(&s, 0.5);
    mli_json_key(&s, "b\"", 0);
    mli_json_num(&s, NAN);
    mli_json_key(&s, "c", 0);
    mli_json_num(&s, INFINITY);
    ck_assert_str_eq(s.data, "\"a\": 0.5, \"b\\\"\": null, \"c\": null");
    mli_str_clear(&s);
    mli_json_str(&s, "q\" b\\ /\b\f\n\r\t\x01\x1f caf\xc3\xa9\x7f");
    ck_assert_str_eq(s.data,
                     "\"q\\\" b\\\\ /\\b\\f\\n\\r\\t\\u0001\\u001f caf\xc3\xa9\x7f\"");
    mli_str_clear(&s);
    mli_json_str_n(&s, "a\0b", 3);
    ck_assert_str_eq(s.data, "\"a\\u0000b\"");
    mli_str_free(&s);
}
END_TEST

/* Any text survives writing and reading. */
START_TEST(round_trips_texts)
{
    uint32_t state = 1;
    for (int i = 0; i < 20000; i++) {
        char text[64];
        size_t n = 0;
        for (int k = 0; k < 12; k++) {
            state = state * 1664525 + 1013904223;
            static const char *const pieces[] = {
                "a",    "\"",       "\\",           "\n",
                "\x01", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                "/",    "u"};
            const char *piece = pieces[(state >> 16) % 10];
            memcpy(text + n, piece, strlen(piece));
            n += strlen(piece);
        }
        mli_str s, back;
        mli_json j;
        mli_str_init(&s, NULL);
        mli_str_init(&back, NULL);
        mli_json_str_n(&s, text, n);
        mli_json_open(&j, s.data, s.size);
        ck_assert_int_eq(mli_json_next(&j), MLI_JSON_STRING);
        ck_assert(mli_json_unescape(&j, &back));
        ck_assert_uint_eq(back.size, n);
        ck_assert_mem_eq(back.data, text, n);
        mli_str_free(&s);
        mli_str_free(&back);
    }
}
END_TEST

/* Every prefix of a document fails, and nothing is read beyond it. */
START_TEST(refuses_every_prefix)
{
    static const char text[] = "{\"a\": [1, -2.5e3, true, null, "
                               "\"x\\u00e9\\ud83d\\ude00\"], \"b\": {\"c\": {}}}";
    for (size_t n = 0; n < sizeof text - 1; n++) {
        char *copy = malloc(n ? n : 1);
        memcpy(copy, text, n);
        const char *got = tokens(copy, n);
        ck_assert_int_eq(got[strlen(got) - 1], '!');
        free(copy);
    }
    check(text, "{k[##TNs]k{k{}}}.");
}
END_TEST

TEST_MAIN("core/json", accepts_documents, refuses_malformed_documents,
          refuses_malformed_scalars, limits_the_depth, tells_the_place, gives_values,
          skips_values, writes, round_trips_texts, refuses_every_prefix)
