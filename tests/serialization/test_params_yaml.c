/* SPDX-License-Identifier: MIT
 *
 * Sets of values as YAML: types, lists, JSON, what is refused and where, exact round
 * trips, no memory, all or nothing.
 */
#include "comma_locale.h"
#include "failing.h"

#include "core/params.h"

static ml_context *ctx;
static ml_params *set;

static void setup(void)
{
    ctx = test_context(1);
    OK(ml_params_new(ctx, &set, ERR));
}

static void teardown(void)
{
    ml_params_free(set);
    ml_context_free(ctx);
}

static ml_status read_text(const char *text, ml_error *err)
{
    /* A copy without a final NUL, so that reading too far is noticed. */
    size_t size = strlen(text);
    char *copy = malloc(size + 1);
    memcpy(copy, text, size);
    ml_status status = ml_params_read_yaml(set, copy, size, err);
    free(copy);
    return status;
}

static void expect(const char *name, int32_t type, const char *text)
{
    ck_assert_msg(ml_params_type(set, name) == type, "%s has type %d", name,
                  ml_params_type(set, name));
    ck_assert_str_eq(ml_params_get_str(set, name), text);
}

START_TEST(types_scalars)
{
    setup();
    OK(read_text("# options\n"
                 "whole: 12\nminus: -7\nhex: 0x1F\noctal: 0o17\nzero: 0\n"
                 "real: 0.50\nexp: 1e3\ndot: .5\ninf: .inf\nminf: -.Inf\nnan: .NaN\n"
                 "yes_: true\nno_: False\n"
                 "text: two words\nquoted: \"a\\tb\"\nsingle: 'it''s'\nnumber: \"12\"\n"
                 "norway: no\nplus: +5\nseven: 007\ninfinity: inf\nversion: 1.2.3\n"
                 "null_: null\ntilde: ~\nempty:\n"
                 "str: !!str 5\nlong: 99999999999999999999\nminuszero: -0.0\n"
                 "folded: >\n  one\n  two\nliteral: |\n  one\n  two\n",
                 ERR));
    expect("whole", ML_PARAM_I64, "12");
    expect("minus", ML_PARAM_I64, "-7");
    expect("hex", ML_PARAM_I64, "31");
    expect("octal", ML_PARAM_I64, "15");
    expect("zero", ML_PARAM_I64, "0");
    expect("real", ML_PARAM_F64, "0.5");
    expect("exp", ML_PARAM_F64, "1000");
    expect("dot", ML_PARAM_F64, "0.5");
    expect("inf", ML_PARAM_F64, "inf");
    expect("minf", ML_PARAM_F64, "-inf");
    expect("nan", ML_PARAM_F64, "nan");
    expect("yes_", ML_PARAM_BOOL, "true");
    expect("no_", ML_PARAM_BOOL, "false");
    expect("text", ML_PARAM_STR, "two words");
    expect("quoted", ML_PARAM_STR, "a\tb");
    expect("single", ML_PARAM_STR, "it's");
    expect("number", ML_PARAM_STR, "12");
    expect("norway", ML_PARAM_STR, "no");
    expect("plus", ML_PARAM_STR, "+5");
    expect("seven", ML_PARAM_STR, "007");
    expect("infinity", ML_PARAM_STR, "inf");
    expect("version", ML_PARAM_STR, "1.2.3");
    expect("null_", ML_PARAM_STR, "");
    expect("tilde", ML_PARAM_STR, "");
    expect("empty", ML_PARAM_STR, "");
    expect("str", ML_PARAM_STR, "5");
    expect("long", ML_PARAM_F64, "1e20");
    expect("minuszero", ML_PARAM_F64, "-0");
    expect("folded", ML_PARAM_STR, "one two\n");
    expect("literal", ML_PARAM_STR, "one\ntwo\n");
    teardown();
}
END_TEST

