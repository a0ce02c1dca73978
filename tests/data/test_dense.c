/* SPDX-License-Identifier: MIT
 *
 * The dense matrix: columns, filling, means and scales, names, and what a model stores.
 */
#include "design_testing.h"

#include "data/dense.h"

#define N 7

static mli_design *small(ml_context *ctx, const char *weight)
{
    ml_table *t = NULL;
    t = add_f64(ctx, t, "x", N, (double[]){1, 2, NAN, 4, 5, NAN, 9});
    t = add_text(ctx, t, "k", N, (const char *[]){"b", "a", "c", "a", "b", "a", "a"});
    t = add_text(ctx, t, "m", N, (const char *[]){"u", NULL, "v", "u", "u", NULL, "v"});
    t = add_f64(ctx, t, "c", N, (double[]){0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1});
    t = add_f64(ctx, t, "y", N, (double[]){1, 2, 3, 4, 5, 6, 7});
    t = add_f64(ctx, t, "w", N, (double[]){1, 2, 1, 0, 3, 1, 2});
    mli_design *d = train(ctx, &regressor, t, "target", "y", "weight", weight, "features",
                          "[x, k, m, c]", NULL);
    ml_table_free(t);
    return d;
}

static mli_dense *dense_of(const mli_design *design, int reference, int indicators)
{
    mli_dense *d = NULL;
    mli_dense_options options = {reference, indicators};
    OK(mli_dense_new(design, &options, NULL, &d, ERR));
    return d;
}

static const char *name_of(const mli_dense *d, int64_t column)
{
    static char text[64];
    mli_str s;
    mli_str_init(&s, NULL);
    mli_dense_name(d, column, &s);
    snprintf(text, sizeof text, "%s", s.data);
    mli_str_free(&s);
    return text;
}

static void near(double got, double right)
{
    ck_assert_msg(fabs(got - right) <= 1e-14 * (1 + fabs(right)), "%.17g is not %.17g",
                  got, right);
}

START_TEST(columns)
{
    ml_context *ctx = test_context(0);
    mli_design *design = small(ctx, "");
    mli_dense *d = dense_of(design, 0, 1);
    const char *names[] = {"x",     "x is missing", "k = a",        "k = b", "k = c",
                           "m = u", "m = v",        "m is missing", "c"};
    ck_assert_int_eq(d->n_columns, 9);
    for (int64_t c = 0; c < 9; c++) ck_assert_str_eq(name_of(d, c), names[c]);
    double out[9 * N];
    mli_dense_columns(d, design, 0, N, 0, out, N);
    const double x[N] = {1, 2, 4.2, 4, 5, 4.2, 9}, a[N] = {0, 1, 0, 1, 0, 1, 1};
    for (int i = 0; i < N; i++) {
        near(out[i], x[i]);
        ck_assert(out[N + i] == (i == 2 || i == 5));
        ck_assert(out[2 * N + i] == a[i]);
        ck_assert(out[7 * N + i] == (i == 1 || i == 5));
        ck_assert(out[2 * N + i] + out[3 * N + i] + out[4 * N + i] == 1);
        ck_assert(out[8 * N + i] == 0.1);
    }
    near(d->center[0], 4.2);
    near(d->center[7], 2.0 / 7);
    ck_assert(d->scale[8] == 0 && d->center[8] == 0.1);
    ck_assert(d->fill[5] == 0 && d->fill[7] == 1); /* missing has its own column */
    near(d->fill[2], 4.0 / 7);
    mli_dense_free(d);
    d = dense_of(design, 1, 0);
    ck_assert_int_eq(d->n_columns, 6);
    ck_assert_str_eq(name_of(d, 1), "k = b");
    ck_assert_str_eq(name_of(d, 4), "m is missing");
    mli_dense_free(d);
    mli_design_free(design);
    ml_context_free(ctx);
}
END_TEST

