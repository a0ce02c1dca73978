/* SPDX-License-Identifier: MIT
 *
 * The columns that transformers make are the numbers that they give as rows, bit for bit:
 * of tables in the caches and past them, of columns with missing values and without, at
 * each level of the CPU. Columns that stay as they are are shared.
 */
#include "testing.h"
#include "../failing.h"
#include "../testing_data.h"
#include "data/table.h"
#include <math.h>

#define WIDE  18
#define LARGE 131077 /* rows of which the columns do not fit the caches */

/* x4, x9, x14 have missing values, x5 is constant. */
static double *make_values(int64_t rows)
{
    double *x = malloc((size_t)(rows * WIDE) * sizeof *x);
    uint64_t z = 7;
    for (int64_t i = 0; i < rows * WIDE; i++) {
        z = z * 6364136223846793005u + 1442695040888963407u;
        x[i] = (double)(z >> 40) / 65536.0 - 100;
        int64_t j = i / rows;
        if (j % 5 == 4 && z % 7 == 0) x[i] = NAN;
        if (j == 5) x[i] = 3;
    }
    return x;
}

static ml_table *make_table(ml_context *ctx, int32_t dtype, const void *x, int64_t rows)
{
    const int64_t shape[2] = {rows, WIDE}, strides[2] = {1, rows};
    ml_tensor *tensor = NULL;
    ml_table *t = NULL;
    OK(ml_tensor_wrap(ctx, dtype, 2, shape, strides, x, NULL, NULL, &tensor, ERR));
    OK(ml_table_read_tensor(ctx, tensor, NULL, &t, ERR));
    ml_tensor_free(tensor);
    return t;
}

static ml_table *transformed(ml_context *ctx, const char *name, const char *params,
                             const ml_table *t, ml_tensor **rows)
{
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    ml_predictor *p = NULL;
    ml_table *out = NULL;
    char copy[200];
    snprintf(copy, sizeof copy, "%s", params);
    OK(ml_estimator_new(ctx, name, &e, ERR));
    for (char *at = copy, *next; at && *at; at = next) {
        next = strchr(at, ';');
        if (next) *next++ = 0;
        char *value = strchr(at, '=');
        *value++ = 0;
        OK(ml_estimator_set_str(e, at, value, ERR));
    }
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    OK(ml_predictor_new(m, "transform", NULL, &p, ERR));
    OK(ml_predictor_run_table(p, t, &out, ERR));
    if (rows) OK(ml_predictor_run(p, t, rows, ERR));
    ml_predictor_free(p);
    ml_model_free(m);
    ml_estimator_free(e);
    return out;
}

/* Missing values count as the same. */
static int64_t differences(const ml_table *t, int64_t j, const double *values,
                           int64_t stride)
{
    const mli_column *c = &t->columns[j];
    int64_t wrong = 0, missing = 0;
    double *x = malloc((size_t)t->rows * sizeof *x);
    mli_column_f64(c, 0, t->rows, x, 1);
    for (int64_t i = 0; i < t->rows; i++) {
        double y = values[i * stride];
        missing += isnan(y);
        wrong += memcmp(&x[i], &y, sizeof y) != 0 && !(isnan(x[i]) && isnan(y));
    }
    free(x);
    return wrong + (missing != c->null_count);
}

static const char *const cases[][2] = {
    {"standard_scaler", ""},
    {"standard_scaler", "columns=f0,f4,f7"},
    {"min_max_scaler", "clip=true;range=0.25,0.75"},
    {"max_abs_scaler", ""},
    {"robust_scaler", ""},
    {"imputer", ""},
    {"imputer", "strategy=median"},
    {"imputer", "indicators=true"},
    {"clipper", "low=-50;high=50"},
    {"clipper", "low=-50;high=50;outside=missing"},
    {"log_transformer", ""},
    {"log_transformer", "function=log"},
    {"log_transformer", "function=signed_log1p"},
    {"normalizer", ""},
    {"normalizer", "norm=l1;columns=f1,f4,f6,f7,f9"},
    {"normalizer", "norm=max"},
    {"polynomial_features", "columns=f0,f3,f4,f6"},
    {"polynomial_features", "columns=f0,f3;degree=4"},
    {"spline_features", "columns=f0,f4"},
};