START_TEST(types_lists)
{
    setup();
    OK(read_text("whole: [1, 2, -3]\nreals: [1, 2.5, .nan]\ntexts: [a, \"b, c\", 1]\n"
                 "block:\n  - x\n  - 'y'\nnone: []\nquoted: [\"1\", \"2\"]\n"
                 "bools: [true, false]\nhex: [0x10]\nzeros: [01, 02]\n",
                 ERR));
    expect("whole", ML_PARAM_I64S, "[1, 2, -3]");
    expect("reals", ML_PARAM_F64S, "[1.0, 2.5, nan]");
    expect("texts", ML_PARAM_STRS, "[\"a\", \"b, c\", \"1\"]");
    expect("block", ML_PARAM_STRS, "[\"x\", \"y\"]");
    expect("none", ML_PARAM_STRS, "[]");
    expect("quoted", ML_PARAM_STRS, "[\"1\", \"2\"]");
    expect("bools", ML_PARAM_STRS, "[\"true\", \"false\"]");
    expect("hex", ML_PARAM_I64S, "[16]");
    expect("zeros", ML_PARAM_STRS, "[\"01\", \"02\"]");
    const double *reals;
    const int64_t *whole;
    ck_assert_int_eq(mli_get_f64s(set, "reals", &reals), 3);
    ck_assert(reals[1] == 2.5 && isnan(reals[2]));
    ck_assert_int_eq(mli_get_i64s(set, "whole", &whole), 3);
    ck_assert_int_eq(whole[2], -3);
    teardown();
}
END_TEST

START_TEST(reads_json)
{
    setup();
    OK(read_text("{\"a\": 1, \"b\": [1.0, 2], \"c\": \"\\ud83d\\ude00\\/\", \"d\": true}",
                 ERR));
    expect("a", ML_PARAM_I64, "1");
    expect("b", ML_PARAM_F64S, "[1.0, 2.0]");
    expect("c", ML_PARAM_STR, "\xf0\x9f\x98\x80/");
    expect("d", ML_PARAM_BOOL, "true");
    OK(read_text("{e: 1, \"f\": [x, y]}", ERR)); /* a flow mapping that is no JSON */
    expect("e", ML_PARAM_I64, "1");
    expect("f", ML_PARAM_STRS, "[\"x\", \"y\"]");
    ck_assert_int_eq(ml_params_count(set), 6);
    teardown();
}
END_TEST

START_TEST(reads_nothing)
{
    setup();
    OK(read_text("", ERR));
    OK(read_text("\n# only a comment\n", ERR));
    OK(read_text("---\n", ERR));
    OK(read_text("{}", ERR));
    OK(ml_params_read_yaml(set, NULL, 0, ERR));
    ck_assert_int_eq(ml_params_count(set), 0);
    FAILS(ML_E_ARGUMENT, ml_params_read_yaml(set, NULL, 5, ERR));
    FAILS(ML_E_ARGUMENT, ml_params_read_yaml(NULL, "a: 1", 4, ERR));
    teardown();
}
END_TEST

START_TEST(adds_to_the_set)
{
    setup();
    OK(ml_params_set_i64(set, "old", 1, ERR));
    OK(ml_params_set_i64(set, "kept", 2, ERR));
    OK(read_text("old: new\nmore: 3\n", ERR));
    ck_assert_int_eq(ml_params_count(set), 3);
    ck_assert_str_eq(ml_params_name(set, 0), "old");
    expect("old", ML_PARAM_STR, "new");
    expect("kept", ML_PARAM_I64, "2");
    teardown();
}
END_TEST

