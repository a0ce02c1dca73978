/* SPDX-License-Identifier: MIT
 *
 * Columns of which only what is not 0 is held: a design reads and takes them as it does
 * plain ones.
 */
#include "design_testing.h"

#define ROWS 700
#define WIDE 9 /* columns: dense ones stand between sparse ones */

static double value_at(int j, int64_t i)
{
    if (j % 3 == 2) return (double)((i * (j + 5)) % 11) - 4;
    if (j == 1) return 0;
    if (j == 3) return i == 0 || i == ROWS - 1 ? INFINITY : 0;
    if (j == 4) return i == 17 ? -0.0 : i == 300 ? -2.5 : 0;
    return (i * 7919 + j * 31) % (9 + 20 * j) == 0 ? (double)(i + 1) / 3 : 0;
}

/* Room for the entries of a column. */
static ml_status make_sparse(ml_context *ctx, int j, mli_column *c, ml_error *err)
{
    void *memory = NULL;
    mli_buffer *keep = mli_buffer_new(ctx, ROWS * 12, &memory);
    if (!keep) return mli_nomem(err);
    double *values = memory;
    int32_t *rows = (int32_t *)(void *)(values + ROWS);
    int64_t n = 0;
    for (int64_t i = 0; i < ROWS; i++) {
        double v = value_at(j, i);
        if (v == 0 && !signbit(v)) continue;
        rows[n] = (int32_t)i;
        values[n++] = v;
    }
    mli_column_make_sparse(c, ROWS, (mli_sparse){n, rows, values}, keep);
    return ML_OK;
}

static ml_status make_dense(ml_context *ctx, int j, mli_column *c, ml_error *err)
{
    double *values = NULL;
    c->keep[0] = mli_buffer_new(ctx, ROWS * sizeof *values, &values);
    if (!c->keep[0]) return mli_nomem(err);
    for (int64_t i = 0; i < ROWS; i++) values[i] = value_at(j, i);
    c->type = ML_DTYPE_F64;
    c->rows = ROWS;
    c->stride = 1;
    c->data = values;
    return ML_OK;
}

static ml_status make_table(ml_context *ctx, int sparse, ml_table **out, ml_error *err)
{
    ml_table *t = NULL;
    ml_status status = mli_table_alloc(ctx, ROWS, WIDE, &t, err);
    for (int j = 0; j < WIDE && !status; j++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", j);
        t->columns[j].name = mli_strdup(ctx, name);
        if (!t->columns[j].name)
            status = mli_nomem(err);
        else if (sparse && j % 3 != 2)
            status = make_sparse(ctx, j, &t->columns[j], err);
        else
            status = make_dense(ctx, j, &t->columns[j], err);
    }
    if (!status) status = mli_table_seal(t, err);
    if (status)
        ml_table_free(t);
    else
        *out = t;
    return status;
}

static ml_status make_design(ml_context *ctx, int sparse, mli_design **out, ml_error *err)
{
    ml_table *t = NULL;
    ml_params *p = NULL;
    ml_status status = make_table(ctx, sparse, &t, err);
    if (!status) status = resolved(ctx, &unsupervised, &p, err, NULL);
    if (!status) status = mli_design_train(ctx, &unsupervised, p, t, out, err);
    ml_params_free(p);
    ml_table_free(t);
    return status;
}

static int64_t count_sparse(const mli_design *d)
{
    int64_t n = 0;
    mli_sparse s;
    for (int64_t j = 0; j < d->n_features; j++) n += mli_design_sparse(d, j, &s);
    return n;
}

/* All ways of reading give the same bits. */
static void reads_the_same(const mli_design *a, const mli_design *b)
{
    static const int64_t ends[][2] = {{0, 1},     {0, 64},    {63, 65},
                                      {5, 300},   {299, 700}, {0, 700},
                                      {699, 700}, {17, 18},   {40, 40}};
    static double x[2][1000 * (WIDE + 2)], memory[1000];
    static float y[2][1000];
    ck_assert_int_eq(a->rows, b->rows);
    for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
        int64_t begin = ends[k][0], end = ends[k][1], n = end - begin;
        if (end > a->rows) continue;
        for (int64_t j = 0; j < WIDE; j++) {
            mli_design_f64(a, j, begin, end, x[0], 1);
            mli_design_f64(b, j, begin, end, x[1], 1);
            ck_assert(memcmp(x[0], x[1], (size_t)n * sizeof(double)) == 0);
            const double *place = mli_design_look(a, j, begin, end, memory);
            ck_assert(memcmp(place, x[1], (size_t)n * sizeof(double)) == 0);
            mli_design_f64(a, j, begin, end, x[0], 2);
            for (int64_t i = 0; i < n; i++) ck_assert(x[0][2 * i] == x[1][i]);
            mli_design_f32(a, j, begin, end, y[0], 1);
            mli_design_f32(b, j, begin, end, y[1], 1);
            ck_assert(memcmp(y[0], y[1], (size_t)n * sizeof(float)) == 0);
        }
        for (int side = 0; side < 2; side++) {
            memset(x[side], 0x55, sizeof x[side]);
            mli_design_rows(side ? b : a, begin, end, x[side], WIDE + 2);
        }
        ck_assert(memcmp(x[0], x[1], sizeof x[0]) == 0);
    }
}

