/* SPDX-License-Identifier: MIT
 *
 * The scanner: the vector way and the exact way agree on every text; both agree with a
 * plain reading of the grammar; parts of columns join as they should.
 */
#include "csv_testing.h"
#include "data/csv.h"

/* Random text over an alphabet that makes trouble likely. */
static size_t random_text(uint64_t *seed, const char *alphabet, char *out, size_t room)
{
    size_t kinds = strlen(alphabet);
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    size_t size = (size_t)(*seed >> 33) % room;
    for (size_t i = 0; i < size; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        out[i] = alphabet[(*seed >> 33) % kinds];
    }
    return size;
}

/* Records of an index as text: fields in brackets, records in braces. */
static void show(const mli_csv_index *x, const char *text, mli_str *out)
{
    int64_t at = 0;
    mli_str_clear(out);
    for (int64_t r = 0; r < x->records; r++) {
        int64_t size = x->width ? x->width : x->sizes[r];
        mli_str_char(out, '{');
        for (int64_t i = 0; i < size; i++, at++) {
            uint32_t begin = x->begin[at] + 1, end = x->end[at];
            mli_str_char(out, '[');
            mli_str_add_n(out, text + begin, end - begin);
            mli_str_char(out, ']');
        }
        mli_str_char(out, '}');
    }
    mli_str_printf(out, " stop %zu fault %d lines %lld", x->stop, x->fault,
                   (long long)x->lines);
}

/* Scans with both contexts, with the same cut, and compares. */
static void compare(mli_csv_index *fast, mli_csv_index *slow, const mli_csv_dialect *d,
                    const char *text, size_t size, uint64_t seed)
{
    mli_str a, b;
    mli_str_init(&a, NULL);
    mli_str_init(&b, NULL);
    for (int variant = 0; variant < 4; variant++) {
        size_t cut = variant & 1 ? size : (size_t)(seed >> 20) % (size + 1);
        int last = variant >> 1;
        int64_t width = (int64_t)(seed >> 50) % 4;
        ck_assert(mli_csv_scan(fast, d, text, cut, size, last, width));
        ck_assert(mli_csv_scan(slow, d, text, cut, size, last, width));
        show(fast, text, &a);
        show(slow, text, &b);
        ck_assert_msg(strcmp(a.data, b.data) == 0, "cut %zu of %zu, last %d\n%s\n%s", cut,
                      size, last, a.data, b.data);
    }
    mli_str_free(&a);
    mli_str_free(&b);
}

static void run_pairs(const char *alphabet, size_t room, int times)
{
    ml_context *wide = test_context_level(0, 0), *narrow = test_context_level(-1, 1);
    mli_csv_index fast, slow;
    mli_csv_index_init(&fast, wide);
    mli_csv_index_init(&slow, narrow);
    mli_csv_dialect d = {.delimiter = ',', .quote = '"', .trim = 1, .comment = ""};
    char *block = calloc(1, room + 2 * MLI_CSV_PAD), *text = block + MLI_CSV_PAD;
    uint64_t seed = 7;
    for (int i = 0; i < times; i++) {
        size_t size = random_text(&seed, alphabet, text, room);
        memset(text + size, 0, MLI_CSV_PAD);
        d.quote = i % 5 ? '"' : 0;
        d.trim = i % 3 != 0;
        compare(&fast, &slow, &d, text, size, seed);
    }
    free(block);
    mli_csv_index_free(&fast);
    mli_csv_index_free(&slow);
    ml_context_free(wide);
    ml_context_free(narrow);
}

START_TEST(fast_and_exact_agree_on_trouble)
{
    run_pairs("a,\"\n\r ", 300, 20000);
}
END_TEST

START_TEST(fast_and_exact_agree_on_quotes)
{
    run_pairs("aaaaaaaaaaaa,,,,\n\"\"", 400, 20000);
}
END_TEST

START_TEST(fast_and_exact_agree_on_numbers)
{
    run_pairs("0123456789012345678901234567890,,,,,\n", 9000, 300);
}
END_TEST

