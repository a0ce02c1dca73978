/* SPDX-License-Identifier: MIT
 *
 * CityHash64: the lower halves that CatBoost 1.2 has for texts of all four ways.
 */
#include "core/city.h"
#include "testing.h"

static uint32_t hash(const char *text, size_t size)
{
    char *exact = malloc(size + 1); /* so that reading beyond it is seen */
    memcpy(exact, text, size);
    exact = realloc(exact, size);
    uint32_t h = (uint32_t)mli_city64(exact, size);
    free(exact);
    return h;
}

START_TEST(short_texts)
{
    static const struct {
        const char *text;
        uint32_t hash;
    } known[] = {{"a", 3489901818},         {"ab", 4090249022},
                 {"abc", 978243121},        {"abcd", 345588365},
                 {"abcdefg", 163411706},    {"abcdefgh", 4270775063},
                 {"abcdefghi", 3019552977}, {"0123456789abcdef", 2645308183}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        ck_assert_uint_eq(hash(known[i].text, strlen(known[i].text)), known[i].hash);
    ck_assert(mli_city64(NULL, 0) == UINT64_C(0x9ae16a3b2f90404f));
}
END_TEST

START_TEST(long_texts)
{
    static const struct {
        size_t size;
        uint32_t hash;
    } known[] = {{17, 2361206127},  {31, 1752146168},  {32, 704156603},
                 {33, 2239288843},  {50, 537280328},   {64, 2954080123},
                 {65, 3746799333},  {100, 2923469715}, {127, 2876051002},
                 {128, 2011588591}, {129, 3466879416}, {200, 2040153750},
                 {256, 659654724}};
    char text[512] = "";
    while (strlen(text) < 260)
        strcat(text,
               "The quick brown fox jumps over the lazy dog, and the dog sleeps on; ");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        ck_assert_uint_eq(hash(text, known[i].size), known[i].hash);
    const char beyond_ascii[] = "\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6"
                                "\xd0\xb6\xd0\xb6\xd0\xb6";
    ck_assert_uint_eq(hash(beyond_ascii, 18), 872383175);
}
END_TEST

TEST_MAIN("core/city", short_texts, long_texts)