START_TEST(reads_as_plain_columns)
{
    ml_context *ctx = test_context(2);
    mli_design *sparse = NULL, *dense = NULL;
    int64_t stride;
    OK(make_design(ctx, 1, &sparse, ERR));
    OK(make_design(ctx, 0, &dense, ERR));
    ck_assert_int_eq(sparse->n_features, WIDE);
    ck_assert_int_eq(count_sparse(sparse), 6);
    ck_assert_int_eq(count_sparse(dense), 0);
    ck_assert_ptr_null(mli_design_place(sparse, 0, 0));
    ck_assert_ptr_null(mli_design_in_place(sparse, ML_DTYPE_F64, &stride));
    ck_assert_int_lt(mli_design_bytes(sparse), mli_design_bytes(dense));
    ck_assert_int_eq(mli_design_bytes(dense), ROWS * WIDE * 8);
    reads_the_same(sparse, dense);
    mli_design_free(sparse);
    mli_design_free(dense);
    ml_context_free(ctx);
}
END_TEST

/* Ascending, or in two other orders with repeats. */
static void choose(int order, int64_t n, int64_t *rows)
{
    for (int64_t i = 0; i < n; i++)
        rows[i] = order == 0 ? i * ROWS / n : (i * (order == 1 ? 353 : 29)) % ROWS;
    if (order == 2 && n) rows[0] = ROWS - 1;
}

static void take_twice(const mli_design *d, int order, int64_t n, mli_design **part,
                       mli_design **again)
{
    int64_t rows[1000];
    choose(order, n, rows);
    OK(mli_design_take(d, rows, n, part, ERR));
    for (int64_t i = 0; i < n / 2; i++) rows[i] = n / 2 - i;
    OK(mli_design_take(*part, rows, n / 2, again, ERR));
}

START_TEST(takes_rows)
{
    ml_context *ctx = test_context(3);
    mli_design *d[2] = {NULL}, *part[2] = {NULL}, *again[2] = {NULL};
    const int64_t counts[] = {0, 1, 400, 700, 1000};
    OK(make_design(ctx, 1, &d[0], ERR));
    OK(make_design(ctx, 0, &d[1], ERR));
    for (int k = 0; k < 15; k++) {
        for (int side = 0; side < 2; side++)
            take_twice(d[side], k % 3, counts[k / 3], &part[side], &again[side]);
        ck_assert_int_eq(count_sparse(part[0]), 6);
        reads_the_same(part[0], part[1]);
        reads_the_same(again[0], again[1]);
        for (int side = 0; side < 2; side++) {
            mli_design_free(part[side]);
            mli_design_free(again[side]);
        }
    }
    mli_design_free(d[0]);
    mli_design_free(d[1]);
    ml_context_free(ctx);
}
END_TEST

START_TEST(tells_infinite_values)
{
    DESCRIPTOR(strict, MLI_TASK_CLUSTERING, 0, mli_roles_unsupervised);
    ml_context *ctx = test_context(1);
    mli_design *d[2] = {NULL};
    for (int side = 0; side < 2; side++) {
        OK(make_design(ctx, side, &d[side], ERR));
        FAILS(ML_E_DATA, mli_design_suits(d[side], &strict, ERR));
        SAYS("the value is infinite");
        SAYS("column \"c3\", row 1");
        mli_design_free(d[side]);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(slices_and_copies_of_tables)
{
    ml_context *ctx = test_context(1);
    ml_table *t[2] = {NULL}, *slice[2] = {NULL}, *taken[2] = {NULL};
    static double x[2][ROWS];
    const int64_t rows[] = {60, 2, 250, 3, 3};
    mli_column copy[2];
    for (int side = 0; side < 2; side++) {
        OK(make_table(ctx, side, &t[side], ERR));
        OK(ml_table_slice(t[side], 280, 650, &slice[side], ERR));
        OK(ml_table_take(slice[side], rows, 5, &taken[side], ERR));
    }
    for (int64_t j = 0; j < WIDE; j++) {
        memset(copy, 0, sizeof copy);
        for (int side = 0; side < 2; side++) {
            mli_column_f64(&slice[side]->columns[j], 10, 360, x[side], 1);
            mli_column_f64(&taken[side]->columns[j], 0, 5, x[side] + 350, 1);
            OK(mli_column_fill_in(ctx, &slice[side]->columns[j], &copy[side], ERR));
            ck_assert_int_eq(copy[side].stride, 1);
            mli_column_f64(&copy[side], 20, 120, x[side] + 400, 1);
            mli_column_clear(ctx, &copy[side]);
        }
        ck_assert(memcmp(x[0], x[1], sizeof x[0]) == 0);
    }
    for (int side = 0; side < 2; side++) {
        ml_table_free(t[side]);
        ml_table_free(slice[side]);
        ml_table_free(taken[side]);
    }
    ml_context_free(ctx);
}
END_TEST

static ml_status make_and_take(const ml_host *host)
{
    ml_context *ctx = NULL;
    mli_design *d = NULL, *part = NULL;
    const int64_t rows[] = {600, 0, 300, 300, 17};
    ml_status status = ml_context_new(host, &ctx, ERR);
    if (status) return status;
    status = make_design(ctx, 1, &d, ERR);
    if (!status) status = mli_design_take(d, rows, 5, &part, ERR);
    mli_design_free(part);
    mli_design_free(d);
    ml_context_free(ctx);
    return status;
}

START_TEST(survives_out_of_memory)
{
    failing_alloc f;
    ml_host host = failing_host(&f);
    OUT_OF_MEMORY_LOOP(f, make_and_take(&host));
    ck_assert_int_gt(f.calls, 50);
}
END_TEST

TEST_MAIN("data/sparse", reads_as_plain_columns, takes_rows, tells_infinite_values,
          slices_and_copies_of_tables, survives_out_of_memory)
