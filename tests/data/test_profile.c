/* SPDX-License-Identifier: MIT
 *
 * The profile of a table, against values worked out by hand or the slow way.
 */
#include "core/rng.h"
#include "data/distinct.h"
#include "data/table.h"
#include "failing.h"

static ml_context *ctx;

/* The cell of the profile for a column of the table; "." when missing. */
static const char *text_of(const ml_table *p, const char *column, const char *what)
{
    static char name[64], text[256];
    int64_t at = ml_table_find(p, what);
    ck_assert_int_ge(at, 0);
    for (int64_t i = 0; i < ml_table_rows(p); i++) {
        ck_assert_int_ge(ml_table_get_str(p, i, 0, name, sizeof name), 0);
        if (strcmp(name, column) != 0) continue;
        return ml_table_get_str(p, i, at, text, sizeof text) < 0 ? "." : text;
    }
    ck_abort_msg("no row for %s", column);
    return NULL;
}

static double number_of(const ml_table *p, const char *column, const char *what)
{
    const char *text = text_of(p, column, what);
    return strcmp(text, ".") == 0 ? NAN : strtod(text, NULL);
}

static ml_table *profile_of(ml_table *t)
{
    ml_table *p = NULL;
    OK(ml_table_profile(t, NULL, &p, ERR));
    ck_assert_int_eq(ml_table_rows(p), ml_table_columns(t));
    return p;
}

static ml_table *add_numbers(ml_table *t, const char *name, int32_t dtype, int64_t n,
                             const void *data)
{
    ml_tensor *x = NULL;
    ml_table *more = NULL;
    OK(ml_tensor_new(ctx, dtype, 1, &n, NULL, data, &x, ERR));
    OK(ml_table_with_tensor(t, name, x, &more, ERR));
    ml_tensor_free(x);
    ml_table_free(t);
    return more;
}

static ml_table *add_texts(ml_table *t, const char *name, int64_t n,
                           const char *const *texts)
{
    ml_table *more = NULL;
    OK(ml_table_with_strs(ctx, t, name, texts, n, &more, ERR));
    ml_table_free(t);
    return more;
}

START_TEST(numbers_by_hand)
{
    double x[] = {4, 1, NAN, 3, 2, 4};
    int64_t k[] = {-1, 0, 0, 0, 1, 2};
    uint8_t b[] = {1, 0, 1, 1, 1, 1};
    ml_table *t = add_numbers(NULL, "x", ML_DTYPE_F64, 6, x);
    t = add_numbers(t, "k", ML_DTYPE_I64, 6, k);
    t = add_numbers(t, "b", ML_DTYPE_BOOL, 6, b);
    ml_table *p = profile_of(t);
    ck_assert_str_eq(text_of(p, "x", "type"), "f64");
    ck_assert_str_eq(text_of(p, "x", "rows"), "6");
    ck_assert_str_eq(text_of(p, "x", "missing"), "1"); /* NaN counts */
    ck_assert_double_eq_tol(number_of(p, "x", "missing_percent"), 100.0 / 6, 1e-12);
    ck_assert_str_eq(text_of(p, "x", "distinct"), "4");
    ck_assert_double_eq(number_of(p, "x", "mean"), 2.8);
    ck_assert_double_eq_tol(number_of(p, "x", "sd"), sqrt(1.7), 1e-14);
    ck_assert_str_eq(text_of(p, "x", "min"), "1");
    ck_assert_str_eq(text_of(p, "x", "q25"), "2");
    ck_assert_str_eq(text_of(p, "x", "median"), "3");
    ck_assert_str_eq(text_of(p, "x", "q75"), "4");
    ck_assert_str_eq(text_of(p, "x", "max"), "4");
    ck_assert_str_eq(text_of(p, "x", "top"), "4");
    ck_assert_str_eq(text_of(p, "x", "top_count"), "2");
    ck_assert_str_eq(text_of(p, "x", "warnings"), ".");
    ck_assert_str_eq(text_of(p, "k", "median"), "0");
    ck_assert_str_eq(text_of(p, "k", "q75"), "0.75"); /* between 0 and 1 */
    ck_assert_str_eq(text_of(p, "k", "top"), "0");
    ck_assert_str_eq(text_of(p, "k", "top_count"), "3");
    ck_assert_str_eq(text_of(p, "b", "type"), "bool");
    ck_assert_str_eq(text_of(p, "b", "top"), "true");
    ck_assert_double_eq_tol(number_of(p, "b", "mean"), 5.0 / 6, 1e-15);
    ml_table_free(p);
    ml_table_free(t);
}
END_TEST