START_TEST(refuses_with_place)
{
    static const struct {
        const char *text, *place, *says;
    } cases[] = {{"a: 1\nb: [1, 2\n", "line 3, column 1", ""},
                 {"a: 1\nb: {c: *x}\n", "line 2, column 8", ""},
                 {"b: {c: 1}\nb: {c: 2}\n", "line 2, column 5", "given before"},
                 {"a: [{}]\n", "line 1, column 6", "empty item"},
                 {"a: [{b: [1]}]\n", "line 1, column 9", "neither an algorithm"},
                 {"a:\n  - b: c\n    d: 1\n", "line 3, column 5", "second name"},
                 {"a: [1, [2]]\n", "line 1, column 8", "list inside a list"},
                 {"- a\n- b\n", "line 1, column 1", "no mapping"},
                 {"just text\n", "line 1, column 1", "no mapping"},
                 {"a: &x 1\nb: *x\n", "line 1, column 4", "anchor"},
                 {"b: *x\n", "line 1, column 4", ""},
                 {"a: [&x 1]\n", "line 1, column 5", "anchor"},
                 {"a: &x [1]\n", "line 1, column 4", "anchor"},
                 {"&x a: 1\n", "line 1, column 1", "anchor"},
                 {"--- &x\na: 1\n", "line 1, column 5", "anchor"},
                 {"a: !!int 1\n", "line 1, column 4", "tag"},
                 {"a: !mine 1\n", "line 1, column 4", "tag"},
                 {"a: 1\na: 2\n", "line 2, column 1", "given before"},
                 {"\"\": 1\n", "line 1, column 1", "empty name"},
                 {"[a, b]: 1\n", "line 1, column 1", "name that is no plain text"},
                 {"a: 1\n---\nb: 2\n", "line 2, column 1", "second document"},
                 {"a: \"x\\0y\"\n", "line 1, column 4", "NUL"},
                 {"a: [\"x\\0y\"]\n", "line 1, column 5", "NUL"},
                 {"a: [1, , 2]\n", "line 1, column 8", ""},
                 {"a: [1, null]\n", "line 1, column 8", "empty item"},
                 {"a: \"open\n", "line 2",
                  "while scanning a quoted scalar that starts at line 1, column 4"},
                 {"a: 1\n\tb: 2\n", "line 2", ""},
                 {"a: b: c\n", "line 1", ""},
                 {"a: %x\n", "line 1, column 4", ""},
                 {"{\"a\": 1, \"a\": 2}", "line 1", "a name twice"},
                 {"a: \x01\n", "", "control characters"},
                 {"a: \xff\n", "", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setup();
        OK(ml_params_set_i64(set, "a", 9, ERR));
        ml_status status = read_text(cases[i].text, ERR);
        const char *text = ml_error_message(ERR);
        ck_assert_msg(status == ML_E_PARSE, "%s: %s", cases[i].text,
                      ml_status_name(status));
        ck_assert_msg(strstr(text, cases[i].place) && strstr(text, cases[i].says),
                      "%s: %s", cases[i].text, text);
        expect("a", ML_PARAM_I64, "9"); /* nothing has changed */
        ck_assert_int_eq(ml_params_count(set), 1);
        teardown();
    }
}
END_TEST

START_TEST(nothing_expands)
{
    setup();
    FAILS(ML_E_PARSE, read_text("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", ERR));
    size_t size = 1 << 20;
    char *deep = malloc(size);
    memset(deep, '[', size);
    memcpy(deep, "a: ", 3);
    FAILS(ML_E_PARSE, ml_params_read_yaml(set, deep, size, ERR));
    memset(deep, '{', size);
    FAILS(ML_E_PARSE, ml_params_read_yaml(set, deep, size, ERR));
    /* Parts within parts. */
    static const char part[] = "[{algorithm: a, x: ";
    for (size_t i = 3; i < size; i++) deep[i] = part[(i - 3) % (sizeof part - 1)];
    memcpy(deep, "a: ", 3);
    FAILS(ML_E_PARSE, ml_params_read_yaml(set, deep, size, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "too many levels"));
    free(deep);
    /* A huge number of values ends early. */
    char *many = malloc(400000), *at = many;
    for (int i = 0; i < 20000; i++) at += sprintf(at, "n%d: 1\n", i);
    FAILS(ML_E_PARSE, ml_params_read_yaml(set, many, (size_t)(at - many), ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "too many"));
    free(many);
    ck_assert_int_eq(ml_params_count(set), 0);
    teardown();
}
END_TEST

/* The set as YAML, to be freed. */
static char *text_of(const ml_params *p)
{
    size_t needed = 0, again = 0;
    OK(ml_params_write_yaml(p, NULL, 0, &needed, ERR));
    char *text = malloc(needed);
    OK(ml_params_write_yaml(p, text, needed, &again, ERR));
    ck_assert_uint_eq(needed, again);
    ck_assert_uint_eq(strlen(text) + 1, needed);
    return text;
}

static void same_value(const mli_value *a, const mli_value *b)
{
    ck_assert_str_eq(a->name, b->name);
    ck_assert_int_eq(a->type, b->type);
    ck_assert_str_eq(a->text, b->text);
    ck_assert_int_eq(a->i64, b->i64);
    ck_assert(memcmp(&a->f64, &b->f64, sizeof a->f64) == 0 || (a->f64 != a->f64));
    ck_assert_int_eq(a->count, b->count);
    for (int64_t i = 0; i < a->count; i++) {
        if (a->i64s) ck_assert_int_eq(a->i64s[i], b->i64s[i]);
        if (a->strs) ck_assert_str_eq(a->strs[i], b->strs[i]);
        if (a->f64s) ck_assert(a->f64s[i] == b->f64s[i] || b->f64s[i] != b->f64s[i]);
    }
}

/* Writes the set, reads it back, compares. */
static void check_round_trip(void)
{
    ml_params *back = NULL;
    char *text = text_of(set);
    OK(ml_params_new(ctx, &back, ERR));
    ml_status status = ml_params_read_yaml(back, text, strlen(text), ERR);
    ck_assert_msg(status == ML_OK, "%s\n%s", ml_error_message(ERR), text);
    ck_assert_int_eq(ml_params_count(back), ml_params_count(set));
    for (int64_t i = 0; i < ml_params_count(set); i++) {
        same_value(&set->values[i], &back->values[i]);
    }
    free(text);
    ml_params_free(back);
}

START_TEST(round_trips_every_type)
{
    setup();
    OK(read_text("b: true\nl: [1, -2]\nf: [1.0, 0.1, .inf, -.inf, .nan]\n"
                 "s: [a, '', \"1\", 'null', \"[x]\", \"a: b\", '#c']\ne: []\nu:\n",
                 ERR));
    OK(ml_params_set_i64(set, "i", INT64_MIN, ERR));
    OK(ml_params_set_i64(set, "j", INT64_MAX, ERR));
    static const double reals[] = {
        0,    -0.0,       1,   200,      0.1,       1e300, 5e-324,
        1e16, 123456.789, NAN, INFINITY, -INFINITY, 1e100, 9007199254740992};
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        char name[16];
        snprintf(name, sizeof name, "r%zu", i);
        OK(ml_params_set_f64(set, name, reals[i], ERR));
    }
    check_round_trip();
    teardown();
}
END_TEST

