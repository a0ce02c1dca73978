/* SPDX-License-Identifier: MIT
 *
 * Parts of a profile: correlations against tests/reference/profile.py, the target's
 * predictors, roles, rows that occur twice.
 */
#include "data/table.h"
#include "failing.h"

#include <ml/params.h>

static ml_context *ctx;

enum { N = 100 };

/* Columns x, y (numbers), a, c (texts), z = 15 numbers, of tests/reference/profile.py. */
static ml_table *example(ml_context *c)
{
    static const char *const letters[] = {"p", "q", "r", "s", "t"};
    const char *a[N], *b[N];
    double x[N], y[N], z[N];
    mli_builder *built = NULL;
    ml_table *t = NULL;
    for (int i = 0; i < N; i++) {
        x[i] = i % 7;
        y[i] = (i * i) % 11;
        z[i] = i % 15;
        a[i] = letters[(i * i) % 5];
        b[i] = letters[(i % 5) * (i % 3 > 0)];
    }
    if (mli_builder_new(c, N, &built, NULL)) return NULL;
    if (!mli_builder_f64(built, "x", x, NULL) && !mli_builder_f64(built, "y", y, NULL) &&
        !mli_builder_f64(built, "z", z, NULL) && !mli_builder_text(built, "a", a, NULL) &&
        !mli_builder_text(built, "c", b, NULL))
        return mli_builder_finish(built, &t, NULL) ? NULL : t;
    mli_builder_free(built);
    return NULL;
}

static ml_status part(ml_context *c, const ml_table *t, const char *name,
                      const char *target, ml_table **out, ml_error *err)
{
    ml_params *o = NULL;
    ml_status st = ml_params_new(c, &o, err);
    if (!st) st = ml_params_set_str(o, "part", name, err);
    if (!st && target) st = ml_params_set_str(o, "target", target, err);
    if (!st) st = ml_table_profile(t, o, out, err);
    ml_params_free(o);
    return st;
}

/* Value and method of a pair. */
static double pair(const ml_table *p, const char *first, const char *second,
                   const char *method)
{
    char name[16];
    for (int64_t i = 0; i < ml_table_rows(p); i++) {
        ml_table_get_str(p, i, 0, name, sizeof name);
        if (strcmp(name, first) != 0) continue;
        ml_table_get_str(p, i, 1, name, sizeof name);
        if (strcmp(name, second) != 0) continue;
        ml_table_get_str(p, i, 2, name, sizeof name);
        ck_assert_str_eq(name, method);
        return ml_table_get_f64(p, i, 3);
    }
    ck_abort_msg("no pair %s %s", first, second);
    return NAN;
}

START_TEST(correlations)
{
    ml_table *t = example(ctx), *p = NULL;
    OK(part(ctx, t, "correlations", NULL, &p, ERR));
    ck_assert_int_eq(ml_table_rows(p), 10);
    ck_assert_double_eq_tol(pair(p, "x", "y", "pearson"), 0.004896682281238261, 1e-14);
    ck_assert_double_eq_tol(pair(p, "y", "a", "eta"), 0, 1e-14);
    ck_assert_double_eq_tol(pair(p, "a", "c", "cramer_v"), 0.6639595544729151, 1e-12);
    ck_assert_double_eq_tol(pair(p, "z", "c", "eta"), 0.3680511868042707, 1e-12);
    for (int64_t i = 1; i < 10; i++)
        ck_assert(fabs(ml_table_get_f64(p, i, 3)) <= fabs(ml_table_get_f64(p, i - 1, 3)));
    ml_table_free(p);
    ml_table_free(t);
}
END_TEST

static const char *cell(const ml_table *p, int64_t row, const char *what)
{
    static char text[128];
    int64_t at = ml_table_find(p, what);
    ck_assert_int_ge(at, 0);
    return ml_table_get_str(p, row, at, text, sizeof text) < 0 ? "." : text;
}

/* A column that is the target in other words, one that says half, one that says nothing.
 */