START_TEST(texts_and_times)
{
    static const char *const texts[] = {"b", "a", NULL, "a", "", "b"};
    static const int32_t codes[] = {1, 0, -1, 1, 1, 0};
    static const char *const levels[] = {"no", "yes", "unused"};
    static const int32_t days[] = {10, 0, 5, 0, 3, 10};
    static const int64_t micros[] = {1, -1, 5, 0, 3, 10};
    mli_builder *b = NULL;
    ml_table *t = NULL;
    OK(mli_builder_new(ctx, 6, &b, ERR));
    OK(mli_builder_text(b, "s", texts, ERR));
    OK(mli_builder_category(b, "c", codes, levels, 3, ERR));
    OK(mli_builder_i64(b, "t", micros, ERR));
    OK(mli_builder_finish(b, &t, ERR));
    t->columns[2].type = ML_TYPE_TIMESTAMP;
    t = add_numbers(t, "d", ML_DTYPE_I32, 6, days);
    t->columns[3].type = ML_TYPE_DATE;
    ml_table *p = profile_of(t);
    ck_assert_str_eq(text_of(p, "s", "type"), "text");
    ck_assert_str_eq(text_of(p, "s", "missing"), "1");
    ck_assert_str_eq(text_of(p, "s", "distinct"), "3");
    ck_assert_str_eq(text_of(p, "s", "top"), "b"); /* the earlier of two */
    ck_assert_str_eq(text_of(p, "s", "top_count"), "2");
    ck_assert_str_eq(text_of(p, "s", "mean"), ".");
    ck_assert_str_eq(text_of(p, "s", "min"), ".");
    ck_assert_str_eq(text_of(p, "c", "type"), "category");
    ck_assert_str_eq(text_of(p, "c", "missing"), "1");
    ck_assert_str_eq(text_of(p, "c", "distinct"), "2");
    ck_assert_str_eq(text_of(p, "c", "top"), "yes");
    ck_assert_str_eq(text_of(p, "c", "earliest"), ".");
    ck_assert_str_eq(text_of(p, "d", "earliest"), "1970-01-01");
    ck_assert_str_eq(text_of(p, "d", "latest"), "1970-01-11");
    ck_assert_str_eq(text_of(p, "d", "top"), "1970-01-11");
    ck_assert_str_eq(text_of(p, "d", "mean"), ".");
    ck_assert_str_eq(text_of(p, "t", "earliest"), "1969-12-31T23:59:59.999999Z");
    ck_assert_str_eq(text_of(p, "t", "latest"), "1970-01-01T00:00:00.00001Z");
    ck_assert_str_eq(text_of(p, "t", "distinct"), "6");
    ml_table_free(p);
    ml_table_free(t);
}
END_TEST

