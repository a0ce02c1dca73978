/* SPDX-License-Identifier: MIT
 *
 * Sketches of columns: beside the whole data, merged in any order, read from damaged
 * text.
 */
#include "csv_testing.h"
#include "failing.h"
#include "testing_data.h"

static ml_status try_part(ml_context *ctx, const ml_table *t, const char *part,
                          ml_table **out)
{
    ml_params *p = NULL;
    ml_status status = ml_params_new(ctx, &p, ERR);
    if (!status) status = ml_params_set_str(p, "part", part, ERR);
    if (!status) status = ml_table_profile(t, p, out, ERR);
    ml_params_free(p);
    return status;
}

static ml_table *part(ml_context *ctx, const ml_table *t, const char *name)
{
    ml_table *out = NULL;
    OK(try_part(ctx, t, name, &out));
    return out;
}

/* Takes both over. */
static ml_table *below(ml_context *ctx, ml_table *a, ml_table *b)
{
    ml_params *p = NULL;
    ml_table *out = NULL;
    if (!a) return b;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_set_str(p, "how", "union", ERR));
    OK(ml_table_join(a, b, p, &out, ERR));
    ml_params_free(p);
    ml_table_free(a);
    ml_table_free(b);
    return out;
}

/* The sketches of `parts` equal parts of a table, put together. */
static ml_table *merged(ml_context *ctx, const ml_table *t, int64_t parts)
{
    ml_table *all = NULL;
    int64_t n = ml_table_rows(t);
    for (int64_t i = 0; i < parts; i++) {
        ml_table *some = NULL;
        OK(ml_table_slice(t, i * n / parts, (i + 1) * n / parts, &some, ERR));
        all = below(ctx, all, part(ctx, some, "sketch"));
        ml_table_free(some);
    }
    ml_table *out = part(ctx, all, "merge");
    ml_table_free(all);
    return out;
}

static double number(const ml_table *t, int64_t row, const char *column)
{
    int64_t c = ml_table_find(t, column);
    ck_assert_msg(c >= 0, "no column %s", column);
    return ml_table_get_f64(t, row, c);
}

static uint64_t state = 7;
static double uniform(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) * 0x1p-53;
}

/* ---- few values: nothing is lost ---- */

START_TEST(few_values_are_exact)
{
    ml_context *ctx = test_context(2);
    ml_table *t = CSV(ctx,
                      "n,c,d,w\n1,red,2024-01-05,one\n2.5,blue,2024-01-01,\n,red,,three\n"
                      "4,red,2024-03-01,three\n-7,,2024-02-01,four\n9,green,,five\n",
                      "types", "n:f64,c:category,d:date,w:text", NULL);
    ml_table *plain = part(ctx, t, "columns");
    for (int64_t parts = 1; parts <= 6; parts++) {
        static const char *const same[] = {"rows", "missing", "distinct", "mean", "sd",
                                           "min",  "q25",     "median",   "q75",  "max"};
        static const char *const alike[] = {"column", "type", "earliest", "latest"};
        ml_table *m = merged(ctx, t, parts);
        ck_assert_int_eq(ml_table_rows(m), 4);
        for (int64_t j = 0; j < 4; j++) {
            for (int k = 0; k < 10; k++) {
                double a = number(m, j, same[k]), b = number(plain, j, same[k]);
                ck_assert_msg(isnan(b) ? isnan(a) : fabs(a - b) < 1e-14 * (1 + fabs(b)),
                              "%s of %d: %g, %g", same[k], (int)j, a, b);
            }
            for (int k = 0; k < 4; k++) {
                char text[256];
                memcpy(text, cell(m, j, alike[k]), sizeof text);
                ck_assert_str_eq(text, cell(plain, j, alike[k]));
            }
        }
        ck_assert_str_eq(cell(m, 1, "top"), "red");
        ck_assert_double_eq(number(m, 1, "top_count"), 3);
        ck_assert_str_eq(cell(m, 3, "top"), "three");
        ml_table_free(m);
    }
    ml_table_free(plain);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- many values: within the bounds ---- */

enum { N = 60000 };
static const char *const shares[] = {"q01", "q05", "q25", "median", "q75", "q95", "q99"};
static const double share[] = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};

