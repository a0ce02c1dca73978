/* SPDX-License-Identifier: MIT
 *
 * Predictors over a small algorithm made for the test: names, plain rows of both types in
 * blocks and on threads, codes, options, errors, memory.
 */
#include "failing.h"
#include "testing_data.h"
#include "algorithms/model.h"

#include <pthread.h>

/* ---- an algorithm whose predictions are easy to tell ---- */

/* value: 1 * first + 2 * second + ..., where a missing value counts as 1000.
 * contributions: these terms, and 0.5 as the bias. proba: x, 1 - x of the first feature.
 * many: the first feature, three times. */
static int64_t toy_block;
static int toy_f32;
static size_t toy_scratch;
static _Atomic int64_t toy_calls, toy_most_rows;

static double term(double x, int64_t j)
{
    return isnan(x) ? 1000 : x * (double)(j + 1);
}

typedef struct toy_plan {
    mli_plan plan;
    char kind;
} toy_plan;

static void toy_row(const toy_plan *p, const double *row, double *out)
{
    int64_t n = p->plan.n_features;
    if (p->kind == 'v') out[0] = 0;
    for (int64_t j = 0; j < n && p->kind == 'v'; j++) out[0] += term(row[j], j);
    for (int64_t j = 0; j < n && p->kind == 'c'; j++) out[j] = term(row[j], j);
    if (p->kind == 'c') out[n] = 0.5;
    if (p->kind == 'p') out[0] = row[0], out[1] = 1 - row[0];
    for (int k = 0; k < 3 && p->kind == 'm'; k++) out[k] = row[0];
}

static void toy_note(const toy_plan *p, int64_t n, void *scratch)
{
    toy_calls++;
    if (n > toy_most_rows) toy_most_rows = n;
    if (p->plan.scratch) {
        ck_assert_int_eq((uintptr_t)scratch % 64, 0);
        memset(scratch, 0x77, p->plan.scratch);
    }
}

static void toy_run(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                    double *out, void *scratch)
{
    const toy_plan *p = (const toy_plan *)plan;
    toy_note(p, n, scratch);
    for (int64_t i = 0; i < n; i++)
        toy_row(p, rows + i * stride, out + i * plan->n_outputs);
}

static void toy_run_f32(const mli_plan *plan, const float *rows, int64_t n,
                        int64_t stride, double *out, void *scratch)
{
    const toy_plan *p = (const toy_plan *)plan;
    double row[16];
    toy_note(p, n, scratch);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < plan->n_features; j++) row[j] = rows[i * stride + j];
        toy_row(p, row, out + i * plan->n_outputs);
    }
}

static ml_status toy_make(const ml_model *m, const char *kind, mli_plan **out,
                          ml_error *err)
{
    toy_plan *p = mli_calloc(m->ctx, 1, sizeof *p);
    if (!p) return mli_nomem(err);
    int64_t n = m->inputs->n_features;
    p->kind = kind[0];
    p->plan = (mli_plan){.ctx = m->ctx,
                         .n_features = n,
                         .n_outputs = kind[0] == 'c'   ? n + 1
                                      : kind[0] == 'p' ? 2
                                      : kind[0] == 'm' ? 3
                                                       : 1,
                         .scratch = toy_scratch,
                         .block = toy_block,
                         .run = toy_run,
                         .run_f32 = toy_f32 ? toy_run_f32 : NULL};
    *out = &p->plan;
    return ML_OK;
}

static const mli_kind toy_kinds[] = {{"value", "rows", "A sum."},
                                     {"proba", "rows, classes", "Two."},
                                     {"contributions", "rows, features + 1", "Terms."},
                                     {"many", "rows, 3", "Three."},
                                     {NULL, NULL, NULL}};
static const mli_param toy_params[] = {MLI_PARAM_END};
static mli_algorithm toy = {
    .head = {.name = "toy",
             .sort = MLI_SORT_ALGORITHM,
             .tasks = MLI_TASK_REGRESSION | MLI_TASK_CLASSIFICATION,
             .caps = MLI_CAN_MISSING | MLI_CAN_CATEGORIES,
             .params = toy_params,
             .roles = toy_params,
             .kinds = toy_kinds},
    .plan = toy_make};

static ml_context *ctx;
#define N_FEATURES 4