static void compare(int32_t level, int64_t rows)
{
    ml_context *ctx = test_context_level(2, level);
    double *x = make_values(rows);
    ml_table *t = make_table(ctx, ML_DTYPE_F64, x, rows);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        ml_tensor *as_rows = NULL;
        ml_table *out = transformed(ctx, cases[k][0], cases[k][1], t, &as_rows);
        int64_t wide = ml_tensor_shape(as_rows)[1];
        const double *from = ml_tensor_data(as_rows);
        ck_assert_int_eq(out->n_columns, wide);
        ck_assert_int_eq(out->rows, rows);
        for (int64_t j = 0; j < wide; j++)
            ck_assert_msg(differences(out, j, from + j, wide) == 0,
                          "%s %s: column %d, level %d", cases[k][0], cases[k][1], (int)j,
                          (int)level);
        ml_tensor_free(as_rows);
        ml_table_free(out);
    }
    ml_table_free(t);
    ml_context_free(ctx);
    free(x);
}

/* Floats give what the same numbers as doubles give. */
static void compare_floats(int32_t level, int64_t rows)
{
    ml_context *ctx = test_context_level(2, level);
    double *x = make_values(rows);
    float *narrow = malloc((size_t)(rows * WIDE) * sizeof *narrow);
    for (int64_t i = 0; i < rows * WIDE; i++) x[i] = narrow[i] = (float)x[i];
    ml_table *t = make_table(ctx, ML_DTYPE_F64, x, rows);
    ml_table *floats = make_table(ctx, ML_DTYPE_F32, narrow, rows);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        ml_table *out = transformed(ctx, cases[k][0], cases[k][1], t, NULL);
        ml_table *same = transformed(ctx, cases[k][0], cases[k][1], floats, NULL);
        double *column = malloc((size_t)rows * sizeof *column);
        ck_assert_int_eq(out->n_columns, same->n_columns);
        for (int64_t j = 0; j < out->n_columns; j++) {
            mli_column_f64(&out->columns[j], 0, rows, column, 1);
            ck_assert_msg(differences(same, j, column, 1) == 0,
                          "%s %s: column %d of floats, level %d", cases[k][0],
                          cases[k][1], (int)j, (int)level);
        }
        free(column);
        ml_table_free(out);
        ml_table_free(same);
    }
    ml_table_free(t);
    ml_table_free(floats);
    ml_context_free(ctx);
    free(narrow);
    free(x);
}

START_TEST(columns_are_the_rows)
{
    for (int32_t level = 0; level <= 1; level++) {
        compare(level, 1027);
        compare_floats(level, 1027);
    }
}
END_TEST

START_TEST(large_floats_are_the_same_doubles)
{
    compare_floats(0, LARGE);
}
END_TEST

START_TEST(large_columns_are_the_rows)
{
    compare(0, LARGE);
}
END_TEST

/* Without missing values the imputer changes nothing; neither do scalers what they are
 * not to work on. The outputs live on their own. */
START_TEST(columns_that_stay_are_shared)
{
    ml_context *ctx = test_context(2);
    double *x = make_values(5000);
    ml_table *t = make_table(ctx, ML_DTYPE_F64, x, 5000);
    ml_table *filled = transformed(ctx, "imputer", "", t, NULL);
    ml_table *scaled = transformed(ctx, "standard_scaler", "columns=f1,f2", t, NULL);
    for (int j = 0; j < WIDE; j++) {
        int missing = j % 5 == 4;
        const void *data = t->columns[j].data;
        ck_assert_int_eq(filled->columns[j].data == data, !missing);
        ck_assert_int_eq(scaled->columns[j].data == data, !missing && j != 1 && j != 2);
        ck_assert_int_eq(filled->columns[j].null_count, 0);
    }
    double before = x[3 * 5000 + 4999];
    ml_table_free(t);
    ml_table_free(filled);
    ck_assert(ml_table_get_f64(scaled, 4999, 3) == before);
    ml_table_free(scaled);
    ml_context_free(ctx);
    free(x);
}
END_TEST

/* Products of 445 columns are 99,680 columns: a few rows of them are made, of 10,100 rows
 * they are refused before any memory is taken. */