START_TEST(predictors)
{
    enum { ROWS = 400 };
    static const char *const words[] = {"left", "yes", "no", "noise"};
    double half[ROWS], noise[ROWS], weak[ROWS];
    const char *leak[ROWS], *target[ROWS], *note[ROWS];
    char notes[ROWS][16];
    mli_builder *b = NULL;
    ml_table *t = NULL, *p = NULL;
    for (int i = 0; i < ROWS; i++) {
        int y = (i * 7919 % 1009) & 1;
        target[i] = words[1 + y];
        leak[i] = y ? "left" : NULL;
        half[i] = i % 4 < 2 ? y : 2;
        noise[i] = i * 104729 % 1013;
        weak[i] = i * 7907 % 997 + 300 * y; /* a little, in many levels */
        snprintf(notes[i], sizeof notes[i], "note %d", i);
        note[i] = notes[i];
    }
    OK(mli_builder_new(ctx, ROWS, &b, ERR));
    OK(mli_builder_text(b, "leak", leak, ERR));
    OK(mli_builder_f64(b, "half", half, ERR));
    OK(mli_builder_f64(b, "noise", noise, ERR));
    OK(mli_builder_text(b, "y", target, ERR));
    OK(mli_builder_f64(b, "weak", weak, ERR));
    OK(mli_builder_text(b, "note", note, ERR));
    OK(mli_builder_finish(b, &t, ERR));
    OK(part(ctx, t, "columns", "y", &p, ERR));
    int64_t at = ml_table_find(p, "predictive_power");
    ck_assert_int_ge(at, 0);
    ck_assert_double_gt(ml_table_get_f64(p, 0, at), 0.99);
    ck_assert_double_gt(ml_table_get_f64(p, 1, at), 0.4);
    ck_assert_double_lt(ml_table_get_f64(p, 1, at), 0.6);
    ck_assert_double_lt(ml_table_get_f64(p, 2, at), 0.05);
    ck_assert_double_nan(ml_table_get_f64(p, 3, at));
    ck_assert_double_gt(ml_table_get_f64(p, 4, at), 0.05);
    ck_assert_double_lt(ml_table_get_f64(p, 4, at), 0.3);
    ck_assert_double_nan(ml_table_get_f64(p, 5, at)); /* not looked at */
    ck_assert_ptr_nonnull(strstr(cell(p, 0, "warnings"), "may leak"));
    ck_assert_str_eq(cell(p, 3, "role"), "target");
    ck_assert_str_eq(cell(p, 1, "role"), "feature");
    ml_table_free(p);
    OK(ml_table_profile(t, NULL, &p, ERR));
    ck_assert_int_lt(ml_table_find(p, "predictive_power"), 0);
    ck_assert_str_eq(cell(p, 3, "role"), "categorical");
    ck_assert_str_eq(cell(p, 0, "role"), "ignore"); /* one value */
    ml_table_free(p);
    ml_table_free(t);
}
END_TEST

/* Numbers that are far from 0, some missing: correlation and predictive power by their
 * definitions. */
START_TEST(numbers_far_from_zero)
{
    enum { ROWS = 1001 };
    double x[ROWS], y[ROWS], sx = 0, sy = 0, xx = 0, yy = 0, xy = 0, n = 0;
    mli_builder *b = NULL;
    ml_table *t = NULL, *p = NULL;
    for (int i = 0; i < ROWS; i++) {
        int level = i * 7919 % 1013 % 8;
        x[i] = level == 5 ? (double)NAN : (double)level;
        y[i] = i == 77 ? INFINITY : 1e9 + 3 * level + i % 5;
        if (isnan(x[i]) || isinf(y[i])) continue;
        double dy = y[i] - 1e9;
        n++;
        sx += x[i];
        sy += dy;
        xx += x[i] * x[i];
        yy += dy * dy;
        xy += x[i] * dy;
    }
    OK(mli_builder_new(ctx, ROWS, &b, ERR));
    OK(mli_builder_f64(b, "x", x, ERR));
    OK(mli_builder_f64(b, "y", y, ERR));
    OK(mli_builder_finish(b, &t, ERR));
    OK(part(ctx, t, "correlations", NULL, &p, ERR));
    ck_assert_double_eq_tol(
        ml_table_get_f64(p, 0, 3),
        (n * xy - sx * sy) / sqrt((n * xx - sx * sx) * (n * yy - sy * sy)), 1e-9);
    ck_assert_double_eq(ml_table_get_f64(p, 0, 4), n);
    ml_table_free(p);
    OK(part(ctx, t, "columns", "y", &p, ERR));
    /* within a level the noise has variance 2, the levels 9 * 5.25 */
    ck_assert_double_eq_tol(ml_table_get_f64(p, 0, ml_table_find(p, "predictive_power")),
                            1 - 2 / (2 + 9 * 5.25), 0.01);
    ml_table_free(p);
    ml_table_free(t);
}
END_TEST

