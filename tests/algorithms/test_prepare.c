/* SPDX-License-Identifier: MIT
 *
 * Transformers beside scikit-learn on real data (tests/reference/prepare.py).
 */
#include "../testing_data.h"
#include "csv_text.h"

#define COLUMNS 256

static ml_table *read_data(ml_context *ctx, const char *file)
{
    ml_table *t = NULL;
    const char *path = shared_path(file);
    if (path) OK(ml_table_read_csv(ctx, path, NULL, &t, ERR));
    return t;
}

/* "a=1;b=2" */
static void set_params(ml_estimator *e, char *text)
{
    for (char *pair = strtok(text, ";"); pair; pair = strtok(NULL, ";")) {
        char *equal = strchr(pair, '=');
        *equal = 0;
        OK(ml_estimator_set_str(e, pair, equal + 1, ERR));
    }
}

static void near(const char *what, int64_t row, int64_t column, double got, double want)
{
    /* scikit-learn stops looking for a power at 1e-8. */
    double tolerance = strncmp(what, "power", 5) == 0 ? 1e-6 : 1e-9;
    if (isnan(want) && isnan(got)) return;
    ck_assert_msg(fabs(got - want) <= tolerance * fmax(1, fabs(want)),
                  "%s row %d column %d: %.15g instead of %.15g", what, (int)row,
                  (int)column, got, want);
}

