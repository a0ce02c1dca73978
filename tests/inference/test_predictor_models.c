/* SPDX-License-Identifier: MIT
 *
 * Plain rows against tables, for every algorithm and kind: the same numbers from either,
 * from doubles and floats, from sparse rows, from any cut into blocks, on any number of
 * threads; also codes that do not exist, which count as missing.
 */
#include "conformance/kit.h"
#include "sparse_testing.h"

#include "algorithms/model.h"

#define MANY 5000

/* The rows of a table as floats, which hold their values exactly. */
static double *plain_rows(const ml_predictor *p, const ml_model *m, const ml_table *t)
{
    int64_t n = ml_table_rows(t), width = ml_model_inputs(m);
    double *rows = malloc((size_t)(n * width + 1) * sizeof *rows);
    for (int64_t i = 0; i < n; i++) kit_row(p, m, t, i, rows + i * width);
    return rows;
}

/* A table whose numbers are floats. */
static ml_table *float_table(ml_context *ctx, int64_t rows, int classes)
{
    kit_data d = {.rows = rows, .classes = classes, .seed = 21};
    ml_table *t = kit_table(ctx, &d);
    for (const char *const *name = (const char *const[]){"a", "b", "c", NULL}; *name;
         name++) {
        ml_tensor *column = NULL;
        ml_table *with = NULL;
        double *values = malloc((size_t)rows * sizeof *values);
        for (int64_t i = 0; i < rows; i++)
            values[i] = (double)(float)ml_table_get_f64(t, i, ml_table_find(t, *name));
        OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, &rows, NULL, values, &column, ERR));
        OK(ml_table_with_tensor(t, *name, column, &with, ERR));
        ml_tensor_free(column);
        ml_table_free(t);
        free(values);
        t = with;
    }
    return t;
}

static void same(const double *a, const double *b, int64_t n, const char *what,
                 const char *kind)
{
    for (int64_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            ck_abort_msg("%s, %s: number %d is %.17g, not %.17g", kind, what, (int)i,
                         b[i], a[i]);
}

static void check_kind(const ml_model *m, const char *kind, const ml_table *t)
{
    ml_predictor *p = NULL;
    ml_tensor *y = NULL;
    OK(ml_predictor_new(m, kind, NULL, &p, ERR));
    OK(ml_predictor_run(p, t, &y, ERR));
    int64_t n = ml_table_rows(t), width = ml_model_inputs(m);
    int64_t outputs = ml_predictor_outputs(p);
    const double *batch = ml_tensor_data(y);
    double *rows = plain_rows(p, m, t);
    double *out = calloc((size_t)(n * outputs + 1), sizeof *out);
    float *floats = malloc((size_t)(n * (width + 3) + 1) * sizeof *floats);

    OK(ml_predictor_rows(p, rows, ML_DTYPE_F64, n, width, out, ERR));
    same(batch, out, n * outputs, "all rows", kind);
    memset(out, 0, (size_t)(n * outputs) * sizeof *out);
    for (int64_t i = 0, step = 1; i < n; i += step, step = 1 + (step * 5 + 1) % 97) {
        if (step > n - i) step = n - i;
        OK(ml_predictor_rows(p, rows + i * width, ML_DTYPE_F64, step, width,
                             out + i * outputs, ERR));
    }
    same(batch, out, n * outputs, "pieces", kind);

    memset(out, 0, (size_t)(n * outputs) * sizeof *out);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < width + 3; j++)
            floats[i * (width + 3) + j] = j < width ? (float)rows[i * width + j] : -9e9f;
    }
    OK(ml_predictor_rows(p, floats, ML_DTYPE_F32, n, width + 3, out, ERR));
    same(batch, out, n * outputs, "floats with a stride", kind);
    sparse_check(p, rows, n < 500 ? n : 500, width, batch, outputs, kind);
    free(rows);
    free(floats);
    free(out);
    ml_tensor_free(y);
    ml_predictor_free(p);
}

static void for_all(void (*fn)(ml_context *ctx, const ml_model *m, const ml_table *t),
                    int64_t rows)
{
    for (int32_t threads = 1; threads <= 3; threads += 2) {
        ml_context *ctx = test_context(threads);
        subject list[SUBJECTS_MAX];
        int n = subjects(ctx, list);
        for (int i = 0; i < n; i++) {
            ml_table *t = float_table(ctx, rows, list[i].classes);
            ml_table *train = NULL;
            OK(ml_table_slice(t, 0, 300, &train, ERR));
            ml_model *m = kit_fit(ctx, &list[i], train);
            fn(ctx, m, t);
            ml_model_free(m);
            ml_table_free(train);
            ml_table_free(t);
        }
        ml_context_free(ctx);
    }
}

static void check_kinds(ml_context *ctx, const ml_model *m, const ml_table *t)
{
    const char *kinds[16];
    int n = kit_kinds(ctx, m, kinds);
    ck_assert_int_gt(n, 0);
    for (int i = 0; i < n; i++) check_kind(m, kinds[i], t);
}

START_TEST(rows_give_what_the_table_gives)
{
    for_all(check_kinds, MANY);
}
END_TEST