START_TEST(warnings)
{
    enum { N = 200 };
    static double same[N], gone[N], sparse[N], wild[N], near[N], plain[N];
    static int64_t ids[N], copies[N];
    static char words[N][48], prose[N][64], figures[N][8], days[N][16], money[N][16];
    static const char *words_of[N], *prose_of[N], *figures_of[N], *none[N];
    static const char *days_of[N], *money_of[N];
    for (int i = 0; i < N; i++) {
        same[i] = 7;
        gone[i] = NAN;
        sparse[i] = i % 3 ? (double)NAN : i % 7;
        wild[i] = i == 50 ? (double)INFINITY : i % 9;
        near[i] = i == 50;
        plain[i] = i * 37 % 11;
        ids[i] = 1000 + i;
        copies[i] = i * 37 % 11;
        snprintf(words[i], sizeof words[i], "id-%d", i);
        snprintf(prose[i], sizeof prose[i], "number %d is a sentence of some length", i);
        snprintf(figures[i], sizeof figures[i], "%d.5", i % 5);
        snprintf(days[i], sizeof days[i], "%d/%d/2024", i % 12 + 1, i % 5 + 1);
        snprintf(money[i], sizeof money[i], "$1,%03d.50", i % 5);
        days_of[i] = days[i];
        money_of[i] = money[i];
        words_of[i] = words[i];
        prose_of[i] = prose[i];
        figures_of[i] = figures[i];
    }
    ml_table *t = add_numbers(NULL, "same", ML_DTYPE_F64, N, same);
    t = add_numbers(t, "gone", ML_DTYPE_F64, N, gone);
    t = add_numbers(t, "sparse", ML_DTYPE_F64, N, sparse);
    t = add_numbers(t, "wild", ML_DTYPE_F64, N, wild);
    t = add_numbers(t, "near", ML_DTYPE_F64, N, near);
    t = add_numbers(t, "plain", ML_DTYPE_F64, N, plain);
    t = add_numbers(t, "ids", ML_DTYPE_I64, N, ids);
    t = add_numbers(t, "copies", ML_DTYPE_I64, N, copies);
    t = add_texts(t, "words", N, words_of);
    t = add_texts(t, "prose", N, prose_of);
    t = add_texts(t, "figures", N, figures_of);
    t = add_texts(t, "days", N, days_of);
    t = add_texts(t, "money", N, money_of);
    t = add_texts(t, "none", N, none);
    ml_table *p = profile_of(t);
    static const struct {
        const char *column, *warnings;
    } cases[] = {
        {"same", "constant"},
        {"gone", "all missing"},
        {"sparse", "mostly missing"},
        {"wild", "infinite values"},
        {"near", "nearly constant"},
        {"plain", "."},
        {"ids", "identifier-like"},
        {"copies", "duplicate of plain"}, /* equal numbers of another type */
        {"words", "identifier-like"},
        {"prose", "free text"},
        {"figures", "numbers as text"},
        {"days", "dates as text"},
        {"money", "numbers as text"},
        {"none", "all missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *found = text_of(p, cases[i].column, "warnings");
        ck_assert_msg(strcmp(found, cases[i].warnings) == 0, "%s: %s", cases[i].column,
                      found);
    }
    ck_assert_str_eq(text_of(p, "gone", "mean"), ".");
    ck_assert_str_eq(text_of(p, "gone", "top"), ".");
    ck_assert_str_eq(text_of(p, "wild", "max"), "inf");
    ck_assert_str_eq(text_of(p, "none", "distinct"), "0");
    ml_table_free(p);
    ml_table_free(t);
}
END_TEST

START_TEST(empty_tables)
{
    ml_table *t = add_numbers(NULL, "x", ML_DTYPE_F64, 0, NULL), *none = NULL;
    t = add_texts(t, "s", 0, NULL);
    ml_table *p = profile_of(t);
    ck_assert_str_eq(text_of(p, "x", "rows"), "0");
    ck_assert_str_eq(text_of(p, "x", "missing_percent"), ".");
    ck_assert_str_eq(text_of(p, "s", "warnings"), ".");
    ml_table_free(p);
    OK(ml_table_select(t, NULL, 0, &none, ERR));
    p = profile_of(none);
    ml_table_free(p);
    ml_table_free(none);
    FAILS(ML_E_ARGUMENT, ml_table_profile(NULL, NULL, &p, ERR));
    FAILS(ML_E_ARGUMENT, ml_table_profile(t, NULL, NULL, ERR));
    ml_table_free(t);
}
END_TEST

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Random columns of many shapes against sorting. */
START_TEST(quartiles_against_sorting)
{
    enum { N = 5000 };
    static double x[N], sorted[N];
    mli_rng rng;
    mli_rng_init(&rng, 1, 0, 0);
    for (int64_t n = 1; n < N; n = n * 3 / 2 + 1) {
        for (int shape = 0; shape < 4; shape++) {
            for (int64_t i = 0; i < n; i++) {
                double v = shape == 0   ? mli_rng_normal(&rng)
                           : shape == 1 ? (double)i
                           : shape == 2 ? (double)(n - i)
                                        : (double)mli_rng_below(&rng, 4);
                x[i] = sorted[i] = v;
            }
            qsort(sorted, (size_t)n, sizeof *sorted, by_value);
            ml_table *t = add_numbers(NULL, "x", ML_DTYPE_F64, n, x), *p = profile_of(t);
            static const char *const names[] = {"min", "q25", "median", "q75", "max"};
            for (int q = 0; q < 5; q++) {
                double at = 0.25 * q * (double)(n - 1);
                int64_t k = (int64_t)at, next = k + 1 < n ? k + 1 : k;
                double expected =
                    sorted[k] + (at - (double)k) * (sorted[next] - sorted[k]);
                ck_assert_double_eq_tol(number_of(p, "x", names[q]), expected, 1e-12);
            }
            ml_table_free(p);
            ml_table_free(t);
        }
    }
}
END_TEST

START_TEST(counting_keys)
{
    mli_distinct d;
    int64_t row;
    ck_assert(mli_distinct_init(&d, ctx));
    for (int64_t n = 1; n <= 5000000; n *= 7) {
        mli_distinct_clear(&d);
        ck_assert_int_eq(mli_distinct_number(&d), 0);
        ck_assert_int_eq(mli_distinct_top(&d, &row), 0);
        for (int64_t i = 0; i < n; i++) mli_distinct_add(&d, (uint64_t)(i * i), i);
        for (int64_t i = 0; i < n; i += 3) mli_distinct_add(&d, (uint64_t)(i * i), n + i);
        double found = (double)mli_distinct_number(&d);
        if (n <= MLI_DISTINCT_LIMIT) {
            ck_assert_double_eq(found, (double)n);
            ck_assert_int_eq(mli_distinct_top(&d, &row), 2);
            ck_assert_int_eq(row, 0);
        } else {
            ck_assert_double_eq_tol(found / (double)n, 1, 0.03);
            ck_assert_int_eq(mli_distinct_top(&d, &row), 0);
        }
    }
    mli_distinct_free(&d, ctx);
}
END_TEST

START_TEST(many_rows)
{
    enum { N = 3000000 };
    double *x = malloc(N * sizeof *x);
    int64_t *k = malloc(N * sizeof *k);
    mli_rng rng;
    mli_rng_init(&rng, 1, 0, 0);
    for (int64_t i = 0; i < N; i++) {
        x[i] = mli_rng_f64(&rng);
        k[i] = i * 1000;
    }
    ml_table *t = add_numbers(NULL, "x", ML_DTYPE_F64, N, x);
    t = add_numbers(t, "k", ML_DTYPE_I64, N, k);
    ml_table *p = profile_of(t);
    ck_assert_double_eq_tol(number_of(p, "x", "q25"), 0.25, 0.003);
    ck_assert_double_eq_tol(number_of(p, "x", "median"), 0.5, 0.003);
    ck_assert_double_eq_tol(number_of(p, "x", "q75"), 0.75, 0.003);
    ck_assert_double_eq_tol(number_of(p, "x", "sd"), sqrt(1.0 / 12), 0.001);
    ck_assert_double_eq_tol(number_of(p, "x", "distinct") / N, 1, 0.03);
    ck_assert_str_eq(text_of(p, "x", "top"), ".");
    /* a column in order: the sample is spread over all of it */
    ck_assert_double_eq_tol(number_of(p, "k", "q25") / (N * 1000.0), 0.25, 0.001);
    ck_assert_double_eq_tol(number_of(p, "k", "q75") / (N * 1000.0), 0.75, 0.001);
    ck_assert_str_eq(text_of(p, "k", "warnings"), "identifier-like");
    ml_table_free(p);
    ml_table_free(t);
    free(x);
    free(k);
}
END_TEST

/* The profile is the same whatever the number of threads. */
START_TEST(threads_do_not_matter)
{
    enum { N = 20000, M = 9 };
    double *x = malloc(N * M * sizeof *x);
    mli_rng rng;
    mli_rng_init(&rng, 9, 0, 0);
    for (int64_t i = 0; i < N * M; i++) x[i] = mli_rng_normal(&rng);
    char *first = NULL;
    for (int32_t threads = 1; threads <= 5; threads += 2) {
        ml_context *c = test_context(threads);
        ml_tensor *data = NULL;
        ml_table *t = NULL, *p = NULL;
        OK(ml_tensor_wrap(c, ML_DTYPE_F64, 2, (int64_t[]){N, M}, NULL, x, NULL, NULL,
                          &data, ERR));
        OK(ml_table_read_tensor(c, data, NULL, &t, ERR));
        OK(ml_table_profile(t, NULL, &p, ERR));
        mli_str s;
        mli_str_init(&s, NULL);
        for (int64_t i = 0; i < ml_table_rows(p); i++) {
            for (int64_t j = 0; j < ml_table_columns(p); j++) {
                mli_column_print(&p->columns[j], i, &s);
                mli_str_char(&s, ' ');
            }
        }
        char *text = mli_str_take(&s);
        if (first) ck_assert_str_eq(text, first);
        if (!first) first = strdup(text);
        mli_free(NULL, text);
        ml_table_free(p);
        ml_table_free(t);
        ml_tensor_free(data);
        ml_context_free(c);
    }
    free(first);
    free(x);
}
END_TEST

static ml_status whole_life(failing_alloc *f)
{
    ml_context *c = NULL;
    ml_table *t = NULL, *p = NULL;
    ml_host host = failing_host(f);
    static const char *const texts[] = {"a", "b", NULL, "a"};
    ml_status status = ml_context_new(&host, &c, NULL);
    if (!status) status = ml_table_with_strs(c, NULL, "s", texts, 4, &t, NULL);
    if (!status) status = ml_table_profile(t, NULL, &p, NULL);
    ml_context_free(c);
    ml_table_free(p);
    ml_table_free(t);
    return status;
}

START_TEST(out_of_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, whole_life(&f));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        numbers_by_hand, texts_and_times,           warnings,
        empty_tables,    quartiles_against_sorting, counting_keys,
        many_rows,       threads_do_not_matter,     out_of_memory};
    ctx = test_context(2);
    int result = test_run("data/profile", tests, (int)(sizeof tests / sizeof tests[0]));
    ml_context_free(ctx);
    return result;
}