START_TEST(more_columns_than_memory_are_refused)
{
    enum { COLUMNS = 445, ROWS = 10100, FEW = 20 };
    failing_alloc f = {0};
    ml_host host = failing_host(&f);
    ml_context *ctx = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    ml_predictor *p = NULL;
    ml_table *t[2] = {NULL, NULL}, *out = NULL;
    double *x = calloc(ROWS, sizeof *x);
    OK(ml_context_new(&host, &ctx, ERR));
    for (int k = 0; k < 2; k++) {
        const int64_t shape[2] = {k ? ROWS : FEW, COLUMNS}, strides[2] = {1, 0};
        ml_tensor *all = NULL;
        OK(ml_tensor_wrap(ctx, ML_DTYPE_F64, 2, shape, strides, x, NULL, NULL, &all,
                          ERR));
        OK(ml_table_read_tensor(ctx, all, NULL, &t[k], ERR));
        ml_tensor_free(all);
    }
    OK(ml_estimator_new(ctx, "polynomial_features", &e, ERR));
    OK(ml_estimator_fit(e, t[0], NULL, &m, ERR));
    OK(ml_predictor_new(m, "transform", NULL, &p, ERR));
    OK(ml_predictor_run_table(p, t[0], &out, ERR));
    ck_assert_int_eq(ml_table_columns(out), COLUMNS + COLUMNS * (COLUMNS + 1) / 2);
    ml_table_free(out);
    atomic_store(&f.most, atomic_load(&f.bytes));
    int64_t before = f.bytes;
    FAILS(ML_E_DATA, ml_predictor_run_table(p, t[1], &out, ERR));
    SAYS("columns of 10100 rows would take 8 GB");
    ck_assert_ptr_nonnull(strstr(ml_error_hint(ERR), "make fewer columns"));
    ck_assert_int_lt(f.most - before, 100000000);
    ml_predictor_free(p);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t[0]);
    ml_table_free(t[1]);
    free(x);
    ml_context_free(ctx);
}
END_TEST

/* Row i has level i * 7919 % levels, but every 11th is missing. */
static void one_hot(int64_t rows, int64_t levels)
{
    ml_context *ctx = test_context(2);
    int32_t *codes = malloc((size_t)rows * sizeof *codes);
    char **names = malloc((size_t)levels * sizeof *names);
    mli_builder *b = NULL;
    ml_table *t = NULL;
    int64_t wrong = 0, set = 0;
    for (int64_t k = 0; k < levels; k++) {
        names[k] = malloc(16);
        snprintf(names[k], 16, "l%06d", (int)k);
    }
    for (int64_t i = 0; i < rows; i++)
        codes[i] = i % 11 == 10 ? -1 : (int32_t)(i * 7919 % levels);
    OK(mli_builder_new(ctx, rows, &b, ERR));
    OK(mli_builder_category(b, "k", codes, (const char *const *)names, levels, ERR));
    OK(mli_builder_finish(b, &t, ERR));
    ml_table *out = transformed(ctx, "one_hot_encoder", "", t, NULL);
    ck_assert_int_eq(out->n_columns, levels + 1);
    for (int64_t i = 0; i < rows; i++) {
        const uint8_t *bits = out->columns[codes[i] < 0 ? levels : codes[i]].data;
        wrong += !((bits[i >> 3] >> (i & 7)) & 1);
    }
    for (int64_t k = 0; k <= levels; k++)
        set += mli_bits_count(out->columns[k].data, 0, rows);
    ck_assert_int_eq(wrong, 0);
    ck_assert_int_eq(set, rows);
    ml_table_free(out);
    ml_table_free(t);
    ml_context_free(ctx);
    for (int64_t k = 0; k < levels; k++) free(names[k]);
    free(names);
    free(codes);
}

START_TEST(one_bit_for_each_row)
{
    one_hot(1003, 7);
    one_hot(1000003, 150); /* past the caches */
    one_hot(9001, 3000);   /* more lines than fit the caches */
}
END_TEST

TEST_MAIN("algorithms/columns", columns_are_the_rows, large_columns_are_the_rows,
          large_floats_are_the_same_doubles, columns_that_stay_are_shared,
          more_columns_than_memory_are_refused, one_bit_for_each_row)