static void set_dictionary(mli_dictionary *d, int64_t n, const char *format)
{
    char text[32], *to;
    int64_t *offsets, at = 0;
    OK(mli_dictionary_new(ctx, n, n * 16, d, &to, &offsets, ERR));
    for (int64_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, format, (int)i);
        memcpy(to + at, text, strlen(text));
        offsets[i + 1] = at += (int64_t)strlen(text);
    }
}

/* Features a, b, colour (levels "0000000".."), c; two classes or none. */
static ml_model *toy_model(int64_t levels, int classes)
{
    static const char *const names[N_FEATURES] = {"a", "b", "colour", "c"};
    mli_inputs *in = NULL;
    ml_params *params = NULL;
    ml_model *m = NULL;
    OK(mli_inputs_new(ctx, N_FEATURES, &in, ERR));
    for (int j = 0; j < N_FEATURES; j++) {
        in->features[j].name = mli_strdup(ctx, names[j]);
        in->features[j].kind = j == 2 ? MLI_CATEGORICAL : MLI_NUMERIC;
        in->features[j].type = j == 2 ? ML_TYPE_TEXT : ML_DTYPE_F64;
    }
    set_dictionary(&in->features[2].levels, levels, "%07d");
    in->task = classes ? MLI_TASK_CLASSIFICATION : MLI_TASK_REGRESSION;
    if (classes) set_dictionary(&in->classes, 2, "class %d");
    OK(ml_params_new(ctx, &params, ERR));
    OK(mli_model_new(ctx, &toy, params, in, &m, ERR));
    OK(mli_model_seal(m, ERR));
    ml_params_free(params);
    mli_inputs_free(in);
    return m;
}

static ml_predictor *toy_predictor(const ml_model *m, const char *kind)
{
    ml_predictor *p = NULL;
    OK(ml_predictor_new(m, kind, NULL, &p, ERR));
    return p;
}

static ml_table *toy_table(void)
{
    ml_table *t = NULL;
    t = add_f64(ctx, t, "c", 3, (double[]){4, 5, NAN});
    t = add_text(ctx, t, "colour", 3, (const char *[]){"0000001", "pink", NULL});
    t = add_f64(ctx, t, "a", 3, (double[]){0.75, 0.25, 0.5});
    t = add_f64(ctx, t, "extra", 3, (double[]){7, 7, 7});
    return add_f64(ctx, t, "b", 3, (double[]){2, 3, 4});
}

static void begin(int32_t threads)
{
    ctx = test_context(threads);
    toy_block = 0;
    toy_f32 = 0;
    toy_scratch = 0;
    toy_calls = toy_most_rows = 0;
}

static ml_params *options(const char *name, const char *value)
{
    ml_params *o = NULL;
    OK(ml_params_new(ctx, &o, ERR));
    OK(ml_params_set_str(o, name, value, ERR));
    return o;
}

/* ---- tables ---- */

START_TEST(predicts_a_table)
{
    begin(1);
    ml_model *m = toy_model(5, 0);
    ml_table *t = toy_table(), *out = NULL;
    ml_predictor *p = toy_predictor(m, NULL);
    ml_model_free(m); /* the predictor keeps it */
    ck_assert_int_eq(ml_predictor_outputs(p), 1);
    ck_assert_str_eq(ml_predictor_output_name(p, 0), "value");
    ck_assert_ptr_null(ml_predictor_output_name(p, 1));
    ck_assert_ptr_null(ml_predictor_output_name(p, -1));
    ml_tensor *y = NULL;
    OK(ml_predictor_run(p, t, &y, ERR));
    ck_assert_int_eq(ml_tensor_ndim(y), 2);
    ck_assert_double_eq(ml_tensor_get_f64(y, 0, 0), 0.75 + 4 + 3 + 16);
    ck_assert_double_eq(ml_tensor_get_f64(y, 1, 0), 0.25 + 6 + 1000 + 20);
    ck_assert_double_eq(ml_tensor_get_f64(y, 2, 0), 0.5 + 8 + 1000 + 1000);
    ml_tensor_free(y);
    OK(ml_predictor_run_table(p, t, &out, ERR));
    ck_assert_int_eq(ml_table_columns(out), 1);
    ck_assert_str_eq(ml_table_column_name(out, 0), "prediction");
    ck_assert_double_eq(ml_table_get_f64(out, 0, 0), 23.75);
    ml_table_free(out);
    OK(ml_table_slice(t, 0, 0, &out, ERR));
    OK(ml_predictor_run(p, out, &y, ERR));
    ck_assert_int_eq(ml_tensor_shape(y)[0], 0);
    ck_assert_int_eq(ml_tensor_shape(y)[1], 1);
    ml_tensor_free(y);
    ml_table_free(out);
    ml_table_free(t);
    ml_predictor_free(p);
    ml_predictor_free(NULL);
    ml_context_free(ctx);
}
END_TEST