/* Texts of which each row has another go along with nothing. */
START_TEST(names_of_rows)
{
    enum { ROWS = 300 };
    static char text[2][ROWS][16];
    const char *a[ROWS], *b[ROWS];
    mli_builder *built = NULL;
    ml_table *t = NULL, *p = NULL;
    for (int i = 0; i < ROWS; i++) {
        snprintf(text[0][i], sizeof text[0][i], "a%d", i);
        snprintf(text[1][i], sizeof text[1][i], "b%d", i * 7 % ROWS);
        a[i] = text[0][i];
        b[i] = text[1][i];
    }
    OK(mli_builder_new(ctx, ROWS, &built, ERR));
    OK(mli_builder_text(built, "a", a, ERR));
    OK(mli_builder_text(built, "b", b, ERR));
    OK(mli_builder_finish(built, &t, ERR));
    OK(part(ctx, t, "correlations", NULL, &p, ERR));
    ck_assert_int_eq(ml_table_rows(p), 0);
    ml_table_free(p);
    ml_table_free(t);
}
END_TEST

/* NaN in a column that came without bits of validity; a deviation beyond 2^53. */
START_TEST(columns_of_tensors)
{
    enum { ROWS = 5000 };
    static double x[ROWS], far[ROWS];
    int64_t n = ROWS;
    for (int i = 0; i < ROWS; i++) {
        x[i] = i % 4 ? (double)i : (double)NAN;
        far[i] = 0x1p53 + 2 * (i * 7919 % ROWS);
    }
    ml_table *t = NULL, *with = NULL, *p = NULL;
    ml_tensor *column = NULL;
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, &n, NULL, x, &column, ERR));
    OK(ml_table_with_tensor(NULL, "x", column, &t, ERR));
    ml_tensor_free(column);
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, &n, NULL, far, &column, ERR));
    OK(ml_table_with_tensor(t, "far", column, &with, ERR));
    ml_tensor_free(column);
    OK(part(ctx, with, "summary", NULL, &p, ERR));
    ck_assert_double_eq_tol(ml_table_get_f64(p, 0, 3), 12.5, 1e-12);
    ml_table_free(p);
    OK(ml_table_profile(with, NULL, &p, ERR));
    double want = 2 * sqrt((double)ROWS * (ROWS + 1) / 12);
    ck_assert_double_eq_tol(ml_table_get_f64(p, 1, ml_table_find(p, "sd")), want, 1e-3);
    ml_table_free(p);
    ml_table_free(with);
    ml_table_free(t);
}
END_TEST

START_TEST(repeated_rows)
{
    double x[] = {1, 1, -0.0, 0.0, NAN, NAN, 1};
    static const char *const s[] = {"a", "a", "b", "b", NULL, NULL, "A"};
    mli_builder *b = NULL;
    ml_table *t = NULL, *p = NULL;
    OK(mli_builder_new(ctx, 7, &b, ERR));
    OK(mli_builder_f64(b, "x", x, ERR));
    OK(mli_builder_text(b, "s", s, ERR));
    OK(mli_builder_finish(b, &t, ERR));
    OK(part(ctx, t, "summary", NULL, &p, ERR));
    ck_assert_str_eq(cell(p, 0, "rows"), "7");
    ck_assert_str_eq(cell(p, 0, "columns"), "2");
    ck_assert_str_eq(cell(p, 0, "duplicate_rows"), "3");
    ck_assert_double_eq_tol(ml_table_get_f64(p, 0, 3), 400.0 / 14, 1e-12);
    ml_table_free(p);
    ml_table_free(t);
}
END_TEST