/* Center and scale are the weighted mean and deviation of the filled columns. */
static void check_moments(const mli_dense *d, const mli_design *design)
{
    double out[9 * N], standard[9 * N];
    mli_dense_columns(d, design, 0, N, 0, out, N);
    mli_dense_columns(d, design, 0, N, 1, standard, N);
    for (int64_t c = 0; c < d->n_columns; c++) {
        double mean = 0, var = 0, total = 0;
        for (int i = 0; i < N; i++) {
            double w = design->weight ? design->weight[i] : 1;
            mean += w * out[c * N + i];
            total += w;
        }
        mean /= total;
        for (int i = 0; i < N; i++) {
            double w = design->weight ? design->weight[i] : 1, e = out[c * N + i] - mean;
            var += w * e * e / total;
        }
        near(d->center[c], mean);
        if (d->scale[c] > 0)
            near(d->scale[c], sqrt(var));
        else
            ck_assert(var < 1e-30);
        for (int i = 0; i < N; i++)
            near(standard[c * N + i],
                 d->scale[c] > 0 ? (out[c * N + i] - mean) / sqrt(var) : 0);
    }
}

START_TEST(moments)
{
    ml_context *ctx = test_context(0);
    for (int k = 0; k < 8; k++) {
        mli_design *design = small(ctx, k & 1 ? "w" : "");
        mli_dense *d = dense_of(design, k >> 1 & 1, k >> 2);
        check_moments(d, design);
        mli_dense_free(d);
        mli_design_free(design);
    }
    ml_context_free(ctx);
}
END_TEST

/* Columns, rows, plain rows and parts of the rows agree. */
START_TEST(all_ways_agree)
{
    ml_context *ctx = test_context(0);
    mli_design *design = small(ctx, "w");
    for (int k = 0; k < 8; k++) {
        mli_dense *d = dense_of(design, k & 1, k >> 1 & 1);
        int standard = k >> 2;
        int64_t p = d->n_columns;
        double by_column[9 * N], by_row[9 * N], part[9 * 3], values[4], row[9];
        mli_dense_columns(d, design, 0, N, standard, by_column, N);
        mli_dense_rows(d, design, 0, N, standard, by_row, p);
        mli_dense_columns(d, design, 2, 5, standard, part, 3);
        for (int i = 0; i < N; i++) {
            mli_design_rows(design, i, i + 1, values, 4);
            mli_dense_row(d, values, standard, row);
            for (int64_t c = 0; c < p; c++) {
                ck_assert(by_column[c * N + i] == by_row[i * p + c]);
                ck_assert(row[c] == by_row[i * p + c]);
                if (i >= 2 && i < 5) ck_assert(part[c * 3 + i - 2] == row[c]);
            }
        }
        mli_dense_free(d);
    }
    mli_design_free(design);
    ml_context_free(ctx);
}
END_TEST

START_TEST(unseen_and_missing)
{
    ml_context *ctx = test_context(0);
    mli_design *design = small(ctx, "");
    mli_dense *d = dense_of(design, 0, 0);
    double out[8];
    /* k had no missing value in training: the shares of its levels; m had. */
    mli_dense_row(d, (double[]){NAN, NAN, NAN, NAN}, 0, out);
    near(out[0], 4.2);
    near(out[1], 4.0 / 7);
    near(out[2], 2.0 / 7);
    near(out[3], 1.0 / 7);
    ck_assert(out[4] == 0 && out[5] == 0 && out[6] == 1);
    near(out[7], 0.1);
    const double strange[] = {-1, 3, 1e300, -1e300, INFINITY};
    for (int i = 0; i < 5; i++) {
        mli_dense_row(d, (double[]){1, strange[i], 0, 0}, 0, out);
        near(out[1], 4.0 / 7);
    }
    mli_dense_row(d, (double[]){1, 2, 0, 0}, 0, out);
    ck_assert(out[1] == 0 && out[2] == 0 && out[3] == 1 && out[4] == 1);
    mli_dense_free(d);
    d = dense_of(design, 1, 0); /* the first level is the reference */
    mli_dense_row(d, (double[]){1, 0, 1, 0}, 0, out);
    ck_assert(out[1] == 0 && out[2] == 0 && out[3] == 1 && out[4] == 0);
    mli_dense_free(d);
    mli_design_free(design);
    ml_context_free(ctx);
}
END_TEST