START_TEST(names_outputs_and_columns)
{
    begin(1);
    ml_model *m = toy_model(5, 1), *r = toy_model(5, 0);
    ml_table *t = toy_table(), *out = NULL;
    ml_predictor *p = toy_predictor(m, NULL);
    ck_assert_str_eq(ml_predictor_output_name(p, 0), "class 0");
    ck_assert_str_eq(ml_predictor_output_name(p, 1), "class 1");
    OK(ml_predictor_run_table(p, t, &out, ERR));
    ck_assert_str_eq(ml_table_column_name(out, 0), "proba_class 0");
    ck_assert_str_eq(ml_table_column_name(out, 1), "proba_class 1");
    ck_assert_double_eq(ml_table_get_f64(out, 1, 1), 0.75);
    ml_table_free(out);
    ml_predictor_free(p);

    p = toy_predictor(m, "class");
    ck_assert_int_eq(ml_predictor_outputs(p), 1);
    ck_assert_str_eq(ml_predictor_output_name(p, 0), "class");
    OK(ml_predictor_run_table(p, t, &out, ERR));
    ck_assert_int_eq(ml_table_columns(out), 1);
    ck_assert_str_eq(ml_table_column_name(out, 0), "prediction");
    ck_assert_int_eq(ml_table_column_type(out, 0), ML_TYPE_CATEGORY);
    ck_assert_str_eq(cell(out, 0, "prediction"), "class 0");
    ck_assert_str_eq(cell(out, 1, "prediction"), "class 1");
    ml_table_free(out);
    ml_predictor_free(p);

    p = toy_predictor(r, "contributions");
    ck_assert_int_eq(ml_predictor_outputs(p), N_FEATURES + 1);
    ck_assert_str_eq(ml_predictor_output_name(p, 2), "colour");
    ck_assert_str_eq(ml_predictor_output_name(p, 4), "bias");
    OK(ml_predictor_run_table(p, t, &out, ERR));
    ck_assert_str_eq(ml_table_column_name(out, 2), "contributions_colour");
    ck_assert_double_eq(ml_table_get_f64(out, 0, 3), 16);
    ck_assert_double_eq(ml_table_get_f64(out, 0, 4), 0.5);
    ml_table_free(out);
    ml_predictor_free(p);

    p = toy_predictor(r, "many");
    ck_assert_str_eq(ml_predictor_output_name(p, 2), "many_2");
    ml_predictor_free(p);
    ml_table_free(t);
    ml_model_free(m);
    ml_model_free(r);
    ml_context_free(ctx);
}
END_TEST