START_TEST(bad_options)
{
    ml_table *t = example(ctx), *p = NULL;
    FAILS(ML_E_NAME, part(ctx, t, "columns", "Y", &p, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "did you mean \"y\""));
    FAILS(ML_E_RANGE, part(ctx, t, "columms", NULL, &p, ERR));
    ck_assert_ptr_null(p);
    ml_table_free(t);
}
END_TEST

/* Tables without rows or columns have empty parts. */
START_TEST(empty_tables)
{
    mli_builder *b = NULL;
    ml_table *t = NULL, *p = NULL;
    OK(mli_builder_new(ctx, 0, &b, ERR));
    OK(mli_builder_f64(b, "x", NULL, ERR));
    OK(mli_builder_f64(b, "y", NULL, ERR));
    OK(mli_builder_finish(b, &t, ERR));
    OK(part(ctx, t, "correlations", NULL, &p, ERR));
    ck_assert_int_eq(ml_table_rows(p), 0);
    ml_table_free(p);
    OK(part(ctx, t, "columns", "y", &p, ERR));
    ml_table_free(p);
    OK(part(ctx, t, "summary", NULL, &p, ERR));
    ml_table_free(p);
    ml_table_free(t);
}
END_TEST

static ml_status whole_life(failing_alloc *f)
{
    ml_context *c = NULL;
    ml_table *t = NULL, *p = NULL, *q = NULL, *r = NULL;
    ml_host host = failing_host(f);
    ml_status st = ml_context_new(&host, &c, NULL);
    if (!st && !(t = example(c))) st = ML_E_MEMORY;
    if (!st) st = part(c, t, "columns", "c", &p, NULL);
    if (!st) st = part(c, t, "correlations", NULL, &q, NULL);
    if (!st) st = part(c, t, "summary", NULL, &r, NULL);
    ml_context_free(c);
    ml_table_free(p);
    ml_table_free(q);
    ml_table_free(r);
    ml_table_free(t);
    return st;
}

/* With few rows a column that is the target, but for its scale, is known for it; noise is
 * not. */
START_TEST(few_rows_with_the_target_among_them)
{
    for (int rows = 200; rows <= 3200; rows *= 2) {
        double x[3200], same[3200], noise[3200];
        mli_builder *b = NULL;
        ml_table *t = NULL, *p = NULL;
        for (int i = 0; i < rows; i++) {
            x[i] = i * 7919 % 3203;
            same[i] = sqrt(x[i]) - 7;
            noise[i] = i * 6007 % 3203 * 3203 % 2903;
        }
        OK(mli_builder_new(ctx, rows, &b, ERR));
        OK(mli_builder_f64(b, "same", same, ERR));
        OK(mli_builder_f64(b, "noise", noise, ERR));
        OK(mli_builder_f64(b, "y", x, ERR));
        OK(mli_builder_finish(b, &t, ERR));
        OK(part(ctx, t, "columns", "y", &p, ERR));
        int64_t at = ml_table_find(p, "predictive_power");
        ck_assert_double_gt(ml_table_get_f64(p, 0, at), 0.97);
        ck_assert_double_lt(ml_table_get_f64(p, 1, at), 0.1);
        ck_assert_ptr_nonnull(strstr(cell(p, 0, "warnings"), "may leak"));
        ck_assert_ptr_null(strstr(cell(p, 1, "warnings"), "may leak"));
        ml_table_free(p);
        ml_table_free(t);
    }
}
END_TEST

START_TEST(out_of_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, whole_life(&f));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {correlations,
                                  predictors,
                                  repeated_rows,
                                  names_of_rows,
                                  numbers_far_from_zero,
                                  columns_of_tensors,
                                  bad_options,
                                  empty_tables,
                                  few_rows_with_the_target_among_them,
                                  out_of_memory};
    ctx = test_context(2);
    int result =
        test_run("data/profile_parts", tests, (int)(sizeof tests / sizeof tests[0]));
    ml_context_free(ctx);
    return result;
}