/* Vector number kernels against the general way, through a context of each level. */
static void compare_tables(const ml_table *a, const ml_table *b)
{
    ck_assert_int_eq(ml_table_rows(a), ml_table_rows(b));
    ck_assert_int_eq(ml_table_columns(a), ml_table_columns(b));
    for (int64_t j = 0; j < ml_table_columns(a); j++) {
        ck_assert_int_eq(ml_table_column_type(a, j), ml_table_column_type(b, j));
        for (int64_t i = 0; i < ml_table_rows(a); i++) {
            char x[300], y[300];
            int64_t n = ml_table_get_str(a, i, j, x, sizeof x);
            int64_t m = ml_table_get_str(b, i, j, y, sizeof y);
            ck_assert_int_eq(n, m);
            if (n >= 0) ck_assert_str_eq(x, y);
        }
    }
}

START_TEST(kernels_agree_with_the_general_way)
{
    static const char *const alphabets[] = {
        "0123456789", "0123456789.", "0123456789.-", "0123456789.-e ", "00012.", "9.-"};
    ml_context *wide = test_context_level(0, 0), *narrow = test_context_level(-1, 1);
    uint64_t seed = 11;
    for (int round = 0; round < 600; round++) {
        mli_str s;
        mli_str_init(&s, NULL);
        mli_str_add(&s, "a,b\n");
        for (int i = 0; i < 40; i++) {
            char field[40];
            size_t n =
                random_text(&seed, alphabets[round % 6], field, round % 2 ? 20 : 8);
            mli_str_add_n(&s, field, n);
            mli_str_add(&s, ",1.5\n");
        }
        ml_table *a = NULL, *b = NULL;
        ml_params *p = NULL;
        OK(ml_params_new(wide, &p, ERR));
        OK(ml_params_set_str(p, "header", "yes", ERR));
        OK(ml_params_set_str(p, "delimiter", ",", ERR));
        if (round % 3 == 0) OK(ml_params_set_str(p, "trim", "false", ERR));
        OK(csv_read_size(wide, s.data, s.size, p, &a));
        OK(csv_read_size(narrow, s.data, s.size, p, &b));
        compare_tables(a, b);
        ml_table_free(a);
        ml_table_free(b);
        ml_params_free(p);
        mli_str_free(&s);
    }
    ml_context_free(wide);
    ml_context_free(narrow);
}
END_TEST

START_TEST(reals_are_exact)
{
    ml_context *ctx = test_context_level(0, 0);
    uint64_t seed = 3;
    mli_str s;
    mli_str_init(&s, NULL);
    double values[2000];
    mli_str_add(&s, "a,b\n");
    for (int i = 0; i < 2000; i++) {
        char number[64];
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        int digits = 1 + (int)((seed >> 40) % 19), point = (int)((seed >> 50) % 20);
        int n = 0;
        if (seed >> 63) number[n++] = '-';
        if (point == 0) number[n++] = '0';
        for (int k = 0; k < digits; k++) {
            if (k == point) number[n++] = '.';
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            number[n++] = (char)('0' + (seed >> 33) % 10);
        }
        if (point == 0 || digits <= point) {
            number[n++] = '.';
            number[n++] = '5';
        }
        number[n] = 0;
        if (point == 0 && strchr(number, '.') != strrchr(number, '.')) n -= 2;
        number[n] = 0;
        values[i] = strtod(number, NULL);
        mli_str_printf(&s, "%s,x\n", number);
    }
    ml_table *t = NULL;
    OK(csv_read_size(ctx, s.data, s.size, NULL, &t));
    ck_assert_str_eq(type_of(t, 0), "f64");
    for (int i = 0; i < 2000; i++) {
        double v = ml_table_get_f64(t, i, 0);
        ck_assert_msg(memcmp(&v, &values[i], sizeof v) == 0, "row %d: %.17g, not %.17g",
                      i, v, values[i]);
    }
    ml_table_free(t);
    mli_str_free(&s);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("data/csv_scan", fast_and_exact_agree_on_trouble,
          fast_and_exact_agree_on_quotes, fast_and_exact_agree_on_numbers,
          kernels_agree_with_the_general_way, reals_are_exact)
