/* SPDX-License-Identifier: MIT
 *
 * Code points and words. What is expected: tests/reference/words.pl.
 */
#include "core/unicode.h"
#include "testing.h"

/* The words of a text with '|' between. */
static const char *words(const char *text)
{
    static char out[256];
    size_t size = strlen(text), at = 0, begin, end, to = 0;
    while (mli_word_next(text, size, &at, &begin, &end)) {
        if (to) out[to++] = '|';
        memcpy(out + to, text + begin, end - begin);
        to += end - begin;
    }
    out[to] = 0;
    return out;
}

START_TEST(finds_words)
{
    static const char *const cases[][2] = {
        {"can't stop: 3.14, 1,000 and e-mail!", "can't|stop|3.14|1,000|and|e|mail"},
        {"naïve cafe\u0301 Straße ΌΣΟΣ", "naïve|cafe\u0301|Straße|ΌΣΟΣ"},
        {"漢字かな カタカナ ｶﾅ", "漢|字|か|な|カタカナ|ｶﾅ"},
        {"snake_case __x9 a.b 1.a a:b u.s.a. 'quoted'",
         "snake_case|__x9|a.b|1|a|a:b|u.s.a|quoted"},
        {"שלום עולם", "שלום|עולם"},
        {"привет, мир", "привет|мир"},
        {"1\u20192 l\u2019été", "1\u20192|l\u2019été"},
        {"a\u200db x\u00ady", "a\u200db|x\u00ady"},
        {"ภาษาไทย", "ภาษาไทย"}, /* Perl takes such runs apart by character */
        {" ., !", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(words(cases[i][0]), cases[i][1]);
}
END_TEST

START_TEST(finds_words_of_messages)
{
    const char *path = shared_path("sms_spam/sms_spam.tsv.gz");
    if (!path) SKIP("the shared data are not there");
    ml_context *ctx = test_context(1);
    ml_params *o = NULL;
    ml_table *t = NULL;
    static char value[8192];
    size_t n = 0, bytes = 0, longest = 0;
    OK(ml_params_new(ctx, &o, ERR));
    OK(ml_params_set_str(o, "delimiter", "tab", ERR));
    OK(ml_params_set_str(o, "quote", "none", ERR));
    OK(ml_params_set_str(o, "header", "no", ERR));
    OK(ml_table_read_csv(ctx, path, o, &t, ERR));
    for (int64_t i = 0; i < 2 * ml_table_rows(t); i++) {
        size_t at = 0, begin, end;
        int64_t size = ml_table_get_str(t, i / 2, i % 2, value, sizeof value);
        while (size > 0 && mli_word_next(value, (size_t)size, &at, &begin, &end)) {
            n++;
            bytes += end - begin;
            if (end - begin > longest) longest = end - begin;
        }
    }
    ml_params_free(o);
    ml_table_free(t);
    ml_context_free(ctx);
    ck_assert_uint_eq(n, 93348);
    ck_assert_uint_eq(bytes, 363147);
    ck_assert_uint_eq(longest, 42);
}
END_TEST

START_TEST(folds_and_strips)
{
    ck_assert_uint_eq(mli_char_fold('Q'), 'q');
    ck_assert_uint_eq(mli_char_fold(0xC4), 0xE4);
    ck_assert_uint_eq(mli_char_fold(0x130), 0x130); /* has a full folding only */
    ck_assert_uint_eq(mli_char_fold(0x3A3), 0x3C3);
    ck_assert_uint_eq(mli_char_fold(0x3C2), 0x3C3);
    ck_assert_uint_eq(mli_char_fold(0x101), 0x101);
    ck_assert_uint_eq(mli_char_fold(0x100), 0x101);
    ck_assert_uint_eq(mli_char_fold(0x1E900), 0x1E922);
    ck_assert_uint_eq(mli_char_fold(0x10FFFF), 0x10FFFF);
    ck_assert_uint_eq(mli_char_base(0xE9), 'e');
    ck_assert_uint_eq(mli_char_base(0x1EAD), 'a');
    ck_assert_uint_eq(mli_char_base(0xDF), 0xDF);
    ck_assert_uint_eq(mli_char_base(0xFFFF), 0xFFFF);
}
END_TEST

/* Damaged bytes give a replacement each, and end. */
START_TEST(reads_damaged_text)
{
    static const char text[] =
        "a\xC3(\xE2\x82\xF0\x9F\x98\x80\xF8\xC0\xAF" /* C0 AF: too long */
        "\xED\xA0\x80" /* half a surrogate pair */;
    static const uint32_t want[] = {'a',    0xFFFD, '(',    0xFFFD, 0xFFFD, 0x1F600,
                                    0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD};
    size_t at = 0, n = 0;
    while (at < sizeof text - 1) {
        ck_assert_uint_lt(n, 12);
        ck_assert_uint_eq(mli_utf8_next(text, sizeof text - 1, &at), want[n++]);
    }
    ck_assert_uint_eq(n, 12);
    for (uint32_t c = 1; c < 0x110000; c += c < 0x3000 ? 1 : 0x101) {
        if (c >= 0xD800 && c < 0xE000) continue;
        char out[4];
        size_t back = 0, size = (size_t)mli_utf8_put(c, out);
        ck_assert_uint_eq(mli_utf8_next(out, size, &back), c);
        ck_assert_uint_eq(back, size);
    }
}
END_TEST

TEST_MAIN("core/unicode", finds_words, finds_words_of_messages, folds_and_strips,
          reads_damaged_text)