START_TEST(says_what_does_not_fit)
{
    begin(1);
    ml_model *m = toy_model(5, 0);
    ml_predictor *p = NULL;
    FAILS(ML_E_ARGUMENT, ml_predictor_new(NULL, NULL, NULL, &p, ERR));
    FAILS(ML_E_ARGUMENT, ml_predictor_new(m, NULL, NULL, NULL, ERR));
    FAILS(ML_E_NAME, ml_predictor_new(m, "prob", NULL, &p, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_hint(ERR), "contributions"));
    FAILS(ML_E_NAME, ml_predictor_new(m, "class", NULL, &p, ERR));
    ml_params *o = options("unseeen", "error");
    FAILS(ML_E_NAME, ml_predictor_new(m, NULL, o, &p, ERR));
    ml_params_free(o);
    p = toy_predictor(m, NULL);
    ml_table *t = add_f64(ctx, NULL, "a", 1, (double[]){1}), *out = NULL;
    ml_tensor *y = NULL;
    FAILS(ML_E_ARGUMENT, ml_predictor_run(NULL, t, &y, ERR));
    FAILS(ML_E_ARGUMENT, ml_predictor_run(p, NULL, &y, ERR));
    FAILS(ML_E_ARGUMENT, ml_predictor_run(p, t, NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_predictor_run_table(NULL, t, &out, ERR));
    FAILS(ML_E_NAME, ml_predictor_run(p, t, &y, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "\"colour\""));
    FAILS(ML_E_NAME, ml_predictor_run_table(p, t, &out, ERR));
    ml_table_free(t);
    ml_predictor_free(p);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

/* ---- options ---- */

START_TEST(missing_columns_can_be_allowed)
{
    begin(1);
    ml_model *m = toy_model(5, 0);
    ml_predictor *p = NULL;
    ml_params *o = options("missing_columns", "missing");
    OK(ml_predictor_new(m, NULL, o, &p, ERR));
    ml_table *t = add_f64(ctx, NULL, "b", 2, (double[]){1, 2}), *all = toy_table();
    ml_tensor *y = NULL;
    OK(ml_predictor_run(p, t, &y, ERR));
    ck_assert_double_eq(ml_tensor_get_f64(y, 1, 0), 1000 + 4 + 1000 + 1000);
    ml_tensor_free(y);
    OK(ml_predictor_run(p, all, &y, ERR));
    ck_assert_double_eq(ml_tensor_get_f64(y, 0, 0), 23.75);
    ml_tensor_free(y);
    ml_predictor_free(p);
    toy.head.caps &= ~MLI_CAN_MISSING;
    FAILS(ML_E_UNSUPPORTED, ml_predictor_new(m, NULL, o, &p, ERR));
    toy.head.caps |= MLI_CAN_MISSING;
    ml_params_free(o);
    ml_table_free(t);
    ml_table_free(all);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

START_TEST(the_policy_for_unseen_categories_can_be_changed)
{
    begin(1);
    ml_model *m = toy_model(5, 0), *strict = toy_model(5, 0);
    strict->inputs->unseen_error = 1;
    ml_predictor *p = NULL;
    ml_table *t = toy_table(); /* has a pink that training did not have */
    ml_tensor *y = NULL;
    ml_params *o = options("unseen", "error");
    OK(ml_predictor_new(m, NULL, o, &p, ERR));
    FAILS(ML_E_DATA, ml_predictor_run(p, t, &y, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "pink"));
    ck_assert_double_eq(ml_predictor_code(p, 2, "0000003"), 3);
    ml_predictor_free(p);
    ml_params_free(o);
    p = toy_predictor(strict, NULL);
    FAILS(ML_E_DATA, ml_predictor_run(p, t, &y, ERR));
    ml_predictor_free(p);
    o = options("unseen", "missing");
    OK(ml_predictor_new(strict, NULL, o, &p, ERR));
    OK(ml_predictor_run(p, t, &y, ERR));
    ck_assert_double_eq(ml_tensor_get_f64(y, 1, 0), 1026.25);
    ml_tensor_free(y);
    ml_predictor_free(p);
    ml_params_free(o);
    ml_table_free(t);
    ml_model_free(m);
    ml_model_free(strict);
    ml_context_free(ctx);
}
END_TEST

/* ---- codes ---- */

static void check_codes(int64_t levels)
{
    ml_model *m = toy_model(levels, 0);
    ml_predictor *p = toy_predictor(m, NULL);
    char text[16];
    for (int64_t i = 0; i < levels; i += 1 + levels / 100) {
        snprintf(text, sizeof text, "%07d", (int)i);
        ck_assert_double_eq(ml_predictor_code(p, 2, text), (double)i);
    }
    ck_assert_double_nan(ml_predictor_code(p, 2, "pink"));
    ck_assert_double_nan(ml_predictor_code(p, 2, ""));
    ck_assert_double_nan(ml_predictor_code(p, 2, NULL));
    ck_assert_double_nan(ml_predictor_code(p, 0, "0000001"));
    ck_assert_double_nan(ml_predictor_code(p, -1, "0000001"));
    ck_assert_double_nan(ml_predictor_code(p, N_FEATURES, "0000001"));
    ck_assert_double_nan(ml_predictor_code(NULL, 2, "0000001"));
    ml_predictor_free(p);
    ml_model_free(m);
}

START_TEST(gives_codes_of_categories)
{
    begin(1);
    check_codes(0);
    check_codes(1);
    check_codes(1000);
    check_codes(65536);
    check_codes(100000); /* searched by halves */
    ml_context_free(ctx);
}
END_TEST

/* ---- plain rows ---- */

/* Values of count rows with a stride; the space between rows is poisoned. */
static void *make_rows(int32_t dtype, int64_t count, int64_t stride)
{
    double *d = malloc((size_t)(count * stride + 1) * sizeof *d);
    float *f = malloc((size_t)(count * stride + 1) * sizeof *f);
    for (int64_t i = 0; i < count * stride; i++) {
        int64_t j = i % stride, row = i / stride;
        double v = j >= N_FEATURES       ? -1e30
                   : (row + j) % 11 == 3 ? NAN
                                         : (double)((row * 7 + j * 3) % 64);
        d[i] = v;
        f[i] = (float)v;
    }
    free(dtype == ML_DTYPE_F64 ? (void *)f : (void *)d);
    return dtype == ML_DTYPE_F64 ? (void *)d : (void *)f;
}

static double expected_value(int64_t row)
{
    double sum = 0;
    for (int64_t j = 0; j < N_FEATURES; j++)
        sum += term((row + j) % 11 == 3 ? NAN : (double)((row * 7 + j * 3) % 64), j);
    return sum;
}

static void check_rows(ml_predictor *p, int32_t dtype, int64_t count, int64_t stride)
{
    void *rows = make_rows(dtype, count, stride);
    double *out = malloc((size_t)(count + 1) * sizeof *out);
    for (int64_t i = 0; i <= count; i++) out[i] = -7;
    OK(ml_predictor_rows(p, rows, dtype, count, stride, out, ERR));
    for (int64_t i = 0; i < count; i++)
        ck_assert_msg(out[i] == expected_value(i), "row %d of %d: %g is not %g", (int)i,
                      (int)count, out[i], expected_value(i));
    ck_assert_double_eq(out[count], -7);
    free(rows);
    free(out);
}

static void check_sizes(ml_predictor *p)
{
    static const int64_t counts[] = {0,   1,   2,   63,   64,   65,
                                     255, 256, 257, 2047, 2048, 5000};
    for (int i = 0; i < 12; i++) {
        for (int64_t stride = N_FEATURES; stride < N_FEATURES + 4; stride += 3) {
            check_rows(p, ML_DTYPE_F64, counts[i], stride);
            check_rows(p, ML_DTYPE_F32, counts[i], stride);
        }
    }
}

START_TEST(predicts_plain_rows)
{
    static const int64_t blocks[] = {0, 1, 7, 64, 100000};
    for (int32_t threads = 1; threads <= 4; threads += 3) {
        begin(threads);
        ml_model *m = toy_model(5, 0);
        for (int i = 0; i < 10; i++) {
            toy_block = blocks[i / 2];
            toy_f32 = i % 2;
            toy_scratch = i % 3 == 1 ? 1000 : 0;
            toy_most_rows = 0;
            ml_predictor *p = toy_predictor(m, NULL);
            check_sizes(p);
            if (toy_block) ck_assert_int_le(toy_most_rows, toy_block);
            ml_predictor_free(p);
        }
        ml_model_free(m);
        ml_context_free(ctx);
    }
}
END_TEST

START_TEST(rows_survive_a_change_of_threads)
{
    begin(2);
    ml_model *m = toy_model(5, 0);
    toy_scratch = 64;
    ml_predictor *p = toy_predictor(m, NULL);
    OK(ml_context_set_threads(ctx, 8, ERR));
    check_sizes(p);
    OK(ml_context_set_threads(ctx, 1, ERR));
    check_sizes(p);
    ml_predictor_free(p);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

START_TEST(rows_are_checked)
{
    begin(1);
    ml_model *m = toy_model(5, 0);
    ml_predictor *p = toy_predictor(m, NULL);
    double row[N_FEATURES] = {1, 2, 3, 4}, out = -7;
    FAILS(ML_E_ARGUMENT, ml_predictor_rows(NULL, row, ML_DTYPE_F64, 1, 4, &out, ERR));
    FAILS(ML_E_ARGUMENT, ml_predictor_rows(p, NULL, ML_DTYPE_F64, 1, 4, &out, ERR));
    FAILS(ML_E_ARGUMENT, ml_predictor_rows(p, row, ML_DTYPE_F64, 1, 4, NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_predictor_rows(p, row, ML_DTYPE_F64, -1, 4, &out, ERR));
    FAILS(ML_E_ARGUMENT, ml_predictor_rows(p, row, ML_DTYPE_F64, 1, 3, &out, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "4 inputs"));
    FAILS(ML_E_TYPE, ml_predictor_rows(p, row, ML_DTYPE_I64, 1, 4, &out, ERR));
    FAILS(ML_E_TYPE, ml_predictor_rows(p, row, 0, 1, 4, &out, NULL));
    OK(ml_predictor_rows(p, NULL, ML_DTYPE_F64, 0, 4, NULL, ERR));
    ck_assert_double_eq(out, -7);
    ml_predictor_free(p);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

START_TEST(rows_allocate_nothing)
{
    failing_alloc f = {0};
    begin(1);
    ml_context_free(ctx);
    ml_host host = failing_host(&f);
    OK(ml_context_new(&host, &ctx, ERR));
    ml_model *m = toy_model(5, 0);
    ml_predictor *p = toy_predictor(m, NULL);
    int64_t calls = f.calls;
    f.fail_at = 1;
    check_sizes(p);
    ck_assert_double_eq(ml_predictor_code(p, 2, "0000003"), 3);
    ck_assert_int_eq(f.calls, calls);
    ml_predictor_free(p);
    ml_model_free(m);
    ml_context_free(ctx);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

/* ---- memory, threads ---- */

static ml_status all_of_it(failing_alloc *f, const char *kind)
{
    ml_host host = failing_host(f);
    ml_predictor *p = NULL;
    ml_table *t = NULL, *out = NULL;
    ml_error *err = ml_error_new();
    int64_t fail_at = f->fail_at;
    f->fail_at = 0; /* the model and the table are made before */
    OK(ml_context_new(&host, &ctx, ERR));
    ml_model *m = toy_model(5, strcmp(kind, "class") == 0);
    t = toy_table();
    ml_params *o = options("unseen", "missing");
    OK(ml_params_set_str(o, "missing_columns", "missing", ERR));
    m->inputs->unseen_error = 1;
    ml_table *less = NULL;
    OK(ml_table_select(t, (const char *[]){"a", "colour"}, 2, &less, ERR));
    f->fail_at = fail_at ? fail_at + f->calls : 0;
    ml_status status = ml_predictor_new(m, kind, o, &p, err);
    if (!status) status = ml_predictor_run_table(p, less, &out, err);
    ml_table_free(out);
    ml_predictor_free(p);
    ml_params_free(o);
    ml_table_free(t);
    ml_table_free(less);
    ml_model_free(m);
    ml_context_free(ctx);
    ml_error_free(err);
    return status;
}

START_TEST(lack_of_memory_is_an_error_and_no_more)
{
    begin(1);
    ml_context_free(ctx);
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, all_of_it(&f, "contributions"));
    OUT_OF_MEMORY_LOOP(f, all_of_it(&f, "value"));
    OUT_OF_MEMORY_LOOP(f, all_of_it(&f, "class"));
}
END_TEST

typedef struct worker {
    pthread_t thread;
    const ml_model *model;
    const ml_table *table;
    int wrong;
} worker;

static void *hammer(void *arg)
{
    worker *w = arg;
    for (int round = 0; round < 30; round++) {
        ml_predictor *p = NULL;
        ml_tensor *y = NULL;
        double rows[64 * N_FEATURES], out[64];
        for (int i = 0; i < 64 * N_FEATURES; i++) rows[i] = 1;
        w->wrong += ml_predictor_new(w->model, "value", NULL, &p, NULL) != ML_OK;
        w->wrong +=
            ml_predictor_rows(p, rows, ML_DTYPE_F64, 64, N_FEATURES, out, NULL) != 0;
        w->wrong += out[63] != 10;
        w->wrong += ml_predictor_run(p, w->table, &y, NULL) != ML_OK;
        w->wrong += ml_tensor_get_f64(y, 0, 0) != 23.75;
        w->wrong += ml_predictor_code(p, 2, "0000004") != 4;
        w->wrong += strcmp(ml_predictor_output_name(p, 0), "value") != 0;
        ml_tensor_free(y);
        ml_predictor_free(p);
    }
    return NULL;
}

START_TEST(eight_threads_share_a_model)
{
    begin(2);
    toy_scratch = 256;
    ml_model *m = toy_model(5, 0);
    ml_table *t = toy_table();
    worker w[8];
    for (int i = 0; i < 8; i++) {
        w[i] = (worker){.model = m, .table = t};
        ck_assert_int_eq(pthread_create(&w[i].thread, NULL, hammer, &w[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(w[i].thread, NULL);
        ck_assert_int_eq(w[i].wrong, 0);
    }
    ml_table_free(t);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("inference/predictor", predicts_a_table, names_outputs_and_columns,
          says_what_does_not_fit, missing_columns_can_be_allowed,
          the_policy_for_unseen_categories_can_be_changed, gives_codes_of_categories,
          predicts_plain_rows, rows_survive_a_change_of_threads, rows_are_checked,
          rows_allocate_nothing, lack_of_memory_is_an_error_and_no_more,
          eight_threads_share_a_model)