START_TEST(round_trips_hard_texts)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "a",
                                        "true",
                                        "True",
                                        "no",
                                        "y",
                                        "null",
                                        "~",
                                        "1",
                                        "1.0",
                                        "0x1f",
                                        ".inf",
                                        ".nan",
                                        "nan",
                                        "inf",
                                        "1e3",
                                        "-",
                                        "- a",
                                        "a: b",
                                        "a #b",
                                        "#",
                                        "'",
                                        "\"",
                                        "\\",
                                        "[a]",
                                        "{a}",
                                        "a,b",
                                        "&a",
                                        "*a",
                                        "!a",
                                        "%a",
                                        "@a",
                                        "`a",
                                        "|",
                                        ">",
                                        "?",
                                        ":",
                                        "a:",
                                        "line\nbreak",
                                        "tab\there",
                                        "\r\n",
                                        "trailing ",
                                        " leading",
                                        "caf\xc3\xa9",
                                        "\xf0\x9f\x98\x80",
                                        "\xc2\x85next line",
                                        "\xe2\x80\xa8separator",
                                        "\xef\xbb\xbf bom",
                                        "\x01\x02\x1f\x7f",
                                        "\xc2\x80",
                                        "---",
                                        "...",
                                        "--- a",
                                        "C:\\path",
                                        "/a/b.csv",
                                        "a/b",
                                        "<<",
                                        "=",
                                        "2020-01-01",
                                        "12:30",
                                        "1_000",
                                        "0o17",
                                        "+1",
                                        "\xef\xbf\xbf",
                                        "off"};
    setup();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%zu", i);
        OK(ml_params_set_str(set, name, texts[i], ERR));
        if (*texts[i]) OK(ml_params_set_str(set, texts[i], "as a name", ERR));
    }
    check_round_trip();
    teardown();
}
END_TEST

START_TEST(round_trips_long_names)
{
    setup();
    char name[3001];
    for (int n = 100; n < 3000; n += 217) {
        memset(name, n & 1 ? 'a' : '\x01', (size_t)n);
        name[n] = 0;
        OK(ml_params_set_str(set, name, name, ERR));
    }
    check_round_trip();
    teardown();
}
END_TEST