/* A finite code that the dictionary lacks is a missing value. */
static void check_codes(ml_context *ctx, const ml_model *m, const ml_table *t)
{
    static const double odd[] = {-1,    4,   1e9,           4294967296.0, -1e300,
                                 1e300, 4.5, -2147483649.0, -0.75,        2147483648.0};
    const char *kinds[16];
    int n = kit_kinds(ctx, m, kinds);
    for (int k = 0; k < n; k++) {
        ml_predictor *p = NULL;
        double row[16], expected[256], out[256];
        char what[32];
        OK(ml_predictor_new(m, kinds[k], NULL, &p, ERR));
        int64_t width = ml_model_inputs(m), outputs = ml_predictor_outputs(p), j = 0;
        while (j < width && strcmp(ml_model_input_name(m, j), "k") != 0) j++;
        ck_assert_int_lt(j, width);
        for (int64_t i = 0; i < 40; i++) {
            kit_row(p, m, t, i, row);
            row[j] = NAN;
            OK(ml_predictor_rows(p, row, ML_DTYPE_F64, 1, width, expected, ERR));
            row[j] = odd[i % 10];
            snprintf(what, sizeof what, "code %g", odd[i % 10]);
            OK(ml_predictor_rows(p, row, ML_DTYPE_F64, 1, width, out, ERR));
            same(expected, out, outputs, what, kinds[k]);
        }
        ml_predictor_free(p);
    }
}

START_TEST(odd_codes_are_missing_values)
{
    for_all(check_codes, 300);
}
END_TEST

static void check_names(ml_context *ctx, const ml_model *m, const ml_table *t)
{
    const char *kinds[16];
    int n = kit_kinds(ctx, m, kinds);
    for (int k = 0; k < n; k++) {
        ml_predictor *p = NULL;
        ml_table *out = NULL;
        OK(ml_predictor_new(m, kinds[k], NULL, &p, ERR));
        OK(ml_predictor_run_table(p, t, &out, ERR));
        ck_assert_int_eq(ml_table_columns(out), ml_predictor_outputs(p));
        for (int64_t i = 0; i < ml_table_columns(out); i++) {
            const char *name = ml_predictor_output_name(p, i);
            ck_assert_int_gt(strlen(name), 0);
            ck_assert_int_eq(ml_table_find(out, ml_table_column_name(out, i)), i);
            for (int64_t j = 0; j < i; j++)
                ck_assert_str_ne(name, ml_predictor_output_name(p, j));
        }
        if (strcmp(kinds[k], "proba") == 0)
            ck_assert_str_eq(ml_predictor_output_name(p, 0), ml_model_class_label(m, 0));
        ml_table_free(out);
        ml_predictor_free(p);
    }
}

START_TEST(outputs_have_distinct_names)
{
    for_all(check_names, 300);
}
END_TEST

/* ---- options ---- */

static ml_predictor *with_option(const ml_model *m, const char *a, const char *b)
{
    ml_predictor *p = NULL;
    ml_params *o = NULL;
    OK(ml_params_new(m->ctx, &o, ERR));
    if (a) OK(ml_params_set_str(o, a, "true", ERR));
    if (b) OK(ml_params_set_str(o, "unseen", b, ERR));
    OK(ml_predictor_new(m, NULL, o, &p, ERR));
    ml_params_free(o);
    return p;
}

/* Rows of training, as a table and as a tensor: the same numbers, and not those of other
 * rows. Plain rows lack the target. */
START_TEST(rows_of_training)
{
    ml_context *ctx = test_context(1);
    kit_data few = {.rows = 200, .seed = 3}, more = {.rows = 60, .levels = 9, .seed = 3};
    ml_table *t = kit_table(ctx, &few), *other = kit_table(ctx, &more), *columns = NULL;
    subject s = {.algorithm = "target_encoder", .transformer = 1, .has_target = 1};
    ml_model *m = kit_fit(ctx, &s, t);
    ml_predictor *p = with_option(m, "training", NULL),
                 *plain = with_option(m, NULL, NULL);
    ml_tensor *y = NULL, *z = NULL;
    double row[16] = {0}, out[16];
    OK(ml_predictor_run_table(p, t, &columns, ERR));
    OK(ml_predictor_run(p, t, &y, ERR));
    OK(ml_predictor_run(plain, t, &z, ERR));
    int64_t n = ml_predictor_outputs(p), differ = 0;
    for (int64_t i = 0; i < few.rows * n; i++) {
        double v = ml_table_get_f64(columns, i / n, i % n);
        same(&v, (const double *)ml_tensor_data(y) + i, 1, "tensor", "transform");
        differ += v == v && ml_tensor_get_f64(z, i / n, i % n) != v;
    }
    ck_assert_int_gt(differ, few.rows / 2);
    FAILS(ML_E_UNSUPPORTED, ml_predictor_rows(p, row, ML_DTYPE_F64, 1, 16, out, ERR));
    ml_predictor_free(p);
    ml_predictor_free(plain);
    p = with_option(m, "training", "error");
    FAILS(ML_E_DATA, ml_predictor_run(p, other, &y, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "did not occur in training"));
    ml_predictor_free(p);
    ml_tensor_free(y);
    ml_tensor_free(z);
    ml_table_free(columns);
    ml_table_free(other);
    ml_table_free(t);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

/* Another policy for categories changes no names. */
START_TEST(several_targets_keep_their_names)
{
    ml_context *ctx = test_context(1);
    kit_data d = {.rows = 100, .seed = 3};
    ml_table *t = kit_table(ctx, &d);
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_estimator_new(ctx, "decision_tree", &e, ERR));
    OK(ml_estimator_set_str(e, "targets", "y, a", ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_predictor *p = with_option(m, NULL, "error");
    ck_assert_str_eq(ml_predictor_output_name(p, 0), "y");
    ck_assert_str_eq(ml_predictor_output_name(p, 1), "a");
    ml_predictor_free(p);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("inference/predictor_models", rows_give_what_the_table_gives,
          odd_codes_are_missing_values, outputs_have_distinct_names, rows_of_training,
          several_targets_keep_their_names)