START_TEST(infinite_values)
{
    ml_context *ctx = test_context(0);
    ml_table *t = add_f64(ctx, NULL, "x", 3, (double[]){1, 2, 3});
    t = add_f64(ctx, t, "z", 3, (double[]){NAN, -INFINITY, 3});
    t = add_f64(ctx, t, "y", 3, (double[]){1, 2, 3});
    mli_design *design = train(ctx, &regressor, t, "target", "y", NULL);
    mli_dense *d = NULL;
    FAILS(ML_E_DATA, mli_dense_new(design, &(mli_dense_options){0, 0}, NULL, &d, ERR));
    SAYS("column \"z\", row 2");
    mli_design_free(design);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(weights_of_zero)
{
    ml_context *ctx = test_context(0);
    ml_table *t = add_f64(ctx, NULL, "x", 3, (double[]){1, 2, 3});
    t = add_f64(ctx, t, "y", 3, (double[]){1, 2, 3});
    t = add_f64(ctx, t, "w", 3, (double[]){0, 1, 0});
    mli_design *design = train(ctx, &regressor, t, "target", "y", "weight", "w", NULL);
    mli_design *some = NULL;
    mli_dense *d = NULL;
    OK(mli_design_take(design, (int64_t[]){0, 2}, 2, &some, ERR));
    FAILS(ML_E_DATA, mli_dense_new(some, &(mli_dense_options){0, 0}, NULL, &d, ERR));
    SAYS("weight");
    mli_design_free(some);
    mli_design_free(design);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(extreme_sizes)
{
    ml_context *ctx = test_context(0);
    const double sizes[] = {1e300, 1e-300, 1e160, 1e-200, 5e-320, 1.7e308};
    for (int s = 0; s < 6; s++) {
        double x[6], out[6];
        for (int i = 0; i < 6; i++) x[i] = sizes[s] * ((i - 2.5) / 3.5);
        ml_table *t = add_f64(ctx, NULL, "x", 6, x);
        t = add_f64(ctx, t, "y", 6, (double[]){1, 2, 3, 4, 5, 6});
        mli_design *design = train(ctx, &regressor, t, "target", "y", NULL);
        mli_dense *d = dense_of(design, 0, 0);
        mli_dense_columns(d, design, 0, 6, 1, out, 6);
        for (int i = 0; i < 6; i++) {
            ck_assert(isfinite(out[i]));
            if (d->scale[0] > 0)
                ck_assert(fabs(out[i] - (i - 2.5) / sqrt(35.0 / 12)) < 1e-12);
        }
        ck_assert_int_eq(d->scale[0] > 0, sizes[s] > 1e-305);
        mli_dense_free(d);
        mli_design_free(design);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

/* A large mean and many rows lose no digits, and threads change nothing. */
START_TEST(many_rows)
{
    enum { ROWS = 100003 };
    static double x[ROWS], y[ROWS];
    double first[2] = {0};
    for (int i = 0; i < ROWS; i++) {
        x[i] = 1e9 + i % 5;
        y[i] = i % 1000 == 7 ? (double)NAN : i % 3;
    }
    for (int threads = 1; threads <= 3; threads += 2) {
        ml_context *ctx = test_context(threads);
        ml_table *t = add_f64(ctx, NULL, "x", ROWS, x);
        t = add_f64(ctx, t, "z", ROWS, y);
        t = add_f64(ctx, t, "y", ROWS, x);
        mli_design *design = train(ctx, &regressor, t, "target", "y", NULL);
        mli_dense *d = dense_of(design, 0, 0);
        double mean = 0, var = 0;
        for (int i = 0; i < ROWS; i++) mean += (double)(i % 5) / ROWS;
        for (int i = 0; i < ROWS; i++) var += (i % 5 - mean) * (i % 5 - mean) / ROWS;
        ck_assert(fabs(d->center[0] - (1e9 + mean)) < 2e-7);
        ck_assert(fabs(d->scale[0] - sqrt(var)) < 1e-12);
        if (threads == 1) memcpy(first, (double[]){d->center[1], d->scale[1]}, 16);
        ck_assert(d->center[1] == first[0] && d->scale[1] == first[1]);
        mli_dense_free(d);
        mli_design_free(design);
        ml_table_free(t);
        ml_context_free(ctx);
    }
}
END_TEST

START_TEST(loading)
{
    ml_context *ctx = test_context(0);
    mli_design *design = small(ctx, "w");
    for (int k = 0; k < 4; k++) {
        mli_dense *d = dense_of(design, k & 1, k >> 1), *again = NULL;
        int32_t pairs[18];
        double a[9], b[9];
        for (int64_t c = 0; c < d->n_columns; c++) {
            pairs[2 * c] = d->feature[c];
            pairs[2 * c + 1] = d->level[c];
        }
        OK(mli_dense_load(design->inputs, d->n_columns, pairs, d->fill, d->center,
                          d->scale, &again, ERR));
        double row[4] = {NAN, 1, 2, 3};
        mli_dense_row(d, row, 1, a);
        mli_dense_row(again, row, 1, b);
        ck_assert_mem_eq(a, b, (size_t)d->n_columns * sizeof *a);
        mli_dense_free(again);
        /* One number changed, or the end cut off, makes other or no matrices; none may be
         * read outside of its memory. */
        for (int64_t i = 0; i < 2 * d->n_columns; i++) {
            for (int32_t v = -4; v < 6; v++) {
                int32_t before = pairs[i];
                pairs[i] = v;
                ml_status st = mli_dense_load(design->inputs, d->n_columns, pairs,
                                              d->fill, NULL, NULL, &again, ERR);
                pairs[i] = before;
                if (v != before) ck_assert_int_eq(st, ML_E_FORMAT);
                if (st == ML_OK) mli_dense_free(again);
            }
        }
        FAILS(ML_E_FORMAT, mli_dense_load(design->inputs, d->n_columns - 1, pairs,
                                          d->fill, NULL, NULL, &again, ERR));
        mli_dense_free(d);
    }
    mli_design_free(design);
    ml_context_free(ctx);
}
END_TEST

static ml_status make_dense(const ml_host *host)
{
    ml_context *ctx = NULL;
    ml_status status = ml_context_new(host, &ctx, ERR);
    if (status) return status;
    ml_table *t = NULL;
    mli_design *design = NULL;
    mli_dense *d = NULL;
    ml_context *other = test_context(0);
    t = add_f64(other, t, "x", 3, (double[]){1, NAN, 3});
    t = add_text(other, t, "k", 3, (const char *[]){"u", NULL, "v"});
    t = add_f64(other, t, "y", 3, (double[]){1, 2, 3});
    ml_params *p = NULL;
    status = resolved(ctx, &regressor, &p, ERR, "target", "y", NULL);
    if (!status) status = mli_design_train(ctx, &regressor, p, t, &design, ERR);
    if (!status)
        status = mli_dense_new(design, &(mli_dense_options){0, 1}, NULL, &d, ERR);
    mli_dense_free(d);
    mli_design_free(design);
    ml_params_free(p);
    ml_table_free(t);
    ml_context_free(ctx);
    ml_context_free(other);
    return status;
}

START_TEST(out_of_memory)
{
    failing_alloc f;
    ml_host host = failing_host(&f);
    OUT_OF_MEMORY_LOOP(f, make_dense(&host));
}
END_TEST

TEST_MAIN("data/dense", columns, moments, all_ways_agree, unseen_and_missing,
          infinite_values, weights_of_zero, extreme_sizes, many_rows, loading,
          out_of_memory)