START_TEST(round_trips_random_texts)
{
    uint32_t state = 12345;
    for (int round = 0; round < 300; round++) {
        setup();
        for (int i = 0; i < 20; i++) {
            char text[80] = "", name[16];
            size_t n = 0;
            for (int k = 0; k < 10; k++) {
                static const char *const pieces[] = {"a",
                                                     " ",
                                                     ":",
                                                     "#",
                                                     "-",
                                                     "\n",
                                                     "'",
                                                     "\"",
                                                     "\\",
                                                     "[",
                                                     "]",
                                                     "{",
                                                     ",",
                                                     "1",
                                                     ".",
                                                     "\t",
                                                     "\xc3\xa9",
                                                     "\xc2\x85",
                                                     "\xe2\x80\xa9",
                                                     "e",
                                                     "&",
                                                     "*",
                                                     "!",
                                                     "|"};
                state = state * 1664525 + 1013904223;
                const char *piece = pieces[(state >> 16) % 24];
                memcpy(text + n, piece, strlen(piece) + 1);
                n += strlen(piece);
            }
            snprintf(name, sizeof name, "k%d", i);
            OK(ml_params_set_str(set, name, text, ERR));
        }
        check_round_trip();
        teardown();
    }
}
END_TEST

START_TEST(writes_plainly)
{
    setup();
    OK(ml_params_set_i64(set, "n_trees", 100, ERR));
    OK(ml_params_set_f64(set, "rate", 2, ERR));
    OK(ml_params_set_str(set, "growth", "leafwise", ERR));
    OK(ml_params_set_str(set, "odd name", "x y", ERR));
    OK(read_text("cols: [a, \"b c\"]\n", ERR));
    char *text = text_of(set);
    ck_assert_str_eq(text, "n_trees: 100\nrate: 2.0\ngrowth: leafwise\n"
                           "\"odd name\": \"x y\"\ncols: [a, \"b c\"]\n");
    free(text);
    char tight[8] = "zzzzzzz";
    size_t needed = 0;
    OK(ml_params_write_yaml(set, tight, sizeof tight, &needed, ERR));
    ck_assert_str_eq(tight, "n_trees");
    ck_assert_uint_gt(needed, sizeof tight);
    FAILS(ML_E_ARGUMENT, ml_params_write_yaml(NULL, tight, 8, &needed, ERR));
    FAILS(ML_E_ARGUMENT, ml_params_write_yaml(set, tight, 8, NULL, ERR));
    teardown();
}
END_TEST

START_TEST(ignores_the_locale)
{
    if (!comma_locale()) SKIP("localedef is not there");
    setup();
    OK(read_text("a: 0.5\nb: [1.5, 2.5]\nc: 0,5\n", ERR));
    expect("a", ML_PARAM_F64, "0.5");
    expect("b", ML_PARAM_F64S, "[1.5, 2.5]");
    expect("c", ML_PARAM_STR, "0,5");
    char *text = text_of(set);
    ck_assert_str_eq(text, "a: 0.5\nb: [1.5, 2.5]\nc: \"0,5\"\n");
    free(text);
    teardown();
}
END_TEST

static ml_status use_yaml(failing_alloc *f)
{
    static const char text[] = "a: 1\nb: 0.5\nc: [x, y, z, x, y, z, x, y, z]\nd: true\n"
                               "e: [1, 2]\nf: text\ng: 'h'\n1: 2\n2: 3\n";
    ml_host host = failing_host(f);
    ml_context *c = NULL;
    ml_params *p = NULL;
    char buffer[256];
    size_t needed;
    ml_status status = ml_context_new(&host, &c, ERR);
    if (status != ML_OK) return status;
    status = ml_params_new(c, &p, ERR);
    if (status == ML_OK) status = ml_params_set_i64(p, "a", 5, ERR);
    if (status == ML_OK) {
        status = ml_params_read_yaml(p, text, sizeof text - 1, ERR);
        if (status != ML_OK) { /* all or nothing */
            ck_assert_int_eq(ml_params_count(p), 1);
            ck_assert_int_eq(mli_get_i64(p, "a"), 5);
        }
    }
    if (status == ML_OK) status = ml_params_write_yaml(p, buffer, 256, &needed, ERR);
    ml_params_free(p);
    ml_context_free(c);
    return status;
}

START_TEST(survives_no_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, use_yaml(&f));
}
END_TEST

TEST_MAIN("serialization/params_yaml", types_scalars, types_lists, reads_json,
          reads_nothing, adds_to_the_set, refuses_with_place, nothing_expands,
          round_trips_every_type, round_trips_hard_texts, round_trips_long_names,
          round_trips_random_texts, writes_plainly, ignores_the_locale,
          survives_no_memory)