/* Share of values below, and half of those equal. */
static double rank_of(const double *x, double value)
{
    double sum = 0;
    for (int i = 0; i < N; i++) sum += (x[i] < value) + 0.5 * (x[i] == value);
    return sum / N;
}

START_TEST(many_values_are_near)
{
    static double x[N], rising[N];
    ml_context *ctx = test_context(2);
    for (int i = 0; i < N; i++) {
        x[i] = exp(4 * uniform()) * (uniform() < 0.5 ? -1 : 1);
        rising[i] = i;
    }
    ml_table *t = add_f64(ctx, NULL, "x", N, x);
    t = add_f64(ctx, t, "rising", N, rising);
    for (int64_t parts = 1; parts <= 30; parts += 29) {
        ml_table *m = merged(ctx, t, parts);
        for (int k = 0; k < 7; k++) {
            ck_assert(fabs(rank_of(x, number(m, 0, shares[k])) - share[k]) < 0.006);
            ck_assert(fabs(rank_of(rising, number(m, 1, shares[k])) - share[k]) < 0.006);
        }
        ck_assert(fabs(number(m, 0, "distinct") / N - 1) < 0.06);
        ck_assert(fabs(number(m, 1, "mean") - (N - 1) / 2.0) < 1e-6);
        ck_assert_double_eq(number(m, 1, "max"), N - 1);
        ml_table_free(m);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(frequent_values_are_found)
{
    enum { M = 40000 };
    static char texts[M][8];
    static const char *words[M];
    ml_context *ctx = test_context(1);
    for (int i = 0; i < M; i++) {
        int often = uniform() < 0.1;
        snprintf(texts[i], sizeof texts[i], "%s%d", often ? "top" : "w",
                 often ? 0 : (int)(uniform() * 5000));
        words[i] = texts[i];
    }
    ml_table *t = add_text(ctx, NULL, "w", M, words);
    ml_table *m = merged(ctx, t, 10);
    double count = number(m, 0, "top_count");
    ck_assert_str_eq(cell(m, 0, "top"), "top0");
    /* too low by one part in 257 at most */
    ck_assert(count > 0.1 * M - 300 - M / 257.0 && count < 0.1 * M + 300);
    ck_assert(fabs(number(m, 0, "distinct") / 5001 - 1) < 0.06);
    ml_table_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(merged_sketches_merge_again)
{
    static double x[N];
    ml_context *ctx = test_context(1);
    for (int i = 0; i < N; i++) x[i] = uniform();
    ml_table *t = add_f64(ctx, NULL, "x", N, x), *some = NULL, *rest = NULL;
    OK(ml_table_slice(t, 0, N / 3, &some, ERR));
    OK(ml_table_slice(t, N / 3, N, &rest, ERR));
    ml_table *twice = below(ctx, merged(ctx, some, 4), merged(ctx, rest, 5));
    ml_table *m = part(ctx, twice, "merge");
    ck_assert_double_eq(number(m, 0, "rows"), N);
    for (int k = 0; k < 7; k++)
        ck_assert(fabs(rank_of(x, number(m, 0, shares[k])) - share[k]) < 0.006);
    ml_table_free(m);
    ml_table_free(twice);
    ml_table_free(some);
    ml_table_free(rest);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- what goes wrong ---- */

START_TEST(types_may_widen_but_not_change)
{
    ml_context *ctx = test_context(1);
    ml_table *a = CSV(ctx, "a\n1\n2\n", NULL), *b = CSV(ctx, "a\n0.5\n", NULL);
    ml_table *c = CSV(ctx, "a\nword\n", "types", "a:text", NULL), *out = NULL;
    ml_table *both = below(ctx, part(ctx, a, "sketch"), part(ctx, b, "sketch"));
    ml_table *m = part(ctx, both, "merge");
    ck_assert_str_eq(cell(m, 0, "type"), "f64");
    ck_assert_double_eq(number(m, 0, "max"), 2);
    both = below(ctx, both, part(ctx, c, "sketch"));
    FAILS(ML_E_TYPE, try_part(ctx, both, "merge", &out));
    SAYS("row 3");
    SAYS("\"a\" was f64 before and is text now");
    FAILS(ML_E_DATA, try_part(ctx, a, "merge", &out));
    SAYS("this is no table of sketches");
    SAYS("part: sketch");
    ml_table_free(m);
    ml_table_free(both);
    ml_table_free(a);
    ml_table_free(b);
    ml_table_free(c);
    ml_context_free(ctx);
}
END_TEST

static ml_status merge_text(ml_context *ctx, const char *text)
{
    const char *names[] = {"a"}, *texts[] = {text};
    ml_table *name = NULL, *t = NULL, *out = NULL;
    OK(ml_table_with_strs(ctx, NULL, "column", names, 1, &name, ERR));
    OK(ml_table_with_strs(ctx, name, "sketch", texts, 1, &t, ERR));
    ml_status status = try_part(ctx, t, "merge", &out);
    ml_table_free(out);
    ml_table_free(name);
    ml_table_free(t);
    return status;
}

START_TEST(damaged_sketches_are_refused)
{
    ml_context *ctx = test_context(1);
    ml_table *t = CSV(ctx, "a\n1\n2\n5\n2\n", NULL);
    ml_table *s = part(ctx, t, "sketch");
    char text[4096];
    int64_t column = ml_table_find(s, "sketch");
    int64_t n = ml_table_get_str(s, 0, column, text, sizeof text);
    ck_assert(n > 0 && n < (int64_t)sizeof text);
    OK(merge_text(ctx, text));
    for (int64_t i = 0; i < n; i++) {
        char kept = text[i];
        text[i] = 0; /* cut */
        FAILS(ML_E_DATA, merge_text(ctx, text));
        text[i] = kept == 'x' ? 'y' : 'x'; /* another value, or an error */
        ml_status status = merge_text(ctx, text);
        ck_assert(status == ML_OK || status == ML_E_DATA);
        text[i] = kept;
    }
    FAILS(ML_E_DATA, merge_text(ctx, "not base64!"));
    SAYS("row 1: the sketch is damaged");
    ml_table_free(s);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static ml_status small_work(failing_alloc *f)
{
    ml_host host = failing_host(f);
    ml_context *ctx = NULL;
    ml_table *t = NULL, *s = NULL, *m = NULL;
    ml_params *sketch = NULL, *merge = NULL;
    const char *texts[] = {"a", "b", NULL, "a"};
    ml_status st = ml_context_new(&host, &ctx, NULL);
    if (!st) st = ml_table_with_strs(ctx, NULL, "k", texts, 4, &t, NULL);
    if (!st) st = ml_params_new(ctx, &sketch, NULL);
    if (!st) st = ml_params_set_str(sketch, "part", "sketch", NULL);
    if (!st) st = ml_params_new(ctx, &merge, NULL);
    if (!st) st = ml_params_set_str(merge, "part", "merge", NULL);
    if (!st) st = ml_table_profile(t, sketch, &s, NULL);
    if (!st) st = ml_table_profile(s, merge, &m, NULL);
    ml_params_free(sketch);
    ml_params_free(merge);
    ml_table_free(t);
    ml_table_free(s);
    ml_table_free(m);
    ml_context_free(ctx);
    return st;
}

START_TEST(stands_lack_of_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, small_work(&f));
}
END_TEST

START_TEST(takes_empty_tables)
{
    ml_context *ctx = test_context(1);
    ml_table *t = CSV(ctx, "a,b\n1,x\n", "types", "b:text", NULL), *none = NULL;
    OK(ml_table_slice(t, 0, 0, &none, ERR));
    ml_table *m = merged(ctx, none, 2);
    ck_assert_double_eq(number(m, 0, "rows"), 0);
    ck_assert(isnan(number(m, 0, "median")) && isnan(number(m, 0, "min")));
    ml_table *with = below(ctx, m, part(ctx, t, "sketch"));
    m = part(ctx, with, "merge");
    ck_assert_double_eq(number(m, 0, "median"), 1);
    ck_assert_str_eq(cell(m, 1, "top"), "x");
    ml_table_free(m);
    ml_table_free(with);
    ml_table_free(none);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("data/sketch", few_values_are_exact, many_values_are_near,
          frequent_values_are_found, merged_sketches_merge_again,
          types_may_widen_but_not_change, damaged_sketches_are_refused,
          stands_lack_of_memory, takes_empty_tables)