static ml_tensor *transform(ml_context *ctx, const char *algorithm, char *params,
                            const char *features, const char *target, const ml_table *t)
{
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    ml_predictor *p = NULL;
    ml_tensor *out = NULL;
    OK(ml_estimator_new(ctx, algorithm, &e, ERR));
    if (strcmp(params, "-") != 0) set_params(e, params);
    if (strcmp(target, "-") != 0) OK(ml_estimator_set_str(e, "target", target, ERR));
    OK(ml_estimator_set_str(e, "features", features, ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    OK(ml_predictor_new(m, "transform", NULL, &p, ERR));
    OK(ml_predictor_run(p, t, &out, ERR));
    ml_predictor_free(p);
    ml_model_free(m);
    ml_estimator_free(e);
    return out;
}

static void read_numbers(FILE *f, double *out, int n)
{
    for (int i = 0; i < n; i++) ck_assert_int_eq(fscanf(f, "%lf", &out[i]), 1);
}

/* One case, up to the next; 0 at the end, -1 without the data. */
static int check_case(ml_context *ctx, FILE *f)
{
    char file[256], algorithm[64], params[256], features[512], target[64], what[1024];
    double want[COLUMNS], sum[COLUMNS] = {0};
    int rows, columns, shown, count[COLUMNS] = {0};
    if (fscanf(f, " case %255s %63s %255s %511s %63s size %d %d %d", file, algorithm,
               params, features, target, &rows, &columns, &shown) != 8)
        return 0;
    ck_assert_int_le(columns, COLUMNS);
    snprintf(what, sizeof what, "%s %s of %s", algorithm, params, features);
    ml_table *t = read_data(ctx, file);
    if (!t) return -1;
    ml_tensor *out = transform(ctx, algorithm, params, features, target, t);
    const int64_t *shape = ml_tensor_shape(out);
    ck_assert_msg(shape[1] == columns, "%s: %d columns instead of %d", what,
                  (int)shape[1], columns);
    for (int i = 0; i < shown; i++) {
        read_numbers(f, want, columns);
        for (int j = 0; j < columns; j++)
            near(what, i, j, ml_tensor_get_f64(out, i, j), want[j]);
    }
    for (int64_t i = 0; i < shape[0]; i++)
        for (int64_t j = 0; j < shape[1]; j++) {
            double v = ml_tensor_get_f64(out, i, j);
            count[j] += !isnan(v);
            sum[j] += isnan(v) ? 0 : v;
        }
    read_numbers(f, want, columns);
    for (int j = 0; j < columns && shape[0] == rows; j++)
        near(what, -1, j, sum[j] / count[j], want[j]);
    ml_tensor_free(out);
    ml_table_free(t);
    return 1;
}

START_TEST(equals_scikit_learn)
{
    ml_context *ctx = test_context(2);
    FILE *f = fopen(source_path("tests/algorithms/prepare_expected.txt"), "r");
    int result, n = 0;
    ck_assert_ptr_nonnull(f);
    while ((result = check_case(ctx, f)) > 0) n++;
    fclose(f);
    ml_context_free(ctx);
    if (result < 0) SKIP("the shared data are not there");
    ck_assert_int_gt(n, 5);
}
END_TEST

/* Transforming a table keeps names, categories and missing values. */
START_TEST(makes_tables)
{
    ml_context *ctx = test_context(1);
    ml_table *t = NULL, *out = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    ml_predictor *p = NULL;
    char text[32];
    const char csv[] = "a,b,k\n1,2,x\n2,,y\n3,5,\n,8,y\n";
    t = csv_text(ctx, csv);
    OK(ml_estimator_new(ctx, "imputer", &e, ERR));
    OK(ml_estimator_set_str(e, "strategy", "constant", ERR));
    OK(ml_estimator_set_str(e, "fill_text", "none", ERR));
    OK(ml_estimator_set_str(e, "columns", "b, category", ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    OK(ml_predictor_run_table(p, t, &out, ERR));
    ck_assert_int_eq(ml_table_columns(out), 3);
    ck_assert_str_eq(ml_table_column_name(out, 2), "k");
    ck_assert(isnan(ml_table_get_f64(out, 3, 0)));
    ck_assert(ml_table_get_f64(out, 1, 1) == 0);
    ml_table_get_str(out, 2, 2, text, sizeof text);
    ck_assert_str_eq(text, "none");
    ml_table_get_str(out, 3, 2, text, sizeof text);
    ck_assert_str_eq(text, "y");
    ml_table_free(out);
    ml_predictor_free(p);
    ml_model_free(m);
    OK(ml_estimator_set_str(e, "columns", "[\"q*\"]", ERR));
    FAILS(ML_E_NAME, ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* From column to column, and from row to row: the same bits. */
START_TEST(columns_equal_rows)
{
    static const char *const algorithms[] = {
        "standard_scaler", "robust_scaler",   "imputer",         "discretizer",
        "one_hot_encoder", "ordinal_encoder", "spline_features", "power_transformer",
        "knn_imputer",     "feature_selector"};
    ml_context *ctx = test_context(3);
    ml_table *t = read_data(ctx, "titanic/titanic.csv.gz"), *out = NULL;
    if (!t) SKIP("the shared data are not there");
    for (size_t a = 0; a < sizeof algorithms / sizeof *algorithms; a++) {
        ml_estimator *e = NULL;
        ml_model *m = NULL;
        ml_predictor *p = NULL;
        ml_tensor *rows = NULL;
        OK(ml_estimator_new(ctx, algorithms[a], &e, ERR));
        OK(ml_estimator_set_str(e, "features", "pclass,sex,age,fare,embarked", ERR));
        OK(ml_estimator_fit(e, t, NULL, &m, ERR));
        OK(ml_predictor_new(m, "transform", NULL, &p, ERR));
        OK(ml_predictor_run(p, t, &rows, ERR));
        OK(ml_predictor_run_table(p, t, &out, ERR));
        ck_assert_int_eq(ml_table_columns(out), ml_tensor_shape(rows)[1]);
        for (int64_t j = 0; j < ml_table_columns(out); j++)
            for (int64_t i = 0; i < ml_table_rows(out); i++) {
                double x = ml_tensor_get_f64(rows, i, j), y = ml_table_get_f64(out, i, j);
                ck_assert_msg(x == y || (isnan(x) && isnan(y)), "%s row %d column %d",
                              algorithms[a], (int)i, (int)j);
            }
        ml_table_free(out);
        ml_tensor_free(rows);
        ml_predictor_free(p);
        ml_model_free(m);
        ml_estimator_free(e);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(takes_dates_apart)
{
    static const double want[4][6] = {{2024, 12, 1, 0, 365, 4},
                                      {2021, 1, 53, 6, 3, 1},
                                      {1969, 7, 29, 6, 201, 3},
                                      {2000, 2, 9, 1, 60, 1}};
    ml_context *ctx = test_context(1);
    ml_table *t = csv_text(ctx, "d,x\n2024-12-30,1\n2021-01-03,2\n1969-07-20,3\n"
                                "2000-02-29,4\n");
    char params[] = "parts=year,month,week,weekday,yearday,quarter";
    ml_tensor *out = transform(ctx, "date_parts", params, "d", "-", t);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 6; j++)
            near("date_parts", i, j, ml_tensor_get_f64(out, i, j), want[i][j]);
    ml_tensor_free(out);
    char round[] = "parts=month;cyclic=true";
    out = transform(ctx, "date_parts", round, "d, x", "-", t);
    ck_assert_int_eq(ml_tensor_shape(out)[1], 3);
    near("sine of February", 3, 0, ml_tensor_get_f64(out, 3, 0), 0.5);
    near("x", 3, 2, ml_tensor_get_f64(out, 3, 2), 4);
    ml_tensor_free(out);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Each second of an hour long ago and of one to come is its own. */
START_TEST(seconds_are_exact)
{
    enum { ROWS = 7200 };
    static char text[8 + ROWS * 20];
    int n = snprintf(text, sizeof text, "t\n");
    for (int i = 0; i < ROWS; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%d-03-31 17:%02d:%02d\n",
                      i < ROWS / 2 ? 1893 : 2043, i / 60 % 60, i % 60);
    ml_context *ctx = test_context(1);
    ml_table *t = csv_text(ctx, text);
    char params[] = "parts=day,hour,minute,second";
    ml_tensor *out = transform(ctx, "date_parts", params, "t", "-", t);
    for (int i = 0; i < ROWS; i++) {
        const int want[] = {31, 17, i / 60 % 60, i % 60};
        for (int k = 0; k < 4; k++) ck_assert(ml_tensor_get_f64(out, i, k) == want[k]);
    }
    ml_tensor_free(out);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Numbers far below 1 have their digits in e^x - 1: a power of them is a line. */
START_TEST(powers_of_small_numbers)
{
    enum { ROWS = 400 };
    double x[ROWS], mean = 0, square = 0;
    uint64_t z = 1;
    for (int i = 0; i < ROWS; i++) {
        z = z * 6364136223846793005u + 1442695040888963407u;
        x[i] = exp(4 * (double)(z >> 11) * 0x1p-53) * 1e-17;
        mean += x[i] / ROWS;
    }
    for (int i = 0; i < ROWS; i++) square += (x[i] - mean) * (x[i] - mean) / ROWS;
    ml_context *ctx = test_context(2);
    ml_table *t = add_f64(ctx, NULL, "x", ROWS, x);
    char none[] = "-";
    ml_tensor *out = transform(ctx, "power_transformer", none, "x", "-", t);
    for (int i = 0; i < ROWS; i++)
        near("small numbers", i, 0, ml_tensor_get_f64(out, i, 0),
             (x[i] - mean) / sqrt(square));
    ml_tensor_free(out);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Columns of any size keep their differences; a constant is one in spite of rounding. */
START_TEST(numbers_of_any_size)
{
    enum { ROWS = 300 };
    static const double sizes[] = {1e-300, 1e-20, 1, 1e100};
    static const char *const algorithms[] = {
        "min_max_scaler", "max_abs_scaler", "robust_scaler",
        "quantile_transformer:distribution=normal", "discretizer:bins=4"};
    double x[ROWS], first[5][ROWS], constant[ROWS];
    ml_context *ctx = test_context(2);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (int i = 0; i < ROWS; i++) x[i] = (i * 37 % ROWS - 100) * sizes[s];
        ml_table *t = add_f64(ctx, NULL, "x", ROWS, x);
        for (int a = 0; a < 5; a++) {
            char name[64], *params = name;
            snprintf(name, sizeof name, "%s", algorithms[a]);
            strsep(&params, ":");
            char none[] = "-";
            ml_tensor *out = transform(ctx, name, params ? params : none, "x", "-", t);
            for (int i = 0; i < ROWS; i++) {
                double got = ml_tensor_get_f64(out, i, 0);
                if (s == 0) first[a][i] = got;
                near(algorithms[a], i, (int)s, got, first[a][i]);
            }
            ck_assert(first[a][0] != first[a][5] && isfinite(first[a][0]));
            ml_tensor_free(out);
        }
        char power[] = "-";
        ml_tensor *out = transform(ctx, "power_transformer", power, "x", "-", t);
        for (int i = 0; i < ROWS; i++) ck_assert(isfinite(ml_tensor_get_f64(out, i, 0)));
        ml_tensor_free(out);
        ml_table_free(t);
    }
    for (int i = 0; i < ROWS; i++) x[i] = i, constant[i] = 3.7;
    ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "x", ROWS, x), "c", ROWS, constant);
    char centred[] = "-", by_variance[] = "method=variance", wide[] = "strategy=uniform";
    ml_tensor *out = transform(ctx, "standard_scaler", centred, "c", "-", t);
    ck_assert(ml_tensor_get_f64(out, 0, 0) == 0);
    ml_tensor_free(out);
    out = transform(ctx, "feature_selector", by_variance, "x,c", "-", t);
    ck_assert_int_eq(ml_tensor_shape(out)[1], 1);
    ml_tensor_free(out);
    out = transform(ctx, "discretizer", wide, "c", "-", t);
    ck_assert(ml_tensor_get_f64(out, 0, 0) == 0);
    ml_tensor_free(out);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Of equally frequent levels the last ones have columns, as many as there is room for. */
START_TEST(levels_of_equal_frequency)
{
    static const double want[4][3] = {{0, 0, 1}, {0, 0, 1}, {1, 0, 0}, {0, 1, 0}};
    ml_context *ctx = test_context(1);
    ml_table *t = csv_text(ctx, "k\na\nb\nc\nd\nd\n");
    char params[] = "max_levels=3";
    ml_tensor *out = transform(ctx, "one_hot_encoder", params, "k", "-", t);
    ck_assert_int_eq(ml_tensor_shape(out)[1], 3);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 3; j++)
            near("one_hot_encoder", i, j, ml_tensor_get_f64(out, i, j), want[i][j]);
    ml_tensor_free(out);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* An expression may take the name of a column, and gives dates as dates, also to the next
 * step; so do columns that pass by. */
START_TEST(derives_dates_and_replaces)
{
    ml_context *ctx = test_context(1);
    ml_table *t = csv_text(ctx, "d,x\n2024-01-31,1\n,2\n2024-02-28,3\n"), *out = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    ml_predictor *p = NULL;
    OK(ml_estimator_new(ctx, "pipeline", &e, ERR));
    OK(ml_estimator_set_str(e, "steps", "derive, late=derive", ERR));
    OK(ml_estimator_set_str(e, "derive.expressions", "[x = 10 * x, `next day` = d + 1]",
                            ERR));
    OK(ml_estimator_set_str(e, "late.expressions",
                            "[z = `next day` >= '2024-02-29', noon = d + x / 20, "
                            "since = d - '2024-01-01']",
                            ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    OK(ml_predictor_new(m, "transform", NULL, &p, ERR));
    OK(ml_predictor_run_table(p, t, &out, ERR));
    static const char *const names[] = {"d", "x", "next day", "z", "noon", "since"};
    ck_assert_int_eq(ml_table_columns(out), 6);
    for (int j = 0; j < 6; j++) ck_assert_str_eq(ml_table_column_name(out, j), names[j]);
    ck_assert_int_eq(ml_table_column_type(out, 0), ML_TYPE_DATE);
    ck_assert_int_eq(ml_table_column_type(out, 2), ML_TYPE_DATE);
    ck_assert_int_eq(ml_table_column_type(out, 4), ML_TYPE_TIMESTAMP);
    ck_assert_int_eq(ml_table_column_type(out, 5), ML_DTYPE_F64);
    ck_assert(ml_table_get_f64(out, 0, 4) == 19753.5 * 86400e6);
    ck_assert(ml_table_get_f64(out, 0, 5) == 30);
    ck_assert(isnan(ml_table_get_f64(out, 1, 2)) && isnan(ml_table_get_f64(out, 1, 4)));
    ck_assert(ml_table_get_f64(out, 2, 1) == 30 && ml_table_get_f64(out, 2, 3) == 1);
    ck_assert(ml_table_get_f64(out, 2, 2) == ml_table_get_f64(out, 2, 0) + 1);
    ml_table_free(out);
    ml_predictor_free(p);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Values far from 0 beside their spread have powers beyond 8: as scikit-learn finds. */
START_TEST(large_powers)
{
    enum { ROWS = 100 };
    static const double expected[2][3] = {
        {1.2459001497040592, 1.181362193821407, 0.9940049683139028},
        {-1.2459001497040592, -1.181362193821407, -0.9940049683139028}};
    ml_context *ctx = test_context(2);
    for (int side = 0; side < 2; side++) {
        double x[ROWS];
        for (int i = 0; i < ROWS; i++)
            x[i] = (side ? -1 : 1) * (100 - (i % 10) * (i % 10) / 8.0);
        ml_table *t = add_f64(ctx, NULL, "x", ROWS, x);
        char none[] = "-";
        ml_tensor *out = transform(ctx, "power_transformer", none, "x", "-", t);
        for (int i = 0; i < 3; i++)
            near("power of large numbers", i, 0, ml_tensor_get_f64(out, i, 0),
                 expected[side][i]);
        ml_tensor_free(out);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

/* All functions of log_transformer, by Python's math; without a value: missing. */
START_TEST(functions_of_numbers)
{
    static const struct {
        const char *function;
        double want[8];
    } cases[] = {
        {"log1p",
         {NAN, NAN, -0.6931471805599453, 0.0, 0.4054651081081644, 0.6931471805599453,
          1.3862943611198906, 709.1962086421661}},
        {"log",
         {NAN, NAN, NAN, NAN, -0.6931471805599453, 0.0, 1.0986122886681098,
          709.1962086421661}},
        {"log10",
         {NAN, NAN, NAN, NAN, -0.3010299956639812, 0.0, 0.47712125471966244, 308.0}},
        {"log2", {NAN, NAN, NAN, NAN, -1.0, 0.0, 1.584962500721156, 1023.1538532253076}},
        {"sqrt",
         {NAN, NAN, NAN, 0.0, 0.7071067811865476, 1.0, 1.7320508075688772, 1e+154}},
        {"square", {4, 1, 0.25, 0, 0.25, 1, 9, INFINITY}},
        {"exp",
         {0.1353352832366127, 0.36787944117144233, 0.6065306597126334, 1.0,
          1.6487212707001282, 2.718281828459045, 20.085536923187668, INFINITY}},
        {"abs", {2, 1, 0.5, 0, 0.5, 1, 3, 1e+308}},
        {"reciprocal", {-0.5, -1.0, -2.0, NAN, 2.0, 1.0, 0.3333333333333333, 1e-308}},
        {"signed_log1p",
         {-1.0986122886681096, -0.6931471805599453, -0.4054651081081644, 0.0,
          0.4054651081081644, 0.6931471805599453, 1.3862943611198906,
          709.1962086421661}}};
    ml_context *ctx = test_context(1);
    ml_table *t = csv_text(ctx, "x\n-2\n-1\n-0.5\n0\n0.5\n1\n3\n1e308\n");
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char params[64];
        snprintf(params, sizeof params, "function=%s", cases[k].function);
        ml_tensor *out = transform(ctx, "log_transformer", params, "x", "-", t);
        for (int i = 0; i < 8; i++) {
            double got = ml_tensor_get_f64(out, i, 0), want = cases[k].want[i];
            int same = isnan(want)   ? isnan(got)
                       : isinf(want) ? got == want
                                     : fabs(got - want) <= 4e-16 * fabs(want);
            ck_assert_msg(same, "%s, value %d: %.17g instead of %.17g", cases[k].function,
                          i, got, want);
        }
        ml_tensor_free(out);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Levels are in the order of their texts; numbers that training lacks are missing. */
START_TEST(numbers_become_categories)
{
    ml_context *ctx = test_context(2);
    ml_table *t = csv_text(ctx, "shop,none,x\n10,,1\n9,,2\n10,,3\n-2.5,,4\n,,5\n");
    ml_table *later = csv_text(ctx, "shop,none,x\n11,1,1\n-2.5,1,2\n"), *out = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    ml_predictor *p = NULL;
    char text[32];
    OK(ml_estimator_new(ctx, "to_category", &e, ERR));
    OK(ml_estimator_set_str(e, "features", "shop, none, x", ERR));
    OK(ml_estimator_set_str(e, "columns", "shop, none", ERR));
    OK(ml_estimator_set_str(e, "keep", "true", ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    OK(ml_predictor_run_table(p, t, &out, ERR));
    ck_assert_int_eq(ml_table_columns(out), 4);
    ck_assert_str_eq(ml_table_column_name(out, 1), "shop as category");
    ck_assert_int_eq(ml_table_column_type(out, 1), ML_TYPE_CATEGORY);
    ck_assert_str_eq(ml_table_column_name(out, 2), "none");
    for (int i = 0; i < 4; i++) {
        static const char *const want[] = {"10", "9", "10", "-2.5"};
        ml_table_get_str(out, i, 1, text, sizeof text);
        ck_assert_str_eq(text, want[i]);
        ck_assert(ml_table_get_f64(out, i, 0) == ml_table_get_f64(t, i, 0));
    }
    ck_assert_int_lt(ml_table_get_str(out, 4, 1, text, sizeof text), 0);
    ml_table_free(out);
    OK(ml_predictor_run_table(p, later, &out, ERR));
    ck_assert_int_lt(ml_table_get_str(out, 0, 1, text, sizeof text), 0);
    ml_table_get_str(out, 1, 1, text, sizeof text);
    ck_assert_str_eq(text, "-2.5");
    ml_table_free(out);
    ml_predictor_free(p);
    ml_model_free(m);
    OK(ml_estimator_set_str(e, "keep", "false", ERR));
    OK(ml_estimator_set_str(e, "min_count", "2", ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    OK(ml_predictor_run_table(p, t, &out, ERR));
    ck_assert_int_eq(ml_table_columns(out), 3);
    ml_table_get_str(out, 2, 0, text, sizeof text);
    ck_assert_str_eq(text, "10");
    ck_assert_int_lt(ml_table_get_str(out, 1, 0, text, sizeof text), 0);
    ml_table_free(out);
    ml_predictor_free(p);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(later);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Whole numbers that are close together, and others: what is none of them is missing. */
START_TEST(numbers_near_a_level)
{
    static const char *const columns[] = {"k\n-5\n0\n4\n", "k\n-5\n0\n4\n1e9\n"};
    ml_context *ctx = test_context(1);
    for (int c = 0; c < 2; c++) {
        ml_table *t = csv_text(ctx, columns[c]), *out = NULL;
        ml_table *later =
            csv_text(ctx, "k\n-5\n0\n4\n1e-17\n-6\n5\n3\n0.5\n1e300\ninf\n-0.0\n");
        ml_estimator *e = NULL;
        ml_model *m = NULL;
        ml_predictor *p = NULL;
        char text[32];
        OK(ml_estimator_new(ctx, "to_category", &e, ERR));
        OK(ml_estimator_fit(e, t, NULL, &m, ERR));
        OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
        OK(ml_predictor_run_table(p, later, &out, ERR));
        for (int i = 0; i < 11; i++) {
            static const char *const want[] = {"-5", "0", "4"};
            int level = i < 3 ? i : i == 10 ? 1 : -1;
            int64_t size = ml_table_get_str(out, i, 0, text, sizeof text);
            ck_assert_msg((size < 0) == (level < 0), "column %d row %d", c, i);
            if (level >= 0) ck_assert_str_eq(text, want[level]);
        }
        ml_table_free(out);
        ml_predictor_free(p);
        ml_model_free(m);
        ml_estimator_free(e);
        ml_table_free(later);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("algorithms/prepare", equals_scikit_learn, makes_tables, columns_equal_rows,
          takes_dates_apart, seconds_are_exact, powers_of_small_numbers, large_powers,
          numbers_of_any_size, levels_of_equal_frequency, derives_dates_and_replaces,
          functions_of_numbers, numbers_become_categories, numbers_near_a_level)
